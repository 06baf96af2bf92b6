//! What newcomers stumbled over, and does not happen again.

use paydeck::console::effect::Effect;
use paydeck::console::input::{InputEvent, KeyPress};
use paydeck::console::model::{Content, Modal, Privacy};
use paydeck::console::msg::Msg;
use paydeck::console::update;
use paydeck::domain::attempt::{AttemptKind, Source};
use paydeck::domain::ids::{AttemptId, InvoiceId, Noun};
use paydeck::domain::mode::Mode;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::{CardUse, ThreeDSecure};
use paydeck::domain::states::AttemptState;
use paydeck::engine::queries::{Away, AwayRow, Timeline, TimelineEntry, TimelineEvent};
use paydeck::locale::Lang;

use super::rows;
use super::stage::{Stage, setting};

fn away_row(number: i64, kind: AttemptKind, state: AttemptState) -> AwayRow {
    AwayRow {
        id: AttemptId(number),
        public_id: rows::public(Noun::Attempt, number),
        kind,
        state,
        customer: rows::brief(0),
        invoice_id: InvoiceId(number),
        amount: rows::won(9_900),
        settled_at: Some(rows::ago(3)),
    }
}

#[test]
fn what_finished_while_somebody_was_away_greets_him_once() {
    for (lang, title, taken, given) in [
        (
            Lang::En,
            "Finished while you were away",
            "succeeded",
            "refunded",
        ),
        (Lang::Ko, "자리를 비운 사이", "성공", "환불됨"),
    ] {
        let mut stage = Stage::new(80, 24, lang);
        let finished = vec![
            away_row(1, AttemptKind::Charge, AttemptState::Succeeded),
            away_row(2, AttemptKind::Refund, AttemptState::Succeeded),
            away_row(3, AttemptKind::Charge, AttemptState::Declined),
        ];
        stage.send(Msg::Away(Box::new(Away {
            finished,
            open: 0,
            ..Away::default()
        })));
        let text = stage.text();
        for part in [title, "₩9,900", taken, given] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("김서현"), "names are masked: {text}");
        assert!(matches!(&stage.effects[..], [Effect::RecordGreeted(ids)] if ids.len() == 3));
        stage.press("enter");
        assert!(stage.model.modals.is_empty());
        // Nothing new: nothing is said and nothing is written down.
        stage.send(Msg::Away(Box::default()));
        assert!(stage.model.modals.is_empty());
        assert_eq!(stage.effects.len(), 1);
    }
}

#[test]
fn a_request_that_nobody_decided_in_time_is_told_to_its_author() {
    for (lang, words) in [
        (
            Lang::En,
            ["Nobody decided in time", "refund", "₩600,000", "ask again"],
        ),
        (
            Lang::Ko,
            ["승인 시간이 지남", "환불", "₩600,000", "다시 요청"],
        ),
    ] {
        let mut stage = Stage::new(80, 24, lang);
        let lapsed: Vec<_> = rows::waiting().into_iter().take(1).collect();
        let id = lapsed[0].public_id.to_string();
        let away = Away {
            lapsed,
            ..Away::default()
        };
        stage.send(Msg::Away(Box::new(away)));
        let text = stage.text();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(matches!(&stage.effects[..], [Effect::RecordGreeted(ids)] if *ids == [id.clone()]));
    }
}

#[test]
fn what_waits_says_whose_money_and_which_payment() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("A");
    let text = stage.text();
    let target = paydeck::text::short_id(rows::public(Noun::Payment, 0).as_str(), 4);
    let name = stage.model.name(&rows::brief(0).name);
    for word in [&*target, &*name, "lee", "이사"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn whoever_is_in_the_middle_of_something_reads_it_in_the_news() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("5 r");
    let finished = vec![away_row(1, AttemptKind::Charge, AttemptState::Succeeded)];
    stage.send(Msg::Away(Box::new(Away {
        finished,
        open: 0,
        ..Away::default()
    })));
    assert!(matches!(stage.model.modals.last(), Some(Modal::Confirm(_))));
    stage.press("esc");
    assert!(
        stage
            .model
            .news
            .iter()
            .any(|news| news.text.contains("while you were away"))
    );
}

