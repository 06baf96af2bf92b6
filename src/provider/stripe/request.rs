//! What is asked of Stripe for each use of the port: path, query, key and body. Pure.
//!
//! A request that cannot be written down is refused here, before anything is sent. Invariants: what
//! moves money carries a key made of the attempt's; the customer and the card stand in bodies alone.

use sha2::{Digest, Sha256};

use crate::domain::evidence::{Evidence, Proves, Refusal, Unusable};
use crate::domain::failure::FailureClass;
use crate::engine::ports::{CallReport, ChargeCall, PrepareCall, RefundCall};
use crate::provider::http::hex;
use crate::secret::Secret;

use super::amount;
use super::codes::CallKind;
use super::form::Form;

/// Longest idempotency key Stripe takes.
const IDEM_KEY_LEN: usize = 255;
/// Most rows of a page.
pub(super) const PAGE: i64 = 100;

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes or changes.
    Post,
    /// Ends or removes.
    Delete,
}

/// One request. It may hold a payment method: there is no `Debug`.
#[derive(Clone)]
pub struct Asked {
    pub(super) method: Method,
    pub(super) segments: Vec<String>,
    pub(super) query: Form,
    pub(super) idem_key: Option<String>,
    pub(super) body: Form,
}

impl Asked {
    pub(super) fn get(segments: &[&str], query: Form) -> Self {
        Self {
            method: Method::Get,
            segments: owned(segments),
            query,
            idem_key: None,
            body: Form::new(),
        }
    }

    pub(super) fn delete(segments: &[&str], query: Form) -> Self {
        Self {
            method: Method::Delete,
            ..Self::get(segments, query)
        }
    }

    pub(super) fn post(segments: &[&str], idem_key: Option<&str>, body: Form) -> Self {
        Self {
            method: Method::Post,
            idem_key: idem_key.map(ToOwned::to_owned),
            body,
            ..Self::get(segments, Form::new())
        }
    }

    /// How it is asked.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Path and query, as they stand in the request line.
    pub fn target(&self) -> String {
        let path = format!("/v1/{}", self.segments.join("/"));
        match self.query.as_str() {
            "" => path,
            query => format!("{path}?{query}"),
        }
    }

    /// The idempotency key, where one is sent.
    pub fn idem_key(&self) -> Option<&str> {
        self.idem_key.as_deref()
    }

    /// The form in the body.
    pub fn body(&self) -> &[u8] {
        self.body.as_str().as_bytes()
    }

    /// Whether it can be sent as it stands.
    pub(super) fn check(&self) -> Result<(), Unsendable> {
        let is_plain = |s: &String| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
            !s.is_empty() && s != "." && s != ".." && s.bytes().all(allowed)
        };
        if !self.segments.iter().all(is_plain) {
            return Err(Unsendable::Reference);
        }
        let is_key = |key: &str| {
            (1..=IDEM_KEY_LEN).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
        };
        match &self.idem_key {
            Some(key) if !is_key(key) => Err(Unsendable::IdempotencyKey),
            Some(_) | None => Ok(()),
        }
    }
}

fn owned(segments: &[&str]) -> Vec<String> {
    segments.iter().map(|s| (*s).to_owned()).collect()
}

/// A request of ours that cannot be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsendable {
    Reference,
    /// What is sealed is not a customer and a card of Stripe's.
    Credential,
    IdempotencyKey,
    Currency,
    Amount,
    Unsupported,
    /// The key is of another account than the books are, or does not say of which.
    OtherAccount,
}

impl Unsendable {
    pub fn refusal(self) -> Refusal {
        let code = match self {
            Self::Reference | Self::Credential => "PAYDECK_BAD_REFERENCE",
            Self::IdempotencyKey => "PAYDECK_BAD_IDEMPOTENCY_KEY",
            Self::Currency => "PAYDECK_CURRENCY_NOT_SUPPORTED",
            Self::Amount => "PAYDECK_BAD_AMOUNT",
            Self::Unsupported => "PAYDECK_NOT_SUPPORTED",
            Self::OtherAccount => "PAYDECK_OTHER_ACCOUNT",
        };
        let proves = match self {
            Self::OtherAccount => Proves::ConfigTrouble,
            _ => Proves::NotExecuted,
        };
        Refusal {
            code: code.into(),
            class: FailureClass::Config,
            proves,
            http_status: 0,
        }
    }

