//! Tallies: adding up what has been written since, and telling whether they still say what the rows say.
//!
//! SQLite's triggers change the sums at once. PostgreSQL's only add rows to a list; here they become
//! sums, in one statement that takes away exactly the rows it adds up, so nothing is lost or counted
//! twice whoever writes meanwhile. Readers sum both and never depend on this being done.

use super::query::{Flavour, Query};
use crate::engine::ports::{StoreError, Tx};
use crate::store::open::SqlStore;
use crate::store::sql::{Stmt, args};

type R<T> = Result<T, StoreError>;

/// Rows added up by one transaction: it must stay short.
const ROWS_AT_ONCE: u32 = 20_000;
const LEFT_ALONE: u32 = 1_000;

/// One at a time: two that change the same sums would wait for each other.
const ONE_AT_A_TIME: Stmt = Stmt::both("select 1::bigint as id, pg_advisory_xact_lock(8102917404)");

/// A tally: its name, and the statements that look after it. All but the last are for PostgreSQL.
struct Tally {
    name: &'static str,
    /// Whether there is anything to add up beyond so many rows.
    listed: Stmt,
    /// Makes sums of listed rows.
    add_up: Stmt,
    /// Takes away sums that have come to nothing.
    clear: Stmt,
    /// Keys whose sums are not what the rows come to.
    differing: &'static str,
}

macro_rules! tally {
    ($name:literal, $keys:literal, [$first:literal $(, $more:literal)*]) => {
        Tally {
            name: $name,
            listed: Stmt::both(concat!(
                "select 1::bigint as n from tally_", $name, " where is_sum = 0 limit 1 offset $1"
            )),
            add_up: Stmt::both(concat!(
                "with gone as (delete from tally_", $name, " where ctid = any (array(select ctid from tally_", $name,
                " where is_sum = 0 limit $1)) and is_sum = 0 returning *) ",
                "insert into tally_", $name, " as t (", $keys, ", is_sum, ", $first $(, ", ", $more)*, ") ",
                "select ", $keys, ", 1, sum(", $first, ")::bigint" $(, ", sum(", $more, ")::bigint")*,
                " from gone group by ", $keys,
                " on conflict (", $keys, ") where is_sum = 1 do update set ",
                $first, " = t.", $first, " + excluded.", $first
                $(, ", ", $more, " = t.", $more, " + excluded.", $more)*
            )),
            clear: Stmt::both(concat!(
                "delete from tally_", $name, " where is_sum = 1 and ", $first, " = 0" $(, " and ", $more, " = 0")*
            )),
            differing: concat!(
                "select count(*) as n from (select ", $keys, " from (select ", $keys, ", ", $first, " as n, ",
                $crate::store::reads::tallies::second!($($more)*), " as m from tally_", $name,
                " union all select ", $keys, ", -1, 0 - ", $crate::store::reads::tallies::second!($($more)*),
                " from counted_", $name, ") both_sides group by ", $keys,
                " having sum(n) <> 0 or sum(m) <> 0) differing"
            ),
        }
    };
}

/// The second measure of a tally, where there is one.
macro_rules! second {
    () => {
        "0"
    };
    ($measure:literal) => {
        $measure
    };
}
use second;

const TALLIES: [Tally; 5] = [
    tally!(
        "standing",
        "plan_id, state, price_minor, currency, quantity, interval_unit, interval_count",
        ["subscriptions"]
    ),
    tally!(
        "renewal",
        "at, currency, state, method, card_month, ends",
        ["renewals", "amount_minor"]
    ),
    tally!("turnover", "at, what, currency", ["subscriptions"]),
    tally!("decline", "day, currency, class, code", ["attempts"]),
    tally!("failure", "day, before, is_paid", ["invoices"]),
];

/// Adds up what was written before the call. What does not change is not written.
pub(super) async fn add_up(db: &SqlStore) -> R<()> {
    if db.flavour() == Flavour::Sqlite {
        return Ok(());
    }
    for tally in &TALLIES {
        let mut left_alone = 0;
        while !db.rows(&tally.listed, args![left_alone]).await?.is_empty() {
            let mut tx = db.begin_unlent().await?;
            tx.rows(&ONE_AT_A_TIME, args![]).await?;
            tx.execute(&tally.add_up, args![ROWS_AT_ONCE]).await?;
            tx.execute(&tally.clear, args![]).await?;
            tx.commit().await?;
            // What comes meanwhile is little and can wait for the next call.
            left_alone = LEFT_ALONE;
        }
    }
    Ok(())
}

impl SqlStore {
    /// The tallies that are not what their rows come to: none, unless triggers were circumvented. It
    /// reads every row.
    pub async fn differing_tallies(&self) -> R<Vec<&'static str>> {
        let mut names = Vec::new();
        for tally in &TALLIES {
            if self.fetch_number(Query::new(tally.differing)).await? > 0 {
                names.push(tally.name);
            }
        }
        Ok(names)
    }
}
