//! What a Stripe client is built from, and why it is not built.
//!
//! Checked before the first byte is sent: host, mode and key must fit together, so that a live key never
//! meets a simulator and a test key never a live database.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::domain::mode::Mode;
use crate::provider::http::{ClientError, Origin};
use crate::secret::Secret;

use super::amount::CurrencyTableError;
use super::codes::CodeTableError;

/// The only host that live money goes to.
const LIVE_HOST: &str = "api.stripe.com";
/// The version of the interface that this client reads and writes. Sent with every request, so that an
/// account's own setting never changes what we read.
pub const VERSION: &str = "2026-06-24.dahlia";
const VERSION_HEADER: HeaderName = HeaderName::from_static("stripe-version");

/// How to reach Stripe.
#[derive(Debug, Clone)]
pub struct StripeOptions {
    /// Origin, with or without `/v1`.
    pub base_url: String,
    /// A secret key (`sk_…`) or a restricted one (`rk_…`).
    pub secret_key: Secret,
    /// What the key must be for.
    pub mode: Mode,
    /// Until the connection stands.
    pub connect_timeout: Duration,
    /// Until the whole answer is there.
    pub total_timeout: Duration,
    /// Where a customer comes back to who was asked by their bank. None: nobody is ever asked, and a charge that needs it
    /// is declined.
    pub return_url: Option<String>,
}

impl StripeOptions {
    /// Stripe's own host with the time limits of its own libraries: 80 s in all.
    pub fn new(secret_key: Secret, mode: Mode) -> Self {
        Self {
            base_url: format!("https://{LIVE_HOST}"),
            secret_key,
            mode,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(80),
            return_url: None,
        }
    }
}

/// Why a client cannot be built. All of it is configuration.
#[derive(Debug, thiserror::Error)]
pub enum StripeSetupError {
    /// The base URL is not one, or not one for this mode.
    #[error("base url {0}")]
    BaseUrl(&'static str),
    /// The secret key is not one, or not one for this mode.
    #[error("secret key {0}")]
    SecretKey(&'static str),
    /// A time limit is zero, or the whole is shorter than connecting.
    #[error("timeouts must be above zero, and the total not below the connect timeout")]
    Timeouts,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The program is broken: its own table cannot be read.
    #[error(transparent)]
    Codes(#[from] CodeTableError),
    /// The program is broken: its own table cannot be read.
    #[error(transparent)]
    Currencies(#[from] CurrencyTableError),
}

/// The origin, if this mode may go there.
pub(super) fn origin(base_url: &str, mode: Mode) -> Result<Origin, StripeSetupError> {
    let origin = Origin::parse(base_url, "/v1").map_err(StripeSetupError::BaseUrl)?;
    match mode {
        Mode::Live if !origin.is_public_host(LIVE_HOST) => Err(StripeSetupError::BaseUrl(
            "must be https://api.stripe.com in live mode",
        )),
        Mode::Sim if !origin.is_loopback => Err(StripeSetupError::BaseUrl(
            "must be on this machine in sim mode",
        )),
        Mode::Live | Mode::Test | Mode::Sim => Ok(origin),
    }
}

/// The headers every request carries. White space and a byte order mark around the key are dropped: both
/// come from pasting.
pub(super) fn headers(key: &Secret, mode: Mode) -> Result<HeaderMap, StripeSetupError> {
    let is_noise = |c: char| c.is_whitespace() || c == '\u{feff}';
    let key = key.expose().trim_matches(is_noise);
    check_key(key, mode)?;
    let bearer = zeroize::Zeroizing::new(format!("Bearer {key}"));
    let mut value = HeaderValue::from_str(&bearer)
        .map_err(|_| StripeSetupError::SecretKey("cannot be sent"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (AUTHORIZATION, value),
        (VERSION_HEADER, HeaderValue::from_static(VERSION)),
    ]))
}

fn check_key(key: &str, mode: Mode) -> Result<(), StripeSetupError> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    let refused = |why| Err(StripeSetupError::SecretKey(why));
    if !key.bytes().all(|b| b.is_ascii_graphic()) {
        return refused("holds characters that no key has");
    }
    if starts(&["pk_"]) {
        return refused("is a publishable key: take the secret key (sk)");
    }
    if starts(&["whsec_"]) {
        return refused("is a webhook secret: take the secret key (sk)");
    }
    match mode {
        Mode::Live if !starts(&["sk_live_", "rk_live_"]) => {
            refused("must begin with sk_live_ or rk_live_ in live mode")
        }
        Mode::Test | Mode::Sim if !starts(&["sk_test_", "rk_test_"]) => {
            refused("must begin with sk_test_ or rk_test_ where the mode is not live")
        }
        Mode::Live | Mode::Test | Mode::Sim => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_money_goes_to_one_host_over_https() {
        assert!(origin("https://api.stripe.com/v1", Mode::Live).is_ok());
        for other in [
            "http://127.0.0.1:4100",
            "https://127.0.0.1:4100",
            "https://api.stripe.com.example.com",
            "https://api.stripe.com:8443",
            "https://files.stripe.com",
        ] {
            assert!(origin(other, Mode::Live).is_err(), "{other}");
        }
        assert!(origin("https://api.stripe.com", Mode::Sim).is_err());
        assert!(origin("http://127.0.0.1:4100/v1", Mode::Sim).is_ok());
    }

    #[test]
    fn a_key_of_another_mode_or_kind_is_refused_without_being_named() {
        for (key, mode) in [
            ("sk_test_canary", Mode::Live),
            ("sk_live_canary", Mode::Test),
            ("rk_live_canary", Mode::Sim),
            ("pk_test_canary", Mode::Test),
            ("whsec_canary", Mode::Test),
            ("sk_test_ca nary", Mode::Test),
            ("", Mode::Test),
        ] {
            let refused = headers(&Secret::new(key), mode).expect_err(key);
            let text = format!("{refused} {refused:?}");
            assert!(!text.contains("canary"), "{text}");
        }
        assert!(headers(&Secret::new("rk_live_abc"), Mode::Live).is_ok());
    }

    #[test]
    fn every_request_says_whose_it_is_and_which_version_it_speaks() {
        let key = Secret::new("\u{feff}sk_test_abc\r\n");
        let headers = headers(&key, Mode::Test).expect("headers");
        assert!(headers[AUTHORIZATION].is_sensitive());
        assert_eq!(headers[AUTHORIZATION].as_bytes(), b"Bearer sk_test_abc");
        assert_eq!(headers["stripe-version"], VERSION);
    }
}
