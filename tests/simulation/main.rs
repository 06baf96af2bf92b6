//! The shipped engine, played through faults: crashes at any wait, lost and late answers, clocks that
//! jump, a database that is away, people who press twice.
//!
//! Time, chance and order come from a seed; a case that fails is played again with
//! `SIM_SEED=<seed> cargo test --test simulation seeded -- --nocapture`, and tells what happened. A long
//! run is `SIM_CASES=20000000 cargo test --release --test simulation -- --nocapture`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed; figures are printed"
)]

mod actors;
mod case;
mod deadlock;
mod interleave;
mod late_events;
mod ledger;
mod links;
#[path = "../memory/mod.rs"]
mod memory;
mod mirrors;
mod mutants;
mod net;
mod play;
mod points;
mod prints;
mod reflect;
mod report;
mod scheduled;
mod spool;
mod stripe;
mod tree;
mod trouble;
mod warp;
mod watch;
mod world;

use paydeck::domain::mode::ProviderName;

use case::{Mistakes, Telling};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Seeded cases alone were asked for: the other tests stand back, and the figures are the last line.
fn is_for_seeds_alone() -> bool {
    number("SIM_CASES").or(number("SIM_SEED")).is_some()
}

/// The providers that are played: `SIM_PROVIDER=stripe` leaves the other out.
fn providers() -> Vec<ProviderName> {
    let wanted = std::env::var("SIM_PROVIDER").ok();
    let all = ProviderName::ALL.into_iter();
    all.filter(|name| {
        wanted
            .as_deref()
            .is_none_or(|wanted| wanted == name.as_str())
    })
    .collect()
}

#[test]
fn no_seeded_case_breaks_a_law() {
    if let Some(seed) = number("SIM_SEED") {
        for provider in providers() {
            let told = case::play(provider, seed, Mistakes::default(), Telling::Aloud);
            println!("{provider}\n{}", told.trace.join("\n"));
            for violation in &told.violations {
                println!("VIOLATION {:?}: {}", violation.law, violation.what);
            }
            assert!(told.violations.is_empty(), "seed {seed} breaks a law");
        }
        return;
    }
    let cases = number("SIM_CASES").unwrap_or(300_000);
    let providers = providers();
    let share = cases / u64::try_from(providers.len().max(1)).unwrap_or(1);
    let first = number("SIM_FIRST").unwrap_or(1);
    let mut complaints = Vec::new();
    for provider in providers {
        let figures = report::many(provider, first, share, Mistakes::default());
        println!("{}", figures.json());
        if !figures.broken.is_empty() {
            complaints.push(format!("{provider}\n{}", figures.complaint()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
