//! Making invoices: their lines, their totals, and the step from draft to open.

use serde_json::{Value, json};

use super::currency;
use super::intent;
use super::json;
use super::kind::Kind;
use super::room::Room;

/// What an invoice is made of.
pub struct Draft<'a> {
    pub customer: &'a Value,
    pub subscription: Option<&'a Value>,
    pub reason: &'static str,
    pub currency: String,
    pub lines: Vec<Value>,
    pub period: (i64, i64),
    pub auto_advance: bool,
}

/// Makes a draft, tells of it, and gives its lines to it.
pub fn draft(room: &mut Room<'_>, draft: Draft<'_>) -> Value {
    let parent = draft.subscription.map_or(Value::Null, |subscription| {
        json!({
            "quote_details": null,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": json::id(subscription),
                "subscription_proration_date": null,
            },
            "type": "subscription_details",
        })
    });
    let method = draft.subscription.map_or(Value::Null, |subscription| {
        subscription["collection_method"].clone()
    });
    let customer = draft.customer;
    let mut fields = blank(room, &draft.currency);
    json::merge(
        &mut fields,
        json!({
            "auto_advance": draft.auto_advance,
            "billing_reason": draft.reason,
            "collection_method": if method.is_null() { json!("charge_automatically") } else { method },
            "customer": json::id(customer),
            "customer_address": customer["address"],
            "customer_email": customer["email"],
            "customer_name": customer["name"],
            "customer_phone": customer["phone"],
            "customer_tax_exempt": customer["tax_exempt"],
            "parent": parent,
            "period_end": draft.period.1,
            "period_start": draft.period.0,
            "test_clock": customer["test_clock"],
        }),
    );
    let mut invoice = room.create(Kind::Invoice, fields);
    add_lines(&mut invoice, draft.lines);
    room.save(Kind::Invoice, &invoice);
    room.tell("invoice.created", &invoice);
    invoice
}

