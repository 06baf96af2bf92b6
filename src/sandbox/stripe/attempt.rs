//! Confirming a `PaymentIntent`: asking the card, its owner, or both; and what becomes of the intent.
//!
//! An intent succeeds at most once. After a decline it has no payment method any more and can be tried with another.

use serde_json::{Value, json};

use super::cards::{self, Behaviour, Scripted};
use super::charge::{self, Asked};
use super::collect;
use super::form::Form;
use super::intent::status;
use super::json;
use super::kind::Kind;
use super::method;
use super::page;
use super::problem::Problem;
use super::room::Room;

const CONFIRM: [&str; 15] = [
    "payment_method",
    "payment_method_types",
    "payment_method_options",
    "off_session",
    "return_url",
    "error_on_requires_action",
    "receipt_email",
    "setup_future_usage",
    "mandate",
    "mandate_data",
    "capture_method",
    "use_stripe_sdk",
    "shipping",
    "amount_details",
    "expand",
];

/// How a charge may come about.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    /// The customer is not there to be asked.
    pub off_session: bool,
    pub error_on_requires_action: bool,
    pub return_url: Option<String>,
}

impl Ways {
    pub fn read(form: &Form) -> Result<Self, Problem> {
        let off_session = match form.text("off_session") {
            Some("one_off" | "recurring") => true,
            _ => form.flag("off_session")?.unwrap_or(false),
        };
        Ok(Self {
            off_session,
            error_on_requires_action: form.flag("error_on_requires_action")?.unwrap_or(false),
            return_url: form.text("return_url").map(str::to_owned),
        })
    }
}

/// `POST /v1/payment_intents/{id}/confirm`.
pub fn confirm_named(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&CONFIRM)?;
    let ways = Ways::read(form)?;
    let mut intent = room.of_path(Kind::Intent, id)?;
    let customer = json::text(&intent, "customer").map(str::to_owned);
    room.follow_clock_of(customer.as_deref());
    let state = status(&intent);
    if state == "succeeded" {
        return Err(Problem::unexpected_state(
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
            json::shown(intent),
        ));
    }
    if matches!(state, "canceled" | "processing" | "requires_capture") {
        return Err(Problem::unexpected_state(
            format!(
                "You cannot confirm this PaymentIntent because it has a status of {state}. Only a PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action."
            ),
            json::shown(intent),
        ));
    }
    let named = form
        .text("payment_method")
        .or(json::text(&intent, "payment_method"))
        .map(str::to_owned);
    let Some(named) = named else {
        let of = customer.map_or_else(String::new, |customer| format!(" with {customer}"));
        return Err(Problem::unexpected_state(
            format!(
                "You cannot confirm this PaymentIntent because it's missing a payment method. To confirm the PaymentIntent{of}, specify a payment method attached to this customer along with the customer ID."
            ),
            json::shown(intent),
        ));
    };
    let card = method::usable(room, &named, customer.as_deref())?;
    if let Some(usage) = form.one_of("setup_future_usage", &["off_session", "on_session"])? {
        json::set(&mut intent, "setup_future_usage", usage);
    }
    check(&intent, Some(&card), &ways)?;
    confirm(room, intent, Some(card), &ways)
}

/// What is refused before the card is asked.
pub fn check(intent: &Value, card: Option<&Value>, ways: &Ways) -> Result<(), Problem> {
    if card.is_none() {
        return Err(Problem::invalid("You cannot confirm this PaymentIntent because it's missing a payment method. Update the PaymentIntent with a payment method and then confirm it again.")
            .code("payment_intent_unexpected_state"));
    }
    let redirects = intent
        .pointer("/automatic_payment_methods/allow_redirects")
        .and_then(Value::as_str);
    if redirects == Some("always") && ways.return_url.is_none() {
        return Err(Problem::invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
        ));
    }
    if ways.off_session && ways.error_on_requires_action {
        return Err(Problem::invalid(
            "You cannot use `error_on_requires_action` together with `off_session`.",
        )
        .param("error_on_requires_action"));
    }
    Ok(())
}

/// Asks the card, or its owner.
pub fn confirm(
    room: &mut Room<'_>,
    mut intent: Value,
    card: Option<Value>,
    ways: &Ways,
) -> Result<Value, Problem> {
    let Some(card) = card else {
        return Ok(intent);
    };
    json::set(&mut intent, "payment_method", json::id(&card));
    let forced = room.forced.take();
    if forced.is_none() && asks_owner(&card) {
        if ways.off_session {
            let why = Scripted::from(cards::NEEDS_AUTHENTICATION);
            return Err(decline(room, intent, &card, why));
        }
        if ways.error_on_requires_action {
            return Err(refuse_action(room, intent, &card));
        }
        return Ok(ask_owner(room, intent, ways));
    }
    let declined = forced.or_else(|| match method::behaviour(&card) {
        Behaviour::Declines(why) | Behaviour::DeclinesCharges(why) => Some(Scripted::from(why)),
        Behaviour::Blocked => Some(Scripted::from(cards::BLOCKED)),
        _ => None,
    });
    match declined {
        Some(why) => Err(decline(room, intent, &card, why)),
        None => Ok(pay(room, intent, &card)),
    }
}

fn asks_owner(card: &Value) -> bool {
    match method::behaviour(card) {
        Behaviour::AlwaysAuthenticates => true,
        Behaviour::AuthenticatesOnce => json::hidden(card, "agreed").is_none(),
        _ => false,
    }
}

