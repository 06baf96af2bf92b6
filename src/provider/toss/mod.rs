//! Toss Payments: billing keys, charges, refunds, look-ups and the transaction list.
//!
//! `client` sends, `wire` is what stands in the JSON, `map` turns it into evidence, `codes` knows
//! what each error code means, `body` makes the bytes that are stored and sent,
//! `port` is the face the engine sees. Wire statuses and
//! Korean values stop in `map`; nothing here decides whether an attempt succeeded.

mod body;
mod client;
pub mod codes;
mod map;
mod options;
mod port;
mod report;
pub mod spoken;
mod standing;
mod wire;

pub use client::TossClient;
pub use codes::{CallKind, classify};
pub use options::{TossOptions, TossSetupError};
