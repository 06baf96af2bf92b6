//! The test cards: what each one is, and what it answers. Codes are those of recorded test-mode traffic.

use super::problem::Problem;
use serde_json::{Value, json};

/// A decline as the provider words it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decline {
    pub code: &'static str,
    /// `decline_code`.
    pub reason: &'static str,
    pub advice: Option<&'static str>,
    pub network: Option<&'static str>,
    pub param: Option<&'static str>,
    pub message: &'static str,
}

/// What a card does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Pays,
    /// Cannot even be attached.
    Declines(&'static Decline),
    /// Attaches; every charge declines.
    DeclinesCharges(&'static Decline),
    /// Asks its owner each time.
    AlwaysAuthenticates,
    /// Asks its owner until it was set up once.
    AuthenticatesOnce,
    Blocked,
    Disputed,
    RefundsLate,
    RefundsFail,
}

pub struct TestCard {
    /// `pm_card_…` and `tok_…` share what follows.
    pub name: &'static str,
    pub number: &'static str,
    pub brand: &'static str,
    pub behaviour: Behaviour,
}

const SOFT: Option<&str> = Some("try_again_later");
const HARD: Option<&str> = Some("do_not_try_again");
const CONFIRM: Option<&str> = Some("confirm_card_data");

macro_rules! declines {
    ($($name:ident = $code:literal, $decline:literal, $advice:expr, $network:expr, $param:expr, $message:literal;)+) => {
        $(static $name: Decline = Decline {
            code: $code, reason: $decline, advice: $advice, network: $network, param: $param, message: $message,
        };)+
    };
}

declines! {
    GENERIC = "card_declined", "generic_decline", SOFT, Some("01"), None, "Your card was declined.";
    FUNDS = "card_declined", "insufficient_funds", SOFT, Some("51"), None, "Your card has insufficient funds.";
    LOST = "card_declined", "lost_card", HARD, Some("41"), None, "Your card was declined.";
    STOLEN = "card_declined", "stolen_card", HARD, Some("43"), None, "Your card was declined.";
    VELOCITY = "card_declined", "card_velocity_exceeded", SOFT, Some("61"), None,
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.";
    EXPIRED = "expired_card", "expired_card", CONFIRM, Some("54"), Some("exp_month"), "Your card has expired.";
    CVC = "incorrect_cvc", "incorrect_cvc", CONFIRM, Some("N7"), Some("cvc"), "Your card's security code is incorrect.";
    PROCESSING = "processing_error", "processing_error", SOFT, Some("06"), None,
        "An error occurred while processing your card. Try again in a little bit.";
    FRAUDULENT = "card_declined", "fraudulent", None, None, None, "Your card was declined.";
    AUTHENTICATION = "authentication_required", "authentication_required", None, None, None,
        "Your card was declined. This transaction requires authentication.";
}

pub static BLOCKED: &Decline = &FRAUDULENT;
pub static NEEDS_AUTHENTICATION: &Decline = &AUTHENTICATION;

const fn card(
    name: &'static str,
    number: &'static str,
    brand: &'static str,
    behaviour: Behaviour,
) -> TestCard {
    TestCard {
        name,
        number,
        brand,
        behaviour,
    }
}

static CARDS: [TestCard; 28] = [
    card("visa", "4242424242424242", "visa", Behaviour::Pays),
    card("visa_debit", "4000056655665556", "visa", Behaviour::Pays),
    card(
        "mastercard",
        "5555555555554444",
        "mastercard",
        Behaviour::Pays,
    ),
    card(
        "mastercard_debit",
        "5200828282828210",
        "mastercard",
        Behaviour::Pays,
    ),
    card("amex", "378282246310005", "amex", Behaviour::Pays),
    card("discover", "6011111111111117", "discover", Behaviour::Pays),
    card("diners", "3056930009020004", "diners", Behaviour::Pays),
    card("jcb", "3566002020360505", "jcb", Behaviour::Pays),
    card("unionpay", "6200000000000005", "unionpay", Behaviour::Pays),
    card(
        "visa_chargeDeclined",
        "4000000000000002",
        "visa",
        Behaviour::Declines(&GENERIC),
    ),
    card(
        "chargeDeclined",
        "4000000000000002",
        "visa",
        Behaviour::Declines(&GENERIC),
    ),
    card(
        "visa_chargeDeclinedInsufficientFunds",
        "4000000000009995",
        "visa",
        Behaviour::Declines(&FUNDS),
    ),
    card(
        "chargeDeclinedInsufficientFunds",
        "4000000000009995",
        "visa",
        Behaviour::Declines(&FUNDS),
    ),
    card(
        "visa_chargeDeclinedLostCard",
        "4000000000009987",
        "visa",
        Behaviour::Declines(&LOST),
    ),
    card(
        "visa_chargeDeclinedStolenCard",
        "4000000000009979",
        "visa",
        Behaviour::Declines(&STOLEN),
    ),
    card(
        "visa_chargeDeclinedVelocityLimitExceeded",
        "4000000000006975",
        "visa",
        Behaviour::Declines(&VELOCITY),
    ),
    card(
        "chargeDeclinedExpiredCard",
        "4000000000000069",
        "visa",
        Behaviour::Declines(&EXPIRED),
    ),
    card(
        "chargeDeclinedIncorrectCvc",
        "4000000000000127",
        "visa",
        Behaviour::Declines(&CVC),
    ),
    card(
        "chargeDeclinedProcessingError",
        "4000000000000119",
        "visa",
        Behaviour::Declines(&PROCESSING),
    ),
    card(
        "chargeCustomerFail",
        "4000000000000341",
        "visa",
        Behaviour::DeclinesCharges(&GENERIC),
    ),
    card(
        "authenticationRequired",
        "4000002760003184",
        "visa",
        Behaviour::AlwaysAuthenticates,
    ),
    card(
        "threeDSecure2Required",
        "4000000000003220",
        "visa",
        Behaviour::AuthenticatesOnce,
    ),
    card(
        "authenticationRequiredOnSetup",
        "4000002500003155",
        "visa",
        Behaviour::AuthenticatesOnce,
    ),
    card(
        "threeDSecureRequired",
        "4000000000003063",
        "visa",
        Behaviour::AlwaysAuthenticates,
    ),
    card("radarBlock", "4100000000000019", "visa", Behaviour::Blocked),
    card(
        "createDispute",
        "4000000000000259",
        "visa",
        Behaviour::Disputed,
    ),
    card(
        "pendingRefund",
        "4000000000007726",
        "visa",
        Behaviour::RefundsLate,
    ),
    card(
        "refundFail",
        "4000000000005126",
        "visa",
        Behaviour::RefundsFail,
    ),
];

/// The card of `pm_card_…`, `tok_…` or a number.
pub fn named(text: &str) -> Option<&'static TestCard> {
    let name = text
        .strip_prefix("pm_card_")
        .or_else(|| text.strip_prefix("tok_"))
        .map(|name| name.strip_prefix("card_").unwrap_or(name));
    CARDS.iter().find(|card| match name {
        Some(name) => card.name == name,
        None => card.number == text,
    })
}

