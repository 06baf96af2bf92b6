//! The list of payments.

use super::cells;
use super::list::{Kept, Key, List, Probe, Sort, Spread};
use super::matching::{
    count_customers, keep_amount, keep_card, keep_common_text, keep_plan, keep_text,
};
use super::query::{Flavour, Query, values};
use crate::domain::ids::{InvoiceId, PaymentId, SubscriptionId};
use crate::domain::mode::ProviderName;
use crate::engine::ports::StoreError;
use crate::engine::queries::{Condition, ListQuery, Order, Page, PaymentRow, SortBy};
use crate::store::open::SqlStore;
use crate::store::payments::card_use;
use crate::store::sql::Row;

pub(super) const PAYMENTS: List = List {
    name: "payments",
    from: "from payment p where true",
    id: "p.id",
    time: "p.captured_at",
    customer: Some("p.customer_id"),
    within: None,
    rows: "select k.id as id, k.sort_key as sort_key, p.public_id, p.invoice_id, p.subscription_id, \
           c.id as customer_id, c.public_id as customer_public_id, c.name as customer_name, \
           coalesce(l.name, i.description) as what, p.captured_minor, p.currency, p.refunded_minor, \
           p.reserved_minor, p.captured_at, m.provider as card_provider, m.issuer as card_issuer, m.number as card_number, \
           m.exp_year, m.exp_month, m.state as card_state, p.order_id, p.provider, p.provider_ref, \
           p.is_duplicate, p.mode, p.installment_months, p.three_d_secure \
           from picked k join payment p on p.id = k.id join customer c on c.id = p.customer_id \
           join invoice i on i.id = p.invoice_id left join plan l on l.id = p.plan_id \
           left join payment_method m on m.id = p.method_id",
    sorts: &[
        Sort {
            by: SortBy::Time,
            key: "p.captured_at",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Amount,
            key: "p.captured_minor",
            kind: Key::Number,
            from: None,
        },
        Sort {
            by: SortBy::Name,
            key: "c.name_jamo",
            kind: Key::Text,
            from: Some("from customer c cross join payment p where p.customer_id = c.id"),
        },
    ],
    order: Order::Descending,
    keep,
    spread: Some(SPREAD),
};

/// Who acts without a person: most payments are theirs, so a page of them is found by walking.
const SCHEDULES: [&str; 4] = ["run", "cron", "reconciler", "worker"];

/// What `status:` means for a payment; each has an index of its own.
fn standing(name: &str) -> &'static str {
    match name {
        "captured" | "paid" => "p.refunded_minor = 0",
        "refunded" => "p.refunded_minor > 0",
        "partial" => "p.refunded_minor > 0 and p.refunded_minor < p.captured_minor",
        "full" => "p.refunded_minor > 0 and p.refunded_minor >= p.captured_minor",
        "reserved" => "p.reserved_minor > 0",
        "duplicate" => "p.is_duplicate = 1",
        _ => "1 = 0",
    }
}

fn keep(query: &mut Query, condition: &Condition, flavour: Flavour) -> Kept {
    match condition {
        Condition::Text(word) => keep_text(
            query,
            word,
            flavour,
            " and p.id in (select x.id from payment x where x.customer_id in (",
            " union select x.id from payment x where x.tail >= ? and x.tail < ?",
        ),
        Condition::Status(names) => {
            for (at, name) in names.iter().enumerate() {
                query.add(if at == 0 { " and (" } else { " or " }, []);
                query.add(standing(name), []);
            }
            query.add(if names.is_empty() { "" } else { ")" }, []);
        }
        Condition::Plan(code) => keep_plan(query, " and p.plan_id in (", code),
        Condition::Days(from, to) => {
            let sql = " and p.captured_on >= ? and p.captured_on <= ?";
            query.add(sql, values![*from, *to]);
        }
        Condition::Card(card) => keep_card(query, " and p.method_id in (", card),
        Condition::Amount(comparison, minor) if flavour == Flavour::Sqlite => {
            query.add(" and p.id in (select x.id from payment x where true", []);
            keep_amount(query, "x.captured_minor", *comparison, *minor);
            query.add(")", []);
        }
        Condition::Amount(comparison, minor) => {
            keep_amount(query, "p.captured_minor", *comparison, *minor);
        }
        Condition::Provider(provider) => {
            query.add(" and p.provider = ?", values![provider.as_str()]);
        }
        Condition::By(person) if SCHEDULES.contains(&person.as_str()) => {
            query.add(WALKED_BY, values![person.as_str()]);
        }
        Condition::By(person) => {
            query.add(GATHERED_BY, values![person.as_str()]);
        }
        Condition::Code(_) | Condition::Class(_) | Condition::Began(..) => {
            return Kept::Unsupported;
        }
    }
    Kept::Yes
}

