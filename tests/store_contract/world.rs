//! One of everything, made through the port.

use chrono::{DateTime, NaiveDate, Utc};
use paydeck::domain::attempt::{AlsoCancel, Attempt, AttemptKind, Source};
use paydeck::domain::customer::{Card, SealedKey};
use paydeck::domain::evidence::EvidenceSource;
use paydeck::domain::ids::{
    AttemptId, CustomerId, EvidenceId, InvoiceId, MethodId, Noun, PaymentId, PlanId, ProductId,
    PublicId, SubscriptionId,
};
use paydeck::domain::invoice::InvoiceKind;
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::CardUse;
use paydeck::domain::period::{Interval, Unit};
use paydeck::domain::states::{AttemptState, InvoiceState, SubscriptionState};
use paydeck::engine::ports::{
    Attempts, Customers, Desk, Exclusivity, Fence, Invoices, NewAttempt, NewCustomer, NewEvidence,
    NewInvoice, NewMethod, NewPayment, NewPlan, NewSubscription, Payments, Plans, StoreError,
    Subscriptions, Tx,
};
use paydeck::store::{SqlStore, SqlTx};
use ulid::Ulid;

use crate::bed::{begin, day};

#[derive(Debug, Clone, Copy)]
pub struct World {
    pub customer: CustomerId,
    pub product: ProductId,
    pub plan: PlanId,
    pub method: MethodId,
    pub subscription: SubscriptionId,
    pub invoice: InvoiceId,
}

pub fn id(noun: Noun) -> PublicId {
    PublicId::new(noun, &Ulid::generate().to_string())
}

pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}", Ulid::generate())
}

pub fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

pub fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).expect("a day of March")
}

pub async fn customer(tx: &mut SqlTx<'_>) -> CustomerId {
    let public_id = id(Noun::Customer);
    let new = NewCustomer {
        public_id: &public_id,
        customer_key: &unique("c-"),
        name: "김서현",
        email: "Seohyun@Example.com",
        phone: "+82 10-1234-5678",
        at: day(1),
    };
    tx.insert_customer(&new).await.expect("a customer")
}

pub async fn method(tx: &mut SqlTx<'_>, customer_id: CustomerId, at: DateTime<Utc>) -> MethodId {
    let public_id = id(Noun::Method);
    let card = Card {
        issuer: "61".to_owned(),
        number: "43301234****123*".to_owned(),
        kind: "credit".to_owned(),
        expiry: Some((2027, 4)),
    };
    let key = SealedKey {
        sealed: vec![0, 1, 255],
        key_id: "k1".to_owned(),
        hash: unique("h"),
    };
    let new = NewMethod {
        public_id: &public_id,
        customer_id,
        provider: ProviderName::Toss,
        mode: Mode::Sim,
        card: &card,
        key: &key,
        at,
    };
    tx.insert_method(&new).await.expect("a method")
}

pub async fn plan(tx: &mut SqlTx<'_>) -> (ProductId, PlanId) {
    let code = unique("p").to_lowercase();
    let product_id = tx
        .insert_product(&id(Noun::Product), &code, "구독", day(1))
        .await
        .expect("a product");
    let public_id = id(Noun::Plan);
    let new = NewPlan {
        public_id: &public_id,
        product_id,
        code: &code,
        name: "프로",
        price: krw(9_900),
        interval: Interval {
            unit: Unit::Month,
            count: 1,
        },
        tier: "PRO",
        trial_days: 7,
        features: &["무제한 \"검색\"".to_owned()],
        at: day(1),
    };
    (product_id, tx.insert_plan(&new).await.expect("a plan"))
}

impl World {
    pub fn new_subscription<'a>(&self, public_id: &'a PublicId) -> NewSubscription<'a> {
        NewSubscription {
            public_id,
            customer_id: self.customer,
            product_id: self.product,
            plan_id: self.plan,
            state: SubscriptionState::Incomplete,
            quantity: 2,
            method_id: Some(self.method),
            mode: Mode::Sim,
            next_due_at: Some(day(1)),
            trial_until: None,
            exclusivity: Exclusivity::Any,
            at: day(1),
        }
    }

    pub fn new_invoice<'a>(&self, public_id: &'a PublicId, period_index: u32) -> NewInvoice<'a> {
        NewInvoice {
            public_id,
            customer_id: self.customer,
            subscription_id: Some(self.subscription),
            term_no: 1,
            period_index,
            kind: InvoiceKind::Renewal,
            state: InvoiceState::Open,
            amount: krw(9_900),
            description: "프로 1개월",
            due_at: day(1),
            period_from: date(1),
            period_to: date(31),
            at: day(1),
        }
    }

    pub async fn another_invoice(&self, tx: &mut SqlTx<'_>, period_index: u32) -> InvoiceId {
        let public_id = id(Noun::Invoice);
        tx.insert_invoice(&self.new_invoice(&public_id, period_index))
            .await
            .expect("an invoice")
    }
}

pub async fn world(tx: &mut SqlTx<'_>) -> World {
    let customer = customer(tx).await;
    let (product, plan) = plan(tx).await;
    let mut world = World {
        customer,
        product,
        plan,
        method: method(tx, customer, day(1)).await,
        subscription: SubscriptionId(0),
        invoice: InvoiceId(0),
    };
    let public_id = id(Noun::Subscription);
    world.subscription = tx
        .insert_subscription(&world.new_subscription(&public_id))
        .await
        .expect("a subscription");
    world.invoice = world.another_invoice(tx, 0).await;
    world
}

