//! Golden answers, and what each of them proves.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::domain::failure::FailureClass;
use crate::domain::payment::{CardUse, ThreeDSecure};

use super::*;

const ORDER: &str = "pd7QK2-INV1-1";
const INTENT: &str = "pi_3PdK1";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../assets/fixtures/stripe/", $name))
    };
}

fn exchange(status: u16, body: &str) -> Exchange {
    Exchange {
        status: Some(status),
        retry_after_s: Some(7),
        body: Ok(Zeroizing::new(body.as_bytes().to_vec())),
        ..Exchange::without_answer(Trouble::Broken, 1)
    }
}

fn expected(call: CallKind) -> Expected<'static> {
    Expected {
        call,
        mode: Mode::Sim,
        order_id: Some(ORDER),
        provider_ref: Some(INTENT),
        total: Some(Money::new(4_900, Currency::KRW)),
    }
}

fn of(call: CallKind, status: u16, body: &str) -> Evidence {
    evidence(&exchange(status, body), &expected(call))
}

fn charge(status: u16, body: &str) -> Evidence {
    of(CallKind::Charge, status, body)
}

fn changed(body: &str, changes: &[(&str, Value)]) -> String {
    let mut json: Value = serde_json::from_str(body).expect("json");
    for (pointer, value) in changes {
        *json.pointer_mut(pointer).expect(pointer) = value.clone();
    }
    json.to_string()
}

fn captured(evidence: Evidence) -> PaymentSeen {
    match evidence {
        Evidence::Seen(seen) => seen,
        other => panic!("{other:?}"),
    }
}

