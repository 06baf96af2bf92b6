//! Stripe: idempotency keys, and what outlives the process.

use serde_json::json;

use super::stripe_support::{VERSION, intent_of};
use super::support::Bench;

#[tokio::test]
async fn an_answer_is_replayed_byte_for_byte_also_a_decline() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_chargeCustomerFail").await;
    let form = format!(
        "{}&confirm=true&off_session=true",
        intent_of(&kim, "order-1", 900)
    );
    let first = bench.keyed("payment_intents", "k1", &form).await;
    let again = bench.keyed("payment_intents", "k1", &form).await;
    assert_eq!((first.status, again.status), (402, 402));
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotent-replayed").as_deref(), Some("true"));
    assert!(first.header("idempotent-replayed").is_none());
    let request = first.header("request-id");
    assert_eq!(first.header("original-request"), request);
    assert_eq!(again.header("original-request"), request);
    assert_ne!(again.header("request-id"), request);
    for reply in [&first, &again] {
        assert_eq!(
            reply.header("stripe-should-retry").as_deref(),
            Some("false")
        );
        assert_eq!(reply.header("idempotency-key").as_deref(), Some("k1"));
        assert_eq!(reply.header("stripe-version").as_deref(), Some(VERSION));
    }
    let charges = bench.read("charges", "").await;
    assert_eq!(charges["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_key_belongs_to_its_parameters_and_its_path() {
    let bench = Bench::new().await;
    bench
        .keyed("customers", "k1", "email=a@b.c&name=kim")
        .await
        .id();
    assert_eq!(
        bench
            .keyed("customers", "k1", "name=kim&email=a%40b.c")
            .await
            .status,
        200,
        "order and encoding do not matter"
    );
    let other = bench.keyed("customers", "k1", "email=other@b.c").await;
    assert_eq!(
        (other.status, other.problem().1.as_str()),
        (400, "idempotency_error")
    );
    let path = bench.keyed("products", "k1", "email=a@b.c&name=kim").await;
    assert_eq!(
        (path.status, path.problem().1.as_str()),
        (400, "idempotency_error")
    );
    assert!(
        path.json()["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("('/v1/products' vs '/v1/customers')"))
    );
    assert_eq!(
        bench.read("customers", "").await["data"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn what_was_never_begun_may_be_corrected_under_the_same_key() {
    let bench = Bench::new().await;
    for refused in [
        "amount=0&currency=usd",
        "currency=usd",
        "amount=500&currency=usd&customer=cus_x",
    ] {
        let reply = bench.keyed("payment_intents", "k1", refused).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.header("idempotency-key").as_deref(), Some("k1"));
        assert!(reply.header("stripe-should-retry").is_none());
    }
    bench
        .keyed("payment_intents", "k1", "amount=500&currency=usd")
        .await
        .id();
}

#[tokio::test]
async fn eight_requests_under_one_key_at_once_make_one_charge() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let intent = bench.intent(&kim, "order-1", 900).await;
    bench.fault(json!({ "match": { "endpoint": "stripe_intent_confirm" }, "fault": { "kind": "slow_before_commit", "ms": 60 }, "times": 8 })).await;
    let all = futures_util::future::join_all((0..8).map(|_| bench.confirm(&intent, "k1"))).await;
    let busy = all.iter().filter(|reply| reply.status == 409).count();
    let paid = all.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(busy + paid, 8);
    assert!(paid >= 1);
    for reply in all.iter().filter(|reply| reply.status == 409) {
        assert_eq!(reply.problem().2, "idempotency_key_in_use");
    }
    let whole = format!(
        "{}&confirm=true&off_session=true",
        intent_of(&kim, "order-2", 900)
    );
    let all = futures_util::future::join_all(
        (0..8).map(|_| bench.keyed("payment_intents", "k2", &whole)),
    )
    .await;
    assert!(all.iter().all(|reply| matches!(reply.status, 200 | 409)));
    assert_eq!(bench.stripe_ledger().await.len(), 2);
}

#[tokio::test]
async fn a_forgotten_key_runs_again() {
    let bench = Bench::new().await;
    let form = "amount=500&currency=usd&payment_method=pm_card_visa&payment_method_types[]=card&confirm=true";
    let first = bench.keyed("payment_intents", "k1", form).await.id();
    bench
        .control("clock", json!({ "advance_seconds": 23 * 3_600 }))
        .await;
    assert_eq!(bench.keyed("payment_intents", "k1", form).await.id(), first);
    bench
        .control("clock", json!({ "advance_seconds": 2 * 3_600 }))
        .await;
    assert_ne!(bench.keyed("payment_intents", "k1", form).await.id(), first);
    assert_eq!(bench.stripe_ledger().await.len(), 2);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_start_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Bench::on(dir.path()).await;
    let kim = bench.customer("pm_card_visa").await;
    let intent = bench.intent(&kim, "order-1", 900).await;
    let first = bench.confirm(&intent, "k1").await;
    // Until the fee is known, which takes a second.
    bench
        .control("clock", json!({ "advance_seconds": 5 }))
        .await;
    let before = bench.stripe_ledger().await;
    // Dropped, not shut down.
    drop(bench);
    let lock = dir.path().join("sandbox.lock");
    let bench = loop {
        let options = paydeck::sandbox::SandboxOptions {
            dir: Some(dir.path().to_owned()),
            ..Default::default()
        };
        match paydeck::sandbox::start(options).await {
            Ok(running) => break Bench { running },
            Err(error) => assert!(lock.exists(), "{error}"),
        }
        tokio::task::yield_now().await;
    };
    let again = bench.confirm(&intent, "k1").await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotent-replayed").as_deref(), Some("true"));
    assert_eq!(bench.stripe_ledger().await, before);
    let other = bench.intent(&kim, "order-2", 900).await;
    assert_eq!(bench.confirm(&other, "k2").await.status, 200);
}
