//! A customer's saved cards: which one running subscriptions are charged by, and letting one go.
//!
//! A card that is to go is marked as gone before its provider is asked to forget it, so that nobody charges it meanwhile;
//! while a charge by it is open, it does not go.
//! What the provider did not confirm is pressed again: forgetting twice is forgetting once.

use crate::domain::customer::{Customer, PaymentMethod};
use crate::domain::ids::{MethodId, SubscriptionId};
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::MethodState;
use crate::secret::Secret;

use super::Engine;
use super::action::{
    ActionPlan, Confirmation, Effect, NotHappening, Outcome, PlannedCall, Receipt,
};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::{card_brief, customer_brief};
use super::fingerprint::Fingerprint;
use super::ports::{DeleteOutcome, Desk, Store, Tx};
use super::refusal::{Refused, VerbError};

/// What becomes of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CardFate {
    /// Running subscriptions are charged by it from now on.
    Used,
    /// It is not charged any more, and its provider forgets it.
    Forgotten,
}

impl CardFate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Used => "use-card",
            Self::Forgotten => "forget-card",
        }
    }
}

/// Everything read for it.
pub(super) struct CardWork {
    fate: CardFate,
    customer: Customer,
    method: PaymentMethod,
    /// Subscriptions that it changes something for, locked.
    subscriptions: Vec<SubscriptionId>,
}

/// A card that is marked as gone, and whose provider is to forget it.
pub(super) struct Forgetting {
    customer: Customer,
    method: PaymentMethod,
    key: Secret,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_card<T: Tx>(
        &self,
        tx: &mut T,
        method: MethodId,
        fate: CardFate,
    ) -> Result<Prepared, VerbError> {
        let method = tx.method(method).await?;
        match (fate, method.state) {
            (CardFate::Forgotten, _) | (CardFate::Used, MethodState::Active) => {}
            (CardFate::Used, MethodState::Deleted) => {
                return Err(VerbError::Refused(Refused::KeyDeleted));
            }
            (CardFate::Used, MethodState::Replaced) => {
                return Err(VerbError::Refused(Refused::NoMethod));
            }
        }
        if fate == CardFate::Forgotten && method.state != MethodState::Deleted {
            refuse_where_charged(tx, &method).await?;
        }
        let customer = tx.customer(method.customer_id).await?;
        let mut fingerprint = Fingerprint::of(fate.as_str())
            .and(method.public_id.as_str())
            .number(method.version)
            .and(method.state.as_str());
        let mut subscriptions = Vec::new();
        for id in tx.running_subscriptions_of(customer.id).await? {
            let subscription = tx.lock_subscription(id).await?;
            let term = tx.term(id, subscription.term_no).await?;
            if !subscription.scheduler.is_ours() {
                // Its card is chosen where it is scheduled.
                continue;
            }
            let is_its_own = subscription.method_id == Some(method.id);
            let changes = match fate {
                // The rules say who may charge this currency at all.
                CardFate::Used => {
                    !is_its_own && self.is_asked_for(method.provider, term.price.currency())
                }
                CardFate::Forgotten => is_its_own,
            };
            if changes {
                fingerprint = fingerprint
                    .and(subscription.public_id.as_str())
                    .number(subscription.version);
                subscriptions.push(id);
            }
        }
        let work = CardWork {
            fate,
            customer,
            method,
            subscriptions,
        };
        let plan = self.card_plan(&work, fingerprint.finish());
        Ok(Prepared {
            plan,
            work: Work::Card(Box::new(work)),
        })
    }

    fn card_plan(&self, work: &CardWork, fingerprint: String) -> ActionPlan {
        let count = u64::try_from(work.subscriptions.len()).unwrap_or(u64::MAX);
        let (effect, not_happening) = match work.fate {
            CardFate::Used => (
                Effect::ChargedByCard(count),
                vec![NotHappening::ProviderCall, NotHappening::ScheduleMove],
            ),
            CardFate::Forgotten => (
                Effect::LeftWithoutCard(count),
                vec![NotHappening::Cancel, NotHappening::Refund],
            ),
        };
        let forgets = work.fate == CardFate::Forgotten;
        ActionPlan {
            verb: Verb::SwapCard,
            mode: self.parts.settings.mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(work.method.public_id.clone()),
            subscription: None,
            what: String::new(),
            card: Some(card_brief(&work.method)),
            amount: None,
            call: forgets.then(|| PlannedCall {
                provider: work.method.provider,
                operation: "delete",
                order_id: String::new(),
                idem_key: String::new(),
                expected_balance_minor: None,
            }),
            if_not_seen: None,
            asked: None,
            effects: vec![effect],
            not_happening,
            warnings: Vec::new(),
            confirm: Confirmation::Key,
        }
    }

