//! What Stripe alone does, against hand-made answers: the exact requests, the payment that is read in
//! parts, and the objects that only Stripe has.

use chrono::DateTime;
use paydeck::domain::evidence::{Evidence, Proves, SeenStatus, Unusable};
use paydeck::domain::mode::Mode;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::{Interval, Unit};
use paydeck::engine::ports::{
    ChargeCall, ChargeLook, ConfirmCall, DeleteOutcome, Desk, IssueOutcome, PrepareCall,
    PrepareOutcome, Provider, RefundCall, RefundRequest, RegisterCall,
};
use paydeck::provider::stripe::{
    BalanceFilter, EventFilter, InvoiceFilter, InvoiceStatus, NewPrice, PauseBehavior, PayWith,
    StripeClient, StripeError, StripeOptions, SubscriptionFilter, SubscriptionStatus, VERSION,
    Which,
};
use paydeck::secret::Secret;

use crate::responder::{Act, Responder, answer};
use crate::shop::PATIENT;
use crate::won;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../assets/fixtures/stripe/", $name))
    };
}

const INTENT: &str = "pi_3PdK1";

fn stripe(base_url: &str) -> StripeClient {
    StripeClient::new(StripeOptions {
        base_url: base_url.to_owned(),
        secret_key: Secret::new("sk_test_contract"),
        mode: Mode::Sim,
        connect_timeout: PATIENT,
        total_timeout: PATIENT,
        return_url: None,
    })
    .expect("a client")
}

fn ok(body: &str) -> Act {
    Act::Write(answer("200 OK", "", body))
}

fn refusing(status: &str, body: &str) -> Act {
    Act::Write(answer(status, "", body))
}

async fn against(act: Act) -> (Responder, StripeClient) {
    let responder = Responder::start(act).await;
    let client = stripe(&responder.base_url);
    (responder, client)
}

/// The first line, the head in small letters, and the body.
fn parts(request: &str) -> (String, String, String) {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let line = head.lines().next().expect("a line");
    let line = line.strip_suffix(" HTTP/1.1").expect("http");
    (line.to_owned(), head.to_ascii_lowercase(), body.to_owned())
}

fn key() -> Secret {
    Secret::new("cus_QK2 pm_1PdK1")
}

fn confirming<'a>(key: &'a Secret, provider_ref: Option<&'a str>, send_no: u32) -> ChargeCall<'a> {
    ChargeCall {
        billing_key: key,
        body: b"amount=4900&currency=krw",
        idem_key: "k1",
        order_id: "pd7QK2-INV1-1",
        amount: won(4_900),
        provider_ref,
        send_no,
    }
}

#[tokio::test]
async fn a_charge_is_prepared_under_one_key_and_confirmed_under_another_for_each_send() {
    let key = key();
    let (responder, client) = against(ok(fixture!("intent_prepared.json"))).await;
    let call = PrepareCall {
        billing_key: &key,
        body: b"amount=4900&currency=krw",
        idem_key: "k1",
        order_id: "pd7QK2-INV1-1",
        amount: won(4_900),
    };
    let made = client.prepare(&mut Desk::new(), call).await;
    let PrepareOutcome::Prepared { provider_ref } = made else {
        panic!("{made:?}");
    };
    assert_eq!(provider_ref, INTENT);
    client
        .charge(&mut Desk::new(), confirming(&key, Some(INTENT), 1))
        .await;
    client
        .charge(&mut Desk::new(), confirming(&key, Some(INTENT), 2))
        .await;
    let requests: Vec<_> = responder.requests().iter().map(|r| parts(r)).collect();
    let lines: Vec<&str> = requests.iter().map(|(line, ..)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/payment_intents",
            "POST /v1/payment_intents/pi_3PdK1/confirm",
            "POST /v1/payment_intents/pi_3PdK1/confirm"
        ]
    );
    for ((_, head, _), key) in requests
        .iter()
        .zip(["k1:create", "k1:confirm:1", "k1:confirm:2"])
    {
        assert!(
            head.contains(&format!("\r\nidempotency-key: {key}\r\n")),
            "{head}"
        );
        assert!(
            head.contains("\r\nauthorization: bearer sk_test_contract\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("\r\nstripe-version: {VERSION}\r\n")),
            "{head}"
        );
        assert!(
            head.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"),
            "{head}"
        );
    }
    assert_eq!(
        requests[0].2,
        "amount=4900&currency=krw&customer=cus_QK2&payment_method=pm_1PdK1"
    );
    assert_eq!(requests[1].2, "off_session=true&expand[0]=latest_charge");
}

