//! Lists: newest first, page by page from an id, narrowed by time and by what each kind can be narrowed by.

use std::sync::Arc;

use serde_json::{Value, json};

use super::book::Entry;
use super::form::Form;
use super::json;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;

const COMMON: [&str; 5] = [
    "limit",
    "starting_after",
    "ending_before",
    "created",
    "expand",
];

/// What a list of this kind can be narrowed by.
fn filters(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Customer => &["email", "test_clock"],
        Kind::PaymentMethod => &["customer", "type", "allow_redisplay"],
        Kind::Product => &["active", "ids", "url", "shippable"],
        Kind::Price => &[
            "active",
            "currency",
            "product",
            "type",
            "lookup_keys",
            "recurring",
        ],
        Kind::Intent => &["customer"],
        Kind::Charge => &["customer", "payment_intent"],
        Kind::Refund => &["charge", "payment_intent"],
        Kind::Transaction => &["currency", "payout", "source", "type"],
        Kind::Subscription => &[
            "customer",
            "status",
            "price",
            "collection_method",
            "test_clock",
            "current_period_end",
            "current_period_start",
        ],
        Kind::Invoice => &[
            "customer",
            "subscription",
            "status",
            "collection_method",
            "due_date",
        ],
        Kind::InvoiceItem => &["customer", "invoice", "pending"],
        Kind::InvoicePayment => &["invoice", "payment", "status"],
        Kind::Event => &["type", "types", "delivery_success"],
        Kind::Endpoint | Kind::TestClock => &[],
    }
}

pub fn list(room: &Room<'_>, kind: Kind, form: &Form, url: &str) -> Result<Value, Problem> {
    let known: Vec<&str> = COMMON.iter().chain(filters(kind)).copied().collect();
    form.only(&known)?;
    check(room, kind, form)?;
    let limit = limit(form)?;
    let span = Span::read(form)?;
    let after = cursor(room, kind, form, "starting_after")?;
    let before = cursor(room, kind, form, "ending_before")?;
    if after.is_some() && before.is_some() {
        return Err(Problem::invalid(
            "Received both ending_before and starting_after parameters. Please pass in only one.",
        ));
    }
    let named: Vec<&str> = [
        "customer",
        "payment_intent",
        "charge",
        "source",
        "invoice",
        "subscription",
    ]
    .into_iter()
    .filter_map(|name| form.text(name))
    .collect();
    let matches = |entry: &Entry| {
        // Parsing is dear: what does not even name the id cannot be meant.
        if !span.holds(entry.created) || !named.iter().all(|id| entry.may_say(id)) {
            return None;
        }
        let object = entry.object()?;
        is_met(kind, &object, form).then(|| Arc::unwrap_or_clone(object))
    };
    let place = |entry: &Entry| (entry.created, entry.seq);
    let mut data: Vec<Value> = Vec::new();
    let found: Box<dyn Iterator<Item = &Entry> + '_> = match (after, before) {
        (_, Some(before)) => Box::new(
            room.book
                .newest(kind)
                .rev()
                .map(|(_, entry)| entry)
                .filter(move |entry| place(entry) > before),
        ),
        (after, None) => Box::new(
            room.book
                .newest(kind)
                .map(|(_, entry)| entry)
                .filter(move |entry| after.is_none_or(|after| place(entry) < after)),
        ),
    };
    let mut has_more = false;
    for object in found.filter_map(matches) {
        if data.len() == limit {
            has_more = true;
            break;
        }
        data.push(json::shown(object));
    }
    if before.is_some() {
        data.reverse();
    }
    Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
}

pub fn limit(form: &Form) -> Result<usize, Problem> {
    let limit = form.int("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        let side = if limit < 1 {
            "greater than or equal to 1"
        } else {
            "less than or equal to 100"
        };
        return Err(Problem::invalid(format!("This value must be {side}."))
            .code("parameter_invalid_integer")
            .param("limit"));
    }
    Ok(usize::try_from(limit).unwrap_or(10))
}

fn cursor(
    room: &Room<'_>,
    kind: Kind,
    form: &Form,
    name: &str,
) -> Result<Option<(i64, u64)>, Problem> {
    let Some(id) = form.text(name) else {
        return Ok(None);
    };
    if !room.book.contains(kind, id) {
        return Err(Problem::missing(kind, id, name));
    }
    Ok(room.book.seq(id))
}

/// `created`, exact or between bounds.
struct Span {
    from: i64,
    to: i64,
}

