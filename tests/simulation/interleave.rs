//! Every interleaving of two people, a billing run and a reconciler over one invoice.
//!
//! `INTERLEAVINGS=all` goes through the whole space of the plays that are bounded here.

use std::io::Write as _;
use std::sync::Arc;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{InvoiceId, PaymentId, SubscriptionId};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::InvoiceState;
use paydeck::engine::Request;
use paydeck::sandbox::Fault;

use crate::case::Mistakes;
use crate::memory::db::{Doings, Personality};
use crate::memory::flaw::{Flaw, Flaws};
use crate::memory::stage::{Reason, Stage};
use crate::net::Trouble;
use crate::play::Play;
use crate::prints::print_of;
use crate::tree::{self, Depth, Found, Marks, Opening, Reach};
use crate::warp::{Warp, Wrong};
use crate::world::{Process, World, person};

/// What the two people want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pair {
    /// One of them alone.
    Charge,
    Refund,
    ChargeAndRetry,
    TwoRefunds,
    ChargeAndCancel,
}

#[derive(Debug, Clone)]
struct Cast {
    provider: ProviderName,
    pair: Pair,
    has_run: bool,
    reconcilers: usize,
    personality: Personality,
    /// What becomes of the first request that moves money.
    trouble: Option<Trouble>,
    mistakes: Mistakes,
}

async fn presses(process: Process, name: &'static str, request: Request, marks: Marks) {
    let operator = person(name);
    let plan = process.engine.plan(&operator, &request).await;
    let fingerprint = plan.ok().map(|plan| plan.fingerprint);
    marks.knows_only(print_of(&fingerprint));
    if let Some(fingerprint) = fingerprint {
        let _seen = process
            .engine
            .apply(&operator, &request, &fingerprint)
            .await;
    }
    marks.knows_only(1);
}

async fn bills(process: Process, marks: Marks) {
    let until = process.engine.now();
    let run = person("run");
    let _seen = process.engine.billing_run(&run, until, &mut |_| {}).await;
    marks.knows_only(1);
}

/// Looks whenever there is something to be done.
async fn looks(process: Process, marks: Marks, stage: Arc<Stage>) {
    let operator = person("reconciler");
    loop {
        if process.engine.reconcile_once(&operator).await.is_err() {
            let at = stage.lock().now + 5_000_000;
            stage.wait(Reason::Until(at)).await;
        }
        marks.knows_only(0);
    }
}

fn requests(pair: Pair, play: &Play) -> Vec<Request> {
    let owed = {
        let db = play.world.shared.db();
        let mut rows = db.tables.invoices.rows();
        rows.find(|(_, row)| row.state == InvoiceState::Open)
            .map(|(id, _)| InvoiceId(id))
            .expect("an open invoice")
    };
    let refund = |amount| Request::Refund {
        payment: PaymentId(1),
        amount,
        reason: "asked".to_owned(),
        also_cancel: AlsoCancel::No,
    };
    let charge = Request::Charge { invoice: owed };
    match pair {
        Pair::Charge => vec![charge],
        Pair::Refund => vec![refund(RefundAmount::Full)],
        Pair::ChargeAndRetry => vec![charge, Request::Retry { invoice: owed }],
        Pair::TwoRefunds => vec![
            refund(RefundAmount::Full),
            refund(RefundAmount::Partial(Money::new(6_000, Currency::KRW))),
        ],
        Pair::ChargeAndCancel => vec![
            charge,
            Request::CancelNow {
                subscription: SubscriptionId(1),
                reason: "asked".to_owned(),
            },
        ],
    }
}

fn open(cast: &Cast) -> Opening {
    let mut world = World::new(cast.provider, 1, 1, cast.personality);
    world.counts_apart = true;
    world.warp = Warp::new(cast.mistakes.wrong);
    {
        let mut net = world.net.state();
        net.latency_us = 0;
        net.script.extend(cast.trouble.clone().map(Some));
        let mut db = world.shared.db();
        db.flaws = cast.mistakes.flaws;
        db.doings = Some(Doings::default());
    }
    let mut play = Play::new(world, 1);
    let marks = Marks::default();
    let wanted = requests(cast.pair, &play);
    for (name, request) in ["kim", "lee"].into_iter().zip(wanted) {
        let house = play.process();
        let part = presses(house.clone(), name, request, marks.clone());
        play.enter(name, &house, part);
    }
    if cast.has_run {
        let house = play.process();
        let part = bills(house.clone(), marks.clone());
        play.enter("run", &house, part);
    }
    let mut reconcilers = Vec::new();
    for _ in 0..cast.reconcilers {
        let house = play.process();
        let part = looks(house.clone(), marks.clone(), play.world.stage.clone());
        reconcilers.push(play.enter("reconciler", &house, part));
    }
    Opening {
        play,
        marks,
        reconcilers,
    }
}

