//! Products, prices, subscriptions, invoices and events.

use serde::Deserialize;

use super::{Expandable, List, Metadata, Ref};

/// What is sold.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Product {
    pub id: String,
    pub name: String,
    pub active: bool,
    pub livemode: bool,
    pub metadata: Metadata,
}

/// What it costs. A price cannot change its amount.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Price {
    pub id: String,
    pub active: bool,
    pub currency: String,
    pub unit_amount: Option<i64>,
    pub product: Option<Expandable<Ref>>,
    pub recurring: Option<Recurring>,
    pub lookup_key: Option<String>,
    pub livemode: bool,
}

/// How often a price comes due.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Recurring {
    pub interval: String,
    pub interval_count: Option<u32>,
}

/// A subscription that Stripe runs.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Subscription {
    pub id: String,
    pub status: String,
    pub livemode: bool,
    pub customer: Expandable<Ref>,
    pub cancel_at_period_end: bool,
    pub cancel_at: Option<i64>,
    pub canceled_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub trial_end: Option<i64>,
    pub created: i64,
    /// Where older versions have it.
    pub current_period_start: Option<i64>,
    pub current_period_end: Option<i64>,
    pub pause_collection: Option<PauseCollection>,
    pub default_payment_method: Option<Expandable<Ref>>,
    pub latest_invoice: Option<Expandable<Ref>>,
    pub items: Option<Items>,
}

/// The items of a subscription.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Items {
    pub data: Vec<Item>,
}

/// One price of a subscription, with its period where newer versions have it.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Item {
    pub quantity: Option<i64>,
    pub price: Option<Price>,
    pub current_period_start: Option<i64>,
    pub current_period_end: Option<i64>,
}

/// Invoices are made and not collected.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct PauseCollection {
    pub behavior: String,
    pub resumes_at: Option<i64>,
}

/// An invoice.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Invoice {
    pub id: Option<String>,
    pub number: Option<String>,
    /// None before it is finalized under some versions.
    pub status: Option<String>,
    pub livemode: bool,
    pub customer: Option<Expandable<Ref>>,
    pub currency: String,
    pub amount_due: i64,
    pub amount_paid: i64,
    pub amount_remaining: i64,
    pub attempt_count: Option<u32>,
    pub next_payment_attempt: Option<i64>,
    pub billing_reason: Option<String>,
    pub created: i64,
    pub period_start: Option<i64>,
    pub period_end: Option<i64>,
    /// Where older versions have it.
    pub subscription: Option<Expandable<Ref>>,
    /// Where newer versions have it.
    pub parent: Option<Parent>,
    pub status_transitions: Option<Transitions>,
    /// Where it was asked for.
    pub payments: Option<List<InvoicePayment>>,
}

/// How an invoice was or is to be paid.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct InvoicePayment {
    pub payment: Option<PaymentOfInvoice>,
}

/// What pays it: an intent, or something we do not read.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct PaymentOfInvoice {
    pub payment_intent: Option<Expandable<Ref>>,
}

impl Invoice {
    /// The subscription, from whichever place holds it.
    pub fn subscription_id(&self) -> Option<&str> {
        subscription_of(self.parent.as_ref(), self.subscription.as_ref())
    }
}

impl Subject {
    /// The subscription it belongs to, or is.
    pub fn subscription_id(&self) -> Option<&str> {
        match self.object.as_str() {
            "subscription" => self.id.as_deref(),
            _ => subscription_of(self.parent.as_ref(), self.subscription.as_ref()),
        }
    }
}

fn subscription_of<'w>(
    parent: Option<&'w Parent>,
    older: Option<&'w Expandable<Ref>>,
) -> Option<&'w str> {
    let newer = parent
        .and_then(|parent| parent.subscription_details.as_ref())
        .and_then(|details| details.subscription.as_ref());
    newer.or(older).map(Expandable::id)
}

/// What made an invoice.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Parent {
    pub subscription_details: Option<SubscriptionDetails>,
}

/// The subscription that made it.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct SubscriptionDetails {
    pub subscription: Option<Expandable<Ref>>,
}

/// When an invoice went where.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are Stripe's")]
pub(in crate::provider::stripe) struct Transitions {
    pub paid_at: Option<i64>,
    pub voided_at: Option<i64>,
    pub marked_uncollectible_at: Option<i64>,
}

/// Something happened to an object.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Event {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub created: i64,
    pub livemode: bool,
    pub data: EventData,
    pub request: Option<EventRequest>,
}

/// What it happened to.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct EventData {
    pub object: Subject,
}

/// The names in an event's object. Its other fields have the shape of whichever version the account
/// uses, and may be old: whoever needs them asks for the object.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct Subject {
    pub id: Option<String>,
    pub object: String,
    pub customer: Option<Expandable<Ref>>,
    pub payment_intent: Option<Expandable<Ref>>,
    pub subscription: Option<Expandable<Ref>>,
    pub parent: Option<Parent>,
}

/// The request that made it happen; Stripe's own doing has none.
#[derive(Deserialize)]
pub(in crate::provider::stripe) struct EventRequest {
    pub idempotency_key: Option<String>,
}
