//! The one table every list is drawn with.
//!
//! Only rows on the screen are built. The selected row has one look from edge to edge, so moving it writes two rows
//! and nothing else.

use chrono::{DateTime, Utc};
use ratatui::layout::{Rect, Size};

use super::super::layout::{LIST_HEAD, Rule, list_regions};
use super::super::model::{List, ListKind, Model, Row};
use super::super::theme::Role;
use super::columns::{Cell, Column, columns};
use super::ink::{Ink, Span, span, spans_width};
use super::{detail, pages};
use crate::engine::queries::{Order, SortBy, Totals};
use crate::text::{Align, Shown, fit, width};

/// Columns before the first one: focus and mark.
const MARGIN: u16 = 3;

pub fn draw(ink: &mut Ink<'_>, size: Size, list: &List) {
    let regions = list_regions(list.kind, ink.model.detail_wish, size);
    rows(ink, regions.list, list);
    match regions.rule {
        Some(Rule::Across(area)) => ink.rule(area, Role::Border),
        Some(Rule::Down(area)) => ink.rule_down(area),
        None => {}
    }
    if let Some(area) = regions.detail {
        detail::of_row(ink, area, list);
    }
}

fn rows(ink: &mut Ink<'_>, area: Rect, list: &List) {
    if area.height < LIST_HEAD {
        return;
    }
    title(ink, area, list);
    let body = Rect::new(
        area.x,
        area.y + LIST_HEAD,
        area.width,
        area.height - LIST_HEAD,
    );
    if list.paged.is_empty() {
        let nothing = nothing(ink.model, list);
        pages::empty(ink, body, &list.loading, &nothing);
        return;
    }
    let columns = columns(list.kind, area.width);
    let widths = widths(&columns, area.width);
    heads(
        ink,
        Rect::new(area.x, area.y + 1, area.width, 1),
        &columns,
        &widths,
    );
    let visible = list
        .paged
        .rows
        .iter()
        .enumerate()
        .skip(list.paged.top)
        .take(usize::from(body.height));
    for (row, (index, item)) in visible.enumerate() {
        let y = body.y + u16::try_from(row).unwrap_or(0);
        let line = Rect::new(body.x, y, body.width, 1);
        one(ink, line, list, item, &columns, &widths);
        if index == list.paged.selected {
            ink.word(line.x + 1, y, 1, ink.theme.glyphs().focus, Role::Text);
            ink.select(line);
        }
    }
}

fn one(ink: &mut Ink<'_>, line: Rect, list: &List, row: &Row, columns: &[Column], widths: &[u16]) {
    if list.is_marked(row) {
        ink.word(line.x, line.y, 1, ink.theme.glyphs().marked, Role::Accent);
    }
    let mut x = line.x + MARGIN;
    for (column, wide) in columns.iter().zip(widths) {
        let Cell { text, role } = (column.cell)(row, ink);
        let text = fit(&text, usize::from(*wide), column.align);
        ink.word(x, line.y, *wide, &text, role);
        x += wide + 1;
    }
}

fn heads(ink: &mut Ink<'_>, area: Rect, columns: &[Column], widths: &[u16]) {
    let mut x = area.x + MARGIN;
    for (column, wide) in columns.iter().zip(widths) {
        let key = format!("console.column.{}", column.id);
        let head = ink.locale().find(&key).unwrap_or("").to_owned();
        let head = fit(&head, usize::from(*wide), column.align);
        ink.word(x, area.y, *wide, &head, Role::Dim);
        x += wide + 1;
    }
}

/// Gives the room that is left to the columns that can use it, in proportion.
fn widths(columns: &[Column], room: u16) -> Vec<u16> {
    let gaps = u16::try_from(columns.len()).unwrap_or(0);
    let fixed: u16 = columns.iter().map(|column| column.least).sum();
    let left = room.saturating_sub(MARGIN + gaps + fixed);
    let shares: u16 = columns.iter().map(|column| column.share).sum();
    columns
        .iter()
        .map(|column| {
            let more = (left * column.share).checked_div(shares).unwrap_or(0);
            column.least + more
        })
        .collect()
}

fn title(ink: &mut Ink<'_>, area: Rect, list: &List) {
    let model = ink.model;
    let locale = model.locale();
    let name = locale
        .find(&format!("console.list.{}", list.kind.id()))
        .unwrap_or("");
    let mut left: Vec<Span> = vec![span(format!(" {name}"), Role::Title)];
    if let Some(totals) = list
        .adding
        .as_ref()
        .and_then(|adding| adding.totals.as_ref())
    {
        left.push(span(
            format!("  {}", totals_text(model, list.kind, totals)),
            Role::Text,
        ));
    } else if let Some(total) = list.paged.total {
        left.push(span(format!("  {}", model.count(total)), Role::Text));
    }
    if let Some(count) = model
        .wishes
        .filter(|n| list.kind == ListKind::Unknown && *n > 0)
    {
        let args = [("n", &*model.count(count))];
        let text = locale.t_args("console.unknown.wishes", &args);
        left.push(span(format!("  {text}"), Role::Waits));
    }
    if !list.filter_text.is_empty() {
        let text = Shown::line(&list.filter_text);
        left.push(span(format!("  /{text}"), Role::Accent));
    }
    if let (Some(from), Some(to)) = (list.from, list.to) {
        left.push(span(format!("  {}", stretch(model, from, to)), Role::Dim));
    }
    if list.sort.is_some() {
        left.push(span(sort_text(ink, list), Role::Dim));
    }
    left.extend(pages::state(ink, &list.loading));
    let right = position(model, list);
    ink.spans_right(area, area.y, &right);
    let room = area
        .width
        .saturating_sub(u16::try_from(spans_width(&right) + 1).unwrap_or(0));
    ink.spans(Rect::new(area.x, area.y, room, 1), area.y, &left);
}

