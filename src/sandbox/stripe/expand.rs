//! `expand`: ids become the objects that they name, up to four deep; some parts are shown only when asked for.

use serde_json::{Value, json};

use super::form::Form;
use super::json;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;

const DEEPEST: usize = 4;

/// The answer with everything expanded that was asked for, and nothing of the simulator's own in it.
pub fn answer(room: &Room<'_>, object: Value, form: &Form) -> Result<Value, Problem> {
    let mut shown = if json::text(&object, "object") == Some("customer") {
        super::customer::shown(json::shown(object))
    } else {
        json::shown(object)
    };
    for path in form.texts("expand") {
        let steps: Vec<&str> = path.split('.').collect();
        if steps.iter().filter(|step| **step != "data").count() > DEEPEST {
            return Err(Problem::invalid(format!(
                "You cannot expand more than {DEEPEST} levels of a property. Property: {path}."
            ))
            .param("expand"));
        }
        if !walk(room, &mut shown, &steps) {
            return Err(Problem::invalid(format!("This property cannot be expanded ({path}). You may want to try expanding something else, or check the API reference for this version.")).param("expand"));
        }
    }
    Ok(shown)
}

/// False where the path leads nowhere.
fn walk(room: &Room<'_>, at: &mut Value, steps: &[&str]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    if let Value::Array(elements) = at {
        let steps = if *step == "data" { rest } else { steps };
        return elements.iter_mut().all(|each| walk(room, each, steps));
    }
    if let Some(more) = on_request(room, at, step) {
        json::set(at, step, more);
    }
    let Some(field) = at.get_mut(*step) else {
        // What a list holds may be of different kinds: an absent field of one of them is no mistake.
        return at.get("object").is_none() || is_known(at, step);
    };
    match field {
        Value::Null => true,
        Value::String(id) => {
            let Some(found) = room.book.find(id) else {
                return *step == "source";
            };
            *field = json::shown(found);
            rest.is_empty() || walk(room, field, rest)
        }
        Value::Array(_) | Value::Object(_) => rest.is_empty() || walk(room, field, rest),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Fields that some versions of an object have and others lack.
fn is_known(at: &Value, step: &str) -> bool {
    let object = json::text(at, "object").unwrap_or_default();
    matches!(
        (object, step),
        (
            _,
            "payment_intent"
                | "charge"
                | "payment_method"
                | "customer"
                | "failure_balance_transaction"
                | "discounts"
                | "total_taxes"
        ) | ("invoice", "subscription" | "confirmation_secret")
            | (
                "subscription",
                "latest_invoice" | "pending_setup_intent" | "schedule"
            )
            | ("customer", "sources" | "tax")
    )
}

/// Parts that are left out unless they are asked for.
fn on_request(room: &Room<'_>, at: &Value, step: &str) -> Option<Value> {
    let object = json::text(at, "object")?;
    let id = json::id(at);
    match (object, step) {
        ("charge", "refunds") => {
            let owner = json::text(at, "payment_intent").unwrap_or(id);
            let refunds = room.book.of_link(Kind::Refund, owner);
            Some(part(refunds, &format!("/v1/charges/{id}/refunds")))
        }
        ("customer", "subscriptions") => {
            let live: Vec<Value> = room
                .book
                .of_customer(Kind::Subscription, id)
                .into_iter()
                .filter(|found| json::text(found, "status") != Some("canceled"))
                .collect();
            Some(part(live, &format!("/v1/customers/{id}/subscriptions")))
        }
        ("invoice", "payments") => {
            let payments = room.book.of_link(Kind::InvoicePayment, id);
            Some(part(payments, &format!("/v1/invoices/{id}/payments")))
        }
        ("invoice", "confirmation_secret") => {
            let stored = room.book.get(Kind::Invoice, id)?;
            let intent = room
                .book
                .get(Kind::Intent, json::hidden_text(&stored, "intent")?)?;
            Some(json!({ "client_secret": intent["client_secret"], "type": "payment_intent" }))
        }
        _ => None,
    }
}

/// A list inside an object, newest first.
pub fn part(oldest_first: Vec<Value>, url: &str) -> Value {
    let data: Vec<Value> = oldest_first.into_iter().rev().map(json::shown).collect();
    json!({ "object": "list", "data": data, "has_more": false, "url": url })
}
