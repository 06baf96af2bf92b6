//! Editing one line of text.
//!
//! The text field is tui-input's; its own key table is not used, because it would take Ctrl-H for a character and
//! miss Alt-B. Invariant: nothing enters a field that could not be shown.

use tui_input::{Input, InputRequest};

use crate::console::input::{KeyCode, KeyModifiers, KeyPress};
use crate::text::Shown;

/// What fits into a field at most, in characters.
const LIMIT: usize = 400;

/// Whether the key was one for a text field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Yes,
    No,
}

pub fn edit(input: &mut Input, press: KeyPress) -> Taken {
    let Some(request) = request(press) else {
        return Taken::No;
    };
    if let InputRequest::InsertChar(ch) = request {
        insert(input, ch);
    } else {
        input.handle(request);
    }
    Taken::Yes
}

/// Puts text in at the caret, without what cannot be shown.
pub fn insert_text(input: &mut Input, text: &str) {
    for ch in Shown::line(text).as_str().chars() {
        insert(input, ch);
    }
}

fn insert(input: &mut Input, ch: char) {
    let mut bytes = [0; 4];
    let can_show = !Shown::line(ch.encode_utf8(&mut bytes)).is_empty();
    if can_show && input.value().chars().count() < LIMIT {
        input.handle(InputRequest::InsertChar(ch));
    }
}

fn request(press: KeyPress) -> Option<InputRequest> {
    let KeyPress { code, modifiers } = press;
    let ctrl = modifiers.contains(KeyModifiers::CONTROL);
    let alt = modifiers.contains(KeyModifiers::ALT);
    Some(match code {
        KeyCode::Char('a') if ctrl => InputRequest::GoToStart,
        KeyCode::Char('e') if ctrl => InputRequest::GoToEnd,
        KeyCode::Char('b') if alt => InputRequest::GoToPrevWord,
        KeyCode::Char('f') if alt => InputRequest::GoToNextWord,
        KeyCode::Char('d') if alt => InputRequest::DeleteNextWord,
        KeyCode::Char('w') if ctrl => InputRequest::DeletePrevWord,
        KeyCode::Char('u') if ctrl => InputRequest::DeleteLine,
        KeyCode::Char('k') if ctrl => InputRequest::DeleteTillEnd,
        KeyCode::Char('h') if ctrl => InputRequest::DeletePrevChar,
        KeyCode::Char(ch) if !ctrl && !alt => InputRequest::InsertChar(ch),
        KeyCode::Left if ctrl || alt => InputRequest::GoToPrevWord,
        KeyCode::Right if ctrl || alt => InputRequest::GoToNextWord,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        KeyCode::Backspace if alt => InputRequest::DeletePrevWord,
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_takes_hangul_and_no_hidden_characters() {
        let mut input = Input::default();
        for ch in ['서', '\u{202e}', '\u{7}', '현'] {
            edit(&mut input, KeyPress::char(ch));
        }
        insert_text(&mut input, "\u{1b}[2J\n");
        assert_eq!(input.value(), "서현[2J ");
    }

    #[test]
    fn words_are_moved_over_and_deleted() {
        let mut input = Input::new("one two three".to_owned());
        edit(&mut input, KeyPress::alt('b'));
        edit(&mut input, KeyPress::ctrl('w'));
        assert_eq!(input.value(), "one three");
    }
}
