//! What is said about an unpaid invoice is what is planned for it, and who acts never leaves the screen.

use chrono::{DateTime, Duration, Utc};

use paydeck::console::effect::{Effect, Loaded};
use paydeck::console::model::{Content, Place, Row, Visit};
use paydeck::console::msg::Msg;
use paydeck::console::term::Switch;
use paydeck::domain::attempt::AttemptKind;
use paydeck::domain::dunning::DunningState;
use paydeck::domain::failure::FailureClass;
use paydeck::domain::ids::{InvoiceId, PublicId};
use paydeck::domain::mode::Mode;
use paydeck::domain::states::{AttemptState, InvoiceState};
use paydeck::engine::queries::{Call, UnknownRow};
use paydeck::engine::{OpenLink, Outcome, Receipt};
use paydeck::locale::{Lang, Locale};
use paydeck::secret::Secret;

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

#[test]
fn a_call_whose_answer_is_awaited_is_in_progress_and_not_unknown() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("5");
    let call = |until| Call {
        by: "lee".to_owned(),
        since: rows::now() - Duration::seconds(20),
        until,
    };
    let mut change = |until: DateTime<Utc>| {
        let list = stage.model.visit_mut().list_mut().unwrap();
        for row in &mut list.paged.rows {
            if let Row::Failed(row) = row {
                row.open_attempt = Some(AttemptState::Sent);
                row.call = Some(call(until));
            }
        }
        stage.text()
    };
    let live = change(rows::now() + Duration::minutes(1));
    assert!(
        live.contains("~ sent") && live.contains("lee, 20 s"),
        "{live}"
    );
    assert!(!live.contains("? unknown"), "{live}");
    let over = change(rows::now() - Duration::minutes(1));
    assert!(!over.contains("lee, 20 s"), "{over}");
}

#[test]
fn ages_of_calls_are_told_by_the_clock_that_dated_them() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("9");
    let before = stage.text();
    assert!(before.contains("3m"), "{before}");
    let database = rows::now() - Duration::days(20);
    stage.send(Msg::Clock(database));
    let list = stage.model.visit_mut().list_mut().unwrap();
    for row in &mut list.paged.rows {
        if let Row::Unknown(row) = row {
            row.first_sent_at = row.first_sent_at.map(|at| at - Duration::days(20));
        }
    }
    assert!(stage.text().contains("3m"), "{}", stage.text());
}

#[test]
fn what_is_shown_is_marked_as_old_while_the_database_does_not_answer() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("5");
    assert!(!stage.text().contains("as of"));
    stage.send(Msg::Lost);
    stage.wait(120_000);
    assert!(
        stage.text().contains("as of 14:03 (2m)"),
        "{}",
        stage.text()
    );
    let before = stage.model.last_ticket;
    stage.send(Msg::Version(1));
    assert!(!stage.text().contains("as of"));
    assert!(stage.model.last_ticket > before, "it is read again");
}

#[test]
fn a_refund_shows_its_payment_its_card_and_why() {
    let mut stage = Stage::new(120, 40, Lang::En);
    stage.press("6 f");
    let form = stage.text();
    let list = stage.model.visit().list().unwrap();
    let Some(Row::Payment(row)) = list.current() else {
        panic!("a payment");
    };
    let id = row.public_id.to_string();
    let ending = &id[id.len() - 6..];
    let date = "Nov 21";
    assert!(form.contains(ending) && form.contains(date), "{form}");
    stage.press("ctrl-u");
    stage.type_text("3,000");
    stage.press("enter enter enter enter");
    let confirm = stage.text();
    assert!(confirm.contains("Reason"), "{confirm}");
    assert!(
        confirm.contains(ending) && confirm.contains(date),
        "{confirm}"
    );
}

#[test]
fn who_resolves_as_paid_reads_that_the_money_moved() {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("9 R y");
    let ticket = stage.model.jobs.last().unwrap().ticket;
    let receipt = Receipt {
        amount: Some(rows::won(9_900)),
        ..Receipt::default()
    };
    stage.send(Msg::Applied {
        ticket,
        answer: Ok(Box::new(Outcome::Done(receipt))),
    });
    assert!(
        stage.text().contains("The money moved: ₩9,900"),
        "{}",
        stage.text()
    );
}

