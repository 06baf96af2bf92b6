//! Charges whose bank wants the customer (3-D Secure), trials and one-time charges through Stripe, on the real simulator.
//! The customer is played at the bank's page, behind the link that the engine hands on. Money is counted in the
//! simulator's ledger.

use std::sync::Arc;

use chrono_tz::Asia::Seoul;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use paydeck::domain::ids::{AttemptId, CustomerId, InvoiceId, Noun, PlanId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::Interval;
use paydeck::domain::routing::Routing;
use paydeck::engine::queries::Reads as _;
use paydeck::engine::{EngineSettings, Outcome, PlanInput, Refused, Request, VerbError};
use paydeck::provider::stripe::{StripeClient, StripeOptions};
use paydeck::sandbox::stripe;
use paydeck::secret::Secret;

use crate::tallies::window;
use crate::world::{Base, World, admin, won};

/// Its bank asks each time.
pub const ASKS: &str = "pm_card_authenticationRequired";
/// Its bank asks until the customer has agreed once.
const ASKS_ONCE: &str = "pm_card_authenticationRequiredOnSetup";
const PAYS: &str = "pm_card_visa";
const FAILS: &str = "pm_card_chargeCustomerFail";

const NEWEST: &str = "select state from attempt order by id desc limit 1";
const STATE: &str = "select state from subscription order by id desc limit 1";
const CODE: &str = "select refusal_code from attempt order by id desc limit 1";
const INVOICE: &str = "select state from invoice order by id desc limit 1";

fn tune(settings: &mut EngineSettings) {
    settings.routing = Routing::parse(["KRW stripe", "* stripe"]).expect("a rule");
}

/// A world whose Stripe knows where customers come back to.
pub async fn open(base: Base, with: impl Fn(&mut EngineSettings)) -> Option<World> {
    let tuned = |settings: &mut EngineSettings| {
        tune(settings);
        with(settings);
    };
    let mut w = World::open_at(Seoul, base, ProviderName::Stripe, tuned).await?;
    let base_url = w.simulator.base_url();
    let options = StripeOptions {
        return_url: Some(format!("{base_url}/3d_secure_2/returned")),
        base_url,
        ..StripeOptions::new(Secret::new(stripe::SECRET_KEY), Mode::Sim)
    };
    w.provider = Arc::new(StripeClient::new(options).expect("a client"));
    w.engine = w.another_engine("asks customers").await;
    Some(w)
}

async fn on_each(story: impl AsyncFn(World)) {
    for base in [Base::Sqlite, Base::Postgres] {
        if let Some(world) = open(base, |_| {}).await {
            story(world).await;
        }
    }
}

pub async fn customer_with(w: &World, card: &str) -> CustomerId {
    let customer = w.customer(&format!("key-{card}")).await;
    add_card(w, customer, card).await;
    customer
}

async fn add_card(w: &World, customer: CustomerId, card: &str) {
    let add = Request::AddMethod {
        customer,
        auth_key: Secret::new(card),
        provider: None,
    };
    w.act(add).await.expect("a card");
}

pub async fn subscribe(w: &World, customer: CustomerId, plan: PlanId) -> Outcome {
    let request = Request::Subscribe {
        customer,
        plan,
        quantity: 1,
    };
    w.act(request).await.expect("an outcome")
}

pub async fn newest_attempt(w: &World) -> AttemptId {
    AttemptId(w.number("select max(id) from attempt").await)
}

async fn newest_invoice(w: &World) -> InvoiceId {
    InvoiceId(w.number("select max(id) from invoice").await)
}

/// How many charges the simulator executed in a currency, and what came of them in all.
async fn taken(w: &World, currency: &str) -> (i64, i64) {
    let summary = w.control("GET", "ledger/summary", Value::Null).await;
    let of = &summary["stripe"][currency];
    let number = |name: &str| of[name].as_i64().unwrap_or(0);
    (number("charges"), number("chargedAmount"))
}

/// Somebody's browser: status and what came with it.
async fn browse(w: &World, method: &str, target: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(w.simulator.addr())
        .await
        .expect("a connection");
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: bank\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.expect("a status"), answer)
}

/// What a customer does at the bank's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Agrees,
    Refuses,
}

