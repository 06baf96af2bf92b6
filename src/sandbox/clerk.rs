//! The one who executes: takes requests in batches, applies the rules, commits once, and only then answers.
//!
//! Requests under way at the same time share a transaction, so durability costs one commit per batch.
//! It is the only writer. Look-ups do not come here.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::codes::Codes;
use super::error::SandboxError;
use super::idempotency::{Scope, Stored, is_bound};
use super::ids::Ids;
use super::ledger::{Book, Context, Notice, Payment, Refusal};
use super::persist::{self, File, IdempotentAnswer, Wanted};
use super::shared::Shared;
use super::switches::Switches;
use super::task::{self, Done, Forced, Job, Task, perform};
use super::wire::{self, Answer};

const BATCH: usize = 64;

pub(super) struct Clerk {
    pub shared: Arc<Shared>,
    pub file: File,
    pub ids: Ids,
    pub book: Book,
    pub notices: mpsc::UnboundedSender<PaymentNotice>,
}

/// A notice with what its webhook shows.
#[derive(Debug)]
pub(super) enum PaymentNotice {
    BillingDeleted { billing_key: String, reason: String },
    PaymentStatusChanged(Box<Payment>),
}

impl Clerk {
    /// Runs until nobody can send any more.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.recv_many(&mut batch, BATCH).await > 0 {
            let mut answers = Vec::with_capacity(batch.len());
            let mut replies = Vec::with_capacity(batch.len());
            let jobs_of_batch: Vec<Work> = batch
                .drain(..)
                .map(|job| {
                    let (work, reply) = Work::split(job);
                    replies.push(reply);
                    work
                })
                .collect();
            let outcome = self.execute(jobs_of_batch, &mut answers).await;
            let notices = self.notices_of_batch();
            match outcome {
                Ok(()) => self.send(notices),
                Err(error) => {
                    tracing::error!(%error, "the simulator could not write its file");
                    let failed =
                        Answer::refused(&Refusal::code("FAILED_DB_PROCESSING"), &self.shared.codes);
                    answers = vec![failed; replies.len()];
                }
            }
            self.book.clear();
            for (reply, answer) in replies.into_iter().zip(answers) {
                // Whoever asked may be gone; what was executed stays executed.
                drop(reply.send(answer));
            }
        }
    }

    async fn execute(
        &mut self,
        batch: Vec<Work>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), SandboxError> {
        let switches = self.shared.switches();
        let mut transaction = self.file.write.begin_with("begin immediate").await?;
        let mut wanted = Wanted::default();
        for work in &batch {
            wanted.scopes.extend(work.scope);
            task::want(&work.task, &mut wanted);
        }
        let stored = persist::load(&mut transaction, &wanted, &mut self.book).await?;
        let mut bound = Vec::new();
        for work in batch {
            answers.push(self.answer(work, &stored, &switches, &mut bound));
        }
        persist::flush(&mut transaction, &self.book, &bound).await?;
        transaction.commit().await?;
        Ok(())
    }

    fn answer(
        &mut self,
        work: Work,
        stored: &HashMap<Scope, Stored>,
        switches: &Switches,
        bound: &mut Vec<IdempotentAnswer>,
    ) -> Answer {
        let now = self.shared.clock.now();
        let of_this_batch = bound.iter().find(|answer| Some(answer.scope) == work.scope);
        let first = of_this_batch
            .map(|answer| &answer.stored)
            .or_else(|| stored.get(&work.scope?))
            .filter(|stored| stored.is_valid(now));
        if let Some(first) = first {
            return Answer {
                original_trace: Some(first.trace.clone()),
                ..Answer::with_status(first.status, first.body.clone())
            };
        }
        let answer = match work.forced {
            Forced::Instead(answer) => answer,
            Forced::No => self.apply(work.task, None, switches),
            Forced::Refuse(refusal) => self.apply(work.task, Some(refusal), switches),
        };
        let (status, body) = work
            .bind_instead
            .unwrap_or_else(|| (answer.status, answer.body.clone()));
        if let Some(scope) = work.scope
            && is_bound(status, switches)
        {
            bound.push(IdempotentAnswer {
                scope,
                stored: Stored {
                    first_at: now,
                    status,
                    body: body.to_vec(),
                    trace: work.trace,
                },
            });
        }
        answer
    }

    fn apply(&mut self, task: Task, forced: Option<Refusal>, switches: &Switches) -> Answer {
        let shared = Arc::clone(&self.shared);
        let codes: &Codes = &shared.codes;
        let mut context = Context {
            now: shared.clock.now(),
            switches,
            ids: &mut self.ids,
            merchant_id: &shared.merchant_id,
            codes,
            forced,
        };
        match perform(&mut self.book, task, &mut context) {
            Ok(Done::Payment(id)) => self.payment_answer(id, codes),
            Ok(Done::Card(id)) => self.book.card(id).map_or_else(
                || unexpected(codes),
                |card| Answer::ok(wire::billing(card, &shared.merchant_id)),
            ),
            Ok(Done::Nothing) => Answer::ok(Vec::new()),
            Ok(Done::Json(value)) => Answer::ok(wire::to_bytes(&value)),
            Err(refusal) => Answer::refused(&refusal, codes),
        }
    }

    fn payment_answer(&self, id: i64, codes: &Codes) -> Answer {
        match self.book.payment(id) {
            Some(payment) => Answer::ok(wire::payment(
                payment,
                payment.status,
                &self.shared.merchant_id,
                codes,
            )),
            None => unexpected(codes),
        }
    }

    fn notices_of_batch(&mut self) -> Vec<PaymentNotice> {
        let notices = self.book.take_notices();
        notices
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::BillingDeleted {
                    billing_key,
                    reason,
                } => Some(PaymentNotice::BillingDeleted {
                    billing_key,
                    reason,
                }),
                Notice::PaymentStatusChanged { payment } => {
                    let payment = self.book.payment(payment)?.clone();
                    Some(PaymentNotice::PaymentStatusChanged(Box::new(payment)))
                }
            })
            .collect()
    }

    fn send(&self, notices: Vec<PaymentNotice>) {
        for notice in notices {
            // Nobody delivers webhooks any more only while the simulator shuts down.
            drop(self.notices.send(notice));
        }
    }
}

fn unexpected(codes: &Codes) -> Answer {
    Answer::refused(&Refusal::code("UNKNOWN_ERROR"), codes)
}

/// A job without the one who waits for it.
struct Work {
    task: Task,
    scope: Option<Scope>,
    trace: String,
    forced: Forced,
    bind_instead: Option<(u16, Bytes)>,
}

impl Work {
    fn split(job: Job) -> (Self, oneshot::Sender<Answer>) {
        let Job {
            task,
            scope,
            trace,
            forced,
            bind_instead,
            reply,
        } = job;
        (
            Self {
                task,
                scope,
                trace,
                forced,
                bind_instead,
            },
            reply,
        )
    }
}
