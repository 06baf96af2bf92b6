//! An attempt whose settling the database refuses: a rule of the books stands against what its provider says.
//!
//! It moves to nowhere and keeps what it holds. A person is called, once, and its next look is later than that of every
//! attempt that can be settled, so that the others do not wait for it.

use chrono::Duration;

use crate::domain::attempt::Attempt;
use crate::domain::ids::AttemptId;
use crate::domain::states::AttemptState;

use super::Engine;
use super::audit::{Actor, Press};
use super::ports::{Attempts, Constraint, Desk, Store, StoreError, Tx};
use super::refusal::VerbError;
use super::settle::fence_of;

/// When it is tried again, after so many minutes.
const AGAIN_AFTER_MIN: i64 = 60;

/// An attempt as the pass that works on it holds it. One pass may take it more than once: what is sent again is taken anew,
/// under a later epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    id: AttemptId,
    epoch: i64,
    state: AttemptState,
}

impl Held {
    /// As it was claimed.
    pub(super) const fn of(attempt: &Attempt) -> Self {
        Self {
            id: attempt.id,
            epoch: attempt.lease_epoch,
            state: attempt.state,
        }
    }

    /// This pass has taken it once more.
    pub(super) const fn taken_anew(&mut self, attempt: &Attempt) {
        *self = Self::of(attempt);
    }

    /// Whether nobody has taken it since, and nobody has settled it without taking it: a late proof of success is written
    /// under the epoch of whoever holds the attempt. What was settled when it was claimed, and is asked about all the same,
    /// is there as it was.
    fn is_still(self, row: &Attempt) -> bool {
        let is_as_it_was = if self.state.is_open() {
            row.state.is_open()
        } else {
            row.state == self.state && row.next_check_at.is_some()
        };
        row.lease_epoch == self.epoch && is_as_it_was
    }
}

impl<S: Store> Engine<S> {
    /// Sets a claimed attempt aside. Whoever took it meanwhile keeps it.
    pub(super) async fn set_aside(
        &self,
        held: Held,
        rule: Constraint,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        match self.write_aside(held, rule, actor).await {
            // It stays claimed for nobody longer than the lease.
            Err(
                VerbError::Stale | VerbError::Store(StoreError::Busy(_) | StoreError::Stale { .. }),
            ) => Ok(()),
            other => other,
        }
    }

    async fn write_aside(
        &self,
        held: Held,
        rule: Constraint,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let mut attempt = tx.lock_attempt(held.id).await?;
        if !held.is_still(&attempt) {
            return Ok(());
        }
        let now = tx.db_now().await?;
        tracing::error!(attempt = %attempt.public_id, ?rule, "the database refuses what its provider says of it");
        let fence = fence_of(&attempt);
        let was_called = attempt.needs_human;
        attempt.needs_human = true;
        attempt.lease_until = Some(now);
        attempt.next_check_at = Some(now + Duration::minutes(AGAIN_AFTER_MIN));
        tx.save_attempt(&attempt, fence).await?;
        self.page_attempt(&mut tx, &attempt, "books_refuse").await?;
        if !was_called {
            let press = Press {
                verb: attempt.kind.as_str(),
                target: attempt.public_id.as_str(),
                after: attempt.state.as_str(),
                result: "books_refuse",
                ..Press::default()
            };
            self.audit_in(&mut tx, actor, press, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
