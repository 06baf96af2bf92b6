//! The month's MRR and its movements, from the history as the read side gives it.

use chrono::{Datelike, Months, NaiveDate};
use chrono_tz::Tz;

use super::Reads;
use crate::domain::movements::{MovementError, Movements, MrrChange, MrrReport};
use crate::domain::period::day_start;
use crate::engine::ports::StoreError;

/// Rows of history taken at a time.
const PAGE: u32 = 2_000;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The month lies outside the calendar.
    #[error("month out of range")]
    Month,
    /// The database did not give the history.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history does not add up.
    #[error(transparent)]
    Movements(#[from] MovementError),
}

/// One report per currency for the local month that `month` lies in.
pub async fn mrr_report<R: Reads>(
    reads: &R,
    month: NaiveDate,
    zone: Tz,
) -> Result<Vec<MrrReport>, ReportError> {
    let first = month.with_day(1).ok_or(ReportError::Month)?;
    let next = first
        .checked_add_months(Months::new(1))
        .ok_or(ReportError::Month)?;
    let (from, to) = (day_start(first, zone), day_start(next, zone));
    let mut movements = Movements::new(from, to);
    let mut after = None;
    loop {
        let page = reads.changes(to, after, PAGE).await?;
        for row in &page.rows {
            movements.apply(&MrrChange {
                change: &row.change,
                customer_id: row.customer_id,
                interval: row.interval,
                cancel_requested_at: row.cancel_requested_at,
                first_failed_at: row.first_failed_at,
            })?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(movements.finish()?);
        }
    }
}
