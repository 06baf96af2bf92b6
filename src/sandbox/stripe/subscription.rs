//! What can be asked about subscriptions: begin and end. Changes are `subscription_change`, their schedule is `cycle`.

use serde_json::{Value, json};

use super::attempt::Ways;
use super::bill;
use super::collect::{self, Try};
use super::cycle::{self, status};
use super::form::{Form, Given};
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;
use super::subscription_items;

pub const FIELDS: [&str; 26] = [
    "customer",
    "items",
    "add_invoice_items",
    "billing_cycle_anchor",
    "billing_mode",
    "cancel_at",
    "cancel_at_period_end",
    "collection_method",
    "currency",
    "days_until_due",
    "default_payment_method",
    "description",
    "metadata",
    "off_session",
    "payment_behavior",
    "payment_settings",
    "proration_behavior",
    "trial_end",
    "trial_from_plan",
    "trial_period_days",
    "trial_settings",
    "cancellation_details",
    "pause_collection",
    "proration_date",
    "expand",
    "enable_incomplete_payments",
];
const BEHAVIOURS: [&str; 4] = [
    "allow_incomplete",
    "default_incomplete",
    "error_if_incomplete",
    "pending_if_incomplete",
];
const DAY: i64 = 86_400;
/// From here on billing is flexible unless it is told otherwise.
const FLEXIBLE: &str = "2025-09-30";

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let customer = form.required("customer")?.to_owned();
    room.of_param(Kind::Customer, &customer, "customer")?;
    room.follow_clock_of(Some(&customer));
    let behaviour = form
        .one_of("payment_behavior", &BEHAVIOURS)?
        .unwrap_or("allow_incomplete")
        .to_owned();
    let ways = Ways::read(form)?;
    let items = subscription_items::read_new(room, form)?;
    let trial_end = trial_end(room, form)?;
    let mut fields = blank(room, form, &customer)?;
    let currency = items
        .first()
        .map_or(Value::Null, |item| item["price"]["currency"].clone());
    json::merge(
        &mut fields,
        json!({
            "billing_cycle_anchor": trial_end.or(form.int("billing_cycle_anchor")?).unwrap_or(room.now),
            "currency": currency,
            "status": if trial_end.is_some() { "trialing" } else { "active" },
            "trial_end": trial_end,
            "trial_start": trial_end.map(|_| room.now),
        }),
    );
    if let Some(named) = form.text("default_payment_method") {
        let card = method::usable(room, named, Some(&customer))
            .map_err(|problem| problem.param("default_payment_method"))?;
        json::set(&mut fields, "default_payment_method", json::id(&card));
    }
    let total: i64 = items
        .iter()
        .map(|item| json::int(&item["price"], "unit_amount") * json::int(item, "quantity"))
        .sum();
    let is_charged = total > 0 && trial_end.is_none();
    let needs_card = is_charged
        && behaviour != "default_incomplete"
        && json::text(&fields, "collection_method") == Some("charge_automatically");
    let has_card = json::text(&fields, "default_payment_method").is_some()
        || cycle::default_of_customer(room, &customer).is_some();
    if needs_card && !has_card {
        return Err(collect::no_card());
    }
    let mut subscription = room.create(Kind::Subscription, fields);
    let items = subscription_items::owned_by(room, items, json::id(&subscription));
    cycle::set_items(&mut subscription, &items);
    let period = match trial_end {
        Some(end) => (room.now, end),
        None => cycle::nth(&subscription, 0),
    };
    cycle::set_period(&mut subscription, period);
    if is_charged {
        json::set(&mut subscription, "status", "incomplete");
    }
    set_end(room, &mut subscription, form)?;
    cycle::keep(room, &mut subscription);
    begin(room, subscription, period, &behaviour, &ways)
}

/// The first invoice, and what comes of it.
fn begin(
    room: &mut Room<'_>,
    mut subscription: Value,
    period: (i64, i64),
    behaviour: &str,
    ways: &Ways,
) -> Result<Value, Problem> {
    let id = json::id(&subscription).to_owned();
    let draft = cycle::draft_period(room, &subscription, "subscription_create", period);
    json::set(&mut subscription, "latest_invoice", json::id(&draft));
    cycle::keep(room, &mut subscription);
    room.tell("customer.subscription.created", &subscription);
    let invoice = bill::finalize(room, draft);
    let is_automatic =
        json::text(&subscription, "collection_method") == Some("charge_automatically");
    if json::text(&invoice, "status") == Some("open") {
        if !is_automatic {
            cycle::turn(room, &subscription, "active");
        } else if behaviour != "default_incomplete" {
            let tried = collect::pay(room, invoice, None, ways, Try::Automatic);
            if let Err(problem) = tried
                && behaviour == "error_if_incomplete"
            {
                // Nothing is made: not even the intent that the problem speaks of.
                let mut problem = problem.begun();
                for field in ["payment_intent", "charge"] {
                    problem.fields.remove(field);
                }
                return Err(problem);
            }
        }
    }
    room.of_path(Kind::Subscription, &id)
}

fn trial_end(room: &Room<'_>, form: &Form) -> Result<Option<i64>, Problem> {
    if form.text("trial_end") == Some("now") {
        return Ok(None);
    }
    if let Some(at) = form.int("trial_end")? {
        if at <= room.now {
            return Err(
                Problem::invalid("Invalid timestamp: must be in the future").param("trial_end")
            );
        }
        return Ok(Some(at));
    }
    let days = form.int("trial_period_days")?.filter(|days| *days > 0);
    Ok(days.map(|days| room.now + days * DAY))
}

