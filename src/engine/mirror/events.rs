//! Events: taken in once, and each only a reason to ask how its subscription stands.
//!
//! A page of the provider's list and the place that was reached are one commit; what is in the inbox is worked on
//! afterwards, and again after a crash. All events that wait for one subscription are answered by one reading, which began
//! when they were in the inbox and so shows what they speak of. A webhook receiver hands its events to the same door.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use crate::domain::ids::SubscriptionId;
use crate::domain::mode::ProviderName;
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::InboxState;

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{
    Attempts, Desk, EventCursor, EventSeen, InboxEvent, MirrorError, Mirrors, NewEvent,
    ProviderError, Store, Tx,
};
use super::super::refusal::VerbError;
use super::reading::{Reading, untold};

/// What one pull did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Events that were new.
    pub taken_in: u32,
    /// Subscriptions that were read.
    pub read: u32,
    /// Events about nothing that is mirrored.
    pub ignored: u32,
    /// Events whose subscription cannot be mirrored any more.
    pub failed: u32,
    /// Events that wait for the provider.
    pub left: u32,
    /// Everything was read anew, because events were missed for good, or were never read.
    pub anew: bool,
    /// Wishes that were settled.
    pub settled: u32,
}

/// Pages that one pull reads at most: the rest waits for the next.
const MOST_PAGES: u32 = 500;
/// Events that are worked on together.
const BATCH: u32 = 500;
/// How much earlier than the provider forgets an event everything is read anew.
const MARGIN_DAYS: i64 = 1;

impl<S: Store> Engine<S> {
    /// Reads the provider's events since the last time and follows them; looks after wishes that are open.
    ///
    /// # Errors
    /// When the person may not resolve what is unknown, no such provider is configured, or it does not tell.
    pub async fn mirror_pull(&self, operator: &Operator) -> Result<Pulled, VerbError> {
        self.allow(operator, Verb::ResolveUnknown).await?;
        let actor = Actor::from(operator);
        let mut done = Pulled {
            settled: self.look_after_wishes(actor).await?,
            ..Pulled::default()
        };
        self.take_in_events(&mut done, actor).await?;
        self.follow_events(&mut done, actor).await?;
        Ok(done)
    }

    /// Works on the events that wait in the inbox, whoever put them there.
    ///
    /// # Errors
    /// When the person may not resolve what is unknown, or the database is away.
    pub async fn mirror_follow(&self, operator: &Operator) -> Result<Pulled, VerbError> {
        self.allow(operator, Verb::ResolveUnknown).await?;
        let mut done = Pulled::default();
        self.follow_events(&mut done, Actor::from(operator)).await?;
        Ok(done)
    }

