//! Daily figures: a marked day is computed again from its rows.
//!
//! Whoever computes takes the marks it sees away first and commits both together, so an event that
//! commits meanwhile leaves its own mark and the day is computed once more. Nobody's figure is lost.

use chrono::NaiveDate;

use super::query::Query;
use super::tallies;
use crate::engine::ports::{StoreError, Tx};
use crate::store::open::SqlStore;
use crate::store::sql::{Stmt, args};

type R<T> = Result<T, StoreError>;

/// Days of one transaction: it must stay short, because on SQLite everybody else waits.
const DAYS_AT_ONCE: u32 = 4;

/// One at a time, or an older sum could be written over a newer one.
const ONE_AT_A_TIME: Stmt = Stmt::split(
    "select 1 as id",
    "select 1::bigint as id, pg_advisory_xact_lock(8102917403)",
);
const MARKED: Stmt = Stmt::both("select distinct day from dirty_day order by day limit $1");
const UNMARK: Stmt = Stmt::both("delete from dirty_day where day = $1");
const CLEAR: Stmt = Stmt::both("delete from daily_figure where day = $1");
const COMPUTE: Stmt = Stmt::both(
    "insert into daily_figure (day, plan_id, currency, captured_minor, captured_count, refunded_minor, refunded_count)
    select day, plan_id, currency, sum(captured), sum(payments), sum(refunded), sum(refunds) from (
        select captured_on as day, coalesce(plan_id, 0) as plan_id, currency, captured_minor as captured, 1 as payments, 0 as refunded, 0 as refunds
        from payment where captured_on = $1
        union all
        select refunded_on, coalesce(plan_id, 0), currency, 0, 0, amount_minor, 1
        from refund where refunded_on = $1
        union all
        select v.reversed_on, coalesce(r.plan_id, 0), r.currency, 0, 0, 0 - r.amount_minor, 0
        from refund_reversal v join refund r on r.id = v.refund_id where v.reversed_on = $1
    ) taking group by day, plan_id, currency",
);

/// Adds up the tallies and computes up to `limit` marked days; gives how many are left.
pub(super) async fn refresh(db: &SqlStore, limit: u32) -> R<u64> {
    tallies::add_up(db).await?;
    let mut left = limit;
    while left > 0 {
        let done = some(db, left.min(DAYS_AT_ONCE)).await?;
        if done == 0 {
            break;
        }
        left = left.saturating_sub(done);
        // A person who wants to write comes between two batches.
        tokio::task::yield_now().await;
    }
    let sql = "select count(distinct day) as n from dirty_day";
    let marked = db.fetch_number(Query::new(sql)).await?;
    Ok(u64::try_from(marked).unwrap_or(0))
}

async fn some(db: &SqlStore, limit: u32) -> R<u32> {
    let mut tx = db.begin_unlent().await?;
    tx.rows(&ONE_AT_A_TIME, args![]).await?;
    let mut done = 0;
    for row in tx.rows(&MARKED, args![limit]).await? {
        let day: NaiveDate = row.counts("dirty_day").day("day")?;
        tx.execute(&UNMARK, args![day]).await?;
        tx.execute(&CLEAR, args![day]).await?;
        tx.execute(&COMPUTE, args![day]).await?;
        done += 1;
    }
    tx.commit().await?;
    Ok(done)
}
