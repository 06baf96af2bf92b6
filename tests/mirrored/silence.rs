//! What is not known is never called "not sent", and a provider that is silent holds up nobody else.

use std::sync::Arc;
use std::time::Duration;

use paydeck::console::Runner;
use paydeck::domain::mode::Mode;
use paydeck::engine::ports::Provider;
use paydeck::engine::{Outcome, Pulled, Request, VerbError};
use paydeck::provider::stripe::{StripeClient, StripeOptions};
use paydeck::sandbox::stripe::SECRET_KEY;
use paydeck::secret::Secret;
use paydeck::store::DatabaseUrl;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::acting::failed;
use crate::shop::{Shop, on_each};
use crate::world::{World, admin};

/// From now on the database refuses whatever is learnt about a wish.
async fn refuses_what_is_learnt(w: &World) {
    let rules: &[&str] = match &w.url {
        DatabaseUrl::Sqlite(_) => &[
            "create trigger refused before update of state on mirror_act begin select raise(abort, 'disk full'); end",
        ],
        DatabaseUrl::Postgres(_) => &[
            "create function refused() returns trigger language plpgsql as $$ begin raise exception 'disk full' using errcode = '53100'; end $$",
            "create trigger refused before update of state on mirror_act for each row execute function refused()",
        ],
    };
    for rule in rules {
        w.change(rule).await;
    }
}

async fn takes_it_again(w: &World) {
    match &w.url {
        DatabaseUrl::Sqlite(_) => w.change("drop trigger refused").await,
        DatabaseUrl::Postgres(_) => w.change("drop trigger refused on mirror_act").await,
    }
}

/// Nothing is asked before its time has come.
async fn a_while_later(w: &World) {
    w.change("update mirror_act set lease_until = 0, next_check_at = 0 where state in ('sent', 'unknown')")
        .await;
}

#[tokio::test]
async fn money_that_was_asked_for_is_unknown_where_the_database_does_not_take_what_came_of_it() {
    on_each(async |shop: Shop| {
        let one = failed(&shop).await;
        let (before, _) = shop.world.executed().await;
        let invoice = shop.last_invoice(&one).await;
        refuses_what_is_learnt(&shop.world).await;
        let outcome = shop.world.act(Request::Retry { invoice }).await;
        assert_eq!(shop.world.executed().await.0, before + 1);
        let Ok(Outcome::Unknown(receipt)) = outcome else {
            panic!("the money was taken: {outcome:?}");
        };
        assert!(receipt.invoice.is_some() && receipt.subscription.is_some());
        takes_it_again(&shop.world).await;
        a_while_later(&shop.world).await;
        assert_eq!(shop.pull().await.settled, 1);
        assert_eq!(shop.world.executed().await.0, before + 1);
        assert_eq!(shop.state(&one).await, "active");
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn an_end_that_was_asked_for_is_unknown_where_the_database_does_not_take_what_came_of_it() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        refuses_what_is_learnt(&shop.world).await;
        let end = Request::CancelNow {
            subscription: one.id,
            reason: "asked".into(),
        };
        let outcome = shop.world.act(end).await;
        assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
        let there = shop.stripe.subscription(&one.name).await.expect("read");
        assert!(there.ended_at.is_some());
        takes_it_again(&shop.world).await;
        a_while_later(&shop.world).await;
        assert_eq!(shop.pull().await.settled, 1);
        assert_eq!(shop.state(&one).await, "canceled");
    })
    .await;
}

/// SQLite has no rule that fails for a while: its whole file is busy, or nothing is.
#[tokio::test]
async fn what_came_of_a_wish_is_written_again_while_the_database_is_busy() {
    on_each(async |shop: Shop| {
        let DatabaseUrl::Postgres(_) = &shop.world.url else {
            return;
        };
        let one = failed(&shop).await;
        let invoice = shop.last_invoice(&one).await;
        for rule in [
            "create sequence tries",
            "create function refused() returns trigger language plpgsql as $$ begin if nextval('tries') <= 2 then raise exception 'held' using errcode = '55P03'; end if; return new; end $$",
            "create trigger refused before update of state on mirror_act for each row execute function refused()",
        ] {
            shop.world.change(rule).await;
        }
        let outcome = shop.world.act(Request::Retry { invoice }).await;
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
        assert_eq!(shop.state(&one).await, "active");
        shop.world.books_are_straight().await;
    })
    .await;
}

