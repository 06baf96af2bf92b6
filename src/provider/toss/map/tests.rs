//! Golden answers, and what each of them proves.

use zeroize::Zeroizing;

use crate::domain::evidence::Proves;
use crate::domain::failure::FailureClass;

use super::*;

const ORDER: &str = "pd7QK2-INV1-1";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../assets/fixtures/toss/", $name)).as_bytes()
    };
}

fn exchange(status: u16, body: &[u8]) -> Exchange {
    Exchange {
        status: Some(status),
        retry_after_s: Some(7),
        body: Ok(Zeroizing::new(body.to_vec())),
        ..Exchange::without_answer(Trouble::Broken, 1)
    }
}

fn expected(call: CallKind) -> Expected<'static> {
    Expected {
        call,
        order_id: Some(ORDER),
        provider_ref: None,
        total: Some(Money::new(4_900, Currency::KRW)),
        merchant_id: None,
    }
}

fn charge(status: u16, body: &[u8]) -> Evidence {
    evidence(&exchange(status, body), &expected(CallKind::Charge))
}

fn look_up(status: u16, body: &[u8]) -> Evidence {
    let expected = Expected {
        total: None,
        ..expected(CallKind::LookUp)
    };
    evidence(&exchange(status, body), &expected)
}

fn seen(evidence: Evidence) -> PaymentSeen {
    match evidence {
        Evidence::Seen(seen) => seen,
        other => panic!("{other:?}"),
    }
}

