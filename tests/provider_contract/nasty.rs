//! Answers that go wrong: each ends as evidence that proves no more than is true.

use std::time::Duration;

use paydeck::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use paydeck::engine::ports::{
    CallReport, ChargeCall, ConfirmCall, DeleteOutcome, Desk, IssueOutcome, Provider,
    ProviderError, RefundCall, RefundRequest,
};
use paydeck::secret::Secret;

use crate::bench::{looking_for, registering};
use crate::responder::{Act, Responder, answer};
use crate::{Charge, charge, client, won};

const SECRET_KEY: &str = "test_sk_contract";
const DONE: &str = include_str!("../../assets/fixtures/toss/payment_done.json");
const DECLINED: &str = include_str!("../../assets/fixtures/toss/error_declined.json");
const BILLING: &str = include_str!("../../assets/fixtures/toss/billing.json");
const PATIENT: Duration = Duration::from_secs(20);
const IMPATIENT: Duration = Duration::from_millis(300);

const CHARGE: Charge<'static> = Charge {
    billing_key: "Z_t5vOvQxrj4499PeiJcjen28-V2RyqgYTwN44Rdzk0=",
    customer_key: "aENcQAtPdYbTjGhtQnNVj",
    order_id: "pd7QK2-INV1-1",
    idem_key: "k1",
};

async fn charge_against(act: Act, patience: Duration) -> (CallReport, Vec<String>) {
    let responder = Responder::start(act).await;
    let client = client(&responder.base_url, SECRET_KEY, patience);
    let report = charge(&client, CHARGE).await;
    (report, responder.requests())
}

fn ok(body: &str) -> Act {
    Act::Write(answer("200 OK", "", body))
}

