//! What a Toss client is built from, and why it is not built.
//!
//! Checked before the first byte is sent: host, mode and key must fit together, so that a live key
//! never meets a simulator and a test key never a live database (F35, S26).

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::domain::mode::Mode;
use crate::provider::http::{ClientError, Origin};
use crate::secret::Secret;

use super::codes::CodeTableError;

/// The only host that live money goes to.
const LIVE_HOST: &str = "api.tosspayments.com";

/// How to reach Toss Payments.
#[derive(Debug, Clone)]
pub struct TossOptions {
    /// Origin, with or without `/v1`.
    pub base_url: String,
    /// The API secret key (`…_sk_…`).
    pub secret_key: Secret,
    /// What the key must be for.
    pub mode: Mode,
    /// Until the connection stands.
    pub connect_timeout: Duration,
    /// Until the whole answer is there. The provider may take 60 s for a charge.
    pub total_timeout: Duration,
}

impl TossOptions {
    /// The provider's own host with the time limits of house: 5 s to connect, 70 s in all.
    pub fn new(secret_key: Secret, mode: Mode) -> Self {
        Self {
            base_url: format!("https://{LIVE_HOST}"),
            secret_key,
            mode,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(70),
        }
    }
}

/// Why a client cannot be built. All of it is configuration.
#[derive(Debug, thiserror::Error)]
pub enum TossSetupError {
    /// The base URL is not one, or not one for this mode.
    #[error("base url {0}")]
    BaseUrl(&'static str),
    /// The secret key is not one, or not one for this mode.
    #[error("secret key {0}")]
    SecretKey(&'static str),
    /// A time limit is zero, or the whole is shorter than connecting.
    #[error("timeouts must be above zero, and the total not below the connect timeout")]
    Timeouts,
    /// Test codes make the provider fail on purpose.
    #[error("a test code {0}")]
    TestCode(&'static str),
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The program is broken: its own table cannot be read.
    #[error(transparent)]
    Codes(#[from] CodeTableError),
}

/// The origin, if this mode may go there.
pub(super) fn origin(base_url: &str, mode: Mode) -> Result<Origin, TossSetupError> {
    let origin = Origin::parse(base_url, "/v1").map_err(TossSetupError::BaseUrl)?;
    match mode {
        Mode::Live if !origin.is_public_host(LIVE_HOST) => Err(TossSetupError::BaseUrl(
            "must be https://api.tosspayments.com in live mode",
        )),
        Mode::Sim if !origin.is_loopback => Err(TossSetupError::BaseUrl(
            "must be on this machine in sim mode",
        )),
        Mode::Live | Mode::Test | Mode::Sim => Ok(origin),
    }
}

/// The headers every request carries. A byte order mark or white space around the key is dropped:
/// both come from pasting and make the provider refuse it.
pub(super) fn headers(key: &Secret, mode: Mode) -> Result<HeaderMap, TossSetupError> {
    use base64::Engine as _;
    let is_noise = |c: char| c.is_whitespace() || c == '\u{feff}';
    let key = key.expose().trim_matches(is_noise);
    check_key(key, mode)?;
    let pair = zeroize::Zeroizing::new(format!("{key}:"));
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|_| TossSetupError::SecretKey("cannot be sent"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

fn check_key(key: &str, mode: Mode) -> Result<(), TossSetupError> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    let refused = |why| Err(TossSetupError::SecretKey(why));
    if !key.bytes().all(|b| b.is_ascii_graphic()) {
        return refused("holds characters that no key has");
    }
    if starts(&["live_ck_", "test_ck_", "live_gck_", "test_gck_"]) {
        return refused("is a client key: take the API secret key (sk)");
    }
    if starts(&["live_gsk_", "test_gsk_"]) {
        return refused("is a widget key: take the API secret key (sk)");
    }
    match mode {
        Mode::Live if !starts(&["live_sk_"]) => refused("must begin with live_sk_ in live mode"),
        Mode::Test | Mode::Sim if !starts(&["test_sk_", "test_ak_"]) => {
            refused("must begin with test_sk_ where the mode is not live")
        }
        Mode::Live | Mode::Test | Mode::Sim => Ok(()),
    }
}

/// The header that makes the provider's test environment answer with an error.
pub(super) fn test_code(code: &str, mode: Mode) -> Result<HeaderValue, TossSetupError> {
    if mode == Mode::Live {
        return Err(TossSetupError::TestCode("is refused in live mode"));
    }
    let is_code = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    match HeaderValue::from_str(code) {
        Ok(value) if !code.is_empty() && code.bytes().all(is_code) => Ok(value),
        _ => Err(TossSetupError::TestCode("is written in capitals")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sim() -> Mode {
        Mode::Sim
    }

    #[test]
    fn live_money_goes_to_one_host_over_https() {
        assert!(origin("https://api.tosspayments.com/v1", Mode::Live).is_ok());
        for other in [
            "http://127.0.0.1:4100",
            "https://127.0.0.1:4100",
            "https://api.tosspayments.com.example.com",
            "https://api.tosspayments.com:8443",
        ] {
            assert!(origin(other, Mode::Live).is_err(), "{other}");
        }
        assert!(origin("https://api.tosspayments.com", sim()).is_err());
        assert!(origin("http://127.0.0.1:4100", sim()).is_ok());
    }

    #[test]
    fn a_key_of_another_mode_or_kind_is_refused_without_being_named() {
        for (key, mode) in [
            ("test_sk_canary", Mode::Live),
            ("live_sk_canary", Mode::Test),
            ("live_sk_canary", Mode::Sim),
            ("test_gsk_canary", Mode::Test),
            ("test_ck_canary", Mode::Test),
            ("test_sk_ca nary", Mode::Test),
            ("", Mode::Test),
        ] {
            let refused = headers(&Secret::new(key), mode).expect_err(key);
            let text = format!("{refused} {refused:?}");
            assert!(!text.contains("canary"), "{text}");
        }
    }

    #[test]
    fn a_pasted_key_loses_its_byte_order_mark_and_the_header_is_sensitive() {
        let key = Secret::new("\u{feff}test_sk_abc\r\n");
        let headers = headers(&key, Mode::Test).expect("headers");
        let value = &headers[AUTHORIZATION];
        assert!(value.is_sensitive());
        assert_eq!(value.as_bytes(), b"Basic dGVzdF9za19hYmM6");
    }

    #[test]
    fn test_codes_are_refused_in_live_mode() {
        assert!(test_code("REJECT_CARD_PAYMENT", Mode::Test).is_ok());
        assert!(test_code("REJECT_CARD_PAYMENT", Mode::Live).is_err());
        assert!(test_code("no code", Mode::Test).is_err());
    }
}
