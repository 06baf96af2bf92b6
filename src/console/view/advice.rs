//! What comes of an unpaid invoice by itself, and what may be said to the customer about it.
//!
//! The texts of a failure say what it means; whether anything is tried again is the invoice's own plan, and nothing is
//! promised that is not planned.

use chrono::{DateTime, Utc};

use super::super::model::Model;
use super::super::theme::Role;
use crate::domain::dunning::DunningState;
use crate::domain::mirror::Scheduler;
use crate::domain::states::InvoiceState;

/// What is planned for an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// A try at this time, which is still to come.
    At(DateTime<Utc>),
    /// A try whose time has passed.
    Overdue(DateTime<Utc>),
    /// None until there is another card.
    AwaitingCard,
    /// None: all are used up.
    Exhausted,
    /// None was ever planned.
    Nothing,
    /// The provider that schedules it tries at this time.
    Theirs(DateTime<Utc>),
    /// The provider that schedules it plans none.
    TheirsNothing,
}

impl Planned {
    pub fn of(
        scheduler: Scheduler,
        state: InvoiceState,
        dunning: DunningState,
        next: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        if !scheduler.is_ours() {
            let next = next.filter(|_| state == InvoiceState::Open);
            return next.map_or(Self::TheirsNothing, Self::Theirs);
        }
        match (dunning, next) {
            (DunningState::Exhausted, _) => Self::Exhausted,
            _ if state != InvoiceState::Open => Self::Nothing,
            (DunningState::AwaitingCard, _) => Self::AwaitingCard,
            (DunningState::Scheduled, Some(at)) if at <= now => Self::Overdue(at),
            (DunningState::Scheduled, Some(at)) => Self::At(at),
            (DunningState::Scheduled | DunningState::Idle, _) => Self::Nothing,
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::At(_) => "scheduled",
            Self::Overdue(_) => "overdue",
            Self::AwaitingCard => "awaiting_card",
            Self::Exhausted => "exhausted",
            Self::Nothing => "idle",
            Self::Theirs(_) => "theirs",
            Self::TheirsNothing => "theirs_idle",
        }
    }

    /// What somebody here should know.
    pub fn what_follows(self, model: &Model) -> String {
        self.text(model, "do")
    }

    /// What the customer may be told.
    pub fn say(self, model: &Model) -> String {
        self.text(model, "say")
    }

    fn text(self, model: &Model, part: &str) -> String {
        let at = match self {
            Self::At(at) | Self::Overdue(at) | Self::Theirs(at) => model.date_time(at),
            Self::AwaitingCard | Self::Exhausted | Self::Nothing | Self::TheirsNothing => {
                String::new()
            }
        };
        let key = format!("console.next_try.{part}_{}", self.id());
        model.locale().t_args(&key, &[("at", &at)])
    }
}

/// When the next try comes, or since when it should have.
pub fn next_try(model: &Model, at: DateTime<Utc>) -> (String, Role) {
    if at > model.now.at {
        return (model.coming(at), Role::Text);
    }
    let age = model.age(at);
    let text = model
        .locale()
        .t_args("console.next_try.overdue", &[("age", &age)]);
    (text, Role::NeedsPerson)
}
