//! Subscriptions, their terms, and the append-only history from which MRR movements are computed.

use chrono::{DateTime, Utc};

use super::ids::{CustomerId, MethodId, PlanId, ProductId, PublicId, SubscriptionId};
use super::mirror::Scheduler;
use super::mode::Mode;
use super::money::Money;
use super::period::Anchor;
use super::states::SubscriptionState;

/// A customer on a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Row id.
    pub id: SubscriptionId,
    /// Public id, `sub_…`.
    pub public_id: PublicId,
    /// Who pays.
    pub customer_id: CustomerId,
    /// What is sold.
    pub product_id: ProductId,
    /// At which price; the term holds the price agreed on.
    pub plan_id: PlanId,
    /// Where it stands.
    pub state: SubscriptionState,
    /// How many units.
    pub quantity: u32,
    /// What is charged; none until a card is registered.
    pub method_id: Option<MethodId>,
    /// Live, test or sim.
    pub mode: Mode,
    /// The term now running.
    pub term_no: u32,
    /// The period to be billed next, in the running term.
    pub next_period: u32,
    /// When that period falls due; none when nothing more will be billed.
    pub next_due_at: Option<DateTime<Utc>>,
    /// Access is paid up to here.
    pub paid_until: Option<DateTime<Utc>>,
    /// End of the free trial.
    pub trial_until: Option<DateTime<Utc>>,
    /// Scheduled cancel: when it takes effect.
    pub cancel_at: Option<DateTime<Utc>>,
    /// When the customer asked for the cancel.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// First declined renewal of the present trouble; cleared by a success.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// Who decides when it is charged.
    pub scheduler: Scheduler,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// Grows by one with every change.
    pub version: i64,
}

impl Subscription {
    /// When it will be charged next, as people are told: not while nothing was ever paid, and not past
    /// a scheduled end. The row keeps its due date, at which the end takes effect.
    pub fn next_charge(&self) -> Option<DateTime<Utc>> {
        next_charge(self.state, self.next_due_at, self.cancel_at)
    }
}

/// [`Subscription::next_charge`] from what a list reads of it.
pub fn next_charge(
    state: SubscriptionState,
    due: Option<DateTime<Utc>>,
    ends: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    if state.is_ended() || state == SubscriptionState::Incomplete {
        return None;
    }
    due.filter(|due| ends.is_none_or(|ends| *due < ends))
}

/// A stretch of a subscription with one anchor and one price. A plan change, a pause or a moved
/// date starts a new term, so period numbers never collide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// Number, from 1.
    pub term_no: u32,
    /// Which plan.
    pub plan_id: PlanId,
    /// Where its periods begin.
    pub anchor: Anchor,
    /// How many units.
    pub quantity: u32,
    /// Price per unit and interval.
    pub price: Money,
    /// When the term began.
    pub from_at: DateTime<Utc>,
    /// When it ended; none while it runs.
    pub to_at: Option<DateTime<Utc>>,
}

/// Why a subscription changed: decides how a loss of MRR is classed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeCause {
    /// Made.
    Created,
    /// First charge succeeded.
    Activated,
    /// Trial began.
    TrialStarted,
    /// A renewal or a retry succeeded after trouble.
    Recovered,
    /// A renewal was declined.
    PaymentFailed,
    /// Dunning ended without success.
    DunningExhausted,
    /// The customer's cancel, now.
    CanceledNow,
    /// The customer's cancel took effect at period end.
    CanceledAtEnd,
    /// A first charge never succeeded.
    Expired,
    /// Plan, price or quantity changed.
    PlanChanged,
    /// Billing stopped for a while.
    Paused,
    /// Billing goes on.
    Resumed,
    /// The provider deleted the billing key and no new card came.
    KeyDeleted,
}

impl ChangeCause {
    /// Every cause.
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::Activated,
        Self::TrialStarted,
        Self::Recovered,
        Self::PaymentFailed,
        Self::DunningExhausted,
        Self::CanceledNow,
        Self::CanceledAtEnd,
        Self::Expired,
        Self::PlanChanged,
        Self::Paused,
        Self::Resumed,
        Self::KeyDeleted,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Activated => "activated",
            Self::TrialStarted => "trial_started",
            Self::Recovered => "recovered",
            Self::PaymentFailed => "payment_failed",
            Self::DunningExhausted => "dunning_exhausted",
            Self::CanceledNow => "canceled_now",
            Self::CanceledAtEnd => "canceled_at_end",
            Self::Expired => "expired",
            Self::PlanChanged => "plan_changed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::KeyDeleted => "key_deleted",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// One row of a subscription's history. Append-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// When it took effect, in business time.
    pub at: DateTime<Utc>,
    /// State before; none when it was made.
    pub from: Option<SubscriptionState>,
    /// State after.
    pub to: SubscriptionState,
    /// Plan after.
    pub plan_id: PlanId,
    /// Price per unit and interval after.
    pub price: Money,
    /// Quantity after.
    pub quantity: u32,
    /// Discount for ever, per interval, after.
    pub discount_minor: i64,
    /// Why.
    pub cause: ChangeCause,
    /// Who asked for it: a person, `run`, `reconciler`.
    pub requested_by: String,
    /// When it was asked for; a cancel at period end takes effect later.
    pub requested_at: DateTime<Utc>,
}
