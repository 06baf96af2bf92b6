//! Every wait of every operation, with every fault of the provider: the process dies there, or the
//! database is away there, and everything still comes to rest with the books equal.
//!
//! `SIM_PAIRS=all` also plays every ordered pair of faults at every wait of charge and refund; without it,
//! one in ten.

use std::fmt::Write as _;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{CustomerId, InvoiceId, PaymentId, PlanId, SubscriptionId};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::InvoiceState;
use paydeck::engine::Request;

use crate::actors;
use crate::case::{self, Telling, Told};
use crate::links;
use crate::memory::db::{Personality, Trouble as DatabaseTrouble};
use crate::memory::stage::Chance;
use crate::mirrors;
use crate::net::{self, Posted, Trouble};
use crate::play::{Moves, Order, Play};
use crate::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Charge,
    Retry,
    Refund,
    PartialRefund,
    CancelNow,
    OneTime,
    Subscribe,
    Run,
    /// A charge whose bank asks the customer, who agrees as soon as they can.
    Asked,
    /// What is wished of a subscription that the provider schedules.
    WishEnd,
    WishNow,
    WishPay,
    /// What happened there is pulled.
    Pull,
}

impl Operation {
    const fn is_on_schedule(self) -> bool {
        matches!(
            self,
            Self::WishEnd | Self::WishNow | Self::WishPay | Self::Pull
        )
    }
}

const OPERATIONS: [Operation; 13] = [
    Operation::Charge,
    Operation::Retry,
    Operation::Refund,
    Operation::PartialRefund,
    Operation::CancelNow,
    Operation::OneTime,
    Operation::Subscribe,
    Operation::Run,
    Operation::Asked,
    Operation::WishEnd,
    Operation::WishNow,
    Operation::WishPay,
    Operation::Pull,
];

/// What there is to do at a provider: only one asks customers, and schedules subscriptions. `SIM_OPERATION` leaves out
/// those whose names do not hold the word.
fn operations(provider: ProviderName) -> Vec<Operation> {
    let all = match provider {
        ProviderName::Toss => &OPERATIONS[..8],
        ProviderName::Stripe => &OPERATIONS,
    };
    let only = std::env::var("SIM_OPERATION").unwrap_or_default();
    let is_wanted = |one: &&Operation| format!("{one:?}").contains(&only);
    all.iter().filter(is_wanted).copied().collect()
}

/// What happens at the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strike {
    Death,
    DatabaseAway,
}

#[derive(Debug, Clone)]
struct Point {
    provider: ProviderName,
    operation: Operation,
    /// After so many turns of the one who acts.
    turns: u32,
    strike: Strike,
    /// What goes wrong with the first calls.
    troubles: Vec<Option<Trouble>>,
}

/// What goes wrong with the first calls, each a case: nothing, each fault of the call, and where a charge is two steps,
/// each fault of either.
fn troubles(provider: ProviderName, operation: Operation) -> Vec<Vec<Option<Trouble>>> {
    let all = |posted| net::posted_troubles(provider, posted, &mut Chance::new(7));
    let mut cases = vec![vec![None]];
    match operation {
        // A cancel of a subscription calls nobody.
        // Questions go wrong by chance, in the random cases.
        Operation::CancelNow | Operation::Pull => {}
        Operation::WishEnd | Operation::WishNow => {
            cases.extend(all(Posted::Wished).into_iter().map(|one| vec![Some(one)]));
        }
        Operation::WishPay => {
            cases.extend(
                all(Posted::Collected)
                    .into_iter()
                    .map(|one| vec![Some(one)]),
            );
        }
        Operation::Refund | Operation::PartialRefund => {
            cases.extend(all(Posted::Refunded).into_iter().map(|one| vec![Some(one)]));
        }
        _ if provider.charges_in_two_steps() => {
            let first = all(Posted::Prepared).into_iter();
            cases.extend(first.map(|one| vec![Some(one)]));
            let second = all(Posted::Charged).into_iter();
            cases.extend(second.map(|one| vec![None, Some(one)]));
        }
        _ => cases.extend(all(Posted::Charged).into_iter().map(|one| vec![Some(one)])),
    }
    cases
}

