//! The list of customers.

use super::cells;
use super::list::{Kept, Key, List, Sort};
use super::matching::{keep_card, keep_one_of, keep_plan, keep_text};
use super::query::{Flavour, Query, values};
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, CustomerRow, ListQuery, Order, Page, SortBy};
use crate::store::open::SqlStore;

pub(super) const CUSTOMERS: List = List {
    name: "customers",
    from: "from customer c where true",
    id: "c.id",
    time: "c.created_at",
    customer: Some("c.id"),
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, c.id as customer_id, \
           c.public_id as customer_public_id, c.name as customer_name, c.email, c.phone, c.created_at, \
           (select count(*) from subscription s where s.customer_id = c.id \
            and s.state in ('trialing', 'active', 'past_due')) as subscriptions \
           from picked k join customer c on c.id = k.id",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "c.created_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Name,
            key: "c.name_jamo",
            kind: Key::Text,
            from: None,
        },
    ],
    order: Order::Descending,
    keep,
    spread: None,
};

/// Status and plan are those of a subscription of the customer, the card is one that may be charged.
fn keep(query: &mut Query, condition: &Condition, flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => keep_text(
            query,
            word,
            flavour,
            " and c.id in (select x.id from customer x where x.id in (",
            " union select x.id from customer x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => {
            let before = " and exists (select 1 from subscription s where s.customer_id = c.id";
            query.add(before, []);
            keep_one_of(query, "s.state", names);
            query.add(")", []);
        }
        Condition::Plan(code) => {
            let before = " and exists (select 1 from subscription s where s.customer_id = c.id \
                and s.state in ('trialing', 'active', 'past_due') and s.plan_id in (";
            keep_plan(query, before, code);
            query.add(")", []);
        }
        Condition::Card(card) => {
            let before = " and c.id in (select m.customer_id from payment_method m \
                where m.state = 'active' and m.id in (";
            keep_card(query, before, card);
            query.add(")", []);
        }
        Condition::Provider(provider) => {
            let sql = " and exists (select 1 from payment_method m where m.customer_id = c.id \
                and m.state = 'active' and m.provider = ?)";
            query.add(sql, values![provider.as_str()]);
        }
        Condition::Code(_)
        | Condition::Class(_)
        | Condition::Amount(..)
        | Condition::Began(..)
        | Condition::Days(..)
        | Condition::By(_) => return Kept::Unsupported,
    }
    Kept::Yes
}

pub(super) async fn page(
    db: &SqlStore,
    asked: &ListQuery,
) -> Result<Page<CustomerRow>, StoreError> {
    CUSTOMERS
        .read(db, asked, |row| {
            let row = row.cells("customer")?;
            Ok(CustomerRow {
                customer: cells::customer(&row)?,
                email: row.text("email")?,
                phone: row.text("phone")?,
                subscriptions: row.u32("subscriptions")?,
                created_at: row.at("created_at")?,
            })
        })
        .await
}
