//! Keys in the confirming dialog.
//!
//! Nothing counts in the first moment after the plan is on the screen. Enter never confirms, the key that began the
//! verb never confirms, and what must be typed must be typed. Invariant: a plan that is confirmed leaves the dialog,
//! so no second key can confirm it again.

use crate::console::effect::Effect;
use crate::console::input::{Burst, KeyCode, KeyPress};
use crate::console::keymap::latin;
use crate::console::model::{Confirm, Job, Modal, Model, Phase, Ready, Wanted};

use super::field;

/// The one key that confirms. It begins no verb.
pub const CONFIRM: KeyPress = KeyPress::char('y');

pub fn press(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let now_ms = model.now.ms;
    let Some(Modal::Confirm(confirm)) = model.modals.last_mut() else {
        return Vec::new();
    };
    match &mut confirm.phase {
        Phase::Planning { .. } | Phase::Sending { .. } => {
            if is_cancel(press) {
                model.modals.pop();
            }
            Vec::new()
        }
        Phase::Expired => match press.code {
            KeyCode::Enter => again(model),
            _ if is_cancel(press) => close(model),
            _ => Vec::new(),
        },
        Phase::Ready(ready) if ready.is_expired(now_ms) => {
            confirm.phase = Phase::Expired;
            Vec::new()
        }
        Phase::Ready(ready) if !ready.is_armed(now_ms) => Vec::new(),
        Phase::Ready(_) if is_cancel(press) => close(model),
        Phase::Ready(ready) => {
            if latin(press) == Some(CONFIRM) && ready.may_confirm(now_ms) {
                return apply(model);
            }
            if press.code == KeyCode::Enter && ready.typed.is_empty() {
                // The focus is on Cancel.
                return close(model);
            }
            edit(ready, press, now_ms);
            Vec::new()
        }
    }
}

fn is_cancel(press: KeyPress) -> bool {
    press.code == KeyCode::Esc || press == KeyPress::ctrl('c') || press == KeyPress::ctrl('g')
}

/// Text thrown at the terminal may fill a field, and never confirms.
pub fn burst(model: &mut Model, burst: &Burst) {
    let now_ms = model.now.ms;
    if let Some(Modal::Confirm(confirm)) = model.modals.last_mut()
        && let Phase::Ready(ready) = &mut confirm.phase
        && ready.is_armed(now_ms)
    {
        for key in burst.keys.iter().filter(|key| key.is_printable()) {
            edit(ready, *key, now_ms);
        }
    }
}

fn edit(ready: &mut Ready, press: KeyPress, now_ms: u64) {
    match press.code {
        KeyCode::Tab | KeyCode::Down | KeyCode::Enter if !ready.typed.is_empty() => {
            ready.focus = (ready.focus + 1) % ready.typed.len();
        }
        KeyCode::BackTab | KeyCode::Up if !ready.typed.is_empty() => {
            ready.focus = (ready.focus + ready.typed.len() - 1) % ready.typed.len();
        }
        KeyCode::Down => ready.scroll = ready.scroll.saturating_add(1).min(40),
        KeyCode::Up => ready.scroll = ready.scroll.saturating_sub(1),
        KeyCode::PageDown => ready.scroll = ready.scroll.saturating_add(5).min(40),
        KeyCode::PageUp => ready.scroll = ready.scroll.saturating_sub(5),
        _ => type_into(ready, press, now_ms),
    }
}

fn type_into(ready: &mut Ready, press: KeyPress, now_ms: u64) {
    let Some(typed) = ready.typed.get_mut(ready.focus) else {
        return;
    };
    let mut press = press;
    if press.is_printable() {
        // A Korean key stands for the Latin one under it: ids and amounts are Latin.
        let Some(key) = latin(press) else { return };
        let KeyCode::Char(ch) = key.code else { return };
        let fits = match &typed.wanted {
            Wanted::Amount(_) => {
                matches!(ch, '0'..='9' | ',' | '.') && typed.input.value().len() < 20
            }
            Wanted::Ending(ending) => {
                ch.is_ascii_alphanumeric() && typed.input.value().len() < ending.len()
            }
        };
        if !fits {
            return;
        }
        press = KeyPress::char(ch.to_ascii_uppercase());
    }
    field::edit(&mut typed.input, press);
    typed.changed_ms = now_ms;
}

/// Does exactly what was on the screen, once: the plan leaves the dialog with the effect.
fn apply(model: &mut Model) -> Vec<Effect> {
    let ticket = model.ticket();
    let since_ms = model.now.ms;
    let Some(Modal::Confirm(confirm)) = model.modals.last_mut() else {
        return Vec::new();
    };
    let sending = Phase::Sending { ticket, since_ms };
    let Phase::Ready(ready) = std::mem::replace(&mut confirm.phase, sending) else {
        return Vec::new();
    };
    let name = whose(confirm, &ready);
    model.jobs.push(Job {
        ticket,
        verb: ready.request.verb(),
        name,
        since_ms,
    });
    vec![Effect::Apply {
        ticket,
        request: ready.request,
        fingerprint: ready.plan.fingerprint,
    }]
}

fn whose(confirm: &Confirm, ready: &Ready) -> String {
    match &ready.plan.customer {
        Some(customer) => customer.name.clone(),
        None if confirm.name.is_empty() => ready.plan.what.clone(),
        None => confirm.name.clone(),
    }
}

/// Reads the rows again and shows a new plan.
fn again(model: &mut Model) -> Vec<Effect> {
    let ticket = model.ticket();
    let since_ms = model.now.ms;
    let Some(Modal::Confirm(confirm)) = model.modals.last_mut() else {
        return Vec::new();
    };
    confirm.phase = Phase::Planning { ticket, since_ms };
    vec![Effect::Plan {
        ticket,
        asked: confirm.asked.clone(),
    }]
}

fn close(model: &mut Model) -> Vec<Effect> {
    model.modals.pop();
    let text = model.locale().t("console.news.nothing_sent").to_owned();
    model.tell(crate::console::model::Tone::Plain, text);
    Vec::new()
}
