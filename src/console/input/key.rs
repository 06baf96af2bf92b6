//! One key press in the console's words.
//!
//! The codes are crossterm's, so that key maps and text fields speak one language, but nothing here reads the
//! terminal. Invariant: a release is never a `KeyPress`, and a `Char` carries its case itself, never `SHIFT`.

pub use crossterm::event::{KeyCode, KeyModifiers};

/// A key that was pressed or repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPress {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

impl KeyPress {
    pub const fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        Self { code, modifiers }
    }

    pub const fn plain(code: KeyCode) -> Self {
        Self::new(code, KeyModifiers::NONE)
    }

    pub const fn char(character: char) -> Self {
        Self::plain(KeyCode::Char(character))
    }

    pub const fn ctrl(character: char) -> Self {
        Self::new(KeyCode::Char(character), KeyModifiers::CONTROL)
    }

    pub const fn alt(character: char) -> Self {
        Self::new(KeyCode::Char(character), KeyModifiers::ALT)
    }

    /// Whether a text field would insert this key.
    pub fn is_printable(self) -> bool {
        matches!(self.code, KeyCode::Char(_))
            && !self
                .modifiers
                .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    }

    /// The Latin presses behind a Hangul key, for key maps outside text fields.
    ///
    /// `latin_keys` names the Latin letters behind one character; an input method may hand over a composed
    /// syllable, so one press can stand for several. Keys that it has no letters for stay what they are.
    pub fn latin<L, I>(self, latin_keys: L) -> Vec<Self>
    where
        L: FnOnce(char) -> I,
        I: IntoIterator<Item = char>,
    {
        let KeyCode::Char(character) = self.code else {
            return vec![self];
        };
        let presses: Vec<Self> = latin_keys(character)
            .into_iter()
            .map(|letter| Self::new(KeyCode::Char(letter), self.modifiers))
            .collect();
        if presses.is_empty() {
            vec![self]
        } else {
            presses
        }
    }
}

impl From<KeyPress> for crossterm::event::KeyEvent {
    fn from(press: KeyPress) -> Self {
        Self::new(press.code, press.modifiers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jamo_of_ga(character: char) -> Vec<char> {
        match character {
            '가' => vec!['r', 'k'],
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_composed_syllable_is_the_presses_that_made_it() {
        assert_eq!(
            KeyPress::char('가').latin(jamo_of_ga),
            [KeyPress::char('r'), KeyPress::char('k')]
        );
    }

    #[test]
    fn keys_without_latin_letters_stay_as_they_are() {
        assert_eq!(KeyPress::char('j').latin(jamo_of_ga), [KeyPress::char('j')]);
        let up = KeyPress::plain(KeyCode::Up);
        assert_eq!(up.latin(jamo_of_ga), [up]);
    }
}