#[test]
fn calls_of_a_terminal_that_died_are_asked_about_until_they_are_settled() {
    let mut stage = Stage::new(80, 24, Lang::En);
    let asks = |stage: &mut Stage, version| {
        let now = stage.now();
        let effects = update(&mut stage.model, Msg::Version(version), now);
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::AskAway))
    };
    assert!(!asks(&mut stage, 2));
    let open = |open| {
        Msg::Away(Box::new(Away {
            open,
            ..Away::default()
        }))
    };
    stage.send(open(1));
    assert!(asks(&mut stage, 3));
    stage.send(open(0));
    assert!(!asks(&mut stage, 4));
}

#[test]
fn personal_data_is_revealed_at_the_place_that_was_written_down_and_nowhere_else() {
    let mut stage = Stage::new(80, 24, Lang::Ko);
    stage.press("2 v");
    assert!(stage.text().contains("김서현"));
    stage.press("3");
    assert_eq!(stage.model.privacy, Privacy::Masked);
    assert!(!stage.text().contains("김서현"));
    // Somebody goes on before it is written down: what comes next stays covered.
    stage.press("2");
    let now = stage.now();
    for key in ['v', '3'] {
        update(
            &mut stage.model,
            Msg::Input(InputEvent::Key(KeyPress::char(key))),
            now,
        );
    }
    stage.send(Msg::RevealRecorded(Ok(())));
    assert_eq!(stage.model.privacy, Privacy::Masked);
}

fn shown(stage: &mut Stage, timeline: Timeline) -> String {
    stage.press("5 enter");
    let Content::Timeline(panel) = &mut stage.model.visit_mut().content else {
        panic!("no timeline")
    };
    panel.value = Some(Box::new(timeline));
    stage.text()
}

#[test]
fn n05_the_payment_card_says_over_how_many_months_it_is_paid_and_whether_the_bank_asked() {
    let used = |installment_months, three_d_secure| CardUse {
        installment_months,
        three_d_secure,
    };
    let asked = Some(ThreeDSecure::Authenticated);
    for (lang, card_use, told) in [
        (
            Lang::En,
            used(Some(3), asked),
            "in 3 monthly instalments  3-D Secure: customer proved",
        ),
        (
            Lang::Ko,
            used(Some(3), asked),
            "3개월 할부  3-D Secure: 본인 인증됨",
        ),
        (
            Lang::En,
            used(Some(0), None),
            "paid at once  3-D Secure: not known",
        ),
        (
            Lang::Ko,
            used(Some(0), Some(ThreeDSecure::NotUsed)),
            "일시불  3-D Secure: 쓰지 않음",
        ),
        (
            Lang::En,
            used(None, None),
            "instalments and 3-D Secure: not known",
        ),
        (Lang::Ko, used(None, None), "할부, 3-D Secure: 알 수 없음"),
    ] {
        for (width, height) in [(80, 24), (120, 40)] {
            let mut timeline = rows::timeline(0);
            timeline.payments = vec![rows::payment(0, card_use)];
            let mut stage = Stage::new(width, height, lang);
            let text = shown(&mut stage, timeline);
            assert!(text.contains(told), "{told} at {width}x{height}\n{text}");
        }
    }
}

#[test]
fn the_sums_below_the_chart_show_every_currency_where_there_is_room_for_it() {
    let dollars = |minor| Money::new(minor, Currency::USD);
    for lang in [Lang::En, Lang::Ko] {
        let mut stage = Stage::new(120, 40, lang);
        let Content::Overview(overview) = &mut stage.model.visit_mut().content else {
            panic!("no overview")
        };
        let shown = overview.value.as_mut().expect("figures");
        shown.gross = vec![rows::won(26_424_500), dollars(7_300)];
        shown.refunds = vec![rows::won(134_900), dollars(1_000)];
        shown.net = vec![rows::won(26_289_600), dollars(6_300)];
        let text = stage.text();
        let head = match lang {
            Lang::En => "net ",
            Lang::Ko => "순액 ",
        };
        let is_sums = |line: &&str| line.contains(head) && line.contains('$');
        let sums = text.lines().find(is_sums);
        let sums = sums.unwrap_or_else(|| panic!("no sums\n{text}"));
        assert_eq!(sums.matches('$').count(), 3, "{sums}");
        assert!(!sums.contains("+1"), "{sums}");
    }
}

