//! One thin layer under every statement: what is bound, what comes back, and the text for each
//! database. SQL is always a constant; a statement knows how many values it takes, because SQLite
//! reads a missing one as null without a word.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, ColumnIndex, Row as _};
use std::sync::Arc;

use super::error::failed;
use crate::domain::ids;
use crate::engine::ports::StoreError;

/// A statement in the words of both databases.
#[derive(Debug, Clone, Copy)]
pub struct Stmt {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
    pub(super) binds: usize,
    pub(super) takes: Takes,
}

/// What is bound to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Values.
    Values,
    /// Any number of rows: an array for each column on PostgreSQL, one JSON array of arrays on SQLite.
    Rows,
}

impl Stmt {
    /// One text serves both.
    pub const fn both(sql: &'static str) -> Self {
        Self::split(sql, sql)
    }

    /// The two differ.
    pub const fn split(sqlite: &'static str, postgres: &'static str) -> Self {
        let (a, b) = (highest_bind(sqlite), highest_bind(postgres));
        Self {
            sqlite,
            postgres,
            binds: if a > b { a } else { b },
            takes: Takes::Values,
        }
    }

    /// Writes any number of rows: of a JSON array on SQLite, of unnested arrays on PostgreSQL. A
    /// statement costs a change of threads on the one and a round trip on the other.
    pub const fn of_rows(sqlite: &'static str, postgres: &'static str) -> Self {
        Self {
            takes: Takes::Rows,
            ..Self::split(sqlite, postgres)
        }
    }
}

/// The largest n of all `$n` in a text.
const fn highest_bind(sql: &str) -> usize {
    let bytes = sql.as_bytes();
    let (mut at, mut highest) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'$' {
            let mut number = 0;
            while at + 1 < bytes.len() && bytes[at + 1].is_ascii_digit() {
                at += 1;
                number = number * 10 + (bytes[at] - b'0') as usize;
            }
            if number > highest {
                highest = number;
            }
        }
        at += 1;
    }
    highest
}

/// A value to be bound. Null has a type too: PostgreSQL asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// An integer, instant, amount, id, yes or no.
    I64(Option<i64>),
    /// A text, state or local date.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// The ids that a statement about many rows asks for.
    Ids(Vec<i64>),
}

macro_rules! bound_as {
    ($($kind:ident from $($source:ty),+ => $to:expr;)+) => {$($(
        impl From<$source> for Value {
            fn from(value: $source) -> Self {
                Self::from(Some(value))
            }
        }

        impl From<Option<$source>> for Value {
            fn from(value: Option<$source>) -> Self {
                Self::$kind(value.map($to))
            }
        }
    )+)+};
}

macro_rules! bound_as_it_is {
    ($($kind:ident $source:ty),+) => {$(
        impl From<$source> for Value {
            fn from(value: $source) -> Self {
                Self::$kind(Some(value))
            }
        }

        impl From<Option<$source>> for Value {
            fn from(value: Option<$source>) -> Self {
                Self::$kind(value)
            }
        }
    )+};
}

bound_as_it_is! { I64 i64, Text String, Bytes Vec<u8> }

bound_as! {
    I64 from u32, u16, bool => i64::from;
    I64 from DateTime<Utc> => |at: DateTime<Utc>| at.timestamp_micros();
    I64 from ids::CustomerId, ids::MethodId, ids::ProductId, ids::PlanId, ids::SubscriptionId,
        ids::InvoiceId, ids::AttemptId, ids::PaymentId, ids::RunId, ids::EvidenceId,
        ids::ApprovalId, crate::domain::mirror::WishId => |id| id.0;
    Text from &str => str::to_owned;
    Text from NaiveDate => |day: NaiveDate| day.to_string();
    Bytes from &[u8] => <[u8]>::to_vec;
}

/// The values of a statement, in the order of `$1`, `$2`, …
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Value::from($value)),*] };
}
pub(crate) use args;

/// A query whose rows stay ours until the transaction ends. SQLite has one writer and needs no lock.
macro_rules! locked {
    ($($sql:tt)*) => {
        $crate::store::Stmt::split(concat!($($sql)*), concat!($($sql)*, " for no key update"))
    };
}
pub(crate) use locked;

/// The same, leaving out rows that somebody else holds.
macro_rules! claimed {
    ($($sql:tt)*) => {
        $crate::store::Stmt::split(
            concat!($($sql)*),
            concat!($($sql)*, " for no key update skip locked"),
        )
    };
}
pub(crate) use claimed;

/// A query for all rows whose `column` is one of many ids, which are its one value.
macro_rules! each_of {
    ($select:expr, $column:literal) => {
        $crate::store::sql::each_of!($select, $column, "", "")
    };
    ($select:expr, $column:literal, locked) => {
        $crate::store::sql::each_of!($select, $column, "", " order by id for no key update")
    };
    ($select:expr, $column:literal, $both:literal, $postgres:literal) => {
        $crate::store::Stmt::split(
            concat!(
                $select,
                " where ",
                $column,
                " in (select value from json_each($1))",
                $both
            ),
            concat!($select, " where ", $column, " = any($1)", $both, $postgres),
        )
    };
}
pub(crate) use each_of;

