//! Customers: create, change, delete. A deleted one can still be read, as a stub.

use serde_json::{Value, json};

use super::form::{Form, Given};
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;

const FIELDS: [&str; 16] = [
    "address",
    "description",
    "email",
    "name",
    "phone",
    "metadata",
    "invoice_settings",
    "payment_method",
    "test_clock",
    "balance",
    "preferred_locales",
    "shipping",
    "tax_exempt",
    "invoice_prefix",
    "next_invoice_sequence",
    "expand",
];

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    if let Some(clock) = form.text("test_clock") {
        room.of_param(Kind::TestClock, clock, "test_clock")?;
        room.follow_clock(Some(clock.to_owned()));
    }
    let prefix = room.ids.alnum(8).to_uppercase();
    let mut fields = json!({
        "address": null,
        "balance": 0,
        "currency": null,
        "default_source": null,
        "delinquent": false,
        "description": null,
        "discount": null,
        "email": null,
        "invoice_prefix": prefix,
        "invoice_settings": {
            "custom_fields": null,
            "default_payment_method": null,
            "footer": null,
            "rendering_options": null,
        },
        "metadata": {},
        "name": null,
        "next_invoice_sequence": 1,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": form.text("test_clock"),
    });
    write(&mut fields, form)?;
    let mut customer = room.create(Kind::Customer, fields);
    room.tell("customer.created", &customer);
    if let Some(named) = form.text("payment_method") {
        let attached = method::attach_to(room, named, json::id(&customer), "payment_method")?;
        set_default(room, &mut customer, form, &attached)?;
        room.save(Kind::Customer, &customer);
    } else if let Some(named) = default_named(form) {
        return Err(not_of_customer(&named));
    }
    Ok(customer)
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let before = room.of_path(Kind::Customer, id)?;
    if json::flag(&before, "deleted") {
        return Err(Problem::not_found(Kind::Customer, id));
    }
    room.follow_clock_of(Some(id));
    let mut customer = before.clone();
    write(&mut customer, form)?;
    set_default(room, &mut customer, form, "")?;
    room.save_told(Kind::Customer, "customer.updated", &before, &customer);
    Ok(customer)
}

pub fn delete(room: &mut Room<'_>, id: &str) -> Result<Value, Problem> {
    let before = room.of_path(Kind::Customer, id)?;
    if json::flag(&before, "deleted") {
        return Err(Problem::not_found(Kind::Customer, id));
    }
    room.follow_clock_of(Some(id));
    for subscription in room.book.of_customer(Kind::Subscription, id) {
        super::cycle::end(room, subscription, "cancellation_requested");
    }
    for mut found in room.book.of_customer(Kind::PaymentMethod, id) {
        json::set(&mut found, "customer", Value::Null);
        json::hide(&mut found, "used", true);
        room.save(Kind::PaymentMethod, &found);
    }
    room.tell("customer.deleted", &before);
    let mut stub = json!({ "id": id, "object": "customer", "deleted": true });
    json::set(&mut stub, "created", json::int(&before, "created"));
    room.save(Kind::Customer, &stub);
    Ok(stub)
}

/// A stub shows nothing else.
pub fn shown(customer: Value) -> Value {
    if json::flag(&customer, "deleted") {
        return json!({ "id": json::id(&customer), "object": "customer", "deleted": true });
    }
    customer
}

fn write(customer: &mut Value, form: &Form) -> Result<(), Problem> {
    for field in ["description", "email", "name", "phone"] {
        match form.given(field) {
            Given::Absent => {}
            Given::Unset => json::set(customer, field, Value::Null),
            Given::Set(text) => {
                if field == "email" && !text.contains('@') {
                    return Err(Problem::invalid(format!("Invalid email address: {text}"))
                        .code("email_invalid")
                        .param("email"));
                }
                json::set(customer, field, text);
            }
        }
    }
    if let Some(word) = form.one_of("tax_exempt", &["none", "exempt", "reverse"])? {
        json::set(customer, "tax_exempt", word);
    }
    if let Some(balance) = form.int("balance")? {
        json::set(customer, "balance", balance);
    }
    if form.has("preferred_locales") {
        json::set(
            customer,
            "preferred_locales",
            form.texts("preferred_locales"),
        );
    }
    if form.has("address") {
        let address = form.below("address");
        let part = |name: &str| json!(address.text(name));
        json::set(
            customer,
            "address",
            json!({
                "city": part("city"), "country": part("country"), "line1": part("line1"),
                "line2": part("line2"), "postal_code": part("postal_code"), "state": part("state"),
            }),
        );
    }
    let metadata = form.metadata(customer.get("metadata"))?;
    json::set(customer, "metadata", metadata);
    Ok(())
}

fn default_named(form: &Form) -> Option<String> {
    form.below("invoice_settings")
        .text("default_payment_method")
        .map(str::to_owned)
}

fn not_of_customer(named: &str) -> Problem {
    Problem::invalid(format!("The customer does not have a payment method with the ID {named}. The payment method must be attached to the customer."))
        .code("resource_missing")
        .param("invoice_settings[default_payment_method]")
}

/// `attached` is what `payment_method` has just become; an alias in the settings means the same card.
fn set_default(
    room: &mut Room<'_>,
    customer: &mut Value,
    form: &Form,
    attached: &str,
) -> Result<(), Problem> {
    let settings = form.below("invoice_settings");
    let value = match settings.given("default_payment_method") {
        Given::Absent => return Ok(()),
        Given::Unset => Value::Null,
        Given::Set(named) if Some(named) == form.text("payment_method") => json!(attached),
        Given::Set(named) => {
            let found = room.book.get(Kind::PaymentMethod, named);
            let is_theirs = found
                .is_some_and(|found| json::text(&found, "customer") == Some(json::id(customer)));
            if !is_theirs {
                return Err(not_of_customer(named));
            }
            json!(named)
        }
    };
    if let Some(of_customer) = customer.get_mut("invoice_settings") {
        json::set(of_customer, "default_payment_method", value);
    }
    Ok(())
}
