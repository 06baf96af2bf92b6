//! Lines that go wrong, against either client: each ends as evidence that proves no more than is true,
//! and nothing is ever sent twice.

use std::time::Duration;

use paydeck::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use paydeck::domain::mode::ProviderName;
use paydeck::engine::ports::{
    CallReport, Desk, IssueOutcome, ProviderError, RefundCall, RegisterCall,
};
use paydeck::secret::Secret;

use crate::responder::{Act, Responder, answer, nobody_listens};
use crate::shop::{Attempt, PATIENT, client};

const IMPATIENT: Duration = Duration::from_millis(1_500);

/// What one provider answers to a charge of ours that was paid, and in which words it is altered.
struct Tongue {
    name: ProviderName,
    secret_key: &'static str,
    billing_key: &'static str,
    provider_ref: Option<&'static str>,
    paid: &'static str,
    declined: (&'static str, &'static str),
    alterations: &'static [(&'static str, &'static str)],
}

const TOSS: Tongue = Tongue {
    name: ProviderName::Toss,
    secret_key: "test_sk_contract",
    billing_key: "Z_t5vOvQxrj4499PeiJcjen28-V2RyqgYTwN44Rdzk0=",
    provider_ref: None,
    paid: include_str!("../../assets/fixtures/toss/payment_done.json"),
    declined: (
        "403 Forbidden",
        include_str!("../../assets/fixtures/toss/error_declined.json"),
    ),
    alterations: &[
        ("pd7QK2-INV1-1", "pd7QK2-INV9-9"),
        ("\"totalAmount\": 4900", "\"totalAmount\": 9900"),
        ("\"currency\": \"KRW\"", "\"currency\": \"USD\""),
    ],
};

const STRIPE: Tongue = Tongue {
    name: ProviderName::Stripe,
    secret_key: "sk_test_contract",
    billing_key: "cus_QK2 pm_1PdK1",
    provider_ref: Some("pi_3PdK1"),
    paid: include_str!("../../assets/fixtures/stripe/intent_succeeded.json"),
    declined: (
        "402 Payment Required",
        include_str!("../../assets/fixtures/stripe/errors/declined_charge.json"),
    ),
    alterations: &[
        ("pd7QK2-INV1-1", "pd7QK2-INV9-9"),
        (
            "\"amount\": 4900,\n  \"amount_capturable\"",
            "\"amount\": 9900,\n  \"amount_capturable\"",
        ),
        ("\"currency\": \"krw\"", "\"currency\": \"jpy\""),
        ("\"livemode\": false", "\"livemode\": true"),
        ("\"id\": \"pi_3PdK1\"", "\"id\": \"pi_another\""),
        ("\"amount_received\": 4900", "\"amount_received\": 4899"),
    ],
};

const TONGUES: [Tongue; 2] = [TOSS, STRIPE];

impl Tongue {
    async fn charge_at(&self, base_url: &str, patience: Duration) -> CallReport {
        let client = client(self.name, base_url, self.secret_key, patience);
        let key = Secret::new(self.billing_key);
        let mut attempt = Attempt::new(client.as_ref(), &key, "pd7QK2-INV1-1");
        attempt.provider_ref = self.provider_ref.map(ToOwned::to_owned);
        attempt.send(client.as_ref()).await
    }

    async fn charge_against(&self, act: Act, patience: Duration) -> (CallReport, Vec<String>) {
        let responder = Responder::start(act).await;
        let report = self.charge_at(&responder.base_url, patience).await;
        (report, responder.requests())
    }
}

fn ok(body: &str) -> Act {
    Act::Write(answer("200 OK", "", body))
}

#[tokio::test]
async fn a_refused_connection_is_the_only_proof_that_nothing_left() {
    let (_taken, nobody) = nobody_listens();
    for tongue in TONGUES {
        let report = tongue.charge_at(&nobody, PATIENT).await;
        assert_eq!(report.evidence, Evidence::NotSent);
        assert_eq!(report.http_status, None);
        let client = client(tongue.name, &nobody, tongue.secret_key, PATIENT);
        let tested = client.self_test(&mut Desk::new()).await;
        assert!(
            matches!(tested, Err(ProviderError::NotReached { .. })),
            "{tested:?}"
        );
        let refund = RefundCall {
            provider_ref: "pi_1",
            body: b"amount=1",
            idem_key: "k2",
        };
        let refunded = client.refund(&mut Desk::new(), refund).await;
        assert_eq!(refunded.evidence, Evidence::NotSent);
    }
}

