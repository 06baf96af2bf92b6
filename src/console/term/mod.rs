//! The terminal itself: taking it, painting on it, giving it back, and leaving when it is gone.
//!
//! | file | what it does |
//! |---|---|
//! | `session` | [`TermSession`]: enter, draw, suspend, leave |
//! | `screen` | the ratatui backend: one write per frame, no bytes when nothing changed, no questions asked |
//! | `paint` | cells as bytes, as few as a terminal needs |
//! | `modes` | raw mode and the sequences that switch the terminal over and back |
//! | `output` | the standard output as the place where frames go |
//! | `tty` | writes to the terminal; knows when it is gone |
//! | `signals`, `watchdog` | threads that notice signals and a hangup even while the console is stuck in a write |
//! | `ending` | how the process ends once it must |
//! | `panic` | a panic of the console restores the terminal, a panic of a worker leaves it alone |
//! | `caps` | what the terminal can do, from the environment alone |
//! | `clipboard` | copying through the terminal or tmux |
//!
//! It knows nothing of billing. Invariants: the terminal is asked nothing, because answers can arrive as keys; giving
//! it back ignores every error and never prints; once it is gone nobody writes to it again.

mod caps;
mod clipboard;
mod ending;
mod modes;
mod output;
mod paint;
mod panic;
mod screen;
mod scroll;
mod session;
mod signals;
mod tty;
mod watchdog;

pub use caps::{
    Caps, Charset, ColorChoice, ColorLevel, Fit, Link, Multiplexer, Refusal, UnknownColorChoice,
};
pub use clipboard::{COPY_LIMIT, CopyError, CopyRoute, load_tmux_buffer, osc52};
pub use ending::{Cause, EndLimits};
pub use modes::Switch;
pub use screen::{Screen, SizeSource};
pub use session::{DrawError, EnterError, Notice, Suspension, TermOptions, TermSession};

use std::time::Instant;

/// Real elapsed time, for waits on the terminal; business time never comes from here.
#[expect(
    clippy::disallowed_methods,
    reason = "waits on a terminal are measured, not scheduled"
)]
pub(crate) fn monotonic_now() -> Instant {
    Instant::now()
}
