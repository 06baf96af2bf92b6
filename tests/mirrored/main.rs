//! Subscriptions that Stripe schedules, against the simulator behind real HTTP, on both databases: taken in, followed by
//! events in any order, acted on through Stripe, and charged by nobody else.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[macro_use]
#[path = "../billing_flows/line.rs"]
#[allow(dead_code, reason = "another test crate uses the rest")]
mod line;

mod acting;
mod busy;
mod crash_points;
mod deaf;
#[path = "../billing_flows/fleet.rs"]
#[allow(dead_code, reason = "another test crate uses the rest")]
mod fleet;
mod following;
mod shop;
mod silence;
#[path = "../support/mod.rs"]
mod support;
mod told;
mod troubles;
#[path = "../billing_flows/world.rs"]
#[allow(dead_code, reason = "another test crate uses the rest")]
mod world;
