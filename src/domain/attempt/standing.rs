//! When a charge may stand at its provider under our name although our books do not say so.
//!
//! Our books may be older than the provider's: a backup was put back, a failover lost commits. What is made again under
//! the same key within a day is the same; after that the provider has forgotten the key, and would make it anew. Our name
//! for it stays the same, so it is looked for by that. No mark of a restore is needed: nothing is charged for a period
//! before it falls due, so a charge whose key may be forgotten is one whose debt is as old as that.

use chrono::{DateTime, Duration, Utc};

use super::{Attempt, AttemptKind};
use crate::domain::mode::Mode;

/// For so long a provider of two steps certainly remembers a key, less an hour for clocks that differ.
pub const KEY_H: i64 = 23;
/// It is looked for from so long before the debt, for clocks that were ahead.
pub const BEFORE_H: i64 = 48;

/// Instants by which the age of a key is judged.
#[derive(Debug, Clone, Copy)]
pub struct OweTimes {
    /// When what is charged fell due, in business time.
    pub owed_since: DateTime<Utc>,
    /// Now, in business time.
    pub business: DateTime<Utc>,
    /// Now, in database time.
    pub database: DateTime<Utc>,
}

impl OweTimes {
    /// In the simulation business time is a time of its own; elsewhere the later of two clocks is the careful one.
    fn now_of(self, mode: Mode) -> DateTime<Utc> {
        match mode {
            Mode::Sim => self.business,
            Mode::Live | Mode::Test => self.business.max(self.database),
        }
    }
}

/// Since when a charge may have been prepared under our name without our knowing, where its key may be forgotten.
pub fn may_stand_since(attempt: &Attempt, times: OweTimes) -> Option<DateTime<Utc>> {
    let is_unnamed = attempt.kind == AttemptKind::Charge
        && attempt.provider.charges_in_two_steps()
        && attempt.provider_ref.is_none();
    let was_sent_long_ago = attempt
        .first_sent_at
        .is_some_and(|at| times.database - at >= Duration::hours(KEY_H));
    (is_unnamed && (may_be_older(attempt.mode, times) || was_sent_long_ago))
        .then(|| looked_for_since(times.owed_since))
}

/// Whether books of this age may be older than a provider's key, for a debt that fell due then: who was charged for it,
/// and where, is not for our books to say alone.
pub fn may_be_older(mode: Mode, times: OweTimes) -> bool {
    times.now_of(mode) - times.owed_since >= Duration::hours(KEY_H)
}

/// From when on it is looked for.
pub fn looked_for_since(owed_since: DateTime<Utc>) -> DateTime<Utc> {
    owed_since - Duration::hours(BEFORE_H)
}

#[cfg(test)]
mod tests;
