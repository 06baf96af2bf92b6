//! People come: an account, a card, a subscription with its first charge or its trial.

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::charge::Try;
use super::{Halt, SHOP, Story, Told, index, number};
use crate::demo::books::Press;
use crate::demo::catalogue::Catalogue;
use crate::demo::chance::Chance;
use crate::demo::declines::Trouble;
use crate::demo::people::{Contact, Kind};
use crate::demo::rows;
use crate::demo::world::{Account, Event, Life};
use crate::domain::attempt::Source;
use crate::domain::dunning::DunningState;
use crate::domain::ids::{Noun, PublicId, SubscriptionId};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::mirror::Scheduler;
use crate::domain::mode::Mode;
use crate::domain::operator::Verb;
use crate::domain::period::{Anchor, Period};
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Subscription, Term};
use crate::store::bulk::Table;

/// A first charge that never succeeds ends the subscription after so many hours.
const INCOMPLETE_HOURS: i64 = 23;

impl Story {
    pub(super) fn write_catalogue(&mut self) -> Told {
        let at = self.catalogue.plans[0].created_at;
        let (closed, closed_at) = self.catalogue.closed();
        if closed_at < self.calendar.now {
            self.catalogue.plans[closed].active = false;
            self.catalogue.plans[closed].version += 1;
        }
        for product in &self.catalogue.products {
            self.books.row(Table::Product, rows::product(product, at))?;
        }
        let plans = self.catalogue.plans.clone();
        for plan in &plans {
            self.books.row(Table::Plan, rows::plan(plan))?;
            let press = Press {
                person: "lee",
                verb: Verb::CreatePlan.as_str(),
                target: plan.public_id.as_str(),
                after: &plan.code,
                result: "done",
                ..Press::default()
            };
            self.books.audit(plan.created_at, press)?;
        }
        Ok(())
    }

