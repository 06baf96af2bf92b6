//! The terminal user interface.
//!
//! | module | what it holds |
//! |---|---|
//! | [`term`], [`input`] | the terminal and what people do at it |
//! | [`theme`], [`overlay`] | how things look |
//! | [`action`], [`keymap`] | everything one can do, and by which key |
//! | [`model`] | everything the console knows, as plain values |
//! | [`msg`], [`update()`], [`effect`] | what happens, what follows, what is to be done |
//! | [`view`], [`layout`] | drawing; decides nothing |
//! | `runner`, `app` | carries effects out; the loop |
//!
//! Invariants: `update` and `view` are pure; nothing waits for the database or the provider; only a confirmed dialog
//! yields [`effect::Effect::Apply`] or [`effect::Effect::StartRun`].

pub mod action;
mod app;
pub mod effect;
pub mod fault;
pub mod input;
pub mod keymap;
pub mod layout;
pub mod model;
pub mod msg;
pub mod overlay;
mod runner;
pub mod term;
pub mod theme;
pub mod update;
pub mod view;

pub use app::{ConsoleError, ConsoleOptions, run};
pub use effect::Effect;
pub use model::Model;
pub use msg::Msg;
pub use runner::{Runner, answer};
pub use update::update;
