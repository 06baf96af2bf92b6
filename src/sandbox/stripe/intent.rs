//! `PaymentIntent`s: create, change, capture, cancel. Confirming is `attempt`.

use serde_json::{Value, json};

use super::attempt::{self, Ways};
use super::charge;
use super::currency;
use super::form::{Form, Given};
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;

const CREATE: [&str; 26] = [
    "amount",
    "currency",
    "customer",
    "payment_method",
    "payment_method_types",
    "payment_method_options",
    "confirm",
    "off_session",
    "description",
    "metadata",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "capture_method",
    "confirmation_method",
    "setup_future_usage",
    "return_url",
    "automatic_payment_methods",
    "error_on_requires_action",
    "use_stripe_sdk",
    "shipping",
    "mandate",
    "mandate_data",
    "transfer_group",
    "amount_details",
    "expand",
];
const UPDATE: [&str; 15] = [
    "amount",
    "currency",
    "customer",
    "payment_method",
    "payment_method_types",
    "payment_method_options",
    "description",
    "metadata",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "setup_future_usage",
    "shipping",
    "capture_method",
    "expand",
];
const REASONS: [&str; 4] = [
    "duplicate",
    "fraudulent",
    "requested_by_customer",
    "abandoned",
];
const TEXTS: [&str; 4] = [
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
];

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&CREATE)?;
    let fields = read_new(room, form)?;
    let confirm = form.flag("confirm")?.unwrap_or(false);
    let ways = Ways::read(form)?;
    if !confirm && (form.has("off_session") || form.has("error_on_requires_action")) {
        let param = if form.has("off_session") {
            "off_session"
        } else {
            "error_on_requires_action"
        };
        return Err(Problem::invalid(format!(
            "You cannot specify `{param}` when creating a PaymentIntent without `confirm=true`."
        ))
        .param(param));
    }
    let customer = form.text("customer").map(str::to_owned);
    if let Some(customer) = &customer {
        room.of_param(Kind::Customer, customer, "customer")?;
        room.follow_clock_of(Some(customer));
    }
    let card = match form.text("payment_method") {
        Some(named) => Some(method::usable(room, named, customer.as_deref())?),
        None => None,
    };
    if confirm {
        attempt::check(&fields, card.as_ref(), &ways)?;
    }
    let intent = open(room, fields, card.as_ref());
    if confirm {
        attempt::confirm(room, intent, card, &ways)
    } else {
        Ok(intent)
    }
}

/// Makes an intent that waits for a payment method or for its confirmation.
pub fn open(room: &mut Room<'_>, fields: Value, card: Option<&Value>) -> Value {
    let mut intent = room.create(Kind::Intent, fields);
    let secret = format!("{}_secret_{}", json::id(&intent), room.ids.alnum(25));
    json::set(&mut intent, "client_secret", secret);
    if let Some(card) = card {
        json::set(&mut intent, "payment_method", json::id(card));
        json::set(&mut intent, "status", "requires_confirmation");
    }
    room.save(Kind::Intent, &intent);
    room.tell("payment_intent.created", &intent);
    intent
}

