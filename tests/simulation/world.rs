//! A small business: a few subscriptions, processes that work on them, a provider, one clock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Asia::Seoul;

use paydeck::domain::billing::Install;
use paydeck::domain::customer::{Card, SealedKey};
use paydeck::domain::ids::{CustomerId, Noun, PlanId, PublicId};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::domain::period::Interval;
use paydeck::domain::routing::Routing;
use paydeck::engine::ports::{
    BoxFuture, Clock, Customers, Desk, Exclusivity, Ids, KeyVault, KeyVaultError, NewMethod,
    Provider, SealedFor, Store, Tx,
};
use paydeck::engine::{
    Engine, EngineSettings, Parts, PlanInput, RefundAlone, RefundLimits, Request,
};
use paydeck::sandbox::Fault;
use paydeck::secret::Secret;

use crate::ledger::Ledger;
use crate::memory::db::{Personality, Tables};
use crate::memory::stage::{Reason, Stage};
use crate::memory::store::{MemStore, Shared};
use crate::net::{Net, SimProvider, Trouble};
use crate::spool::{Host, HostSpool};
use crate::stripe::StripeProvider;
use crate::warp::Warp;

/// The most subscriptions of one world.
pub const MOST: usize = 4;
pub const PRICE: i64 = 9_900;

/// Business time as one process believes it.
struct SkewedClock {
    stage: Arc<Stage>,
    skew: Arc<AtomicI64>,
}

