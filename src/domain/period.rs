//! Billing periods, computed from the anchor each time and never from the period before.
//!
//! The local date in the billing zone decides. Jan 31 by months is Feb 28, Mar 31, Apr 30; Feb 29
//! by years is Feb 28 and, in leap years, Feb 29 again.

use chrono::{
    DateTime, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc,
};
use chrono_tz::Tz;

/// The unit of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Calendar days.
    Day,
    /// Seven days.
    Week,
    /// Calendar months.
    Month,
    /// Three calendar months.
    Quarter,
    /// Twelve calendar months.
    Year,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 5] = [
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
        Self::Year,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == text)
    }
}

/// How often a plan bills: a unit and how many of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    /// The unit.
    pub unit: Unit,
    /// How many units, at least 1.
    pub count: u32,
}

/// The longest interval in units that is accepted; ten years of months.
pub const MAX_INTERVAL_COUNT: u32 = 120;

/// Why a date cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The count is 0 or above [`MAX_INTERVAL_COUNT`].
    #[error("interval count must be between 1 and {MAX_INTERVAL_COUNT}")]
    BadCount,
    /// The date lies outside the calendar.
    #[error("date out of range")]
    OutOfRange,
}

impl Interval {
    /// An interval of `count` units.
    pub fn try_new(unit: Unit, count: u32) -> Result<Self, PeriodError> {
        if (1..=MAX_INTERVAL_COUNT).contains(&count) {
            Ok(Self { unit, count })
        } else {
            Err(PeriodError::BadCount)
        }
    }

    /// Reads `month`, `quarter`, `2 week`, `2week`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(split);
        let count = if number.is_empty() {
            1
        } else {
            number.parse().ok()?
        };
        let unit = unit.trim().trim_start_matches('-');
        Self::try_new(Unit::parse(unit.strip_suffix('s').unwrap_or(unit))?, count).ok()
    }

    /// The date `steps` intervals after `anchor`, clamped to the month's end.
    pub fn date_after(self, anchor: NaiveDate, steps: u32) -> Result<NaiveDate, PeriodError> {
        let units = u64::from(self.count) * u64::from(steps);
        let months = |per: u64| {
            u32::try_from(units * per)
                .ok()
                .and_then(|m| anchor.checked_add_months(Months::new(m)))
        };
        match self.unit {
            Unit::Day => anchor.checked_add_days(Days::new(units)),
            Unit::Week => anchor.checked_add_days(Days::new(units * 7)),
            Unit::Month => months(1),
            Unit::Quarter => months(3),
            Unit::Year => months(12),
        }
        .ok_or(PeriodError::OutOfRange)
    }

    /// Months in the interval as an exact fraction (numerator, denominator): a week is 12/52.
    pub const fn months(self) -> (u64, u64) {
        let count = self.count as u64;
        match self.unit {
            Unit::Day => (count * 12, 365),
            Unit::Week => (count * 12, 52),
            Unit::Month => (count, 1),
            Unit::Quarter => (count * 3, 1),
            Unit::Year => (count * 12, 1),
        }
    }
}

/// The anchor of a term: period `n` begins `n` intervals after the anchor date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// First local date of the term.
    pub date: NaiveDate,
    /// The billing zone.
    pub zone: Tz,
    /// How often it bills.
    pub interval: Interval,
}

/// One period: `[from, to)` in local dates, and the instant it falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its number in the term, from 0.
    pub index: u32,
    /// First day.
    pub from: NaiveDate,
    /// First day of the next period.
    pub to: NaiveDate,
    /// When it falls due: the first instant of `from` in the billing zone.
    pub due_at: DateTime<Utc>,
    /// When it ends: the first instant of `to` in the billing zone.
    pub ends_at: DateTime<Utc>,
}

impl Anchor {
    /// The local date on which period `index` begins.
    pub fn date_of(&self, index: u32) -> Result<NaiveDate, PeriodError> {
        self.interval.date_after(self.date, index)
    }