fn request(operation: Operation, play: &Play) -> Option<Request> {
    let won = |minor| Money::new(minor, Currency::KRW);
    let owed = {
        let db = play.world.shared.db();
        let mut rows = db.tables.invoices.rows();
        rows.find(|(_, row)| row.state == InvoiceState::Open)
            .map(|(id, _)| InvoiceId(id))
    };
    let refund = |amount| Request::Refund {
        payment: PaymentId(1),
        amount,
        reason: "asked".to_owned(),
        also_cancel: AlsoCancel::No,
    };
    match operation {
        Operation::WishEnd => Some(Request::CancelAtEnd {
            subscription: MIRRORED,
            reason: "asked".to_owned(),
        }),
        Operation::WishNow => Some(Request::CancelNow {
            subscription: MIRRORED,
            reason: "asked".to_owned(),
        }),
        Operation::Charge | Operation::Asked | Operation::WishPay => {
            owed.map(|invoice| Request::Charge { invoice })
        }
        Operation::Retry => owed.map(|invoice| Request::Retry { invoice }),
        Operation::Refund => Some(refund(RefundAmount::Full)),
        Operation::PartialRefund => Some(refund(RefundAmount::Partial(won(4_000)))),
        Operation::CancelNow => Some(Request::CancelNow {
            subscription: SubscriptionId(1),
            reason: "asked".to_owned(),
        }),
        Operation::OneTime => Some(Request::OneTime {
            customer: CustomerId(1),
            amount: won(5_000),
            description: "추가".to_owned(),
        }),
        Operation::Subscribe => Some(Request::Subscribe {
            customer: CustomerId(1),
            plan: PlanId(1),
            quantity: 1,
        }),
        Operation::Run | Operation::Pull => None,
    }
}

/// The first that is mirrored; it is past due.
const MIRRORED: SubscriptionId = SubscriptionId(2);

fn world(point: &Point, seed: u64) -> World {
    if point.operation.is_on_schedule() {
        return World::of(&mirrors::ON_SCHEDULE, seed, Personality::ReadCommitted);
    }
    let world = World::new(point.provider, seed, 2, Personality::ReadCommitted);
    if point.operation == Operation::Asked {
        links::cards_ask(&world, &mut Chance::new(seed));
    }
    world
}

/// Plays one point. None when the operation was over before so many turns.
fn play(point: &Point, telling: Telling) -> Option<Told> {
    let seed = u64::from(point.turns) + 1;
    let world = world(point, seed);
    world.net.state().script = point.troubles.iter().cloned().collect();
    let mut play = Play::new(world, seed);
    play.order = Order::InTurn;
    if telling == Telling::Aloud {
        play.trace = Some(Vec::new());
        play.world.net.state().trace = Some(Vec::new());
    }
    let house = play.process();
    let at = match request(point.operation, &play) {
        Some(request) => play.enter("kim", &house, actors::presses(house.clone(), request)),
        None if point.operation == Operation::Pull => {
            // A renewal has just happened there.
            play.world.stage.lock().now += 6 * 60_000_000;
            play.enter("mirror", &house, mirrors::pulls_once(house.clone()))
        }
        None => {
            let part = actors::billing_run(house.clone(), play.around.clone(), 0);
            play.enter("run", &house, part)
        }
    };
    if point.operation == Operation::Asked {
        let him = play.world.process();
        let part = links::agrees_at_once(play.around.clone());
        play.enter("customer", &him, part);
    }
    let mut moves = Moves::default();
    while play.actors[at].turns < point.turns {
        if play.is_done(at) || !play.step(&mut moves) {
            return None;
        }
    }
    if play.is_done(at) {
        return None;
    }
    match point.strike {
        Strike::Death => play.kill(house.id),
        Strike::DatabaseAway => {
            play.world.shared.db().trouble = DatabaseTrouble {
                per_mille: 1_000,
                left: 1,
                happened: 0,
            };
            while !play.is_done(at) && play.step(&mut moves) {}
        }
    }
    // The rest of the faults meets whoever comes after.
    let script = std::mem::take(&mut play.world.net.state().script);
    case::rest_after(&mut play, script, &mut moves);
    Some(case::told(play))
}

#[derive(Debug, Default)]
struct Row {
    waits: u32,
    cases: u64,
    broken: Vec<String>,
}

fn complain(row: &mut Row, point: &Point, told: &Told) {
    row.cases += 1;
    if told.violations.is_empty() || row.broken.len() > 3 {
        return;
    }
    let aloud = play(point, Telling::Aloud).unwrap_or_default();
    row.broken.push(format!(
        "{point:?}\n{}\n{:?}",
        aloud.trace.join("\n"),
        told.violations
    ));
}

/// Which of the waits: every so many, from one on.
#[derive(Debug, Clone, Copy)]
struct Waits {
    each: u32,
    from: u32,
}

const ALL_WAITS: Waits = Waits { each: 1, from: 0 };

