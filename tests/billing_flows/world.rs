//! A whole billing system in one test: the engine, a real database, the real client and the
//! simulator behind real HTTP. Money is counted in the simulator's ledger, never in our tables.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use chrono_tz::Tz;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use paydeck::domain::billing::Install;
use paydeck::domain::customer::SealedKey;
use paydeck::domain::ids::{
    CustomerId, InvoiceId, Noun, PaymentId, PlanId, PublicId, SubscriptionId,
};
use paydeck::domain::mode::{Mode, ProviderName};
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::domain::period::Interval;
use paydeck::domain::routing::Routing;
use paydeck::engine::ports::{BoxFuture, Clock, Ids, KeyVault, Provider, SealedFor};
use paydeck::engine::{
    ActionPlan, Engine, EngineSettings, Outcome, Parts, PlanInput, Reconciled, Request, RunSummary,
    VerbError,
};
use paydeck::provider::stripe::{StripeClient, StripeOptions};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::sandbox::{Running, SECRET_KEY, SandboxOptions, stripe};
use paydeck::secret::Secret;
use paydeck::spool::FileSpool;
use paydeck::store::{self, DatabaseUrl, NewDatabase, OpenOptions, SqlStore};
use paydeck::vault::{self, Vault};

use crate::support::{postgres, sqlite};

/// Business time that a test moves by hand.
#[derive(Clone)]
pub struct TestClock {
    now_us: Arc<AtomicI64>,
    /// The process stands still for so long before each look at what has passed.
    still_us: Arc<AtomicU64>,
    stood_us: Arc<AtomicU64>,
}

impl TestClock {
    fn at(text: &str) -> Self {
        let at: DateTime<Utc> = text.parse().expect("an instant");
        Self {
            now_us: Arc::new(AtomicI64::new(at.timestamp_micros())),
            still_us: Arc::default(),
            stood_us: Arc::default(),
        }
    }

    pub fn stand_still_for(&self, us: u64) {
        self.still_us.store(us, Ordering::SeqCst);
    }

    pub fn set(&self, to: DateTime<Utc>) {
        self.now_us.store(to.timestamp_micros(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.now_us.load(Ordering::SeqCst)).expect("in range")
    }

    fn uptime(&self) -> Duration {
        let still = self.still_us.load(Ordering::SeqCst);
        Duration::from_micros(self.stood_us.fetch_add(still, Ordering::SeqCst) + still)
    }

    fn sleep_until(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        let wait = (at - self.now()).to_std().unwrap_or(Duration::ZERO);
        Box::pin(tokio::time::sleep(wait))
    }
}

struct TestIds;

impl Ids for TestIds {
    fn public_id(&self, noun: Noun) -> PublicId {
        PublicId::new(noun, &ulid::Ulid::generate().to_string())
    }

    fn random_text(&self) -> String {
        format!("k-{}", ulid::Ulid::generate().to_string().to_lowercase())
    }
}

/// Which database a world stands on.
/// Longer than any answer takes that comes, on a machine that does much else.
pub const PATIENT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    Sqlite,
    Postgres,
}

