//! What calls to the provider were like in the last hour, at most the newest of them.
//!
//! One walk along an index; whose call it was is read off its attempt, and percentiles are picked from the counts.

use crate::domain::mode::ProviderName;
use crate::engine::ports::StoreError;
use crate::engine::queries::Health;
use crate::store::open::SqlStore;
use crate::store::sql::{Stmt, args};

type R<T> = Result<T, StoreError>;

macro_rules! calls_since {
    ($hour_ago:literal) => {
        concat!(
            "select a.provider, elapsed_ms, count(*) as n, \
             count(case when outcome in ('timed_out', 'broken', 'server_error', 'unreadable', 'mismatch', 'not_sent', 'throttled') then 1 end) as troubled \
             from (select attempt_id, outcome, elapsed_ms from evidence where at >= ",
            $hour_ago,
            " and source in ('answer', 'look_up', 'reconciliation') and outcome <> 'unconfirmed' order by at desc limit $1) newest \
             join attempt a on a.id = newest.attempt_id \
             group by a.provider, elapsed_ms order by elapsed_ms desc"
        )
    };
}

/// Calls are dated by the database's own clock, so "the last hour" is too.
const CALLS: Stmt = Stmt::split(
    calls_since!("cast((unixepoch('subsec') - 3600) * 1000000 as integer)"),
    calls_since!("((extract(epoch from clock_timestamp()) - 3600) * 1000000)::bigint"),
);
/// More say nothing new about the hour, and a billing run makes very many.
const LOOKED_AT: u32 = 10_000;

pub(super) async fn of_the_last_hour(db: &SqlStore) -> R<Vec<(ProviderName, Health)>> {
    let rows = db.rows(&CALLS, args![LOOKED_AT]).await?;
    let mut seen: Vec<(ProviderName, u64, u64, u64)> = Vec::with_capacity(rows.len());
    for row in rows {
        let cells = row.counts("evidence");
        seen.push((
            cells.word("provider", ProviderName::parse)?,
            cells.count("elapsed_ms")?,
            cells.count("n")?,
            cells.count("troubled")?,
        ));
    }
    let each = ProviderName::ALL.into_iter().map(|provider| {
        let mut health = Health::default();
        let mut durations = Vec::new();
        for (_, elapsed_ms, count, troubled) in seen.iter().filter(|call| call.0 == provider) {
            health.calls += count;
            health.troubled += troubled;
            durations.push((*elapsed_ms, *count));
        }
        health.p50_ms = slowest_but(health.calls / 2, &durations);
        health.p95_ms = slowest_but(health.calls / 20, &durations);
        (provider, health)
    });
    Ok(each.filter(|(_, health)| health.calls > 0).collect())
}

/// How long the slowest call took, after so many slower ones are left out.
fn slowest_but(slower: u64, calls: &[(u64, u64)]) -> Option<u64> {
    let mut seen = 0;
    calls.iter().find_map(|(elapsed_ms, count)| {
        seen += count;
        (seen > slower).then_some(*elapsed_ms)
    })
}
