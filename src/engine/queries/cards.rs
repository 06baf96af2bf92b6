//! Everything about one customer, one subscription, one invoice.

use chrono::{DateTime, Duration, Utc};

use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::customer::{Customer, PaymentMethod};
use crate::domain::evidence::SeenStatus;
use crate::domain::ids::{AttemptId, InvoiceId, PaymentId, PublicId};
use crate::domain::invoice::Invoice;
use crate::domain::mirror::{Collection, Scheduler, WishVerb};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::plan::Plan;
use crate::domain::states::AttemptState;
use crate::domain::subscription::{Change, Subscription, Term};

use super::lists::{CardBrief, CustomerBrief, FailedRow, PaymentRow, SubscriptionRow, UnknownRow};
use super::waiting::WaitingRow;
use super::wishes::WishRow;

/// One customer on one screen.
#[derive(Debug, Clone)]
pub struct CustomerCard {
    /// Contact data, raw.
    pub customer: Customer,
    /// Subscriptions, running ones first.
    pub subscriptions: Vec<SubscriptionRow>,
    /// Payment methods, active ones first.
    pub methods: Vec<PaymentMethod>,
    /// The last twelve payments.
    pub payments: Vec<PaymentRow>,
    /// What is owed and failed.
    pub failures: Vec<FailedRow>,
    /// What is unknown.
    pub unknowns: Vec<UnknownRow>,
    /// Notes, newest first.
    pub notes: Vec<Note>,
    /// Paid in all, per currency, less refunds.
    pub lifetime: Vec<Money>,
    /// Credits left.
    pub credits: i64,
}

/// A note on a customer, payment or subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// About what.
    pub target: PublicId,
    /// Who wrote it.
    pub author: String,
    /// What, raw.
    pub text: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// One subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionCard {
    /// The row as lists show it.
    pub row: SubscriptionRow,
    /// All of it.
    pub subscription: Subscription,
    /// The running term.
    pub term: Term,
    /// The plan.
    pub plan: Plan,
    /// The last 24 invoices, newest first.
    pub invoices: Vec<Invoice>,
    /// Its history, newest first, at most 50.
    pub changes: Vec<Change>,
    /// How its provider stands to it; none where we schedule it.
    pub mirror: Option<MirrorCard>,
}

/// What a provider that schedules a subscription does about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorCard {
    /// Whether invoices are collected.
    pub collection: Collection,
    /// When they are collected again; none until somebody says so.
    pub resumes_at: Option<DateTime<Utc>>,
    /// What was asked of it and is not known to be done.
    pub wish: Option<WishRow>,
}

/// Everything about one invoice, in time order.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The invoice.
    pub invoice: Invoice,
    /// Who collects it.
    pub scheduler: Scheduler,
    /// Who owes it, raw.
    pub customer: Customer,
    /// Its payments; more than one only after a duplicate.
    pub payments: Vec<Payment>,
    /// Refunds of them that their provider took back, oldest first.
    pub reversals: Vec<ReversedRefund>,
    /// What is known of the fee of each payment, in their order.
    pub fees: Vec<Option<FeesOfPayment>>,
    /// The card of each payment, in their order.
    pub cards: Vec<Option<CardBrief>>,
    /// Its charge and refund attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// What happened.
    pub entries: Vec<TimelineEntry>,
}

