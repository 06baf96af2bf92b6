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
const DAYS: &str = "select d.day, coalesce(t.currency, l.currency) as currency, count(*) as n, \
     cast(sum(case when s.cancel_at <= s.renews_at then 0 \
      else coalesce(t.price_minor, l.price_minor) * coalesce(t.quantity, s.quantity) end) as bigint) as amount_minor, \
     cast(sum(case when m.exp_year * 12 + m.exp_month < d.month then 1 else 0 end) as bigint) as card_expires, \
     cast(sum(case when m.state = 'deleted' then 1 else 0 end) as bigint) as key_deleted, \
     cast(sum(case when s.method_id is null then 1 else 0 end) as bigint) as no_method, \
     cast(sum(case when s.state = 'past_due' then 1 else 0 end) as bigint) as past_due, \
     cast(sum(case when s.cancel_at <= s.renews_at then 1 else 0 end) as bigint) as ends, \
     cast(sum(case when s.state = 'trialing' then 1 else 0 end) as bigint) as trial_ends \
     from d join subscription s on s.renews_at >= d.from_at and s.renews_at < d.to_at \
     join plan l on l.id = s.plan_id \
     left join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
     left join payment_method m on m.id = s.method_id \
     where s.renews_at is not null \
     group by d.day, coalesce(t.currency, l.currency) order by d.day";

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
