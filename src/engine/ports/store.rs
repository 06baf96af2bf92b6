//! What the engine asks of a database. A [`Tx`] is the set of repositories of one transaction;
//! dropping it rolls back, and a failed call ends it.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use crate::domain::audit::AuditEntry;
use crate::domain::customer::{Card, Customer, PaymentMethod, SealedKey};
use crate::domain::evidence::EvidenceSource;
use crate::domain::ids::{
    AttemptId, CustomerId, EvidenceId, IdQuery, InvoiceId, MethodId, Noun, PaymentId, PlanId,
    ProductId, PublicId, RunId, SubscriptionId,
};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::period::Interval;
use crate::domain::plan::{Plan, Product};
use crate::domain::run::{Run, RunItem};
use crate::domain::states::{AttemptState, InvoiceState, MethodState, SubscriptionState};
use crate::domain::subscription::{Change, Subscription, Term};

use super::{BoxError, Desk};

/// A rule that the database itself holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// One order id per provider and mode.
    OrderId,
    /// One idempotency key.
    IdempotencyKey,
    /// One attempt number per target.
    AttemptNumber,
    /// One open or successful charge per invoice.
    OpenCharge,
    /// One open refund per payment.
    OpenRefund,
    /// One invoice per subscription, term, period and kind.
    InvoicePeriod,
    /// One running subscription per customer and product.
    OneSubscription,
    /// One customer per customer key.
    CustomerKey,
    /// One plan or product per code.
    Code,
    /// captured ≥ refunded + reserved.
    RefundBalance,
    /// No way out of a settled state without new evidence.
    SettledState,
    /// Audit, evidence, ledger and history are never changed.
    AppendOnly,
    /// Another rule of the schema.
    Other,
}