/// A common name, an amount that is often paid, and a person who pressed very often. The sign keeps an index from
/// being used.
const SPREAD: Spread = Spread {
    probe: |condition| match condition {
        Condition::Text(word) => Some(count_customers(word)),
        Condition::Amount(comparison, minor) => {
            let mut query =
                Query::new("select count(*) as n from (select 1 from payment p where true");
            keep_amount(&mut query, "p.captured_minor", *comparison, *minor);
            query.add(" limit ?)", values![FEW_PAYMENTS + 1]);
            Some(Probe {
                query,
                few: FEW_PAYMENTS,
            })
        }
        Condition::By(person) if !SCHEDULES.contains(&person.as_str()) => Some(Probe {
            query: Query::with(PRESSES_OF, values![person.as_str(), FEW_PRESSES + 1]),
            few: FEW_PRESSES,
        }),
        _ => None,
    },
    walked: |query, condition| match condition {
        Condition::Text(word) => keep_common_text(
            query,
            word,
            " and (+p.customer_id in (",
            " or p.id in (select x.id from payment x where x.tail >= ? and x.tail < ?)",
        ),
        Condition::Amount(comparison, minor) => {
            keep_amount(query, "p.captured_minor", *comparison, *minor);
        }
        Condition::By(person) => {
            query.add(WALKED_BY, values![person.as_str()]);
        }
        _ => {}
    },
    counted: |query, condition| match condition {
        Condition::Text(word) => keep_common_text(
            query,
            word,
            " and (p.customer_id in (",
            " or p.id in (select x.id from payment x where x.tail >= ? and x.tail < ?)",
        ),
        Condition::Amount(comparison, minor) => {
            keep_amount(query, "p.captured_minor", *comparison, *minor);
        }
        Condition::By(person) => {
            query.add(GATHERED_BY, values![person.as_str()]);
        }
        _ => {}
    },
};
/// Payments of an amount, and presses of a person, that are gathered: beyond these, walking finds a page sooner.
const FEW_PAYMENTS: i64 = 5_000;
const FEW_PRESSES: i64 = 20_000;
/// The words of the index over what persons did.
const PRESSES_OF: &str = "select count(*) as n from (select 1 from attempt a where a.operator = ? \
     and a.operator not in ('run', 'cron', 'reconciler', 'worker') limit ?)";
const GATHERED_BY: &str = " and p.attempt_id in (select a.id from attempt a where a.operator = ? \
     and a.operator not in ('run', 'cron', 'reconciler', 'worker'))";
const WALKED_BY: &str =
    " and exists (select 1 from attempt a where a.id = p.attempt_id and a.operator = ?)";

pub(super) fn row(row: &Row) -> Result<PaymentRow, StoreError> {
    let cells = &row.cells("payment")?;
    Ok(PaymentRow {
        id: PaymentId(cells.i64("id")?),
        public_id: cells.public_id()?,
        invoice_id: InvoiceId(cells.i64("invoice_id")?),
        subscription_id: cells.opt_i64("subscription_id")?.map(SubscriptionId),
        customer: cells::customer(cells)?,
        what: cells.text("what")?,
        captured: cells.money("captured_minor")?,
        refunded_minor: cells.i64("refunded_minor")?,
        reserved_minor: cells.i64("reserved_minor")?,
        captured_at: cells.at("captured_at")?,
        card: cells::card(cells)?,
        order_id: cells.text("order_id")?,
        provider: cells.word("provider", ProviderName::parse)?,
        provider_ref: cells.text("provider_ref")?,
        is_duplicate: cells.yes("is_duplicate")?,
        mode: cells.mode()?,
        card_use: card_use(cells)?,
    })
}

pub(super) async fn page(db: &SqlStore, asked: &ListQuery) -> Result<Page<PaymentRow>, StoreError> {
    PAYMENTS.read(db, asked, row).await
}