    pub(super) async fn write_card<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: CardWork,
    ) -> Result<Next, VerbError> {
        match work.fate {
            CardFate::Used => self.write_used(tx, actor, work).await,
            CardFate::Forgotten => self.write_forgotten(tx, actor, work).await,
        }
    }

    async fn write_used<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: CardWork,
    ) -> Result<Next, VerbError> {
        for id in &work.subscriptions {
            let mut subscription = tx.lock_subscription(*id).await?;
            subscription.method_id = Some(work.method.id);
            tx.save_subscription(&subscription).await?;
        }
        self.audit_card(tx, actor, (&work.customer, &work.method), "used", "done")
            .await?;
        let receipt = receipt_of(&work.method);
        let outcome = if work.subscriptions.is_empty() {
            Outcome::AlreadyDone(receipt)
        } else {
            Outcome::Done(receipt)
        };
        Ok(Next::Finished(Box::new(outcome)))
    }

    async fn write_forgotten<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: CardWork,
    ) -> Result<Next, VerbError> {
        // Before anything is written: nobody else could ask.
        self.provider(work.method.provider)?;
        let key = self.open_key_of(tx, &work.method).await?;
        let (from, gone) = (work.method.state, MethodState::Deleted);
        if from != gone {
            tx.move_method(work.method.id, from, gone, self.now())
                .await?;
        }
        self.audit_card(
            tx,
            actor,
            (&work.customer, &work.method),
            "forgotten",
            "intent",
        )
        .await?;
        Ok(Next::Forget(Box::new(Forgetting {
            customer: work.customer,
            method: work.method,
            key,
        })))
    }

    /// Asks the provider to forget it. Nobody here charges it any more, whatever comes of that.
    pub(super) async fn forget(
        &self,
        forgetting: Forgetting,
        operator: &Operator,
    ) -> Result<Outcome, VerbError> {
        let Forgetting {
            customer,
            method,
            key,
        } = forgetting;
        let provider = self.provider(method.provider)?;
        let outcome = {
            let _counted = self.count_call();
            provider.delete_key(&mut Desk::new(), &key).await
        };
        let result = match &outcome {
            DeleteOutcome::Deleted => "done",
            DeleteOutcome::Refused(_) => "refused",
            DeleteOutcome::Unanswered => "unknown",
        };
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let of = (&customer, &method);
        self.audit_card(&mut tx, operator.into(), of, "forgotten", result)
            .await?;
        tx.commit().await?;
        match outcome {
            DeleteOutcome::Deleted => Ok(Outcome::Done(receipt_of(&method))),
            DeleteOutcome::Refused(_) | DeleteOutcome::Unanswered => {
                Err(VerbError::Refused(Refused::NotForgotten(method.provider)))
            }
        }
    }

    async fn audit_card<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        (customer, method): (&Customer, &PaymentMethod),
        reason: &str,
        result: &str,
    ) -> Result<(), VerbError> {
        let at = tx.db_now().await?;
        let press = Press {
            verb: Verb::SwapCard.as_str(),
            target: customer.public_id.as_str(),
            after: method.public_id.as_str(),
            reason,
            result,
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, at).await?)
    }
}

/// A charge by it that is not settled may still take money, whether it has left or waits: it comes first.
async fn refuse_where_charged<T: Tx>(tx: &mut T, method: &PaymentMethod) -> Result<(), VerbError> {
    let open = tx.open_charges_by(method.customer_id, method.id).await?;
    match open.into_iter().next() {
        None => Ok(()),
        Some(charge) => Err(VerbError::Refused(Refused::InProgress {
            attempt: charge.public_id,
            operator: charge.operator,
            since: charge.created_at,
        })),
    }
}

fn receipt_of(method: &PaymentMethod) -> Receipt {
    Receipt {
        public_id: Some(method.public_id.clone()),
        provider: Some(method.provider),
        card: Some(card_brief(method)),
        ..Receipt::default()
    }
}
