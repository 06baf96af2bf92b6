//! What evidence makes of an attempt.
//!
//! [`learn_charge`] and [`learn_refund`] are the only places where evidence becomes a verdict.
//! Their default is "still unknown"; "we do not know" never turns into declined or succeeded.

mod kept;
mod refund;

use chrono::{DateTime, Duration, Utc};

pub use kept::{
    REFUND_UNDONE, RefundSighting, is_absent_in, is_given_elsewhere, kept_word, refund_sighting,
    undone_of,
};

use super::Attempt;
use super::asked::{AUTHENTICATION_H, is_waiting, waits_for_customer};
use crate::domain::evidence::{
    CancelSeen, Evidence, EvidenceSource, PaymentSeen, Proves, Refusal, SeenStatus, Unusable,
};
use crate::domain::failure::FailureClass;
use crate::domain::states::AttemptState;

pub use refund::learn_refund;

/// After a refusal was replayed, a look-up proves absence only when this much later.
pub const REPLAY_SETTLE_S: i64 = 60;

/// What evidence means for an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It says what we know already.
    AlreadyKnown,
    /// The charge was executed.
    Charged(PaymentSeen),
    /// The refund was executed.
    Refunded(CancelSeen),
    /// A refund that had been executed came back: the provider did not bring it to the customer after all.
    RefundUndone(CancelSeen),
    /// Not executed, and never will be under this key.
    Declined(Refusal),
    /// Ended before any money moved, for good, and nobody said no.
    NotExecuted,
    /// It never left: it may be sent again, unchanged.
    BackToReady,
    /// It never left, and is not to: money for the same invoice stands elsewhere.
    GivenUp,
    /// Nobody knows yet.
    StillUnknown(Unsettled),
}

/// What to do about an attempt that is still unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// The next step.
    pub next: NextStep,
    /// A refusal to remember.
    pub refusal: Option<Refusal>,
    /// The refusal came back unchanged on a re-send.
    pub was_replayed: bool,
    /// A person has to look at it.
    pub needs_human: bool,
}

/// What the reconciler does next with an unknown attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Look it up when the schedule says.
    LookLater,
    /// Look it up within seconds.
    LookSoon,
    /// Send the same bytes under the same id and key again.
    Resend,
    /// End what was prepared at the provider, so that it certainly takes nothing.
    Fence,
}

/// Evidence that cannot be true together with what is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("evidence contradicts a settled attempt")]
pub struct Contradiction;

impl Unsettled {
    fn look(next: NextStep) -> Self {
        Self {
            next,
            refusal: None,
            was_replayed: false,
            needs_human: false,
        }
    }
}

fn still(next: NextStep) -> Verdict {
    Verdict::StillUnknown(Unsettled::look(next))
}

fn page() -> Verdict {
    Verdict::StillUnknown(Unsettled {
        needs_human: true,
        ..Unsettled::look(NextStep::LookLater)
    })
}

/// What `evidence` means for a charge. `now` is database time.
pub fn learn_charge(
    attempt: &Attempt,
    evidence: &Evidence,
    source: EvidenceSource,
    now: DateTime<Utc>,
) -> Result<Verdict, Contradiction> {
    match attempt.state {
        AttemptState::Sent | AttemptState::Unknown => {
            Ok(learn_open_charge(attempt, evidence, source, now))
        }
        AttemptState::Succeeded | AttemptState::Duplicate => match evidence {
            Evidence::Seen(seen) if seen.status == SeenStatus::Captured => {
                let is_same = attempt.provider_ref.as_deref() == Some(seen.provider_ref.as_str());
                if is_same {
                    Ok(Verdict::AlreadyKnown)
                } else {
                    Err(Contradiction)
                }
            }
            Evidence::Seen(seen)
                if matches!(
                    seen.status,
                    SeenStatus::Failed | SeenStatus::NotStarted | SeenStatus::Canceled
                ) =>
            {
                Err(Contradiction)
            }
            _ => Ok(Verdict::AlreadyKnown),
        },
        AttemptState::Declined
        | AttemptState::NotExecuted
        | AttemptState::Abandoned
        | AttemptState::Ready
        | AttemptState::WaitingApproval => match evidence {
            Evidence::Seen(seen)
                if seen.status == SeenStatus::Captured && matches_order(attempt, seen) =>
            {
                Ok(Verdict::Charged(seen.clone()))
            }
            // It was said that it is not there, and something under its name is.
            Evidence::Unusable(Unusable::Mismatch)
                if attempt.state == AttemptState::NotExecuted =>
            {
                Err(Contradiction)
            }
            Evidence::Seen(seen)
                if seen.status == SeenStatus::Captured
                    && (attempt.state == AttemptState::NotExecuted
                        || seen.order_id == attempt.order_id) =>
            {
                Err(Contradiction)
            }
            _ => Ok(Verdict::AlreadyKnown),
        },
    }
}

