//! Making a database, bringing an older one up to date, and refusing what is not ours.
//!
//! A schema version is the number of migrations applied; it is kept in `meta` with the mode, the
//! billing zone and the installation's own ids. Each step is one transaction.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::connection::Connection;
use super::error::failed;
use super::sql::{Stmt, args};
use super::url::DatabaseUrl;
use super::{postgres, sqlite};
use crate::domain::mode::Mode;
use crate::engine::ports::StoreError;

/// The schema this program works with.
pub const SCHEMA_VERSION: u32 = 13;
const APPLICATION: &str = "paydeck";

const MIGRATIONS: [Stmt; 13] = [
    Stmt::split(sqlite::MIGRATIONS[0], postgres::MIGRATIONS[0]),
    Stmt::split(sqlite::MIGRATIONS[1], postgres::MIGRATIONS[1]),
    Stmt::split(sqlite::MIGRATIONS[2], postgres::MIGRATIONS[2]),
    Stmt::split(sqlite::MIGRATIONS[3], postgres::MIGRATIONS[3]),
    Stmt::split(sqlite::MIGRATIONS[4], postgres::MIGRATIONS[4]),
    Stmt::split(sqlite::MIGRATIONS[5], postgres::MIGRATIONS[5]),
    Stmt::split(sqlite::MIGRATIONS[6], postgres::MIGRATIONS[6]),
    Stmt::split(sqlite::MIGRATIONS[7], postgres::MIGRATIONS[7]),
    Stmt::split(sqlite::MIGRATIONS[8], postgres::MIGRATIONS[8]),
    Stmt::split(sqlite::MIGRATIONS[9], postgres::MIGRATIONS[9]),
    Stmt::split(sqlite::MIGRATIONS[10], postgres::MIGRATIONS[10]),
    Stmt::split(sqlite::MIGRATIONS[11], postgres::MIGRATIONS[11]),
    Stmt::split(sqlite::MIGRATIONS[12], postgres::MIGRATIONS[12]),
];

/// What a new database is told about itself.
#[derive(Debug, Clone)]
pub struct NewDatabase<'a> {
    /// Live, test or sim: never changes.
    pub mode: Mode,
    /// The billing zone: never changes.
    pub zone: Tz,
    /// Which key-encryption key seals its billing keys.
    pub key_id: &'a str,
    /// Eight characters that make its order ids its own.
    pub install_id: &'a str,
    /// What idempotency keys are derived from.
    pub install_secret: &'a str,
    /// When, in business time.
    pub at: DateTime<Utc>,
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// Schema version before.
    pub from: u32,
    /// Schema version after.
    pub to: u32,
}

/// An own connection to make or change a schema with.
pub(super) enum Maker {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

const BEGIN: Stmt = Stmt::split("begin immediate", "begin");
const COMMIT: Stmt = Stmt::both("commit");
const ROLLBACK: Stmt = Stmt::both("rollback");
const ONE_MAKER_AT_A_TIME: Stmt = Stmt::split(
    "select 1 as id",
    "select 1::bigint as id, pg_advisory_xact_lock(8102917402)",
);
const HAS_META: Stmt = Stmt::split(
    "select count(*) as n from sqlite_schema where type = 'table' and name = 'meta'",
    "select count(*) as n from pg_tables where schemaname = current_schema() and tablename = 'meta'",
);
const TABLES: Stmt = Stmt::split(
    "select count(*) as n from sqlite_schema where type = 'table'",
    "select count(*) as n from pg_tables where schemaname = current_schema()",
);
const SENT_JUST_NOW: Stmt = Stmt::split(
    "select count(*) as n from attempt where state = 'sent' \
     and last_sent_at > cast(unixepoch('subsec') * 1000000 as integer) - 120000000",
    "select count(*) as n from attempt where state = 'sent' \
     and last_sent_at > (extract(epoch from clock_timestamp()) * 1000000)::bigint - 120000000",
);
const READ_META: Stmt = Stmt::both("select value from meta where key = $1");
const WRITE_META: Stmt = Stmt::both(
    "insert into meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value",
);

impl Maker {
    async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(match url {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(Box::new(sqlite::single(path).await?)),
            DatabaseUrl::Postgres(address) => {
                Self::Postgres(Box::new(postgres::single(address).await?))
            }
        })
    }

