//! Toss against its simulator, under every setting of what nobody has verified about it. What every
//! provider must do is in `stories`. Executions are counted in the simulator's books.

use paydeck::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use paydeck::domain::failure::FailureClass;
use paydeck::engine::ports::{DeleteOutcome, Desk, IssueOutcome, Provider, ProviderError};
use paydeck::locale::{Lang, Locale};
use paydeck::provider::toss::{CallKind, classify, codes};
use paydeck::sandbox::{
    AuthKeyReuse, CancelRowAmount, LookupAfterDecline, OrderReuse, Replay, SecondDelete, Switches,
    TransactionsOrder, UnknownBillingKey,
};
use paydeck::secret::Secret;
use serde_json::json;

use crate::bench::{Bench, CUSTOMER, refused, registering, seen};

#[tokio::test]
async fn one_full_refund_and_one_with_an_outdated_balance() {
    let bench = Bench::new().await;
    let (key, _) = bench.issue().await;
    let paid = seen(bench.charge(&key, "order-1", "k1").await);
    let outdated = refused(bench.refund(&paid.provider_ref, 1_000, 3_900, "r1").await);
    assert_eq!(outdated.code, "NOT_MATCHES_REFUNDABLE_AMOUNT");
    assert_eq!(outdated.proves, Proves::NotExecuted);
    let whole = seen(bench.refund(&paid.provider_ref, 4_900, 4_900, "r2").await);
    assert_eq!(whole.balance_minor, 0);
    let again = refused(bench.refund(&paid.provider_ref, 4_900, 0, "r3").await);
    assert_eq!(again.proves, Proves::LookUp);
    assert_eq!(bench.executed().await, (1, 1));
}

#[tokio::test]
async fn a_checkout_payment_is_confirmed_with_our_amount() {
    let bench = Bench::new().await;
    let checkout = json!({ "orderId": "order-9", "amount": 15_000 });
    let opened = bench.control("POST", "checkouts", checkout).await;
    let payment_key = opened["paymentKey"].as_str().expect("a payment key");
    let paid = seen(bench.confirm(payment_key, "order-9", 15_000).await);
    assert_eq!(paid.status, SeenStatus::Captured);
    assert_eq!(paid.total.minor(), 15_000);
    assert_eq!(bench.executed().await, (1, 0));
}

fn told(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Refused(refusal) => format!("refused {}", refusal.proves.as_str()),
        other => other.name().to_owned(),
    }
}

#[tokio::test]
async fn a_declined_order_is_shown_as_failed_or_not_at_all_and_never_as_captured() {
    for (setting, expected) in [
        (LookupAfterDecline::Aborted, "failed"),
        (LookupAfterDecline::NotFound, "not_seen"),
    ] {
        let bench = Bench::with(Switches {
            lookup_after_decline: setting,
            ..Switches::default()
        })
        .await;
        let (key, _) = bench.issue().await;
        let decline = json!({ "kind": "decline", "code": "INVALID_STOPPED_CARD" });
        bench.fault("charge", decline).await;
        let refusal = refused(bench.charge(&key, "order-1", "k1").await);
        assert_eq!(refusal.class, FailureClass::Hard);
        let looked = bench.order("order-1").await;
        assert_eq!(looked.name(), expected);
        if let Evidence::Seen(seen) = looked {
            let failure = seen.failure.expect("a failure");
            assert_eq!(failure.class, FailureClass::Hard);
        }
        // The same key gives the old refusal again; a new attempt has a new one.
        assert_eq!(refused(bench.charge(&key, "order-1", "k1").await), refusal);
        seen(bench.charge(&key, "order-2", "k2").await);
    }
}

#[tokio::test]
async fn an_order_id_used_again_after_a_decline_is_charged_or_to_be_looked_up() {
    for setting in [OrderReuse::Allowed, OrderReuse::Refused] {
        let bench = Bench::with(Switches {
            order_reuse_after_decline: setting,
            ..Switches::default()
        })
        .await;
        let (key, _) = bench.issue().await;
        let decline = json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" });
        bench.fault("charge", decline).await;
        refused(bench.charge(&key, "order-1", "k1").await);
        let second = bench.charge(&key, "order-1", "k2").await;
        match setting {
            OrderReuse::Allowed => assert_eq!(seen(second).status, SeenStatus::Captured),
            OrderReuse::Refused => assert_eq!(refused(second).proves, Proves::LookUp),
        }
    }
}

