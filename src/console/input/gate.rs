//! Where the console and its reader agree on who has the terminal.
//!
//! It moves no bytes. Invariant: once [`Gate::wait_until_parked`] saw the reader park, the reader does not touch the
//! terminal until it is told to read again.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a pause waits for the reader to let go of the terminal.
const PARK_LIMIT: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    #[default]
    Read,
    Pause,
}

/// Where the console and the reader agree on who has the terminal.
#[derive(Debug, Default)]
pub struct Gate {
    wish: Mutex<(Wish, Parked)>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Parked {
    #[default]
    No,
    Yes,
}

impl Gate {
    pub fn set(&self, wish: Wish) {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).0 = wish;
        self.changed.notify_all();
    }

    /// Gives up after a moment: a reader that waits in a full queue does not touch the terminal either.
    pub fn wait_until_parked(&self) {
        let state = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        let _parked = self
            .changed
            .wait_timeout_while(state, PARK_LIMIT, |(_, parked)| *parked == Parked::No);
    }

    pub fn park_while_paused(&self) {
        let mut state = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 == Wish::Pause {
            state.1 = Parked::Yes;
            self.changed.notify_all();
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.1 = Parked::No;
    }
}
