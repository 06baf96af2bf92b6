//! Clock, latency, switches, and the log of requests.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::persist;
use super::super::server::Desk;
use super::super::shared::locked;
use super::super::switches::Switches;
use super::super::wire;
use super::{Reply, answer, failed, ok, read, wrong};

fn clock_json(desk: &Desk) -> Value {
    let now = desk.shared.clock.now();
    json!({
        "now": now.to_rfc3339_opts(SecondsFormat::Micros, true),
        "now_us": now.timestamp_micros(),
        "offset_us": desk.shared.clock.offset_us(),
    })
}

pub(super) async fn clock(State(desk): State<Arc<Desk>>) -> Reply {
    ok(&clock_json(&desk))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockMove {
    advance_seconds: Option<i64>,
    set: Option<DateTime<Utc>>,
}

pub(super) async fn move_clock(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let wish: ClockMove = match read(&body) {
        Ok(wish) => wish,
        Err(error) => return wrong(error),
    };
    let offset_us = match (wish.advance_seconds.map(TimeDelta::try_seconds), wish.set) {
        (Some(Some(by)), None) => desk.shared.clock.advance(by),
        (None, Some(to)) => desk.shared.clock.set(to),
        _ => return wrong("give either advance_seconds or set"),
    };
    match persist::put_setting(&desk.file.write, "clock_offset_us", offset_us.to_string()).await {
        Ok(()) => ok(&clock_json(&desk)),
        Err(error) => failed(&error),
    }
}

pub(super) async fn latency(State(desk): State<Arc<Desk>>) -> Reply {
    ok(&json!({ "ms": desk.shared.latency_ms.load(Ordering::Relaxed) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    ms: u64,
}

pub(super) async fn set_latency(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    match read::<Latency>(&body) {
        Ok(Latency { ms }) => {
            desk.shared.latency_ms.store(ms, Ordering::Relaxed);
            ok(&json!({ "ms": ms }))
        }
        Err(error) => wrong(error),
    }
}

pub(super) async fn switches(State(desk): State<Arc<Desk>>) -> Reply {
    answer(StatusCode::OK, wire::to_bytes(&desk.shared.switches()))
}

/// Changes the named switches and leaves the others.
pub(super) async fn set_switches(State(desk): State<Arc<Desk>>, body: Bytes) -> Reply {
    let wish: serde_json::Map<String, Value> = match read(&body) {
        Ok(wish) => wish,
        Err(error) => return wrong(error),
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

pub(super) async fn requests(State(desk): State<Arc<Desk>>) -> Reply {
    let body = locked(&desk.shared.requests).as_json();
    answer(StatusCode::OK, body)
}

pub(super) async fn clear_requests(State(desk): State<Arc<Desk>>) -> Reply {
    locked(&desk.shared.requests).clear();
    ok(&json!([]))
}
