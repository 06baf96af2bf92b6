//! Columns of what was asked of a provider and is not known to be done.

use super::super::super::model::Row;
use super::super::super::theme::Role;
use super::super::ink::Ink;
use super::super::table::{LEFT, RIGHT};
use super::people::{amount, name};
use super::{Cell, Column, column};
use crate::engine::queries::{WishCan, WishRow};
use crate::text::Shown;

pub const WISHES: &[Column] = &[
    column("asked", 14, 1, 0, LEFT, asked),
    column("customer", 8, 2, 0, LEFT, name),
    column("amount", 11, 0, 76, RIGHT, amount),
    column("since", 7, 0, 44, RIGHT, since),
    column("by", 6, 1, 84, LEFT, by),
    column("certain", 14, 2, 62, LEFT, certain),
    column("next_look", 10, 1, 74, LEFT, next_look),
];

fn wish(row: &Row) -> Option<&WishRow> {
    match row {
        Row::Wish(row) => Some(row),
        _ => None,
    }
}

fn asked(row: &Row, ink: &Ink<'_>) -> Cell {
    wish(row).map_or_else(Cell::none, |row| {
        Cell::text(ink.locale().label("verb", row.wish.verb.as_str()))
    })
}

fn since(row: &Row, ink: &Ink<'_>) -> Cell {
    wish(row).map_or_else(Cell::none, |row| {
        Cell::text(ink.model.db_age(row.wish.first_sent_at))
    })
}

fn by(row: &Row, _: &Ink<'_>) -> Cell {
    wish(row).map_or_else(Cell::none, |row| {
        Cell::dim(Shown::line(&row.wish.operator).into_string())
    })
}

fn certain(row: &Row, ink: &Ink<'_>) -> Cell {
    wish(row).map_or_else(Cell::none, |row| {
        let (text, role) = wish_state(ink, row);
        Cell::of(text, role)
    })
}

/// Whether its answer is awaited, whether a person is called, how often it was sent; with a mark of its own.
pub fn wish_state(ink: &Ink<'_>, row: &WishRow) -> (String, Role) {
    if let Some(text) = ink.model.in_progress(row.call().as_ref()) {
        return (text, Role::Waits);
    }
    match row.can {
        WishCan::Wait => {
            let sends = i64::from(row.wish.send_count);
            let text = ink.locale().counted("console.unknown.sent", sends);
            (text, Role::Waits)
        }
        WishCan::LookThere | WishCan::AskAgain => {
            let can = ink.locale().label("wish_can", row.can.as_str());
            let text = format!("{} {can}", ink.glyphs().needs_person);
            (text, Role::NeedsPerson)
        }
    }
}

fn next_look(row: &Row, ink: &Ink<'_>) -> Cell {
    wish(row)
        .and_then(|row| row.wish.next_check_at)
        .map_or_else(Cell::none, |at| Cell::text(ink.model.db_look(at)))
}
