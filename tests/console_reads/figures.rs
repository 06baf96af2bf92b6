//! A figure opens exactly the rows that make it, and their list says what they come to.

use paydeck::console::model::{Content, Figure, ListKind, Model, Row, Spot, spots};
use paydeck::domain::money::Money;
use paydeck::engine::queries::{ListQuery, Overview, Reads, Totals, Toward};
use paydeck::store::{DatabaseUrl, SqlStore};

use crate::house::{Console, open};
use crate::on_both;

on_both!(
    every_figure_of_the_overview_opens_the_rows_that_make_it,
    every_plan_opens_those_who_are_billed_for_it,
    what_is_overdue_comes_first_and_opens_its_rows,
);

/// The rows of the list, every page of it: how many, and the sum of their own amounts.
async fn rows_of(store: &SqlStore, model: &Model) -> (u64, i64) {
    let list = model.visit().list().expect("a list");
    let mut query = ListQuery {
        limit: 1_000,
        ..list.query(None, Toward::Later)
    };
    let (mut count, mut sum) = (0, 0);
    loop {
        let (rows, last) = page(store, list.kind, &query).await;
        count += u64::try_from(rows.len()).unwrap();
        let ends = |row: &Row| match row {
            Row::Subscription(row) => row.cancel_at.is_some_and(|at| Some(at) <= row.next_due_at),
            _ => false,
        };
        let amounts = rows.iter().filter(|row| !ends(row)).filter_map(Row::amount);
        sum += amounts.map(Money::minor).sum::<i64>();
        match last {
            Some(cursor) => query.cursor = Some(cursor),
            None => return (count, sum),
        }
    }
}

async fn page(
    store: &SqlStore,
    kind: ListKind,
    query: &ListQuery,
) -> (Vec<Row>, Option<paydeck::engine::queries::Cursor>) {
    macro_rules! rows {
        ($page:expr, $row:path) => {{
            let page = $page.await.expect("a page");
            let last = page.cursors.last().filter(|_| page.has_more).cloned();
            let rows = page.rows.into_iter().map(|row| $row(Box::new(row)));
            (rows.collect(), last)
        }};
    }
    match kind {
        ListKind::Subscriptions => rows!(store.subscriptions(query), Row::Subscription),
        ListKind::Renewals => rows!(store.renewals(query), Row::Subscription),
        ListKind::Declines => rows!(store.declines(query), Row::Decline),
        ListKind::Payments => rows!(store.payments(query), Row::Payment),
        ListKind::Plans => rows!(store.plans(query), Row::Plan),
        other => panic!("no figure opens {other:?}"),
    }
}

fn totals(model: &Model) -> Totals {
    let list = model.visit().list().expect("a list");
    let adding = list.adding.as_ref().expect("it says what its rows come to");
    adding.totals.clone().expect("it was told")
}

fn minor(moneys: &[Money]) -> i64 {
    assert!(moneys.len() <= 1, "the demo has one currency");
    moneys.first().map_or(0, |money| money.minor())
}

/// Count and sum of a figure, and whether the sum is of the rows' own amounts.
fn said(overview: &Overview, spot: Spot) -> (Option<u64>, Option<i64>, bool) {
    match spot {
        Spot::Figure(Figure::Active) => (Some(overview.active), Some(minor(&overview.mrr)), false),
        Spot::Figure(Figure::Mrr) => (None, Some(minor(&overview.mrr)), false),
        Spot::Figure(Figure::AtRisk) => (
            Some(overview.past_due),
            Some(minor(&overview.at_risk)),
            false,
        ),
        Spot::Figure(Figure::Revenue) => (None, Some(minor(&overview.gross)), true),
        Spot::Figure(Figure::New) => (Some(overview.new), None, false),
        Spot::Figure(Figure::Failed) => (Some(overview.failed_attempts), None, true),
        Spot::Day(at) => {
            let day = &overview.renewals[at];
            (Some(day.count), Some(minor(&day.amounts)), true)
        }
        Spot::Code(at) => (Some(overview.codes[at].count), None, true),
        Spot::Plan(at) => {
            let plan = &overview.plans[at];
            (Some(plan.active), Some(plan.mrr.minor()), false)
        }
    }
}

fn overview_of(model: &Model) -> Overview {
    match &model.visit().content {
        Content::Overview(panel) => *panel.value.clone().expect("figures"),
        _ => panic!("not the overview"),
    }
}

async fn every_figure_of_the_overview_opens_the_rows_that_make_it(url: &DatabaseUrl) {
    let mut console = Console::over(open(url).await).await;
    let overview = overview_of(&console.model);
    assert!(overview.failed_attempts > 0 && overview.new > 0 && overview.past_due > 0);
    assert!(overview.codes.len() > 2 && overview.plans.len() > 2);
    for (at, spot) in spots(&overview).into_iter().enumerate() {
        console.press("1").await;
        if let Content::Overview(panel) = &mut console.model.visit_mut().content {
            panel.selected = at;
        }
        console.press("enter").await;
        let (count, sum, is_of_rows) = said(&overview, spot);
        let told = totals(&console.model);
        let (rows, amounts) = rows_of(&console.store, &console.model).await;
        assert_eq!(told.count, rows, "{spot:?}: rows");
        assert_eq!(count.unwrap_or(rows), rows, "{spot:?}: count");
        assert_eq!(
            sum.unwrap_or(minor(&told.sums)),
            minor(&told.sums),
            "{spot:?}: sum"
        );
        if is_of_rows {
            assert_eq!(amounts, minor(&told.sums), "{spot:?}: sum of the rows");
        }
        if spot == Spot::Figure(Figure::Failed) {
            assert_eq!(told.invoices, Some(overview.failed_invoices));
        }
        console.press("esc").await;
    }
}

async fn every_plan_opens_those_who_are_billed_for_it(url: &DatabaseUrl) {
    let mut console = Console::over(open(url).await).await;
    console.press("8").await;
    let list = console.model.visit().list().expect("plans");
    let plans = list.paged.rows.clone();
    assert!(plans.len() > 2);
    for plan in plans {
        let Row::Plan(plan) = plan else {
            panic!("not a plan");
        };
        console.press("enter").await;
        let told = totals(&console.model);
        let (rows, _) = rows_of(&console.store, &console.model).await;
        assert_eq!(
            (told.count, rows),
            (plan.active, plan.active),
            "{}",
            plan.plan.code
        );
        assert_eq!(minor(&told.sums), plan.mrr.minor(), "{}", plan.plan.code);
        console.press("esc j").await;
    }
}

async fn what_is_overdue_comes_first_and_opens_its_rows(url: &DatabaseUrl) {
    let mut console = Console::over(open(url).await).await;
    let now = console.model.now.at;
    let due = ListQuery {
        to: Some(now),
        ..ListQuery::first(1)
    };
    let due = console.store.renewals(&due).await.expect("due").total;
    let first = overview_of(&console.model).renewals.remove(0);
    assert!(
        first.day.is_overdue() && Some(first.count) == due,
        "{first:?}"
    );
    console.press("4 enter").await;
    assert_eq!(Some(totals(&console.model).count), due);
    assert!(console.model.last_run.is_some());
}
