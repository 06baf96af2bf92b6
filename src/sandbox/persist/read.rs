//! Look-ups that change nothing; they never wait for the writer.

use sqlx::{Row, SqlitePool};

use super::super::error::SandboxError;
use super::super::ledger::{Payment, Status};
use super::super::switches::LookupAfterDecline;
use super::load::{payments_by_key, payments_by_order};

pub async fn payment_by_key(
    pool: &SqlitePool,
    payment_key: &str,
    declined: LookupAfterDecline,
) -> Result<Option<Payment>, SandboxError> {
    let mut connection = pool.acquire().await?;
    let found = payments_by_key(&mut connection, payment_key).await?;
    Ok(found
        .into_iter()
        .rfind(|payment| is_visible(payment, declined)))
}

/// The newest payment of the order.
pub async fn payment_by_order(
    pool: &SqlitePool,
    order_id: &str,
    declined: LookupAfterDecline,
) -> Result<Option<Payment>, SandboxError> {
    let mut connection = pool.acquire().await?;
    let found = payments_by_order(&mut connection, order_id).await?;
    Ok(found
        .into_iter()
        .rfind(|payment| is_visible(payment, declined)))
}

fn is_visible(payment: &Payment, declined: LookupAfterDecline) -> bool {
    payment.status != Status::Aborted || declined == LookupAfterDecline::Aborted
}

/// Order and customer of a payment: what a fault script may match a call by key with.
pub async fn subject_of_payment(
    pool: &SqlitePool,
    payment_key: &str,
) -> Result<Option<(String, Option<String>)>, SandboxError> {
    const SUBJECT: &str = "select p.order_id, c.customer_key from payment p join card c on c.card_id = p.card_id \
        where p.payment_key = $1";
    let row = sqlx::query(SUBJECT)
        .bind(payment_key)
        .fetch_optional(pool)
        .await?;
    row.map(|row| Ok((row.try_get("order_id")?, row.try_get("customer_key")?)))
        .transpose()
}

/// The keys of a customer that are not deleted.
pub async fn billing_keys_of_customer(
    pool: &SqlitePool,
    customer_key: &str,
) -> Result<Vec<String>, SandboxError> {
    const KEYS: &str = "select billing_key from card where customer_key = $1 and billing_key is not null \
        and deleted_at is null order by card_id limit 100";
    Ok(sqlx::query_scalar(KEYS)
        .bind(customer_key)
        .fetch_all(pool)
        .await?)
}
