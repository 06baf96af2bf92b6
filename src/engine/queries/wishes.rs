//! What was asked of a provider about subscriptions that it schedules, and is not known to be done.
//!
//! Nothing here says that anything failed: an open wish is read and sent again by itself, and what a person may do
//! depends on its age alone.

use chrono::{DateTime, Utc};

use crate::domain::ids::PublicId;
use crate::domain::mirror::{Wish, WishState};
use crate::domain::mode::Mode;
use crate::domain::money::Money;

use super::lists::{Call, CustomerBrief};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishRow {
    /// As stored.
    pub wish: Wish,
    /// About which subscription.
    pub subscription: PublicId,
    /// About which of its invoices, and how much that is.
    pub invoice: Option<(PublicId, Money)>,
    /// Whose.
    pub customer: CustomerBrief,
    /// Live, test or sim.
    pub mode: Mode,
    /// What a person may do now.
    pub can: WishCan,
}

/// What a person may do about an open wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishCan {
    /// Wait: it is read and sent again by itself.
    Wait,
    /// Look at the provider's own screen: it has been open for a day.
    LookThere,
    /// Ask again: nothing of it can be under way any more.
    AskAgain,
}

impl WishCan {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Wait, Self::LookThere, Self::AskAgain];

    /// The name scripts read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::LookThere => "look_there",
            Self::AskAgain => "ask_again",
        }
    }

    /// By the age of a wish.
    pub fn of(wish: &Wish, now: DateTime<Utc>) -> Self {
        if wish.is_over(now) && wish.lease_until <= now {
            Self::AskAgain
        } else if wish.needs_human(now) {
            Self::LookThere
        } else {
            Self::Wait
        }
    }
}

impl WishRow {
    /// Its call, while one is out.
    pub fn call(&self) -> Option<Call> {
        (self.wish.state == WishState::Sent).then(|| Call {
            by: self.wish.operator.clone(),
            since: self.wish.first_sent_at,
            until: self.wish.lease_until,
        })
    }

    /// From when on the same may be asked again, in database time.
    pub fn over_at(&self) -> DateTime<Utc> {
        self.wish.over_at()
    }
}
