//! Who is acting and what each role may do. Deny by default; one table for every verb.

/// What a person may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Charges, retries, refunds up to a limit, cancels, writes notes.
    Support,
    /// Support, and resolves unknowns, resets the breaker, retries in bulk.
    Oncall,
    /// Reports, closes months, approves.
    Finance,
    /// Everything but approving its own requests.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Support,
        Self::Oncall,
        Self::Finance,
        Self::Admin,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Support => "support",
            Self::Oncall => "oncall",
            Self::Finance => "finance",
            Self::Admin => "admin",
        }
    }

    /// Reads a setting.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Everything that changes something, by the name scripts use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Charge an open invoice.
    Charge,
    /// Charge again after a decline.
    Retry,
    /// Give money back.
    Refund,
    /// End a subscription at once.
    CancelNow,
    /// End it when the paid period ends.
    CancelAtEnd,
    /// Take a scheduled end back.
    UndoCancel,
    /// Stop billing for a while.
    Pause,
    /// Go on billing.
    Resume,
    /// Move to another plan.
    ChangePlan,
    /// Register another card.
    SwapCard,
    /// Start a subscription.
    Subscribe,
    /// Charge once, not tied to a renewal.
    OneTime,
    /// Create a customer.
    CreateCustomer,
    /// Change a customer's contact data.
    EditCustomer,
    /// Create a plan.
    CreatePlan,
    /// Change a plan.
    EditPlan,
    /// Close a plan to new subscriptions.
    DeactivatePlan,
    /// Give a discount.
    ApplyCoupon,
    /// Give credit.
    GrantCredit,
    /// Write a note.
    Note,
    /// Ask the provider about an unknown attempt.
    ResolveUnknown,
    /// Declare a state by hand, with evidence and a second person.
    ForceState,
    /// Approve another person's request.
    Approve,
    /// Act on many rows.
    Bulk,
    /// Run the billing.
    BillRun,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 25] = [
        Self::Charge,
        Self::Retry,
        Self::Refund,
        Self::CancelNow,
        Self::CancelAtEnd,
        Self::UndoCancel,
        Self::Pause,
        Self::Resume,
        Self::ChangePlan,
        Self::SwapCard,
        Self::Subscribe,
        Self::OneTime,
        Self::CreateCustomer,
        Self::EditCustomer,
        Self::CreatePlan,
        Self::EditPlan,
        Self::DeactivatePlan,
        Self::ApplyCoupon,
        Self::GrantCredit,
        Self::Note,
        Self::ResolveUnknown,
        Self::ForceState,
        Self::Approve,
        Self::Bulk,
        Self::BillRun,
    ];

    /// The name scripts and the audit trail use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Retry => "retry",
            Self::Refund => "refund",
            Self::CancelNow => "cancel-now",
            Self::CancelAtEnd => "cancel-at-end",
            Self::UndoCancel => "undo-cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::ChangePlan => "change-plan",
            Self::SwapCard => "swap-card",
            Self::Subscribe => "subscribe",
            Self::OneTime => "one-time",
            Self::CreateCustomer => "create-customer",
            Self::EditCustomer => "edit-customer",
            Self::CreatePlan => "create-plan",
            Self::EditPlan => "edit-plan",
            Self::DeactivatePlan => "deactivate-plan",
            Self::ApplyCoupon => "apply-coupon",
            Self::GrantCredit => "grant-credit",
            Self::Note => "note",
            Self::ResolveUnknown => "resolve-unknown",
            Self::ForceState => "force-state",
            Self::Approve => "approve",
            Self::Bulk => "bulk",
            Self::BillRun => "bill-run",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == text)
    }

    /// The roles that may do this.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Admin, Finance, Oncall, Support};
        match self {
            Self::Charge
            | Self::Retry
            | Self::Refund
            | Self::CancelNow
            | Self::CancelAtEnd
            | Self::UndoCancel
            | Self::Pause
            | Self::Resume
            | Self::ChangePlan
            | Self::SwapCard
            | Self::Subscribe
            | Self::OneTime
            | Self::CreateCustomer
            | Self::EditCustomer
            | Self::ApplyCoupon
            | Self::GrantCredit
            | Self::Note => &[Support, Oncall, Admin],
            Self::ResolveUnknown | Self::Bulk | Self::BillRun => &[Oncall, Admin],
            Self::ForceState | Self::Approve => &[Finance, Admin],
            Self::CreatePlan | Self::EditPlan | Self::DeactivatePlan => &[Admin],
        }
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether this session may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As the roles say.
    ReadWrite,
    /// Nothing, whatever the roles say.
    ReadOnly,
}

/// The person acting, resolved once per process and handed to every verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The person's name in the configuration, or `cron`, `reconciler`.
    pub person: String,
    /// What the person may be.
    pub roles: Vec<Role>,
    /// Whether this session may change anything.
    pub access: Access,
    /// What supports the identity: uid, key fingerprint, client address. Claims, not secrets.
    pub evidence: Vec<(String, String)>,
}

/// Why a verb is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The session is read-only.
    #[error("{verb} refused: this session is read-only")]
    ReadOnly {
        /// What was asked for.
        verb: Verb,
    },
    /// None of the person's roles allows it.
    #[error("{verb} refused: {person} has none of the roles that may do it")]
    Role {
        /// What was asked for.
        verb: Verb,
        /// Who asked.
        person: String,
    },
}

impl Operator {
    /// Checks one verb.
    pub fn check(&self, verb: Verb) -> Result<(), Denied> {
        if self.access == Access::ReadOnly {
            return Err(Denied::ReadOnly { verb });
        }
        if self.roles.iter().any(|role| verb.roles().contains(role)) {
            Ok(())
        } else {
            Err(Denied::Role {
                verb,
                person: self.person.clone(),
            })
        }
    }

    /// The system itself, for schedules.
    pub fn system(name: &str) -> Self {
        Self {
            person: name.to_owned(),
            roles: vec![Role::Oncall],
            access: Access::ReadWrite,
            evidence: vec![("process".to_owned(), name.to_owned())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(role: Role) -> Operator {
        Operator {
            person: "kim".into(),
            roles: vec![role],
            access: Access::ReadWrite,
            evidence: vec![],
        }
    }

    #[test]
    fn a_viewer_changes_nothing_and_nobody_does_when_read_only() {
        for verb in Verb::ALL {
            assert!(with(Role::Viewer).check(verb).is_err(), "{verb}");
            let admin = Operator {
                access: Access::ReadOnly,
                ..with(Role::Admin)
            };
            assert_eq!(admin.check(verb), Err(Denied::ReadOnly { verb }));
        }
    }

    #[test]
    fn money_verbs_are_for_support_and_plans_for_admins() {
        assert!(with(Role::Support).check(Verb::Refund).is_ok());
        assert!(with(Role::Finance).check(Verb::Refund).is_err());
        assert!(with(Role::Support).check(Verb::EditPlan).is_err());
        assert!(with(Role::Support).check(Verb::ResolveUnknown).is_err());
        assert!(with(Role::Oncall).check(Verb::ResolveUnknown).is_ok());
    }

    #[test]
    fn names_read_back() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(verb.as_str()), Some(verb));
        }
    }
}
