//! The story: two years of a shop, told day by day, by the rules of `domain`.
//!
//! Each event looks at what is true now, changes it, and writes the rows that the engine would have
//! written. What no longer fits when its time comes (a cancel of what has ended) does not happen.

mod answer;
mod arrive;
mod ask;
mod charge;
mod finale;
mod leave;
mod once;
mod outcome;
mod plastic;
mod refund;
mod renew;

use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::books::{Books, Counts, Press};
use super::cards::Plastic;
use super::catalogue::Catalogue;
use super::chance::Chance;
use super::growth;
use super::load::{Outlet, Stopped};
use super::options::DemoOptions;
use super::people::People;
use super::words::Words;
use super::world::{Account, Calendar, Event, Life, RunKind};
use crate::domain::billing::Install;
use crate::domain::dunning::DunningPolicy;
use crate::domain::money::MoneyError;
use crate::domain::period::{PeriodError, day_start, local_date};
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{Change, ChangeCause};
use crate::vault::Vault;

use once::Target;
use renew::RunDesk;

/// How long the story is.
const MONTHS: u32 = 24;
/// Who works at the shop: support, support, on call, finance.
const STAFF: [&str; 4] = ["kim", "park", "lee", "choi"];
/// Who acts for a customer that does it alone, in the shop's own web pages.
const SHOP: &str = "shop";
/// Who starts the billing runs.
const RUN: &str = "run";
/// The process all of this might have run in.
const PROCESS: &str = "billing-1:4211:1732000000";

/// Why the story ends early.
#[derive(Debug)]
pub(super) enum Halt {
    /// A loader stopped; it says why itself.
    Stopped,
    /// The options lead somewhere the calendar or the rules do not.
    Story(String),
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<PeriodError> for Halt {
    fn from(error: PeriodError) -> Self {
        Self::Story(error.to_string())
    }
}

impl From<MoneyError> for Halt {
    fn from(error: MoneyError) -> Self {
        Self::Story(error.to_string())
    }
}

type Told = Result<(), Halt>;

/// What was told.
#[derive(Debug)]
pub(super) struct Sums {
    pub(super) customers: usize,
    pub(super) subscriptions: usize,
    pub(super) counts: Counts,
}

/// What the teller is given beside the options.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) chance: Chance,
    pub(super) people: People,
    pub(super) install: Install,
    pub(super) vault: Vault,
    pub(super) zone: Tz,
    pub(super) out: Outlet,
}

/// The teller.
pub(super) struct Story {
    chance: Chance,
    people: People,
    words: Words,
    lang: crate::locale::Lang,
    seed: u64,
    catalogue: Catalogue,
    install: Install,
    vault: Vault,
    policy: DunningPolicy,
    books: Books,
    calendar: Calendar,
    accounts: Vec<Account>,
    cards: Vec<Plastic>,
    lives: Vec<Life>,
    runs: RunDesk,
    target: Target,
}

impl Story {
    pub(super) fn new(options: &DemoOptions, means: Means) -> Result<Self, Halt> {
        let Means {
            mut chance,
            people,
            install,
            vault,
            zone,
            out,
        } = means;
        let today = local_date(options.now, zone);
        let first = first_day(today)?;
        let target = Target::of(options);
        let expected = index(target.customers);
        let catalogue = Catalogue::new(&mut chance, options.lang, day_start(first, zone));
        Ok(Self {
            chance,
            people,
            words: Words::of(options.lang),
            lang: options.lang,
            seed: options.seed,
            catalogue,
            install,
            vault,
            policy: DunningPolicy::standard(zone),
            books: Books::new(out, zone, options.now),
            calendar: Calendar::new(first, options.now, zone),
            accounts: Vec::with_capacity(expected),
            cards: Vec::with_capacity(expected + expected / 4),
            lives: Vec::with_capacity(expected + expected / 8),
            runs: RunDesk::default(),
            target,
        })
    }

    /// Tells all of it and hands over every row.
    pub(super) fn tell(mut self) -> Result<Sums, Halt> {
        self.write_catalogue()?;
        let days = self.calendar.days();
        let length = u32::try_from(days).unwrap_or(u32::MAX);
        let arrivals = growth::arrivals(self.calendar.first, length, self.target.customers);
        for (day, arriving) in arrivals.into_iter().enumerate() {
            self.tell_day(day, arriving)?;
        }
        self.finish()
    }

    fn tell_day(&mut self, day: usize, arriving: u32) -> Told {
        self.calendar.turn_to(day);
        let ahead = chrono::Days::new(u64::try_from(day).unwrap_or(0));
        let date = self.calendar.first.checked_add_days(ahead);
        let date = date.unwrap_or(self.calendar.today);
        let is_last = date == self.calendar.today;
        for _ in 0..arriving {
            let at = growth::moment(&mut self.chance, date, self.calendar.zone);
            // Whoever would come this evening has come in the small hours instead.
            let at = if is_last {
                self.earlier_today(date, at)
            } else {
                at
            };
            self.calendar.put(at, Event::SignUp);
        }
        if !is_last {
            self.plan_runs(date);
        }
        while let Some((at, event)) = self.calendar.next() {
            self.happen(at, event)?;
        }
        self.close_runs()?;
        self.fill_day(date, is_last)
    }