fn pay(room: &mut Room<'_>, mut intent: Value, card: &Value) -> Value {
    let paid = match charge::ask(room, &intent, card, None) {
        Asked::Paid(charge) | Asked::Declined { charge, .. } => charge,
    };
    let amount = json::int(&intent, "amount");
    let is_held = json::text(&intent, "capture_method") == Some("manual");
    json::merge(
        &mut intent,
        json!({
            "amount_capturable": if is_held { amount } else { 0 },
            "amount_received": if is_held { 0 } else { amount },
            "last_payment_error": null,
            "latest_charge": json::id(&paid),
            "next_action": null,
            "status": if is_held { "requires_capture" } else { "succeeded" },
        }),
    );
    room.save(Kind::Intent, &intent);
    let customer = json::text(&intent, "customer").map(str::to_owned);
    let keeps = !intent["setup_future_usage"].is_null();
    if keeps {
        method::note_agreement(room, json::id(card));
        if let Some(customer) = &customer {
            // It was usable for this customer, so attaching cannot be refused.
            drop(method::attach_to(
                room,
                json::id(card),
                customer,
                "payment_method",
            ));
        }
    }
    if card["customer"].is_null() && !(keeps && customer.is_some()) {
        use_up(room, json::id(card));
    }
    let event = if is_held {
        "payment_intent.amount_capturable_updated"
    } else {
        "payment_intent.succeeded"
    };
    room.tell(event, &intent);
    if !is_held {
        collect::paid_by(room, &intent);
    }
    intent
}

/// A card that belongs to nobody serves one payment.
fn use_up(room: &mut Room<'_>, id: &str) {
    if let Some(mut card) = room.book.get(Kind::PaymentMethod, id) {
        json::hide(&mut card, "used", true);
        room.save(Kind::PaymentMethod, &card);
    }
}

fn decline(room: &mut Room<'_>, mut intent: Value, card: &Value, why: Scripted) -> Problem {
    let (charge, why) = match charge::ask(room, &intent, card, Some(why.clone())) {
        Asked::Declined { charge, why } => (charge, why),
        Asked::Paid(charge) => (charge, why),
    };
    let problem = why
        .problem()
        .with("charge", json!(json::id(&charge)))
        .with("payment_method", json::shown(card.clone()));
    back_to_start(room, &mut intent, &problem);
    json::set(&mut intent, "latest_charge", json::id(&charge));
    room.save(Kind::Intent, &intent);
    room.tell("payment_intent.payment_failed", &intent);
    problem.with("payment_intent", json::shown(intent))
}

fn back_to_start(room: &mut Room<'_>, intent: &mut Value, problem: &Problem) {
    json::merge(
        intent,
        json!({
            "last_payment_error": problem.fields,
            "next_action": null,
            "payment_method": null,
            "status": "requires_payment_method",
        }),
    );
    room.save(Kind::Intent, intent);
}

/// Nobody is to be asked, and the card wants its owner to be.
fn refuse_action(room: &mut Room<'_>, mut intent: Value, card: &Value) -> Problem {
    let problem = Problem::new(
        402,
        "card_error",
        "Your card was declined. This transaction requires authentication.",
    )
    .code("authentication_required")
    .with("decline_code", json!("authentication_not_handled"))
    .with("payment_method", json::shown(card.clone()))
    .tried();
    back_to_start(room, &mut intent, &problem);
    room.tell("payment_intent.payment_failed", &intent);
    problem.with("payment_intent", json::shown(intent))
}

fn ask_owner(room: &mut Room<'_>, mut intent: Value, ways: &Ways) -> Value {
    let stands_at = format!(
        "{}{}?payment_intent={}",
        room.pages,
        page::PATH,
        json::id(&intent)
    );
    let action = match &ways.return_url {
        Some(return_url) => json!({
            "type": "redirect_to_url",
            "redirect_to_url": { "return_url": return_url, "url": stands_at },
        }),
        None => json!({
            "type": "use_stripe_sdk",
            "use_stripe_sdk": { "type": "three_d_secure_redirect", "stripe_js": stands_at },
        }),
    };
    json::set(&mut intent, "next_action", action);
    json::set(&mut intent, "status", "requires_action");
    room.save(Kind::Intent, &intent);
    room.tell("payment_intent.requires_action", &intent);
    collect::waits_for_owner(room, &intent);
    intent
}

/// The card's owner has answered a challenge: what the customer does in a window of the bank. Gives the intent, and where
/// the window leads back to.
pub fn challenge(room: &mut Room<'_>, id: &str, agrees: bool) -> Result<Value, Problem> {
    let mut intent = room.of_path(Kind::Intent, id)?;
    room.follow_clock_of(json::text(&intent, "customer"));
    if status(&intent) != "requires_action" {
        return Err(Problem::invalid(format!(
            "{id} has no challenge: it has a status of {}",
            status(&intent)
        )));
    }
    let back = intent
        .pointer("/next_action/redirect_to_url/return_url")
        .cloned();
    let done = |intent| json!({ "intent": json::shown(intent), "return_url": back });
    let card = json::text(&intent, "payment_method")
        .and_then(|id| room.book.get(Kind::PaymentMethod, id))
        .ok_or_else(|| Problem::invalid("its payment method is gone"))?;
    if agrees {
        method::note_agreement(room, json::id(&card));
        let card = room
            .book
            .get(Kind::PaymentMethod, json::id(&card))
            .unwrap_or(card);
        json::hide(&mut intent, "authenticated", true);
        return Ok(done(pay(room, intent, &card)));
    }
    let problem = Problem::invalid("The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again.")
        .code("payment_intent_authentication_failure")
        .with("payment_method", json::shown(card));
    back_to_start(room, &mut intent, &problem);
    room.tell("payment_intent.payment_failed", &intent);
    collect::owner_refused(room, &intent);
    Ok(done(intent))
}
