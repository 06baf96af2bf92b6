//! Renewals of each local day: how many, how much, and what to notice.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};

use super::days::Sums;
use super::query::{Query, values};
use crate::engine::ports::StoreError;
use crate::engine::queries::{LocalDay, RenewalDay, RenewalFlag};
use crate::store::open::SqlStore;
use crate::store::sql::Value;

type R<T> = Result<T, StoreError>;

/// What ends is counted and flagged, and is not part of the sum: it will not be charged. Flags are
/// those of `subscriptions::flags`; a test compares the two.
const DAYS: &str = "select d.day, r.currency, cast(sum(r.renewals) as bigint) as n, \
     cast(sum(r.amount_minor) as bigint) as amount_minor, \
     cast(sum(case when r.card_month < d.month then r.renewals else 0 end) as bigint) as card_expires, \
     cast(sum(case when r.method = 'deleted' then r.renewals else 0 end) as bigint) as key_deleted, \
     cast(sum(case when r.method = 'none' then r.renewals else 0 end) as bigint) as no_method, \
     cast(sum(case when r.state = 'past_due' then r.renewals else 0 end) as bigint) as past_due, \
     cast(sum(case when r.ends = 1 then r.renewals else 0 end) as bigint) as ends, \
     cast(sum(case when r.state = 'trialing' then r.renewals else 0 end) as bigint) as trial_ends \
     from d cross join tally_renewal r where r.at >= d.from_at and r.at < d.to_at \
     group by d.day, r.currency having sum(r.renewals) <> 0 order by d.day";

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

fn statement(days: &[LocalDay]) -> Query {
    let mut query = Query::new("with d (day, from_at, to_at, month) as (values ");
    for (at, day) in days.iter().enumerate() {
        if at > 0 {
            query.add(", ", []);
        }
        let month = i64::from(day.date.year()) * 12 + i64::from(day.date.month());
        query.add_list([
            Value::from(day.date),
            Value::from(day.from),
            Value::from(day.to),
            Value::from(month),
        ]);
    }
    query.add(") ", values![]);
    query.add(DAYS, []);
    query
}

/// One row per day, also for days without renewals.
pub(super) async fn days(db: &SqlStore, days: &[LocalDay]) -> R<Vec<RenewalDay>> {
    let mut totals: HashMap<NaiveDate, Totals> = HashMap::new();
    for some in days.chunks(200) {
        for row in db.fetch(statement(some)).await? {
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
