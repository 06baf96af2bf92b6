use chrono::TimeZone;

use super::*;
use crate::domain::attempt::{AlsoCancel, AttemptKind, Source};
use crate::domain::ids::{AttemptId, CustomerId, InvoiceId, MethodId, Noun, PaymentId, PublicId};
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::CardUse;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 5, 0, 0).unwrap()
}

fn won(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

pub(in crate::domain::attempt) fn attempt(kind: AttemptKind, state: AttemptState) -> Attempt {
    Attempt {
        id: AttemptId(1),
        public_id: PublicId::new(Noun::Attempt, "01J9ZX5V3M8Q7K2N4T6W8Y0B2D"),
        kind,
        invoice_id: InvoiceId(1),
        payment_id: (kind == AttemptKind::Refund).then_some(PaymentId(1)),
        customer_id: CustomerId(1),
        subscription_id: None,
        attempt_no: 1,
        source: Source::Manual,
        provider: ProviderName::Toss,
        mode: Mode::Sim,
        method_id: Some(MethodId(1)),
        order_id: "pdabc-inv-1".into(),
        idem_key: "k".into(),
        provider_ref: None,
        body: vec![],
        amount: won(9_900),
        expected_balance_minor: (kind == AttemptKind::Refund).then_some(9_900),
        also_cancel: AlsoCancel::No,
        state,
        needs_human: false,
        lease_owner: None,
        lease_epoch: 1,
        lease_until: None,
        send_after: None,
        first_sent_at: Some(now() - Duration::minutes(5)),
        last_sent_at: Some(now() - Duration::minutes(5)),
        send_count: 1,
        next_check_at: None,
        checks: 0,
        not_seen: 0,
        refusal: None,
        replayed_at: None,
        trace_id: None,
        operator: "kim".into(),
        reason: String::new(),
        created_at: now(),
        settled_at: None,
    }
}

fn seen(status: SeenStatus) -> PaymentSeen {
    PaymentSeen {
        order_id: "pdabc-inv-1".into(),
        provider_ref: "pk_1".into(),
        status,
        total: won(9_900),
        balance_minor: 9_900,
        approved_at: Some(now()),
        cancels: vec![],
        undone: vec![],
        failure: None,
        method: "card".into(),
        card_use: CardUse::default(),
    }
}

fn refusal(code: &str, proves: Proves, http_status: u16) -> Refusal {
    Refusal {
        code: code.into(),
        class: FailureClass::Soft,
        proves,
        http_status,
    }
}

fn charge(attempt: &Attempt, evidence: &Evidence, source: EvidenceSource) -> Verdict {
    learn_charge(attempt, evidence, source, now()).unwrap()
}

#[test]
fn a_lost_answer_never_becomes_a_decline() {
    let open = attempt(AttemptKind::Charge, AttemptState::Sent);
    for why in [
        Unusable::TimedOut,
        Unusable::Broken,
        Unusable::ServerError,
        Unusable::Unreadable,
        Unusable::Mismatch,
    ] {
        let verdict = charge(&open, &Evidence::Unusable(why), EvidenceSource::Answer);
        assert!(matches!(verdict, Verdict::StillUnknown(_)), "{why:?}");
    }
    let throttled = charge(
        &open,
        &Evidence::Throttled {
            retry_after_s: None,
        },
        EvidenceSource::Answer,
    );
    assert!(matches!(throttled, Verdict::StillUnknown(_)));
}

#[test]
fn an_answer_for_another_amount_or_order_settles_nothing_and_pages() {
    let open = attempt(AttemptKind::Charge, AttemptState::Sent);
    let other_amount = PaymentSeen {
        total: won(990_000),
        ..seen(SeenStatus::Captured)
    };
    let other_order = PaymentSeen {
        order_id: "pdabc-inv-2".into(),
        ..seen(SeenStatus::Captured)
    };
    let other_currency = PaymentSeen {
        total: Money::new(9_900, Currency::USD),
        ..seen(SeenStatus::Captured)
    };
    for wrong in [other_amount, other_order, other_currency] {
        match charge(&open, &Evidence::Seen(wrong), EvidenceSource::Answer) {
            Verdict::StillUnknown(unsettled) => assert!(unsettled.needs_human),
            verdict => panic!("{verdict:?}"),
        }
    }
}

#[test]
fn not_seen_means_send_the_same_again_and_never_declined() {
    let open = attempt(AttemptKind::Charge, AttemptState::Unknown);
    assert_eq!(
        charge(&open, &Evidence::NotSeen, EvidenceSource::LookUp),
        still(NextStep::Resend)
    );
    let old = Attempt {
        first_sent_at: Some(now() - Duration::days(15)),
        ..open
    };
    assert_eq!(
        charge(&old, &Evidence::NotSeen, EvidenceSource::LookUp),
        page()
    );
}

#[test]
fn a_refusal_goes_back_to_ready_only_when_nothing_was_ever_sent() {
    let first = attempt(AttemptKind::Charge, AttemptState::Sent);
    assert_eq!(
        charge(&first, &Evidence::NotSent, EvidenceSource::Answer),
        Verdict::BackToReady
    );
    let again = Attempt {
        state: AttemptState::Unknown,
        send_count: 2,
        ..first
    };
    assert!(matches!(
        charge(&again, &Evidence::NotSent, EvidenceSource::Answer),
        Verdict::StillUnknown(_)
    ));
}

#[test]
fn a_transient_refusal_is_declined_only_after_it_was_replayed_and_looked_up_a_minute_later() {
    let trouble = refusal("PROVIDER_ERROR", Proves::Nothing, 400);
    let sent = attempt(AttemptKind::Charge, AttemptState::Sent);
    let first = charge(
        &sent,
        &Evidence::Refused(trouble.clone()),
        EvidenceSource::Answer,
    );
    assert!(matches!(first, Verdict::StillUnknown(ref u) if !u.was_replayed));

    let resent = Attempt {
        state: AttemptState::Unknown,
        send_count: 2,
        refusal: Some(trouble.clone()),
        ..sent
    };
    let second = charge(&resent, &Evidence::Refused(trouble), EvidenceSource::Answer);
    assert!(matches!(second, Verdict::StillUnknown(ref u) if u.was_replayed));

    let early = Attempt {
        replayed_at: Some(now() - Duration::seconds(30)),
        ..resent.clone()
    };
    assert_eq!(
        charge(&early, &Evidence::NotSeen, EvidenceSource::LookUp),
        still(NextStep::Resend)
    );
    let late = Attempt {
        replayed_at: Some(now() - Duration::seconds(61)),
        ..resent
    };
    match charge(&late, &Evidence::NotSeen, EvidenceSource::LookUp) {
        Verdict::Declined(declined) => assert_eq!(declined.class, FailureClass::ProviderDown),
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn a_refused_look_up_says_nothing_about_the_charge() {
    let open = attempt(AttemptKind::Charge, AttemptState::Unknown);
    let not_found = refusal("REJECT_CARD_PAYMENT", Proves::NotExecuted, 403);
    assert!(matches!(
        charge(&open, &Evidence::Refused(not_found), EvidenceSource::LookUp),
        Verdict::StillUnknown(_)
    ));
}

#[test]
fn a_success_after_a_decline_is_found_and_a_second_reference_is_a_contradiction() {
    let declined = attempt(AttemptKind::Charge, AttemptState::Declined);
    assert!(matches!(
        charge(
            &declined,
            &Evidence::Seen(seen(SeenStatus::Captured)),
            EvidenceSource::LookUp
        ),
        Verdict::Charged(_)
    ));
    let paid = Attempt {
        provider_ref: Some("pk_2".into()),
        ..attempt(AttemptKind::Charge, AttemptState::Succeeded)
    };
    assert_eq!(
        learn_charge(
            &paid,
            &Evidence::Seen(seen(SeenStatus::Captured)),
            EvidenceSource::LookUp,
            now()
        ),
        Err(Contradiction)
    );
}

#[test]
fn a_refund_succeeds_only_when_our_tag_and_amount_are_among_the_cancels() {
    let open = Attempt {
        order_id: "rf:7QK2".into(),
        ..attempt(AttemptKind::Refund, AttemptState::Sent)
    };
    let cancel = |reason: &str, amount_minor| CancelSeen {
        transaction_key: "t".into(),
        reason: reason.into(),
        amount_minor,
        at: now(),
        is_done: true,
    };
    let with = |cancels| {
        Evidence::Seen(PaymentSeen {
            cancels,
            ..seen(SeenStatus::Captured)
        })
    };
    assert!(matches!(
        learn_refund(
            &open,
            &with(vec![cancel("asked [rf:7QK2]", 9_900)]),
            EvidenceSource::Answer,
            now()
        ),
        Ok(Verdict::Refunded(_))
    ));
    for other in [
        cancel("asked [rf:7QK2X]", 9_900),
        cancel("asked", 9_900),
        cancel("[rf:7QK2]", 900),
    ] {
        assert_eq!(
            learn_refund(&open, &with(vec![other]), EvidenceSource::Answer, now()),
            Ok(still(NextStep::Resend))
        );
    }
}

#[test]
fn a_refund_refusal_is_read_back_before_it_counts() {
    let sent = Attempt {
        order_id: "rf:7QK2".into(),
        ..attempt(AttemptKind::Refund, AttemptState::Sent)
    };
    let no = refusal("NOT_CANCELABLE_PAYMENT", Proves::NotExecuted, 403);
    assert!(matches!(
        learn_refund(
            &sent,
            &Evidence::Refused(no.clone()),
            EvidenceSource::Answer,
            now()
        ),
        Ok(Verdict::StillUnknown(_))
    ));
    let read_back = Attempt {
        state: AttemptState::Unknown,
        refusal: Some(no),
        ..sent
    };
    assert!(matches!(
        learn_refund(
            &read_back,
            &Evidence::Seen(seen(SeenStatus::Captured)),
            EvidenceSource::Answer,
            now()
        ),
        Ok(Verdict::Declined(_))
    ));
}

#[test]
fn looking_never_stops() {
    assert_eq!(next_check_delay_s(0), 5);
    assert_eq!(next_check_delay_s(8), 21_600);
    assert_eq!(next_check_delay_s(20), 86_400);
    assert_eq!(next_check_delay_s(u32::MAX), 86_400);
}

#[test]
fn a_transient_refusal_of_a_refund_is_declined_only_after_it_was_replayed_and_read_back() {
    let trouble = refusal("FORBIDDEN_CONSECUTIVE_REQUEST", Proves::Nothing, 403);
    let refund = |attempt: &Attempt, evidence: &Evidence, source| {
        learn_refund(attempt, evidence, source, now()).expect("no contradiction")
    };
    let answer = Evidence::Refused(trouble.clone());
    let sent = attempt(AttemptKind::Refund, AttemptState::Sent);
    let first = refund(&sent, &answer, EvidenceSource::Answer);
    assert!(matches!(first, Verdict::StillUnknown(ref u) if !u.was_replayed));

    let resent = Attempt {
        state: AttemptState::Unknown,
        send_count: 2,
        refusal: Some(trouble),
        ..sent
    };
    let second = refund(&resent, &answer, EvidenceSource::Answer);
    assert!(matches!(second, Verdict::StillUnknown(ref u) if u.was_replayed));

    let read_back = Evidence::Seen(seen(SeenStatus::Captured));
    let replayed = |s| Attempt {
        replayed_at: Some(now() - Duration::seconds(s)),
        ..resent.clone()
    };
    assert_eq!(
        refund(&replayed(30), &read_back, EvidenceSource::LookUp),
        still(NextStep::Resend)
    );
    match refund(&replayed(61), &read_back, EvidenceSource::LookUp) {
        Verdict::Declined(declined) => assert_eq!(declined.class, FailureClass::ProviderDown),
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn a_look_up_that_never_left_does_not_say_that_the_refund_never_left() {
    let sent = attempt(AttemptKind::Refund, AttemptState::Sent);
    let learnt = |source| learn_refund(&sent, &Evidence::NotSent, source, now());
    assert_eq!(learnt(EvidenceSource::Answer), Ok(Verdict::BackToReady));
    for source in [EvidenceSource::LookUp, EvidenceSource::Event] {
        assert_eq!(learnt(source), Ok(still(NextStep::LookLater)));
    }
}

#[test]
fn a_replayed_refusal_proves_nothing_where_somebody_gave_money_back_meanwhile() {
    let trouble = refusal("FORBIDDEN_CONSECUTIVE_REQUEST", Proves::Nothing, 403);
    let replayed = Attempt {
        state: AttemptState::Unknown,
        send_count: 2,
        refusal: Some(trouble),
        replayed_at: Some(now() - Duration::seconds(61)),
        ..attempt(AttemptKind::Refund, AttemptState::Sent)
    };
    let elsewhere = PaymentSeen {
        balance_minor: 1_000,
        ..seen(SeenStatus::Captured)
    };
    assert_ne!(replayed.expected_balance_minor, Some(1_000));
    let learnt = learn_refund(
        &replayed,
        &Evidence::Seen(elsewhere),
        EvidenceSource::LookUp,
        now(),
    );
    match learnt {
        Ok(Verdict::StillUnknown(unsettled)) => assert!(unsettled.needs_human),
        verdict => panic!("{verdict:?}"),
    }
}

fn in_two_steps(state: AttemptState, name: Option<&str>) -> Attempt {
    Attempt {
        provider: ProviderName::Stripe,
        provider_ref: name.map(str::to_owned),
        ..attempt(AttemptKind::Charge, state)
    }
}

fn looked(attempt: &Attempt, status: SeenStatus) -> Verdict {
    charge(
        attempt,
        &Evidence::Seen(seen(status)),
        EvidenceSource::LookUp,
    )
}

#[test]
fn what_is_prepared_and_not_confirmed_is_confirmed_again_and_after_the_window_ended() {
    let unknown = in_two_steps(AttemptState::Unknown, Some("pk_1"));
    assert_eq!(
        looked(&unknown, SeenStatus::NotStarted),
        still(NextStep::Resend)
    );
    let old = Attempt {
        first_sent_at: Some(now() - Duration::days(15)),
        ..unknown.clone()
    };
    assert_eq!(looked(&old, SeenStatus::NotStarted), still(NextStep::Fence));
    assert_eq!(looked(&old, SeenStatus::Canceled), Verdict::NotExecuted);
}

#[test]
fn a_success_under_another_name_than_ours_is_never_ours() {
    let other = in_two_steps(AttemptState::Unknown, Some("pk_2"));
    for status in [
        SeenStatus::Captured,
        SeenStatus::Failed,
        SeenStatus::Canceled,
    ] {
        assert_eq!(looked(&other, status), page(), "{status:?}");
    }
}

#[test]
fn a_refusal_that_comes_back_in_two_steps_is_ended_before_it_is_believed() {
    let replayed = Attempt {
        send_count: 2,
        refusal: Some(refusal("lock_timeout", Proves::Nothing, 400)),
        replayed_at: Some(now() - Duration::seconds(61)),
        ..in_two_steps(AttemptState::Unknown, Some("pk_1"))
    };
    assert_eq!(
        looked(&replayed, SeenStatus::NotStarted),
        still(NextStep::Fence)
    );
    let Verdict::Declined(declined) = looked(&replayed, SeenStatus::Canceled) else {
        panic!("the provider's proof settles it");
    };
    assert_eq!(declined.class, FailureClass::ProviderDown);
}

#[test]
fn only_what_has_no_name_was_certainly_never_confirmed() {
    let learnt = |attempt: &Attempt| {
        charge(
            attempt,
            &Evidence::Withdrawn,
            EvidenceSource::Reconciliation,
        )
    };
    let without = in_two_steps(AttemptState::Unknown, None);
    assert_eq!(learnt(&without), Verdict::NotExecuted);
    let named = in_two_steps(AttemptState::Unknown, Some("pk_1"));
    assert_eq!(learnt(&named), still(NextStep::LookLater));
    let in_one_step = attempt(AttemptKind::Charge, AttemptState::Unknown);
    assert_eq!(learnt(&in_one_step), still(NextStep::LookLater));
}

#[test]
fn c16_a_customer_who_must_authenticate_is_waited_for_and_not_failed() {
    let waiting = Attempt {
        last_sent_at: Some(now() - Duration::hours(AUTHENTICATION_H) + Duration::seconds(1)),
        ..in_two_steps(AttemptState::Unknown, Some("pk_1"))
    };
    let Verdict::StillUnknown(unsettled) = looked(&waiting, SeenStatus::NeedsCustomer) else {
        panic!("not failed");
    };
    assert_eq!(
        (unsettled.next, unsettled.needs_human),
        (NextStep::LookLater, false)
    );
    let late = Attempt {
        last_sent_at: Some(now() - Duration::hours(AUTHENTICATION_H)),
        refusal: unsettled.refusal,
        ..waiting
    };
    assert!(late.asks_customer());
    assert_eq!(late.link_until(), Some(now()));
    let Verdict::StillUnknown(unsettled) = looked(&late, SeenStatus::NeedsCustomer) else {
        panic!("not failed");
    };
    assert_eq!(unsettled.next, NextStep::Fence);
    let Verdict::Declined(declined) = looked(&late, SeenStatus::Canceled) else {
        panic!("ended");
    };
    assert_eq!(declined.class, FailureClass::NeedsCustomer);
}

#[test]
fn c16_a_link_whose_customer_refused_is_ended_before_the_charge_is_declined() {
    let open = in_two_steps(AttemptState::Unknown, Some("pk_1"));
    let Verdict::StillUnknown(waits) = looked(&open, SeenStatus::NeedsCustomer) else {
        panic!("not failed");
    };
    let mut behind_link = Attempt {
        refusal: waits.refusal,
        ..open
    };
    // Twice, as where the process dies in between.
    for _ in 0..2 {
        let Verdict::StillUnknown(refused) = looked(&behind_link, SeenStatus::Failed) else {
            panic!("whoever has the link could go on with it");
        };
        assert_eq!(refused.next, NextStep::Fence);
        behind_link.refusal = refused.refusal;
        assert!(behind_link.had_link());
    }
    let Verdict::Declined(declined) = looked(&behind_link, SeenStatus::Canceled) else {
        panic!("ended");
    };
    assert_eq!(declined.proves, Proves::NotExecuted);
    assert!(matches!(
        looked(&behind_link, SeenStatus::Captured),
        Verdict::Charged(_)
    ));
}

#[test]
fn a_refund_at_stripe_is_sent_again_for_23_hours_and_no_longer() {
    let back = |hours: i64| Attempt {
        provider: ProviderName::Stripe,
        first_sent_at: Some(now() - Duration::minutes(60 * hours - 1)),
        ..attempt(AttemptKind::Refund, AttemptState::Unknown)
    };
    let absent = Evidence::Seen(seen(SeenStatus::Captured));
    let learnt = |attempt: &Attempt| learn_refund(attempt, &absent, EvidenceSource::LookUp, now());
    assert_eq!(learnt(&back(23)), Ok(still(NextStep::Resend)));
    assert_eq!(learnt(&back(24)), Ok(page()));
}

#[test]
fn a_refund_that_the_provider_takes_back_is_told_apart_from_one_that_never_was() {
    let tag = "pdabc-inv-1";
    let back = CancelSeen {
        transaction_key: "re_1".into(),
        reason: format!("asked [{tag}]"),
        amount_minor: 9_900,
        at: now(),
        is_done: false,
    };
    let shown = Evidence::Seen(PaymentSeen {
        undone: vec![back.clone()],
        ..seen(SeenStatus::Captured)
    });
    let learnt = |state| {
        let refund = attempt(AttemptKind::Refund, state);
        learn_refund(&refund, &shown, EvidenceSource::LookUp, now())
    };
    assert_eq!(
        learnt(AttemptState::Succeeded),
        Ok(Verdict::RefundUndone(back))
    );
    assert!(matches!(
        learnt(AttemptState::Unknown),
        Ok(Verdict::Declined(_))
    ));
    assert_eq!(learnt(AttemptState::Declined), Ok(Verdict::AlreadyKnown));
}

proptest::proptest! {
    /// Whatever is seen of a charge in two steps, it is charged only under its own name, order and amount, and called not
    /// executed only when the provider has ended it.
    #[test]
    fn two_steps_never_say_more_than_was_seen(
        status in 0_usize..7,
        named in 0_u8..3,
        is_ours in proptest::bool::ANY,
        amount in proptest::sample::select(vec![9_900_i64, 9_901]),
        sends in 1_u32..4,
        hours in 0_i64..800,
    ) {
        let name = match named { 0 => None, 1 => Some("pk_1"), _ => Some("pk_2") };
        let unknown = Attempt {
            send_count: sends,
            first_sent_at: Some(now() - Duration::hours(hours)),
            ..in_two_steps(AttemptState::Unknown, name)
        };
        let status = SeenStatus::ALL[status];
        let shown = PaymentSeen {
            order_id: if is_ours { "pdabc-inv-1".into() } else { "pdabc-inv-2".into() },
            total: won(amount),
            ..seen(status)
        };
        let fits = named == 1 && is_ours;
        match charge(&unknown, &Evidence::Seen(shown), EvidenceSource::LookUp) {
            Verdict::Charged(_) => {
                assert!(fits && amount == 9_900 && status == SeenStatus::Captured);
            }
            Verdict::NotExecuted => assert!(fits && status == SeenStatus::Canceled),
            Verdict::Declined(_) => assert!(fits && status == SeenStatus::Failed),
            Verdict::StillUnknown(unsettled) if unsettled.next == NextStep::Resend => {
                assert!(status == SeenStatus::NotStarted && fits);
            }
            Verdict::StillUnknown(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_first_step_that_came_to_nothing_is_tried_again_and_never_unknown() {
    let answered =
        |attempt: &Attempt, evidence: &Evidence| charge(attempt, evidence, EvidenceSource::Answer);
    for evidence in [
        Evidence::NotSent,
        Evidence::Busy,
        Evidence::Throttled {
            retry_after_s: Some(9),
        },
        Evidence::Unusable(Unusable::TimedOut),
        Evidence::Unusable(Unusable::ServerError),
        Evidence::Unusable(Unusable::Unreadable),
        Evidence::Refused(refusal("api_error", Proves::Nothing, 500)),
        Evidence::Refused(refusal("idempotency", Proves::LookUp, 400)),
    ] {
        for sends in [1, 4] {
            let sent = Attempt {
                send_count: sends,
                ..in_two_steps(AttemptState::Sent, None)
            };
            assert_eq!(answered(&sent, &evidence), Verdict::BackToReady);
            let named = Attempt {
                send_count: 2,
                ..in_two_steps(AttemptState::Sent, Some("pk_1"))
            };
            assert_ne!(answered(&named, &evidence), Verdict::BackToReady);
        }
        let unknown = in_two_steps(AttemptState::Unknown, None);
        assert_eq!(answered(&unknown, &evidence), still(NextStep::LookLater));
    }
    let sent = in_two_steps(AttemptState::Sent, None);
    let other = Evidence::Unusable(Unusable::Mismatch);
    assert_eq!(answered(&sent, &other), page(), "somebody looks at it");
    let declined = Evidence::Refused(refusal("expired_card", Proves::NotExecuted, 402));
    assert!(matches!(answered(&sent, &declined), Verdict::Declined(_)));
}

#[test]
fn a_confirmation_refused_while_its_card_stays_is_ended_and_then_it_is_that_refusal() {
    let sent = in_two_steps(AttemptState::Sent, Some("pk_1"));
    let refused = refusal("payment_method_unactivated", Proves::LookUp, 400);
    let heard = Evidence::Refused(refused);
    let Verdict::StillUnknown(unsettled) = charge(&sent, &heard, EvidenceSource::Answer) else {
        panic!("not declined yet");
    };
    assert_eq!(unsettled.next, NextStep::LookSoon);
    let unknown = Attempt {
        state: AttemptState::Unknown,
        refusal: unsettled.refusal,
        ..sent
    };
    assert_eq!(
        looked(&unknown, SeenStatus::NotStarted),
        still(NextStep::Fence)
    );
    let Verdict::Declined(declined) = looked(&unknown, SeenStatus::Canceled) else {
        panic!("ended");
    };
    assert_eq!(
        (declined.code.as_str(), declined.proves),
        ("payment_method_unactivated", Proves::NotExecuted)
    );
    assert!(matches!(
        looked(&unknown, SeenStatus::Captured),
        Verdict::Charged(_)
    ));
}

#[test]
fn a_success_under_another_name_of_the_same_order_contradicts_whatever_is_settled() {
    let under_another_name = Evidence::Seen(PaymentSeen {
        provider_ref: "pk_9".into(),
        ..seen(SeenStatus::Captured)
    });
    for state in [
        AttemptState::Succeeded,
        AttemptState::Duplicate,
        AttemptState::Declined,
        AttemptState::NotExecuted,
        AttemptState::Abandoned,
        AttemptState::Ready,
    ] {
        for name in [None, Some("pk_1")] {
            let settled = in_two_steps(state, name);
            for source in [EvidenceSource::LookUp, EvidenceSource::Event] {
                let learnt = learn_charge(&settled, &under_another_name, source, now());
                assert_eq!(learnt, Err(Contradiction), "{state:?} {name:?}");
            }
        }
    }
    let other_order = Evidence::Seen(PaymentSeen {
        order_id: "pdabc-inv-2".into(),
        ..seen(SeenStatus::Captured)
    });
    let declined = in_two_steps(AttemptState::Declined, Some("pk_1"));
    let learnt = learn_charge(&declined, &other_order, EvidenceSource::Event, now());
    assert_eq!(learnt, Ok(Verdict::AlreadyKnown));
}

#[test]
fn what_was_never_confirmed_and_is_withdrawn_is_nobodys_refusal() {
    let unnamed = in_two_steps(AttemptState::Unknown, None);
    let source = EvidenceSource::Reconciliation;
    assert_eq!(
        charge(&unnamed, &Evidence::Withdrawn, source),
        Verdict::NotExecuted
    );
    let named = in_two_steps(AttemptState::Unknown, Some("pi_1"));
    assert_eq!(
        charge(&named, &Evidence::Withdrawn, source),
        still(NextStep::LookLater)
    );
    let sent = Attempt {
        state: AttemptState::Sent,
        ..unnamed
    };
    assert_eq!(
        charge(&sent, &Evidence::Withdrawn, source),
        still(NextStep::Fence)
    );
}

#[test]
fn what_has_no_name_is_sent_again_without_a_question_and_ended_once_its_key_is_forgotten() {
    let unnamed = in_two_steps(AttemptState::Unknown, None);
    let source = EvidenceSource::LookUp;
    assert_eq!(
        charge(&unnamed, &Evidence::Unconfirmed, source),
        still(NextStep::Resend)
    );
    let old = Attempt {
        first_sent_at: Some(now() - Duration::days(15)),
        ..unnamed
    };
    assert_eq!(
        charge(&old, &Evidence::Unconfirmed, source),
        still(NextStep::Fence)
    );
}

#[test]
fn only_an_end_of_two_steps_is_nobodys_declaration() {
    let declared = attempt(AttemptKind::Charge, AttemptState::NotExecuted);
    assert!(!declared.was_ended());
    let ended = Attempt {
        state: AttemptState::NotExecuted,
        ..in_two_steps(AttemptState::Unknown, Some("pi_1"))
    };
    assert!(ended.was_ended());
    let refund = Attempt {
        kind: AttemptKind::Refund,
        ..ended
    };
    assert!(!refund.was_ended(), "two persons declared it");
}

#[test]
fn a_refund_read_back_without_ours_counts_as_absent_only_at_the_balance_it_left_with() {
    let open = Attempt {
        order_id: "rf:7QK2".into(),
        ..attempt(AttemptKind::Refund, AttemptState::Unknown)
    };
    let at_balance = |balance_minor| {
        Evidence::Seen(PaymentSeen {
            balance_minor,
            ..seen(SeenStatus::Captured)
        })
    };
    assert_eq!(kept_word(&open, &at_balance(9_900)), "not_refunded");
    assert!(is_absent_in(&open, &at_balance(9_900)));
    for other in [0, 9_000, 10_000] {
        assert_eq!(kept_word(&open, &at_balance(other)), "other_balance");
        assert!(!is_absent_in(&open, &at_balance(other)));
    }
    let ours = CancelSeen {
        transaction_key: "t".into(),
        reason: "asked [rf:7QK2]".into(),
        amount_minor: 9_900,
        at: now(),
        is_done: false,
    };
    let pending = Evidence::Seen(PaymentSeen {
        cancels: vec![ours],
        ..seen(SeenStatus::Captured)
    });
    assert_eq!(kept_word(&open, &pending), "captured");
    let charged = attempt(AttemptKind::Charge, AttemptState::Unknown);
    assert_eq!(kept_word(&charged, &at_balance(0)), "captured");
}

#[test]
fn a_refund_is_refunded_elsewhere_only_where_the_provider_holds_less() {
    let open = Attempt {
        refusal: Some(refusal("charge_already_refunded", Proves::LookUp, 400)),
        ..attempt(AttemptKind::Refund, AttemptState::Unknown)
    };
    let at_balance = |balance_minor| {
        let seen = PaymentSeen {
            balance_minor,
            ..seen(SeenStatus::Captured)
        };
        learn_refund(&open, &Evidence::Seen(seen), EvidenceSource::LookUp, now())
    };
    assert!(matches!(
        at_balance(0),
        Ok(Verdict::Declined(refusal)) if refusal.code == "REFUNDED_ELSEWHERE"
    ));
    assert_eq!(at_balance(12_000), Ok(still(NextStep::Resend)));
}

#[test]
fn a_refund_is_not_sent_again_once_its_provider_may_have_forgotten_its_key() {
    for (provider, hours) in [(ProviderName::Toss, 14 * 24), (ProviderName::Stripe, 23)] {
        let sent = |ago| Attempt {
            provider,
            first_sent_at: Some(now() - ago),
            ..attempt(AttemptKind::Refund, AttemptState::Unknown)
        };
        let absent = Evidence::Seen(seen(SeenStatus::Captured));
        let looked = |ago| learn_refund(&sent(ago), &absent, EvidenceSource::LookUp, now());
        let over = Duration::hours(hours);
        assert_eq!(
            looked(over - Duration::minutes(1)),
            Ok(still(NextStep::Resend))
        );
        assert_eq!(looked(over), Ok(page()));
        assert!(!sent(over).can_be_ended());
    }
}
