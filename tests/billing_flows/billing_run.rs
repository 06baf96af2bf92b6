//! The billing run: each due row once, whoever runs it, whenever, and wherever it dies.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use paydeck::domain::ids::{InvoiceId, SubscriptionId};
use paydeck::domain::run::Decision;
use paydeck::domain::states::RunState;
use paydeck::engine::ports::Clock;
use paydeck::engine::{Outcome, Request, RunSummary};

use crate::fleet::DiesAfter;
use crate::world::{Base, World, admin, on_each, on_each_tuned};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn of(summary: &RunSummary, decision: Decision) -> u64 {
    let found = summary.totals.iter().find(|(d, _)| *d == decision);
    found.map_or(0, |(_, count)| *count)
}

/// So many subscriptions of one pattern, all due.
async fn due(w: &World, count: usize) -> SubscriptionId {
    let (_, subscription) = w.subscriber("key-one").await;
    w.many_like(subscription, count - 1).await;
    w.advance_days(31).await;
    subscription
}

const UNBILLED: &str = "select count(*) from subscription s where not exists (select 1 from invoice i join payment p on p.invoice_id = i.id where i.subscription_id = s.id and i.period_index = 1)";
const TWICE: &str = "select count(*) from (select subscription_id, period_index from invoice where kind = 'renewal' group by subscription_id, period_index having count(*) > 1) x";

async fn all_billed_once(w: &World, count: i64) {
    assert_eq!(
        w.executed().await,
        (count + 1, 0),
        "one first charge, then one each"
    );
    assert_eq!(w.number(UNBILLED).await, 0);
    assert_eq!(w.number(TWICE).await, 0);
    w.books_are_straight().await;
    w.audit_is_intact().await;
}

#[tokio::test]
async fn a_dry_run_says_what_the_real_one_does_and_sends_nothing() {
    on_each(async |w| {
        let pattern = due(&w, 6).await;
        w.done(Request::CancelAtEnd {
            subscription: pattern,
            reason: "asked".into(),
        })
        .await;
        let preview = w
            .engine
            .preview_run(w.clock.now())
            .await
            .expect("a preview");
        assert_eq!(w.executed().await, (1, 0));
        assert_eq!(preview.rows.len(), 6);
        let again = w
            .engine
            .preview_run(w.clock.now())
            .await
            .expect("a preview");
        assert_eq!(again.fingerprint, preview.fingerprint);
        let summary = w.run().await;
        assert_eq!(summary.charged, preview.totals);
        assert_eq!(w.executed().await, (1 + 5, 0));
        let after = w
            .engine
            .preview_run(w.clock.now())
            .await
            .expect("a preview");
        assert!(after.rows.is_empty(), "{:?}", after.rows);
    })
    .await;
}

#[tokio::test]
async fn a_preview_counts_the_rows_that_the_run_counts_and_sums_what_it_charges() {
    on_each(async |w| {
        let pattern = due(&w, 5).await;
        // Two end instead, one that is past due and one before its due date.
        let ending = |id: i64, state: &'static str| {
            format!(
                "update subscription set state = '{state}', cancel_at = {} where id = {id}",
                w.clock.now().timestamp_micros()
            )
        };
        let ids = w
            .column("select id || '' from subscription order by id")
            .await;
        let id = |at: usize| ids[at].parse::<i64>().expect("a number");
        w.change(&ending(id(1), "past_due")).await;
        w.change(&ending(id(2), "active")).await;
        w.change(&format!(
            "update subscription set next_due_at = next_due_at + 86400000000 * 90 where id = {}",
            id(2)
        ))
        .await;
        // The provider is down for one, which makes nobody past due; another's retry is out.
        w.fault(
            "charge",
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            1,
        )
        .await;
        let preview = w
            .engine
            .preview_run(w.clock.now())
            .await
            .expect("a preview");
        let summary = w.run().await;
        assert_eq!(u64::try_from(preview.rows.len()).expect("few"), summary.due);
        assert_eq!(summary.due, 5, "{:?}", preview.rows);
        let _ = pattern;
        w.advance_days(2).await;
        w.fault("charge", json!("lost_after_commit"), 1).await;
        let invoice = InvoiceId(
            w.number("select id from invoice where dunning = 'scheduled'")
                .await,
        );
        let retried = w.act(Request::Retry { invoice }).await;
        assert!(matches!(retried, Ok(Outcome::Unknown(_))), "{retried:?}");
        let preview = w
            .engine
            .preview_run(w.clock.now())
            .await
            .expect("a preview");
        let kinds: Vec<&str> = preview.rows.iter().map(|row| row.kind).collect();
        assert_eq!(kinds, ["locked"]);
        assert_eq!(preview.totals, []);
        let summary = w.run().await;
        assert_eq!(summary.due, 1);
        assert_eq!(summary.charged, []);
    })
    .await;
}

