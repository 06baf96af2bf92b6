//! Stripe over bare sockets: forms go in, what comes over the line comes out.

use paydeck::sandbox::stripe::SECRET_KEY;
use serde_json::Value;

use super::support::{Bench, Reply};

pub const VERSION: &str = "2025-03-31.basil";

impl Reply {
    /// Status, type, code, and decline code or param of an error.
    pub fn problem(&self) -> (u16, String, String, String) {
        let error = &self.json()["error"];
        let text = |name: &str| error[name].as_str().unwrap_or("-").to_owned();
        let last = if error["decline_code"].is_string() {
            text("decline_code")
        } else {
            text("param")
        };
        (self.status, text("type"), text("code"), last)
    }

    pub fn id(&self) -> String {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()["id"].as_str().expect("an id").to_owned()
    }
}

impl Bench {
    pub async fn try_stripe(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> std::io::Result<Reply> {
        let auth = format!("Bearer {SECRET_KEY}");
        let mut all = vec![
            ("authorization", auth.as_str()),
            ("stripe-version", VERSION),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        all.extend_from_slice(headers);
        let encoded: String = form
            .chars()
            .map(|c| if c == ' ' { '+' } else { c })
            .collect();
        if method == "POST" {
            self.send(method, &format!("/v1/{path}"), &all, &encoded)
                .await
        } else if form.is_empty() {
            self.send(method, &format!("/v1/{path}"), &all, "").await
        } else {
            self.send(method, &format!("/v1/{path}?{encoded}"), &all, "")
                .await
        }
    }

    pub async fn post(&self, path: &str, form: &str) -> Reply {
        self.try_stripe("POST", path, &[], form)
            .await
            .expect("an answer")
    }

    pub async fn keyed(&self, path: &str, key: &str, form: &str) -> Reply {
        self.try_stripe("POST", path, &[("idempotency-key", key)], form)
            .await
            .expect("an answer")
    }

    pub async fn read(&self, path: &str, query: &str) -> Value {
        let reply = self.look(path, query).await;
        assert_eq!(
            reply.status,
            200,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        reply.json()
    }

    pub async fn look(&self, path: &str, query: &str) -> Reply {
        self.try_stripe("GET", path, &[], query)
            .await
            .expect("an answer")
    }

    /// A customer with a card as default; both ids.
    pub async fn customer(&self, card: &str) -> (String, String) {
        let made = self
            .post("customers", "email=kim@example.com&name=kim")
            .await
            .id();
        let card = self
            .post(
                &format!("payment_methods/{card}/attach"),
                &format!("customer={made}"),
            )
            .await
            .id();
        let settings = format!("invoice_settings[default_payment_method]={card}");
        assert_eq!(
            self.post(&format!("customers/{made}"), &settings)
                .await
                .status,
            200
        );
        (made, card)
    }

    /// An intent that waits for its confirmation.
    pub async fn intent(&self, of: &(String, String), order: &str, amount: i64) -> String {
        self.post("payment_intents", &intent_of(of, order, amount))
            .await
            .id()
    }

    pub async fn confirm(&self, intent: &str, key: &str) -> Reply {
        let path = format!("payment_intents/{intent}/confirm");
        self.keyed(&path, key, "off_session=true&expand[0]=latest_charge")
            .await
    }

    pub async fn stripe_ledger(&self) -> Vec<Value> {
        self.read_control("ledger?provider=stripe")
            .await
            .as_array()
            .expect("an array")
            .clone()
    }
}

pub fn intent_of((customer, card): &(String, String), order: &str, amount: i64) -> String {
    format!(
        "amount={amount}&currency=usd&customer={customer}&payment_method={card}&payment_method_types[0]=card&metadata[order_id]={order}"
    )
}