fn read_new(room: &Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.required("amount")?;
    let amount = form.positive("amount")?.unwrap_or(0);
    let currency = currency::read(form.required("currency")?, "currency")?;
    currency::check_charge(amount, &currency, "amount")?;
    let mut fields = blank(amount, &currency);
    for field in TEXTS {
        json::set(&mut fields, field, form.text(field));
    }
    json::set(&mut fields, "customer", form.text("customer"));
    json::set(&mut fields, "metadata", form.metadata(None)?);
    read_plan(&mut fields, form)?;
    let usage = form.one_of("setup_future_usage", &["off_session", "on_session"])?;
    json::set(&mut fields, "setup_future_usage", usage);
    let capture = form
        .one_of(
            "capture_method",
            &["automatic", "automatic_async", "manual"],
        )?
        .unwrap_or(if room.fees_come_later() {
            "automatic_async"
        } else {
            "automatic"
        });
    json::set(&mut fields, "capture_method", capture);
    let confirmation = form.one_of("confirmation_method", &["automatic", "manual"])?;
    json::set(
        &mut fields,
        "confirmation_method",
        confirmation.unwrap_or("automatic"),
    );
    let types = form.texts("payment_method_types");
    let automatic = form.below("automatic_payment_methods");
    let is_automatic = automatic.flag("enabled")?;
    if let Some(other) = types.iter().find(|kind| *kind != "card") {
        return Err(Problem::invalid(format!("The payment method type \"{other}\" is invalid. Please ensure the provided type is activated in your dashboard (https://dashboard.stripe.com/account/payments/settings) and your account is enabled for any preview features that you are trying to use.")).param("payment_method_types"));
    }
    if types.is_empty() && is_automatic.unwrap_or(room.methods_by_account()) {
        let redirects = automatic.one_of("allow_redirects", &["always", "never"])?;
        let value = json!({ "allow_redirects": redirects.unwrap_or("always"), "enabled": true });
        json::set(&mut fields, "automatic_payment_methods", value);
    }
    Ok(fields)
}

/// Over how many months the card's owner pays it off, where that was chosen.
fn read_plan(fields: &mut Value, form: &Form) -> Result<(), Problem> {
    let options = form.below("payment_method_options").below("card");
    let plan = options.below("installments").below("plan");
    if plan.is_empty() {
        return Ok(());
    }
    let count = plan.positive("count")?;
    let interval = plan.one_of("interval", &["month"])?;
    let kind = plan.one_of("type", &["fixed_count", "bonus", "revolving"])?;
    if let Some(slot) = fields.pointer_mut("/payment_method_options/card/installments") {
        *slot = json!({
            "available_plans": [],
            "enabled": true,
            "plan": { "count": count, "interval": interval, "type": kind.unwrap_or("fixed_count") },
        });
    }
    Ok(())
}

/// The fields of an intent of which nothing but the amount is known.
pub fn blank(amount: i64, currency: &str) -> Value {
    json!({
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": { "tip": {} },
        "amount_received": 0,
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": null,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "automatic",
        "confirmation_method": "automatic",
        "currency": currency,
        "customer": null,
        "description": null,
        "last_payment_error": null,
        "latest_charge": null,
        "metadata": {},
        "next_action": null,
        "on_behalf_of": null,
        "payment_method": null,
        "payment_method_configuration_details": null,
        "payment_method_options": { "card": { "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic" } },
        "payment_method_types": ["card"],
        "processing": null,
        "receipt_email": null,
        "review": null,
        "setup_future_usage": null,
        "shipping": null,
        "source": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": "requires_payment_method",
        "transfer_data": null,
        "transfer_group": null,
    })
}

pub fn status(intent: &Value) -> &str {
    json::text(intent, "status").unwrap_or_default()
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&UPDATE)?;
    let before = room.of_path(Kind::Intent, id)?;
    let mut intent = before.clone();
    let waits = matches!(
        status(&before),
        "requires_payment_method" | "requires_confirmation" | "requires_action"
    );
    let money = ["amount", "currency", "customer", "payment_method"];
    if let Some(field) = money.into_iter().find(|field| form.has(field))
        && !waits
    {
        return Err(Problem::unexpected_state(
            format!(
                "This PaymentIntent's {field} could not be updated because it has a status of {}. You may only update the {field} of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.",
                status(&before)
            ),
            json::shown(before.clone()),
        ));
    }
    if let Some(text) = form.text("currency") {
        json::set(&mut intent, "currency", currency::read(text, "currency")?);
    }
    if let Some(amount) = form.positive("amount")? {
        currency::check_charge(amount, &json::owned(&intent, "currency"), "amount")?;
        json::set(&mut intent, "amount", amount);
    }
    if let Some(customer) = form.text("customer") {
        room.of_param(Kind::Customer, customer, "customer")?;
        json::set(&mut intent, "customer", customer);
    }
    let metadata = form.metadata(intent.get("metadata"))?;
    json::set(&mut intent, "metadata", metadata);
    for field in TEXTS {
        match form.given(field) {
            Given::Absent => {}
            Given::Unset => json::set(&mut intent, field, Value::Null),
            Given::Set(text) => json::set(&mut intent, field, text),
        }
    }
    match form.given("payment_method") {
        Given::Absent => {}
        Given::Unset => {
            json::set(&mut intent, "payment_method", Value::Null);
            json::set(&mut intent, "status", "requires_payment_method");
        }
        Given::Set(named) => {
            let customer = json::text(&intent, "customer").map(str::to_owned);
            let card = method::usable(room, named, customer.as_deref())?;
            json::set(&mut intent, "payment_method", json::id(&card));
            json::set(&mut intent, "status", "requires_confirmation");
            json::set(&mut intent, "next_action", Value::Null);
        }
    }
    room.save(Kind::Intent, &intent);
    Ok(intent)
}

