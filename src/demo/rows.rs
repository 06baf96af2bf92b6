//! Domain values as rows of the bulk writer, in the order of its columns.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::cards::Plastic;
use super::people::Contact;
use super::world::{Account, Life, Return};
use crate::domain::attempt::Attempt;
use crate::domain::audit::AuditRecord;
use crate::domain::customer::SealedKey;
use crate::domain::evidence::EvidenceSource;
use crate::domain::failure::FailureClass;
use crate::domain::ids::EvidenceId;
use crate::domain::invoice::Invoice;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Currency;
use crate::domain::payment::Payment;
use crate::domain::period::local_date;
use crate::domain::plan::{Plan, Product};
use crate::domain::run::{Decision, Run, RunItem};
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{Change, Term};
use crate::store::Value;
use crate::text;

/// The values of one row.
pub(super) type Row = Vec<Value>;

macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$(Value::from($value)),*] };
}

/// The only currency of the demo, as stored.
pub(super) const WON: &str = "KRW";
const PROVIDER: &str = ProviderName::Toss.as_str();
const MODE: &str = Mode::Sim.as_str();

pub(super) fn customer(index: u32, account: &Account, key: &str, contact: &Contact) -> Row {
    row![
        Account::row(index),
        account.public_id().as_str(),
        account.public_id().tail(),
        key,
        contact.name.as_str(),
        contact.email.as_str(),
        contact.phone.as_str(),
        text::search_key(&contact.name),
        text::initials(&contact.name),
        contact.email.trim().to_lowercase(),
        text::phone_key(&contact.phone),
        account.created_us,
        None::<i64>,
        account.version,
    ]
}

pub(super) fn product(product: &Product, at: DateTime<Utc>) -> Row {
    row![
        product.id,
        product.public_id.as_str(),
        product.public_id.tail(),
        product.code.as_str(),
        product.name.as_str(),
        at,
    ]
}

pub(super) fn plan(plan: &Plan) -> Row {
    let features = serde_json::Value::from(plan.features.clone()).to_string();
    row![
        plan.id,
        plan.public_id.as_str(),
        plan.public_id.tail(),
        plan.product_id,
        plan.code.as_str(),
        plan.name.as_str(),
        plan.price.minor(),
        plan.price.currency().code(),
        plan.interval.unit.as_str(),
        plan.interval.count,
        plan.tier.as_str(),
        plan.trial_days,
        features,
        plan.active,
        plan.created_at,
        plan.version,
    ]
}

pub(super) fn method(card: &Plastic, sealed: SealedKey) -> Row {
    let face = card.face();
    let (year, month) = face.expiry.unzip();
    row![
        card.method,
        card.public_id().as_str(),
        card.public_id().tail(),
        Account::row(card.account),
        PROVIDER,
        MODE,
        face.issuer.as_str(),
        face.number.as_str(),
        face.last4(),
        face.kind.as_str(),
        year.map(i64::from),
        month,
        sealed.sealed,
        sealed.key_id,
        sealed.hash,
        card.state.as_str(),
        card.created_us,
        card.deleted_us,
        card.version,
    ]
}

/// An auth key that was exchanged for the card.
pub(super) fn issue(card: &Plastic, digest: String, operator: &str, at: DateTime<Utc>) -> Row {
    row![
        card.method,
        Account::row(card.account),
        digest,
        operator,
        at,
        "issued",
        card.method,
        None::<&str>,
        card.created_us,
    ]
}

pub(super) fn subscription(life: &Life) -> Row {
    let sub = &life.sub;
    let id = life.public_id();
    row![
        sub.id,
        id.as_str(),
        id.tail(),
        sub.customer_id,
        sub.product_id,
        sub.plan_id,
        sub.state.as_str(),
        sub.quantity,
        sub.method_id,
        sub.mode.as_str(),
        sub.term_no,
        sub.next_period,
        sub.next_due_at,
        sub.paid_until,
        sub.trial_until,
        sub.cancel_at,
        sub.cancel_requested_at,
        sub.ended_at,
        sub.first_failed_at,
        format!("{}:{}", sub.customer_id.0, sub.product_id.0),
        "paydeck",
        sub.created_at,
        sub.version,
    ]
}

