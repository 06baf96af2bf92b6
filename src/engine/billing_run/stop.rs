//! What holds the rows of each provider back in a run. What is out is settled all the same, and the rows of another
//! provider go on.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::mode::ProviderName;

/// Why nothing new is sent to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Every further call would be refused as well.
    KeyRefused,
    /// Each row was refused for itself, one after another.
    RowsRefused,
    /// What it answers cannot be written, whoever it is.
    BooksRefuse,
    /// It is in trouble: what is claimed stays ready.
    Held,
}

impl Stop {
    /// What stays so for the whole run.
    pub(super) const fn is_for_good(self) -> bool {
        match self {
            Self::KeyRefused | Self::RowsRefused | Self::BooksRefuse => true,
            Self::Held => false,
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::KeyRefused => "our key or contract was refused",
            Self::RowsRefused => "row after row was refused, each for a reason of its own",
            Self::BooksRefuse => "the database refuses what it answers, row after row",
            Self::Held => "circuit breaker open",
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct At {
    stop: Option<Stop>,
    /// So many rows did not go out because of it.
    rows: u64,
    /// So many in a row were refused, each for a reason of its own.
    refused: u32,
}

/// So many rows that are refused one after another, and nothing that goes through between them, are everybody's trouble
/// after all.
const MOST_REFUSED: u32 = 20;

/// So many rows in a row that the database refuses, and no charge that it takes between them, are no row's own trouble.
const MOST_ASIDE: u32 = 20;

/// How many rows in a row the database refused, whichever lane was writing them.
#[derive(Debug, Default)]
pub(super) struct Aside(AtomicU32);

impl Aside {
    /// One was set aside.
    pub(super) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Money that was taken is in the books.
    pub(super) fn is_written_again(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether the last one was refused: it is seen first how the next ones fare.
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Whether it is everybody's trouble.
    pub(super) fn is_everybodys(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MOST_ASIDE
    }
}

/// The same of every provider.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stops {
    toss: At,
    stripe: At,
}

impl Stops {
    const fn at(self, provider: ProviderName) -> At {
        match provider {
            ProviderName::Toss => self.toss,
            ProviderName::Stripe => self.stripe,
        }
    }

    const fn at_mut(&mut self, provider: ProviderName) -> &mut At {
        match provider {
            ProviderName::Toss => &mut self.toss,
            ProviderName::Stripe => &mut self.stripe,
        }
    }

    pub(super) const fn of(self, provider: ProviderName) -> Option<Stop> {
        self.at(provider).stop
    }

    /// A refused key stays refused for the whole run.
    pub(super) fn hold(&mut self, provider: ProviderName, stop: Stop) {
        let at = self.at_mut(provider);
        if !at.stop.is_some_and(Stop::is_for_good) {
            at.stop = Some(stop);
        }
    }

    /// Nothing more goes out to anybody whom something here would be sent to.
    pub(super) fn books_refuse(&mut self, providers: impl Iterator<Item = ProviderName>) {
        for provider in providers {
            self.hold(provider, Stop::BooksRefuse);
        }
    }

    /// It answers again.
    pub(super) fn let_go(&mut self, provider: ProviderName) {
        let at = self.at_mut(provider);
        if at.stop == Some(Stop::Held) {
            at.stop = None;
        }
    }

    /// One row was refused for a reason of its own.
    pub(super) fn refused_one(&mut self, provider: ProviderName) {
        let at = self.at_mut(provider);
        at.refused = at.refused.saturating_add(1);
        if at.refused >= MOST_REFUSED {
            self.hold(provider, Stop::RowsRefused);
        }
    }

    /// It decided about a row.
    pub(super) const fn went_through(&mut self, provider: ProviderName) {
        self.at_mut(provider).refused = 0;
    }

    pub(super) const fn count(&mut self, provider: ProviderName) {
        let at = self.at_mut(provider);
        at.rows = at.rows.saturating_add(1);
    }

    /// Who held what, for people; none where nobody holds anything any more.
    pub(super) fn reason(self) -> Option<String> {
        let each = ProviderName::ALL.into_iter().filter_map(|provider| {
            let at = self.at(provider);
            let reason = at.stop?.reason();
            Some(format!("{provider}: {reason} ({} rows)", at.rows))
        });
        let said: Vec<String> = each.collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_refused_each_for_itself_hold_the_others_only_where_nothing_goes_through() {
        let mut stops = Stops::default();
        for _ in 0..3 {
            for _ in 1..MOST_REFUSED {
                stops.refused_one(ProviderName::Toss);
            }
            assert_eq!(stops.of(ProviderName::Toss), None);
            stops.went_through(ProviderName::Toss);
        }
        for _ in 0..MOST_REFUSED {
            assert_eq!(stops.of(ProviderName::Toss), None);
            stops.refused_one(ProviderName::Toss);
        }
        assert_eq!(stops.of(ProviderName::Toss), Some(Stop::RowsRefused));
        assert_eq!(stops.of(ProviderName::Stripe), None);
        let said = stops.reason().unwrap_or_default();
        assert!(!said.contains("our key"), "{said}");
    }

    #[test]
    fn each_provider_is_held_by_itself_and_a_refused_key_for_the_whole_run() {
        let mut stops = Stops::default();
        assert_eq!(stops.reason(), None);
        stops.hold(ProviderName::Stripe, Stop::Held);
        stops.count(ProviderName::Stripe);
        let said = stops.reason();
        assert_eq!(
            said.as_deref(),
            Some("stripe: circuit breaker open (1 rows)")
        );
        stops.let_go(ProviderName::Stripe);
        assert_eq!(stops.reason(), None);
        stops.hold(ProviderName::Toss, Stop::KeyRefused);
        stops.hold(ProviderName::Toss, Stop::Held);
        stops.let_go(ProviderName::Toss);
        assert_eq!(stops.of(ProviderName::Toss), Some(Stop::KeyRefused));
        assert_eq!(stops.of(ProviderName::Stripe), None);
    }
}
