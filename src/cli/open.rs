//! From settings to an open database: every check that is made before anything is read.
//!
//! Mode, billing zone and schema must fit (F35); a session that changes nothing opens the database so
//! that it cannot. The provider and the vault come later and only where they are needed: see `wiring`.

use std::sync::Arc;

use super::args::Global;
use super::clock::OffsetClock;
use super::error::CliError;
use super::identity::{self, Facts, Session};
use super::{places, process, sim_clock};
use crate::config::{Database, ProviderAddress, Settings};
use crate::domain::mode::Mode;
use crate::domain::operator::{Access, Operator};
use crate::engine::ports::StoreError;
use crate::sandbox;
use crate::store::{self, DatabaseUrl, SqlStore};

/// What every verb works with.
pub struct Opened {
    pub settings: Settings,
    pub store: SqlStore,
    pub operator: Operator,
    pub clock: Arc<OffsetClock>,
    /// Owner of this process's leases and name of its audit chain.
    pub process: String,
    /// Where the simulator answers, in mode sim and while it runs.
    pub simulator: Option<String>,
    /// Why it does not, in mode sim.
    pub simulator_trouble: Option<CliError>,
}

/// Reads the settings and refuses what can be refused without a database.
pub fn settings(global: &Global) -> Result<Settings, CliError> {
    let settings = places::settings(global.config.as_deref())?;
    if settings.mode == Mode::Live && global.now.is_some() {
        return Err(CliError::NowInLive);
    }
    Ok(settings)
}

/// Where the database is.
pub fn database_url(settings: &Settings) -> DatabaseUrl {
    match &settings.database {
        Database::Sqlite { path } => DatabaseUrl::Sqlite(path.clone()),
        Database::Postgres { url } => DatabaseUrl::Postgres(url.expose().to_owned()),
    }
}

/// Who acts under these settings.
pub fn operator(settings: &Settings, global: &Global) -> Operator {
    let session = if global.read_only {
        Session::ReadOnly
    } else {
        Session::AsRoles
    };
    identity::resolve(
        &settings.people,
        settings.mode,
        &Facts::of_this_process(),
        session,
    )
}

/// Opens the database and finds out what time it is.
pub async fn open(settings: Settings, global: &Global) -> Result<Opened, CliError> {
    let operator = operator(&settings, global);
    let process = process::this();
    let options = match operator.access {
        Access::ReadWrite => {
            store::OpenOptions::read_write(&operator.person, &chain_name(&process))
        }
        Access::ReadOnly => store::OpenOptions::read_only(&operator.person),
    };
    let url = database_url(&settings);
    let store = SqlStore::open(&url, options)
        .await
        .map_err(|error| not_reached(&url, error))?;
    check_identity(&store, &settings)?;
    let (simulator, simulator_trouble) = match simulator(&settings) {
        Ok(url) => (url, None),
        Err(trouble) => (None, Some(trouble)),
    };
    let mut opened = Opened {
        settings,
        store,
        operator,
        clock: Arc::new(OffsetClock::default()),
        process,
        simulator,
        simulator_trouble,
    };
    match global.now {
        Some(now) => opened.clock = Arc::new(OffsetClock::starting_at(now)),
        None => opened.read_clock().await,
    }
    Ok(opened)
}

/// A server that gives no connection in time is not busy with our rows: it is away.
fn not_reached(url: &DatabaseUrl, error: StoreError) -> CliError {
    match (url, error) {
        (DatabaseUrl::Postgres(_), StoreError::Busy(source) | StoreError::Unreachable(source)) => {
            StoreError::Unreachable(format!("{url}: {source}").into()).into()
        }
        (_, error) => error.into(),
    }
}

impl Opened {
    /// Takes the simulator's time over. Without a simulator the machine's stands, and acting is refused later.
    async fn read_clock(&mut self) {
        let Some(url) = &self.simulator else { return };
        match sim_clock::offset_us(url).await {
            Ok(offset_us) => {
                self.clock.set_offset_us(offset_us);
                self.clock.go_by(url.clone());
            }
            Err(trouble) => {
                self.simulator = None;
                self.simulator_trouble = Some(trouble);
            }
        }
    }
}

/// Each process writes chains of its own; its number is used again, so a random word is added.
fn chain_name(process: &str) -> String {
    format!("{process}:{}", super::ids::random_word(8))
}

fn check_identity(store: &SqlStore, settings: &Settings) -> Result<(), CliError> {
    if store.mode() != settings.mode {
        return Err(CliError::OtherMode {
            database: store.mode(),
            configured: settings.mode,
        });
    }
    if store.zone() != settings.billing.zone {
        return Err(CliError::OtherZone {
            database: store.zone().to_string(),
            configured: settings.billing.zone.to_string(),
        });
    }
    Ok(())
}

/// The simulator's address in mode sim; none in the others.
fn simulator(settings: &Settings) -> Result<Option<String>, CliError> {
    // One simulator stands in for every provider.
    match &settings.toss.address {
        ProviderAddress::Official => Ok(None),
        ProviderAddress::Loopback { url } => Ok(Some(url.clone())),
        ProviderAddress::Sandbox { dir } => Ok(Some(sandbox::resolve(dir)?)),
    }
}
