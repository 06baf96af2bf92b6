//! The rules of a billing charge, in the order in which the provider checks them.
//!
//! A decline is kept as an ABORTED payment: whether a look-up shows it is a switch.

use super::super::switches::{OrderReuse, TaxFreeAmount, UnknownBillingKey};
use super::{Book, Card, Context, Kind, Payment, Refusal, Status};

const LEAST_AMOUNT: i64 = 100;
const LEAST_INSTALLMENT_AMOUNT: i64 = 50_000;

/// A charge as it was asked for; absent and `null` fields are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChargeRequest {
    pub amount: Option<i64>,
    pub customer_key: Option<String>,
    pub order_id: Option<String>,
    pub order_name: Option<String>,
    pub tax_free: Option<i64>,
    pub tax_exemption: Option<i64>,
    pub installment_months: Option<i64>,
}

/// Charges the card behind the key and answers with the new payment's number.
pub fn charge(
    book: &mut Book,
    billing_key: &str,
    request: &ChargeRequest,
    context: &mut Context<'_>,
) -> Result<i64, Refusal> {
    let order_id = check_order_id(request.order_id.as_deref())?;
    let order_name = check_order_name(request.order_name.as_deref())?;
    let amount = check_amount(request.amount)?;
    let months = check_installment(request.installment_months, amount)?;
    let customer_key = check_customer_key(request.customer_key.as_deref())?;
    let card = chargeable_card(book, billing_key, customer_key, context)?;
    check_order_is_free(book, order_id, context)?;
    let mut payment = Payment {
        id: book.next_payment_id(),
        key: context.ids.payment_key(context.merchant_id, context.now),
        order_id: order_id.to_owned(),
        order_name: order_name.to_owned(),
        kind: Kind::Billing,
        status: Status::InProgress,
        card_id: card.id,
        customer_key: card.customer_key.clone(),
        face: card.face.clone(),
        amount,
        balance: amount,
        tax_free: match context.switches.tax_free_amount {
            TaxFreeAmount::Ignored => 0,
            TaxFreeAmount::Honoured => request.tax_free.unwrap_or(0).clamp(0, amount),
        },
        tax_exemption: request.tax_exemption.unwrap_or(0).clamp(0, amount),
        installment_months: months,
        requested_at: context.now,
        approved_at: None,
        transaction_key: None,
        failure: None,
        cancels: Vec::new(),
    };
    let answer = ask_issuer(book, card, context);
    match &answer {
        Ok(()) => payment.approve(context.ids.transaction_key(), context.now),
        Err(refusal) => payment.abort(refusal),
    }
    let id = payment.id;
    // A server error is no decision of the issuer: nothing of it is in the books.
    if !answer
        .as_ref()
        .is_err_and(|refusal| context.codes.status(refusal) >= 500)
    {
        book.put_payment(payment);
    }
    answer.map(|()| id)
}

/// The test code or fault script first, then the card itself.
pub(super) fn ask_issuer(
    book: &mut Book,
    mut card: Card,
    context: &mut Context<'_>,
) -> Result<(), Refusal> {
    if let Some(refusal) = context.forced.take() {
        return Err(refusal);
    }
    let declined_before = card.declined;
    let answer = card.ask(context.now);
    if card.declined != declined_before {
        book.put_card(card);
    }
    answer
}

fn chargeable_card(
    book: &Book,
    billing_key: &str,
    customer_key: &str,
    context: &Context<'_>,
) -> Result<Card, Refusal> {
    let Some(card) = book.card_of_billing_key(billing_key) else {
        return Err(unknown_key(context));
    };
    if card.deleted_at.is_some() {
        return Err(Refusal::code("ALREADY_REMOVED_BILLING_KEY"));
    }
    if card.customer_key.as_deref() != Some(customer_key) {
        return Err(Refusal::code("NOT_MATCHES_CUSTOMER_KEY"));
    }
    Ok(card.clone())
}

pub(super) fn unknown_key(context: &Context<'_>) -> Refusal {
    match context.switches.unknown_billing_key {
        UnknownBillingKey::NotFoundBilling => Refusal::code("NOT_FOUND_BILLING"),
        UnknownBillingKey::InvalidBillKeyRequest => Refusal::code("INVALID_BILL_KEY_REQUEST"),
    }
}

fn check_order_is_free(book: &Book, order_id: &str, context: &Context<'_>) -> Result<(), Refusal> {
    let refused_again = context.switches.order_reuse_after_decline == OrderReuse::Refused
        && book.has_declined_payment_of_order(order_id);
    if refused_again || book.approved_payment_of_order(order_id).is_some() {
        return Err(Refusal::code("DUPLICATED_ORDER_ID"));
    }
    Ok(())
}

pub(super) fn check_order_id(order_id: Option<&str>) -> Result<&str, Refusal> {
    order_id
        .filter(|id| (6..=64).contains(&id.len()))
        .filter(|id| {
            id.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
        .ok_or_else(|| Refusal::code("INVALID_ORDER_ID"))
}

fn check_order_name(order_name: Option<&str>) -> Result<&str, Refusal> {
    order_name
        .filter(|name| (1..=100).contains(&name.chars().count()))
        .ok_or_else(|| Refusal::code("INVALID_ORDER_NAME"))
}

fn check_amount(amount: Option<i64>) -> Result<i64, Refusal> {
    match amount {
        None => Err(Refusal::code("REQUIRED_AMOUNT")),
        Some(amount) if amount < 0 => Err(Refusal::code("BELOW_ZERO_AMOUNT")),
        Some(amount) if amount < LEAST_AMOUNT => Err(Refusal::code("BELOW_MINIMUM_AMOUNT")),
        Some(amount) => Ok(amount),
    }
}

pub(super) fn check_installment(months: Option<i64>, amount: i64) -> Result<i64, Refusal> {
    match months.unwrap_or(0) {
        0 => Ok(0),
        months @ 2..=12 if amount >= LEAST_INSTALLMENT_AMOUNT => Ok(months),
        2..=12 => Err(Refusal::code(
            "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN_BELOW_AMOUNT",
        )),
        _ => Err(Refusal::code("INVALID_CARD_INSTALLMENT_PLAN")),
    }
}

/// The real server takes any characters and fails in its database on more than 300 of them (measured).
pub(super) fn check_customer_key(customer_key: Option<&str>) -> Result<&str, Refusal> {
    match customer_key {
        None => Err(Refusal::code("INVALID_REQUEST")),
        Some(key) if key.chars().count() < 2 => Err(Refusal::code("INVALID_CUSTOMER_KEY")),
        Some(key) if key.chars().count() > 300 => Err(Refusal::code("FAILED_DB_PROCESSING")),
        Some(key) => Ok(key),
    }
}
