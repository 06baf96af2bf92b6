//! Money was taken: invoice, payment, ledger, subscription.

use chrono::{DateTime, Utc};

use crate::domain::attempt::{AlsoCancel, AttemptKind};
use crate::domain::billing::{cancel_reason, refund_tag};
use crate::domain::dunning::DunningState;
use crate::domain::evidence::PaymentSeen;
use crate::domain::ids::Noun;
use crate::domain::invoice::InvoiceKind;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::period::day_start;
use crate::domain::run::Decision;
use crate::domain::states::{AttemptState, InvoiceState, SubscriptionState};
use crate::domain::subscription::{Change, ChangeCause, Subscription, Term};

use super::super::Engine;
use super::super::after_payment::state_after_payment;
use super::super::audit::Actor;
use super::super::ports::{
    Account, NewAttempt, NewPayment, NewRefund, Posting, RefundRequest, Store, StoreError, Tx,
};
use super::super::refusal::VerbError;
use super::{Rows, Settled, fence_of, settled};

impl<S: Store> Engine<S> {
    pub(super) async fn write_charged<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        seen: &PaymentSeen,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let others = tx.charges_of(rows.invoice.id).await?;
        let is_rivalled = others
            .iter()
            .any(|a| a.id != rows.attempt.id && a.state.holds_charge_slot());
        let is_duplicate = rows.invoice.state == InvoiceState::Paid || is_rivalled;
        let is_unwanted = is_duplicate
            || rows.invoice.state == InvoiceState::Void
            || rows
                .subscription
                .as_ref()
                .is_some_and(|(s, _)| s.state.is_ended());
        let was_settled = !rows.attempt.state.is_open();
        let fence = fence_of(&rows.attempt);
        rows.attempt.state = if is_duplicate {
            AttemptState::Duplicate
        } else {
            AttemptState::Succeeded
        };
        rows.attempt.provider_ref = Some(seen.provider_ref.clone());
        rows.attempt.settled_at = Some(self.now());
        rows.attempt.next_check_at = None;
        rows.attempt.lease_until = Some(rows.now);
        rows.attempt.needs_human = is_unwanted;
        tx.save_attempt(&rows.attempt, fence).await?;

