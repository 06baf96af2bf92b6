//! [`Shown`]: a string that has been made safe to show.
//!
//! It can only be made by sanitising, so holding one is the proof. It does not shorten (see `layout`)
//! and does not mask (see `mask`). Invariant: NFC, no hidden character, at most two combining marks on
//! one base and none without a base, one line; sanitising it again changes nothing.

use std::fmt::{self, Write as _};

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::hidden::{is_blank, is_hidden, is_stray_jamo};
use super::layout;

const MARKS_PER_BASE: u8 = 2;

/// A text with its syllables and accents put together, so that one writing stands for one word.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// A string a person may see: on the screen, in a log, in an export, on standard output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shown {
    text: String,
    width: usize,
    altered: bool,
}

/// What becomes of a character that may not be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removed {
    Dropped,
    Marked,
}

impl Shown {
    /// For lists, titles, logs and exports: hidden characters are dropped, line breaks and tabs
    /// become spaces.
    pub fn line(raw: &str) -> Self {
        if raw.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Self {
                text: raw.to_owned(),
                width: raw.len(),
                altered: false,
            };
        }
        Cleaner::new(Removed::Dropped, raw.len()).clean(raw)
    }

    /// For detail views: every hidden character shows as an ASCII mark such as `<U+202E>`, so that
    /// staff see the tampering. Line breaks are marked too; show longer texts line by line.
    pub fn detail(raw: &str) -> Self {
        Cleaner::new(Removed::Marked, raw.len()).clean(raw)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Terminal cells: the sum over graphemes, which is how a terminal buffer is filled.
    pub fn width(&self) -> usize {
        self.width
    }

    /// True when a character was dropped or marked. Composition and white space that became a plain
    /// space do not count.
    pub fn is_altered(&self) -> bool {
        self.altered
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// True when Latin letters stand beside look-alikes of another alphabet. A dialog about money
    /// warns of such a name.
    pub fn mixes_look_alikes(&self) -> bool {
        let has_latin = self.text.chars().any(|ch| ch.is_ascii_alphabetic());
        has_latin && self.text.chars().any(is_latin_look_alike)
    }

    pub fn into_string(self) -> String {
        self.text
    }
}

/// Greek, Coptic, Cyrillic, Armenian, Cherokee and Lisu letters, and mathematical or full-width Latin.
fn is_latin_look_alike(ch: char) -> bool {
    matches!(
        ch,
        '\u{370}'..='\u{58f}'
            | '\u{13a0}'..='\u{13ff}'
            | '\u{1c80}'..='\u{1c8f}'
            | '\u{2c80}'..='\u{2cff}'
            | '\u{2de0}'..='\u{2dff}'
            | '\u{a4d0}'..='\u{a4ff}'
            | '\u{a640}'..='\u{a69f}'
            | '\u{ab70}'..='\u{abbf}'
            | '\u{ff21}'..='\u{ff3a}'
            | '\u{ff41}'..='\u{ff5a}'
            | '\u{1d400}'..='\u{1d7ff}'
    )
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl From<Shown> for String {
    fn from(shown: Shown) -> Self {
        shown.text
    }
}

/// Builds the clean text in stretches: what lies between two marks is composed on its own, so that a
/// combining mark can never fuse with one of ours.
struct Cleaner {
    removed: Removed,
    text: String,
    stretch: String,
    altered: bool,
}

impl Cleaner {
    fn new(removed: Removed, capacity: usize) -> Self {
        Self {
            removed,
            text: String::with_capacity(capacity),
            stretch: String::with_capacity(capacity),
            altered: false,
        }
    }

    fn clean(mut self, raw: &str) -> Shown {
        for ch in raw.chars() {
            match self.removed {
                Removed::Dropped if is_blank(ch) => self.stretch.push(' '),
                Removed::Marked if is_blank(ch) && !ch.is_control() => self.stretch.push(' '),
                _ if is_hidden(ch) => self.remove(ch),
                _ => self.stretch.push(ch),
            }
        }
        self.flush();
        let width = layout::width(&self.text);
        Shown {
            text: self.text,
            width,
            altered: self.altered,
        }
    }

    fn remove(&mut self, ch: char) {
        if self.removed == Removed::Marked {
            self.flush();
        }
        self.mark(ch);
    }

    fn mark(&mut self, ch: char) {
        self.altered = true;
        if self.removed == Removed::Marked {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "<U+{:04X}>", u32::from(ch));
        }
    }

    fn flush(&mut self) {
        let stretch = std::mem::take(&mut self.stretch);
        let mut base = None;
        let mut marks = 0;
        for ch in stretch.nfc() {
            let is_mark = is_combining_mark(ch);
            let is_stranded = is_mark && (base.is_none() || marks == MARKS_PER_BASE);
            if is_stranded || is_stray_jamo(ch) {
                self.mark(ch);
                // What follows must not fuse with our mark, nor with what stood before a lost jamo.
                if self.removed == Removed::Marked || !is_mark {
                    base = None;
                }
            } else if is_mark {
                marks += 1;
                self.text.push(ch);
            } else {
                base = (ch != ' ').then_some(ch);
                marks = 0;
                self.text.push(ch);
            }
        }
    }
}

#[cfg(test)]
mod tests;
