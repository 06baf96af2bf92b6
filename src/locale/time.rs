//! Dates, clock times and ages as each language writes them.
//!
//! Local dates come in already computed in the billing zone; this module knows no zone and no clock.
//! Ages change by the minute, so that a screen redraws only when its text does.

use super::Locale;

/// A local calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day {
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Day {
    pub fn new(year: i32, month: u32, day: u32) -> Self {
        Self { year, month, day }
    }

    /// Gregorian weekday, 0 = Sunday: January and February count to the year before.
    fn weekday(self) -> usize {
        const SHIFTS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let month = usize::try_from(self.month.saturating_sub(1)).unwrap_or(0) % 12;
        let year = if month < 2 { self.year - 1 } else { self.year };
        let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let day = i32::try_from(self.day).unwrap_or(0);
        let number = (year + leaps + SHIFTS[month] + day).rem_euclid(7);
        usize::try_from(number).unwrap_or(0)
    }
}

impl Locale {
    /// `11-21 금`, `Nov 21 Fri`.
    pub fn date(&'static self, day: Day) -> String {
        self.dated("common.time.date", day, &[])
    }

    /// `11-21`, `Nov 21`.
    pub fn short_date(&'static self, day: Day) -> String {
        self.dated("common.time.short_date", day, &[])
    }

    /// `2026-11-21 토`, `Nov 21, 2026 Sat`.
    pub fn full_date(&'static self, day: Day) -> String {
        self.dated("common.time.full_date", day, &[])
    }

    /// `2026-11`, `Nov 2026`.
    pub fn month(&'static self, day: Day) -> String {
        self.dated("common.time.month", day, &[])
    }

    /// `11-21 토 14:03`, `Nov 21 Sat 14:03`.
    pub fn date_time(&'static self, day: Day, hour: u32, minute: u32) -> String {
        self.dated(
            "common.time.date_time",
            day,
            &[("clock", &clock(hour, minute))],
        )
    }

    /// `2026-11-21 토 14:03:09`, `Nov 21, 2026 Sat 14:03:09`: for evidence and audit.
    pub fn full_time(&'static self, day: Day, hour: u32, minute: u32, second: u32) -> String {
        let clock = format!("{}:{second:02}", clock(hour, minute));
        self.dated("common.time.full_time", day, &[("clock", &clock)])
    }

    /// `14:03` in both languages.
    pub fn clock(&self, hour: u32, minute: u32) -> String {
        clock(hour, minute)
    }

    /// The short weekday: 금, Fri.
    pub fn weekday(&'static self, day: Day) -> &'static str {
        self.find(&format!("common.time.weekday.{}", WEEKDAYS[day.weekday()]))
            .unwrap_or("")
    }

    /// How long something has lasted, in its largest unit: `3m`, `5h`, `2d`; 3분, 5시간, 2일.
    pub fn age(&'static self, seconds: i64) -> String {
        let (unit, number) = largest_unit(seconds);
        match unit {
            Unit::Now => self.t("common.time.now").to_owned(),
            Unit::Of(name) => self.timed("age", name, number),
        }
    }

    /// How long ago something was: `2m ago`, 2분 전; under a minute: `just now`, 방금.
    pub fn ago(&'static self, seconds: i64) -> String {
        let (unit, number) = largest_unit(seconds);
        match unit {
            Unit::Now => self.t("common.time.just_now").to_owned(),
            Unit::Of(name) => self.timed("ago", name, number),
        }
    }

    /// How long until something: `in 40s`, `in 2m`; 40초 뒤, 2분 뒤. What is due already is `now`.
    pub fn until(&'static self, seconds: i64) -> String {
        match largest_unit(seconds) {
            (Unit::Now, number) if number > 0 => self.timed("until", "second", number),
            (Unit::Now, _) => self.t("common.time.now").to_owned(),
            (Unit::Of(name), number) => self.timed("until", name, number),
        }
    }

    fn timed(&'static self, form: &str, unit: &str, number: i64) -> String {
        self.t_args(
            &format!("common.time.{form}.{unit}"),
            &[("n", &number.to_string())],
        )
    }

    fn dated(&'static self, key: &str, day: Day, more: &[(&str, &str)]) -> String {
        let year = format!("{:04}", day.year);
        let number = format!("{:02}", day.month);
        let month = self
            .find(&format!("common.time.month_name.m{number}"))
            .unwrap_or(&number);
        let (padded, plain) = (format!("{:02}", day.day), day.day.to_string());
        let mut args = vec![
            ("year", year.as_str()),
            ("month", month),
            ("day", padded.as_str()),
            ("plain_day", plain.as_str()),
            ("weekday", self.weekday(day)),
        ];
        args.extend_from_slice(more);
        self.t_args(key, &args)
    }
}

enum Unit {
    Now,
    Of(&'static str),
}

fn largest_unit(seconds: i64) -> (Unit, i64) {
    match seconds {
        ..MINUTE => (Unit::Now, seconds),
        MINUTE..HOUR => (Unit::Of("minute"), seconds / MINUTE),
        HOUR..DAY => (Unit::Of("hour"), seconds / HOUR),
        DAY.. => (Unit::Of("day"), seconds / DAY),
    }
}

fn clock(hour: u32, minute: u32) -> String {
    format!("{hour:02}:{minute:02}")
}
