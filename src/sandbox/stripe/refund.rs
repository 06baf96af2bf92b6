//! Refunds: whole, partial, late, and those that fail days after they had succeeded.

use serde_json::{Value, json};

use super::balance::{self, Movement};
use super::cards::Behaviour;
use super::currency;
use super::form::Form;
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;

/// When a late refund arrives, or a failing one fails.
const SECONDS_UNTIL_KNOWN: i64 = 3_600;
const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&[
        "payment_intent",
        "charge",
        "amount",
        "reason",
        "metadata",
        "refund_application_fee",
        "reverse_transfer",
        "instructions_email",
        "origin",
        "currency",
        "customer",
        "expand",
    ])?;
    let wished = form.positive("amount")?;
    let reason = form.one_of("reason", &REASONS)?;
    let metadata = form.metadata(None)?;
    let charge = charge_of(room, form)?;
    room.follow_clock_of(json::text(&charge, "customer"));
    let currency = json::owned(&charge, "currency");
    let id = json::owned(&charge, "id");
    if json::text(&charge, "status") != Some("succeeded") || !json::flag(&charge, "captured") {
        return Err(Problem::invalid(format!(
            "Charge {id} is not refundable: it was not captured."
        ))
        .begun());
    }
    let left = json::int(&charge, "amount_captured") - json::int(&charge, "amount_refunded");
    if left == 0 {
        return Err(
            Problem::invalid(format!("Charge {id} has already been refunded."))
                .code("charge_already_refunded")
                .begun(),
        );
    }
    let amount = wished.unwrap_or(left);
    if amount > left {
        return Err(Problem::invalid(format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            currency::written(amount, &currency),
            currency::written(left, &currency)
        ))
        .param("amount")
        .begun());
    }
    Ok(give_back(room, &charge, amount, reason, &metadata))
}

fn charge_of(room: &Room<'_>, form: &Form) -> Result<Value, Problem> {
    match (form.text("payment_intent"), form.text("charge")) {
        (None, None) => Err(Problem::invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
        )
        .code("parameter_missing")),
        (None, Some(charge)) => room.of_param(Kind::Charge, charge, "charge"),
        (Some(intent), _) => {
            let found = room.of_param(Kind::Intent, intent, "payment_intent")?;
            json::text(&found, "latest_charge")
                .and_then(|charge| room.book.get(Kind::Charge, charge))
                .filter(|charge| json::flag(charge, "paid"))
                .ok_or_else(|| {
                    Problem::invalid(format!(
                        "This PaymentIntent ({intent}) does not have a successful charge to refund."
                    ))
                    .begun()
                })
        }
    }
}

fn give_back(
    room: &mut Room<'_>,
    charge: &Value,
    amount: i64,
    reason: Option<&str>,
    metadata: &Value,
) -> Value {
    let behaviour = json::text(charge, "payment_method")
        .and_then(|id| room.book.get(Kind::PaymentMethod, id))
        .map_or(Behaviour::Pays, |card| method::behaviour(&card));
    let is_late = behaviour == Behaviour::RefundsLate;
    let mut refund = room.create(
        Kind::Refund,
        json!({
            "amount": amount,
            "balance_transaction": null,
            "charge": json::id(charge),
            "currency": charge["currency"],
            "destination_details": {
                "card": { "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund" },
                "type": "card",
            },
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": if is_late { "pending" } else { "succeeded" },
            "transfer_reversal": null,
        }),
    );
    if let Value::Object(fields) = &mut refund {
        fields.remove("livemode");
    }
    let row = book(room, &refund, -amount, "refund");
    json::set(&mut refund, "balance_transaction", row);
    if is_late {
        json::set(&mut refund, "pending_reason", "processing");
    }
    if is_late || behaviour == Behaviour::RefundsFail {
        json::hide(&mut refund, "due", room.now + SECONDS_UNTIL_KNOWN);
        json::hide(&mut refund, "fails", !is_late);
    }
    room.save(Kind::Refund, &refund);
    note(room, charge, amount);
    room.tell("refund.created", &refund);
    refund
}

fn book(room: &mut Room<'_>, refund: &Value, amount: i64, kind: &'static str) -> String {
    let currency = json::owned(refund, "currency");
    let source = json::owned(refund, "id");
    balance::book(
        room,
        &Movement {
            kind,
            category: kind,
            amount,
            fee: 0,
            currency: &currency,
            source: &source,
            description: json!("REFUND FOR CHARGE"),
        },
    )
}

/// Writes on the charge what has gone back, or has come again.
fn note(room: &mut Room<'_>, before: &Value, amount: i64) {
    let mut charge = before.clone();
    let refunded = json::int(before, "amount_refunded") + amount;
    json::set(&mut charge, "amount_refunded", refunded);
    let is_all = refunded == json::int(before, "amount_captured");
    json::set(&mut charge, "refunded", is_all);
    if amount > 0 {
        room.save_told(Kind::Charge, "charge.refunded", before, &charge);
    } else {
        room.save_told(Kind::Charge, "charge.updated", before, &charge);
    }
}

/// A late refund arrives; a failing one turns out to have failed.
pub fn fall_due(room: &mut Room<'_>, before: &Value) {
    let mut refund = before.clone();
    json::hide(&mut refund, "due", Value::Null);
    if json::hidden(&refund, "fails") == Some(&json!(true)) {
        fail(room, before, refund, "unknown");
        return;
    }
    json::set(&mut refund, "status", "succeeded");
    if let Value::Object(fields) = &mut refund {
        fields.remove("pending_reason");
    }
    room.save_told(Kind::Refund, "refund.updated", before, &refund);
    room.tell("charge.refund.updated", &refund);
}

fn fail(room: &mut Room<'_>, before: &Value, mut refund: Value, why: &str) {
    let amount = json::int(&refund, "amount");
    let row = book(room, &refund, amount, "refund_failure");
    json::set(&mut refund, "failure_balance_transaction", row);
    json::set(&mut refund, "failure_reason", why);
    json::set(&mut refund, "status", "failed");
    if let Value::Object(fields) = &mut refund {
        fields.remove("pending_reason");
    }
    room.save_told(Kind::Refund, "refund.updated", before, &refund);
    room.tell("refund.failed", &refund);
    room.tell("charge.refund.updated", &refund);
    if let Some(charge) =
        json::text(&refund, "charge").and_then(|id| room.book.get(Kind::Charge, id))
    {
        note(room, &charge, -amount);
    }
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["metadata", "expand"])?;
    let before = room.of_path(Kind::Refund, id)?;
    let mut refund = before.clone();
    let metadata = form.metadata(refund.get("metadata"))?;
    json::set(&mut refund, "metadata", metadata);
    room.save_told(Kind::Refund, "refund.updated", &before, &refund);
    Ok(refund)
}
