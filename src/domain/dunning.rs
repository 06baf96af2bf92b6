//! Dunning: when to try again after a decline, and what happens when that ends.

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;

use super::attempt::Source;
use super::failure::FailureClass;
use super::period::{at_hour, local_date};

/// What dunning does next with an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DunningState {
    /// Not failed, or settled.
    Idle,
    /// A further attempt has a date.
    Scheduled,
    /// No further attempt until a new card.
    AwaitingCard,
    /// All attempts are used up.
    Exhausted,
}

impl DunningState {
    /// Every state.
    pub const ALL: [Self; 4] = [
        Self::Idle,
        Self::Scheduled,
        Self::AwaitingCard,
        Self::Exhausted,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Scheduled => "scheduled",
            Self::AwaitingCard => "awaiting_card",
            Self::Exhausted => "exhausted",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What happens when all attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndAction {
    /// Access over, debt kept.
    Unpaid,
    /// The subscription ends.
    Cancel,
    /// Billing stops until a person resumes it.
    Pause,
}

impl EndAction {
    /// Reads a setting.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "unpaid" => Some(Self::Unpaid),
            "cancel" => Some(Self::Cancel),
            "pause" => Some(Self::Pause),
            _ => None,
        }
    }
}

/// The schedule of further attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DunningPolicy {
    /// Days after the first failure; one attempt each.
    pub days: Vec<u32>,
    /// Hour of day in the billing zone.
    pub hour: u32,
    /// The billing zone.
    pub zone: Tz,
    /// When the customer must act first: one try after this many days.
    pub needs_customer_days: u32,
    /// What happens at the end.
    pub end_action: EndAction,
}

/// What a failure changes in an invoice's dunning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DunningStep {
    /// What comes next.
    pub state: DunningState,
    /// When, for [`DunningState::Scheduled`].
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Attempts of the schedule used up after this failure.
    pub used: u32,
    /// Whether the customer now counts as past due.
    pub makes_past_due: bool,
}

/// Where an invoice's dunning stood when an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DunningBefore {
    /// What was planned.
    pub state: DunningState,
    /// When.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Attempts of the schedule used up.
    pub used: u32,
    /// When the first attempt failed; none when this is it.
    pub first_failed_at: Option<DateTime<Utc>>,
}

impl DunningPolicy {
    /// The default: after 1, 3, 5 and 7 days at 10:00, then unpaid.
    pub fn standard(zone: Tz) -> Self {
        Self {
            days: vec![1, 3, 5, 7],
            hour: 10,
            zone,
            needs_customer_days: 3,
            end_action: EndAction::Unpaid,
        }
    }

    /// How many attempts the schedule has.
    pub fn budget(&self) -> u32 {
        u32::try_from(self.days.len()).unwrap_or(u32::MAX)
    }

    /// The schedule's instant, or the next morning where that has passed: a run that comes late, or
    /// a new card after a long wait, must not use several tries up at once.
    fn after(&self, first: DateTime<Utc>, days: u32, now: DateTime<Utc>) -> DateTime<Utc> {
        let planned = self.at(first, days);
        if planned > now {
            planned
        } else {
            self.at(now, 1)
        }
    }

    fn at(&self, first_failed_at: DateTime<Utc>, days: u32) -> DateTime<Utc> {
        let date = local_date(first_failed_at, self.zone);
        let target = date
            .checked_add_days(Days::new(u64::from(days)))
            .unwrap_or(date);
        at_hour(target, self.hour, self.zone)
    }

