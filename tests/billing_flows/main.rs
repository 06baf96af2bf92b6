//! Billing from end to end: engine, database, client and simulator, all of them real.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]
#![expect(
    clippy::large_futures,
    reason = "a story is one future that is awaited where it is made"
)]

#[path = "../support/roles.rs"]
mod roles;

#[macro_use]
mod line;

mod fleet;
#[path = "../support/mod.rs"]
mod support;
mod world;

mod absent_refunds;
mod any_hour;
mod away;
mod billing_run;
mod bound;
mod checkout;
mod commit_unknown;
mod concurrency;
mod crash_points;
mod crash_points_approvals;
mod crash_points_asked;
mod customers_asked;
mod database_faults;
mod database_trouble;
mod dunning;
mod each_provider;
mod failed_refunds;
mod fees;
mod foreign_refunds;
mod four_eyes;
mod interrupted;
mod kept;
mod keys;
mod limits;
mod lost_answers;
mod older_books;
mod power_loss;
mod recovery;
#[path = "roles.rs"]
mod roles_of_requests;
mod routes;
mod rows_under_fault;
mod scenarios;
mod second_person;
mod set_aside;
mod stripe_trouble;
mod subscriptions;
mod tallies;
mod two_steps;
mod verbs;
