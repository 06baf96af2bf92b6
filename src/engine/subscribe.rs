//! Starting a subscription with its first charge, or with its trial. Nothing is active before it
//! is paid: a declined first charge leaves the subscription incomplete.

use chrono::{DateTime, Days, Duration, Utc};

use crate::domain::attempt::Source;
use crate::domain::customer::{Customer, PaymentMethod};
use crate::domain::ids::{CustomerId, Noun, PlanId, PublicId};
use crate::domain::invoice::InvoiceKind;
use crate::domain::mode::Mode;
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::period::{Anchor, Period};
use crate::domain::plan::Plan;
use crate::domain::revenue::Mrr;
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Subscription, Term};

use super::Engine;
use super::action::{ActionPlan, Confirmation, Effect, NotHappening, Outcome, Receipt, Warning};
use super::apply::{Next, Prepared, Work};
use super::audit::{Actor, Press};
use super::charge::{ChargeWork, Start, card_brief, check_chargeable, customer_brief, is_expired};
use super::fallback::Onward;
use super::fingerprint::Fingerprint;
use super::ports::{Constraint, Exclusivity, NewInvoice, NewSubscription, Store, StoreError, Tx};
use super::refusal::{Refused, VerbError};

/// How long before its end the customer is told that a trial ends.
const REMINDED_DAYS: i64 = 3;
/// The most units of one subscription.
const MAX_QUANTITY: u32 = 100_000;

/// Everything read for a new subscription.
pub(super) struct SubscribeWork {
    customer: Customer,
    plan: Plan,
    method: Option<PaymentMethod>,
    /// The card that the plan names for when the provider is certainly not reached.
    next: Option<PaymentMethod>,
    quantity: u32,
    amount: Money,
    anchor: Anchor,
    first: Period,
    /// The first invoice's id, as its plan says it.
    invoice: PublicId,
}

impl<S: Store> Engine<S> {
    pub(super) async fn prepare_subscribe<T: Tx>(
        &self,
        tx: &mut T,
        customer: CustomerId,
        plan: PlanId,
        quantity: u32,
    ) -> Result<Prepared, VerbError> {
        if quantity == 0 || quantity > MAX_QUANTITY {
            return Err(VerbError::Input {
                field: "quantity",
                reason: format!("1 to {MAX_QUANTITY}"),
            });
        }
        let customer = tx.customer(customer).await?;
        let plan = tx.plan(plan).await?;
        if !plan.active {
            return Err(VerbError::Refused(Refused::PlanInactive));
        }
        self.expect_none_running(tx, &customer, &plan).await?;
        let range = |e: String| VerbError::Range(e);
        let amount = plan
            .price
            .checked_mul(i64::from(quantity))
            .map_err(|e| range(e.to_string()))?;
        let method = self.method_for(tx, customer.id, amount.currency()).await?;
        let is_trial = plan.trial_days > 0;
        if !is_trial && amount.is_positive() {
            let method = method.as_ref();
            let method = method.ok_or(VerbError::Refused(Refused::NoMethod))?;
            check_chargeable(method.provider, amount)?;
        }
        let what = (customer.id, amount);
        let next = match method.as_ref().filter(|_| !is_trial) {
            Some(method) => self.next_card(tx, what, method.provider).await?,
            None => None,
        };
        let zone = self.parts.settings.zone;
        let today = self.local_date(self.now());
        let date = today
            .checked_add_days(Days::new(u64::from(plan.trial_days)))
            .ok_or_else(|| range("date out of range".to_owned()))?;
        let anchor = Anchor {
            date,
            zone,
            interval: plan.interval,
        };
        let first = anchor.period(0).map_err(|e| range(e.to_string()))?;
        let fingerprint = Fingerprint::of("subscribe")
            .and(customer.public_id.as_str())
            .number(customer.version)
            .and(plan.public_id.as_str())
            .number(plan.version)
            .number(i64::from(quantity))
            .and(method.as_ref().map_or("", |m| m.public_id.as_str()))
            .number(method.as_ref().map_or(0, |m| m.version))
            .and(next.as_ref().map_or("", |m| m.public_id.as_str()))
            .number(next.as_ref().map_or(0, |m| m.version))
            .and(&anchor.date.to_string())
            .finish();
        let work = SubscribeWork {
            customer,
            plan,
            method,
            next,
            quantity,
            amount,
            anchor,
            first,
            invoice: self.invoice_to_be(&fingerprint),
        };
        let shown = self.subscribe_plan(&work, fingerprint)?;
        Ok(Prepared {
            plan: shown,
            work: Work::Subscribe(Box::new(work)),
        })
    }

