//! What Toss alone does with answers that go wrong; what every client does is in `lines`.

use std::time::Duration;

use paydeck::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use paydeck::engine::ports::{
    CallReport, ChargeCall, ConfirmCall, DeleteOutcome, Desk, IssueOutcome, Provider, RefundCall,
    RefundRequest,
};
use paydeck::secret::Secret;

use crate::bench::{looking_for, registering};
use crate::responder::{Act, Responder, answer};
use crate::{Charge, charge, client, won};

const SECRET_KEY: &str = "test_sk_contract";
const DONE: &str = include_str!("../../assets/fixtures/toss/payment_done.json");
const BILLING: &str = include_str!("../../assets/fixtures/toss/billing.json");
const PATIENT: Duration = Duration::from_secs(20);

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
