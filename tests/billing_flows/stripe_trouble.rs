//! What Stripe alone can get wrong, against its simulator: books older than its own, confirmations that fail while
//! preparing works, refusals that prove nothing, first steps that come to nothing.

use std::path::PathBuf;

use chrono_tz::Asia::Seoul;
use serde_json::{Value, json};
use sqlx::Connection;

use paydeck::domain::mode::ProviderName;
use paydeck::engine::{EngineSettings, Outcome, Request};

use crate::world::{Base, World, admin};

const NEWEST: &str = "select state from attempt order by id desc limit 1";

async fn on_each(tune: impl Fn(&mut EngineSettings), story: impl AsyncFn(World)) {
    for base in [Base::Sqlite, Base::Postgres] {
        if let Some(world) = World::open_at(Seoul, base, ProviderName::Stripe, &tune).await {
            story(world).await;
        }
    }
}

/// What the simulator has executed, and how it was asked.
async fn requests(w: &World, path: &str) -> usize {
    let all = w.control("GET", "requests?limit=1000", Value::Null).await;
    let rows = all["requests"].as_array().or(all.as_array()).expect("rows");
    let is_it = |row: &&Value| row["path"].as_str().is_some_and(|p| p.ends_with(path));
    rows.iter().filter(is_it).count()
}

/// A copy of the database as it is now, to be put back later.
async fn copy_of(w: &World) -> PathBuf {
    let copy = w.spool_dir().with_file_name("snapshot.db");
    let original = w.address();
    let path = original.strip_prefix("sqlite:").expect("a file");
    let mut raw = sqlx::SqliteConnection::connect(&format!("sqlite:{path}"))
        .await
        .expect("a connection");
    let text = format!("vacuum into '{}'", copy.display());
    sqlx::query(sqlx::AssertSqlSafe(text))
        .execute(&mut raw)
        .await
        .expect("a copy");
    copy
}

/// The law of F29: the provider's books are newer than ours, and its keys are forgotten.
#[tokio::test]
async fn after_an_older_snapshot_was_put_back_days_later_a_run_charges_nobody_again() {
    let w = World::open_at(Seoul, Base::Sqlite, ProviderName::Stripe, |_| {})
        .await
        .expect("a world");
    let (_, pattern) = w.subscriber("key-one").await;
    w.many_like(pattern, 3).await;
    let copy = copy_of(&w).await;
    w.advance_days(31).await;
    w.run().await;
    assert_eq!(w.executed().await, (1 + 4, 0));
    w.advance_days(2).await;
    let address = format!("sqlite:{}", copy.display());
    let restored = w.engine_at(&address, "restored").await;
    restored
        .billing_run(&admin(), restored.now(), &mut |_| {})
        .await
        .expect("a run");
    assert_eq!(w.executed().await, (1 + 4, 0), "nobody is charged twice");
    let mut raw = sqlx::SqliteConnection::connect(&address)
        .await
        .expect("a connection");
    let paid: i64 = sqlx::query_scalar("select count(*) from attempt where state = 'succeeded'")
        .fetch_one(&mut raw)
        .await
        .expect("a number");
    assert_eq!(paid, 1 + 4, "what was taken is in the books");
    restored.store().close().await;
}

/// The same with PostgreSQL, with an attempt in the copy that was sent and has no name yet; a person ends it.
#[tokio::test]
async fn what_an_older_copy_calls_unconfirmed_is_looked_for_before_it_is_ended() {
    let Some(mut w) = World::open_at(Seoul, Base::Postgres, ProviderName::Stripe, |_| {}).await
    else {
        return;
    };
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    w.fault("stripe_intent_create", json!("lost_before_commit"), 1)
        .await;
    w.run().await;
    w.execute("update attempt set state = 'sent' where state = 'ready'")
        .await;
    w.execute("update attempt set state = 'unknown' where state = 'sent'")
        .await;
    let copy = w.snapshot().await.expect("a copy");
    w.expire_leases().await;
    w.reconcile().await;
    assert_eq!(w.text(NEWEST).await, "succeeded");
    assert_eq!(w.executed().await, (2, 0));
    w.advance_days(2).await;
    let gone = w.put_back(&copy).await;
    assert_eq!(w.text(NEWEST).await, "unknown");
    w.expire_leases().await;
    let attempt = paydeck::domain::ids::AttemptId(w.number("select max(id) from attempt").await);
    let end = Request::AskNotExecuted {
        attempt,
        reason: "the customer pays otherwise".into(),
        evidence: "a call".into(),
    };
    w.act(end).await.expect("an outcome");
    assert_eq!(w.text(NEWEST).await, "succeeded", "it was taken");
    assert_eq!(w.executed().await, (2, 0));
    w.books_are_straight().await;
    drop(gone);
}

/// One more request than a charge needs is made only where a key may be forgotten.
#[tokio::test]
async fn a_charge_on_its_day_asks_for_no_list() {
    on_each(
        |_| {},
        async |w| {
            w.subscriber("key-one").await;
            w.advance_days(31).await;
            let before = requests(&w, "/v1/payment_intents").await;
            w.run().await;
            let asked = requests(&w, "/v1/payment_intents").await - before;
            assert!((1..=2).contains(&asked), "{asked}");
            assert_eq!(w.executed().await, (2, 0));
        },
    )
    .await;
}

