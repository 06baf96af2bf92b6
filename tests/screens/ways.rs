//! Ways around: every action can be found, every key does what help says.

use std::collections::BTreeSet;

use paydeck::console::action::ACTIONS;
use paydeck::console::effect::{Effect, Question};
use paydeck::console::fault::Fault;
use paydeck::console::input::{InputEvent, KeyPress};
use paydeck::console::model::{
    Asked, CardLine, Content, Menu, MenuKind, Modal, Place, Screen, card_lines,
};
use paydeck::console::msg::Msg;
use paydeck::console::update;
use paydeck::console::update::{MenuEntry, menu_entries};
use paydeck::domain::customer::PaymentMethod;
use paydeck::domain::ids::MethodId;
use paydeck::domain::states::MethodState;
use paydeck::engine::Request;
use paydeck::locale::Lang;

use super::stage::Stage;

fn found(stage: &Stage, kind: MenuKind, typed: &str) -> Vec<&'static str> {
    let menu = Menu {
        kind,
        input: tui_input::Input::new(typed.to_owned()),
        selected: 0,
    };
    menu_entries(&stage.model, &menu)
        .into_iter()
        .filter_map(|entry| match entry {
            MenuEntry::Action(spec) => Some(spec.id),
            MenuEntry::Find => None,
        })
        .collect()
}

#[test]
fn help_and_palette_list_every_action_on_every_screen() {
    let all: BTreeSet<&str> = ACTIONS.iter().map(|spec| spec.id).collect();
    let mut stage = Stage::new(80, 24, Lang::En);
    for screen in Screen::ALL {
        stage.press(&screen.key().to_string());
        for kind in [MenuKind::Help, MenuKind::Palette] {
            let listed: BTreeSet<&str> = found(&stage, kind, "").into_iter().collect();
            assert_eq!(listed, all);
        }
    }
}

#[test]
fn help_narrows_by_name_key_and_description_and_enter_runs() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    assert_eq!(found(&stage, MenuKind::Help, "환불")[0], "refund");
    assert!(found(&stage, MenuKind::Help, "ctrl-d").contains(&"half_down"));
    assert_eq!(found(&stage, MenuKind::Palette, "failed")[0], "failed");
    stage.press("5 ?");
    stage.type_text("재시도");
    stage.press("enter");
    assert!(matches!(stage.model.modals.last(), Some(Modal::Confirm(_))));
}

#[test]
fn the_palette_opens_screens_and_finds_what_is_no_action() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press(":");
    stage.type_text("payments");
    stage.press("enter");
    assert_eq!(stage.model.tab, Screen::Payments);
    stage.press(":");
    stage.type_text("서현 4242");
    stage.press("enter");
    assert_eq!(
        stage.model.visit().place,
        Place::Found("서현 4242".to_owned())
    );
    stage.press("enter");
    assert!(matches!(stage.model.visit().place, Place::Customer(_)));
    stage.press("esc esc");
    assert_eq!(stage.model.visit().place, Place::Screen(Screen::Payments));
}

#[test]
fn a_filter_narrows_and_a_wrong_one_says_why_where_it_is_typed() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("3 /");
    stage.type_text("colour:red");
    stage.press("enter");
    assert!(stage.text().contains("unknown field colour"));
    stage.press("ctrl-u");
    stage.type_text("status:past_due plan:pro");
    stage.press("enter");
    let list = stage.model.visit().list().unwrap();
    assert_eq!(list.filter.conditions.len(), 2);
    assert!(stage.text().contains("/status:past_due plan:pro"));
    stage.press("esc");
    assert!(stage.model.visit().list().unwrap().filter.is_empty());
}

#[test]
fn rows_are_asked_for_as_the_selection_nears_their_end_and_the_last_at_once() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("6");
    for _ in 0..30 {
        stage.press("ctrl-d");
    }
    let list = stage.model.visit().list().unwrap();
    assert!(list.paged.rows.len() > 100 && list.paged.rows.len() <= 300);
    let before = list.current().unwrap().key();
    stage.press("G");
    let list = stage.model.visit().list().unwrap();
    assert_ne!(list.current().unwrap().key(), before);
    assert!(!list.paged.more_later && list.paged.more_earlier);
    stage.press("g");
    let list = stage.model.visit().list().unwrap();
    assert_eq!(list.paged.selected, 0);
    assert!(!list.paged.more_earlier);
}

