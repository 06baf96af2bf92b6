//! The read side: lists, searches, cards, timelines and figures, for both databases.
//!
//! Each call is a few short statements outside any transaction; nothing here locks a row. Only
//! [`figures::refresh`] and saved views write, through the one writer. Statements are put together
//! from constants (`query`), lists are keyset pages (`list`), and what must be fast has an index of
//! its own in the schema.

mod activity;
mod away;
mod cards;
mod cells;
mod changes;
mod clock;
mod customers;
mod days;
mod declines;
mod due;
mod failed;
mod fees;
mod figures;
mod find;
mod health;
mod hits;
mod list;
mod look_ups;
mod matching;
mod overview;
mod payments;
mod plans;
mod query;
mod renewals;
mod revenue;
mod runs;
mod standing;
mod subscriptions;
mod tallies;
mod timeline;
mod totals;
mod unknowns;
mod views;
mod waiting;
mod watch;
mod wishes;

#[cfg(test)]
mod explained;

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::open::SqlStore;
use crate::domain::audit::AuditRecord;
use crate::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, PaymentId, RunId, SubscriptionId,
};
use crate::domain::mode::ProviderName;
use crate::engine::ports::StoreError;
use crate::engine::queries::{
    ActivityRow, Away, ChangePage, CustomerCard, CustomerRow, DeclineRow, DueRow, EventRow,
    FailedRow, FeeFigure, FeeRow, Hit, ListQuery, LocalDay, Overview, Page, PaymentRow, PlanRow,
    ProviderRevenue, Reads, RenewalDay, RevenueReport, RunItemRow, RunRow, SavedView,
    SubscriptionCard, SubscriptionRow, Summed, Timeline, Totals, UnknownRow, WaitingRow, Window,
    WishRow,
};

pub(super) use watch::Watch;

type R<T> = Result<T, StoreError>;

impl Reads for SqlStore {
    async fn customers(&self, query: &ListQuery) -> R<Page<CustomerRow>> {
        customers::page(self, query).await
    }

    async fn subscriptions(&self, query: &ListQuery) -> R<Page<SubscriptionRow>> {
        subscriptions::page(self, &subscriptions::SUBSCRIPTIONS, query).await
    }

    async fn renewals(&self, query: &ListQuery) -> R<Page<SubscriptionRow>> {
        subscriptions::page(self, &subscriptions::RENEWALS, query).await
    }

    async fn away(&self, person: &str) -> R<Away> {
        away::away(self, person).await
    }

    async fn due(&self, until: DateTime<Utc>) -> R<Vec<DueRow>> {
        due::due(self, until).await
    }

    async fn renewal_days(&self, days: &[LocalDay]) -> R<Vec<RenewalDay>> {
        renewals::days(self, days).await
    }

    async fn failed(&self, query: &ListQuery) -> R<Page<FailedRow>> {
        failed::page(self, query).await
    }

    async fn declines(&self, query: &ListQuery) -> R<Page<DeclineRow>> {
        declines::page(self, query).await
    }

    async fn totals(&self, list: Summed, query: &ListQuery) -> R<Totals> {
        totals::totals(self, list, query).await
    }

    async fn payments(&self, query: &ListQuery) -> R<Page<PaymentRow>> {
        payments::page(self, query).await
    }

    async fn plans(&self, query: &ListQuery) -> R<Page<PlanRow>> {
        plans::page(self, query).await
    }

    async fn unknowns(&self, query: &ListQuery) -> R<Page<UnknownRow>> {
        unknowns::page(self, query).await
    }

    async fn wishes(&self, query: &ListQuery) -> R<Page<WishRow>> {
        wishes::page(self, query).await
    }

    async fn count_wishes(&self) -> R<u64> {
        wishes::count(self).await
    }

    async fn runs(&self, query: &ListQuery) -> R<Page<RunRow>> {
        runs::page(self, query).await
    }

