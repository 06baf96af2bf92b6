//! Filling a new database fast: rows first, in any number; uniqueness, indexes, search and triggers
//! last. It is for made-up data only. Nothing is durable before [`BulkWriter::finish`]; a load that
//! breaks off leaves a database that refuses to be opened.
//!
//! Every row is a `Vec<Value>` in the order of [`Table::columns`]; ids are given by the caller.

mod copy;
mod tables;

use std::path::PathBuf;

use futures_util::future::join;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::error::failed;
use super::schema::{Maker, NewDatabase, SCHEMA_VERSION};
use super::sql::{Stmt, Value, sqlite_arguments};
use super::url::DatabaseUrl;
use super::{postgres, sqlite};
use crate::engine::ports::StoreError;

pub use tables::Table;

/// Values bound by one statement: enough to make the call cheap, little enough to stay in the cache.
const VALUES_PER_STATEMENT: usize = 8_000;

/// Migrations that do nothing but add columns to tables: they are made with those. The last migration is none of them,
/// because what is applied last says the schema's version.
const COLUMNS: [u32; 1] = [12];

const BEGIN: Stmt = Stmt::both("begin");
const COMMIT: Stmt = Stmt::both("commit");
const ANALYZE: Stmt = Stmt::split("pragma analysis_limit = 1000; analyze", "analyze");

/// A database that is being filled.
pub struct BulkWriter {
    maker: Maker,
    file: Option<PathBuf>,
    shapes: Vec<Shape>,
}

impl std::fmt::Debug for BulkWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BulkWriter").finish_non_exhaustive()
    }
}

/// A SQLite statement for so many rows of a table.
struct Shape {
    table: Table,
    rows: usize,
    sql: String,
}

impl BulkWriter {
    /// Makes a new database with its tables and nothing else. A SQLite file must not exist yet.
    pub async fn create(url: &DatabaseUrl, new: &NewDatabase<'_>) -> Result<Self, StoreError> {
        let (mut maker, file) = match url {
            DatabaseUrl::Sqlite(path) => {
                sqlite::make_file(path)?;
                let loader = sqlite::loader(path).await?;
                (Maker::Sqlite(Box::new(loader)), Some(path.clone()))
            }
            DatabaseUrl::Postgres(address) => {
                let single = postgres::single(address).await?;
                (Maker::Postgres(Box::new(single)), None)
            }
        };
        maker.script(&BEGIN).await?;
        maker.begin_new(new).await?;
        for version in COLUMNS {
            maker.apply(version).await?;
        }
        Ok(Self {
            maker,
            file,
            shapes: Vec::new(),
        })
    }

    /// Inserts rows whose values stand in the order of the table's columns; says how many.
    pub async fn insert_many<I>(&mut self, table: Table, rows: I) -> Result<u64, StoreError>
    where
        I: IntoIterator<Item = Vec<Value>>,
    {
        let width = table.columns().len();
        let checked = rows.into_iter().map(|row| {
            if row.len() == width {
                Ok(row)
            } else {
                let text = format!("{}: {} values for {width} columns", table.name(), row.len());
                Err(StoreError::Other(text.into()))
            }
        });
        match &mut self.maker {
            Maker::Sqlite(connection) => {
                insert_chunks(connection, &mut self.shapes, table, checked).await
            }
            Maker::Postgres(connection) => copy::copy_rows(connection, table, checked).await,
        }
    }

    /// Adds what was left out, makes everything durable and closes the database.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        for version in (2..=SCHEMA_VERSION).filter(|version| !COLUMNS.contains(version)) {
            self.maker.apply(version).await?;
        }
        if let Maker::Postgres(connection) = &mut self.maker {
            continue_ids(connection).await?;
        }
        self.maker.script(&COMMIT).await?;
        self.maker.script(&ANALYZE).await?;
        match self.maker {
            Maker::Sqlite(connection) => connection.close().await.map_err(failed)?,
            Maker::Postgres(connection) => connection.close().await.map_err(failed)?,
        }
        if let Some(path) = self.file {
            // Once more, as it is opened from now on: this turns the write-ahead log on.
            let durable = sqlite::single(&path).await?;
            durable.close().await.map_err(failed)?;
            std::fs::File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|error| StoreError::Other(error.into()))?;
        }
        Ok(())
    }
}

/// While the database works on one statement, the values of the next are bound.
async fn insert_chunks(
    connection: &mut SqliteConnection,
    shapes: &mut Vec<Shape>,
    table: Table,
    mut rows: impl Iterator<Item = Result<Vec<Value>, StoreError>>,
) -> Result<u64, StoreError> {
    let mut inserted = 0;
    let mut chunk = next_chunk(table, &mut rows)?;
    while let Some(bound) = chunk {
        let executed = insert_bound(connection, shapes, table, bound);
        let (done, next) = join(executed, async { next_chunk(table, &mut rows) }).await;
        inserted += done?;
        chunk = next?;
    }
    Ok(inserted)
}

/// The values of so many rows, bound.
struct Bound {
    rows: usize,
    arguments: SqliteArguments,
}

fn next_chunk(
    table: Table,
    rows: &mut impl Iterator<Item = Result<Vec<Value>, StoreError>>,
) -> Result<Option<Bound>, StoreError> {
    let width = table.columns().len();
    let per_statement = (VALUES_PER_STATEMENT / width).max(1);
    let mut values = Vec::with_capacity(per_statement * width);
    for row in rows.take(per_statement) {
        values.extend(row?);
    }
    if values.is_empty() {
        return Ok(None);
    }
    Ok(Some(Bound {
        rows: values.len() / width,
        arguments: sqlite_arguments(values)?,
    }))
}

async fn insert_bound(
    connection: &mut SqliteConnection,
    shapes: &mut Vec<Shape>,
    table: Table,
    bound: Bound,
) -> Result<u64, StoreError> {
    let rows = bound.rows;
    let known = shapes
        .iter()
        .position(|shape| shape.table == table && shape.rows == rows);
    let at = known.unwrap_or_else(|| {
        shapes.push(Shape {
            table,
            rows,
            sql: insert_text(table, rows),
        });
        shapes.len() - 1
    });
    let text = AssertSqlSafe(shapes[at].sql.as_str());
    sqlx::query_with(text, bound.arguments)
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
        .map_err(failed)
}

/// `insert into t (a, b) values (?, ?), (?, ?)`: made of names that are constants here.
fn insert_text(table: Table, rows: usize) -> String {
    let columns = table.columns();
    let one = format!("({})", vec!["?"; columns.len()].join(", "));
    let all = vec![one.as_str(); rows].join(", ");
    format!(
        "insert into {} ({}) values {all}",
        table.name(),
        columns.join(", ")
    )
}

/// Rows made from now on get ids behind those that were given.
async fn continue_ids(connection: &mut PgConnection) -> Result<(), StoreError> {
    for table in Table::ALL {
        if table.columns().first() == Some(&"id") {
            sqlx::raw_sql(table.continue_ids())
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
    }
    Ok(())
}
