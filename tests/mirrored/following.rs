//! Following what Stripe does: renewals, failures, events in any order, outages.

use chrono::TimeDelta;
use paydeck::engine::VerbError;
use paydeck::engine::ports::EventSeen;

use crate::shop::{BAD, Shop, on_each};
use crate::world::{Base, admin};

#[tokio::test]
async fn a_subscription_is_taken_in_with_what_was_paid_so_far() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        assert_eq!(shop.state(&one).await, "active");
        assert_eq!(shop.count("payment", &one).await, 1);
        assert_eq!(shop.count("invoice", &one).await, 1);
        let used = "select count(*) from payment where installment_months = 0 and three_d_secure = 'not_used'";
        assert_eq!(shop.world.ask(used).await, 1, "N05");
        let told = shop.told(&one).await;
        assert!(told.contains(&">incomplete created".to_owned()), "{told:?}");
        assert!(
            told.contains(&"incomplete>active activated".to_owned()),
            "{told:?}"
        );
        let again = shop
            .world
            .engine
            .mirror_add(&admin(), &one.name, None)
            .await;
        assert!(again.expect("known").was_known);
        assert_eq!(shop.told(&one).await, told);
        let named = "select count(*) from plan where active = 0 and code like 'price_%'";
        assert_eq!(shop.world.ask(named).await, 1);
        shop.world.books_are_straight().await;
        shop.run_charges_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn a_renewal_that_stripe_made_is_in_the_books_and_no_run_makes_another() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let first = shop.pull().await;
        assert!(first.anew, "{first:?}");
        shop.world.advance_days(40).await;
        // It is due, and nothing was pulled yet.
        shop.run_charges_nothing().await;
        let pulled = shop.pull().await;
        assert_eq!((pulled.read, pulled.left, pulled.failed), (1, 0, 0));
        assert_eq!(shop.count("payment", &one).await, 2);
        assert_eq!(shop.state(&one).await, "active");
        shop.world.books_are_straight().await;
        shop.run_charges_nothing().await;
        let again = shop.pull().await;
        assert_eq!((again.taken_in, again.read), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_renewal_that_fails_is_past_due_and_on_the_list_of_failures() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        shop.pays_with(&one.customer, BAD, "bad").await;
        shop.a_month_later().await;
        shop.pull().await;
        assert_eq!(shop.state(&one).await, "past_due");
        let failed = "select count(*) from invoice where state = 'open' and first_failed_at is not null and last_code = 'generic_decline' and dunning = 'idle' and next_attempt_at is not null";
        assert_eq!(shop.world.ask(failed).await, 1);
        assert_eq!(shop.count("payment", &one).await, 1);
        shop.world.books_are_straight().await;
        shop.world.advance_days(1).await;
        shop.run_charges_nothing().await;
    })
    .await;
}

