//! Prints of what is stored: two states of the play with the same print go on alike.
//!
//! Rows that nobody reads again (audit, notes, evidence but answers) leave no print, nor do the numbers of evidence, of
//! which only the order counts. The order of ledger entries does not count either.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use paydeck::domain::evidence::EvidenceSource;

use crate::memory::db::{AttemptRow, Db, EvidenceRow, Tables};
use crate::memory::table::{Slot, Table};

/// Tables that are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Shelf {
    Attempts,
    Invoices,
    Subscriptions,
    Payments,
    Runs,
    Notices,
    Ledger,
    Nouns,
    Answers,
}

pub const SHELVES: [Shelf; 9] = [
    Shelf::Attempts,
    Shelf::Invoices,
    Shelf::Subscriptions,
    Shelf::Payments,
    Shelf::Runs,
    Shelf::Notices,
    Shelf::Ledger,
    Shelf::Nouns,
    Shelf::Answers,
];

/// What a statement reads: its result follows from these tables and from what its transaction did before. A statement
/// that is not listed reads everything.
pub fn shelves_of(statement: &str) -> &'static [Shelf] {
    use Shelf::{Answers, Attempts, Invoices, Notices, Nouns, Payments, Runs, Subscriptions};
    match statement {
        "db now" | "audit" | "chain end" | "numbers" | "post" | "insert evidence" | "mark day"
        | "insert change" => &[],
        "customer" | "method" | "methods" | "active method" | "active methods" | "sealed key"
        | "term" | "plan" => &[Nouns],
        "answers of" => &[Answers],
        "attempt target"
        | "lock attempt"
        | "save attempt"
        | "insert attempt"
        | "charges of"
        | "refunds of"
        | "refunds by"
        | "claim open attempts" => &[Attempts],
        "lock invoice"
        | "save invoice"
        | "insert invoice"
        | "subscription of invoice"
        | "unpaid invoices"
        | "failed invoices"
        | "count due dunning" => &[Invoices],
        "claim due dunning" => &[Invoices, Subscriptions],
        "lock subscription"
        | "save subscription"
        | "claim due subscriptions"
        | "count due subscriptions"
        | "claim stale incomplete" => &[Subscriptions],
        "payment target" | "lock payment" | "payments of" | "save payment" | "insert payment"
        | "insert refund" | "refunds booked" | "insert reversal" => &[Payments],
        "insert run" | "lock run" | "save run" | "save run item" | "decide run items"
        | "run totals" | "hold run" | "lapsed runs" => &[Runs],
        "queue notice" => &[Notices],
        _ => &SHELVES,
    }
}

struct Ink(DefaultHasher);

impl Write for Ink {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// A print of anything that can be written down.
pub fn print_of(value: &impl Debug) -> u64 {
    let mut ink = Ink(DefaultHasher::new());
    let _written = write!(ink, "{value:?}");
    ink.0.finish()
}

/// A print of both.
pub fn mix(one: u64, other: impl Hash) -> u64 {
    let mut ink = DefaultHasher::new();
    (one, other).hash(&mut ink);
    ink.finish()
}

type Known = HashMap<usize, (Arc<dyn Any + Send + Sync>, u64)>;

/// Prints of rows that were taken already. A row is kept as long as its print, so that no other stands at its address.
#[derive(Default)]
pub struct Prints {
    /// Rows that every play begins with.
    always: Known,
    now: Known,
}

impl Prints {
    /// Takes the prints of what every play begins with.
    pub fn of_beginning(db: &Db) -> Self {
        let mut prints = Self::default();
        for shelf in SHELVES {
            prints.shelf(db, shelf);
        }
        prints.always = std::mem::take(&mut prints.now);
        prints
    }

    /// Another play begins.
    pub fn begin(&mut self) {
        self.now.clear();
    }

