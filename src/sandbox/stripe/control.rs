//! What the control interface asks of this provider: challenges of card owners, and its part of the ledger.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::server::Desk;
use super::ledger::Wanted;
use super::problem::Problem;
use super::teller::Errand;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeed,
    Fail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Challenge {
    payment_intent: String,
    outcome: Outcome,
}

/// The owner of a card completes a challenge of the bank, or fails it.
pub async fn challenge(State(desk): State<Arc<Desk>>, body: Bytes) -> Response<Body> {
    let Challenge {
        payment_intent,
        outcome,
    } = match serde_json::from_slice(&body) {
        Ok(challenge) => challenge,
        Err(error) => {
            return answer(
                StatusCode::BAD_REQUEST,
                &json!({ "error": error.to_string() }),
            );
        }
    };
    match answered(&desk, payment_intent, outcome).await {
        Some(Ok(done)) => answer(StatusCode::OK, &done["intent"]),
        Some(Err(problem)) => answer(
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST),
            &problem.body(),
        ),
        None => gone(),
    }
}

/// What comes of it; none while the simulator is shutting down.
pub(super) async fn answered(
    desk: &Desk,
    intent: String,
    outcome: Outcome,
) -> Option<Result<Value, Problem>> {
    let (reply, answered) = oneshot::channel();
    let errand = Errand::Challenge {
        intent,
        agrees: outcome == Outcome::Succeed,
        reply,
    };
    desk.stripe.send(errand).await.ok()?;
    answered.await.ok()
}

impl Desk {
    /// The entries of this provider's ledger, one JSON text each.
    pub(in super::super) async fn stripe_ledger(&self, wanted: Wanted) -> Vec<String> {
        let (reply, answered) = oneshot::channel();
        if self
            .stripe
            .send(Errand::Ledger { wanted, reply })
            .await
            .is_err()
        {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }

    /// Its sums by currency.
    pub(in super::super) async fn stripe_summary(&self) -> Value {
        let (reply, answered) = oneshot::channel();
        if self.stripe.send(Errand::Summary { reply }).await.is_err() {
            return Value::Null;
        }
        answered.await.unwrap_or_default()
    }
}

fn gone() -> Response<Body> {
    answer(
        StatusCode::SERVICE_UNAVAILABLE,
        &json!({ "error": "the simulator is shutting down" }),
    )
}

fn answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
