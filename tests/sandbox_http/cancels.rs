//! Cancels: states, balances, and what is refused.

use serde_json::json;

use super::support::{Bench, order_of};

#[tokio::test]
async fn a_whole_cancel_is_canceled_and_says_so_when_it_is_repeated() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let payment = bench.paid(&key, "order-1", 4900).await;
    let done = bench
        .cancel(&payment, json!({ "cancelReason": "변심" }))
        .await
        .json();
    assert_eq!(
        (&done["status"], &done["balanceAmount"]),
        (&json!("CANCELED"), &json!(0))
    );
    let again = bench
        .cancel(&payment, json!({ "cancelReason": "변심" }))
        .await;
    assert_eq!(
        again.refusal(),
        (400, "ALREADY_CANCELED_PAYMENT".to_owned())
    );
    assert_eq!(bench.ledger().await.len(), 2);
}

#[tokio::test]
async fn partial_cancels_that_empty_a_payment_leave_it_partially_canceled() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let payment = bench.paid(&key, "order-2", 10_000).await;
    let part = json!({ "cancelReason": "부분", "cancelAmount": 3000, "refundableAmount": 10_000 });
    let one = bench.cancel(&payment, part).await.json();
    assert_eq!(
        (&one["status"], &one["balanceAmount"], &one["vat"]),
        (&json!("PARTIAL_CANCELED"), &json!(7000), &json!(636))
    );
    assert_eq!(one["cancels"][0]["refundableAmount"], 7000);
    let rest = json!({ "cancelReason": "r", "cancelAmount": null });
    let rest = bench.cancel(&payment, rest).await.json();
    assert_eq!(
        (&rest["status"], &rest["balanceAmount"]),
        (&json!("PARTIAL_CANCELED"), &json!(0))
    );
    assert_eq!(
        rest["lastTransactionKey"],
        rest["cancels"][1]["transactionKey"]
    );
    let again = bench.cancel(&payment, json!({ "cancelReason": "r" })).await;
    assert_eq!(again.refusal(), (403, "NOT_CANCELABLE_AMOUNT".to_owned()));
    let seen = bench.get(&format!("/v1/payments/{payment}")).await.json();
    assert_eq!(seen["cancels"].as_array().map(Vec::len), Some(2));
    assert_eq!(bench.ledger().await.len(), 3);
}

#[tokio::test]
async fn a_cancel_with_a_stale_balance_or_of_too_much_cancels_nothing() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let payment = bench.paid(&key, "order-1", 10_000).await;
    let stale = json!({ "cancelReason": "r", "cancelAmount": 100, "refundableAmount": 9_999 });
    assert_eq!(
        bench.cancel(&payment, stale).await.refusal(),
        (400, "NOT_MATCHES_REFUNDABLE_AMOUNT".to_owned())
    );
    let more = json!({ "cancelReason": "r", "cancelAmount": 10_001 });
    assert_eq!(
        bench.cancel(&payment, more).await.refusal(),
        (403, "NOT_CANCELABLE_AMOUNT".to_owned())
    );
    let without_reason = json!({ "cancelAmount": 100 });
    assert_eq!(
        bench.cancel(&payment, without_reason).await.refusal(),
        (400, "INVALID_REQUEST".to_owned())
    );
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_deposit_for_a_cup_forbids_a_partial_cancel() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let mut body = order_of("order-1", 5000);
    body["taxExemptionAmount"] = json!(300);
    let payment = bench
        .ask("POST", &format!("/v1/billing/{key}"), &[], &body)
        .await
        .json();
    assert_eq!(payment["isPartialCancelable"], false);
    let path = format!(
        "/v1/payments/{}/cancel",
        payment["paymentKey"].as_str().expect("a key")
    );
    let part = bench
        .ask(
            "POST",
            &path,
            &[],
            &json!({ "cancelReason": "r", "cancelAmount": 100 }),
        )
        .await;
    assert_eq!(
        (part.status, part.code().as_str()),
        (403, "NOT_ALLOWED_PARTIAL_REFUND")
    );
}

#[tokio::test]
async fn two_cancels_at_once_that_do_not_fit_together_end_with_one() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let payment = bench.charge(&key, "order-1", 10_000).await.json();
    let path = format!(
        "/v1/payments/{}/cancel",
        payment["paymentKey"].as_str().expect("a key")
    );
    let body = json!({ "cancelReason": "r", "cancelAmount": 6000 });
    let (one, two) = tokio::join!(
        bench.ask("POST", &path, &[], &body),
        bench.ask("POST", &path, &[], &body)
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
}
