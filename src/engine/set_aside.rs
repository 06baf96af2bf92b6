//! An attempt whose settling the database refuses: a rule of the books stands against what its provider says.
//!
//! It moves to nowhere and keeps what it holds. A person is called, once, and its next look is later than that of every
//! attempt that can be settled, so that the others do not wait for it.

use chrono::Duration;

use crate::domain::ids::AttemptId;

use super::Engine;
use super::audit::{Actor, Press};
use super::ports::{Attempts, Constraint, Desk, Store, StoreError, Tx};
use super::refusal::VerbError;
use super::settle::fence_of;

/// When it is tried again, after so many minutes.
const AGAIN_AFTER_MIN: i64 = 60;

impl<S: Store> Engine<S> {
    /// Sets a claimed attempt aside. Whoever took it meanwhile keeps it.
    pub(super) async fn set_aside(
        &self,
        (id, epoch): (AttemptId, i64),
        rule: Constraint,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        match self.write_aside((id, epoch), rule, actor).await {
            // It stays claimed for nobody longer than the lease.
            Err(
                VerbError::Stale | VerbError::Store(StoreError::Busy(_) | StoreError::Stale { .. }),
            ) => Ok(()),
            other => other,
        }
    }

    async fn write_aside(
        &self,
        (id, epoch): (AttemptId, i64),
        rule: Constraint,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let mut attempt = tx.lock_attempt(id).await?;
        if attempt.lease_epoch < epoch {
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
