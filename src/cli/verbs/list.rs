//! `list`: any list, a page or all of it, and the paging that `export` shares.

use chrono::{DateTime, NaiveDate, Utc};

use crate::cli::args::{ListKind, Moment, PageArgs, ProviderArg, SortArg};
use crate::cli::error::CliError;
use crate::cli::output::{Format, Output};
use crate::cli::record::Record;
use crate::cli::records::{self, columns};
use crate::cli::table::Table;
use crate::cli::view::View;
use crate::domain::mode::Mode;
use crate::domain::period::day_start;
use crate::engine::queries::{
    Counting, Cursor, Filter, ListQuery, Order, Page, Reads, SortBy, Toward,
};

/// Rows read at a time: memory stays the same however long the list is.
const PAGE: u32 = 1_000;

/// What a list is asked for, with the page to begin with.
pub fn query(page: &PageArgs, customer: Option<i64>, view: &View) -> Result<ListQuery, CliError> {
    let sort = page.sort.map(|column| {
        let by = match column {
            SortArg::Time => SortBy::Time,
            SortArg::Amount => SortBy::Amount,
            SortArg::Name => SortBy::Name,
            SortArg::State => SortBy::State,
        };
        (
            by,
            if page.desc {
                Order::Descending
            } else {
                Order::Ascending
            },
        )
    });
    Ok(ListQuery {
        filter: Filter::parse(&ProviderArg::and(page.provider, &page.filter))?,
        sort,
        cursor: None,
        at: None,
        toward: Toward::Later,
        counting: Counting::Along,
        limit: if page.all { PAGE } else { page.limit },
        from: page.from.map(|from| instant(from, view)),
        to: page.to.map(|to| instant(to, view)),
        customer,
    })
}

/// A local day begins at midnight in the billing zone.
pub fn instant(moment: Moment, view: &View) -> DateTime<Utc> {
    match moment {
        Moment::At(at) => at,
        Moment::Day(day) => midnight(day, view),
    }
}

/// The first instant of a local day.
pub fn midnight(day: NaiveDate, view: &View) -> DateTime<Utc> {
    day_start(day, view.zone)
}

/// The columns people see.
pub const fn shown_columns(list: ListKind) -> &'static [&'static str] {
    match list {
        ListKind::Customers => columns::CUSTOMERS,
        ListKind::Subscriptions => columns::SUBSCRIPTIONS,
        ListKind::Renewals => columns::RENEWALS,
        ListKind::Failed => columns::FAILED,
        ListKind::Payments => columns::PAYMENTS,
        ListKind::Plans => columns::PLANS,
        ListKind::Unknown => columns::UNKNOWN,
        ListKind::Wishes => columns::WISHES,
        ListKind::Runs => columns::RUNS,
        ListKind::Events => columns::EVENTS,
        ListKind::Activity => columns::ACTIVITY,
    }
}

/// A page of records and where the next one begins.
pub struct Read {
    pub records: Vec<Record>,
    pub next: Option<Cursor>,
    pub total: Option<u64>,
}

fn read<T>(page: &Page<T>, record: impl Fn(&T) -> Record) -> Read {
    let next = if page.has_more {
        page.cursors.last().cloned()
    } else {
        None
    };
    Read {
        records: page.rows.iter().map(record).collect(),
        next,
        total: page.total,
    }
}

/// One page of any list.
pub async fn page<R: Reads>(
    reads: &R,
    list: ListKind,
    query: &ListQuery,
    view: &View,
    mode: Mode,
) -> Result<Read, CliError> {
    let mut read = unmarked(reads, list, query, view).await?;
    // I01: nobody may take rows of a simulation for live ones, wherever they were carried.
    read.records = read
        .records
        .into_iter()
        .map(|record| record.marked("mode", "mode", mode.as_str()))
        .collect();
    Ok(read)
}

async fn unmarked<R: Reads>(
    reads: &R,
    list: ListKind,
    query: &ListQuery,
    view: &View,
) -> Result<Read, CliError> {
    Ok(match list {
        ListKind::Customers => read(&reads.customers(query).await?, |row| {
            records::customer_row(row, view)
        }),
        ListKind::Subscriptions => read(
            &reads.subscriptions(query).await?,
            records::subscription_row,
        ),
        ListKind::Renewals => read(&reads.renewals(query).await?, records::subscription_row),
        ListKind::Failed => read(&reads.failed(query).await?, records::failed_row),
        ListKind::Payments => read(&reads.payments(query).await?, records::payment_row),
        ListKind::Plans => read(&reads.plans(query).await?, records::plan_row),
        ListKind::Unknown => read(&reads.unknowns(query).await?, records::unknown_row),
        ListKind::Wishes => read(&reads.wishes(query).await?, records::wish_row),
        ListKind::Runs => read(&reads.runs(query).await?, records::run_row),
        ListKind::Events => read(&reads.events(query).await?, records::event_row),
        ListKind::Activity => read(&reads.activity(query).await?, records::activity_row),
    })
}

/// Prints a list: so many rows, or all of them page by page.
pub async fn run<R: Reads>(
    out: &mut Output,
    reads: &R,
    list: ListKind,
    page_args: &PageArgs,
    mut query: ListQuery,
    mode: Mode,
) -> Result<(), CliError> {
    let view = out.view;
    let mut table = Table::new(shown_columns(list));
    let mut printed = 0_usize;
    loop {
        let read = page(reads, list, &query, &view, mode).await?;
        printed += read.records.len();
        out.rows(&mut table, &read.records)?;
        match read.next {
            Some(next) if page_args.all => query.cursor = Some(next),
            rest => {
                tell_the_rest(out, printed, rest.is_some(), read.total)?;
                return Ok(());
            }
        }
    }
}

/// Beside the rows, how many there are; never among them.
fn tell_the_rest(
    out: &mut Output,
    printed: usize,
    has_more: bool,
    total: Option<u64>,
) -> Result<(), CliError> {
    if out.format == Format::Json && !has_more {
        return Ok(());
    }
    let shown = printed.to_string();
    let locale = out.view.locale;
    let text = match (has_more, total) {
        (true, Some(total)) => {
            let total = locale.count(i64::try_from(total).unwrap_or(i64::MAX));
            locale.t_args("cli.list.some_of", &[("n", &shown), ("total", &total)])
        }
        (true, None) => locale.t_args("cli.list.some", &[("n", &shown)]),
        (false, _) => locale.counted(
            "common.counted.row",
            i64::try_from(printed).unwrap_or(i64::MAX),
        ),
    };
    Ok(out.say(&text)?)
}
