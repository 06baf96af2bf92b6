//! Rows of the lists.

use chrono::{DateTime, Duration, NaiveDate, Utc};

use crate::domain::attempt::{AUTHENTICATION_H, AttemptKind, Source};
use crate::domain::audit::AuditRecord;
use crate::domain::dunning::DunningState;
use crate::domain::evidence::SeenStatus;
use crate::domain::failure::FailureClass;
use crate::domain::ids::{
    AttemptId, CustomerId, InvoiceId, PaymentId, PlanId, PublicId, RunId, SubscriptionId,
};
use crate::domain::mirror::Scheduler;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::payment::CardUse;
use crate::domain::plan::Plan;
use crate::domain::run::{Decision, Run};
use crate::domain::states::{AttemptState, InvoiceState, MethodState, SubscriptionState};

/// A customer beside another row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerBrief {
    /// Row id.
    pub id: CustomerId,
    /// Public id.
    pub public_id: PublicId,
    /// Full name, raw.
    pub name: String,
}

/// A card beside another row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardBrief {
    /// Where it is kept.
    pub provider: ProviderName,
    /// Issuer code.
    pub issuer: String,
    /// Masked number.
    pub number: String,
    /// (year, month), where known.
    pub expiry: Option<(i32, u32)>,
    /// Whether it may be charged.
    pub state: MethodState,
}

/// A row of the customer list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRow {
    /// Who.
    pub customer: CustomerBrief,
    /// E-mail address, raw.
    pub email: String,
    /// Phone number, raw.
    pub phone: String,
    /// Running subscriptions.
    pub subscriptions: u32,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// What a person should notice about an upcoming renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenewalFlag {
    /// The card expires before the charge.
    CardExpires,
    /// The provider deleted the billing key.
    KeyDeleted,
    /// No card at all.
    NoMethod,
    /// Money is owed already.
    PastDue,
    /// It ends instead of renewing.
    Ends,
    /// A trial becomes a paid subscription.
    TrialEnds,
}

/// A row of the subscription and renewal lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// Row id.
    pub id: SubscriptionId,
    /// Public id.
    pub public_id: PublicId,
    /// Who pays.
    pub customer: CustomerBrief,
    /// Plan name, raw.
    pub plan_name: String,
    /// Plan code.
    pub plan_code: String,
    /// Where it stands.
    pub state: SubscriptionState,
    /// What one period costs.
    pub amount: Money,
    /// When the next period falls due.
    pub next_due_at: Option<DateTime<Utc>>,
    /// Scheduled end.
    pub cancel_at: Option<DateTime<Utc>>,
    /// Paid up to here.
    pub paid_until: Option<DateTime<Utc>>,
    /// What is charged.
    pub card: Option<CardBrief>,
    /// What to notice.
    pub flags: Vec<RenewalFlag>,
    /// Who decides when it is charged.
    pub scheduler: Scheduler,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A local day with the instants it begins and ends, or all that came before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalDay {
    /// The date in the billing zone.
    pub date: NaiveDate,
    /// Its first instant.
    pub from: DateTime<Utc>,
    /// The first instant of the next.
    pub to: DateTime<Utc>,
}

impl LocalDay {
    /// Everything before `now`: what fell due and nobody billed. It stands for the day before.
    pub fn overdue(today: NaiveDate, now: DateTime<Utc>) -> Self {
        Self {
            date: today.pred_opt().unwrap_or(today),
            from: DateTime::UNIX_EPOCH,
            to: now,
        }
    }

    /// Whether it is that stretch and no day.
    pub fn is_overdue(&self) -> bool {
        self.from == DateTime::UNIX_EPOCH
    }
}

/// Renewals of one local day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalDay {
    /// The day.
    pub day: LocalDay,
    /// How many.
    pub count: u64,
    /// Sums per currency of those that do not end on the day: what would be charged.
    pub amounts: Vec<Money>,
    /// How many carry each flag.
    pub flags: Vec<(RenewalFlag, u64)>,
}