#[test]
fn the_answer_to_a_refund_is_a_refund() {
    for (lang, refunded, not_yet, captured) in [
        (Lang::En, "refunded", "no refund seen", "captured"),
        (Lang::Ko, "환불됨", "환불이 보이지 않음", "결제됨"),
    ] {
        let mut timeline = rows::timeline(0);
        let mut refund = rows::attempt(1, Source::Manual, AttemptState::Succeeded);
        refund.kind = AttemptKind::Refund;
        timeline.attempts = vec![refund];
        let seen = |minutes| TimelineEntry {
            at: rows::ago(minutes),
            what: TimelineEvent::Evidence {
                attempt: 0,
                source: "look_up".to_owned(),
                outcome: "captured".to_owned(),
                code: None,
                http_status: Some(200),
                trace_id: None,
            },
        };
        timeline.entries = vec![seen(9), seen(5)];
        let mut stage = Stage::new(120, 40, lang);
        let text = shown(&mut stage, timeline);
        assert!(text.contains(refunded) && text.contains(not_yet), "{text}");
        assert!(!text.contains(captured), "{text}");
    }
}

#[test]
fn a_wrong_amount_is_answered_with_the_one_that_is_expected() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("6 f ctrl-u");
    stage.type_text("3000");
    stage.press("enter enter enter enter");
    assert!(
        matches!(stage.model.modals.last(), Some(Modal::Confirm(_))),
        "{}",
        stage.text()
    );
    stage.type_text("999");
    assert!(!stage.text().contains("expected"));
    stage.press("enter");
    assert!(
        stage.text().contains("₩3,000 is expected"),
        "{}",
        stage.text()
    );
    stage.press("backspace");
    assert!(!stage.text().contains("is expected"));
    assert!(stage.applied().is_empty());
}

#[test]
fn the_shop_has_its_name_in_the_header_where_there_is_room() {
    let named = |width| {
        let setting = paydeck::console::model::Setting {
            shop: "데모 상점".to_owned(),
            database: "sqlite".to_owned(),
            ..setting(Mode::Sim, Lang::Ko)
        };
        let stage = Stage::with(setting, width, 30);
        let text = stage.text();
        let head = text.lines().next().unwrap().to_owned();
        assert!(head.contains("SIM") && head.contains("kim"), "{head}");
        head.contains("데모 상점")
    };
    assert!(named(120));
    assert!(!named(44));
}

#[test]
fn a_cancel_says_the_number_of_its_subscription_once() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("3 x enter enter enter");
    let Some(Modal::Confirm(_)) = stage.model.modals.last() else {
        panic!("{}", stage.text())
    };
    let id = rows::public(Noun::Subscription, 8);
    let ending = &id.as_str()[id.as_str().len() - 6..];
    assert_eq!(stage.text().matches(ending).count(), 1, "{}", stage.text());
}

#[test]
fn an_amount_with_decimals_that_the_currency_has_not_says_so() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("6 f ctrl-u");
    stage.type_text("3.5");
    stage.press("enter enter enter enter");
    assert!(stage.text().contains("no decimals"), "{}", stage.text());
}

#[test]
fn what_is_unknown_says_for_how_long_what_was_tried_and_what_the_last_answer_was() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("9");
    // The pane is narrow: lines are read on as one.
    let text = stage.text();
    let pane: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once('│').map(|(_, pane)| pane.trim()))
        .collect();
    let text = pane.join(" ");
    for part in [
        "What was tried",
        "Open for 3m",
        "Look-ups 2, of which 2 not seen",
        "Last answer: not seen",
        "By itself: in",
        "R looks now",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_hidden_character_shows_in_the_title_of_a_detail_masked_or_not() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("2 enter");
    let Content::Customer(panel) = &mut stage.model.visit_mut().content else {
        panic!("no customer")
    };
    panel.value.as_mut().unwrap().customer.name = "김\u{202e}서현".to_owned();
    assert!(stage.text().contains("<U+202E>"), "{}", stage.text());
    stage.model.privacy = Privacy::Revealed { until_ms: u64::MAX };
    assert!(stage.text().contains("김<U+202E>서현"), "{}", stage.text());
}

#[test]
fn where_it_is_not_known_how_many_come_before_the_place_is_told_from_the_end() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("5");
    let list = stage.model.visit_mut().list_mut().unwrap();
    list.paged.total = None;
    list.paged.more_earlier = true;
    list.paged.more_later = false;
    let last = list.paged.rows.len() - 1;
    for (selected, told) in [(last, "last"), (last - 2, "last - 2")] {
        let list = stage.model.visit_mut().list_mut().unwrap();
        list.paged.selected = selected;
        let text = stage.text();
        let head = text.lines().nth(2).unwrap_or_default();
        assert!(head.ends_with(told) && !head.contains('+'), "{text}");
    }
}
