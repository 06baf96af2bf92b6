//! Cancel now, cancel at period end, and taking a scheduled end back.
//!
//! No provider is called: we own the schedule. One transaction under the subscription's lock. An
//! invoice whose charge is out keeps its attempt; if that turns out to have succeeded, a return is
//! prepared and a person is called.

use chrono::{DateTime, Utc};

use crate::domain::customer::Customer;
use crate::domain::ids::SubscriptionId;
use crate::domain::invoice::Invoice;
use crate::domain::mirror::WishVerb;
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::plan::Plan;
use crate::domain::revenue::Mrr;
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Subscription, Term};

use super::Engine;
use super::action::{ActionPlan, Confirmation, Effect, NotHappening, Outcome, Receipt};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::customer_brief;
use super::fingerprint::Fingerprint;
use super::ports::{Store, Tx};
use super::refusal::{Refused, VerbError};

/// Everything read for a cancel or its undo.
pub(super) struct CancelWork {
    verb: Verb,
    subscription: Subscription,
    term: Term,
    plan: Plan,
    customer: Customer,
    reason: String,
    unpaid: Vec<Invoice>,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_cancel<T: Tx>(
        &self,
        tx: &mut T,
        verb: Verb,
        id: SubscriptionId,
        reason: &str,
    ) -> Result<Prepared, VerbError> {
        let subscription = tx.lock_subscription(id).await?;
        if !subscription.scheduler.is_ours() {
            let wish = match verb {
                Verb::CancelNow => WishVerb::CancelNow,
                Verb::CancelAtEnd => WishVerb::CancelAtEnd,
                _ => WishVerb::UndoCancel,
            };
            return self
                .prepare_wish(tx, (verb, wish), subscription, None, reason)
                .await;
        }
        let state = subscription.state;
        if state.is_ended() {
            return Err(VerbError::Refused(Refused::SubscriptionState(state)));
        }
        match (verb, subscription.cancel_at) {
            (Verb::UndoCancel, None) => return Err(VerbError::Refused(Refused::NothingScheduled)),
            (Verb::CancelAtEnd, Some(_)) => {
                return Err(VerbError::Refused(Refused::AlreadyScheduled));
            }
            (Verb::CancelAtEnd, None) if !may_end_later(state) => {
                return Err(VerbError::Refused(Refused::SubscriptionState(state)));
            }
            _ => {}
        }
        let term = tx.term(id, subscription.term_no).await?;
        let plan = tx.plan(subscription.plan_id).await?;
        let customer = tx.customer(subscription.customer_id).await?;
        let unpaid = tx.unpaid_invoices_of(id).await?;
        let work = CancelWork {
            verb,
            subscription,
            term,
            plan,
            customer,
            reason: reason.trim().to_owned(),
            unpaid,
        };
        let plan = self.cancel_plan(&work)?;
        Ok(Prepared {
            plan,
            work: Work::Cancel(Box::new(work)),
        })
    }

    fn cancel_plan(&self, work: &CancelWork) -> Result<ActionPlan, VerbError> {
        let subscription = &work.subscription;
        let fingerprint = Fingerprint::of(work.verb.as_str())
            .and(subscription.public_id.as_str())
            .number(subscription.version)
            .and(&work.reason)
            .number(i64::try_from(work.unpaid.len()).unwrap_or(i64::MAX))
            .finish();
        let effects = match work.verb {
            Verb::CancelNow => now_effects(work, self.now())?,
            Verb::CancelAtEnd => {
                let mut effects = vec![
                    Effect::EndsAt(end_of_paid(subscription, self.now())),
                    Effect::NextCharge {
                        from: subscription.next_due_at,
                        to: None,
                    },
                ];
                // At the end, not today: until then it counts.
                effects.extend(lost_mrr(work)?);
                effects
            }
            _ => vec![Effect::NextCharge {
                from: None,
                to: subscription.next_due_at,
            }],
        };
        let not_happening = match work.verb {
            Verb::CancelNow | Verb::CancelAtEnd => {
                vec![NotHappening::Refund, NotHappening::ProviderCall]
            }
            _ => vec![NotHappening::ProviderCall, NotHappening::ScheduleMove],
        };
        Ok(ActionPlan {
            verb: work.verb,
            mode: self.parts.settings.mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(subscription.public_id.clone()),
            subscription: Some(subscription.public_id.clone()),
            what: work.plan.name.clone(),
            card: None,
            amount: None,
            call: None,
            if_not_seen: None,
            asked: None,
            effects,
            not_happening,
            warnings: Vec::new(),
            confirm: match work.verb {
                Verb::CancelNow => {
                    Confirmation::Ending(subscription.public_id.ending(4).to_owned())
                }
                _ => Confirmation::Key,
            },
        })
    }

