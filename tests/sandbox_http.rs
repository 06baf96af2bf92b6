//! The simulator over real loopback HTTP: fidelity to the provider, every fault, the control interface, its file.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use paydeck::sandbox::seed::{SeedCancel, SeedCard, SeedOutcome, SeedPayment, Seeder};
use paydeck::sandbox::{self, Behaviour, Running, SECRET_KEY, SandboxError, SandboxOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An answer as it came over the line.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().expect("a code").to_owned()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }
}

/// A simulator and a client of bare sockets, which sees exactly what comes over the line.
struct Bench {
    running: Running,
}

impl Bench {
    async fn new() -> Self {
        Self::with(SandboxOptions {
            seed: Some(1),
            ..SandboxOptions::default()
        })
        .await
    }

    async fn on(dir: &Path) -> Self {
        Self::with(SandboxOptions {
            dir: Some(dir.to_owned()),
            ..SandboxOptions::default()
        })
        .await
    }

    async fn with(options: SandboxOptions) -> Self {
        Self {
            running: sandbox::start(options).await.expect("starts"),
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<Reply> {
        send(self.running.addr(), method, path, headers, body).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let auth = basic(SECRET_KEY);
        let mut all = vec![("authorization", auth.as_str())];
        all.extend_from_slice(headers);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(method, path, &all, &body)
            .await
            .expect("an answer")
    }

    async fn try_ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> std::io::Result<Reply> {
        let auth = basic(SECRET_KEY);
        let mut all = vec![("authorization", auth.as_str())];
        all.extend_from_slice(headers);
        self.send(method, path, &all, &body.to_string()).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], &Value::Null).await
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        let reply = self
            .send("POST", &format!("/_sandbox/{path}"), &[], &body.to_string())
            .await
            .expect("an answer");
        assert_eq!(
            reply.status,
            200,
            "{path}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        reply.json()
    }

    async fn fault(&self, script: Value) {
        self.control("faults", script).await;
    }

    async fn read_control(&self, path: &str) -> Value {
        self.send("GET", &format!("/_sandbox/{path}"), &[], "")
            .await
            .expect("an answer")
            .json()
    }

    async fn ledger(&self) -> Vec<Value> {
        self.read_control("ledger")
            .await
            .as_array()
            .expect("an array")
            .clone()
    }

    async fn auth_key(&self, customer: &str, card: Value) -> String {
        let answer = self
            .control(
                "auth-keys",
                json!({ "customerKey": customer, "card": card }),
            )
            .await;
        answer["authKey"].as_str().expect("an authKey").to_owned()
    }

    async fn billing_key(&self, customer: &str, card: Value) -> String {
        let auth_key = self.auth_key(customer, card).await;
        let body = json!({ "authKey": auth_key, "customerKey": customer });
        let reply = self
            .ask("POST", "/v1/billing/authorizations/issue", &[], &body)
            .await;
        assert_eq!(reply.status, 200);
        reply.json()["billingKey"]
            .as_str()
            .expect("a billing key")
            .to_owned()
    }

    async fn charge(&self, key: &str, order: &str, amount: i64) -> Reply {
        self.ask(
            "POST",
            &format!("/v1/billing/{key}"),
            &[("idempotency-key", order)],
            &order_of(order, amount),
        )
        .await
    }

    /// A charge whose answer may be lost.
    async fn try_charge(&self, key: &str, order: &str) -> std::io::Result<Reply> {
        let path = format!("/v1/billing/{key}");
        self.try_ask(
            "POST",
            &path,
            &[("idempotency-key", order)],
            &order_of(order, 4900),
        )
        .await
    }
}

fn order_of(order: &str, amount: i64) -> Value {
    json!({ "customerKey": "kim", "orderId": order, "orderName": "프라임 구독", "amount": amount })
}

fn basic(key: &str) -> String {
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{key}:"))
    )
}