#[tokio::test]
async fn nothing_is_confirmed_that_was_not_prepared_and_nothing_is_asked_about_it() {
    let (responder, client) = against(ok(fixture!("intent_succeeded.json"))).await;
    let desk = &mut Desk::new();
    let key = key();
    let charged = client.charge(desk, confirming(&key, None, 1)).await;
    assert!(matches!(charged.evidence, Evidence::Refused(r) if r.proves == Proves::NotExecuted));
    let look = ChargeLook {
        order_id: "pd7QK2-INV1-1",
        provider_ref: None,
        amount: won(4_900),
    };
    let looked = client.look_up_charge(desk, look).await;
    assert_eq!(looked.evidence, Evidence::NotSeen);
    let confirm = ConfirmCall {
        payment_key: "pi_1",
        order_id: "pd7QK2-INV1-1",
        amount: won(4_900),
        idem_key: "k1",
    };
    let confirmed = client.confirm(desk, confirm).await;
    assert!(
        matches!(confirmed.evidence, Evidence::Refused(r) if r.code == "PAYDECK_NOT_SUPPORTED")
    );
    assert!(responder.requests().is_empty());
}

#[tokio::test]
async fn a_stored_answer_is_told_as_a_replay() {
    let replayed = answer(
        "200 OK",
        "idempotent-replayed: true\r\n",
        fixture!("intent_succeeded.json"),
    );
    let key = key();
    for (act, is_replay) in [
        (Act::Write(replayed), true),
        (ok(fixture!("intent_succeeded.json")), false),
    ] {
        let (_responder, client) = against(act).await;
        let report = client
            .charge(&mut Desk::new(), confirming(&key, Some(INTENT), 1))
            .await;
        assert_eq!(report.is_replay, is_replay);
        assert!(matches!(report.evidence, Evidence::Seen(_)));
    }
}

#[tokio::test]
async fn an_intent_is_ended_once_and_a_paid_one_is_to_be_looked_up() {
    let canceled = fixture!("intent_prepared.json").replace("requires_confirmation", "canceled");
    for (act, expected) in [
        (ok(&canceled), "canceled"),
        (
            refusing("400 Bad Request", fixture!("errors/canceled_before.json")),
            "canceled",
        ),
        (
            refusing("400 Bad Request", fixture!("errors/unexpected_state.json")),
            "refused look_up",
        ),
        (
            refusing("404 Not Found", fixture!("errors/no_such_intent.json")),
            "refused config_trouble",
        ),
        (refusing("500 Oops", ""), "server_error"),
        (Act::Close, "broken"),
    ] {
        let (responder, client) = against(act).await;
        let report = client
            .abandon(&mut Desk::new(), INTENT, "k1")
            .await
            .expect("a fence");
        assert_eq!(crate::shop::told(&report.evidence), expected);
        let requests = responder.requests();
        let (line, _, body) = parts(&requests[0]);
        assert_eq!(line, "POST /v1/payment_intents/pi_3PdK1/cancel");
        assert_eq!(body, "cancellation_reason=abandoned");
        assert_eq!(requests.len(), 1);
    }
}

async fn refunding(client: &StripeClient) -> Evidence {
    let body = client.refund_body(&RefundRequest {
        reason: "고객 요청 [rf:7QK2]",
        amount: won(1_000),
        expected_balance_minor: 4_900,
    });
    let call = RefundCall {
        provider_ref: INTENT,
        body: &body,
        idem_key: "k2",
    };
    client.refund(&mut Desk::new(), call).await.evidence
}

