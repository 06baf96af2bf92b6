//! Turns the bytes of a terminal into keys, pastes and focus changes.
//!
//! A plain byte-by-byte state machine without a clock: when it is in the middle of something, [`Parser::waiting`]
//! says for what, and the reader calls [`Parser::expire`] when the rest did not come. Invariants: no bytes make it
//! panic, how the bytes are cut into chunks changes nothing, it holds a bounded amount of memory, and replies of the
//! terminal (OSC, DCS, private CSI) are swallowed whole, also when they come late or in pieces.

use super::key::{KeyCode, KeyModifiers, KeyPress};
use super::sequence::{self, Meaning};

/// What the parser has understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Key(KeyPress),
    /// Pasted text with line ends as `\n`, otherwise raw: it must be sanitised before it is shown or used.
    Paste(String),
    FocusGained,
    FocusLost,
}

/// What an unfinished input is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// One ESC: it is the Escape key if nothing follows soon.
    Escape,
    /// A sequence or a character has begun and is not complete.
    Sequence,
    /// The end mark of a bracketed paste has not come yet.
    Paste,
}

/// Longer pastes are cut here; fields take one line, so this is generous.
pub const PASTE_LIMIT: usize = 64 * 1024;
/// No key is longer; what exceeds it is swallowed up to its last byte.
const BODY_LIMIT: usize = 64;
const PASTE_END: &[u8] = b"\x1b[201~";
const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    Utf8 {
        modifiers: KeyModifiers,
        missing: usize,
    },
    Csi,
    Linux,
    Ss3 {
        modifier: Option<u8>,
    },
    MouseX10 {
        missing: u8,
    },
    /// Inside OSC, DCS, SOS, PM or APC: everything up to ST or BEL belongs to the terminal.
    Reply,
    /// Inside the same, after an ESC that may begin ST.
    ReplyEscape,
    Paste {
        matched: usize,
    },
}

/// The state machine; one per terminal.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    /// The bytes of the sequence, character or paste under way.
    held: Vec<u8>,
}

