//! Answers of a run, written together: one commit for many, and one by one where that is refused.

use crate::domain::attempt::Attempt;
use crate::domain::evidence::EvidenceSource;

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{Desk, Foreseen, Store, StoreError, Tx};
use super::super::refusal::VerbError;
use super::super::send::Returned;
use super::super::set_aside::Held;
use super::super::settle::Settled;

/// So many rows of one batch that the database refuses, and none that it takes, are no row's own trouble.
const MOST_ASIDE: u32 = 20;

impl<S: Store> Engine<S> {
    /// Settles a batch in one commit; where that fails, one by one. What the database refuses of one is that one's trouble:
    /// it is set aside for a person, and the others go on. Where it refuses so many and takes none, it is everybody's trouble.
    pub(super) async fn settle_batch(
        &self,
        batch: &[Returned],
        actor: Actor<'_>,
    ) -> Result<Vec<Settled>, VerbError> {
        let kept = match self.settle_together(batch, actor).await {
            Ok(settled) => return Ok(settled),
            Err(error) => self.keep_answers(batch, &error),
        };
        let mut settled = Vec::with_capacity(batch.len());
        let mut aside = 0;
        let mut rest = batch.iter().zip(kept);
        while let Some((returned, kept)) = rest.next() {
            let written = self
                .settle_until_written(returned, EvidenceSource::Answer, actor)
                .await;
            match written {
                Ok(one) => settled.push(one),
                // What was answered stays kept on this host.
                Err(VerbError::Store(StoreError::Refused(rule))) => {
                    let held = Held::of(&returned.attempt);
                    self.set_aside(held, rule, actor).await?;
                    aside += 1;
                    if aside < MOST_ASIDE || !settled.is_empty() {
                        continue;
                    }
                    rest.for_each(|(returned, _)| {
                        self.keep_answer(returned, EvidenceSource::Answer);
                    });
                    return Err(VerbError::Store(StoreError::Refused(rule)));
                }
                Err(error) => {
                    let lost = rest.filter(|(_, kept)| kept.is_none());
                    lost.for_each(|(returned, _)| {
                        self.keep_answer(returned, EvidenceSource::Answer);
                    });
                    return Err(error);
                }
            }
            self.forget_kept(kept);
        }
        Ok(settled)
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
