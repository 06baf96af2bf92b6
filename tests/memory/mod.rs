//! The engine's ports in memory: a database that refuses what SQLite and PostgreSQL refuse, under a
//! stage that decides who goes on.
//!
//! It has two personalities: `Serial` (one writer at a time, as SQLite) and `ReadCommitted` (row locks,
//! waits on rows and on unique keys, as PostgreSQL). `tests/conformance` holds it to the two real ones;
//! `tests/simulation` plays the shipped engine on it. What it leaves out: foreign keys (every id the engine
//! writes it has read), search columns, read models and the hashes of the audit chain.
#![allow(
    dead_code,
    reason = "two test crates compile all of this and each uses its part"
)]

mod batch;
pub mod db;
pub mod flaw;
pub mod stage;
pub mod store;
pub mod table;
mod tx_approvals;
mod tx_books;
mod tx_mirrors;
pub mod tx_money;
mod tx_nouns;
mod tx_run_leases;
