//! Revenue: by day, by month, by plan, with refunds.

use ratatui::layout::Rect;

use super::super::model::Panel;
use super::super::term::Fit;
use super::super::theme::Role;
use super::chart::{self, Bar, Chosen};
use super::ink::{Ink, span};
use super::table::bar;
use super::{pages, words};
use crate::domain::money::{Currency, Money};
use crate::engine::queries::{MonthFigure, RevenueReport};
use crate::text::{Align, Shown, fit, pad_left};

/// The table of months takes this many columns.
const MONTHS: u16 = 49;
/// Days of the daily chart.
const DAYS: usize = 90;

pub fn draw(ink: &mut Ink<'_>, area: Rect, panel: &Panel<RevenueReport>) {
    let Some(report) = &panel.value else {
        pages::empty(ink, area, &panel.loading, "");
        return;
    };
    if report.days.is_empty() && report.months.is_empty() {
        let nothing = ink.t("console.empty.revenue");
        pages::empty(ink, area, &panel.loading, &nothing);
        return;
    }
    let area = Rect::new(
        area.x + 1,
        area.y,
        area.width.saturating_sub(2),
        area.height,
    );
    let size = ink.buffer.area.as_size();
    if Fit::of(size) == Fit::OnePane {
        months(ink, area, report, panel.selected);
    } else {
        let upper = (area.height * 2 / 5).max(7);
        let left = area.width * 11 / 20;
        daily(ink, Rect::new(area.x, area.y, left, upper), report);
        monthly(
            ink,
            Rect::new(area.x + left + 1, area.y, area.width - left - 1, upper),
            report,
            panel.selected,
        );
        let y = area.y + upper;
        let lower = area.height - upper;
        let left = left.max(MONTHS).min(area.width.saturating_sub(20));
        months(
            ink,
            Rect::new(area.x, y, left, lower),
            report,
            panel.selected,
        );
        plans(
            ink,
            Rect::new(area.x + left + 1, y, area.width - left - 1, lower),
            report,
        );
    }
    let state = pages::state(ink, &panel.loading);
    ink.spans_right(area, area.y, &state);
}

/// Currencies are never drawn into one chart: the one with the most months is drawn.
fn main_currency(report: &RevenueReport) -> Option<Currency> {
    report.months.last().map(|month| {
        let count = |currency: Currency| {
            report
                .months
                .iter()
                .filter(|month| month.gross.currency() == currency)
                .count()
        };
        report
            .months
            .iter()
            .map(|month| month.gross.currency())
            .max_by_key(|currency| count(*currency))
            .unwrap_or_else(|| month.gross.currency())
    })
}

fn daily(ink: &mut Ink<'_>, area: Rect, report: &RevenueReport) {
    let past = ink.glyphs().bar_past;
    let title = ink
        .locale()
        .t_args("console.panel.daily", &[("past", past)]);
    ink.spans(area, area.y, &[span(title, Role::Title)]);
    let currency = main_currency(report);
    let all: Vec<_> = report
        .days
        .iter()
        .filter(|day| Some(day.captured.currency()) == currency)
        .collect();
    let skipped = all.len().saturating_sub(DAYS);
    let bars: Vec<Bar> = all[skipped..]
        .iter()
        .map(|day| {
            use chrono::Datelike as _;
            Bar {
                value: day.captured,
                past: Some(day.year_ago),
                label: if day.date.day() == 1 || day.date.day() == 15 {
                    ink.locale().short_date(words::day(day.date))
                } else {
                    String::new()
                },
                chosen: Chosen::No,
            }
        })
        .collect();
    let plot = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    chart::draw(ink, plot, &bars);
}

fn monthly(ink: &mut Ink<'_>, area: Rect, report: &RevenueReport, selected: usize) {
    let title = ink.t("console.panel.monthly");
    ink.spans(area, area.y, &[span(title, Role::Title)]);
    let currency = main_currency(report);
    let bars: Vec<Bar> = report
        .months
        .iter()
        .enumerate()
        .filter(|(_, month)| Some(month.gross.currency()) == currency)
        .map(|(at, month)| {
            use chrono::Datelike as _;
            Bar {
                value: month.net,
                past: None,
                label: format!("{:02}", month.month.month()),
                chosen: if at == selected {
                    Chosen::Yes
                } else {
                    Chosen::No
                },
            }
        })
        .collect();
    let plot = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    chart::draw(ink, plot, &bars);
}

/// Newest first; the selection is an index into the report, oldest first.
fn months(ink: &mut Ink<'_>, area: Rect, report: &RevenueReport, selected: usize) {
    if area.height < 2 {
        return;
    }
    let locale = ink.locale();
    let heads = [
        (locale.t("console.column.month").to_owned(), 9, Align::Left),
        (locale.t("common.money.gross").to_owned(), 13, Align::Right),
        (
            locale.t("common.money.refunds").to_owned(),
            12,
            Align::Right,
        ),
        (locale.t("common.money.net").to_owned(), 13, Align::Right),
    ];
    let head: String = heads
        .iter()
        .map(|(text, room, align)| fit(text, *room, *align))
        .collect();
    ink.spans(area, area.y, &[span(head, Role::Dim)]);
    let height = usize::from(area.height) - 1;
    let top = (selected + 1).saturating_sub(height);
    for (row, (at, month)) in report
        .months
        .iter()
        .enumerate()
        .skip(top)
        .take(height)
        .enumerate()
    {
        let y = area.y + 1 + u16::try_from(row).unwrap_or(0);
        let line = month_line(ink, month);
        ink.spans(area, y, &line);
        if at == selected {
            ink.select(Rect::new(area.x, y, area.width, 1));
        }
    }
}

fn month_line(ink: &Ink<'_>, month: &MonthFigure) -> Vec<super::ink::Span> {
    let model = ink.model;
    let back = Money::new(-month.refunds.minor(), month.refunds.currency());
    vec![
        span(
            fit(ink.locale().month(words::day(month.month)), 9, Align::Left),
            Role::Text,
        ),
        span(pad_left(model.money(month.gross), 13), Role::Text),
        span(pad_left(model.money(back), 12), Role::Dim),
        span(pad_left(model.money(month.net), 13), Role::Title),
    ]
}

fn plans(ink: &mut Ink<'_>, area: Rect, report: &RevenueReport) {
    let title = ink.t("console.panel.by_plan");
    ink.spans(area, area.y, &[span(title, Role::Title)]);
    let most = report.plans.first().map_or(0, |plan| plan.gross.minor());
    let room = usize::from(area.width);
    let bar_room = if room > 44 { 8 } else { 0 };
    let count_room = if room > 36 { 7 } else { 0 };
    let name_room = room.saturating_sub(14 + count_room + bar_room + 2);
    let height = usize::from(area.height.saturating_sub(1));
    for (at, plan) in report.plans.iter().take(height).enumerate() {
        let y = area.y + 1 + u16::try_from(at).unwrap_or(0);
        let name = if plan.name.is_empty() {
            ink.t("common.invoice_kind.one_time")
        } else {
            Shown::line(&plan.name).into_string()
        };
        let mut line = vec![
            span(fit(&name, name_room, Align::Left), Role::Text),
            span(
                match count_room {
                    0 => String::new(),
                    room => pad_left(ink.model.count(plan.payments), room),
                },
                Role::Dim,
            ),
            span(pad_left(ink.model.money(plan.gross), 14), Role::Text),
        ];
        if bar_room > 0 {
            line.push(span(
                format!("  {}", bar(ink, plan.gross.minor(), most, bar_room)),
                Role::Bar,
            ));
        }
        ink.spans(area, y, &line);
    }
}
