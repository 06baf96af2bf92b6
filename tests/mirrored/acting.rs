//! Acting on what Stripe schedules: through Stripe, written before it is sent, settled by what is read back.

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::{Outcome, Refused, Request, VerbError};
use serde_json::json;

use crate::shop::{BAD, GOOD, Mirrored, Shop, on_each};
use crate::world::{admin, won};

async fn done(shop: &Shop, request: Request) {
    let outcome = shop.world.act(request).await.expect("an outcome");
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

/// A renewal was declined, and the customer has a good card again.
pub async fn failed(shop: &Shop) -> Mirrored {
    let one = shop.mirrored("one").await;
    shop.pull().await;
    shop.pays_with(&one.customer, BAD, "bad").await;
    shop.a_month_later().await;
    shop.pull().await;
    assert_eq!(shop.state(&one).await, "past_due");
    shop.pays_with(&one.customer, GOOD, "good").await;
    one
}

#[tokio::test]
async fn a_failed_renewal_is_paid_by_asking_stripe_to_try_again() {
    on_each(async |shop: Shop| {
        let one = failed(&shop).await;
        let invoice = shop.last_invoice(&one).await;
        done(&shop, Request::Retry { invoice }).await;
        assert_eq!(shop.state(&one).await, "active");
        assert_eq!(shop.count("payment", &one).await, 2);
        assert_eq!(
            shop.world
                .ask("select count(*) from mirror_act where verb = 'pay' and state = 'done'")
                .await,
            1
        );
        shop.world.books_are_straight().await;
        let twice = shop.world.act(Request::Retry { invoice }).await;
        assert!(
            matches!(twice, Err(VerbError::Refused(Refused::AlreadyPaid))),
            "{twice:?}"
        );
        shop.pull().await;
        assert_eq!(shop.count("payment", &one).await, 2);
        shop.run_charges_nothing().await;
    })
    .await;
}

#[tokio::test]
async fn a_card_that_declines_again_is_a_decline_and_stripe_goes_on_with_its_schedule() {
    on_each(async |shop: Shop| {
        let one = failed(&shop).await;
        shop.pays_with(&one.customer, BAD, "worse").await;
        let invoice = shop.last_invoice(&one).await;
        let outcome = shop.world.act(Request::Retry { invoice }).await;
        let Ok(Outcome::Declined { refusal, .. }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(refusal.code, "generic_decline");
        assert_eq!(shop.state(&one).await, "past_due");
        let declined = "select count(*) from attempt where state = 'declined'";
        assert_eq!(shop.world.ask(declined).await, 2);
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_to_a_payment_is_settled_by_what_is_read_and_pays_once() {
    on_each(async |shop: Shop| {
        let one = failed(&shop).await;
        let (before, _) = shop.world.executed().await;
        let invoice = shop.last_invoice(&one).await;
        let lost = json!("lost_after_commit");
        shop.world.fault("stripe_invoice_pay", lost, 1).await;
        done(&shop, Request::Retry { invoice }).await;
        assert_eq!(shop.world.executed().await.0, before + 1);
        assert_eq!(shop.state(&one).await, "active");
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_was_lost_is_unknown_holds_its_place_and_goes_out_again_under_its_key() {
    on_each(async |shop: Shop| {
        let one = failed(&shop).await;
        let (before, _) = shop.world.executed().await;
        let invoice = shop.last_invoice(&one).await;
        let lost = json!("lost_before_commit");
        shop.world.fault("stripe_invoice_pay", lost, 1).await;
        let outcome = shop.world.act(Request::Retry { invoice }).await;
        assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
        let again = shop.world.plan(&Request::Retry { invoice }).await;
        assert!(
            matches!(again, Err(VerbError::Refused(Refused::InProgress { .. }))),
            "{again:?}"
        );
        shop.world
            .execute("update mirror_act set lease_until = 0, next_check_at = 0")
            .await;
        assert_eq!(shop.pull().await.settled, 1);
        assert_eq!(shop.world.executed().await.0, before + 1);
        assert_eq!(shop.state(&one).await, "active");
        let sends = "select send_count from mirror_act where state = 'done'";
        assert_eq!(shop.world.ask(sends).await, 2);
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn an_end_is_scheduled_and_taken_back_through_stripe() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let subscription = one.id;
        let reason = String::from("moving");
        done(
            &shop,
            Request::CancelAtEnd {
                subscription,
                reason,
            },
        )
        .await;
        let there = shop.stripe.subscription(&one.name).await.expect("read");
        assert!(there.ends_with_period);
        let ends = "select count(*) from subscription where cancel_at = next_due_at";
        assert_eq!(shop.world.ask(ends).await, 1);
        let again = shop
            .world
            .act(Request::CancelAtEnd {
                subscription,
                reason: String::new(),
            })
            .await;
        assert!(
            matches!(again, Err(VerbError::Refused(Refused::AlreadyScheduled))),
            "{again:?}"
        );
        done(&shop, Request::UndoCancel { subscription }).await;
        let there = shop.stripe.subscription(&one.name).await.expect("read");
        assert!(!there.ends_with_period);
        assert_eq!(shop.state(&one).await, "active");
    })
    .await;
}

/// Stripe's desk sets the end as a date, and so does an account whose billing is flexible: the flag does not take it back.
#[tokio::test]
async fn an_end_that_was_set_as_a_date_is_taken_back_through_stripe() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let subscription = one.id;
        let end = shop.world.clock_now().timestamp() + 40 * 86_400;
        let path = format!("subscriptions/{}", one.name);
        shop.at_the_desk(&path, &format!("cancel_at={end}")).await;
        shop.world
            .execute("update mirror set read_again_at = 0")
            .await;
        shop.pull().await;
        let ends = "select count(*) from subscription where cancel_at is not null";
        assert_eq!(shop.world.ask(ends).await, 1);

        // The answer to the first of the two requests is lost.
        let lost = json!("lost_after_commit");
        shop.world
            .fault("stripe_subscription_update", lost, 1)
            .await;
        let outcome = shop.world.act(Request::UndoCancel { subscription }).await;
        assert!(matches!(outcome, Ok(Outcome::Unknown(_))), "{outcome:?}");
        shop.world
            .execute("update mirror_act set lease_until = 0, next_check_at = 0")
            .await;
        assert_eq!(shop.pull().await.settled, 1);
        let there = shop.stripe.subscription(&one.name).await.expect("read");
        assert_eq!(there.cancel_at, None);
        assert_eq!(shop.world.ask(ends).await, 0);
        assert_eq!(shop.state(&one).await, "active");
        let states = "select state from mirror_act";
        assert_eq!(shop.world.column(states).await, ["done"]);
    })
    .await;
}

#[tokio::test]
async fn one_that_is_taken_in_beside_one_of_ours_is_told_and_somebody_is_called_once() {
    on_each(async |shop: Shop| {
        let (customer, ours) = shop.world.subscriber("ours").await;
        let (_, name) = shop.at_stripe("theirs").await;
        let engine = &shop.world.engine;
        for _ in 0..2 {
            let taken = engine.mirror_add(&admin(), &name, Some(customer)).await;
            let beside = taken.expect("taken in").beside;
            let sql = format!("select public_id from subscription where id = {}", ours.0);
            let ids: Vec<&str> = beside.iter().map(|id| id.as_str()).collect();
            assert_eq!(ids, shop.world.column(&sql).await);
        }
        let called = "select count(*) from outbox where kind = 'page' and payload like '%\"two_schedulers\"%'";
        assert_eq!(shop.world.ask(called).await, 1);
        let alone = shop.at_stripe("alone").await.1;
        let taken = engine.mirror_add(&admin(), &alone, None).await;
        assert!(taken.expect("taken in").beside.is_empty());
        assert_eq!(shop.world.ask(called).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_subscription_ends_now_through_stripe_and_a_plan_is_carried_out_once() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let request = Request::CancelNow {
            subscription: one.id,
            reason: "asked".into(),
        };
        let plan = shop.world.plan(&request).await.expect("a plan");
        let engine = &shop.world.engine;
        let first = engine.apply(&admin(), &request, &plan.fingerprint).await;
        assert!(matches!(first, Ok(Outcome::Done(_))), "{first:?}");
        let second = engine.apply(&admin(), &request, &plan.fingerprint).await;
        assert!(second.is_err(), "{second:?}");
        assert_eq!(shop.state(&one).await, "canceled");
        let there = shop.stripe.subscription(&one.name).await.expect("read");
        assert!(there.ended_at.is_some());
        let wishes = "select count(*) from mirror_act";
        assert_eq!(shop.world.ask(wishes).await, 1);
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn collection_is_paused_and_taken_up_again_through_stripe() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        let subscription = one.id;
        done(&shop, Request::Pause { subscription }).await;
        assert_eq!(shop.state(&one).await, "paused");
        let there = shop.stripe.subscription(&one.name).await.expect("read");
        assert!(there.pause.is_some());
        done(&shop, Request::Resume { subscription }).await;
        assert_eq!(shop.state(&one).await, "active");
    })
    .await;
}

#[tokio::test]
async fn an_unpaid_invoice_is_given_up_and_another_withdrawn() {
    on_each(async |shop: Shop| {
        let one = failed(&shop).await;
        let invoice = shop.last_invoice(&one).await;
        let reason = || String::from("settled otherwise");
        let give_up = Request::GiveUpInvoice {
            invoice,
            reason: reason(),
        };
        done(&shop, give_up).await;
        let state = "select state from invoice order by id desc limit 1";
        assert_eq!(shop.world.text(state).await, "uncollectible");
        let void = Request::VoidInvoice {
            invoice,
            reason: reason(),
        };
        done(&shop, void).await;
        assert_eq!(shop.world.text(state).await, "void");
        shop.world.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_mirrored_payment_is_refunded_like_any_other_and_booked_once() {
    on_each(async |shop: Shop| {
        let one = shop.mirrored("one").await;
        shop.pull().await;
        let payment = shop.world.last_payment().await;
        let refund = |amount, also_cancel| Request::Refund {
            payment,
            amount,
            reason: "asked for".into(),
            also_cancel,
        };
        let ended = refund(RefundAmount::Full, AlsoCancel::Now);
        let refused = shop.world.act(ended).await;
        assert!(
            matches!(
                refused,
                Err(VerbError::Refused(Refused::ScheduledElsewhere))
            ),
            "{refused:?}"
        );
        let part = RefundAmount::Partial(won(9_000));
        done(&shop, refund(part, AlsoCancel::No)).await;
        shop.world.advance_days(1).await;
        shop.pull().await;
        assert_eq!(shop.world.ask("select count(*) from refund").await, 1);
        let back = "select refunded_minor from payment";
        assert_eq!(shop.world.ask(back).await, 9_000);
        shop.world.books_are_straight().await;
        assert_eq!(shop.state(&one).await, "active");
    })
    .await;
}

#[tokio::test]
async fn what_we_schedule_ourselves_is_not_asked_of_stripe() {
    on_each(async |shop: Shop| {
        let (_, subscription) = shop.world.subscriber("ours").await;
        let pause = shop.world.act(Request::Pause { subscription }).await;
        assert!(
            matches!(pause, Err(VerbError::Refused(Refused::NotMirrored))),
            "{pause:?}"
        );
        let mirrored = shop.world.ask("select count(*) from mirror").await;
        assert_eq!(mirrored, 0);
        assert!(!shop.world.engine.has_mirrors().await.expect("asked"));
    })
    .await;
}
