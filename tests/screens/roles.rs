//! I02 in the console: five roles by every action that changes something, held to the table written by hand. What a
//! role may not do is not hinted at, says why, and asks nothing.

use std::collections::BTreeSet;

use paydeck::console::action::{ACTIONS, Action, Danger, Spec};
use paydeck::console::model::Screen;
use paydeck::console::update::availability;
use paydeck::domain::mode::Mode;
use paydeck::domain::operator::{Access, Role, Verb};
use paydeck::locale::{Lang, Locale};

use crate::roles::{TABLE, is_built, may};
use crate::stage::{Stage, operator, setting};

fn changing() -> impl Iterator<Item = &'static Spec> {
    ACTIONS.iter().filter(|spec| spec.danger != Danger::None)
}

fn stage(role: Role, access: Access) -> Stage {
    let mut setting = setting(Mode::Sim, Lang::En);
    setting.operator = operator(vec![role], access);
    Stage::with(setting, 120, 40)
}

/// What the last line names, key by key.
fn hinted(stage: &Stage) -> Vec<(String, String)> {
    let text = stage.text();
    let line = text.lines().last().unwrap_or_default();
    line.split("  ")
        .filter_map(|hint| hint.trim().split_once(' '))
        .map(|(key, name)| (key.to_owned(), name.to_owned()))
        .collect()
}

fn hint_of(lang: Lang, spec: &Spec) -> (String, String) {
    let locale = Locale::get(lang);
    let short = locale.find(&format!("console.action.{}.hint", spec.id));
    let name = locale.find(&format!("console.action.{}.name", spec.id));
    let key = match spec.keys[0] {
        "enter" => "↵",
        key => key,
    };
    (key.to_owned(), short.or(name).unwrap().to_owned())
}

#[test]
fn the_console_has_an_action_for_every_verb_that_is_built_and_for_no_other() {
    let offered: Vec<Verb> = changing().flat_map(|spec| spec.verbs).copied().collect();
    for (verb, ..) in TABLE {
        assert_eq!(offered.contains(&verb), is_built(verb), "{verb}");
    }
}

#[test]
fn i02_each_role_is_offered_what_the_table_says() {
    for role in Role::ALL {
        let stage = stage(role, Access::ReadWrite);
        for spec in changing() {
            let allowed = spec.verbs.iter().any(|verb| may(role, *verb));
            let is_refused = availability(&stage.model, spec.action) == Err("role");
            assert_eq!(is_refused, !allowed, "{role:?} {}", spec.id);
        }
    }
}

#[test]
fn i07_a_read_only_session_offers_no_role_anything() {
    for role in Role::ALL {
        let stage = stage(role, Access::ReadOnly);
        for spec in changing() {
            let why = availability(&stage.model, spec.action);
            assert_eq!(why, Err("read_only"), "{role:?} {}", spec.id);
        }
    }
}

#[test]
fn i02_on_every_screen_a_refused_action_is_neither_hinted_nor_begun() {
    for (role, access) in [
        (Role::Viewer, Access::ReadWrite),
        (Role::Support, Access::ReadWrite),
        (Role::Oncall, Access::ReadWrite),
        (Role::Finance, Access::ReadWrite),
        (Role::Admin, Access::ReadOnly),
    ] {
        let mut stage = stage(role, access);
        for screen in Screen::ALL {
            stage.press(&screen.key().to_string());
            let hinted = hinted(&stage);
            for spec in changing() {
                let allowed = spec.verbs.iter().any(|verb| may(role, *verb));
                if allowed && access == Access::ReadWrite {
                    continue;
                }
                let hint = hint_of(Lang::En, spec);
                assert!(!hinted.contains(&hint), "{role:?} {screen:?}: {hint:?}");
                stage.press(spec.keys[0]);
                let is_quiet = stage.model.modals.is_empty() && stage.effects.is_empty();
                assert!(is_quiet, "{role:?} {screen:?}: {} began", spec.id);
            }
        }
    }
}

#[test]
fn o07_the_last_line_names_registered_actions_alone() {
    for lang in Lang::ALL {
        let registered: BTreeSet<(String, String)> =
            ACTIONS.iter().map(|spec| hint_of(lang, spec)).collect();
        let mut stage = Stage::new(120, 40, lang);
        let mut seen = BTreeSet::new();
        for screen in Screen::ALL {
            stage.press(&screen.key().to_string());
            for hint in hinted(&stage) {
                assert!(registered.contains(&hint), "{screen:?}: {hint:?}");
                seen.insert(hint);
            }
        }
        let quit = Action::Quit.spec().map(|spec| hint_of(lang, spec));
        assert!(seen.len() >= 12, "{quit:?} {seen:?}");
    }
}
