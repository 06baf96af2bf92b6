//! What Stripe alone does, against its simulator: the two steps of a charge and the fence under them, test
//! cards, refunds that come back, and currencies.

use paydeck::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use paydeck::domain::failure::FailureClass;
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::engine::ports::{
    ChargeCall, ChargeRequest, Desk, IssueOutcome, PrepareCall, PrepareOutcome, Provider,
};
use paydeck::provider::stripe::{StripeClient, StripeOptions};
use paydeck::sandbox::stripe::SECRET_KEY;
use paydeck::secret::Secret;
use serde_json::json;

use crate::shop::{At, Attempt, PATIENT, Shop, refused, seen, told};

pub async fn shop() -> Shop {
    Shop::open(ProviderName::Stripe).await
}

pub fn stripe(shop: &Shop) -> StripeClient {
    StripeClient::new(StripeOptions {
        base_url: shop.base_url(),
        secret_key: Secret::new(SECRET_KEY),
        mode: Mode::Sim,
        connect_timeout: PATIENT,
        total_timeout: PATIENT,
        return_url: None,
    })
    .expect("a client")
}

async fn card_of(shop: &Shop, name: &str) -> Secret {
    match shop.registering(&Secret::new(name)).await {
        IssueOutcome::Issued { billing_key, .. } => billing_key,
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn whatever_goes_wrong_while_preparing_takes_no_money_and_makes_one_intent() {
    let shop = shop().await;
    let key = shop.card().await;
    for (n, fault) in [
        json!("lost_before_commit"),
        json!("lost_after_commit"),
        json!("truncated_json"),
        json!("wrong_order"),
        json!({ "kind": "rate_limited" }),
        json!({ "kind": "http_error", "status": 500, "body": "none" }),
    ]
    .into_iter()
    .enumerate()
    {
        shop.fault_at("stripe_intent_create", fault.clone()).await;
        let mut attempt = Attempt::new(shop.client.as_ref(), &key, &format!("order-{n}"));
        let report = attempt
            .prepare(shop.client.as_ref())
            .await
            .expect_err("not prepared");
        assert_ne!(told(&report.evidence), "captured", "{fault}");
        let looked = attempt.look(shop.client.as_ref()).await;
        assert_eq!(looked, Evidence::NotSeen, "{fault}");
        assert_eq!(
            shop.executed().await.0,
            i64::try_from(n).expect("few"),
            "{fault}"
        );
        let paid = seen(attempt.send(shop.client.as_ref()).await.evidence);
        assert_eq!(paid.status, SeenStatus::Captured, "{fault}");
        // Asked again under the same key, it is the same intent.
        let first = attempt.provider_ref.take();
        attempt
            .prepare(shop.client.as_ref())
            .await
            .expect("prepared");
        assert_eq!(attempt.provider_ref, first, "{fault}");
    }
}

#[tokio::test]
async fn what_was_ended_can_never_be_charged_and_what_was_charged_cannot_be_ended() {
    let shop = shop().await;
    let key = shop.card().await;
    let desk = &mut Desk::new();
    let mut ended = Attempt::new(shop.client.as_ref(), &key, "order-1");
    ended.prepare(shop.client.as_ref()).await.expect("prepared");
    let looked = seen(ended.look(shop.client.as_ref()).await);
    assert_eq!(looked.status, SeenStatus::NotStarted);
    let intent = ended.provider_ref.clone().expect("an intent");
    for _ in 0..2 {
        let report = shop
            .client
            .abandon(desk, &intent, "a1")
            .await
            .expect("a fence");
        assert_eq!(seen(report.evidence).status, SeenStatus::Canceled);
    }
    let late = ended.send(shop.client.as_ref()).await.evidence;
    assert_eq!(seen(late).status, SeenStatus::Canceled);
    assert_eq!(shop.executed().await, (0, 0));
    let paid = shop.paid(&key, "order-2").await;
    let report = shop
        .client
        .abandon(desk, &paid.provider_ref, "a2")
        .await
        .expect("a fence");
    assert_eq!(refused(report.evidence).proves, Proves::LookUp);
    assert_eq!(seen(shop.payment(&paid.provider_ref).await), paid);
}

#[tokio::test]
async fn an_end_whose_answer_is_lost_is_seen_by_looking() {
    let shop = shop().await;
    let key = shop.card().await;
    let mut attempt = Attempt::new(shop.client.as_ref(), &key, "order-1");
    attempt
        .prepare(shop.client.as_ref())
        .await
        .expect("prepared");
    shop.fault_at("stripe_intent_cancel", json!("lost_after_commit"))
        .await;
    let intent = attempt.provider_ref.clone().expect("an intent");
    let lost = shop
        .client
        .abandon(&mut Desk::new(), &intent, "a1")
        .await
        .expect("a fence");
    assert_eq!(lost.evidence, Evidence::Unusable(Unusable::Broken));
    let looked = seen(attempt.look(shop.client.as_ref()).await);
    assert_eq!(looked.status, SeenStatus::Canceled);
}

#[tokio::test]
async fn a_declined_intent_cannot_be_charged_by_a_send_that_comes_later() {
    let shop = shop().await;
    let key = card_of(&shop, "pm_card_chargeCustomerFail").await;
    let (mut attempt, evidence) = shop.charge(&key, "order-1").await;
    let refusal = refused(evidence);
    assert_eq!(refusal.proves, Proves::NotExecuted);
    assert!(refusal.class.is_decline(), "{refusal:?}");
    for _ in 0..3 {
        let again = attempt.send(shop.client.as_ref()).await.evidence;
        assert_eq!(told(&again), "refused look_up");
    }
    let looked = seen(attempt.look(shop.client.as_ref()).await);
    assert_eq!(looked.status, SeenStatus::Failed);
    assert_eq!(shop.executed().await, (0, 0));
}

#[tokio::test]
async fn a_card_that_wants_its_owner_is_the_customers_matter() {
    let shop = shop().await;
    let key = card_of(&shop, "pm_card_authenticationRequired").await;
    let (attempt, evidence) = shop.charge(&key, "order-1").await;
    let refusal = refused(evidence);
    assert_eq!(refusal.code, "authentication_required");
    assert_eq!(
        (refusal.class, refusal.proves),
        (FailureClass::NeedsCustomer, Proves::NotExecuted)
    );
    let looked = seen(attempt.look(shop.client.as_ref()).await);
    assert_eq!(
        looked.failure.map(|f| f.class),
        Some(FailureClass::NeedsCustomer)
    );
    assert_eq!(shop.executed().await, (0, 0));
}

#[tokio::test]
async fn a_card_that_declines_cannot_be_attached_and_says_why() {
    let shop = shop().await;
    for (name, code, class) in [
        (
            "pm_card_visa_chargeDeclined",
            "generic_decline",
            FailureClass::Soft,
        ),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "insufficient_funds",
            FailureClass::Soft,
        ),
        (
            "pm_card_visa_chargeDeclinedLostCard",
            "lost_card",
            FailureClass::Hard,
        ),
        (
            "pm_card_visa_chargeDeclinedStolenCard",
            "stolen_card",
            FailureClass::Hard,
        ),
        (
            "pm_card_chargeDeclinedExpiredCard",
            "expired_card",
            FailureClass::NeedsCustomer,
        ),
        (
            "pm_card_chargeDeclinedIncorrectCvc",
            "incorrect_cvc",
            FailureClass::NeedsCustomer,
        ),
        (
            "pm_card_chargeDeclinedProcessingError",
            "processing_error",
            FailureClass::Soft,
        ),
    ] {
        let outcome = shop.registering(&Secret::new(name)).await;
        let IssueOutcome::Refused(refusal) = outcome else {
            panic!("{name}: {outcome:?}");
        };
        assert_eq!(
            (refusal.code.as_str(), refusal.class),
            (code, class),
            "{name}"
        );
        assert_eq!(refusal.proves, Proves::NotExecuted);
    }
}

#[tokio::test]
async fn a_refund_that_waits_is_not_done_and_one_that_came_back_is_told_apart() {
    let shop = shop().await;
    let waiting = card_of(&shop, "pm_card_pendingRefund").await;
    let paid = shop.paid(&waiting, "order-1").await;
    let given = seen(shop.refund(&paid.provider_ref, 1_000, 4_900, "r1").await);
    assert!(!given.cancels[0].is_done, "{given:?}");
    assert_eq!(given.balance_minor, 3_900);
    let failing = card_of(&shop, "pm_card_refundFail").await;
    let paid = shop.paid(&failing, "order-2").await;
    let given = seen(shop.refund(&paid.provider_ref, 1_000, 4_900, "r2").await);
    assert!(given.cancels[0].is_done, "{given:?}");
    shop.control("POST", "clock", json!({ "advance_seconds": 10 * 86_400 }))
        .await;
    let later = seen(shop.payment(&paid.provider_ref).await);
    assert!(later.cancels.is_empty(), "{later:?}");
    assert_eq!(later.undone[0].reason, "고객 요청 [rf:r2]");
    assert_eq!(later.balance_minor, 4_900);
}

#[tokio::test]
async fn every_kind_of_currency_is_charged_to_the_unit() {
    let shop = shop().await;
    let key = shop.card().await;
    let client = stripe(&shop);
    for (n, (code, minor)) in [
        ("KRW", 9_900),
        ("JPY", 9_900),
        ("USD", 29_000),
        ("KWD", 12_340),
        ("ISK", 500),
    ]
    .into_iter()
    .enumerate()
    {
        let amount = Money::new(minor, Currency::parse(code).expect("a currency"));
        let order = format!("order-{n}");
        let body = client.charge_body(&ChargeRequest {
            order_id: &order,
            order_name: "Gold",
            customer_key: "ck",
            amount,
        });
        let idem = format!("k{n}");
        let prepare = PrepareCall {
            billing_key: &key,
            body: &body,
            idem_key: &idem,
            order_id: &order,
            amount,
        };
        let made = client.prepare(&mut Desk::new(), prepare).await;
        let PrepareOutcome::Prepared { provider_ref } = made else {
            panic!("{code} {made:?}");
        };
        let charge = ChargeCall {
            billing_key: &key,
            body: &body,
            idem_key: &idem,
            order_id: &order,
            amount,
            provider_ref: Some(&provider_ref),
            send_no: 1,
        };
        let paid = seen(client.charge(&mut Desk::new(), charge).await.evidence);
        assert_eq!((paid.status, paid.total), (SeenStatus::Captured, amount));
    }
}

#[tokio::test]
async fn refunds_of_one_payment_are_read_however_many_there_are() {
    let shop = shop().await;
    let key = shop.card().await;
    let paid = shop.paid(&key, "order-1").await;
    for n in 0..105 {
        let left = 4_900 - 10 * n;
        seen(
            shop.refund(&paid.provider_ref, 10, left, &format!("r{n}"))
                .await,
        );
    }
    let read = seen(shop.payment(&paid.provider_ref).await);
    assert_eq!(
        (read.cancels.len(), read.balance_minor),
        (105, 4_900 - 1_050)
    );
    shop.fault(At::Payment, json!("truncated_json")).await;
    let broken = shop.payment(&paid.provider_ref).await;
    assert_eq!(broken, Evidence::Unusable(Unusable::Unreadable));
}
