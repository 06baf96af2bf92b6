//! The items of subscriptions, and what a change in the middle of a period is worth.

use serde_json::{Value, json};

use super::bill::{self, Draft};
use super::catalog;
use super::cycle;
use super::form::Form;
use super::invoice_item::{self, NewItem};
use super::json;
use super::kind::Kind;
use super::period;
use super::problem::Problem;
use super::room::Room;

const FIELDS: [&str; 9] = [
    "id",
    "price",
    "price_data",
    "plan",
    "quantity",
    "metadata",
    "deleted",
    "clear_usage",
    "discounts",
];

/// The items that a new subscription is asked for; they have no ids yet.
pub fn read_new(room: &mut Room<'_>, form: &Form) -> Result<Vec<Value>, Problem> {
    let given = form.maps("items");
    if given.is_empty() {
        return Err(Problem::required("items"));
    }
    let mut items = Vec::new();
    for item in &given {
        items.push(read(room, item)?);
    }
    check(&items)?;
    Ok(items)
}

fn read(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let price = price_of(room, form)?;
    Ok(json!({
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": room.now,
        "discounts": [],
        "metadata": form.metadata(None)?,
        "plan": plan_of(&price),
        "quantity": form.int("quantity")?.unwrap_or(1),
        "price": price,
        "tax_rates": [],
    }))
}

fn price_of(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    let data = form.below("price_data");
    let price = if let Some(id) = form.text("price").or(form.text("plan")) {
        room.of_param(Kind::Price, id, &form.full("price"))?
    } else if data.is_empty() {
        return Err(Problem::required(&form.full("price")));
    } else {
        let product = data.required("product")?.to_owned();
        room.of_param(Kind::Product, &product, &data.full("product"))?;
        catalog::make_price(room, &data, &product)?
    };
    if price["recurring"].is_null() {
        return Err(Problem::invalid("The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.").param(&form.full("price")));
    }
    if !json::flag(&price, "active") {
        return Err(Problem::invalid(
            "The price specified is inactive. This field only accepts active prices.",
        )
        .param(&form.full("price")));
    }
    Ok(json::shown(price))
}

/// All items share a currency and an interval here.
fn check(items: &[Value]) -> Result<(), Problem> {
    let of = |item: &Value| {
        let recurring = &item["price"]["recurring"];
        (
            item["price"]["currency"].clone(),
            recurring["interval"].clone(),
            recurring["interval_count"].clone(),
        )
    };
    let first = items.first().map(of);
    if items.iter().any(|item| Some(of(item)) != first) {
        return Err(Problem::invalid(
            "Currency and interval fields must match across all plans on this subscription.",
        )
        .param("items"));
    }
    Ok(())
}

fn plan_of(price: &Value) -> Value {
    let recurring = &price["recurring"];
    json!({
        "id": json::id(price),
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": false,
        "metadata": price["metadata"],
        "meter": null,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": null,
        "transform_usage": null,
        "trial_period_days": null,
        "usage_type": "licensed",
    })
}

/// Gives new items their ids and their owner.
pub fn owned_by(room: &mut Room<'_>, items: Vec<Value>, subscription: &str) -> Vec<Value> {
    items
        .into_iter()
        .map(|mut item| {
            if item.get("id").is_none() {
                json::set(&mut item, "id", room.ids.make("si", 14));
            }
            json::set(&mut item, "subscription", subscription);
            item
        })
        .collect()
}

