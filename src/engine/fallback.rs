//! The next provider in a currency's order, where the first one was certainly not reached.
//!
//! An attempt that never left is given up and another one is made at the next provider, in one commit, so that one of the
//! two is open at any time. Where anything may have happened, there is no other provider: the attempt stays unknown. What
//! a person pressed goes on only to the card that the confirmed plan names.

use crate::domain::attempt::{Attempt, AttemptKind, OweTimes, Source, may_be_older};
use crate::domain::customer::PaymentMethod;
use crate::domain::evidence::Evidence;
use crate::domain::ids::{AttemptId, CustomerId, MethodId, PublicId};
use crate::domain::invoice::Invoice;
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InvoiceState, SubscriptionState};

use super::Engine;
use super::action::Effect;
use super::audit::{Actor, Press};
use super::charge::{ChargeWork, Start, card_brief, next_attempt_no};
use super::ports::{Attempts, Customers, Desk, Store, StoreError, Tx};
use super::refusal::VerbError;
use super::send::Returned;
use super::settle::{Rows, Settled, fence_of};

/// What stands on the attempt at the next provider.
const REASON: &str = "the provider before was not reached";
/// How often it is tried while the database is busy or away.
const MOVING_TRIES: u32 = 6;

/// Who may be asked where the first provider was certainly not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onward {
    /// Nobody: nobody confirmed that.
    Nobody,
    /// This card: the plan that was confirmed names it.
    To(MethodId, Verb),
    /// Whom the rules name next: nobody presses anything.
    ByRules,
}

impl Onward {
    /// What a plan that names this card, or none, lets happen.
    pub(super) fn as_planned(next: Option<&PaymentMethod>, verb: Verb) -> Self {
        next.map_or(Self::Nobody, |method| Self::To(method.id, verb))
    }

    fn allows(self, method: &PaymentMethod) -> bool {
        match self {
            Self::Nobody => false,
            Self::To(named, _) => named == method.id,
            Self::ByRules => true,
        }
    }

    fn verb(self, source: Source) -> Verb {
        match (self, source) {
            (Self::To(_, verb), _) => verb,
            (Self::Nobody | Self::ByRules, Source::Run | Source::Dunning) => Verb::BillRun,
            (Self::Nobody | Self::ByRules, _) => Verb::Charge,
        }
    }
}

impl<S: Store> Engine<S> {
    /// The card at the next provider, where the rules name one that is there and takes the amount.
    pub(super) async fn next_card<T: Tx>(
        &self,
        tx: &mut T,
        (customer, amount): (CustomerId, Money),
        before: ProviderName,
    ) -> Result<Option<PaymentMethod>, VerbError> {
        let routing = &self.parts.settings.routing;
        let next = routing.after(before, amount.currency());
        let is_there =
            |next: &ProviderName| self.provider(*next).is_ok() && next.takes(amount).is_ok();
        let Some(next) = next.filter(is_there) else {
            return Ok(None);
        };
        let methods = tx.active_methods_of(customer).await?;
        Ok(methods.into_iter().find(|m| m.provider == next))
    }

    /// The same for a plan about an invoice: a debt that is old never moves (`super::older_books`).
    pub(super) async fn next_card_for<T: Tx>(
        &self,
        tx: &mut T,
        invoice: &Invoice,
        before: ProviderName,
    ) -> Result<Option<PaymentMethod>, VerbError> {
        let what = (invoice.customer_id, invoice.amount);
        let Some(next) = self.next_card(tx, what, before).await? else {
            return Ok(None);
        };
        let times = OweTimes {
            owed_since: invoice.due_at,
            business: self.now(),
            database: tx.db_now().await?,
        };
        let is_old = may_be_older(self.parts.settings.mode, times);
        Ok(Some(next).filter(|_| !is_old))
    }

    /// What a plan says of it: whom, with which card, and under which name.
    pub(super) fn asked_next(&self, invoice: &PublicId, no: u32, next: &PaymentMethod) -> Effect {
        Effect::AskedNext {
            call: self.charge_call(next.provider, invoice, no),
            card: card_brief(next),
        }
    }

    /// After a call that certainly never left: the attempt at the next provider.
    pub(super) async fn fall_back(
        &self,
        returned: &Returned,
        settled: &Settled,
        onward: Onward,
        actor: Actor<'_>,
    ) -> Result<Option<AttemptId>, VerbError> {
        let never_left =
            returned.report.evidence == Evidence::NotSent && settled.state == AttemptState::Ready;
        if !never_left {
            return Ok(None);
        }
        self.move_on(&returned.attempt, onward, actor).await
    }

