//! Who may ask, idempotency keys, billing keys.

use base64::Engine as _;
use paydeck::sandbox::{self, SECRET_KEY};
use serde_json::{Value, json};

use super::support::{Bench, basic, order_of};

#[tokio::test]
async fn a_wrong_key_a_missing_colon_and_no_header_are_refused_each_in_its_way() {
    let bench = Bench::new().await;
    let path = "/v1/payments/orders/order-1";
    let cases = [
        (Some(basic("test_sk_nobody")), 401, "UNAUTHORIZED_KEY"),
        (
            Some(format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(SECRET_KEY)
            )),
            403,
            "INCORRECT_BASIC_AUTH_FORMAT",
        ),
        (None, 401, "UNAUTHORIZED_KEY"),
    ];
    for (auth, status, code) in cases {
        let headers: Vec<(&str, &str)> = auth
            .iter()
            .map(|auth| ("authorization", auth.as_str()))
            .collect();
        let reply = bench
            .send("GET", path, &headers, "")
            .await
            .expect("an answer");
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
        assert_eq!(
            reply
                .header("x-tosspayments-trace-id")
                .map(|trace| trace.len()),
            Some(32)
        );
    }
    bench
        .control(
            "switches",
            json!({ "missing_authorization": "incorrect_format" }),
        )
        .await;
    let reply = bench.send("GET", path, &[], "").await.expect("an answer");
    assert_eq!(reply.status, 403);
}

#[tokio::test]
async fn unpadded_base64_and_the_public_documentation_key_are_accepted() {
    let bench = Bench::new().await;
    let unpadded = basic(sandbox::DOCUMENTATION_KEYS[0])
        .trim_end_matches('=')
        .to_owned();
    let reply = bench
        .send(
            "GET",
            "/v1/payments/orders/order-1",
            &[("authorization", &unpadded)],
            "",
        )
        .await
        .expect("an answer");
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "NOT_FOUND_PAYMENT")
    );
}

#[tokio::test]
async fn a_widget_key_is_refused_for_billing_unless_the_switch_says_otherwise() {
    let bench = Bench::new().await;
    let auth = basic(sandbox::DOCUMENTATION_KEYS[1]);
    let headers = [("authorization", auth.as_str())];
    let reply = bench
        .send("POST", "/v1/billing/some-key", &headers, "{}")
        .await
        .expect("an answer");
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "INVALID_API_KEY")
    );
    bench
        .control("switches", json!({ "widget_key_on_billing": "accepted" }))
        .await;
    let reply = bench
        .send("POST", "/v1/billing/some-key", &headers, "{}")
        .await
        .expect("an answer");
    assert_eq!(reply.code(), "INVALID_ORDER_ID");
}

#[tokio::test]
async fn a_key_is_issued_once_for_the_customer_of_the_window() {
    let bench = Bench::new().await;
    let auth_key = bench
        .auth_key(
            "kim",
            json!({ "number": "4330123412341234", "issuerCode": "61" }),
        )
        .await;
    let path = "/v1/billing/authorizations/issue";
    let foreign = bench
        .ask(
            "POST",
            path,
            &[],
            &json!({ "authKey": auth_key, "customerKey": "lee" }),
        )
        .await;
    assert_eq!(foreign.code(), "INVALID_BILLING_AUTH");
    let body = json!({ "authKey": auth_key, "customerKey": "kim" });
    let issued = bench.ask("POST", path, &[], &body).await;
    let billing = issued.json();
    assert_eq!(issued.status, 200);
    assert_eq!(billing["billingKey"].as_str().map(str::len), Some(44));
    assert_eq!(billing["card"]["number"], "43301234****123*");
    assert!(billing["transfers"].is_null());
    let again = bench.ask("POST", path, &[], &body).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (400, "INVALID_BILLING_AUTH")
    );
}

#[tokio::test]
async fn the_legacy_path_and_card_data_issue_keys_too() {
    let bench = Bench::new().await;
    let auth_key = bench.auth_key("kim", json!({})).await;
    let path = format!("/v1/billing/authorizations/{auth_key}");
    assert_eq!(
        bench
            .ask("POST", &path, &[], &json!({ "customerKey": "kim" }))
            .await
            .status,
        200
    );
    let card = json!({ "customerKey": "kim", "cardNumber": "4330121234567890", "cardExpirationYear": "90",
        "cardExpirationMonth": "12", "customerIdentityNumber": "900101", "vbv": null });
    let issued = bench
        .ask("POST", "/v1/billing/authorizations/card", &[], &card)
        .await
        .json();
    assert_eq!(issued["card"]["cardType"], "미확인");
    let key = issued["billingKey"].as_str().expect("a key");
    assert_eq!(
        bench.charge(key, "order-1", 4900).await.code(),
        "NOT_SUPPORTED_CARD_TYPE"
    );
}

#[tokio::test]
async fn card_fields_sent_to_the_issue_endpoint_are_refused() {
    let bench = Bench::new().await;
    let body = json!({ "customerKey": "kim", "cardNumber": "4330123412341234" });
    let reply = bench
        .ask("POST", "/v1/billing/authorizations/issue", &[], &body)
        .await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "INVALID_REQUEST")
    );
    let reply = bench
        .ask("POST", "/v1/billing/authorizations/payments", &[], &body)
        .await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "NOT_FOUND_HTTP_METHOD")
    );
}