#[tokio::test]
async fn an_outage_behind_the_confirmation_opens_the_breaker() {
    on_each(
        |settings| settings.concurrency = 2,
        async |w| {
            let (_, pattern) = w.subscriber("key-one").await;
            w.many_like(pattern, 23).await;
            w.advance_days(31).await;
            let down =
                json!({ "kind": "http_error", "status": 500, "commit": "before", "body": "none" });
            w.fault("charge", down, 1_000).await;
            w.run().await;
            let unknown = "select count(*) from attempt where state = 'unknown'";
            let unknown = w.number(unknown).await;
            assert!((5..=8).contains(&unknown), "{unknown} of 24 are unknown");
            assert_eq!(w.executed().await, (1, 0));
        },
    )
    .await;
}

#[tokio::test]
async fn the_probe_of_a_charge_in_two_steps_takes_both() {
    on_each(
        |settings| {
            settings.concurrency = 1;
            settings.breaker_open_s = 60;
        },
        async |w| {
            let (_, pattern) = w.subscriber("key-one").await;
            w.many_like(pattern, 11).await;
            w.advance_days(31).await;
            let down =
                json!({ "kind": "http_error", "status": 500, "commit": "before", "body": "none" });
            w.fault("charge", down, 5).await;
            w.run().await;
            assert_eq!(w.executed().await, (1, 0));
            w.set_time(w.clock_now() + chrono::TimeDelta::seconds(61))
                .await;
            w.run().await;
            let charged = w.executed().await.0;
            assert!(
                charged > 1,
                "the probe was confirmed, and the rest followed"
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_refused_confirmation_whose_intent_keeps_its_card_is_ended_before_it_is_declined() {
    on_each(
        |_| {},
        async |w| {
            w.subscriber("key-one").await;
            w.advance_days(31).await;
            let off = json!({ "kind": "unknown_code", "code": "payment_method_unactivated" });
            w.fault("charge", off, 1).await;
            w.run().await;
            assert_eq!(w.text(NEWEST).await, "unknown");
            w.reconcile().await;
            assert_eq!(w.text(NEWEST).await, "declined");
            let code = "select refusal_code from attempt order by id desc limit 1";
            assert_eq!(w.text(code).await, "payment_method_unactivated");
            assert_eq!(requests(&w, "/cancel").await, 1);
            assert_eq!(w.executed().await, (1, 0));
        },
    )
    .await;
}

#[tokio::test]
async fn a_first_step_that_keeps_failing_waits_longer_and_calls_somebody() {
    on_each(
        |_| {},
        async |w| {
            w.subscriber("key-one").await;
            w.advance_days(31).await;
            let throttled = json!({ "kind": "rate_limited", "retry_after_seconds": 600 });
            w.fault("stripe_intent_create", throttled, 1).await;
            w.run().await;
            let wait = "select (next_check_at - last_sent_at) / 1000000 from attempt order by id desc limit 1";
            let sends = "select send_count from attempt order by id desc limit 1";
            assert_eq!(w.text(NEWEST).await, "ready");
            assert_eq!(w.number(sends).await, 1);
            assert!(w.number(wait).await >= 600, "{}", w.number(wait).await);
            let down = json!({ "kind": "http_error", "status": 500, "commit": "before", "body": "none" });
            w.fault("stripe_intent_create", down, 1).await;
            w.execute("update attempt set first_sent_at = first_sent_at - 900000000 where state = 'ready'")
                .await;
            w.expire_leases().await;
            w.reconcile().await;
            assert_eq!((w.text(NEWEST).await, w.number(sends).await), ("ready".into(), 2));
            assert!((59..70).contains(&w.number(wait).await));
            let pages = "select count(*) from outbox where kind = 'page'";
            assert_eq!(w.number(pages).await, 1, "after a quarter of an hour");
            w.expire_leases().await;
            w.reconcile().await;
            assert_eq!(w.text(NEWEST).await, "succeeded");
            assert_eq!(w.executed().await, (2, 0));
            w.books_are_straight().await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_first_step_answered_about_something_else_is_unknown_and_somebodys() {
    on_each(
        |_| {},
        async |w| {
            let plan = w.basic_plan().await;
            let customer = w.customer("key-one").await;
            w.card(customer, "key-one", json!({})).await;
            w.fault("stripe_intent_create", json!("wrong_order"), 1)
                .await;
            let subscribe = Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            };
            let outcome = w.act(subscribe).await.expect("an outcome");
            assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
            assert_eq!(
                w.number("select count(*) from attempt where needs_human = 1")
                    .await,
                1
            );
            assert_eq!(w.executed().await, (0, 0));
            w.reconcile().await;
            assert_eq!(w.text(NEWEST).await, "succeeded");
            assert_eq!(w.executed().await, (1, 0));
        },
    )
    .await;
}
