//! Stripe: lists, events, signed webhooks, and the simulator without a line.

use std::io::{Read as _, Write as _};

use chrono::{DateTime, Utc};
use paydeck::sandbox::stripe::{Asked, Offline, Said};
use paydeck::sandbox::{Fault, Switches};
use serde_json::{Value, json};

use super::support::Bench;

fn ids(list: &Value) -> Vec<String> {
    list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn lists_go_from_the_newest_page_by_page_in_both_directions() {
    let bench = Bench::new().await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(
            bench
                .post("customers", &format!("email=c{n}@example.com"))
                .await
                .id(),
        );
    }
    made.reverse();
    let first = bench.read("customers", "limit=3").await;
    assert_eq!(
        (ids(&first), &first["has_more"], &first["url"]),
        (made[..3].to_vec(), &json!(true), &json!("/v1/customers"))
    );
    let next = bench
        .read("customers", &format!("limit=3&starting_after={}", made[2]))
        .await;
    assert_eq!(ids(&next), made[3..6]);
    let back = bench
        .read("customers", &format!("limit=2&ending_before={}", made[5]))
        .await;
    assert_eq!(
        (ids(&back), &back["has_more"]),
        (made[3..5].to_vec(), &json!(true))
    );
    let last = bench
        .read("customers", &format!("starting_after={}", made[5]))
        .await;
    assert_eq!(
        (ids(&last), &last["has_more"]),
        (made[6..].to_vec(), &json!(false))
    );
    assert_eq!(
        ids(&bench.read("customers", "email=c3@example.com").await),
        [made[3].clone()]
    );
    let now = bench.read(&format!("customers/{}", made[0]), "").await["created"]
        .as_i64()
        .expect("a time");
    assert_eq!(
        bench.read("customers", &format!("created[gt]={now}")).await["data"],
        json!([])
    );
    assert_eq!(
        ids(&bench
            .read("customers", &format!("created[lte]={now}&limit=100"))
            .await)
        .len(),
        7
    );
    for wrong in [
        "limit=0",
        "limit=101",
        "limit=x",
        "starting_after=cus_x",
        "colour=red",
    ] {
        assert_eq!(bench.look("customers", wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn every_change_is_an_event_with_what_it_changed_and_who_asked() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let intent = bench.intent(&kim, "order-1", 900).await;
    bench.confirm(&intent, "k1").await;
    bench
        .post("refunds", &format!("payment_intent={intent}&amount=100"))
        .await
        .id();
    let events = bench.read("events", "limit=100").await;
    // The fee comes a second after the charge: perhaps in between.
    let asked: Vec<&Value> = events["data"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|event| event["type"] != "charge.updated")
        .collect();
    let types: Vec<&str> = asked
        .iter()
        .map(|event| event["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(
        types,
        [
            "refund.created",
            "charge.refunded",
            "payment_intent.succeeded",
            "charge.succeeded",
            "payment_intent.created",
            "customer.updated",
            "payment_method.attached",
            "customer.created"
        ]
    );
    let refunded = asked[1];
    assert_eq!(
        refunded["data"]["previous_attributes"],
        json!({ "amount_refunded": 0 })
    );
    let paid = asked[2];
    assert_eq!(paid["request"]["idempotency_key"], "k1");
    assert!(paid["data"].get("previous_attributes").is_none());
    bench
        .control("clock", json!({ "advance_seconds": 5 }))
        .await;
    let own = bench.read("events", "type=charge.updated").await;
    assert_eq!(
        own["data"][0]["request"],
        json!({ "id": null, "idempotency_key": null }),
        "the provider's own"
    );
    let some = bench
        .read("events", "types[0]=charge.*&types[1]=customer.created")
        .await;
    assert_eq!(ids(&some).len(), 4);
    bench
        .control("clock", json!({ "advance_seconds": 31 * 86_400 }))
        .await;
    let kept = bench.read("events", "type=customer.created").await;
    assert_eq!(kept["data"], json!([]), "kept for thirty days");
}

/// Takes deliveries on a port, answering each with the next status; gives the bodies and signatures.
fn receiver(statuses: Vec<u16>) -> (String, std::thread::JoinHandle<Vec<(String, String)>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let taken = std::thread::spawn(move || {
        statuses
            .into_iter()
            .map(|status| {
                let (mut stream, _) = listener.accept().expect("a delivery");
                let mut text = String::new();
                let mut piece = [0_u8; 4_096];
                loop {
                    let read = stream.read(&mut piece).expect("bytes");
                    text.push_str(&String::from_utf8_lossy(&piece[..read]));
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let length = header(head, "content-length")
                            .parse::<usize>()
                            .expect("a length");
                        if body.len() >= length {
                            let taken = (body.to_owned(), header(head, "stripe-signature"));
                            write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n")
                                .expect("sent");
                            return taken;
                        }
                    }
                }
            })
            .collect()
    });
    (url, taken)
}

fn header(head: &str, name: &str) -> String {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_signed_tried_again_and_delivered_twice_if_told_so() {
    let bench = Bench::new().await;
    for (copies, statuses) in [(1, vec![500, 200]), (2, vec![204, 200])] {
        bench
            .control("switches", json!({ "stripe_webhook_copies": copies }))
            .await;
        let (url, taken) = receiver(statuses);
        let form = format!("url={url}&enabled_events[]=customer.created");
        let endpoint = bench.post("webhook_endpoints", &form).await.json();
        assert!(
            endpoint["secret"]
                .as_str()
                .is_some_and(|secret| secret.starts_with("whsec_"))
        );
        let path = format!(
            "webhook_endpoints/{}",
            endpoint["id"].as_str().expect("an id")
        );
        assert!(bench.read(&path, "").await.get("secret").is_none());
        let customer = bench.post("customers", "").await.id();
        bench.post("products", "name=not+told").await.id();
        while !taken.is_finished() {
            bench
                .control("clock", json!({ "advance_seconds": 300 }))
                .await;
        }
        let taken = taken.join().expect("deliveries");
        for (body, signature) in &taken {
            let event: Value = serde_json::from_str(body).expect("an event");
            assert_eq!(
                (&event["type"], &event["data"]["object"]["id"]),
                (&json!("customer.created"), &json!(customer))
            );
            assert!(
                signature.starts_with("t=") && signature.contains(",v1="),
                "{signature}"
            );
        }
        assert_eq!(taken[0].0, taken[1].0);
        let gone = bench.try_stripe("DELETE", &path, &[], "").await;
        assert_eq!(gone.expect("an answer").json()["deleted"], true);
    }
}

#[test]
fn without_a_line_the_same_books_answer_and_faults_leave_what_they_leave() {
    let at = |s: i64| -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + s, 0).expect("an instant")
    };
    let ask = |method: &'static str, path: &str, key: Option<&str>, body: &str| Asked {
        method,
        path: path.to_owned(),
        idempotency_key: key.map(str::to_owned),
        version: Some("2025-03-31.basil".to_owned()),
        body: body.as_bytes().to_vec(),
    };
    let read = |said: Said| match said {
        Said::Answer {
            status,
            body,
            is_replay,
            ..
        } => (
            status,
            is_replay,
            serde_json::from_slice::<Value>(&body).expect("JSON"),
        ),
        Said::Broken => panic!("broken"),
    };
    let mut offline = Offline::new(7, Switches::default());
    let (customer, card) = offline.register("pm_card_visa", at(0)).expect("a customer");
    let form = format!(
        "amount=1000&currency=usd&customer={customer}&payment_method={card}&payment_method_types[0]=card&metadata[order_id]=order-1"
    );
    let (status, _, intent) = read(offline.carry_out(
        &ask("POST", "/v1/payment_intents", Some("k:create"), &form),
        None,
        at(1),
    ));
    assert_eq!(
        (status, &intent["status"]),
        (200, &json!("requires_confirmation"))
    );
    let intent = intent["id"].as_str().expect("pi").to_owned();
    let confirm = ask(
        "POST",
        &format!("/v1/payment_intents/{intent}/confirm"),
        Some("k:confirm:1"),
        "off_session=true&expand[0]=latest_charge",
    );
    assert_eq!(
        offline.carry_out(&confirm, Some(&Fault::LostAfterCommit), at(2)),
        Said::Broken
    );
    assert_eq!(
        (offline.movements(), offline.taken_at("order-1")),
        (1, Some(at(2)))
    );
    let look = ask(
        "GET",
        &format!("/v1/payment_intents/{intent}?expand[0]=latest_charge"),
        None,
        "",
    );
    assert_eq!(
        read(offline.carry_out(&look, None, at(3))).2["latest_charge"]["paid"],
        true
    );
    let (status, is_replay, _) = read(offline.carry_out(&confirm, None, at(3)));
    assert_eq!((status, is_replay), (200, true));
    let refund = ask(
        "POST",
        "/v1/refunds",
        Some("r"),
        &format!("payment_intent={intent}&amount=300&metadata[tag]=rf:1"),
    );
    assert_eq!(read(offline.carry_out(&refund, None, at(4))).0, 200);
    let booked = offline.approved();
    assert_eq!(
        (
            booked.len(),
            booked[0].balance,
            booked[0].refunds.as_slice()
        ),
        (1, 700, &[("rf:1".to_owned(), 300)][..])
    );
    let copied = offline.copy(8);
    assert_eq!(copied.movements(), offline.movements());
    assert!(matches!(offline.busy(), Said::Answer { status: 409, .. }));
}