enum Kept {
    Sqlite(#[expect(dead_code, reason = "kept for what its drop does")] sqlite::SqliteFile),
    Postgres(postgres::TestDb),
    /// Somebody else keeps it.
    Nothing,
}

pub struct World {
    pub engine: Arc<Engine<SqlStore>>,
    pub clock: TestClock,
    pub simulator: Running,
    pub url: DatabaseUrl,
    pub provider: Arc<dyn Provider>,
    house: ProviderName,
    vault: Arc<Vault>,
    settings: EngineSettings,
    keys: TempDir,
    pub kept_line: crate::line::Kept,
    database: Kept,
}

/// Runs a story on SQLite, and on PostgreSQL where there is a server.
pub async fn on_each(story: impl AsyncFn(World)) {
    on_each_tuned(|_| {}, story).await;
}

/// The same with other settings.
pub async fn on_each_tuned(tune: impl Fn(&mut EngineSettings), story: impl AsyncFn(World)) {
    for base in [Base::Sqlite, Base::Postgres] {
        if let Some(world) = World::open(base, &tune).await {
            story(world).await;
        }
    }
}

/// The same story with each provider, in its own simulator: what differs between them is in here alone.
pub async fn on_each_provider(story: impl AsyncFn(World)) {
    for house in ProviderName::ALL {
        for base in [Base::Sqlite, Base::Postgres] {
            if let Some(world) = World::open_at(Seoul, base, house, |_| {}).await {
                story(world).await;
            }
        }
    }
}

pub fn admin() -> Operator {
    Operator {
        person: "kim".into(),
        roles: vec![Role::Admin],
        access: Access::ReadWrite,
        evidence: vec![],
    }
}

pub fn won(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

impl World {
    /// None when there is no such database on this machine; the support code says so loudly.
    pub async fn open(base: Base, tune: impl FnOnce(&mut EngineSettings)) -> Option<Self> {
        Self::open_at(Seoul, base, ProviderName::Toss, tune).await
    }

    /// The same with another billing zone.
    pub async fn open_in(
        zone: Tz,
        base: Base,
        tune: impl FnOnce(&mut EngineSettings),
    ) -> Option<Self> {
        Self::open_at(zone, base, ProviderName::Toss, tune).await
    }

    /// The same where this provider takes the won.
    pub async fn open_at(
        zone: Tz,
        base: Base,
        house: ProviderName,
        tune: impl FnOnce(&mut EngineSettings),
    ) -> Option<Self> {
        let clock = TestClock::at("2026-03-10T00:00:00Z");
        let (kept, address) = match base {
            Base::Sqlite => {
                let file = sqlite::file();
                sqlite::write_private(file.path(), sqlite_model(clock.now()).await);
                let address = format!("sqlite:{}", file.path().display());
                (Kept::Sqlite(file), address)
            }
            Base::Postgres => {
                let make = async |address: String| create(&address, clock.now()).await;
                let database = postgres::database_like(&model_name(), make).await?;
                let address = database.url.clone();
                (Kept::Postgres(database), address)
            }
        };
        Some(Self::on(kept, &address, (clock, zone), house, tune).await)
    }

    /// Makes a world in a database that is empty and stays when the world has gone.
    pub async fn in_database(address: &str, tune: impl FnOnce(&mut EngineSettings)) -> Self {
        let clock = TestClock::at("2026-03-10T00:00:00Z");
        create(address, clock.now()).await;
        Self::on(
            Kept::Nothing,
            address,
            (clock, Seoul),
            ProviderName::Toss,
            tune,
        )
        .await
    }

    async fn on(
        kept: Kept,
        address: &str,
        (clock, zone): (TestClock, Tz),
        house: ProviderName,
        tune: impl FnOnce(&mut EngineSettings),
    ) -> Self {
        let url = DatabaseUrl::parse(address).expect("an address");
        let keys = TempDir::with_prefix("paydeck-keys-").expect("a directory");
        let key_file = keys.path().join("vault.key");
        vault::create_key_file(&key_file).expect("a key file");
        let vault = Arc::new(Vault::load(&key_file).expect("a vault"));
        let simulator = paydeck::sandbox::start(SandboxOptions {
            seed: Some(7),
            ..SandboxOptions::default()
        })
        .await
        .expect("a simulator");
        let provider = client(house, &simulator, PATIENT);
        let own = format!(
            "update meta set value = case key when 'zone' then '{zone}' else '{}' end where key in ('zone', 'key_id')",
            vault.key_id()
        );
        let kept_line = crate::line::Kept::to(&url, &own).await;
        let mut settings = EngineSettings::standard(Mode::Sim, zone);
        settings.routing = Routing::parse([match house {
            ProviderName::Toss => "KRW toss",
            ProviderName::Stripe => "KRW stripe",
        }])
        .expect("a rule");
        settings.look_up_s = vec![0];
        tune(&mut settings);
        let engine = engine(
            &url,
            &provider,
            &vault,
            &clock,
            &settings,
            ("first", &spool_in(&keys)),
        )
        .await;
        let world = Self {
            engine,
            clock,
            simulator,
            url,
            provider,
            house,
            vault,
            settings,
            keys,
            kept_line,
            database: kept,
        };
        world.set_time(world.clock.now()).await;
        world
    }

    /// From here on its engine waits for an answer of the provider no longer than that.
    pub async fn is_in_a_hurry(&mut self, patience: Duration) {
        self.provider = client(self.house, &self.simulator, patience);
        self.engine = self.another_engine("in a hurry").await;
    }

    /// The same world after a copy of its database was made: the copy, where it is PostgreSQL. Everything else of it has
    /// other connections then.
    pub async fn snapshot(&mut self) -> Option<postgres::TestDb> {
        self.engine.store().close().await;
        self.hang_up().await;
        let copy = match &self.database {
            Kept::Postgres(database) => Some(database.snapshot().await),
            Kept::Sqlite(_) | Kept::Nothing => None,
        };
        self.engine = self.another_engine("after the copy").await;
        copy
    }

    /// From here on the database is that copy; gives the address of what it was.
    pub async fn put_back(&mut self, copy: &postgres::TestDb) -> DatabaseUrl {
        self.engine.store().close().await;
        self.hang_up().await;
        let url = DatabaseUrl::parse(&copy.url).expect("an address");
        let before = std::mem::replace(&mut self.url, url);
        self.engine = self.another_engine("put back").await;
        before
    }

    /// Where this host's processes keep what the database does not take.
    pub fn spool_dir(&self) -> PathBuf {
        spool_in(&self.keys)
    }

    /// Another process at the same database, with its own connections and leases.
    pub async fn another_engine(&self, name: &str) -> Arc<Engine<SqlStore>> {
        self.engine_with(name, &self.provider).await
    }

    /// Where the database is, for whoever connects by himself.
    pub fn address(&self) -> String {
        match &self.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            DatabaseUrl::Postgres(address) => address.clone(),
        }
    }

    /// Another process that reaches the same database by another way.
    pub async fn engine_at(&self, address: &str, name: &str) -> Arc<Engine<SqlStore>> {
        let url = DatabaseUrl::parse(address).expect("an address");
        engine(
            &url,
            &self.provider,
            &self.vault,
            &self.clock,
            &self.settings,
            (name, &self.spool_dir()),
        )
        .await
    }

    /// Another process whose calls go through this provider.
    pub async fn engine_with(
        &self,
        name: &str,
        provider: &Arc<dyn Provider>,
    ) -> Arc<Engine<SqlStore>> {
        engine(
            &self.url,
            provider,
            &self.vault,
            &self.clock,
            &self.settings,
            (name, &self.spool_dir()),
        )
        .await
    }

    /// Another process with these providers.
    pub async fn engine_of(
        &self,
        name: &str,
        providers: &[Arc<dyn Provider>],
    ) -> Arc<Engine<SqlStore>> {
        engine_of(
            &self.url,
            providers,
            &self.vault,
            &self.clock,
            &self.settings,
            (name, &self.spool_dir()),
        )
        .await
    }

    /// Another process that seals under a new key and can still open what the old one sealed.
    pub async fn engine_with_rotated_key(&self, name: &str) -> Arc<Engine<SqlStore>> {
        let new = self.keys.path().join("new.key");
        vault::create_key_file(&new).expect("a key file");
        let both =
            Vault::load_rotating(&new, &[self.keys.path().join("vault.key")]).expect("a vault");
        let vault = Arc::new(both);
        engine(
            &self.url,
            &self.provider,
            &vault,
            &self.clock,
            &self.settings,
            (name, &self.spool_dir()),
        )
        .await
    }

    /// Every billing key, opened: what must stand nowhere in the clear.
    pub async fn billing_keys(&self) -> Vec<String> {
        let DatabaseUrl::Sqlite(path) = &self.url else {
            return Vec::new();
        };
        let mut connection = crate::line::sqlite_connection(path).await;
        let rows: Vec<(String, Vec<u8>, String, String)> =
            sqlx::query_as("select public_id, sealed, key_id, key_hash from payment_method")
                .fetch_all(&mut connection)
                .await
                .expect("rows");
        let open = |(id, sealed, key_id, hash): (String, Vec<u8>, String, String)| {
            let method = PublicId::from_stored(id);
            let row = SealedFor {
                method: &method,
                provider: ProviderName::Toss,
                mode: Mode::Sim,
            };
            let key = self
                .vault
                .open(
                    row,
                    &SealedKey {
                        sealed,
                        key_id,
                        hash,
                    },
                )
                .expect("opened");
            key.expose().to_owned()
        };
        rows.into_iter().map(open).collect()
    }

    pub fn clock_now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Moves business time and the simulator's time together.
    pub async fn set_time(&self, to: DateTime<Utc>) {
        self.clock.set(to);
        self.control("POST", "clock", json!({ "set": to.to_rfc3339() }))
            .await;
    }

    pub async fn advance_days(&self, days: i64) {
        self.set_time(self.clock.now() + TimeDelta::days(days))
            .await;
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let mut stream = TcpStream::connect(self.simulator.addr())
            .await
            .expect("a connection");
        let body = body.to_string();
        let request = format!(
            "{method} /_sandbox/{path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .await
            .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        serde_json::from_str(body).expect("json")
    }

    /// What this world's provider calls it.
    pub fn endpoint<'a>(&self, endpoint: &'a str) -> &'a str {
        match (self.house, endpoint) {
            (ProviderName::Stripe, "charge") => "stripe_intent_confirm",
            (ProviderName::Stripe, "cancel") => "stripe_refund",
            (_, endpoint) => endpoint,
        }
    }

