//! What the engine asks of a provider that schedules subscriptions itself. Toss has none; Stripe does.
//!
//! A reading is the whole of what the mirror needs, as it stands now: whatever order events come in, what is written
//! is what was read last. A wish is sent once by one call, under the caller's key.

use chrono::{DateTime, Utc};

use crate::domain::evidence::Refusal;
use crate::domain::mirror::{Collection, Heard, WishVerb};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::payment::CardUse;
use crate::domain::period::Interval;
use crate::domain::states::{InvoiceState, SubscriptionState};

use super::{BoxFuture, Desk};

/// Why a provider did not tell, by what follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// Not now, or no usable answer: ask again later.
    #[error("{operation}: the provider does not tell now")]
    Later {
        /// What was asked.
        operation: &'static str,
    },
    /// Nobody answered in time, or nobody was there: the line's trouble, and whatever is asked next waits as long.
    #[error("{operation}: the provider is silent")]
    Silent {
        /// What was asked.
        operation: &'static str,
    },
    /// It does not know what was asked about.
    #[error("{operation}: the provider does not know it")]
    NotFound {
        /// What was asked.
        operation: &'static str,
    },
    /// Refused with a code: our key, its rights, or the request.
    #[error("{operation}: refused with {code}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The provider's code.
        code: String,
    },
    /// It is of a kind that is not mirrored.
    #[error("not mirrored: {0}")]
    NotMirrored(&'static str),
}

/// A page of the provider's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// Oldest first.
    pub events: Vec<EventSeen>,
    /// Whether there are newer ones.
    pub has_more: bool,
}

/// Something that happened there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSeen {
    /// The provider's name for it.
    pub id: String,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of object it is about.
    pub shape: String,
    /// The object's name.
    pub object: Option<String>,
    /// The subscription it is, or belongs to.
    pub subscription: Option<String>,
    /// The payment it is, or belongs to.
    pub payment: Option<String>,
    /// Whose it is.
    pub customer: Option<String>,
}

/// What a subscription costs, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSeen {
    /// The provider's name for the price.
    pub id: String,
    /// The provider's name for the product.
    pub product: String,
    /// What people read.
    pub product_name: String,
    /// Per unit and interval.
    pub unit: Money,
    /// How often.
    pub interval: Interval,
}

/// Whose it is.
#[derive(Clone, PartialEq, Eq)]
pub struct PayerSeen {
    /// The provider's name for him.
    pub id: String,
    /// Our key for him, where it was noted there.
    pub customer_key: Option<String>,
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

impl std::fmt::Debug for PayerSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PayerSeen({})", self.id)
    }
}

/// A subscription that the provider schedules, as it stands there with all of its invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSeen {
    /// The provider's name for it.
    pub id: String,
    /// Where it stands.
    pub state: SubscriptionState,
    /// Whether invoices are collected.
    pub collection: Collection,
    /// When they are collected again.
    pub resumes_at: Option<DateTime<Utc>>,
    /// Whose it is.
    pub payer: PayerSeen,
    /// What is sold.
    pub price: PriceSeen,
    /// How many units.
    pub quantity: u32,
    /// When the running period began.
    pub period_start: Option<DateTime<Utc>>,
    /// When it ends.
    pub period_end: Option<DateTime<Utc>>,
    /// A scheduled end.
    pub cancel_at: Option<DateTime<Utc>>,
    /// When somebody asked for the end.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// When its trial ends or ended.
    pub trial_end: Option<DateTime<Utc>>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Oldest first.
    pub invoices: Vec<InvoiceSeen>,
}

/// An invoice that the provider collects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceSeen {
    /// The provider's name for it.
    pub id: String,
    /// Where it stands.
    pub state: InvoiceState,
    /// Whether it is for a period, and not for a change in between.
    pub is_renewal: bool,
    /// What was to be paid.
    pub due: Money,
    /// When the period it pays for begins.
    pub period_from: DateTime<Utc>,
    /// When the provider tries next.
    pub next_attempt: Option<DateTime<Utc>>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// Every try to take its money, oldest first.
    pub charges: Vec<ChargeSeen>,
}

/// One try of the provider to take the money of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeSeen {
    /// The provider's name for the try.
    pub id: String,
    /// The provider's name for the payment.
    pub payment: String,
    /// How much.
    pub amount: Money,
    /// When.
    pub at: DateTime<Utc>,
    /// None: it took the money. Otherwise why it did not.
    pub refusal: Option<Refusal>,
    /// What of it has gone back for good.
    pub refunds: Vec<RefundSeen>,
    /// How the card was charged.
    pub card_use: CardUse,
}

/// Money that went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundSeen {
    /// The provider's name for it.
    pub id: String,
    /// Why, with our tag where it is ours.
    pub reason: String,
    /// How much.
    pub amount: Money,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is asked about one subscription.
#[derive(Debug, Clone, Copy)]
pub struct WishCall<'a> {
    /// What.
    pub verb: WishVerb,
    /// The provider's name for the subscription or invoice.
    pub provider_ref: &'a str,
    /// Idempotency key.
    pub idem_key: &'a str,
}

/// A provider that schedules subscriptions. No method retries by itself.
pub trait MirroredProvider: Send + Sync {
    /// Which one.
    fn name(&self) -> ProviderName;
    /// Live, test or sim, by its keys.
    fn mode(&self) -> Mode;
    /// For how many days it keeps events.
    fn keeps_events_days(&self) -> i64;
    /// The events of the kinds that matter here that are next newer than `after`.
    fn events_after<'a>(
        &'a self,
        desk: &'a mut Desk,
        after: &'a str,
    ) -> BoxFuture<'a, Result<EventPage, MirrorError>>;
    /// The newest of them.
    fn newest_event<'a>(
        &'a self,
        desk: &'a mut Desk,
    ) -> BoxFuture<'a, Result<Option<EventSeen>, MirrorError>>;
    /// Subscriptions that have not ended, by name, after `after`; whether there are more.
    fn running<'a>(
        &'a self,
        desk: &'a mut Desk,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(Vec<String>, bool), MirrorError>>;
    /// A subscription as it stands, with all of its invoices and their charges.
    fn read<'a>(
        &'a self,
        desk: &'a mut Desk,
        subscription: &'a str,
    ) -> BoxFuture<'a, Result<SubscriptionSeen, MirrorError>>;
    /// Asks once for what is wished. What came of it is told by what is read afterwards.
    fn wish<'a>(&'a self, desk: &'a mut Desk, call: WishCall<'a>) -> BoxFuture<'a, Heard>;
}
