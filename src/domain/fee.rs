//! What a provider keeps for itself. A row of its balance says what moved, what that cost, and what is left of it; it is
//! never worked out here, and where no row is known the fee is not known. Amounts are in the currency the account is settled
//! in, which need not be the charge's.

use chrono::{DateTime, Utc};

use super::money::Money;

/// What moved the balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeeKind {
    /// Money came in.
    Charge,
    /// Money went back to a customer.
    Refund,
    /// Money that had gone back came in again: the refund failed.
    RefundFailure,
}

impl FeeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Charge, Self::Refund, Self::RefundFailure];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::RefundFailure => "refund_failure",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One row of a provider's balance, about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fee {
    /// The provider's name for the row; the same twice is one row.
    pub entry_key: String,
    /// What moved.
    pub kind: FeeKind,
    /// The provider's name for the payment.
    pub provider_ref: String,
    /// What moved; below zero for what went out.
    pub amount: Money,
    /// What the provider keeps of it.
    pub fee: Money,
    /// What is left: the amount less the fee.
    pub net: Money,
    /// When.
    pub at: DateTime<Utc>,
}
