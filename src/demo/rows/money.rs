//! Attempts, what they brought, and the money that moved.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::{MODE, PROVIDER, Row, WON, row};
use crate::demo::world::{Account, Return};
use crate::domain::attempt::Attempt;
use crate::domain::evidence::EvidenceSource;
use crate::domain::ids::EvidenceId;
use crate::domain::payment::{Payment, ThreeDSecure};
use crate::domain::period::local_date;

pub(in crate::demo) fn attempt(attempt: Attempt, evidence: Option<EvidenceId>, zone: Tz) -> Row {
    let refusal = attempt.refusal.as_ref();
    row![
        attempt.id,
        attempt.public_id.as_str(),
        attempt.public_id.tail(),
        attempt.kind.as_str(),
        attempt.invoice_id,
        attempt.payment_id,
        attempt.customer_id,
        attempt.subscription_id,
        attempt.attempt_no,
        attempt.source.as_str(),
        PROVIDER,
        MODE,
        attempt.method_id,
        attempt.order_id,
        attempt.idem_key,
        attempt.provider_ref,
        attempt.body,
        attempt.amount.minor(),
        attempt.amount.currency().code(),
        attempt.expected_balance_minor,
        attempt.also_cancel.as_str(),
        attempt.state.as_str(),
        attempt.needs_human,
        attempt.lease_owner,
        attempt.lease_epoch,
        attempt.lease_until,
        attempt.send_after,
        attempt.first_sent_at,
        attempt.last_sent_at,
        attempt.send_count,
        attempt.next_check_at,
        attempt.checks,
        attempt.not_seen,
        refusal.map(|refusal| refusal.code.as_str()),
        refusal.map(|refusal| refusal.class.as_str()),
        refusal.map(|refusal| refusal.proves.as_str()),
        refusal.map(|refusal| refusal.http_status),
        attempt.replayed_at,
        attempt.trace_id,
        attempt.operator,
        attempt.reason,
        attempt.created_at,
        attempt.settled_at,
        attempt.settled_at.map(|at| local_date(at, zone)),
        evidence,
    ]
}

/// What a call or look-up brought.
#[derive(Debug)]
pub(in crate::demo) struct Brought<'a> {
    pub(in crate::demo) source: EvidenceSource,
    pub(in crate::demo) outcome: &'static str,
    pub(in crate::demo) http_status: Option<u16>,
    pub(in crate::demo) code: Option<&'static str>,
    pub(in crate::demo) reference: Option<&'a str>,
    pub(in crate::demo) amount: Option<i64>,
    pub(in crate::demo) trace_id: Option<&'a str>,
    pub(in crate::demo) digest: Option<String>,
    pub(in crate::demo) elapsed_ms: i64,
    pub(in crate::demo) at: DateTime<Utc>,
}

pub(in crate::demo) fn evidence(id: i64, attempt: i64, brought: Brought<'_>) -> Row {
    row![
        id,
        attempt,
        brought.source.as_str(),
        brought.outcome,
        brought.http_status,
        brought.code,
        brought.reference,
        brought.amount,
        brought.amount.map(|_| WON),
        brought.trace_id,
        brought.digest,
        brought.elapsed_ms,
        brought.at,
    ]
}

pub(in crate::demo) fn payment(
    payment: &Payment,
    plan: Option<i64>,
    method: i64,
    on: NaiveDate,
) -> Row {
    row![
        payment.id,
        payment.public_id.as_str(),
        payment.public_id.tail(),
        payment.invoice_id,
        payment.attempt_id,
        payment.customer_id,
        payment.subscription_id,
        plan,
        method,
        PROVIDER,
        MODE,
        payment.provider_ref.as_str(),
        payment.order_id.as_str(),
        payment.captured.minor(),
        payment.captured.currency().code(),
        payment.refunded_minor,
        payment.reserved_minor,
        payment.captured_at,
        on,
        payment.is_duplicate,
        payment.version,
        payment.card_use.installment_months.map(i64::from),
        payment.card_use.three_d_secure.map(ThreeDSecure::as_str),
    ]
}

pub(in crate::demo) fn refund(
    id: i64,
    back: &Return,
    attempt: i64,
    done: (DateTime<Utc>, NaiveDate),
) -> Row {
    let plan = (back.plan_id > 0).then_some(back.plan_id);
    row![
        id,
        back.public_id.as_str(),
        back.public_id.tail(),
        back.payment,
        attempt,
        Account::row(back.account),
        plan,
        back.amount,
        WON,
        back.reason,
        back.transaction_key.as_str(),
        done.0,
        done.1,
        back.operator,
    ]
}

/// One of the two entries of a movement.
pub(in crate::demo) fn ledger(
    id: i64,
    ids: (i64, i64),
    account: &str,
    amount: i64,
    at: DateTime<Utc>,
) -> Row {
    row![id, ids.0, ids.1, account, amount, WON, at]
}
