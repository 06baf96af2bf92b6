//! This provider without a line: requests go in as bytes, answers come out as bytes, and time is what the caller says.
//!
//! For simulations that bring their own network and their own clock. Rules, keys, faults and wire format are those of the
//! simulator that listens. It keeps its books in memory only and never waits: the waits of a fault are the caller's.

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::super::offline::Waits;
use super::super::scenario::{Fault, Plan};
use super::super::shaping::{self, Cut};
use super::super::switches::Switches;
use super::account::{Account, Answer, Request, to_bytes};
use super::attempt;
use super::book::{Book, Keeping};
use super::face;
use super::form::Form;
use super::ids::Ids;
use super::json;
use super::kind::Kind;
use super::ledger;
use super::problem::Problem;
use super::room::{DEFAULT_VERSION, Events};
use super::{customer, script};

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST`, `GET`, `DELETE`.
    pub method: &'static str,
    /// The path, from `/v1/`, with its query.
    pub path: String,
    /// `Idempotency-Key`, of a POST.
    pub idempotency_key: Option<String>,
    /// `Stripe-Version`.
    pub version: Option<String>,
    /// The form.
    pub body: Vec<u8>,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A whole answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// `Idempotent-Replayed: true`.
        is_replay: bool,
        /// `Stripe-Should-Retry`.
        should_retry: Option<bool>,
        /// `Stripe-Rate-Limited-Reason`.
        rate_limited: Option<&'static str>,
        /// `Retry-After`.
        retry_after_seconds: Option<u32>,
        /// `Request-Id`; empty where the answer is not the provider's own.
        request_id: String,
        /// The bytes.
        body: Vec<u8>,
    },
    /// The line broke, before or in the answer.
    Broken,
}

/// A charge that took money, as the provider's books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// `pi_…`.
    pub intent: String,
    /// `ch_…`.
    pub charge: String,
    /// `metadata[order_id]`; empty where there is none.
    pub order_id: String,
    /// What was taken.
    pub amount: i64,
    /// Small letters.
    pub currency: String,
    /// What has not gone back.
    pub balance: i64,
    /// When.
    pub approved_at: Option<DateTime<Utc>>,
    /// What went back or is on its way: `metadata[tag]` or else the reason, amount.
    pub refunds: Vec<(String, i64)>,
}

/// The provider's books, their rules, and nothing else.
#[derive(Debug)]
pub struct Offline {
    account: Account,
    switches: Switches,
}

impl Offline {
    /// Empty books.
    pub fn new(seed: u64, switches: Switches) -> Self {
        let mut account = Account::new(Ids::new(Some(seed), 1));
        account.book = Book::keeping(Keeping::Trees);
        Self { account, switches }
    }

    /// Nobody asks for events: none are made.
    #[must_use]
    pub fn without_events(mut self) -> Self {
        self.account.events = Events::Untold;
        self
    }

    /// Other switches from now on.
    pub fn switch(&mut self, switches: Switches) {
        self.switches = switches;
    }

    /// The same books again, with other identifiers from now on.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Self {
        Self {
            account: self.account.copy(Ids::new(Some(seed), 1)),
            switches: self.switches.clone(),
        }
    }

    /// Makes a customer with a test payment method (`pm_card_visa`) and gives both ids.
    pub fn register(
        &mut self,
        payment_method: &str,
        now: DateTime<Utc>,
    ) -> Option<(String, String)> {
        let form = Form::parse(&format!("payment_method={payment_method}&invoice_settings[default_payment_method]={payment_method}")).ok()?;
        let mut room = self
            .account
            .room(&self.switches, now.timestamp(), DEFAULT_VERSION);
        let customer = customer::create(&mut room, &form).ok()?;
        let method = customer
            .pointer("/invoice_settings/default_payment_method")?
            .as_str()?
            .to_owned();
        self.account.book.begin();
        Some((json::id(&customer).to_owned(), method))
    }

    /// What a fault does to the times of a request.
    pub fn waits(fault: Option<&Fault>) -> Waits {
        super::super::offline::Offline::waits(fault)
    }

    /// "A request under this key is in progress."
    pub fn busy(&self) -> Said {
        let problem = face::in_use();
        let body = to_bytes(&problem.body());
        spoken(&Answer::plain(
            409,
            body,
            "req_busy".to_owned(),
            DEFAULT_VERSION,
        ))
    }

    /// Carries a request out and answers, as the fault wants it.
    pub fn carry_out(&mut self, asked: &Asked, fault: Option<&Fault>, now: DateTime<Utc>) -> Said {
        let plan = fault.map_or_else(Plan::undisturbed, Fault::plan);
        let answer = match script::read(&plan) {
            None => Answer::plain(502, Bytes::new(), String::new(), DEFAULT_VERSION),
            Some(scripted) => {
                let (path, query) = asked
                    .path
                    .split_once('?')
                    .unwrap_or((asked.path.as_str(), ""));
                let key = asked
                    .idempotency_key
                    .clone()
                    .filter(|_| asked.method == "POST");
                let request = Request {
                    method: asked.method.to_owned(),
                    path: path.to_owned(),
                    query: query.to_owned(),
                    body: Bytes::copy_from_slice(&asked.body),
                    scope: key.as_deref().map(|key| face::scope(key, "")),
                    key,
                    version: asked.version.clone(),
                    scripted,
                };
                let answer = self
                    .account
                    .answer(&request, &self.switches, now.timestamp());
                self.forget_changes();
                answer
            }
        };
        if shaping::cut(&plan.shape) != Cut::Nowhere {
            return Said::Broken;
        }
        spoken(&script::shape(answer, &plan.shape))
    }

    /// The owner of a card answers a challenge. False where there is none.
    pub fn answer_challenge(&mut self, intent: &str, agrees: bool, now: DateTime<Utc>) -> bool {
        let mut room = self
            .account
            .room(&self.switches, now.timestamp(), DEFAULT_VERSION);
        let done: Result<Value, Problem> = attempt::challenge(&mut room, intent, agrees);
        self.forget_changes();
        done.is_ok()
    }

    /// Lets fall due what time brings until then.
    pub fn catch_up(&mut self, now: DateTime<Utc>) {
        self.account.catch_up(&self.switches, now.timestamp());
        self.forget_changes();
    }

    fn forget_changes(&mut self) {
        self.account.book.begin();
        self.account.forget_fresh();
    }

    /// Everything that took money, in the order it was executed.
    pub fn approved(&self) -> Vec<Booked> {
        let book = &self.account.book;
        ledger::charges(book)
            .map(|charge| {
                let intent = json::owned(&charge, "payment_intent");
                let refunds = book
                    .of_link(Kind::Refund, &intent)
                    .into_iter()
                    .filter(|refund| {
                        !matches!(json::text(refund, "status"), Some("failed" | "canceled"))
                    })
                    .map(|refund| {
                        let tag = refund.pointer("/metadata/tag").and_then(Value::as_str);
                        let reason = tag.or(json::text(&refund, "reason")).unwrap_or_default();
                        (reason.to_owned(), json::int(&refund, "amount"))
                    })
                    .collect();
                let amount = json::int(&charge, "amount_captured");
                Booked {
                    charge: json::owned(&charge, "id"),
                    order_id: ledger::order_of(book, &charge).unwrap_or_default(),
                    amount,
                    currency: json::owned(&charge, "currency"),
                    balance: amount - json::int(&charge, "amount_refunded"),
                    approved_at: DateTime::from_timestamp(json::int(&charge, "created"), 0),
                    refunds,
                    intent,
                }
            })
            .collect()
    }

    /// It grows whenever a charge or a refund is written: what [`Self::approved`] says may have changed.
    pub const fn money_writes(&self) -> u64 {
        self.account.book.money_writes()
    }

    /// How many charges and refunds were executed: it grows with each movement of money.
    pub fn movements(&self) -> usize {
        ledger::charges(&self.account.book).count() + ledger::refunds(&self.account.book).count()
    }

    /// When the order's money was taken, if it was.
    pub fn taken_at(&self, order_id: &str) -> Option<DateTime<Utc>> {
        let book = &self.account.book;
        let charge = ledger::charges(book)
            .find(|charge| ledger::order_of(book, charge).as_deref() == Some(order_id))?;
        DateTime::from_timestamp(json::int(&charge, "created"), 0)
    }
}

fn spoken(answer: &Answer) -> Said {
    Said::Answer {
        status: answer.status,
        is_replay: answer.is_replay,
        should_retry: answer.should_retry,
        rate_limited: answer.rate_limited,
        retry_after_seconds: answer.retry_after_seconds,
        request_id: answer.request_id.clone(),
        body: answer.body.to_vec(),
    }
}
