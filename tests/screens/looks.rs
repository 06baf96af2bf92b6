//! Whole screens, as text and as looks.

use insta::assert_snapshot;

use paydeck::console::model::Screen;
use paydeck::domain::mode::Mode;
use paydeck::domain::operator::{Access, Role};
use paydeck::locale::Lang;

use super::stage::{Stage, operator, setting};

fn name(what: &str, width: u16, height: u16, lang: Lang) -> String {
    format!("{what}_{width}x{height}_{}", lang.code())
}

#[test]
fn every_screen_looks_right() {
    for lang in Lang::ALL {
        for (width, height) in [(80, 24), (120, 40)] {
            let mut stage = Stage::new(width, height, lang);
            for screen in Screen::ALL {
                stage.press(&screen.key().to_string());
                assert_snapshot!(name(screen.id(), width, height, lang), stage.dump());
            }
        }
    }
}

#[test]
fn a_small_terminal_shows_one_list_or_one_detail() {
    let mut stage = Stage::new(40, 12, Lang::Ko);
    for screen in Screen::ALL {
        stage.press(&screen.key().to_string());
        assert_snapshot!(name(screen.id(), 40, 12, Lang::Ko), stage.text());
    }
}

#[test]
fn cards_and_timelines_look_right() {
    for lang in Lang::ALL {
        let mut stage = Stage::new(80, 24, lang);
        for (what, keys) in [
            ("customer_card", "2 enter"),
            ("subscription_card", "3 enter"),
            ("timeline", "5 enter"),
            ("run_items", "0 enter"),
            ("renewals_of_a_day", "4 enter"),
            ("plan_subscriptions", "8 enter"),
        ] {
            stage.press(keys);
            assert_snapshot!(name(what, 80, 24, lang), stage.dump());
        }
    }
}

#[test]
fn dialogs_look_right() {
    for lang in Lang::ALL {
        for (mode, tag) in [(Mode::Sim, "sim"), (Mode::Live, "live")] {
            for (what, keys) in [
                ("retry", "5 r"),
                ("refund_form", "6 f"),
                ("refund", "6 f enter enter enter enter"),
                ("cancel_now", "3 x space enter enter enter"),
                ("bill_run", "0 B"),
                ("new_plan_form", "8 P"),
            ] {
                let mut stage = Stage::with(setting(mode, lang), 80, 24);
                stage.press(keys);
                assert_snapshot!(name(&format!("{what}_{tag}"), 80, 24, lang), stage.dump());
            }
        }
        for (what, keys) in [
            ("help", "5 ?"),
            ("palette", "5 :"),
            ("sort", "5 o"),
            ("log", "5 r esc !"),
            ("filter", "5 /"),
        ] {
            let mut stage = Stage::new(80, 24, lang);
            stage.press(keys);
            assert_snapshot!(name(what, 80, 24, lang), stage.dump());
        }
    }
}

#[test]
fn a_dialog_that_was_left_alone_says_that_nothing_was_sent() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("5 r");
    stage.wait(60_000);
    assert_snapshot!("expired_80x24_ko", stage.text());
}

#[test]
fn the_mode_stands_on_every_screen_at_every_size() {
    for (mode, word) in [
        (Mode::Live, "[ LIVE ]"),
        (Mode::Test, "[ TEST ]"),
        (Mode::Sim, "[ SIM ]"),
    ] {
        for (width, height) in [(40, 12), (80, 24), (120, 40)] {
            for access in [Access::ReadWrite, Access::ReadOnly] {
                let mut setting = setting(mode, Lang::Ko);
                setting.operator = operator(vec![Role::Oncall], access);
                let mut stage = Stage::with(setting, width, height);
                for screen in Screen::ALL {
                    stage.press(&screen.key().to_string());
                    let text = stage.text();
                    let first = text.lines().next().unwrap();
                    assert!(first.contains(word), "{} {first}", screen.id());
                }
            }
        }
    }
}

#[test]
fn a_customer_card_shows_its_ten_fields_on_a_classic_terminal() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("2 enter");
    let text = stage.text();
    for field in [
        "베이직 월",
        "active",
        "Nov 22 Sun",
        "in 1 days",
        "Hyundai",
        "123*",
        "12/27",
        "Credits     20",
        "₩27,000",
        "REJECT_CARD_PAYMENT",
        "다음 달부터",
    ] {
        assert!(text.contains(field), "{field} is missing in\n{text}");
    }
}

#[test]
fn a_timeline_tells_four_attempts_in_order_with_source_and_number() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("5 enter");
    let text = stage.text();
    let mut from = 0;
    for told in [
        "charge 1/4  run",
        "charge 2/4  dunning",
        "charge 3/4  manual",
        "charge 4/4  card update",
    ] {
        let at = text[from..].find(told);
        from += at.unwrap_or_else(|| panic!("{told} is missing in\n{text}"));
    }
    assert!(text.contains("REJECT_CARD_PAYMENT") && text.contains("balance or limit"));
}