#[tokio::test]
async fn server_errors_and_throttling_that_are_replayed_still_prove_nothing() {
    for setting in [Replay::Forgotten, Replay::Replayed] {
        let bench = Bench::with(Switches {
            server_error_replay: setting,
            rate_limit_replay: setting,
            ..Switches::default()
        })
        .await;
        let (key, _) = bench.issue().await;
        let error = json!({ "kind": "http_error", "status": 500, "commit": "after" });
        bench.fault("charge", error).await;
        let first = bench.charge(&key, "order-1", "k1").await;
        assert_eq!(told(&first), "refused nothing");
        let again = bench.charge(&key, "order-1", "k1").await;
        assert_ne!(told(&again), "refused not_executed");
        assert_eq!(
            seen(bench.order("order-1").await).status,
            SeenStatus::Captured
        );
        bench
            .fault("charge", json!({ "kind": "rate_limited" }))
            .await;
        let throttled = bench.charge(&key, "order-2", "k2").await;
        assert_eq!(told(&throttled), "throttled");
        let again = bench.charge(&key, "order-2", "k2").await;
        assert!(["throttled", "captured"].contains(&told(&again).as_str()));
    }
}

#[tokio::test]
async fn an_unknown_billing_key_is_a_hard_decline_under_both_settings() {
    for setting in [
        UnknownBillingKey::NotFoundBilling,
        UnknownBillingKey::InvalidBillKeyRequest,
    ] {
        let bench = Bench::with(Switches {
            unknown_billing_key: setting,
            ..Switches::default()
        })
        .await;
        let never = Secret::new("Z_t5vOvQxrj4499PeiJcjen28-V2RyqgYTwN44Rdzk0=");
        let refusal = refused(bench.charge(&never, "order-1", "k1").await);
        assert_eq!(refusal.class, FailureClass::Hard);
        assert_eq!(refusal.proves, Proves::NotExecuted);
    }
}

