//! Everything about one customer, and everything about one subscription.

use super::query::{Query, values};
use super::subscriptions::SUBSCRIPTIONS;
use super::{failed, payments, subscriptions, unknowns, wishes};
use crate::domain::ids::{CustomerId, Noun, PlanId, PublicId, SubscriptionId};
use crate::domain::mirror::Collection;
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{Change, ChangeCause};
use crate::engine::ports::StoreError;
use crate::engine::queries::{
    CustomerCard, ListQuery, MirrorCard, Note, SubscriptionCard, SubscriptionRow,
};
use crate::store::open::SqlStore;
use crate::store::sql::{Cells, Row};
use crate::store::subscriptions::{read as read_subscription, read_term};
use crate::store::{customers as nouns, invoices, plans};

type R<T> = Result<T, StoreError>;

/// How many of each kind a card shows.
const SHOWN_PAYMENTS: u32 = 12;
const SHOWN_SUBSCRIPTIONS: u32 = 50;
const SHOWN_TROUBLES: u32 = 50;

const NOTES: &str = "select id, target, author, body, at from note where target = ? \
     union all select n.id, n.target, n.author, n.body, n.at from subscription s \
     join note n on n.target = s.public_id where s.customer_id = ? \
     union all select n.id, n.target, n.author, n.body, n.at from payment p \
     join note n on n.target = p.public_id where p.customer_id = ? \
     order by at desc, id desc limit 50";

const LIFETIME: &str = "select p.currency, cast(sum(p.captured_minor - p.refunded_minor) as bigint) as paid_minor \
     from payment p where p.customer_id = ? group by p.currency order by p.currency";

fn note(row: &Row) -> R<Note> {
    let cells = row.cells("note")?;
    Ok(Note {
        target: PublicId::from_stored(cells.text("target")?),
        author: cells.text("author")?,
        text: cells.text("body")?,
        at: cells.at("at")?,
    })
}

/// One customer on one screen.
pub(super) async fn customer(db: &SqlStore, id: CustomerId) -> R<CustomerCard> {
    let sql = "select id, public_id, customer_key, name, email, phone, created_at, version from customer where id = ?";
    let found = db
        .fetch_one(Noun::Customer, Query::with(sql, values![id]))
        .await?;
    let customer = nouns::read_customer(&found)?;
    let of_customer = |limit| ListQuery {
        customer: Some(id.0),
        ..ListQuery::first(limit)
    };

    let mut subscriptions =
        subscriptions::page(db, &SUBSCRIPTIONS, &of_customer(SHOWN_SUBSCRIPTIONS))
            .await?
            .rows;
    subscriptions.sort_by_key(|row| row.state.is_ended());

    let mut query = Query::new("select ");
    query.add(nouns::METHOD_COLUMNS, []).add(
        " from payment_method where customer_id = ? \
         order by case state when 'active' then 0 when 'deleted' then 1 else 2 end, created_at desc, id desc limit 50",
        values![id],
    );
    let mut methods = Vec::new();
    for row in db.fetch(query).await? {
        methods.push(nouns::read_method(&row)?);
    }

    let notes = Query::with(NOTES, values![customer.public_id.as_str(), id, id]);
    let notes = db.fetch(notes).await?;
    let lifetime = db.fetch(Query::with(LIFETIME, values![id])).await?;
    Ok(CustomerCard {
        customer,
        subscriptions,
        methods,
        payments: payments::page(db, &of_customer(SHOWN_PAYMENTS)).await?.rows,
        failures: failed::page(db, &of_customer(SHOWN_TROUBLES)).await?.rows,
        unknowns: unknowns::page(db, &of_customer(SHOWN_TROUBLES)).await?.rows,
        notes: notes.iter().map(note).collect::<R<_>>()?,
        lifetime: lifetime
            .iter()
            .map(|row| row.counts("payment").money("paid_minor"))
            .collect::<R<Vec<Money>>>()?,
        credits: 0,
    })
}

