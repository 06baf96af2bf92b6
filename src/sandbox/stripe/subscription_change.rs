//! Changes of a subscription that runs: its items, its end, its pause, the end of its trial.

use serde_json::{Value, json};

use super::attempt::Ways;
use super::bill;
use super::collect::{self, Try};
use super::cycle::{self, status};
use super::form::{Form, Given};
use super::json;
use super::kind::Kind;
use super::method;
use super::problem::Problem;
use super::room::Room;
use super::subscription;
use super::subscription_items;

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&subscription::FIELDS)?;
    let before = room.of_path(Kind::Subscription, id)?;
    room.follow_clock_of(json::text(&before, "customer"));
    if matches!(status(&before), "canceled" | "incomplete_expired") {
        let allowed = ["metadata", "cancellation_details", "expand"];
        if form.only(&allowed).is_err() {
            return Err(Problem::invalid(
                "A canceled subscription can only update its cancellation_details and metadata.",
            )
            .begun());
        }
    }
    let mut subscription = before.clone();
    let metadata = form.metadata(subscription.get("metadata"))?;
    json::set(&mut subscription, "metadata", metadata);
    subscription::write_details(&mut subscription, form);
    write_plain(room, &mut subscription, form)?;
    set_pause(&mut subscription, form)?;
    let ends_trial = form.text("trial_end") == Some("now") && status(&before) == "trialing";
    if !ends_trial && let Some(end) = form.int("trial_end")? {
        json::set(&mut subscription, "trial_end", end);
        json::set(&mut subscription, "billing_cycle_anchor", end);
        cycle::set_period(&mut subscription, (cycle::current(&before).0, end));
    }
    let bill_now = subscription_items::change(room, &before, &mut subscription, form)?;
    subscription::set_end(room, &mut subscription, form)?;
    if ends_trial {
        json::set(&mut subscription, "trial_end", room.now);
        json::set(&mut subscription, "billing_cycle_anchor", room.now);
        json::set(&mut subscription, "status", "active");
    }
    cycle::keep_told(room, &before, &mut subscription);
    if ends_trial || bill_now {
        bill_at_once(room, subscription, form, ends_trial)?;
    }
    room.of_path(Kind::Subscription, id)
}

fn write_plain(room: &mut Room<'_>, subscription: &mut Value, form: &Form) -> Result<(), Problem> {
    match form.given("description") {
        Given::Absent => {}
        Given::Unset => json::set(subscription, "description", Value::Null),
        Given::Set(text) => json::set(subscription, "description", text),
    }
    match form.given("default_payment_method") {
        Given::Absent => {}
        Given::Unset => json::set(subscription, "default_payment_method", Value::Null),
        Given::Set(named) => {
            let customer = json::owned(subscription, "customer");
            let card = method::usable(room, named, Some(&customer))?;
            json::set(subscription, "default_payment_method", json::id(&card));
        }
    }
    if let Some(collection) = form.one_of(
        "collection_method",
        &["charge_automatically", "send_invoice"],
    )? {
        json::set(subscription, "collection_method", collection);
    }
    Ok(())
}

fn set_pause(subscription: &mut Value, form: &Form) -> Result<(), Problem> {
    if form.given("pause_collection") == Given::Unset {
        json::set(subscription, "pause_collection", Value::Null);
    }
    let pause = form.below("pause_collection");
    if pause.is_empty() {
        return Ok(());
    }
    pause.only(&["behavior", "resumes_at"])?;
    pause.required("behavior")?;
    let behaviour = pause.one_of("behavior", &["keep_as_draft", "mark_uncollectible", "void"])?;
    let value = json!({ "behavior": behaviour, "resumes_at": pause.int("resumes_at")? });
    json::set(subscription, "pause_collection", value);
    Ok(())
}

/// A trial was ended, or a change is to be paid at once: the invoice is made, finalized and tried now.
fn bill_at_once(
    room: &mut Room<'_>,
    mut subscription: Value,
    form: &Form,
    whole_period: bool,
) -> Result<(), Problem> {
    let draft = if whole_period {
        let period = cycle::nth(&subscription, 0);
        cycle::set_period(&mut subscription, period);
        json::hide(&mut subscription, "k", 0);
        cycle::draft_period(room, &subscription, "subscription_update", period)
    } else {
        subscription_items::draft_pending(room, &subscription)
    };
    json::set(&mut subscription, "latest_invoice", json::id(&draft));
    cycle::keep(room, &mut subscription);
    let invoice = bill::finalize(room, draft);
    if json::text(&invoice, "status") != Some("open") {
        return Ok(());
    }
    let ways = Ways::read(form)?;
    match collect::pay(room, invoice, None, &ways, Try::Automatic) {
        Ok(paid) if json::text(&paid, "status") == Some("paid") => Ok(()),
        Err(problem) if form.text("payment_behavior") == Some("error_if_incomplete") => {
            Err(problem.begun())
        }
        Ok(_) | Err(_) => {
            cycle::turn(room, &subscription, "past_due");
            Ok(())
        }
    }
}
