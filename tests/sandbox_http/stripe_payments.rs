//! Stripe: customers, cards, PaymentIntents in all their states, refunds, balance transactions.

use serde_json::{Value, json};

use super::stripe_support::intent_of;
use super::support::{Bench, basic};

#[tokio::test]
async fn a_saved_card_is_charged_in_two_steps_and_its_fee_comes_a_moment_later() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let intent = bench.intent(&kim, "order-1", 1_000).await;
    let waiting = bench.read(&format!("payment_intents/{intent}"), "").await;
    assert_eq!(waiting["status"], "requires_confirmation");
    let paid = bench.confirm(&intent, "k1").await.json();
    assert_eq!(paid["status"], "succeeded");
    assert_eq!(paid["amount_received"], 1_000);
    assert_eq!(paid["latest_charge"]["paid"], true);
    assert_eq!(paid["latest_charge"]["balance_transaction"], Value::Null);
    assert_eq!(paid["metadata"]["order_id"], "order-1");
    assert!(
        paid.get("_").is_none(),
        "nothing of the simulator's own is shown"
    );
    bench
        .control("clock", json!({ "advance_seconds": 5 }))
        .await;
    let query = "expand[0]=latest_charge.balance_transaction";
    let later = bench
        .read(&format!("payment_intents/{intent}"), query)
        .await;
    let row = &later["latest_charge"]["balance_transaction"];
    assert_eq!(
        (&row["amount"], &row["fee"], &row["net"]),
        (&json!(1_000), &json!(59), &json!(941))
    );
    assert_eq!(bench.stripe_ledger().await.len(), 1);
}

#[tokio::test]
async fn under_automatic_capture_the_fee_is_known_at_once() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let form = format!(
        "{}&capture_method=automatic&confirm=true&expand[]=latest_charge.balance_transaction",
        intent_of(&kim, "o", 2_000)
    );
    let paid = bench.post("payment_intents", &form).await.json();
    assert_eq!(
        paid["latest_charge"]["balance_transaction"]["type"],
        "charge"
    );
}

#[tokio::test]
async fn every_test_card_declines_with_its_recorded_codes_and_cannot_be_attached() {
    let bench = Bench::new().await;
    let customer = bench.post("customers", "").await.id();
    for (card, code, decline, advice, network, param) in [
        (
            "pm_card_visa_chargeDeclined",
            "card_declined",
            "generic_decline",
            "try_again_later",
            "01",
            None,
        ),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
            "try_again_later",
            "51",
            None,
        ),
        (
            "pm_card_visa_chargeDeclinedLostCard",
            "card_declined",
            "lost_card",
            "do_not_try_again",
            "41",
            None,
        ),
        (
            "pm_card_visa_chargeDeclinedStolenCard",
            "card_declined",
            "stolen_card",
            "do_not_try_again",
            "43",
            None,
        ),
        (
            "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
            "card_declined",
            "card_velocity_exceeded",
            "try_again_later",
            "61",
            None,
        ),
        (
            "pm_card_chargeDeclinedExpiredCard",
            "expired_card",
            "expired_card",
            "confirm_card_data",
            "54",
            Some("exp_month"),
        ),
        (
            "pm_card_chargeDeclinedIncorrectCvc",
            "incorrect_cvc",
            "incorrect_cvc",
            "confirm_card_data",
            "N7",
            Some("cvc"),
        ),
        (
            "pm_card_chargeDeclinedProcessingError",
            "processing_error",
            "processing_error",
            "try_again_later",
            "06",
            None,
        ),
    ] {
        let form = format!(
            "amount=500&currency=usd&payment_method={card}&payment_method_types[]=card&confirm=true"
        );
        let reply = bench.post("payment_intents", &form).await;
        let error = reply.json()["error"].clone();
        assert_eq!(reply.status, 402, "{card}");
        assert_eq!(error["type"], "card_error");
        assert_eq!(
            (&error["code"], &error["decline_code"]),
            (&json!(code), &json!(decline)),
            "{card}"
        );
        assert_eq!(
            (&error["advice_code"], &error["network_decline_code"]),
            (&json!(advice), &json!(network))
        );
        assert_eq!(error.get("param").and_then(Value::as_str), param);
        let intent = &error["payment_intent"];
        assert_eq!(
            (&intent["status"], &intent["payment_method"]),
            (&json!("requires_payment_method"), &Value::Null)
        );
        assert_eq!(
            (
                &intent["latest_charge"],
                &intent["last_payment_error"]["decline_code"]
            ),
            (&error["charge"], &json!(decline))
        );
        let charge = bench
            .read(
                &format!("charges/{}", error["charge"].as_str().expect("ch")),
                "",
            )
            .await;
        assert_eq!(
            (&charge["status"], &charge["failure_code"], &charge["paid"]),
            (&json!("failed"), &json!(code), &json!(false))
        );

        let attach = bench
            .post(
                &format!("payment_methods/{card}/attach"),
                &format!("customer={customer}"),
            )
            .await;
        let error = attach.json()["error"].clone();
        assert_eq!(
            (attach.status, error.get("payment_intent")),
            (402, None),
            "{card}"
        );
        assert_eq!(error["param"], json!(param.unwrap_or("")));
    }
    let attached = bench
        .read("payment_methods", &format!("customer={customer}&type=card"))
        .await;
    assert_eq!(attached["data"], json!([]));
    assert!(bench.stripe_ledger().await.is_empty());
}

