//! Why something that only Stripe has was not told or done, split by what the caller may do next.

use crate::domain::evidence::{Proves, Refusal, Unusable};
use crate::provider::stripe::map::NotOk;
use crate::provider::stripe::request::Unsendable;

/// No success, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// Nothing left: ask again.
    #[error("{operation}: stripe not reached")]
    NotReached {
        /// What was asked.
        operation: &'static str,
    },
    /// Not now (429, 409): send the same request under the same key after a while.
    #[error("{operation}: not now, try later")]
    TryLater {
        /// What was asked.
        operation: &'static str,
        /// What Stripe asks us to wait, in seconds.
        retry_after_s: Option<u64>,
    },
    /// The card said no, and no money moved: another card, another day, or the customer.
    #[error("{operation}: declined with {}", .refusal.code)]
    Declined {
        /// What was asked.
        operation: &'static str,
        /// What the decline means.
        refusal: Refusal,
    },
    /// Stripe has no such object, or no longer: a subscription that has ended is "not found" for a change.
    #[error("{operation}: no such object")]
    NotFound {
        /// What was asked.
        operation: &'static str,
    },
    /// The request does not fit the object as it stands: read it, and decide again.
    #[error("{operation}: refused with {} (http {})", .refusal.code, .refusal.http_status)]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The code.
        refusal: Refusal,
    },
    /// Our key or its rights: a person has to mend it.
    #[error("{operation}: our key was refused with {} (http {})", .refusal.code, .refusal.http_status)]
    KeyRefused {
        /// What was asked.
        operation: &'static str,
        /// The code.
        refusal: Refusal,
    },
    /// Nobody knows whether it was done: read the object, or send the same request under the same key.
    #[error("{operation}: no usable answer ({})", .why.as_str())]
    Unknown {
        /// What was asked.
        operation: &'static str,
        /// Why.
        why: Unusable,
    },
}

impl StripeError {
    pub(super) fn of(operation: &'static str, not_ok: NotOk) -> Self {
        match not_ok {
            NotOk::NotSent => Self::NotReached { operation },
            NotOk::NotFound => Self::NotFound { operation },
            NotOk::Throttled { retry_after_s } => Self::TryLater {
                operation,
                retry_after_s,
            },
            NotOk::Busy => Self::TryLater {
                operation,
                retry_after_s: None,
            },
            NotOk::Unusable(why) => Self::Unknown { operation, why },
            NotOk::Refused(refusal) => Self::refused(operation, refusal),
        }
    }

    fn refused(operation: &'static str, refusal: Refusal) -> Self {
        match (refusal.http_status, refusal.proves) {
            (404, _) if refusal.code == "resource_missing" => Self::NotFound { operation },
            // The caller's key was used for something else.
            _ if refusal.code == "idempotency_error" => Self::Refused { operation, refusal },
            (_, Proves::ConfigTrouble) => Self::KeyRefused { operation, refusal },
            (402, Proves::NotExecuted) => Self::Declined { operation, refusal },
            // A 402 whose words we do not know, and every server error: it may have been done.
            (402 | 424 | 500..=599, _) => Self::Unknown {
                operation,
                why: Unusable::ServerError,
            },
            _ => Self::Refused { operation, refusal },
        }
    }

    pub(super) fn unsendable(operation: &'static str, why: Unsendable) -> Self {
        Self::Refused {
            operation,
            refusal: why.refusal(),
        }
    }
}
