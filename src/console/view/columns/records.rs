//! Columns of runs, events and activity.

use super::super::super::model::Row;
use super::super::super::theme::Role;
use super::super::ink::Ink;
use super::super::table::{LEFT, RIGHT};
use super::super::words::{self, run_role};
use super::people::{amount, name};
use super::{Cell, Column, column};
use crate::domain::run::Decision;
use crate::domain::states::RunState;
use crate::text::{Shown, short_id};

pub const RUNS: &[Column] = &[
    column("when", 16, 0, 0, LEFT, started_at),
    column("state", 9, 1, 0, LEFT, run_state),
    column("done", 6, 0, 52, RIGHT, done),
    column("declined", 6, 0, 60, RIGHT, declined),
    column("unknown", 6, 0, 60, RIGHT, unknown),
    column("left_out", 7, 0, 68, RIGHT, left_out),
    column("by", 8, 1, 0, LEFT, run_by),
];

pub const RUN_ITEMS: &[Column] = &[
    column("customer", 8, 2, 0, LEFT, name),
    column("amount", 11, 0, 0, RIGHT, amount),
    column("decision", 12, 2, 0, LEFT, decision),
    column("reason", 8, 3, 66, LEFT, reason),
    column("when", 16, 0, 76, LEFT, item_at),
];

pub const EVENTS: &[Column] = &[
    column("when", 16, 0, 0, LEFT, received_at),
    column("event", 10, 3, 0, LEFT, event_kind),
    column("about", 10, 2, 76, LEFT, event_about),
    column("state", 8, 1, 0, LEFT, event_state),
];

pub const ACTIVITY: &[Column] = &[
    column("when", 16, 0, 0, LEFT, at),
    column("by", 8, 1, 0, LEFT, person),
    column("verb", 8, 1, 0, LEFT, verb),
    column("target", 12, 0, 62, LEFT, target),
    column("result", 8, 0, 68, LEFT, result),
    column("reason", 6, 2, 72, LEFT, why),
];

fn started_at(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Run(row) => Cell::text(ink.model.date_time(row.run.started_at)),
        _ => Cell::none(),
    }
}

fn run_state(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        // Most runs find nothing due: they show that somebody looked, and nothing else.
        Row::Run(row) if row.totals.is_empty() && row.run.state == RunState::Finished => {
            Cell::dim(ink.t("console.run.nothing_due"))
        }
        Row::Run(row) => Cell::of(
            words::run_state(ink.locale(), &row.run),
            run_role(row.run.state),
        ),
        _ => Cell::none(),
    }
}

fn total(row: &Row, ink: &Ink<'_>, counts: fn(Decision) -> bool, role: Role) -> Cell {
    let Row::Run(row) = row else {
        return Cell::none();
    };
    let sum: u64 = row
        .totals
        .iter()
        .filter(|(decision, _)| decision.is_some_and(counts))
        .map(|(_, count)| count)
        .sum();
    let role = if sum == 0 { Role::Dim } else { role };
    Cell::of(ink.model.count(sum), role)
}

fn done(row: &Row, ink: &Ink<'_>) -> Cell {
    total(row, ink, |decision| decision == Decision::Done, Role::Text)
}

fn declined(row: &Row, ink: &Ink<'_>) -> Cell {
    total(
        row,
        ink,
        |decision| decision == Decision::Declined,
        Role::Waits,
    )
}

fn unknown(row: &Row, ink: &Ink<'_>) -> Cell {
    total(
        row,
        ink,
        |decision| decision == Decision::Unknown,
        Role::NeedsPerson,
    )
}

fn left_out(row: &Row, ink: &Ink<'_>) -> Cell {
    total(
        row,
        ink,
        |decision| {
            !matches!(
                decision,
                Decision::Done | Decision::Declined | Decision::Unknown
            )
        },
        Role::Text,
    )
}

fn run_by(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Run(row) => Cell::dim(Shown::line(&row.run.operator).into_string()),
        _ => Cell::none(),
    }
}

