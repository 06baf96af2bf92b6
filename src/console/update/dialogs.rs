//! Keys in forms, menus and messages.

use crate::console::action::{ACTIONS, Action, Spec};
use crate::console::effect::Effect;
use crate::console::input::{KeyCode, KeyPress};
use crate::console::keymap::latin;
use crate::console::model::{
    Asked, Covered, Form, FormKind, Menu, MenuKind, Modal, Model, SortMenu, Told, Value,
};
use crate::engine::queries::SavedView;

use super::field::{self, Taken};
use super::{approve, go, keys, leave, lists, verbs};

/// A line of a menu.
#[derive(Debug, Clone, Copy)]
pub enum MenuEntry {
    Action(&'static Spec),
    /// Look for what was typed.
    Find,
}

/// What a menu shows for what has been typed: by name, description, id and key.
pub fn menu_entries(model: &Model, menu: &Menu) -> Vec<MenuEntry> {
    let wanted = crate::text::Shown::line(menu.input.value())
        .as_str()
        .trim()
        .to_lowercase();
    let mut entries: Vec<MenuEntry> = Vec::new();
    if menu.kind != MenuKind::Find {
        let hits = ACTIONS.iter().filter(|spec| matches(model, spec, &wanted));
        entries.extend(hits.map(MenuEntry::Action));
        if menu.kind == MenuKind::Palette {
            entries.sort_by_key(|entry| rank(model, *entry, &wanted));
        }
    }
    if menu.kind != MenuKind::Help && !wanted.is_empty() {
        entries.push(MenuEntry::Find);
    }
    entries
}

/// What is named exactly stands before what merely mentions the word.
fn rank(model: &Model, entry: MenuEntry, wanted: &str) -> u8 {
    let MenuEntry::Action(spec) = entry else {
        return 3;
    };
    let name = verbs::name(model, spec.action).to_lowercase();
    if spec.id == wanted || name == wanted || spec.keys.contains(&wanted) {
        0
    } else if spec.id.starts_with(wanted) || name.starts_with(wanted) {
        1
    } else {
        2
    }
}

fn matches(model: &Model, spec: &Spec, wanted: &str) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let help = format!("console.action.{}.help", spec.id);
    let texts = [
        verbs::name(model, spec.action),
        model.locale().find(&help).unwrap_or(""),
        spec.id,
        spec.twin.unwrap_or(""),
    ];
    spec.keys.contains(&wanted)
        || texts
            .iter()
            .any(|text| text.to_lowercase().contains(wanted))
}

pub fn press(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let is_cancel =
        press.code == KeyCode::Esc || press == KeyPress::ctrl('c') || press == KeyPress::ctrl('g');
    if is_cancel {
        model.modals.pop();
        return Vec::new();
    }
    match model.modals.last_mut() {
        Some(Modal::Form(_)) => form_key(model, press),
        Some(Modal::Menu(_)) => menu_key(model, press),
        Some(Modal::Sort(menu)) => {
            let menu = *menu;
            sort_key(model, menu, press)
        }
        Some(Modal::Views(_)) => views_key(model, press),
        Some(Modal::Waiting(_)) => approve::press(model, press),
        Some(Modal::Message(_)) => message_key(model, press),
        Some(Modal::Log(view)) => {
            match latin(press).unwrap_or(press).code {
                KeyCode::Char('k') | KeyCode::Up => view.back = view.back.saturating_add(1),
                KeyCode::Char('j') | KeyCode::Down => view.back = view.back.saturating_sub(1),
                KeyCode::PageUp => view.back = view.back.saturating_add(10),
                KeyCode::PageDown => view.back = view.back.saturating_sub(10),
                KeyCode::Enter | KeyCode::Char('q' | '!') => {
                    model.modals.pop();
                }
                _ => {}
            }
            if let Some(Modal::Log(view)) = model.modals.last_mut() {
                view.back = view.back.min(model.news.len().saturating_sub(1));
            }
            Vec::new()
        }
        Some(Modal::Confirm(_)) | None => Vec::new(),
    }
}