#[tokio::test]
async fn a_refund_is_one_post_that_says_how_much_for_which_payment_and_by_which_tag() {
    let (responder, client) = against(ok(fixture!("refund.json"))).await;
    let Evidence::Seen(seen) = refunding(&client).await else {
        panic!("not seen");
    };
    assert_eq!((seen.balance_minor, seen.cancels.len()), (3_900, 1));
    let requests = responder.requests();
    let (line, head, body) = parts(&requests[0]);
    assert_eq!(line, "POST /v1/refunds");
    assert!(head.contains("\r\nidempotency-key: k2\r\n"), "{head}");
    assert!(body.starts_with("amount=1000&reason=requested_by_customer&metadata[tag]=rf%3A7QK2&"));
    assert!(body.ends_with("&expand[0]=payment_intent.latest_charge&payment_intent=pi_3PdK1"));
    assert_eq!(requests.len(), 1);
}

/// A refund that is answered with names only, and what its payment is read back as.
async fn read_back(intent: Act, refunds: Act) -> (Evidence, usize) {
    let mut plain: serde_json::Value =
        serde_json::from_str(fixture!("refund.json")).expect("a refund");
    plain["payment_intent"] = INTENT.into();
    let plain = plain.to_string();
    let responder = Responder::choosing(move |request| {
        if request.starts_with("POST") {
            ok(&plain)
        } else if request.starts_with("GET /v1/refunds") {
            refunds.clone()
        } else {
            intent.clone()
        }
    })
    .await;
    let evidence = refunding(&stripe(&responder.base_url)).await;
    (evidence, responder.requests().len())
}

#[tokio::test]
async fn a_refund_that_does_not_hold_its_payment_is_read_back() {
    let (evidence, requests) = read_back(
        ok(fixture!("intent_succeeded.json")),
        ok(fixture!("refunds.json")),
    )
    .await;
    let Evidence::Seen(seen) = evidence else {
        panic!("{evidence:?}");
    };
    assert!(seen.cancels.iter().any(|c| c.reason.contains("[rf:7QK2]")));
    assert_eq!(requests, 3);
    // The request has left: whatever goes wrong afterwards says neither "not sent" nor "refused".
    for trouble in [
        Act::Close,
        refusing("401 Unauthorized", fixture!("errors/wrong_key.json")),
        refusing("404 Not Found", fixture!("errors/no_such_intent.json")),
        refusing("429 Too Many Requests", ""),
        refusing("500 Oops", ""),
    ] {
        let (evidence, _) = read_back(trouble.clone(), ok(fixture!("refunds.json"))).await;
        assert_eq!(
            evidence,
            Evidence::Unusable(Unusable::Unreadable),
            "{trouble:?}"
        );
        let (evidence, _) = read_back(ok(fixture!("intent_succeeded.json")), trouble.clone()).await;
        assert_eq!(
            evidence,
            Evidence::Unusable(Unusable::Unreadable),
            "{trouble:?}"
        );
    }
}

#[tokio::test]
async fn a_stored_answer_to_a_refund_is_old_and_the_payment_is_read() {
    let failed =
        fixture!("refunds.json").replace("\"status\": \"succeeded\"", "\"status\": \"failed\"");
    let responder = Responder::choosing(move |request| {
        if request.starts_with("POST") {
            let replayed = "idempotent-replayed: true\r\n";
            Act::Write(answer("200 OK", replayed, fixture!("refund.json")))
        } else if request.starts_with("GET /v1/refunds") {
            ok(&failed)
        } else {
            ok(fixture!("intent_succeeded.json"))
        }
    })
    .await;
    let Evidence::Seen(seen) = refunding(&stripe(&responder.base_url)).await else {
        panic!("not seen");
    };
    let is_ours = |reason: &str| reason.contains("[rf:7QK2]");
    assert!(!seen.cancels.iter().any(|c| is_ours(&c.reason)));
    assert!(seen.undone.iter().any(|c| is_ours(&c.reason)));
    assert_eq!(responder.requests().len(), 3);
}

