//! Everything that can stand over a screen: the confirming dialog, forms, menus, messages.

use chrono::{DateTime, Utc};
use tui_input::Input;

use super::form::Form;
use super::gate::{Gate, Wanted};
use super::list::Ticket;
use crate::console::fault::Fault;
use crate::domain::ids::SubscriptionId;
use crate::domain::mode::Mode;
use crate::domain::operator::Verb;
use crate::engine::queries::{AwayRow, SavedView, SortBy, WaitingRow};
use crate::engine::{ActionPlan, OpenLink, Outcome, Request, RunPreview};

/// What stands over the screen; the last one has the keys.
#[derive(Debug, Clone)]
pub enum Modal {
    Confirm(Box<Confirm>),
    Form(Box<Form>),
    /// Help and palette: a list of actions that typing narrows.
    Menu(Menu),
    Sort(SortMenu),
    Views(ViewMenu),
    Waiting(WaitingMenu),
    Message(Box<Message>),
    Log(LogView),
}

/// What is asked for: either exactly, or as the open invoice of a subscription that has yet to be looked up.
#[derive(Debug, Clone)]
pub enum Asked {
    Request(Request),
    /// Charge what this subscription owes.
    ChargeOf(SubscriptionId),
    /// Retry what this subscription owes.
    RetryOf(SubscriptionId),
    /// Bill everything that is due now.
    Run,
}

impl Asked {
    /// What people call it.
    pub const fn called(&self) -> &'static str {
        match self {
            Self::Request(request) => request.called(),
            Self::ChargeOf(_) | Self::RetryOf(_) | Self::Run => self.verb().as_str(),
        }
    }

    pub const fn verb(&self) -> Verb {
        match self {
            Self::Request(request) => request.verb(),
            Self::ChargeOf(_) => Verb::Charge,
            Self::RetryOf(_) => Verb::Retry,
            Self::Run => Verb::BillRun,
        }
    }
}

/// The dialog that stands between a key and money.
#[derive(Debug, Clone)]
pub struct Confirm {
    pub asked: Asked,
    /// Raw name of whom it is about, until the plan says it.
    pub name: String,
    pub phase: Phase,
}

/// How far a confirming dialog is.
#[derive(Debug, Clone)]
pub enum Phase {
    /// The plan is being computed.
    Planning { ticket: Ticket, since_ms: u64 },
    /// The plan is on the screen.
    Ready(Box<Ready>),
    /// Nobody confirmed in time. Nothing was sent.
    Expired,
    /// It was confirmed and is under way; closing the dialog does not stop it.
    Sending { ticket: Ticket, since_ms: u64 },
}

/// A plan that can be confirmed.
#[derive(Debug, Clone)]
pub struct Ready {
    pub planned: Planned,
    pub gate: Gate,
}

/// What would happen. Exactly this will be done, whatever the screen shows by then.
#[derive(Debug, Clone)]
pub enum Planned {
    Verb {
        request: Box<Request>,
        plan: Box<ActionPlan>,
    },
    /// A billing run over everything due at an instant.
    Run {
        until: DateTime<Utc>,
        preview: RunPreview,
    },
}

impl Ready {
    /// Live asks for more, as the table of confirmations says.
    pub fn new(planned: Planned, mode: Mode) -> Self {
        let gate = match &planned {
            Planned::Verb { plan, .. } => Gate::of(&plan.confirm),
            Planned::Run { preview, .. } => {
                let count = u64::try_from(preview.rows.len()).unwrap_or(u64::MAX);
                let mut wanted = vec![Wanted::Count(count)];
                if mode == Mode::Live {
                    wanted.extend(preview.totals.iter().copied().map(Wanted::Amount));
                }
                Gate::new(wanted)
            }
        };
        Self { planned, gate }
    }
}

/// Help shows keys by group, the palette takes a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MenuKind {
    Help,
    Palette,
    /// The search box: what is typed is looked for everywhere.
    Find,
}

/// A list that typing narrows.
#[derive(Debug, Clone)]
pub struct Menu {
    pub kind: MenuKind,
    pub input: Input,
    pub selected: usize,
}

/// Which column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortMenu {
    pub choices: &'static [SortBy],
    pub selected: usize,
}

/// The filters kept for a list.
#[derive(Debug, Clone, Default)]
pub struct ViewMenu {
    /// None until they have come.
    pub views: Option<Vec<SavedView>>,
    pub selected: usize,
}

/// What waits for a second person.
#[derive(Debug, Clone, Default)]
pub struct WaitingMenu {
    /// None until it has come.
    pub rows: Option<Vec<WaitingRow>>,
    pub selected: usize,
}

/// Something that must be read.
#[derive(Debug, Clone)]
pub struct Message {
    /// What it is about.
    pub verb: Option<Verb>,
    /// What people call that; empty where it is about none.
    pub called: &'static str,
    pub what: Told,
}

/// What a message tells.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, in a box of its own"
)]
#[derive(Debug, Clone)]
pub enum Told {
    /// Nothing happened, and why.
    Fault(Fault),
    /// The provider said no, or nobody knows yet.
    Outcome(Outcome),
    /// Where a customer answers their bank.
    Link(Box<OpenLink>),
    /// Leaving now would leave a call under way.
    CallInFlight,
    /// What was settled after this person's terminal was gone, and what he asked for and nobody decided in time.
    Away {
        finished: Vec<AwayRow>,
        lapsed: Vec<WaitingRow>,
    },
}

/// The last messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogView {
    /// Lines scrolled up from the newest.
    pub back: usize,
}
