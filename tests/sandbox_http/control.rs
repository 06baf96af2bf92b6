//! The control interface: clock, log of requests, events, webhooks.

use std::time::{Duration, Instant};

use paydeck::sandbox::SECRET_KEY;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::support::{Bench, basic};

#[tokio::test]
async fn the_log_of_requests_never_shows_a_secret_key_or_a_billing_key() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    bench.charge(&key, "order-1", 4900).await;
    let log = bench
        .send("GET", "/_sandbox/requests", &[], "")
        .await
        .expect("an answer");
    let text = String::from_utf8_lossy(&log.body).into_owned();
    let secret = basic(SECRET_KEY);
    assert!(
        !text.contains(SECRET_KEY)
            && !text.contains(&secret["Basic ".len()..])
            && !text.contains(&key)
    );
    let charge = &log.json()[1];
    assert_eq!(
        (&charge["path"], &charge["endpoint"]),
        (&json!("/v1/billing/***"), &json!("charge"))
    );
    assert_eq!(
        (&charge["idempotencyKey"], &charge["status"]),
        (&json!("order-1"), &json!(200))
    );
    assert_eq!(charge["body"]["orderId"], "order-1");
}

#[tokio::test]
async fn the_clock_of_the_simulator_is_set_advanced_and_read() {
    let bench = Bench::new().await;
    let set = bench
        .control("clock", json!({ "set": "2027-01-31T00:00:00Z" }))
        .await;
    assert!(
        set["now"]
            .as_str()
            .expect("a time")
            .starts_with("2027-01-31T00:00:0")
    );
    bench
        .control("clock", json!({ "advance_seconds": 86_400 }))
        .await;
    let now = bench.read_control("clock").await;
    assert!(
        now["now"]
            .as_str()
            .expect("a time")
            .starts_with("2027-02-01T00:00:")
    );
    let key = bench.billing_key("kim", json!({})).await;
    let payment = bench.charge(&key, "order-1", 4900).await.json();
    assert!(
        payment["paymentKey"]
            .as_str()
            .expect("a key")
            .starts_with("tpayd20270201")
    );
    let wrong = bench
        .send("POST", "/_sandbox/clock", &[], "{}")
        .await
        .expect("an answer");
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn latency_applies_to_every_call_of_the_provider() {
    let bench = Bench::new().await;
    bench.control("latency", json!({ "ms": 120 })).await;
    let started = Instant::now();
    bench.get("/v1/payments/orders/order-1").await;
    assert!(started.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn a_refund_in_the_console_and_a_removed_card_show_in_the_books() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let payment = bench.charge(&key, "order-1", 4900).await.json();
    let event = json!({ "type": "refund", "paymentKey": payment["paymentKey"], "amount": 900 });
    assert_eq!(bench.control("events", event).await["balanceAmount"], 4000);
    bench
        .control(
            "events",
            json!({ "type": "delete_billing_key", "customerKey": "kim" }),
        )
        .await;
    assert_eq!(
        bench.charge(&key, "order-2", 4900).await.code(),
        "ALREADY_REMOVED_BILLING_KEY"
    );
    let summary = bench.read_control("ledger/summary").await;
    assert_eq!(
        (
            &summary["charges"],
            &summary["cancels"],
            &summary["canceled_amount"]
        ),
        (&json!(1), &json!(1), &json!(900))
    );
}

#[tokio::test]
async fn webhooks_are_sent_with_their_headers_and_tried_again_on_the_simulated_clock() {
    let bench = Bench::new().await;
    let receiver = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let url = format!("http://{}/hook", receiver.local_addr().expect("an address"));
    bench.control("webhooks", json!({ "url": url })).await;
    let key = bench.billing_key("kim", json!({})).await;
    bench.charge(&key, "order-1", 4900).await;
    bench
        .ask("DELETE", &format!("/v1/billing/{key}"), &[], &Value::Null)
        .await;
    let first = receive(&receiver, "500 No").await;
    assert!(
        first.contains("BILLING_DELETED") && first.contains(&key),
        "a finished billing charge sends none: {first}"
    );
    assert!(first.contains("tosspayments-webhook-transmission-retried-count: 0"));
    assert!(!first.contains("tosspayments-webhook-signature"));
    // The failed delivery may be noted after the jump, so time is moved until the retry comes.
    let again = loop {
        bench
            .control("clock", json!({ "advance_seconds": 61 }))
            .await;
        // Whoever has not come within it waits to be let in.
        if let Ok(stream) = tokio::time::timeout(Duration::from_secs(2), receiver.accept()).await {
            break answered(stream.expect("a connection").0, "200 OK").await;
        }
    };
    assert!(
        again.contains("tosspayments-webhook-transmission-retried-count: 1"),
        "{again}"
    );
    let id = |text: &str| {
        text.lines()
            .find(|line| line.contains("transmission-id"))
            .map(str::to_owned)
    };
    assert_eq!(id(&first), id(&again));
}

/// One request, answered with this status line.
async fn receive(receiver: &TcpListener, status: &str) -> String {
    let (stream, _) = receiver.accept().await.expect("a connection");
    answered(stream, status).await
}

async fn answered(mut stream: TcpStream, status: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        let mut piece = [0_u8; 1024];
        let length = stream.read(&mut piece).await.expect("a piece");
        assert!(length > 0, "ended early");
        bytes.extend_from_slice(&piece[..length]);
    }
    stream
        .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
        .await
        .expect("answers");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn codes_that_no_table_has_are_refused_with_a_reason() {
    let bench = Bench::new().await;
    let wishes = [
        (
            "faults",
            json!({ "fault": { "kind": "decline", "code": "INSUFFICIENT_FUNDS" } }),
        ),
        (
            "auth-keys",
            json!({ "customerKey": "kim", "card": { "behaviour": { "kind": "decline", "code": "NOPE" } } }),
        ),
        ("switches", json!({ "second_delete": "maybe" })),
        ("latency", json!({ "ms": -1 })),
        ("events", json!({ "type": "deposit" })),
    ];
    for (path, wish) in wishes {
        let path = format!("/_sandbox/{path}");
        let reply = bench
            .send("POST", &path, &[], &wish.to_string())
            .await
            .expect("an answer");
        assert_eq!(reply.status, 400, "{path}");
        assert!(
            reply.json()["error"]
                .as_str()
                .is_some_and(|reason| reason.len() > 10)
        );
    }
}
