//! Four eyes: one person asks, another approves, and it happens with the approval, in one commit.
//!
//! Approving makes the whole plan again: where it is not the plan that was asked for, it is stale, and
//! nothing happens. A request reserves nothing and sends nothing.

use chrono::Duration;

use crate::domain::approval::{APPROVAL_MINUTES, Approval, Asked, NotGrantable, is_same_person};
use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{ApprovalId, CustomerId, Noun, PaymentId, PublicId};
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Verb};
use crate::domain::payment::RefundAmount;
use crate::domain::states::ApprovalState;

use super::Engine;
use super::absence::AbsenceWork;
use super::action::{ActionPlan, AskedBy, Confirmation, Effect, NotHappening, Outcome, Receipt};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press, claims_json, claims_of};
use super::fingerprint::Fingerprint;
use super::ports::{Constraint, Decided, NewApproval, Store, StoreError, Tx};
use super::prepared_return::{Fate, ReturnWork};
use super::refund::{Limit, RefundWork};
use super::refusal::{Refused, VerbError};
use super::unlisted::Unlisted;

/// What is asked for, with everything read for it.
pub(super) enum AskedWork {
    Refund(Box<RefundWork>),
    NotExecuted(Box<AbsenceWork>),
    Return(Box<ReturnWork>),
}

/// A request that is to be written down.
pub(super) struct AskWork {
    pub asked: AskedWork,
    target: PublicId,
    customer: CustomerId,
    amount: Money,
    fingerprint: String,
    /// One about the same target whose plan is over.
    replaces: Option<Approval>,
}

/// A request that is to be decided.
pub(super) struct DecideWork {
    pub approval: Approval,
    /// What happens with it; none when it is turned down.
    pub granted: Option<AskedWork>,
    note: String,
}

