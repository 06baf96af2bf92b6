//! How a PostgreSQL database is opened: bounded waits, a name for `pg_stat_activity`, and a refusal
//! of servers that may forget what they have confirmed.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Row as _};
use std::time::Duration;

use super::error::failed;
use crate::domain::mode::Mode;
use crate::engine::ports::StoreError;

/// The tables, then everything else; a schema version is how many of these were applied.
pub(super) const MIGRATIONS: [&str; 13] = [
    include_str!("../../../assets/migrations/postgres/0001_tables.sql"),
    include_str!("../../../assets/migrations/postgres/0002_indexes_triggers_and_views.sql"),
    include_str!("../../../assets/migrations/postgres/0003_reading.sql"),
    include_str!("../../../assets/migrations/postgres/0004_tallies.sql"),
    include_str!("../../../assets/migrations/postgres/0005_run_leases.sql"),
    include_str!("../../../assets/migrations/postgres/0006_prices.sql"),
    include_str!("../../../assets/migrations/postgres/0007_approvals.sql"),
    include_str!("../../../assets/migrations/postgres/0008_looked_for.sql"),
    include_str!("../../../assets/migrations/postgres/0009_declared_by_two.sql"),
    include_str!("../../../assets/migrations/postgres/0010_mirrored.sql"),
    include_str!("../../../assets/migrations/postgres/0011_refund_reversals.sql"),
    include_str!("../../../assets/migrations/postgres/0012_card_use.sql"),
    include_str!("../../../assets/migrations/postgres/0013_fees.sql"),
];

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const STATEMENTS_KEPT: usize = 400;
const BOUNDS: [(&str, &str); 7] = [
    ("lock_timeout", "3s"),
    ("statement_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "15s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("client_min_messages", "warning"),
];
const UNBOUNDED: [(&str, &str); 4] = [
    ("lock_timeout", "0"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("client_min_messages", "warning"),
];

fn options(address: &str) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = address.parse().map_err(|_: sqlx::Error| {
        StoreError::WrongDatabase(
            "the address of the PostgreSQL database cannot be read".to_owned(),
        )
    })?;
    Ok(options
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging())
}

/// The connections of one process.
pub(super) async fn pool(address: &str, operator: &str, size: u32) -> Result<PgPool, StoreError> {
    let options = options(address)?
        .application_name(&format!("paydeck/{operator}"))
        .options(BOUNDS);
    PgPoolOptions::new()
        .max_connections(size.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(failed)
}

/// One connection for making, migrating and loading, which may take long: what the server or the role limits otherwise is
/// lifted for it.
pub(super) async fn single(address: &str) -> Result<PgConnection, StoreError> {
    options(address)?
        .application_name("paydeck/migrate")
        .options(UNBOUNDED)
        .connect()
        .await
        .map_err(failed)
}

/// Live money needs a server that keeps what it has confirmed.
pub(super) async fn check_durable(pool: &PgPool, mode: Mode) -> Result<(), StoreError> {
    if mode != Mode::Live {
        return Ok(());
    }
    let off = sqlx::query(
        "select name from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name",
    )
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    let names: Vec<String> = off.iter().flat_map(|row| row.try_get("name")).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(StoreError::WrongDatabase(format!(
        "the server would forget confirmed payments after a crash: {} must be on in live mode",
        names.join(", ")
    )))
}

/// The search index makes no trigrams of Hangul in a database whose locale knows no letters.
pub(super) async fn check_trigrams(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row = sqlx::query("select coalesce(cardinality(show_trgm('ㅅㅓㅎㅕㄴ')), 0)::bigint as n")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    let count: i64 = row.try_get("n").map_err(failed)?;
    if count > 0 {
        return Ok(());
    }
    Err(StoreError::WrongDatabase(
        "names in Hangul cannot be searched in this database: create it with a UTF-8 locale, such as `create database … template template0 locale 'C.UTF-8'`".to_owned(),
    ))
}

/// Creating the extension may need more rights than we have.
pub(super) fn explain_extension(error: sqlx::Error) -> StoreError {
    let text = error.to_string();
    if text.contains("pg_trgm") {
        return StoreError::WrongDatabase(format!(
            "PostgreSQL's extension pg_trgm is needed and could not be created: {text}"
        ));
    }
    failed(error)
}
