//! What providers told: a row of the list of events, and what a person should know of it.

use chrono::{DateTime, Utc};

use crate::domain::ids::PublicId;
use crate::domain::mode::ProviderName;

/// A row of the event list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Row id.
    pub id: i64,
    /// From whom.
    pub provider: ProviderName,
    /// The provider's name for its kind.
    pub kind: String,
    /// What it is about, by the provider's name: the subscription, else the payment, else the customer.
    pub about: Option<String>,
    /// The subscription of ours that it is about.
    pub subscription: Option<PublicId>,
    /// When it happened there, where that is known.
    pub happened_at: Option<DateTime<Utc>>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// When it was worked on.
    pub processed_at: Option<DateTime<Utc>>,
    /// Where it stands.
    pub state: String,
    /// How often it was worked on.
    pub tries: u32,
    /// How often in a row its subscription could not be read since.
    pub unread: u32,
    /// What was in the way.
    pub error: Option<String>,
}

impl EventRow {
    /// What a person should know of it; an entry of the texts.
    pub fn standing(&self) -> &str {
        match self.state.as_str() {
            "processed" if self.unread > 0 => "unread",
            "processed" if self.subscription.is_none() => "heard",
            "ignored"
                if self
                    .about
                    .as_deref()
                    .is_some_and(|about| about.starts_with("sub_")) =>
            {
                "not_mirrored"
            }
            state => state,
        }
    }
}
