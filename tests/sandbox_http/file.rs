//! The file, the lock, a killed process, seeded history.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use paydeck::sandbox::seed::{CardId, SeedCancel, SeedCard, SeedOutcome, SeedPayment, Seeder};
use paydeck::sandbox::{self, Behaviour, SECRET_KEY, SandboxError, SandboxOptions};
use serde_json::{Value, json};

use super::support::{Bench, basic, order_of, send};

#[tokio::test]
async fn everything_answered_is_there_again_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Bench::on(dir.path()).await;
    bench
        .control("clock", json!({ "advance_seconds": 1_000_000 }))
        .await;
    let key = bench.billing_key("kim", json!({})).await;
    let first = bench.charge(&key, "order-1", 4900).await;
    bench.running.shutdown().await;
    let bench = Bench::on(dir.path()).await;
    assert_eq!(bench.charge(&key, "order-1", 4900).await.body, first.body);
    assert_eq!(
        bench.get("/v1/payments/orders/order-1").await.json(),
        first.json()
    );
    assert_eq!(bench.charge(&key, "order-2", 4900).await.status, 200);
    assert!(
        bench.read_control("clock").await["offset_us"]
            .as_i64()
            .expect("an offset")
            >= 1_000_000_000_000
    );
    assert_eq!(bench.ledger().await.len(), 2);
}

#[tokio::test]
async fn one_simulator_runs_on_a_directory_and_its_address_is_found_there() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(matches!(
        sandbox::resolve(dir.path()),
        Err(SandboxError::NotRunning { .. })
    ));
    let bench = Bench::on(dir.path()).await;
    assert_eq!(
        sandbox::resolve(dir.path()).expect("an address"),
        bench.running.base_url()
    );
    let second = sandbox::start(SandboxOptions {
        dir: Some(dir.path().to_owned()),
        ..SandboxOptions::default()
    })
    .await;
    assert!(matches!(second, Err(SandboxError::AlreadyRunning { .. })));
    let line: Value = serde_json::from_str(&sandbox::ready_line(&bench.running)).expect("JSON");
    assert_eq!(
        (&line["base_url"], &line["secret_keys"][0]),
        (&json!(bench.running.base_url()), &json!(SECRET_KEY))
    );
    bench.running.shutdown().await;
    assert!(matches!(
        sandbox::resolve(dir.path()),
        Err(SandboxError::NotRunning { .. })
    ));
    Bench::on(dir.path()).await.running.shutdown().await;
}

#[tokio::test]
async fn a_simulator_that_is_dropped_gives_its_directory_free() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(Bench::on(dir.path()).await);
    let bench = Bench::on(dir.path()).await;
    assert_eq!(bench.ledger().await.len(), 0);
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    let options = SandboxOptions {
        listen: "0.0.0.0:0".parse().expect("an address"),
        ..SandboxOptions::default()
    };
    assert!(matches!(
        sandbox::start(options).await,
        Err(SandboxError::NotLoopback { .. })
    ));
}

const CHILD_TEST: &str = "file::a_simulator_of_its_own_process_serves_until_it_is_killed";
const CHILD_DIR: &str = "PAYDECK_TEST_SANDBOX_DIR";

/// Not a test of its own: the process that the next one kills. Without its directory it has nothing to do.
#[tokio::test]
async fn a_simulator_of_its_own_process_serves_until_it_is_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else {
        return;
    };
    let _bench = Bench::on(Path::new(&dir)).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_simulator_has_every_charge_that_it_answered_and_its_lock_is_taken_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = start_child(dir.path());
    let addr = address_of_child(dir.path()).await;
    let path = format!("/v1/billing/{}", billing_key_at(addr).await);
    let auth = basic(SECRET_KEY);
    let headers = [("authorization", auth.as_str())];
    let charges = (0..64).map(|at| {
        let (path, headers) = (&path, &headers);
        async move {
            let order = format!("order-{at}");
            let body = order_of(&order, 4900).to_string();
            let answer = send(addr, "POST", path, headers, &body).await;
            answer
                .is_ok_and(|reply| reply.status == 200)
                .then_some(order)
        }
    });
    let mut charges: FuturesUnordered<_> = charges.collect();
    let mut answered = Vec::new();
    while let Some(order) = charges.next().await {
        answered.extend(order);
        if answered.len() == 20 {
            child.end();
        }
    }
    assert!(answered.len() >= 20);
    let bench = Bench::on(dir.path()).await;
    for order in &answered {
        let seen = bench
            .get(&format!("/v1/payments/orders/{order}"))
            .await
            .json();
        assert_eq!(seen["status"], "DONE", "{order}");
    }
}

/// Never outlives its test.
struct Child(std::process::Child);

impl Child {
    fn end(&mut self) {
        self.0.kill().expect("kills");
        self.0.wait().expect("ends");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
    }
}