    pub async fn fault(&self, endpoint: &str, fault: Value, times: u64) {
        let endpoint = self.endpoint(endpoint);
        let script = json!({ "match": { "endpoint": endpoint }, "fault": fault, "times": times });
        self.control("POST", "faults", script).await;
    }

    /// How many charges and cancels the simulator ever executed.
    pub async fn executed(&self) -> (i64, i64) {
        let mut summary = self.control("GET", "ledger/summary", Value::Null).await;
        if self.house == ProviderName::Stripe {
            summary = summary["stripe"]["krw"].take();
            if summary.is_null() {
                return (0, 0);
            }
        }
        let count = |name: &str| summary[name].as_i64().expect("a count");
        (count("charges"), count("cancels"))
    }

    pub async fn auth_key(&self, customer_key: &str, card: Value) -> Secret {
        let made = self
            .control(
                "POST",
                "auth-keys",
                json!({ "customerKey": customer_key, "card": card }),
            )
            .await;
        Secret::new(made["authKey"].as_str().expect("an auth key"))
    }

    pub async fn plan(&self, request: &Request) -> Result<ActionPlan, VerbError> {
        self.engine.plan(&admin(), request).await
    }

    /// Plan and apply, as a person who confirms at once.
    pub async fn act(&self, request: Request) -> Result<Outcome, VerbError> {
        let plan = self.plan(&request).await?;
        self.engine
            .apply(&admin(), &request, &plan.fingerprint)
            .await
    }

