//! A subscription that the provider schedules is taken in: customer, plan, row, and everything that was charged so far.

use crate::domain::ids::{CustomerId, IdQuery, Noun, PublicId, SubscriptionId};
use crate::domain::mirror::Mirror;
use crate::domain::operator::{Operator, Verb};
use crate::domain::period::{Anchor, local_date};
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{Change, ChangeCause, Subscription, Term};

use super::super::Engine;
use super::super::audit::{Actor, Press};
use super::super::ports::{
    Books, Constraint, Customers, Desk, Exclusivity, Found, Mirrors, NewCustomer, NewSubscription,
    Store, StoreError, SubscriptionSeen, Subscriptions, Tx,
};
use super::super::refusal::{Refused, VerbError};
use super::reading::{Reading, untold};

/// A subscription that was taken in, or had been before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The provider's name for it.
    pub provider_ref: String,
    /// Ours.
    pub subscription: PublicId,
    /// Where it stands.
    pub state: SubscriptionState,
    /// Whether it was here before.
    pub was_known: bool,
    /// Subscriptions of the same customer that we charge ourselves and that have not ended: he may pay twice for one thing.
    pub beside: Vec<PublicId>,
}

impl<S: Store> Engine<S> {
    /// Takes in a subscription that the provider schedules, for a customer of ours, or for whoever it is there. One that is
    /// here is read anew.
    ///
    /// # Errors
    /// When the person may not subscribe anybody, the provider does not tell, or it is of a kind that is not mirrored.
    pub async fn mirror_add(
        &self,
        operator: &Operator,
        provider_ref: &str,
        customer: Option<CustomerId>,
    ) -> Result<Adopted, VerbError> {
        self.allow(operator, Verb::Subscribe).await?;
        let mut desk = Desk::new();
        let reading = self.read_at_provider(&mut desk, provider_ref).await?;
        let actor = Actor::from(operator);
        let mut tx = self.begin(&mut desk).await?;
        let known = tx.mirrored(&reading.seen.id).await?;
        let was_known = known.is_some();
        let id = match known {
            Some(id) => id,
            None => {
                self.insert_mirror(&mut tx, &reading, customer, actor)
                    .await?
            }
        };
        self.write_reading(&mut tx, id, &reading, actor).await?;
        let row = tx.lock_subscription(id).await?;
        tx.commit().await.map_err(|error| match error {
            StoreError::Refused(Constraint::TwoSchedulers) => VerbError::Stale,
            other => VerbError::Store(other),
        })?;
        let beside = self.ours_beside(&row).await?;
        Ok(Adopted {
            provider_ref: reading.seen.id,
            subscription: row.public_id,
            state: row.state,
            was_known,
            beside,
        })
    }

    /// What of the same customer we charge ourselves, while this one is charged there. Only a person knows whether it is
    /// one thing that is paid for twice: he is called, once.
    async fn ours_beside(&self, theirs: &Subscription) -> Result<Vec<PublicId>, VerbError> {
        let mut beside = Vec::new();
        if theirs.state.is_ended() {
            return Ok(beside);
        }
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        // By id, as everybody locks them.
        for id in tx.running_subscriptions_of(theirs.customer_id).await? {
            beside.push(tx.lock_subscription(id).await?.public_id);
        }
        if !beside.is_empty() {
            let id = &theirs.public_id;
            let key = format!("{id}:two_schedulers");
            let payload = format!("{{\"subscription\":\"{id}\",\"what\":\"two_schedulers\"}}");
            tx.queue_notice("page", &key, &payload, self.now()).await?;
        }
        tx.commit().await?;
        Ok(beside)
    }

    /// The subscriptions that run there, by their names; at most ten thousand.
    ///
    /// # Errors
    /// When the provider does not tell.
    pub async fn mirrorable(&self, operator: &Operator) -> Result<Vec<String>, VerbError> {
        operator.check(Verb::Subscribe)?;
        let scheduler = self.scheduler()?;
        let mut desk = Desk::new();
        let mut all: Vec<String> = Vec::new();
        for _ in 0..100 {
            let after = all.last().cloned();
            let page = scheduler.running(&mut desk, after.as_deref()).await;
            let (names, has_more) = page.map_err(untold)?;
            let is_over = !has_more || names.is_empty();
            all.extend(names);
            if is_over {
                break;
            }
        }
        Ok(all)
    }

