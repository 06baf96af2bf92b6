//! Stripe: subscriptions on the provider's own schedule, and their invoices.

use serde_json::{Value, json};

use super::support::Bench;

const DAY: i64 = 86_400;
const START: i64 = 1_800_000_000;

impl Bench {
    async fn price(&self, amount: i64, currency: &str) -> String {
        let product = self.post("products", "name=Pro").await.id();
        let form = format!(
            "product={product}&currency={currency}&unit_amount={amount}&recurring[interval]=month"
        );
        self.post("prices", &form).await.id()
    }

    /// A customer on a test clock of its own: clock, customer, card.
    async fn clocked(&self, card: &str) -> (String, String, String) {
        let clock = self
            .post("test_helpers/test_clocks", &format!("frozen_time={START}"))
            .await
            .id();
        let customer = self
            .post(
                "customers",
                &format!("test_clock={clock}&email=kim@example.com"),
            )
            .await
            .id();
        let card = self
            .post(
                &format!("payment_methods/{card}/attach"),
                &format!("customer={customer}"),
            )
            .await
            .id();
        let form = format!("invoice_settings[default_payment_method]={card}");
        self.post(&format!("customers/{customer}"), &form)
            .await
            .id();
        (clock, customer, card)
    }

    async fn advance(&self, clock: &str, to: i64) {
        self.post(
            &format!("test_helpers/test_clocks/{clock}/advance"),
            &format!("frozen_time={to}"),
        )
        .await
        .id();
    }

    async fn subscription(&self, id: &str) -> Value {
        self.read(&format!("subscriptions/{id}"), "expand[]=latest_invoice")
            .await
    }

    /// Types of all events about an object, oldest first.
    async fn told(&self, id: &str) -> Vec<String> {
        let events = self.read("events", "limit=100").await;
        let mut types: Vec<String> = events["data"]
            .as_array()
            .expect("events")
            .iter()
            .filter(|event| event["data"]["object"]["id"] == id)
            .map(|event| event["type"].as_str().expect("a type").to_owned())
            .collect();
        types.reverse();
        types
    }
}

fn period(subscription: &Value) -> (i64, i64) {
    let item = &subscription["items"]["data"][0];
    (
        item["current_period_start"].as_i64().expect("a time"),
        item["current_period_end"].as_i64().expect("a time"),
    )
}

#[tokio::test]
async fn a_subscription_renews_by_itself_an_hour_after_its_period_ended() {
    let bench = Bench::new().await;
    let price = bench.price(9_900, "krw").await;
    let (clock, customer, _) = bench.clocked("pm_card_visa").await;
    let made = bench
        .post(
            "subscriptions",
            &format!("customer={customer}&items[0][price]={price}&items[0][quantity]=2"),
        )
        .await
        .json();
    let id = made["id"].as_str().expect("sub").to_owned();
    assert_eq!(made["status"], "active");
    let (from, to) = period(&made);
    assert_eq!(from, START);
    bench.advance(&clock, to + 60).await;
    let turned = bench.subscription(&id).await;
    assert_eq!(period(&turned).0, to);
    let draft = &turned["latest_invoice"];
    assert_eq!(
        (&draft["status"], &draft["billing_reason"], &draft["total"]),
        (
            &json!("draft"),
            &json!("subscription_cycle"),
            &json!(19_800)
        )
    );
    assert_eq!(
        draft["parent"]["subscription_details"]["subscription"],
        json!(id)
    );
    bench.advance(&clock, to + 3_700).await;
    let renewed = bench.subscription(&id).await;
    let invoice = &renewed["latest_invoice"];
    assert_eq!(
        (
            &invoice["status"],
            &invoice["attempt_count"],
            &invoice["amount_paid"]
        ),
        (&json!("paid"), &json!(1), &json!(19_800))
    );
    let ledger = bench.stripe_ledger().await;
    assert_eq!(ledger.len(), 2);
    assert!(
        ledger
            .iter()
            .all(|entry| entry["amount"] == 19_800 && entry["currency"] == "krw")
    );
    let told = bench.told(invoice["id"].as_str().expect("in")).await;
    assert_eq!(
        told,
        [
            "invoice.created",
            "invoice.finalized",
            "invoice.paid",
            "invoice.payment_succeeded"
        ]
    );
    // Thirteen renewals in one step, each at its own time.
    bench.advance(&clock, START + 400 * DAY).await;
    assert_eq!(bench.stripe_ledger().await.len(), 14);
}

