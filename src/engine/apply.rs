//! Plan and apply: the one way into every verb.
//!
//! Each verb's file has two functions: one reads and locks the rows and makes the plan, one writes
//! what the plan says. Applying runs the first again and goes on only with the same fingerprint.

use crate::domain::ids::AttemptId;
use crate::domain::mirror::{WishId, WishVerb};
use crate::domain::operator::{Denied, Operator, Verb};

use super::Engine;
use super::action::{ActionPlan, Outcome, Receipt};
use super::approval::{AskWork, DecideWork};
use super::audit::Actor;
use super::cancel::CancelWork;
use super::charge::ChargeWork;
use super::checkout::CheckoutWork;
use super::customer::CustomerWork;
use super::fallback::Onward;
use super::fence::FenceWork;
use super::method::MethodWork;
use super::mirror::WishWork;
use super::one_time::OneTimeWork;
use super::plans::PlanWork;
use super::ports::{Desk, Store, StoreError, Tx};
use super::prepared_return::{Fate, ReturnWork};
use super::refund::RefundWork;
use super::refusal::VerbError;
use super::request::Request;
use super::resolve::{Reach, ResolveWork};
use super::saved_cards::{CardFate, CardWork, Forgetting};
use super::subscribe::SubscribeWork;
use super::unlisted::Unlisted;

/// A plan and the locked rows it was made from.
pub(super) struct Prepared {
    pub plan: ActionPlan,
    pub work: Work,
}

/// What is to be written, with everything read for it.
pub(super) enum Work {
    Charge(Box<ChargeWork>),
    Refund(Box<RefundWork>),
    Cancel(Box<CancelWork>),
    OneTime(Box<OneTimeWork>),
    Checkout(Box<CheckoutWork>),
    Subscribe(Box<SubscribeWork>),
    Method(Box<MethodWork>),
    Card(Box<CardWork>),
    Customer(Box<CustomerWork>),
    Plan(Box<PlanWork>),
    Resolve(Box<ResolveWork>),
    Ask(Box<AskWork>),
    Decide(Box<DecideWork>),
    Return(Box<ReturnWork>),
    Fence(Box<FenceWork>),
    Wish(Box<WishWork>),
}

/// What remains to be done after the first commit.
pub(super) enum Next {
    /// Nothing.
    Finished(Box<Outcome>),
    /// Send this attempt.
    Send(AttemptId),
    /// Send this charge; where its provider is certainly not reached, that may follow.
    Charge(AttemptId, Onward),
    /// Exchange the auth key, then store the card.
    Issue(Box<MethodWork>, i64),
    /// Ask the provider to forget this card.
    Forget(Box<Forgetting>),
    /// Ask the provider about this attempt.
    LookUp(AttemptId, Reach),
    /// End this attempt at the provider.
    Fence(AttemptId),
    /// Ask the provider for this change of what it schedules. What the plan knew of it is told where nothing else is known.
    Wish(WishId, Box<Receipt>),
}

impl<S: Store> Engine<S> {
    /// What `request` would do. Nothing is written and nothing is sent.
    pub async fn plan(
        &self,
        operator: &Operator,
        request: &Request,
    ) -> Result<ActionPlan, VerbError> {
        check_press(operator, request)?;
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        Ok(self.prepare(&mut tx, operator, request).await?.plan)
    }

    /// Does exactly what the plan with this fingerprint said, or refuses.
    ///
    /// # Errors
    /// [`VerbError::Stale`] when the rows changed since; every refusal leaves an audit row.
    pub async fn apply(
        &self,
        operator: &Operator,
        request: &Request,
        fingerprint: &str,
    ) -> Result<Outcome, VerbError> {
        // It holds the plans of every verb: not on each caller's stack.
        let written = Box::pin(self.write(operator, request, fingerprint)).await;
        let next = match written {
            Ok(next) => next,
            Err((error, target)) => {
                let target = match target {
                    Some(target) => target,
                    None => self.target_of(request).await,
                };
                self.audit_refusal(operator, request.verb(), &target, &error)
                    .await;
                return Err(error);
            }
        };
        Box::pin(self.go_on(next, operator)).await
    }

