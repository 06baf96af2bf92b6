//! Customers, their payment methods, notes, and what an id that a person typed means.

use chrono::{DateTime, Utc};

use super::open::SqlStore;
use super::sql::{Cells, Row, Stmt, Value, args, each_of, locked};
use super::tx::SqlTx;
use crate::domain::customer::{Card, Customer, PaymentMethod, SealedKey};
use crate::domain::ids::{CustomerId, IdQuery, MethodId, Noun, PublicId};
use crate::domain::states::MethodState;
use crate::engine::ports::{Customers, Found, NewCustomer, NewMethod, StoreError};
use crate::text;

type R<T> = Result<T, StoreError>;

/// The statements that find a row by its whole public id and by a range of reversed ids.
macro_rules! finders {
    ($($noun:ident $table:literal),+ $(,)?) => {
        const fn finders(noun: Noun) -> (Stmt, Stmt) {
            match noun {$(
                Noun::$noun => (
                    Stmt::both(concat!("select id from ", $table, " where public_id = $1")),
                    Stmt::both(concat!("select id from ", $table, " where tail >= $1 and tail < $2 limit 2")),
                ),
            )+}
        }
    };
}

finders! {
    Customer "customer", Method "payment_method", Product "product", Plan "plan",
    Subscription "subscription", Invoice "invoice", Attempt "attempt", Payment "payment",
    Refund "refund", Run "run", Approval "approval",
}

const INSERT_CUSTOMER: Stmt = Stmt::both(
    "insert into customer (public_id, tail, customer_key, name, email, phone, name_jamo, name_initials, email_lower, phone_digits, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id",
);
const CUSTOMER: Stmt = Stmt::both(
    "select id, public_id, customer_key, name, email, phone, created_at, version from customer where id = $1",
);
const CUSTOMER_EACH: Stmt = each_of!(
    "select id, public_id, customer_key, name, email, phone, created_at, version from customer",
    "id"
);
const SAVE_CUSTOMER: Stmt = Stmt::both(
    "update customer set name = $3, email = $4, phone = $5, name_jamo = $6, name_initials = $7, email_lower = $8, phone_digits = $9, version = version + 1
    where id = $1 and version = $2",
);

macro_rules! method_columns {
    () => {
        "id, public_id, customer_id, provider, mode, issuer, number, kind, exp_year, exp_month, state, created_at, version"
    };
}
/// What [`read_method`] reads.
pub(super) const METHOD_COLUMNS: &str = method_columns!();
const INSERT_METHOD: Stmt = Stmt::both(
    "insert into payment_method (public_id, tail, customer_id, provider, mode, issuer, number, last4, kind, exp_year, exp_month, sealed, key_id, key_hash, state, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'active', $15) returning id",
);
const METHOD: Stmt = Stmt::both(concat!(
    "select ",
    method_columns!(),
    " from payment_method where id = $1"
));
const METHOD_EACH: Stmt = each_of!(
    concat!("select ", method_columns!(), " from payment_method"),
    "id"
);
const SEALED_KEY_EACH: Stmt = each_of!(
    "select id, sealed, key_id, key_hash from payment_method",
    "id"
);
const ACTIVE_METHOD: Stmt = Stmt::both(concat!(
    "select ",
    method_columns!(),
    " from payment_method where customer_id = $1 and state = 'active' order by created_at desc, id desc limit 1"
));
const ACTIVE_METHODS: Stmt = Stmt::both(concat!(
    "select ",
    method_columns!(),
    " from payment_method where customer_id = $1 and state = 'active' order by created_at desc, id desc"
));
const METHODS: Stmt = Stmt::both(concat!(
    "select ",
    method_columns!(),
    " from payment_method where customer_id = $1 order by created_at desc, id desc"
));
const SEALED_KEY: Stmt =
    Stmt::both("select id, sealed, key_id, key_hash from payment_method where id = $1");
const SEALED_OTHERWISE: Stmt = locked!(
    "select ",
    method_columns!(),
    " from payment_method where key_id <> $1 and id > $2 order by id limit $3"
);
const SAVE_SEALED: Stmt =
    Stmt::both("update payment_method set sealed = $2, key_id = $3, key_hash = $4 where id = $1");
const METHOD_BY_HASH: Stmt = Stmt::both("select id from payment_method where key_hash = $1");
const MOVE_METHOD: Stmt = Stmt::both(
    "update payment_method set state = $3, deleted_at = case when $3 = 'deleted' then $4 else deleted_at end, version = version + 1
    where id = $1 and state = $2",
);

const INSERT_NOTE: Stmt =
    Stmt::both("insert into note (target, author, body, at) values ($1, $2, $3, $4)");
