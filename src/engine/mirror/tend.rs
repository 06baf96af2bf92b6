//! Looking after wishes that are open: read first, sent again under their key while it is remembered, and a person called
//! about one that nobody knows the outcome of for a day. Trouble of one wish is its own, and the others are looked after.

use chrono::{DateTime, Utc};

use crate::domain::mirror::{Heard, Wish, WishState};

use super::super::Engine;
use super::super::action::Outcome;
use super::super::audit::Actor;
use super::super::ports::{Attempts, Claim, Desk, Mirrors, Store, Subscriptions, Tx, WishLearnt};
use super::super::refusal::VerbError;
use super::events::{Pulled, is_everybodys, is_silence};
use super::goal::is_reached;

/// Open wishes that one round looks after.
const MOST_WISHES: u32 = 20;

impl<S: Store> Engine<S> {
    /// Wishes whose process has gone, or that nobody knows the outcome of: read first, sent again under their key while it
    /// is remembered. Trouble of one is its own: it is looked at again later, and the others are looked after.
    pub(super) async fn look_after_wishes(
        &self,
        done: &mut Pulled,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        for _ in 0..MOST_WISHES {
            let Some(wish) = self.claim_wish().await? else {
                break;
            };
            let known = wish.clone();
            match self.look_after(&mut Desk::new(), wish, actor).await {
                Ok(Outcome::Unknown(_)) => {}
                Ok(_) => done.settled += 1,
                Err(error) if is_everybodys(&error) => return Err(error),
                Err(error) => {
                    match self.wish_has_trouble(&known, &error).await {
                        Err(error) if is_everybodys(&error) => return Err(error),
                        // It is claimed again when its lease has ended.
                        Ok(()) | Err(_) => {}
                    }
                    if is_silence(&error) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// One at a time, so that each has its lease to itself.
    async fn claim_wish(&self) -> Result<Option<Wish>, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let claim = Claim {
            owner: &self.parts.process,
            now: tx.db_now().await?,
            lease_s: self.parts.settings.lease_s,
            limit: 1,
        };
        let claimed = tx.claim_wishes(claim).await?;
        tx.commit().await?;
        Ok(claimed.into_iter().next())
    }

    /// It could not be read or written: it stays unknown and is looked at again, ever more rarely. Whoever has taken it over
    /// meanwhile keeps it.
    pub(super) async fn wish_has_trouble(
        &self,
        wish: &Wish,
        error: &VerbError,
    ) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let now = tx.db_now().await?;
        tx.lock_subscription(wish.subscription_id).await?;
        let current = tx.lock_wish(wish.id).await?;
        if !current.state.is_open() || current.lease_epoch != wish.lease_epoch {
            return Ok(());
        }
        let learnt = WishLearnt {
            state: WishState::Unknown,
            refusal: None,
            next_check_at: Some(wish.next_look_after_trouble(now)),
            at: now,
        };
        tx.wish_learnt(wish.id, wish.lease_epoch, &learnt).await?;
        self.call_about_wish(&mut tx, wish, now).await?;
        tx.commit().await?;
        tracing::warn!(wish = wish.id.0, %error, "what became of a wish could not be read");
        Ok(())
    }

    /// Calls a person, once, about a wish that nobody knows the outcome of for a day.
    pub(super) async fn call_about_wish<T: Tx>(
        &self,
        tx: &mut T,
        wish: &Wish,
        now: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        if !wish.needs_human(now) {
            return Ok(());
        }
        let id = tx.lock_subscription(wish.subscription_id).await?.public_id;
        let key = format!("{id}:wish:{}", wish.id.0);
        let payload = format!("{{\"subscription\":\"{id}\",\"what\":\"wish_unknown\"}}");
        Ok(tx.queue_notice("page", &key, &payload, self.now()).await?)
    }

    async fn look_after(
        &self,
        desk: &mut Desk,
        mut wish: Wish,
        actor: Actor<'_>,
    ) -> Result<Outcome, VerbError> {
        let name = self.name_at_provider(desk, wish.subscription_id).await?;
        let reading = self.read_at_provider(desk, &name).await?;
        let now = self.database_time(desk).await?;
        let is_over = is_reached(&wish, &reading.seen);
        if is_over || !wish.may_be_sent_again(now) {
            // What was sent was sent at least once: silence is all that was heard of it.
            wish.send_count = wish.send_count.max(2);
            return self.settle_wish(desk, wish, Heard::Nothing, actor).await;
        }
        {
            let mut tx = self.begin(desk).await?;
            tx.wish_sent(wish.id, wish.lease_epoch).await?;
            tx.commit().await?;
        }
        wish.send_count += 1;
        let heard = self.ask(desk, &wish).await?;
        self.settle_wish(desk, wish, heard, actor).await
    }
}
