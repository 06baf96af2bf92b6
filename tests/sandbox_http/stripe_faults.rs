//! Stripe: every fault, and what it leaves in the books.

use std::time::{Duration, Instant};

use serde_json::json;

use super::support::Bench;

const CONFIRM: &str = "stripe_intent_confirm";

/// A customer, an intent, and a fault on its confirmation.
async fn struck(fault: serde_json::Value) -> (Bench, String) {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let intent = bench.intent(&kim, "order-1", 900).await;
    bench
        .fault(json!({ "match": { "endpoint": CONFIRM, "order": "order-1", "customer": kim.0, "payment": intent }, "fault": fault }))
        .await;
    (bench, intent)
}

async fn try_confirm(bench: &Bench, intent: &str) -> std::io::Result<super::support::Reply> {
    let path = format!("payment_intents/{intent}/confirm");
    bench
        .try_stripe(
            "POST",
            &path,
            &[("idempotency-key", "k1")],
            "off_session=true",
        )
        .await
}

async fn status(bench: &Bench, intent: &str) -> String {
    bench.read(&format!("payment_intents/{intent}"), "").await["status"]
        .as_str()
        .expect("a status")
        .to_owned()
}

#[tokio::test]
async fn an_answer_lost_before_or_after_commit_leaves_nothing_or_one_charge() {
    for (fault, before) in [
        ("lost_after_commit", "succeeded"),
        ("reset_mid_body", "succeeded"),
        ("lost_before_commit", "requires_confirmation"),
    ] {
        let (bench, intent) = struck(json!(fault)).await;
        assert!(try_confirm(&bench, &intent).await.is_err(), "{fault}");
        assert_eq!(status(&bench, &intent).await, before, "{fault}");
        let again = try_confirm(&bench, &intent).await.expect("an answer");
        assert_eq!(again.status, 200);
        assert_eq!(
            again.header("idempotent-replayed").is_some(),
            before == "succeeded"
        );
        assert_eq!(bench.stripe_ledger().await.len(), 1);
    }
}

#[tokio::test]
async fn a_late_request_is_executed_after_its_connection_was_cut() {
    let (bench, intent) = struck(json!({ "kind": "late", "ms": 120 })).await;
    assert!(try_confirm(&bench, &intent).await.is_err());
    let give_up = Instant::now() + Duration::from_mins(1);
    while status(&bench, &intent).await != "succeeded" {
        assert!(Instant::now() < give_up, "it never arrived");
    }
    assert_eq!(
        try_confirm(&bench, &intent)
            .await
            .expect("an answer")
            .status,
        200
    );
    assert_eq!(bench.stripe_ledger().await.len(), 1);
}

#[tokio::test]
async fn a_server_error_is_bound_to_its_key_or_not() {
    for (commit, replay, second, charges) in [
        ("before", "replayed", 500, 0),
        ("after", "replayed", 500, 1),
        ("before", "forgotten", 200, 1),
        ("after", "forgotten", 200, 1),
    ] {
        let (bench, intent) = struck(json!({ "kind": "http_error", "commit": commit })).await;
        bench
            .control("switches", json!({ "stripe_server_error_replay": replay }))
            .await;
        let first = try_confirm(&bench, &intent).await.expect("an answer");
        assert_eq!(
            (first.status, first.problem().1.as_str()),
            (500, "api_error")
        );
        let again = try_confirm(&bench, &intent).await.expect("an answer");
        assert_eq!(again.status, second, "{commit} {replay}");
        if second == 500 {
            assert_eq!(again.body, first.body);
            assert_eq!(again.header("idempotent-replayed").as_deref(), Some("true"));
        }
        assert_eq!(
            bench.stripe_ledger().await.len(),
            charges,
            "{commit} {replay}"
        );
    }
}