    /// What follows the commit: a call, a look, or nothing.
    async fn go_on(&self, next: Next, operator: &Operator) -> Result<Outcome, VerbError> {
        match next {
            Next::Finished(outcome) => Ok(*outcome),
            Next::Send(attempt) => self.send(attempt, Onward::Nobody, operator).await,
            Next::Charge(attempt, onward) => self.send(attempt, onward, operator).await,
            Next::Issue(work, issue) => self.issue(*work, issue, operator).await,
            Next::Forget(forgetting) => self.forget(*forgetting, operator).await,
            Next::LookUp(attempt, reach) => self.look_now(attempt, reach, operator).await,
            Next::Fence(attempt) => self.fence_now(attempt, operator).await,
            // It is written: from here on it may go out, whoever sends it.
            Next::Wish(wish, known) => {
                Ok(self.carry_out(wish, *known, Actor::from(operator)).await)
            }
        }
    }

    async fn write(
        &self,
        operator: &Operator,
        request: &Request,
        fingerprint: &str,
    ) -> Result<Next, (VerbError, Option<String>)> {
        let nowhere = |error: VerbError| (error, None);
        check_press(operator, request).map_err(|e| nowhere(e.into()))?;
        let unlisted = self
            .read_list(operator, request, fingerprint)
            .await
            .map_err(nowhere)?;
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await.map_err(|e| nowhere(e.into()))?;
        let Prepared { plan, work } = self
            .prepare(&mut tx, operator, request)
            .await
            .map_err(nowhere)?;
        let target = plan.subject.as_ref().map(ToString::to_string);
        if plan.fingerprint != fingerprint {
            return Err((VerbError::Stale, target));
        }
        let next = self
            .write_work(&mut tx, operator, work, unlisted.as_ref())
            .await;
        let next = next.map_err(|e| (as_stale(e), target.clone()))?;
        tx.commit().await.map_err(|e| (e.into(), target))?;
        Ok(next)
    }