fn blank(room: &Room<'_>, currency: &str) -> Value {
    let mut fields = json!({
        "account_country": "US",
        "account_name": "paydeck simulator",
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": null,
        "attempt_count": 0,
        "attempted": false,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "automatically_finalizes_at": null,
        "currency": currency,
        "custom_fields": null,
        "customer_shipping": null,
        "customer_tax_ids": [],
        "default_payment_method": null,
        "default_source": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "due_date": null,
        "effective_at": null,
        "ending_balance": null,
        "footer": null,
        "from_invoice": null,
        "hosted_invoice_url": null,
        "invoice_pdf": null,
    });
    let more = json!({
        "issuer": { "type": "self" },
        "last_finalization_error": null,
        "latest_revision": null,
        "lines": { "object": "list", "data": [], "has_more": false, "total_count": 0, "url": "" },
        "metadata": {},
        "next_payment_attempt": null,
        "number": null,
        "on_behalf_of": null,
        "payment_settings": { "default_mandate": null, "payment_method_options": null, "payment_method_types": null },
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": null,
        "shipping_cost": null,
        "shipping_details": null,
        "starting_balance": 0,
        "statement_descriptor": null,
        "status": "draft",
        "status_transitions": { "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": room.now,
    });
    json::merge(&mut fields, more);
    fields
}

/// Puts lines on a draft and adds its totals up anew.
pub fn add_lines(invoice: &mut Value, lines: Vec<Value>) {
    let id = json::id(invoice).to_owned();
    let mut all: Vec<Value> = invoice["lines"]["data"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    all.extend(lines.into_iter().map(|mut line| {
        json::set(&mut line, "invoice", id.clone());
        line
    }));
    set_lines(invoice, &all);
}

pub fn set_lines(invoice: &mut Value, all: &[Value]) {
    let total: i64 = all.iter().map(|line| json::int(line, "amount")).sum();
    let url = format!("/v1/invoices/{}/lines", json::id(invoice));
    json::merge(
        invoice,
        json!({
            "amount_due": total.max(0),
            "amount_remaining": total.max(0),
            "lines": { "object": "list", "data": all, "has_more": false, "total_count": all.len(), "url": url },
            "subtotal": total,
            "subtotal_excluding_tax": total,
            "total": total,
            "total_excluding_tax": total,
        }),
    );
}

/// A line for one period of one item of a subscription.
pub fn item_line(room: &mut Room<'_>, item: &Value, period: (i64, i64), amount: i64) -> Value {
    let id = room.ids.make("il", 24);
    let price = &item["price"];
    let quantity = json::int(item, "quantity");
    json!({
        "id": id,
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": format!("{quantity} × {}", json::text(price, "nickname").unwrap_or(json::id(price))),
        "discount_amounts": [],
        "discountable": true,
        "discounts": [],
        "invoice": null,
        "livemode": false,
        "metadata": item["metadata"],
        "parent": {
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null,
                "proration": false,
                "proration_details": { "credited_items": null },
                "subscription": item["subscription"],
                "subscription_item": json::id(item),
            },
            "type": "subscription_item_details",
        },
        "period": { "end": period.1, "start": period.0 },
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": { "price": json::id(price), "product": price["product"] },
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": quantity,
        "taxes": [],
    })
}

/// The pending items of a customer become lines of the next invoice.
pub fn pending_lines(
    room: &mut Room<'_>,
    customer: &str,
    currency: &str,
    invoice: &Value,
) -> Vec<Value> {
    let mut lines = Vec::new();
    for mut item in room.book.of_customer(Kind::InvoiceItem, customer) {
        if item["invoice"].is_null() && json::text(&item, "currency") == Some(currency) {
            json::set(&mut item, "invoice", json::id(invoice));
            room.save(Kind::InvoiceItem, &item);
            lines.push(super::invoice_item::line(room, &item));
        }
    }
    lines
}

/// From draft to open: number, balance of the customer, and an intent for what is due. Nothing due: paid.
pub fn finalize(room: &mut Room<'_>, mut invoice: Value) -> Value {
    let customer_id = json::owned(&invoice, "customer");
    let currency = json::owned(&invoice, "currency");
    let mut customer = room
        .book
        .get(Kind::Customer, &customer_id)
        .unwrap_or(Value::Null);
    let sequence = json::int(&customer, "next_invoice_sequence").max(1);
    let number = format!("{}-{sequence:04}", json::owned(&customer, "invoice_prefix"));
    let starting = json::int(&customer, "balance");
    let owed = json::int(&invoice, "total") + starting;
    let is_charged = owed >= currency::least(&currency);
    let (due, ending) = if is_charged { (owed, 0) } else { (0, owed) };
    json::set(&mut customer, "next_invoice_sequence", sequence + 1);
    json::set(&mut customer, "balance", ending);
    json::set(&mut customer, "currency", currency.clone());
    if customer.get("id").is_some() {
        room.save(Kind::Customer, &customer);
    }
    let page = format!("https://invoice.stripe.com/i/{}", json::id(&invoice));
    json::merge(
        &mut invoice,
        json!({
            "amount_due": due,
            "amount_remaining": due,
            "automatically_finalizes_at": null,
            "effective_at": room.now,
            "ending_balance": ending,
            "hosted_invoice_url": page,
            "invoice_pdf": format!("{page}/pdf"),
            "number": number,
            "starting_balance": starting,
            "status": "open",
        }),
    );
    invoice["status_transitions"]["finalized_at"] = json!(room.now);
    json::hide(&mut invoice, "due", Value::Null);
    if due > 0 {
        with_intent(room, &mut invoice, &customer_id, &currency);
    }
    room.save(Kind::Invoice, &invoice);
    room.tell("invoice.finalized", &invoice);
    if due == 0 {
        json::set(&mut invoice, "attempted", true);
        return super::collect::settle(room, invoice, 0, "invoice.payment_succeeded");
    }
    invoice
}

/// An intent that pays this invoice, and the payment that ties them.
pub fn with_intent(room: &mut Room<'_>, invoice: &mut Value, customer: &str, currency: &str) {
    let due = json::int(invoice, "amount_remaining");
    let mut fields = intent::blank(due, currency);
    let description = match json::text(invoice, "billing_reason") {
        Some("subscription_create") => "Subscription creation",
        Some("subscription_cycle" | "subscription_update") => "Subscription update",
        _ => "Payment for Invoice",
    };
    json::merge(
        &mut fields,
        json!({
            "customer": customer,
            "description": description,
            "setup_future_usage": "off_session",
            "capture_method": "automatic",
        }),
    );
    json::hide(&mut fields, "invoice", json::id(invoice));
    let intent = intent::open(room, fields, None);
    json::hide(invoice, "intent", json::id(&intent));
    room.create(
        Kind::InvoicePayment,
        json!({
            "amount_paid": null,
            "amount_requested": due,
            "currency": currency,
            "invoice": json::id(invoice),
            "is_default": true,
            "payment": { "payment_intent": json::id(&intent), "type": "payment_intent" },
            "status": "open",
            "status_transitions": { "canceled_at": null, "paid_at": null },
        }),
    );
}