    /// Period `index` of the term.
    pub fn period(&self, index: u32) -> Result<Period, PeriodError> {
        let from = self.date_of(index)?;
        let to = self.date_of(index.checked_add(1).ok_or(PeriodError::OutOfRange)?)?;
        Ok(Period {
            index,
            from,
            to,
            due_at: day_start(from, self.zone),
            ends_at: day_start(to, self.zone),
        })
    }
}

/// The first instant of a local day. Where daylight saving skips midnight, the first instant that
/// exists; where it repeats it, the earlier one.
pub fn day_start(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    at_local(date.and_time(NaiveTime::MIN), zone)
}

/// A local time of day on a date, as an instant; see [`day_start`] for skipped and repeated times.
pub fn at_hour(date: NaiveDate, hour: u32, zone: Tz) -> DateTime<Utc> {
    at_local(
        date.and_hms_opt(hour.min(23), 0, 0)
            .unwrap_or_else(|| date.and_time(NaiveTime::MIN)),
        zone,
    )
}

fn at_local(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let mut candidate = local;
    for _ in 0..=(24 * 4) {
        if let Some(found) = zone.from_local_datetime(&candidate).earliest() {
            return found.with_timezone(&Utc);
        }
        candidate += Duration::minutes(15);
    }
    Utc.from_utc_datetime(&local)
}

/// The local date of an instant in the billing zone.
pub fn local_date(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn dates(start: &str, interval: &str, n: u32) -> Vec<String> {
        let interval = Interval::parse(interval).unwrap();
        (0..n)
            .map(|i| interval.date_after(date(start), i).unwrap().to_string())
            .collect()
    }

    #[test]
    fn month_ends_are_clamped_from_the_anchor_and_never_drift() {
        assert_eq!(
            dates("2026-01-31", "month", 5),
            [
                "2026-01-31",
                "2026-02-28",
                "2026-03-31",
                "2026-04-30",
                "2026-05-31"
            ]
        );
        assert_eq!(
            dates("2025-11-30", "quarter", 4),
            ["2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30"]
        );
        assert_eq!(
            dates("2024-02-29", "year", 5),
            [
                "2024-02-29",
                "2025-02-28",
                "2026-02-28",
                "2027-02-28",
                "2028-02-29"
            ]
        );
        assert_eq!(
            dates("2026-11-21", "2 weeks", 3),
            ["2026-11-21", "2026-12-05", "2026-12-19"]
        );
    }

    #[test]
    fn a_midnight_that_daylight_saving_skips_starts_at_the_first_instant_there_is() {
        let zone: Tz = "America/Santiago".parse().unwrap();
        let start = day_start(date("2024-09-08"), zone);
        assert_eq!(start.to_rfc3339(), "2024-09-08T04:00:00+00:00");
        assert_eq!(local_date(start, zone), date("2024-09-08"));
    }

    #[test]
    fn an_interval_of_zero_or_of_nonsense_is_refused() {
        assert_eq!(
            Interval::try_new(Unit::Month, 0),
            Err(PeriodError::BadCount)
        );
        assert_eq!(Interval::parse("fortnight"), None);
        assert_eq!(Interval::parse(""), None);
    }

    proptest! {
        #[test]
        fn a_period_ends_exactly_where_the_next_begins(days in 0_u64..20_000, zone in 0_usize..594, n in 0_u32..100) {
            let zone = chrono_tz::TZ_VARIANTS[zone % chrono_tz::TZ_VARIANTS.len()];
            let anchor = Anchor { date: date("1995-01-01") + Days::new(days), zone, interval: Interval::parse("month").unwrap() };
            let (a, b) = (anchor.period(n).unwrap(), anchor.period(n + 1).unwrap());
            prop_assert_eq!(a.ends_at, b.due_at);
            prop_assert!(a.due_at < a.ends_at);
        }
    }
}
