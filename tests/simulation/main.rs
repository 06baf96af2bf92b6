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
mod interleave;
#[path = "../memory/mod.rs"]
mod memory;
mod mutants;
mod net;
mod play;
mod points;
mod prints;
mod report;
mod spool;
mod tree;
mod warp;
mod watch;
mod world;

use case::{Mistakes, Telling};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Seeded cases alone were asked for: the other tests stand back, and the figures are the last line.
fn is_for_seeds_alone() -> bool {
    number("SIM_CASES").or(number("SIM_SEED")).is_some()
}

#[test]
fn no_seeded_case_breaks_a_law() {
    if let Some(seed) = number("SIM_SEED") {
        let told = case::play(seed, Mistakes::default(), Telling::Aloud);
        println!("{}", told.trace.join("\n"));
        for violation in &told.violations {
            println!("VIOLATION {:?}: {}", violation.law, violation.what);
        }
        assert!(told.violations.is_empty(), "seed {seed} breaks a law");
        return;
    }
    let cases = number("SIM_CASES").unwrap_or(300_000);
    let figures = report::many(number("SIM_FIRST").unwrap_or(1), cases, Mistakes::default());
    println!("{}", figures.json());
    assert!(figures.broken.is_empty(), "{}", figures.complaint());
}