impl Parser {
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Token>) {
        for &byte in bytes {
            self.step(byte, out);
        }
    }

    /// What is missing, if anything.
    pub const fn waiting(&self) -> Option<Waiting> {
        match self.state {
            State::Ground => None,
            State::Escape => Some(Waiting::Escape),
            State::Paste { .. } => Some(Waiting::Paste),
            _ => Some(Waiting::Sequence),
        }
    }

    /// Gives up waiting: a lone ESC becomes the Escape key, a paste ends where it is, the rest is dropped.
    pub fn expire(&mut self, out: &mut Vec<Token>) {
        match self.state {
            State::Escape => out.push(Token::Key(KeyPress::plain(KeyCode::Esc))),
            State::Paste { .. } => self.end_paste(out),
            _ => {}
        }
        self.rest();
    }

    fn rest(&mut self) {
        self.state = State::Ground;
        self.held.clear();
    }

    fn step(&mut self, byte: u8, out: &mut Vec<Token>) {
        match self.state {
            State::Ground => self.ground(byte, KeyModifiers::NONE, out),
            State::Escape => self.escape(byte, out),
            State::Utf8 { modifiers, missing } => self.utf8(byte, modifiers, missing, out),
            State::Csi => self.csi(byte, out),
            State::Linux => self.finish(sequence::linux(byte), out),
            State::Ss3 { modifier } => self.ss3(byte, modifier, out),
            State::MouseX10 { missing: 0 | 1 } => self.rest(),
            State::MouseX10 { missing } => {
                self.state = State::MouseX10 {
                    missing: missing - 1,
                };
            }
            State::Reply => self.reply(byte),
            State::ReplyEscape if byte == b'\\' => self.rest(),
            State::ReplyEscape => {
                // Not ST: the reply was cut off and something new began with this ESC.
                self.state = State::Escape;
                self.escape(byte, out);
            }
            State::Paste { matched } => self.paste(byte, matched, out),
        }
    }

    fn ground(&mut self, byte: u8, modifiers: KeyModifiers, out: &mut Vec<Token>) {
        self.rest();
        let control = KeyModifiers::CONTROL | modifiers;
        let (code, modifiers) = match byte {
            ESC => {
                self.state = State::Escape;
                return;
            }
            b'\r' => (KeyCode::Enter, modifiers),
            b'\t' => (KeyCode::Tab, modifiers),
            0x7f => (KeyCode::Backspace, modifiers),
            0x00 => (KeyCode::Char(' '), control),
            0x01..=0x1a => (KeyCode::Char(char::from(byte + 0x60)), control),
            0x1c..=0x1f => (KeyCode::Char(char::from(byte + 0x40)), control),
            0x20..=0x7e => (KeyCode::Char(char::from(byte)), modifiers),
            _ => {
                self.lead(byte, modifiers);
                return;
            }
        };
        out.push(Token::Key(KeyPress::new(code, modifiers)));
    }

    /// Begins a character of several bytes; bytes that cannot begin one are dropped.
    fn lead(&mut self, byte: u8, modifiers: KeyModifiers) {
        let missing = match byte {
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf4 => 3,
            _ => return,
        };
        self.held.push(byte);
        self.state = State::Utf8 { modifiers, missing };
    }

    fn utf8(&mut self, byte: u8, modifiers: KeyModifiers, missing: usize, out: &mut Vec<Token>) {
        if byte & 0xc0 != 0x80 {
            self.ground(byte, KeyModifiers::NONE, out);
            return;
        }
        self.held.push(byte);
        if missing > 1 {
            let missing = missing - 1;
            self.state = State::Utf8 { modifiers, missing };
            return;
        }
        let character = std::str::from_utf8(&self.held)
            .ok()
            .and_then(|text| text.chars().next())
            .filter(|character| !character.is_control());
        self.rest();
        if let Some(character) = character {
            let press = KeyPress::new(KeyCode::Char(character), modifiers);
            out.push(Token::Key(press));
        }
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<Token>) {
        self.held.clear();
        match byte {
            b'[' => self.state = State::Csi,
            b'O' => self.state = State::Ss3 { modifier: None },
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Reply,
            // Two in a row: the first was the key, the second may begin something.
            ESC => out.push(Token::Key(KeyPress::plain(KeyCode::Esc))),
            _ => self.ground(byte, KeyModifiers::ALT, out),
        }
    }

    fn csi(&mut self, byte: u8, out: &mut Vec<Token>) {
        match byte {
            b'[' if self.held.is_empty() => self.state = State::Linux,
            0x20..=0x3f => {
                // One byte over the limit is kept, so that an over-long body reads as one that is not ours.
                if self.held.len() <= BODY_LIMIT {
                    self.held.push(byte);
                }
            }
            0x40..=0x7e if self.held.len() > BODY_LIMIT => self.rest(),
            0x40..=0x7e => {
                let meaning = sequence::csi(&self.held, byte);
                self.finish(meaning, out);
            }
            CAN | SUB => self.rest(),
            _ => self.ground(byte, KeyModifiers::NONE, out),
        }
    }

    fn ss3(&mut self, byte: u8, modifier: Option<u8>, out: &mut Vec<Token>) {
        match byte {
            b'1'..=b'9' if modifier.is_none() => {
                self.state = State::Ss3 {
                    modifier: Some(byte),
                };
            }
            0x20..=0x7e => self.finish(sequence::ss3(modifier, byte), out),
            _ => self.ground(byte, KeyModifiers::NONE, out),
        }
    }

    fn finish(&mut self, meaning: Meaning, out: &mut Vec<Token>) {
        self.rest();
        match meaning {
            Meaning::Key(press) => out.push(Token::Key(press)),
            Meaning::FocusGained => out.push(Token::FocusGained),
            Meaning::FocusLost => out.push(Token::FocusLost),
            Meaning::PasteStart => self.state = State::Paste { matched: 0 },
            Meaning::MouseX10 => self.state = State::MouseX10 { missing: 3 },
            Meaning::Nothing => {}
        }
    }

    fn reply(&mut self, byte: u8) {
        match byte {
            ESC => self.state = State::ReplyEscape,
            BEL | CAN | SUB => self.rest(),
            _ => {}
        }
    }

    fn paste(&mut self, byte: u8, matched: usize, out: &mut Vec<Token>) {
        let matched = if PASTE_END[matched] == byte {
            matched + 1
        } else {
            // Only its first byte is an ESC, so a broken match can restart nowhere but here.
            self.keep(&PASTE_END[..matched]);
            if byte == ESC {
                1
            } else {
                self.keep(&[byte]);
                0
            }
        };
        if matched == PASTE_END.len() {
            self.end_paste(out);
            self.rest();
        } else {
            self.state = State::Paste { matched };
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = PASTE_LIMIT.saturating_sub(self.held.len());
        self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_paste(&mut self, out: &mut Vec<Token>) {
        let text = String::from_utf8_lossy(&self.held)
            .replace("\r\n", "\n")
            .replace('\r', "\n");
        out.push(Token::Paste(text));
    }
}

#[cfg(test)]
mod tests;
