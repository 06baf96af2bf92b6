//! What a search shows of each thing it found. Ids are picked first, along one index with a limit;
//! details are joined to those few rows.

use super::cells;
use super::query::{Query, values};
use crate::domain::ids::{
    AttemptId, CustomerId, InvoiceId, Noun, PaymentId, PlanId, PublicId, SubscriptionId,
};
use crate::engine::ports::StoreError;
use crate::engine::queries::{CustomerBrief, Hit, HitTarget};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

/// Details of `picked k (id, place)`; a customer's label is the newest plan.
const CUSTOMERS: &str = "select k.id as id, c.public_id, c.id as customer_id, \
     c.public_id as customer_public_id, c.name as customer_name, \
     coalesce((select l.name from subscription s join plan l on l.id = s.plan_id \
      where s.customer_id = c.id order by s.created_at desc, s.id desc limit 1), '') as label, \
     cast(null as bigint) as amount_minor, '' as currency, c.created_at as at \
     from picked k join customer c on c.id = k.id order by k.place, k.id";
/// The picked ids are those of cards; the label is the masked number.
const CARDS: &str = "select c.id as id, c.public_id, c.id as customer_id, \
     c.public_id as customer_public_id, c.name as customer_name, m.number as label, \
     cast(null as bigint) as amount_minor, '' as currency, m.created_at as at \
     from picked k join payment_method m on m.id = k.id join customer c on c.id = m.customer_id \
     order by k.place, k.id";
const SUBSCRIPTIONS: &str = "select k.id as id, s.public_id, c.id as customer_id, \
     c.public_id as customer_public_id, c.name as customer_name, l.name as label, \
     t.price_minor * t.quantity as amount_minor, coalesce(t.currency, '') as currency, s.created_at as at \
     from picked k join subscription s on s.id = k.id join customer c on c.id = s.customer_id \
     join plan l on l.id = s.plan_id \
     left join subscription_term t on t.subscription_id = s.id and t.term_no = s.term_no \
     order by k.place, k.id";
const INVOICES: &str = "select k.id as id, i.public_id, c.id as customer_id, \
     c.public_id as customer_public_id, c.name as customer_name, i.description as label, \
     i.amount_minor, i.currency, i.due_at as at \
     from picked k join invoice i on i.id = k.id join customer c on c.id = i.customer_id \
     order by k.place, k.id";
const ATTEMPTS: &str = "select k.id as id, a.public_id, c.id as customer_id, \
     c.public_id as customer_public_id, c.name as customer_name, i.description as label, \
     a.amount_minor, a.currency, a.created_at as at \
     from picked k join attempt a on a.id = k.id join customer c on c.id = a.customer_id \
     join invoice i on i.id = a.invoice_id order by k.place, k.id";
const PAYMENTS: &str = "select k.id as id, p.public_id, c.id as customer_id, \
     c.public_id as customer_public_id, c.name as customer_name, coalesce(l.name, i.description) as label, \
     p.captured_minor as amount_minor, p.currency, p.captured_at as at \
     from picked k join payment p on p.id = k.id join customer c on c.id = p.customer_id \
     join invoice i on i.id = p.invoice_id left join plan l on l.id = p.plan_id \
     order by k.place, k.id";
/// A plan belongs to nobody: its own id and code stand in the customer's place.
const PLANS: &str = "select k.id as id, l.public_id, cast(0 as bigint) as customer_id, \
     l.public_id as customer_public_id, l.code as customer_name, l.name as label, \
     l.price_minor as amount_minor, l.currency, l.created_at as at \
     from picked k join plan l on l.id = k.id order by k.place, k.id";

/// What the picked ids are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Customer,
    Card,
    Subscription,
    Invoice,
    Attempt,
    Payment,
    Plan,
}