fn is_whole() -> bool {
    std::env::var("INTERLEAVINGS").is_ok_and(|word| word == "all")
}

fn search(cast: &Cast, reach: Reach) -> Found {
    tree::search(&|| open(cast), reach)
}

fn row(name: &str, cast: &Cast, reach: Reach) -> Found {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long it really takes is one of the figures"
    )]
    let started = std::time::Instant::now();
    let found = search(cast, reach);
    let line = format!(
        "{name:44} {:>8} schedules {:>8} states {:>7} ends, deepest {:>3}, {} in {:.1} s",
        found.schedules,
        found.states,
        found.ends,
        found.deepest,
        if found.is_finished {
            "finished"
        } else {
            "NOT finished"
        },
        started.elapsed().as_secs_f32()
    );
    writeln!(std::io::stdout(), "{line}").expect("a line");
    found
}

fn on_sqlite(pair: Pair) -> Cast {
    Cast {
        provider: ProviderName::Toss,
        pair,
        has_run: true,
        reconcilers: 1,
        personality: Personality::Serial,
        trouble: None,
        mistakes: Mistakes::default(),
    }
}

const EVERY: u64 = u64::MAX;

fn whole(leaps: u32) -> Reach {
    Reach {
        leaps,
        preemptions: None,
        most: EVERY,
        order: Depth::First,
    }
}

fn expect_nothing(found: &Found) {
    if let Some((violations, told)) = &found.broken {
        panic!("{}\n{violations:?}", told.join("\n"));
    }
}

#[test]
fn every_interleaving_over_one_invoice_keeps_the_laws() {
    if crate::is_for_seeds_alone() {
        return;
    }
    let without_run = |pair| Cast {
        has_run: false,
        ..on_sqlite(pair)
    };
    let lost = Some(Trouble::Wire(Fault::LostAfterCommit));
    let mut plays = vec![
        ("four, charge and retry", on_sqlite(Pair::ChargeAndRetry), 0),
        (
            "people, charge and retry, late",
            without_run(Pair::ChargeAndRetry),
            1,
        ),
        (
            "people, two refunds, late",
            without_run(Pair::TwoRefunds),
            1,
        ),
        (
            "people, charge and cancel, late",
            without_run(Pair::ChargeAndCancel),
            1,
        ),
    ];
    let on_stripe = |pair| Cast {
        provider: ProviderName::Stripe,
        ..without_run(pair)
    };
    plays.extend([
        (
            "two steps, charge and retry",
            on_stripe(Pair::ChargeAndRetry),
            0,
        ),
        (
            "two steps, charge and cancel",
            on_stripe(Pair::ChargeAndCancel),
            0,
        ),
    ]);
    if is_whole() {
        let answer_lost = Cast {
            trouble: lost,
            ..on_sqlite(Pair::ChargeAndRetry)
        };
        plays.extend([
            ("four, two refunds", on_sqlite(Pair::TwoRefunds), 0),
            (
                "four, charge and cancel",
                on_sqlite(Pair::ChargeAndCancel),
                0,
            ),
            ("four, first answer lost", answer_lost, 0),
            (
                "four, charge and retry, late",
                on_sqlite(Pair::ChargeAndRetry),
                1,
            ),
            ("four, two refunds, late", on_sqlite(Pair::TwoRefunds), 1),
            (
                "four, charge and cancel, late",
                on_sqlite(Pair::ChargeAndCancel),
                1,
            ),
        ]);
    }
    for (name, cast, leaps) in plays {
        let found = row(name, &cast, whole(leaps));
        expect_nothing(&found);
        assert!(found.is_finished && found.ends > 0, "{name}");
    }
}

/// Each statement waits for its turn here, and a row for its holder. All schedules in which somebody who could go on has
/// to wait for another so many times at most.
#[test]
fn interleaved_statements_over_one_invoice_keep_the_laws() {
    if crate::is_for_seeds_alone() {
        return;
    }
    let on_postgres = |pair, has_run| Cast {
        has_run,
        personality: Personality::ReadCommitted,
        ..on_sqlite(pair)
    };
    let mut plays = vec![
        (
            "people, charge and retry",
            on_postgres(Pair::ChargeAndRetry, false),
            0,
            3,
        ),
        (
            "people, two refunds",
            on_postgres(Pair::TwoRefunds, false),
            0,
            3,
        ),
        (
            "people, charge and cancel",
            on_postgres(Pair::ChargeAndCancel, false),
            0,
            3,
        ),
    ];
    if is_whole() {
        plays.extend([
            (
                "people, charge and retry, late",
                on_postgres(Pair::ChargeAndRetry, false),
                1,
                2,
            ),
            (
                "four, charge and retry",
                on_postgres(Pair::ChargeAndRetry, true),
                0,
                2,
            ),
        ]);
    }
    for (name, cast, leaps, preemptions) in plays {
        let reach = Reach {
            preemptions: Some(preemptions),
            ..whole(leaps)
        };
        let found = row(&format!("{name}, {preemptions} preemptions"), &cast, reach);
        expect_nothing(&found);
        assert!(found.is_finished && found.ends > 0, "{name}");
    }
}

