//! Who and what there is while the story is told: accounts, subscriptions, the days ahead.
//!
//! Memory grows with customers, never with payments: whatever is final is written at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::chance::ShortId;
use super::people::Kind;
use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{CustomerId, InvoiceId, Noun, PaymentId, PublicId};
use crate::domain::invoice::Invoice;
use crate::domain::period::{day_start, local_date};
use crate::domain::subscription::{Subscription, Term};

/// A customer as long as the story goes on. Contact data is made again when its row is written.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: ShortId,
    pub(super) kind: Kind,
    pub(super) created_us: i64,
    pub(super) version: i64,
    pub(super) card: u32,
    /// Its newest subscription; each knows the one before.
    pub(super) newest: Option<u32>,
}

/// A subscription with what is not in its row.
#[derive(Debug)]
pub(super) struct Life {
    /// Its public id is made when it is needed.
    pub(super) sub: Subscription,
    pub(super) id: ShortId,
    /// The account's subscription before this one.
    pub(super) before: Option<u32>,
    pub(super) term: Term,
    pub(super) account: u32,
    /// Index into the catalogue.
    pub(super) plan: usize,
    /// The plan it moves to with its next period.
    pub(super) next_plan: Option<usize>,
    /// What is owed and not settled.
    pub(super) open: Option<Box<Invoice>>,
}

/// A refund that will be made.
#[derive(Debug, Clone)]
pub(super) struct Return {
    pub(super) payment: PaymentId,
    pub(super) payment_public_id: PublicId,
    pub(super) payment_key: String,
    pub(super) invoice: InvoiceId,
    pub(super) account: u32,
    pub(super) life: Option<u32>,
    pub(super) plan_id: i64,
    pub(super) captured: i64,
    /// What the provider still holds before.
    pub(super) balance: i64,
    pub(super) amount: i64,
    pub(super) number: u32,
    pub(super) public_id: PublicId,
    pub(super) attempt_public_id: PublicId,
    pub(super) transaction_key: String,
    pub(super) reason: &'static str,
    pub(super) operator: &'static str,
    pub(super) also_cancel: AlsoCancel,
    pub(super) at: DateTime<Utc>,
}

/// What happens next to whom.
#[derive(Debug)]
pub(super) enum Event {
    SignUp,
    StartRun(RunKind),
    Renew(u32),
    Dun(u32),
    AskCancel(u32),
    UndoCancel(u32),
    CancelNow(u32),
    /// The provider forgot the key and no new card came.
    EndWithoutKey(u32),
    SwapCard(u32),
    DeleteKey(u32),
    RetryByHand(u32),
    AskChange(u32),
    Pause(u32),
    Resume(u32),
    Expire(u32),
    ComeBack(u32),
    AddOn(u32),
    OneTime(u32),
    RetryOneTime(Box<(u32, Invoice)>),
    Note(u32),
    Refund(Box<Return>),
}

/// Renewals are billed at nine, dunning attempts at ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunKind {
    Renewals,
    Dunning,
}

#[derive(Debug)]
struct Entry {
    at_us: i64,
    /// A run begins before its rows are billed.
    is_follower: bool,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |entry: &Self| (entry.at_us, entry.is_follower, entry.number);
        key(self).cmp(&key(other))
    }
}

/// The days from the first to today, and what is planned on each.
#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) zone: Tz,
    pub(super) now: DateTime<Utc>,
    pub(super) first: NaiveDate,
    pub(super) today: NaiveDate,
    days: Vec<Vec<Entry>>,
    here: BinaryHeap<Reverse<Entry>>,
    day: usize,
    number: u64,
    present_us: i64,
}

impl Calendar {
    pub(super) fn new(first: NaiveDate, now: DateTime<Utc>, zone: Tz) -> Self {
        let today = local_date(now, zone);
        let count = usize::try_from((today - first).num_days() + 1).unwrap_or(0);
        Self {
            zone,
            now,
            first,
            today,
            days: (0..count).map(|_| Vec::new()).collect(),
            here: BinaryHeap::new(),
            day: 0,
            number: 0,
            present_us: i64::MIN,
        }
    }

