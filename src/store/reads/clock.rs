//! The database's own clock, by which leases run and calls are dated.

use chrono::{DateTime, Utc};

use crate::engine::ports::StoreError;
use crate::store::open::SqlStore;
use crate::store::sql::{Stmt, args};

const NOW: Stmt = Stmt::split(
    "select cast(unixepoch('subsec') * 1000000 as integer) as n",
    "select (extract(epoch from clock_timestamp()) * 1000000)::bigint as n",
);

pub(super) async fn now(db: &SqlStore) -> Result<DateTime<Utc>, StoreError> {
    let rows = db.rows(&NOW, args![]).await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::Other("the clock gave no row".into()))?;
    row.counts("clock").at("n")
}
