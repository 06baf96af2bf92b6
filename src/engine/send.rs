//! Sending an attempt: last look, call, settle.
//!
//! The last look commits `sent` with a lease before a byte leaves. The call happens outside any
//! transaction. What came back goes to the one settling path, which is tried until it is written.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::attempt::{Asks, Attempt, AttemptKind, OweTimes, may_stand_since};
use crate::domain::customer::PaymentMethod;
use crate::domain::evidence::{Evidence, EvidenceSource, SeenStatus};
use crate::domain::ids::AttemptId;
use crate::domain::invoice::Invoice;
use crate::domain::operator::Operator;
use crate::domain::states::{AttemptState, InvoiceState, MethodState};
use crate::secret::Secret;

use super::Engine;
use super::action::Outcome;
use super::audit::Actor;
use super::breaker::Admission;
use super::charge::card_brief;
use super::fallback::Onward;
use super::ports::{
    CallReport, ChargeCall, ChargeLook, ConfirmCall, Desk, Fence, Provider, RefundCall, SealedFor,
    Store, StoreError, Tx,
};
use super::queries::CardBrief;
use super::refusal::{Refused, VerbError};
use super::settle::{Settled, is_looked_back_at};
use super::two_steps::is_unconfirmed;

/// An attempt that is marked as sent and may go out now, with what its call needs.
pub(super) struct Outgoing {
    pub attempt: Attempt,
    /// The billing key; none for a refund.
    pub key: Option<Secret>,
    /// When it was marked, by the clock's uptime. It leaves within its lease or not at all.
    pub marked: Duration,
    /// Where it may stand at the provider already, though our books do not say so: since when.
    pub stands_since: Option<DateTime<Utc>>,
    /// Where another provider may have been paid already, though our books do not say so: since when.
    pub others_since: Option<DateTime<Utc>>,
    /// What it is there, where it was found.
    pub found: Option<CallReport>,
    /// Whether it was let through while others are held.
    pub admitted: Admission,
    /// What is charged, where a person is told of it.
    pub card: Option<CardBrief>,
    /// Whom the bank may ask.
    pub asks: Asks,
}

/// What a call depends on of the debt it is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    /// When it fell due.
    pub since: DateTime<Utc>,
    /// Whom the bank may ask about it.
    pub asks: Asks,
}

impl Owed {
    /// The debt that an attempt is for.
    pub fn of(attempt: &Attempt, invoice: &Invoice) -> Self {
        Self {
            since: invoice.due_at,
            asks: attempt.source.asks(invoice.last_code.as_deref()),
        }
    }
}

/// What came back for one attempt.
pub(super) struct Returned {
    pub attempt: Attempt,
    pub report: CallReport,
    /// When it was asked, by the clock's uptime; none where nobody was, or another process did.
    pub asked: Option<Duration>,
}

impl Returned {
    /// Nobody was asked: its provider is not configured here, or its key cannot be opened.
    pub fn is_unasked(&self, source: EvidenceSource) -> bool {
        source == EvidenceSource::LookUp
            && self.asked.is_none()
            && self.report.evidence == Evidence::NotSent
    }
}

impl<S: Store> Engine<S> {
    /// Sends a `ready` attempt and settles what comes back.
    pub(super) async fn send(
        &self,
        id: AttemptId,
        onward: Onward,
        operator: &Operator,
    ) -> Result<Outcome, VerbError> {
        self.send_as(id, onward, Actor::from(operator))
            .await
            .map(Settled::into_outcome)
    }

    /// The same, in anybody's name. Where the provider was certainly not reached, the next one is asked, if it may be.
    pub(super) async fn send_as(
        &self,
        mut id: AttemptId,
        onward: Onward,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let mut instead_of = None;
        loop {
            let outgoing = self.last_look(id).await?;
            let card = outgoing.card.clone();
            let returned = self.call(outgoing).await;
            let mut settled = self
                .settle_until_written(&returned, EvidenceSource::Answer, actor)
                .await?;
            settled.receipt.card = card;
            settled.receipt.instead_of = instead_of;
            match self.fall_back(&returned, &settled, onward, actor).await {
                Ok(Some(next)) => {
                    id = next;
                    instead_of = Some(returned.attempt.provider);
                }
                // What was settled stands, whatever comes of falling back.
                Ok(None) | Err(_) => return Ok(settled),
            }
        }
    }

