//! A refund of ours whose answer was lost, and somebody who gives money back in the provider's own console: ours never goes
//! out beside theirs, the books follow theirs, and whom the database refuses holds up nobody else.

use std::sync::Arc;

use chrono_tz::Asia::Seoul;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use paydeck::domain::attempt::{AlsoCancel, NotAbsent};
use paydeck::domain::ids::{AttemptId, PaymentId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::ports::Provider;
use paydeck::engine::{Outcome, Refused, Request};
use paydeck::provider::stripe::{StripeClient, StripeOptions};
use paydeck::sandbox::stripe;
use paydeck::secret::Secret;

use crate::absent_refunds::declared;
use crate::four_eyes::{PAGES, absence, act_as, choi, not_executed, refused_as};
use crate::world::{Base, World, admin, on_each, won};

const STATE: &str = "select state from attempt where kind = 'refund' order by id desc limit 1";
/// It was sent so long ago that its key may be forgotten.
const SENT_DAYS_AGO: &str = "update attempt set first_sent_at = first_sent_at - 172800000000, last_sent_at = last_sent_at - 172800000000 where state = 'unknown'";
/// Four looks that saw somebody else's refund, an hour apart.
const FOUR_LOOKS: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
    select a.id, 'look_up', 'refunded_elsewhere', 1, a.last_sent_at + n.h * 3600000000
    from attempt a cross join (select 1 as h union all select 2 union all select 3 union all select 4) n where a.state = 'unknown'";
const A_FIFTH_LOOK: &str = "insert into evidence (attempt_id, source, outcome, elapsed_ms, at)
    select id, 'look_up', 'not_refunded', 1, last_sent_at + 5 * 3600000000 from attempt where state = 'unknown'";
const DECLARED_LOOKED_FOR: &str =
    "update attempt set next_check_at = 0, lease_until = 0 where state = 'not_executed'";

pub async fn at_stripe(story: impl AsyncFn(World)) {
    for base in [Base::Sqlite, Base::Postgres] {
        if let Some(world) = World::open_at(Seoul, base, ProviderName::Stripe, |_| {}).await {
            story(world).await;
        }
    }
}

/// Somebody gives money of the last payment back in Stripe's own console.
pub async fn by_hand(w: &World, minor: i64) {
    let intent = w
        .text("select provider_ref from payment order by id desc limit 1")
        .await;
    let body = format!("payment_intent={intent}&amount={minor}");
    let request = format!(
        "POST /v1/refunds HTTP/1.1\r\nhost: stripe\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        stripe::SECRET_KEY,
        body.len()
    );
    let mut stream = TcpStream::connect(w.simulator.addr())
        .await
        .expect("a connection");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

pub async fn back(payment: PaymentId, minor: i64) -> Request {
    Request::Refund {
        payment,
        amount: RefundAmount::Partial(won(minor)),
        reason: "moved away".into(),
        also_cancel: AlsoCancel::No,
    }
}

/// A refund whose answer was lost before the provider executed anything.
async fn lost(w: &World, minor: i64, fault: &str) -> AttemptId {
    let payment = w.last_payment().await;
    w.fault("cancel", json!(fault), 1).await;
    let outcome = w.act(back(payment, minor).await).await.expect("sent");
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    AttemptId(w.number("select max(id) from attempt").await)
}

#[tokio::test]
async fn what_somebody_gave_back_by_hand_is_booked_and_ours_does_not_go_out_beside_it() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        let attempt = lost(&w, 3_000, "lost_before_commit").await;
        by_hand(&w, 3_000).await;
        for _ in 0..3 {
            w.expire_leases().await;
            w.engine.reconcile_once(&admin()).await.expect("looked");
        }
        assert_eq!(w.executed().await, (1, 1), "the one by hand, and no other");
        assert_eq!(w.text(STATE).await, "unknown");
        assert_eq!(w.number("select refunded_minor from payment").await, 3_000);
        assert_eq!(w.number("select reserved_minor from payment").await, 3_000);
        assert_eq!(
            w.number("select count(*) from refund where attempt_id is null")
                .await,
            1
        );
        let said =
            "select count(*) from outbox where kind = 'page' and key like '%:refunded_elsewhere'";
        assert_eq!(w.number(said).await, 1, "a person is called, once");
        w.act(Request::SendAgain { attempt }).await.expect("looked");
        assert_eq!(w.executed().await, (1, 1), "not by a person's press either");

        // Nobody waits for a key that is not used any more: a day after it was sent two persons end it.
        let soon = act_as(&w.engine, &choi(), &not_executed(attempt)).await;
        assert!(
            matches!(absence(&soon), Some(NotAbsent::TooSoon { .. })),
            "{soon:?}"
        );
        w.execute(SENT_DAYS_AGO).await;
        w.execute(FOUR_LOOKS).await;
        declared(&w, &w.engine, attempt).await;
        assert_eq!(w.text(STATE).await, "not_executed");
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_all_given_back_by_hand_leaves_less_reserved_and_the_books_follow() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        let attempt = lost(&w, 6_000, "lost_before_commit").await;
        by_hand(&w, 9_900).await;
        w.expire_leases().await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.number("select refunded_minor from payment").await, 9_900);
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        w.execute(SENT_DAYS_AGO).await;
        w.execute(FOUR_LOOKS).await;
        declared(&w, &w.engine, attempt).await;
        assert_eq!(
            w.number("select refunded_minor + reserved_minor from payment")
                .await,
            9_900
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn toss_is_asked_again_because_it_refuses_where_less_is_left() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        lost(&w, 3_000, "lost_before_commit").await;
        let key = w.text("select provider_ref from payment").await;
        let event = json!({ "type": "refund", "paymentKey": key, "amount": 3_000 });
        w.control("POST", "events", event).await;
        for _ in 0..3 {
            w.expire_leases().await;
            w.engine.reconcile_once(&admin()).await.expect("looked");
        }
        assert_eq!(w.executed().await, (1, 1), "the one by hand, and no other");
        assert_eq!(w.text(STATE).await, "declined");
        assert_eq!(w.number("select refunded_minor from payment").await, 3_000);
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        w.books_are_straight().await;
    })
    .await;
}

