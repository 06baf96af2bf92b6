//! What was asked of a provider about subscriptions that it schedules, and the port of everything mirrored.

use chrono::{DateTime, Duration, Utc};

use super::sql::{Row, Stmt, args, claimed, locked};
use super::tx::SqlTx;
use crate::domain::evidence::{Proves, Refusal};
use crate::domain::failure::FailureClass;
use crate::domain::ids::{CustomerId, InvoiceId, Noun, SubscriptionId};
use crate::domain::mirror::{Mirror, Wish, WishId, WishState, WishVerb};
use crate::domain::mode::ProviderName;
use crate::domain::states::InboxState;
use crate::engine::ports::{
    Claim, EventCursor, InboxEvent, Mirrors, NewEvent, NewInvoice, NewSubscription, NewWish,
    StoreError, WishLearnt,
};

type R<T> = Result<T, StoreError>;

macro_rules! columns {
    () => {
        "id, subscription_id, invoice_id, verb, provider_ref, idem_key, state, lease_owner, lease_epoch, lease_until, first_sent_at, send_count, next_check_at, refusal_code, refusal_class, refusal_proves, refusal_http_status, operator, reason, settled_at"
    };
}
const INSERT: Stmt = Stmt::both(
    "insert into mirror_act (subscription_id, invoice_id, verb, provider_ref, idem_key, lease_owner, lease_until, first_sent_at, operator, reason)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id",
);
const LOCK: Stmt = locked!("select ", columns!(), " from mirror_act where id = $1");
const OPEN_OF: Stmt = Stmt::both(concat!(
    "select ",
    columns!(),
    " from mirror_act where subscription_id = $1 and state in ('sent', 'unknown')"
));
const DUE: Stmt = claimed!(
    "select ",
    columns!(),
    " from mirror_act where state in ('sent', 'unknown') and lease_until <= $1 and coalesce(next_check_at, 0) <= $1
    order by coalesce(next_check_at, 0), id limit $2"
);
const TAKE: Stmt = Stmt::both(
    "update mirror_act set lease_owner = $2, lease_until = $3, lease_epoch = lease_epoch + 1 where id = $1",
);
const SENT: Stmt = Stmt::both(
    "update mirror_act set send_count = send_count + 1 where id = $1 and lease_epoch = $2 and state in ('sent', 'unknown')",
);
const LEARNT: Stmt = Stmt::both(
    "update mirror_act set state = $3, refusal_code = coalesce($4, refusal_code), refusal_class = coalesce($5, refusal_class), refusal_proves = coalesce($6, refusal_proves), refusal_http_status = coalesce($7, refusal_http_status), next_check_at = $8, settled_at = $9, lease_until = $10
    where id = $1 and lease_epoch = $2 and state in ('sent', 'unknown')",
);

/// Reads a row with all of its columns.
pub(super) fn read(row: &Row) -> R<Wish> {
    let cells = row.cells("mirror_act")?;
    let refusal = match cells.opt_text("refusal_code")? {
        Some(code) => Some(Refusal {
            code,
            class: cells.word("refusal_class", FailureClass::parse)?,
            proves: cells.word("refusal_proves", Proves::parse)?,
            http_status: u16::try_from(cells.u32("refusal_http_status")?).unwrap_or(0),
        }),
        None => None,
    };
    Ok(Wish {
        id: WishId(cells.i64("id")?),
        subscription_id: SubscriptionId(cells.i64("subscription_id")?),
        invoice_id: cells.opt_i64("invoice_id")?.map(InvoiceId),
        verb: cells.word("verb", WishVerb::parse)?,
        provider_ref: cells.text("provider_ref")?,
        idem_key: cells.text("idem_key")?,
        state: cells.word("state", WishState::parse)?,
        lease_owner: cells.text("lease_owner")?,
        lease_epoch: cells.i64("lease_epoch")?,
        lease_until: cells.at("lease_until")?,
        first_sent_at: cells.at("first_sent_at")?,
        send_count: cells.u32("send_count")?,
        next_check_at: cells.opt_at("next_check_at")?,
        refusal,
        operator: cells.text("operator")?,
        reason: cells.text("reason")?,
        settled_at: cells.opt_at("settled_at")?,
    })
}

impl SqlTx<'_> {
    async fn take_wish(&mut self, mut wish: Wish, claim: Claim<'_>) -> R<Wish> {
        let until = claim.now + Duration::seconds(claim.lease_s);
        self.change(
            &TAKE,
            args![wish.id, claim.owner, until],
            Noun::Subscription,
        )
        .await?;
        claim.owner.clone_into(&mut wish.lease_owner);
        wish.lease_until = until;
        wish.lease_epoch += 1;
        Ok(wish)
    }
}