    pub(super) fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(connection) => Connection::Sqlite(connection),
            Self::Postgres(connection) => Connection::Postgres(connection),
        }
    }

    pub(super) async fn script(&mut self, stmt: &Stmt) -> Result<(), StoreError> {
        self.connection().script(stmt).await.map_err(failed)
    }

    /// Closed in order, SQLite takes its write-ahead log into the file; otherwise whoever opens it
    /// next reads all of it.
    async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.close().await.map_err(failed),
            Self::Postgres(connection) => connection.close().await.map_err(failed),
        }
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.script(&BEGIN).await?;
        self.connection()
            .rows(&ONE_MAKER_AT_A_TIME, args![])
            .await?;
        Ok(())
    }

    /// Applies one migration; what it leaves is version `version`.
    pub(super) async fn apply(&mut self, version: u32) -> Result<(), StoreError> {
        let Some(migration) = usize::try_from(version)
            .ok()
            .and_then(|number| MIGRATIONS.get(number.checked_sub(1)?))
        else {
            return Err(StoreError::WrongDatabase(format!(
                "there is no migration {version}"
            )));
        };
        self.connection()
            .script(migration)
            .await
            .map_err(postgres::explain_extension)?;
        self.write("schema_version", &version.to_string()).await?;
        if let Self::Postgres(connection) = self
            && version == SCHEMA_VERSION
        {
            postgres::check_trigrams(connection).await?;
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        self.connection()
            .execute(&WRITE_META, args![key, value])
            .await?;
        Ok(())
    }

    /// Applies the tables and writes down what the database is; version 1.
    pub(super) async fn begin_new(&mut self, new: &NewDatabase<'_>) -> Result<(), StoreError> {
        if has_meta(self.connection()).await? {
            return Err(StoreError::WrongDatabase(
                "the database is in use already: choose an empty one".to_owned(),
            ));
        }
        if let Self::Sqlite(connection) = self {
            sqlite::mark(connection).await?;
        }
        self.apply(1).await?;
        let micros = new.at.timestamp_micros().to_string();
        for (key, value) in [
            ("application_id", APPLICATION),
            ("mode", new.mode.as_str()),
            ("zone", new.zone.name()),
            ("key_id", new.key_id),
            ("install_id", new.install_id),
            ("install_secret", new.install_secret),
            ("created_at", &micros),
        ] {
            self.write(key, value).await?;
        }
        Ok(())
    }
}

async fn has_meta(connection: Connection<'_>) -> Result<bool, StoreError> {
    let rows = connection.rows(&HAS_META, args![]).await?;
    match rows.first() {
        Some(row) => Ok(row.counts("meta").i64("n")? > 0),
        None => Ok(false),
    }
}

pub(super) async fn read_meta(
    connection: Connection<'_>,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let rows = connection.rows(&READ_META, args![key]).await?;
    rows.first()
        .map(|row| row.counts("meta").text("value"))
        .transpose()
}

/// The version of a database of ours; anything else is refused.
async fn version_of(maker: &mut Maker) -> Result<u32, StoreError> {
    if !has_meta(maker.connection()).await? {
        return Err(StoreError::WrongDatabase(
            "it is not a database of paydeck: make one with `paydeck init`".to_owned(),
        ));
    }
    let owner = read_meta(maker.connection(), "application_id").await?;
    let version = read_meta(maker.connection(), "schema_version").await?;
    read_version(owner.as_deref(), version.as_deref())
}

/// Reads the two rows of `meta` that say whose database it is and of which version.
pub(super) fn read_version(
    application: Option<&str>,
    version: Option<&str>,
) -> Result<u32, StoreError> {
    if application != Some(APPLICATION) {
        return Err(StoreError::WrongDatabase(
            "it belongs to another program".to_owned(),
        ));
    }
    version
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| StoreError::WrongDatabase("its schema version cannot be read".to_owned()))
}

/// Only the very schema that this program was written for is worked with.
pub(super) fn expect_current(version: u32) -> Result<(), StoreError> {
    match version.cmp(&SCHEMA_VERSION) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(StoreError::WrongDatabase(format!(
            "the database has schema {version}, this paydeck needs {SCHEMA_VERSION}: make a backup, then run `paydeck migrate`"
        ))),
        std::cmp::Ordering::Greater => Err(newer(version)),
    }
}

fn newer(version: u32) -> StoreError {
    StoreError::WrongDatabase(format!(
        "the database has schema {version}, newer than this paydeck knows ({SCHEMA_VERSION}): use a newer paydeck"
    ))
}

