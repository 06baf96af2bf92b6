//! Events: taken in once, and each only a reason to ask how its subscription stands.
//!
//! A page of the provider's list and the place that was reached are one commit. What is in the inbox then becomes a time at
//! which its subscription is to be read, in one commit; so all events about one are answered by one reading, which began
//! after they were taken in and shows what they speak of. Trouble of one subscription is its own: counted, due again later,
//! a person is called after a while, and everything else goes on. A webhook receiver hands its events to the same door.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use crate::domain::ids::SubscriptionId;
use crate::domain::mode::ProviderName;
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::InboxState;

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{
    Attempts, Books, Desk, EventCursor, EventSeen, HintAbout, InboxEvent, LookHint, MirrorError,
    Mirrors, NewEvent, ProviderError, Store, StoreError, Subscriptions, Tx,
};
use super::super::refusal::{Refused, VerbError};
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
    /// Subscriptions that cannot be mirrored any more.
    pub failed: u32,
    /// Subscriptions that could not be read or written now, and are due again.
    pub left: u32,
    /// Everything was to be read anew, because events were missed for good, or were never read.
    pub anew: bool,
    /// Wishes that were settled.
    pub settled: u32,
}

/// Pages that one pull reads at most: the rest waits for the next.
const MOST_PAGES: u32 = 500;
/// Events or subscriptions that are worked on together.
const BATCH: u32 = 500;
/// Subscriptions in a row that the provider may not tell about before the rest waits for the next pull.
const MOST_UNTOLD: u32 = 20;
/// An event may show in the list after ones that are newer: so much of it is read again each time.
const LATE_MIN: i64 = 5;
/// What is older than this is not read again, however long nothing newer happens: no clock is so much ahead.
const SETTLED_H: i64 = 25;
/// How much earlier than the provider forgets an event everything is read anew.
const MARGIN_DAYS: i64 = 1;

impl<S: Store> Engine<S> {
    /// Reads the provider's events since the last time and follows them; looks after wishes that are open.
    ///
    /// # Errors
    /// When the person may not resolve what is unknown, no such provider is configured, or it does not tell.
    pub async fn mirror_pull(&self, operator: &Operator) -> Result<Pulled, VerbError> {
        let mut done = Pulled::default();
        self.mirror_pull_into(operator, &mut done).await?;
        Ok(done)
    }

    /// The same; `done` says what was done, also where something was in the way.
    ///
    /// # Errors
    /// As [`Engine::mirror_pull`].
    pub async fn mirror_pull_into(
        &self,
        operator: &Operator,
        done: &mut Pulled,
    ) -> Result<(), VerbError> {
        self.allow(operator, Verb::ResolveUnknown).await?;
        let actor = Actor::from(operator);
        // What is in the way of one of the three is not in the way of the others, but for silence: each question more
        // would wait as long as the one before.
        let looked = self.look_after_wishes(done, actor).await;
        if is_silence_of(&looked) {
            return looked;
        }
        let taken = self.take_in_events(done).await;
        if is_silence_of(&taken) {
            return taken;
        }
        let line = match &taken {
            Ok(()) => Line::Up,
            Err(_) => Line::Down,
        };
        let followed = self.follow_events(done, line, actor).await;
        taken.and(followed).and(looked)
    }

    /// Works on the events that wait in the inbox, whoever put them there.
    ///
    /// # Errors
    /// When the person may not resolve what is unknown, or the database is away.
    pub async fn mirror_follow(&self, operator: &Operator) -> Result<Pulled, VerbError> {
        self.allow(operator, Verb::ResolveUnknown).await?;
        let mut done = Pulled::default();
        let actor = Actor::from(operator);
        self.follow_events(&mut done, Line::Unknown, actor).await?;
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

    async fn take_in_events(&self, done: &mut Pulled) -> Result<(), VerbError> {
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
                return self.read_all_anew(done).await;
            }
            Some(cursor) if cursor.happened_at > self.oldest_kept()? => cursor,
            Some(_) | None => return self.read_all_anew(done).await,
        };
        let now = self.now();
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
            let mut tx = self.begin(&mut desk).await?;
            done.taken_in += self.keep_events(&mut tx, &page.events).await?;
            if let Some(last) = page.events.last() {
                reached.clone_from(&last.id);
            }
            let late = still_late(&page.events, now);
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

    /// What waits in the inbox becomes times of readings; then whatever is to be read by now is read.
    async fn follow_events(
        &self,
        done: &mut Pulled,
        line: Line,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        while self.sort_events(done).await? == BATCH {}
        let mut desk = Desk::new();
        let now = self.database_time(&mut desk).await?;
        let mut tried = BTreeSet::new();
        let mut untold = 0;
        loop {
            let mut due = {
                let mut tx = self.begin(&mut desk).await?;
                tx.mirrors_to_read(now, BATCH).await?
            };
            due.retain(|id| tried.insert(*id));
            if due.is_empty() {
                return Ok(());
            }
            for id in due {
                match self.read_and_write(id, actor).await {
                    Ok(()) => {
                        done.read += 1;
                        untold = 0;
                    }
                    Err(error) if is_everybodys(&error) => return Err(error),
                    Err(error) => {
                        match self.has_trouble(id, &error, line).await {
                            Err(error) if is_everybodys(&error) => return Err(error),
                            // It is due as before.
                            Ok(()) | Err(_) => {}
                        }
                        let waits = !is_in_vain(&error);
                        done.left += u32::from(waits);
                        done.failed += u32::from(!waits);
                        untold += u32::from(matches!(error, VerbError::Provider(_)));
                        if is_silence(&error) {
                            return Ok(());
                        }
                    }
                }
                if untold == MOST_UNTOLD {
                    return Ok(());
                }
            }
        }
    }