#[tokio::test]
async fn years_of_months_never_drift_from_the_anchor() {
    let Some(w) = World::open(Base::Sqlite, |_| {}).await else {
        return;
    };
    // 31 January and 29 February, both in a leap year.
    w.set_time(at("2028-01-30T15:00:00Z")).await;
    let monthly = w.basic_plan().await;
    let yearly = w.plan_of("yearly", 99_000, "year", 0).await;
    let (one, two) = (w.customer("key-one").await, w.customer("key-two").await);
    w.card(one, "key-one", json!({})).await;
    w.card(two, "key-two", json!({})).await;
    let subscribe = |customer, plan| Request::Subscribe {
        customer,
        plan,
        quantity: 1,
    };
    w.done(subscribe(one, monthly)).await;
    w.set_time(at("2028-02-28T15:00:00Z")).await;
    w.done(subscribe(two, yearly)).await;
    let end = at("2038-01-31T00:00:00Z");
    while w.clock.now() < end {
        w.run().await;
        let next = w.number("select min(next_due_at) from subscription").await;
        w.set_time(DateTime::from_timestamp_micros(next).expect("in range"))
            .await;
    }
    let months = w.column("select period_from from invoice where subscription_id = (select min(id) from subscription) order by period_index").await;
    assert_eq!(months.len(), 121, "ten years of months and the first");
    assert_eq!(
        months[..5],
        [
            "2028-01-31",
            "2028-02-29",
            "2028-03-31",
            "2028-04-30",
            "2028-05-31"
        ]
    );
    for (index, from) in months.iter().enumerate() {
        let expected = jiff::civil::date(2028, 1, 31)
            + jiff::Span::new().months(i64::try_from(index).expect("small"));
        assert_eq!(*from, expected.to_string());
    }
    let years = w.column("select period_from from invoice where subscription_id = (select max(id) from subscription) order by period_index").await;
    assert_eq!(
        years[..5],
        [
            "2028-02-29",
            "2029-02-28",
            "2030-02-28",
            "2031-02-28",
            "2032-02-29"
        ]
    );
    let (charges, _) = w.executed().await;
    assert_eq!(
        usize::try_from(charges).expect("small"),
        months.len() + years.len()
    );
    w.books_are_straight().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_bill_a_thousand_at_once_charge_a_thousand() {
    on_each(async |w| {
        due(&w, 1_000).await;
        let other = w.another_engine("second").await;
        let (operator, now) = (admin(), w.clock.now());
        let (mut quiet, mut silent) = (|_| {}, |_| {});
        let (one, two) = tokio::join!(
            w.engine.billing_run(&operator, now, &mut quiet),
            other.billing_run(&operator, now, &mut silent),
        );
        let (one, two) = (one.expect("a run"), two.expect("a run"));
        assert_eq!(of(&one, Decision::Done) + of(&two, Decision::Done), 1_000);
        all_billed_once(&w, 1_000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_that_bill_two_hundred_at_once_charge_two_hundred() {
    on_each(async |w| {
        due(&w, 200).await;
        let mut runs = tokio::task::JoinSet::new();
        for number in 0..8 {
            let engine = w.another_engine(&format!("process-{number}")).await;
            let now = w.clock.now();
            runs.spawn(async move { engine.billing_run(&admin(), now, &mut |_| {}).await });
        }
        let mut done = 0;
        while let Some(run) = runs.join_next().await {
            done += of(&run.expect("not aborted").expect("a run"), Decision::Done);
        }
        assert_eq!(done, 200);
        all_billed_once(&w, 200).await;
    })
    .await;
}

#[tokio::test]
async fn days_without_a_run_are_caught_up_once_and_said() {
    on_each(async |w| {
        let (_, pattern) = w.subscriber("key-one").await;
        w.many_like(pattern, 4).await;
        w.advance_days(34).await;
        let run = w.run().await;
        assert_eq!((run.late_days, run.due), (3, 5));
        assert_eq!(of(&run, Decision::Done), 5);
        let again = w.run().await;
        assert_eq!((again.late_days, again.due), (0, 0));
        all_billed_once(&w, 5).await;
    })
    .await;
}

#[tokio::test]
async fn of_several_missed_periods_one_is_charged_and_a_person_decides_on_the_rest() {
    on_each(async |w| {
        w.subscriber("key-one").await;
        w.advance_days(31 + 30 + 31).await;
        let run = w.run().await;
        assert_eq!(of(&run, Decision::Done), 1);
        assert_eq!(of(&run, Decision::SkippedCatchUp), 2);
        assert_eq!(w.executed().await, (2, 0));
        assert_eq!(
            w.column("select state from invoice order by period_index")
                .await,
            ["paid", "draft", "draft", "paid"]
        );
        w.run().await;
        assert_eq!(w.executed().await, (2, 0), "no run ever charges a draft");
        let invoice = InvoiceId(
            w.number("select min(id) from invoice where state = 'draft'")
                .await,
        );
        let until = w.number("select paid_until from subscription").await;
        w.done(Request::Charge { invoice }).await;
        assert_eq!(w.executed().await, (3, 0));
        assert_eq!(
            w.number("select count(*) from invoice where state = 'draft'")
                .await,
            1
        );
        assert_eq!(w.number("select paid_until from subscription").await, until);
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn the_log_of_a_run_adds_up_to_what_was_due() {
    on_each(async |w| {
        due(&w, 12).await;
        w.fault(
            "charge",
            json!({ "kind": "decline", "code": "REJECT_CARD_PAYMENT" }),
            3,
        )
        .await;
        w.fault("charge", json!("lost_after_commit"), 2).await;
        let run = w.run().await;
        let summed: u64 = run.totals.iter().map(|(_, count)| count).sum();
        assert_eq!(
            (run.due, summed, run.undecided),
            (12, 12, 0),
            "{:?}",
            run.totals
        );
        let totals: HashMap<&str, u64> = run.totals.iter().map(|(d, n)| (d.as_str(), *n)).collect();
        assert_eq!(
            totals,
            HashMap::from([("done", 7), ("declined", 3), ("unknown", 2)])
        );
        assert_eq!(run.charged.first().map(|sum| sum.minor()), Some(7 * 9_900));
        w.settle_everything().await;
        assert_eq!(
            w.number("select count(*) from run_item where decision = 'done'")
                .await,
            9
        );
        assert_eq!(w.number("select count(*) from run_item").await, 12);
        w.books_are_straight().await;
    })
    .await;
}

/// Waits after which the n-th run dies; spread by a multiplier that visits small and large ones.
fn waits(number: u32) -> u32 {
    (number * 37) % 61 + number % 7
}

#[tokio::test]
async fn a_run_that_dies_fifty_times_leaves_a_hundred_outcomes_and_no_duplicate() {
    on_each(async |w| {
        due(&w, 100).await;
        let (operator, now) = (admin(), w.clock.now());
        let mut died = 0;
        for number in 0..50 {
            let mut quiet = |_| {};
            let run = w.engine.billing_run(&operator, now, &mut quiet);
            match DiesAfter::new(run, waits(number)).await {
                Some(ended) => drop(ended.expect("a run")),
                None => died += 1,
            }
        }
        assert!(died >= 10, "it died {died} times");
        w.run().await;
        w.settle_everything().await;
        assert_eq!(
            w.number("select count(*) from run_item where decision = 'done'")
                .await,
            100
        );
        all_billed_once(&w, 100).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_to_pay_is_paid_without_a_call_and_too_little_is_carried_over() {
    on_each(async |w| {
        let free = w.plan_of("free", 0, "month", 0).await;
        let tiny = w.plan_of("tiny", 100, "month", 1).await;
        let (one, two) = (w.customer("key-one").await, w.customer("key-two").await);
        w.card(two, "key-two", json!({})).await;
        w.done(Request::Subscribe {
            customer: one,
            plan: free,
            quantity: 1,
        })
        .await;
        w.done(Request::Subscribe {
            customer: two,
            plan: tiny,
            quantity: 1,
        })
        .await;
        assert_eq!(
            w.column("select state from subscription order by id").await,
            ["active", "trialing"]
        );
        w.change("update subscription_term set price_minor = 50 where price_minor = 100")
            .await;
        w.advance_days(31).await;
        let run = w.run().await;
        assert_eq!(of(&run, Decision::ZeroAmount), 1);
        assert_eq!(of(&run, Decision::SkippedBelowMinimum), 1);
        assert_eq!(w.executed().await, (0, 0));
        let requests = w
            .control("GET", "requests", serde_json::Value::Null)
            .await
            .to_string();
        assert!(
            !requests.contains("/v1/billing/bk"),
            "no call at all: {requests}"
        );
        assert_eq!(
            w.number("select count(*) from invoice where state = 'paid' and amount_minor = 0")
                .await,
            2
        );
        assert_eq!(
            w.number("select count(*) from invoice where state = 'open' and amount_minor = 50")
                .await,
            1
        );
        w.books_are_straight().await;
    })
    .await;
}

#[tokio::test]
async fn an_outage_stops_the_run_and_it_finishes_afterwards() {
    on_each_tuned(
        |settings| settings.concurrency = 16,
        async |w| {
            due(&w, 120).await;
            w.always("charge", json!("lost_before_commit")).await;
            let run = w.run().await;
            assert_eq!(run.run.state, RunState::Stopped);
            assert!(run.run.stop_reason.is_some());
            let sent = w
                .number("select count(*) from evidence where outcome <> 'not_sent'")
                .await
                - 1;
            assert!((5..=5 + 20).contains(&sent), "{sent} calls started");
            assert_eq!(
                w.number("select count(*) from subscription where state <> 'active'")
                    .await,
                0
            );
            assert_eq!(w.run().await.run.state, RunState::Stopped, "still out");
            let more = w
                .number("select count(*) from evidence where outcome <> 'not_sent'")
                .await
                - 1;
            assert_eq!(more, sent, "while it is open nothing is sent");
            w.no_faults().await;
            for _ in 0..4 {
                w.set_time(w.clock.now() + TimeDelta::seconds(61)).await;
                w.expire_leases().await;
                w.reconcile().await;
            }
            assert_eq!(w.run().await.run.state, RunState::Finished);
            w.settle_everything().await;
            all_billed_once(&w, 120).await;
            assert_eq!(
                w.number("select count(*) from subscription where state <> 'active'")
                    .await,
                0
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_refused_key_of_ours_stops_the_run_and_calls_a_person() {
    on_each_tuned(
        |settings| settings.concurrency = 4,
        async |w| {
            due(&w, 40).await;
            w.always("charge", json!({ "kind": "http_error", "status": 401, "code": "UNAUTHORIZED_KEY" })).await;
            let run = w.run().await;
            assert_eq!(run.run.state, RunState::Stopped);
            let sent = w.number("select count(*) from evidence where outcome = 'refused'").await;
            // Four are out when the first answer arrives; none follows it.
            assert!((1..=4).contains(&sent), "{sent} calls with a key that is refused");
            assert!(w.number("select count(*) from outbox where kind = 'page'").await >= 1);
            assert_eq!(w.number("select count(*) from subscription where state <> 'active'").await, 0);
            // The provider keeps that answer for these keys: they wait for a person, asked for ever.
            w.no_faults().await;
            for _ in 0..3 {
                w.expire_leases().await;
                w.reconcile().await;
                w.run().await;
            }
            assert_eq!(w.executed().await, (1 + 40 - sent, 0), "the others are billed");
            let waiting = "select count(*) from attempt where state = 'unknown' and needs_human = 1 and next_check_at is not null";
            assert_eq!(w.number(waiting).await, sent);
            w.books_are_straight().await;
        },
    )
    .await;
}

#[tokio::test]
async fn what_is_refused_for_a_reason_of_its_own_holds_up_nobody_and_calls_a_person() {
    on_each_tuned(
        |settings| settings.concurrency = 4,
        async |w| {
            due(&w, 40).await;
            let own = json!({ "kind": "http_error", "status": 400, "code": "NOT_MATCHES_CUSTOMER_KEY" });
            w.fault("charge", own, 3).await;
            let run = w.run().await;
            assert_eq!(run.run.state, RunState::Finished, "{run:?}");
            assert_eq!(w.executed().await, (1 + 37, 0), "the others are billed");
            let waiting = "select count(*) from attempt where state = 'unknown' and needs_human = 1 and next_check_at is not null";
            assert_eq!(w.number(waiting).await, 3);
            assert_eq!(w.number("select count(*) from outbox where kind = 'page'").await, 3);
            w.books_are_straight().await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_deleted_key_waits_for_a_card_and_nobody_is_called_for_it() {
    on_each(async |w| {
        let (customer, _) = w.subscriber("key-one").await;
        w.change("update payment_method set state = 'deleted', deleted_at = created_at")
            .await;
        w.advance_days(31).await;
        let run = w.run().await;
        assert_eq!(of(&run, Decision::SkippedKeyDeleted), 1);
        assert_eq!(
            w.text("select dunning from invoice order by id desc limit 1")
                .await,
            "awaiting_card"
        );
        w.advance_days(9).await;
        w.run().await;
        assert_eq!(w.number("select count(*) from attempt").await, 1, "no call");
        let due = w.number("select next_due_at from subscription").await;
        w.card(customer, "key-one", json!({})).await;
        assert_eq!(w.executed().await, (2, 0), "the new card pays at once");
        assert_eq!(w.text("select state from subscription").await, "active");
        assert_eq!(w.number("select next_due_at from subscription").await, due);
        w.books_are_straight().await;
    })
    .await;
}
