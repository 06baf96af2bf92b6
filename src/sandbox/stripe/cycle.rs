//! The provider's own schedule of a subscription: trials, renewals, ends, and what payment or its lack makes of it.

use serde_json::{Value, json};

use super::bill::{self, Draft};
use super::collect;
use super::invoice;
use super::json;
use super::kind::Kind;
use super::period;
use super::room::Room;

/// How long a first payment may take.
const INCOMPLETE: i64 = 23 * 3_600;
/// How long a renewal stays a draft.
const DRAFT: i64 = 3_600;
/// How long before its end a trial is spoken of.
const TRIAL_NOTICE: i64 = 3 * 86_400;

pub fn status(subscription: &Value) -> &str {
    json::text(subscription, "status").unwrap_or_default()
}

/// Items of a subscription.
pub fn items(subscription: &Value) -> Vec<Value> {
    subscription["items"]["data"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

pub fn set_items(subscription: &mut Value, items: &[Value]) {
    let url = format!(
        "/v1/subscription_items?subscription={}",
        json::id(subscription)
    );
    json::set(
        subscription,
        "items",
        json!({ "object": "list", "data": items, "has_more": false, "total_count": items.len(), "url": url }),
    );
}

/// The period that runs, as its first item says.
pub fn current(subscription: &Value) -> (i64, i64) {
    let item = &subscription["items"]["data"][0];
    (
        json::int(item, "current_period_start"),
        json::int(item, "current_period_end"),
    )
}

pub fn set_period(subscription: &mut Value, (from, to): (i64, i64)) {
    let mut all = items(subscription);
    for item in &mut all {
        json::set(item, "current_period_start", from);
        json::set(item, "current_period_end", to);
    }
    set_items(subscription, &all);
}

/// The k-th period after the anchor.
pub fn nth(subscription: &Value, k: i64) -> (i64, i64) {
    let anchor = json::int(subscription, "billing_cycle_anchor");
    let price = &subscription["items"]["data"][0]["price"];
    (
        period::start(anchor, price, k),
        period::start(anchor, price, k + 1),
    )
}

/// Keeps it, with the time at which something happens to it by itself.
pub fn keep(room: &mut Room<'_>, subscription: &mut Value) {
    plan_next(subscription);
    room.save(Kind::Subscription, subscription);
}

/// Keeps it and tells what changed.
pub fn keep_told(room: &mut Room<'_>, before: &Value, subscription: &mut Value) {
    plan_next(subscription);
    room.save_told(
        Kind::Subscription,
        "customer.subscription.updated",
        before,
        subscription,
    );
}

fn plan_next(subscription: &mut Value) {
    let trial_end = json::instant(subscription, "trial_end");
    let mut times: Vec<Option<i64>> = vec![
        json::instant(subscription, "cancel_at"),
        subscription["pause_collection"]["resumes_at"].as_i64(),
    ];
    match status(subscription) {
        "incomplete" => times = vec![Some(json::int(subscription, "created") + INCOMPLETE)],
        "trialing" => {
            times.push(trial_end);
            if json::hidden(subscription, "noticed").is_none() {
                times.push(trial_end.map(|end| end - TRIAL_NOTICE));
            }
        }
        "active" | "past_due" | "unpaid" => times.push(Some(current(subscription).1)),
        "paused" => {}
        _ => times.clear(),
    }
    let next = times.into_iter().flatten().min();
    json::hide(subscription, "due", next);
}

pub fn default_of_customer(room: &Room<'_>, customer: &str) -> Option<String> {
    let customer = room.book.get(Kind::Customer, customer)?;
    let id = customer
        .pointer("/invoice_settings/default_payment_method")?
        .as_str()?;
    Some(id.to_owned())
}

fn has_card(room: &Room<'_>, subscription: &Value) -> bool {
    json::text(subscription, "default_payment_method").is_some()
        || default_of_customer(room, &json::owned(subscription, "customer")).is_some()
}

/// Something happens to a subscription because its time has come.
pub fn fall_due(room: &mut Room<'_>, mut subscription: Value) {
    let before = subscription.clone();
    let has_come = |at: Option<i64>, now: i64| at.is_some_and(|at| at <= now);
    let trial_end = json::instant(&subscription, "trial_end");
    if status(&subscription) == "incomplete" {
        expire(room, &subscription);
    } else if has_come(
        subscription["pause_collection"]["resumes_at"].as_i64(),
        room.now,
    ) {
        json::set(&mut subscription, "pause_collection", Value::Null);
        keep_told(room, &before, &mut subscription);
    } else if has_come(json::instant(&subscription, "cancel_at"), room.now) {
        end(room, subscription, "cancellation_requested");
    } else if status(&subscription) == "trialing" {
        if has_come(trial_end, room.now) {
            end_trial(room, subscription);
        } else {
            json::hide(&mut subscription, "noticed", true);
            keep(room, &mut subscription);
            room.tell("customer.subscription.trial_will_end", &subscription);
        }
    } else if current(&subscription).1 <= room.now {
        let k = json::hidden_int(&subscription, "k").unwrap_or(0) + 1;
        begin_period(room, &subscription, k);
    } else {
        keep(room, &mut subscription);
    }
}

fn expire(room: &mut Room<'_>, before: &Value) {
    let mut subscription = before.clone();
    json::set(&mut subscription, "status", "incomplete_expired");
    json::set(&mut subscription, "ended_at", room.now);
    keep_told(room, before, &mut subscription);
    for found in room.book.of_link(Kind::Invoice, json::id(&subscription)) {
        if json::text(&found, "status") == Some("open") {
            invoice::make_void(room, found);
        }
    }
}

fn end_trial(room: &mut Room<'_>, mut subscription: Value) {
    let without = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
        .as_str()
        .unwrap_or("create_invoice")
        .to_owned();
    if !has_card(room, &subscription) {
        match without.as_str() {
            "cancel" => {
                end(room, subscription, "cancellation_requested");
                return;
            }
            "pause" => {
                let before = subscription.clone();
                json::set(&mut subscription, "status", "paused");
                keep_told(room, &before, &mut subscription);
                room.tell("customer.subscription.paused", &subscription);
                return;
            }
            _ => {}
        }
    }
    begin_period(room, &subscription, 0);
}

/// A period begins: it is billed by a draft that is finalized and charged an hour later.
fn begin_period(room: &mut Room<'_>, before: &Value, k: i64) {
    let mut subscription = before.clone();
    let period = nth(&subscription, k);
    set_period(&mut subscription, period);
    json::hide(&mut subscription, "k", k);
    if status(&subscription) == "trialing" {
        json::set(&mut subscription, "status", "active");
    }
    let mut made = draft_period(room, &subscription, "subscription_cycle", period);
    json::set(&mut subscription, "latest_invoice", json::id(&made));
    keep_told(room, before, &mut subscription);
    match subscription["pause_collection"]["behavior"].as_str() {
        Some("keep_as_draft") => hold(room, &mut made),
        Some("void") => {
            invoice::make_void(room, made);
        }
        Some("mark_uncollectible") => {
            invoice::give_up(room, made);
        }
        _ if status(&subscription) == "unpaid" => hold(room, &mut made),
        _ => {
            let at = room.now + DRAFT;
            json::set(&mut made, "automatically_finalizes_at", at);
            json::hide(&mut made, "due", at);
            room.save(Kind::Invoice, &made);
        }
    }
}

/// The draft waits for somebody.
fn hold(room: &mut Room<'_>, draft: &mut Value) {
    json::set(draft, "auto_advance", false);
    room.save(Kind::Invoice, draft);
}

/// An invoice over one period of all items, with whatever is pending.
pub fn draft_period(
    room: &mut Room<'_>,
    subscription: &Value,
    reason: &'static str,
    period: (i64, i64),
) -> Value {
    let customer_id = json::owned(subscription, "customer");
    let customer = room
        .book
        .get(Kind::Customer, &customer_id)
        .unwrap_or(Value::Null);
    let is_trial = status(subscription) == "trialing";
    let lines: Vec<Value> = items(subscription)
        .iter()
        .map(|item| {
            let whole = json::int(&item["price"], "unit_amount") * json::int(item, "quantity");
            bill::item_line(room, item, period, if is_trial { 0 } else { whole })
        })
        .collect();
    let currency = json::owned(subscription, "currency");
    let mut made = bill::draft(
        room,
        Draft {
            customer: &customer,
            subscription: Some(subscription),
            reason,
            currency: currency.clone(),
            lines,
            period: (room.now, room.now),
            auto_advance: true,
        },
    );
    let pending = bill::pending_lines(room, &customer_id, &currency, &made);
    if !pending.is_empty() {
        bill::add_lines(&mut made, pending);
        room.save(Kind::Invoice, &made);
    }
    made
}

/// Ends it now. Open invoices stay open; drafts stop advancing.
pub fn end(room: &mut Room<'_>, mut subscription: Value, why: &str) -> Value {
    if matches!(status(&subscription), "canceled" | "incomplete_expired") {
        return subscription;
    }
    let asked = json::instant(&subscription, "canceled_at").unwrap_or(room.now);
    json::merge(
        &mut subscription,
        json!({
            "cancel_at": null,
            "cancel_at_period_end": false,
            "canceled_at": asked,
            "ended_at": room.now,
            "status": "canceled",
        }),
    );
    subscription["cancellation_details"]["reason"] = json!(why);
    keep(room, &mut subscription);
    for mut found in room.book.of_link(Kind::Invoice, json::id(&subscription)) {
        json::hide(&mut found, "due", Value::Null);
        json::set(&mut found, "auto_advance", false);
        json::set(&mut found, "next_payment_attempt", Value::Null);
        room.save(Kind::Invoice, &found);
    }
    room.tell("customer.subscription.deleted", &subscription);
    subscription
}

/// Puts it into a state, if it is not there already.
pub fn turn(room: &mut Room<'_>, before: &Value, to: &str) {
    if status(before) == to || matches!(status(before), "canceled" | "incomplete_expired") {
        return;
    }
    let mut subscription = before.clone();
    json::set(&mut subscription, "status", to);
    keep_told(room, before, &mut subscription);
}

/// The debt of an invoice is gone: paid, or given up.
pub fn debt_is_gone(room: &mut Room<'_>, invoice: &Value, is_paid: bool) {
    let Some(subscription) = collect::subscription_of(room, invoice) else {
        return;
    };
    let is_latest = json::text(&subscription, "latest_invoice") == Some(json::id(invoice));
    match status(&subscription) {
        "incomplete" if is_paid => turn(room, &subscription, "active"),
        "incomplete" => turn(room, &subscription, "incomplete_expired"),
        "past_due" | "unpaid" if is_latest => turn(room, &subscription, "active"),
        "paused" if is_paid => {
            turn(room, &subscription, "active");
            if let Some(resumed) = room.book.get(Kind::Subscription, json::id(&subscription)) {
                room.tell("customer.subscription.resumed", &resumed);
            }
        }
        _ => {}
    }
}
