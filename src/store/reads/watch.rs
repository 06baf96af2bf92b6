//! A number that differs whenever somebody else committed: cheap enough to be asked every second.
//!
//! SQLite counts the commits of other connections, so one connection is kept for asking alone; and
//! it is asked only when the write-ahead log has been written to since, or has not been asked for a
//! while, because asking wakes its thread. PostgreSQL gives its snapshot: which transactions are
//! over. It also differs after a rollback.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sqlx::{Row as _, SqliteConnection};
use tokio::sync::Mutex;

use super::query::Query;
use crate::engine::ports::StoreError;
use crate::store::error::failed;
use crate::store::open::{Pools, SqlStore};

type R<T> = Result<T, StoreError>;

/// Two commits within one tick of the file system's clock look like one: the database itself is
/// asked after so many looks at the file.
const LOOKS: u32 = 10;

/// What watches, once somebody asked.
#[derive(Debug, Default)]
pub(in crate::store) struct Watch {
    watcher: Mutex<Option<Watcher>>,
}

#[derive(Debug)]
struct Watcher {
    connection: SqliteConnection,
    log: PathBuf,
    seen: Option<Seen>,
}

/// What the database said, and how its log looked before it was asked.
#[derive(Debug)]
struct Seen {
    version: i64,
    log: Option<Stamp>,
    looks: u32,
}

/// Size and time of the log; no file is none.
type Stamp = (u64, Option<SystemTime>);

/// The number itself means nothing; only that it changed does.
pub(super) async fn data_version(db: &SqlStore) -> R<i64> {
    let Pools::Sqlite { readers, .. } = &db.shared.pools else {
        let sql = "select hashtextextended(pg_current_snapshot()::text, 0) as n";
        return db.fetch_number(Query::new(sql)).await;
    };
    let mut watching = db.shared.watch.watcher.lock().await;
    if watching.is_none() {
        let file = readers.connect_options().get_filename().to_owned();
        *watching = Some(Watcher {
            connection: readers.acquire().await.map_err(failed)?.detach(),
            log: log_of(&file),
            seen: None,
        });
    }
    match &mut *watching {
        Some(watcher) => watcher.version().await,
        None => Err(StoreError::Other("no connection watches".into())),
    }
}

impl Watcher {
    async fn version(&mut self) -> R<i64> {
        // Looked at before the question: a commit in between shows at the next look.
        let log = stamp(&self.log);
        if let Some(seen) = &mut self.seen
            && seen.log == log
            && seen.looks < LOOKS
        {
            seen.looks += 1;
            return Ok(seen.version);
        }
        let row = sqlx::query("pragma data_version")
            .fetch_one(&mut self.connection)
            .await
            .map_err(failed)?;
        let version = row.try_get(0).map_err(failed)?;
        self.seen = Some(Seen {
            version,
            log,
            looks: 0,
        });
        Ok(version)
    }
}

fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

fn stamp(log: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(log).ok()?;
    Some((found.len(), found.modified().ok()))
}
