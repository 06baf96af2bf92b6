//! The provider proved that no money moved: dunning, subscription, reservations.

use crate::domain::attempt::{AttemptKind, Source};
use crate::domain::dunning::{DunningBefore, DunningState, DunningStep, EndAction};
use crate::domain::evidence::Refusal;
use crate::domain::failure::FailureClass;
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InvoiceState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Subscription, Term};

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{Store, Tx};
use super::super::refusal::VerbError;
use super::{Rows, Settled, fence_of, settled};

/// What becomes of an invoice whose charge took nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum AfterFailure {
    /// It is paid.
    Nothing,
    /// Its subscription has ended: nobody owes it any more.
    Voided,
    /// It stays owed, without a schedule.
    Owed,
    /// What the schedule says.
    Dunned(DunningStep),
}

impl<S: Store> Engine<S> {
    pub(super) async fn write_declined<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        refusal: Refusal,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        let had_link = rows.attempt.had_link();
        rows.attempt.state = AttemptState::Declined;
        rows.attempt.settled_at = Some(self.now());
        rows.attempt.next_check_at = None;
        rows.attempt.lease_until = Some(rows.now);
        rows.attempt.needs_human = false;
        rows.attempt.refusal = Some(refusal.clone());
        tx.save_attempt(&rows.attempt, fence).await?;
        match rows.attempt.kind {
            AttemptKind::Charge => {
                self.fail_invoice(tx, &mut rows, &refusal.code, refusal.class)
                    .await?;
                if had_link {
                    self.charge_card_given_since(tx, &mut rows).await?;
                    self.end_incomplete(tx, &mut rows, actor, &refusal.code)
                        .await?;
                }
            }
            AttemptKind::Refund => self.save_released(tx, &mut rows).await?,
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

    /// The customer gave another card rather than answer at the link, and while that was open the card could not be charged:
    /// the next run does.
    async fn charge_card_given_since<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
    ) -> Result<(), VerbError> {
        let card = rows.subscription.as_ref().and_then(|(s, _)| s.method_id);
        let is_another = card.is_some() && card != rows.attempt.method_id;
        if is_another && rows.invoice.dunning == DunningState::AwaitingCard {
            rows.invoice.dunning = DunningState::Scheduled;
            rows.invoice.next_attempt_at = Some(self.now());
            tx.save_invoice(&rows.invoice).await?;
            rows.invoice.version += 1;
        }
        Ok(())
    }

    /// The customer did not confirm the first charge: their subscription never begins.
    async fn end_incomplete<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        actor: Actor<'_>,
        code: &str,
    ) -> Result<(), VerbError> {
        match &mut rows.subscription {
            Some((subscription, term)) if subscription.state == SubscriptionState::Incomplete => {
                let to = SubscriptionState::Expired;
                self.end_as(
                    tx,
                    actor,
                    subscription,
                    term,
                    to,
                    ChangeCause::Expired,
                    code,
                )
                .await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A refund that took nothing has given its reservation back.
    pub(in super::super) async fn save_released<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
    ) -> Result<(), VerbError> {
        if let Some(payment) = &mut rows.payment {
            tx.save_payment(payment).await?;
            payment.version += 1;
        }
        Ok(())
    }

    /// What a charge that took nothing changes on its invoice: a pure reading, for plans too.
    pub(in super::super) fn after_failure(
        &self,
        subscription: Option<&Subscription>,
        invoice: &Invoice,
        source: Source,
        class: FailureClass,
    ) -> AfterFailure {
        if invoice.state == InvoiceState::Paid {
            return AfterFailure::Nothing;
        }
        let is_open = invoice.state == InvoiceState::Open;
        let is_dunned = invoice.kind != InvoiceKind::OneTime
            && is_open
            && subscription.is_some_and(|s| is_dunned(s.state));
        if !is_dunned {
            let is_over = is_open && subscription.is_some_and(|s| s.state.is_ended());
            return if is_over {
                AfterFailure::Voided
            } else {
                AfterFailure::Owed
            };
        }
        let before = DunningBefore {
            state: invoice.dunning,
            next_attempt_at: invoice.next_attempt_at,
            used: invoice.dunning_used,
            first_failed_at: invoice.first_failed_at,
        };
        let policy = &self.parts.settings.dunning;
        AfterFailure::Dunned(policy.after_failure(before, source, class, self.now()))
    }

    /// The tail that every charge has which took nothing: a decline, and one declared not executed.
    pub(in super::super) async fn fail_invoice<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        code: &str,
        class: FailureClass,
    ) -> Result<(), VerbError> {
        let now = self.now();
        let source = rows.attempt.source;
        let subscription = rows.subscription.as_ref().map(|(s, _)| s);
        let after = self.after_failure(subscription, &rows.invoice, source, class);
        let invoice = &mut rows.invoice;
        let step = match after {
            AfterFailure::Nothing => return Ok(()),
            AfterFailure::Voided | AfterFailure::Owed => None,
            AfterFailure::Dunned(step) => Some(step),
        };
        invoice.last_code = Some(code.to_owned());
        invoice.last_class = Some(class);
        let Some(step) = step else {
            invoice.first_failed_at = invoice.first_failed_at.or(Some(now));
            if after == AfterFailure::Voided {
                invoice.state = InvoiceState::Void;
            }
            tx.save_invoice(invoice).await?;
            invoice.version += 1;
            return Ok(());
        };
        // What has no further try is listed as failed, so that it is somebody's.
        let is_failed = step.makes_past_due || step.next_attempt_at.is_none();
        invoice.first_failed_at = invoice.first_failed_at.or(is_failed.then_some(now));
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
pub(in crate::engine) fn code_only(code: &str) -> String {
    code.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(64)
        .collect()
}
