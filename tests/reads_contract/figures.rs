//! Figures: equal to the raw rows after whatever happened.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDate};
use chrono_tz::Asia::Seoul;
use paydeck::domain::ids::{CustomerId, PaymentId};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::money::{Currency, Money};
use paydeck::domain::period::local_date;
use paydeck::engine::ports::{Books, Desk, NewRefund, Payments, Store, Tx};
use paydeck::engine::queries::{Reads, RevenueReport, SavedView, Window, mrr_report};
use paydeck::store::SqlStore;
use paydeck::store::bulk::Table;

use crate::on_both;
use crate::world::{Bed, Rows, date, local_day, noon, set, ulid};

on_both!(
    roll_ups_equal_the_rows_whatever_happened_and_in_whatever_order,
    the_overview_equals_the_rows,
    gold_2_revenue_holds_to_the_won,
    what_came_in_by_provider_adds_up_to_the_whole,
    history_comes_in_time_order_page_by_page,
    a_commit_elsewhere_changes_the_version,
    saved_views_survive_and_are_replaced,
);

fn krw(minor: i64) -> Money {
    Money::new(minor, Currency::KRW)
}

fn window(last: u32) -> Window {
    Window {
        now: noon(last),
        days: (1..=last).map(local_day).collect(),
        year_ago: vec![],
        week_ahead: (last..last + 7).map(local_day).collect(),
    }
}

/// Marks the days of a month and of the one before: rows that were put in by hand mark nothing.
async fn mark_days(store: &SqlStore) {
    mark_days_before(store, date(31)).await;
}

async fn mark_days_before(store: &SqlStore, last: NaiveDate) {
    let mut desk = Desk::new();
    let mut tx = store.begin(&mut desk).await.expect("begin");
    for back in 0..60 {
        tx.mark_day(last - Duration::days(back))
            .await
            .expect("mark");
    }
    tx.commit().await.expect("commit");
}

/// A small generator: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % bound).expect("a small number")
    }
}

async fn roll_ups_equal_the_rows_whatever_happened_and_in_whatever_order(bed: Bed) {
    let mut rows = Rows::basics();
    let mut dice = Dice(42);
    let mut expected = vec![(0_i64, 0_i64); 21];
    for id in 1..=120_i64 {
        let at = noon(1) + Duration::minutes(dice.below(19 * 24 * 60));
        let plan = dice.below(4);
        let plan = (plan > 0).then_some(plan);
        rows.payment(id, 1, 9_900 + id, at, set! { plan_id: plan });
        let on = usize::try_from(chrono::Datelike::day(&local_date(at, Seoul))).unwrap();
        expected[on].0 += 9_900 + id;
    }
    let store = bed.with(&rows).await;
    mark_days(&store).await;
    let mut desk = Desk::new();
    for step in 1..=60_i64 {
        if dice.below(3) == 0 {
            store
                .refresh_figures(u32::try_from(dice.below(6)).unwrap())
                .await
                .expect("refresh");
        } else {
            let at = noon(1) + Duration::minutes(dice.below(19 * 24 * 60));
            let day = local_date(at, Seoul);
            let public_id = paydeck::domain::ids::PublicId::new(
                paydeck::domain::ids::Noun::Refund,
                &ulid(step),
            );
            let mut tx = store.begin(&mut desk).await.expect("begin");
            let key = format!("tx-{step}");
            let refund = NewRefund {
                public_id: &public_id,
                payment_id: PaymentId(dice.below(120) + 1),
                attempt_id: None,
                amount: krw(step),
                reason: "asked",
                transaction_key: &key,
                refunded_at: at,
                refunded_on: day,
                operator: "kim",
            };
            assert!(tx.insert_refund(&refund).await.expect("refund"));
            tx.mark_day(day).await.expect("mark");
            tx.commit().await.expect("commit");
            expected[usize::try_from(chrono::Datelike::day(&day)).unwrap()].1 += step;
        }
        let report = store.revenue(date(1), date(20)).await.expect("report");
        for day in 1..=20_u32 {
            let of_day = report.days.iter().find(|figure| figure.date == date(day));
            let got = of_day.map_or((0, 0), |f| (f.captured.minor(), f.refunded.minor()));
            assert_eq!(got, expected[day as usize], "day {day} after step {step}");
        }
    }
    while store.refresh_figures(7).await.expect("refresh") > 0 {}
    let report = store.revenue(date(1), date(20)).await.expect("report");
    let month = &report.months[0];
    assert_eq!(
        month.gross.minor(),
        expected.iter().map(|day| day.0).sum::<i64>()
    );
    assert_eq!(
        month.refunds.minor(),
        expected.iter().map(|day| day.1).sum::<i64>()
    );
    assert_eq!((month.payments, report.months.len()), (120, 1));
    let of_plans: i64 = report.plans.iter().map(|plan| plan.gross.minor()).sum();
    assert_eq!(of_plans, month.gross.minor());
    assert!(
        report
            .plans
            .iter()
            .any(|plan| plan.plan_id.is_none() && plan.name.is_empty())
    );
}

