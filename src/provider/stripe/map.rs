//! From an answer of Stripe to evidence. Pure.
//!
//! A charge has not succeeded because of a 200: the body must be an intent, about this order, this
//! amount, this currency and this mode. What is not understood is "no answer", never a decline.

use crate::domain::evidence::{
    CancelSeen, Evidence, PaymentSeen, Proves, Refusal, SeenStatus, Unusable,
};
use crate::domain::mode::Mode;
use crate::domain::money::{Currency, Money};
use crate::provider::http::{Exchange, Trouble};

use super::amount;
use super::body;
use super::codes::{self, CallKind, Words};
use super::wire::{self, Expandable};

/// What an answer must be about. What is `None` is not known beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub call: CallKind,
    pub mode: Mode,
    pub order_id: Option<&'a str>,
    pub provider_ref: Option<&'a str>,
    pub total: Option<Money>,
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

/// What an exchange about an intent proves.
pub(super) fn evidence(exchange: &Exchange, expected: &Expected<'_>) -> Evidence {
    match ok_body(exchange, expected.call) {
        Ok(body) => match intent(body).and_then(|intent| seen(&intent, None, expected)) {
            Ok(seen) => Evidence::Seen(seen),
            Err(why) => Evidence::Unusable(why),
        },
        Err(NotOk::Refused(refusal)) => refused(refusal, exchange, expected),
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
    match status {
        200 => return Ok(body),
        409 => return Err(NotOk::Busy),
        429 => {
            return Err(NotOk::Throttled {
                retry_after_s: exchange.retry_after_s,
            });
        }
        _ => {}
    }
    Err(match fault(body) {
        Some(fault) if is_absence(call, status, &fault) => NotOk::NotFound,
        Some(fault) if status >= 400 => {
            NotOk::Refused(codes::classify(call, words(&fault), status))
        }
        None if matches!(status, 401 | 403) => {
            NotOk::Refused(codes::classify(call, Words::default(), status))
        }
        None if status >= 500 => NotOk::Unusable(Unusable::ServerError),
        Some(_) | None => NotOk::Unusable(Unusable::Unreadable),
    })
}

fn fault(body: &[u8]) -> Option<wire::Fault> {
    let body: wire::ErrorBody = serde_json::from_slice(body).ok()?;
    Some(body.error)
}

/// Only a look-up can find nothing, and only by the object in its path: an unknown path has no code.
fn is_absence(call: CallKind, status: u16, fault: &wire::Fault) -> bool {
    call == CallKind::LookUp && status == 404 && fault.code.as_deref() == Some("resource_missing")
}

fn words(fault: &wire::Fault) -> Words<'_> {
    fn word(field: Option<&String>) -> &str {
        field.map_or("", String::as_str)
    }
    Words {
        kind: word(fault.kind.as_ref()),
        code: word(fault.code.as_ref()),
        decline_code: word(fault.decline_code.as_ref()),
        advice_code: word(fault.advice_code.as_ref()),
        param: word(fault.param.as_ref()),
    }
}

/// An error about an intent mostly holds the intent. What stands there may contradict the words beside
/// it, and then they prove nothing. That a charge took nothing is proved by a card's refusal together with
/// an intent that has lost its card; while it keeps the card, a confirmation that is under way may charge it.
fn refused(refusal: Refusal, exchange: &Exchange, expected: &Expected<'_>) -> Evidence {
    let body = exchange.answer().map_or(&[][..], |(_, body)| body);
    let fault = fault(body);
    let is_of_card = fault
        .as_ref()
        .is_some_and(|fault| fault.kind.as_deref() == Some("card_error"));
    let held = fault
        .and_then(|fault| fault.payment_intent)
        .and_then(|value| serde_json::from_value::<wire::Intent>(value).ok());
    let is_over = is_of_card
        && held
            .as_ref()
            .is_some_and(|intent| intent.status == WITHOUT_CARD);
    let refusal = match expected.call {
        CallKind::Charge if !is_over => looked_for(refusal),
        _ => refusal,
    };
    let Some(intent) = held else {
        return Evidence::Refused(refusal);
    };
    let seen = match seen(&intent, None, expected) {
        Ok(seen) => seen,
        Err(Unusable::Mismatch) => return Evidence::Unusable(Unusable::Mismatch),
        // Captured, and the charge is only named: it has to be asked for.
        Err(_) => return Evidence::Refused(looked_for(refusal)),
    };
    match seen.status {
        // Ended before: whoever wanted it ended has what he wanted, and nobody else can charge it.
        SeenStatus::Canceled => Evidence::Seen(seen),
        SeenStatus::Captured | SeenStatus::Pending | SeenStatus::Other => {
            Evidence::Refused(looked_for(refusal))
        }
        SeenStatus::Failed | SeenStatus::NotStarted | SeenStatus::NeedsCustomer => {
            Evidence::Refused(refusal)
        }
    }
}

