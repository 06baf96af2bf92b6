//! Charges: what a card answered, and what comes of it later (fees, disputes).

use serde_json::{Value, json};

use super::balance::{self, Movement};
use super::cards::{Behaviour, Scripted};
use super::form::Form;
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;

/// What came of asking the card.
pub enum Asked {
    Paid(Value),
    Declined { charge: Value, why: Scripted },
}

/// Asks the card of an intent for its money, and keeps the charge either way.
pub fn ask(room: &mut Room<'_>, intent: &Value, card: &Value, declined: Option<Scripted>) -> Asked {
    let amount = json::int(intent, "amount");
    let captured = json::text(intent, "capture_method") != Some("manual");
    let mut fields = fields_of(intent, card, amount);
    if let Some(why) = declined {
        json::merge(
            &mut fields,
            json!({
                "failure_code": why.code,
                "failure_message": why.message,
                "outcome": why.outcome(),
                "status": "failed",
            }),
        );
        let charge = room.create(Kind::Charge, fields);
        room.tell("charge.failed", &charge);
        return Asked::Declined { charge, why };
    }
    json::merge(
        &mut fields,
        json!({
            "amount_captured": if captured { amount } else { 0 },
            "captured": captured,
            "outcome": {
                "advice_code": null,
                "network_advice_code": null,
                "network_decline_code": null,
                "network_status": "approved_by_network",
                "reason": null,
                "risk_level": "normal",
                "risk_score": 24,
                "seller_message": "Payment complete.",
                "type": "authorized",
            },
            "paid": true,
            "status": "succeeded",
        }),
    );
    let mut charge = room.create(Kind::Charge, fields);
    let receipt = format!(
        "https://pay.stripe.com/receipts/payment/{}",
        json::id(&charge)
    );
    json::set(&mut charge, "receipt_url", receipt);
    if captured {
        book_capture(room, intent, &mut charge);
    }
    if method::behaviour(card) == Behaviour::Disputed {
        json::hide(&mut charge, "will_be_disputed", true);
        json::hide(&mut charge, "due", room.now + 1);
    }
    room.save(Kind::Charge, &charge);
    room.tell("charge.succeeded", &charge);
    Asked::Paid(charge)
}

/// Fees are known at once, or a moment later, as the capture method says.
fn book_capture(room: &mut Room<'_>, intent: &Value, charge: &mut Value) {
    if json::text(intent, "capture_method") == Some("automatic_async") {
        json::hide(charge, "due", room.now + 1);
    } else {
        let row = balance::for_charge(room, charge);
        json::set(charge, "balance_transaction", row);
    }
}

/// Takes what a card was only authorised for.
pub fn capture(room: &mut Room<'_>, id: &str, amount: i64) -> Option<Value> {
    let before = room.book.get(Kind::Charge, id)?;
    let mut charge = before.clone();
    json::set(&mut charge, "captured", true);
    json::set(&mut charge, "amount_captured", amount);
    let row = balance::for_charge(room, &charge);
    json::set(&mut charge, "balance_transaction", row);
    room.save(Kind::Charge, &charge);
    room.tell("charge.captured", &charge);
    Some(charge)
}

/// The fee is known, or the card's owner disputes the charge.
pub fn fall_due(room: &mut Room<'_>, before: &Value) {
    let mut charge = before.clone();
    json::hide(&mut charge, "due", Value::Null);
    if charge["balance_transaction"].is_null() && json::flag(&charge, "captured") {
        let row = balance::for_charge(room, &charge);
        json::set(&mut charge, "balance_transaction", row);
        room.save_told(Kind::Charge, "charge.updated", before, &charge);
    }
    if json::hidden(&charge, "will_be_disputed").is_some() {
        json::hide(&mut charge, "will_be_disputed", Value::Null);
        json::set(&mut charge, "disputed", true);
        dispute(room, &charge);
    }
    room.save(Kind::Charge, &charge);
}

fn dispute(room: &mut Room<'_>, charge: &Value) {
    let id = room.ids.make("du", 24);
    let currency = json::owned(charge, "currency");
    let amount = json::int(charge, "amount");
    let row = balance::book(
        room,
        &Movement {
            kind: "adjustment",
            category: "dispute",
            amount: -amount,
            fee: 0,
            currency: &currency,
            source: &id,
            description: json!("Chargeback withdrawal"),
        },
    );
    let dispute = json!({
        "id": id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [room.book.get(Kind::Transaction, &row).map(json::shown)],
        "charge": json::id(charge),
        "created": room.now,
        "currency": currency,
        "evidence": {},
        "evidence_details": { "due_by": room.now + 9 * 86_400, "has_evidence": false, "past_due": false, "submission_count": 0 },
        "is_charge_refundable": false,
        "livemode": false,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": "needs_response",
    });
    room.tell("charge.dispute.created", &dispute);
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["metadata", "description", "receipt_email", "expand"])?;
    let before = room.of_path(Kind::Charge, id)?;
    let mut charge = before.clone();
    let metadata = form.metadata(charge.get("metadata"))?;
    json::set(&mut charge, "metadata", metadata);
    for field in ["description", "receipt_email"] {
        if let Some(text) = form.text(field) {
            json::set(&mut charge, field, text);
        }
    }
    room.save_told(Kind::Charge, "charge.updated", &before, &charge);
    Ok(charge)
}

/// What was agreed about paying by months, as the charge shows it.
fn installments_of(intent: &Value) -> Value {
    match intent.pointer("/payment_method_options/card/installments/plan") {
        Some(plan) if !plan.is_null() => json!({ "plan": plan }),
        _ => Value::Null,
    }
}

/// What the bank made of its question, where it asked one.
fn authentication_of(intent: &Value) -> Value {
    if json::hidden(intent, "authenticated").is_none() {
        return Value::Null;
    }
    json!({
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": null,
        "exemption_indicator_applied": null,
        "result": "authenticated",
        "result_reason": null,
        "transaction_id": null,
        "version": "2.2.0",
    })
}

fn fields_of(intent: &Value, card: &Value, amount: i64) -> Value {
    let shown = &card["card"];
    let mut fields = json!({
        "amount": amount,
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": null,
        "application_fee": null,
        "application_fee_amount": null,
        "balance_transaction": null,
        "billing_details": card["billing_details"],
        "calculated_statement_descriptor": "PAYDECK",
        "captured": false,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "destination": null,
        "dispute": null,
        "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": null,
        "failure_message": null,
        "fraud_details": {},
        "metadata": intent["metadata"],
        "on_behalf_of": null,
        "order": null,
        "outcome": null,
        "paid": false,
        "payment_intent": json::id(intent),
        "payment_method": json::id(card),
    });
    let more = json!({
        "payment_method_details": {
            "card": {
                "amount_authorized": amount,
                "brand": shown["brand"],
                "checks": shown["checks"],
                "country": shown["country"],
                "exp_month": shown["exp_month"],
                "exp_year": shown["exp_year"],
                "fingerprint": shown["fingerprint"],
                "funding": shown["funding"],
                "installments": installments_of(intent),
                "last4": shown["last4"],
                "mandate": null,
                "network": shown["brand"],
                "three_d_secure": authentication_of(intent),
                "wallet": null,
            },
            "type": "card",
        },
        "receipt_email": intent["receipt_email"],
        "receipt_number": null,
        "receipt_url": null,
        "refunded": false,
        "review": null,
        "shipping": null,
        "source": null,
        "source_transfer": null,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": null,
        "transfer_group": null,
    });
    json::merge(&mut fields, more);
    fields
}
