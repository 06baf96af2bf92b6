//! A billing run whose process is gone is closed by whoever comes next; one that lives never is.

use paydeck::domain::ids::RunId;
use paydeck::engine::ports::{Attempts as _, Desk, RunLeases as _, Store as _, Tx as _};
use paydeck::engine::queries::{ListQuery, Reads as _};
use serde_json::json;

use crate::world::{World, admin, on_each, on_each_tuned};

const STATES: &str = "select state || ' ' || coalesce(stop_reason, '-') || ' ' || case when finished_at is null then 'open' else 'ended' end from run order by id";
const LAPSE: &str = "update run set lease_until = 0 where state = 'running'";

/// A run that dies in the middle of its calls.
async fn dies_in_the_middle(w: &World) {
    w.always("charge", json!({ "kind": "slow", "ms": 60_000 }))
        .await;
    let before = w.executed().await.0;
    let until = w.clock_now();
    let (operator, mut ignore) = (admin(), |_| {});
    let run = w.engine.billing_run(&operator, until, &mut ignore);
    let is_charging = async { while w.executed().await.0 == before {} };
    tokio::select! {
        biased;
        () = is_charging => {}
        _ = run => panic!("it lived"),
    }
    w.no_faults().await;
    assert_eq!(w.column(STATES).await, ["running - open"]);
}

async fn due(w: &World, count: usize) {
    let (_, subscription) = w.subscriber("key-one").await;
    w.many_like(subscription, count - 1).await;
    w.advance_days(31).await;
}

#[tokio::test]
async fn a_run_that_was_killed_is_closed_by_the_reconciler_once_its_lease_has_lapsed() {
    on_each(async |w| {
        due(&w, 6).await;
        dies_in_the_middle(&w).await;
        let left = w.engine.store().next_look_up_in().await.expect("read");
        assert!(left.is_some_and(|left| !left.is_zero()), "{left:?}");
        let early = w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(early.interrupted, 0);
        assert_eq!(w.column(STATES).await, ["running - open"]);
        w.execute(LAPSE).await;
        let left = w.engine.store().next_look_up_in().await.expect("read");
        assert_eq!(left, Some(std::time::Duration::ZERO));
        let looked = w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(looked.interrupted, 1);
        assert_eq!(w.column(STATES).await, ["stopped interrupted ended"]);
        let again = w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(again.interrupted, 0);
        let audit = "select count(*) from audit where verb = 'bill-run' and result = 'interrupted'";
        assert_eq!(w.number(audit).await, 1);
        let page = w.engine.store().runs(&ListQuery::first(5)).await;
        assert!(page.expect("runs").rows[0].run.is_interrupted());
        w.settle_everything().await;
        let left = w.engine.store().next_look_up_in().await.expect("read");
        assert_eq!(left, None);
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn the_next_run_closes_the_interrupted_one_and_bills_the_rest_once() {
    on_each(async |w| {
        due(&w, 6).await;
        dies_in_the_middle(&w).await;
        w.execute(LAPSE).await;
        w.run().await;
        w.settle_everything().await;
        w.run().await;
        assert_eq!(
            w.column(STATES).await,
            [
                "stopped interrupted ended",
                "finished - ended",
                "finished - ended"
            ]
        );
        assert_eq!(w.executed().await, (1 + 6, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_run_that_only_waits_holds_on_to_its_lease() {
    on_each_tuned(
        |settings| settings.run_lease_s = 1,
        async |w| {
            // The run is let go while it still waits.
            due(&w, 2).await;
            w.always("charge", json!({ "kind": "slow", "ms": 60_000 }))
                .await;
            let (operator, mut ignore) = (admin(), |_| {});
            let run = w.engine.billing_run(&operator, w.clock_now(), &mut ignore);
            let watch = async {
                let mut held = Vec::new();
                while held.len() < 3 {
                    let until = w.column("select '' || lease_until from run").await;
                    if !until.is_empty() && !held.contains(&until) {
                        held.push(until);
                    }
                }
                held
            };
            let held = tokio::select! {
                held = watch => held,
                _ = run => panic!("it did not wait"),
            };
            assert!(held.is_sorted(), "{held:?}");
            assert_eq!(w.column(STATES).await, ["running - open"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_run_that_was_cut_off_and_comes_back_is_running_again() {
    on_each(async |w| {
        due(&w, 2).await;
        dies_in_the_middle(&w).await;
        w.execute(LAPSE).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        let mut desk = Desk::new();
        let mut tx = w.engine.store().begin(&mut desk).await.expect("begun");
        let now = tx.db_now().await.expect("a time");
        let run = RunId(w.number("select max(id) from run").await);
        tx.hold_run(run, now).await.expect("held");
        tx.commit().await.expect("committed");
        assert_eq!(w.column(STATES).await, ["running - open"]);
    })
    .await;
}

#[tokio::test]
async fn the_leases_of_a_process_that_is_gone_end_at_once() {
    on_each(async |w| {
        due(&w, 2).await;
        dies_in_the_middle(&w).await;
        let mut desk = Desk::new();
        let mut tx = w.engine.store().begin(&mut desk).await.expect("begun");
        let now = tx.db_now().await.expect("a time");
        assert_eq!(tx.run_owners().await.expect("owners"), ["first"]);
        assert_eq!(tx.let_go_of_runs("other", now).await.expect("none"), 0);
        assert_eq!(tx.let_go_of_runs("first", now).await.expect("one"), 1);
        tx.commit().await.expect("committed");
        let looked = w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(looked.interrupted, 1);
    })
    .await;
}