#[tokio::test]
async fn an_intent_behind_a_stored_server_error_is_asked_for_under_the_next_key() {
    let key = key();
    let call = PrepareCall {
        billing_key: &key,
        body: b"amount=4900&currency=krw",
        idem_key: "k1",
        order_id: "pd7QK2-INV1-1",
        amount: won(4_900),
    };
    let stored = || Act::Write(answer("500 Oops", "idempotent-replayed: true\r\n", ""));
    for (dead, requests, is_prepared) in [("k1:create\r\n", 2, true), ("k1:create", 5, false)] {
        let responder = Responder::choosing(move |request| {
            if request.contains(dead) {
                stored()
            } else {
                ok(fixture!("intent_prepared.json"))
            }
        })
        .await;
        let client = stripe(&responder.base_url);
        let made = client.prepare(&mut Desk::new(), call).await;
        match made {
            PrepareOutcome::Prepared { provider_ref } => {
                assert!(is_prepared);
                assert_eq!(provider_ref, INTENT);
            }
            PrepareOutcome::Not(report) => {
                assert!(!is_prepared);
                assert_eq!(report.evidence, Evidence::Unusable(Unusable::ServerError));
            }
        }
        assert_eq!(responder.requests().len(), requests);
    }
    // One that is not stored may still be about our request: it is asked for once.
    let (responder, client) = against(refusing("500 Oops", "")).await;
    let made = client.prepare(&mut Desk::new(), call).await;
    assert!(matches!(made, PrepareOutcome::Not(_)));
    assert_eq!(responder.requests().len(), 1);
}

#[tokio::test]
async fn a_payment_is_read_with_every_page_of_its_refunds() {
    let responder = Responder::choosing(|request| {
        let line = request.lines().next().unwrap_or_default();
        if line.contains("starting_after=re_1") {
            ok(r#"{"object":"list","has_more":false,"data":[]}"#)
        } else if line.contains("/v1/refunds") {
            ok(&fixture!("refunds.json").replace("\"has_more\": false", "\"has_more\": true"))
        } else {
            ok(fixture!("intent_succeeded.json"))
        }
    })
    .await;
    let client = stripe(&responder.base_url);
    let report = client.look_up_payment(&mut Desk::new(), INTENT).await;
    let Evidence::Seen(seen) = report.evidence else {
        panic!("{report:?}");
    };
    assert_eq!((seen.cancels.len(), seen.undone.len()), (2, 1));
    assert_eq!(report.body_sha256.map(|hash| hash.len()), Some(64));
    let lines: Vec<String> = responder.requests().iter().map(|r| parts(r).0).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/payment_intents/pi_3PdK1?expand[0]=latest_charge",
            "GET /v1/refunds?payment_intent=pi_3PdK1&limit=100&expand[0]=data.failure_balance_transaction",
            "GET /v1/refunds?payment_intent=pi_3PdK1&limit=100&starting_after=re_1&expand[0]=data.failure_balance_transaction",
        ]
    );
}

#[tokio::test]
async fn a_list_of_refunds_that_never_ends_is_no_answer() {
    let responder = Responder::choosing(|request| {
        if request.starts_with("GET /v1/refunds") {
            ok(&fixture!("refunds.json").replace("\"has_more\": false", "\"has_more\": true"))
        } else {
            ok(fixture!("intent_succeeded.json"))
        }
    })
    .await;
    let client = stripe(&responder.base_url);
    let report = client.look_up_payment(&mut Desk::new(), INTENT).await;
    assert_eq!(report.evidence, Evidence::Unusable(Unusable::Unreadable));
}

