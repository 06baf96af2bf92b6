//! The control interface under `/_sandbox`: faults, clock, latency, switches, and what the customer would do in a window.
//!
//! It is for tests, the demo and people with curl; the provider has nothing like it. No password: loopback only.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode, header};
use axum::routing::{delete, get, post};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::clerk::{Forced, Job, Task};
use super::ledger::{CancelRequest, CardDraft};
use super::persist::{self, LedgerPage};
use super::scripts::Script;
use super::server::Desk;
use super::shared::locked;
use super::switches::Switches;
use super::wire;

type Reply = Response<Body>;

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/_sandbox/ledger", get(ledger))
        .route("/_sandbox/ledger/summary", get(summary))
        .route(
            "/_sandbox/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route("/_sandbox/faults/{id}", delete(remove_fault))
        .route("/_sandbox/clock", get(clock).post(move_clock))
        .route("/_sandbox/latency", get(latency).post(set_latency))
        .route("/_sandbox/switches", get(switches).post(set_switches))
        .route("/_sandbox/requests", get(requests).delete(clear_requests))
        .route("/_sandbox/auth-keys", post(register))
        .route("/_sandbox/checkouts", post(open_checkout))
        .route("/_sandbox/events", post(event))
        .route(
            "/_sandbox/webhooks",
            get(webhooks).post(add_webhook).delete(clear_webhooks),
        )
}

fn ok(value: &Value) -> Reply {
    answer(StatusCode::OK, wire::to_bytes(value))
}

fn wrong(reason: impl std::fmt::Display) -> Reply {
    answer(
        StatusCode::BAD_REQUEST,
        wire::to_bytes(&json!({ "error": reason.to_string() })),
    )
}

fn answer(status: StatusCode, body: impl Into<Body>) -> Reply {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Bodies are JSON whatever content type the caller names.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(wrong)
}

#[derive(Deserialize)]
struct LedgerFilter {
    order: Option<String>,
    customer: Option<String>,
}

/// One JSON array, one entry on each line, streamed page by page.
async fn ledger(State(desk): State<Arc<Desk>>, Query(filter): Query<LedgerFilter>) -> Reply {
    let start = Walk {
        page: LedgerPage::Charges { after: 0 },
        is_open: false,
        has_entries: false,
    };
    let pages = stream::unfold(Some(start), move |walk| {
        let desk = Arc::clone(&desk);
        let (order, customer) = (filter.order.clone(), filter.customer.clone());
        async move {
            let walk = walk?;
            let read = persist::ledger_page(
                &desk.file.read,
                &walk.page,
                order.as_deref(),
                customer.as_deref(),
            )
            .await;
            Some(match read {
                Ok((entries, next)) => {
                    let (text, walk) = walk.go_on(&entries, next);
                    (Ok(text), walk)
                }
                Err(error) => (Err(std::io::Error::other(error)), None),
            })
        }
    });
    answer(StatusCode::OK, Body::from_stream(pages))
}

/// A walk through the ledger that writes one array.
struct Walk {
    page: LedgerPage,
    is_open: bool,
    has_entries: bool,
}

impl Walk {
    fn go_on(mut self, entries: &[String], next: LedgerPage) -> (String, Option<Self>) {
        let mut text = String::from(if self.is_open { "" } else { "[" });
        for entry in entries {
            text.push_str(if self.has_entries { ",\n" } else { "\n" });
            text.push_str(entry);
            self.has_entries = true;
        }
        if next == LedgerPage::End {
            text.push_str("\n]\n");
            return (text, None);
        }
        (
            text,
            Some(Self {
                page: next,
                is_open: true,
                ..self
            }),
        )
    }
}

async fn summary(State(desk): State<Arc<Desk>>) -> Reply {
    match persist::ledger_summary(&desk.file.read).await {
        Ok(summary) => answer(StatusCode::OK, wire::to_bytes(&summary)),
        Err(error) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            wire::to_bytes(&json!({ "error": error.to_string() })),
        ),
    }
}

async fn faults(State(desk): State<Arc<Desk>>) -> Reply {
    let body = wire::to_bytes(&locked(&desk.shared.scripts).list());
    answer(StatusCode::OK, body)
}

