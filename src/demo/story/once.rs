//! Things bought once, and how many payments the story is to have in all.
//!
//! Where a number of payments is asked for, purchases of single things fill what renewals leave
//! open: day by day by estimate, on the last day exactly.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::charge::{Try, note_refusal};
use super::{Halt, SHOP, Story, Told, number};
use crate::demo::declines::Trouble;
use crate::demo::growth;
use crate::demo::options::{DEFAULT_CUSTOMERS, DemoOptions};
use crate::demo::world::{Account, Event};
use crate::domain::attempt::Source;
use crate::domain::dunning::DunningState;
use crate::domain::ids::Noun;
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::money::{Currency, Money};
use crate::domain::operator::Verb;
use crate::domain::states::{InvoiceState, MethodState};

/// Renewals and first charges that a thousand customers bring in the whole story; measured.
const RENEWALS_PER_1000: u64 = 6_600;
/// Of a thousand payments by subscription, so many single purchases come about by themselves.
const ONCE_PER_1000: u64 = 25;
/// Of the payments asked for, so many are left to come about by subscription; they vary.
const RENEWED_PER_1000: u64 = 880;
/// Most customers take a subscription.
const SUBSCRIBERS_PER_1000: u64 = 985;
/// So near the end the estimate gives way to what is really missing.
const STEERED_DAYS: i64 = 45;
const WINDOW: usize = 28;

/// How many payments there are to be, and how far it has come.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) customers: u32,
    pub(super) subscribers: u32,
    pub(super) paid: u64,
    pub(super) renewed: u64,
    payments: Option<u64>,
    once_per_1000: u64,
    carried: u64,
    seen: u64,
    days: VecDeque<u64>,
}

impl Target {
    pub(super) fn of(options: &DemoOptions) -> Self {
        let payments = options.payments.map(u64::from);
        let fitting = payments.map(|n| n.saturating_mul(RENEWED_PER_1000) / RENEWALS_PER_1000);
        let fitting = fitting.and_then(|n| u32::try_from(n.max(1)).ok());
        let customers = options.customers.or(fitting).unwrap_or(DEFAULT_CUSTOMERS);
        let natural = (u64::from(customers) * RENEWALS_PER_1000 / 1_000).max(1);
        let share = |wanted: u64| (wanted * RENEWED_PER_1000 / natural).min(SUBSCRIBERS_PER_1000);
        let subscribers = payments.map_or(SUBSCRIBERS_PER_1000, share);
        let renewals = (natural * subscribers / SUBSCRIBERS_PER_1000).max(1);
        let rest = |wanted: u64| wanted.saturating_sub(renewals) * 1_000 / renewals;
        Self {
            customers,
            subscribers: u32::try_from(subscribers).unwrap_or(1_000),
            paid: 0,
            renewed: 0,
            payments,
            once_per_1000: payments.map_or(ONCE_PER_1000, rest),
            carried: 0,
            seen: 0,
            days: VecDeque::new(),
        }
    }

    /// How many single purchases the next day is to bring.
    fn once_tomorrow(&mut self, days_left: i64) -> u64 {
        let today = self.renewed - self.seen;
        self.seen = self.renewed;
        self.days.push_back(today);
        if self.days.len() > WINDOW {
            self.days.pop_front();
        }
        let days_left = u64::try_from(days_left).unwrap_or(0);
        if let Some(wanted) = self.payments
            && days_left < STEERED_DAYS.unsigned_abs()
        {
            let mean = self.days.iter().sum::<u64>() / self.days.len().max(1) as u64;
            let missing = wanted.saturating_sub(self.paid + mean * days_left);
            return missing / days_left.max(1);
        }
        self.carried += today * self.once_per_1000;
        let now = self.carried / 1_000;
        self.carried %= 1_000;
        now
    }

    fn missing(&self) -> u64 {
        self.payments
            .map_or(0, |wanted| wanted.saturating_sub(self.paid))
    }
}

impl Story {
    /// Plans the next day's single purchases.
    pub(super) fn fill_day(&mut self, date: NaiveDate, is_last: bool) -> Told {
        if is_last {
            return self.fill_up();
        }
        let days_left = (self.calendar.today - date).num_days();
        let Some(next) = date.succ_opt() else {
            return Ok(());
        };
        for _ in 0..self.target.once_tomorrow(days_left) {
            let at = growth::moment(&mut self.chance, next, self.calendar.zone);
            if let Some(account) = self.any_account(next) {
                self.calendar.put(at, Event::OneTime(account));
            }
        }
        Ok(())
    }