/// From which day to which; what has no beginning is overdue.
fn stretch(model: &Model, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    if from == DateTime::UNIX_EPOCH {
        return model.locale().t("console.renewals.overdue").to_owned();
    }
    let end = to - chrono::Duration::seconds(1);
    format!("{} - {}", model.date(from), model.date(end))
}

/// How many rows there are, and what they come to, named.
fn totals_text(model: &Model, kind: ListKind, totals: &Totals) -> String {
    let locale = model.locale();
    let mut text = model.count(totals.count);
    if let Some(invoices) = totals.invoices.filter(|invoices| *invoices != totals.count) {
        let invoices = model.count(invoices);
        text.push(' ');
        text.push_str(&locale.t_args("console.figure.invoices", &[("n", &invoices)]));
    }
    let sum = match kind {
        ListKind::Subscriptions | ListKind::Plans => "console.totals.mrr",
        _ => "console.totals.sum",
    };
    let moneys = model.moneys(&totals.sums);
    format!("{text}  {}", locale.t_args(sum, &[("money", &moneys)]))
}

pub const fn sort_id(by: SortBy) -> &'static str {
    match by {
        SortBy::Time => "time",
        SortBy::Amount => "amount",
        SortBy::Name => "name",
        SortBy::State => "state",
    }
}

fn sort_text(ink: &Ink<'_>, list: &List) -> String {
    let (by, order) = list.order();
    let mark = match order {
        Order::Ascending => ink.glyphs().ascending,
        Order::Descending => ink.glyphs().descending,
    };
    let name = ink
        .locale()
        .find(&format!("console.sort.{}", sort_id(by)))
        .unwrap_or("");
    let head = ink.locale().t("console.sort.head");
    format!("  {head} {name} {mark}")
}

/// Which row of the window is selected; a plus says that more follow.
fn position(model: &Model, list: &List) -> Vec<Span> {
    if list.paged.is_empty() {
        return Vec::new();
    }
    let at = u64::try_from(list.paged.selected + 1).unwrap_or(0);
    let here = u64::try_from(list.paged.rows.len()).unwrap_or(0);
    if let Some(total) = list.paged.total {
        let below = here.saturating_sub(at);
        let at = match (list.paged.more_earlier, list.paged.more_later) {
            (false, _) => at,
            (true, false) => total.saturating_sub(below),
            // In the middle of a long list nobody counts.
            (true, true) => return Vec::new(),
        };
        let text = format!("{}/{} ", model.count(at), model.count(total));
        return vec![span(text, Role::Dim)];
    }
    let left = here.saturating_sub(at);
    let text = match (list.paged.more_earlier, list.paged.more_later) {
        (false, false) => format!("{}/{} ", model.count(at), model.count(here)),
        (false, true) => format!("{}/{}+ ", model.count(at), model.count(here)),
        // How many come before is not known: it is told from the end.
        (true, false) if left == 0 => format!("{} ", model.locale().t("console.position.last")),
        (true, false) => {
            let n = model.count(left);
            let text = model
                .locale()
                .t_args("console.position.before_last", &[("n", &n)]);
            format!("{text} ")
        }
        (true, true) => return Vec::new(),
    };
    vec![span(text, Role::Dim)]
}

fn nothing(model: &Model, list: &List) -> String {
    let locale = model.locale();
    if !list.filter.is_empty() {
        return locale.t("console.empty.filtered").to_owned();
    }
    locale
        .find(&format!("console.empty.{}", list.kind.id()))
        .unwrap_or("")
        .to_owned()
}

/// A bar of so many eighths, growing to the right.
pub fn bar(ink: &Ink<'_>, value: i64, most: i64, columns: usize) -> String {
    let glyphs = ink.glyphs().growing;
    if most <= 0 || value <= 0 {
        return " ".repeat(columns);
    }
    let cells = i64::try_from(columns * 8).unwrap_or(0);
    let eighths =
        usize::try_from((i128::from(value) * i128::from(cells) / i128::from(most)).max(1))
            .unwrap_or(0)
            .min(columns * 8);
    let mut text = glyphs[8].repeat(eighths / 8);
    if eighths % 8 > 0 {
        text.push_str(glyphs[eighths % 8]);
    }
    let pad = columns.saturating_sub(width(&text));
    text.push_str(&" ".repeat(pad));
    text
}

pub const LEFT: Align = Align::Left;
pub const RIGHT: Align = Align::Right;
