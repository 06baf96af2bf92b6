//! Billing runs and their rows.

use std::collections::HashMap;

use super::cells;
use super::list::{Asked, Kept, Key, List, Sort};
use super::matching::{keep_amount, keep_card, keep_one_of, keep_plan, keep_text};
use super::query::{Flavour, Query, values};
use crate::domain::ids::{InvoiceId, PublicId, RunId, SubscriptionId};
use crate::domain::money::Money;
use crate::domain::run::{Decision, Run};
use crate::domain::states::RunState;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, ListQuery, Order, Page, RunItemRow, RunRow, SortBy};
use crate::store::open::SqlStore;
use crate::store::sql::{Row, Value};

type R<T> = Result<T, StoreError>;

pub(super) const RUNS: List = List {
    name: "runs",
    from: "from run r where true",
    id: "r.id",
    time: "r.started_at",
    customer: None,
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, r.public_id, r.state, r.operator, r.host, \
           r.until_at, r.started_at, r.finished_at, r.stop_reason \
           from picked k join run r on r.id = k.id",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "r.started_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "r.state",
            kind: Key::Text,
            from: None,
        },
    ],
    order: Order::Descending,
    keep: keep_run,
    spread: None,
};

/// A word is the beginning of a host's name; ids of runs are few enough to look through.
fn keep_run(query: &mut Query, condition: &Condition, _flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => {
            let tail = super::matching::tail_of(word).unwrap_or_else(|| word.clone());
            query.add(
                " and (r.host >= ? and r.host < ? or r.tail >= ? and r.tail < ?)",
                values![
                    word.as_str(),
                    super::matching::after(word),
                    tail.as_str(),
                    super::matching::after(&tail)
                ],
            );
        }
        Condition::Status(names) => keep_one_of(query, "r.state", names),
        Condition::By(person) => {
            query.add(" and r.operator = ?", values![person.as_str()]);
        }
        Condition::Plan(_)
        | Condition::Card(_)
        | Condition::Code(_)
        | Condition::Class(_)
        | Condition::Began(..)
        | Condition::Days(..)
        | Condition::Provider(_)
        | Condition::Amount(..) => return Kept::Unsupported,
    }
    Kept::Yes
}

