//! Reads of the screens, in process, beside the raw queries that are the least they need.

use std::path::Path;

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Asia::Seoul;
use color_eyre::Result;
use color_eyre::eyre::{OptionExt as _, eyre};
use paydeck::domain::ids::CustomerId;
use paydeck::engine::queries::{Cursor, Filter, ListQuery, LocalDay, Reads as _, Window};
use paydeck::store::{DatabaseUrl, OpenOptions, SqlStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::data::Data;
use crate::figures::{Budget, Figure, Report};
use crate::watch::{Readings, now};

const TIMES: usize = 25;
const PAGE: u32 = 50;
const HITS: u32 = 100;

const NEWEST: &str = "select p.id, p.public_id, p.captured_at, p.captured_minor, c.name \
     from (select id, captured_at from payment order by captured_at desc, id desc limit 50) k \
     join payment p on p.id = k.id join customer c on c.id = p.customer_id order by k.captured_at desc, k.id desc";
/// The same after a payment far down the list.
const DEEP: &str = "select p.id, p.public_id, p.captured_at, p.captured_minor, c.name \
     from (select id, captured_at from payment where (captured_at, id) < (?1, ?2) \
     order by captured_at desc, id desc limit 50) k \
     join payment p on p.id = k.id join customer c on c.id = p.customer_id order by k.captured_at desc, k.id desc";
const FAR_DOWN: &str = "select captured_at, id from payment order by captured_at, id \
     limit 1 offset (select count(*) / 5 from payment)";

/// What people type into the search, each with a query for values that are really there.
const FIND: &[(&str, &str)] = &[
    (
        "name",
        "select name from customer where id in (select abs(random()) % (select max(id) from customer) + 1 from payment limit 25)",
    ),
    (
        "part of a name",
        "select substr(name, 2, 2) from customer where id in (select abs(random()) % (select max(id) from customer) + 1 from payment limit 25)",
    ),
    (
        "e-mail",
        "select email from customer where id in (select abs(random()) % (select max(id) from customer) + 1 from payment limit 25)",
    ),
    (
        "part of an e-mail",
        "select substr(email, 2, 7) from customer where id in (select abs(random()) % (select max(id) from customer) + 1 from payment limit 25)",
    ),
    (
        "phone's last four",
        "select substr(phone, -4) from customer where id in (select abs(random()) % (select max(id) from customer) + 1 from payment limit 25)",
    ),
    (
        "card's last four",
        "select last4 from payment_method where id in (select abs(random()) % (select max(id) from payment_method) + 1 from payment limit 25)",
    ),
    (
        "order id",
        "select order_id from payment where id in (select abs(random()) % (select max(id) from payment) + 1 from payment limit 25)",
    ),
    (
        "payment id",
        "select public_id from payment where id in (select abs(random()) % (select max(id) from payment) + 1 from payment limit 25)",
    ),
    (
        "ending of an id",
        "select substr(public_id, -6) from payment where id in (select abs(random()) % (select max(id) from payment) + 1 from payment limit 25)",
    ),
    (
        "provider's id",
        "select provider_ref from payment where id in (select abs(random()) % (select max(id) from payment) + 1 from payment limit 25)",
    ),
    (
        "amount",
        "select distinct captured_minor || '' from payment where id < 5000 limit 25",
    ),
];

pub fn measure(data: &Data, larger: Option<&Path>, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut desk = Desk::open(&data.database).await?;
        let overview = desk.overview(report).await?;
        let page = desk.lists(report).await?;
        desk.cards(report).await?;
        desk.find(report).await?;
        if let Some(larger) = larger {
            let mut desk = Desk::open(larger).await?;
            let size: i64 = sqlx::query_scalar("select count(*) from payment")
                .fetch_one(&mut desk.raw)
                .await?;
            report.remark(&format!(
                "the same over {size} payments; the floor of growth is the smaller one"
            ))?;
            let grown = [
                ("growth: overview", desk.overview(report).await?, overview),
                ("growth: newest payments", desk.lists(report).await?, page),
            ];
            for (name, large, small) in &grown {
                let figure = Figure::times(name, large).over(small);
                report.add(&figure.within(Budget::TimesFloor(1.3)))?;
            }
        }
        Ok(())
    })
}

/// One number out of a database, for whoever has to know what a screen must show.
pub fn count(database: &Path, sql: &'static str) -> Result<i64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut raw = bare(database).await?;
        Ok(sqlx::query_scalar(sql).fetch_one(&mut raw).await?)
    })
}

async fn bare(database: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true);
    Ok(SqliteConnection::connect_with(&options).await?)
}

