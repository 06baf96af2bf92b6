//! A simulator of Stripe, in the same process and on the same port as the other provider's, with rooms of its own.
//!
//! Objects are JSON, kept in memory and in the simulator's file; rules work on them in a `Room`; the `Account` carries
//! requests out one after another and remembers the answers to keys. It shares nothing with the client in `provider`.
//! Invariant: what was answered is in the file; a killed simulator loses nothing that anybody was told.

mod account;
mod attempt;
mod auth;
mod balance;
mod bill;
mod book;
mod cards;
mod catalog;
mod charge;
mod clock;
mod collect;
pub(super) mod control;
mod currency;
mod customer;
mod cycle;
mod due;
mod endpoint;
mod expand;
mod face;
mod form;
mod ids;
mod intent;
mod invoice;
mod invoice_item;
mod json;
mod kind;
mod ledger;
mod list;
mod method;
mod offline;
pub(super) mod page;
mod perform;
mod period;
mod persist;
mod problem;
mod refund;
mod room;
mod routes;
mod script;
mod search;
mod subscription;
mod subscription_change;
mod subscription_items;
pub(super) mod teller;
pub(super) mod webhooks;

pub(super) use account::{Account, OWN_ID};
pub(super) use ledger::Wanted;
pub use offline::{Asked, Booked, Offline, Said};
pub(super) use routes::owns;

/// The secret key that every simulator accepts for this provider unless it is told otherwise.
pub const SECRET_KEY: &str = "sk_test_paydeck_sim";
