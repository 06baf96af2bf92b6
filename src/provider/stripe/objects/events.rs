//! What happened at Stripe, for catching up after an outage and for a mirror.
//!
//! An event here names what to ask about and holds nothing else: its object has the shape of the account's
//! own version, events come twice and out of order, and only the object itself says how it stands.

use chrono::{DateTime, Utc};

use crate::provider::stripe::client::StripeClient;
use crate::provider::stripe::form::Form;
use crate::provider::stripe::request::Unsendable;
use crate::provider::stripe::wire;

use super::call::{Page, Read, name_of};
use super::error::StripeError;

/// Most types that one question may name.
pub const MOST_EVENT_TYPES: usize = 20;

/// Something happened. Seen once, its id is not to be worked on again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// Such as `invoice.paid`.
    pub kind: String,
    /// When.
    pub created: DateTime<Utc>,
    /// What kind of object it is about, such as `invoice`.
    pub object_kind: String,
    /// The object's name.
    pub object: Option<String>,
    /// Whose it is.
    pub customer: Option<String>,
    /// The subscription it is, or belongs to.
    pub subscription: Option<String>,
    /// The intent it is, or belongs to.
    pub payment_intent: Option<String>,
    /// The key of the request that made it happen; none for Stripe's own doing.
    pub idem_key: Option<String>,
}

impl Read for Event {
    type Wire = wire::Event;

    fn livemode(wire: &wire::Event) -> Option<bool> {
        Some(wire.livemode)
    }

    fn read(wire: wire::Event) -> Option<Self> {
        let about = wire.data.object;
        let itself = |kind: &str| (about.object == kind).then(|| about.id.clone()).flatten();
        Some(Self {
            customer: itself("customer").or_else(|| name_of(about.customer.as_ref())),
            subscription: about.subscription_id().map(ToOwned::to_owned),
            payment_intent: itself("payment_intent")
                .or_else(|| name_of(about.payment_intent.as_ref())),
            created: wire::instant(wire.created)?,
            id: wire.id,
            kind: wire.kind,
            object_kind: about.object,
            object: about.id,
            idem_key: wire.request.and_then(|request| request.idempotency_key),
        })
    }
}

/// Which events are listed. Stripe keeps them for thirty days.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventFilter<'a> {
    /// Their types, at most [`MOST_EVENT_TYPES`]; none for all.
    pub kinds: &'a [&'a str],
    /// From this instant on.
    pub since: Option<DateTime<Utc>>,
    /// Older than this one: the next page of a list that is read from its newest.
    pub older_than: Option<&'a str>,
    /// Newer than this one: the next page of a mirror that has come this far.
    pub newer_than: Option<&'a str>,
}

impl StripeClient {
    /// A page of the events, newest first.
    pub async fn events(
        &self,
        filter: EventFilter<'_>,
        limit: u32,
    ) -> Result<Page<Event>, StripeError> {
        const OPERATION: &str = "list events";
        if filter.kinds.len() > MOST_EVENT_TYPES {
            return Err(StripeError::unsendable(OPERATION, Unsendable::Unsupported));
        }
        let query = Form::new()
            .list("types", filter.kinds)
            .maybe(&["ending_before"], filter.newer_than);
        let query = match filter.since {
            Some(since) => query.number(&["created", "gte"], since.timestamp()),
            None => query,
        };
        self.list(OPERATION, &["events"], query, filter.older_than, limit)
            .await
    }

    /// Asks for one.
    pub async fn event(&self, event: &str) -> Result<Event, StripeError> {
        self.one("read event", &["events", event]).await
    }
}
