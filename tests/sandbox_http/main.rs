//! The simulator over real loopback HTTP: fidelity to the provider, every fault, the control interface, its file.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests say what they expect, and measure real time"
)]

mod cancels;
mod control;
mod faults;
mod file;
mod lists;
mod payments;
mod provider;
mod stripe_faults;
mod stripe_keys;
mod stripe_lists;
mod stripe_payments;
mod stripe_sdk;
mod stripe_subscriptions;
mod stripe_support;
mod support;
