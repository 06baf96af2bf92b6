//! Sending a wish, and settling it by what is read back.
//!
//! From the moment a wish is written it may go out, by this process or another: whatever is in the way from then on, a
//! person is told that it is unknown, never that nothing was sent. What was learnt is written with the retries that an
//! attempt's answer has.

use crate::domain::attempt::AttemptKind;
use crate::domain::evidence::{Proves, Refusal};
use crate::domain::invoice::Invoice;
use crate::domain::mirror::{Heard, Wish, WishId, WishState, WishVerb, judge};
use crate::domain::subscription::Subscription;

use super::super::Engine;
use super::super::action::{Outcome, Receipt};
use super::super::audit::{Actor, Press};
use super::super::ports::{
    Attempts, Desk, Mirrors, Store, StoreError, Subscriptions, Tx, WishCall, WishLearnt,
};
use super::super::refusal::VerbError;
use super::goal::is_reached;
use super::reading::Reading;

/// How often what was learnt is offered to a database that does not take it.
const TRIES: u32 = 40;

/// What was heard of a wish, and what was read after it.
struct Learnt {
    wish: Wish,
    heard: Heard,
    reading: Option<Reading>,
}

impl<S: Store> Engine<S> {
    /// Sends a wish that was just written, and says what became of it. `known` is what the plan knew of it.
    pub(in crate::engine) async fn carry_out(
        &self,
        id: WishId,
        known: Receipt,
        actor: Actor<'_>,
    ) -> Outcome {
        match self.send_wish(id, &known, actor).await {
            Ok(outcome) => outcome,
            Err((error, wish)) => {
                tracing::warn!(wish = id.0, %error, "what became of a wish is not known");
                if let Some(wish) = wish
                    && let Err(error) = self.wish_has_trouble(&wish, &error).await
                {
                    // It is claimed when its lease has ended.
                    tracing::warn!(wish = id.0, %error, "and could not be noted");
                }
                Outcome::Unknown(known)
            }
        }
    }

    async fn send_wish(
        &self,
        id: WishId,
        known: &Receipt,
        actor: Actor<'_>,
    ) -> Result<Outcome, (VerbError, Option<Wish>)> {
        let mut desk = Desk::new();
        let wish = self.wish_to_send(&mut desk, id).await;
        let Some(wish) = wish.map_err(|error| (error, None))? else {
            // It stood still in between: whoever finds it reads first.
            return Ok(Outcome::Unknown(known.clone()));
        };
        let heard = self.ask(&mut desk, &wish).await;
        let heard = heard.map_err(|error| (error, Some(wish.clone())))?;
        let settled = self.settle_wish(&mut desk, wish.clone(), heard, actor);
        settled.await.map_err(|error| (error, Some(wish)))
    }

