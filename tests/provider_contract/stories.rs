//! What every provider behind the port must do, told once and held by both: the life of a card and a
//! payment, and every fault on the way. Executions are counted in the simulator's books.

use std::time::Duration;

use paydeck::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use paydeck::domain::failure::FailureClass;
use paydeck::engine::ports::{DeleteOutcome, Desk, IssueOutcome, ProviderError};
use serde_json::{Value, json};

use crate::shop::{At, Attempt, Shop, refused, seen, told};

/// Each story with each provider.
macro_rules! told_of_both {
    ($($story:ident)+) => {
        mod toss {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Shop::open(paydeck::domain::mode::ProviderName::Toss).await).await;
            })+
        }
        mod stripe {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Shop::open(paydeck::domain::mode::ProviderName::Stripe).await).await;
            })+
        }
    };
}

told_of_both! {
    a_card_is_registered_charged_looked_up_refunded_and_let_go
    a_charge_is_executed_once_however_often_it_is_sent
    eight_senders_at_once_execute_a_charge_once
    every_fault_of_a_charge_is_told_as_what_it_proves
    an_answer_later_than_our_patience_is_a_time_out_and_found_afterwards
    a_charge_that_arrives_after_we_gave_up_is_found_by_looking
    a_declined_charge_is_never_seen_as_paid_and_a_new_one_is_free
    faults_of_look_ups_settle_nothing
    a_refund_is_executed_once_however_often_it_is_sent
    every_fault_of_a_refund_is_told_as_what_it_proves
    more_than_is_left_is_never_given_back
    faults_of_registering_never_invent_a_key
    the_list_is_complete_whatever_the_page
    a_list_the_provider_refuses_is_an_error_and_not_an_empty_list
    the_self_test_passes_and_a_strangers_key_fails_it
}