fn message_key(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let key = latin(press).unwrap_or(press);
    let Some(Modal::Message(message)) = model.modals.last() else {
        return Vec::new();
    };
    match (key.code, &message.what) {
        (KeyCode::Char('q'), Told::CallInFlight) => leave(model),
        (KeyCode::Char('y'), Told::Link(link)) => vec![Effect::Copy(link.url.expose().to_owned())],
        (KeyCode::Char('L'), Told::Outcome(crate::engine::Outcome::AsksCustomer(receipt))) => {
            let attempt = receipt.attempt_id;
            model.modals.pop();
            attempt.map_or_else(Vec::new, |attempt| verbs::ask_link(model, attempt))
        }
        (KeyCode::Char('y'), Told::Outcome(outcome)) => {
            let receipt = match outcome {
                crate::engine::Outcome::Done(receipt)
                | crate::engine::Outcome::AlreadyDone(receipt)
                | crate::engine::Outcome::Declined { receipt, .. }
                | crate::engine::Outcome::Unknown(receipt)
                | crate::engine::Outcome::AsksCustomer(receipt)
                | crate::engine::Outcome::NotSent(receipt)
                | crate::engine::Outcome::GoesOut(receipt)
                | crate::engine::Outcome::Ended(receipt)
                | crate::engine::Outcome::NotSeen(receipt)
                | crate::engine::Outcome::Asked(receipt) => receipt,
            };
            let id = receipt.attempt.as_ref().or(receipt.public_id.as_ref());
            id.map(|id| Effect::Copy(id.to_string()))
                .into_iter()
                .collect()
        }
        (KeyCode::Enter | KeyCode::Char('q' | ' '), _) => {
            model.modals.pop();
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn views_key(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let Some(Modal::Views(menu)) = model.modals.last_mut() else {
        return Vec::new();
    };
    let views = menu.views.as_deref().unwrap_or_default();
    let last = views.len().saturating_sub(1);
    match latin(press).unwrap_or(press).code {
        KeyCode::Char('j' | 'w') | KeyCode::Down | KeyCode::Tab => {
            menu.selected = (menu.selected + 1).min(last);
        }
        KeyCode::Char('k') | KeyCode::Up | KeyCode::BackTab => {
            menu.selected = menu.selected.saturating_sub(1);
        }
        KeyCode::Enter => {
            let chosen = views.get(menu.selected).map(|view| view.filter.clone());
            model.modals.pop();
            return match chosen {
                Some(filter) => lists::use_view(model, &filter),
                None => Vec::new(),
            };
        }
        _ => {}
    }
    Vec::new()
}

fn sort_key(model: &mut Model, menu: SortMenu, press: KeyPress) -> Vec<Effect> {
    let last = menu.choices.len().saturating_sub(1);
    let selected = match latin(press).unwrap_or(press).code {
        KeyCode::Char('j' | 'o') | KeyCode::Down | KeyCode::Tab => (menu.selected + 1).min(last),
        KeyCode::Char('k') | KeyCode::Up | KeyCode::BackTab => menu.selected.saturating_sub(1),
        KeyCode::Enter => {
            model.modals.pop();
            return match menu.choices.get(menu.selected) {
                Some(by) => lists::sort_by(model, *by),
                None => Vec::new(),
            };
        }
        _ => return Vec::new(),
    };
    if let Some(Modal::Sort(menu)) = model.modals.last_mut() {
        menu.selected = selected;
    }
    Vec::new()
}

fn menu_key(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let Some(Modal::Menu(menu)) = model.modals.last_mut() else {
        return Vec::new();
    };
    match press.code {
        KeyCode::Up | KeyCode::BackTab => menu.selected = menu.selected.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => menu.selected = menu.selected.saturating_add(1),
        KeyCode::PageUp => menu.selected = menu.selected.saturating_sub(10),
        KeyCode::PageDown => menu.selected = menu.selected.saturating_add(10),
        KeyCode::Enter => return run_entry(model),
        // The menu's own key closes it again.
        KeyCode::Char('?') if menu.kind == MenuKind::Help && menu.input.value().is_empty() => {
            model.modals.pop();
            return Vec::new();
        }
        _ => {
            if field::edit(&mut menu.input, press) == Taken::Yes {
                menu.selected = 0;
            }
        }
    }
    let menu = menu.clone();
    let last = menu_entries(model, &menu).len().saturating_sub(1);
    if let Some(Modal::Menu(menu)) = model.modals.last_mut() {
        menu.selected = menu.selected.min(last);
    }
    Vec::new()
}

fn run_entry(model: &mut Model) -> Vec<Effect> {
    let Some(Modal::Menu(menu)) = model.modals.last().cloned() else {
        return Vec::new();
    };
    let entry = menu_entries(model, &menu).get(menu.selected).copied();
    match entry {
        Some(MenuEntry::Action(spec)) => {
            model.modals.pop();
            if matches!(spec.action, Action::Help | Action::Palette) {
                return Vec::new();
            }
            keys::run(model, spec.action)
        }
        Some(MenuEntry::Find) => {
            model.modals.pop();
            go::find(model, menu.input.value())
        }
        None => Vec::new(),
    }
}

/// Puts pasted text into the field that has the caret.
pub fn paste(form: &mut Form, text: &str) -> Taken {
    match form
        .fields
        .get_mut(form.focus)
        .map(|field| &mut field.value)
    {
        Some(Value::Text(input) | Value::Hidden(Covered(input))) => {
            field::insert_text(input, text);
            form.problem = None;
            Taken::Yes
        }
        Some(Value::Choice { .. }) | None => Taken::No,
    }
}

fn form_key(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let Some(Modal::Form(form)) = model.modals.last_mut() else {
        return Vec::new();
    };
    let count = form.fields.len().max(1);
    match press.code {
        KeyCode::Tab | KeyCode::Down => form.focus = (form.focus + 1) % count,
        KeyCode::BackTab | KeyCode::Up => form.focus = (form.focus + count - 1) % count,
        KeyCode::Enter if form.focus + 1 < count => form.focus += 1,
        KeyCode::Enter => return submit(model),
        _ => edit_field(form, press),
    }
    Vec::new()
}

fn edit_field(form: &mut Form, press: KeyPress) {
    let Some(field) = form.fields.get_mut(form.focus) else {
        return;
    };
    match &mut field.value {
        Value::Text(input) | Value::Hidden(Covered(input)) => {
            if field::edit(input, press) == Taken::Yes {
                form.problem = None;
            }
        }
        Value::Choice { options, at } => {
            let count = options.len().max(1);
            match latin(press).unwrap_or(press).code {
                KeyCode::Right | KeyCode::Char(' ' | 'l') => *at = (*at + 1) % count,
                KeyCode::Left | KeyCode::Char('h') => *at = (*at + count - 1) % count,
                _ => {}
            }
            form.problem = None;
        }
    }
}

/// Asks for the plan of what the form says. The form stays below, so that closing the plan leads back to it.
fn submit(model: &mut Model) -> Vec<Effect> {
    let Some(Modal::Form(form)) = model.modals.last_mut() else {
        return Vec::new();
    };
    if let FormKind::SaveView { screen, filter } = &form.kind {
        let view = form.text("view_name").map(|name| SavedView {
            screen: (*screen).to_owned(),
            name,
            filter: filter.clone(),
        });
        return match view {
            Ok(view) => {
                model.modals.pop();
                vec![Effect::SaveView(view)]
            }
            Err(problem) => {
                form.problem = Some(problem);
                Vec::new()
            }
        };
    }
    match form.request() {
        Ok(request) => {
            let name = form.name.clone();
            verbs::plan(model, Asked::Request(request), name)
        }
        Err(problem) => {
            let at = form
                .fields
                .iter()
                .position(|field| field.id == problem.field);
            form.focus = at.unwrap_or(form.focus);
            form.problem = Some(problem);
            Vec::new()
        }
    }
}
