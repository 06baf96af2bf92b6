//! Subscriptions, their terms and their history.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::batch::Written;
use super::sql::{Row, Stmt, args, claimed, each_of, locked};
use super::tx::SqlTx;
use crate::domain::ids::{CustomerId, MethodId, Noun, PlanId, ProductId, SubscriptionId};
use crate::domain::mirror::Scheduler;
use crate::domain::period::{Anchor, Interval, Unit};
use crate::domain::states::SubscriptionState;
use crate::domain::subscription::{Change, Subscription, Term};
use crate::engine::ports::{Exclusivity, NewSubscription, StoreError, Subscriptions};

type R<T> = Result<T, StoreError>;

macro_rules! columns {
    () => {
        "id, public_id, customer_id, product_id, plan_id, state, quantity, method_id, mode, term_no, next_period, next_due_at, paid_until, trial_until, cancel_at, cancel_requested_at, ended_at, first_failed_at, scheduler, created_at, version"
    };
}
/// What [`read`] reads.
pub(super) const COLUMNS: &str = columns!();
const INSERT: Stmt = Stmt::both(
    "insert into subscription (public_id, tail, customer_id, product_id, plan_id, state, quantity, method_id, mode, term_no, next_period, next_due_at, trial_until, exclusive_key, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 0, $10, $11, $12, $13) returning id",
);
const LOCK: Stmt = locked!("select ", columns!(), " from subscription where id = $1");
const SAVE: Stmt = Stmt::of_rows(
    "update subscription set plan_id = e.value ->> 2, state = e.value ->> 3, quantity = e.value ->> 4, method_id = e.value ->> 5, term_no = e.value ->> 6, next_period = e.value ->> 7, next_due_at = e.value ->> 8, paid_until = e.value ->> 9, trial_until = e.value ->> 10, cancel_at = e.value ->> 11, cancel_requested_at = e.value ->> 12, ended_at = e.value ->> 13, first_failed_at = e.value ->> 14, version = subscription.version + 1
    from json_each($1) e
    where subscription.id = (e.value ->> 0) and subscription.version = (e.value ->> 1)",
    "update subscription s set plan_id = new.plan_id, state = new.state, quantity = new.quantity, method_id = new.method_id, term_no = new.term_no, next_period = new.next_period, next_due_at = new.next_due_at, paid_until = new.paid_until, trial_until = new.trial_until, cancel_at = new.cancel_at, cancel_requested_at = new.cancel_requested_at, ended_at = new.ended_at, first_failed_at = new.first_failed_at, version = s.version + 1
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[])
    as new (id, version, plan_id, state, quantity, method_id, term_no, next_period, next_due_at, paid_until, trial_until, cancel_at, cancel_requested_at, ended_at, first_failed_at)
    where s.id = new.id and s.version = new.version",
);
const LOCK_EACH: Stmt = each_of!(
    concat!("select ", columns!(), " from subscription"),
    "id",
    locked
);
const CLAIM_DUE: Stmt = claimed!(
    "select ",
    columns!(),
    " from subscription where run_at <= $1 and scheduler = 'paydeck' order by run_at, id limit $2"
);
const COUNT_DUE: Stmt = Stmt::both(
    "select count(*) as n from subscription where run_at <= $1 and scheduler = 'paydeck'",
);
const CLAIM_INCOMPLETE: Stmt = claimed!(
    "select ",
    columns!(),
    " from subscription where state = 'incomplete' and scheduler = 'paydeck' and created_at < $1
        and not exists (select 1 from invoice i join attempt a on a.invoice_id = i.id
            where i.subscription_id = subscription.id and i.state in ('open', 'draft', 'uncollectible') and a.kind = 'charge' and a.state in ('waiting_approval', 'ready', 'sent', 'unknown'))
        order by created_at, id limit $2"
);

const RUNNING_OF: Stmt = Stmt::both(
    "select id from subscription where customer_id = $1 and scheduler = 'paydeck' and state not in ('canceled', 'expired')
     order by id limit 1000",
);

