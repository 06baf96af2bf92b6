//! What people ask for between two charges.

use chrono::{DateTime, TimeDelta, Utc};

use super::{SHOP, Story, Told, index};
use crate::demo::books::Press;
use crate::demo::catalogue::Catalogue;
use crate::demo::world::Event;
use crate::domain::attempt::Source;
use crate::domain::dunning::DunningState;
use crate::domain::operator::Verb;
use crate::domain::period::Unit;
use crate::domain::states::{InvoiceState, SubscriptionState};

/// How often something comes about in a paid period, per mille.
struct Odds {
    leave: u32,
    undo: u32,
    now: u32,
    change: u32,
    pause: u32,
    swap: u32,
    forget: u32,
}

impl Odds {
    /// People leave a new subscription more easily than an old one, and a long period less often.
    fn of(unit: Unit, is_new: bool) -> Self {
        let (leave, times) = match (unit, is_new) {
            (Unit::Year, _) => (170, 5),
            (Unit::Quarter, _) => (90, 2),
            (_, true) => (58, 1),
            (_, false) => (30, 1),
        };
        Self {
            leave,
            undo: 120,
            now: 4 * times,
            change: 11 * times,
            pause: 5 * times,
            swap: 4 * times,
            forget: 2 * times,
        }
    }
}

impl Story {
    /// Draws what happens before the next period begins.
    pub(super) fn plan_ahead(&mut self, life: u32, at: DateTime<Utc>) {
        let this = &self.lives[index(life)];
        let Some(due) = this.sub.next_due_at else {
            return;
        };
        let span = (due - at).num_minutes();
        if span < 2_880 || this.sub.cancel_at.is_some() {
            return;
        }
        let unit = this.term.anchor.interval.unit;
        let odds = Odds::of(unit, this.sub.next_period <= 2);
        self.plan_card_change(life, at, due);
        let is_said = |story: &mut Self, share| story.chance.per_mille(share);
        let later = |story: &mut Self| at + story.chance.minutes(60, span - 1_440);
        if is_said(self, odds.leave) {
            let asked = later(self);
            self.calendar.put(asked, Event::AskCancel(life));
            if is_said(self, odds.undo) {
                let undone = asked + self.chance.minutes(30, (due - asked).num_minutes());
                self.calendar.put(undone, Event::UndoCancel(life));
            }
        } else if is_said(self, odds.now) {
            let asked = later(self);
            self.plan_at_office(asked, Event::CancelNow(life));
        } else if is_said(self, odds.change) {
            let asked = later(self);
            self.calendar.put(asked, Event::AskChange(life));
        } else if is_said(self, odds.pause) {
            let asked = later(self);
            self.plan_at_office(asked, Event::Pause(life));
        }
        if is_said(self, odds.forget) {
            let forgotten = later(self);
            self.calendar.put(forgotten, Event::DeleteKey(life));
        } else if is_said(self, odds.swap) {
            let swapped = later(self);
            self.calendar.put(swapped, Event::SwapCard(life));
        }
    }

    /// Many change a card before it expires; the others learn it from the decline.
    fn plan_card_change(&mut self, life: u32, at: DateTime<Utc>, due: DateTime<Utc>) {
        let card = self.card_of(life);
        let bad = self.card(card).first_bad_day();
        let next = self.local_date(due);
        if bad.is_some_and(|bad| bad <= next) && self.chance.per_mille(640) {
            let span = (due - at).num_minutes();
            let later = at + self.chance.minutes(span / 2, span - 600);
            self.calendar.put(later, Event::SwapCard(life));
        }
    }

    pub(super) fn ask_cancel(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let reason = self.words.cancel(&mut self.chance);
        self.schedule_end(life, (SHOP, at), reason)
    }

    /// The plan changes with the next period.
    pub(super) fn ask_change(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let this = &self.lives[index(life)];
        let is_free = this.sub.state == SubscriptionState::Active && this.sub.cancel_at.is_none();
        let plan = this.plan;
        let Some(next) = Catalogue::next_of(&mut self.chance, plan) else {
            return Ok(());
        };
        let is_same_count = self.life(life).sub.quantity == 1;
        if !is_free || !is_same_count {
            return Ok(());
        }
        self.life(life).next_plan = Some(next);
        let code = self.catalogue.plan(next).code.clone();
        self.audit_verb(life, Verb::ChangePlan, (SHOP, at), &code)
    }

    /// Somebody of the shop tries again after a call. The schedule stays as it is.
    pub(super) fn retry_by_hand(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let this = self.life(life);
        let is_failing = this.sub.state == SubscriptionState::PastDue
            && this.open.as_ref().is_some_and(|invoice| {
                invoice.state == InvoiceState::Open && invoice.dunning == DunningState::Scheduled
            });
        if !is_failing {
            return Ok(());
        }
        let person = self.staff();
        let reason = self.words.manual();
        let who = (Verb::Retry.as_str(), person, reason);
        self.charge_owed(life, Source::Manual, who, at)
    }

    /// Somebody of the shop writes down what a customer said.
    pub(super) fn note(&mut self, account: u32, at: DateTime<Utc>) -> Told {
        let person = self.staff();
        let body = self.words.note(&mut self.chance);
        let target = self.accounts[index(account)].public_id();
        self.books.note(target.as_str(), person, body, at)?;
        let press = Press {
            person,
            verb: Verb::Note.as_str(),
            target: target.as_str(),
            result: "done",
            ..Press::default()
        };
        self.books.audit(at, press)?;
        if self.chance.per_mille(300) {
            let later = at + TimeDelta::days(self.chance.between(20, 200));
            self.plan_at_office(later, Event::Note(account));
        }
        Ok(())
    }
}
