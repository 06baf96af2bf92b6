//! The contract of the store, the same on SQLite and on PostgreSQL, through the port.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod approvals;
mod attempts;
mod bed;
mod bulk;
mod foreseen;
mod mirrors;
mod money;
mod nouns;
mod rules;
mod schema;
mod sharing;
mod world;
