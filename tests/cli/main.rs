//! The command line as scripts meet it: the real binary over real databases and the real simulator,
//! each in a process of its own. Charges are counted in the simulator's ledger, not in our tables.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed; a walk tells how long it took"
)]

mod approvals;
mod bad_input;
mod dry_run;
mod exit_codes;
mod export;
mod mends;
mod money;
mod people;
#[expect(dead_code, reason = "the stories of the engine use the rest")]
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/roles.rs"]
mod roles;
#[path = "roles.rs"]
mod roles_of_verbs;
mod setup;
mod shop;
mod terminal;
mod twins;
mod walk;
