//! Drawing. Reads the model, decides nothing, does no I/O and reads no clock.
//!
//! | file | what it draws |
//! |---|---|
//! | `header`, `footer` | the lines around every screen |
//! | `overview`, `figures`, `chart`, `revenue` | figures |
//! | `table`, `columns/` | every list, by one table |
//! | `detail/` | a customer, a subscription, an invoice in time order, the detail of a row |
//! | `dialog/` | everything that stands over a screen |
//! | `ink`, `words`, `pages` | the pen; figures, dates and names in words; lines that scroll |
//!
//! Only what passed `text::Shown` or is a text of ours reaches a cell.

mod advice;
mod chart;
mod columns;
mod detail;
mod dialog;
mod figures;
mod footer;
mod header;
mod ink;
mod overview;
mod pages;
mod revenue;
mod table;
mod words;

use ratatui::Frame;

use super::layout;
use super::model::{Content, Model};
use super::term::Fit;
use super::theme::{Role, Theme};
use ink::Ink;

/// Draws the whole screen.
pub fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>) {
    let size = frame.area().as_size();
    let mut ink = Ink {
        model,
        theme,
        buffer: frame.buffer_mut(),
        caret: None,
    };
    if Fit::of(size) == Fit::TooSmall {
        too_small(&mut ink);
    } else {
        screen(&mut ink, size);
    }
    let caret = ink.caret;
    if let Some(caret) = caret.filter(|caret| frame.area().contains(*caret)) {
        frame.set_cursor_position(caret);
    }
}

fn screen(ink: &mut Ink<'_>, size: ratatui::layout::Size) {
    let regions = layout::regions(size);
    header::draw(ink, regions.header);
    header::tabs(ink, regions.tabs);
    match &ink.model.visit().content {
        Content::Overview(panel) => overview::draw(ink, regions.body, panel),
        Content::Revenue(panel) => revenue::draw(ink, regions.body, panel),
        Content::List(list) => table::draw(ink, size, list),
        Content::Customer(panel) => detail::customer(ink, regions.body, panel),
        Content::Subscription(panel) => detail::subscription(ink, regions.body, panel),
        Content::Timeline(panel) => detail::timeline(ink, regions.body, panel),
    }
    footer::news(ink, regions.news);
    footer::keys(ink, regions.keys);
    for modal in &ink.model.modals {
        ink.caret = None;
        dialog::draw(ink, modal);
    }
}

/// Nothing can be read here, so nothing can be done but leaving.
fn too_small(ink: &mut Ink<'_>) {
    let area = ink.buffer.area;
    for (line, key) in ["console.small.what", "console.small.next"]
        .into_iter()
        .enumerate()
    {
        let text = ink.t(key);
        let y = area.y + u16::try_from(line).unwrap_or(0);
        ink.word(area.x, y, area.width, &text, Role::Text);
    }
}