/// Every order of a list.
fn permutations<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    if list.len() <= 1 {
        return vec![list.to_vec()];
    }
    let mut all = Vec::new();
    for at in 0..list.len() {
        let mut rest = list.to_vec();
        let first = rest.remove(at);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

/// Each subscription hears of the same five events in another order, one by one, each of them twice, and works on them
/// in between.
async fn every_order_ends_alike(base: Base, most: usize) {
    let Some(shop) = Shop::open(base).await else {
        return;
    };
    let orders: Vec<Vec<usize>> = permutations(&[0, 1, 2, 3, 4]);
    let step = orders.len().div_ceil(most);
    let orders: Vec<Vec<usize>> = orders.into_iter().step_by(step).collect();
    let mut all = Vec::new();
    for n in 0..orders.len() {
        all.push(shop.mirrored(&format!("n{n}")).await);
    }
    shop.a_month_later().await;
    let mut ends = Vec::new();
    for (one, order) in all.iter().zip(&orders) {
        let events: Vec<EventSeen> = shop.events_of(one).await;
        let last = events.len() - 5;
        let engine = &shop.world.engine;
        for (nth, at) in order.iter().enumerate() {
            let event = std::slice::from_ref(&events[last + at]);
            let taken = engine.intake(event).await.expect("taken in");
            assert_eq!(taken, 1);
            assert_eq!(engine.intake(event).await.expect("known"), 0);
            // Some are worked on at once, and some together.
            if nth != 0 && nth != 2 {
                engine.mirror_follow(&admin()).await.expect("followed");
            }
        }
        assert_eq!(shop.count("payment", one).await, 2, "{order:?}");
        ends.push(shop.told(one).await);
    }
    for (end, order) in ends.iter().zip(&orders) {
        assert_eq!(end, &ends[0], "{order:?}");
    }
    shop.world.books_are_straight().await;
}

#[tokio::test]
async fn events_in_every_order_end_alike_on_sqlite() {
    every_order_ends_alike(Base::Sqlite, 120).await;
}

#[tokio::test]
async fn events_in_many_orders_end_alike_on_postgres() {
    every_order_ends_alike(Base::Postgres, 24).await;
}

#[tokio::test]
async fn an_outage_longer_than_a_page_of_events_loses_none() {
    on_each(async |shop: Shop| {
        let mut all = Vec::new();
        for n in 0..30 {
            all.push(shop.mirrored(&format!("n{n}")).await);
        }
        shop.pull().await;
        shop.a_month_later_with_a_pull(&all[0]).await;
        let pulled = shop.pull().await;
        assert!(pulled.taken_in > 100, "{pulled:?}");
        assert!(!pulled.anew, "{pulled:?}");
        assert_eq!(pulled.read, 30);
        for one in &all {
            assert_eq!(shop.count("payment", one).await, 2);
        }
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn after_a_silence_longer_than_events_are_kept_everything_is_read_anew() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        shop.world.advance_days(70).await;
        let pulled = shop.pull().await;
        assert!(pulled.anew, "{pulled:?}");
        assert_eq!(shop.count("payment", &one).await, 3);
        shop.world.advance_days(1).await;
        assert!(!shop.pull().await.anew);
        // Nothing happens for long: one look at whether something has, and no reading of everything each time.
        shop.stripe
            .cancel_subscription_now(&one.name)
            .await
            .expect("ended");
        shop.pull().await;
        shop.world.advance_days(40).await;
        assert!(shop.pull().await.anew);
        shop.world.advance_days(1).await;
        assert!(!shop.pull().await.anew);
    })
    .await;
}

#[tokio::test]
async fn an_older_reading_is_not_written_over_a_newer_one() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let told = shop.told(&one).await;
        // Somebody's reading that began later was written already.
        shop.world
            .execute("update mirror set read_at = read_at + 3600000000")
            .await;
        shop.a_month_later().await;
        shop.pull().await;
        assert_eq!(shop.told(&one).await, told);
    })
    .await;
}

#[tokio::test]
async fn events_wait_while_stripe_does_not_answer_and_nothing_is_lost() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        shop.a_month_later_with_a_pull(&one).await;
        let lost = serde_json::json!("lost_before_commit");
        shop.world.fault("stripe_subscription", lost, 1).await;
        let pulled = shop.pull().await;
        assert!(pulled.left > 0, "{pulled:?}");
        assert_eq!(shop.count("payment", &one).await, 1);
        shop.world
            .execute("update mirror set read_again_at = 0")
            .await;
        let pulled = shop.pull().await;
        assert_eq!((pulled.left, pulled.read), (0, 1));
        assert_eq!(shop.count("payment", &one).await, 2);
    })
    .await;
}

#[tokio::test]
async fn what_stripe_does_not_know_is_not_taken_in() {
    on_each(async |shop: Shop| {
        let engine = &shop.world.engine;
        let nobody = engine.mirror_add(&admin(), "sub_nobody", None).await;
        assert!(matches!(nobody, Err(VerbError::Provider(_))), "{nobody:?}");
        assert_eq!(shop.world.ask("select count(*) from subscription").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_ended_subscription_is_taken_in_as_ended() {
    on_each(async |shop: Shop| {
        let (_, name) = shop.at_stripe("gone").await;
        let later = shop.world.clock_now() + TimeDelta::days(3);
        shop.world.set_time(later).await;
        let ended = shop.stripe.cancel_subscription_now(&name).await;
        ended.expect("ended");
        let engine = &shop.world.engine;
        let taken = engine.mirror_add(&admin(), &name, None).await;
        assert_eq!(taken.expect("taken in").state.as_str(), "canceled");
        let history = "select coalesce(from_state, '') || '>' || to_state from subscription_change order by id";
        let told = shop.world.column(history).await;
        assert_eq!(told, [">incomplete", "incomplete>active", "active>canceled"]);
        shop.world.books_are_straight().await;
    })
    .await;
}
