//! Payments and the refunds out of them.

use super::batch::Written;
use super::sql::{Cells, Row, Stmt, args, each_of, ids_of, locked};
use super::tx::SqlTx;
use crate::domain::ids::{AttemptId, CustomerId, InvoiceId, Noun, PaymentId, SubscriptionId};
use crate::domain::mode::ProviderName;
use crate::domain::payment::{CardUse, Payment, ThreeDSecure};
use crate::engine::ports::{
    BookedRefund, NewPayment, NewRefund, NewReversal, Payments, StoreError,
};

type R<T> = Result<T, StoreError>;

macro_rules! columns {
    () => {
        "id, public_id, invoice_id, attempt_id, customer_id, subscription_id, provider, mode, provider_ref, order_id, captured_minor, currency, refunded_minor, reserved_minor, captured_at, is_duplicate, installment_months, three_d_secure, version"
    };
}

/// What [`read`] reads.
pub(super) const COLUMNS: &str = columns!();
const INSERT: Stmt = Stmt::of_rows(
    "insert into payment (id, public_id, tail, invoice_id, attempt_id, customer_id, subscription_id, plan_id, method_id, provider, mode, provider_ref, order_id, captured_minor, currency, captured_at, captured_on, is_duplicate, installment_months, three_d_secure)
    select e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9, e.value ->> 10, e.value ->> 11, e.value ->> 12, e.value ->> 13, e.value ->> 14, e.value ->> 15, e.value ->> 16, e.value ->> 17, e.value ->> 18, e.value ->> 19
    from json_each($1) e returning id",
    "insert into payment (id, public_id, tail, invoice_id, attempt_id, customer_id, subscription_id, plan_id, method_id, provider, mode, provider_ref, order_id, captured_minor, currency, captured_at, captured_on, is_duplicate, installment_months, three_d_secure)
    select coalesce(id, nextval('payment_id_seq')), public_id, tail, invoice_id, attempt_id, customer_id, subscription_id, plan_id, method_id, provider, mode, provider_ref, order_id, captured_minor, currency, captured_at, captured_on, is_duplicate, installment_months, three_d_secure
    from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::bigint[], $17::text[], $18::bigint[], $19::bigint[], $20::text[])
    as new (id, public_id, tail, invoice_id, attempt_id, customer_id, subscription_id, plan_id, method_id, provider, mode, provider_ref, order_id, captured_minor, currency, captured_at, captured_on, is_duplicate, installment_months, three_d_secure) returning id",
);
const IDS: Stmt = ids_of!("payment");
const TARGET: Stmt = Stmt::both("select invoice_id from payment where id = $1");
const LOCK: Stmt = locked!("select ", columns!(), " from payment where id = $1");
const LOCK_EACH: Stmt = each_of!(
    concat!("select ", columns!(), " from payment"),
    "id",
    locked
);
const PAYMENTS_OF: Stmt = Stmt::both(concat!(
    "select ",
    columns!(),
    " from payment where invoice_id = $1 order by is_duplicate, id"
));
const SAVE: Stmt = Stmt::both(
    "update payment set refunded_minor = $3, reserved_minor = $4, version = version + 1 where id = $1 and version = $2",
);
const INSERT_REFUND: Stmt = Stmt::both(
    "insert into refund (public_id, tail, payment_id, attempt_id, customer_id, plan_id, amount_minor, currency, reason, transaction_key, refunded_at, refunded_on, operator)
    select $1, $2, p.id, $4, p.customer_id, p.plan_id, $5, $6, $7, $8, $9, $10, $11 from payment p where p.id = $3
    on conflict (payment_id, transaction_key) do nothing",
);

const REFUNDS_BOOKED: Stmt = Stmt::both(
    "select r.id as id, r.attempt_id, r.amount_minor, r.currency, r.transaction_key, r.refunded_at, v.reversed_at
    from refund r left join refund_reversal v on v.refund_id = r.id where r.payment_id = $1 order by r.refunded_at, r.id",
);
const INSERT_REVERSAL: Stmt = Stmt::both(
    "insert into refund_reversal (refund_id, evidence_id, reversed_at, reversed_on) values ($1, $2, $3, $4)",
);

fn read_booked(row: &Row) -> R<BookedRefund> {
    let cells = row.cells("refund")?;
    Ok(BookedRefund {
        id: cells.i64("id")?,
        attempt_id: cells.opt_i64("attempt_id")?.map(AttemptId),
        amount: cells.money("amount_minor")?,
        transaction_key: cells.text("transaction_key")?,
        refunded_at: cells.at("refunded_at")?,
        reversed_at: cells.opt_at("reversed_at")?,
    })
}

/// How the card was charged; empty where nobody said.
pub(super) fn card_use(cells: &Cells<'_>) -> R<CardUse> {
    let months = cells.opt_i64("installment_months")?;
    Ok(CardUse {
        installment_months: months.and_then(|months| u32::try_from(months).ok()),
        three_d_secure: cells.opt_word("three_d_secure", ThreeDSecure::parse)?,
    })
}

