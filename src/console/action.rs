//! Everything a person can do at the console, in one table.
//!
//! The footer's hints, the help, the palette, the key map and the list of verbs with their command line twins all
//! read [`ACTIONS`]; nothing else names a key. Invariant: no action that changes anything happens by its key alone.

use crate::domain::operator::Verb;

use super::model::Screen;

/// Something a key or a word in the palette does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Show(Screen),
    Up,
    Down,
    HalfUp,
    HalfDown,
    First,
    Last,
    Open,
    Back,
    NextPane,
    PreviousPane,
    Filter,
    /// Filters kept under a name.
    Views,
    SaveView,
    /// What was asked of Stripe and is not known to be done.
    Wishes,
    Sort,
    Reverse,
    Mark,
    MarkAll,
    Detail,
    Customer,
    Reveal,
    Copy,
    Refresh,
    Find,
    Help,
    Palette,
    Log,
    Repaint,
    Suspend,
    Quit,
    Charge,
    Retry,
    Refund,
    Cancel,
    UndoCancel,
    /// Stripe goes on making the invoices of a subscription that it schedules, and collects none.
    Pause,
    Resume,
    /// Stripe withdraws an unpaid invoice.
    VoidInvoice,
    /// Stripe tries an unpaid invoice no more.
    GiveUpInvoice,
    ResolveUnknown,
    SendAgain,
    /// Show the link at which a customer answers their bank.
    Link,
    /// Ask a second person to agree that an unknown charge was never executed.
    NotExecuted,
    /// What waits for a second person.
    Approve,
    SwapCard,
    /// Running subscriptions are charged by the chosen card.
    UseCard,
    /// The chosen card is charged no more, and its provider forgets it.
    ForgetCard,
    Subscribe,
    OneTime,
    CreateCustomer,
    CreatePlan,
    EditPlan,
    DeactivatePlan,
    Note,
    BillRun,
}

/// Where help lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Verbs that change something.
    Act,
    /// Ways around a screen.
    Move,
    /// What is shown and how.
    Look,
    /// Screens.
    Screens,
    /// The program itself.
    Program,
}

/// What it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Danger {
    /// Nothing changes anywhere.
    None,
    /// Rows change; no money moves.
    Writes,
    /// Money may move.
    Money,
}

/// One line of the table. Its texts are `console.action.ID.name` and `.help`.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    pub action: Action,
    pub id: &'static str,
    /// As [`super::keymap`] reads them; the first is the one hints show.
    pub keys: &'static [&'static str],
    pub group: Group,
    pub danger: Danger,
    /// The capabilities it may need.
    pub verbs: &'static [Verb],
    /// The same on the command line.
    pub twin: Option<&'static str>,
}

const fn plain(
    action: Action,
    id: &'static str,
    keys: &'static [&'static str],
    group: Group,
) -> Spec {
    Spec {
        action,
        id,
        keys,
        group,
        danger: Danger::None,
        verbs: &[],
        twin: None,
    }
}

const fn verb(
    action: Action,
    id: &'static str,
    keys: &'static [&'static str],
    danger: Danger,
    verbs: &'static [Verb],
    twin: &'static str,
) -> Spec {
    Spec {
        action,
        id,
        keys,
        group: Group::Act,
        danger,
        verbs,
        twin: Some(twin),
    }
}

const fn screen(screen: Screen, keys: &'static [&'static str]) -> Spec {
    plain(Action::Show(screen), screen.id(), keys, Group::Screens)
}