#[tokio::test]
async fn a_declined_intent_has_no_card_any_more_and_can_be_confirmed_with_another() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_chargeCustomerFail").await;
    let intent = bench.intent(&kim, "order-1", 900).await;
    let declined = bench.confirm(&intent, "k1").await;
    assert_eq!(
        declined.problem(),
        (
            402,
            "card_error".into(),
            "card_declined".into(),
            "generic_decline".into()
        )
    );
    let again = bench.confirm(&intent, "k2").await;
    assert_eq!(
        (again.status, again.problem().2.as_str()),
        (400, "payment_intent_unexpected_state")
    );
    let other = bench
        .post(
            "payment_methods/pm_card_mastercard/attach",
            &format!("customer={}", kim.0),
        )
        .await
        .id();
    let path = format!("payment_intents/{intent}/confirm");
    let paid = bench
        .keyed(
            &path,
            "k3",
            &format!("off_session=true&payment_method={other}"),
        )
        .await
        .json();
    assert_eq!(paid["status"], "succeeded");
    assert_eq!(bench.stripe_ledger().await.len(), 1);
}

#[tokio::test]
async fn an_intent_succeeds_once_and_a_cancelled_one_never() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let first = bench.intent(&kim, "order-1", 900).await;
    assert_eq!(bench.confirm(&first, "k1").await.status, 200);
    let twice = bench.confirm(&first, "k2").await;
    assert_eq!(twice.problem().2, "payment_intent_unexpected_state");
    assert_eq!(
        twice.json()["error"]["payment_intent"]["status"],
        "succeeded"
    );
    let cancel = bench
        .post(&format!("payment_intents/{first}/cancel"), "")
        .await;
    assert_eq!(
        (cancel.status, cancel.problem().2.as_str()),
        (400, "payment_intent_unexpected_state")
    );

    let second = bench.intent(&kim, "order-2", 900).await;
    let canceled = bench
        .post(
            &format!("payment_intents/{second}/cancel"),
            "cancellation_reason=abandoned",
        )
        .await
        .json();
    assert_eq!(
        (&canceled["status"], &canceled["cancellation_reason"]),
        (&json!("canceled"), &json!("abandoned"))
    );
    assert_eq!(
        bench.confirm(&second, "k3").await.problem().2,
        "payment_intent_unexpected_state"
    );
    assert_eq!(bench.stripe_ledger().await.len(), 1);
}

