//! The provider's face: reads a request, lets the teller answer it, and follows the plan of a fault.
//!
//! Authentication comes first, then the key in flight, then everything else. What was begun is finished even when the
//! client has gone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::connection::Line;
use super::super::idempotency::{Entered, Scope};
use super::super::requests::Seen;
use super::super::scenario::{Plan, Shape};
use super::super::scripts::Subject;
use super::super::server::{Call, Desk};
use super::super::shaping::{self, Cut};
use super::super::shared::locked;
use super::account::{Answer, Request, to_bytes};
use super::auth;
use super::form::Form;
use super::problem::Problem;
use super::room::DEFAULT_VERSION;
use super::routes::Route;
use super::script::{self, Scripted};
use super::teller::{self, Errand};

const LONGEST_KEY: usize = 255;

impl Desk {
    /// Serves one request of this provider.
    pub(in super::super) async fn serve_stripe(
        &self,
        call: Call,
        line: &Line,
        sender: oneshot::Sender<Response<Body>>,
    ) {
        let started = Instant::now();
        let number = self.note_stripe(&call);
        let refused = self.admit_stripe(&call);
        let plan = match refused {
            Ok(_) => self.plan_stripe(&call, number).await,
            Err(_) => Plan::undisturbed(),
        };
        if let Some(late_ms) = plan.late_ms {
            line.cut();
            drop(sender);
            tokio::time::sleep(Duration::from_millis(late_ms)).await;
            if let Ok(secret_key) = refused {
                drop(self.execute_stripe(&call, &secret_key, &plan).await);
            }
            return;
        }
        let latency = Duration::from_millis(self.shared.latency_ms.load(Ordering::Relaxed));
        let executed_at = started + latency / 2 + Duration::from_millis(plan.wait_before_ms);
        let answered_at =
            started + latency + Duration::from_millis(plan.wait_before_ms + plan.wait_after_ms);
        let answer = match refused {
            Ok(secret_key) => {
                self.within_times(&call, &secret_key, &plan, executed_at, answered_at)
                    .await
            }
            Err(problem) => self.plain(&call, &problem),
        };
        match shaping::cut(&plan.shape) {
            Cut::Nowhere => {}
            Cut::AtOnce => line.cut(),
            Cut::InBody => line.cut_after_body_bytes(answer.body.len() / 2),
        }
        let answer = script::shape(answer, &plan.shape);
        if plan.shape != Shape::Cut
            && let Some(seen) = locked(&self.shared.requests).find(number)
        {
            seen.status = Some(answer.status);
        }
        // The client may have gone.
        drop(sender.send(response(answer, &call, &plan.shape)));
    }

    fn note_stripe(&self, call: &Call) -> u64 {
        let route = Route::parse(&call.method, &call.path);
        locked(&self.shared.requests).add(Seen {
            number: 0,
            at: self.shared.clock.now(),
            endpoint: route.as_ref().map(Route::endpoint),
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            body: without_card(&call.body),
            idempotency_key: key_of(call),
            status: None,
            fault: None,
        })
    }