    pub(super) async fn write_cancel<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: CancelWork,
    ) -> Result<Next, VerbError> {
        let CancelWork {
            verb,
            mut subscription,
            term,
            reason,
            ..
        } = work;
        match verb {
            Verb::CancelNow => {
                self.end_now(tx, actor, &mut subscription, &term, &reason)
                    .await?;
            }
            Verb::CancelAtEnd => {
                self.schedule_end(tx, actor, &mut subscription, &reason)
                    .await?;
            }
            _ => self.undo_end(tx, actor, &mut subscription).await?,
        }
        Ok(Next::Finished(Box::new(Outcome::Done(Receipt {
            public_id: Some(subscription.public_id.clone()),
            next_due_at: subscription.next_charge(),
            subscription: Some((subscription.public_id, subscription.state)),
            ..Receipt::default()
        }))))
    }

    /// Ends a subscription at once and withdraws what is not paid and not on its way.
    pub(super) async fn end_now<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        subscription: &mut Subscription,
        term: &Term,
        reason: &str,
    ) -> Result<(), VerbError> {
        if subscription.state.is_ended() {
            return Ok(());
        }
        let now = self.now();
        subscription.cancel_requested_at = subscription.cancel_requested_at.or(Some(now));
        self.end_as(
            tx,
            actor,
            subscription,
            term,
            ended_state(subscription.state),
            ChangeCause::CanceledNow,
            reason,
        )
        .await
    }

    /// Moves a subscription to an end state: history, audit, term, unpaid invoices.
    #[expect(
        clippy::too_many_arguments,
        reason = "an end has a who, a what, a why and a how"
    )]
    pub(super) async fn end_as<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        subscription: &mut Subscription,
        term: &Term,
        to: SubscriptionState,
        cause: ChangeCause,
        reason: &str,
    ) -> Result<(), VerbError> {
        let now = self.now();
        let from = subscription.state;
        subscription.state = to;
        subscription.ended_at = Some(now);
        subscription.next_due_at = None;
        subscription.cancel_at = None;
        tx.save_subscription(subscription).await?;
        subscription.version += 1;
        tx.end_term(subscription.id, subscription.term_no, now)
            .await?;
        self.write_change(tx, subscription, term, Some(from), cause, actor.person)
            .await?;
        for mut invoice in tx.unpaid_invoices_of(subscription.id).await? {
            let attempts = tx.charges_of(invoice.id).await?;
            let is_out = attempts.iter().any(|a| a.state.is_open());
            if !is_out && invoice.state.can_move_to(InvoiceState::Void) {
                invoice.state = InvoiceState::Void;
                invoice.next_attempt_at = None;
                tx.save_invoice(&invoice).await?;
            }
        }
        let at = tx.db_now().await?;
        let press = Press {
            verb: match cause {
                // What a person asked for stands in the trail under the verb's own name.
                ChangeCause::CanceledNow => Verb::CancelNow.as_str(),
                _ => cause.as_str(),
            },
            target: subscription.public_id.as_str(),
            before: from.as_str(),
            after: to.as_str(),
            reason,
            result: "done",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(())
    }

    /// The end of the paid period becomes the end of the subscription.
    pub(super) async fn schedule_end<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        subscription: &mut Subscription,
        reason: &str,
    ) -> Result<(), VerbError> {
        if subscription.state.is_ended() || subscription.cancel_at.is_some() {
            return Ok(());
        }
        let now = self.now();
        subscription.cancel_at = Some(end_of_paid(subscription, now));
        subscription.cancel_requested_at = Some(now);
        tx.save_subscription(subscription).await?;
        subscription.version += 1;
        self.audit_move(tx, actor, Verb::CancelAtEnd, subscription, reason)
            .await
    }

    async fn undo_end<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        subscription: &mut Subscription,
    ) -> Result<(), VerbError> {
        subscription.cancel_at = None;
        subscription.cancel_requested_at = None;
        tx.save_subscription(subscription).await?;
        subscription.version += 1;
        self.audit_move(tx, actor, Verb::UndoCancel, subscription, "")
            .await
    }

    async fn audit_move<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        verb: Verb,
        subscription: &Subscription,
        reason: &str,
    ) -> Result<(), VerbError> {
        let at = tx.db_now().await?;
        let after = subscription
            .cancel_at
            .map(|end| end.to_rfc3339())
            .unwrap_or_default();
        let press = Press {
            verb: verb.as_str(),
            target: subscription.public_id.as_str(),
            before: subscription.state.as_str(),
            after: &after,
            reason,
            result: "done",
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, at).await?)
    }
}