    /// The database refuses a second one whatever this says; here its plan is not even made.
    async fn expect_none_running<T: Tx>(
        &self,
        tx: &mut T,
        customer: &Customer,
        plan: &Plan,
    ) -> Result<(), VerbError> {
        match self.parts.settings.exclusivity {
            Exclusivity::Any => return Ok(()),
            Exclusivity::OnePerProduct => {}
        }
        for running in tx.running_subscriptions_of(customer.id).await? {
            if tx.lock_subscription(running).await?.product_id == plan.product_id {
                return Err(VerbError::Refused(Refused::OneSubscription));
            }
        }
        Ok(())
    }

    fn subscribe_plan(
        &self,
        work: &SubscribeWork,
        fingerprint: String,
    ) -> Result<ActionPlan, VerbError> {
        let mode = self.parts.settings.mode;
        let is_trial = work.is_trial();
        let charges_now = !is_trial && work.amount.is_positive();
        let mut effects = Vec::new();
        if is_trial {
            effects.push(Effect::TrialUntil(work.first.due_at));
            effects.push(Effect::NextCharge {
                from: None,
                to: Some(work.first.due_at),
            });
        } else {
            let mrr = Mrr::of(work.plan.price, work.quantity, 0, work.plan.interval)
                .and_then(Mrr::rounded)
                .map_err(|e| VerbError::Range(e.to_string()))?;
            effects.push(Effect::State {
                from: SubscriptionState::Incomplete,
                to: SubscriptionState::Active,
            });
            effects.push(Effect::Mrr(mrr));
            effects.push(Effect::NextCharge {
                from: None,
                to: Some(work.first.ends_at),
            });
        }
        if charges_now {
            let next = work.next.as_ref();
            effects.extend(next.map(|card| self.asked_next(&work.invoice, 2, card)));
        }
        let today = self.local_date(self.now());
        let expired = work.method.iter().filter(|m| is_expired(m, today));
        let warnings = expired.map(|_| Warning::CardExpired).collect();
        Ok(ActionPlan {
            verb: Verb::Subscribe,
            mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(work.plan.public_id.clone()),
            subscription: None,
            what: work.plan.name.clone(),
            card: work.method.as_ref().map(card_brief),
            amount: charges_now.then_some(work.amount),
            call: work
                .method
                .as_ref()
                .filter(|_| charges_now)
                .map(|method| self.charge_call(method.provider, &work.invoice, 1)),
            if_not_seen: None,
            asked: None,
            effects,
            not_happening: if charges_now {
                vec![]
            } else {
                vec![NotHappening::ProviderCall]
            },
            warnings,
            confirm: match mode {
                Mode::Live if charges_now => Confirmation::Amount(work.amount),
                Mode::Live | Mode::Test | Mode::Sim => Confirmation::Key,
            },
        })
    }

