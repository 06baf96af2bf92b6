//! A process that dies at any wait of any operation, under each fault of the provider: money moves
//! once or not at all, the books say which, and nothing stays open.

use std::collections::BTreeMap;
use std::io::Write;

use chrono_tz::Asia::Seoul;
use serde_json::{Value, json};

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{CustomerId, InvoiceId, PaymentId, PlanId, SubscriptionId};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::ports::{Clock, Exclusivity};
use paydeck::engine::{Engine, EngineSettings, Request};
use paydeck::store::SqlStore;

use crate::fleet::DiesAfter;
use crate::world::{Base, World, admin, won};

const NEWEST: &str = "select a.public_id || ' of invoice ' || coalesce(a.invoice_id, 0) || ' number ' || a.attempt_no || ' ' || a.state || ' ' || a.source || ' sends ' || a.send_count || ' named ' || coalesce(a.provider_ref, 'not') || ' at ' || a.created_at from attempt a order by a.id desc limit 4";

/// No operation waits more often than this.
const MOST_WAITS: u32 = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Charge,
    Retry,
    Refund,
    Cancel,
    OneTime,
    Subscribe,
    RunRow,
}

impl Operation {
    const fn endpoint(self) -> &'static str {
        match self {
            Self::Refund => "cancel",
            _ => "charge",
        }
    }

    /// Faults of the provider only matter to those that call it.
    fn faults(self) -> Vec<(&'static str, Option<Value>)> {
        let mut faults = vec![("none", None)];
        if self != Self::Cancel {
            faults.extend([
                ("lost after", Some(json!("lost_after_commit"))),
                ("lost before", Some(json!("lost_before_commit"))),
                (
                    "500 after",
                    Some(json!({ "kind": "http_error", "commit": "after" })),
                ),
            ]);
        }
        faults
    }
}

pub struct Bench {
    pub world: World,
    customer: CustomerId,
    pub subscription: SubscriptionId,
    plan: PlanId,
}

/// More targets than any sweep uses up.
const TARGETS: usize = 260;

pub fn settings(settings: &mut EngineSettings) {
    settings.exclusivity = Exclusivity::Any;
    // One fault after the other is not an outage here.
    settings.breaker_after = u32::MAX;
}

pub async fn bench(base: Base, operation: Operation) -> Option<Bench> {
    bench_at(ProviderName::Toss, base, operation).await
}

async fn bench_at(house: ProviderName, base: Base, operation: Operation) -> Option<Bench> {
    let world = World::open_at(Seoul, base, house, settings).await?;
    Some(bench_in(world, operation, TARGETS).await)
}

/// A bench with so many targets.
pub async fn bench_in(world: World, operation: Operation, targets: usize) -> Bench {
    let (customer, subscription) = world.subscriber("key-one").await;
    let plan = PlanId(world.number("select min(id) from plan").await);
    match operation {
        Operation::OneTime | Operation::Subscribe => {}
        Operation::Cancel | Operation::RunRow => {
            world.many_like(subscription, targets).await;
        }
        Operation::Charge | Operation::Retry | Operation::Refund => {
            world.many_like(subscription, targets).await;
            world.advance_days(31).await;
            if operation != Operation::Refund {
                world
                    .always(
                        "charge",
                        json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
                    )
                    .await;
            }
            world.run().await;
            world.no_faults().await;
        }
    }
    if operation == Operation::RunRow {
        // Due one by one, as the sweep asks for them.
        world
            .change("update subscription set next_due_at = null")
            .await;
        world.advance_days(31).await;
    }
    Bench {
        world,
        customer,
        subscription,
        plan,
    }
}

impl Bench {
    pub async fn next(&self, sql: &str) -> i64 {
        self.world.ask(sql).await
    }

