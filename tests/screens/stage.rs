//! A stage: the model, a database that answers from fixed rows, and a terminal that can be looked at.

use chrono::Duration;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;

use paydeck::console::effect::{Effect, Loaded, Question};
use paydeck::console::fault::{Detail, Fault};
use paydeck::console::input::{InputEvent, KeyPress};
use paydeck::console::keymap;
use paydeck::console::model::{Asked, ListKind, Model, Now, Planned, Row, Setting};
use paydeck::console::msg::Msg;
use paydeck::console::term::{Caps, Charset, ColorLevel, Link, Multiplexer};
use paydeck::console::theme::{Palette, Theme};
use paydeck::console::{update, view};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::engine::queries::{Counting, ListQuery, Page, SavedView, Summed, Totals, Toward};
use paydeck::engine::{Request, RunPreview, RunPreviewRow};
use paydeck::locale::Lang;

use super::plans;
use super::rows;

pub struct Stage {
    pub model: Model,
    pub ms: u64,
    /// What was asked for and is not answered by the rows.
    pub effects: Vec<Effect>,
    /// The person's limit is below every refund.
    pub is_limited: bool,
}

pub fn operator(roles: Vec<Role>, access: Access) -> Operator {
    Operator {
        person: "kim".to_owned(),
        roles,
        access,
        evidence: Vec::new(),
    }
}

pub fn setting(mode: Mode, lang: Lang) -> Setting {
    Setting {
        zone: chrono_tz::Asia::Seoul,
        mode,
        lang,
        operator: operator(vec![Role::Admin], Access::ReadWrite),
        shop: String::new(),
        database: "데모 상점, sqlite".to_owned(),
        clipboard: paydeck::console::term::Switch::On,
        dunning_budget: 4,
    }
}

impl Stage {
    pub fn new(width: u16, height: u16, lang: Lang) -> Self {
        Self::with(setting(Mode::Sim, lang), width, height)
    }

    pub fn with(setting: Setting, width: u16, height: u16) -> Self {
        let now = Now {
            at: rows::now(),
            ms: 0,
        };
        let mut stage = Self {
            model: Model::new(setting, now, Size::new(width, height)),
            ms: 0,
            effects: Vec::new(),
            is_limited: false,
        };
        stage.send(Msg::Version(1));
        stage.send(Msg::Started);
        stage.send(Msg::Unknowns(2));
        stage.wait(500);
        stage
    }

    pub fn now(&self) -> Now {
        Now {
            at: rows::now() + Duration::milliseconds(i64::try_from(self.ms).unwrap()),
            ms: self.ms,
        }
    }

    /// Takes a message in and answers every question that follows.
    pub fn send(&mut self, msg: Msg) {
        let now = self.now();
        for effect in update(&mut self.model, msg, now) {
            match effect {
                Effect::Load {
                    ticket, question, ..
                } => {
                    let loaded = Box::new(answer(&question));
                    self.send(Msg::Loaded { ticket, loaded });
                }
                Effect::Plan {
                    ticket,
                    asked: Asked::Request(Request::Refund { .. }),
                } if self.is_limited => {
                    let limit = Detail::Money(rows::won(1_000));
                    let answer = Err(Fault::new("needs_approval").with("limit", limit));
                    self.send(Msg::Planned { ticket, answer });
                }
                Effect::Plan { ticket, asked } => {
                    let planned = plan(&self.model, asked);
                    let answer = Ok(Box::new(planned));
                    self.send(Msg::Planned { ticket, answer });
                }
                Effect::CountUnknown | Effect::AskAway => {}
                Effect::RecordReveal(_) => self.send(Msg::RevealRecorded(Ok(()))),
                other => self.effects.push(other),
            }
        }
    }

    /// Lets time pass, with a frame on the screen.
    pub fn wait(&mut self, ms: u64) {
        self.send(Msg::Drawn);
        self.ms += ms;
        self.send(Msg::Tick);
        self.send(Msg::Drawn);
    }

