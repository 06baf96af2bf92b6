//! Mode: whether money is real. It is on the database, on every row and on every screen.

use std::fmt;

use chrono::Duration;

use super::attempt::AttemptKind;

/// Live money, the provider's test environment, or our own simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Real money.
    Live,
    /// The provider's test environment.
    Test,
    /// The built-in simulator.
    Sim,
}

impl Mode {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
            Self::Sim => "sim",
        }
    }

    /// The word on the banner.
    pub const fn banner(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Test => "TEST",
            Self::Sim => "SIM",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "test" => Some(Self::Test),
            "sim" => Some(Self::Sim),
            _ => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which provider holds a payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderName {
    /// Toss Payments.
    Toss,
    /// Stripe.
    Stripe,
}

impl ProviderName {
    /// Every provider.
    pub const ALL: [Self; 2] = [Self::Toss, Self::Stripe];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Toss => "toss",
            Self::Stripe => "stripe",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// Whether a charge is first prepared, which moves no money, and then confirmed under the name that it was given.
    pub const fn charges_in_two_steps(self) -> bool {
        match self {
            Self::Toss => false,
            Self::Stripe => true,
        }
    }

    /// How long after its first send an attempt may be sent again: for as long as the provider certainly remembers its
    /// idempotency key, less a margin. A charge at Stripe is held by its intent, which is paid once at most.
    pub const fn resend_window(self, kind: AttemptKind) -> Duration {
        match (self, kind) {
            (Self::Toss, _) | (Self::Stripe, AttemptKind::Charge) => Duration::days(14),
            (Self::Stripe, AttemptKind::Refund) => Duration::hours(23),
        }
    }

    /// Whether it refuses a refund where it does not hold any more what it held: a refund says so there. Elsewhere one that
    /// is sent again goes out beside what somebody gave back meanwhile.
    pub const fn refuses_other_balance(self) -> bool {
        match self {
            Self::Toss => true,
            Self::Stripe => false,
        }
    }

    /// Whether a refund that was done may come back days later, because the bank does not take it.
    pub const fn takes_refunds_back(self) -> bool {
        match self {
            Self::Toss => false,
            Self::Stripe => true,
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
