//! An attempt whose key does not open: it is neither sent nor given up, and a person is called.
//!
//! Nothing is concluded about what was charged with it. It holds no other attempt back.

use chrono::Duration;

use crate::domain::attempt::Attempt;

use super::Engine;
use super::ports::{Attempts, Desk, Store, Tx};
use super::refusal::VerbError;
use super::settle::fence_of;

/// When it is tried again.
const AGAIN_AFTER_MIN: i64 = 15;

impl<S: Store> Engine<S> {
    /// Leaves an attempt as it is, for later, and calls a person once.
    pub(super) async fn call_for_key(&self, ours: &Attempt) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let mut rows = self.lock_rows(&mut tx, ours).await?;
        let attempt = &mut rows.attempt;
        if attempt.lease_epoch != ours.lease_epoch || !attempt.state.is_open() {
            return Ok(());
        }
        let fence = fence_of(attempt);
        let calls = !attempt.needs_human;
        attempt.needs_human = true;
        attempt.lease_until = Some(rows.now);
        attempt.next_check_at = Some(rows.now + Duration::minutes(AGAIN_AFTER_MIN));
        tx.save_attempt(attempt, fence).await?;
        if calls {
            self.page(&mut tx, &rows, "no_key").await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
