//! Events: each is only a reason to ask how its subscription stands.
//!
//! `inbox` takes them in, once. What is there becomes a time at which its subscription is to be read; so all events about one are answered by one reading, which began
//! after they were taken in and shows what they speak of. Trouble of one subscription is its own: counted, due again later,
//! a person is called after a while, and everything else goes on. A webhook receiver hands its events to the same door.

use std::collections::BTreeSet;

use crate::domain::ids::SubscriptionId;
use crate::domain::mode::ProviderName;
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::InboxState;

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{
    Attempts, Books, Desk, HintAbout, InboxEvent, LookHint, Mirrors, ProviderError, Store,
    StoreError, Subscriptions, Tx,
};
use super::super::refusal::{Refused, VerbError};
use super::reading::Reading;

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

/// Events that are sorted together.
const SORTED: u32 = 100;
/// Subscriptions that are worked on together.
const BATCH: u32 = 500;
/// Subscriptions in a row that are not answered for in time before the rest waits for the next pull: one alone may be one that
/// takes the provider too long.
const MOST_SILENT: u32 = 2;
/// Subscriptions in a row that the provider may not tell about before the rest waits for the next pull.
const MOST_UNTOLD: u32 = 20;
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
        // What is in the way of one of the three is not in the way of the others, but for silence about the events: each
        // question more would wait as long. Silence about a wish may be that of its subscription alone.
        let looked = self.look_after_wishes(done, actor).await;
        let taken = self.take_in_events(done).await;
        if taken.as_ref().is_err_and(is_silence) {
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

    /// What waits in the inbox becomes times of readings; then whatever is to be read by now is read.
    async fn follow_events(
        &self,
        done: &mut Pulled,
        line: Line,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        while self.sort_events(done).await? == SORTED {}
        let mut desk = Desk::new();
        let now = self.database_time(&mut desk).await?;
        let mut tried = BTreeSet::new();
        let (mut untold, mut silent) = (0, 0);
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
                        (untold, silent) = (0, 0);
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
                        silent = if is_silence(&error) { silent + 1 } else { 0 };
                    }
                }
                if untold == MOST_UNTOLD || silent == MOST_SILENT {
                    return Ok(());
                }
            }
        }
    }

    /// Events that wait: each is a time at which its subscription is to be read, in one commit, or about nothing here. Gives
    /// how many there were.
    async fn sort_events(&self, done: &mut Pulled) -> Result<u32, VerbError> {
        let mut desk = Desk::new();
        let waiting = {
            let mut tx = self.begin(&mut desk).await?;
            tx.waiting_events(SORTED).await?
        };
        // Before they count as worked on, and each in a commit of its own: who settles a payment holds its attempts first.
        let mut hastened = BTreeSet::new();
        for event in &waiting {
            if self.hasten(&mut desk, event).await? {
                hastened.insert(event.id);
            }
        }
        let seen = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        // By id, so that two that sort at once wait for each other and not in a circle.
        let mut about_these = BTreeSet::new();
        for event in waiting {
            let about = about(&mut tx, &event).await?;
            let to = if about.is_some() || hastened.contains(&event.id) {
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

    /// What an event says of a payment of ours is no evidence: it is asked about now, and not when its turn would have come.
    /// Whether there is anything to ask about.
    async fn hasten(&self, desk: &mut Desk, event: &InboxEvent) -> Result<bool, VerbError> {
        let about = match event.kind.split_once('.') {
            Some(("payment_intent", _)) => HintAbout::Charge,
            Some(("charge" | "refund", _)) => HintAbout::Refunds,
            _ => return Ok(false),
        };
        let Some(payment) = &event.payment else {
            return Ok(false);
        };
        let mut tx = self.begin(desk).await?;
        let hint = LookHint {
            provider: ProviderName::Stripe,
            provider_ref: payment,
            about,
            at: tx.db_now().await?,
        };
        let hastened = tx.hasten_looks(hint).await?;
        tx.commit().await?;
        Ok(hastened > 0)
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
pub(super) async fn mark_now<T: Tx>(tx: &mut T, id: SubscriptionId) -> Result<(), VerbError> {
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

/// Whether nobody answered in time. Where it is the line's and not the thing's trouble, whoever is asked next is waited for
/// as long.
pub(super) fn is_silence(error: &VerbError) -> bool {
    matches!(error, VerbError::Provider(ProviderError::Silent { .. }))
}

/// Whether waiting does not help: it is of a kind that is not mirrored, or gone there.
fn is_in_vain(error: &VerbError) -> bool {
    match error {
        VerbError::Input { .. } | VerbError::Range(_) => true,
        VerbError::Provider(ProviderError::Refused { status, .. }) => *status == 404,
        _ => false,
    }
}