fn matches_order(attempt: &Attempt, seen: &PaymentSeen) -> bool {
    seen.order_id == attempt.order_id
        && seen.total == attempt.amount
        && !seen.provider_ref.is_empty()
        && is_what_was_prepared(attempt, seen)
}

/// In two steps only what was named in our books was ever confirmed.
fn is_what_was_prepared(attempt: &Attempt, seen: &PaymentSeen) -> bool {
    !attempt.can_be_ended() || attempt.provider_ref.as_deref() == Some(&*seen.provider_ref)
}

/// Without a name nothing was ever confirmed.
fn is_unnamed(attempt: &Attempt) -> bool {
    attempt.can_be_ended() && attempt.provider_ref.is_none()
}

fn learn_open_charge(
    attempt: &Attempt,
    evidence: &Evidence,
    source: EvidenceSource,
    now: DateTime<Utc>,
) -> Verdict {
    match evidence {
        _ if is_first_step_failed(attempt, evidence, source) => match attempt.state {
            AttemptState::Sent => Verdict::BackToReady,
            _ => still(NextStep::LookLater),
        },
        Evidence::Seen(seen) => match seen.status {
            SeenStatus::Captured if matches_order(attempt, seen) => Verdict::Charged(seen.clone()),
            SeenStatus::Captured => page(),
            _ if seen.order_id != attempt.order_id || !is_what_was_prepared(attempt, seen) => {
                other_than_ours(seen)
            }
            SeenStatus::Failed if attempt.had_link() => refused_by_customer(seen),
            SeenStatus::Failed => match &seen.failure {
                Some(failure) => Verdict::Declined(declined_as(attempt, failure)),
                None => Verdict::Declined(declined_as(attempt, &expired())),
            },
            SeenStatus::NotStarted if was_refused_with_its_card(attempt) => still(NextStep::Fence),
            SeenStatus::NotStarted => not_seen(attempt, now),
            SeenStatus::NeedsCustomer => awaits_customer(attempt, now),
            SeenStatus::Canceled => ended(attempt),
            SeenStatus::Pending | SeenStatus::Other => still(NextStep::LookLater),
        },
        Evidence::Unconfirmed if is_unnamed(attempt) => not_seen(attempt, now),
        // Nobody said no, and nothing was asked of anybody: it is over, and took nothing.
        Evidence::Withdrawn if is_unnamed(attempt) => match attempt.state {
            AttemptState::Unknown => Verdict::NotExecuted,
            _ => still(NextStep::Fence),
        },
        Evidence::Refused(refusal) => learn_refusal(attempt, refusal, source),
        Evidence::NotSent | Evidence::Withheld(_)
            if attempt.send_count <= 1
                && attempt.state == AttemptState::Sent
                && source == EvidenceSource::Answer =>
        {
            Verdict::BackToReady
        }
        // Looked for before anything of it left: it holds the invoice's place for nothing.
        Evidence::Elsewhere(_) if never_left(attempt, source) => Verdict::GivenUp,
        Evidence::NotSeen => not_seen(attempt, now),
        Evidence::Busy => still(NextStep::LookSoon),
        Evidence::Elsewhere(_) | Evidence::Unusable(Unusable::Mismatch | Unusable::NoKey) => page(),
        Evidence::NotSent
        | Evidence::Withheld(_)
        | Evidence::Unconfirmed
        | Evidence::Withdrawn
        | Evidence::Throttled { .. }
        | Evidence::Unusable(_) => still(NextStep::LookLater),
    }
}

