//! Intents, charges, refunds and the rows of the balance.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::domain::payment::{CardUse, ThreeDSecure};

use super::{Expandable, Fault, Metadata, Named, Ref};

/// A payment intent: paid once at most.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Intent {
    pub id: String,
    pub amount: i64,
    pub amount_received: Option<i64>,
    pub currency: String,
    pub status: String,
    pub livemode: bool,
    pub metadata: Metadata,
    pub latest_charge: Option<Expandable<Charge>>,
    pub last_payment_error: Option<Fault>,
    pub payment_method: Option<Expandable<Ref>>,
}

impl Named for Intent {
    fn id(&self) -> &str {
        &self.id
    }
}

/// One try to take the money of an intent.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Charge {
    pub id: String,
    pub status: String,
    pub amount_refunded: i64,
    pub created: i64,
    pub payment_method_details: Option<MethodDetails>,
}

impl Named for Charge {
    fn id(&self) -> &str {
        &self.id
    }
}

/// One try, as a list of them shows it.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Tried {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub amount_refunded: i64,
    pub currency: String,
    pub created: i64,
    pub livemode: bool,
    pub payment_intent: Option<Expandable<Ref>>,
    pub failure_code: Option<String>,
    pub outcome: Option<TriedOutcome>,
    pub payment_method_details: Option<MethodDetails>,
}

/// What the network and the bank said of it.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct TriedOutcome {
    pub reason: Option<String>,
    pub advice_code: Option<String>,
}

/// What a charge was paid with.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct MethodDetails {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub card: Option<CardUsed>,
}

/// The card a charge was paid with.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct CardUsed {
    pub brand: Option<String>,
    #[serde(default)]
    pub installments: Said<Installments>,
    #[serde(default)]
    pub three_d_secure: Said<Authentication>,
}

/// A field that tells by being there: an empty one says "none", and one that is missing says nothing. Neither does one of
/// a shape that we do not know: what is only shown must not make a payment unreadable.
#[derive(Default)]
pub(in crate::provider::stripe) enum Said<T> {
    #[default]
    Nothing,
    None,
    This(T),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Said<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Option::<serde_json::Value>::deserialize(from)? {
            None => Self::None,
            Some(said) => serde_json::from_value(said).map_or(Self::Nothing, Self::This),
        })
    }
}

/// What was agreed about paying it off by months.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Installments {
    pub plan: Option<InstallmentPlan>,
}

/// Over how many of which interval.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct InstallmentPlan {
    pub count: Option<u32>,
    pub interval: Option<String>,
}

/// What the customer's bank made of its question.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Authentication {
    pub result: Option<String>,
}

/// How a card was charged, as far as its charge shows it.
pub(in crate::provider::stripe) fn card_use(details: Option<&MethodDetails>) -> CardUse {
    let Some(card) = details.and_then(|details| details.card.as_ref()) else {
        return CardUse::default();
    };
    let installment_months = match &card.installments {
        Said::Nothing => None,
        Said::None => Some(0),
        Said::This(agreed) => match &agreed.plan {
            None => Some(0),
            Some(plan) if plan.interval.as_deref() == Some("month") => plan.count,
            Some(_) => None,
        },
    };
    let three_d_secure = match &card.three_d_secure {
        Said::Nothing => None,
        Said::None => Some(ThreeDSecure::NotUsed),
        Said::This(asked) => Some(match asked.result.as_deref() {
            Some("authenticated") => ThreeDSecure::Authenticated,
            Some("attempt_acknowledged") => ThreeDSecure::Attempted,
            Some("exempted") => ThreeDSecure::Exempted,
            Some("not_supported") => ThreeDSecure::NotSupported,
            Some("failed") => ThreeDSecure::Failed,
            _ => ThreeDSecure::Other,
        }),
    };
    CardUse {
        installment_months,
        three_d_secure,
    }
}

/// Money going back.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Refund {
    pub id: String,
    pub amount: i64,
    pub currency: String,
    pub status: Option<String>,
    pub created: i64,
    pub metadata: Metadata,
    pub payment_intent: Option<Expandable<Intent>>,
    /// The row of the balance that a refund came back by.
    pub failure_balance_transaction: Option<Expandable<Moment>>,
}

/// A row of the balance, for when it was made.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Moment {
    pub id: String,
    pub created: i64,
}

impl Named for Moment {
    fn id(&self) -> &str {
        &self.id
    }
}

/// One row of the balance.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct BalanceRow {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub reporting_category: Option<String>,
    pub amount: i64,
    pub fee: i64,
    pub net: i64,
    pub currency: String,
    pub status: Option<String>,
    pub created: i64,
    pub available_on: Option<i64>,
    pub source: Option<Expandable<Source>>,
}

/// What a row of the balance is about: a charge, a refund, or something we do not read.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Source {
    pub id: String,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub metadata: Metadata,
    pub payment_intent: Option<Expandable<Ref>>,
    /// The charge that a refund gives back.
    pub charge: Option<Expandable<ChargeOfRefund>>,
}

impl Named for Source {
    fn id(&self) -> &str {
        &self.id
    }
}

/// A refund's charge, for the notes it has from its intent.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct ChargeOfRefund {
    pub id: String,
    pub metadata: Metadata,
    pub payment_intent: Option<Expandable<Ref>>,
}

impl Named for ChargeOfRefund {
    fn id(&self) -> &str {
        &self.id
    }
}
