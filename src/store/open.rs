//! Opening a database that exists: who may write, and the checks before anything is read.

use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use futures_util::future::try_join;
use sqlx::{PgPool, SqliteConnection, SqlitePool};

use super::at_hand::AtHand;
use super::books::Chain;
use super::connection::Connection;
use super::error::failed;
use super::reads::Watch;
use super::schema::{expect_current, read_meta, read_version};
use super::sql::{Row, Stmt, Value, args};
use super::url::DatabaseUrl;
use super::{postgres, sqlite};
use crate::domain::mode::Mode;
use crate::engine::ports::StoreError;

/// Whether this process may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It may.
    ReadWrite,
    /// It may not; a SQLite file is opened so that it cannot.
    ReadOnly,
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whether this process may write.
    pub access: Access,
    /// Who works here; PostgreSQL shows it in `pg_stat_activity`.
    pub operator: String,
    /// The name of this process's audit chain: no other process, now or later, has the same.
    pub chain: String,
    /// Connections that read (SQLite), or all of them (PostgreSQL).
    pub connections: u32,
}

impl OpenOptions {
    /// For a process that writes.
    pub fn read_write(operator: &str, chain: &str) -> Self {
        Self {
            access: Access::ReadWrite,
            operator: operator.to_owned(),
            chain: chain.to_owned(),
            connections: 4,
        }
    }

    /// For a process that only looks.
    pub fn read_only(operator: &str) -> Self {
        Self {
            access: Access::ReadOnly,
            operator: operator.to_owned(),
            chain: String::new(),
            connections: 4,
        }
    }
}

/// An open database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct SqlStore {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pools: Pools,
    pub(super) mode: Mode,
    pub(super) zone: Tz,
    chain: String,
    chains: Mutex<Chains>,
    /// A reader of SQLite.
    pub(super) at_hand: AtHand,
    /// Sees what other connections commit.
    pub(super) watch: Watch,
}

#[derive(Debug)]
pub(super) enum Pools {
    Sqlite {
        writer: Option<SqlitePool>,
        readers: SqlitePool,
    },
    Postgres {
        pool: PgPool,
        access: Access,
    },
}

/// Transactions that run side by side append to a chain each, so that none waits for another.
#[derive(Debug, Default)]
struct Chains {
    idle: Vec<Chain>,
    made: u32,
}

impl Shared {
    /// The name of this process's chain.
    pub(super) fn process(&self) -> &str {
        &self.chain
    }

    /// A chain that no other transaction of this process is appending to.
    pub(super) fn take_chain(&self) -> Chain {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.idle.pop().unwrap_or_else(|| {
            chains.made += 1;
            Chain::named(&self.chain, chains.made)
        })
    }

    pub(super) fn give_chain(&self, chain: Chain) {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.idle.push(chain);
    }
}

const SET_META: Stmt = Stmt::both(
    "insert into meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value",
);
const QUICK_CHECK: Stmt = Stmt::split(
    "select quick_check as line from pragma_quick_check",
    "select 'ok' as line",
);
const ALL_META: Stmt = Stmt::both("select key, value from meta");

impl SqlStore {
    /// Opens a database and checks that it is ours and of this program's schema.
    pub async fn open(url: &DatabaseUrl, options: OpenOptions) -> Result<Self, StoreError> {
        let mut at_hand = None;
        let pools = match url {
            DatabaseUrl::Sqlite(path) => {
                sqlite::expect_file(path)?;
                let writer = async {
                    match options.access {
                        Access::ReadWrite => sqlite::writer(path).await.map(Some),
                        Access::ReadOnly => Ok(None),
                    }
                };
                let readers = sqlite::readers(path, options.connections);
                let (writer, readers) = try_join(writer, readers).await?;
                let mut reader = readers.acquire().await.map_err(failed)?;
                sqlite::check(&mut reader, path).await?;
                at_hand = Some(reader);
                Pools::Sqlite { writer, readers }
            }
            DatabaseUrl::Postgres(address) => Pools::Postgres {
                pool: postgres::pool(address, &options.operator, options.connections).await?,
                access: options.access,
            },
        };
        let (mode, zone) = identify(&pools, at_hand.as_deref_mut()).await?;
        if let Pools::Postgres { pool, .. } = &pools {
            postgres::check_durable(pool, mode).await?;
        }
        Ok(Self {
            shared: Arc::new(Shared {
                pools,
                mode,
                zone,
                chain: options.chain,
                chains: Mutex::default(),
                at_hand: AtHand::with(at_hand),
                watch: Watch::default(),
            }),
        })
    }

