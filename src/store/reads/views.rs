//! Filters that a person keeps under a name.

use super::query::{Query, values};
use crate::engine::ports::{Attempts, StoreError, Tx};
use crate::engine::queries::SavedView;
use crate::store::open::SqlStore;
use crate::store::sql::{Stmt, args};

type R<T> = Result<T, StoreError>;

const SAVE: Stmt = Stmt::both(
    "insert into saved_view (person, screen, name, filter, updated_at) values ($1, $2, $3, $4, $5)
    on conflict (person, screen, name) do update set filter = excluded.filter, updated_at = excluded.updated_at",
);

pub(super) async fn of(db: &SqlStore, person: &str) -> R<Vec<SavedView>> {
    let sql = "select screen, name, filter from saved_view where person = ? order by screen, name limit 500";
    let rows = db.fetch(Query::with(sql, values![person])).await?;
    rows.iter()
        .map(|row| {
            let cells = row.counts("saved_view");
            Ok(SavedView {
                screen: cells.text("screen")?,
                name: cells.text("name")?,
                filter: cells.text("filter")?,
            })
        })
        .collect()
}

pub(super) async fn save(db: &SqlStore, person: &str, view: &SavedView) -> R<()> {
    let mut tx = db.begin_unlent().await?;
    let now = tx.db_now().await?;
    let values = args![
        person,
        view.screen.as_str(),
        view.name.as_str(),
        view.filter.as_str(),
        now
    ];
    tx.execute(&SAVE, values).await?;
    tx.commit().await
}