/// A shop on schedule takes twenty times as long as any other: under a fault every fifth wait is taken, from another on with
/// each fault, unless `SIM_POINTS=all`.
fn waits_of(operation: Operation, fault: usize) -> Waits {
    let is_whole = std::env::var("SIM_POINTS").is_ok_and(|word| word == "all");
    if !operation.is_on_schedule() || fault == 0 || is_whole {
        return ALL_WAITS;
    }
    Waits {
        each: 5,
        from: u32::try_from(fault % 5).unwrap_or(0),
    }
}

/// These waits of an operation under these troubles, with this strike.
fn every_wait(
    row: &mut Row,
    (provider, operation): (ProviderName, Operation),
    strike: Strike,
    (troubles, waits): (&[Option<Trouble>], Waits),
) {
    let is_taken = |turns: &u32| turns % waits.each == waits.from;
    for turns in (1..).filter(is_taken) {
        let point = Point {
            provider,
            operation,
            turns,
            strike,
            troubles: troubles.to_vec(),
        };
        let Some(told) = play(&point, Telling::Silent) else {
            break;
        };
        row.waits = row.waits.max(turns);
        complain(row, &point, &told);
    }
}

fn cover(provider: ProviderName, operation: Operation) -> Row {
    let mut row = Row::default();
    for (fault, trouble) in troubles(provider, operation).iter().enumerate() {
        for strike in [Strike::Death, Strike::DatabaseAway] {
            let about = (provider, operation);
            let waits = waits_of(operation, fault);
            every_wait(&mut row, about, strike, (trouble, waits));
        }
    }
    row
}

fn on_threads<T: Send>(parts: Vec<Box<dyn FnOnce() -> T + Send>>) -> Vec<T> {
    std::thread::scope(|scope| {
        let running: Vec<_> = parts.into_iter().map(|part| scope.spawn(part)).collect();
        running
            .into_iter()
            .map(|one| one.join().expect("a part of the table"))
            .collect()
    })
}

#[test]
fn every_wait_of_every_operation_survives_every_fault() {
    if crate::is_for_seeds_alone() {
        return;
    }
    for provider in crate::providers() {
        every_wait_on(provider);
    }
}

#[expect(clippy::print_stdout, reason = "the table of waits")]
fn every_wait_on(provider: ProviderName) {
    let rows = on_threads(
        operations(provider)
            .into_iter()
            .map(|operation| -> Box<dyn FnOnce() -> Row + Send> {
                Box::new(move || cover(provider, operation))
            })
            .collect(),
    );
    let mut table = format!("{provider}\noperation      waits  faults  cases  broken\n");
    for (operation, row) in operations(provider).iter().zip(&rows) {
        let faults = troubles(provider, *operation).len();
        let _text = writeln!(
            table,
            "{:<14} {:>5} {faults:>7} {:>6} {:>7}",
            format!("{operation:?}"),
            row.waits,
            row.cases,
            row.broken.len()
        );
    }
    println!("{table}");
    let broken: Vec<&String> = rows.iter().flat_map(|row| &row.broken).collect();
    assert!(broken.is_empty(), "{}", broken[0]);
    assert!(rows.iter().all(|row| row.waits >= 10), "{table}");
}

#[test]
fn pairs_of_faults_on_charge_and_refund_are_survived_at_every_wait() {
    if crate::is_for_seeds_alone() {
        return;
    }
    let is_whole = std::env::var("SIM_PAIRS").is_ok_and(|word| word == "all");
    let part = move |provider: ProviderName, operation: Operation| {
        let mut row = Row::default();
        let all = troubles(provider, operation);
        let mut number = 0_u64;
        for first in &all {
            for second in &all {
                number += 1;
                if is_whole || number.is_multiple_of(10) {
                    let pair = [&first[..], &second[..]].concat();
                    every_wait(
                        &mut row,
                        (provider, operation),
                        Strike::Death,
                        (&pair, ALL_WAITS),
                    );
                }
            }
        }
        row
    };
    let parts = crate::providers().into_iter().flat_map(|provider| {
        [Operation::Charge, Operation::Refund].map(|operation| {
            Box::new(move || part(provider, operation)) as Box<dyn FnOnce() -> Row + Send>
        })
    });
    let rows = on_threads(parts.collect());
    for (at, row) in rows.iter().enumerate() {
        let provider = crate::providers()[at / 2];
        let operation = ["charge", "refund"][at % 2];
        println!("pairs on {provider}, {operation}: {} cases", row.cases);
    }
    let broken: Vec<&String> = rows.iter().flat_map(|row| &row.broken).collect();
    assert!(broken.is_empty(), "{}", broken[0]);
}