fn client(shop: &Shop, total_timeout: Duration) -> Arc<dyn Provider> {
    let options = StripeOptions {
        base_url: shop.world.simulator.base_url(),
        connect_timeout: total_timeout / 2,
        total_timeout,
        ..StripeOptions::new(Secret::new(SECRET_KEY), Mode::Sim)
    };
    Arc::new(StripeClient::new(options).expect("a client"))
}

async fn never_answers(shop: &Shop, endpoint: &str) {
    let script = json!({
        "match": { "endpoint": endpoint },
        "fault": { "kind": "slow", "ms": 86_400_000 },
        "times": "always",
    });
    shop.world.control("POST", "faults", script).await;
}

/// How often the simulator was asked for it.
async fn asked(shop: &Shop, part: &str) -> usize {
    let requests = shop.world.control("GET", "requests", Value::Null).await;
    requests.to_string().matches(part).count()
}

#[tokio::test]
async fn a_console_asks_about_unknown_charges_while_the_list_of_events_hangs() {
    on_each(async |shop: Shop| {
        shop.mirrored("one").await;
        shop.pull().await;
        shop.world.subscriber("ours").await;
        shop.world.advance_days(31).await;
        let lost = json!("lost_after_commit");
        shop.world.fault("charge", lost, 1).await;
        shop.world.run().await;
        let open = "select count(*) from attempt where state = 'unknown'";
        assert_eq!(shop.world.ask(open).await, 1);
        shop.world.expire_leases().await;
        never_answers(&shop, "stripe_events").await;
        let before = asked(&shop, "/v1/events").await;
        let patient = client(&shop, Duration::from_secs(86_400));
        let engine = shop.world.engine_with("console", &patient).await;
        let (messages, _inbox) = mpsc::channel(1_000);
        let mut runner = Runner::new(engine, admin(), messages);
        runner.reconcile();
        let settled = async { while shop.world.ask(open).await > 0 {} };
        let waited = tokio::time::timeout(Duration::from_secs(120), settled).await;
        assert!(waited.is_ok(), "nobody asked");
        while asked(&shop, "/v1/events").await == before {}
        runner.finish(Duration::ZERO).await;
    })
    .await;
}

#[tokio::test]
async fn a_round_stops_where_two_in_a_row_are_not_answered_for_in_time() {
    on_each(async |shop: Shop| {
        for key in ["one", "two", "three"] {
            shop.mirrored(key).await;
        }
        shop.pull().await;
        shop.world
            .change("update mirror set read_again_at = 0")
            .await;
        for endpoint in ["stripe_subscription", "stripe_events"] {
            never_answers(&shop, endpoint).await;
        }
        let hurried = client(&shop, Duration::from_millis(400));
        let engine = shop.world.engine_with("hurried", &hurried).await;
        let followed = engine.mirror_follow(&admin()).await.expect("followed");
        assert_eq!((followed.left, followed.read), (2, 0), "{followed:?}");

        let mut done = Pulled::default();
        let pulled = engine.mirror_pull_into(&admin(), &mut done).await;
        assert!(matches!(pulled, Err(VerbError::Provider(_))), "{pulled:?}");
        assert_eq!(done, Pulled::default(), "nobody else was asked");
    })
    .await;
}

#[tokio::test]
async fn looking_after_wishes_stops_at_the_first_question_that_is_not_answered_in_time() {
    on_each(async |shop: Shop| {
        let lost = json!("lost_before_commit");
        for key in ["one", "two"] {
            let one = shop.mirrored(key).await;
            let fault = ("stripe_subscription_update", lost.clone());
            shop.world.fault(fault.0, fault.1, 1).await;
            let end = Request::CancelAtEnd {
                subscription: one.id,
                reason: String::new(),
            };
            let outcome = shop.world.act(end).await;
            assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
        }
        a_while_later(&shop.world).await;
        never_answers(&shop, "stripe_subscription").await;
        let hurried = client(&shop, Duration::from_millis(400));
        let engine = shop.world.engine_with("hurried", &hurried).await;
        let pulled = engine.mirror_pull(&admin()).await;
        assert!(matches!(pulled, Err(VerbError::Provider(_))), "{pulled:?}");
        let untouched = "select count(*) from mirror_act where next_check_at = 0";
        assert_eq!(shop.world.ask(untouched).await, 1);
    })
    .await;
}