async fn a_card_is_registered_charged_looked_up_refunded_and_let_go(shop: Shop) {
    let outcome = shop.registering(&shop.auth_key().await).await;
    let IssueOutcome::Issued {
        billing_key, card, ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert!(card.number.contains('*'), "{card:?}");
    let (attempt, evidence) = shop.charge(&billing_key, "order-1").await;
    let paid = seen(evidence);
    assert_eq!(paid.status, SeenStatus::Captured);
    assert_eq!((paid.total.minor(), paid.balance_minor), (4_900, 4_900));
    assert!(paid.approved_at.is_some());
    assert_eq!(seen(attempt.look(shop.client.as_ref()).await), paid);
    let reference = paid.provider_ref.as_str();
    assert_eq!(seen(shop.payment(reference).await), paid);

    let part = seen(shop.refund(reference, 1_000, 4_900, "r1").await);
    assert_eq!(part.balance_minor, 3_900);
    assert_eq!(part.cancels[0].reason, "고객 요청 [rf:r1]");
    assert!(part.cancels[0].is_done);
    seen(shop.refund(reference, 3_900, 3_900, "r2").await);
    let rest = seen(shop.payment(reference).await);
    assert_eq!((rest.balance_minor, rest.cancels.len()), (0, 2));
    assert_eq!(rest.status, SeenStatus::Captured);
    // A charge that has gone back is still the charge that was made.
    assert_eq!(seen(attempt.look(shop.client.as_ref()).await), rest);
    assert_eq!(shop.executed().await, (1, 2));

    let gone = shop.client.delete_key(&mut Desk::new(), &billing_key).await;
    assert!(matches!(gone, DeleteOutcome::Deleted), "{gone:?}");
    let again = shop.client.delete_key(&mut Desk::new(), &billing_key).await;
    assert!(matches!(again, DeleteOutcome::Deleted), "{again:?}");
    let refusal = refused(shop.charge(&billing_key, "order-2").await.1);
    assert_eq!(refusal.proves, Proves::NotExecuted, "{refusal:?}");
    assert_eq!(shop.executed().await, (1, 2));
}

async fn a_charge_is_executed_once_however_often_it_is_sent(shop: Shop) {
    let key = shop.card().await;
    shop.fault(At::Charge, json!("lost_after_commit")).await;
    let (mut attempt, lost) = shop.charge(&key, "order-1").await;
    assert_eq!(lost, Evidence::Unusable(Unusable::Broken));
    let found = seen(attempt.look(shop.client.as_ref()).await);
    assert_eq!(found.status, SeenStatus::Captured);
    for _ in 0..5 {
        let again = attempt.send(shop.client.as_ref()).await.evidence;
        let is_true = match &again {
            Evidence::Seen(seen) => *seen == found,
            // "It stands elsewhere than you thought": look.
            Evidence::Refused(refusal) => refusal.proves == Proves::LookUp,
            _ => false,
        };
        assert!(is_true, "{again:?}");
        assert_eq!(seen(attempt.look(shop.client.as_ref()).await), found);
    }
    assert_eq!(shop.executed().await, (1, 0));
}

async fn eight_senders_at_once_execute_a_charge_once(shop: Shop) {
    let key = shop.card().await;
    shop.control("POST", "clock", json!({ "advance_seconds": 1 }))
        .await;
    let mut attempt = Attempt::new(shop.client.as_ref(), &key, "order-1");
    attempt
        .prepare(shop.client.as_ref())
        .await
        .expect("prepared");
    let sends = (1..=8).map(|n| attempt.send_number(shop.client.as_ref(), n));
    let told = futures_util::future::join_all(sends).await;
    assert_eq!(shop.executed().await, (1, 0));
    let captured = told.iter().filter(
        |report| matches!(&report.evidence, Evidence::Seen(s) if s.status == SeenStatus::Captured),
    );
    assert!(captured.count() >= 1, "{told:?}");
    for report in &told {
        let is_denial =
            matches!(&report.evidence, Evidence::Refused(r) if r.proves == Proves::NotExecuted);
        assert!(!is_denial, "{report:?}");
    }
}

/// A fault of the charge, what the client makes of the answer, and how often it was executed.
fn charge_faults() -> Vec<(Value, &'static str, i64)> {
    let error = |status: u16, commit: &str, body: &str| json!({ "kind": "http_error", "status": status, "commit": commit, "body": body });
    vec![
        (json!("lost_before_commit"), "broken", 0),
        (json!("lost_after_commit"), "broken", 1),
        (json!("reset_mid_body"), "broken", 1),
        (json!("truncated_json"), "unreadable", 1),
        (json!({ "kind": "html_body" }), "unreadable", 1),
        (
            json!({ "kind": "html_body", "commit": "before" }),
            "unreadable",
            0,
        ),
        (json!("wrong_order"), "mismatch", 1),
        (json!({ "kind": "wrong_amount" }), "mismatch", 1),
        (json!("unknown_fields"), "captured", 1),
        (json!("in_progress"), "pending", 1),
        (
            json!({ "kind": "rate_limited", "retry_after_seconds": 3 }),
            "throttled",
            0,
        ),
        (error(500, "before", "json"), "refused nothing", 0),
        (error(500, "after", "json"), "refused nothing", 1),
        (error(502, "after", "html"), "server_error", 1),
        (error(503, "before", "none"), "server_error", 0),
        (json!({ "kind": "unknown_code" }), "refused unlisted", 0),
        (
            json!({ "kind": "unknown_code", "status": 500 }),
            "refused nothing",
            0,
        ),
        (
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            "refused not_executed",
            0,
        ),
        (json!({ "kind": "slow", "ms": 5 }), "captured", 1),
        (
            json!({ "kind": "slow_before_commit", "ms": 5 }),
            "captured",
            1,
        ),
    ]
}

async fn every_fault_of_a_charge_is_told_as_what_it_proves(shop: Shop) {
    let key = shop.card().await;
    let mut charged = 0;
    for (n, (fault, expected, executed)) in charge_faults().into_iter().enumerate() {
        shop.fault(At::Charge, fault.clone()).await;
        let (mut attempt, evidence) = shop.charge(&key, &format!("order-{n}")).await;
        assert_eq!(told(&evidence), expected, "{fault}");
        charged += executed;
        assert_eq!(shop.executed().await.0, charged, "{fault}");
        let looked = attempt.look(shop.client.as_ref()).await;
        assert_eq!(is_captured(&looked), executed == 1, "{fault}: {looked:?}");
        // Sent again it is executed if it was not, and never twice; a decline stays one.
        let again = attempt.send(shop.client.as_ref()).await.evidence;
        let looked = attempt.look(shop.client.as_ref()).await;
        charged += i64::from(is_captured(&looked) && executed == 0);
        assert_eq!(shop.executed().await.0, charged, "{fault}: {again:?}");
        if expected == "refused not_executed" {
            assert!(!is_captured(&looked), "{fault}: {looked:?}");
        }
    }
}

fn is_captured(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Seen(seen) if seen.status == SeenStatus::Captured)
}

