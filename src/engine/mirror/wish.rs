//! Asking the provider for a change of what it schedules, under the law of every call: written before it is sent, with its
//! key; unknown is a state; settled only by what is read back.
//!
//! Here it is planned and written; `carry` sends and settles it.
//! It is no attempt, because it moves no money of ours: a subscription is changed, or an invoice is tried that the provider
//! pays once at most. What it has is a goal that can be seen on the subscription. The row holds the slot of its
//! subscription until a reading that began after the call shows the goal, or a refusal stands beside a reading that does not.

use crate::domain::customer::Customer;
use crate::domain::ids::{InvoiceId, SubscriptionId};
use crate::domain::invoice::Invoice;
use crate::domain::mirror::{Mirror, Wish, WishState, WishVerb};
use crate::domain::mode::Mode;
use crate::domain::operator::Verb;
use crate::domain::plan::Plan;
use crate::domain::subscription::{Subscription, Term};

use super::super::Engine;
use super::super::action::{ActionPlan, Confirmation, NotHappening, PlannedCall};
use super::super::apply::{Next, Prepared, Work};
use super::super::audit::{Actor, Press};
use super::super::charge::customer_brief;
use super::super::fingerprint::Fingerprint;
use super::super::ports::{Constraint, NewWish, Store, StoreError, Tx, WishLearnt};
use super::super::refusal::{Refused, VerbError};
use super::carry::receipt;
use super::goal::{effects, refuse};

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
            // To withdraw an invoice needs the capability to end a subscription, and ends none.
            verb: match work.wish {
                WishVerb::Void | WishVerb::GiveUp => work.wish.as_str(),
                _ => work.verb.as_str(),
            },
            target: work.subscription.public_id.as_str(),
            before: work.subscription.state.as_str(),
            after: work.wish.as_str(),
            reason: &work.reason,
            result: "intent",
            provider_ref: about,
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        let receipt = receipt(
            work.wish,
            &work.subscription,
            work.invoice.as_ref().map(|(row, _)| row),
        );
        Ok(Next::Wish(id, Box::new(receipt)))
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

/// Somebody was faster, or this very plan was carried out.
fn as_stale(error: StoreError) -> VerbError {
    match error {
        StoreError::Refused(Constraint::OpenWish | Constraint::IdempotencyKey) => VerbError::Stale,
        other => VerbError::Store(other),
    }
}