/// The customer presses a button of the page of this intent. False where it does not wait for them any more.
pub async fn answers(w: &World, intent: &str, answer: Answer) -> bool {
    let word = match answer {
        Answer::Agrees => "succeed",
        Answer::Refuses => "fail",
    };
    let target = format!("/3d_secure_2/hosted?payment_intent={intent}&outcome={word}");
    match browse(w, "POST", &target).await {
        (303, head) => {
            assert!(head.contains("/3d_secure_2/returned?"), "{head}");
            true
        }
        (409, _) => false,
        other => panic!("{other:?}"),
    }
}

/// The intents that wait for their customers.
pub async fn waiting(w: &World) -> Vec<String> {
    w.column("select provider_ref from attempt where state = 'unknown' and provider_ref is not null order by id")
        .await
}

async fn the_customer(w: &World, answer: Answer) {
    let [intent] = &waiting(w).await[..] else {
        panic!("one waits");
    };
    assert!(answers(w, intent, answer).await, "they are waited for");
}

pub async fn look(w: &World) {
    w.expire_leases().await;
    w.reconcile().await;
}

/// The link has been open for so long.
pub async fn has_been_open(w: &World, minutes: i64) {
    let us = minutes * 60_000_000;
    w.change(&format!(
        "update attempt set first_sent_at = first_sent_at - {us}, last_sent_at = last_sent_at - {us} where state = 'unknown'"
    ))
    .await;
}

pub async fn straight(w: &World) {
    let (won, dollars) = (taken(w, "krw").await.0, taken(w, "usd").await.0);
    let payments = w.number("select count(*) from payment").await;
    assert_eq!(payments, won + dollars, "payments here and charges there");
    let ledger = "select coalesce(cast(sum(amount_minor) as bigint), 0) from ledger";
    assert_eq!(w.number(ledger).await, 0);
    let twice = "select count(*) from (select invoice_id from payment group by invoice_id having count(*) > 1) x";
    assert_eq!(w.number(twice).await, 0, "one payment per invoice");
    let differing = w.engine.store().differing_tallies().await;
    assert_eq!(differing.expect("tallies"), [] as [&str; 0]);
}

fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::parse("USD").expect("a currency"))
}

async fn plan_in_dollars(w: &World, trial_days: u32) -> PlanId {
    let input = PlanInput {
        product: "abroad".into(),
        product_name: "Service".into(),
        code: "gold".into(),
        name: "Gold monthly".into(),
        price: dollars(990),
        interval: Interval::parse("month").expect("an interval"),
        tier: "GOLD".into(),
        trial_days,
        features: vec![],
    };
    let id = w.done(Request::CreatePlan(input)).await;
    PlanId(w.row(Noun::Plan, &id).await)
}

/// MRR and gross, as the first screen shows them.
async fn mrr_and_gross(w: &World) -> (Vec<Money>, Vec<Money>) {
    let shown = w.engine.store().overview(&window(w.clock_now())).await;
    let shown = shown.expect("figures");
    let mrr = shown.mrr.into_iter().filter(|m| m.is_positive()).collect();
    (mrr, shown.gross)
}

