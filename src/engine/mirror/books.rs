//! The invoices of a mirrored subscription, and what Stripe's charges and refunds did, in the same books as ours.
//!
//! A charge that the provider made is an attempt without a request: it is written as sent and settled in one commit, with
//! its evidence, under the provider's own name, which is unique. Writing it twice is writing it once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use crate::domain::evidence::EvidenceSource;
use crate::domain::ids::{AttemptId, InvoiceId, Noun};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mode::ProviderName;
use crate::domain::payment::Payment;
use crate::domain::period::local_date;
use crate::domain::states::{AttemptState, InvoiceState};
use crate::domain::subscription::{Subscription, Term};

use super::super::Engine;
use super::super::charge::next_attempt_no;
use super::super::ports::{
    Account, ChargeSeen, Fence, InvoiceSeen, Lease, NewAttempt, NewEvidence, NewInvoice,
    NewPayment, NewRefund, Posting, Store, SubscriptionSeen, Tx,
};
use super::super::refusal::VerbError;

impl<S: Store> Engine<S> {
    /// Writes every invoice that is final. Gives when the first try of what is still owed failed.
    pub(super) async fn write_invoices<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &mut Subscription,
        term: &Term,
        seen: &SubscriptionSeen,
    ) -> Result<Option<DateTime<Utc>>, VerbError> {
        let known = tx.mirrored_invoices(subscription.id).await?;
        let known: BTreeMap<String, InvoiceId> =
            known.into_iter().map(|(id, name)| (name, id)).collect();
        let mut first_failed_at: Option<DateTime<Utc>> = None;
        for invoice in &seen.invoices {
            let id = match known.get(&invoice.id) {
                Some(id) => *id,
                // The amount of a draft may still change.
                None if invoice.state == InvoiceState::Draft => continue,
                None => self.insert_as_seen(tx, subscription, term, invoice).await?,
            };
            let row = tx.lock_invoice(id).await?;
            let attempts = self.write_charges(tx, &row, term, invoice).await?;
            let row = as_seen(tx, row, invoice).await?;
            if row.state == InvoiceState::Open && !attempts.is_empty() {
                first_failed_at = match (first_failed_at, row.first_failed_at) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        Ok(first_failed_at)
    }

    async fn insert_as_seen<T: Tx>(
        &self,
        tx: &mut T,
        subscription: &mut Subscription,
        term: &Term,
        invoice: &InvoiceSeen,
    ) -> Result<InvoiceId, VerbError> {
        let plan = tx.plan(term.plan_id).await?;
        let from = local_date(invoice.period_from, term.anchor.zone);
        let to = term.anchor.interval.date_after(from, 1);
        let to = to.map_err(|e| VerbError::Range(e.to_string()))?;
        let public_id = self.parts.ids.public_id(Noun::Invoice);
        let new = NewInvoice {
            public_id: &public_id,
            customer_id: subscription.customer_id,
            subscription_id: Some(subscription.id),
            term_no: term.term_no,
            period_index: subscription.next_period,
            kind: if invoice.is_renewal {
                InvoiceKind::Renewal
            } else {
                InvoiceKind::Proration
            },
            state: InvoiceState::Open,
            amount: invoice.due,
            description: &plan.name,
            due_at: invoice.created,
            period_from: from,
            period_to: to,
            at: invoice.created,
        };
        subscription.next_period = subscription.next_period.saturating_add(1);
        Ok(tx.insert_mirrored_invoice(&new, &invoice.id).await?)
    }

    /// Every try that is not in our books yet, and what of it went back.
    async fn write_charges<T: Tx>(
        &self,
        tx: &mut T,
        row: &Invoice,
        term: &Term,
        invoice: &InvoiceSeen,
    ) -> Result<Vec<Attempt>, VerbError> {
        let mut attempts = tx.charges_of(row.id).await?;
        for charge in &invoice.charges {
            let is_known = attempts.iter().any(|one| one.order_id == charge.id);
            let is_taken = attempts.iter().any(|one| one.state.holds_charge_slot());
            if !is_known && is_taken && charge.refusal.is_none() {
                // The provider says that one invoice took money twice: nothing moves here by itself.
                let payload = format!("{{\"invoice\":\"{}\"}}", row.public_id);
                tx.queue_notice("mirror_contradiction", &charge.id, &payload, self.now())
                    .await?;
            } else if !is_known && !is_taken {
                let attempt = self
                    .insert_as_tried(tx, row, term, charge, &attempts)
                    .await?;
                attempts.push(attempt);
            }
        }
        for payment in tx.payments_of(row.id).await? {
            let of_it = |one: &&ChargeSeen| one.payment == payment.provider_ref;
            for charge in invoice.charges.iter().filter(of_it) {
                self.write_refunds(tx, payment.clone(), charge).await?;
            }
        }
        Ok(attempts)
    }

    /// One try of the provider's: sent and settled in one commit. Its request was never ours and is empty.
    async fn insert_as_tried<T: Tx>(
        &self,
        tx: &mut T,
        row: &Invoice,
        term: &Term,
        charge: &ChargeSeen,
        before: &[Attempt],
    ) -> Result<Attempt, VerbError> {
        let now = tx.db_now().await?;
        let public_id = self.parts.ids.public_id(Noun::Attempt);
        let idem_key = format!("mirror:{}", charge.id);
        let attempt_no = next_attempt_no(before)?;
        let new = NewAttempt {
            public_id: &public_id,
            kind: AttemptKind::Charge,
            invoice_id: row.id,
            payment_id: None,
            customer_id: row.customer_id,
            subscription_id: row.subscription_id,
            attempt_no,
            source: match (row.period_index, attempt_no) {
                (0, 1) => Source::First,
                (_, 1) => Source::Run,
                _ => Source::Dunning,
            },
            provider: ProviderName::Stripe,
            mode: self.parts.settings.mode,
            method_id: None,
            order_id: &charge.id,
            idem_key: &idem_key,
            provider_ref: Some(&charge.payment),
            body: b"",
            amount: charge.amount,
            expected_balance_minor: None,
            also_cancel: AlsoCancel::No,
            state: AttemptState::Sent,
            send_after: None,
            lease: Some(Lease {
                owner: &self.parts.process,
                until: now,
            }),
            operator: "stripe",
            reason: "",
            at: charge.at,
        };
        let id = tx.insert_attempt(&new).await?;
        let mut attempt = new.stored(id);
        tx.insert_evidence(&evidence_of(id, charge, now)).await?;
        let fence = Fence {
            state: attempt.state,
            epoch: Some(attempt.lease_epoch),
        };
        attempt.state = match charge.refusal {
            Some(_) => AttemptState::Declined,
            None => AttemptState::Succeeded,
        };
        attempt.refusal.clone_from(&charge.refusal);
        attempt.settled_at = Some(charge.at);
        tx.save_attempt(&attempt, fence).await?;
        if charge.refusal.is_none() {
            self.insert_paid(tx, &attempt, term, charge).await?;
        }
        Ok(attempt)
    }

    async fn insert_paid<T: Tx>(
        &self,
        tx: &mut T,
        attempt: &Attempt,
        term: &Term,
        charge: &ChargeSeen,
    ) -> Result<(), VerbError> {
        let captured_on = self.local_date(charge.at);
        let id = tx
            .insert_payment(&NewPayment {
                public_id: &self.parts.ids.public_id(Noun::Payment),
                invoice_id: attempt.invoice_id,
                attempt_id: attempt.id,
                customer_id: attempt.customer_id,
                subscription_id: attempt.subscription_id,
                plan_id: Some(term.plan_id),
                method_id: None,
                provider: attempt.provider,
                mode: attempt.mode,
                provider_ref: &charge.payment,
                order_id: &charge.id,
                captured: charge.amount,
                captured_at: charge.at,
                captured_on,
                is_duplicate: false,
            })
            .await?;
        tx.post(&Posting {
            payment_id: id,
            attempt_id: attempt.id,
            debit: Account::Provider,
            credit: Account::Revenue,
            amount: charge.amount,
            at: charge.at,
        })
        .await?;
        Ok(tx.mark_day(captured_on).await?)
    }

    /// Refunds that were made outside. One of ours that is under way is left to whoever sent it.
    async fn write_refunds<T: Tx>(
        &self,
        tx: &mut T,
        mut payment: Payment,
        charge: &ChargeSeen,
    ) -> Result<(), VerbError> {
        if charge.refunds.is_empty() {
            return Ok(());
        }
        let ours = tx.refunds_of(payment.id).await?;
        for refund in &charge.refunds {
            let is_under_way = ours.iter().any(|one| {
                one.state.is_open() && refund.reason.contains(&format!("[{}]", one.order_id))
            });
            if is_under_way {
                continue;
            }
            let new = NewRefund {
                public_id: &self.parts.ids.public_id(Noun::Refund),
                payment_id: payment.id,
                attempt_id: None,
                amount: refund.amount,
                reason: &refund.reason,
                transaction_key: &refund.id,
                refunded_at: refund.at,
                refunded_on: self.local_date(refund.at),
                operator: "provider",
            };
            let attempt = payment.attempt_id;
            self.book_refund(tx, &mut payment, &new, attempt).await?;
        }
        Ok(())
    }
}

/// What the provider shows of one try.
fn evidence_of(attempt_id: AttemptId, charge: &ChargeSeen, now: DateTime<Utc>) -> NewEvidence<'_> {
    NewEvidence {
        attempt_id,
        source: EvidenceSource::LookUp,
        outcome: if charge.refusal.is_some() {
            "failed"
        } else {
            "captured"
        },
        http_status: None,
        code: charge.refusal.as_ref().map(|refusal| refusal.code.as_str()),
        reference: Some(&charge.id),
        amount: Some(charge.amount),
        trace_id: None,
        body_sha256: None,
        elapsed_ms: 0,
        at: now,
    }
}

/// The row as it was read there.
async fn as_seen<T: Tx>(
    tx: &mut T,
    row: Invoice,
    invoice: &InvoiceSeen,
) -> Result<Invoice, VerbError> {
    let refused = || {
        let all = invoice.charges.iter();
        all.filter_map(|charge| charge.refusal.as_ref().map(|refusal| (charge.at, refusal)))
    };
    let last = refused().next_back();
    let next = Invoice {
        state: invoice.state,
        attempts: u32::try_from(invoice.charges.len()).unwrap_or(u32::MAX),
        first_failed_at: refused().next().map(|(at, _)| at),
        last_code: last.map(|(_, refusal)| refusal.code.clone()),
        last_class: last.map(|(_, refusal)| refusal.class),
        next_attempt_at: invoice
            .next_attempt
            .filter(|_| invoice.state == InvoiceState::Open),
        paid_at: invoice
            .paid_at
            .filter(|_| invoice.state == InvoiceState::Paid),
        ..row.clone()
    };
    if next != row {
        tx.save_invoice(&next).await?;
    }
    Ok(next)
}
