//! A shop with either provider behind the port, and the simulator behind that. The stories of both are
//! told through it; what differs between the two stands here and nowhere else.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use paydeck::domain::evidence::{Evidence, PaymentSeen, Refusal};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::engine::ports::{
    CallReport, ChargeCall, ChargeLook, ChargeRequest, Desk, IssueOutcome, PrepareCall,
    PrepareOutcome, Provider, ProviderError, RefundCall, RefundRequest, RegisterCall,
    TransactionSeen,
};
use paydeck::provider::stripe::{StripeClient, StripeOptions};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::sandbox::{self, Running, SandboxOptions};
use paydeck::secret::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::won;

pub const CUSTOMER: &str = "ck-0b9a4c1e";
pub const PATIENT: Duration = Duration::from_secs(20);

/// What is disturbed by a fault, in words that both providers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Register,
    Charge,
    Refund,
    LookUp,
    Payment,
    Transactions,
}

/// A client of either provider for the simulator's mode.
pub fn client(
    name: ProviderName,
    base_url: &str,
    secret_key: &str,
    total: Duration,
) -> Box<dyn Provider> {
    let base_url = base_url.to_owned();
    let secret_key = Secret::new(secret_key);
    let connect_timeout = total.min(Duration::from_secs(5));
    match name {
        ProviderName::Toss => Box::new(
            TossClient::new(TossOptions {
                base_url,
                secret_key,
                mode: Mode::Sim,
                connect_timeout,
                total_timeout: total,
            })
            .expect("a client"),
        ),
        ProviderName::Stripe => Box::new(
            StripeClient::new(StripeOptions {
                base_url,
                secret_key,
                mode: Mode::Sim,
                connect_timeout,
                total_timeout: total,
                return_url: None,
            })
            .expect("a client"),
        ),
    }
}

/// A charge as the engine holds it: its bytes, its key, what preparing gave and how often it left.
#[derive(Clone)]
pub struct Attempt {
    pub key: Secret,
    pub order: String,
    pub idem: String,
    pub body: Vec<u8>,
    pub provider_ref: Option<String>,
    pub sends: u32,
}

impl Attempt {
    /// A charge of 4,900 won.
    pub fn new(client: &dyn Provider, key: &Secret, order: &str) -> Self {
        let body = client.charge_body(&ChargeRequest {
            order_id: order,
            order_name: "Gold 구독",
            customer_key: CUSTOMER,
            amount: won(4_900),
        });
        Self {
            key: key.clone(),
            order: order.to_owned(),
            idem: format!("k-{order}"),
            body,
            provider_ref: None,
            sends: 0,
        }
    }

    /// Prepares it where that is still to be done.
    pub async fn prepare(&mut self, client: &dyn Provider) -> Result<(), CallReport> {
        if !client.name().charges_in_two_steps() || self.provider_ref.is_some() {
            return Ok(());
        }
        let call = PrepareCall {
            billing_key: &self.key,
            body: &self.body,
            idem_key: &self.idem,
            order_id: &self.order,
            amount: won(4_900),
        };
        match client.prepare(&mut Desk::new(), call).await {
            PrepareOutcome::Prepared { provider_ref } => {
                self.provider_ref = Some(provider_ref);
                Ok(())
            }
            PrepareOutcome::Not(report) => Err(report),
        }
    }

    /// Sends it, once more.
    pub async fn send(&mut self, client: &dyn Provider) -> CallReport {
        if let Err(report) = self.prepare(client).await {
            return report;
        }
        self.sends += 1;
        self.send_number(client, self.sends).await
    }

    /// One send of what is prepared.
    pub async fn send_number(&self, client: &dyn Provider, send_no: u32) -> CallReport {
        let call = ChargeCall {
            billing_key: &self.key,
            body: &self.body,
            idem_key: &self.idem,
            order_id: &self.order,
            amount: won(4_900),
            provider_ref: self.provider_ref.as_deref(),
            send_no,
        };
        client.charge(&mut Desk::new(), call).await
    }

    pub async fn look(&self, client: &dyn Provider) -> Evidence {
        let look = ChargeLook {
            order_id: &self.order,
            provider_ref: self.provider_ref.as_deref(),
            amount: won(4_900),
        };
        client.look_up_charge(&mut Desk::new(), look).await.evidence
    }
}

pub struct Shop {
    running: Running,
    pub name: ProviderName,
    pub client: Box<dyn Provider>,
}

impl Shop {
    pub async fn open(name: ProviderName) -> Self {
        let options = SandboxOptions {
            seed: Some(7),
            ..SandboxOptions::default()
        };
        let running = sandbox::start(options).await.expect("a simulator");
        let client = client(name, &running.base_url(), Self::secret_key(name), PATIENT);
        Self {
            running,
            name,
            client,
        }
    }