/// The behaviour that is remembered by the number of a card.
pub fn behaviour(number: &str) -> Behaviour {
    CARDS
        .iter()
        .find(|card| card.number == number)
        .map_or(Behaviour::Pays, |card| card.behaviour)
}

/// The decline that a script names by its decline code.
pub fn decline_named(decline_code: &str) -> Scripted {
    let known = [
        &GENERIC,
        &FUNDS,
        &LOST,
        &STOLEN,
        &VELOCITY,
        &EXPIRED,
        &CVC,
        &PROCESSING,
        &FRAUDULENT,
        &AUTHENTICATION,
    ];
    match known.into_iter().find(|known| known.reason == decline_code) {
        Some(known) => Scripted::from(known),
        None => Scripted {
            decline_code: decline_code.to_owned(),
            advice: None,
            ..Scripted::from(&GENERIC)
        },
    }
}

/// A decline, of a card or of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    pub code: String,
    pub decline_code: String,
    pub advice: Option<String>,
    pub network: Option<String>,
    pub param: Option<String>,
    pub message: String,
}

impl From<&Decline> for Scripted {
    fn from(decline: &Decline) -> Self {
        Self {
            code: decline.code.to_owned(),
            decline_code: decline.reason.to_owned(),
            advice: decline.advice.map(str::to_owned),
            network: decline.network.map(str::to_owned),
            param: decline.param.map(str::to_owned),
            message: decline.message.to_owned(),
        }
    }
}

impl Scripted {
    pub fn problem(&self) -> Problem {
        let mut problem = Problem::new(402, "card_error", self.message.clone())
            .code(&self.code)
            .with("decline_code", json!(self.decline_code))
            .tried();
        for (field, value) in [
            ("advice_code", &self.advice),
            ("network_decline_code", &self.network),
            ("param", &self.param),
        ] {
            if let Some(value) = value {
                problem = problem.with(field, json!(value));
            }
        }
        problem
    }

    /// `outcome` of the failed charge.
    pub fn outcome(&self) -> Value {
        let is_blocked = self.decline_code == BLOCKED.reason;
        json!({
            "advice_code": self.advice,
            "network_advice_code": null,
            "network_decline_code": self.network,
            "network_status": if is_blocked { "not_sent_to_network" } else { "declined_by_network" },
            "reason": if is_blocked { "highest_risk_level" } else { self.decline_code.as_str() },
            "risk_level": if is_blocked { "highest" } else { "normal" },
            "risk_score": if is_blocked { 88 } else { 24 },
            "seller_message": if is_blocked {
                "Stripe blocked this payment as too risky."
            } else {
                "The bank did not return any further details with this decline."
            },
            "type": if is_blocked { "blocked" } else { "issuer_declined" },
        })
    }
}
