//! The stop-watch, and what is made of many readings.

use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "real elapsed time is what a benchmark measures"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Waits for real time to pass: the subject of some figures.
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Readings of one thing.
#[derive(Debug, Clone, Default)]
pub struct Readings(Vec<f64>);

impl Readings {
    pub fn push(&mut self, reading: f64) {
        self.0.push(reading);
    }

    pub fn push_ms(&mut self, time: Duration) {
        self.push(ms(time));
    }

    pub fn median(&self) -> f64 {
        self.quantile(50)
    }

    pub fn p95(&self) -> f64 {
        self.quantile(95)
    }

    pub fn largest(&self) -> f64 {
        self.quantile(100)
    }

    /// Every reading, in its order.
    pub fn list(&self) -> String {
        let each: Vec<String> = self
            .0
            .iter()
            .map(|reading| format!("{reading:.0}"))
            .collect();
        each.join(" ")
    }

    /// The smallest reading that so many of a hundred do not exceed; 0 of none.
    fn quantile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or(0.0)
    }
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A count as a figure; counts here are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub fn number(count: u64) -> f64 {
    count as f64
}