/// What a person reads who ended an unknown charge.
fn read_after_ending(outcome: impl FnOnce(Receipt) -> Outcome) -> String {
    let mut stage = Stage::new(80, 24, Lang::En);
    stage.press("9 X");
    stage.type_text("not wanted");
    stage.press("enter");
    stage.type_text("ticket");
    stage.press("enter y");
    let ticket = stage.model.jobs.last().unwrap().ticket;
    let receipt = Receipt {
        kind: Some(AttemptKind::Charge),
        amount: Some(rows::won(9_900)),
        ..Receipt::default()
    };
    stage.send(Msg::Applied {
        ticket,
        answer: Ok(Box::new(outcome(receipt))),
    });
    stage.text()
}

#[test]
fn who_ends_a_charge_reads_that_no_money_moved_or_that_it_was_taken() {
    let ended = read_after_ending(Outcome::Ended);
    assert!(ended.contains("No money moved."), "{ended}");
    assert!(!ended.contains("taken  "), "{ended}");
    let taken = read_after_ending(Outcome::Done);
    assert!(taken.contains("The money moved: ₩9,900"), "{taken}");
    assert!(taken.contains("the money was taken"), "{taken}");
}

#[test]
fn c16_a_charge_that_waits_for_its_customer_gives_its_link_to_be_copied() {
    const URL: &str = "https://hooks.stripe.com/3d_secure_2/hosted?payment_intent=pi_1";
    let waits = read_after_ending(Outcome::AsksCustomer);
    assert!(waits.contains("The bank wants the customer"), "{waits}");
    assert!(waits.contains("L link"), "{waits}");
    for lang in [Lang::En, Lang::Ko] {
        let mut stage = Stage::new(80, 24, lang);
        let ticket = asked_for_a_link(&mut stage);
        stage.send(link(ticket, "att_1", URL));
        let shown = stage.text();
        assert!(shown.contains(&URL[..40]), "{shown}");
        assert!(shown.contains("₩9,900"), "whose money: {shown}");
        stage.effects.clear();
        stage.press("y");
        assert!(matches!(&stage.effects[..], [Effect::Copy(text)] if text == URL));
    }
}

fn asked_for_a_link(stage: &mut Stage) -> u64 {
    stage.effects.clear();
    stage.press("9 L");
    let ticket = |effect: &Effect| match effect {
        Effect::AskLink { ticket, .. } => Some(*ticket),
        _ => None,
    };
    let asked = stage.effects.iter().find_map(ticket);
    asked.unwrap_or_else(|| panic!("{:?}", stage.effects))
}

fn link(ticket: u64, attempt: &str, url: &str) -> Msg {
    let answer = Ok(Box::new(OpenLink {
        attempt: PublicId::from_stored(attempt.to_owned()),
        customer: rows::brief(4),
        amount: rows::won(9_900),
        url: Secret::new(url),
        until: rows::now() + Duration::hours(23),
    }));
    Msg::Link { ticket, answer }
}

#[test]
fn c16_only_the_link_that_was_asked_for_last_is_shown_and_over_nothing() {
    let mut stage = Stage::new(80, 24, Lang::En);
    let first = asked_for_a_link(&mut stage);
    let second = asked_for_a_link(&mut stage);
    assert_ne!(first, second);
    stage.send(link(second, "att_2", "https://second.example/"));
    stage.send(link(first, "att_1", "https://first.example/"));
    let shown = stage.text();
    assert!(shown.contains("second.example"), "{shown}");
    assert!(!shown.contains("first.example"), "{shown}");
    stage.press("enter");
    assert!(!stage.text().contains("first.example"));

    // Whoever reads something else is not interrupted.
    let third = asked_for_a_link(&mut stage);
    stage.press("?");
    let before = stage.text();
    stage.send(link(third, "att_3", "https://third.example/"));
    assert!(!stage.text().contains("third.example"), "{before}");
}

#[test]
fn c16_the_inbox_says_until_when_a_customer_is_waited_for() {
    let row = rows::unknown_row(0);
    let waits = UnknownRow {
        state: AttemptState::Unknown,
        waits_for_customer: true,
        last_outcome: Some("needs_customer".to_owned()),
        last_sent_at: Some(rows::now()),
        ..row.clone()
    };
    assert_eq!(waits.link_until(), Some(rows::now() + Duration::hours(23)));
    let silent_since = UnknownRow {
        last_outcome: Some("timed_out".to_owned()),
        last_evidence_at: Some(rows::now() + Duration::hours(1)),
        ..waits.clone()
    };
    assert_eq!(silent_since.link_until(), waits.link_until());
    assert_eq!(silent_since.waited_at(), Some(rows::now()));
    for other in [AttemptState::Sent, AttemptState::Succeeded] {
        let other = UnknownRow {
            state: other,
            ..waits.clone()
        };
        assert_eq!(other.link_until(), None);
    }
}
