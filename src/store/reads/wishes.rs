//! Open wishes: what was asked of a provider about subscriptions that it schedules, and is not known to be done.

use chrono::{DateTime, Utc};

use super::cells;
use super::list::{Kept, Key, List, Sort};
use super::matching::{keep_amount, keep_one_of, keep_plan, keep_text};
use super::query::{Flavour, Query, values};
use crate::domain::ids::{PublicId, SubscriptionId};
use crate::domain::mode::Mode;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, ListQuery, Order, Page, SortBy, WishCan, WishRow};
use crate::store::open::SqlStore;
use crate::store::sql::Row;
use crate::store::wishes;

type R<T> = Result<T, StoreError>;

const AMOUNT: &str = "(select i.amount_minor from invoice i where i.id = w.invoice_id)";

/// The details of `picked k`, in the words in which a wish is read.
macro_rules! rows {
    () => {
        "select k.id as id, k.sort_key as sort_key, w.subscription_id, w.invoice_id, w.verb, w.provider_ref, w.idem_key, \
         w.state, w.lease_owner, w.lease_epoch, w.lease_until, w.first_sent_at, w.send_count, w.next_check_at, \
         w.refusal_code, w.refusal_class, w.refusal_proves, w.refusal_http_status, w.operator, w.reason, w.settled_at, \
         s.public_id as subscription, s.mode, i.public_id as invoice, i.amount_minor, i.currency, \
         c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name \
         from picked k join mirror_act w on w.id = k.id join subscription s on s.id = w.subscription_id \
         join customer c on c.id = s.customer_id left join invoice i on i.id = w.invoice_id"
    };
}

const WISHES: List = List {
    name: "requests at Stripe",
    from: "from mirror_act w join subscription s on s.id = w.subscription_id where w.state in ('sent', 'unknown')",
    id: "w.id",
    time: "w.first_sent_at",
    customer: Some("s.customer_id"),
    within: None,
    rows: rows!(),
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "w.first_sent_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Name,
            key: "(select c.name_jamo from customer c where c.id = s.customer_id)",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "w.state",
            kind: Key::Text,
            from: None,
        },
    ],
    order: Order::Ascending,
    keep,
    spread: None,
};

fn keep(query: &mut Query, condition: &Condition, flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => keep_text(
            query,
            word,
            flavour,
            " and s.id in (select x.id from subscription x where x.customer_id in (",
            " union select x.id from subscription x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => keep_one_of(query, "w.state", names),
        Condition::Plan(code) => keep_plan(query, " and s.plan_id in (", code),
        Condition::Code(code) => {
            query.add(" and w.refusal_code = ?", values![code.as_str()]);
        }
        Condition::Class(class) => {
            query.add(" and w.refusal_class = ?", values![class.as_str()]);
        }
        Condition::Amount(comparison, minor) => keep_amount(query, AMOUNT, *comparison, *minor),
        Condition::Provider(provider) => {
            query.add(" and s.scheduler = ?", values![provider.as_str()]);
        }
        Condition::By(person) => {
            query.add(" and w.operator = ?", values![person.as_str()]);
        }
        Condition::Began(..) | Condition::Days(..) | Condition::Card(_) => {
            return Kept::Unsupported;
        }
    }
    Kept::Yes
}

fn row(row: &Row, now: DateTime<Utc>) -> R<WishRow> {
    let wish = wishes::read(row)?;
    let cells = &row.cells("mirror_act")?;
    let invoice = match cells.opt_text("invoice")? {
        Some(id) => Some((PublicId::from_stored(id), cells.money("amount_minor")?)),
        None => None,
    };
    Ok(WishRow {
        can: WishCan::of(&wish, now),
        wish,
        subscription: PublicId::from_stored(cells.text("subscription")?),
        invoice,
        customer: cells::customer(cells)?,
        mode: cells.word("mode", Mode::parse)?,
    })
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> R<Page<WishRow>> {
    let now = super::clock::now(db).await?;
    WISHES.read(db, asked, |found| row(found, now)).await
}

/// The open one about a subscription: there is one at most.
pub(super) async fn of(db: &SqlStore, id: SubscriptionId) -> R<Option<WishRow>> {
    let now = super::clock::now(db).await?;
    let mut query = Query::with(
        "with picked (id, sort_key) as (select w.id, w.first_sent_at from mirror_act w \
         where w.subscription_id = ? and w.state in ('sent', 'unknown')) ",
        values![id],
    );
    query.add(rows!(), []);
    let found = db.fetch(query).await?;
    found.first().map(|found| row(found, now)).transpose()
}

/// For the status bar: a call whose answer is still waited for is not counted.
pub(super) async fn count(db: &SqlStore) -> R<u64> {
    let sql = "select count(*) as n from mirror_act where state in ('sent', 'unknown') \
        and (state = 'unknown' or lease_until <= ?)";
    let now = super::clock::now(db).await?;
    let counted = db.fetch_number(Query::with(sql, values![now])).await?;
    Ok(u64::try_from(counted).unwrap_or(0))
}