pub const fn decision_role(decision: Decision) -> Role {
    match decision {
        Decision::Done => Role::Settled,
        Decision::Declined | Decision::NotSent | Decision::NotExecuted => Role::Waits,
        Decision::Unknown
        | Decision::SkippedNoMethod
        | Decision::SkippedKeyDeleted
        | Decision::SkippedCatchUp
        | Decision::SkippedBreaker
        | Decision::SkippedConfig => Role::NeedsPerson,
        Decision::ZeroAmount
        | Decision::SkippedUnknownOpen
        | Decision::SkippedPaused
        | Decision::SkippedClaimed
        | Decision::SkippedAlreadyBilled
        | Decision::SkippedBelowMinimum
        | Decision::Canceled => Role::Dim,
    }
}

fn decision(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::RunItem(row) => row.decision.map_or_else(
            || Cell::of(ink.t("console.run.under_way"), Role::Waits),
            |decision| {
                let text = ink.locale().label("decision", decision.as_str());
                Cell::of(text, decision_role(decision))
            },
        ),
        _ => Cell::none(),
    }
}

fn reason(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::RunItem(row) => Cell::dim(words::short_ids(&row.reason)),
        _ => Cell::none(),
    }
}

fn item_at(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::RunItem(row) => Cell::dim(ink.model.date_time(row.at)),
        _ => Cell::none(),
    }
}

fn received_at(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Event(row) => Cell::text(ink.model.date_time(row.received_at)),
        _ => Cell::none(),
    }
}

fn event_kind(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Event(row) => Cell::text(Shown::line(&row.kind).into_string()),
        _ => Cell::none(),
    }
}

fn event_state(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Event(row) => {
            let role = match row.state.as_str() {
                "failed" | "quarantined" => Role::NeedsPerson,
                "received" => Role::Waits,
                _ if row.unread > 0 => Role::Waits,
                _ => Role::Dim,
            };
            let text = ink.locale().label("state.event", &row.state);
            Cell::of(Shown::line(text).into_string(), role)
        }
        _ => Cell::none(),
    }
}

/// Our subscription, or the provider's name for what it is about.
fn event_about(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Event(row) => match (&row.subscription, &row.about) {
            (Some(id), _) => Cell::text(words::id(id)),
            (None, Some(about)) => Cell::dim(Shown::line(about).into_string()),
            (None, None) => Cell::none(),
        },
        _ => Cell::none(),
    }
}

fn at(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Activity(row) => Cell::text(ink.model.date_time(row.record.entry.at)),
        _ => Cell::none(),
    }
}

fn person(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Activity(row) => Cell::text(Shown::line(&row.record.entry.person).into_string()),
        _ => Cell::none(),
    }
}

fn verb(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Activity(row) => {
            let verb = &row.record.entry.verb;
            let key = format!("console.audit.{}", verb.replace('-', "_"));
            let text = ink
                .locale()
                .find(&key)
                .unwrap_or_else(|| ink.locale().label("verb", verb));
            Cell::text(Shown::line(text).into_string())
        }
        _ => Cell::none(),
    }
}

fn target(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Activity(row) => {
            let id = short_id(&row.record.entry.target, 6);
            Cell::dim(Shown::line(&id).into_string())
        }
        _ => Cell::none(),
    }
}

pub fn result_role(result: &str) -> Role {
    match result {
        "done" => Role::Settled,
        "intent" => Role::Waits,
        "declined" | "unknown" | "failed" => Role::NeedsPerson,
        _ => Role::Dim,
    }
}

fn result(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Activity(row) => {
            let result = &row.record.entry.result;
            let key = format!("console.result.{result}");
            let text = ink.locale().find(&key).unwrap_or(result);
            Cell::of(Shown::line(text).into_string(), result_role(result))
        }
        _ => Cell::none(),
    }
}

fn why(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Activity(row) => Cell::dim(words::short_ids(&row.record.entry.reason)),
        _ => Cell::none(),
    }
}