#[tokio::test]
async fn c16_a_first_charge_whose_bank_wants_the_customer_waits_at_a_link_and_is_taken_once() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS).await;
        let outcome = subscribe(&w, customer, plan).await;
        let Outcome::AsksCustomer(receipt) = outcome else {
            panic!("{outcome:?}");
        };
        let until = receipt.link_until.expect("until when");
        assert_eq!(w.text(STATE).await, "incomplete");
        assert_eq!(taken(&w, "krw").await, (0, 0));

        let invoice = newest_invoice(&w).await;
        for request in [Request::Charge { invoice }, Request::Retry { invoice }] {
            let refused = w.act(request).await;
            let is_held = matches!(refused, Err(VerbError::Refused(Refused::InProgress { .. })));
            assert!(is_held, "nothing else while the link is open: {refused:?}");
        }
        look(&w).await;
        w.advance_days(2).await;
        w.run().await;
        assert_eq!(
            w.text(STATE).await,
            "incomplete",
            "the customer may still answer"
        );

        let attempt = newest_attempt(&w).await;
        let link = w
            .engine
            .customer_link(&admin(), attempt)
            .await
            .expect("a link");
        assert_eq!(link.until, until);
        let url = link.url.expose().to_owned();
        let target = url.strip_prefix(&w.simulator.base_url()).expect("its page");
        let (status, page) = browse(&w, "GET", target).await;
        assert_eq!(status, 200);
        assert!(page.contains("Complete") && page.contains("Fail"), "{page}");
        the_customer(&w, Answer::Agrees).await;
        look(&w).await;
        look(&w).await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(taken(&w, "krw").await, (1, 9_900));
        let used = "select coalesce(installment_months, -1) || ' ' || coalesce(three_d_secure, '?') from payment";
        assert_eq!(w.text(used).await, "0 authenticated", "N05");
        let closed = w.engine.customer_link(&admin(), attempt).await;
        assert!(
            matches!(closed, Err(VerbError::Refused(Refused::NoLink))),
            "{closed:?}"
        );
        let told = "select count(*) from outbox where kind = 'customer_must_confirm'";
        assert_eq!(w.number(told).await, 1);
        let shown = "select count(*) from audit where verb = 'reveal' and state_after = 'link'";
        assert_eq!(
            w.number(shown).await,
            1,
            "that it was shown is written down"
        );
        straight(&w).await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn c16_a_customer_who_refuses_is_never_charged_and_the_subscription_ends() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS).await;
        subscribe(&w, customer, plan).await;
        let intent = waiting(&w).await.remove(0);
        the_customer(&w, Answer::Refuses).await;
        look(&w).await;
        assert_eq!(w.text(NEWEST).await, "declined");
        assert_eq!(w.text(CODE).await, "payment_intent_authentication_failure");
        assert_eq!(
            (w.text(STATE).await, w.text(INVOICE).await),
            ("expired".into(), "void".into())
        );
        assert!(
            !answers(&w, &intent, Answer::Agrees).await,
            "the link is closed"
        );
        let ended = "select count(*) from evidence where outcome = 'canceled'";
        assert_eq!(w.number(ended).await, 1, "the provider's own proof");
        assert_eq!(taken(&w, "krw").await, (0, 0));
        // Another one may be begun.
        let outcome = subscribe(&w, customer, plan).await;
        assert!(matches!(outcome, Outcome::AsksCustomer(_)), "{outcome:?}");
        straight(&w).await;
    })
    .await;
}

#[tokio::test]
async fn c16_a_link_that_nobody_answers_for_23_hours_is_closed_and_nothing_is_charged() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS).await;
        subscribe(&w, customer, plan).await;
        let intent = waiting(&w).await.remove(0);
        has_been_open(&w, 23 * 60 - 1).await;
        look(&w).await;
        assert_eq!(
            (w.text(NEWEST).await, w.text(STATE).await),
            ("unknown".into(), "incomplete".into())
        );
        has_been_open(&w, 1).await;
        look(&w).await;
        assert_eq!(
            (w.text(NEWEST).await, w.text(STATE).await),
            ("declined".into(), "expired".into())
        );
        assert_eq!(w.text(CODE).await, "PAYDECK_AUTHENTICATION");
        assert_eq!(w.text(INVOICE).await, "void");
        assert!(!answers(&w, &intent, Answer::Agrees).await);
        assert_eq!(taken(&w, "krw").await, (0, 0));
        straight(&w).await;
    })
    .await;
}

#[tokio::test]
async fn c16_a_subscription_that_is_ended_closes_its_link() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS).await;
        let outcome = subscribe(&w, customer, plan).await;
        let (id, _) = outcome
            .receipt()
            .subscription
            .clone()
            .expect("a subscription");
        let subscription =
            paydeck::domain::ids::SubscriptionId(w.row(Noun::Subscription, &id).await);
        let intent = waiting(&w).await.remove(0);
        let cancel = Request::CancelNow {
            subscription,
            reason: "changed their mind".into(),
        };
        w.act(cancel).await.expect("ended");
        look(&w).await;
        assert_eq!(
            (w.text(NEWEST).await, w.text(STATE).await),
            ("declined".into(), "expired".into())
        );
        assert_eq!(w.text(INVOICE).await, "void");
        assert!(!answers(&w, &intent, Answer::Agrees).await, "closed");
        assert_eq!(taken(&w, "krw").await, (0, 0));
        straight(&w).await;
    })
    .await;
}