async fn the_overview_equals_the_rows(bed: Bed) {
    let mut rows = Rows::basics();
    rows.card(1, 1, "1111", (2030, 1), set! {});
    for (id, state, plan) in [
        (1, "active", (2, 27_000)),
        (2, "past_due", (1, 9_900)),
        (3, "trialing", (1, 9_900)),
        (4, "incomplete", (1, 9_900)),
        (5, "active", (1, 9_900)),
    ] {
        rows.subscription(
            id,
            id % 3 + 1,
            plan,
            state,
            set! { method_id: 1_i64, next_due_at: noon(12) },
        );
    }
    rows.subscription(6, 1, (1, 9_900), "canceled", set! { ended_at: noon(9) });
    rows.subscription(7, 1, (1, 9_900), "expired", set! { ended_at: noon(9) });
    rows.payment(
        1,
        1,
        27_000,
        noon(3),
        set! { plan_id: 2_i64, refunded_minor: 7_000_i64 },
    );
    rows.payment(2, 2, 9_900, noon(10), set! { plan_id: 1_i64 });
    rows.refund(1, 1, 1, 7_000, noon(8));
    // Two failures of one invoice that was paid in the end, one of an invoice that was not.
    for (id, invoice, code) in [
        (20, 2, "REJECT_CARD_PAYMENT"),
        (21, 2, "REJECT_CARD_PAYMENT"),
        (22, 22, "EXCEED_MAX_AMOUNT"),
    ] {
        if invoice == 22 {
            rows.invoice(22, 3, 9_900, "open", set! { first_failed_at: noon(6) });
        }
        rows.attempt(id, invoice, 2, 9_900, set! {
            state: "declined", attempt_no: id, settled_at: noon(6), settled_on: date(6), refusal_code: code,
            refusal_class: "soft",
        });
    }
    rows.invoice(30, 3, 500, "open", set! {});
    rows.attempt(
        30,
        30,
        3,
        500,
        set! { state: "sent", first_sent_at: noon(9), settled_on: Option::<&str>::None },
    );
    let store = bed.with(&rows).await;
    mark_days(&store).await;
    let got = store.overview(&window(10)).await.expect("an overview");
    assert_eq!((got.active, got.past_due, got.trialing), (3, 1, 1));
    assert_eq!(
        (got.mrr.as_slice(), got.at_risk.as_slice()),
        ([krw(46_800)].as_slice(), [krw(9_900)].as_slice())
    );
    assert_eq!(
        (got.gross.as_slice(), got.refunds.as_slice()),
        ([krw(36_900)].as_slice(), [krw(7_000)].as_slice())
    );
    assert_eq!(got.net, [krw(29_900)]);
    assert_eq!(
        (got.new, got.ended),
        (5, 1),
        "what never became active neither began nor ended"
    );
    assert_eq!(
        (
            got.failed_attempts,
            got.failed_invoices,
            got.recovered_invoices
        ),
        (3, 2, 1)
    );
    assert_eq!(
        (got.succeeded_attempts, got.unknown, got.oldest_unknown_at),
        (2, 1, Some(noon(9)))
    );
    let codes: Vec<(&str, u64)> = got
        .codes
        .iter()
        .map(|code| (code.code.as_str(), code.count))
        .collect();
    assert_eq!(
        codes,
        [("REJECT_CARD_PAYMENT", 2), ("EXCEED_MAX_AMOUNT", 1)]
    );
    let plans: Vec<(&str, i64)> = got
        .plans
        .iter()
        .map(|row| (row.plan.code.as_str(), row.mrr.minor()))
        .collect();
    assert_eq!(plans, [("pro", 27_000), ("basic", 19_800)]);
    assert_eq!(
        got.renewals.iter().map(|day| day.count).collect::<Vec<_>>(),
        [0, 0, 4, 0, 0, 0, 0]
    );
    assert_eq!(got.days.len(), 10);
    let sixth = &got.days[5];
    assert_eq!((sixth.declined, sixth.captured.minor()), (3, 0));
    assert_eq!(
        (
            got.days[0].new,
            got.days[2].captured.minor(),
            got.days[2].payments
        ),
        (5, 27_000, 1)
    );
    assert_eq!(got.days[7].refunded, krw(7_000));
    let sum: i64 = got.days.iter().map(|day| day.captured.minor()).sum();
    assert_eq!(sum, 36_900);
    assert_eq!(got.health, [], "the evidence is older than an hour");
    let empty = Window {
        days: vec![],
        week_ahead: vec![],
        ..window(10)
    };
    assert_eq!(store.overview(&empty).await.expect("an overview").gross, []);
}

