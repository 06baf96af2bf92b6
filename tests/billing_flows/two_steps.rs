//! A provider that charges in two steps, and two providers side by side. Money is counted in the provider's own book:
//! an intent is paid once at most, and only what was confirmed is paid.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;

use paydeck::domain::customer::Card;
use paydeck::domain::evidence::{Evidence, PaymentSeen, Proves, Refusal, SeenStatus, Unusable};
use paydeck::domain::failure::FailureClass;
use paydeck::domain::ids::{AttemptId, CustomerId, Noun, SubscriptionId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::payment::CardUse;
use paydeck::domain::routing::Routing;
use paydeck::engine::ports::{
    BoxFuture, CallReport, ChargeCall, ChargeLook, ChargeRequest, ConfirmCall, DeleteOutcome, Desk,
    IssueOutcome, PrepareCall, PrepareOutcome, Provider, ProviderError, RefundCall, RefundRequest,
    RegisterCall, TransactionSeen,
};
use paydeck::engine::{Engine, Outcome, Reconciled, Request, RunSummary};
use paydeck::secret::Secret;
use paydeck::store::SqlStore;

use crate::world::{World, admin, on_each_tuned, won};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Prepare,
    Charge,
    Look,
    End,
    Forget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It never left.
    NotSent,
    /// It did not arrive, and nobody knows.
    LostBefore,
    /// It was carried out, and nobody knows.
    LostAfter,
    /// It is carried out, and its answer waits until it is let go.
    Held,
    /// The card says no.
    Declined,
    /// Our key is refused.
    KeyRefused,
}

#[derive(Debug, Clone)]
struct Intent {
    name: String,
    order_id: String,
    amount: Money,
    status: SeenStatus,
    paid: u32,
}

#[derive(Debug, Default)]
struct Book {
    intents: Vec<Intent>,
    troubles: VecDeque<(Step, Trouble)>,
    steps: Vec<Step>,
}

/// A provider with a book of its own.
pub struct House {
    name: ProviderName,
    book: Mutex<Book>,
    arrived: Semaphore,
    let_go: Semaphore,
}

impl House {
    pub fn new(name: ProviderName) -> Arc<Self> {
        Arc::new(Self {
            name,
            book: Mutex::default(),
            arrived: Semaphore::new(0),
            let_go: Semaphore::new(0),
        })
    }

    pub fn trouble(&self, step: Step, trouble: Trouble) {
        self.book
            .lock()
            .expect("a lock")
            .troubles
            .push_back((step, trouble));
    }

    pub fn count(&self, step: Step) -> usize {
        let book = self.book.lock().expect("a lock");
        book.steps.iter().filter(|s| **s == step).count()
    }

    pub fn paid(&self) -> u32 {
        self.book
            .lock()
            .expect("a lock")
            .intents
            .iter()
            .map(|i| i.paid)
            .sum()
    }

    pub fn steps(&self) -> Vec<Step> {
        self.book.lock().expect("a lock").steps.clone()
    }

    fn enter(&self, step: Step) -> Option<Trouble> {
        let mut book = self.book.lock().expect("a lock");
        book.steps.push(step);
        let is_next = book.troubles.front().is_some_and(|(of, _)| *of == step);
        is_next
            .then(|| book.troubles.pop_front())
            .flatten()
            .map(|(_, trouble)| trouble)
    }

    fn prepare_in_book(&self, order_id: &str, amount: Money) -> String {
        let mut book = self.book.lock().expect("a lock");
        if let Some(known) = book.intents.iter().find(|i| i.order_id == order_id) {
            return known.name.clone();
        }
        let name = format!("pi_{}", book.intents.len() + 1);
        book.intents.push(Intent {
            name: name.clone(),
            order_id: order_id.to_owned(),
            amount,
            status: SeenStatus::NotStarted,
            paid: 0,
        });
        name
    }