async fn an_answer_later_than_our_patience_is_a_time_out_and_found_afterwards(shop: Shop) {
    let key = shop.card().await;
    let mut attempt = Attempt::new(shop.client.as_ref(), &key, "order-1");
    attempt
        .prepare(shop.client.as_ref())
        .await
        .expect("prepared");
    shop.fault(At::Charge, json!({ "kind": "slow", "ms": 60_000 }))
        .await;
    let hasty = shop.hasty(Duration::from_secs(3));
    let report = attempt.send(hasty.as_ref()).await;
    assert_eq!(report.evidence, Evidence::Unusable(Unusable::TimedOut));
    let found = seen(attempt.look(shop.client.as_ref()).await);
    assert_eq!(found.status, SeenStatus::Captured);
    assert_eq!(shop.executed().await, (1, 0));
}

async fn a_charge_that_arrives_after_we_gave_up_is_found_by_looking(shop: Shop) {
    let key = shop.card().await;
    shop.fault(At::Charge, json!({ "kind": "late", "ms": 20 }))
        .await;
    let (attempt, lost) = shop.charge(&key, "order-1").await;
    assert_eq!(lost, Evidence::Unusable(Unusable::Broken));
    for _ in 0..10_000 {
        let looked = attempt.look(shop.client.as_ref()).await;
        if is_captured(&looked) {
            return;
        }
        // Not there yet is no proof that it never will be.
        assert!(
            ["not_seen", "not_started"].contains(&told(&looked).as_str()),
            "{looked:?}"
        );
        tokio::task::yield_now().await;
    }
    panic!("the late charge was never found");
}

async fn a_declined_charge_is_never_seen_as_paid_and_a_new_one_is_free(shop: Shop) {
    let key = shop.card().await;
    shop.fault(
        At::Charge,
        json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
    )
    .await;
    let (mut attempt, evidence) = shop.charge(&key, "order-1").await;
    let refusal = refused(evidence);
    assert_eq!(refusal.class, FailureClass::Soft);
    assert_eq!(refusal.proves, Proves::NotExecuted);
    let looked = seen(attempt.look(shop.client.as_ref()).await);
    assert_eq!(looked.status, SeenStatus::Failed);
    assert_eq!(
        looked.failure.map(|failure| failure.class),
        Some(FailureClass::Soft)
    );
    // The same attempt is over, whatever is sent.
    for _ in 0..3 {
        let again = refused(attempt.send(shop.client.as_ref()).await.evidence);
        assert!(
            [Proves::NotExecuted, Proves::LookUp].contains(&again.proves),
            "{again:?}"
        );
    }
    assert_eq!(shop.executed().await, (0, 0));
    assert_eq!(
        shop.paid(&key, "order-2").await.status,
        SeenStatus::Captured
    );
    assert_eq!(shop.executed().await, (1, 0));
}

