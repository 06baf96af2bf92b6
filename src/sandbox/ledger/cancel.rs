//! The rules of a cancel (a refund), full or partial.
//!
//! Invariant: the balance never goes below zero, and equals the amount less all cancels.

use chrono::TimeDelta;

use super::super::switches::CancelWebhook;
use super::{Book, Cancel, Context, Kind, Notice, Payment, Refusal, Status};

/// A cancel as it was asked for; absent and `null` fields are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CancelRequest {
    pub reason: Option<String>,
    /// None: everything that is left.
    pub amount: Option<i64>,
    pub tax_free: Option<i64>,
    pub tax_exemption: Option<i64>,
    pub currency: Option<String>,
    /// Optimistic lock: the balance that the caller believes in.
    pub refundable: Option<i64>,
}

pub fn cancel(
    book: &mut Book,
    payment_key: &str,
    request: &CancelRequest,
    context: &mut Context<'_>,
) -> Result<i64, Refusal> {
    let Some(payment) = book.payment_of_key(payment_key) else {
        return Err(Refusal::code("NOT_FOUND_PAYMENT"));
    };
    let mut payment = payment.clone();
    let reason = check_reason(request.reason.as_deref())?;
    check_cancelable(&payment)?;
    check_gap(&payment, context)?;
    let amount = check_amount(&payment, request)?;
    if let Some(refusal) = context.forced.take() {
        return Err(refusal);
    }
    let is_whole = amount == payment.amount;
    payment.balance -= amount;
    payment.status = if is_whole {
        Status::Canceled
    } else {
        Status::PartialCanceled
    };
    payment.cancels.push(Cancel {
        transaction_key: context.ids.transaction_key(),
        amount,
        reason: reason.to_owned(),
        tax_free: request
            .tax_free
            .unwrap_or(0)
            .clamp(0, amount.min(payment.tax_free)),
        tax_exemption: request.tax_exemption.unwrap_or(0).clamp(0, amount),
        refundable_after: payment.balance,
        canceled_at: context.now,
    });
    let id = payment.id;
    let index = payment.cancels.len() - 1;
    let tells =
        payment.kind == Kind::Normal || context.switches.cancel_webhook == CancelWebhook::Sent;
    book.put_payment(payment);
    book.note_cancel(id, index);
    if tells {
        book.notice(Notice::PaymentStatusChanged { payment: id });
    }
    Ok(id)
}

fn check_reason(reason: Option<&str>) -> Result<&str, Refusal> {
    reason
        .filter(|reason| (1..=200).contains(&reason.chars().count()))
        .ok_or_else(|| Refusal::code("INVALID_REQUEST"))
}

/// Both refusals of an empty balance are measured: which one depends on how it became empty.
fn check_cancelable(payment: &Payment) -> Result<(), Refusal> {
    match payment.status {
        Status::InProgress | Status::Aborted | Status::Expired => {
            Err(Refusal::code("NOT_CANCELABLE_PAYMENT"))
        }
        Status::Canceled => Err(Refusal::code("ALREADY_CANCELED_PAYMENT")),
        Status::PartialCanceled if payment.balance == 0 => {
            Err(Refusal::code("NOT_CANCELABLE_AMOUNT"))
        }
        Status::Done | Status::PartialCanceled => Ok(()),
    }
}

fn check_gap(payment: &Payment, context: &Context<'_>) -> Result<(), Refusal> {
    let gap = TimeDelta::milliseconds(i64::from(context.switches.cancel_gap_ms));
    match payment.cancels.last() {
        Some(last) if context.now - last.canceled_at < gap => {
            Err(Refusal::code("FORBIDDEN_CONSECUTIVE_REQUEST"))
        }
        _ => Ok(()),
    }
}

fn check_amount(payment: &Payment, request: &CancelRequest) -> Result<i64, Refusal> {
    if request
        .currency
        .as_deref()
        .is_some_and(|currency| currency != "KRW")
    {
        return Err(Refusal::code("INVALID_CURRENCY"));
    }
    if request
        .refundable
        .is_some_and(|believed| believed != payment.balance)
    {
        return Err(Refusal::code("NOT_MATCHES_REFUNDABLE_AMOUNT"));
    }
    let amount = request.amount.unwrap_or(payment.balance);
    if amount <= 0 || amount > payment.balance {
        return Err(Refusal::code("NOT_CANCELABLE_AMOUNT"));
    }
    if payment.tax_exemption > 0 && amount < payment.balance {
        return Err(Refusal::code("NOT_ALLOWED_PARTIAL_REFUND"));
    }
    Ok(amount)
}
