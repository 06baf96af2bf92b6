//! Renewals of each local day: how many, how much, and what to notice.

use std::collections::HashMap;

use chrono::{Datelike, Months, NaiveDate, TimeDelta};
use chrono_tz::Tz;

use super::days::Sums;
use super::query::Query;
use crate::domain::period::{day_start, local_date};
use crate::engine::ports::StoreError;
use crate::engine::queries::{LocalDay, RenewalDay, RenewalFlag};
use crate::store::open::SqlStore;
use crate::store::sql::Value;

type R<T> = Result<T, StoreError>;

/// Picked before anything else is joined: SQLite would read every term to find them.
const NEAR: &str = "near (day, month, id) as materialized \
     (select d.day, d.month, s.id from d cross join subscription s where d.whole = 0 \
      and s.renews_at is not null and s.renews_at >= d.from_at and s.renews_at < d.to_at) ";
/// What ends is counted and flagged, and is not part of the sum: it will not be charged. Flags are
/// those of `subscriptions::flags`; a test compares the two. Whole quarters of an hour come from the
/// tally, what is left of a stretch that begins or ends within one from the rows.
const DAYS: &str = "select n.day, n.currency, cast(sum(n.renewals) as bigint) as n, \
     cast(sum(n.amount_minor) as bigint) as amount_minor, \
     cast(sum(case when n.card_month < n.month then n.renewals else 0 end) as bigint) as card_expires, \
     cast(sum(case when n.method = 'deleted' then n.renewals else 0 end) as bigint) as key_deleted, \
     cast(sum(case when n.method = 'none' then n.renewals else 0 end) as bigint) as no_method, \
     cast(sum(case when n.state = 'past_due' then n.renewals else 0 end) as bigint) as past_due, \
     cast(sum(case when n.ends = 1 then n.renewals else 0 end) as bigint) as ends, \
     cast(sum(case when n.state = 'trialing' then n.renewals else 0 end) as bigint) as trial_ends \
     from (select d.day, d.month, r.currency, r.state, r.method, r.card_month, r.ends, r.renewals, r.amount_minor \
      from d cross join tally_renewal r where d.whole = 1 and r.at >= d.from_at and r.at < d.to_at \
      union all \
      select near.day, near.month, r.currency, r.state, r.method, r.card_month, r.ends, 1, r.amount_minor \
      from near cross join counted_renewal r where r.subscription_id = near.id) n \
     group by n.day, n.currency having sum(n.renewals) <> 0 order by n.day";

/// What instants are tallied by: `tally_renewal` in the migrations says the same.
const QUARTER_US: i64 = 900_000_000;

const FLAGS: [(RenewalFlag, &str); 6] = [
    (RenewalFlag::CardExpires, "card_expires"),
    (RenewalFlag::KeyDeleted, "key_deleted"),
    (RenewalFlag::NoMethod, "no_method"),
    (RenewalFlag::PastDue, "past_due"),
    (RenewalFlag::Ends, "ends"),
    (RenewalFlag::TrialEnds, "trial_ends"),
];

#[derive(Default)]
struct Totals {
    count: u64,
    amounts: Sums,
    flags: [u64; 6],
}

/// A stretch with whether it is whole quarters.
type Part = (i64, i64, bool);

/// The whole quarters of a stretch, and what is left before and after them.
fn parts(day: &LocalDay) -> Vec<Part> {
    let (from, to) = (day.from.timestamp_micros(), day.to.timestamp_micros());
    let last = to - to.rem_euclid(QUARTER_US);
    let first = from + (-from).rem_euclid(QUARTER_US);
    if first > last {
        return vec![(from, to, false)];
    }
    let parts = [(from, first, false), (first, last, true), (last, to, false)];
    parts
        .into_iter()
        .filter(|(from, to, _)| from < to)
        .collect()
}

/// Nobody leaves a renewal alone for longer; what is older still counts as of that month.
const OVERDUE_MONTHS: u32 = 48;

const fn number_of(year: i32, month: u32) -> i64 {
    year as i64 * 12 + month as i64
}

