//! What the simulation found about events, as orders of events of their own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::case;
use crate::memory::db::Personality;
use crate::mirrors;
use crate::play::{Moves, Order, Play};
use crate::reflect;
use crate::world::{Process, World};

const SECOND: i64 = 1_000_000;
const MORE_THAN_A_PAGE: usize = 151;

fn pull(play: &mut Play, house: &Process) {
    let part = mirrors::pulls_once(house.clone());
    case::to_its_end(play, house, part, &mut Moves::default());
}

/// The first two that are mirrored, by the provider's names for them.
fn names(play: &Play) -> (String, String) {
    let db = play.world.shared.db();
    let mut names = db
        .tables
        .mirrors
        .rows()
        .map(|(_, row)| row.provider_ref.clone());
    let mut next = || names.next().expect("a mirrored subscription");
    (next(), next())
}

/// An event of one subscription shows in the list some minutes after a newer one of another. A clock that is ahead takes the
/// newer one for old, and must not go on from there.
#[test]
fn an_event_that_shows_late_is_not_missed_by_a_clock_that_is_ahead() {
    for minutes_ahead in [0, 10, 24 * 60] {
        let world = World::of(&mirrors::ON_SCHEDULE, 1, Personality::Serial);
        let mut play = Play::new(world, 1);
        play.order = Order::InTurn;
        let house = play.process();
        pull(&mut play, &house);
        house
            .skew
            .store(minutes_ahead * 60 * SECOND, Ordering::Relaxed);
        let desk = mirrors::desk(&Arc::clone(&play.world.net), &Arc::clone(&play.world.stage));
        let (one, other) = names(&play);

        play.world.net.state().fates.late = 1_000;
        crate::world::at_once(desk.cancel_subscription_at_period_end("d1", &one)).expect("set");
        pull(&mut play, &house);
        play.world.net.state().fates.late = 0;
        play.world.stage.lock().now += SECOND;
        crate::world::at_once(desk.cancel_subscription_at_period_end("d2", &other)).expect("set");
        pull(&mut play, &house);
        for _ in 0..2 {
            play.world.stage.lock().now += 290 * SECOND;
            pull(&mut play, &house);
        }
        let found = reflect::differences(&play.world);
        assert!(found.is_empty(), "{minutes_ahead} minutes ahead: {found:?}");
    }
}

/// More than a page of events happens while one is late: the place that was reached neither leaves that one behind nor stands
/// still.
#[test]
fn an_event_that_shows_late_is_not_missed_where_more_than_a_page_happens_meanwhile() {
    let world = World::of(&mirrors::ON_SCHEDULE, 1, Personality::Serial);
    let mut play = Play::new(world, 1);
    play.order = Order::InTurn;
    let house = play.process();
    pull(&mut play, &house);
    let desk = mirrors::desk(&Arc::clone(&play.world.net), &Arc::clone(&play.world.stage));
    let (one, other) = names(&play);

    play.world.net.state().fates.late = 1_000;
    crate::world::at_once(desk.cancel_subscription_at_period_end("d1", &one)).expect("set");
    pull(&mut play, &house);
    play.world.net.state().fates.late = 0;
    for nth in 0..MORE_THAN_A_PAGE {
        play.world.stage.lock().now += SECOND;
        let key = format!("d2.{nth}");
        let changed = if nth.is_multiple_of(2) {
            crate::world::at_once(desk.cancel_subscription_at_period_end(&key, &other))
        } else {
            crate::world::at_once(desk.undo_subscription_cancel(&key, &other))
        };
        changed.expect("set");
    }
    pull(&mut play, &house);
    for _ in 0..2 {
        play.world.stage.lock().now += 290 * SECOND;
        pull(&mut play, &house);
    }
    let found = reflect::differences(&play.world);
    assert!(found.is_empty(), "{found:?}");
}
