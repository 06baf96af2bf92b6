//! Lists that may be long: /v1/transactions and the control interface's ledger, page by page.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::super::error::SandboxError;
use super::super::switches::{CancelRowAmount, Switches, TransactionsOrder};
use super::super::wire::{TransactionJson, iso};
use super::load::time;

/// A page of /v1/transactions; times are inclusive.
#[derive(Debug, Clone)]
pub struct TransactionQuery {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub starting_after: Option<String>,
    pub limit: usize,
}

const APPROVALS_UP: &str = "select p.payment_key, p.order_id, c.customer_key, p.transaction_key, p.approved_at as at, \
    p.amount, 'DONE' as status from payment p join card c on c.card_id = p.card_id \
    where p.approved_at between $1 and $2 and (p.approved_at, p.transaction_key) > ($3, $4) \
    order by p.approved_at, p.transaction_key limit $5";

const APPROVALS_DOWN: &str = "select p.payment_key, p.order_id, c.customer_key, p.transaction_key, p.approved_at as at, \
    p.amount, 'DONE' as status from payment p join card c on c.card_id = p.card_id \
    where p.approved_at between $1 and $2 and (p.approved_at, p.transaction_key) < ($3, $4) \
    order by p.approved_at desc, p.transaction_key desc limit $5";

const CANCELS_UP: &str = "select p.payment_key, p.order_id, c.customer_key, x.transaction_key, x.canceled_at as at, \
    x.amount, case when x.amount = p.amount then 'CANCELED' else 'PARTIAL_CANCELED' end as status \
    from cancel x join payment p on p.payment_id = x.payment_id join card c on c.card_id = p.card_id \
    where x.canceled_at between $1 and $2 and (x.canceled_at, x.transaction_key) > ($3, $4) \
    order by x.canceled_at, x.transaction_key limit $5";

const CANCELS_DOWN: &str = "select p.payment_key, p.order_id, c.customer_key, x.transaction_key, x.canceled_at as at, \
    x.amount, case when x.amount = p.amount then 'CANCELED' else 'PARTIAL_CANCELED' end as status \
    from cancel x join payment p on p.payment_id = x.payment_id join card c on c.card_id = p.card_id \
    where x.canceled_at between $1 and $2 and (x.canceled_at, x.transaction_key) < ($3, $4) \
    order by x.canceled_at desc, x.transaction_key desc limit $5";

const TIME_OF: &str = "select approved_at from payment where transaction_key = $1 \
    union all select canceled_at from cancel where transaction_key = $1 limit 1";

/// Rows after the cursor, or `None` when no transaction has the cursor's key.
pub async fn transactions(
    pool: &SqlitePool,
    query: &TransactionQuery,
    switches: &Switches,
    merchant_id: &str,
) -> Result<Option<Vec<TransactionJson>>, SandboxError> {
    let is_up = switches.transactions_order == TransactionsOrder::Ascending;
    let cursor = match &query.starting_after {
        None if is_up => (i64::MIN, String::new()),
        None => (i64::MAX, String::new()),
        Some(key) => {
            let at: Option<i64> = sqlx::query_scalar(TIME_OF)
                .bind(key)
                .fetch_optional(pool)
                .await?;
            match at {
                Some(at) => (at, key.clone()),
                None => return Ok(None),
            }
        }
    };
    let (approvals, cancels) = if is_up {
        (APPROVALS_UP, CANCELS_UP)
    } else {
        (APPROVALS_DOWN, CANCELS_DOWN)
    };
    let mut rows = Vec::new();
    for sql in [approvals, cancels] {
        let found = sqlx::query(sql)
            .bind(query.from.timestamp_micros())
            .bind(query.to.timestamp_micros())
            .bind(cursor.0)
            .bind(&cursor.1)
            .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await?;
        for row in found {
            let at: i64 = row.try_get("at")?;
            rows.push((at, transaction_of(&row, at, switches, merchant_id)?));
        }
    }
    rows.sort_by(|(at, row), (other_at, other)| {
        (at, &row.transaction_key).cmp(&(other_at, &other.transaction_key))
    });
    if !is_up {
        rows.reverse();
    }
    rows.truncate(query.limit);
    Ok(Some(rows.into_iter().map(|(_, row)| row).collect()))
}

fn transaction_of(
    row: &SqliteRow,
    at: i64,
    switches: &Switches,
    merchant_id: &str,
) -> Result<TransactionJson, SandboxError> {
    let payment_key: String = row.try_get("payment_key")?;
    let status: String = row.try_get("status")?;
    let amount: i64 = row.try_get("amount")?;
    let is_negative = status != "DONE" && switches.cancel_row_amount == CancelRowAmount::Negative;
    Ok(TransactionJson {
        m_id: merchant_id.to_owned(),
        transaction_key: row.try_get("transaction_key")?,
        order_id: row.try_get("order_id")?,
        method: "카드",
        customer_key: row.try_get("customer_key")?,
        use_escrow: false,
        receipt_url: format!(
            "https://dashboard.tosspayments.com/receipt/redirection?transactionId={payment_key}&ref=PX"
        ),
        payment_key,
        status,
        transaction_at: iso(time(at)?),
        currency: "KRW",
        amount: if is_negative { -amount } else { amount },
    })
}

