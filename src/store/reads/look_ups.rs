//! When a reconciler has something to do, in database time: an open attempt that may be worked on, one declared not
//! executed that is asked about again, or a run under way whose lease lapses.
//!
//! The conditions are those of the claim in `store::attempts` and of `store::run_leases`; nothing is claimed here.

use std::time::Duration;

use super::query::{Flavour, Query};
use crate::engine::ports::StoreError;
use crate::store::open::SqlStore;

/// The first by their next look-up are enough: every other one is later than one of these, and
/// whatever holds these back ends before long.
macro_rules! left {
    ($now:literal, $latest:literal) => {
        concat!(
            "select min(n) as n from (select min(at) - ",
            $now,
            " as n from (select ",
            $latest,
            "(coalesce(next_check_at, 0), coalesce(lease_until, 0), case when state <> 'ready' then 0 \
             when send_after is not null then send_after when source in ('run', 'dunning') then 0 \
             else created_at + 120000000 end) as at \
             from attempt where state in ('ready', 'sent', 'unknown') \
             order by next_check_at nulls first, id limit 200) open \
             union all select ",
            $latest,
            "(next_check_at, coalesce(lease_until, 0)) - ",
            $now,
            " as n from (select next_check_at, lease_until from attempt \
             where state = 'not_executed' and next_check_at is not null \
             order by next_check_at, id limit 1) absent \
             union all select min(lease_until) - ",
            $now,
            " as n from run where state = 'running') work"
        )
    };
}
const LEFT_SQLITE: &str = left!("cast(unixepoch('subsec') * 1000000 as integer)", "max");
const LEFT_POSTGRES: &str = left!(
    "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
    "greatest"
);

pub(super) async fn next_in(db: &SqlStore) -> Result<Option<Duration>, StoreError> {
    let sql = match db.flavour() {
        Flavour::Sqlite => LEFT_SQLITE,
        Flavour::Postgres => LEFT_POSTGRES,
    };
    let Some(row) = db.fetch_first(Query::new(sql)).await? else {
        return Ok(None);
    };
    let left_us = row.counts("attempt").opt_i64("n")?;
    Ok(left_us.map(|left| Duration::from_micros(u64::try_from(left).unwrap_or(0))))
}
