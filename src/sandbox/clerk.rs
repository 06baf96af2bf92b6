//! The one who executes: takes requests in batches, applies the rules, commits once, and only then answers.
//!
//! Requests under way at the same time share a transaction, so durability costs one commit per batch.
//! It is the only writer. Look-ups do not come here.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::SandboxError;
use super::execution::{Execution, Work};
use super::ids::Ids;
use super::ledger::{Book, Notice, Payment, Refusal};
use super::persist::{self, File, IdempotentAnswer, Wanted};
use super::shared::Shared;
use super::task::{self, Job};
use super::wire::Answer;

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
        let mut execution = Execution {
            codes: &self.shared.codes,
            merchant_id: &self.shared.merchant_id,
            switches: &switches,
            ids: &mut self.ids,
            book: &mut self.book,
        };
        for work in batch {
            let now = self.shared.clock.now();
            let of_this_batch = bound
                .iter()
                .find(|answer: &&IdempotentAnswer| Some(answer.scope) == work.scope);
            let first = of_this_batch
                .map(|answer| &answer.stored)
                .or_else(|| stored.get(&work.scope?))
                .cloned();
            let (answer, keeps) = execution.answer(work, first.as_ref(), now);
            answers.push(answer);
            bound.extend(keeps);
        }
        persist::flush(&mut transaction, &self.book, &bound).await?;
        transaction.commit().await?;
        Ok(())
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
