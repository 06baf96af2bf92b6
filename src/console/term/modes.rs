//! Switching the terminal over to the console and back.
//!
//! The state is one per process, because panic hooks and the signal thread must be able to give the terminal back
//! without the session. Invariants: `leave` may be called any number of times from any thread, ignores every error and
//! never prints; the settings restored are those found at the first `enter`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use super::tty;

/// A setting that a person turns on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    On,
    #[default]
    Off,
}

/// Which optional modes the console uses; all of them are given back by [`leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modes {
    pub mouse: Switch,
    pub focus: Switch,
    pub kitty_keys: Switch,
    pub title: Switch,
}

/// How long giving the terminal back may wait for it to take bytes.
const PATIENCE: Duration = Duration::from_millis(200);

const ALTERNATE_ON: &str = "\x1b[?1049h";
const ALTERNATE_OFF: &str = "\x1b[?1049l";
const CURSOR_OFF: &str = "\x1b[?25l";
const CURSOR_ON: &str = "\x1b[?25h";
const PASTE_ON: &str = "\x1b[?2004h";
const PASTE_OFF: &str = "\x1b[?2004l";
const FOCUS_ON: &str = "\x1b[?1004h";
const FOCUS_OFF: &str = "\x1b[?1004l";
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";
const KITTY_ON: &str = "\x1b[>1u";
const KITTY_OFF: &str = "\x1b[<1u";
const TITLE_OFF: &str = "\x1b]2;\x1b\\";
const SYNC_END: &str = "\x1b[?2026l";
const PLAIN_TEXT: &str = "\x1b[0m";

/// What must be given back.
struct Held {
    found: Termios,
    modes: Modes,
}

static HELD: Mutex<Option<Held>> = Mutex::new(None);

/// The process is ending: the terminal is not taken again.
static OVER: AtomicBool = AtomicBool::new(false);

/// Whether the terminal is ours to paint on.
pub fn is_held() -> bool {
    HELD.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some()
}

/// Takes the terminal, or takes it again after it was in other hands.
///
/// # Errors
/// Once it was left for good it is not taken; what was taken in the same moment is given back.
pub fn enter(modes: Modes) -> io::Result<()> {
    if OVER.load(Ordering::SeqCst) {
        return Err(over());
    }
    let found = retry_on_intr(|| tcgetattr(stdin()))?;
    let mut raw = found.clone();
    raw.make_raw();
    let mut text = String::new();
    let found = {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        // A second entry finds our own raw settings or a shell's; the first ones are what people want back.
        let found = match held.take() {
            Some(held) => {
                text.push_str(undoing_kitty(held.modes));
                held.found
            }
            None => found,
        };
        *held = Some(Held {
            found: found.clone(),
            modes,
        });
        found
    };
    text.push_str(&entering(modes));
    retry_on_intr(|| tcsetattr(stdin(), OptionalActions::Now, &raw))?;
    let pen = tty::pen();
    let written = tty::write_all(text.as_bytes());
    drop(pen);
    if OVER.load(Ordering::SeqCst) {
        // Whoever left for good may have done so before these settings and bytes.
        HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
        give_back(&Held { found, modes });
        return Err(over());
    }
    written
}

fn over() -> io::Error {
    io::Error::other("the program is ending")
}

/// Gives the terminal back as it was found, and lets nobody take it again.
pub fn leave_for_good() {
    OVER.store(true, Ordering::SeqCst);
    leave();
}

/// Gives the terminal back as it was found.
pub fn leave() {
    // Locked until it is done: whoever finds nothing to give back may end the process next.
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(held) = held.take() {
        give_back(&held);
    }
}

fn give_back(held: &Held) {
    if tty::is_gone() {
        return;
    }
    // A thread stuck in a write keeps its pen; then the settings below are all that can be given back.
    if let Some(_pen) = tty::pen_within(PATIENCE)
        && tty::takes_bytes_within(PATIENCE)
    {
        let _ = tty::write_all(leaving(held.modes).as_bytes());
    }
    // What was typed or answered late was meant for the console, not for the shell.
    let _ = tcflush(stdin(), QueueSelector::IFlush);
    let _ = retry_on_intr(|| tcsetattr(stdin(), OptionalActions::Now, &held.found));
}

fn entering(modes: Modes) -> String {
    let mut text = [ALTERNATE_ON, CURSOR_OFF, PASTE_ON].concat();
    for (switch, sequence) in [
        (modes.focus, FOCUS_ON),
        (modes.mouse, MOUSE_ON),
        (modes.kitty_keys, KITTY_ON),
    ] {
        if switch == Switch::On {
            text.push_str(sequence);
        }
    }
    text
}

/// Kitty keeps a stack, so every push needs its pop.
const fn undoing_kitty(modes: Modes) -> &'static str {
    match modes.kitty_keys {
        Switch::On => KITTY_OFF,
        Switch::Off => "",
    }
}

/// Ends everything that could be open, whether or not we opened it; kitty's stack is only popped if we pushed.
fn leaving(modes: Modes) -> String {
    let mut text = SYNC_END.to_owned();
    text.push_str(undoing_kitty(modes));
    if modes.title == Switch::On {
        text.push_str(TITLE_OFF);
    }
    text.push_str(
        &[
            FOCUS_OFF,
            MOUSE_OFF,
            PASTE_OFF,
            PLAIN_TEXT,
            ALTERNATE_OFF,
            CURSOR_ON,
        ]
        .concat(),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Modes = Modes {
        mouse: Switch::On,
        focus: Switch::On,
        kitty_keys: Switch::On,
        title: Switch::On,
    };

    #[test]
    fn leaving_undoes_everything_that_entering_did() {
        let text = leaving(ALL);
        for set in entering(ALL).split('\x1b').filter(|set| set.ends_with('h')) {
            let unset = format!("\x1b{}l", set.trim_end_matches('h'));
            assert!(text.contains(&unset), "{unset:?} is missing in {text:?}");
        }
        assert!(text.contains(KITTY_OFF));
        assert!(text.contains(CURSOR_ON));
        assert!(text.contains(TITLE_OFF));
    }

    #[test]
    fn leaving_ends_a_frame_first_and_paste_always() {
        let text = leaving(Modes::default());
        assert!(text.starts_with(SYNC_END));
        assert!(text.contains(PASTE_OFF));
        assert!(!text.contains(KITTY_OFF));
    }

    #[test]
    fn leaving_a_terminal_that_was_never_taken_does_nothing() {
        leave();
        leave();
        assert!(!is_held());
    }
}
