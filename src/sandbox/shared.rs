//! What the parts of one simulator share: clock, switches, scripts, requests seen, keys accepted.
//!
//! Locks here are held for a few instructions and never across an await.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::clock::SimClock;
use super::codes::Codes;
use super::idempotency::InFlight;
use super::ids::Ids;
use super::requests::RequestLog;
use super::scripts::{Endpoint, Scripts};
use super::switches::Switches;

pub(super) struct Shared {
    pub clock: SimClock,
    pub codes: Codes,
    pub merchant_id: String,
    pub secret_keys: Vec<String>,
    pub stripe_secret_keys: Vec<String>,
    pub in_flight: InFlight,
    pub latency_ms: AtomicU64,
    pub switches: RwLock<Switches>,
    pub scripts: Mutex<Scripts>,
    pub requests: Mutex<RequestLog>,
    /// For trace ids and the chance of a fault; the clerk has its own.
    pub ids: Mutex<Ids>,
    pub webhooks: Mutex<Vec<String>>,
    /// Minute and number of requests, by endpoint.
    pub counted: Mutex<HashMap<Endpoint, (i64, u32)>>,
}

impl Shared {
    pub(super) fn switches(&self) -> Switches {
        self.switches
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Counts this request and says whether it is one too many for its minute.
    pub(super) fn is_over_limit(&self, endpoint: Endpoint, limit: u32) -> bool {
        if limit == 0 {
            return false;
        }
        let minute = self.clock.now().timestamp().div_euclid(60);
        let mut counted = locked(&self.counted);
        let entry = counted.entry(endpoint).or_insert((minute, 0));
        if entry.0 != minute {
            *entry = (minute, 0);
        }
        entry.1 += 1;
        entry.1 > limit
    }
}

/// A panic elsewhere does not make the simulator's state unusable.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
