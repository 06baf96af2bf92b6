//! Why a database does not do what it is asked, by what the caller may do next.

use super::BoxError;
use crate::domain::ids::Noun;

/// A rule that the database itself holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// One order id per provider and mode.
    OrderId,
    /// One idempotency key.
    IdempotencyKey,
    /// One attempt number per target.
    AttemptNumber,
    /// One open or successful charge per invoice.
    OpenCharge,
    /// One open refund per payment.
    OpenRefund,
    /// One invoice per subscription, term, period and kind.
    InvoicePeriod,
    /// One running subscription per customer and product.
    OneSubscription,
    /// One customer per customer key.
    CustomerKey,
    /// One plan or product per code.
    Code,
    /// captured ≥ refunded + reserved.
    RefundBalance,
    /// No way out of a settled state without new evidence.
    SettledState,
    /// What has gone back grows less only where the provider took a refund back.
    NotUndone,
    /// Audit, evidence, ledger and history are never changed.
    AppendOnly,
    /// One request waits for approval per target.
    OpenApproval,
    /// Nobody approves what he asked for himself, and "not executed" is the word of two persons.
    FourEyes,
    /// A request is approved before it expires, once, and stays what was asked for.
    Approval,
    /// Nobody has two schedulers: one row per subscription of a provider, and no charge of ours for it.
    TwoSchedulers,
    /// One wish about a mirrored subscription at a time.
    OpenWish,
    /// Another rule of the schema.
    Other,
}

/// Why the database did not do what was asked, by what the caller may do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the rows or the file. Nothing was written; trying again is safe.
    #[error("database busy")]
    Busy(#[source] BoxError),
    /// A rule of the schema refused it. Nothing was written.
    #[error("refused by the database: {0:?}")]
    Refused(Constraint),
    /// The row changed since it was read. Nothing was written.
    #[error("{noun:?} changed meanwhile")]
    Stale {
        /// Which noun.
        noun: Noun,
    },
    /// No such row.
    #[error("no such {noun:?}")]
    NotFound {
        /// Which noun.
        noun: Noun,
    },
    /// The database cannot be reached. Nothing was written.
    #[error("database not reached")]
    Unreachable(#[source] BoxError),
    /// The answer to COMMIT was lost: it may have been written. Read before doing anything else.
    #[error("commit not confirmed")]
    CommitUnknown(#[source] BoxError),
    /// A row does not make sense.
    #[error("{table} {id}: {reason}")]
    BadRow {
        /// Which table.
        table: &'static str,
        /// Which row.
        id: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// A list cannot be filtered or sorted that way. Nothing was read.
    #[error("{list} cannot be filtered or sorted by {field}")]
    Unsupported {
        /// Which list.
        list: &'static str,
        /// By what.
        field: &'static str,
    },
    /// The file or server belongs to another program, mode or version.
    #[error("{0}")]
    WrongDatabase(String),
    /// Anything else. The transaction is over and was not committed.
    #[error("database error")]
    Other(#[source] BoxError),
}