/// What a cancelled subscription is called: one that never became active has expired.
pub(super) const fn ended_state(state: SubscriptionState) -> SubscriptionState {
    match state {
        SubscriptionState::Incomplete => SubscriptionState::Expired,
        SubscriptionState::Trialing
        | SubscriptionState::Active
        | SubscriptionState::PastDue
        | SubscriptionState::Unpaid
        | SubscriptionState::Paused
        | SubscriptionState::Canceled
        | SubscriptionState::Expired => SubscriptionState::Canceled,
    }
}

/// Only a subscription that has something paid or free ahead can end later.
const fn may_end_later(state: SubscriptionState) -> bool {
    matches!(
        state,
        SubscriptionState::Active | SubscriptionState::Trialing | SubscriptionState::PastDue
    )
}

fn end_of_paid(subscription: &Subscription, now: DateTime<Utc>) -> DateTime<Utc> {
    let paid = subscription
        .paid_until
        .into_iter()
        .chain(subscription.trial_until)
        .max();
    paid.unwrap_or(now).max(now)
}

fn lost_mrr(work: &CancelWork) -> Result<Option<Effect>, VerbError> {
    if !work.subscription.state.is_billed() {
        return Ok(None);
    }
    let mrr = Mrr::of(
        work.term.price,
        work.term.quantity,
        0,
        work.term.anchor.interval,
    )
    .and_then(Mrr::rounded)
    .map_err(|e| VerbError::Range(e.to_string()))?;
    Ok(Some(Effect::Mrr(Money::new(-mrr.minor(), mrr.currency()))))
}

fn now_effects(work: &CancelWork, now: DateTime<Utc>) -> Result<Vec<Effect>, VerbError> {
    let subscription = &work.subscription;
    let mut effects = vec![
        Effect::State {
            from: subscription.state,
            to: ended_state(subscription.state),
        },
        Effect::NextCharge {
            from: subscription.next_due_at,
            to: None,
        },
    ];
    effects.extend(lost_mrr(work)?);
    // What was paid for ends as well.
    if subscription.paid_until.is_some_and(|until| until > now) {
        effects.push(Effect::AccessUntil(now));
    }
    let voided = work
        .unpaid
        .iter()
        .filter(|i| i.state.can_move_to(InvoiceState::Void))
        .count();
    if voided > 0 {
        effects.push(Effect::InvoicesVoided(
            u64::try_from(voided).unwrap_or(u64::MAX),
        ));
    }
    Ok(effects)
}