/// A row of the failed list: an invoice that is not paid after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRow {
    /// The invoice.
    pub invoice_id: InvoiceId,
    /// Its public id.
    pub invoice_public_id: PublicId,
    /// Its state.
    pub invoice_state: InvoiceState,
    /// The subscription, unless one-time.
    pub subscription_id: Option<SubscriptionId>,
    /// The subscription's state.
    pub subscription_state: Option<SubscriptionState>,
    /// Who collects it.
    pub scheduler: Scheduler,
    /// Who owes it.
    pub customer: CustomerBrief,
    /// Plan name or description, raw.
    pub what: String,
    /// How much.
    pub amount: Money,
    /// Who was asked last; none where nobody was.
    pub provider: Option<ProviderName>,
    /// Provider code of the last refusal.
    pub code: Option<String>,
    /// Its class.
    pub class: Option<FailureClass>,
    /// Attempts of any source.
    pub attempts: u32,
    /// Attempts of the schedule used up.
    pub dunning_used: u32,
    /// What dunning does next.
    pub dunning: DunningState,
    /// When.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Since when.
    pub first_failed_at: DateTime<Utc>,
    /// The state of an open attempt that locks it.
    pub open_attempt: Option<AttemptState>,
    /// Its call, while one is out.
    pub call: Option<Call>,
}

/// What a billing run takes up at an instant: a subscription that falls due or ends, or an invoice whose next try is
/// due. There are as many as the run counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    /// The subscription, or the invoice of a further try.
    pub public_id: PublicId,
    /// Who pays.
    pub customer: CustomerBrief,
    /// Plan name, raw.
    pub what: String,
    /// How much is asked for.
    pub amount: Money,
    /// Since when it is due.
    pub due_at: DateTime<Utc>,
    /// The subscription's state.
    pub state: SubscriptionState,
    /// Scheduled end.
    pub cancel_at: Option<DateTime<Utc>>,
    /// Where the subscription's own card is, and what became of that card.
    pub own_card: Option<(ProviderName, MethodState)>,
    /// Where the customer has a card that can be charged.
    pub cards_at: Vec<ProviderName>,
    /// It is a further try.
    pub is_retry: bool,
    /// An earlier attempt is not settled.
    pub is_locked: bool,
}

/// A call that was sent and whose answer somebody still waits for, in database time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who sent it.
    pub by: String,
    /// When.
    pub since: DateTime<Utc>,
    /// After this, nobody waits any more and its outcome is unknown.
    pub until: DateTime<Utc>,
}

/// A row of the list of refusals: one charge that was declined, whatever became of its invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclineRow {
    /// The attempt.
    pub id: AttemptId,
    /// Its public id.
    pub public_id: PublicId,
    /// The invoice it was to pay.
    pub invoice_id: InvoiceId,
    /// Where that stands now.
    pub invoice_state: InvoiceState,
    /// The subscription, unless one-time.
    pub subscription_id: Option<SubscriptionId>,
    /// Who was to pay.
    pub customer: CustomerBrief,
    /// Plan name or description, raw.
    pub what: String,
    /// How much.
    pub amount: Money,
    /// Who said no.
    pub provider: ProviderName,
    /// The provider's code.
    pub code: Option<String>,
    /// Its class.
    pub class: FailureClass,
    /// Who started it.
    pub source: Source,
    /// When it was settled.
    pub settled_at: DateTime<Utc>,
}

/// Lists whose rows come to a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Summed {
    /// Their MRR: nothing for those that are not billed.
    Subscriptions,
    /// What will be charged: nothing for those that end instead.
    Renewals,
    /// What is owed.
    Failed,
    /// What was not paid.
    Declines,
    /// What was captured.
    Payments,
    /// Their MRR.
    Plans,
}

/// What all rows of a list come to, however many pages they fill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many rows.
    pub count: u64,
    /// How many invoices they belong to, where that is another number.
    pub invoices: Option<u64>,
    /// Sums per currency.
    pub sums: Vec<Money>,
}

/// A row of the payment list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRow {
    /// Row id.
    pub id: PaymentId,
    /// Public id.
    pub public_id: PublicId,
    /// The invoice it paid.
    pub invoice_id: InvoiceId,
    /// The subscription, unless one-time.
    pub subscription_id: Option<SubscriptionId>,
    /// Who paid.
    pub customer: CustomerBrief,
    /// Plan name or description, raw.
    pub what: String,
    /// What was taken.
    pub captured: Money,
    /// What went back, minor units.
    pub refunded_minor: i64,
    /// What is on its way back, minor units.
    pub reserved_minor: i64,
    /// When.
    pub captured_at: DateTime<Utc>,
    /// The card.
    pub card: Option<CardBrief>,
    /// Our name for it.
    pub order_id: String,
    /// Who took it.
    pub provider: ProviderName,
    /// The provider's name for it.
    pub provider_ref: String,
    /// Taken for an obligation that was already paid.
    pub is_duplicate: bool,
    /// Live, test or sim.
    pub mode: Mode,
    /// How the card was charged.
    pub card_use: CardUse,
}