pub fn cancel(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["cancellation_reason", "expand"])?;
    let reason = form.one_of("cancellation_reason", &REASONS)?;
    let intent = room.of_path(Kind::Intent, id)?;
    room.follow_clock_of(json::text(&intent, "customer"));
    if matches!(status(&intent), "succeeded" | "canceled") {
        return Err(Problem::unexpected_state(
            format!(
                "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.",
                status(&intent)
            ),
            json::shown(intent),
        ));
    }
    if json::hidden(&intent, "invoice").is_some() {
        return Err(Problem::invalid("You cannot cancel this PaymentIntent because it was created by an Invoice. To stop payment, void the invoice instead.").begun());
    }
    let reason = reason.map_or(Value::Null, |reason| json!(reason));
    Ok(close(room, intent, &reason))
}

/// Nothing will be charged with this intent any more.
pub fn close(room: &mut Room<'_>, mut intent: Value, reason: &Value) -> Value {
    let held = json::int(&intent, "amount_capturable");
    json::merge(
        &mut intent,
        json!({
            "amount_capturable": 0,
            "canceled_at": room.now,
            "cancellation_reason": reason,
            "next_action": null,
            "status": "canceled",
        }),
    );
    room.save(Kind::Intent, &intent);
    if held > 0
        && let Some(mut released) =
            json::text(&intent, "latest_charge").and_then(|id| room.book.get(Kind::Charge, id))
    {
        json::set(&mut released, "amount_refunded", held);
        json::set(&mut released, "refunded", true);
        room.save(Kind::Charge, &released);
        room.tell("charge.refunded", &released);
    }
    room.tell("payment_intent.canceled", &intent);
    intent
}

pub fn capture(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&[
        "amount_to_capture",
        "metadata",
        "statement_descriptor",
        "expand",
    ])?;
    let mut intent = room.of_path(Kind::Intent, id)?;
    room.follow_clock_of(json::text(&intent, "customer"));
    if status(&intent) != "requires_capture" {
        return Err(Problem::unexpected_state(
            format!(
                "This PaymentIntent could not be captured because it has a status of {}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.",
                status(&intent)
            ),
            json::shown(intent),
        ));
    }
    let held = json::int(&intent, "amount_capturable");
    let amount = form.positive("amount_to_capture")?.unwrap_or(held);
    if amount > held {
        return Err(Problem::invalid(
            "You cannot capture more than the amount_capturable of the PaymentIntent.",
        )
        .param("amount_to_capture")
        .begun());
    }
    if let Some(id) = json::text(&intent, "latest_charge").map(str::to_owned) {
        charge::capture(room, &id, amount);
    }
    json::merge(
        &mut intent,
        json!({ "amount_capturable": 0, "amount_received": amount, "status": "succeeded" }),
    );
    room.save(Kind::Intent, &intent);
    room.tell("payment_intent.succeeded", &intent);
    Ok(intent)
}
