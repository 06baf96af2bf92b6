//! What is said about an unpaid invoice is what is planned for it, and who acts never leaves the screen.

use chrono::{DateTime, Duration, Utc};

use paydeck::console::effect::Loaded;
use paydeck::console::model::{Content, Place, Visit};
use paydeck::console::msg::Msg;
use paydeck::console::term::Switch;
use paydeck::domain::dunning::DunningState;
use paydeck::domain::failure::FailureClass;
use paydeck::domain::ids::InvoiceId;
use paydeck::domain::mode::Mode;
use paydeck::domain::states::{AttemptState, InvoiceState};
use paydeck::locale::{Lang, Locale};

use super::rows;
use super::stage::{Stage, setting};

/// The words for an invoice that failed, as they stand on its own screen.
fn said(
    lang: Lang,
    state: InvoiceState,
    dunning: DunningState,
    next: Option<DateTime<Utc>>,
) -> String {
    let mut stage = Stage::new(120, 40, lang);
    let mut timeline = rows::timeline(1);
    timeline.invoice.state = state;
    timeline.invoice.dunning = dunning;
    timeline.invoice.next_attempt_at = next;
    timeline.invoice.last_code = Some("REJECT_CARD_PAYMENT".to_owned());
    timeline.invoice.last_class = Some(FailureClass::Soft);
    for attempt in &mut timeline.attempts {
        attempt.state = AttemptState::Declined;
    }
    stage
        .model
        .stack
        .push(Visit::new(Place::Invoice(InvoiceId(1))));
    if let Content::Timeline(panel) = &mut stage.model.visit_mut().content {
        panel.loading.ask(9_999, 0);
    }
    stage.send(Msg::Loaded {
        ticket: 9_999,
        loaded: Box::new(Loaded::Timeline(Box::new(timeline))),
    });
    stage.text().replace('\n', " ")
}

#[test]
fn a_try_is_promised_only_where_one_is_planned() {
    let later = Some(rows::now() + Duration::days(2));
    let planned = said(Lang::En, InvoiceState::Open, DunningState::Scheduled, later);
    assert!(planned.contains("We will try again: Nov 23"), "{planned}");
    for (state, dunning, next) in [
        (InvoiceState::Uncollectible, DunningState::Exhausted, None),
        (InvoiceState::Open, DunningState::Idle, None),
        (InvoiceState::Open, DunningState::AwaitingCard, None),
        (InvoiceState::Uncollectible, DunningState::Idle, later),
    ] {
        let en = said(Lang::En, state, dunning, next);
        assert!(en.contains("We do not try again"), "{en}");
        assert!(!en.contains("We will try"), "{en}");
        let ko = said(Lang::Ko, state, dunning, next);
        assert!(!ko.contains("하겠습니다"), "{ko}");
    }
}

#[test]
fn a_try_whose_time_has_passed_is_overdue() {
    let before = Some(rows::now() - Duration::hours(4));
    let text = said(
        Lang::En,
        InvoiceState::Open,
        DunningState::Scheduled,
        before,
    );
    assert!(text.contains("overdue 4h"), "{text}");
    assert!(text.contains("has not gone out"), "{text}");
}

#[test]
fn no_text_of_a_failure_promises_a_try() {
    for lang in Lang::ALL {
        let locale = Locale::get(lang);
        for class in FailureClass::ALL {
            let text = locale.failure("NEVER_SEEN", class.as_str());
            for promise in ["will try", "scheduled", "예정", "시도하겠습니다"] {
                assert!(!text.say.contains(promise), "{class:?}: {}", text.say);
                assert!(!text.next.contains(promise), "{class:?}: {}", text.next);
            }
        }
    }
}

#[test]
fn who_acts_and_what_is_unknown_stay_in_the_header() {
    for (width, height) in [(80, 24), (60, 20), (40, 12)] {
        for lang in Lang::ALL {
            let mut stage = Stage::new(width, height, lang);
            stage.send(Msg::Unknowns(5));
            let text = stage.text();
            let header = text.lines().next().unwrap();
            assert!(header.contains("kim") && header.contains('5'), "{header}");
            assert!(header.contains("SIM"), "{header}");
        }
    }
    let stage = Stage::new(80, 24, Lang::En);
    let text = stage.text();
    assert!(text.lines().next().unwrap().contains("Nov 21"), "the date");
}

#[test]
fn copying_is_offered_only_where_it_can_work() {
    let mut with = setting(Mode::Sim, Lang::En);
    let last = |stage: &Stage| stage.text().lines().last().unwrap().to_owned();
    let mut stage = Stage::with(with.clone(), 120, 40);
    stage.press("2");
    assert!(last(&stage).contains("y copy"), "{}", last(&stage));
    with.clipboard = Switch::Off;
    let mut stage = Stage::with(with, 120, 40);
    stage.press("2");
    assert!(!last(&stage).contains("y copy"), "{}", last(&stage));
    stage.press("y");
    assert!(stage.text().contains("clipboard is off"));
}

#[test]
fn good_news_goes_after_three_seconds_and_bad_news_stays() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.send(Msg::Copied(Ok(())));
    assert!(stage.text().contains("id sent to the terminal"));
    stage.wait(3_000);
    assert!(!stage.text().contains("id sent to the terminal"));
    stage.send(Msg::Copied(Err(paydeck::console::fault::Fault::new(
        "copy",
    ))));
    stage.wait(3_000);
    assert!(stage.text().contains("not copied"));
}