    async fn run_items(&self, run: RunId, query: &ListQuery) -> R<Page<RunItemRow>> {
        runs::items(self, run, query).await
    }

    async fn activity(&self, query: &ListQuery) -> R<Page<ActivityRow>> {
        activity::page(self, query).await
    }

    async fn events(&self, query: &ListQuery) -> R<Page<EventRow>> {
        activity::events(self, query).await
    }

    async fn find(&self, text: &str, limit: u32) -> R<Vec<Hit>> {
        find::find(self, text, limit).await
    }

    async fn customer_card(&self, id: CustomerId) -> R<CustomerCard> {
        cards::customer(self, id).await
    }

    async fn subscription_card(&self, id: SubscriptionId) -> R<SubscriptionCard> {
        cards::subscription(self, id).await
    }

    async fn timeline(&self, id: InvoiceId) -> R<Timeline> {
        timeline::timeline(self, id).await
    }

    async fn invoice_of_payment(&self, id: PaymentId) -> R<InvoiceId> {
        timeline::of_payment(self, id).await
    }

    async fn invoice_of_attempt(&self, id: AttemptId) -> R<InvoiceId> {
        timeline::of_attempt(self, id).await
    }

    async fn overview(&self, window: &Window) -> R<Overview> {
        overview::overview(self, window).await
    }

    async fn revenue_by_provider(&self, from: NaiveDate, to: NaiveDate) -> R<Vec<ProviderRevenue>> {
        revenue::by_provider(self, from, to).await
    }

    async fn revenue(&self, from: NaiveDate, to: NaiveDate) -> R<RevenueReport> {
        revenue::report(self, from, to).await
    }

    async fn revenue_of(
        &self,
        provider: ProviderName,
        from: NaiveDate,
        to: NaiveDate,
    ) -> R<RevenueReport> {
        revenue::of_provider(self, provider, from, to).await
    }

    async fn fee_figures(&self, from: NaiveDate, to: NaiveDate) -> R<Vec<FeeFigure>> {
        fees::figures(self, from, to).await
    }

    async fn fee_rows(
        &self,
        days: (NaiveDate, NaiveDate),
        after: i64,
        limit: u32,
    ) -> R<Vec<FeeRow>> {
        fees::rows(self, days, after, limit).await
    }

    async fn refresh_figures(&self, limit: u32) -> R<u64> {
        figures::refresh(self, limit).await
    }

    async fn changes(
        &self,
        before: DateTime<Utc>,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> R<ChangePage> {
        changes::page(self, before, after, limit).await
    }

    async fn audit_chain(&self, chain: &str, after_seq: i64, limit: u32) -> R<Vec<AuditRecord>> {
        activity::chain(self, chain, after_seq, limit).await
    }

    async fn audit_chains(&self) -> R<Vec<String>> {
        activity::chains(self).await
    }

    async fn data_version(&self) -> R<i64> {
        watch::data_version(self).await
    }

    async fn next_look_up_in(&self) -> R<Option<Duration>> {
        look_ups::next_in(self).await
    }

    async fn clock(&self) -> R<DateTime<Utc>> {
        clock::now(self).await
    }

    async fn count_unknown(&self) -> R<u64> {
        unknowns::count(self).await
    }

    async fn waiting(&self) -> R<Vec<WaitingRow>> {
        waiting::list(self).await
    }

    async fn waiting_request(&self, id: ApprovalId) -> R<WaitingRow> {
        waiting::one(self, id).await
    }

    async fn count_lapsed(&self) -> R<u64> {
        waiting::count_lapsed(self).await
    }

    async fn count_waiting(&self) -> R<u64> {
        waiting::count(self).await
    }

    async fn saved_views(&self, person: &str) -> R<Vec<SavedView>> {
        views::of(self, person).await
    }

    async fn save_view(&self, person: &str, view: &SavedView) -> R<()> {
        views::save(self, person, view).await
    }
}
