//! The columns of each list.
//!
//! A column says how narrow it may be, how it shares the room that is left, and from which width of the list on it
//! shows. Amounts and dates are never cut: their least width holds them.

mod billing;
mod people;
mod records;
mod wishes;

use super::super::model::{ListKind, Row};
use super::super::theme::Role;
use super::ink::Ink;
use super::words::flag_role;
use crate::engine::queries::RenewalFlag;
use crate::text::Align;

pub use billing::{class_text, next_try_text, payment_state_of, tries_text};
pub use people::day_role;
pub use records::decision_role;
pub use wishes::wish_state;

/// A flag of a renewal, with its look.
pub fn people_flag(ink: &Ink<'_>, flag: RenewalFlag) -> (String, Role) {
    (people::flag_text(ink, flag), flag_role(flag))
}

/// What stands in one cell.
pub struct Cell {
    pub text: String,
    pub role: Role,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(text, Role::Text)
    }

    pub fn dim(text: impl Into<String>) -> Self {
        Self::of(text, Role::Dim)
    }

    pub fn of(text: impl Into<String>, role: Role) -> Self {
        Self {
            text: text.into(),
            role,
        }
    }

    pub fn none() -> Self {
        Self::dim("-")
    }
}

/// One column.
#[derive(Clone, Copy)]
pub struct Column {
    /// Its head is `console.column.ID`.
    pub id: &'static str,
    pub least: u16,
    /// How much of the room that is left it takes.
    pub share: u16,
    /// It shows in lists at least this wide.
    pub from: u16,
    pub align: Align,
    pub cell: fn(&Row, &Ink<'_>) -> Cell,
}

pub const fn column(
    id: &'static str,
    least: u16,
    share: u16,
    from: u16,
    align: Align,
    cell: fn(&Row, &Ink<'_>) -> Cell,
) -> Column {
    Column {
        id,
        least,
        share,
        from,
        align,
        cell,
    }
}

/// The columns that show in a list of this width.
pub fn columns(kind: ListKind, width: u16) -> Vec<Column> {
    let all: &[Column] = match kind {
        ListKind::Customers => people::CUSTOMERS,
        ListKind::Subscriptions => people::SUBSCRIPTIONS,
        ListKind::Renewals => people::RENEWALS,
        ListKind::RenewalDays => people::RENEWAL_DAYS,
        ListKind::Hits => people::HITS,
        ListKind::Failed => billing::FAILED,
        ListKind::Declines => billing::DECLINES,
        ListKind::Payments => billing::PAYMENTS,
        ListKind::Plans => billing::PLANS,
        ListKind::Unknown => billing::UNKNOWN,
        ListKind::Wishes => wishes::WISHES,
        ListKind::Runs => records::RUNS,
        ListKind::RunItems => records::RUN_ITEMS,
        ListKind::Events => records::EVENTS,
        ListKind::Activity => records::ACTIVITY,
    };
    all.iter()
        .filter(|column| column.from <= width)
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::{Lang, Locale};

    const KINDS: [ListKind; 15] = [
        ListKind::Customers,
        ListKind::Subscriptions,
        ListKind::RenewalDays,
        ListKind::Renewals,
        ListKind::Failed,
        ListKind::Declines,
        ListKind::Payments,
        ListKind::Plans,
        ListKind::Unknown,
        ListKind::Wishes,
        ListKind::Runs,
        ListKind::RunItems,
        ListKind::Events,
        ListKind::Activity,
        ListKind::Hits,
    ];

    #[test]
    fn every_list_fits_its_least_widths_into_every_width_it_can_have() {
        for kind in KINDS {
            for width in 40..=200 {
                let columns = columns(kind, width);
                let needed: u16 = columns.iter().map(|column| column.least + 1).sum();
                assert!(needed + 3 <= width, "{} at {width}: {needed}", kind.id());
            }
        }
    }

    #[test]
    fn every_column_and_list_has_its_words_in_both_languages() {
        for kind in KINDS {
            for lang in Lang::ALL {
                let locale = Locale::get(lang);
                for column in columns(kind, 500) {
                    let key = format!("console.column.{}", column.id);
                    assert!(locale.find(&key).is_some(), "no {key}");
                }
                for group in ["list", "empty"] {
                    let key = format!("console.{group}.{}", kind.id());
                    assert!(locale.find(&key).is_some(), "no {key}");
                }
            }
        }
    }
}