async fn faults_of_look_ups_settle_nothing(shop: Shop) {
    let key = shop.card().await;
    let (attempt, _) = shop.charge(&key, "order-1").await;
    for (fault, expected) in [
        (json!("not_found"), "not_seen"),
        (json!("truncated_json"), "unreadable"),
        (json!("lost_before_commit"), "broken"),
        (json!("wrong_order"), "mismatch"),
        (json!("in_progress"), "pending"),
        (json!({ "kind": "rate_limited" }), "throttled"),
        (
            json!({ "kind": "http_error", "status": 500 }),
            "refused nothing",
        ),
    ] {
        shop.fault(At::LookUp, fault.clone()).await;
        let looked = attempt.look(shop.client.as_ref()).await;
        assert_eq!(told(&looked), expected, "{fault}");
    }
}

async fn a_refund_is_executed_once_however_often_it_is_sent(shop: Shop) {
    let key = shop.card().await;
    let paid = shop.paid(&key, "order-1").await;
    shop.fault(At::Refund, json!("lost_after_commit")).await;
    let lost = shop.refund(&paid.provider_ref, 1_000, 4_900, "r1").await;
    assert_eq!(lost, Evidence::Unusable(Unusable::Broken));
    let found = seen(shop.payment(&paid.provider_ref).await);
    assert_eq!(found.cancels[0].reason, "고객 요청 [rf:r1]");
    for _ in 0..5 {
        let again = seen(shop.refund(&paid.provider_ref, 1_000, 4_900, "r1").await);
        assert_eq!(again.cancels, found.cancels);
    }
    assert_eq!(shop.executed().await, (1, 1));
}

