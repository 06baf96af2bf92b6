//! Webhook endpoints: where events are sent, which ones, and with which secret they are signed.

use serde_json::{Value, json};

use super::form::{Form, Given};
use super::json;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;

const FIELDS: [&str; 9] = [
    "url",
    "enabled_events",
    "api_version",
    "description",
    "metadata",
    "disabled",
    "connect",
    "events_from",
    "expand",
];

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let url = form.required("url")?;
    check_url(url)?;
    let events = form.texts("enabled_events");
    if events.is_empty() {
        return Err(Problem::required("enabled_events"));
    }
    let secret = room.ids.make("whsec", 32);
    let mut endpoint = room.create(
        Kind::Endpoint,
        json!({
            "api_version": form.text("api_version"),
            "application": null,
            "description": form.text("description"),
            "enabled_events": events,
            "metadata": form.metadata(None)?,
            "status": "enabled",
            "url": url,
        }),
    );
    json::hide(&mut endpoint, "secret", secret.clone());
    room.save(Kind::Endpoint, &endpoint);
    // The only time that the secret is told.
    json::set(&mut endpoint, "secret", secret);
    Ok(endpoint)
}

fn check_url(url: &str) -> Result<(), Problem> {
    if url.starts_with("http://") {
        return Ok(());
    }
    Err(
        Problem::invalid("The simulator delivers webhooks to http:// addresses only.")
            .code("url_invalid")
            .param("url"),
    )
}

pub fn update(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&FIELDS)?;
    let mut endpoint = room.of_path(Kind::Endpoint, id)?;
    if let Some(url) = form.text("url") {
        check_url(url)?;
        json::set(&mut endpoint, "url", url);
    }
    if form.has("enabled_events") {
        json::set(
            &mut endpoint,
            "enabled_events",
            form.texts("enabled_events"),
        );
    }
    if let Some(disabled) = form.flag("disabled")? {
        json::set(
            &mut endpoint,
            "status",
            if disabled { "disabled" } else { "enabled" },
        );
    }
    match form.given("description") {
        Given::Absent => {}
        Given::Unset => json::set(&mut endpoint, "description", Value::Null),
        Given::Set(text) => json::set(&mut endpoint, "description", text),
    }
    let metadata = form.metadata(endpoint.get("metadata"))?;
    json::set(&mut endpoint, "metadata", metadata);
    room.save(Kind::Endpoint, &endpoint);
    Ok(endpoint)
}

pub fn delete(room: &mut Room<'_>, id: &str) -> Result<Value, Problem> {
    room.of_path(Kind::Endpoint, id)?;
    room.book.remove(id);
    Ok(json!({ "id": id, "object": "webhook_endpoint", "deleted": true }))
}

/// Whether an endpoint is told of events of this type.
pub fn wants(endpoint: &Value, event: &str) -> bool {
    json::text(endpoint, "status") == Some("enabled")
        && endpoint["enabled_events"].as_array().is_some_and(|names| {
            names
                .iter()
                .any(|name| name == "*" || name.as_str() == Some(event))
        })
}
