//! Charges: their checks, their answer, their order ids.

use std::time::Duration;

use paydeck::sandbox::SandboxOptions;
use serde_json::{Value, json};

use super::support::{Bench, order_of};

#[tokio::test]
async fn a_charge_answers_the_whole_payment_object() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let reply = bench.charge(&key, "order-1", 4900).await;
    let payment = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(reply.header("idempotency-key").as_deref(), Some("order-1"));
    for (field, value) in [
        ("status", json!("DONE")),
        ("type", json!("BILLING")),
        ("totalAmount", json!(4900)),
        ("vat", json!(445)),
        ("suppliedAmount", json!(4455)),
        ("balanceAmount", json!(4900)),
        ("method", json!("카드")),
        ("currency", json!("KRW")),
        ("country", json!("KR")),
        ("version", json!("2022-11-16")),
        ("isPartialCancelable", json!(true)),
        ("taxFreeAmount", json!(0)),
    ] {
        assert_eq!(payment[field], value, "{field}");
    }
    let keys = payment.as_object().expect("an object");
    for absent in [
        "cancels",
        "virtualAccount",
        "transfer",
        "mobilePhone",
        "giftCertificate",
        "cashReceipt",
        "cashReceipts",
        "discount",
        "easyPay",
        "failure",
        "metadata",
        "transactionKey",
    ] {
        assert_eq!(
            keys.get(absent),
            Some(&Value::Null),
            "{absent} must be there and null"
        );
    }
    let requested = payment["requestedAt"].as_str().expect("a time");
    assert!(
        requested.ends_with("+09:00") && requested.len() == 25,
        "{requested}"
    );
    assert!(
        payment["secret"]
            .as_str()
            .expect("a secret")
            .starts_with("ps_")
    );
    assert_eq!(
        payment["lastTransactionKey"].as_str().map(str::len),
        Some(32)
    );
    assert_eq!(payment["card"]["amount"], 4900);
}

#[tokio::test]
async fn a_charge_is_checked_in_the_order_of_the_provider() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let good =
        json!({ "customerKey": "kim", "orderId": "order-1", "orderName": "n", "amount": 4900 });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let known = key.as_str();
    let long = json!("k".repeat(301));
    let cases = [
        ("none", with("orderId", json!("x")), 400, "INVALID_ORDER_ID"),
        (
            known,
            with("orderName", json!("")),
            400,
            "INVALID_ORDER_NAME",
        ),
        (
            known,
            with("amount", json!(99)),
            400,
            "BELOW_MINIMUM_AMOUNT",
        ),
        (known, with("amount", Value::Null), 400, "REQUIRED_AMOUNT"),
        (known, with("amount", json!(100.5)), 400, "INVALID_REQUEST"),
        (
            known,
            with("customerKey", long),
            500,
            "FAILED_DB_PROCESSING",
        ),
        ("none", good.clone(), 404, "NOT_FOUND_BILLING"),
        (
            known,
            with("customerKey", json!("lee")),
            400,
            "NOT_MATCHES_CUSTOMER_KEY",
        ),
    ];
    for (key, body, status, code) in cases {
        let reply = bench
            .ask("POST", &format!("/v1/billing/{key}"), &[], &body)
            .await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
    }
    bench
        .control(
            "switches",
            json!({ "unknown_billing_key": "invalid_bill_key_request" }),
        )
        .await;
    assert_eq!(
        bench.charge("never-issued", "order-1", 4900).await.code(),
        "INVALID_BILL_KEY_REQUEST"
    );
    assert!(bench.ledger().await.is_empty());
}

