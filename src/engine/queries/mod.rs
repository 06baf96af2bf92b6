//! Read models: what lists, cards, timelines and figures are made of, and the port that gives them.
//!
//! Texts in these rows are raw; whoever draws or prints them goes through `text::Shown`. Nothing
//! here locks a row or changes one.

mod cards;
mod events;
mod figures;
mod filter;
mod lists;
mod mrr;
mod waiting;
mod wishes;

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::audit::AuditRecord;
use crate::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, PaymentId, RunId, SubscriptionId,
};
use crate::domain::mode::ProviderName;
use crate::domain::subscription::Change;

use super::ports::{FeeBooks, StoreError};

pub use cards::*;
pub use events::*;
pub use figures::*;
pub use filter::*;
pub use lists::*;
pub use mrr::{ReportError, mrr_report};
pub use waiting::*;
pub use wishes::*;

type R<T> = Result<T, StoreError>;

/// The read side of a database. Each call is one short read; none keeps a transaction open.
///
/// A condition or an order that a list does not have is refused with `StoreError::Unsupported`:
/// rows that were not asked for, or none at all, would both be a false answer.
pub trait Reads: FeeBooks + Send + Sync + 'static {
    /// Customers, newest first by default.
    fn customers(&self, query: &ListQuery) -> impl Future<Output = R<Page<CustomerRow>>> + Send;
    /// Subscriptions.
    fn subscriptions(
        &self,
        query: &ListQuery,
    ) -> impl Future<Output = R<Page<SubscriptionRow>>> + Send;
    /// Subscriptions falling due in `[query.from, query.to)`, soonest first.
    fn renewals(&self, query: &ListQuery) -> impl Future<Output = R<Page<SubscriptionRow>>> + Send;
    /// Renewals of each local day of `days`, with sums and flags.
    /// What became of this person's calls since nobody looked at them.
    fn away(&self, person: &str) -> impl Future<Output = R<Away>> + Send;
    /// What a billing run would take up at an instant, in the order in which it does.
    fn due(&self, until: DateTime<Utc>) -> impl Future<Output = R<Vec<DueRow>>> + Send;
    fn renewal_days(&self, days: &[LocalDay]) -> impl Future<Output = R<Vec<RenewalDay>>> + Send;
    /// Invoices whose last attempt failed and that are not paid.
    fn failed(&self, query: &ListQuery) -> impl Future<Output = R<Page<FailedRow>>> + Send;
    /// Charges that were declined, newest first.
    fn declines(&self, query: &ListQuery) -> impl Future<Output = R<Page<DeclineRow>>> + Send;
    /// What every row of a list comes to; its page and order do not matter.
    fn totals(&self, list: Summed, query: &ListQuery) -> impl Future<Output = R<Totals>> + Send;
    /// Payments.
    fn payments(&self, query: &ListQuery) -> impl Future<Output = R<Page<PaymentRow>>> + Send;
    /// Plans with how many run on each.
    fn plans(&self, query: &ListQuery) -> impl Future<Output = R<Page<PlanRow>>> + Send;
    /// Attempts in `sent` or `unknown`, and those a person has to look at; oldest first.
    fn unknowns(&self, query: &ListQuery) -> impl Future<Output = R<Page<UnknownRow>>> + Send;
    /// Billing runs, newest first.
    fn runs(&self, query: &ListQuery) -> impl Future<Output = R<Page<RunRow>>> + Send;
    /// Rows of one run.
    fn run_items(
        &self,
        run: RunId,
        query: &ListQuery,
    ) -> impl Future<Output = R<Page<RunItemRow>>> + Send;
    /// Audit records, newest first.
    fn activity(&self, query: &ListQuery) -> impl Future<Output = R<Page<ActivityRow>>> + Send;
    /// Stored webhook events, newest first.
    fn events(&self, query: &ListQuery) -> impl Future<Output = R<Page<EventRow>>> + Send;

    /// Whatever `text` may mean, best match first, at most `limit`.
    fn find(&self, text: &str, limit: u32) -> impl Future<Output = R<Vec<Hit>>> + Send;
    /// Everything about one customer on one screen.
    fn customer_card(&self, id: CustomerId) -> impl Future<Output = R<CustomerCard>> + Send;
    /// One subscription with its invoices and history.
    fn subscription_card(
        &self,
        id: SubscriptionId,
    ) -> impl Future<Output = R<SubscriptionCard>> + Send;
    /// Every attempt, piece of evidence, refund and press of a key about an invoice, in order.
    fn timeline(&self, id: InvoiceId) -> impl Future<Output = R<Timeline>> + Send;
    /// The invoice a payment paid.
    fn invoice_of_payment(&self, id: PaymentId) -> impl Future<Output = R<InvoiceId>> + Send;
    /// The invoice an attempt is about.
    fn invoice_of_attempt(&self, id: AttemptId) -> impl Future<Output = R<InvoiceId>> + Send;

    /// The figures of the overview.
    fn overview(&self, window: &Window) -> impl Future<Output = R<Overview>> + Send;
    /// Revenue by day, month and plan in `[from, to]`, local days.
    fn revenue(
        &self,
        from: NaiveDate,
        to: NaiveDate,
    ) -> impl Future<Output = R<RevenueReport>> + Send;
    /// Revenue by provider and currency in `[from, to]`, local days.
    fn revenue_by_provider(
        &self,
        from: NaiveDate,
        to: NaiveDate,
    ) -> impl Future<Output = R<Vec<ProviderRevenue>>> + Send;
    /// Revenue by day, month and plan of what came in through one provider. New subscriptions are nobody's: their number
    /// is not in it.
    fn revenue_of(
        &self,
        provider: ProviderName,
        from: NaiveDate,
        to: NaiveDate,
    ) -> impl Future<Output = R<RevenueReport>> + Send;
    /// What providers kept for themselves in `[from, to]`, local days, by provider and currency.
    fn fee_figures(
        &self,
        from: NaiveDate,
        to: NaiveDate,
    ) -> impl Future<Output = R<Vec<FeeFigure>>> + Send;
    /// The rows that these figures are made of, in the order in which they were kept, after the row `after`.
    fn fee_rows(
        &self,
        days: (NaiveDate, NaiveDate),
        after: i64,
        limit: u32,
    ) -> impl Future<Output = R<Vec<FeeRow>>> + Send;
    /// Computes the daily figures of up to `limit` marked days again; gives how many are left.
    fn refresh_figures(&self, limit: u32) -> impl Future<Output = R<u64>> + Send;
    /// History rows in time order with `at < before`, after `(at, id)`; the page's last key with them.
    fn changes(
        &self,
        before: DateTime<Utc>,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> impl Future<Output = R<ChangePage>> + Send;
    /// Records of one audit chain after `seq`, in order.
    fn audit_chain(
        &self,
        chain: &str,
        after_seq: i64,
        limit: u32,
    ) -> impl Future<Output = R<Vec<AuditRecord>>> + Send;
    /// The names of all audit chains.
    fn audit_chains(&self) -> impl Future<Output = R<Vec<String>>> + Send;
    /// A number that differs whenever another process committed since; cheap.
    fn data_version(&self) -> impl Future<Output = R<i64>> + Send;
    /// How long until an open attempt may be worked on: nothing left when one may be now, none when
    /// there is none. It may say too soon where many are open, never too late.
    fn next_look_up_in(&self) -> impl Future<Output = R<Option<Duration>>> + Send;
    /// The database's own clock, which dates calls, leases and look-ups.
    fn clock(&self) -> impl Future<Output = R<DateTime<Utc>>> + Send;
    /// How many attempts are unknown, for the status bar: not those whose answer is still waited for.
    fn count_unknown(&self) -> impl Future<Output = R<u64>> + Send;

    /// What was asked of a provider about subscriptions that it schedules and is not known to be done, oldest first.
    fn wishes(&self, query: &ListQuery) -> impl Future<Output = R<Page<WishRow>>> + Send;
    /// How many of them nobody knows the outcome of: not those whose answer is still waited for.
    fn count_wishes(&self) -> impl Future<Output = R<u64>> + Send;

    /// What waits for a second person: requests by the time they have left, then prepared returns.
    fn waiting(&self) -> impl Future<Output = R<Vec<WaitingRow>>> + Send;
    /// One request for approval, whatever became of it.
    fn waiting_request(&self, id: ApprovalId) -> impl Future<Output = R<WaitingRow>> + Send;
    /// How many rows wait for a second person.
    fn count_waiting(&self) -> impl Future<Output = R<u64>> + Send;

    /// How many requests nobody has decided in time and nobody has ended yet.
    fn count_lapsed(&self) -> impl Future<Output = R<u64>> + Send;

    /// Saved views of a person.
    fn saved_views(&self, person: &str) -> impl Future<Output = R<Vec<SavedView>>> + Send;
    /// Saves a view under its name, or replaces it.
    fn save_view(&self, person: &str, view: &SavedView) -> impl Future<Output = R<()>> + Send;
}

/// A page of history.
#[derive(Debug, Clone)]
pub struct ChangePage {
    /// Rows with the customer they are about and the plan's interval.
    pub rows: Vec<ChangeRow>,
    /// Where the next page begins; none at the end.
    pub next: Option<(i64, i64)>,
}

/// A row of history with what MRR needs beside it.
#[derive(Debug, Clone)]
pub struct ChangeRow {
    /// The row.
    pub change: Change,
    /// Whose subscription.
    pub customer_id: CustomerId,
    /// How often the plan bills.
    pub interval: crate::domain::period::Interval,
    /// When the customer asked for a cancel, where one is on record.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// First failure of the trouble it ended in.
    pub first_failed_at: Option<DateTime<Utc>>,
}

/// A filter kept under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// Which list.
    pub screen: String,
    /// Its name.
    pub name: String,
    /// The filter as typed.
    pub filter: String,
}