#[tokio::test]
async fn the_simulators_own_clock_renews_customers_without_a_test_clock() {
    let bench = Bench::new().await;
    let price = bench.price(1_900, "usd").await;
    let kim = bench.customer("pm_card_visa").await;
    bench
        .post(
            "subscriptions",
            &format!("customer={}&items[][price]={price}", kim.0),
        )
        .await
        .id();
    bench
        .control("clock", json!({ "advance_seconds": 32 * DAY }))
        .await;
    bench.read("balance", "").await;
    assert_eq!(bench.stripe_ledger().await.len(), 2);
}

#[tokio::test]
async fn a_first_payment_that_fails_leaves_it_incomplete_until_it_is_paid_or_expires() {
    let bench = Bench::new().await;
    let price = bench.price(1_900, "usd").await;
    let (clock, customer, _) = bench.clocked("pm_card_chargeCustomerFail").await;
    let form = format!("customer={customer}&items[0][price]={price}");
    let refused = bench
        .post(
            "subscriptions",
            &format!("{form}&payment_behavior=error_if_incomplete"),
        )
        .await;
    assert_eq!(refused.problem().0, 402);
    assert_eq!(
        bench.read("subscriptions", "status=all").await["data"],
        json!([])
    );
    assert_eq!(
        bench.read("charges", "").await["data"],
        json!([]),
        "nothing was made"
    );

    let first = bench.post("subscriptions", &form).await.id();
    let second = bench.post("subscriptions", &form).await.id();
    let begun = bench.subscription(&first).await;
    assert_eq!(
        (&begun["status"], &begun["latest_invoice"]["status"]),
        (&json!("incomplete"), &json!("open"))
    );
    assert_eq!(begun["latest_invoice"]["next_payment_attempt"], Value::Null);
    let good = bench
        .post(
            "payment_methods/pm_card_visa/attach",
            &format!("customer={customer}"),
        )
        .await
        .id();
    let invoice = begun["latest_invoice"]["id"].as_str().expect("in");
    let path = format!("invoices/{invoice}/pay");
    assert_eq!(bench.post(&path, "").await.problem().2, "card_declined");
    assert_eq!(
        bench
            .post(&path, &format!("payment_method={good}"))
            .await
            .json()["status"],
        "paid"
    );
    assert_eq!(bench.subscription(&first).await["status"], "active");
    bench.advance(&clock, START + 22 * 3_600).await;
    assert_eq!(bench.subscription(&second).await["status"], "incomplete");
    bench.advance(&clock, START + 23 * 3_600).await;
    let expired = bench.subscription(&second).await;
    assert_eq!(
        (&expired["status"], &expired["latest_invoice"]["status"]),
        (&json!("incomplete_expired"), &json!("void"))
    );
}