#[tokio::test]
async fn a_card_that_wants_its_owner_is_declined_off_session_and_challenged_on_session() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_authenticationRequired").await;
    let intent = bench.intent(&kim, "order-1", 900).await;
    assert_eq!(
        bench.confirm(&intent, "k1").await.problem(),
        (
            402,
            "card_error".into(),
            "authentication_required".into(),
            "authentication_required".into()
        )
    );

    let form = |more: &str| format!("{}&confirm=true{more}", intent_of(&kim, "order-2", 900));
    let refused = bench
        .post("payment_intents", &form("&error_on_requires_action=true"))
        .await;
    assert_eq!(refused.problem().3, "authentication_not_handled");

    let asked = bench
        .post(
            "payment_intents",
            &form("&return_url=https://example.com/back"),
        )
        .await
        .json();
    assert_eq!(
        (&asked["status"], &asked["next_action"]["type"]),
        (&json!("requires_action"), &json!("redirect_to_url"))
    );
    let id = asked["id"].as_str().expect("pi");
    let done = bench
        .control(
            "stripe/challenges",
            json!({ "payment_intent": id, "outcome": "succeed" }),
        )
        .await;
    assert_eq!(
        (&done["status"], &done["next_action"]),
        (&json!("succeeded"), &Value::Null)
    );

    let asked = bench.post("payment_intents", &form("")).await.json();
    assert_eq!(asked["next_action"]["type"], "use_stripe_sdk");
    let id = asked["id"].as_str().expect("pi");
    let failed = bench
        .control(
            "stripe/challenges",
            json!({ "payment_intent": id, "outcome": "fail" }),
        )
        .await;
    assert_eq!(
        (&failed["status"], &failed["last_payment_error"]["code"]),
        (
            &json!("requires_payment_method"),
            &json!("payment_intent_authentication_failure")
        )
    );
}

#[tokio::test]
async fn refunds_are_partial_until_nothing_is_left() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let intent = bench.intent(&kim, "order-1", 2_000).await;
    bench.confirm(&intent, "k1").await;
    let refund = |amount: &str| {
        format!("payment_intent={intent}{amount}&reason=requested_by_customer&metadata[tag]=rf:1")
    };
    let first = bench
        .keyed("refunds", "r1", &refund("&amount=1300"))
        .await
        .json();
    assert_eq!(
        (
            &first["status"],
            &first["amount"],
            &first["metadata"]["tag"]
        ),
        (&json!("succeeded"), &json!(1_300), &json!("rf:1"))
    );
    assert_eq!(
        bench
            .keyed("refunds", "r1", &refund("&amount=1300"))
            .await
            .json(),
        first
    );
    let over = bench.post("refunds", &refund("&amount=2000")).await;
    assert_eq!(
        over.problem(),
        (
            400,
            "invalid_request_error".into(),
            "-".into(),
            "amount".into()
        )
    );
    assert_eq!(
        over.json()["error"]["message"],
        "Refund amount ($20.00) is greater than unrefunded amount on charge ($7.00)"
    );
    bench.post("refunds", &refund("")).await.id();
    assert_eq!(
        bench.post("refunds", &refund("")).await.problem().2,
        "charge_already_refunded"
    );
    let seen = bench
        .read(
            &format!("payment_intents/{intent}"),
            "expand[]=latest_charge",
        )
        .await;
    assert_eq!(
        (
            &seen["latest_charge"]["refunded"],
            &seen["latest_charge"]["amount_refunded"]
        ),
        (&json!(true), &json!(2_000))
    );
    let list = bench
        .read("refunds", &format!("payment_intent={intent}&limit=100"))
        .await;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2));
    let rows = bench.read("balance_transactions", "type=refund").await;
    assert_eq!(
        (&rows["data"][0]["amount"], &rows["data"][1]["amount"]),
        (&json!(-700), &json!(-1_300))
    );
}

