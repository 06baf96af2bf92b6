//! A checkout that the customer has authenticated, and its confirmation by the merchant.

use chrono::TimeDelta;

use super::charge::{ask_issuer, check_installment, check_order_id};
use super::{Book, Card, CardDraft, Context, Kind, Notice, Payment, Refusal, Status};

const SESSION: TimeDelta = TimeDelta::minutes(10);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfirmRequest {
    pub payment_key: Option<String>,
    pub order_id: Option<String>,
    pub amount: Option<i64>,
}

/// What the browser would have done: the payment waits for its confirmation.
pub fn open_checkout(
    book: &mut Book,
    order_id: &str,
    (amount, installment_months): (i64, Option<i64>),
    customer_key: Option<String>,
    draft: CardDraft,
    context: &mut Context<'_>,
) -> Result<i64, Refusal> {
    let order_id = check_order_id(Some(order_id))?;
    if amount < 1 {
        return Err(Refusal::code("BELOW_ZERO_AMOUNT"));
    }
    let installment_months = check_installment(installment_months, amount)?;
    let card = Card::from_draft(book.next_card_id(), customer_key, draft);
    let payment = Payment {
        id: book.next_payment_id(),
        key: context.ids.payment_key(context.merchant_id, context.now),
        order_id: order_id.to_owned(),
        order_name: "체크아웃 결제".to_owned(),
        kind: Kind::Normal,
        status: Status::InProgress,
        card_id: card.id,
        customer_key: card.customer_key.clone(),
        face: card.face.clone(),
        amount,
        balance: amount,
        tax_free: 0,
        tax_exemption: 0,
        installment_months,
        requested_at: context.now,
        approved_at: None,
        transaction_key: None,
        failure: None,
        cancels: Vec::new(),
    };
    let id = payment.id;
    book.put_card(card);
    book.put_payment(payment);
    Ok(id)
}

/// A payment that was authenticated and not confirmed within ten minutes.
pub fn is_session_over(payment: &Payment, now: chrono::DateTime<chrono::Utc>) -> bool {
    payment.status == Status::InProgress && now - payment.requested_at > SESSION
}

pub fn confirm(
    book: &mut Book,
    request: &ConfirmRequest,
    context: &mut Context<'_>,
) -> Result<i64, Refusal> {
    let payment_key = request
        .payment_key
        .as_deref()
        .filter(|key| (1..=200).contains(&key.len()))
        .ok_or_else(|| Refusal::code("INVALID_REQUEST"))?;
    let order_id = check_order_id(request.order_id.as_deref())?;
    let amount = request
        .amount
        .ok_or_else(|| Refusal::code("REQUIRED_AMOUNT"))?;
    let Some(payment) = book
        .payment_of_key(payment_key)
        .filter(|p| p.kind == Kind::Normal)
    else {
        return Err(Refusal::code("NOT_FOUND_PAYMENT_SESSION"));
    };
    let mut payment = payment.clone();
    if payment.status != Status::InProgress {
        return Err(Refusal::code("ALREADY_PROCESSED_PAYMENT"));
    }
    if is_session_over(&payment, context.now) {
        return Err(Refusal::code("NOT_FOUND_PAYMENT_SESSION"));
    }
    if payment.order_id != order_id || payment.amount != amount {
        return Err(Refusal::code("FORBIDDEN_REQUEST"));
    }
    if book.approved_payment_of_order(order_id).is_some() {
        return Err(Refusal::code("DUPLICATED_ORDER_ID"));
    }
    let Some(card) = book.card(payment.card_id).cloned() else {
        return Err(Refusal::code("NOT_FOUND_PAYMENT_SESSION"));
    };
    let answer = ask_issuer(book, card, context);
    match &answer {
        Ok(()) => payment.approve(context.ids.transaction_key(), context.now),
        Err(refusal) => payment.abort(refusal),
    }
    let id = payment.id;
    book.put_payment(payment);
    book.notice(Notice::PaymentStatusChanged { payment: id });
    answer.map(|()| id)
}
