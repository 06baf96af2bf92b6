//! Asking the provider for a change of what it schedules, under the law of every call: written before it is sent, with its
//! key; unknown is a state; settled only by what is read back.
//!
//! It is no attempt, because it moves no money of ours: a subscription is changed, or an invoice is tried that the provider
//! pays once at most. What it has is a goal that can be seen on the subscription. The row holds the slot of its
//! subscription until a reading that began after the call shows the goal, or a refusal stands beside a reading that does not.

use crate::domain::attempt::AttemptKind;
use crate::domain::customer::Customer;
use crate::domain::evidence::{Proves, Refusal};
use crate::domain::ids::{InvoiceId, SubscriptionId};
use crate::domain::invoice::Invoice;
use crate::domain::mirror::{Heard, Mirror, Wish, WishId, WishState, WishVerb, judge};
use crate::domain::mode::Mode;
use crate::domain::operator::Verb;
use crate::domain::plan::Plan;
use crate::domain::subscription::{Subscription, Term};

use super::super::Engine;
use super::super::action::{ActionPlan, Confirmation, NotHappening, Outcome, PlannedCall, Receipt};
use super::super::apply::{Next, Prepared, Work};
use super::super::audit::{Actor, Press};
use super::super::charge::customer_brief;
use super::super::fingerprint::Fingerprint;
use super::super::ports::{
    Attempts, Constraint, Desk, Invoices, Mirrors, NewWish, Store, StoreError, Subscriptions, Tx,
    WishCall, WishLearnt,
};
use super::super::refusal::{Refused, VerbError};
use super::goal::{effects, is_reached, refuse};

/// Everything read for a wish.
pub(in crate::engine) struct WishWork {
    verb: Verb,
    wish: WishVerb,
    subscription: Subscription,
    invoice: Option<(Invoice, String)>,
    mirror: Mirror,
    plan: Plan,
    customer: Customer,
    over: Option<Wish>,
    reason: String,
    idem_key: String,
}

impl<S: Store> Engine<S> {
    /// What is to be asked of the provider about a subscription that it schedules, which is locked.
    pub(in crate::engine) async fn prepare_wish<T: Tx>(
        &self,
        tx: &mut T,
        (verb, wish): (Verb, WishVerb),
        subscription: Subscription,
        invoice: Option<Invoice>,
        reason: &str,
    ) -> Result<Prepared, VerbError> {
        self.scheduler()?;
        let mirror = tx.mirror(subscription.id).await?;
        let mirror = mirror.ok_or(VerbError::Refused(Refused::NotMirrored))?;
        let now = tx.db_now().await?;
        let over = match tx.open_wish_of(subscription.id).await? {
            // Nothing of it can be under way any more, and nobody could read what came of it: a person may go on.
            Some(open) if open.is_over(now) && open.lease_until <= now => Some(open),
            Some(open) => {
                return Err(VerbError::Refused(Refused::InProgress {
                    attempt: subscription.public_id,
                    operator: open.operator,
                    since: open.first_sent_at,
                }));
            }
            None => None,
        };
        refuse(wish, &subscription, &mirror, invoice.as_ref()).map_err(VerbError::Refused)?;
        let invoice = match invoice {
            Some(invoice) => {
                let names = tx.mirrored_invoices(subscription.id).await?;
                let name = names.into_iter().find(|(id, _)| *id == invoice.id);
                let (_, name) = name.ok_or(VerbError::Refused(Refused::NotMirrored))?;
                Some((invoice, name))
            }
            None => None,
        };
        let plan = tx.plan(subscription.plan_id).await?;
        let customer = tx.customer(subscription.customer_id).await?;
        let fingerprint = Fingerprint::of(wish.as_str())
            .and(subscription.public_id.as_str())
            .number(subscription.version)
            .number(mirror.version)
            .number(invoice.as_ref().map_or(0, |(row, _)| row.version))
            .and(invoice.as_ref().map_or("", |(_, name)| name))
            .and(reason.trim())
            .finish();
        // The mirror's version grows with every wish and every reading: a plan that was carried out never comes again.
        let text = format!("wish|{}|{fingerprint}", subscription.public_id);
        let work = WishWork {
            verb,
            wish,
            subscription,
            invoice,
            mirror,
            plan,
            customer,
            over,
            reason: reason.trim().to_owned(),
            idem_key: self.parts.install.keyed_hash(&text),
        };
        let plan = self.wish_plan(&work, fingerprint);
        Ok(Prepared {
            plan,
            work: Work::Wish(Box::new(work)),
        })
    }