/// Every action, in the order in which help lists them.
pub const ACTIONS: &[Spec] = &[
    verb(
        Action::Charge,
        "charge",
        &["c"],
        Danger::Money,
        &[Verb::Charge],
        "charge",
    ),
    verb(
        Action::Retry,
        "retry",
        &["r"],
        Danger::Money,
        &[Verb::Retry],
        "retry",
    ),
    verb(
        Action::Refund,
        "refund",
        &["f"],
        Danger::Money,
        &[Verb::Refund],
        "refund",
    ),
    verb(
        Action::Cancel,
        "cancel",
        &["x"],
        Danger::Writes,
        &[Verb::CancelAtEnd, Verb::CancelNow],
        "cancel",
    ),
    verb(
        Action::UndoCancel,
        "undo_cancel",
        &["u"],
        Danger::Writes,
        &[Verb::UndoCancel],
        "cancel --undo",
    ),
    verb(
        Action::Pause,
        "pause",
        &["p"],
        Danger::Writes,
        &[Verb::Pause],
        "mirror pause",
    ),
    verb(
        Action::Resume,
        "resume",
        &["C"],
        Danger::Writes,
        &[Verb::Resume],
        "mirror resume",
    ),
    verb(
        Action::VoidInvoice,
        "void_invoice",
        &["V"],
        Danger::Writes,
        &[Verb::CancelNow],
        "mirror void",
    ),
    verb(
        Action::GiveUpInvoice,
        "give_up_invoice",
        &["U"],
        Danger::Writes,
        &[Verb::CancelNow],
        "mirror give-up",
    ),
    verb(
        Action::ResolveUnknown,
        "resolve_unknown",
        &["R"],
        Danger::Money,
        &[Verb::ResolveUnknown],
        "unknown resolve",
    ),
    verb(
        Action::SendAgain,
        "send_again",
        &["S"],
        Danger::Money,
        &[Verb::ResolveUnknown],
        "unknown send-again",
    ),
    verb(
        Action::Link,
        "link",
        &["L"],
        Danger::Writes,
        &[Verb::Charge],
        "unknown link",
    ),
    verb(
        Action::NotExecuted,
        "not_executed",
        &["X"],
        Danger::Writes,
        &[Verb::ForceState],
        "unknown not-executed",
    ),
    verb(
        Action::Approve,
        "approve",
        &["A"],
        Danger::Money,
        &[Verb::Approve],
        "approve grant",
    ),
    verb(
        Action::SwapCard,
        "swap_card",
        &["m"],
        Danger::Money,
        &[Verb::SwapCard],
        "method add",
    ),
    verb(
        Action::UseCard,
        "use_card",
        &["M"],
        Danger::Writes,
        &[Verb::SwapCard],
        "method use",
    ),
    verb(
        Action::ForgetCard,
        "forget_card",
        &["K"],
        Danger::Writes,
        &[Verb::SwapCard],
        "method delete",
    ),
    verb(
        Action::Subscribe,
        "subscribe",
        &["s"],
        Danger::Money,
        &[Verb::Subscribe],
        "subscribe",
    ),
    verb(
        Action::OneTime,
        "one_time",
        &["t"],
        Danger::Money,
        &[Verb::OneTime],
        "one-time",
    ),
    verb(
        Action::CreateCustomer,
        "create_customer",
        &["N"],
        Danger::Writes,
        &[Verb::CreateCustomer],
        "customer create",
    ),
    verb(
        Action::CreatePlan,
        "create_plan",
        &["P"],
        Danger::Writes,
        &[Verb::CreatePlan],
        "plan create",
    ),
    verb(
        Action::EditPlan,
        "edit_plan",
        &["E"],
        Danger::Writes,
        &[Verb::EditPlan],
        "plan edit",
    ),
    verb(
        Action::DeactivatePlan,
        "deactivate_plan",
        &["D"],
        Danger::Writes,
        &[Verb::DeactivatePlan],
        "plan deactivate",
    ),
    verb(
        Action::Note,
        "note",
        &["n"],
        Danger::Writes,
        &[Verb::Note],
        "note",
    ),
    verb(
        Action::BillRun,
        "bill_run",
        &["B"],
        Danger::Money,
        &[Verb::BillRun],
        "bill run",
    ),
    plain(Action::Down, "down", &["j", "down"], Group::Move),
    plain(Action::Up, "up", &["k", "up"], Group::Move),
    plain(
        Action::HalfDown,
        "half_down",
        &["ctrl-d", "pagedown"],
        Group::Move,
    ),
    plain(
        Action::HalfUp,
        "half_up",
        &["ctrl-u", "pageup"],
        Group::Move,
    ),
    plain(Action::First, "first", &["g", "home"], Group::Move),
    plain(Action::Last, "last", &["G", "end"], Group::Move),
    plain(Action::Open, "open", &["enter", "l", "right"], Group::Move),
    plain(
        Action::Back,
        "back",
        &["esc", "h", "left", "backspace"],
        Group::Move,
    ),
    plain(Action::NextPane, "next_pane", &["tab"], Group::Move),
    plain(
        Action::PreviousPane,
        "previous_pane",
        &["shift-tab"],
        Group::Move,
    ),
    plain(Action::Filter, "filter", &["/"], Group::Look),
    plain(Action::Find, "find", &["F"], Group::Look),
    plain(Action::Wishes, "wishes", &["T"], Group::Look),
    plain(Action::Views, "views", &["w"], Group::Look),
    plain(Action::SaveView, "save_view", &["W"], Group::Look),
    plain(Action::Sort, "sort", &["o"], Group::Look),
    plain(Action::Reverse, "reverse", &["O"], Group::Look),
    plain(Action::Mark, "mark", &["space"], Group::Look),
    plain(Action::MarkAll, "mark_all", &["*"], Group::Look),
    plain(Action::Detail, "detail", &["d"], Group::Look),
    plain(Action::Customer, "customer", &["i"], Group::Look),
    plain(Action::Reveal, "reveal", &["v"], Group::Look),
    plain(Action::Copy, "copy", &["y"], Group::Look),
    plain(Action::Refresh, "refresh", &["ctrl-r", "f5"], Group::Look),
    screen(Screen::Overview, &["1"]),
    screen(Screen::Customers, &["2"]),
    screen(Screen::Subscriptions, &["3"]),
    screen(Screen::Renewals, &["4"]),
    screen(Screen::Failed, &["5"]),
    screen(Screen::Payments, &["6"]),
    screen(Screen::Revenue, &["7"]),
    screen(Screen::Plans, &["8"]),
    screen(Screen::Unknown, &["9"]),
    screen(Screen::Runs, &["0"]),
    screen(Screen::Events, &["e"]),
    screen(Screen::Activity, &["a"]),
    plain(Action::Help, "help", &["?", "f1"], Group::Program),
    plain(Action::Palette, "palette", &[":", "ctrl-p"], Group::Program),
    plain(Action::Log, "log", &["!"], Group::Program),
    plain(Action::Repaint, "repaint", &["ctrl-l"], Group::Program),
    plain(Action::Suspend, "suspend", &["ctrl-z"], Group::Program),
    plain(Action::Quit, "quit", &["q", "ctrl-c"], Group::Program),
];

