//! Everything the console knows, as plain values.
//!
//! `update` changes it, `view` draws it, tests build it by hand. It reads no clock and does no I/O: time is
//! [`Model::now`]. Texts in it are raw; only what passed `text::Shown` is drawn.

mod dialog;
mod form;
mod gate;
mod kept;
mod list;
mod paged;
mod row;
mod screen;
mod visit;

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ratatui::layout::Size;
use tui_input::Input;

use super::term::Switch;
use crate::domain::mode::Mode;
use crate::domain::operator::{Operator, Verb};
use crate::engine::queries::{CustomerCard, SubscriptionCard, Timeline};
use crate::locale::{Lang, Locale};

pub use dialog::{
    Asked, Confirm, LogView, Menu, MenuKind, Message, Modal, Phase, Planned, Ready, SortMenu, Told,
    ViewMenu, WaitingMenu,
};
pub use form::{
    Choice, Covered, Field, Form, FormKind, Label, Paid, Problem, REASONS, Value, plain_amount,
};
pub use gate::{ARM_MS, EXPIRY_MS, Gate, Typed, Wanted};
pub use kept::{Kept, KeptError};
pub use list::{Adding, List, Loading, Panel, Ticket};
pub use paged::{Joining, PAGE, Paged, WINDOW};
pub use row::{Ending, Row, RowKey, Target};
pub use screen::{ListKind, Place, Screen};
pub use visit::{CardLine, Content, Figure, Spot, Visit, card_lines, cards_to_choose, spots};

/// How long a wait goes unmentioned, in milliseconds.
pub const SPIN_AFTER_MS: u64 = 150;
/// One frame of the spinner, in milliseconds.
pub const SPIN_EVERY_MS: u64 = 200;
/// How long the selection rests before its detail is read, in milliseconds.
pub const REST_MS: u64 = 120;
/// How long personal data stays revealed, in milliseconds.
pub const REVEAL_MS: u64 = 30_000;
/// Messages kept for reading again.
const LOG: usize = 200;

/// Time as it came in with the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Business time.
    pub at: DateTime<Utc>,
    /// Milliseconds since the console began, by a clock that does not jump.
    pub ms: u64,
}

/// Whether personal data shows in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    Masked,
    /// For a while.
    Revealed {
        until_ms: u64,
    },
}

/// Whether the detail of the selected row stands beside its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailWish {
    /// Where there is room, and on lists that are read row by row.
    Auto,
    Shown,
    Hidden,
}

/// How good or bad news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Plain,
    Waits,
    Bad,
}

/// How long good news stays, in milliseconds.
pub const NEWS_MS: u64 = 3_000;

/// A line of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub since_ms: u64,
    pub at: DateTime<Utc>,
    pub tone: Tone,
    pub text: String,
}

/// A verb that was confirmed and is under way. It belongs to no screen.
#[derive(Debug, Clone)]
pub struct Job {
    pub ticket: Ticket,
    pub verb: Verb,
    /// What people call it.
    pub called: &'static str,
    /// Raw.
    pub name: String,
    pub since_ms: u64,
    /// How far it is, where it has many parts.
    pub progress: Option<Progress>,
}

/// How far a billing run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub due: u64,
    /// Calls out right now.
    pub calls: usize,
}

/// What the detail of a row is made of.
#[derive(Debug, Clone)]
pub enum DetailCard {
    Customer(Box<CustomerCard>),
    Subscription(Box<SubscriptionCard>),
    Timeline(Box<Timeline>),
}

/// The detail of the selected row.
#[derive(Debug, Clone, Default)]
pub struct Detail {
    /// Which row it is about.
    pub row: Option<RowKey>,
    pub card: Option<DetailCard>,
    pub loading: Loading,
    /// When it will be asked for, in milliseconds.
    pub due_ms: Option<u64>,
    /// Lines scrolled down.
    pub scroll: usize,
}

/// The filter while it is typed.
#[derive(Debug, Clone)]
pub struct FilterLine {
    pub input: Input,
    pub problem: Option<KeptError>,
}

/// Whether keys can still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Running,
    /// The loop leaves after this message.
    Leaving,
}

/// Everything the console knows.
#[derive(Debug, Clone)]
pub struct Model {
    pub now: Now,
    pub zone: Tz,
    pub mode: Mode,
    pub lang: Lang,
    pub operator: Operator,
    /// The shop's name, raw; may be empty.
    pub shop: String,
    /// Name of the database as the header shows it.
    pub database: String,
    /// Whether ids can go to the person's clipboard.
    pub clipboard: Switch,
    /// How many times dunning tries.
    pub dunning_budget: u32,
    pub size: Size,
    pub tab: Screen,
    /// The twelve screens, in the order of the tabs.
    pub roots: Vec<Visit>,
    /// Places drilled into from the current screen.
    pub stack: Vec<Visit>,
    pub detail: Detail,
    pub detail_wish: DetailWish,
    pub privacy: Privacy,
    /// Where personal data is to be shown once that is written down.
    pub reveal_of: Option<Place>,
    /// Dialogs; the last one has the keys.
    pub modals: Vec<Modal>,
    pub filter_line: Option<FilterLine>,
    pub news: VecDeque<News>,
    pub jobs: Vec<Job>,
    /// When the last billing run began, once known.
    pub last_run: Option<DateTime<Utc>>,
    /// The question for a customer's link that was asked last; an answer to an older one is dropped.
    pub link: Option<Ticket>,
    /// This person's calls of other processes that are still open: what comes of them is asked again.
    pub away_open: u32,
    /// How many attempts are unknown, once known.
    pub unknown: Option<u64>,
    /// How many requests at a provider nobody knows the outcome of, once known.
    pub wishes: Option<u64>,
    /// The database's version when it was last looked at.
    pub version: Option<i64>,
    /// Something changed while nothing could be reloaded.
    pub is_behind: bool,
    /// The database does not answer: what is shown grows old.
    pub is_lost: bool,
    /// How far the database's clock is behind business time.
    pub db_behind: chrono::TimeDelta,
    /// The last ticket given out.
    pub last_ticket: Ticket,
    pub life: Life,
}

