//! Invoice items: what is put on an invoice by hand, or by a change in the middle of a period.

use serde_json::{Value, json};

use super::bill;
use super::currency;
use super::form::Form;
use super::json;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;

const FIELDS: [&str; 14] = [
    "customer",
    "amount",
    "currency",
    "description",
    "discountable",
    "invoice",
    "metadata",
    "period",
    "price",
    "pricing",
    "quantity",
    "subscription",
    "unit_amount_decimal",
    "expand",
];

/// One item to be put on an invoice.
pub struct NewItem<'a> {
    pub customer: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    pub description: Value,
    pub invoice: Option<&'a str>,
    pub subscription: Option<&'a str>,
    pub is_proration: bool,
    pub price: Option<&'a Value>,
    pub quantity: i64,
    pub metadata: Value,
    pub period: (i64, i64),
}

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let customer = form.required("customer")?.to_owned();
    room.of_param(Kind::Customer, &customer, "customer")?;
    room.follow_clock_of(Some(&customer));
    let invoice = match form.text("invoice") {
        Some(id) => Some(room.of_param(Kind::Invoice, id, "invoice")?),
        None => None,
    };
    if let Some(invoice) = &invoice
        && json::text(invoice, "status") != Some("draft")
    {
        return Err(not_editable());
    }
    let quantity = form.positive("quantity")?.unwrap_or(1);
    let pricing = form.below("pricing");
    let price = match pricing.text("price").or(form.text("price")) {
        Some(id) => Some(room.of_param(Kind::Price, id, "pricing[price]")?),
        None => None,
    };
    let (amount, currency) = if let Some(price) = &price {
        let amount = json::int(price, "unit_amount") * quantity;
        (amount, json::owned(price, "currency"))
    } else {
        form.required("amount")?;
        let currency = form.text("currency").unwrap_or("usd");
        let amount = form.int("amount")?.unwrap_or(0);
        (amount, currency::read(currency, "currency")?)
    };
    let period = (room.now, room.now);
    let item = make(
        room,
        &NewItem {
            customer: &customer,
            amount,
            currency: &currency,
            description: json!(form.text("description")),
            invoice: form.text("invoice"),
            subscription: form.text("subscription"),
            is_proration: false,
            price: price.as_ref(),
            quantity,
            metadata: form.metadata(None)?,
            period,
        },
    );
    if let Some(mut invoice) = invoice {
        let line = line(room, &item);
        bill::add_lines(&mut invoice, vec![line]);
        room.save(Kind::Invoice, &invoice);
    }
    Ok(item)
}

fn not_editable() -> Problem {
    Problem::invalid("This invoice is no longer editable")
        .code("invoice_not_editable")
        .begun()
}

pub fn make(room: &mut Room<'_>, new: &NewItem<'_>) -> Value {
    let parent = new.subscription.map(|subscription| {
        json!({
            "subscription_details": { "subscription": subscription, "subscription_item": null },
            "type": "subscription_details",
        })
    });
    let pricing = new.price.map(|price| {
        json!({
            "price_details": { "price": json::id(price), "product": price["product"] },
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        })
    });
    let item = room.create(
        Kind::InvoiceItem,
        json!({
            "amount": new.amount,
            "currency": new.currency,
            "customer": new.customer,
            "date": room.now,
            "description": new.description,
            "discountable": !new.is_proration,
            "discounts": [],
            "invoice": new.invoice,
            "metadata": new.metadata,
            "net_amount": new.amount,
            "parent": parent,
            "period": { "end": new.period.1, "start": new.period.0 },
            "pricing": pricing,
            "proration": new.is_proration,
            "quantity": new.quantity,
            "tax_rates": [],
            "test_clock": room.clock,
        }),
    );
    room.tell("invoiceitem.created", &item);
    item
}

/// The line that an item becomes.
pub fn line(room: &mut Room<'_>, item: &Value) -> Value {
    let id = room.ids.make("il", 24);
    let subscription = item
        .pointer("/parent/subscription_details/subscription")
        .cloned();
    json!({
        "id": id,
        "object": "line_item",
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": item["discountable"],
        "discounts": [],
        "invoice": item["invoice"],
        "livemode": false,
        "metadata": item["metadata"],
        "parent": {
            "invoice_item_details": {
                "invoice_item": json::id(item),
                "proration": item["proration"],
                "proration_details": { "credited_items": null },
                "subscription": subscription,
            },
            "subscription_item_details": null,
            "type": "invoice_item_details",
        },
        "period": item["period"],
        "pretax_credit_amounts": [],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "taxes": [],
    })
}

/// An item that is on no invoice yet, or on a draft; with the draft.
fn editable(room: &Room<'_>, id: &str) -> Result<(Value, Option<Value>), Problem> {
    let item = room.of_path(Kind::InvoiceItem, id)?;
    let invoice = json::text(&item, "invoice").and_then(|id| room.book.get(Kind::Invoice, id));
    match invoice {
        Some(invoice) if json::text(&invoice, "status") != Some("draft") => Err(not_editable()),
        invoice => Ok((item, invoice)),
    }
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let (mut item, invoice) = editable(room, id)?;
    if let Some(amount) = form.int("amount")? {
        json::set(&mut item, "amount", amount);
        json::set(&mut item, "net_amount", amount);
    }
    if let Some(text) = form.text("description") {
        json::set(&mut item, "description", text);
    }
    let metadata = form.metadata(item.get("metadata"))?;
    json::set(&mut item, "metadata", metadata);
    room.save(Kind::InvoiceItem, &item);
    if let Some(invoice) = invoice {
        let line = line(room, &item);
        replace_line(room, invoice, id, Some(line));
    }
    Ok(item)
}

pub fn delete(room: &mut Room<'_>, id: &str) -> Result<Value, Problem> {
    let (item, invoice) = editable(room, id)?;
    room.book.remove(id);
    if let Some(invoice) = invoice {
        replace_line(room, invoice, id, None);
    }
    room.tell("invoiceitem.deleted", &item);
    Ok(json!({ "id": id, "object": "invoiceitem", "deleted": true }))
}

fn replace_line(room: &mut Room<'_>, mut invoice: Value, item: &str, line: Option<Value>) {
    let mut lines: Vec<Value> = invoice["lines"]["data"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    lines.retain(|line| {
        line.pointer("/parent/invoice_item_details/invoice_item")
            .and_then(Value::as_str)
            != Some(item)
    });
    lines.extend(line);
    bill::set_lines(&mut invoice, &lines);
    room.save(Kind::Invoice, &invoice);
}
