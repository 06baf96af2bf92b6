//! Simulated time: the machine's clock plus an offset that tests and the demo move.
//!
//! It runs on by itself; only the offset is kept. Nothing else in the simulator reads the machine's clock.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

/// The one source of time of a simulator.
#[derive(Debug, Default)]
pub(super) struct SimClock {
    offset_us: AtomicI64,
    moved: Notify,
}

impl SimClock {
    pub(super) fn with_offset(offset_us: i64) -> Self {
        Self {
            offset_us: AtomicI64::new(offset_us),
            moved: Notify::new(),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        let offset = TimeDelta::microseconds(self.offset_us());
        machine_now()
            .checked_add_signed(offset)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    pub(super) fn offset_us(&self) -> i64 {
        self.offset_us.load(Ordering::Relaxed)
    }

    /// Moves time by so much and answers with the new offset.
    pub(super) fn advance(&self, by: TimeDelta) -> i64 {
        let by_us = by.num_microseconds().unwrap_or(0);
        let before = self.offset_us.fetch_add(by_us, Ordering::Relaxed);
        self.moved.notify_waiters();
        before.saturating_add(by_us)
    }

    /// Makes it `to` now and answers with the new offset.
    pub(super) fn set(&self, to: DateTime<Utc>) -> i64 {
        let offset_us = (to - machine_now()).num_microseconds().unwrap_or(0);
        self.offset_us.store(offset_us, Ordering::Relaxed);
        self.moved.notify_waiters();
        offset_us
    }

    /// Completes at the next jump of time.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the home of the simulator's clock"
)]
fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_by_what_was_asked_and_runs_on() {
        let clock = SimClock::default();
        let before = clock.now();
        clock.advance(TimeDelta::days(16));
        let after = clock.now();
        assert!(after - before >= TimeDelta::days(16));
        assert!(after - before < TimeDelta::days(16) + TimeDelta::minutes(1));
    }
}
