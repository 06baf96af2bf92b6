//! The one settling path. Whatever is learnt about an attempt is written here and nowhere else.
//!
//! In one transaction: evidence, the attempt's state, invoice, payment, ledger, subscription,
//! dunning, notice, audit. Settling twice with the same evidence changes nothing.

mod bound;
mod charged;
mod declined;
mod not_sent;
mod refunded;
mod taken_back;

pub(super) use declined::{AfterFailure, code_only};
pub(super) use taken_back::is_looked_back_at;

use chrono::{DateTime, Duration, Utc};

use crate::domain::attempt::{
    Attempt, AttemptKind, LINK_LOOK_S, NextStep, Unsettled, Verdict, is_absent_in,
    is_given_elsewhere, kept_word, learn_charge, learn_refund, undone_of,
};
use crate::domain::evidence::{Evidence, EvidenceSource, Refusal, SeenStatus};
use crate::domain::ids::EvidenceId;
use crate::domain::invoice::Invoice;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::run::Decision;
use crate::domain::states::AttemptState;
use crate::domain::subscription::{Subscription, Term};

use super::Engine;
use super::action::{Outcome, Receipt};
use super::audit::{Actor, Press};
use super::ports::{Fence, NewEvidence, Store, StoreError, Tx};
use super::reconcile::is_wanted;
use super::refusal::VerbError;
use super::send::Returned;

/// When it is looked again whether somebody can be asked about an attempt whose provider is not configured here.
const UNASKED_S: i64 = 300;

/// The rows an attempt is about, locked in order.
pub(super) struct Rows {
    pub subscription: Option<(Subscription, Term)>,
    pub invoice: Invoice,
    pub payment: Option<Payment>,
    pub attempt: Attempt,
    /// Database time.
    pub now: DateTime<Utc>,
}

/// Where an attempt stands after settling.
pub(super) struct Settled {
    pub state: AttemptState,
    pub refusal: Option<Refusal>,
    pub next: Option<NextStep>,
    pub receipt: Receipt,
    /// It was approved, and whoever finds it unsent sends it.
    pub goes_out: bool,
    /// It was ended before it took anything.
    pub was_ended: bool,
    /// It waits for the customer.
    pub asks_customer: bool,
}

impl Rows {
    /// Whether what the attempt is for is still to happen.
    pub fn is_wanted(&self) -> bool {
        let subscription = self.subscription.as_ref().map(|(s, _)| s);
        is_wanted(&self.attempt, &self.invoice, subscription)
    }
}

impl Settled {
    /// What a person is told.
    pub(super) fn into_outcome(self) -> Outcome {
        match self.state {
            AttemptState::Succeeded | AttemptState::Duplicate => Outcome::Done(self.receipt),
            AttemptState::Declined => match self.refusal {
                Some(refusal) => Outcome::Declined {
                    receipt: self.receipt,
                    refusal,
                },
                None => Outcome::Unknown(self.receipt),
            },
            AttemptState::Ready if self.goes_out => Outcome::GoesOut(self.receipt),
            AttemptState::Ready | AttemptState::Abandoned => Outcome::NotSent(self.receipt),
            AttemptState::NotExecuted if self.was_ended => Outcome::Ended(self.receipt),
            AttemptState::NotExecuted => Outcome::NotSeen(self.receipt),
            AttemptState::Unknown if self.asks_customer => Outcome::AsksCustomer(self.receipt),
            AttemptState::WaitingApproval | AttemptState::Sent | AttemptState::Unknown => {
                Outcome::Unknown(self.receipt)
            }
        }
    }
}

/// A refund that took nothing reserves nothing any more. Written with the payment's next change.
pub(super) fn let_go(rows: &mut Rows) {
    if let (AttemptKind::Refund, Some(payment)) = (rows.attempt.kind, &mut rows.payment) {
        payment.reserved_minor = (payment.reserved_minor - rows.attempt.amount.minor()).max(0);
    }
}