#[tokio::test]
async fn a_card_is_attached_to_a_customer_that_is_made_once() {
    let customer = r#"{"id":"cus_QK2","object":"customer","livemode":false,"metadata":{"customer_key":"ck-1"}}"#;
    let choose = move |request: &str| {
        if request.starts_with("POST /v1/customers ") {
            ok(customer)
        } else {
            ok(fixture!("payment_method.json"))
        }
    };
    for known in [None, Some("cus_QK2")] {
        let responder = Responder::choosing(choose).await;
        let client = stripe(&responder.base_url);
        let auth_key = Secret::new("pm_1PdK1");
        let call = RegisterCall {
            auth_key: &auth_key,
            customer_key: "ck-1",
            provider_customer: known,
        };
        let outcome = client.issue(&mut Desk::new(), call).await;
        let IssueOutcome::Issued {
            billing_key,
            card,
            provider_customer,
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_eq!(billing_key.expose(), "cus_QK2 pm_1PdK1");
        assert_eq!(provider_customer.as_deref(), Some("cus_QK2"));
        assert_eq!(
            (card.issuer.as_str(), card.last4().as_str()),
            ("visa", "4242")
        );
        assert_eq!(card.expiry, Some((2034, 12)));
        let requests = responder.requests();
        assert_eq!(requests.len(), if known.is_some() { 1 } else { 2 });
        for request in &requests {
            let (_, head, _) = parts(request);
            assert!(head.contains("\r\nidempotency-key: "), "{head}");
        }
    }
}

#[tokio::test]
async fn a_card_of_somebody_else_or_of_the_other_mode_is_not_taken() {
    for (from, to) in [
        ("cus_QK2", "cus_other"),
        ("\"livemode\": false", "\"livemode\": true"),
    ] {
        let (_responder, client) =
            against(ok(&fixture!("payment_method.json").replace(from, to))).await;
        let auth_key = Secret::new("pm_1PdK1");
        let call = RegisterCall {
            auth_key: &auth_key,
            customer_key: "ck-1",
            provider_customer: Some("cus_QK2"),
        };
        let outcome = client.issue(&mut Desk::new(), call).await;
        assert!(
            matches!(outcome, IssueOutcome::Unusable(Unusable::Mismatch)),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_card_counts_as_let_go_only_when_stripe_shows_it_without_a_customer() {
    let free =
        fixture!("payment_method.json").replace("\"customer\": \"cus_QK2\"", "\"customer\": null");
    assert_ne!(free, fixture!("payment_method.json"));
    let not_attached = r#"{"error":{"type":"invalid_request_error","message":"not attached"}}"#;
    for (detach, read, expected) in [
        (ok(&free), Act::Close, "Deleted"),
        (
            ok(fixture!("payment_method.json")),
            Act::Close,
            "Unanswered",
        ),
        (
            refusing("400 Bad Request", not_attached),
            ok(&free),
            "Deleted",
        ),
        (
            refusing("400 Bad Request", not_attached),
            ok(fixture!("payment_method.json")),
            "Refused",
        ),
        (
            refusing("400 Bad Request", not_attached),
            Act::Close,
            "Refused",
        ),
        (Act::Close, Act::Close, "Unanswered"),
        (refusing("500 Oops", ""), Act::Close, "Unanswered"),
    ] {
        let responder = Responder::choosing(move |request| {
            if request.starts_with("POST") {
                detach.clone()
            } else {
                read.clone()
            }
        })
        .await;
        let outcome = stripe(&responder.base_url)
            .delete_key(&mut Desk::new(), &key())
            .await;
        let name = match outcome {
            DeleteOutcome::Deleted => "Deleted",
            DeleteOutcome::Refused(_) => "Refused",
            DeleteOutcome::Unanswered => "Unanswered",
        };
        assert_eq!(name, expected);
    }
}

#[tokio::test]
async fn the_self_test_demands_the_one_answer_that_proves_look_up_works() {
    for (act, passes) in [
        (
            refusing("404 Not Found", fixture!("errors/no_such_intent.json")),
            true,
        ),
        (
            refusing("404 Not Found", fixture!("errors/unknown_url.json")),
            false,
        ),
        (
            refusing("401 Unauthorized", fixture!("errors/wrong_key.json")),
            false,
        ),
        (
            refusing("403 Forbidden", fixture!("errors/no_permission.json")),
            false,
        ),
        (refusing("404 Not Found", ""), false),
        (ok(fixture!("intent_succeeded.json")), false),
        (Act::Close, false),
    ] {
        let (_responder, client) = against(act.clone()).await;
        let tested = client.self_test(&mut Desk::new()).await;
        assert_eq!(tested.is_ok(), passes, "{act:?} {tested:?}");
    }
}

#[tokio::test]
async fn charges_and_refunds_of_the_balance_are_listed_in_their_own_currency() {
    let (responder, client) = against(ok(fixture!("balance.json"))).await;
    let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("an instant");
    let (from, to) = (at(1_763_700_000), at(1_763_800_000));
    let rows = client
        .transactions(&mut Desk::new(), from, to, None, 10)
        .await
        .expect("rows");
    let told: Vec<_> = rows
        .iter()
        .map(|r| {
            (
                r.provider_ref.as_str(),
                r.order_id.as_str(),
                r.is_cancel,
                r.amount,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (INTENT, "pd7QK2-INV1-1", true, won(1_000)),
            (INTENT, "pd7QK2-INV1-1", false, won(4_900)),
        ]
    );
    let (line, ..) = parts(&responder.requests()[0]);
    assert_eq!(
        line,
        "GET /v1/balance_transactions?created[gte]=1763700000&created[lt]=1763800000&limit=10\
         &expand[0]=data.source&expand[1]=data.source.charge"
    );
    let entries = client
        .balance_entries(BalanceFilter::default(), None, 10)
        .await
        .expect("rows");
    let charge = entries.items.last().expect("a charge");
    let dollars = |cents| Money::new(cents, Currency::USD);
    assert_eq!(
        (charge.amount, charge.fee, charge.net),
        (dollars(340), dollars(40), dollars(300))
    );
    assert_eq!(entries.items.len(), 4);
}

#[tokio::test]
async fn a_subscription_is_read_with_its_period_from_wherever_it_stands() {
    let (_responder, client) = against(ok(fixture!("subscription.json"))).await;
    let newer = client
        .subscription("sub_1PdK1")
        .await
        .expect("a subscription");
    let (_responder, client) = against(ok(fixture!("subscription_older.json"))).await;
    let older = client
        .subscription("sub_1PdK1")
        .await
        .expect("a subscription");
    let end = DateTime::from_timestamp(1_765_592_000, 0);
    assert_eq!((newer.period_end, older.period_end), (end, end));
    assert_eq!(
        (newer.period_start, newer.status),
        (older.period_start, SubscriptionStatus::Active)
    );
    assert_eq!(
        newer.pause.and_then(|pause| pause.behavior),
        Some(PauseBehavior::KeepAsDraft)
    );
    assert!(older.ends_with_period && !newer.ends_with_period);
    assert_eq!(older.cancel_at, end);
    assert!(older.canceled_at.is_some());
    let price = newer.items[1].price.as_ref().expect("a price");
    assert_eq!(price.amount, Some(Money::new(29_000, Currency::USD)));
    let monthly = Interval::try_new(Unit::Month, 1).ok();
    assert_eq!(price.interval, monthly);
}

#[tokio::test]
async fn an_invoice_is_read_with_its_subscription_from_wherever_it_stands() {
    for body in [fixture!("invoice.json"), fixture!("invoice_older.json")] {
        let (_responder, client) = against(ok(body)).await;
        let invoice = client.invoice("in_1PdK1").await.expect("an invoice");
        assert_eq!(invoice.subscription.as_deref(), Some("sub_1PdK1"));
        assert_eq!(invoice.status, InvoiceStatus::Open);
        assert_eq!(invoice.left, Money::new(29_000, Currency::USD));
        assert_eq!(invoice.attempts, 1);
    }
}

#[tokio::test]
async fn an_event_names_what_to_ask_about_whatever_its_version() {
    let page = format!(
        r#"{{"object":"list","has_more":true,"data":[{}]}}"#,
        fixture!("event.json")
    );
    let (responder, client) = against(ok(&page)).await;
    let filter = EventFilter {
        kinds: &["invoice.paid", "invoice.payment_failed"],
        since: DateTime::from_timestamp(1_765_000_000, 0),
        newer_than: Some("evt_0"),
        older_than: None,
    };
    let page = client.events(filter, 100).await.expect("events");
    assert!(page.has_more);
    let event = &page.items[0];
    assert_eq!(event.kind, "invoice.payment_failed");
    assert_eq!(event.object.as_deref(), Some("in_1PdK1"));
    assert_eq!(event.subscription.as_deref(), Some("sub_1PdK1"));
    assert_eq!(event.customer.as_deref(), Some("cus_QK2"));
    assert_eq!(event.payment_intent.as_deref(), Some(INTENT));
    assert_eq!(event.idem_key, None);
    let (line, ..) = parts(&responder.requests()[0]);
    assert_eq!(
        line,
        "GET /v1/events?types[0]=invoice.paid&types[1]=invoice.payment_failed&ending_before=evt_0\
         &created[gte]=1765000000&limit=100"
    );
    let many = ["invoice.paid"; 21];
    let filter = EventFilter {
        kinds: &many,
        ..EventFilter::default()
    };
    let refused = client.events(filter, 100).await;
    assert!(
        matches!(refused, Err(StripeError::Refused { .. })),
        "{refused:?}"
    );
    assert_eq!(responder.requests().len(), 1);
}

#[tokio::test]
async fn each_change_of_an_object_is_one_request() {
    let sub = fixture!("subscription.json");
    let inv = fixture!("invoice.json");
    let (subs, client) = against(ok(sub)).await;
    let at = DateTime::from_timestamp(1_800_000_000, 0);
    client
        .cancel_subscription_at_period_end("k", "sub_1")
        .await
        .expect("done");
    client
        .undo_subscription_cancel("k", "sub_1")
        .await
        .expect("done");
    client.cancel_subscription_now("sub_1").await.expect("done");
    client
        .pause_collection("k", "sub_1", PauseBehavior::Void, at)
        .await
        .expect("done");
    client.resume_collection("k", "sub_1").await.expect("done");
    let (invoices, client) = against(ok(inv)).await;
    client
        .pay_invoice("k", "in_1", PayWith::Default)
        .await
        .expect("done");
    client
        .pay_invoice("k", "in_1", PayWith::Card("pm_2"))
        .await
        .expect("done");
    client.void_invoice("k", "in_1").await.expect("done");
    client
        .mark_invoice_uncollectible("k", "in_1")
        .await
        .expect("done");
    let mut told = Vec::new();
    for request in subs.requests().iter().chain(&invoices.requests()) {
        let (line, head, body) = parts(request);
        assert_eq!(
            head.contains("idempotency-key: k"),
            line.starts_with("POST"),
            "{head}"
        );
        told.push(format!("{line} {body}"));
    }
    assert_eq!(
        told,
        [
            "POST /v1/subscriptions/sub_1 cancel_at_period_end=true",
            "POST /v1/subscriptions/sub_1 cancel_at_period_end=false",
            "DELETE /v1/subscriptions/sub_1 ",
            "POST /v1/subscriptions/sub_1 pause_collection[behavior]=void&pause_collection[resumes_at]=1800000000",
            "POST /v1/subscriptions/sub_1 pause_collection=",
            "POST /v1/invoices/in_1/pay ",
            "POST /v1/invoices/in_1/pay payment_method=pm_2",
            "POST /v1/invoices/in_1/void ",
            "POST /v1/invoices/in_1/mark_uncollectible ",
        ]
    );
}

#[tokio::test]
async fn a_price_is_made_in_stripes_own_counting_or_not_at_all() {
    let price = r#"{"id":"price_1","object":"price","active":true,"currency":"isk","unit_amount":50000,"livemode":false,"recurring":{"interval":"month","interval_count":3}}"#;
    let (responder, client) = against(ok(price)).await;
    let isk = Currency::parse("ISK").expect("a currency");
    let new = NewPrice {
        product: "prod_1",
        amount: Money::new(500, isk),
        interval: Interval::try_new(Unit::Quarter, 1).ok(),
        lookup_key: None,
    };
    let made = client.create_price("k", new).await.expect("a price");
    assert_eq!(made.amount, Some(Money::new(500, isk)));
    let (_, _, body) = parts(&responder.requests()[0]);
    assert_eq!(
        body,
        "product=prod_1&unit_amount=50000&currency=isk&recurring[interval]=month&recurring[interval_count]=3"
    );
    let odd = NewPrice {
        amount: Money::new(1_234, Currency::parse("KWD").expect("a currency")),
        ..new
    };
    let refused = client.create_price("k", odd).await;
    assert!(
        matches!(refused, Err(StripeError::Refused { .. })),
        "{refused:?}"
    );
    assert_eq!(responder.requests().len(), 1);
}

#[tokio::test]
async fn an_error_of_an_object_says_what_may_be_done_next() {
    for (act, expected) in [
        (
            refusing(
                "402 Payment Required",
                fixture!("errors/declined_charge.json"),
            ),
            "declined",
        ),
        (
            refusing("404 Not Found", fixture!("errors/subscription_gone.json")),
            "not found",
        ),
        (
            refusing(
                "400 Bad Request",
                fixture!("errors/invoice_already_paid.json"),
            ),
            "refused",
        ),
        (
            refusing(
                "400 Bad Request",
                fixture!("errors/missing_in_parameter.json"),
            ),
            "refused",
        ),
        (
            refusing("401 Unauthorized", fixture!("errors/wrong_key.json")),
            "key refused",
        ),
        (
            refusing("403 Forbidden", fixture!("errors/no_permission.json")),
            "key refused",
        ),
        (
            refusing("400 Bad Request", fixture!("errors/other_parameters.json")),
            "refused",
        ),
        (
            refusing("409 Conflict", fixture!("errors/in_progress.json")),
            "later",
        ),
        (
            refusing("429 Too Many Requests", fixture!("errors/rate_limit.json")),
            "later",
        ),
        (
            refusing("500 Oops", fixture!("errors/server_error.json")),
            "unknown",
        ),
        (refusing("503 Oops", "<html>"), "unknown"),
        (Act::Close, "unknown"),
        (ok("{}"), "unknown"),
        (
            ok(&fixture!("invoice.json").replace("\"livemode\": false", "\"livemode\": true")),
            "unknown",
        ),
    ] {
        let (responder, client) = against(act.clone()).await;
        let error = client
            .pay_invoice("k", "in_1", PayWith::Default)
            .await
            .expect_err("no success");
        let told = match error {
            StripeError::NotReached { .. } => "not reached",
            StripeError::TryLater { .. } => "later",
            StripeError::Declined { .. } => "declined",
            StripeError::NotFound { .. } => "not found",
            StripeError::Refused { .. } => "refused",
            StripeError::KeyRefused { .. } => "key refused",
            StripeError::Unknown { .. } => "unknown",
        };
        assert_eq!(told, expected, "{act:?}");
        assert_eq!(responder.requests().len(), 1);
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged_by_stripe() {
    let empty = r#"{"object":"list","has_more":false,"data":[]}"#;
    let (responder, client) = against(ok(empty)).await;
    let subscriptions = SubscriptionFilter {
        customer: Some("cus_1"),
        which: Which::All,
    };
    client
        .subscriptions(subscriptions, Some("sub_9"), 500)
        .await
        .expect("a page");
    let invoices = InvoiceFilter {
        subscription: Some("sub_1"),
        status: Some(InvoiceStatus::Open),
        ..InvoiceFilter::default()
    };
    client.invoices(invoices, None, 10).await.expect("a page");
    client
        .payment_methods("cus_1", None, 10)
        .await
        .expect("a page");
    let lines: Vec<String> = responder.requests().iter().map(|r| parts(r).0).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/subscriptions?customer=cus_1&status=all&limit=100&starting_after=sub_9",
            "GET /v1/invoices?subscription=sub_1&status=open&limit=10",
            "GET /v1/payment_methods?customer=cus_1&type=card&limit=10",
        ]
    );
    // A page with one row that cannot be read is no page.
    let page = r#"{"object":"list","has_more":false,"data":[{"id":"in_1"}]}"#;
    let (_responder, client) = against(ok(page)).await;
    let listed = client.invoices(InvoiceFilter::default(), None, 10).await;
    assert!(
        matches!(listed, Err(StripeError::Unknown { .. })),
        "{listed:?}"
    );
}

#[tokio::test]
async fn a_status_that_is_not_decided_is_told_as_it_is() {
    for (status, expected) in [
        ("processing", SeenStatus::Pending),
        ("requires_action", SeenStatus::NeedsCustomer),
        ("requires_confirmation", SeenStatus::NotStarted),
    ] {
        let body = fixture!("intent_prepared.json").replace("requires_confirmation", status);
        let (_responder, client) = against(ok(&body)).await;
        let key = key();
        let report = client
            .charge(&mut Desk::new(), confirming(&key, Some(INTENT), 1))
            .await;
        let Evidence::Seen(seen) = report.evidence else {
            panic!("{report:?}");
        };
        assert_eq!(seen.status, expected);
    }
}
