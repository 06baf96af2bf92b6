//! Failure classes: what a refusal means for what is done next.

/// The class of a refused or failed attempt. The first three are declines; the others are
/// failures that use no dunning attempt and make nobody past due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// Later may work: balance, limit, issuer's mood.
    Soft,
    /// Never works with this card.
    Hard,
    /// The customer must do something first.
    NeedsCustomer,
    /// Our key, contract or request is wrong: stop, alert, never dun.
    Config,
    /// The provider or the card network had trouble.
    ProviderDown,
    /// A code we do not know yet: one further try, counted and shown.
    Unclassified,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::Soft,
        Self::Hard,
        Self::NeedsCustomer,
        Self::Config,
        Self::ProviderDown,
        Self::Unclassified,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
            Self::NeedsCustomer => "needs_customer",
            Self::Config => "config",
            Self::ProviderDown => "provider_down",
            Self::Unclassified => "unclassified",
        }
    }

    /// Reads a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }

    /// Whether the customer's card or account said no.
    pub const fn is_decline(self) -> bool {
        matches!(
            self,
            Self::Soft | Self::Hard | Self::NeedsCustomer | Self::Unclassified
        )
    }
}

impl std::fmt::Display for FailureClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
