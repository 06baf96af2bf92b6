//! What waits for a second person: requests of people, and returns that the system prepared.

use chrono::{DateTime, Utc};

use crate::domain::ids::{ApprovalId, AttemptId, PublicId};
use crate::domain::mode::Mode;
use crate::domain::money::Money;
use crate::domain::states::ApprovalState;

use super::lists::CustomerBrief;

/// What a row waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingFor {
    /// A refund or prepared return above the person's limit.
    Refund(ApprovalId),
    /// That an unknown charge be declared not executed.
    NotExecuted(ApprovalId),
    /// The return of money that nobody wanted; this is its attempt.
    Return(AttemptId),
}

impl WaitingFor {
    /// The name scripts read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refund(_) => "refund",
            Self::NotExecuted(_) => "not_executed",
            Self::Return(_) => "return",
        }
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRow {
    /// What is decided.
    pub what: WaitingFor,
    /// What a person names to decide it: a request, or a return's attempt.
    pub public_id: PublicId,
    /// What it is about: a payment or an attempt.
    pub target: PublicId,
    /// Whose money.
    pub customer: CustomerBrief,
    /// How much.
    pub amount: Money,
    /// Who asked; `system` for a return.
    pub requester: String,
    /// Why.
    pub reason: String,
    /// What supports it.
    pub evidence: String,
    /// Since when, in database time.
    pub since: DateTime<Utc>,
    /// How many seconds are left to approve it; none where it stays.
    pub left_s: Option<i64>,
    /// Live, test or sim.
    pub mode: Mode,
    /// Where it stands; a return that waits is waiting.
    pub state: ApprovalState,
    /// Who decided it.
    pub decided_by: Option<String>,
}
