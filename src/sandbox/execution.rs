//! Carrying out one request: idempotency first, then the rule, then what is kept under its key.
//!
//! No network, no file, no waiting: the clerk and the simulator without a line share it.

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::bodies;
use super::codes::Codes;
use super::idempotency::{Scope, Stored, is_bound};
use super::ids::Ids;
use super::ledger::{Book, Context, Refusal};
use super::persist::IdempotentAnswer;
use super::routes::Route;
use super::scenario::{self, Plan};
use super::shaping;
use super::switches::Switches;
use super::task::{Done, Forced, Job, Task, perform};
use super::wire::{self, Answer};

/// A job without the one who waits for it.
pub(super) struct Work {
    pub task: Task,
    pub scope: Option<Scope>,
    pub trace: String,
    pub forced: Forced,
    pub bind_instead: Option<(u16, Bytes)>,
}

impl Work {
    pub(super) fn split(job: Job) -> (Self, oneshot::Sender<Answer>) {
        let Job {
            task,
            scope,
            trace,
            forced,
            bind_instead,
            reply,
        } = job;
        let work = Self {
            task,
            scope,
            trace,
            forced,
            bind_instead,
        };
        (work, reply)
    }
}

/// What carrying out a request needs.
pub(super) struct Execution<'a> {
    pub codes: &'a Codes,
    pub merchant_id: &'a str,
    pub switches: &'a Switches,
    pub ids: &'a mut Ids,
    pub book: &'a mut Book,
}

impl Execution<'_> {
    /// The answer, and what is to be remembered under the request's key. `first` is what is
    /// remembered already.
    pub(super) fn answer(
        &mut self,
        work: Work,
        first: Option<&Stored>,
        now: DateTime<Utc>,
    ) -> (Answer, Option<IdempotentAnswer>) {
        if let Some(first) = first.filter(|stored| stored.is_valid(now)) {
            let replayed = Answer {
                original_trace: Some(first.trace.clone()),
                ..Answer::with_status(first.status, first.body.clone())
            };
            return (replayed, None);
        }
        let answer = match work.forced {
            Forced::Instead(answer) => answer,
            Forced::No => self.apply(work.task, None, now),
            Forced::Refuse(refusal) => self.apply(work.task, Some(refusal), now),
        };
        let (status, body) = work
            .bind_instead
            .unwrap_or_else(|| (answer.status, answer.body.clone()));
        let kept = work
            .scope
            .filter(|_| is_bound(status, self.switches))
            .map(|scope| IdempotentAnswer {
                scope,
                stored: Stored {
                    first_at: now,
                    status,
                    body: body.to_vec(),
                    trace: work.trace,
                },
            });
        (answer, kept)
    }

    fn apply(&mut self, task: Task, forced: Option<Refusal>, now: DateTime<Utc>) -> Answer {
        let codes = self.codes;
        let mut context = Context {
            now,
            switches: self.switches,
            ids: &mut *self.ids,
            merchant_id: self.merchant_id,
            codes,
            forced,
        };
        match perform(self.book, task, &mut context) {
            Ok(Done::Payment(id)) => self.payment_answer(id),
            Ok(Done::Card(id)) => self.book.card(id).map_or_else(
                || unexpected(codes),
                |card| Answer::ok(wire::billing(card, self.merchant_id)),
            ),
            Ok(Done::Nothing) => Answer::ok(Vec::new()),
            Ok(Done::Json(value)) => Answer::ok(wire::to_bytes(&value)),
            Err(refusal) => Answer::refused(&refusal, codes),
        }
    }

    fn payment_answer(&self, id: i64) -> Answer {
        match self.book.payment(id) {
            Some(payment) => Answer::ok(wire::payment(
                payment,
                payment.status,
                self.merchant_id,
                self.codes,
            )),
            None => unexpected(self.codes),
        }
    }
}

fn unexpected(codes: &Codes) -> Answer {
    Answer::refused(&Refusal::code("UNKNOWN_ERROR"), codes)
}

/// What a plan does to the execution, and what is remembered instead of the answer. None: it never
/// reached the provider; nothing is executed, and nothing is remembered.
pub(super) fn forced_by(
    plan: &Plan,
    test_code: Option<Refusal>,
    codes: &Codes,
) -> Option<(Forced, Option<(u16, Bytes)>)> {
    let spoilt =
        shaping::fixed(&plan.shape, codes).filter(|_| shaping::is_of_provider(&plan.shape));
    let forced = match (&plan.execution, spoilt.clone()) {
        (scenario::Execution::Normal, _) => test_code.map_or(Forced::No, Forced::Refuse),
        (scenario::Execution::Refused(refusal), _) => Forced::Refuse(refusal.clone()),
        (scenario::Execution::Skipped, Some(answer)) => Forced::Instead(answer),
        (scenario::Execution::Skipped, None) => return None,
    };
    Some((forced, spoilt.map(|answer| (answer.status, answer.body))))
}

/// What the clerk has to do for a route; none for look-ups.
pub(super) fn task_of(route: &Route, body: &[u8]) -> Option<Task> {
    let task = match route {
        Route::Issue { auth_key } => Task::Issue(bodies::issue(auth_key.as_deref(), body)),
        Route::IssueDirectly => Task::IssueDirectly(bodies::issue_directly(body)),
        Route::Charge { billing_key } => Task::Charge {
            billing_key: billing_key.clone(),
            request: bodies::charge(body),
        },
        Route::DeleteKey { billing_key } => Task::DeleteKey {
            billing_key: billing_key.clone(),
            reason: "삭제 API 요청",
        },
        Route::Confirm => Task::Confirm(bodies::confirm(body)),
        Route::Cancel { payment_key } => Task::Cancel {
            payment_key: payment_key.clone(),
            request: bodies::cancel(body),
        },
        // Settling by hand needs an extra contract, which this merchant does not have.
        Route::SettleByHand => Task::Refuse(Refusal::code("FORBIDDEN_REQUEST")),
        Route::Payment { .. } | Route::Order { .. } | Route::Transactions | Route::Settlements => {
            return None;
        }
    };
    Some(task)
}
