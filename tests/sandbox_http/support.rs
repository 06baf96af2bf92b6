//! A simulator and a client of bare sockets, which sees exactly what comes over the line.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use paydeck::sandbox::{self, Running, SECRET_KEY, SandboxOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer as it came over the line.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().expect("a code").to_owned()
    }

    /// HTTP status and code.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }
}

/// A simulator and a client of bare sockets, which sees exactly what comes over the line.
pub struct Bench {
    pub running: Running,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(SandboxOptions {
            seed: Some(1),
            ..SandboxOptions::default()
        })
        .await
    }

    pub async fn on(dir: &Path) -> Self {
        Self::with(SandboxOptions {
            dir: Some(dir.to_owned()),
            ..SandboxOptions::default()
        })
        .await
    }

    pub async fn with(options: SandboxOptions) -> Self {
        Self {
            running: sandbox::start(options).await.expect("starts"),
        }
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<Reply> {
        send(self.running.addr(), method, path, headers, body).await
    }

    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
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

    pub async fn try_ask(
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

    pub async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], &Value::Null).await
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
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

    pub async fn fault(&self, script: Value) {
        self.control("faults", script).await;
    }

    pub async fn read_control(&self, path: &str) -> Value {
        self.send("GET", &format!("/_sandbox/{path}"), &[], "")
            .await
            .expect("an answer")
            .json()
    }

    pub async fn ledger(&self) -> Vec<Value> {
        self.read_control("ledger")
            .await
            .as_array()
            .expect("an array")
            .clone()
    }

    pub async fn auth_key(&self, customer: &str, card: Value) -> String {
        let answer = self
            .control(
                "auth-keys",
                json!({ "customerKey": customer, "card": card }),
            )
            .await;
        answer["authKey"].as_str().expect("an authKey").to_owned()
    }

    pub async fn billing_key(&self, customer: &str, card: Value) -> String {
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

    pub async fn charge(&self, key: &str, order: &str, amount: i64) -> Reply {
        self.ask(
            "POST",
            &format!("/v1/billing/{key}"),
            &[("idempotency-key", order)],
            &order_of(order, amount),
        )
        .await
    }

    /// Charges and gives the paymentKey.
    pub async fn paid(&self, key: &str, order: &str, amount: i64) -> String {
        let payment = self.charge(key, order, amount).await.json();
        payment["paymentKey"].as_str().expect("a key").to_owned()
    }

    pub async fn cancel(&self, payment: &str, body: Value) -> Reply {
        let path = format!("/v1/payments/{payment}/cancel");
        self.ask("POST", &path, &[], &body).await
    }

    /// A charge whose answer may be lost.
    pub async fn try_charge(&self, key: &str, order: &str) -> std::io::Result<Reply> {
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

pub fn order_of(order: &str, amount: i64) -> Value {
    json!({ "customerKey": "kim", "orderId": order, "orderName": "프라임 구독", "amount": amount })
}

pub fn basic(key: &str) -> String {
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{key}:"))
    )
}

pub async fn send(
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
        write!(head, "{name}: {value}\r\n").expect("a header");
    }
    stream
        .write_all(format!("{head}\r\n{body}").as_bytes())
        .await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    parse(&bytes).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
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
