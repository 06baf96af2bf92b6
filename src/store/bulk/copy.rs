//! PostgreSQL's COPY in text format: tab between cells, `\N` for null, backslash before what would
//! otherwise end a cell or a row.

use sqlx::PgConnection;

use super::super::error::failed;
use super::super::sql::Value;
use super::tables::Table;
use crate::domain::audit::hex;
use crate::engine::ports::StoreError;

/// Bytes sent at a time.
const SENT_AT_ONCE: usize = 1 << 18;

pub(super) async fn copy_rows(
    connection: &mut PgConnection,
    table: Table,
    rows: impl Iterator<Item = Result<Vec<Value>, StoreError>>,
) -> Result<u64, StoreError> {
    let mut sink = connection
        .copy_in_raw(&copy_text(table))
        .await
        .map_err(failed)?;
    let mut text = String::with_capacity(SENT_AT_ONCE + 4096);
    for row in rows {
        match row {
            Ok(row) => push_row(&mut text, &row),
            Err(error) => {
                sink.abort("a row does not fit").await.map_err(failed)?;
                return Err(error);
            }
        }
        if text.len() >= SENT_AT_ONCE {
            sink.send(text.as_bytes()).await.map_err(failed)?;
            text.clear();
        }
    }
    sink.send(text.as_bytes()).await.map_err(failed)?;
    sink.finish().await.map_err(failed)
}

fn copy_text(table: Table) -> String {
    let columns = table.columns().join(", ");
    format!("copy {} ({columns}) from stdin", table.name())
}

fn push_row(out: &mut String, row: &[Value]) {
    for (at, value) in row.iter().enumerate() {
        if at > 0 {
            out.push('\t');
        }
        match value {
            Value::I64(Some(number)) => out.push_str(&number.to_string()),
            Value::Text(Some(text)) => push_text(out, text),
            Value::Bytes(Some(bytes)) => {
                out.push_str("\\\\x");
                out.push_str(&hex(bytes));
            }
            Value::Ids(ids) => {
                let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
                out.push('{');
                out.push_str(&texts.join(","));
                out.push('}');
            }
            Value::I64(None) | Value::Text(None) | Value::Bytes(None) => out.push_str("\\N"),
        }
    }
    out.push('\n');
}

fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::args;

    #[test]
    fn cells_are_escaped_so_that_none_ends_early() {
        let mut out = String::new();
        let row: Vec<Value> = args![7_i64, "a\tb\\N\n", None::<i64>, vec![0_u8, 255]];
        push_row(&mut out, &row);
        assert_eq!(out, "7\ta\\tb\\\\N\\n\t\\N\t\\\\x00ff\n");
    }
}
