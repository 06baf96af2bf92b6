//! What a key press means here.
//!
//! A dialog takes every key; a field takes text; otherwise the key map decides. Invariant: text that was thrown at the
//! terminal enters fields only, and on a screen that is too small nothing but leaving works.

use crate::console::action::{Action, Group};
use crate::console::effect::Effect;
use crate::console::input::{Burst, KeyCode, KeyPress};
use crate::console::keymap::Keymap;
use crate::console::model::{Kept, LogView, Menu, MenuKind, Message, Modal, Model, Told, Tone};
use crate::console::term::Fit;

use super::field::{self, Taken};
use super::go::{self, Step};
use super::{confirm, dialogs, leave, lists, load, verbs};

pub fn press(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    if press == KeyPress::ctrl('z') {
        return vec![Effect::Suspend];
    }
    if press == KeyPress::ctrl('l') {
        return vec![Effect::Repaint];
    }
    if Fit::of(model.size) == Fit::TooSmall {
        let wants_out = press == KeyPress::ctrl('c')
            || crate::console::keymap::latin(press) == Some(KeyPress::char('q'));
        return if wants_out { quit(model) } else { Vec::new() };
    }
    match model.modals.last() {
        Some(Modal::Confirm(_)) => confirm::press(model, press),
        Some(_) => dialogs::press(model, press),
        None if model.filter_line.is_some() => filter_key(model, press),
        None => match Keymap::default().action(press) {
            Some(action) => run(model, action),
            None => Vec::new(),
        },
    }
}

/// Does what an action says, from a key, from help or from the palette.
pub fn run(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Err(why) = verbs::availability(model, action) {
        let text = model.locale().t_args(
            "console.news.not_here",
            &[
                ("action", verbs::name(model, action)),
                ("why", verbs::why(model, why)),
            ],
        );
        model.tell(Tone::Plain, text);
        return Vec::new();
    }
    match action {
        Action::Show(screen) => go::show(model, screen),
        Action::Up => go::step(model, Step::Rows(-1)),
        Action::Down => go::step(model, Step::Rows(1)),
        Action::HalfUp => go::step(model, Step::HalfUp),
        Action::HalfDown => go::step(model, Step::HalfDown),
        Action::First => go::step(model, Step::First),
        Action::Last => go::step(model, Step::Last),
        Action::Open => go::open(model),
        Action::Back => go::back(model),
        Action::NextPane => go::next_pane(model, 1),
        Action::PreviousPane => go::next_pane(model, -1),
        Action::Filter => lists::begin_filter(model),
        Action::Views => lists::begin_views(model),
        Action::SaveView => lists::begin_save(model),
        Action::Wishes => go::open_wishes(model),
        Action::Sort => lists::begin_sort(model),
        Action::Reverse => lists::reverse(model),
        Action::Mark => lists::mark(model),
        Action::MarkAll => lists::mark_all(model),
        Action::Detail => lists::toggle_detail(model),
        Action::Customer => go::open_customer(model),
        Action::Copy => lists::copy(model),
        Action::Refresh => load::reload(model),
        Action::Reveal => lists::toggle_privacy(model),
        Action::Help => menu(model, MenuKind::Help),
        Action::Palette => menu(model, MenuKind::Palette),
        Action::Find => menu(model, MenuKind::Find),
        Action::Log => log(model),
        Action::Repaint => vec![Effect::Repaint],
        Action::Suspend => vec![Effect::Suspend],
        Action::Quit => quit(model),
        Action::Charge
        | Action::Retry
        | Action::Refund
        | Action::Cancel
        | Action::UndoCancel
        | Action::Pause
        | Action::Resume
        | Action::VoidInvoice
        | Action::GiveUpInvoice
        | Action::ResolveUnknown
        | Action::SendAgain
        | Action::Link
        | Action::NotExecuted
        | Action::Approve
        | Action::SwapCard
        | Action::UseCard
        | Action::ForgetCard
        | Action::Subscribe
        | Action::OneTime
        | Action::CreateCustomer
        | Action::CreatePlan
        | Action::EditPlan
        | Action::DeactivatePlan
        | Action::Note
        | Action::BillRun => verbs::begin(model, action),
    }
}