    /// Whether anything is mirrored here, so that a pull makes sense.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn has_mirrors(&self) -> Result<bool, VerbError> {
        if self.scheduler().is_err() {
            return Ok(false);
        }
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        Ok(!tx.mirrors_after(SubscriptionId(0), 1).await?.is_empty())
    }

    /// The one door of events: kept under the provider's name for them, once.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn intake(&self, events: &[EventSeen]) -> Result<u32, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let taken = self.keep_events(&mut tx, events).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn keep_events<T: Tx>(&self, tx: &mut T, events: &[EventSeen]) -> Result<u32, VerbError> {
        let at = tx.db_now().await?;
        let mut taken = 0;
        for event in events {
            let is_new = tx
                .insert_event(&NewEvent {
                    provider: ProviderName::Stripe,
                    mode: self.parts.settings.mode,
                    event_key: &event.id,
                    kind: &event.kind,
                    shape: &event.shape,
                    object: event.object.as_deref(),
                    subscription: event.subscription.as_deref(),
                    payment: event.payment.as_deref(),
                    customer: event.customer.as_deref(),
                    happened_at: event.at,
                    at,
                })
                .await?;
            taken += u32::from(is_new);
        }
        Ok(taken)
    }

    async fn take_in_events(&self, done: &mut Pulled, actor: Actor<'_>) -> Result<(), VerbError> {
        let scheduler = self.scheduler()?;
        let mut desk = Desk::new();
        let cursor = {
            let mut tx = self.begin(&mut desk).await?;
            tx.event_cursor(ProviderName::Stripe).await?
        };
        let mut cursor = match cursor {
            Some(cursor) if cursor.event_key.is_empty() => {
                let newest = scheduler.newest_event(&mut desk).await.map_err(untold)?;
                let since = cursor.happened_at - Duration::minutes(1);
                if newest.is_none_or(|newest| newest.at < since) {
                    return Ok(());
                }
                return self.read_all_anew(done, actor).await;
            }
            Some(cursor) if cursor.happened_at > self.oldest_kept()? => cursor,
            Some(_) | None => return self.read_all_anew(done, actor).await,
        };
        for _ in 0..MOST_PAGES {
            let page = {
                let _counted = self.count_call();
                scheduler.events_after(&mut desk, &cursor.event_key).await
            };
            let page = match page {
                Ok(page) => page,
                // The event that was read last is forgotten there.
                Err(MirrorError::NotFound { .. }) => return self.read_all_anew(done, actor).await,
                Err(error) => return Err(untold(error)),
            };
            let mut tx = self.begin(&mut desk).await?;
            done.taken_in += self.keep_events(&mut tx, &page.events).await?;
            if let Some(last) = page.events.last() {
                cursor.event_key.clone_from(&last.id);
                cursor.happened_at = last.at;
            }
            cursor.pulled_at = tx.db_now().await?;
            tx.save_event_cursor(ProviderName::Stripe, &cursor).await?;
            tx.commit().await?;
            if !page.has_more || page.events.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Events before this may be forgotten there.
    fn oldest_kept(&self) -> Result<DateTime<Utc>, VerbError> {
        let days = self.scheduler()?.keeps_events_days() - MARGIN_DAYS;
        Ok(self.now() - Duration::days(days))
    }

    /// Notes the newest event, then reads every subscription that is mirrored: what happens meanwhile is newer than that.
    async fn read_all_anew(&self, done: &mut Pulled, actor: Actor<'_>) -> Result<(), VerbError> {
        done.anew = true;
        let scheduler = self.scheduler()?;
        let mut desk = Desk::new();
        let began = self.now();
        let newest = scheduler.newest_event(&mut desk).await.map_err(untold)?;
        let oldest = self.oldest_kept()?;
        // Where nothing has happened for long, there is no event to go on from: only whether there is one again.
        let newest = newest.filter(|newest| newest.at > oldest);
        let mut after = SubscriptionId(0);
        loop {
            let ids = {
                let mut tx = self.begin(&mut desk).await?;
                tx.mirrors_after(after, 100).await?
            };
            let Some(last) = ids.last() else { break };
            after = *last;
            for id in ids {
                match self.read_and_write(id, &[], actor).await {
                    Ok(()) => done.read += 1,
                    Err(error) if is_of_this_one(&error) => done.failed += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        let mut tx = self.begin(&mut desk).await?;
        let pulled_at = tx.db_now().await?;
        let cursor = EventCursor {
            event_key: newest
                .as_ref()
                .map(|one| one.id.clone())
                .unwrap_or_default(),
            happened_at: newest.map_or(began, |one| one.at),
            pulled_at,
        };
        tx.save_event_cursor(ProviderName::Stripe, &cursor).await?;
        Ok(tx.commit().await?)
    }

    /// Works on what waits in the inbox.
    async fn follow_events(&self, done: &mut Pulled, actor: Actor<'_>) -> Result<(), VerbError> {
        loop {
            let (by_subscription, seen, ignored) = self.sort_events().await?;
            done.ignored += ignored;
            let mut left = 0_u32;
            for (id, events) in by_subscription {
                let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
                match self.read_and_write(id, &events, actor).await {
                    Ok(()) => done.read += 1,
                    Err(error) if is_of_this_one(&error) => {
                        self.fail_events(&events, &error).await?;
                        done.failed += count;
                    }
                    Err(VerbError::Provider(_) | VerbError::Stale) => left += count,
                    Err(error) => return Err(error),
                }
            }
            if left > 0 || seen < BATCH {
                done.left += left;
                return Ok(());
            }
        }
    }

    /// Events that wait, by the subscription they speak of; how many there were; how many speak of nothing here.
    async fn sort_events(
        &self,
    ) -> Result<(BTreeMap<SubscriptionId, Vec<i64>>, u32, u32), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        let waiting = tx.waiting_events(BATCH).await?;
        let seen = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        let (mut sorted, mut ignored) = (BTreeMap::<SubscriptionId, Vec<i64>>::new(), 0);
        for event in waiting {
            if let Some(id) = about(&mut tx, &event).await? {
                sorted.entry(id).or_default().push(event.id);
            } else {
                tx.move_event(event.id, InboxState::Ignored, None, at)
                    .await?;
                ignored += 1;
            }
        }
        tx.commit().await?;
        Ok((sorted, seen, ignored))
    }

    /// One reading, and the events that it answers, in one commit.
    async fn read_and_write(
        &self,
        id: SubscriptionId,
        events: &[i64],
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let name = {
            let mut tx = self.begin(&mut desk).await?;
            let mirror = tx.mirror(id).await?.ok_or(VerbError::Stale)?;
            mirror.provider_ref
        };
        let reading: Reading = self.read_at_provider(&mut desk, &name).await?;
        let mut tx = self.begin(&mut desk).await?;
        self.write_reading(&mut tx, id, &reading, actor).await?;
        self.end_events(&mut tx, events, reading.began).await?;
        Ok(tx.commit().await?)
    }

    async fn end_events<T: Tx>(
        &self,
        tx: &mut T,
        events: &[i64],
        at: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        for event in events {
            tx.move_event(*event, InboxState::Processed, None, at)
                .await?;
        }
        Ok(())
    }

    async fn fail_events(&self, events: &[i64], error: &VerbError) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        let why = error.to_string();
        for event in events {
            tx.move_event(*event, InboxState::Failed, Some(&why), at)
                .await?;
        }
        Ok(tx.commit().await?)
    }
}

/// What an event speaks of, of what is mirrored here. One about a customer alone says nothing that is mirrored.
async fn about<T: Tx>(tx: &mut T, event: &InboxEvent) -> Result<Option<SubscriptionId>, VerbError> {
    if let Some(name) = &event.subscription {
        return Ok(tx.mirrored(name).await?);
    }
    if let Some(payment) = &event.payment {
        return Ok(tx.mirror_of_payment(payment).await?);
    }
    Ok(None)
}

/// Whether it is this subscription's trouble, and waiting does not help.
fn is_of_this_one(error: &VerbError) -> bool {
    match error {
        VerbError::Input { .. } | VerbError::Range(_) => true,
        VerbError::Provider(ProviderError::Refused { status, .. }) => *status == 404,
        _ => false,
    }
}
