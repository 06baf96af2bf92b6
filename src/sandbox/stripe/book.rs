//! The objects of one account, in memory, with what finds them; and what the request at hand has changed of them.
//!
//! It holds no rule. An object is kept as its JSON text, or, where the books are small and asked often, as a tree. `undo`
//! takes back what was changed since `begin`; what was changed since `take_changes` is what has to be written to the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::json;
use super::kind::Kind;

/// One object.
#[derive(Debug, Clone)]
pub struct Entry {
    pub seq: u64,
    pub kind: Kind,
    pub created: i64,
    body: Body,
    customer: Option<Arc<str>>,
    link: Option<Arc<str>>,
    due: Option<Due>,
}

/// What an object is kept as.
#[derive(Debug, Clone)]
enum Body {
    Text(Arc<str>),
    Tree(Arc<Value>),
}

/// How objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keeping {
    /// As text: small, and what the file holds.
    #[default]
    Texts,
    /// As trees: read without parsing.
    Trees,
}

type Due = (Option<Arc<str>>, i64);
/// Test clock (or none), time, sequence, id.
type Appointment = (Option<Arc<str>>, i64, u64, Arc<str>);

/// What has to be written: an object, or that one is gone.
#[derive(Debug)]
pub struct Change {
    pub id: Arc<str>,
    pub entry: Option<Entry>,
}

#[derive(Debug, Clone, Default)]
pub struct Book {
    entries: HashMap<Arc<str>, Entry>,
    in_order: BTreeMap<(Kind, i64, u64), Arc<str>>,
    of_customer: BTreeMap<(Kind, Arc<str>, u64), Arc<str>>,
    of_link: BTreeMap<(Kind, Arc<str>, u64), Arc<str>>,
    /// By test clock (or none), time, sequence.
    due: BTreeSet<Appointment>,
    last_seq: u64,
    before: HashMap<Arc<str>, Option<Entry>>,
    changed: BTreeSet<Arc<str>>,
    keeping: Keeping,
    money_writes: u64,
}

impl Book {
    /// Empty books.
    pub fn keeping(keeping: Keeping) -> Self {
        Self {
            keeping,
            ..Self::default()
        }
    }

    /// Starts a request: `undo` comes back to here.
    pub fn begin(&mut self) {
        if self.keeping == Keeping::Trees {
            // No file is written.
            self.before.clear();
            return;
        }
        for id in self.before.drain() {
            self.changed.insert(id.0);
        }
    }

    pub fn undo(&mut self) {
        let before = std::mem::take(&mut self.before);
        for (id, entry) in before {
            self.unlink(&id);
            if let Some(entry) = entry {
                self.link(id, entry);
            }
        }
    }

