//! A simulator, a client of it, and the simulator's own control interface over a bare socket.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use paydeck::domain::customer::Card;
use paydeck::domain::evidence::{Evidence, PaymentSeen, Refusal};
use paydeck::engine::ports::{
    CallReport, ChargeLook, ConfirmCall, Desk, IssueOutcome, Provider, RefundCall, RefundRequest,
    RegisterCall, TransactionSeen,
};
use paydeck::provider::toss::TossClient;
use paydeck::sandbox::{self, Running, SECRET_KEY, SandboxOptions, Switches};
use paydeck::secret::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Charge, charge, client, won};

pub const CUSTOMER: &str = "ck-0b9a4c1e";

pub struct Bench {
    running: Running,
    pub client: TossClient,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(Switches::default()).await
    }

    pub async fn with(switches: Switches) -> Self {
        let options = SandboxOptions {
            seed: Some(7),
            switches,
            ..SandboxOptions::default()
        };
        let running = sandbox::start(options).await.expect("a simulator");
        let client = client(&running.base_url(), SECRET_KEY, Duration::from_secs(20));
        Self { running, client }
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let mut stream = TcpStream::connect(self.running.addr())
            .await
            .expect("a connection");
        let body = body.to_string();
        let request = format!(
            "{method} /_sandbox/{path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .await
            .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).expect("json")
    }

    pub async fn fault(&self, endpoint: &str, fault: Value) {
        let script = json!({ "match": { "endpoint": endpoint }, "fault": fault });
        self.control("POST", "faults", script).await;
    }

    /// How many charges and cancels the simulator ever executed.
    pub async fn executed(&self) -> (i64, i64) {
        let summary = self.control("GET", "ledger/summary", Value::Null).await;
        let count = |name: &str| summary[name].as_i64().expect("a count");
        (count("charges"), count("cancels"))
    }

    pub async fn auth_key(&self) -> Secret {
        let wish = json!({ "customerKey": CUSTOMER });
        let made = self.control("POST", "auth-keys", wish).await;
        Secret::new(made["authKey"].as_str().expect("an auth key"))
    }

    pub async fn issue(&self) -> (Secret, Card) {
        let auth_key = self.auth_key().await;
        let issued = self
            .client
            .issue(&mut Desk::new(), registering(&auth_key, CUSTOMER))
            .await;
        match issued {
            IssueOutcome::Issued {
                billing_key, card, ..
            } => (billing_key, card),
            other => panic!("{other:?}"),
        }
    }

    pub async fn charge(&self, key: &Secret, order_id: &str, idem_key: &str) -> Evidence {
        self.charge_by(&self.client, key, order_id, idem_key)
            .await
            .evidence
    }

    pub async fn charge_by(
        &self,
        client: &TossClient,
        key: &Secret,
        order_id: &str,
        idem_key: &str,
    ) -> CallReport {
        let what = Charge {
            billing_key: key.expose(),
            customer_key: CUSTOMER,
            order_id,
            idem_key,
        };
        charge(client, what).await
    }

    pub async fn refund(
        &self,
        provider_ref: &str,
        amount: i64,
        expected_balance_minor: i64,
        idem_key: &str,
    ) -> Evidence {
        let body = self.client.refund_body(&RefundRequest {
            reason: &format!("고객 요청 [rf:{idem_key}]"),
            amount: won(amount),
            expected_balance_minor,
        });
        let call = RefundCall {
            provider_ref,
            body: &body,
            idem_key,
        };
        self.client.refund(&mut Desk::new(), call).await.evidence
    }

    pub async fn confirm(&self, payment_key: &str, order_id: &str, amount: i64) -> Evidence {
        let call = ConfirmCall {
            payment_key,
            order_id,
            amount: won(amount),
            idem_key: "confirm-1",
        };
        self.client.confirm(&mut Desk::new(), call).await.evidence
    }

    pub async fn order(&self, order_id: &str) -> Evidence {
        let look = looking_for(order_id);
        let report = self.client.look_up_charge(&mut Desk::new(), look).await;
        report.evidence
    }

    /// Every row of the last and the next day, by pages of `limit`.
    pub async fn all_transactions(&self, limit: u32) -> Vec<TransactionSeen> {
        let (from, to) = self.around_now().await;
        let mut all: Vec<TransactionSeen> = Vec::new();
        loop {
            let after = all.last().map(|row| row.transaction_key.clone());
            let page = self
                .client
                .transactions(&mut Desk::new(), from, to, after.as_deref(), limit)
                .await
                .expect("a page");
            let is_last = page.len() < usize::try_from(limit).expect("small");
            all.extend(page);
            if is_last {
                return all;
            }
        }
    }

    async fn around_now(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let clock = self.control("GET", "clock", Value::Null).await;
        let now = clock["now"].as_str().expect("an instant");
        let now: DateTime<Utc> = now.parse().expect("an instant");
        (now - TimeDelta::days(1), now + TimeDelta::days(1))
    }
}

pub const fn registering<'a>(auth_key: &'a Secret, customer_key: &'a str) -> RegisterCall<'a> {
    RegisterCall {
        auth_key,
        customer_key,
        provider_customer: None,
    }
}

pub fn looking_for(order_id: &str) -> ChargeLook<'_> {
    ChargeLook {
        order_id,
        provider_ref: None,
        amount: won(4_900),
    }
}

pub fn seen(evidence: Evidence) -> PaymentSeen {
    match evidence {
        Evidence::Seen(seen) => seen,
        other => panic!("{other:?}"),
    }
}

pub fn refused(evidence: Evidence) -> Refusal {
    match evidence {
        Evidence::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
