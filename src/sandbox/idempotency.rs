//! Idempotency keys: which answer belongs to which key, and which keys are being worked on right now.
//!
//! Identity is (key, secret key, method, path), never the body. Stored answers live in the file; this holds
//! the rules and the keys in flight.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::switches::{Replay, Switches};

pub(super) const MAX_KEY_CHARS: usize = 300;
const VALIDITY: TimeDelta = TimeDelta::days(15);

/// A digest, so that neither keys nor secret keys are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Scope(pub [u8; 32]);

impl Scope {
    pub(super) fn new(key: &str, secret_key: &str, method: &str, path: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [key, secret_key, method, path] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        Self(digest.finalize().into())
    }
}

/// The first answer to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub first_at: DateTime<Utc>,
    pub status: u16,
    pub body: Vec<u8>,
    pub trace: String,
}

impl Stored {
    pub(super) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        now - self.first_at <= VALIDITY
    }
}

/// Whether an answer with this status is bound to its key. "Being processed" never is.
pub(super) fn is_bound(status: u16, switches: &Switches) -> bool {
    match status {
        409 => false,
        429 => switches.rate_limit_replay == Replay::Replayed,
        500..=599 => switches.server_error_replay == Replay::Replayed,
        _ => true,
    }
}

/// The keys whose first request has not been answered yet.
#[derive(Debug, Default, Clone)]
pub(super) struct InFlight {
    scopes: Arc<Mutex<HashSet<Scope>>>,
}

impl InFlight {
    /// None while an earlier request under this key is running.
    pub(super) fn enter(&self, scope: Scope) -> Option<Entered> {
        let is_first = self
            .scopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(scope);
        is_first.then(|| Entered {
            scope,
            in_flight: self.clone(),
        })
    }
}

/// Leaves when dropped.
#[derive(Debug)]
pub(super) struct Entered {
    scope: Scope,
    in_flight: InFlight,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut scopes = self
            .in_flight
            .scopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        scopes.remove(&self.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_a_key_includes_secret_method_and_path() {
        let scope = Scope::new("k", "s", "POST", "/v1/a");
        assert_eq!(scope, Scope::new("k", "s", "POST", "/v1/a"));
        for other in [
            Scope::new("k2", "s", "POST", "/v1/a"),
            Scope::new("k", "s2", "POST", "/v1/a"),
            Scope::new("k", "s", "PUT", "/v1/a"),
            Scope::new("k", "s", "POST", "/v1/b"),
        ] {
            assert_ne!(scope, other);
        }
    }

    #[test]
    fn a_key_in_flight_is_refused_until_it_is_answered() {
        let in_flight = InFlight::default();
        let scope = Scope::new("k", "s", "POST", "/");
        let first = in_flight.enter(scope).expect("first");
        assert!(in_flight.enter(scope).is_none());
        drop(first);
        assert!(in_flight.enter(scope).is_some());
    }

    #[test]
    fn client_errors_are_bound_and_server_errors_follow_the_switch() {
        let mut switches = Switches::default();
        assert!(is_bound(403, &switches));
        assert!(!is_bound(500, &switches));
        assert!(!is_bound(409, &switches));
        switches.server_error_replay = Replay::Replayed;
        assert!(is_bound(500, &switches));
    }
}
