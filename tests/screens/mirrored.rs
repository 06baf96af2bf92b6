//! What Stripe schedules, in the console: its keys, its card, what was asked and is not known to be done.

use paydeck::console::action::Action;
use paydeck::console::input::{InputEvent, KeyPress};
use paydeck::console::model::{Place, Visit};
use paydeck::console::msg::Msg;
use paydeck::console::update::availability;
use paydeck::domain::ids::{InvoiceId, SubscriptionId};
use paydeck::domain::mode::Mode;
use paydeck::domain::operator::{Access, Role};
use paydeck::engine::Request;
use paydeck::locale::Lang;

use super::rows::MIRRORED;
use super::stage::{Stage, operator, setting};

const THEIRS: [(Action, &str); 4] = [
    (Action::Pause, "p"),
    (Action::Resume, "C"),
    (Action::VoidInvoice, "V"),
    (Action::GiveUpInvoice, "U"),
];

/// At the card of a subscription.
fn at_card(mut stage: Stage, number: i64) -> Stage {
    let place = Place::Subscription(SubscriptionId(number));
    stage.model.stack.push(Visit::new(place));
    stage.press("ctrl-r");
    stage
}

/// At the timeline of an invoice.
fn at_invoice(mut stage: Stage, number: i64) -> Stage {
    let place = Place::Invoice(InvoiceId(number));
    stage.model.stack.push(Visit::new(place));
    stage.press("ctrl-r");
    stage
}

#[test]
fn a_card_that_stripe_schedules_names_its_keys_and_one_of_ours_does_not() {
    for (lang, named) in [
        (Lang::Ko, ["p 정지", "C 재개", "V 무효", "U 포기"]),
        (Lang::En, ["p pause", "C resume", "V void", "U give up"]),
    ] {
        let stage = at_card(Stage::new(120, 40, lang), MIRRORED);
        let text = stage.text();
        let last = text.lines().last().unwrap_or_default();
        for name in named {
            assert!(last.contains(name), "{last}");
        }
        let stage = at_card(Stage::new(120, 40, lang), 1);
        let text = stage.text();
        let last = text.lines().last().unwrap_or_default();
        for name in named {
            assert!(!last.contains(name), "{last}");
        }
    }
}

#[test]
fn collection_stops_after_its_plan_was_confirmed_and_not_before() {
    let mut stage = at_card(Stage::new(80, 24, Lang::Ko), MIRRORED);
    stage.press("p");
    assert!(stage.applied().is_empty());
    let text = stage.text();
    assert!(
        text.contains("일시 정지") && text.contains("초안"),
        "{text}"
    );
    stage.press("y");
    let applied = stage.applied();
    let subscription = SubscriptionId(MIRRORED);
    assert!(
        matches!(applied[0], Request::Pause { subscription: one } if *one == subscription),
        "{applied:?}"
    );
}

#[test]
fn an_invoice_is_withdrawn_or_given_up_with_a_reason_and_under_its_own_name() {
    for (key, title, other) in [
        ("V", "withdraw invoice", "cancel now"),
        ("U", "give invoice up", "cancel now"),
    ] {
        let mut stage = at_invoice(Stage::new(100, 30, Lang::En), MIRRORED);
        stage.press(key);
        stage.press("enter");
        assert!(stage.applied().is_empty(), "it wants a reason");
        stage.type_text("moved away");
        stage.press("enter");
        let text = stage.text();
        assert!(text.contains(title) && !text.contains(other), "{text}");
        stage.press("y");
        let applied = stage.applied();
        let reason = match applied.first() {
            Some(Request::VoidInvoice { reason, .. }) if key == "V" => reason,
            Some(Request::GiveUpInvoice { reason, .. }) if key == "U" => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason, "moved away");
        let text = stage.text();
        assert!(
            text.contains(title),
            "the line of what is under way: {text}"
        );
    }
}

