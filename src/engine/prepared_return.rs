//! A return that was prepared because nobody wanted the money that was taken: a person sends it, or
//! gives it up and lets go of what it reserved. It is never sent silently.

use chrono::{DateTime, Utc};

use crate::domain::approval::is_same_person;
use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::customer::Customer;
use crate::domain::ids::{AttemptId, InvoiceId, PaymentId};
use crate::domain::invoice::Invoice;
use crate::domain::mode::Mode;
use crate::domain::operator::{Operator, Verb};
use crate::domain::payment::Payment;
use crate::domain::states::AttemptState;
use crate::domain::subscription::{Subscription, Term};

use super::Engine;
use super::action::{
    ActionPlan, AskedBy, Confirmation, Effect, NotHappening, Outcome, PlannedCall, Receipt,
};
use super::apply::{Next, Prepared, Work};
use super::approval::AskedWork;
use super::audit::{Actor, Press};
use super::charge::customer_brief;
use super::fingerprint::Fingerprint;
use super::ports::{Store, Tx};
use super::refund::{Limit, balance, checked_reason};
use super::refusal::{Refused, VerbError};
use super::settle::fence_of;

/// What is decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes to the customer.
    Send,
    /// The money stays, because of this.
    GiveUp(String),
}

/// Everything read for it.
pub(super) struct ReturnWork {
    fate: Fate,
    pub attempt: Attempt,
    /// The attempt that took the money; it waits for a person until this is decided.
    charge: Attempt,
    payment: Payment,
    customer: Customer,
    subscription: Option<(Subscription, Term)>,
    invoice: Invoice,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_return_decision<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        id: AttemptId,
        fate: Fate,
    ) -> Result<Prepared, VerbError> {
        let fate = match fate {
            Fate::Send => Fate::Send,
            Fate::GiveUp(reason) => Fate::GiveUp(checked_reason(&reason)?),
        };
        let limit = match fate {
            Fate::Send => Limit::Of(operator),
            // No money leaves: there is no limit to keep.
            Fate::GiveUp(_) => Limit::Lifted,
        };
        let (plan, work) = self.return_and_plan(tx, operator, limit, id, fate).await?;
        Ok(Prepared {
            plan,
            work: Work::Return(Box::new(work)),
        })
    }

    /// A return above the person's own limit, as a request.
    pub(super) async fn prepare_ask_return<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        id: AttemptId,
    ) -> Result<Prepared, VerbError> {
        let (plan, work) = self
            .return_and_plan(tx, operator, Limit::Lifted, id, Fate::Send)
            .await?;
        self.must_need_approval(tx, operator, Verb::Approve, work.attempt.amount)
            .await?;
        let customer = work.customer.id;
        let asked = AskedWork::Return(Box::new(work));
        self.prepare_ask(tx, operator, plan, asked, customer).await
    }

    pub(super) async fn return_and_plan<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        limit: Limit<'_>,
        id: AttemptId,
        fate: Fate,
    ) -> Result<(ActionPlan, ReturnWork), VerbError> {
        let target = tx.attempt_target(id).await?;
        let (subscription, invoice) = self.lock_invoice_in_order(tx, target).await?;
        let payment = payment_of(tx, target, id)
            .await?
            .ok_or(VerbError::Refused(Refused::NotWaiting))?;
        let payment = tx.lock_payment(payment).await?;
        let charge = tx.lock_attempt(payment.attempt_id).await?;
        let attempt = tx.lock_attempt(id).await?;
        if attempt.kind != AttemptKind::Refund || attempt.state != AttemptState::WaitingApproval {
            return Err(VerbError::Refused(Refused::NotWaiting));
        }
        if is_same_person(&attempt.operator, &operator.person) {
            return Err(VerbError::Refused(Refused::OwnRequest));
        }
        // Its bytes say what the provider must still hold; they are never written anew.
        if fate == Fate::Send && attempt.expected_balance_minor != Some(balance(&payment)) {
            return Err(VerbError::Refused(Refused::BalanceMoved));
        }
        if let Limit::Of(operator) = limit {
            self.check_limit(tx, operator, Verb::Approve, attempt.amount)
                .await?;
        }
        let customer = tx.customer(attempt.customer_id).await?;
        let work = ReturnWork {
            fate,
            attempt,
            charge,
            payment,
            customer,
            subscription,
            invoice,
        };
        Ok((self.return_plan(&work)?, work))
    }

    fn return_plan(&self, work: &ReturnWork) -> Result<ActionPlan, VerbError> {
        let (attempt, payment) = (&work.attempt, &work.payment);
        let mode = self.parts.settings.mode;
        let range = |e: crate::domain::money::MoneyError| VerbError::Range(e.to_string());
        let left = payment.refundable().map_err(range)?;
        let fingerprint = |verb| {
            Fingerprint::of(verb)
                .and(attempt.public_id.as_str())
                .and(attempt.state.as_str())
                .number(attempt.amount.minor())
                .number(attempt.lease_epoch)
                .number(payment.version)
        };
        let (fingerprint, left, call, not_happening, confirm) = match &work.fate {
            Fate::Send => (
                fingerprint("approve-return").finish(),
                left,
                Some(PlannedCall {
                    provider: payment.provider,
                    operation: "cancel",
                    order_id: payment.order_id.clone(),
                    idem_key: attempt.idem_key.clone(),
                    expected_balance_minor: attempt.expected_balance_minor,
                }),
                vec![NotHappening::Cancel],
                match mode {
                    Mode::Live => Confirmation::AmountAndEnding(
                        attempt.amount,
                        work.customer.public_id.ending(4).to_owned(),
                    ),
                    Mode::Test | Mode::Sim => Confirmation::Amount(attempt.amount),
                },
            ),
            Fate::GiveUp(reason) => (
                fingerprint("decline-return").and(reason).finish(),
                left.checked_add(attempt.amount).map_err(range)?,
                None,
                vec![NotHappening::Refund],
                Confirmation::Ending(attempt.public_id.ending(4).to_owned()),
            ),
        };
        Ok(ActionPlan {
            verb: Verb::Approve,
            mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(attempt.public_id.clone()),
            subscription: work.subscription.as_ref().map(|(s, _)| s.public_id.clone()),
            what: work.invoice.description.clone(),
            card: None,
            amount: Some(attempt.amount),
            call,
            if_not_seen: None,
            asked: Some(AskedBy {
                approval: None,
                person: attempt.operator.clone(),
                reason: attempt.reason.clone(),
                evidence: String::new(),
                until: None,
            }),
            effects: vec![Effect::RefundableAfter(left)],
            not_happening,
            warnings: Vec::new(),
            confirm,
        })
    }

    /// Approved is approved: whoever finds it unsent sends it.
    fn make_ready(&self, attempt: &mut Attempt, at: DateTime<Utc>) {
        let lease = self.lease(at);
        attempt.state = AttemptState::Ready;
        attempt.lease_owner = Some(lease.owner.to_owned());
        attempt.lease_until = Some(lease.until);
        attempt.lease_epoch += 1;
        attempt.send_after = Some(at);
        attempt.next_check_at = Some(at);
    }

    /// `by` decided it, or asked a second person for it; `approver` is whose word it is.
    pub(super) async fn write_return<T: Tx>(
        &self,
        tx: &mut T,
        by: Actor<'_>,
        approver: &str,
        work: ReturnWork,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        let ReturnWork {
            fate,
            mut attempt,
            mut charge,
            mut payment,
            ..
        } = work;
        // Where it is sent, a person is called until the money has gone back.
        if charge.needs_human && fate != Fate::Send {
            charge.needs_human = false;
            tx.save_attempt(&charge, fence_of(&charge)).await?;
        }
        let fence = fence_of(&attempt);
        let prepared_by = attempt.operator.clone();
        match &fate {
            Fate::Send => self.make_ready(&mut attempt, at),
            Fate::GiveUp(_) => {
                attempt.state = AttemptState::Abandoned;
                attempt.settled_at = Some(self.now());
                payment.reserved_minor = (payment.reserved_minor - attempt.amount.minor()).max(0);
            }
        }
        attempt.operator = by.person.to_owned();
        tx.save_attempt(&attempt, fence).await?;
        let reason = match &fate {
            Fate::Send => attempt.reason.as_str(),
            Fate::GiveUp(reason) => reason,
        };
        if attempt.state == AttemptState::Abandoned {
            tx.save_payment(&payment).await?;
        }
        let press = Press {
            verb: Verb::Refund.as_str(),
            target: attempt.public_id.as_str(),
            before: AttemptState::WaitingApproval.as_str(),
            after: attempt.state.as_str(),
            reason,
            result: if fate == Fate::Send {
                "intent"
            } else {
                "abandoned"
            },
            provider_ref: &payment.provider_ref,
            approver,
        };
        // One person's word is about what the system prepared; of two, one asks and the other approves.
        let asked_by = Actor {
            person: if by.person == approver {
                &prepared_by
            } else {
                by.person
            },
            claims: by.claims,
        };
        self.audit_in(tx, asked_by, press, at).await?;
        if fate == Fate::Send {
            return Ok(Next::Send(attempt.id));
        }
        Ok(Next::Finished(Box::new(Outcome::Done(Receipt {
            public_id: Some(attempt.public_id.clone()),
            attempt: Some(attempt.public_id),
            attempt_id: Some(attempt.id),
            payment: Some(payment.public_id),
            ..Receipt::default()
        }))))
    }
}

/// The payment a refund attempt comes out of, without locking either.
pub(super) async fn payment_of<T: Tx>(
    tx: &mut T,
    invoice: InvoiceId,
    id: AttemptId,
) -> Result<Option<PaymentId>, VerbError> {
    for payment in tx.payments_of(invoice).await? {
        let refunds = tx.refunds_of(payment.id).await?;
        if refunds.iter().any(|refund| refund.id == id) {
            return Ok(Some(payment.id));
        }
    }
    Ok(None)
}
