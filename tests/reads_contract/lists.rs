//! Lists: keyset pages in both directions, every order, every condition.

use chrono::Duration;
use paydeck::engine::ports::StoreError;
use paydeck::engine::queries::{
    Condition, Cursor, Filter, ListQuery, Order, Page, PaymentRow, Reads, RenewalFlag, SortBy,
    Toward,
};
use paydeck::store::bulk::Table;
use paydeck::store::{SqlStore, Value};

use crate::on_both;
use crate::world::{Bed, Rows, noon, set, ulid};

on_both!(
    pages_go_through_every_payment_once_in_both_directions,
    a_page_says_how_many_there_are_and_whether_more_follow,
    payments_are_kept_by_every_condition,
    subscriptions_are_kept_by_every_condition,
    what_a_list_cannot_do_is_refused_by_name,
    renewals_come_soonest_first_with_what_to_notice,
    what_is_due_is_read_whole_however_much_it_is,
    failed_invoices_carry_their_dunning,
    unknowns_and_what_needs_a_person_are_one_list,
    plans_are_counted_and_priced,
    runs_carry_their_totals_and_their_rows,
    activity_and_events_are_lists_too,
    a_typed_payload_is_only_a_word,
);

fn filter(typed: &str) -> ListQuery {
    let filter = match typed.strip_prefix("raw status:") {
        // What no person can type is a word to the database all the same.
        Some(name) => Filter {
            conditions: vec![Condition::Status(vec![name.to_owned()])],
        },
        None => Filter::parse(typed).expect("a filter"),
    };
    ListQuery {
        filter,
        ..ListQuery::first(50)
    }
}

/// 61 payments, several at one instant and of one amount, of three customers.
fn many_payments() -> Rows {
    let mut rows = Rows::basics();
    for id in 1..=61_i64 {
        let at = noon(3) + Duration::minutes(id * 37 % 11);
        let amount = [9_900, 27_000, 4_900][usize::try_from(id % 3).unwrap()];
        rows.payment(id, id % 3 + 1, amount, at, set! {});
    }
    rows
}

async fn page(store: &SqlStore, query: &ListQuery) -> Page<PaymentRow> {
    store.payments(query).await.expect("a page")
}

/// Walks from the first page to the end, then back to the start.
async fn walk(store: &SqlStore, start: &ListQuery) -> (Vec<i64>, Vec<i64>) {
    let mut query = start.clone();
    let mut there = Vec::new();
    let mut last: Option<Cursor> = None;
    loop {
        let got = page(store, &query).await;
        there.extend(got.rows.iter().map(|row| row.id.0));
        last = got.cursors.last().cloned().or(last);
        if !got.has_more {
            break;
        }
        query.cursor.clone_from(&last);
    }
    let mut back = vec![last.as_ref().expect("a last row").id];
    query.cursor = last;
    query.toward = Toward::Earlier;
    loop {
        let got = page(store, &query).await;
        let mut ids: Vec<i64> = got.rows.iter().map(|row| row.id.0).collect();
        ids.extend(&back);
        back = ids;
        query.cursor = got.cursors.first().cloned();
        if !got.has_more {
            break;
        }
    }
    (there, back)
}

async fn pages_go_through_every_payment_once_in_both_directions(bed: Bed) {
    let store = bed.with(&many_payments()).await;
    let all = page(&store, &ListQuery::first(200)).await;
    assert_eq!(all.rows.len(), 61);
    for sort in [SortBy::Time, SortBy::Amount, SortBy::Name] {
        for order in [Order::Ascending, Order::Descending] {
            let start = ListQuery {
                sort: Some((sort, order)),
                ..ListQuery::first(7)
            };
            let (there, back) = walk(&store, &start).await;
            let mut expected: Vec<&PaymentRow> = all.rows.iter().collect();
            let names = |row: &PaymentRow| paydeck::text::search_key(&row.customer.name);
            match sort {
                SortBy::Time => expected.sort_by_key(|row| (row.captured_at, row.id)),
                SortBy::Amount => expected.sort_by_key(|row| (row.captured.minor(), row.id)),
                SortBy::Name | SortBy::State => expected.sort_by_key(|row| (names(row), row.id)),
            }
            if order == Order::Descending {
                expected.reverse();
            }
            let expected: Vec<i64> = expected.iter().map(|row| row.id.0).collect();
            assert_eq!(there, expected, "{sort:?} {order:?}");
            assert_eq!(back, expected, "{sort:?} {order:?} backwards");
        }
    }
}

