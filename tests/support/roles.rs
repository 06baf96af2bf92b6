//! Who may do what, written down by hand from the decisions about roles, not from the code's own table. The engine,
//! the command line and the console are each held to it by a test of their own.
//!
//! A new verb gets a line here, and then each of the three says what it is missing.

use paydeck::domain::operator::{Role, Verb};

/// "support (charge, retry, refund up to limit, cancel, notes)"; whoever may charge and cancel also begins, changes and
/// ends what is charged. "oncall (support + …)"; admin does what all of them do.
pub const SERVICE: &[Role] = &[Role::Support, Role::Oncall, Role::Admin];
/// "oncall (support + resolve, breaker, bulk retry)", and the run that cron would start.
pub const DUTY: &[Role] = &[Role::Oncall, Role::Admin];
/// "finance (viewer + reports, close, approve)".
pub const SECOND: &[Role] = &[Role::Finance, Role::Admin];
/// Prices are nobody else's.
pub const OWNER: &[Role] = &[Role::Admin];

/// Where a verb can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Built {
    /// In the engine, on the command line and in the console.
    Everywhere,
    /// Named, and not built yet.
    Nowhere,
}

/// One verb, the roles that may, and where.
pub type Line = (Verb, &'static [Role], Built);

pub const TABLE: [Line; 25] = [
    (Verb::Charge, SERVICE, Built::Everywhere),
    (Verb::Retry, SERVICE, Built::Everywhere),
    (Verb::Refund, SERVICE, Built::Everywhere),
    (Verb::CancelNow, SERVICE, Built::Everywhere),
    (Verb::CancelAtEnd, SERVICE, Built::Everywhere),
    (Verb::UndoCancel, SERVICE, Built::Everywhere),
    (Verb::Pause, SERVICE, Built::Everywhere),
    (Verb::Resume, SERVICE, Built::Everywhere),
    (Verb::ChangePlan, SERVICE, Built::Nowhere),
    (Verb::SwapCard, SERVICE, Built::Everywhere),
    (Verb::Subscribe, SERVICE, Built::Everywhere),
    (Verb::OneTime, SERVICE, Built::Everywhere),
    (Verb::CreateCustomer, SERVICE, Built::Everywhere),
    (Verb::EditCustomer, SERVICE, Built::Nowhere),
    (Verb::CreatePlan, OWNER, Built::Everywhere),
    (Verb::EditPlan, OWNER, Built::Everywhere),
    (Verb::DeactivatePlan, OWNER, Built::Everywhere),
    (Verb::ApplyCoupon, SERVICE, Built::Nowhere),
    (Verb::GrantCredit, SERVICE, Built::Nowhere),
    (Verb::Note, SERVICE, Built::Everywhere),
    (Verb::ResolveUnknown, DUTY, Built::Everywhere),
    (Verb::ForceState, SECOND, Built::Everywhere),
    (Verb::Approve, SECOND, Built::Everywhere),
    (Verb::Bulk, DUTY, Built::Nowhere),
    (Verb::BillRun, DUTY, Built::Everywhere),
];

pub fn line(verb: Verb) -> Line {
    let found = TABLE.iter().find(|(of, ..)| *of == verb);
    *found.unwrap_or_else(|| panic!("{verb} is not in the table of roles"))
}

pub fn may(role: Role, verb: Verb) -> bool {
    line(verb).1.contains(&role)
}

pub fn is_built(verb: Verb) -> bool {
    line(verb).2 == Built::Everywhere
}
