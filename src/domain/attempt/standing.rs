//! When a charge may stand at its provider under our name although our books do not say so.
//!
//! Our books may be older than the provider's: a backup was put back, a failover lost commits. What is made again under
//! the same key within a day is the same; after that the provider has forgotten the key, and would make it anew. Our name
//! for it stays the same, so it is looked for by that. No mark of a restore is needed: nothing is charged for a period
//! before it falls due, so a charge whose key may be forgotten is one whose debt is as old as that.

use chrono::{DateTime, Duration, Utc};

use super::{Attempt, AttemptKind};
use crate::domain::evidence::SeenStatus;
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

/// Whether a customer of theirs whom our books have known for so long is the only one that this debt was ever charged of:
/// who was known before it fell due stays the same customer there.
pub fn is_known_since_before(
    registered_at: DateTime<Utc>,
    looked_for_since: DateTime<Utc>,
) -> bool {
    registered_at < looked_for_since + Duration::hours(BEFORE_H)
}

/// One thing that stands at a provider for an invoice of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The provider's name for it.
    pub provider_ref: String,
    /// Our name for it; another number of the same invoice is another try.
    pub order_id: String,
    /// How it stands.
    pub status: SeenStatus,
    /// Whose card it would charge.
    pub card: CardOf,
    /// All of the money that it took has gone back there. Where only a part has, that is a person's matter.
    pub is_given_back: bool,
}

/// Which card something that stands at a provider would charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardOf {
    /// The one that the attempt names.
    Ours,
    /// Another one, or none.
    Another,
}

/// What is made of other tries of the same invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherTries {
    /// Where one took money, or may have, this one is not made.
    Count,
    /// They say nothing about whether this one took anything.
    SayNothing,
}

/// What follows for one attempt from all that stands for its invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// Nothing that was charged or could be. So many were made under its name and ended.
    Nothing {
        /// How many.
        ended: u32,
    },
    /// This is it.
    Ours(Standing),
    /// It waits to be confirmed and would charge another card than ours.
    OfAnotherCard {
        /// It.
        standing: Standing,
        /// How many more were made under its name and ended.
        ended: u32,
    },
    /// Another try of the invoice took money, or may have.
    Another(Standing),
    /// Two took money under one name.
    Twice,
}

impl Standing {
    /// Whether money was taken and not given back, or may have been, or is about to be.
    pub const fn may_hold_money(&self) -> bool {
        !self.is_given_back
            && matches!(
                self.status,
                SeenStatus::Captured
                    | SeenStatus::Pending
                    | SeenStatus::NeedsCustomer
                    | SeenStatus::Other
            )
    }
}

/// What stands there for this attempt. Of several under its name the one that says most about its money speaks; one that
/// was ended says nothing, because it takes none.
pub fn standing_of(order_id: &str, rows: &[Standing], others: OtherTries) -> Stands {
    let weight = |row: &Standing| match row.status {
        // It says what became of this name as long as nothing newer stands under it.
        SeenStatus::Captured if row.is_given_back => 1,
        SeenStatus::Captured => 5,
        SeenStatus::Pending | SeenStatus::Other => 4,
        SeenStatus::NeedsCustomer => 3,
        SeenStatus::NotStarted if row.card == CardOf::Ours => 2,
        SeenStatus::NotStarted | SeenStatus::Failed => 1,
        SeenStatus::Canceled => 0,
    };
    let (ours, theirs): (Vec<&Standing>, Vec<&Standing>) =
        rows.iter().partition(|row| row.order_id == order_id);
    let took = |row: &&&Standing| row.status == SeenStatus::Captured && !row.is_given_back;
    if ours.iter().filter(took).count() > 1 {
        return Stands::Twice;
    }
    let best = ours.iter().copied().max_by_key(|row| weight(row));
    let ended = ours.iter().filter(|row| weight(row) == 0).count();
    let ended = u32::try_from(ended).unwrap_or(u32::MAX);
    if let Some(best) = best.filter(|row| row.may_hold_money()) {
        return Stands::Ours(best.clone());
    }
    let other = theirs.into_iter().find(|row| row.may_hold_money());
    if let (OtherTries::Count, Some(other)) = (others, other) {
        return Stands::Another(other.clone());
    }
    match best.filter(|row| weight(row) > 0) {
        None => Stands::Nothing { ended },
        Some(best) if best.status == SeenStatus::NotStarted && best.card == CardOf::Another => {
            Stands::OfAnotherCard {
                standing: best.clone(),
                ended,
            }
        }
        Some(best) => Stands::Ours(best.clone()),
    }
}

#[cfg(test)]
mod tests;
