//! Who is asking: HTTP Basic with the secret key as user name and an empty password.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::ledger::Refusal;
use super::scripts::Endpoint;
use super::switches::{MissingAuthorization, Switches, WidgetKey};

/// Padding or none: clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secret key that was sent, if it is accepted.
pub(super) fn authenticate(
    header: Option<&[u8]>,
    accepted: &[String],
    switches: &Switches,
) -> Result<String, Refusal> {
    let Some(header) = header else {
        return Err(match switches.missing_authorization {
            MissingAuthorization::UnauthorizedKey => Refusal::code("UNAUTHORIZED_KEY"),
            MissingAuthorization::IncorrectFormat => Refusal::code("INCORRECT_BASIC_AUTH_FORMAT"),
        });
    };
    let format = || Refusal::code("INCORRECT_BASIC_AUTH_FORMAT");
    let text = std::str::from_utf8(header).map_err(|_| format())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(format)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(format());
    }
    let decoded = BASE64.decode(encoded.trim()).map_err(|_| format())?;
    let decoded = String::from_utf8(decoded).map_err(|_| format())?;
    let (key, _password) = decoded.split_once(':').ok_or_else(format)?;
    if accepted.iter().any(|known| known == key) {
        Ok(key.to_owned())
    } else {
        Err(Refusal::code("UNAUTHORIZED_KEY"))
    }
}

/// Widget keys are for payments of the widget, not for billing.
pub(super) fn check_key_kind(
    secret_key: &str,
    endpoint: Endpoint,
    switches: &Switches,
) -> Result<(), Refusal> {
    let is_widget = secret_key.starts_with("test_gsk_") || secret_key.starts_with("live_gsk_");
    let is_billing = matches!(
        endpoint,
        Endpoint::Issue | Endpoint::Charge | Endpoint::Delete
    );
    if is_widget && is_billing && switches.widget_key_on_billing == WidgetKey::Refused {
        return Err(Refusal::code("INVALID_API_KEY"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(header: Option<&str>) -> Result<String, String> {
        let accepted = vec!["test_sk_x".to_owned()];
        authenticate(header.map(str::as_bytes), &accepted, &Switches::default())
            .map_err(|r| r.code.into_owned())
    }

    #[test]
    fn padded_and_unpadded_base64_are_taken() {
        assert_eq!(ask(Some("Basic dGVzdF9za194Og==")), Ok("test_sk_x".into()));
        assert_eq!(ask(Some("basic dGVzdF9za194Og")), Ok("test_sk_x".into()));
    }

    #[test]
    fn a_missing_colon_an_unknown_key_and_no_header_are_told_apart() {
        assert_eq!(
            ask(Some("Basic dGVzdF9za194")),
            Err("INCORRECT_BASIC_AUTH_FORMAT".into())
        );
        assert_eq!(
            ask(Some("Basic bm9ib2R5Og==")),
            Err("UNAUTHORIZED_KEY".into())
        );
        assert_eq!(ask(None), Err("UNAUTHORIZED_KEY".into()));
    }
}
