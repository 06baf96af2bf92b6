//! A call whose terminal died: settled by whoever comes next, within two minutes, and told to its person once.

use std::sync::Arc;
use std::time::Duration;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{ApprovalId, InvoiceId};
use paydeck::domain::operator::Role;
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::{ApprovalState, AttemptState};
use paydeck::engine::EngineSettings;
use paydeck::engine::ports::Provider;
use paydeck::engine::queries::Reads;
use paydeck::engine::{Outcome, RefundAlone, RefundLimits, Request};
use serde_json::json;

use crate::concurrency::{Gate, Trick};
use crate::four_eyes::{act_as, asked, choi, lee, on_call};
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

#[tokio::test]
async fn a_greeting_about_something_else_does_not_hide_what_was_committed_after_it() {
    on_each_tuned(in_use, async |w| {
        let invoice = declined(&w).await;
        killed_in_mid_charge(&w, invoice).await;
        let next = w.another_engine("next").await;
        later(&w, 120).await;
        next.reconcile_once(&admin()).await.expect("looked");
        // On PostgreSQL the row of a greeting may have the larger number and be committed first.
        let other = [String::from("att_of_another_call")];
        next.record_greeted(&admin(), &other)
            .await
            .expect("written");
        let told = next.store().away("kim").await.expect("read");
        let [row] = &told.finished[..] else {
            panic!("{told:?}")
        };
        let ids = [row.public_id.to_string()];
        next.record_greeted(&admin(), &ids).await.expect("written");
        let told = next.store().away("kim").await.expect("read");
        assert_eq!(told.finished, []);
    })
    .await;
}

/// A refund that needs a second person, asked for by `lee`.
async fn asked_for(w: &World) -> ApprovalId {
    w.subscriber("key-one").await;
    let request = Request::AskRefund {
        payment: w.last_payment().await,
        amount: RefundAmount::Partial(won(6_000)),
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    };
    asked(w, &lee(), &request).await
}

fn in_use_with_a_limit(settings: &mut EngineSettings) {
    in_use(settings);
    settings.refund_alone = RefundAlone::Within(RefundLimits {
        once: vec![(Role::Support, won(5_000)), (Role::Admin, won(500_000))],
        daily_multiple: 5,
        per_day: 100,
    });
}

#[tokio::test]
async fn whoever_approved_is_told_what_came_of_it_where_his_process_did_not_see_it() {
    on_each_tuned(in_use_with_a_limit, async |w| {
        let approval = asked_for(&w).await;
        w.fault("cancel", json!("lost_after_commit"), 1).await;
        let granted = act_as(&w.engine, &choi(), &Request::Grant { approval }).await;
        assert!(matches!(granted, Ok(Outcome::Unknown(_))), "{granted:?}");
        let next = w.another_engine("next").await;
        let waits = next.store().away("choi").await.expect("read");
        assert_eq!((waits.finished.len(), waits.open), (0, 1));
        later(&w, 120).await;
        next.reconcile_once(&admin()).await.expect("looked");
        let told = next.store().away("choi").await.expect("read");
        let [row] = &told.finished[..] else {
            panic!("{told:?}")
        };
        assert_eq!(
            (row.state, row.amount),
            (AttemptState::Succeeded, won(6_000))
        );
        let ids = [row.public_id.to_string()];
        next.record_greeted(&choi(), &ids).await.expect("written");
        let told = next.store().away("choi").await.expect("read");
        assert_eq!(told.finished, []);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_nobody_decided_in_time_leaves_its_row_and_its_author_is_told_once() {
    on_each_tuned(in_use_with_a_limit, async |w| {
        let approval = asked_for(&w).await;
        let store = w.engine.store();
        let waits = store.away("lee").await.expect("read");
        assert_eq!((waits.open, waits.lapsed.len()), (1, 0), "he is asked about");
        let ended = w.engine.end_lapsed_requests(&on_call()).await.expect("looked");
        assert_eq!(ended, 0, "it waits");
        w.without_approval_rules().await;
        w.execute("update approval set requested_at = requested_at - 3600000000, expires_at = expires_at - 3600000000")
            .await;
        assert_eq!(store.count_lapsed().await.expect("a count"), 1);
        let ended = w.engine.end_lapsed_requests(&on_call()).await.expect("ended");
        assert_eq!(ended, 1);
        assert_eq!(store.count_lapsed().await.expect("a count"), 0);
        let row = store.waiting_request(approval).await.expect("a request");
        assert_eq!(row.state, ApprovalState::Expired);
        let id = row.public_id.to_string();
        let trail = "select count(*) from audit a join approval r on r.public_id = a.target
            where a.state_after = 'expired' and a.person = 'system'";
        assert_eq!(w.number(trail).await, 1);
        let word = "select count(*) from outbox where kind = 'approval_expired'";
        assert_eq!(w.number(word).await, 1);
        let told = store.away("lee").await.expect("read");
        assert_eq!((told.lapsed.len(), told.open), (1, 0));
        assert_eq!(told.lapsed[0].public_id, row.public_id);
        assert_eq!(store.away("choi").await.expect("read").lapsed, []);
        w.engine.record_greeted(&lee(), &[id]).await.expect("written");
        assert_eq!(store.away("lee").await.expect("read").lapsed, []);
        assert_eq!(w.executed().await, (1, 0));
        w.audit_is_intact().await;
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