#[test]
fn an_answer_to_an_old_question_changes_nothing() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("6");
    let now = stage.now();
    let effects = update(
        &mut stage.model,
        Msg::Input(InputEvent::Key(KeyPress::char('5'))),
        now,
    );
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Load {
            ticket,
            question: Question::List { .. },
            ..
        } => Some(*ticket),
        _ => None,
    });
    let ticket = asked.expect("the screen asks for its rows");
    let loaded = Box::new(super::stage::answer(&Question::Find(String::new())));
    stage.send(Msg::Loaded {
        ticket: ticket - 1,
        loaded,
    });
    assert!(stage.model.visit().list().unwrap().paged.is_empty());
}

#[test]
fn somebody_elses_change_reloads_but_not_under_a_dialog_and_the_row_stays_selected() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("5 j j j");
    let chosen = stage.model.visit().list().unwrap().current().unwrap().key();
    let before = stage.model.last_ticket;
    stage.send(Msg::Version(1));
    assert_eq!(stage.model.last_ticket, before, "nothing changed");
    stage.press("?");
    stage.send(Msg::Version(2));
    assert_eq!(stage.model.last_ticket, before, "a dialog is open");
    stage.press("esc");
    assert!(stage.model.last_ticket > before);
    let list = stage.model.visit().list().unwrap();
    assert_eq!(list.current().unwrap().key(), chosen);
}

#[test]
fn a_figure_opens_the_rows_behind_it() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("enter");
    let list = stage.model.visit().list().unwrap();
    assert_eq!(list.filter_text, "status:active,past_due");
    stage.press("esc tab enter");
    assert!(matches!(stage.model.visit().place, Place::RenewalsOf(_)));
    stage.press("esc tab enter");
    assert!(
        stage
            .model
            .visit()
            .list()
            .unwrap()
            .filter_text
            .starts_with("days:2026-10-23..2026-11-21 code:")
    );
}

#[test]
fn marks_are_counted_summed_and_copied_and_verbs_wait() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("5 space space");
    assert!(stage.text().contains("2 marked  ₩29,700"));
    stage.press("r");
    assert!(stage.model.modals.is_empty());
    stage.press("y");
    assert!(matches!(&stage.effects[..], [Effect::Copy(text)] if text.lines().count() == 2));
    stage.press("esc r");
    assert!(matches!(stage.model.modals.last(), Some(Modal::Confirm(_))));
}

#[test]
fn personal_data_is_masked_until_it_is_revealed_and_again_after_half_a_minute() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("2");
    assert!(!stage.text().contains("김서현") && stage.text().contains("김*현"));
    stage.press("v");
    assert!(stage.text().contains("김서현") && stage.text().contains("user0@example.com"));
    stage.wait(30_000);
    assert!(!stage.text().contains("김서현"));
}

#[test]
fn personal_data_that_cannot_be_written_down_as_shown_stays_masked() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("2");
    let key = Msg::Input(InputEvent::Key(KeyPress::char('v')));
    let now = stage.now();
    let effects = update(&mut stage.model, key, now);
    assert!(matches!(&effects[..], [Effect::RecordReveal(place)] if place == "customers"));
    assert!(!stage.text().contains("김서현"));
    stage.send(Msg::RevealRecorded(Err(Fault::new("not_recorded"))));
    assert!(!stage.text().contains("김서현"));
    assert!(matches!(stage.model.modals.last(), Some(Modal::Message(_))));
}

#[test]
fn korean_keys_work_outside_fields() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5");
    for ch in ['ㅓ', 'ㅓ', 'ㄱ'] {
        stage.send(Msg::Input(InputEvent::Key(KeyPress::char(ch))));
    }
    assert_eq!(stage.model.visit().lines().1, 2);
    stage.wait(400);
    stage.send(Msg::Input(InputEvent::Key(KeyPress::char('ㅛ'))));
    assert_eq!(stage.applied().len(), 1, "ㅛ stands for y");
}

