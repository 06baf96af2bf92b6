//! Ending a charge that was prepared at the provider, so that it certainly never takes anything.
//!
//! What the provider has ended is its own proof: no second person, no waiting. A charge that turns out to be executed
//! instead is settled as such.

use crate::domain::attempt::{Attempt, AttemptKind, OtherTries};
use crate::domain::evidence::{Evidence, EvidenceSource, SeenStatus};
use crate::domain::failure::FailureClass;
use crate::domain::ids::AttemptId;
use crate::domain::operator::{Operator, Verb};
use crate::domain::run::Decision;
use crate::domain::states::AttemptState;

use super::Engine;
use super::absence::AbsenceWork;
use super::action::{ActionPlan, Outcome, PlannedCall};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::ports::{CallReport, Desk, Store, Tx};
use super::refund::checked_reason;
use super::refusal::{Refused, VerbError};
use super::resolve::must_be_unknown;
use super::send::Returned;
use super::settle::{Rows, Settled, fence_of, settled};

/// What stands on the invoice as the reason why its charge took nothing: the provider said so,
const CODE: &str = "PAYDECK_ENDED";
/// or our own books did, by which it was never confirmed.
const NEVER_CONFIRMED: &str = "PAYDECK_WITHDRAWN";
/// Nobody declined it: no try of the schedule is used up.
const CLASS: FailureClass = FailureClass::ProviderDown;

/// A charge that a person ends at the provider.
pub(super) struct FenceWork {
    attempt: Attempt,
    reason: String,
}

impl<S: Store> Engine<S> {
    /// Where the provider can end a charge for good, that is its own proof: it is ended, and nobody else is asked.
    pub(super) async fn prepare_fence<T: Tx>(
        &self,
        tx: &mut T,
        id: AttemptId,
        reason: &str,
    ) -> Result<Option<Prepared>, VerbError> {
        let reason = checked_reason(reason)?;
        let target = tx.attempt_target(id).await?;
        let (subscription, invoice) = self.lock_invoice_in_order(tx, target).await?;
        let attempt = tx.lock_attempt(id).await?;
        let can_be_ended =
            attempt.kind == AttemptKind::Charge && attempt.provider.charges_in_two_steps();
        if !can_be_ended {
            return Ok(None);
        }
        must_be_unknown(&attempt)?;
        let customer = tx.customer(attempt.customer_id).await?;
        let work = AbsenceWork {
            attempt,
            customer,
            reason,
            evidence: String::new(),
            subscription,
            invoice,
            payment: None,
            not_seen: 0,
        };
        let attempt = &work.attempt;
        let plan = ActionPlan {
            call: attempt.provider_ref.as_ref().map(|_| PlannedCall {
                provider: attempt.provider,
                operation: "end",
                order_id: attempt.order_id.clone(),
                idem_key: String::new(),
                expected_balance_minor: None,
            }),
            ..self.absence_plan(&work)
        };
        let work = FenceWork {
            attempt: work.attempt,
            reason: work.reason,
        };
        Ok(Some(Prepared {
            plan,
            work: Work::Fence(Box::new(work)),
        }))
    }