#[test]
fn in_live_the_number_of_the_invoice_is_typed_and_the_dialog_says_so() {
    let setting = setting(Mode::Live, Lang::En);
    let mut stage = at_invoice(Stage::with(setting, 100, 30), MIRRORED);
    stage.press("V");
    stage.type_text("moved");
    stage.press("enter");
    let text = stage.text();
    assert!(text.contains("last 4 of the invoice id"), "{text}");
    stage.press("y");
    assert!(stage.applied().is_empty(), "a key alone confirms nothing");
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason_and_asks_nothing() {
    for stage in [
        at_card(Stage::new(100, 30, Lang::En), 1),
        at_invoice(Stage::new(100, 30, Lang::En), 1),
    ] {
        for (action, key) in THEIRS {
            let mut stage = Stage {
                effects: Vec::new(),
                ..at_same(&stage)
            };
            assert_eq!(availability(&stage.model, action), Err("needs_mirrored"));
            stage.send(Msg::Input(InputEvent::Key(KeyPress::char(
                key.chars().next().unwrap_or(' '),
            ))));
            let text = stage.text();
            assert!(text.contains("only what Stripe schedules"), "{text}");
            assert!(stage.model.modals.is_empty() && stage.effects.is_empty());
        }
    }
    let stage = at_card(Stage::new(100, 30, Lang::En), MIRRORED);
    assert_eq!(
        availability(&stage.model, Action::Resume),
        Err("not_paused")
    );
    let mut stage = Stage::new(100, 30, Lang::En);
    stage.press("6");
    assert_eq!(
        availability(&stage.model, Action::GiveUpInvoice),
        Err("paid_already")
    );
    stage.press("2");
    assert_eq!(
        availability(&stage.model, Action::VoidInvoice),
        Err("needs_unpaid_invoice")
    );
}

fn at_same(stage: &Stage) -> Stage {
    Stage {
        model: stage.model.clone(),
        ms: stage.ms,
        effects: Vec::new(),
        is_limited: false,
    }
}

#[test]
fn roles_and_a_read_only_session_are_respected_on_a_card_that_stripe_schedules() {
    for (role, access, why) in [
        (Role::Viewer, Access::ReadWrite, "role"),
        (Role::Finance, Access::ReadWrite, "role"),
        (Role::Admin, Access::ReadOnly, "read_only"),
    ] {
        let mut setting = setting(Mode::Sim, Lang::En);
        setting.operator = operator(vec![role], access);
        let mut stage = at_card(Stage::with(setting, 120, 40), MIRRORED);
        for (action, key) in THEIRS {
            assert_eq!(availability(&stage.model, action), Err(why), "{role:?}");
            stage.press(key);
            assert!(stage.model.modals.is_empty() && stage.effects.is_empty());
        }
        let text = stage.text();
        let last = text.lines().last().unwrap_or_default();
        assert!(!last.contains("V void"), "{last}");
    }
}

#[test]
fn what_is_open_at_stripe_is_counted_listed_and_says_what_one_can_do() {
    for lang in [Lang::Ko, Lang::En] {
        for (width, height) in [(80, 24), (120, 40)] {
            let mut stage = Stage::new(width, height, lang);
            stage.send(Msg::Wishes(2));
            let asked = if lang == Lang::Ko {
                "Stripe 요청 2"
            } else {
                "asked of Stripe 2"
            };
            let text = stage.text();
            let head = text.lines().next().unwrap_or_default();
            assert!(head.contains(asked) || head.contains("T2"), "{head}");
            stage.press("9");
            assert!(stage.text().contains("T: "), "{}", stage.text());
            stage.press("T");
            let text = stage.text();
            for word in match lang {
                Lang::Ko => ["청구서 무효", "lee", "할 일 없음"],
                Lang::En => ["withdraw invoice", "lee", "Nothing: it is read again"],
            } {
                assert!(text.contains(word), "{word}: {text}");
            }
            stage.press("j");
            let text = stage.text();
            let again = if lang == Lang::Ko {
                "같은 키를 다시"
            } else {
                "same key on the"
            };
            assert!(text.contains(again), "{text}");
            stage.press("enter");
            let there = Place::Subscription(SubscriptionId(MIRRORED + 1));
            assert_eq!(stage.model.visit().place, there);
        }
    }
}

#[test]
fn the_card_says_what_was_asked_and_by_whom() {
    let stage = at_card(Stage::new(80, 24, Lang::Ko), MIRRORED);
    let text = stage.text();
    assert!(
        text.contains("청구서 무효") && text.contains("lee"),
        "{text}"
    );
}

#[test]
fn a_mirrored_charge_was_made_by_the_schedule_unless_somebody_asked_for_it() {
    for (lang, schedule, asked) in [
        (Lang::Ko, "Stripe 일정에 따라", "kim 요청으로 Stripe가"),
        (Lang::En, "by Stripe's schedule", "by Stripe, asked by kim"),
    ] {
        let stage = at_invoice(Stage::new(120, 40, lang), MIRRORED);
        let text = stage.text();
        assert!(text.contains(schedule) && text.contains(asked), "{text}");
        let stage = at_invoice(Stage::new(120, 40, lang), 1);
        assert!(!stage.text().contains("Stripe"), "{}", stage.text());
    }
}
