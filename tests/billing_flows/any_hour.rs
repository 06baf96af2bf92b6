//! A billing run at any hour, late, early, again, dying in the middle, with the clock going back: the same invoices.
//!
//! What is expected is computed with `jiff`, from the anchor, and knows nothing of the product's calendar. A schedule is a
//! list of runs; what it must come to depends on nothing but their times. Where a run died, what it had begun stays and
//! what it had not is as if it had not been there: both are right, for each subscription on its own, and nothing else.
//! `SCHEDULES=5000 cargo test --test billing_flows any_hour -- --nocapture` plays more; `SEED` others.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use jiff::ToSpan;
use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use paydeck::domain::ids::SubscriptionId;
use paydeck::engine::ports::Exclusivity;
use paydeck::engine::{EngineSettings, Request};

use crate::fleet::DiesAfter;
use crate::world::{Base, World, admin};

const DAY: i64 = 86_400;
/// The last second of 2030. Rules of later years are guesses, and tables differ in them.
const LAST: i64 = 1_924_991_999;
/// Of more missed periods than this, only the newest are written down for a person.
const MOST_MISSED: usize = 24;
/// Clocks that change at midnight, by half an hour, in the south, or not at all any more; of rules that both tables know.
const ZONES: [&str; 16] = [
    "Asia/Seoul",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "Africa/Cairo",
    "America/Mexico_City",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/London",
    "Europe/Lisbon",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
];
const UNITS: [&str; 5] = ["day", "week", "month", "quarter", "year"];

/// What a subscription is billed by, in the words of the other calendar.
#[derive(Debug, Clone)]
struct Billed {
    from: Date,
    zone: usize,
    unit: usize,
    count: i32,
    price: i64,
}

impl Billed {
    fn date(&self, index: i32) -> Date {
        let units = self.count * index;
        let span = match UNITS[self.unit] {
            "day" => units.days(),
            "week" => units.weeks(),
            "month" => units.months(),
            "quarter" => (units * 3).months(),
            _ => units.years(),
        };
        self.from.checked_add(span).expect("a date")
    }

    /// The first second of a period.
    fn due(&self, index: i32) -> i64 {
        start(self.date(index), &zone(self.zone))
    }
}

fn second(at: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at).expect("an instant")
}

fn zone(at: usize) -> TimeZone {
    TimeZone::get(ZONES[at]).expect("a zone")
}

fn start(date: Date, zone: &TimeZone) -> i64 {
    let noon = date.at(12, 0, 0, 0).to_zoned(zone.clone()).expect("noon");
    let start = noon.start_of_day().expect("a beginning");
    start.timestamp().as_second()
}

/// When a run takes place.
#[derive(Debug, Clone)]
enum When {
    /// So many seconds from the first second of somebody's period.
    Near {
        whose: usize,
        period: i32,
        seconds: i64,
    },
    /// The last second of the day before somebody's period, in its zone.
    LastSecond { whose: usize, period: i32 },
    /// So many seconds into the time that is played.
    Anywhen(i64),
}

#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    /// It dies after so many waits.
    Dies(u32),
    /// The answers to the next calls are lost, executed or not.
    Lost(&'static str, u64),
}

#[derive(Debug, Clone)]
struct Run {
    when: When,
    times: usize,
    trouble: Trouble,
    /// What is open is settled before it.
    settled_before: bool,
}

#[derive(Debug, Clone)]
struct Played {
    billed: Vec<Billed>,
    runs: Vec<Run>,
    /// Pairs of runs that change places: the clock goes back.
    swapped: Vec<(usize, usize)>,
}

fn dates() -> impl Strategy<Value = Date> {
    let any = (2024_i16..2027, 1_i8..=12, 1_i8..=28).prop_map(|(y, m, d)| civil::date(y, m, d));
    let last = (2024_i16..2027, 1_i8..=12).prop_map(|(y, m)| civil::date(y, m, 1).last_of_month());
    prop_oneof![3 => any, 3 => last, 1 => Just(civil::date(2024, 2, 29))]
}

