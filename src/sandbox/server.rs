//! The provider's face: reads a request, lets the clerk or the file answer it, and follows the plan of a fault.
//!
//! The order of checks is the provider's: authentication, idempotency, then everything about the request itself.
//! What was begun is finished even when the client has gone; only the answer is lost then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, request::Parts};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::admission::Admitted;
use super::connection::Line;
use super::execution;
use super::ledger::Refusal;
use super::lookups;
use super::persist::File;
use super::routes::Route;
use super::scenario::{Plan, Shape};
use super::shaping::{self, Cut, Headers};
use super::shared::{Shared, locked};
use super::stripe;
use super::task::Job;
use super::wire::Answer;

const MAX_BODY_BYTES: usize = 1 << 20;

/// Everything a request handler needs.
pub(super) struct Desk {
    pub shared: Arc<Shared>,
    pub file: File,
    pub clerk: mpsc::Sender<Job>,
    pub stripe: mpsc::Sender<stripe::teller::Errand>,
    /// Executions under way; they end with the simulator.
    pub tasks: Mutex<JoinSet<()>>,
}

/// One request, read.
pub(super) struct Call {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trace: String,
}

/// Answers everything below `/v1` and whatever else is no part of the control interface.
pub(super) async fn provider(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let call = Call::new(parts, body, locked(&desk.shared.ids).trace_id());
    let (sender, answered) = oneshot::channel();
    let task_line = line.clone();
    desk.spawn({
        let desk = Arc::clone(&desk);
        async move {
            if stripe::owns(&call.path) {
                desk.serve_stripe(call, &task_line, sender).await;
            } else {
                desk.serve(call, &task_line, sender).await;
            }
        }
    })
    .await;
    answered.await.unwrap_or_else(|_| {
        line.cut();
        Response::new(Body::empty())
    })
}

impl Call {
    fn new(parts: Parts, body: Bytes, trace: String) -> Self {
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body,
            trace,
        }
    }

    pub(super) fn idempotency_key(&self) -> Option<&HeaderValue> {
        self.headers
            .get("idempotency-key")
            .filter(|_| self.method == "POST")
    }
}

impl Desk {
    async fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().await;
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    async fn serve(
        self: Arc<Self>,
        call: Call,
        line: &Line,
        sender: oneshot::Sender<Response<Body>>,
    ) {
        let started = Instant::now();
        let route = Route::parse(&call.method, &call.path);
        let number = self.note(&call, route.as_ref());
        let admitted = self.admit(&call, route);
        let plan = match &admitted {
            Ok(admitted) => self.plan(&call, admitted, number).await,
            Err(_) => Plan::undisturbed(),
        };
        if let Some(late_ms) = plan.late_ms {
            line.cut();
            drop(sender);
            tokio::time::sleep(Duration::from_millis(late_ms)).await;
            if let Ok(admitted) = admitted {
                drop(self.execute(&call, admitted, &plan).await);
            }
            return;
        }
        let latency = Duration::from_millis(self.shared.latency_ms.load(Ordering::Relaxed));
        let executed_at = started + latency / 2 + Duration::from_millis(plan.wait_before_ms);
        let answered_at =
            started + latency + Duration::from_millis(plan.wait_before_ms + plan.wait_after_ms);
        let answer = match admitted {
            Ok(admitted) => {
                self.execute_within(&call, admitted, &plan, executed_at, answered_at)
                    .await
            }
            Err(refusal) => Answer::refused(&refusal, &self.shared.codes),
        };
        match shaping::cut(&plan.shape) {
            Cut::Nowhere => {}
            Cut::AtOnce => line.cut(),
            Cut::InBody => line.cut_after_body_bytes(answer.body.len() / 2),
        }
        let answer = shaping::shape(answer, &plan.shape, &self.shared.codes);
        if plan.shape != Shape::Cut
            && let Some(seen) = locked(&self.shared.requests).find(number)
        {
            seen.status = Some(answer.status);
        }
        let headers = Headers {
            trace: &call.trace,
            idempotency_key: call.idempotency_key(),
        };
        // The client may have gone.
        drop(sender.send(shaping::response(answer, &plan.shape, &headers)));
    }

    /// Executes between the two times; a second request under the same key meets "being processed" all the while.
    async fn execute_within(
        &self,
        call: &Call,
        admitted: Admitted,
        plan: &Plan,
        executed_at: Instant,
        answered_at: Instant,
    ) -> Answer {
        let entered = match admitted.scope {
            None => None,
            Some(scope) => match self.shared.in_flight.enter(scope) {
                Some(entered) => Some(entered),
                None => return self.refused("IDEMPOTENT_REQUEST_PROCESSING"),
            },
        };
        sleep_until(executed_at).await;
        let answer = self.execute(call, admitted, plan).await;
        sleep_until(answered_at).await;
        drop(entered);
        answer
    }

    async fn execute(&self, call: &Call, admitted: Admitted, plan: &Plan) -> Answer {
        let Some((forced, spoilt)) =
            execution::forced_by(plan, admitted.test_code, &self.shared.codes)
        else {
            return Answer::with_status(502, Vec::new());
        };
        let Some(task) = execution::task_of(&admitted.route, &call.body) else {
            return lookups::answer(self, &admitted.route, call.query.as_deref(), forced).await;
        };
        let (reply, answered) = oneshot::channel();
        let job = Job {
            task,
            scope: admitted.scope,
            trace: call.trace.clone(),
            forced,
            bind_instead: spoilt,
            reply,
        };
        self.ask_clerk(job, answered).await
    }

    pub(super) async fn ask_clerk(&self, job: Job, answered: oneshot::Receiver<Answer>) -> Answer {
        if self.clerk.send(job).await.is_err() {
            return self.refused("UNKNOWN_ERROR");
        }
        match answered.await {
            Ok(answer) => answer,
            Err(_) => self.refused("UNKNOWN_ERROR"),
        }
    }

    pub(super) fn refused(&self, code: &'static str) -> Answer {
        Answer::refused(&Refusal::code(code), &self.shared.codes)
    }
}

async fn sleep_until(at: Instant) {
    if at > Instant::now() {
        tokio::time::sleep_until(at).await;
    }
}
