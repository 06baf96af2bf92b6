//! Invoices that are owed after a failure.

use super::cells;
use super::list::{Kept, Key, List, Sort};
use super::matching::{keep_amount, keep_card, keep_one_of, keep_plan, keep_text};
use super::query::{Flavour, Query, values};
use crate::domain::dunning::DunningState;
use crate::domain::failure::FailureClass;
use crate::domain::ids::{InvoiceId, PublicId, SubscriptionId};
use crate::domain::mirror::Scheduler;
use crate::domain::mode::ProviderName;
use crate::domain::states::{AttemptState, InvoiceState, SubscriptionState};
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, FailedRow, ListQuery, Order, Page, SortBy};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

pub(super) const FAILED: List = List {
    name: "failed payments",
    from: "from invoice i where i.state in ('open', 'uncollectible') and i.first_failed_at is not null",
    id: "i.id",
    time: "i.first_failed_at",
    customer: Some("i.customer_id"),
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, i.public_id, i.state, i.subscription_id, \
           s.state as subscription_state, coalesce(s.scheduler, 'paydeck') as scheduler, c.id as customer_id, c.public_id as customer_public_id, \
           c.name as customer_name, coalesce(l.name, i.description) as what, i.amount_minor, i.currency, \
           i.last_code, i.last_class, i.attempts, i.dunning_used, i.dunning, i.next_attempt_at, \
           i.first_failed_at, z.provider, o.state as open_attempt, o.operator, o.last_sent_at, o.lease_until \
           from picked k join invoice i on i.id = k.id join customer c on c.id = i.customer_id \
           left join subscription s on s.id = i.subscription_id left join plan l on l.id = s.plan_id \
           left join attempt z on z.id = (select y.id from attempt y where y.invoice_id = i.id \
            and y.kind = 'charge' order by y.id desc limit 1) \
           left join attempt o on o.id = (select a.id from attempt a where a.invoice_id = i.id \
            and a.kind = 'charge' and a.state in ('ready', 'sent', 'unknown') \
            order by a.id desc limit 1)",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "i.first_failed_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Amount,
            key: "i.amount_minor",
            kind: Key::Number,
            from: None,
        },
        // What is owed is few beside the customers, so it is looked at first.
        Sort {
            by: SortBy::Name,
            key: "(select c.name_jamo from customer c where c.id = i.customer_id)",
            kind: Key::Text,
            from: None,
        },
        Sort {
            by: SortBy::State,
            key: "i.state",
            kind: Key::Text,
            from: None,
        },
    ],
    order: Order::Descending,
    keep,
    spread: None,
};

/// Status is the state of the invoice, of its dunning or of its subscription.
fn keep(query: &mut Query, condition: &Condition, flavour: Flavour) -> Kept {
    const ITS_SUBSCRIPTION: &str =
        "exists (select 1 from subscription s where s.id = i.subscription_id";
    match condition {
        Condition::Text(word) => keep_text(
            query,
            word,
            flavour,
            " and i.id in (select x.id from invoice x where x.state in ('open', 'uncollectible') \
             and x.first_failed_at is not null and x.customer_id in (",
            " union select x.id from invoice x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => {
            query.add(" and (1 = 0", []);
            for column in [" or i.state in ", " or i.dunning in "] {
                query.add(column, []);
                query.add_list(names.iter().map(|name| name.as_str().into()));
            }
            query.add(" or ", []).add(ITS_SUBSCRIPTION, []);
            keep_one_of(query, "s.state", names);
            query.add("))", []);
        }
        Condition::Plan(code) => {
            query.add(" and ", []).add(ITS_SUBSCRIPTION, []);
            keep_plan(query, " and s.plan_id in (", code);
            query.add(")", []);
        }
        Condition::Began(..) | Condition::Days(..) => return Kept::Unsupported,
        Condition::Card(card) => {
            query.add(" and ", []).add(ITS_SUBSCRIPTION, []);
            keep_card(query, " and s.method_id in (", card);
            query.add(")", []);
        }
        Condition::Code(code) => {
            query.add(" and i.last_code = ?", values![code.as_str()]);
        }
        Condition::Class(class) => {
            query.add(" and i.last_class = ?", values![class.as_str()]);
        }
        Condition::Amount(comparison, minor) => {
            keep_amount(query, "i.amount_minor", *comparison, *minor);
        }
        Condition::Provider(provider) => {
            let sql = " and (select a.provider from attempt a where a.invoice_id = i.id and a.kind = 'charge' \
                order by a.id desc limit 1) = ?";
            query.add(sql, values![provider.as_str()]);
        }
        Condition::By(person) => {
            let sql = " and exists (select 1 from attempt a where a.invoice_id = i.id and a.operator = ?)";
            query.add(sql, values![person.as_str()]);
        }
    }
    Kept::Yes
}

fn row(row: &Row) -> Result<FailedRow, StoreError> {
    let cells = &row.cells("invoice")?;
    let open_attempt = cells.opt_word("open_attempt", AttemptState::parse)?;
    Ok(FailedRow {
        invoice_id: InvoiceId(cells.i64("id")?),
        invoice_public_id: PublicId::from_stored(cells.text("public_id")?),
        invoice_state: cells.word("state", InvoiceState::parse)?,
        subscription_id: cells.opt_i64("subscription_id")?.map(SubscriptionId),
        subscription_state: cells.opt_word("subscription_state", SubscriptionState::parse)?,
        scheduler: cells.word("scheduler", Scheduler::parse)?,
        customer: cells::customer(cells)?,
        what: cells.text("what")?,
        amount: cells.money("amount_minor")?,
        provider: cells.opt_word("provider", ProviderName::parse)?,
        code: cells.opt_text("last_code")?,
        class: cells.opt_word("last_class", FailureClass::parse)?,
        attempts: cells.u32("attempts")?,
        dunning_used: cells.u32("dunning_used")?,
        dunning: cells.word("dunning", DunningState::parse)?,
        next_attempt_at: cells.opt_at("next_attempt_at")?,
        first_failed_at: cells.at("first_failed_at")?,
        open_attempt,
        call: cells::call(cells, open_attempt)?,
    })
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> Result<Page<FailedRow>, StoreError> {
    FAILED.read(db, asked, row).await
}
