//! What follows from what happens. Pure: no clock, no I/O, no await.
//!
//! | file | what it decides |
//! |---|---|
//! | `keys` | what a key means here: a dialog's, a field's or an action's |
//! | `go`, `below` | moving, and what opening leads to |
//! | `lists` | filter, order, marks, detail, personal data |
//! | `load`, `ask` | when to ask, what, and how answers join what is shown |
//! | `verbs` | whether an action is possible, and how a verb begins |
//! | `confirm`, `dialogs` | keys inside dialogs |
//! | `approve` | what waits for a second person |
//! | `outcome` | what a plan or a result does to the screen |
//! | `field` | editing text |
//!
//! Invariant: only `confirm` makes an [`Effect::Apply`] or an [`Effect::StartRun`], from a plan that was on the screen and confirmed as it asks.

mod approve;
mod ask;
mod below;
mod confirm;
mod dialogs;
mod field;
mod go;
mod keys;
mod lists;
mod load;
mod outcome;
mod verbs;

use super::effect::Effect;
use super::fault::Fault;
use super::input::InputEvent;
use super::model::{Life, Message, Modal, Model, Now, Phase, Privacy, Told, Tone};
use super::msg::Msg;
use super::term::{Cause, Notice};

pub use dialogs::{MenuEntry, menu_entries};
pub use outcome::{asks_about_money, away_text, lapsed_text};
pub use verbs::availability;

/// Clocks that differ by less are one.
const SAME_CLOCK_S: i64 = 30;

/// Takes one message in and says what is to be done.
pub fn update(model: &mut Model, msg: Msg, now: Now) -> Vec<Effect> {
    model.now = now;
    let was_at = model.visit().place.clone();
    let mut effects = match msg {
        Msg::Started => {
            let mut effects = load::enter(model);
            effects.extend(load::count_unknown(model));
            effects.push(Effect::AskAway);
            effects
        }
        Msg::Input(event) => input(model, event),
        Msg::Tick => tick(model),
        Msg::Drawn => drawn(model),
        Msg::Loaded { ticket, loaded } => load::loaded(model, ticket, *loaded),
        Msg::Failed { ticket, fault } => load::failed(model, ticket, fault),
        Msg::Planned { ticket, answer } => outcome::planned(model, ticket, answer),
        Msg::Applied { ticket, answer } => outcome::applied(model, ticket, answer),
        Msg::Progress { ticket, progress } => {
            outcome::progress(model, ticket, progress);
            Vec::new()
        }
        Msg::RunEnded { ticket, answer } => outcome::run_ended(model, ticket, answer),
        Msg::Version(version) => {
            let mut effects = load::version(model, version);
            if model.away_open > 0 {
                effects.push(Effect::AskAway);
            }
            effects
        }
        Msg::Away(away) => outcome::away(model, *away),
        Msg::Clock(at) => {
            clock(model, at);
            Vec::new()
        }
        Msg::Lost => {
            model.is_lost = true;
            Vec::new()
        }
        Msg::Unknowns(count) => {
            model.unknown = Some(count);
            Vec::new()
        }
        Msg::Wishes(count) => {
            model.wishes = Some(count);
            Vec::new()
        }
        Msg::RevealRecorded(outcome) => {
            lists::reveal_recorded(model, outcome);
            Vec::new()
        }
        Msg::Link { ticket, answer } => {
            outcome::linked(model, ticket, answer);
            Vec::new()
        }
        Msg::ViewSaved(outcome) => {
            view_saved(model, outcome);
            Vec::new()
        }
        Msg::Copied(outcome) => {
            copied(model, outcome.is_ok());
            Vec::new()
        }
        Msg::Notice(notice) => noticed(model, notice),
    };
    if model.visit().place != was_at {
        lists::cover_elsewhere(model);
    }
    effects.extend(load::catch_up(model));
    effects
}

fn clock(model: &mut Model, at: chrono::DateTime<chrono::Utc>) {
    let behind = model.now.at - at;
    // The way of the answer is no difference.
    let is_one_clock = behind.num_seconds().abs() < SAME_CLOCK_S;
    model.db_behind = if is_one_clock {
        chrono::TimeDelta::zero()
    } else {
        behind
    };
}

fn input(model: &mut Model, event: InputEvent) -> Vec<Effect> {
    match event {
        InputEvent::Key(press) => keys::press(model, press),
        InputEvent::Burst(burst) => keys::burst(model, &burst),
        InputEvent::Paste(text) => keys::paste(model, &text),
        InputEvent::Resize(width, height) => {
            model.size = ratatui::layout::Size::new(width, height);
            go::keep_selection_in_sight(model);
            load::rest(model);
            Vec::new()
        }
        InputEvent::FocusGained | InputEvent::FocusLost => Vec::new(),
        InputEvent::InputLost => leave(model),
    }
}

fn tick(model: &mut Model) -> Vec<Effect> {
    let now_ms = model.now.ms;
    if let Some(Modal::Confirm(confirm)) = model.modals.last_mut()
        && let Phase::Ready(ready) = &confirm.phase
        && ready.gate.is_expired(now_ms)
    {
        confirm.phase = Phase::Expired;
    }
    if let Privacy::Revealed { until_ms } = model.privacy
        && now_ms >= until_ms
    {
        model.privacy = Privacy::Masked;
    }
    load::due(model)
}

fn drawn(model: &mut Model) -> Vec<Effect> {
    let now_ms = model.now.ms;
    if let Some(Modal::Confirm(confirm)) = model.modals.last_mut()
        && let Phase::Ready(ready) = &mut confirm.phase
    {
        ready.gate.shown_ms.get_or_insert(now_ms);
    }
    Vec::new()
}

fn view_saved(model: &mut Model, outcome: Result<(), Fault>) {
    match outcome {
        Ok(()) => {
            let text = model.locale().t("console.news.view_saved").to_owned();
            model.tell(Tone::Good, text);
        }
        Err(fault) => model.modals.push(Modal::Message(Box::new(Message {
            verb: None,
            called: "",
            what: Told::Fault(fault),
        }))),
    }
}

fn copied(model: &mut Model, sent: bool) {
    let locale = model.locale();
    if sent {
        let text = locale.t("console.news.copied").to_owned();
        model.tell(Tone::Good, text);
    } else {
        let text = locale.t("console.news.not_copied").to_owned();
        model.tell(Tone::Bad, text);
    }
}

fn noticed(model: &mut Model, notice: Notice) -> Vec<Effect> {
    match notice {
        Notice::Quit(Cause::Hangup | Cause::Interrupted | Cause::Quit | Cause::Terminated) => {
            leave(model)
        }
        Notice::Suspend => vec![Effect::Suspend],
        Notice::Resumed => vec![Effect::Resume],
        Notice::WorkerPanicked { location, .. } => {
            let text = model
                .locale()
                .t_args("console.news.worker", &[("where", &location)]);
            model.tell(Tone::Bad, text);
            Vec::new()
        }
    }
}

pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    model.life = Life::Leaving;
    vec![Effect::Leave]
}
