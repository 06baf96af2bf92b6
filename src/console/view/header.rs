//! The first two lines: mode, database, who, when, how much is unknown; and the screens.

use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::super::model::{Model, Place, Screen};
use super::super::theme::Role;
use super::ink::{Ink, Span, span, spans_width};
use super::words;
use crate::domain::mode::Mode;
use crate::domain::operator::Access;
use crate::text::{Align, Shown, fit, width};

pub fn draw(ink: &mut Ink<'_>, area: Rect) {
    let model = ink.model;
    let mode = match model.mode {
        Mode::Live => Role::ModeLive,
        Mode::Test => Role::ModeTest,
        Mode::Sim => Role::ModeSim,
    };
    let mut left = vec![
        span(" paydeck ", Role::Header),
        span(format!("[ {} ]", model.mode.banner()), mode),
        span("  ", Role::Header),
    ];
    if model.operator.access == Access::ReadOnly {
        left.push(span(
            format!("[{}] ", ink.t("console.header.read_only")),
            Role::Waits,
        ));
    }
    let shop = Shown::line(&model.shop).into_string();
    let named = if shop.is_empty() {
        String::new()
    } else {
        format!("{shop}, ")
    };
    left.push(span(
        Shown::line(&model.database).into_string(),
        Role::Header,
    ));
    // The shop's name shows where everything else does.
    let right = right_side(model, Cut::Zero);
    if spans_width(&left) + width(&named) + 2 + spans_width(&right) <= usize::from(area.width)
        && let Some(database) = left.last_mut()
    {
        database.0.insert_str(0, &named);
    }
    // What does not fit beside the mode goes, the least needed first; who acts and what is unknown go last.
    let room = usize::from(area.width);
    let fixed = spans_width(&left[..left.len() - 1]);
    for cut in Cut::ALL {
        let right = right_side(model, cut);
        let took = spans_width(&right);
        let fits_whole = spans_width(&left) + 2 + took <= room;
        if fits_whole || (cut >= Cut::Date && fixed + took < room) {
            let left_room = area
                .width
                .saturating_sub(u16::try_from(took + 1).unwrap_or(0));
            ink.spans(Rect::new(area.x, area.y, left_room, 1), area.y, &left);
            ink.spans_right(area, area.y, &right);
            return;
        }
    }
    ink.spans(area, area.y, &left);
}

/// What is left out, each with all before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Nothing,
    /// That nothing is unknown.
    Zero,
    Roles,
    Date,
    Zone,
    /// The words beside the unknown count.
    Words,
    Clock,
}

impl Cut {
    const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Zero,
        Self::Roles,
        Self::Date,
        Self::Zone,
        Self::Words,
        Self::Clock,
    ];
}

fn right_side(model: &Model, cut: Cut) -> Vec<Span> {
    let locale = model.locale();
    let gap = if cut >= Cut::Words { " " } else { "   " };
    let mut right = Vec::new();
    if let Some(count) = model.unknown
        && (count > 0 || cut == Cut::Nothing)
    {
        let role = if count > 0 {
            Role::NeedsPerson
        } else {
            Role::Dim
        };
        let text = if cut >= Cut::Words {
            format!("?{}", model.count(count))
        } else {
            locale.t_args("console.header.unknown", &[("n", &model.count(count))])
        };
        right.push(span(format!("{text}{gap}"), role));
    }
    if let Some(count) = model.wishes.filter(|count| *count > 0) {
        let text = if cut >= Cut::Words {
            format!("T{}", model.count(count))
        } else {
            locale.t_args("console.header.wishes", &[("n", &model.count(count))])
        };
        right.push(span(format!("{text}{gap}"), Role::Waits));
    }
    let person = Shown::line(&model.operator.person).into_string();
    let who = if cut < Cut::Roles {
        let roles: Vec<&str> = model
            .operator
            .roles
            .iter()
            .map(|role| locale.label("role", role.as_str()))
            .collect();
        format!("{person}({})", roles.join(","))
    } else if cut < Cut::Words {
        person
    } else {
        fit(&person, width(&person).min(8), Align::Left)
    };
    right.push(span(format!("{who}{gap}"), Role::Header));
    let zone = model.local(model.now.at).format("%Z").to_string();
    let time = match cut {
        Cut::Nothing | Cut::Zero | Cut::Roles => {
            format!("{} {zone} ", model.date_time(model.now.at))
        }
        Cut::Date => format!("{} {zone} ", model.clock(model.now.at)),
        Cut::Zone | Cut::Words => format!("{} ", model.clock(model.now.at)),
        Cut::Clock => return right,
    };
    right.push(span(time, Role::Header));
    right
}

