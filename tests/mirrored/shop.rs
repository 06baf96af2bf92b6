//! A world whose simulator schedules subscriptions, and what a test asks about them.

use chrono::TimeDelta;
use chrono_tz::Asia::Seoul;

use paydeck::domain::ids::{InvoiceId, PaymentId, SubscriptionId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::{Interval, Unit};
use paydeck::engine::ports::EventSeen;
use paydeck::engine::{EngineSettings, Pulled};
use paydeck::provider::stripe::{
    EventFilter, NewCustomer, NewPrice, NewProduct, NewSubscription, StripeClient, StripeOptions,
};
use paydeck::sandbox::stripe;
use paydeck::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Base, World, admin};

pub const GOOD: &str = "pm_card_visa";
/// It can be registered, and then declines every charge.
pub const BAD: &str = "pm_card_chargeCustomerFail";

pub struct Shop {
    pub world: World,
    pub stripe: StripeClient,
    price: String,
}

/// What Stripe calls a customer and his subscription, and what we call it.
#[derive(Debug, Clone)]
pub struct Mirrored {
    pub customer: String,
    pub name: String,
    pub id: SubscriptionId,
}

/// Runs a story on SQLite, and on PostgreSQL where there is a server.
pub async fn on_each(story: impl AsyncFn(Shop)) {
    for base in [Base::Sqlite, Base::Postgres] {
        if let Some(shop) = Shop::open(base).await {
            story(shop).await;
        }
    }
}

impl Shop {
    pub async fn open(base: Base) -> Option<Self> {
        Self::open_tuned(base, |_| {}).await
    }

    /// The same with other settings.
    pub async fn open_tuned(base: Base, tune: impl FnOnce(&mut EngineSettings)) -> Option<Self> {
        let world = World::open_at(Seoul, base, ProviderName::Stripe, tune).await?;
        let stripe = StripeClient::new(StripeOptions {
            base_url: world.simulator.base_url(),
            ..StripeOptions::new(Secret::new(stripe::SECRET_KEY), Mode::Sim)
        })
        .expect("a client");
        let product = NewProduct {
            name: "Gold",
            plan_code: "gold",
        };
        let product = stripe.create_product("p", product).await.expect("sold");
        let price = NewPrice {
            product: &product.id,
            amount: Money::new(29_000, Currency::KRW),
            interval: Interval::try_new(Unit::Month, 1).ok(),
            lookup_key: None,
        };
        let price = stripe.create_price("q", price).await.expect("a price").id;
        Some(Self {
            world,
            stripe,
            price,
        })
    }

    /// A customer of Stripe's with a subscription there that nobody knows here.
    pub async fn at_stripe(&self, key: &str) -> (String, String) {
        let new = NewCustomer {
            customer_key: key,
            name: Some("김하나"),
            email: Some("hana@example.com"),
        };
        let customer = self.stripe.create_customer(&format!("c{key}"), new).await;
        let customer = customer.expect("a customer").id;
        self.pays_with(&customer, GOOD, &format!("first{key}"))
            .await;
        let new = NewSubscription {
            customer: &customer,
            price: &self.price,
            payment_method: None,
            trial_end: None,
        };
        let made = self
            .stripe
            .create_subscription(&format!("s{key}"), new)
            .await;
        (customer, made.expect("a subscription").id)
    }

    /// The same, taken in.
    pub async fn mirrored(&self, key: &str) -> Mirrored {
        let (customer, name) = self.at_stripe(key).await;
        self.taken_in(customer, name).await
    }

    async fn taken_in(&self, customer: String, name: String) -> Mirrored {
        let engine = &self.world.engine;
        let taken = engine.mirror_add(&admin(), &name, None).await;
        let taken = taken.expect("taken in");
        let noun = paydeck::domain::ids::Noun::Subscription;
        let id = SubscriptionId(self.world.row(noun, &taken.subscription).await);
        Mirrored { customer, name, id }
    }

    /// From here on Stripe charges this card of the customer's.
    pub async fn pays_with(&self, customer: &str, card: &str, key: &str) {
        let stripe = &self.stripe;
        let card = stripe.attach_payment_method(card, customer).await;
        let card = card.expect("a card").id;
        let key = format!("d{key}");
        let set = stripe.set_default_payment_method(&key, customer, &card);
        set.await.expect("a default");
    }

    pub async fn pull(&self) -> Pulled {
        let pulled = self.world.engine.mirror_pull(&admin()).await;
        pulled.expect("pulled")
    }

    /// The month is over, and Stripe has tried to renew.
    pub async fn a_month_later(&self) {
        self.world.advance_days(31).await;
        let hours = self.world.clock_now() + TimeDelta::hours(2);
        self.world.set_time(hours).await;
    }

    /// The same, with a pull on the way: what happened last is younger than events are kept.
    pub async fn a_month_later_with_a_pull(&self, of: &Mirrored) {
        self.world.advance_days(20).await;
        let ending = self.stripe.cancel_subscription_at_period_end("e", &of.name);
        ending.await.expect("ending");
        let undone = self.stripe.undo_subscription_cancel("u", &of.name);
        undone.await.expect("undone");
        // Where nothing newer happens the place in the list that is kept is a day back.
        let soon = self.world.clock_now() + TimeDelta::hours(26);
        self.world.set_time(soon).await;
        self.pull().await;
        let later = self.world.clock_now() + TimeDelta::days(11) + TimeDelta::hours(2);
        self.world.set_time(later).await;
    }