impl<S: Store> Engine<S> {
    /// A refund above the person's own limit, as a request.
    pub(super) async fn prepare_ask_refund<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        payment: PaymentId,
        amount: RefundAmount,
        reason: &str,
        also_cancel: AlsoCancel,
    ) -> Result<Prepared, VerbError> {
        let (plan, work) = self
            .refund_and_plan(tx, Limit::Lifted, payment, amount, reason, also_cancel)
            .await?;
        let verb = Verb::Refund;
        self.must_need_approval(tx, operator, verb, work.amount)
            .await?;
        let customer = work.customer.id;
        let asked = AskedWork::Refund(Box::new(work));
        self.prepare_ask(tx, operator, plan, asked, customer).await
    }

    /// Nobody asks for what he may do alone.
    pub(super) async fn must_need_approval<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        verb: Verb,
        amount: Money,
    ) -> Result<(), VerbError> {
        match self.check_limit(tx, operator, verb, amount).await {
            Ok(()) => Err(VerbError::Refused(Refused::ApprovalNotNeeded)),
            Err(VerbError::Refused(Refused::NeedsApproval { .. })) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// The plan of a request: what is asked for, and that nothing of it happens yet.
    pub(super) async fn prepare_ask<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        plan: ActionPlan,
        asked: AskedWork,
        customer: CustomerId,
    ) -> Result<Prepared, VerbError> {
        let (Some(target), Some(amount)) = (plan.subject.clone(), plan.amount) else {
            return Err(VerbError::Range("a request without a target".to_owned()));
        };
        let now = tx.db_now().await?;
        let replaces = tx.waiting_approval_of(&target).await?;
        // Nobody ends what another person has asked for by asking for something else.
        if let Some(waiting) = &replaces
            && waiting.waits_at(now)
            && (waiting.fingerprint == plan.fingerprint
                || !is_same_person(&waiting.requester, &operator.person))
        {
            return Err(VerbError::Refused(Refused::AlreadyAsked {
                approval: waiting.public_id.clone(),
                person: waiting.requester.clone(),
                until: waiting.expires_at,
            }));
        }
        let old_id = replaces.as_ref().map(|old| old.public_id.clone());
        let mut effects = vec![Effect::SecondPerson {
            minutes: APPROVAL_MINUTES,
        }];
        effects.extend(
            replaces
                .as_ref()
                .filter(|old| old.waits_at(now))
                .map(|old| Effect::RequestReplaced(old.public_id.clone())),
        );
        let work = AskWork {
            asked,
            target,
            customer,
            amount,
            fingerprint: plan.fingerprint.clone(),
            replaces,
        };
        effects.extend(plan.effects);
        let mut not_happening = vec![NotHappening::BeforeApproval];
        not_happening.extend(plan.not_happening);
        let plan = ActionPlan {
            fingerprint: Fingerprint::of("ask")
                .and(&plan.fingerprint)
                .and(old_id.as_ref().map_or("", PublicId::as_str))
                .finish(),
            call: None,
            effects,
            not_happening,
            ..plan
        };
        Ok(Prepared {
            plan,
            work: Work::Ask(Box::new(work)),
        })
    }

    pub(super) async fn write_ask<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        work: AskWork,
        unlisted: Option<&Unlisted>,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        if let Some(old) = &work.replaces {
            self.end_replaced(tx, operator, old, at).await?;
        }
        let (asked, also_cancel, reason, evidence) = match &work.asked {
            AskedWork::Refund(refund) => (
                Asked::Refund(refund.payment.id),
                refund.also_cancel,
                refund.reason.as_str(),
                "",
            ),
            AskedWork::NotExecuted(absence) => {
                absence.must_be(unlisted)?;
                (
                    Asked::NotExecuted(absence.attempt.id),
                    AlsoCancel::No,
                    absence.reason.as_str(),
                    absence.evidence.as_str(),
                )
            }
            AskedWork::Return(work) => (
                Asked::Return(work.attempt.id),
                AlsoCancel::No,
                work.attempt.reason.as_str(),
                "",
            ),
        };
        let public_id = self.parts.ids.public_id(Noun::Approval);
        let claims = claims_json(&operator.evidence);
        let new = NewApproval {
            public_id: &public_id,
            asked,
            target: &work.target,
            customer_id: work.customer,
            amount: work.amount,
            also_cancel,
            reason,
            evidence,
            fingerprint: &work.fingerprint,
            mode: self.parts.settings.mode,
            requester: &operator.person,
            claims: &claims,
            at,
            expires_at: at + Duration::minutes(APPROVAL_MINUTES),
        };
        tx.insert_approval(&new).await.map_err(as_stale)?;
        let payload = format!("{{\"approval\":\"{public_id}\",\"what\":\"approval\"}}");
        tx.queue_notice("page", public_id.as_str(), &payload, self.now())
            .await?;
        let after = listed(format!("{public_id} {}", work.amount), unlisted);
        let press = Press {
            verb: asked.verb().as_str(),
            target: work.target.as_str(),
            after: &after,
            reason,
            result: "asked",
            ..Press::default()
        };
        self.audit_in(tx, Actor::from(operator), press, at).await?;
        Ok(Next::Finished(Box::new(Outcome::Asked(Receipt {
            public_id: Some(public_id),
            ..Receipt::default()
        }))))
    }

    /// The plan that was asked for, made again for the second person.
    pub(super) async fn prepare_grant<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        id: ApprovalId,
    ) -> Result<Prepared, VerbError> {
        let approval = tx.approval(id).await?;
        let now = tx.db_now().await?;
        approval
            .check(&operator.person, now)
            .map_err(|why| VerbError::Refused(refused(why)))?;
        let (plan, granted) = match approval.asked {
            Asked::Refund(payment) => {
                let amount = RefundAmount::Partial(approval.amount);
                let (plan, work) = self
                    .refund_and_plan(
                        tx,
                        Limit::Lifted,
                        payment,
                        amount,
                        &approval.reason,
                        approval.also_cancel,
                    )
                    .await?;
                (plan, AskedWork::Refund(Box::new(work)))
            }
            Asked::NotExecuted(attempt) => {
                let (plan, work) = self
                    .absence_and_plan(tx, attempt, &approval.reason, &approval.evidence)
                    .await?;
                (plan, AskedWork::NotExecuted(Box::new(work)))
            }
            Asked::Return(attempt) => {
                let (plan, work) = self
                    .return_and_plan(tx, operator, Limit::Lifted, attempt, Fate::Send)
                    .await?;
                (plan, AskedWork::Return(Box::new(work)))
            }
        };
        // The amount stands beside the plan: an altered row must not show one and do another.
        if plan.fingerprint != approval.fingerprint || plan.amount != Some(approval.amount) {
            return Err(VerbError::Stale);
        }
        let plan = ActionPlan {
            verb: Verb::Approve,
            fingerprint: Fingerprint::of("grant")
                .and(approval.public_id.as_str())
                .and(&approval.requester)
                .and(&plan.fingerprint)
                .finish(),
            asked: Some(asked_by(&approval)),
            ..plan
        };
        Ok(Prepared {
            plan,
            work: Work::Decide(Box::new(DecideWork {
                approval,
                granted: Some(granted),
                note: String::new(),
            })),
        })
    }

    /// Turning a request down, which its own author may do as well, whatever his roles.
    pub(super) async fn prepare_reject<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        id: ApprovalId,
        reason: &str,
    ) -> Result<Prepared, VerbError> {
        let note = super::refund::checked_reason(reason)?;
        let approval = tx.approval(id).await?;
        if !is_same_person(&approval.requester, &operator.person) {
            operator.check(Verb::Approve)?;
        }
        if approval.state != ApprovalState::Waiting {
            let decided = Refused::ApprovalDecided(approval.state);
            return Err(VerbError::Refused(decided));
        }
        let customer = tx.customer(approval.customer_id).await?;
        let plan = ActionPlan {
            verb: Verb::Approve,
            mode: self.parts.settings.mode,
            fingerprint: Fingerprint::of("reject")
                .and(approval.public_id.as_str())
                .and(&note)
                .finish(),
            customer: Some(super::charge::customer_brief(&customer)),
            subject: Some(approval.target.clone()),
            subscription: None,
            what: String::new(),
            card: None,
            amount: Some(approval.amount),
            call: None,
            if_not_seen: None,
            asked: Some(asked_by(&approval)),
            effects: Vec::new(),
            not_happening: vec![NotHappening::ProviderCall],
            warnings: Vec::new(),
            confirm: Confirmation::Key,
        };
        Ok(Prepared {
            plan,
            work: Work::Decide(Box::new(DecideWork {
                approval,
                granted: None,
                note,
            })),
        })
    }

    pub(super) async fn write_decision<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: DecideWork,
        unlisted: Option<&Unlisted>,
    ) -> Result<Next, VerbError> {
        let DecideWork {
            approval,
            granted,
            note,
        } = work;
        let at = tx.db_now().await?;
        let state = if granted.is_some() {
            ApprovalState::Granted
        } else {
            ApprovalState::Rejected
        };
        let decided = Decided {
            state,
            by: actor.person,
            note: &note,
            at,
        };
        tx.decide_approval(approval.id, &decided)
            .await
            .map_err(as_stale)?;
        let press = Press {
            verb: Verb::Approve.as_str(),
            target: approval.public_id.as_str(),
            before: approval.state.as_str(),
            after: state.as_str(),
            reason: if note.is_empty() {
                &approval.reason
            } else {
                &note
            },
            result: "done",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        let claims = claims_of(&approval.claims);
        let requester = Actor {
            person: &approval.requester,
            claims: &claims,
        };
        match granted {
            Some(AskedWork::Refund(refund)) => {
                let refund = refund.approved_by(actor.person);
                self.write_refund(tx, requester, refund).await
            }
            Some(AskedWork::NotExecuted(absence)) => {
                let unlisted = absence.must_be(unlisted)?;
                self.write_not_executed(tx, requester, &approval, actor.person, *absence, unlisted)
                    .await
            }
            Some(AskedWork::Return(work)) => {
                self.write_return(tx, requester, actor.person, *work).await
            }
            None => Ok(Next::Finished(Box::new(Outcome::Done(Receipt {
                public_id: Some(approval.public_id),
                ..Receipt::default()
            })))),
        }
    }
}