impl Kind {
    const fn details(self) -> &'static str {
        match self {
            Self::Customer => CUSTOMERS,
            Self::Card => CARDS,
            Self::Subscription => SUBSCRIPTIONS,
            Self::Invoice => INVOICES,
            Self::Attempt => ATTEMPTS,
            Self::Payment => PAYMENTS,
            Self::Plan => PLANS,
        }
    }

    const fn target(self, id: i64) -> HitTarget {
        match self {
            Self::Customer | Self::Card => HitTarget::Customer(CustomerId(id)),
            Self::Subscription => HitTarget::Subscription(SubscriptionId(id)),
            Self::Invoice => HitTarget::Invoice(InvoiceId(id)),
            Self::Attempt => HitTarget::Attempt(AttemptId(id)),
            Self::Payment => HitTarget::Payment(PaymentId(id)),
            Self::Plan => HitTarget::Plan(PlanId(id)),
        }
    }

    /// Ids by a range of reversed endings.
    const fn by_tail(self) -> &'static str {
        match self {
            Self::Customer => {
                "select id, 0 as place from customer where tail >= ? and tail < ? order by tail limit ?"
            }
            Self::Card => {
                "select id, 0 as place from payment_method where tail >= ? and tail < ? order by tail limit ?"
            }
            Self::Subscription => {
                "select id, 0 as place from subscription where tail >= ? and tail < ? order by tail limit ?"
            }
            Self::Invoice => {
                "select id, 0 as place from invoice where tail >= ? and tail < ? order by tail limit ?"
            }
            Self::Attempt => {
                "select id, 0 as place from attempt where tail >= ? and tail < ? order by tail limit ?"
            }
            Self::Payment => {
                "select id, 0 as place from payment where tail >= ? and tail < ? order by tail limit ?"
            }
            Self::Plan => {
                "select id, 0 as place from plan where tail >= ? and tail < ? order by tail limit ?"
            }
        }
    }

    /// Which kinds an id with this prefix can be; all of them without one.
    pub(super) fn of_prefix(prefix: Option<&str>) -> &'static [Self] {
        const ALL: &[Kind] = &[
            Kind::Payment,
            Kind::Subscription,
            Kind::Customer,
            Kind::Invoice,
            Kind::Attempt,
            Kind::Plan,
            Kind::Card,
        ];
        let Some(prefix) = prefix else { return ALL };
        let noun = Noun::ALL.into_iter().find(|n| n.prefix() == prefix);
        match noun {
            Some(Noun::Customer) => &[Self::Customer],
            Some(Noun::Method) => &[Self::Card],
            Some(Noun::Plan) => &[Self::Plan],
            Some(Noun::Subscription) => &[Self::Subscription],
            Some(Noun::Invoice) => &[Self::Invoice],
            Some(Noun::Attempt) => &[Self::Attempt],
            Some(Noun::Payment) => &[Self::Payment],
            Some(Noun::Product | Noun::Refund | Noun::Run | Noun::Approval) | None => &[],
        }
    }
}

/// A statement that picks `(id, place)`, best first.
pub(super) struct Pick {
    pub(super) kind: Kind,
    pub(super) matched: &'static str,
    pub(super) when: When,
    picked: Query,
}

/// Whether a statement is worth its time when a surer one has found something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    NothingFound,
}

impl Pick {
    /// `sql` selects `id` and `place`; its last `?` is the limit.
    pub(super) fn new<const N: usize>(
        kind: Kind,
        matched: &'static str,
        sql: &'static str,
        values: [crate::store::sql::Value; N],
    ) -> Self {
        let mut picked = Query::new("with picked (id, place) as (");
        picked.add(sql, values);
        picked.add(") ", []);
        picked.add(kind.details(), []);
        Self {
            kind,
            matched,
            when: When::Always,
            picked,
        }
    }

    /// The same statement, for when nothing else has found anything.
    pub(super) fn only_if_nothing(self) -> Self {
        Self {
            when: When::NothingFound,
            ..self
        }
    }

    pub(super) fn by_tail(kind: Kind, tail: &str, limit: u32) -> Self {
        let high = super::matching::after(tail);
        Self::new(kind, "id", kind.by_tail(), values![tail, high, limit])
    }

    #[cfg(test)]
    pub(super) fn query(&self) -> Query {
        self.picked.clone()
    }

    /// Reads the hits.
    pub(super) async fn read(self, db: &SqlStore) -> R<Vec<Hit>> {
        let rows = db.fetch(self.picked).await?;
        rows.iter()
            .map(|row| hit(row, self.kind, self.matched))
            .collect()
    }
}

fn hit(row: &Row, kind: Kind, matched: &'static str) -> R<Hit> {
    let cells = row.cells("hit")?;
    let amount = match cells.opt_i64("amount_minor")? {
        Some(_) => Some(cells.money("amount_minor")?),
        None => None,
    };
    let customer = match kind {
        Kind::Plan => CustomerBrief {
            id: CustomerId(0),
            public_id: PublicId::from_stored(cells.text("public_id")?),
            name: String::new(),
        },
        _ => cells::customer(&cells)?,
    };
    Ok(Hit {
        target: kind.target(cells.i64("id")?),
        public_id: cells.public_id()?,
        customer,
        matched,
        label: cells.text("label")?,
        amount,
        at: cells.at("at")?,
    })
}