fn run(row: &Row) -> R<Run> {
    let cells = row.cells("run")?;
    Ok(Run {
        id: RunId(cells.i64("id")?),
        public_id: cells.public_id()?,
        state: cells.word("state", RunState::parse)?,
        operator: cells.text("operator")?,
        host: cells.text("host")?,
        until: cells.at("until_at")?,
        started_at: cells.at("started_at")?,
        finished_at: cells.opt_at("finished_at")?,
        stop_reason: cells.opt_text("stop_reason")?,
    })
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> R<Page<RunRow>> {
    let mut page = RUNS
        .read(db, asked, |row| {
            Ok(RunRow {
                run: run(row)?,
                totals: Vec::new(),
            })
        })
        .await?;
    if page.rows.is_empty() {
        return Ok(page);
    }
    let mut query =
        Query::new("select run_id, decision, count(*) as n from run_item where run_id in ");
    query.add_list(page.rows.iter().map(|row| Value::from(row.run.id)));
    query.add(" group by run_id, decision order by run_id, decision", []);
    let mut totals: HashMap<i64, Vec<(Option<Decision>, u64)>> = HashMap::new();
    for row in db.fetch(query).await? {
        let cells = row.counts("run_item");
        let decision = cells.opt_word("decision", Decision::parse)?;
        let of_run = totals.entry(cells.i64("run_id")?).or_default();
        of_run.push((decision, cells.count("n")?));
    }
    for row in &mut page.rows {
        row.totals = totals.remove(&row.run.id.0).unwrap_or_default();
    }
    Ok(page)
}

pub(super) const RUN_ITEMS: List = List {
    name: "rows of a run",
    from: "from run_item ri where true",
    id: "ri.id",
    time: "ri.at",
    customer: Some("(select s.customer_id from subscription s where s.id = ri.subscription_id)"),
    within: Some("ri.run_id"),
    rows: "select k.id as id, k.sort_key as sort_key, ri.run_id, ri.subscription_id, \
           s.public_id, c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name, \
           ri.invoice_id, i.amount_minor, i.currency, ri.decision, ri.reason, ri.at \
           from picked k join run_item ri on ri.id = k.id \
           join subscription s on s.id = ri.subscription_id join customer c on c.id = s.customer_id \
           left join invoice i on i.id = ri.invoice_id",
    sorts: &[
        // Rows are decided in the order they were taken up; their time moves with the decision.
        Sort {
            by: SortBy::Time,
            key: "ri.id",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "coalesce(ri.decision, '')",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::Name,
            key: "(select c.name_jamo from subscription s join customer c on c.id = s.customer_id where s.id = ri.subscription_id)",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::Amount,
            key: "coalesce((select i.amount_minor from invoice i where i.id = ri.invoice_id), 0)",
            kind: Key::Number,
            from: None,
        },
    ],
    order: Order::Ascending,
    keep: keep_item,
    spread: None,
};

/// Code and class are those of the invoice's last refusal.
fn keep_item(query: &mut Query, condition: &Condition, flavour: Flavour) -> Kept {
    const ITS_SUBSCRIPTION: &str =
        " and exists (select 1 from subscription s where s.id = ri.subscription_id";
    const ITS_INVOICE: &str = " and exists (select 1 from invoice i where i.id = ri.invoice_id";
    match condition {
        Condition::Text(word) => keep_text(
            query,
            word,
            flavour,
            " and ri.subscription_id in (select x.id from subscription x where x.customer_id in (",
            " union select x.id from subscription x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => keep_one_of(query, "ri.decision", names),
        Condition::Plan(code) => {
            query.add(ITS_SUBSCRIPTION, []);
            keep_plan(query, " and s.plan_id in (", code);
            query.add(")", []);
        }
        Condition::Card(card) => {
            query.add(ITS_SUBSCRIPTION, []);
            keep_card(query, " and s.method_id in (", card);
            query.add(")", []);
        }
        Condition::Amount(comparison, minor) => {
            query.add(ITS_INVOICE, []);
            keep_amount(query, "i.amount_minor", *comparison, *minor);
            query.add(")", []);
        }
        Condition::Code(code) => {
            query.add(ITS_INVOICE, []);
            query.add(" and i.last_code = ?)", values![code.as_str()]);
        }
        Condition::Class(class) => {
            query.add(ITS_INVOICE, []);
            query.add(" and i.last_class = ?)", values![class.as_str()]);
        }
        Condition::Provider(provider) => {
            let sql = " and exists (select 1 from attempt a where a.id = ri.attempt_id and a.provider = ?)";
            query.add(sql, values![provider.as_str()]);
        }
        Condition::By(_) | Condition::Began(..) | Condition::Days(..) => return Kept::Unsupported,
    }
    Kept::Yes
}

fn item(row: &Row) -> R<RunItemRow> {
    let cells = &row.cells("run_item")?;
    let amount: Option<Money> = match cells.opt_i64("amount_minor")? {
        Some(_) => Some(cells.money("amount_minor")?),
        None => None,
    };
    Ok(RunItemRow {
        id: cells.i64("id")?,
        run_id: RunId(cells.i64("run_id")?),
        subscription_id: SubscriptionId(cells.i64("subscription_id")?),
        subscription_public_id: PublicId::from_stored(cells.text("public_id")?),
        customer: cells::customer(cells)?,
        invoice_id: cells.opt_i64("invoice_id")?.map(InvoiceId),
        amount,
        decision: cells.opt_word("decision", Decision::parse)?,
        reason: cells.text("reason")?,
        at: cells.at("at")?,
    })
}

pub(super) async fn items(db: &SqlStore, run: RunId, asked: &ListQuery) -> R<Page<RunItemRow>> {
    let asked = Asked {
        query: asked,
        within: Some(run.0),
        spread: &[],
    };
    RUN_ITEMS.read(db, asked, item).await
}
