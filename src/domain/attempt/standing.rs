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

/// Since when a charge may have been prepared under our name without our knowing, where its key may be forgotten.
pub fn may_stand_since(attempt: &Attempt, times: OweTimes) -> Option<DateTime<Utc>> {
    let is_unnamed = attempt.kind == AttemptKind::Charge
        && attempt.provider.charges_in_two_steps()
        && attempt.provider_ref.is_none();
    // In the simulation business time is a time of its own; elsewhere the later of two clocks is the careful one.
    let now = match attempt.mode {
        Mode::Sim => times.business,
        Mode::Live | Mode::Test => times.business.max(times.database),
    };
    let is_old = |age: Duration| age >= Duration::hours(KEY_H);
    let was_sent_long_ago = attempt
        .first_sent_at
        .is_some_and(|at| is_old(times.database - at));
    (is_unnamed && (is_old(now - times.owed_since) || was_sent_long_ago))
        .then(|| looked_for_since(times.owed_since))
}

/// From when on it is looked for.
pub fn looked_for_since(owed_since: DateTime<Utc>) -> DateTime<Utc> {
    owed_since - Duration::hours(BEFORE_H)
}

#[cfg(test)]
mod tests;