/// Of two payments: one whose refund was declared not executed and turns up while another one of it is on its way, and one
/// that only has to be looked up.
#[tokio::test]
async fn a_refund_that_turns_up_beside_another_one_of_its_payment_holds_up_nobody() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let first = lost(&w, 6_000, "lost_after_commit").await;
        // A hand at the file has let go of it: the provider shows it all the same.
        w.without_rules_of_declaring().await;
        w.execute("update attempt set state = 'not_executed', next_check_at = 0 where state = 'unknown'")
            .await;
        w.execute("update payment set reserved_minor = 0").await;
        w.fault("cancel", json!("lost_before_commit"), 1).await;
        let outcome = w.act(back(payment, 6_000).await).await.expect("sent");
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        w.subscriber("key-two").await;
        lost(&w, 1_000, "lost_after_commit").await;

        w.execute(DECLARED_LOOKED_FOR).await;
        w.expire_leases().await;
        let done = w.engine.reconcile_once(&admin()).await.expect("a whole pass");
        assert_eq!(done.claimed, 3);
        let of = |id: AttemptId| format!("select count(*) from attempt where id = {} and state = 'succeeded'", id.0);
        assert_eq!(w.ask(&of(first)).await, 1, "it was there after all");
        let third = "select count(*) from attempt where amount_minor = 1000 and kind = 'refund' and state = 'succeeded'";
        assert_eq!(w.number(third).await, 1);
        let balance = "select refunded_minor from payment order by id limit 1";
        assert_eq!(w.number(balance).await, 6_000);
        let late = "select count(*) from outbox where kind = 'page' and key like '%:late_success'";
        assert_eq!(w.number(late).await, 1);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_turns_up_stops_another_one_that_has_not_left() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        lost(&w, 6_000, "lost_after_commit").await;
        w.without_rules_of_declaring().await;
        w.execute(
            "update attempt set state = 'not_executed', next_check_at = 0 where state = 'unknown'",
        )
        .await;
        w.execute("update payment set reserved_minor = 0").await;
        let options = StripeOptions {
            base_url: "http://127.0.0.1:1".to_owned(),
            ..StripeOptions::new(Secret::new(stripe::SECRET_KEY), Mode::Sim)
        };
        let nowhere: Arc<dyn Provider> = Arc::new(StripeClient::new(options).expect("a client"));
        let cut_off = w.engine_with("cut off", &nowhere).await;
        let another = back(payment, 3_000).await;
        let outcome = act_as(&cut_off, &admin(), &another).await;
        assert_eq!(w.text(STATE).await, "ready", "{outcome:?}");
        w.execute(DECLARED_LOOKED_FOR).await;
        w.engine.reconcile_once(&admin()).await.expect("looked");
        assert_eq!(w.text(STATE).await, "abandoned");
        assert_eq!(w.number("select refunded_minor from payment").await, 6_000);
        assert_eq!(w.number("select reserved_minor from payment").await, 0);
        let told =
            "select count(*) from outbox where kind = 'page' and key like '%:refund_given_up'";
        assert_eq!(w.number(told).await, 1);
        w.books_are_straight().await;
    })
    .await;
}

