//! Keys in the confirming dialog.
//!
//! Nothing counts in the first moment after the plan is on the screen. Enter never confirms, the key that began the
//! verb never confirms, and what must be typed must be typed. Invariant: a plan that is confirmed leaves the dialog,
//! so no second key can confirm it again.

use crate::console::effect::Effect;
use crate::console::input::{Burst, KeyCode, KeyPress};
use crate::console::keymap::latin;
use crate::console::model::{Confirm, Gate, Job, Modal, Model, Phase, Planned};
use crate::engine::ActionPlan;

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
        Phase::Ready(ready) if ready.gate.is_expired(now_ms) => {
            confirm.phase = Phase::Expired;
            Vec::new()
        }
        Phase::Ready(ready) if !ready.gate.is_armed(now_ms) => Vec::new(),
        Phase::Ready(_) if is_cancel(press) => close(model),
        Phase::Ready(ready) => {
            if latin(press) == Some(CONFIRM) && ready.gate.may_confirm(now_ms) {
                return apply(model);
            }
            if press.code == KeyCode::Enter && ready.gate.typed.is_empty() {
                // The focus is on Cancel.
                return close(model);
            }
            edit(&mut ready.gate, press, now_ms);
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
        && ready.gate.is_armed(now_ms)
    {
        for key in burst.keys.iter().filter(|key| key.is_printable()) {
            edit(&mut ready.gate, *key, now_ms);
        }
    }
}

fn edit(gate: &mut Gate, press: KeyPress, now_ms: u64) {
    /// No plan is taller.
    const LONGEST: usize = 60;
    match press.code {
        KeyCode::Enter if !gate.typed.is_empty() => gate.go_on(),
        KeyCode::Tab | KeyCode::Down if !gate.typed.is_empty() => {
            gate.focus = (gate.focus + 1) % gate.typed.len();
        }
        KeyCode::BackTab | KeyCode::Up if !gate.typed.is_empty() => {
            gate.focus = (gate.focus + gate.typed.len() - 1) % gate.typed.len();
        }
        KeyCode::Down => gate.scroll = (gate.scroll + 1).min(LONGEST),
        KeyCode::Up => gate.scroll = gate.scroll.saturating_sub(1),
        KeyCode::PageDown => gate.scroll = (gate.scroll + 5).min(LONGEST),
        KeyCode::PageUp => gate.scroll = gate.scroll.saturating_sub(5),
        _ => type_into(gate, press, now_ms),
    }
}

fn type_into(gate: &mut Gate, press: KeyPress, now_ms: u64) {
    let Some(typed) = gate.typed.get_mut(gate.focus) else {
        return;
    };
    let mut press = press;
    if press.is_printable() {
        // A Korean key stands for the Latin one under it: ids and amounts are Latin.
        let Some(key) = latin(press) else { return };
        let KeyCode::Char(ch) = key.code else { return };
        if !typed.wanted.takes(ch, typed.input.value()) {
            return;
        }
        press = KeyPress::char(ch.to_ascii_uppercase());
    }
    field::edit(&mut typed.input, press);
    typed.changed_ms = now_ms;
    gate.missed = false;
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
    let (name, effect) = match ready.planned {
        Planned::Verb { request, plan } => (
            whose(confirm, &plan),
            Effect::Apply {
                ticket,
                request: *request,
                fingerprint: plan.fingerprint,
            },
        ),
        Planned::Run { until, preview } => (
            String::new(),
            Effect::StartRun {
                ticket,
                until,
                fingerprint: preview.fingerprint,
            },
        ),
    };
    model.jobs.push(Job {
        ticket,
        verb: confirm.asked.verb(),
        called: confirm.asked.called(),
        name,
        since_ms,
        progress: None,
    });
    vec![effect]
}

fn whose(confirm: &Confirm, plan: &ActionPlan) -> String {
    match &plan.customer {
        Some(customer) => customer.name.clone(),
        None if confirm.name.is_empty() => plan.what.clone(),
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