    /// What it means for a call. A question that cannot be asked proves nothing about what it asks for, and a card that
    /// cannot be read nothing about what was charged with it.
    pub fn report(self, call: CallKind) -> CallReport {
        if self == Self::Credential {
            return CallReport::bare(Evidence::Unusable(Unusable::NoKey));
        }
        let refusal = self.refusal();
        let proves = match call {
            CallKind::LookUp if refusal.proves == Proves::NotExecuted => Proves::Unlisted,
            _ => refusal.proves,
        };
        CallReport::bare(Evidence::Refused(Refusal { proves, ..refusal }))
    }

    /// What it means for a confirmation. An earlier one may have been written down by another version of ours, and left.
    pub fn of_confirmation(self, send_no: u32) -> CallReport {
        let report = self.report(CallKind::Charge);
        match report.evidence {
            Evidence::Refused(refusal) if send_no > 1 && refusal.proves == Proves::NotExecuted => {
                CallReport::bare(Evidence::Refused(Refusal {
                    proves: Proves::LookUp,
                    ..refusal
                }))
            }
            _ => report,
        }
    }
}

impl From<amount::AmountError> for Unsendable {
    fn from(error: amount::AmountError) -> Self {
        match error {
            amount::AmountError::Currency => Self::Currency,
            _ => Self::Amount,
        }
    }
}

/// Who pays, and with what: both names in one sealed text, `cus_… pm_…`.
pub(super) struct Credential<'a> {
    pub customer: &'a str,
    pub method: &'a str,
}

impl<'a> Credential<'a> {
    pub fn read(billing_key: &'a Secret) -> Result<Self, Unsendable> {
        match billing_key.expose().split_once(' ') {
            Some((customer, method)) if is_id(customer) && is_id(method) => {
                Ok(Self { customer, method })
            }
            _ => Err(Unsendable::Credential),
        }
    }

    pub fn seal(customer: &str, method: &str) -> Secret {
        Secret::new(format!("{customer} {method}"))
    }
}

/// Names of Stripe's are letters, digits and underscores; their beginnings are no promise.
pub(super) fn is_id(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=255).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn checked(asked: Asked) -> Result<Asked, Unsendable> {
    asked.check().map(|()| asked)
}

/// The stored bytes, to be continued.
fn stored(bytes: &[u8]) -> Result<Form, Unsendable> {
    match Form::stored(bytes) {
        Some(form) if !form.as_str().is_empty() => Ok(form),
        _ => Err(Unsendable::Amount),
    }
}

/// Makes an intent that waits to be confirmed, under the `nth` key for it, from 1. The next key is for when
/// Stripe has stored a server error under this one.
pub(super) fn prepare(call: &PrepareCall<'_>, nth: u32) -> Result<Asked, Unsendable> {
    amount::to_wire(call.amount)?;
    let who = Credential::read(call.billing_key)?;
    let body = stored(call.body)?
        .text(&["customer"], who.customer)
        .text(&["payment_method"], who.method);
    let idem_key = non_empty(call.idem_key)?;
    let key = match nth {
        0 | 1 => format!("{idem_key}:create"),
        nth => format!("{idem_key}:create:{nth}"),
    };
    checked(Asked::post(&["payment_intents"], Some(&key), body))
}

/// Confirms it. The card was given when it was made, so that an intent whose card was taken off it after
/// a decline cannot be charged by a request that arrives again. Each send asks anew.
pub(super) fn confirm(call: &ChargeCall<'_>) -> Result<Asked, Unsendable> {
    amount::to_wire(call.amount)?;
    let intent = call.provider_ref.ok_or(Unsendable::Reference)?;
    let body = Form::new()
        .text(&["off_session"], "true")
        .list("expand", &["latest_charge"]);
    let key = format!("{}:confirm:{}", non_empty(call.idem_key)?, call.send_no);
    let path = ["payment_intents", intent, "confirm"];
    checked(Asked::post(&path, Some(&key), body))
}

