//! Getting invoices paid: first tries, automatic retries, and what a payment or its failure does to the subscription.

use serde_json::{Value, json};

use super::super::switches::AfterRetries;
use super::attempt::{self, Ways};
use super::bill;
use super::cycle;
use super::intent;
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;

/// Days after the first failure on which the provider tries again by itself: eight tries in two weeks.
const RETRY_DAYS: [i64; 7] = [1, 3, 5, 7, 9, 11, 13];
const DAY: i64 = 86_400;

/// Who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// The first try of an invoice, or one of the provider's own later ones: counted.
    Automatic,
    /// Somebody pressed a button: not counted.
    ByHand,
}

/// The card that an invoice is charged to, in the provider's order.
fn card_of(room: &mut Room<'_>, invoice: &Value, named: Option<&str>) -> Result<Value, Problem> {
    let customer = json::owned(invoice, "customer");
    let subscription = subscription_of(room, invoice);
    let of_subscription = subscription
        .as_ref()
        .and_then(|found| json::text(found, "default_payment_method"));
    let chosen = named
        .or(json::text(invoice, "default_payment_method"))
        .or(of_subscription)
        .map(str::to_owned)
        .or_else(|| cycle::default_of_customer(room, &customer));
    match chosen {
        Some(named) => method::usable(room, &named, Some(&customer)),
        None => Err(no_card()),
    }
}

pub fn no_card() -> Problem {
    Problem::invalid("This customer has no attached payment source or default payment method. Please consider adding a default payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.")
        .code("resource_missing")
        .begun()
}

pub fn subscription_of(room: &Room<'_>, invoice: &Value) -> Option<Value> {
    let id = invoice
        .pointer("/parent/subscription_details/subscription")?
        .as_str()?;
    room.book.get(Kind::Subscription, id)
}

/// Tries to get an open invoice paid. The invoice as it is afterwards, or why not.
pub fn pay(
    room: &mut Room<'_>,
    mut invoice: Value,
    named: Option<&str>,
    ways: &Ways,
    by: Try,
) -> Result<Value, Problem> {
    let card = card_of(room, &invoice, named)?;
    let id = json::id(&invoice).to_owned();
    let known = json::hidden_text(&invoice, "intent")
        .and_then(|intent| room.book.get(Kind::Intent, intent))
        .filter(|intent| intent::status(intent) != "canceled");
    let intent = if let Some(intent) = known {
        intent
    } else {
        let customer = json::owned(&invoice, "customer");
        let currency = json::owned(&invoice, "currency");
        bill::with_intent(room, &mut invoice, &customer, &currency);
        let made = json::hidden_text(&invoice, "intent").unwrap_or_default();
        room.of_path(Kind::Intent, made)?
    };
    json::set(&mut invoice, "attempted", true);
    let counted = json::int(&invoice, "attempt_count");
    if by == Try::Automatic {
        json::set(&mut invoice, "attempt_count", counted + 1);
    }
    room.save(Kind::Invoice, &invoice);
    match attempt::confirm(room, intent, Some(card), ways) {
        Ok(intent) => {
            let mut invoice = room.of_path(Kind::Invoice, &id)?;
            if intent::status(&intent) == "requires_action" {
                // Nobody was asked for money yet.
                json::set(&mut invoice, "attempt_count", counted);
                room.save(Kind::Invoice, &invoice);
            }
            Ok(invoice)
        }
        Err(problem) => {
            let invoice = room.of_path(Kind::Invoice, &id)?;
            room.tell("invoice.payment_failed", &invoice);
            Err(problem)
        }
    }
}

/// The intent of an invoice has succeeded, by whatever way.
pub fn paid_by(room: &mut Room<'_>, intent: &Value) {
    let Some(invoice) = json::hidden_text(intent, "invoice")
        .and_then(|id| room.book.get(Kind::Invoice, id))
        .filter(|invoice| {
            matches!(
                json::text(invoice, "status"),
                Some("open" | "uncollectible")
            )
        })
    else {
        return;
    };
    let amount = json::int(intent, "amount_received");
    settle(room, invoice, amount, "invoice.payment_succeeded");
}