    async fn write_work<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        work: Work,
        unlisted: Option<&Unlisted>,
    ) -> Result<Next, VerbError> {
        let actor = Actor::from(operator);
        match work {
            Work::Charge(work) => self.write_charge(tx, actor, *work).await,
            Work::Refund(work) => self.write_refund(tx, actor, *work).await,
            Work::Cancel(work) => self.write_cancel(tx, actor, *work).await,
            Work::OneTime(work) => self.write_one_time(tx, actor, *work).await,
            Work::Checkout(work) => self.write_checkout(tx, actor, *work).await,
            Work::Subscribe(work) => self.write_subscribe(tx, actor, *work).await,
            Work::Method(work) => self.write_issue(tx, actor, *work).await,
            Work::Card(work) => self.write_card(tx, actor, *work).await,
            Work::Customer(work) => self.write_customer(tx, actor, *work).await,
            Work::Plan(work) => self.write_plan(tx, actor, *work).await,
            Work::Resolve(work) => self.write_resolve(tx, actor, *work).await,
            Work::Ask(work) => self.write_ask(tx, operator, *work, unlisted).await,
            Work::Decide(work) => self.write_decision(tx, actor, *work, unlisted).await,
            Work::Return(work) => self.write_return(tx, actor, actor.person, *work).await,
            Work::Fence(work) => self.write_fence(tx, actor, *work).await,
            Work::Wish(work) => self.write_wish(tx, actor, *work).await,
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm per request and nothing else: splitting it would need arms that cannot happen"
    )]
    pub(super) async fn prepare<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        request: &Request,
    ) -> Result<Prepared, VerbError> {
        match request {
            Request::Charge { invoice } | Request::Retry { invoice } => {
                self.prepare_charge(tx, request.verb(), *invoice).await
            }
            Request::Refund {
                payment,
                amount,
                reason,
                also_cancel,
            } => {
                self.prepare_refund(tx, operator, *payment, *amount, reason, *also_cancel)
                    .await
            }
            Request::CancelNow {
                subscription,
                reason,
            }
            | Request::CancelAtEnd {
                subscription,
                reason,
            } => {
                self.prepare_cancel(tx, request.verb(), *subscription, reason)
                    .await
            }
            Request::UndoCancel { subscription } => {
                self.prepare_cancel(tx, request.verb(), *subscription, "")
                    .await
            }
            Request::OneTime {
                customer,
                amount,
                description,
            } => {
                self.prepare_one_time(tx, *customer, *amount, description)
                    .await
            }
            Request::Checkout {
                customer,
                amount,
                description,
            } => {
                self.prepare_checkout(tx, *customer, *amount, description)
                    .await
            }
            Request::ConfirmCheckout {
                payment_key,
                order_id,
                amount,
            } => {
                self.prepare_confirm(tx, payment_key, order_id, *amount)
                    .await
            }
            Request::Subscribe {
                customer,
                plan,
                quantity,
            } => {
                self.prepare_subscribe(tx, *customer, *plan, *quantity)
                    .await
            }
            Request::AddMethod {
                customer,
                auth_key,
                provider,
            } => self.prepare_issue(tx, *customer, auth_key, *provider).await,
            Request::UseMethod { method } => self.prepare_card(tx, *method, CardFate::Used).await,
            Request::DeleteMethod { method } => {
                self.prepare_card(tx, *method, CardFate::Forgotten).await
            }
            Request::CreateCustomer {
                customer_key,
                name,
                email,
                phone,
            } => self.prepare_customer(customer_key.as_deref(), name, email, phone),
            Request::Note { target, text } => self.prepare_note(tx, target, text).await,
            Request::CreatePlan(input) => self.prepare_create_plan(tx, input).await,
            Request::EditPlan { plan, change } => self.prepare_edit_plan(tx, *plan, change).await,
            Request::DeactivatePlan { plan } => self.prepare_deactivate_plan(tx, *plan).await,
            Request::ResolveUnknown { attempt } => {
                self.prepare_resolve(tx, *attempt, Reach::Look).await
            }
            Request::SendAgain { attempt } => {
                self.prepare_resolve(tx, *attempt, Reach::SendAgain).await
            }
            Request::AskRefund {
                payment,
                amount,
                reason,
                also_cancel,
            } => {
                self.prepare_ask_refund(tx, operator, *payment, *amount, reason, *also_cancel)
                    .await
            }
            Request::AskNotExecuted {
                attempt,
                reason,
                evidence,
            } => {
                self.prepare_ask_not_executed(tx, operator, *attempt, reason, evidence)
                    .await
            }
            Request::Grant { approval } => self.prepare_grant(tx, operator, *approval).await,
            Request::Reject { approval, reason } => {
                self.prepare_reject(tx, operator, *approval, reason).await
            }
            Request::AskReturn { attempt } => self.prepare_ask_return(tx, operator, *attempt).await,
            Request::ApproveReturn { attempt } => {
                self.prepare_return_decision(tx, operator, *attempt, Fate::Send)
                    .await
            }
            Request::Pause { subscription } => {
                let wish = (Verb::Pause, WishVerb::Pause);
                self.wish_about(tx, wish, *subscription, "").await
            }
            Request::Resume { subscription } => {
                let wish = (Verb::Resume, WishVerb::Resume);
                self.wish_about(tx, wish, *subscription, "").await
            }
            Request::VoidInvoice { invoice, reason } => {
                self.prepare_invoice_wish(tx, WishVerb::Void, *invoice, reason)
                    .await
            }
            Request::GiveUpInvoice { invoice, reason } => {
                self.prepare_invoice_wish(tx, WishVerb::GiveUp, *invoice, reason)
                    .await
            }
            Request::DeclineReturn { attempt, reason } => {
                let fate = Fate::GiveUp(reason.clone());
                self.prepare_return_decision(tx, operator, *attempt, fate)
                    .await
            }
        }
    }
}

/// Whether the person may press this at all. Taking a request back is its author's as well, who may ask for one; which it
/// is shows once it is read.
fn check_press(operator: &Operator, request: &Request) -> Result<(), Denied> {
    let denied = match operator.check(request.verb()) {
        Ok(()) => return Ok(()),
        Err(denied) => denied,
    };
    match request {
        Request::Reject { .. } if operator.check(Verb::Refund).is_ok() => Ok(()),
        _ => Err(denied),
    }
}

/// A row that was not what the plan read: somebody was faster, after the fingerprint was compared.
fn as_stale(error: VerbError) -> VerbError {
    match error {
        VerbError::Store(StoreError::Stale { .. }) => VerbError::Stale,
        other => other,
    }
}

impl Outcome {
    /// What to show of the result, whatever it is.
    pub const fn receipt(&self) -> &Receipt {
        match self {
            Self::Done(receipt)
            | Self::AlreadyDone(receipt)
            | Self::Declined { receipt, .. }
            | Self::Unknown(receipt)
            | Self::AsksCustomer(receipt)
            | Self::NotSent(receipt)
            | Self::GoesOut(receipt)
            | Self::Ended(receipt)
            | Self::NotSeen(receipt)
            | Self::Asked(receipt) => receipt,
        }
    }
}