    fn change(&self, name: &str, to: SeenStatus) -> Evidence {
        let mut book = self.book.lock().expect("a lock");
        let intent = book
            .intents
            .iter_mut()
            .find(|i| i.name == name)
            .expect("prepared");
        if intent.status == SeenStatus::NotStarted {
            intent.status = to;
            intent.paid += u32::from(to == SeenStatus::Captured);
        } else if to == SeenStatus::Canceled && intent.status != SeenStatus::Canceled {
            return refused(
                "payment_intent_unexpected_state",
                Proves::LookUp,
                FailureClass::Unclassified,
            );
        }
        Evidence::Seen(seen(intent))
    }

    fn look(&self, is_it: impl Fn(&Intent) -> bool) -> Evidence {
        let book = self.book.lock().expect("a lock");
        match book.intents.iter().find(|i| is_it(i)) {
            Some(intent) => Evidence::Seen(seen(intent)),
            None => Evidence::NotSeen,
        }
    }

    async fn answer(
        &self,
        trouble: Option<Trouble>,
        carried_out: impl FnOnce() -> Evidence,
    ) -> Evidence {
        match trouble {
            None => carried_out(),
            Some(Trouble::NotSent) => Evidence::NotSent,
            Some(Trouble::LostBefore) => Evidence::Unusable(Unusable::TimedOut),
            Some(Trouble::LostAfter) => {
                carried_out();
                Evidence::Unusable(Unusable::TimedOut)
            }
            Some(Trouble::Held) => {
                let evidence = carried_out();
                self.arrived.add_permits(1);
                self.let_go.acquire().await.expect("open").forget();
                evidence
            }
            Some(Trouble::Declined) => refused(
                "insufficient_funds",
                Proves::NotExecuted,
                FailureClass::Soft,
            ),
            Some(Trouble::KeyRefused) => refused(
                "UNAUTHORIZED_KEY",
                Proves::ConfigTrouble,
                FailureClass::Config,
            ),
        }
    }
}

fn refused(code: &str, proves: Proves, class: FailureClass) -> Evidence {
    Evidence::Refused(Refusal {
        code: code.into(),
        class,
        proves,
        http_status: 402,
    })
}

fn seen(intent: &Intent) -> PaymentSeen {
    PaymentSeen {
        order_id: intent.order_id.clone(),
        provider_ref: intent.name.clone(),
        status: intent.status,
        total: intent.amount,
        balance_minor: intent.amount.minor(),
        approved_at: None,
        cancels: Vec::new(),
        undone: Vec::new(),
        failure: None,
        method: "card".into(),
        card_use: CardUse::default(),
    }
}