    /// A moment between midnight and now.
    fn earlier_today(&mut self, date: NaiveDate, at: DateTime<Utc>) -> DateTime<Utc> {
        let now = self.calendar.now;
        if at <= now {
            return at;
        }
        let midnight = day_start(date, self.calendar.zone);
        let passed = (now - midnight).num_milliseconds();
        midnight + TimeDelta::milliseconds(self.chance.between(0, passed.max(1)))
    }

    fn happen(&mut self, at: DateTime<Utc>, event: Event) -> Told {
        match event {
            Event::SignUp => self.sign_up(at),
            Event::StartRun(kind) => self.start_run(kind, at),
            Event::Renew(life) => self.renew(life, at),
            Event::Dun(life) => self.dun(life, at),
            Event::AskCancel(life) => self.ask_cancel(life, at),
            Event::UndoCancel(life) => self.undo_cancel(life, at),
            Event::CancelNow(life) => self.cancel_now(life, at),
            Event::EndWithoutKey(life) => self.end_without_key(life, at),
            Event::SwapCard(life) => self.swap_card(life, at),
            Event::DeleteKey(life) => self.delete_key(life, at),
            Event::RetryByHand(life) => self.retry_by_hand(life, at),
            Event::AskChange(life) => self.ask_change(life, at),
            Event::Pause(life) => self.pause(life, at),
            Event::Resume(life) => self.resume(life, at),
            Event::Expire(life) => self.expire(life, at),
            Event::ComeBack(account) => self.come_back(account, at),
            Event::AddOn(account) => self.add_on(account, at),
            Event::OneTime(account) => self.one_time(account, at),
            Event::RetryOneTime(owed) => self.retry_one_time(*owed, at),
            Event::Note(account) => self.note(account, at),
            Event::Refund(back) => self.refund(&back, at),
        }
    }

    fn plan_runs(&mut self, date: NaiveDate) {
        for (kind, hour) in [(RunKind::Renewals, 9), (RunKind::Dunning, 10)] {
            let at = day_start(date, self.calendar.zone) + TimeDelta::hours(hour);
            self.calendar.put(at, Event::StartRun(kind));
        }
    }

    fn life(&mut self, life: u32) -> &mut Life {
        &mut self.lives[index(life)]
    }

    fn account(&mut self, account: u32) -> &mut Account {
        &mut self.accounts[index(account)]
    }

    fn card(&mut self, card: u32) -> &mut Plastic {
        &mut self.cards[index(card)]
    }

    fn staff(&mut self) -> &'static str {
        self.chance.one_of::<&str>(&STAFF[..3])
    }

    fn local_date(&self, at: DateTime<Utc>) -> NaiveDate {
        local_date(at, self.calendar.zone)
    }

    fn press(&mut self, at: DateTime<Utc>, press: Press<'_>) -> Told {
        Ok(self.books.audit(at, press)?)
    }

    /// Moves a subscription by the table of states, and writes the row of history.
    fn move_to(
        &mut self,
        life: u32,
        to: SubscriptionState,
        cause: ChangeCause,
        by: (&str, DateTime<Utc>),
    ) -> Told {
        let this = &mut self.lives[index(life)];
        let from = this.sub.state;
        if !from.can_move_to(to) {
            let id = this.public_id();
            return Err(Halt::Story(format!("{id}: no move from {from} to {to}")));
        }
        this.sub.state = to;
        this.sub.version += 1;
        self.write_change(life, Some(from), cause, by)
    }

    /// A row of history for the state a subscription has now.
    fn write_change(
        &mut self,
        life: u32,
        from: Option<SubscriptionState>,
        cause: ChangeCause,
        (person, at): (&str, DateTime<Utc>),
    ) -> Told {
        let Life { sub, term, .. } = &self.lives[index(life)];
        let change = Change {
            subscription_id: sub.id,
            at,
            from,
            to: sub.state,
            plan_id: term.plan_id,
            price: term.price,
            quantity: term.quantity,
            discount_minor: 0,
            cause,
            requested_by: person.to_owned(),
            requested_at: sub.cancel_requested_at.unwrap_or(at),
        };
        Ok(self.books.change(&change)?)
    }
}

fn first_day(today: NaiveDate) -> Result<NaiveDate, Halt> {
    today
        .checked_sub_months(Months::new(MONTHS))
        .ok_or(Halt::from(PeriodError::OutOfRange))
}

fn index(of: u32) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