#[tokio::test]
async fn c16_a_renewal_whose_bank_wants_the_customer_is_past_due_and_a_retry_gives_the_link() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS).await;
        subscribe(&w, customer, plan).await;
        the_customer(&w, Answer::Agrees).await;
        look(&w).await;
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(
            (w.text(NEWEST).await, w.text(STATE).await),
            ("declined".into(), "past_due".into())
        );
        assert_eq!(w.text(CODE).await, "authentication_required");
        let class = "select last_class from invoice order by id desc limit 1";
        assert_eq!(w.text(class).await, "needs_customer");
        assert_eq!(taken(&w, "krw").await.0, 1);

        let invoice = newest_invoice(&w).await;
        let outcome = w.act(Request::Retry { invoice }).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::AsksCustomer(_)), "{outcome:?}");
        the_customer(&w, Answer::Refuses).await;
        look(&w).await;
        assert_eq!(w.text(STATE).await, "past_due", "refused, and still owed");

        let outcome = w.act(Request::Retry { invoice }).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::AsksCustomer(_)), "{outcome:?}");
        // The schedule's own try falls due while the link is open.
        w.advance_days(4).await;
        w.run().await;
        assert_eq!(waiting(&w).await.len(), 1);
        assert_eq!(taken(&w, "krw").await.0, 1);
        the_customer(&w, Answer::Agrees).await;
        look(&w).await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(taken(&w, "krw").await, (2, 19_800));
        straight(&w).await;
    })
    .await;
}

/// A renewal whose bank wanted the customer: nobody presses anything, and the schedule's next try asks them once.
#[tokio::test]
async fn c16_after_a_renewal_whose_bank_wants_the_customer_the_schedules_try_asks_them_once() {
    const ASKED: &str = "select count(*) from outbox where kind = 'customer_must_confirm'";
    const DUNNING: &str = "select dunning from invoice order by id desc limit 1";
    for answer in [Some(Answer::Agrees), Some(Answer::Refuses), None] {
        on_each(async |w| {
            let plan = w.basic_plan().await;
            let customer = customer_with(&w, ASKS).await;
            subscribe(&w, customer, plan).await;
            the_customer(&w, Answer::Agrees).await;
            look(&w).await;
            w.advance_days(31).await;
            w.run().await;
            assert_eq!(w.text(CODE).await, "authentication_required");
            assert_eq!(w.number(ASKED).await, 1, "not by the renewal itself");

            w.advance_days(4).await;
            w.run().await;
            assert_eq!(w.number(ASKED).await, 2, "the schedule's try asks");
            let intent = waiting(&w).await.remove(0);
            for _ in 0..2 {
                look(&w).await;
                w.run().await;
            }
            assert_eq!(w.number(ASKED).await, 2, "once");
            assert_eq!(w.text(STATE).await, "past_due");
            assert_eq!(taken(&w, "krw").await.0, 1);

            match answer {
                Some(answer) => the_customer(&w, answer).await,
                None => has_been_open(&w, 23 * 60).await,
            }
            look(&w).await;
            look(&w).await;
            assert!(!answers(&w, &intent, Answer::Agrees).await, "closed");
            if answer == Some(Answer::Agrees) {
                assert_eq!(w.text(STATE).await, "active");
                assert_eq!(taken(&w, "krw").await, (2, 19_800));
                assert_eq!(w.text(NEWEST).await, "succeeded");
            } else {
                // The schedule has one try for it, as before: a person or another card goes on.
                assert_eq!(w.text(NEWEST).await, "declined");
                assert_eq!(w.text(DUNNING).await, "awaiting_card");
                w.advance_days(4).await;
                w.run().await;
                assert_eq!(w.number(ASKED).await, 2);
                assert_eq!(taken(&w, "krw").await.0, 1);
            }
            let source = "select source from attempt order by id desc limit 1";
            assert_eq!(w.text(source).await, "dunning");
            straight(&w).await;
            w.audit_is_intact().await;
        })
        .await;
    }
}

/// The customer gives another card rather than answer: it cannot be charged while the link is open, and is afterwards.
#[tokio::test]
async fn c16_a_card_that_is_given_while_the_schedules_link_is_open_is_charged_once_it_is_closed() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS).await;
        subscribe(&w, customer, plan).await;
        the_customer(&w, Answer::Agrees).await;
        look(&w).await;
        w.advance_days(31).await;
        w.run().await;
        w.advance_days(4).await;
        w.run().await;
        let intent = waiting(&w).await.remove(0);
        add_card(&w, customer, PAYS).await;
        assert_eq!(
            taken(&w, "krw").await.0,
            1,
            "the link may still be answered"
        );
        has_been_open(&w, 23 * 60).await;
        look(&w).await;
        look(&w).await;
        assert!(!answers(&w, &intent, Answer::Agrees).await, "closed");
        w.run().await;
        assert_eq!(w.text(NEWEST).await, "succeeded");
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(taken(&w, "krw").await, (2, 19_800));
        straight(&w).await;
    })
    .await;
}

