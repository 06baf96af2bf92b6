//! What a complete escape sequence means.
//!
//! Pure tables; the collecting of bytes is in `parser`. Invariant: everything that is not surely a key we know
//! means nothing. A reply of the terminal (`CSI ? … $y`, `CSI … R`, `CSI … t`) is therefore never a key.

use super::key::{KeyCode, KeyModifiers, KeyPress};

/// The meaning of one control sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Key(KeyPress),
    PasteStart,
    FocusGained,
    FocusLost,
    /// An old-style mouse report: three more bytes follow, whatever they are.
    MouseX10,
    Nothing,
}

/// One parameter with its sub-parameters, `a:b:c`.
type Parameter = [Option<u32>; 3];

const EVENT_RELEASE: u32 = 3;

/// Reads `CSI body last`, where `body` holds parameters and intermediates.
pub fn csi(body: &[u8], last: u8) -> Meaning {
    if body.is_empty() && last == b'M' {
        return Meaning::MouseX10;
    }
    let Some(parameters) = parameters(body) else {
        return Meaning::Nothing;
    };
    let number = |at: usize| parameters.get(at).and_then(|p| p[0]);
    let event = parameters.get(1).and_then(|p| p[1]);
    if event == Some(EVENT_RELEASE) {
        return Meaning::Nothing;
    }
    let modifiers = modifiers(number(1).unwrap_or(1));
    match last {
        b'u' => kitty(parameters.first().copied().unwrap_or_default(), modifiers),
        b'~' => tilde(number(0).unwrap_or(0), modifiers),
        b'I' if body.is_empty() => Meaning::FocusGained,
        b'O' if body.is_empty() => Meaning::FocusLost,
        // `CSI … R` is how a terminal reports the cursor, so F3 with modifiers is given up.
        b'R' => Meaning::Nothing,
        _ if number(0).unwrap_or(1) != 1 => Meaning::Nothing,
        _ => letter(last, modifiers),
    }
}

/// Reads `SS3 last`, with the modifier digit some terminals put between.
pub fn ss3(modifier: Option<u8>, last: u8) -> Meaning {
    let modifiers = modifiers(modifier.map_or(1, |digit| u32::from(digit.saturating_sub(b'0'))));
    match last {
        b'M' => key(KeyCode::Enter, modifiers),
        b'R' => key(KeyCode::F(3), modifiers),
        b'j'..=b'y' => key(KeyCode::Char(char::from(last - 0x40)), modifiers),
        _ => letter(last, modifiers),
    }
}

/// Reads the Linux console's `CSI [ last`.
pub fn linux(last: u8) -> Meaning {
    match last {
        b'A'..=b'E' => key(KeyCode::F(last - b'A' + 1), KeyModifiers::NONE),
        _ => Meaning::Nothing,
    }
}

const fn key(code: KeyCode, modifiers: KeyModifiers) -> Meaning {
    Meaning::Key(KeyPress::new(code, modifiers))
}

fn letter(last: u8, modifiers: KeyModifiers) -> Meaning {
    let code = match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'S' => KeyCode::F(4),
        b'Z' => return key(KeyCode::BackTab, modifiers - KeyModifiers::SHIFT),
        _ => return Meaning::Nothing,
    };
    key(code, modifiers)
}

fn tilde(number: u32, modifiers: KeyModifiers) -> Meaning {
    let code = match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11 => KeyCode::F(1),
        12 => KeyCode::F(2),
        13 => KeyCode::F(3),
        14 => KeyCode::F(4),
        15 => KeyCode::F(5),
        17 => KeyCode::F(6),
        18 => KeyCode::F(7),
        19 => KeyCode::F(8),
        20 => KeyCode::F(9),
        21 => KeyCode::F(10),
        23 => KeyCode::F(11),
        24 => KeyCode::F(12),
        200 => return Meaning::PasteStart,
        _ => return Meaning::Nothing,
    };
    key(code, modifiers)
}

/// Reads the kitty keyboard protocol's `CSI code:shifted ; modifiers u`.
fn kitty(code: Parameter, modifiers: KeyModifiers) -> Meaning {
    let shifted = modifiers.contains(KeyModifiers::SHIFT);
    let Some(number) = code[0] else {
        return Meaning::Nothing;
    };
    match number {
        9 if shifted => return key(KeyCode::BackTab, modifiers - KeyModifiers::SHIFT),
        9 => return key(KeyCode::Tab, modifiers),
        13 => return key(KeyCode::Enter, modifiers),
        27 => return key(KeyCode::Esc, modifiers),
        127 => return key(KeyCode::Backspace, modifiers),
        // The private use area holds keys that have no character, among them the modifiers themselves.
        57_344..=63_743 => return Meaning::Nothing,
        _ => {}
    }
    let Some(character) = char::from_u32(number).filter(|c| !c.is_control()) else {
        return Meaning::Nothing;
    };
    let character = match code[1].and_then(char::from_u32) {
        Some(with_shift) if shifted && !with_shift.is_control() => with_shift,
        _ if shifted => character.to_ascii_uppercase(),
        _ => character,
    };
    key(KeyCode::Char(character), modifiers - KeyModifiers::SHIFT)
}

/// The wire counts from one: 1 + shift 1 + alt 2 + ctrl 4 + super 8.
fn modifiers(number: u32) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, bits & 1 != 0);
    modifiers.set(KeyModifiers::ALT, bits & 2 != 0);
    modifiers.set(KeyModifiers::CONTROL, bits & 4 != 0);
    modifiers.set(KeyModifiers::SUPER, bits & 8 != 0);
    modifiers
}

/// The numbers in `body`, or nothing when it has a private marker, an intermediate or a number too large to be ours.
fn parameters(body: &[u8]) -> Option<Vec<Parameter>> {
    if body.is_empty() {
        return Some(Vec::new());
    }
    let text = std::str::from_utf8(body).ok()?;
    text.split(';').map(parameter).collect()
}

fn parameter(text: &str) -> Option<Parameter> {
    let mut parameter = Parameter::default();
    for (at, digits) in text.split(':').enumerate() {
        let slot = parameter.get_mut(at)?;
        if !digits.is_empty() {
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            *slot = Some(digits.parse().ok()?);
        }
    }
    Some(parameter)
}
