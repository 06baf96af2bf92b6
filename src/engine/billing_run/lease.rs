//! Who works on a run, and what becomes of one whose process is gone.
//!
//! A run holds a lease in database time and moves it on while it lives, whatever its calls and commits wait for. One
//! whose lease has lapsed was interrupted: the next run or reconciler writes that down. This is book-keeping only, its
//! rows are settled through their attempts; so a run that was cut off from the database for longer than its lease and
//! comes back is simply running again.

use chrono::{DateTime, Duration, Utc};

use crate::domain::ids::RunId;
use crate::domain::operator::Verb;
use crate::domain::run::{INTERRUPTED, Run};
use crate::domain::states::RunState;

use super::super::Engine;
use super::super::audit::{Actor, Press};
use super::super::ports::{Attempts as _, Desk, RunLeases as _, Store, StoreError, Tx};
use super::super::refusal::VerbError;

impl<S: Store> Engine<S> {
    /// Until when a run that shows a sign of life now is taken for alive.
    pub(super) fn run_lease(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + Duration::seconds(self.parts.settings.run_lease_s.max(1))
    }

    /// Moves the run's lease on for as long as this is awaited. Never ends by itself.
    pub(super) async fn keep_run(&self, run: RunId) -> std::convert::Infallible {
        let beat_ms = (self.parts.settings.run_lease_s.max(1) * 1_000 / 6).max(50);
        loop {
            self.pause_ms(beat_ms).await;
            // What cannot be written now is written with the next beat; there are five more in the lease.
            let _next = self.show_life(run).await;
        }
    }

    async fn show_life(&self, run: RunId) -> Result<(), StoreError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let now = tx.db_now().await?;
        tx.hold_run(run, self.run_lease(now)).await?;
        tx.commit().await
    }

    /// Writes down which runs were interrupted. Gives how many.
    pub(in crate::engine) async fn close_interrupted_runs<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        now: DateTime<Utc>,
    ) -> Result<u32, VerbError> {
        let mut closed = 0;
        for id in tx.lapsed_runs(now).await? {
            let run = tx.lock_run(id).await?;
            self.close_interrupted(tx, run, actor, now).await?;
            closed += 1;
        }
        Ok(closed)
    }

    async fn close_interrupted<T: Tx>(
        &self,
        tx: &mut T,
        mut run: Run,
        actor: Actor<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        run.state = RunState::Stopped;
        run.finished_at = Some(self.now());
        run.stop_reason = Some(INTERRUPTED.to_owned());
        tx.save_run(&run).await?;
        let press = Press {
            verb: Verb::BillRun.as_str(),
            target: run.public_id.as_str(),
            after: run.state.as_str(),
            reason: &run.host,
            result: INTERRUPTED,
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, now).await?)
    }
}
