//! What evidence makes of a refund. A refusal by itself settles none, and success needs our tag and our amount.

use chrono::{DateTime, Utc};

use super::super::Attempt;
use super::kept::our;
use super::{
    Contradiction, NextStep, Unsettled, Verdict, is_bound_to_its_key, over_after_replay, page,
    resend_or_wait, still,
};
use crate::domain::evidence::{Evidence, EvidenceSource, PaymentSeen, Proves, Refusal, Unusable};
use crate::domain::failure::FailureClass;
use crate::domain::states::AttemptState;

/// What `evidence` means for a refund. `now` is database time.
///
/// A refusal by itself never settles a refund: the payment is read back first. An absent tag declines
/// it together with a definitive code, or a minute after a coded refusal was replayed under its key.
pub fn learn_refund(
    attempt: &Attempt,
    evidence: &Evidence,
    source: EvidenceSource,
    now: DateTime<Utc>,
) -> Result<Verdict, Contradiction> {
    let is_open = matches!(attempt.state, AttemptState::Sent | AttemptState::Unknown);
    let is_settled_success = matches!(
        attempt.state,
        AttemptState::Succeeded | AttemptState::Duplicate
    );
    match evidence {
        Evidence::Seen(seen) => match our(attempt, &seen.cancels) {
            Some(_) if is_settled_success => Ok(Verdict::AlreadyKnown),
            Some(cancel) if cancel.is_done => Ok(Verdict::Refunded(cancel.clone())),
            Some(_) => Ok(if is_open {
                still(NextStep::LookLater)
            } else {
                Verdict::AlreadyKnown
            }),
            None if our(attempt, &seen.undone).is_some() => Ok(undone(attempt, seen)),
            None if is_settled_success => Err(Contradiction),
            None if is_open => Ok(absent_refund(attempt, seen, now)),
            None => Ok(Verdict::AlreadyKnown),
        },
        _ if !is_open => Ok(Verdict::AlreadyKnown),
        // A refused look-up says nothing about the refund, and must not hide what its answer said.
        Evidence::Refused(_) if source != EvidenceSource::Answer => Ok(still(NextStep::LookLater)),
        Evidence::Refused(refusal) => Ok(Verdict::StillUnknown(Unsettled {
            refusal: Some(refusal.clone()),
            was_replayed: refusal.proves != Proves::ConfigTrouble
                && is_bound_to_its_key(attempt, refusal),
            needs_human: refusal.proves == Proves::ConfigTrouble,
            ..Unsettled::look(NextStep::LookSoon)
        })),
        // A look-up that never left says nothing about the refund.
        Evidence::NotSent
            if attempt.send_count <= 1
                && attempt.state == AttemptState::Sent
                && source == EvidenceSource::Answer =>
        {
            Ok(Verdict::BackToReady)
        }
        Evidence::Busy => Ok(still(NextStep::LookSoon)),
        Evidence::Unusable(Unusable::Mismatch) => Ok(page()),
        // A payment we captured that its provider does not know: never proof about the refund.
        Evidence::NotSeen
        | Evidence::NotSent
        | Evidence::Unconfirmed
        | Evidence::Withdrawn
        | Evidence::Withheld(_)
        | Evidence::Elsewhere(_)
        | Evidence::Throttled { .. }
        | Evidence::Unusable(_) => Ok(still(NextStep::LookLater)),
    }
}

/// The provider did not bring a refund to the customer: it has the money again, or never gave it.
fn undone(attempt: &Attempt, seen: &PaymentSeen) -> Verdict {
    match (attempt.state, our(attempt, &seen.undone)) {
        (AttemptState::Sent | AttemptState::Unknown, Some(_)) => Verdict::Declined(Refusal {
            code: "PAYDECK_REFUND_FAILED".into(),
            class: FailureClass::ProviderDown,
            proves: Proves::NotExecuted,
            http_status: 200,
        }),
        (AttemptState::Succeeded, Some(cancel)) => Verdict::RefundUndone(cancel.clone()),
        _ => Verdict::AlreadyKnown,
    }
}

fn absent_refund(attempt: &Attempt, seen: &PaymentSeen, now: DateTime<Utc>) -> Verdict {
    let is_lower = attempt
        .expected_balance_minor
        .is_some_and(|expected| seen.balance_minor < expected);
    match &attempt.refusal {
        Some(refusal) if refusal.proves == Proves::NotExecuted => {
            Verdict::Declined(refusal.clone())
        }
        Some(refusal) if refusal.proves == Proves::LookUp && is_lower => {
            let code = "REFUNDED_ELSEWHERE".into();
            Verdict::Declined(Refusal {
                code,
                ..refusal.clone()
            })
        }
        // Somebody gave money back meanwhile, perhaps instead of this: it does not go out again where nobody would stop it.
        _ if is_lower && !attempt.provider.refuses_other_balance() => page(),
        // Another balance than the one it left with: somebody gave money back, and nothing says that it was not this.
        _ if attempt.replayed_at.is_some()
            && attempt.expected_balance_minor != Some(seen.balance_minor) =>
        {
            page()
        }
        _ => over_after_replay(attempt, now).unwrap_or_else(|| resend_or_wait(attempt, now)),
    }
}