    pub(super) async fn write_subscribe<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: SubscribeWork,
    ) -> Result<Next, VerbError> {
        // The version that the fingerprint holds grows, so that the same plan never applies twice.
        tx.save_customer(&work.customer).await?;
        let now = self.now();
        let mut subscription = self.insert_subscription(tx, &work, now).await?;
        let term = Term {
            subscription_id: subscription.id,
            term_no: 1,
            plan_id: work.plan.id,
            anchor: work.anchor,
            quantity: work.quantity,
            price: work.plan.price,
            from_at: now,
            to_at: None,
        };
        tx.insert_term(&term).await?;
        let cause = if work.is_trial() {
            ChangeCause::TrialStarted
        } else {
            ChangeCause::Created
        };
        self.write_change(tx, &subscription, &term, None, cause, actor.person)
            .await?;
        let at = tx.db_now().await?;
        let press = Press {
            verb: Verb::Subscribe.as_str(),
            target: subscription.public_id.as_str(),
            after: subscription.state.as_str(),
            reason: &work.plan.code,
            result: "done",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        if work.is_trial() {
            self.remind_of_the_end(tx, &subscription, work.first.due_at)
                .await?;
            return Ok(finished(subscription));
        }
        self.first_charge(tx, actor, &mut subscription, term, work)
            .await
    }

    /// Queues the reminder that a trial ends soon, once, for its day. Whoever sends it looks whether the trial still runs.
    async fn remind_of_the_end<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &Subscription,
        ends_at: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        let at = (ends_at - Duration::days(REMINDED_DAYS)).max(self.now());
        let id = &subscription.public_id;
        let payload = format!("{{\"subscription\":\"{id}\"}}");
        tx.queue_notice("trial_ends", id.as_str(), &payload, at)
            .await?;
        Ok(())
    }

    async fn insert_subscription<T: Tx>(
        &self,
        tx: &mut T,
        work: &SubscribeWork,
        now: DateTime<Utc>,
    ) -> Result<Subscription, VerbError> {
        let is_trial = work.is_trial();
        let public_id = self.parts.ids.public_id(Noun::Subscription);
        let id = tx
            .insert_subscription(&NewSubscription {
                public_id: &public_id,
                customer_id: work.customer.id,
                product_id: work.plan.product_id,
                plan_id: work.plan.id,
                state: if is_trial {
                    SubscriptionState::Trialing
                } else {
                    SubscriptionState::Incomplete
                },
                quantity: work.quantity,
                method_id: work.method.as_ref().map(|m| m.id),
                mode: self.parts.settings.mode,
                next_due_at: is_trial.then_some(work.first.due_at),
                trial_until: is_trial.then_some(work.first.due_at),
                exclusivity: self.parts.settings.exclusivity,
                at: now,
            })
            .await
            .map_err(|error| match error {
                StoreError::Refused(Constraint::OneSubscription) => {
                    VerbError::Refused(Refused::OneSubscription)
                }
                other => VerbError::Store(other),
            })?;
        Ok(tx.lock_subscription(id).await?)
    }

    async fn first_charge<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        subscription: &mut Subscription,
        term: Term,
        work: SubscribeWork,
    ) -> Result<Next, VerbError> {
        let first = work.first;
        subscription.next_period = 1;
        subscription.next_due_at = Some(first.ends_at);
        tx.save_subscription(subscription).await?;
        subscription.version += 1;
        let new = NewInvoice {
            public_id: &work.invoice,
            customer_id: work.customer.id,
            subscription_id: Some(subscription.id),
            term_no: 1,
            period_index: 0,
            kind: InvoiceKind::Renewal,
            state: InvoiceState::Open,
            amount: work.amount,
            description: &work.plan.name,
            due_at: self.now(),
            period_from: first.from,
            period_to: first.to,
            at: self.now(),
        };
        let id = tx.insert_invoice(&new).await?;
        let mut invoice = new.stored(id);
        let Some(method) = work.method.filter(|_| work.amount.is_positive()) else {
            self.pay_zero(tx, &mut invoice, subscription, &term).await?;
            return Ok(finished(subscription.clone()));
        };
        let mut charge = ChargeWork {
            verb: Verb::Subscribe,
            invoice,
            subscription: Some((subscription.clone(), term)),
            customer: work.customer,
            method,
            source: Source::First,
            attempt_no: 1,
            next: work.next,
        };
        let attempt = self
            .insert_charge(tx, actor, &mut charge, Start::Ready, "")
            .await?;
        let onward = Onward::as_planned(charge.next.as_ref(), charge.verb);
        Ok(Next::Charge(attempt.id, onward))
    }

    /// An invoice of nothing is paid without a call.
    pub(super) async fn pay_zero<T: Tx>(
        &self,
        tx: &mut T,
        invoice: &mut crate::domain::invoice::Invoice,
        subscription: &mut Subscription,
        term: &Term,
    ) -> Result<(), VerbError> {
        invoice.state = InvoiceState::Paid;
        invoice.paid_at = Some(self.now());
        tx.save_invoice(invoice).await?;
        let ends = crate::domain::period::day_start(invoice.period_to, term.anchor.zone);
        subscription.paid_until = Some(
            subscription
                .paid_until
                .map_or(ends, |until| until.max(ends)),
        );
        self.activate(tx, subscription, term).await
    }
}

impl SubscribeWork {
    const fn is_trial(&self) -> bool {
        self.plan.trial_days > 0
    }
}

fn finished(subscription: Subscription) -> Next {
    Next::Finished(Box::new(Outcome::Done(Receipt {
        public_id: Some(subscription.public_id.clone()),
        subscription: Some((subscription.public_id, subscription.state)),
        next_due_at: subscription.next_due_at,
        ..Receipt::default()
    })))
}
