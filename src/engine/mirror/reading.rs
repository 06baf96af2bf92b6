//! A reading becomes the mirror: the subscription, its term, its history, its invoices.

use chrono::{DateTime, Duration, Utc};

use crate::domain::ids::{Noun, PlanId, ProductId, SubscriptionId};
use crate::domain::mirror::Mirror;
use crate::domain::mode::ProviderName;
use crate::domain::period::{Anchor, local_date};
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{Change, ChangeCause, Subscription, Term};

use super::super::Engine;
use super::super::audit::{Actor, Press};
use super::super::ports::{
    Attempts, Desk, MirrorError, MirroredProvider, Mirrors, NewPlan, PriceSeen, ProviderError,
    Store, StoreError, SubscriptionSeen, Subscriptions, Tx,
};
use super::super::refusal::{Refused, VerbError};
use super::books::Telling;

/// How long after the end of a period it is read anew: an invoice is a draft for an hour.
const AFTER_PERIOD_H: i64 = 2;
/// How long after a reading of which not everything could be written.
const PARTLY_MIN: i64 = 15;

/// What was read, and when the reading began, in database time.
pub(super) struct Reading {
    pub seen: SubscriptionSeen,
    pub began: DateTime<Utc>,
}

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// The mirror shows it.
    New,
    /// It shows a newer one.
    Older,
}

/// Why a question was not answered, in the words of the verbs.
pub(super) fn untold(error: MirrorError) -> VerbError {
    match error {
        MirrorError::Later { operation } => {
            VerbError::Provider(ProviderError::Unanswered { operation })
        }
        MirrorError::Silent { operation } => {
            VerbError::Provider(ProviderError::Silent { operation })
        }
        MirrorError::NotFound { operation } => VerbError::Provider(ProviderError::Refused {
            operation,
            code: "resource_missing".to_owned(),
            status: 404,
        }),
        MirrorError::Refused { operation, code } => VerbError::Provider(ProviderError::Refused {
            operation,
            code,
            status: 400,
        }),
        MirrorError::NotMirrored(why) => VerbError::Input {
            field: "subscription",
            reason: format!("it cannot be mirrored: {why}"),
        },
    }
}

impl<S: Store> Engine<S> {
    /// The provider that schedules subscriptions itself.
    pub(super) fn scheduler(&self) -> Result<&dyn MirroredProvider, VerbError> {
        let name = ProviderName::Stripe;
        let provider = self.provider(name)?;
        provider
            .mirrored()
            .ok_or(VerbError::Refused(Refused::NoProvider(name)))
    }

    /// Database time, from a transaction of its own.
    pub(super) async fn database_time(&self, desk: &mut Desk) -> Result<DateTime<Utc>, VerbError> {
        let mut tx = self.begin(desk).await?;
        Ok(tx.db_now().await?)
    }

    /// What its provider calls it. The subscription is locked before its mirror, as everywhere.
    pub(super) async fn name_at_provider(
        &self,
        desk: &mut Desk,
        id: SubscriptionId,
    ) -> Result<String, VerbError> {
        let mut tx = self.begin(desk).await?;
        tx.lock_subscription(id).await?;
        let mirror = tx.mirror(id).await?.ok_or(VerbError::Stale)?;
        Ok(mirror.provider_ref)
    }

    /// Asks how a subscription stands.
    pub(super) async fn read_at_provider(
        &self,
        desk: &mut Desk,
        provider_ref: &str,
    ) -> Result<Reading, VerbError> {
        let began = self.database_time(desk).await?;
        let scheduler = self.scheduler()?;
        let _counted = self.count_call();
        let seen = scheduler.read(desk, provider_ref).await.map_err(untold)?;
        Ok(Reading { seen, began })
    }

