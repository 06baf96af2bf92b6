//! What is kept about what happened: audit, notices, events, runs, notes, daily figures.

use chrono::{DateTime, Utc};

use super::{MODE, PROVIDER, Row, row};
use crate::domain::audit::AuditRecord;
use crate::domain::run::{Decision, Run, RunItem};

pub(in crate::demo) fn audit(record: AuditRecord) -> Row {
    let entry = record.entry;
    row![
        record.seq,
        record.chain,
        record.seq,
        record.prev,
        record.hash,
        entry.at,
        entry.person,
        entry.claims,
        entry.mode.as_str(),
        entry.verb,
        entry.target,
        entry.before,
        entry.after,
        entry.reason,
        entry.result,
        entry.provider_ref,
        entry.approver,
    ]
}

/// A notice that was delivered.
pub(in crate::demo) fn notice(
    id: i64,
    kind: &str,
    key: &str,
    payload: String,
    at: [DateTime<Utc>; 2],
) -> Row {
    row![
        id,
        kind,
        key,
        payload,
        "sent",
        1_i64,
        None::<i64>,
        None::<&str>,
        at[0],
        at[1],
    ]
}

/// An event of the provider that a billing key is gone.
pub(in crate::demo) fn key_deleted(
    id: i64,
    key_hash: String,
    digest: &str,
    at: DateTime<Utc>,
) -> Row {
    row![
        id,
        PROVIDER,
        MODE,
        digest,
        "BILLING_DELETED",
        "processed",
        None::<&str>,
        None::<&str>,
        key_hash,
        "{\"createdAt\":\"text\",\"data\":{\"billingKey\":\"text\",\"reason\":\"text\"},\"eventType\":\"text\"}",
        digest,
        None::<Vec<u8>>,
        None::<&str>,
        1_i64,
        None::<&str>,
        at,
        at + chrono::TimeDelta::milliseconds(840),
    ]
}

pub(in crate::demo) fn run(run: &Run) -> Row {
    row![
        run.id,
        run.public_id.as_str(),
        run.public_id.tail(),
        run.state.as_str(),
        run.operator.as_str(),
        run.host.as_str(),
        run.until,
        run.started_at,
        run.finished_at,
        run.stop_reason.as_deref(),
    ]
}

pub(in crate::demo) fn run_item(id: i64, item: &RunItem) -> Row {
    row![
        id,
        item.run_id,
        item.subscription_id,
        item.invoice_id,
        item.attempt_id,
        item.decision.map(Decision::as_str),
        item.reason.as_str(),
        item.at,
    ]
}

pub(in crate::demo) fn note(
    id: i64,
    target: &str,
    author: &str,
    body: &str,
    at: DateTime<Utc>,
) -> Row {
    row![id, target, author, body, at]
}