    fn wish_plan(&self, work: &WishWork, fingerprint: String) -> ActionPlan {
        let subscription = &work.subscription;
        let mode = self.parts.settings.mode;
        let invoice = work.invoice.as_ref();
        let about = invoice.map_or(work.mirror.provider_ref.as_str(), |(_, name)| name);
        ActionPlan {
            verb: work.verb,
            mode,
            fingerprint,
            customer: Some(customer_brief(&work.customer)),
            subject: Some(invoice.map_or_else(
                || subscription.public_id.clone(),
                |(row, _)| row.public_id.clone(),
            )),
            subscription: Some(subscription.public_id.clone()),
            what: work.plan.name.clone(),
            card: None,
            amount: invoice.map(|(row, _)| row.amount),
            call: Some(PlannedCall {
                provider: crate::domain::mode::ProviderName::Stripe,
                operation: work.wish.as_str(),
                order_id: about.to_owned(),
                idem_key: work.idem_key.clone(),
                expected_balance_minor: None,
            }),
            if_not_seen: None,
            asked: None,
            effects: effects(
                work.wish,
                &work.subscription,
                work.invoice.as_ref().map(|(row, _)| row),
            ),
            not_happening: match work.wish {
                WishVerb::Pay => vec![NotHappening::ScheduleMove, NotHappening::SecondExecution],
                WishVerb::CancelNow | WishVerb::CancelAtEnd => vec![NotHappening::Refund],
                _ => vec![NotHappening::ScheduleMove],
            },
            warnings: Vec::new(),
            confirm: match (work.wish, invoice, mode) {
                (WishVerb::CancelNow, ..) => {
                    Confirmation::Ending(subscription.public_id.ending(4).to_owned())
                }
                (WishVerb::Void | WishVerb::GiveUp, Some((row, _)), Mode::Live) => {
                    Confirmation::Ending(row.public_id.ending(4).to_owned())
                }
                (WishVerb::Pay, Some((row, _)), Mode::Live) => Confirmation::Amount(row.amount),
                _ => Confirmation::Key,
            },
        }
    }

