//! What the simulator was asked, for tests and people to read. Bounded; keys in paths are masked, secret keys never kept.

use std::collections::VecDeque;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::routes::masked_path;
use super::scripts::Endpoint;
use super::wire::iso;

const KEPT: usize = 5_000;
const KEPT_BODY_BYTES: usize = 4_096;

/// One request, and what became of it.
#[derive(Debug)]
pub(super) struct Seen {
    pub number: u64,
    pub at: DateTime<Utc>,
    pub endpoint: Option<Endpoint>,
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub body: Bytes,
    pub idempotency_key: Option<String>,
    /// None while it runs, and when the answer was cut off.
    pub status: Option<u16>,
    pub fault: Option<Value>,
}

#[derive(Debug, Default)]
pub(super) struct RequestLog {
    seen: VecDeque<Seen>,
    last_number: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeenJson<'a> {
    number: u64,
    at: String,
    endpoint: Option<Endpoint>,
    method: &'a str,
    path: String,
    query: Option<&'a str>,
    body: Value,
    idempotency_key: Option<&'a str>,
    status: Option<u16>,
    fault: Option<&'a Value>,
}

impl RequestLog {
    pub(super) fn add(&mut self, mut seen: Seen) -> u64 {
        self.last_number += 1;
        seen.number = self.last_number;
        // A copy, because the bytes share the connection's whole read buffer.
        let kept = seen.body.len().min(KEPT_BODY_BYTES);
        seen.body = Bytes::copy_from_slice(&seen.body[..kept]);
        if self.seen.len() == KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
        self.last_number
    }

    pub(super) fn find(&mut self, number: u64) -> Option<&mut Seen> {
        let oldest = self.seen.front()?.number;
        let at = usize::try_from(number.checked_sub(oldest)?).ok()?;
        self.seen.get_mut(at)
    }

    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }

    pub(super) fn as_json(&self) -> Vec<u8> {
        let all: Vec<SeenJson<'_>> = self.seen.iter().map(as_json).collect();
        serde_json::to_vec(&all).unwrap_or_default()
    }
}

fn as_json(seen: &Seen) -> SeenJson<'_> {
    SeenJson {
        number: seen.number,
        at: iso(seen.at),
        endpoint: seen.endpoint,
        method: &seen.method,
        path: masked_path(&seen.path),
        query: seen.query.as_deref(),
        body: shown_body(&seen.body),
        idempotency_key: seen.idempotency_key.as_deref(),
        status: seen.status,
        fault: seen.fault.as_ref(),
    }
}

/// The body as JSON where it is JSON, with what opens a billing key or a card blanked.
fn shown_body(body: &Bytes) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut fields)) => {
            for secret in [
                "authKey",
                "billingKey",
                "cardNumber",
                "cardPassword",
                "customerIdentityNumber",
            ] {
                if let Some(value) = fields.get_mut(secret) {
                    *value = Value::from("***");
                }
            }
            Value::Object(fields)
        }
        Ok(other) => other,
        Err(_) => Value::from(String::from_utf8_lossy(body)),
    }
}
