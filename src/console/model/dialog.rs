//! Everything that can stand over a screen: the confirming dialog, forms, menus, messages.

use tui_input::Input;

use super::form::Form;
use super::list::Ticket;
use crate::console::fault::Fault;
use crate::domain::ids::SubscriptionId;
use crate::domain::operator::Verb;
use crate::engine::queries::SortBy;
use crate::engine::{ActionPlan, Confirmation, Outcome, Request};

/// How long nothing is taken after a dialog's first frame is on the screen, in milliseconds.
pub const ARM_MS: u64 = 300;
/// How long a plan may be looked at before it must be read again, in milliseconds.
pub const EXPIRY_MS: u64 = 60_000;

/// What stands over the screen; the last one has the keys.
#[derive(Debug, Clone)]
pub enum Modal {
    Confirm(Box<Confirm>),
    Form(Box<Form>),
    /// Help and palette: a list of actions that typing narrows.
    Menu(Menu),
    Sort(SortMenu),
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
}

impl Asked {
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Request(request) => request.verb(),
            Self::ChargeOf(_) => Verb::Charge,
            Self::RetryOf(_) => Verb::Retry,
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
    pub plan: ActionPlan,
    /// What will be applied: exactly this, whatever the screen shows by then.
    pub request: Request,
    /// When its first frame was on the screen; nothing counts before.
    pub shown_ms: Option<u64>,
    /// What must be typed, one field each.
    pub typed: Vec<Typed>,
    pub focus: usize,
    /// First line of a plan that is taller than the dialog.
    pub scroll: usize,
}

/// One field of a typed confirmation.
#[derive(Debug, Clone)]
pub struct Typed {
    pub wanted: Wanted,
    pub input: Input,
    /// When it last changed.
    pub changed_ms: u64,
}

/// What a field must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Amount(crate::domain::money::Money),
    Ending(String),
}

impl Wanted {
    /// Whether what was typed is it.
    pub fn is_met_by(&self, typed: &str) -> bool {
        match self {
            Self::Amount(money) => {
                let digits: String = typed
                    .chars()
                    .filter(|ch| !matches!(ch, ',' | ' ' | '₩' | '$'))
                    .collect();
                crate::domain::money::Money::parse(&digits, money.currency()) == Ok(*money)
            }
            Self::Ending(ending) => !ending.is_empty() && typed.trim().eq_ignore_ascii_case(ending),
        }
    }
}

impl Ready {
    pub fn new(plan: ActionPlan, request: Request) -> Self {
        let wanted = match &plan.confirm {
            Confirmation::Key => Vec::new(),
            Confirmation::Amount(money) => vec![Wanted::Amount(*money)],
            Confirmation::Ending(ending) => vec![Wanted::Ending(ending.clone())],
            Confirmation::AmountAndEnding(money, ending) => {
                vec![Wanted::Amount(*money), Wanted::Ending(ending.clone())]
            }
        };
        let typed = wanted
            .into_iter()
            .map(|wanted| Typed {
                wanted,
                input: Input::default(),
                changed_ms: 0,
            })
            .collect();
        Self {
            plan,
            request,
            shown_ms: None,
            typed,
            focus: 0,
            scroll: 0,
        }
    }

    /// Whether keys count already.
    pub fn is_armed(&self, now_ms: u64) -> bool {
        self.shown_ms
            .is_some_and(|shown| now_ms >= shown.saturating_add(ARM_MS))
    }

    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.shown_ms
            .is_some_and(|shown| now_ms >= shown.saturating_add(EXPIRY_MS))
    }

    /// Whole seconds left, rounded up.
    pub fn seconds_left(&self, now_ms: u64) -> u64 {
        let until = self.shown_ms.unwrap_or(now_ms).saturating_add(EXPIRY_MS);
        until.saturating_sub(now_ms).div_ceil(1_000)
    }

    /// Whether everything that must be typed has been.
    pub fn is_typed(&self) -> bool {
        self.typed
            .iter()
            .all(|field| field.wanted.is_met_by(field.input.value()))
    }

    /// Whether the confirming key would confirm. An ending may end in the confirming key itself, so that key only
    /// counts a moment after the ending was typed.
    pub fn may_confirm(&self, now_ms: u64) -> bool {
        let settled = self.typed.iter().all(|field| match field.wanted {
            Wanted::Amount(_) => true,
            Wanted::Ending(_) => now_ms >= field.changed_ms.saturating_add(ARM_MS),
        });
        self.is_armed(now_ms) && !self.is_expired(now_ms) && settled && self.is_typed()
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
    pub selected: usize,
}

impl SortMenu {
    pub const CHOICES: [SortBy; 4] = [SortBy::Time, SortBy::Amount, SortBy::Name, SortBy::State];
}

/// Something that must be read.
#[derive(Debug, Clone)]
pub struct Message {
    /// What it is about.
    pub verb: Option<Verb>,
    pub what: Told,
}

/// What a message tells.
#[derive(Debug, Clone)]
pub enum Told {
    /// Nothing happened, and why.
    Fault(Fault),
    /// The provider said no, or nobody knows yet.
    Outcome(Outcome),
    /// Leaving now would leave a call under way.
    CallInFlight,
}

/// The last messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogView {
    /// Lines scrolled up from the newest.
    pub back: usize,
}