    pub async fn done(&self, request: Request) -> PublicId {
        match self.act(request).await.expect("done") {
            Outcome::Done(receipt) => receipt.public_id.expect("an id"),
            other => panic!("{other:?}"),
        }
    }

    pub async fn customer(&self, key: &str) -> CustomerId {
        let id = self
            .done(Request::CreateCustomer {
                customer_key: Some(key.to_owned()),
                name: "김서현".into(),
                email: "seohyun@example.com".into(),
                phone: "010-1234-5678".into(),
            })
            .await;
        CustomerId(self.row(Noun::Customer, &id).await)
    }

    pub async fn row(&self, noun: Noun, id: &PublicId) -> i64 {
        self.engine
            .resolve_id(noun, id.as_str())
            .await
            .expect("a row")
    }

    pub async fn card(&self, customer: CustomerId, key: &str, card: Value) {
        let auth_key = match self.house {
            ProviderName::Toss => self.auth_key(key, card).await,
            ProviderName::Stripe if card["behaviour"].is_null() => Secret::new("pm_card_visa"),
            ProviderName::Stripe => Secret::new("pm_card_chargeCustomerFail"),
        };
        self.act(Request::AddMethod {
            customer,
            auth_key,
            provider: None,
        })
        .await
        .expect("a card");
    }

