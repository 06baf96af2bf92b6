//! The circuit breaker: after several troubled calls in a row, calls are held back, and one probe
//! at a time is let through until one succeeds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Duration, Utc};

#[derive(Debug, Default)]
struct State {
    troubled_in_a_row: u32,
    open_until: Option<DateTime<Utc>>,
}

/// Shared by every call of one process.
#[derive(Debug)]
pub(super) struct Breaker {
    opens_after: u32,
    open_s: i64,
    state: Mutex<State>,
}

impl Breaker {
    pub(super) fn new(opens_after: u32, open_s: i64) -> Self {
        Self {
            opens_after,
            open_s,
            state: Mutex::new(State::default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether calls are held back now.
    pub(super) fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.lock().open_until.is_some_and(|until| now < until)
    }

    /// Whether a call may start. After the pause one probe passes and the pause begins again.
    pub(super) fn admit(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.lock();
        match state.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.open_until = Some(now + Duration::seconds(self.open_s));
                true
            }
        }
    }

    /// Notes how a call went.
    pub(super) fn record(&self, was_trouble: bool, now: DateTime<Utc>) {
        let mut state = self.lock();
        if was_trouble {
            state.troubled_in_a_row = state.troubled_in_a_row.saturating_add(1);
            if state.troubled_in_a_row >= self.opens_after {
                state.open_until = Some(now + Duration::seconds(self.open_s));
            }
        } else {
            *state = State::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn five_troubled_calls_open_it_and_one_good_probe_closes_it() {
        let at = |s: i64| Utc.timestamp_opt(1_000 + s, 0).unwrap();
        let breaker = Breaker::new(5, 60);
        for _ in 0..4 {
            breaker.record(true, at(0));
        }
        assert!(breaker.admit(at(0)));
        breaker.record(true, at(0));
        assert!(!breaker.admit(at(59)));
        assert!(breaker.admit(at(60)), "one probe after the pause");
        assert!(!breaker.admit(at(61)), "and only one");
        breaker.record(false, at(62));
        assert!(breaker.admit(at(62)));
    }
}