    /// The mode this database was made for.
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// The billing zone this database was made for.
    pub fn zone(&self) -> Tz {
        self.shared.zone
    }

    /// A value that the database keeps about itself: `key_id`, `install_id`, `install_secret`, …
    pub async fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        match &self.shared.pools {
            Pools::Sqlite { readers, .. } => {
                let mut reader = self.shared.at_hand.reader(readers).await?;
                let value = read_meta(Connection::Sqlite(&mut reader), key).await?;
                self.shared.at_hand.keep(reader, readers);
                Ok(value)
            }
            Pools::Postgres { pool, .. } => {
                let mut reader = pool.acquire().await.map_err(failed)?;
                read_meta(Connection::Postgres(&mut reader), key).await
            }
        }
    }

    /// Keeps a value about the database itself.
    pub async fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        match &self.shared.pools {
            Pools::Sqlite { writer, .. } => {
                let writer = writer.as_ref().ok_or_else(read_only)?;
                let mut connection = writer.acquire().await.map_err(failed)?;
                Connection::Sqlite(&mut connection)
                    .execute(&SET_META, args![key, value])
                    .await?;
            }
            Pools::Postgres { pool, .. } => {
                let mut connection = pool.acquire().await.map_err(failed)?;
                Connection::Postgres(&mut connection)
                    .execute(&SET_META, args![key, value])
                    .await?;
            }
        }
        Ok(())
    }

    /// One query outside any transaction, for read models.
    pub(super) async fn rows(&self, stmt: &Stmt, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match &self.shared.pools {
            Pools::Sqlite { readers, .. } => {
                let mut reader = self.shared.at_hand.reader(readers).await?;
                let rows = Connection::Sqlite(&mut reader).rows(stmt, args).await?;
                self.shared.at_hand.keep(reader, readers);
                Ok(rows)
            }
            Pools::Postgres { pool, .. } => {
                let mut reader = pool.acquire().await.map_err(failed)?;
                Connection::Postgres(&mut reader).rows(stmt, args).await
            }
        }
    }

    /// What SQLite finds wrong with its file; empty when nothing. PostgreSQL looks after itself.
    pub async fn quick_check(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.rows(&QUICK_CHECK, args![]).await?;
        let mut lines = Vec::new();
        for row in &rows {
            let line = row.counts("sqlite_schema").text("line")?;
            if line != "ok" {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    /// Waits for the connections to end.
    pub async fn close(&self) {
        match &self.shared.pools {
            Pools::Sqlite { writer, readers } => {
                self.shared.at_hand.close(readers).await;
                if let Some(writer) = writer {
                    writer.close().await;
                }
            }
            Pools::Postgres { pool, .. } => pool.close().await,
        }
    }
}

pub(super) fn read_only() -> StoreError {
    StoreError::WrongDatabase("the database was opened to be read only".to_owned())
}

/// Whose database it is, of which schema, mode and zone.
async fn identify(
    pools: &Pools,
    reader: Option<&mut SqliteConnection>,
) -> Result<(Mode, Tz), StoreError> {
    let found = match (pools, reader) {
        (_, Some(reader)) => Connection::Sqlite(reader).rows(&ALL_META, args![]).await,
        (Pools::Sqlite { readers, .. }, None) => {
            let mut reader = readers.acquire().await.map_err(failed)?;
            let connection = Connection::Sqlite(&mut reader);
            connection.rows(&ALL_META, args![]).await
        }
        (Pools::Postgres { pool, .. }, None) => {
            let mut reader = pool.acquire().await.map_err(failed)?;
            let connection = Connection::Postgres(&mut reader);
            connection.rows(&ALL_META, args![]).await
        }
    };
    let found = found.map_err(|error| {
        let has_no_meta =
            matches!(&error, StoreError::Other(said) if said.to_string().contains("meta"));
        if has_no_meta {
            StoreError::WrongDatabase(
                "it is not a database of paydeck: make one with `paydeck init`".to_owned(),
            )
        } else {
            error
        }
    })?;
    let mut meta = std::collections::BTreeMap::new();
    for row in &found {
        let cells = row.counts("meta");
        meta.insert(cells.str("key")?, cells.str("value")?);
    }
    let get = |key: &str| meta.get(key).copied();
    expect_current(read_version(get("application_id"), get("schema_version"))?)?;
    let broken = |key: &str| StoreError::WrongDatabase(format!("its {key} cannot be read"));
    let mode = get("mode")
        .and_then(Mode::parse)
        .ok_or_else(|| broken("mode"))?;
    let zone = get("zone")
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| broken("zone"))?;
    Ok((mode, zone))
}
