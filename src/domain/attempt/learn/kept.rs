//! What is kept of evidence in one word, and how a refund of ours is known among those of its payment.

use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::evidence::{CancelSeen, Evidence};

/// What is kept of a payment that was read back, that has no refund of ours on it and as much money as before.
const NOT_REFUNDED: &str = "not_refunded";

/// The word that is kept of evidence about an attempt. A refund is read off its payment: what counts is whether it is on
/// it, and where it is not, whether the provider holds as much as before.
pub fn kept_word(attempt: &Attempt, evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Seen(seen)
            if attempt.kind == AttemptKind::Refund
                && our(attempt, &seen.cancels).is_none()
                && our(attempt, &seen.undone).is_none() =>
        {
            if attempt.expected_balance_minor == Some(seen.balance_minor) {
                NOT_REFUNDED
            } else {
                "other_balance"
            }
        }
        other => other.name(),
    }
}

/// Whether evidence says that an attempt is not to be seen where it was looked for.
pub fn is_absent_in(attempt: &Attempt, evidence: &Evidence) -> bool {
    *evidence == Evidence::NotSeen || kept_word(attempt, evidence) == NOT_REFUNDED
}

pub(super) fn our<'s>(attempt: &Attempt, cancels: &'s [CancelSeen]) -> Option<&'s CancelSeen> {
    cancels.iter().find(|cancel| {
        cancel.amount_minor == attempt.amount.minor() && has_tag(&cancel.reason, &attempt.order_id)
    })
}

/// Whether a cancel reason carries our tag as a whole word.
fn has_tag(reason: &str, tag: &str) -> bool {
    reason
        .split(|c: char| c.is_whitespace() || c == '[' || c == ']')
        .any(|word| word == tag)
}
