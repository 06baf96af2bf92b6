//! Checkouts, transactions, settlements.

use serde_json::{Value, json};

use super::support::Bench;

#[tokio::test]
async fn a_checkout_is_confirmed_once_within_ten_minutes() {
    let bench = Bench::new().await;
    let open = bench
        .control(
            "checkouts",
            json!({ "orderId": "order-1", "amount": 15_000 }),
        )
        .await;
    let seen = bench.get("/v1/payments/orders/order-1").await.json();
    assert_eq!(seen["status"], "IN_PROGRESS");
    let wrong = json!({ "paymentKey": open["paymentKey"], "orderId": "order-1", "amount": 1 });
    assert_eq!(
        bench
            .ask("POST", "/v1/payments/confirm", &[], &wrong)
            .await
            .code(),
        "FORBIDDEN_REQUEST"
    );
    let body = json!({ "paymentKey": open["paymentKey"], "orderId": "order-1", "amount": 15_000 });
    let done = bench
        .ask("POST", "/v1/payments/confirm", &[], &body)
        .await
        .json();
    assert_eq!(
        (&done["status"], &done["type"]),
        (&json!("DONE"), &json!("NORMAL"))
    );
    assert_eq!(
        bench
            .ask("POST", "/v1/payments/confirm", &[], &body)
            .await
            .code(),
        "ALREADY_PROCESSED_PAYMENT"
    );
    let late = bench
        .control(
            "checkouts",
            json!({ "orderId": "order-2", "amount": 15_000 }),
        )
        .await;
    bench
        .control("clock", json!({ "advance_seconds": 601 }))
        .await;
    let body = json!({ "paymentKey": late["paymentKey"], "orderId": "order-2", "amount": 15_000 });
    let reply = bench.ask("POST", "/v1/payments/confirm", &[], &body).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "NOT_FOUND_PAYMENT_SESSION")
    );
    let expired = bench.get("/v1/payments/orders/order-2").await.json();
    assert_eq!(
        (&expired["status"], &expired["failure"]["code"]),
        (&json!("EXPIRED"), &json!("EXPIRED_PAYMENT"))
    );
    assert!(expired["method"].is_null() && expired["card"].is_null());
}

/// Three charges with a cancel of 100 won each, five seconds apart.
async fn three_charges_with_cancels() -> Bench {
    let bench = Bench::new().await;
    bench
        .control("clock", json!({ "set": "2026-03-10T03:00:00Z" }))
        .await;
    let key = bench.billing_key("kim", json!({})).await;
    for order in ["order-1", "order-2", "order-3"] {
        let payment = bench.paid(&key, order, 4900).await;
        let part = json!({ "cancelReason": "r", "cancelAmount": 100 });
        assert_eq!(bench.cancel(&payment, part).await.status, 200);
        bench
            .control("clock", json!({ "advance_seconds": 5 }))
            .await;
    }
    bench
}

const RANGE: &str = "startDate=2026-03-10&endDate=2026-03-11T00:00:00";

#[tokio::test]
async fn transactions_are_paged_by_the_last_key() {
    let bench = three_charges_with_cancels().await;
    let mut after = String::new();
    let mut rows = Vec::new();
    loop {
        let path = format!("/v1/transactions?{RANGE}&limit=4&startingAfter={after}");
        let page = bench.get(&path).await.json();
        let page = page.as_array().expect("an array").clone();
        let last = page.last().and_then(|row| row["transactionKey"].as_str());
        after = last.unwrap_or("").to_owned();
        rows.extend(page.iter().cloned());
        assert!(page.len() <= 4, "a page is never longer than its limit");
        if page.len() < 4 {
            break;
        }
    }
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row["customerKey"] == "kim"));
    let amounts: Vec<&Value> = rows.iter().map(|row| &row["amount"]).collect();
    assert_eq!(amounts.iter().filter(|amount| ***amount == 4900).count(), 3);
    assert_eq!(amounts.iter().filter(|amount| ***amount == 100).count(), 3);
    let count = |status: &str| rows.iter().filter(|row| row["status"] == status).count();
    assert_eq!((count("DONE"), count("PARTIAL_CANCELED")), (3, 3));
}

#[tokio::test]
async fn order_and_sign_of_transactions_follow_their_switches() {
    let bench = three_charges_with_cancels().await;
    let up = bench.get(&format!("/v1/transactions?{RANGE}")).await.json();
    assert_eq!(
        (&up[0]["orderId"], &up[0]["amount"]),
        (&json!("order-1"), &json!(4900))
    );
    let switches = json!({ "cancel_row_amount": "negative", "transactions_order": "descending" });
    bench.control("switches", switches).await;
    let down = bench.get(&format!("/v1/transactions?{RANGE}")).await.json();
    assert_eq!(
        (&down[0]["orderId"], &down[0]["amount"]),
        (&json!("order-3"), &json!(-100))
    );
    let key = down[1]["transactionKey"].as_str().expect("a key");
    let rest = bench
        .get(&format!("/v1/transactions?{RANGE}&startingAfter={key}"))
        .await
        .json();
    assert_eq!(rest.as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn lists_refuse_wrong_dates_limits_and_cursors() {
    let bench = Bench::new().await;
    let cases = [
        (format!("{RANGE}&limit=5001"), "EXCEED_MAX_QUERY_LIMIT"),
        (
            "startDate=yesterday&endDate=2026-03-11".to_owned(),
            "INVALID_DATE",
        ),
        (
            format!("{RANGE}&startingAfter=NOPE"),
            "INVALID_TRANSACTION_KEY",
        ),
    ];
    for (query, code) in cases {
        assert_eq!(
            bench.get(&format!("/v1/transactions?{query}")).await.code(),
            code
        );
    }
    let settlements = bench
        .get("/v1/settlements?startDate=2026-03-10&endDate=2026-03-11")
        .await;
    assert_eq!(settlements.json(), json!([]));
}
