//! The provider proved that no money moved: dunning, subscription, reservations.

use crate::domain::attempt::{AttemptKind, Source};
use crate::domain::dunning::{DunningBefore, DunningState, EndAction};
use crate::domain::evidence::Refusal;
use crate::domain::failure::FailureClass;
use crate::domain::invoice::InvoiceKind;
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InvoiceState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Subscription, Term};

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{Store, Tx};
use super::super::refusal::VerbError;
use super::{Rows, Settled, fence_of, settled};

impl<S: Store> Engine<S> {
    pub(super) async fn write_declined<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        refusal: Refusal,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        rows.attempt.state = AttemptState::Declined;
        rows.attempt.settled_at = Some(self.now());
        rows.attempt.next_check_at = None;
        rows.attempt.lease_until = Some(rows.now);
        rows.attempt.needs_human = false;
        rows.attempt.refusal = Some(refusal.clone());
        tx.save_attempt(&rows.attempt, fence).await?;
        match rows.attempt.kind {
            AttemptKind::Charge => self.fail_invoice(tx, &mut rows, &refusal).await?,
            AttemptKind::Refund => self.release(tx, &mut rows).await?,
        }
        tx.decide_run_items(rows.attempt.id, Decision::Declined, self.now())
            .await?;
        tx.mark_day(self.local_date(self.now())).await?;
        let payload = format!(
            "{{\"attempt\":\"{}\",\"code\":\"{}\"}}",
            rows.attempt.public_id,
            code_only(&refusal.code)
        );
        let kind = match rows.attempt.kind {
            AttemptKind::Charge => "payment_failed",
            AttemptKind::Refund => "refund_failed",
        };
        tx.queue_notice(kind, rows.attempt.public_id.as_str(), &payload, self.now())
            .await?;
        if refusal.class == FailureClass::Config {
            self.page(tx, &rows, "request_refused").await?;
        }
        self.audit_settle(tx, &rows, actor, "declined", "").await?;
        Ok(settled(&rows, None))
    }

    /// A refund that was refused gives its reservation back.
    async fn release<T: Tx>(&self, tx: &mut T, rows: &mut Rows) -> Result<(), VerbError> {
        if let Some(payment) = &mut rows.payment {
            payment.reserved_minor = (payment.reserved_minor - rows.attempt.amount.minor()).max(0);
            tx.save_payment(payment).await?;
            payment.version += 1;
        }
        Ok(())
    }

    async fn fail_invoice<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        refusal: &Refusal,
    ) -> Result<(), VerbError> {
        let now = self.now();
        let invoice = &mut rows.invoice;
        if invoice.state == InvoiceState::Paid {
            return Ok(());
        }
        invoice.last_code = Some(refusal.code.clone());
        invoice.last_class = Some(refusal.class);
        let is_dunned = invoice.kind != InvoiceKind::OneTime
            && invoice.state == InvoiceState::Open
            && rows
                .subscription
                .as_ref()
                .is_some_and(|(s, _)| is_dunned(s.state));
        if !is_dunned {
            invoice.first_failed_at = invoice.first_failed_at.or(Some(now));
            if rows
                .subscription
                .as_ref()
                .is_some_and(|(s, _)| s.state.is_ended())
                && invoice.state == InvoiceState::Open
            {
                invoice.state = InvoiceState::Void;
            }
            tx.save_invoice(invoice).await?;
            invoice.version += 1;
            return Ok(());
        }
        let before = DunningBefore {
            state: invoice.dunning,
            next_attempt_at: invoice.next_attempt_at,
            used: invoice.dunning_used,
            first_failed_at: invoice.first_failed_at,
        };
        let source = rows.attempt.source;
        let step = self
            .parts
            .settings
            .dunning
            .after_failure(before, source, refusal.class, now);
        invoice.first_failed_at = invoice
            .first_failed_at
            .or(step.makes_past_due.then_some(now));
        invoice.dunning = step.state;
        invoice.next_attempt_at = step.next_attempt_at;
        invoice.dunning_used = step.used;
        let is_over = step.state == DunningState::Exhausted && source == Source::Dunning;
        if is_over {
            invoice.state = InvoiceState::Uncollectible;
        }
        tx.save_invoice(invoice).await?;
        invoice.version += 1;
        if let Some((subscription, term)) = &mut rows.subscription {
            if is_over {
                self.end_dunning(tx, subscription, term).await?;
            } else if step.makes_past_due {
                self.make_past_due(tx, subscription, term).await?;
            }
        }
        Ok(())
    }

    /// A billed subscription with a declined renewal is past due.
    pub(in super::super) async fn make_past_due<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &mut Subscription,
        term: &Term,
    ) -> Result<(), VerbError> {
        let from = subscription.state;
        subscription.first_failed_at = subscription.first_failed_at.or(Some(self.now()));
        let moves = from.can_move_to(SubscriptionState::PastDue);
        if moves {
            subscription.state = SubscriptionState::PastDue;
        }
        tx.save_subscription(subscription).await?;
        subscription.version += 1;
        if moves {
            self.write_change(
                tx,
                subscription,
                term,
                Some(from),
                ChangeCause::PaymentFailed,
                "system",
            )
            .await?;
        }
        Ok(())
    }

    /// All attempts are used up: what the policy says.
    async fn end_dunning<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &mut Subscription,
        term: &Term,
    ) -> Result<(), VerbError> {
        let from = subscription.state;
        let to = match self.parts.settings.dunning.end_action {
            EndAction::Unpaid => SubscriptionState::Unpaid,
            EndAction::Cancel => SubscriptionState::Canceled,
            EndAction::Pause => SubscriptionState::Paused,
        };
        if !from.can_move_to(to) {
            return Ok(());
        }
        subscription.state = to;
        subscription.next_due_at = None;
        if to == SubscriptionState::Canceled {
            subscription.ended_at = Some(self.now());
        }
        tx.save_subscription(subscription).await?;
        subscription.version += 1;
        self.write_change(
            tx,
            subscription,
            term,
            Some(from),
            ChangeCause::DunningExhausted,
            "dunning",
        )
        .await?;
        let payload = format!("{{\"subscription\":\"{}\"}}", subscription.public_id);
        let key = format!("{}:{}", subscription.public_id, subscription.version);
        tx.queue_notice("dunning_ended", &key, &payload, self.now())
            .await?;
        Ok(())
    }
}

const fn is_dunned(state: SubscriptionState) -> bool {
    matches!(
        state,
        SubscriptionState::Active | SubscriptionState::PastDue | SubscriptionState::Trialing
    )
}

/// A provider's code as it may stand in a JSON text.
fn code_only(code: &str) -> String {
    code.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(64)
        .collect()
}