async fn a_page_says_how_many_there_are_and_whether_more_follow(bed: Bed) {
    let store = bed.with(&many_payments()).await;
    let first = page(&store, &ListQuery::first(10)).await;
    assert_eq!((first.total, first.has_more), (Some(61), true));
    assert_eq!(first.cursors.len(), 10);
    let last = page(
        &store,
        &ListQuery {
            cursor: first.cursors.last().cloned(),
            ..ListQuery::first(100)
        },
    )
    .await;
    assert_eq!(
        (last.rows.len(), last.total, last.has_more),
        (51, None, false)
    );
    let of_one = page(
        &store,
        &ListQuery {
            customer: Some(1),
            from: Some(noon(3)),
            to: Some(noon(3) + Duration::minutes(5)),
            ..ListQuery::first(100)
        },
    )
    .await;
    assert!(!of_one.rows.is_empty() && of_one.rows.iter().all(|row| row.customer.id.0 == 1));
    assert!(
        of_one
            .rows
            .iter()
            .all(|row| row.captured_at < noon(3) + Duration::minutes(5))
    );
}

async fn payments_are_kept_by_every_condition(bed: Bed) {
    let mut rows = Rows::basics();
    rows.card(7, 2, "4242", (2030, 1), set! {});
    rows.subscription(5, 1, (2, 27_000), "active", set! {});
    rows.payment(
        1,
        1,
        27_000,
        noon(3),
        set! { plan_id: 2_i64, refunded_minor: 7_000_i64 },
    );
    rows.payment(
        2,
        2,
        9_900,
        noon(4),
        set! { plan_id: 1_i64, method_id: 7_i64 },
    );
    rows.payment(
        3,
        3,
        198_000,
        noon(5),
        set! { plan_id: 3_i64, refunded_minor: 198_000_i64, provider: "stripe" },
    );
    rows.payment(
        4,
        3,
        500,
        noon(6),
        set! { is_duplicate: 1_i64, reserved_minor: 100_i64 },
    );
    let store = bed.with(&rows).await;
    let ending = ulid(3)[18..].to_lowercase();
    for (typed, expected) in [
        ("", vec![4, 3, 2, 1]),
        ("서현", vec![1]),
        ("ㄱㅅ", vec![1]),
        ("김", vec![1]),
        ("minjun", vec![2]),
        ("4242", vec![2]),
        ("010-1234", vec![1]),
        (ending.as_str(), vec![3]),
        ("plan:pro", vec![3, 1]),
        ("plan:pr", vec![]),
        ("plan:basic", vec![2]),
        ("card:4242", vec![2]),
        ("provider:stripe", vec![3]),
        ("provider:toss", vec![4, 2, 1]),
        ("card:61", vec![2]),
        ("amount>=9900", vec![3, 2, 1]),
        ("amount<=9,900", vec![4, 2]),
        ("amount:500", vec![4]),
        ("status:refunded", vec![3, 1]),
        ("status:partial", vec![1]),
        ("status:full", vec![3]),
        ("status:duplicate,partial", vec![4, 1]),
        ("status:reserved", vec![4]),
        ("status:draft", vec![]),
        ("by:run", vec![4, 3, 2, 1]),
        ("by:kim", vec![]),
        ("plan:pro amount<100000", vec![1]),
        ("plan:pro 서현 status:partial", vec![1]),
    ] {
        let got = page(&store, &filter(typed)).await;
        let ids: Vec<i64> = got.rows.iter().map(|row| row.id.0).collect();
        assert_eq!(ids, expected, "{typed}");
        assert_eq!(got.total, Some(expected.len() as u64), "{typed}");
    }
    let first = &page(&store, &filter("서현")).await.rows[0];
    assert_eq!(
        (first.what.as_str(), first.refunded_minor),
        ("Plan pro", 7_000)
    );
    assert_eq!(
        page(&store, &filter("card:4242")).await.rows[0]
            .card
            .as_ref()
            .unwrap()
            .number,
        "****-****-****-4242"
    );
}

