//! Every fault, and what it leaves in the books.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::Bench;

#[tokio::test]
async fn an_answer_lost_after_commit_leaves_one_charge_however_often_it_is_retried() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench.fault(json!({ "match": { "endpoint": "charge", "customer": "kim" }, "fault": "lost_after_commit", "times": 4 })).await;
    for _ in 0..4 {
        assert!(bench.try_charge(&key, "order-1").await.is_err());
    }
    assert_eq!(bench.charge(&key, "order-1", 4900).await.status, 200);
    assert_eq!(
        bench.get("/v1/payments/orders/order-1").await.json()["status"],
        "DONE"
    );
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn an_answer_lost_before_commit_leaves_nothing() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench
        .fault(json!({ "match": { "order": "order-1" }, "fault": "lost_before_commit" }))
        .await;
    assert!(bench.try_charge(&key, "order-1").await.is_err());
    assert_eq!(
        bench.get("/v1/payments/orders/order-1").await.code(),
        "NOT_FOUND_PAYMENT"
    );
    assert!(bench.ledger().await.is_empty());
}

#[tokio::test]
async fn a_late_request_is_executed_after_its_connection_was_cut() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench
        .fault(
            json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "late", "ms": 2_000 } }),
        )
        .await;
    assert!(bench.try_charge(&key, "order-1").await.is_err());
    assert_eq!(bench.get("/v1/payments/orders/order-1").await.status, 404);
    let give_up = Instant::now() + Duration::from_mins(1);
    while bench.get("/v1/payments/orders/order-1").await.status == 404 {
        assert!(Instant::now() < give_up, "it never arrived");
    }
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_late_request_that_was_sent_again_meanwhile_charges_once() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench
        .fault(json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "late", "ms": 100 } }))
        .await;
    assert!(bench.try_charge(&key, "order-1").await.is_err());
    assert_eq!(bench.charge(&key, "order-1", 4900).await.status, 200);
    bench
        .fault(json!({ "match": { "endpoint": "order" }, "fault": { "kind": "slow", "ms": 300 } }))
        .await;
    assert_eq!(
        bench.get("/v1/payments/orders/order-1").await.json()["status"],
        "DONE"
    );
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_slow_answer_comes_after_its_time_and_the_charge_outlives_an_impatient_client() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench
        .fault(json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "slow", "ms": 200 } }))
        .await;
    let started = Instant::now();
    assert_eq!(bench.charge(&key, "order-1", 4900).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
    bench.fault(json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "slow_before_commit", "ms": 2_000 } })).await;
    let impatient =
        tokio::time::timeout(Duration::from_millis(50), bench.try_charge(&key, "order-2")).await;
    assert!(impatient.is_err());
    let give_up = Instant::now() + Duration::from_mins(1);
    while bench.get("/v1/payments/orders/order-2").await.status == 404 {
        assert!(Instant::now() < give_up, "the charge died with its client");
    }
}

#[tokio::test]
async fn server_errors_come_before_or_after_commit_with_any_body() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    for (at, (commit, body)) in [
        ("before", "json"),
        ("after", "json"),
        ("before", "none"),
        ("after", "none"),
        ("after", "html"),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("order-{at}");
        bench
            .fault(json!({ "match": { "order": order, "endpoint": "charge" },
            "fault": { "kind": "http_error", "status": 503, "commit": commit, "body": body } }))
            .await;
        let reply = bench.charge(&key, &order, 4900).await;
        assert_eq!(reply.status, 503);
        match body {
            "none" => assert!(reply.body.is_empty()),
            "html" => assert_eq!(reply.header("content-type").as_deref(), Some("text/html")),
            _ => assert_eq!(reply.code(), "FAILED_INTERNAL_SYSTEM_PROCESSING"),
        }
        let found = bench
            .get(&format!("/v1/payments/orders/{order}"))
            .await
            .status;
        assert_eq!(
            found,
            if commit == "after" { 200 } else { 404 },
            "{commit} {body}"
        );
    }
    assert_eq!(bench.ledger().await.len(), 3);
}

#[tokio::test]
async fn too_many_requests_have_no_code_and_charge_nothing() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench.fault(json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "rate_limited", "retry_after_seconds": 7 } })).await;
    let reply = bench.charge(&key, "order-1", 4900).await;
    assert_eq!(
        (reply.status, reply.header("retry-after").as_deref()),
        (429, Some("7"))
    );
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
    assert_eq!(bench.charge(&key, "order-1", 4900).await.status, 200);
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_scripted_decline_has_the_status_of_its_code_and_an_unknown_code_its_own() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let charge = json!({ "endpoint": "charge", "customer": "kim" });
    bench.fault(json!([
        { "match": charge, "fault": { "kind": "decline", "code": "REJECT_CARD_PAYMENT" }, "times": 2 },
        { "match": charge, "fault": { "kind": "unknown_code", "status": 422, "code": "BRAND_NEW" } },
        { "match": charge, "fault": { "kind": "decline", "code": "FAILED_CARD_COMPANY_RESPONSE" } },
    ])).await;
    for (order, status, code) in [
        ("order-1", 403, "REJECT_CARD_PAYMENT"),
        ("order-2", 403, "REJECT_CARD_PAYMENT"),
        ("order-3", 422, "BRAND_NEW"),
        ("order-4", 500, "FAILED_CARD_COMPANY_RESPONSE"),
    ] {
        let reply = bench.charge(&key, order, 4900).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
    }
    assert_eq!(bench.charge(&key, "order-5", 4900).await.status, 200);
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn an_answer_can_break_off_or_be_no_json_although_the_charge_was_made() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench.fault(json!({ "match": { "order": "order-1", "endpoint": "charge" }, "fault": "reset_mid_body" })).await;
    let cut = bench
        .try_charge(&key, "order-1")
        .await
        .expect_err("an answer that breaks off");
    assert_eq!(cut.kind(), std::io::ErrorKind::ConnectionReset);
    bench.fault(json!({ "match": { "order": "order-2", "endpoint": "charge" }, "fault": "truncated_json" })).await;
    let half = bench.charge(&key, "order-2", 4900).await;
    assert_eq!(half.status, 200);
    assert!(half.body.starts_with(b"{") && serde_json::from_slice::<Value>(&half.body).is_err());
    bench
        .fault(
            json!({ "match": { "order": "order-3", "endpoint": "charge" }, "fault": "html_body" }),
        )
        .await;
    let page = bench.charge(&key, "order-3", 4900).await;
    assert_eq!(
        (page.status, page.header("content-type").as_deref()),
        (200, Some("text/html"))
    );
    for order in ["order-1", "order-2", "order-3"] {
        assert_eq!(
            bench
                .get(&format!("/v1/payments/orders/{order}"))
                .await
                .json()["status"],
            "DONE"
        );
    }
}

