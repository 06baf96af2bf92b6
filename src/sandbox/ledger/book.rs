//! The working set: what the requests at hand name, loaded from the file, and what they changed.
//!
//! Invariant: every change made through a rule is in `changes`, in order, until it is taken out to be written.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::{Card, Payment, Status};

/// A row that must be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Card(i64),
    Payment(i64),
    /// The newest cancel of a payment at this position.
    Cancel {
        payment: i64,
        index: usize,
    },
    AuthKey(String),
}

/// Something the provider would send a webhook about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    BillingDeleted { billing_key: String, reason: String },
    PaymentStatusChanged { payment: i64 },
}

/// The single-use proof that a customer registered a card in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthKey {
    pub key: String,
    pub card_id: i64,
    pub created_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Default)]
pub struct Book {
    cards: BTreeMap<i64, Card>,
    by_billing_key: HashMap<String, i64>,
    payments: BTreeMap<i64, Payment>,
    auth_keys: HashMap<String, AuthKey>,
    changes: Vec<Change>,
    notices: Vec<Notice>,
    last_card_id: i64,
    last_payment_id: i64,
}

impl Book {
    /// Numbers go on after these.
    pub fn starting_after(last_card_id: i64, last_payment_id: i64) -> Self {
        Self {
            last_card_id,
            last_payment_id,
            ..Self::default()
        }
    }

    /// Forgets the working set, keeps the numbers.
    pub fn clear(&mut self) {
        *self = Self::starting_after(self.last_card_id, self.last_payment_id);
    }

    pub fn next_card_id(&mut self) -> i64 {
        self.last_card_id += 1;
        self.last_card_id
    }

    pub fn next_payment_id(&mut self) -> i64 {
        self.last_payment_id += 1;
        self.last_payment_id
    }

    /// Puts in what was read from the file; what is here already is newer and stays.
    pub fn load_card(&mut self, card: Card) {
        if let Some(billing_key) = &card.billing_key {
            self.by_billing_key.insert(billing_key.clone(), card.id);
        }
        self.cards.entry(card.id).or_insert(card);
    }

    pub fn load_payment(&mut self, payment: Payment) {
        self.payments.entry(payment.id).or_insert(payment);
    }

    pub fn load_auth_key(&mut self, auth_key: AuthKey) {
        self.auth_keys
            .entry(auth_key.key.clone())
            .or_insert(auth_key);
    }

    pub fn put_card(&mut self, card: Card) {
        self.changes.push(Change::Card(card.id));
        if let Some(billing_key) = &card.billing_key {
            self.by_billing_key.insert(billing_key.clone(), card.id);
        }
        self.cards.insert(card.id, card);
    }

    pub fn put_payment(&mut self, payment: Payment) {
        self.changes.push(Change::Payment(payment.id));
        self.payments.insert(payment.id, payment);
    }

    pub fn put_auth_key(&mut self, auth_key: AuthKey) {
        self.changes.push(Change::AuthKey(auth_key.key.clone()));
        self.auth_keys.insert(auth_key.key.clone(), auth_key);
    }

    pub fn note_cancel(&mut self, payment: i64, index: usize) {
        self.changes.push(Change::Cancel { payment, index });
    }

    pub fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    pub fn card(&self, id: i64) -> Option<&Card> {
        self.cards.get(&id)
    }

    pub fn card_of_billing_key(&self, billing_key: &str) -> Option<&Card> {
        self.by_billing_key
            .get(billing_key)
            .and_then(|id| self.cards.get(id))
    }

    pub fn payment(&self, id: i64) -> Option<&Payment> {
        self.payments.get(&id)
    }

    pub fn payment_of_key(&self, payment_key: &str) -> Option<&Payment> {
        self.payments
            .values()
            .find(|payment| payment.key == payment_key)
    }

    /// The newest payment of an order that a new charge would collide with.
    pub fn approved_payment_of_order(&self, order_id: &str) -> Option<&Payment> {
        self.payments_of_order(order_id)
            .find(|payment| payment.status.was_approved())
    }

    pub fn has_declined_payment_of_order(&self, order_id: &str) -> bool {
        self.payments_of_order(order_id)
            .any(|payment| payment.status == Status::Aborted)
    }

    fn payments_of_order<'a, 'o>(
        &'a self,
        order_id: &'o str,
    ) -> impl Iterator<Item = &'a Payment> + use<'a, 'o> {
        let newest_first = self.payments.values().rev();
        newest_first.filter(move |payment| payment.order_id == order_id)
    }

    /// The newest payment of an order that a look-up shows.
    pub fn payment_of_order_shown(&self, order_id: &str, shows_declined: bool) -> Option<&Payment> {
        self.payments_of_order(order_id)
            .find(|payment| shows_declined || payment.status != Status::Aborted)
    }

    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    /// Where nobody writes changes down or sends notices.
    pub fn forget_changes(&mut self) {
        self.changes.clear();
        self.notices.clear();
    }

    pub fn auth_key(&self, key: &str) -> Option<&AuthKey> {
        self.auth_keys.get(key)
    }

    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}
