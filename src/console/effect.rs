//! What `update` wants done, as plain data.
//!
//! Nothing here does anything. Every question carries a ticket; an answer whose ticket is no longer waited for is
//! dropped. Invariant: only [`Effect::Apply`] and [`Effect::StartRun`] can move money, and they carry the
//! fingerprint of the plan that a person has just confirmed.

use chrono::{DateTime, NaiveDate, Utc};

use super::model::{Asked, ListKind, Row, Ticket};
use crate::domain::ids::{AttemptId, CustomerId, InvoiceId, PaymentId, RunId, SubscriptionId};
use crate::engine::Request;
use crate::engine::queries::{
    CustomerCard, ListQuery, LocalDay, Overview, Page, PlanRow, RevenueReport, SavedView,
    SubscriptionCard, Summed, Timeline, Totals, WaitingRow, Window,
};

/// Part of the screen; a newer question for the same part makes the older one pointless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    Page,
    Detail,
    Form,
    /// What the rows of the list come to.
    Totals,
    /// How many rows the list has.
    Count,
}

/// A question to the database.
#[derive(Debug, Clone)]
pub enum Question {
    Overview(Window),
    Revenue {
        from: NaiveDate,
        to: NaiveDate,
    },
    RenewalDays(Vec<LocalDay>),
    List {
        kind: ListKind,
        query: ListQuery,
    },
    /// How many rows a list has.
    Count {
        kind: ListKind,
        query: ListQuery,
    },
    /// What all rows of a list come to.
    Totals {
        list: Summed,
        query: ListQuery,
    },
    RunItems {
        run: RunId,
        query: ListQuery,
    },
    Find(String),
    Customer(CustomerId),
    Subscription(SubscriptionId),
    Timeline(InvoiceId),
    TimelineOfPayment(PaymentId),
    TimelineOfAttempt(AttemptId),
    Plans,
    /// The filters this person kept.
    Views,
    /// What waits for a second person.
    Waiting,
}

/// An answer of the database.
#[derive(Debug, Clone)]
pub enum Loaded {
    Overview {
        overview: Box<Overview>,
        /// When the last billing run began.
        last_run: Option<DateTime<Utc>>,
        /// How many requests at a provider nobody knows the outcome of.
        wishes: u64,
    },
    Totals(Totals),
    /// None where they are too many to be counted.
    Count(Option<u64>),
    Revenue(RevenueReport),
    Rows(Page<Row>),
    Customer(Box<CustomerCard>),
    Subscription(Box<SubscriptionCard>),
    Timeline(Box<Timeline>),
    Plans(Vec<PlanRow>),
    Views(Vec<SavedView>),
    Waiting(Vec<WaitingRow>),
}

/// Something to be done.
#[derive(Debug, Clone)]
pub enum Effect {
    Load {
        ticket: Ticket,
        slot: Slot,
        question: Question,
    },
    /// Say what would happen. Nothing is sent.
    Plan {
        ticket: Ticket,
        asked: Asked,
    },
    /// Do exactly what was confirmed.
    Apply {
        ticket: Ticket,
        request: Request,
        fingerprint: String,
    },
    /// Bill what was previewed, unless that has changed.
    StartRun {
        ticket: Ticket,
        until: DateTime<Utc>,
        fingerprint: String,
    },
    CountUnknown,
    /// What became of this person's calls while nobody looked.
    AskAway,
    /// Write down that the person was told of these.
    RecordGreeted(Vec<String>),
    /// Write down that personal data of this place is about to be shown.
    RecordReveal(String),
    /// Ask where the customer of a charge answers their bank; that it is shown is written down.
    AskLink {
        ticket: Ticket,
        attempt: AttemptId,
    },
    /// Keep a filter under a name.
    SaveView(SavedView),
    Copy(String),
    Repaint,
    Suspend,
    /// Take the terminal again after a stop from outside.
    Resume,
    Leave,
}