impl Provider for House {
    fn name(&self) -> ProviderName {
        self.name
    }
    fn mode(&self) -> Mode {
        Mode::Sim
    }
    fn charge_body(&self, request: &ChargeRequest<'_>) -> Vec<u8> {
        request.order_id.as_bytes().to_vec()
    }
    fn refund_body(&self, request: &RefundRequest<'_>) -> Vec<u8> {
        request.reason.as_bytes().to_vec()
    }
    fn prepare<'a>(
        &'a self,
        _: &'a mut Desk,
        call: PrepareCall<'a>,
    ) -> BoxFuture<'a, PrepareOutcome> {
        Box::pin(async move {
            let trouble = self.enter(Step::Prepare);
            let carried_out = || {
                let name = self.prepare_in_book(call.order_id, call.amount);
                self.look(|intent| intent.name == name)
            };
            match self.answer(trouble, carried_out).await {
                Evidence::Seen(seen) => PrepareOutcome::Prepared {
                    provider_ref: seen.provider_ref,
                },
                other => PrepareOutcome::Not(CallReport::bare(other)),
            }
        })
    }
    fn charge<'a>(&'a self, _: &'a mut Desk, call: ChargeCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let trouble = self.enter(Step::Charge);
            let carried_out = || {
                let name = match call.provider_ref {
                    Some(name) => name.to_owned(),
                    None => self.prepare_in_book(call.order_id, call.amount),
                };
                self.change(&name, SeenStatus::Captured)
            };
            CallReport::bare(self.answer(trouble, carried_out).await)
        })
    }
    fn refund<'a>(&'a self, _: &'a mut Desk, _: RefundCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async { CallReport::bare(Evidence::NotSent) })
    }
    fn confirm<'a>(&'a self, _: &'a mut Desk, _: ConfirmCall<'a>) -> BoxFuture<'a, CallReport> {
        Box::pin(async { CallReport::bare(Evidence::NotSent) })
    }
    fn look_up_charge<'a>(
        &'a self,
        _: &'a mut Desk,
        look: ChargeLook<'a>,
    ) -> BoxFuture<'a, CallReport> {
        Box::pin(async move {
            let trouble = self.enter(Step::Look);
            let carried_out = || self.look(|intent| intent.order_id == look.order_id);
            CallReport::bare(self.answer(trouble, carried_out).await)
        })
    }
    fn look_up_payment<'a>(&'a self, _: &'a mut Desk, name: &'a str) -> BoxFuture<'a, CallReport> {
        Box::pin(async move { CallReport::bare(self.look(|intent| intent.name == name)) })
    }
    fn abandon<'a>(
        &'a self,
        _: &'a mut Desk,
        name: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Option<CallReport>> {
        Box::pin(async move {
            let trouble = self.enter(Step::End);
            let carried_out = || self.change(name, SeenStatus::Canceled);
            Some(CallReport::bare(self.answer(trouble, carried_out).await))
        })
    }
    fn issue<'a>(&'a self, _: &'a mut Desk, call: RegisterCall<'a>) -> BoxFuture<'a, IssueOutcome> {
        Box::pin(async move {
            IssueOutcome::Issued {
                billing_key: Secret::new(format!("cus_1 {}", call.auth_key.expose())),
                card: Card {
                    issuer: "visa".into(),
                    number: "************4242".into(),
                    kind: "credit".into(),
                    expiry: Some((2030, 12)),
                },
                provider_customer: Some("cus_1".into()),
            }
        })
    }
    fn delete_key<'a>(&'a self, _: &'a mut Desk, _: &'a Secret) -> BoxFuture<'a, DeleteOutcome> {
        Box::pin(async {
            match self.enter(Step::Forget) {
                None => DeleteOutcome::Deleted,
                Some(_) => DeleteOutcome::Unanswered,
            }
        })
    }
    fn transactions<'a>(
        &'a self,
        _: &'a mut Desk,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
        _: Option<&'a str>,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<TransactionSeen>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn self_test<'a>(&'a self, _: &'a mut Desk) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A world with these houses, the first of the rules' order first.
pub struct Scene {
    pub w: World,
    pub engine: Arc<Engine<SqlStore>>,
}

pub async fn on_each(rule: &'static str, houses: &[Arc<House>], story: impl AsyncFn(Scene)) {
    let routing = Routing::parse([rule]).expect("a rule");
    on_each_tuned(
        |settings| settings.routing = routing.clone(),
        async |w| {
            let providers: Vec<Arc<dyn Provider>> = houses
                .iter()
                .map(|h| h.clone() as Arc<dyn Provider>)
                .collect();
            let engine = w.engine_of("two", &providers).await;
            story(Scene { w, engine }).await;
        },
    )
    .await;
}

impl Scene {
    pub async fn act(&self, request: Request) -> Outcome {
        let plan = self.engine.plan(&admin(), &request).await.expect("a plan");
        let applied = self
            .engine
            .apply(&admin(), &request, &plan.fingerprint)
            .await;
        applied.expect("an outcome")
    }

    pub async fn customer(&self, key: &str, at: &[ProviderName]) -> CustomerId {
        let customer = self.w.customer(key).await;
        for provider in at {
            let card = Request::AddMethod {
                customer,
                auth_key: Secret::new(format!("pm_{key}_{provider}")),
                provider: Some(*provider),
            };
            assert!(matches!(self.act(card).await, Outcome::Done(_)));
        }
        customer
    }