#[tokio::test]
async fn a_renewal_that_fails_is_retried_eight_times_and_then_ends_as_the_account_says() {
    for (switch, ends) in [
        ("cancel", "canceled"),
        ("unpaid", "unpaid"),
        ("past_due", "past_due"),
    ] {
        let bench = Bench::new().await;
        bench
            .control("switches", json!({ "stripe_after_retries": switch }))
            .await;
        let price = bench.price(1_900, "usd").await;
        let (clock, customer, _) = bench.clocked("pm_card_visa").await;
        let bad = bench
            .post(
                "payment_methods/pm_card_chargeCustomerFail/attach",
                &format!("customer={customer}"),
            )
            .await
            .id();
        let made = bench
            .post(
                "subscriptions",
                &format!("customer={customer}&items[0][price]={price}"),
            )
            .await
            .json();
        let id = made["id"].as_str().expect("sub");
        bench
            .post(
                &format!("subscriptions/{id}"),
                &format!("default_payment_method={bad}"),
            )
            .await
            .id();
        let end = period(&made).1;
        bench.advance(&clock, end + 3_700).await;
        let late = bench.subscription(id).await;
        let invoice = late["latest_invoice"].clone();
        assert_eq!(
            (&late["status"], &invoice["attempt_count"]),
            (&json!("past_due"), &json!(1))
        );
        assert_eq!(
            invoice["next_payment_attempt"].as_i64(),
            Some(end + 3_600 + DAY)
        );
        // By hand it does not count.
        assert_eq!(
            bench
                .post(
                    &format!("invoices/{}/pay", invoice["id"].as_str().expect("in")),
                    ""
                )
                .await
                .status,
            402
        );
        assert_eq!(
            bench.subscription(id).await["latest_invoice"]["attempt_count"],
            1
        );
        bench.advance(&clock, end + 15 * DAY).await;
        let over = bench.subscription(id).await;
        assert_eq!(
            (&over["status"], &over["latest_invoice"]["attempt_count"]),
            (&json!(ends), &json!(8)),
            "{switch}"
        );
        assert_eq!(over["latest_invoice"]["next_payment_attempt"], Value::Null);
    }
}