/// What Stripe tells of a payment is no evidence: it is looked up at once, and not when its turn would have come.
#[tokio::test]
async fn c16_an_event_that_the_customer_has_answered_is_a_look_up_at_once() {
    const LATER: &str = "update attempt set lease_until = 0, next_check_at = 9000000000000000 where state = 'unknown'";
    on_each(async |w| {
        let operator = admin();
        let plan = w.basic_plan().await;
        // Where nothing has happened yet, there is no event to go on from.
        let paying = customer_with(&w, PAYS).await;
        subscribe(&w, paying, plan).await;
        let customer = customer_with(&w, ASKS).await;
        subscribe(&w, customer, plan).await;
        w.engine.mirror_pull(&operator).await.expect("pulled");
        w.execute(LATER).await;
        let pulled = w.engine.mirror_pull(&operator).await.expect("pulled");
        assert_eq!(pulled.taken_in, 0, "{pulled:?}");
        the_customer(&w, Answer::Agrees).await;
        let early = w.engine.reconcile_once(&operator).await.expect("looked");
        assert_eq!(early.claimed, 0, "its turn has not come");
        let pulled = w.engine.mirror_pull(&operator).await.expect("pulled");
        assert!(pulled.taken_in > 0, "{pulled:?}");
        assert_eq!(
            w.text(STATE).await,
            "incomplete",
            "an event settles nothing"
        );
        let looked = w.engine.reconcile_once(&operator).await.expect("looked");
        assert_eq!((looked.claimed, looked.settled), (1, 1));
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(taken(&w, "krw").await, (2, 19_800));
        straight(&w).await;
    })
    .await;
}

#[tokio::test]
async fn c16_a_bank_that_was_answered_once_lets_renewals_pass() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS_ONCE).await;
        let outcome = subscribe(&w, customer, plan).await;
        assert!(matches!(outcome, Outcome::AsksCustomer(_)), "{outcome:?}");
        the_customer(&w, Answer::Agrees).await;
        look(&w).await;
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(
            (w.text(NEWEST).await, w.text(STATE).await),
            ("succeeded".into(), "active".into())
        );
        assert_eq!(taken(&w, "krw").await, (2, 19_800));
        straight(&w).await;
    })
    .await;
}

async fn one_time(w: &World, customer: CustomerId, amount: Money) -> Outcome {
    let request = Request::OneTime {
        customer,
        amount,
        description: "extra".into(),
    };
    w.act(request).await.expect("an outcome")
}

#[tokio::test]
async fn b07_a_one_time_charge_is_gross_and_no_recurring_revenue_in_both_currencies() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, PAYS).await;
        subscribe(&w, customer, plan).await;
        let before = mrr_and_gross(&w).await;
        assert_eq!(before, (vec![won(9_900)], vec![won(9_900)]));
        for amount in [won(5_000), dollars(5_000)] {
            let outcome = one_time(&w, customer, amount).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        let (mrr, gross) = mrr_and_gross(&w).await;
        assert_eq!(mrr, before.0, "MRR is as it was");
        assert!(
            gross.contains(&won(14_900)) && gross.contains(&dollars(5_000)),
            "{gross:?}"
        );
        assert_eq!(taken(&w, "krw").await, (2, 14_900));
        assert_eq!(taken(&w, "usd").await, (1, 5_000));
        straight(&w).await;
    })
    .await;
}

