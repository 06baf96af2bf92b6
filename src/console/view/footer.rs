//! The last two lines: what just happened, and what can be pressed here.

use ratatui::layout::Rect;

use super::super::action::Action;
use super::super::model::{
    Content, KeptError, Model, Place, SPIN_AFTER_MS, SPIN_EVERY_MS, Screen, Tone,
};
use super::super::theme::Role;
use super::super::update::availability;
use super::ink::{Focus, Ink, Span, span, spans_width};
use crate::domain::money::Money;
use crate::engine::queries::FilterError;
use crate::text::Shown;

pub const fn tone_role(tone: Tone) -> Role {
    match tone {
        Tone::Good => Role::Settled,
        Tone::Plain => Role::Text,
        Tone::Waits => Role::Waits,
        Tone::Bad => Role::NeedsPerson,
    }
}

pub fn tone_mark(ink: &Ink<'_>, tone: Tone) -> &'static str {
    let glyphs = ink.glyphs();
    match tone {
        Tone::Good => glyphs.settled,
        Tone::Plain => " ",
        Tone::Waits => glyphs.unknown,
        Tone::Bad => glyphs.needs_person,
    }
}

/// The spinner's frame for a wait, once it is worth mentioning.
pub fn spinner(ink: &Ink<'_>, since_ms: u64) -> Option<&'static str> {
    let waited = ink.model.now.ms.saturating_sub(since_ms);
    let frames = ink.glyphs().spinner;
    (waited >= SPIN_AFTER_MS).then(|| {
        let frame = usize::try_from(waited / SPIN_EVERY_MS).unwrap_or(0) % frames.len();
        frames[frame]
    })
}

pub fn news(ink: &mut Ink<'_>, area: Rect) {
    let model = ink.model;
    if let Some(line) = &model.filter_line {
        filter(ink, area, line);
        return;
    }
    let marked = marked(model);
    let right = match &marked {
        Some(text) => vec![span(format!("{text} "), Role::Accent)],
        None => Vec::new(),
    };
    let took = u16::try_from(spans_width(&right)).unwrap_or(0);
    let left = Rect::new(area.x, area.y, area.width.saturating_sub(took), 1);
    let spans = match model.jobs.last() {
        Some(job) => {
            let locale = model.locale();
            let verb = locale.label("verb", job.called);
            let name = match job.progress {
                Some(progress) => locale.t_args(
                    "dialog.run.running",
                    &[
                        ("done", &model.count(progress.done)),
                        ("due", &model.count(progress.due)),
                        ("calls", &progress.calls.to_string()),
                    ],
                ),
                None => model.name(&job.name),
            };
            let text = locale.t_args("console.news.sending", &[("verb", verb), ("what", &name)]);
            let mark = spinner(ink, job.since_ms).unwrap_or(" ");
            vec![span(format!(" {mark} {text}"), Role::Waits)]
        }
        None => match model.news.back().filter(|news| model.is_news(news)) {
            Some(news) => vec![
                span(
                    format!(" {} ", tone_mark(ink, news.tone)),
                    tone_role(news.tone),
                ),
                span(format!("{} ", model.clock(news.at)), Role::Dim),
                span(Shown::line(&news.text).into_string(), tone_role(news.tone)),
            ],
            None => Vec::new(),
        },
    };
    ink.spans(left, area.y, &spans);
    ink.spans_right(area, area.y, &right);
}

fn filter(ink: &mut Ink<'_>, area: Rect, line: &super::super::model::FilterLine) {
    let x = area.x + ink.word(area.x, area.y, area.width, " / ", Role::Key);
    let problem = line
        .problem
        .as_ref()
        .map(|problem| filter_problem(ink, problem));
    let hint = problem
        .clone()
        .unwrap_or_else(|| ink.t("console.filter.hint"));
    let role = if problem.is_some() {
        Role::NeedsPerson
    } else {
        Role::Dim
    };
    let room = area.right().saturating_sub(x);
    // The hint gives way to what is typed.
    let field = (room * 3 / 5).max(room.min(20));
    ink.field(Rect::new(x, area.y, field, 1), &line.input, Focus::Here);
    let rest = Rect::new(x + field + 2, area.y, room.saturating_sub(field + 2), 1);
    ink.spans(rest, area.y, &[span(hint, role)]);
}

fn filter_problem(ink: &Ink<'_>, problem: &KeptError) -> String {
    if let KeptError::Filter(FilterError::UnknownValue {
        field,
        value,
        valid,
    }) = problem
    {
        let args = [
            ("word", value.as_str()),
            ("field", *field),
            ("valid", valid),
        ];
        return ink.locale().t_args("console.filter.unknown_value", &args);
    }
    let (key, word) = match problem {
        KeptError::NotADate(word) | KeptError::Filter(FilterError::NotDays(word)) => {
            ("console.filter.not_a_date", word)
        }
        KeptError::Filter(FilterError::UnknownField(word)) => {
            ("console.filter.unknown_field", word)
        }
        KeptError::Filter(FilterError::NotAnAmount(word)) => ("console.filter.not_an_amount", word),
        KeptError::Filter(
            FilterError::Empty(word) | FilterError::UnknownValue { value: word, .. },
        ) => ("console.filter.empty", word),
    };
    ink.locale().t_args(key, &[("word", word)])
}

/// How many rows are marked, and what they come to, per currency.
fn marked(model: &Model) -> Option<String> {
    let list = model.visit().list().filter(|list| !list.marks.is_empty())?;
    let mut sums: Vec<Money> = Vec::new();
    for amount in list
        .paged
        .rows
        .iter()
        .filter(|row| list.is_marked(row))
        .filter_map(super::super::model::Row::amount)
    {
        match sums
            .iter_mut()
            .find(|sum| sum.currency() == amount.currency())
        {
            Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
            None => sums.push(amount),
        }
    }
    let count = model.count(u64::try_from(list.marks.len()).unwrap_or(0));
    let sum = if sums.is_empty() {
        String::new()
    } else {
        format!("  {}", model.moneys(&sums))
    };
    let text = model.locale().t_args("console.marked", &[("n", &count)]);
    Some(format!("{text}{sum}"))
}

/// What may be done about what is unknown.
const UNKNOWN: &[Action] = &[
    Action::ResolveUnknown,
    Action::SendAgain,
    Action::NotExecuted,
    Action::Link,
    Action::Approve,
    Action::Wishes,
    Action::Customer,
];

/// The verbs of a place.
fn verbs_of(content: &Content, place: &Place) -> &'static [Action] {
    use Action::{
        Approve, BillRun, Cancel, Charge, CreateCustomer, CreatePlan, Customer, DeactivatePlan,
        EditPlan, Find, ForgetCard, GiveUpInvoice, Link, Note, OneTime, Pause, Refund,
        ResolveUnknown, Resume, Retry, SendAgain, Subscribe, SwapCard, UndoCancel, UseCard,
        VoidInvoice, Wishes,
    };
    match content {
        Content::Overview(_) => &[Find, Approve],
        Content::Revenue(_) => &[],
        Content::Customer(_) => &[
            Charge, Retry, Refund, Cancel, Subscribe, SwapCard, UseCard, ForgetCard, Note,
        ],
        // A card of ours is not what Stripe charges.
        Content::Subscription(panel)
            if panel.value.as_ref().is_some_and(|c| c.mirror.is_some()) =>
        {
            &[
                Retry,
                Cancel,
                UndoCancel,
                Pause,
                Resume,
                VoidInvoice,
                GiveUpInvoice,
                Wishes,
            ]
        }
        Content::Timeline(panel)
            if panel.value.as_ref().is_some_and(|t| !t.scheduler.is_ours()) =>
        {
            &[
                Retry,
                Refund,
                VoidInvoice,
                GiveUpInvoice,
                ResolveUnknown,
                SendAgain,
                Wishes,
                Customer,
            ]
        }
        Content::Subscription(_) => &[Charge, Retry, Cancel, UndoCancel, SwapCard],
        Content::Timeline(_) => &[
            Charge,
            Retry,
            Refund,
            ResolveUnknown,
            SendAgain,
            Link,
            Customer,
        ],
        Content::List(_) => match place {
            Place::Screen(Screen::Customers) | Place::Found(_) => {
                &[Subscribe, OneTime, SwapCard, CreateCustomer]
            }
            Place::Screen(Screen::Payments) => &[Refund, Cancel, Customer],
            Place::Screen(Screen::Plans) => &[CreatePlan, EditPlan, DeactivatePlan],
            Place::Screen(Screen::Unknown) => UNKNOWN,
            Place::Wishes => &[Customer],
            Place::Screen(Screen::Runs) => &[BillRun],
            Place::Screen(Screen::Events | Screen::Activity | Screen::Renewals)
            | Place::Run(..) => &[],
            _ => &[Charge, Retry, Cancel, UndoCancel, Customer],
        },
    }
}

/// What can be pressed, verbs of this place first. What a row does not allow stays: keys must not jump about.
fn hints(model: &Model) -> Vec<Action> {
    let act = verbs_of(&model.visit().content, &model.visit().place);
    let mut all: Vec<Action> = act
        .iter()
        .copied()
        .filter(|action| !is_forbidden(model, *action))
        .collect();
    all.push(Action::Open);
    if model
        .visit()
        .list()
        .is_some_and(|list| list.kind.can_filter())
    {
        all.extend([Action::Filter, Action::Mark]);
    }
    if !is_forbidden(model, Action::Copy) {
        all.push(Action::Copy);
    }
    all.extend([Action::Palette, Action::Help, Action::Quit]);
    if !model.stack.is_empty() {
        all.insert(0, Action::Back);
    }
    all
}

/// Whether the person may not do it at all, wherever the selection is.
fn is_forbidden(model: &Model, action: Action) -> bool {
    matches!(
        availability(model, action),
        Err("read_only" | "role" | "no_clipboard")
    )
}

pub fn keys(ink: &mut Ink<'_>, area: Rect) {
    let model = ink.model;
    let actions = if model.filter_line.is_some() {
        return ink_line(ink, area, "console.filter.keys");
    } else {
        hints(model)
    };
    // Help always fits: the line is filled up to it.
    let help = hint(ink, Action::Help);
    let room = usize::from(area.width).saturating_sub(spans_width(&help) + 1);
    let mut line: Vec<Span> = vec![span(" ", Role::Dim)];
    for action in actions {
        let next = if action == Action::Help {
            continue;
        } else {
            hint(ink, action)
        };
        if spans_width(&line) + spans_width(&next) > room {
            break;
        }
        line.extend(next);
    }
    line.extend(help);
    ink.spans(area, area.y, &line);
}

fn ink_line(ink: &mut Ink<'_>, area: Rect, key: &str) {
    let text = ink.t(key);
    ink.spans(area, area.y, &[span(format!(" {text}"), Role::Dim)]);
}

fn hint(ink: &Ink<'_>, action: Action) -> Vec<Span> {
    let Some(spec) = action.spec() else {
        return Vec::new();
    };
    let short = format!("console.action.{}.hint", spec.id);
    let name = format!("console.action.{}.name", spec.id);
    let text = ink
        .locale()
        .find(&short)
        .or_else(|| ink.locale().find(&name))
        .unwrap_or("");
    vec![
        span(key_text(ink, spec.keys[0]), Role::Key),
        span(format!(" {text}  "), Role::Dim),
    ]
}

/// A key as it is written on the screen.
pub fn key_text(ink: &Ink<'_>, key: &str) -> String {
    match key {
        "enter" => ink.glyphs().enter.to_owned(),
        _ => key.to_owned(),
    }
}
