//! Revenue by day, month and plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Datelike, Days, Months, NaiveDate};

use super::days::{self, Taking, too_large};
use super::query::{Query, values};
use crate::domain::ids::PlanId;
use crate::domain::mode::ProviderName;
use crate::domain::money::{Currency, Money};
use crate::domain::period::day_start;
use crate::engine::ports::StoreError;
use crate::engine::queries::{
    DayFigure, LocalDay, MonthFigure, PlanRevenue, ProviderRevenue, RevenueReport,
};
use crate::store::open::SqlStore;

type R<T> = Result<T, StoreError>;

/// What is added up under a key.
#[derive(Debug, Clone, Copy)]
struct Total {
    captured: Money,
    payments: u64,
    refunded: Money,
    refunds: u64,
}

impl Total {
    const fn zero(currency: Currency) -> Self {
        Self {
            captured: Money::zero(currency),
            payments: 0,
            refunded: Money::zero(currency),
            refunds: 0,
        }
    }

    fn add(&mut self, taking: &Taking) -> R<()> {
        let captured = self.captured.checked_add(taking.captured);
        self.captured = captured.map_err(too_large)?;
        let refunded = self.refunded.checked_add(taking.refunded);
        self.refunded = refunded.map_err(too_large)?;
        self.payments += taking.payments;
        self.refunds += taking.refunds;
        Ok(())
    }
}

fn total<K: Ord>(
    takings: &[Taking],
    key: impl Fn(&Taking) -> K,
) -> R<BTreeMap<(K, Currency), Total>> {
    let mut totals = BTreeMap::new();
    for taking in takings {
        let currency = taking.captured.currency();
        totals
            .entry((key(taking), currency))
            .or_insert(Total::zero(currency))
            .add(taking)?;
    }
    Ok(totals)
}

/// The same date a year before; of a leap day, the last of February.
fn year_before(day: NaiveDate) -> Option<NaiveDate> {
    day.checked_sub_months(Months::new(12))
}

/// Revenue of `[from, to]`.
pub(super) async fn report(db: &SqlStore, from: NaiveDate, to: NaiveDate) -> R<RevenueReport> {
    let takings = days::takings(db, from, to).await?;
    let figures = day_figures(db, &takings, from, to).await?;
    put_together(db, figures, &takings).await
}

/// The same of what came in through one provider, from the rows themselves. A refund belongs to its payment's provider. New
/// subscriptions are nobody's: none is counted.
pub(super) async fn of_provider(
    db: &SqlStore,
    provider: ProviderName,
    from: NaiveDate,
    to: NaiveDate,
) -> R<RevenueReport> {
    let takings = days::takings_of(db, provider, from, to).await?;
    let before = match (year_before(from), year_before(to)) {
        (Some(from), Some(to)) => days::takings_of(db, provider, from, to).await?,
        _ => Vec::new(),
    };
    let figures = Happened {
        taken: total(&takings, |taking| taking.day)?,
        declined: days::declined_of(db, provider, from, to).await?,
        began: HashMap::new(),
        year_ago: total(&before, |taking| taking.day)?,
    };
    put_together(db, figures.rows(), &takings).await
}

async fn put_together(db: &SqlStore, days: Vec<DayFigure>, takings: &[Taking]) -> R<RevenueReport> {
    let months = total(takings, |taking| {
        taking.day.with_day(1).unwrap_or(taking.day)
    })?;
    let plans = total(takings, |taking| taking.plan_id)?;
    Ok(RevenueReport {
        days,
        months: months
            .into_iter()
            .map(|((month, _), total)| {
                let net = total.captured.checked_sub(total.refunded);
                Ok(MonthFigure {
                    month,
                    gross: total.captured,
                    refunds: total.refunded,
                    net: net.map_err(too_large)?,
                    payments: total.payments,
                    refund_count: total.refunds,
                })
            })
            .collect::<R<_>>()?,
        plans: plan_figures(db, plans).await?,
    })
}

const BY_PROVIDER: &str = "select provider, currency, cast(sum(captured) as bigint) as captured_minor, \
     cast(sum(payments) as bigint) as payments, cast(sum(refunded) as bigint) as refunded_minor, \
     cast(sum(refunds) as bigint) as refunds from ( \
     select p.provider, p.currency, p.captured_minor as captured, 1 as payments, 0 as refunded, 0 as refunds \
     from payment p where p.captured_on >= ? and p.captured_on <= ? \
     union all select p.provider, r.currency, 0, 0, r.amount_minor, 1 \
     from refund r join payment p on p.id = r.payment_id where r.refunded_on >= ? and r.refunded_on <= ? \
     union all select p.provider, r.currency, 0, 0, 0 - r.amount_minor, 0 \
     from refund_reversal v join refund r on r.id = v.refund_id join payment p on p.id = r.payment_id \
     where v.reversed_on >= ? and v.reversed_on <= ?) taking \
     group by provider, currency order by provider, currency";

