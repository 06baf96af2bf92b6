//! The simulator's own SQLite file: schema, loading of a working set, writing of changes, look-ups and lists.
//!
//! It holds no rule. Without a directory the same database lives in memory, on one connection.
//! Invariant: nothing is answered before the transaction that holds it is committed.

mod list;
mod load;
mod open;
mod read;
mod schema;
mod write;

pub(super) use list::{LedgerPage, TransactionQuery, ledger_page, ledger_summary, transactions};
pub(super) use load::{Wanted, load};
pub(super) use open::{File, create_private, mark};
pub(super) use read::{
    billing_keys_of_customer, payment_by_key, payment_by_order, subject_of_payment,
};
pub(super) use schema::{FILE_NAME, INDEXES, TABLES};
pub(super) use write::{IdempotentAnswer, flush, put_setting};