    fn secret_key(name: ProviderName) -> &'static str {
        match name {
            ProviderName::Toss => sandbox::SECRET_KEY,
            ProviderName::Stripe => sandbox::stripe::SECRET_KEY,
        }
    }

    pub fn base_url(&self) -> String {
        self.running.base_url()
    }

    /// A client with less patience.
    pub fn hasty(&self, total: Duration) -> Box<dyn Provider> {
        client(
            self.name,
            &self.base_url(),
            Self::secret_key(self.name),
            total,
        )
    }

    /// A client with a key that nobody was given.
    pub fn stranger(&self) -> Box<dyn Provider> {
        let key = match self.name {
            ProviderName::Toss => "test_sk_of_somebody_else",
            ProviderName::Stripe => "sk_test_of_somebody_else",
        };
        client(self.name, &self.base_url(), key, PATIENT)
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

    /// Disturbs the next call of a kind.
    pub async fn fault(&self, at: At, fault: Value) {
        let endpoint = match (self.name, at) {
            (ProviderName::Toss, At::Register) => "issue",
            (ProviderName::Toss, At::Charge) => "charge",
            (ProviderName::Toss, At::Refund) => "cancel",
            (ProviderName::Toss, At::LookUp) => "order",
            (ProviderName::Toss, At::Payment) => "payment",
            (ProviderName::Toss, At::Transactions) => "transactions",
            (ProviderName::Stripe, At::Register) => "stripe_attach",
            (ProviderName::Stripe, At::Charge) => "stripe_intent_confirm",
            (ProviderName::Stripe, At::Refund) => "stripe_refund",
            (ProviderName::Stripe, At::LookUp | At::Payment) => "stripe_intent",
            (ProviderName::Stripe, At::Transactions) => "stripe_transactions",
        };
        self.fault_at(endpoint, fault).await;
    }

    pub async fn fault_at(&self, endpoint: &str, fault: Value) {
        let script = json!({ "match": { "endpoint": endpoint }, "fault": fault });
        self.control("POST", "faults", script).await;
    }

    /// How many charges and refunds the simulator ever executed, by its own books.
    pub async fn executed(&self) -> (i64, i64) {
        let summary = self.control("GET", "ledger/summary", Value::Null).await;
        let books = match self.name {
            ProviderName::Toss => &summary,
            ProviderName::Stripe => &summary["stripe"]["krw"],
        };
        let count = |name: &str| books[name].as_i64().unwrap_or(0);
        (count("charges"), count("cancels"))
    }

    /// What a browser brings back.
    pub async fn auth_key(&self) -> Secret {
        match self.name {
            ProviderName::Toss => {
                let wish = json!({ "customerKey": CUSTOMER });
                let made = self.control("POST", "auth-keys", wish).await;
                Secret::new(made["authKey"].as_str().expect("an auth key"))
            }
            ProviderName::Stripe => Secret::new("pm_card_visa"),
        }
    }

    pub async fn registering(&self, auth_key: &Secret) -> IssueOutcome {
        let call = RegisterCall {
            auth_key,
            customer_key: CUSTOMER,
            provider_customer: None,
        };
        self.client.issue(&mut Desk::new(), call).await
    }

    /// A card that pays.
    pub async fn card(&self) -> Secret {
        match self.registering(&self.auth_key().await).await {
            IssueOutcome::Issued { billing_key, .. } => billing_key,
            other => panic!("{other:?}"),
        }
    }

    /// A charge that is sent once, and what was told of it.
    pub async fn charge(&self, key: &Secret, order: &str) -> (Attempt, Evidence) {
        let mut attempt = Attempt::new(self.client.as_ref(), key, order);
        let report = attempt.send(self.client.as_ref()).await;
        (attempt, report.evidence)
    }

    /// A charge that was paid.
    pub async fn paid(&self, key: &Secret, order: &str) -> PaymentSeen {
        seen(self.charge(key, order).await.1)
    }

    pub async fn refund(
        &self,
        provider_ref: &str,
        amount: i64,
        expected_balance_minor: i64,
        tag: &str,
    ) -> Evidence {
        let body = self.client.refund_body(&RefundRequest {
            reason: &format!("고객 요청 [rf:{tag}]"),
            amount: won(amount),
            expected_balance_minor,
        });
        let call = RefundCall {
            provider_ref,
            body: &body,
            idem_key: tag,
        };
        self.client.refund(&mut Desk::new(), call).await.evidence
    }

    pub async fn payment(&self, provider_ref: &str) -> Evidence {
        let desk = &mut Desk::new();
        self.client
            .look_up_payment(desk, provider_ref)
            .await
            .evidence
    }

    pub async fn transactions(&self, limit: u32) -> Result<Vec<TransactionSeen>, ProviderError> {
        let clock = self.control("GET", "clock", Value::Null).await;
        let now = clock["now"].as_str().expect("an instant");
        let now: DateTime<Utc> = now.parse().expect("an instant");
        let (from, to) = (now - TimeDelta::days(1), now + TimeDelta::days(1));
        let mut all: Vec<TransactionSeen> = Vec::new();
        loop {
            let after = all.last().map(|row| row.transaction_key.clone());
            let page = self
                .client
                .transactions(&mut Desk::new(), from, to, after.as_deref(), limit)
                .await?;
            let is_last = page.len() < usize::try_from(limit).expect("small");
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
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

/// Evidence in a word, with what a refusal proves.
pub fn told(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Refused(refusal) => format!("refused {}", refusal.proves.as_str()),
        other => other.name().to_owned(),
    }
}