/// The same where the customer can be asked: the bank's page is in the answer, and leads back to `return_url`. The card may
/// then be charged without them later.
pub(super) fn confirm_with_customer(
    call: &ChargeCall<'_>,
    return_url: &str,
) -> Result<Asked, Unsendable> {
    let asked = confirm(call)?;
    let body = Form::new()
        .text(&["return_url"], return_url)
        .text(&["setup_future_usage"], "off_session")
        .list("expand", &["latest_charge"]);
    Ok(Asked { body, ..asked })
}

fn non_empty(idem_key: &str) -> Result<&str, Unsendable> {
    if idem_key.is_empty() {
        Err(Unsendable::IdempotencyKey)
    } else {
        Ok(idem_key)
    }
}

/// Gives money back.
pub(super) fn refund(call: &RefundCall<'_>) -> Result<Asked, Unsendable> {
    if !is_id(call.provider_ref) {
        return Err(Unsendable::Reference);
    }
    let body = stored(call.body)?.text(&["payment_intent"], call.provider_ref);
    checked(Asked::post(&["refunds"], Some(call.idem_key), body))
}

/// Cancels an intent. It has no key: an intent is canceled once whatever is sent, and a key would repeat
/// a refusal of yesterday for a day.
pub(super) fn abandon(provider_ref: &str) -> Result<Asked, Unsendable> {
    let body = Form::new().text(&["cancellation_reason"], "abandoned");
    checked(Asked::post(
        &["payment_intents", provider_ref, "cancel"],
        None,
        body,
    ))
}

/// Asks for an intent and its charge.
pub(super) fn intent(provider_ref: &str) -> Result<Asked, Unsendable> {
    let query = Form::new().list("expand", &["latest_charge"]);
    checked(Asked::get(&["payment_intents", provider_ref], query))
}

/// Asks for a page of a customer's intents, or of everybody's, that were made since then.
pub(super) fn intents_of(
    customer: Option<&str>,
    since: i64,
    after: Option<&str>,
) -> Result<Asked, Unsendable> {
    let query = Form::new()
        .maybe(&["customer"], customer)
        .number(&["created", "gte"], since)
        .number(&["limit"], PAGE)
        .maybe(&["starting_after"], after)
        .list("expand", &["data.latest_charge"]);
    checked(Asked::get(&["payment_intents"], query))
}

/// Asks for a page of its refunds.
pub(super) fn refunds_of(provider_ref: &str, after: Option<&str>) -> Result<Asked, Unsendable> {
    if !is_id(provider_ref) {
        return Err(Unsendable::Reference);
    }
    let query = Form::new()
        .text(&["payment_intent"], provider_ref)
        .number(&["limit"], PAGE)
        .maybe(&["starting_after"], after)
        .list("expand", &["data.failure_balance_transaction"]);
    checked(Asked::get(&["refunds"], query))
}

/// Makes the customer that a card is attached to. The key is made of our name for the customer: asked
/// twice in a day, it is the same customer.
pub(super) fn new_customer(customer_key: &str) -> Result<Asked, Unsendable> {
    let body = Form::new().text(&["metadata", "customer_key"], customer_key);
    let key = format!("customer-{}", digest(&[customer_key]));
    checked(Asked::post(&["customers"], Some(&key), body))
}

/// Attaches a card to a customer.
pub(super) fn attach(method: &str, customer: &str) -> Result<Asked, Unsendable> {
    if !is_id(customer) {
        return Err(Unsendable::Reference);
    }
    let key = format!("attach-{}", digest(&[method, customer]));
    let body = Form::new().text(&["customer"], customer);
    checked(Asked::post(
        &["payment_methods", method, "attach"],
        Some(&key),
        body,
    ))
}

/// Detaches a card, after which it can never be charged again.
pub(super) fn detach(method: &str) -> Result<Asked, Unsendable> {
    let key = format!("detach-{}", digest(&[method]));
    checked(Asked::post(
        &["payment_methods", method, "detach"],
        Some(&key),
        Form::new(),
    ))
}

/// Asks whose key it is.
pub(super) fn account() -> Asked {
    Asked::get(&["account"], Form::new())
}

