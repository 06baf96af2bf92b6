//! Rows to be made, and the terms on which stored rows may be changed.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::approval::Asked;
use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use crate::domain::customer::{Card, SealedKey};
use crate::domain::evidence::EvidenceSource;
use crate::domain::ids::{
    AttemptId, CustomerId, EvidenceId, InvoiceId, MethodId, PaymentId, PlanId, ProductId, PublicId,
    SubscriptionId,
};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::payment::CardUse;
use crate::domain::period::Interval;
use crate::domain::states::{ApprovalState, AttemptState, InvoiceState, SubscriptionState};
use crate::domain::subscription::Subscription;

/// A customer to be made.
#[derive(Debug, Clone)]
pub struct NewCustomer<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// What the provider will know it by.
    pub customer_key: &'a str,
    /// Full name.
    pub name: &'a str,
    /// E-mail address.
    pub email: &'a str,
    /// Phone number.
    pub phone: &'a str,
    /// Business time.
    pub at: DateTime<Utc>,
}

/// A payment method to be made.
#[derive(Debug, Clone)]
pub struct NewMethod<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// Whose.
    pub customer_id: CustomerId,
    /// At which provider.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// What the provider says of the card.
    pub card: &'a Card,
    /// The sealed billing key.
    pub key: &'a SealedKey,
    /// Business time.
    pub at: DateTime<Utc>,
}

/// A plan to be made.
#[derive(Debug, Clone)]
pub struct NewPlan<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// Which product.
    pub product_id: ProductId,
    /// Short unique name.
    pub code: &'a str,
    /// Name people read.
    pub name: &'a str,
    /// Price per interval and unit.
    pub price: Money,
    /// How often.
    pub interval: Interval,
    /// Entitlement level.
    pub tier: &'a str,
    /// Free days first.
    pub trial_days: u32,
    /// What it includes.
    pub features: &'a [String],
    /// Business time.
    pub at: DateTime<Utc>,
}

/// A subscription to be made. Its first term and change are inserted beside it.
#[derive(Debug, Clone)]
pub struct NewSubscription<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// Who pays.
    pub customer_id: CustomerId,
    /// What is sold.
    pub product_id: ProductId,
    /// At which price.
    pub plan_id: PlanId,
    /// `incomplete` or `trialing`.
    pub state: SubscriptionState,
    /// How many units.
    pub quantity: u32,
    /// What is charged.
    pub method_id: Option<MethodId>,
    /// Live, test or sim.
    pub mode: Mode,
    /// When the first period falls due.
    pub next_due_at: Option<DateTime<Utc>>,
    /// End of the free trial.
    pub trial_until: Option<DateTime<Utc>>,
    /// Whether the customer may have one running subscription of this product only.
    pub exclusivity: Exclusivity,
    /// Business time.
    pub at: DateTime<Utc>,
}

/// Whether a second running subscription of the same product is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusivity {
    /// One per customer and product.
    OnePerProduct,
    /// Any number.
    Any,
}

/// An invoice to be made.
#[derive(Debug, Clone)]
pub struct NewInvoice<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// Who owes it.
    pub customer_id: CustomerId,
    /// For which subscription; none when one-time.
    pub subscription_id: Option<SubscriptionId>,
    /// Which term.
    pub term_no: u32,
    /// Which period.
    pub period_index: u32,
    /// What for.
    pub kind: InvoiceKind,
    /// `draft` or `open`.
    pub state: InvoiceState,
    /// How much.
    pub amount: Money,
    /// One line for the customer.
    pub description: &'a str,
    /// When it falls due.
    pub due_at: DateTime<Utc>,
    /// First day it pays for.
    pub period_from: NaiveDate,
    /// The day after the last.
    pub period_to: NaiveDate,
    /// Business time.
    pub at: DateTime<Utc>,
}