/// One script or a list of them.
async fn add_fault(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let posted: Value = match read(&body) {
        Ok(posted) => posted,
        Err(reply) => return reply,
    };
    let is_list = posted.is_array();
    let scripts = if is_list {
        serde_json::from_value::<Vec<Script>>(posted)
    } else {
        serde_json::from_value::<Script>(posted).map(|script| vec![script])
    };
    let scripts = match scripts {
        Ok(scripts) => scripts,
        Err(error) => return wrong(error),
    };
    let mut standing = locked(&desk.shared.scripts);
    let ids: Vec<u64> = scripts
        .into_iter()
        .map(|script| standing.add(script))
        .collect();
    ok(&match ids.as_slice() {
        [id] if !is_list => json!({ "id": id }),
        _ => json!({ "ids": ids }),
    })
}

async fn clear_faults(State(desk): State<Arc<Desk>>) -> Reply {
    locked(&desk.shared.scripts).clear();
    ok(&json!({ "faults": [] }))
}

async fn remove_fault(State(desk): State<Arc<Desk>>, Path(id): Path<u64>) -> Reply {
    match locked(&desk.shared.scripts).remove(id) {
        Some(removed) => answer(StatusCode::OK, wire::to_bytes(&removed)),
        None => answer(
            StatusCode::NOT_FOUND,
            wire::to_bytes(&json!({ "error": "no such script" })),
        ),
    }
}

fn clock_json(desk: &Desk) -> Value {
    let now = desk.shared.clock.now();
    json!({
        "now": now.to_rfc3339_opts(SecondsFormat::Micros, true),
        "now_us": now.timestamp_micros(),
        "offset_us": desk.shared.clock.offset_us(),
    })
}