    /// What was changed since the last time, oldest object first.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.begin();
        let written = std::mem::take(&mut self.changed);
        let mut changes: Vec<Change> = written
            .into_iter()
            .map(|id| Change {
                entry: self.entries.get(&id).cloned(),
                id,
            })
            .collect();
        changes.sort_by_key(|change| change.entry.as_ref().map_or(0, |entry| entry.seq));
        changes
    }

    pub fn get(&self, kind: Kind, id: &str) -> Option<Value> {
        let entry = self.entries.get(id).filter(|entry| entry.kind == kind)?;
        entry.object().map(Arc::unwrap_or_clone)
    }

    /// An object that is only read.
    pub fn view(&self, kind: Kind, id: &str) -> Option<Arc<Value>> {
        let entry = self.entries.get(id).filter(|entry| entry.kind == kind)?;
        entry.object()
    }

    /// Whatever has this id.
    pub fn find(&self, id: &str) -> Option<Value> {
        self.entries.get(id)?.object().map(Arc::unwrap_or_clone)
    }

    pub fn contains(&self, kind: Kind, id: &str) -> bool {
        self.entries.get(id).is_some_and(|entry| entry.kind == kind)
    }

    pub fn put(&mut self, kind: Kind, object: &Value) {
        let id: Arc<str> = json::id(object).into();
        self.remember(&id);
        let known = self.entries.get(&id).map(|entry| entry.seq);
        let seq = known.unwrap_or(self.last_seq + 1);
        let entry = Entry::of(kind, seq, object, self.keeping);
        self.money_writes += u64::from(matches!(kind, Kind::Charge | Kind::Refund));
        if let Some(stands) = self.entries.get_mut(&id)
            && stands.is_found_as(&entry)
        {
            *stands = entry;
            return;
        }
        self.unlink(&id);
        self.link(id, entry);
    }

    /// It grows whenever a charge or a refund is written.
    pub const fn money_writes(&self) -> u64 {
        self.money_writes
    }

    pub fn remove(&mut self, id: &str) {
        let id: Arc<str> = id.into();
        self.remember(&id);
        self.unlink(&id);
    }

    /// Takes in an object that the file holds.
    pub fn restore(&mut self, kind: Kind, seq: u64, object: &Value) {
        let id: Arc<str> = json::id(object).into();
        let entry = Entry::of(kind, seq, object, self.keeping);
        self.link(id, entry);
    }

    fn remember(&mut self, id: &Arc<str>) {
        if !self.before.contains_key(id) {
            let entry = self.entries.get(id).cloned();
            self.before.insert(Arc::clone(id), entry);
        }
    }

    fn link(&mut self, id: Arc<str>, entry: Entry) {
        self.last_seq = self.last_seq.max(entry.seq);
        let (kind, seq) = (entry.kind, entry.seq);
        self.in_order
            .insert((kind, entry.created, seq), Arc::clone(&id));
        if let Some(customer) = &entry.customer {
            self.of_customer
                .insert((kind, Arc::clone(customer), seq), Arc::clone(&id));
        }
        if let Some(link) = &entry.link {
            self.of_link
                .insert((kind, Arc::clone(link), seq), Arc::clone(&id));
        }
        if let Some((clock, at)) = &entry.due {
            self.due.insert((clock.clone(), *at, seq, Arc::clone(&id)));
        }
        self.entries.insert(id, entry);
    }

    fn unlink(&mut self, id: &Arc<str>) {
        let Some(entry) = self.entries.remove(id) else {
            return;
        };
        self.in_order
            .remove(&(entry.kind, entry.created, entry.seq));
        if let Some(customer) = entry.customer {
            self.of_customer.remove(&(entry.kind, customer, entry.seq));
        }
        if let Some(link) = entry.link {
            self.of_link.remove(&(entry.kind, link, entry.seq));
        }
        if let Some((clock, at)) = entry.due {
            self.due.remove(&(clock, at, entry.seq, Arc::clone(id)));
        }
    }

    /// All of a kind, newest first.
    pub fn newest(&self, kind: Kind) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Entry)> {
        let from = (kind, i64::MIN, 0);
        let to = (kind, i64::MAX, u64::MAX);
        self.in_order
            .range(from..=to)
            .rev()
            .filter_map(|(_, id)| Some((id, self.entries.get(id)?)))
    }

    /// All of a kind that belong to a customer, oldest first.
    pub fn of_customer(&self, kind: Kind, customer: &str) -> Vec<Value> {
        Self::linked(self, &self.of_customer, kind, customer)
    }

    /// All of a kind that belong to another object, oldest first.
    pub fn of_link(&self, kind: Kind, link: &str) -> Vec<Value> {
        Self::linked(self, &self.of_link, kind, link)
    }

    fn linked(
        &self,
        index: &BTreeMap<(Kind, Arc<str>, u64), Arc<str>>,
        kind: Kind,
        owner: &str,
    ) -> Vec<Value> {
        let owner: Arc<str> = owner.into();
        let from = (kind, Arc::clone(&owner), 0);
        let to = (kind, owner, u64::MAX);
        index
            .range(from..=to)
            .filter_map(|(_, id)| self.find(id))
            .collect()
    }

    pub fn seq(&self, id: &str) -> Option<(i64, u64)> {
        self.entries.get(id).map(|entry| (entry.created, entry.seq))
    }

    /// When the next thing falls due on the account's own clock.
    pub fn next_due(&self) -> Option<i64> {
        self.first_due(None, i64::MAX).map(|(at, _, _)| at)
    }

    /// What falls due first on a clock, if anything does by then.
    pub fn first_due(&self, clock: Option<&str>, by: i64) -> Option<(i64, Kind, Arc<str>)> {
        let clock: Option<Arc<str>> = clock.map(Into::into);
        let from = (clock.clone(), i64::MIN, 0, Arc::from(""));
        let (found, at, _, id) = self.due.range(from..).next()?;
        let entry = self.entries.get(id)?;
        (*found == clock && *at <= by).then(|| (*at, entry.kind, Arc::clone(id)))
    }
}

