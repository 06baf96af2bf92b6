//! What a rule works with: the books, the time, chance, and who asked.
//!
//! Time is that of the account, or of the test clock of the customer whom the request is about.

use serde_json::{Value, json};

use super::super::switches::Switches;
use super::book::Book;
use super::cards::Scripted;
use super::ids::Ids;
use super::json;
use super::kind::Kind;
use super::problem::Problem;

/// The version that is spoken when a request names none.
pub const DEFAULT_VERSION: &str = "2025-03-31.basil";
/// From here on a charge's fees are known a moment after the charge.
const FEES_COME_LATER: &str = "2024-04-10";
/// From here on payment methods are chosen by the account where none is named.
const METHODS_BY_ACCOUNT: &str = "2023-08-16";

/// Thirty days.
const EVENTS_ARE_KEPT: i64 = 30 * 86_400;

/// The request behind a change; none behind the provider's own.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub request: Option<String>,
    pub key: Option<String>,
}

/// Whether anybody asks what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    Told,
    Untold,
}

pub struct Room<'a> {
    /// The id of the account.
    pub account: &'a str,
    pub book: &'a mut Book,
    pub ids: &'a mut Ids,
    /// Where the bank's pages stand.
    pub pages: &'a str,
    pub switches: &'a Switches,
    /// Seconds since 1970.
    pub now: i64,
    pub clock: Option<String>,
    pub origin: Origin,
    pub version: &'a str,
    /// A script declines the next charge.
    pub forced: Option<Scripted>,
    pub events: Events,
}

impl Room<'_> {
    /// The account itself, as far as anybody asks.
    pub fn shown(&self) -> Value {
        json!({
            "id": self.account,
            "object": "account",
            "charges_enabled": true,
            "default_currency": "krw",
            "details_submitted": true,
            "payouts_enabled": true,
            "type": "standard",
        })
    }

    /// From now on the time is that of the customer's test clock, if there is one.
    pub fn follow_clock_of(&mut self, customer: Option<&str>) {
        let clock = customer
            .and_then(|id| self.book.view(Kind::Customer, id))
            .and_then(|customer| json::text(&customer, "test_clock").map(str::to_owned));
        self.follow_clock(clock);
    }

    pub fn follow_clock(&mut self, clock: Option<String>) {
        let Some(id) = clock else { return };
        if let Some(found) = self.book.get(Kind::TestClock, &id) {
            self.now = json::int(&found, "frozen_time");
            self.clock = Some(id);
        }
    }

    pub fn fees_come_later(&self) -> bool {
        self.version >= FEES_COME_LATER
    }

    pub fn methods_by_account(&self) -> bool {
        self.version >= METHODS_BY_ACCOUNT
    }

    pub fn new_id(&mut self, kind: Kind) -> String {
        let length = match kind {
            Kind::Customer | Kind::Product => 14,
            _ => 24,
        };
        self.ids.make(kind.words().prefix, length)
    }

    /// A new object with an id of its own.
    pub fn create(&mut self, kind: Kind, fields: Value) -> Value {
        let id = self.new_id(kind);
        self.create_as(kind, &id, fields)
    }

    pub fn create_as(&mut self, kind: Kind, id: &str, fields: Value) -> Value {
        let mut object = json!({
            "id": id,
            "object": kind.words().object,
            "created": self.now,
            "livemode": false,
        });
        json::merge(&mut object, fields);
        if let Some(clock) = &self.clock {
            json::hide(&mut object, "clock", clock.clone());
        }
        self.book.put(kind, &object);
        object
    }

    pub fn save(&mut self, kind: Kind, object: &Value) {
        self.book.put(kind, object);
    }

    /// Saves, and tells what changed, if anything that can be seen did.
    pub fn save_told(&mut self, kind: Kind, event: &str, before: &Value, after: &Value) {
        self.book.put(kind, after);
        if self.events == Events::Untold {
            return;
        }
        let old = json::differences(before, after);
        if old.as_object().is_some_and(|old| !old.is_empty()) {
            self.tell_with(event, after, Some(old));
        }
    }

    /// The object that the path names.
    pub fn of_path(&self, kind: Kind, id: &str) -> Result<Value, Problem> {
        self.book
            .get(kind, id)
            .ok_or_else(|| Problem::not_found(kind, id))
    }

    /// The object that a parameter names.
    pub fn of_param(&self, kind: Kind, id: &str, param: &str) -> Result<Value, Problem> {
        self.book
            .get(kind, id)
            .filter(|object| !json::flag(object, "deleted"))
            .ok_or_else(|| Problem::missing(kind, id, param))
    }

    pub fn tell(&mut self, event: &str, object: &Value) {
        self.tell_with(event, object, None);
    }

    fn tell_with(&mut self, event: &str, object: &Value, previous: Option<Value>) {
        if self.events == Events::Untold {
            return;
        }
        let mut payload = json!({ "object": json::shown(object.clone()) });
        if let Some(previous) = previous {
            json::set(&mut payload, "previous_attributes", previous);
        }
        let waiting = self
            .book
            .newest(Kind::Endpoint)
            .filter_map(|(_, entry)| entry.object())
            .filter(|endpoint| super::endpoint::wants(endpoint, event))
            .count();
        let fields = json!({
            "api_version": DEFAULT_VERSION,
            "data": payload,
            "pending_webhooks": waiting,
            "request": { "id": self.origin.request, "idempotency_key": self.origin.key },
            "type": event,
            "_": { "due": self.now + EVENTS_ARE_KEPT },
        });
        let id = format!("evt_1{}", self.ids.alnum(23));
        self.create_as(Kind::Event, &id, fields);
    }
}