    /// The wish, while this process may send it.
    async fn wish_to_send(&self, desk: &mut Desk, id: WishId) -> Result<Option<Wish>, VerbError> {
        let mut tx = self.begin(desk).await?;
        let (wish, now) = (tx.lock_wish(id).await?, tx.db_now().await?);
        Ok((now < wish.lease_until).then_some(wish))
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

    /// What a wish has come to, by a reading that began after its call. Tried again while the database does not let us.
    pub(super) async fn settle_wish(
        &self,
        desk: &mut Desk,
        wish: Wish,
        heard: Heard,
        actor: Actor<'_>,
    ) -> Result<Outcome, VerbError> {
        let reading = if never_began(&wish, &heard) {
            None
        } else {
            self.read_for(desk, &wish).await.ok()
        };
        let learnt = Learnt {
            wish,
            heard,
            reading,
        };
        let mut wait_ms = 20;
        for _ in 1..TRIES {
            match self.write_learnt(desk, &learnt, actor).await {
                Err(VerbError::Store(
                    StoreError::Busy(_) | StoreError::Unreachable(_) | StoreError::CommitUnknown(_),
                )) => {
                    self.pause_ms(wait_ms).await;
                    wait_ms = (wait_ms * 2).min(2_000);
                }
                written => return written,
            }
        }
        self.write_learnt(desk, &learnt, actor).await
    }

    async fn read_for(&self, desk: &mut Desk, wish: &Wish) -> Result<Reading, VerbError> {
        let name = self.name_at_provider(desk, wish.subscription_id).await?;
        self.read_at_provider(desk, &name).await
    }

    async fn write_learnt(
        &self,
        desk: &mut Desk,
        learnt: &Learnt,
        actor: Actor<'_>,
    ) -> Result<Outcome, VerbError> {
        let wish = &learnt.wish;
        let mut tx = self.begin(desk).await?;
        let now = tx.db_now().await?;
        // The subscription first, as everywhere: a second wish about it is written under its lock.
        tx.lock_subscription(wish.subscription_id).await?;
        let current = tx.lock_wish(wish.id).await?;
        if !current.state.is_open() {
            // Its own commit, whose answer was lost, or whoever took it over has settled it.
            let known = (current.state, current.refusal.as_ref());
            return told_of(&mut tx, wish, known).await;
        }
        let state = match &learnt.reading {
            Some(reading) => {
                let id = wish.subscription_id;
                self.write_reading(&mut tx, id, reading, actor).await?;
                judge(wish, &learnt.heard, is_reached(wish, &reading.seen), now)
            }
            None => unread(wish, &learnt.heard),
        };
        let refusal = refusal_of(&learnt.heard);
        let row = WishLearnt {
            state,
            refusal,
            next_check_at: state.is_open().then(|| wish.next_look(now)),
            at: now,
        };
        tx.wish_learnt(wish.id, wish.lease_epoch, &row).await?;
        if state.is_open() {
            self.call_about_wish(&mut tx, wish, now).await?;
        }
        let subscription = tx.lock_subscription(wish.subscription_id).await?;
        self.audit_wish(&mut tx, (wish, state), &subscription, actor)
            .await?;
        let outcome = told_of(&mut tx, wish, (state, refusal)).await?;
        tx.commit().await?;
        Ok(outcome)
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
}

/// What a person is told of a wish that stands so.
async fn told_of<T: Tx>(
    tx: &mut T,
    wish: &Wish,
    (state, refusal): (WishState, Option<&Refusal>),
) -> Result<Outcome, VerbError> {
    let subscription = tx.lock_subscription(wish.subscription_id).await?;
    let invoice = match wish.invoice_id {
        Some(id) => Some(tx.lock_invoice(id).await?),
        None => None,
    };
    let receipt = receipt(wish.verb, &subscription, invoice.as_ref());
    Ok(outcome_of(state, refusal, receipt))
}

/// Nothing of it can have been done.
fn never_began(wish: &Wish, heard: &Heard) -> bool {
    match heard {
        Heard::NotSent => wish.send_count <= 1,
        Heard::Refused(refusal) => refusal.proves == Proves::ConfigTrouble,
        Heard::Taken | Heard::Declined(_) | Heard::Nothing => false,
    }
}

/// What it is without a reading.
fn unread(wish: &Wish, heard: &Heard) -> WishState {
    match (never_began(wish, heard), heard) {
        (true, Heard::NotSent) => WishState::NotSent,
        (true, _) => WishState::Refused,
        (false, _) => WishState::Unknown,
    }
}

fn refusal_of(heard: &Heard) -> Option<&Refusal> {
    match heard {
        Heard::Declined(refusal) | Heard::Refused(refusal) => Some(refusal),
        Heard::Taken | Heard::NotSent | Heard::Nothing => None,
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

/// What a person is told of a wish, besides what became of it.
pub(super) fn receipt(
    verb: WishVerb,
    subscription: &Subscription,
    invoice: Option<&Invoice>,
) -> Receipt {
    Receipt {
        public_id: Some(subscription.public_id.clone()),
        kind: (verb == WishVerb::Pay).then_some(AttemptKind::Charge),
        amount: invoice.map(|row| row.amount),
        invoice: invoice.map(|row| row.public_id.clone()),
        next_due_at: subscription.next_charge(),
        subscription: Some((subscription.public_id.clone(), subscription.state)),
        ..Receipt::default()
    }
}
