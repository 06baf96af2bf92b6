//! When a charge or a refund that nobody can find may be called "not executed": by two persons, and only after
//! what is kept of its look-ups leaves nothing to wait for. It is never concluded by the system.

use chrono::{DateTime, Duration, Utc};

use super::{AttemptKind, REFUND_UNDONE};
use crate::domain::evidence::EvidenceSource;

/// So long after the last send at least, in hours.
pub const ABSENT_AFTER_H: i64 = 24;
/// So many look-ups at least that did not see it.
pub const ABSENT_LOOK_UPS: u32 = 5;
/// So far apart at least, in hours.
pub const ABSENT_APART_H: i64 = 1;

/// What was declared not executed is still asked about every so many hours,
pub const LOOKED_FOR_EVERY_H: i64 = 24;
/// for so many days.
pub const LOOKED_FOR_DAYS: i64 = 60;

/// When an attempt was sent, in database time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentTimes {
    /// For the first time.
    pub first: DateTime<Utc>,
    /// For the last time.
    pub last: DateTime<Utc>,
    /// How long after the first time it may be sent again.
    pub window: Duration,
}

/// What one look-up said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// The provider did not know the order.
    NotSeen,
    /// It did, in whatever state.
    Seen,
    /// Of a refund: it is not there, and somebody else gave back what is missing.
    Elsewhere,
    /// Of a refund: it is not there, and nothing explains what the provider holds.
    OtherBalance,
    /// There was no usable answer.
    NoAnswer,
}

impl Sighting {
    /// What an outcome that is kept as evidence says; none for a person's word. One that is not known
    /// says "seen", so that nothing is concluded from it; the answer to the call itself can only show
    /// the charge, never its absence. A payment that its provider does not know says nothing of a refund.
    pub fn of(kind: AttemptKind, source: EvidenceSource, outcome: &str) -> Option<Self> {
        let is_answer = match source {
            EvidenceSource::Person => return None,
            EvidenceSource::Answer => true,
            EvidenceSource::LookUp | EvidenceSource::Event | EvidenceSource::Reconciliation => {
                false
            }
        };
        // It is about another refund of the payment, or has settled this one.
        if outcome == REFUND_UNDONE {
            return None;
        }
        Some(match outcome {
            "not_seen" | "not_refunded" | "refunded_elsewhere" | "other_balance" if is_answer => {
                Self::NoAnswer
            }
            "not_seen" if kind == AttemptKind::Refund => Self::NoAnswer,
            "not_seen" | "not_refunded" => Self::NotSeen,
            "refunded_elsewhere" => Self::Elsewhere,
            "other_balance" => Self::OtherBalance,
            // With "elsewhere" another payment was seen, and of this one nothing was asked.
            "not_sent" | "throttled" | "busy" | "refused" | "timed_out" | "broken"
            | "server_error" | "unreadable" | "unconfirmed" | "no_key" | "elsewhere" => {
                Self::NoAnswer
            }
            _ => Self::Seen,
        })
    }
}

/// A look-up that was made, from the evidence that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookUp {
    /// When, in database time.
    pub at: DateTime<Utc>,
    /// What it said.
    pub sighting: Sighting,
}

/// Why it cannot be said yet that an attempt was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAbsent {
    /// It is still owed and may be sent again under the same key: that settles it without anybody's word.
    #[error("it is still owed: send it again under the same key")]
    StillWanted,
    /// A request can arrive late.
    #[error("it was sent less than {ABSENT_AFTER_H} hours ago")]
    TooSoon {
        /// When it is long enough ago.
        until: DateTime<Utc>,
    },
    /// The provider has shown it once since it was first sent.
    #[error("the provider has shown it since it was first sent")]
    Seen,
    /// Money has gone back that neither ours nor anybody else's refunds explain.
    #[error("the provider holds another amount, and its refunds do not explain it")]
    OtherBalance,
    /// Too few look-ups that are far enough apart.
    #[error("only {have} of {ABSENT_LOOK_UPS} look-ups an hour apart did not see it")]
    TooFewLookUps {
        /// So many count.
        have: u32,
    },
}

/// What the last look-up said that had an answer.
pub fn newest_sighting(look_ups: &[LookUp]) -> Option<Sighting> {
    let answered = |l: &&LookUp| l.sighting != Sighting::NoAnswer;
    let newest = look_ups.iter().filter(answered).max_by_key(|l| l.at);
    newest.map(|look_up| look_up.sighting)
}

