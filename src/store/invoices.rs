//! Invoices and their lines.

use chrono::{DateTime, Utc};

use super::batch::Written;
use super::sql::{Row, Stmt, args, each_of, ids_of, locked};
use super::tx::SqlTx;
use crate::domain::dunning::DunningState;
use crate::domain::failure::FailureClass;
use crate::domain::ids::{CustomerId, InvoiceId, Noun, SubscriptionId};
use crate::domain::invoice::{Invoice, InvoiceKind};
use crate::domain::states::InvoiceState;
use crate::engine::ports::{Invoices, NewInvoice, StoreError};

type R<T> = Result<T, StoreError>;

macro_rules! columns {
    () => {
        "id, public_id, customer_id, subscription_id, term_no, period_index, kind, state, amount_minor, currency, description, due_at, period_from, period_to, attempts, dunning_used, dunning, next_attempt_at, first_failed_at, last_code, last_class, paid_at, created_at, version"
    };
}

/// What [`read`] reads.
pub(super) const COLUMNS: &str = columns!();
const INSERT: Stmt = Stmt::of_rows(
    "insert into invoice (id, public_id, tail, customer_id, subscription_id, term_no, period_index, kind, state, amount_minor, currency, description, due_at, period_from, period_to, created_at)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9, e.value ->> 10, e.value ->> 11, e.value ->> 12, e.value ->> 13, e.value ->> 14, e.value ->> 15
    from json_each($1) e returning id",
    "insert into invoice (id, public_id, tail, customer_id, subscription_id, term_no, period_index, kind, state, amount_minor, currency, description, due_at, period_from, period_to, created_at)
    select coalesce(id, nextval('invoice_id_seq')), public_id, tail, customer_id, subscription_id, term_no, period_index, kind, state, amount_minor, currency, description, due_at, period_from, period_to, created_at
    from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::text[], $16::bigint[])
    as new (id, public_id, tail, customer_id, subscription_id, term_no, period_index, kind, state, amount_minor, currency, description, due_at, period_from, period_to, created_at) returning id",
);
const IDS: Stmt = ids_of!("invoice");
const INSERT_LINE: Stmt = Stmt::of_rows(
    "insert into invoice_line (invoice_id, line_no, description, quantity, amount_minor, currency)
    select e.value ->> 0, 1, e.value ->> 1, 1, e.value ->> 2, e.value ->> 3
    from json_each($1) e",
    "insert into invoice_line (invoice_id, line_no, description, quantity, amount_minor, currency)
    select invoice_id, 1, description, 1, amount_minor, currency
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[]) as new (invoice_id, description, amount_minor, currency)",
);
const SUBSCRIPTION_OF: Stmt = Stmt::both("select subscription_id from invoice where id = $1");
const LOCK: Stmt = locked!("select ", columns!(), " from invoice where id = $1");
const SAVE: Stmt = Stmt::of_rows(
    "update invoice set state = e.value ->> 2, attempts = e.value ->> 3, dunning_used = e.value ->> 4, dunning = e.value ->> 5, next_attempt_at = e.value ->> 6, first_failed_at = e.value ->> 7, last_code = e.value ->> 8, last_class = e.value ->> 9, paid_at = e.value ->> 10, version = invoice.version + 1
    from json_each($1) e
    where invoice.id = (e.value ->> 0) and invoice.version = (e.value ->> 1)",
    "update invoice i set state = new.state, attempts = new.attempts, dunning_used = new.dunning_used, dunning = new.dunning, next_attempt_at = new.next_attempt_at, first_failed_at = new.first_failed_at, last_code = new.last_code, last_class = new.last_class, paid_at = new.paid_at, version = i.version + 1
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::bigint[])
    as new (id, version, state, attempts, dunning_used, dunning, next_attempt_at, first_failed_at, last_code, last_class, paid_at)
    where i.id = new.id and i.version = new.version",
);
const LOCK_EACH: Stmt = each_of!(
    concat!("select ", columns!(), " from invoice"),
    "id",
    locked
);
const SUBSCRIPTION_OF_EACH: Stmt = each_of!("select id, subscription_id from invoice", "id");
const UNPAID_OF: Stmt = locked!(
    "select ",
    columns!(),
    " from invoice where subscription_id = $1 and state in ('draft', 'open', 'uncollectible') order by due_at, id"
);
/// Locks each invoice's subscription in the same step, without waiting: the order in which rows are
/// locked (subscription before invoice) is kept by never waiting for either. What is locked is read
/// from inside, because only there PostgreSQL shows a row as it is now. One-time charges are retried
/// by people alone.
const CLAIM_DUE: Stmt = Stmt::split(
    concat!(
        "select ",
        columns!(),
        " from invoice where state = 'open' and dunning = 'scheduled' and next_attempt_at <= $1 and subscription_id is not null
        order by next_attempt_at, id limit $2"
    ),
    concat!(
        "select ",
        columns!(),
        " from (select i.* from invoice i join subscription s on s.id = i.subscription_id
            where i.state = 'open' and i.dunning = 'scheduled' and i.next_attempt_at <= $1
            order by i.next_attempt_at, i.id limit $2 for no key update skip locked) due
        order by next_attempt_at, id"
    ),
);
const COUNT_DUE: Stmt = Stmt::both(
    "select count(*) as n from invoice where state = 'open' and dunning = 'scheduled' and next_attempt_at <= $1 and subscription_id is not null",
);

