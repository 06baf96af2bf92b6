//! What is kept of evidence in one word, and how a refund of ours is known among those of its payment.

use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::evidence::{CancelSeen, Evidence, PaymentSeen};

/// What is kept of a payment that was read back, that has no refund of ours on it and as much money as before.
const NOT_REFUNDED: &str = "not_refunded";
/// The same where less money is there, and others have taken all that is missing.
const REFUNDED_ELSEWHERE: &str = "refunded_elsewhere";
/// What is kept of a refund that its provider has taken back.
pub const REFUND_UNDONE: &str = "refund_undone";
/// What every tag of ours begins with.
const TAGGED: &str = "rf:";

/// What a payment that was read back says of a refund of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundSighting {
    /// It is on it.
    There,
    /// It was, and the provider has taken it back.
    Undone,
    /// It is not, and the provider holds what it held.
    Absent,
    /// It is not, and every unit that is missing was given back by somebody else: refunds without a tag of ours.
    Elsewhere,
    /// It is not, and nothing explains what the provider holds.
    OtherBalance,
}

/// What a payment says of a refund that was to come out of it.
pub fn refund_sighting(attempt: &Attempt, seen: &PaymentSeen) -> RefundSighting {
    if our(attempt, &seen.cancels).is_some() {
        return RefundSighting::There;
    }
    if our(attempt, &seen.undone).is_some() {
        return RefundSighting::Undone;
    }
    match attempt.expected_balance_minor {
        Some(expected) if expected == seen.balance_minor => RefundSighting::Absent,
        Some(expected) if is_explained(attempt, seen, expected) => RefundSighting::Elsewhere,
        Some(_) | None => RefundSighting::OtherBalance,
    }
}

/// Whether all that is missing went back by refunds that are listed, none of which can be ours.
fn is_explained(attempt: &Attempt, seen: &PaymentSeen, expected: i64) -> bool {
    let is_foreign = |cancel: &&CancelSeen| !words(&cancel.reason).any(|w| w.starts_with(TAGGED));
    let is_tagged = |cancel: &CancelSeen| has_tag(&cancel.reason, &attempt.order_id);
    let gone = seen.total.minor().checked_sub(seen.balance_minor);
    let missing = expected.saturating_sub(seen.balance_minor);
    missing > 0
        && !seen.cancels.iter().any(is_tagged)
        && sum(seen.cancels.iter()) == gone
        && sum(seen.cancels.iter().filter(is_foreign)).is_some_and(|sum| sum >= missing)
}

fn sum<'s>(mut cancels: impl Iterator<Item = &'s CancelSeen>) -> Option<i64> {
    cancels.try_fold(0_i64, |sum, cancel| sum.checked_add(cancel.amount_minor))
}

/// The word that is kept of evidence about an attempt. A refund is read off its payment: what counts is whether it is on
/// it, and where it is not, whether the provider holds as much as before.
pub fn kept_word(attempt: &Attempt, evidence: &Evidence) -> &'static str {
    let (AttemptKind::Refund, Evidence::Seen(seen)) = (attempt.kind, evidence) else {
        return evidence.name();
    };
    match refund_sighting(attempt, seen) {
        RefundSighting::There => evidence.name(),
        RefundSighting::Undone => REFUND_UNDONE,
        RefundSighting::Absent => NOT_REFUNDED,
        RefundSighting::Elsewhere => REFUNDED_ELSEWHERE,
        RefundSighting::OtherBalance => "other_balance",
    }
}

/// Whether evidence says that an attempt is not to be seen where it was looked for. A payment of ours that its provider
/// does not know says nothing about a refund of it.
pub fn is_absent_in(attempt: &Attempt, evidence: &Evidence) -> bool {
    match attempt.kind {
        AttemptKind::Charge => *evidence == Evidence::NotSeen,
        AttemptKind::Refund => {
            let kept = kept_word(attempt, evidence);
            kept == NOT_REFUNDED || kept == REFUNDED_ELSEWHERE
        }
    }
}

/// Whether evidence says that somebody else gave back what is missing.
pub fn is_given_elsewhere(attempt: &Attempt, evidence: &Evidence) -> bool {
    kept_word(attempt, evidence) == REFUNDED_ELSEWHERE
}

/// The refund of ours that the provider has taken back.
pub fn undone_of<'s>(attempt: &Attempt, seen: &'s PaymentSeen) -> Option<&'s CancelSeen> {
    match attempt.kind {
        AttemptKind::Refund => our(attempt, &seen.undone),
        AttemptKind::Charge => None,
    }
}

pub(super) fn our<'s>(attempt: &Attempt, cancels: &'s [CancelSeen]) -> Option<&'s CancelSeen> {
    cancels.iter().find(|cancel| {
        cancel.amount_minor == attempt.amount.minor() && has_tag(&cancel.reason, &attempt.order_id)
    })
}

/// Whether a cancel reason carries our tag as a whole word.
fn has_tag(reason: &str, tag: &str) -> bool {
    words(reason).any(|word| word == tag)
}

fn words(reason: &str) -> impl Iterator<Item = &str> {
    reason.split(|c: char| c.is_whitespace() || c == '[' || c == ']')
}
