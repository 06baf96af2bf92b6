//! The provider's reading endpoints: payments by key and by order, transactions, settlements.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::error::SandboxError;
use super::ledger::{Payment, Refusal, Status, is_session_over};
use super::persist::{self, TransactionQuery};
use super::routes::{Route, query_value};
use super::server::Desk;
use super::task::Forced;
use super::wire::{self, Answer};

const MOST_ROWS: usize = 5_000;
const USUAL_ROWS: usize = 100;

pub(super) async fn answer(
    desk: &Desk,
    route: &Route,
    query: Option<&str>,
    forced: Forced,
) -> Answer {
    match forced {
        Forced::Instead(answer) => return answer,
        Forced::Refuse(refusal) => return Answer::refused(&refusal, &desk.shared.codes),
        Forced::No => {}
    }
    let query = query.unwrap_or("");
    let found = match route {
        Route::Payment { payment_key } => by_key(desk, payment_key).await,
        Route::Order { order_id } => by_order(desk, order_id).await,
        Route::Transactions => transactions(desk, query).await,
        Route::Settlements => settlements(query),
        _ => Err(Trouble::Refused(Refusal::code("NOT_FOUND_HTTP_METHOD"))),
    };
    match found {
        Ok(body) => Answer::ok(body),
        Err(Trouble::Refused(refusal)) => Answer::refused(&refusal, &desk.shared.codes),
        Err(Trouble::File(error)) => {
            tracing::error!(%error, "the simulator could not read its file");
            desk.refused("FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING")
        }
    }
}

enum Trouble {
    Refused(Refusal),
    File(SandboxError),
}

impl From<SandboxError> for Trouble {
    fn from(error: SandboxError) -> Self {
        Self::File(error)
    }
}

fn refused(code: &'static str) -> Trouble {
    Trouble::Refused(Refusal::code(code))
}

async fn by_key(desk: &Desk, payment_key: &str) -> Result<Vec<u8>, Trouble> {
    let declined = desk.shared.switches().lookup_after_decline;
    let found = persist::payment_by_key(&desk.file.read, payment_key, declined).await?;
    found
        .map(|payment| shown(desk, &payment))
        .ok_or_else(|| refused("NOT_FOUND_PAYMENT"))
}

async fn by_order(desk: &Desk, order_id: &str) -> Result<Vec<u8>, Trouble> {
    let declined = desk.shared.switches().lookup_after_decline;
    let found = persist::payment_by_order(&desk.file.read, order_id, declined).await?;
    found
        .map(|payment| shown(desk, &payment))
        .ok_or_else(|| refused("NOT_FOUND_PAYMENT"))
}

fn shown(desk: &Desk, payment: &Payment) -> Vec<u8> {
    let is_over = is_session_over(payment, desk.shared.clock.now());
    let status = if is_over {
        Status::Expired
    } else {
        payment.status
    };
    wire::payment(
        payment,
        status,
        &desk.shared.merchant_id,
        &desk.shared.codes,
    )
}

async fn transactions(desk: &Desk, query: &str) -> Result<Vec<u8>, Trouble> {
    let switches = desk.shared.switches();
    let limit = match query_value(query, "limit").filter(|limit| !limit.is_empty()) {
        None => USUAL_ROWS,
        Some(limit) => limit.parse().map_err(|_| refused("INVALID_REQUEST"))?,
    };
    if limit == 0 {
        return Err(refused("INVALID_REQUEST"));
    }
    if limit > MOST_ROWS {
        return Err(refused("EXCEED_MAX_QUERY_LIMIT"));
    }
    // Answers show whole seconds, so the end of the range takes in its whole second.
    let to = time_of(query, "endDate")? + TimeDelta::microseconds(999_999);
    let request = TransactionQuery {
        from: time_of(query, "startDate")?,
        to,
        starting_after: query_value(query, "startingAfter").filter(|key| !key.is_empty()),
        limit,
    };
    if request.from > request.to {
        return Err(refused("INVALID_DATE"));
    }
    let rows = persist::transactions(
        &desk.file.read,
        &request,
        &switches,
        &desk.shared.merchant_id,
    )
    .await?;
    rows.map(|rows| wire::to_bytes(&rows))
        .ok_or_else(|| refused("INVALID_TRANSACTION_KEY"))
}

/// Settlements exist only in live; a test merchant has none.
fn settlements(query: &str) -> Result<Vec<u8>, Trouble> {
    time_of(query, "startDate")?;
    time_of(query, "endDate")?;
    let page = query_value(query, "page").map_or(Ok(1), |page| page.parse::<u32>());
    let size = query_value(query, "size").map_or(Ok(USUAL_ROWS), |size| size.parse::<usize>());
    let (Ok(page), Ok(size)) = (page, size) else {
        return Err(refused("INVALID_REQUEST"));
    };
    if page < 1 || size < 1 {
        return Err(refused("INVALID_REQUEST"));
    }
    if size > MOST_ROWS {
        return Err(refused("EXCEED_MAX_QUERY_LIMIT"));
    }
    match query_value(query, "dateType").as_deref() {
        None | Some("soldDate" | "paidOutDate") => Ok(b"[]".to_vec()),
        Some(_) => Err(refused("INVALID_REQUEST")),
    }
}

/// A date and time in Korea, or a date, which means its midnight.
fn time_of(query: &str, name: &str) -> Result<DateTime<Utc>, Trouble> {
    let text = query_value(query, name).ok_or_else(|| refused("INVALID_DATE"))?;
    let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f")
        .ok()
        .or_else(|| {
            NaiveDate::parse_from_str(&text, "%Y-%m-%d")
                .ok()?
                .and_hms_opt(0, 0, 0)
        });
    match local {
        Some(local) => Ok((local - TimeDelta::hours(9)).and_utc()),
        None => DateTime::parse_from_rfc3339(&text)
            .map(|at| at.with_timezone(&Utc))
            .map_err(|_| refused("INVALID_DATE")),
    }
}