#[tokio::test]
async fn b07_a_one_time_charge_is_declined_or_waits_for_its_customer() {
    on_each(async |w| {
        let poor = customer_with(&w, FAILS).await;
        let outcome = one_time(&w, poor, won(5_000)).await;
        assert!(matches!(outcome, Outcome::Declined { .. }), "{outcome:?}");
        let asked = customer_with(&w, ASKS).await;
        let outcome = one_time(&w, asked, dollars(5_000)).await;
        assert!(matches!(outcome, Outcome::AsksCustomer(_)), "{outcome:?}");
        assert_eq!(taken(&w, "usd").await, (0, 0));
        the_customer(&w, Answer::Agrees).await;
        look(&w).await;
        assert_eq!(taken(&w, "usd").await, (1, 5_000));
        assert_eq!(w.text(INVOICE).await, "paid");
        let outcome = one_time(&w, asked, won(5_000)).await;
        assert!(matches!(outcome, Outcome::AsksCustomer(_)), "{outcome:?}");
        has_been_open(&w, 23 * 60).await;
        look(&w).await;
        assert_eq!(
            (w.text(NEWEST).await, w.text(INVOICE).await),
            ("declined".into(), "open".into())
        );
        assert_eq!(taken(&w, "krw").await, (0, 0));
        straight(&w).await;
    })
    .await;
}

#[tokio::test]
async fn c06_a_trial_is_converted_by_one_charge_in_dollars_and_ends_without_a_card() {
    on_each(async |w| {
        let plan = plan_in_dollars(&w, 14).await;
        let paying = customer_with(&w, PAYS).await;
        let without = w.customer("key-without").await;
        for customer in [paying, without] {
            let outcome = subscribe(&w, customer, plan).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        assert_eq!(mrr_and_gross(&w).await.0, [] as [Money; 0], "MRR 0 during the trial");
        let reminders = "select count(*) from outbox o join subscription s on o.key = s.public_id where o.kind = 'trial_ends' and o.next_at = s.trial_until - 259200000000";
        assert_eq!(w.number(reminders).await, 2, "three days before it ends");
        w.advance_days(13).await;
        w.run().await;
        assert_eq!(taken(&w, "usd").await, (0, 0));
        w.advance_days(1).await;
        for _ in 0..2 {
            w.run().await;
            assert_eq!(taken(&w, "usd").await, (1, 990), "once");
        }
        let states = "select state from subscription order by id";
        assert_eq!(w.column(states).await, ["active", "expired"]);
        assert_eq!(mrr_and_gross(&w).await, (vec![dollars(990)], vec![dollars(990)]));
        straight(&w).await;
    })
    .await;
}

#[tokio::test]
async fn c06_a_trial_whose_conversion_needs_the_customer_is_past_due_until_they_answer() {
    on_each(async |w| {
        let plan = plan_in_dollars(&w, 14).await;
        let customer = customer_with(&w, ASKS).await;
        subscribe(&w, customer, plan).await;
        w.advance_days(14).await;
        w.run().await;
        assert_eq!(
            (w.text(NEWEST).await, w.text(STATE).await),
            ("declined".into(), "past_due".into())
        );
        assert_eq!(taken(&w, "usd").await, (0, 0));
        let invoice = newest_invoice(&w).await;
        let outcome = w.act(Request::Retry { invoice }).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::AsksCustomer(_)), "{outcome:?}");
        the_customer(&w, Answer::Agrees).await;
        look(&w).await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(taken(&w, "usd").await, (1, 990));
        straight(&w).await;
    })
    .await;
}

/// Without an address to come back to nobody is asked: the charge is declined, and says why.
#[tokio::test]
async fn c16_where_nobody_can_be_asked_a_first_charge_is_declined() {
    let Some(w) = World::open_at(Seoul, Base::Sqlite, ProviderName::Stripe, tune).await else {
        return;
    };
    let plan = w.basic_plan().await;
    let customer = customer_with(&w, ASKS).await;
    let outcome = subscribe(&w, customer, plan).await;
    assert!(matches!(outcome, Outcome::Declined { .. }), "{outcome:?}");
    assert_eq!(w.text(CODE).await, "authentication_required");
    assert_eq!(w.text(STATE).await, "incomplete");
}

/// The link may hold a secret of the provider's: it stands in no table.
#[tokio::test]
async fn c16_a_link_is_kept_nowhere() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = customer_with(&w, ASKS).await;
        subscribe(&w, customer, plan).await;
        let attempt = newest_attempt(&w).await;
        let link = w.engine.customer_link(&admin(), attempt).await.expect("a link");
        assert!(!format!("{link:?}").contains("3d_secure"), "nor in a log");
        let found = "select (select count(*) from attempt where cast(body as text) like '%3d_secure%')
            + (select count(*) from audit where state_after like '%3d_secure%' or reason like '%3d_secure%')
            + (select count(*) from outbox where payload like '%3d_secure%')";
        assert_eq!(w.number(found).await, 0);
    })
    .await;
}
