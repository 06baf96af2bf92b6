//! Checkout payments that the browser brings back.

use serde_json::json;

use paydeck::engine::{Outcome, Refused, Request, VerbError};

use crate::world::{World, on_each, won};

async fn opened(w: &World) -> (String, String) {
    let customer = w.customer("key-one").await;
    let request = Request::Checkout {
        customer,
        amount: won(15_000),
        description: "첫 결제".into(),
    };
    let Outcome::Done(receipt) = w.act(request).await.expect("opened") else {
        panic!("not opened")
    };
    let order_id = receipt.order_id.expect("an order id");
    let body =
        json!({ "orderId": order_id, "amount": 15_000, "customerKey": "key-one", "card": {} });
    let made = w.control("POST", "checkouts", body).await;
    (
        made["paymentKey"].as_str().expect("a key").to_owned(),
        order_id,
    )
}

fn confirm(payment_key: &str, order_id: &str, minor: i64) -> Request {
    Request::ConfirmCheckout {
        payment_key: payment_key.into(),
        order_id: order_id.into(),
        amount: won(minor),
    }
}

#[tokio::test]
async fn a_wrong_amount_is_refused_before_the_call_and_a_second_confirm_is_a_no_op() {
    on_each(async |w| {
        let (key, order) = opened(&w).await;
        let wrong = w.act(confirm(&key, &order, 150)).await;
        assert!(
            matches!(wrong, Err(VerbError::Refused(Refused::OtherAmount { wanted, given }))
                if wanted == won(15_000) && given == won(150)),
            "{wrong:?}"
        );
        assert_eq!(w.executed().await, (0, 0));
        let first = w
            .act(confirm(&key, &order, 15_000))
            .await
            .expect("confirmed");
        assert!(matches!(first, Outcome::Done(_)), "{first:?}");
        // Nothing is sent for what is paid, and the plan says so.
        let paid = confirm(&key, &order, 15_000);
        let plan = w.plan(&paid).await.expect("a plan");
        assert_eq!(plan.call, None);
        let again = w.act(paid).await.expect("known");
        assert!(matches!(again, Outcome::AlreadyDone(_)), "{again:?}");
        assert_eq!(w.executed().await, (1, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn n05_what_a_customer_chose_to_pay_off_by_months_is_on_the_payment() {
    on_each(async |w| {
        let customer = w.customer("key-one").await;
        let request = Request::Checkout {
            customer,
            amount: won(60_000),
            description: "첫 결제".into(),
        };
        let Outcome::Done(receipt) = w.act(request).await.expect("opened") else {
            panic!("not opened")
        };
        let order = receipt.order_id.expect("an order id");
        let body = json!({
            "orderId": order, "amount": 60_000, "customerKey": "key-one", "card": {}, "installmentMonths": 3,
        });
        let made = w.control("POST", "checkouts", body).await;
        let key = made["paymentKey"].as_str().expect("a key").to_owned();
        // The answer is lost: it is learnt from the look-up as well.
        w.fault("confirm", json!("lost_after_commit"), 1).await;
        w.act(confirm(&key, &order, 60_000)).await.expect("unknown");
        w.reconcile().await;
        let used = "select coalesce(installment_months, -1) || ' ' || coalesce(three_d_secure, '?') from payment";
        assert_eq!(w.text(used).await, "3 ?");
    })
    .await;
}

#[tokio::test]
async fn a_confirm_whose_answer_is_lost_is_found_by_its_order() {
    on_each(async |w| {
        let (key, order) = opened(&w).await;
        w.fault("confirm", json!("lost_after_commit"), 1).await;
        let lost = w
            .act(confirm(&key, &order, 15_000))
            .await
            .expect("an outcome");
        assert!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
        w.reconcile().await;
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(w.text("select state from invoice").await, "paid");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_checkout_is_declined_with_its_code() {
    on_each(async |w| {
        let (key, order) = opened(&w).await;
        w.advance_days(1).await;
        let late = w
            .act(confirm(&key, &order, 15_000))
            .await
            .expect("an outcome");
        let Outcome::Declined { refusal, .. } = late else {
            panic!("{late:?}")
        };
        assert_eq!(refusal.code, "NOT_FOUND_PAYMENT_SESSION");
        assert_eq!(w.executed().await, (0, 0));
    })
    .await;
}
