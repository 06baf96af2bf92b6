//! What a person may ask for, the plan that shows what would happen, and what came of it.
//!
//! Every verb is first an [`ActionPlan`] with a fingerprint of the rows it was computed from.
//! Applying computes it again in the transaction that writes, and refuses when the fingerprint
//! differs. Console, CLI and jobs share both.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::attempt::{AlsoCancel, AttemptKind};
use crate::domain::evidence::Refusal;
use crate::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, PaymentId, PlanId, PublicId, SubscriptionId,
};
use crate::domain::mode::Mode;
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::payment::RefundAmount;
use crate::domain::period::Interval;
use crate::domain::states::{AttemptState, SubscriptionState};
use crate::secret::Secret;

use super::queries::{CardBrief, CustomerBrief};

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// Charge an open or draft invoice.
    Charge {
        /// Which.
        invoice: InvoiceId,
    },
    /// Charge again after a decline: a new attempt under a new key.
    Retry {
        /// Which.
        invoice: InvoiceId,
    },
    /// Give money back.
    Refund {
        /// Out of which payment.
        payment: PaymentId,
        /// How much.
        amount: RefundAmount,
        /// Why; stored and sent.
        reason: String,
        /// What else happens to the subscription.
        also_cancel: AlsoCancel,
    },
    /// End a subscription at once.
    CancelNow {
        /// Which.
        subscription: SubscriptionId,
        /// Why.
        reason: String,
    },
    /// End it when the paid period ends.
    CancelAtEnd {
        /// Which.
        subscription: SubscriptionId,
        /// Why.
        reason: String,
    },
    /// Take a scheduled end back.
    UndoCancel {
        /// Which.
        subscription: SubscriptionId,
    },
    /// Charge once.
    OneTime {
        /// Whom.
        customer: CustomerId,
        /// How much.
        amount: Money,
        /// For what.
        description: String,
    },
    /// Open a checkout: an invoice whose order id goes to the payment window in the browser.
    Checkout {
        /// Who pays.
        customer: CustomerId,
        /// How much.
        amount: Money,
        /// For what.
        description: String,
    },
    /// Confirm what the customer authenticated in the browser.
    ConfirmCheckout {
        /// The provider's name for the payment, from the browser.
        payment_key: String,
        /// Our name for it, from the browser.
        order_id: String,
        /// The amount the browser brought; compared with ours.
        amount: Money,
    },
    /// Start a subscription with its first charge, or with its trial.
    Subscribe {
        /// Who.
        customer: CustomerId,
        /// On which plan.
        plan: PlanId,
        /// How many units.
        quantity: u32,
    },
    /// Register a card from an auth key, and charge what is owed with it.
    AddMethod {
        /// Whose.
        customer: CustomerId,
        /// From the provider's window; single use.
        auth_key: Secret,
    },
    /// Create a customer.
    CreateCustomer {
        /// What the provider will know it by; made at random when none.
        customer_key: Option<String>,
        /// Full name.
        name: String,
        /// E-mail address.
        email: String,
        /// Phone number.
        phone: String,
    },
    /// Create a plan, and its product when the code is new.
    CreatePlan(PlanInput),
    /// Change a plan; running terms keep their price.
    EditPlan {
        /// Which.
        plan: PlanId,
        /// What it becomes.
        change: PlanChange,
    },
    /// Close a plan to new subscriptions.
    DeactivatePlan {
        /// Which.
        plan: PlanId,
    },
    /// Write a note.
    Note {
        /// On which customer, payment or subscription.
        target: PublicId,
        /// What.
        text: String,
    },
    /// Ask the provider about an unknown attempt now. Nothing is sent again by this.
    ResolveUnknown {
        /// Which.
        attempt: AttemptId,
    },
    /// Ask, and if the provider has not seen it send the same request again: same bytes, same order
    /// id, same key.
    SendAgain {
        /// Which.
        attempt: AttemptId,
    },
    /// Ask a second person for a refund above one's own limit. Nothing is reserved or sent by this.
    AskRefund {
        /// Out of which payment.
        payment: PaymentId,
        /// How much.
        amount: RefundAmount,
        /// Why; stored and sent.
        reason: String,
        /// What else happens to the subscription.
        also_cancel: AlsoCancel,
    },
    /// Ask a second person to agree that an unknown charge was never executed.
    AskNotExecuted {
        /// Which.
        attempt: AttemptId,
        /// Why.
        reason: String,
        /// What supports it.
        evidence: String,
    },
    /// Approve what another person asked for: it happens at once.
    Grant {
        /// Which request.
        approval: ApprovalId,
    },
    /// Turn down what was asked for.
    Reject {
        /// Which request.
        approval: ApprovalId,
        /// Why.
        reason: String,
    },
    /// Send the return that was prepared for money nobody wanted.
    ApproveReturn {
        /// The refund attempt that waits.
        attempt: AttemptId,
    },
    /// Give such a return up and let go of what it reserved.
    DeclineReturn {
        /// The refund attempt that waits.
        attempt: AttemptId,
        /// Why.
        reason: String,
    },
}

