//! One borrowed connection of either database, and the three things that are done with it.

use sqlx::{PgConnection, SqliteConnection};

use super::columns::{columns, for_postgres, for_sqlite, json_rows};
use super::error::failed;
use super::sql::{Row, Stmt, Value, check_binds};
use crate::engine::ports::StoreError;

pub(super) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Connection<'_> {
    /// The rows of a query.
    pub(super) async fn rows(self, stmt: &Stmt, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        check_binds(stmt, &args)?;
        match self {
            Self::Sqlite(connection) => {
                let found = sqlx::query_with(stmt.sqlite, for_sqlite(stmt, args)?)
                    .fetch_all(connection)
                    .await
                    .map_err(failed)?;
                Ok(found.into_iter().map(Row::from).collect())
            }
            Self::Postgres(connection) => {
                let found = sqlx::query_with(stmt.postgres, for_postgres(stmt, args)?)
                    .fetch_all(connection)
                    .await
                    .map_err(failed)?;
                Ok(found.into_iter().map(Row::from).collect())
            }
        }
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(self, stmt: &Stmt, args: Vec<Value>) -> Result<u64, StoreError> {
        check_binds(stmt, &args)?;
        match self {
            Self::Sqlite(connection) => sqlx::query_with(stmt.sqlite, for_sqlite(stmt, args)?)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
                .map_err(failed),
            Self::Postgres(connection) => {
                sqlx::query_with(stmt.postgres, for_postgres(stmt, args)?)
                    .execute(connection)
                    .await
                    .map(|done| done.rows_affected())
                    .map_err(failed)
            }
        }
    }

    /// Writes rows of one kind, in one statement; gives how many were changed.
    pub(super) async fn execute_all(
        self,
        stmt: &Stmt,
        rows: Vec<Vec<Value>>,
    ) -> Result<u64, StoreError> {
        for row in &rows {
            check_binds(stmt, row)?;
        }
        match self {
            Self::Sqlite(connection) => sqlx::query_with(stmt.sqlite, json_rows(rows)?)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
                .map_err(failed),
            Self::Postgres(connection) => sqlx::query_with(stmt.postgres, columns(rows)?)
                .execute(connection)
                .await
                .map(|done| done.rows_affected())
                .map_err(failed),
        }
    }

    /// Statements without values, any number of them in one text.
    pub(super) async fn script(self, stmt: &Stmt) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                sqlx::raw_sql(stmt.sqlite).execute(connection).await?;
            }
            Self::Postgres(connection) => {
                sqlx::raw_sql(stmt.postgres).execute(connection).await?;
            }
        }
        Ok(())
    }
}
