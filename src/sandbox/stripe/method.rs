//! Payment methods: cards made from test names, attached to customers and detached for good.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::cards::{self, Behaviour, Scripted, TestCard};
use super::form::{Form, Given};
use super::json;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;

const FIELDS: [&str; 8] = [
    "type",
    "card",
    "billing_details",
    "metadata",
    "allow_redisplay",
    "expand",
    "customer",
    "payment_method",
];

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    if form.required("type")? != "card" {
        return Err(
            Problem::invalid("The simulator knows payment methods of type card only").param("type"),
        );
    }
    let given = form.below("card");
    let named = given
        .text("token")
        .or_else(|| given.text("number"))
        .ok_or_else(|| Problem::required("card[number]"))?;
    let card = cards::named(named).ok_or_else(|| {
        Problem::new(402, "card_error", "Your card number is incorrect.")
            .code("incorrect_number")
            .param("number")
            .begun()
    })?;
    let mut made = fields_of(card);
    let (month, year) = (given.int("exp_month")?, given.int("exp_year")?);
    if let Some(shown) = made.get_mut("card") {
        if let Some(month) = month {
            json::set(shown, "exp_month", month);
        }
        if let Some(year) = year {
            json::set(
                shown,
                "exp_year",
                if year < 100 { year + 2_000 } else { year },
            );
        }
    }
    write(&mut made, form)?;
    Ok(room.create(Kind::PaymentMethod, made))
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let before = room.of_path(Kind::PaymentMethod, id)?;
    let mut method = before.clone();
    let given = form.below("card");
    if let Some(card) = method.get_mut("card") {
        for field in ["exp_month", "exp_year"] {
            if let Some(value) = given.int(field)? {
                json::set(card, field, value);
            }
        }
    }
    write(&mut method, form)?;
    room.save_told(
        Kind::PaymentMethod,
        "payment_method.updated",
        &before,
        &method,
    );
    Ok(method)
}

pub fn attach(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["customer", "expand"])?;
    let customer = form.required("customer")?;
    room.of_param(Kind::Customer, customer, "customer")?;
    room.follow_clock_of(Some(customer));
    let attached = attach_to(room, id, customer, "payment_method")?;
    room.of_path(Kind::PaymentMethod, &attached)
}

/// Attaches what is named, making a payment method of a test name, and gives its id.
pub fn attach_to(
    room: &mut Room<'_>,
    named: &str,
    customer: &str,
    param: &str,
) -> Result<String, Problem> {
    let mut method = match room.book.get(Kind::PaymentMethod, named) {
        Some(found) => found,
        None => match cards::named(named) {
            Some(card) if named.starts_with("pm_") => {
                room.create(Kind::PaymentMethod, fields_of(card))
            }
            _ => return Err(Problem::not_found(Kind::PaymentMethod, named).param(param)),
        },
    };
    match json::text(&method, "customer") {
        Some(owner) if owner == customer => return Ok(json::id(&method).to_owned()),
        Some(_) => {
            return Err(Problem::invalid(
                "The payment method you provided has already been attached to a customer.",
            )
            .begun());
        }
        None if json::hidden(&method, "used").is_some() => return Err(used_up()),
        None => {}
    }
    if let Behaviour::Declines(decline) = behaviour(&method) {
        let mut problem = Scripted::from(decline).problem();
        problem.fields.entry("param").or_insert(json!(""));
        return Err(problem.begun());
    }
    json::set(&mut method, "customer", customer);
    room.save(Kind::PaymentMethod, &method);
    room.tell("payment_method.attached", &method);
    Ok(json::id(&method).to_owned())
}