/// Asks for a card.
pub(super) fn method(method: &str) -> Result<Asked, Unsendable> {
    checked(Asked::get(&["payment_methods", method], Form::new()))
}

/// A page of the balance with what each row is about, in `[from, to)`.
pub(super) fn balance(
    from: i64,
    to: i64,
    after: Option<&str>,
    limit: i64,
) -> Result<Asked, Unsendable> {
    let query = Form::new()
        .number(&["created", "gte"], from)
        .number(&["created", "lt"], to)
        .number(&["limit"], limit.clamp(1, PAGE))
        .maybe(&["starting_after"], after)
        .list("expand", &["data.source", "data.source.charge"]);
    checked(Asked::get(&["balance_transactions"], query))
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use crate::domain::money::{Currency, Money};

    use super::*;

    const KEY: &str = "k1";

    fn confirm_of(provider_ref: Option<&str>, send_no: u32) -> Result<Asked, Unsendable> {
        confirm(&ChargeCall {
            billing_key: &Secret::new("cus_1 pm_1"),
            body: b"amount=4900",
            idem_key: KEY,
            order_id: "order-1",
            amount: Money::new(4_900, Currency::KRW),
            provider_ref,
            send_no,
        })
    }

    fn prepare_of(billing_key: &str, body: &[u8]) -> Result<Asked, Unsendable> {
        let call = PrepareCall {
            billing_key: &Secret::new(billing_key),
            body,
            idem_key: KEY,
            order_id: "order-1",
            amount: Money::new(4_900, Currency::KRW),
        };
        prepare(&call, 1)
    }

    fn text(asked: &Asked) -> (&str, String, Option<&str>) {
        let body = std::str::from_utf8(asked.body()).expect("utf-8");
        (body, asked.target(), asked.idem_key())
    }

    #[test]
    fn a_charge_is_made_with_its_card_and_confirmed_without_under_other_keys() {
        let Ok(made) = prepare_of("cus_1 pm_1", b"amount=4900&currency=krw") else {
            panic!("not asked");
        };
        assert_eq!(
            text(&made),
            (
                "amount=4900&currency=krw&customer=cus_1&payment_method=pm_1",
                "/v1/payment_intents".into(),
                Some("k1:create")
            )
        );
        let Ok(confirmed) = confirm_of(Some("pi_1"), 2) else {
            panic!("not asked");
        };
        assert_eq!(
            text(&confirmed),
            (
                "off_session=true&expand[0]=latest_charge",
                "/v1/payment_intents/pi_1/confirm".into(),
                Some("k1:confirm:2")
            )
        );
    }

    #[test]
    fn what_cannot_be_written_down_is_refused() {
        let why = |asked: Result<Asked, Unsendable>| asked.err().expect("refused");
        assert_eq!(why(confirm_of(None, 1)), Unsendable::Reference);
        for bad in ["", "..", "pi/1", "pi 1", "pi_1?expand=x"] {
            assert_eq!(
                why(confirm_of(Some(bad), 1)),
                Unsendable::Reference,
                "{bad}"
            );
            assert_eq!(why(intent(bad)), Unsendable::Reference, "{bad}");
        }
        for bad in [
            "",
            "pm_1",
            "cus_1  pm_1",
            "cus_1 pm_1 x",
            "cus_1 pm_1&amount=1",
        ] {
            assert_eq!(
                why(prepare_of(bad, b"amount=1")),
                Unsendable::Credential,
                "{bad}"
            );
        }
        assert_eq!(why(prepare_of("cus_1 pm_1", b"")), Unsendable::Amount);
    }

    #[test]
    fn the_same_card_for_the_same_customer_has_the_same_key() {
        let key = |method, customer| {
            attach(method, customer)
                .ok()
                .and_then(|asked| asked.idem_key)
        };
        assert_eq!(key("pm_1", "cus_1"), key("pm_1", "cus_1"));
        assert_ne!(key("pm_1", "cus_1"), key("pm_1", "cus_2"));
        assert_ne!(key("pm_1c", "us_1"), key("pm_1", "cus_1"));
    }
}