    /// Exactly as many as are missing, spread over the last hours.
    fn fill_up(&mut self) -> Told {
        let mut tries_left = self.target.missing() * 3;
        let span = TimeDelta::hours(6);
        let begins = self.calendar.now - span - TimeDelta::minutes(1);
        let step = span / i32::try_from(tries_left.max(1)).unwrap_or(i32::MAX);
        let mut at = begins;
        while self.target.missing() > 0 && tries_left > 0 {
            tries_left -= 1;
            at += step;
            match self.any_account(self.calendar.today) {
                Some(account) => self.one_time(account, at)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Somebody with a card that may be charged.
    pub(super) fn any_account(&mut self, today: NaiveDate) -> Option<u32> {
        let count = i64::from(number(self.accounts.len()));
        for _ in 0..8 {
            let account = u32::try_from(self.chance.between(0, count)).ok()?;
            if count > 0 && self.may_charge(account, today) {
                return Some(account);
            }
        }
        None
    }

    fn may_charge(&mut self, account: u32, today: NaiveDate) -> bool {
        let card = self.account(account).card;
        let card = self.card(card);
        card.state == MethodState::Active && !card.is_expired(today)
    }

    pub(super) fn one_time(&mut self, account: u32, at: DateTime<Utc>) -> Told {
        let today = self.local_date(at);
        if !self.may_charge(account, today) {
            return Ok(());
        }
        let card = self.account(account).card;
        if self.chance.per_mille(14) {
            let trouble = Trouble::draw(&mut self.chance);
            self.card(card).trouble.get_or_insert(trouble);
        }
        let invoice = self.new_one_time(account, at);
        self.account(account).version += 1;
        self.charge_once(account, invoice, (Verb::OneTime, SHOP, at))
    }

    pub(super) fn new_one_time(&mut self, account: u32, at: DateTime<Utc>) -> Invoice {
        let (description, price) = self.words.one_time(&mut self.chance);
        let today = self.local_date(at);
        Invoice {
            id: self.books.next_invoice(),
            public_id: self.chance.public_id(Noun::Invoice, at),
            customer_id: Account::row(account),
            subscription_id: None,
            term_no: 0,
            period_index: 0,
            kind: InvoiceKind::OneTime,
            state: InvoiceState::Open,
            amount: Money::new(price, Currency::KRW),
            description: description.to_owned(),
            due_at: at,
            period_from: today,
            period_to: today.succ_opt().unwrap_or(today),
            attempts: 0,
            dunning_used: 0,
            dunning: DunningState::Idle,
            next_attempt_at: None,
            first_failed_at: None,
            last_code: None,
            last_class: None,
            paid_at: None,
            created_at: at,
            version: 1,
        }
    }

    fn charge_once(
        &mut self,
        account: u32,
        mut invoice: Invoice,
        (verb, operator, at): (Verb, &str, DateTime<Utc>),
    ) -> Result<(), Halt> {
        let this = Try {
            account,
            card: self.account(account).card,
            life: None,
            plan: None,
            source: Source::Manual,
            verb: verb.as_str(),
            operator,
            reason: "",
            at,
        };
        let tried = self.try_charge(&mut invoice, this)?;
        let Some(no) = tried.no else {
            return Ok(self.books.invoice(&invoice)?);
        };
        note_refusal(&mut invoice, no.refusal());
        invoice.first_failed_at = invoice.first_failed_at.or(Some(tried.settled_at));
        let later = at + self.chance.minutes(30, 2_000);
        if invoice.attempts < 3 && self.chance.per_mille(600) && self.calendar.is_told(later) {
            let owed = Box::new((account, invoice));
            self.calendar.put(later, Event::RetryOneTime(owed));
            return Ok(());
        }
        Ok(self.books.invoice(&invoice)?)
    }

    pub(super) fn retry_one_time(
        &mut self,
        (account, invoice): (u32, Invoice),
        at: DateTime<Utc>,
    ) -> Told {
        let today = self.local_date(at);
        if !self.may_charge(account, today) {
            return Ok(self.books.invoice(&invoice)?);
        }
        let person = self.staff();
        self.charge_once(account, invoice, (Verb::Retry, person, at))
    }
}
