//! Charges in two steps: prepared, which moves no money; named in our books; then confirmed under that name.
//!
//! The name is stored, under the fence of state and epoch, before anything is confirmed. So an attempt without a name was
//! certainly never confirmed: unless our books are older than the provider's. Where that can matter, what stands there
//! under our own name for it is looked for first, and gets its name. A provider pays what has a name once at most, however
//! often it is confirmed.

use chrono::{DateTime, Utc};

use crate::domain::attempt::{Asks, Attempt, AttemptKind, OtherTries, Stands, looked_for_since};
use crate::domain::evidence::{Evidence, Proves, Refusal, Unusable};
use crate::secret::Secret;

use super::Engine;
use super::ports::{
    CallReport, Desk, Foreseen, PrepareCall, PrepareOutcome, Provider, Store, StoreError, Tx,
};
use super::refusal::VerbError;
use super::send::{Outgoing, Owed, Returned, nothing_left};
use super::settle::fence_of;
use super::standing::{LookFor, Own, found_elsewhere, mismatch};

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
        let mut outgoing = Box::pin(self.looked_elsewhere(outgoing)).await?;
        let asked = self.parts.clock.uptime();
        let outcome = match self.provider(outgoing.attempt.provider) {
            Ok(provider) => {
                let _counted = self.count_call();
                self.first_step(provider.as_ref(), &mut outgoing).await
            }
            Err(_) => FirstStep::Not(nothing_left()),
        };
        let report = match outcome {
            FirstStep::Named(provider_ref, found) => {
                return Ok(Named {
                    outgoing: Outgoing { found, ..outgoing },
                    provider_ref,
                });
            }
            FirstStep::Not(report) => as_never_confirmed(report),
        };
        // One that fails again and again holds nobody else back.
        if outgoing.attempt.send_count <= 1 {
            self.breaker(outgoing.attempt.provider)
                .record_first_step(report.evidence.is_trouble(), self.now());
        }
        let asked = (report.evidence != Evidence::NotSent).then_some(asked);
        Err(Box::new(Returned {
            attempt: outgoing.attempt,
            report,
            asked,
        }))
    }

    async fn first_step(&self, provider: &dyn Provider, outgoing: &mut Outgoing) -> FirstStep {
        let attempt = &outgoing.attempt;
        let Some(key) = &outgoing.key else {
            return FirstStep::Not(nothing_left());
        };
        let mut idem_key = attempt.idem_key.clone();
        if let Some(since) = outgoing.stands_since {
            let look = LookFor {
                attempt,
                key,
                since,
                marked: &mut outgoing.marked,
            };
            match Box::pin(self.look_before(provider, look)).await {
                Own::Found(name, report) => return FirstStep::Named(name, Some(report)),
                Own::Not(report) => return FirstStep::Not(report),
                Own::Free { ended: 0 } => {}
                // Under the same key the answer would be the one that was ended.
                Own::Free { ended } => idem_key = format!("{idem_key}:after:{ended}"),
            }
        }
        let call = PrepareCall {
            billing_key: key,
            body: &attempt.body,
            idem_key: &idem_key,
            order_id: &attempt.order_id,
            amount: attempt.amount,
        };
        match provider.prepare(&mut Desk::new(), call).await {
            PrepareOutcome::Prepared { provider_ref } => FirstStep::Named(provider_ref, None),
            PrepareOutcome::Not(report) => FirstStep::Not(report),
        }
    }

    /// Before a charge without a name is believed never to have been confirmed: what stands at the provider under our own
    /// name for it is named. Without a card nobody can be asked, and nothing was charged with it; a key that does not open
    /// says nothing.
    pub(super) async fn name_what_stands(
        &self,
        attempt: Attempt,
        others: OtherTries,
    ) -> Result<Attempt, Box<Returned>> {
        let unanswered = |attempt, report, asked| {
            Err(Box::new(Returned {
                attempt,
                report,
                asked,
            }))
        };
        if !is_unconfirmed(&attempt) {
            return Ok(attempt);
        }
        let (key, owed_since) = match self.key_and_debt(&attempt).await {
            Ok((Some(key), owed_since)) => (key, owed_since),
            Ok((None, _)) => return Ok(attempt),
            Err(VerbError::Vault(_)) => {
                let report = CallReport::bare(Evidence::Unusable(Unusable::NoKey));
                return unanswered(attempt, report, None);
            }
            Err(error) => {
                tracing::warn!(%error, "what stands at the provider could not be looked for");
                return unanswered(attempt, nothing_left(), None);
            }
        };
        let Ok(provider) = self.provider(attempt.provider) else {
            return unanswered(attempt, nothing_left(), None);
        };
        let asked = self.parts.clock.uptime();
        let look = LookFor {
            attempt: &attempt,
            key: &key,
            since: looked_for_since(owed_since),
            marked: &mut asked.clone(),
        };
        let provider_ref = match self.stands(provider.as_ref(), look, others).await {
            Ok(Stands::Nothing { .. }) => return Ok(attempt),
            Ok(Stands::Ours(of) | Stands::OfAnotherCard { standing: of, .. }) => of.provider_ref,
            Ok(Stands::Another(of)) => {
                let report = found_elsewhere(attempt.provider, &of);
                return unanswered(attempt, report, Some(asked));
            }
            Ok(Stands::Twice) => return unanswered(attempt, mismatch(), Some(asked)),
            Err(report) => {
                let asked = (report.evidence != Evidence::NotSent).then_some(asked);
                return unanswered(attempt, report, asked);
            }
        };
        // It is named to be ended.
        let owed = Owed {
            since: owed_since,
            asks: Asks::Nobody,
        };
        let named = Named {
            outgoing: self.outgoing(attempt, None, owed),
            provider_ref,
        };
        self.name(named).await.map(|outgoing| outgoing.attempt)
    }

    async fn key_and_debt(
        &self,
        attempt: &Attempt,
    ) -> Result<(Option<Secret>, DateTime<Utc>), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let rows = self.lock_rows(&mut tx, attempt).await?;
        let key = self.open_key(&mut tx, &rows.attempt).await?;
        Ok((key, rows.invoice.due_at))
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
        match stored {
            Some(attempt) => Ok(Outgoing {
                attempt,
                ..self.outgoing
            }),
            None => Err(Box::new(Returned {
                attempt: self.outgoing.attempt,
                report: nothing_left(),
                asked: None,
            })),
        }
    }
}

/// What came of the first step.
enum FirstStep {
    /// It is there under this name, perhaps for long, and then it is seen how it stands.
    Named(String, Option<CallReport>),
    Not(CallReport),
}

/// What a first step that came to nothing says about the charge: whatever code it was refused with, nothing was confirmed.
/// Where it was no refusal, it may be made yet, and is tried again.
fn as_never_confirmed(report: CallReport) -> CallReport {
    match report.evidence {
        Evidence::Refused(refusal)
            if refusal.proves == Proves::Unlisted && (400..500).contains(&refusal.http_status) =>
        {
            CallReport {
                evidence: Evidence::Refused(Refusal {
                    proves: Proves::NotExecuted,
                    ..refusal
                }),
                ..report
            }
        }
        _ => report,
    }
}