/// Whether money for its invoice that stands elsewhere was found before anything of this attempt could take some: in its
/// first send, or before the first of two steps.
fn never_left(attempt: &Attempt, source: EvidenceSource) -> bool {
    let is_first = attempt.send_count <= 1 && attempt.provider_ref.is_none();
    attempt.state == AttemptState::Sent
        && source == EvidenceSource::Answer
        && (is_first || is_unnamed(attempt))
}

/// The first of two steps came to nothing that settles anything: no money can have moved, and it is tried again.
fn is_first_step_failed(attempt: &Attempt, evidence: &Evidence, source: EvidenceSource) -> bool {
    let came_to_nothing = match evidence {
        Evidence::Refused(refusal) => {
            !matches!(refusal.proves, Proves::NotExecuted | Proves::ConfigTrouble)
        }
        // An answer about something else than what was asked for is somebody's to look at; so is a key that does not open.
        Evidence::Unusable(why) => !matches!(why, Unusable::Mismatch | Unusable::NoKey),
        Evidence::NotSent
        | Evidence::Withheld(_)
        | Evidence::NotSeen
        | Evidence::Throttled { .. }
        | Evidence::Busy => true,
        Evidence::Seen(_)
        | Evidence::Unconfirmed
        | Evidence::Withdrawn
        | Evidence::Elsewhere(_) => false,
    };
    came_to_nothing && source == EvidenceSource::Answer && is_unnamed(attempt)
}

/// A confirmation was refused while its intent kept the card: another that is on its way could still charge it.
fn was_refused_with_its_card(attempt: &Attempt) -> bool {
    let is_kept = |refusal: &Refusal| refusal.proves == Proves::LookUp;
    attempt.can_be_ended() && attempt.refusal.as_ref().is_some_and(is_kept)
}

/// What is settled under another name says nothing about ours, and somebody has to see why it is there.
const fn is_final(status: SeenStatus) -> bool {
    matches!(
        status,
        SeenStatus::Captured | SeenStatus::Failed | SeenStatus::Canceled
    )
}

fn other_than_ours(seen: &PaymentSeen) -> Verdict {
    if is_final(seen.status) {
        page()
    } else {
        still(NextStep::LookLater)
    }
}

/// The customer has to authenticate: not failed. After a day it is ended, and dunning asks for another way.
fn awaits_customer(attempt: &Attempt, now: DateTime<Utc>) -> Verdict {
    let is_over = attempt
        .last_sent_at
        .is_some_and(|at| now - at >= Duration::hours(AUTHENTICATION_H));
    let next = if is_over {
        NextStep::Fence
    } else {
        NextStep::LookLater
    };
    Verdict::StillUnknown(Unsettled {
        refusal: Some(waits_for_customer()),
        ..Unsettled::look(next)
    })
}

/// The customer refused, or their bank did. Who has the link could try again with it: it is ended first.
fn refused_by_customer(seen: &PaymentSeen) -> Verdict {
    let failure = seen.failure.clone().unwrap_or_else(waits_for_customer);
    Verdict::StillUnknown(Unsettled {
        refusal: Some(Refusal {
            proves: Proves::NotExecuted,
            ..failure
        }),
        ..Unsettled::look(NextStep::Fence)
    })
}

/// It was ended and took nothing. Where a refusal had been heard that could not be believed alone, it is one.
fn ended(attempt: &Attempt) -> Verdict {
    if attempt.state != AttemptState::Unknown {
        // From sent it becomes unknown first, like everything that is not an answer.
        return still(NextStep::Fence);
    }
    match &attempt.refusal {
        Some(refusal) if attempt.replayed_at.is_some() => Verdict::Declined(Refusal {
            class: class_after_replay(refusal),
            ..refusal.clone()
        }),
        Some(refusal)
            if is_waiting(refusal)
                || refusal.proves == Proves::NotExecuted
                || was_refused_with_its_card(attempt) =>
        {
            Verdict::Declined(Refusal {
                proves: Proves::NotExecuted,
                ..refusal.clone()
            })
        }
        Some(_) | None => Verdict::NotExecuted,
    }
}

