//! A simulator of Toss Payments, and of Stripe in `stripe`, that speaks real HTTP on loopback and keeps its own books.
//!
//! It has its own wire types, its own table of codes and its own SQLite file; it shares nothing with the client in
//! `provider`, so that the two can disagree. Tests and the demo count charges here, in its ledger, not in our tables.
//! Invariant: what was answered is on disk; a killed simulator loses nothing that anybody was told.

mod admission;
mod auth;
mod bodies;
mod clerk;
mod clock;
mod codes;
mod connection;
mod control;
mod error;
mod execution;
mod idempotency;
mod ids;
mod ledger;
mod lock;
mod lookups;
mod offline;
mod persist;
mod requests;
mod routes;
mod running;
mod scenario;
mod scripts;
pub mod seed;
mod server;
mod shaping;
mod shared;
pub mod stripe;
mod switches;
mod task;
mod webhook;
mod wire;

pub use error::SandboxError;
pub use ledger::{Behaviour, CardDraft};
pub use lock::resolve;
pub use offline::{Asked, Booked, Offline, Said, Waits};
pub use running::{DOCUMENTATION_KEYS, Running, SECRET_KEY, SandboxOptions, ready_line, start};
pub use scenario::{Commit, ErrorBody, Fault};
pub use scripts::{Always, Endpoint, Match, Script, Times};
pub use switches::{
    AfterRetries, AuthKeyReuse, CancelRowAmount, CancelWebhook, LookupAfterDecline,
    MissingAuthorization, OrderReuse, Replay, SecondDelete, Switches, TaxFreeAmount,
    TransactionsOrder, UnknownBillingKey, WebhookSuccess, WidgetKey,
};
