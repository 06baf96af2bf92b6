//! Money went back: payment, ledger, and what else was chosen with the refund.

use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind};
use crate::domain::evidence::{CancelSeen, Evidence};
use crate::domain::ids::Noun;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::states::AttemptState;

use super::super::Engine;
use super::super::audit::{Actor, Press};
use super::super::ports::{NewRefund, Store, Tx};
use super::super::refusal::VerbError;
use super::{Rows, Settled, fence_of, settled};

impl<S: Store> Engine<S> {
    pub(super) async fn write_refunded<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        cancel: &CancelSeen,
        evidence: &Evidence,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        let held_reservation = rows.attempt.state.is_open();
        rows.attempt.state = AttemptState::Succeeded;
        rows.attempt.settled_at = Some(self.now());
        rows.attempt.next_check_at = self.next_look_back(&rows.attempt, rows.now);
        rows.attempt.lease_until = Some(rows.now);
        rows.attempt.needs_human = false;
        tx.save_attempt(&rows.attempt, fence).await?;
        if let Some(mut payment) = rows.payment.take() {
            if held_reservation {
                payment.reserved_minor =
                    (payment.reserved_minor - rows.attempt.amount.minor()).max(0);
            }
            let refund = NewRefund {
                public_id: &self.parts.ids.public_id(Noun::Refund),
                payment_id: payment.id,
                attempt_id: Some(rows.attempt.id),
                amount: rows.attempt.amount,
                reason: &rows.attempt.reason,
                transaction_key: &cancel.transaction_key,
                refunded_at: cancel.at,
                refunded_on: self.local_date(cancel.at),
                operator: &rows.attempt.operator,
            };
            if !self
                .book_refund(tx, &mut payment, &refund, rows.attempt.id)
                .await?
            {
                tx.save_payment(&payment).await?;
                payment.version += 1;
            }
            self.failed_refunds_are_seen_to(tx, &payment).await?;
            rows.payment = Some(payment);
        }
        self.follow_outside_refunds(tx, &mut rows, evidence, actor)
            .await?;
        self.call_nobody_more(tx, &rows).await?;
        if !held_reservation {
            // It had been called declined or not executed, and what was confirmed since was confirmed on other books.
            self.give_up_another(tx, &mut rows, actor).await?;
            self.page(tx, &rows, "late_success").await?;
        }
        if let Some((subscription, term)) = &mut rows.subscription {
            let reason = rows.attempt.reason.clone();
            match rows.attempt.also_cancel {
                AlsoCancel::No => {}
                AlsoCancel::Now => self.end_now(tx, actor, subscription, term, &reason).await?,
                AlsoCancel::AtPeriodEnd => {
                    self.schedule_end(tx, actor, subscription, &reason).await?;
                }
            }
        }
        let payload = format!("{{\"attempt\":\"{}\"}}", rows.attempt.public_id);
        tx.queue_notice(
            "refunded",
            rows.attempt.public_id.as_str(),
            &payload,
            self.now(),
        )
        .await?;
        self.audit_settle(tx, &rows, actor, "done", &cancel.transaction_key)
            .await?;
        Ok(settled(&rows, None))
    }

    /// All of it has gone back: nobody is called any more about the charge that nobody wanted.
    pub(super) async fn call_nobody_more<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
    ) -> Result<(), VerbError> {
        match rows.payment.as_ref() {
            Some(payment) if payment.refunded_minor >= payment.captured.minor() => {
                self.call_nobody_more_about(tx, payment).await
            }
            _ => Ok(()),
        }
    }

    /// The same for whoever has seen that all of it has gone back.
    pub(in super::super) async fn call_nobody_more_about<T: Tx>(
        &self,
        tx: &mut T,
        payment: &Payment,
    ) -> Result<(), VerbError> {
        let mut charge = tx.lock_attempt(payment.attempt_id).await?;
        if charge.needs_human {
            charge.needs_human = false;
            tx.save_attempt(&charge, fence_of(&charge)).await?;
        }
        Ok(())
    }

    /// Refunds on the same payment that we do not know yet were made outside: the books follow. One of ours that is under way
    /// is left to whoever sent it.
    pub(super) async fn follow_outside_refunds<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        evidence: &Evidence,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let (Evidence::Seen(seen), Some(payment)) = (evidence, &mut rows.payment) else {
            return Ok(());
        };
        let mut is_any = false;
        let ours = tx.refunds_of(payment.id).await?;
        let is_under_way = |cancel: &CancelSeen| {
            let is_it = |one: &&Attempt| cancel.reason.contains(&format!("[{}]", one.order_id));
            ours.iter().filter(is_it).any(|one| one.state.is_open())
        };
        let done = seen.cancels.iter().filter(|cancel| cancel.is_done);
        for cancel in done.filter(|cancel| !is_under_way(cancel)) {
            let refund = NewRefund {
                public_id: &self.parts.ids.public_id(Noun::Refund),
                payment_id: payment.id,
                attempt_id: None,
                amount: Money::new(cancel.amount_minor, payment.captured.currency()),
                reason: &cancel.reason,
                transaction_key: &cancel.transaction_key,
                refunded_at: cancel.at,
                refunded_on: self.local_date(cancel.at),
                operator: "provider",
            };
            let is_new = self
                .book_refund(tx, payment, &refund, rows.attempt.id)
                .await?;
            if is_new && rows.attempt.id != payment.attempt_id {
                self.look_back_at_charge(tx, payment, cancel.at).await?;
            }
            is_any |= is_new;
        }
        if is_any {
            self.failed_refunds_are_seen_to(tx, payment).await?;
            self.give_up_another(tx, rows, actor).await?;
        }
        Ok(())
    }

    /// Another refund of the payment that has not left yet was confirmed while less had gone back. It is given up, and who
    /// confirmed it is told; what is on its way already, the provider decides.
    async fn give_up_another<T: Tx>(
        &self,
        tx: &mut T,
        rows: &mut Rows,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        let Some(payment) = &mut rows.payment else {
            return Ok(());
        };
        let refunds = tx.refunds_of(payment.id).await?;
        let is_unsent =
            |other: &&Attempt| other.state == AttemptState::Ready && other.id != rows.attempt.id;
        let Some(other) = refunds.iter().find(is_unsent) else {
            return Ok(());
        };
        let mut other = tx.lock_attempt(other.id).await?;
        if other.state != AttemptState::Ready {
            return Ok(());
        }
        let fence = fence_of(&other);
        other.state = AttemptState::Abandoned;
        other.settled_at = Some(self.now());
        other.next_check_at = None;
        other.lease_until = Some(rows.now);
        tx.save_attempt(&other, fence).await?;
        payment.reserved_minor = (payment.reserved_minor - other.amount.minor()).max(0);
        tx.save_payment(payment).await?;
        payment.version += 1;
        self.page_attempt(tx, &other, "refund_given_up").await?;
        let press = Press {
            verb: AttemptKind::Refund.as_str(),
            target: other.public_id.as_str(),
            before: AttemptState::Ready.as_str(),
            after: other.state.as_str(),
            reason: &other.reason,
            result: "abandoned",
            ..Press::default()
        };
        self.audit_in(tx, actor, press, rows.now).await?;
        Ok(())
    }
}