#[tokio::test]
async fn a_charge_is_one_post_with_key_body_and_no_language() {
    let (report, requests) = charge_against(ok(DONE), PATIENT).await;
    let Evidence::Seen(seen) = report.evidence else {
        panic!("{report:?}");
    };
    assert_eq!(seen.status, SeenStatus::Captured);
    assert_eq!(report.http_status, Some(200));
    assert_eq!(
        report.trace_id.as_deref(),
        Some("afbc9b43d8f9c55f1201d777b6e68418")
    );
    assert_eq!(report.body_sha256.map(|hash| hash.len()), Some(64));
    let [request] = &requests[..] else {
        panic!("{requests:?}");
    };
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.starts_with("POST /v1/billing/Z_t5vOvQxrj4499PeiJcjen28-V2RyqgYTwN44Rdzk0= HTTP/1.1"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    assert!(head.contains("idempotency-key: k1"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(!head.contains("accept-language"), "{head}");
    assert!(!head.contains("test-code"), "{head}");
    assert_eq!(
        body,
        r#"{"amount":4900,"customerKey":"aENcQAtPdYbTjGhtQnNVj","orderId":"pd7QK2-INV1-1","orderName":"토스 프라임 구독"}"#
    );
}

#[tokio::test]
async fn a_refused_connection_is_the_only_proof_that_nothing_left() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = client(&format!("http://{address}"), SECRET_KEY, PATIENT);
    let report = charge(&client, CHARGE).await;
    assert_eq!(report.evidence, Evidence::NotSent);
    assert_eq!(report.http_status, None);
    let tested = client.self_test(&mut Desk::new()).await;
    assert!(
        matches!(tested, Err(ProviderError::NotReached { .. })),
        "{tested:?}"
    );
}

#[tokio::test]
async fn a_tls_handshake_that_fails_sends_no_request() {
    let responder = Responder::start(Act::ResetUnread).await;
    let tls = responder.base_url.replace("http://", "https://");
    let client = client(&tls, SECRET_KEY, PATIENT);
    let report = charge(&client, CHARGE).await;
    assert_eq!(report.evidence, Evidence::NotSent);
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_proves_nothing_and_is_not_retried() {
    for act in [Act::Close, Act::Reset, Act::ResetUnread] {
        let (report, requests) = charge_against(act.clone(), PATIENT).await;
        assert_eq!(
            report.evidence,
            Evidence::Unusable(Unusable::Broken),
            "{act:?}"
        );
        assert_eq!(requests.len(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn silence_beyond_the_time_limit_is_a_time_out_before_and_within_the_body() {
    let whole = answer("200 OK", "", DONE);
    let half = whole[..whole.len() - 20].to_vec();
    for bytes in [Vec::new(), half] {
        let (report, requests) = charge_against(Act::Hang(bytes), IMPATIENT).await;
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::TimedOut));
        assert!(report.elapsed_ms >= 250, "{}", report.elapsed_ms);
        assert_eq!(requests.len(), 1);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let whole = answer("200 OK", "", DONE);
    let cut = whole[..whole.len() - 20].to_vec();
    let (report, _) = charge_against(Act::Write(cut), PATIENT).await;
    assert_eq!(report.evidence, Evidence::Unusable(Unusable::Broken));
    assert_eq!(report.http_status, Some(200));
    assert_eq!(report.body_sha256, None);
}

#[tokio::test]
async fn bodies_that_are_no_payment_are_unreadable() {
    let pad = format!("{{\"pad\":\"{}\",", "x".repeat(300 * 1024));
    let huge = DONE.replacen('{', &pad, 1);
    for body in ["<html>ok</html>", "", "{", huge.as_str()] {
        let (report, _) = charge_against(ok(body), PATIENT).await;
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::Unreadable));
    }
    let garbage = Act::Write(b"hello\r\n\r\n".to_vec());
    let (report, _) = charge_against(garbage, PATIENT).await;
    assert_eq!(report.evidence, Evidence::Unusable(Unusable::Broken));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Responder::start(ok(DONE)).await;
    for status in ["302 Found", "307 Temporary Redirect"] {
        let location = format!("location: {}/v1/billing/x\r\n", target.base_url);
        let act = Act::Write(answer(status, &location, ""));
        let (report, requests) = charge_against(act, PATIENT).await;
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::Unreadable));
        assert_eq!(requests.len(), 1);
    }
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn an_answer_about_another_order_or_amount_is_a_mismatch() {
    for (from, to) in [
        ("pd7QK2-INV1-1", "pd7QK2-INV9-9"),
        ("\"totalAmount\": 4900", "\"totalAmount\": 9900"),
        ("\"currency\": \"KRW\"", "\"currency\": \"USD\""),
    ] {
        let (report, _) = charge_against(ok(&DONE.replace(from, to)), PATIENT).await;
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::Mismatch));
    }
}

#[tokio::test]
async fn codes_decide_and_throttling_says_how_long() {
    let (report, _) =
        charge_against(Act::Write(answer("403 Forbidden", "", DECLINED)), PATIENT).await;
    let Evidence::Refused(refusal) = report.evidence else {
        panic!("{report:?}");
    };
    assert_eq!(refusal.proves, Proves::NotExecuted);
    let too_many = answer("429 Too Many Requests", "retry-after: 12\r\n", "");
    let (report, _) = charge_against(Act::Write(too_many), PATIENT).await;
    assert_eq!(
        report.evidence,
        Evidence::Throttled {
            retry_after_s: Some(12)
        }
    );
    let bare = answer("500 Internal Server Error", "", "");
    let (report, _) = charge_against(Act::Write(bare), PATIENT).await;
    assert_eq!(report.evidence, Evidence::Unusable(Unusable::ServerError));
}

#[tokio::test]
async fn a_request_that_cannot_be_written_down_is_refused_before_anything_is_sent() {
    let responder = Responder::start(ok(DONE)).await;
    let client = client(&responder.base_url, SECRET_KEY, PATIENT);
    for bad in [
        Charge {
            billing_key: "",
            ..CHARGE
        },
        Charge {
            billing_key: "..",
            ..CHARGE
        },
        Charge {
            idem_key: "",
            ..CHARGE
        },
        Charge {
            idem_key: "a\nb",
            ..CHARGE
        },
    ] {
        let report = charge(&client, bad).await;
        let Evidence::Refused(refusal) = report.evidence else {
            panic!("{report:?}");
        };
        assert_eq!(refusal.proves, Proves::NotExecuted);
    }
    let dollars = ChargeCall {
        billing_key: &Secret::new("bk"),
        body: b"{}",
        idem_key: "k1",
        order_id: "o1",
        amount: paydeck::domain::money::Money::new(100, paydeck::domain::money::Currency::USD),
        provider_ref: None,
        send_no: 1,
    };
    let report = client.charge(&mut Desk::new(), dollars).await;
    assert!(
        matches!(report.evidence, Evidence::Refused(_)),
        "{report:?}"
    );
    let report = client
        .look_up_charge(&mut Desk::new(), looking_for(".."))
        .await;
    let Evidence::Refused(refusal) = report.evidence else {
        panic!("{report:?}");
    };
    assert_eq!(refusal.proves, Proves::Unlisted);
    assert!(responder.requests().is_empty());
}

#[tokio::test]
async fn refunds_and_look_ups_by_payment_check_whose_payment_is_answered() {
    let responder = Responder::start(ok(DONE)).await;
    let client = client(&responder.base_url, SECRET_KEY, PATIENT);
    let desk = &mut Desk::new();
    let body = client.refund_body(&RefundRequest {
        reason: "고객 요청 [rf:7QK2]",
        amount: won(1_000),
        expected_balance_minor: 4_900,
    });
    let call = RefundCall {
        provider_ref: "another",
        body: &body,
        idem_key: "k2",
    };
    let refund = client.refund(desk, call).await;
    let look_up = client.look_up_payment(desk, "another").await;
    let confirm = ConfirmCall {
        payment_key: "another",
        order_id: CHARGE.order_id,
        amount: won(4_900),
        idem_key: "k3",
    };
    let confirmed = client.confirm(desk, confirm).await;
    for report in [refund, look_up, confirmed] {
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::Mismatch));
    }
    let requests = responder.requests();
    assert!(requests[0].starts_with("POST /v1/payments/another/cancel "));
    assert!(requests[0].ends_with(
        r#"{"cancelReason":"고객 요청 [rf:7QK2]","cancelAmount":1000,"refundableAmount":4900}"#
    ));
    assert!(requests[1].starts_with("GET /v1/payments/another "));
    assert!(
        requests[2]
            .ends_with(r#"{"paymentKey":"another","orderId":"pd7QK2-INV1-1","amount":4900}"#)
    );
}