    async fn request(&self, operation: Operation) -> Request {
        const DECLINED: &str = "select min(i.id) from invoice i where i.state = 'open' and (select count(*) from attempt a where a.invoice_id = i.id) = 1";
        match operation {
            Operation::Charge => Request::Charge {
                invoice: InvoiceId(self.next(DECLINED).await),
            },
            Operation::Retry => Request::Retry {
                invoice: InvoiceId(self.next(DECLINED).await),
            },
            Operation::Refund => Request::Refund {
                payment: PaymentId(
                    self.next("select min(p.id) from payment p where not exists (select 1 from attempt a where a.payment_id = p.id)").await,
                ),
                amount: RefundAmount::Partial(won(4_000)),
                reason: "asked".into(),
                also_cancel: AlsoCancel::AtPeriodEnd,
            },
            Operation::Cancel => Request::CancelNow {
                subscription: SubscriptionId(
                    self.next("select min(id) from subscription where state = 'active'")
                        .await,
                ),
                reason: "asked".into(),
            },
            Operation::OneTime => Request::OneTime {
                customer: self.customer,
                amount: won(5_000),
                description: "추가 사용".into(),
            },
            Operation::Subscribe | Operation::RunRow => Request::Subscribe {
                customer: self.customer,
                plan: self.plan,
                quantity: 1,
            },
        }
    }

    /// Does the operation and dies after so many waits. Whether it lived to its end.
    async fn live_for(&self, operation: Operation, waits: u32) -> bool {
        let w = &self.world;
        if operation == Operation::RunRow {
            self.one_is_due().await;
            let operator = &admin();
            let mut quiet = |_| {};
            let run = w.engine.billing_run(operator, w.clock.now(), &mut quiet);
            return match DiesAfter::new(run, waits).await {
                Some(summary) => summary.map(|_| true).expect("a run"),
                None => false,
            };
        }
        let request = self.request(operation).await;
        let plan = w.plan(&request).await.expect("a plan");
        let operator = admin();
        let applied = w.engine.apply(&operator, &request, &plan.fingerprint);
        match DiesAfter::new(applied, waits).await {
            Some(outcome) => {
                outcome.expect("an outcome");
                true
            }
            None => false,
        }
    }

    /// What is asked for; a run takes what is due.
    pub async fn asked(&self, operation: Operation) -> Option<Request> {
        match operation {
            Operation::RunRow => None,
            _ => Some(self.request(operation).await),
        }
    }

    /// Does what was asked for, or bills what is due, through a process that may be troubled. Whether it came to its end.
    pub async fn tries(&self, process: &Engine<SqlStore>, asked: Option<&Request>) -> bool {
        let operator = admin();
        let Some(request) = asked else {
            let until = self.world.clock.now();
            let run = process.billing_run(&operator, until, &mut |_| {}).await;
            return run.is_ok();
        };
        match process.plan(&operator, request).await {
            Ok(plan) => process
                .apply(&operator, request, &plan.fingerprint)
                .await
                .is_ok(),
            Err(_) => false,
        }
    }

    /// One more is due for the run.
    pub async fn one_is_due(&self) {
        let due = self.world.clock.now().timestamp_micros();
        let kept = self.subscription.0;
        self.world.change(&format!("update subscription set next_due_at = {due} where id = (select min(id) from subscription where id <> {kept} and next_period = 1)")).await;
    }

    pub async fn moved(&self) -> i64 {
        let (charges, cancels) = self.world.executed().await;
        charges + cancels
    }

    pub async fn check(&self, operation: Operation, at: &str) {
        let w = &self.world;
        let forgotten = "select count(*) from attempt where state in ('waiting_approval', 'ready', 'sent', 'unknown')";
        assert_eq!(w.number(forgotten).await, 0, "{at}: nothing is left open");
        let reserved = "select coalesce(cast(sum(reserved_minor) as bigint), 0) from payment";
        assert_eq!(w.number(reserved).await, 0, "{at}: no reservation is left");
        let unpaid = "select count(*) from invoice i join payment p on p.invoice_id = i.id where i.state <> 'paid'";
        assert_eq!(w.number(unpaid).await, 0, "{at}: what is paid says so");
        if operation == Operation::Refund {
            let wrong = "select count(*) from payment p where p.refunded_minor <> (select coalesce(sum(amount_minor), 0) from refund r where r.payment_id = p.id) or p.refunded_minor not in (0, 4000)";
            assert_eq!(w.number(wrong).await, 0, "{at}: refunded once or not");
        }
        w.books_are_straight().await;
    }
}

/// The sweep: every wait on SQLite; on PostgreSQL, where each takes longer, every third.
async fn sweep(operation: Operation) {
    sweep_at(ProviderName::Toss, operation, &operation.faults()).await;
}