struct Desk {
    store: SqlStore,
    raw: SqliteConnection,
    now: DateTime<Utc>,
}

impl Desk {
    async fn open(database: &Path) -> Result<Self> {
        let url = DatabaseUrl::Sqlite(database.to_owned());
        let store = SqlStore::open(&url, OpenOptions::read_only("bench")).await?;
        let mut raw = bare(database).await?;
        let newest: i64 = sqlx::query_scalar("select max(captured_at) from payment")
            .fetch_one(&mut raw)
            .await?;
        let now = DateTime::from_timestamp_micros(newest).ok_or_eyre("no newest payment")?;
        Ok(Self { store, raw, now })
    }

    async fn overview(&mut self, report: &mut Report) -> Result<Readings> {
        let window = window(self.now)?;
        let (mut ours, mut least) = <(Readings, Readings)>::default();
        let statements = roll_ups(&window)?;
        for _ in 0..TIMES {
            let began = now();
            self.store.overview(&window).await?;
            ours.push_ms(began.elapsed());
            let began = now();
            let mut rows = 0;
            for statement in &statements {
                let sql = AssertSqlSafe(statement.as_str());
                rows += sqlx::query(sql).fetch_all(&mut self.raw).await?.len();
            }
            least.push_ms(began.elapsed());
            if rows < statements.len() {
                return Err(eyre!("the roll-ups are empty"));
            }
        }
        let figure = Figure::times("overview", &ours).over(&least);
        report.add(&figure.within(Budget::TimesFloor(5.0)))?;
        Ok(ours)
    }

    async fn lists(&mut self, report: &mut Report) -> Result<Readings> {
        let (at, id): (i64, i64) = sqlx::query_as(FAR_DOWN).fetch_one(&mut self.raw).await?;
        let first = ListQuery::first(PAGE);
        let deep = ListQuery {
            cursor: Some(Cursor {
                number: at,
                text: String::new(),
                id,
            }),
            ..first.clone()
        };
        let refunded = ListQuery {
            filter: Filter::parse("status:refunded")?,
            ..first.clone()
        };
        let soon = ListQuery {
            from: Some(self.now),
            to: Some(self.now + TimeDelta::days(7)),
            ..first.clone()
        };
        let (mut ours, mut least) = <(Readings, Readings)>::default();
        let (mut further, mut least_further) = <(Readings, Readings)>::default();
        let mut others = [
            ("payments with a refund", Readings::default()),
            ("failed", Readings::default()),
            ("renewals of a week", Readings::default()),
            ("subscriptions", Readings::default()),
            ("unknown", Readings::default()),
        ];
        for _ in 0..TIMES {
            let began = now();
            self.store.payments(&first).await?;
            ours.push_ms(began.elapsed());
            let began = now();
            sqlx::query(NEWEST).fetch_all(&mut self.raw).await?;
            least.push_ms(began.elapsed());
            let began = now();
            self.store.payments(&deep).await?;
            further.push_ms(began.elapsed());
            let began = now();
            sqlx::query(DEEP)
                .bind(at)
                .bind(id)
                .fetch_all(&mut self.raw)
                .await?;
            least_further.push_ms(began.elapsed());
            let [with_refund, failed, renewals, subscriptions, unknown] = &mut others;
            let began = now();
            self.store.payments(&refunded).await?;
            with_refund.1.push_ms(began.elapsed());
            let began = now();
            self.store.failed(&first).await?;
            failed.1.push_ms(began.elapsed());
            let began = now();
            self.store.renewals(&soon).await?;
            renewals.1.push_ms(began.elapsed());
            let began = now();
            self.store.subscriptions(&first).await?;
            subscriptions.1.push_ms(began.elapsed());
            let began = now();
            self.store.unknowns(&first).await?;
            unknown.1.push_ms(began.elapsed());
        }
        report.add(&Figure::times("list: newest payments", &ours).over(&least))?;
        report.add(&Figure::times("list: payments, 80 % down", &further).over(&least_further))?;
        for (name, readings) in &others {
            report.add(&Figure::times(&format!("list: {name}"), readings))?;
        }
        Ok(ours)
    }

    async fn cards(&mut self, report: &mut Report) -> Result<()> {
        let busiest =
            "select customer_id from payment group by customer_id order by count(*) desc limit 25";
        let ids: Vec<i64> = sqlx::query_scalar(busiest).fetch_all(&mut self.raw).await?;
        let mut ours = Readings::default();
        for id in ids {
            let began = now();
            self.store.customer_card(CustomerId(id)).await?;
            ours.push_ms(began.elapsed());
        }
        report.add(&Figure::times("card of a busy customer", &ours))
    }

