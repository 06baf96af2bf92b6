//! A database of a test's own, on either side, and direct statements past the port.

use chrono::{DateTime, TimeZone, Utc};
use paydeck::domain::mode::Mode;
use paydeck::engine::ports::{Desk, Store};
use paydeck::store::{self, DatabaseUrl, NewDatabase, OpenOptions, SqlStore, SqlTx};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support;

pub struct Bed {
    pub url: DatabaseUrl,
    _kept: Kept,
}

#[expect(dead_code, reason = "kept for what its drop does")]
enum Kept {
    File(support::sqlite::SqliteFile),
    Database(support::postgres::TestDb),
}

/// A connection that knows nothing of the port.
pub enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

pub fn new_database() -> NewDatabase<'static> {
    NewDatabase {
        mode: Mode::Sim,
        zone: chrono_tz::Asia::Seoul,
        key_id: "k1",
        install_id: "ABCDEFGH",
        install_secret: "not a secret",
        at: day(1),
    }
}

/// An instant in March 2026, nine in the morning in Seoul.
pub fn day(day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, day, 0, 0, 0)
        .single()
        .expect("a day of March")
}

impl Bed {
    pub fn sqlite_empty() -> Self {
        let file = support::sqlite::file();
        let url = DatabaseUrl::Sqlite(file.path().to_owned());
        Self {
            url,
            _kept: Kept::File(file),
        }
    }

    pub fn postgres_empty() -> Option<Self> {
        let database = support::postgres::database()?;
        let url = DatabaseUrl::parse(&database.url).expect("the server's address");
        Some(Self {
            url,
            _kept: Kept::Database(database),
        })
    }

    pub async fn with_schema(self) -> Self {
        store::create(&self.url, &new_database())
            .await
            .expect("create the schema");
        self
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self._kept, Kept::Database(_))
    }

    pub async fn open(&self) -> SqlStore {
        self.open_as("test-1").await
    }

    pub async fn open_as(&self, chain: &str) -> SqlStore {
        SqlStore::open(&self.url, OpenOptions::read_write("tester", chain))
            .await
            .expect("open the database")
    }

    pub async fn raw(&self) -> Raw {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let connection = SqliteConnection::connect_with(&options).await;
                Raw::Sqlite(connection.expect("connect"))
            }
            DatabaseUrl::Postgres(address) => {
                Raw::Postgres(PgConnection::connect(address).await.expect("connect"))
            }
        }
    }
}

impl Raw {
    /// Runs a script on both alike.
    pub async fn run(&mut self, script: &str) -> Result<(), sqlx::Error> {
        let script = AssertSqlSafe(script.to_owned());
        match self {
            Self::Sqlite(connection) => {
                sqlx::raw_sql(script).execute(connection).await?;
            }
            Self::Postgres(connection) => {
                sqlx::raw_sql(script).execute(connection).await?;
            }
        }
        Ok(())
    }

    pub async fn must(&mut self, script: &str) {
        self.run(script)
            .await
            .unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    pub async fn number(&mut self, query: &str) -> i64 {
        let safe = AssertSqlSafe(query.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(safe).fetch_one(connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(safe).fetch_one(connection).await,
        }
        .unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    pub async fn texts(&mut self, query: &str) -> Vec<String> {
        let safe = AssertSqlSafe(query.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(safe).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(safe).fetch_all(connection).await,
        }
        .unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// The fourth column of a query plan, or its lines.
    pub async fn plan(&mut self, query: &str) -> String {
        match self {
            Self::Sqlite(connection) => {
                let safe = AssertSqlSafe(format!("explain query plan {query}"));
                let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(safe)
                    .fetch_all(connection)
                    .await
                    .expect("explain");
                let lines: Vec<String> = rows.into_iter().map(|row| row.3).collect();
                lines.join("\n")
            }
            Self::Postgres(_) => self.texts(&format!("explain {query}")).await.join("\n"),
        }
    }
}

pub async fn begin<'d>(store: &'d SqlStore, desk: &'d mut Desk) -> SqlTx<'d> {
    store.begin(desk).await.expect("begin")
}

/// The same tests on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::bed::Bed::sqlite_empty().with_schema().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                let Some(bed) = $crate::bed::Bed::postgres_empty() else { return };
                super::$name(bed.with_schema().await).await;
            })+
        }
    };
}
