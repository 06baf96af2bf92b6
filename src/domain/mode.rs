//! Mode: whether money is real. It is on the database, on every row and on every screen.

use std::fmt;

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
}

impl ProviderName {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Toss => "toss",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        (text == "toss").then_some(Self::Toss)
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