#[tokio::test]
async fn an_end_can_be_set_undone_and_come_or_be_at_once() {
    let bench = Bench::new().await;
    let price = bench.price(1_900, "usd").await;
    let (clock, customer, _) = bench.clocked("pm_card_visa").await;
    let made = bench
        .post(
            "subscriptions",
            &format!("customer={customer}&items[0][price]={price}"),
        )
        .await
        .json();
    let path = format!("subscriptions/{}", made["id"].as_str().expect("sub"));
    let set = bench
        .post(
            &path,
            "cancel_at_period_end=true&cancellation_details[comment]=gone",
        )
        .await
        .json();
    assert_eq!(
        (&set["status"], &set["cancel_at"], &set["canceled_at"]),
        (&json!("active"), &json!(period(&made).1), &json!(START))
    );
    assert_eq!(
        set["cancellation_details"]["reason"],
        "cancellation_requested"
    );
    let undone = bench.post(&path, "cancel_at_period_end=false").await.json();
    assert_eq!(
        (
            &undone["cancel_at"],
            &undone["canceled_at"],
            &undone["cancellation_details"]["reason"]
        ),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    bench.post(&path, "cancel_at_period_end=true").await.id();
    bench.advance(&clock, period(&made).1).await;
    let ended = bench.read(&path, "").await;
    assert_eq!(
        (&ended["status"], &ended["ended_at"], &ended["cancel_at"]),
        (&json!("canceled"), &json!(period(&made).1), &Value::Null)
    );
    assert_eq!(ended["canceled_at"], START);
    assert_eq!(
        bench.stripe_ledger().await.len(),
        1,
        "no period after the end"
    );
    let delete = || async {
        bench
            .try_stripe("DELETE", &path, &[], "")
            .await
            .expect("an answer")
    };
    assert_eq!(delete().await.problem().2, "resource_missing");
    let other = bench
        .post(
            "subscriptions",
            &format!("customer={customer}&items[0][price]={price}"),
        )
        .await
        .id();
    let now = bench
        .try_stripe("DELETE", &format!("subscriptions/{other}"), &[], "")
        .await
        .expect("an answer")
        .json();
    assert_eq!(now["status"], "canceled");
    assert!(
        bench
            .told(&other)
            .await
            .contains(&"customer.subscription.deleted".to_owned())
    );
}

#[tokio::test]
async fn a_trial_speaks_up_three_days_before_and_then_is_billed_paused_or_cancelled() {
    let bench = Bench::new().await;
    let price = bench.price(1_900, "usd").await;
    let (clock, customer, _) = bench.clocked("pm_card_visa").await;
    let form = format!("customer={customer}&items[0][price]={price}&trial_period_days=14");
    let trial = bench.post("subscriptions", &form).await.json();
    let id = trial["id"].as_str().expect("sub");
    assert_eq!(
        (&trial["status"], &trial["trial_end"]),
        (&json!("trialing"), &json!(START + 14 * DAY))
    );
    let invoice = bench.subscription(id).await["latest_invoice"].clone();
    assert_eq!(
        (
            &invoice["status"],
            &invoice["total"],
            &invoice["attempt_count"]
        ),
        (&json!("paid"), &json!(0), &json!(0))
    );
    bench.advance(&clock, START + 12 * DAY).await;
    assert!(
        bench
            .told(id)
            .await
            .contains(&"customer.subscription.trial_will_end".to_owned())
    );
    bench.advance(&clock, START + 14 * DAY + 4_000).await;
    let active = bench.subscription(id).await;
    assert_eq!(
        (&active["status"], &active["latest_invoice"]["amount_paid"]),
        (&json!("active"), &json!(1_900))
    );
    assert_eq!(period(&active).0, START + 14 * DAY);

    for (word, ends) in [("pause", "paused"), ("cancel", "canceled")] {
        let clock = bench
            .post("test_helpers/test_clocks", &format!("frozen_time={START}"))
            .await
            .id();
        let bare = bench
            .post("customers", &format!("test_clock={clock}"))
            .await
            .id();
        let form = format!(
            "customer={bare}&items[0][price]={price}&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]={word}"
        );
        let id = bench.post("subscriptions", &form).await.id();
        bench.advance(&clock, START + 8 * DAY).await;
        assert_eq!(bench.subscription(&id).await["status"], ends);
    }
}

#[tokio::test]
async fn paused_collection_still_makes_invoices_and_a_change_of_price_is_prorated() {
    let bench = Bench::new().await;
    let price = bench.price(3_000, "usd").await;
    let dearer = bench.price(6_000, "usd").await;
    let (clock, customer, _) = bench.clocked("pm_card_visa").await;
    let made = bench
        .post(
            "subscriptions",
            &format!("customer={customer}&items[0][price]={price}"),
        )
        .await
        .json();
    let path = format!("subscriptions/{}", made["id"].as_str().expect("sub"));
    let (from, to) = period(&made);
    bench
        .post(&path, "pause_collection[behavior]=void")
        .await
        .id();
    bench.advance(&clock, to + 4_000).await;
    let paused = bench.read(&path, "expand[]=latest_invoice").await;
    assert_eq!(
        (&paused["status"], &paused["latest_invoice"]["status"]),
        (&json!("active"), &json!("void"))
    );
    assert_eq!(
        bench.post(&path, "pause_collection=").await.json()["pause_collection"],
        Value::Null
    );

    let (from, to) = (period(&paused).0.max(from), period(&paused).1);
    bench.advance(&clock, from + (to - from) / 2).await;
    let item = paused["items"]["data"][0]["id"].as_str().expect("si");
    let form =
        format!("items[0][id]={item}&items[0][price]={dearer}&proration_behavior=always_invoice");
    let changed = bench
        .post(&path, &format!("{form}&expand[]=latest_invoice"))
        .await
        .json();
    assert_eq!(changed["items"]["data"][0]["price"]["id"], json!(dearer));
    let invoice = &changed["latest_invoice"];
    assert_eq!(
        (&invoice["total"], &invoice["status"]),
        (&json!(1_500), &json!("paid")),
        "half of the difference"
    );
    assert_eq!(invoice["lines"]["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_challenge_completes_a_first_payment_of_a_subscription() {
    let bench = Bench::new().await;
    let price = bench.price(1_900, "usd").await;
    let kim = bench.customer("pm_card_authenticationRequired").await;
    let form = format!(
        "customer={}&items[0][price]={price}&expand[]=latest_invoice.payments",
        kim.0
    );
    let begun = bench.post("subscriptions", &form).await.json();
    assert_eq!(begun["status"], "incomplete");
    assert_eq!(begun["latest_invoice"]["attempt_count"], 0);
    let intent = &begun["latest_invoice"]["payments"]["data"][0]["payment"]["payment_intent"];
    bench
        .control(
            "stripe/challenges",
            json!({ "payment_intent": intent, "outcome": "succeed" }),
        )
        .await;
    let done = bench.subscription(begun["id"].as_str().expect("sub")).await;
    assert_eq!(
        (&done["status"], &done["latest_invoice"]["attempt_count"]),
        (&json!("active"), &json!(0))
    );
}
