//! Stripe's own customers, catalogue, subscriptions and invoices through the client, against the simulator.

use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::{Interval, Unit};
use paydeck::provider::stripe::{
    BalanceFilter, CustomerChange, EventFilter, InvoiceStatus, NewCustomer, NewPrice, NewProduct,
    NewSubscription, PauseBehavior, PayWith, StripeError, SubscriptionFilter, SubscriptionStatus,
    Which,
};
use serde_json::json;

use crate::stripe_simulated::{shop, stripe};

#[tokio::test]
async fn a_subscription_that_stripe_runs_is_mirrored_and_acted_on() {
    let shop = shop().await;
    let client = stripe(&shop);
    let new = NewCustomer {
        customer_key: "ck-mirror",
        name: Some("김하나"),
        email: None,
    };
    let customer = client.create_customer("c1", new).await.expect("a customer");
    assert_eq!(customer.customer_key.as_deref(), Some("ck-mirror"));
    let same = client.create_customer("c1", new).await.expect("a customer");
    assert_eq!(same.id, customer.id);
    let method = client
        .attach_payment_method("pm_card_visa", &customer.id)
        .await
        .expect("a card");
    client
        .set_default_payment_method("d1", &customer.id, &method.id)
        .await
        .expect("a default");
    let read = client.customer(&customer.id).await.expect("a customer");
    assert_eq!(read.default_payment_method.as_ref(), Some(&method.id));
    let renamed = CustomerChange {
        name: Some("김두리"),
        ..CustomerChange::default()
    };
    let read = client
        .update_customer("u1", &customer.id, renamed)
        .await
        .expect("a customer");
    assert_eq!(read.name.as_deref(), Some("김두리"));
    let cards = client
        .payment_methods(&customer.id, None, 10)
        .await
        .expect("cards");
    assert_eq!(cards.items.len(), 1);

    let product = client
        .create_product(
            "p1",
            NewProduct {
                name: "Gold",
                plan_code: "gold",
            },
        )
        .await
        .expect("a product");
    let price = client
        .create_price(
            "p2",
            NewPrice {
                product: &product.id,
                amount: Money::new(29_000, Currency::USD),
                interval: Interval::try_new(Unit::Month, 1).ok(),
                lookup_key: None,
            },
        )
        .await
        .expect("a price");
    let subscription = client
        .create_subscription(
            "s1",
            NewSubscription {
                customer: &customer.id,
                price: &price.id,
                payment_method: None,
                trial_end: None,
            },
        )
        .await
        .expect("a subscription");
    assert_eq!(subscription.status, SubscriptionStatus::Active);
    assert!(subscription.period_end > subscription.period_start);
    let name = subscription.id.as_str();

    let ending = client
        .cancel_subscription_at_period_end("e1", name)
        .await
        .expect("ending");
    assert!(ending.ends_with_period);
    assert_eq!(ending.cancel_at, ending.period_end);
    let going_on = client
        .undo_subscription_cancel("e2", name)
        .await
        .expect("going on");
    assert!(!going_on.ends_with_period && going_on.cancel_at.is_none());
    let paused = client
        .pause_collection("e3", name, PauseBehavior::Void, None)
        .await
        .expect("paused");
    assert_eq!(
        paused.pause.and_then(|p| p.behavior),
        Some(PauseBehavior::Void)
    );
    assert_eq!(paused.status, SubscriptionStatus::Active);
    let resumed = client.resume_collection("e4", name).await.expect("resumed");
    assert_eq!(resumed.pause, None);

    let invoice = subscription.latest_invoice.as_deref().expect("an invoice");
    let invoice = client.invoice(invoice).await.expect("an invoice");
    assert_eq!(invoice.status, InvoiceStatus::Paid);
    assert_eq!(invoice.subscription.as_deref(), Some(name));
    let again = client
        .pay_invoice("i1", &invoice.id, PayWith::Default)
        .await;
    assert!(
        matches!(again, Err(StripeError::Refused { .. })),
        "{again:?}"
    );

    let ended = client.cancel_subscription_now(name).await.expect("ended");
    assert_eq!(ended.status, SubscriptionStatus::Canceled);
    let twice = client.cancel_subscription_now(name).await;
    assert!(
        matches!(twice, Err(StripeError::NotFound { .. })),
        "{twice:?}"
    );
    for (which, count) in [(Which::Running, 0), (Which::Ended, 1), (Which::All, 1)] {
        let filter = SubscriptionFilter {
            customer: Some(&customer.id),
            which,
        };
        let page = client
            .subscriptions(filter, None, 10)
            .await
            .expect("a page");
        assert_eq!(page.items.len(), count, "{which:?}");
    }
    client
        .deactivate_price("p3", &price.id)
        .await
        .expect("inactive");
    client
        .deactivate_product("p4", &product.id)
        .await
        .expect("inactive");

    let filter = EventFilter {
        kinds: &["customer.subscription.deleted", "invoice.paid"],
        ..EventFilter::default()
    };
    let events = client.events(filter, 100).await.expect("events");
    for kind in filter.kinds {
        let about: Vec<_> = events.items.iter().filter(|e| e.kind == *kind).collect();
        assert_eq!(about.len(), 1, "{kind}");
        assert_eq!(about[0].subscription.as_deref(), Some(name), "{kind}");
    }
    let books = client
        .balance_entries(BalanceFilter::default(), None, 100)
        .await
        .expect("books");
    assert!(books.items.iter().all(|entry| entry.fee.minor() >= 0));
    assert!(!books.items.is_empty());
}

