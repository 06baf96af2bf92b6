//! What was captured and refunded on each local day, per plan and currency: exact at any moment.
//!
//! A day that an event has touched since it was computed stands in `dirty_day` and is summed up
//! from the rows themselves; every other day comes from `daily_figure`. One statement does both, so
//! that no commit falls between them. Today is almost always marked, and is then live.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::query::{Query, values};
use crate::domain::ids::PlanId;
use crate::domain::mode::ProviderName;
use crate::domain::money::{Currency, Money, MoneyError};
use crate::engine::ports::StoreError;
use crate::engine::queries::LocalDay;
use crate::store::open::SqlStore;
use crate::store::sql::{Row, Value};

type R<T> = Result<T, StoreError>;

const TAKINGS: &str = "with live (day) as (select distinct day from dirty_day where day >= ? and day <= ?) \
     select f.day, f.plan_id, f.currency, f.captured_minor, f.captured_count, f.refunded_minor, f.refunded_count \
     from daily_figure f where f.day >= ? and f.day <= ? and f.day not in (select day from live) \
     union all \
     select p.captured_on, coalesce(p.plan_id, 0), p.currency, cast(sum(p.captured_minor) as bigint), count(*), 0, 0 \
     from payment p where p.captured_on in (select day from live) group by p.captured_on, p.plan_id, p.currency \
     union all \
     select r.refunded_on, coalesce(r.plan_id, 0), r.currency, 0, 0, cast(sum(r.amount_minor) as bigint), count(*) \
     from refund r where r.refunded_on in (select day from live) group by r.refunded_on, r.plan_id, r.currency \
     union all \
     select v.reversed_on, coalesce(r.plan_id, 0), r.currency, 0, 0, cast(0 - sum(r.amount_minor) as bigint), 0 \
     from refund_reversal v join refund r on r.id = v.refund_id \
     where v.reversed_on in (select day from live) group by v.reversed_on, r.plan_id, r.currency \
     order by 1, 2, 3";

/// Money of one day, plan and currency. A plan may come twice: once taken, once given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taking {
    pub(super) day: NaiveDate,
    pub(super) plan_id: Option<PlanId>,
    pub(super) captured: Money,
    pub(super) payments: u64,
    pub(super) refunded: Money,
    pub(super) refunds: u64,
}

/// From the rows alone: daily figures are not kept by provider.
const TAKINGS_OF: &str = "select p.captured_on as day, coalesce(p.plan_id, 0) as plan_id, p.currency, \
     cast(sum(p.captured_minor) as bigint) as captured_minor, count(*) as captured_count, \
     cast(0 as bigint) as refunded_minor, cast(0 as bigint) as refunded_count \
     from payment p where p.provider = ? and p.captured_on >= ? and p.captured_on <= ? \
     group by p.captured_on, p.plan_id, p.currency \
     union all \
     select r.refunded_on, coalesce(r.plan_id, 0), r.currency, 0, 0, cast(sum(r.amount_minor) as bigint), count(*) \
     from refund r join payment p on p.id = r.payment_id \
     where p.provider = ? and r.refunded_on >= ? and r.refunded_on <= ? group by r.refunded_on, r.plan_id, r.currency \
     union all \
     select v.reversed_on, coalesce(r.plan_id, 0), r.currency, 0, 0, cast(0 - sum(r.amount_minor) as bigint), 0 \
     from refund_reversal v join refund r on r.id = v.refund_id join payment p on p.id = r.payment_id \
     where p.provider = ? and v.reversed_on >= ? and v.reversed_on <= ? group by v.reversed_on, r.plan_id, r.currency \
     order by 1, 2, 3";

/// Takings of `[from, to]` through one provider, by day.
pub(super) async fn takings_of(
    db: &SqlStore,
    provider: ProviderName,
    from: NaiveDate,
    to: NaiveDate,
) -> R<Vec<Taking>> {
    let of = provider.as_str();
    let query = Query::with(
        TAKINGS_OF,
        values![of, from, to, of, from, to, of, from, to],
    );
    db.fetch(query).await?.iter().map(taking).collect()
}

/// Takings of `[from, to]`, by day.
pub(super) async fn takings(db: &SqlStore, from: NaiveDate, to: NaiveDate) -> R<Vec<Taking>> {
    let rows = db
        .fetch(Query::with(TAKINGS, values![from, to, from, to]))
        .await?;
    rows.iter().map(taking).collect()
}

