//! The circuit breaker: after several troubled calls in a row, calls are held back, and one probe
//! at a time is let through until one succeeds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Duration, Utc};

#[derive(Debug, Default)]
struct State {
    troubled_in_a_row: u32,
    open_until: Option<DateTime<Utc>>,
}

/// Whether a call may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Nothing speaks against it.
    Free,
    /// It is the one that finds out whether the trouble is over.
    Probe,
    /// Not now.
    Held,
}

impl Admission {
    /// Whether it may start at all.
    pub(super) const fn is_given(self) -> bool {
        !matches!(self, Self::Held)
    }
}

/// Shared by every call of one process to one provider.
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
    pub(super) fn admit(&self, now: DateTime<Utc>) -> Admission {
        let mut state = self.lock();
        match state.open_until {
            None => Admission::Free,
            Some(until) if now < until => Admission::Held,
            Some(_) => {
                state.open_until = Some(now + Duration::seconds(self.open_s));
                Admission::Probe
            }
        }
    }

    /// Notes trouble with the first of two steps. That one went well says nothing: money moves in the second.
    pub(super) fn record_first_step(&self, was_trouble: bool, now: DateTime<Utc>) {
        if was_trouble {
            self.record(true, now);
        }
    }

    /// Notes how a call went that had been made before. One that fails again and again, as behind an answer that is bound
    /// to its key, holds nobody else back: whoever comes next may be the probe.
    pub(super) fn record_again(&self, was_trouble: bool, now: DateTime<Utc>) {
        if !was_trouble {
            return self.record(false, now);
        }
        let mut state = self.lock();
        state.open_until = state.open_until.map(|until| until.min(now));
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
        assert_eq!(breaker.admit(at(0)), Admission::Free);
        breaker.record(true, at(0));
        assert_eq!(breaker.admit(at(59)), Admission::Held);
        assert_eq!(
            breaker.admit(at(60)),
            Admission::Probe,
            "one after the pause"
        );
        assert_eq!(breaker.admit(at(61)), Admission::Held, "and only one");
        breaker.record(false, at(62));
        assert_eq!(breaker.admit(at(62)), Admission::Free);
    }

    #[test]
    fn what_is_sent_again_in_vain_neither_opens_it_nor_keeps_the_probe() {
        let at = |s: i64| Utc.timestamp_opt(1_000 + s, 0).unwrap();
        let breaker = Breaker::new(5, 60);
        for _ in 0..9 {
            breaker.record_again(true, at(0));
        }
        assert_eq!(breaker.admit(at(0)), Admission::Free);
        for _ in 0..5 {
            breaker.record(true, at(0));
        }
        assert_eq!(breaker.admit(at(60)), Admission::Probe);
        breaker.record_again(true, at(61));
        assert_eq!(breaker.admit(at(61)), Admission::Probe, "the next may try");
        assert_eq!(breaker.admit(at(62)), Admission::Held);
        breaker.record_again(false, at(63));
        assert_eq!(breaker.admit(at(63)), Admission::Free);
    }

    #[test]
    fn a_first_step_that_went_well_neither_resets_nor_closes_it() {
        let at = |s: i64| Utc.timestamp_opt(1_000 + s, 0).unwrap();
        let breaker = Breaker::new(5, 60);
        for _ in 0..5 {
            breaker.record_first_step(false, at(0));
            breaker.record(true, at(0));
        }
        assert_eq!(breaker.admit(at(1)), Admission::Held);
        assert_eq!(breaker.admit(at(60)), Admission::Probe);
        breaker.record_first_step(false, at(61));
        assert_eq!(breaker.admit(at(61)), Admission::Held);
        let of_first_steps = Breaker::new(5, 60);
        for _ in 0..5 {
            of_first_steps.record_first_step(true, at(0));
        }
        assert_eq!(of_first_steps.admit(at(1)), Admission::Held);
    }
}