/// A row of the plan list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    /// The plan.
    pub plan: Plan,
    /// Its product's name, raw.
    pub product_name: String,
    /// Active and past-due subscriptions.
    pub active: u64,
    /// Trialing subscriptions.
    pub trialing: u64,
    /// Their MRR, rounded.
    pub mrr: Money,
}

/// A row of the unknown inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownRow {
    /// The attempt.
    pub id: AttemptId,
    /// Its public id.
    pub public_id: PublicId,
    /// Charge or refund.
    pub kind: AttemptKind,
    /// `sent` or `unknown`.
    pub state: AttemptState,
    /// Whose money.
    pub customer: CustomerBrief,
    /// The invoice it is about.
    pub invoice_id: InvoiceId,
    /// How much.
    pub amount: Money,
    /// Who was asked.
    pub provider: ProviderName,
    /// Our name for it.
    pub order_id: String,
    /// Who started it.
    pub source: Source,
    /// First sent.
    pub first_sent_at: Option<DateTime<Utc>>,
    /// Last sent.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// How often sent.
    pub send_count: u32,
    /// Look-ups so far.
    pub checks: u32,
    /// How many said "not seen".
    pub not_seen: u32,
    /// Next look-up.
    pub next_check_at: Option<DateTime<Utc>>,
    /// Its bank wants the customer, as far as is known.
    pub waits_for_customer: bool,
    /// What the last piece of evidence said.
    pub last_outcome: Option<String>,
    /// When.
    pub last_evidence_at: Option<DateTime<Utc>>,
    /// A person has to look at it.
    pub needs_human: bool,
    /// Who pressed the key.
    pub operator: String,
    /// Its call, while one is out.
    pub call: Option<Call>,
}

impl UnknownRow {
    /// Until when its customer can answer their bank, in database time; none where it does not wait for them.
    pub fn link_until(&self) -> Option<DateTime<Utc>> {
        let waits = self.state == AttemptState::Unknown && self.waits_for_customer;
        let opened = self.last_sent_at.filter(|_| waits)?;
        Some(opened + Duration::hours(AUTHENTICATION_H))
    }

    /// When its provider said last that it had taken nothing, of one that waits for its customer.
    pub fn waited_at(&self) -> Option<DateTime<Utc>> {
        let is_last = self.last_outcome.as_deref() == Some(SeenStatus::NeedsCustomer.as_str());
        // Where something else came since, its send is what is certain.
        self.last_evidence_at
            .filter(|_| is_last)
            .or(self.last_sent_at)
    }
}

/// A row of the run list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The run.
    pub run: Run,
    /// How many rows have each decision; none counts those under way.
    pub totals: Vec<(Option<Decision>, u64)>,
}

/// A row of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunItemRow {
    /// Row id of the item.
    pub id: i64,
    /// Which run.
    pub run_id: RunId,
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// Its public id.
    pub subscription_public_id: PublicId,
    /// Who pays.
    pub customer: CustomerBrief,
    /// The invoice, once made.
    pub invoice_id: Option<InvoiceId>,
    /// How much.
    pub amount: Option<Money>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// Details.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A row of the activity list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    /// The record.
    pub record: AuditRecord,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What it is.
    pub target: HitTarget,
    /// Its public id.
    pub public_id: PublicId,
    /// Who it belongs to; a plan belongs to nobody, and the name is empty.
    pub customer: CustomerBrief,
    /// Which field matched: `name`, `email`, `phone`, `card`, `order_id`, `amount`, …
    pub matched: &'static str,
    /// What it is about: plan name, masked card, raw.
    pub label: String,
    /// Amount, where it has one.
    pub amount: Option<Money>,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// What a search may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HitTarget {
    /// A customer.
    Customer(CustomerId),
    /// A subscription.
    Subscription(SubscriptionId),
    /// A payment.
    Payment(PaymentId),
    /// An invoice.
    Invoice(InvoiceId),
    /// An attempt.
    Attempt(AttemptId),
    /// A plan.
    Plan(PlanId),
}
