//! What a charge's outcome does to invoice and subscription, and what people do next.

use chrono::{DateTime, TimeDelta, Utc};

use super::charge::{Tried, is_dunned, note_refusal};
use super::{Halt, Story, Told, index};
use crate::demo::declines::No;
use crate::demo::world::Event;
use crate::domain::attempt::Source;
use crate::domain::dunning::{DunningBefore, DunningState, DunningStep};
use crate::domain::failure::FailureClass;
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::period::day_start;
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::domain::subscription::ChangeCause;

/// Who acts when nobody pressed a key.
const SYSTEM: &str = "system";

impl Story {
    /// Writes what came of a charge for a subscription's invoice.
    pub(super) fn conclude(
        &mut self,
        life: u32,
        invoice: Invoice,
        tried: &Tried,
        source: Source,
    ) -> Told {
        match tried.no {
            None => self.paid(life, &invoice, tried.settled_at),
            Some(no) => self.refused(life, invoice, no, source, tried.settled_at),
        }
    }

    fn paid(&mut self, life: u32, invoice: &Invoice, at: DateTime<Utc>) -> Told {
        self.books.invoice(invoice)?;
        let zone = self.calendar.zone;
        let this = self.life(life);
        this.open = None;
        let from = this.sub.state;
        if from.is_ended() {
            return Ok(());
        }
        if invoice.kind == InvoiceKind::Renewal {
            let ends = day_start(invoice.period_to, zone);
            let until = this.sub.paid_until.map_or(ends, |until| until.max(ends));
            this.sub.paid_until = Some(until);
        }
        this.sub.first_failed_at = None;
        this.sub.version += 1;
        if from == SubscriptionState::Unpaid {
            self.skip_missed_periods(life, at)?;
        }
        let cause = match from {
            SubscriptionState::Incomplete | SubscriptionState::Trialing => ChangeCause::Activated,
            _ => ChangeCause::Recovered,
        };
        if from != SubscriptionState::Active {
            self.move_to(life, SubscriptionState::Active, cause, (SYSTEM, at))?;
        }
        self.plan_next_renewal(life, at);
        self.plan_ahead(life, at);
        Ok(())
    }

    /// A due date that passed while money was owed is billed by the next run.
    fn plan_next_renewal(&mut self, life: u32, at: DateTime<Utc>) {
        if let Some(due) = self.life(life).sub.next_due_at
            && due <= at
        {
            self.calendar.put_run(at, 9, Event::Renew(life));
        }
    }

    /// After a debt of the past is paid, billing goes on with the first period that is not over.
    fn skip_missed_periods(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let this = self.life(life);
        let mut period = this.term.anchor.period(this.sub.next_period)?;
        while period.due_at <= at {
            period = this.term.anchor.period(period.index + 1)?;
        }
        this.sub.next_period = period.index;
        this.sub.next_due_at = Some(period.due_at);
        self.calendar.put_run(period.due_at, 9, Event::Renew(life));
        Ok(())
    }

    fn refused(
        &mut self,
        life: u32,
        mut invoice: Invoice,
        no: No,
        source: Source,
        at: DateTime<Utc>,
    ) -> Told {
        note_refusal(&mut invoice, no.refusal());
        let state = self.life(life).sub.state;
        let may_dun = matches!(
            state,
            SubscriptionState::Active | SubscriptionState::PastDue | SubscriptionState::Trialing
        );
        if !may_dun || !is_dunned(&invoice) {
            invoice.first_failed_at = invoice.first_failed_at.or(Some(at));
            self.life(life).open = Some(Box::new(invoice));
            return Ok(());
        }
        let step = self.next_step(&invoice, source, no.class, at);
        invoice.first_failed_at = invoice
            .first_failed_at
            .or(step.makes_past_due.then_some(at));
        invoice.dunning = step.state;
        invoice.next_attempt_at = step.next_attempt_at;
        invoice.dunning_used = step.used;
        let is_over = step.state == DunningState::Exhausted && source == Source::Dunning;
        if is_over {
            invoice.state = InvoiceState::Uncollectible;
        }
        self.life(life).open = Some(Box::new(invoice));
        if is_over {
            self.end_dunning(life, at)?;
        } else if step.makes_past_due {
            self.make_past_due(life, at)?;
        }
        self.plan_recovery(life, &step, no.class, at);
        Ok(())
    }