    async fn insert_mirror<T: Tx>(
        &self,
        tx: &mut T,
        reading: &Reading,
        customer: Option<CustomerId>,
        actor: Actor<'_>,
    ) -> Result<SubscriptionId, VerbError> {
        let seen = &reading.seen;
        let customer_id = match customer {
            Some(id) => id,
            None => self.customer_as_seen(tx, seen).await?,
        };
        let (plan_id, product_id) = self.plan_as_seen(tx, &seen.price).await?;
        let public_id = self.parts.ids.public_id(Noun::Subscription);
        let state = match seen.trial_end {
            Some(_) => SubscriptionState::Trialing,
            None => SubscriptionState::Incomplete,
        };
        let new = NewSubscription {
            public_id: &public_id,
            customer_id,
            product_id,
            plan_id,
            state,
            quantity: seen.quantity,
            method_id: None,
            mode: self.parts.settings.mode,
            next_due_at: None,
            trial_until: seen.trial_end,
            exclusivity: Exclusivity::Any,
            at: seen.created,
        };
        let mirror = Mirror {
            subscription_id: SubscriptionId(0),
            provider_ref: seen.id.clone(),
            provider_customer: seen.payer.id.clone(),
            collection: seen.collection,
            resumes_at: seen.resumes_at,
            read_at: reading.began,
            read_again_at: None,
            tries: 0,
            version: 0,
        };
        let id = tx.insert_mirrored(&new, &mirror).await.map_err(as_known)?;
        self.write_beginning(tx, id, &new, seen).await?;
        let at = tx.db_now().await?;
        let press = Press {
            verb: Verb::Subscribe.as_str(),
            target: public_id.as_str(),
            after: state.as_str(),
            reason: "mirrored",
            result: "done",
            provider_ref: &seen.id,
            ..Press::default()
        };
        self.audit_in(tx, actor, press, at).await?;
        Ok(id)
    }

    /// The first term, and the row of history that it was made.
    async fn write_beginning<T: Tx>(
        &self,
        tx: &mut T,
        id: SubscriptionId,
        new: &NewSubscription<'_>,
        seen: &SubscriptionSeen,
    ) -> Result<(), VerbError> {
        let zone = self.parts.settings.zone;
        tx.insert_term(&Term {
            subscription_id: id,
            term_no: 1,
            plan_id: new.plan_id,
            anchor: Anchor {
                date: local_date(seen.created, zone),
                zone,
                interval: seen.price.interval,
            },
            quantity: seen.quantity,
            price: seen.price.unit,
            from_at: seen.created,
            to_at: None,
        })
        .await?;
        tx.insert_change(&Change {
            subscription_id: id,
            at: seen.created,
            from: None,
            to: new.state,
            plan_id: new.plan_id,
            price: seen.price.unit,
            quantity: seen.quantity,
            discount_minor: 0,
            cause: ChangeCause::Created,
            requested_by: "stripe".to_owned(),
            requested_at: seen.created,
        })
        .await?;
        Ok(())
    }

    /// Whose it is: whoever has another mirrored subscription under that name, or is known there by our key; otherwise
    /// somebody new.
    async fn customer_as_seen<T: Tx>(
        &self,
        tx: &mut T,
        seen: &SubscriptionSeen,
    ) -> Result<CustomerId, VerbError> {
        if let Some(other) = tx.mirrors_of_customer(&seen.payer.id).await?.first() {
            return Ok(tx.lock_subscription(*other).await?.customer_id);
        }
        if let Some(key) = &seen.payer.customer_key
            && let Some(known) = tx.customer_by_key(key).await?
        {
            return Ok(known);
        }
        let name = match seen.payer.name.trim() {
            "" => seen.payer.id.as_str(),
            name => name,
        };
        let made = tx
            .insert_customer(&NewCustomer {
                public_id: &self.parts.ids.public_id(Noun::Customer),
                customer_key: &self.parts.ids.random_text(),
                name,
                email: &seen.payer.email,
                phone: "",
                at: self.now(),
            })
            .await?;
        Ok(made)
    }

    /// A customer by what was typed.
    ///
    /// # Errors
    /// When it is nobody, or more than one.
    pub async fn customer_typed(&self, query: &IdQuery) -> Result<CustomerId, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        match tx.find_id(Noun::Customer, query).await? {
            Found::One(id) => Ok(CustomerId(id)),
            Found::None | Found::Many => Err(VerbError::Store(StoreError::NotFound {
                noun: Noun::Customer,
            })),
        }
    }
}

/// Somebody else took it in meanwhile.
fn as_known(error: StoreError) -> VerbError {
    match error {
        StoreError::Refused(Constraint::TwoSchedulers) => {
            VerbError::Refused(Refused::Taken("this subscription"))
        }
        other => VerbError::Store(other),
    }
}