#[tokio::test]
async fn a_refund_can_come_late_and_another_fails_after_it_had_succeeded() {
    let bench = Bench::new().await;
    for (card, first, later) in [
        ("pm_card_pendingRefund", "pending", "succeeded"),
        ("pm_card_refundFail", "succeeded", "failed"),
    ] {
        let kim = bench.customer(card).await;
        let intent = bench.intent(&kim, "order-1", 2_000).await;
        bench.confirm(&intent, card).await;
        let refund = bench
            .post("refunds", &format!("payment_intent={intent}&amount=500"))
            .await;
        assert_eq!(refund.json()["status"], first);
        bench
            .control("clock", json!({ "advance_seconds": 4_000 }))
            .await;
        let seen = bench.read(&format!("refunds/{}", refund.id()), "").await;
        assert_eq!(seen["status"], later);
        let charge = bench
            .read(
                &format!("payment_intents/{intent}"),
                "expand[]=latest_charge",
            )
            .await;
        let refunded = &charge["latest_charge"]["amount_refunded"];
        if later == "failed" {
            assert_eq!(
                (refunded, &seen["failure_reason"]),
                (&json!(0), &json!("unknown"))
            );
            let back = seen["failure_balance_transaction"].as_str().expect("a row");
            assert_eq!(
                bench
                    .read(&format!("balance_transactions/{back}"), "")
                    .await["amount"],
                500
            );
        } else {
            assert_eq!(refunded, &json!(500));
        }
    }
}