impl<S: Store> Engine<S> {
    pub(super) async fn settle_in<T: Tx>(
        &self,
        tx: &mut T,
        returned: &Returned,
        source: EvidenceSource,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let mut rows = self.lock_rows(tx, &returned.attempt).await?;
        let kept = self.keep_evidence(tx, &rows, returned, source).await?;
        self.follow_reversals(tx, &mut rows, returned, (source, kept), actor)
            .await?;
        let evidence = &returned.report.evidence;
        if matches!(evidence, Evidence::Seen(seen) if seen.status == SeenStatus::Captured) {
            self.pin_account(tx, &rows).await?;
        }
        let verdict = match rows.attempt.kind {
            AttemptKind::Charge => learn_charge(&rows.attempt, evidence, source, rows.now),
            AttemptKind::Refund => learn_refund(&rows.attempt, evidence, source, rows.now),
        };
        rows.attempt.trace_id.clone_from(&returned.report.trace_id);
        let was_mine = rows.attempt.lease_epoch == returned.attempt.lease_epoch;
        let Ok(verdict) = verdict else {
            // Asked before it was confirmed, and written after somebody else had confirmed it.
            if !was_mine
                && matches!(evidence, Evidence::Seen(seen) if seen.status == SeenStatus::NotStarted)
            {
                return Ok(settled(&rows, None));
            }
            return self.contradicted(tx, rows, actor).await;
        };
        match verdict {
            Verdict::Charged(seen) => self.write_charged(tx, rows, &seen, actor).await,
            Verdict::Refunded(cancel) => {
                self.write_refunded(tx, rows, &cancel, evidence, actor)
                    .await
            }
            // Somebody else holds the attempt now; only proof of success may overrule them.
            _ if !was_mine => Ok(settled(&rows, None)),
            Verdict::AlreadyKnown if rows.attempt.state == AttemptState::NotExecuted => {
                self.follow_outside_refunds(tx, &mut rows, evidence, actor)
                    .await?;
                self.write_still_absent(tx, rows).await
            }
            Verdict::AlreadyKnown => self.write_looked_back(tx, rows, evidence, actor).await,
            Verdict::Declined(refusal) => {
                // What this attempt held comes free first: somebody else may have given it back meanwhile.
                let_go(&mut rows);
                self.follow_outside_refunds(tx, &mut rows, evidence, actor)
                    .await?;
                self.write_declined(tx, rows, refusal, actor).await
            }
            Verdict::NotExecuted => self.write_ended(tx, rows, actor).await,
            Verdict::RefundUndone(_) => self.write_undone(tx, rows).await,
            Verdict::BackToReady => self.write_not_sent(tx, rows, evidence, actor).await,
            Verdict::GivenUp => self.write_given_up(tx, rows, evidence, actor).await,
            Verdict::StillUnknown(unsettled) => {
                if is_given_elsewhere(&rows.attempt, evidence) {
                    self.follow_outside_refunds(tx, &mut rows, evidence, actor)
                        .await?;
                }
                self.write_unknown(tx, rows, unsettled, returned, source, actor)
                    .await
            }
        }
    }

    /// Locks subscription, invoice, payment and attempt, in that order.
    pub(super) async fn lock_rows<T: Tx>(
        &self,
        tx: &mut T,
        attempt: &Attempt,
    ) -> Result<Rows, VerbError> {
        let owner = attempt.subscription_id;
        let (subscription, invoice) = self
            .lock_owned_invoice(tx, owner, attempt.invoice_id)
            .await?;
        let payment = match attempt.payment_id {
            Some(id) => Some(tx.lock_payment(id).await?),
            None if is_looked_back_at(attempt) => {
                let all = tx.payments_of(attempt.invoice_id).await?;
                match all.into_iter().find(|one| one.attempt_id == attempt.id) {
                    Some(payment) => Some(tx.lock_payment(payment.id).await?),
                    None => None,
                }
            }
            None => None,
        };
        let attempt = tx.lock_attempt(attempt.id).await?;
        let now = tx.db_now().await?;
        Ok(Rows {
            subscription,
            invoice,
            payment,
            attempt,
            now,
        })
    }