async fn every_fault_of_a_refund_is_told_as_what_it_proves(shop: Shop) {
    let error = |status: u16, commit: &str, body: &str| json!({ "kind": "http_error", "status": status, "commit": commit, "body": body });
    let key = shop.card().await;
    let paid = shop.paid(&key, "order-1").await;
    let (mut balance, mut given) = (4_900, 0);
    for (n, (fault, expected, executed)) in [
        (json!("lost_before_commit"), "broken", 0),
        (json!("lost_after_commit"), "broken", 1),
        (json!("reset_mid_body"), "broken", 1),
        (json!("truncated_json"), "unreadable", 1),
        (json!({ "kind": "html_body" }), "unreadable", 1),
        (json!("unknown_fields"), "captured", 1),
        (json!({ "kind": "rate_limited" }), "throttled", 0),
        (error(500, "before", "json"), "refused nothing", 0),
        (error(500, "after", "json"), "refused nothing", 1),
        (error(503, "before", "none"), "server_error", 0),
        (json!({ "kind": "slow", "ms": 5 }), "captured", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let tag = format!("r{n}");
        shop.fault(At::Refund, fault.clone()).await;
        let evidence = shop.refund(&paid.provider_ref, 100, balance, &tag).await;
        assert_eq!(told(&evidence), expected, "{fault}");
        given += executed;
        balance -= 100 * executed;
        assert_eq!(shop.executed().await.1, given, "{fault}");
        let read = seen(shop.payment(&paid.provider_ref).await);
        let ours = read
            .cancels
            .iter()
            .filter(|c| c.reason.contains(&format!("[rf:{tag}]")));
        assert_eq!(
            i64::try_from(ours.count()).expect("few"),
            executed,
            "{fault}"
        );
        assert_eq!(read.balance_minor, balance, "{fault}");
    }
}

async fn more_than_is_left_is_never_given_back(shop: Shop) {
    let key = shop.card().await;
    let paid = shop.paid(&key, "order-1").await;
    let reference = paid.provider_ref.as_str();
    for (amount, balance, tag) in [(5_000, 4_900, "r1"), (9_900, 9_900, "r2")] {
        let refusal = refused(shop.refund(reference, amount, balance, tag).await);
        assert!(
            [Proves::NotExecuted, Proves::LookUp].contains(&refusal.proves),
            "{refusal:?}"
        );
    }
    seen(shop.refund(reference, 4_900, 4_900, "r3").await);
    let twice = refused(shop.refund(reference, 100, 0, "r4").await);
    assert_eq!(twice.proves, Proves::LookUp, "{twice:?}");
    assert_eq!(shop.executed().await, (1, 1));
    assert_eq!(seen(shop.payment(reference).await).balance_minor, 0);
}

async fn faults_of_registering_never_invent_a_key(shop: Shop) {
    for fault in [
        json!("lost_after_commit"),
        json!("lost_before_commit"),
        json!("truncated_json"),
        json!({ "kind": "html_body" }),
        json!({ "kind": "rate_limited" }),
        json!({ "kind": "http_error", "status": 503, "body": "none" }),
    ] {
        shop.fault(At::Register, fault.clone()).await;
        let auth_key = shop.auth_key().await;
        let outcome = shop.registering(&auth_key).await;
        assert!(
            matches!(outcome, IssueOutcome::Unusable(_)),
            "{fault} {outcome:?}"
        );
    }
}

async fn the_list_is_complete_whatever_the_page(shop: Shop) {
    let key = shop.card().await;
    for n in 1..=5 {
        let paid = shop.paid(&key, &format!("order-{n}")).await;
        seen(
            shop.refund(&paid.provider_ref, 900, 4_900, &format!("r{n}"))
                .await,
        );
    }
    for limit in [1, 3, 10, 100] {
        let rows = shop.transactions(limit).await.expect("a list");
        let mut keys: Vec<&str> = rows
            .iter()
            .map(|row| row.transaction_key.as_str())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((rows.len(), keys.len()), (10, 10), "by {limit}");
        for (is_cancel, minor) in [(true, 900), (false, 4_900)] {
            let amounts: Vec<i64> = rows
                .iter()
                .filter(|row| row.is_cancel == is_cancel)
                .map(|row| row.amount.minor())
                .collect();
            assert_eq!(amounts, [minor; 5]);
        }
        for n in 1..=5 {
            let order = format!("order-{n}");
            let named = rows.iter().filter(|row| row.order_id == order);
            assert_eq!(named.count(), 2, "{order} by {limit}");
        }
    }
}

async fn a_list_the_provider_refuses_is_an_error_and_not_an_empty_list(shop: Shop) {
    for (fault, is_refused) in [
        (json!({ "kind": "truncated_json" }), false),
        (json!({ "kind": "rate_limited" }), true),
        (json!("lost_before_commit"), false),
    ] {
        shop.fault(At::Transactions, fault.clone()).await;
        let listed = shop.transactions(10).await;
        match listed {
            Err(ProviderError::Refused { .. }) => assert!(is_refused, "{fault}"),
            Err(ProviderError::Unusable { .. }) => assert!(!is_refused, "{fault}"),
            other => panic!("{fault} {other:?}"),
        }
    }
    assert!(shop.transactions(10).await.expect("a list").is_empty());
}

async fn the_self_test_passes_and_a_strangers_key_fails_it(shop: Shop) {
    shop.client
        .self_test(&mut Desk::new())
        .await
        .expect("look-up works");
    let stranger = shop.stranger();
    let failed = stranger.self_test(&mut Desk::new()).await;
    assert!(
        matches!(
            failed,
            Err(ProviderError::Refused {
                status: 401 | 400,
                ..
            })
        ),
        "{failed:?}"
    );
    let key = shop.card().await;
    let mut attempt = Attempt::new(shop.client.as_ref(), &key, "order-1");
    attempt
        .prepare(shop.client.as_ref())
        .await
        .expect("prepared");
    let refusal = refused(attempt.send(stranger.as_ref()).await.evidence);
    assert_eq!(refusal.proves, Proves::ConfigTrouble);
    assert_eq!(shop.executed().await, (0, 0));
}
