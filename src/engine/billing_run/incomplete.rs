//! Subscriptions whose first charge never succeeded. They end after a while, and not while their customer may still answer.

use chrono::Duration;

use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{ChangeCause, Subscription};

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{Store, Tx};
use super::super::refusal::VerbError;

impl<S: Store> Engine<S> {
    async fn is_being_charged<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &Subscription,
    ) -> Result<bool, VerbError> {
        for invoice in tx.unpaid_invoices_of(subscription.id).await? {
            let attempts = tx.charges_of(invoice.id).await?;
            if attempts.iter().any(|attempt| attempt.state.is_open()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Subscriptions whose first charge never succeeded end after a while.
    pub(super) async fn expire_incomplete<T: Tx>(
        &self,
        tx: &mut T,
        actor: Actor<'_>,
        limit: u32,
    ) -> Result<(), VerbError> {
        let before = self.now() - Duration::hours(i64::from(self.parts.settings.incomplete_hours));
        for mut subscription in tx.claim_stale_incomplete(before, limit).await? {
            // Its first charge is not settled: the customer may be at their bank's page. That ends first.
            if self.is_being_charged(tx, &subscription).await? {
                continue;
            }
            let term = tx.term(subscription.id, subscription.term_no).await?;
            let to = SubscriptionState::Expired;
            self.end_as(
                tx,
                actor,
                &mut subscription,
                &term,
                to,
                ChangeCause::Expired,
                "never paid",
            )
            .await?;
        }
        Ok(())
    }
}