    pub(super) fn days(&self) -> usize {
        self.days.len()
    }

    /// Turns to a day: its events come next.
    pub(super) fn turn_to(&mut self, day: usize) {
        self.day = day;
        let planned = std::mem::take(&mut self.days[day]);
        self.here = planned.into_iter().map(Reverse).collect();
    }

    /// How many things of a kind are planned on the day at hand.
    pub(super) fn count(&self, is_kind: impl Fn(&Event) -> bool) -> usize {
        let here = self.here.iter();
        here.filter(|Reverse(entry)| is_kind(&entry.event)).count()
    }

    /// The day's next event.
    pub(super) fn next(&mut self) -> Option<(DateTime<Utc>, Event)> {
        let Reverse(entry) = self.here.pop()?;
        self.present_us = self.present_us.max(entry.at_us);
        let at = DateTime::from_timestamp_micros(entry.at_us)?;
        Some((at, entry.event))
    }

    /// The first run at an hour that comes at or after `at` and has not begun.
    pub(super) fn run_after(&self, at: DateTime<Utc>, hour: i64) -> DateTime<Utc> {
        let present = DateTime::from_timestamp_micros(self.present_us).unwrap_or(at);
        let date = local_date(at.max(present), self.zone);
        let here = day_start(date, self.zone) + TimeDelta::hours(hour);
        if here >= at && here > present {
            here
        } else {
            let next = date.succ_opt().unwrap_or(date);
            day_start(next, self.zone) + TimeDelta::hours(hour)
        }
    }

    /// Plans something for a run. Today's runs have not begun.
    pub(super) fn put_run(&mut self, at: DateTime<Utc>, hour: i64, event: Event) {
        let at = self.run_after(at, hour);
        if local_date(at, self.zone) < self.today {
            self.put(at, event);
        }
    }

    /// Whether it happens before the story ends.
    pub(super) fn is_told(&self, at: DateTime<Utc>) -> bool {
        at <= self.now
    }

    /// Plans something. What lies behind the end of the story does not happen, and what lies
    /// before the present happens at once.
    pub(super) fn put(&mut self, at: DateTime<Utc>, event: Event) {
        if !self.is_told(at) {
            return;
        }
        let day = (local_date(at, self.zone) - self.first).num_days();
        let day = usize::try_from(day).unwrap_or(0).max(self.day);
        self.number += 1;
        let entry = Entry {
            at_us: at.timestamp_micros().max(self.present_us),
            is_follower: !matches!(event, Event::StartRun(_)),
            number: self.number,
            event,
        };
        if day == self.day {
            self.here.push(Reverse(entry));
        } else if let Some(planned) = self.days.get_mut(day) {
            planned.push(entry);
        }
    }
}

impl Life {
    pub(super) fn public_id(&self) -> PublicId {
        self.id.of(Noun::Subscription)
    }
}

impl Account {
    pub(super) fn public_id(&self) -> PublicId {
        self.id.of(Noun::Customer)
    }

    /// The row id of the account at an index.
    pub(super) fn row(index: u32) -> CustomerId {
        CustomerId(i64::from(index) + 1)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_none_after_the_end() {
        let zone = chrono_tz::Asia::Seoul;
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 3, 0, 0).unwrap();
        let mut calendar = Calendar::new("2026-11-20".parse().unwrap(), now, zone);
        assert_eq!(calendar.days(), 2);
        calendar.turn_to(0);
        calendar.put(now - TimeDelta::hours(20), Event::Note(2));
        calendar.put(now - TimeDelta::hours(22), Event::Note(1));
        calendar.put(now + TimeDelta::seconds(1), Event::Note(9));
        calendar.put(now, Event::Note(3));
        let mut told = Vec::new();
        for day in 0..2 {
            if day > 0 {
                calendar.turn_to(day);
            }
            while let Some((_, Event::Note(account))) = calendar.next() {
                told.push(account);
            }
        }
        assert_eq!(told, [1, 2, 3]);
    }
}
