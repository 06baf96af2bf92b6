//! Customers, what is sold to them, their cards, subscriptions and invoices.

use chrono::{DateTime, Utc};

use super::{MODE, PROVIDER, Row, row};
use crate::demo::cards::Plastic;
use crate::demo::people::Contact;
use crate::demo::world::{Account, Life};
use crate::domain::customer::SealedKey;
use crate::domain::failure::FailureClass;
use crate::domain::invoice::Invoice;
use crate::domain::plan::{Plan, Product};
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{Change, Term};
use crate::text;

pub(in crate::demo) fn customer(
    index: u32,
    account: &Account,
    key: &str,
    contact: &Contact,
) -> Row {
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

pub(in crate::demo) fn product(product: &Product, at: DateTime<Utc>) -> Row {
    row![
        product.id,
        product.public_id.as_str(),
        product.public_id.tail(),
        product.code.as_str(),
        product.name.as_str(),
        at,
    ]
}

pub(in crate::demo) fn plan(plan: &Plan) -> Row {
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

pub(in crate::demo) fn method(card: &Plastic, sealed: SealedKey) -> Row {
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
pub(in crate::demo) fn issue(
    card: &Plastic,
    digest: String,
    operator: &str,
    at: DateTime<Utc>,
) -> Row {
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

pub(in crate::demo) fn subscription(life: &Life) -> Row {
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

pub(in crate::demo) fn term(id: i64, term: &Term) -> Row {
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

pub(in crate::demo) fn change(id: i64, change: &Change) -> Row {
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

pub(in crate::demo) fn invoice(invoice: &Invoice) -> Row {
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
pub(in crate::demo) fn line(invoice: &Invoice) -> Row {
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
