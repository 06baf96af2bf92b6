//! `report`: revenue by day, month or plan, and one month's MRR with its movements.

use chrono::{Datelike as _, Days, Months, NaiveDate};

use crate::cli::args::{MrrArgs, RevenueArgs, RevenueBy};
use crate::cli::error::CliError;
use crate::cli::open::Opened;
use crate::cli::output::Output;
use crate::cli::record::Record;
use crate::cli::records::{self, report_columns};
use crate::cli::table::Table;
use crate::domain::operator::Access;
use crate::engine::ports::Clock as _;
use crate::engine::queries::{Reads as _, mrr_report};

/// Days whose figures are computed again at a time.
const REFRESHED: u32 = 64;

pub async fn revenue(
    out: &mut Output,
    opened: &Opened,
    args: &RevenueArgs,
) -> Result<(), CliError> {
    refresh(opened).await?;
    let today = today(out, opened);
    let to = args.to.unwrap_or(today);
    let from = match args.from {
        Some(from) => from,
        None => usual_start(to, args.by),
    };
    if from > to {
        return Err(CliError::Input {
            what: "--from",
            typed: from.to_string(),
            reason: format!("it is later than {to}"),
        });
    }
    if args.by == RevenueBy::Provider {
        let providers = opened.store.revenue_by_provider(from, to).await?;
        let rows: Vec<Record> = providers.iter().map(records::provider_revenue).collect();
        return Ok(out.rows(&mut Table::new(report_columns::PROVIDERS), &rows)?);
    }
    let report = opened.store.revenue(from, to).await?;
    let (columns, rows): (&'static [&'static str], Vec<Record>) = match args.by {
        RevenueBy::Day => (
            report_columns::DAYS,
            report.days.iter().map(records::day_figure).collect(),
        ),
        RevenueBy::Month => (
            report_columns::MONTHS,
            report.months.iter().map(records::month_figure).collect(),
        ),
        RevenueBy::Plan | RevenueBy::Provider => (
            report_columns::PLANS,
            report.plans.iter().map(records::plan_revenue).collect(),
        ),
    };
    Ok(out.rows(&mut Table::new(columns), &rows)?)
}

/// Thirty days, or by month a whole year.
fn usual_start(to: NaiveDate, by: RevenueBy) -> NaiveDate {
    let start = match by {
        RevenueBy::Day | RevenueBy::Plan | RevenueBy::Provider => {
            to.checked_sub_days(Days::new(29))
        }
        RevenueBy::Month => to
            .with_day(1)
            .and_then(|first| first.checked_sub_months(Months::new(11))),
    };
    start.unwrap_or(to)
}

/// Figures of days that late events touched are computed again before they are shown.
async fn refresh(opened: &Opened) -> Result<(), CliError> {
    if opened.operator.access == Access::ReadOnly {
        return Ok(());
    }
    while opened.store.refresh_figures(REFRESHED).await? > 0 {}
    Ok(())
}

fn today(out: &Output, opened: &Opened) -> NaiveDate {
    out.view.local_day(opened.clock.now())
}

/// One object per currency.
pub async fn mrr(out: &mut Output, opened: &Opened, args: &MrrArgs) -> Result<(), CliError> {
    let today = today(out, opened);
    let month = args
        .month
        .unwrap_or_else(|| today.with_day(1).unwrap_or(today));
    if month > today {
        return Err(CliError::Input {
            what: "report mrr",
            typed: month.format("%Y-%m").to_string(),
            reason: format!("it has not begun; today is {today}"),
        });
    }
    for report in mrr_report(&opened.store, month, out.view.zone).await? {
        out.record(&records::mrr(&report, month))?;
    }
    Ok(())
}