    pub(in crate::engine) async fn write_wish<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        work: WishWork,
    ) -> Result<Next, VerbError> {
        let at = tx.db_now().await?;
        let lease = self.lease(at);
        if let Some(over) = &work.over {
            self.end_unread(tx, over, work.subscription.public_id.as_str(), actor)
                .await?;
        }
        let (invoice_id, about) = match &work.invoice {
            Some((row, name)) => (Some(row.id), name.as_str()),
            None => (None, work.mirror.provider_ref.as_str()),
        };
        let id = tx
            .insert_wish(&NewWish {
                subscription_id: work.subscription.id,
                invoice_id,
                verb: work.wish,
                provider_ref: about,
                idem_key: &work.idem_key,
                lease_owner: lease.owner,
                lease_until: lease.until,
                operator: actor.person,
                reason: &work.reason,
                at,
            })
            .await
            .map_err(as_stale)?;
        tx.save_mirror(&work.mirror).await?;
        let press = Press {
            verb: work.verb.as_str(),
            target: work.subscription.public_id.as_str(),
            before: work.subscription.state.as_str(),
            after: work.wish.as_str(),
            reason: &work.reason,
            result: "intent",
            provider_ref: about,
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(Next::Wish(id))
    }

    /// Whoever reconciles settles what somebody else wished: both are named.
    async fn audit_wish<T: Tx>(
        &self,
        tx: &mut T,
        (wish, state): (&Wish, WishState),
        subscription: &Subscription,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let at = tx.db_now().await?;
        let reason = if actor.person == wish.operator {
            wish.reason.clone()
        } else {
            format!("{}: {}", wish.operator, wish.reason)
        };
        let press = Press {
            verb: wish.verb.as_str(),
            target: subscription.public_id.as_str(),
            after: subscription.state.as_str(),
            reason: &reason,
            result: state.as_str(),
            provider_ref: &wish.provider_ref,
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, at).await?)
    }

    /// Ends a wish of which nobody can read what came of it, when its key is forgotten and a person wishes again.
    async fn end_unread<T: Tx>(
        &self,
        tx: &mut T,
        wish: &Wish,
        target: &str,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let at = tx.db_now().await?;
        let learnt = WishLearnt {
            state: WishState::NotDone,
            refusal: None,
            next_check_at: None,
            at,
        };
        tx.wish_learnt(wish.id, wish.lease_epoch, &learnt).await?;
        let press = Press {
            verb: wish.verb.as_str(),
            target,
            reason: "unread",
            result: WishState::NotDone.as_str(),
            provider_ref: &wish.provider_ref,
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, at).await?)
    }

    /// Sends a wish that was just written, and says what became of it.
    pub(in crate::engine) async fn carry_out(
        &self,
        id: WishId,
        actor: Actor<'_>,
    ) -> Result<Outcome, VerbError> {
        let mut desk = Desk::new();
        let wish = {
            let mut tx = self.begin(&mut desk).await?;
            let (wish, now) = (tx.lock_wish(id).await?, tx.db_now().await?);
            if now >= wish.lease_until {
                // It stood still in between: whoever finds it reads first.
                return Ok(Outcome::Unknown(Receipt::default()));
            }
            wish
        };
        let heard = self.ask(&mut desk, &wish).await?;
        match self.settle_wish(&mut desk, wish, heard, actor).await {
            // Somebody took it for left alone, and looks after it, or has.
            Err(VerbError::Stale | VerbError::Store(StoreError::Stale { .. })) => {
                self.wish_as_it_stands(id).await
            }
            settled => settled,
        }
    }

    /// What is known of a wish.
    async fn wish_as_it_stands(&self, id: WishId) -> Result<Outcome, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let about = tx.lock_wish(id).await?.subscription_id;
        drop(tx);
        let mut tx = self.begin(&mut desk).await?;
        let subscription = tx.lock_subscription(about).await?;
        let wish = tx.lock_wish(id).await?;
        let invoice = match wish.invoice_id {
            Some(id) => Some(tx.lock_invoice(id).await?),
            None => None,
        };
        let receipt = told_of(&wish, &subscription, invoice);
        Ok(outcome_of(wish.state, wish.refusal.as_ref(), receipt))
    }

    pub(super) async fn ask(&self, desk: &mut Desk, wish: &Wish) -> Result<Heard, VerbError> {
        let call = WishCall {
            verb: wish.verb,
            provider_ref: &wish.provider_ref,
            idem_key: &wish.idem_key,
        };
        let scheduler = self.scheduler()?;
        let _counted = self.count_call();
        let heard = scheduler.wish(desk, call).await;
        Ok(match heard {
            // A key of ours that is refused now says nothing about what was sent before.
            Heard::Refused(refusal)
                if refusal.proves == Proves::ConfigTrouble && wish.send_count > 1 =>
            {
                Heard::Nothing
            }
            heard => heard,
        })
    }

    /// What a wish has come to, by a reading that began after its call.
    pub(super) async fn settle_wish(
        &self,
        desk: &mut Desk,
        wish: Wish,
        heard: Heard,
        actor: Actor<'_>,
    ) -> Result<Outcome, VerbError> {
        let never_began = match &heard {
            Heard::NotSent => wish.send_count <= 1,
            Heard::Refused(refusal) => refusal.proves == Proves::ConfigTrouble,
            Heard::Taken | Heard::Declined(_) | Heard::Nothing => false,
        };
        let name = {
            let mut tx = self.begin(desk).await?;
            tx.mirror(wish.subscription_id)
                .await?
                .ok_or(VerbError::Stale)?
                .provider_ref
        };
        let reading = if never_began {
            None
        } else {
            self.read_at_provider(desk, &name).await.ok()
        };
        let mut tx = self.begin(desk).await?;
        let now = tx.db_now().await?;
        // The subscription first, as everywhere: a second wish about it is written under its lock.
        tx.lock_subscription(wish.subscription_id).await?;
        let state = match &reading {
            Some(reading) => {
                let id = wish.subscription_id;
                self.write_reading(&mut tx, id, reading, actor).await?;
                judge(&wish, &heard, is_reached(&wish, &reading.seen), now)
            }
            None if never_began && matches!(heard, Heard::NotSent) => WishState::NotSent,
            None if never_began => WishState::Refused,
            None => WishState::Unknown,
        };
        let refusal = match &heard {
            Heard::Declined(refusal) | Heard::Refused(refusal) => Some(refusal),
            Heard::Taken | Heard::NotSent | Heard::Nothing => None,
        };
        let learnt = WishLearnt {
            state,
            refusal,
            next_check_at: state.is_open().then(|| wish.next_look(now)),
            at: now,
        };
        tx.wish_learnt(wish.id, wish.lease_epoch, &learnt).await?;
        let subscription = tx.lock_subscription(wish.subscription_id).await?;
        if state.is_open() {
            self.call_about_wish(&mut tx, &wish, now).await?;
        }
        self.audit_wish(&mut tx, (&wish, state), &subscription, actor)
            .await?;
        let invoice = match wish.invoice_id {
            Some(id) => Some(tx.lock_invoice(id).await?),
            None => None,
        };
        tx.commit().await?;
        let receipt = told_of(&wish, &subscription, invoice);
        Ok(outcome_of(state, refusal, receipt))
    }

    /// Where its provider collects the invoice, to charge it is to ask for that; none where we do.
    pub(in crate::engine) async fn as_wish<T: Tx>(
        &self,
        tx: &mut T,
        verb: Verb,
        subscription: Option<&(Subscription, Term)>,
        invoice: &Invoice,
    ) -> Result<Option<Prepared>, VerbError> {
        let Some((theirs, _)) = subscription.filter(|(one, _)| !one.scheduler.is_ours()) else {
            return Ok(None);
        };
        let wish = (verb, WishVerb::Pay);
        self.prepare_wish(tx, wish, theirs.clone(), Some(invoice.clone()), "")
            .await
            .map(Some)
    }

    /// A wish about an invoice that its provider collects.
    pub(in crate::engine) async fn prepare_invoice_wish<T: Tx>(
        &self,
        tx: &mut T,
        wish: WishVerb,
        invoice: InvoiceId,
        reason: &str,
    ) -> Result<Prepared, VerbError> {
        match self.lock_invoice_in_order(tx, invoice).await? {
            (Some((subscription, _)), invoice) if !subscription.scheduler.is_ours() => {
                let wish = (Verb::CancelNow, wish);
                self.prepare_wish(tx, wish, subscription, Some(invoice), reason)
                    .await
            }
            _ => Err(VerbError::Refused(Refused::NotMirrored)),
        }
    }

    /// A wish about a subscription that its provider schedules.
    pub(in crate::engine) async fn wish_about<T: Tx>(
        &self,
        tx: &mut T,
        verb: (Verb, WishVerb),
        id: SubscriptionId,
        reason: &str,
    ) -> Result<Prepared, VerbError> {
        let subscription = tx.lock_subscription(id).await?;
        if subscription.scheduler.is_ours() {
            return Err(VerbError::Refused(Refused::NotMirrored));
        }
        self.prepare_wish(tx, verb, subscription, None, reason)
            .await
    }
}

