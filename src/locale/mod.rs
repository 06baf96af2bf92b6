//! Every text a person reads, in Korean and English, and how each language writes money and time.
//!
//! Texts live in `assets/locale/{ko,en}/AREA.toml`, one file per [area](AREAS), embedded and read
//! once. A key is `AREA.` and the path inside the file (`common.verb.refund`). A missing key shows
//! itself. This module decides nothing: which variant gets which text is the caller's choice.

mod catalogue;
mod failure;
mod format;
mod lang;
mod time;

pub use catalogue::{AREAS, Locale};
pub use failure::FailureText;
pub use lang::Lang;
pub use time::Day;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod words_tests;
