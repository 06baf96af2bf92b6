//! What waits for a second person: who asked for what, how much, why, and how long is left.

use ratatui::layout::Rect;

use super::super::super::model::WaitingMenu;
use super::super::super::theme::Role;
use super::super::ink::{Ink, span};
use super::super::words;
use crate::engine::queries::WaitingRow;
use crate::text::{Align, Shown, fit};

/// Lines of each: what is asked for, and whom it is about.
const EACH: u16 = 2;

pub fn draw(ink: &mut Ink<'_>, menu: &WaitingMenu) {
    let screen = ink.buffer.area;
    let title = ink.t("console.action.approve.name");
    let count = menu.rows.as_ref().map_or(1, |rows| rows.len().max(1));
    let high = u16::try_from(count).unwrap_or(1).min(6) * EACH + 4;
    let wide = screen.width.saturating_sub(4).min(100);
    let inner = ink.dialog(wide, high, &[span(title, Role::Title)], Role::BorderFocused);
    let say = |ink: &mut Ink<'_>, key: &str, role: Role| {
        let text = ink.t(key);
        ink.spans(inner, inner.y, &[span(text, role)]);
    };
    let rows = match &menu.rows {
        None => return say(ink, "console.state.loading", Role::Waits),
        Some(rows) if rows.is_empty() => return say(ink, "console.empty.waiting", Role::Dim),
        Some(rows) => rows,
    };
    let height = usize::from(inner.height.saturating_sub(2) / EACH).max(1);
    let top = (menu.selected + 1).saturating_sub(height);
    for (row, (at, waiting)) in rows.iter().enumerate().skip(top).take(height).enumerate() {
        let y = inner.y + u16::try_from(row).unwrap_or(0) * EACH;
        line(ink, Rect::new(inner.x, y, inner.width, 1), waiting);
        if y + 2 < inner.bottom() {
            about(ink, Rect::new(inner.x, y + 1, inner.width, 1), waiting);
        }
        if at == menu.selected {
            ink.word(inner.x, y, 1, ink.theme.glyphs().focus, Role::Text);
            ink.select(Rect::new(inner.x, y, inner.width, 1));
        }
    }
    let keys = ink.t("console.waiting.keys");
    let y = inner.y + inner.height.saturating_sub(1);
    ink.spans(inner, y, &[span(keys, Role::Dim)]);
}

fn line(ink: &mut Ink<'_>, area: Rect, row: &WaitingRow) {
    let model = ink.model;
    let what = ink.t(&format!("console.waiting.{}", row.what.as_str()));
    let left = match row.left_s {
        Some(left) => {
            let minutes = model.count(u64::try_from(left / 60).unwrap_or(0));
            ink.locale()
                .t_args("console.waiting.left", &[("n", &minutes)])
        }
        None => String::new(),
    };
    let spans = [
        span(format!("  {} ", fit(what, 16, Align::Left)), Role::Text),
        span(
            format!("{} ", fit(model.money(row.amount), 12, Align::Right)),
            Role::Title,
        ),
        span(
            format!("{} ", fit(Shown::line(&row.requester), 10, Align::Left)),
            Role::Text,
        ),
        span(left, Role::Waits),
    ];
    ink.spans(area, area.y, &spans);
}

/// Whose money, which payment or attempt, and why.
fn about(ink: &mut Ink<'_>, area: Rect, row: &WaitingRow) {
    let spans = [
        span(
            format!("    {}  ", ink.model.name(&row.customer.name)),
            Role::Text,
        ),
        span(format!("{}  ", words::id(&row.target)), Role::Dim),
        span(Shown::line(&row.reason).into_string(), Role::Dim),
    ];
    ink.spans(area, area.y, &spans);
}
