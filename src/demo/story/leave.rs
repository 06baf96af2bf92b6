//! Subscriptions end, pause, and go on.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Story, Told, index};
use crate::demo::books::Press;
use crate::demo::world::Event;
use crate::domain::operator::Verb;
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::ChangeCause;

impl Story {
    /// Moves a subscription to an end: history, audit, term, and what is owed.
    pub(super) fn end_as(
        &mut self,
        life: u32,
        to: SubscriptionState,
        cause: ChangeCause,
        (person, at): (&str, DateTime<Utc>),
        reason: &str,
    ) -> Told {
        let this = self.life(life);
        let from = this.sub.state;
        this.sub.ended_at = Some(at);
        this.sub.next_due_at = None;
        this.sub.cancel_at = None;
        this.term.to_at = this.term.to_at.or(Some(at));
        self.move_to(life, to, cause, (person, at))?;
        if let Some(mut invoice) = self.life(life).open.take() {
            if invoice.state.can_move_to(InvoiceState::Void) {
                invoice.state = InvoiceState::Void;
                invoice.next_attempt_at = None;
                invoice.version += 1;
            }
            self.books.invoice(&invoice)?;
        }
        let id = self.lives[index(life)].public_id();
        let press = Press {
            person,
            verb: cause.as_str(),
            target: id.as_str(),
            before: from.as_str(),
            after: to.as_str(),
            reason,
            result: "done",
            ..Press::default()
        };
        self.books.audit(at, press)?;
        if self.chance.per_mille(85) {
            let later = at + TimeDelta::days(self.chance.between(18, 160));
            let account = self.life(life).account;
            self.calendar.put(later, Event::ComeBack(account));
        }
        Ok(())
    }

    /// Somebody of the shop ends it at once.
    pub(super) fn cancel_now(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let person = self.staff();
        let is_owing = self.life(life).open.is_some();
        let reason = if is_owing {
            self.words.no_card()
        } else {
            self.words.cancel(&mut self.chance)
        };
        self.end_now(life, (person, at), reason)
    }

    /// Ends it at once, if there is something to end.
    pub(super) fn end_now(&mut self, life: u32, by: (&str, DateTime<Utc>), reason: &str) -> Told {
        let this = self.life(life);
        let to = match this.sub.state {
            SubscriptionState::Canceled | SubscriptionState::Expired => return Ok(()),
            SubscriptionState::Incomplete => SubscriptionState::Expired,
            _ => SubscriptionState::Canceled,
        };
        let asked = this.sub.cancel_requested_at.or(Some(by.1));
        this.sub.cancel_requested_at = asked;
        self.end_as(life, to, ChangeCause::CanceledNow, by, reason)
    }

    /// The end of the paid time becomes the end of the subscription.
    pub(super) fn schedule_end(
        &mut self,
        life: u32,
        (person, at): (&str, DateTime<Utc>),
        reason: &str,
    ) -> Told {
        let this = self.life(life);
        let may = matches!(
            this.sub.state,
            SubscriptionState::Active | SubscriptionState::Trialing | SubscriptionState::PastDue
        );
        if !may || this.sub.cancel_at.is_some() {
            return Ok(());
        }
        let paid = this.sub.paid_until.into_iter().chain(this.sub.trial_until);
        let end = paid.max().unwrap_or(at).max(at);
        this.sub.cancel_at = Some(end);
        this.sub.cancel_requested_at = Some(at);
        this.sub.version += 1;
        self.calendar.put_run(end, 9, Event::Renew(life));
        self.audit_verb(life, Verb::CancelAtEnd, (person, at), reason)
    }

    pub(super) fn undo_cancel(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let this = self.life(life);
        if this.sub.cancel_at.is_none() || this.sub.state.is_ended() {
            return Ok(());
        }
        this.sub.cancel_at = None;
        this.sub.cancel_requested_at = None;
        this.sub.version += 1;
        self.audit_verb(life, Verb::UndoCancel, (super::SHOP, at), "")
    }

    /// A line of the audit trail about a subscription whose state stays.
    pub(super) fn audit_verb(
        &mut self,
        life: u32,
        verb: Verb,
        (person, at): (&str, DateTime<Utc>),
        reason: &str,
    ) -> Told {
        let id = self.lives[index(life)].public_id();
        let sub = &self.lives[index(life)].sub;
        let after = sub.cancel_at.map(|end| end.to_rfc3339());
        let press = Press {
            person,
            verb: verb.as_str(),
            target: id.as_str(),
            before: sub.state.as_str(),
            after: &after.unwrap_or_default(),
            reason,
            result: "done",
            ..Press::default()
        };
        Ok(self.books.audit(at, press)?)
    }

    /// The provider forgot the key, and nobody brought a new card.
    pub(super) fn end_without_key(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        if self.life(life).sub.state != SubscriptionState::PastDue {
            return Ok(());
        }
        let to = SubscriptionState::Canceled;
        let by = ("system", at);
        self.end_as(life, to, ChangeCause::KeyDeleted, by, "key deleted")
    }

    /// Billing stops for a while.
    pub(super) fn pause(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let this = self.life(life);
        let may = this.sub.state == SubscriptionState::Active
            && this.open.is_none()
            && this.sub.cancel_at.is_none();
        if !may {
            return Ok(());
        }
        this.sub.next_due_at = None;
        this.next_plan = None;
        this.term.to_at = Some(at);
        let person = self.staff();
        let to = SubscriptionState::Paused;
        self.move_to(life, to, ChangeCause::Paused, (person, at))?;
        self.audit_verb(life, Verb::Pause, (person, at), "")?;
        let days = self.chance.between(20, 75);
        let date = self.local_date(at + TimeDelta::days(days));
        let morning = crate::domain::period::day_start(date, self.calendar.zone)
            + TimeDelta::minutes(self.chance.between(430, 530));
        if self.chance.per_mille(830) {
            self.calendar.put(morning, Event::Resume(life));
        } else {
            self.calendar.put(morning, Event::CancelNow(life));
        }
        Ok(())
    }

    /// Billing goes on, with a period that begins on that day.
    pub(super) fn resume(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        if self.life(life).sub.state != SubscriptionState::Paused {
            return Ok(());
        }
        self.next_term(life, at, |_| {})?;
        let this = self.life(life);
        let due = this.term.anchor.period(0)?.due_at;
        this.sub.next_due_at = Some(due);
        let to = SubscriptionState::Active;
        self.move_to(life, to, ChangeCause::Resumed, (super::SHOP, at))?;
        self.audit_verb(life, Verb::Resume, (super::SHOP, at), "")?;
        self.calendar.put_run(at, 9, Event::Renew(life));
        Ok(())
    }
}