    async fn keep_evidence<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
        returned: &Returned,
        source: EvidenceSource,
    ) -> Result<Option<EvidenceId>, StoreError> {
        let report = &returned.report;
        // Nobody was asked, and nobody said anything.
        if report.evidence == Evidence::Unconfirmed || returned.is_unasked(source) {
            return Ok(None);
        }
        let silent;
        let (code, reference, amount) = match &report.evidence {
            // What came back is named by its own name, so that the books can follow it.
            Evidence::Seen(seen) if undone_of(&rows.attempt, seen).is_some() => {
                let undone = undone_of(&rows.attempt, seen);
                let amount =
                    undone.map(|cancel| Money::new(cancel.amount_minor, seen.total.currency()));
                let key = undone.map(|cancel| cancel.transaction_key.as_str());
                (None, key, amount)
            }
            Evidence::Seen(seen) => {
                let code = seen.failure.as_ref().map(|f| f.code.as_str());
                (code, Some(seen.provider_ref.as_str()), Some(seen.total))
            }
            Evidence::Refused(refusal) => (Some(refusal.code.as_str()), None, None),
            // Who was the reason stands beside that nothing left.
            Evidence::Withheld(provider) => {
                silent = format!("PAYDECK_NO_WORD_FROM_{}", provider.as_str().to_uppercase());
                (Some(silent.as_str()), None, None)
            }
            Evidence::Elsewhere(other) => (None, Some(other.provider_ref.as_str()), None),
            Evidence::NotSeen
            | Evidence::NotSent
            | Evidence::Unconfirmed
            | Evidence::Withdrawn
            | Evidence::Throttled { .. }
            | Evidence::Busy
            | Evidence::Unusable(_) => (None, None, None),
        };
        let id = tx
            .insert_evidence(&NewEvidence {
                attempt_id: rows.attempt.id,
                source,
                outcome: kept_word(&rows.attempt, &report.evidence),
                http_status: report.http_status,
                code,
                reference,
                amount,
                trace_id: report.trace_id.as_deref(),
                body_sha256: report.body_sha256.as_deref(),
                elapsed_ms: report.elapsed_ms,
                at: self.asked_at(returned, source, rows.now),
            })
            .await?;
        Ok(Some(id))
    }

    /// Evidence against a settled state: nothing moves, a person is called.
    async fn contradicted<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        rows.attempt.needs_human = true;
        if rows.attempt.state == AttemptState::NotExecuted {
            rows.attempt.next_check_at = self.next_look_for(&rows.attempt, rows.now);
            rows.attempt.lease_until = Some(rows.now);
        } else if is_looked_back_at(&rows.attempt) {
            rows.attempt.next_check_at = self.next_look_back(&rows.attempt, rows.now);
            rows.attempt.lease_until = Some(rows.now);
        }
        tx.save_attempt(&rows.attempt, fence).await?;
        self.page(tx, &rows, "contradiction").await?;
        self.audit_settle(tx, &rows, actor, "contradiction", "")
            .await?;
        Ok(settled(&rows, None))
    }

    async fn write_unknown<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        unsettled: Unsettled,
        returned: &Returned,
        source: EvidenceSource,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let evidence = &returned.report.evidence;
        let is_an_answer = *evidence != Evidence::Unconfirmed && !returned.is_unasked(source);
        let fence = fence_of(&rows.attempt);
        let was_sent = rows.attempt.state == AttemptState::Sent;
        let is_bound = self.is_bound(tx, &rows.attempt, source).await?;
        let word = kept_word(&rows.attempt, evidence);
        let is_elsewhere = is_given_elsewhere(&rows.attempt, evidence);
        let newly_human = unsettled.needs_human && !rows.attempt.needs_human;
        let was_asked = rows.attempt.asks_customer();
        let unsettled = close_if_unwanted(&rows, unsettled, evidence);
        let planned = self.next_look_s(&rows.attempt, unsettled.next);
        let delay = if returned.is_unasked(source) {
            planned.max(UNASKED_S)
        } else {
            planned
        };
        let attempt = &mut rows.attempt;
        attempt.state = AttemptState::Unknown;
        attempt.needs_human |= unsettled.needs_human || is_bound;
        if source == EvidenceSource::LookUp && is_an_answer {
            attempt.checks = attempt.checks.saturating_add(1);
            attempt.not_seen = attempt
                .not_seen
                .saturating_add(u32::from(is_absent_in(attempt, evidence)));
        }
        if unsettled.was_replayed && attempt.replayed_at.is_none() {
            attempt.replayed_at = Some(rows.now);
        }
        if unsettled.refusal.is_some() {
            attempt.refusal.clone_from(&unsettled.refusal);
        }
        attempt.lease_until = Some(rows.now);
        attempt.next_check_at = Some(next_look_at(attempt, rows.now, delay));
        tx.save_attempt(attempt, fence).await?;
        tx.decide_run_items(rows.attempt.id, Decision::Unknown, self.now())
            .await?;
        if rows.attempt.asks_customer() && !was_asked {
            self.tell_customer_is_asked(tx, &rows).await?;
        }
        // It is said once, also to those who are called already.
        if newly_human || is_elsewhere {
            self.page(tx, &rows, word).await?;
        } else if is_bound {
            self.page(tx, &rows, "same_answer").await?;
        }
        if was_sent {
            self.audit_settle(tx, &rows, actor, "unknown", "").await?;
        }
        Ok(settled(&rows, Some(unsettled.next)))
    }

    /// Seconds until the next look: within seconds when the provider said so, else by schedule.
    /// The schedule's last step repeats for ever.
    fn next_look_s(&self, attempt: &Attempt, next: NextStep) -> i64 {
        const SOON_S: i64 = 2;
        let schedule = &self.parts.settings.look_up_s;
        // Where nobody is asked before it is sent again, the sends are counted.
        let asked = attempt.checks.max(attempt.send_count.saturating_sub(1));
        let index = usize::try_from(asked).unwrap_or(usize::MAX);
        let planned = schedule
            .get(index)
            .or(schedule.last())
            .copied()
            .unwrap_or(SOON_S);
        match next {
            NextStep::LookSoon if attempt.checks == 0 => planned.min(SOON_S),
            NextStep::LookSoon | NextStep::LookLater | NextStep::Resend | NextStep::Fence => {
                planned
            }
        }
    }

    /// Queues a message for the customer: their bank wants them. It does not hold the link, which is asked for when it is
    /// sent.
    async fn tell_customer_is_asked<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
    ) -> Result<(), StoreError> {
        let id = &rows.attempt.public_id;
        let payload = format!("{{\"attempt\":\"{id}\"}}");
        tx.queue_notice("customer_must_confirm", id.as_str(), &payload, self.now())
            .await
    }

    /// Queues a message for the people on call.
    pub(super) async fn page<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
        what: &str,
    ) -> Result<(), StoreError> {
        self.page_attempt(tx, &rows.attempt, what).await
    }

    /// The same about one attempt.
    pub(super) async fn page_attempt<T: Tx>(
        &self,
        tx: &mut T,
        attempt: &Attempt,
        what: &str,
    ) -> Result<(), StoreError> {
        let key = format!("{}:{what}", attempt.public_id);
        let payload = format!(
            "{{\"attempt\":\"{}\",\"what\":\"{what}\"}}",
            attempt.public_id
        );
        tx.queue_notice("page", &key, &payload, self.now()).await?;
        Ok(())
    }

    pub(super) async fn audit_settle<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
        actor: Actor<'_>,
        result: &str,
        provider_ref: &str,
    ) -> Result<(), StoreError> {
        let press = Press {
            verb: rows.attempt.kind.as_str(),
            target: rows.attempt.public_id.as_str(),
            after: rows.attempt.state.as_str(),
            result,
            provider_ref,
            reason: &rows.attempt.reason,
            ..Press::default()
        };
        self.audit_in(tx, actor, press, rows.now).await
    }
}