/// How many look-ups since the last send did not see it, each an hour or more after the one before;
/// refused until the rules are met, and where it was seen at any time since the first send. `is_wanted` says whether the obligation still stands.
pub fn absence(
    sent: SentTimes,
    is_wanted: bool,
    look_ups: &[LookUp],
    now: DateTime<Utc>,
) -> Result<u32, NotAbsent> {
    if is_wanted && now - sent.first < sent.window {
        return Err(NotAbsent::StillWanted);
    }
    let until = sent.last + Duration::hours(ABSENT_AFTER_H);
    if now < until {
        return Err(NotAbsent::TooSoon { until });
    }
    let is_sighting = |l: &LookUp| l.at >= sent.first && l.sighting == Sighting::Seen;
    if look_ups.iter().any(is_sighting) {
        return Err(NotAbsent::Seen);
    }
    if newest_sighting(look_ups) == Some(Sighting::OtherBalance) {
        return Err(NotAbsent::OtherBalance);
    }
    let is_absent = |l: &&LookUp| matches!(l.sighting, Sighting::NotSeen | Sighting::Elsewhere);
    let since = || look_ups.iter().filter(|look_up| look_up.at > sent.last);
    let mut have = 0;
    let mut counted: Option<DateTime<Utc>> = None;
    for look_up in since().filter(is_absent) {
        let is_apart = counted.is_none_or(|at| look_up.at - at >= Duration::hours(ABSENT_APART_H));
        if is_apart {
            have += 1;
            counted = Some(look_up.at);
        }
    }
    if have < ABSENT_LOOK_UPS {
        return Err(NotAbsent::TooFewLookUps { have });
    }
    Ok(have)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 1, 0, 0, 0).unwrap() + Duration::hours(hour)
    }

    fn not_seen(hours: &[i64]) -> Vec<LookUp> {
        let look_up = |h: &i64| LookUp {
            at: hour(*h),
            sighting: Sighting::NotSeen,
        };
        hours.iter().map(look_up).collect()
    }

    const SENT: fn(i64) -> SentTimes = |last| SentTimes {
        first: hour(0),
        last: hour(last),
        window: Duration::days(14),
    };

    #[test]
    fn five_look_ups_an_hour_apart_and_a_day_after_the_last_send_are_enough() {
        let looked = not_seen(&[1, 2, 3, 4, 5]);
        assert_eq!(absence(SENT(0), false, &looked, hour(24)), Ok(5));
        let early = absence(SENT(0), false, &looked, hour(23));
        assert_eq!(early, Err(NotAbsent::TooSoon { until: hour(24) }));
    }

    #[test]
    fn look_ups_that_are_close_together_count_once() {
        let mut looked = not_seen(&[1, 2, 3, 4, 4, 4]);
        looked.push(LookUp {
            at: hour(5) - Duration::seconds(1),
            sighting: Sighting::NotSeen,
        });
        let few = absence(SENT(0), false, &looked, hour(30));
        assert_eq!(few, Err(NotAbsent::TooFewLookUps { have: 4 }));
    }

    #[test]
    fn look_ups_before_the_last_send_and_those_without_an_answer_prove_nothing() {
        let mut looked = not_seen(&[1, 2, 3, 4, 5, 6]);
        let few = absence(SENT(3), false, &looked, hour(40));
        assert_eq!(few, Err(NotAbsent::TooFewLookUps { have: 3 }));
        for look_up in &mut looked {
            look_up.sighting = Sighting::NoAnswer;
        }
        let none = absence(SENT(0), false, &looked, hour(40));
        assert_eq!(none, Err(NotAbsent::TooFewLookUps { have: 0 }));
    }

    #[test]
    fn one_sighting_since_the_first_send_outweighs_every_absence() {
        for (seen, last) in [(8, 0), (1, 2), (0, 2)] {
            let mut looked = not_seen(&[3, 4, 5, 6, 7, 9]);
            looked.push(LookUp {
                at: hour(seen),
                sighting: Sighting::Seen,
            });
            assert_eq!(
                absence(SENT(last), false, &looked, hour(40)),
                Err(NotAbsent::Seen),
                "{seen} {last}"
            );
        }
    }

    #[test]
    fn an_answer_can_show_it_and_never_its_absence_and_a_persons_word_is_no_look_up() {
        use AttemptKind::{Charge, Refund};
        use EvidenceSource::{Answer, Event, LookUp, Person, Reconciliation};
        for source in [Answer, LookUp, Event, Reconciliation] {
            for seen in ["captured", "mismatch", "pending", "a new word"] {
                assert_eq!(Sighting::of(Charge, source, seen), Some(Sighting::Seen));
            }
            for nothing in ["refused", "broken", "timed_out", "elsewhere"] {
                let said = Sighting::of(Charge, source, nothing);
                assert_eq!(said, Some(Sighting::NoAnswer));
            }
            let unless_answer = |sighting| match source {
                Answer => Some(Sighting::NoAnswer),
                _ => Some(sighting),
            };
            for (kind, word, sighting) in [
                (Charge, "not_seen", Sighting::NotSeen),
                // The payment itself is not known there: that says nothing of its refund.
                (Refund, "not_seen", Sighting::NoAnswer),
                (Refund, "not_refunded", Sighting::NotSeen),
                (Refund, "refunded_elsewhere", Sighting::Elsewhere),
                (Refund, "other_balance", Sighting::OtherBalance),
            ] {
                let said = Sighting::of(kind, source, word);
                assert_eq!(said, unless_answer(sighting), "{word}");
            }
        }
        assert_eq!(Sighting::of(Charge, Person, "not_executed"), None);
    }

    #[test]
    fn what_somebody_else_gave_back_is_absent_and_what_nothing_explains_is_not() {
        let mut looked = not_seen(&[1, 2, 3, 4, 5]);
        for look_up in &mut looked {
            look_up.sighting = Sighting::Elsewhere;
        }
        assert_eq!(newest_sighting(&looked), Some(Sighting::Elsewhere));
        assert_eq!(absence(SENT(0), false, &looked, hour(30)), Ok(5));
        let said = |sighting| LookUp {
            at: hour(6),
            sighting,
        };
        looked.push(said(Sighting::OtherBalance));
        looked.push(said(Sighting::NoAnswer));
        let unexplained = absence(SENT(0), false, &looked, hour(30));
        assert_eq!(unexplained, Err(NotAbsent::OtherBalance));
    }

    #[test]
    fn what_is_still_owed_is_sent_again_while_its_key_is_remembered() {
        let looked = not_seen(&[300, 310, 320, 330, 340]);
        assert_eq!(
            absence(SENT(0), true, &looked, hour(14 * 24 - 1)),
            Err(NotAbsent::StillWanted)
        );
        assert_eq!(absence(SENT(0), true, &looked, hour(14 * 24 + 5)), Ok(5));
    }
}