impl Mirrors for SqlTx<'_> {
    async fn insert_mirrored(
        &mut self,
        new: &NewSubscription<'_>,
        mirror: &Mirror,
    ) -> R<SubscriptionId> {
        self.write_mirrored(new, mirror).await
    }

    async fn mirrored(&mut self, provider_ref: &str) -> R<Option<SubscriptionId>> {
        self.find_mirrored(provider_ref).await
    }

    async fn mirror(&mut self, id: SubscriptionId) -> R<Option<Mirror>> {
        self.read_mirror(id).await
    }

    async fn save_mirror(&mut self, mirror: &Mirror) -> R<()> {
        self.write_mirror(mirror).await
    }

    async fn mark_mirror(&mut self, id: SubscriptionId, at: DateTime<Utc>) -> R<()> {
        self.write_mirror_mark(id, at).await
    }

    async fn mirrors_to_read(&mut self, now: DateTime<Utc>, limit: u32) -> R<Vec<SubscriptionId>> {
        self.list_mirrors_to_read(now, limit).await
    }

    async fn mirrors_after(&mut self, after: SubscriptionId, limit: u32) -> R<Vec<SubscriptionId>> {
        self.list_mirrors(after, limit).await
    }

    async fn mirrors_of_customer(&mut self, provider_customer: &str) -> R<Vec<SubscriptionId>> {
        self.list_mirrors_of(provider_customer).await
    }

    async fn mirror_of_payment(&mut self, provider_ref: &str) -> R<Option<SubscriptionId>> {
        self.find_mirror_of_payment(provider_ref).await
    }

    async fn customer_by_key(&mut self, customer_key: &str) -> R<Option<CustomerId>> {
        self.find_customer_by_key(customer_key).await
    }

    async fn insert_mirrored_invoice(
        &mut self,
        new: &NewInvoice<'_>,
        provider_ref: &str,
    ) -> R<InvoiceId> {
        self.write_mirrored_invoice(new, provider_ref).await
    }

    async fn mirrored_invoices(&mut self, id: SubscriptionId) -> R<Vec<(InvoiceId, String)>> {
        self.list_mirrored_invoices(id).await
    }

    async fn insert_wish(&mut self, new: &NewWish<'_>) -> R<WishId> {
        let values = args![
            new.subscription_id,
            new.invoice_id,
            new.verb.as_str(),
            new.provider_ref,
            new.idem_key,
            new.lease_owner,
            new.lease_until,
            new.at,
            new.operator,
            new.reason
        ];
        self.insert(&INSERT, values).await.map(WishId)
    }

    async fn lock_wish(&mut self, id: WishId) -> R<Wish> {
        read(&self.one(&LOCK, args![id], Noun::Subscription).await?)
    }

    async fn open_wish_of(&mut self, id: SubscriptionId) -> R<Option<Wish>> {
        let row = self.maybe(&OPEN_OF, args![id]).await?;
        row.as_ref().map(read).transpose()
    }

    async fn claim_wishes(&mut self, claim: Claim<'_>) -> R<Vec<Wish>> {
        let rows = self.rows(&DUE, args![claim.now, claim.limit]).await?;
        let due: R<Vec<Wish>> = rows.iter().map(read).collect();
        let mut taken = Vec::new();
        for wish in due? {
            taken.push(self.take_wish(wish, claim).await?);
        }
        Ok(taken)
    }

    async fn wish_sent(&mut self, id: WishId, epoch: i64) -> R<()> {
        self.change(&SENT, args![id, epoch], Noun::Subscription)
            .await
    }

    async fn wish_learnt(&mut self, id: WishId, epoch: i64, learnt: &WishLearnt<'_>) -> R<()> {
        let refusal = learnt.refusal;
        let settled_at = (!learnt.state.is_open()).then_some(learnt.at);
        let values = args![
            id,
            epoch,
            learnt.state.as_str(),
            refusal.map(|r| r.code.as_str()),
            refusal.map(|r| r.class.as_str()),
            refusal.map(|r| r.proves.as_str()),
            refusal.map(|r| r.http_status),
            learnt.next_check_at,
            settled_at,
            learnt.at
        ];
        self.change(&LEARNT, values, Noun::Subscription).await
    }

    async fn insert_event(&mut self, new: &NewEvent<'_>) -> R<bool> {
        self.write_event(new).await
    }

    async fn waiting_events(&mut self, limit: u32) -> R<Vec<InboxEvent>> {
        self.list_waiting_events(limit).await
    }

    async fn move_event(
        &mut self,
        id: i64,
        to: InboxState,
        error: Option<&str>,
        at: DateTime<Utc>,
    ) -> R<()> {
        self.write_event_move(id, to, error, at).await
    }

    async fn event_cursor(&mut self, provider: ProviderName) -> R<Option<EventCursor>> {
        self.read_event_cursor(provider).await
    }

    async fn save_event_cursor(&mut self, provider: ProviderName, cursor: &EventCursor) -> R<()> {
        self.write_event_cursor(provider, cursor).await
    }
}
