//! Invoices: what is owed for one period of one subscription, or once.

use chrono::{DateTime, NaiveDate, Utc};

use super::dunning::DunningState;
use super::failure::FailureClass;
use super::ids::{CustomerId, InvoiceId, PublicId, SubscriptionId};
use super::money::Money;
use super::states::InvoiceState;

/// What an invoice is for. With subscription, term and period index it is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvoiceKind {
    /// A period of a subscription.
    Renewal,
    /// The difference of a plan change.
    Proration,
    /// Not tied to a renewal.
    OneTime,
}

impl InvoiceKind {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Proration => "proration",
            Self::OneTime => "one_time",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Renewal, Self::Proration, Self::OneTime]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What is owed. The amount is a snapshot: later price changes do not touch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Row id.
    pub id: InvoiceId,
    /// Public id, `inv_…`.
    pub public_id: PublicId,
    /// Who owes it.
    pub customer_id: CustomerId,
    /// For which subscription; none when one-time.
    pub subscription_id: Option<SubscriptionId>,
    /// Which term of it.
    pub term_no: u32,
    /// Which period of the term.
    pub period_index: u32,
    /// What for.
    pub kind: InvoiceKind,
    /// Where it stands.
    pub state: InvoiceState,
    /// How much, as agreed when it was made.
    pub amount: Money,
    /// One line for the customer, such as the plan's name.
    pub description: String,
    /// When it falls due.
    pub due_at: DateTime<Utc>,
    /// First day it pays for.
    pub period_from: NaiveDate,
    /// The day after the last it pays for.
    pub period_to: NaiveDate,
    /// Attempts made so far, of any source.
    pub attempts: u32,
    /// Dunning attempts used up.
    pub dunning_used: u32,
    /// What dunning does next.
    pub dunning: DunningState,
    /// When the next dunning attempt is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When the first attempt failed.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// Provider code of the last refusal.
    pub last_code: Option<String>,
    /// Class of the last refusal.
    pub last_class: Option<FailureClass>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// Grows by one with every change.
    pub version: i64,
}
