//! What providers keep for themselves, under their own names for it; rows are only ever added.

use chrono::{DateTime, NaiveDate, Utc};

use super::open::SqlStore;
use super::sql::{Stmt, args};
use crate::domain::fee::Fee;
use crate::domain::mode::{Mode, ProviderName};
use crate::engine::ports::{FeeBooks, FeesRead, StoreError, Tx as _};

type R<T> = Result<T, StoreError>;

/// The second condition is the index's: nobody else's fees are asked about.
const FIRST_PAYMENT: Stmt = Stmt::both(
    "select min(captured_at) as at from payment where provider = $1 and provider <> 'toss'",
);
const READ: Stmt = Stmt::both("select read_from, read_to from fee_cursor where provider = $1");
const KEEP: Stmt = Stmt::both(
    "insert into provider_fee (provider, mode, entry_key, kind, provider_ref, amount_minor, fee_minor, net_minor, currency, at, on_day)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (provider, entry_key) do nothing",
);
const NOTE_READ: Stmt = Stmt::split(
    "insert into fee_cursor (provider, read_from, read_to) values ($1, $2, $3)
    on conflict (provider) do update set read_from = min(read_from, excluded.read_from), read_to = max(read_to, excluded.read_to)",
    "insert into fee_cursor (provider, read_from, read_to) values ($1, $2, $3)
    on conflict (provider) do update set read_from = least(fee_cursor.read_from, excluded.read_from),
        read_to = greatest(fee_cursor.read_to, excluded.read_to)",
);

impl FeeBooks for SqlStore {
    async fn first_payment_at(&self, provider: ProviderName) -> R<Option<DateTime<Utc>>> {
        let mut tx = self.begin_unlent().await?;
        let row = tx.maybe(&FIRST_PAYMENT, args![provider.as_str()]).await?;
        match row {
            Some(row) => row.counts("payment").opt_at("at"),
            None => Ok(None),
        }
    }

    async fn fees_read(&self, provider: ProviderName) -> R<Option<FeesRead>> {
        let mut tx = self.begin_unlent().await?;
        let row = tx.maybe(&READ, args![provider.as_str()]).await?;
        row.map(|row| {
            let cells = row.counts("fee_cursor");
            Ok(FeesRead {
                from: cells.at("read_from")?,
                to: cells.at("read_to")?,
            })
        })
        .transpose()
    }

    async fn keep_fees(
        &self,
        (provider, mode): (ProviderName, Mode),
        fees: &[(Fee, NaiveDate)],
    ) -> R<u32> {
        if fees.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin_unlent().await?;
        let mut new = 0;
        for (fee, on) in fees {
            let values = args![
                provider.as_str(),
                mode.as_str(),
                fee.entry_key.as_str(),
                fee.kind.as_str(),
                fee.provider_ref.as_str(),
                fee.amount.minor(),
                fee.fee.minor(),
                fee.net.minor(),
                fee.amount.currency().code(),
                fee.at,
                *on
            ];
            new += tx.execute(&KEEP, values).await?;
        }
        tx.commit().await?;
        Ok(u32::try_from(new).unwrap_or(u32::MAX))
    }

    async fn note_fees_read(&self, provider: ProviderName, read: FeesRead) -> R<()> {
        let mut tx = self.begin_unlent().await?;
        let values = args![provider.as_str(), read.from, read.to];
        tx.execute(&NOTE_READ, values).await?;
        tx.commit().await
    }
}
