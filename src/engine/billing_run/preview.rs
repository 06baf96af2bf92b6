//! What a run would do: the list and the total, without a call and without a write.

use chrono::{DateTime, Utc};

use crate::domain::ids::PublicId;
use crate::domain::money::Money;
use crate::domain::plan::minimum_charge;
use crate::domain::states::SubscriptionState;

use super::super::Engine;
use super::super::fingerprint::Fingerprint;
use super::super::ports::Store;
use super::super::queries::{CustomerBrief, DueRow, Reads};
use super::super::refusal::VerbError;

/// One row that would be billed.
#[derive(Debug, Clone)]
pub struct RunPreviewRow {
    /// The subscription that renews or ends.
    pub subscription: Option<PublicId>,
    /// The invoice that is tried again.
    pub invoice: Option<PublicId>,
    /// Who pays.
    pub customer: CustomerBrief,
    /// Plan or description, raw.
    pub what: String,
    /// How much.
    pub amount: Money,
    /// Since when it is due.
    pub due_at: Option<DateTime<Utc>>,
    /// `renewal`, `trial end`, `ends`, `dunning`, `no card` or `locked`: an earlier attempt is not settled.
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

impl RunPreviewRow {
    /// Whether a charge goes out for it.
    fn is_charged(&self) -> bool {
        let is_enough = self.amount.minor() >= minimum_charge(self.amount.currency()).minor();
        is_enough && matches!(self.kind, "renewal" | "trial end" | "dunning")
    }
}

impl<S: Store + Reads> Engine<S> {
    /// The rows a run would take up at `until`, as many as it counts, and the sums that it would charge.
    pub async fn preview_run(&self, until: DateTime<Utc>) -> Result<RunPreview, VerbError> {
        let due = self.store().due(until).await?;
        let rows: Vec<RunPreviewRow> = due.into_iter().map(|row| preview_row(row, until)).collect();
        let mut totals: Vec<Money> = Vec::new();
        let mut fingerprint = Fingerprint::of("bill-run");
        for row in &rows {
            let named = row.subscription.as_ref().or(row.invoice.as_ref());
            fingerprint = fingerprint
                .and(named.map(PublicId::as_str).unwrap_or_default())
                .number(row.amount.minor())
                .and(row.kind);
            if !row.is_charged() {
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
}

/// What becomes of a row: the questions of `bill_subscription` and `bill_dunning`, in their order.
fn preview_row(row: DueRow, until: DateTime<Utc>) -> RunPreviewRow {
    let ends = !row.is_retry
        && (row.state == SubscriptionState::PastDue
            || row.cancel_at.is_some_and(|end| end <= until)
            || (row.state == SubscriptionState::Trialing && !row.has_card));
    let kind = if ends {
        "ends"
    } else if row.is_locked {
        "locked"
    } else if !row.has_card && row.amount.is_positive() {
        "no card"
    } else if row.is_retry {
        "dunning"
    } else if row.state == SubscriptionState::Trialing {
        "trial end"
    } else {
        "renewal"
    };
    let (subscription, invoice) = if row.is_retry {
        (None, Some(row.public_id))
    } else {
        (Some(row.public_id), None)
    };
    RunPreviewRow {
        subscription,
        invoice,
        customer: row.customer,
        what: row.what,
        amount: row.amount,
        due_at: Some(row.due_at),
        kind,
    }
}