fn log(model: &mut Model) -> Vec<Effect> {
    model.modals.push(Modal::Log(LogView::default()));
    Vec::new()
}

fn menu(model: &mut Model, kind: MenuKind) -> Vec<Effect> {
    model.modals.push(Modal::Menu(Menu {
        kind,
        input: tui_input::Input::default(),
        selected: 0,
    }));
    Vec::new()
}

/// Leaving with a call under way says so first.
pub fn quit(model: &mut Model) -> Vec<Effect> {
    if model.jobs.is_empty() {
        return leave(model);
    }
    model.modals.push(Modal::Message(Box::new(Message {
        verb: None,
        called: "",
        what: Told::CallInFlight,
    })));
    Vec::new()
}

fn filter_key(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let Some(line) = &mut model.filter_line else {
        return Vec::new();
    };
    if press.code == KeyCode::Esc || press == KeyPress::ctrl('c') || press == KeyPress::ctrl('g') {
        model.filter_line = None;
        return Vec::new();
    }
    if press.code == KeyCode::Enter {
        let text = line.input.value().trim().to_owned();
        return match Kept::parse(&text, model.zone) {
            Ok(kept) => {
                model.filter_line = None;
                lists::set_filter(model, text, &kept)
            }
            Err(problem) => {
                line.problem = Some(problem);
                Vec::new()
            }
        };
    }
    if field::edit(&mut line.input, press) == Taken::Yes {
        line.problem = None;
    }
    Vec::new()
}

/// Many keys at once: text for a field, a held key for moving, otherwise nothing.
pub fn burst(model: &mut Model, burst: &Burst) -> Vec<Effect> {
    if Fit::of(model.size) == Fit::TooSmall {
        return Vec::new();
    }
    let takes_text = match model.modals.last() {
        Some(Modal::Confirm(_)) => {
            confirm::burst(model, burst);
            return Vec::new();
        }
        Some(Modal::Form(_) | Modal::Menu(_)) => true,
        Some(
            Modal::Sort(_)
            | Modal::Views(_)
            | Modal::Waiting(_)
            | Modal::Message(_)
            | Modal::Log(_),
        ) => false,
        None => model.filter_line.is_some(),
    };
    if takes_text {
        // Only text: an Enter that came with it must not send anything off.
        return burst
            .keys
            .iter()
            .filter(|key| key.is_printable())
            .flat_map(|key| press(model, *key))
            .collect();
    }
    if let Some(held) = burst.repeated_key()
        && model.modals.is_empty()
        && let Some(action) = Keymap::default().action(held)
        && action.spec().is_some_and(|spec| spec.group == Group::Move)
    {
        return burst.keys.iter().flat_map(|_| run(model, action)).collect();
    }
    let count = burst.keys.len().to_string();
    let text = model
        .locale()
        .t_args("console.news.burst", &[("n", &count)]);
    model.tell(Tone::Plain, text);
    Vec::new()
}

/// Pasted text enters fields only.
pub fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if Fit::of(model.size) == Fit::TooSmall {
        return Vec::new();
    }
    let taken = match model.modals.last_mut() {
        Some(Modal::Form(form)) => dialogs::paste(form, text),
        Some(Modal::Menu(menu)) => {
            field::insert_text(&mut menu.input, text);
            menu.selected = 0;
            Taken::Yes
        }
        // What confirms must be typed.
        Some(
            Modal::Confirm(_)
            | Modal::Sort(_)
            | Modal::Views(_)
            | Modal::Waiting(_)
            | Modal::Message(_)
            | Modal::Log(_),
        ) => Taken::No,
        None => match &mut model.filter_line {
            Some(line) => {
                field::insert_text(&mut line.input, text);
                line.problem = None;
                Taken::Yes
            }
            None => Taken::No,
        },
    };
    if taken == Taken::No {
        let text = model.locale().t("console.news.paste").to_owned();
        model.tell(Tone::Plain, text);
    }
    Vec::new()
}
