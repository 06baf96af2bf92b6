//! Driver errors in the words of the port: by what the caller may do next. The texts kept as source
//! carry a code and the database's first line, never the values it quotes in its details.

use crate::engine::ports::{Constraint, StoreError};

/// What the database said, without its details.
#[derive(Debug, thiserror::Error)]
#[error("{message} (code {code})")]
struct Said {
    code: String,
    message: String,
}

/// A statement, a connection or a row that failed. Nothing was committed.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default().into_owned();
            let kept = Said {
                message: said.message().to_owned(),
                code: code.clone(),
            };
            match said.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                Some(postgres) => from_postgres(&code, postgres.constraint(), kept),
                None => from_sqlite(&code, kept),
            }
        }
        sqlx::Error::PoolTimedOut => StoreError::Busy(error.into()),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
            StoreError::Unreachable(error.into())
        }
        other => StoreError::Other(other.into()),
    }
}

/// COMMIT failed. Only an answer that names a reason proves that nothing was written.
pub(super) fn commit_failed(error: sqlx::Error) -> StoreError {
    let is_certain = error.as_database_error().is_some_and(|said| {
        let code = said.code().unwrap_or_default();
        if said
            .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .is_some()
        {
            code.starts_with("23") || code == "40001" || code == "40P01"
        } else {
            matches!(primary(&code), Some(5 | 6 | 19))
        }
    });
    if is_certain {
        failed(error)
    } else {
        match error {
            sqlx::Error::Database(said) => StoreError::CommitUnknown(
                Said {
                    code: said.code().unwrap_or_default().into_owned(),
                    message: said.message().to_owned(),
                }
                .into(),
            ),
            other => StoreError::CommitUnknown(other.into()),
        }
    }
}

/// SQLite's primary result code: the low byte of the extended one.
fn primary(code: &str) -> Option<i32> {
    code.parse::<i32>().ok().map(|number| number & 0xff)
}

fn from_sqlite(code: &str, said: Said) -> StoreError {
    const LOCKED: [i32; 2] = [5, 6];
    const READ_ONLY: i32 = 8;
    const CANNOT_OPEN: i32 = 14;
    const CONSTRAINT: i32 = 19;
    const NOT_A_DATABASE: i32 = 26;
    match primary(code) {
        Some(busy) if LOCKED.contains(&busy) => StoreError::Busy(said.into()),
        Some(CONSTRAINT) => {
            let rule = said
                .message
                .split_once(" failed: ")
                .map_or(said.message.as_str(), |(_, rule)| rule);
            StoreError::Refused(constraint(rule))
        }
        Some(READ_ONLY) => StoreError::WrongDatabase(
            "the database file may only be read: check its owner and mode, and those of its directory".to_owned(),
        ),
        Some(CANNOT_OPEN) => StoreError::WrongDatabase(
            "the database file cannot be opened: check its owner and mode; opened read-only it also needs the files ending in -wal and -shm beside it".to_owned(),
        ),
        Some(NOT_A_DATABASE) => {
            StoreError::WrongDatabase("the file is not a database of paydeck".to_owned())
        }
        _ => StoreError::Other(said.into()),
    }
}

fn from_postgres(code: &str, rule: Option<&str>, said: Said) -> StoreError {
    match code {
        // Lock not available, deadlock, serialization, statement timeout, too many connections.
        "55P03" | "40P01" | "40001" | "57014" | "53300" => StoreError::Busy(said.into()),
        "3D000" => StoreError::WrongDatabase("there is no such database on the server: make an empty one with `createdb`, then run the command again".to_owned()),
        "25006" => StoreError::WrongDatabase("the database may only be read".to_owned()),
        _ if code.starts_with("23") => StoreError::Refused(constraint(rule.unwrap_or_default())),
        // Connection trouble, shutdown, sign-in refused.
        _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("28") => {
            StoreError::Unreachable(said.into())
        }
        _ => StoreError::Other(said.into()),
    }
}

/// Which rule a name stands for: an index, check or trigger by its name, and for SQLite's unique
/// indexes the list of their columns.
fn constraint(rule: &str) -> Constraint {
    match rule {
        "attempt_order_id" | "attempt.order_id, attempt.provider, attempt.mode" => {
            Constraint::OrderId
        }
        "attempt_idem_key" | "attempt.idem_key" | "mirror_act_key" | "mirror_act.idem_key" => {
            Constraint::IdempotencyKey
        }
        "attempt_number" | "attempt.target_id, attempt.kind, attempt.attempt_no" => {
            Constraint::AttemptNumber
        }
        "attempt_open_charge" | "attempt.invoice_id" => Constraint::OpenCharge,
        "attempt_open_refund" | "attempt.payment_id" => Constraint::OpenRefund,
        "invoice_period"
        | "invoice.subscription_id, invoice.term_no, invoice.period_index, invoice.kind" => {
            Constraint::InvoicePeriod
        }
        "subscription_exclusive" | "subscription.exclusive_key" => Constraint::OneSubscription,
        "customer_customer_key" | "customer.customer_key" => Constraint::CustomerKey,
        "plan_code" | "plan.code" | "product_code" | "product.code" => Constraint::Code,
        "payment_balance" => Constraint::RefundBalance,
        "approval_waiting" | "approval.target" => Constraint::OpenApproval,
        "approval_four_eyes" | "not_declared" => Constraint::FourEyes,
        "approval_in_time" | "approval_expiry" | "approval_born" | "approval_fixed"
        | "approval_used" => Constraint::Approval,
        "two_schedulers"
        | "subscription_mirrored"
        | "subscription_provider_ref"
        | "subscription.provider_ref"
        | "invoice_provider_ref"
        | "invoice.provider_ref"
        | "mirror_subscription"
        | "mirror.subscription_id" => Constraint::TwoSchedulers,
        "mirror_act_open" | "mirror_act.subscription_id" => Constraint::OpenWish,
        "settled_state" => Constraint::SettledState,
        "not_undone" => Constraint::NotUndone,
        "append_only" => Constraint::AppendOnly,
        _ => Constraint::Other,
    }
}