/// Reads a row of history; its id is the column `id`.
pub(super) fn change(cells: &Cells<'_>) -> R<Change> {
    Ok(Change {
        subscription_id: SubscriptionId(cells.i64("subscription_id")?),
        at: cells.at("at")?,
        from: cells.opt_word("from_state", SubscriptionState::parse)?,
        to: cells.word("to_state", SubscriptionState::parse)?,
        plan_id: PlanId(cells.i64("plan_id")?),
        price: cells.money("price_minor")?,
        quantity: cells.u32("quantity")?,
        discount_minor: cells.i64("discount_minor")?,
        cause: cells.word("cause", ChangeCause::parse)?,
        requested_by: cells.text("requested_by")?,
        requested_at: cells.at("requested_at")?,
    })
}

const CHANGES: &str = "select id, subscription_id, at, from_state, to_state, plan_id, price_minor, currency, \
     quantity, discount_minor, cause, requested_by, requested_at \
     from subscription_change where subscription_id = ? order by at desc, id desc limit 50";

/// The row of one subscription, as lists show it.
async fn row_of(db: &SqlStore, id: SubscriptionId) -> R<SubscriptionRow> {
    let mut query = Query::with(
        "with picked (id, sort_key) as (select s.id, s.created_at from subscription s where s.id = ?) ",
        values![id],
    );
    query.add(subscriptions::ROWS, []);
    let found = db.fetch_one(Noun::Subscription, query).await?;
    subscriptions::row(&found, db.zone())
}

/// One subscription with its invoices and history.
pub(super) async fn subscription(db: &SqlStore, id: SubscriptionId) -> R<SubscriptionCard> {
    let row = row_of(db, id).await?;
    let mut query = Query::new("select ");
    query
        .add(crate::store::subscriptions::COLUMNS, [])
        .add(" from subscription where id = ?", values![id]);
    let subscription = read_subscription(&db.fetch_one(Noun::Subscription, query).await?)?;

    let term = "select id, subscription_id, term_no, plan_id, anchor_date, zone, interval_unit, interval_count, \
        quantity, price_minor, currency, from_at, to_at \
        from subscription_term where subscription_id = ? and term_no = ?";
    let term = Query::with(term, values![id, subscription.term_no]);
    let term = read_term(
        &db.fetch_one(Noun::Subscription, term).await?,
        id,
        subscription.term_no,
    )?;

    let mut plan = Query::new("select ");
    plan.add(plans::COLUMNS, [])
        .add(" from plan where id = ?", values![subscription.plan_id]);
    let plan = plans::read_plan(&db.fetch_one(Noun::Plan, plan).await?)?;

    let mut query = Query::new("select ");
    query.add(invoices::COLUMNS, []).add(
        " from invoice where subscription_id = ? order by due_at desc, id desc limit 24",
        values![id],
    );
    let found = db.fetch(query).await?;
    let changes = db.fetch(Query::with(CHANGES, values![id])).await?;
    Ok(SubscriptionCard {
        row,
        subscription,
        term,
        plan,
        invoices: found.iter().map(invoices::read).collect::<R<_>>()?,
        changes: changes
            .iter()
            .map(|row| change(&row.cells("subscription_change")?))
            .collect::<R<_>>()?,
        mirror: mirror(db, id).await?,
    })
}

/// How its provider stands to a subscription.
async fn mirror(db: &SqlStore, id: SubscriptionId) -> R<Option<MirrorCard>> {
    let sql = "select id, collection, resumes_at from mirror where subscription_id = ?";
    let found = db.fetch(Query::with(sql, values![id])).await?;
    let Some(row) = found.first() else {
        return Ok(None);
    };
    let cells = row.cells("mirror")?;
    Ok(Some(MirrorCard {
        collection: cells.word("collection", Collection::parse)?,
        resumes_at: cells.opt_at("resumes_at")?,
        wish: wishes::of(db, id).await?,
    }))
}

impl SqlStore {
    /// How many cards at a provider can be charged.
    pub async fn count_active_cards(&self, provider: ProviderName) -> R<u64> {
        const COUNT: &str =
            "select count(*) as n from payment_method where state = 'active' and provider = ?";
        let counted = self
            .fetch_number(Query::with(COUNT, values![provider.as_str()]))
            .await?;
        Ok(u64::try_from(counted).unwrap_or(0))
    }
}
