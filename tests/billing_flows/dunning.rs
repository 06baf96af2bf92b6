//! What follows a decline: exactly the configured instants, nobody past due for an outage, and
//! nothing that a person does uses the schedule up.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use paydeck::domain::dunning::EndAction;
use paydeck::domain::ids::{CustomerId, InvoiceId};
use paydeck::domain::states::SubscriptionState;
use paydeck::engine::ports::Clock;
use paydeck::engine::{Effect, Outcome, Request, VerbError};

use crate::world::{World, on_each, on_each_tuned, won};

fn decline(code: &str) -> Value {
    json!({ "kind": "decline", "code": code })
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

const LAST_SOURCE: &str = "select source from attempt order by id desc limit 1";
const ATTEMPTS: &str =
    "select count(*) from attempt where invoice_id = (select max(id) from invoice)";
const STATE: &str = "select state from subscription";
const DUNNING: &str = "select dunning from invoice order by id desc limit 1";
const NEXT: &str = "select coalesce(next_attempt_at, 0) from invoice order by id desc limit 1";

/// A subscriber whose renewal of 10 April, midnight in Seoul, was declined at 10:30 that day.
async fn declined(w: &World, code: &str) -> (CustomerId, InvoiceId) {
    let (customer, _) = w.subscriber("key-one").await;
    w.set_time(at("2026-04-10T01:30:00Z")).await;
    w.fault("charge", decline(code), 1).await;
    w.run().await;
    (customer, w.only_invoice().await)
}

/// Walks the clock hour by hour, a run each; gives the hours at which an attempt was made.
async fn walk(w: &World, hours: i64) -> Vec<String> {
    let mut made = Vec::new();
    let mut before = w.number(ATTEMPTS).await;
    for _ in 0..hours {
        w.set_time(w.clock.now() + TimeDelta::minutes(30)).await;
        w.run().await;
        let after = w.number(ATTEMPTS).await;
        assert!(after - before <= 1, "more than one attempt in one run");
        if after > before {
            made.push(w.clock.now().format("%d %H:%M").to_string());
        }
        before = after;
    }
    made
}

async fn ends_as(action: EndAction, state: &str) {
    on_each_tuned(
        |settings| settings.dunning.end_action = action,
        async |w| {
            declined(&w, "REJECT_CARD_PAYMENT").await;
            w.always("charge", decline("REJECT_CARD_PAYMENT")).await;
            for day in [11, 13, 15, 17] {
                let due = at(&format!("2026-04-{day}T01:00:00Z"));
                assert_eq!(
                    w.number(NEXT).await,
                    due.timestamp_micros(),
                    "10:00 in Seoul"
                );
                w.set_time(due - TimeDelta::microseconds(1)).await;
                let before = w.number(ATTEMPTS).await;
                w.run().await;
                assert_eq!(
                    w.number(ATTEMPTS).await,
                    before,
                    "not one microsecond early"
                );
                assert_eq!(w.text(STATE).await, "past_due");
                w.set_time(due).await;
                w.run().await;
                w.run().await;
                assert_eq!(w.number(ATTEMPTS).await, before + 1, "on {day}, once");
                assert_eq!(w.text(LAST_SOURCE).await, "dunning");
            }
            assert_eq!(w.text(DUNNING).await, "exhausted");
            assert_eq!(w.text(STATE).await, state);
            assert_eq!(
                w.text("select state from invoice order by id desc limit 1")
                    .await,
                "uncollectible"
            );
            assert_eq!(
                w.number("select count(*) from outbox where kind = 'dunning_ended'")
                    .await,
                1
            );
            w.advance_days(60).await;
            w.run().await;
            assert_eq!(
                w.number("select count(*) from attempt").await,
                6,
                "and no more"
            );
            w.books_are_straight().await;
        },
    )
    .await;
}

#[tokio::test]
async fn the_schedule_is_kept_to_the_microsecond_and_ends_unpaid() {
    ends_as(EndAction::Unpaid, "unpaid").await;
}

#[tokio::test]
async fn the_end_of_the_schedule_may_cancel() {
    ends_as(EndAction::Cancel, "canceled").await;
}

#[tokio::test]
async fn the_end_of_the_schedule_may_pause() {
    ends_as(EndAction::Pause, "paused").await;
}

#[tokio::test]
async fn what_people_try_does_not_use_the_schedule_up() {
    on_each(async |w| {
        let (customer, invoice) = declined(&w, "REJECT_CARD_PAYMENT").await;
        w.always("charge", decline("REJECT_CARD_PAYMENT")).await;
        w.set_time(at("2026-04-11T01:00:00Z")).await;
        w.run().await;
        for code in ["REJECT_CARD_PAYMENT", "INVALID_REJECT_CARD"] {
            w.no_faults().await;
            w.fault("charge", decline(code), 1).await;
            let tried = w.act(Request::Retry { invoice }).await.expect("an outcome");
            assert!(matches!(tried, Outcome::Declined { .. }), "{tried:?}");
            let planned = at("2026-04-13T01:00:00Z").timestamp_micros();
            assert_eq!(w.number(NEXT).await, planned, "after {code}");
        }
        w.fault("charge", json!({ "kind": "unknown_code" }), 1)
            .await;
        w.no_faults().await;
        w.always("charge", decline("REJECT_CARD_PAYMENT")).await;
        w.card(customer, "key-one", json!({})).await;
        assert_eq!(w.text(LAST_SOURCE).await, "card_update");
        assert_eq!(w.number("select max(dunning_used) from invoice").await, 1);
        for day in [13, 15, 17] {
            let due = at(&format!("2026-04-{day}T01:00:00Z"));
            assert_eq!(w.number(NEXT).await, due.timestamp_micros());
            w.set_time(due).await;
            w.run().await;
            assert_eq!(w.text(LAST_SOURCE).await, "dunning");
        }
        assert_eq!(w.text(STATE).await, "unpaid");
        assert_eq!(
            w.number("select count(*) from attempt where source = 'dunning'")
                .await,
            4
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_hard_decline_waits_for_a_new_card_which_is_charged_at_once() {
    on_each(async |w| {
        let (customer, _) = declined(&w, "INVALID_STOPPED_CARD").await;
        let due = w.number("select next_due_at from subscription").await;
        assert_eq!(w.text(DUNNING).await, "awaiting_card");
        w.advance_days(9).await;
        w.run().await;
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(w.number(ATTEMPTS).await, 1, "no further try");
        // The new card declines softly: the schedule begins anew, not in the past.
        w.fault("charge", decline("REJECT_CARD_PAYMENT"), 1).await;
        w.card(customer, "key-one", json!({})).await;
        assert_eq!(w.number(ATTEMPTS).await, 2);
        assert_eq!(
            w.number(NEXT).await,
            at("2026-04-20T01:00:00Z").timestamp_micros()
        );
        w.run().await;
        assert_eq!(w.number(ATTEMPTS).await, 2);
        w.card(customer, "key-one", json!({})).await;
        assert_eq!(w.number(ATTEMPTS).await, 3, "one charge per new card");
        assert_eq!(w.text(LAST_SOURCE).await, "card_update");
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.number("select next_due_at from subscription").await, due);
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_customer_who_must_act_gets_one_try_after_three_days() {
    on_each(async |w| {
        declined(&w, "EXCEED_MAX_AUTH_COUNT").await;
        assert_eq!(
            w.number(NEXT).await,
            at("2026-04-13T01:00:00Z").timestamp_micros()
        );
        w.set_time(at("2026-04-13T01:00:00Z")).await;
        w.fault("charge", decline("EXCEED_MAX_AUTH_COUNT"), 1).await;
        w.run().await;
        assert_eq!(w.text(DUNNING).await, "awaiting_card");
        w.advance_days(20).await;
        w.run().await;
        assert_eq!(w.number(ATTEMPTS).await, 2);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_that_nobody_knows_gets_one_further_try() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.set_time(at("2026-04-10T01:30:00Z")).await;
        w.always("charge", json!({ "kind": "unknown_code" })).await;
        w.run().await;
        assert_eq!(w.text(STATE).await, "active", "unknown, not declined");
        // Sent again, the same refusal; a minute later the look-up still sees nothing.
        w.reconcile().await;
        w.change(
            "update attempt set replayed_at = replayed_at - 61000000 where replayed_at is not null",
        )
        .await;
        w.expire_leases().await;
        w.reconcile().await;
        assert_eq!(
            w.text("select state from attempt order by id desc limit 1")
                .await,
            "declined"
        );
        assert_eq!(
            w.text("select last_class from invoice order by id desc limit 1")
                .await,
            "unclassified"
        );
        assert_eq!(w.text(STATE).await, "past_due");
        assert_eq!(
            w.number(NEXT).await,
            at("2026-04-11T01:00:00Z").timestamp_micros()
        );
        assert_eq!(w.executed().await, (1, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn trouble_at_the_provider_uses_nothing_up_and_makes_nobody_past_due() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.set_time(at("2026-04-10T01:30:00Z")).await;
        w.always(
            "charge",
            json!({ "kind": "unknown_code", "code": "PROVIDER_ERROR" }),
        )
        .await;
        w.run().await;
        w.reconcile().await;
        w.change(
            "update attempt set replayed_at = replayed_at - 61000000 where replayed_at is not null",
        )
        .await;
        w.expire_leases().await;
        w.reconcile().await;
        assert_eq!(
            w.text("select last_class from invoice order by id desc limit 1")
                .await,
            "provider_down"
        );
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.number("select max(dunning_used) from invoice").await, 0);
        w.no_faults().await;
        w.set_time(w.clock.now() + TimeDelta::hours(1)).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(w.text(STATE).await, "active");
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_of_ours_calls_a_person_and_is_not_forgotten() {
    on_each(async |w| {
        declined(&w, "INVALID_REQUEST").await;
        assert_eq!(w.text(STATE).await, "active", "not the customer's fault");
        assert_eq!(
            w.number("select count(*) from outbox where kind = 'page'")
                .await,
            1
        );
        assert_eq!(w.number("select max(dunning_used) from invoice").await, 0);
        assert_eq!(
            w.number(NEXT).await,
            at("2026-04-11T01:00:00Z").timestamp_micros()
        );
        w.set_time(at("2026-04-11T01:00:00Z")).await;
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_run_that_comes_days_late_tries_once_and_not_four_times() {
    on_each(async |w| {
        declined(&w, "REJECT_CARD_PAYMENT").await;
        w.always("charge", decline("REJECT_CARD_PAYMENT")).await;
        w.set_time(at("2026-04-16T01:30:00Z")).await;
        w.run().await;
        w.run().await;
        assert_eq!(w.number(ATTEMPTS).await, 2);
        assert_eq!(
            w.number(NEXT).await,
            at("2026-04-17T01:00:00Z").timestamp_micros()
        );
        let made = walk(&w, 60).await;
        assert_eq!(made, ["17 01:00"]);
    })
    .await;
}

#[tokio::test]
async fn a_cancel_in_past_due_stops_every_further_try() {
    on_each(async |w| {
        let (_, invoice) = declined(&w, "REJECT_CARD_PAYMENT").await;
        let subscription = paydeck::domain::ids::SubscriptionId(
            w.number("select max(id) from subscription").await,
        );
        w.done(Request::CancelNow {
            subscription,
            reason: "asked".into(),
        })
        .await;
        w.advance_days(30).await;
        w.run().await;
        assert_eq!(w.number(ATTEMPTS).await, 1);
        assert_eq!(
            w.text("select state from invoice order by id desc limit 1")
                .await,
            "void"
        );
        let retried = w.act(Request::Retry { invoice }).await;
        assert!(matches!(retried, Err(VerbError::Refused(_))), "{retried:?}");
        assert_eq!(w.executed().await, (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_paid_retry_makes_it_active_again_and_leaves_the_dates_alone() {
    on_each(async |w| {
        declined(&w, "REJECT_CARD_PAYMENT").await;
        let due = w.number("select next_due_at from subscription").await;
        w.set_time(at("2026-04-11T01:00:00Z")).await;
        w.run().await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.text(DUNNING).await, "idle");
        assert_eq!(w.number(NEXT).await, 0);
        assert_eq!(w.number("select next_due_at from subscription").await, due);
        assert_eq!(w.executed().await, (2, 0));
        w.books_are_straight().await;
    })
    .await;
}

/// Dunning ran its course without success: the subscription is unpaid since 17 April.
async fn unpaid(w: &World) -> InvoiceId {
    let (_, invoice) = declined(w, "REJECT_CARD_PAYMENT").await;
    w.always("charge", decline("REJECT_CARD_PAYMENT")).await;
    for day in [11, 13, 15, 17] {
        w.set_time(at(&format!("2026-04-{day}T01:00:00Z"))).await;
        w.run().await;
    }
    assert_eq!(w.text(STATE).await, "unpaid");
    w.no_faults().await;
    invoice
}

const DUE: &str = "select coalesce(next_due_at, 0) from subscription";
const PAID_UNTIL: &str = "select coalesce(paid_until, 0) from subscription";
const DRAFTS: &str = "select count(*) from invoice where state = 'draft'";

/// Midnight in Seoul.
fn midnight(date: &str) -> DateTime<Utc> {
    let day: DateTime<Utc> = at(&format!("{date}T00:00:00Z"));
    day - TimeDelta::hours(9)
}

fn recovered() -> Effect {
    Effect::State {
        from: SubscriptionState::Unpaid,
        to: SubscriptionState::Active,
    }
}

fn coming(date: &str) -> Effect {
    Effect::NextCharge {
        from: None,
        to: Some(midnight(date)),
    }
}

#[tokio::test]
async fn a_debt_that_is_paid_while_its_period_runs_goes_on_as_its_plan_said() {
    on_each(async |w| {
        let invoice = unpaid(&w).await;
        w.set_time(at("2026-04-20T01:00:00Z")).await;
        let retry = Request::Retry { invoice };
        let plan = w.plan(&retry).await.expect("a plan");
        let until = midnight("2026-05-10");
        let said = vec![
            recovered(),
            Effect::Mrr(won(9_900)),
            coming("2026-05-10"),
            Effect::AccessUntil(until),
        ];
        assert_eq!(plan.effects, said);
        assert_eq!(plan.not_happening, []);
        w.done(retry).await;
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.number(DUE).await, until.timestamp_micros());
        assert_eq!(w.number(PAID_UNTIL).await, until.timestamp_micros());
        assert_eq!(w.number(DRAFTS).await, 0);
        w.set_time(until).await;
        w.run().await;
        assert_eq!(w.executed().await, (3, 0));
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn a_debt_of_the_past_bills_nothing_between_and_its_plan_says_so() {
    on_each(async |w| {
        let invoice = unpaid(&w).await;
        w.set_time(at("2026-06-20T01:00:00Z")).await;
        let retry = Request::Retry { invoice };
        let plan = w.plan(&retry).await.expect("a plan");
        let day = |text: &str| text.parse().expect("a date");
        let said = vec![
            recovered(),
            Effect::Mrr(won(9_900)),
            coming("2026-07-10"),
            Effect::PeriodsNotBilled {
                count: 1,
                from: day("2026-05-10"),
                to: day("2026-06-10"),
            },
            Effect::PeriodsWrittenDown {
                count: 1,
                from: day("2026-06-10"),
                to: day("2026-07-10"),
                each: won(9_900),
            },
            Effect::AccessStaysOver(midnight("2026-05-10")),
        ];
        assert_eq!(plan.effects, said);
        w.done(retry).await;
        let next = midnight("2026-07-10").timestamp_micros();
        assert_eq!(w.text(STATE).await, "active");
        assert_eq!(w.number(DUE).await, next);
        let over = midnight("2026-05-10").timestamp_micros();
        assert_eq!(w.number(PAID_UNTIL).await, over);
        assert_eq!(w.number(DRAFTS).await, 1);
        // One press, one charge.
        w.run().await;
        assert_eq!(w.executed().await, (2, 0));
        // The period that runs is charged when a person says so, and opens access.
        let draft = w.number("select max(id) from invoice where state = 'draft'");
        let invoice = InvoiceId(draft.await);
        w.done(Request::Charge { invoice }).await;
        assert_eq!(w.number(PAID_UNTIL).await, next);
        assert_eq!(w.number(DUE).await, next);
        w.set_time(midnight("2026-07-10")).await;
        w.run().await;
        assert_eq!(w.executed().await, (4, 0));
        w.books_are_straight().await;
        w.audit_is_intact().await;
    })
    .await;
}

#[tokio::test]
async fn a_plan_of_a_debt_is_stale_once_the_next_period_begins() {
    on_each(async |w| {
        let invoice = unpaid(&w).await;
        w.set_time(midnight("2026-05-10") - TimeDelta::seconds(1))
            .await;
        let retry = Request::Retry { invoice };
        let plan = w.plan(&retry).await.expect("a plan");
        w.set_time(midnight("2026-05-10")).await;
        let operator = crate::world::admin();
        let applied = w.engine.apply(&operator, &retry, &plan.fingerprint).await;
        assert!(matches!(applied, Err(VerbError::Stale)), "{applied:?}");
        assert_eq!(w.executed().await, (1, 0));
    })
    .await;
}

#[tokio::test]
async fn who_was_past_due_over_a_due_date_is_told_what_the_next_run_charges() {
    on_each(async |w| {
        let (_, invoice) = declined(&w, "INVALID_STOPPED_CARD").await;
        w.set_time(at("2026-06-20T01:00:00Z")).await;
        w.run().await;
        let retry = Request::Retry { invoice };
        let plan = w.plan(&retry).await.expect("a plan");
        let day = |text: &str| text.parse().expect("a date");
        let said = [
            Effect::ChargedByNextRun {
                due_at: midnight("2026-06-10"),
                amount: won(9_900),
            },
            Effect::PeriodsWrittenDown {
                count: 1,
                from: day("2026-05-10"),
                to: day("2026-06-10"),
                each: won(9_900),
            },
            Effect::AccessStaysOver(midnight("2026-05-10")),
        ];
        for effect in said {
            assert!(plan.effects.contains(&effect), "{effect:?} {plan:?}");
        }
        w.done(retry).await;
        assert_eq!(w.executed().await, (2, 0));
        w.run().await;
        assert_eq!(w.executed().await, (3, 0));
        assert_eq!(w.number(DRAFTS).await, 1);
        let next = midnight("2026-07-10").timestamp_micros();
        assert_eq!(w.number(DUE).await, next);
        assert_eq!(w.number(PAID_UNTIL).await, next);
        w.books_are_straight().await;
    })
    .await;
}
