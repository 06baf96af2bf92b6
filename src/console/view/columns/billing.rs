//! Columns of failures, payments, plans and what is unknown.

use super::super::super::model::Row;
use super::super::super::theme::Role;
use super::super::advice;
use super::super::ink::Ink;
use super::super::table::{LEFT, RIGHT};
use super::super::words::{attempt_role, class_role, invoice_role};
use super::people::{amount, id, name, provider};
use super::{Cell, Column, column};
use crate::domain::dunning::DunningState;
use crate::domain::failure::FailureClass;
use crate::engine::queries::{DeclineRow, FailedRow, PaymentRow};
use crate::text::Shown;

pub const FAILED: &[Column] = &[
    column("customer", 8, 2, 0, LEFT, name),
    column("amount", 11, 0, 0, RIGHT, amount),
    column("provider", 6, 0, 76, LEFT, provider),
    column("class", 12, 0, 52, LEFT, class),
    column("code", 16, 3, 94, LEFT, code),
    column("tries", 4, 0, 56, RIGHT, tries),
    column("next_try", 16, 0, 68, RIGHT, next_try),
    column("since", 6, 0, 0, RIGHT, since),
];

pub const DECLINES: &[Column] = &[
    column("when", 16, 0, 0, LEFT, declined_at),
    column("customer", 7, 2, 0, LEFT, name),
    column("amount", 11, 0, 0, RIGHT, amount),
    column("provider", 6, 0, 76, LEFT, provider),
    column("class", 12, 0, 60, LEFT, decline_class),
    column("code", 16, 3, 94, LEFT, decline_code),
    column("source", 8, 0, 104, LEFT, decline_source),
    column("invoice", 12, 0, 74, LEFT, decline_invoice),
];

pub const PAYMENTS: &[Column] = &[
    column("when", 16, 0, 0, LEFT, captured_at),
    column("customer", 7, 2, 0, LEFT, name),
    column("what", 8, 2, 92, LEFT, what),
    column("provider", 6, 0, 78, LEFT, provider),
    column("amount", 11, 0, 0, RIGHT, captured),
    column("refunded", 11, 0, 66, RIGHT, refunded),
    column("state", 15, 0, 76, LEFT, payment_state),
    column("id", 12, 0, 112, LEFT, id),
];

pub const PLANS: &[Column] = &[
    column("plan", 10, 3, 0, LEFT, plan_name),
    column("plan_code", 8, 1, 76, LEFT, plan_code),
    column("price", 11, 0, 0, RIGHT, price),
    column("cycle", 9, 0, 58, LEFT, cycle),
    column("active", 6, 0, 44, RIGHT, active),
    column("mrr", 12, 0, 62, RIGHT, mrr),
    column("open", 9, 0, 66, LEFT, open),
];

pub const UNKNOWN: &[Column] = &[
    column("what", 6, 0, 0, LEFT, kind),
    column("customer", 8, 2, 0, LEFT, name),
    column("provider", 6, 0, 76, LEFT, provider),
    column("amount", 11, 0, 0, RIGHT, amount),
    column("since", 7, 0, 48, RIGHT, unknown_since),
    column("certain", 12, 2, 66, LEFT, certain),
    column("next_look", 10, 1, 66, LEFT, next_look),
];

/// How a class of failure is said, with a mark of its own: nothing is said by colour alone.
pub fn class_text(ink: &Ink<'_>, class: FailureClass) -> String {
    let mark = match class {
        FailureClass::Soft | FailureClass::ProviderDown => ink.glyphs().waits,
        FailureClass::Hard
        | FailureClass::NeedsCustomer
        | FailureClass::Config
        | FailureClass::Unclassified => ink.glyphs().needs_person,
    };
    format!("{mark} {}", ink.locale().label("class", class.as_str()))
}

fn failed(row: &Row) -> Option<&FailedRow> {
    match row {
        Row::Failed(row) => Some(row),
        _ => None,
    }
}

