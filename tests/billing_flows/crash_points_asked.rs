//! A charge that waits for its customer, in trouble: a process dies, or pauses, at any wait of beginning it, of looking at
//! it while the customer answers, and of closing its link. Whatever happens, the customer who agreed is charged once and
//! is subscribed, and nobody else is charged.
//!
//! On SQLite every wait, on PostgreSQL every fourth; `CRASH_POINTS=all` takes each.

use std::io::Write;
use std::pin::pin;

use paydeck::domain::ids::{CustomerId, PlanId};
use paydeck::engine::Request;

use crate::crash_points::settings;
use crate::customers_asked::{
    ASKS, Answer, answers, customer_with, has_been_open, look, open, straight, subscribe, waiting,
};
use crate::fleet::{DiesAfter, until_waited};
use crate::world::{Base, World, admin};

const MOST_WAITS: u32 = 400;
const NEWEST: &str = "select s.state || ' ' || i.state || ' ' || a.state from subscription s join invoice i on i.subscription_id = s.id join attempt a on a.invoice_id = i.id order by a.id desc limit 1";
const OPEN: &str = "select count(*) from attempt where state in ('ready', 'sent', 'unknown')";
const INCOMPLETE: &str = "select count(*) from subscription where state = 'incomplete'";

struct Bench {
    world: World,
    customer: CustomerId,
    plan: PlanId,
}

async fn bench(base: Base) -> Option<Bench> {
    let world = open(base, settings).await?;
    let plan = world.basic_plan().await;
    let customer = customer_with(&world, ASKS).await;
    Some(Bench {
        world,
        customer,
        plan,
    })
}

async fn charges(w: &World) -> i64 {
    w.executed().await.0
}

/// On each database: does it after 0, 1, 2, ... waits, until it came to its end.
async fn sweep(name: &str, at: impl AsyncFn(&Bench, u32, &str) -> bool) {
    let is_whole = std::env::var("CRASH_POINTS").is_ok_and(|word| word == "all");
    let mut told = Vec::new();
    for (base, step) in [(Base::Sqlite, 1), (Base::Postgres, 4)] {
        let step = if is_whole { 1 } else { step };
        let Some(bench) = bench(base).await else {
            continue;
        };
        let (mut waits, mut points) = (0, 0);
        loop {
            let place = format!("{name} on {base:?} after {waits} waits");
            let lived = at(&bench, waits, &place).await;
            points += 1;
            assert!(waits < MOST_WAITS, "{place}: it never ends");
            if lived {
                break;
            }
            waits += step;
        }
        straight(&bench.world).await;
        bench.world.audit_is_intact().await;
        told.push(format!("{base:?} {points}"));
    }
    let line = format!("crash points of {name}:  {}", told.join("  "));
    writeln!(std::io::stderr(), "{line}").expect("a line");
}

/// Begins a subscription whose bank asks; it is incomplete, and its link open.
async fn begin(bench: &Bench) -> String {
    let w = &bench.world;
    subscribe(w, bench.customer, bench.plan).await;
    let [intent] = &waiting(w).await[..] else {
        panic!("one waits");
    };
    intent.clone()
}

/// Everything is settled: charged once and active, or not charged and ended.
async fn is_settled(bench: &Bench, before: i64, has_agreed: bool, at: &str) {
    let w = &bench.world;
    w.nothing_is_under_way().await;
    w.settle_everything().await;
    let newest = w.text(NEWEST).await;
    let moved = charges(w).await - before;
    if has_agreed {
        assert_eq!((moved, &*newest), (1, "active paid succeeded"), "{at}");
    } else {
        assert_eq!((moved, &*newest), (0, "expired void declined"), "{at}");
    }
}

