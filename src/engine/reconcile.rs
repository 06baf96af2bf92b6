//! The reconciler: asks about every open attempt until it is settled. It never stops asking. What two
//! persons declared not executed it asks about once a day for a while.
//!
//! Each attempt is claimed with a lease and a fencing epoch, so that one process at a time works on
//! it and a late one cannot overwrite what a newer one learnt.

use chrono::{DateTime, Utc};

use crate::domain::attempt::{Attempt, AttemptKind, NextStep, Source};
use crate::domain::evidence::EvidenceSource;
use crate::domain::ids::{AttemptId, PublicId};
use crate::domain::invoice::Invoice;
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Verb};
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InvoiceState};
use crate::domain::subscription::Subscription;

use super::Engine;
use super::audit::Actor;
use super::fallback::Onward;
use super::ports::{Attempts, Claim, Desk, Payments, Runs, Store, StoreError, Tx};
use super::refusal::{Refused, VerbError};
use super::send::{Outgoing, Owed};
use super::set_aside::Held;
use super::settle::{Settled, fence_of, is_looked_back_at, settled};

/// What one look at the open attempts did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Attempts claimed.
    pub claimed: u32,
    /// Settled by evidence, or sent for the first time and answered.
    pub settled: u32,
    /// Given up before they were ever sent.
    pub abandoned: u32,
    /// Still unknown, or declared not executed and still not there.
    pub left: u32,
    /// Billing runs whose process was gone.
    pub interrupted: u32,
    /// Keys and answers that this host had kept while the database was away.
    pub taken_in: u32,
}

/// One attempt that a reconciler would take up now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcilePreview {
    /// The attempt.
    pub attempt: PublicId,
    /// Charge or refund.
    pub kind: AttemptKind,
    /// How far it came.
    pub state: AttemptState,
    /// How much.
    pub amount: Money,
    /// Our name for it.
    pub order_id: String,
    /// What is done with it.
    pub would: WouldDo,
}

/// What a reconciler does with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WouldDo {
    /// Ask; and if the provider has not seen it, send the same request again under the same id and key.
    LookUpThenSendAgain,
    /// Ask; and if it was not executed, end it at the provider: nobody wants it, or its key is forgotten.
    LookUpThenEnd,
    /// Only ask: it was declared not executed, or it may not be sent again.
    LookUp,
    /// Send it for the first time.
    Send,
    /// Give it up: a person's that was never sent.
    GiveUp,
}

impl WouldDo {
    /// The name scripts read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LookUpThenSendAgain => "look_up_then_send_again",
            Self::LookUpThenEnd => "look_up_then_end",
            Self::LookUp => "look_up",
            Self::Send => "send",
            Self::GiveUp => "give_up",
        }
    }
}

/// Whether what an attempt is for is still to happen: a refund's amount is reserved, and nothing but the refund lets go
/// of it; a charge is wanted while its invoice is owed and its subscription has not ended.
pub(super) fn is_wanted(
    attempt: &Attempt,
    invoice: &Invoice,
    subscription: Option<&Subscription>,
) -> bool {
    let is_owed = matches!(
        invoice.state,
        InvoiceState::Open | InvoiceState::Uncollectible
    );
    match attempt.kind {
        AttemptKind::Refund => true,
        AttemptKind::Charge => is_owed && subscription.is_none_or(|s| !s.state.is_ended()),
    }
}

/// What is done with an attempt; `is_wanted` says so of one that is unknown.
fn would_do(attempt: &Attempt, is_wanted: bool, now: DateTime<Utc>) -> WouldDo {
    let may_be_sent_again = is_wanted && attempt.may_be_sent_again(now);
    match attempt.state {
        AttemptState::Ready if is_to_be_sent(attempt) => WouldDo::Send,
        AttemptState::Ready => WouldDo::GiveUp,
        AttemptState::Sent | AttemptState::Unknown if may_be_sent_again => {
            WouldDo::LookUpThenSendAgain
        }
        AttemptState::Sent | AttemptState::Unknown if attempt.can_be_ended() => {
            WouldDo::LookUpThenEnd
        }
        AttemptState::Sent
        | AttemptState::Unknown
        | AttemptState::NotExecuted
        | AttemptState::WaitingApproval
        | AttemptState::Succeeded
        | AttemptState::Declined
        | AttemptState::Abandoned
        | AttemptState::Duplicate => WouldDo::LookUp,
    }
}