impl Clock for SkewedClock {
    fn now(&self) -> DateTime<Utc> {
        self.stage.now() + Duration::microseconds(self.skew.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> std::time::Duration {
        let passed = self.stage.now().timestamp_micros();
        std::time::Duration::from_micros(u64::try_from(passed).unwrap_or(0))
    }

    fn sleep_until(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        let until = at.timestamp_micros() - self.skew.load(Ordering::Relaxed);
        let wait = self.stage.wait(Reason::Until(until));
        Box::pin(async move {
            wait.await;
        })
    }
}

/// Ids in the order of asking.
struct CountedIds(Arc<AtomicU64>);

impl Ids for CountedIds {
    fn public_id(&self, noun: Noun) -> PublicId {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        PublicId::new(noun, &format!("{n:026}"))
    }

    fn random_text(&self) -> String {
        format!("k-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// A vault that seals by writing down: what seals is tested elsewhere.
struct OpenVault;

impl KeyVault for OpenVault {
    fn key_id(&self) -> String {
        "k1".to_owned()
    }

    fn seal(&self, _: SealedFor<'_>, key: &Secret) -> Result<SealedKey, KeyVaultError> {
        Ok(SealedKey {
            sealed: key.expose().as_bytes().to_vec(),
            key_id: "k1".to_owned(),
            hash: key.expose().to_owned(),
        })
    }

    fn open(&self, _: SealedFor<'_>, sealed: &SealedKey) -> Result<Secret, KeyVaultError> {
        Ok(Secret::new(String::from_utf8_lossy(&sealed.sealed)))
    }

    fn hash(&self, key: &Secret) -> String {
        key.expose().to_owned()
    }
}

pub fn install() -> Install {
    Install {
        id8: "testtest".to_owned(),
        secret: b"install secret".to_vec(),
    }
}

pub fn person(name: &str) -> Operator {
    Operator {
        person: name.to_owned(),
        roles: vec![Role::Admin],
        access: Access::ReadWrite,
        evidence: vec![],
    }
}

/// One process: an engine with its own connections, lease name and idea of the time.
#[derive(Clone)]
pub struct Process {
    pub id: u64,
    pub engine: Arc<Engine<MemStore>>,
    pub skew: Arc<AtomicI64>,
}

/// What differs between houses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// The most that anybody refunds alone, if there is a limit.
    pub refund_alone: Option<i64>,
    /// Looks at what is unknown become rare, so that days can pass.
    pub looks_seldom: bool,
}

impl Manners {
    fn settings(self) -> EngineSettings {
        let mut settings = SETTINGS.clone();
        if let Some(most) = self.refund_alone {
            settings.refund_alone = RefundAlone::Within(RefundLimits {
                once: vec![(Role::Admin, Money::new(most, Currency::KRW))],
                daily_multiple: 3,
                per_day: 50,
            });
        }
        if self.looks_seldom {
            settings.look_up_s = vec![5, 15, 3_600];
        }
        settings
    }
}

static SETTINGS: LazyLock<EngineSettings> = LazyLock::new(|| {
    let mut settings = EngineSettings::standard(Mode::Sim, Seoul);
    settings.look_up_s = vec![5, 15, 45, 120, 300];
    settings.concurrency = 2;
    settings.exclusivity = Exclusivity::Any;
    settings
});

/// What all processes share.
pub struct World {
    pub stage: Arc<Stage>,
    pub shared: Arc<Shared>,
    pub net: Arc<Net>,
    ids: Arc<AtomicU64>,
    /// Each process counts its ids by itself, so that they do not tell who was first.
    pub counts_apart: bool,
    next_process: u64,
    pub warp: Warp,
    pub manners: Manners,
    pub host: Arc<Host>,
}

impl World {
    pub fn process(&mut self) -> Process {
        let id = self.next_process;
        self.next_process += 1;
        let ids = if self.counts_apart {
            let first = self.ids.load(Ordering::Relaxed) + id * 1_000_000;
            Arc::new(AtomicU64::new(first))
        } else {
            Arc::clone(&self.ids)
        };
        let skew = Arc::new(AtomicI64::new(0));
        let house = self.net.state().offline.provider();
        let mut settings = self.manners.settings();
        settings.routing = match house {
            ProviderName::Toss => Routing::default(),
            ProviderName::Stripe => Routing::parse(["KRW stripe"]).expect("a rule"),
        };
        let provider: Arc<dyn Provider> = match house {
            ProviderName::Toss => Arc::new(SimProvider {
                net: Arc::clone(&self.net),
                warp: self.warp.clone(),
            }),
            ProviderName::Stripe => Arc::new(StripeProvider::new(&self.net, &self.warp)),
        };
        self.host.begins(id);
        let engine = Engine::new(Parts {
            store: MemStore::new(&self.shared, id),
            providers: vec![provider],
            vault: Arc::new(OpenVault),
            spool: Arc::new(HostSpool {
                host: Arc::clone(&self.host),
                stage: Arc::clone(&self.stage),
                process: id,
            }),
            clock: Arc::new(SkewedClock {
                stage: Arc::clone(&self.stage),
                skew: Arc::clone(&skew),
            }),
            ids: Arc::new(CountedIds(ids)),
            settings,
            install: install(),
            process: format!("host:{id}:1"),
        });
        Process {
            id,
            engine: Arc::new(engine),
            skew,
        }
    }

    /// A world in which nothing has happened yet.
    pub fn begun(stage: &Arc<Stage>, shared: &Arc<Shared>, net: &Arc<Net>) -> Self {
        Self {
            stage: Arc::clone(stage),
            shared: Arc::clone(shared),
            net: Arc::clone(net),
            ids: Arc::new(AtomicU64::new(1)),
            counts_apart: false,
            next_process: 1,
            warp: Warp::default(),
            manners: Manners::default(),
            host: Arc::default(),
        }
    }

    /// As it stands now, to be copied.
    pub fn into_template(self) -> Template {
        let tables = self.shared.db().tables.clone();
        Template {
            now: self.stage.now(),
            tables,
            offline: self.net.state().offline.copy(2),
            ids: self.ids.load(Ordering::Relaxed),
        }
    }

    /// A fresh world of `subscriptions` subscriptions, due today.
    pub fn new(
        provider: ProviderName,
        seed: u64,
        subscriptions: usize,
        personality: Personality,
    ) -> Self {
        let templates = match provider {
            ProviderName::Toss => &*ON_TOSS,
            ProviderName::Stripe => &*ON_STRIPE,
        };
        Self::of(
            &templates[subscriptions.clamp(1, MOST) - 1],
            seed,
            personality,
        )
    }

    /// A fresh copy of a world at rest.
    pub fn of(template: &Template, seed: u64, personality: Personality) -> Self {
        let stage = Stage::played(template.now, seed);
        let shared = Shared::new(Arc::clone(&stage), personality, template.tables.clone());
        let net = Net::new(&stage, template.offline.copy(seed), seed.rotate_left(17));
        Self {
            stage,
            shared,
            net,
            ids: Arc::new(AtomicU64::new(template.ids)),
            counts_apart: false,
            next_process: 10,
            warp: Warp::default(),
            manners: Manners::default(),
            host: Arc::default(),
        }
    }
}

/// A world at rest, made once and copied for each case.
pub struct Template {
    now: DateTime<Utc>,
    tables: Tables,
    offline: Ledger,
    ids: u64,
}

static ON_TOSS: LazyLock<Vec<Template>> = LazyLock::new(|| templates(ProviderName::Toss));
static ON_STRIPE: LazyLock<Vec<Template>> = LazyLock::new(|| templates(ProviderName::Stripe));

fn templates(provider: ProviderName) -> Vec<Template> {
    (1..=MOST).map(|n| template(provider, n)).collect()
}

/// Runs what cannot wait.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("it waits on a calm stage"),
    }
}

/// The first subscription is past due after a declined renewal and due for dunning; the others have paid
/// and are due for renewal. Each has an old payment to refund.
fn template(provider: ProviderName, subscriptions: usize) -> Template {
    let start: DateTime<Utc> = "2026-03-10T00:00:00Z".parse().expect("an instant");
    let stage = Stage::calm(start);
    let shared = Shared::new(Arc::clone(&stage), Personality::Serial, Tables::default());
    let net = Net::new(&stage, Ledger::new(provider, 1), 1);
    let mut world = World::begun(&stage, &shared, &net);
    let process = world.process();
    let plan = make_plan(&process);
    for n in 0..subscriptions {
        if n == 1 {
            stage.lock().now += 2 * 86_400_000_000;
        }
        let customer = make_customer(&process, &world, n);
        subscribe(&process, customer, plan);
    }
    // The first one's renewal is declined.
    let due = start + Duration::days(31) + Duration::minutes(5);
    stage.lock().now = due.timestamp_micros();
    let decline = Fault::Decline {
        code: "REJECT_CARD_PAYMENT".to_owned(),
    };
    // The first step of two is let through: a card declines when it is charged.
    if provider.charges_in_two_steps() {
        net.state().script.push_back(None);
    }
    net.state().script.push_back(Some(Trouble::Wire(decline)));
    let runner = person("run");
    let mut unheard = |_| {};
    at_once(process.engine.billing_run(&runner, due, &mut unheard)).expect("a run");
    // A month after the others began: they are due, and so is the second try of the first.
    let now = start + Duration::days(33) + Duration::hours(2);
    stage.lock().now = now.timestamp_micros();
    world.into_template()
}

pub fn subscribe(process: &Process, customer: CustomerId, plan: PlanId) {
    act(
        process,
        Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        },
    );
}

fn act(process: &Process, request: Request) {
    let kim = person("kim");
    let plan = at_once(process.engine.plan(&kim, &request)).expect("a plan");
    at_once(process.engine.apply(&kim, &request, &plan.fingerprint)).expect("an outcome");
}

pub fn make_plan(process: &Process) -> PlanId {
    act(
        process,
        Request::CreatePlan(PlanInput {
            product: "service".to_owned(),
            product_name: "서비스".to_owned(),
            code: "basic".to_owned(),
            name: "베이직 월".to_owned(),
            price: Money::new(PRICE, Currency::KRW),
            interval: Interval::parse("month").expect("an interval"),
            tier: "PRO".to_owned(),
            trial_days: 0,
            features: vec![],
        }),
    );
    PlanId(1)
}

pub fn make_customer(process: &Process, world: &World, n: usize) -> CustomerId {
    let key = format!("customer-{n}");
    act(
        process,
        Request::CreateCustomer {
            customer_key: Some(key.clone()),
            name: "김서현".to_owned(),
            email: "a@example.com".to_owned(),
            phone: "010".to_owned(),
        },
    );
    let customer = CustomerId(i64::try_from(n).expect("small") + 1);
    let billing_key = world
        .net
        .state()
        .offline
        .register(&key, world.stage.now())
        .expect("a billing key");
    let public_id = PublicId::new(Noun::Method, &format!("{n:026}"));
    let store = MemStore::new(&world.shared, 2);
    let provider = world.net.state().offline.provider();
    let mut desk = Desk::new();
    at_once(async {
        let mut tx = store.begin(&mut desk).await.expect("begin");
        tx.insert_method(&NewMethod {
            public_id: &public_id,
            customer_id: customer,
            provider,
            mode: Mode::Sim,
            card: &Card::default(),
            key: &SealedKey {
                sealed: billing_key.clone().into_bytes(),
                key_id: "k1".to_owned(),
                hash: billing_key,
            },
            at: world.stage.now(),
        })
        .await
        .expect("a method");
        tx.commit().await.expect("commit");
    });
    customer
}
