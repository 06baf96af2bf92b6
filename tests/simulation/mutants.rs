//! Planted mistakes: each rule of the protocol left out in turn. A simulation that does not notice one
//! proves nothing about it.

use std::collections::BTreeSet;

use paydeck::domain::mode::ProviderName;

use crate::case::{self, Mistakes, Shop, Telling};
use crate::memory::flaw::{Flaw, Flaws};
use crate::warp::Wrong;
use crate::watch::Law;

/// A mistake is noticed within so many cases.
const MOST_CASES: u64 = 40_000;

#[derive(Clone)]
struct Mutant {
    provider: ProviderName,
    name: &'static str,
    mistakes: Mistakes,
    /// The law that has to notice, where others might as well.
    by: Option<Law>,
}

fn flawed(name: &'static str, flaws: &[Flaw]) -> Mutant {
    let flaws = flaws
        .iter()
        .fold(Flaws::default(), |all, flaw| all.with(*flaw));
    Mutant {
        provider: ProviderName::Toss,
        name,
        mistakes: Mistakes {
            flaws,
            ..Mistakes::default()
        },
        by: None,
    }
}

fn wrong(name: &'static str, wrong: Wrong) -> Mutant {
    Mutant {
        provider: ProviderName::Toss,
        name,
        mistakes: Mistakes {
            wrong,
            ..Mistakes::default()
        },
        by: None,
    }
}

fn noticed_by(law: Law, mutant: Mutant) -> Mutant {
    Mutant {
        by: Some(law),
        ..mutant
    }
}

/// A mistake about subscriptions that the provider schedules.
fn scheduled(law: Law, mutant: Mutant) -> Mutant {
    in_shop(Shop::OnSchedule, noticed_by(law, mutant))
}

/// A mistake about customers whose bank asks them.
fn asked(law: Law, mutant: Mutant) -> Mutant {
    in_shop(Shop::Asking, noticed_by(law, mutant))
}

fn in_shop(shop: Shop, mut mutant: Mutant) -> Mutant {
    mutant.mistakes.shop = Some(shop);
    mutant
}

fn mutants() -> Vec<Mutant> {
    vec![
        // What the client makes of an answer.
        wrong("no answer is a failure", Wrong::SilenceIsFailure),
        wrong("a server error is a failure", Wrong::ServerErrorIsFailure),
        wrong("being processed is a failure", Wrong::BusyIsFailure),
        wrong("not found is a failure", Wrong::NotFoundIsFailure),
        wrong(
            "a refused look-up is a failure",
            Wrong::RefusedLookUpIsFailure,
        ),
        wrong("a broken line means not sent", Wrong::BrokenIsNotSent),
        wrong("anything with 200 is a success", Wrong::AnyOkIsSuccess),
        wrong("already processed is a success", Wrong::AlreadyIsSuccess),
        wrong(
            "already refunded is a success",
            Wrong::AlreadyRefundedIsSuccess,
        ),
        wrong(
            "a refund without an answer failed",
            Wrong::AbsentRefundIsFailure,
        ),
        // What it sends.
        wrong("a new key for each send", Wrong::NewKeyPerSend),
        wrong("a new order id for each send", Wrong::NewOrderPerSend),
        wrong(
            "the client tries again by itself",
            Wrong::TriesAgainByItself,
        ),
        wrong("a refund without its amount", Wrong::RefundsWithoutAmount),
        wrong("a refund under a new key", Wrong::RefundsUnderNewKeys),
        // What the database holds. Where the code looks as well, its look is made worthless too.
        flawed(
            "no index on open charges",
            &[
                Flaw::OpenChargeIndex,
                Flaw::RowLocks,
                Flaw::AttemptNames,
                Flaw::Versions,
            ],
        ),
        flawed(
            "no index on open refunds",
            &[
                Flaw::OpenRefundIndex,
                Flaw::RowLocks,
                Flaw::AttemptNames,
                Flaw::Versions,
            ],
        ),
        flawed(
            "no check of the balance",
            &[
                Flaw::Balance,
                Flaw::OpenRefundIndex,
                Flaw::RowLocks,
                Flaw::AttemptNames,
                Flaw::Versions,
            ],
        ),
        flawed("nothing is reserved", &[Flaw::Reservation]),
        flawed(
            "no compare-and-set on attempts",
            &[Flaw::Fence, Flaw::SettledState, Flaw::RowLocks],
        ),
        flawed("no versions", &[Flaw::Versions, Flaw::RowLocks]),
        flawed(
            "a period is invoiced twice",
            &[Flaw::InvoicePeriod, Flaw::RowLocks, Flaw::Versions],
        ),
        flawed("a refund is booked again", &[Flaw::RefundTwice]),
        flawed("commits that are not durable", &[Flaw::LazyCommit]),
        flawed("a dropped transaction commits", &[Flaw::DropCommits]),
        flawed("audit rows are thrown away", &[Flaw::Audit]),
        flawed("one entry instead of two", &[Flaw::DoubleEntry]),
        flawed(
            "the return of money is not prepared",
            &[Flaw::PreparedReturn],
        ),
        flawed("no date for the next look", &[Flaw::NextLook]),
        // What needs two persons, and what is kept on the host.
        noticed_by(
            Law::TwoPersons,
            flawed("who asked approves", &[Flaw::FourEyes]),
        ),
        noticed_by(
            Law::ApprovedOnce,
            flawed(
                "an approval is used again",
                &[
                    Flaw::ApprovedOnce,
                    Flaw::OpenRefundIndex,
                    Flaw::RowLocks,
                    Flaw::AttemptNames,
                    Flaw::Versions,
                ],
            ),
        ),
        noticed_by(
            Law::ApprovedOnce,
            flawed("another amount than was approved", &[Flaw::AlteredRequest]),
        ),
        // Who may work on what is open.
        noticed_by(
            Law::OneHolder,
            flawed("the fence does not grow", &[Flaw::Epochs]),
        ),
        Mutant {
            provider: ProviderName::Toss,
            name: "the host forgets a key",
            mistakes: Mistakes {
                host_forgets: true,
                ..Mistakes::default()
            },
            by: None,
        },
        // Who looks after what is open.
        flawed("giving up after six looks", &[Flaw::GivesUp]),
        Mutant {
            provider: ProviderName::Toss,
            name: "no reconciler",
            mistakes: Mistakes {
                has_no_reconciler: true,
                ..Mistakes::default()
            },
            by: None,
        },
    ]
}

