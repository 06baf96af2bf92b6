//! Books that are older than the provider's: an older snapshot was put back days later, keys do not open, cards were
//! registered anew. Whatever our books say then, nobody is charged twice for a period. Money is counted in the simulator.

use std::path::PathBuf;
use std::sync::Arc;

use chrono_tz::Asia::Seoul;
use serde_json::{Value, json};
use sqlx::Connection;

use paydeck::domain::ids::{AttemptId, CustomerId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::routing::Routing;
use paydeck::engine::ports::{Desk, FindStanding, Provider, ProviderError, StandingPage, Whose};
use paydeck::engine::{EngineSettings, Outcome, Request};
use paydeck::provider::stripe::{StripeClient, StripeOptions};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::sandbox::{SECRET_KEY, SandboxOptions, stripe};
use paydeck::secret::Secret;
use paydeck::store::DatabaseUrl;

use crate::support::postgres;
use crate::world::{Base, PATIENT, World, admin};

const NEWEST: &str = "select state from attempt order by id desc limit 1";
const PAGES: &str = "select count(*) from outbox where kind = 'page'";

/// A copy of a database, to be put back later.
enum Snapshot {
    Sqlite(PathBuf),
    Postgres(postgres::TestDb),
}

impl Snapshot {
    async fn of(w: &mut World) -> Self {
        if let Some(copy) = w.snapshot().await {
            return Self::Postgres(copy);
        }
        let copy = w.spool_dir().with_file_name("older.db");
        let mut raw = sqlx::SqliteConnection::connect(&w.address())
            .await
            .expect("a connection");
        let text = format!("vacuum into '{}'", copy.display());
        sqlx::query(sqlx::AssertSqlSafe(text))
            .execute(&mut raw)
            .await
            .expect("a copy");
        raw.close().await.expect("closed");
        Self::Sqlite(copy)
    }

    /// From here on the database is this copy.
    async fn put_back(&self, w: &mut World) {
        match self {
            Self::Postgres(copy) => drop(w.put_back(copy).await),
            Self::Sqlite(copy) => {
                w.engine.store().close().await;
                w.hang_up().await;
                let address = format!("sqlite:{}", copy.display());
                w.url = DatabaseUrl::parse(&address).expect("an address");
                w.engine = w.another_engine("put back").await;
            }
        }
    }
}

async fn on_each(
    house: ProviderName,
    tune: impl Fn(&mut EngineSettings),
    story: impl AsyncFn(World),
) {
    for base in [Base::Sqlite, Base::Postgres] {
        if let Some(world) = World::open_at(Seoul, base, house, &tune).await {
            story(world).await;
        }
    }
}

async fn on_stripe(story: impl AsyncFn(World)) {
    on_each(ProviderName::Stripe, |_| {}, story).await;
}

fn by_rule(rule: &'static str) -> impl Fn(&mut EngineSettings) {
    move |settings| settings.routing = Routing::parse([rule]).expect("a rule")
}

/// How much each provider has ever taken: charges at Toss, charges at Stripe.
async fn taken(w: &World) -> (i64, i64) {
    let summary = w.control("GET", "ledger/summary", Value::Null).await;
    let count = |of: &Value| of["charges"].as_i64().unwrap_or(0);
    (count(&summary), count(&summary["stripe"]["krw"]))
}

fn toss_at(base_url: String) -> Arc<dyn Provider> {
    let client = TossClient::new(TossOptions {
        base_url,
        connect_timeout: PATIENT,
        total_timeout: PATIENT,
        ..TossOptions::new(Secret::new(SECRET_KEY), Mode::Sim)
    });
    Arc::new(client.expect("a client"))
}

fn stripe_client(base_url: String) -> StripeClient {
    let client = StripeClient::new(StripeOptions {
        base_url,
        connect_timeout: PATIENT,
        total_timeout: PATIENT,
        ..StripeOptions::new(Secret::new(stripe::SECRET_KEY), Mode::Sim)
    });
    client.expect("a client")
}

fn stripe_at(base_url: String) -> Arc<dyn Provider> {
    Arc::new(stripe_client(base_url))
}

/// One that asks whose key it has before its first call.
fn stripe_of(base_url: String, account: Option<&str>) -> Arc<dyn Provider> {
    let account = account.map(str::to_owned);
    Arc::new(stripe_client(base_url).with_account(account))
}

/// Nobody listens there.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    format!("http://{at}")
}