/// A look-up that says "failed" after a replayed transient refusal keeps the class of that refusal.
fn declined_as(attempt: &Attempt, failure: &Refusal) -> Refusal {
    let class = match (&attempt.refusal, attempt.replayed_at) {
        (Some(first), Some(_)) if first.code == failure.code => class_after_replay(first),
        _ if failure.proves == Proves::Nothing => FailureClass::ProviderDown,
        _ => failure.class,
    };
    Refusal {
        class,
        ..failure.clone()
    }
}

fn class_after_replay(refusal: &Refusal) -> FailureClass {
    match refusal.proves {
        Proves::Unlisted => FailureClass::Unclassified,
        Proves::Nothing | Proves::LookUp | Proves::ConfigTrouble => FailureClass::ProviderDown,
        Proves::NotExecuted => refusal.class,
    }
}

fn expired() -> Refusal {
    Refusal {
        code: "EXPIRED".into(),
        class: FailureClass::ProviderDown,
        proves: Proves::NotExecuted,
        http_status: 200,
    }
}

fn learn_refusal(attempt: &Attempt, refusal: &Refusal, source: EvidenceSource) -> Verdict {
    if source != EvidenceSource::Answer {
        // A refused look-up says nothing about the charge.
        return still(NextStep::LookLater);
    }
    match refusal.proves {
        Proves::NotExecuted => Verdict::Declined(refusal.clone()),
        Proves::LookUp => Verdict::StillUnknown(Unsettled {
            refusal: Some(refusal.clone()),
            ..Unsettled::look(NextStep::LookSoon)
        }),
        Proves::ConfigTrouble => Verdict::StillUnknown(Unsettled {
            refusal: Some(refusal.clone()),
            needs_human: true,
            ..Unsettled::look(NextStep::LookLater)
        }),
        Proves::Nothing | Proves::Unlisted => Verdict::StillUnknown(Unsettled {
            refusal: Some(refusal.clone()),
            was_replayed: is_bound_to_its_key(attempt, refusal),
            ..Unsettled::look(NextStep::LookLater)
        }),
    }
}

/// A coded refusal that comes back unchanged on a re-send is what the provider keeps under the key:
/// the execution under this key is over.
fn is_bound_to_its_key(attempt: &Attempt, refusal: &Refusal) -> bool {
    let is_coded_4xx = (400..500).contains(&refusal.http_status)
        && !matches!(refusal.http_status, 401 | 409 | 429);
    let came_back = attempt.send_count > 1
        && attempt
            .refusal
            .as_ref()
            .is_some_and(|r| r.code == refusal.code);
    is_coded_4xx && came_back
}

/// What is known once a replayed refusal has had its minute, and a look-up still shows nothing.
fn over_after_replay(attempt: &Attempt, now: DateTime<Utc>) -> Option<Verdict> {
    let (Some(at), Some(refusal)) = (attempt.replayed_at, &attempt.refusal) else {
        return None;
    };
    (now - at >= Duration::seconds(REPLAY_SETTLE_S)).then(|| {
        if attempt.can_be_ended() && attempt.provider_ref.is_some() {
            // Each confirmation has a key of its own: an earlier one may still be on its way.
            return still(NextStep::Fence);
        }
        Verdict::Declined(Refusal {
            class: class_after_replay(refusal),
            ..refusal.clone()
        })
    })
}

fn not_seen(attempt: &Attempt, now: DateTime<Utc>) -> Verdict {
    over_after_replay(attempt, now).unwrap_or_else(|| resend_or_wait(attempt, now))
}

fn resend_or_wait(attempt: &Attempt, now: DateTime<Utc>) -> Verdict {
    if attempt.may_be_sent_again(now) {
        still(NextStep::Resend)
    } else if attempt.can_be_ended() {
        still(NextStep::Fence)
    } else {
        page()
    }
}

/// When to look at an unknown attempt again, in seconds after its `checks`-th look-up. There is no
/// last look: after the schedule ends it is daily.
pub fn next_check_delay_s(checks: u32) -> i64 {
    const SCHEDULE: [i64; 8] = [5, 15, 45, 120, 300, 900, 3_600, 10_800];
    let index = usize::try_from(checks).unwrap_or(usize::MAX);
    match SCHEDULE.get(index) {
        Some(delay) => *delay,
        None if index < SCHEDULE.len() + 12 => 21_600,
        None => 86_400,
    }
}

#[cfg(test)]
pub(super) mod tests;
