//! Products and prices. A price never changes its amount: one makes another.

use std::sync::Arc;

use serde_json::{Value, json};

use super::currency;
use super::form::{Form, Given};
use super::json;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;

const PRODUCT: [&str; 14] = [
    "id",
    "name",
    "active",
    "description",
    "metadata",
    "default_price",
    "default_price_data",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
    "type",
    "images",
    "expand",
];
const PRICE: [&str; 15] = [
    "currency",
    "product",
    "product_data",
    "unit_amount",
    "unit_amount_decimal",
    "recurring",
    "active",
    "nickname",
    "metadata",
    "lookup_key",
    "transfer_lookup_key",
    "tax_behavior",
    "billing_scheme",
    "type",
    "expand",
];

pub fn create_product(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&PRODUCT)?;
    let name = form.required("name")?;
    let fields = json!({
        "active": form.flag("active")?.unwrap_or(true),
        "default_price": null,
        "description": form.text("description"),
        "images": form.texts("images"),
        "marketing_features": [],
        "metadata": form.metadata(None)?,
        "name": name,
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": form.text("statement_descriptor"),
        "tax_code": form.text("tax_code"),
        "type": form.text("type").unwrap_or("service"),
        "unit_label": form.text("unit_label"),
        "updated": room.now,
        "url": form.text("url"),
    });
    let id = match form.text("id") {
        Some(id) if room.book.contains(Kind::Product, id) => {
            return Err(Problem::invalid("Product already exists.")
                .code("resource_already_exists")
                .param("id"));
        }
        Some(id) => id.to_owned(),
        None => room.new_id(Kind::Product),
    };
    let mut product = room.create_as(Kind::Product, &id, fields);
    room.tell("product.created", &product);
    let data = form.below("default_price_data");
    if !data.is_empty() {
        let price = make_price(room, &data, &id)?;
        json::set(&mut product, "default_price", json::id(&price));
        room.save(Kind::Product, &product);
    }
    Ok(product)
}

pub fn update_product(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&PRODUCT)?;
    let before = room.of_path(Kind::Product, id)?;
    let mut product = before.clone();
    write(
        &mut product,
        form,
        &[
            "name",
            "description",
            "statement_descriptor",
            "unit_label",
            "url",
            "tax_code",
        ],
    )?;
    if let Some(price) = form.text("default_price") {
        room.of_param(Kind::Price, price, "default_price")?;
        json::set(&mut product, "default_price", price);
    }
    if product != before {
        json::set(&mut product, "updated", room.now);
    }
    room.save_told(Kind::Product, "product.updated", &before, &product);
    Ok(product)
}

pub fn delete_product(room: &mut Room<'_>, id: &str) -> Result<Value, Problem> {
    let product = room.of_path(Kind::Product, id)?;
    if !room.book.of_link(Kind::Price, id).is_empty() {
        return Err(Problem::invalid(
            "This product cannot be deleted because it has one or more user-created prices.",
        )
        .begun());
    }
    room.book.remove(id);
    room.tell("product.deleted", &product);
    Ok(json!({ "id": id, "object": "product", "deleted": true }))
}

pub fn create_price(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&PRICE)?;
    form.required("currency")?;
    let data = form.below("product_data");
    let product = if let Some(product) = form.text("product") {
        room.of_param(Kind::Product, product, "product")?;
        product.to_owned()
    } else if data.is_empty() {
        return Err(Problem::required("product"));
    } else {
        let made = create_product(room, &data)?;
        json::id(&made).to_owned()
    };
    make_price(room, form, &product)
}

