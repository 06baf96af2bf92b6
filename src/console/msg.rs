//! Everything that can happen to the console.

use super::effect::Loaded;
use super::fault::Fault;
use super::input::InputEvent;
use super::model::{Planned, Progress, Ticket};
use super::term::Notice;
use crate::engine::queries::Away;
use crate::engine::{OpenLink, Outcome, RunSummary};

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// The console begins: ask for the first screen.
    Started,
    Input(InputEvent),
    /// Time passed while something on the screen moves, or a minute is over.
    Tick,
    /// The last frame is on the screen.
    Drawn,
    /// What was asked for with this ticket.
    Loaded {
        ticket: Ticket,
        loaded: Box<Loaded>,
    },
    /// What was asked for with this ticket did not come.
    Failed {
        ticket: Ticket,
        fault: Fault,
    },
    /// What would happen.
    Planned {
        ticket: Ticket,
        answer: Result<Box<Planned>, Fault>,
    },
    /// What happened.
    Applied {
        ticket: Ticket,
        answer: Result<Box<Outcome>, Fault>,
    },
    /// How far a billing run is.
    Progress {
        ticket: Ticket,
        progress: Progress,
    },
    /// A billing run is over.
    RunEnded {
        ticket: Ticket,
        answer: Result<Box<RunSummary>, Fault>,
    },
    /// The database's version, once it has changed.
    Version(i64),
    /// The database's own clock.
    Clock(chrono::DateTime<chrono::Utc>),
    /// The database does not answer.
    Lost,
    /// How many attempts are unknown.
    Unknowns(u64),
    /// How many requests at a provider nobody knows the outcome of.
    Wishes(u64),
    /// That personal data is about to be shown was written down, or not.
    RevealRecorded(Result<(), Fault>),
    /// Where a customer answers their bank, or why there is no such place.
    Link {
        ticket: Ticket,
        answer: Result<Box<OpenLink>, Fault>,
    },
    /// A filter was kept under a name, or not.
    ViewSaved(Result<(), Fault>),
    /// What became of this person's calls while nobody looked.
    Away(Box<Away>),
    /// Text was handed to the terminal's clipboard, or not.
    Copied(Result<(), Fault>),
    /// Around the console.
    Notice(Notice),
}
