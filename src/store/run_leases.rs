//! Who still works on a billing run, in database time, and which runs were left behind.
//!
//! A run that is worked on moves its lease on again and again; nothing here touches a row of money.

use chrono::{DateTime, Utc};

use super::sql::{Stmt, args, claimed};
use super::tx::SqlTx;
use crate::domain::ids::RunId;
use crate::domain::run::INTERRUPTED;
use crate::engine::ports::{RunLeases, StoreError};

type R<T> = Result<T, StoreError>;

/// A run that was taken for interrupted and is worked on all the same is running again.
const HOLD: Stmt = Stmt::both(
    "update run set lease_until = $2, state = 'running', finished_at = null, stop_reason = null
    where id = $1 and (state = 'running' or (state = 'stopped' and stop_reason = $3))",
);
const LAPSED: Stmt = claimed!(
    "select id from run where state = 'running' and lease_until <= $1 order by id limit 20"
);
const OWNERS: Stmt =
    Stmt::both("select distinct host from run where state = 'running' order by host");
const LET_GO: Stmt = Stmt::both(
    "update run set lease_until = $2
    where host = $1 and state = 'running' and (lease_until is null or lease_until > $2)",
);

impl RunLeases for SqlTx<'_> {
    async fn hold_run(&mut self, id: RunId, until: DateTime<Utc>) -> R<()> {
        // A run that ended by itself meanwhile is not held any more.
        let held = self.execute(&HOLD, args![id, until, INTERRUPTED]).await;
        held.map(|_rows| ())
    }

    async fn lapsed_runs(&mut self, now: DateTime<Utc>) -> R<Vec<RunId>> {
        let rows = self.rows(&LAPSED, args![now]).await?;
        rows.iter()
            .map(|row| Ok(RunId(row.counts("run").i64("id")?)))
            .collect()
    }

    async fn run_owners(&mut self) -> R<Vec<String>> {
        let rows = self.rows(&OWNERS, args![]).await?;
        rows.iter()
            .map(|row| row.counts("run").text("host"))
            .collect()
    }

    async fn let_go_of_runs(&mut self, owner: &str, now: DateTime<Utc>) -> R<u64> {
        self.execute(&LET_GO, args![owner, now]).await
    }
}