    /// What follows a failed attempt at `at`. Only the schedule's own attempts use the budget; a
    /// person's try or a new card never moves the schedule.
    pub fn after_failure(
        &self,
        before: DunningBefore,
        source: Source,
        class: FailureClass,
        at: DateTime<Utc>,
    ) -> DunningStep {
        let unchanged = DunningStep {
            state: before.state,
            next_attempt_at: before.next_attempt_at,
            used: before.used,
            makes_past_due: false,
        };
        let is_by_a_person = matches!(source, Source::Manual | Source::CardUpdate);
        match class {
            FailureClass::Config => self.after_config_trouble(unchanged, source, at),
            FailureClass::ProviderDown => after_outage(unchanged, source, at),
            FailureClass::Hard => DunningStep {
                state: DunningState::AwaitingCard,
                next_attempt_at: None,
                used: before.used,
                makes_past_due: true,
            },
            FailureClass::NeedsCustomer | FailureClass::Unclassified
                if is_by_a_person && before.state == DunningState::Scheduled =>
            {
                DunningStep {
                    makes_past_due: true,
                    ..unchanged
                }
            }
            FailureClass::NeedsCustomer => self.one_more(before, at, self.needs_customer_days),
            FailureClass::Unclassified => {
                self.one_more(before, at, self.days.first().copied().unwrap_or(1))
            }
            FailureClass::Soft => self.next_of_schedule(before, source, at),
        }
    }

    /// Our own request was refused: that uses nothing up, and must not be forgotten either.
    fn after_config_trouble(
        &self,
        unchanged: DunningStep,
        source: Source,
        at: DateTime<Utc>,
    ) -> DunningStep {
        match source {
            Source::Run | Source::Dunning => DunningStep {
                state: DunningState::Scheduled,
                next_attempt_at: Some(self.at(at, 1)),
                ..unchanged
            },
            Source::Manual | Source::CardUpdate | Source::First => unchanged,
        }
    }

    fn one_more(&self, before: DunningBefore, at: DateTime<Utc>, days: u32) -> DunningStep {
        if before.used == 0 && before.first_failed_at.is_none() {
            let next_attempt_at = Some(self.at(at, days));
            return DunningStep {
                state: DunningState::Scheduled,
                next_attempt_at,
                used: before.used,
                makes_past_due: true,
            };
        }
        DunningStep {
            state: DunningState::AwaitingCard,
            next_attempt_at: None,
            used: before.used,
            makes_past_due: true,
        }
    }

    fn next_of_schedule(
        &self,
        before: DunningBefore,
        source: Source,
        at: DateTime<Utc>,
    ) -> DunningStep {
        let used = match source {
            Source::Dunning => before.used.saturating_add(1),
            Source::Run | Source::Manual | Source::CardUpdate | Source::First => before.used,
        };
        let is_untouched = before.state == DunningState::Scheduled && used == before.used;
        if is_untouched {
            return DunningStep {
                state: before.state,
                next_attempt_at: before.next_attempt_at,
                used,
                makes_past_due: true,
            };
        }
        if before.state == DunningState::Exhausted {
            return DunningStep {
                state: before.state,
                next_attempt_at: None,
                used,
                makes_past_due: true,
            };
        }
        let first = before.first_failed_at.unwrap_or(at);
        match usize::try_from(used)
            .ok()
            .and_then(|index| self.days.get(index))
        {
            Some(days) => DunningStep {
                state: DunningState::Scheduled,
                next_attempt_at: Some(self.after(first, *days, at)),
                used,
                makes_past_due: true,
            },
            None => DunningStep {
                state: DunningState::Exhausted,
                next_attempt_at: None,
                used,
                makes_past_due: true,
            },
        }
    }
}

