//! Where our books may be older than the provider's: a backup was put back, a failover lost commits.
//!
//! What our books say of a debt that is older than a key is remembered is not enough to move it to another provider: it
//! may have been paid at the first one, or at that one. It asks nobody; who is asked, and what follows: `super::two_steps`.

use crate::domain::attempt::{OweTimes, may_be_older};

use super::Engine;
use super::ports::Store;
use super::settle::Rows;

impl<S: Store> Engine<S> {
    /// Whether what our books say of this debt may be older than what the providers know of it.
    pub(super) fn books_may_be_older(&self, rows: &Rows) -> bool {
        let times = OweTimes {
            owed_since: rows.invoice.due_at,
            business: self.now(),
            database: rows.now,
        };
        may_be_older(rows.attempt.mode, times)
    }
}
