//! A statement that is put together from constants, and the pools it is run on.
//!
//! [`Query::add`] takes `&'static str` alone and every value goes in as a bound parameter, so no
//! word a person typed can become SQL: that is why [`AssertSqlSafe`] is said here, and only here.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

use crate::domain::ids::Noun;
use crate::engine::ports::StoreError;
use crate::store::error::failed;
use crate::store::open::{Pools, SqlStore};
use crate::store::sql::{Row, Value, postgres_arguments, sqlite_arguments};

type R<T> = Result<T, StoreError>;

/// Whose words a statement is in, where the two databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Sqlite,
    Postgres,
}

/// A statement being put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    text: String,
    values: Vec<Value>,
}

/// The values behind the question marks of a fragment.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::store::sql::Value::from($value)),*] };
}
pub(super) use values;

impl Query {
    /// Begins with a constant that takes no value.
    pub(super) fn new(sql: &'static str) -> Self {
        let mut query = Self::default();
        query.add(sql, []);
        query
    }

    /// A constant with its values.
    pub(super) fn with<const N: usize>(sql: &'static str, values: [Value; N]) -> Self {
        let mut query = Self::default();
        query.add(sql, values);
        query
    }

    /// Adds a constant; each `?` in it takes the next of `values`.
    pub(super) fn add<const N: usize>(
        &mut self,
        sql: &'static str,
        values: [Value; N],
    ) -> &mut Self {
        debug_assert_eq!(sql.matches('?').count(), N, "{sql}");
        let mut values = values.into_iter();
        let mut pieces = sql.split('?');
        self.text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            if let Some(value) = values.next() {
                self.bind(value);
            }
            self.text.push_str(piece);
        }
        self
    }

    /// Adds `($1, $2, …)`; an empty list keeps nothing.
    pub(super) fn add_list(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        self.text.push('(');
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.text.push_str(", ");
            }
            self.bind(value);
        }
        if self.text.ends_with('(') {
            self.text.push_str("null");
        }
        self.text.push(')');
        self
    }

    /// PostgreSQL keeps no NUL in a text, so none is looked for: what a person typed then equals
    /// nothing, on both.
    fn bind(&mut self, value: Value) {
        let value = match value {
            Value::Text(Some(text)) if text.contains('\0') => {
                Value::from(text.replace('\0', "\u{fffd}"))
            }
            other => other,
        };
        self.values.push(value);
        let _a_string_takes_everything = write!(self.text, "${}", self.values.len());
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The same statement as a question about its plan.
    #[cfg(test)]
    pub(super) fn explained(mut self) -> Self {
        self.text.insert_str(0, "explain query plan ");
        self
    }
}

impl SqlStore {
    pub(super) fn flavour(&self) -> Flavour {
        match self.shared.pools {
            Pools::Sqlite { .. } => Flavour::Sqlite,
            Pools::Postgres { .. } => Flavour::Postgres,
        }
    }

    /// Every row, outside any transaction.
    pub(super) async fn fetch(&self, query: Query) -> R<Vec<Row>> {
        let sql = AssertSqlSafe(query.text);
        match &self.shared.pools {
            Pools::Sqlite { readers, .. } => {
                let bound = sqlite_arguments(query.values)?;
                let mut reader = self.shared.at_hand.reader(readers).await?;
                let rows = sqlx::query_with(sql, bound).fetch_all(&mut *reader).await;
                let rows = rows.map_err(failed)?;
                self.shared.at_hand.keep(reader, readers);
                Ok(rows.into_iter().map(Row::from).collect())
            }
            Pools::Postgres { pool, .. } => {
                let bound = postgres_arguments(query.values)?;
                let rows = sqlx::query_with(sql, bound).fetch_all(pool).await;
                Ok(rows.map_err(failed)?.into_iter().map(Row::from).collect())
            }
        }
    }

    /// The first row, if there is one.
    pub(super) async fn fetch_first(&self, query: Query) -> R<Option<Row>> {
        Ok(self.fetch(query).await?.into_iter().next())
    }

    /// The first row; not found when there is none.
    pub(super) async fn fetch_one(&self, noun: Noun, query: Query) -> R<Row> {
        self.fetch_first(query)
            .await?
            .ok_or(StoreError::NotFound { noun })
    }

    /// The column `n` of the only row of a count.
    pub(super) async fn fetch_number(&self, query: Query) -> R<i64> {
        match self.fetch_first(query).await? {
            Some(row) => row.counts("count").i64("n"),
            None => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_in_the_order_they_come() {
        let mut query = Query::with("select ? ", values![1_i64]);
        query.add("where a in ", []);
        query.add_list(values!["x", "y'; drop table payment"]);
        query.add(" and b = ?", values![2_i64]);
        assert_eq!(query.text(), "select $1 where a in ($2, $3) and b = $4");
        assert_eq!(query.values.len(), 4);
    }
}