/// Why the database did not do what was asked, by what the caller may do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the rows or the file. Nothing was written; trying again is safe.
    #[error("database busy")]
    Busy(#[source] BoxError),
    /// A rule of the schema refused it. Nothing was written.
    #[error("refused by the database: {0:?}")]
    Refused(Constraint),
    /// The row changed since it was read. Nothing was written.
    #[error("{noun:?} changed meanwhile")]
    Stale {
        /// Which noun.
        noun: Noun,
    },
    /// No such row.
    #[error("no such {noun:?}")]
    NotFound {
        /// Which noun.
        noun: Noun,
    },
    /// The database cannot be reached. Nothing was written.
    #[error("database not reached")]
    Unreachable(#[source] BoxError),
    /// The answer to COMMIT was lost: it may have been written. Read before doing anything else.
    #[error("commit not confirmed")]
    CommitUnknown(#[source] BoxError),
    /// A row does not make sense.
    #[error("{table} {id}: {reason}")]
    BadRow {
        /// Which table.
        table: &'static str,
        /// Which row.
        id: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The file or server belongs to another program, mode or version.
    #[error("{0}")]
    WrongDatabase(String),
    /// Anything else. The transaction is over and was not committed.
    #[error("database error")]
    Other(#[source] BoxError),
}

/// What a typed id means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Exactly one row.
    One(i64),
    /// None.
    None,
    /// More than one ends like that.
    Many,
}

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

/// What [`Attempts::save_attempt`] requires of the stored row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The state the caller read.
    pub state: AttemptState,
    /// The lease epoch the caller holds; none when evidence of success may override any lease.
    pub epoch: Option<i64>,
}

type R<T> = Result<T, StoreError>;

/// A database.
pub trait Store: Send + Sync + 'static {
    /// A transaction that borrows a desk.
    type Tx<'d>: Tx + 'd;

    /// Begins a transaction. On SQLite it takes the write lock at once.
    fn begin<'d>(&'d self, desk: &'d mut Desk)
    -> impl Future<Output = R<Self::Tx<'d>>> + Send + 'd;
}

/// One transaction: all repositories, and its end.
pub trait Tx:
    Customers + Plans + Subscriptions + Invoices + Attempts + Payments + Books + Runs + Send
{
    /// Makes everything durable.
    fn commit(self) -> impl Future<Output = R<()>> + Send;
}

/// Customers and their payment methods.
pub trait Customers: Send {
    /// What a typed id means.
    fn find_id(&mut self, noun: Noun, query: &IdQuery) -> impl Future<Output = R<Found>> + Send;
    /// Makes a customer.
    fn insert_customer(
        &mut self,
        new: &NewCustomer<'_>,
    ) -> impl Future<Output = R<CustomerId>> + Send;
    /// Reads a customer.
    fn customer(&mut self, id: CustomerId) -> impl Future<Output = R<Customer>> + Send;
    /// Writes contact data back if the version is unchanged; the version grows by one.
    fn save_customer(&mut self, customer: &Customer) -> impl Future<Output = R<()>> + Send;
    /// Makes a payment method.
    fn insert_method(&mut self, new: &NewMethod<'_>) -> impl Future<Output = R<MethodId>> + Send;
    /// Reads a payment method.
    fn method(&mut self, id: MethodId) -> impl Future<Output = R<PaymentMethod>> + Send;
    /// The newest active method of a customer.
    fn active_method_of(
        &mut self,
        customer: CustomerId,
    ) -> impl Future<Output = R<Option<PaymentMethod>>> + Send;
    /// The sealed billing key of a method.
    fn sealed_key(&mut self, id: MethodId) -> impl Future<Output = R<SealedKey>> + Send;
    /// The method whose billing key has this keyed hash.
    fn method_by_hash(&mut self, hash: &str) -> impl Future<Output = R<Option<MethodId>>> + Send;
    /// Moves a method from one state to another; stale when it is not in the first.
    fn move_method(
        &mut self,
        id: MethodId,
        from: MethodState,
        to: MethodState,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
    /// Writes a note on a customer, payment or subscription.
    fn insert_note(
        &mut self,
        target: &PublicId,
        author: &str,
        text: &str,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
    /// Writes down that an auth key is about to be exchanged; gives the row's id.
    fn insert_issue(
        &mut self,
        customer: CustomerId,
        auth_key_hash: &str,
        operator: &str,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<i64>> + Send;
    /// Writes down what came of it: `issued`, `refused`, `not_sent`, `unknown`.
    fn finish_issue(
        &mut self,
        issue: i64,
        outcome: &str,
        method: Option<MethodId>,
        code: Option<&str>,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
}

/// Products and plans.
pub trait Plans: Send {
    /// Makes a product.
    fn insert_product(
        &mut self,
        public_id: &PublicId,
        code: &str,
        name: &str,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<ProductId>> + Send;
    /// Finds a product by its code.
    fn product_by_code(&mut self, code: &str) -> impl Future<Output = R<Option<Product>>> + Send;
    /// Makes a plan.
    fn insert_plan(&mut self, new: &NewPlan<'_>) -> impl Future<Output = R<PlanId>> + Send;
    /// Reads a plan.
    fn plan(&mut self, id: PlanId) -> impl Future<Output = R<Plan>> + Send;
    /// Finds a plan by its code.
    fn plan_by_code(&mut self, code: &str) -> impl Future<Output = R<Option<Plan>>> + Send;
    /// Writes name, price, tier, trial, features and active back if the version is unchanged.
    fn save_plan(&mut self, plan: &Plan) -> impl Future<Output = R<()>> + Send;
}

/// Subscriptions, their terms and their history.
pub trait Subscriptions: Send {
    /// Makes a subscription.
    fn insert_subscription(
        &mut self,
        new: &NewSubscription<'_>,
    ) -> impl Future<Output = R<SubscriptionId>> + Send;
    /// Reads a subscription and locks it until the transaction ends.
    fn lock_subscription(
        &mut self,
        id: SubscriptionId,
    ) -> impl Future<Output = R<Subscription>> + Send;
    /// Writes it back if the version is unchanged; the version grows by one.
    fn save_subscription(
        &mut self,
        subscription: &Subscription,
    ) -> impl Future<Output = R<()>> + Send;
    /// Makes a term.
    fn insert_term(&mut self, term: &Term) -> impl Future<Output = R<()>> + Send;
    /// Reads a term.
    fn term(&mut self, id: SubscriptionId, term_no: u32) -> impl Future<Output = R<Term>> + Send;
    /// Ends a term.
    fn end_term(
        &mut self,
        id: SubscriptionId,
        term_no: u32,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
    /// Writes a row of history.
    fn insert_change(&mut self, change: &Change) -> impl Future<Output = R<()>> + Send;
    /// Locks up to `limit` subscriptions that a run must look at: state `active`, `trialing` or
    /// `past_due`, and `next_due_at` (not for `past_due`) or `cancel_at` at or before `until`;
    /// oldest first; rows that somebody else holds are left out.
    fn claim_due_subscriptions(
        &mut self,
        until: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = R<Vec<Subscription>>> + Send;
    /// How many such rows there are.
    fn count_due_subscriptions(
        &mut self,
        until: DateTime<Utc>,
    ) -> impl Future<Output = R<u64>> + Send;
    /// Incomplete subscriptions made before `before`, locked.
    fn claim_stale_incomplete(
        &mut self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = R<Vec<Subscription>>> + Send;
}

/// Invoices.
pub trait Invoices: Send {
    /// Makes an invoice with one line.
    fn insert_invoice(&mut self, new: &NewInvoice<'_>)
    -> impl Future<Output = R<InvoiceId>> + Send;
    /// Reads an invoice and locks it until the transaction ends.
    fn lock_invoice(&mut self, id: InvoiceId) -> impl Future<Output = R<Invoice>> + Send;
    /// Writes it back if the version is unchanged; the version grows by one.
    fn save_invoice(&mut self, invoice: &Invoice) -> impl Future<Output = R<()>> + Send;
    /// Open, draft and uncollectible invoices of a subscription, oldest first, locked.
    fn unpaid_invoices_of(
        &mut self,
        id: SubscriptionId,
    ) -> impl Future<Output = R<Vec<Invoice>>> + Send;
    /// Locks up to `limit` open invoices whose dunning is `scheduled` at or before `until`, oldest
    /// first; rows that somebody else holds are left out.
    fn claim_due_dunning(
        &mut self,
        until: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = R<Vec<Invoice>>> + Send;
    /// How many such rows there are.
    fn count_due_dunning(&mut self, until: DateTime<Utc>) -> impl Future<Output = R<u64>> + Send;
}

/// Attempts and the evidence about them.
pub trait Attempts: Send {
    /// The database's clock: leases, ages of keys and look-up times come from it alone.
    fn db_now(&mut self) -> impl Future<Output = R<DateTime<Utc>>> + Send;
    /// Makes an attempt.
    fn insert_attempt(&mut self, new: &NewAttempt<'_>)
    -> impl Future<Output = R<AttemptId>> + Send;
    /// Reads an attempt and locks it until the transaction ends.
    fn lock_attempt(&mut self, id: AttemptId) -> impl Future<Output = R<Attempt>> + Send;
    /// Writes every changeable field back if the stored row still fits `fence`.
    fn save_attempt(
        &mut self,
        attempt: &Attempt,
        fence: Fence,
    ) -> impl Future<Output = R<()>> + Send;
    /// Charge attempts of an invoice, oldest first.
    fn charges_of(&mut self, invoice: InvoiceId) -> impl Future<Output = R<Vec<Attempt>>> + Send;
    /// Refund attempts of a payment, oldest first.
    fn refunds_of(&mut self, payment: PaymentId) -> impl Future<Output = R<Vec<Attempt>>> + Send;
    /// Takes the lease of `ready` (of run and dunning, or past `send_after`), `sent` and `unknown`
    /// attempts whose lease has ended and whose look-up is due; oldest look-up first; epoch + 1.
    fn claim_open_attempts(
        &mut self,
        claim: Claim<'_>,
    ) -> impl Future<Output = R<Vec<Attempt>>> + Send;
    /// Gives leases of `owner` up at once, when that process is known to be gone.
    fn release_leases_of(
        &mut self,
        owner: &str,
        now: DateTime<Utc>,
    ) -> impl Future<Output = R<u64>> + Send;
    /// Owners of open attempts, to find those whose process is gone.
    fn lease_owners(&mut self) -> impl Future<Output = R<Vec<String>>> + Send;
    /// Keeps a piece of evidence.
    fn insert_evidence(
        &mut self,
        new: &NewEvidence<'_>,
    ) -> impl Future<Output = R<EvidenceId>> + Send;
}

/// Payments and refunds.
pub trait Payments: Send {
    /// Makes a payment.
    fn insert_payment(&mut self, new: &NewPayment<'_>)
    -> impl Future<Output = R<PaymentId>> + Send;
    /// Reads a payment and locks it until the transaction ends.
    fn lock_payment(&mut self, id: PaymentId) -> impl Future<Output = R<Payment>> + Send;
    /// The payments of an invoice, duplicates last.
    fn payments_of(&mut self, invoice: InvoiceId) -> impl Future<Output = R<Vec<Payment>>> + Send;
    /// Writes refunded and reserved back if the version is unchanged; the version grows by one.
    fn save_payment(&mut self, payment: &Payment) -> impl Future<Output = R<()>> + Send;
    /// Keeps an executed refund; false when its transaction key is known already.
    fn insert_refund(&mut self, new: &NewRefund<'_>) -> impl Future<Output = R<bool>> + Send;
}

/// Ledger, audit, outbox, daily figures.
pub trait Books: Send {
    /// Writes the two entries of a movement.
    fn post(&mut self, posting: &Posting) -> impl Future<Output = R<()>> + Send;
    /// Appends to this process's audit chain.
    fn audit(&mut self, entry: &AuditEntry) -> impl Future<Output = R<()>> + Send;
    /// Queues a notice; false when one with this key exists.
    fn queue_notice(
        &mut self,
        kind: &str,
        key: &str,
        payload: &str,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<bool>> + Send;
    /// Marks a local day whose figures must be computed again.
    fn mark_day(&mut self, day: NaiveDate) -> impl Future<Output = R<()>> + Send;
}

/// Billing runs.
pub trait Runs: Send {
    /// Makes a run.
    fn insert_run(&mut self, run: &Run) -> impl Future<Output = R<RunId>> + Send;
    /// Reads a run and locks it.
    fn lock_run(&mut self, id: RunId) -> impl Future<Output = R<Run>> + Send;
    /// Writes state, end and reason back.
    fn save_run(&mut self, run: &Run) -> impl Future<Output = R<()>> + Send;
    /// Writes a row of a run, replacing the decision of the same (run, subscription, invoice).
    fn save_run_item(&mut self, item: &RunItem) -> impl Future<Output = R<()>> + Send;
    /// Gives every undecided row of any run that names this attempt its decision.
    fn decide_run_items(
        &mut self,
        attempt: AttemptId,
        decision: crate::domain::run::Decision,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
    /// How many rows of a run have each decision; `None` counts the undecided.
    fn run_totals(
        &mut self,
        id: RunId,
    ) -> impl Future<Output = R<Vec<(Option<crate::domain::run::Decision>, u64)>>> + Send;
}
