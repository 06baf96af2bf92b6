//! Charges in two steps: prepared, which moves no money; named in our books; then confirmed under that name.
//!
//! The name is stored, under the fence of state and epoch, before anything is confirmed. So an attempt without a name was
//! certainly never confirmed. A provider pays what has a name once at most, however often it is confirmed.

use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::evidence::{Evidence, Proves, Refusal};

use super::Engine;
use super::ports::{
    CallReport, Desk, Foreseen, PrepareCall, PrepareOutcome, Store, StoreError, Tx,
};
use super::refusal::VerbError;
use super::send::{Outgoing, Returned, nothing_left};
use super::settle::fence_of;

/// How often the name is tried to be stored. Nothing is lost where it is not.
const NAMING_TRIES: u32 = 6;

/// A charge that is prepared and whose name is not stored yet.
pub(super) struct Named {
    outgoing: Outgoing,
    provider_ref: String,
}

impl Outgoing {
    /// Whether it has to be prepared before it can be charged.
    pub(super) fn needs_preparing(&self) -> bool {
        is_unconfirmed(&self.attempt)
    }
}

/// A charge in two steps that has no name: its second step never began.
pub(super) fn is_unconfirmed(attempt: &Attempt) -> bool {
    attempt.kind == AttemptKind::Charge
        && attempt.provider.charges_in_two_steps()
        && attempt.provider_ref.is_none()
}

impl<S: Store> Engine<S> {
    /// The first step. No transaction is open.
    pub(super) async fn prepare_at_provider(
        &self,
        outgoing: Outgoing,
    ) -> Result<Named, Box<Returned>> {
        let attempt = &outgoing.attempt;
        let outcome = match (self.provider(attempt.provider), &outgoing.key) {
            (Ok(provider), Some(key)) => {
                let _counted = self.count_call();
                let mut desk = Desk::new();
                let call = PrepareCall {
                    billing_key: key,
                    body: &attempt.body,
                    idem_key: &attempt.idem_key,
                    order_id: &attempt.order_id,
                    amount: attempt.amount,
                };
                provider.prepare(&mut desk, call).await
            }
            _ => PrepareOutcome::Not(nothing_left()),
        };
        match outcome {
            PrepareOutcome::Prepared { provider_ref } => {
                self.breaker(outgoing.attempt.provider)
                    .record(false, self.now());
                Ok(Named {
                    outgoing,
                    provider_ref,
                })
            }
            PrepareOutcome::Not(report) => {
                let report = as_never_confirmed(report);
                self.breaker(outgoing.attempt.provider)
                    .record(report.evidence.is_trouble(), self.now());
                Err(Box::new(Returned {
                    attempt: outgoing.attempt,
                    report,
                    asked: None,
                }))
            }
        }
    }

    /// Stores the name of what was prepared. It may be confirmed now, or nothing was confirmed and nothing will be.
    pub(super) async fn name(&self, named: Named) -> Result<Outgoing, Box<Returned>> {
        let mut stored = self.store_names(std::slice::from_ref(&named)).await;
        named.stored_as(stored.pop().flatten())
    }

    /// The same for many, in one commit.
    pub(super) async fn name_together(
        &self,
        mut named: Vec<Named>,
    ) -> Vec<Result<Outgoing, Box<Returned>>> {
        named.sort_by_key(|n| {
            let attempt = &n.outgoing.attempt;
            (attempt.subscription_id, attempt.invoice_id)
        });
        let stored = self.store_names(&named).await;
        let mut stored = stored.into_iter();
        let each = named.into_iter();
        each.map(|n| n.stored_as(stored.next().flatten())).collect()
    }

    /// The attempts with their names, as far as they are still ours; nothing where the database does not take them.
    async fn store_names(&self, named: &[Named]) -> Vec<Option<Attempt>> {
        let mut wait_ms = 20;
        for _ in 0..NAMING_TRIES {
            match self.name_once(named).await {
                Ok(stored) => return stored,
                // A commit whose answer was lost is found again: its names are the same.
                Err(VerbError::Store(
                    StoreError::Busy(_)
                    | StoreError::Unreachable(_)
                    | StoreError::CommitUnknown(_)
                    | StoreError::Stale { .. },
                )) => {
                    self.pause_ms(wait_ms).await;
                    wait_ms *= 2;
                }
                Err(error) => {
                    tracing::warn!(%error, "what was prepared could not be named");
                    break;
                }
            }
        }
        Vec::new()
    }

    async fn name_once(&self, named: &[Named]) -> Result<Vec<Option<Attempt>>, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let attempts: Vec<&Attempt> = named.iter().map(|n| &n.outgoing.attempt).collect();
        if attempts.len() > 1 {
            tx.foresee(Foreseen::Settling(&attempts)).await?;
        }
        let mut stored = Vec::with_capacity(named.len());
        for one in named {
            stored.push(self.name_in(&mut tx, one).await?);
        }
        tx.commit().await?;
        Ok(stored)
    }

    /// The attempt with its name, if it is still ours to confirm.
    async fn name_in<T: Tx>(
        &self,
        tx: &mut T,
        named: &Named,
    ) -> Result<Option<Attempt>, VerbError> {
        let ours = &named.outgoing.attempt;
        let mut attempt = tx.lock_attempt(ours.id).await?;
        if attempt.state != ours.state || attempt.lease_epoch != ours.lease_epoch {
            return Ok(None);
        }
        match &attempt.provider_ref {
            Some(known) if *known == named.provider_ref => return Ok(Some(attempt)),
            Some(_) => return Ok(None),
            None => {}
        }
        let fence = fence_of(&attempt);
        let now = tx.db_now().await?;
        attempt.provider_ref = Some(named.provider_ref.clone());
        // The second call may take as long as the first one did.
        attempt.lease_until = Some(self.lease(now).until);
        tx.save_attempt(&attempt, fence).await?;
        Ok(Some(attempt))
    }
}

impl Named {
    fn stored_as(self, stored: Option<Attempt>) -> Result<Outgoing, Box<Returned>> {
        let Outgoing {
            attempt,
            key,
            marked,
        } = self.outgoing;
        match stored {
            Some(attempt) => Ok(Outgoing {
                attempt,
                key,
                marked,
            }),
            None => Err(Box::new(Returned {
                attempt,
                report: nothing_left(),
                asked: None,
            })),
        }
    }
}

/// What a first step that came to nothing says about the charge: a refusal is one, and whatever else happened, nothing was
/// confirmed, so nothing was charged.
fn as_never_confirmed(report: CallReport) -> CallReport {
    let evidence = match report.evidence {
        Evidence::Refused(refusal) => match refusal.proves {
            Proves::NotExecuted | Proves::ConfigTrouble => Evidence::Refused(refusal),
            Proves::Unlisted if (400..500).contains(&refusal.http_status) => {
                Evidence::Refused(Refusal {
                    proves: Proves::NotExecuted,
                    ..refusal
                })
            }
            Proves::Unlisted | Proves::Nothing | Proves::LookUp => Evidence::NotSent,
        },
        _ => Evidence::NotSent,
    };
    CallReport { evidence, ..report }
}
