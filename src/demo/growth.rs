//! When people come: a shop that grows, weekdays, paydays, and the hours of a day.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use super::chance::Chance;
use crate::domain::period::day_start;

/// How many customers come on each day, oldest first; the sum is exact.
pub(super) fn arrivals(first: NaiveDate, days: u32, customers: u32) -> Vec<u32> {
    let weights: Vec<u64> = (0..days)
        .map(|day| {
            let date = first.checked_add_days(Days::new(u64::from(day)));
            weight(u64::from(day), u64::from(days), date.unwrap_or(first))
        })
        .collect();
    let total: u64 = weights.iter().sum();
    let mut passed = 0;
    let mut given = 0;
    weights
        .iter()
        .map(|weight| {
            passed += weight;
            let until = u64::from(customers) * passed / total.max(1);
            let here = until - given;
            given = until;
            u32::try_from(here).unwrap_or(u32::MAX)
        })
        .collect()
}

/// The last days bring about three times as many as the first.
fn weight(day: u64, days: u64, date: NaiveDate) -> u64 {
    let growth = 100 + 200 * day / days.max(1);
    let weekday = match date.weekday() {
        Weekday::Mon => 108,
        Weekday::Tue => 110,
        Weekday::Wed => 106,
        Weekday::Thu => 104,
        Weekday::Fri => 97,
        Weekday::Sat => 84,
        Weekday::Sun => 91,
    };
    // Salaries come on the 10th, 21st and 25th.
    let payday = match date.day() {
        1 => 125,
        10 => 128,
        21 => 112,
        25 => 142,
        26 => 115,
        _ => 100,
    };
    // January brings resolutions, late summer holidays.
    let season = match date.month() {
        1 => 114,
        3 | 9 => 106,
        7 | 8 => 93,
        _ => 100,
    };
    growth * weekday * payday * season
}

/// When on a day a person does something: few at night, most after lunch and in the evening.
pub(super) fn moment(chance: &mut Chance, date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    const HOURS: [(i64, u32); 24] = [
        (0, 14),
        (1, 7),
        (2, 4),
        (3, 2),
        (4, 2),
        (5, 4),
        (6, 9),
        (7, 20),
        (8, 36),
        (9, 48),
        (10, 58),
        (11, 60),
        (12, 66),
        (13, 70),
        (14, 60),
        (15, 57),
        (16, 55),
        (17, 52),
        (18, 50),
        (19, 58),
        (20, 70),
        (21, 78),
        (22, 66),
        (23, 38),
    ];
    let hour = chance.weighted(&HOURS, |(_, weight)| *weight).0;
    at_minute(chance, date, hour, zone)
}

/// When on a day somebody of the shop works on it: office hours.
pub(super) fn office_moment(chance: &mut Chance, date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let ahead = match date.weekday() {
        Weekday::Sat => 2,
        Weekday::Sun => 1,
        _ => 0,
    };
    let date = date.checked_add_days(Days::new(ahead)).unwrap_or(date);
    let hour = *chance.one_of(&[10, 10, 11, 11, 13, 14, 14, 15, 16, 17]);
    at_minute(chance, date, hour, zone)
}

fn at_minute(chance: &mut Chance, date: NaiveDate, hour: i64, zone: Tz) -> DateTime<Utc> {
    let inside = TimeDelta::milliseconds(chance.between(0, 3_600_000));
    day_start(date, zone) + TimeDelta::hours(hour) + inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> NaiveDate {
        "2024-11-21".parse().unwrap()
    }

    #[test]
    fn everybody_comes_and_more_come_later() {
        for customers in [1, 7, 3_000, 125_000] {
            let days = arrivals(first(), 730, customers);
            assert_eq!(days.iter().sum::<u32>(), customers);
        }
        let days = arrivals(first(), 730, 30_000);
        let (early, late): (u32, u32) = (days[..90].iter().sum(), days[640..].iter().sum());
        assert!(late > early * 2, "{early} {late}");
    }

    #[test]
    fn nobody_of_the_shop_works_on_a_weekend() {
        let zone = chrono_tz::Asia::Seoul;
        let mut chance = Chance::new(7);
        for day in 0..60 {
            let date = first().checked_add_days(Days::new(day)).unwrap();
            let at = office_moment(&mut chance, date, zone).with_timezone(&zone);
            assert!(!matches!(at.weekday(), Weekday::Sat | Weekday::Sun));
        }
    }
}