impl Action {
    /// Its line in the table.
    pub fn spec(self) -> Option<&'static Spec> {
        ACTIONS.iter().find(|spec| spec.action == self)
    }

    pub fn danger(self) -> Danger {
        self.spec().map_or(Danger::None, |spec| spec.danger)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::locale::{Lang, Locale};

    #[test]
    fn every_action_has_a_name_and_a_help_in_both_languages() {
        for spec in ACTIONS {
            for lang in Lang::ALL {
                for part in ["name", "help"] {
                    let key = format!("console.action.{}.{part}", spec.id);
                    assert!(Locale::get(lang).find(&key).is_some(), "no {key}");
                }
            }
        }
    }

    #[test]
    fn every_screen_has_an_action_with_its_own_key() {
        for screen in Screen::ALL {
            let spec = Action::Show(screen).spec().expect("a line in the table");
            assert_eq!(spec.keys, [screen.key().to_string()]);
        }
    }

    #[test]
    fn help_lists_each_group_in_one_piece() {
        let mut groups: Vec<Group> = ACTIONS.iter().map(|spec| spec.group).collect();
        groups.dedup();
        let expected = [
            Group::Act,
            Group::Move,
            Group::Look,
            Group::Screens,
            Group::Program,
        ];
        assert_eq!(groups, expected);
    }

    #[test]
    fn ids_are_unique_and_every_changing_action_has_a_twin_and_a_verb() {
        let ids: BTreeSet<&str> = ACTIONS.iter().map(|spec| spec.id).collect();
        assert_eq!(ids.len(), ACTIONS.len());
        for spec in ACTIONS {
            let changes = spec.danger != Danger::None;
            assert_eq!(changes, spec.twin.is_some(), "{}", spec.id);
            assert_eq!(changes, !spec.verbs.is_empty(), "{}", spec.id);
        }
    }
}
