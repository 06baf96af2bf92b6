//! Many rows as the values of one statement: one array per column for PostgreSQL, one JSON array of
//! arrays for SQLite.

use serde_json::json;
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use super::sql::{Stmt, Takes, Value, postgres_arguments, sqlite_arguments};
use crate::engine::ports::StoreError;

/// The values of a statement, as PostgreSQL takes them.
pub(super) fn for_postgres(stmt: &Stmt, args: Vec<Value>) -> Result<PgArguments, StoreError> {
    match stmt.takes {
        Takes::Values => postgres_arguments(args),
        Takes::Rows => columns(vec![args]),
    }
}

/// The values of a statement, as SQLite takes them.
pub(super) fn for_sqlite(stmt: &Stmt, args: Vec<Value>) -> Result<SqliteArguments, StoreError> {
    match stmt.takes {
        Takes::Values => sqlite_arguments(args),
        Takes::Rows => json_rows(vec![args]),
    }
}

/// The rows as one JSON text; bytes are written in hexadecimal.
pub(super) fn json_rows(rows: Vec<Vec<Value>>) -> Result<SqliteArguments, StoreError> {
    let rows: Result<Vec<serde_json::Value>, StoreError> = rows
        .into_iter()
        .map(|row| row.into_iter().map(json_cell).collect())
        .collect();
    let text = serde_json::Value::Array(rows?).to_string();
    sqlite_arguments(vec![Value::from(text)])
}

fn json_cell(value: Value) -> Result<serde_json::Value, StoreError> {
    Ok(match value {
        Value::I64(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!(bytes.as_deref().map(hex)),
        Value::Ids(_) => return Err(uneven()),
    })
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// One array for each column of the rows.
pub(super) fn columns(rows: Vec<Vec<Value>>) -> Result<PgArguments, StoreError> {
    let mut columns: Vec<Column> = Vec::new();
    for row in rows {
        for (at, value) in row.into_iter().enumerate() {
            if at == columns.len() {
                columns.push(Column::for_values_like(&value)?);
            }
            let column = columns.get_mut(at);
            column.ok_or_else(uneven)?.push(value)?;
        }
    }
    let mut bound = PgArguments::default();
    for column in columns {
        match column {
            Column::I64(numbers) => bound.add(numbers),
            Column::Text(texts) => bound.add(texts),
            Column::Bytes(bytes) => bound.add(bytes),
        }
        .map_err(StoreError::Other)?;
    }
    Ok(bound)
}

enum Column {
    I64(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

fn uneven() -> StoreError {
    StoreError::Other("rows of different kinds in one statement".into())
}

impl Column {
    fn for_values_like(value: &Value) -> Result<Self, StoreError> {
        match value {
            Value::I64(_) => Ok(Self::I64(Vec::new())),
            Value::Text(_) => Ok(Self::Text(Vec::new())),
            Value::Bytes(_) => Ok(Self::Bytes(Vec::new())),
            Value::Ids(_) => Err(uneven()),
        }
    }

    fn push(&mut self, value: Value) -> Result<(), StoreError> {
        match (self, value) {
            (Self::I64(column), Value::I64(number)) => column.push(number),
            (Self::Text(column), Value::Text(text)) => column.push(text),
            (Self::Bytes(column), Value::Bytes(bytes)) => column.push(bytes),
            _ => return Err(uneven()),
        }
        Ok(())
    }
}