    pub async fn subscribe(&self, customer: CustomerId) -> Outcome {
        let plan = match self.w.number("select coalesce(min(id), 0) from plan").await {
            0 => self.w.basic_plan().await,
            id => paydeck::domain::ids::PlanId(id),
        };
        self.act(Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        })
        .await
    }

    async fn subscribed(&self, key: &str) -> SubscriptionId {
        let customer = self.customer(key, &[ProviderName::Stripe]).await;
        let Outcome::Done(receipt) = self.subscribe(customer).await else {
            panic!("not subscribed");
        };
        let (id, _) = receipt.subscription.expect("a subscription");
        SubscriptionId(self.w.row(Noun::Subscription, &id).await)
    }

    pub async fn run(&self) -> RunSummary {
        let until = self.w.clock_now();
        let run = self.engine.billing_run(&admin(), until, &mut |_| {}).await;
        run.expect("a run")
    }

    pub async fn reconcile(&self) -> Reconciled {
        self.engine.reconcile_once(&admin()).await.expect("looked")
    }

    pub async fn state(&self) -> String {
        let newest = "select state from attempt order by id desc limit 1";
        self.w.text(newest).await
    }
}

const STRIPE: &str = "KRW stripe";

#[tokio::test]
async fn a_card_where_the_rules_do_not_send_the_currency_is_not_charged() {
    let (toss, stripe) = (
        House::new(ProviderName::Toss),
        House::new(ProviderName::Stripe),
    );
    on_each("KRW toss", &[toss.clone(), stripe.clone()], async |s| {
        let plan = s.w.plan_of("trial", 12_000, "month", 14).await;
        let customer = s.w.customer("key-one").await;
        let subscribe = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        assert!(matches!(s.act(subscribe).await, Outcome::Done(_)));
        let card = Request::AddMethod {
            customer,
            auth_key: Secret::new("pm_card_visa"),
            provider: Some(ProviderName::Stripe),
        };
        assert!(matches!(s.act(card).await, Outcome::Done(_)));
        s.w.advance_days(14).await;
        s.run().await;
        assert_eq!((toss.paid(), stripe.paid()), (0, 0));
        assert_eq!(s.w.number("select count(*) from attempt").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_charge_is_prepared_named_and_confirmed() {
    let house = House::new(ProviderName::Stripe);
    on_each(STRIPE, std::slice::from_ref(&house), async |s| {
        let before = house.paid();
        s.subscribed("key-one").await;
        assert_eq!(house.paid(), before + 1);
        let steps = house.steps();
        assert_eq!(steps[steps.len() - 2..], [Step::Prepare, Step::Charge]);
        assert_eq!(s.state().await, "succeeded");
        let name = s.w.text("select provider_ref from payment").await;
        assert!(name.starts_with("pi_"), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_lost_confirmation_is_found_and_never_taken_twice() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter] {
        let house = House::new(ProviderName::Stripe);
        on_each(STRIPE, std::slice::from_ref(&house), async |s| {
            let before = (house.paid(), house.count(Step::Prepare));
            let customer = s.customer("key-one", &[ProviderName::Stripe]).await;
            house.trouble(Step::Charge, trouble);
            assert!(matches!(s.subscribe(customer).await, Outcome::Unknown(_)));
            s.reconcile().await;
            assert_eq!(s.state().await, "succeeded", "{trouble:?}");
            assert_eq!(house.paid(), before.0 + 1, "{trouble:?}");
            assert_eq!(house.count(Step::Prepare), before.1 + 1, "one intent");
        })
        .await;
    }
}

#[tokio::test]
async fn what_was_not_prepared_was_not_charged() {
    for trouble in [Trouble::NotSent, Trouble::LostBefore, Trouble::LostAfter] {
        let house = House::new(ProviderName::Stripe);
        on_each(STRIPE, std::slice::from_ref(&house), async |s| {
            let before = house.count(Step::Charge);
            let customer = s.customer("key-one", &[ProviderName::Stripe]).await;
            house.trouble(Step::Prepare, trouble);
            let outcome = s.subscribe(customer).await;
            assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
            assert_eq!(s.state().await, "ready");
            assert_eq!(house.count(Step::Charge), before, "{trouble:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn nobody_confirms_what_somebody_else_has_taken_over() {
    let house = House::new(ProviderName::Stripe);
    on_each(STRIPE, std::slice::from_ref(&house), async |s| {
        let before = (house.count(Step::Charge), house.paid());
        let customer = s.customer("key-one", &[ProviderName::Stripe]).await;
        house.trouble(Step::Prepare, Trouble::Held);
        let press = s.subscribe(customer);
        let meanwhile = async {
            house.arrived.acquire().await.expect("open").forget();
            let take = "update attempt set lease_epoch = lease_epoch + 1 where state = 'sent'";
            s.w.execute(take).await;
            house.let_go.add_permits(1);
        };
        let (_outcome, ()) = tokio::join!(press, meanwhile);
        assert_eq!(house.count(Step::Charge), before.0, "nobody confirmed it");
        assert_eq!(s.state().await, "sent");
        // Whoever holds it now finds no name: it was never confirmed, and goes out again.
        s.w.expire_leases().await;
        s.reconcile().await;
        assert_eq!(s.state().await, "succeeded");
        assert_eq!(house.paid(), before.1 + 1);
    })
    .await;
}

#[tokio::test]
async fn what_nobody_wants_any_more_is_ended_at_the_provider() {
    let house = House::new(ProviderName::Stripe);
    on_each(STRIPE, std::slice::from_ref(&house), async |s| {
        let subscription = s.subscribed("key-one").await;
        let paid = house.paid();
        s.w.advance_days(31).await;
        house.trouble(Step::Charge, Trouble::LostBefore);
        s.run().await;
        assert_eq!(s.state().await, "unknown");
        let cancel = Request::CancelNow {
            subscription,
            reason: "asked".into(),
        };
        assert!(matches!(s.act(cancel).await, Outcome::Done(_)));
        s.reconcile().await;
        assert_eq!(s.state().await, "not_executed");
        let invoice = "select state from invoice order by id desc limit 1";
        assert_eq!(s.w.text(invoice).await, "void");
        assert_eq!(house.paid(), paid);
        let looked_for = "select count(*) from attempt where next_check_at is not null";
        assert_eq!(
            s.w.number(looked_for).await,
            0,
            "the provider's word is enough"
        );
    })
    .await;
}

#[tokio::test]
async fn one_person_ends_an_unknown_charge_or_finds_it_paid() {
    for (trouble, state) in [
        (Trouble::LostBefore, "not_executed"),
        (Trouble::LostAfter, "succeeded"),
    ] {
        let house = House::new(ProviderName::Stripe);
        on_each(STRIPE, std::slice::from_ref(&house), async |s| {
            let before = house.paid();
            let customer = s.customer("key-one", &[ProviderName::Stripe]).await;
            house.trouble(Step::Charge, trouble);
            assert!(matches!(s.subscribe(customer).await, Outcome::Unknown(_)));
            let attempt = AttemptId(s.w.number("select max(id) from attempt").await);
            let end = Request::AskNotExecuted {
                attempt,
                reason: "the customer pays otherwise".into(),
                evidence: "a call".into(),
            };
            let outcome = s.act(end).await;
            let is_told = match state {
                "succeeded" => matches!(outcome, Outcome::Done(_)),
                _ => matches!(outcome, Outcome::Ended(_)),
            };
            assert!(is_told, "{outcome:?}");
            assert_eq!(s.state().await, state);
            let approvals = "select count(*) from approval";
            assert_eq!(s.w.number(approvals).await, 0);
            assert_eq!(house.paid() - before, u32::from(state == "succeeded"));
        })
        .await;
    }
}

#[tokio::test]
async fn a_run_names_many_and_charges_each_once() {
    let house = House::new(ProviderName::Stripe);
    on_each(STRIPE, std::slice::from_ref(&house), async |s| {
        for n in 0..7 {
            s.subscribed(&format!("key-{n}")).await;
        }
        let before = (house.paid(), house.count(Step::Prepare));
        s.w.advance_days(31).await;
        house.trouble(Step::Prepare, Trouble::NotSent);
        house.trouble(Step::Charge, Trouble::LostAfter);
        s.run().await;
        assert_eq!(house.count(Step::Prepare), before.1 + 7);
        let unnamed = "select count(*) from attempt where state in ('succeeded', 'unknown') and provider_ref is null";
        assert_eq!(s.w.number(unnamed).await, 0);
        s.w.execute("update attempt set next_check_at = 0, lease_until = 0 where state in ('ready', 'unknown')")
            .await;
        s.reconcile().await;
        assert_eq!(house.paid(), before.0 + 7);
        let open = "select count(*) from attempt where state <> 'succeeded'";
        assert_eq!(s.w.number(open).await, 0);
    })
    .await;
}

#[tokio::test]
async fn n03_the_next_provider_is_asked_once_where_the_first_was_not_reached() {
    let (toss, stripe) = (
        House::new(ProviderName::Toss),
        House::new(ProviderName::Stripe),
    );
    on_each(
        "KRW toss stripe",
        &[toss.clone(), stripe.clone()],
        async |s| {
            let before = (toss.paid(), stripe.paid());
            let both = [ProviderName::Toss, ProviderName::Stripe];
            let customer = s.customer("key-both", &both).await;
            toss.trouble(Step::Charge, Trouble::NotSent);
            let outcome = s.subscribe(customer).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
            assert_eq!((toss.paid() - before.0, stripe.paid() - before.1), (0, 1));
            let given_up =
                "select count(*) from attempt where state = 'abandoned' and provider = 'toss'";
            assert_eq!(s.w.number(given_up).await, 1);
            // Without a card there, nobody else is asked.
            let only_one = s.customer("key-one", &[ProviderName::Toss]).await;
            toss.trouble(Step::Charge, Trouble::NotSent);
            let outcome = s.subscribe(only_one).await;
            assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
            assert_eq!(stripe.paid() - before.1, 1);
        },
    )
    .await;
}

#[tokio::test]
async fn what_was_prepared_for_a_charge_that_is_given_up_does_not_stay_there() {
    let stripe = House::new(ProviderName::Stripe);
    on_each(STRIPE, std::slice::from_ref(&stripe), async |s| {
        let before = stripe.count(Step::End);
        let customer = s.customer("key-one", &[ProviderName::Stripe]).await;
        stripe.trouble(Step::Charge, Trouble::NotSent);
        let outcome = s.subscribe(customer).await;
        assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
        s.w.expire_leases().await;
        s.reconcile().await;
        assert_eq!(s.state().await, "abandoned");
        assert_eq!(stripe.count(Step::End) - before, 1);
    })
    .await;
}

#[tokio::test]
async fn n03_an_unknown_charge_never_goes_to_another_provider() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter, Trouble::Declined] {
        let (toss, stripe) = (
            House::new(ProviderName::Toss),
            House::new(ProviderName::Stripe),
        );
        on_each(
            "KRW toss stripe",
            &[toss.clone(), stripe.clone()],
            async |s| {
                let both = [ProviderName::Toss, ProviderName::Stripe];
                let customer = s.customer("key-both", &both).await;
                toss.trouble(Step::Charge, trouble);
                s.subscribe(customer).await;
                s.reconcile().await;
                assert_eq!(stripe.steps(), [], "{trouble:?}");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn cards_at_two_providers_stand_side_by_side() {
    let (toss, stripe) = (
        House::new(ProviderName::Toss),
        House::new(ProviderName::Stripe),
    );
    on_each("* stripe", &[toss.clone(), stripe.clone()], async |s| {
        let before = (toss.paid(), stripe.paid());
        let both = [ProviderName::Toss, ProviderName::Stripe];
        let customer = s.customer("key-both", &both).await;
        let active = "select count(*) from payment_method where state = 'active'";
        assert_eq!(s.w.number(active).await, 2);
        for (amount, currency) in [(5_000, Currency::KRW), (500, Currency::USD)] {
            let charge = Request::OneTime {
                customer,
                amount: Money::new(amount, currency),
                description: "once".into(),
            };
            let outcome = s.act(charge).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        assert_eq!((toss.paid() - before.0, stripe.paid() - before.1), (1, 1));
        // What a provider does not take is refused before anything is written.
        let tiny = Request::OneTime {
            customer,
            amount: Money::new(49, Currency::USD),
            description: "once".into(),
        };
        let refused = s.engine.plan(&admin(), &tiny).await.expect_err("too small");
        assert_eq!(
            refused.to_string(),
            "refused: the smallest charge is 0.50 USD"
        );
        assert_eq!(won(0).minor(), 0);
    })
    .await;
}
