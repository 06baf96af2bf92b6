//! What providers kept for themselves, of payments that are in the books: figures, the rows behind them, and of one payment.

use chrono::NaiveDate;

use super::query::{Query, values};
use crate::domain::fee::{Fee, FeeKind};
use crate::domain::ids::PublicId;
use crate::domain::mode::ProviderName;
use crate::domain::money::Currency;
use crate::domain::payment::Payment;
use crate::engine::ports::StoreError;
use crate::engine::queries::{FeeFigure, FeeRow, FeesKnown, FeesOfPayment};
use crate::store::open::SqlStore;
use crate::store::sql::Row;

type R<T> = Result<T, StoreError>;

/// A row of a balance counts by the day it moved. A payment whose fee is not known counts by its own day, in its own
/// currency: nobody knows in which its provider would tell.
const FIGURES: &str = "select provider, currency, count(kind) as entries, \
     cast(sum(case when kind = 'charge' then 1 else 0 end) as bigint) as charges, \
     cast(sum(case when kind = 'charge' then amount else 0 end) as bigint) as charged_minor, \
     cast(sum(case when kind = 'refund' then 0 - amount else 0 end) as bigint) as refunded_minor, \
     cast(sum(case when kind = 'refund_failure' then amount else 0 end) as bigint) as returned_minor, \
     cast(sum(fee) as bigint) as fees_minor, cast(sum(net) as bigint) as net_minor, \
     cast(sum(unknown) as bigint) as unknown from ( \
     select f.provider, f.currency, f.kind, f.amount_minor as amount, f.fee_minor as fee, f.net_minor as net, 0 as unknown \
     from provider_fee f join payment p on p.provider_ref = f.provider_ref and p.provider = f.provider and p.mode = f.mode \
     where f.on_day >= ? and f.on_day <= ? \
     union all select p.provider, p.currency, null, 0, 0, 0, 1 \
     from payment p where p.captured_on >= ? and p.captured_on <= ? and not exists (select 1 from provider_fee f \
     where f.provider_ref = p.provider_ref and f.provider = p.provider and f.kind = 'charge')) moved \
     group by provider, currency order by provider, currency";

/// What providers kept in `[from, to]`, by provider and currency.
pub(super) async fn figures(db: &SqlStore, from: NaiveDate, to: NaiveDate) -> R<Vec<FeeFigure>> {
    let query = Query::with(FIGURES, values![from, to, from, to]);
    let rows = db.fetch(query).await?;
    rows.iter().map(figure).collect()
}

fn figure(row: &Row) -> R<FeeFigure> {
    let cells = row.counts("provider_fee");
    let known = FeesKnown {
        charges: cells.count("charges")?,
        charged: cells.money("charged_minor")?,
        refunded: cells.money("refunded_minor")?,
        returned: cells.money("returned_minor")?,
        fees: cells.money("fees_minor")?,
        net: cells.money("net_minor")?,
    };
    Ok(FeeFigure {
        provider: cells.word("provider", ProviderName::parse)?,
        currency: cells.word("currency", |code| Currency::parse(code).ok())?,
        known: (cells.count("entries")? > 0).then_some(known),
        unknown: cells.count("unknown")?,
    })
}

const ROWS: &str = "select f.id as id, f.provider, f.entry_key, f.kind, f.provider_ref, f.amount_minor, f.fee_minor, f.net_minor, \
     f.currency, f.at, p.public_id as payment \
     from provider_fee f join payment p on p.provider_ref = f.provider_ref and p.provider = f.provider and p.mode = f.mode \
     where f.on_day >= ? and f.on_day <= ? and f.id > ? order by f.id limit ?";

/// The rows behind the figures.
pub(super) async fn rows(
    db: &SqlStore,
    (from, to): (NaiveDate, NaiveDate),
    after: i64,
    limit: u32,
) -> R<Vec<FeeRow>> {
    let query = Query::with(ROWS, values![from, to, after, limit]);
    let rows = db.fetch(query).await?;
    rows.iter()
        .map(|row| {
            let cells = row.cells("provider_fee")?;
            Ok(FeeRow {
                id: cells.i64("id")?,
                provider: cells.word("provider", ProviderName::parse)?,
                fee: Fee {
                    entry_key: cells.text("entry_key")?,
                    kind: cells.word("kind", FeeKind::parse)?,
                    provider_ref: cells.text("provider_ref")?,
                    amount: cells.money("amount_minor")?,
                    fee: cells.money("fee_minor")?,
                    net: cells.money("net_minor")?,
                    at: cells.at("at")?,
                },
                payment: PublicId::from_stored(cells.text("payment")?),
            })
        })
        .collect()
}

const OF_PAYMENT: &str = "select currency, cast(sum(fee_minor) as bigint) as fee_minor, cast(sum(net_minor) as bigint) as net_minor, \
     cast(sum(case when kind = 'charge' then 1 else 0 end) as bigint) as charges \
     from provider_fee where provider_ref = ? and provider = ? and mode = ? group by currency";

/// What is known of the fee of each payment, in their order. Where its charge is not known, or rows are in several
/// currencies, nothing is.
pub(super) async fn of_payments(
    db: &SqlStore,
    payments: &[Payment],
) -> R<Vec<Option<FeesOfPayment>>> {
    let mut all = Vec::with_capacity(payments.len());
    for payment in payments {
        let about = values![
            payment.provider_ref.as_str(),
            payment.provider.as_str(),
            payment.mode.as_str()
        ];
        let found = db.fetch(Query::with(OF_PAYMENT, about)).await?;
        let [row] = found.as_slice() else {
            all.push(None);
            continue;
        };
        let cells = row.counts("provider_fee");
        let fees = FeesOfPayment {
            fee: cells.money("fee_minor")?,
            net: cells.money("net_minor")?,
        };
        all.push((cells.count("charges")? > 0).then_some(fees));
    }
    Ok(all)
}