fn refused(evidence: Evidence) -> Refusal {
    match evidence {
        Evidence::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_approved_payment_is_captured_with_its_amount_and_instant() {
    let seen = seen(charge(200, fixture!("payment_done.json")));
    assert_eq!(seen.status, SeenStatus::Captured);
    assert_eq!(seen.total, Money::new(4_900, Currency::KRW));
    assert_eq!(seen.balance_minor, 4_900);
    assert_eq!(seen.order_id, ORDER);
    assert_eq!(
        seen.approved_at.expect("an instant").to_rfc3339(),
        "2022-06-08T06:40:49+00:00"
    );
    assert_eq!(seen.method, "카드");
    assert!(seen.cancels.is_empty() && seen.failure.is_none());
}

#[test]
fn n05_the_months_a_customer_pays_it_off_over_are_read_and_whatever_else_stands_there_is_unknown() {
    let done = String::from_utf8_lossy(fixture!("payment_done.json")).into_owned();
    let months = |written: &str| {
        let body = done.replace(
            "\"installmentPlanMonths\": 0",
            &format!("\"installmentPlanMonths\": {written}"),
        );
        let seen = seen(charge(200, body.as_bytes()));
        // Nothing that they answer says whether the customer's bank asked.
        assert_eq!(seen.card_use.three_d_secure, None);
        seen.card_use.installment_months
    };
    for (written, read) in [
        ("0", Some(0)),
        ("3", Some(3)),
        ("null", None),
        ("\"3\"", None),
        ("-1", None),
    ] {
        assert_eq!(months(written), read, "{written}");
    }
    let json: serde_json::Value = serde_json::from_str(&done).expect("json");
    let mut without = json;
    without["card"] = serde_json::Value::Null;
    let seen = seen(charge(200, without.to_string().as_bytes()));
    assert_eq!(seen.card_use, CardUse::default());
}

#[test]
fn money_given_back_in_parts_shows_in_cancels_and_balance_not_in_the_status() {
    let seen = seen(look_up(200, fixture!("payment_given_back_in_parts.json")));
    assert_eq!(seen.status, SeenStatus::Captured);
    assert_eq!(seen.balance_minor, 0);
    let amounts: Vec<i64> = seen.cancels.iter().map(|c| c.amount_minor).collect();
    assert_eq!(amounts, [1_000, 3_900]);
    assert_eq!(seen.cancels[0].reason, "고객 요청 [rf:7QK2]");
    assert!(seen.cancels.iter().all(|cancel| cancel.is_done));
}

#[test]
fn an_undecided_cancel_is_not_done_and_a_failed_one_is_none() {
    let seen = seen(look_up(200, fixture!("payment_cancels_undecided.json")));
    assert_eq!(seen.cancels.len(), 1);
    assert!(!seen.cancels[0].is_done);
}

#[test]
fn a_failed_payment_carries_its_classified_code() {
    let aborted = seen(look_up(200, fixture!("payment_aborted.json")));
    assert_eq!(aborted.status, SeenStatus::Failed);
    let failure = aborted.failure.expect("a failure");
    assert_eq!(failure.class, FailureClass::Soft);
    assert_eq!(failure.proves, Proves::NotExecuted);
    let expired = seen(look_up(200, fixture!("payment_expired.json")));
    assert_eq!(expired.status, SeenStatus::Failed);
    assert_eq!(
        expired.failure.expect("a failure").class,
        FailureClass::ProviderDown
    );
}

#[test]
fn an_unknown_word_is_no_answer_and_never_a_decline() {
    let strange = seen(charge(200, fixture!("payment_of_next_year.json")));
    assert_eq!(strange.status, SeenStatus::Other);
    let open = seen(charge(200, fixture!("payment_in_progress.json")));
    assert_eq!(open.status, SeenStatus::Pending);
    let never_paid = seen(look_up(200, fixture!("payment_account_never_paid.json")));
    assert_eq!(never_paid.status, SeenStatus::Other);
}

#[test]
fn a_200_that_is_no_payment_of_ours_is_no_success() {
    let done = fixture!("payment_done.json");
    for (why, body) in [
        (
            Unusable::Unreadable,
            fixture!("payment_fractional_won.json"),
        ),
        (Unusable::Unreadable, &done[..done.len() / 2]),
        (Unusable::Unreadable, b"".as_slice()),
        (Unusable::Unreadable, b"<html>ok</html>"),
        (Unusable::Unreadable, b"[]"),
        (Unusable::Unreadable, b"{\"status\":\"DONE\"}"),
        (Unusable::Unreadable, fixture!("billing.json")),
    ] {
        assert_eq!(charge(200, body), Evidence::Unusable(why));
    }
    for (from, to) in [
        ("pd7QK2-INV1-1", "pd7QK2-INV1-2"),
        ("\"totalAmount\": 4900", "\"totalAmount\": 49000"),
        ("\"KRW\"", "\"USD\""),
    ] {
        let other = String::from_utf8_lossy(done).replace(from, to);
        assert_eq!(
            charge(200, other.as_bytes()),
            Evidence::Unusable(Unusable::Mismatch),
            "{to}"
        );
    }
    let no_ref = String::from_utf8_lossy(done)
        .replace("5zJ4xY7m0kODnyRpQWGrN2xqGlNvLrKwv1M9ENjbeoPaZdL6", "");
    assert_eq!(
        charge(200, no_ref.as_bytes()),
        Evidence::Unusable(Unusable::Unreadable)
    );
}

#[test]
fn an_answer_about_another_payment_or_merchant_is_a_mismatch() {
    let done = exchange(200, fixture!("payment_done.json"));
    for expected in [
        Expected {
            provider_ref: Some("another"),
            ..expected(CallKind::Cancel)
        },
        Expected {
            merchant_id: Some("another"),
            ..expected(CallKind::Cancel)
        },
    ] {
        assert_eq!(
            evidence(&done, &expected),
            Evidence::Unusable(Unusable::Mismatch)
        );
    }
}

#[test]
fn only_a_200_is_a_success() {
    for status in [201, 202, 204, 302, 307] {
        assert_eq!(
            charge(status, fixture!("payment_done.json")),
            Evidence::Unusable(Unusable::Unreadable),
            "{status}"
        );
    }
}

#[test]
fn a_decline_is_told_by_its_code() {
    let refusal = refused(charge(403, fixture!("error_declined.json")));
    assert_eq!(refusal.code, "REJECT_CARD_PAYMENT");
    assert_eq!(refusal.http_status, 403);
    assert_eq!(refusal.proves, Proves::NotExecuted);
}

#[test]
fn absence_is_one_code_with_one_status_of_one_kind_of_call() {
    let body = fixture!("error_not_found.json");
    assert_eq!(look_up(404, body), Evidence::NotSeen);
    for (status, body) in [
        (400, body),
        (403, body),
        (404, br#"{"code":"NOT_FOUND","message":""}"#.as_slice()),
        (404, br#"{"code":"NOT_FOUND_MERCHANT","message":""}"#),
        (401, br#"{"code":"UNAUTHORIZED_KEY","message":""}"#),
    ] {
        refused(look_up(status, body));
    }
    assert_eq!(
        look_up(404, b"<html>not found</html>"),
        Evidence::Unusable(Unusable::Unreadable)
    );
    let refusal = refused(charge(404, body));
    assert_eq!(refusal.proves, Proves::ConfigTrouble);
}

#[test]
fn uncoded_errors_prove_nothing() {
    for (status, body, expected) in [
        (500, "", Evidence::Unusable(Unusable::ServerError)),
        (502, "<html>", Evidence::Unusable(Unusable::ServerError)),
        (503, "{}", Evidence::Unusable(Unusable::ServerError)),
        (400, "", Evidence::Unusable(Unusable::Unreadable)),
        (403, "<html>", Evidence::Unusable(Unusable::Unreadable)),
        (409, "", Evidence::Unusable(Unusable::Unreadable)),
        (
            400,
            r#"{"code":"lower case or \u001b[31m"}"#,
            Evidence::Unusable(Unusable::Unreadable),
        ),
        (
            429,
            "",
            Evidence::Throttled {
                retry_after_s: Some(7),
            },
        ),
        (
            409,
            r#"{"code":"IDEMPOTENT_REQUEST_PROCESSING"}"#,
            Evidence::Busy,
        ),
    ] {
        assert_eq!(charge(status, body.as_bytes()), expected, "{status} {body}");
    }
    let refusal = refused(charge(401, b"<html>"));
    assert_eq!(refusal.proves, Proves::ConfigTrouble);
}

#[test]
fn transport_troubles_keep_their_meaning() {
    for (trouble, expected) in [
        (Trouble::NotSent, Evidence::NotSent),
        (Trouble::TimedOut, Evidence::Unusable(Unusable::TimedOut)),
        (Trouble::Broken, Evidence::Unusable(Unusable::Broken)),
        (Trouble::TooLarge, Evidence::Unusable(Unusable::Unreadable)),
    ] {
        let exchange = Exchange {
            body: Err(trouble),
            ..exchange(200, b"")
        };
        assert_eq!(
            evidence(&exchange, &super::tests::expected(CallKind::Charge)),
            expected
        );
    }
}

#[test]
fn a_registered_card_is_read_and_its_key_is_not_printable() {
    let body = fixture!("billing.json");
    let (key, card) = billing(body, "aENcQAtPdYbTjGhtQnNVj", None).expect("a billing key");
    assert_eq!(key.expose(), "Z_t5vOvQxrj4499PeiJcjen28-V2RyqgYTwN44Rdzk0=");
    assert_eq!(format!("{key:?}"), "***");
    assert_eq!(card.issuer, "61");
    assert_eq!(card.kind, "credit");
    assert_eq!(card.last4(), "123*");
    let (_, account) = billing(
        fixture!("billing_account.json"),
        "aENcQAtPdYbTjGhtQnNVj",
        None,
    )
    .expect("a billing key");
    assert_eq!(account.issuer, "국민");
    let whole = String::from_utf8_lossy(body).replace("43301234****123*", "4330123412341234");
    let (_, card) =
        billing(whole.as_bytes(), "aENcQAtPdYbTjGhtQnNVj", None).expect("a billing key");
    assert_eq!(card.number, "");
}

#[test]
fn a_billing_key_of_another_customer_is_a_mismatch() {
    let refused = billing(fixture!("billing.json"), "somebody-else", None);
    assert_eq!(refused.err(), Some(Unusable::Mismatch));
    let refused = billing(b"{}", "aENcQAtPdYbTjGhtQnNVj", None);
    assert_eq!(refused.err(), Some(Unusable::Unreadable));
}

#[test]
fn rows_of_the_transaction_list_have_absolute_amounts_and_a_direction() {
    let rows = transactions(fixture!("transactions.json"), None).expect("rows");
    let told: Vec<(bool, i64)> = rows
        .iter()
        .map(|row| (row.is_cancel, row.amount.minor()))
        .collect();
    assert_eq!(told, [(false, 4_900), (true, 1_000), (true, 3_900)]);
    assert_eq!(transactions(b"[]", Some("tother")), Ok(Vec::new()));
    let others = transactions(fixture!("transactions.json"), Some("tother"));
    assert_eq!(others, Err(Unusable::Mismatch), "rows of another merchant");
}

#[test]
fn one_unreadable_row_spoils_the_page() {
    let page = String::from_utf8_lossy(fixture!("transactions.json"))
        .replace("2024-02-13T12:20:23+09:00", "some day");
    assert_eq!(
        transactions(page.as_bytes(), None),
        Err(Unusable::Unreadable)
    );
    assert_eq!(transactions(b"{}", None), Err(Unusable::Unreadable));
}
