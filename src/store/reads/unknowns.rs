//! The inbox of the unknown: attempts whose money may have moved, and those a person must look at.

use super::cells;
use super::list::{Kept, Key, List, Sort};
use super::matching::{keep_amount, keep_card, keep_one_of, keep_plan, keep_text};
use super::query::{Flavour, Query, values};
use crate::domain::attempt::{AttemptKind, Source};
use crate::domain::ids::{AttemptId, InvoiceId};
use crate::domain::mode::ProviderName;
use crate::domain::states::AttemptState;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, ListQuery, Order, Page, SortBy, UnknownRow};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

pub(super) const UNKNOWNS: List = List {
    name: "unknown payments",
    // Each half of the union has an index that holds nothing else.
    from: "from attempt a where a.id in (select u.id from attempt u where u.state in ('sent', 'unknown') \
           union select h.id from attempt h where h.needs_human = 1)",
    id: "a.id",
    time: "a.created_at",
    customer: Some("a.customer_id"),
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, a.public_id, a.kind, a.state, \
           c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name, \
           a.invoice_id, a.amount_minor, a.currency, a.provider, a.order_id, a.source, a.first_sent_at, \
           a.last_sent_at, a.send_count, a.checks, a.not_seen, a.next_check_at, a.needs_human, a.operator, a.lease_until, \
           cast(case when a.refusal_code = 'PAYDECK_AUTHENTICATION' then 1 else 0 end as bigint) as waits_for_customer, \
           (select e.outcome from evidence e where e.attempt_id = a.id order by e.id desc limit 1) as last_outcome, \
           (select e.at from evidence e where e.attempt_id = a.id order by e.id desc limit 1) as last_evidence_at \
           from picked k join attempt a on a.id = k.id join customer c on c.id = a.customer_id",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "a.created_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Amount,
            key: "a.amount_minor",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Name,
            key: "(select c.name_jamo from customer c where c.id = a.customer_id)",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "a.state",
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
            " and a.id in (select x.id from attempt x where x.customer_id in (",
            " union select x.id from attempt x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => keep_one_of(query, "a.state", names),
        Condition::Plan(code) => {
            let before = " and exists (select 1 from subscription s where s.id = a.subscription_id \
                and s.plan_id in (";
            keep_plan(query, before, code);
            query.add(")", []);
        }
        Condition::Began(..) | Condition::Days(..) => return Kept::Unsupported,
        Condition::Card(card) => keep_card(query, " and a.method_id in (", card),
        Condition::Code(code) => {
            query.add(" and a.refusal_code = ?", values![code.as_str()]);
        }
        Condition::Class(class) => {
            query.add(" and a.refusal_class = ?", values![class.as_str()]);
        }
        Condition::Amount(comparison, minor) => {
            keep_amount(query, "a.amount_minor", *comparison, *minor);
        }
        Condition::Provider(provider) => {
            query.add(" and a.provider = ?", values![provider.as_str()]);
        }
        Condition::By(person) => {
            query.add(" and a.operator = ?", values![person.as_str()]);
        }
    }
    Kept::Yes
}

fn row(row: &Row) -> Result<UnknownRow, StoreError> {
    let cells = &row.cells("attempt")?;
    let state = cells.word("state", AttemptState::parse)?;
    Ok(UnknownRow {
        id: AttemptId(cells.i64("id")?),
        public_id: cells.public_id()?,
        kind: cells.word("kind", AttemptKind::parse)?,
        state,
        customer: cells::customer(cells)?,
        invoice_id: InvoiceId(cells.i64("invoice_id")?),
        amount: cells.money("amount_minor")?,
        provider: cells.word("provider", ProviderName::parse)?,
        order_id: cells.text("order_id")?,
        source: cells.word("source", Source::parse)?,
        first_sent_at: cells.opt_at("first_sent_at")?,
        last_sent_at: cells.opt_at("last_sent_at")?,
        send_count: cells.u32("send_count")?,
        checks: cells.u32("checks")?,
        not_seen: cells.u32("not_seen")?,
        next_check_at: cells.opt_at("next_check_at")?,
        waits_for_customer: cells.yes("waits_for_customer")?,
        last_outcome: cells.opt_text("last_outcome")?,
        last_evidence_at: cells.opt_at("last_evidence_at")?,
        needs_human: cells.yes("needs_human")?,
        operator: cells.text("operator")?,
        call: cells::call(cells, Some(state))?,
    })
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> Result<Page<UnknownRow>, StoreError> {
    UNKNOWNS.read(db, asked, row).await
}

/// How many are unknown, for the status bar: a call whose answer is still waited for is not.
pub(super) async fn count(db: &SqlStore) -> Result<u64, StoreError> {
    let sql = "select count(*) as n from attempt where state in ('sent', 'unknown') \
        and (state = 'unknown' or coalesce(lease_until, 0) <= ?)";
    let now = super::clock::now(db).await?;
    let counted = db.fetch_number(Query::with(sql, values![now])).await?;
    Ok(u64::try_from(counted).unwrap_or(0))
}