async fn end_it(w: &World) -> Outcome {
    let attempt = AttemptId(w.number("select max(id) from attempt").await);
    let end = Request::AskNotExecuted {
        attempt,
        reason: "the customer pays otherwise".into(),
        evidence: "a call".into(),
    };
    w.act(end).await.expect("an outcome")
}

/// A charge whose first step was lost, and whose books do not know its name.
async fn unnamed(w: &World) {
    w.subscriber("key-one").await;
    w.advance_days(31).await;
    w.fault("stripe_intent_create", json!("lost_before_commit"), 1)
        .await;
    w.run().await;
    for made in [
        "'sent' where state = 'ready'",
        "'unknown' where state = 'sent'",
    ] {
        w.change(&format!("update attempt set state = {made}"))
            .await;
    }
    w.expire_leases().await;
}

#[tokio::test]
async fn a_key_that_does_not_open_is_no_proof_that_nothing_was_taken() {
    on_stripe(async |w| {
        unnamed(&w).await;
        let rotated = w.engine_with_rotated_key("second").await;
        assert_eq!(rotated.rotate_keys(&admin()).await.expect("rotated"), 1);
        let outcome = end_it(&w).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
        assert_eq!(w.text(NEWEST).await, "unknown");
        assert_eq!(w.number(PAGES).await, 1, "a person is called");
        // Nor does it hold anybody up: the reconciler goes on, and calls once.
        w.expire_leases().await;
        assert_eq!(w.reconcile().await.left, 1);
        assert_eq!(w.text(NEWEST).await, "unknown");
        w.expire_leases().await;
        let attempt = AttemptId(w.number("select max(id) from attempt").await);
        let end = Request::AskNotExecuted {
            attempt,
            reason: "the customer pays otherwise".into(),
            evidence: "a call".into(),
        };
        let plan = rotated.plan(&admin(), &end).await.expect("a plan");
        let ended = rotated.apply(&admin(), &end, &plan.fingerprint).await;
        assert!(matches!(ended, Ok(Outcome::Ended(_))), "{ended:?}");
        let code = "select last_code from invoice order by id desc limit 1";
        assert_eq!(w.text(code).await, "PAYDECK_WITHDRAWN");
        assert_eq!(w.executed().await, (1, 0));
    })
    .await;
}

#[tokio::test]
async fn what_is_sealed_and_cannot_be_read_is_no_proof_that_nothing_was_taken() {
    on_stripe(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        let vague = stripe_at(w.simulator.base_url());
        let call = FindStanding {
            billing_key: Some(&Secret::new("sealed by another program")),
            whose: Whose::OfCustomer,
            order_id: "pdtesttest-01J9ZX5V3M8Q7K2N4T6W8Y0B2D-1",
            since: w.clock_now(),
        };
        let found = vague.standing(&mut Desk::new(), call, None).await;
        let StandingPage::Unanswered(report) = found else {
            panic!("{found:?}")
        };
        assert_eq!(report.evidence.name(), "no_key");
    })
    .await;
}

