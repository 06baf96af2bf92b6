//! Answers of a run, written together: one commit for many, and one by one where that is refused.

use crate::domain::attempt::Attempt;
use crate::domain::evidence::EvidenceSource;
use crate::domain::states::AttemptState;

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{Desk, Foreseen, Store, StoreError, Tx};
use super::super::refusal::VerbError;
use super::super::send::Returned;
use super::super::set_aside::Held;
use super::super::settle::Settled;
use super::stop::Aside;

impl<S: Store> Engine<S> {
    /// Settles a batch in one commit; where that fails, one by one. What the database refuses of one is that one's trouble:
    /// it is set aside for a person, and the others go on. How many it refuses in a row is counted over the batches of a run.
    pub(super) async fn settle_batch(
        &self,
        batch: &[Returned],
        aside: &Aside,
        actor: Actor<'_>,
    ) -> Result<Vec<Settled>, VerbError> {
        let kept = match self.settle_together(batch, actor).await {
            Ok(settled) => {
                for one in &settled {
                    took(one, aside);
                }
                return Ok(settled);
            }
            Err(error) => self.keep_answers(batch, &error),
        };
        let mut settled = Vec::with_capacity(batch.len());
        let mut rest = batch.iter().zip(kept);
        while let Some((returned, kept)) = rest.next() {
            let error = match self.settle_or_aside(returned, aside, actor).await {
                Ok(one) => {
                    self.forget_kept(kept.filter(|_| one.is_some()));
                    settled.extend(one);
                    continue;
                }
                Err(error) => error,
            };
            let lost = rest.filter(|(_, kept)| kept.is_none());
            lost.for_each(|(returned, _)| {
                self.keep_answer(returned, EvidenceSource::Answer);
            });
            return Err(error);
        }
        Ok(settled)
    }

    /// One answer by itself; none where it was set aside. What was answered stays kept on this host then.
    async fn settle_or_aside(
        &self,
        returned: &Returned,
        aside: &Aside,
        actor: Actor<'_>,
    ) -> Result<Option<Settled>, VerbError> {
        let written = self
            .settle_until_written(returned, EvidenceSource::Answer, actor)
            .await;
        match written {
            Ok(one) => {
                took(&one, aside);
                Ok(Some(one))
            }
            Err(VerbError::Store(StoreError::Refused(rule))) => {
                aside.one_more();
                let held = Held::of(&returned.attempt);
                self.set_aside(held, rule, actor).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn settle_together(
        &self,
        batch: &[Returned],
        actor: Actor<'_>,
    ) -> Result<Vec<Settled>, VerbError> {
        let mut ordered: Vec<&Returned> = batch.iter().collect();
        ordered.sort_by_key(|r| (r.attempt.subscription_id, r.attempt.invoice_id));
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let attempts: Vec<&Attempt> = ordered.iter().map(|returned| &returned.attempt).collect();
        tx.foresee(Foreseen::Settling(&attempts)).await?;
        let mut settled = Vec::with_capacity(batch.len());
        for returned in ordered {
            settled.push(
                self.settle_in(&mut tx, returned, EvidenceSource::Answer, actor)
                    .await?,
            );
        }
        tx.commit().await?;
        for one in batch {
            self.account_is_kept(one);
        }
        Ok(settled)
    }
}

/// Only money in the books shows that they take it: a decline may pass where no payment does.
fn took(settled: &Settled, aside: &Aside) {
    if matches!(
        settled.state,
        AttemptState::Succeeded | AttemptState::Duplicate
    ) {
        aside.is_written_again();
    }
}
