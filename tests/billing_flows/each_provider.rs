//! The verbs, the same stories with each provider: the real client, the simulator's own ledger, both databases.

use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{CustomerId, SubscriptionId};
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::{Outcome, Request};

use crate::world::{World, on_each_provider, won};

/// One paid subscription, and a renewal whose charge was declined.
async fn past_due(w: &World) -> (CustomerId, SubscriptionId) {
    let subscriber = w.subscriber("key-one").await;
    w.advance_days(31).await;
    let decline = json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" });
    w.fault("charge", decline, 1).await;
    w.run().await;
    assert_eq!(w.text("select state from subscription").await, "past_due");
    subscriber
}

#[tokio::test]
async fn n02_subscribe_and_renew() {
    on_each_provider(async |w| {
        w.subscriber("key-one").await;
        assert_eq!(w.executed().await, (1, 0));
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.text("select state from subscription").await, "active");
        let paid = "select count(*) from invoice where state = 'paid'";
        assert_eq!(w.number(paid).await, 2);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn n02_a_first_charge_that_is_declined_leaves_the_subscription_incomplete() {
    on_each_provider(async |w| {
        let plan = w.basic_plan().await;
        let customer = w.customer("key-one").await;
        let declines = json!({ "behaviour": { "kind": "decline", "code": "REJECT_CARD_PAYMENT" } });
        w.card(customer, "key-one", declines).await;
        let subscribe = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        let outcome = w.act(subscribe).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Declined { .. }), "{outcome:?}");
        assert_eq!(w.text("select state from subscription").await, "incomplete");
        assert_eq!(w.executed().await, (0, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn n02_retry_after_a_decline_takes_the_money_once() {
    on_each_provider(async |w| {
        past_due(&w).await;
        let invoice = w.only_invoice().await;
        let outcome = w.act(Request::Retry { invoice }).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.text("select state from subscription").await, "active");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn n02_a_part_and_then_the_rest_go_back() {
    on_each_provider(async |w| {
        w.subscriber("key-one").await;
        for (amount, also_cancel) in [
            (RefundAmount::Partial(won(3_000)), AlsoCancel::No),
            (RefundAmount::Full, AlsoCancel::Now),
        ] {
            let payment = w.last_payment().await;
            let refund = Request::Refund {
                payment,
                amount,
                reason: "고객 요청".into(),
                also_cancel,
            };
            let outcome = w.act(refund).await.expect("an outcome");
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        assert_eq!(w.executed().await, (1, 2));
        let back = "select refunded_minor from payment";
        assert_eq!(w.number(back).await, 9_900);
        assert_eq!(w.text("select state from subscription").await, "canceled");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn n02_a_refund_whose_answer_is_lost_goes_back_once() {
    for lost in ["lost_before_commit", "lost_after_commit"] {
        on_each_provider(async |w| {
            w.subscriber("key-one").await;
            w.fault("cancel", json!(lost), 1).await;
            let refund = Request::Refund {
                payment: w.last_payment().await,
                amount: RefundAmount::Partial(won(3_000)),
                reason: "고객 요청".into(),
                also_cancel: AlsoCancel::No,
            };
            let outcome = w.act(refund).await.expect("an outcome");
            assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
            w.reconcile().await;
            assert_eq!(w.executed().await, (1, 1), "{lost}");
            let newest = "select state from attempt order by id desc limit 1";
            assert_eq!(w.text(newest).await, "succeeded", "{lost}");
            w.books_are_straight().await;
        })
        .await;
    }
}

#[tokio::test]
async fn n02_cancel_at_the_end_undo_and_now() {
    on_each_provider(async |w| {
        let (_, subscription) = w.subscriber("key-one").await;
        let at_end = Request::CancelAtEnd {
            subscription,
            reason: "asked".into(),
        };
        let undo = Request::UndoCancel { subscription };
        let now = Request::CancelNow {
            subscription,
            reason: "asked".into(),
        };
        for request in [at_end, undo, now] {
            let outcome = w.act(request).await.expect("an outcome");
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        assert_eq!(w.text("select state from subscription").await, "canceled");
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(w.executed().await, (1, 0), "nobody is charged any more");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn n02_charged_once_and_shown_apart_from_what_recurs() {
    on_each_provider(async |w| {
        let (customer, _) = w.subscriber("key-one").await;
        let once = Request::OneTime {
            customer,
            amount: won(5_000),
            description: "추가 사용".into(),
        };
        let outcome = w.act(once).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn n02_an_unknown_charge_is_resolved_by_asking_and_by_sending_the_same_again() {
    for lost in ["lost_before_commit", "lost_after_commit", "reset_mid_body"] {
        on_each_provider(async |w| {
            past_due(&w).await;
            let invoice = w.only_invoice().await;
            w.fault("charge", json!(lost), 1).await;
            let outcome = w.act(Request::Retry { invoice }).await.expect("an outcome");
            assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
            let attempt = "select max(id) from attempt";
            let attempt = paydeck::domain::ids::AttemptId(w.number(attempt).await);
            let asked = w
                .act(Request::ResolveUnknown { attempt })
                .await
                .expect("asked");
            if matches!(asked, Outcome::Unknown(_)) {
                let again = Request::SendAgain { attempt };
                let outcome = w.act(again).await.expect("an outcome");
                assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
            }
            assert_eq!(w.executed().await, (2, 0), "{lost}");
            assert_eq!(w.text("select state from subscription").await, "active");
            w.books_are_straight().await;
        })
        .await;
    }
}