    /// Writes what was read, unless what stands there was read later. The subscription is locked first, as everywhere.
    pub(super) async fn write_reading<T: Tx>(
        &self,
        tx: &mut T,
        id: SubscriptionId,
        reading: &Reading,
        actor: Actor<'_>,
    ) -> Result<Written, VerbError> {
        let mut subscription = tx.lock_subscription(id).await?;
        let mirror = tx.mirror(id).await?;
        let mut mirror = mirror.ok_or(VerbError::Stale)?;
        if reading.began < mirror.read_at {
            // Whoever asked for a reading by then has one.
            let shown = mirror.read_at;
            self.next_reading(&mut mirror, &subscription, shown);
            tx.save_mirror(&mirror).await?;
            return Ok(Written::Older);
        }
        let seen = &reading.seen;
        let before = subscription.clone();
        let mut term = self.term_as_seen(tx, &mut subscription, seen).await?;
        // What was read first is the past.
        let telling = if mirror.version == 1 {
            Telling::History
        } else {
            Telling::News
        };
        let books = self
            .write_invoices(tx, telling, &mut subscription, &term, seen)
            .await?;
        take_over(&mut subscription, seen, books.first_failed_at);
        if subscription != before {
            tx.save_subscription(&subscription).await?;
            subscription.version += 1;
        }
        if !before.state.is_ended() && subscription.state.is_ended() && term.to_at.is_none() {
            let at = subscription.ended_at.unwrap_or_else(|| self.now());
            tx.end_term(id, term.term_no, at).await?;
            term.to_at = Some(at);
        }
        // What began before it was taken in began then, and not today.
        let begun = (mirror.version == 1).then_some(seen.created);
        self.write_history(tx, (before, &subscription), &term, begun, actor)
            .await?;
        self.next_reading(&mut mirror, &subscription, reading.began);
        if books.is_partly {
            let soon = reading.began + Duration::minutes(PARTLY_MIN);
            mirror.read_again_at = Some(mirror.read_again_at.map_or(soon, |at| at.min(soon)));
        }
        self.note_reading(tx, &mut mirror, reading).await?;
        Ok(Written::New)
    }

    /// When it is read next without a hint: at the time that was noted while this reading was under way, and when its
    /// period is over. So an event that nobody ever saw is missed until then, and not for good.
    fn next_reading(&self, mirror: &mut Mirror, subscription: &Subscription, began: DateTime<Utc>) {
        let noted = mirror.read_again_at.filter(|at| *at > began);
        let left = |due: DateTime<Utc>| (due - self.now()).max(Duration::zero());
        let over = subscription
            .next_due_at
            .map(|due| began + left(due) + Duration::hours(AFTER_PERIOD_H));
        mirror.read_again_at = noted.into_iter().chain(over).min();
        mirror.tries = 0;
    }

    async fn note_reading<T: Tx>(
        &self,
        tx: &mut T,
        mirror: &mut Mirror,
        reading: &Reading,
    ) -> Result<(), VerbError> {
        mirror.provider_customer.clone_from(&reading.seen.payer.id);
        mirror.collection = reading.seen.collection;
        mirror.resumes_at = reading.seen.resumes_at;
        mirror.read_at = reading.began;
        tx.save_mirror(mirror).await?;
        mirror.version += 1;
        Ok(())
    }

    /// The term that runs there: the stored one, or a new one where plan, price or quantity changed.
    async fn term_as_seen<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &mut Subscription,
        seen: &SubscriptionSeen,
    ) -> Result<Term, VerbError> {
        let term = tx.term(subscription.id, subscription.term_no).await?;
        let (plan_id, _) = self.plan_as_seen(tx, &seen.price).await?;
        let is_same = term.plan_id == plan_id
            && term.price == seen.price.unit
            && term.quantity == seen.quantity
            && term.anchor.interval == seen.price.interval;
        if is_same || subscription.state.is_ended() {
            return Ok(term);
        }
        let now = self.now();
        let next = Term {
            term_no: term.term_no.saturating_add(1),
            plan_id,
            anchor: Anchor {
                date: local_date(seen.period_start.unwrap_or(now), term.anchor.zone),
                zone: term.anchor.zone,
                interval: seen.price.interval,
            },
            quantity: seen.quantity,
            price: seen.price.unit,
            from_at: now,
            to_at: None,
            ..term
        };
        tx.end_term(subscription.id, term.term_no, now).await?;
        tx.insert_term(&next).await?;
        subscription.term_no = next.term_no;
        subscription.plan_id = plan_id;
        subscription.quantity = seen.quantity;
        Ok(next)
    }

    /// The plan that stands for a price of the provider's: made when it is first seen, and closed, because nobody is to
    /// subscribe to it here.
    pub(super) async fn plan_as_seen<T: Tx>(
        &self,
        tx: &mut T,
        price: &PriceSeen,
    ) -> Result<(PlanId, ProductId), StoreError> {
        if let Some(plan) = tx.plan_by_code(&price.id).await? {
            return Ok((plan.id, plan.product_id));
        }
        let product = if let Some(known) = tx.product_by_code(&price.product).await? {
            known.id
        } else {
            let id = self.parts.ids.public_id(Noun::Product);
            tx.insert_product(&id, &price.product, &price.product_name, self.now())
                .await?
        };
        let id = tx
            .insert_plan(&NewPlan {
                public_id: &self.parts.ids.public_id(Noun::Plan),
                product_id: product,
                code: &price.id,
                name: &price.product_name,
                price: price.unit,
                interval: price.interval,
                tier: "",
                trial_days: 0,
                features: &[],
                at: self.now(),
            })
            .await?;
        let mut plan = tx.plan(id).await?;
        plan.active = false;
        tx.save_plan(&plan).await?;
        Ok((id, product))
    }

    /// A row of history where it stands elsewhere than before, or costs something else; and who saw it.
    async fn write_history<T: Tx>(
        &self,
        tx: &mut T,
        (mut before, after): (Subscription, &Subscription),
        term: &Term,
        begun: Option<DateTime<Utc>>,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        if before.state == after.state && before.term_no == after.term_no {
            return Ok(());
        }
        if let Some(begun) = begun
            && after.state.is_ended()
            && before.state == SubscriptionState::Incomplete
            && after.state != SubscriptionState::Expired
        {
            let active = Subscription {
                state: SubscriptionState::Active,
                ..before.clone()
            };
            tx.insert_change(&change_of(&before, &active, term, begun))
                .await?;
            before = active;
        }
        let at = match (after.ended_at, begun) {
            (Some(ended), _) if after.state.is_ended() => ended,
            (_, Some(begun)) => begun,
            _ => self.now(),
        };
        let cause = cause_of(&before, after);
        tx.insert_change(&change_of(&before, after, term, at))
            .await?;
        let now = tx.db_now().await?;
        let press = Press {
            verb: "mirror",
            target: after.public_id.as_str(),
            before: before.state.as_str(),
            after: after.state.as_str(),
            reason: cause.as_str(),
            result: "done",
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, now).await?)
    }
}

