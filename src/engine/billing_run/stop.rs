//! Why a run begins nothing new. What is out is settled all the same.

use crate::domain::mode::ProviderName;

/// Why nothing new is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Every further call would be refused as well.
    KeyRefused,
    /// One provider is in trouble: its rows stay ready, those of another go on.
    Held(ProviderName),
}

impl Stop {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::KeyRefused => "the provider refused our key or contract",
            Self::Held(_) => "circuit breaker open",
        }
    }
}
