//! The control interface under `/_sandbox`: faults, clock, latency, switches, and what the customer would do in a window.
//!
//! It is for tests, the demo and people with curl; the provider has nothing like it. No password: loopback only.

mod books;
mod hooks;
mod knobs;
mod scripts;
mod window;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode, header};
use axum::routing::{delete, get, post};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::SandboxError;
use super::server::Desk;
use super::stripe;
use super::wire;

type Reply = Response<Body>;

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/_sandbox/ledger", get(books::ledger))
        .route("/_sandbox/ledger/summary", get(books::summary))
        .route(
            "/_sandbox/faults",
            get(scripts::faults)
                .post(scripts::add_fault)
                .delete(scripts::clear_faults),
        )
        .route("/_sandbox/faults/{id}", delete(scripts::remove_fault))
        .route("/_sandbox/clock", get(knobs::clock).post(knobs::move_clock))
        .route(
            "/_sandbox/latency",
            get(knobs::latency).post(knobs::set_latency),
        )
        .route(
            "/_sandbox/switches",
            get(knobs::switches).post(knobs::set_switches),
        )
        .route(
            "/_sandbox/requests",
            get(knobs::requests).delete(knobs::clear_requests),
        )
        .route("/_sandbox/auth-keys", post(window::register))
        .route("/_sandbox/checkouts", post(window::open_checkout))
        .route("/_sandbox/events", post(window::event))
        .route(
            stripe::page::PATH,
            get(stripe::page::show).post(stripe::page::press),
        )
        .route(stripe::page::BACK, get(stripe::page::returned))
        .route(
            "/_sandbox/stripe/challenges",
            post(stripe::control::challenge),
        )
        .route(
            "/_sandbox/webhooks",
            get(hooks::webhooks)
                .post(hooks::add_webhook)
                .delete(hooks::clear_webhooks),
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
fn read<T: DeserializeOwned>(body: &Bytes) -> serde_json::Result<T> {
    serde_json::from_slice(body)
}

/// The file failed; what was asked for may not have been kept.
fn failed(error: &SandboxError) -> Reply {
    answer(
        StatusCode::INTERNAL_SERVER_ERROR,
        wire::to_bytes(&json!({ "error": error.to_string() })),
    )
}
