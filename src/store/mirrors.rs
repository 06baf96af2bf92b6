//! Subscriptions that a provider schedules, and their invoices. That nobody charges them here is in the schema itself.

use chrono::{DateTime, Utc};

use super::sql::{Row, Stmt, args, locked};
use super::tx::SqlTx;
use crate::domain::ids::{CustomerId, InvoiceId, Noun, SubscriptionId};
use crate::domain::mirror::{Collection, Mirror};
use crate::engine::ports::{NewInvoice, NewSubscription, StoreError};

type R<T> = Result<T, StoreError>;

const INSERT_SUBSCRIPTION: Stmt = Stmt::both(
    "insert into subscription (public_id, tail, customer_id, product_id, plan_id, state, quantity, method_id, mode, term_no, next_period, next_due_at, trial_until, scheduler, provider_ref, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 0, $10, $11, 'stripe', $12, $13) returning id",
);
const INSERT_MIRROR: Stmt = Stmt::both(
    "insert into mirror (subscription_id, provider_customer, collection, resumes_at, read_at)
    values ($1, $2, $3, $4, $5) returning id",
);
const MIRRORED: Stmt = Stmt::both("select id from subscription where provider_ref = $1");
const MIRROR: Stmt = locked!(
    "select m.id, m.subscription_id, s.provider_ref, m.provider_customer, m.collection, m.resumes_at, m.read_at, m.read_again_at, m.tries, m.version
    from mirror m join subscription s on s.id = m.subscription_id where m.subscription_id = $1"
);
const SAVE_MIRROR: Stmt = Stmt::both(
    "update mirror set provider_customer = $3, collection = $4, resumes_at = $5, read_at = $6, read_again_at = $7, tries = $8, version = version + 1
    where subscription_id = $1 and version = $2",
);
const MARK: Stmt = Stmt::both("update mirror set read_again_at = $2 where subscription_id = $1");
const TO_READ: Stmt = Stmt::both(
    "select subscription_id from mirror where read_again_at <= $1 order by read_again_at, subscription_id limit $2",
);
const AFTER: Stmt = Stmt::both(
    "select subscription_id from mirror where subscription_id > $1 order by subscription_id limit $2",
);
const OF_CUSTOMER: Stmt = Stmt::both(
    "select subscription_id from mirror where provider_customer = $1 order by id limit 1000",
);
const OF_PAYMENT: Stmt = Stmt::both(
    "select a.subscription_id from attempt a join invoice i on i.id = a.invoice_id
    where a.provider_ref = $1 and i.provider_ref is not null and a.subscription_id is not null order by a.id limit 1",
);
const CUSTOMER_BY_KEY: Stmt = Stmt::both("select id from customer where customer_key = $1");
const INSERT_INVOICE: Stmt = Stmt::both(
    "insert into invoice (public_id, tail, customer_id, subscription_id, term_no, period_index, kind, state, amount_minor, currency, description, due_at, period_from, period_to, created_at, provider_ref)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) returning id",
);
const INSERT_LINE: Stmt = Stmt::both(
    "insert into invoice_line (invoice_id, line_no, description, quantity, amount_minor, currency)
    values ($1, 1, $2, 1, $3, $4)",
);
const INVOICES: Stmt = Stmt::both(
    "select id, provider_ref from invoice where subscription_id = $1 and provider_ref is not null order by id limit 10000",
);

fn read(row: &Row) -> R<Mirror> {
    let cells = row.cells("mirror")?;
    Ok(Mirror {
        subscription_id: SubscriptionId(cells.i64("subscription_id")?),
        provider_ref: cells.text("provider_ref")?,
        provider_customer: cells.text("provider_customer")?,
        collection: cells.word("collection", Collection::parse)?,
        resumes_at: cells.opt_at("resumes_at")?,
        read_at: cells.at("read_at")?,
        read_again_at: cells.opt_at("read_again_at")?,
        tries: cells.u32("tries")?,
        version: cells.i64("version")?,
    })
}

fn subscription(row: &Row) -> R<SubscriptionId> {
    let id = row.counts("mirror").i64("subscription_id")?;
    Ok(SubscriptionId(id))
}

