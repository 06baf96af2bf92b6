//! The append-only history of subscriptions in time order, page by page, for MRR movements.

use chrono::{DateTime, Utc};

use super::cards::change;
use super::query::{Query, values};
use crate::domain::ids::CustomerId;
use crate::domain::period::{Interval, Unit};
use crate::engine::ports::StoreError;
use crate::engine::queries::{ChangePage, ChangeRow};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

/// The ids of a page are picked along the index of times before anything is joined.
const PAGE: &str = "with picked (id, at) as (select h.id, h.at from subscription_change h \
     where h.at < ? and (h.at, h.id) > (?, ?) order by h.at, h.id limit ?) \
     select h.id as id, h.subscription_id, h.at, h.from_state, h.to_state, h.plan_id, h.price_minor, \
     h.currency, h.quantity, h.discount_minor, h.cause, h.requested_by, h.requested_at, \
     s.customer_id, s.cancel_requested_at, s.first_failed_at, l.interval_unit, l.interval_count \
     from picked k join subscription_change h on h.id = k.id \
     join subscription s on s.id = h.subscription_id join plan l on l.id = h.plan_id \
     order by k.at, k.id";

fn read(row: &Row) -> R<ChangeRow> {
    let cells = row.cells("subscription_change")?;
    Ok(ChangeRow {
        change: change(&cells)?,
        customer_id: CustomerId(cells.i64("customer_id")?),
        interval: Interval {
            unit: cells.word("interval_unit", Unit::parse)?,
            count: cells.u32("interval_count")?,
        },
        cancel_requested_at: cells.opt_at("cancel_requested_at")?,
        first_failed_at: cells.opt_at("first_failed_at")?,
    })
}

/// History with `at < before` after the key `(at, id)`.
pub(super) async fn page(
    db: &SqlStore,
    before: DateTime<Utc>,
    after: Option<(i64, i64)>,
    limit: u32,
) -> R<ChangePage> {
    let (at, id) = after.unwrap_or((i64::MIN, i64::MIN));
    let limit = limit.clamp(1, 10_000);
    let found = db
        .fetch(Query::with(PAGE, values![before, at, id, limit]))
        .await?;
    let is_full = found.len() == limit as usize;
    let next = match found.last() {
        Some(row) if is_full => {
            let cells = row.cells("subscription_change")?;
            Some((cells.i64("at")?, cells.i64("id")?))
        }
        _ => None,
    };
    Ok(ChangePage {
        rows: found.iter().map(read).collect::<R<_>>()?,
        next,
    })
}