/// Revenue of `[from, to]` by provider and currency.
pub(super) async fn by_provider(
    db: &SqlStore,
    from: NaiveDate,
    to: NaiveDate,
) -> R<Vec<ProviderRevenue>> {
    let query = Query::with(BY_PROVIDER, values![from, to, from, to, from, to]);
    let rows = db.fetch(query).await?;
    rows.iter()
        .map(|row| {
            let cells = row.counts("payment");
            let (gross, refunds) = (
                cells.money("captured_minor")?,
                cells.money("refunded_minor")?,
            );
            Ok(ProviderRevenue {
                provider: cells.word("provider", ProviderName::parse)?,
                gross,
                refunds,
                net: gross.checked_sub(refunds).map_err(too_large)?,
                payments: cells.count("payments")?,
                refund_count: cells.count("refunds")?,
            })
        })
        .collect()
}

/// One row for every day and currency in which anything happened.
async fn day_figures(
    db: &SqlStore,
    takings: &[Taking],
    from: NaiveDate,
    to: NaiveDate,
) -> R<Vec<DayFigure>> {
    let year_ago = match (year_before(from), year_before(to)) {
        (Some(from), Some(to)) => total(&days::takings(db, from, to).await?, |t| t.day)?,
        _ => BTreeMap::new(),
    };
    let figures = Happened {
        taken: total(takings, |taking| taking.day)?,
        declined: days::declined(db, from, to).await?,
        began: days::began(db, &local_days(db, from, to)).await?,
        year_ago,
    };
    Ok(figures.rows())
}

/// What happened on each day, by currency.
struct Happened {
    taken: BTreeMap<(NaiveDate, Currency), Total>,
    declined: HashMap<(NaiveDate, Currency), u64>,
    began: HashMap<(NaiveDate, Currency), u64>,
    /// By its own date, a year before.
    year_ago: BTreeMap<(NaiveDate, Currency), Total>,
}

impl Happened {
    fn rows(&self) -> Vec<DayFigure> {
        let keys: BTreeSet<(NaiveDate, Currency)> = self
            .taken
            .keys()
            .chain(self.declined.keys())
            .chain(self.began.keys())
            .copied()
            .collect();
        keys.into_iter().map(|key| self.row(key)).collect()
    }

    fn row(&self, key: (NaiveDate, Currency)) -> DayFigure {
        let (date, currency) = key;
        let of_day = self.taken.get(&key).copied();
        let of_day = of_day.unwrap_or(Total::zero(currency));
        let before = year_before(date).and_then(|date| self.year_ago.get(&(date, currency)));
        DayFigure {
            date,
            captured: of_day.captured,
            refunded: of_day.refunded,
            payments: of_day.payments,
            declined: self.declined.get(&key).copied().unwrap_or(0),
            new: self.began.get(&key).copied().unwrap_or(0),
            year_ago: before.map_or(Money::zero(currency), |total| total.captured),
        }
    }
}

fn local_days(db: &SqlStore, from: NaiveDate, to: NaiveDate) -> Vec<LocalDay> {
    let zone = db.zone();
    from.iter_days()
        .take_while(|date| *date <= to)
        .filter_map(|date| {
            let next = date.checked_add_days(Days::new(1))?;
            Some(LocalDay {
                date,
                from: day_start(date, zone),
                to: day_start(next, zone),
            })
        })
        .collect()
}

async fn plan_figures(
    db: &SqlStore,
    totals: BTreeMap<(Option<PlanId>, Currency), Total>,
) -> R<Vec<PlanRevenue>> {
    let mut names = HashMap::new();
    for row in db
        .fetch(Query::new("select id, name from plan order by id"))
        .await?
    {
        let cells = row.cells("plan")?;
        names.insert(PlanId(cells.i64("id")?), cells.text("name")?);
    }
    let mut plans: Vec<PlanRevenue> = totals
        .into_iter()
        .map(|((plan_id, _), total)| PlanRevenue {
            plan_id,
            name: plan_id
                .and_then(|id| names.get(&id).cloned())
                .unwrap_or_default(),
            gross: total.captured,
            refunds: total.refunded,
            payments: total.payments,
        })
        .collect();
    plans.sort_by_key(|plan| {
        (
            plan.gross.currency(),
            std::cmp::Reverse(plan.gross.minor()),
            plan.plan_id,
        )
    });
    Ok(plans)
}
