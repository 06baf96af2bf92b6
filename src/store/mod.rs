//! All SQL, for SQLite and PostgreSQL: one text per statement where the two agree.
//!
//! [`SqlStore`] implements the port `engine::ports::Store`; one file per noun holds the statements
//! of [`SqlTx`]. `sqlite/` and `postgres/` hold how each is opened and what must differ. [`create`],
//! [`migrate`] make a database; [`bulk`] fills one fast. Rules of money are in the schema itself
//! (`assets/migrations`), not here.

mod approvals;
mod at_hand;
mod attempts;
mod batch;
mod books;
pub mod bulk;
mod columns;
mod connection;
mod customers;
mod error;
mod fees;
mod invoices;
mod mirror_events;
mod mirrors;
mod open;
mod payments;
mod plans;
mod postgres;
mod reads;
mod rows;
mod run_leases;
mod runs;
mod schema;
mod sql;
mod sqlite;
mod subscriptions;
mod tx;
mod url;
mod wishes;

pub use open::{Access, OpenOptions, SqlStore};
pub use payments::account_key;
pub use schema::{
    Migrated, NewDatabase, SCHEMA_VERSION, create, is_empty, migrate, rehearse_create,
    rehearse_migrate,
};
pub use sql::{Cells, Row, Stmt, Value};
pub use tx::SqlTx;
pub use url::{DatabaseUrl, DatabaseUrlError};
