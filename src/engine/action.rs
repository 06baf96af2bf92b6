//! The plan that shows what a request would do, and what came of it.
//!
//! Every verb is first an [`ActionPlan`] with a fingerprint of the rows it was computed from.
//! Applying computes it again in the transaction that writes, and refuses when the fingerprint
//! differs. Console, CLI and jobs share both.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::attempt::AttemptKind;
use crate::domain::evidence::Refusal;
use crate::domain::ids::{AttemptId, PublicId};
use crate::domain::mirror::WishVerb;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::states::{AttemptState, SubscriptionState};

use super::queries::{CardBrief, CustomerBrief};

/// What would happen. Dialogs and `--dry-run` print this; applying needs its fingerprint.
#[derive(Debug, Clone)]
pub struct ActionPlan {
    /// What is asked for.
    pub verb: Verb,
    /// Live, test or sim.
    pub mode: Mode,
    /// Digest of the request and of every row it was computed from: 16 hex characters.
    pub fingerprint: String,
    /// Whose.
    pub customer: Option<CustomerBrief>,
    /// What it acts on: invoice, payment, subscription, plan, attempt.
    pub subject: Option<PublicId>,
    /// The subscription it touches.
    pub subscription: Option<PublicId>,
    /// What the subject is, raw: plan name, description.
    pub what: String,
    /// What is charged.
    pub card: Option<CardBrief>,
    /// How much moves.
    pub amount: Option<Money>,
    /// The one call to the provider, if there is one.
    pub call: Option<PlannedCall>,
    /// The second call, made only if the first one finds that the provider has not seen the order.
    pub if_not_seen: Option<PlannedCall>,
    /// Who asked for what is approved here; none for everything else.
    pub asked: Option<AskedBy>,
    /// What follows.
    pub effects: Vec<Effect>,
    /// What does *not* happen, though one might think so.
    pub not_happening: Vec<NotHappening>,
    /// What to think about first.
    pub warnings: Vec<Warning>,
    /// What the person must do to confirm.
    pub confirm: Confirmation,
}

impl ActionPlan {
    /// What people call it. To withdraw an invoice, or to give it up, needs the capability to end a subscription, and ends
    /// none.
    pub fn called(&self) -> &'static str {
        let operation = self.call.as_ref().map(|call| call.operation);
        match operation.and_then(WishVerb::parse) {
            Some(wish @ (WishVerb::Void | WishVerb::GiveUp)) => wish.as_str(),
            _ => self.verb.as_str(),
        }
    }
}

/// Who asked for what a second person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBy {
    /// The request; none where the system prepared it.
    pub approval: Option<PublicId>,
    /// Who.
    pub person: String,
    /// Why.
    pub reason: String,
    /// What supports it.
    pub evidence: String,
    /// Until when it can be approved, in database time; none where it stays.
    pub until: Option<DateTime<Utc>>,
}

/// A call to the provider as it would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCall {
    /// Whom.
    pub provider: ProviderName,
    /// `charge`, `cancel`, `issue`, `look up`, `list transactions`.
    pub operation: &'static str,
    /// Our name for it; the tag for a refund.
    pub order_id: String,
    /// Idempotency key.
    pub idem_key: String,
    /// For a refund: what the provider must still hold, in minor units.
    pub expected_balance_minor: Option<i64>,
}

/// Something that follows when the action succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The subscription's state.
    State {
        /// Before.
        from: SubscriptionState,
        /// After.
        to: SubscriptionState,
    },
    /// The next charge.
    NextCharge {
        /// Before.
        from: Option<DateTime<Utc>>,
        /// After; none: no further charge.
        to: Option<DateTime<Utc>>,
    },
    /// Access is paid up to here.
    AccessUntil(DateTime<Utc>),
    /// The period that is paid is over: access had ended here, and does not begin again.
    AccessStaysOver(DateTime<Utc>),
    /// Periods that nobody was billed for and nobody will be.
    PeriodsNotBilled {
        /// How many.
        count: u64,
        /// The first date.
        from: NaiveDate,
        /// The first date after them.
        to: NaiveDate,
    },
    /// Periods written down as drafts: a person decides whether they are charged.
    PeriodsWrittenDown {
        /// How many.
        count: u64,
        /// The first date.
        from: NaiveDate,
        /// The first date after them.
        to: NaiveDate,
        /// What each costs.
        each: Money,
    },
    /// A period fell due meanwhile: the next billing run charges it.
    ChargedByNextRun {
        /// Since when.
        due_at: DateTime<Utc>,
        /// How much.
        amount: Money,
    },
    /// The subscription ends at this time.
    EndsAt(DateTime<Utc>),
    /// MRR grows or shrinks by this.
    Mrr(Money),
    /// Credits grow or shrink by this.
    Credits(i64),
    /// What can still be refunded afterwards.
    RefundableAfter(Money),
    /// So many unpaid invoices are withdrawn.
    InvoicesVoided(u64),
    /// This invoice is not tried any more; it may still be paid.
    InvoiceGivenUp(PublicId),
    /// The provider makes invoices that stay drafts, and collects none of them.
    CollectionStops,
    /// The provider collects again what falls due from now on.
    CollectionGoesOn,
    /// This invoice is charged at once with the new card.
    ChargesOwed {
        /// Which.
        invoice: PublicId,
        /// How much.
        amount: Money,
    },
    /// Where the provider is certainly not reached, this card at the next one is charged in its place.
    AskedNext {
        /// How.
        call: PlannedCall,
        /// What is charged then.
        card: CardBrief,
    },
    /// So many running subscriptions are charged by this card from now on.
    ChargedByCard(u64),
    /// So many running subscriptions lose their card: another of the customer's is charged, if the rules name one.
    LeftWithoutCard(u64),
    /// So many running subscriptions keep their price and go on.
    SubscriptionsKept(u64),
    /// The free trial lasts until then.
    TrialUntil(DateTime<Utc>),
    /// This invoice is paid.
    InvoicePaid(PublicId),
    /// An earlier request of the same person about the same is void.
    RequestReplaced(PublicId),
    /// A second person has so long to approve it; then it happens.
    SecondPerson {
        /// In minutes.
        minutes: i64,
    },
    /// The attempt's state.
    Attempt {
        /// Before.
        from: AttemptState,
        /// After.
        to: AttemptState,
    },
}