const INSERT_TERM: Stmt = Stmt::both(
    "insert into subscription_term (subscription_id, term_no, plan_id, anchor_date, zone, interval_unit, interval_count, quantity, price_minor, currency, from_at, to_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
);
macro_rules! term_columns {
    () => {
        "t.id, t.subscription_id, t.term_no, t.plan_id, t.anchor_date, t.zone, t.interval_unit, t.interval_count, t.quantity, t.price_minor, t.currency, t.from_at, t.to_at"
    };
}
const TERM: Stmt = Stmt::both(concat!(
    "select ",
    term_columns!(),
    " from subscription_term t where t.subscription_id = $1 and t.term_no = $2"
));
const TERM_OF_EACH: Stmt = each_of!(
    concat!(
        "select ",
        term_columns!(),
        " from subscription_term t join subscription s on s.id = t.subscription_id and s.term_no = t.term_no"
    ),
    "s.id"
);
const TERM_OF_EACH_INVOICE: Stmt = each_of!(
    concat!(
        "select ",
        term_columns!(),
        " from subscription_term t join invoice i on i.subscription_id = t.subscription_id and i.term_no = t.term_no"
    ),
    "i.id"
);
const END_TERM: Stmt = Stmt::both(
    "update subscription_term set to_at = $3 where subscription_id = $1 and term_no = $2 and to_at is null",
);
const INSERT_CHANGE: Stmt = Stmt::of_rows(
    "insert into subscription_change (subscription_id, at, from_state, to_state, plan_id, price_minor, currency, quantity, discount_minor, cause, requested_by, requested_at)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9, e.value ->> 10, e.value ->> 11
    from json_each($1) e",
    "insert into subscription_change (subscription_id, at, from_state, to_state, plan_id, price_minor, currency, quantity, discount_minor, cause, requested_by, requested_at)
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::bigint[])",
);

pub(super) fn read(row: &Row) -> R<Subscription> {
    let cells = row.cells("subscription")?;
    Ok(Subscription {
        id: SubscriptionId(cells.i64("id")?),
        public_id: cells.public_id()?,
        customer_id: CustomerId(cells.i64("customer_id")?),
        product_id: ProductId(cells.i64("product_id")?),
        plan_id: PlanId(cells.i64("plan_id")?),
        state: cells.word("state", SubscriptionState::parse)?,
        quantity: cells.u32("quantity")?,
        method_id: cells.opt_i64("method_id")?.map(MethodId),
        mode: cells.mode()?,
        term_no: cells.u32("term_no")?,
        next_period: cells.u32("next_period")?,
        next_due_at: cells.opt_at("next_due_at")?,
        paid_until: cells.opt_at("paid_until")?,
        trial_until: cells.opt_at("trial_until")?,
        cancel_at: cells.opt_at("cancel_at")?,
        cancel_requested_at: cells.opt_at("cancel_requested_at")?,
        ended_at: cells.opt_at("ended_at")?,
        first_failed_at: cells.opt_at("first_failed_at")?,
        scheduler: cells.word("scheduler", Scheduler::parse)?,
        created_at: cells.at("created_at")?,
        version: cells.i64("version")?,
    })
}

/// Reads a row of `subscription_term`, whose own keys the caller knows.
pub(super) fn read_term(row: &Row, id: SubscriptionId, term_no: u32) -> R<Term> {
    let cells = row.cells("subscription_term")?;
    Ok(Term {
        subscription_id: id,
        term_no,
        plan_id: PlanId(cells.i64("plan_id")?),
        anchor: Anchor {
            date: cells.day("anchor_date")?,
            zone: cells.word("zone", |name| name.parse::<Tz>().ok())?,
            interval: Interval {
                unit: cells.word("interval_unit", Unit::parse)?,
                count: cells.u32("interval_count")?,
            },
        },
        quantity: cells.u32("quantity")?,
        price: cells.money("price_minor")?,
        from_at: cells.at("from_at")?,
        to_at: cells.opt_at("to_at")?,
    })
}

impl SqlTx<'_> {
    /// Reads ahead subscriptions, locked; gives their methods.
    pub(super) async fn foresee_subscriptions(&mut self, ids: &[i64]) -> R<Vec<i64>> {
        let rows = self.read_each(&LOCK, &LOCK_EACH, ids, &["id"]).await?;
        let methods: R<Vec<Option<i64>>> = rows
            .iter()
            .map(|row| row.counts("subscription").opt_i64("method_id"))
            .collect();
        Ok(methods?.into_iter().flatten().collect())
    }

    /// Reads ahead the terms that subscriptions run on.
    pub(super) async fn foresee_terms(&mut self, subscriptions: &[i64]) -> R<()> {
        self.read_each(&TERM, &TERM_OF_EACH, subscriptions, &TERM_KEY)
            .await
            .map(|_rows| ())
    }

    /// Reads ahead the terms that invoices were made under.
    pub(super) async fn foresee_terms_of_invoices(&mut self, invoices: &[i64]) -> R<()> {
        self.read_each(&TERM, &TERM_OF_EACH_INVOICE, invoices, &TERM_KEY)
            .await
            .map(|_rows| ())
    }
}