fn refusal(evidence: Evidence) -> Refusal {
    match evidence {
        Evidence::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_paid_intent_is_captured_with_its_card_and_what_is_left() {
    let seen = captured(charge(200, fixture!("intent_succeeded.json")));
    assert_eq!(seen.status, SeenStatus::Captured);
    assert_eq!(
        (seen.order_id.as_str(), seen.provider_ref.as_str()),
        (ORDER, INTENT)
    );
    assert_eq!((seen.total.minor(), seen.balance_minor), (4_900, 4_900));
    assert_eq!(seen.method, "visa");
    assert_eq!(
        seen.approved_at.map(|at| at.timestamp()),
        Some(1_763_716_800)
    );
    assert!(seen.cancels.is_empty() && seen.undone.is_empty() && seen.failure.is_none());
}

#[test]
fn n05_instalments_and_3d_secure_are_what_the_charge_shows_and_a_missing_field_says_nothing() {
    let card_use = |card: Value| {
        let details = json!({ "type": "card", "card": card });
        let mut body: Value =
            serde_json::from_str(fixture!("intent_succeeded.json")).expect("json");
        body["latest_charge"]["payment_method_details"] = details;
        captured(charge(200, &body.to_string())).card_use
    };
    assert_eq!(card_use(json!({ "brand": "visa" })), CardUse::default());
    assert_eq!(card_use(Value::Null), CardUse::default());
    let odd = json!({ "installments": "twelve", "three_d_secure": { "result": 3 } });
    assert_eq!(card_use(odd), CardUse::default());
    let plain = card_use(json!({ "installments": null, "three_d_secure": null }));
    assert_eq!(
        (plain.installment_months, plain.three_d_secure),
        (Some(0), Some(ThreeDSecure::NotUsed))
    );
    let plan = |count: i64, interval: &str| {
        let plan = json!({ "count": count, "interval": interval, "type": "fixed_count" });
        card_use(json!({ "installments": { "plan": plan } })).installment_months
    };
    assert_eq!((plan(6, "month"), plan(6, "year")), (Some(6), None));
    for (result, read) in [
        ("authenticated", ThreeDSecure::Authenticated),
        ("attempt_acknowledged", ThreeDSecure::Attempted),
        ("exempted", ThreeDSecure::Exempted),
        ("not_supported", ThreeDSecure::NotSupported),
        ("failed", ThreeDSecure::Failed),
        ("a word of tomorrow", ThreeDSecure::Other),
    ] {
        let used = card_use(json!({ "three_d_secure": { "result": result } }));
        assert_eq!(used.three_d_secure, Some(read), "{result}");
    }
}

#[test]
fn an_answer_about_anything_else_is_a_mismatch() {
    for change in [
        ("/amount", json!(9_900)),
        ("/currency", json!("jpy")),
        ("/livemode", json!(true)),
        ("/metadata/order_id", json!("pd7QK2-INV9-9")),
        ("/metadata", json!({})),
        ("/id", json!("pi_another")),
        ("/amount_received", json!(4_800)),
    ] {
        let body = changed(
            fixture!("intent_succeeded.json"),
            std::slice::from_ref(&change),
        );
        assert_eq!(
            charge(200, &body),
            Evidence::Unusable(Unusable::Mismatch),
            "{change:?}"
        );
    }
}

#[test]
fn a_body_that_is_no_intent_is_unreadable() {
    for change in [
        ("/amount", json!("4900")),
        ("/amount", json!(4_900.5)),
        ("/currency", json!("xxx")),
        ("/livemode", json!(null)),
        ("/status", json!(null)),
        // Captured, and nobody says how much has gone back.
        ("/latest_charge", json!("ch_3PdK1")),
        ("/latest_charge", json!(null)),
    ] {
        let body = changed(
            fixture!("intent_succeeded.json"),
            std::slice::from_ref(&change),
        );
        assert_eq!(
            charge(200, &body),
            Evidence::Unusable(Unusable::Unreadable),
            "{change:?}"
        );
    }
    for body in ["", "{", "[]", "<html>", "null"] {
        assert_eq!(
            charge(200, body),
            Evidence::Unusable(Unusable::Unreadable),
            "{body}"
        );
    }
}

#[test]
fn each_status_of_an_intent_is_one_of_ours() {
    for (status, ours) in [
        ("requires_payment_method", SeenStatus::NotStarted),
        ("requires_confirmation", SeenStatus::NotStarted),
        ("requires_action", SeenStatus::NeedsCustomer),
        ("processing", SeenStatus::Pending),
        ("requires_capture", SeenStatus::Pending),
        ("canceled", SeenStatus::Canceled),
        ("a_status_of_next_year", SeenStatus::Other),
    ] {
        let body = changed(
            fixture!("intent_prepared.json"),
            &[("/status", json!(status))],
        );
        let seen = captured(of(CallKind::LookUp, 200, &body));
        assert_eq!(seen.status, ours, "{status}");
        assert_eq!(seen.balance_minor, 0, "{status}");
    }
    let declined = captured(of(CallKind::LookUp, 200, fixture!("intent_declined.json")));
    assert_eq!(declined.status, SeenStatus::Failed);
    let failure = declined.failure.expect("a failure");
    assert_eq!(failure.code, "insufficient_funds");
    assert_eq!(
        (failure.class, failure.proves),
        (FailureClass::Soft, Proves::NotExecuted)
    );
    assert_eq!(declined.approved_at, None);
}

#[test]
fn every_recorded_error_ends_in_its_class() {
    use CallKind::{Change, Charge, LookUp, Prepare, Refund, Register};
    use FailureClass::{Config, Hard, NeedsCustomer, ProviderDown, Soft, Unclassified};
    use Proves::{ConfigTrouble, NotExecuted, Nothing, Unlisted};
    for (body, status, call, code, class, proves) in [
        (
            fixture!("errors/declined_charge.json"),
            402,
            Charge,
            "insufficient_funds",
            Soft,
            NotExecuted,
        ),
        (
            fixture!("errors/authentication_required.json"),
            402,
            Charge,
            "authentication_required",
            NeedsCustomer,
            NotExecuted,
        ),
        (
            fixture!("errors/amount_zero.json"),
            400,
            Prepare,
            "parameter_invalid_integer",
            Config,
            NotExecuted,
        ),
        (
            fixture!("errors/amount_too_small.json"),
            400,
            Prepare,
            "amount_too_small",
            Config,
            NotExecuted,
        ),
        (
            fixture!("errors/attach_declined.json"),
            402,
            Register,
            "generic_decline",
            Soft,
            NotExecuted,
        ),
        (
            fixture!("errors/subscription_without_card.json"),
            400,
            Charge,
            "resource_missing",
            Hard,
            Proves::LookUp,
        ),
        (
            fixture!("errors/method_of_another_customer.json"),
            400,
            Register,
            "invalid_request_error",
            Config,
            Unlisted,
        ),
        (
            fixture!("errors/unknown_method.json"),
            404,
            Register,
            "resource_missing",
            Hard,
            NotExecuted,
        ),
        (
            fixture!("errors/over_refund.json"),
            400,
            Refund,
            "invalid_request_error",
            Config,
            Proves::LookUp,
        ),
        (
            fixture!("errors/charge_already_refunded.json"),
            400,
            Refund,
            "charge_already_refunded",
            Config,
            Proves::LookUp,
        ),
        (
            fixture!("errors/invoice_already_paid.json"),
            400,
            Charge,
            "invalid_request_error",
            Config,
            Unlisted,
        ),
        (
            fixture!("errors/subscription_gone.json"),
            404,
            Change,
            "resource_missing",
            Hard,
            Unlisted,
        ),
        (
            fixture!("errors/wrong_key.json"),
            401,
            Charge,
            "http_401",
            Config,
            ConfigTrouble,
        ),
        (
            fixture!("errors/key_expired.json"),
            401,
            Refund,
            "api_key_expired",
            Config,
            ConfigTrouble,
        ),
        (
            fixture!("errors/no_permission.json"),
            403,
            Charge,
            "account_invalid",
            Config,
            ConfigTrouble,
        ),
        (
            fixture!("errors/missing_in_parameter.json"),
            400,
            Prepare,
            "resource_missing",
            Config,
            ConfigTrouble,
        ),
        (
            fixture!("errors/no_such_intent.json"),
            404,
            Charge,
            "resource_missing",
            Config,
            ConfigTrouble,
        ),
        (
            fixture!("errors/unknown_url.json"),
            404,
            LookUp,
            "invalid_request_error",
            Config,
            Unlisted,
        ),
        (
            fixture!("errors/other_parameters.json"),
            400,
            Prepare,
            "idempotency_error",
            Config,
            ConfigTrouble,
        ),
        (
            fixture!("errors/other_endpoint.json"),
            400,
            Refund,
            "idempotency_error",
            Config,
            ConfigTrouble,
        ),
        (
            fixture!("errors/server_error.json"),
            500,
            Charge,
            "api_error",
            ProviderDown,
            Nothing,
        ),
        (
            fixture!("errors/unexpected_state.json"),
            400,
            Charge,
            "payment_intent_unexpected_state",
            Config,
            Proves::LookUp,
        ),
        (
            r#"{"error":{"type":"card_error","code":"of_next_year"}}"#,
            402,
            Charge,
            "of_next_year",
            Unclassified,
            Unlisted,
        ),
    ] {
        let refusal = refusal(of(call, status, body));
        assert_eq!(refusal.code, code);
        assert_eq!(
            (refusal.class, refusal.proves),
            (class, proves),
            "{code} {call:?}"
        );
        assert_eq!(refusal.http_status, status);
    }
}

#[test]
fn every_decline_of_a_test_card_has_the_class_that_its_advice_gives() {
    for (code, decline, advice, class) in [
        (
            "card_declined",
            "generic_decline",
            "try_again_later",
            FailureClass::Soft,
        ),
        (
            "card_declined",
            "lost_card",
            "do_not_try_again",
            FailureClass::Hard,
        ),
        (
            "card_declined",
            "stolen_card",
            "do_not_try_again",
            FailureClass::Hard,
        ),
        (
            "card_declined",
            "card_velocity_exceeded",
            "try_again_later",
            FailureClass::Soft,
        ),
        (
            "expired_card",
            "expired_card",
            "confirm_card_data",
            FailureClass::NeedsCustomer,
        ),
        (
            "incorrect_cvc",
            "incorrect_cvc",
            "confirm_card_data",
            FailureClass::NeedsCustomer,
        ),
        (
            "processing_error",
            "processing_error",
            "try_again_later",
            FailureClass::Soft,
        ),
    ] {
        let body = changed(
            fixture!("errors/declined_charge.json"),
            &[
                ("/error/code", json!(code)),
                ("/error/decline_code", json!(decline)),
                ("/error/advice_code", json!(advice)),
            ],
        );
        let refusal = refusal(charge(402, &body));
        assert_eq!((refusal.code.as_str(), refusal.class), (decline, class));
        assert_eq!(refusal.proves, Proves::NotExecuted);
    }
}

#[test]
fn a_decline_that_its_own_intent_contradicts_proves_nothing() {
    let told = |changes: &[(&str, Value)]| {
        charge(
            402,
            &changed(fixture!("errors/declined_charge.json"), changes),
        )
    };
    let other = told(&[("/error/payment_intent/id", json!("pi_another"))]);
    assert_eq!(other, Evidence::Unusable(Unusable::Mismatch));
    for status in ["succeeded", "processing", "of_next_year"] {
        let refusal = refusal(told(&[
            ("/error/payment_intent/status", json!(status)),
            ("/error/payment_intent/amount_received", json!(4_900)),
        ]));
        assert_eq!(refusal.proves, Proves::LookUp, "{status}");
    }
    // An intent that cannot be read hides nothing, and proves nothing either.
    let broken = told(&[("/error/payment_intent/amount", json!("many"))]);
    assert_eq!(refusal(broken).proves, Proves::LookUp);
}

#[test]
fn what_was_canceled_before_is_canceled() {
    for call in [CallKind::Abandon, CallKind::Charge] {
        let seen = captured(of(call, 400, fixture!("errors/canceled_before.json")));
        assert_eq!(seen.status, SeenStatus::Canceled);
    }
}

#[test]
fn the_status_alone_says_who_is_busy_or_absent() {
    assert_eq!(
        charge(409, fixture!("errors/in_progress.json")),
        Evidence::Busy
    );
    assert_eq!(charge(409, ""), Evidence::Busy);
    let throttled = Evidence::Throttled {
        retry_after_s: Some(7),
    };
    for body in [
        fixture!("errors/rate_limit.json"),
        fixture!("errors/lock_timeout.json"),
        "",
    ] {
        assert_eq!(charge(429, body), throttled);
    }
    let absent = of(
        CallKind::LookUp,
        404,
        fixture!("errors/no_such_intent.json"),
    );
    assert_eq!(absent, Evidence::NotSeen);
    assert_eq!(charge(500, ""), Evidence::Unusable(Unusable::ServerError));
    assert_eq!(
        charge(503, "<html>"),
        Evidence::Unusable(Unusable::ServerError)
    );
    assert_eq!(refusal(charge(401, "")).proves, Proves::ConfigTrouble);
    for status in [201, 204, 302, 400, 402, 404] {
        assert_eq!(
            charge(status, "{}"),
            Evidence::Unusable(Unusable::Unreadable),
            "{status}"
        );
    }
}

#[test]
fn a_prepared_intent_is_ours_and_waits() {
    let unnamed = Expected {
        provider_ref: None,
        ..expected(CallKind::Prepare)
    };
    let name = |body: &str| prepared(body.as_bytes(), &unnamed);
    assert_eq!(
        name(fixture!("intent_prepared.json")),
        Ok(INTENT.to_owned())
    );
    for change in [
        ("/status", json!("requires_payment_method")),
        ("/status", json!("canceled")),
        ("/amount", json!(49)),
        ("/livemode", json!(true)),
    ] {
        let body = changed(
            fixture!("intent_prepared.json"),
            std::slice::from_ref(&change),
        );
        assert_eq!(name(&body), Err(Unusable::Mismatch), "{change:?}");
    }
}

fn payment(intent_body: &str, list: &str) -> Result<PaymentSeen, Unusable> {
    let page = refunds(list.as_bytes(), INTENT)?;
    let intent = intent(intent_body.as_bytes())?;
    seen(&intent, Some(&page.data), &expected(CallKind::LookUp))
}

#[test]
fn a_payment_is_read_with_its_refunds_and_those_that_came_back_apart() {
    let seen = payment(fixture!("intent_succeeded.json"), fixture!("refunds.json")).expect("read");
    assert_eq!(seen.balance_minor, 4_900 - 1_000 - 700);
    let told: Vec<_> = seen
        .cancels
        .iter()
        .map(|c| {
            (
                c.transaction_key.as_str(),
                c.reason.as_str(),
                c.amount_minor,
                c.is_done,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("re_3", "[rf:9XYZ]", 700, false),
            ("re_1", "고객 요청 [rf:7QK2]", 1_000, true)
        ]
    );
    let undone: Vec<_> = seen
        .undone
        .iter()
        .map(|c| (c.reason.as_str(), c.amount_minor))
        .collect();
    assert_eq!(undone, [("고객 요청 [rf:8ABC]", 500)]);
    // With all refunds at hand the charge need not be there.
    let bare = changed(
        fixture!("intent_succeeded.json"),
        &[("/latest_charge", json!("ch_1"))],
    );
    assert_eq!(
        payment(&bare, fixture!("refunds.json"))
            .expect("read")
            .balance_minor,
        3_200
    );
}

#[test]
fn a_refund_of_another_payment_or_currency_spoils_the_page() {
    let with = |pointer, value| changed(fixture!("refunds.json"), &[(pointer, value)]);
    for (list, why) in [
        (
            with("/data/0/payment_intent", json!("pi_another")),
            Unusable::Mismatch,
        ),
        (
            with("/data/0/payment_intent", json!(null)),
            Unusable::Mismatch,
        ),
        (with("/data/0/currency", json!("usd")), Unusable::Unreadable),
        (with("/data/0/amount", json!("7")), Unusable::Unreadable),
        (with("/has_more", json!(null)), Unusable::Unreadable),
    ] {
        assert_eq!(
            payment(fixture!("intent_succeeded.json"), &list),
            Err(why),
            "{list}"
        );
    }
}

#[test]
fn the_answer_to_a_refund_holds_the_payment_or_asks_for_it() {
    let told = |body: &str| {
        let expected = Expected {
            order_id: None,
            total: None,
            ..expected(CallKind::Refund)
        };
        given(body.as_bytes(), &expected)
    };
    let Ok(Given::Seen(seen)) = told(fixture!("refund.json")) else {
        panic!("not seen");
    };
    assert_eq!((seen.balance_minor, seen.cancels.len()), (3_900, 1));
    assert_eq!(seen.cancels[0].reason, "고객 요청 [rf:7QK2]");
    assert!(seen.cancels[0].is_done);
    let failed = changed(fixture!("refund.json"), &[("/status", json!("failed"))]);
    let Ok(Given::Seen(seen)) = told(&failed) else {
        panic!("not seen");
    };
    assert_eq!((seen.cancels.len(), seen.undone.len()), (0, 1));
    let plain = changed(
        fixture!("refund.json"),
        &[("/payment_intent", json!(INTENT))],
    );
    assert!(matches!(told(&plain), Ok(Given::ReadBack)));
    for other in [json!("pi_another"), json!(null)] {
        let body = changed(fixture!("refund.json"), &[("/payment_intent", other)]);
        assert!(matches!(told(&body), Err(Unusable::Mismatch)));
    }
}

#[test]
fn amounts_are_counted_as_stripe_counts_them() {
    let isk = |wire: i64| {
        let body = changed(
            fixture!("intent_prepared.json"),
            &[("/currency", json!("isk")), ("/amount", json!(wire))],
        );
        let expected = Expected {
            total: Some(Money::new(500, Currency::parse("ISK").expect("a currency"))),
            ..expected(CallKind::Charge)
        };
        evidence(&exchange(200, &body), &expected).name()
    };
    assert_eq!(isk(50_000), "not_started");
    assert_eq!(isk(500), Evidence::Unusable(Unusable::Mismatch).name());
    assert_eq!(isk(50_001), Evidence::Unusable(Unusable::Unreadable).name());
}

#[test]
fn a_charge_took_nothing_only_by_a_cards_refusal_and_an_intent_without_its_card() {
    let declined = fixture!("errors/declined_charge.json");
    let proves = |body: &str| refusal(charge(402, body)).proves;
    assert_eq!(proves(declined), Proves::NotExecuted);
    for status in ["requires_confirmation", "requires_action", "processing"] {
        let kept = changed(declined, &[("/error/payment_intent/status", json!(status))]);
        assert_eq!(proves(&kept), Proves::LookUp, "{status}");
    }
    let of_request = changed(
        declined,
        &[
            ("/error/type", json!("invalid_request_error")),
            ("/error/code", json!("payment_method_unactivated")),
        ],
    );
    assert_eq!(proves(&of_request), Proves::LookUp);
    let unread = changed(declined, &[("/error/payment_intent/amount", json!("many"))]);
    assert_eq!(proves(&unread), Proves::LookUp);
    for (kind, code) in [
        ("card_error", "card_declined"),
        ("invalid_request_error", "parameter_missing"),
        ("invalid_request_error", "amount_too_small"),
        ("invalid_request_error", "payment_method_unactivated"),
        ("invalid_request_error", "resource_missing"),
    ] {
        let alone = json!({ "error": { "type": kind, "code": code, "param": "payment_method" } });
        let alone = alone.to_string();
        assert_eq!(
            refusal(charge(400, &alone)).proves,
            Proves::LookUp,
            "{code}"
        );
        let made = refusal(of(CallKind::Prepare, 400, &alone));
        assert_eq!(
            made.proves,
            Proves::NotExecuted,
            "{code}: nothing to confirm"
        );
    }
}