/// Changes items as asked, and books what that is worth for the rest of the period. True: it is to be paid at once.
pub fn change(
    room: &mut Room<'_>,
    before: &Value,
    subscription: &mut Value,
    form: &Form,
) -> Result<bool, Problem> {
    let given = form.maps("items");
    if given.is_empty() {
        return Ok(false);
    }
    let prorates = form
        .one_of(
            "proration_behavior",
            &["create_prorations", "none", "always_invoice"],
        )?
        .unwrap_or("create_prorations");
    let old = cycle::items(before);
    let mut items = old.clone();
    for item in &given {
        item.only(&FIELDS)?;
        change_one(room, &mut items, item)?;
    }
    if items.is_empty() {
        return Err(
            Problem::invalid("A subscription must have at least one active plan.").param("items"),
        );
    }
    check(&items)?;
    let (from, to) = cycle::current(before);
    let items = owned_by(room, items, json::id(before));
    let moved = interval(&items) != interval(&old);
    cycle::set_items(subscription, &items);
    cycle::set_period(subscription, (from, to));
    if moved {
        json::set(subscription, "billing_cycle_anchor", room.now);
        json::hide(subscription, "k", 0);
        let period = cycle::nth(subscription, 0);
        cycle::set_period(subscription, period);
    }
    let is_billed = cycle::status(before) != "trialing" && prorates != "none";
    if is_billed && worth(&items) != worth(&old) {
        let left = to - room.now.clamp(from, to);
        let share = |amount: i64| period::share(amount, left, to - from);
        book(
            room,
            before,
            -share(worth(&old)),
            "Unused time",
            (room.now, to),
        );
        let rest = if moved {
            worth(&items)
        } else {
            share(worth(&items))
        };
        let period = (room.now, cycle::current(subscription).1);
        book(room, subscription, rest, "Remaining time", period);
    }
    Ok(is_billed && (moved || prorates == "always_invoice"))
}

fn interval(items: &[Value]) -> Option<Value> {
    let recurring = items.first()?["price"]["recurring"].clone();
    Some(json!([recurring["interval"], recurring["interval_count"]]))
}

/// What a period of all items costs.
fn worth(items: &[Value]) -> i64 {
    items
        .iter()
        .map(|item| json::int(&item["price"], "unit_amount") * json::int(item, "quantity"))
        .sum()
}

fn change_one(room: &mut Room<'_>, items: &mut Vec<Value>, form: &Form) -> Result<(), Problem> {
    let Some(id) = form.text("id") else {
        items.push(read(room, form)?);
        return Ok(());
    };
    let Some(at) = items.iter().position(|item| json::id(item) == id) else {
        return Err(
            Problem::invalid(format!("No such subscription item: '{id}'"))
                .code("resource_missing")
                .param(&form.full("id")),
        );
    };
    if form.flag("deleted")?.unwrap_or(false) {
        items.remove(at);
        return Ok(());
    }
    if form.has("price") || form.has("price_data") || form.has("plan") {
        let price = price_of(room, form)?;
        json::set(&mut items[at], "plan", plan_of(&price));
        json::set(&mut items[at], "price", price);
    }
    if let Some(quantity) = form.int("quantity")? {
        json::set(&mut items[at], "quantity", quantity);
        let metadata = form.metadata(items[at].get("metadata"))?;
        json::set(&mut items[at], "metadata", metadata);
    }
    Ok(())
}

fn book(room: &mut Room<'_>, subscription: &Value, amount: i64, what: &str, period: (i64, i64)) {
    if amount == 0 {
        return;
    }
    let (customer, currency) = (
        json::owned(subscription, "customer"),
        json::owned(subscription, "currency"),
    );
    invoice_item::make(
        room,
        &NewItem {
            customer: &customer,
            amount,
            currency: &currency,
            description: json!(what),
            invoice: None,
            subscription: Some(json::id(subscription)),
            is_proration: true,
            price: None,
            quantity: 1,
            metadata: json!({}),
            period,
        },
    );
}

/// The rest of the period that runs comes back to the customer.
pub fn credit_rest(room: &mut Room<'_>, subscription: &Value) {
    let (from, to) = cycle::current(subscription);
    let left = to - room.now.clamp(from, to);
    let amount = period::share(worth(&cycle::items(subscription)), left, to - from);
    book(room, subscription, -amount, "Unused time", (room.now, to));
}

/// An invoice over nothing but what is pending.
pub fn draft_pending(room: &mut Room<'_>, subscription: &Value) -> Value {
    let customer_id = json::owned(subscription, "customer");
    let customer = room
        .book
        .get(Kind::Customer, &customer_id)
        .unwrap_or(Value::Null);
    let currency = json::owned(subscription, "currency");
    let period = (room.now, room.now);
    let mut draft = bill::draft(
        room,
        Draft {
            customer: &customer,
            subscription: Some(subscription),
            reason: "subscription_update",
            currency: currency.clone(),
            lines: Vec::new(),
            period,
            auto_advance: true,
        },
    );
    let lines = bill::pending_lines(room, &customer_id, &currency, &draft);
    bill::add_lines(&mut draft, lines);
    room.save(Kind::Invoice, &draft);
    draft
}
