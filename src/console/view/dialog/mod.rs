//! Everything that stands over a screen.

mod confirm;
mod form;
mod menu;
mod message;
mod plan;
mod run;
mod waiting;

use super::super::model::{LogView, Modal, SortMenu, ViewMenu};
use super::super::theme::Role;
use super::footer::{tone_mark, tone_role};
use super::ink::{Ink, span};
use super::table::sort_id;
use crate::text::{Align, Shown, fit};
use ratatui::layout::Rect;

pub fn draw(ink: &mut Ink<'_>, modal: &Modal) {
    match modal {
        Modal::Confirm(dialog) => confirm::draw(ink, dialog),
        Modal::Form(dialog) => form::draw(ink, dialog),
        Modal::Menu(dialog) => menu::draw(ink, dialog),
        Modal::Message(dialog) => message::draw(ink, dialog),
        Modal::Sort(dialog) => sort(ink, *dialog),
        Modal::Views(dialog) => views(ink, dialog),
        Modal::Waiting(dialog) => waiting::draw(ink, dialog),
        Modal::Log(view) => log(ink, *view),
    }
}

/// The mode, as every dialog about money says it in its title.
fn mode_span(ink: &Ink<'_>) -> super::ink::Span {
    use crate::domain::mode::Mode;
    let role = match ink.model.mode {
        Mode::Live => Role::ModeLive,
        Mode::Test => Role::ModeTest,
        Mode::Sim => Role::ModeSim,
    };
    span(format!("[ {} ]", ink.model.mode.banner()), role)
}

fn sort(ink: &mut Ink<'_>, menu: SortMenu) {
    let title = ink.t("console.action.sort.name");
    let high = u16::try_from(menu.choices.len()).unwrap_or(4) + 2;
    let inner = ink.dialog(26, high, &[span(title, Role::Title)], Role::BorderFocused);
    for (at, by) in menu.choices.iter().copied().enumerate() {
        let y = inner.y + u16::try_from(at).unwrap_or(0);
        let text = ink.t(&format!("console.sort.{}", sort_id(by)));
        ink.spans(inner, y, &[span(format!("  {text}"), Role::Text)]);
        if at == menu.selected {
            ink.word(inner.x, y, 1, ink.theme.glyphs().focus, Role::Text);
            ink.select(Rect::new(inner.x, y, inner.width, 1));
        }
    }
}

fn views(ink: &mut Ink<'_>, menu: &ViewMenu) {
    let title = ink.t("console.action.views.name");
    let count = menu.views.as_ref().map_or(1, |views| views.len().max(1));
    let high = u16::try_from(count).unwrap_or(1).min(12) + 2;
    let inner = ink.dialog(64, high, &[span(title, Role::Title)], Role::BorderFocused);
    let views = match &menu.views {
        None => {
            let text = ink.t("console.state.loading");
            ink.spans(inner, inner.y, &[span(text, Role::Waits)]);
            return;
        }
        Some(views) if views.is_empty() => {
            let text = ink.t("console.empty.views");
            ink.spans(inner, inner.y, &[span(text, Role::Dim)]);
            return;
        }
        Some(views) => views,
    };
    let height = usize::from(inner.height);
    let top = (menu.selected + 1).saturating_sub(height);
    for (row, (at, view)) in views.iter().enumerate().skip(top).take(height).enumerate() {
        let y = inner.y + u16::try_from(row).unwrap_or(0);
        let name = fit(Shown::line(&view.name), 20, Align::Left);
        ink.spans(
            inner,
            y,
            &[
                span(format!("  {name} "), Role::Text),
                span(format!("/{}", Shown::line(&view.filter)), Role::Dim),
            ],
        );
        if at == menu.selected {
            ink.word(inner.x, y, 1, ink.theme.glyphs().focus, Role::Text);
            ink.select(Rect::new(inner.x, y, inner.width, 1));
        }
    }
}

fn log(ink: &mut Ink<'_>, view: LogView) {
    let screen = ink.buffer.area;
    let title = ink.t("console.action.log.name");
    let inner = ink.dialog(
        screen.width.saturating_sub(4),
        screen.height.saturating_sub(4),
        &[span(title, Role::Title)],
        Role::BorderFocused,
    );
    let height = usize::from(inner.height);
    let model = ink.model;
    if model.news.is_empty() {
        let text = ink.t("console.empty.log");
        ink.spans(inner, inner.y, &[span(text, Role::Dim)]);
    }
    let newest_first = model.news.iter().rev().skip(view.back).take(height);
    for (at, news) in newest_first.enumerate() {
        let y = inner.y + u16::try_from(at).unwrap_or(0);
        let line = [
            span(
                format!("{} ", tone_mark(ink, news.tone)),
                tone_role(news.tone),
            ),
            span(format!("{}  ", model.clock(news.at)), Role::Dim),
            span(Shown::line(&news.text).into_string(), tone_role(news.tone)),
        ];
        ink.spans(inner, y, &line);
    }
}
