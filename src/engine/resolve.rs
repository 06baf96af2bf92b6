//! Asking the provider now about an attempt that nobody knows the end of.

use crate::domain::attempt::Attempt;
use crate::domain::customer::Customer;
use crate::domain::ids::AttemptId;
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::AttemptState;

use super::Engine;
use super::action::{ActionPlan, Confirmation, NotHappening, Outcome, PlannedCall};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::customer_brief;
use super::fingerprint::Fingerprint;
use super::ports::{Store, Tx};
use super::refusal::{Refused, VerbError};

/// Everything read for a look-up.
pub(super) struct ResolveWork {
    attempt: Attempt,
    customer: Customer,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_resolve<T: Tx>(
        &self,
        tx: &mut T,
        id: AttemptId,
    ) -> Result<Prepared, VerbError> {
        let attempt = tx.lock_attempt(id).await?;
        if !matches!(attempt.state, AttemptState::Sent | AttemptState::Unknown) {
            return Err(VerbError::Refused(Refused::Settled));
        }
        let customer = tx.customer(attempt.customer_id).await?;
        let plan = self.resolve_plan(&attempt, &customer);
        Ok(Prepared {
            plan,
            work: Work::Resolve(Box::new(ResolveWork { attempt, customer })),
        })
    }

    fn resolve_plan(&self, attempt: &Attempt, customer: &Customer) -> ActionPlan {
        let fingerprint = Fingerprint::of("resolve-unknown")
            .and(attempt.public_id.as_str())
            .and(attempt.state.as_str())
            .number(attempt.lease_epoch)
            .finish();
        ActionPlan {
            verb: Verb::ResolveUnknown,
            mode: self.parts.settings.mode,
            fingerprint,
            customer: Some(customer_brief(customer)),
            subject: Some(attempt.public_id.clone()),
            subscription: None,
            what: attempt.kind.as_str().to_owned(),
            card: None,
            amount: Some(attempt.amount),
            call: Some(PlannedCall {
                operation: "look up",
                order_id: attempt.order_id.clone(),
                idem_key: attempt.idem_key.clone(),
                expected_balance_minor: attempt.expected_balance_minor,
            }),
            effects: Vec::new(),
            not_happening: vec![NotHappening::ScheduleMove],
            warnings: Vec::new(),
            confirm: Confirmation::Key,
        }
    }

    pub(super) async fn write_resolve<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: ResolveWork,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        let target = work.customer.public_id.to_string();
        let press = Press {
            verb: Verb::ResolveUnknown.as_str(),
            target: work.attempt.public_id.as_str(),
            before: work.attempt.state.as_str(),
            reason: &target,
            result: "intent",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(Next::LookUp(work.attempt.id))
    }

    /// Takes the lease, looks up, settles, and sends the same bytes again where that is the way.
    pub(super) async fn look_now(
        &self,
        id: AttemptId,
        operator: &Operator,
    ) -> Result<Outcome, VerbError> {
        match self.take_over(id).await? {
            Some(attempt) => Ok(self
                .work_off(attempt, Actor::from(operator))
                .await?
                .into_outcome()),
            None => Err(VerbError::Refused(Refused::Settled)),
        }
    }
}