    pub async fn basic_plan(&self) -> PlanId {
        self.plan_of("basic", 9_900, "month", 0).await
    }

    pub async fn plan_of(&self, code: &str, price: i64, interval: &str, trial_days: u32) -> PlanId {
        let id = self
            .done(Request::CreatePlan(PlanInput {
                product: format!("product-{code}"),
                product_name: "서비스".into(),
                code: code.into(),
                name: "베이직 월".into(),
                price: won(price),
                interval: Interval::parse(interval).expect("an interval"),
                tier: "PRO".into(),
                trial_days,
                features: vec![],
            }))
            .await;
        PlanId(self.row(Noun::Plan, &id).await)
    }

    /// A customer with a card, on the basic plan, first charge paid.
    pub async fn subscriber(&self, key: &str) -> (CustomerId, SubscriptionId) {
        let plan = match self
            .number("select coalesce(min(id), 0) from plan where code = 'basic'")
            .await
        {
            0 => self.basic_plan().await,
            id => PlanId(id),
        };
        let customer = self.customer(key).await;
        self.card(customer, key, json!({})).await;
        let outcome = self
            .act(Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            })
            .await
            .expect("subscribed");
        let Outcome::Done(receipt) = outcome else {
            panic!("{outcome:?}")
        };
        let (id, _) = receipt.subscription.expect("a subscription");
        (
            customer,
            SubscriptionId(self.row(Noun::Subscription, &id).await),
        )
    }

    pub async fn run(&self) -> RunSummary {
        self.engine
            .billing_run(&admin(), self.clock.now(), &mut |_| {})
            .await
            .expect("a run")
    }

    /// Looks until nothing more is claimed.
    pub async fn reconcile(&self) -> Reconciled {
        let mut all = Reconciled::default();
        for _ in 0..20 {
            let one = self.engine.reconcile_once(&admin()).await.expect("looked");
            if one.claimed == 0 {
                break;
            }
            all.claimed += one.claimed;
            all.settled += one.settled;
            all.abandoned += one.abandoned;
            all.left = one.left;
        }
        all
    }

    /// Ends every lease, as if its holder had died and time had passed.
    pub async fn expire_leases(&self) {
        self.execute("update attempt set lease_until = 0, next_check_at = 0, created_at = 0 where state in ('ready', 'sent', 'unknown')").await;
    }

    pub async fn only_invoice(&self) -> InvoiceId {
        InvoiceId(self.number("select max(id) from invoice").await)
    }

    pub async fn last_payment(&self) -> PaymentId {
        PaymentId(self.number("select max(id) from payment").await)
    }

    /// The database lets requests for approval be altered: what a hand at the file could do.
    pub async fn without_approval_rules(&self) {
        let drop_it = match &self.url {
            DatabaseUrl::Sqlite(_) => "drop trigger approval_fixed",
            DatabaseUrl::Postgres(_) => "drop trigger approval_b_fixed on approval",
        };
        self.execute(drop_it).await;
    }

    /// A test may put away what nobody can settle, which takes two persons otherwise.
    pub async fn without_rules_of_declaring(&self) {
        let drop_it = match &self.url {
            DatabaseUrl::Sqlite(_) => "drop trigger attempt_declared",
            DatabaseUrl::Postgres(_) => "drop trigger attempt_d_declared on attempt",
        };
        self.execute(drop_it).await;
    }

    /// Everything that must hold whatever happened: L2, L6, the ledger, the audit chain's length,
    /// the tallies of the first screen.
    pub async fn books_are_straight(&self) {
        assert_eq!(
            self.number("select coalesce(cast(sum(amount_minor) as bigint), 0) from ledger")
                .await,
            0,
            "the ledger sums to zero"
        );
        let (charges, cancels) = self.executed().await;
        assert_eq!(
            self.number("select count(*) from payment").await,
            charges,
            "payments here and charges there"
        );
        assert_eq!(
            self.number("select count(*) from refund").await,
            cancels,
            "refunds here and cancels there"
        );
        let over =
            "select count(*) from payment where refunded_minor + reserved_minor > captured_minor";
        assert_eq!(self.number(over).await, 0);
        let twice = "select count(*) from (select invoice_id from payment where is_duplicate = 0 group by invoice_id having count(*) > 1) x";
        assert_eq!(self.number(twice).await, 0, "one payment per invoice");
        let differing = self.engine.store().differing_tallies().await;
        assert_eq!(differing.expect("tallies"), [] as [&str; 0], "tallies");
    }
}

