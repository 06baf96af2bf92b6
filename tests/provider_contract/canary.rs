//! Secrets never show: every error path is forced, and everything that can be printed or logged is
//! searched for the secret key, the billing key and the auth key.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paydeck::domain::mode::Mode;
use paydeck::engine::ports::{ChargeLook, ConfirmCall, Desk, Provider, RefundCall, RegisterCall};
use paydeck::provider::stripe::{PayWith, StripeClient, StripeOptions};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::secret::Secret;

use crate::responder::{Act, Responder, answer, nobody_listens};
use crate::{Charge, charge, client, won};

const SECRET_KEY: &str = "test_sk_CANARYsecret";
const BILLING_KEY: &str = "CANARYbilling_0=";
const AUTH_KEY: &str = "CANARYauth";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic in the log").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn acts() -> Vec<Act> {
    let echo = format!(
        r#"{{"code":"INVALID_REQUEST","message":"{SECRET_KEY} {BILLING_KEY} {AUTH_KEY}"}}"#
    );
    let echo_in_code = format!(r#"{{"code":"{BILLING_KEY}"}}"#);
    let done = include_str!("../../assets/fixtures/toss/payment_done.json");
    let other = include_str!("../../assets/fixtures/toss/billing.json")
        .replace("Z_t5vOvQxrj4499PeiJcjen28-V2RyqgYTwN44Rdzk0=", BILLING_KEY);
    let redirect = format!("location: /v1/billing/{BILLING_KEY}\r\n");
    vec![
        Act::Close,
        Act::Reset,
        Act::ResetUnread,
        Act::Hang(Vec::new()),
        Act::Hang(answer("200 OK", "", done)[..80].to_vec()),
        Act::Write(b"not http at all\r\n\r\n".to_vec()),
        Act::Write(answer("200 OK", "", "<html>")),
        Act::Write(answer("200 OK", "", done)),
        Act::Write(answer("200 OK", "", &other)),
        Act::Write(answer("302 Found", &redirect, "")),
        Act::Write(answer("400 Bad Request", "", &echo)),
        Act::Write(answer("400 Bad Request", "", &echo_in_code)),
        Act::Write(answer(
            "401 Unauthorized",
            "",
            r#"{"code":"UNAUTHORIZED_KEY"}"#,
        )),
        Act::Write(answer("429 Too Many Requests", "", "")),
        Act::Write(answer("500 Oops", "", &echo)),
    ]
}

/// Everything there is to print after every call was made against `base_url`.
async fn all_calls(base_url: &str) -> String {
    let client = client(base_url, SECRET_KEY, Duration::from_millis(600));
    let desk = &mut Desk::new();
    let key = Secret::new(BILLING_KEY);
    let charged = charge(
        &client,
        Charge {
            billing_key: BILLING_KEY,
            customer_key: "ck",
            order_id: "pd7QK2-INV1-1",
            idem_key: "k1",
        },
    )
    .await;
    let refund = RefundCall {
        provider_ref: "pk",
        body: b"{}",
        idem_key: "k2",
    };
    let confirm = ConfirmCall {
        payment_key: "pk",
        order_id: "o1",
        amount: won(100),
        idem_key: "k3",
    };
    let day = chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("a date");
    let refunded = client.refund(desk, refund).await;
    let confirmed = client.confirm(desk, confirm).await;
    let look = ChargeLook {
        order_id: "o1",
        provider_ref: None,
        amount: won(100),
    };
    let auth_key = Secret::new(AUTH_KEY);
    let call = RegisterCall {
        auth_key: &auth_key,
        customer_key: "aENcQAtPdYbTjGhtQnNVj",
        provider_customer: None,
    };
    let by_order = client.look_up_charge(desk, look).await;
    let by_payment = client.look_up_payment(desk, "pk").await;
    let issued = client.issue(desk, call).await;
    let deleted = client.delete_key(desk, &key).await;
    let listed = client.transactions(desk, day, day, None, 10).await;
    let tested = client.self_test(desk).await;
    let displayed = [
        listed.as_ref().err().map(ToString::to_string),
        tested.as_ref().err().map(ToString::to_string),
    ];
    format!(
        "{client:?} {charged:?} {refunded:?} {confirmed:?} {by_order:?} {by_payment:?} \
         {issued:?} {deleted:?} {listed:?} {tested:?} {displayed:?}"
    )
}

const STRIPE_KEY: &str = "sk_test_CANARYsecret";
const STRIPE_CARD: &str = "pm_CANARYcard";

