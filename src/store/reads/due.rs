//! What a billing run takes up: the same rows that it claims and counts, with what people know them by.

use chrono::{DateTime, Utc};

use super::cells;
use super::query::{Query, values};
use crate::domain::mode::ProviderName;
use crate::domain::states::{MethodState, SubscriptionState};
use crate::engine::ports::StoreError;
use crate::engine::queries::DueRow;
use crate::store::open::SqlStore;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

/// So many rows a statement: a month's first morning is longer than a statement may take.
const PAGE: i64 = 1_000;
const SUBSCRIPTIONS: &str = "select s.id as row_id, s.public_id, c.id as customer_id, c.public_id as customer_public_id, \
     c.name as customer_name, l.name as what, t.price_minor * t.quantity as amount_minor, t.currency, \
     s.run_at as due_at, s.state, s.cancel_at, \
     o.provider as own_provider, o.state as own_state, \
     cast(case when exists (select 1 from payment_method m where m.customer_id = s.customer_id and m.state = 'active' \
       and m.provider = 'toss') then 1 else 0 end as bigint) as at_toss, \
     cast(case when exists (select 1 from payment_method m where m.customer_id = s.customer_id and m.state = 'active' \
       and m.provider = 'stripe') then 1 else 0 end as bigint) as at_stripe, cast(0 as bigint) as is_retry, cast(0 as bigint) as is_locked \
     from subscription s join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
     join customer c on c.id = s.customer_id join plan l on l.id = t.plan_id \
     left join payment_method o on o.id = s.method_id \
     where s.run_at <= ? and s.scheduler = 'paydeck' and (s.run_at, s.id) > (?, ?) order by s.run_at, s.id limit ?";
const RETRIES: &str = "select i.id as row_id, i.public_id, c.id as customer_id, c.public_id as customer_public_id, \
     c.name as customer_name, i.description as what, i.amount_minor, i.currency, \
     i.next_attempt_at as due_at, s.state, s.cancel_at, \
     o.provider as own_provider, o.state as own_state, \
     cast(case when exists (select 1 from payment_method m where m.customer_id = i.customer_id and m.state = 'active' \
       and m.provider = 'toss') then 1 else 0 end as bigint) as at_toss, \
     cast(case when exists (select 1 from payment_method m where m.customer_id = i.customer_id and m.state = 'active' \
       and m.provider = 'stripe') then 1 else 0 end as bigint) as at_stripe, cast(1 as bigint) as is_retry, \
     cast(case when exists (select 1 from attempt a where a.invoice_id = i.id and a.kind = 'charge' \
       and a.state in ('ready', 'sent', 'unknown', 'succeeded')) then 1 else 0 end as bigint) as is_locked \
     from invoice i join subscription s on s.id = i.subscription_id join customer c on c.id = i.customer_id \
     left join payment_method o on o.id = s.method_id \
     where i.state = 'open' and i.dunning = 'scheduled' and i.next_attempt_at <= ? \
     and (i.next_attempt_at, i.id) > (?, ?) order by i.next_attempt_at, i.id limit ?";

pub(super) async fn due(db: &SqlStore, until: DateTime<Utc>) -> R<Vec<DueRow>> {
    let mut rows = Vec::new();
    for statement in [SUBSCRIPTIONS, RETRIES] {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let bound = values![until, after.0, after.1, PAGE];
            let page = db.fetch(Query::with(statement, bound)).await?;
            for read in &page {
                let due = row(read)?;
                let id = read.counts("due row").i64("row_id")?;
                after = (due.due_at.timestamp_micros(), id);
                rows.push(due);
            }
            if i64::try_from(page.len()).is_ok_and(|rows| rows < PAGE) {
                break;
            }
        }
    }
    Ok(rows)
}

fn row(row: &Row) -> R<DueRow> {
    let cells = &row.counts("subscription");
    let own_provider = cells.opt_word("own_provider", ProviderName::parse)?;
    let own_state = cells.opt_word("own_state", MethodState::parse)?;
    let mut cards_at = Vec::new();
    for (column, provider) in [
        ("at_toss", ProviderName::Toss),
        ("at_stripe", ProviderName::Stripe),
    ] {
        if cells.yes(column)? {
            cards_at.push(provider);
        }
    }
    Ok(DueRow {
        public_id: cells.public_id()?,
        customer: cells::customer(cells)?,
        what: cells.text("what")?,
        amount: cells.money("amount_minor")?,
        due_at: cells.at("due_at")?,
        state: cells.word("state", SubscriptionState::parse)?,
        cancel_at: cells.opt_at("cancel_at")?,
        own_card: own_provider.zip(own_state),
        cards_at,
        is_retry: cells.yes("is_retry")?,
        is_locked: cells.yes("is_locked")?,
    })
}