/// Who made the provider try a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoneBy<'a> {
    /// We sent it; this is who started it.
    Us(&'a str),
    /// The provider's own schedule.
    Schedule,
    /// The provider, because this person asked it to.
    Asked(&'a str),
}

/// Clocks of a provider and ours are no further apart, where an order between them is told.
const APART_S: i64 = 5;

impl Timeline {
    /// When its provider said last that a charge had taken nothing, of one that waits for its customer.
    pub fn waited_at(&self, waiting: &Attempt) -> Option<DateTime<Utc>> {
        let said = |entry: &TimelineEntry| match &entry.what {
            TimelineEvent::Evidence {
                attempt, outcome, ..
            } => {
                outcome == SeenStatus::NeedsCustomer.as_str()
                    && self
                        .attempts
                        .get(*attempt)
                        .is_some_and(|one| one.id == waiting.id)
            }
            _ => false,
        };
        let entries = self.entries.iter().filter(|entry| said(entry));
        entries.map(|entry| entry.at).max().or(waiting.last_sent_at)
    }

    /// Who made the provider try this charge. What a mirrored charge is has no request of ours; it was asked for by a person
    /// when it happened between his press and what was read after it.
    pub fn done_by<'a>(&'a self, attempt: &'a Attempt) -> DoneBy<'a> {
        let is_theirs = !self.scheduler.is_ours()
            && attempt.kind == AttemptKind::Charge
            && attempt.body.is_empty();
        if !is_theirs {
            return DoneBy::Us(&attempt.operator);
        }
        let apart = Duration::seconds(APART_S);
        let at = attempt.first_sent_at.unwrap_or(attempt.created_at);
        let presses = self.entries.iter().filter_map(|entry| match &entry.what {
            TimelineEvent::Audit {
                person,
                verb,
                result,
                ..
            } => Some((entry.at, person.as_str(), verb.as_str(), result.as_str())),
            _ => None,
        });
        let asked = presses.clone().rfind(|(begun, _, verb, result)| {
            *begun <= at + apart && *result == "intent" && matches!(*verb, "retry" | "charge")
        });
        let Some((begun, person, ..)) = asked else {
            return DoneBy::Schedule;
        };
        let ended = presses.clone().find(|(read, _, verb, result)| {
            *read >= begun && *verb == WishVerb::Pay.as_str() && *result != "unknown"
        });
        match ended {
            Some((read, ..)) if at > read + apart => DoneBy::Schedule,
            _ => DoneBy::Asked(person),
        }
    }
}

/// What a provider kept of one payment, and what is left of it after everything that moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeesOfPayment {
    /// What it kept. It is not given back with a refund.
    pub fee: Money,
    /// What is left, in the currency the account is settled in.
    pub net: Money,
}

/// A refund that did not reach the customer after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversedRefund {
    /// Out of which payment.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// When it came back.
    pub at: DateTime<Utc>,
    /// As much went back of the payment since, by another refund.
    pub is_made_up_for: bool,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct TimelineEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub what: TimelineEvent,
}

/// What may happen to an invoice.
#[derive(Debug, Clone)]
pub enum TimelineEvent {
    /// It was made.
    InvoiceMade,
    /// An attempt was started; index into [`Timeline::attempts`].
    Started(usize),
    /// A piece of evidence came in.
    Evidence {
        /// Index into [`Timeline::attempts`].
        attempt: usize,
        /// `answer`, `look_up`, …
        source: String,
        /// [`crate::domain::evidence::Evidence::name`].
        outcome: String,
        /// The provider's code.
        code: Option<String>,
        /// HTTP status.
        http_status: Option<u16>,
        /// The provider's trace id.
        trace_id: Option<String>,
    },
    /// An attempt was settled.
    Settled(usize),
    /// Money went back.
    Refunded {
        /// How much.
        amount: Money,
        /// Why, raw.
        reason: String,
        /// Who.
        operator: String,
    },
    /// A person pressed a key.
    Audit {
        /// Who.
        person: String,
        /// What.
        verb: String,
        /// With which result.
        result: String,
        /// Why, raw.
        reason: String,
    },
}

/// What became of a person's calls after his terminal was gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Away {
    /// Settled since, and told to nobody yet, oldest first.
    pub finished: Vec<AwayRow>,
    /// What this person asked a second one for and nobody decided in time, told to nobody yet, oldest first.
    pub lapsed: Vec<WaitingRow>,
    /// Sent by a process that is not this one and still open, or asked of a second person and not decided.
    pub open: u32,
}

/// One call that was settled while nobody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwayRow {
    /// The attempt.
    pub id: AttemptId,
    /// Its public id.
    pub public_id: PublicId,
    /// Charge or refund.
    pub kind: AttemptKind,
    /// What came of it.
    pub state: AttemptState,
    /// Whose money.
    pub customer: CustomerBrief,
    /// The invoice it is about.
    pub invoice_id: InvoiceId,
    /// How much.
    pub amount: Money,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
}