const INSERT_ISSUE: Stmt = Stmt::both(
    "insert into method_issue (customer_id, auth_key_hash, operator, created_at) values ($1, $2, $3, $4) returning id",
);
const FINISH_ISSUE: Stmt = Stmt::both(
    "update method_issue set outcome = $2, method_id = $3, code = $4, finished_at = $5 where id = $1 and outcome is null",
);

/// What searches look at, derived from contact data.
pub(super) struct SearchKeys {
    pub(super) jamo: String,
    pub(super) initials: String,
    pub(super) email: String,
    pub(super) phone: String,
}

impl SearchKeys {
    pub(super) fn of(name: &str, email: &str, phone: &str) -> Self {
        Self {
            jamo: text::search_key(name),
            initials: text::initials(name),
            email: email.trim().to_lowercase(),
            phone: text::phone_key(phone),
        }
    }
}

pub(super) fn read_customer(row: &Row) -> R<Customer> {
    let cells = row.cells("customer")?;
    Ok(Customer {
        id: CustomerId(cells.i64("id")?),
        public_id: cells.public_id()?,
        customer_key: cells.text("customer_key")?,
        name: cells.text("name")?,
        email: cells.text("email")?,
        phone: cells.text("phone")?,
        created_at: cells.at("created_at")?,
        version: cells.i64("version")?,
    })
}

fn read_expiry(cells: &Cells<'_>) -> R<Option<(i32, u32)>> {
    let Some(year) = cells.opt_i64("exp_year")? else {
        return Ok(None);
    };
    let year = i32::try_from(year).map_err(|_| cells.bad(format!("exp_year is {year}")))?;
    Ok(Some((year, cells.u32("exp_month")?)))
}

pub(super) fn read_method(row: &Row) -> R<PaymentMethod> {
    let cells = row.cells("payment_method")?;
    Ok(PaymentMethod {
        id: MethodId(cells.i64("id")?),
        public_id: cells.public_id()?,
        customer_id: CustomerId(cells.i64("customer_id")?),
        provider: cells.provider()?,
        mode: cells.mode()?,
        card: Card {
            issuer: cells.text("issuer")?,
            number: cells.text("number")?,
            kind: cells.text("kind")?,
            expiry: read_expiry(&cells)?,
        },
        state: cells.word("state", MethodState::parse)?,
        created_at: cells.at("created_at")?,
        version: cells.i64("version")?,
    })
}

fn finder(noun: Noun, query: &IdQuery) -> (Stmt, Vec<Value>) {
    let (exact, by_tail) = finders(noun);
    match query {
        IdQuery::Exact(id) => (exact, args![id.as_str()]),
        IdQuery::Ending(ending) => {
            let low: String = ending.chars().rev().collect();
            // '~' sorts behind every character of an id.
            let high = format!("{low}~");
            (by_tail, args![low, high])
        }
    }
}

fn found(noun: Noun, rows: &[Row]) -> R<Found> {
    match rows {
        [] => Ok(Found::None),
        [row] => Ok(Found::One(row.counts(noun.prefix()).i64("id")?)),
        _ => Ok(Found::Many),
    }
}

impl SqlStore {
    /// What a typed id means, outside any transaction.
    pub async fn find_id(&self, noun: Noun, query: &IdQuery) -> R<Found> {
        let (stmt, values) = finder(noun, query);
        found(noun, &self.rows(&stmt, values).await?)
    }
}

impl SqlTx<'_> {
    /// Reads ahead customers and the methods that they will be charged by, with their keys.
    pub(super) async fn foresee_payers(&mut self, customers: &[i64], methods: &[i64]) -> R<()> {
        self.read_each(&CUSTOMER, &CUSTOMER_EACH, customers, &["id"])
            .await?;
        self.read_each(&METHOD, &METHOD_EACH, methods, &["id"])
            .await?;
        self.read_each(&SEALED_KEY, &SEALED_KEY_EACH, methods, &["id"])
            .await
            .map(|_rows| ())
    }
}

