//! What two persons decide, in trouble: a process that dies at any wait of asking, granting, rejecting, sending a prepared
//! return and declaring a charge not executed; and two of them at once, in orders that are forced and not left to chance.
//!
//! After each death somebody presses again: then it has happened once, whatever the dead one had done. On SQLite every
//! wait, on PostgreSQL every fourth; `CRASH_POINTS=all` takes each, and each order of two.

use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{ApprovalId, AttemptId, PaymentId, SubscriptionId};
use paydeck::domain::operator::{Operator, Role};
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::ports::Provider;
use paydeck::engine::{
    Engine, EngineSettings, Outcome, RefundAlone, RefundLimits, Request, VerbError,
};
use paydeck::store::SqlStore;

use crate::crash_points::{Bench, Operation, bench_in, settings};
use crate::fleet::{DiesAfter, until_waited};
use crate::four_eyes::{
    A_DAY_LATER, A_FIFTH_LOOK, Blind, FOUR_LOOKS, SENT_LONG_AGO, act_as, asked, choi, lee,
    newest_attempt, not_executed, person,
};
use crate::world::{Base, World, admin, won};

const MOST_WAITS: u32 = 400;
const TARGETS: usize = 120;
const NEXT_PAYMENT: &str = "select min(p.id) from payment p
    where not exists (select 1 from attempt a where a.payment_id = p.id)
    and not exists (select 1 from approval x where x.payment_id = p.id)";
const LAST_APPROVAL: &str =
    "select coalesce((select state from approval order by id desc limit 1), 'none')";
const LAST_ATTEMPT: &str = "select state from attempt order by id desc limit 1";
/// The subscription that the last run billed.
const LAST_BILLED: &str = "select i.subscription_id from attempt a join invoice i on i.id = a.invoice_id where a.kind = 'charge' order by a.id desc limit 1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    AskRefund,
    Grant,
    Reject,
    Return,
    /// The second person agrees that a charge was not executed.
    NotExecuted,
}

/// Who may refund how much alone.
fn with_limits(with: &mut EngineSettings) {
    settings(with);
    with.refund_alone = RefundAlone::Within(RefundLimits {
        once: vec![
            (Role::Support, won(1_000)),
            (Role::Finance, won(500_000)),
            (Role::Admin, won(500_000)),
        ],
        daily_multiple: 5,
        per_day: 100_000,
    });
}

fn han() -> Operator {
    person("han", Role::Finance, "1005")
}

fn ask_refund(payment: PaymentId) -> Request {
    Request::AskRefund {
        payment,
        amount: RefundAmount::Partial(won(4_000)),
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    }
}

impl Deed {
    const fn moves(self) -> i64 {
        match self {
            Self::AskRefund | Self::Reject | Self::NotExecuted => 0,
            Self::Grant | Self::Return => 1,
        }
    }

    /// Who does it. A charge is declared not executed where the provider's list is read and does not hold it.
    async fn process(self, w: &World) -> Arc<Engine<SqlStore>> {
        match self {
            Self::NotExecuted => {
                let blind: Arc<dyn Provider> = Arc::new(Blind(w.provider.clone()));
                w.engine_with("declares", &blind).await
            }
            _ => Arc::clone(&w.engine),
        }
    }

    async fn bench(self, base: Base) -> Option<Bench> {
        let world = World::open(base, with_limits).await?;
        let operation = match self {
            Self::AskRefund | Self::Grant | Self::Reject => Operation::Refund,
            Self::Return | Self::NotExecuted => Operation::RunRow,
        };
        Some(bench_in(world, operation, TARGETS).await)
    }

