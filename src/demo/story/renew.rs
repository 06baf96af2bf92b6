//! The billing runs: renewals at nine, dunning attempts at ten, one decision per due row.

use chrono::{DateTime, TimeDelta, Utc};

use super::charge::Try;
use super::{Halt, PROCESS, RUN, Story, Told, index};
use crate::demo::books::Press;
use crate::demo::declines::Trouble;
use crate::demo::world::{Event, RunKind};
use crate::domain::attempt::Source;
use crate::domain::dunning::DunningState;
use crate::domain::ids::{AttemptId, InvoiceId, Noun};
use crate::domain::invoice::Invoice;
use crate::domain::operator::Verb;
use crate::domain::run::{Decision, Run, RunItem};
use crate::domain::states::{InvoiceState, MethodState, RunState, SubscriptionState};
use crate::domain::subscription::{ChangeCause, Term};

/// For so many days before the end more is declined than usual.
const STRICTER_DAYS: i64 = 8;

/// The runs of the day at hand.
#[derive(Debug, Default)]
pub(super) struct RunDesk {
    renewals: Option<Open>,
    dunning: Option<Open>,
}

#[derive(Debug)]
struct Open {
    run: Run,
    cursor: DateTime<Utc>,
}

impl RunDesk {
    fn of(&mut self, kind: RunKind) -> &mut Option<Open> {
        match kind {
            RunKind::Renewals => &mut self.renewals,
            RunKind::Dunning => &mut self.dunning,
        }
    }
}

impl Story {
    pub(super) fn start_run(&mut self, kind: RunKind, at: DateTime<Utc>) -> Told {
        let started_at = at + TimeDelta::milliseconds(self.chance.between(900, 2_600));
        let run = Run {
            id: self.books.next_run(),
            public_id: self.chance.public_id(Noun::Run, started_at),
            state: RunState::Running,
            operator: RUN.to_owned(),
            host: PROCESS.to_owned(),
            until: started_at,
            started_at,
            finished_at: None,
            stop_reason: None,
        };
        if self.books.keeps_runs(at) {
            let due = self.calendar.count(|event| match kind {
                RunKind::Renewals => matches!(event, Event::Renew(_)),
                RunKind::Dunning => matches!(event, Event::Dun(_)),
            });
            self.audit_run(&run, started_at, (&format!("{due} due"), "intent"))?;
        }
        let cursor = started_at;
        *self.runs.of(kind) = Some(Open { run, cursor });
        Ok(())
    }

    fn audit_run(&mut self, run: &Run, at: DateTime<Utc>, (after, result): (&str, &str)) -> Told {
        let press = Press {
            person: RUN,
            verb: Verb::BillRun.as_str(),
            target: run.public_id.as_str(),
            after,
            result,
            ..Press::default()
        };
        self.press(at, press)
    }

    /// When a run comes to its next row.
    pub(super) fn run_moment(&mut self, kind: RunKind, at: DateTime<Utc>) -> DateTime<Utc> {
        let pace = TimeDelta::milliseconds(self.chance.between(25, 95));
        match self.runs.of(kind) {
            Some(open) => {
                open.cursor = open.cursor.max(at) + pace;
                open.cursor
            }
            None => at + pace,
        }
    }

    pub(super) fn close_runs(&mut self) -> Told {
        for kind in [RunKind::Renewals, RunKind::Dunning] {
            let Some(mut open) = self.runs.of(kind).take() else {
                continue;
            };
            if !self.books.keeps_runs(open.run.started_at) {
                continue;
            }
            let at = open.cursor + TimeDelta::milliseconds(1_850);
            open.run.state = RunState::Finished;
            open.run.finished_at = Some(at);
            self.audit_run(&open.run, at, (RunState::Finished.as_str(), "done"))?;
            self.books.run(&open.run)?;
        }
        Ok(())
    }

    fn decide(
        &mut self,
        kind: RunKind,
        life: u32,
        ids: (Option<InvoiceId>, Option<AttemptId>),
        (decision, reason, at): (Decision, &str, DateTime<Utc>),
    ) -> Told {
        let subscription_id = self.life(life).sub.id;
        let Some(open) = self.runs.of(kind) else {
            return Ok(());
        };
        let item = RunItem {
            run_id: open.run.id,
            subscription_id,
            invoice_id: ids.0,
            attempt_id: ids.1,
            decision: Some(decision),
            reason: reason.to_owned(),
            at,
        };
        if self.books.keeps_runs(at) {
            self.books.run_item(&item)?;
        }
        Ok(())
    }

    /// A subscription whose period begins or whose end has come.
    pub(super) fn renew(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let at = self.run_moment(RunKind::Renewals, at);
        let sub = &self.lives[index(life)].sub;
        let is_running = matches!(
            sub.state,
            SubscriptionState::Active | SubscriptionState::Trialing
        );
        let may_end = is_running || sub.state == SubscriptionState::PastDue;
        if may_end && sub.cancel_at.is_some_and(|end| end <= at) {
            let to = SubscriptionState::Canceled;
            self.end_as(life, to, ChangeCause::CanceledAtEnd, (RUN, at), "")?;
            let decision = (Decision::Canceled, "", at);
            return self.decide(RunKind::Renewals, life, (None, None), decision);
        }
        if !is_running || sub.next_due_at.is_none_or(|due| due > at) {
            return Ok(());
        }
        if self.life(life).next_plan.is_some() {
            self.change_plan(life, at)?;
        }
        let this = self.life(life);
        let period = this.term.anchor.period(this.sub.next_period)?;
        this.sub.next_period += 1;
        this.sub.next_due_at = Some(period.ends_at);
        this.sub.version += 1;
        self.calendar.put_run(period.ends_at, 9, Event::Renew(life));
        let invoice = self.new_renewal(life, period, at)?;
        self.charge_renewal(life, invoice, at)
    }

