//! How a SQLite file is made and opened: one writer, a few readers, durable at every commit.
//!
//! The file lies on a local disk and belongs to one account; readers open it read-only.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _, Row as _, SqliteConnection};

use super::error::failed;
use crate::engine::ports::StoreError;

/// The tables, then everything else; a schema version is how many of these were applied.
pub(super) const MIGRATIONS: [&str; 13] = [
    include_str!("../../../assets/migrations/sqlite/0001_tables.sql"),
    include_str!("../../../assets/migrations/sqlite/0002_indexes_and_triggers.sql"),
    include_str!("../../../assets/migrations/sqlite/0003_reading.sql"),
    include_str!("../../../assets/migrations/sqlite/0004_tallies.sql"),
    include_str!("../../../assets/migrations/sqlite/0005_run_leases.sql"),
    include_str!("../../../assets/migrations/sqlite/0006_prices.sql"),
    include_str!("../../../assets/migrations/sqlite/0007_approvals.sql"),
    include_str!("../../../assets/migrations/sqlite/0008_looked_for.sql"),
    include_str!("../../../assets/migrations/sqlite/0009_declared_by_two.sql"),
    include_str!("../../../assets/migrations/sqlite/0010_mirrored.sql"),
    include_str!("../../../assets/migrations/sqlite/0011_refund_reversals.sql"),
    include_str!("../../../assets/migrations/sqlite/0012_card_use.sql"),
    include_str!("../../../assets/migrations/sqlite/0013_fees.sql"),
];

/// "pydk": says to other programs whose file it is.
const APPLICATION_ID: i64 = 0x7079_646b;
/// Releases before it can corrupt a WAL file in rare cases.
const OLDEST: [u32; 3] = [3, 51, 3];
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than any queue of write transactions of 20 ms each.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);
const STATEMENTS_KEPT: usize = 400;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging()
}

fn durable(path: &Path) -> SqliteConnectOptions {
    options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
}

fn read_only(path: &Path) -> SqliteConnectOptions {
    // Nothing is mapped: what was read of a large file would stay in memory for each connection.
    // A page of a list and one row more arrive without a halt between.
    options(path).read_only(true).row_buffer_size(256)
}

/// The one connection that writes.
pub(super) async fn writer(path: &Path) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(QUEUE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A COMMIT that could not be written leaves its transaction open for the driver, and nothing could begin on
        // this connection any more: another takes its place.
        .before_acquire(|connection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_free) })
        })
        .connect_with(durable(path))
        .await
        .map_err(failed)
}

/// Connections that cannot write, whatever they are asked.
pub(super) async fn readers(path: &Path, count: u32) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(count.max(1))
        .acquire_timeout(QUEUE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(read_only(path))
        .await
        .map_err(failed)
}

/// One connection for making and migrating.
pub(super) async fn single(path: &Path) -> Result<SqliteConnection, StoreError> {
    durable(path).connect().await.map_err(failed)
}

/// One connection for a bulk load into a file that nobody else has open: nothing is durable before
/// the load is finished, and a load that breaks off leaves a file to be thrown away.
pub(super) async fn loader(path: &Path) -> Result<SqliteConnection, StoreError> {
    options(path)
        .foreign_keys(false)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .locking_mode(sqlx::sqlite::SqliteLockingMode::Exclusive)
        .pragma("cache_size", "-16384")
        .pragma("threads", "2")
        .command_buffer_size(16)
        .connect()
        .await
        .map_err(failed)
}

/// Makes an empty file that only its owner may open, in a directory of the same kind.
pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    if let Some(directory) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| wrong(path, &format!("its directory cannot be made: {error}")))?;
    }
    refuse_network(path.parent().unwrap_or(path), path)?;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(|_file| ())
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => wrong(path, "the file exists already"),
            _ => wrong(path, &format!("the file cannot be made: {error}")),
        })
}

/// What [`make_file`] would refuse first.
pub(super) fn expect_no_file(path: &Path) -> Result<(), StoreError> {
    match path.symlink_metadata() {
        Ok(_) => Err(wrong(path, "the file exists already")),
        Err(_) => Ok(()),
    }
}

/// A file must be there, on a local disk.
pub(super) fn expect_file(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => Err(wrong(
            path,
            "the file is empty: remove it, then make one with `paydeck init`",
        )),
        Ok(found) if found.is_file() => refuse_network(path, path),
        Ok(_) => Err(wrong(path, "it is not a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(wrong(
            path,
            "there is no such file; make one with `paydeck init` or `paydeck demo`",
        )),
        Err(error) => Err(wrong(path, &error.to_string())),
    }
}

fn wrong(path: &Path, reason: &str) -> StoreError {
    StoreError::WrongDatabase(format!("database {}: {reason}", path.display()))
}

/// File locks over a network lie, and WAL needs shared memory.
#[cfg(target_os = "linux")]
fn refuse_network(place: &Path, path: &Path) -> Result<(), StoreError> {
    const NETWORK: [i64; 6] = [
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB 2
        0x0102_1997, // 9P
        0x5346_414f, // AFS
    ];
    let place = if place.as_os_str().is_empty() {
        Path::new(".")
    } else {
        place
    };
    let Ok(found) = rustix::fs::statfs(place) else {
        return Ok(());
    };
    #[expect(
        clippy::useless_conversion,
        reason = "the field is narrower on other machines"
    )]
    let kind = i64::from(found.f_type);
    if NETWORK.contains(&kind) {
        return Err(wrong(
            path,
            "it lies on a network file system; SQLite needs a local disk, PostgreSQL serves several hosts",
        ));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_place: &Path, _path: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Marks the file as ours.
pub(super) async fn mark(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("pragma application_id = 1887003755")
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Refuses files of other programs and libraries that are too old.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), StoreError> {
    let row =
        sqlx::query("select sqlite_version() as v, application_id as a from pragma_application_id")
            .fetch_one(connection)
            .await
            .map_err(failed)?;
    let version: String = row.try_get("v").map_err(failed)?;
    let owner: i64 = row.try_get("a").map_err(failed)?;
    if owner != APPLICATION_ID {
        return Err(wrong(path, "it belongs to another program"));
    }
    let parts: Vec<u32> = version.split('.').flat_map(str::parse).collect();
    if parts.as_slice() < OLDEST.as_slice() {
        return Err(StoreError::WrongDatabase(format!(
            "SQLite {version} is too old: 3.51.3 or later is needed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_writes_syncs_the_log_at_every_commit() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("paydeck.db");
        make_file(&path).unwrap();
        let pool = writer(&path).await.unwrap();
        let mut writers = [
            single(&path).await.unwrap(),
            pool.acquire().await.unwrap().detach(),
        ];
        for connection in &mut writers {
            let ask = sqlx::query_scalar::<_, i64>("pragma synchronous");
            assert_eq!(ask.fetch_one(&mut *connection).await.unwrap(), 2, "full");
            let ask = sqlx::query_scalar::<_, String>("pragma journal_mode");
            assert_eq!(ask.fetch_one(&mut *connection).await.unwrap(), "wal");
        }
    }

    #[test]
    fn the_mark_in_the_pragma_is_the_application_id() {
        assert_eq!(APPLICATION_ID, 1_887_003_755);
    }
}
