//! Opens or makes the file, and remembers how often it was started and where its clock stands.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::super::error::SandboxError;
use super::schema::{APPLICATION_ID, FILE_NAME, INDEXES, TABLES, VERSION};

/// Two doors to one database: one writer, some readers.
#[derive(Debug, Clone)]
pub struct File {
    pub write: SqlitePool,
    pub read: SqlitePool,
}

/// What a start finds.
#[derive(Debug)]
pub struct FileStart {
    pub starts: u64,
    pub clock_offset_us: i64,
    pub webhooks: Vec<String>,
    pub last_card_id: i64,
    pub last_payment_id: i64,
}

impl File {
    /// In memory there is one connection, and it must never be closed.
    pub async fn in_memory() -> Result<Self, SandboxError> {
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = single_connection().connect_with(options).await?;
        let file = Self {
            read: pool.clone(),
            write: pool,
        };
        file.create().await?;
        Ok(file)
    }

    pub async fn open(dir: &Path) -> Result<Self, SandboxError> {
        let path = dir.join(FILE_NAME);
        let is_new = !path.exists();
        create_private(&path).map_err(|source| SandboxError::Files {
            path: path.clone(),
            source,
        })?;
        // A killed process loses nothing that the operating system has; only a power cut could, and this is a simulator.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        let write = single_connection().connect_with(options.clone()).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(3)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let file = Self { write, read };
        if is_new {
            file.create().await?;
        } else {
            file.check(path).await?;
        }
        Ok(file)
    }

    async fn create(&self) -> Result<(), SandboxError> {
        sqlx::raw_sql(TABLES).execute(&self.write).await?;
        sqlx::raw_sql(INDEXES).execute(&self.write).await?;
        let mut connection = self.write.acquire().await?;
        mark(&mut connection).await
    }

    async fn check(&self, path: PathBuf) -> Result<(), SandboxError> {
        let application: i64 = sqlx::query_scalar("pragma application_id")
            .fetch_one(&self.write)
            .await?;
        let version: i64 = sqlx::query_scalar("pragma user_version")
            .fetch_one(&self.write)
            .await?;
        if application == APPLICATION_ID && version == VERSION {
            return Ok(());
        }
        Err(SandboxError::ForeignFile {
            path,
            application,
            version,
        })
    }

    /// Counts this start and reads what it goes on from.
    pub async fn start(&self) -> Result<FileStart, SandboxError> {
        const COUNT: &str = "insert into setting (name, value) values ('starts', '1') \
            on conflict (name) do update set value = cast(cast(value as integer) + 1 as text)";
        const SETTINGS: &str = "select name, value from setting order by name";
        sqlx::query(COUNT).execute(&self.write).await?;
        let mut start = FileStart {
            starts: 0,
            clock_offset_us: 0,
            webhooks: Vec::new(),
            last_card_id: self
                .highest("select coalesce(max(card_id), 0) from card")
                .await?,
            last_payment_id: self
                .highest("select coalesce(max(payment_id), 0) from payment")
                .await?,
        };
        for row in sqlx::query(SETTINGS).fetch_all(&self.write).await? {
            let value: String = row.try_get("value")?;
            let corrupt = |what| SandboxError::Corrupt { what };
            match row.try_get("name")? {
                "starts" => {
                    start.starts = value.parse().map_err(|_| corrupt("a count of starts"))?;
                }
                "clock_offset_us" => {
                    start.clock_offset_us = value.parse().map_err(|_| corrupt("a clock offset"))?;
                }
                "webhooks" => {
                    start.webhooks =
                        serde_json::from_str(&value).map_err(|_| corrupt("webhook addresses"))?;
                }
                _ => {}
            }
        }
        Ok(start)
    }

    async fn highest(&self, sql: &'static str) -> Result<i64, SandboxError> {
        Ok(sqlx::query_scalar(sql).fetch_one(&self.write).await?)
    }

    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Marks a database as one of ours, of this version.
pub async fn mark(connection: &mut SqliteConnection) -> Result<(), SandboxError> {
    // Pragmas take no bind parameters: the constants of the schema are written out.
    sqlx::raw_sql("pragma application_id = 1885631330; pragma user_version = 1")
        .execute(connection)
        .await?;
    Ok(())
}

fn single_connection() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

pub fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}