/// Where a walk through the ledger stands: first all charges, then all cancels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerPage {
    Charges { after: i64 },
    Cancels { after: (i64, i64) },
    End,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LedgerEntry {
    kind: &'static str,
    payment_key: String,
    order_id: String,
    customer_key: Option<String>,
    amount: i64,
    transaction_key: Option<String>,
    at: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

const PAGE: i64 = 2_000;

const CHARGES: &str = "select p.payment_id as id, 0 as position, p.payment_key, p.order_id, c.customer_key, p.amount, \
    p.transaction_key, p.approved_at as at, p.status, null as reason \
    from payment p join card c on c.card_id = p.card_id \
    where p.payment_id > $1 and $2 is not null and p.approved_at is not null \
    and ($3 is null or p.order_id = $3) and ($4 is null or c.customer_key = $4) order by p.payment_id limit $5";

const CANCELED: &str = "select x.payment_id as id, x.position, p.payment_key, p.order_id, c.customer_key, x.amount, \
    x.transaction_key, x.canceled_at as at, p.status, x.reason \
    from cancel x join payment p on p.payment_id = x.payment_id join card c on c.card_id = p.card_id \
    where (x.payment_id, x.position) > ($1, $2) \
    and ($3 is null or p.order_id = $3) and ($4 is null or c.customer_key = $4) \
    order by x.payment_id, x.position limit $5";

/// Entries as JSON texts, and where to go on.
pub async fn ledger_page(
    pool: &SqlitePool,
    page: &LedgerPage,
    order: Option<&str>,
    customer: Option<&str>,
) -> Result<(Vec<String>, LedgerPage), SandboxError> {
    let (sql, kind, after) = match page {
        LedgerPage::Charges { after } => (CHARGES, "charge", (*after, 0)),
        LedgerPage::Cancels { after } => (CANCELED, "cancel", *after),
        LedgerPage::End => return Ok((Vec::new(), LedgerPage::End)),
    };
    let rows = sqlx::query(sql)
        .bind(after.0)
        .bind(after.1)
        .bind(order)
        .bind(customer)
        .bind(PAGE)
        .fetch_all(pool)
        .await?;
    let mut entries = Vec::with_capacity(rows.len());
    let mut last = after;
    for row in &rows {
        last = (row.try_get("id")?, row.try_get("position")?);
        entries.push(entry_of(row, kind)?);
    }
    let next = match page {
        _ if !rows.is_empty() && kind == "charge" => LedgerPage::Charges { after: last.0 },
        _ if !rows.is_empty() => LedgerPage::Cancels { after: last },
        LedgerPage::Charges { .. } => LedgerPage::Cancels { after: (-1, -1) },
        LedgerPage::Cancels { .. } | LedgerPage::End => LedgerPage::End,
    };
    Ok((entries, next))
}

fn entry_of(row: &SqliteRow, kind: &'static str) -> Result<String, SandboxError> {
    let at: i64 = row.try_get("at")?;
    let entry = LedgerEntry {
        kind,
        payment_key: row.try_get("payment_key")?,
        order_id: row.try_get("order_id")?,
        customer_key: row.try_get("customer_key")?,
        amount: row.try_get("amount")?,
        transaction_key: row.try_get("transaction_key")?,
        at: iso(time(at)?),
        status: row.try_get("status")?,
        reason: row.try_get("reason")?,
    };
    serde_json::to_string(&entry).map_err(|_| SandboxError::Corrupt {
        what: "a ledger entry",
    })
}

/// Number and sum of charges and cancels.
#[derive(Debug, Serialize)]
pub struct LedgerSummary {
    pub charges: i64,
    pub charged_amount: i64,
    pub cancels: i64,
    pub canceled_amount: i64,
    /// Orders with more than one executed charge: always 0, or the simulator itself is wrong.
    pub orders_charged_twice: i64,
}

pub async fn ledger_summary(pool: &SqlitePool) -> Result<LedgerSummary, SandboxError> {
    const CHARGED: &str = "select count(*) as n, coalesce(sum(amount), 0) as total, \
        count(*) - count(distinct order_id) as twice from payment where approved_at is not null";
    const CANCELED: &str = "select count(*) as n, coalesce(sum(amount), 0) as total from cancel";
    let charged = sqlx::query(CHARGED).fetch_one(pool).await?;
    let canceled = sqlx::query(CANCELED).fetch_one(pool).await?;
    Ok(LedgerSummary {
        charges: charged.try_get("n")?,
        charged_amount: charged.try_get("total")?,
        cancels: canceled.try_get("n")?,
        canceled_amount: canceled.try_get("total")?,
        orders_charged_twice: charged.try_get("twice")?,
    })
}