#[tokio::test]
async fn amounts_follow_their_currency() {
    let bench = Bench::new().await;
    let make = |amount: &str, currency: &str| {
        format!("amount={amount}&currency={currency}&payment_method_types[]=card")
    };
    for (amount, currency, code) in [
        ("0", "usd", "parameter_invalid_integer"),
        ("x", "usd", "parameter_invalid_integer"),
        ("49", "usd", "amount_too_small"),
        ("49", "jpy", "amount_too_small"),
        ("100000000", "krw", "amount_too_large"),
    ] {
        let refused = bench
            .post("payment_intents", &make(amount, currency))
            .await
            .problem();
        assert_eq!(
            (refused.0, refused.2.as_str(), refused.3.as_str()),
            (400, code, "amount"),
            "{amount} {currency}"
        );
    }
    let small = bench.post("payment_intents", &make("49", "eur")).await;
    assert_eq!(
        small.json()["error"]["message"],
        "Amount must be at least €0.50 eur"
    );
    for (amount, currency) in [
        ("9900", "krw"),
        ("99999999", "krw"),
        ("9900", "USD"),
        ("1230", "kwd"),
    ] {
        assert_eq!(
            bench
                .post("payment_intents", &make(amount, currency))
                .await
                .status,
            200,
            "{amount} {currency}"
        );
    }
    assert_eq!(
        bench
            .post("payment_intents", &make("1231", "kwd"))
            .await
            .status,
        400
    );
    assert_eq!(
        bench
            .post("payment_intents", &make("100", "xxx"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn what_is_missing_unknown_or_wrong_is_refused_as_recorded() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let invalid = |status: u16, code: &str, param: &str| {
        (
            status,
            "invalid_request_error".to_owned(),
            code.to_owned(),
            param.to_owned(),
        )
    };
    assert_eq!(
        bench
            .post("payment_intents", "currency=usd")
            .await
            .problem(),
        invalid(400, "parameter_missing", "amount")
    );
    assert_eq!(
        bench
            .post("payment_intents", "amount=500&currency=usd&colour=red")
            .await
            .problem(),
        invalid(400, "parameter_unknown", "colour")
    );
    assert_eq!(
        bench
            .post("payment_intents", "amount=500&currency=usd&customer=cus_x")
            .await
            .problem(),
        invalid(400, "resource_missing", "customer")
    );
    assert_eq!(
        bench.look("customers/cus_x", "").await.problem(),
        invalid(404, "resource_missing", "id")
    );
    assert_eq!(
        bench.look("customers/cus_x", "").await.json()["error"]["message"],
        "No such customer: 'cus_x'"
    );
    assert_eq!(
        bench
            .post(
                "payment_methods/pm_x/attach",
                &format!("customer={}", kim.0)
            )
            .await
            .problem(),
        invalid(404, "resource_missing", "payment_method")
    );
    assert_eq!(bench.look("nothing", "").await.status, 404);
    let other = bench.customer("pm_card_visa").await;
    let taken = bench
        .post(
            &format!("payment_methods/{}/attach", kim.1),
            &format!("customer={}", other.0),
        )
        .await;
    assert_eq!(taken.problem(), invalid(400, "-", "-"));
    // Without a type, redirects are possible, and a confirmation needs somewhere to come back to.
    let form = format!(
        "amount=500&currency=usd&customer={}&payment_method={}&confirm=true&off_session=true",
        kim.0, kim.1
    );
    assert_eq!(
        bench.post("payment_intents", &form).await.problem(),
        invalid(400, "-", "-")
    );
    let never = format!(
        "{form}&automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never"
    );
    assert_eq!(bench.post("payment_intents", &never).await.status, 200);
}

#[tokio::test]
async fn keys_are_bearers_or_basic_and_a_wrong_one_is_a_401_without_a_code() {
    let bench = Bench::new().await;
    let with = |auth: String| {
        let bench = &bench;
        async move {
            bench
                .send("GET", "/v1/balance", &[("authorization", &auth)], "")
                .await
                .expect("an answer")
        }
    };
    assert_eq!(with("Bearer sk_test_paydeck_sim".into()).await.status, 200);
    assert_eq!(with(basic("sk_test_paydeck_sim")).await.status, 200);
    let wrong = with("Bearer sk_test_somebody_elses".into()).await;
    assert_eq!(
        wrong.problem(),
        (401, "invalid_request_error".into(), "-".into(), "-".into())
    );
    assert!(wrong.header("www-authenticate").is_some());
    assert!(wrong.header("stripe-version").is_none());
    assert_eq!(
        bench
            .send("GET", "/v1/balance", &[], "")
            .await
            .expect("an answer")
            .status,
        401
    );
    let ready = paydeck::sandbox::ready_line(&bench.running);
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!(ready["stripe_secret_keys"], json!(["sk_test_paydeck_sim"]));
    assert_eq!(
        ready["base_urls"]["stripe"],
        json!(bench.running.base_url())
    );
}

#[tokio::test]
async fn a_detached_card_and_a_spent_one_are_used_up() {
    let bench = Bench::new().await;
    let kim = bench.customer("pm_card_visa").await;
    let detached = bench
        .post(&format!("payment_methods/{}/detach", kim.1), "")
        .await
        .json();
    assert_eq!(detached["customer"], Value::Null);
    assert_eq!(
        bench
            .post("payment_intents", &intent_of(&kim, "o", 900))
            .await
            .status,
        400
    );
    assert_eq!(
        bench
            .post(
                &format!("payment_methods/{}/attach", kim.1),
                &format!("customer={}", kim.0)
            )
            .await
            .status,
        400
    );
    let customer = bench.read(&format!("customers/{}", kim.0), "").await;
    assert_eq!(
        customer["invoice_settings"]["default_payment_method"],
        Value::Null
    );
    let gone = bench
        .try_stripe("DELETE", &format!("customers/{}", kim.0), &[], "")
        .await
        .expect("an answer")
        .json();
    assert_eq!(
        gone,
        json!({ "id": kim.0, "object": "customer", "deleted": true })
    );
    assert_eq!(bench.read(&format!("customers/{}", kim.0), "").await, gone);
}