pub(super) fn read(row: &Row) -> R<Payment> {
    let cells = row.cells("payment")?;
    Ok(Payment {
        id: PaymentId(cells.i64("id")?),
        public_id: cells.public_id()?,
        invoice_id: InvoiceId(cells.i64("invoice_id")?),
        attempt_id: AttemptId(cells.i64("attempt_id")?),
        customer_id: CustomerId(cells.i64("customer_id")?),
        subscription_id: cells.opt_i64("subscription_id")?.map(SubscriptionId),
        provider: cells.provider()?,
        mode: cells.mode()?,
        provider_ref: cells.text("provider_ref")?,
        order_id: cells.text("order_id")?,
        captured: cells.money("captured_minor")?,
        refunded_minor: cells.i64("refunded_minor")?,
        reserved_minor: cells.i64("reserved_minor")?,
        captured_at: cells.at("captured_at")?,
        is_duplicate: cells.yes("is_duplicate")?,
        card_use: card_use(&cells)?,
        version: cells.i64("version")?,
    })
}

impl SqlTx<'_> {
    /// Reads ahead payments, locked.
    pub(super) async fn foresee_payments(&mut self, ids: &[i64]) -> R<()> {
        self.read_each(&LOCK, &LOCK_EACH, ids, &["id"])
            .await
            .map(|_rows| ())
    }
}

const PIN_ACCOUNT: Stmt =
    Stmt::both("insert into meta (key, value) values ($1, $2) on conflict (key) do nothing");
const ACCOUNT: Stmt = Stmt::both("select value from meta where key = $1");

/// Under which name of `meta` the account at a provider is kept.
pub const fn account_key(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Toss => "toss_account",
        ProviderName::Stripe => "stripe_account",
    }
}

impl Payments for SqlTx<'_> {
    async fn pin_account(&mut self, provider: ProviderName, account: &str) -> R<String> {
        let key = account_key(provider);
        self.execute(&PIN_ACCOUNT, args![key, account]).await?;
        let row = self.maybe(&ACCOUNT, args![key]).await?;
        match row {
            Some(row) => row.counts("meta").text("value"),
            None => Err(StoreError::Other("what was pinned is gone".into())),
        }
    }

    async fn insert_payment(&mut self, new: &NewPayment<'_>) -> R<PaymentId> {
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.invoice_id,
            new.attempt_id,
            new.customer_id,
            new.subscription_id,
            new.plan_id,
            new.method_id,
            new.provider.as_str(),
            new.mode.as_str(),
            new.provider_ref,
            new.order_id,
            new.captured.minor(),
            new.captured.currency().code(),
            new.captured_at,
            new.captured_on,
            new.is_duplicate,
            new.card_use.installment_months.map(i64::from),
            new.card_use.three_d_secure.map(ThreeDSecure::as_str)
        ];
        self.make(Written::Payments, &INSERT, &IDS, values)
            .await
            .map(PaymentId)
    }

    async fn payment_target(&mut self, id: PaymentId) -> R<InvoiceId> {
        let row = self.one(&TARGET, args![id], Noun::Payment).await?;
        row.counts("payment").i64("invoice_id").map(InvoiceId)
    }

    async fn lock_payment(&mut self, id: PaymentId) -> R<Payment> {
        read(&self.one(&LOCK, args![id], Noun::Payment).await?)
    }

    async fn payments_of(&mut self, invoice: InvoiceId) -> R<Vec<Payment>> {
        let rows = self.rows(&PAYMENTS_OF, args![invoice]).await?;
        rows.iter().map(read).collect()
    }

    async fn save_payment(&mut self, payment: &Payment) -> R<()> {
        let values = args![
            payment.id,
            payment.version,
            payment.refunded_minor,
            payment.reserved_minor
        ];
        self.forget(&LOCK, args![payment.id]);
        self.change(&SAVE, values, Noun::Payment).await
    }

    async fn refunds_booked(&mut self, payment: PaymentId) -> R<Vec<BookedRefund>> {
        let rows = self.rows(&REFUNDS_BOOKED, args![payment]).await?;
        rows.iter().map(read_booked).collect()
    }

    async fn insert_refund(&mut self, new: &NewRefund<'_>) -> R<bool> {
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.payment_id,
            new.attempt_id,
            new.amount.minor(),
            new.amount.currency().code(),
            new.reason,
            new.transaction_key,
            new.refunded_at,
            new.refunded_on,
            new.operator
        ];
        Ok(self.execute(&INSERT_REFUND, values).await? > 0)
    }

    async fn insert_reversal(&mut self, new: &NewReversal) -> R<()> {
        let values = args![new.refund, new.evidence, new.at, new.on];
        self.execute(&INSERT_REVERSAL, values).await.map(|_rows| ())
    }
}
