//! Exit codes, as documented for scripts. Nothing else in the program chooses a number.

use std::process::ExitCode;

use crate::console::term::Cause;
use crate::engine::Outcome;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It happened, or had happened before.
    Done,
    /// A fault of ours.
    Internal,
    /// The command line makes no sense.
    Usage,
    /// The provider said no; no money moved.
    Declined,
    /// Nobody knows yet whether money moved.
    Unknown,
    /// The rows changed since the plan was made; nothing was sent.
    Stale,
    /// Not allowed, or not in this state; nothing was sent.
    Refused,
    /// Database or provider was not reached; nothing was sent.
    Unreachable,
    /// No such row, or more than one.
    NotFound,
    /// A check found something.
    Differences,
    /// The configuration, or what it names, is wrong.
    Configuration,
    /// The console was ended by a signal, or by the end of its terminal.
    Ended(Cause),
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Declined => 3,
            Self::Unknown => 4,
            Self::Stale => 5,
            Self::Refused => 6,
            Self::Unreachable => 7,
            Self::NotFound => 8,
            Self::Differences => 9,
            Self::Configuration => 78,
            // As a shell reports them.
            Self::Ended(Cause::Hangup) => 129,
            Self::Ended(Cause::Interrupted) => 130,
            Self::Ended(Cause::Quit) => 131,
            Self::Ended(Cause::Terminated) => 143,
        }
    }

    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone(_) | Outcome::Ended(_) | Outcome::Asked(_) => {
                Self::Done
            }
            Outcome::Declined { .. } => Self::Declined,
            Outcome::Unknown(_)
            | Outcome::AsksCustomer(_)
            | Outcome::GoesOut(_)
            | Outcome::NotSeen(_) => Self::Unknown,
            Outcome::NotSent(_) => Self::Unreachable,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
