//! Help and palette: every action with its key, its meaning, and why it is not possible now.

use ratatui::layout::Rect;

use super::super::super::action::Spec;
use super::super::super::model::{Menu, MenuKind};
use super::super::super::theme::Role;
use super::super::super::update::{MenuEntry, availability, menu_entries};
use super::super::footer::key_text;
use super::super::ink::{Focus, Ink, span};
use crate::text::{Align, Shown, fit};

pub fn draw(ink: &mut Ink<'_>, menu: &Menu) {
    let screen = ink.buffer.area;
    let id = match menu.kind {
        MenuKind::Help => "help",
        MenuKind::Palette => "palette",
        MenuKind::Find => "find",
    };
    let title = ink.t(&format!("console.action.{id}.name"));
    let entries = menu_entries(ink.model, menu);
    let most = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    let high = match menu.kind {
        MenuKind::Help => screen.height.saturating_sub(2),
        MenuKind::Palette => (most.saturating_add(5)).min(screen.height.saturating_sub(4)),
        MenuKind::Find => 6,
    };
    let inner = ink.dialog(
        screen.width.saturating_sub(4).min(96),
        high.max(6),
        &[span(title, Role::Title)],
        Role::BorderFocused,
    );
    if inner.height < 3 {
        return;
    }
    let prompt = ink.t(&format!("console.menu.{id}"));
    let took = ink.spans(inner, inner.y, &[span(format!("{prompt} "), Role::Dim)]);
    let field = Rect::new(inner.x + took, inner.y, inner.width.saturating_sub(took), 1);
    ink.field(field, &menu.input, Focus::Here);
    let list = Rect::new(inner.x, inner.y + 2, inner.width, inner.height - 2);
    let height = usize::from(list.height);
    let top = (menu.selected + 1).saturating_sub(height);
    if entries.is_empty() && menu.kind != MenuKind::Find {
        let text = ink.t("console.menu.nothing");
        ink.spans(list, list.y, &[span(text, Role::Dim)]);
    }
    for (row, (at, entry)) in entries
        .iter()
        .enumerate()
        .skip(top)
        .take(height)
        .enumerate()
    {
        let y = list.y + u16::try_from(row).unwrap_or(0);
        let line = Rect::new(list.x, y, list.width, 1);
        match entry {
            MenuEntry::Action(spec) => action(ink, line, spec),
            MenuEntry::Find => {
                let text = Shown::line(menu.input.value()).into_string();
                let text = ink
                    .locale()
                    .t_args("console.menu.find_text", &[("text", &text)]);
                ink.spans(line, y, &[span(text, Role::Text)]);
            }
        }
        if at == menu.selected {
            ink.select(line);
        }
    }
}

fn action(ink: &mut Ink<'_>, line: Rect, spec: &Spec) {
    let keys: Vec<String> = spec.keys.iter().map(|key| key_text(ink, key)).collect();
    let name = ink.t(&format!("console.action.{}.name", spec.id));
    let help = ink.t(&format!("console.action.{}.help", spec.id));
    let why = availability(ink.model, spec.action).err();
    let (name_role, help, help_role) = match why {
        None => (Role::Text, help, Role::Dim),
        Some(why) => {
            let why = ink.t(&format!("console.why.{why}"));
            (Role::Dim, format!("- {why}"), Role::Dim)
        }
    };
    let narrow = line.width < 60;
    let key_room = if narrow { 8 } else { 18 };
    let name_room = if narrow { 16 } else { 20 };
    ink.spans(
        line,
        line.y,
        &[
            span(fit(keys.join(" "), key_room, Align::Left), Role::Key),
            span(
                format!(" {} ", fit(name, name_room, Align::Left)),
                name_role,
            ),
            span(help, help_role),
        ],
    );
}