    fn row<T: Send + Sync + 'static>(&mut self, row: &Arc<T>, take: impl Fn(&T) -> u64) -> u64 {
        let at = Arc::as_ptr(row).addr();
        if let Some((_, print)) = self.always.get(&at).or_else(|| self.now.get(&at)) {
            return *print;
        }
        let print = take(row);
        let kept: Arc<dyn Any + Send + Sync> = row.clone();
        self.now.insert(at, (kept, print));
        print
    }

    fn slot<T: Send + Sync + 'static>(
        &mut self,
        slot: &Slot<T>,
        actors: &[usize],
        take: impl Fn(&T) -> u64,
    ) -> u64 {
        let stored = slot.committed.as_ref().map(|row| self.row(row, &take));
        let written = slot.dirty.as_ref().map(|row| self.row(row, &take));
        let holder = slot
            .locked_by
            .and_then(|no| actors.get(usize::try_from(no).unwrap_or(0).wrapping_sub(1)));
        mix(0, (stored, written, holder))
    }

    fn table<T: Debug + Send + Sync + 'static>(
        &mut self,
        table: &Table<T>,
        actors: &[usize],
    ) -> u64 {
        self.table_by(table, actors, |row| print_of(row))
    }

    fn table_by<T: Send + Sync + 'static>(
        &mut self,
        table: &Table<T>,
        actors: &[usize],
        take: impl Fn(&T) -> u64,
    ) -> u64 {
        let mut print = 0;
        for slot in table.slots() {
            print = mix(print, self.slot(slot, actors, &take));
        }
        print
    }

    /// A print of what stands on a shelf: what everybody sees, what only its writer sees, and who holds it.
    pub fn shelf(&mut self, db: &Db, shelf: Shelf) -> u64 {
        let none = Vec::new();
        let actors = db.doings.as_ref().map_or(&none, |doings| &doings.actors);
        let Tables {
            customers,
            methods,
            products,
            plans,
            subscriptions,
            terms,
            invoices,
            attempts,
            evidence,
            payments,
            refunds,
            ledger,
            notices,
            runs,
            items,
            run_leases,
            ..
        } = &db.tables;
        match shelf {
            Shelf::Attempts => {
                self.table_by(attempts, actors, |row: &AttemptRow| print_of(&row.attempt))
            }
            Shelf::Invoices => self.table(invoices, actors),
            Shelf::Subscriptions => self.table(subscriptions, actors),
            Shelf::Payments => {
                let payments = self.table(payments, actors);
                mix(payments, self.table(refunds, actors))
            }
            Shelf::Runs => {
                let runs = self.table(runs, actors);
                let items = self.table(items, actors);
                mix(runs, (items, self.table(run_leases, actors)))
            }
            Shelf::Notices => self.table(notices, actors),
            Shelf::Ledger => ledger
                .slots()
                .iter()
                .map(|slot| self.slot(slot, actors, print_of))
                .fold(0, u64::wrapping_add),
            // What was answered is read again; only its order counts.
            Shelf::Answers => {
                let take = |row: &EvidenceRow| {
                    print_of(&(
                        row.attempt_id,
                        row.source,
                        row.http_status,
                        &row.code,
                        row.at,
                    ))
                };
                let answers = evidence.slots().iter().filter(|slot| {
                    let row = slot.dirty.as_ref().or(slot.committed.as_ref());
                    row.is_some_and(|row| row.source == EvidenceSource::Answer)
                });
                let prints: Vec<u64> = answers.map(|slot| self.slot(slot, actors, take)).collect();
                prints.into_iter().fold(0, mix)
            }
            Shelf::Nouns => {
                let payers = mix(self.table(customers, actors), self.table(methods, actors));
                let sold = mix(self.table(products, actors), self.table(plans, actors));
                mix(payers, (sold, self.table(terms, actors)))
            }
        }
    }

    /// A print of everything that is stored.
    pub fn all(&mut self, db: &Db) -> u64 {
        let writer = db.writer.is_some();
        SHELVES.iter().fold(u64::from(writer), |print, shelf| {
            mix(print, self.shelf(db, *shelf))
        })
    }
}
