//! Charges: every try to take the money of an intent, also those that Stripe made by itself.

use chrono::{DateTime, Utc};

use crate::domain::evidence::Refusal;
use crate::domain::money::Money;
use crate::domain::payment::CardUse;
use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::codes::{self, CallKind, Words};
use crate::provider::stripe::form::Form;
use crate::provider::stripe::wire;

use super::call::{Page, Read, money, name_of};
use super::error::StripeError;

/// A try as Stripe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// `ch_…`.
    pub id: String,
    /// `pi_…`; none for one that no intent made.
    pub intent: Option<String>,
    /// How much.
    pub amount: Money,
    /// Whether something of it has gone back.
    pub is_refunded: bool,
    /// Whether it is still under way.
    pub is_pending: bool,
    /// Why it did not take the money; none where it did, or may still.
    pub refusal: Option<Refusal>,
    /// When.
    pub created: DateTime<Utc>,
    /// How the card was charged.
    pub card_use: CardUse,
}

impl Read for Charge {
    type Wire = wire::Tried;

    fn livemode(wire: &wire::Tried) -> Option<bool> {
        Some(wire.livemode)
    }

    fn read(wire: wire::Tried) -> Option<Self> {
        let refusal = (wire.status == "failed").then(|| refusal(&wire));
        Some(Self {
            intent: name_of(wire.payment_intent.as_ref()),
            amount: money(wire.amount, &wire.currency)?,
            is_refunded: wire.amount_refunded > 0,
            is_pending: !matches!(wire.status.as_str(), "failed" | "succeeded"),
            refusal,
            created: wire::instant(wire.created)?,
            card_use: wire::card_use(wire.payment_method_details.as_ref()),
            id: wire.id,
        })
    }
}

/// A failed try has its code and, with the bank's answer, the reason and what the network advises.
fn refusal(wire: &wire::Tried) -> Refusal {
    fn word(field: Option<&String>) -> &str {
        field.map_or("", String::as_str)
    }
    let outcome = wire.outcome.as_ref();
    let words = Words {
        kind: "card_error",
        code: word(wire.failure_code.as_ref()),
        decline_code: word(outcome.and_then(|said| said.reason.as_ref())),
        advice_code: word(outcome.and_then(|said| said.advice_code.as_ref())),
        param: "",
    };
    codes::classify(CallKind::Charge, words, 402)
}

impl StripeClient {
    /// A page of a customer's charges.
    pub async fn charges(
        &self,
        customer: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Charge>, StripeError> {
        let query = Form::new().text(&["customer"], customer);
        self.list("list charges", &["charges"], query, after, limit)
            .await
    }
}