    fn admit_stripe(&self, call: &Call) -> Result<String, Problem> {
        let sent = call
            .headers
            .get(header::AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        let secret_key = auth::authenticate(sent, &self.shared.stripe_secret_keys)?;
        if key_of(call).is_some_and(|key| key.chars().count() > LONGEST_KEY) {
            return Err(Problem::new(
                400,
                "idempotency_error",
                format!("Idempotency keys may be up to {LONGEST_KEY} characters long."),
            ));
        }
        Ok(secret_key)
    }

    async fn plan_stripe(&self, call: &Call, number: u64) -> Plan {
        let Some(route) = Route::parse(&call.method, &call.path) else {
            return Plan::undisturbed();
        };
        let limit = self.shared.switches().rate_limit_per_minute;
        if self.shared.is_over_limit(route.endpoint(), limit) {
            return Plan::too_many();
        }
        if locked(&self.shared.scripts).is_empty() {
            return Plan::undisturbed();
        }
        let subject = self.subject_of(call, &route).await;
        let chance = || locked(&self.shared.ids).chance_per_mille();
        let fault = locked(&self.shared.scripts).strike(route.endpoint(), &subject, chance);
        let Some(fault) = fault else {
            return Plan::undisturbed();
        };
        if let Some(seen) = locked(&self.shared.requests).find(number) {
            seen.fault = serde_json::to_value(&fault).ok();
        }
        fault.plan()
    }

    /// What the parameters say, and what the object that is named says.
    async fn subject_of(&self, call: &Call, route: &Route) -> Subject {
        let text = if call.method == "POST" {
            String::from_utf8_lossy(&call.body).into_owned()
        } else {
            call.query.clone().unwrap_or_default()
        };
        let form = Form::parse(&text).unwrap_or_default();
        let given = |name: &str| form.text(name).map(str::to_owned);
        let named = route
            .named()
            .map(|(_, id)| id.to_owned())
            .or_else(|| given("payment_intent"))
            .or_else(|| given("charge"));
        let mut subject = Subject {
            customer: given("customer"),
            order: form.below("metadata").text("order_id").map(str::to_owned),
            payment: given("payment_intent"),
        };
        if let Some(id) = named {
            let (reply, answered) = oneshot::channel();
            let errand = Errand::Subject {
                id: id.clone(),
                reply,
            };
            if self.stripe.send(errand).await.is_ok()
                && let Ok((customer, order)) = answered.await
            {
                subject.customer = subject.customer.or(customer);
                subject.order = subject.order.or(order);
            }
            if id.starts_with("pi_") {
                subject.payment = Some(id);
            } else if id.starts_with("cus_") {
                subject.customer = Some(id);
            }
        }
        subject
    }

    /// Executes between the two times; a second request under the same key meets "in use" all the while.
    async fn within_times(
        &self,
        call: &Call,
        secret_key: &str,
        plan: &Plan,
        executed_at: Instant,
        answered_at: Instant,
    ) -> Answer {
        let entered = match self.enter(call, secret_key) {
            Ok(entered) => entered,
            Err(problem) => return self.plain(call, &problem),
        };
        tokio::time::sleep_until(executed_at).await;
        let answer = self.execute_stripe(call, secret_key, plan).await;
        if answered_at > Instant::now() {
            tokio::time::sleep_until(answered_at).await;
        }
        drop(entered);
        answer
    }

    fn enter(&self, call: &Call, secret_key: &str) -> Result<Option<Entered>, Problem> {
        let Some(scope) = scope_of(call, secret_key) else {
            return Ok(None);
        };
        match self.shared.in_flight.enter(scope) {
            Some(entered) => Ok(Some(entered)),
            None => Err(in_use()),
        }
    }

    async fn execute_stripe(&self, call: &Call, secret_key: &str, plan: &Plan) -> Answer {
        let Some(scripted) = script::read(plan) else {
            return Answer::plain(502, Bytes::new(), String::new(), DEFAULT_VERSION);
        };
        let request = Box::new(request_of(call, secret_key, scripted));
        let (reply, answered) = oneshot::channel();
        let errand = Errand::Request { request, reply };
        if self.stripe.send(errand).await.is_ok()
            && let Ok(answer) = answered.await
        {
            return answer;
        }
        let (status, body) = teller::gone();
        Answer::plain(status, body, String::new(), DEFAULT_VERSION)
    }

    /// A refusal before anything was begun.
    fn plain(&self, call: &Call, problem: &Problem) -> Answer {
        let request_id = format!("req_{}", &locked(&self.shared.ids).trace_id()[..14]);
        let version = version_of(call).unwrap_or_else(|| DEFAULT_VERSION.to_owned());
        Answer::plain(
            problem.status,
            to_bytes(&problem.body()),
            request_id,
            &version,
        )
    }
}

pub fn in_use() -> Problem {
    Problem::new(409, "idempotency_error", "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through). Please try again later.")
        .code("idempotency_key_in_use")
}

fn key_of(call: &Call) -> Option<String> {
    let key = call.idempotency_key()?;
    Some(String::from_utf8_lossy(key.as_bytes()).into_owned()).filter(|key| !key.is_empty())
}

fn version_of(call: &Call) -> Option<String> {
    let version = call.headers.get("stripe-version")?;
    version.to_str().ok().map(str::to_owned)
}

fn scope_of(call: &Call, secret_key: &str) -> Option<Scope> {
    key_of(call).map(|key| scope(&key, secret_key))
}

/// A key is the account's own: path and parameters are compared, they do not make another key of it.
pub fn scope(key: &str, secret_key: &str) -> Scope {
    Scope::new(key, secret_key, "stripe", "")
}

fn request_of(call: &Call, secret_key: &str, scripted: Scripted) -> Request {
    Request {
        method: call.method.clone(),
        path: call.path.clone(),
        query: call.query.clone().unwrap_or_default(),
        body: call.body.clone(),
        key: key_of(call),
        scope: scope_of(call, secret_key),
        version: version_of(call),
        scripted,
    }
}

/// The number and check digits of a card never go into the log.
fn without_card(body: &Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(body) else {
        return Bytes::new();
    };
    if !text.contains("number") && !text.contains("cvc") {
        return body.clone();
    }
    let kept: Vec<String> = text
        .split('&')
        .map(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            if name.contains("number") || name.contains("cvc") {
                format!("{name}=***")
            } else {
                pair.to_owned()
            }
        })
        .collect();
    Bytes::from(kept.join("&"))
}

fn response(answer: Answer, call: &Call, shape: &Shape) -> Response<Body> {
    let is_empty = answer.body.is_empty();
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let map = response.headers_mut();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            map.insert(name, value);
        }
    };
    let is_page = matches!(shape, Shape::Html(_));
    if !is_empty {
        put(
            "content-type",
            if is_page {
                "text/html"
            } else {
                "application/json"
            },
        );
    }
    put("cache-control", "no-cache, no-store");
    if let Some(seconds) = answer.retry_after_seconds {
        put("retry-after", &seconds.to_string());
    }
    // What is not the provider's own answer has none of its headers.
    if is_page || answer.request_id.is_empty() {
        return response;
    }
    put("request-id", &answer.request_id);
    if answer.status == 401 {
        put("www-authenticate", "Basic realm=\"Stripe\"");
        return response;
    }
    put("stripe-version", &answer.version);
    if let Some(reason) = answer.rate_limited {
        put("stripe-rate-limited-reason", reason);
    }
    if let Some(original) = &answer.original_request {
        put("original-request", original);
    }
    if let Some(should_retry) = answer.should_retry {
        put(
            "stripe-should-retry",
            if should_retry { "true" } else { "false" },
        );
    }
    if answer.is_replay {
        put("idempotent-replayed", "true");
    }
    if let Some(key) = call
        .headers
        .get("idempotency-key")
        .filter(|_| call.method != "GET")
    {
        map.insert("idempotency-key", key.clone());
    }
    response
}
