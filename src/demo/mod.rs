//! Believable data of any size, made deterministically: what two years of real use would have left.
//!
//! A story is told day by day (`story`): people sign up, are billed, decline, recover, pause and
//! leave, by the rules of `domain`. Each event becomes the rows that the engine would have written
//! and what the simulator would have kept, so the two ledgers agree to the won. Nothing is sent and
//! nobody is charged; the same options and the same `now` tell the same story.

mod books;
mod cards;
mod catalogue;
mod chance;
mod clock;
mod config_file;
mod declines;
mod figures;
mod growth;
mod load;
mod options;
mod people;
mod prepare;
mod rows;
mod story;
mod words;
mod world;

pub use options::{DemoError, DemoOptions, Prepared};
pub use prepare::{prepare, prepared};
