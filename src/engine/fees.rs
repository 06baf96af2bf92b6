//! Fees: pulled off a provider's balance, day by day, and kept under the provider's own names.
//!
//! What was read is a stretch of time without a hole: it grows only by stretches that were read to their end, so whatever
//! breaks off in between is read again, and a row that is there already is not written twice. Payments that are taken into
//! the books later, and are older than all that was read, make it grow backwards. Nothing here moves money, and nothing
//! waits for it.

use chrono::{DateTime, Duration, Utc};

use crate::domain::mode::ProviderName;
use crate::domain::operator::{Operator, Verb};

use super::Engine;
use super::ports::{BalanceBook, Desk, FeeBooks, FeesRead, Store};
use super::refusal::VerbError;

/// A row may show in the list after ones that are newer, and clocks differ: so much is read again each time.
const OVERLAP_H: i64 = 24;
/// What is noted as read at once.
const STRETCH_DAYS: i64 = 7;

/// A pull that has asked for so many pages ends with the stretch that it reads, so that a first one of years does not
/// keep others waiting.
const MOST_PAGES: u32 = 100;

/// What one pull brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeesPulled {
    /// From whom.
    pub provider: ProviderName,
    /// Rows that were new.
    pub taken_in: u32,
    /// Pages that were asked for.
    pub pages: u32,
    /// Whether it came up to now; otherwise the next pull goes on.
    pub is_whole: bool,
}

impl FeesPulled {
    fn has_read(&mut self, more: (u32, u32)) {
        self.taken_in += more.0;
        self.pages += more.1;
    }

    const fn is_tired(&self) -> bool {
        self.pages >= MOST_PAGES
    }
}

impl<S: Store + FeeBooks> Engine<S> {
    /// Reads what each provider kept for itself since the last time; none of those that do not tell.
    ///
    /// # Errors
    /// When the person may not resolve what is unknown, a provider does not tell now, or the database is away. What was
    /// read until then is kept.
    pub async fn pull_fees(&self, operator: &Operator) -> Result<Vec<FeesPulled>, VerbError> {
        let mode = self.parts.settings.mode;
        let ours = self.parts.providers.iter().filter(|one| one.mode() == mode);
        let books: Vec<&dyn BalanceBook> = ours.filter_map(|one| one.balance_book()).collect();
        if books.is_empty() {
            return Ok(Vec::new());
        }
        self.allow(operator, Verb::ResolveUnknown).await?;
        let mut all = Vec::with_capacity(books.len());
        for book in books {
            all.push(self.pull_fees_of(book).await?);
        }
        Ok(all)
    }

    async fn pull_fees_of(&self, book: &dyn BalanceBook) -> Result<FeesPulled, VerbError> {
        let store = &self.parts.store;
        let provider = book.holder();
        let mut done = FeesPulled {
            provider,
            taken_in: 0,
            pages: 0,
            is_whole: true,
        };
        let Some(first) = store.first_payment_at(provider).await? else {
            return Ok(done);
        };
        let begin = first - Duration::hours(OVERLAP_H);
        let now = self.now();
        let read = store.fees_read(provider).await?;
        // Backwards, the stretch that lies next first, so that no hole is ever noted as read.
        let mut from = read.map_or(begin, |read| read.from);
        while read.is_some() && begin < from {
            if done.is_tired() {
                done.is_whole = false;
                return Ok(done);
            }
            let before = (from - Duration::days(STRETCH_DAYS)).max(begin);
            done.has_read(self.read_fees(book, before, from).await?);
            from = before;
            let to = read.map_or(from, |read| read.to);
            store
                .note_fees_read(provider, FeesRead { from, to })
                .await?;
        }
        let mut at = read.map_or(begin, |read| read.to - Duration::hours(OVERLAP_H));
        while at < now {
            if done.is_tired() {
                done.is_whole = false;
                return Ok(done);
            }
            let to = (at + Duration::days(STRETCH_DAYS)).min(now);
            done.has_read(self.read_fees(book, at, to).await?);
            at = to;
            store
                .note_fees_read(provider, FeesRead { from, to })
                .await?;
        }
        Ok(done)
    }

    /// Everything in a stretch, page by page, each kept as it comes. Gives how many rows were new, of how many pages.
    async fn read_fees(
        &self,
        book: &dyn BalanceBook,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<(u32, u32), VerbError> {
        let of = (book.holder(), self.parts.settings.mode);
        let mut desk = Desk::new();
        let (mut taken_in, mut pages) = (0, 0);
        let mut after: Option<String> = None;
        loop {
            let page = {
                let _counted = self.count_call();
                book.fees(&mut desk, from, to, after.as_deref()).await?
            };
            let dated: Vec<_> = page
                .fees
                .into_iter()
                .map(|fee| {
                    let on = self.local_date(fee.at);
                    (fee, on)
                })
                .collect();
            pages += 1;
            taken_in += self.parts.store.keep_fees(of, &dated).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((taken_in, pages)),
            }
        }
    }
}
