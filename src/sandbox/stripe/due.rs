//! What time brings by itself: fees, late refunds, renewals, retries, ends. In the order in which it falls due.

use super::json;
use super::kind::Kind;
use super::room::Room;
use super::{balance, charge, collect, cycle, refund};

/// Everything on a clock that falls due by then happens, each at its own time.
pub fn catch_up(room: &mut Room<'_>, clock: Option<&str>, by: i64) {
    let (now, of) = (room.now, room.clock.clone());
    while let Some((at, kind, id)) = room.book.first_due(clock, by) {
        room.now = at;
        room.clock = clock.map(str::to_owned);
        let Some(object) = room.book.get(kind, &id) else {
            break;
        };
        match kind {
            Kind::Charge => charge::fall_due(room, &object),
            Kind::Refund => refund::fall_due(room, &object),
            Kind::Transaction => balance::fall_due(room, object),
            Kind::Subscription => cycle::fall_due(room, object),
            Kind::Invoice => collect::fall_due(room, object),
            // Events are kept for thirty days.
            _ => room.book.remove(&id),
        }
        forget_if_still_due(room, kind, &id, at);
    }
    room.now = now;
    room.clock = of;
}

/// Time must go on, whatever a rule forgets.
fn forget_if_still_due(room: &mut Room<'_>, kind: Kind, id: &str, at: i64) {
    let Some(mut object) = room.book.get(kind, id) else {
        return;
    };
    if json::hidden_int(&object, "due").is_some_and(|due| due <= at) {
        json::hide(&mut object, "due", serde_json::Value::Null);
        room.book.put(kind, &object);
    }
}
