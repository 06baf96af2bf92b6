//! The list of plans with how many run on each.

use super::list::{Kept, Key, List, Sort};
use super::matching::{after, containing, keep_amount, tail_of};
use super::query::{Flavour, Query, values};
use super::standing::{PlanStanding, Standing};
use crate::domain::plan::Plan;
use crate::domain::revenue::Mrr;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, ListQuery, Order, Page, PlanRow, SortBy};
use crate::store::open::SqlStore;
use crate::store::plans::read_plan;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

pub(super) const PLANS: List = List {
    name: "plans",
    from: "from plan l where true",
    id: "l.id",
    time: "l.created_at",
    customer: None,
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, l.public_id, l.product_id, l.code, l.name, \
           l.price_minor, l.currency, l.interval_unit, l.interval_count, l.tier, l.trial_days, \
           l.features, l.active, l.created_at, l.version, d.name as product_name \
           from picked k join plan l on l.id = k.id join product d on d.id = l.product_id",
    sorts: &[
        Sort {
            by: SortBy::Name,
            key: "l.code",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::Time,
            key: "l.created_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Amount,
            key: "l.price_minor",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "l.active",
            kind: Key::Number,
            from: None,
        },
    ],
    order: Order::Ascending,
    keep,
    spread: None,
};

/// Plans are few: names are looked through. Status is `active` or `inactive`.
fn keep(query: &mut Query, condition: &Condition, _flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => {
            let tail = tail_of(word).unwrap_or_else(|| "-".to_owned());
            query.add(
                " and (l.name like ? escape '\\' or l.code like ? escape '\\' or l.tail >= ? and l.tail < ?)",
                values![
                    containing(word),
                    containing(&word.to_lowercase()),
                    tail.as_str(),
                    after(&tail)
                ],
            );
        }
        Condition::Status(names) => {
            query.add(" and l.active in ", []);
            let stored = names.iter().map(|name| match name.as_str() {
                "active" => 1_i64,
                "inactive" => 0,
                _ => -1,
            });
            query.add_list(stored.map(Into::into));
        }
        Condition::Plan(code) => {
            if let Some(code) = code.strip_prefix('=') {
                query.add(" and l.code = ?", values![code]);
                return Kept::Yes;
            }
            let (from, to) = (format!("{code}-"), format!("{code}."));
            query.add(
                " and (l.code = ? or l.code >= ? and l.code < ?)",
                values![code.as_str(), from, to],
            );
        }
        Condition::Amount(comparison, minor) => {
            keep_amount(query, "l.price_minor", *comparison, *minor);
        }
        Condition::Card(_)
        | Condition::Code(_)
        | Condition::Class(_)
        | Condition::Began(..)
        | Condition::Days(..)
        | Condition::By(_)
        | Condition::Provider(_) => return Kept::Unsupported,
    }
    Kept::Yes
}

/// MRR of subscriptions that a plan had in another currency is not shown beside this one's.
fn row_of(plan: Plan, product_name: String, standing: &Standing) -> R<PlanRow> {
    let currency = plan.price.currency();
    let found = standing.by_plan.get(&(plan.id, currency));
    let of_plan = found.copied().unwrap_or(PlanStanding {
        active: 0,
        trialing: 0,
        mrr: Mrr::zero(currency),
    });
    let mrr = of_plan.mrr.rounded();
    Ok(PlanRow {
        plan,
        product_name,
        active: of_plan.active,
        trialing: of_plan.trialing,
        mrr: mrr.map_err(|error| StoreError::Other(error.into()))?,
    })
}

fn row(row: &Row, standing: &Standing) -> R<PlanRow> {
    let product_name = row.cells("plan")?.text("product_name")?;
    row_of(read_plan(row)?, product_name, standing)
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> R<Page<PlanRow>> {
    let standing = Standing::read(db).await?;
    PLANS.read(db, asked, |found| row(found, &standing)).await
}

/// The plans by MRR, largest first, within each currency.
pub(super) async fn by_mrr(db: &SqlStore, standing: &Standing, limit: u32) -> R<Vec<PlanRow>> {
    let all = ListQuery::first(1_000);
    let page = PLANS.read(db, &all, |found| row(found, standing)).await?;
    let mut plans = page.rows;
    plans.retain(|row| row.active > 0 || row.trialing > 0);
    plans.sort_by_key(|row| (row.mrr.currency(), std::cmp::Reverse(row.mrr.minor())));
    plans.truncate(limit as usize);
    Ok(plans)
}
