//! What a fault script does to a request of this provider, and to its answer.
//!
//! The plan is the one that both providers share; only the words of the answer differ.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::ledger::Refusal;
use super::super::scenario::{Execution, Plan, Shape};
use super::super::shaping;
use super::account::{Answer, to_bytes};
use super::cards;
use super::problem::Problem;
use super::routes::Route;

const HTML: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
    <body><h1>Bad Gateway</h1></body></html>";
/// The codes by which scripts mean "whatever this provider says".
const ANY_DECLINE: &str = "REJECT_CARD_PAYMENT";
const ANY_ERROR: &str = "FAILED_INTERNAL_SYSTEM_PROCESSING";
const NOT_FOUND: &str = "NOT_FOUND_PAYMENT";

/// What a script wants done while the request is carried out.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    pub refused: Option<Refusal>,
    /// The provider's own answer that is given instead.
    pub spoilt: Option<(u16, Bytes)>,
    pub is_skipped: bool,
}

/// None: it never reached the provider.
pub fn read(plan: &Plan) -> Option<Scripted> {
    let spoilt = fixed(&plan.shape).filter(|_| shaping::is_of_provider(&plan.shape));
    let (refused, is_skipped) = match (&plan.execution, &spoilt) {
        (Execution::Normal, _) => (None, false),
        (Execution::Refused(refusal), _) => (Some(refusal.clone()), false),
        (Execution::Skipped, Some(_)) => (None, true),
        (Execution::Skipped, None) => return None,
    };
    Some(Scripted {
        refused,
        spoilt,
        is_skipped,
    })
}

impl Scripted {
    /// A decline for the card to give, or the problem that is answered instead of anything.
    pub fn refusal(&self, route: &Route) -> Result<Option<cards::Scripted>, Problem> {
        let Some(refusal) = &self.refused else {
            return Ok(None);
        };
        let code = refusal.code.as_ref();
        if code == NOT_FOUND {
            return Err(match route.named() {
                Some((kind, id)) => Problem::not_found(kind, id),
                None => Problem::new(404, "invalid_request_error", "No such object")
                    .code("resource_missing"),
            });
        }
        if let Some(status) = refusal.status {
            return Err(
                Problem::new(status, kind_of(status), "Something new has gone wrong.")
                    .code(code)
                    .begun(),
            );
        }
        let decline = cards::decline_named(if code == ANY_DECLINE {
            "generic_decline"
        } else {
            code
        });
        if route.asks_card() {
            Ok(Some(decline))
        } else {
            let mut problem = decline.problem();
            problem.stage = super::problem::Stage::Begun;
            Err(problem)
        }
    }
}

fn kind_of(status: u16) -> &'static str {
    match status {
        402 => "card_error",
        409 => "idempotency_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

/// The answer of a shape that needs no execution to be known.
pub fn fixed(shape: &Shape) -> Option<(u16, Bytes)> {
    match shape {
        Shape::Html(status) => Some((*status, Bytes::from_static(HTML.as_bytes()))),
        Shape::Empty(status) => Some((*status, Bytes::new())),
        Shape::TooMany { .. } => {
            let problem = Problem::new(
                429,
                "invalid_request_error",
                "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            )
            .code("rate_limit");
            Some((429, to_bytes(&problem.body())))
        }
        Shape::Coded { status, code } => {
            let code = match (*status, code.as_str()) {
                (409, ANY_ERROR) => Some("idempotency_key_in_use"),
                (429, ANY_ERROR) => Some("lock_timeout"),
                (_, ANY_ERROR) => None,
                (_, code) => Some(code),
            };
            let message = match code {
                Some("idempotency_key_in_use") => {
                    "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through). Please try again later."
                }
                Some("lock_timeout") => {
                    "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request."
                }
                _ => "An unknown error occurred.",
            };
            let mut problem = Problem::new(*status, kind_of(*status), message);
            if let Some(code) = code {
                problem = problem.code(code);
            }
            Some((*status, to_bytes(&problem.body())))
        }
        _ => None,
    }
}

/// The answer as it goes over the line.
pub fn shape(answer: Answer, shape: &Shape) -> Answer {
    if let Some((status, body)) = fixed(shape) {
        let (rate_limited, retry_after_seconds) = match shape {
            Shape::TooMany {
                retry_after_seconds,
            } => (Some("global-rate"), *retry_after_seconds),
            _ => (None, None),
        };
        return Answer {
            status,
            body,
            should_retry: None,
            is_replay: false,
            rate_limited,
            retry_after_seconds,
            ..answer
        };
    }
    match shape {
        Shape::HalfTheJson => {
            let half = answer.body.slice(..answer.body.len() / 2);
            Answer {
                body: half,
                ..answer
            }
        }
        Shape::OtherOrder => altered(answer, |object| {
            object["metadata"]["order_id"] = json!("someone-elses-order");
        }),
        Shape::OtherAmount(amount) => altered(answer, |object| {
            let wrong = amount.unwrap_or(object["amount"].as_i64().unwrap_or(0) + 1);
            object["amount"] = json!(wrong);
            if object["amount_received"]
                .as_i64()
                .is_some_and(|received| received > 0)
            {
                object["amount_received"] = json!(wrong);
            }
        }),
        Shape::MoreFields => altered(answer, |object| {
            object["loyalty"] =
                json!({ "points": 12, "tier": "NEBULA", "history": [null, 1, "x"] });
            object["settlement_hint"] = Value::Null;
        }),
        Shape::StillInProgress => altered(answer, |object| {
            object["status"] = json!("processing");
            object["amount_received"] = json!(0);
            object["latest_charge"] = Value::Null;
        }),
        _ => answer,
    }
}

/// Only a successful answer with one object is altered: a refusal stays what it is.
fn altered(answer: Answer, change: impl FnOnce(&mut Value)) -> Answer {
    if answer.status != 200 {
        return answer;
    }
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(mut object) if object.is_object() => {
            change(&mut object);
            Answer {
                body: to_bytes(&object),
                ..answer
            }
        }
        Ok(_) | Err(_) => answer,
    }
}