/// The fields of the row, as they were read. What has ended does not come back.
fn take_over(
    subscription: &mut Subscription,
    seen: &SubscriptionSeen,
    first_failed_at: Option<DateTime<Utc>>,
) {
    use SubscriptionState as State;
    if subscription.state.is_ended() && !seen.state.is_ended() {
        return;
    }
    subscription.state = seen.state;
    subscription.trial_until = seen.trial_end;
    subscription.cancel_at = seen.cancel_at.filter(|_| !seen.state.is_ended());
    subscription.cancel_requested_at = seen.cancel_requested_at;
    subscription.ended_at = seen.ended_at.filter(|_| seen.state.is_ended());
    if seen.state.is_ended() && subscription.ended_at.is_none() {
        subscription.ended_at = seen.cancel_requested_at.or(Some(seen.created));
    }
    subscription.next_due_at = match seen.state {
        State::Trialing => seen.trial_end.or(seen.period_end),
        State::Active | State::PastDue | State::Paused | State::Unpaid => seen.period_end,
        State::Incomplete | State::Canceled | State::Expired => None,
    };
    subscription.paid_until = match seen.state {
        State::Active | State::Paused => seen.period_end,
        State::PastDue | State::Unpaid => seen.period_start,
        State::Incomplete | State::Trialing | State::Canceled | State::Expired => {
            subscription.paid_until
        }
    };
    subscription.first_failed_at = match seen.state {
        State::PastDue | State::Unpaid => first_failed_at,
        _ => None,
    };
}

/// A row of history.
fn change_of(
    before: &Subscription,
    after: &Subscription,
    term: &Term,
    at: DateTime<Utc>,
) -> Change {
    Change {
        subscription_id: after.id,
        at,
        from: Some(before.state),
        to: after.state,
        plan_id: term.plan_id,
        price: term.price,
        quantity: term.quantity,
        discount_minor: 0,
        cause: cause_of(before, after),
        requested_by: "stripe".to_owned(),
        requested_at: after.cancel_requested_at.unwrap_or(at),
    }
}

/// Why it stands where it stands now.
fn cause_of(before: &Subscription, after: &Subscription) -> ChangeCause {
    use SubscriptionState as State;
    if before.state == after.state {
        return ChangeCause::PlanChanged;
    }
    match after.state {
        State::Active => match before.state {
            State::PastDue | State::Unpaid => ChangeCause::Recovered,
            State::Paused => ChangeCause::Resumed,
            _ => ChangeCause::Activated,
        },
        State::PastDue => ChangeCause::PaymentFailed,
        State::Unpaid => ChangeCause::DunningExhausted,
        State::Paused => ChangeCause::Paused,
        State::Canceled => match (before.state, before.cancel_at) {
            (_, Some(_)) => ChangeCause::CanceledAtEnd,
            (State::PastDue | State::Unpaid, None) if after.cancel_requested_at.is_none() => {
                ChangeCause::DunningExhausted
            }
            _ => ChangeCause::CanceledNow,
        },
        State::Expired => ChangeCause::Expired,
        State::Trialing => ChangeCause::TrialStarted,
        State::Incomplete => ChangeCause::Created,
    }
}
