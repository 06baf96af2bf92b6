//! Due dates against an independent calendar: `jiff`, always from the anchor.
//!
//! `ANCHORS=1000000 PERIODS=240 cargo test --release --test dates -- --nocapture` goes further; `SEED` chooses others.
//! The two calendars bring their own tables of zones, of different years. Days on which those differ are counted and not
//! compared; there are few. Zones beyond 2099 are not compared: the product's tables end there.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Datelike, Duration, NaiveDate, Offset, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use jiff::civil;

use paydeck::domain::period::{Anchor, Interval, Unit, at_hour, day_start, local_date};

/// Zones are compared on every so-manieth period.
const ZONE_EVERY: u32 = 8;
const LAST_YEAR_OF_ZONES: i32 = 2099;

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

/// Dice with a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n.max(1)).expect("small");
        usize::try_from(self.next() % n).expect("small")
    }
}

fn day(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, day)
}

/// Any day, more often the last of a month, and now and then February 29.
fn any_date(dice: &mut Dice) -> NaiveDate {
    let year = 1990 + i32::try_from(dice.below(70)).expect("small");
    let month = 1 + u32::try_from(dice.below(12)).expect("small");
    let found = match dice.below(8) {
        0 => day(year - year % 4, 2, 29),
        1..=3 => (28..=31).rev().find_map(|last| day(year, month, last)),
        _ => day(
            year,
            month,
            1 + u32::try_from(dice.below(28)).expect("small"),
        ),
    };
    found.expect("a date")
}

fn any_anchor(dice: &mut Dice) -> Anchor {
    let unit = Unit::ALL[dice.below(Unit::ALL.len())];
    let count = [1, 1, 1, 1, 2, 3, 6, 12][dice.below(8)];
    Anchor {
        date: any_date(dice),
        zone: TZ_VARIANTS[dice.below(TZ_VARIANTS.len())],
        interval: Interval::try_new(unit, count).expect("an interval"),
    }
}

fn other_date(date: NaiveDate) -> civil::Date {
    civil::date(
        i16::try_from(date.year()).expect("a year"),
        i8::try_from(date.month()).expect("a month"),
        i8::try_from(date.day()).expect("a day"),
    )
}

fn is_same(ours: NaiveDate, other: civil::Date) -> bool {
    (ours.year(), ours.month(), ours.day())
        == (
            i32::from(other.year()),
            u32::try_from(other.month()).expect("a month"),
            u32::try_from(other.day()).expect("a day"),
        )
}

/// So many intervals after the anchor, by the other calendar.
fn other_after(anchor: civil::Date, interval: Interval, steps: u32) -> civil::Date {
    let units = i32::try_from(interval.count * steps).expect("small");
    let span = jiff::Span::new();
    let span = match interval.unit {
        Unit::Day => span.days(units),
        Unit::Week => span.weeks(units),
        Unit::Month => span.months(units),
        Unit::Quarter => span.months(units * 3),
        Unit::Year => span.years(units),
    };
    anchor.checked_add(span).expect("a date")
}

fn other_zone(zone: Tz) -> Option<jiff::tz::TimeZone> {
    jiff::tz::TimeZone::get(zone.name()).ok()
}

/// The first instant of a day, by the other calendar.
fn other_start(date: civil::Date, zone: &jiff::tz::TimeZone) -> i64 {
    let noon = date.at(12, 0, 0, 0).to_zoned(zone.clone()).expect("noon");
    let start = noon.start_of_day().expect("a beginning");
    start.timestamp().as_second()
}

