//! What the engine asks of a database about subscriptions that a provider schedules: what was read of them, what was
//! asked of the provider, and the events that say what to read.

use chrono::{DateTime, Utc};

use crate::domain::evidence::Refusal;
use crate::domain::ids::{CustomerId, InvoiceId, SubscriptionId};
use crate::domain::mirror::{Mirror, Wish, WishId, WishState, WishVerb};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::states::InboxState;

use super::{Claim, NewInvoice, NewSubscription, StoreError};

type R<T> = Result<T, StoreError>;

/// An event as it came in. Its body is not kept: it names what to ask about.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    /// From whom.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// The provider's name for it; the same twice is one event.
    pub event_key: &'a str,
    /// Such as `invoice.paid`.
    pub kind: &'a str,
    /// What kind of object it is about.
    pub shape: &'a str,
    /// The object's name.
    pub object: Option<&'a str>,
    /// The subscription it is, or belongs to.
    pub subscription: Option<&'a str>,
    /// The payment it is, or belongs to.
    pub payment: Option<&'a str>,
    /// Whose it is, in the provider's words.
    pub customer: Option<&'a str>,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// Database time.
    pub at: DateTime<Utc>,
}

/// An event that waits to be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEvent {
    /// Row id.
    pub id: i64,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// The subscription it is, or belongs to.
    pub subscription: Option<String>,
    /// The payment it is, or belongs to.
    pub payment: Option<String>,
    /// Whose it is, in the provider's words.
    pub customer: Option<String>,
}

/// How far a provider's list of events was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor {
    /// The newest event that was taken in; empty where there was none yet.
    pub event_key: String,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// When the list was last read to its end, in database time.
    pub pulled_at: DateTime<Utc>,
}

/// Something to be asked of the provider. It is written as sent, with its lease, before anything leaves.
#[derive(Debug, Clone, Copy)]
pub struct NewWish<'a> {
    /// About which subscription.
    pub subscription_id: SubscriptionId,
    /// About which of its invoices.
    pub invoice_id: Option<InvoiceId>,
    /// What.
    pub verb: WishVerb,
    /// The provider's name for what it is about.
    pub provider_ref: &'a str,
    /// Idempotency key.
    pub idem_key: &'a str,
    /// Which process works on it.
    pub lease_owner: &'a str,
    /// Until when.
    pub lease_until: DateTime<Utc>,
    /// Who pressed the key.
    pub operator: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Database time.
    pub at: DateTime<Utc>,
}

/// What became of a wish.
#[derive(Debug, Clone, Copy)]
pub struct WishLearnt<'a> {
    /// Where it goes.
    pub state: WishState,
    /// The last refusal.
    pub refusal: Option<&'a Refusal>,
    /// Next look, while it is open.
    pub next_check_at: Option<DateTime<Utc>>,
    /// Database time.
    pub at: DateTime<Utc>,
}

/// Mirrored subscriptions, wishes about them, and events.
pub trait Mirrors: Send {
    /// Makes the row of a subscription that its provider schedules. Two of one name are refused.
    fn insert_mirrored(
        &mut self,
        new: &NewSubscription<'_>,
        mirror: &Mirror,
    ) -> impl Future<Output = R<SubscriptionId>> + Send;
    /// The subscription that has this name at its provider.
    fn mirrored(
        &mut self,
        provider_ref: &str,
    ) -> impl Future<Output = R<Option<SubscriptionId>>> + Send;
    /// How far a subscription was read; none for one that we schedule.
    fn mirror(&mut self, id: SubscriptionId) -> impl Future<Output = R<Option<Mirror>>> + Send;
    /// Writes it back if the version is unchanged; the version grows by one.
    fn save_mirror(&mut self, mirror: &Mirror) -> impl Future<Output = R<()>> + Send;
    /// Notes that it is to be read at this time at the latest. The version stays.
    fn mark_mirror(
        &mut self,
        id: SubscriptionId,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
    /// Mirrored subscriptions that are to be read by now, whichever waits longest first.
    fn mirrors_to_read(
        &mut self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = R<Vec<SubscriptionId>>> + Send;
    /// Mirrored subscriptions after `after`, by id.
    fn mirrors_after(
        &mut self,
        after: SubscriptionId,
        limit: u32,
    ) -> impl Future<Output = R<Vec<SubscriptionId>>> + Send;
    /// Mirrored subscriptions of somebody, by the provider's name for him, oldest first.
    fn mirrors_of_customer(
        &mut self,
        provider_customer: &str,
    ) -> impl Future<Output = R<Vec<SubscriptionId>>> + Send;
    /// The mirrored subscription that a payment belongs to, by the provider's name for the payment.
    fn mirror_of_payment(
        &mut self,
        provider_ref: &str,
    ) -> impl Future<Output = R<Option<SubscriptionId>>> + Send;
    /// The customer that the provider knows by our key.
    fn customer_by_key(
        &mut self,
        customer_key: &str,
    ) -> impl Future<Output = R<Option<CustomerId>>> + Send;
    /// Makes the row of an invoice that its provider collects.
    fn insert_mirrored_invoice(
        &mut self,
        new: &NewInvoice<'_>,
        provider_ref: &str,
    ) -> impl Future<Output = R<InvoiceId>> + Send;
    /// The invoices of a mirrored subscription with their provider's names, oldest first.
    fn mirrored_invoices(
        &mut self,
        id: SubscriptionId,
    ) -> impl Future<Output = R<Vec<(InvoiceId, String)>>> + Send;

    /// Writes a wish down. A second open one about a subscription is refused, and a key that was used.
    fn insert_wish(&mut self, new: &NewWish<'_>) -> impl Future<Output = R<WishId>> + Send;
    /// Reads a wish and locks it.
    fn lock_wish(&mut self, id: WishId) -> impl Future<Output = R<Wish>> + Send;
    /// The open wish about a subscription.
    fn open_wish_of(&mut self, id: SubscriptionId) -> impl Future<Output = R<Option<Wish>>> + Send;
    /// Takes the lease of open wishes whose lease has ended and whose look is due; epoch + 1.
    fn claim_wishes(&mut self, claim: Claim<'_>) -> impl Future<Output = R<Vec<Wish>>> + Send;
    /// Counts one more send, by whoever holds this epoch.
    fn wish_sent(&mut self, id: WishId, epoch: i64) -> impl Future<Output = R<()>> + Send;
    /// Writes down what became of it, by whoever holds this epoch.
    fn wish_learnt(
        &mut self,
        id: WishId,
        epoch: i64,
        learnt: &WishLearnt<'_>,
    ) -> impl Future<Output = R<()>> + Send;

    /// Keeps an event; false when it is there already.
    fn insert_event(&mut self, new: &NewEvent<'_>) -> impl Future<Output = R<bool>> + Send;
    /// Events that wait, oldest first.
    fn waiting_events(&mut self, limit: u32) -> impl Future<Output = R<Vec<InboxEvent>>> + Send;
    /// Moves an event that waits; one that does not stays where it is.
    fn move_event(
        &mut self,
        id: i64,
        to: InboxState,
        error: Option<&str>,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
    /// How far a provider's list was read.
    fn event_cursor(
        &mut self,
        provider: ProviderName,
    ) -> impl Future<Output = R<Option<EventCursor>>> + Send;
    /// Writes that down.
    fn save_event_cursor(
        &mut self,
        provider: ProviderName,
        cursor: &EventCursor,
    ) -> impl Future<Output = R<()>> + Send;
}
