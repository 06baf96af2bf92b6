//! paydeck: the operations console for subscription billing, in a terminal.
//!
//! | module | what it holds |
//! |---|---|
//! | [`domain`] | pure rules: money, ids, periods, plans, states, decline classes, dunning |
//! | [`engine`] | use cases over ports: charge, retry, refund, cancel, billing run, settle, reconcile |
//! | [`store`] | all SQL, for SQLite and PostgreSQL |
//! | [`provider`] | outbound provider clients (Toss Payments) |
//! | [`vault`] | sealing of billing keys |
//! | [`sandbox`] | a provider simulator that speaks real HTTP and keeps its own ledger |
//! | [`demo`] | believable data of any size, made deterministically |
//! | [`console`] | the terminal user interface |
//! | [`cli`] | subcommands and wiring |
//! | [`text`], [`locale`] | leaves: what may be shown, and in which words |
//! | [`config`] | `config.toml` and environment, checked once |
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod console;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod locale;
pub mod provider;
pub mod sandbox;
pub mod secret;
pub mod spool;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod vault;
