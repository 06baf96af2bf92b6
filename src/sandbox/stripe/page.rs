//! The bank's page: what a card's owner sees at the link of a payment that waits for them, with its two buttons.
//!
//! It stands where the provider's own would; what is pressed goes the same way as a challenge of the control interface.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;

use super::super::server::Desk;
use super::control::{Outcome, answered};

/// Where it stands.
pub(in super::super) const PATH: &str = "/3d_secure_2/hosted";
/// Where somebody ends up who came without an address to return to.
pub(in super::super) const BACK: &str = "/3d_secure_2/returned";

/// Which payment, and on the way back what was pressed.
#[derive(Deserialize)]
pub(in super::super) struct Shown {
    payment_intent: String,
    outcome: Option<Outcome>,
}

/// The page.
pub(in super::super) async fn show(Query(shown): Query<Shown>) -> Response<Body> {
    if !is_id(&shown.payment_intent) {
        return html(StatusCode::BAD_REQUEST, "No such payment.");
    }
    let button = |outcome: &str, word: &str| {
        format!(
            "<form method=\"post\" action=\"{PATH}?payment_intent={}&amp;outcome={outcome}\"><button>{word}</button></form>",
            shown.payment_intent
        )
    };
    let body = format!(
        "<h1>3D Secure 2 test page</h1><p>Payment {}</p>{}{}",
        shown.payment_intent,
        button("succeed", "Complete"),
        button("fail", "Fail")
    );
    html(StatusCode::OK, &body)
}

/// A button was pressed: the owner is led back to the shop.
pub(in super::super) async fn press(
    State(desk): State<Arc<Desk>>,
    Query(shown): Query<Shown>,
) -> Response<Body> {
    let Some(outcome) = shown.outcome.filter(|_| is_id(&shown.payment_intent)) else {
        return html(StatusCode::BAD_REQUEST, "No such payment.");
    };
    let id = shown.payment_intent;
    match answered(&desk, id.clone(), outcome).await {
        Some(Ok(done)) => {
            let back = done["return_url"].as_str().unwrap_or(BACK);
            let joint = if back.contains('?') { '&' } else { '?' };
            let word = match outcome {
                Outcome::Succeed => "succeeded",
                Outcome::Fail => "failed",
            };
            let to = format!("{back}{joint}payment_intent={id}&redirect_status={word}");
            let mut response = html(StatusCode::SEE_OTHER, "");
            if let Ok(to) = HeaderValue::from_str(&to) {
                response.headers_mut().insert(header::LOCATION, to);
            }
            response
        }
        Some(Err(_)) => html(StatusCode::CONFLICT, "This payment does not wait for you."),
        None => html(StatusCode::SERVICE_UNAVAILABLE, "Try again later."),
    }
}

/// Back from the bank.
pub(in super::super) async fn returned() -> Response<Body> {
    html(StatusCode::OK, "Thank you. You can close this window.")
}

fn is_id(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=255).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn html(status: StatusCode, body: &str) -> Response<Body> {
    let page = format!("<!doctype html><meta charset=\"utf-8\"><title>3D Secure</title>{body}");
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