#[test]
fn a_form_says_which_field_is_wrong_and_goes_on_to_a_plan() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("6 f ctrl-u");
    stage.type_text("99999999");
    stage.press("enter enter enter enter");
    assert!(stage.text().contains("more than can be refunded"));
    stage.press("ctrl-u");
    stage.type_text("3,000");
    stage.press("enter enter enter enter");
    assert!(matches!(stage.model.modals.last(), Some(Modal::Confirm(_))));
    assert!(matches!(stage.model.visit().content, Content::List(_)));
}

#[test]
fn a_filter_is_kept_under_a_name_and_used_again() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("3 /");
    stage.type_text("status:past_due month:2026-11");
    stage.press("enter W");
    stage.type_text("11월 연체");
    stage.press("enter");
    assert!(matches!(&stage.effects[..], [Effect::SaveView(view)]
        if view.screen == "subscriptions" && view.filter == "status:past_due month:2026-11"));
    stage.press("w");
    assert!(stage.text().contains("연체 프로"));
    stage.press("enter");
    let list = stage.model.visit().list().unwrap();
    assert_eq!(list.filter_text, "status:past_due plan:pro");
    assert_eq!(list.from, None, "the days of the filter before are gone");
}

#[test]
fn a_list_is_counted_when_a_person_has_rested_on_it() {
    let mut stage = Stage::new(80, 24, Lang::En);
    let total = |stage: &Stage| stage.model.visit().list().unwrap().paged.total;
    let key = |stage: &mut Stage, key: char| {
        stage.send(Msg::Input(InputEvent::Key(KeyPress::char(key))));
    };
    key(&mut stage, '6');
    assert_eq!(total(&stage), None, "rows do not wait for their count");
    stage.wait(400);
    let counted = total(&stage);
    assert!(counted.is_some());

    // Read again, it is the same list; narrowed, it is another.
    stage.send(Msg::Version(2));
    assert_eq!(total(&stage), counted);
    stage.press("/");
    stage.type_text("status:refunded");
    let enter = paydeck::console::keymap::parse("enter").unwrap();
    stage.send(Msg::Input(InputEvent::Key(enter)));
    assert_eq!(total(&stage), None, "no count of other rows");
    stage.wait(400);
    assert!(total(&stage).is_some());
}

#[test]
fn n04_a_saved_card_is_chosen_or_forgotten_on_its_customers_page() {
    let asked = |keys: &str| {
        let mut stage = Stage::new(80, 24, Lang::En);
        stage.press(keys);
        match stage.model.modals.last() {
            Some(Modal::Confirm(confirm)) => Some(confirm.asked.clone()),
            _ => None,
        }
    };
    let first = MethodId(1);
    let used = asked("2 enter j M");
    assert!(matches!(used, Some(Asked::Request(Request::UseMethod { method })) if method == first));
    let gone = asked("2 enter j K");
    assert!(
        matches!(gone, Some(Asked::Request(Request::DeleteMethod { method })) if method == first)
    );
    assert!(asked("2 enter M").is_none(), "a subscription is no card");
}

#[test]
fn n04_a_card_that_its_provider_may_not_have_forgotten_can_be_chosen_again() {
    let mut card = super::rows::customer_card(4);
    let active = card.methods[0].clone();
    let of = |state: MethodState, id: i64| PaymentMethod {
        id: MethodId(id),
        state,
        ..active.clone()
    };
    card.methods.push(of(MethodState::Deleted, 2));
    card.methods.push(of(MethodState::Replaced, 3));
    let methods = |lines: &[CardLine]| {
        let is_method = |line: &&CardLine| matches!(line, CardLine::Method(_));
        lines.iter().filter(is_method).count()
    };
    assert_eq!(methods(&card_lines(&card)), 2);
    card.methods.truncate(1);
    assert_eq!(methods(&card_lines(&card)), 1);
}