/// The months of a stretch, with the number each is compared with: a card is good to the end of its month, so what is
/// overdue is asked about month by month.
fn months(day: &LocalDay, zone: Tz) -> Vec<(i64, LocalDay)> {
    if !day.is_overdue() {
        return vec![(number_of(day.date.year(), day.date.month()), *day)];
    }
    let last = local_date(day.to - TimeDelta::microseconds(1), zone);
    let mut first = last.with_day(1).unwrap_or(last);
    let mut to = day.to;
    let mut months = Vec::new();
    for back in 1..=OVERDUE_MONTHS {
        let from = if back == OVERDUE_MONTHS {
            day.from
        } else {
            day_start(first, zone)
        };
        months.push((
            number_of(first.year(), first.month()),
            LocalDay { from, to, ..*day },
        ));
        to = from;
        first = first.checked_sub_months(Months::new(1)).unwrap_or(first);
    }
    months
}

pub(super) fn statement(days: &[LocalDay], zone: Tz) -> Query {
    let mut query = Query::new("with d (day, month, from_at, to_at, whole) as (");
    let mut joint = "values ";
    for day in days {
        for (month, stretch) in months(day, zone) {
            for (from, to, is_whole) in parts(&stretch) {
                query.add(joint, []).add_list([
                    Value::from(day.date),
                    Value::from(month),
                    Value::from(from),
                    Value::from(to),
                    Value::from(is_whole),
                ]);
                joint = ", ";
            }
        }
    }
    if joint == "values " {
        query.add("select '', 0, 0, 0, 0 where 1 = 0", []);
    }
    query.add("), ", []).add(NEAR, []).add(DAYS, []);
    query
}

/// One row per day, also for days without renewals.
pub(super) async fn days(db: &SqlStore, days: &[LocalDay]) -> R<Vec<RenewalDay>> {
    let mut totals: HashMap<NaiveDate, Totals> = HashMap::new();
    for some in days.chunks(60) {
        for row in db.fetch(statement(some, db.zone())).await? {
            let cells = row.counts("subscription");
            let of_day = totals.entry(cells.day("day")?).or_default();
            of_day.count += cells.count("n")?;
            of_day.amounts.add(cells.money("amount_minor")?)?;
            for (sum, (_, column)) in of_day.flags.iter_mut().zip(FLAGS) {
                *sum += cells.count(column)?;
            }
        }
    }
    Ok(days
        .iter()
        .map(|day| {
            let of_day = totals.remove(&day.date).unwrap_or_default();
            let flags = FLAGS.iter().zip(of_day.flags);
            RenewalDay {
                day: *day,
                count: of_day.count,
                amounts: of_day.amounts.into_vec(),
                flags: flags
                    .filter(|(_, count)| *count > 0)
                    .map(|((flag, _), count)| (*flag, count))
                    .collect(),
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn parts_of(from_us: i64, to_us: i64) -> Vec<Part> {
        let at = |us| DateTime::from_timestamp_micros(us).unwrap();
        parts(&LocalDay {
            date: NaiveDate::MIN,
            from: at(from_us),
            to: at(to_us),
        })
    }

    #[test]
    fn a_stretch_is_split_at_quarters_and_nothing_is_lost() {
        let q = QUARTER_US;
        assert_eq!(parts_of(0, 96 * q), [(0, 96 * q, true)]);
        assert_eq!(
            parts_of(0, 3 * q + 5),
            [(0, 3 * q, true), (3 * q, 3 * q + 5, false)]
        );
        assert_eq!(parts_of(5, 2 * q), [(5, q, false), (q, 2 * q, true)]);
        assert_eq!(parts_of(5, q + 5), [(5, q, false), (q, q + 5, false)]);
        assert_eq!(parts_of(5, 9), [(5, 9, false)]);
        assert_eq!(parts_of(q, q), []);
    }

    #[test]
    fn what_is_overdue_is_asked_about_month_by_month() {
        let zone = chrono_tz::Asia::Seoul;
        let now = "2026-03-10T00:00:00Z".parse().unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 3, 10).unwrap();
        let months = months(&LocalDay::overdue(today, now), zone);
        let (march, first) = months[0];
        let (february, second) = months[1];
        assert_eq!((march, february), (2026 * 12 + 3, 2026 * 12 + 2));
        assert_eq!(first.from.to_rfc3339(), "2026-02-28T15:00:00+00:00");
        assert_eq!((first.to, second.to), (now, first.from));
        let (_, last) = months.last().unwrap();
        assert_eq!(last.from, DateTime::UNIX_EPOCH);
        let day = LocalDay {
            date: today,
            from: first.from,
            to: now,
        };
        assert_eq!(super::months(&day, zone), [(2026 * 12 + 3, day)]);
    }
}
