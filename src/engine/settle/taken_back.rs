//! Refunds that their provider takes back, perhaps days after they were done: the books follow by an entry against each,
//! with the provider's word as evidence. What was written stays as it was; the attempt executed, and stays succeeded.
//!
//! What else was chosen with the refund, such as the end of a subscription, is not taken back. A person is called.

use chrono::{DateTime, Utc};

use crate::domain::attempt::{Attempt, AttemptKind, REFUND_UNDONE, looked_back_after, undone_of};
use crate::domain::evidence::{CancelSeen, Evidence, EvidenceSource, Proves, Refusal};
use crate::domain::failure::FailureClass;
use crate::domain::ids::EvidenceId;
use crate::domain::states::AttemptState;

use super::super::Engine;
use super::super::audit::{Actor, Press};
use super::super::ports::{Account, BookedRefund, NewEvidence, NewReversal, Posting, Store, Tx};
use super::super::refusal::VerbError;
use super::super::send::Returned;
use super::{Rows, Settled, fence_of, settled};

/// Whether a refund that was done is still asked about.
pub(in super::super) const fn is_looked_back_at(attempt: &Attempt) -> bool {
    matches!(attempt.kind, AttemptKind::Refund)
        && matches!(attempt.state, AttemptState::Succeeded)
        && attempt.next_check_at.is_some()
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

    /// It is where it was: the next look comes later.
    pub(super) async fn write_looked_back<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
    ) -> Result<Settled, VerbError> {
        if is_looked_back_at(&rows.attempt) {
            let fence = fence_of(&rows.attempt);
            rows.attempt.next_check_at = self.next_look_back(&rows.attempt, rows.now);
            rows.attempt.lease_until = Some(rows.now);
            tx.save_attempt(&rows.attempt, fence).await?;
        }
        Ok(settled(&rows, None))
    }

    /// This refund came back, and the books have followed. Nobody asks about it any more; who looks is told that it failed.
    pub(super) async fn write_undone<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
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