pub(super) fn term(id: i64, term: &Term) -> Row {
    row![
        id,
        term.subscription_id,
        term.term_no,
        term.plan_id,
        term.anchor.date,
        term.anchor.zone.name(),
        term.anchor.interval.unit.as_str(),
        term.anchor.interval.count,
        term.quantity,
        term.price.minor(),
        term.price.currency().code(),
        term.from_at,
        term.to_at,
    ]
}

pub(super) fn change(id: i64, change: &Change) -> Row {
    row![
        id,
        change.subscription_id,
        change.at,
        change.from.map(SubscriptionState::as_str),
        change.to.as_str(),
        change.plan_id,
        change.price.minor(),
        change.price.currency().code(),
        change.quantity,
        change.discount_minor,
        change.cause.as_str(),
        change.requested_by.as_str(),
        change.requested_at,
    ]
}

pub(super) fn invoice(invoice: &Invoice) -> Row {
    row![
        invoice.id,
        invoice.public_id.as_str(),
        invoice.public_id.tail(),
        invoice.customer_id,
        invoice.subscription_id,
        invoice.term_no,
        invoice.period_index,
        invoice.kind.as_str(),
        invoice.state.as_str(),
        invoice.amount.minor(),
        invoice.amount.currency().code(),
        invoice.description.as_str(),
        invoice.due_at,
        invoice.period_from,
        invoice.period_to,
        invoice.attempts,
        invoice.dunning_used,
        invoice.dunning.as_str(),
        invoice.next_attempt_at,
        invoice.first_failed_at,
        invoice.last_code.as_deref(),
        invoice.last_class.map(FailureClass::as_str),
        invoice.paid_at,
        invoice.created_at,
        invoice.version,
    ]
}

/// The one line of an invoice. It is numbered like its invoice.
pub(super) fn line(invoice: &Invoice) -> Row {
    row![
        invoice.id,
        invoice.id,
        1_i64,
        invoice.description.as_str(),
        1_i64,
        invoice.amount.minor(),
        invoice.amount.currency().code(),
    ]
}

pub(super) fn attempt(attempt: Attempt, evidence: Option<EvidenceId>, zone: Tz) -> Row {
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
pub(super) struct Brought<'a> {
    pub(super) source: EvidenceSource,
    pub(super) outcome: &'static str,
    pub(super) http_status: Option<u16>,
    pub(super) code: Option<&'static str>,
    pub(super) reference: Option<&'a str>,
    pub(super) amount: Option<i64>,
    pub(super) trace_id: Option<&'a str>,
    pub(super) digest: Option<String>,
    pub(super) elapsed_ms: i64,
    pub(super) at: DateTime<Utc>,
}

pub(super) fn evidence(id: i64, attempt: i64, brought: Brought<'_>) -> Row {
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

pub(super) fn payment(payment: &Payment, plan: Option<i64>, method: i64, on: NaiveDate) -> Row {
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
    ]
}

pub(super) fn refund(
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
        Currency::KRW.code(),
        back.reason,
        back.transaction_key.as_str(),
        done.0,
        done.1,
        back.operator,
    ]
}

/// One of the two entries of a movement.
pub(super) fn ledger(
    id: i64,
    ids: (i64, i64),
    account: &str,
    amount: i64,
    at: DateTime<Utc>,
) -> Row {
    row![id, ids.0, ids.1, account, amount, WON, at]
}

pub(super) fn audit(record: AuditRecord) -> Row {
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
pub(super) fn notice(
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
pub(super) fn key_deleted(id: i64, key_hash: String, digest: &str, at: DateTime<Utc>) -> Row {
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

pub(super) fn run(run: &Run) -> Row {
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

pub(super) fn run_item(id: i64, item: &RunItem) -> Row {
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

pub(super) fn note(id: i64, target: &str, author: &str, body: &str, at: DateTime<Utc>) -> Row {
    row![id, target, author, body, at]
}