    /// Somebody at Stripe's desk adds a second price: it is not mirrored any more.
    pub async fn sells_another_price_too(&self, of: &Mirrored) {
        let product = NewProduct {
            name: "Extra",
            plan_code: "extra",
        };
        let product = self.stripe.create_product("p2", product).await;
        let price = NewPrice {
            product: &product.expect("sold").id,
            amount: Money::new(1_000, Currency::KRW),
            interval: Interval::try_new(Unit::Month, 1).ok(),
            lookup_key: None,
        };
        let price = self.stripe.create_price("q2", price).await;
        let price = price.expect("a price").id;
        let path = format!("subscriptions/{}", of.name);
        let form = format!("items[0][price]={price}&proration_behavior=none");
        self.at_the_desk(&path, &form).await;
    }

    /// Somebody at Stripe's desk gives money back.
    pub async fn refunds_at_the_desk(&self, payment: PaymentId, amount: i64) {
        let sql = format!("select provider_ref from payment where id = {}", payment.0);
        let intent = self.world.column(&sql).await.remove(0);
        let form = format!("payment_intent={intent}&amount={amount}");
        self.at_the_desk("refunds", &form).await;
    }

    /// The one payment has another name here than there: what is there is a second charge of its invoice.
    pub async fn was_charged_before_by_another_name(&self) {
        let rule = if self.world.address().starts_with("sqlite") {
            "drop trigger attempt_fixed"
        } else {
            "drop trigger attempt_c_fixed on attempt"
        };
        self.world.change(rule).await;
        for sql in [
            "update attempt set order_id = 'ch_before', provider_ref = 'pi_before', idem_key = 'before'",
            "update payment set order_id = 'ch_before', provider_ref = 'pi_before'",
        ] {
            self.world.change(sql).await;
        }
    }

    pub async fn at_the_desk(&self, path: &str, form: &str) {
        let address = self.world.simulator.addr();
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!(
            "POST /v1/{path} HTTP/1.1\r\nhost: desk\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            stripe::SECRET_KEY,
            form.len()
        );
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }

    pub async fn state(&self, of: &Mirrored) -> String {
        let sql = format!("select state from subscription where id = {}", of.id.0);
        self.world.column(&sql).await.remove(0)
    }

    pub async fn count(&self, table: &str, of: &Mirrored) -> i64 {
        let sql = format!(
            "select count(*) from {table} where subscription_id = {}",
            of.id.0
        );
        self.world.ask(&sql).await
    }

    pub async fn last_invoice(&self, of: &Mirrored) -> InvoiceId {
        let sql = format!(
            "select max(id) from invoice where subscription_id = {}",
            of.id.0
        );
        InvoiceId(self.world.ask(&sql).await)
    }

    /// Everything that is mirrored of one, without ids and times of ours.
    pub async fn told(&self, of: &Mirrored) -> Vec<String> {
        let id = of.id.0;
        let queries = [
            format!(
                "select state || ' ' || coalesce(next_due_at - created_at, 0) || ' ' || coalesce(paid_until - created_at, 0) || ' ' || coalesce(cancel_at - created_at, 0) || ' ' || quantity || ' ' || term_no from subscription where id = {id}"
            ),
            format!(
                "select state || ' ' || amount_minor || ' ' || attempts || ' ' || coalesce(last_code, '') || ' ' || (paid_at is not null) from invoice where subscription_id = {id} order by id"
            ),
            format!(
                "select state || ' ' || attempt_no || ' ' || coalesce(refusal_code, '') from attempt where subscription_id = {id} order by id"
            ),
            format!(
                "select captured_minor || ' ' || refunded_minor || ' ' || reserved_minor from payment where subscription_id = {id} order by id"
            ),
            format!(
                "select coalesce(from_state, '') || '>' || to_state || ' ' || cause from subscription_change where subscription_id = {id} order by id"
            ),
            format!(
                "select cast(sum(l.amount_minor) as text) || ' ' || l.account from ledger l join payment p on p.id = l.payment_id where p.subscription_id = {id} group by l.account order by l.account"
            ),
        ];
        let mut told = Vec::new();
        for query in queries {
            told.extend(self.world.column(&query).await);
        }
        told
    }

    /// The events of a subscription that are kept at Stripe, oldest first.
    pub async fn events_of(&self, of: &Mirrored) -> Vec<EventSeen> {
        let mut all = Vec::new();
        let mut older: Option<String> = None;
        loop {
            let filter = EventFilter {
                older_than: older.as_deref(),
                ..EventFilter::default()
            };
            let page = self.stripe.events(filter, 100).await.expect("events");
            older = page.items.last().map(|event| event.id.clone());
            all.extend(page.items);
            if !page.has_more {
                break;
            }
        }
        all.retain(|event| event.subscription.as_deref() == Some(&of.name));
        all.reverse();
        all.into_iter()
            .map(|event| EventSeen {
                id: event.id,
                kind: event.kind,
                at: event.created,
                shape: event.object_kind,
                object: event.object,
                subscription: event.subscription,
                payment: event.payment_intent,
                customer: event.customer,
            })
            .collect()
    }

    /// No charge of ours is written, and none is made, whatever is due.
    pub async fn run_charges_nothing(&self) {
        let (before, _) = self.world.executed().await;
        let run = self.world.run().await;
        let (after, _) = self.world.executed().await;
        assert_eq!(before, after, "{run:?}");
        let ours = "select count(*) from attempt where kind = 'charge' and length(body) > 0";
        assert_eq!(self.world.ask(ours).await, 0);
    }
}