    async fn find(&mut self, report: &mut Report) -> Result<()> {
        for (kind, sql) in FIND {
            let typed: Vec<String> = sqlx::query_scalar(*sql).fetch_all(&mut self.raw).await?;
            let (mut ours, mut empty) = (Readings::default(), 0_usize);
            for text in &typed {
                let began = now();
                let hits = self.store.find(text, HITS).await?;
                ours.push_ms(began.elapsed());
                empty += usize::from(hits.is_empty());
            }
            let figure = Figure::new(&format!("find: {kind}"), "ms", ours.p95());
            let note = format!(
                "p95 of {}; median {:.2}; found nothing: {empty}",
                typed.len(),
                ours.median()
            );
            report.add(&figure.within(Budget::AtMost(20.0)).note(note))?;
        }
        Ok(())
    }
}

/// The rolled-up rows behind the figures of an overview, asked for with nothing around them.
fn roll_ups(window: &Window) -> Result<Vec<String>> {
    let first = window.days.first().ok_or_eyre("no days")?;
    let last = window.days.last().ok_or_eyre("no days")?;
    let (from, to) = (first.date, last.date);
    let (year_ago, until) = (
        window.year_ago.first().ok_or_eyre("no year")?,
        window.year_ago.last().ok_or_eyre("no year")?,
    );
    let (began, ended) = (first.from.timestamp_micros(), last.to.timestamp_micros());
    let week = window.week_ahead.first().zip(window.week_ahead.last());
    let (soon, late) = week.ok_or_eyre("no week")?;
    let (soon, late) = (soon.from.timestamp_micros(), late.to.timestamp_micros());
    let takings = "select day, currency, sum(captured_minor), sum(captured_count), sum(refunded_minor), \
                   sum(refunded_count) from daily_figure";
    let hour_ago = "cast((unixepoch('subsec') - 3600) * 1000000 as integer)";
    Ok(vec![
        "select plan_id, state, price_minor, currency, sum(subscriptions) from tally_standing group by 1, 2, 3, 4".to_owned(),
        format!("{takings} where day >= '{from}' and day <= '{to}' group by day, currency"),
        format!("{takings} where day >= '{year_ago}' and day <= '{until}' group by day, currency"),
        format!(
            "select day, currency, sum(attempts) from tally_decline where day >= '{from}' and day <= '{to}' group by day, currency"
        ),
        format!(
            "select code, class, sum(attempts) from tally_decline where day >= '{from}' and day <= '{to}' group by code, class order by 3 desc limit 8"
        ),
        format!(
            "select is_paid, sum(invoices) from tally_failure where day >= '{from}' and day <= '{to}' and before < '{from}' group by is_paid"
        ),
        format!(
            "select what, sum(subscriptions) from tally_turnover where at >= {began} and at < {ended} group by what"
        ),
        format!(
            "select at, currency, sum(renewals), sum(amount_minor) from tally_renewal where at >= {soon} and at < {late} group by at, currency"
        ),
        "select count(*), min(first_sent_at) from attempt where state in ('sent', 'unknown')"
            .to_owned(),
        format!("select count(*), max(elapsed_ms) from evidence where at >= {hour_ago}"),
        "select id, code, name, price_minor, currency from plan".to_owned(),
    ])
}

/// What the overview of a moment is about.
fn window(at: DateTime<Utc>) -> Result<Window> {
    let today = at.with_timezone(&Seoul).date_naive();
    let first = today.checked_sub_days(Days::new(29)).ok_or_eyre("a date")?;
    let days = days_from(first, 30)?;
    let a_year_before = |day: &LocalDay| day.date.checked_sub_months(Months::new(12));
    Ok(Window {
        now: at,
        year_ago: days.iter().filter_map(a_year_before).collect(),
        days,
        week_ahead: days_from(today, 7)?,
    })
}

fn days_from(first: NaiveDate, count: u64) -> Result<Vec<LocalDay>> {
    (0..count)
        .map(|after| {
            let date = first
                .checked_add_days(Days::new(after))
                .ok_or_eyre("a date")?;
            let next = date.succ_opt().ok_or_eyre("a date")?;
            Ok(LocalDay {
                date,
                from: midnight(date)?,
                to: midnight(next)?,
            })
        })
        .collect()
}

fn midnight(date: NaiveDate) -> Result<DateTime<Utc>> {
    let local = date
        .and_time(NaiveTime::MIN)
        .and_local_timezone(Seoul)
        .single();
    Ok(local.ok_or_eyre("a midnight")?.with_timezone(&Utc))
}
