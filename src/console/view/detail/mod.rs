//! One thing in full: a customer, a subscription, an invoice in time order, and the detail beside a list.
//!
//! Each builds its lines for a width; the same lines serve a whole screen and a pane.

mod customer;
mod row;
mod subscription;
mod timeline;
mod wish;

use ratatui::layout::Rect;

use super::super::model::{DetailCard, List, Panel, Row};
use super::ink::Ink;
use super::pages;
use crate::engine::queries::{CustomerCard, SubscriptionCard, Timeline};

/// Labels of details are padded to this width.
const LABEL: usize = 10;

fn inside(area: Rect) -> Rect {
    Rect::new(
        area.x + 1,
        area.y,
        area.width.saturating_sub(2),
        area.height,
    )
}

pub fn customer(ink: &mut Ink<'_>, area: Rect, panel: &Panel<CustomerCard>) {
    let area = inside(area);
    match &panel.value {
        Some(card) => {
            let lines = customer::lines(ink, card, usize::from(area.width));
            lines.draw(ink, area, Some(panel.selected));
            state(ink, area, &panel.loading);
        }
        None => pages::empty(ink, area, &panel.loading, ""),
    }
}

pub fn subscription(ink: &mut Ink<'_>, area: Rect, panel: &Panel<SubscriptionCard>) {
    let area = inside(area);
    match &panel.value {
        Some(card) => {
            let lines = subscription::lines(ink, card, usize::from(area.width));
            lines.draw(ink, area, Some(panel.selected));
            state(ink, area, &panel.loading);
        }
        None => pages::empty(ink, area, &panel.loading, ""),
    }
}

pub fn timeline(ink: &mut Ink<'_>, area: Rect, panel: &Panel<Timeline>) {
    let area = inside(area);
    match &panel.value {
        Some(card) => {
            let lines = timeline::lines(ink, card, usize::from(area.width));
            lines.draw(ink, area, Some(panel.selected));
            state(ink, area, &panel.loading);
        }
        None => pages::empty(ink, area, &panel.loading, ""),
    }
}

/// That what is shown is old, or being read again, stands at the right of the first line.
fn state(ink: &mut Ink<'_>, area: Rect, loading: &super::super::model::Loading) {
    let spans = pages::state(ink, loading);
    ink.spans_right(area, area.y, &spans);
}

/// The detail of the selected row. It follows the selection once that rests.
pub fn of_row(ink: &mut Ink<'_>, area: Rect, list: &List) {
    let area = inside(area);
    let detail = &ink.model.detail;
    let shown = detail
        .row
        .as_ref()
        .and_then(|key| list.paged.rows.iter().find(|row| row.key() == *key));
    let Some(shown) = shown else {
        return;
    };
    let room = usize::from(area.width);
    let mut lines = row::lines(ink, shown, room);
    match &detail.card {
        Some(DetailCard::Customer(card)) => lines = customer::lines(ink, card, room),
        Some(DetailCard::Subscription(card)) => lines = subscription::lines(ink, card, room),
        Some(DetailCard::Timeline(card)) => {
            // What is unknown is explained before it is told in time order.
            if !matches!(shown, Row::Unknown(_)) {
                lines = timeline::lines(ink, card, room);
            } else if usize::from(area.height) > lines.height() + 4 {
                lines.blank();
                timeline::append(ink, card, room, &mut lines);
            }
        }
        None => {}
    }
    lines.draw_from(ink, area, detail.scroll, None);
}