/// A price of parameters that stand anywhere: in `price_data` too.
pub fn make_price(room: &mut Room<'_>, form: &Form, product: &str) -> Result<Value, Problem> {
    let currency = currency::read(form.required("currency")?, &form.full("currency"))?;
    let amount = amount_of(form)?;
    let recurring = recurring_of(form)?;
    let kind = if recurring.is_null() {
        "one_time"
    } else {
        "recurring"
    };
    let lookup_key = form.text("lookup_key");
    if let Some(key) = lookup_key {
        free_lookup_key(
            room,
            key,
            form.flag("transfer_lookup_key")?.unwrap_or(false),
        )?;
    }
    let price = room.create(
        Kind::Price,
        json!({
            "active": form.flag("active")?.unwrap_or(true),
            "billing_scheme": "per_unit",
            "currency": currency,
            "custom_unit_amount": null,
            "lookup_key": lookup_key,
            "metadata": form.metadata(None)?,
            "nickname": form.text("nickname"),
            "product": product,
            "recurring": recurring,
            "tax_behavior": form.text("tax_behavior").unwrap_or("unspecified"),
            "tiers_mode": null,
            "transform_quantity": null,
            "type": kind,
            "unit_amount": amount,
            "unit_amount_decimal": amount.to_string(),
        }),
    );
    room.tell("price.created", &price);
    Ok(price)
}

fn amount_of(form: &Form) -> Result<i64, Problem> {
    let amount = match (form.int("unit_amount")?, form.text("unit_amount_decimal")) {
        (Some(amount), _) => amount,
        (None, Some(text)) => text.parse().map_err(|_| {
            Problem::invalid("The simulator knows whole amounts of the smallest unit only.")
                .param(&form.full("unit_amount_decimal"))
        })?,
        (None, None) => return Err(Problem::required(&form.full("unit_amount"))),
    };
    if amount < 0 {
        return Err(
            Problem::invalid("This value must be greater than or equal to 0.")
                .code("parameter_invalid_integer")
                .param(&form.full("unit_amount")),
        );
    }
    Ok(amount)
}

fn recurring_of(form: &Form) -> Result<Value, Problem> {
    let recurring = form.below("recurring");
    if recurring.is_empty() {
        return Ok(Value::Null);
    }
    recurring.only(&[
        "interval",
        "interval_count",
        "usage_type",
        "trial_period_days",
        "meter",
    ])?;
    recurring.required("interval")?;
    let interval = recurring.one_of("interval", &["day", "week", "month", "year"])?;
    let count = recurring.positive("interval_count")?.unwrap_or(1);
    Ok(json!({
        "interval": interval,
        "interval_count": count,
        "meter": null,
        "trial_period_days": recurring.int("trial_period_days")?,
        "usage_type": "licensed",
    }))
}

fn free_lookup_key(room: &mut Room<'_>, key: &str, transfers: bool) -> Result<(), Problem> {
    let holder = room
        .book
        .newest(Kind::Price)
        .filter_map(|(_, entry)| entry.object())
        .find(|price| json::text(price, "lookup_key") == Some(key))
        .map(Arc::unwrap_or_clone);
    let Some(mut holder) = holder else {
        return Ok(());
    };
    if !transfers {
        return Err(Problem::invalid(format!(
            "A price (`{}`) already uses that lookup key.",
            json::id(&holder)
        ))
        .param("lookup_key"));
    }
    json::set(&mut holder, "lookup_key", Value::Null);
    room.save(Kind::Price, &holder);
    Ok(())
}

pub fn update_price(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&[
        "active",
        "nickname",
        "metadata",
        "lookup_key",
        "transfer_lookup_key",
        "tax_behavior",
        "expand",
    ])?;
    let before = room.of_path(Kind::Price, id)?;
    let mut price = before.clone();
    write(&mut price, form, &["nickname"])?;
    if let Some(key) = form.text("lookup_key") {
        free_lookup_key(
            room,
            key,
            form.flag("transfer_lookup_key")?.unwrap_or(false),
        )?;
        json::set(&mut price, "lookup_key", key);
    }
    room.save_told(Kind::Price, "price.updated", &before, &price);
    Ok(price)
}

fn write(object: &mut Value, form: &Form, texts: &[&str]) -> Result<(), Problem> {
    for field in texts {
        match form.given(field) {
            Given::Absent => {}
            Given::Unset => json::set(object, field, Value::Null),
            Given::Set(text) => json::set(object, field, text),
        }
    }
    if let Some(active) = form.flag("active")? {
        json::set(object, "active", active);
    }
    let metadata = form.metadata(object.get("metadata"))?;
    json::set(object, "metadata", metadata);
    Ok(())
}
