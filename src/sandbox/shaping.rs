//! Turns an answer into what goes over the line, as the plan of a fault wants it.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::codes::Codes;
use super::ledger::Refusal;
use super::scenario::Shape;
use super::wire::{self, Answer};

const HTML: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
    <body><h1>Bad Gateway</h1></body></html>";
const TOO_MANY: &str = "Too Many Requests";

/// The answer of a shape that needs no execution to be known; it is also what the provider binds to the key.
pub(super) fn fixed(shape: &Shape, codes: &Codes) -> Option<Answer> {
    match shape {
        Shape::Html(status) => Some(Answer::with_status(*status, HTML.into())),
        Shape::Empty(status) => Some(Answer::with_status(*status, Vec::new())),
        Shape::Coded { status, code } => {
            let refusal = Refusal {
                status: Some(*status),
                ..Refusal::code(code.clone())
            };
            Some(Answer::refused(&refusal, codes))
        }
        Shape::TooMany { .. } => Some(Answer::with_status(429, TOO_MANY.into())),
        Shape::AsIs
        | Shape::Cut
        | Shape::CutInBody
        | Shape::HalfTheJson
        | Shape::OtherOrder
        | Shape::OtherAmount(_)
        | Shape::MoreFields
        | Shape::StillInProgress => None,
    }
}

/// Whether it is the provider's own answer that is spoilt, rather than its way to the client.
pub(super) fn is_of_provider(shape: &Shape) -> bool {
    matches!(
        shape,
        Shape::Empty(_) | Shape::Coded { .. } | Shape::TooMany { .. }
    )
}

/// Where a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Nowhere,
    AtOnce,
    InBody,
}

pub(super) fn cut(shape: &Shape) -> Cut {
    match shape {
        Shape::Cut => Cut::AtOnce,
        Shape::CutInBody => Cut::InBody,
        _ => Cut::Nowhere,
    }
}

/// Applies the shape to the body.
pub(super) fn shape(answer: Answer, shape: &Shape, codes: &Codes) -> Answer {
    if let Some(fixed) = fixed(shape, codes) {
        return fixed;
    }
    match shape {
        Shape::HalfTheJson => {
            let half = answer.body.slice(..answer.body.len() / 2);
            return Answer {
                body: half,
                ..answer
            };
        }
        Shape::OtherOrder => {
            return altered(answer, |fields| {
                set(fields, "orderId", json!("someone-elses-order"));
            });
        }
        Shape::OtherAmount(amount) => {
            return altered(answer, |fields| {
                let right = fields
                    .get("totalAmount")
                    .and_then(Value::as_i64)
                    .unwrap_or(0);
                set(fields, "totalAmount", json!(amount.unwrap_or(right + 1)));
            });
        }
        Shape::MoreFields => return altered(answer, more_fields),
        Shape::StillInProgress => {
            return altered(answer, |fields| {
                set(fields, "status", json!("IN_PROGRESS"));
                set(fields, "approvedAt", Value::Null);
                set(fields, "lastTransactionKey", Value::Null);
            });
        }
        Shape::AsIs
        | Shape::Cut
        | Shape::CutInBody
        | Shape::Html(_)
        | Shape::Empty(_)
        | Shape::Coded { .. }
        | Shape::TooMany { .. } => {}
    }
    answer
}

type Fields = serde_json::Map<String, Value>;

fn set(fields: &mut Fields, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}

fn more_fields(fields: &mut Fields) {
    set(
        fields,
        "loyalty",
        json!({ "points": 12, "tier": "NEBULA", "history": [null, 1, "x"] }),
    );
    set(fields, "settlementHint", Value::Null);
    set(fields, "method", json!("양자결제"));
}

/// Only a successful answer is altered: a refusal stays what it is.
fn altered(answer: Answer, change: impl FnOnce(&mut Fields)) -> Answer {
    if answer.status != 200 {
        return answer;
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(mut fields)) => {
            change(&mut fields);
            Answer {
                body: wire::to_bytes(&fields).into(),
                ..answer
            }
        }
        Ok(_) | Err(_) => answer,
    }
}

/// What every answer carries besides its body.
pub(super) struct Headers<'a> {
    pub trace: &'a str,
    pub idempotency_key: Option<&'a HeaderValue>,
}

pub(super) fn response(answer: Answer, shape: &Shape, headers: &Headers<'_>) -> Response<Body> {
    let trace = match &answer.original_trace {
        Some(original) => format!("{}, {original}", headers.trace),
        None => headers.trace.to_owned(),
    };
    let content_type = match shape {
        Shape::Html(_) => "text/html",
        Shape::TooMany { .. } => "text/plain",
        _ => "application/json",
    };
    let is_empty = answer.body.is_empty();
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let map = response.headers_mut();
    if !is_empty {
        map.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Ok(trace) = HeaderValue::from_str(&trace) {
        map.insert("x-tosspayments-trace-id", trace);
    }
    if let Some(key) = headers.idempotency_key {
        map.insert("idempotency-key", key.clone());
    }
    map.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, max-age=0, must-revalidate"),
    );
    if let Shape::TooMany {
        retry_after_seconds: Some(seconds),
    } = shape
    {
        map.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}
