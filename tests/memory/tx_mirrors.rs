//! Subscriptions that a provider schedules, wishes about them and events, in memory.

use chrono::{DateTime, Duration, Utc};

use paydeck::domain::attempt::{AlsoCancel, Attempt, AttemptKind};
use paydeck::domain::dunning::DunningState;
use paydeck::domain::ids::{CustomerId, InvoiceId, Noun, SubscriptionId};
use paydeck::domain::invoice::Invoice;
use paydeck::domain::mirror::{Mirror, Scheduler, Wish, WishId, WishState};
use paydeck::domain::mode::ProviderName;
use paydeck::domain::states::InboxState;
use paydeck::domain::subscription::Subscription;
use paydeck::engine::ports::{
    Claim, Constraint, EventCursor, InboxEvent, Mirrors, NewEvent, NewInvoice, NewSubscription,
    NewWish, StoreError, WishLearnt,
};

use super::db::{CursorRow, Db, EventRow, Kind, MirroredInvoice, SubscriptionRow};
use super::flaw::Flaw;
use super::store::{MemTx, R, Rules};
use super::table::TxNo;

pub(super) fn is_mirrored(db: &Db, me: TxNo, invoice: InvoiceId) -> bool {
    let mut rows = db.tables.mirrored.rows_of(me);
    rows.any(|(_, row)| row.invoice == invoice)
}

impl MemTx<'_> {
    /// An invoice of ours for what the provider schedules, or one of the provider's for what we do.
    pub(super) fn broken_by_invoice(&self, new: &Invoice) -> Vec<Constraint> {
        let db = self.db();
        let owner = new
            .subscription_id
            .and_then(|id| db.tables.subscriptions.get(id.0, self.no));
        let is_theirs = owner.is_some_and(|row| !row.subscription.scheduler.is_ours());
        let holds = !db.flaws.has(Flaw::Scheduler);
        broken_if(holds && is_theirs != is_mirrored(&db, self.no, new.id))
    }

    /// Dunning of ours for an invoice that the provider collects.
    pub(super) fn broken_by_dunning(&self, invoice: &Invoice) -> Vec<Constraint> {
        let db = self.db();
        let stored = db.tables.invoices.get(invoice.id.0, self.no);
        let is_current = stored.is_some_and(|row| row.version == invoice.version);
        broken_if(
            !db.flaws.has(Flaw::Scheduler)
                && is_current
                && invoice.dunning != DunningState::Idle
                && is_mirrored(&db, self.no, invoice.id),
        )
    }

    /// A charge of ours for such an invoice, or a refund that would end its subscription here.
    pub(super) fn broken_by_attempt(&self, new: &Attempt) -> Vec<Constraint> {
        let would_act = match new.kind {
            AttemptKind::Charge => !new.body.is_empty(),
            AttemptKind::Refund => new.also_cancel != AlsoCancel::No,
        };
        let db = self.db();
        let holds = !db.flaws.has(Flaw::Scheduler);
        broken_if(holds && would_act && is_mirrored(&db, self.no, new.invoice_id))
    }

    async fn change_wish(
        &mut self,
        id: WishId,
        epoch: i64,
        change: impl Fn(&Wish) -> Wish,
    ) -> R<()> {
        let saved = self
            .put(
                Kind::Wish,
                id.0,
                |t| &mut t.wishes,
                |old| (old.state.is_open() && old.lease_epoch == epoch).then(|| change(old)),
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Subscription)
        }
    }
}

fn broken_if(broken: bool) -> Vec<Constraint> {
    broken
        .then_some(Constraint::TwoSchedulers)
        .into_iter()
        .collect()
}