pub fn detach(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["expand"])?;
    let before = room.of_path(Kind::PaymentMethod, id)?;
    let Some(owner) = json::text(&before, "customer").map(str::to_owned) else {
        return Err(Problem::invalid("The payment method you provided is not attached to a customer so detachment is impossible.").begun());
    };
    room.follow_clock_of(Some(&owner));
    let mut method = before.clone();
    json::set(&mut method, "customer", Value::Null);
    json::hide(&mut method, "used", true);
    room.save_told(
        Kind::PaymentMethod,
        "payment_method.detached",
        &before,
        &method,
    );
    if let Some(customer) = room.book.get(Kind::Customer, &owner) {
        let mut changed = customer.clone();
        if let Some(settings) = changed.get_mut("invoice_settings")
            && json::text(settings, "default_payment_method") == Some(id)
        {
            json::set(settings, "default_payment_method", Value::Null);
        }
        room.save_told(Kind::Customer, "customer.updated", &customer, &changed);
    }
    for before in room.book.of_customer(Kind::Subscription, &owner) {
        if json::text(&before, "default_payment_method") == Some(id) {
            let mut changed = before.clone();
            json::set(&mut changed, "default_payment_method", Value::Null);
            room.save(Kind::Subscription, &changed);
        }
    }
    Ok(method)
}

/// The payment method that a charge of this customer may use; a test name becomes one of its own.
pub fn usable(room: &mut Room<'_>, named: &str, customer: Option<&str>) -> Result<Value, Problem> {
    let Some(found) = room.book.get(Kind::PaymentMethod, named) else {
        return match cards::named(named) {
            Some(card) if named.starts_with("pm_") => {
                Ok(room.create(Kind::PaymentMethod, fields_of(card)))
            }
            _ => Err(Problem::missing(
                Kind::PaymentMethod,
                named,
                "payment_method",
            )),
        };
    };
    match (json::text(&found, "customer"), customer) {
        (Some(owner), Some(customer)) if owner == customer => Ok(found),
        (Some(_), None) => Err(Problem::invalid("The PaymentMethod you provided is attached to a customer, so for security purposes you must provide the customer in the request.").param("payment_method")),
        (Some(_), Some(_)) => Err(Problem::invalid(format!("The customer does not have a payment method with the ID {named}. The payment method must be attached to the customer."))
            .code("resource_missing")
            .param("payment_method")),
        (None, _) if json::hidden(&found, "used").is_some() => Err(used_up()),
        (None, _) => Ok(found),
    }
}

fn used_up() -> Problem {
    Problem::invalid("The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.")
        .param("payment_method")
}

pub fn behaviour(method: &Value) -> Behaviour {
    json::hidden_text(method, "number").map_or(Behaviour::Pays, cards::behaviour)
}

/// A card whose owner has agreed to later charges is not asked again, unless it asks always.
pub fn note_agreement(room: &mut Room<'_>, id: &str) {
    if let Some(mut method) = room.book.get(Kind::PaymentMethod, id) {
        json::hide(&mut method, "agreed", true);
        room.save(Kind::PaymentMethod, &method);
    }
}

fn write(method: &mut Value, form: &Form) -> Result<(), Problem> {
    let details = form.below("billing_details");
    if let Some(shown) = method.get_mut("billing_details") {
        for field in ["email", "name", "phone"] {
            match details.given(field) {
                Given::Absent => {}
                Given::Unset => json::set(shown, field, Value::Null),
                Given::Set(text) => json::set(shown, field, text),
            }
        }
    }
    let metadata = form.metadata(method.get("metadata"))?;
    json::set(method, "metadata", metadata);
    Ok(())
}

fn fields_of(card: &TestCard) -> Value {
    let digest = Sha256::digest(card.number.as_bytes());
    let fingerprint: String = digest
        .iter()
        .take(16)
        .map(|byte| char::from(b'a' + byte % 26))
        .collect();
    let last4 = &card.number[card.number.len() - 4..];
    let funding = if card.name.contains("debit") {
        "debit"
    } else {
        "credit"
    };
    json!({
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": { "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null },
            "email": null, "name": null, "phone": null, "tax_id": null,
        },
        "card": {
            "brand": card.brand,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "display_brand": card.brand,
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": fingerprint,
            "funding": funding,
            "generated_from": null,
            "last4": last4,
            "networks": { "available": [card.brand], "preferred": null },
            "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true },
            "wallet": null,
        },
        "customer": null,
        "metadata": {},
        "type": "card",
        "_": { "number": card.number },
    })
}
