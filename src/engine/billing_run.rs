//! The billing run: bills what is due, once, at a bounded number of calls in flight.
//!
//! Rows are claimed in small commits that make the invoice, advance the subscription and write the
//! attempt as `sent`; calls start as places become free; answers are settled in batches while other
//! calls are out. Killed at any line, every claimed row has an attempt that the reconciler settles.

mod bill;
mod drive;
mod incomplete;
mod lease;
mod preview;
mod settle;
mod stop;
mod unpayable;

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::future::{Either, select};

use crate::domain::ids::{Noun, PublicId, RunId};
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Verb};
use crate::domain::run::{Decision, Run};
use crate::domain::states::RunState;

use super::Engine;
use super::audit::{Actor, Press};
use super::ports::{Attempts, Desk, Invoices, RunLeases, Runs, Store, Subscriptions, Tx};
use super::refusal::VerbError;

pub(super) use bill::{MISSED_LIMIT, Renewal};
pub use preview::{RunPreview, RunPreviewRow};

/// What a billing run did.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The run.
    pub run: Run,
    /// How many rows were due when it started.
    pub due: u64,
    /// How many rows have each decision.
    pub totals: Vec<(Decision, u64)>,
    /// Rows whose decision is still to come: their attempts are open.
    pub undecided: u64,
    /// Charged in all, per currency.
    pub charged: Vec<Money>,
    /// How late the oldest row was, in whole days.
    pub late_days: i64,
}

/// How far a run has come.
#[derive(Debug, Clone)]
pub struct RunProgress {
    /// Which run.
    pub run: PublicId,
    /// How many rows were due when it started.
    pub due: u64,
    /// Rows with a decision so far.
    pub decided: u64,
    /// Calls out right now.
    pub in_flight: usize,
}

/// Whoever wants to know how far a run has come.
pub type Progress<'a> = &'a mut (dyn FnMut(RunProgress) + Send);

impl<S: Store> Engine<S> {
    /// Bills everything due at `until`: renewals, trial ends, scheduled ends, dunning attempts.
    ///
    /// # Errors
    /// When the person may not, or the database stays away. Whatever was claimed is settled by the
    /// reconciler.
    pub async fn billing_run(
        &self,
        operator: &Operator,
        until: DateTime<Utc>,
        progress: Progress<'_>,
    ) -> Result<RunSummary, VerbError> {
        self.allow(operator, Verb::BillRun).await?;
        let actor = Actor::from(operator);
        let (run, due) = self.start_run(actor, until).await?;
        let mut drive = drive::Drive::new(self, &run, actor, due);
        let ended = {
            let work = pin!(drive.work_through(progress));
            let life = pin!(self.keep_run(run.id));
            match select(work, life).await {
                Either::Left((ended, _)) => ended,
                Either::Right((never, _)) => match never {},
            }
        };
        let stop_reason = match &ended {
            Ok(()) => drive.stop_reason(),
            Err(error) => Some(error.to_string()),
        };
        let (charged, late_days) = (drive.charged(), drive.late_days());
        drop(drive);
        let finished = self.finish_run(run, actor, stop_reason).await;
        ended?;
        let (run, totals) = finished?;
        let undecided = totals
            .iter()
            .filter(|(d, _)| d.is_none())
            .map(|(_, n)| n)
            .sum();
        let totals = totals
            .into_iter()
            .filter_map(|(d, n)| d.map(|d| (d, n)))
            .collect();
        Ok(RunSummary {
            run,
            due,
            totals,
            undecided,
            charged,
            late_days,
        })
    }

    async fn start_run(
        &self,
        actor: Actor<'_>,
        until: DateTime<Utc>,
    ) -> Result<(Run, u64), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let due = tx.count_due_subscriptions(until).await? + tx.count_due_dunning(until).await?;
        let mut run = Run {
            id: RunId(0),
            public_id: self.parts.ids.public_id(Noun::Run),
            state: RunState::Running,
            operator: actor.person.to_owned(),
            host: self.parts.process.clone(),
            until,
            started_at: self.now(),
            finished_at: None,
            stop_reason: None,
        };
        run.id = tx.insert_run(&run).await?;
        let at = tx.db_now().await?;
        self.close_interrupted_runs(&mut tx, actor, at).await?;
        tx.hold_run(run.id, self.run_lease(at)).await?;
        let after = format!("{due} due");
        let press = Press {
            verb: Verb::BillRun.as_str(),
            target: run.public_id.as_str(),
            after: &after,
            result: "intent",
            ..Press::default()
        };
        self.audit_in(&mut tx, actor, press, at).await?;
        tx.commit().await?;
        Ok((run, due))
    }

    async fn finish_run(
        &self,
        mut run: Run,
        actor: Actor<'_>,
        stop_reason: Option<String>,
    ) -> Result<(Run, Vec<(Option<Decision>, u64)>), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        run.state = if stop_reason.is_some() {
            RunState::Stopped
        } else {
            RunState::Finished
        };
        run.finished_at = Some(self.now());
        run.stop_reason = stop_reason;
        tx.save_run(&run).await?;
        let totals = tx.run_totals(run.id).await?;
        let at = tx.db_now().await?;
        let press = Press {
            verb: Verb::BillRun.as_str(),
            target: run.public_id.as_str(),
            after: run.state.as_str(),
            reason: run.stop_reason.as_deref().unwrap_or_default(),
            result: "done",
            ..Press::default()
        };
        self.audit_in(&mut tx, actor, press, at).await?;
        tx.commit().await?;
        Ok((run, totals))
    }
}