/// The invoice is paid: by money, by nothing being due, or outside.
pub fn settle(room: &mut Room<'_>, mut invoice: Value, amount: i64, also: &str) -> Value {
    json::merge(
        &mut invoice,
        json!({
            "amount_paid": amount,
            "amount_remaining": 0,
            "auto_advance": false,
            "next_payment_attempt": null,
            "status": "paid",
        }),
    );
    invoice["status_transitions"]["paid_at"] = json!(room.now);
    json::hide(&mut invoice, "due", Value::Null);
    room.save(Kind::Invoice, &invoice);
    let status = if also.is_empty() { "canceled" } else { "paid" };
    for mut payment in room.book.of_link(Kind::InvoicePayment, json::id(&invoice)) {
        json::set(&mut payment, "status", status);
        if status == "paid" {
            json::set(&mut payment, "amount_paid", amount);
            payment["status_transitions"]["paid_at"] = json!(room.now);
            room.tell("invoice_payment.paid", &payment);
        }
        room.save(Kind::InvoicePayment, &payment);
    }
    room.tell("invoice.paid", &invoice);
    if !also.is_empty() {
        room.tell(also, &invoice);
    }
    cycle::debt_is_gone(room, &invoice, true);
    invoice
}

pub fn waits_for_owner(room: &mut Room<'_>, intent: &Value) {
    if let Some(invoice) =
        json::hidden_text(intent, "invoice").and_then(|id| room.book.get(Kind::Invoice, id))
    {
        room.tell("invoice.payment_action_required", &invoice);
    }
}

pub fn owner_refused(room: &mut Room<'_>, intent: &Value) {
    if let Some(invoice) =
        json::hidden_text(intent, "invoice").and_then(|id| room.book.get(Kind::Invoice, id))
    {
        room.tell("invoice.payment_failed", &invoice);
    }
}

/// An hour has gone by since a draft was made, or it is time for another try.
pub fn fall_due(room: &mut Room<'_>, mut invoice: Value) {
    json::hide(&mut invoice, "due", Value::Null);
    room.save(Kind::Invoice, &invoice);
    if json::text(&invoice, "status") == Some("draft") {
        invoice = bill::finalize(room, invoice);
    }
    let is_charged = json::text(&invoice, "collection_method") == Some("charge_automatically");
    if json::text(&invoice, "status") != Some("open") || !is_charged {
        return;
    }
    let id = json::id(&invoice).to_owned();
    let ways = Ways {
        off_session: true,
        ..Ways::default()
    };
    let outcome = pay(room, invoice, None, &ways, Try::Automatic);
    let Some(invoice) = room.book.get(Kind::Invoice, &id) else {
        return;
    };
    match outcome {
        Ok(_) if json::text(&invoice, "status") == Some("paid") => {}
        Ok(_) | Err(_) => plan_next(room, &invoice),
    }
}

/// After a failure: when to try again, or what becomes of the subscription.
fn plan_next(room: &mut Room<'_>, before: &Value) {
    let mut invoice = before.clone();
    let first = json::hidden_int(&invoice, "failed_first").unwrap_or(room.now);
    json::hide(&mut invoice, "failed_first", first);
    let next = RETRY_DAYS
        .into_iter()
        .map(|days| first + days * DAY)
        .find(|at| *at > room.now);
    json::set(&mut invoice, "next_payment_attempt", next);
    json::hide(&mut invoice, "due", next);
    if next.is_none() {
        json::set(&mut invoice, "auto_advance", false);
    }
    room.save_told(Kind::Invoice, "invoice.updated", before, &invoice);
    let Some(subscription) = subscription_of(room, &invoice) else {
        return;
    };
    match (next, room.switches.stripe_after_retries) {
        (Some(_), _) | (None, AfterRetries::PastDue) => {
            cycle::turn(room, &subscription, "past_due");
        }
        (None, AfterRetries::Unpaid) => cycle::turn(room, &subscription, "unpaid"),
        (None, AfterRetries::Cancel) => {
            cycle::end(room, subscription, "payment_failed");
        }
    }
}