impl Entry {
    /// The object.
    pub fn object(&self) -> Option<Arc<Value>> {
        match &self.body {
            Body::Text(text) => serde_json::from_str(text).ok().map(Arc::new),
            Body::Tree(tree) => Some(Arc::clone(tree)),
        }
    }

    /// Its JSON text.
    pub fn text(&self) -> Arc<str> {
        match &self.body {
            Body::Text(text) => Arc::clone(text),
            Body::Tree(tree) => tree.to_string().into(),
        }
    }

    /// Whether the object may say so somewhere: parsing is dear.
    pub fn may_say(&self, words: &str) -> bool {
        match &self.body {
            Body::Text(text) => text.contains(words),
            Body::Tree(_) => true,
        }
    }

    /// Whether the same places lead to both.
    fn is_found_as(&self, other: &Self) -> bool {
        (self.kind, self.created, self.seq) == (other.kind, other.created, other.seq)
            && self.customer == other.customer
            && self.link == other.link
            && self.due == other.due
    }

    fn of(kind: Kind, seq: u64, object: &Value, keeping: Keeping) -> Self {
        let arc = |text: &str| -> Arc<str> { text.into() };
        let link = match kind {
            Kind::Charge => json::text(object, "payment_intent"),
            Kind::Refund => json::text(object, "payment_intent").or(json::text(object, "charge")),
            Kind::Invoice => object
                .pointer("/parent/subscription_details/subscription")
                .and_then(Value::as_str),
            Kind::InvoiceItem | Kind::InvoicePayment => json::text(object, "invoice"),
            Kind::Price => json::text(object, "product"),
            Kind::Transaction => json::text(object, "source"),
            Kind::Event => json::text(object, "type"),
            _ => None,
        };
        let due = json::hidden_int(object, "due")
            .map(|at| (json::hidden_text(object, "clock").map(arc), at));
        Self {
            seq,
            kind,
            created: json::int(object, "created"),
            customer: json::text(object, "customer").map(arc),
            link: link.map(arc),
            due,
            body: match keeping {
                Keeping::Texts => Body::Text(object.to_string().into()),
                Keeping::Trees => Body::Tree(Arc::new(object.clone())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_refused_request_changed_is_taken_back_with_its_indexes() {
        let mut book = Book::default();
        let first = json!({ "id": "pm_1", "created": 1, "customer": "cus_1" });
        book.put(Kind::PaymentMethod, &first);
        book.begin();
        book.put(
            Kind::PaymentMethod,
            &json!({ "id": "pm_1", "created": 1, "customer": null }),
        );
        book.put(
            Kind::PaymentMethod,
            &json!({ "id": "pm_2", "created": 2, "customer": "cus_1" }),
        );
        assert_eq!(book.of_customer(Kind::PaymentMethod, "cus_1").len(), 1);
        book.undo();
        assert_eq!(book.of_customer(Kind::PaymentMethod, "cus_1"), [first]);
        assert_eq!(book.newest(Kind::PaymentMethod).count(), 1);
        let changes = book.take_changes();
        assert_eq!(changes.len(), 1);
        assert!(book.take_changes().is_empty());
    }

    #[test]
    fn what_falls_due_is_found_by_its_clock() {
        let mut book = Book::default();
        book.put(
            Kind::Refund,
            &json!({ "id": "re_1", "created": 1, "_": { "due": 50 } }),
        );
        book.put(
            Kind::Refund,
            &json!({ "id": "re_2", "created": 1, "_": { "due": 10, "clock": "c" } }),
        );
        assert!(book.first_due(None, 49).is_none());
        assert_eq!(book.first_due(None, 50).map(|due| due.0), Some(50));
        assert_eq!(
            book.first_due(Some("c"), 50).map(|due| due.2.to_string()),
            Some("re_2".to_owned())
        );
    }
}