/// What only means something, or nothing, where a charge is one step: under the provider's own name a charge is taken
/// once, whatever key or order it goes by; there is no window, and a refund names no balance.
const OF_ONE_STEP: [&str; 7] = [
    "being processed is a failure",
    // Held by the same code and tables on either provider, and noticed late.
    "an approval is used again",
    "a new key for each send",
    "a new order id for each send",
    "the client tries again by itself",
    "already refunded is a success",
    "already processed is a success",
];

/// The same mistakes where a charge is two steps, and those that can be made there alone.
fn in_two_steps() -> Vec<Mutant> {
    let own = [
        wrong("a charge is made in one request", Wrong::OneShot),
        flawed(
            "a charge is confirmed before it is named",
            &[Flaw::ProviderRef],
        ),
        noticed_by(
            Law::OneSuccess,
            wrong("a new intent for each send", Wrong::NewIntentPerSend),
        ),
        wrong("not confirmed is ended", Wrong::NotStartedIsEnded),
        wrong("without a card is a success", Wrong::NoCardIsSuccess),
        wrong("being decided is a failure", Wrong::PendingIsFailure),
        wrong("ended without asking", Wrong::EndsWithoutAsking),
        wrong("cannot be ended is ended", Wrong::RefusedEndIsEnd),
        wrong("it has succeeded is a failure", Wrong::AlreadyIsFailure),
        wrong("any charge is adopted", Wrong::AdoptsAnything),
        scheduled(
            Law::MirrorEqual,
            wrong(
                "an event is believed without reading",
                Wrong::EventsAreBelieved,
            ),
        ),
        scheduled(
            Law::WishOnce,
            wrong("a wish under a new key", Wrong::WishUnderNewKeys),
        ),
        scheduled(
            Law::NeverWrittenOff,
            wrong(
                "a wish nobody answers was not sent",
                Wrong::WishSilenceIsNotSent,
            ),
        ),
        scheduled(
            Law::WrittenBeforeSent,
            flawed("a wish without a row", &[Flaw::WishRow]),
        ),
        scheduled(
            Law::OneOpen,
            flawed("any number of open wishes", &[Flaw::OpenWish]),
        ),
        scheduled(
            Law::OneScheduler,
            flawed("the run charges what is mirrored", &[Flaw::Scheduler]),
        ),
        scheduled(
            Law::MirrorEqual,
            flawed("events are thrown away", &[Flaw::EventInbox]),
        ),
        scheduled(
            Law::NewestReading,
            flawed("an older reading is written", &[Flaw::ReadAt]),
        ),
        asked(
            Law::NeverWrittenOff,
            wrong(
                "charged again while the customer may answer",
                Wrong::AskedIsFailure,
            ),
        ),
        asked(
            Law::ProofOfSuccess,
            wrong("who is asked has agreed", Wrong::AskedIsSuccess),
        ),
        noticed_by(
            Law::KeyRemembered,
            flawed(
                "a refund is sent again under a forgotten key",
                &[Flaw::FirstSent],
            ),
        ),
    ];
    let common = mutants();
    let common = common
        .into_iter()
        .filter(|m| !OF_ONE_STEP.contains(&m.name));
    let on_stripe = |mutant: Mutant| Mutant {
        provider: ProviderName::Stripe,
        ..mutant
    };
    own.into_iter().chain(common).map(on_stripe).collect()
}

/// The laws that the first case to notice a mistake saw broken, and how many cases it took.
fn noticed(mutant: &Mutant) -> Option<(u64, BTreeSet<Law>)> {
    for seed in 1..=MOST_CASES {
        let (provider, mistakes) = (mutant.provider, mutant.mistakes);
        let told =
            std::panic::catch_unwind(|| case::play(provider, seed, mistakes, Telling::Silent));
        let Ok(told) = told else {
            panic!("{}: the play itself broke in case {seed}", mutant.name);
        };
        let laws = || told.violations.iter().map(|violation| violation.law);
        let is_it = mutant.by.is_none_or(|law| laws().any(|other| other == law));
        if !told.violations.is_empty() && is_it {
            return Some((seed, laws().collect()));
        }
    }
    None
}

#[test]
fn every_planted_mistake_is_noticed() {
    if crate::is_for_seeds_alone() {
        return;
    }
    let mut missed = Vec::new();
    let only = std::env::var("SIM_MUTANT").unwrap_or_default();
    let wanted = crate::providers();
    let all = mutants().into_iter().chain(in_two_steps());
    for mutant in all.filter(|m| wanted.contains(&m.provider) && m.name.contains(&only)) {
        let name = format!("{}: {}", mutant.provider, mutant.name);
        match noticed(&mutant) {
            Some((cases, laws)) => {
                println!("{name:50} {cases:>6} cases  {laws:?}");
            }
            None => missed.push(name),
        }
    }
    assert!(missed.is_empty(), "nobody noticed: {missed:?}");
}
