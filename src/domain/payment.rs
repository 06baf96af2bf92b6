//! Payments: the settled charge of an invoice, and how much of it may still go back.

use chrono::{DateTime, Utc};

use super::ids::{AttemptId, CustomerId, InvoiceId, PaymentId, PublicId, SubscriptionId};
use super::mode::{Mode, ProviderName};
use super::money::{Money, MoneyError};

/// A captured charge. At all times `captured >= refunded + reserved`; the database holds that too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Row id.
    pub id: PaymentId,
    /// Public id, `pay_…`.
    pub public_id: PublicId,
    /// Which invoice it paid.
    pub invoice_id: InvoiceId,
    /// The attempt that took the money.
    pub attempt_id: AttemptId,
    /// Who paid.
    pub customer_id: CustomerId,
    /// For which subscription; none when one-time.
    pub subscription_id: Option<SubscriptionId>,
    /// Which provider holds it.
    pub provider: ProviderName,
    /// Live, test or sim.
    pub mode: Mode,
    /// The provider's name for it: Toss `paymentKey`.
    pub provider_ref: String,
    /// Our name for it at the provider.
    pub order_id: String,
    /// What was taken.
    pub captured: Money,
    /// What has gone back, in minor units.
    pub refunded_minor: i64,
    /// What is on its way back, in minor units.
    pub reserved_minor: i64,
    /// When the provider approved it.
    pub captured_at: DateTime<Utc>,
    /// Taken for an obligation that was already paid.
    pub is_duplicate: bool,
    /// How its card was charged.
    pub card_use: CardUse,
    /// Grows by one with every change.
    pub version: i64,
}

/// How a card was charged, as far as the provider said. What it did not say is unknown, and never "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CardUse {
    /// Over how many months the customer pays it off; zero is all at once.
    pub installment_months: Option<u32>,
    /// Whether the customer's bank asked them.
    pub three_d_secure: Option<ThreeDSecure>,
}

/// What 3-D Secure came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThreeDSecure {
    /// It was not asked for.
    NotUsed,
    /// The customer proved who they are.
    Authenticated,
    /// It was tried, and the bank stands in as if it had been done.
    Attempted,
    /// The bank let it pass without.
    Exempted,
    /// The card or its bank cannot do it.
    NotSupported,
    /// The customer did not prove who they are.
    Failed,
    /// It was used, and a word we do not know says how.
    Other,
}

impl ThreeDSecure {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::NotUsed,
        Self::Authenticated,
        Self::Attempted,
        Self::Exempted,
        Self::NotSupported,
        Self::Failed,
        Self::Other,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotUsed => "not_used",
            Self::Authenticated => "authenticated",
            Self::Attempted => "attempted",
            Self::Exempted => "exempted",
            Self::NotSupported => "not_supported",
            Self::Failed => "failed",
            Self::Other => "other",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// Derived from the amounts, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundStanding {
    /// Nothing went back.
    None,
    /// A part went back.
    Partial,
    /// All of it went back.
    Full,
}

/// Why a refund amount is refused before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Zero or negative. Zero never means "all of it".
    #[error("a refund must be above zero")]
    NotPositive,
    /// More than is left.
    #[error("at most {refundable} can be refunded")]
    TooMuch {
        /// What is left.
        refundable: Money,
    },
    /// Another currency than the payment's.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// How much to give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundAmount {
    /// Everything that is left.
    Full,
    /// This much.
    Partial(Money),
}

impl Payment {
    /// What may still be refunded.
    pub fn refundable(&self) -> Result<Money, MoneyError> {
        let currency = self.captured.currency();
        let gone = Money::new(self.refunded_minor, currency)
            .checked_add(Money::new(self.reserved_minor, currency))?;
        self.captured.checked_sub(gone)
    }

    /// Checks a refund against what is left and gives the exact amount.
    pub fn check_refund(&self, amount: RefundAmount) -> Result<Money, RefundError> {
        let refundable = self.refundable()?;
        let wanted = match amount {
            RefundAmount::Full => refundable,
            RefundAmount::Partial(money) => money,
        };
        if !wanted.is_positive() {
            return Err(if refundable.is_positive() {
                RefundError::NotPositive
            } else {
                RefundError::TooMuch { refundable }
            });
        }
        if refundable.checked_sub(wanted)?.minor() < 0 {
            return Err(RefundError::TooMuch { refundable });
        }
        Ok(wanted)
    }

    /// What has happened to the money since.
    pub fn standing(&self) -> RefundStanding {
        if self.refunded_minor == 0 {
            RefundStanding::None
        } else if self.refunded_minor >= self.captured.minor() {
            RefundStanding::Full
        } else {
            RefundStanding::Partial
        }
    }
}