impl Span {
    fn read(form: &Form) -> Result<Self, Problem> {
        if let Some(exactly) = form.int("created")? {
            return Ok(Self {
                from: exactly,
                to: exactly,
            });
        }
        let bounds = form.below("created");
        bounds.only(&["gt", "gte", "lt", "lte"])?;
        let mut span = Self {
            from: i64::MIN,
            to: i64::MAX,
        };
        if let Some(at) = bounds.int("gt")? {
            span.from = span.from.max(at.saturating_add(1));
        }
        if let Some(at) = bounds.int("gte")? {
            span.from = span.from.max(at);
        }
        if let Some(at) = bounds.int("lt")? {
            span.to = span.to.min(at.saturating_sub(1));
        }
        if let Some(at) = bounds.int("lte")? {
            span.to = span.to.min(at);
        }
        Ok(span)
    }

    fn holds(&self, at: i64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

fn check(room: &Room<'_>, kind: Kind, form: &Form) -> Result<(), Problem> {
    for (name, of) in [
        ("customer", Kind::Customer),
        ("payment_intent", Kind::Intent),
        ("charge", Kind::Charge),
        ("subscription", Kind::Subscription),
    ] {
        if let Some(id) = form.text(name)
            && !room.book.contains(of, id)
        {
            return Err(Problem::missing(of, id, name));
        }
    }
    if form.texts("types").len() > 20 {
        return Err(Problem::invalid("You may pass up to 20 event types.").param("types"));
    }
    if kind == Kind::Event && form.has("type") && form.has("types") {
        return Err(Problem::invalid("You may only pass one of type and types.").param("types"));
    }
    Ok(())
}

fn is_met(kind: Kind, object: &Value, form: &Form) -> bool {
    if json::flag(object, "deleted") {
        return false;
    }
    filters(kind).iter().all(|name| match (kind, *name) {
        (Kind::Event, "type") => form
            .text("type")
            .is_none_or(|wanted| is_type(json::text(object, "type"), wanted)),
        (Kind::Event, "types") => {
            let types = form.texts("types");
            types.is_empty()
                || types
                    .iter()
                    .any(|wanted| is_type(json::text(object, "type"), wanted))
        }
        (Kind::Event, "delivery_success") => form.text("delivery_success").is_none_or(|wanted| {
            (wanted == "true") == (json::int(object, "pending_webhooks") == 0)
        }),
        (Kind::Subscription, "status") => status_is_met(object, form.text("status")),
        (Kind::Subscription, "price") => form.text("price").is_none_or(|price| {
            object
                .pointer("/items/data/0/price/id")
                .and_then(Value::as_str)
                == Some(price)
        }),
        (Kind::Subscription, "current_period_end" | "current_period_start") => true,
        (Kind::Invoice, "subscription") => form.text("subscription").is_none_or(|wanted| {
            object
                .pointer("/parent/subscription_details/subscription")
                .and_then(Value::as_str)
                == Some(wanted)
        }),
        (Kind::InvoiceItem, "pending") => form
            .text("pending")
            .is_none_or(|wanted| (wanted == "true") == object["invoice"].is_null()),
        (Kind::InvoicePayment, "payment") => {
            let payment = form.below("payment");
            payment.text("payment_intent").is_none_or(|wanted| {
                object
                    .pointer("/payment/payment_intent")
                    .and_then(Value::as_str)
                    == Some(wanted)
            })
        }
        (Kind::Product | Kind::Price, "ids" | "lookup_keys") => {
            let wanted = form.texts(name);
            let field = if *name == "ids" { "id" } else { "lookup_key" };
            wanted.is_empty()
                || json::text(object, field)
                    .is_some_and(|value| wanted.iter().any(|each| each == value))
        }
        (Kind::Price, "recurring") => {
            form.below("recurring")
                .text("interval")
                .is_none_or(|wanted| {
                    object
                        .pointer("/recurring/interval")
                        .and_then(Value::as_str)
                        == Some(wanted)
                })
        }
        (_, name) => form.text(name).is_none_or(|wanted| match &object[name] {
            Value::String(value) => value == wanted,
            Value::Bool(value) => value.to_string() == wanted,
            // Only cards have an owner to be listed by; the absent is not what was asked for.
            _ => false,
        }),
    })
}

/// `charge.*` stands for all types that begin so.
fn is_type(actual: Option<&str>, wanted: &str) -> bool {
    let actual = actual.unwrap_or_default();
    match wanted.strip_suffix('*') {
        Some(beginning) => actual.starts_with(beginning),
        None => actual == wanted,
    }
}

fn status_is_met(object: &Value, wanted: Option<&str>) -> bool {
    let status = json::text(object, "status").unwrap_or_default();
    match wanted {
        None => status != "canceled",
        Some("all") => true,
        Some("ended") => matches!(status, "canceled" | "incomplete_expired"),
        Some(wanted) => status == wanted,
    }
}
