//! Declaring that an unknown charge or refund was never executed: the rules about what was looked up, and the
//! provider's own list of those days, asked outside any transaction, when it is asked for and again
//! when it is approved.
//!
//! The provider remains right: it is asked about such a charge once a day for a while, without sending
//! anything, and a success that is found later still settles the attempt, and pages.

use chrono::{DateTime, Duration, Utc};

use crate::domain::approval::Approval;
use crate::domain::attempt::{
    AlsoCancel, Attempt, AttemptKind, LOOKED_FOR_DAYS, LOOKED_FOR_EVERY_H, SentTimes, Sighting,
    absence, newest_sighting,
};
use crate::domain::customer::Customer;
use crate::domain::evidence::EvidenceSource;
use crate::domain::failure::FailureClass;
use crate::domain::ids::AttemptId;
use crate::domain::invoice::Invoice;
use crate::domain::operator::{Operator, Verb};
use crate::domain::payment::Payment;
use crate::domain::run::Decision;
use crate::domain::states::AttemptState;
use crate::domain::subscription::{Subscription, Term};

use super::Engine;
use super::action::{
    ActionPlan, Confirmation, Effect, NotHappening, Outcome, PlannedCall, Receipt,
};
use super::apply::{Next, Prepared};
use super::approval::{AskedWork, listed};
use super::audit::{Actor, Press};
use super::charge::customer_brief;
use super::fingerprint::Fingerprint;
use super::ports::{NewEvidence, Store, Tx};
use super::prepared_return::payment_of;
use super::reconcile::is_wanted;
use super::refund::checked_reason;
use super::refusal::{Refused, VerbError};
use super::resolve::must_be_unknown;
use super::settle::{AfterFailure, Rows, Settled, fence_of, let_go, settled};
use super::unlisted::Unlisted;

/// The longest text of evidence that is kept.
const EVIDENCE_LIMIT: usize = 2_000;
/// What stands on the invoice as the reason why its charge took nothing.
const CODE: &str = "PAYDECK_NOT_EXECUTED";
/// Nobody declined it: no try of the schedule is used up.
const CLASS: FailureClass = FailureClass::ProviderDown;

/// Everything read for it.
pub(super) struct AbsenceWork {
    pub attempt: Attempt,
    pub customer: Customer,
    pub reason: String,
    pub evidence: String,
    pub subscription: Option<(Subscription, Term)>,
    pub invoice: Invoice,
    /// The payment that a refund comes out of.
    pub payment: Option<Payment>,
    /// How many look-ups count.
    pub not_seen: u32,
}

