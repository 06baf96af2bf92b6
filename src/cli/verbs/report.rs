//! `report`: revenue by day, month, plan or provider, one month's MRR with its movements, and what providers kept.

use chrono::{Datelike as _, Days, Months, NaiveDate};

use crate::cli::args::{FeesArgs, MrrArgs, ProviderArg, RevenueArgs, RevenueBy};
use crate::cli::error::CliError;
use crate::cli::open::Opened;
use crate::cli::output::{Format, Output};
use crate::cli::record::Record;
use crate::cli::records::{self, report_columns};
use crate::cli::table::Table;
use crate::domain::mode::ProviderName;
use crate::domain::operator::Access;
use crate::engine::ports::Clock as _;
use crate::engine::queries::{Reads as _, RevenueReport, mrr_report};

/// Days whose figures are computed again at a time.
const REFRESHED: u32 = 64;
/// Rows of a balance read at a time.
const ENTRIES: u32 = 1_000;

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
    check_days(from, to)?;
    let only = args.provider.map(ProviderArg::name);
    if args.by == RevenueBy::Provider {
        let mut providers = opened.store.revenue_by_provider(from, to).await?;
        providers.retain(|one| only.is_none_or(|only| one.provider == only));
        let rows: Vec<Record> = providers.iter().map(records::provider_revenue).collect();
        return Ok(out.rows(&mut Table::new(report_columns::PROVIDERS), &rows)?);
    }
    let Some(only) = only else {
        let report = opened.store.revenue(from, to).await?;
        let (columns, rows) = told(&report, args.by);
        return Ok(out.rows(&mut Table::new(columns), &rows)?);
    };
    let report = opened.store.revenue_of(only, from, to).await?;
    let (columns, rows) = match args.by {
        // Who is new is nobody's: a subscription is charged wherever its card is.
        RevenueBy::Day => (
            report_columns::DAYS_OF,
            report.days.iter().map(records::day_figure_of).collect(),
        ),
        by => told(&report, by),
    };
    let of = |row: Record| row.marked("provider", "provider", only.as_str());
    let rows: Vec<Record> = rows.into_iter().map(of).collect();
    Ok(out.rows(&mut Table::new(columns), &rows)?)
}

fn told(report: &RevenueReport, by: RevenueBy) -> (&'static [&'static str], Vec<Record>) {
    match by {
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
    }
}

fn check_days(from: NaiveDate, to: NaiveDate) -> Result<(), CliError> {
    if from <= to {
        return Ok(());
    }
    Err(CliError::Input {
        what: "--from",
        typed: from.to_string(),
        reason: format!("it is later than {to}"),
    })
}

/// What providers kept, as far as they tell; or the rows of their balances.
pub async fn fees(out: &mut Output, opened: &Opened, args: &FeesArgs) -> Result<(), CliError> {
    let to = args.to.unwrap_or_else(|| today(out, opened));
    let from = args.from.unwrap_or_else(|| usual_start(to, RevenueBy::Day));
    check_days(from, to)?;
    let only = args.provider.map(ProviderArg::name);
    if args.entries {
        return fee_entries(out, opened, (from, to), only).await;
    }
    let mut figures = opened.store.fee_figures(from, to).await?;
    figures.retain(|one| only.is_none_or(|only| one.provider == only));
    let rows: Vec<Record> = figures.iter().map(records::fee_figure).collect();
    out.rows(&mut Table::new(report_columns::FEES), &rows)?;
    if figures.iter().any(|one| one.unknown > 0) {
        out.say(out.view.locale.t("cli.fees.not_known"))?;
    }
    Ok(())
}

async fn fee_entries(
    out: &mut Output,
    opened: &Opened,
    days: (NaiveDate, NaiveDate),
    only: Option<ProviderName>,
) -> Result<(), CliError> {
    let mut table = Table::new(report_columns::FEE_ENTRIES);
    let mut after = 0;
    loop {
        let page = opened.store.fee_rows(days, after, ENTRIES).await?;
        let shown = page.iter();
        let shown = shown.filter(|row| only.is_none_or(|only| row.provider == only));
        let rows: Vec<Record> = shown.map(records::fee_entry).collect();
        if out.format == Format::Json || after == 0 || !rows.is_empty() {
            out.rows(&mut table, &rows)?;
        }
        match page.last() {
            Some(last) => after = last.id,
            None => return Ok(()),
        }
    }
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
    if let Some(provider) = args.provider {
        return Err(CliError::Input {
            what: "report mrr --provider",
            typed: provider.name().as_str().to_owned(),
            reason: out.view.locale.t("cli.mrr.no_provider").to_owned(),
        });
    }
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
