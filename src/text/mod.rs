//! What may be shown: the leaf every face uses before it draws, logs, exports or prints a string.
//!
//! [`Shown`] is the only form in which an outside string reaches a person. Around it stand layout by
//! cell width, Hangul search keys, masking of personal data, CSV cells and the Korean keyboard map.
//! This module knows no domain type and no language: words and currency symbols live in `locale`.

pub mod csv;
mod digits;
mod hidden;
mod ime;
mod jamo;
mod layout;
pub mod mask;
mod shown;

pub use digits::{decimal, group_thousands, grouped_decimal};
pub use ime::latin_keys;
pub use jamo::{Needle, initials, is_initials_query, jamo, needle, phone_key, search_key};
pub use layout::{Align, fit, pad_left, pad_right, short_id, width, wrap};
pub use shown::{Shown, composed};