pub(super) fn read(row: &Row) -> R<Invoice> {
    let cells = row.cells("invoice")?;
    Ok(Invoice {
        id: InvoiceId(cells.i64("id")?),
        public_id: cells.public_id()?,
        customer_id: CustomerId(cells.i64("customer_id")?),
        subscription_id: cells.opt_i64("subscription_id")?.map(SubscriptionId),
        term_no: cells.u32("term_no")?,
        period_index: cells.u32("period_index")?,
        kind: cells.word("kind", InvoiceKind::parse)?,
        state: cells.word("state", InvoiceState::parse)?,
        amount: cells.money("amount_minor")?,
        description: cells.text("description")?,
        due_at: cells.at("due_at")?,
        period_from: cells.day("period_from")?,
        period_to: cells.day("period_to")?,
        attempts: cells.u32("attempts")?,
        dunning_used: cells.u32("dunning_used")?,
        dunning: cells.word("dunning", DunningState::parse)?,
        next_attempt_at: cells.opt_at("next_attempt_at")?,
        first_failed_at: cells.opt_at("first_failed_at")?,
        last_code: cells.opt_text("last_code")?,
        last_class: cells.opt_word("last_class", FailureClass::parse)?,
        paid_at: cells.opt_at("paid_at")?,
        created_at: cells.at("created_at")?,
        version: cells.i64("version")?,
    })
}

const FAILED_OF_CUSTOMER: Stmt = Stmt::both(
    "select id from invoice where customer_id = $1 and state = 'open' and first_failed_at is not null and provider_ref is null
     order by due_at, id limit 100",
);

impl SqlTx<'_> {
    /// Reads ahead invoices, locked, and whose they are.
    pub(super) async fn foresee_invoices(&mut self, ids: &[i64]) -> R<()> {
        self.read_each(&LOCK, &LOCK_EACH, ids, &["id"]).await?;
        self.read_each(&SUBSCRIPTION_OF, &SUBSCRIPTION_OF_EACH, ids, &["id"])
            .await
            .map(|_rows| ())
    }
}

impl Invoices for SqlTx<'_> {
    async fn insert_invoice(&mut self, new: &NewInvoice<'_>) -> R<InvoiceId> {
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
            new.at
        ];
        let id = self.make(Written::Invoices, &INSERT, &IDS, values).await?;
        let line = args![id, new.description, minor, currency.code()];
        self.append(Written::Lines, &INSERT_LINE, line).await?;
        Ok(InvoiceId(id))
    }

    async fn subscription_of_invoice(&mut self, id: InvoiceId) -> R<Option<SubscriptionId>> {
        let row = self.one(&SUBSCRIPTION_OF, args![id], Noun::Invoice).await?;
        let id = row.counts("invoice").opt_i64("subscription_id")?;
        Ok(id.map(SubscriptionId))
    }

    async fn lock_invoice(&mut self, id: InvoiceId) -> R<Invoice> {
        read(&self.one(&LOCK, args![id], Noun::Invoice).await?)
    }

    async fn save_invoice(&mut self, invoice: &Invoice) -> R<()> {
        let values = args![
            invoice.id,
            invoice.version,
            invoice.state.as_str(),
            invoice.attempts,
            invoice.dunning_used,
            invoice.dunning.as_str(),
            invoice.next_attempt_at,
            invoice.first_failed_at,
            invoice.last_code.as_deref(),
            invoice.last_class.map(FailureClass::as_str),
            invoice.paid_at
        ];
        self.forget(&LOCK, args![invoice.id]);
        let row = (Noun::Invoice, invoice.id.0);
        self.move_row(Written::InvoiceMoves, &SAVE, values, row)
            .await
    }

    async fn unpaid_invoices_of(&mut self, id: SubscriptionId) -> R<Vec<Invoice>> {
        let rows = self.rows(&UNPAID_OF, args![id]).await?;
        rows.iter().map(read).collect()
    }

    async fn failed_invoices_of_customer(&mut self, customer: CustomerId) -> R<Vec<InvoiceId>> {
        let rows = self.rows(&FAILED_OF_CUSTOMER, args![customer]).await?;
        let id = |row: &Row| row.counts("invoice").i64("id").map(InvoiceId);
        rows.iter().map(id).collect()
    }

    async fn claim_due_dunning(&mut self, until: DateTime<Utc>, limit: u32) -> R<Vec<Invoice>> {
        let rows = self.rows(&CLAIM_DUE, args![until, limit]).await?;
        rows.iter().map(read).collect()
    }

    async fn count_due_dunning(&mut self, until: DateTime<Utc>) -> R<u64> {
        self.count(&COUNT_DUE, args![until]).await
    }
}
