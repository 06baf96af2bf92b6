//! The first screen: is billing healthy, what needs somebody, what happens next.
//!
//! Wide terminals get boxes, the classic one gets rules and blanks, a small one the figures alone.

mod panels;

use ratatui::layout::Rect;

use super::super::model::{Figure, Panel, Spot, spots};
use super::super::term::Fit;
use super::super::theme::Role;
use super::chart::{self};
use super::figures::{self, Shape};
use super::ink::{Ink, span, spans_width};
use super::pages;
use crate::engine::queries::Overview;
use crate::text::width;

pub fn draw(ink: &mut Ink<'_>, area: Rect, panel: &Panel<Overview>) {
    let Some(overview) = &panel.value else {
        pages::empty(ink, area, &panel.loading, "");
        return;
    };
    let chosen = spots(overview).get(panel.selected).copied();
    let size = ink.buffer.area.as_size();
    if Fit::of(size) == Fit::OnePane {
        small(ink, area, overview, chosen);
    } else if area.width >= 110 && area.height >= 26 {
        wide(ink, area, overview, chosen);
    } else {
        classic(ink, area, overview, chosen);
    }
    let state = pages::state(ink, &panel.loading);
    ink.spans_right(area, area.bottom().saturating_sub(1), &state);
}

/// Figures only, one a line.
fn small(ink: &mut Ink<'_>, area: Rect, overview: &Overview, chosen: Option<Spot>) {
    for (y, figure) in (area.y..area.bottom()).zip(Figure::ALL) {
        let line = Rect::new(area.x + 1, y, area.width.saturating_sub(2), 1);
        let title = width(ink.t(&format!("console.figure.{}", figures::figure_id(figure))));
        let room = usize::from(line.width).saturating_sub(title + 1);
        let shape = figures::shape(ink, overview, figure, room);
        ink.word(line.x, y, line.width, &shape.title, Role::Dim);
        ink.spans_right(line, y, &[span(shape.value, Role::Title)]);
        if chosen == Some(Spot::Figure(figure)) {
            ink.select(Rect::new(area.x, y, area.width, 1));
        }
    }
}

fn classic(ink: &mut Ink<'_>, area: Rect, overview: &Overview, chosen: Option<Spot>) {
    let third = area.width / 3;
    for (at, figure) in Figure::ALL.into_iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(0);
        let cell = Rect::new(
            area.x + 1 + at % 3 * third,
            area.y + at / 3 * 3,
            third.saturating_sub(2),
            3,
        );
        let shape = figures::shape(ink, overview, figure, usize::from(cell.width));
        plain_figure(ink, cell, &shape, chosen == Some(Spot::Figure(figure)));
    }
    let top = area.y + 6;
    let rest = area.bottom().saturating_sub(top);
    let lower = (rest / 2).min(6);
    let upper = rest - lower;
    let left = area.width * 11 / 20;
    let right = area.width - left;
    panels::revenue(
        ink,
        Rect::new(area.x + 1, top, left - 2, upper),
        overview,
        Boxed::No,
    );
    panels::renewals(
        ink,
        Rect::new(area.x + left, top, right - 1, upper),
        overview,
        chosen,
        Boxed::No,
    );
    panels::codes(
        ink,
        Rect::new(area.x + 1, top + upper, left - 2, lower),
        overview,
        chosen,
        Boxed::No,
    );
    panels::plans(
        ink,
        Rect::new(area.x + left, top + upper, right - 1, lower),
        overview,
        chosen,
        Boxed::No,
    );
}

fn plain_figure(ink: &mut Ink<'_>, area: Rect, shape: &Shape, is_chosen: bool) {
    ink.spans(area, area.y, &[span(shape.title.clone(), Role::Dim)]);
    let mut below = shape.below.clone();
    if !shape.days.is_empty() {
        let room = usize::from(area.width).saturating_sub(spans_width(&below) + 2);
        let spark = chart::spark(ink, &shape.days, room.min(12));
        below.push(span(format!("  {spark}"), Role::Bar));
    }
    ink.spans(area, area.y + 1, &[span(shape.value.clone(), Role::Title)]);
    if is_chosen {
        ink.select(Rect::new(
            area.x.saturating_sub(1),
            area.y + 1,
            area.width + 1,
            1,
        ));
    }
    ink.spans(area, area.y + 2, &below);
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Boxed {
    Yes,
    No,
}

fn wide(ink: &mut Ink<'_>, area: Rect, overview: &Overview, chosen: Option<Spot>) {
    let sixth = area.width / 6;
    for (at, figure) in Figure::ALL.into_iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(0);
        let wide = if at == 5 {
            area.width - sixth * 5
        } else {
            sixth
        };
        let card = Rect::new(area.x + at * sixth, area.y, wide, 5);
        let room = usize::from(card.width.saturating_sub(4));
        let shape = figures::shape(ink, overview, figure, room);
        boxed_figure(ink, card, &shape, chosen == Some(Spot::Figure(figure)));
    }
    let health_height = panels::health_height(overview);
    let rest = area.height - 5 - health_height;
    let lower = (rest * 2 / 5).clamp(8, 12);
    let upper = rest - lower;
    let left = area.width * 3 / 5;
    let right = area.width - left;
    let top = area.y + 5;
    let parts = [
        (Rect::new(area.x, top, left, upper), "revenue"),
        (Rect::new(area.x + left, top, right, upper), "renewals"),
        (Rect::new(area.x, top + upper, left, lower), "codes"),
        (Rect::new(area.x + left, top + upper, right, lower), "plans"),
    ];
    for (part, id) in parts {
        let inner = ink.frame(part, &[], Role::Border);
        // The title is drawn by the part itself, on the frame's first line.
        let inner = Rect::new(inner.x, inner.y - 1, inner.width, inner.height + 1);
        match id {
            "revenue" => panels::revenue(ink, inner, overview, Boxed::Yes),
            "renewals" => panels::renewals(ink, inner, overview, chosen, Boxed::Yes),
            "codes" => panels::codes(ink, inner, overview, chosen, Boxed::Yes),
            _ => panels::plans(ink, inner, overview, chosen, Boxed::Yes),
        }
    }
    panels::health(
        ink,
        Rect::new(area.x, top + rest, area.width, health_height),
        overview,
    );
}

fn boxed_figure(ink: &mut Ink<'_>, area: Rect, shape: &Shape, is_chosen: bool) {
    let role = if is_chosen {
        Role::BorderFocused
    } else {
        Role::Border
    };
    let title_role = if is_chosen { Role::Accent } else { Role::Dim };
    let inner = ink.frame(area, &[span(shape.title.clone(), title_role)], role);
    ink.spans(inner, inner.y, &[span(shape.value.clone(), Role::Title)]);
    if is_chosen {
        ink.word(
            area.x + 1,
            inner.y,
            1,
            ink.theme.glyphs().focus,
            Role::Accent,
        );
    }
    ink.spans(inner, inner.y + 1, &shape.below);
    if shape.days.is_empty() {
        ink.spans(inner, inner.y + 2, &shape.more);
    } else {
        let spark = chart::spark(ink, &shape.days, usize::from(inner.width));
        ink.spans(inner, inner.y + 2, &[span(spark, Role::Bar)]);
    }
}