    /// Contact data of an account: always the same for the same seed and number.
    pub(super) fn contact(&self, account: u32) -> Contact {
        let own = self.seed ^ (u64::from(account) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.people.draw(&mut Chance::new(own), self.lang)
    }

    pub(super) fn sign_up(&mut self, at: DateTime<Utc>) -> Told {
        let account = number(self.accounts.len());
        let kind = self.contact(account).kind;
        let id = self.chance.short_id(at);
        let public_id = id.of(Noun::Customer);
        let press = Press {
            person: SHOP,
            verb: Verb::CreateCustomer.as_str(),
            target: public_id.as_str(),
            result: "done",
            ..Press::default()
        };
        self.books.audit(at, press)?;
        self.accounts.push(Account {
            id,
            kind,
            created_us: at.timestamp_micros(),
            version: 1,
            card: 0,
            newest: None,
        });
        let registered = at + self.chance.minutes(1, 6);
        let card = self.register_card(account, registered)?;
        self.account(account).card = card;
        if self.chance.per_mille(120) {
            let later = at + TimeDelta::days(self.chance.between(3, 400));
            self.plan_at_office(later, Event::Note(account));
        }
        if !self.chance.per_mille(self.target.subscribers) {
            return Ok(());
        }
        if kind == Kind::Person && self.chance.per_mille(60) {
            let later = at + TimeDelta::days(self.chance.between(20, 300));
            self.calendar.put(later, Event::AddOn(account));
        }
        let plan = self.catalogue.choose(&mut self.chance, kind, at);
        let subscribed = registered + self.chance.minutes(1, 4);
        self.subscribe(account, plan, subscribed.min(self.calendar.now))
    }

    pub(super) fn come_back(&mut self, account: u32, at: DateTime<Utc>) -> Told {
        let kind = self.account(account).kind;
        let plan = self.catalogue.choose(&mut self.chance, kind, at);
        let trial = self.catalogue.plan(plan).trial_days;
        if trial > 0 || self.has_running(account, plan) {
            return Ok(());
        }
        self.renew_card(account, at)?;
        self.subscribe(account, plan, at)
    }

    pub(super) fn add_on(&mut self, account: u32, at: DateTime<Utc>) -> Told {
        let lives = self.lives_of(account);
        let is_active =
            |life: &u32| self.lives[index(*life)].sub.state == SubscriptionState::Active;
        if lives.iter().any(is_active) && !self.has_running(account, Catalogue::add_on()) {
            self.subscribe(account, Catalogue::add_on(), at)?;
        }
        Ok(())
    }

    /// The subscriptions of an account, newest first.
    pub(super) fn lives_of(&self, account: u32) -> Vec<u32> {
        let newest = self.accounts[index(account)].newest;
        std::iter::successors(newest, |life| self.lives[index(*life)].before).collect()
    }

    /// One running subscription per customer and product.
    fn has_running(&mut self, account: u32, plan: usize) -> bool {
        let product = self.catalogue.plan(plan).product_id;
        self.lives_of(account).iter().any(|life| {
            let sub = &self.lives[index(*life)].sub;
            sub.product_id == product && !sub.state.is_ended()
        })
    }

    /// Starts a subscription.
    fn subscribe(&mut self, account: u32, plan: usize, at: DateTime<Utc>) -> Told {
        let quantity = Catalogue::quantity(&mut self.chance, plan);
        let life = self.begin_life(account, plan, quantity, at)?;
        let first = self.life(life).term.anchor.period(0)?;
        let sub = self.life(life).sub.clone();
        let is_trial = sub.state == SubscriptionState::Trialing;
        let cause = if is_trial {
            ChangeCause::TrialStarted
        } else {
            ChangeCause::Created
        };
        self.write_change(life, None, cause, (SHOP, at))?;
        let code = self.catalogue.plan(plan).code.clone();
        let id = self.lives[index(life)].public_id();
        let press = Press {
            person: SHOP,
            verb: Verb::Subscribe.as_str(),
            target: id.as_str(),
            after: sub.state.as_str(),
            reason: &code,
            result: "done",
            ..Press::default()
        };
        self.books.audit(at, press)?;
        self.account(account).version += 1;
        if is_trial {
            self.begin_trial(life, first, at);
            return Ok(());
        }
        self.charge_first(life, first, at)
    }

    fn begin_life(
        &mut self,
        account: u32,
        plan: usize,
        quantity: u32,
        at: DateTime<Utc>,
    ) -> Result<u32, Halt> {
        let life = number(self.lives.len());
        let offer = self.catalogue.plan(plan).clone();
        let date = self
            .local_date(at)
            .checked_add_days(Days::new(u64::from(offer.trial_days)))
            .ok_or(crate::domain::period::PeriodError::OutOfRange)?;
        let anchor = Anchor {
            date,
            zone: self.calendar.zone,
            interval: offer.interval,
        };
        let trial_until = match offer.trial_days {
            0 => None,
            _ => Some(anchor.period(0)?.due_at),
        };
        let id = SubscriptionId(i64::from(life) + 1);
        let card = self.account(account).card;
        let sub = Subscription {
            id,
            public_id: PublicId::from_stored(String::new()),
            customer_id: Account::row(account),
            product_id: offer.product_id,
            plan_id: offer.id,
            state: match trial_until {
                Some(_) => SubscriptionState::Trialing,
                None => SubscriptionState::Incomplete,
            },
            quantity,
            method_id: Some(self.card(card).method),
            mode: Mode::Sim,
            term_no: 1,
            next_period: 0,
            next_due_at: trial_until,
            paid_until: None,
            trial_until,
            cancel_at: None,
            cancel_requested_at: None,
            ended_at: None,
            first_failed_at: None,
            scheduler: Scheduler::Paydeck,
            created_at: at,
            version: 1,
        };
        let term = Term {
            subscription_id: id,
            term_no: 1,
            plan_id: offer.id,
            anchor,
            quantity,
            price: offer.price,
            from_at: at,
            to_at: None,
        };
        let before = self.account(account).newest.replace(life);
        let id = self.chance.short_id(at);
        self.lives.push(Life {
            sub,
            id,
            before,
            term,
            account,
            plan,
            next_plan: None,
            open: None,
        });
        Ok(life)
    }

    fn begin_trial(&mut self, life: u32, first: Period, at: DateTime<Utc>) {
        self.calendar.put_run(first.due_at, 9, Event::Renew(life));
        if self.chance.per_mille(310) {
            let later = at + TimeDelta::days(self.chance.between(1, 13));
            self.calendar.put(later, Event::AskCancel(life));
        }
    }

    fn charge_first(&mut self, life: u32, first: Period, at: DateTime<Utc>) -> Told {
        let this = self.life(life);
        this.sub.next_period = 1;
        this.sub.next_due_at = Some(first.ends_at);
        this.sub.version += 1;
        self.calendar.put_run(first.ends_at, 9, Event::Renew(life));
        let card = self.card_of(life);
        let is_shown = self.is_first_shown_incomplete(at);
        if is_shown || self.chance.per_mille(26) {
            let trouble = Trouble::draw(&mut self.chance);
            self.card(card).trouble.get_or_insert(trouble);
        }
        let mut invoice = self.new_renewal(life, first, at)?;
        invoice.due_at = at;
        let account = self.life(life).account;
        let this = Try {
            account,
            card,
            life: Some(life),
            plan: Some(self.life(life).term.plan_id),
            source: Source::First,
            verb: Verb::Subscribe.as_str(),
            operator: SHOP,
            reason: "",
            at,
        };
        let tried = self.try_charge(&mut invoice, this)?;
        let is_refused = tried.no.is_some();
        self.conclude(life, invoice, &tried, Source::First)?;
        if is_refused {
            let over = at + TimeDelta::hours(INCOMPLETE_HOURS);
            self.calendar.put_run(over, 9, Event::Expire(life));
            if !is_shown && self.chance.per_mille(620) {
                let soon = at + self.chance.minutes(2, 40);
                self.calendar.put(soon, Event::SwapCard(life));
            }
        }
        Ok(())
    }

    /// A first charge that failed today and stays so: there is always one to be seen.
    fn is_first_shown_incomplete(&self, at: DateTime<Utc>) -> bool {
        let is_other = |life: &Life| life.sub.state == SubscriptionState::Incomplete;
        let lately = self.lives.iter().rev().skip(1).take(200);
        self.local_date(at) == self.calendar.today && !lately.into_iter().any(is_other)
    }

    /// The invoice of a period, open.
    pub(super) fn new_renewal(
        &mut self,
        life: u32,
        period: Period,
        at: DateTime<Utc>,
    ) -> Result<Invoice, Halt> {
        let public_id = self.chance.public_id(Noun::Invoice, at);
        let id = self.books.next_invoice();
        let this = &self.lives[index(life)];
        Ok(Invoice {
            id,
            public_id,
            customer_id: this.sub.customer_id,
            subscription_id: Some(this.sub.id),
            term_no: this.sub.term_no,
            period_index: period.index,
            kind: InvoiceKind::Renewal,
            state: InvoiceState::Open,
            amount: this.term.price.checked_mul(i64::from(this.term.quantity))?,
            description: self.catalogue.plan(this.plan).name.clone(),
            due_at: period.due_at,
            period_from: period.from,
            period_to: period.to,
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
        })
    }

    /// The card that a subscription is charged with.
    pub(super) fn card_of(&mut self, life: u32) -> u32 {
        let account = self.life(life).account;
        self.account(account).card
    }

    /// A first charge that never succeeded.
    pub(super) fn expire(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        if self.life(life).sub.state != SubscriptionState::Incomplete {
            return Ok(());
        }
        let at = self.run_moment(crate::demo::world::RunKind::Renewals, at);
        let to = SubscriptionState::Expired;
        self.end_as(
            life,
            to,
            ChangeCause::Expired,
            (super::RUN, at),
            "never paid",
        )
    }

    /// Somebody of the shop gets to it in office hours.
    pub(super) fn plan_at_office(&mut self, at: DateTime<Utc>, event: Event) {
        let date = self.local_date(at);
        let at = crate::demo::growth::office_moment(&mut self.chance, date, self.calendar.zone);
        self.calendar.put(at, event);
    }
}
