//! The next provider in a currency's order, where the first one was certainly not reached.
//!
//! An attempt that never left is given up and another one is made at the next provider, in one commit, so that one of the
//! two is open at any time. Where anything may have happened, there is no other provider: the attempt stays unknown.

use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::evidence::Evidence;
use crate::domain::ids::AttemptId;
use crate::domain::operator::Verb;
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InvoiceState};

use super::Engine;
use super::audit::Actor;
use super::charge::{ChargeWork, Start, next_attempt_no};
use super::ports::{Attempts, Customers, Desk, Store, Tx};
use super::refusal::VerbError;
use super::send::Returned;
use super::settle::{Rows, Settled, fence_of};

/// What stands on the attempt at the next provider.
const REASON: &str = "the provider before was not reached";

impl<S: Store> Engine<S> {
    /// After a call that certainly never left: the attempt at the next provider, if the rules name one, it is there, and
    /// the customer has a card there.
    pub(super) async fn fall_back(
        &self,
        returned: &Returned,
        settled: &Settled,
        actor: Actor<'_>,
    ) -> Result<Option<AttemptId>, VerbError> {
        let attempt = &returned.attempt;
        let never_left = returned.report.evidence == Evidence::NotSent
            && settled.state == AttemptState::Ready
            && attempt.kind == AttemptKind::Charge
            && attempt.method_id.is_some();
        let currency = attempt.amount.currency();
        let next = self
            .parts
            .settings
            .routing
            .after(attempt.provider, currency);
        let Some(next) = next.filter(|_| never_left) else {
            return Ok(None);
        };
        let is_there = self.provider(next).is_ok() && self.admits(next);
        if !is_there || next.takes(attempt.amount).is_err() {
            return Ok(None);
        }
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let rows = self.lock_rows(&mut tx, attempt).await?;
        if !may_move(&rows, attempt) || self.books_may_be_older(&rows) {
            return Ok(None);
        }
        let methods = tx.active_methods_of(rows.attempt.customer_id).await?;
        let Some(method) = methods.into_iter().find(|m| m.provider == next) else {
            return Ok(None);
        };
        let customer = tx.customer(rows.attempt.customer_id).await?;
        self.give_up_unsent(&mut tx, &rows).await?;
        let others = tx.charges_of(rows.invoice.id).await?;
        let mut work = ChargeWork {
            verb: Verb::Charge,
            source: rows.attempt.source,
            attempt_no: next_attempt_no(&others)?,
            invoice: rows.invoice,
            subscription: rows.subscription,
            customer,
            method,
        };
        let made = self
            .insert_charge(&mut tx, actor, &mut work, Start::Ready, REASON)
            .await?;
        tx.commit().await?;
        Ok(Some(made.id))
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

/// Whether it is as it was settled a moment ago, never prepared, and still wanted.
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
    let subscription = rows.subscription.as_ref();
    is_untouched && is_owed && subscription.is_none_or(|(s, _)| !s.state.is_ended())
}
