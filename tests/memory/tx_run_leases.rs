//! Signs of life of runs, in memory.

use chrono::{DateTime, Utc};

use paydeck::domain::ids::RunId;
use paydeck::domain::run::Run;
use paydeck::domain::states::RunState;
use paydeck::engine::ports::RunLeases;

use super::db::{Kind, RunLeaseRow};
use super::store::{MemTx, R};

impl MemTx<'_> {
    fn lease_of(&self, run: RunId) -> Option<(i64, Option<DateTime<Utc>>)> {
        let db = self.db();
        let mut rows = db.tables.run_leases.rows_of(self.no);
        rows.find(|(_, row)| row.run == run)
            .map(|(id, row)| (id, row.until))
    }

    fn running(&self) -> Vec<Run> {
        let db = self.db();
        let runs = db.tables.runs.rows_of(self.no);
        runs.filter(|(_, run)| run.state == RunState::Running)
            .map(|(_, run)| Run::clone(run))
            .collect()
    }

    async fn lease(&mut self, run: RunId, until: DateTime<Utc>) -> R<()> {
        let row = RunLeaseRow {
            run,
            until: Some(until),
        };
        match self.lease_of(run) {
            Some((id, _)) => {
                self.put(
                    Kind::RunLease,
                    id,
                    |t| &mut t.run_leases,
                    |_| Some(row.clone()),
                )
                .await?;
            }
            None => {
                self.add(Kind::RunLease, row, &[], |t| &mut t.run_leases)
                    .await?;
            }
        }
        Ok(())
    }
}

impl RunLeases for MemTx<'_> {
    async fn hold_run(&mut self, id: RunId, until: DateTime<Utc>) -> R<()> {
        self.step("hold run").await?;
        let is_held = self
            .put(
                Kind::Run,
                id.0,
                |t| &mut t.runs,
                |old| {
                    let is_live = old.state == RunState::Running || old.is_interrupted();
                    is_live.then(|| Run {
                        state: RunState::Running,
                        finished_at: None,
                        stop_reason: None,
                        ..old.clone()
                    })
                },
            )
            .await?;
        if is_held {
            self.lease(id, until).await?;
        }
        Ok(())
    }

    async fn lapsed_runs(&mut self, now: DateTime<Utc>) -> R<Vec<RunId>> {
        self.step("lapsed runs").await?;
        let mut lapsed = Vec::new();
        for run in self.running() {
            let until = self.lease_of(run.id).and_then(|(_, until)| until);
            if until.is_some_and(|until| until <= now)
                && self
                    .take(Kind::Run, run.id.0, |t| &mut t.runs)
                    .await?
                    .is_some_and(|run| run.state == RunState::Running)
            {
                lapsed.push(run.id);
            }
        }
        Ok(lapsed)
    }

    async fn run_owners(&mut self) -> R<Vec<String>> {
        self.step("run owners").await?;
        let mut owners: Vec<String> = self.running().into_iter().map(|run| run.host).collect();
        owners.sort();
        owners.dedup();
        Ok(owners)
    }

    async fn let_go_of_runs(&mut self, owner: &str, now: DateTime<Utc>) -> R<u64> {
        self.step("let go of runs").await?;
        let mut count = 0;
        for run in self.running() {
            let until = self.lease_of(run.id).and_then(|(_, until)| until);
            if run.host == owner && until.is_none_or(|until| until > now) {
                self.lease(run.id, now).await?;
                count += 1;
            }
        }
        Ok(count)
    }
}