#[tokio::test]
async fn an_answer_can_be_for_another_order_or_amount_or_full_of_unknown_fields() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let charge = json!({ "endpoint": "charge" });
    for fault in [
        json!("wrong_order"),
        json!({ "kind": "wrong_amount", "amount": 1 }),
        json!("unknown_fields"),
        json!("in_progress"),
    ] {
        bench
            .fault(json!({ "match": charge, "fault": fault }))
            .await;
    }
    assert_ne!(
        bench.charge(&key, "order-1", 4900).await.json()["orderId"],
        "order-1"
    );
    assert_eq!(
        bench.charge(&key, "order-2", 4900).await.json()["totalAmount"],
        1
    );
    assert_eq!(
        bench.charge(&key, "order-3", 4900).await.json()["loyalty"]["tier"],
        "NEBULA"
    );
    assert_eq!(
        bench.charge(&key, "order-4", 4900).await.json()["status"],
        "IN_PROGRESS"
    );
    for order in ["order-1", "order-2", "order-3", "order-4"] {
        let seen = bench
            .get(&format!("/v1/payments/orders/{order}"))
            .await
            .json();
        assert_eq!(
            (&seen["orderId"], &seen["totalAmount"], &seen["status"]),
            (&json!(order), &json!(4900), &json!("DONE"))
        );
    }
}

#[tokio::test]
async fn a_look_up_can_miss_a_payment_or_show_it_in_progress() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let payment = bench.charge(&key, "order-1", 4900).await.json();
    bench
        .fault(json!([
            { "match": { "endpoint": "order", "order": "order-1" }, "fault": "not_found" },
            { "match": { "endpoint": "order", "customer": "kim" }, "fault": "in_progress" },
            { "match": { "endpoint": "payment", "order": "order-1" }, "fault": "not_found" },
        ]))
        .await;
    assert_eq!(
        bench.get("/v1/payments/orders/order-1").await.code(),
        "NOT_FOUND_PAYMENT"
    );
    let seen = bench.get("/v1/payments/orders/order-1").await.json();
    assert_eq!(
        (&seen["status"], &seen["approvedAt"]),
        (&json!("IN_PROGRESS"), &Value::Null)
    );
    let path = format!(
        "/v1/payments/{}",
        payment["paymentKey"].as_str().expect("a key")
    );
    assert_eq!(bench.get(&path).await.status, 404);
    assert_eq!(bench.get(&path).await.json()["status"], "DONE");
}

#[tokio::test]
async fn scripts_are_listed_counted_and_removed() {
    let bench = Bench::new().await;
    bench
        .fault(json!({ "match": { "endpoint": "order" }, "fault": "not_found", "times": "always" }))
        .await;
    bench.get("/v1/payments/orders/order-1").await;
    let list = bench.read_control("faults").await;
    assert_eq!(
        (&list[0]["struck"], &list[0]["fault"]["kind"]),
        (&json!(1), &json!("not_found"))
    );
    let removed = bench
        .send("DELETE", "/_sandbox/faults", &[], "")
        .await
        .expect("an answer");
    assert_eq!(removed.status, 200);
    assert_eq!(bench.read_control("faults").await, json!([]));
    let wrong = bench
        .send(
            "POST",
            "/_sandbox/faults",
            &[],
            r#"{"fault":"no_such_fault"}"#,
        )
        .await
        .expect("an answer");
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn two_late_requests_of_one_key_that_arrive_together_leave_one_charge_and_its_answer() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let late = json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "late", "ms": 60 }, "times": 8 });
    bench.fault(late).await;
    let sent = (0..8).map(|_| bench.try_charge(&key, "order-1"));
    assert!(
        futures_util::future::join_all(sent)
            .await
            .iter()
            .all(Result::is_err)
    );
    let give_up = Instant::now() + Duration::from_mins(1);
    while bench.get("/v1/payments/orders/order-1").await.status == 404 {
        assert!(Instant::now() < give_up, "none arrived");
    }
    assert_eq!(
        bench.charge(&key, "order-1", 4900).await.json()["status"],
        "DONE"
    );
    assert_eq!(bench.ledger().await.len(), 1);
}