/// An intent whose card was refused, or that has none yet.
const WITHOUT_CARD: &str = "requires_payment_method";

fn looked_for(refusal: Refusal) -> Refusal {
    let proves = match refusal.proves {
        Proves::NotExecuted => Proves::LookUp,
        proves => proves,
    };
    Refusal { proves, ..refusal }
}

/// An intent as it stands in a body.
pub(super) fn intent(body: &[u8]) -> Result<wire::Intent, Unusable> {
    serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)
}

/// What was prepared, by its name. An intent that has no card cannot be confirmed.
pub(super) fn prepared(body: &[u8], expected: &Expected<'_>) -> Result<String, Unusable> {
    let intent = intent(body)?;
    seen(&intent, Some(&[]), expected)?;
    match intent.status.as_str() {
        "requires_payment_method" | "canceled" => Err(Unusable::Mismatch),
        _ => Ok(intent.id),
    }
}

/// A payment, of an intent and all of its refunds. Without those, the charge says how much went back.
pub(super) fn seen(
    intent: &wire::Intent,
    refunds: Option<&[wire::Refund]>,
    expected: &Expected<'_>,
) -> Result<PaymentSeen, Unusable> {
    let seen = read_payment(intent, refunds).ok_or(Unusable::Unreadable)?;
    let differs = |ours: Option<&str>, theirs: &str| ours.is_some_and(|ours| ours != theirs);
    let is_part = seen.status == SeenStatus::Captured
        && intent
            .amount_received
            .is_some_and(|got| got != intent.amount);
    if differs(expected.order_id, &seen.order_id)
        || differs(expected.provider_ref, &seen.provider_ref)
        || expected.total.is_some_and(|total| total != seen.total)
        || intent.livemode != (expected.mode == Mode::Live)
        || is_part
    {
        return Err(Unusable::Mismatch);
    }
    Ok(seen)
}

fn read_payment(intent: &wire::Intent, refunds: Option<&[wire::Refund]>) -> Option<PaymentSeen> {
    if intent.id.is_empty() {
        return None;
    }
    let currency = Currency::parse(&intent.currency).ok()?;
    let total = amount::from_wire(intent.amount, currency)?;
    let status = status(intent);
    let is_captured = status == SeenStatus::Captured;
    let charge = intent.latest_charge.as_ref().and_then(Expandable::object);
    let listed = refunds.unwrap_or_default();
    let (undone, standing): (Vec<_>, Vec<_>) = listed.iter().partition(|r| is_undone(r));
    let given_back = match (refunds, charge) {
        (Some(_), _) => standing
            .iter()
            .try_fold(0_i64, |sum, r| sum.checked_add(r.amount))?,
        (None, Some(charge)) => charge.amount_refunded,
        (None, None) if is_captured => return None,
        (None, None) => 0,
    };
    let balance = if is_captured {
        amount::from_wire(intent.amount.checked_sub(given_back)?, currency)?.minor()
    } else {
        0
    };
    let cancels = |of: &[&wire::Refund]| -> Option<Vec<CancelSeen>> {
        of.iter()
            .map(|refund| read_refund(refund, currency))
            .collect()
    };
    Some(PaymentSeen {
        order_id: wire::note(&intent.metadata, "order_id")
            .unwrap_or_default()
            .to_owned(),
        provider_ref: intent.id.clone(),
        status,
        total,
        balance_minor: balance,
        approved_at: charge
            .filter(|charge| is_captured && charge.status == "succeeded")
            .and_then(|charge| wire::instant(charge.created)),
        cancels: cancels(&standing)?,
        undone: cancels(&undone)?,
        failure: (status == SeenStatus::Failed)
            .then(|| failure(intent))
            .flatten(),
        method: charge.map(method).unwrap_or_default(),
        card_use: wire::card_use(charge.and_then(|charge| charge.payment_method_details.as_ref())),
    })
}