/// What every world's database begins as.
async fn create(address: &str, at: DateTime<Utc>) {
    let url = DatabaseUrl::parse(address).expect("an address");
    let new = NewDatabase {
        mode: Mode::Sim,
        zone: Seoul,
        key_id: "",
        install_id: "testtest",
        install_secret: "install secret",
        at,
    };
    store::create(&url, &new).await.expect("a database");
}

fn client(house: ProviderName, simulator: &Running, total_timeout: Duration) -> Arc<dyn Provider> {
    let base_url = simulator.base_url();
    let connect_timeout = total_timeout;
    match house {
        ProviderName::Toss => Arc::new(
            TossClient::new(TossOptions {
                base_url,
                connect_timeout,
                total_timeout,
                ..TossOptions::new(Secret::new(SECRET_KEY), Mode::Sim)
            })
            .expect("a client"),
        ),
        ProviderName::Stripe => Arc::new(
            StripeClient::new(StripeOptions {
                base_url,
                connect_timeout,
                total_timeout,
                ..StripeOptions::new(Secret::new(stripe::SECRET_KEY), Mode::Sim)
            })
            .expect("a client"),
        ),
    }
}

/// It is made once for each build of these tests.
fn model_name() -> String {
    let exe = std::env::current_exe().expect("this test");
    let built = std::fs::metadata(&exe).and_then(|found| found.modified());
    let mut hasher = DefaultHasher::new();
    (exe, built.expect("a time")).hash(&mut hasher);
    format!("paydeck_model_{:016x}", hasher.finish())
}

async fn sqlite_model(at: DateTime<Utc>) -> &'static [u8] {
    static MODEL: tokio::sync::OnceCell<Vec<u8>> = tokio::sync::OnceCell::const_new();
    let model = MODEL.get_or_init(async || {
        let file = sqlite::file();
        create(&format!("sqlite:{}", file.path().display()), at).await;
        std::fs::read(file.path()).expect("a file")
    });
    model.await
}

fn spool_in(keys: &TempDir) -> PathBuf {
    keys.path().join("spool")
}

async fn engine(
    url: &DatabaseUrl,
    provider: &Arc<dyn Provider>,
    vault: &Arc<Vault>,
    clock: &TestClock,
    settings: &EngineSettings,
    of: (&str, &Path),
) -> Arc<Engine<SqlStore>> {
    engine_of(
        url,
        std::slice::from_ref(provider),
        vault,
        clock,
        settings,
        of,
    )
    .await
}

async fn engine_of(
    url: &DatabaseUrl,
    providers: &[Arc<dyn Provider>],
    vault: &Arc<Vault>,
    clock: &TestClock,
    settings: &EngineSettings,
    (process, spool): (&str, &Path),
) -> Arc<Engine<SqlStore>> {
    let store = SqlStore::open(url, OpenOptions::read_write("kim", process))
        .await
        .expect("a store");
    Arc::new(Engine::new(Parts {
        store,
        providers: providers.to_vec(),
        vault: vault.clone(),
        spool: Arc::new(FileSpool::new(
            spool.to_owned(),
            "testtest".into(),
            process.to_owned(),
            // Whoever kept an entry is gone: his successor need not wait.
            |_| true,
        )),
        clock: Arc::new(clock.clone()),
        ids: Arc::new(TestIds),
        settings: settings.clone(),
        install: Install {
            id8: "testtest".into(),
            secret: b"install secret".to_vec(),
        },
        process: process.to_owned(),
    }))
}
