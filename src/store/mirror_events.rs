//! Events as they came in, and how far the provider's list of them was read.

use chrono::{DateTime, Utc};

use super::sql::{Row, Stmt, args};
use super::tx::SqlTx;
use crate::domain::mode::ProviderName;
use crate::domain::states::InboxState;
use crate::engine::ports::{EventCursor, InboxEvent, NewEvent, StoreError};

type R<T> = Result<T, StoreError>;

/// Pulled over an authenticated line: names are kept, and no body.
const INSERT: Stmt = Stmt::both(
    "insert into inbox (provider, mode, event_key, kind, provider_ref, shape, body_sha256, received_at, happened_at, about_subscription, about_payment, about_customer)
    values ($1, $2, $3, $4, $5, $6, '', $7, $8, $9, $10, $11) on conflict (provider, event_key) do nothing returning id",
);
const WAITING: Stmt = Stmt::both(
    "select id, kind, about_subscription, about_payment, about_customer from inbox
    where state = 'received' and happened_at is not null order by received_at, id limit $1",
);
const MOVE: Stmt = Stmt::both(
    "update inbox set state = $2, last_error = $3, processed_at = $4, tries = tries + 1 where id = $1 and state = 'received'",
);
const CURSOR: Stmt =
    Stmt::both("select event_key, happened_at, pulled_at from event_cursor where provider = $1");
const SAVE_CURSOR: Stmt = Stmt::both(
    "insert into event_cursor (provider, event_key, happened_at, pulled_at) values ($1, $2, $3, $4)
    on conflict (provider) do update set event_key = excluded.event_key, happened_at = excluded.happened_at, pulled_at = excluded.pulled_at",
);

fn read(row: &Row) -> R<InboxEvent> {
    let cells = row.cells("inbox")?;
    Ok(InboxEvent {
        id: cells.i64("id")?,
        kind: cells.text("kind")?,
        subscription: cells.opt_text("about_subscription")?,
        payment: cells.opt_text("about_payment")?,
        customer: cells.opt_text("about_customer")?,
    })
}

impl SqlTx<'_> {
    pub(super) async fn write_event(&mut self, new: &NewEvent<'_>) -> R<bool> {
        let values = args![
            new.provider.as_str(),
            new.mode.as_str(),
            new.event_key,
            new.kind,
            new.object,
            new.shape,
            new.at,
            new.happened_at,
            new.subscription,
            new.payment,
            new.customer
        ];
        Ok(self.maybe(&INSERT, values).await?.is_some())
    }

    pub(super) async fn list_waiting_events(&mut self, limit: u32) -> R<Vec<InboxEvent>> {
        let rows = self.rows(&WAITING, args![limit]).await?;
        rows.iter().map(read).collect()
    }

    pub(super) async fn write_event_move(
        &mut self,
        id: i64,
        to: InboxState,
        error: Option<&str>,
        at: DateTime<Utc>,
    ) -> R<()> {
        let values = args![id, to.as_str(), error, at];
        self.execute(&MOVE, values).await.map(|_rows| ())
    }

    pub(super) async fn read_event_cursor(
        &mut self,
        provider: ProviderName,
    ) -> R<Option<EventCursor>> {
        let row = self.maybe(&CURSOR, args![provider.as_str()]).await?;
        let cursor = |row: Row| {
            let cells = row.counts("event_cursor");
            Ok(EventCursor {
                event_key: cells.text("event_key")?,
                happened_at: cells.at("happened_at")?,
                pulled_at: cells.at("pulled_at")?,
            })
        };
        row.map(cursor).transpose()
    }

    pub(super) async fn write_event_cursor(
        &mut self,
        provider: ProviderName,
        cursor: &EventCursor,
    ) -> R<()> {
        let values = args![
            provider.as_str(),
            cursor.event_key.as_str(),
            cursor.happened_at,
            cursor.pulled_at
        ];
        self.execute(&SAVE_CURSOR, values).await.map(|_rows| ())
    }
}