/// Makes a new, empty database. A SQLite file must not exist yet; a PostgreSQL database must exist
/// and be empty.
pub async fn create(url: &DatabaseUrl, new: &NewDatabase<'_>) -> Result<(), StoreError> {
    if let DatabaseUrl::Sqlite(path) = url {
        sqlite::make_file(path)?;
    }
    let made = make(url, new).await;
    if let (Err(_), DatabaseUrl::Sqlite(path)) = (&made, url) {
        // Only the file that was made a moment ago: an existing one was refused above.
        let _gone = std::fs::remove_file(path);
    }
    made
}

async fn make(url: &DatabaseUrl, new: &NewDatabase<'_>) -> Result<(), StoreError> {
    let mut maker = begin_making(url, new).await?;
    maker.script(&COMMIT).await?;
    maker.close().await
}

/// Whether [`create`] would succeed. On PostgreSQL everything is made and taken back, so that rights,
/// extension and locale are tried as well; of SQLite only that the file is not there.
pub async fn rehearse_create(url: &DatabaseUrl, new: &NewDatabase<'_>) -> Result<(), StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::expect_no_file(path),
        DatabaseUrl::Postgres(_) => {
            let mut maker = begin_making(url, new).await?;
            maker.script(&ROLLBACK).await?;
            maker.close().await
        }
    }
}

/// Whether this is a database of PostgreSQL without any table. A file of SQLite never is: a missing
/// one may be a directory that was not mounted.
pub async fn is_empty(url: &DatabaseUrl) -> Result<bool, StoreError> {
    let mut maker = match url {
        DatabaseUrl::Sqlite(_) => return Ok(false),
        DatabaseUrl::Postgres(_) => Maker::connect(url).await?,
    };
    let rows = maker.connection().rows(&TABLES, args![]).await?;
    match rows.first() {
        Some(row) => Ok(row.counts("pg_tables").i64("n")? == 0),
        None => Ok(false),
    }
}

/// Everything of a new database, not committed.
async fn begin_making(url: &DatabaseUrl, new: &NewDatabase<'_>) -> Result<Maker, StoreError> {
    let mut maker = Maker::connect(url).await?;
    maker.begin().await?;
    maker.begin_new(new).await?;
    for version in 2..=SCHEMA_VERSION {
        maker.apply(version).await?;
    }
    Ok(maker)
}

/// Brings an older database up to this program's schema; does nothing when it is there already.
pub async fn migrate(url: &DatabaseUrl) -> Result<Migrated, StoreError> {
    let (mut maker, migrated) = begin_migrating(url).await?;
    for version in migrated.from + 1..=migrated.to {
        maker.apply(version).await?;
    }
    maker.script(&COMMIT).await?;
    maker.close().await?;
    Ok(migrated)
}

/// What [`migrate`] would do; every step is taken and taken back.
pub async fn rehearse_migrate(url: &DatabaseUrl) -> Result<Migrated, StoreError> {
    let (mut maker, migrated) = begin_migrating(url).await?;
    for version in migrated.from + 1..=migrated.to {
        maker.apply(version).await?;
    }
    maker.script(&ROLLBACK).await?;
    maker.close().await?;
    Ok(migrated)
}

/// What was sent a moment ago is settled by who sent it, who knows the older schema.
async fn nothing_is_out(maker: &mut Maker) -> Result<(), StoreError> {
    let rows = maker.connection().rows(&SENT_JUST_NOW, args![]).await?;
    let out = match rows.first() {
        Some(row) => row.counts("attempt").i64("n")?,
        None => 0,
    };
    if out > 0 {
        return Err(StoreError::WrongDatabase(format!(
            "{out} charges or refunds were sent in the last two minutes: end every console, run and reconciler, wait, then run the command again"
        )));
    }
    Ok(())
}

async fn begin_migrating(url: &DatabaseUrl) -> Result<(Maker, Migrated), StoreError> {
    if let DatabaseUrl::Sqlite(path) = url {
        sqlite::expect_file(path)?;
    }
    let mut maker = Maker::connect(url).await?;
    if let (Maker::Sqlite(connection), DatabaseUrl::Sqlite(path)) = (&mut maker, url) {
        sqlite::check(connection, path).await?;
    }
    maker.begin().await?;
    let from = version_of(&mut maker).await?;
    if from > SCHEMA_VERSION {
        return Err(newer(from));
    }
    if from < SCHEMA_VERSION {
        nothing_is_out(&mut maker).await?;
    }
    Ok((
        maker,
        Migrated {
            from,
            to: SCHEMA_VERSION,
        },
    ))
}