    /// Events that wait, in one commit: each is a time at which its subscription is to be read, or about nothing here. Gives
    /// how many there were.
    async fn sort_events(&self, done: &mut Pulled) -> Result<u32, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        let waiting = tx.waiting_events(BATCH).await?;
        let seen = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        // By id, so that two that sort at once wait for each other and not in a circle.
        let mut about_these = BTreeSet::new();
        for event in waiting {
            let about = about(&mut tx, &event).await?;
            let hastened = hasten(&mut tx, &event, at).await?;
            let to = if about.is_some() || hastened > 0 {
                InboxState::Processed
            } else {
                done.ignored += 1;
                InboxState::Ignored
            };
            about_these.extend(about);
            tx.move_event(event.id, to, None, at).await?;
        }
        for id in about_these {
            mark_now(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(seen)
    }

    async fn read_and_write(&self, id: SubscriptionId, actor: Actor<'_>) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let name = self.name_at_provider(&mut desk, id).await?;
        let reading: Reading = self.read_at_provider(&mut desk, &name).await?;
        let mut tx = self.begin(&mut desk).await?;
        self.write_reading(&mut tx, id, &reading, actor).await?;
        Ok(tx.commit().await?)
    }

    /// Counts it, and has it read again later. A person is called once for each time it stops: at once where waiting does not
    /// help, and after many tries otherwise, unless the provider tells nothing of anybody.
    async fn has_trouble(
        &self,
        id: SubscriptionId,
        error: &VerbError,
        line: Line,
    ) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let public_id = tx.lock_subscription(id).await?.public_id;
        let mut mirror = tx.mirror(id).await?.ok_or(VerbError::Stale)?;
        mirror.has_trouble(tx.db_now().await?);
        tx.save_mirror(&mirror).await?;
        let what = match (is_in_vain(error), line) {
            (true, _) => Some("not_mirrored"),
            (false, Line::Up | Line::Unknown) if mirror.needs_human() => Some("not_read"),
            _ => None,
        };
        if let Some(what) = what {
            let since = mirror.read_at.timestamp_micros();
            let key = format!("{public_id}:{what}:{since}");
            let payload = format!("{{\"subscription\":\"{public_id}\",\"what\":\"{what}\"}}");
            tx.queue_notice("page", &key, &payload, self.now()).await?;
        }
        tx.commit().await?;
        tracing::warn!(subscription = %public_id, %error, "a mirrored subscription was not read");
        Ok(())
    }
}

/// Whether the provider tells anything at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// It told its events just now.
    Up,
    /// It did not tell its events.
    Down,
    /// It was not asked for its events.
    Unknown,
}

/// Has one read that is due from now on: a reading that began before, whoever makes it, does not answer this.
async fn mark_now<T: Tx>(tx: &mut T, id: SubscriptionId) -> Result<(), VerbError> {
    let at = tx.db_now().await?;
    Ok(tx.mark_mirror(id, at).await?)
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

/// What an event says of a payment of ours is no evidence: it is asked about now, and not when its turn would have come.
async fn hasten<T: Tx>(
    tx: &mut T,
    event: &InboxEvent,
    at: DateTime<Utc>,
) -> Result<u64, VerbError> {
    let about = match event.kind.split_once('.') {
        Some(("payment_intent", _)) => HintAbout::Charge,
        Some(("charge" | "refund", _)) => HintAbout::Refunds,
        _ => return Ok(0),
    };
    let Some(payment) = &event.payment else {
        return Ok(0);
    };
    let hint = LookHint {
        provider: ProviderName::Stripe,
        provider_ref: payment,
        about,
        at,
    };
    Ok(tx.hasten_looks(hint).await?)
}

/// Up to when a list is complete of which these are the newest that show. Our clock may be ahead of the provider's, so it is
/// the provider's own times that say how old an event is.
fn still_late(events: &[EventSeen], now: DateTime<Utc>) -> DateTime<Utc> {
    let newest = events.iter().map(|event| event.at).max();
    let late = newest.map_or(now, |newest| newest.min(now)) - Duration::minutes(LATE_MIN);
    late.max(now - Duration::hours(SETTLED_H))
}

/// Whether it is everybody's trouble, so that there is no use in going on with the next row. Everything else is the
/// row's own.
pub(super) fn is_everybodys(error: &VerbError) -> bool {
    matches!(
        error,
        VerbError::Denied(_)
            | VerbError::Refused(Refused::NoProvider(_))
            | VerbError::Store(StoreError::Unreachable(_) | StoreError::WrongDatabase(_))
    )
}

/// Whether the line is silent: whoever is asked next is waited for as long.
pub(super) fn is_silence(error: &VerbError) -> bool {
    matches!(error, VerbError::Provider(ProviderError::Silent { .. }))
}

fn is_silence_of(done: &Result<(), VerbError>) -> bool {
    done.as_ref().is_err_and(is_silence)
}

/// Whether waiting does not help: it is of a kind that is not mirrored, or gone there.
fn is_in_vain(error: &VerbError) -> bool {
    match error {
        VerbError::Input { .. } | VerbError::Range(_) => true,
        VerbError::Provider(ProviderError::Refused { status, .. }) => *status == 404,
        _ => false,
    }
}
