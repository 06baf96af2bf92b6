//! How the process ends when a signal or a hangup says it must.
//!
//! The console is told first and may end by itself; this module makes sure that the end comes even when the console is
//! stuck in a write to a stalled terminal. A provider call in flight is waited for, because its answer must be
//! written down. Invariants: idle, the process is gone within a second; nothing is printed; the process ends without
//! unwinding through a dead terminal.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::exit;
use tokio::sync::mpsc;

use super::session::Notice;
use super::{modes, monotonic_now};

/// Why the process must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The terminal is gone, or somebody says so: a signal alone is no proof.
    Hangup,
    Interrupted,
    Quit,
    Terminated,
}

impl Cause {
    /// As a shell would report it.
    pub const fn exit_code(self) -> i32 {
        let signal = match self {
            Self::Hangup => SIGHUP,
            Self::Interrupted => SIGINT,
            Self::Quit => SIGQUIT,
            Self::Terminated => SIGTERM,
        };
        128 + signal
    }
}

/// How long the end may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndLimits {
    /// For the console to end by itself when nothing is in flight.
    pub idle: Duration,
    /// For calls in flight to be settled: the call's own timeout and ten seconds.
    pub in_flight: Duration,
}

impl EndLimits {
    pub const fn for_call_timeout(timeout: Duration) -> Self {
        Self {
            idle: Duration::from_millis(300),
            in_flight: timeout.saturating_add(Duration::from_secs(10)),
        }
    }
}

/// Shared by everyone who may have to end the process.
#[derive(Clone)]
pub struct Ending {
    begun: Arc<AtomicBool>,
    in_flight: Arc<dyn Fn() -> bool + Send + Sync>,
    limits: EndLimits,
    notices: mpsc::Sender<Notice>,
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending")
            .field("begun", &self.begun)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Ending {
    pub fn new(
        in_flight: Arc<dyn Fn() -> bool + Send + Sync>,
        limits: EndLimits,
        notices: mpsc::Sender<Notice>,
    ) -> Self {
        Self {
            begun: Arc::default(),
            in_flight,
            limits,
            notices,
        }
    }

    pub fn is_in_flight(&self) -> bool {
        (self.in_flight)()
    }

    /// Tells the console without ever waiting for it.
    pub fn tell(&self, notice: Notice) {
        let _ = self.notices.try_send(notice);
    }

    /// Ends the process, once; a second caller returns at once. Must run on a thread that nobody needs.
    pub fn run(&self, cause: Cause) {
        if self.begun.swap(true, Ordering::SeqCst) {
            return;
        }
        self.tell(Notice::Quit(cause));
        // On a thread of its own: a terminal that stalls here must not hold up the end.
        let _leaving = std::thread::Builder::new()
            .name("leave".to_owned())
            .spawn(modes::leave_for_good);
        self.wait();
        exit(cause.exit_code());
    }

    /// Until nothing is in flight and the console has had its time, or the limit has passed.
    fn wait(&self) {
        const STEP: Duration = Duration::from_millis(10);
        let begun = monotonic_now();
        loop {
            let limit = if self.is_in_flight() {
                self.limits.in_flight
            } else {
                self.limits.idle
            };
            if begun.elapsed() >= limit {
                return;
            }
            std::thread::sleep(STEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(in_flight: impl Fn() -> bool + Send + Sync + 'static, limits: EndLimits) -> Ending {
        Ending::new(Arc::new(in_flight), limits, mpsc::channel(1).0)
    }

    #[test]
    fn codes_are_what_a_shell_reports() {
        assert_eq!(Cause::Hangup.exit_code(), 129);
        assert_eq!(Cause::Interrupted.exit_code(), 130);
        assert_eq!(Cause::Terminated.exit_code(), 143);
    }

    #[test]
    fn what_is_in_flight_is_waited_for_and_no_longer() {
        let looks = std::sync::atomic::AtomicUsize::new(0);
        let limits = EndLimits {
            idle: Duration::ZERO,
            in_flight: Duration::from_mins(10),
        };
        let three_looks = move || looks.fetch_add(1, Ordering::SeqCst) < 3;
        ending(three_looks, limits).wait();
    }

    #[test]
    fn what_never_ends_is_not_waited_for_beyond_the_limit() {
        let limits = EndLimits {
            idle: Duration::ZERO,
            in_flight: Duration::from_millis(30),
        };
        ending(|| true, limits).wait();
    }

    #[test]
    fn a_call_gets_its_timeout_and_ten_seconds() {
        let limits = EndLimits::for_call_timeout(Duration::from_secs(70));
        assert_eq!(limits.in_flight, Duration::from_secs(80));
        assert!(limits.idle < Duration::from_secs(1));
    }
}