/// Now and then a subscription begins on a day on which its zone's clocks change.
fn billed() -> impl Strategy<Value = Billed> {
    let unit =
        prop_oneof![1 => Just(0_usize), 1 => Just(1), 4 => Just(2), 1 => Just(3), 1 => Just(4)];
    let count = prop_oneof![4 => Just(1), 1 => 2..=3_i32];
    let price = 1_000_i64..100_000;
    let place = 0..ZONES.len();
    (dates(), place, unit, count, price, 0_u8..3).prop_map(
        |(from, place, unit, count, price, on_change)| {
            let change = zone(place)
                .following(second(start(from, &zone(place))))
                .next()
                .map(|change| change.timestamp().to_zoned(zone(place)).date());
            let from = match change {
                Some(change) if on_change == 0 && change.year() < 2028 => change,
                _ => from,
            };
            Billed {
                from,
                zone: place,
                unit,
                count,
                price,
            }
        },
    )
}

fn runs() -> impl Strategy<Value = Run> {
    let near = prop_oneof![
        Just(-1_i64),
        Just(0),
        Just(1),
        -7_200_i64..7_200,
        0..3 * DAY
    ];
    let when = prop_oneof![
        4 => (0_usize..8, 0_i32..14, near).prop_map(|(whose, period, seconds)| When::Near { whose, period, seconds }),
        2 => (0_usize..8, 0_i32..14).prop_map(|(whose, period)| When::LastSecond { whose, period }),
        2 => (0..500 * DAY).prop_map(When::Anywhen),
    ];
    let trouble = prop_oneof![
        6 => Just(Trouble::None),
        2 => (0_u32..120).prop_map(Trouble::Dies),
        1 => (1_u64..3).prop_map(|times| Trouble::Lost("lost_after_commit", times)),
        1 => (1_u64..3).prop_map(|times| Trouble::Lost("lost_before_commit", times)),
    ];
    (when, 1_usize..=2, trouble, any::<bool>()).prop_map(
        |(when, times, trouble, settled_before)| Run {
            when,
            times,
            trouble,
            settled_before,
        },
    )
}

fn played() -> impl Strategy<Value = Played> {
    (
        proptest::collection::vec(billed(), 3..8),
        proptest::collection::vec(runs(), 2..12),
        proptest::collection::vec((0_usize..12, 0_usize..12), 0..3),
    )
        .prop_map(|(billed, runs, swapped)| Played {
            billed,
            runs,
            swapped,
        })
}

impl Played {
    fn at(&self, run: &Run) -> i64 {
        let first = |whose: usize| &self.billed[whose % self.billed.len()];
        let begins = self.billed.iter().map(|one| one.due(0)).min();
        let at = match run.when {
            When::Near {
                whose,
                period,
                seconds,
            } => first(whose).due(period) + seconds,
            When::LastSecond { whose, period } => {
                let one = first(whose);
                let before = one.date(period).yesterday().expect("a date");
                let last = before.at(23, 59, 59, 0).to_zoned(zone(one.zone));
                last.expect("a time").timestamp().as_second()
            }
            When::Anywhen(seconds) => begins.expect("somebody") + seconds,
        };
        at.min(LAST)
    }

    /// The runs with their times, in the order in which they take place.
    fn ordered(&self) -> Vec<(i64, Run)> {
        let mut runs: Vec<(i64, Run)> = self
            .runs
            .iter()
            .map(|run| (self.at(run), run.clone()))
            .collect();
        runs.sort_by_key(|(at, _)| *at);
        for (one, other) in &self.swapped {
            let count = runs.len();
            runs.swap(one % count, other % count);
        }
        runs
    }
}

/// An invoice of a subscription: period, dates, first second, amount, and whether it was charged.
type Line = String;

/// What may have become of one subscription: the next period, and its invoices so far.
type Fate = (i32, Vec<Line>);

fn line(billed: &Billed, index: i32, is_charged: bool) -> Line {
    line_at(billed, index, billed.due(index), is_charged)
}

fn line_at(billed: &Billed, index: i32, due: i64, is_charged: bool) -> Line {
    let state = if is_charged { "paid 1" } else { "draft 0" };
    format!(
        "1 {index} {} {} {due} {} {state}",
        billed.date(index),
        billed.date(index + 1),
        billed.price
    )
}

/// One run at this time: the period that runs is charged, older ones are written down for a person.
fn after_run(billed: &Billed, (next, lines): &Fate, at: i64) -> Fate {
    let (mut index, mut lines) = (*next, lines.clone());
    if billed.due(index) > at {
        return (index, lines);
    }
    let mut missed = Vec::new();
    while billed.due(index + 1) <= at {
        missed.push(line(billed, index, false));
        index += 1;
    }
    let forgotten = missed.len().saturating_sub(MOST_MISSED);
    lines.extend(missed.split_off(forgotten));
    lines.push(line(billed, index, true));
    (index + 1, lines)
}