/// A customer with a card at each of the two.
async fn with_both_cards(w: &World) -> CustomerId {
    let customer = w.customer("key-both").await;
    let cards = [
        (ProviderName::Toss, w.auth_key("key-both", json!({})).await),
        (ProviderName::Stripe, Secret::new("pm_card_visa")),
    ];
    for (provider, auth_key) in cards {
        let add = Request::AddMethod {
            customer,
            auth_key,
            provider: Some(provider),
        };
        let outcome = w.act(add).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    customer
}

/// The plan's first period is paid; the next one falls due a month later.
async fn subscribed(w: &World, customer: CustomerId) {
    let plan = w.basic_plan().await;
    let subscribe = Request::Subscribe {
        customer,
        plan,
        quantity: 1,
    };
    let outcome = w.act(subscribe).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

async fn both(w: &mut World, name: &str) {
    let base_url = w.simulator.base_url();
    let providers = [toss_at(base_url.clone()), stripe_at(base_url)];
    w.engine = w.engine_of(name, &providers).await;
}

async fn toss_down(w: &mut World, name: &str) {
    let providers = [toss_at(nowhere()), stripe_at(w.simulator.base_url())];
    w.engine = w.engine_of(name, &providers).await;
}

#[tokio::test]
async fn a_debt_older_than_a_key_does_not_fall_back_to_another_provider() {
    on_each(
        ProviderName::Toss,
        by_rule("KRW toss stripe"),
        async |mut w| {
            both(&mut w, "both").await;
            let customer = with_both_cards(&w).await;
            subscribed(&w, customer).await;
            let copy = Snapshot::of(&mut w).await;
            both(&mut w, "before").await;
            w.advance_days(31).await;
            w.run().await;
            assert_eq!(taken(&w).await, (2, 0), "paid at Toss");
            copy.put_back(&mut w).await;
            w.advance_days(2).await;
            toss_down(&mut w, "down").await;
            w.run().await;
            w.expire_leases().await;
            w.reconcile().await;
            assert_eq!(taken(&w).await, (2, 0), "and not again at Stripe");
            both(&mut w, "up again").await;
            w.expire_leases().await;
            w.reconcile().await;
            assert_eq!(taken(&w).await, (2, 0));
            assert_eq!(w.text(NEWEST).await, "succeeded");
        },
    )
    .await;
}

/// What the newest attempt's own evidence says.
const LAST_WORD: &str = "select outcome from evidence order by id desc limit 1";

async fn retry(w: &World) -> Outcome {
    let invoice = w.only_invoice().await;
    w.act(Request::Retry { invoice }).await.expect("an outcome")
}

/// What was never declined is charged, not tried again.
async fn charge(w: &World) -> Outcome {
    let invoice = w.only_invoice().await;
    w.act(Request::Charge { invoice })
        .await
        .expect("an outcome")
}

/// The run that the older books owe, days later; and what a reconciler makes of it.
async fn days_later(w: &mut World, copy: &Snapshot) {
    copy.put_back(w).await;
    w.advance_days(2).await;
}

async fn run_and_reconcile(w: &World) {
    w.run().await;
    for _ in 0..2 {
        w.expire_leases().await;
        w.reconcile().await;
    }
}

#[tokio::test]
async fn a_period_that_a_second_try_paid_is_not_charged_again_by_the_first() {
    on_stripe(async |mut w| {
        w.subscriber("key-one").await;
        let copy = Snapshot::of(&mut w).await;
        w.advance_days(31).await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        w.run().await;
        assert_eq!(w.text(NEWEST).await, "unknown");
        let ended = end_it(&w).await;
        assert!(matches!(ended, Outcome::Ended(_)), "{ended:?}");
        let paid = retry(&w).await;
        assert!(matches!(paid, Outcome::Done(_)), "{paid:?}");
        assert_eq!(w.executed().await, (2, 0));
        days_later(&mut w, &copy).await;
        run_and_reconcile(&w).await;
        assert_eq!(w.executed().await, (2, 0), "nobody is charged twice");
        assert_eq!(w.text(NEWEST).await, "abandoned", "it never left");
        assert_eq!(w.text(LAST_WORD).await, "elsewhere");
        assert_eq!(w.number(PAGES).await, 1, "somebody is called, once");
        // The next one is the one that was paid.
        let paid = charge(&w).await;
        assert!(matches!(paid, Outcome::Done(_)), "{paid:?}");
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_period_that_a_new_card_paid_after_a_refusal_is_not_charged_again() {
    on_stripe(async |mut w| {
        let (customer, _) = w.subscriber("key-one").await;
        let copy = Snapshot::of(&mut w).await;
        w.advance_days(31).await;
        let declined = json!({ "kind": "unknown_code", "code": "payment_method_unactivated" });
        w.fault("stripe_intent_create", declined, 1).await;
        w.run().await;
        assert_eq!(w.text(NEWEST).await, "declined");
        w.card(customer, "key-one", json!({})).await;
        let paid = retry(&w).await;
        assert!(matches!(paid, Outcome::Done(_)), "{paid:?}");
        assert_eq!(w.executed().await, (2, 0), "what was owed is paid");
        days_later(&mut w, &copy).await;
        run_and_reconcile(&w).await;
        assert_eq!(w.executed().await, (2, 0), "nobody is charged twice");
        assert_eq!(w.text(LAST_WORD).await, "elsewhere");
    })
    .await;
}

/// The first provider was not reached and the second one charged; then the books are older, and the first one is there.
#[tokio::test]
async fn what_was_paid_at_another_provider_is_not_charged_at_the_first() {
    let stories = [
        ("KRW toss stripe", ProviderName::Toss),
        ("KRW stripe toss", ProviderName::Stripe),
    ];
    for (rule, first) in stories {
        on_each(ProviderName::Toss, by_rule(rule), async |mut w| {
            both(&mut w, "both").await;
            let customer = with_both_cards(&w).await;
            subscribed(&w, customer).await;
            let before = taken(&w).await;
            let copy = Snapshot::of(&mut w).await;
            w.advance_days(31).await;
            let (toss, stripe) = match first {
                ProviderName::Toss => (toss_at(nowhere()), stripe_at(w.simulator.base_url())),
                ProviderName::Stripe => (toss_at(w.simulator.base_url()), stripe_at(nowhere())),
            };
            w.engine = w.engine_of("first down", &[toss, stripe]).await;
            w.run().await;
            w.expire_leases().await;
            w.reconcile().await;
            let after = match first {
                ProviderName::Toss => (before.0, before.1 + 1),
                ProviderName::Stripe => (before.0 + 1, before.1),
            };
            assert_eq!(taken(&w).await, after, "{rule}: paid at the second");
            days_later(&mut w, &copy).await;
            both(&mut w, "both again").await;
            run_and_reconcile(&w).await;
            assert_eq!(taken(&w).await, after, "{rule}: and nowhere else");
            assert_eq!(w.text(NEWEST).await, "abandoned", "{rule}: it never left");
            assert_eq!(w.text(LAST_WORD).await, "elsewhere", "{rule}");
            assert_eq!(w.number(PAGES).await, 1);
            // Nothing charges it by itself, and what a person presses looks again.
            w.advance_days(1).await;
            run_and_reconcile(&w).await;
            assert_eq!(w.number(PAGES).await, 1, "{rule}: no further try");
            let again = charge(&w).await;
            assert!(matches!(again, Outcome::NotSent(_)), "{rule}: {again:?}");
            assert_eq!(taken(&w).await, after, "{rule}: whoever presses");
            let open = "select count(*) from attempt where state in ('ready', 'sent', 'unknown')";
            assert_eq!(w.number(open).await, 0, "{rule}");
        })
        .await;
    }
}

/// Somebody gives money of the last payment back at its provider's own desk.
async fn given_back_at(w: &World, provider: ProviderName, minor: i64) {
    if provider == ProviderName::Stripe {
        crate::foreign_refunds::by_hand(w, minor).await;
        return;
    }
    let key = w
        .text("select provider_ref from payment order by id desc limit 1")
        .await;
    let event = json!({ "type": "refund", "paymentKey": key, "amount": minor });
    w.control("POST", "events", event).await;
}

/// What went back whole is in nobody's way, however old our books are; where a part went back, a person decides.
#[tokio::test]
async fn what_was_paid_at_another_provider_and_given_back_whole_there_is_owed_again() {
    let stories = [
        ("KRW toss stripe", ProviderName::Toss, ProviderName::Stripe),
        ("KRW stripe toss", ProviderName::Stripe, ProviderName::Toss),
    ];
    for (rule, first, second) in stories {
        for back in [9_900, 5_000] {
            on_each(ProviderName::Toss, by_rule(rule), async |mut w| {
                both(&mut w, "both").await;
                let customer = with_both_cards(&w).await;
                subscribed(&w, customer).await;
                let before = taken(&w).await;
                let copy = Snapshot::of(&mut w).await;
                w.advance_days(31).await;
                let (toss, stripe) = match first {
                    ProviderName::Toss => (toss_at(nowhere()), stripe_at(w.simulator.base_url())),
                    ProviderName::Stripe => (toss_at(w.simulator.base_url()), stripe_at(nowhere())),
                };
                w.engine = w.engine_of("first down", &[toss, stripe]).await;
                w.run().await;
                w.expire_leases().await;
                w.reconcile().await;
                given_back_at(&w, second, back).await;
                days_later(&mut w, &copy).await;
                both(&mut w, "both again").await;
                run_and_reconcile(&w).await;
                let is_owed = i64::from(back == 9_900);
                let after = match first {
                    ProviderName::Toss => (before.0 + is_owed, before.1 + 1),
                    ProviderName::Stripe => (before.0 + 1, before.1 + is_owed),
                };
                assert_eq!(taken(&w).await, after, "{rule}: {back} went back");
                let state = ["abandoned", "succeeded"][usize::from(is_owed == 1)];
                assert_eq!(w.text(NEWEST).await, state, "{rule}: {back} went back");
                assert_eq!(w.number(PAGES).await, 1, "{rule}: {back} went back");
                let told = "select count(*) from outbox where key like '%:given_back_elsewhere'";
                assert_eq!(w.number(told).await, is_owed, "{rule}: {back} went back");
            })
            .await;
        }
    }
}

#[tokio::test]
async fn where_another_provider_does_not_say_whether_an_old_debt_was_paid_nothing_leaves() {
    on_each(
        ProviderName::Toss,
        by_rule("KRW toss stripe"),
        async |mut w| {
            both(&mut w, "both").await;
            let customer = with_both_cards(&w).await;
            subscribed(&w, customer).await;
            w.advance_days(33).await;
            let providers = [toss_at(w.simulator.base_url()), stripe_at(nowhere())];
            w.engine = w.engine_of("stripe down", &providers).await;
            w.run().await;
            assert_eq!(w.text(NEWEST).await, "ready");
            let why = "select code from evidence order by id desc limit 1";
            assert_eq!(w.text(why).await, "PAYDECK_NO_WORD_FROM_STRIPE");
            assert_eq!(w.number(PAGES).await, 0, "it may answer soon");
            // Hours later it is one call for all that waits, however often it is looked.
            for _ in 0..2 {
                w.expire_leases().await;
                w.reconcile().await;
            }
            assert_eq!(taken(&w).await, (1, 0));
            assert_eq!(w.text(NEWEST).await, "ready");
            assert_eq!(w.number(PAGES).await, 1, "somebody is called, once");
            both(&mut w, "both again").await;
            w.expire_leases().await;
            w.reconcile().await;
            assert_eq!(taken(&w).await, (2, 0));
            w.books_are_straight().await;
        },
    )
    .await;
}

#[tokio::test]
async fn everybodys_payments_are_read_once_for_all_old_debts_of_a_run() {
    on_each(
        ProviderName::Toss,
        by_rule("KRW toss stripe"),
        async |mut w| {
            both(&mut w, "both").await;
            let (_, pattern) = w.subscriber("key-one").await;
            w.many_like(pattern, 5).await;
            w.advance_days(33).await;
            w.run().await;
            assert_eq!(taken(&w).await, (7, 0));
            let sent = w.control("GET", "requests?limit=1000", Value::Null).await;
            let rows = sent["requests"].as_array().or(sent.as_array());
            let is_list = |row: &&Value| {
                let path = row["path"].as_str().unwrap_or_default();
                path.starts_with("/v1/payment_intents")
            };
            let lists = rows.expect("rows").iter().filter(is_list).count();
            assert_eq!(lists, 1, "one page for six rows");
        },
    )
    .await;
}

/// What Stripe's own interface answers.
async fn at_stripe(w: &World, path: &str) -> Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stream = tokio::net::TcpStream::connect(w.simulator.addr()).await;
    let mut stream = stream.expect("a connection");
    let request = format!(
        "GET /v1/{path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        stripe::SECRET_KEY
    );
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("a request");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    read.expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("json")
}

#[tokio::test]
async fn what_waits_there_for_the_card_of_before_is_ended_and_the_new_card_is_charged() {
    on_stripe(async |mut w| {
        let (customer, _) = w.subscriber("key-one").await;
        let copy = Snapshot::of(&mut w).await;
        w.advance_days(31).await;
        w.fault("charge", json!("lost_before_commit"), 1).await;
        w.run().await;
        assert_eq!(w.text(NEWEST).await, "unknown");
        let waiting = at_stripe(&w, "payment_intents?limit=1").await["data"][0].take();
        assert_eq!(waiting["status"], "requires_confirmation");
        days_later(&mut w, &copy).await;
        w.card(customer, "key-one", json!({})).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
        let all = at_stripe(&w, "payment_intents?limit=2").await;
        let (new, old) = (&all["data"][0], &all["data"][1]);
        assert_eq!(old["id"], waiting["id"]);
        assert_eq!(old["status"], "canceled", "{all}");
        assert_eq!(new["status"], "succeeded", "{all}");
        assert_ne!(new["payment_method"], old["payment_method"]);
        assert_eq!(new["customer"], old["customer"]);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_customer_whom_our_books_have_forgotten_paid_is_found_among_everybodys() {
    on_stripe(async |mut w| {
        let plan = w.plan_of("trial", 12_000, "month", 14).await;
        let customer = w.customer("key-one").await;
        let subscribe = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        let outcome = w.act(subscribe).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        let copy = Snapshot::of(&mut w).await;
        w.advance_days(12).await;
        w.card(customer, "key-one", json!({})).await;
        w.advance_days(3).await;
        w.run().await;
        assert_eq!(w.executed().await, (1, 0), "the first period is paid");
        days_later(&mut w, &copy).await;
        w.card(customer, "key-one", json!({})).await;
        let customers = at_stripe(&w, "customers").await;
        let customers = customers["data"].as_array().map_or(0, Vec::len);
        assert_eq!(customers, 2, "a second one");
        run_and_reconcile(&w).await;
        assert_eq!(w.executed().await, (1, 0), "nobody is charged twice");
        assert_eq!(
            w.text(NEWEST).await,
            "succeeded",
            "what was taken is in the books"
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_account_declines_nobody_and_stops_the_run() {
    const PINNED: &str = "select value from meta where key = 'stripe_account'";
    let one_at_a_time = |settings: &mut EngineSettings| settings.concurrency = 1;
    on_each(ProviderName::Stripe, one_at_a_time, async |mut w| {
        let own = stripe_of(w.simulator.base_url(), None);
        w.engine = w.engine_of("own", &[own]).await;
        let (_, pattern) = w.subscriber("key-one").await;
        w.many_like(pattern, 2).await;
        let account = w.text(PINNED).await;
        assert!(account.starts_with("acct_"), "{account}");
        let other = paydeck::sandbox::start(SandboxOptions {
            stripe_account: "acct_1SomebodyElse00".to_owned(),
            ..SandboxOptions::default()
        });
        w.simulator = other.await.expect("a simulator");
        w.advance_days(31).await;
        for knows in [Some(account.as_str()), None] {
            let other = stripe_of(w.simulator.base_url(), knows);
            w.engine = w.engine_of("other", &[other]).await;
            w.run().await;
            if knows.is_some() {
                let unknown = "select count(*) from attempt where state = 'unknown'";
                assert_eq!(w.number(unknown).await, 1, "the run was stopped");
            }
            w.expire_leases().await;
            w.reconcile().await;
            let states = w.column("select state from attempt order by id").await;
            assert_eq!(states[0], "succeeded");
            assert!(
                states[1..].iter().all(|s| s == "unknown" || s == "ready"),
                "{states:?}"
            );
            assert!(w.number(PAGES).await >= 1, "somebody is called");
            assert_eq!(w.number("select count(*) from payment").await, 1);
            let sent = w.control("GET", "requests?limit=1000", Value::Null).await;
            let rows = sent["requests"].as_array().or(sent.as_array());
            let asked_else = rows.expect("rows").iter().filter(|row| {
                let path = row["path"].as_str().unwrap_or_default();
                path.starts_with("/v1/") && !path.starts_with("/v1/account")
            });
            if knows.is_some() {
                assert_eq!(asked_else.count(), 0, "nothing else was asked");
            }
        }
        let doctors = stripe_of(w.simulator.base_url(), Some(&account));
        let said = doctors.self_test(&mut Desk::new()).await;
        assert!(
            matches!(said, Err(ProviderError::OtherAccount { .. })),
            "{said:?}"
        );
        assert_eq!(doctors.account().as_deref(), Some("acct_1SomebodyElse00"));
    })
    .await;
}

#[tokio::test]
async fn a_customer_whose_cards_are_all_gone_stays_the_same_customer_there() {
    on_stripe(async |w| {
        let (customer, _) = w.subscriber("key-one").await;
        w.execute(
            "update payment_method set state = 'deleted', deleted_at = 0 where state = 'active'",
        )
        .await;
        // The key under which the customer was made is forgotten.
        w.advance_days(2).await;
        w.card(customer, "key-one", json!({})).await;
        let customers = at_stripe(&w, "customers").await;
        assert_eq!(customers["data"].as_array().map(Vec::len), Some(1));
    })
    .await;
}

#[tokio::test]
async fn looking_for_longer_than_a_lease_holds_on_to_it() {
    on_each(
        ProviderName::Stripe,
        by_rule("KRW stripe toss"),
        async |mut w| {
            both(&mut w, "both").await;
            let customer = with_both_cards(&w).await;
            subscribed(&w, customer).await;
            w.advance_days(33).await;
            // Ten names are looked up at Toss; a lease is a second.
            w.clock.stand_still_for(150_000);
            w.run().await;
            assert_eq!(taken(&w).await, (0, 2));
        },
    )
    .await;
}

#[tokio::test]
async fn a_provider_that_never_says_whether_an_old_debt_was_paid_is_soon_left_alone() {
    let tune = |settings: &mut EngineSettings| {
        by_rule("KRW stripe toss")(settings);
        settings.concurrency = 1;
    };
    on_each(ProviderName::Stripe, tune, async |mut w| {
        both(&mut w, "both").await;
        let (_, pattern) = w.subscriber("key-one").await;
        w.many_like(pattern, 9).await;
        w.advance_days(33).await;
        w.always("order", json!("lost_before_commit")).await;
        w.run().await;
        let sent = w.control("GET", "requests?limit=1000", Value::Null).await;
        let rows = sent["requests"].as_array().or(sent.as_array());
        let is_look = |row: &&Value| {
            let path = row["path"].as_str().unwrap_or_default();
            path.starts_with("/v1/payments/orders")
        };
        let looks = rows.expect("rows").iter().filter(is_look).count();
        assert_eq!(looks, 5, "whoever comes after five is not asked for");
        assert_eq!(taken(&w).await, (0, 1), "nothing left");
        let waiting = "select count(*) from attempt where state = 'ready'";
        assert_eq!(w.number(waiting).await, 10);
    })
    .await;
}
