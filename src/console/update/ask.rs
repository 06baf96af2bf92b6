//! The question of each place.
//!
//! Local days are computed here, in the billing zone, because the database has none.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::console::effect::Question;
use crate::console::layout::list_rows;
use crate::console::model::{List, ListKind, Model, PAGE, Place, Screen};
use crate::domain::period::day_start;
use crate::engine::queries::{Counting, Cursor, ListQuery, LocalDay, Toward, Window};

pub fn question(model: &Model, cursor: Option<Cursor>, toward: Toward) -> Question {
    let visit = model.visit();
    match &visit.place {
        Place::Customer(id) => Question::Customer(*id),
        Place::Subscription(id) => Question::Subscription(*id),
        Place::Invoice(id) => Question::Timeline(*id),
        Place::Payment(id) => Question::TimelineOfPayment(*id),
        Place::Attempt(id) => Question::TimelineOfAttempt(*id),
        Place::Found(text) => Question::Find(text.clone()),
        Place::Screen(Screen::Overview) => Question::Overview(window(model)),
        Place::Screen(Screen::Revenue) => revenue(model),
        Place::Screen(Screen::Renewals) => Question::RenewalDays(ahead(RENEWAL_DAYS, model)),
        Place::Run(run, _) => Question::RunItems {
            run: *run,
            query: list_query(visit.list(), cursor, toward),
        },
        Place::Screen(_) | Place::RenewalsOf(_) | Place::Declines | Place::Wishes => {
            let mut query = list_query(visit.list(), cursor, toward);
            query.counting = Counting::Later;
            if query.cursor.is_none() {
                query.limit = first_page(model);
            }
            Question::List {
                kind: visit.place.list().unwrap_or(ListKind::Customers),
                query,
            }
        }
    }
}

/// What fills the screen and is far enough from its end; the rest follows when it is wanted.
fn first_page(model: &Model) -> u32 {
    u32::try_from(list_rows(model)).map_or(PAGE, |rows| rows.saturating_add(BELOW))
}

/// How many rows the current list has, where the page leaves that open.
pub fn count(model: &Model) -> Option<Question> {
    match question(model, None, Toward::Later) {
        Question::List { kind, mut query } => {
            query.counting = Counting::Alone;
            Some(Question::Count { kind, query })
        }
        _ => None,
    }
}

fn list_query(list: Option<&List>, cursor: Option<Cursor>, toward: Toward) -> ListQuery {
    match list {
        Some(list) => list.query(cursor, toward),
        None => List::new(ListKind::Customers).query(cursor, toward),
    }
}

pub fn today(model: &Model) -> NaiveDate {
    model.now.at.with_timezone(&model.zone).date_naive()
}

fn local_day(date: NaiveDate, model: &Model) -> LocalDay {
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    LocalDay {
        date,
        from: day_start(date, model.zone),
        to: day_start(next, model.zone),
    }
}

fn days_from(first: NaiveDate, count: u64, model: &Model) -> Vec<LocalDay> {
    (0..count)
        .filter_map(|n| first.checked_add_days(Days::new(n)))
        .map(|date| local_day(date, model))
        .collect()
}

/// What is overdue, the rest of today, and the local days after it.
fn ahead(count: u64, model: &Model) -> Vec<LocalDay> {
    let now = model.now.at;
    let mut days = days_from(today(model), count, model);
    if let Some(today) = days.first_mut() {
        today.from = now;
    }
    days.insert(0, LocalDay::overdue(today(model), now));
    days
}

/// What all rows of the current list come to, where that is asked for.
pub fn totals(model: &Model) -> Option<Question> {
    let list = model.visit().list()?;
    list.adding.as_ref()?;
    Some(Question::Totals {
        list: list.kind.summed()?,
        query: list.query(None, Toward::Later),
    })
}

/// Today and the 29 local days before, the same dates a year ago, and the week ahead.
pub fn window(model: &Model) -> Window {
    let today = today(model);
    let first = today.checked_sub_days(Days::new(29)).unwrap_or(today);
    let days = days_from(first, 30, model);
    Window {
        now: model.now.at,
        year_ago: days
            .iter()
            .filter_map(|day| day.date.checked_sub_months(Months::new(12)))
            .collect(),
        days,
        week_ahead: ahead(7, model),
    }
}

fn revenue(model: &Model) -> Question {
    let today = today(model);
    let this_month = today.with_day(1).unwrap_or(today);
    Question::Revenue {
        from: this_month
            .checked_sub_months(Months::new(REVENUE_MONTHS - 1))
            .unwrap_or(this_month),
        to: today,
    }
}

/// Rows of a first page below the screen.
const BELOW: u32 = 30;

/// Days on the renewals screen.
const RENEWAL_DAYS: u64 = 31;

/// Months on the revenue screen.
const REVENUE_MONTHS: u32 = 12;
