//! A list on a screen, and what every part of a screen that is loaded has in common.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::kept::Kept;
use super::paged::{Joining, PAGE, Paged};
use super::row::{Row, RowKey};
use super::screen::ListKind;
use crate::console::fault::Fault;
use crate::engine::queries::{Counting, Cursor, Filter, ListQuery, Order, SortBy, Totals, Toward};

/// Which answer belongs to which question. Later tickets are larger.
pub type Ticket = u64;

/// How far the loading of one part of a screen is.
#[derive(Debug, Clone, Default)]
pub struct Loading {
    /// The question that is out, and since when, in milliseconds of [`super::Now::ms`].
    pub asked: Option<(Ticket, u64)>,
    /// Why the last answer did not come; what is shown is older then.
    pub fault: Option<Fault>,
    /// How old what is shown is.
    pub loaded_at: Option<DateTime<Utc>>,
}

impl Loading {
    pub fn ask(&mut self, ticket: Ticket, now_ms: u64) {
        self.asked = Some((ticket, now_ms));
    }

    /// Whether an answer is the one waited for.
    pub fn is_waiting_for(&self, ticket: Ticket) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == ticket)
    }

    pub fn done(&mut self, at: DateTime<Utc>) {
        *self = Self {
            asked: None,
            fault: None,
            loaded_at: Some(at),
        };
    }

    pub fn failed(&mut self, fault: Fault) {
        self.asked = None;
        self.fault = Some(fault);
    }
}

/// Something loaded as a whole.
#[derive(Debug, Clone)]
pub struct Panel<T> {
    pub value: Option<Box<T>>,
    pub loading: Loading,
    /// The chosen line of it.
    pub selected: usize,
}

impl<T> Default for Panel<T> {
    fn default() -> Self {
        Self {
            value: None,
            loading: Loading::default(),
            selected: 0,
        }
    }
}

/// What all rows of a list come to.
#[derive(Debug, Clone, Default)]
pub struct Adding {
    /// The question that is out.
    pub asked: Option<Ticket>,
    /// The answer to the last one.
    pub totals: Option<Totals>,
}

/// A list with its filter, order and marks.
#[derive(Debug, Clone)]
pub struct List {
    pub kind: ListKind,
    pub paged: Paged<Row>,
    pub loading: Loading,
    /// What the rows that are out will do when they come.
    pub joining: Joining,
    /// The row the selection follows, should the answer not have it.
    pub follows: Option<RowKey>,
    /// As typed.
    pub filter_text: String,
    pub filter: Filter,
    pub sort: Option<(SortBy, Order)>,
    pub marks: BTreeSet<RowKey>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// What all its rows come to, where it was opened to say so.
    pub adding: Option<Adding>,
    /// When its rows are counted: once a person has rested on it.
    pub count_due_ms: Option<u64>,
    /// The count that is out.
    pub counting: Option<Ticket>,
    /// The stretch of time of the place itself, which holds while the filter names no dates.
    pub within: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

impl List {
    pub fn new(kind: ListKind) -> Self {
        Self {
            kind,
            paged: Paged::default(),
            loading: Loading::default(),
            joining: Joining::Replace,
            follows: None,
            filter_text: String::new(),
            filter: Filter::default(),
            sort: None,
            marks: BTreeSet::new(),
            from: None,
            to: None,
            adding: None,
            count_due_ms: None,
            counting: None,
            within: (None, None),
        }
    }

    pub fn between(kind: ListKind, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let mut list = Self::new(kind);
        list.keep_within(Some(from), Some(to));
        list.adding = Some(Adding::default());
        list
    }

    /// Sets the stretch of time of the place itself.
    pub fn keep_within(&mut self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) {
        self.within = (from, to);
        (self.from, self.to) = (from, to);
    }

    /// Narrows it to what a person typed.
    pub fn narrow(&mut self, text: String, kept: &Kept) {
        self.filter_text = text;
        self.filter = kept.filter.clone();
        (self.from, self.to) = match (kept.from, kept.to) {
            (None, None) => self.within,
            dates => dates,
        };
        self.marks.clear();
        self.paged.total = None;
        if let Some(adding) = &mut self.adding {
            adding.totals = None;
        }
    }

    /// What to ask for, from a cursor on.
    pub fn query(&self, cursor: Option<Cursor>, toward: Toward) -> ListQuery {
        ListQuery {
            filter: self.filter.clone(),
            sort: self.sort,
            cursor,
            at: None,
            toward,
            limit: PAGE,
            counting: Counting::default(),
            from: self.from,
            to: self.to,
            customer: None,
        }
    }

    /// The order that holds, for the one that has been chosen or the list's own.
    pub fn order(&self) -> (SortBy, Order) {
        let own = self.kind.sorts().first().copied().unwrap_or(SortBy::Time);
        self.sort.unwrap_or((own, self.kind.own_order()))
    }

    pub fn current(&self) -> Option<&Row> {
        self.paged.current()
    }

    pub fn toggle_mark(&mut self) {
        if let Some(key) = self.current().map(Row::key)
            && !self.marks.remove(&key)
        {
            self.marks.insert(key);
        }
    }

    pub fn is_marked(&self, row: &Row) -> bool {
        !self.marks.is_empty() && self.marks.contains(&row.key())
    }
}
