//! What the simulator says on the wire: the provider's objects, every key present, `null` where there is nothing.
//!
//! These types are the simulator's own. They share nothing with the client's, so that the two can disagree.

mod billing;
mod payment;

use axum::body::Bytes;
use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;

use super::codes::Codes;
use super::ledger::Refusal;

pub(super) use billing::billing;
pub(super) use payment::payment;

const KOREA: i32 = 9 * 3600;
const API_VERSION: &str = "2022-11-16";

fn korean(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    match FixedOffset::east_opt(KOREA) {
        Some(zone) => at.with_timezone(&zone),
        None => at.fixed_offset(),
    }
}

/// `2022-06-08T15:40:09+09:00`.
pub(super) fn iso(at: DateTime<Utc>) -> String {
    korean(at).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `2022-01-01T00:00:00.000000`, without an offset, as webhooks carry it.
pub(super) fn event_time(at: DateTime<Utc>) -> String {
    korean(at).format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// `20220608154009`, as in payment keys.
pub(super) fn compact_time(at: DateTime<Utc>) -> String {
    korean(at).format("%Y%m%d%H%M%S").to_string()
}

/// Always `null`: a part of the object that this simulator has nothing to say about.
type Absent = Option<()>;

#[derive(Serialize)]
struct FailureJson<'a> {
    code: &'a str,
    message: &'a str,
}

/// `{"code":…,"message":…}`.
pub(super) fn refusal(refusal: &Refusal, codes: &Codes) -> Vec<u8> {
    let code = refusal.code.as_ref();
    to_bytes(&FailureJson {
        code,
        message: codes.message(code),
    })
}

/// One row of /v1/transactions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionJson {
    pub m_id: String,
    pub transaction_key: String,
    pub payment_key: String,
    pub order_id: String,
    pub method: &'static str,
    pub customer_key: Option<String>,
    pub use_escrow: bool,
    pub receipt_url: String,
    pub status: String,
    pub transaction_at: String,
    pub currency: &'static str,
    pub amount: i64,
}

/// Everything rendered here is maps with string keys and integers, which cannot fail to become JSON.
pub(super) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// An answer as it goes out, before any fault is applied to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Bytes,
    /// Set on a replay: the trace id of the first answer.
    pub original_trace: Option<String>,
}

impl Answer {
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self::with_status(200, body)
    }

    pub(super) fn with_status(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body: Bytes::from(body),
            original_trace: None,
        }
    }

    pub(super) fn refused(refused: &Refusal, codes: &Codes) -> Self {
        Self::with_status(codes.status(refused), refusal(refused, codes))
    }
}