impl SqlTx<'_> {
    pub(super) async fn write_mirrored(
        &mut self,
        new: &NewSubscription<'_>,
        mirror: &Mirror,
    ) -> R<SubscriptionId> {
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
            mirror.provider_ref.as_str(),
            new.at
        ];
        let id = self.insert(&INSERT_SUBSCRIPTION, values).await?;
        let values = args![
            id,
            mirror.provider_customer.as_str(),
            mirror.collection.as_str(),
            mirror.resumes_at,
            mirror.read_at
        ];
        self.insert(&INSERT_MIRROR, values).await?;
        Ok(SubscriptionId(id))
    }

    pub(super) async fn find_mirrored(&mut self, provider_ref: &str) -> R<Option<SubscriptionId>> {
        let row = self.maybe(&MIRRORED, args![provider_ref]).await?;
        let id = |row: Row| row.counts("subscription").i64("id").map(SubscriptionId);
        row.map(id).transpose()
    }

    pub(super) async fn read_mirror(&mut self, id: SubscriptionId) -> R<Option<Mirror>> {
        let row = self.maybe(&MIRROR, args![id]).await?;
        row.as_ref().map(read).transpose()
    }

    pub(super) async fn write_mirror(&mut self, mirror: &Mirror) -> R<()> {
        let values = args![
            mirror.subscription_id,
            mirror.version,
            mirror.provider_customer.as_str(),
            mirror.collection.as_str(),
            mirror.resumes_at,
            mirror.read_at,
            mirror.read_again_at,
            mirror.tries
        ];
        self.change(&SAVE_MIRROR, values, Noun::Subscription).await
    }

    pub(super) async fn write_mirror_mark(
        &mut self,
        id: SubscriptionId,
        at: DateTime<Utc>,
    ) -> R<()> {
        self.execute(&MARK, args![id, at]).await.map(|_rows| ())
    }

    pub(super) async fn list_mirrors_to_read(
        &mut self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> R<Vec<SubscriptionId>> {
        let rows = self.rows(&TO_READ, args![now, limit]).await?;
        rows.iter().map(subscription).collect()
    }

    pub(super) async fn list_mirrors(
        &mut self,
        after: SubscriptionId,
        limit: u32,
    ) -> R<Vec<SubscriptionId>> {
        let rows = self.rows(&AFTER, args![after, limit]).await?;
        rows.iter().map(subscription).collect()
    }

    pub(super) async fn list_mirrors_of(
        &mut self,
        provider_customer: &str,
    ) -> R<Vec<SubscriptionId>> {
        let rows = self.rows(&OF_CUSTOMER, args![provider_customer]).await?;
        rows.iter().map(subscription).collect()
    }

    pub(super) async fn find_mirror_of_payment(
        &mut self,
        provider_ref: &str,
    ) -> R<Option<SubscriptionId>> {
        let row = self.maybe(&OF_PAYMENT, args![provider_ref]).await?;
        row.as_ref().map(subscription).transpose()
    }

    pub(super) async fn find_customer_by_key(&mut self, key: &str) -> R<Option<CustomerId>> {
        let row = self.maybe(&CUSTOMER_BY_KEY, args![key]).await?;
        let id = |row: Row| row.counts("customer").i64("id").map(CustomerId);
        row.map(id).transpose()
    }

    pub(super) async fn write_mirrored_invoice(
        &mut self,
        new: &NewInvoice<'_>,
        provider_ref: &str,
    ) -> R<InvoiceId> {
        let (minor, currency) = (new.amount.minor(), new.amount.currency());
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.customer_id,
            new.subscription_id,
            new.term_no,
            new.period_index,
            new.kind.as_str(),
            new.state.as_str(),
            minor,
            currency.code(),
            new.description,
            new.due_at,
            new.period_from,
            new.period_to,
            new.at,
            provider_ref
        ];
        let id = self.insert(&INSERT_INVOICE, values).await?;
        let line = args![id, new.description, minor, currency.code()];
        self.execute(&INSERT_LINE, line).await?;
        Ok(InvoiceId(id))
    }

    pub(super) async fn list_mirrored_invoices(
        &mut self,
        id: SubscriptionId,
    ) -> R<Vec<(InvoiceId, String)>> {
        let rows = self.rows(&INVOICES, args![id]).await?;
        let named = |row: &Row| {
            let cells = row.cells("invoice")?;
            Ok((InvoiceId(cells.i64("id")?), cells.text("provider_ref")?))
        };
        rows.iter().map(named).collect()
    }
}
