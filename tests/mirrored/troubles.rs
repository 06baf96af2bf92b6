//! Trouble of one subscription is its own: everything else goes on, a person is called once, and there is a way out.

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::{Outcome, Refused, Request, VerbError};
use serde_json::json;

use crate::shop::{Shop, on_each};
use crate::world::won;

async fn pages(shop: &Shop, what: &str) -> i64 {
    let sql =
        format!("select count(*) from outbox where kind = 'page' and payload like '%\"{what}\"%'");
    shop.world.ask(&sql).await
}

async fn everything_is_to_be_read(shop: &Shop) {
    shop.world
        .execute("update mirror set read_again_at = 0")
        .await;
}

#[tokio::test]
async fn one_that_cannot_be_mirrored_any_more_holds_up_nobody_and_its_wish_has_an_end() {
    on_each(async |shop: Shop| {
        let odd = shop.mirrored("odd").await;
        let healthy = shop.mirrored("healthy").await;
        shop.pull().await;
        let lost = json!("lost_before_commit");
        shop.world
            .fault("stripe_subscription_update", lost, 1)
            .await;
        let end = || Request::CancelAtEnd {
            subscription: odd.id,
            reason: "moving".into(),
        };
        let outcome = shop.world.act(end()).await;
        assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
        shop.sells_another_price_too(&odd).await;
        shop.a_month_later().await;
        shop.world
            .execute("update mirror_act set lease_until = 0, next_check_at = 0")
            .await;

        let pulled = shop.pull().await;
        assert_eq!((pulled.failed, pulled.settled), (1, 0), "{pulled:?}");
        assert_eq!(shop.count("payment", &healthy).await, 2);
        assert_eq!(pages(&shop, "not_mirrored").await, 1);
        assert_eq!(pages(&shop, "wish_unknown").await, 0);
        let waits = "select count(*) from mirror_act where state = 'unknown' and next_check_at > 0";
        assert_eq!(shop.world.ask(waits).await, 1);
        let again = shop.world.plan(&end()).await;
        assert!(
            matches!(again, Err(VerbError::Refused(Refused::InProgress { .. }))),
            "{again:?}"
        );

        // Two days later a person has been called, and may wish again.
        shop.world
            .execute("update mirror_act set first_sent_at = 0, lease_until = 0, next_check_at = 0")
            .await;
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        assert_eq!(pages(&shop, "wish_unknown").await, 1);
        assert_eq!(pages(&shop, "not_mirrored").await, 1);
        let outcome = shop.world.act(end()).await;
        assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
        let there = shop.stripe.subscription(&odd.name).await.expect("read");
        assert!(there.ends_with_period);
        let states = "select state from mirror_act order by id";
        assert_eq!(shop.world.column(states).await, ["not_done", "unknown"]);
    })
    .await;
}

#[tokio::test]
async fn a_refund_at_the_desk_beside_ours_is_booked_and_holds_up_nobody() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let other = shop.mirrored("other").await;
        shop.pull().await;
        let sql = format!(
            "select id from payment where subscription_id = {}",
            one.id.0
        );
        let payment = paydeck::domain::ids::PaymentId(shop.world.ask(&sql).await);
        let lost = json!("lost_before_commit");
        shop.world.fault("cancel", lost, 1).await;
        let ours = shop
            .world
            .act(Request::Refund {
                payment,
                amount: RefundAmount::Partial(won(20_000)),
                reason: "asked for".into(),
                also_cancel: AlsoCancel::No,
            })
            .await;
        assert!(matches!(ours, Ok(Outcome::Unknown(_))), "{ours:?}");
        shop.refunds_at_the_desk(payment, 15_000).await;
        shop.a_month_later().await;

        shop.pull().await;
        assert_eq!(shop.count("payment", &other).await, 2);
        assert_eq!(shop.world.ask("select count(*) from refund").await, 1);
        assert_eq!(pages(&shop, "refund_beside_ours").await, 1);
        shop.world.books_are_straight().await;

        // Ours is refused, because there is not enough left.
        for _ in 0..3 {
            shop.world.expire_leases().await;
            shop.world.reconcile().await;
        }
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        let back = "select cast(sum(refunded_minor) as bigint) from payment";
        assert_eq!(shop.world.ask(back).await, 15_000);
        assert_eq!(pages(&shop, "refund_beside_ours").await, 1);
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_second_charge_of_one_invoice_is_a_payment_that_is_owed_back_and_somebody_is_called() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        let payment = shop.world.last_payment().await;
        shop.was_charged_before_by_another_name().await;
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        let told = "select captured_minor || ' ' || is_duplicate from payment order by id";
        assert_eq!(shop.world.column(told).await, ["29000 0", "29000 1"]);
        let states = "select state || ' ' || needs_human from attempt order by id";
        assert_eq!(
            shop.world.column(states).await,
            ["succeeded 0", "duplicate 1"]
        );
        let suspense = "select count(*) from ledger where account = 'suspense'";
        assert_eq!(shop.world.ask(suspense).await, 1);
        assert_eq!(pages(&shop, "duplicate").await, 1);
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        assert_eq!(shop.count("payment", &one).await, 2);

        // It goes back at the desk: its refund is read, and nobody is called any more.
        let second = shop.world.last_payment().await;
        assert_ne!(second, payment);
        shop.refunds_at_the_desk(second, 29_000).await;
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        let left = "select (captured_minor - refunded_minor) || '' from payment order by id";
        assert_eq!(shop.world.column(left).await, ["29000", "0"]);
        assert_eq!(
            shop.world.column(states).await,
            ["succeeded 0", "duplicate 0"]
        );
        let sum = "select cast(coalesce(sum(amount_minor), 0) as bigint) from ledger";
        assert_eq!(shop.world.ask(sum).await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_nobody_saw_is_missed_until_the_period_is_over_and_not_for_good() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        let after = "select count(*) from mirror m join subscription s on s.id = m.subscription_id where m.read_again_at >= m.read_at + 27 * 86400000000";
        assert_eq!(shop.world.ask(after).await, 1);
        shop.a_month_later().await;
        shop.world
            .execute("update event_cursor set event_key = '', happened_at = 9000000000000000")
            .await;
        shop.pull().await;
        assert_eq!(shop.count("payment", &one).await, 1);
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        assert_eq!(shop.count("payment", &one).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_refund_at_the_desk_that_fails_days_later_is_booked_back_and_somebody_is_called() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        shop.pays_with(&one.customer, "pm_card_refundFail", "fails").await;
        shop.a_month_later().await;
        shop.pull().await;
        let payment = shop.world.last_payment().await;
        shop.refunds_at_the_desk(payment, 9_000).await;
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        let back = "select cast(sum(refunded_minor) as bigint) from payment";
        assert_eq!(shop.world.ask(back).await, 9_000);
        shop.world.advance_days(2).await;
        shop.world
            .execute("update attempt set next_check_at = 0, lease_until = 0 where next_check_at is not null")
            .await;
        shop.world.reconcile().await;
        assert_eq!(shop.world.ask(back).await, 0);
        assert_eq!(pages(&shop, "refund_undone").await, 1);
        let called = "select count(*) from attempt where needs_human = 1 and state = 'succeeded'";
        assert_eq!(shop.world.ask(called).await, 1);
        everything_is_to_be_read(&shop).await;
        shop.pull().await;
        assert_eq!(shop.world.ask(back).await, 0, "a reading changes nothing");
        let sum = "select cast(sum(amount_minor) as bigint) from ledger";
        assert_eq!(shop.world.ask(sum).await, 0);
    })
    .await;
}
