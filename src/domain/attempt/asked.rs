//! A charge that waits for its customer: the bank wants them to confirm it, at a link that the provider keeps.
//!
//! The open attempt is the payment behind the link, so nothing else can be charged for its invoice while the link is
//! open. A link that was open is ended at the provider before anything is concluded: whoever has it could go on with it.

use chrono::{DateTime, Duration, Utc};

use super::{Attempt, Source};
use crate::domain::evidence::{Proves, Refusal};
use crate::domain::failure::FailureClass;
use crate::domain::states::AttemptState;

/// How long a customer who must authenticate is waited for before the charge is ended.
pub const AUTHENTICATION_H: i64 = 23;
/// Longest wait between two looks at an open link, in seconds.
pub const LINK_LOOK_S: i64 = 120;
/// What stands for a charge that waits for the customer.
const AUTHENTICATION: &str = "PAYDECK_AUTHENTICATION";

/// What is remembered of a charge while it waits for the customer, and stands on it if they never come.
pub(super) fn waits_for_customer() -> Refusal {
    Refusal {
        code: AUTHENTICATION.into(),
        class: FailureClass::NeedsCustomer,
        proves: Proves::Nothing,
        http_status: 200,
    }
}

/// Whether this stands for a charge that waits for the customer.
pub(super) fn is_waiting(refusal: &Refusal) -> bool {
    refusal.code == AUTHENTICATION
}

/// Codes of a charge that took nothing because the customer was not asked, or did not answer.
const WANT_CUSTOMER: [&str; 4] = [
    AUTHENTICATION,
    "authentication_required",
    "authentication_not_handled",
    "payment_intent_authentication_failure",
];

/// Whom the bank may ask about a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// The customer, at a link.
    Customer,
    /// Nobody: the bank takes it as it is or refuses it.
    Nobody,
}

impl Source {
    /// Whom the bank may ask, by the code with which the last charge of the same invoice took nothing. A first charge and
    /// a person's have somebody who can hand the customer a link. A run charges while nobody is there; but where the bank
    /// wanted the customer the last time, it would refuse the schedule's next try as well, and that one asks them.
    pub fn asks(self, last_code: Option<&str>) -> Asks {
        let wanted = last_code.is_some_and(|code| WANT_CUSTOMER.contains(&code));
        match self {
            Self::First | Self::Manual | Self::CardUpdate => Asks::Customer,
            Self::Dunning if wanted => Asks::Customer,
            Self::Run | Self::Dunning => Asks::Nobody,
        }
    }
}

impl Attempt {
    /// Whether it waits for its customer.
    pub fn asks_customer(&self) -> bool {
        self.state == AttemptState::Unknown
            && self.can_be_ended()
            && self.refusal.as_ref().is_some_and(is_waiting)
    }

    /// Until when the customer can answer; none where nobody is asked.
    pub fn link_until(&self) -> Option<DateTime<Utc>> {
        // While a link is open nothing is sent again: the last send opened it.
        let opened = self.last_sent_at.filter(|_| self.asks_customer())?;
        Some(opened + Duration::hours(AUTHENTICATION_H))
    }

    /// Whether there is or was a link for it. What is remembered as a refusal although nobody ended it came behind one.
    pub fn had_link(&self) -> bool {
        let is_behind_link =
            |refusal: &Refusal| is_waiting(refusal) || refusal.proves == Proves::NotExecuted;
        self.can_be_ended()
            && self.state == AttemptState::Unknown
            && self.refusal.as_ref().is_some_and(is_behind_link)
    }
}
