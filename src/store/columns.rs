//! Rows turned into one array per column, which is how PostgreSQL takes many rows in one statement.

use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;

use super::sql::{Stmt, Takes, Value, postgres_arguments};
use crate::engine::ports::StoreError;

/// The values of a statement, as it takes them.
pub(super) fn bound(stmt: &Stmt, args: Vec<Value>) -> Result<PgArguments, StoreError> {
    match stmt.takes {
        Takes::Values => postgres_arguments(args),
        Takes::Columns => columns(vec![args]),
    }
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