/// How the names of the screens are written to fit.
#[derive(Clone, Copy)]
struct Fitting {
    group: &'static str,
    after_key: &'static str,
    gap: &'static str,
}

const FITTINGS: [Fitting; 4] = [
    Fitting {
        group: "common.screen",
        after_key: " ",
        gap: "   ",
    },
    Fitting {
        group: "common.screen",
        after_key: " ",
        gap: "  ",
    },
    Fitting {
        group: "console.tab",
        after_key: " ",
        gap: " ",
    },
    Fitting {
        group: "console.tab",
        after_key: "",
        gap: " ",
    },
];

pub fn tabs(ink: &mut Ink<'_>, area: Rect) {
    if ink.model.stack.is_empty() {
        all_tabs(ink, area);
    } else {
        crumbs(ink, area);
    }
}

fn all_tabs(ink: &mut Ink<'_>, area: Rect) {
    let names = |fitting: Fitting| -> Vec<String> {
        Screen::ALL
            .into_iter()
            .map(|screen| {
                let key = format!("{}.{}", fitting.group, screen.id());
                let name = ink.locale().find(&key).unwrap_or("");
                format!("{}{}{name}", screen.key(), fitting.after_key)
            })
            .collect()
    };
    let room = usize::from(area.width);
    let fitting = FITTINGS
        .into_iter()
        .find(|fitting| {
            let gaps = fitting.gap.len() * (Screen::ALL.len() - 1);
            let wide: usize = names(*fitting).iter().map(width).sum();
            1 + wide + gaps <= room
        })
        .unwrap_or(FITTINGS[3]);
    let names = names(fitting);
    let at = ink.model.tab.index();
    // Where not all fit, those around the current one show.
    let mut first = 0;
    while first < at
        && names[first..=at]
            .iter()
            .map(|name| width(name) + fitting.gap.len())
            .sum::<usize>()
            + 1
            > room
    {
        first += 1;
    }
    let mut x = area.x + 1;
    for (index, name) in names.iter().enumerate().skip(first) {
        let left = area.right().saturating_sub(x);
        if width(name) > usize::from(left) {
            break;
        }
        if index == at {
            let style = ink
                .theme
                .style(Role::TabActive)
                .add_modifier(Modifier::UNDERLINED);
            x += ink.put(x, area.y, left, name, style);
        } else {
            x += ink.word(x, area.y, left, name, Role::Dim);
        }
        x += u16::try_from(fitting.gap.len()).unwrap_or(1);
    }
}

/// The way that led here.
fn crumbs(ink: &mut Ink<'_>, area: Rect) {
    let model = ink.model;
    let mut spans = vec![
        span(" ", Role::Dim),
        span(
            model.locale().label("screen", model.tab.id()).to_owned(),
            Role::Dim,
        ),
    ];
    let last = model.stack.len() - 1;
    for (index, visit) in model.stack.iter().enumerate() {
        let role = if index == last {
            Role::Title
        } else {
            Role::Dim
        };
        spans.push(span(" > ", Role::Dim));
        spans.push(span(crumb(model, &visit.place, visit), role));
    }
    ink.spans(area, area.y, &spans);
}

fn crumb(model: &Model, place: &Place, visit: &super::super::model::Visit) -> String {
    let locale = model.locale();
    let target = visit.target();
    let noun = |noun: &str| match &target.public_id {
        Some(public_id) if !target.name.is_empty() => {
            format!("{} {}", model.name(&target.name), words::id(public_id))
        }
        _ => locale.label("noun", noun).to_owned(),
    };
    match place {
        Place::Screen(screen) => locale.label("screen", screen.id()).to_owned(),
        Place::RenewalsOf(day) => model.renewal_day(day),
        Place::Declines => locale.t("console.list.declines").to_owned(),
        Place::Wishes => locale.t("console.list.wishes").to_owned(),
        Place::Run(_, public_id) => words::id(public_id),
        Place::Found(text) => format!(
            "{} \"{}\"",
            locale.t("console.action.find.name"),
            Shown::line(text)
        ),
        Place::Customer(_) => match &visit.content {
            super::super::model::Content::Customer(panel) => match &panel.value {
                Some(card) => model.name(&card.customer.name),
                None => locale.label("noun", "customer").to_owned(),
            },
            _ => locale.label("noun", "customer").to_owned(),
        },
        Place::Subscription(_) => noun("subscription"),
        Place::Invoice(_) | Place::Payment(_) | Place::Attempt(_) => noun("invoice"),
    }
}