async fn gold_2_revenue_holds_to_the_won(bed: Bed) {
    let mut rows = Rows::basics();
    for id in 1..=8_i64 {
        rows.payment(
            id,
            1,
            9_900,
            noon(2) + Duration::days(id),
            set! { plan_id: 1_i64 },
        );
    }
    rows.payment(9, 2, 27_000, noon(5), set! { plan_id: 2_i64 });
    rows.payment(
        10,
        3,
        198_000,
        noon(31) + Duration::hours(11),
        set! { plan_id: 3_i64 },
    );
    // In April in Seoul, and in February.
    rows.payment(11, 3, 5_000, noon(31) + Duration::hours(12), set! {});
    rows.payment(12, 3, 9_900, noon(1) - Duration::days(9), set! {});
    rows.refund(1, 1, 1, 3_300, noon(12));
    rows.refund(2, 12, 3, 9_900, noon(13));
    let store = bed.with(&rows).await;
    mark_days(&store).await;
    for _ in 0..2 {
        let report = store.revenue(date(1), date(31)).await.expect("a report");
        let march = &report.months[0];
        assert_eq!(
            (
                march.gross,
                march.refunds,
                march.net,
                march.payments,
                march.refund_count
            ),
            (krw(304_200), krw(13_200), krw(291_000), 10, 2)
        );
        let names: Vec<&str> = report.plans.iter().map(|plan| plan.name.as_str()).collect();
        assert_eq!(names, ["Plan pro-year", "Plan basic", "Plan pro", ""]);
        store.refresh_figures(100).await.expect("refresh");
    }
}

/// Each figure of a report under its key, so that two reports can be added.
type Figures = BTreeMap<String, [i64; 5]>;

fn all_figures(report: &RevenueReport) -> Figures {
    let n = |count: u64| i64::try_from(count).expect("a count");
    let mut all = Figures::new();
    let mut add = |key: String, figures: [i64; 5]| {
        let sums = all.entry(key).or_default();
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum += figure;
        }
    };
    for day in &report.days {
        let key = format!("{} {}", day.date, day.captured.currency());
        let (gross, back) = (day.captured.minor(), day.refunded.minor());
        // A year ago stands beside days on which something happened, and those are each provider's own.
        add(key, [gross, back, n(day.payments), n(day.declined), 0]);
    }
    for month in &report.months {
        let key = format!("month {} {}", month.month, month.gross.currency());
        let counts = [n(month.payments), n(month.refund_count)];
        add(
            key,
            [
                month.gross.minor(),
                month.refunds.minor(),
                month.net.minor(),
                counts[0],
                counts[1],
            ],
        );
    }
    for plan in &report.plans {
        let key = format!("plan {:?} {}", plan.plan_id, plan.gross.currency());
        add(
            key,
            [
                plan.gross.minor(),
                plan.refunds.minor(),
                n(plan.payments),
                0,
                0,
            ],
        );
    }
    all
}

