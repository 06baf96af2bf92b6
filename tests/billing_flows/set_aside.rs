//! What the database refuses is set aside by whoever holds it, and by nobody who held it before.

use std::sync::Arc;

use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::payment::RefundAmount;
use paydeck::domain::states::RunState;
use paydeck::engine::ports::Provider;
use paydeck::engine::{Outcome, Request};
use paydeck::store::DatabaseUrl;

use crate::concurrency::{Gate, Trick};
use crate::four_eyes::PAGES;
use crate::world::{World, admin, on_each, on_each_tuned, won};

/// A hand at the file says that more has gone back than is left.
const NOTHING_LEFT: &str = "update payment set reserved_minor = 0, refunded_minor = 9000";
const STATE: &str = "select state || ' ' || needs_human || ' ' || lease_owner from attempt order by id desc limit 1";
/// It is looked at again long after the others.
const LATER: &str = "select count(*) from attempt where next_check_at >= lease_until + 3600000000 and kind = 'refund'";

/// A refund of which nobody knows whether it was made.
async fn unknown(w: &World, fault: &str) {
    w.subscriber("key-one").await;
    let payment = w.last_payment().await;
    w.fault("cancel", json!(fault), 1).await;
    let refund = Request::Refund {
        payment,
        amount: RefundAmount::Partial(won(6_000)),
        reason: "asked".into(),
        also_cancel: AlsoCancel::No,
    };
    let outcome = w.act(refund).await.expect("sent");
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    w.execute(NOTHING_LEFT).await;
    w.expire_leases().await;
}

#[tokio::test]
async fn what_somebody_took_meanwhile_is_his_and_is_not_set_aside_by_whoever_held_it_before() {
    on_each(async |w| {
        unknown(&w, "lost_after_commit").await;
        let gate = Gate::new(&w.provider, vec![], vec![Trick::HoldAnswer]);
        let provider: Arc<dyn Provider> = gate.clone();
        let slow = w.engine_with("slow", &provider).await;
        let operator = admin();
        let pages = w.number(PAGES).await;
        let (done, ()) = tokio::join!(slow.reconcile_once(&operator), async {
            gate.an_answer_arrived().await;
            // Another process finds the lease over, and looks at it now.
            w.execute("update attempt set lease_epoch = lease_epoch + 1, lease_owner = 'another', lease_until = 9000000000000000, next_check_at = 5 where state = 'unknown'").await;
            gate.let_go();
        });
        let done = done.expect("a whole pass");
        assert_eq!((done.claimed, done.left), (1, 1));
        assert_eq!(w.text(STATE).await, "unknown 0 another");
        let as_it_was = "select count(*) from attempt where lease_until = 9000000000000000 and next_check_at = 5";
        assert_eq!(w.number(as_it_was).await, 1, "its lease is as long as it was");
        assert_eq!(w.number(PAGES).await, pages, "nobody is called by who came late");
    })
    .await;
}

#[tokio::test]
async fn what_one_pass_sends_again_and_the_database_refuses_is_set_aside_by_that_pass() {
    on_each(async |w| {
        unknown(&w, "lost_before_commit").await;
        let pages = w.number(PAGES).await;
        let done = w
            .engine
            .reconcile_once(&admin())
            .await
            .expect("a whole pass");
        assert_eq!((done.claimed, done.left), (1, 1));
        assert_eq!(w.executed().await, (1, 1), "it was sent again");
        assert_eq!(w.text(STATE).await, "unknown 1 first");
        assert_eq!(w.number(LATER).await, 1, "the others come first");
        assert_eq!(w.number(PAGES).await, pages + 1);
    })
    .await;
}

/// The database refuses the payments of these subscriptions from now on.
async fn refuse_payments_of(w: &World, whose: &str) {
    let rules: Vec<String> = match &w.url {
        DatabaseUrl::Sqlite(_) => vec![format!(
            "create trigger refused before insert on payment when new.subscription_id {whose} begin select raise(abort, 'a rule'); end"
        )],
        DatabaseUrl::Postgres(_) => vec![
            "create function refused() returns trigger language plpgsql as $$ begin raise exception 'a rule' using errcode = '23514'; end $$".to_owned(),
            format!("create trigger refused before insert on payment for each row when (new.subscription_id {whose}) execute function refused()"),
        ],
    };
    for rule in rules {
        w.change(&rule).await;
    }
}

async fn accept_payments(w: &World) {
    match &w.url {
        DatabaseUrl::Sqlite(_) => w.change("drop trigger refused").await,
        DatabaseUrl::Postgres(_) => w.change("drop trigger refused on payment").await,
    }
}

#[tokio::test]
async fn a_run_sets_aside_what_the_database_refuses_and_bills_everybody_else() {
    on_each(async |w| {
        let (_, pattern) = w.subscriber("key-one").await;
        w.many_like(pattern, 9).await;
        refuse_payments_of(&w, &format!("= {}", pattern.0)).await;
        w.advance_days(31).await;
        let pages = w.number(PAGES).await;
        let run = w.run().await;
        assert_eq!(run.run.state, RunState::Finished, "{run:?}");
        assert_eq!(w.executed().await, (11, 0));
        assert_eq!(w.number("select count(*) from payment").await, 10);
        let aside = "select count(*) from attempt where state = 'sent' and needs_human = 1";
        assert_eq!(w.number(aside).await, 1);
        assert_eq!(w.number(PAGES).await, pages + 1);
        accept_payments(&w).await;
        w.settle_everything().await;
        assert_eq!(w.number("select count(*) from payment").await, 11);
        w.books_are_straight().await;
    })
    .await;
}

/// Nobody's payment can be written: few are charged whose money is not in the books, however many are due.
#[tokio::test]
async fn a_run_whose_payments_the_database_refuses_row_after_row_charges_nobody_more_and_says_why()
{
    on_each_tuned(
        |settings| settings.concurrency = 8,
        async |w| {
            let (_, pattern) = w.subscriber("key-one").await;
            w.many_like(pattern, 299).await;
            refuse_payments_of(&w, "> 0").await;
            w.advance_days(31).await;
            let run = w.run().await;
            assert_eq!(run.run.state, RunState::Stopped, "{run:?}");
            let why = run.run.stop_reason.unwrap_or_default();
            assert!(why.contains("the database refuses"), "{why}");
            assert!(!why.contains("our key"), "{why}");
            // What may be out, and what may be answered before it is known how the first ones fared.
            let charged = w.executed().await.0 - 1;
            assert!(
                (20..=20 + 2 * 64 + 2 * 8).contains(&charged),
                "{charged} were charged"
            );
            assert_eq!(w.number("select count(*) from payment").await, 1);
            let aside = "select count(*) from attempt where state = 'sent' and needs_human = 1";
            assert_eq!(w.number(aside).await, charged, "each is kept for a person");
            accept_payments(&w).await;
            w.settle_everything().await;
            w.run().await;
            w.settle_everything().await;
            assert_eq!(w.executed().await, (301, 0));
            assert_eq!(w.number("select count(*) from payment").await, 301);
            w.books_are_straight().await;
        },
    )
    .await;
}
