//! The figures of the first screen.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::days::{self, Sums, Taking};
use super::query::{Query, values};
use super::standing::{self, Standing};
use super::{plans, renewals};
use crate::domain::failure::FailureClass;
use crate::domain::money::{Currency, Money};
use crate::engine::ports::StoreError;
use crate::engine::queries::{CodeFigure, DayFigure, Health, LocalDay, Overview, Window};
use crate::store::open::SqlStore;
use crate::store::sql::{Row, Stmt, args};

type R<T> = Result<T, StoreError>;

const SHOWN_PLANS: u32 = 12;

const DECLINED: &str = "select count(*) as n, count(distinct invoice_id) as invoices from attempt \
     where state = 'declined' and kind = 'charge' and settled_on >= ? and settled_on <= ?";
const RECOVERED: &str = "select count(*) as n from (select distinct invoice_id from attempt \
     where state = 'declined' and kind = 'charge' and settled_on >= ? and settled_on <= ?) f \
     join invoice i on i.id = f.invoice_id where i.state = 'paid'";
const SUCCEEDED: &str = "select count(*) as n from attempt \
     where state = 'succeeded' and kind = 'charge' and settled_on >= ? and settled_on <= ?";
const CODES: &str = "select refusal_code, refusal_class, count(*) as n from attempt \
     where state = 'declined' and kind = 'charge' and settled_on >= ? and settled_on <= ? \
     and refusal_code is not null \
     group by refusal_code, refusal_class order by count(*) desc, refusal_code limit 8";
const UNKNOWN: &str = "select count(*) as n, min(first_sent_at) as oldest from attempt \
     where state in ('sent', 'unknown')";
/// Calls are dated by the database's own clock, so "the last hour" is too.
const HOUR_AGO: Stmt = Stmt::split(
    "select cast((unixepoch('subsec') - 3600) * 1000000 as integer) as n",
    "select ((extract(epoch from clock_timestamp()) - 3600) * 1000000)::bigint as n",
);
const CALLS: &str = "select count(*) as n, \
     count(case when outcome in ('timed_out', 'broken', 'server_error', 'unreadable', 'mismatch', 'not_sent', 'throttled') then 1 end) as troubled \
     from evidence where at >= ? and source in ('answer', 'look_up', 'reconciliation')";
const SLOWEST: &str = "select elapsed_ms as n from evidence \
     where at >= ? and source in ('answer', 'look_up', 'reconciliation') \
     order by elapsed_ms desc limit 1 offset ?";

/// The first and the last date of the window; none when it has no days.
fn bounds(days: &[LocalDay]) -> Option<(LocalDay, LocalDay)> {
    Some((*days.first()?, *days.last()?))
}

pub(super) async fn overview(db: &SqlStore, window: &Window) -> R<Overview> {
    let standing = Standing::read(db).await?;
    let (from, to) = if let Some((first, last)) = bounds(&window.days) {
        (first.date, last.date)
    } else {
        // From a day to the day before it: nothing.
        let today = window.now.date_naive();
        (today, today.pred_opt().unwrap_or(NaiveDate::MIN))
    };
    let takings = days::takings(db, from, to).await?;
    let (mut gross, mut refunds, mut net) = (Sums::default(), Sums::default(), Sums::default());
    for taking in &takings {
        gross.add(taking.captured)?;
        refunds.add(taking.refunded)?;
        net.add(taking.captured)?;
        let back = Money::zero(taking.refunded.currency()).checked_sub(taking.refunded);
        net.add(back.map_err(days::too_large)?)?;
    }
    let mrr = standing::rounded(&standing.mrr)?;
    let main = gross
        .largest()
        .or_else(|| mrr.iter().max_by_key(|m| m.minor()).map(|m| m.currency()))
        .unwrap_or(Currency::KRW);
    let attempts = Attempts::read(db, from, to).await?;
    let (new, ended) = match bounds(&window.days) {
        Some((first, last)) => {
            let (from, to) = (first.from.timestamp_micros(), last.to.timestamp_micros());
            (
                standing::began(db, from, to).await?,
                standing::ended(db, from, to).await?,
            )
        }
        None => (0, 0),
    };
    Ok(Overview {
        active: standing.active,
        past_due: standing.past_due,
        trialing: standing.trialing,
        at_risk: standing::rounded(&standing.at_risk)?,
        mrr,
        gross: gross.into_vec(),
        refunds: refunds.into_vec(),
        net: net.into_vec(),
        new,
        ended,
        failed_attempts: attempts.declined,
        failed_invoices: attempts.invoices,
        recovered_invoices: attempts.recovered,
        succeeded_attempts: attempts.succeeded,
        unknown: attempts.unknown,
        oldest_unknown_at: attempts.oldest_unknown_at,
        days: day_figures(db, window, &takings, main).await?,
        renewals: renewals::days(db, &window.week_ahead).await?,
        codes: attempts.codes,
        plans: plans::by_mrr(db, &standing, SHOWN_PLANS).await?,
        health: health(db).await?,
    })
}

