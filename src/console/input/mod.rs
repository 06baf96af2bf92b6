//! Input: from the bytes of the terminal to events the console may act on.
//!
//! We read the terminal ourselves instead of through crossterm's events, for four reasons: its reader never returns
//! once the terminal has hung up and burns a processor; it turns late replies of the terminal into key presses, some
//! of which are bound to money verbs; a malformed mouse report kills its thread silently; and it cannot sleep without
//! a timeout. Our reader blocks on the terminal, a resize pipe and a wake-up pipe, so an idle console never wakes.
//!
//! It knows nothing of screens: which keys mean what, and whether a burst is text or noise, is decided by `update`.
//! Invariant: nothing but a key that somebody pressed becomes an [`InputEvent::Key`].

mod burst;
mod gate;
mod key;
mod parser;
mod reader;
mod resize;
mod sequence;

pub use burst::{Burst, BurstGuard};
pub use key::{KeyCode, KeyModifiers, KeyPress};
pub use parser::{PASTE_LIMIT, Parser, Token, Waiting};
pub use reader::{InputControl, InputOptions, Paused, spawn, spawn_on};

/// Something the person or the terminal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputEvent {
    Key(KeyPress),
    /// Many keys at once, or the rest of them: text for a focused field, otherwise to be ignored and said so.
    Burst(Burst),
    /// Raw pasted text, line ends as `\n`: sanitise it before use.
    Paste(String),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    FocusGained,
    FocusLost,
    /// No more input will come: the terminal is gone or the reader failed.
    InputLost,
}
