//! Billing runs and what they decided about each due row.

use chrono::{DateTime, Utc};

use super::batch::Written;
use super::sql::{Stmt, args, locked};
use super::tx::SqlTx;
use crate::domain::ids::{AttemptId, Noun, RunId};
use crate::domain::run::{Decision, Run, RunItem};
use crate::domain::states::RunState;
use crate::engine::ports::{Runs, StoreError};

type R<T> = Result<T, StoreError>;

const INSERT: Stmt = Stmt::both(
    "insert into run (public_id, tail, state, operator, host, until_at, started_at, finished_at, stop_reason)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id",
);
const LOCK: Stmt = locked!(
    "select id, public_id, state, operator, host, until_at, started_at, finished_at, stop_reason from run where id = $1"
);
const SAVE: Stmt =
    Stmt::both("update run set state = $2, finished_at = $3, stop_reason = $4 where id = $1");
const SAVE_ITEM: Stmt = Stmt::of_rows(
    "insert into run_item (run_id, subscription_id, invoice_id, attempt_id, decision, reason, at)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6
    from json_each($1) e
    where true on conflict (run_id, subscription_id, coalesce(invoice_id, 0))
    do update set attempt_id = excluded.attempt_id, decision = excluded.decision, reason = excluded.reason, at = excluded.at",
    "insert into run_item (run_id, subscription_id, invoice_id, attempt_id, decision, reason, at)
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[])
    on conflict (run_id, subscription_id, coalesce(invoice_id, 0))
    do update set attempt_id = excluded.attempt_id, decision = excluded.decision, reason = excluded.reason, at = excluded.at",
);
const DECIDE: Stmt = Stmt::of_rows(
    "update run_item set decision = e.value ->> 1, at = e.value ->> 2
    from json_each($1) e
    where run_item.attempt_id = (e.value ->> 0) and (run_item.decision is null or run_item.decision in ('unknown', 'not_sent', 'not_executed'))",
    "update run_item r set decision = new.decision, at = new.at
    from unnest($1::bigint[], $2::text[], $3::bigint[]) as new (attempt_id, decision, at)
    where r.attempt_id = new.attempt_id and (r.decision is null or r.decision in ('unknown', 'not_sent', 'not_executed'))",
);
const TOTALS: Stmt = Stmt::both(
    "select decision, count(*) as n from run_item where run_id = $1 group by decision order by decision",
);

impl Runs for SqlTx<'_> {
    async fn insert_run(&mut self, run: &Run) -> R<RunId> {
        let values = args![
            run.public_id.as_str(),
            run.public_id.tail(),
            run.state.as_str(),
            run.operator.as_str(),
            run.host.as_str(),
            run.until,
            run.started_at,
            run.finished_at,
            run.stop_reason.as_deref()
        ];
        self.insert(&INSERT, values).await.map(RunId)
    }

    async fn lock_run(&mut self, id: RunId) -> R<Run> {
        let row = self.one(&LOCK, args![id], Noun::Run).await?;
        let cells = row.cells("run")?;
        Ok(Run {
            id,
            public_id: cells.public_id()?,
            state: cells.word("state", RunState::parse)?,
            operator: cells.text("operator")?,
            host: cells.text("host")?,
            until: cells.at("until_at")?,
            started_at: cells.at("started_at")?,
            finished_at: cells.opt_at("finished_at")?,
            stop_reason: cells.opt_text("stop_reason")?,
        })
    }

    async fn save_run(&mut self, run: &Run) -> R<()> {
        let values = args![
            run.id,
            run.state.as_str(),
            run.finished_at,
            run.stop_reason.as_deref()
        ];
        self.change(&SAVE, values, Noun::Run).await
    }

    async fn save_run_item(&mut self, item: &RunItem) -> R<()> {
        let values = args![
            item.run_id,
            item.subscription_id,
            item.invoice_id,
            item.attempt_id,
            item.decision.map(Decision::as_str),
            item.reason.as_str(),
            item.at
        ];
        // Two rows of one statement must not meet: a subscription has one without an invoice.
        let key = item.invoice_id.map_or(-item.subscription_id.0, |id| id.0);
        self.put(Written::RunItems, &SAVE_ITEM, values, key).await
    }

    async fn decide_run_items(
        &mut self,
        attempt: AttemptId,
        decision: Decision,
        at: DateTime<Utc>,
    ) -> R<()> {
        let values = args![attempt, decision.as_str(), at];
        self.put(Written::Decisions, &DECIDE, values, attempt.0)
            .await
    }

    async fn run_totals(&mut self, id: RunId) -> R<Vec<(Option<Decision>, u64)>> {
        let rows = self.rows(&TOTALS, args![id]).await?;
        rows.iter()
            .map(|row| {
                let cells = row.counts("run_item");
                Ok((
                    cells.opt_word("decision", Decision::parse)?,
                    cells.count("n")?,
                ))
            })
            .collect()
    }
}