/// What attempts say about the window.
struct Attempts {
    declined: u64,
    invoices: u64,
    recovered: u64,
    succeeded: u64,
    unknown: u64,
    oldest_unknown_at: Option<chrono::DateTime<chrono::Utc>>,
    codes: Vec<CodeFigure>,
}

impl Attempts {
    async fn read(db: &SqlStore, from: NaiveDate, to: NaiveDate) -> R<Self> {
        let of_window = |sql| Query::with(sql, values![from, to]);
        let declined = only(db.fetch_first(of_window(DECLINED)).await?)?;
        let unknown = only(db.fetch_first(Query::new(UNKNOWN)).await?)?;
        let unknown = unknown.counts("attempt");
        let codes = db.fetch(of_window(CODES)).await?;
        Ok(Self {
            declined: declined.counts("attempt").count("n")?,
            invoices: declined.counts("attempt").count("invoices")?,
            recovered: count(db, of_window(RECOVERED)).await?,
            succeeded: count(db, of_window(SUCCEEDED)).await?,
            unknown: unknown.count("n")?,
            oldest_unknown_at: unknown.opt_at("oldest")?,
            codes: codes.iter().map(code).collect::<R<_>>()?,
        })
    }
}

fn only(row: Option<Row>) -> R<Row> {
    row.ok_or_else(|| StoreError::Other("a count gave no row".into()))
}

async fn count(db: &SqlStore, query: Query) -> R<u64> {
    let counted = db.fetch_number(query).await?;
    Ok(u64::try_from(counted).unwrap_or(0))
}

fn code(row: &Row) -> R<CodeFigure> {
    let cells = row.counts("attempt");
    let class = cells.opt_word("refusal_class", FailureClass::parse)?;
    Ok(CodeFigure {
        code: cells.text("refusal_code")?,
        class: class.unwrap_or(FailureClass::Unclassified),
        count: cells.count("n")?,
    })
}

/// One row for every day of the window, in the main currency.
async fn day_figures(
    db: &SqlStore,
    window: &Window,
    takings: &[Taking],
    main: Currency,
) -> R<Vec<DayFigure>> {
    let Some((first, last)) = bounds(&window.days) else {
        return Ok(Vec::new());
    };
    let declined = days::declined(db, first.date, last.date).await?;
    let began = days::began(db, &window.days).await?;
    let taken = by_day(takings)?;
    let before = match (window.year_ago.iter().min(), window.year_ago.iter().max()) {
        (Some(from), Some(to)) => by_day(&days::takings(db, *from, *to).await?)?,
        _ => HashMap::new(),
    };
    let years = window.year_ago.iter().map(Some);
    Ok(window
        .days
        .iter()
        .zip(years.chain(std::iter::repeat(None)))
        .map(|(day, year_ago)| {
            let of_day = taken.get(&day.date).cloned().unwrap_or_default();
            let a_year_ago = year_ago.and_then(|date| before.get(date));
            DayFigure {
                date: day.date,
                captured: of_day.captured.of(main),
                refunded: of_day.refunded.of(main),
                payments: of_day.payments.get(&main).copied().unwrap_or(0),
                declined: declined.get(&(day.date, main)).copied().unwrap_or(0),
                new: began.get(&(day.date, main)).copied().unwrap_or(0),
                year_ago: a_year_ago.map_or(Money::zero(main), |sums| sums.captured.of(main)),
            }
        })
        .collect())
}

#[derive(Debug, Default, Clone)]
struct OfDay {
    captured: Sums,
    refunded: Sums,
    payments: HashMap<Currency, u64>,
}

fn by_day(takings: &[Taking]) -> R<HashMap<NaiveDate, OfDay>> {
    let mut by_day: HashMap<NaiveDate, OfDay> = HashMap::new();
    for taking in takings {
        let of_day = by_day.entry(taking.day).or_default();
        of_day.captured.add(taking.captured)?;
        of_day.refunded.add(taking.refunded)?;
        *of_day
            .payments
            .entry(taking.captured.currency())
            .or_default() += taking.payments;
    }
    Ok(by_day)
}

/// What the calls of the last hour were like. Percentiles are picked from the slow end, so that the
/// larger one looks at few rows.
async fn health(db: &SqlStore) -> R<Health> {
    let since = only(db.rows(&HOUR_AGO, args![]).await?.into_iter().next())?;
    let since = since.counts("clock").i64("n")?;
    let calls = only(db.fetch_first(Query::with(CALLS, values![since])).await?)?;
    let calls = calls.counts("evidence");
    let mut health = Health {
        calls: calls.count("n")?,
        troubled: calls.count("troubled")?,
        p50_ms: None,
        p95_ms: None,
    };
    let total = calls.i64("n")?;
    if total > 0 {
        health.p50_ms = Some(slowest_but(db, since, total / 2).await?);
        health.p95_ms = Some(slowest_but(db, since, total / 20).await?);
    }
    Ok(health)
}

async fn slowest_but(db: &SqlStore, since: i64, slower: i64) -> R<u64> {
    count(db, Query::with(SLOWEST, values![since, slower])).await
}
