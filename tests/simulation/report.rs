//! Many cases on every core, and the figures of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paydeck::domain::mode::ProviderName;

use crate::case::{self, Mistakes, Telling};
use crate::watch::{Law, Violation};

#[derive(Debug, Default)]
pub struct Figures {
    pub cases: u64,
    pub sends: u64,
    pub faults: u64,
    pub steps: u64,
    pub answers: u64,
    pub wishes: u64,
    pub provider: &'static str,
    pub seed: u64,
    pub took: Duration,
    /// The first seeds that broke each law.
    pub broken: BTreeMap<Law, (u64, Vec<(u64, String)>)>,
}

impl Figures {
    pub fn add(&mut self, seed: u64, violations: &[Violation]) {
        for violation in violations {
            let (count, seeds) = self.broken.entry(violation.law).or_default();
            *count += 1;
            if seeds.len() < 5 {
                seeds.push((seed, violation.what.clone()));
            }
        }
    }

    fn count(&self, laws: &[Law]) -> u64 {
        laws.iter()
            .filter_map(|law| self.broken.get(law))
            .map(|(count, _)| count)
            .sum()
    }

    pub fn json(&self) -> String {
        let all: u64 = self.broken.values().map(|(count, _)| count).sum();
        format!(
            "{{\"provider\":\"{}\",\"cases\":{},\"sends\":{},\"faults\":{},\"double\":{},\"over_refund\":{},\"lost\":{},\"stuck\":{},\"answers\":{},\"wishes\":{},\"violations\":{all},\"seed\":{},\"seconds\":{}}}",
            self.provider,
            self.cases,
            self.sends,
            self.faults,
            self.count(&[Law::OneSuccess, Law::OneOpen, Law::WishOnce]),
            self.count(&[Law::RefundOnce, Law::Balance]),
            self.count(&[Law::NothingLost, Law::BooksEqual, Law::MirrorEqual]),
            self.count(&[Law::NothingStuck]),
            self.answers,
            self.wishes,
            self.seed,
            self.took.as_secs()
        )
    }

    pub fn complaint(&self) -> String {
        let lines: Vec<String> = self
            .broken
            .iter()
            .map(|(law, (count, seeds))| format!("{law:?}: {count} times, first {seeds:?}"))
            .collect();
        lines.join("\n")
    }
}

/// Plays cases `first..first + cases`.
pub fn many(provider: ProviderName, first: u64, cases: u64, mistakes: Mistakes) -> Figures {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long it really takes is one of the figures"
    )]
    let started = std::time::Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(first);
    let all = Mutex::new(Figures {
        seed: first,
        provider: provider.as_str(),
        ..Figures::default()
    });
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Figures::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + cases {
                        break;
                    }
                    let told = case::play(provider, seed, mistakes, Telling::Silent);
                    own.cases += 1;
                    own.sends += told.sends;
                    own.faults += told.faults;
                    own.steps += told.steps;
                    own.answers += told.answers;
                    own.wishes += told.wishes;
                    own.add(seed, &told.violations);
                }
                let mut all = all.lock().expect("figures");
                all.cases += own.cases;
                all.sends += own.sends;
                all.faults += own.faults;
                all.steps += own.steps;
                all.answers += own.answers;
                all.wishes += own.wishes;
                for (law, (count, seeds)) in own.broken {
                    let (sum, known) = all.broken.entry(law).or_default();
                    *sum += count;
                    known.extend(seeds);
                    known.sort();
                    known.truncate(5);
                }
            });
        }
    });
    let mut figures = all.into_inner().expect("figures");
    figures.took = started.elapsed();
    figures
}
