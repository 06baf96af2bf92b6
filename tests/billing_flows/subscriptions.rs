//! The life of a subscription: how it begins, what a refund does to it, and what happens when a
//! cancel and a charge meet.

use std::sync::Arc;

use serde_json::json;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{PlanId, SubscriptionId};
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::ports::Provider;
use paydeck::engine::{Outcome, Refused, Request, VerbError};

use crate::concurrency::{Gate, Trick};
use crate::world::{World, admin, on_each, on_each_tuned};

const STATE: &str = "select state from subscription order by id desc limit 1";

fn refund(w_payment: paydeck::domain::ids::PaymentId, also_cancel: AlsoCancel) -> Request {
    Request::Refund {
        payment: w_payment,
        amount: RefundAmount::Full,
        reason: "asked".into(),
        also_cancel,
    }
}

#[tokio::test]
async fn a_refund_alone_leaves_the_subscription_to_be_billed() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.done(refund(w.last_payment().await, AlsoCancel::No)).await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(
            w.number("select count(*) from subscription where cancel_at is not null")
                .await,
            0
        );
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_with_cancel_now_ends_it_at_once() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.done(refund(w.last_payment().await, AlsoCancel::Now))
            .await;
        assert_eq!(w.text(STATE).await, "canceled");
        assert_eq!(
            w.number("select count(*) from subscription where next_due_at is null")
                .await,
            1
        );
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(w.executed().await, (1, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_with_cancel_at_the_end_keeps_access_until_then() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.done(refund(w.last_payment().await, AlsoCancel::AtPeriodEnd))
            .await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(
            w.number("select count(*) from subscription where cancel_at = paid_until")
                .await,
            1
        );
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(w.text(STATE).await, "canceled");
        assert_eq!(w.executed().await, (1, 1));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_is_refused_leaves_the_subscription_alone() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.fault(
            "cancel",
            json!({ "kind": "decline", "code": "NOT_CANCELABLE_PAYMENT" }),
            1,
        )
        .await;
        let outcome = w
            .act(refund(w.last_payment().await, AlsoCancel::Now))
            .await
            .expect("an outcome");
        assert!(
            matches!(outcome, Outcome::Unknown(_)),
            "read back first: {outcome:?}"
        );
        w.settle_everything().await;
        assert_eq!(
            w.text("select state from attempt order by id desc limit 1")
                .await,
            "declined"
        );
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.number("select max(reserved_minor) from payment").await, 0);
        assert_eq!(w.executed().await, (1, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_end_taken_back_changes_nothing() {
    on_each(async |w| {
        let (_, subscription) = w.subscriber("key-one").await;
        let due = w.number("select next_due_at from subscription").await;
        w.done(Request::CancelAtEnd {
            subscription,
            reason: "asked".into(),
        })
        .await;
        w.done(Request::UndoCancel { subscription }).await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.number("select next_due_at from subscription").await, due);
        w.advance_days(31).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
    })
    .await;
}

#[tokio::test]
async fn two_who_subscribe_the_same_customer_at_once_start_one() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = w.customer("key-one").await;
        w.card(customer, "key-one", json!({})).await;
        let other = w.another_engine("second").await;
        let operator = admin();
        let request = Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        };
        let fingerprint = w.plan(&request).await.expect("a plan").fingerprint;
        let (one, two) = tokio::join!(
            w.engine.apply(&operator, &request, &fingerprint),
            other.apply(&operator, &request, &fingerprint),
        );
        let both = [one, two];
        let done = both
            .iter()
            .filter(|r| matches!(r, Ok(Outcome::Done(_))))
            .count();
        let lost = both
            .iter()
            .filter(|r| {
                matches!(
                    r,
                    Err(VerbError::Stale | VerbError::Refused(Refused::OneSubscription))
                )
            })
            .count();
        assert_eq!((done, lost), (1, 1), "{both:?}");
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(w.number("select count(*) from subscription").await, 1);
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn a_customer_key_is_given_once_and_is_no_address() {
    on_each(async |w| {
        w.customer("key-one").await;
        let create = |key: &str| Request::CreateCustomer {
            customer_key: Some(key.into()),
            name: "다른 사람".into(),
            email: "other@example.com".into(),
            phone: String::new(),
        };
        let again = w.act(create("key-one")).await;
        assert!(
            matches!(again, Err(VerbError::Refused(Refused::Taken(_)))),
            "{again:?}"
        );
        for key in ["seohyun@example.com", "010-1234-5678"] {
            let refused = w.act(create(key)).await;
            assert!(
                matches!(
                    refused,
                    Err(VerbError::Input {
                        field: "customer-key",
                        ..
                    })
                ),
                "{key}: {refused:?}"
            );
        }
        assert_eq!(w.number("select count(*) from customer").await, 1);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_active_before_it_is_paid_and_the_unpaid_start_expires() {
    on_each(async |w| {
        let plan = w.basic_plan().await;
        let customer = w.customer("key-one").await;
        w.card(customer, "key-one", json!({})).await;
        w.fault(
            "charge",
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            1,
        )
        .await;
        let request = Request::Subscribe {
            customer,
            plan,
            quantity: 2,
        };
        let outcome = w.act(request.clone()).await.expect("an outcome");
        assert!(matches!(outcome, Outcome::Declined { .. }), "{outcome:?}");
        assert_eq!(w.text(STATE).await, "incomplete");
        w.run().await;
        assert_eq!(w.executed().await, (0, 0), "dunning leaves it alone");
        w.advance_days(1).await;
        w.run().await;
        assert_eq!(w.text(STATE).await, "expired");
        assert_eq!(w.text("select state from invoice").await, "void");
        w.done(request).await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.number("select captured_minor from payment").await, 19_800);
        w.books_are_straight().await;
    })
    .await;
}

async fn a_charge_in_flight(w: &World) -> (SubscriptionId, Request) {
    let (_, subscription) = w.subscriber("key-one").await;
    w.advance_days(31).await;
    w.fault(
        "charge",
        json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
        1,
    )
    .await;
    w.run().await;
    let invoice = w.only_invoice().await;
    (subscription, Request::Retry { invoice })
}

/// Presses retry, and cancels before the provider's answer is heard.
async fn cancel_meanwhile(w: &World, subscription: SubscriptionId, retry: &Request) -> Outcome {
    let other = w.another_engine("second").await;
    let operator = admin();
    let plan = w.plan(retry).await.expect("a plan");
    let gate = Gate::new(&w.provider, vec![Trick::HoldAnswer], vec![]);
    let provider: Arc<dyn Provider> = gate.clone();
    let slow = w.engine_with("slow", &provider).await;
    let (charged, ()) = tokio::join!(slow.apply(&operator, retry, &plan.fingerprint), async {
        gate.an_answer_arrived().await;
        let cancel = Request::CancelNow {
            subscription,
            reason: "asked".into(),
        };
        let plan = other.plan(&operator, &cancel).await.expect("a plan");
        let ended = other.apply(&operator, &cancel, &plan.fingerprint).await;
        assert!(matches!(ended, Ok(Outcome::Done(_))), "{ended:?}");
        assert_eq!(w.text(STATE).await, "canceled");
        gate.let_go();
    });
    charged.expect("an outcome")
}

#[tokio::test]
async fn a_cancel_during_a_charge_that_succeeds_prepares_the_return() {
    on_each(async |w| {
        let (subscription, retry) = a_charge_in_flight(&w).await;
        let charged = cancel_meanwhile(&w, subscription, &retry).await;
        assert!(matches!(charged, Outcome::Done(_)), "{charged:?}");
        assert_eq!(
            w.text(STATE).await,
            "canceled",
            "a late success does not revive it"
        );
        assert_eq!(
            w.text("select state from invoice order by id desc limit 1")
                .await,
            "paid"
        );
        assert_eq!(
            w.number(
                "select count(*) from attempt where kind = 'refund' and state = 'waiting_approval'"
            )
            .await,
            1
        );
        assert_eq!(
            w.number("select count(*) from payment where reserved_minor = captured_minor")
                .await,
            1
        );
        assert_eq!(
            w.number("select count(*) from outbox where kind = 'page'")
                .await,
            1
        );
        assert_eq!(w.executed().await, (2, 0), "never silently");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancel_during_a_charge_that_is_declined_owes_nothing() {
    on_each(async |w| {
        let (subscription, retry) = a_charge_in_flight(&w).await;
        w.fault(
            "charge",
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            1,
        )
        .await;
        let charged = cancel_meanwhile(&w, subscription, &retry).await;
        assert!(matches!(charged, Outcome::Declined { .. }), "{charged:?}");
        assert_eq!(w.text(STATE).await, "canceled");
        assert_eq!(
            w.text("select state from invoice order by id desc limit 1")
                .await,
            "void"
        );
        assert_eq!(w.executed().await, (1, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn an_amount_that_the_term_does_not_give_is_charged_by_nobody() {
    on_each(async |w| {
        let (_, retry) = a_charge_in_flight(&w).await;
        w.change("update invoice set amount_minor = 99 * amount_minor where state = 'open'")
            .await;
        let refused = w.act(retry).await;
        assert!(
            matches!(refused, Err(VerbError::Refused(Refused::AmountMismatch))),
            "{refused:?}"
        );
        w.advance_days(2).await;
        w.run().await;
        let customer =
            paydeck::domain::ids::CustomerId(w.number("select min(id) from customer").await);
        w.card(customer, "key-one", json!({})).await;
        assert_eq!(w.executed().await, (1, 0), "neither the run nor a new card");
        assert_eq!(
            w.number("select count(*) from outbox where kind = 'page'")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_trial_becomes_a_charge_with_a_card_and_ends_without_one() {
    on_each(async |w| {
        let plan = w.plan_of("trial", 12_000, "month", 14).await;
        let with = w.customer("key-with").await;
        w.card(with, "key-with", json!({})).await;
        let without = w.customer("key-without").await;
        for customer in [with, without] {
            w.done(Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            })
            .await;
        }
        assert_eq!(w.executed().await, (0, 0));
        assert_eq!(
            w.number("select count(*) from subscription where state = 'trialing'")
                .await,
            2
        );
        w.advance_days(13).await;
        w.run().await;
        assert_eq!(w.executed().await, (0, 0));
        w.advance_days(1).await;
        w.run().await;
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(
            w.column("select state from subscription order by id").await,
            ["active", "expired"]
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn quarters_are_counted_from_the_anchor() {
    on_each(async |w| {
        w.set_time("2026-11-30T03:00:00Z".parse().expect("an instant"))
            .await;
        let plan = w.plan_of("quarter", 27_000, "quarter", 0).await;
        let customer = w.customer("key-one").await;
        w.card(customer, "key-one", json!({})).await;
        w.done(Request::Subscribe {
            customer,
            plan,
            quantity: 1,
        })
        .await;
        for day in ["2027-02-28", "2027-05-30", "2027-08-30"] {
            w.set_time(format!("{day}T00:00:00+09:00").parse().expect("an instant"))
                .await;
            w.run().await;
            assert_eq!(
                w.text("select period_from from invoice order by id desc limit 1")
                    .await,
                day
            );
        }
        assert_eq!(w.executed().await, (4, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn any_number_of_subscriptions_where_the_setting_allows_it() {
    on_each_tuned(
        |settings| settings.exclusivity = paydeck::engine::ports::Exclusivity::Any,
        async |w| {
            let (customer, _) = w.subscriber("key-one").await;
            let plan = PlanId(w.number("select min(id) from plan").await);
            w.done(Request::Subscribe {
                customer,
                plan,
                quantity: 1,
            })
            .await;
            assert_eq!(w.executed().await, (2, 0));
            assert_eq!(
                w.number("select count(*) from payment where captured_minor = 9900")
                    .await,
                2
            );
        },
    )
    .await;
}