/// A link is open for what nobody wants any more: it is closed.
fn close_if_unwanted(rows: &Rows, unsettled: Unsettled, evidence: &Evidence) -> Unsettled {
    let is_asked =
        matches!(evidence, Evidence::Seen(seen) if seen.status == SeenStatus::NeedsCustomer);
    if is_asked && !rows.is_wanted() {
        return Unsettled {
            next: NextStep::Fence,
            ..unsettled
        };
    }
    unsettled
}

/// Whoever waits for a customer looks often, and when the link is to be closed.
fn next_look_at(attempt: &Attempt, now: DateTime<Utc>, delay_s: i64) -> DateTime<Utc> {
    let planned = now + Duration::seconds(delay_s);
    match attempt.link_until() {
        Some(until) if until > now => planned.min(now + Duration::seconds(LINK_LOOK_S)).min(until),
        Some(_) | None => planned,
    }
}

/// The fence of a row that this transaction has locked and read.
pub(super) const fn fence_of(attempt: &Attempt) -> Fence {
    Fence {
        state: attempt.state,
        epoch: Some(attempt.lease_epoch),
    }
}

/// What is known of an attempt after its rows were written.
pub(super) fn settled(rows: &Rows, next: Option<NextStep>) -> Settled {
    Settled {
        state: rows.attempt.state,
        refusal: rows.attempt.refusal.clone(),
        next,
        receipt: Receipt {
            public_id: Some(rows.invoice.public_id.clone()),
            attempt: Some(rows.attempt.public_id.clone()),
            attempt_id: Some(rows.attempt.id),
            kind: Some(rows.attempt.kind),
            invoice: Some(rows.invoice.public_id.clone()),
            payment: rows.payment.as_ref().map(|p| p.public_id.clone()),
            subscription: rows
                .subscription
                .as_ref()
                .map(|(s, _)| (s.public_id.clone(), s.state)),
            amount: Some(rows.attempt.amount),
            next_due_at: rows
                .subscription
                .as_ref()
                .and_then(|(s, _)| s.next_charge()),
            order_id: None,
            provider: Some(rows.attempt.provider),
            card: None,
            instead_of: None,
            link_until: rows.attempt.link_until(),
        },
        goes_out: rows.attempt.send_after.is_some(),
        was_ended: rows.attempt.was_ended(),
        asks_customer: rows.attempt.asks_customer(),
    }
}
