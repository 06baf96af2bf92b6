//! Refunds that their provider takes back, perhaps days after they were done: the books follow by an entry against each,
//! with the provider's word as evidence. What was written stays as it was; the attempt executed, and stays succeeded.
//!
//! What else was chosen with the refund, such as the end of a subscription, is not taken back. A person is called.

use chrono::{DateTime, Duration, Utc};

use crate::domain::attempt::{Attempt, AttemptKind, REFUND_UNDONE, looked_back_after, undone_of};
use crate::domain::evidence::{CancelSeen, Evidence, EvidenceSource, Proves, Refusal};
use crate::domain::failure::FailureClass;
use crate::domain::ids::{AttemptId, EvidenceId};
use crate::domain::payment::Payment;
use crate::domain::states::AttemptState;

use super::super::Engine;
use super::super::audit::{Actor, Press};
use super::super::ports::{Account, BookedRefund, NewEvidence, NewReversal, Posting, Store, Tx};
use super::super::refusal::VerbError;
use super::super::send::Returned;
use super::{Rows, Settled, fence_of, settled};

/// Whether what was done is still asked about: a refund that may come back, or a charge of which somebody gave money back
/// at its provider's own desk, which may come back as well.
pub(in super::super) const fn is_looked_back_at(attempt: &Attempt) -> bool {
    matches!(attempt.state, AttemptState::Succeeded) && attempt.next_check_at.is_some()
}

impl<S: Store> Engine<S> {
    /// When a refund that was done is asked about next; none where its provider takes none back, or not any more.
    pub(super) fn next_look_back(
        &self,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let may_come_back =
            attempt.kind == AttemptKind::Refund && attempt.provider.takes_refunds_back();
        let age = self.now() - attempt.settled_at.unwrap_or(now);
        let after = looked_back_after(age).filter(|_| may_come_back)?;
        Some(now + after)
    }

