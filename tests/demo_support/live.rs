//! A demo at work: the real engine and client over its database, its simulator on loopback.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use paydeck::domain::billing::Install;
use paydeck::domain::ids::{Noun, PublicId};
use paydeck::domain::mode::Mode;
use paydeck::domain::operator::{Access, Operator, Role};
use paydeck::engine::ports::{BoxFuture, Clock, Ids, NoSpool};
use paydeck::engine::{Engine, EngineSettings, Parts};
use paydeck::provider::toss::{TossClient, TossOptions};
use paydeck::sandbox::{Running, SECRET_KEY, SandboxOptions};
use paydeck::secret::Secret;
use paydeck::store::{DatabaseUrl, OpenOptions, SqlStore};
use paydeck::vault::Vault;

use super::Made;

struct StoodStill(DateTime<Utc>);

impl Clock for StoodStill {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }

    fn sleep_until(&self, _at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct NewIds;

impl Ids for NewIds {
    fn public_id(&self, noun: Noun) -> PublicId {
        PublicId::new(noun, &ulid::Ulid::generate().to_string())
    }

    fn random_text(&self) -> String {
        ulid::Ulid::generate().to_string()
    }
}

pub struct Live {
    pub engine: Engine<SqlStore>,
    pub simulator: Running,
    pub operator: Operator,
}

/// Opens the database with the program's own checks.
pub async fn open(made: &Made, chain: &str) -> SqlStore {
    let url = DatabaseUrl::Sqlite(made.prepared.database.clone());
    SqlStore::open(&url, OpenOptions::read_write("demo", chain))
        .await
        .expect("the demo's database")
}

/// Starts the simulator over the demo and an engine that speaks to it.
pub async fn start(made: &Made) -> Live {
    let simulator = paydeck::sandbox::start(SandboxOptions {
        dir: Some(made.prepared.sandbox_dir.clone()),
        ..SandboxOptions::default()
    })
    .await
    .expect("the simulator");
    let client = TossClient::new(TossOptions {
        base_url: simulator.base_url(),
        secret_key: Secret::new(SECRET_KEY),
        mode: Mode::Sim,
        connect_timeout: std::time::Duration::from_secs(5),
        total_timeout: std::time::Duration::from_secs(10),
    })
    .expect("a client");
    let store = open(made, "live").await;
    let meta = async |key: &str| store.meta(key).await.unwrap().expect("meta");
    let install = Install {
        id8: meta("install_id").await,
        secret: meta("install_secret").await.into_bytes(),
    };
    let vault = Vault::load(&made.prepared.key_file).unwrap();
    assert_eq!(vault.key_id().to_string(), meta("key_id").await);
    let zone = store.zone();
    let engine = Engine::new(Parts {
        store,
        providers: vec![Arc::new(client)],
        vault: Arc::new(vault),
        spool: Arc::new(NoSpool),
        clock: Arc::new(StoodStill(made.options.now)),
        ids: Arc::new(NewIds),
        settings: EngineSettings::standard(Mode::Sim, zone),
        install,
        process: "live:1:1".to_owned(),
    });
    let operator = Operator {
        person: "demo".to_owned(),
        roles: vec![Role::Oncall, Role::Admin],
        access: Access::ReadWrite,
        evidence: Vec::new(),
    };
    Live {
        engine,
        simulator,
        operator,
    }
}