const TERM_KEY: [&str; 2] = ["subscription_id", "term_no"];

impl Subscriptions for SqlTx<'_> {
    async fn insert_subscription(&mut self, new: &NewSubscription<'_>) -> R<SubscriptionId> {
        let exclusive_key = match new.exclusivity {
            Exclusivity::Any => None,
            Exclusivity::OnePerProduct => {
                Some(format!("{}:{}", new.customer_id.0, new.product_id.0))
            }
        };
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.customer_id,
            new.product_id,
            new.plan_id,
            new.state.as_str(),
            new.quantity,
            new.method_id,
            new.mode.as_str(),
            new.next_due_at,
            new.trial_until,
            exclusive_key,
            new.at
        ];
        self.insert(&INSERT, values).await.map(SubscriptionId)
    }

    async fn lock_subscription(&mut self, id: SubscriptionId) -> R<Subscription> {
        read(&self.one(&LOCK, args![id], Noun::Subscription).await?)
    }

    async fn save_subscription(&mut self, subscription: &Subscription) -> R<()> {
        let values = args![
            subscription.id,
            subscription.version,
            subscription.plan_id,
            subscription.state.as_str(),
            subscription.quantity,
            subscription.method_id,
            subscription.term_no,
            subscription.next_period,
            subscription.next_due_at,
            subscription.paid_until,
            subscription.trial_until,
            subscription.cancel_at,
            subscription.cancel_requested_at,
            subscription.ended_at,
            subscription.first_failed_at
        ];
        self.forget(&LOCK, args![subscription.id]);
        let row = (Noun::Subscription, subscription.id.0);
        self.move_row(Written::SubscriptionMoves, &SAVE, values, row)
            .await
    }

    async fn running_subscriptions_of(&mut self, customer: CustomerId) -> R<Vec<SubscriptionId>> {
        let rows = self.rows(&RUNNING_OF, args![customer]).await?;
        let id = |row: &Row| row.counts("subscription").i64("id").map(SubscriptionId);
        rows.iter().map(id).collect()
    }

    async fn insert_term(&mut self, term: &Term) -> R<()> {
        let values = args![
            term.subscription_id,
            term.term_no,
            term.plan_id,
            term.anchor.date,
            term.anchor.zone.name(),
            term.anchor.interval.unit.as_str(),
            term.anchor.interval.count,
            term.quantity,
            term.price.minor(),
            term.price.currency().code(),
            term.from_at,
            term.to_at
        ];
        self.execute(&INSERT_TERM, values).await.map(|_rows| ())
    }

    async fn term(&mut self, id: SubscriptionId, term_no: u32) -> R<Term> {
        let row = self
            .one(&TERM, args![id, term_no], Noun::Subscription)
            .await?;
        read_term(&row, id, term_no)
    }

    async fn end_term(&mut self, id: SubscriptionId, term_no: u32, at: DateTime<Utc>) -> R<()> {
        self.forget(&TERM, args![id, term_no]);
        self.change(&END_TERM, args![id, term_no, at], Noun::Subscription)
            .await
    }

    async fn insert_change(&mut self, change: &Change) -> R<()> {
        let values = args![
            change.subscription_id,
            change.at,
            change.from.map(SubscriptionState::as_str),
            change.to.as_str(),
            change.plan_id,
            change.price.minor(),
            change.price.currency().code(),
            change.quantity,
            change.discount_minor,
            change.cause.as_str(),
            change.requested_by.as_str(),
            change.requested_at
        ];
        self.append(Written::Changes, &INSERT_CHANGE, values).await
    }

    async fn claim_due_subscriptions(
        &mut self,
        until: DateTime<Utc>,
        limit: u32,
    ) -> R<Vec<Subscription>> {
        let rows = self.rows(&CLAIM_DUE, args![until, limit]).await?;
        rows.iter().map(read).collect()
    }

    async fn count_due_subscriptions(&mut self, until: DateTime<Utc>) -> R<u64> {
        self.count(&COUNT_DUE, args![until]).await
    }

    async fn claim_stale_incomplete(
        &mut self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> R<Vec<Subscription>> {
        let rows = self.rows(&CLAIM_INCOMPLETE, args![before, limit]).await?;
        rows.iter().map(read).collect()
    }
}
