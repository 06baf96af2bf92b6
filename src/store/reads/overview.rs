//! The figures of the first screen, from daily figures and tallies: as many rows at any size.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::days::{self, Sums, Taking};
use super::query::{Query, values};
use super::standing::{self, Standing};
use super::{health, plans, renewals, waiting};
use crate::domain::failure::FailureClass;
use crate::domain::money::{Currency, Money};
use crate::engine::ports::StoreError;
use crate::engine::queries::{CodeFigure, DayFigure, LocalDay, Overview, Window};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

const SHOWN_PLANS: u32 = 12;

/// Each a number of its own: one statement, one moment. An invoice counts on the first of its days in
/// the window, which is the one whose decline before lies outside.
const NUMBERS: &str = "select \
     (select cast(coalesce(sum(invoices), 0) as bigint) from tally_failure \
      where day >= ? and day <= ? and before < ?) as failed_invoices, \
     (select cast(coalesce(sum(invoices), 0) as bigint) from tally_failure \
      where day >= ? and day <= ? and before < ? and is_paid = 1) as recovered_invoices, \
     (select cast(coalesce(sum(subscriptions), 0) as bigint) from tally_turnover \
      where at >= ? and at < ? and what = 'ended') as ended, \
     (select count(*) from payment where is_duplicate = 1 and captured_at >= ? and captured_at < ?) as duplicates, \
     (select count(*) from attempt where state in ('sent', 'unknown') \
      and (state = 'unknown' or coalesce(lease_until, 0) <= ?)) as unknown, \
     (select min(first_sent_at) from attempt where state in ('sent', 'unknown') \
      and (state = 'unknown' or coalesce(lease_until, 0) <= ?)) as oldest";
const CODES: &str = "select class, code, cast(sum(attempts) as bigint) as n from tally_decline \
     where day >= ? and day <= ? and code <> '' group by code, class having sum(attempts) <> 0 \
     order by sum(attempts) desc, code limit 8";

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
    let payments: u64 = takings.iter().map(|taking| taking.payments).sum();
    let declined = days::declined(db, from, to).await?;
    let began = days::began(db, &window.days).await?;
    let codes = Query::with(CODES, values![from, to]);
    let numbers = numbers(db, window, from, to).await?;
    let numbers = numbers.counts("overview");
    Ok(Overview {
        active: standing.active,
        past_due: standing.past_due,
        trialing: standing.trialing,
        at_risk: standing::rounded(&standing.at_risk)?,
        mrr,
        gross: gross.into_vec(),
        refunds: refunds.into_vec(),
        net: net.into_vec(),
        new: began.values().sum(),
        ended: numbers.count("ended")?,
        failed_attempts: declined.values().sum(),
        failed_invoices: numbers.count("failed_invoices")?,
        recovered_invoices: numbers.count("recovered_invoices")?,
        succeeded_attempts: payments.saturating_sub(numbers.count("duplicates")?),
        unknown: numbers.count("unknown")?,
        oldest_unknown_at: numbers.opt_at("oldest")?,
        waiting: waiting::count(db).await?,
        days: day_figures(db, window, &takings, (&declined, &began), main).await?,
        renewals: renewals::days(db, &window.week_ahead).await?,
        codes: db.fetch(codes).await?.iter().map(code).collect::<R<_>>()?,
        plans: plans::by_mrr(db, &standing, SHOWN_PLANS).await?,
        health: health::of_the_last_hour(db).await?,
    })
}

async fn numbers(db: &SqlStore, window: &Window, from: NaiveDate, to: NaiveDate) -> R<Row> {
    let (first, last) = bounds(&window.days).map_or((window.now, window.now), |(first, last)| {
        (first.from, last.to)
    });
    // A call whose answer is still waited for is not unknown.
    let now = super::clock::now(db).await?;
    let query = Query::with(
        NUMBERS,
        values![
            from, to, from, from, to, from, first, last, first, last, now, now
        ],
    );
    db.fetch_first(query)
        .await?
        .ok_or_else(|| StoreError::Other("the numbers gave no row".into()))
}

fn code(row: &Row) -> R<CodeFigure> {
    let cells = row.counts("tally_decline");
    let class = FailureClass::parse(cells.str("class")?);
    Ok(CodeFigure {
        code: cells.text("code")?,
        class: class.unwrap_or(FailureClass::Unclassified),
        count: cells.count("n")?,
    })
}

type PerDay = HashMap<(NaiveDate, Currency), u64>;

/// One row for every day of the window, in the main currency.
async fn day_figures(
    db: &SqlStore,
    window: &Window,
    takings: &[Taking],
    (declined, began): (&PerDay, &PerDay),
    main: Currency,
) -> R<Vec<DayFigure>> {
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
