//! What the engine asks of a database. A [`Tx`] is the set of repositories of one transaction;
//! dropping it rolls back, and a failed call ends it.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::approval::Approval;
use crate::domain::attempt::{AnswerSeen, Attempt, LookUp};
use crate::domain::audit::AuditEntry;
use crate::domain::customer::{Customer, PaymentMethod, SealedKey};
use crate::domain::ids::{
    ApprovalId, AttemptId, CustomerId, EvidenceId, IdQuery, InvoiceId, MethodId, Noun, PaymentId,
    PlanId, ProductId, PublicId, RunId, SubscriptionId,
};
use crate::domain::invoice::Invoice;
use crate::domain::mode::ProviderName;
use crate::domain::money::Currency;
use crate::domain::payment::Payment;
use crate::domain::plan::{Plan, Product};
use crate::domain::run::{Run, RunItem};
use crate::domain::states::MethodState;
use crate::domain::subscription::{Change, Subscription, Term};

use super::{
    BookedRefund, Claim, Decided, Desk, Fence, Foreseen, LookHint, NewApproval, NewAttempt,
    NewCustomer, NewEvidence, NewInvoice, NewMethod, NewPayment, NewPlan, NewRefund, NewReversal,
    NewSubscription, Posting, RefundsBy, StoreError,
};

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

type R<T> = Result<T, StoreError>;

/// A database.
pub trait Store: Send + Sync + 'static {
    /// A transaction that borrows a desk.
    type Tx<'d>: Tx + 'd;

    /// Begins a transaction. On SQLite it takes the write lock at once.
    fn begin<'d>(&'d self, desk: &'d mut Desk)
    -> impl Future<Output = R<Self::Tx<'d>>> + Send + 'd;

    /// How many transactions it lets write side by side. One where writers wait for each other:
    /// there, fewer and larger commits are the faster ones.
    fn writers(&self) -> usize {
        1
    }
}