#[tokio::test]
async fn too_many_and_in_use_are_never_bound() {
    let (bench, intent) = struck(json!({ "kind": "rate_limited", "retry_after_seconds": 7 })).await;
    let limited = try_confirm(&bench, &intent).await.expect("an answer");
    assert_eq!(
        (limited.status, limited.problem().2.as_str()),
        (429, "rate_limit")
    );
    assert_eq!(
        limited.header("stripe-rate-limited-reason").as_deref(),
        Some("global-rate")
    );
    for (status, code) in [(409, "idempotency_key_in_use"), (429, "lock_timeout")] {
        bench.fault(json!({ "match": { "endpoint": CONFIRM }, "fault": { "kind": "http_error", "status": status } })).await;
        let refused = try_confirm(&bench, &intent).await.expect("an answer");
        assert_eq!(
            (refused.status, refused.problem().2.as_str()),
            (status, code)
        );
        assert!(refused.header("stripe-rate-limited-reason").is_none());
    }
    assert_eq!(
        try_confirm(&bench, &intent)
            .await
            .expect("an answer")
            .status,
        200
    );
}

#[tokio::test]
async fn a_scripted_decline_asks_the_card_and_an_unknown_code_does_not() {
    for (fault, expected, charges) in [
        (
            json!("decline"),
            (402, "card_declined", "generic_decline"),
            1,
        ),
        (
            json!({ "kind": "decline", "code": "insufficient_funds" }),
            (402, "card_declined", "insufficient_funds"),
            1,
        ),
        (
            json!({ "kind": "decline", "code": "brand_new_reason" }),
            (402, "card_declined", "brand_new_reason"),
            1,
        ),
        (
            json!({ "kind": "unknown_code", "status": 422, "code": "brand_new" }),
            (422, "brand_new", "-"),
            0,
        ),
    ] {
        let (bench, intent) = struck(fault).await;
        let refused = try_confirm(&bench, &intent).await.expect("an answer");
        let problem = refused.problem();
        assert_eq!(
            (problem.0, problem.2.as_str(), problem.3.as_str()),
            expected
        );
        assert_eq!(
            try_confirm(&bench, &intent).await.expect("an answer").body,
            refused.body
        );
        let tried = bench.read("charges", "").await;
        assert_eq!(tried["data"].as_array().map(Vec::len), Some(charges));
    }
}

#[tokio::test]
async fn answers_can_be_spoilt_in_every_way_while_the_books_stay_right() {
    let (bench, intent) = struck(json!("truncated_json")).await;
    let half = try_confirm(&bench, &intent).await.expect("an answer");
    assert!(serde_json::from_slice::<serde_json::Value>(&half.body).is_err());
    let look = json!({ "endpoint": "stripe_intent", "payment": intent });
    for fault in [
        json!("html_body"),
        json!("wrong_order"),
        json!({ "kind": "wrong_amount", "amount": 1 }),
        json!("unknown_fields"),
        json!("in_progress"),
        json!("not_found"),
    ] {
        bench.fault(json!({ "match": look, "fault": fault })).await;
    }
    let path = format!("payment_intents/{intent}");
    let page = bench.look(&path, "").await;
    assert_eq!(page.header("content-type").as_deref(), Some("text/html"));
    assert!(page.header("request-id").is_none());
    assert_ne!(
        bench.read(&path, "").await["metadata"]["order_id"],
        "order-1"
    );
    assert_eq!(bench.read(&path, "").await["amount"], 1);
    assert_eq!(bench.read(&path, "").await["loyalty"]["tier"], "NEBULA");
    assert_eq!(bench.read(&path, "").await["status"], "processing");
    assert_eq!(bench.look(&path, "").await.problem().2, "resource_missing");
    assert_eq!(bench.read(&path, "").await["status"], "succeeded");
    let seen = bench.read_control("requests").await;
    assert!(
        seen.as_array()
            .is_some_and(|all| all.iter().any(|one| one["fault"]["kind"] == "wrong_order"))
    );
    assert!(!seen.to_string().contains("sk_test"), "keys are not kept");
}