/// Where a charge is prepared, named in our books and then confirmed: what is lost may be either step's.
async fn sweep_in_two_steps(operation: Operation) {
    let mut faults = operation.faults();
    if operation != Operation::Refund {
        let lost = |kind| Some(json!(kind));
        faults.extend([
            ("unprepared", lost("lost_before_commit")),
            ("prepared", lost("lost_after_commit")),
        ]);
    }
    sweep_at(ProviderName::Stripe, operation, &faults).await;
}

async fn sweep_at(
    house: ProviderName,
    operation: Operation,
    faults: &[(&'static str, Option<Value>)],
) {
    let mut table: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (base, name, step) in [
        (Base::Sqlite, "SQLite", 1),
        (Base::Postgres, "PostgreSQL", 3),
    ] {
        let Some(bench) = bench_at(house, base, operation).await else {
            continue;
        };
        for (fault_name, fault) in faults {
            let endpoint = match *fault_name {
                "prepared" | "unprepared" => "stripe_intent_create",
                _ => operation.endpoint(),
            };
            let mut waits = 0;
            loop {
                let at =
                    format!("{operation:?} at {house:?} on {name}, {fault_name}, {waits} waits");
                let before = bench.moved().await;
                if let Some(fault) = fault {
                    bench.world.fault(endpoint, fault.clone(), 1).await;
                }
                let lived = bench.live_for(operation, waits).await;
                bench.world.no_faults().await;
                bench.world.nothing_is_under_way().await;
                bench.world.settle_everything().await;
                let moved = bench.moved().await - before;
                let newest = bench.world.column(NEWEST).await;
                assert!(
                    (0..=1).contains(&moved),
                    "{at}: executed {moved} times: {newest:?}"
                );
                // What was certainly not sent is given back to whoever pressed.
                let may_be_unsent = endpoint == "stripe_intent_create";
                if lived && operation != Operation::Cancel && !may_be_unsent {
                    assert_eq!(moved, 1, "{at}: it came to its end");
                }
                *table.entry((name, *fault_name)).or_default() += 1;
                assert!(waits < MOST_WAITS, "{at}: it never ends");
                if lived {
                    break;
                }
                waits += step;
            }
            bench
                .check(operation, &format!("{operation:?} on {name}, {fault_name}"))
                .await;
        }
        bench.world.audit_is_intact().await;
    }
    let cells: Vec<String> = table
        .iter()
        .map(|((base, fault), points)| format!("{base}/{fault} {points}"))
        .collect();
    let line = format!(
        "crash points of {operation:?} at {house:?}:  {}",
        cells.join("  ")
    );
    writeln!(std::io::stderr(), "{line}").expect("a line");
}

#[tokio::test]
async fn a_charge_that_dies_anywhere_charges_once_or_not_at_all() {
    sweep(Operation::Charge).await;
}

#[tokio::test]
async fn a_retry_that_dies_anywhere_charges_once_or_not_at_all() {
    sweep(Operation::Retry).await;
}

#[tokio::test]
async fn a_refund_that_dies_anywhere_gives_back_once_or_not_at_all() {
    sweep(Operation::Refund).await;
}

#[tokio::test]
async fn a_cancel_that_dies_anywhere_is_made_or_not() {
    sweep(Operation::Cancel).await;
}

#[tokio::test]
async fn a_one_time_charge_that_dies_anywhere_charges_once_or_not_at_all() {
    sweep(Operation::OneTime).await;
}

#[tokio::test]
async fn a_first_charge_that_dies_anywhere_charges_once_or_not_at_all() {
    sweep(Operation::Subscribe).await;
}

#[tokio::test]
async fn a_row_of_a_run_that_dies_anywhere_is_billed_once_or_not_at_all() {
    sweep(Operation::RunRow).await;
}

#[tokio::test]
async fn a_charge_in_two_steps_that_dies_anywhere_charges_once_or_not_at_all() {
    sweep_in_two_steps(Operation::Charge).await;
}

#[tokio::test]
async fn a_first_charge_in_two_steps_that_dies_anywhere_charges_once_or_not_at_all() {
    sweep_in_two_steps(Operation::Subscribe).await;
}

#[tokio::test]
async fn a_refund_at_the_second_provider_that_dies_anywhere_gives_back_once_or_not_at_all() {
    sweep_in_two_steps(Operation::Refund).await;
}