impl AbsenceWork {
    /// The proof, if it is about exactly this.
    pub(super) fn must_be<'u>(
        &self,
        unlisted: Option<&'u Unlisted>,
    ) -> Result<&'u Unlisted, VerbError> {
        unlisted
            .filter(|u| u.attempt == self.attempt.id && u.last_sent_at == self.attempt.last_sent_at)
            .ok_or(VerbError::Stale)
    }

    /// Whether the obligation still stands.
    fn is_wanted(&self) -> bool {
        let subscription = self.subscription.as_ref().map(|(s, _)| s);
        is_wanted(&self.attempt, &self.invoice, subscription)
    }
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_ask_not_executed<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        id: AttemptId,
        reason: &str,
        evidence: &str,
    ) -> Result<Prepared, VerbError> {
        if let Some(prepared) = self.prepare_fence(tx, id, reason).await? {
            return Ok(prepared);
        }
        let (plan, work) = self.absence_and_plan(tx, id, reason, evidence).await?;
        let customer = work.customer.id;
        let asked = AskedWork::NotExecuted(Box::new(work));
        self.prepare_ask(tx, operator, plan, asked, customer).await
    }

    pub(super) async fn absence_and_plan<T: Tx>(
        &self,
        tx: &mut T,
        id: AttemptId,
        reason: &str,
        evidence: &str,
    ) -> Result<(ActionPlan, AbsenceWork), VerbError> {
        let reason = checked_reason(reason)?;
        let evidence = checked_evidence(evidence)?;
        let target = tx.attempt_target(id).await?;
        let (subscription, invoice) = self.lock_invoice_in_order(tx, target).await?;
        let payment = match payment_of(tx, target, id).await? {
            Some(payment) => Some(tx.lock_payment(payment).await?),
            None => None,
        };
        let attempt = tx.lock_attempt(id).await?;
        must_be_unknown(&attempt)?;
        let now = tx.db_now().await?;
        let look_ups = tx.look_ups_of(id).await?;
        let customer = tx.customer(attempt.customer_id).await?;
        let first = attempt.first_sent_at.unwrap_or(attempt.created_at);
        let sent = SentTimes {
            first,
            last: attempt.last_sent_at.unwrap_or(first),
            window: attempt.provider.resend_window(attempt.kind),
        };
        let mut work = AbsenceWork {
            attempt,
            customer,
            reason,
            evidence,
            subscription,
            invoice,
            payment,
            not_seen: 0,
        };
        // What somebody gave back meanwhile instead of ours is not sent again where nobody would stop it.
        let is_replaced = newest_sighting(&look_ups) == Some(Sighting::Elsewhere)
            && !work.attempt.provider.refuses_other_balance();
        work.not_seen = absence(sent, work.is_wanted() && !is_replaced, &look_ups, now)
            .map_err(|why| VerbError::Refused(Refused::MayBeExecuted(why)))?;
        Ok((self.absence_plan(&work), work))
    }

    pub(super) fn absence_plan(&self, work: &AbsenceWork) -> ActionPlan {
        let attempt = &work.attempt;
        // Looking again meanwhile changes nothing; sending again, or a move of what is owed, does.
        let fingerprint = Fingerprint::of("not-executed")
            .and(attempt.public_id.as_str())
            .and(attempt.state.as_str())
            .number(attempt.amount.minor())
            .number(i64::from(attempt.send_count))
            .number(attempt.last_sent_at.map_or(0, |at| at.timestamp_micros()))
            .number(work.invoice.version)
            .number(work.subscription.as_ref().map_or(0, |(s, _)| s.version))
            .number(work.payment.as_ref().map_or(0, |p| p.version))
            .and(&work.reason)
            .and(&work.evidence)
            .finish();
        let (follows, not_happening) = if let Some(payment) = &work.payment {
            after_no_refund(attempt, payment)
        } else {
            let subscription = work.subscription.as_ref().map(|(s, _)| s);
            self.follows(attempt, subscription, &work.invoice)
        };
        let mut effects = vec![Effect::Attempt {
            from: attempt.state,
            to: AttemptState::NotExecuted,
        }];
        effects.extend(follows);
        ActionPlan {
            verb: Verb::ForceState,
            mode: self.parts.settings.mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(attempt.public_id.clone()),
            subscription: work.subscription.as_ref().map(|(s, _)| s.public_id.clone()),
            what: work.invoice.description.clone(),
            card: None,
            amount: Some(attempt.amount),
            call: Some(PlannedCall {
                provider: attempt.provider,
                operation: "list transactions",
                order_id: attempt.order_id.clone(),
                idem_key: String::new(),
                expected_balance_minor: None,
            }),
            if_not_seen: None,
            asked: None,
            effects,
            not_happening,
            warnings: Vec::new(),
            confirm: Confirmation::Ending(attempt.public_id.ending(4).to_owned()),
        }
    }

    /// What becomes of the invoice, and what does not happen: the same reading as in settling.
    pub(super) fn follows(
        &self,
        attempt: &Attempt,
        subscription: Option<&Subscription>,
        invoice: &Invoice,
    ) -> (Option<Effect>, Vec<NotHappening>) {
        let from = invoice.next_attempt_at;
        match self.after_failure(subscription, invoice, attempt.source, CLASS) {
            AfterFailure::Voided => (
                Some(Effect::InvoicesVoided(1)),
                vec![NotHappening::SendAgain],
            ),
            AfterFailure::Dunned(step) if step.next_attempt_at.is_some() => {
                let to = step.next_attempt_at;
                let next = Effect::NextCharge { from, to };
                (Some(next), vec![NotHappening::SendAgain])
            }
            AfterFailure::Nothing | AfterFailure::Owed | AfterFailure::Dunned(_) => (
                None,
                vec![NotHappening::SendAgain, NotHappening::DunningMove],
            ),
        }
    }

    /// Two persons have declared it. The evidence row says so, and the invoice goes where one goes whose
    /// charge took nothing: tried again by schedule, listed as failed, or void with its subscription.
    pub(super) async fn write_not_executed<T: Tx>(
        &self,
        tx: &mut T,
        requester: Actor<'_>,
        approval: &Approval,
        approver: &str,
        work: AbsenceWork,
        unlisted: &Unlisted,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        let mut attempt = work.attempt;
        tx.insert_evidence(&NewEvidence {
            attempt_id: attempt.id,
            source: EvidenceSource::Person,
            outcome: AttemptState::NotExecuted.as_str(),
            http_status: None,
            code: None,
            reference: Some(approval.public_id.as_str()),
            amount: None,
            trace_id: None,
            body_sha256: None,
            elapsed_ms: 0,
            at,
        })
        .await?;
        let fence = fence_of(&attempt);
        let before = attempt.state;
        attempt.state = AttemptState::NotExecuted;
        attempt.needs_human = false;
        attempt.settled_at = Some(self.now());
        attempt.next_check_at = Some(at + Duration::hours(LOOKED_FOR_EVERY_H));
        attempt.lease_until = Some(at);
        tx.save_attempt(&attempt, fence).await?;
        let mut rows = Rows {
            subscription: work.subscription,
            invoice: work.invoice,
            payment: work.payment,
            attempt,
            now: at,
        };
        match rows.attempt.kind {
            AttemptKind::Charge => self.fail_invoice(tx, &mut rows, CODE, CLASS).await?,
            // Its amount is free again, in this commit.
            AttemptKind::Refund => {
                let_go(&mut rows);
                self.save_released(tx, &mut rows).await?;
            }
        }
        let Rows {
            attempt, invoice, ..
        } = rows;
        tx.decide_run_items(attempt.id, Decision::NotExecuted, self.now())
            .await?;
        let after = listed(
            format!("{} {} not seen", attempt.state, work.not_seen),
            Some(unlisted),
        );
        let press = Press {
            verb: Verb::ForceState.as_str(),
            target: attempt.public_id.as_str(),
            before: before.as_str(),
            after: &after,
            reason: &work.reason,
            result: "done",
            approver,
            ..Press::default()
        };
        self.audit_in(tx, requester, press, at).await?;
        Ok(Next::Finished(Box::new(Outcome::Done(Receipt {
            public_id: Some(attempt.public_id.clone()),
            attempt: Some(attempt.public_id),
            attempt_id: Some(attempt.id),
            invoice: Some(invoice.public_id),
            ..Receipt::default()
        }))))
    }

    /// It was asked about again and nothing of it is there: the next time is tomorrow, until nobody
    /// expects it any more. It is not sent again.
    pub(super) async fn write_still_absent<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        rows.attempt.next_check_at = if rows.attempt.was_ended() {
            None
        } else {
            self.next_look_for(&rows.attempt, rows.now)
        };
        rows.attempt.lease_until = Some(rows.now);
        tx.save_attempt(&rows.attempt, fence).await?;
        Ok(settled(&rows, None))
    }

    /// When what was declared not executed is asked about next.
    pub(super) fn next_look_for(
        &self,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let declared = attempt.settled_at.unwrap_or(now);
        let is_expected = self.now() - declared < Duration::days(LOOKED_FOR_DAYS);
        is_expected.then(|| now + Duration::hours(LOOKED_FOR_EVERY_H))
    }
}

/// What becomes of a payment whose refund took nothing.
fn after_no_refund(attempt: &Attempt, payment: &Payment) -> (Option<Effect>, Vec<NotHappening>) {
    let left = payment
        .refundable()
        .and_then(|left| left.checked_add(attempt.amount));
    let mut not_happening = vec![NotHappening::SendAgain];
    if attempt.also_cancel != AlsoCancel::No {
        not_happening.push(NotHappening::Cancel);
    }
    (left.ok().map(Effect::RefundableAfter), not_happening)
}

fn checked_evidence(evidence: &str) -> Result<String, VerbError> {
    let input = |reason: String| VerbError::Input {
        field: "evidence",
        reason,
    };
    if evidence.trim().is_empty() {
        return Err(input("say what supports it".to_owned()));
    }
    if evidence.chars().count() > EVIDENCE_LIMIT {
        return Err(input(format!("at most {EVIDENCE_LIMIT} characters")));
    }
    Ok(evidence.trim().to_owned())
}