fn preview_of(attempt: Attempt, would: WouldDo) -> ReconcilePreview {
    ReconcilePreview {
        attempt: attempt.public_id,
        kind: attempt.kind,
        state: attempt.state,
        amount: attempt.amount,
        order_id: attempt.order_id,
        would,
    }
}

/// Whether an attempt that was never sent is sent by whoever finds it: a run's own, and one that is
/// confirmed to go by a time, as an approved refund is. Any other is a person's, who has gone away.
const fn is_to_be_sent(attempt: &Attempt) -> bool {
    attempt.send_after.is_some() || matches!(attempt.source, Source::Run | Source::Dunning)
}

/// Whether the provider may be asked about an attempt in this state: also one that two persons have
/// declared not executed, so that a success which turns up late is found.
/// And a refund that was done, while it may come back; and one that came back, while a person is called about it.
pub(super) const fn may_be_looked_at(attempt: &Attempt) -> bool {
    let came_back = matches!(attempt.kind, AttemptKind::Refund)
        && matches!(attempt.state, AttemptState::Succeeded)
        && attempt.needs_human;
    matches!(
        attempt.state,
        AttemptState::Sent | AttemptState::Unknown | AttemptState::NotExecuted
    ) || is_looked_back_at(attempt)
        || came_back
}

/// How many attempts a preview lists at most.
const PREVIEW_LIMIT: u32 = 10_000;
/// How many attempts are claimed at once.
const CLAIM_LIMIT: u32 = 20;

impl<S: Store> Engine<S> {
    /// Claims the attempts whose look-up is due and works each off. Gives what happened; call it
    /// again while `claimed` is above zero.
    pub async fn reconcile_once(&self, operator: &Operator) -> Result<Reconciled, VerbError> {
        self.allow(operator, Verb::ResolveUnknown).await?;
        let taken_in = self.take_in_kept(operator).await?;
        let (claimed, interrupted) = self.claim(Actor::from(operator)).await?;
        let mut done = Reconciled {
            interrupted,
            taken_in,
            claimed: u32::try_from(claimed.len()).unwrap_or(u32::MAX),
            ..Reconciled::default()
        };
        for attempt in claimed {
            let (before, mut held) = (attempt.state, Held::of(&attempt));
            let worked = self.work_off(attempt.clone(), &mut held, Actor::from(operator));
            match worked.await {
                Ok(settled) => match settled.state {
                    AttemptState::Abandoned => done.abandoned += 1,
                    // A refund that was done and still is.
                    after if after == before => done.left += 1,
                    AttemptState::Succeeded | AttemptState::Declined | AttemptState::Duplicate => {
                        done.settled += 1;
                    }
                    AttemptState::NotExecuted
                    | AttemptState::WaitingApproval
                    | AttemptState::Ready
                    | AttemptState::Sent
                    | AttemptState::Unknown => done.left += 1,
                },
                // Somebody else works on it, or its rows are locked: it stays claimed for nobody
                // longer than the lease, and its turn comes again.
                Err(
                    VerbError::Stale
                    | VerbError::Refused(_)
                    | VerbError::Store(StoreError::Busy(_) | StoreError::Stale { .. }),
                ) => {
                    done.left += 1;
                }
                Err(VerbError::Vault(_)) => {
                    Box::pin(self.call_for_key(&attempt)).await?;
                    done.left += 1;
                }
                // What the database refuses of one attempt is that attempt's trouble: the others are not to wait for it.
                Err(VerbError::Store(StoreError::Refused(rule))) => {
                    self.set_aside(held, rule, Actor::from(operator)).await?;
                    done.left += 1;
                }
                Err(other) => return Err(other),
            }
        }
        Ok(done)
    }