/// An outage uses nothing up: the scheduled attempt is tried again in an hour, and so is the one for
/// which a new card had been awaited.
fn after_outage(unchanged: DunningStep, source: Source, at: DateTime<Utc>) -> DunningStep {
    let next = at.checked_add_signed(chrono::Duration::hours(1));
    match source {
        Source::Run | Source::Dunning => DunningStep {
            state: DunningState::Scheduled,
            next_attempt_at: next,
            ..unchanged
        },
        Source::CardUpdate if unchanged.state == DunningState::AwaitingCard => DunningStep {
            state: DunningState::Scheduled,
            next_attempt_at: next,
            ..unchanged
        },
        Source::Manual | Source::CardUpdate | Source::First => unchanged,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn policy() -> DunningPolicy {
        DunningPolicy::standard(chrono_tz::Asia::Seoul)
    }

    fn at(day: u32, hour: u32) -> DateTime<Utc> {
        chrono_tz::Asia::Seoul
            .with_ymd_and_hms(2026, 11, day, hour, 0, 0)
            .unwrap()
            .with_timezone(&Utc)
    }

    fn fresh() -> DunningBefore {
        DunningBefore {
            state: DunningState::Idle,
            next_attempt_at: None,
            used: 0,
            first_failed_at: None,
        }
    }

    fn then(step: DunningStep, first: DateTime<Utc>) -> DunningBefore {
        DunningBefore {
            state: step.state,
            next_attempt_at: step.next_attempt_at,
            used: step.used,
            first_failed_at: Some(first),
        }
    }

    #[test]
    fn a_soft_decline_is_tried_after_1_3_5_and_7_days_at_ten_and_then_ends() {
        let first = at(10, 9);
        let mut step = policy().after_failure(fresh(), Source::Run, FailureClass::Soft, first);
        for day in [11, 13, 15, 17] {
            assert_eq!(step.next_attempt_at, Some(at(day, 10)));
            assert!(step.makes_past_due);
            step = policy().after_failure(
                then(step, first),
                Source::Dunning,
                FailureClass::Soft,
                at(day, 10),
            );
        }
        assert_eq!(
            (step.state, step.next_attempt_at, step.used),
            (DunningState::Exhausted, None, 4)
        );
    }

    #[test]
    fn manual_failures_and_new_cards_do_not_move_the_schedule() {
        let first = at(10, 9);
        let planned = policy().after_failure(fresh(), Source::Run, FailureClass::Soft, first);
        for source in [Source::Manual, Source::CardUpdate] {
            let after = policy().after_failure(
                then(planned, first),
                source,
                FailureClass::Soft,
                at(10, 15),
            );
            assert_eq!(
                (after.next_attempt_at, after.used),
                (planned.next_attempt_at, 0)
            );
        }
    }

    #[test]
    fn a_hard_decline_stops_until_a_new_card_and_a_config_error_is_nobodys_fault() {
        let hard = policy().after_failure(fresh(), Source::Run, FailureClass::Hard, at(10, 9));
        assert_eq!(
            (hard.state, hard.next_attempt_at),
            (DunningState::AwaitingCard, None)
        );
        let config = policy().after_failure(fresh(), Source::Run, FailureClass::Config, at(10, 9));
        assert_eq!(
            (config.state, config.next_attempt_at, config.makes_past_due),
            (DunningState::Scheduled, Some(at(11, 10)), false)
        );
    }

    #[test]
    fn an_outage_uses_no_attempt_and_makes_nobody_past_due() {
        let step =
            policy().after_failure(fresh(), Source::Run, FailureClass::ProviderDown, at(10, 9));
        assert_eq!(
            (step.next_attempt_at, step.used, step.makes_past_due),
            (Some(at(10, 10)), 0, false)
        );
    }

    #[test]
    fn a_new_card_that_met_an_outage_is_tried_again() {
        let waiting = DunningBefore {
            state: DunningState::AwaitingCard,
            used: 2,
            ..then(
                policy().after_failure(fresh(), Source::Run, FailureClass::Hard, at(9, 9)),
                at(9, 9),
            )
        };
        let down = FailureClass::ProviderDown;
        let step = policy().after_failure(waiting, Source::CardUpdate, down, at(10, 9));
        assert_eq!(
            (step.state, step.next_attempt_at, step.used),
            (DunningState::Scheduled, Some(at(10, 10)), 2)
        );
        let by_hand = policy().after_failure(waiting, Source::Manual, down, at(10, 9));
        assert_eq!(by_hand.state, DunningState::AwaitingCard);
    }

    #[test]
    fn an_unknown_code_gets_one_further_try() {
        let first = at(10, 9);
        let once = policy().after_failure(fresh(), Source::Run, FailureClass::Unclassified, first);
        assert_eq!(once.next_attempt_at, Some(at(11, 10)));
        let twice = policy().after_failure(
            then(once, first),
            Source::Dunning,
            FailureClass::Unclassified,
            at(11, 10),
        );
        assert_eq!(twice.state, DunningState::AwaitingCard);
    }
}