/// Whether the two tables of zones give the same offsets around an instant.
fn tables_agree(zone: Tz, other: &jiff::tz::TimeZone, at: DateTime<Utc>) -> bool {
    [-86_400_i64, -1, 0, 86_400].into_iter().all(|seconds| {
        let at = at + Duration::seconds(seconds);
        let ours = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let theirs = jiff::Timestamp::from_second(at.timestamp()).expect("an instant");
        ours.local_minus_utc() == other.to_offset(theirs).seconds()
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Same,
    OtherTables,
}

/// Compares the first instant of a day.
fn compare_start(date: NaiveDate, zone: Tz, other: &jiff::tz::TimeZone) -> Compared {
    let ours = day_start(date, zone);
    let theirs = other_start(other_date(date), other);
    let is_same =
        ours.timestamp() == theirs && local_date(ours - Duration::seconds(1), zone) < date;
    if is_same {
        return Compared::Same;
    }
    assert!(
        !tables_agree(zone, other, ours),
        "{date} in {zone}: {ours}, not {theirs}"
    );
    Compared::OtherTables
}

struct Figures {
    dates: AtomicU64,
    starts: AtomicU64,
    other_tables: AtomicU64,
}

fn follow(anchor: Anchor, periods: u32, phase: u32, figures: &Figures) {
    let from = other_date(anchor.date);
    let zone = other_zone(anchor.zone);
    let mut before: Option<NaiveDate> = None;
    let mut per_year = (0, 0_u32);
    for index in 0..periods {
        let ours = anchor.date_of(index).expect("a date");
        let theirs = other_after(from, anchor.interval, index);
        assert!(
            is_same(ours, theirs),
            "period {index} of {anchor:?}: {ours}, not {theirs}"
        );
        assert!(before < Some(ours), "period {index} of {anchor:?}");
        before = Some(ours);
        per_year = (
            ours.year(),
            if per_year.0 == ours.year() {
                per_year.1 + 1
            } else {
                1
            },
        );
        let is_monthly = anchor.interval.unit == Unit::Month && anchor.interval.count == 1;
        assert!(
            !is_monthly || per_year.1 <= 12,
            "{anchor:?} in {}",
            per_year.0
        );
        let is_zoned = index % ZONE_EVERY == phase && ours.year() <= LAST_YEAR_OF_ZONES;
        if let Some(zone) = zone.as_ref().filter(|_| is_zoned) {
            let period = anchor.period(index).expect("a period");
            assert_eq!(period.due_at, day_start(ours, anchor.zone));
            assert_eq!(period.ends_at, day_start(period.to, anchor.zone));
            let compared = compare_start(ours, anchor.zone, zone);
            figures.starts.fetch_add(1, Ordering::Relaxed);
            let differ = u64::from(compared == Compared::OtherTables);
            figures.other_tables.fetch_add(differ, Ordering::Relaxed);
        }
    }
    figures
        .dates
        .fetch_add(u64::from(periods), Ordering::Relaxed);
}

#[test]
fn due_dates_agree_with_an_independent_calendar() {
    let anchors = number("ANCHORS", 100_000);
    let periods = u32::try_from(number("PERIODS", 240)).expect("small");
    let seed = number("SEED", 20_261_121);
    let figures = Figures {
        dates: AtomicU64::new(0),
        starts: AtomicU64::new(0),
        other_tables: AtomicU64::new(0),
    };
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= anchors {
                        break;
                    }
                    let mut dice = Dice(seed.wrapping_mul(31).wrapping_add(at));
                    let anchor = any_anchor(&mut dice);
                    let phase = u32::try_from(dice.below(8)).expect("small");
                    follow(anchor, periods, phase, &figures);
                }
            });
        }
    });
    let starts = figures.starts.load(Ordering::Relaxed);
    assert!(figures.other_tables.load(Ordering::Relaxed) * 100 < starts);
    println!(
        "{anchors} anchors: {} dates, {} first instants, {} not compared (other tables), seed {seed}",
        figures.dates.load(Ordering::Relaxed),
        starts,
        figures.other_tables.load(Ordering::Relaxed)
    );
}

/// The days around every change of every zone's clocks.
#[test]
fn every_change_of_every_clock_begins_its_day_where_an_independent_calendar_does() {
    let (mut zones, mut days, mut other_tables) = (0, 0, 0);
    let first: jiff::Timestamp = "1990-01-01T00:00:00Z".parse().expect("an instant");
    for zone in TZ_VARIANTS {
        let Some(other) = other_zone(zone) else {
            continue;
        };
        let mut has_changes = false;
        for change in other.following(first) {
            let at =
                DateTime::from_timestamp(change.timestamp().as_second(), 0).expect("an instant");
            let around = local_date(at, zone);
            if around.year() > LAST_YEAR_OF_ZONES {
                break;
            }
            has_changes = true;
            for date in [around.pred_opt(), Some(around), around.succ_opt()] {
                let date = date.expect("a date");
                days += 1;
                if compare_start(date, zone, &other) == Compared::OtherTables {
                    other_tables += 1;
                }
                // Ten in the morning, when dunning tries again, is on its day wherever the day is there at all.
                let tenth = at_hour(date, 10, zone);
                assert!(local_date(tenth, zone) >= date, "{date} in {zone}");
            }
        }
        zones += usize::from(has_changes);
    }
    println!("{zones} zones with changes, {days} days, {other_tables} not compared (other tables)");
    assert!(zones > 300, "{zones}");
    assert!(other_tables * 20 < days, "{other_tables} of {days}");
}