    /// What has to be given, who does it and what.
    async fn prepare(self, bench: &Bench) -> (Operator, Request) {
        let w = &bench.world;
        match self {
            Self::AskRefund => (lee(), ask_refund(PaymentId(bench.next(NEXT_PAYMENT).await))),
            Self::Grant | Self::Reject => {
                let payment = PaymentId(bench.next(NEXT_PAYMENT).await);
                let approval = asked(w, &lee(), &ask_refund(payment)).await;
                let request = match self {
                    Self::Grant => Request::Grant { approval },
                    _ => Request::Reject {
                        approval,
                        reason: "no".into(),
                    },
                };
                (choi(), request)
            }
            Self::Return => {
                unwanted(bench, "lost_after_commit").await;
                w.expire_leases().await;
                w.reconcile().await;
                assert_eq!(w.text(LAST_ATTEMPT).await, "waiting_approval");
                let attempt = newest_attempt(w).await;
                (choi(), Request::ApproveReturn { attempt })
            }
            Self::NotExecuted => {
                let attempt = unwanted(bench, "lost_before_commit").await;
                for sql in [SENT_LONG_AGO, FOUR_LOOKS, A_FIFTH_LOOK] {
                    w.execute(sql).await;
                }
                let blind: Arc<dyn Provider> = Arc::new(Blind(w.provider.clone()));
                let engine = w.engine_with("asks", &blind).await;
                let asked = act_as(&engine, &han(), &not_executed(attempt)).await;
                assert!(matches!(asked, Ok(Outcome::Asked(_))), "{asked:?}");
                let approval = newest_approval(w).await;
                (choi(), Request::Grant { approval })
            }
        }
    }

    /// What is true once it has happened.
    async fn has_happened(self, w: &World, at: &str) {
        let (approval, attempt) = (w.text(LAST_APPROVAL).await, w.text(LAST_ATTEMPT).await);
        match self {
            Self::AskRefund => assert_eq!(approval, "waiting", "{at}"),
            Self::Grant => assert_eq!((&*approval, &*attempt), ("granted", "succeeded"), "{at}"),
            Self::Reject => assert_eq!(approval, "rejected", "{at}"),
            Self::Return => assert_eq!(attempt, "succeeded", "{at}"),
            Self::NotExecuted => {
                assert_eq!((&*approval, &*attempt), ("granted", "not_executed"), "{at}");
            }
        }
        let waiting = "select count(*) from (select payment_id from approval where state = 'waiting' and payment_id is not null group by payment_id having count(*) > 1) x";
        assert_eq!(w.number(waiting).await, 0, "{at}: one request of each");
        let reserved = "select coalesce(cast(sum(reserved_minor) as bigint), 0) from payment";
        assert_eq!(w.number(reserved).await, 0, "{at}: no reservation is left");
    }
}

async fn newest_approval(w: &World) -> ApprovalId {
    ApprovalId(w.number("select max(id) from approval").await)
}

/// A charge of a run whose answer or request was lost, of a subscription that has ended since.
async fn unwanted(bench: &Bench, fault: &str) -> AttemptId {
    let w = &bench.world;
    bench.one_is_due().await;
    w.fault("charge", json!(fault), 1).await;
    w.run().await;
    let subscription = SubscriptionId(w.number(LAST_BILLED).await);
    let cancel = Request::CancelNow {
        subscription,
        reason: "asked".into(),
    };
    w.act(cancel).await.expect("canceled");
    newest_attempt(w).await
}

fn is_whole() -> bool {
    std::env::var("CRASH_POINTS").is_ok_and(|word| word == "all")
}

