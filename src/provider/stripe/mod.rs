//! Stripe: charges in two steps, refunds, cards, look-ups and its list of both; and what only Stripe has.
//!
//! `request` is what is asked, `client` sends it, `payment` reads and gives back, `wire` is what stands in the JSON, `map` turns it into
//! evidence, `codes` knows what each error means, `amount` counts as Stripe counts, `body` makes the bytes
//! that are stored, `port` is the face the engine sees, `line` what a simulation puts in the network's place, `objects` the rest. Wire formats stop here; nothing
//! decides whether an attempt succeeded.
//!
//! A charge is an intent that is made, stored by its name, and only then confirmed. An intent is paid at
//! most once whatever is sent, which is the fence under every repetition; to cancel it is the proof that
//! nothing more will happen. Invariant: no method sends the same request twice.

pub mod account;
mod amount;
mod body;
mod client;
pub mod codes;
mod expected;
mod fees;
mod find;
mod form;
pub mod line;
mod link;
mod map;
mod mirrored;
mod objects;
mod options;
mod payment;
mod port;
mod register;
mod request;
mod retry;
mod transactions;
mod wire;

pub use amount::{AmountError, CurrencyTableError};
pub use client::StripeClient;
pub use codes::{CallKind, Words, classify};
pub use objects::*;
pub use options::{StripeOptions, StripeSetupError, VERSION};
pub use retry::{Try, wait_before, would_send_again};