    pub(super) async fn write_fence<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: FenceWork,
    ) -> Result<Next, VerbError> {
        self.press_fence(tx, actor, &work.attempt, &work.reason)
            .await?;
        Ok(Next::Fence(work.attempt.id))
    }

    /// Ends a charge that nobody wants, or that cannot be brought to an end otherwise, so that it certainly never takes
    /// anything; then settles what the provider says.
    pub(super) async fn fence(
        &self,
        attempt: Attempt,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        self.fence_where(attempt, actor, OtherTries::Count).await
    }

    async fn fence_where(
        &self,
        attempt: Attempt,
        actor: Actor<'_>,
        others: OtherTries,
    ) -> Result<Settled, VerbError> {
        let attempt = match Box::pin(self.name_what_stands(attempt, others)).await {
            Ok(attempt) => attempt,
            Err(unanswered) => {
                let source = match unanswered.asked {
                    Some(_) => EvidenceSource::LookUp,
                    // Nobody was asked: it is no look-up.
                    None => EvidenceSource::Reconciliation,
                };
                return self.settle_until_written(&unanswered, source, actor).await;
            }
        };
        let mut asked = None;
        let (report, source) = match attempt.provider_ref.clone() {
            // No other process can confirm it any more: its name would have to be stored under an older epoch. Our own
            // books say so; nobody is asked.
            None => (
                CallReport::bare(Evidence::Withdrawn),
                EvidenceSource::Reconciliation,
            ),
            Some(provider_ref) => {
                let provider = self.provider(attempt.provider)?;
                let key = format!("{}:end:{}", attempt.idem_key, attempt.checks);
                asked = Some(self.parts.clock.uptime());
                let _counted = self.count_call();
                let mut desk = Desk::new();
                let report = provider.abandon(&mut desk, &provider_ref, &key).await;
                let report = report.ok_or(VerbError::Refused(Refused::CannotBeEnded))?;
                (report, EvidenceSource::LookUp)
            }
        };
        let was_refused = matches!(report.evidence, Evidence::Refused(_));
        let returned = Returned {
            attempt,
            report,
            asked,
        };
        let settled = self.settle_until_written(&returned, source, actor).await?;
        if !was_refused {
            return Ok(settled);
        }
        // It cannot be ended any more: what it is instead is asked.
        let looked = self.look_up(returned.attempt).await;
        self.settle_until_written(&looked, EvidenceSource::LookUp, actor)
            .await
    }

    /// What was prepared for a charge that was given up before it was ever confirmed. It would take nothing; it is not
    /// left to stand there either, where that can be helped.
    pub(super) async fn end_what_is_left(&self, given_up: &Attempt) {
        let (true, Some(name)) = (given_up.can_be_ended(), &given_up.provider_ref) else {
            return;
        };
        let Ok(provider) = self.provider(given_up.provider) else {
            return;
        };
        let key = format!("{}:left", given_up.idem_key);
        let _counted = self.count_call();
        let mut desk = Desk::new();
        let report = provider.abandon(&mut desk, name, &key).await;
        let said = report.map_or("", |report| report.evidence.name());
        if said != SeenStatus::Canceled.as_str() {
            tracing::warn!(%name, said, "what was prepared for a charge that was given up still stands");
        }
    }

    /// A person ends an unknown charge.
    pub(super) async fn fence_now(
        &self,
        id: AttemptId,
        operator: &Operator,
    ) -> Result<Outcome, VerbError> {
        let Some(attempt) = self.take_over(id).await? else {
            return Err(VerbError::Refused(Refused::Settled));
        };
        // Who was called because another try of the invoice took the money ends this one, so that the next is that one.
        let others = if attempt.needs_human {
            OtherTries::SayNothing
        } else {
            OtherTries::Count
        };
        let settled = self
            .fence_where(attempt, Actor::from(operator), others)
            .await?;
        Ok(settled.into_outcome())
    }

    /// The provider proved that it is over and took nothing. The invoice goes where one goes whose charge met an outage.
    pub(super) async fn write_ended<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        let attempt = &mut rows.attempt;
        attempt.state = AttemptState::NotExecuted;
        attempt.needs_human = false;
        attempt.settled_at = Some(self.now());
        attempt.next_check_at = None;
        attempt.lease_until = Some(rows.now);
        tx.save_attempt(attempt, fence).await?;
        let code = match rows.attempt.provider_ref {
            Some(_) => CODE,
            None => NEVER_CONFIRMED,
        };
        self.fail_invoice(tx, &mut rows, code, CLASS).await?;
        tx.decide_run_items(rows.attempt.id, Decision::NotExecuted, self.now())
            .await?;
        let provider_ref = rows.attempt.provider_ref.clone().unwrap_or_default();
        self.audit_settle(tx, &rows, actor, "ended", &provider_ref)
            .await?;
        Ok(settled(&rows, None))
    }

    /// The press of a person who ends an unknown charge.
    pub(super) async fn press_fence<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        attempt: &Attempt,
        reason: &str,
    ) -> Result<(), VerbError> {
        let at = tx.db_now().await?;
        let press = Press {
            verb: Verb::ForceState.as_str(),
            target: attempt.public_id.as_str(),
            before: attempt.state.as_str(),
            reason,
            result: "intent",
            provider_ref: attempt.provider_ref.as_deref().unwrap_or_default(),
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, at).await?)
    }
}