/// What one might expect and does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotHappening {
    /// The subscription goes on.
    Cancel,
    /// Nothing is given back.
    Refund,
    /// The rest of the payment stays.
    RefundOfRest,
    /// The provider is not called.
    ProviderCall,
    /// The renewal schedule stays as it is.
    ScheduleMove,
    /// The dunning schedule stays as it is.
    DunningMove,
    /// The request is not sent again.
    SendAgain,
    /// Nothing goes out under a new order id or key: the provider executes it once at most.
    SecondExecution,
    /// Nothing is reserved and nothing is sent before a second person approves.
    BeforeApproval,
}

/// What to think about first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// The card has expired or will before the charge.
    CardExpired,
    /// The provider's terms keep billing keys for recurring payments.
    KeysAreForRecurring,
    /// The name mixes scripts or looks like a message of this program.
    SuspiciousName,
    /// The last decline says that this card will not work.
    HardDecline,
    /// The subscription has an end scheduled.
    CancelScheduled,
}

/// What a person must do to confirm, by verb and mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// Press the confirming key.
    Key,
    /// Type the amount.
    Amount(Money),
    /// Type the last four characters of this id.
    Ending(String),
    /// Type the amount, then the last four characters of this id.
    AmountAndEnding(Money, String),
}

/// What came of an action.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It happened.
    Done(Receipt),
    /// It had happened before.
    AlreadyDone(Receipt),
    /// The provider said no. No money moved.
    Declined {
        /// The row.
        receipt: Receipt,
        /// The refusal.
        refusal: Refusal,
    },
    /// Nobody knows yet. The target is locked until evidence arrives.
    Unknown(Receipt),
    /// The bank wants the customer: the charge waits for them at a link, until the time on the receipt. The target is locked.
    AsksCustomer(Receipt),
    /// Certainly nothing was sent. It may be tried again.
    NotSent(Receipt),
    /// Approved, and not sent yet: it goes out by itself. It must not be asked for anew.
    GoesOut(Receipt),
    /// It was ended before it took anything: no money moved, and none will.
    Ended(Receipt),
    /// It was declared not executed, and asked about again: it is still not there.
    NotSeen(Receipt),
    /// Asked for; a second person has to approve it. Nothing happened yet.
    Asked(Receipt),
}

/// What to show of a result.
#[derive(Debug, Clone, Default)]
pub struct Receipt {
    /// What was made or changed.
    pub public_id: Option<PublicId>,
    /// The attempt, where money was to move.
    pub attempt: Option<PublicId>,
    /// Which way it was to move.
    pub kind: Option<AttemptKind>,
    /// Its row id.
    pub attempt_id: Option<AttemptId>,
    /// The invoice.
    pub invoice: Option<PublicId>,
    /// The payment.
    pub payment: Option<PublicId>,
    /// The subscription and its state now.
    pub subscription: Option<(PublicId, SubscriptionState)>,
    /// How much moved.
    pub amount: Option<Money>,
    /// When the next charge falls due.
    pub next_due_at: Option<DateTime<Utc>>,
    /// For a checkout: our name for it, to be given to the payment window.
    pub order_id: Option<String>,
    /// Where money was to move.
    pub provider: Option<ProviderName>,
    /// What was to be charged.
    pub card: Option<CardBrief>,
    /// Who was to be asked first, and was certainly not reached.
    pub instead_of: Option<ProviderName>,
    /// Until when the customer can answer their bank, in database time.
    pub link_until: Option<DateTime<Utc>>,
}
