//! Test clocks: customers whose time stands still until it is told to go on.

use serde_json::{Value, json};

use super::due;
use super::form::Form;
use super::json;
use super::kind::Kind;
use super::problem::Problem;
use super::room::Room;

/// The provider's own limit for one step.
const FARTHEST_STEP: i64 = 2 * 366 * 86_400;

pub fn create(room: &mut Room<'_>, form: &Form) -> Result<Value, Problem> {
    form.only(&["frozen_time", "name", "expand"])?;
    form.required("frozen_time")?;
    let frozen = form.int("frozen_time")?.unwrap_or(0);
    Ok(room.create(
        Kind::TestClock,
        json!({
            "deletes_after": room.now + 30 * 86_400,
            "frozen_time": frozen,
            "name": form.text("name"),
            "status": "ready",
            "status_details": {},
        }),
    ))
}

pub fn advance(room: &mut Room<'_>, id: &str, form: &Form) -> Result<Value, Problem> {
    form.only(&["frozen_time", "expand"])?;
    form.required("frozen_time")?;
    let to = form.int("frozen_time")?.unwrap_or(0);
    let mut clock = room.of_path(Kind::TestClock, id)?;
    let from = json::int(&clock, "frozen_time");
    if to <= from || to - from > FARTHEST_STEP {
        return Err(
            Problem::invalid("A test clock can only be advanced, by two years at most.")
                .param("frozen_time"),
        );
    }
    json::set(&mut clock, "frozen_time", to);
    room.save(Kind::TestClock, &clock);
    due::catch_up(room, Some(id), to);
    // Whoever looks again finds it ready; what it brings has happened already.
    json::set(&mut clock, "status", "advancing");
    json::set(
        &mut clock,
        "status_details",
        json!({ "advancing": { "target_frozen_time": to } }),
    );
    Ok(clock)
}

pub fn delete(room: &mut Room<'_>, id: &str) -> Result<Value, Problem> {
    room.of_path(Kind::TestClock, id)?;
    let customers: Vec<String> = room
        .book
        .newest(Kind::Customer)
        .filter(|(_, entry)| entry.text().contains(id))
        .map(|(customer, _)| customer.to_string())
        .collect();
    for customer in customers {
        super::customer::delete(room, &customer)?;
    }
    room.book.remove(id);
    Ok(json!({ "id": id, "object": "test_helpers.test_clock", "deleted": true }))
}
