//! From an answer of Toss Payments to evidence. Pure.
//!
//! A charge has not succeeded because of a 200: the body must be a payment, about this order and
//! this amount. What is not understood is "no answer", never a decline.

use crate::domain::customer;
use crate::domain::evidence::{CancelSeen, Evidence, PaymentSeen, Refusal, SeenStatus, Unusable};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::CardUse;
use crate::engine::ports::TransactionSeen;
use crate::provider::http::{Exchange, Trouble};
use crate::secret::Secret;

use super::codes::{self, CallKind};
use super::wire;

/// What an answer must be about. What is `None` is not known beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub call: CallKind,
    pub order_id: Option<&'a str>,
    pub provider_ref: Option<&'a str>,
    pub total: Option<Money>,
    pub merchant_id: Option<&'a str>,
}

/// An answer that is no success, sorted.
#[derive(Debug)]
pub(super) enum NotOk {
    NotSent,
    NotFound,
    Refused(Refusal),
    Throttled { retry_after_s: Option<u64> },
    Busy,
    Unusable(Unusable),
}

impl From<NotOk> for Evidence {
    fn from(not_ok: NotOk) -> Self {
        match not_ok {
            NotOk::NotSent => Self::NotSent,
            NotOk::NotFound => Self::NotSeen,
            NotOk::Refused(refusal) => Self::Refused(refusal),
            NotOk::Throttled { retry_after_s } => Self::Throttled { retry_after_s },
            NotOk::Busy => Self::Busy,
            NotOk::Unusable(why) => Self::Unusable(why),
        }
    }
}

/// What an exchange about a payment proves.
pub(super) fn evidence(exchange: &Exchange, expected: &Expected<'_>) -> Evidence {
    match ok_body(exchange, expected.call) {
        Ok(body) => match payment(body, expected) {
            Ok(seen) => Evidence::Seen(seen),
            Err(why) => Evidence::Unusable(why),
        },
        Err(not_ok) => not_ok.into(),
    }
}

/// The body of a 200, which is the only success there is; anything else is sorted.
pub(super) fn ok_body(exchange: &Exchange, call: CallKind) -> Result<&[u8], NotOk> {
    let (status, body) = exchange.answer().map_err(|trouble| match trouble {
        Trouble::NotSent => NotOk::NotSent,
        Trouble::TimedOut => NotOk::Unusable(Unusable::TimedOut),
        Trouble::Broken => NotOk::Unusable(Unusable::Broken),
        Trouble::TooLarge => NotOk::Unusable(Unusable::Unreadable),
    })?;
    if status == 200 {
        return Ok(body);
    }
    Err(match error_code(body) {
        Some(code) if code == "IDEMPOTENT_REQUEST_PROCESSING" => NotOk::Busy,
        _ if status == 429 => NotOk::Throttled {
            retry_after_s: exchange.retry_after_s,
        },
        Some(code) if code == "NOT_FOUND_PAYMENT" && is_absence(call, status) => NotOk::NotFound,
        Some(code) if status >= 400 => NotOk::Refused(codes::classify(call, &code, status)),
        None if status == 401 => NotOk::Refused(codes::classify(call, "HTTP_401", status)),
        None if status >= 500 => NotOk::Unusable(Unusable::ServerError),
        Some(_) | None => NotOk::Unusable(Unusable::Unreadable),
    })
}

/// Only a look-up can find nothing. A wrong kind of key answers 404 with other codes.
fn is_absence(call: CallKind, status: u16) -> bool {
    call == CallKind::LookUp && status == 404
}

/// The code of an error body, if it looks like one: codes are shown, stored and compared.
fn error_code(body: &[u8]) -> Option<String> {
    let error: wire::ErrorBody = serde_json::from_slice(body).ok()?;
    is_code(&error.code).then_some(error.code)
}

fn is_code(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn payment(body: &[u8], expected: &Expected<'_>) -> Result<PaymentSeen, Unusable> {
    let payment: wire::Payment = serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)?;
    let seen = read_payment(&payment).ok_or(Unusable::Unreadable)?;
    let differs = |ours: Option<&str>, theirs: &str| ours.is_some_and(|ours| ours != theirs);
    let is_other_merchant = payment
        .m_id
        .as_deref()
        .is_some_and(|theirs| differs(expected.merchant_id, theirs));
    if differs(expected.order_id, &seen.order_id)
        || differs(expected.provider_ref, &seen.provider_ref)
        || expected.total.is_some_and(|total| total != seen.total)
        || is_other_merchant
    {
        return Err(Unusable::Mismatch);
    }
    Ok(seen)
}

fn read_payment(payment: &wire::Payment) -> Option<PaymentSeen> {
    if payment.payment_key.is_empty() || payment.order_id.is_empty() {
        return None;
    }
    let currency = Currency::parse(&payment.currency).ok()?;
    let exponent = currency.exponent();
    let status = status(payment);
    let balance_minor = match &payment.balance_amount {
        Some(balance) => balance.minor(exponent)?,
        None if status == SeenStatus::Captured => return None,
        None => 0,
    };
    let cancels = payment
        .cancels
        .iter()
        .flatten()
        // A cancel that failed for good moved no money.
        .filter(|cancel| cancel.cancel_status.as_deref() != Some("ABORTED"))
        .map(|cancel| read_cancel(cancel, exponent))
        .collect::<Option<Vec<_>>>()?;
    Some(PaymentSeen {
        order_id: payment.order_id.clone(),
        provider_ref: payment.payment_key.clone(),
        status,
        total: Money::new(payment.total_amount.minor(exponent)?, currency),
        balance_minor,
        approved_at: payment.approved_at.as_deref().and_then(wire::instant),
        cancels,
        // A cancel that is done stays done.
        undone: Vec::new(),
        failure: (status == SeenStatus::Failed)
            .then(|| failure(payment))
            .flatten(),
        method: payment.method.clone().unwrap_or_default(),
        card_use: CardUse {
            installment_months: payment.card.as_ref().and_then(wire::ChargedCard::months),
            // No answer of theirs says whether the customer's bank asked.
            three_d_secure: None,
        },
    })
}

