//! Declaring that an unknown charge was never executed: the rules about what was looked up, and the
//! provider's own list of those days, asked outside any transaction, when it is asked for and again
//! when it is approved.
//!
//! The provider remains right: it is asked about such a charge once a day for a while, without sending
//! anything, and a success that is found later still settles the attempt, and pages.

use std::fmt;

use chrono::{DateTime, Duration, Utc};

use crate::domain::approval::{Approval, Asked};
use crate::domain::attempt::{
    Attempt, AttemptKind, LOOKED_FOR_DAYS, LOOKED_FOR_EVERY_H, SentTimes, absence,
};
use crate::domain::customer::Customer;
use crate::domain::evidence::EvidenceSource;
use crate::domain::failure::FailureClass;
use crate::domain::ids::AttemptId;
use crate::domain::invoice::Invoice;
use crate::domain::operator::{Operator, Verb};
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InvoiceState};
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
use super::ports::{Approvals, Attempts, Desk, NewEvidence, ProviderError, Store, Tx};
use super::refund::checked_reason;
use super::refusal::{Refused, VerbError};
use super::request::Request;
use super::resolve::Reach;
use super::settle::{AfterFailure, Rows, Settled, fence_of, settled};

/// The longest text of evidence that is kept.
const EVIDENCE_LIMIT: usize = 2_000;
/// Rows of the provider's list asked for at a time.
const LIST_PAGE: u32 = 1_000;
/// The most pages: a list that does not end proves nothing.
const LIST_PAGES: u32 = 2_000;
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
    /// How many look-ups count.
    pub not_seen: u32,
}

/// Proof that the provider's list of certain days was read to its end and that this attempt, as it
/// was sent last, is not on it.
#[derive(Debug, Clone)]
pub(super) struct Unlisted {
    attempt: AttemptId,
    last_sent_at: Option<DateTime<Utc>>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    rows: usize,
}

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.date_naive(), self.to.date_naive());
        write!(f, "not among {} transactions {from}..{to}", self.rows)
    }
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
        let is_owed = matches!(
            self.invoice.state,
            InvoiceState::Open | InvoiceState::Uncollectible
        );
        let subscription = self.subscription.as_ref();
        is_owed && subscription.is_none_or(|(s, _)| !s.state.is_ended())
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
        let attempt = tx.lock_attempt(id).await?;
        if attempt.state != AttemptState::Unknown {
            return Err(VerbError::Refused(Refused::Settled));
        }
        if attempt.kind != AttemptKind::Charge {
            return Err(VerbError::Refused(Refused::ChargesOnly));
        }
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
            not_seen: 0,
        };
        work.not_seen = absence(sent, work.is_wanted(), &look_ups, now)
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
            .and(&work.reason)
            .and(&work.evidence)
            .finish();
        let (follows, not_happening) = self.follows(work);
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
    fn follows(&self, work: &AbsenceWork) -> (Option<Effect>, Vec<NotHappening>) {
        let subscription = work.subscription.as_ref().map(|(s, _)| s);
        let source = work.attempt.source;
        let from = work.invoice.next_attempt_at;
        match self.after_failure(subscription, &work.invoice, source, CLASS) {
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

    /// For a request that needs it: everything that can be refused is refused first, then the
    /// provider's list is read to its end, with no transaction open.
    pub(super) async fn read_list(
        &self,
        operator: &Operator,
        request: &Request,
        fingerprint: &str,
    ) -> Result<Option<Unlisted>, VerbError> {
        if !matches!(
            request,
            Request::AskNotExecuted { .. } | Request::Grant { .. }
        ) {
            return Ok(None);
        }
        let listed = self.to_be_listed(operator, request, fingerprint).await?;
        let Some(attempt) = listed else {
            return Ok(None);
        };
        let (from, to) = self.days_of(&attempt).await?;
        let unlisted = self.search_list(&attempt, from, to).await?;
        if unlisted.is_none() {
            // It is there: what the provider says of it settles the attempt, whoever asked. Where somebody else holds it,
            // or it cannot be asked about now, that is the answer.
            self.look_now(attempt.id, Reach::Look, operator).await?;
            return Err(VerbError::Refused(Refused::Listed));
        }
        Ok(unlisted)
    }

    /// The attempt whose absence a request needs; none for every other request.
    async fn to_be_listed(
        &self,
        operator: &Operator,
        request: &Request,
        fingerprint: &str,
    ) -> Result<Option<Attempt>, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let id = match request {
            Request::AskNotExecuted { attempt, .. } => *attempt,
            Request::Grant { approval } => match tx.approval(*approval).await?.asked {
                Asked::NotExecuted(attempt) => attempt,
                Asked::Refund(_) | Asked::Return(_) => return Ok(None),
            },
            _ => return Ok(None),
        };
        let prepared = self.prepare(&mut tx, operator, request).await?;
        if prepared.plan.fingerprint != fingerprint {
            return Err(VerbError::Stale);
        }
        let attempt = tx.lock_attempt(id).await?;
        // Where the provider can end it, its list proves less than that.
        Ok((!attempt.provider.charges_in_two_steps()).then_some(attempt))
    }

    /// The days in which it would stand on the list, by either clock, with a day on both sides.
    async fn days_of(
        &self,
        attempt: &Attempt,
    ) -> Result<(DateTime<Utc>, DateTime<Utc>), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let here = tx.db_now().await?;
        let business = self.now();
        let sent = attempt.first_sent_at.unwrap_or(attempt.created_at);
        let from = sent.min(sent + (business - here)) - Duration::days(1);
        Ok((from, here.max(business) + Duration::days(1)))
    }

    /// None when the order is on the list. A list without one order of this installation may be anybody's: it proves
    /// nothing.
    async fn search_list(
        &self,
        attempt: &Attempt,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Option<Unlisted>, VerbError> {
        let provider = self.provider(attempt.provider)?;
        let _counted = self.count_call();
        let mut desk = Desk::new();
        let mut after: Option<String> = None;
        let (mut rows, mut has_ours) = (0, false);
        for _ in 0..LIST_PAGES {
            let page = provider
                .transactions(&mut desk, from, to, after.as_deref(), LIST_PAGE)
                .await
                .map_err(other_account)?;
            if page.iter().any(|row| row.order_id == attempt.order_id) {
                return Ok(None);
            }
            rows += page.len();
            has_ours |= page
                .iter()
                .any(|row| self.parts.install.made(&row.order_id));
            let next = page.last().map(|row| row.transaction_key.clone());
            let is_last = page.len() < usize::try_from(LIST_PAGE).unwrap_or(usize::MAX);
            if is_last && !has_ours {
                return Err(VerbError::Refused(Refused::ListProvesNothing { rows }));
            }
            if is_last {
                return Ok(Some(Unlisted {
                    attempt: attempt.id,
                    last_sent_at: attempt.last_sent_at,
                    from,
                    to,
                    rows,
                }));
            }
            if next == after {
                break;
            }
            after = next;
        }
        Err(VerbError::Provider(ProviderError::Unusable {
            operation: "list transactions",
        }))
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
            payment: None,
            attempt,
            now: at,
        };
        self.fail_invoice(tx, &mut rows, CODE, CLASS).await?;
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
        rows.attempt.next_check_at = self.next_look_for(&rows.attempt, rows.now);
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

/// The list of another account: not a question of the provider's, but of our key.
fn other_account(error: ProviderError) -> VerbError {
    match error {
        ProviderError::OtherAccount { .. } => VerbError::Refused(Refused::OtherAccount),
        other => VerbError::Provider(other),
    }
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
