//! What waits for a second person: a menu of it, and the plan of the one that is chosen.

use crate::console::effect::{Effect, Question, Slot};
use crate::console::input::{KeyCode, KeyPress};
use crate::console::keymap::latin;
use crate::console::model::{Asked, Confirm, FormKind, Modal, Model, Phase, Ticket, WaitingMenu};
use crate::engine::Request;
use crate::engine::queries::{WaitingFor, WaitingRow};

use super::verbs;

/// Shows what waits.
pub fn begin(model: &mut Model) -> Vec<Effect> {
    let ticket = model.ticket();
    model.modals.push(Modal::Waiting(WaitingMenu::default()));
    vec![Effect::Load {
        ticket,
        slot: Slot::Form,
        question: Question::Waiting,
    }]
}

/// It has come.
pub fn loaded(model: &mut Model, rows: &[WaitingRow]) {
    for modal in &mut model.modals {
        if let Modal::Waiting(menu) = modal {
            menu.rows = Some(rows.to_vec());
        }
    }
}

pub fn press(model: &mut Model, press: KeyPress) -> Vec<Effect> {
    let Some(Modal::Waiting(menu)) = model.modals.last_mut() else {
        return Vec::new();
    };
    let rows = menu.rows.as_deref().unwrap_or_default();
    let last = rows.len().saturating_sub(1);
    let chosen = rows
        .get(menu.selected)
        .map(|row| (row.what, row.customer.name.clone()));
    match (latin(press).unwrap_or(press).code, chosen) {
        (KeyCode::Char('j' | 'A') | KeyCode::Down | KeyCode::Tab, _) => {
            menu.selected = (menu.selected + 1).min(last);
        }
        (KeyCode::Char('k') | KeyCode::Up | KeyCode::BackTab, _) => {
            menu.selected = menu.selected.saturating_sub(1);
        }
        (KeyCode::Enter, Some((what, name))) => {
            model.modals.pop();
            return verbs::plan(model, Asked::Request(granting(what)), name);
        }
        (KeyCode::Char('x'), Some((what, name))) => {
            model.modals.pop();
            return verbs::form(model, FormKind::TurnDown { what }, name);
        }
        _ => {}
    }
    Vec::new()
}

const fn granting(what: WaitingFor) -> Request {
    match what {
        WaitingFor::Refund(approval) | WaitingFor::NotExecuted(approval) => {
            Request::Grant { approval }
        }
        WaitingFor::Return(attempt) => Request::ApproveReturn { attempt },
    }
}

/// A refund or return above the person's limit is asked of a second person: the same dialog plans that instead,
/// and says so. Nothing but what was refused for its limit is turned into a request.
pub fn instead(confirm: &mut Confirm, ticket: Ticket, now_ms: u64) -> Option<Effect> {
    let asked = match &confirm.asked {
        Asked::Request(Request::Refund {
            payment,
            amount,
            reason,
            also_cancel,
        }) => Request::AskRefund {
            payment: *payment,
            amount: *amount,
            reason: reason.clone(),
            also_cancel: *also_cancel,
        },
        Asked::Request(Request::ApproveReturn { attempt }) => {
            Request::AskReturn { attempt: *attempt }
        }
        _ => return None,
    };
    let asked = Asked::Request(asked);
    confirm.asked = asked.clone();
    confirm.phase = Phase::Planning {
        ticket,
        since_ms: now_ms,
    };
    Some(Effect::Plan { ticket, asked })
}
