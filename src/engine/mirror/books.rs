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
    NewPayment, NewRefund, Posting, RefundSeen, Store, SubscriptionSeen, Tx,
};
use super::super::refusal::VerbError;
use super::super::settle::code_only;

/// What the books show of a reading.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shown {
    /// When the first try of what is still owed failed.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// Something did not fit beside what is under way here, and is to be read again soon.
    pub is_partly: bool,
}

/// Whether customers are to hear of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// It happened since the subscription is mirrored.
    News,
    /// It happened before it was taken in.
    History,
}

impl<S: Store> Engine<S> {
    /// Writes every invoice that is final.
    pub(super) async fn write_invoices<T: Tx>(
        &self,
        tx: &mut T,
        telling: Telling,
        subscription: &mut Subscription,
        term: &Term,
        seen: &SubscriptionSeen,
    ) -> Result<Shown, VerbError> {
        let known = tx.mirrored_invoices(subscription.id).await?;
        let known: BTreeMap<String, InvoiceId> =
            known.into_iter().map(|(id, name)| (name, id)).collect();
        let mut shown = Shown::default();
        for invoice in &seen.invoices {
            let id = match known.get(&invoice.id) {
                Some(id) => *id,
                // The amount of a draft may still change.
                None if invoice.state == InvoiceState::Draft => continue,
                None => self.insert_as_seen(tx, subscription, term, invoice).await?,
            };
            let row = tx.lock_invoice(id).await?;
            let attempts = self.write_charges(tx, telling, &row, term, invoice).await?;
            shown.is_partly |= !self.write_all_refunds(tx, telling, &row, invoice).await?;
            let row = as_seen(tx, row, invoice).await?;
            if row.state == InvoiceState::Open && !attempts.is_empty() {
                shown.first_failed_at = match (shown.first_failed_at, row.first_failed_at) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        Ok(shown)
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

    /// Every try that is not in our books yet. Where one invoice took money twice, the second is a payment of its own that is
    /// owed back: nothing moves here by itself, and a person is called.
    async fn write_charges<T: Tx>(
        &self,
        tx: &mut T,
        telling: Telling,
        row: &Invoice,
        term: &Term,
        invoice: &InvoiceSeen,
    ) -> Result<Vec<Attempt>, VerbError> {
        let mut attempts = tx.charges_of(row.id).await?;
        for charge in &invoice.charges {
            let is_known = attempts.iter().any(|one| one.order_id == charge.id);
            let is_taken = attempts.iter().any(|one| one.state.holds_charge_slot());
            if is_known || (is_taken && charge.refusal.is_some()) {
                continue;
            }
            let attempt = self
                .insert_as_tried(tx, row, term, charge, &attempts)
                .await?;
            if telling == Telling::News {
                self.tell_of_charge(tx, &attempt, charge, invoice).await?;
            }
            if is_taken {
                self.call_about(tx, row, "duplicate", &charge.id).await?;
            }
            if charge.refusal.is_none() && charge.amount != invoice.due {
                self.call_about(tx, row, "amount_differs", &charge.id)
                    .await?;
            }
            attempts.push(attempt);
        }
        Ok(attempts)
    }

    /// What of its payments went back. False where something does not fit yet.
    async fn write_all_refunds<T: Tx>(
        &self,
        tx: &mut T,
        telling: Telling,
        row: &Invoice,
        invoice: &InvoiceSeen,
    ) -> Result<bool, VerbError> {
        let mut fits = true;
        for payment in tx.payments_of(row.id).await? {
            let of_it = |one: &&ChargeSeen| one.payment == payment.provider_ref;
            for charge in invoice.charges.iter().filter(of_it) {
                fits &= self
                    .write_refunds(tx, telling, row, payment.clone(), charge)
                    .await?;
            }
        }
        Ok(fits)
    }

    /// The customer's notice of a charge, as for one of ours; what Stripe's account sends by itself is said to whoever
    /// delivers it. Nobody hears of a refusal whose invoice is paid by now.
    async fn tell_of_charge<T: Tx>(
        &self,
        tx: &mut T,
        attempt: &Attempt,
        charge: &ChargeSeen,
        invoice: &InvoiceSeen,
    ) -> Result<(), VerbError> {
        let (kind, id, code) = match &charge.refusal {
            None => {
                let paid = tx.payments_of(attempt.invoice_id).await?;
                let paid = paid.into_iter().find(|one| one.attempt_id == attempt.id);
                let paid = paid.ok_or(VerbError::Stale)?;
                ("payment_succeeded", paid.public_id, String::new())
            }
            Some(_) if invoice.state == InvoiceState::Paid => return Ok(()),
            Some(refusal) => {
                let code = format!("\"code\":\"{}\",", code_only(&refusal.code));
                ("payment_failed", attempt.public_id.clone(), code)
            }
        };
        let about = if charge.refusal.is_none() {
            "payment"
        } else {
            "attempt"
        };
        let payload = format!("{{\"{about}\":\"{id}\",{code}\"scheduler\":\"stripe\"}}");
        Ok(tx
            .queue_notice(kind, id.as_str(), &payload, self.now())
            .await?)
    }

    /// Calls a person about an invoice, once for each thing that was seen.
    async fn call_about<T: Tx>(
        &self,
        tx: &mut T,
        row: &Invoice,
        what: &str,
        seen: &str,
    ) -> Result<(), VerbError> {
        let id = &row.public_id;
        let key = format!("{id}:{what}:{seen}");
        let payload = format!("{{\"invoice\":\"{id}\",\"what\":\"{what}\"}}");
        Ok(tx.queue_notice("page", &key, &payload, self.now()).await?)
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
        let is_duplicate = before.iter().any(|one| one.state.holds_charge_slot());
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
            // Its invoice has one that took the money: it never holds that place.
            state: if is_duplicate {
                AttemptState::Duplicate
            } else {
                AttemptState::Sent
            },
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
            None if is_duplicate => AttemptState::Duplicate,
            None => AttemptState::Succeeded,
        };
        attempt.needs_human = is_duplicate;
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
        let is_duplicate = attempt.state == AttemptState::Duplicate;
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
                is_duplicate,
                card_use: charge.card_use,
            })
            .await?;
        tx.post(&Posting {
            payment_id: id,
            attempt_id: attempt.id,
            debit: Account::Provider,
            credit: if is_duplicate {
                Account::Suspense
            } else {
                Account::Revenue
            },
            amount: charge.amount,
            at: charge.at,
        })
        .await?;
        Ok(tx.mark_day(captured_on).await?)
    }