impl Customers for SqlTx<'_> {
    async fn find_id(&mut self, noun: Noun, query: &IdQuery) -> R<Found> {
        let (stmt, values) = finder(noun, query);
        found(noun, &self.rows(&stmt, values).await?)
    }

    async fn insert_customer(&mut self, new: &NewCustomer<'_>) -> R<CustomerId> {
        let keys = SearchKeys::of(new.name, new.email, new.phone);
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.customer_key,
            new.name,
            new.email,
            new.phone,
            keys.jamo,
            keys.initials,
            keys.email,
            keys.phone,
            new.at
        ];
        self.insert(&INSERT_CUSTOMER, values).await.map(CustomerId)
    }

    async fn customer(&mut self, id: CustomerId) -> R<Customer> {
        read_customer(&self.one(&CUSTOMER, args![id], Noun::Customer).await?)
    }

    async fn save_customer(&mut self, customer: &Customer) -> R<()> {
        let keys = SearchKeys::of(&customer.name, &customer.email, &customer.phone);
        let values = args![
            customer.id,
            customer.version,
            customer.name.as_str(),
            customer.email.as_str(),
            customer.phone.as_str(),
            keys.jamo,
            keys.initials,
            keys.email,
            keys.phone
        ];
        self.forget(&CUSTOMER, args![customer.id]);
        self.change(&SAVE_CUSTOMER, values, Noun::Customer).await
    }

    async fn insert_method(&mut self, new: &NewMethod<'_>) -> R<MethodId> {
        let (year, month) = new.card.expiry.unzip();
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.customer_id,
            new.provider.as_str(),
            new.mode.as_str(),
            new.card.issuer.as_str(),
            new.card.number.as_str(),
            new.card.last4(),
            new.card.kind.as_str(),
            year.map(i64::from),
            month,
            new.key.sealed.as_slice(),
            new.key.key_id.as_str(),
            new.key.hash.as_str(),
            new.at
        ];
        self.insert(&INSERT_METHOD, values).await.map(MethodId)
    }

    async fn method(&mut self, id: MethodId) -> R<PaymentMethod> {
        read_method(&self.one(&METHOD, args![id], Noun::Method).await?)
    }

    async fn active_method_of(&mut self, customer: CustomerId) -> R<Option<PaymentMethod>> {
        let row = self.maybe(&ACTIVE_METHOD, args![customer]).await?;
        row.as_ref().map(read_method).transpose()
    }

    async fn methods_of(&mut self, customer: CustomerId) -> R<Vec<PaymentMethod>> {
        let rows = self.rows(&METHODS, args![customer]).await?;
        rows.iter().map(read_method).collect()
    }

    async fn active_methods_of(&mut self, customer: CustomerId) -> R<Vec<PaymentMethod>> {
        let rows = self.rows(&ACTIVE_METHODS, args![customer]).await?;
        rows.iter().map(read_method).collect()
    }

    async fn sealed_key(&mut self, id: MethodId) -> R<SealedKey> {
        let row = self.one(&SEALED_KEY, args![id], Noun::Method).await?;
        let cells = row.cells("payment_method")?;
        Ok(SealedKey {
            sealed: cells.bytes("sealed")?,
            key_id: cells.text("key_id")?,
            hash: cells.text("key_hash")?,
        })
    }

    async fn methods_sealed_otherwise(
        &mut self,
        key_id: &str,
        after: MethodId,
        limit: u32,
    ) -> R<Vec<PaymentMethod>> {
        let rows = self
            .rows(&SEALED_OTHERWISE, args![key_id, after, limit])
            .await?;
        rows.iter().map(read_method).collect()
    }

    async fn save_sealed_key(&mut self, id: MethodId, key: &SealedKey) -> R<()> {
        let values = args![
            id,
            key.sealed.as_slice(),
            key.key_id.as_str(),
            key.hash.as_str()
        ];
        self.forget(&SEALED_KEY, args![id]);
        self.change(&SAVE_SEALED, values, Noun::Method).await
    }

    async fn method_by_hash(&mut self, hash: &str) -> R<Option<MethodId>> {
        let row = self.maybe(&METHOD_BY_HASH, args![hash]).await?;
        row.map(|row| row.counts("payment_method").i64("id").map(MethodId))
            .transpose()
    }

    async fn move_method(
        &mut self,
        id: MethodId,
        from: MethodState,
        to: MethodState,
        at: DateTime<Utc>,
    ) -> R<()> {
        let values = args![id, from.as_str(), to.as_str(), at];
        self.forget(&METHOD, args![id]);
        self.change(&MOVE_METHOD, values, Noun::Method).await
    }

    async fn insert_note(
        &mut self,
        target: &PublicId,
        author: &str,
        text: &str,
        at: DateTime<Utc>,
    ) -> R<()> {
        let values = args![target.as_str(), author, text, at];
        self.execute(&INSERT_NOTE, values).await.map(|_rows| ())
    }

    async fn insert_issue(
        &mut self,
        customer: CustomerId,
        auth_key_hash: &str,
        operator: &str,
        at: DateTime<Utc>,
    ) -> R<i64> {
        self.insert(&INSERT_ISSUE, args![customer, auth_key_hash, operator, at])
            .await
    }

    async fn finish_issue(
        &mut self,
        issue: i64,
        outcome: &str,
        method: Option<MethodId>,
        code: Option<&str>,
        at: DateTime<Utc>,
    ) -> R<()> {
        let values = args![issue, outcome, method, code, at];
        self.change(&FINISH_ISSUE, values, Noun::Method).await
    }
}
