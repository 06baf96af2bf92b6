//! A shop with subscriptions that fall due in rounds, made through the engine and known to the simulator.
//!
//! Each customer is on a trial that ends in one of the rounds; the first charge is the one that is measured.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use color_eyre::Result;
use color_eyre::eyre::{OptionExt as _, eyre};
use futures_util::{StreamExt as _, stream};
use paydeck::domain::billing::Install;
use paydeck::domain::ids::{CustomerId, Noun, PlanId, PublicId};
use paydeck::domain::mode::Mode;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::domain::period::Interval;
use paydeck::engine::ports::{BoxFuture, Clock, Ids, KeyVault, NoSpool, Provider};
use paydeck::engine::{Engine, EngineSettings, Outcome, Parts, PlanInput, Request};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::sandbox::SECRET_KEY;
use paydeck::secret::Secret;
use paydeck::store::{self, DatabaseUrl, NewDatabase, OpenOptions as StoreOptions, SqlStore};
use paydeck::vault::{Vault, create_key_file};
use reqwest::Client;

use crate::simulator::Simulator;

/// Trials of the rounds end so many days apart: less than a month in all, so that nothing renews meanwhile.
const DAYS_APART: u32 = 9;
/// Customers made at once.
const AT_ONCE: usize = 8;
const PRICE: i64 = 9_900;

/// A database, its configuration, and when each round is due.
pub struct Shop {
    pub config: PathBuf,
    opened_at: DateTime<Utc>,
}

/// Time that stands still while the shop is made.
struct Standing(DateTime<Utc>);

impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }

    fn sleep_until(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        let wait = (at - self.0).to_std().unwrap_or(Duration::ZERO);
        Box::pin(tokio::time::sleep(wait))
    }
}

struct FreshIds;

impl Ids for FreshIds {
    fn public_id(&self, noun: Noun) -> PublicId {
        PublicId::new(noun, &ulid::Ulid::generate().to_string())
    }

    fn random_text(&self) -> String {
        format!("k-{}", ulid::Ulid::generate().to_string().to_lowercase())
    }
}

impl Shop {
    /// When the trials of a round have ended.
    pub fn due_at(&self, round: u32) -> DateTime<Utc> {
        self.opened_at + TimeDelta::days(i64::from(DAYS_APART * (round + 1))) + TimeDelta::hours(12)
    }

    /// Makes one in an empty directory, with so many customers due in each round.
    pub async fn open(
        directory: &Path,
        url: &DatabaseUrl,
        simulator: &Simulator,
        client: &Client,
        (rounds, due): (u32, u32),
    ) -> Result<Self> {
        let opened_at: DateTime<Utc> = "2026-03-02T00:00:00Z".parse()?;
        simulator.set_time(client, opened_at).await?;
        let config = write_files(directory, url, &simulator.base_url)?;
        let engine = engine(directory, url, simulator, opened_at).await?;
        let plans = plans(&engine, rounds).await?;
        let customers = (0..rounds * due).map(|at| {
            let plan = plans.get((at % rounds) as usize).copied();
            subscribe(&engine, simulator, client, plan, at)
        });
        let mut made = stream::iter(customers).buffer_unordered(AT_ONCE);
        while let Some(subscribed) = made.next().await {
            subscribed?;
        }
        drop(made);
        engine.store().close().await;
        Ok(Self { config, opened_at })
    }
}

type ShopEngine = Engine<SqlStore>;

async fn act(engine: &ShopEngine, request: Request) -> Result<PublicId> {
    let operator = Operator {
        person: "bench".to_owned(),
        roles: vec![Role::Admin],
        access: Access::ReadWrite,
        evidence: vec![],
    };
    let plan = engine.plan(&operator, &request).await?;
    match engine.apply(&operator, &request, &plan.fingerprint).await? {
        Outcome::Done(receipt) => receipt.public_id.ok_or_eyre("done, without an id"),
        other => Err(eyre!("not done: {other:?}")),
    }
}

async fn plans(engine: &ShopEngine, rounds: u32) -> Result<Vec<PlanId>> {
    let mut plans = Vec::new();
    for round in 0..rounds {
        let input = PlanInput {
            product: format!("product-{round}"),
            product_name: "서비스".to_owned(),
            code: format!("basic-{round}"),
            name: "베이직 월".to_owned(),
            price: Money::new(PRICE, Currency::KRW),
            interval: Interval::parse("month").ok_or_eyre("an interval")?,
            tier: "PRO".to_owned(),
            trial_days: DAYS_APART * (round + 1),
            features: vec![],
        };
        let id = act(engine, Request::CreatePlan(input)).await?;
        plans.push(PlanId(row(engine, Noun::Plan, &id).await?));
    }
    Ok(plans)
}

