//! Billing from end to end: engine, database, client and simulator, all of them real.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../support/mod.rs"]
mod support;
mod world;

mod checkout;
mod keys;
mod lost_answers;
mod verbs;