fn outcome_of(state: WishState, refusal: Option<&Refusal>, receipt: Receipt) -> Outcome {
    match (state, refusal) {
        (WishState::Done, _) => Outcome::Done(receipt),
        (WishState::Declined | WishState::Refused, Some(refusal)) => Outcome::Declined {
            receipt,
            refusal: refusal.clone(),
        },
        (WishState::NotSent, _) => Outcome::NotSent(receipt),
        (WishState::NotDone, _) => Outcome::Ended(receipt),
        _ => Outcome::Unknown(receipt),
    }
}

fn told_of(wish: &Wish, subscription: &Subscription, invoice: Option<Invoice>) -> Receipt {
    Receipt {
        kind: (wish.verb == WishVerb::Pay).then_some(AttemptKind::Charge),
        public_id: Some(subscription.public_id.clone()),
        amount: invoice.as_ref().map(|row| row.amount),
        invoice: invoice.map(|row| row.public_id),
        next_due_at: subscription.next_charge(),
        subscription: Some((subscription.public_id.clone(), subscription.state)),
        ..Receipt::default()
    }
}

/// Somebody was faster, or this very plan was carried out.
fn as_stale(error: StoreError) -> VerbError {
    match error {
        StoreError::Refused(Constraint::OpenWish | Constraint::IdempotencyKey) => VerbError::Stale,
        other => VerbError::Store(other),
    }
}