fn fates(billed: &Billed, first: i32, runs: &[(i64, Run)]) -> BTreeSet<Vec<Line>> {
    let mut fates: BTreeSet<Fate> = BTreeSet::from([(first, Vec::new())]);
    for (at, run) in runs {
        let mut after: BTreeSet<Fate> = BTreeSet::new();
        for fate in &fates {
            after.insert(after_run(billed, fate, *at));
        }
        if matches!(run.trouble, Trouble::Dies(_)) {
            after.extend(fates);
        }
        fates = after;
    }
    fates.into_iter().map(|(_, lines)| lines).collect()
}

fn instant(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("in range")
}

/// Runs at this time; whether it came to its end.
async fn run_at(w: &World, at: i64, trouble: Trouble) -> bool {
    w.clock.set(instant(at));
    let operator = admin();
    let mut quiet = |_| {};
    let run = w.engine.billing_run(&operator, instant(at), &mut quiet);
    let waits = match trouble {
        Trouble::Dies(waits) => waits,
        _ => u32::MAX,
    };
    DiesAfter::new(run, waits)
        .await
        .map(|ended| ended.expect("a run"))
        .is_some()
}

async fn play_runs(w: &World, runs: &[(i64, Run)]) {
    for (at, run) in runs {
        if run.settled_before {
            w.settle_everything().await;
        }
        if let Trouble::Lost(fault, times) = run.trouble {
            w.fault("charge", json!(fault), times).await;
        }
        for _ in 0..run.times {
            run_at(w, *at, run.trouble).await;
        }
        w.no_faults().await;
    }
    w.settle_everything().await;
}

/// Makes the subscriptions as if they had been sold like that, nothing of them billed yet. Gives their ids.
async fn sell(w: &World, pattern: SubscriptionId, billed: &[Billed]) -> Vec<i64> {
    let last = w.ask("select max(id) from subscription").await;
    w.many_like(pattern, billed.len()).await;
    let ids = w
        .column(&format!(
            "select id || '' from subscription where id > {last} order by id"
        ))
        .await;
    let ids: Vec<i64> = ids.iter().map(|id| id.parse().expect("an id")).collect();
    for (id, one) in ids.iter().zip(billed) {
        w.change(&format!(
            "update subscription_term set anchor_date = '{}', zone = '{}', interval_unit = '{}', interval_count = {}, price_minor = {} where subscription_id = {id}",
            one.from, ZONES[one.zone], UNITS[one.unit], one.count, one.price
        ))
        .await;
        w.change(&format!(
            "update subscription set next_period = 0, next_due_at = {}, paid_until = null where id = {id}",
            one.due(0) * 1_000_000
        ))
        .await;
    }
    ids
}

async fn invoices_of(w: &World, id: i64) -> Vec<Line> {
    w.column(&format!(
        "select i.term_no || ' ' || i.period_index || ' ' || i.period_from || ' ' || i.period_to || ' ' || (i.due_at / 1000000) || ' ' || i.amount_minor || ' ' || i.state || ' ' || (select count(*) from payment p where p.invoice_id = i.id and p.captured_minor = i.amount_minor) from invoice i where i.subscription_id = {id} and i.kind = 'renewal' order by i.period_index"
    ))
    .await
}

async fn play(w: &World, pattern: SubscriptionId, played: &Played) -> usize {
    let ids = sell(w, pattern, &played.billed).await;
    let runs = played.ordered();
    play_runs(w, &runs).await;
    let mut invoices = 0;
    for (id, billed) in ids.iter().zip(&played.billed) {
        let found = invoices_of(w, *id).await;
        let expected = fates(billed, 0, &runs);
        let times: Vec<_> = runs
            .iter()
            .map(|(at, _)| instant(*at).to_string())
            .collect();
        assert!(
            expected.contains(&found),
            "{billed:?} by runs at {times:?}: {found:#?}, not {expected:#?}"
        );
        invoices += found.len();
    }
    w.books_are_straight().await;
    w.change(&format!(
        "update subscription set next_due_at = null where id >= {}",
        ids[0]
    ))
    .await;
    invoices
}