    /// What [`Engine::reconcile_once`] would work on now: the claim is made and taken back. Nobody is
    /// asked and nothing is sent.
    ///
    /// # Errors
    /// When the person may not resolve what is unknown, or the database is away.
    pub async fn preview_reconcile(
        &self,
        operator: &Operator,
    ) -> Result<Vec<ReconcilePreview>, VerbError> {
        operator.check(Verb::ResolveUnknown)?;
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let now = tx.db_now().await?;
        let claim = Claim {
            owner: &self.parts.process,
            now,
            lease_s: self.parts.settings.lease_s,
            limit: PREVIEW_LIMIT,
        };
        let claimed = tx.claim_open_attempts(claim).await?;
        let mut previews = Vec::with_capacity(claimed.len());
        for attempt in claimed {
            // Only what could go out again depends on what became of its invoice.
            let goes_out = attempt.state != AttemptState::Ready && attempt.may_be_sent_again(now);
            let is_wanted = if goes_out && attempt.kind == AttemptKind::Charge {
                self.lock_rows(&mut tx, &attempt).await?.is_wanted()
            } else {
                true
            };
            let would = would_do(&attempt, is_wanted, now);
            previews.push(preview_of(attempt, would));
        }
        Ok(previews)
    }

    /// Attempts to work on, and how many runs were found interrupted.
    async fn claim(&self, actor: Actor<'_>) -> Result<(Vec<Attempt>, u32), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let now = tx.db_now().await?;
        let claim = Claim {
            owner: &self.parts.process,
            now,
            lease_s: self.parts.settings.lease_s,
            limit: CLAIM_LIMIT,
        };
        let claimed = tx.claim_open_attempts(claim).await?;
        let interrupted = self.close_interrupted_runs(&mut tx, actor, now).await?;
        tx.commit().await?;
        Ok((claimed, interrupted))
    }

