//! A number that differs whenever somebody else committed: cheap enough to be asked every second.
//!
//! SQLite counts the commits of other connections, so one connection is kept for asking alone.
//! PostgreSQL gives its snapshot: which transactions are over. It also differs after a rollback.

use sqlx::{Row as _, SqliteConnection};
use tokio::sync::Mutex;

use super::query::Query;
use crate::engine::ports::StoreError;
use crate::store::error::failed;
use crate::store::open::{Pools, SqlStore};

type R<T> = Result<T, StoreError>;

/// The connection that watches, once somebody asked.
#[derive(Debug, Default)]
pub(in crate::store) struct Watch {
    connection: Mutex<Option<SqliteConnection>>,
}

/// The number itself means nothing; only that it changed does.
pub(super) async fn data_version(db: &SqlStore) -> R<i64> {
    let Pools::Sqlite { readers, .. } = &db.shared.pools else {
        let sql = "select hashtextextended(pg_current_snapshot()::text, 0) as n";
        return db.fetch_number(Query::new(sql)).await;
    };
    let mut watching = db.shared.watch.connection.lock().await;
    if watching.is_none() {
        *watching = Some(readers.acquire().await.map_err(failed)?.detach());
    }
    let Some(connection) = &mut *watching else {
        return Err(StoreError::Other("no connection watches".into()));
    };
    let row = sqlx::query("pragma data_version")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    row.try_get(0).map_err(failed)
}