#[tokio::test]
async fn a_first_charge_that_asks_the_customer_and_dies_anywhere_is_taken_once_or_not_at_all() {
    sweep("subscribing with 3-D Secure", async |bench, waits, at| {
        let w = &bench.world;
        let before = charges(w).await;
        let request = Request::Subscribe {
            customer: bench.customer,
            plan: bench.plan,
            quantity: 1,
        };
        let plan = w.plan(&request).await.expect("a plan");
        let operator = admin();
        let applied = w.engine.apply(&operator, &request, &plan.fingerprint);
        let lived = DiesAfter::new(applied, waits).await;
        let lived = lived.is_some_and(|outcome| outcome.is_ok());
        w.nothing_is_under_way().await;
        for _ in 0..3 {
            look(w).await;
        }
        assert_eq!(charges(w).await, before, "{at}: nobody has agreed");
        let asked = waiting(w).await;
        assert!(asked.len() <= 1, "{at}: {asked:?}");
        assert!(!lived || asked.len() == 1, "{at}: it came to its end");
        for intent in &asked {
            assert!(answers(w, intent, Answer::Agrees).await, "{at}");
        }
        look(w).await;
        let taken = i64::try_from(asked.len()).expect("a count");
        assert_eq!(charges(w).await - before, taken, "{at}");
        assert_eq!(w.number(OPEN).await, 0, "{at}: nothing is left open");
        if taken == 1 {
            assert_eq!(w.text(NEWEST).await, "active paid succeeded", "{at}");
        }
        lived
    })
    .await;
}

/// A look-up dies at any wait, and the customer answers right after it.
#[tokio::test]
async fn a_look_up_that_dies_anywhere_loses_no_answer_of_the_customer() {
    for answer in [Answer::Agrees, Answer::Refuses] {
        sweep("looking at a link", async |bench, waits, at| {
            let w = &bench.world;
            let before = charges(w).await;
            let intent = begin(bench).await;
            w.expire_leases().await;
            let operator = admin();
            let lived = DiesAfter::new(w.engine.reconcile_once(&operator), waits).await;
            assert!(answers(w, &intent, answer).await, "{at}: the link is open");
            is_settled(bench, before, answer == Answer::Agrees, at).await;
            lived.is_some()
        })
        .await;
    }
}

/// The customer answers while a look-up is out, at any wait of it.
#[tokio::test]
async fn a_customer_who_answers_while_a_look_up_is_out_is_noticed_once() {
    sweep("answering during a look-up", async |bench, waits, at| {
        let w = &bench.world;
        let before = charges(w).await;
        let intent = begin(bench).await;
        w.expire_leases().await;
        let operator = admin();
        let mut looked = pin!(w.engine.reconcile_once(&operator));
        let lived = until_waited(looked.as_mut(), waits).await;
        assert!(answers(w, &intent, Answer::Agrees).await, "{at}: open");
        if lived.is_none() {
            looked.await.expect("looked");
        }
        is_settled(bench, before, true, at).await;
        lived.is_some()
    })
    .await;
}

/// The link is closed, and the process that closes it dies at any wait.
#[tokio::test]
async fn a_link_whose_closing_dies_anywhere_is_closed_and_takes_nothing() {
    sweep("closing a link", async |bench, waits, at| {
        let w = &bench.world;
        let before = charges(w).await;
        let intent = begin(bench).await;
        has_been_open(w, 23 * 60).await;
        w.expire_leases().await;
        let operator = admin();
        let lived = DiesAfter::new(w.engine.reconcile_once(&operator), waits).await;
        is_settled(bench, before, false, at).await;
        assert!(!answers(w, &intent, Answer::Agrees).await, "{at}: closed");
        lived.is_some()
    })
    .await;
}

/// The customer agrees while their link is being closed, or right after whoever closed it died: either they were in time,
/// and it is theirs, or they were not, and nothing is taken.
#[tokio::test]
async fn a_customer_who_agrees_while_the_link_is_being_closed_is_subscribed_or_not_charged() {
    for dies in [true, false] {
        sweep("agreeing during the closing", async |bench, waits, at| {
            let w = &bench.world;
            let before = charges(w).await;
            let intent = begin(bench).await;
            has_been_open(w, 23 * 60).await;
            w.expire_leases().await;
            let operator = admin();
            let closing = w.engine.reconcile_once(&operator);
            let (lived, has_agreed) = if dies {
                let lived = DiesAfter::new(closing, waits).await;
                (lived.is_some(), answers(w, &intent, Answer::Agrees).await)
            } else {
                let mut closing = pin!(closing);
                let lived = until_waited(closing.as_mut(), waits).await;
                let has_agreed = answers(w, &intent, Answer::Agrees).await;
                if lived.is_none() {
                    closing.await.expect("looked");
                }
                (lived.is_some(), has_agreed)
            };
            is_settled(bench, before, has_agreed, at).await;
            assert_eq!(w.number(INCOMPLETE).await, 0, "{at}");
            lived
        })
        .await;
    }
}
