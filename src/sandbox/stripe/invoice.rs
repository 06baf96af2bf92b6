//! What can be asked about invoices: make, change, finalize, pay, void, give up, delete.

use serde_json::{Value, json};

use super::attempt::Ways;
use super::bill::{self, Draft};
use super::collect::{self, Try};
use super::currency;
use super::cycle;
use super::form::{Form, Given};
use super::intent;
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;

const CREATE: [&str; 14] = [
    "customer",
    "subscription",
    "currency",
    "collection_method",
    "auto_advance",
    "days_until_due",
    "due_date",
    "default_payment_method",
    "description",
    "metadata",
    "pending_invoice_items_behavior",
    "footer",
    "payment_settings",
    "expand",
];
const HOUR: i64 = 3_600;

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&CREATE)?;
    let id = form.required("customer")?.to_owned();
    let customer = room.of_param(Kind::Customer, &id, "customer")?;
    room.follow_clock_of(Some(&id));
    let subscription = match form.text("subscription") {
        Some(subscription) => {
            Some(room.of_param(Kind::Subscription, subscription, "subscription")?)
        }
        None => None,
    };
    let currency = match (form.text("currency"), json::text(&customer, "currency")) {
        (Some(named), _) => currency::read(named, "currency")?,
        (None, Some(known)) => known.to_owned(),
        (None, None) => "usd".to_owned(),
    };
    let behaviour = form
        .one_of(
            "pending_invoice_items_behavior",
            &["include", "exclude", "include_and_require"],
        )?
        .map(str::to_owned);
    let period = (room.now, room.now);
    let mut invoice = bill::draft(
        room,
        Draft {
            customer: &customer,
            subscription: subscription.as_ref(),
            reason: "manual",
            currency: currency.clone(),
            lines: Vec::new(),
            period,
            auto_advance: form.flag("auto_advance")?.unwrap_or(false),
        },
    );
    write(room, &mut invoice, form)?;
    let includes = behaviour.map_or(subscription.is_some(), |word| word != "exclude");
    if includes {
        let lines = bill::pending_lines(room, &id, &currency, &invoice);
        bill::add_lines(&mut invoice, lines);
    }
    advance_later(room, &mut invoice);
    Ok(invoice)
}

/// A draft that advances by itself is finalized after an hour.
fn advance_later(room: &mut Room<'_>, invoice: &mut Value) {
    let at = json::flag(invoice, "auto_advance").then_some(room.now + HOUR);
    json::set(invoice, "automatically_finalizes_at", at);
    json::hide(invoice, "due", at);
    room.save(Kind::Invoice, invoice);
}

fn write(room: &mut Room<'_>, invoice: &mut Value, form: &Form) -> Result<(), Problem> {
    for field in ["description", "footer"] {
        match form.given(field) {
            Given::Absent => {}
            Given::Unset => json::set(invoice, field, Value::Null),
            Given::Set(text) => json::set(invoice, field, text),
        }
    }
    let metadata = form.metadata(invoice.get("metadata"))?;
    json::set(invoice, "metadata", metadata);
    if let Some(collection) = form.one_of(
        "collection_method",
        &["charge_automatically", "send_invoice"],
    )? {
        json::set(invoice, "collection_method", collection);
        if collection == "send_invoice" {
            let days = form.int("days_until_due")?.unwrap_or(30);
            let due = form.int("due_date")?.unwrap_or(room.now + days * 86_400);
            json::set(invoice, "due_date", due);
        }
    }
    if let Some(named) = form.text("default_payment_method") {
        let customer = json::owned(invoice, "customer");
        let card = method::usable(room, named, Some(&customer))?;
        json::set(invoice, "default_payment_method", json::id(&card));
    }
    room.save(Kind::Invoice, invoice);
    Ok(())
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&CREATE)?;
    let before = found(room, id)?;
    let mut invoice = before.clone();
    write(room, &mut invoice, form)?;
    if let Some(advance) = form.flag("auto_advance")? {
        json::set(&mut invoice, "auto_advance", advance);
        match json::text(&invoice, "status") {
            Some("draft") => advance_later(room, &mut invoice),
            Some("open") if !advance => {
                json::set(&mut invoice, "next_payment_attempt", Value::Null);
                json::hide(&mut invoice, "due", Value::Null);
            }
            _ => {}
        }
    }
    room.save_told(Kind::Invoice, "invoice.updated", &before, &invoice);
    Ok(invoice)
}

fn found(room: &mut Room<'_>, id: &str) -> Result<Value, Problem> {
    let invoice = room.of_path(Kind::Invoice, id)?;
    room.follow_clock_of(json::text(&invoice, "customer"));
    Ok(invoice)
}

fn status(invoice: &Value) -> &str {
    json::text(invoice, "status").unwrap_or_default()
}