#[tokio::test]
async fn a_key_deleted_twice_is_deleted_under_both_settings() {
    for setting in [SecondDelete::AlreadyRemoved, SecondDelete::Ok] {
        let bench = Bench::with(Switches {
            second_delete: setting,
            ..Switches::default()
        })
        .await;
        let (key, _) = bench.issue().await;
        for _ in 0..2 {
            let outcome = bench.client.delete_key(&mut Desk::new(), &key).await;
            assert!(matches!(outcome, DeleteOutcome::Deleted), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn an_auth_key_works_once_and_only_while_it_lives() {
    for setting in [
        AuthKeyReuse::InvalidBillingAuth,
        AuthKeyReuse::NotFoundBilling,
    ] {
        let bench = Bench::with(Switches {
            auth_key_reuse: setting,
            auth_key_lifetime_seconds: Some(600),
            ..Switches::default()
        })
        .await;
        // The request carries a key made of the auth key: a second copy gets the first one's
        // answer, whatever the provider does with a used auth key.
        let once = bench.auth_key().await;
        let mut keys = Vec::new();
        for _ in 0..2 {
            match bench
                .client
                .issue(&mut Desk::new(), registering(&once, CUSTOMER))
                .await
            {
                IssueOutcome::Issued { billing_key, .. } => keys.push(billing_key),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(keys[0], keys[1]);
        let late = bench.auth_key().await;
        let wait = json!({ "advance_seconds": 601 });
        bench.control("POST", "clock", wait).await;
        let outcome = bench
            .client
            .issue(&mut Desk::new(), registering(&late, CUSTOMER))
            .await;
        let IssueOutcome::Refused(refusal) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(refusal.proves, Proves::NotExecuted, "{refusal:?}");
    }
}

#[tokio::test]
async fn cancels_too_close_together_and_too_many_requests_prove_nothing() {
    let bench = Bench::with(Switches {
        cancel_gap_ms: 60_000,
        ..Switches::default()
    })
    .await;
    let (key, _) = bench.issue().await;
    let paid = seen(bench.charge(&key, "order-1", "k1").await);
    seen(bench.refund(&paid.provider_ref, 1_000, 4_900, "r1").await);
    let refusal = refused(bench.refund(&paid.provider_ref, 1_000, 3_900, "r2").await);
    assert_eq!(refusal.code, "FORBIDDEN_CONSECUTIVE_REQUEST");
    assert_eq!(refusal.proves, Proves::Nothing);

    let bench = Bench::with(Switches {
        rate_limit_per_minute: 1,
        ..Switches::default()
    })
    .await;
    assert_eq!(bench.order("order-1").await, Evidence::NotSeen);
    let throttled = bench.order("order-1").await;
    assert!(
        matches!(throttled, Evidence::Throttled { .. }),
        "{throttled:?}"
    );
}

#[tokio::test]
async fn the_transaction_list_is_complete_in_either_order_and_sign() {
    for order in [TransactionsOrder::Ascending, TransactionsOrder::Descending] {
        for sign in [CancelRowAmount::Positive, CancelRowAmount::Negative] {
            let bench = Bench::with(Switches {
                transactions_order: order,
                cancel_row_amount: sign,
                ..Switches::default()
            })
            .await;
            let (key, _) = bench.issue().await;
            for n in 1..=5 {
                let (order, idem) = (format!("order-{n}"), format!("k{n}"));
                let paid = seen(bench.charge(&key, &order, &idem).await);
                seen(
                    bench
                        .refund(&paid.provider_ref, 900, 4_900, &format!("r{n}"))
                        .await,
                );
            }
            for limit in [1, 3, 10, 100] {
                let rows = bench.all_transactions(limit).await;
                let mut keys: Vec<&str> = rows
                    .iter()
                    .map(|row| row.transaction_key.as_str())
                    .collect();
                keys.sort_unstable();
                keys.dedup();
                assert_eq!((rows.len(), keys.len()), (10, 10), "{order:?} by {limit}");
                let back: Vec<i64> = rows
                    .iter()
                    .filter(|row| row.is_cancel)
                    .map(|row| row.amount.minor())
                    .collect();
                assert_eq!(back, [900; 5], "{sign:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_the_provider_refuses_is_an_error_and_not_an_empty_list() {
    let bench = Bench::new().await;
    let day = chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("a date");
    let desk = &mut Desk::new();
    let refused = bench.client.transactions(desk, day, day, None, 9_999).await;
    assert!(
        matches!(refused, Err(ProviderError::Refused { .. })),
        "{refused:?}"
    );
    bench
        .fault("transactions", json!({ "kind": "truncated_json" }))
        .await;
    let broken = bench.client.transactions(desk, day, day, None, 10).await;
    assert!(
        matches!(broken, Err(ProviderError::Unusable { .. })),
        "{broken:?}"
    );
}

#[tokio::test]
async fn a_test_code_makes_the_provider_refuse() {
    let bench = Bench::new().await;
    let (key, _) = bench.issue().await;
    let client = bench
        .client
        .clone()
        .with_test_code("REJECT_CARD_PAYMENT")
        .expect("not live");
    let report = bench.charge_by(&client, &key, "order-1", "k1").await;
    assert_eq!(refused(report.evidence).class, FailureClass::Soft);
    assert_eq!(bench.executed().await, (0, 0));
}

#[tokio::test]
async fn another_merchants_answer_is_a_mismatch() {
    let bench = Bench::new().await;
    let (key, _) = bench.issue().await;
    let client = bench.client.clone().with_merchant_id("tsomebody");
    let report = bench.charge_by(&client, &key, "order-1", "k1").await;
    assert_eq!(report.evidence, Evidence::Unusable(Unusable::Mismatch));
    let client = bench.client.clone().with_merchant_id("tpaydeck");
    let report = bench.charge_by(&client, &key, "order-2", "k2").await;
    seen(report.evidence);
}

#[tokio::test]
async fn every_code_the_simulator_declines_with_arrives_as_the_table_has_it() {
    let bench = Bench::new().await;
    let (key, _) = bench.issue().await;
    for (n, (code, row)) in codes::all().enumerate() {
        let decline = json!({ "kind": "decline", "code": code });
        bench.fault("charge", decline).await;
        let (order, idem) = (format!("order-{n}"), format!("k{n}"));
        let report = bench.charge_by(&bench.client, &key, &order, &idem).await;
        if code == "IDEMPOTENT_REQUEST_PROCESSING" {
            assert_eq!(report.evidence, Evidence::Busy);
            continue;
        }
        let status = report.http_status.expect("an answer");
        let refusal = refused(report.evidence);
        assert_eq!(refusal, classify(CallKind::Charge, code, status));
        assert_eq!(refusal.class, row.class);
    }
    assert_eq!(bench.executed().await, (0, 0));
}

#[test]
fn every_code_has_texts_of_its_own_in_both_languages() {
    let ours = [
        "PAYDECK_BAD_REFERENCE",
        "PAYDECK_BAD_IDEMPOTENCY_KEY",
        "PAYDECK_CURRENCY_NOT_SUPPORTED",
        "PAYDECK_BAD_AMOUNT",
        "PAYDECK_NOT_SUPPORTED",
        "PAYDECK_NOT_EXECUTED",
        "PAYDECK_ENDED",
        "PAYDECK_WITHDRAWN",
        "PAYDECK_OTHER_ACCOUNT",
        "uncoded",
    ];
    for lang in Lang::ALL {
        let locale = Locale::get(lang);
        let stripes = paydeck::provider::stripe::codes::all().map(|(code, _)| code);
        for code in codes::all()
            .map(|(code, _)| code)
            .chain(stripes)
            .chain(ours)
        {
            for part in ["meaning", "say", "next"] {
                let key = format!("failure.{code}.{part}");
                assert!(locale.find(&key).is_some(), "{lang:?} {key}");
            }
        }
    }
}
