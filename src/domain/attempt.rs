//! One try to move money, as stored; [`learn_charge`] and [`learn_refund`] say what evidence makes
//! of it.

mod absence;
mod asked;
mod bound;
mod first_step;
mod learn;
mod standing;
mod taken_back;

use chrono::{DateTime, Utc};

use super::evidence::Refusal;
use super::ids::{AttemptId, CustomerId, InvoiceId, MethodId, PaymentId, PublicId, SubscriptionId};
use super::mode::{Mode, ProviderName};
use super::money::Money;
use super::states::AttemptState;

pub use absence::{
    ABSENT_AFTER_H, ABSENT_APART_H, ABSENT_LOOK_UPS, LOOKED_FOR_DAYS, LOOKED_FOR_EVERY_H, LookUp,
    NotAbsent, SentTimes, Sighting, absence, newest_sighting,
};
pub use asked::{AUTHENTICATION_H, Asks, LINK_LOOK_S};
pub use bound::{AnswerSeen, SAME_AFTER_RESENDS, SAME_FOR_H, is_the_same_for_long};
pub use first_step::{CALLS_AFTER_MIN, first_step_delay_s};
pub use learn::{
    Contradiction, NextStep, REFUND_UNDONE, REPLAY_SETTLE_S, RefundSighting, Unsettled, Verdict,
    is_absent_in, is_given_elsewhere, kept_word, learn_charge, learn_refund, next_check_delay_s,
    refund_sighting, undone_of,
};
pub use standing::{
    BEFORE_H, CardOf, KEY_H, OtherTries, OweTimes, Standing, Stands, is_known_since_before,
    looked_for_since, may_be_older, may_stand_since, standing_of,
};
pub use taken_back::{TAKEN_BACK_WITHIN_DAYS, looked_back_after};

/// Which way the money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptKind {
    /// From the customer, for an invoice.
    Charge,
    /// Back to the customer, out of a payment.
    Refund,
}

impl AttemptKind {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Charge, Self::Refund]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Who or what started an attempt. Only `Dunning` uses up the dunning budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The billing run, on the due date.
    Run,
    /// The dunning schedule.
    Dunning,
    /// A person.
    Manual,
    /// A new card while money was owed.
    CardUpdate,
    /// The first charge of a new subscription.
    First,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 5] = [
        Self::Run,
        Self::Dunning,
        Self::Manual,
        Self::CardUpdate,
        Self::First,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Dunning => "dunning",
            Self::Manual => "manual",
            Self::CardUpdate => "card_update",
            Self::First => "first",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// What else happens to the subscription when a refund succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlsoCancel {
    /// Nothing.
    No,
    /// It ends at once.
    Now,
    /// It ends when the paid period ends.
    AtPeriodEnd,
}

impl AlsoCancel {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Now => "now",
            Self::AtPeriodEnd => "at_period_end",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::No, Self::Now, Self::AtPeriodEnd]
            .into_iter()
            .find(|choice| choice.as_str() == text)
    }
}

/// One try to move money, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Row id.
    pub id: AttemptId,
    /// Public id, `att_…`.
    pub public_id: PublicId,
    /// Charge or refund.
    pub kind: AttemptKind,
    /// The invoice it is about.
    pub invoice_id: InvoiceId,
    /// The payment a refund comes out of.
    pub payment_id: Option<PaymentId>,
    /// Whose money.
    pub customer_id: CustomerId,
    /// For which subscription; none when one-time.
    pub subscription_id: Option<SubscriptionId>,
    /// Number on its target, from 1.
    pub attempt_no: u32,
    /// Who started it.
    pub source: Source,
    /// Which provider.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// Which method is charged; the key stays the same for this attempt whatever happens to the card.
    pub method_id: Option<MethodId>,
    /// Our name for it at the provider; for a refund, our tag in the reason.
    pub order_id: String,
    /// Idempotency key.
    pub idem_key: String,
    /// The provider's name for the payment, once known.
    pub provider_ref: Option<String>,
    /// The exact bytes that are sent, and sent again.
    pub body: Vec<u8>,
    /// How much.
    pub amount: Money,
    /// For a refund: what the provider must still hold, in minor units.
    pub expected_balance_minor: Option<i64>,
    /// For a refund: what else happens when it succeeds.
    pub also_cancel: AlsoCancel,
    /// Where it stands.
    pub state: AttemptState,
    /// A person has to look at it.
    pub needs_human: bool,
    /// Which process holds it.
    pub lease_owner: Option<String>,
    /// Fencing token; grows with every claim.
    pub lease_epoch: i64,
    /// Until when, in database time.
    pub lease_until: Option<DateTime<Utc>>,
    /// Not to be sent before; the window to take it back.
    pub send_after: Option<DateTime<Utc>>,
    /// First sent, in database time.
    pub first_sent_at: Option<DateTime<Utc>>,
    /// Last sent, in database time.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// How often sent.
    pub send_count: u32,
    /// Next look-up, in database time.
    pub next_check_at: Option<DateTime<Utc>>,
    /// Look-ups so far.
    pub checks: u32,
    /// How many of them said "not seen".
    pub not_seen: u32,
    /// Last refusal that did not settle it.
    pub refusal: Option<Refusal>,
    /// When the same coded refusal came back on a re-send: the execution under this key is over.
    pub replayed_at: Option<DateTime<Utc>>,
    /// The provider's trace id of the last call.
    pub trace_id: Option<String>,
    /// Who pressed the key, or `run`.
    pub operator: String,
    /// Why, where a reason is asked for.
    pub reason: String,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
}

impl Attempt {
    /// Whether its key is certainly remembered still, so that sending it again cannot move money twice.
    pub fn may_be_sent_again(&self, now: DateTime<Utc>) -> bool {
        let window = self.provider.resend_window(self.kind);
        self.first_sent_at.is_some_and(|at| now - at < window)
    }

    /// Whether its provider can end it for good, so that it certainly never takes anything.
    pub const fn can_be_ended(&self) -> bool {
        matches!(self.kind, AttemptKind::Charge) && self.provider.charges_in_two_steps()
    }

    /// It was ended before it took anything: its provider says so, or its second step never began. Nobody had to declare
    /// it, and nobody looks for it any more.
    pub fn was_ended(&self) -> bool {
        self.state == AttemptState::NotExecuted && self.can_be_ended()
    }
}