#[tokio::test]
async fn an_auth_key_is_sent_once_whatever_happens() {
    let auth_key = Secret::new("auth-key");
    for act in [
        Act::Close,
        Act::Reset,
        Act::Write(answer("500 Oops", "", "")),
        Act::Write(answer(
            "409 Conflict",
            "",
            r#"{"code":"IDEMPOTENT_REQUEST_PROCESSING"}"#,
        )),
        ok("{}"),
        ok(BILLING),
    ] {
        let responder = Responder::start(act.clone()).await;
        let client = client(&responder.base_url, SECRET_KEY, PATIENT);
        let outcome = client
            .issue(&mut Desk::new(), registering(&auth_key, "somebody-else"))
            .await;
        assert!(matches!(outcome, IssueOutcome::Unusable(_)), "{act:?}");
        assert_eq!(responder.requests().len(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_gone_already_counts_as_deleted_and_silence_does_not() {
    let removed = answer(
        "400 Bad Request",
        "",
        r#"{"code":"ALREADY_REMOVED_BILLING_KEY"}"#,
    );
    let unknown = answer("404 Not Found", "", r#"{"code":"NOT_FOUND_BILLING"}"#);
    let key = Secret::new("bk");
    for (act, expected) in [
        (ok(""), "Deleted"),
        (Act::Write(removed), "Deleted"),
        (Act::Write(unknown), "Refused"),
        (Act::Close, "Unanswered"),
        (Act::Write(answer("500 Oops", "", "")), "Unanswered"),
    ] {
        let responder = Responder::start(act).await;
        let client = client(&responder.base_url, SECRET_KEY, PATIENT);
        let outcome = client.delete_key(&mut Desk::new(), &key).await;
        let name = match outcome {
            DeleteOutcome::Deleted => "Deleted",
            DeleteOutcome::Refused(_) => "Refused",
            DeleteOutcome::Unanswered => "Unanswered",
        };
        assert_eq!(name, expected);
        assert!(responder.requests()[0].starts_with("DELETE /v1/billing/bk "));
    }
}

#[tokio::test]
async fn the_self_test_demands_the_one_answer_that_proves_look_up_works() {
    let coded = |status: &str, code: &str| {
        Act::Write(answer(status, "", &format!(r#"{{"code":"{code}"}}"#)))
    };
    for (act, passes) in [
        (coded("404 Not Found", "NOT_FOUND_PAYMENT"), true),
        (coded("404 Not Found", "NOT_FOUND_MERCHANT"), false),
        (coded("404 Not Found", "NOT_FOUND"), false),
        (coded("401 Unauthorized", "UNAUTHORIZED_KEY"), false),
        (Act::Write(answer("404 Not Found", "", "")), false),
        (ok(DONE), false),
        (Act::Close, false),
    ] {
        let responder = Responder::start(act.clone()).await;
        let client = client(&responder.base_url, SECRET_KEY, PATIENT);
        let tested = client.self_test(&mut Desk::new()).await;
        assert_eq!(tested.is_ok(), passes, "{act:?} {tested:?}");
    }
}