    /// Takes one attempt's lease for a look-up that a person asked for.
    pub(super) async fn take_over(&self, id: AttemptId) -> Result<Option<Attempt>, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let mut attempt = tx.lock_attempt(id).await?;
        if !may_be_looked_at(&attempt) {
            return Ok(None);
        }
        let now = tx.db_now().await?;
        let is_held = attempt.lease_until.is_some_and(|until| until > now);
        let is_ours = attempt.lease_owner.as_deref() == Some(self.parts.process.as_str());
        if is_held && !is_ours {
            return Err(VerbError::Refused(Refused::InProgress {
                attempt: attempt.public_id,
                operator: attempt.operator,
                since: attempt.created_at,
            }));
        }
        let fence = fence_of(&attempt);
        let lease = self.lease(now);
        attempt.lease_owner = Some(lease.owner.to_owned());
        attempt.lease_until = Some(lease.until);
        attempt.lease_epoch += 1;
        tx.save_attempt(&attempt, fence).await?;
        tx.commit().await?;
        Ok(Some(attempt))
    }

    /// Brings one claimed attempt as far as it goes now.
    pub(super) async fn work_off(
        &self,
        attempt: Attempt,
        held: &mut Held,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        match attempt.state {
            AttemptState::Ready => self.work_off_ready(attempt, held, actor).await,
            AttemptState::Sent | AttemptState::Unknown => {
                let returned = self.look_up(attempt).await;
                let settled = self
                    .settle_until_written(&returned, EvidenceSource::LookUp, actor)
                    .await?;
                match settled.next {
                    Some(NextStep::Resend) if self.admits(returned.attempt.provider) => self
                        .resend(&returned.attempt, held, actor)
                        .await
                        .map(|again| again.unwrap_or(settled)),
                    Some(NextStep::Fence) => self.fence(returned.attempt, actor).await,
                    _ => Ok(settled),
                }
            }
            // It is only asked about: nothing is sent again under its id.
            AttemptState::NotExecuted | AttemptState::Succeeded => {
                let returned = self.look_up(attempt).await;
                self.settle_until_written(&returned, EvidenceSource::LookUp, actor)
                    .await
            }
            AttemptState::WaitingApproval
            | AttemptState::Declined
            | AttemptState::Abandoned
            | AttemptState::Duplicate => Err(VerbError::Refused(Refused::Settled)),
        }
    }

    /// A row that was written down and never sent: what is to go goes out, a person's is given up.
    async fn work_off_ready(
        &self,
        attempt: Attempt,
        held: &mut Held,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        if !is_to_be_sent(&attempt) {
            return self.abandon(&attempt, actor).await;
        }
        let admitted = self.breaker(attempt.provider).admit(self.now());
        if !admitted.is_given() {
            // Nothing of it has left: whom the rules name next may be there.
            return match self.move_on(&attempt, Onward::ByRules, actor).await? {
                Some(next) => self.send_as(next, Onward::ByRules, actor).await,
                None => Err(VerbError::Refused(Refused::BreakerOpen)),
            };
        }
        let Some(mut outgoing) = self.ready_to_go(&attempt).await? else {
            return self.abandon(&attempt, actor).await;
        };
        held.taken_anew(&outgoing.attempt);
        outgoing.admitted = admitted;
        let returned = self.call(outgoing).await;
        let settled = self
            .settle_until_written(&returned, EvidenceSource::Answer, actor)
            .await?;
        let onward = Onward::ByRules;
        match self.fall_back(&returned, &settled, onward, actor).await {
            Ok(Some(next)) => self.send_as(next, onward, actor).await,
            Ok(None) | Err(_) => Ok(settled),
        }
    }

    /// Marks a ready attempt as sent, if its obligation still stands.
    async fn ready_to_go(&self, attempt: &Attempt) -> Result<Option<Outgoing>, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let rows = self.lock_rows(&mut tx, attempt).await?;
        let is_wanted = match rows.attempt.kind {
            // Its amount is reserved, and nothing but this attempt lets go of it.
            AttemptKind::Refund => true,
            AttemptKind::Charge => {
                rows.invoice.state == InvoiceState::Open
                    && rows
                        .subscription
                        .as_ref()
                        .is_none_or(|(s, _)| !s.state.is_ended())
            }
        };
        if !is_wanted || rows.attempt.state != AttemptState::Ready {
            return Ok(None);
        }
        let sent = (rows.now, Owed::of(&rows.attempt, &rows.invoice));
        let outgoing = self
            .mark_sent(&mut tx, rows.attempt, AttemptState::Sent, sent)
            .await?;
        tx.commit().await?;
        Ok(Some(outgoing))
    }

    /// Gives a never-sent attempt up and lets go of what it held.
    async fn abandon(&self, attempt: &Attempt, actor: Actor<'_>) -> Result<Settled, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let mut rows = self.lock_rows(&mut tx, attempt).await?;
        if rows.attempt.state != AttemptState::Ready {
            return Ok(settled(&rows, None));
        }
        let fence = fence_of(&rows.attempt);
        rows.attempt.state = AttemptState::Abandoned;
        rows.attempt.settled_at = Some(self.now());
        rows.attempt.next_check_at = None;
        rows.attempt.lease_until = Some(rows.now);
        tx.save_attempt(&rows.attempt, fence).await?;
        if let (AttemptKind::Refund, Some(payment)) = (rows.attempt.kind, &mut rows.payment) {
            payment.reserved_minor = (payment.reserved_minor - rows.attempt.amount.minor()).max(0);
            tx.save_payment(payment).await?;
        }
        tx.decide_run_items(rows.attempt.id, Decision::NotSent, self.now())
            .await?;
        self.audit_settle(&mut tx, &rows, actor, "abandoned", "")
            .await?;
        tx.commit().await?;
        Box::pin(self.end_what_is_left(&rows.attempt)).await;
        Ok(settled(&rows, None))
    }
}