    fn charge_renewal(&mut self, life: u32, mut invoice: Invoice, at: DateTime<Utc>) -> Told {
        let card = self.card_of(life);
        if self.card(card).state == MethodState::Deleted {
            return self.await_card(life, invoice, at);
        }
        let share = self.share_of_trouble(at);
        if self.chance.per_mille(share) {
            let trouble = Trouble::draw(&mut self.chance);
            self.card(card).trouble.get_or_insert(trouble);
        }
        self.bill(life, &mut invoice, Source::Run, at)
            .and_then(|tried| self.conclude(life, invoice, &tried, Source::Run))
    }

    /// Of a thousand renewals, so many begin to fail. Lately an issuer has been stricter.
    fn share_of_trouble(&self, at: DateTime<Utc>) -> u32 {
        if at > self.calendar.now - TimeDelta::days(STRICTER_DAYS) {
            115
        } else {
            23
        }
    }

    fn bill(
        &mut self,
        life: u32,
        invoice: &mut Invoice,
        source: Source,
        at: DateTime<Utc>,
    ) -> Result<super::charge::Tried, Halt> {
        let kind = match source {
            Source::Dunning => RunKind::Dunning,
            _ => RunKind::Renewals,
        };
        let account = self.life(life).account;
        let this = Try {
            account,
            card: self.card_of(life),
            life: Some(life),
            plan: Some(self.life(life).term.plan_id),
            source,
            verb: Verb::BillRun.as_str(),
            operator: RUN,
            reason: "",
            at,
        };
        let tried = self.try_charge(invoice, this)?;
        let decision = match tried.no {
            None => Decision::Done,
            Some(_) => Decision::Declined,
        };
        let ids = (Some(invoice.id), Some(tried.attempt));
        self.decide(kind, life, ids, (decision, "", tried.settled_at))?;
        Ok(tried)
    }

    /// Nothing can be charged until a new card comes.
    fn await_card(&mut self, life: u32, mut invoice: Invoice, at: DateTime<Utc>) -> Told {
        invoice.dunning = DunningState::AwaitingCard;
        invoice.first_failed_at = Some(at);
        invoice.version += 1;
        let ids = (Some(invoice.id), None);
        self.life(life).open = Some(Box::new(invoice));
        self.make_past_due(life, at)?;
        let reason = "the billing key was deleted at the provider";
        let decision = (Decision::SkippedKeyDeleted, reason, at);
        self.decide(RunKind::Renewals, life, ids, decision)?;
        if self.chance.per_mille(550) {
            self.plan_new_card(life, at);
        } else {
            let later = at + TimeDelta::days(self.chance.between(7, 15));
            self.calendar.put(later, Event::EndWithoutKey(life));
        }
        Ok(())
    }

    /// The new plan begins with the period that is due: another term, another anchor.
    fn change_plan(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let Some(plan) = self.life(life).next_plan.take() else {
            return Ok(());
        };
        let offer = self.catalogue.plan(plan).clone();
        self.next_term(life, at, |term| {
            term.plan_id = offer.id;
            term.price = offer.price;
            term.anchor.interval = offer.interval;
        })?;
        let this = self.life(life);
        this.plan = plan;
        this.sub.plan_id = offer.id;
        let state = Some(this.sub.state);
        self.write_change(life, state, ChangeCause::PlanChanged, ("system", at))
    }

    /// Ends the running term on its next due date and begins another there.
    pub(super) fn next_term(
        &mut self,
        life: u32,
        at: DateTime<Utc>,
        change: impl FnOnce(&mut Term),
    ) -> Told {
        let due = self.life(life).sub.next_due_at.unwrap_or(at);
        let date = self.local_date(due);
        let this = self.life(life);
        this.term.to_at = this.term.to_at.or(Some(at));
        let mut term = this.term.clone();
        term.term_no += 1;
        term.anchor.date = date;
        term.from_at = at;
        term.to_at = None;
        change(&mut term);
        let ended = std::mem::replace(&mut this.term, term);
        this.sub.term_no = ended.term_no + 1;
        this.sub.next_period = 0;
        this.sub.version += 1;
        Ok(self.books.term(&ended)?)
    }

    /// A further attempt by schedule.
    pub(super) fn dun(&mut self, life: u32, at: DateTime<Utc>) -> Told {
        let at = self.run_moment(RunKind::Dunning, at);
        let this = self.life(life);
        let may = matches!(
            this.sub.state,
            SubscriptionState::Active | SubscriptionState::PastDue | SubscriptionState::Trialing
        );
        let is_due = this.open.as_ref().is_some_and(|invoice| {
            invoice.state == InvoiceState::Open
                && invoice.dunning == DunningState::Scheduled
                && invoice.next_attempt_at.is_some_and(|next| next <= at)
        });
        if !may || !is_due {
            return Ok(());
        }
        let Some(mut invoice) = self.take_owed(life) else {
            return Ok(());
        };
        invoice.next_attempt_at = None;
        let tried = self.bill(life, &mut invoice, Source::Dunning, at)?;
        self.conclude(life, invoice, &tried, Source::Dunning)
    }
}
