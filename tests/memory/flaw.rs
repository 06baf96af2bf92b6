//! Rules of the database that can be switched off, one by one: a simulation that finds nothing with a
//! rule missing proves nothing.

/// A rule that is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Flaw {
    /// No index on open charges.
    OpenChargeIndex,
    /// No index on open refunds.
    OpenRefundIndex,
    /// Order ids, keys and numbers of attempts may repeat.
    AttemptNames,
    /// Reserved and refunded may exceed what was captured.
    Balance,
    /// An attempt is written whatever state and epoch its row has.
    Fence,
    /// Rows are written whatever version they have.
    Versions,
    /// A settled attempt may move anywhere.
    SettledState,
    /// Periods may be invoiced twice.
    InvoicePeriod,
    /// `for update` locks nothing.
    RowLocks,
    /// A claim sees rows that others have claimed and writes no lease.
    Leases,
    /// A claim does not make the epoch grow.
    Epochs,
    /// Audit rows are thrown away.
    Audit,
    /// One of the two entries of a posting is thrown away.
    DoubleEntry,
    /// COMMIT is answered before it is done; a dying process takes it along.
    LazyCommit,
    /// Nothing is ever reserved.
    Reservation,
    /// Refunds that are prepared are thrown away.
    PreparedReturn,
    /// Attempts that were looked at six times are not claimed any more.
    GivesUp,
    /// Refunds under the same transaction key are booked again.
    RefundTwice,
    /// The time of the next look is not written.
    NextLook,
    /// A transaction that is dropped commits.
    DropCommits,
    /// Nothing is read ahead and no write waits: not a mistake, but another store.
    RowByRow,
    /// Nobody looks who asked for what is approved.
    FourEyes,
    /// An approval may be used again.
    ApprovedOnce,
    /// What is approved is not what is done.
    AlteredRequest,
    /// The provider's name of what was prepared is not written.
    ProviderRef,
    /// When something was first sent is forgotten with each look.
    FirstSent,
    /// Wishes are remembered by whoever has them, and written nowhere.
    WishRow,
    /// Any number of wishes about one subscription may be open.
    OpenWish,
    /// It is forgotten who schedules what.
    Scheduler,
    /// Events are thrown away.
    EventInbox,
    /// It is forgotten how far a mirror was read.
    ReadAt,
}

/// A set of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flaws(u32);

impl Flaws {
    pub fn with(self, flaw: Flaw) -> Self {
        Self(self.0 | 1 << flaw as u8)
    }

    pub fn has(self, flaw: Flaw) -> bool {
        self.0 & (1 << flaw as u8) != 0
    }
}