    /// `ready` becomes `sent`, if the obligation still stands. Commits before anything leaves.
    async fn last_look(&self, id: AttemptId) -> Result<Outgoing, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let outgoing = self.last_look_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(outgoing)
    }

    pub(super) async fn last_look_in<T: Tx>(
        &self,
        tx: &mut T,
        id: AttemptId,
    ) -> Result<Outgoing, VerbError> {
        let target = tx.attempt_target(id).await?;
        let (_, invoice) = self.lock_invoice_in_order(tx, target).await?;
        let attempt = tx.lock_attempt(id).await?;
        if attempt.state != AttemptState::Ready {
            return Err(VerbError::Refused(Refused::InProgress {
                attempt: attempt.public_id.clone(),
                operator: attempt.operator.clone(),
                since: attempt.created_at,
            }));
        }
        if attempt.kind == AttemptKind::Charge
            && !matches!(
                invoice.state,
                InvoiceState::Open | InvoiceState::Uncollectible
            )
        {
            return Err(VerbError::Refused(Refused::NotChargeable));
        }
        // Its card was to be forgotten in between.
        if attempt.kind == AttemptKind::Charge
            && let Some(method) = attempt.method_id
            && tx.method(method).await?.state == MethodState::Deleted
        {
            return Err(VerbError::Refused(Refused::KeyDeleted));
        }
        let now = tx.db_now().await?;
        let owed = Owed::of(&attempt, &invoice);
        self.mark_sent(tx, attempt, AttemptState::Sent, (now, owed))
            .await
    }

    /// Takes the lease, counts the send and opens the key. It is now, in database time, and this is owed.
    pub(super) async fn mark_sent<T: Tx>(
        &self,
        tx: &mut T,
        mut attempt: Attempt,
        state: AttemptState,
        (now, owed): (DateTime<Utc>, Owed),
    ) -> Result<Outgoing, VerbError> {
        let opened = self.open_card(tx, &attempt).await?;
        let fence = Fence {
            state: attempt.state,
            epoch: Some(attempt.lease_epoch),
        };
        let lease = self.lease(now);
        attempt.state = state;
        attempt.lease_owner = Some(lease.owner.to_owned());
        attempt.lease_until = Some(lease.until);
        attempt.lease_epoch += 1;
        attempt.first_sent_at = attempt.first_sent_at.or(Some(now));
        attempt.last_sent_at = Some(now);
        attempt.send_count = attempt.send_count.saturating_add(1);
        attempt.next_check_at = Some(now);
        tx.save_attempt(&attempt, fence).await?;
        let (card, key) = opened.unzip();
        Ok(Outgoing {
            card,
            ..self.outgoing(attempt, key, owed)
        })
    }

    /// An attempt that was marked just now, with what its call needs.
    pub(super) fn outgoing(&self, attempt: Attempt, key: Option<Secret>, owed: Owed) -> Outgoing {
        let times = OweTimes {
            owed_since: owed.since,
            business: self.now(),
            database: attempt.last_sent_at.unwrap_or(attempt.created_at),
        };
        Outgoing {
            stands_since: may_stand_since(&attempt, times),
            others_since: self.others_since(&attempt, times),
            attempt,
            key,
            marked: self.parts.clock.uptime(),
            found: None,
            admitted: Admission::Free,
            card: None,
            asks: owed.asks,
        }
    }

    /// The billing key of a charge; a refund needs none.
    pub(super) async fn open_key<T: Tx>(
        &self,
        tx: &mut T,
        attempt: &Attempt,
    ) -> Result<Option<Secret>, VerbError> {
        let opened = self.open_card(tx, attempt).await?;
        Ok(opened.map(|(_, key)| key))
    }

    /// The same with the card it is of.
    async fn open_card<T: Tx>(
        &self,
        tx: &mut T,
        attempt: &Attempt,
    ) -> Result<Option<(CardBrief, Secret)>, VerbError> {
        let (AttemptKind::Charge, Some(method_id)) = (attempt.kind, attempt.method_id) else {
            return Ok(None);
        };
        let method = tx.method(method_id).await?;
        let key = self.open_key_of(tx, &method).await?;
        Ok(Some((card_brief(&method), key)))
    }

    /// The billing key of a method.
    pub(super) async fn open_key_of<T: Tx>(
        &self,
        tx: &mut T,
        method: &PaymentMethod,
    ) -> Result<Secret, VerbError> {
        let sealed = tx.sealed_key(method.id).await?;
        let row = SealedFor {
            method: &method.public_id,
            provider: method.provider,
            mode: method.mode,
        };
        Ok(self.parts.vault.open(row, &sealed)?)
    }

    /// Everything that leaves for one attempt. What charges in two steps is prepared and named first.
    pub(super) async fn call(&self, outgoing: Outgoing) -> Returned {
        if !outgoing.needs_preparing() {
            return self.call_once(outgoing).await;
        }
        let named = match self.prepare_at_provider(outgoing).await {
            Ok(named) => named,
            Err(returned) => return *returned,
        };
        match self.name(named).await {
            Ok(outgoing) => self.call_once(outgoing).await,
            Err(returned) => *returned,
        }
    }

    /// The one call. No transaction is open; the desk proves it.
    pub(super) async fn call_once(&self, outgoing: Outgoing) -> Returned {
        match Box::pin(self.looked_elsewhere(outgoing)).await {
            Ok(outgoing) => self.call_now(outgoing).await,
            Err(returned) => *returned,
        }
    }

    async fn call_now(&self, outgoing: Outgoing) -> Returned {
        let lease = Duration::from_secs(u64::try_from(self.parts.settings.lease_s).unwrap_or(0));
        let asked = self.parts.clock.uptime();
        let Outgoing {
            attempt,
            key,
            marked,
            found,
            asks,
            ..
        } = outgoing;
        // This process stood still: others may have taken the attempt over, and what it was meant for may be gone.
        if asked.saturating_sub(marked) >= lease {
            return Returned {
                attempt,
                report: nothing_left(),
                asked: None,
            };
        }
        // It was taken, or refused, before: there is nothing to confirm.
        if let Some(report) = found.filter(|report| !is_to_be_confirmed(&report.evidence)) {
            return Returned {
                attempt,
                report,
                asked: Some(asked),
            };
        }
        let _counted = self.count_call();
        let mut desk = Desk::new();
        let report = match (self.provider(attempt.provider), attempt.kind, &key) {
            (Ok(provider), AttemptKind::Charge, Some(key)) => {
                let call = ChargeCall {
                    billing_key: key,
                    body: &attempt.body,
                    idem_key: &attempt.idem_key,
                    order_id: &attempt.order_id,
                    amount: attempt.amount,
                    provider_ref: attempt.provider_ref.as_deref(),
                    send_no: attempt.send_count,
                };
                charge_by(provider.as_ref(), asks, &mut desk, call).await
            }
            (Ok(provider), AttemptKind::Charge, None) if attempt.provider_ref.is_some() => {
                let call = ConfirmCall {
                    payment_key: attempt.provider_ref.as_deref().unwrap_or_default(),
                    order_id: &attempt.order_id,
                    amount: attempt.amount,
                    idem_key: &attempt.idem_key,
                };
                provider.confirm(&mut desk, call).await
            }
            (Ok(provider), AttemptKind::Refund, _) => {
                let call = RefundCall {
                    provider_ref: attempt.provider_ref.as_deref().unwrap_or_default(),
                    body: &attempt.body,
                    idem_key: &attempt.idem_key,
                };
                provider.refund(&mut desk, call).await
            }
            (_, AttemptKind::Charge | AttemptKind::Refund, _) => nothing_left(),
        };
        let (breaker, was_trouble) = (self.breaker(attempt.provider), report.evidence.is_trouble());
        match attempt.send_count {
            0 | 1 => breaker.record(was_trouble, self.now()),
            _ => breaker.record_again(was_trouble, self.now()),
        }
        Returned {
            attempt,
            report,
            asked: Some(asked),
        }
    }

    /// Asks the provider what became of an attempt.
    pub(super) async fn look_up(&self, attempt: Attempt) -> Returned {
        if is_unconfirmed(&attempt) {
            // Nobody has to be asked: without a name nothing was ever confirmed.
            let report = CallReport::bare(Evidence::Unconfirmed);
            return Returned {
                attempt,
                report,
                asked: None,
            };
        }
        let Ok(provider) = self.provider(attempt.provider) else {
            return Returned {
                attempt,
                report: nothing_left(),
                asked: None,
            };
        };
        let asked = self.parts.clock.uptime();
        let _counted = self.count_call();
        let mut desk = Desk::new();
        let report = match (attempt.kind, attempt.provider_ref.as_deref()) {
            // Its payment is known: what has gone back of it is asked.
            (AttemptKind::Charge, Some(reference)) if is_looked_back_at(&attempt) => {
                provider.look_up_payment(&mut desk, reference).await
            }
            (AttemptKind::Charge, provider_ref) => {
                let look = ChargeLook {
                    order_id: &attempt.order_id,
                    provider_ref,
                    amount: attempt.amount,
                };
                provider.look_up_charge(&mut desk, look).await
            }
            (AttemptKind::Refund, Some(reference)) => {
                provider.look_up_payment(&mut desk, reference).await
            }
            (AttemptKind::Refund, None) => nothing_left(),
        };
        Returned {
            attempt,
            report,
            asked: Some(asked),
        }
    }

    /// Settles, and tries again while the database does not let us: the answer must not be lost.
    ///
    /// # Errors
    /// When the database stays out of reach for a minute. The attempt is `sent` in the database, so that a later look-up
    /// settles it, and what was answered is kept on this host (`super::kept`).
    pub(super) async fn settle_until_written(
        &self,
        returned: &Returned,
        source: EvidenceSource,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let mut wait_ms = 20;
        let mut kept = None;
        for _ in 0..40 {
            match self.settle_one(returned, source, actor).await {
                Err(VerbError::Store(
                    StoreError::Busy(_) | StoreError::Unreachable(_) | StoreError::CommitUnknown(_),
                )) => {
                    // This process may not live until the database is back.
                    kept = kept.or_else(|| self.keep_answer(returned, source));
                    self.pause_ms(wait_ms).await;
                    wait_ms = (wait_ms * 2).min(2_000);
                }
                Ok(settled) => {
                    self.forget_kept(kept);
                    return Ok(settled);
                }
                Err(other) => {
                    // A database that cannot or will not write: a person has to look at it first.
                    if matches!(
                        other,
                        VerbError::Store(StoreError::Other(_) | StoreError::Refused(_))
                    ) {
                        self.keep_answer(returned, source);
                    }
                    return Err(other);
                }
            }
        }
        let settled = self.settle_one(returned, source, actor).await?;
        self.forget_kept(kept);
        Ok(settled)
    }

    pub(super) async fn settle_one(
        &self,
        returned: &Returned,
        source: EvidenceSource,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let settled = self.settle_in(&mut tx, returned, source, actor).await?;
        tx.commit().await?;
        self.account_is_kept(returned);
        Ok(settled)
    }
}

/// Whether what was found under our name is still to be confirmed.
fn is_to_be_confirmed(found: &Evidence) -> bool {
    matches!(found, Evidence::Seen(seen) if seen.status == SeenStatus::NotStarted)
}

/// The bank may ask the customer only where somebody can hand them the link.
async fn charge_by(
    provider: &dyn Provider,
    asks: Asks,
    desk: &mut Desk,
    call: ChargeCall<'_>,
) -> CallReport {
    match asks {
        Asks::Customer => provider.charge_with_customer(desk, call).await,
        Asks::Nobody => provider.charge(desk, call).await,
    }
}

/// A report that says that nothing was sent, for an attempt whose provider is not configured.
pub(super) fn nothing_left() -> CallReport {
    CallReport::bare(Evidence::NotSent)
}
