//! Which key means which action.
//!
//! Keys are written as `j`, `G`, `ctrl-d`, `enter`. It knows no screen: one key means one thing everywhere, so that a
//! wrong screen never turns a harmless key into a verb. Invariant: no key means two actions.

use std::collections::HashMap;

use super::action::{ACTIONS, Action};
use super::input::{KeyCode, KeyPress};

/// Keys to actions.
#[derive(Debug, Clone)]
pub struct Keymap {
    actions: HashMap<KeyPress, Action>,
}

impl Default for Keymap {
    fn default() -> Self {
        let pairs = ACTIONS.iter().flat_map(|spec| {
            spec.keys
                .iter()
                .filter_map(|key| Some((parse(key)?, spec.action)))
        });
        Self {
            actions: pairs.collect(),
        }
    }
}

impl Keymap {
    /// What a key means outside text fields. A Korean key stands for the Latin key under the same finger.
    pub fn action(&self, press: KeyPress) -> Option<Action> {
        self.actions.get(&latin(press)?).copied()
    }
}

/// The Latin key behind a press. A composed syllable is several keys at once and means none of them.
pub fn latin(press: KeyPress) -> Option<KeyPress> {
    match press
        .latin(|ch| crate::text::latin_keys(ch).unwrap_or_default())
        .as_slice()
    {
        [one] => Some(*one),
        _ => None,
    }
}

/// Reads a key as the table writes it.
pub fn parse(text: &str) -> Option<KeyPress> {
    if let Some(rest) = text.strip_prefix("ctrl-") {
        return rest.chars().next().map(KeyPress::ctrl);
    }
    let code = match text {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "space" => KeyCode::Char(' '),
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "backspace" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        "f1" => KeyCode::F(1),
        "f5" => KeyCode::F(5),
        _ => {
            let mut chars = text.chars();
            let only = chars.next().filter(|_| chars.next().is_none())?;
            KeyCode::Char(only)
        }
    };
    Some(KeyPress::plain(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_actions_and_every_key_can_be_read() {
        let mut seen: HashMap<KeyPress, &str> = HashMap::new();
        for spec in ACTIONS {
            for key in spec.keys {
                let press = parse(key).unwrap_or_else(|| panic!("{key} cannot be read"));
                assert_eq!(seen.insert(press, spec.id), None, "{key} of {}", spec.id);
            }
        }
    }

    #[test]
    fn korean_keys_mean_what_the_latin_keys_under_them_mean() {
        let keymap = Keymap::default();
        for (korean, action) in [
            ('ㅓ', Action::Down),
            ('ㅏ', Action::Up),
            ('ㄱ', Action::Retry),
            ('ㄲ', Action::ResolveUnknown),
            ('ㅂ', Action::Quit),
        ] {
            assert_eq!(keymap.action(KeyPress::char(korean)), Some(action));
        }
        assert_eq!(
            keymap.action(KeyPress::char('가')),
            None,
            "two keys at once"
        );
    }
}
