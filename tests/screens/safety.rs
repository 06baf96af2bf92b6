//! No way to money but a confirmed plan.

use proptest::prelude::*;

use paydeck::console::effect::Effect;
use paydeck::console::input::{Burst, InputEvent, KeyCode, KeyPress};
use paydeck::console::model::{Modal, Phase, Told};
use paydeck::console::msg::Msg;
use paydeck::domain::mode::Mode;
use paydeck::domain::operator::{Access, Role, Verb};
use paydeck::engine::{Outcome, Receipt, Request};
use paydeck::locale::Lang;

use super::stage::{Stage, operator, setting};

const MONEY: [Verb; 3] = [Verb::Charge, Verb::Retry, Verb::Refund];

fn live() -> Stage {
    Stage::with(setting(Mode::Live, Lang::Ko), 80, 24)
}

fn key(stage: &mut Stage, press: KeyPress) {
    stage.send(Msg::Input(InputEvent::Key(press)));
}

#[test]
fn pressing_yes_twice_applies_once() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5 r y y y");
    assert_eq!(stage.applied().len(), 1);
    assert!(matches!(stage.applied()[0], Request::Retry { .. }));
}

#[test]
fn enter_never_confirms_and_the_key_that_began_never_confirms() {
    for (screen, verb) in [("5", "r"), ("5", "c"), ("9", "R"), ("3", "u")] {
        let mut stage = Stage::new(80, 24, Lang::Ko);
        stage.press(&format!("{screen} j j j {verb} {verb} {verb} enter"));
        assert!(stage.applied().is_empty(), "{verb}");
    }
}

#[test]
fn nothing_counts_before_the_dialog_has_been_on_the_screen_for_a_moment() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5");
    key(&mut stage, KeyPress::char('r'));
    key(&mut stage, KeyPress::char('y'));
    stage.send(Msg::Drawn);
    stage.ms += 299;
    key(&mut stage, KeyPress::char('y'));
    assert!(stage.applied().is_empty());
    stage.ms += 1;
    key(&mut stage, KeyPress::char('y'));
    assert_eq!(stage.applied().len(), 1);
}

#[test]
fn a_dialog_expires_and_reads_its_rows_again() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5 r");
    stage.wait(60_000);
    stage.press("y");
    assert!(stage.applied().is_empty());
    stage.press("enter y");
    assert_eq!(stage.applied().len(), 1);
}

#[test]
fn live_charges_want_their_amount_typed_and_nothing_else_will_do() {
    let mut stage = live();
    stage.press("5 r y");
    stage.type_text("990");
    stage.press("y enter");
    assert!(stage.applied().is_empty());
    stage.type_text("0");
    stage.press("y");
    assert_eq!(stage.applied().len(), 1);
}

#[test]
fn a_live_refund_wants_amount_and_ending() {
    let mut stage = live();
    stage.press("6 f enter enter enter enter");
    stage.type_text("27,000");
    stage.press("y tab");
    stage.type_text("9t4");
    stage.press("y");
    assert!(stage.applied().is_empty(), "the y became part of the field");
    stage.press("backspace");
    stage.type_text("k");
    stage.press("y");
    assert!(matches!(stage.applied()[..], [Request::Refund { .. }]));
}

#[test]
fn an_ending_that_ends_in_the_confirming_key_is_not_confirmed_by_typing_it_twice() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("3 x space enter enter enter");
    for ch in "00y8".chars() {
        key(&mut stage, KeyPress::char(ch));
    }
    key(&mut stage, KeyPress::char('y'));
    assert!(stage.applied().is_empty());
    stage.wait(400);
    key(&mut stage, KeyPress::char('y'));
    assert!(matches!(stage.applied()[..], [Request::CancelNow { .. }]));
}

#[test]
fn text_thrown_at_the_terminal_fills_a_field_and_never_confirms() {
    let mut stage = live();
    stage.press("5 r");
    let keys = "9900yyy".chars().map(KeyPress::char).collect();
    stage.send(Msg::Input(InputEvent::Burst(Burst { keys })));
    stage.send(Msg::Input(InputEvent::Paste("y".to_owned())));
    assert!(stage.applied().is_empty());
    stage.press("y");
    assert_eq!(
        stage.applied().len(),
        1,
        "the amount was typed all the same"
    );
}

#[test]
fn a_burst_or_a_paste_on_a_list_presses_nothing() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5");
    let keys = "rrry".chars().map(KeyPress::char).collect();
    stage.send(Msg::Input(InputEvent::Burst(Burst { keys })));
    let keys = vec![KeyPress::char('r'); 9];
    stage.send(Msg::Input(InputEvent::Burst(Burst { keys })));
    stage.send(Msg::Input(InputEvent::Paste("rq".to_owned())));
    assert!(stage.model.modals.is_empty() && stage.effects.is_empty());
}

#[test]
fn a_held_key_moves_as_often_as_it_was_repeated() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5");
    let keys = vec![KeyPress::char('j'); 7];
    stage.send(Msg::Input(InputEvent::Burst(Burst { keys })));
    assert_eq!(stage.model.visit().lines().1, 7);
}

#[test]
fn on_a_screen_that_is_too_small_only_leaving_works() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5 r");
    stage.send(Msg::Input(InputEvent::Resize(39, 12)));
    stage.press("y c f x esc");
    assert!(stage.applied().is_empty());
    stage.press("q");
    assert!(matches!(stage.effects[..], [Effect::Leave]));
}

