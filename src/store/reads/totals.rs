//! What all rows of a list come to: how many, and one sum per currency.
//!
//! The rows are those of the list itself, by the same statement that picks its pages, so that a sum
//! can never speak of other rows than the list shows.

use super::declines::DECLINES;
use super::failed::FAILED;
use super::list::List;
use super::payments::PAYMENTS;
use super::plans::PLANS;
use super::query::Query;
use super::standing;
use super::subscriptions::{RENEWALS, SUBSCRIPTIONS};
use crate::domain::money::Money;
use crate::domain::period::{Interval, Unit};
use crate::domain::revenue::Mrr;
use crate::engine::ports::StoreError;
use crate::engine::queries::{ListQuery, Summed, Totals};
use crate::store::open::SqlStore;
use crate::store::sql::Cells;

type R<T> = Result<T, StoreError>;

const OWED: &str = "select i.currency, cast(sum(i.amount_minor) as bigint) as amount_minor, count(*) as n, \
     count(*) as invoices from picked k join invoice i on i.id = k.id group by i.currency order by i.currency";
const DECLINED: &str = "select a.currency, cast(sum(a.amount_minor) as bigint) as amount_minor, count(*) as n, \
     count(distinct a.invoice_id) as invoices \
     from picked k join attempt a on a.id = k.id group by a.currency order by a.currency";
const CAPTURED: &str = "select p.currency, cast(sum(p.captured_minor) as bigint) as amount_minor, count(*) as n, \
     cast(0 as bigint) as invoices from picked k join payment p on p.id = k.id group by p.currency order by p.currency";
/// What ends instead of renewing counts, and costs nothing.
const RENEWED: &str = "select coalesce(t.currency, l.currency) as currency, count(*) as n, cast(0 as bigint) as invoices, \
     cast(sum(case when s.cancel_at <= s.renews_at then 0 \
      else coalesce(t.price_minor, l.price_minor) * coalesce(t.quantity, s.quantity) end) as bigint) as amount_minor \
     from picked k join subscription s on s.id = k.id join plan l on l.id = s.plan_id \
     left join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
     group by coalesce(t.currency, l.currency) order by coalesce(t.currency, l.currency)";
/// Rows of one price are counted together; the few with a lasting discount stand for themselves.
const PRICED: &str = ", discounted (id) as (select distinct subscription_id from subscription_change where discount_minor <> 0), \
     priced as (select s.state, coalesce(t.price_minor, l.price_minor) as price_minor, \
      coalesce(t.currency, l.currency) as currency, coalesce(t.quantity, s.quantity) as quantity, \
      coalesce(t.interval_unit, l.interval_unit) as interval_unit, \
      coalesce(t.interval_count, l.interval_count) as interval_count, \
      case when s.id in (select id from discounted) then (select h.discount_minor from subscription_change h \
       where h.subscription_id = s.id order by h.at desc, h.id desc limit 1) else 0 end as discount_minor \
      from picked k join subscription s on s.id = k.id join plan l on l.id = s.plan_id \
      left join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no) \
     select cast(case when state in ('active', 'past_due') then 1 else 0 end as bigint) as is_billed, price_minor, currency, \
      quantity, interval_unit, interval_count, discount_minor, count(*) as n from priced \
     group by case when state in ('active', 'past_due') then 1 else 0 end, price_minor, currency, \
      quantity, interval_unit, interval_count, discount_minor";
pub(super) async fn totals(db: &SqlStore, list: Summed, asked: &ListQuery) -> R<Totals> {
    match list {
        Summed::Subscriptions => monthly(db, &SUBSCRIPTIONS, asked).await,
        Summed::Plans => of_plans(db, asked).await,
        Summed::Renewals => sums(db, &RENEWALS, asked, RENEWED).await,
        Summed::Failed => sums(db, &FAILED, asked, OWED).await,
        Summed::Payments => sums(db, &PAYMENTS, asked, CAPTURED).await,
        Summed::Declines => {
            let mut totals = sums(db, &DECLINES, asked, DECLINED).await?;
            totals.invoices = totals.invoices.or(Some(0));
            Ok(totals)
        }
    }
}

/// Begins with the ids of every row the list keeps.
fn picked(db: &SqlStore, list: &List, asked: &ListQuery) -> R<Query> {
    let mut query = Query::new("with picked (id) as (select ");
    query.add(list.id, []).add(" ", []);
    list.kept(&mut query, list.from, &asked.into(), db.flavour())?;
    query.add(")", []);
    Ok(query)
}

async fn sums(db: &SqlStore, list: &List, asked: &ListQuery, sql: &'static str) -> R<Totals> {
    let mut query = picked(db, list, asked)?;
    query.add(" ", []).add(sql, []);
    let mut totals = Totals::default();
    for row in db.fetch(query).await? {
        let cells = row.counts("totals");
        totals.count += cells.count("n")?;
        let invoices = cells.count("invoices")?;
        if invoices > 0 {
            totals.invoices = Some(totals.invoices.unwrap_or(0) + invoices);
        }
        totals.sums.push(cells.money("amount_minor")?);
    }
    Ok(totals)
}

/// How many there are, and what those that are billed are worth a month.
async fn monthly(db: &SqlStore, list: &List, asked: &ListQuery) -> R<Totals> {
    let mut query = picked(db, list, asked)?;
    query.add(PRICED, []);
    priced(db, query).await
}

/// How many plans there are, and what their subscriptions are worth a month.
async fn of_plans(db: &SqlStore, asked: &ListQuery) -> R<Totals> {
    let mut counted = picked(db, &PLANS, asked)?;
    counted.add(" select count(*) as n from picked", []);
    let count = db.fetch_number(counted).await?;
    let mut query = Query::new("with plans (id) as (select ");
    query.add(PLANS.id, []).add(" ", []);
    PLANS.kept(&mut query, PLANS.from, &asked.into(), db.flavour())?;
    query.add(
        "), picked (id) as (select s.id from subscription s where s.plan_id in (select id from plans))",
        [],
    );
    query.add(PRICED, []);
    Ok(Totals {
        count: u64::try_from(count).unwrap_or(0),
        ..priced(db, query).await?
    })
}

async fn priced(db: &SqlStore, query: Query) -> R<Totals> {
    let mut totals = Totals::default();
    let mut sums: Vec<Mrr> = Vec::new();
    for row in db.fetch(query).await? {
        let cells = row.counts("totals");
        totals.count += cells.count("n")?;
        if cells.i64("is_billed")? == 1 {
            let mrr = mrr_of(&cells)?;
            match sums.iter_mut().find(|sum| sum.currency() == mrr.currency()) {
                Some(sum) => *sum = sum.checked_add(mrr).map_err(|e| cells.bad(e.to_string()))?,
                None => sums.push(mrr),
            }
        }
    }
    totals.sums = standing::rounded(&sums)?;
    totals.sums.sort_by_key(|sum| sum.currency());
    Ok(totals)
}

/// The monthly worth of the rows of one price.
fn mrr_of(cells: &Cells<'_>) -> R<Mrr> {
    let unit = cells.word("interval_unit", Unit::parse)?;
    let interval = Interval::try_new(unit, cells.u32("interval_count")?)
        .map_err(|error| cells.bad(error.to_string()))?;
    let price: Money = cells.money("price_minor")?;
    let discount = cells.i64("discount_minor")?;
    Mrr::of(price, cells.u32("quantity")?, discount, interval)
        .and_then(|each| each.times(cells.i64("n").unwrap_or(0)))
        .map_err(|error| cells.bad(error.to_string()))
}
