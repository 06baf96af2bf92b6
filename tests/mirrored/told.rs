//! What customers are told about what Stripe did, and what people read of what was asked of Stripe: the list of what is
//! open, the card, the timeline.

use paydeck::domain::mirror::{Collection, Scheduler, WishState, WishVerb};
use paydeck::engine::queries::{DoneBy, ListQuery, Reads, WishCan};
use paydeck::engine::{Outcome, Request};
use serde_json::json;

use crate::shop::{BAD, GOOD, Mirrored, Shop, on_each};
use crate::world::admin;

/// Notices of customers, by kind, that say who schedules it.
async fn told(shop: &Shop) -> Vec<String> {
    let sql = "select kind from outbox where payload like '%\"scheduler\":\"stripe\"%' order by id";
    shop.world.column(sql).await
}

#[tokio::test]
async fn customers_hear_of_what_stripe_does_from_then_on_and_once() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        assert_eq!(
            told(&shop).await,
            Vec::<String>::new(),
            "the past is no news"
        );
        shop.pull().await;
        shop.pays_with(&one.customer, BAD, "bad").await;
        shop.a_month_later().await;
        shop.pull().await;
        assert_eq!(told(&shop).await, ["payment_failed"]);
        shop.pays_with(&one.customer, GOOD, "good").await;
        let invoice = shop.last_invoice(&one).await;
        let paid = shop.world.act(Request::Retry { invoice }).await;
        assert!(matches!(paid, Ok(Outcome::Done(_))), "{paid:?}");
        assert_eq!(told(&shop).await, ["payment_failed", "payment_succeeded"]);
        let payment = "select max(id) from payment";
        let payment = paydeck::domain::ids::PaymentId(shop.world.ask(payment).await);
        shop.refunds_at_the_desk(payment, 1_000).await;
        shop.pull().await;
        shop.pull().await;
        assert_eq!(
            told(&shop).await,
            ["payment_failed", "payment_succeeded", "refunded"]
        );
    })
    .await;
}

/// A request that Stripe never got: it is unknown.
async fn lost(shop: &Shop) -> Mirrored {
    let one = shop.mirrored("one").await;
    shop.pull().await;
    shop.pays_with(&one.customer, BAD, "bad").await;
    shop.a_month_later().await;
    shop.pull().await;
    let invoice = shop.last_invoice(&one).await;
    let lost = json!("lost_before_commit");
    shop.world.fault("stripe_invoice_pay", lost, 1).await;
    let outcome = shop.world.act(Request::Retry { invoice }).await;
    assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
    one
}

#[tokio::test]
async fn what_was_asked_and_is_not_known_to_be_done_is_listed_counted_and_on_its_card() {
    on_each(async |shop: Shop| {
        let one = lost(&shop).await;
        let store = shop.world.engine.store();
        let page = store.wishes(&ListQuery::first(10)).await.expect("a page");
        let [row] = &page.rows[..] else {
            panic!("{page:?}")
        };
        assert_eq!(
            (row.wish.verb, row.wish.state, row.can),
            (WishVerb::Pay, WishState::Unknown, WishCan::Wait)
        );
        assert_eq!(row.wish.operator, admin().person);
        assert!(row.invoice.is_some() && row.wish.next_check_at.is_some());
        assert_eq!(row.customer.name, "김하나");
        assert_eq!(store.count_wishes().await.expect("a count"), 1);
        let card = store.subscription_card(one.id).await.expect("a card");
        let mirror = card.mirror.expect("Stripe schedules it");
        assert_eq!(mirror.collection, Collection::On);
        assert_eq!(mirror.wish.as_ref(), Some(row));
        assert_eq!(card.row.scheduler, Scheduler::Stripe);
        for (filter, count) in [("by:kim", 1), ("by:lee", 0), ("김하나", 1), ("status:unknown", 1)] {
            let query = ListQuery {
                filter: paydeck::engine::queries::Filter::parse(filter).expect("a filter"),
                ..ListQuery::first(10)
            };
            let page = store.wishes(&query).await.expect("a page");
            assert_eq!(page.rows.len(), count, "{filter}");
        }
        for (hours, can) in [(25, WishCan::LookThere), (24, WishCan::AskAgain)] {
            let us = i64::from(hours) * 3_600_000_000;
            shop.world
                .change(&format!(
                    "update mirror_act set first_sent_at = first_sent_at - {us}, lease_until = lease_until - {us}"
                ))
                .await;
            let page = store.wishes(&ListQuery::first(10)).await.expect("a page");
            assert_eq!(page.rows[0].can, can);
        }
    })
    .await;
}

#[tokio::test]
async fn the_timeline_says_whether_the_schedule_did_it_or_who_asked_for_it() {
    on_each(async |shop: Shop| {
        let one = lost(&shop).await;
        shop.pays_with(&one.customer, GOOD, "good").await;
        shop.world
            .execute("update mirror_act set lease_until = 0, next_check_at = 0")
            .await;
        shop.pull().await;
        let invoice = shop.last_invoice(&one).await;
        let store = shop.world.engine.store();
        let timeline = store.timeline(invoice).await.expect("a timeline");
        assert_eq!(timeline.scheduler, Scheduler::Stripe);
        let done: Vec<_> = timeline
            .attempts
            .iter()
            .map(|one| timeline.done_by(one))
            .collect();
        assert_eq!(
            done,
            [DoneBy::Schedule, DoneBy::Asked("kim")],
            "{timeline:?}"
        );
    })
    .await;
}