#[test]
fn a_result_for_a_closed_dialog_is_told_and_an_old_ticket_is_dropped() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5 r y esc 3");
    let Some(Effect::Apply { ticket, .. }) = stage.effects.last().cloned() else {
        panic!("nothing was applied");
    };
    let unknown = || Ok(Box::new(Outcome::Unknown(Receipt::default())));
    stage.send(Msg::Applied {
        ticket: ticket + 1_000,
        answer: unknown(),
    });
    assert!(stage.model.modals.is_empty() && stage.model.jobs.len() == 1);
    stage.send(Msg::Applied {
        ticket,
        answer: unknown(),
    });
    assert!(stage.model.jobs.is_empty());
    assert!(matches!(stage.model.modals.last(),
        Some(Modal::Message(message)) if matches!(message.what, Told::Outcome(Outcome::Unknown(_)))));
}

#[test]
fn leaving_with_a_call_under_way_says_so_first() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5 r y esc q");
    assert!(
        !stage
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Leave))
    );
    stage.press("q");
    assert!(matches!(stage.effects.last(), Some(Effect::Leave)));
}

#[test]
fn who_may_not_is_told_why_and_nothing_is_asked() {
    for (roles, access) in [
        (vec![Role::Viewer], Access::ReadWrite),
        (vec![Role::Admin], Access::ReadOnly),
    ] {
        let mut setting = setting(Mode::Sim, Lang::En);
        setting.operator = operator(roles, access);
        let mut stage = Stage::with(setting, 80, 24);
        for keys in [
            "5 c", "5 r", "6 f", "3 x", "3 u", "9 R", "2 s", "2 t", "2 m", "2 N", "8 P", "0 B",
        ] {
            stage.press(keys);
            assert!(stage.model.modals.is_empty(), "{keys}");
        }
        assert!(stage.effects.is_empty());
        assert!(
            !stage.text().contains("retry  "),
            "hints name no forbidden verb"
        );
    }
}

/// What may be thrown at the console.
#[derive(Debug, Clone)]
enum Throw {
    Key(KeyPress),
    Burst(Vec<char>),
    Paste(String),
    Wait(u64),
    Resize(u16, u16),
}

fn throws(keys: &'static str) -> impl Strategy<Value = Vec<Throw>> {
    let chars: Vec<char> = keys.chars().collect();
    let special = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
    ];
    let one = prop_oneof![
        8 => prop::sample::select(chars.clone()).prop_map(|ch| Throw::Key(KeyPress::char(ch))),
        5 => prop::sample::select(special.to_vec()).prop_map(|code| Throw::Key(KeyPress::plain(code))),
        3 => (0_u64..900).prop_map(Throw::Wait),
        1 => prop::collection::vec(prop::sample::select(chars), 4..12).prop_map(Throw::Burst),
        1 => "[a-zA-Z0-9 ]{0,8}".prop_map(Throw::Paste),
        1 => (20_u16..130, 8_u16..45).prop_map(|(w, h)| Throw::Resize(w, h)),
    ];
    prop::collection::vec(one, 1..120)
}

fn throw(stage: &mut Stage, what: &Throw) {
    match what {
        Throw::Key(press) => key(stage, *press),
        Throw::Burst(chars) => {
            let keys = chars.iter().copied().map(KeyPress::char).collect();
            stage.send(Msg::Input(InputEvent::Burst(Burst { keys })));
        }
        Throw::Paste(text) => stage.send(Msg::Input(InputEvent::Paste(text.clone()))),
        Throw::Wait(ms) => stage.wait(*ms),
        Throw::Resize(w, h) => stage.send(Msg::Input(InputEvent::Resize(*w, *h))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn without_a_typed_amount_no_sequence_moves_money_in_live(
        screen in "[1-9]",
        all in throws("abcdefghijklmnoprstuvwxyzBCDEFGNOPRy?:/!* y"),
    ) {
        let mut stage = live();
        stage.press(&screen);
        for what in &all {
            throw(&mut stage, what);
        }
        for request in stage.applied() {
            prop_assert!(!MONEY.contains(&request.verb()), "{request:?}");
        }
        let runs = stage.effects.iter().any(|effect| matches!(effect, Effect::StartRun { .. }));
        prop_assert!(!runs);
    }

    #[test]
    fn only_the_confirming_key_on_a_complete_plan_applies_and_only_once(
        all in throws("cfrxyyyyyysujk0123456789,R? "),
    ) {
        let mut stage = live();
        stage.press("5");
        for what in &all {
            let before = stage.applied().len();
            let ready = match stage.model.modals.last() {
                Some(Modal::Confirm(confirm)) => match &confirm.phase {
                    Phase::Ready(ready) => ready.gate.may_confirm(stage.ms),
                    _ => false,
                },
                _ => false,
            };
            throw(&mut stage, what);
            if stage.applied().len() > before {
                prop_assert!(ready);
                prop_assert_eq!(stage.applied().len(), before + 1);
                let is_yes = matches!(what, Throw::Key(press) if *press == KeyPress::char('y'));
                prop_assert!(is_yes, "{:?}", what);
                let is_gone = !matches!(stage.model.modals.last(), Some(Modal::Confirm(confirm))
                    if matches!(confirm.phase, Phase::Ready(_)));
                prop_assert!(is_gone);
            }
        }
    }
}