/// Money was taken once a payment was approved; how much of it went back says the balance, because
/// a payment that was given back in parts stays `PARTIAL_CANCELED` for ever.
fn status(payment: &wire::Payment) -> SeenStatus {
    match payment.status.as_str() {
        // Given up before anybody paid into its account: no money ever moved, and none will.
        "CANCELED" if payment.virtual_account.is_some() && payment.approved_at.is_none() => {
            SeenStatus::Other
        }
        "DONE" | "CANCELED" | "PARTIAL_CANCELED" => SeenStatus::Captured,
        "ABORTED" | "EXPIRED" => SeenStatus::Failed,
        "READY" | "IN_PROGRESS" | "WAITING_FOR_DEPOSIT" => SeenStatus::Pending,
        _ => SeenStatus::Other,
    }
}

fn failure(payment: &wire::Payment) -> Option<Refusal> {
    let code = payment.failure.as_ref()?.code.as_deref()?;
    is_code(code).then(|| codes::classify(CallKind::Charge, code, 200))
}

fn read_cancel(cancel: &wire::Cancel, exponent: u8) -> Option<CancelSeen> {
    Some(CancelSeen {
        transaction_key: cancel.transaction_key.clone(),
        reason: cancel.cancel_reason.clone(),
        amount_minor: cancel.cancel_amount.minor(exponent)?,
        at: wire::instant(&cancel.canceled_at)?,
        // Older versions of the interface have no status: a listed cancel was done.
        is_done: matches!(cancel.cancel_status.as_deref(), None | Some("DONE")),
    })
}

/// A registered card. The key is moved out of the wire at once.
pub(super) fn billing(
    body: &[u8],
    customer_key: &str,
    merchant_id: Option<&str>,
) -> Result<(Secret, customer::Card), Unusable> {
    let billing: wire::Billing = serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)?;
    let key = Secret::new(billing.billing_key);
    if key.expose().is_empty() {
        return Err(Unusable::Unreadable);
    }
    let is_other_merchant = match (merchant_id, &billing.m_id) {
        (Some(ours), Some(theirs)) => ours != theirs,
        _ => false,
    };
    if billing.customer_key != customer_key || is_other_merchant {
        return Err(Unusable::Mismatch);
    }
    let account = billing.transfers.and_then(|list| list.into_iter().next());
    let card = match (billing.card, account) {
        (Some(card), _) => customer::Card {
            issuer: card.issuer_code.unwrap_or_default(),
            number: masked(card.number.or(billing.card_number)),
            kind: card_kind(card.card_type.as_deref()).to_owned(),
            expiry: None,
        },
        (None, Some(account)) => customer::Card {
            issuer: account.bank_name.unwrap_or_default(),
            number: masked(account.bank_account_number),
            ..customer::Card::default()
        },
        (None, None) => customer::Card::default(),
    };
    Ok((key, card))
}

/// A number that came without a mask is not kept: we never hold whole card numbers.
fn masked(number: Option<String>) -> String {
    number.filter(|n| n.contains('*')).unwrap_or_default()
}

fn card_kind(word: Option<&str>) -> &'static str {
    match word {
        Some("신용") => "credit",
        Some("체크") => "debit",
        Some("기프트") => "gift",
        _ => "",
    }
}

/// Whose books an answer about a payment is from; none where it does not say.
pub(super) fn merchant_of(exchange: &Exchange) -> Option<String> {
    let (status, body) = exchange.answer().ok()?;
    let payment: wire::Payment = serde_json::from_slice(body).ok()?;
    payment.m_id.filter(|id| status == 200 && !id.is_empty())
}

/// A page of the transaction list. One row that cannot be read spoils the page: a row left out
/// would look like money that is missing. One of another merchant is a mismatch.
pub(super) fn transactions(
    body: &[u8],
    merchant_id: Option<&str>,
) -> Result<Vec<TransactionSeen>, Unusable> {
    let rows: Vec<wire::Transaction> =
        serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)?;
    let is_others = |row: &wire::Transaction| {
        let theirs = row.m_id.as_deref();
        merchant_id.is_some_and(|ours| theirs.is_some_and(|theirs| theirs != ours))
    };
    if rows.iter().any(is_others) {
        return Err(Unusable::Mismatch);
    }
    let seen: Option<_> = rows.iter().map(transaction).collect();
    seen.ok_or(Unusable::Unreadable)
}

fn transaction(row: &wire::Transaction) -> Option<TransactionSeen> {
    let currency = match &row.currency {
        Some(code) => Currency::parse(code).ok()?,
        None => Currency::KRW,
    };
    let amount = row.amount.minor(currency.exponent())?;
    let has_cancel_word = matches!(row.status.as_str(), "CANCELED" | "PARTIAL_CANCELED");
    Some(TransactionSeen {
        transaction_key: row.transaction_key.clone(),
        provider_ref: row.payment_key.clone(),
        order_id: row.order_id.clone().unwrap_or_default(),
        status: row.status.clone(),
        is_cancel: has_cancel_word || amount < 0,
        at: wire::instant(&row.transaction_at)?,
        amount: Money::new(amount.checked_abs()?, currency),
    })
}

#[cfg(test)]
mod tests;
