//! Brings what a batch of requests names from the file into the book, in a few statements whatever the batch.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::super::error::SandboxError;
use super::super::idempotency::{Scope, Stored};
use super::super::ledger::{AuthKey, Book, Cancel, Card, CardFace, Kind, Payment, Status};

/// What the requests at hand name.
#[derive(Debug, Default)]
pub struct Wanted {
    pub billing_keys: Vec<String>,
    pub order_ids: Vec<String>,
    pub payment_keys: Vec<String>,
    pub auth_keys: Vec<String>,
    pub scopes: Vec<Scope>,
}

const CARDS: &str = "select card_id, billing_key, customer_key, number, issuer_code, acquirer_code, card_type, \
    owner_type, expiry, behaviour, declined, authenticated_at, deleted_at from card \
    where billing_key in (select value from json_each($1)) order by card_id";

const CARDS_BY_ID: &str = "select card_id, billing_key, customer_key, number, issuer_code, acquirer_code, card_type, \
    owner_type, expiry, behaviour, declined, authenticated_at, deleted_at from card \
    where card_id in (select value from json_each($1)) order by card_id";

const AUTH_KEYS: &str = "select auth_key, card_id, created_at, used_at from auth_key \
    where auth_key in (select value from json_each($1)) order by auth_key";

const PAYMENTS_BY_ORDER: &str = "select p.payment_id, p.payment_key, p.order_id, p.order_name, p.kind, p.status, \
    p.card_id, p.amount, p.balance, p.tax_free, p.tax_exemption, p.installment_months, p.requested_at, p.approved_at, \
    p.transaction_key, p.failure, c.customer_key, c.number, c.issuer_code, c.acquirer_code, c.card_type, c.owner_type \
    from payment p join card c on c.card_id = p.card_id \
    where p.order_id in (select value from json_each($1)) order by p.payment_id";

const PAYMENTS_BY_KEY: &str = "select p.payment_id, p.payment_key, p.order_id, p.order_name, p.kind, p.status, \
    p.card_id, p.amount, p.balance, p.tax_free, p.tax_exemption, p.installment_months, p.requested_at, p.approved_at, \
    p.transaction_key, p.failure, c.customer_key, c.number, c.issuer_code, c.acquirer_code, c.card_type, c.owner_type \
    from payment p join card c on c.card_id = p.card_id \
    where p.payment_key in (select value from json_each($1)) order by p.payment_id";

const CANCELS: &str = "select payment_id, position, transaction_key, amount, reason, tax_free, tax_exemption, \
    refundable_after, canceled_at from cancel where payment_id in (select value from json_each($1)) \
    order by payment_id, position";

const ANSWER: &str = "select first_at, status, body, trace from idempotent_answer where scope = $1";

/// Loads all of it, and the answers already given under the scopes.
pub async fn load(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    book: &mut Book,
) -> Result<HashMap<Scope, Stored>, SandboxError> {
    for row in rows(connection, CARDS, &wanted.billing_keys).await? {
        book.load_card(card_of(&row)?);
    }
    let mut card_ids = Vec::new();
    for row in rows(connection, AUTH_KEYS, &wanted.auth_keys).await? {
        let auth_key = auth_key_of(&row)?;
        card_ids.push(auth_key.card_id);
        book.load_auth_key(auth_key);
    }
    let mut payments = payments(connection, PAYMENTS_BY_ORDER, &wanted.order_ids).await?;
    payments.extend(self::payments(connection, PAYMENTS_BY_KEY, &wanted.payment_keys).await?);
    for payment in payments {
        if payment.kind == Kind::Normal {
            card_ids.push(payment.card_id);
        }
        book.load_payment(payment);
    }
    for row in rows(connection, CARDS_BY_ID, &card_ids).await? {
        book.load_card(card_of(&row)?);
    }
    answers(connection, &wanted.scopes).await
}

async fn answers(
    connection: &mut SqliteConnection,
    scopes: &[Scope],
) -> Result<HashMap<Scope, Stored>, SandboxError> {
    let mut answers = HashMap::new();
    for scope in scopes {
        let row = sqlx::query(ANSWER)
            .bind(&scope.0[..])
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(row) = row {
            let status: i64 = row.try_get("status")?;
            let stored = Stored {
                first_at: time(row.try_get("first_at")?)?,
                status: u16::try_from(status)
                    .map_err(|_| SandboxError::Corrupt { what: "a status" })?,
                body: row.try_get("body")?,
                trace: row.try_get("trace")?,
            };
            answers.insert(*scope, stored);
        }
    }
    Ok(answers)
}