pub fn finalize(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["auto_advance", "expand"])?;
    let mut invoice = found(room, id)?;
    if status(&invoice) != "draft" {
        return Err(Problem::invalid(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
        )
        .code("invoice_not_editable")
        .begun());
    }
    if let Some(advance) = form.flag("auto_advance")? {
        json::set(&mut invoice, "auto_advance", advance);
    }
    let mut invoice = bill::finalize(room, invoice);
    if status(&invoice) == "open" && json::flag(&invoice, "auto_advance") {
        let at = room.now + HOUR;
        json::set(&mut invoice, "next_payment_attempt", at);
        json::hide(&mut invoice, "due", at);
        room.save(Kind::Invoice, &invoice);
    }
    Ok(invoice)
}

pub fn pay(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&[
        "payment_method",
        "paid_out_of_band",
        "off_session",
        "forgive",
        "mandate",
        "source",
        "expand",
    ])?;
    let out_of_band = form.flag("paid_out_of_band")?.unwrap_or(false);
    let off_session = form.flag("off_session")?.unwrap_or(true);
    let mut invoice = found(room, id)?;
    match status(&invoice) {
        "paid" => return Err(Problem::invalid("Invoice is already paid").begun()),
        "void" => {
            return Err(
                Problem::invalid("This invoice can no longer be paid: it is void.").begun(),
            );
        }
        "draft" => invoice = bill::finalize(room, invoice),
        _ => {}
    }
    if status(&invoice) == "paid" {
        return Ok(invoice);
    }
    if out_of_band {
        cancel_intent(room, &invoice);
        let due = json::int(&invoice, "amount_due");
        return Ok(collect::settle(room, invoice, due, ""));
    }
    let ways = Ways {
        off_session,
        ..Ways::default()
    };
    let is_first = !json::flag(&invoice, "attempted");
    let by = if is_first {
        Try::Automatic
    } else {
        Try::ByHand
    };
    let paid = collect::pay(room, invoice, form.text("payment_method"), &ways, by)?;
    if status(&paid) == "paid" {
        return Ok(paid);
    }
    Err(Problem::new(402, "card_error", "This payment requires additional user action before it can be completed successfully. Payment can be completed using the PaymentIntent associated with this invoice.")
        .code("invoice_payment_intent_requires_action")
        .tried())
}

fn cancel_intent(room: &mut Room<'_>, invoice: &Value) {
    let open = json::hidden_text(invoice, "intent")
        .and_then(|id| room.book.get(Kind::Intent, id))
        .filter(|found| !matches!(intent::status(found), "succeeded" | "canceled"));
    if let Some(open) = open {
        intent::close(room, open, &json!("void_invoice"));
    }
}

pub fn void(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["expand"])?;
    let invoice = found(room, id)?;
    if !matches!(status(&invoice), "open" | "uncollectible") {
        return Err(Problem::invalid(
            "You can only pass in open invoices. This invoice isn't open.",
        )
        .begun());
    }
    Ok(make_void(room, invoice))
}

pub fn make_void(room: &mut Room<'_>, mut invoice: Value) -> Value {
    cancel_intent(room, &invoice);
    close(room, &mut invoice, "void", "voided_at");
    room.tell("invoice.voided", &invoice);
    cycle::debt_is_gone(room, &invoice, false);
    invoice
}

/// No further try will be made.
fn close(room: &mut Room<'_>, invoice: &mut Value, status: &str, when: &str) {
    json::merge(
        invoice,
        json!({ "auto_advance": false, "next_payment_attempt": null, "status": status }),
    );
    invoice["status_transitions"][when] = json!(room.now);
    json::hide(invoice, "due", Value::Null);
    room.save(Kind::Invoice, invoice);
}

pub fn mark_uncollectible(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["expand"])?;
    let invoice = found(room, id)?;
    if status(&invoice) != "open" {
        return Err(Problem::invalid(
            "You can only pass in open invoices. This invoice isn't open.",
        )
        .begun());
    }
    Ok(give_up(room, invoice))
}

pub fn give_up(room: &mut Room<'_>, mut invoice: Value) -> Value {
    close(
        room,
        &mut invoice,
        "uncollectible",
        "marked_uncollectible_at",
    );
    room.tell("invoice.marked_uncollectible", &invoice);
    cycle::debt_is_gone(room, &invoice, false);
    invoice
}

pub fn delete(room: &mut Room<'_>, id: &str) -> Result<Value, Problem> {
    let invoice = found(room, id)?;
    if status(&invoice) != "draft" || collect::subscription_of(room, &invoice).is_some() {
        return Err(Problem::invalid(
            "You can only delete draft invoices that belong to no subscription.",
        )
        .code("invoice_not_editable")
        .begun());
    }
    for mut item in room.book.of_link(Kind::InvoiceItem, id) {
        json::set(&mut item, "invoice", Value::Null);
        room.save(Kind::InvoiceItem, &item);
    }
    room.book.remove(id);
    room.tell("invoice.deleted", &invoice);
    Ok(json!({ "id": id, "object": "invoice", "deleted": true }))
}