fn settings(settings: &mut EngineSettings) {
    settings.exclusivity = Exclusivity::Any;
    // A few lost answers are not an outage here.
    settings.breaker_after = u32::MAX;
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[expect(clippy::print_stdout, reason = "figures")]
fn schedules_on(base: Base, otherwise: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // What is dropped after a failure needs it, too.
    let _inside = runtime.enter();
    let Some(w) = runtime.block_on(World::open(base, settings)) else {
        return;
    };
    let (_, pattern) = runtime.block_on(w.subscriber("key-one"));
    runtime.block_on(w.execute("update subscription set next_due_at = null"));
    let cases = number("SCHEDULES").map_or(otherwise, |cases| u32::try_from(cases).expect("fewer"));
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let mut seed = [31; 32];
    seed[..8].copy_from_slice(&number("SEED").unwrap_or(20_261_121).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let invoices = std::cell::Cell::new(0);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let ended = runner.run(&played(), |played| {
        let made = runtime.block_on(play(&w, pattern, &played));
        invoices.set(invoices.get() + made);
        Ok(())
    });
    if let Err(broken) = ended {
        panic!("{broken}");
    }
    runtime.block_on(w.audit_is_intact());
    let invoices = invoices.get();
    println!("{base:?}: {cases} schedules of runs, {invoices} invoices");
    assert!(
        invoices > 3 * usize::try_from(cases).expect("few"),
        "{invoices}"
    );
}

#[test]
fn any_schedule_of_runs_makes_the_invoices_of_an_independent_calendar_on_sqlite() {
    schedules_on(Base::Sqlite, 60);
}

#[test]
fn any_schedule_of_runs_makes_the_invoices_of_an_independent_calendar_on_postgres() {
    schedules_on(Base::Postgres, 30);
}

/// Sold by a person in the last second of a day, in the first one, and around a change of the clocks; then a run at each
/// hour of the days on which something may fall due.
#[tokio::test]
async fn what_is_sold_at_any_second_of_a_billing_zone_is_billed_by_that_zones_days() {
    for (base, name, change) in [
        (Base::Sqlite, "America/Santiago", "2024-09-08"),
        (Base::Postgres, "America/New_York", "2024-11-03"),
        (Base::Sqlite, "Asia/Seoul", "2024-02-29"),
        (Base::Postgres, "Africa/Cairo", "2024-04-26"),
    ] {
        let place = name.parse::<Tz>().expect("a zone");
        let Some(w) = World::open_in(place, base, settings).await else {
            continue;
        };
        let other = TimeZone::get(name).expect("a zone");
        let change: Date = change.parse().expect("a date");
        let plan = w.basic_plan().await;
        let weekly = w.plan_of("weekly", 3_000, "week", 0).await;
        w.clock.set(instant(start(change, &other) - 40 * DAY));
        let customer = w.customer("key-one").await;
        w.card(customer, "key-one", json!({})).await;
        let mut sold = Vec::new();
        for seconds in [-DAY, -1, 0, 1, 3_599, 3_600, DAY - 3_600, DAY] {
            let at = start(change, &other) + seconds;
            w.clock.set(instant(at));
            let from = second(at).to_zoned(other.clone()).date();
            for (plan, unit, price) in [(plan, 2, 9_900), (weekly, 1, 3_000)] {
                let request = Request::Subscribe {
                    customer,
                    plan,
                    quantity: 1,
                };
                w.done(request).await;
                let zone = ZONES.iter().position(|zone| *zone == name).expect("listed");
                let billed = Billed {
                    from,
                    zone,
                    unit,
                    count: 1,
                    price,
                };
                let id = w.number("select max(id) from subscription").await;
                // The first period is paid for when it is sold.
                let first = line_at(&billed, 0, at, true);
                assert_eq!(invoices_of(&w, id).await, std::slice::from_ref(&first));
                sold.push((id, billed, first));
            }
        }
        let mut runs = Vec::new();
        for day in (1..50).filter(|day| day % 7 < 2 || (27..33).contains(day)) {
            for hour in [0, 6, 23] {
                // Two hours back between the last of a day and the first of the next.
                let at = start(change, &other) + day * DAY + hour * 3_600 - 3_600;
                runs.push((
                    at,
                    Run {
                        when: When::Anywhen(0),
                        times: 1,
                        trouble: Trouble::None,
                        settled_before: false,
                    },
                ));
            }
        }
        play_runs(&w, &runs).await;
        for (id, billed, first) in &sold {
            let mut found = invoices_of(&w, *id).await;
            assert_eq!(found.remove(0), *first);
            let expected = fates(billed, 1, &runs);
            assert!(
                expected.contains(&found),
                "{billed:?} in {name}: {found:#?}, not {expected:#?}"
            );
            assert!(!found.is_empty());
        }
        w.books_are_straight().await;
        w.audit_is_intact().await;
    }
}