#[tokio::test]
async fn paying_an_invoice_is_the_retry_of_a_subscription_that_stripe_runs() {
    let shop = shop().await;
    let client = stripe(&shop);
    let new = NewCustomer {
        customer_key: "ck-retry",
        ..NewCustomer::default()
    };
    let customer = client.create_customer("c1", new).await.expect("a customer");
    let bad = client
        .attach_payment_method("pm_card_chargeCustomerFail", &customer.id)
        .await
        .expect("a card");
    let good = client
        .attach_payment_method("pm_card_visa", &customer.id)
        .await
        .expect("a card");
    let product = client
        .create_product(
            "p1",
            NewProduct {
                name: "Gold",
                plan_code: "gold",
            },
        )
        .await
        .expect("a product");
    let price = client
        .create_price(
            "p2",
            NewPrice {
                product: &product.id,
                amount: Money::new(9_900, Currency::KRW),
                interval: Interval::try_new(Unit::Month, 1).ok(),
                lookup_key: None,
            },
        )
        .await
        .expect("a price");
    let subscription = client
        .create_subscription(
            "s1",
            NewSubscription {
                customer: &customer.id,
                price: &price.id,
                payment_method: Some(&bad.id),
                trial_end: None,
            },
        )
        .await
        .expect("a subscription");
    assert_eq!(subscription.status, SubscriptionStatus::Incomplete);
    let invoice = subscription.latest_invoice.as_deref().expect("an invoice");
    let declined = client.pay_invoice("i1", invoice, PayWith::Default).await;
    assert!(
        matches!(declined, Err(StripeError::Declined { .. })),
        "{declined:?}"
    );
    shop.fault_at("stripe_invoice_pay", json!("lost_after_commit"))
        .await;
    let lost = client
        .pay_invoice("i2", invoice, PayWith::Card(&good.id))
        .await;
    assert!(matches!(lost, Err(StripeError::Unknown { .. })), "{lost:?}");
    let paid = client
        .pay_invoice("i2", invoice, PayWith::Card(&good.id))
        .await
        .expect("a replay");
    assert_eq!(paid.status, InvoiceStatus::Paid);
    assert_eq!(paid.paid, Money::new(9_900, Currency::KRW));
    let running = client
        .subscription(&subscription.id)
        .await
        .expect("a subscription");
    assert_eq!(running.status, SubscriptionStatus::Active);
    assert_eq!(shop.executed().await, (1, 0));
}
