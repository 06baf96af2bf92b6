//! Billing runs: one decision per due row, also the decision not to charge.

use chrono::{DateTime, Utc};

use super::ids::{AttemptId, InvoiceId, PublicId, RunId, SubscriptionId};
use super::states::RunState;

/// Why a run stopped whose process went away in the middle of it.
pub const INTERRUPTED: &str = "interrupted";

/// One billing run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Row id.
    pub id: RunId,
    /// Public id, `run_…`.
    pub public_id: PublicId,
    /// Where it stands.
    pub state: RunState,
    /// Who started it.
    pub operator: String,
    /// On which host, by which process.
    pub host: String,
    /// Everything due up to here, in business time.
    pub until: DateTime<Utc>,
    /// When it started, in business time.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it stopped, where it did.
    pub stop_reason: Option<String>,
}

impl Run {
    /// Whether its process went away in the middle of it.
    pub fn is_interrupted(&self) -> bool {
        self.state == RunState::Stopped && self.stop_reason.as_deref() == Some(INTERRUPTED)
    }
}

/// What a run decided about one due row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Charged.
    Done,
    /// The provider said no.
    Declined,
    /// The answer was lost.
    Unknown,
    /// Certainly not sent; still due.
    NotSent,
    /// Sent, and declared not executed by two persons.
    NotExecuted,
    /// Nothing to pay: the invoice was closed without a call.
    ZeroAmount,
    /// Left alone: an earlier attempt is not settled.
    SkippedUnknownOpen,
    /// Left alone: no card to charge.
    SkippedNoMethod,
    /// Left alone: the provider deleted the billing key.
    SkippedKeyDeleted,
    /// Left alone: paused.
    SkippedPaused,
    /// Left alone: somebody else bills it right now.
    SkippedClaimed,
    /// Left alone: it was billed already.
    SkippedAlreadyBilled,
    /// Left alone: below what the provider charges; carried over.
    SkippedBelowMinimum,
    /// Left alone: more than one period is missing; a person decides.
    SkippedCatchUp,
    /// Ended instead of billed: its cancel took effect.
    Canceled,
    /// Left alone: the breaker is open.
    SkippedBreaker,
    /// Left alone: our key or contract was refused.
    SkippedConfig,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 17] = [
        Self::Done,
        Self::Declined,
        Self::Unknown,
        Self::NotSent,
        Self::NotExecuted,
        Self::ZeroAmount,
        Self::SkippedUnknownOpen,
        Self::SkippedNoMethod,
        Self::SkippedKeyDeleted,
        Self::SkippedPaused,
        Self::SkippedClaimed,
        Self::SkippedAlreadyBilled,
        Self::SkippedBelowMinimum,
        Self::SkippedCatchUp,
        Self::Canceled,
        Self::SkippedBreaker,
        Self::SkippedConfig,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Declined => "declined",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
            Self::NotExecuted => "not_executed",
            Self::ZeroAmount => "zero_amount",
            Self::SkippedUnknownOpen => "skipped_unknown_open",
            Self::SkippedNoMethod => "skipped_no_method",
            Self::SkippedKeyDeleted => "skipped_key_deleted",
            Self::SkippedPaused => "skipped_paused",
            Self::SkippedClaimed => "skipped_claimed",
            Self::SkippedAlreadyBilled => "skipped_already_billed",
            Self::SkippedBelowMinimum => "skipped_below_minimum",
            Self::SkippedCatchUp => "skipped_catch_up",
            Self::Canceled => "canceled",
            Self::SkippedBreaker => "skipped_breaker",
            Self::SkippedConfig => "skipped_config",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|decision| decision.as_str() == text)
    }
}

/// One row of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunItem {
    /// Which run.
    pub run_id: RunId,
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// Which invoice, once made.
    pub invoice_id: Option<InvoiceId>,
    /// Which attempt, once made.
    pub attempt_id: Option<AttemptId>,
    /// What was decided; none while the call is out.
    pub decision: Option<Decision>,
    /// Details for "why was this (not) charged".
    pub reason: String,
    /// When, in business time.
    pub at: DateTime<Utc>,
}