/// Payments of these orders or keys, with their cancels.
pub async fn payments(
    connection: &mut SqliteConnection,
    sql: &'static str,
    names: &[String],
) -> Result<Vec<Payment>, SandboxError> {
    let mut payments = Vec::new();
    for row in rows(connection, sql, names).await? {
        payments.push(payment_of(&row)?);
    }
    let with_cancels: Vec<i64> = payments
        .iter()
        .filter(|payment| matches!(payment.status, Status::Canceled | Status::PartialCanceled))
        .map(|payment| payment.id)
        .collect();
    for row in rows(connection, CANCELS, &with_cancels).await? {
        let payment_id: i64 = row.try_get("payment_id")?;
        let cancel = cancel_of(&row)?;
        if let Some(payment) = payments.iter_mut().find(|payment| payment.id == payment_id) {
            payment.cancels.push(cancel);
        }
    }
    Ok(payments)
}

pub async fn payments_by_order(
    connection: &mut SqliteConnection,
    order: &str,
) -> Result<Vec<Payment>, SandboxError> {
    payments(connection, PAYMENTS_BY_ORDER, &[order.to_owned()]).await
}

pub async fn payments_by_key(
    connection: &mut SqliteConnection,
    key: &str,
) -> Result<Vec<Payment>, SandboxError> {
    payments(connection, PAYMENTS_BY_KEY, &[key.to_owned()]).await
}

async fn rows<T: serde::Serialize>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    names: &[T],
) -> Result<Vec<SqliteRow>, SandboxError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let list =
        serde_json::to_string(names).map_err(|_| SandboxError::Corrupt { what: "a name" })?;
    Ok(sqlx::query(sql)
        .bind(list)
        .fetch_all(&mut *connection)
        .await?)
}

fn card_of(row: &SqliteRow) -> Result<Card, SandboxError> {
    let behaviour: String = row.try_get("behaviour")?;
    let declined: i64 = row.try_get("declined")?;
    Ok(Card {
        id: row.try_get("card_id")?,
        billing_key: row.try_get("billing_key")?,
        customer_key: row.try_get("customer_key")?,
        face: face_of(row)?,
        expiry: row.try_get("expiry")?,
        behaviour: behaviour.parse()?,
        declined: u32::try_from(declined).unwrap_or(u32::MAX),
        authenticated_at: optional_time(row, "authenticated_at")?,
        deleted_at: optional_time(row, "deleted_at")?,
    })
}

fn face_of(row: &SqliteRow) -> Result<CardFace, SandboxError> {
    Ok(CardFace {
        number: row.try_get("number")?,
        issuer_code: row.try_get("issuer_code")?,
        acquirer_code: row.try_get("acquirer_code")?,
        card_type: row.try_get("card_type")?,
        owner_type: row.try_get("owner_type")?,
    })
}

fn auth_key_of(row: &SqliteRow) -> Result<AuthKey, SandboxError> {
    Ok(AuthKey {
        key: row.try_get("auth_key")?,
        card_id: row.try_get("card_id")?,
        created_at: time(row.try_get("created_at")?)?,
        used_at: optional_time(row, "used_at")?,
    })
}

fn payment_of(row: &SqliteRow) -> Result<Payment, SandboxError> {
    let kind: String = row.try_get("kind")?;
    let status: String = row.try_get("status")?;
    Ok(Payment {
        id: row.try_get("payment_id")?,
        key: row.try_get("payment_key")?,
        order_id: row.try_get("order_id")?,
        order_name: row.try_get("order_name")?,
        kind: if kind == "NORMAL" {
            Kind::Normal
        } else {
            Kind::Billing
        },
        status: Status::ALL
            .into_iter()
            .find(|known| known.wire() == status)
            .ok_or(SandboxError::Corrupt {
                what: "a payment status",
            })?,
        card_id: row.try_get("card_id")?,
        customer_key: row.try_get("customer_key")?,
        face: face_of(row)?,
        amount: row.try_get("amount")?,
        balance: row.try_get("balance")?,
        tax_free: row.try_get("tax_free")?,
        tax_exemption: row.try_get("tax_exemption")?,
        installment_months: row.try_get("installment_months")?,
        requested_at: time(row.try_get("requested_at")?)?,
        approved_at: optional_time(row, "approved_at")?,
        transaction_key: row.try_get("transaction_key")?,
        failure: row.try_get("failure")?,
        cancels: Vec::new(),
    })
}

fn cancel_of(row: &SqliteRow) -> Result<Cancel, SandboxError> {
    Ok(Cancel {
        transaction_key: row.try_get("transaction_key")?,
        amount: row.try_get("amount")?,
        reason: row.try_get("reason")?,
        tax_free: row.try_get("tax_free")?,
        tax_exemption: row.try_get("tax_exemption")?,
        refundable_after: row.try_get("refundable_after")?,
        canceled_at: time(row.try_get("canceled_at")?)?,
    })
}

pub fn time(us: i64) -> Result<DateTime<Utc>, SandboxError> {
    DateTime::from_timestamp_micros(us).ok_or(SandboxError::Corrupt { what: "a time" })
}

fn optional_time(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<DateTime<Utc>>, SandboxError> {
    let us: Option<i64> = row.try_get(column)?;
    us.map(time).transpose()
}