fn flawed(pair: Pair, flaws: &[Flaw]) -> Cast {
    let flaws = flaws
        .iter()
        .fold(Flaws::default(), |all, flaw| all.with(*flaw));
    Cast {
        has_run: false,
        personality: Personality::ReadCommitted,
        mistakes: Mistakes {
            flaws,
            ..Mistakes::default()
        },
        ..on_sqlite(pair)
    }
}

/// A settled state may move here, and none does: the fence of state and epoch lets nobody write who has not read it.
#[test]
fn without_the_rule_about_settled_states_every_interleaving_keeps_the_laws() {
    if crate::is_for_seeds_alone() {
        return;
    }
    for pair in [Pair::ChargeAndRetry, Pair::ChargeAndCancel] {
        let cast = Cast {
            personality: Personality::Serial,
            ..flawed(pair, &[Flaw::SettledState])
        };
        let found = row("settled states may move", &cast, whole(1));
        expect_nothing(&found);
        assert!(found.is_finished && found.ends > 0);
    }
}

/// A reconciler takes what somebody else is sending, or what another reconciler has just taken: the fence lets one of them
/// write, and the key and the name let one of their requests be carried out.
#[test]
fn without_leases_every_interleaving_keeps_the_laws() {
    if crate::is_for_seeds_alone() {
        return;
    }
    let without = |pair, reconcilers| Cast {
        reconcilers,
        personality: Personality::Serial,
        ..flawed(pair, &[Flaw::Leases])
    };
    let lost = |pair, reconcilers| Cast {
        trouble: Some(Trouble::Wire(Fault::LostAfterCommit)),
        ..without(pair, reconcilers)
    };
    let mut plays = vec![
        ("no leases, charge", without(Pair::Charge, 1), 1),
        ("no leases, charge, answer lost", lost(Pair::Charge, 1), 1),
        ("no leases, refund", without(Pair::Refund, 1), 1),
        ("no leases, refund, answer lost", lost(Pair::Refund, 1), 1),
    ];
    if is_whole() {
        plays.extend([
            ("no leases, charge, two look", without(Pair::Charge, 2), 1),
            ("no leases, refund, two look", without(Pair::Refund, 2), 1),
            (
                "no leases, charge and retry",
                without(Pair::ChargeAndRetry, 1),
                1,
            ),
        ]);
    }
    for (name, cast, leaps) in plays {
        let found = row(name, &cast, whole(leaps));
        expect_nothing(&found);
        assert!(found.is_finished && found.ends > 0, "{name}");
    }
}

fn wrong(pair: Pair, wrong: Wrong) -> Cast {
    Cast {
        has_run: false,
        mistakes: Mistakes {
            wrong,
            ..Mistakes::default()
        },
        ..on_sqlite(pair)
    }
}

#[test]
fn mistakes_that_show_in_some_order_alone_are_noticed() {
    if crate::is_for_seeds_alone() {
        return;
    }
    let blind = [Flaw::RowLocks, Flaw::AttemptNames, Flaw::Versions];
    let with = |flaw| [&[flaw][..], &blind[..]].concat();
    let pair = Pair::ChargeAndRetry;
    let mistakes = [
        (
            "no index on open charges",
            flawed(pair, &with(Flaw::OpenChargeIndex)),
        ),
        (
            "no index on open refunds",
            flawed(Pair::TwoRefunds, &with(Flaw::OpenRefundIndex)),
        ),
        (
            "no answer is a failure",
            wrong(pair, Wrong::SilenceIsFailure),
        ),
        (
            "not found is a failure",
            wrong(pair, Wrong::NotFoundIsFailure),
        ),
        (
            "being processed is a failure",
            wrong(pair, Wrong::BusyIsFailure),
        ),
        ("a new key for each send", wrong(pair, Wrong::NewKeyPerSend)),
        (
            "a new order id for each send",
            wrong(pair, Wrong::NewOrderPerSend),
        ),
        ("audit rows are thrown away", flawed(pair, &[Flaw::Audit])),
        (
            "one entry instead of two",
            flawed(pair, &[Flaw::DoubleEntry]),
        ),
    ];
    let mut missed = Vec::new();
    for (name, cast) in mistakes {
        let reach = Reach {
            leaps: u32::from(cast.personality == Personality::Serial),
            preemptions: Some(2),
            most: 20_000,
            order: Depth::Last,
        };
        let found = row(name, &cast, reach);
        match found.broken {
            Some((violations, _)) => println!("    {:?}", violations[0]),
            None => missed.push(name),
        }
    }
    assert!(missed.is_empty(), "nobody noticed: {missed:?}");
}