impl Mirrors for MemTx<'_> {
    async fn insert_mirrored(
        &mut self,
        new: &NewSubscription<'_>,
        mirror: &Mirror,
    ) -> R<SubscriptionId> {
        self.step("insert mirrored").await?;
        if new.quantity == 0 {
            return self.refuse(vec![Constraint::Other]);
        }
        let named = {
            let db = self.db();
            let mut rows = db.tables.mirrors.rows_of(self.no);
            rows.any(|(_, row)| row.provider_ref == mirror.provider_ref)
        };
        if named {
            return self.refuse(vec![Constraint::TwoSchedulers]);
        }
        let row = SubscriptionRow {
            subscription: Subscription {
                id: SubscriptionId(self.db().tables.subscriptions.next_id()),
                public_id: new.public_id.clone(),
                customer_id: new.customer_id,
                product_id: new.product_id,
                plan_id: new.plan_id,
                state: new.state,
                quantity: new.quantity,
                method_id: new.method_id,
                mode: new.mode,
                term_no: 1,
                next_period: 0,
                next_due_at: new.next_due_at,
                paid_until: None,
                trial_until: new.trial_until,
                cancel_at: None,
                cancel_requested_at: None,
                ended_at: None,
                first_failed_at: None,
                scheduler: Scheduler::Stripe,
                created_at: new.at,
                version: 1,
            },
            exclusive_key: None,
        };
        let rules: Rules<'_, SubscriptionRow> = &[(Constraint::Other, &|other| {
            other.subscription.public_id == *new.public_id
        })];
        let id = self
            .add(Kind::Subscription, row, rules, |t| &mut t.subscriptions)
            .await
            .map(SubscriptionId)?;
        let row = Mirror {
            subscription_id: id,
            read_again_at: None,
            tries: 0,
            version: 1,
            ..mirror.clone()
        };
        let rules: Rules<'_, Mirror> = &[(Constraint::TwoSchedulers, &|other| {
            other.provider_ref == mirror.provider_ref
        })];
        self.add(Kind::Mirror, row, rules, |t| &mut t.mirrors)
            .await?;
        Ok(id)
    }

    async fn mirrored(&mut self, provider_ref: &str) -> R<Option<SubscriptionId>> {
        self.step("mirrored").await?;
        let db = self.db();
        let mut rows = db.tables.mirrors.rows_of(self.no);
        let row = rows.find(|(_, row)| row.provider_ref == provider_ref);
        Ok(row.map(|(_, row)| row.subscription_id))
    }

    async fn mirror(&mut self, id: SubscriptionId) -> R<Option<Mirror>> {
        self.step("mirror").await?;
        let found = {
            let db = self.db();
            let mut rows = db.tables.mirrors.rows_of(self.no);
            rows.find(|(_, row)| row.subscription_id == id)
                .map(|(at, _)| at)
        };
        let row = match found {
            Some(at) => self.take(Kind::Mirror, at, |t| &mut t.mirrors).await?,
            None => None,
        };
        let forgets = self.has(Flaw::ReadAt);
        Ok(row.map(|row| match forgets {
            true => Mirror {
                read_at: DateTime::UNIX_EPOCH,
                ..row
            },
            false => row,
        }))
    }

    async fn save_mirror(&mut self, mirror: &Mirror) -> R<()> {
        self.step("save mirror").await?;
        let found = {
            let db = self.db();
            let mut rows = db.tables.mirrors.rows_of(self.no);
            rows.find(|(_, row)| row.subscription_id == mirror.subscription_id)
                .map(|(at, _)| at)
        };
        let forgets = self.has(Flaw::ReadAt);
        let saved = self
            .put(
                Kind::Mirror,
                found.unwrap_or(i64::MAX),
                |t| &mut t.mirrors,
                |old| {
                    (old.version == mirror.version).then(|| Mirror {
                        // Only who has read something says when.
                        read_at: match forgets && mirror.read_at == DateTime::UNIX_EPOCH {
                            true => old.read_at,
                            false => mirror.read_at,
                        },
                        provider_ref: old.provider_ref.clone(),
                        version: old.version + 1,
                        ..mirror.clone()
                    })
                },
            )
            .await?;
        if saved {
            Ok(())
        } else {
            self.stale(Noun::Subscription)
        }
    }

    async fn mark_mirror(&mut self, id: SubscriptionId, at: DateTime<Utc>) -> R<()> {
        self.step("mark mirror").await?;
        let found = {
            let db = self.db();
            let mut rows = db.tables.mirrors.rows_of(self.no);
            rows.find(|(_, row)| row.subscription_id == id)
                .map(|(at, _)| at)
        };
        self.put(
            Kind::Mirror,
            found.unwrap_or(i64::MAX),
            |t| &mut t.mirrors,
            |old| {
                Some(Mirror {
                    read_again_at: Some(at),
                    ..old.clone()
                })
            },
        )
        .await
        .map(|_marked| ())
    }

    async fn mirrors_to_read(&mut self, now: DateTime<Utc>, limit: u32) -> R<Vec<SubscriptionId>> {
        self.step("mirrors to read").await?;
        let db = self.db();
        let rows = db.tables.mirrors.rows_of(self.no);
        let mut due: Vec<(DateTime<Utc>, SubscriptionId)> = rows
            .filter_map(|(_, row)| Some((row.read_again_at?, row.subscription_id)))
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(due.into_iter().map(|(_, id)| id).collect())
    }

    async fn mirrors_after(&mut self, after: SubscriptionId, limit: u32) -> R<Vec<SubscriptionId>> {
        self.step("mirrors after").await?;
        let db = self.db();
        let rows = db.tables.mirrors.rows_of(self.no);
        let mut ids: Vec<SubscriptionId> = rows
            .map(|(_, row)| row.subscription_id)
            .filter(|id| *id > after)
            .collect();
        ids.sort_unstable();
        ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(ids)
    }

    async fn mirrors_of_customer(&mut self, provider_customer: &str) -> R<Vec<SubscriptionId>> {
        self.step("mirrors of customer").await?;
        let db = self.db();
        let rows = db.tables.mirrors.rows_of(self.no);
        Ok(rows
            .filter(|(_, row)| row.provider_customer == provider_customer)
            .map(|(_, row)| row.subscription_id)
            .collect())
    }

    async fn mirror_of_payment(&mut self, provider_ref: &str) -> R<Option<SubscriptionId>> {
        self.step("mirror of payment").await?;
        let db = self.db();
        let mut rows = db.tables.attempts.rows_of(self.no);
        let row = rows.find(|(_, row)| {
            row.attempt.provider_ref.as_deref() == Some(provider_ref)
                && row.attempt.subscription_id.is_some()
                && is_mirrored(&db, self.no, row.attempt.invoice_id)
        });
        Ok(row.and_then(|(_, row)| row.attempt.subscription_id))
    }

    async fn customer_by_key(&mut self, customer_key: &str) -> R<Option<CustomerId>> {
        self.step("customer by key").await?;
        let db = self.db();
        let mut rows = db.tables.customers.rows_of(self.no);
        let row = rows.find(|(_, row)| row.customer_key == customer_key);
        Ok(row.map(|(id, _)| CustomerId(id)))
    }

    async fn insert_mirrored_invoice(
        &mut self,
        new: &NewInvoice<'_>,
        provider_ref: &str,
    ) -> R<InvoiceId> {
        self.step("insert mirrored invoice").await?;
        let id = InvoiceId(self.db().tables.invoices.reserve(self.no));
        self.touch(Kind::Invoice, id.0);
        let name = MirroredInvoice {
            invoice: id,
            provider_ref: provider_ref.to_owned(),
        };
        let rules: Rules<'_, MirroredInvoice> = &[(Constraint::TwoSchedulers, &|other| {
            other.provider_ref == provider_ref
        })];
        self.add(Kind::MirroredInvoice, name, rules, |t| &mut t.mirrored)
            .await?;
        self.write_invoice(new.stored(id)).await?;
        Ok(id)
    }

    async fn mirrored_invoices(&mut self, id: SubscriptionId) -> R<Vec<(InvoiceId, String)>> {
        self.step("mirrored invoices").await?;
        let db = self.db();
        let is_its = |invoice: InvoiceId| {
            let row = db.tables.invoices.get(invoice.0, self.no);
            row.is_some_and(|row| row.subscription_id == Some(id))
        };
        let rows = db.tables.mirrored.rows_of(self.no);
        Ok(rows
            .filter(|(_, row)| is_its(row.invoice))
            .map(|(_, row)| (row.invoice, row.provider_ref.clone()))
            .collect())
    }

    async fn insert_wish(&mut self, new: &NewWish<'_>) -> R<WishId> {
        self.step("insert wish").await?;
        if new.verb.is_about_invoice() != new.invoice_id.is_some() {
            return self.refuse(vec![Constraint::Other]);
        }
        let row = Wish {
            id: WishId(self.db().tables.wishes.next_id()),
            subscription_id: new.subscription_id,
            invoice_id: new.invoice_id,
            verb: new.verb,
            provider_ref: new.provider_ref.to_owned(),
            idem_key: new.idem_key.to_owned(),
            state: WishState::Sent,
            lease_owner: new.lease_owner.to_owned(),
            lease_epoch: 1,
            lease_until: new.lease_until,
            first_sent_at: new.at,
            send_count: 1,
            next_check_at: None,
            refusal: None,
            operator: new.operator.to_owned(),
            reason: new.reason.to_owned(),
            settled_at: None,
        };
        if self.has(Flaw::WishRow) {
            let id = WishId(1_000_000 + row.id.0);
            self.db().loose.push(Wish { id, ..row });
            return Ok(id);
        }
        let many = self.has(Flaw::OpenWish);
        let rules: Rules<'_, Wish> = &[
            (Constraint::IdempotencyKey, &|other| {
                other.idem_key == new.idem_key
            }),
            (Constraint::OpenWish, &|other| {
                !many && other.subscription_id == new.subscription_id && other.state.is_open()
            }),
        ];
        self.add(Kind::Wish, row, rules, |t| &mut t.wishes)
            .await
            .map(WishId)
    }

    async fn lock_wish(&mut self, id: WishId) -> R<Wish> {
        self.step("lock wish").await?;
        let loose = self.db().loose.iter().find(|wish| wish.id == id).cloned();
        if let Some(loose) = loose {
            return Ok(loose);
        }
        let row = self.take(Kind::Wish, id.0, |t| &mut t.wishes).await?;
        row.ok_or(StoreError::NotFound {
            noun: Noun::Subscription,
        })
    }

    async fn open_wish_of(&mut self, id: SubscriptionId) -> R<Option<Wish>> {
        self.step("open wish").await?;
        if self.has(Flaw::OpenWish) {
            return Ok(None);
        }
        let db = self.db();
        let mut rows = db.tables.wishes.rows_of(self.no);
        let row = rows.find(|(_, row)| row.subscription_id == id && row.state.is_open());
        Ok(row.map(|(_, row)| Wish::clone(row)))
    }

    async fn claim_wishes(&mut self, claim: Claim<'_>) -> R<Vec<Wish>> {
        self.step("claim wishes").await?;
        let no = self.no;
        let mut due: Vec<(Option<DateTime<Utc>>, i64)> = {
            let db = self.db();
            let table = &db.tables.wishes;
            table
                .rows_of(no)
                .filter(|(id, _)| table.slot(*id).is_some_and(|slot| !slot.is_held_from(no)))
                .filter(|(_, row)| {
                    row.state.is_open()
                        && row.lease_until <= claim.now
                        && row.next_check_at.is_none_or(|at| at <= claim.now)
                })
                .map(|(id, row)| (row.next_check_at, id))
                .collect()
        };
        due.sort_unstable();
        due.truncate(usize::try_from(claim.limit).unwrap_or(usize::MAX));
        let mut taken = Vec::new();
        for (_, id) in due {
            let mut written = None;
            self.put(
                Kind::Wish,
                id,
                |t| &mut t.wishes,
                |old| {
                    written = Some(Wish {
                        lease_owner: claim.owner.to_owned(),
                        lease_until: claim.now + Duration::seconds(claim.lease_s),
                        lease_epoch: old.lease_epoch + 1,
                        ..old.clone()
                    });
                    written.clone()
                },
            )
            .await?;
            taken.extend(written);
        }
        Ok(taken)
    }

    async fn wish_sent(&mut self, id: WishId, epoch: i64) -> R<()> {
        self.step("wish sent").await?;
        self.change_wish(id, epoch, |old| Wish {
            send_count: old.send_count + 1,
            ..old.clone()
        })
        .await
    }

    async fn wish_learnt(&mut self, id: WishId, epoch: i64, learnt: &WishLearnt<'_>) -> R<()> {
        self.step("wish learnt").await?;
        self.change_wish(id, epoch, |old| Wish {
            state: learnt.state,
            refusal: learnt.refusal.cloned().or_else(|| old.refusal.clone()),
            next_check_at: learnt.next_check_at,
            settled_at: (!learnt.state.is_open()).then_some(learnt.at),
            lease_until: learnt.at,
            ..old.clone()
        })
        .await
    }

    async fn insert_event(&mut self, new: &NewEvent<'_>) -> R<bool> {
        self.step("insert event").await?;
        let key = (new.provider, new.event_key.to_owned());
        let is_known = {
            let db = self.db();
            let mut rows = db.tables.events.rows_of(self.no);
            rows.any(|(_, row)| row.key == key)
        };
        if is_known || self.has(Flaw::EventInbox) {
            return Ok(false);
        }
        let row = EventRow {
            event: InboxEvent {
                id: self.db().tables.events.next_id(),
                kind: new.kind.to_owned(),
                subscription: new.subscription.map(str::to_owned),
                payment: new.payment.map(str::to_owned),
                customer: new.customer.map(str::to_owned),
            },
            key,
            state: InboxState::Received,
            received_at: new.at,
        };
        self.add(Kind::Event, row, &[], |t| &mut t.events).await?;
        Ok(true)
    }

    async fn waiting_events(&mut self, limit: u32) -> R<Vec<InboxEvent>> {
        self.step("waiting events").await?;
        let db = self.db();
        let rows = db.tables.events.rows_of(self.no);
        let mut waiting: Vec<(DateTime<Utc>, InboxEvent)> = rows
            .filter(|(_, row)| row.state == InboxState::Received)
            .map(|(_, row)| (row.received_at, row.event.clone()))
            .collect();
        waiting.sort_by_key(|(at, event)| (*at, event.id));
        waiting.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(waiting.into_iter().map(|(_, event)| event).collect())
    }

    async fn move_event(
        &mut self,
        id: i64,
        to: InboxState,
        _error: Option<&str>,
        _at: DateTime<Utc>,
    ) -> R<()> {
        self.step("move event").await?;
        self.put(
            Kind::Event,
            id,
            |t| &mut t.events,
            |old| {
                (old.state == InboxState::Received).then(|| EventRow {
                    state: to,
                    ..old.clone()
                })
            },
        )
        .await
        .map(|_moved| ())
    }

    async fn event_cursor(&mut self, provider: ProviderName) -> R<Option<EventCursor>> {
        self.step("event cursor").await?;
        let db = self.db();
        let mut rows = db.tables.cursors.rows_of(self.no);
        let row = rows.find(|(_, row)| row.provider == provider);
        Ok(row.map(|(_, row)| row.cursor.clone()))
    }

    async fn save_event_cursor(&mut self, provider: ProviderName, cursor: &EventCursor) -> R<()> {
        self.step("save event cursor").await?;
        let row = CursorRow {
            provider,
            cursor: cursor.clone(),
        };
        let found = {
            let db = self.db();
            let mut rows = db.tables.cursors.rows_of(self.no);
            rows.find(|(_, row)| row.provider == provider)
                .map(|(at, _)| at)
        };
        match found {
            Some(at) => {
                self.put(Kind::Cursor, at, |t| &mut t.cursors, |_| Some(row.clone()))
                    .await?;
            }
            None => {
                self.add(Kind::Cursor, row, &[], |t| &mut t.cursors).await?;
            }
        }
        Ok(())
    }
}