/// An intent without a card was declined, if it says why; its failed try cannot be repeated, because
/// the card is taken off it.
pub(super) fn status(intent: &wire::Intent) -> SeenStatus {
    match intent.status.as_str() {
        "succeeded" => SeenStatus::Captured,
        "canceled" => SeenStatus::Canceled,
        "processing" | "requires_capture" => SeenStatus::Pending,
        "requires_action" => SeenStatus::NeedsCustomer,
        "requires_payment_method" if intent.last_payment_error.is_some() => SeenStatus::Failed,
        "requires_confirmation" | "requires_payment_method" => SeenStatus::NotStarted,
        _ => SeenStatus::Other,
    }
}

fn failure(intent: &wire::Intent) -> Option<Refusal> {
    let fault = intent.last_payment_error.as_ref()?;
    Some(codes::classify(CallKind::Charge, words(fault), 200))
}

fn method(charge: &wire::Charge) -> String {
    let details = charge.payment_method_details.as_ref();
    let brand = details
        .and_then(|d| d.card.as_ref())
        .and_then(|card| card.brand.clone());
    brand
        .or_else(|| details.and_then(|d| d.kind.clone()))
        .unwrap_or_default()
}

/// The money stayed, or came back to us, perhaps days later.
fn is_undone(refund: &wire::Refund) -> bool {
    matches!(refund.status.as_deref(), Some("failed" | "canceled"))
}

fn read_refund(refund: &wire::Refund, currency: Currency) -> Option<CancelSeen> {
    let amount = amount::read(refund.amount, &refund.currency)?;
    if amount.currency() != currency {
        return None;
    }
    let failure = refund.failure_balance_transaction.as_ref();
    let came_back = failure
        .and_then(Expandable::object)
        .filter(|_| is_undone(refund))
        .map(|row| row.created);
    Some(CancelSeen {
        transaction_key: refund.id.clone(),
        reason: body::reason_of(&refund.metadata),
        amount_minor: amount.minor(),
        at: wire::instant(came_back.unwrap_or(refund.created))?,
        is_done: refund.status.as_deref() == Some("succeeded"),
    })
}

/// What came of giving money back.
pub(super) enum Given {
    /// The answer holds the payment.
    Seen(Box<PaymentSeen>),
    /// It was taken in, and the payment has to be read.
    ReadBack,
}

/// A refund, about our payment, with the payment inside where Stripe put it there.
pub(super) fn given(body: &[u8], expected: &Expected<'_>) -> Result<Given, Unusable> {
    let refund: wire::Refund = serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)?;
    let theirs = wire::id_of(refund.payment_intent.as_ref());
    if theirs != expected.provider_ref {
        return Err(Unusable::Mismatch);
    }
    let Some(intent) = refund.payment_intent.as_ref().and_then(Expandable::object) else {
        return Ok(Given::ReadBack);
    };
    let Ok(mut payment) = seen(intent, None, expected) else {
        return Ok(Given::ReadBack);
    };
    let cancel = read_refund(&refund, payment.total.currency()).ok_or(Unusable::Unreadable)?;
    if is_undone(&refund) {
        payment.undone.push(cancel);
    } else {
        payment.cancels.push(cancel);
    }
    Ok(Given::Seen(Box::new(payment)))
}

/// A page of a payment's refunds, and whether there are more. One of another payment spoils it.
pub(super) fn refunds(
    body: &[u8],
    provider_ref: &str,
) -> Result<wire::List<wire::Refund>, Unusable> {
    let page: wire::List<wire::Refund> =
        serde_json::from_slice(body).map_err(|_| Unusable::Unreadable)?;
    let is_ours =
        |refund: &wire::Refund| wire::id_of(refund.payment_intent.as_ref()) == Some(provider_ref);
    if page.data.iter().all(is_ours) {
        Ok(page)
    } else {
        Err(Unusable::Mismatch)
    }
}

#[cfg(test)]
mod tests;