/// A plan as a person gives it.
#[derive(Debug, Clone)]
pub struct PlanInput {
    /// Product code.
    pub product: String,
    /// Product name, when the product is new.
    pub product_name: String,
    /// Plan code.
    pub code: String,
    /// Plan name.
    pub name: String,
    /// Price per interval and unit.
    pub price: Money,
    /// How often.
    pub interval: Interval,
    /// Entitlement level.
    pub tier: String,
    /// Free days first.
    pub trial_days: u32,
    /// What it includes.
    pub features: Vec<String>,
}

/// What changes on a plan; none leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct PlanChange {
    /// Name.
    pub name: Option<String>,
    /// Price of new terms.
    pub price: Option<Money>,
    /// Entitlement level.
    pub tier: Option<String>,
    /// Free days first.
    pub trial_days: Option<u32>,
    /// What it includes.
    pub features: Option<Vec<String>>,
    /// Open to new subscriptions again.
    pub activate: bool,
}

impl Request {
    /// The verb whose capability is needed.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Charge { .. } => Verb::Charge,
            Self::Retry { .. } => Verb::Retry,
            Self::Refund { .. } | Self::AskRefund { .. } => Verb::Refund,
            Self::CancelNow { .. } => Verb::CancelNow,
            Self::CancelAtEnd { .. } => Verb::CancelAtEnd,
            Self::UndoCancel { .. } => Verb::UndoCancel,
            Self::OneTime { .. } | Self::Checkout { .. } | Self::ConfirmCheckout { .. } => {
                Verb::OneTime
            }
            Self::Subscribe { .. } => Verb::Subscribe,
            Self::AddMethod { .. } => Verb::SwapCard,
            Self::CreateCustomer { .. } => Verb::CreateCustomer,
            Self::CreatePlan(_) => Verb::CreatePlan,
            Self::EditPlan { .. } => Verb::EditPlan,
            Self::DeactivatePlan { .. } => Verb::DeactivatePlan,
            Self::Note { .. } => Verb::Note,
            Self::ResolveUnknown { .. } | Self::SendAgain { .. } => Verb::ResolveUnknown,
            Self::AskNotExecuted { .. } => Verb::ForceState,
            Self::Grant { .. }
            | Self::Reject { .. }
            | Self::ApproveReturn { .. }
            | Self::DeclineReturn { .. } => Verb::Approve,
        }
    }
}

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
    /// This invoice is charged at once with the new card.
    ChargesOwed {
        /// Which.
        invoice: PublicId,
        /// How much.
        amount: Money,
    },
    /// So many running subscriptions keep their price and go on.
    SubscriptionsKept(u64),
    /// The free trial lasts until then.
    TrialUntil(DateTime<Utc>),
    /// This invoice is paid.
    InvoicePaid(PublicId),
    /// A second person has so long to approve it.
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
    /// Certainly nothing was sent. It may be tried again.
    NotSent(Receipt),
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
}
