//! Every row, card, plan and outcome as a [`Record`](super::record::Record): the field names here are the ones scripts read.
//!
//! `rows` are those of lists, `cards` of `show`, `plans` of what a verb would do and did, `figures`
//! of reports. E-mail addresses and phone numbers are masked as the settings say.

mod cards;
pub mod columns;
mod figures;
mod plans;
mod rows;

pub use cards::*;
pub use figures::*;
pub use plans::*;
pub use rows::*;
