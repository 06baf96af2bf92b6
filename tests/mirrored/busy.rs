//! An account where something happens all the time.

use chrono::TimeDelta;

use crate::shop::{Mirrored, Shop, on_each};

/// So many things happen each minute, and for so many minutes: a page of the list holds four minutes of them.
const A_MINUTE: usize = 25;
const MINUTES: usize = 10;

/// Each is one event.
async fn is_changed_often(shop: &Shop, of: &Mirrored) {
    for minute in 0..MINUTES {
        let next = shop.world.clock_now() + TimeDelta::minutes(1);
        shop.world.set_time(next).await;
        for nth in 0..A_MINUTE {
            let key = format!("busy{minute}.{nth}");
            let changed = if (minute * A_MINUTE + nth).is_multiple_of(2) {
                let ending = shop
                    .stripe
                    .cancel_subscription_at_period_end(&key, &of.name);
                ending.await
            } else {
                shop.stripe.undo_subscription_cancel(&key, &of.name).await
            };
            changed.expect("changed");
        }
    }
}

#[tokio::test]
async fn where_something_happens_all_the_time_the_place_that_was_reached_moves_on() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        is_changed_often(&shop, &one).await;
        let pulled = shop.pull().await;
        let happened = u32::try_from(MINUTES * A_MINUTE).expect("a number");
        assert!(pulled.taken_in >= happened, "{pulled:?}");

        let place = "select happened_at from event_cursor";
        let reached = shop.world.ask(place).await;
        let newest = shop.world.clock_now();
        let settled = newest - TimeDelta::minutes(6);
        assert!(reached >= settled.timestamp_micros(), "{reached}");
        // What may still have late ones before it is read again.
        let late = newest - TimeDelta::minutes(5);
        assert!(reached <= late.timestamp_micros(), "{reached}");
        let again = shop.pull().await;
        assert_eq!(again.taken_in, 0, "{again:?}");
        assert_eq!(shop.world.ask(place).await, reached);
    })
    .await;
}
