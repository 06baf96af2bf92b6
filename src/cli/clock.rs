//! Business time: the machine's clock plus an offset, which is zero in modes live and test.
//!
//! The home of the wall clock for this face; nothing else here reads it. Invariant: time only moves
//! forward, except when the simulator's clock or `--now` says otherwise.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::sim_clock;
use crate::engine::ports::{BoxFuture, Clock};

/// The machine's time.
#[expect(clippy::disallowed_methods, reason = "the home of the wall clock")]
pub fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

/// The machine's clock, moved by an offset that may change while the process runs.
#[derive(Debug)]
pub struct OffsetClock {
    offset_us: AtomicI64,
    /// When this clock was made, by both clocks of the machine.
    began: (Instant, DateTime<Utc>),
    /// The simulator whose clock this one follows.
    simulator: OnceLock<String>,
}

impl Default for OffsetClock {
    #[expect(clippy::disallowed_methods, reason = "the home of the wall clock")]
    fn default() -> Self {
        Self {
            offset_us: AtomicI64::new(0),
            began: (Instant::now(), machine_now()),
            simulator: OnceLock::new(),
        }
    }
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

    fn uptime(&self) -> Duration {
        let (began, wall) = self.began;
        // The first stands still while the machine sleeps, the second may be put back: whichever went further.
        let slept = (machine_now() - wall).to_std().unwrap_or_default();
        began.elapsed().max(slept)
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

    #[test]
    fn what_has_passed_does_not_depend_on_business_time() {
        let clock = OffsetClock::default();
        let before = clock.uptime();
        clock.set_offset_us(-86_400_000_000);
        let after = clock.uptime();
        assert!(after >= before && after - before < Duration::from_secs(60));
    }
}
