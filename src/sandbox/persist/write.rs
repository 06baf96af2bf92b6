//! Writes what the rules changed. Called inside the batch's transaction; the caller commits and only then answers.

use chrono::{DateTime, Utc};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::super::error::SandboxError;
use super::super::idempotency::{Scope, Stored};
use super::super::ledger::{AuthKey, Book, Cancel, Card, Change, Kind, Payment};

/// An answer to be bound to its key.
#[derive(Debug)]
pub struct IdempotentAnswer {
    pub scope: Scope,
    pub stored: Stored,
}

const PUT_CARD: &str = "insert into card (card_id, billing_key, customer_key, number, issuer_code, acquirer_code, \
    card_type, owner_type, expiry, behaviour, declined, authenticated_at, deleted_at) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict (card_id) do update set \
    billing_key = excluded.billing_key, declined = excluded.declined, \
    authenticated_at = excluded.authenticated_at, deleted_at = excluded.deleted_at";

const PUT_PAYMENT: &str = "insert into payment (payment_id, payment_key, order_id, order_name, kind, status, card_id, \
    amount, balance, tax_free, tax_exemption, installment_months, requested_at, approved_at, transaction_key, failure) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
    on conflict (payment_id) do update set status = excluded.status, balance = excluded.balance, \
    approved_at = excluded.approved_at, transaction_key = excluded.transaction_key, failure = excluded.failure";

const PUT_CANCEL: &str = "insert into cancel (payment_id, position, transaction_key, amount, reason, tax_free, \
    tax_exemption, refundable_after, canceled_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const PUT_AUTH_KEY: &str = "insert into auth_key (auth_key, card_id, created_at, used_at) values ($1, $2, $3, $4) \
    on conflict (auth_key) do update set used_at = excluded.used_at";

const PUT_ANSWER: &str = "insert or replace into idempotent_answer (scope, first_at, status, body, trace) \
    values ($1, $2, $3, $4, $5)";

const PUT_SETTING: &str = "insert or replace into setting (name, value) values ($1, $2)";

pub async fn flush(
    connection: &mut SqliteConnection,
    book: &Book,
    answers: &[IdempotentAnswer],
) -> Result<(), SandboxError> {
    for change in book.changes() {
        match change {
            Change::Card(id) => match book.card(*id) {
                Some(card) => put_card(connection, card).await?,
                None => {
                    return Err(SandboxError::Corrupt {
                        what: "a changed card",
                    });
                }
            },
            Change::Payment(id) => match book.payment(*id) {
                Some(payment) => put_payment(connection, payment).await?,
                None => {
                    return Err(SandboxError::Corrupt {
                        what: "a changed payment",
                    });
                }
            },
            Change::Cancel { payment, index } => {
                let cancel = book
                    .payment(*payment)
                    .and_then(|known| known.cancels.get(*index));
                let cancel = cancel.ok_or(SandboxError::Corrupt {
                    what: "a new cancel",
                })?;
                put_cancel(connection, *payment, *index, cancel).await?;
            }
            Change::AuthKey(key) => match book.auth_key(key) {
                Some(auth_key) => put_auth_key(connection, auth_key).await?,
                None => {
                    return Err(SandboxError::Corrupt {
                        what: "a changed authKey",
                    });
                }
            },
        }
    }
    for answer in answers {
        sqlx::query(PUT_ANSWER)
            .bind(&answer.scope.0[..])
            .bind(answer.stored.first_at.timestamp_micros())
            .bind(i64::from(answer.stored.status))
            .bind(&answer.stored.body[..])
            .bind(&answer.stored.trace)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub async fn put_setting<'c>(
    executor: impl SqliteExecutor<'c>,
    name: &'static str,
    value: String,
) -> Result<(), SandboxError> {
    sqlx::query(PUT_SETTING)
        .bind(name)
        .bind(value)
        .execute(executor)
        .await?;
    Ok(())
}

async fn put_card(connection: &mut SqliteConnection, card: &Card) -> Result<(), SandboxError> {
    sqlx::query(PUT_CARD)
        .bind(card.id)
        .bind(&card.billing_key)
        .bind(&card.customer_key)
        .bind(&card.face.number)
        .bind(&card.face.issuer_code)
        .bind(&card.face.acquirer_code)
        .bind(&card.face.card_type)
        .bind(&card.face.owner_type)
        .bind(&card.expiry)
        .bind(card.behaviour.to_string())
        .bind(i64::from(card.declined))
        .bind(card.authenticated_at.map(us))
        .bind(card.deleted_at.map(us))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_payment(
    connection: &mut SqliteConnection,
    payment: &Payment,
) -> Result<(), SandboxError> {
    sqlx::query(PUT_PAYMENT)
        .bind(payment.id)
        .bind(&payment.key)
        .bind(&payment.order_id)
        .bind(&payment.order_name)
        .bind(match payment.kind {
            Kind::Normal => "NORMAL",
            Kind::Billing => "BILLING",
        })
        .bind(payment.status.wire())
        .bind(payment.card_id)
        .bind(payment.amount)
        .bind(payment.balance)
        .bind(payment.tax_free)
        .bind(payment.tax_exemption)
        .bind(payment.installment_months)
        .bind(us(payment.requested_at))
        .bind(payment.approved_at.map(us))
        .bind(&payment.transaction_key)
        .bind(&payment.failure)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_cancel(
    connection: &mut SqliteConnection,
    payment: i64,
    index: usize,
    cancel: &Cancel,
) -> Result<(), SandboxError> {
    sqlx::query(PUT_CANCEL)
        .bind(payment)
        .bind(i64::try_from(index).unwrap_or(i64::MAX))
        .bind(&cancel.transaction_key)
        .bind(cancel.amount)
        .bind(&cancel.reason)
        .bind(cancel.tax_free)
        .bind(cancel.tax_exemption)
        .bind(cancel.refundable_after)
        .bind(us(cancel.canceled_at))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_auth_key(
    connection: &mut SqliteConnection,
    auth_key: &AuthKey,
) -> Result<(), SandboxError> {
    sqlx::query(PUT_AUTH_KEY)
        .bind(&auth_key.key)
        .bind(auth_key.card_id)
        .bind(us(auth_key.created_at))
        .bind(auth_key.used_at.map(us))
        .execute(connection)
        .await?;
    Ok(())
}

fn us(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}
