//! What providers keep for themselves: the list of it that one gives, and where it is kept.
//!
//! A provider that tells nothing of its fees has no such list; then they are not known, which is not zero.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::fee::Fee;
use crate::domain::mode::{Mode, ProviderName};

use super::{BoxFuture, Desk, ProviderError, StoreError};

type R<T> = Result<T, StoreError>;

/// A page of a balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeePage {
    /// Rows about charges and refunds; others are left out.
    pub fees: Vec<Fee>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

/// A provider that shows what each charge and refund cost. No method retries by itself.
pub trait BalanceBook: Send + Sync {
    /// Which one.
    fn holder(&self) -> ProviderName;
    /// What moved in `[from, to)`, in the provider's order, after the page that gave `after`.
    fn fees<'a>(
        &'a self,
        desk: &'a mut Desk,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<FeePage, ProviderError>>;
}

/// How much of a balance was read: everything in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeesRead {
    /// From when on.
    pub from: DateTime<Utc>,
    /// Up to when.
    pub to: DateTime<Utc>,
}

/// Where fees are kept. Each call is one short transaction of its own; keeping the same twice is keeping it once.
pub trait FeeBooks: Send + Sync {
    /// When the first payment through this provider was taken; none where there is none.
    fn first_payment_at(
        &self,
        provider: ProviderName,
    ) -> impl Future<Output = R<Option<DateTime<Utc>>>> + Send;
    /// How much of its balance was read.
    fn fees_read(&self, provider: ProviderName)
    -> impl Future<Output = R<Option<FeesRead>>> + Send;
    /// Keeps rows with their local days; gives how many were new.
    fn keep_fees(
        &self,
        of: (ProviderName, Mode),
        fees: &[(Fee, NaiveDate)],
    ) -> impl Future<Output = R<u32>> + Send;
    /// Writes down that everything in between was read. What was read before stays read.
    fn note_fees_read(
        &self,
        provider: ProviderName,
        read: FeesRead,
    ) -> impl Future<Output = R<()>> + Send;
}