    /// Presses keys as the key map writes them, a moment apart.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let press = keymap::parse(key).unwrap_or_else(|| panic!("no key {key}"));
            self.send(Msg::Input(InputEvent::Key(press)));
            self.wait(400);
        }
    }

    pub fn type_text(&mut self, text: &str) {
        for ch in text.chars() {
            self.send(Msg::Input(InputEvent::Key(KeyPress::char(ch))));
        }
        self.wait(400);
    }

    pub fn buffer(&self) -> Buffer {
        self.buffer_in(&theme(ColorLevel::Ansi16))
    }

    pub fn buffer_in(&self, theme: &Theme) -> Buffer {
        let size = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).unwrap();
        terminal
            .draw(|frame| view::draw(&self.model, theme, frame))
            .unwrap();
        terminal.backend().buffer().clone()
    }

    pub fn text(&self) -> String {
        text(&self.buffer())
    }

    /// What is on the screen, and how it looks.
    pub fn dump(&self) -> String {
        let buffer = self.buffer();
        format!("{}\n{}", text(&buffer), styles(&buffer))
    }

    pub fn applied(&self) -> Vec<&Request> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Apply { request, .. } => Some(request),
                _ => None,
            })
            .collect()
    }
}

pub fn theme(color: ColorLevel) -> Theme {
    Theme::new(
        Palette::Terminal,
        &Caps {
            color,
            link: Link::Local,
            multiplexer: Multiplexer::None,
            charset: Charset::Unicode,
            refusal: None,
        },
    )
}

