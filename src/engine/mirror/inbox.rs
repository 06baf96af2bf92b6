//! Taking events in: kept once under the provider's name for them, page by page, and how far the list was read.
//!
//! A page and the place that was reached are one commit. An event may show in the list after newer ones, so that place stays
//! behind the newest; it moves on with every page, however many events there are. What was missed for good is made up for
//! by reading everything that is mirrored anew. What events speak of is followed in `events`.

use chrono::{DateTime, Duration, Utc};

use crate::domain::ids::SubscriptionId;
use crate::domain::mode::ProviderName;

use super::super::Engine;
use super::super::ports::{
    Attempts, Desk, EventCursor, EventSeen, MirrorError, Mirrors, NewEvent, Store, Tx,
};
use super::super::refusal::VerbError;
use super::events::{Pulled, mark_now};
use super::reading::untold;

/// Pages that one pull reads at most: the rest waits for the next.
const MOST_PAGES: u32 = 500;
/// Subscriptions that are marked together.
const BATCH: u32 = 500;
/// An event may show in the list after ones that are newer: so much of it is read again each time.
const LATE_MIN: i64 = 5;
/// What is older than this is not read again, however long nothing newer happens: no clock is so much ahead.
const SETTLED_H: i64 = 25;
/// How much earlier than the provider forgets an event everything is read anew.
const MARGIN_DAYS: i64 = 1;

impl<S: Store> Engine<S> {
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

    /// Reads the list from the place on that was reached.
    pub(super) async fn take_in_events(&self, done: &mut Pulled) -> Result<(), VerbError> {
        let scheduler = self.scheduler()?;
        let mut desk = Desk::new();
        let cursor = {
            let mut tx = self.begin(&mut desk).await?;
            tx.event_cursor(ProviderName::Stripe).await?
        };
        match cursor {
            Some(cursor) if cursor.event_key.is_empty() => {
                let newest = scheduler.newest_event(&mut desk).await.map_err(untold)?;
                let since = cursor.happened_at - Duration::minutes(1);
                if newest.is_none_or(|newest| newest.at < since) {
                    return Ok(());
                }
                self.read_all_anew(done).await
            }
            Some(cursor) if cursor.happened_at > self.oldest_kept()? => {
                self.read_on(cursor, done).await
            }
            Some(_) | None => self.read_all_anew(done).await,
        }
    }

    async fn read_on(&self, mut cursor: EventCursor, done: &mut Pulled) -> Result<(), VerbError> {
        let scheduler = self.scheduler()?;
        let mut desk = Desk::new();
        let now = self.now();
        let mut newest = None;
        let mut reached = cursor.event_key.clone();
        for _ in 0..MOST_PAGES {
            let page = {
                let _counted = self.count_call();
                scheduler.events_after(&mut desk, &reached).await
            };
            let page = match page {
                Ok(page) => page,
                // The event that was read last is forgotten there.
                Err(MirrorError::NotFound { .. }) => return self.read_all_anew(done).await,
                Err(error) => return Err(untold(error)),
            };
            if page.has_more && newest.is_none() {
                // Where things happen all the time no page shows anything that is much newer than the rest of it. So it is
                // asked first how new the newest is, and then read from the beginning: a list that was read before that
                // may lack what shows late.
                let there = scheduler.newest_event(&mut desk).await.map_err(untold)?;
                newest = Some(there.map_or(cursor.happened_at, |one| one.at));
                continue;
            }
            let mut tx = self.begin(&mut desk).await?;
            done.taken_in += self.keep_events(&mut tx, &page.events).await?;
            if let Some(last) = page.events.last() {
                reached.clone_from(&last.id);
            }
            let newest = newest.or_else(|| page.events.iter().map(|event| event.at).max());
            let late = still_late(newest, now);
            let settled = page.events.iter().take_while(|event| event.at <= late);
            if let Some(last) = settled.last() {
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

    /// Notes the newest event, then has every subscription that is mirrored read: what happens meanwhile is newer than that.
    async fn read_all_anew(&self, done: &mut Pulled) -> Result<(), VerbError> {
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
            let mut tx = self.begin(&mut desk).await?;
            let ids = tx.mirrors_after(after, BATCH).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            for id in ids {
                mark_now(&mut tx, id).await?;
            }
            tx.commit().await?;
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
}

/// Up to when a list is complete whose newest event was this one before it was read, or is this one on its only page. Our
/// clock may be ahead of the provider's, so it is the provider's own times that say how old an event is.
fn still_late(newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
    let late = newest.map_or(now, |newest| newest.min(now)) - Duration::minutes(LATE_MIN);
    late.max(now - Duration::hours(SETTLED_H))
}