fn start_child(dir: &Path) -> Child {
    let child = std::process::Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", CHILD_TEST])
        .env(CHILD_DIR, dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    Child(child)
}

async fn address_of_child(dir: &Path) -> SocketAddr {
    let give_up = Instant::now() + Duration::from_mins(2);
    loop {
        if let Ok(base_url) = sandbox::resolve(dir) {
            return base_url
                .trim_start_matches("http://")
                .parse()
                .expect("an address");
        }
        assert!(Instant::now() < give_up, "it does not start");
        tokio::task::yield_now().await;
    }
}

async fn billing_key_at(addr: SocketAddr) -> String {
    let auth = basic(SECRET_KEY);
    let headers = [("authorization", auth.as_str())];
    let wish = r#"{"customerKey":"kim"}"#;
    let registered = send(addr, "POST", "/_sandbox/auth-keys", &[], wish)
        .await
        .expect("an answer");
    let body = json!({ "authKey": registered.json()["authKey"], "customerKey": "kim" }).to_string();
    let path = "/v1/billing/authorizations/issue";
    let issued = send(addr, "POST", path, &headers, &body)
        .await
        .expect("an answer");
    issued.json()["billingKey"]
        .as_str()
        .expect("a key")
        .to_owned()
}

fn moment() -> DateTime<Utc> {
    "2025-03-01T01:00:00Z".parse().expect("a time")
}

fn seed_card() -> SeedCard {
    SeedCard {
        billing_key: "seeded-key=".to_owned(),
        customer_key: "kim".to_owned(),
        number: "43301234****123*".to_owned(),
        issuer_code: "61".to_owned(),
        expiry: Some("9912".to_owned()),
        behaviour: Behaviour::Approve,
        authenticated_at: moment(),
        deleted_at: None,
    }
}

fn seed_payment(
    card: CardId,
    order: &str,
    outcome: SeedOutcome,
    cancels: Vec<SeedCancel>,
) -> SeedPayment {
    SeedPayment {
        payment_key: format!("tpayd{order}"),
        order_id: order.to_owned(),
        order_name: "구독".to_owned(),
        card,
        amount: 4900,
        installment_months: 0,
        requested_at: moment(),
        outcome,
        cancels,
    }
}

fn approved(transaction_key: &str) -> SeedOutcome {
    SeedOutcome::Approved {
        at: moment(),
        transaction_key: transaction_key.to_owned(),
    }
}

fn seed_cancel(amount: i64) -> SeedCancel {
    SeedCancel {
        transaction_key: "C1".to_owned(),
        amount,
        reason: "r".to_owned(),
        canceled_at: moment(),
    }
}

#[tokio::test]
async fn seeded_history_is_served_like_any_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut seeder = Seeder::create(dir.path()).await.expect("a file");
    let cards = seeder.add_cards(&[seed_card()]).await.expect("cards");
    let declined = SeedOutcome::Declined {
        code: "REJECT_CARD_PAYMENT".to_owned(),
    };
    let payments = [
        seed_payment(cards[0], "old-order-1", approved("T1"), Vec::new()),
        seed_payment(
            cards[0],
            "old-order-2",
            approved("T2"),
            vec![seed_cancel(900)],
        ),
        seed_payment(cards[0], "old-order-3", declined, Vec::new()),
    ];
    seeder.add_payments(&payments).await.expect("payments");
    let ahead = TimeDelta::days(400);
    seeder.set_clock_offset(ahead).await.expect("a setting");
    let written = seeder.finish().await.expect("finishes");
    assert_eq!((written.cards, written.payments), (1, 3));

    let bench = Bench::on(dir.path()).await;
    assert_eq!(bench.ledger().await.len(), 3);
    let clock = bench.read_control("clock").await;
    assert_eq!(clock["offset_us"], json!(ahead.num_microseconds()));
    let second = bench.get("/v1/payments/tpaydold-order-2").await.json();
    assert_eq!(second["balanceAmount"], 4000);
    let third = bench.get("/v1/payments/orders/old-order-3").await.json();
    assert_eq!(third["status"], "ABORTED");
    let again = bench.charge("seeded-key=", "old-order-1", 4900).await;
    assert_eq!(again.code(), "DUPLICATED_ORDER_ID");
    assert_eq!(
        bench
            .charge("seeded-key=", "new-order-1", 4900)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_seed_refuses_what_cannot_be_and_never_overwrites() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut seeder = Seeder::create(dir.path()).await.expect("a file");
    let cards = seeder.add_cards(&[seed_card()]).await.expect("cards");
    let too_much = seed_payment(
        cards[0],
        "old-order-1",
        approved("T1"),
        vec![seed_cancel(4901)],
    );
    let refused = seeder.add_payments(&[too_much]).await;
    assert!(matches!(
        refused,
        Err(SandboxError::ImpossiblePayment { .. })
    ));
    seeder.finish().await.expect("finishes");
    let again = Seeder::create(dir.path()).await;
    assert!(matches!(again, Err(SandboxError::Exists { .. })));
}