#[tokio::test]
async fn an_encoded_billing_key_and_nulls_for_optional_fields_are_taken() {
    let bench = Bench::new().await;
    let key = bench
        .billing_key("kim", json!({}))
        .await
        .replace('=', "%3D");
    let body = json!({ "customerKey": "kim", "orderId": "order-1", "orderName": "n", "amount": 4900.0,
        "customerEmail": null, "customerName": null, "taxFreeAmount": null, "cardInstallmentPlan": null,
        "somethingNobodyKnows": { "x": 1 } });
    assert_eq!(
        bench
            .ask("POST", &format!("/v1/billing/{key}"), &[], &body)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_order_is_charged_once_and_may_be_tried_again_only_after_a_decline() {
    let bench = Bench::new().await;
    let card = json!({ "behaviour": { "kind": "decline_times", "code": "REJECT_CARD_PAYMENT", "times": 2 } });
    let key = bench.billing_key("kim", card).await;
    let path = format!("/v1/billing/{key}");
    let body = order_of("order-1", 4900);
    for _ in 0..2 {
        let declined = bench.ask("POST", &path, &[], &body).await;
        assert_eq!(
            (declined.status, declined.code().as_str()),
            (403, "REJECT_CARD_PAYMENT")
        );
    }
    assert_eq!(bench.ask("POST", &path, &[], &body).await.status, 200);
    assert_eq!(
        bench.ask("POST", &path, &[], &body).await.code(),
        "DUPLICATED_ORDER_ID"
    );
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn after_a_decline_look_up_and_reuse_of_the_order_follow_their_switches() {
    let bench = Bench::new().await;
    let card = json!({ "behaviour": { "kind": "decline_times", "code": "REJECT_CARD_COMPANY", "times": 1 } });
    let key = bench.billing_key("kim", card).await;
    let path = format!("/v1/billing/{key}");
    assert_eq!(
        bench
            .ask("POST", &path, &[], &order_of("order-1", 4900))
            .await
            .status,
        403
    );
    let seen = bench.get("/v1/payments/orders/order-1").await.json();
    assert_eq!(seen["status"], "ABORTED");
    assert_eq!(seen["failure"]["code"], "REJECT_CARD_COMPANY");
    assert!(seen["approvedAt"].is_null());
    bench
        .control(
            "switches",
            json!({ "lookup_after_decline": "not_found", "order_reuse_after_decline": "refused" }),
        )
        .await;
    let gone = bench.get("/v1/payments/orders/order-1").await;
    assert_eq!(
        (gone.status, gone.code().as_str()),
        (404, "NOT_FOUND_PAYMENT")
    );
    assert_eq!(
        bench
            .ask("POST", &path, &[], &order_of("order-1", 4900))
            .await
            .code(),
        "DUPLICATED_ORDER_ID"
    );
}

#[tokio::test]
async fn an_expired_card_declines_and_a_magic_card_declines_alike_each_time() {
    let bench = Bench::new().await;
    let expired = bench.billing_key("kim", json!({ "expiry": "2001" })).await;
    assert_eq!(
        bench.charge(&expired, "order-1", 4900).await.code(),
        "INVALID_CARD_EXPIRATION"
    );
    let stopped = json!({ "behaviour": { "kind": "decline", "code": "INVALID_STOPPED_CARD" } });
    let stopped = bench.billing_key("kim", stopped).await;
    for order in ["order-2", "order-3", "order-4"] {
        assert_eq!(
            bench.charge(&stopped, order, 4900).await.code(),
            "INVALID_STOPPED_CARD"
        );
    }
}

#[tokio::test]
async fn many_charges_at_once_are_each_executed_once() {
    let bench = Bench::with(SandboxOptions {
        latency: Duration::from_millis(20),
        ..SandboxOptions::default()
    })
    .await;
    let key = bench.billing_key("kim", json!({})).await;
    let (bench, key) = (&bench, &key);
    let charges = (0..200)
        .map(|at| async move { bench.charge(key, &format!("order-{at}"), 4900).await.status });
    let statuses = futures_util::future::join_all(charges).await;
    assert!(statuses.iter().all(|status| *status == 200));
    let summary = bench.read_control("ledger/summary").await;
    assert_eq!(
        (&summary["charges"], &summary["orders_charged_twice"]),
        (&json!(200), &json!(0))
    );
}