/// An attempt to be made, in `ready` (or `sent`, when its lease is taken in the same commit).
#[derive(Debug, Clone)]
pub struct NewAttempt<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// Charge or refund.
    pub kind: AttemptKind,
    /// The invoice it is about.
    pub invoice_id: InvoiceId,
    /// The payment a refund comes out of.
    pub payment_id: Option<PaymentId>,
    /// Whose money.
    pub customer_id: CustomerId,
    /// For which subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// Number on its target.
    pub attempt_no: u32,
    /// Who started it.
    pub source: Source,
    /// Which provider.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// What is charged.
    pub method_id: Option<MethodId>,
    /// Our name for it.
    pub order_id: &'a str,
    /// Idempotency key.
    pub idem_key: &'a str,
    /// The provider's name for the payment a refund comes out of.
    pub provider_ref: Option<&'a str>,
    /// The exact bytes.
    pub body: &'a [u8],
    /// How much.
    pub amount: Money,
    /// For a refund: what the provider must still hold.
    pub expected_balance_minor: Option<i64>,
    /// For a refund: what else happens.
    pub also_cancel: AlsoCancel,
    /// Where it starts.
    pub state: AttemptState,
    /// Not to be sent before, in database time.
    pub send_after: Option<DateTime<Utc>>,
    /// Lease and send times, where it starts as `sent`.
    pub lease: Option<Lease<'a>>,
    /// Who pressed the key.
    pub operator: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Database time.
    pub at: DateTime<Utc>,
}

/// The right to work on an attempt for a while.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// Which process.
    pub owner: &'a str,
    /// Until when, in database time.
    pub until: DateTime<Utc>,
}

/// A piece of evidence to be kept. Bodies are not.
#[derive(Debug, Clone)]
pub struct NewEvidence<'a> {
    /// About which attempt.
    pub attempt_id: AttemptId,
    /// From where.
    pub source: EvidenceSource,
    /// [`crate::domain::evidence::Evidence::name`].
    pub outcome: &'a str,
    /// HTTP status.
    pub http_status: Option<u16>,
    /// The provider's code.
    pub code: Option<&'a str>,
    /// The provider's name for the payment or transaction.
    pub reference: Option<&'a str>,
    /// The amount it speaks of.
    pub amount: Option<Money>,
    /// The provider's trace id.
    pub trace_id: Option<&'a str>,
    /// Digest of the body.
    pub body_sha256: Option<&'a str>,
    /// How long the call took.
    pub elapsed_ms: u64,
    /// Database time.
    pub at: DateTime<Utc>,
}

/// A payment to be made.
#[derive(Debug, Clone)]
pub struct NewPayment<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// Which invoice it paid.
    pub invoice_id: InvoiceId,
    /// The attempt that took the money.
    pub attempt_id: AttemptId,
    /// Who paid.
    pub customer_id: CustomerId,
    /// For which subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// On which plan, for the daily figures.
    pub plan_id: Option<PlanId>,
    /// Charged method.
    pub method_id: Option<MethodId>,
    /// Which provider.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// The provider's name for it.
    pub provider_ref: &'a str,
    /// Our name for it.
    pub order_id: &'a str,
    /// What was taken.
    pub captured: Money,
    /// When it was approved.
    pub captured_at: DateTime<Utc>,
    /// That instant's local date in the billing zone.
    pub captured_on: NaiveDate,
    /// Whether the obligation was already paid.
    pub is_duplicate: bool,
    /// How its card was charged.
    pub card_use: CardUse,
}

/// A refund that was executed.
#[derive(Debug, Clone)]
pub struct NewRefund<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// Out of which payment.
    pub payment_id: PaymentId,
    /// By which attempt; none when made outside.
    pub attempt_id: Option<AttemptId>,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: &'a str,
    /// The provider's name for it.
    pub transaction_key: &'a str,
    /// When.
    pub refunded_at: DateTime<Utc>,
    /// That instant's local date in the billing zone.
    pub refunded_on: NaiveDate,
    /// Who.
    pub operator: &'a str,
}

/// A refund in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedRefund {
    /// Row id.
    pub id: i64,
    /// By which attempt; none when made outside.
    pub attempt_id: Option<AttemptId>,
    /// How much.
    pub amount: Money,
    /// The provider's name for it.
    pub transaction_key: String,
    /// When.
    pub refunded_at: DateTime<Utc>,
    /// When the provider took it back, where it did.
    pub reversed_at: Option<DateTime<Utc>>,
}

/// The entry against a refund that its provider has taken back.
#[derive(Debug, Clone, Copy)]
pub struct NewReversal {
    /// Row id of the refund.
    pub refund: i64,
    /// What the provider said of it.
    pub evidence: EvidenceId,
    /// When it came back.
    pub at: DateTime<Utc>,
    /// That instant's local date in the billing zone.
    pub on: NaiveDate,
}