    /// It is where it was: the next look comes later. What somebody gave back at the desk meanwhile is booked.
    pub(super) async fn write_looked_back<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        evidence: &Evidence,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        if is_looked_back_at(&rows.attempt) {
            let fence = fence_of(&rows.attempt);
            // A refund that has just failed stands there before what follows may have made up for it.
            tx.save_attempt(&rows.attempt, fence).await?;
            self.follow_outside_refunds(tx, &mut rows, evidence, actor)
                .await?;
            self.call_nobody_more(tx, &rows).await?;
            rows.attempt.needs_human = tx.lock_attempt(rows.attempt.id).await?.needs_human;
            rows.attempt.next_check_at = match rows.attempt.kind {
                AttemptKind::Refund => self.next_look_back(&rows.attempt, rows.now),
                AttemptKind::Charge if matches!(evidence, Evidence::Seen(_)) => {
                    self.next_look_at_charge(tx, &rows).await?
                }
                // Nobody said anything: why it was asked stands as before.
                AttemptKind::Charge => Some(rows.now + Duration::hours(1)),
            };
            rows.attempt.lease_until = Some(rows.now);
            tx.save_attempt(&rows.attempt, fence).await?;
        }
        Ok(settled(&rows, None))
    }

    /// When a charge is asked about next of which money was given back at the desk: none where none of it may come back.
    async fn next_look_at_charge<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
    ) -> Result<Option<DateTime<Utc>>, VerbError> {
        let Some(payment) = &rows.payment else {
            return Ok(None);
        };
        let booked = tx.refunds_booked(payment.id).await?;
        let stands = |one: &&BookedRefund| one.attempt_id.is_none() && one.reversed_at.is_none();
        let last = booked
            .iter()
            .filter(stands)
            .map(|one| one.refunded_at)
            .max();
        let after = last.and_then(|at| looked_back_after(self.now() - at));
        Ok(after.map(|after| rows.now + after))
    }

    /// Somebody gave money of a payment back at its provider's own desk: its charge is asked about while that may come back.
    pub(in super::super) async fn look_back_at_charge<T: Tx>(
        &self,
        tx: &mut T,
        payment: &Payment,
        refunded_at: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        let after = looked_back_after(self.now() - refunded_at);
        let Some(after) = after.filter(|_| payment.provider.takes_refunds_back()) else {
            return Ok(());
        };
        let mut charge = tx.lock_attempt(payment.attempt_id).await?;
        let at = tx.db_now().await? + after;
        let is_soon_enough = charge.next_check_at.is_some_and(|planned| planned <= at);
        if charge.state != AttemptState::Succeeded || is_soon_enough {
            return Ok(());
        }
        let fence = fence_of(&charge);
        charge.next_check_at = Some(at);
        Ok(tx.save_attempt(&charge, fence).await?)
    }

    /// A refund that failed is kept where people look: with its attempt, or with the charge where it was made at the desk.
    async fn call_about_failed<T: Tx>(
        &self,
        tx: &mut T,
        own: &mut Attempt,
        failed: AttemptId,
    ) -> Result<(), VerbError> {
        if own.id == failed {
            own.needs_human = true;
            return Ok(());
        }
        let mut attempt = tx.lock_attempt(failed).await?;
        if !attempt.needs_human {
            attempt.needs_human = true;
            tx.save_attempt(&attempt, fence_of(&attempt)).await?;
        }
        Ok(())
    }

    /// Money of the payment went back after refunds of it had failed: nobody is called any more about those for which that
    /// makes up.
    pub(in super::super) async fn failed_refunds_are_seen_to<T: Tx>(
        &self,
        tx: &mut T,
        payment: &Payment,
    ) -> Result<(), VerbError> {
        let booked = tx.refunds_booked(payment.id).await?;
        if booked.iter().all(|one| one.reversed_at.is_none()) {
            return Ok(());
        }
        let refunds = tx.refunds_of(payment.id).await?;
        for refund in &refunds {
            if refund.needs_human && is_seen_to(payment, &booked, Some(refund.id)) {
                let mut refund = tx.lock_attempt(refund.id).await?;
                refund.needs_human = false;
                tx.save_attempt(&refund, fence_of(&refund)).await?;
            }
        }
        // A return that waits for a person is another reason to call one.
        let is_any_open = refunds.iter().any(|one| one.state.is_open());
        if is_seen_to(payment, &booked, None) && !is_any_open {
            self.call_nobody_more_about(tx, payment).await?;
        }
        Ok(())
    }

    /// This refund came back, and the books have followed. Nobody asks about it any more; who looks is told that it failed.
    /// A person is called until one has looked at it again, or given money of the payment back.
    pub(super) async fn write_undone<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        let is_seen_to = match &rows.payment {
            Some(payment) => {
                let booked = tx.refunds_booked(payment.id).await?;
                is_seen_to(payment, &booked, Some(rows.attempt.id))
            }
            None => false,
        };
        // Only people ask about one that nobody looks back at any more.
        rows.attempt.needs_human = is_looked_back_at(&rows.attempt) && !is_seen_to;
        rows.attempt.next_check_at = None;
        rows.attempt.lease_until = Some(rows.now);
        tx.save_attempt(&rows.attempt, fence).await?;
        let told = settled(&rows, None);
        Ok(Settled {
            state: AttemptState::Declined,
            refusal: Some(Refusal {
                code: "PAYDECK_REFUND_FAILED".into(),
                class: FailureClass::ProviderDown,
                proves: Proves::NotExecuted,
                http_status: 200,
            }),
            ..told
        })
    }

    /// Every refund in the books that the provider has taken back gets its entry, whoever made it and whichever attempt was
    /// looked at.
    pub(super) async fn follow_reversals<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        returned: &Returned,
        (source, kept): (EvidenceSource, Option<EvidenceId>),
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let (Evidence::Seen(seen), Some(payment)) = (&returned.report.evidence, &rows.payment)
        else {
            return Ok(());
        };
        if seen.undone.is_empty() {
            return Ok(());
        }
        let booked = tx.refunds_booked(payment.id).await?;
        let own = undone_of(&rows.attempt, seen).map(|cancel| cancel.transaction_key.as_str());
        for cancel in &seen.undone {
            let is_it = |refund: &&BookedRefund| {
                refund.transaction_key == cancel.transaction_key
                    && refund.amount.minor() == cancel.amount_minor
                    && refund.reversed_at.is_none()
            };
            let Some(refund) = booked.iter().find(is_it) else {
                continue;
            };
            let proof = match kept {
                Some(kept) if own == Some(cancel.transaction_key.as_str()) => kept,
                _ => {
                    let new = NewEvidence {
                        attempt_id: rows.attempt.id,
                        source,
                        outcome: REFUND_UNDONE,
                        http_status: returned.report.http_status,
                        code: None,
                        reference: Some(&cancel.transaction_key),
                        amount: Some(refund.amount),
                        trace_id: returned.report.trace_id.as_deref(),
                        body_sha256: returned.report.body_sha256.as_deref(),
                        elapsed_ms: returned.report.elapsed_ms,
                        at: self.asked_at(returned, source, rows.now),
                    };
                    tx.insert_evidence(&new).await?
                }
            };
            self.write_reversal(tx, rows, (refund, cancel), proof, actor)
                .await?;
        }
        Ok(())
    }

    async fn write_reversal<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        (refund, cancel): (&BookedRefund, &CancelSeen),
        evidence: EvidenceId,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let Some(payment) = &mut rows.payment else {
            return Ok(());
        };
        // Where the provider does not say when it came back, that is when it was noticed.
        let at = if cancel.at > refund.refunded_at {
            cancel.at
        } else {
            self.now()
        };
        let on = self.local_date(at);
        let reversal = NewReversal {
            refund: refund.id,
            evidence,
            at,
            on,
        };
        tx.insert_reversal(&reversal).await?;
        payment.refunded_minor = (payment.refunded_minor - refund.amount.minor()).max(0);
        tx.save_payment(payment).await?;
        payment.version += 1;
        let credit = if payment.is_duplicate {
            Account::Suspense
        } else {
            Account::Refunds
        };
        tx.post(&Posting {
            payment_id: payment.id,
            attempt_id: rows.attempt.id,
            debit: Account::Provider,
            credit,
            amount: refund.amount,
            at,
        })
        .await?;
        tx.mark_day(on).await?;
        let failed = refund.attempt_id.unwrap_or(payment.attempt_id);
        self.call_about_failed(tx, &mut rows.attempt, failed)
            .await?;
        let about = format!("{}:{}", payment.public_id, cancel.transaction_key);
        let press = Press {
            verb: AttemptKind::Refund.as_str(),
            target: payment.public_id.as_str(),
            after: &refund.amount.to_string(),
            result: "undone",
            provider_ref: &cancel.transaction_key,
            ..Press::default()
        };
        let payload = format!(
            "{{\"payment\":\"{}\",\"attempt\":\"{}\",\"what\":\"{REFUND_UNDONE}\"}}",
            payment.public_id, rows.attempt.public_id
        );
        self.audit_in(tx, actor, press, rows.now).await?;
        // Whoever was told that the money comes has to be told that it does not.
        for kind in ["page", "refund_failed"] {
            let key = format!("{about}:{REFUND_UNDONE}");
            tx.queue_notice(kind, &key, &payload, self.now()).await?;
        }
        Ok(())
    }
}

/// Whether refunds of this attempt failed, or refunds made outside, and each is made up for: by one that stands, was made
/// no earlier than it failed and is at least as large. Where all of the money has gone back, nobody waits for any.
fn is_seen_to(payment: &Payment, booked: &[BookedRefund], by: Option<AttemptId>) -> bool {
    let is_all_back = payment.refunded_minor >= payment.captured.minor();
    let is_made_up_for = |failed: &BookedRefund, since: DateTime<Utc>| {
        booked.iter().any(|one| {
            one.reversed_at.is_none()
                && one.refunded_at >= since
                && one.amount.minor() >= failed.amount.minor()
        })
    };
    let mut failed = booked
        .iter()
        .filter(|one| one.attempt_id == by)
        .filter_map(|one| one.reversed_at.map(|since| (one, since)))
        .peekable();
    failed.peek().is_some() && failed.all(|(one, since)| is_all_back || is_made_up_for(one, since))
}