#[tokio::test]
async fn a_tls_handshake_that_fails_sends_no_request() {
    for tongue in TONGUES {
        let responder = Responder::start(Act::ResetUnread).await;
        let tls = responder.base_url.replace("http://", "https://");
        let report = tongue.charge_at(&tls, PATIENT).await;
        assert_eq!(report.evidence, Evidence::NotSent);
    }
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_proves_nothing_and_is_not_retried() {
    for tongue in TONGUES {
        for act in [Act::Close, Act::Reset, Act::ResetUnread] {
            let (report, requests) = tongue.charge_against(act.clone(), PATIENT).await;
            assert_eq!(
                report.evidence,
                Evidence::Unusable(Unusable::Broken),
                "{act:?}"
            );
            assert_eq!(requests.len(), 1, "{act:?}");
        }
    }
}

#[tokio::test]
async fn silence_beyond_the_time_limit_is_a_time_out_before_and_within_the_body() {
    for tongue in TONGUES {
        let whole = answer("200 OK", "", tongue.paid);
        let half = whole[..whole.len() - 20].to_vec();
        for bytes in [Vec::new(), half] {
            let (report, requests) = tongue.charge_against(Act::Hang(bytes), IMPATIENT).await;
            assert_eq!(report.evidence, Evidence::Unusable(Unusable::TimedOut));
            assert!(report.elapsed_ms >= 1_250, "{}", report.elapsed_ms);
            assert_eq!(requests.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    for tongue in TONGUES {
        let whole = answer("200 OK", "", tongue.paid);
        let cut = whole[..whole.len() - 20].to_vec();
        let (report, _) = tongue.charge_against(Act::Write(cut), PATIENT).await;
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::Broken));
        assert_eq!(report.http_status, Some(200));
        assert_eq!(report.body_sha256, None);
    }
}

#[tokio::test]
async fn bodies_that_are_no_payment_are_unreadable() {
    for tongue in TONGUES {
        let pad = format!("{{\"pad\":\"{}\",", "x".repeat(300 * 1024));
        let huge = tongue.paid.replacen('{', &pad, 1);
        for body in [
            "<html>ok</html>",
            "",
            "{",
            "[]",
            "{\"error\":{}}",
            huge.as_str(),
        ] {
            let (report, _) = tongue.charge_against(ok(body), PATIENT).await;
            assert_eq!(report.evidence, Evidence::Unusable(Unusable::Unreadable));
        }
        let garbage = Act::Write(b"hello\r\n\r\n".to_vec());
        let (report, _) = tongue.charge_against(garbage, PATIENT).await;
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::Broken));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for tongue in TONGUES {
        let target = Responder::start(ok(tongue.paid)).await;
        for status in [
            "301 Moved Permanently",
            "302 Found",
            "307 Temporary Redirect",
        ] {
            let location = format!("location: {}/v1/x\r\n", target.base_url);
            let act = Act::Write(answer(status, &location, ""));
            let (report, requests) = tongue.charge_against(act, PATIENT).await;
            assert_eq!(report.evidence, Evidence::Unusable(Unusable::Unreadable));
            assert_eq!(requests.len(), 1);
        }
        assert!(target.requests().is_empty());
    }
}

#[tokio::test]
async fn an_answer_about_anything_else_is_a_mismatch() {
    for tongue in TONGUES {
        let (report, _) = tongue.charge_against(ok(tongue.paid), PATIENT).await;
        let Evidence::Seen(seen) = report.evidence else {
            panic!("{report:?}");
        };
        assert_eq!(seen.status, SeenStatus::Captured);
        assert_eq!(report.body_sha256.map(|hash| hash.len()), Some(64));
        for (from, to) in tongue.alterations {
            let altered = tongue.paid.replace(from, to);
            assert_ne!(altered, tongue.paid, "{from}");
            let (report, _) = tongue.charge_against(ok(&altered), PATIENT).await;
            assert_eq!(
                report.evidence,
                Evidence::Unusable(Unusable::Mismatch),
                "{to}"
            );
        }
    }
}

#[tokio::test]
async fn codes_decide_and_throttling_says_how_long() {
    for tongue in TONGUES {
        let (status, body) = tongue.declined;
        let (report, _) = tongue
            .charge_against(Act::Write(answer(status, "", body)), PATIENT)
            .await;
        let Evidence::Refused(refusal) = report.evidence else {
            panic!("{report:?}");
        };
        assert_eq!(refusal.proves, Proves::NotExecuted);
        // The same words with a server error prove nothing.
        let (report, _) = tongue
            .charge_against(Act::Write(answer("500 Oops", "", body)), PATIENT)
            .await;
        let Evidence::Refused(refusal) = report.evidence else {
            panic!("{report:?}");
        };
        assert_eq!(refusal.proves, Proves::Nothing);
        let too_many = answer("429 Too Many Requests", "retry-after: 12\r\n", "");
        let (report, _) = tongue.charge_against(Act::Write(too_many), PATIENT).await;
        let throttled = Evidence::Throttled {
            retry_after_s: Some(12),
        };
        assert_eq!(report.evidence, throttled);
        let bare = answer("500 Internal Server Error", "", "");
        let (report, _) = tongue.charge_against(Act::Write(bare), PATIENT).await;
        assert_eq!(report.evidence, Evidence::Unusable(Unusable::ServerError));
        let bare = answer("401 Unauthorized", "", "");
        let (report, _) = tongue.charge_against(Act::Write(bare), PATIENT).await;
        let Evidence::Refused(refusal) = report.evidence else {
            panic!("{report:?}");
        };
        assert_eq!(refusal.proves, Proves::ConfigTrouble);
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_written_down_is_refused_before_anything_is_sent() {
    for tongue in TONGUES {
        let responder = Responder::start(ok(tongue.paid)).await;
        let client = client(tongue.name, &responder.base_url, tongue.secret_key, PATIENT);
        let desk = &mut Desk::new();
        for (billing_key, idem) in [
            ("", "k1"),
            ("..", "k1"),
            (tongue.billing_key, ""),
            (tongue.billing_key, "a\nb"),
        ] {
            let mut attempt = Attempt::new(client.as_ref(), &Secret::new(billing_key), "order-1");
            attempt.idem = idem.to_owned();
            let report = attempt.send(client.as_ref()).await;
            match report.evidence {
                Evidence::Refused(refusal) => assert_eq!(
                    refusal.proves,
                    Proves::NotExecuted,
                    "{billing_key:?} {idem:?}"
                ),
                // What a card was sealed as there has two parts. One that cannot be read proves nothing.
                Evidence::Unusable(Unusable::NoKey) => assert_ne!(billing_key, tongue.billing_key),
                _ => panic!("{report:?}"),
            }
        }
        for reference in ["", "..", "."] {
            let looked = client.look_up_payment(desk, reference).await;
            let Evidence::Refused(refusal) = looked.evidence else {
                panic!("{looked:?}");
            };
            assert_eq!(refusal.proves, Proves::Unlisted);
        }
        assert!(responder.requests().is_empty());
    }
}

#[tokio::test]
async fn registering_is_sent_once_whatever_happens() {
    let auth_key = Secret::new("pm_authkey");
    for tongue in TONGUES {
        for act in [
            Act::Close,
            Act::Reset,
            Act::Write(answer("500 Oops", "", "")),
            Act::Write(answer("409 Conflict", "", "{}")),
            ok("{}"),
        ] {
            let responder = Responder::start(act.clone()).await;
            let client = client(tongue.name, &responder.base_url, tongue.secret_key, PATIENT);
            let call = RegisterCall {
                auth_key: &auth_key,
                customer_key: "somebody",
                provider_customer: None,
            };
            let outcome = client.issue(&mut Desk::new(), call).await;
            let is_known = match (&act, tongue.name) {
                // A 409 without the word for it may be anything at Toss.
                (Act::Write(_), _) => !matches!(outcome, IssueOutcome::Issued { .. }),
                _ => matches!(outcome, IssueOutcome::Unusable(_)),
            };
            assert!(is_known, "{act:?} {outcome:?}");
            assert_eq!(responder.requests().len(), 1, "{act:?}");
        }
    }
}