/// The next `$1` ids of a table. SQLite has one writer, who chooses the number after the largest.
macro_rules! ids_of {
    ($table:literal) => {
        $crate::store::Stmt::split(
            concat!(
                "with recursive n (i) as (select 1 union all select i + 1 from n where i < $1)
                select (select coalesce(max(id), 0) from ",
                $table,
                ") + i as id from n"
            ),
            concat!(
                "select nextval('",
                $table,
                "_id_seq') as id from generate_series(1, $1)"
            ),
        )
    };
}
pub(crate) use ids_of;

pub(super) fn check_binds(stmt: &Stmt, args: &[Value]) -> Result<(), StoreError> {
    if args.len() == stmt.binds {
        return Ok(());
    }
    let text = format!("{} values given, {} wanted", args.len(), stmt.binds);
    Err(StoreError::Other(text.into()))
}

pub(super) fn sqlite_arguments(args: Vec<Value>) -> Result<SqliteArguments, StoreError> {
    let mut bound = SqliteArguments::default();
    bound.reserve(args.len(), 0);
    for value in args {
        match value {
            Value::I64(number) => Arguments::add(&mut bound, number),
            Value::Text(text) => Arguments::add(&mut bound, text),
            Value::Bytes(bytes) => Arguments::add(&mut bound, bytes),
            Value::Ids(ids) => Arguments::add(&mut bound, json_array(&ids)),
        }
        .map_err(StoreError::Other)?;
    }
    Ok(bound)
}

fn json_array(ids: &[i64]) -> String {
    let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(","))
}

pub(super) fn postgres_arguments(args: Vec<Value>) -> Result<PgArguments, StoreError> {
    let mut bound = PgArguments::default();
    for value in args {
        match value {
            Value::I64(number) => bound.add(number),
            Value::Text(text) => bound.add(text),
            Value::Bytes(bytes) => bound.add(bytes),
            Value::Ids(ids) => bound.add(ids),
        }
        .map_err(StoreError::Other)?;
    }
    Ok(bound)
}

/// One row that came back. A clone shares it.
#[derive(Debug, Clone)]
pub enum Row {
    /// From SQLite.
    Sqlite(Arc<SqliteRow>),
    /// From PostgreSQL.
    Postgres(Arc<PgRow>),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self::Sqlite(Arc::new(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self::Postgres(Arc::new(row))
    }
}

impl Row {
    /// Typed access to a row whose first column is its `id`.
    pub fn cells(&self, table: &'static str) -> Result<Cells<'_>, StoreError> {
        let nameless = self.counts(table);
        let id = nameless.i64("id")?;
        Ok(Cells { id, ..nameless })
    }

    /// Typed access to a row that has no id, such as counts and sums.
    pub fn counts(&self, table: &'static str) -> Cells<'_> {
        Cells {
            row: self,
            table,
            id: 0,
        }
    }

    fn int<I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>>(
        &self,
        at: I,
    ) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }

    fn str<I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>>(
        &self,
        at: I,
    ) -> Result<Option<&str>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }

    fn blob(&self, at: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }
}

/// Typed access to a row; what does not make sense is reported with table and id.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'r> {
    row: &'r Row,
    table: &'static str,
    id: i64,
}

impl<'r> Cells<'r> {
    /// The error for a row that does not make sense.
    pub fn bad(&self, reason: String) -> StoreError {
        StoreError::BadRow {
            table: self.table,
            id: self.id,
            reason,
        }
    }

    fn known<T>(&self, column: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.bad(format!("{column} is null")))
    }

    fn unread(&self, column: &str, error: sqlx::Error) -> StoreError {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
                self.bad(format!("{column} cannot be read"))
            }
            other => failed(other),
        }
    }

    /// An integer or null.
    pub fn opt_i64(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.row.int(column).map_err(|e| self.unread(column, e))
    }

    /// An integer.
    pub fn i64(&self, column: &str) -> Result<i64, StoreError> {
        let value = self.opt_i64(column)?;
        self.known(column, value)
    }

    /// A text or null, borrowed from the row.
    pub fn opt_str(&self, column: &str) -> Result<Option<&'r str>, StoreError> {
        self.row.str(column).map_err(|e| self.unread(column, e))
    }

    /// A text, borrowed from the row.
    pub fn str(&self, column: &str) -> Result<&'r str, StoreError> {
        let value = self.opt_str(column)?;
        self.known(column, value)
    }

    /// Bytes.
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        let value = self.row.blob(column).map_err(|e| self.unread(column, e))?;
        self.known(column, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_counts_its_values_by_the_highest_number() {
        assert_eq!(Stmt::both("select 1").binds, 0);
        assert_eq!(Stmt::both("select $2, $12, $1").binds, 12);
        assert_eq!(Stmt::split("select $1", "select $1, $2").binds, 2);
    }

    #[test]
    fn a_missing_value_is_refused_before_sqlite_reads_it_as_null() {
        let stmt = Stmt::both("select $1, $2");
        let (one, two): (Vec<Value>, Vec<Value>) = (args![1_i64], args![1_i64, "a"]);
        assert!(check_binds(&stmt, &one).is_err());
        assert!(check_binds(&stmt, &two).is_ok());
    }
}