async fn sweep(deed: Deed) {
    let mut told = Vec::new();
    for (base, step) in [(Base::Sqlite, 1), (Base::Postgres, 4)] {
        let step = if is_whole() { 1 } else { step };
        let Some(bench) = deed.bench(base).await else {
            continue;
        };
        let w = &bench.world;
        let process = deed.process(w).await;
        let (mut waits, mut points) = (0, 0);
        loop {
            let at = format!("{deed:?} on {base:?} after {waits} waits");
            let (by, request) = deed.prepare(&bench).await;
            let before = bench.moved().await;
            let plan = process.plan(&by, &request).await.expect("a plan");
            let applied = process.apply(&by, &request, &plan.fingerprint);
            let lived = match DiesAfter::new(applied, waits).await {
                Some(outcome) => outcome.map(|_| true).expect("an outcome"),
                None => false,
            };
            w.nothing_is_under_way().await;
            // What nobody can find stays unknown; only two persons end it.
            if deed != Deed::NotExecuted {
                w.settle_everything().await;
            }
            let moved = bench.moved().await - before;
            assert!((0..=deed.moves()).contains(&moved), "{at}: {moved}");
            // Somebody presses again: either it is still to be done, or it is refused.
            let again = act_as(&process, &by, &request).await;
            let is_refused = matches!(again, Err(VerbError::Refused(_) | VerbError::Stale));
            assert!(again.is_ok() || is_refused, "{at}: {again:?}");
            assert!(!lived || is_refused, "{at}: it had happened: {again:?}");
            if deed != Deed::NotExecuted {
                w.settle_everything().await;
            }
            let moved = bench.moved().await - before;
            assert_eq!(moved, deed.moves(), "{at}: in all");
            deed.has_happened(w, &at).await;
            points += 1;
            assert!(waits < MOST_WAITS, "{at}: it never ends");
            if lived {
                break;
            }
            waits += step;
        }
        w.books_are_straight().await;
        w.audit_is_intact().await;
        told.push(format!("{base:?} {points}"));
    }
    let line = format!("crash points of {deed:?}:  {}", told.join("  "));
    writeln!(std::io::stderr(), "{line}").expect("a line");
}

#[tokio::test]
async fn whoever_dies_while_asking_has_asked_once_or_not_at_all() {
    sweep(Deed::AskRefund).await;
}

#[tokio::test]
async fn a_grant_that_dies_anywhere_refunds_once_or_not_at_all() {
    sweep(Deed::Grant).await;
}

#[tokio::test]
async fn a_rejection_that_dies_anywhere_is_made_or_not() {
    sweep(Deed::Reject).await;
}

#[tokio::test]
async fn a_prepared_return_that_dies_anywhere_goes_back_once_or_not_at_all() {
    sweep(Deed::Return).await;
}

#[tokio::test]
async fn a_declaration_that_dies_anywhere_is_made_or_not() {
    sweep(Deed::NotExecuted).await;
}

/// One comes so far, then the other acts until it is done or must wait for the first; then both go on.
async fn one_in_the_middle_of_the_other<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
    waits: u32,
) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    if let Some(one) = until_waited(first.as_mut(), waits).await {
        return (one, second.await);
    }
    let stands = tokio::time::timeout(Duration::from_millis(25), second.as_mut()).await;
    match stands {
        Ok(other) => (first.await, other),
        Err(_) => tokio::join!(first, second),
    }
}

/// The points of the first at which the second acts.
fn orders(base: Base) -> impl Iterator<Item = u32> {
    let (end, step) = match base {
        Base::Sqlite => (30, 2),
        Base::Postgres => (72, 6),
    };
    (0..end).step_by(if is_whole() { 1 } else { step })
}

async fn with_two_processes(
    deed: Deed,
    story: impl AsyncFn(&Bench, &Engine<SqlStore>, &Engine<SqlStore>, u32),
) {
    for base in [Base::Sqlite, Base::Postgres] {
        let Some(bench) = deed.bench(base).await else {
            continue;
        };
        let one = bench.world.another_engine("one").await;
        let other = bench.world.another_engine("other").await;
        for waits in orders(base) {
            story(&bench, &one, &other, waits).await;
        }
        bench.world.books_are_straight().await;
        bench.world.audit_is_intact().await;
    }
}

fn is_over(outcome: &Result<Outcome, VerbError>) -> bool {
    matches!(outcome, Err(VerbError::Refused(_) | VerbError::Stale))
}

#[tokio::test]
async fn of_two_approvers_in_any_order_one_refunds() {
    with_two_processes(Deed::Grant, async |bench, one, other, waits| {
        let (_, grant) = Deed::Grant.prepare(bench).await;
        let before = bench.moved().await;
        let plan = one.plan(&choi(), &grant).await.expect("a plan");
        let (by, also_by) = (choi(), han());
        let first = one.apply(&by, &grant, &plan.fingerprint);
        let second = other.apply(&also_by, &grant, &plan.fingerprint);
        let (first, second) = one_in_the_middle_of_the_other(first, second, waits).await;
        let at = format!("after {waits} waits: {first:?}, {second:?}");
        assert!(is_over(&first) || is_over(&second), "{at}");
        assert!(first.is_ok() || second.is_ok(), "{at}");
        bench.world.settle_everything().await;
        assert_eq!(bench.moved().await - before, 1, "{at}");
        Deed::Grant.has_happened(&bench.world, &at).await;
    })
    .await;
}