async fn what_came_in_by_provider_adds_up_to_the_whole(bed: Bed) {
    let mut rows = Rows::basics();
    let mut dice = Dice(7);
    for id in 1..=80_i64 {
        let at = noon(1) + Duration::minutes(dice.below(27 * 24 * 60));
        let at = if id % 9 == 0 {
            at - Duration::days(365)
        } else {
            at
        };
        let plan = dice.below(4);
        let plan = (plan > 0).then_some(plan);
        let (provider, currency) = [("toss", "KRW"), ("stripe", "KRW"), ("stripe", "USD")]
            [usize::try_from(dice.below(3)).unwrap()];
        rows.payment(
            id,
            1,
            9_900 + id,
            at,
            set! { plan_id: plan, provider: provider, currency: currency },
        );
        if id % 4 == 0 {
            let at = at + Duration::days(1);
            rows.put(
                Table::Refund,
                &set! {
                    id: id, public_id: format!("ref_{}", ulid(id)), tail: format!("t{id}"), payment_id: id, customer_id: 1_i64,
                    plan_id: plan, amount_minor: 100 + id, currency: currency, reason: "asked",
                    transaction_key: format!("tx-{id}"), refunded_at: at, refunded_on: local_date(at, Seoul), operator: "kim",
                },
            );
        }
        if id % 5 == 0 {
            let (failed, on) = (200 + id, local_date(at, Seoul));
            rows.invoice(failed, 1, 9_900, "open", set! { currency: currency });
            rows.attempt(
                failed,
                failed,
                1,
                9_900,
                set! { state: "declined", provider: provider, currency: currency, settled_at: at, settled_on: on },
            );
        }
    }
    let store = bed.with(&rows).await;
    mark_days(&store).await;
    mark_days_before(&store, date(31) - Duration::days(365)).await;
    for _ in 0..2 {
        let mut whole = all_figures(&store.revenue(date(1), date(31)).await.expect("a report"));
        // A day on which only somebody new came belongs to nobody.
        whole.retain(|_, figures| *figures != [0; 5]);
        let mut sum = Figures::new();
        for provider in ProviderName::ALL {
            let report = store.revenue_of(provider, date(1), date(31)).await;
            let report = report.expect("a report");
            assert!(report.days.iter().all(|day| day.new == 0));
            let is_won = |m: &Money| m.currency() == Currency::KRW;
            let won_alone = report.months.iter().all(|month| is_won(&month.gross));
            assert_eq!(won_alone, provider == ProviderName::Toss);
            for (key, figures) in all_figures(&report) {
                let sums = sum.entry(key).or_default();
                for (sum, figure) in sums.iter_mut().zip(figures) {
                    *sum += figure;
                }
            }
        }
        assert_eq!(sum, whole);
        let by = store.revenue_by_provider(date(1), date(31)).await;
        let gross: i64 = by
            .expect("a report")
            .iter()
            .map(|of| of.gross.minor())
            .sum();
        let months = whole.iter().filter(|(key, _)| key.starts_with("month"));
        assert_eq!(gross, months.map(|(_, figures)| figures[0]).sum::<i64>());
        while store.refresh_figures(100).await.expect("refresh") > 0 {}
    }
}

async fn history_comes_in_time_order_page_by_page(bed: Bed) {
    let mut rows = Rows::basics();
    rows.subscription(
        1,
        1,
        (1, 9_900),
        "canceled",
        set! { cancel_requested_at: noon(5) },
    );
    rows.subscription(2, 2, (2, 27_000), "active", set! {});
    let mut change = |id: i64, of: i64, day: u32, to: &str, plan: (i64, i64)| {
        rows.put(Table::SubscriptionChange, &set! {
            id: id, subscription_id: of, at: noon(day), to_state: to, plan_id: plan.0, price_minor: plan.1,
            currency: "KRW", cause: if to == "active" { "activated" } else { "canceled_at_end" },
            requested_by: "kim", requested_at: noon(day),
        });
    };
    change(3, 1, 2, "active", (1, 9_900));
    change(1, 2, 9, "active", (2, 27_000));
    change(2, 1, 20, "canceled", (1, 9_900));
    let store = bed.with(&rows).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.changes(noon(31), after, 2).await.expect("a page");
        seen.extend(page.rows.iter().map(|row| (row.customer_id, row.change.at)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        [
            (CustomerId(1), noon(2)),
            (CustomerId(2), noon(9)),
            (CustomerId(1), noon(20))
        ]
    );
    let reports = mrr_report(&store, date(15), Seoul).await.expect("a report");
    let march = &reports[0];
    assert_eq!(
        (march.start, march.new, march.end),
        (krw(0), krw(36_900), krw(27_000))
    );
    assert_eq!(
        (march.churn_voluntary, march.churned_customers),
        (krw(9_900), 1)
    );
}

async fn a_commit_elsewhere_changes_the_version(bed: Bed) {
    let store = bed.with(&Rows::basics()).await;
    let elsewhere = bed.open().await;
    let first = store.data_version().await.expect("a version");
    // A PostgreSQL snapshot also changes with other databases of its server: looking once too often
    // is harmless there.
    if bed.is_a_file() {
        assert_eq!(store.data_version().await.expect("a version"), first);
    }
    let view = SavedView {
        screen: "failed".into(),
        name: "mine".into(),
        filter: "by:kim".into(),
    };
    elsewhere.save_view("kim", &view).await.expect("save");
    assert_ne!(store.data_version().await.expect("a version"), first);
}

async fn saved_views_survive_and_are_replaced(bed: Bed) {
    let store = bed.with(&Rows::basics()).await;
    let view = |filter: &str| SavedView {
        screen: "subscriptions".into(),
        name: "late".into(),
        filter: filter.into(),
    };
    store
        .save_view("kim", &view("status:past_due"))
        .await
        .expect("save");
    store
        .save_view("kim", &view("status:past_due plan:pro"))
        .await
        .expect("save");
    store.save_view("lee", &view("x")).await.expect("save");
    store.close().await;
    let again = bed.open().await;
    assert_eq!(
        again.saved_views("kim").await.expect("views"),
        [view("status:past_due plan:pro")]
    );
    assert_eq!(again.saved_views("nobody").await.expect("views"), []);
}