async fn subscriptions_are_kept_by_every_condition(bed: Bed) {
    let mut rows = Rows::basics();
    rows.card(1, 1, "1111", (2030, 1), set! {});
    rows.subscription(1, 1, (2, 27_000), "past_due", set! { method_id: 1_i64 });
    rows.subscription(2, 2, (1, 9_900), "active", set! {});
    rows.subscription(3, 3, (3, 198_000), "past_due", set! {});
    rows.invoice(9, 1, 27_000, "open", set! {
        subscription_id: 1_i64, first_failed_at: noon(5), last_code: "EXCEED_MAX_AMOUNT", last_class: "soft",
    });
    let store = bed.with(&rows).await;
    for (typed, expected) in [
        ("", vec![3, 2, 1]),
        ("status:past_due", vec![3, 1]),
        ("status:past_due,active", vec![3, 2, 1]),
        ("status:past_due plan:pro", vec![3, 1]),
        ("status:past_due plan:pro-year", vec![3]),
        ("amount>=27000", vec![3, 1]),
        ("card:1111", vec![1]),
        ("provider:toss", vec![1]),
        ("provider:stripe", vec![]),
        ("code:exceed_max_amount", vec![1]),
        ("class:soft", vec![1]),
        ("class:hard", vec![]),
        ("이민준", vec![2]),
    ] {
        let got = store.subscriptions(&filter(typed)).await.expect("a page");
        let ids: Vec<i64> = got.rows.iter().map(|row| row.id.0).collect();
        assert_eq!(ids, expected, "{typed}");
    }
    for (sort, expected) in [
        (SortBy::Amount, vec![2, 1, 3]),
        (SortBy::Name, vec![3, 1, 2]),
        (SortBy::State, vec![2, 1, 3]),
    ] {
        let query = ListQuery {
            sort: Some((sort, Order::Ascending)),
            ..ListQuery::first(50)
        };
        let got = store.subscriptions(&query).await.expect("a page");
        let ids: Vec<i64> = got.rows.iter().map(|row| row.id.0).collect();
        assert_eq!(ids, expected, "{sort:?}");
    }
    let of_customers = store
        .customers(&filter("status:past_due"))
        .await
        .expect("a page");
    let names: Vec<&str> = of_customers
        .rows
        .iter()
        .map(|row| row.customer.name.as_str())
        .collect();
    assert_eq!(names, ["Anna Kim", "김서현"]);
    assert_eq!(of_customers.rows[0].subscriptions, 1);
    assert_eq!(
        store
            .customers(&filter("plan:basic"))
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
    assert_eq!(
        store
            .customers(&filter("card:1111"))
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
    assert_eq!(
        store
            .customers(&filter("anna_50%"))
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
    assert_eq!(
        store
            .customers(&filter("anna550"))
            .await
            .unwrap()
            .rows
            .len(),
        0
    );
}

async fn what_a_list_cannot_do_is_refused_by_name(bed: Bed) {
    let store = bed.with(&Rows::basics()).await;
    let refused = store.customers(&filter("by:kim")).await.err();
    assert!(
        matches!(
            refused,
            Some(StoreError::Unsupported {
                list: "customers",
                field: "by"
            })
        ),
        "{refused:?}"
    );
    let refused = store.payments(&filter("code:ABC")).await.err();
    assert!(matches!(
        refused,
        Some(StoreError::Unsupported { field: "code", .. })
    ));
    let by_state = ListQuery {
        sort: Some((SortBy::State, Order::Ascending)),
        ..ListQuery::first(1)
    };
    let refused = store.payments(&by_state).await.err();
    assert!(matches!(
        refused,
        Some(StoreError::Unsupported { field: "state", .. })
    ));
    let of_one = ListQuery {
        customer: Some(1),
        ..ListQuery::first(1)
    };
    assert!(store.plans(&of_one).await.is_err());
}

async fn renewals_come_soonest_first_with_what_to_notice(bed: Bed) {
    let mut rows = Rows::basics();
    rows.card(1, 1, "1111", (2026, 2), set! {});
    rows.card(2, 2, "2222", (2026, 3), set! {});
    rows.card(3, 3, "3333", (2030, 1), set! { state: "deleted" });
    let due = |day| set! { next_due_at: noon(day) };
    let with = |day, more: Vec<(&'static str, Value)>| {
        let mut all = due(day);
        all.extend(more);
        all
    };
    rows.subscription(
        1,
        1,
        (2, 27_000),
        "active",
        with(20, set! { method_id: 1_i64 }),
    );
    rows.subscription(
        2,
        2,
        (1, 9_900),
        "trialing",
        with(19, set! { method_id: 2_i64 }),
    );
    rows.subscription(
        3,
        3,
        (1, 9_900),
        "past_due",
        with(20, set! { method_id: 3_i64 }),
    );
    rows.subscription(
        4,
        3,
        (1, 9_900),
        "active",
        with(20, set! { cancel_at: noon(20) }),
    );
    rows.subscription(5, 3, (1, 9_900), "paused", due(20));
    rows.subscription(6, 3, (1, 9_900), "active", due(28));
    let store = bed.with(&rows).await;
    let query = ListQuery {
        from: Some(noon(18)),
        to: Some(noon(27)),
        ..ListQuery::first(50)
    };
    let got = store.renewals(&query).await.expect("a page");
    let shown: Vec<(i64, Vec<RenewalFlag>)> = got
        .rows
        .iter()
        .map(|row| (row.id.0, row.flags.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            (2, vec![RenewalFlag::TrialEnds]),
            (1, vec![RenewalFlag::CardExpires]),
            (3, vec![RenewalFlag::KeyDeleted, RenewalFlag::PastDue]),
            (4, vec![RenewalFlag::NoMethod, RenewalFlag::Ends]),
        ]
    );
    let days = [19, 20, 21].map(crate::world::local_day);
    let by_day = store.renewal_days(&days).await.expect("days");
    assert_eq!(
        by_day.iter().map(|day| day.count).collect::<Vec<_>>(),
        [1, 3, 0]
    );
    // What ends on the day is counted, flagged and not summed.
    assert_eq!(by_day[1].amounts[0].minor(), 36_900);
    let mut flags: Vec<RenewalFlag> = got.rows[1..]
        .iter()
        .flat_map(|row| row.flags.clone())
        .collect();
    for (flag, count) in &by_day[1].flags {
        for _ in 0..*count {
            let at = flags.iter().position(|known| known == flag);
            flags.remove(at.expect("a flag of a row"));
        }
    }
    assert!(flags.is_empty(), "both ways of flagging agree: {flags:?}");
}

async fn what_is_due_is_read_whole_however_much_it_is(bed: Bed) {
    let mut rows = Rows::basics();
    let due = |id: i64| match id {
        // The first page ends among rows of the same instant.
        1..=1_500 => noon(20),
        2_001.. => noon(23),
        _ => noon(21),
    };
    for id in 1..=2_100 {
        rows.subscription(id, 1, (1, 9_900), "active", set! { next_due_at: due(id) });
    }
    let store = bed.with(&rows).await;
    let read = store.due(noon(22)).await.expect("rows");
    let named: Vec<&str> = read.iter().map(|row| row.public_id.as_str()).collect();
    let expected: Vec<String> = (1..=2_000).map(|id| format!("sub_{}", ulid(id))).collect();
    assert_eq!(named, expected);
}

async fn failed_invoices_carry_their_dunning(bed: Bed) {
    let mut rows = Rows::basics();
    rows.subscription(1, 1, (2, 27_000), "past_due", set! {});
    rows.invoice(1, 1, 27_000, "open", set! {
        subscription_id: 1_i64, first_failed_at: noon(5), last_code: "REJECT_CARD_PAYMENT", last_class: "soft",
        attempts: 2_i64, dunning_used: 1_i64, dunning: "scheduled", next_attempt_at: noon(9),
    });
    rows.invoice(
        2,
        2,
        500,
        "uncollectible",
        set! { first_failed_at: noon(4), dunning: "exhausted" },
    );
    rows.invoice(3, 2, 500, "open", set! {});
    rows.invoice(4, 2, 500, "paid", set! { first_failed_at: noon(4) });
    rows.attempt(
        1,
        1,
        1,
        27_000,
        set! {
            state: "declined", attempt_no: 1_i64, operator: "kim",
        },
    );
    rows.attempt(2, 1, 1, 27_000, set! {
        state: "unknown", attempt_no: 2_i64, provider: "stripe", settled_at: Option::<i64>::None, settled_on: Option::<&str>::None,
    });
    let store = bed.with(&rows).await;
    let got = store.failed(&ListQuery::first(50)).await.expect("a page");
    let ids: Vec<i64> = got.rows.iter().map(|row| row.invoice_id.0).collect();
    assert_eq!(ids, [1, 2]);
    let first = &got.rows[0];
    assert_eq!(
        (first.what.as_str(), first.attempts, first.dunning_used),
        ("Plan pro", 2, 1)
    );
    assert_eq!(first.provider.map(|p| p.as_str()), Some("stripe"));
    assert_eq!(first.open_attempt.map(|s| s.as_str()), Some("unknown"));
    for (typed, expected) in [
        ("status:past_due", vec![1]),
        ("status:exhausted", vec![2]),
        ("status:uncollectible,scheduled", vec![1, 2]),
        ("class:soft", vec![1]),
        ("code:reject_card_payment", vec![1]),
        ("plan:pro", vec![1]),
        ("amount<1000", vec![2]),
        ("provider:stripe", vec![1]),
        ("provider:toss", vec![]),
        ("by:kim", vec![1]),
        ("서현", vec![1]),
    ] {
        let got = store.failed(&filter(typed)).await.expect("a page");
        let ids: Vec<i64> = got.rows.iter().map(|row| row.invoice_id.0).collect();
        assert_eq!(ids, expected, "{typed}");
    }
}

async fn unknowns_and_what_needs_a_person_are_one_list(bed: Bed) {
    let mut rows = Rows::basics();
    for (id, state, needs) in [
        (1, "unknown", 0_i64),
        (2, "sent", 0),
        (3, "declined", 1),
        (4, "declined", 0),
        (5, "unknown", 1),
    ] {
        rows.invoice(id, 1, 9_900, "open", set! {});
        let open = state != "declined";
        rows.attempt(
            id,
            id,
            1,
            9_900,
            set! {
                state: state, needs_human: needs, send_count: 1_i64, first_sent_at: noon(3),
                settled_on: (!open).then_some("2026-03-03"),
            },
        );
    }
    rows.put(
        Table::Evidence,
        &set! { id: 1_i64, attempt_id: 1_i64, source: "answer", outcome: "timed_out", at: noon(3) },
    );
    rows.put(
        Table::Evidence,
        &set! { id: 2_i64, attempt_id: 1_i64, source: "look_up", outcome: "not_seen", at: noon(4) },
    );
    let store = bed.with(&rows).await;
    let got = store.unknowns(&ListQuery::first(50)).await.expect("a page");
    let ids: Vec<i64> = got.rows.iter().map(|row| row.id.0).collect();
    assert_eq!(ids, [1, 2, 3, 5], "oldest first");
    assert_eq!(got.rows[0].last_outcome.as_deref(), Some("not_seen"));
    assert_eq!(got.rows[0].last_evidence_at, Some(noon(4)));
    assert!(got.rows[2].needs_human);
    assert_eq!(store.count_unknown().await.expect("a count"), 3);
    assert_eq!(
        store
            .unknowns(&filter("status:sent"))
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
}

async fn plans_are_counted_and_priced(bed: Bed) {
    let mut rows = Rows::basics();
    for (id, state) in [
        (1, "active"),
        (2, "past_due"),
        (3, "trialing"),
        (4, "canceled"),
    ] {
        rows.subscription(id, 1, (2, 27_000), state, set! {});
    }
    let change = |id: i64, discount: i64| {
        set! {
            id: id, subscription_id: 1_i64, at: noon(1) + Duration::minutes(id), to_state: "active", plan_id: 2_i64,
            price_minor: 27_000_i64, currency: "KRW", discount_minor: discount, cause: "activated",
            requested_by: "kim", requested_at: noon(1),
        }
    };
    rows.put(Table::SubscriptionChange, &change(1, 0));
    rows.put(Table::SubscriptionChange, &change(2, 2_700));
    let store = bed.with(&rows).await;
    let got = store.plans(&ListQuery::first(50)).await.expect("a page");
    let codes: Vec<&str> = got.rows.iter().map(|row| row.plan.code.as_str()).collect();
    assert_eq!(codes, ["basic", "pro", "pro-year"]);
    let pro = &got.rows[1];
    assert_eq!((pro.active, pro.trialing, pro.mrr.minor()), (2, 1, 51_300));
    assert_eq!(pro.product_name, "App");
    for (typed, expected) in [
        ("plan:pro", 2),
        ("year", 1),
        ("status:inactive", 0),
        ("amount>=27000", 2),
    ] {
        assert_eq!(
            store.plans(&filter(typed)).await.unwrap().rows.len(),
            expected,
            "{typed}"
        );
    }
}

async fn runs_carry_their_totals_and_their_rows(bed: Bed) {
    let mut rows = Rows::basics();
    for id in 1..=5_i64 {
        rows.subscription(id, id % 3 + 1, (1, 9_900), "active", set! {});
    }
    rows.invoice(
        1,
        1,
        9_900,
        "open",
        set! { last_code: "X", last_class: "soft" },
    );
    for run in 1..=2_i64 {
        let ulid = ulid(run);
        let tail: String = ulid.chars().rev().collect();
        rows.put(Table::Run, &set! {
            id: run, public_id: format!("run_{ulid}"), tail: tail, state: "finished", operator: "cron",
            host: "web1", until_at: noon(3), started_at: noon(3) + Duration::hours(run),
        });
    }
    for id in 1..=5_i64 {
        let decision = [Some("done"), Some("declined"), None][usize::try_from(id % 3).unwrap()];
        rows.put(
            Table::RunItem,
            &set! {
                id: id, run_id: 1_i64, subscription_id: id, decision: decision, at: noon(4),
                invoice_id: (id == 1).then_some(1_i64),
            },
        );
    }
    let store = bed.with(&rows).await;
    let runs = store.runs(&ListQuery::first(10)).await.expect("a page");
    assert_eq!(
        runs.rows.iter().map(|row| row.run.id.0).collect::<Vec<_>>(),
        [2, 1]
    );
    let mut totals: Vec<(Option<&str>, u64)> = runs.rows[1]
        .totals
        .iter()
        .map(|(d, n)| (d.map(|d| d.as_str()), *n))
        .collect();
    totals.sort_unstable();
    assert_eq!(
        totals,
        [(None, 2), (Some("declined"), 2), (Some("done"), 1)]
    );
    assert!(runs.rows[0].totals.is_empty());
    let run = runs.rows[1].run.id;
    let items = store
        .run_items(run, &ListQuery::first(10))
        .await
        .expect("a page");
    assert_eq!(
        items.rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(
        items.rows[0].amount.map(|amount| amount.minor()),
        Some(9_900)
    );
    for (typed, expected) in [
        ("status:declined", 2),
        ("code:x", 1),
        ("amount:9900", 1),
        ("plan:basic", 5),
        ("서현", 1),
    ] {
        let got = store.run_items(run, &filter(typed)).await.expect("a page");
        assert_eq!(got.rows.len(), expected, "{typed}");
    }
    let none = store
        .run_items(runs.rows[0].run.id, &ListQuery::first(10))
        .await
        .expect("a page");
    assert!(none.rows.is_empty());
}

async fn activity_and_events_are_lists_too(bed: Bed) {
    let mut rows = Rows::basics();
    rows.payment(1, 1, 9_900, noon(3), set! {});
    let target = format!("pay_{}", ulid(1));
    rows.audit(1, "kim", "refund", &target, noon(4));
    rows.audit(2, "lee", "retry", "inv_X", noon(5));
    for id in 1..=3_i64 {
        rows.put(Table::Inbox, &set! {
            id: id, event_key: format!("e{id}"), kind: "PAYMENT_STATUS_CHANGED",
            state: if id == 3 { "failed" } else { "processed" }, order_id: format!("order-{id}"),
            received_at: noon(3) + Duration::minutes(id), tries: id,
            last_error: if id == 3 { "it does not tell" } else { "" },
        });
    }
    rows.put(Table::Inbox, &set! {
        id: 4_i64, event_key: "evt_4", kind: "invoice.payment_failed", state: "ignored", provider: "stripe",
        provider_ref: "in_4", received_at: noon(3) + Duration::minutes(4), tries: 1_i64,
    });
    let store = bed.with(&rows).await;
    let ending = &ulid(1)[16..];
    for (typed, expected) in [
        ("", vec!["lee", "kim"]),
        ("by:kim", vec!["kim"]),
        ("refund", vec!["kim"]),
        (ending, vec!["kim"]),
        ("status:done", vec!["lee", "kim"]),
    ] {
        let got = store.activity(&filter(typed)).await.expect("a page");
        let people: Vec<&str> = got
            .rows
            .iter()
            .map(|row| row.record.entry.person.as_str())
            .collect();
        assert_eq!(people, expected, "{typed}");
    }
    assert_eq!(store.audit_chains().await.expect("chains"), ["c1"]);
    let chain = store.audit_chain("c1", 1, 10).await.expect("a chain");
    assert_eq!(
        chain.iter().map(|record| record.seq).collect::<Vec<_>>(),
        [2]
    );
    for (typed, expected) in [
        ("", 4),
        ("status:failed", 1),
        ("payment_status", 3),
        ("order-2", 1),
        ("invoice.", 1),
        ("in_4", 1),
        ("provider:toss", 3),
        ("provider:stripe status:ignored", 1),
    ] {
        let got = store.events(&filter(typed)).await.expect("a page");
        assert_eq!(got.rows.len(), expected, "{typed}");
    }
    let got = store.events(&filter("")).await.expect("a page").rows;
    assert_eq!(got[0].provider, paydeck::domain::mode::ProviderName::Stripe);
    assert_eq!(got[0].about.as_deref(), Some("in_4"));
    assert_eq!(
        (got[0].standing(), got[1].standing()),
        ("ignored", "failed")
    );
    assert_eq!(got[1].error.as_deref(), Some("it does not tell"));
    assert_eq!(got[1].about.as_deref(), Some("order-3"));
}

async fn a_typed_payload_is_only_a_word(bed: Bed) {
    let store = bed.with(&many_payments()).await;
    for payload in [
        "';drop",
        "\"",
        "a\"OR\"b",
        "%",
        "_",
        "\\",
        "*",
        "^김",
        "NEAR(",
        "'||'",
        "김%",
        "?",
        "$1",
        "plan:'",
        "card:%",
        "raw status:'or'1",
        "by:\"",
        "NULL",
        "\u{0}",
    ] {
        let query = filter(payload);
        for outcome in [
            store.customers(&query).await.map(|page| page.rows.len()),
            store.payments(&query).await.map(|page| page.rows.len()),
            store.failed(&query).await.map(|page| page.rows.len()),
            store.find(payload, 10).await.map(|hits| hits.len()),
        ] {
            match outcome {
                Ok(kept) => assert_eq!(kept, 0, "{payload:?}"),
                Err(StoreError::Unsupported { .. }) => {}
                Err(other) => panic!("{payload:?}: {other:?}"),
            }
        }
    }
    assert_eq!(page(&store, &ListQuery::first(100)).await.rows.len(), 61);
}