/// A rule of the books that stands against what the provider says is its attempt's trouble alone.
#[tokio::test]
async fn what_the_database_refuses_is_set_aside_and_somebody_is_called() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        lost(&w, 6_000, "lost_after_commit").await;
        // A hand at the file says that more has gone back than is left.
        w.execute("update payment set reserved_minor = 0, refunded_minor = 9000").await;
        w.subscriber("key-two").await;
        lost(&w, 1_000, "lost_after_commit").await;
        w.expire_leases().await;
        let pages = w.number(PAGES).await;
        let done = w.engine.reconcile_once(&admin()).await.expect("a whole pass");
        assert_eq!((done.claimed, done.settled, done.left), (2, 1, 1));
        assert_eq!(w.number(PAGES).await, pages + 1);
        let aside = "select count(*) from attempt where state = 'unknown' and needs_human = 1 and next_check_at > lease_until";
        assert_eq!(w.number(aside).await, 1, "the others come first");
        let again = w.engine.reconcile_once(&admin()).await.expect("nothing is due");
        assert_eq!(again.claimed, 0);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_whose_provider_is_not_configured_has_not_been_looked_up() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        lost(&w, 6_000, "lost_after_commit").await;
        let alone = w.engine_of("without", &[]).await;
        w.expire_leases().await;
        let evidence = w.number("select count(*) from evidence").await;
        let checks = "select checks from attempt order by id desc limit 1";
        let before = w.number(checks).await;
        alone.reconcile_once(&admin()).await.expect("a pass");
        assert_eq!(w.number("select count(*) from evidence").await, evidence);
        assert_eq!(w.number(checks).await, before);
    })
    .await;
}

/// The payment that was read back under our key proves the account, though no charge of ours is on the list.
#[tokio::test]
async fn a_shop_without_another_charge_can_end_a_refund_that_stays_absent() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(20).await;
        let attempt = lost(&w, 6_000, "lost_before_commit").await;
        w.execute(SENT_DAYS_AGO).await;
        w.execute(crate::absent_refunds::FOUR_LOOKS).await;
        w.execute(A_FIFTH_LOOK).await;
        let asked = act_as(&w.engine, &choi(), &not_executed(attempt)).await;
        assert!(matches!(asked, Ok(Outcome::Asked(_))), "{asked:?}");
    })
    .await;
}

/// Between the last look-up and the second person's word it is read once more.
#[tokio::test]
async fn a_refund_that_came_through_is_found_when_two_persons_end_it() {
    at_stripe(async |w| {
        w.subscriber("key-one").await;
        let attempt = lost(&w, 6_000, "lost_after_commit").await;
        w.execute(SENT_DAYS_AGO).await;
        w.execute(crate::absent_refunds::FOUR_LOOKS).await;
        w.execute(A_FIFTH_LOOK).await;
        let asked = act_as(&w.engine, &choi(), &not_executed(attempt)).await;
        assert_eq!(refused_as(&asked), Some(&Refused::Listed));
        assert_eq!(w.text(STATE).await, "succeeded");
        w.books_are_straight().await;
    })
    .await;
}