    /// The same for an attempt that is ready and was never sent. A commit whose answer was lost is found again.
    pub(super) async fn move_on(
        &self,
        attempt: &Attempt,
        onward: Onward,
        actor: Actor<'_>,
    ) -> Result<Option<AttemptId>, VerbError> {
        let currency = attempt.amount.currency();
        let routing = &self.parts.settings.routing;
        let may = onward != Onward::Nobody
            && attempt.kind == AttemptKind::Charge
            && attempt.method_id.is_some()
            && routing.after(attempt.provider, currency).is_some();
        if !may {
            return Ok(None);
        }
        let mut wait_ms = 20;
        for _ in 0..MOVING_TRIES {
            match self.move_once(attempt, onward, actor).await {
                Err(VerbError::Store(
                    StoreError::Busy(_) | StoreError::Unreachable(_) | StoreError::CommitUnknown(_),
                )) => {
                    self.pause_ms(wait_ms).await;
                    wait_ms *= 2;
                }
                other => return other,
            }
        }
        self.move_once(attempt, onward, actor).await
    }

    async fn move_once(
        &self,
        attempt: &Attempt,
        onward: Onward,
        actor: Actor<'_>,
    ) -> Result<Option<AttemptId>, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let rows = self.lock_rows(&mut tx, attempt).await?;
        if rows.attempt.state == AttemptState::Abandoned {
            return self.made_before(&mut tx, &rows).await;
        }
        if !may_move(&rows, attempt) || self.books_may_be_older(&rows) {
            return Ok(None);
        }
        let method = self
            .next_card(
                &mut tx,
                (attempt.customer_id, attempt.amount),
                attempt.provider,
            )
            .await?;
        let allowed = method.filter(|m| onward.allows(m) && self.admits(m.provider));
        let Some(method) = allowed else {
            return Ok(None);
        };
        let customer = tx.customer(rows.attempt.customer_id).await?;
        self.give_up_unsent(&mut tx, &rows).await?;
        let before = rows.attempt;
        let others = tx.charges_of(rows.invoice.id).await?;
        let mut work = ChargeWork {
            verb: onward.verb(before.source),
            source: before.source,
            attempt_no: next_attempt_no(&others)?,
            invoice: rows.invoice,
            subscription: rows.subscription,
            customer,
            method,
            next: None,
        };
        let made = self
            .insert_charge(&mut tx, actor, &mut work, Start::Ready, REASON)
            .await?;
        let reason = format!("next {}", made.public_id);
        let press = Press {
            verb: before.kind.as_str(),
            target: before.public_id.as_str(),
            before: AttemptState::Ready.as_str(),
            after: AttemptState::Abandoned.as_str(),
            result: "abandoned",
            reason: &reason,
            ..Press::default()
        };
        self.audit_in(&mut tx, actor, press, rows.now).await?;
        tx.commit().await?;
        Ok(Some(made.id))
    }

    /// The attempt that this process made in place of one that it gave up, where nobody has sent it yet.
    async fn made_before<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
    ) -> Result<Option<AttemptId>, VerbError> {
        let others = tx.charges_of(rows.invoice.id).await?;
        let is_it = |other: &&Attempt| {
            other.attempt_no > rows.attempt.attempt_no
                && other.state == AttemptState::Ready
                && other.reason == REASON
                && other.lease_owner.as_deref() == Some(self.parts.process.as_str())
        };
        Ok(others.iter().find(is_it).map(|made| made.id))
    }

    /// It never left, and it will not.
    async fn give_up_unsent<T: Tx>(&self, tx: &mut T, rows: &Rows) -> Result<(), VerbError> {
        let mut attempt = rows.attempt.clone();
        let fence = fence_of(&attempt);
        attempt.state = AttemptState::Abandoned;
        attempt.settled_at = Some(self.now());
        attempt.next_check_at = None;
        attempt.lease_until = Some(rows.now);
        tx.save_attempt(&attempt, fence).await?;
        tx.decide_run_items(attempt.id, Decision::NotSent, self.now())
            .await?;
        Ok(())
    }
}

/// Whether it is as it was read a moment ago, never prepared, and still wanted.
fn may_move(rows: &Rows, ours: &Attempt) -> bool {
    let attempt = &rows.attempt;
    let is_untouched = attempt.state == AttemptState::Ready
        && attempt.lease_epoch == ours.lease_epoch
        && attempt.first_sent_at.is_none()
        && attempt.provider_ref.is_none();
    let is_owed = matches!(
        rows.invoice.state,
        InvoiceState::Open | InvoiceState::Uncollectible
    );
    let is_running =
        |state: SubscriptionState| !state.is_ended() && state != SubscriptionState::Paused;
    let subscription = rows.subscription.as_ref();
    is_untouched && is_owed && subscription.is_none_or(|(s, _)| is_running(s.state))
}