#[tokio::test]
async fn of_a_rejection_and_a_grant_in_any_order_one_counts() {
    with_two_processes(Deed::Grant, async |bench, one, other, waits| {
        let (_, grant) = Deed::Grant.prepare(bench).await;
        let approval = newest_approval(&bench.world).await;
        let reject = Request::Reject {
            approval,
            reason: "no".into(),
        };
        let before = bench.moved().await;
        let (by, also_by) = (choi(), han());
        let granting = one.plan(&by, &grant).await.expect("a plan");
        let rejecting = other.plan(&also_by, &reject).await.expect("a plan");
        let grants = one.apply(&by, &grant, &granting.fingerprint);
        let rejects = other.apply(&also_by, &reject, &rejecting.fingerprint);
        // Each of them is the one in whose middle the other acts.
        let (granted, rejected) = if waits % 2 == 0 {
            one_in_the_middle_of_the_other(grants, rejects, waits).await
        } else {
            let (rejected, granted) = one_in_the_middle_of_the_other(rejects, grants, waits).await;
            (granted, rejected)
        };
        let at = format!("after {waits} waits: {granted:?}, {rejected:?}");
        assert!(granted.is_ok() != rejected.is_ok(), "{at}");
        bench.world.settle_everything().await;
        let moved = bench.moved().await - before;
        assert_eq!(moved, i64::from(granted.is_ok()), "{at}");
        let deed = if granted.is_ok() {
            Deed::Grant
        } else {
            Deed::Reject
        };
        deed.has_happened(&bench.world, &at).await;
    })
    .await;
}

/// Nobody could find a charge that was executed; while two persons declare that it was not, somebody's look-up finds it.
#[tokio::test]
async fn a_declaration_and_a_look_up_that_finds_the_charge_in_any_order_lose_no_money() {
    with_two_processes(Deed::NotExecuted, async |bench, _, sees, waits| {
        let w = &bench.world;
        let attempt = unwanted(bench, "lost_after_commit").await;
        for sql in [SENT_LONG_AGO, FOUR_LOOKS, A_FIFTH_LOOK] {
            w.execute(sql).await;
        }
        let blind: Arc<dyn Provider> = Arc::new(Blind(w.provider.clone()));
        let misled = w.engine_with(&format!("misled-{waits}"), &blind).await;
        let asked = act_as(&misled, &han(), &not_executed(attempt)).await;
        assert!(matches!(asked, Ok(Outcome::Asked(_))), "{asked:?}");
        let grant = Request::Grant {
            approval: newest_approval(w).await,
        };
        let (by, looks) = (choi(), admin());
        let plan = misled.plan(&by, &grant).await.expect("a plan");
        w.expire_leases().await;
        let declares = misled.apply(&by, &grant, &plan.fingerprint);
        let finds = sees.reconcile_once(&looks);
        let (declared, found) = if waits % 2 == 0 {
            one_in_the_middle_of_the_other(declares, finds, waits).await
        } else {
            let (found, declared) = one_in_the_middle_of_the_other(finds, declares, waits).await;
            (declared, found)
        };
        let at = format!("after {waits} waits: {declared:?}, {found:?}");
        found.expect("looked");
        // The one whom it was not found by looks again the next day.
        w.execute(A_DAY_LATER).await;
        w.expire_leases().await;
        w.reconcile().await;
        let charge = "select state from attempt where kind = 'charge' order by id desc limit 1";
        assert_eq!(w.text(charge).await, "succeeded", "{at}");
        let prepared = "select state from attempt where kind = 'refund' order by id desc limit 1";
        assert_eq!(w.text(prepared).await, "waiting_approval", "{at}");
        w.books_are_straight().await;
    })
    .await;
}