/// A world that is committed.
pub async fn committed(store: &SqlStore) -> World {
    let mut desk = Desk::new();
    let mut tx = begin(store, &mut desk).await;
    let world = world(&mut tx).await;
    tx.commit().await.expect("commit");
    world
}

/// What an attempt is to be made of; it owns what [`NewAttempt`] borrows.
#[derive(Debug, Clone)]
pub struct Draft {
    pub kind: AttemptKind,
    pub payment: Option<PaymentId>,
    pub invoice: InvoiceId,
    pub number: u32,
    pub source: Source,
    pub state: AttemptState,
    pub order_id: String,
    pub idem_key: String,
    pub send_after: Option<DateTime<Utc>>,
    pub amount: Money,
    pub at: DateTime<Utc>,
}

impl Draft {
    pub fn charge(invoice: InvoiceId, number: u32) -> Self {
        Self {
            kind: AttemptKind::Charge,
            payment: None,
            invoice,
            number,
            source: Source::Run,
            state: AttemptState::Ready,
            order_id: unique("pd"),
            idem_key: unique("key"),
            send_after: None,
            amount: krw(9_900),
            at: day(1),
        }
    }

    pub fn refund(invoice: InvoiceId, payment: PaymentId, number: u32) -> Self {
        Self {
            kind: AttemptKind::Refund,
            payment: Some(payment),
            source: Source::Manual,
            ..Self::charge(invoice, number)
        }
    }

    pub async fn insert(&self, tx: &mut SqlTx<'_>, world: &World) -> Result<AttemptId, StoreError> {
        let public_id = id(Noun::Attempt);
        let new = NewAttempt {
            public_id: &public_id,
            kind: self.kind,
            invoice_id: self.invoice,
            payment_id: self.payment,
            customer_id: world.customer,
            subscription_id: Some(world.subscription),
            attempt_no: self.number,
            source: self.source,
            provider: ProviderName::Toss,
            mode: Mode::Sim,
            method_id: Some(world.method),
            order_id: &self.order_id,
            idem_key: &self.idem_key,
            provider_ref: None,
            body: b"{\"amount\":9900}",
            amount: self.amount,
            expected_balance_minor: None,
            also_cancel: AlsoCancel::No,
            state: self.state,
            send_after: self.send_after,
            lease: None,
            operator: "run",
            reason: "",
            at: self.at,
        };
        tx.insert_attempt(&new).await
    }

    pub async fn must(&self, tx: &mut SqlTx<'_>, world: &World) -> AttemptId {
        self.insert(tx, world).await.expect("an attempt")
    }
}

pub async fn evidence(tx: &mut SqlTx<'_>, attempt_id: AttemptId) -> EvidenceId {
    let new = NewEvidence {
        attempt_id,
        source: EvidenceSource::Answer,
        outcome: "captured",
        http_status: Some(200),
        code: Some("DONE"),
        reference: Some("ref"),
        amount: Some(krw(9_900)),
        trace_id: Some("trace"),
        body_sha256: Some("00"),
        elapsed_ms: 12,
        at: day(1),
    };
    tx.insert_evidence(&new).await.expect("evidence")
}

/// What the provider says of a charge that was canceled before it took anything.
async fn canceled(tx: &mut SqlTx<'_>, attempt_id: AttemptId) {
    let new = NewEvidence {
        attempt_id,
        source: EvidenceSource::LookUp,
        outcome: "canceled",
        http_status: Some(200),
        code: None,
        reference: Some("ref"),
        amount: None,
        trace_id: None,
        body_sha256: None,
        elapsed_ms: 12,
        at: day(1),
    };
    tx.insert_evidence(&new).await.expect("evidence");
}

/// Saves an attempt in another state, with the fence of the state it was read in, and the proof that "not executed"
/// needs.
pub async fn move_to(
    tx: &mut SqlTx<'_>,
    attempt: &mut Attempt,
    to: AttemptState,
) -> Result<(), StoreError> {
    let fence = Fence {
        state: attempt.state,
        epoch: None,
    };
    attempt.state = to;
    if to == AttemptState::NotExecuted {
        canceled(tx, attempt.id).await;
    }
    tx.save_attempt(attempt, fence).await
}

/// A charge that went all the way, and its payment.
pub async fn paid(tx: &mut SqlTx<'_>, world: &World, invoice: InvoiceId) -> (AttemptId, PaymentId) {
    let attempt = Draft::charge(invoice, 1).must(tx, world).await;
    let mut row = tx.lock_attempt(attempt).await.expect("lock");
    move_to(tx, &mut row, AttemptState::Sent)
        .await
        .expect("sent");
    evidence(tx, attempt).await;
    row.settled_at = Some(day(2));
    move_to(tx, &mut row, AttemptState::Succeeded)
        .await
        .expect("succeeded");
    let payment = payment(tx, world, invoice, attempt, false)
        .await
        .expect("a payment");
    (attempt, payment)
}

pub async fn payment(
    tx: &mut SqlTx<'_>,
    world: &World,
    invoice_id: InvoiceId,
    attempt_id: AttemptId,
    is_duplicate: bool,
) -> Result<PaymentId, StoreError> {
    let public_id = id(Noun::Payment);
    let new = NewPayment {
        public_id: &public_id,
        invoice_id,
        attempt_id,
        customer_id: world.customer,
        subscription_id: Some(world.subscription),
        plan_id: Some(world.plan),
        method_id: Some(world.method),
        provider: ProviderName::Toss,
        mode: Mode::Sim,
        provider_ref: &unique("pk"),
        order_id: &unique("pd"),
        captured: krw(9_900),
        captured_at: day(2),
        captured_on: date(2),
        is_duplicate,
        card_use: CardUse::default(),
    };
    tx.insert_payment(&new).await
}
