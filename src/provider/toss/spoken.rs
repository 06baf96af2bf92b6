//! What the client makes of an exchange, for whoever brings a network of their own: a simulation.
//!
//! The bytes asked, the path they go to and what an answer proves are the client's; only sending is not.
//! It decides nothing that [`super::TossClient`] would decide otherwise.

use zeroize::Zeroizing;

use crate::engine::ports::{
    CallReport, ChargeCall, ChargeRequest, ConfirmCall, IssueOutcome, RefundCall, RefundRequest,
};
use crate::provider::http::{Exchange, Trouble};
use crate::secret::Secret;

use super::body;
use super::codes::CallKind;
use super::map::Expected;
use super::report::{self, report};

/// What was heard after asking.
#[derive(Debug, Clone)]
pub enum Heard {
    /// No connection was made.
    NoConnection,
    /// No whole answer in time.
    Silence,
    /// The connection ended before a whole answer.
    Broken,
    /// A whole answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// `Retry-After`.
        retry_after_s: Option<u64>,
        /// The body.
        body: Vec<u8>,
    },
}

impl Heard {
    fn exchange(self, elapsed_ms: u64) -> Exchange {
        let without = |trouble| Exchange::without_answer(trouble, elapsed_ms);
        match self {
            Self::NoConnection => without(Trouble::NotSent),
            Self::Silence => without(Trouble::TimedOut),
            Self::Broken => without(Trouble::Broken),
            Self::Answer {
                status,
                retry_after_s,
                body,
            } => Exchange {
                status: Some(status),
                retry_after_s,
                body: Ok(Zeroizing::new(body)),
                ..without(Trouble::Broken)
            },
        }
    }
}

/// The bytes of a charge.
pub fn charge_body(request: &ChargeRequest<'_>) -> Vec<u8> {
    body::charge(request)
}

/// The bytes of a refund.
pub fn refund_body(request: &RefundRequest<'_>) -> Vec<u8> {
    body::refund(request)
}

/// The bytes of a confirmation.
pub fn confirm_body(call: &ConfirmCall<'_>) -> Vec<u8> {
    body::confirm(call)
}

/// What was heard about a charge.
pub fn charge(call: &ChargeCall<'_>, heard: Heard, elapsed_ms: u64) -> CallReport {
    report(Ok(heard.exchange(elapsed_ms)), &Expected::charge(call))
}

/// What was heard about a confirmation.
pub fn confirm(call: &ConfirmCall<'_>, heard: Heard, elapsed_ms: u64) -> CallReport {
    report(Ok(heard.exchange(elapsed_ms)), &Expected::confirm(call))
}

/// What was heard about a refund.
pub fn refund(call: &RefundCall<'_>, heard: Heard, elapsed_ms: u64) -> CallReport {
    report(Ok(heard.exchange(elapsed_ms)), &Expected::refund(call))
}

/// What was heard about an order.
pub fn order(order_id: &str, heard: Heard, elapsed_ms: u64) -> CallReport {
    report(Ok(heard.exchange(elapsed_ms)), &Expected::order(order_id))
}

/// What was heard about a payment.
pub fn payment(provider_ref: &str, heard: Heard, elapsed_ms: u64) -> CallReport {
    let expected = Expected::payment(provider_ref);
    report(Ok(heard.exchange(elapsed_ms)), &expected)
}

/// The bytes that turn an auth key into a billing key.
pub fn issue_body(auth_key: &Secret, customer_key: &str) -> Vec<u8> {
    body::issue(auth_key, customer_key)
}

/// The key under which they go out.
pub fn issue_key(auth_key: &Secret) -> String {
    report::issue_key(auth_key)
}

/// What was heard about a registered card.
pub fn issued(customer_key: &str, heard: Heard, elapsed_ms: u64) -> IssueOutcome {
    report::issued(Ok(heard.exchange(elapsed_ms)), customer_key, None)
}

impl<'a> Expected<'a> {
    pub(super) const fn of(call: CallKind) -> Self {
        Self {
            call,
            order_id: None,
            provider_ref: None,
            total: None,
            merchant_id: None,
        }
    }

    pub(super) const fn charge(call: &ChargeCall<'a>) -> Self {
        Self {
            order_id: Some(call.order_id),
            total: Some(call.amount),
            ..Self::of(CallKind::Charge)
        }
    }

    pub(super) const fn confirm(call: &ConfirmCall<'a>) -> Self {
        Self {
            order_id: Some(call.order_id),
            provider_ref: Some(call.payment_key),
            total: Some(call.amount),
            ..Self::of(CallKind::Confirm)
        }
    }

    pub(super) const fn refund(call: &RefundCall<'a>) -> Self {
        Self {
            provider_ref: Some(call.provider_ref),
            ..Self::of(CallKind::Cancel)
        }
    }

    pub(super) const fn order(order_id: &'a str) -> Self {
        Self {
            order_id: Some(order_id),
            ..Self::of(CallKind::LookUp)
        }
    }

    pub(super) const fn payment(provider_ref: &'a str) -> Self {
        Self {
            provider_ref: Some(provider_ref),
            ..Self::of(CallKind::LookUp)
        }
    }
}
