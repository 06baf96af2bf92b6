//! Charges that were declined, whatever became of their invoices: the rows behind the figure of
//! failures and behind each refusal code.

use super::cells;
use super::list::{Kept, Key, List, Sort};
use super::matching::{keep_amount, keep_card, keep_one_of, keep_plan, keep_text};
use super::query::{Flavour, Query, values};
use crate::domain::attempt::Source;
use crate::domain::failure::FailureClass;
use crate::domain::ids::{AttemptId, InvoiceId, SubscriptionId};
use crate::domain::mode::ProviderName;
use crate::domain::states::InvoiceState;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, DeclineRow, ListQuery, Order, Page, SortBy};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

pub(super) const DECLINES: List = List {
    name: "declined charges",
    from: "from attempt a where a.state = 'declined' and a.kind = 'charge'",
    id: "a.id",
    time: "a.settled_at",
    customer: Some("a.customer_id"),
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, a.public_id, a.invoice_id, \
           i.state as invoice_state, a.subscription_id, \
           c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name, \
           coalesce(l.name, i.description) as what, a.amount_minor, a.currency, a.provider, a.refusal_code, \
           a.refusal_class, a.source, coalesce(a.settled_at, a.created_at) as settled_at \
           from picked k join attempt a on a.id = k.id join invoice i on i.id = a.invoice_id \
           join customer c on c.id = a.customer_id \
           left join subscription s on s.id = a.subscription_id left join plan l on l.id = s.plan_id",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "a.settled_at",
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
    ],
    order: Order::Descending,
    keep,
    spread: None,
};

/// Status is what became of the invoice.
fn keep(query: &mut Query, condition: &Condition, flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => keep_text(
            query,
            word,
            flavour,
            " and a.id in (select x.id from attempt x where x.customer_id in (",
            " union select x.id from attempt x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => {
            query.add(
                " and exists (select 1 from invoice i where i.id = a.invoice_id",
                [],
            );
            keep_one_of(query, "i.state", names);
            query.add(")", []);
        }
        Condition::Plan(code) => {
            let before = " and exists (select 1 from subscription s where s.id = a.subscription_id \
                and s.plan_id in (";
            keep_plan(query, before, code);
            query.add(")", []);
        }
        Condition::Card(card) => keep_card(query, " and a.method_id in (", card),
        Condition::Code(code) => {
            query.add(" and a.refusal_code = ?", values![code.as_str()]);
        }
        Condition::Class(class) => {
            let sql = " and coalesce(a.refusal_class, 'unclassified') = ?";
            query.add(sql, values![class.as_str()]);
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
        // The day by which figures count it, and not the instant the database wrote it.
        Condition::Days(from, to) => {
            let sql = " and a.settled_on >= ? and a.settled_on <= ?";
            query.add(sql, values![*from, *to]);
        }
        Condition::Began(..) => return Kept::Unsupported,
    }
    Kept::Yes
}

fn row(row: &Row) -> Result<DeclineRow, StoreError> {
    let cells = &row.cells("attempt")?;
    let class = cells.opt_word("refusal_class", FailureClass::parse)?;
    Ok(DeclineRow {
        id: AttemptId(cells.i64("id")?),
        public_id: cells.public_id()?,
        invoice_id: InvoiceId(cells.i64("invoice_id")?),
        invoice_state: cells.word("invoice_state", InvoiceState::parse)?,
        subscription_id: cells.opt_i64("subscription_id")?.map(SubscriptionId),
        customer: cells::customer(cells)?,
        what: cells.text("what")?,
        amount: cells.money("amount_minor")?,
        provider: cells.word("provider", ProviderName::parse)?,
        code: cells.opt_text("refusal_code")?,
        class: class.unwrap_or(FailureClass::Unclassified),
        source: cells.word("source", Source::parse)?,
        settled_at: cells.at("settled_at")?,
    })
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> Result<Page<DeclineRow>, StoreError> {
    DECLINES.read(db, asked, row).await
}