fn blank(room: &Room<'_>, form: &Form, customer: &str) -> Result<Value, Problem> {
    let collection = form
        .one_of(
            "collection_method",
            &["charge_automatically", "send_invoice"],
        )?
        .unwrap_or("charge_automatically");
    let mode = if room.version >= FLEXIBLE {
        "flexible"
    } else {
        "classic"
    };
    let mode = form
        .below("billing_mode")
        .text("type")
        .unwrap_or(mode)
        .to_owned();
    let at_end = form
        .below("trial_settings")
        .below("end_behavior")
        .one_of(
            "missing_payment_method",
            &["create_invoice", "pause", "cancel"],
        )?
        .unwrap_or("create_invoice")
        .to_owned();
    let mut fields = json!({
        "application": null,
        "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor_config": null,
        "billing_mode": { "flexible": null, "type": mode },
        "billing_thresholds": null,
        "cancel_at": null,
        "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": collection,
        "customer": customer,
        "days_until_due": form.int("days_until_due")?,
        "default_payment_method": null,
        "default_source": null,
        "default_tax_rates": [],
        "description": form.text("description"),
        "discounts": [],
        "ended_at": null,
        "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
    });
    let second_half = json!({
        "latest_invoice": null,
        "metadata": form.metadata(None)?,
        "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null,
        "pause_collection": null,
        "payment_settings": { "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off" },
        "pending_invoice_item_interval": null,
        "pending_setup_intent": null,
        "pending_update": null,
        "schedule": null,
        "start_date": room.now,
        "test_clock": room.clock,
        "transfer_data": null,
        "trial_settings": { "end_behavior": { "missing_payment_method": at_end } },
    });
    json::merge(&mut fields, second_half);
    Ok(fields)
}

/// `cancel_at_period_end` and `cancel_at`. The flag takes back what the flag has set; a date is unset by its own name.
pub fn set_end(room: &Room<'_>, subscription: &mut Value, form: &Form) -> Result<(), Problem> {
    let end = match (form.flag("cancel_at_period_end")?, form.given("cancel_at")) {
        (Some(true), _) => {
            json::set(subscription, "cancel_at_period_end", true);
            Some(Some(cycle::current(subscription).1))
        }
        (_, Given::Set(_)) => Some(form.int("cancel_at")?),
        (_, Given::Unset) => Some(None),
        (Some(false), _) if json::flag(subscription, "cancel_at_period_end") => Some(None),
        (Some(false) | None, Given::Absent) => None,
    };
    let Some(end) = end else { return Ok(()) };
    json::set(subscription, "cancel_at", end);
    if end.is_some() {
        json::set(subscription, "canceled_at", room.now);
        subscription["cancellation_details"]["reason"] = json!("cancellation_requested");
    } else {
        json::set(subscription, "cancel_at_period_end", false);
        json::set(subscription, "canceled_at", Value::Null);
        subscription["cancellation_details"]["reason"] = Value::Null;
    }
    Ok(())
}

pub fn write_details(subscription: &mut Value, form: &Form) {
    let details = form.below("cancellation_details");
    for field in ["comment", "feedback"] {
        match details.given(field) {
            Given::Absent => {}
            Given::Unset => subscription["cancellation_details"][field] = Value::Null,
            Given::Set(text) => subscription["cancellation_details"][field] = json!(text),
        }
    }
}

pub fn cancel(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["invoice_now", "prorate", "cancellation_details", "expand"])?;
    let mut subscription = room.of_path(Kind::Subscription, id)?;
    if matches!(status(&subscription), "canceled" | "incomplete_expired") {
        return Err(Problem::not_found(Kind::Subscription, id));
    }
    room.follow_clock_of(json::text(&subscription, "customer"));
    write_details(&mut subscription, form);
    if form.flag("prorate")?.unwrap_or(false) {
        subscription_items::credit_rest(room, &subscription);
    }
    let ended = cycle::end(room, subscription, "cancellation_requested");
    if form.flag("invoice_now")?.unwrap_or(false) {
        let draft = subscription_items::draft_pending(room, &ended);
        bill::finalize(room, draft);
    }
    Ok(ended)
}

/// Ends a pause that came of a trial without a card.
pub fn resume(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&[
        "billing_cycle_anchor",
        "proration_behavior",
        "proration_date",
        "expand",
    ])?;
    let mut subscription = room.of_path(Kind::Subscription, id)?;
    room.follow_clock_of(json::text(&subscription, "customer"));
    if status(&subscription) != "paused" {
        return Err(Problem::invalid("You can only resume a subscription that is paused.").begun());
    }
    json::set(&mut subscription, "billing_cycle_anchor", room.now);
    let period = cycle::nth(&subscription, 0);
    cycle::set_period(&mut subscription, period);
    json::hide(&mut subscription, "k", 0);
    let draft = cycle::draft_period(room, &subscription, "subscription_cycle", period);
    json::set(&mut subscription, "latest_invoice", json::id(&draft));
    cycle::keep(room, &mut subscription);
    let invoice = bill::finalize(room, draft);
    if json::text(&invoice, "status") == Some("open") {
        let ways = Ways {
            off_session: true,
            ..Ways::default()
        };
        // Unpaid, it stays paused, and the invoice stays open.
        drop(collect::pay(room, invoice, None, &ways, Try::Automatic));
    }
    room.of_path(Kind::Subscription, id)
}
