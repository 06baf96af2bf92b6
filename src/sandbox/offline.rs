//! The simulator without a line: requests go in as bytes, answers come out as bytes, and time is
//! what the caller says.
//!
//! For simulations that bring their own network and their own clock. Routes, idempotency, rules, faults
//! and wire format are those of the simulator that listens. It keeps its books in memory only, forgets no
//! request, and never waits: the waits of a fault are handed to the caller.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::codes::Codes;
use super::error::SandboxError;
use super::execution::{Execution, Work, forced_by, task_of};
use super::idempotency::{Scope, Stored};
use super::ids::Ids;
use super::ledger::{
    Book, CardDraft, Context, Payment, Refusal, Status, is_session_over, issue_directly,
    open_checkout, register,
};
use super::routes::Route;
use super::scenario::{Fault, Plan};
use super::shaping::{self, Cut};
use super::switches::{LookupAfterDecline, Switches};
use super::task::Forced;
use super::wire::{self, Answer};

static CODES: LazyLock<Result<Codes, toml::de::Error>> = LazyLock::new(Codes::load);
const MERCHANT: &str = "tpaydeck";

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST`, `GET`, `DELETE`.
    pub method: &'static str,
    /// The path, from `/v1/`.
    pub path: String,
    /// `Idempotency-Key`, of a POST.
    pub idempotency_key: Option<String>,
    /// The bytes.
    pub body: Vec<u8>,
}

/// What a fault does to the times of a request, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// The line is cut at once, and the request arrives so much later.
    pub late: Option<u64>,
    /// Between arrival and execution.
    pub before: u64,
    /// Between execution and answer.
    pub after: u64,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A whole answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// `Retry-After`.
        retry_after_seconds: Option<u32>,
        /// The bytes.
        body: Vec<u8>,
    },
    /// The line broke, before or in the answer.
    Broken,
}

/// A charge or a cancel that was executed, as the provider's books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// paymentKey.
    pub key: String,
    /// orderId.
    pub order_id: String,
    /// What was taken.
    pub amount: i64,
    /// What has not gone back.
    pub balance: i64,
    /// When.
    pub approved_at: Option<DateTime<Utc>>,
    /// What went back: reason, amount.
    pub cancels: Vec<(String, i64)>,
}

/// The provider's books, their rules, and nothing else.
#[derive(Debug)]
pub struct Offline {
    codes: &'static Codes,
    switches: Switches,
    ids: Ids,
    book: Book,
    kept: HashMap<Scope, Stored>,
}

impl Offline {
    /// Empty books.
    pub fn new(seed: u64, switches: Switches) -> Result<Self, SandboxError> {
        Ok(Self {
            codes: CODES.as_ref().map_err(|e| SandboxError::Codes(e.clone()))?,
            switches,
            ids: Ids::new(Some(seed), 1),
            book: Book::starting_after(0, 0),
            kept: HashMap::new(),
        })
    }

    /// Other switches from now on.
    pub fn switch(&mut self, switches: Switches) {
        self.switches = switches;
    }

    /// The same books again, with other identifiers from now on.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Self {
        Self {
            codes: self.codes,
            switches: self.switches.clone(),
            ids: Ids::new(Some(seed), 1),
            book: self.book.clone(),
            kept: self.kept.clone(),
        }
    }

    /// Registers a card and gives its billing key.
    pub fn register(
        &mut self,
        customer_key: &str,
        card: CardDraft,
        now: DateTime<Utc>,
    ) -> Option<String> {
        self.with_context(now, |book, context| {
            let id = issue_directly(book, Some(customer_key), card, context).ok()?;
            book.card(id)?.billing_key.clone()
        })
    }

    /// The customer registers a card in the window; gives the auth key that comes back.
    pub fn open_window(
        &mut self,
        customer_key: &str,
        card: CardDraft,
        now: DateTime<Utc>,
    ) -> Option<String> {
        self.with_context(now, |book, context| {
            register(book, customer_key, card, context).ok()
        })
    }

    /// The customer authenticates a payment in the window; gives its paymentKey, which waits to be confirmed.
    pub fn authenticate(
        &mut self,
        order_id: &str,
        amount: i64,
        now: DateTime<Utc>,
    ) -> Option<String> {
        self.with_context(now, |book, context| {
            let card = CardDraft::default();
            let id = open_checkout(book, order_id, (amount, None), None, card, context).ok()?;
            Some(book.payment(id)?.key.clone())
        })
    }

    fn with_context<T>(
        &mut self,
        now: DateTime<Utc>,
        act: impl FnOnce(&mut Book, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            now,
            switches: &self.switches,
            ids: &mut self.ids,
            merchant_id: MERCHANT,
            codes: self.codes,
            forced: None,
        };
        act(&mut self.book, &mut context)
    }

    /// What a fault does to the times of a request.
    pub fn waits(fault: Option<&Fault>) -> Waits {
        let plan = fault.map_or_else(Plan::undisturbed, Fault::plan);
        Waits {
            late: plan.late_ms,
            before: plan.wait_before_ms,
            after: plan.wait_after_ms,
        }
    }

    /// "A request under this key is being processed."
    pub fn busy(&self) -> Said {
        let refusal = Refusal::code("IDEMPOTENT_REQUEST_PROCESSING");
        spoken(&Answer::refused(&refusal, self.codes), None)
    }

    /// Carries a request out and answers, as the fault wants it.
    pub fn carry_out(&mut self, asked: &Asked, fault: Option<&Fault>, now: DateTime<Utc>) -> Said {
        let plan = fault.map_or_else(Plan::undisturbed, Fault::plan);
        let answer = self.answer(asked, &plan, now);
        if shaping::cut(&plan.shape) != Cut::Nowhere {
            return Said::Broken;
        }
        let answer = shaping::shape(answer, &plan.shape, self.codes);
        spoken(&answer, plan.retry_after_seconds())
    }

    fn answer(&mut self, asked: &Asked, plan: &Plan, now: DateTime<Utc>) -> Answer {
        let Some(route) = Route::parse(asked.method, &asked.path) else {
            return Answer::refused(&Refusal::code("NOT_FOUND_HTTP_METHOD"), self.codes);
        };
        let Some((forced, bind_instead)) = forced_by(plan, None, self.codes) else {
            return Answer::with_status(502, Vec::new());
        };
        let Some(task) = task_of(&route, &asked.body) else {
            return self.look_up(&route, forced, now);
        };
        let scope = asked
            .idempotency_key
            .as_deref()
            .map(|key| Scope::new(key, "", asked.method, &asked.path));
        let first = scope.and_then(|scope| self.kept.get(&scope)).cloned();
        let mut execution = Execution {
            codes: self.codes,
            merchant_id: MERCHANT,
            switches: &self.switches,
            ids: &mut self.ids,
            book: &mut self.book,
        };
        let work = Work {
            task,
            scope,
            trace: String::new(),
            forced,
            bind_instead,
        };
        let (answer, keeps) = execution.answer(work, first.as_ref(), now);
        if let Some(keeps) = keeps {
            self.kept.insert(keeps.scope, keeps.stored);
        }
        self.book.forget_changes();
        answer
    }

    fn look_up(&self, route: &Route, forced: Forced, now: DateTime<Utc>) -> Answer {
        match forced {
            Forced::Instead(answer) => return answer,
            Forced::Refuse(refusal) => return Answer::refused(&refusal, self.codes),
            Forced::No => {}
        }
        let found = match route {
            Route::Payment { payment_key } => self.book.payment_of_key(payment_key),
            Route::Order { order_id } => {
                let shows_declined =
                    self.switches.lookup_after_decline == LookupAfterDecline::Aborted;
                self.book.payment_of_order_shown(order_id, shows_declined)
            }
            _ => None,
        };
        match found {
            Some(payment) => {
                let status = if is_session_over(payment, now) {
                    Status::Expired
                } else {
                    payment.status
                };
                Answer::ok(wire::payment(payment, status, MERCHANT, self.codes))
            }
            None => Answer::refused(&Refusal::code("NOT_FOUND_PAYMENT"), self.codes),
        }
    }

    /// Everything that took money, in the order it was executed.
    pub fn approved(&self) -> impl Iterator<Item = Booked> + '_ {
        self.approved_payments().map(|payment| Booked {
            key: payment.key.clone(),
            order_id: payment.order_id.clone(),
            amount: payment.amount,
            balance: payment.balance,
            approved_at: payment.approved_at,
            cancels: payment
                .cancels
                .iter()
                .map(|cancel| (cancel.reason.clone(), cancel.amount))
                .collect(),
        })
    }

    /// How many charges and cancels were executed: it grows with each movement of money.
    pub fn movements(&self) -> usize {
        self.approved_payments()
            .map(|payment| 1 + payment.cancels.len())
            .sum()
    }

    /// When the order's money was taken, if it was.
    pub fn taken_at(&self, order_id: &str) -> Option<DateTime<Utc>> {
        self.book
            .approved_payment_of_order(order_id)
            .and_then(|payment| payment.approved_at)
    }

    fn approved_payments(&self) -> impl Iterator<Item = &Payment> {
        self.book
            .payments()
            .filter(|payment| payment.status.was_approved())
    }
}

fn spoken(answer: &Answer, retry_after_seconds: Option<u32>) -> Said {
    Said::Answer {
        status: answer.status,
        retry_after_seconds,
        body: answer.body.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::scenario::Commit;

    fn at(s: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + s, 0).expect("an instant")
    }

    fn charge(key: &str, order: &str, idem: &str) -> Asked {
        Asked {
            method: "POST",
            path: format!("/v1/billing/{key}"),
            idempotency_key: Some(idem.to_owned()),
            body: format!(
                r#"{{"amount":5000,"customerKey":"kim-1","orderId":"{order}","orderName":"pro"}}"#
            )
            .into_bytes(),
        }
    }

    #[test]
    fn a_charge_whose_answer_is_lost_is_found_by_its_order_and_replayed_by_its_key() {
        let mut offline = Offline::new(7, Switches::default()).expect("books");
        let key = offline
            .register("kim-1", CardDraft::default(), at(0))
            .expect("a key");
        let asked = charge(&key, "order-1", "k1");
        let lost = Fault::LostAfterCommit;
        assert_eq!(offline.carry_out(&asked, Some(&lost), at(1)), Said::Broken);
        assert_eq!(offline.movements(), 1);
        let look = Asked {
            method: "GET",
            path: "/v1/payments/orders/order-1".to_owned(),
            idempotency_key: None,
            body: Vec::new(),
        };
        let Said::Answer { status, body, .. } = offline.carry_out(&look, None, at(2)) else {
            panic!("no answer");
        };
        assert_eq!(status, 200);
        assert!(String::from_utf8_lossy(&body).contains("DONE"));
        let again = offline.carry_out(&asked, None, at(3));
        assert!(matches!(again, Said::Answer { status: 200, .. }));
        assert_eq!(offline.movements(), 1, "the key executes once");
    }

    #[test]
    fn what_never_arrives_is_neither_executed_nor_remembered() {
        let mut offline = Offline::new(7, Switches::default()).expect("books");
        let key = offline
            .register("kim-1", CardDraft::default(), at(0))
            .expect("a key");
        let asked = charge(&key, "order-1", "k1");
        let refused = Fault::HttpError {
            status: 400,
            commit: Commit::Before,
            body: crate::sandbox::ErrorBody::Json,
            code: "PROVIDER_ERROR".to_owned(),
        };
        offline.carry_out(&asked, Some(&Fault::LostBeforeCommit), at(1));
        assert_eq!(offline.movements(), 0);
        for _ in 0..2 {
            let said = offline.carry_out(&asked, Some(&refused), at(2));
            assert!(matches!(said, Said::Answer { status: 400, .. }));
        }
        let said = offline.carry_out(&asked, None, at(3));
        assert!(
            matches!(said, Said::Answer { status: 400, .. }),
            "a coded refusal is bound to its key"
        );
        assert_eq!(offline.movements(), 0);
    }
}
