//! The objects and keyed answers of the account in the simulator's file: one row each, written before it is told.

use axum::body::Bytes;
use serde_json::Value;
use sqlx::{Row, SqlitePool};

use super::super::error::SandboxError;
use super::super::idempotency::Scope;
use super::account::{Account, Stored};
use super::book::Change;
use super::ids::Ids;
use super::kind::Kind;

const TABLES: &str = "
create table if not exists stripe_object (
  id text primary key,
  seq integer not null,
  kind text not null,
  body text not null
) strict, without rowid;
create table if not exists stripe_answer (
  scope blob primary key,
  first_at integer not null,
  path text not null,
  key text not null,
  parameters blob not null,
  status integer not null,
  body blob not null,
  request_id text not null
) strict;
";
const OBJECTS: &str = "select id, seq, kind, body from stripe_object order by seq, id";
const ANSWERS: &str = "select scope, first_at, path, key, parameters, status, body, request_id \
    from stripe_answer order by first_at, rowid";
const PUT_OBJECT: &str = "insert into stripe_object (id, seq, kind, body) values ($1, $2, $3, $4) \
    on conflict (id) do update set body = excluded.body";
const REMOVE_OBJECT: &str = "delete from stripe_object where id = $1";
const PUT_ANSWER: &str = "insert or replace into stripe_answer \
    (scope, first_at, path, key, parameters, status, body, request_id) values ($1, $2, $3, $4, $5, $6, $7, $8)";
const FORGET_ANSWERS: &str = "delete from stripe_answer where first_at < $1";

/// Makes the tables where an older file lacks them.
pub async fn prepare(pool: &SqlitePool) -> Result<(), SandboxError> {
    sqlx::raw_sql(TABLES).execute(pool).await?;
    Ok(())
}

/// The account as the file has it.
pub async fn load(pool: &SqlitePool, ids: Ids) -> Result<Account, SandboxError> {
    let corrupt = |what| SandboxError::Corrupt { what };
    let mut account = Account::new(ids);
    for row in sqlx::query(OBJECTS).fetch_all(pool).await? {
        let body: String = row.try_get("body")?;
        let kind: String = row.try_get("kind")?;
        let kind = Kind::of_object(&kind).ok_or_else(|| corrupt("a kind of object"))?;
        let seq: i64 = row.try_get("seq")?;
        let seq = u64::try_from(seq).map_err(|_| corrupt("a sequence number"))?;
        let object: Value = serde_json::from_str(&body).map_err(|_| corrupt("an object"))?;
        account.book.restore(kind, seq, &object);
    }
    for row in sqlx::query(ANSWERS).fetch_all(pool).await? {
        let bytes = |name: &str| -> Result<[u8; 32], SandboxError> {
            let bytes: Vec<u8> = row.try_get(name)?;
            bytes.try_into().map_err(|_| corrupt("a digest"))
        };
        let status: i64 = row.try_get("status")?;
        let body: Vec<u8> = row.try_get("body")?;
        let stored = Stored {
            first_at: row.try_get("first_at")?,
            path: row.try_get("path")?,
            key: row.try_get("key")?,
            parameters: bytes("parameters")?,
            status: u16::try_from(status).map_err(|_| corrupt("a status"))?,
            body: Bytes::from(body),
            request_id: row.try_get("request_id")?,
        };
        account.restore_answer(Scope(bytes("scope")?), stored);
    }
    Ok(account)
}

/// Everything in one commit, or nothing.
pub async fn write(
    pool: &SqlitePool,
    changes: &[Change],
    answers: &[(Scope, Stored)],
    keep_from: i64,
) -> Result<(), SandboxError> {
    let mut transaction = pool.begin_with("begin immediate").await?;
    for change in changes {
        match &change.entry {
            Some(entry) => {
                sqlx::query(PUT_OBJECT)
                    .bind(&*change.id)
                    .bind(i64::try_from(entry.seq).unwrap_or(i64::MAX))
                    .bind(entry.kind.words().object)
                    .bind(entry.text().to_string())
                    .execute(&mut *transaction)
                    .await?;
            }
            None => {
                sqlx::query(REMOVE_OBJECT)
                    .bind(&*change.id)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
    }
    for (scope, stored) in answers {
        sqlx::query(PUT_ANSWER)
            .bind(&scope.0[..])
            .bind(stored.first_at)
            .bind(&stored.path)
            .bind(&stored.key)
            .bind(&stored.parameters[..])
            .bind(i64::from(stored.status))
            .bind(&stored.body[..])
            .bind(&stored.request_id)
            .execute(&mut *transaction)
            .await?;
    }
    if !answers.is_empty() {
        sqlx::query(FORGET_ANSWERS)
            .bind(keep_from)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
