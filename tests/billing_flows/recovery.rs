//! What a plan says of periods that passed while a subscription was past due is what then happens.

use serde_json::json;

use paydeck::domain::ids::InvoiceId;
use paydeck::engine::{Effect, Request, VerbError};

use crate::world::{World, on_each};

const DRAFTS: &str = "select count(*) from invoice where state = 'draft'";

/// A renewal that was declined for good, so that nobody tries it again by himself.
async fn past_due(w: &World) -> InvoiceId {
    let stopped = json!({ "kind": "decline", "code": "INVALID_STOPPED_CARD" });
    w.fault("charge", stopped, 1).await;
    w.run().await;
    assert_eq!(w.text("select state from subscription").await, "past_due");
    w.only_invoice().await
}

#[tokio::test]
async fn of_forty_days_past_due_the_plan_says_which_the_run_writes_down_and_which_it_drops() {
    on_each(async |w| {
        let customer = w.customer("key-one").await;
        w.card(customer, "key-one", json!({})).await;
        let plan = w.plan_of("daily", 1_000, "day", 0).await;
        w.act(Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        })
        .await
        .expect("subscribed");
        w.advance_days(1).await;
        let retry = Request::Retry {
            invoice: past_due(&w).await,
        };
        w.advance_days(40).await;
        let effects = w.plan(&retry).await.expect("a plan").effects;
        let down = effects.iter().find_map(|e| match e {
            Effect::PeriodsWrittenDown { count, from, .. } => Some((*count, *from)),
            _ => None,
        });
        let dropped = effects.iter().find_map(|e| match e {
            Effect::PeriodsNotBilled { count, to, .. } => Some((*count, *to)),
            _ => None,
        });
        let ((down, from), (dropped, to)) = (down.expect("some"), dropped.expect("others"));
        assert_eq!((down, down + dropped), (24, 39), "{effects:?}");
        assert_eq!(from, to, "one stretch after the other");
        w.done(retry).await;
        w.run().await;
        assert_eq!(w.number(DRAFTS).await, 24);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_plan_made_before_a_due_date_is_stale_after_it() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31).await;
        let retry = Request::Retry {
            invoice: past_due(&w).await,
        };
        w.advance_days(20).await;
        let plan = w.plan(&retry).await.expect("a plan");
        assert!(
            plan.effects
                .iter()
                .any(|e| matches!(e, Effect::NextCharge { .. })),
            "{:?}",
            plan.effects
        );
        w.advance_days(15).await;
        let late = w
            .engine
            .apply(&crate::world::admin(), &retry, &plan.fingerprint)
            .await;
        assert!(matches!(late, Err(VerbError::Stale)), "{late:?}");
        assert_eq!(w.executed().await, (1, 0));
        let plan = w.plan(&retry).await.expect("a plan");
        assert!(
            plan.effects
                .iter()
                .any(|e| matches!(e, Effect::ChargedByNextRun { .. })),
            "{:?}",
            plan.effects
        );
    })
    .await;
}
