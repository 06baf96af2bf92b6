//! Answers that never come: nothing is charged twice, nothing is lost, nothing is called failed.

use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::{Outcome, Refused, Request, VerbError};

use crate::world::{World, on_each, won};

async fn declined_invoice(w: &World) -> paydeck::domain::ids::InvoiceId {
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    w.fault(
        "charge",
        json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
        1,
    )
    .await;
    w.run().await;
    assert_eq!(w.text("select state from subscription").await, "past_due");
    w.only_invoice().await
}

#[tokio::test]
async fn retry_pressed_five_times_over_a_lost_answer_charges_once() {
    on_each(async |w| {
        let invoice = declined_invoice(&w).await;
        w.fault("charge", json!("lost_after_commit"), 1).await;
        let first = w.act(Request::Retry { invoice }).await.expect("an outcome");
        assert!(matches!(first, Outcome::Unknown(_)), "{first:?}");
        for _ in 0..4 {
            let again = w.act(Request::Retry { invoice }).await;
            assert!(
                matches!(again, Err(VerbError::Refused(Refused::InProgress { .. }))),
                "{again:?}"
            );
        }
        assert_eq!(w.executed().await, (2, 0), "first charge and one retry");
        assert_eq!(
            w.text("select state from attempt order by id desc limit 1")
                .await,
            "unknown"
        );
        let looked = w.reconcile().await;
        assert_eq!(looked.settled, 1);
        assert_eq!(
            w.text("select state from invoice order by id desc limit 1")
                .await,
            "paid"
        );
        assert_eq!(w.text("select state from subscription").await, "active");
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_never_arrived_is_sent_again_under_the_same_id() {
    on_each(async |w| {
        let invoice = declined_invoice(&w).await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        let first = w.act(Request::Retry { invoice }).await.expect("an outcome");
        assert!(matches!(first, Outcome::Unknown(_)), "{first:?}");
        assert_eq!(w.executed().await, (1, 0));
        w.reconcile().await;
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(
            w.number(
                "select count(*) from attempt where invoice_id = (select max(id) from invoice)"
            )
            .await,
            2
        );
        assert_eq!(w.number("select max(send_count) from attempt").await, 2);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn every_way_to_lose_a_refund_answer_gives_the_money_back_once() {
    for fault in [
        json!("lost_after_commit"),
        json!("lost_before_commit"),
        json!("truncated_json"),
        json!("reset_mid_body"),
        json!({ "kind": "http_error", "commit": "after" }),
        json!({ "kind": "http_error", "commit": "before" }),
    ] {
        on_each(async |w| {
            w.subscriber("key-one").await;
            let payment = w.last_payment().await;
            w.fault("cancel", fault.clone(), 1).await;
            let refund = Request::Refund {
                payment,
                amount: RefundAmount::Partial(won(4_000)),
                reason: "asked".into(),
                also_cancel: AlsoCancel::AtPeriodEnd,
            };
            let outcome = w.act(refund.clone()).await.expect("an outcome");
            assert!(
                matches!(outcome, Outcome::Unknown(_)),
                "{fault}: {outcome:?}"
            );
            assert_eq!(w.number("select reserved_minor from payment").await, 4_000);
            let again = w.act(refund).await;
            assert!(
                matches!(again, Err(VerbError::Refused(Refused::InProgress { .. }))),
                "{fault}: {again:?}"
            );
            w.reconcile().await;
            assert_eq!(w.executed().await, (1, 1), "{fault}");
            assert_eq!(
                w.number("select refunded_minor from payment").await,
                4_000,
                "{fault}"
            );
            assert_eq!(
                w.number("select reserved_minor from payment").await,
                0,
                "{fault}"
            );
            assert_eq!(
                w.number("select count(*) from subscription where cancel_at is not null")
                    .await,
                1,
                "{fault}"
            );
            w.books_are_straight().await;
        })
        .await;
    }
}

#[tokio::test]
async fn every_way_to_lose_a_charge_answer_in_a_run_charges_once() {
    for fault in [
        json!("lost_after_commit"),
        json!("lost_before_commit"),
        json!("truncated_json"),
        json!("html_body"),
        json!({ "kind": "http_error", "commit": "after", "body": "none" }),
        json!({ "kind": "http_error", "commit": "before" }),
        json!({ "kind": "rate_limited" }),
        json!("wrong_order"),
        json!({ "kind": "wrong_amount" }),
        json!("in_progress"),
        json!({ "kind": "late", "ms": 50 }),
    ] {
        on_each(async |w| {
            w.subscriber("key-one").await;
            w.advance_days(31).await;
            w.fault("charge", fault.clone(), 1).await;
            w.run().await;
            assert_eq!(
                w.text("select state from attempt order by id desc limit 1")
                    .await,
                "unknown",
                "{fault}"
            );
            assert_eq!(
                w.text("select state from subscription").await,
                "active",
                "{fault}"
            );
            w.run().await;
            w.reconcile().await;
            w.reconcile().await;
            assert_eq!(w.executed().await, (2, 0), "{fault}");
            assert_eq!(
                w.text("select state from invoice order by id desc limit 1")
                    .await,
                "paid",
                "{fault}"
            );
            w.books_are_straight().await;
        })
        .await;
    }
}