        let captured_at = seen.approved_at.unwrap_or_else(|| self.now());
        let payment = self
            .insert_captured(tx, &rows, seen, captured_at, is_duplicate)
            .await?;
        if !is_duplicate
            && matches!(
                rows.invoice.state,
                InvoiceState::Open | InvoiceState::Uncollectible
            )
        {
            self.pay_invoice(tx, &mut rows, captured_at).await?;
        }
        if is_unwanted {
            self.prepare_return(tx, &rows, &payment).await?;
            self.page(
                tx,
                &rows,
                if is_duplicate {
                    "duplicate"
                } else {
                    "charged_after_end"
                },
            )
            .await?;
        } else if was_settled {
            self.page(tx, &rows, "late_success").await?;
        }
        tx.decide_run_items(rows.attempt.id, Decision::Done, self.now())
            .await?;
        let payload = format!("{{\"payment\":\"{}\"}}", payment.public_id);
        tx.queue_notice(
            "payment_succeeded",
            payment.public_id.as_str(),
            &payload,
            self.now(),
        )
        .await?;
        rows.payment = Some(payment);
        self.audit_settle(tx, &rows, actor, "done", &seen.provider_ref)
            .await?;
        Ok(settled(&rows, None))
    }

    /// The payment, its ledger entries and what of it has gone back already.
    async fn insert_captured<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
        seen: &PaymentSeen,
        captured_at: DateTime<Utc>,
        is_duplicate: bool,
    ) -> Result<Payment, VerbError> {
        let public_id = self.parts.ids.public_id(Noun::Payment);
        let captured_on = self.local_date(captured_at);
        let attempt = &rows.attempt;
        let new = NewPayment {
            public_id: &public_id,
            invoice_id: rows.invoice.id,
            attempt_id: attempt.id,
            customer_id: attempt.customer_id,
            subscription_id: attempt.subscription_id,
            plan_id: rows.subscription.as_ref().map(|(_, term)| term.plan_id),
            method_id: attempt.method_id,
            provider: attempt.provider,
            mode: attempt.mode,
            provider_ref: &seen.provider_ref,
            order_id: &attempt.order_id,
            captured: seen.total,
            captured_at,
            captured_on,
            is_duplicate,
            card_use: seen.card_use,
        };
        let id = tx.insert_payment(&new).await?;
        let credit = if is_duplicate {
            Account::Suspense
        } else {
            Account::Revenue
        };
        let posting = Posting {
            payment_id: id,
            attempt_id: attempt.id,
            debit: Account::Provider,
            credit,
            amount: seen.total,
            at: captured_at,
        };
        tx.post(&posting).await?;
        tx.mark_day(captured_on).await?;
        let mut payment = new.stored(id);
        for cancel in seen.cancels.iter().filter(|c| c.is_done) {
            let amount = Money::new(cancel.amount_minor, seen.total.currency());
            let on = self.local_date(cancel.at);
            self.book_refund(
                tx,
                &mut payment,
                &NewRefund {
                    public_id: &self.parts.ids.public_id(Noun::Refund),
                    payment_id: id,
                    attempt_id: None,
                    amount,
                    reason: &cancel.reason,
                    transaction_key: &cancel.transaction_key,
                    refunded_at: cancel.at,
                    refunded_on: on,
                    operator: "provider",
                },
                attempt.id,
            )
            .await?;
            self.look_back_at_charge(tx, &payment, cancel.at).await?;
        }
        Ok(payment)
    }

    /// Keeps a refund that was executed, once, and moves the balances.
    pub(in super::super) async fn book_refund<T: Tx>(
        &self,
        tx: &mut T,
        payment: &mut Payment,
        refund: &NewRefund<'_>,
        attempt: crate::domain::ids::AttemptId,
    ) -> Result<bool, StoreError> {
        if !tx.insert_refund(refund).await? {
            return Ok(false);
        }
        payment.refunded_minor = payment.refunded_minor.saturating_add(refund.amount.minor());
        // What a refund of ours that is still open was to take is not all there any more: it reserves what is left, and
        // its provider has no more to give either.
        let left = payment.captured.minor() - payment.refunded_minor;
        payment.reserved_minor = payment.reserved_minor.min(left.max(0));
        tx.save_payment(payment).await?;
        payment.version += 1;
        let debit = if payment.is_duplicate {
            Account::Suspense
        } else {
            Account::Refunds
        };
        tx.post(&Posting {
            payment_id: payment.id,
            attempt_id: attempt,
            debit,
            credit: Account::Provider,
            amount: refund.amount,
            at: refund.refunded_at,
        })
        .await?;
        tx.mark_day(refund.refunded_on).await?;
        Ok(true)
    }

    async fn pay_invoice<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        captured_at: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        let invoice = &mut rows.invoice;
        invoice.state = InvoiceState::Paid;
        invoice.paid_at = Some(captured_at);
        invoice.dunning = DunningState::Idle;
        invoice.next_attempt_at = None;
        tx.save_invoice(invoice).await?;
        invoice.version += 1;
        let period_to = invoice.period_to;
        let is_renewal = invoice.kind == InvoiceKind::Renewal;
        if let Some((subscription, term)) = &mut rows.subscription
            && !subscription.state.is_ended()
        {
            let ends = day_start(period_to, term.anchor.zone);
            if is_renewal {
                subscription.paid_until = Some(
                    subscription
                        .paid_until
                        .map_or(ends, |until| until.max(ends)),
                );
            }
            self.activate(tx, subscription, term).await?;
        }
        Ok(())
    }

    /// The subscription's state after a payment, with its row of history.
    pub(in super::super) async fn activate<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &mut Subscription,
        term: &Term,
    ) -> Result<(), VerbError> {
        let from = subscription.state;
        let to = state_after_payment(from);
        subscription.first_failed_at = None;
        subscription.state = to;
        if from == SubscriptionState::Unpaid {
            self.resume_billing(tx, subscription, term).await?;
        }
        tx.save_subscription(subscription).await?;
        subscription.version += 1;
        if from != to {
            let cause = match from {
                SubscriptionState::Incomplete | SubscriptionState::Trialing => {
                    ChangeCause::Activated
                }
                SubscriptionState::PastDue | SubscriptionState::Unpaid => ChangeCause::Recovered,
                SubscriptionState::Active
                | SubscriptionState::Paused
                | SubscriptionState::Canceled
                | SubscriptionState::Expired => ChangeCause::Resumed,
            };
            self.write_change(tx, subscription, term, Some(from), cause, "system")
                .await?;
        }
        Ok(())
    }

    /// A row of history for the state the subscription has now.
    pub(in super::super) async fn write_change<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &Subscription,
        term: &Term,
        from: Option<SubscriptionState>,
        cause: ChangeCause,
        requested_by: &str,
    ) -> Result<(), StoreError> {
        let now = self.now();
        tx.insert_change(&Change {
            subscription_id: subscription.id,
            at: now,
            from,
            to: subscription.state,
            plan_id: term.plan_id,
            price: term.price,
            quantity: term.quantity,
            discount_minor: 0,
            cause,
            requested_by: requested_by.to_owned(),
            requested_at: subscription.cancel_requested_at.unwrap_or(now),
        })
        .await
    }

    /// Prepares the return of money that nobody wanted: reserved, written down, waiting for a
    /// person's approval. It is never sent silently.
    async fn prepare_return<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
        payment: &Payment,
    ) -> Result<(), VerbError> {
        let mut payment = payment.clone();
        let Ok(amount) = payment.refundable() else {
            return Ok(());
        };
        if !amount.is_positive() {
            return Ok(());
        }
        let provider = self.provider(payment.provider)?;
        let public_id = self.parts.ids.public_id(Noun::Attempt);
        let tag = refund_tag(&public_id);
        let reason = "charged without need";
        let balance = payment.captured.minor() - payment.refunded_minor;
        let body = provider.refund_body(&RefundRequest {
            reason: &cancel_reason(reason, &tag),
            amount,
            expected_balance_minor: balance,
        });
        let key = self.parts.install.idempotency_key(
            payment.provider,
            payment.mode,
            AttemptKind::Refund,
            &public_id,
            1,
        );
        tx.insert_attempt(&NewAttempt {
            public_id: &public_id,
            kind: AttemptKind::Refund,
            invoice_id: rows.invoice.id,
            payment_id: Some(payment.id),
            customer_id: payment.customer_id,
            subscription_id: payment.subscription_id,
            attempt_no: 1,
            source: rows.attempt.source,
            provider: payment.provider,
            mode: payment.mode,
            method_id: None,
            order_id: &tag,
            idem_key: &key,
            provider_ref: Some(&payment.provider_ref),
            body: &body,
            amount,
            expected_balance_minor: Some(balance),
            also_cancel: AlsoCancel::No,
            state: AttemptState::WaitingApproval,
            send_after: None,
            lease: None,
            operator: "system",
            reason,
            at: rows.now,
        })
        .await?;
        payment.reserved_minor += amount.minor();
        tx.save_payment(&payment).await?;
        Ok(())
    }
}