    fn next_step(
        &self,
        invoice: &Invoice,
        source: Source,
        class: FailureClass,
        at: DateTime<Utc>,
    ) -> DunningStep {
        let before = DunningBefore {
            state: invoice.dunning,
            next_attempt_at: invoice.next_attempt_at,
            used: invoice.dunning_used,
            first_failed_at: invoice.first_failed_at,
        };
        self.policy.after_failure(before, source, class, at)
    }

    /// A billed subscription with a declined renewal is past due.
    pub(super) fn make_past_due(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let this = self.life(life);
        this.sub.first_failed_at = this.sub.first_failed_at.or(Some(at));
        this.sub.version += 1;
        if !this.sub.state.can_move_to(SubscriptionState::PastDue) {
            return Ok(());
        }
        let to = SubscriptionState::PastDue;
        self.move_to(life, to, ChangeCause::PaymentFailed, (SYSTEM, at))
    }

    fn end_dunning(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        self.life(life).sub.next_due_at = None;
        let to = SubscriptionState::Unpaid;
        self.move_to(life, to, ChangeCause::DunningExhausted, ("dunning", at))?;
        let this = &self.lives[index(life)];
        let id = this.public_id();
        let key = format!("{id}:{}", this.sub.version);
        let payload = format!("{{\"subscription\":\"{id}\"}}");
        Ok(self.books.notice("dunning_ended", &key, payload, at)?)
    }

    /// What customers and staff do about a failed charge.
    fn plan_recovery(
        &mut self,
        life: u32,
        step: &DunningStep,
        class: FailureClass,
        at: DateTime<Utc>,
    ) {
        let days = |story: &mut Self, low, high| TimeDelta::days(story.chance.between(low, high));
        match step.state {
            DunningState::Idle => {}
            DunningState::Scheduled => {
                if let Some(next) = step.next_attempt_at {
                    self.calendar.put_run(next, 10, Event::Dun(life));
                }
                if class == FailureClass::ProviderDown {
                    return;
                }
                if self.chance.per_mille(110) {
                    let later = at + days(self, 1, 4);
                    self.plan_at_office(later, Event::RetryByHand(life));
                }
                if self.chance.per_mille(60) {
                    let later = at + days(self, 1, 5) + self.chance.minutes(0, 600);
                    self.calendar.put(later, Event::SwapCard(life));
                } else if self.chance.per_mille(25) {
                    let later = at + days(self, 1, 6);
                    self.plan_at_office(later, Event::CancelNow(life));
                }
            }
            DunningState::AwaitingCard => self.plan_new_card(life, at),
            DunningState::Exhausted => {
                if self.chance.per_mille(170) {
                    let later = at + days(self, 2, 24) + self.chance.minutes(0, 600);
                    self.calendar.put(later, Event::SwapCard(life));
                } else if self.chance.per_mille(560) {
                    let later = at + days(self, 14, 55);
                    self.plan_at_office(later, Event::CancelNow(life));
                }
            }
        }
    }

    /// Most bring another card; the others are ended by somebody of the shop.
    pub(super) fn plan_new_card(&mut self, life: u32, at: DateTime<Utc>) {
        if self.chance.per_mille(720) {
            let later = at + self.chance.minutes(600, 24 * 1_440);
            self.calendar.put(later, Event::SwapCard(life));
        } else {
            let later = at + TimeDelta::days(self.chance.between(13, 27));
            self.plan_at_office(later, Event::CancelNow(life));
        }
    }

    /// The invoice that is owed, taken out to be charged; only one that may be.
    pub(super) fn take_owed(&mut self, life: u32) -> Option<Invoice> {
        let this = self.life(life);
        let is_chargeable = this.open.as_ref().is_some_and(|invoice| {
            matches!(
                invoice.state,
                InvoiceState::Open | InvoiceState::Uncollectible
            )
        });
        if !is_chargeable || this.sub.state.is_ended() {
            return None;
        }
        this.open.take().map(|invoice| *invoice)
    }

    /// Charges what a subscription owes, outside of a run.
    pub(super) fn charge_owed(
        &mut self,
        life: u32,
        source: Source,
        who: (&'static str, &'static str, &'static str),
        at: DateTime<Utc>,
    ) -> Result<(), Halt> {
        let Some(mut invoice) = self.take_owed(life) else {
            return Ok(());
        };
        let (verb, operator, reason) = who;
        let account = self.life(life).account;
        let this = super::charge::Try {
            account,
            card: self.card_of(life),
            life: Some(life),
            plan: Some(self.life(life).term.plan_id),
            source,
            verb,
            operator,
            reason,
            at,
        };
        let tried = self.try_charge(&mut invoice, this)?;
        self.conclude(life, invoice, &tried, source)
    }
}
