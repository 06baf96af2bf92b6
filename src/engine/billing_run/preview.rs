//! What a run would do: the list and the total, without a call and without a write.

use chrono::{DateTime, Utc};

use crate::domain::ids::PublicId;
use crate::domain::money::Money;
use crate::domain::states::SubscriptionState;

use super::super::Engine;
use super::super::fingerprint::Fingerprint;
use super::super::ports::Store;
use super::super::queries::{CustomerBrief, ListQuery, Reads, SubscriptionRow};
use super::super::refusal::VerbError;

/// One row that would be billed.
#[derive(Debug, Clone)]
pub struct RunPreviewRow {
    /// The subscription.
    pub subscription: PublicId,
    /// Who pays.
    pub customer: CustomerBrief,
    /// Plan or description, raw.
    pub what: String,
    /// How much.
    pub amount: Money,
    /// Since when it is due.
    pub due_at: Option<DateTime<Utc>>,
    /// `renewal`, `trial end`, `ends` or `dunning`.
    pub kind: &'static str,
}

/// What a run would do.
#[derive(Debug, Clone)]
pub struct RunPreview {
    /// The rows, soonest first.
    pub rows: Vec<RunPreviewRow>,
    /// What would be charged, per currency.
    pub totals: Vec<Money>,
    /// Digest of rows and amounts.
    pub fingerprint: String,
}

/// How many rows are read at once.
const PAGE: u32 = 500;

impl<S: Store + Reads> Engine<S> {
    /// The rows a run would bill at `until`, and their sums.
    pub async fn preview_run(&self, until: DateTime<Utc>) -> Result<RunPreview, VerbError> {
        let mut rows = self.due_renewals(until).await?;
        rows.extend(self.due_dunning(until).await?);
        let mut totals: Vec<Money> = Vec::new();
        let mut fingerprint = Fingerprint::of("bill-run");
        for row in &rows {
            fingerprint = fingerprint
                .and(row.subscription.as_str())
                .number(row.amount.minor())
                .and(row.kind);
            if row.kind == "ends" {
                continue;
            }
            match totals
                .iter_mut()
                .find(|sum| sum.currency() == row.amount.currency())
            {
                Some(sum) => {
                    *sum = sum
                        .checked_add(row.amount)
                        .map_err(|e| VerbError::Range(e.to_string()))?;
                }
                None => totals.push(row.amount),
            }
        }
        Ok(RunPreview {
            rows,
            totals,
            fingerprint: fingerprint.finish(),
        })
    }

    async fn due_renewals(&self, until: DateTime<Utc>) -> Result<Vec<RunPreviewRow>, VerbError> {
        let mut query = ListQuery {
            to: Some(until + chrono::Duration::microseconds(1)),
            ..ListQuery::first(PAGE)
        };
        let mut rows = Vec::new();
        loop {
            let page = self.store().renewals(&query).await?;
            rows.extend(
                page.rows
                    .iter()
                    .filter(|row| is_billed(row))
                    .map(|row| preview_row(row, until)),
            );
            match page.cursors.last() {
                Some(last) if page.has_more => query.cursor = Some(last.clone()),
                _ => return Ok(rows),
            }
        }
    }

    async fn due_dunning(&self, until: DateTime<Utc>) -> Result<Vec<RunPreviewRow>, VerbError> {
        let mut query = ListQuery::first(PAGE);
        let mut rows = Vec::new();
        loop {
            let page = self.store().failed(&query).await?;
            for row in &page.rows {
                let is_due =
                    row.next_attempt_at.is_some_and(|at| at <= until) && row.open_attempt.is_none();
                if is_due {
                    rows.push(RunPreviewRow {
                        subscription: row.invoice_public_id.clone(),
                        customer: row.customer.clone(),
                        what: row.what.clone(),
                        amount: row.amount,
                        due_at: row.next_attempt_at,
                        kind: "dunning",
                    });
                }
            }
            match page.cursors.last() {
                Some(last) if page.has_more => query.cursor = Some(last.clone()),
                _ => return Ok(rows),
            }
        }
    }
}

const fn is_billed(row: &SubscriptionRow) -> bool {
    matches!(
        row.state,
        SubscriptionState::Active | SubscriptionState::Trialing
    )
}

fn preview_row(row: &SubscriptionRow, until: DateTime<Utc>) -> RunPreviewRow {
    let ends = row.cancel_at.is_some_and(|end| end <= until);
    RunPreviewRow {
        subscription: row.public_id.clone(),
        customer: row.customer.clone(),
        what: row.plan_name.clone(),
        amount: row.amount,
        due_at: row.next_due_at,
        kind: match row.state {
            _ if ends => "ends",
            SubscriptionState::Trialing => "trial end",
            _ => "renewal",
        },
    }
}