#[tokio::test]
async fn a_repeated_key_replays_the_first_answer_byte_for_byte_whatever_the_body() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let first = bench.charge(&key, "order-1", 4900).await;
    let path = format!("/v1/billing/{key}");
    let other = bench
        .ask(
            "POST",
            &path,
            &[("idempotency-key", "order-1")],
            &order_of("order-2", 9900),
        )
        .await;
    assert_eq!((first.status, &first.body), (other.status, &other.body));
    let traces = other.header("x-tosspayments-trace-id").expect("a trace");
    let original = first.header("x-tosspayments-trace-id").expect("a trace");
    assert!(traces.ends_with(&format!(", {original}")), "{traces}");
    assert_eq!(bench.ledger().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_bound_to_its_key_for_fifteen_days() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let path = format!("/v1/billing/{key}");
    let headers = [("idempotency-key", "k1")];
    assert_eq!(
        bench
            .ask("POST", &path, &headers, &order_of("order-1", 1))
            .await
            .code(),
        "BELOW_MINIMUM_AMOUNT"
    );
    assert_eq!(
        bench
            .ask("POST", &path, &headers, &order_of("order-1", 4900))
            .await
            .code(),
        "BELOW_MINIMUM_AMOUNT"
    );
    bench
        .control("clock", json!({ "advance_seconds": 15 * 86_400 + 60 }))
        .await;
    assert_eq!(
        bench
            .ask("POST", &path, &headers, &order_of("order-1", 4900))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_key_longer_than_three_hundred_characters_is_refused() {
    let bench = Bench::new().await;
    let long = "k".repeat(301);
    let reply = bench
        .ask(
            "POST",
            "/v1/billing/x",
            &[("idempotency-key", &long)],
            &json!({}),
        )
        .await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "INVALID_IDEMPOTENCY_KEY")
    );
}

#[tokio::test]
async fn a_second_request_under_a_key_in_flight_is_told_to_wait() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench
        .fault(json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "slow", "ms": 400 } }))
        .await;
    let (first, second) = tokio::join!(bench.charge(&key, "order-1", 4900), async {
        // The first is in flight as soon as the simulator has noted it.
        while bench
            .read_control("requests")
            .await
            .as_array()
            .is_none_or(|seen| seen.len() < 2)
        {
            tokio::task::yield_now().await;
        }
        bench.charge(&key, "order-1", 4900).await
    });
    assert_eq!(first.status, 200);
    assert_eq!(
        (second.status, second.code().as_str()),
        (409, "IDEMPOTENT_REQUEST_PROCESSING")
    );
    assert_eq!(bench.charge(&key, "order-1", 4900).await.body, first.body);
}

#[tokio::test]
async fn whether_server_errors_are_replayed_is_a_switch() {
    for (setting, status) in [("forgotten", 200), ("replayed", 500)] {
        let bench = Bench::new().await;
        let key = bench.billing_key("kim", json!({})).await;
        bench
            .control("switches", json!({ "server_error_replay": setting }))
            .await;
        bench
            .fault(json!({ "match": { "endpoint": "charge" }, "fault": "http_error" }))
            .await;
        assert_eq!(bench.charge(&key, "order-1", 4900).await.status, 500);
        assert_eq!(
            bench.charge(&key, "order-1", 4900).await.status,
            status,
            "{setting}"
        );
    }
}

#[tokio::test]
async fn a_test_code_header_forces_that_code_and_an_unknown_one_is_refused() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let path = format!("/v1/billing/{key}");
    for (code, status, answer) in [
        ("REJECT_CARD_PAYMENT", 403, "REJECT_CARD_PAYMENT"),
        ("PROVIDER_ERROR", 400, "PROVIDER_ERROR"),
        ("NO_SUCH_CODE", 400, "INVALID_TEST_CODE"),
    ] {
        let headers = [("TossPayments-Test-Code", code)];
        let reply = bench
            .ask("POST", &path, &headers, &order_of("order-1", 4900))
            .await;
        assert_eq!((reply.status, reply.code().as_str()), (status, answer));
    }
}

#[tokio::test]
async fn a_deleted_key_answers_an_empty_body_and_is_never_charged_again() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let path = format!("/v1/billing/{key}");
    let deleted = bench.ask("DELETE", &path, &[], &Value::Null).await;
    assert_eq!((deleted.status, deleted.body.len()), (200, 0));
    let reply = bench.charge(&key, "order-1", 4900).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "ALREADY_REMOVED_BILLING_KEY")
    );
    assert_eq!(
        bench.ask("DELETE", &path, &[], &Value::Null).await.code(),
        "ALREADY_REMOVED_BILLING_KEY"
    );
    bench
        .control("switches", json!({ "second_delete": "ok" }))
        .await;
    assert_eq!(
        bench.ask("DELETE", &path, &[], &Value::Null).await.status,
        200
    );
}

#[tokio::test]
async fn the_test_limiter_counts_requests_of_a_minute() {
    let bench = Bench::new().await;
    bench
        .control("switches", json!({ "rate_limit_per_minute": 2 }))
        .await;
    bench
        .control("clock", json!({ "set": "2026-03-10T03:00:00Z" }))
        .await;
    let path = "/v1/payments/orders/order-1";
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(bench.get(path).await.status);
    }
    assert_eq!(statuses, [404, 404, 429]);
    bench
        .control("clock", json!({ "advance_seconds": 60 }))
        .await;
    assert_eq!(bench.get(path).await.status, 404);
}