/// A request for approval to be made.
#[derive(Debug, Clone)]
pub struct NewApproval<'a> {
    /// Public id.
    pub public_id: &'a PublicId,
    /// What is asked for.
    pub asked: Asked,
    /// The payment's or attempt's public id.
    pub target: &'a PublicId,
    /// Whose money.
    pub customer_id: CustomerId,
    /// How much.
    pub amount: Money,
    /// For a refund: what else happens.
    pub also_cancel: AlsoCancel,
    /// Why.
    pub reason: &'a str,
    /// What supports it.
    pub evidence: &'a str,
    /// The fingerprint of the plan.
    pub fingerprint: &'a str,
    /// Live, test or sim.
    pub mode: Mode,
    /// Who asks.
    pub requester: &'a str,
    /// What supports that identity, as JSON text.
    pub claims: &'a str,
    /// Database time.
    pub at: DateTime<Utc>,
    /// From when nobody can approve it.
    pub expires_at: DateTime<Utc>,
}

/// How a request for approval was decided.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// Any state but waiting.
    pub state: ApprovalState,
    /// By whom.
    pub by: &'a str,
    /// Why, where it was turned down.
    pub note: &'a str,
    /// Database time.
    pub at: DateTime<Utc>,
}

/// Where money stands in the books. Each movement has two entries that sum to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    /// What the provider owes us.
    Provider,
    /// What customers have paid.
    Revenue,
    /// What went back.
    Refunds,
    /// Taken twice; to be given back.
    Suspense,
}

impl Account {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Revenue => "revenue",
            Self::Refunds => "refunds",
            Self::Suspense => "suspense",
        }
    }
}

/// Two ledger entries: `amount` into `debit`, the same out of `credit`.
#[derive(Debug, Clone, Copy)]
pub struct Posting {
    /// Which payment.
    pub payment_id: PaymentId,
    /// By which attempt.
    pub attempt_id: AttemptId,
    /// Where it goes.
    pub debit: Account,
    /// Where it comes from.
    pub credit: Account,
    /// How much.
    pub amount: Money,
    /// When, in business time.
    pub at: DateTime<Utc>,
}

/// What a person has refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundsBy {
    /// In any currency.
    pub count: u64,
    /// In the currency asked for.
    pub sum: Money,
}

/// Who holds an attempt that is about to be worked on.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Which process.
    pub owner: &'a str,
    /// Database time now.
    pub now: DateTime<Utc>,
    /// Lease length in seconds.
    pub lease_s: i64,
    /// At most so many.
    pub limit: u32,
}

/// Something is said to have happened to a payment at its provider: a reason to ask about it now, and no more.
#[derive(Debug, Clone, Copy)]
pub struct LookHint<'a> {
    /// Which provider.
    pub provider: ProviderName,
    /// The provider's name for the payment.
    pub provider_ref: &'a str,
    /// What it is about.
    pub about: HintAbout,
    /// Now, in database time.
    pub at: DateTime<Utc>,
}

/// What a hint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintAbout {
    /// Whether the money was taken: a charge of which nobody knows it.
    Charge,
    /// What of it went back: refunds that may come back or are not known, and the charge itself.
    Refunds,
}

/// What [`super::Attempts::save_attempt`] requires of the stored row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The state the caller read.
    pub state: AttemptState,
    /// The lease epoch the caller holds; none when evidence of success may override any lease.
    pub epoch: Option<i64>,
}

/// Rows that a transaction is about to work on one by one.
#[derive(Debug, Clone, Copy)]
pub enum Foreseen<'a> {
    /// Due subscriptions, claimed: their terms, plans and payers are read.
    Billing(&'a [Subscription]),
    /// Invoices that are due to be tried again, claimed: with their subscriptions, charges, payers.
    Dunning(&'a [Invoice]),
    /// Attempts about which something was learnt: everything they are about is locked, in the order
    /// subscription, invoice, payment, attempt, each by id.
    Settling(&'a [&'a Attempt]),
}

impl Foreseen<'_> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Billing(due) => due.len(),
            Self::Dunning(due) => due.len(),
            Self::Settling(attempts) => attempts.len(),
        }
    }

    /// None.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