fn class(row: &Row, ink: &Ink<'_>) -> Cell {
    let Some(row) = failed(row) else {
        return Cell::none();
    };
    if ink.model.in_progress(row.call.as_ref()).is_some() {
        let text = format!(
            "{} {}",
            ink.glyphs().waits,
            ink.t("console.unknown.sent_now")
        );
        return Cell::of(text, Role::Waits);
    }
    if row.open_attempt.is_some() {
        let text = ink.locale().label("class", "unknown");
        return Cell::of(
            format!("{} {text}", ink.glyphs().unknown),
            Role::NeedsPerson,
        );
    }
    row.class.map_or_else(Cell::none, |class| {
        Cell::of(class_text(ink, class), class_role(class))
    })
}

fn code(row: &Row, _: &Ink<'_>) -> Cell {
    failed(row)
        // While an answer is awaited, the refusal before it explains nothing.
        .filter(|row| row.open_attempt.is_none())
        .and_then(|row| row.code.as_ref())
        .map_or_else(Cell::none, |code| {
            Cell::text(Shown::line(code).into_string())
        })
}

/// Attempts of the schedule used up, of how many.
pub fn tries_text(ink: &Ink<'_>, row: &FailedRow) -> String {
    match row.dunning {
        DunningState::Scheduled => format!("{}/{}", row.dunning_used, ink.model.dunning_budget),
        DunningState::AwaitingCard | DunningState::Exhausted => format!("{}/-", row.dunning_used),
        DunningState::Idle => "-".to_owned(),
    }
}

fn tries(row: &Row, ink: &Ink<'_>) -> Cell {
    failed(row).map_or_else(Cell::none, |row| Cell::text(tries_text(ink, row)))
}

pub fn next_try_text(ink: &Ink<'_>, row: &FailedRow) -> (String, Role) {
    if let Some(text) = ink.model.caller(row.call.as_ref()) {
        return (text, Role::Waits);
    }
    if row.open_attempt.is_some() {
        return (ink.t("console.dunning.locked"), Role::Waits);
    }
    if let (false, Some(at)) = (row.scheduler.is_ours(), row.next_attempt_at) {
        // No run of ours is late with it.
        return (ink.model.coming(at), Role::Text);
    }
    match (row.dunning, row.next_attempt_at) {
        (DunningState::Scheduled, Some(at)) => advice::next_try(ink.model, at),
        (DunningState::AwaitingCard, _) => (ink.t("console.dunning.new_card"), Role::NeedsPerson),
        (DunningState::Exhausted, _) => (ink.t("console.dunning.ended"), Role::NeedsPerson),
        (DunningState::Scheduled | DunningState::Idle, _) => ("-".to_owned(), Role::Dim),
    }
}

fn next_try(row: &Row, ink: &Ink<'_>) -> Cell {
    failed(row).map_or_else(Cell::none, |row| {
        let (text, role) = next_try_text(ink, row);
        Cell::of(text, role)
    })
}

fn since(row: &Row, ink: &Ink<'_>) -> Cell {
    failed(row).map_or_else(Cell::none, |row| {
        Cell::dim(ink.model.age(row.first_failed_at))
    })
}

fn decline(row: &Row) -> Option<&DeclineRow> {
    match row {
        Row::Decline(row) => Some(row),
        _ => None,
    }
}

fn declined_at(row: &Row, ink: &Ink<'_>) -> Cell {
    decline(row).map_or_else(Cell::none, |row| {
        Cell::text(ink.model.date_time(row.settled_at))
    })
}

fn decline_class(row: &Row, ink: &Ink<'_>) -> Cell {
    decline(row).map_or_else(Cell::none, |row| {
        Cell::of(class_text(ink, row.class), class_role(row.class))
    })
}

fn decline_code(row: &Row, _: &Ink<'_>) -> Cell {
    decline(row)
        .and_then(|row| row.code.as_ref())
        .map_or_else(Cell::none, |code| {
            Cell::text(Shown::line(code).into_string())
        })
}

fn decline_source(row: &Row, ink: &Ink<'_>) -> Cell {
    decline(row).map_or_else(Cell::none, |row| {
        Cell::dim(ink.locale().label("source", row.source.as_str()))
    })
}

/// What became of it.
fn decline_invoice(row: &Row, ink: &Ink<'_>) -> Cell {
    decline(row).map_or_else(Cell::none, |row| {
        let text = ink
            .locale()
            .label("state.invoice", row.invoice_state.as_str());
        Cell::of(text, invoice_role(row.invoice_state))
    })
}