async fn clock(State(desk): State<Arc<Desk>>) -> Reply {
    ok(&clock_json(&desk))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockMove {
    advance_seconds: Option<i64>,
    set: Option<DateTime<Utc>>,
}

async fn move_clock(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let wish: ClockMove = match read(&body) {
        Ok(wish) => wish,
        Err(reply) => return reply,
    };
    let offset_us = match (wish.advance_seconds.map(TimeDelta::try_seconds), wish.set) {
        (Some(Some(by)), None) => desk.shared.clock.advance(by),
        (None, Some(to)) => desk.shared.clock.set(to),
        _ => return wrong("give either advance_seconds or set"),
    };
    match persist::put_setting(&desk.file.write, "clock_offset_us", offset_us.to_string()).await {
        Ok(()) => ok(&clock_json(&desk)),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn latency(State(desk): State<Arc<Desk>>) -> Reply {
    ok(&json!({ "ms": desk.shared.latency_ms.load(Ordering::Relaxed) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    ms: u64,
}

async fn set_latency(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Latency>(&body) {
        Ok(Latency { ms }) => {
            desk.shared.latency_ms.store(ms, Ordering::Relaxed);
            ok(&json!({ "ms": ms }))
        }
        Err(reply) => reply,
    }
}

async fn switches(State(desk): State<Arc<Desk>>) -> Reply {
    answer(StatusCode::OK, wire::to_bytes(&desk.shared.switches()))
}

/// Changes the named switches and leaves the others.
async fn set_switches(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let wish: serde_json::Map<String, Value> = match read(&body) {
        Ok(wish) => wish,
        Err(reply) => return reply,
    };
    let mut switches = desk
        .shared
        .switches
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let Ok(Value::Object(mut all)) = serde_json::to_value(&*switches) else {
        return wrong("switches cannot be written");
    };
    all.extend(wish);
    match serde_json::from_value::<Switches>(Value::Object(all)) {
        Ok(changed) => {
            *switches = changed;
            answer(StatusCode::OK, wire::to_bytes(&*switches))
        }
        Err(error) => wrong(error),
    }
}

async fn requests(State(desk): State<Arc<Desk>>) -> Reply {
    let body = locked(&desk.shared.requests).as_json();
    answer(StatusCode::OK, body)
}

async fn clear_requests(State(desk): State<Arc<Desk>>) -> Reply {
    locked(&desk.shared.requests).clear();
    ok(&json!([]))
}

async fn tell_clerk(desk: &Desk, task: Task) -> Reply {
    let (reply, answered) = oneshot::channel();
    let job = Job {
        task,
        scope: None,
        trace: String::new(),
        forced: Forced::No,
        bind_instead: None,
        reply,
    };
    let done = desk.ask_clerk(job, answered).await;
    let status = StatusCode::from_u16(done.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = if done.body.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        done.body
    };
    answer(status, body)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Registration {
    customer_key: String,
    #[serde(default)]
    card: CardDraft,
}

async fn register(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Registration>(&body) {
        Ok(Registration { customer_key, card }) => {
            tell_clerk(&desk, Task::Register { customer_key, card }).await
        }
        Err(reply) => reply,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Checkout {
    order_id: String,
    amount: i64,
    customer_key: Option<String>,
    #[serde(default)]
    card: CardDraft,
}

async fn open_checkout(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Checkout>(&body) {
        Ok(Checkout {
            order_id,
            amount,
            customer_key,
            card,
        }) => {
            tell_clerk(
                &desk,
                Task::OpenCheckout {
                    order_id,
                    amount,
                    customer_key,
                    card,
                },
            )
            .await
        }
        Err(reply) => reply,
    }
}

/// Something that happens at the provider without the merchant's API.
#[derive(Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Event {
    /// A refund made in the provider's own console.
    Refund {
        payment_key: String,
        amount: Option<i64>,
        reason: Option<String>,
    },
    /// A customer or the provider removes a card.
    DeleteBillingKey {
        billing_key: Option<String>,
        customer_key: Option<String>,
    },
}

async fn event(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Event>(&body) {
        Ok(Event::Refund {
            payment_key,
            amount,
            reason,
        }) => {
            let reason = reason.unwrap_or_else(|| "상점관리자 취소".to_owned());
            let request = CancelRequest {
                reason: Some(reason),
                amount,
                ..CancelRequest::default()
            };
            tell_clerk(
                &desk,
                Task::Cancel {
                    payment_key,
                    request: Ok(request),
                },
            )
            .await
        }
        Ok(Event::DeleteBillingKey {
            billing_key: Some(billing_key),
            customer_key: None,
        }) => {
            tell_clerk(
                &desk,
                Task::DeleteKey {
                    billing_key,
                    reason: "고객 요청",
                },
            )
            .await
        }
        Ok(Event::DeleteBillingKey {
            billing_key: None,
            customer_key: Some(customer_key),
        }) => delete_keys_of(&desk, &customer_key).await,
        Ok(Event::DeleteBillingKey { .. }) => wrong("give either billingKey or customerKey"),
        Err(reply) => reply,
    }
}

async fn delete_keys_of(desk: &Desk, customer_key: &str) -> Reply {
    let keys = match persist::billing_keys_of_customer(&desk.file.read, customer_key).await {
        Ok(keys) => keys,
        Err(error) => return answer(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let deleted = keys.len();
    for billing_key in keys {
        drop(
            tell_clerk(
                desk,
                Task::DeleteKey {
                    billing_key,
                    reason: "고객 요청",
                },
            )
            .await,
        );
    }
    ok(&json!({ "deleted": deleted }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: String,
}

async fn webhooks(State(desk): State<Arc<Desk>>) -> Json<Vec<String>> {
    Json(locked(&desk.shared.webhooks).clone())
}

async fn add_webhook(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let Webhook { url } = match read(&body) {
        Ok(webhook) => webhook,
        Err(reply) => return reply,
    };
    if !url.starts_with("http://") {
        return wrong("the simulator delivers webhooks to http:// addresses only");
    }
    let all = {
        let mut all = locked(&desk.shared.webhooks);
        if !all.contains(&url) {
            all.push(url);
        }
        all.clone()
    };
    keep_webhooks(&desk, all).await
}

async fn clear_webhooks(State(desk): State<Arc<Desk>>) -> Reply {
    locked(&desk.shared.webhooks).clear();
    keep_webhooks(&desk, Vec::new()).await
}

async fn keep_webhooks(desk: &Desk, all: Vec<String>) -> Reply {
    let all = json!(all);
    match persist::put_setting(&desk.file.write, "webhooks", all.to_string()).await {
        Ok(()) => ok(&json!({ "webhooks": all })),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