/// One transaction: all repositories, and its end.
pub trait Tx:
    Customers
    + Plans
    + Subscriptions
    + Invoices
    + Attempts
    + Payments
    + Approvals
    + Books
    + Runs
    + RunLeases
    + super::Mirrors
    + Send
{
    /// Says which rows are about to be worked on one by one, so that they can be read and locked
    /// together and written together. What the repositories give and keep is the same without it;
    /// only a refusal may come later, at the latest with the commit.
    fn foresee(&mut self, _rows: Foreseen<'_>) -> impl Future<Output = R<()>> + Send {
        async { Ok(()) }
    }

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
    /// Every method that a customer ever had, whatever became of it, newest first.
    fn methods_of(
        &mut self,
        customer: CustomerId,
    ) -> impl Future<Output = R<Vec<PaymentMethod>>> + Send;
    /// Every method of a customer that may be charged, newest first.
    fn active_methods_of(
        &mut self,
        customer: CustomerId,
    ) -> impl Future<Output = R<Vec<PaymentMethod>>> + Send;
    /// The newest active method of a customer.
    fn active_method_of(
        &mut self,
        customer: CustomerId,
    ) -> impl Future<Output = R<Option<PaymentMethod>>> + Send;
    /// The sealed billing key of a method.
    fn sealed_key(&mut self, id: MethodId) -> impl Future<Output = R<SealedKey>> + Send;
    /// Methods after `after` whose key is sealed under another key-encryption key, by id, locked.
    fn methods_sealed_otherwise(
        &mut self,
        key_id: &str,
        after: MethodId,
        limit: u32,
    ) -> impl Future<Output = R<Vec<PaymentMethod>>> + Send;
    /// Replaces the sealed billing key of a method.
    fn save_sealed_key(
        &mut self,
        id: MethodId,
        key: &SealedKey,
    ) -> impl Future<Output = R<()>> + Send;
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
    /// How many subscriptions that have not ended run on a plan.
    fn count_running_on(&mut self, id: PlanId) -> impl Future<Output = R<u64>> + Send;
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
    /// Subscriptions of a customer that we schedule and that have not ended, by id.
    fn running_subscriptions_of(
        &mut self,
        customer: CustomerId,
    ) -> impl Future<Output = R<Vec<SubscriptionId>>> + Send;
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
    /// The subscription an invoice belongs to, without locking either.
    fn subscription_of_invoice(
        &mut self,
        id: InvoiceId,
    ) -> impl Future<Output = R<Option<SubscriptionId>>> + Send;
    /// Reads an invoice and locks it until the transaction ends.
    fn lock_invoice(&mut self, id: InvoiceId) -> impl Future<Output = R<Invoice>> + Send;
    /// Writes it back if the version is unchanged; the version grows by one.
    fn save_invoice(&mut self, invoice: &Invoice) -> impl Future<Output = R<()>> + Send;
    /// Open, draft and uncollectible invoices of a subscription, oldest first, locked.
    fn unpaid_invoices_of(
        &mut self,
        id: SubscriptionId,
    ) -> impl Future<Output = R<Vec<Invoice>>> + Send;
    /// Open invoices of a customer with a failed attempt (`first_failed_at` is set), oldest first, not locked; those that
    /// a provider collects are left out.
    fn failed_invoices_of_customer(
        &mut self,
        customer: CustomerId,
    ) -> impl Future<Output = R<Vec<InvoiceId>>> + Send;
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
    /// The invoice an attempt is about, without locking either.
    fn attempt_target(&mut self, id: AttemptId) -> impl Future<Output = R<InvoiceId>> + Send;
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
    /// A customer's charges by one card that are not settled, oldest first.
    fn open_charges_by(
        &mut self,
        customer: CustomerId,
        method: MethodId,
    ) -> impl Future<Output = R<Vec<Attempt>>> + Send;
    /// Refund attempts of a payment, oldest first.
    fn refunds_of(&mut self, payment: PaymentId) -> impl Future<Output = R<Vec<Attempt>>> + Send;
    /// Refunds that a person has pressed since a time and that were not refused or given up. Whoever asks
    /// holds back the same question about that person until the transaction's end.
    fn refunds_by(
        &mut self,
        person: &str,
        currency: Currency,
        since: DateTime<Utc>,
    ) -> impl Future<Output = R<RefundsBy>> + Send;
    /// Takes the lease of `ready` (of run and dunning, or past `send_after`), `sent` and `unknown`
    /// attempts whose lease has ended and whose look-up is due; oldest look-up first; epoch + 1.
    fn claim_open_attempts(
        &mut self,
        claim: Claim<'_>,
    ) -> impl Future<Output = R<Vec<Attempt>>> + Send;
    /// Has attempts of a payment asked about now that would be asked about later; how many. Leases stay as they are.
    fn hasten_looks(&mut self, hint: LookHint<'_>) -> impl Future<Output = R<u64>> + Send;
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
    /// What look-ups of an attempt said, oldest first, from the evidence that is kept.
    fn look_ups_of(&mut self, id: AttemptId) -> impl Future<Output = R<Vec<LookUp>>> + Send;
    /// What the sends of an attempt were answered with, oldest first.
    fn answers_of(&mut self, id: AttemptId) -> impl Future<Output = R<Vec<AnswerSeen>>> + Send;
}

/// What one person asks for and another approves.
pub trait Approvals: Send {
    /// Writes a request down.
    fn insert_approval(
        &mut self,
        new: &NewApproval<'_>,
    ) -> impl Future<Output = R<ApprovalId>> + Send;
    /// Reads a request, without locking it: what decides is fenced by its state.
    fn approval(&mut self, id: ApprovalId) -> impl Future<Output = R<Approval>> + Send;
    /// The request about a payment or attempt that nobody has decided, expired or not.
    fn waiting_approval_of(
        &mut self,
        target: &PublicId,
    ) -> impl Future<Output = R<Option<Approval>>> + Send;
    /// Requests that nobody has decided in time, oldest first; those that somebody else ends now are left out.
    fn lapsed_approvals(
        &mut self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = R<Vec<Approval>>> + Send;
    /// Writes a decision down; stale when there is one.
    fn decide_approval(
        &mut self,
        id: ApprovalId,
        decided: &Decided<'_>,
    ) -> impl Future<Output = R<()>> + Send;
}

/// Payments and refunds.
pub trait Payments: Send {
    /// Makes a payment.
    fn insert_payment(&mut self, new: &NewPayment<'_>)
    -> impl Future<Output = R<PaymentId>> + Send;
    /// The invoice a payment paid, without locking either.
    fn payment_target(&mut self, id: PaymentId) -> impl Future<Output = R<InvoiceId>> + Send;
    /// Reads a payment and locks it until the transaction ends.
    fn lock_payment(&mut self, id: PaymentId) -> impl Future<Output = R<Payment>> + Send;
    /// The payments of an invoice, duplicates last.
    fn payments_of(&mut self, invoice: InvoiceId) -> impl Future<Output = R<Vec<Payment>>> + Send;
    /// Writes refunded and reserved back if the version is unchanged; the version grows by one.
    fn save_payment(&mut self, payment: &Payment) -> impl Future<Output = R<()>> + Send;
    /// Whose books at a provider this database is about: the account that is written down, which is this one where none
    /// was before.
    fn pin_account(
        &mut self,
        provider: ProviderName,
        account: &str,
    ) -> impl Future<Output = R<String>> + Send;
    /// The refunds of a payment that were executed, whoever made them, oldest first.
    fn refunds_booked(
        &mut self,
        payment: PaymentId,
    ) -> impl Future<Output = R<Vec<BookedRefund>>> + Send;
    /// Keeps an executed refund; false when its transaction key is known already.
    fn insert_refund(&mut self, new: &NewRefund<'_>) -> impl Future<Output = R<bool>> + Send;
    /// Writes the entry against a refund that came back, once; refused without evidence of exactly that.
    fn insert_reversal(&mut self, new: &NewReversal) -> impl Future<Output = R<()>> + Send;
}

/// Ledger, audit, outbox, daily figures.
pub trait Books: Send {
    /// Writes the two entries of a movement.
    fn post(&mut self, posting: &Posting) -> impl Future<Output = R<()>> + Send;
    /// Appends to this process's audit chain.
    fn audit(&mut self, entry: &AuditEntry) -> impl Future<Output = R<()>> + Send;
    /// Queues a notice, unless one with this key exists.
    fn queue_notice(
        &mut self,
        kind: &str,
        key: &str,
        payload: &str,
        at: DateTime<Utc>,
    ) -> impl Future<Output = R<()>> + Send;
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
    /// Gives every row of any run that names this attempt its decision, unless a final one stands.
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

/// Signs of life of billing runs, in database time.
pub trait RunLeases: Send {
    /// Moves a run's lease on. A run that was taken for interrupted is running again.
    fn hold_run(&mut self, id: RunId, until: DateTime<Utc>) -> impl Future<Output = R<()>> + Send;
    /// Runs under way whose lease has lapsed, locked; those without a lease are left alone.
    fn lapsed_runs(&mut self, now: DateTime<Utc>) -> impl Future<Output = R<Vec<RunId>>> + Send;
    /// The processes that runs under way belong to.
    fn run_owners(&mut self) -> impl Future<Output = R<Vec<String>>> + Send;
    /// Ends the leases of a process that is gone. Gives how many.
    fn let_go_of_runs(
        &mut self,
        owner: &str,
        now: DateTime<Utc>,
    ) -> impl Future<Output = R<u64>> + Send;
}