fn taking(row: &Row) -> R<Taking> {
    let cells = row.counts("daily_figure");
    let plan_id = cells.i64("plan_id")?;
    Ok(Taking {
        day: cells.day("day")?,
        plan_id: (plan_id != 0).then_some(PlanId(plan_id)),
        captured: cells.money("captured_minor")?,
        payments: cells.count("captured_count")?,
        refunded: cells.money("refunded_minor")?,
        refunds: cells.count("refunded_count")?,
    })
}

/// Sums of one kind, one per currency.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sums(Vec<Money>);

impl Sums {
    pub(super) fn add(&mut self, money: Money) -> R<()> {
        match self
            .0
            .iter_mut()
            .find(|sum| sum.currency() == money.currency())
        {
            Some(sum) => *sum = sum.checked_add(money).map_err(too_large)?,
            None => self.0.push(money),
        }
        Ok(())
    }

    pub(super) fn of(&self, currency: Currency) -> Money {
        let found = self.0.iter().find(|sum| sum.currency() == currency);
        found.copied().unwrap_or(Money::zero(currency))
    }

    /// The currency with the largest sum.
    pub(super) fn largest(&self) -> Option<Currency> {
        let largest = self.0.iter().max_by_key(|sum| sum.minor());
        largest.map(|sum| sum.currency())
    }

    /// By currency code; a currency without a sum is left out.
    pub(super) fn into_vec(mut self) -> Vec<Money> {
        self.0.sort_by_key(|sum| sum.currency());
        self.0
    }
}

/// A sum that does not fit.
pub(super) fn too_large(error: MoneyError) -> StoreError {
    StoreError::Other(error.into())
}

const DECLINED: &str = "select day, currency, cast(sum(attempts) as bigint) as n from tally_decline \
     where day >= ? and day <= ? group by day, currency";

/// Charges settled as declined, per day and currency.
pub(super) async fn declined(
    db: &SqlStore,
    from: NaiveDate,
    to: NaiveDate,
) -> R<HashMap<(NaiveDate, Currency), u64>> {
    counts(db, Query::with(DECLINED, values![from, to])).await
}

const DECLINED_OF: &str = "select settled_on as day, currency, count(*) as n from attempt \
     where provider = ? and state = 'declined' and kind = 'charge' and settled_on >= ? and settled_on <= ? \
     group by settled_on, currency";

/// The same of charges that one provider was asked for.
pub(super) async fn declined_of(
    db: &SqlStore,
    provider: ProviderName,
    from: NaiveDate,
    to: NaiveDate,
) -> R<HashMap<(NaiveDate, Currency), u64>> {
    counts(
        db,
        Query::with(DECLINED_OF, values![provider.as_str(), from, to]),
    )
    .await
}

/// Subscriptions whose first term began on each day, per currency. What never became active has not
/// begun.
pub(super) async fn began(
    db: &SqlStore,
    days: &[LocalDay],
) -> R<HashMap<(NaiveDate, Currency), u64>> {
    let mut counted = HashMap::new();
    // A statement takes a bounded number of values.
    for some in days.chunks(200) {
        let mut query = with_days(some);
        query.add(
            "select d.day, n.currency, cast(sum(n.subscriptions) as bigint) as n from d \
             cross join tally_turnover n where n.at >= d.from_at and n.at < d.to_at and n.what = 'began' \
             group by d.day, n.currency",
            [],
        );
        counted.extend(counts(db, query).await?);
    }
    Ok(counted)
}

/// Begins a statement with a table `d (day, from_at, to_at)`. No days make an empty one.
pub(super) fn with_days(days: &[LocalDay]) -> Query {
    let mut query = Query::new("with d (day, from_at, to_at) as (");
    if days.is_empty() {
        query.add("select '', 0, 0 where 1 = 0", []);
    } else {
        query.add("values ", []);
    }
    for (at, day) in days.iter().enumerate() {
        if at > 0 {
            query.add(", ", []);
        }
        query.add_list([
            Value::from(day.date),
            Value::from(day.from),
            Value::from(day.to),
        ]);
    }
    query.add(") ", []);
    query
}

async fn counts(db: &SqlStore, query: Query) -> R<HashMap<(NaiveDate, Currency), u64>> {
    let rows = db.fetch(query).await?;
    rows.iter()
        .map(|row| {
            let cells = row.counts("day");
            let currency = cells.word("currency", |code| Currency::parse(code).ok())?;
            Ok(((cells.day("day")?, currency), cells.count("n")?))
        })
        .collect()
}
