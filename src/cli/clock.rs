//! Business time: the machine's clock plus an offset, which is zero in modes live and test.
//!
//! The home of the wall clock for this face; nothing else here reads it. Invariant: time only moves
//! forward, except when the simulator's clock or `--now` says otherwise.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::sim_clock;
use crate::engine::ports::{BoxFuture, Clock};

/// The machine's time.
#[expect(clippy::disallowed_methods, reason = "the home of the wall clock")]
pub fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

/// The machine's clock, moved by an offset that may change while the process runs.
#[derive(Debug, Default)]
pub struct OffsetClock {
    offset_us: AtomicI64,
    /// The simulator whose clock this one follows.
    simulator: OnceLock<String>,
}

impl OffsetClock {
    /// So that it is `now` at this moment, and goes on from there.
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        let clock = Self::default();
        clock.set_offset_us((now - machine_now()).num_microseconds().unwrap_or(0));
        clock
    }

    /// Goes by the simulator's clock from now on, where [`Clock::follow`] is called now and then.
    pub fn go_by(&self, simulator: String) {
        // A second simulator cannot be: the first one stays.
        let _first = self.simulator.set(simulator);
    }

    pub fn offset_us(&self) -> i64 {
        self.offset_us.load(Ordering::Relaxed)
    }

    /// What the simulator's clock says.
    pub fn set_offset_us(&self, offset_us: i64) {
        self.offset_us.store(offset_us, Ordering::Relaxed);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> DateTime<Utc> {
        let now = machine_now();
        now.checked_add_signed(TimeDelta::microseconds(self.offset_us()))
            .unwrap_or(now)
    }

    fn sleep_until(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The simulator's clock may jump meanwhile, so no single sleep is long.
            const AT_MOST: Duration = Duration::from_secs(1);
            while let Ok(left) = (at - self.now()).to_std() {
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(AT_MOST)).await;
            }
        })
    }

    fn follow(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(simulator) = self.simulator.get() else {
                return;
            };
            // While the simulator is away, time goes on as it was.
            if let Ok(offset_us) = sim_clock::offset_us(simulator).await {
                self.set_offset_us(offset_us);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_starts_where_it_is_told_and_runs_on() {
        let start = DateTime::from_timestamp(1_772_323_200, 0).unwrap();
        let clock = OffsetClock::starting_at(start);
        let now = clock.now();
        assert!(now >= start && now - start < TimeDelta::minutes(1));
    }
}