/// Who is acting, where, in which language.
#[derive(Debug, Clone)]
pub struct Setting {
    pub zone: Tz,
    pub mode: Mode,
    pub lang: Lang,
    pub operator: Operator,
    pub shop: String,
    pub database: String,
    pub clipboard: Switch,
    pub dunning_budget: u32,
}

impl Model {
    pub fn new(setting: Setting, now: Now, size: Size) -> Self {
        Self {
            now,
            zone: setting.zone,
            mode: setting.mode,
            lang: setting.lang,
            operator: setting.operator,
            shop: setting.shop,
            database: setting.database,
            clipboard: setting.clipboard,
            dunning_budget: setting.dunning_budget,
            size,
            tab: Screen::Overview,
            roots: Screen::ALL
                .into_iter()
                .map(|screen| Visit::new(Place::Screen(screen)))
                .collect(),
            stack: Vec::new(),
            detail: Detail::default(),
            detail_wish: DetailWish::Auto,
            privacy: Privacy::Masked,
            reveal_of: None,
            modals: Vec::new(),
            filter_line: None,
            news: VecDeque::new(),
            jobs: Vec::new(),
            last_run: None,
            link: None,
            away_open: 0,
            unknown: None,
            wishes: None,
            version: None,
            is_behind: false,
            is_lost: false,
            db_behind: chrono::TimeDelta::zero(),
            last_ticket: 0,
            life: Life::Running,
        }
    }

    pub fn locale(&self) -> &'static Locale {
        Locale::get(self.lang)
    }

    /// The place somebody is at.
    pub fn visit(&self) -> &Visit {
        self.stack.last().unwrap_or(&self.roots[self.tab.index()])
    }

    pub fn visit_mut(&mut self) -> &mut Visit {
        let root = self.tab.index();
        self.stack.last_mut().unwrap_or(&mut self.roots[root])
    }

    pub fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    pub fn tell(&mut self, tone: Tone, text: String) {
        self.news.push_back(News {
            since_ms: self.now.ms,
            at: self.now.at,
            tone,
            text,
        });
        if self.news.len() > LOG {
            self.news.pop_front();
        }
    }

    /// Whether a line of news still shows: what went well need not be read twice.
    pub fn is_news(&self, news: &News) -> bool {
        !matches!(news.tone, Tone::Good | Tone::Plain)
            || self.now.ms.saturating_sub(news.since_ms) < NEWS_MS
    }

    /// Whether anything moves on the screen by itself, so that it must be drawn again after a while.
    pub fn next_wake_ms(&self) -> Option<u64> {
        let mut wake: Option<u64> = None;
        let mut at = |ms: u64| wake = Some(wake.map_or(ms, |before| before.min(ms)));
        let waits = [
            self.visit().loading().asked.map(|(_, since)| since),
            self.detail.loading.asked.map(|(_, since)| since),
            self.jobs.first().map(|job| job.since_ms),
        ];
        for since in waits.into_iter().flatten() {
            at(spin_at(since, self.now.ms));
        }
        if let Some(news) = self.news.back().filter(|news| self.is_news(news))
            && matches!(news.tone, Tone::Good | Tone::Plain)
        {
            at(news.since_ms + NEWS_MS);
        }
        let counted = self.visit().list().and_then(|list| list.count_due_ms);
        for due in self.detail.due_ms.into_iter().chain(counted) {
            at(due);
        }
        if let Privacy::Revealed { until_ms } = self.privacy {
            at(until_ms);
        }
        if let Some(Modal::Confirm(confirm)) = self.modals.last() {
            match &confirm.phase {
                Phase::Planning { since_ms, .. } | Phase::Sending { since_ms, .. } => {
                    at(spin_at(*since_ms, self.now.ms));
                }
                Phase::Ready(ready) => {
                    let left = ready.gate.seconds_left(self.now.ms);
                    let whole = ready.gate.shown_ms.unwrap_or(self.now.ms) + EXPIRY_MS;
                    at(whole.saturating_sub(left.saturating_sub(1) * 1_000));
                }
                Phase::Expired => {}
            }
        }
        wake
    }
}

/// When a wait that began at `since` shows next.
const fn spin_at(since_ms: u64, now_ms: u64) -> u64 {
    let first = since_ms + SPIN_AFTER_MS;
    if now_ms < first {
        first
    } else {
        now_ms + SPIN_EVERY_MS
    }
}