async fn row(engine: &ShopEngine, noun: Noun, id: &PublicId) -> Result<i64> {
    engine
        .resolve_id(noun, id.as_str())
        .await
        .map_err(|error| eyre!("{error:?}"))
}

async fn subscribe(
    engine: &ShopEngine,
    simulator: &Simulator,
    client: &Client,
    plan: Option<PlanId>,
    at: u32,
) -> Result<()> {
    let key = format!("customer-{at:06}");
    let create = Request::CreateCustomer {
        customer_key: Some(key.clone()),
        name: "김서현".to_owned(),
        email: format!("{key}@example.com"),
        phone: "010-1234-5678".to_owned(),
    };
    let id = act(engine, create).await?;
    let customer = CustomerId(row(engine, Noun::Customer, &id).await?);
    let auth_key = Secret::new(simulator.auth_key(client, &key).await?.as_str());
    act(
        engine,
        Request::AddMethod {
            customer,
            auth_key,
            provider: None,
        },
    )
    .await?;
    let plan = plan.ok_or_eyre("no plan")?;
    act(
        engine,
        Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        },
    )
    .await?;
    Ok(())
}

async fn engine(
    directory: &Path,
    url: &DatabaseUrl,
    simulator: &Simulator,
    at: DateTime<Utc>,
) -> Result<ShopEngine> {
    let key_file = directory.join("vault.key");
    create_key_file(&key_file)?;
    let vault = Vault::load(&key_file)?;
    let new = NewDatabase {
        mode: Mode::Sim,
        zone: Seoul,
        key_id: &vault.key_id().to_string(),
        install_id: "benchone",
        install_secret: "a secret of no worth",
        at,
    };
    store::create(url, &new).await?;
    let options = TossOptions {
        base_url: simulator.base_url.clone(),
        ..TossOptions::new(Secret::new(SECRET_KEY), Mode::Sim)
    };
    let provider: Arc<dyn Provider> = Arc::new(TossClient::new(options)?);
    let vault: Arc<dyn KeyVault> = Arc::new(vault);
    Ok(Engine::new(Parts {
        store: SqlStore::open(url, StoreOptions::read_write("bench", "bench")).await?,
        providers: vec![provider],
        vault,
        spool: Arc::new(NoSpool),
        clock: Arc::new(Standing(at)),
        ids: Arc::new(FreshIds),
        settings: EngineSettings::standard(Mode::Sim, Seoul),
        install: Install {
            id8: "benchone".to_owned(),
            secret: b"a secret of no worth".to_vec(),
        },
        process: "bench".to_owned(),
    }))
}

/// The directory as `init` would have left it; the vault's key comes with the engine.
fn write_files(directory: &Path, url: &DatabaseUrl, base_url: &str) -> Result<PathBuf> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    private_file(&directory.join("toss.key"), SECRET_KEY)?;
    let url = match url {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Postgres(address) => address.clone(),
    };
    let uid = rustix::process::geteuid().as_raw();
    let text = format!(
        r#"mode = "sim"

[database]
url = "{url}"

[provider.toss]
base_url = "{base_url}"
secret_key_file = "toss.key"

[vault]
key_file = "vault.key"

[billing]
zone = "Asia/Seoul"
concurrency = {}

[people.bench]
uid = {uid}
roles = ["admin", "oncall"]
"#,
        crate::billing::CONCURRENCY
    );
    let config = directory.join("config.toml");
    private_file(&config, &text)?;
    Ok(config)
}

fn private_file(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

/// Cards for the bare loop: lines of a customer key, a blank and a billing key.
pub async fn bare_keys(
    directory: &Path,
    simulator: &Simulator,
    client: &Client,
    count: u32,
) -> Result<PathBuf> {
    let mut lines = String::new();
    for at in 0..count {
        let customer_key = format!("bare-{at:04}");
        let auth_key = simulator.auth_key(client, &customer_key).await?;
        let body = serde_json::json!({ "authKey": auth_key, "customerKey": customer_key });
        let url = format!("{}/v1/billing/authorizations/issue", simulator.base_url);
        let request = client
            .post(url)
            .basic_auth(SECRET_KEY, Some(""))
            .body(body.to_string());
        let issued = crate::simulator::send(request).await?;
        let billing_key = issued["billingKey"].as_str().ok_or_eyre("no billing key")?;
        lines.push_str(&format!("{customer_key} {billing_key}\n"));
    }
    let path = directory.join("bare-keys");
    fs::write(&path, lines)?;
    Ok(path)
}