pub fn text(buffer: &Buffer) -> String {
    let mut lines = Vec::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            skip = paydeck::text::width(symbol).saturating_sub(1);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Stretches of one look, a line each, without what looks like plain text.
fn styles(buffer: &Buffer) -> String {
    let mut out = Vec::new();
    for y in 0..buffer.area.height {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in 0..buffer.area.width {
            let style = buffer[(x, y)].style();
            let look = format!(
                "{:?}/{:?}/{:?}",
                style.fg.unwrap_or_default(),
                style.bg.unwrap_or_default(),
                style.add_modifier
            );
            match runs.last_mut() {
                Some((_, to, before)) if *before == look && *to + 1 == x => *to = x,
                _ => runs.push((x, x, look)),
            }
        }
        let plain = "Reset/Reset/NONE";
        let told: Vec<String> = runs
            .iter()
            .filter(|(_, _, look)| look != plain)
            .map(|(from, to, look)| format!("{from}-{to} {look}"))
            .collect();
        if !told.is_empty() {
            out.push(format!("{y}: {}", told.join(", ")));
        }
    }
    out.join("\n")
}

fn page(count: i64, query: Option<&ListQuery>, row: impl Fn(i64) -> Row) -> Loaded {
    use paydeck::engine::queries::Cursor;
    let from = query
        .and_then(|query| query.cursor.as_ref())
        .map_or(0, |cursor| cursor.id + 1);
    let limit = query.map_or(count, |query| i64::from(query.limit));
    let (first, last) = match query.map(|query| query.toward) {
        Some(Toward::Earlier) => {
            let last = if from == 0 { count } else { from - 1 };
            ((last - limit).max(0), last)
        }
        _ => (from, (from + limit).min(count)),
    };
    let numbers = first..last;
    let has_more = match query.map(|query| query.toward) {
        Some(Toward::Earlier) => first > 0,
        _ => last < count,
    };
    let is_left = has_more && query.is_some_and(|query| query.counting == Counting::Later);
    Loaded::Rows(Page {
        rows: numbers.clone().map(row).collect(),
        cursors: numbers
            .map(|id| Cursor {
                number: id,
                text: String::new(),
                id,
            })
            .collect(),
        has_more,
        total: u64::try_from(count).ok().filter(|_| !is_left),
    })
}

pub fn answer(question: &Question) -> Loaded {
    match question {
        Question::Overview(window) => Loaded::Overview {
            overview: Box::new(rows::overview(window)),
            last_run: Some(rows::ago(245)),
            wishes: 0,
        },
        Question::Count { kind, query } => match list(*kind, query) {
            Loaded::Rows(page) => Loaded::Count(page.total),
            other => other,
        },
        Question::Totals { list, .. } => Loaded::Totals(Totals {
            count: 2_388,
            invoices: (*list == Summed::Declines).then_some(87),
            sums: vec![rows::won(38_412_000)],
        }),
        Question::Revenue { from, to } => Loaded::Revenue(rows::revenue(*from, *to)),
        Question::RenewalDays(days) => Loaded::Rows(Page {
            rows: days
                .iter()
                .enumerate()
                .map(|(at, day)| {
                    Row::Day(Box::new(rows::renewal_day(
                        i64::try_from(at).unwrap(),
                        *day,
                    )))
                })
                .collect(),
            cursors: Vec::new(),
            has_more: false,
            total: None,
        }),
        Question::Find(_) => page(3, None, |n| Row::Hit(Box::new(rows::hit(n)))),
        Question::Customer(id) => Loaded::Customer(Box::new(rows::customer_card(id.0))),
        Question::Subscription(id) => Loaded::Subscription(Box::new(rows::subscription_card(id.0))),
        Question::Timeline(id) => Loaded::Timeline(Box::new(rows::timeline(id.0))),
        Question::TimelineOfPayment(id) => Loaded::Timeline(Box::new(rows::timeline(id.0))),
        Question::TimelineOfAttempt(id) => Loaded::Timeline(Box::new(rows::timeline(id.0))),
        Question::Views => Loaded::Views(vec![SavedView {
            screen: "subscriptions".to_owned(),
            name: "연체 프로".to_owned(),
            filter: "status:past_due plan:pro".to_owned(),
        }]),
        Question::Waiting => Loaded::Waiting(rows::waiting()),
        Question::Plans => Loaded::Plans((0..4).map(rows::plan_row).collect()),
        Question::RunItems { query, .. } => page(17, Some(query), |n| {
            Row::RunItem(Box::new(rows::run_item(n)))
        }),
        Question::List { kind, query } => list(*kind, query),
    }
}

fn list(kind: ListKind, query: &ListQuery) -> Loaded {
    let query = Some(query);
    match kind {
        ListKind::Customers => page(500, query, |n| {
            Row::Customer(Box::new(rows::customer_row(n)))
        }),
        ListKind::Subscriptions | ListKind::Renewals => page(2_431, query, |n| {
            Row::Subscription(Box::new(rows::subscription_row(n)))
        }),
        ListKind::Failed => page(117, query, |n| Row::Failed(Box::new(rows::failed_row(n)))),
        ListKind::Declines => page(151, query, |n| Row::Decline(Box::new(rows::decline_row(n)))),
        ListKind::Payments => page(9_000, query, |n| {
            Row::Payment(Box::new(rows::payment_row(n)))
        }),
        ListKind::Plans => page(4, query, |n| Row::Plan(Box::new(rows::plan_row(n)))),
        ListKind::Unknown => page(3, query, |n| Row::Unknown(Box::new(rows::unknown_row(n)))),
        ListKind::Wishes => page(2, query, |n| Row::Wish(Box::new(rows::wish_row(n)))),
        ListKind::Runs => page(12, query, |n| Row::Run(Box::new(rows::run_row(n)))),
        ListKind::Events => page(8, query, |n| Row::Event(Box::new(rows::event_row(n)))),
        ListKind::Activity => page(40, query, |n| {
            Row::Activity(Box::new(rows::activity_row(n)))
        }),
        ListKind::RenewalDays | ListKind::RunItems | ListKind::Hits => page(0, query, |_| {
            unreachable!("asked for by questions of their own")
        }),
    }
}

fn plan(model: &Model, asked: Asked) -> Planned {
    let request = match asked {
        Asked::Request(request) => request,
        Asked::ChargeOf(_) => Request::Charge {
            invoice: paydeck::domain::ids::InvoiceId(1),
        },
        Asked::RetryOf(_) => Request::Retry {
            invoice: paydeck::domain::ids::InvoiceId(1),
        },
        Asked::Run => {
            return Planned::Run {
                until: rows::now(),
                preview: RunPreview {
                    rows: (0..12)
                        .map(|number| RunPreviewRow {
                            subscription: Some(rows::subscription_row(number).public_id),
                            invoice: None,
                            customer: rows::brief(number),
                            what: "베이직 월".to_owned(),
                            amount: rows::won(9_900),
                            provider: Some(ProviderName::Toss),
                            due_at: Some(rows::now()),
                            kind: if number % 3 == 2 {
                                "dunning"
                            } else {
                                "renewal"
                            },
                        })
                        .collect(),
                    totals: vec![rows::won(118_800)],
                    fingerprint: "feedfeedfeedfeed".to_owned(),
                },
            };
        }
    };
    Planned::Verb {
        plan: Box::new(plans::plan(&request, model.mode)),
        request: Box::new(request),
    }
}
