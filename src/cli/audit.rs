//! Audit rows that this face itself is responsible for: exports, refused attempts, and the start of the console.
//!
//! What the engine does it records itself, in the transaction of the change.

use super::error::CliError;
use super::permit::Permit;
use chrono::{DateTime, Utc};

use crate::domain::audit::AuditEntry;
use crate::domain::mode::Mode;
use crate::domain::operator::Operator;
use crate::engine::ports::{Attempts as _, Books as _, Desk, Store, Tx as _};

/// What is to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct Press<'a> {
    pub verb: &'a str,
    pub target: &'a str,
    pub after: &'a str,
    pub reason: &'a str,
    pub result: &'a str,
}

/// Writes one row, in a transaction of its own.
pub async fn record<S: Store>(
    _permit: &Permit,
    store: &S,
    (mode, now): (Mode, DateTime<Utc>),
    operator: &Operator,
    press: Press<'_>,
) -> Result<(), CliError> {
    let claims: serde_json::Map<String, serde_json::Value> = operator
        .evidence
        .iter()
        .map(|(name, value)| (name.clone(), serde_json::Value::from(value.as_str())))
        .collect();
    let mut desk = Desk::new();
    let mut tx = store.begin(&mut desk).await?;
    let at = match mode {
        // In a simulation everything a person reads is told by its one clock.
        Mode::Sim => now,
        Mode::Live | Mode::Test => tx.db_now().await?,
    };
    tx.audit(&AuditEntry {
        at,
        person: operator.person.clone(),
        claims: serde_json::Value::Object(claims).to_string(),
        mode,
        verb: press.verb.to_owned(),
        target: press.target.to_owned(),
        before: String::new(),
        after: press.after.to_owned(),
        reason: press.reason.to_owned(),
        result: press.result.to_owned(),
        provider_ref: String::new(),
        approver: String::new(),
    })
    .await?;
    tx.commit().await?;
    Ok(())
}