fn stripe_acts() -> Vec<Act> {
    let echo = format!(
        r#"{{"error":{{"type":"card_error","code":"card_declined","message":"{STRIPE_KEY} {STRIPE_CARD}","param":"{STRIPE_CARD}"}}}}"#
    );
    let echo_in_code = format!(r#"{{"error":{{"code":"{STRIPE_CARD}","type":"{STRIPE_KEY}"}}}}"#);
    let paid = include_str!("../../assets/fixtures/stripe/intent_succeeded.json");
    assert!(
        paid.contains("CANARY"),
        "a client secret stands in the body"
    );
    let declined = include_str!("../../assets/fixtures/stripe/errors/declined_charge.json");
    let method = include_str!("../../assets/fixtures/stripe/payment_method.json")
        .replace("pm_1PdK1", STRIPE_CARD);
    let redirect = format!("location: /v1/payment_methods/{STRIPE_CARD}\r\n");
    vec![
        Act::Close,
        Act::Reset,
        Act::ResetUnread,
        Act::Hang(answer("200 OK", "", paid)[..80].to_vec()),
        Act::Write(b"not http at all\r\n\r\n".to_vec()),
        Act::Write(answer("200 OK", "", paid)),
        Act::Write(answer("200 OK", "", &method)),
        Act::Write(answer("302 Found", &redirect, "")),
        Act::Write(answer("400 Bad Request", "", &echo)),
        Act::Write(answer("400 Bad Request", "", &echo_in_code)),
        Act::Write(answer("401 Unauthorized", "", &echo)),
        Act::Write(answer("402 Payment Required", "", declined)),
        Act::Write(answer("404 Not Found", "", &echo)),
        Act::Write(answer("429 Too Many Requests", "", "")),
        Act::Write(answer("500 Oops", "", &echo)),
    ]
}

/// The same of a client of Stripe.
async fn all_stripe_calls(base_url: &str) -> String {
    let client = StripeClient::new(StripeOptions {
        base_url: base_url.to_owned(),
        secret_key: Secret::new(STRIPE_KEY),
        mode: Mode::Sim,
        connect_timeout: Duration::from_millis(600),
        total_timeout: Duration::from_millis(600),
        return_url: None,
    })
    .expect("a client");
    let desk = &mut Desk::new();
    let key = Secret::new(format!("cus_QK2 {STRIPE_CARD}"));
    let mut attempt = crate::shop::Attempt::new(&client, &key, "pd7QK2-INV1-1");
    let prepared = attempt.prepare(&client).await;
    attempt.provider_ref = Some("pi_3PdK1".to_owned());
    let charged = attempt.send(&client).await;
    let looked = attempt.look(&client).await;
    let refund = RefundCall {
        provider_ref: "pi_3PdK1",
        body: b"amount=1",
        idem_key: "k2",
    };
    let refunded = client.refund(desk, refund).await;
    let read = client.look_up_payment(desk, "pi_3PdK1").await;
    let ended = client.abandon(desk, "pi_3PdK1", "k3").await;
    let auth_key = Secret::new(STRIPE_CARD);
    let call = RegisterCall {
        auth_key: &auth_key,
        customer_key: "ck",
        provider_customer: Some("cus_QK2"),
    };
    let issued = client.issue(desk, call).await;
    let deleted = client.delete_key(desk, &key).await;
    let day = chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("a date");
    let listed = client.transactions(desk, day, day, None, 10).await;
    let tested = client.self_test(desk).await;
    let customer = client.customer("cus_QK2").await;
    let invoice = client.invoice("in_1").await;
    let paid = client
        .pay_invoice("k4", "in_1", PayWith::Card(STRIPE_CARD))
        .await;
    let displayed = [
        listed.as_ref().err().map(ToString::to_string),
        tested.as_ref().err().map(ToString::to_string),
        invoice.as_ref().err().map(ToString::to_string),
        paid.as_ref().err().map(ToString::to_string),
    ];
    format!(
        "{client:?} {prepared:?} {charged:?} {looked:?} {refunded:?} {read:?} {ended:?} {issued:?} {deleted:?} \
         {listed:?} {tested:?} {customer:?} {invoice:?} {paid:?} {displayed:?}"
    )
}

#[tokio::test]
async fn no_error_path_prints_or_logs_a_key() {
    let log = Log::default();
    let writer = log.clone();
    // The only test of this file that listens; another one's subscriber would be as good.
    let listening = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init();
    assert!(listening.is_ok(), "somebody else listens");
    let mut printed = String::new();
    for act in acts() {
        let responder = Responder::start(act).await;
        printed.push_str(&all_calls(&responder.base_url).await);
        assert!(
            responder.requests().len() >= 8,
            "every call reaches the responder"
        );
    }
    for act in stripe_acts() {
        let responder = Responder::start(act).await;
        printed.push_str(&all_stripe_calls(&responder.base_url).await);
        assert!(
            responder.requests().len() >= 11,
            "every call reaches the responder"
        );
    }
    let (_taken, nobody) = nobody_listens();
    printed.push_str(&all_calls(&nobody).await);
    printed.push_str(&all_stripe_calls(&nobody).await);
    let logged = String::from_utf8_lossy(&log.0.lock().expect("no panic in the log")).into_owned();
    assert!(!logged.is_empty(), "the http crates log at this level");
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{SECRET_KEY}:"))
    };
    for (place, text) in [("printed", &printed), ("logged", &logged)] {
        for secret in ["CANARY", encoded.as_str()] {
            assert!(
                !text.contains(secret),
                "{place}: {:?}",
                around(text, secret)
            );
        }
    }
}

/// The place where it stands, and no more of it than is needed to find it.
fn around(text: &str, secret: &str) -> Option<String> {
    let (before, _) = text.split_once(secret)?;
    Some(
        before
            .chars()
            .rev()
            .take(120)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    )
}

#[test]
fn a_live_client_is_built_or_refused_without_naming_its_key() {
    let stripe = StripeOptions::new(Secret::new("sk_live_CANARY"), Mode::Live);
    let printed = format!("{stripe:?} {:?}", StripeClient::new(stripe.clone()));
    assert!(!printed.contains("CANARY"), "{printed}");
    assert!(printed.contains("api.stripe.com"), "{printed}");
    // Where the machine has no CA roots it is refused: live money needs them.
    let opts = TossOptions::new(Secret::new("live_sk_CANARY"), Mode::Live);
    let printed = format!("{opts:?} {:?}", TossClient::new(opts.clone()));
    assert!(!printed.contains("CANARY"), "{printed}");
    assert!(printed.contains("api.tosspayments.com"), "{printed}");
}
