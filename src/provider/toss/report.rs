//! From one exchange to what the port hands back, and what is refused before it is sent.

use sha2::{Digest as _, Sha256};

use crate::domain::evidence::{Evidence, Proves, Refusal, Unusable};
use crate::domain::failure::FailureClass;
use crate::engine::ports::{CallReport, IssueOutcome, ProviderError};
use crate::provider::http::{Exchange, hex};
use crate::secret::Secret;

use super::codes::CallKind;
use super::map::{self, Expected, NotOk};

/// A request of ours that cannot be written down. It is refused here, before anything is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unsendable {
    Path,
    IdempotencyKey,
    Currency,
}

impl Unsendable {
    pub fn refusal(self) -> Refusal {
        let code = match self {
            Self::Path => "PAYDECK_BAD_REFERENCE",
            Self::IdempotencyKey => "PAYDECK_BAD_IDEMPOTENCY_KEY",
            Self::Currency => "PAYDECK_CURRENCY_NOT_SUPPORTED",
        };
        Refusal {
            code: code.into(),
            class: FailureClass::Config,
            proves: Proves::NotExecuted,
            http_status: 0,
        }
    }
}

pub(super) fn unsendable(call: CallKind, why: Unsendable) -> CallReport {
    // A question that cannot be asked proves nothing about what it asks for.
    let proves = match call {
        CallKind::LookUp => Proves::Unlisted,
        _ => Proves::NotExecuted,
    };
    CallReport::bare(Evidence::Refused(Refusal {
        proves,
        ..why.refusal()
    }))
}

pub(super) fn report(sent: Result<Exchange, Unsendable>, expected: &Expected<'_>) -> CallReport {
    let exchange = match sent {
        Ok(exchange) => exchange,
        Err(why) => return unsendable(expected.call, why),
    };
    CallReport {
        evidence: map::evidence(&exchange, expected),
        http_status: exchange.status,
        trace_id: exchange.trace_id.clone(),
        body_sha256: exchange.body_sha256(),
        elapsed_ms: exchange.elapsed_ms,
        is_replay: false,
    }
}

/// An auth key works once; should the network deliver the request twice, the second copy gets the first one's answer
/// under this key.
pub(super) fn issue_key(auth_key: &Secret) -> String {
    let digest = Sha256::digest(auth_key.expose().as_bytes());
    format!("issue-{}", hex(&digest))
}

/// What came of registering a card.
pub(super) fn issued(
    sent: Result<Exchange, Unsendable>,
    customer_key: &str,
    merchant_id: Option<&str>,
) -> IssueOutcome {
    let exchange = match sent {
        Ok(exchange) => exchange,
        Err(why) => return IssueOutcome::Refused(why.refusal()),
    };
    let issued = map::ok_body(&exchange, CallKind::Issue)
        .and_then(|body| map::billing(body, customer_key, merchant_id).map_err(NotOk::Unusable));
    match issued {
        Ok((billing_key, card)) => IssueOutcome::Issued {
            billing_key,
            card,
            provider_customer: None,
        },
        Err(NotOk::Refused(refusal)) => IssueOutcome::Refused(refusal),
        Err(NotOk::NotSent) => IssueOutcome::NotSent,
        Err(NotOk::Unusable(why)) => IssueOutcome::Unusable(why),
        Err(NotOk::NotFound | NotOk::Throttled { .. } | NotOk::Busy) => {
            IssueOutcome::Unusable(Unusable::ServerError)
        }
    }
}

pub(super) fn list_error(operation: &'static str, not_ok: NotOk) -> ProviderError {
    let refused = |code: &str, status| ProviderError::Refused {
        operation,
        code: code.to_owned(),
        status,
    };
    match not_ok {
        NotOk::NotSent => ProviderError::NotReached { operation },
        NotOk::Refused(refusal) => refused(&refusal.code, refusal.http_status),
        NotOk::NotFound => refused("NOT_FOUND_PAYMENT", 404),
        NotOk::Throttled { .. } => refused("TOO_MANY_REQUESTS", 429),
        NotOk::Busy | NotOk::Unusable(_) => ProviderError::Unusable { operation },
    }
}
