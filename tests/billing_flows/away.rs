//! A call whose terminal died: settled by whoever comes next, within two minutes, and told to its person once.

use std::sync::Arc;
use std::time::Duration;

use paydeck::domain::ids::InvoiceId;
use paydeck::domain::states::AttemptState;
use paydeck::engine::EngineSettings;
use paydeck::engine::Request;
use paydeck::engine::ports::Provider;
use paydeck::engine::queries::Reads;
use serde_json::json;

use crate::concurrency::{Gate, Trick};
use crate::world::{World, admin, on_each_tuned, won};

/// Leases as they are in use.
fn in_use(settings: &mut EngineSettings) {
    let standard = EngineSettings::standard(settings.mode, settings.zone);
    settings.lease_s = standard.lease_s;
    settings.look_up_s = standard.look_up_s;
}

async fn declined(w: &World) -> InvoiceId {
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    let decline = json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" });
    w.fault("charge", decline, 1).await;
    w.run().await;
    w.only_invoice().await
}

/// The process is killed while the provider works: the charge is executed and nobody hears of it.
async fn killed_in_mid_charge(w: &World, invoice: InvoiceId) {
    w.fault("charge", json!({ "kind": "slow", "ms": 60_000 }), 1)
        .await;
    let retry = Request::Retry { invoice };
    let operator = admin();
    let process = w.another_engine("killed").await;
    let plan = process.plan(&operator, &retry).await.expect("a plan");
    let apply = process.apply(&operator, &retry, &plan.fingerprint);
    // It lives until the charge is executed: dropped earlier, its request might never have left.
    let is_executed = async { while w.executed().await.0 < 2 {} };
    tokio::select! {
        ended = apply => panic!("{ended:?}"),
        () = is_executed => {}
    }
}

/// As if so much time had passed for leases and look-ups.
async fn later(w: &World, seconds: i64) {
    let us = seconds * 1_000_000;
    w.change(&format!(
        "update attempt set lease_until = lease_until - {us}, next_check_at = next_check_at - {us} \
         where state in ('sent', 'unknown')"
    ))
    .await;
}

#[tokio::test]
async fn an_attempt_of_a_killed_process_is_picked_up_by_any_other_within_two_minutes() {
    on_each_tuned(in_use, async |w| {
        let invoice = declined(&w).await;
        killed_in_mid_charge(&w, invoice).await;
        let other = w.another_engine("other").await;
        let looked = other.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(looked.claimed, 0, "the answer may still come");
        let left = other.store().next_look_up_in().await.expect("a time");
        assert!(
            left.is_some_and(|left| left <= Duration::from_secs(120)),
            "{left:?}"
        );
        later(&w, 120).await;
        let looked = other.reconcile_once(&admin()).await.expect("looked");
        assert_eq!((looked.claimed, looked.settled), (1, 1));
        assert_eq!(w.open_attempts().await, 0);
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_settled_by_another_process_is_told_once_and_what_was_seen_is_not() {
    on_each_tuned(in_use, async |w| {
        // What somebody saw himself, at his own terminal.
        let invoice = declined(&w).await;
        let nothing = w.engine.store().away("kim").await.expect("read");
        assert_eq!((nothing.finished, nothing.open), (vec![], 0));
        killed_in_mid_charge(&w, invoice).await;
        let next = w.another_engine("next").await;
        let waits = next.store().away("kim").await.expect("read");
        assert_eq!((waits.finished.len(), waits.open), (0, 1));
        later(&w, 120).await;
        next.reconcile_once(&admin()).await.expect("looked");
        let told = next.store().away("kim").await.expect("read");
        let [row] = &told.finished[..] else {
            panic!("{told:?}")
        };
        assert_eq!(
            (row.state, row.amount),
            (AttemptState::Succeeded, won(9_900))
        );
        assert_eq!((row.customer.name.as_str(), told.open), ("김서현", 0));
        assert_eq!(next.store().away("lee").await.expect("read").finished, []);
        let ids = [row.public_id.to_string()];
        next.record_greeted(&admin(), &ids).await.expect("written");
        for process in [&next, &w.engine] {
            let told = process.store().away("kim").await.expect("read");
            assert_eq!(told.finished, []);
        }
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn what_its_own_process_settled_after_the_terminal_had_gone_is_told_too() {
    on_each_tuned(in_use, async |w| {
        let invoice = declined(&w).await;
        let gate = Gate::new(&w.provider, vec![Trick::HoldAnswer], vec![]);
        let provider: Arc<dyn Provider> = gate.clone();
        let process = w.engine_with("hung up", &provider).await;
        let retry = Request::Retry { invoice };
        let operator = admin();
        let plan = process.plan(&operator, &retry).await.expect("a plan");
        let apply = process.apply(&operator, &retry, &plan.fingerprint);
        let hangup = async {
            gate.an_answer_arrived().await;
            process.record_left(&operator, 1).await.expect("written");
            gate.let_go();
        };
        let (ended, ()) = tokio::join!(apply, hangup);
        ended.expect("settled");
        let next = w.another_engine("next").await;
        let told = next.store().away("kim").await.expect("read");
        assert_eq!(told.finished.len(), 1, "{told:?}");
    })
    .await;
}

impl World {
    /// Until an attempt is out.
    pub async fn until_sent(&self) {
        while self
            .number("select count(*) from attempt where state = 'sent'")
            .await
            == 0
        {
            tokio::task::yield_now().await;
        }
    }
}