fn payment(row: &Row) -> Option<&PaymentRow> {
    match row {
        Row::Payment(row) => Some(row),
        _ => None,
    }
}

fn captured_at(row: &Row, ink: &Ink<'_>) -> Cell {
    payment(row).map_or_else(Cell::none, |row| {
        Cell::text(ink.model.date_time(row.captured_at))
    })
}

fn what(row: &Row, _: &Ink<'_>) -> Cell {
    payment(row).map_or_else(Cell::none, |row| {
        Cell::dim(Shown::line(&row.what).into_string())
    })
}

fn captured(row: &Row, ink: &Ink<'_>) -> Cell {
    payment(row).map_or_else(Cell::none, |row| Cell::text(ink.model.money(row.captured)))
}

fn refunded(row: &Row, ink: &Ink<'_>) -> Cell {
    match payment(row) {
        Some(row) if row.refunded_minor > 0 => {
            let currency = row.captured.currency();
            let text =
                ink.locale()
                    .money(-row.refunded_minor, currency.exponent(), currency.code());
            Cell::text(text)
        }
        _ => Cell::dim(""),
    }
}

pub fn payment_state_of(row: &PaymentRow) -> (&'static str, Role) {
    if row.is_duplicate {
        ("duplicate", Role::NeedsPerson)
    } else if row.reserved_minor > 0 {
        ("refunding", Role::Waits)
    } else if row.refunded_minor >= row.captured.minor() {
        ("refunded", Role::Dim)
    } else if row.refunded_minor > 0 {
        ("partly_refunded", Role::Dim)
    } else {
        ("captured", Role::Settled)
    }
}

fn payment_state(row: &Row, ink: &Ink<'_>) -> Cell {
    payment(row).map_or_else(Cell::none, |row| {
        let (state, role) = payment_state_of(row);
        let group = if row.is_duplicate {
            "state.attempt"
        } else {
            "state.payment"
        };
        Cell::of(ink.locale().label(group, state), role)
    })
}

fn plan_name(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Plan(row) => Cell::text(Shown::line(&row.plan.name).into_string()),
        _ => Cell::none(),
    }
}

fn plan_code(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Plan(row) => Cell::dim(Shown::line(&row.plan.code).into_string()),
        _ => Cell::none(),
    }
}

fn price(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Plan(row) => Cell::text(ink.model.money(row.plan.price)),
        _ => Cell::none(),
    }
}

fn cycle(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Plan(row) => Cell::text(ink.model.interval(row.plan.interval)),
        _ => Cell::none(),
    }
}

fn active(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Plan(row) => Cell::text(ink.model.count(row.active)),
        _ => Cell::none(),
    }
}

fn mrr(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Plan(row) => Cell::text(ink.model.money(row.mrr)),
        _ => Cell::none(),
    }
}

fn open(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Plan(row) if row.plan.active => Cell::of(ink.t("console.plan.open"), Role::Settled),
        Row::Plan(_) => Cell::of(ink.t("console.plan.closed"), Role::Dim),
        _ => Cell::none(),
    }
}

fn kind(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Unknown(row) => Cell::text(ink.locale().label("attempt_kind", row.kind.as_str())),
        _ => Cell::none(),
    }
}

fn unknown_since(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Unknown(row) => row
            .first_sent_at
            .map_or_else(Cell::none, |at| Cell::text(ink.model.db_age(at))),
        _ => Cell::none(),
    }
}

fn certain(row: &Row, ink: &Ink<'_>) -> Cell {
    let Row::Unknown(row) = row else {
        return Cell::none();
    };
    if let Some(text) = ink.model.in_progress(row.call.as_ref()) {
        return Cell::of(text, Role::Waits);
    }
    if row.needs_human {
        let text = format!(
            "{} {}",
            ink.glyphs().needs_person,
            ink.t("console.unknown.person")
        );
        return Cell::of(text, Role::NeedsPerson);
    }
    let text = ink
        .locale()
        .counted("console.unknown.sent", i64::from(row.send_count));
    Cell::of(text, attempt_role(row.state))
}

fn next_look(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Unknown(row) => row
            .next_check_at
            .map_or_else(Cell::none, |at| Cell::text(ink.model.db_look(at))),
        _ => Cell::none(),
    }
}