    /// Refunds that were made outside. One of ours that is under way is left to whoever sent it. One that was made beside
    /// ours is booked, ours is left with what remains, and a person is called; what does not fit at all is left out until
    /// the rest is known, and false is given.
    async fn write_refunds<T: Tx>(
        &self,
        tx: &mut T,
        telling: Telling,
        row: &Invoice,
        mut payment: Payment,
        charge: &ChargeSeen,
    ) -> Result<bool, VerbError> {
        if charge.refunds.is_empty() {
            return Ok(true);
        }
        let ours = tx.refunds_of(payment.id).await?;
        let booked = tx.refunds_booked(payment.id).await?;
        let is_under_way = |refund: &RefundSeen| {
            let is_it = |one: &Attempt| refund.reason.contains(&format!("[{}]", one.order_id));
            ours.iter().any(|one| one.state.is_open() && is_it(one))
        };
        let is_booked = |refund: &RefundSeen| {
            let mut all = booked.iter();
            all.any(|one| one.transaction_key == refund.id)
        };
        let new = |refund: &&RefundSeen| !is_under_way(refund) && !is_booked(refund);
        for refund in charge.refunds.iter().filter(new) {
            let left = payment.captured.minor() - payment.refunded_minor;
            if refund.amount.minor() > left - payment.reserved_minor {
                self.call_about(tx, row, "refund_beside_ours", &refund.id)
                    .await?;
            }
            if refund.amount.minor() > left {
                return Ok(false);
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
            if self.book_refund(tx, &mut payment, &new, attempt).await? {
                self.look_back_at_charge(tx, &payment, refund.at).await?;
                self.failed_refunds_are_seen_to(tx, &payment).await?;
                if telling == Telling::News {
                    let payload = format!(
                        "{{\"payment\":\"{}\",\"scheduler\":\"stripe\"}}",
                        payment.public_id
                    );
                    tx.queue_notice("refunded", &refund.id, &payload, self.now())
                        .await?;
                }
            }
        }
        if payment.refunded_minor >= payment.captured.minor() {
            self.call_nobody_more_about(tx, &payment).await?;
        }
        Ok(true)
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