async fn send(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(addr).await?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream
        .write_all(format!("{head}\r\n{body}").as_bytes())
        .await?;
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    parse(&bytes)
        .filter(|_| end.is_ok())
        .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// None when the answer is not complete.
fn parse(bytes: &[u8]) -> Option<Reply> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..at].to_vec()).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut reply = Reply {
        status,
        head,
        body: bytes[at + 4..].to_vec(),
    };
    if reply.header("transfer-encoding").is_some() {
        reply.body = unchunked(&reply.body)?;
        return Some(reply);
    }
    let length: usize = reply.header("content-length")?.parse().ok()?;
    (reply.body.len() == length).then_some(reply)
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let at = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(at + 2..at + 2 + length)?);
        rest = rest.get(at + 4 + length..)?;
    }
}

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
    let cases = [
        (
            "never-issued",
            with("orderId", json!("x")),
            400,
            "INVALID_ORDER_ID",
        ),
        (
            key.as_str(),
            with("orderName", json!("")),
            400,
            "INVALID_ORDER_NAME",
        ),
        (
            key.as_str(),
            with("amount", json!(99)),
            400,
            "BELOW_MINIMUM_AMOUNT",
        ),
        (
            key.as_str(),
            with("amount", Value::Null),
            400,
            "REQUIRED_AMOUNT",
        ),
        (
            key.as_str(),
            with("amount", json!(100.5)),
            400,
            "INVALID_REQUEST",
        ),
        (
            key.as_str(),
            with("customerKey", json!("k".repeat(301))),
            500,
            "FAILED_DB_PROCESSING",
        ),
        ("never-issued", good.clone(), 404, "NOT_FOUND_BILLING"),
        (
            key.as_str(),
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
async fn a_whole_cancel_and_partial_cancels_end_in_the_states_that_were_measured() {
    let bench = Bench::new().await;
    let key = bench.billing_key("kim", json!({})).await;
    let cancel = |payment: String, body: Value| {
        let bench = &bench;
        async move {
            bench
                .ask(
                    "POST",
                    &format!("/v1/payments/{payment}/cancel"),
                    &[],
                    &body,
                )
                .await
        }
    };
    let whole = bench.charge(&key, "order-1", 4900).await.json()["paymentKey"]
        .as_str()
        .expect("a key")
        .to_owned();
    let done = cancel(whole.clone(), json!({ "cancelReason": "변심" }))
        .await
        .json();
    assert_eq!(
        (&done["status"], &done["balanceAmount"]),
        (&json!("CANCELED"), &json!(0))
    );
    let again = cancel(whole, json!({ "cancelReason": "변심" })).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (400, "ALREADY_CANCELED_PAYMENT")
    );

    let parts = bench.charge(&key, "order-2", 10_000).await.json()["paymentKey"]
        .as_str()
        .expect("a key")
        .to_owned();
    let part = json!({ "cancelReason": "부분", "cancelAmount": 3000, "refundableAmount": 10_000 });
    let one = cancel(parts.clone(), part.clone()).await.json();
    assert_eq!(
        (&one["status"], &one["balanceAmount"], &one["vat"]),
        (&json!("PARTIAL_CANCELED"), &json!(7000), &json!(636))
    );
    assert_eq!(one["cancels"][0]["refundableAmount"], 7000);
    assert_eq!(
        cancel(parts.clone(), part).await.code(),
        "NOT_MATCHES_REFUNDABLE_AMOUNT"
    );
    let more = cancel(
        parts.clone(),
        json!({ "cancelReason": "r", "cancelAmount": 7001 }),
    )
    .await;
    assert_eq!(
        (more.status, more.code().as_str()),
        (403, "NOT_CANCELABLE_AMOUNT")
    );
    let rest = cancel(
        parts.clone(),
        json!({ "cancelReason": "r", "cancelAmount": null }),
    )
    .await
    .json();
    assert_eq!(
        (&rest["status"], &rest["balanceAmount"]),
        (&json!("PARTIAL_CANCELED"), &json!(0))
    );
    assert_eq!(
        rest["lastTransactionKey"],
        rest["cancels"][1]["transactionKey"]
    );
    let again = cancel(parts.clone(), json!({ "cancelReason": "r" })).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (403, "NOT_CANCELABLE_AMOUNT")
    );
    assert_eq!(
        bench.get(&format!("/v1/payments/{parts}")).await.json()["cancels"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(bench.ledger().await.len(), 5);
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

#[tokio::test]
async fn transactions_are_paged_by_the_last_key_and_take_dates_without_times() {
    let bench = Bench::new().await;
    bench
        .control("clock", json!({ "set": "2026-03-10T03:00:00Z" }))
        .await;
    let key = bench.billing_key("kim", json!({})).await;
    for order in ["order-1", "order-2", "order-3"] {
        let payment = bench.charge(&key, order, 4900).await.json();
        let path = format!(
            "/v1/payments/{}/cancel",
            payment["paymentKey"].as_str().expect("a key")
        );
        bench
            .ask(
                "POST",
                &path,
                &[],
                &json!({ "cancelReason": "r", "cancelAmount": 100 }),
            )
            .await;
        bench
            .control("clock", json!({ "advance_seconds": 5 }))
            .await;
    }
    let range = "startDate=2026-03-10&endDate=2026-03-11T00:00:00";
    let mut after = String::new();
    let mut rows = Vec::new();
    loop {
        let page = bench
            .get(&format!(
                "/v1/transactions?{range}&limit=4&startingAfter={after}"
            ))
            .await
            .json();
        let page = page.as_array().expect("an array").clone();
        after = page
            .last()
            .and_then(|row| row["transactionKey"].as_str())
            .unwrap_or("")
            .to_owned();
        rows.extend(page.iter().cloned());
        if page.len() < 4 {
            break;
        }
    }
    assert_eq!(rows.len(), 6);
    assert!(
        rows.iter().all(
            |row| row["customerKey"] == "kim" && row["amount"].as_i64().expect("an amount") > 0
        )
    );
    let count = |status: &str| rows.iter().filter(|row| row["status"] == status).count();
    assert_eq!((count("DONE"), count("PARTIAL_CANCELED")), (3, 3));
    bench
        .control(
            "switches",
            json!({ "cancel_row_amount": "negative", "transactions_order": "descending" }),
        )
        .await;
    let down = bench.get(&format!("/v1/transactions?{range}")).await.json();
    assert_eq!(
        (&down[0]["orderId"], &down[0]["amount"]),
        (&json!("order-3"), &json!(-100))
    );
    for (query, code) in [
        (format!("{range}&limit=5001"), "EXCEED_MAX_QUERY_LIMIT"),
        (
            "startDate=yesterday&endDate=2026-03-11".to_owned(),
            "INVALID_DATE",
        ),
        (
            format!("{range}&startingAfter=NOPE"),
            "INVALID_TRANSACTION_KEY",
        ),
    ] {
        assert_eq!(
            bench.get(&format!("/v1/transactions?{query}")).await.code(),
            code
        );
    }
    assert_eq!(
        bench
            .get("/v1/settlements?startDate=2026-03-10&endDate=2026-03-11")
            .await
            .json(),
        json!([])
    );
}

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
        .fault(json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "late", "ms": 150 } }))
        .await;
    assert!(bench.try_charge(&key, "order-1").await.is_err());
    assert_eq!(bench.get("/v1/payments/orders/order-1").await.status, 404);
    let give_up = Instant::now() + Duration::from_secs(10);
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
    bench.fault(json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "slow_before_commit", "ms": 150 } })).await;
    let impatient =
        tokio::time::timeout(Duration::from_millis(50), bench.try_charge(&key, "order-2")).await;
    assert!(impatient.is_err());
    let give_up = Instant::now() + Duration::from_secs(10);
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
    assert!(bench.try_charge(&key, "order-1").await.is_err());
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
        if let Ok(again) =
            tokio::time::timeout(Duration::from_secs(2), receive(&receiver, "200 OK")).await
        {
            break again;
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
    let (mut stream, _) = receiver.accept().await.expect("a connection");
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
    let mut child = std::process::Command::new(std::env::current_exe().expect("this binary"))
        .args([
            "--exact",
            "a_simulator_of_its_own_process_serves_until_it_is_killed",
        ])
        .env(CHILD_DIR, dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    let give_up = Instant::now() + Duration::from_secs(20);
    let base_url = loop {
        match sandbox::resolve(dir.path()) {
            Ok(base_url) => break base_url,
            Err(_) => assert!(Instant::now() < give_up, "it does not start"),
        }
        tokio::task::yield_now().await;
    };
    let addr: SocketAddr = base_url
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let auth = basic(SECRET_KEY);
    let headers = [("authorization", auth.as_str())];
    let registered = send(
        addr,
        "POST",
        "/_sandbox/auth-keys",
        &[],
        r#"{"customerKey":"kim"}"#,
    )
    .await
    .expect("an answer");
    let body = json!({ "authKey": registered.json()["authKey"], "customerKey": "kim" }).to_string();
    let issued = send(
        addr,
        "POST",
        "/v1/billing/authorizations/issue",
        &headers,
        &body,
    )
    .await
    .expect("an answer");
    let path = format!(
        "/v1/billing/{}",
        issued.json()["billingKey"].as_str().expect("a key")
    );
    let charges = (0..64).map(|at| {
        let (path, headers) = (&path, &headers);
        async move {
            let order = format!("order-{at}");
            let answer = send(
                addr,
                "POST",
                path,
                headers,
                &order_of(&order, 4900).to_string(),
            )
            .await;
            answer
                .is_ok_and(|reply| reply.status == 200)
                .then_some(order)
        }
    });
    let mut charges: futures_util::stream::FuturesUnordered<_> = charges.collect();
    let mut answered = Vec::new();
    while let Some(order) = futures_util::StreamExt::next(&mut charges).await {
        answered.extend(order);
        if answered.len() == 20 {
            child.kill().expect("kills");
        }
    }
    child.wait().expect("ends");
    assert!(answered.len() >= 20);
    let bench = Bench::on(dir.path()).await;
    for order in &answered {
        assert_eq!(
            bench
                .get(&format!("/v1/payments/orders/{order}"))
                .await
                .json()["status"],
            "DONE",
            "{order}"
        );
    }
}

#[tokio::test]
async fn seeded_history_is_served_like_any_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = "2025-03-01T01:00:00Z".parse().expect("a time");
    let mut seeder = Seeder::create(dir.path()).await.expect("a file");
    let card = SeedCard {
        billing_key: "seeded-key=".to_owned(),
        customer_key: "kim".to_owned(),
        number: "43301234****123*".to_owned(),
        issuer_code: "61".to_owned(),
        expiry: Some("9912".to_owned()),
        behaviour: Behaviour::Approve,
        authenticated_at: at,
        deleted_at: None,
    };
    let cards = seeder.add_cards(&[card]).await.expect("cards");
    let payment = |order: &str, outcome, cancels| SeedPayment {
        payment_key: format!("tpayd{order}"),
        order_id: order.to_owned(),
        order_name: "구독".to_owned(),
        card: cards[0],
        amount: 4900,
        requested_at: at,
        outcome,
        cancels,
    };
    let approved = |key: &str| SeedOutcome::Approved {
        at,
        transaction_key: key.to_owned(),
    };
    let cancel = SeedCancel {
        transaction_key: "C1".to_owned(),
        amount: 900,
        reason: "r".to_owned(),
        canceled_at: at,
    };
    let payments = [
        payment("old-order-1", approved("T1"), Vec::new()),
        payment("old-order-2", approved("T2"), vec![cancel.clone()]),
        payment(
            "old-order-3",
            SeedOutcome::Declined {
                code: "REJECT_CARD_PAYMENT".to_owned(),
            },
            Vec::new(),
        ),
    ];
    seeder.add_payments(&payments).await.expect("payments");
    let too_much = payment(
        "old-order-4",
        approved("T4"),
        vec![SeedCancel {
            amount: 4901,
            ..cancel
        }],
    );
    assert!(matches!(
        seeder.add_payments(&[too_much]).await,
        Err(SandboxError::ImpossiblePayment { .. })
    ));
    let seeded = seeder.finish().await.expect("finishes");
    assert_eq!((seeded.cards, seeded.payments), (1, 3));
    assert!(matches!(
        Seeder::create(dir.path()).await,
        Err(SandboxError::Exists { .. })
    ));

    let bench = Bench::on(dir.path()).await;
    assert_eq!(bench.ledger().await.len(), 3);
    assert_eq!(
        bench.get("/v1/payments/tpaydold-order-2").await.json()["balanceAmount"],
        4000
    );
    assert_eq!(
        bench.get("/v1/payments/orders/old-order-3").await.json()["status"],
        "ABORTED"
    );
    assert_eq!(
        bench
            .charge("seeded-key=", "old-order-1", 4900)
            .await
            .code(),
        "DUPLICATED_ORDER_ID"
    );
    assert_eq!(
        bench
            .charge("seeded-key=", "new-order-1", 4900)
            .await
            .status,
        200
    );
}
