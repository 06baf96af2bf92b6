//! Each verb in fair weather, and its refusals.

use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::{Outcome, Refused, Request, VerbError};

use crate::world::{admin, on_each, won};

#[tokio::test]
async fn a_subscription_is_active_only_after_its_first_charge() {
    on_each(async |w| {
        let (_, _) = w.subscriber("key-one").await;
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(w.text("select state from subscription").await, "active");
        assert_eq!(w.text("select state from invoice").await, "paid");

        let plan = w.plan_of("other", 19_000, "month", 0).await;
        let customer = w.customer("key-two").await;
        w.card(
            customer,
            "key-two",
            json!({ "behaviour": { "kind": "decline", "code": "REJECT_CARD_PAYMENT" } }),
        )
        .await;
        let outcome = w
            .act(Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            })
            .await
            .expect("an outcome");
        assert!(matches!(outcome, Outcome::Declined { .. }), "{outcome:?}");
        assert_eq!(
            w.text("select state from subscription order by id desc limit 1")
                .await,
            "incomplete"
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_before_apply_and_a_stale_plan_is_refused() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let refund = Request::Refund {
            payment,
            amount: RefundAmount::Partial(won(3_000)),
            reason: "고객 요청".into(),
            also_cancel: AlsoCancel::No,
        };
        let plan = w.plan(&refund).await.expect("a plan");
        assert_eq!(w.executed().await, (1, 0));
        w.act(refund.clone()).await.expect("refunded");
        let again = w.engine.apply(&admin(), &refund, &plan.fingerprint).await;
        assert!(matches!(again, Err(VerbError::Stale)), "{again:?}");
        assert_eq!(w.executed().await, (1, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn partial_refunds_add_up_to_the_payment_and_no_further() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        let payment = w.last_payment().await;
        let refund = |minor, reason: &str| Request::Refund {
            payment,
            amount: RefundAmount::Partial(won(minor)),
            reason: reason.into(),
            also_cancel: AlsoCancel::No,
        };
        w.done(refund(3_000, "첫 번째")).await;
        w.done(refund(3_000, "두 번째")).await;
        assert!(matches!(
            w.act(refund(4_000, "too much")).await,
            Err(VerbError::Amount(_))
        ));
        assert!(matches!(
            w.act(refund(0, "nothing")).await,
            Err(VerbError::Amount(_))
        ));
        assert!(matches!(
            w.act(refund(-1, "negative")).await,
            Err(VerbError::Amount(_))
        ));
        assert_eq!(w.executed().await, (1, 2));
        w.done(Request::Refund {
            payment,
            amount: RefundAmount::Full,
            reason: "rest".into(),
            also_cancel: AlsoCancel::Now,
        })
        .await;
        assert_eq!(w.number("select refunded_minor from payment").await, 9_900);
        assert_eq!(w.text("select state from subscription").await, "canceled");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_cancel_ends_at_the_period_and_can_be_taken_back() {
    on_each(async |w| {
        let (_, subscription) = w.subscriber("key-one").await;
        let cancel = Request::CancelAtEnd {
            subscription,
            reason: "asked".into(),
        };
        w.done(cancel.clone()).await;
        assert!(matches!(
            w.act(cancel.clone()).await,
            Err(VerbError::Refused(Refused::AlreadyScheduled))
        ));
        w.done(Request::UndoCancel { subscription }).await;
        let next = w.number("select next_due_at from subscription").await;
        w.done(cancel).await;
        assert_eq!(w.number("select next_due_at from subscription").await, next);
        w.advance_days(20).await;
        w.run().await;
        assert_eq!(w.text("select state from subscription").await, "active");
        w.advance_days(20).await;
        w.run().await;
        assert_eq!(w.text("select state from subscription").await, "canceled");
        assert_eq!(w.executed().await, (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_one_time_charge_leaves_the_schedule_alone_and_applies_once() {
    on_each(async |w| {
        let (customer, _) = w.subscriber("key-one").await;
        let next = w.number("select next_due_at from subscription").await;
        let request = Request::OneTime {
            customer,
            amount: won(5_000),
            description: "추가 사용".into(),
        };
        let plan = w.plan(&request).await.expect("a plan");
        let outcome = w
            .engine
            .apply(&admin(), &request, &plan.fingerprint)
            .await
            .expect("charged");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        let again = w.engine.apply(&admin(), &request, &plan.fingerprint).await;
        assert!(matches!(again, Err(VerbError::Stale)), "{again:?}");
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.number("select next_due_at from subscription").await, next);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_second_subscription_of_a_product_is_refused_by_the_database() {
    on_each(async |w| {
        let (customer, _) = w.subscriber("key-one").await;
        let plan = paydeck::domain::ids::PlanId(w.number("select max(id) from plan").await);
        let again = w
            .act(Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            })
            .await;
        assert!(
            matches!(again, Err(VerbError::Refused(Refused::OneSubscription))),
            "{again:?}"
        );
        assert_eq!(w.executed().await, (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_closed_plan_takes_nobody_and_bills_whom_it_has() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        let plan = paydeck::domain::ids::PlanId(w.number("select max(id) from plan").await);
        w.done(Request::DeactivatePlan { plan }).await;
        let customer = w.customer("key-two").await;
        w.card(customer, "key-two", json!({})).await;
        let refused = w
            .act(Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            })
            .await;
        assert!(
            matches!(refused, Err(VerbError::Refused(Refused::PlanInactive))),
            "{refused:?}"
        );
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_first_charge_goes_out_under_the_names_that_its_plan_said() {
    const LAST: &str = "select order_id || ' ' || idem_key from attempt order by id desc limit 1";
    on_each(async |w| {
        let customer = w.customer("key-one").await;
        w.card(customer, "key-one", json!({})).await;
        let plan = w.basic_plan().await;
        let first = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        let once = Request::OneTime {
            customer,
            amount: won(5_000),
            description: "설치비".into(),
        };
        let mut names = Vec::new();
        // The same charge twice is two charges.
        for request in [first.clone(), once.clone(), once] {
            let said = w.plan(&request).await.expect("a plan");
            let again = w.plan(&request).await.expect("a plan");
            assert_eq!(said.call, again.call);
            let call = said.call.expect("a call");
            w.done(request).await;
            let sent = w.text(LAST).await;
            assert_eq!(sent, format!("{} {}", call.order_id, call.idem_key));
            names.push(sent);
        }
        names.dedup();
        assert_eq!(names.len(), 3);
        // A second one of the product is refused before there is a plan.
        let second = w.plan(&first).await;
        assert!(
            matches!(second, Err(VerbError::Refused(Refused::OneSubscription))),
            "{second:?}"
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn in_a_simulation_one_clock_dates_everything_that_people_read() {
    use paydeck::engine::queries::{ListQuery, Reads};
    on_each(async |w| {
        w.subscriber("key-one").await;
        // The database's clock stays where it is.
        w.advance_days(31).await;
        w.fault(
            "charge",
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            1,
        )
        .await;
        w.run().await;
        let invoice = w.only_invoice().await;
        w.done(Request::Retry { invoice }).await;
        let now = w.clock_now();
        let near = |at: chrono::DateTime<chrono::Utc>| (now - at).num_minutes().abs() < 60;
        let timeline = w
            .engine
            .store()
            .timeline(invoice)
            .await
            .expect("a timeline");
        assert!(timeline.entries.len() > 8, "{:?}", timeline.entries);
        for entry in &timeline.entries {
            assert!(near(entry.at), "{entry:?}");
        }
        let activity = w.engine.store().activity(&ListQuery::first(3)).await;
        for row in activity.expect("rows").rows {
            assert!(near(row.record.entry.at), "{row:?}");
        }
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancel_says_what_it_does_to_mrr_and_to_access() {
    use paydeck::engine::Effect;
    on_each(async |w| {
        let (_, subscription) = w.subscriber("key-one").await;
        let reason = String::from("asked");
        let until = "2026-04-09T15:00:00Z".parse().expect("an instant");
        let now = Request::CancelNow {
            subscription,
            reason: reason.clone(),
        };
        let plan = w.plan(&now).await.expect("a plan");
        for effect in [Effect::Mrr(won(-9_900)), Effect::AccessUntil(w.clock_now())] {
            assert!(plan.effects.contains(&effect), "{effect:?} {plan:?}");
        }
        let at_end = Request::CancelAtEnd {
            subscription,
            reason,
        };
        let plan = w.plan(&at_end).await.expect("a plan");
        for effect in [Effect::Mrr(won(-9_900)), Effect::EndsAt(until)] {
            assert!(plan.effects.contains(&effect), "{effect:?} {plan:?}");
        }
    })
    .await;
}