/// With what the provider's list was asked for, where it was.
pub(super) fn listed(text: String, unlisted: Option<&Unlisted>) -> String {
    match unlisted {
        Some(unlisted) => format!("{text} {unlisted}"),
        None => text,
    }
}

fn asked_by(approval: &Approval) -> AskedBy {
    AskedBy {
        approval: Some(approval.public_id.clone()),
        person: approval.requester.clone(),
        reason: approval.reason.clone(),
        evidence: approval.evidence.clone(),
        until: Some(approval.expires_at),
    }
}

fn refused(why: NotGrantable) -> Refused {
    match why {
        NotGrantable::Decided(state) => Refused::ApprovalDecided(state),
        NotGrantable::Expired => Refused::ApprovalExpired,
        NotGrantable::OwnRequest => Refused::OwnRequest,
    }
}

/// Somebody else asked for it, or decided it, a moment before.
pub(super) fn as_stale(error: StoreError) -> VerbError {
    match error {
        StoreError::Stale { .. } | StoreError::Refused(Constraint::OpenApproval) => {
            VerbError::Stale
        }
        // The clock went on between the check and the write.
        StoreError::Refused(Constraint::Approval) => VerbError::Refused(Refused::ApprovalExpired),
        StoreError::Refused(Constraint::FourEyes) => VerbError::Refused(Refused::OwnRequest),
        other => VerbError::Store(other),
    }
}
