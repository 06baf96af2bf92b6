//! A transaction over many rows: what it read ahead, and what it has yet to write.
//!
//! As the real stores do it: reads and locks first, one statement for each table; then answers from
//! what was read, and writes that wait until something else is asked or the commit comes, and go out
//! one statement for each kind. A refusal comes with those.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use paydeck::domain::attempt::{Attempt, AttemptKind};
use paydeck::domain::customer::{Customer, PaymentMethod, SealedKey};
use paydeck::domain::ids::{AttemptId, EvidenceId, Noun, SubscriptionId};
use paydeck::domain::invoice::Invoice;
use paydeck::domain::payment::Payment;
use paydeck::domain::plan::Plan;
use paydeck::domain::run::{Decision, RunItem};
use paydeck::domain::subscription::{Change, Subscription, Term};
use paydeck::engine::ports::{Constraint, Fence, Foreseen, Posting, StoreError};

use super::db::{AttemptRow, AuditRow, EvidenceRow, Kind, NoticeRow, PaymentRow, Tables};
use super::flaw::Flaw;
use super::store::{MemTx, R};
use super::table::Table;

/// A write of a kind that can wait. Rows that are made have their number already.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Invoice(Box<Invoice>),
    Evidence(EvidenceId, Box<EvidenceRow>),
    AttemptMove(Box<Attempt>, Fence, Option<EvidenceId>),
    Payment(Box<PaymentRow>),
    Attempt(Box<AttemptRow>),
    Posting(Posting),
    InvoiceMove(Box<Invoice>),
    SubscriptionMove(Box<Subscription>),
    Change(Box<Change>),
    RunItem(Box<RunItem>),
    Decision(AttemptId, Decision, DateTime<Utc>),
    Notice(Box<NoticeRow>),
    Day(NaiveDate),
    Audit(Box<AuditRow>),
}

impl Write {
    /// The order in which kinds follow each other, and what a statement of the kind is called.
    const fn kind(&self) -> (u8, &'static str) {
        match self {
            Self::Invoice(_) => (0, "insert invoice"),
            Self::Evidence(..) => (1, "insert evidence"),
            Self::AttemptMove(..) => (2, "save attempt"),
            Self::Payment(_) => (3, "insert payment"),
            Self::Attempt(_) => (4, "insert attempt"),
            Self::Posting(_) => (5, "post"),
            Self::InvoiceMove(_) => (6, "save invoice"),
            Self::SubscriptionMove(_) => (7, "save subscription"),
            Self::Change(_) => (8, "insert change"),
            Self::RunItem(_) => (9, "save run item"),
            Self::Decision(..) => (10, "decide run items"),
            Self::Notice(_) => (11, "queue notice"),
            Self::Day(_) => (12, "mark day"),
            Self::Audit(_) => (13, "audit"),
        }
    }

    /// Its statement has begun when it was given its number.
    const fn is_numbered(&self) -> bool {
        matches!(
            self,
            Self::Invoice(_) | Self::Evidence(..) | Self::Payment(_) | Self::Attempt(_)
        )
    }

    /// Which row is meant: one statement cannot change a row twice.
    fn key(&self) -> Option<i64> {
        match self {
            Self::AttemptMove(attempt, ..) => Some(attempt.id.0),
            Self::InvoiceMove(invoice) => Some(invoice.id.0),
            Self::SubscriptionMove(subscription) => Some(subscription.id.0),
            Self::RunItem(item) => Some(item.invoice_id.map_or(-item.subscription_id.0, |id| id.0)),
            Self::Decision(attempt, ..) => Some(attempt.0),
            _ => None,
        }
    }
}

type ById<T> = BTreeMap<i64, Option<T>>;

/// Of a transaction over many rows. What is not in a map was not read ahead.
#[derive(Debug, Default)]
pub(super) struct Batch {
    size: usize,
    pub terms: BTreeMap<(i64, u32), Term>,
    pub plans: ById<Plan>,
    pub customers: ById<Customer>,
    pub methods: ById<PaymentMethod>,
    pub keys: ById<SealedKey>,
    pub subscriptions: ById<Subscription>,
    pub invoices: ById<Invoice>,
    pub owners: ById<Option<SubscriptionId>>,
    pub payments: ById<Payment>,
    pub attempts: ById<Attempt>,
    pub charges: BTreeMap<i64, Vec<Attempt>>,
    pub now: Option<DateTime<Utc>>,
    waiting: BTreeMap<(u8, &'static str), Vec<Write>>,
    /// Numbers of each kind that were given in advance and are not used yet.
    numbers: BTreeMap<&'static str, usize>,
}

fn distinct(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let ids: BTreeSet<i64> = ids.collect();
    ids.into_iter().collect()
}

impl MemTx<'_> {
    /// What was read ahead, if it was.
    pub(super) fn ahead<T: Clone>(
        &self,
        id: i64,
        of: impl Fn(&Batch) -> &ById<T>,
    ) -> Option<Option<T>> {
        of(self.batch.as_deref()?).get(&id).cloned()
    }

    /// Something that was read ahead is no longer what is stored.
    pub(super) fn forget(&mut self, which: impl FnOnce(&mut Batch)) {
        if let Some(batch) = &mut self.batch {
            which(batch);
        }
    }

    /// Makes room for a new row and gives its number.
    pub(super) async fn number<T>(
        &mut self,
        what: &'static str,
        kind: Kind,
        table: impl Fn(&mut Tables) -> &mut Table<T>,
    ) -> R<i64> {
        if let Some(batch) = &self.batch {
            let size = batch.size;
            let left = batch.numbers.get(what).copied().unwrap_or(0);
            if left == 0 {
                self.step("numbers").await?;
            }
            self.forget(|batch| {
                let left = if left == 0 { size } else { left } - 1;
                batch.numbers.insert(what, left);
            });
        } else {
            self.step(what).await?;
        }
        let id = table(&mut self.db().tables).reserve(self.no);
        self.touch(kind, id);
        Ok(id)
    }

    /// Writes now, or with others of its kind.
    pub(super) async fn write(&mut self, write: Write) -> R<()> {
        let (rank, what) = write.kind();
        let Some(batch) = &mut self.batch else {
            if !write.is_numbered() {
                self.step(what).await?;
            }
            return self.write_now(write).await;
        };
        let waits = batch.waiting.get(&(rank, what));
        let is_second = write.key().is_some_and(|key| {
            waits.is_some_and(|rows| rows.iter().any(|other| other.key() == Some(key)))
        });
        if is_second {
            self.flush().await?;
        }
        self.forget(|batch| batch.waiting.entry((rank, what)).or_default().push(write));
        Ok(())
    }

    /// Writes what waits: a statement for each kind, which fails with every rule that one of its rows breaks.
    pub(super) async fn flush(&mut self) -> R<()> {
        let Some(batch) = &mut self.batch else {
            return Ok(());
        };
        for ((_, what), rows) in std::mem::take(&mut batch.waiting) {
            self.turn(what).await?;
            let (mut broken, mut stale) = (Vec::new(), None);
            for row in rows {
                match self.write_now(row).await {
                    Ok(()) => {}
                    Err(StoreError::Refused(first)) => {
                        let all = std::mem::take(&mut self.refused_by);
                        broken.extend(if all.is_empty() { vec![first] } else { all });
                        self.is_broken = false;
                    }
                    Err(StoreError::Stale { noun }) => {
                        stale = Some(noun);
                        self.is_broken = false;
                    }
                    Err(other) => return Err(other),
                }
            }
            if !broken.is_empty() {
                return self.refuse(broken);
            }
            if let Some(noun) = stale {
                return self.stale(noun);
            }
        }
        Ok(())
    }

    async fn write_now(&mut self, write: Write) -> R<()> {
        match write {
            Write::Invoice(row) => self.write_invoice(*row).await,
            Write::Evidence(id, row) => {
                self.fill(id.0, *row, |t| &mut t.evidence);
                Ok(())
            }
            Write::AttemptMove(attempt, fence, evidence) => {
                self.write_attempt_move(&attempt, fence, evidence).await
            }
            Write::Payment(row) => self.write_payment(*row).await,
            Write::Attempt(row) => self.write_attempt(*row).await,
            Write::Posting(posting) => self.write_posting(&posting).await,
            Write::InvoiceMove(invoice) => self.write_invoice_move(&invoice).await,
            Write::SubscriptionMove(row) => self.write_subscription_move(&row).await,
            Write::Change(change) => {
                self.add(Kind::Change, *change, &[], |t| &mut t.changes)
                    .await?;
                Ok(())
            }
            Write::RunItem(item) => self.write_run_item(&item).await,
            Write::Decision(attempt, decision, at) => {
                self.write_decision(attempt, decision, at).await
            }
            Write::Notice(row) => self.write_notice(*row).await,
            Write::Day(day) => self.write_day(day).await,
            Write::Audit(row) => {
                self.add(Kind::Audit, *row, &[], |t| &mut t.audits).await?;
                Ok(())
            }
        }
    }

    /// Puts a row where its number is, unless it breaks a rule.
    pub(super) fn fill<T>(
        &mut self,
        id: i64,
        row: T,
        table: impl Fn(&mut Tables) -> &mut Table<T>,
    ) {
        table(&mut self.db().tables).fill(id, row);
    }

    /// From here on the transaction is about many rows.
    pub(super) async fn foresee_rows(&mut self, foreseen: Foreseen<'_>) -> R<()> {
        if foreseen.len() < 2 || self.batch.is_some() || self.has(Flaw::RowByRow) {
            return Ok(());
        }
        self.batch = Some(Box::new(Batch {
            size: foreseen.len(),
            ..Batch::default()
        }));
        match foreseen {
            Foreseen::Billing(due) => {
                let owners: Vec<i64> = due.iter().map(|s| s.id.0).collect();
                self.read_terms(|term| owners.contains(&term.subscription_id.0))
                    .await?;
                let plans = distinct(due.iter().map(|s| s.plan_id.0));
                self.turn("plan").await?;
                for id in plans {
                    let row = self.seen(id, |t| &t.plans);
                    self.forget(|b| _ = b.plans.insert(id, row));
                }
                let customers = distinct(due.iter().map(|s| s.customer_id.0));
                let methods = distinct(due.iter().filter_map(|s| s.method_id).map(|id| id.0));
                self.read_payers(&customers, &methods).await?;
            }
            Foreseen::Dunning(due) => {
                let owners = distinct(due.iter().filter_map(|i| i.subscription_id).map(|id| id.0));
                let invoices = distinct(due.iter().map(|i| i.id.0));
                let methods = self.lock_subscriptions(&owners).await?;
                self.lock_invoices(&invoices).await?;
                self.read_charges(&invoices).await?;
                let customers = distinct(due.iter().map(|i| i.customer_id.0));
                self.read_payers(&customers, &distinct(methods.into_iter()))
                    .await?;
            }
            Foreseen::Settling(attempts) => {
                let owners = distinct(
                    attempts
                        .iter()
                        .filter_map(|a| a.subscription_id)
                        .map(|id| id.0),
                );
                let invoices = distinct(attempts.iter().map(|a| a.invoice_id.0));
                let payments =
                    distinct(attempts.iter().filter_map(|a| a.payment_id).map(|id| id.0));
                let ids = distinct(attempts.iter().map(|a| a.id.0));
                self.lock_subscriptions(&owners).await?;
                self.lock_invoices(&invoices).await?;
                if !payments.is_empty() {
                    self.turn("lock payment").await?;
                }
                for id in payments {
                    let row = self.take(Kind::Payment, id, |t| &mut t.payments).await?;
                    self.forget(|b| _ = b.payments.insert(id, row.map(|row| row.payment)));
                }
                self.turn("lock attempt").await?;
                for id in ids {
                    let row = self.take(Kind::Attempt, id, |t| &mut t.attempts).await?;
                    self.forget(|b| _ = b.attempts.insert(id, row.map(|row| row.attempt)));
                }
                self.read_charges(&invoices).await?;
            }
        }
        self.turn("db now").await?;
        let now = self.stage().now();
        self.forget(|batch| batch.now = Some(now));
        Ok(())
    }

    fn seen<T: Clone>(&self, id: i64, table: impl Fn(&Tables) -> &Table<T>) -> Option<T> {
        let db = self.db();
        table(&db.tables).get(id, self.no).map(|row| T::clone(row))
    }

    async fn read_terms(&mut self, wanted: impl Fn(&Term) -> bool) -> R<()> {
        self.turn("term").await?;
        let terms: Vec<Term> = {
            let db = self.db();
            let rows = db.tables.terms.rows_of(self.no);
            rows.filter(|(_, row)| wanted(row))
                .map(|(_, row)| Term::clone(row))
                .collect()
        };
        self.forget(|batch| {
            let keyed = terms
                .into_iter()
                .map(|term| ((term.subscription_id.0, term.term_no), term));
            batch.terms.extend(keyed);
        });
        Ok(())
    }

    async fn read_payers(&mut self, customers: &[i64], methods: &[i64]) -> R<()> {
        self.turn("customer").await?;
        for &id in customers {
            let row = self.seen(id, |t| &t.customers);
            self.forget(|b| _ = b.customers.insert(id, row));
        }
        if methods.is_empty() {
            return Ok(());
        }
        self.turn("method").await?;
        for &id in methods {
            let row = self.seen(id, |t| &t.methods);
            self.forget(|b| _ = b.methods.insert(id, row.map(|row| row.method)));
        }
        self.turn("sealed key").await?;
        for &id in methods {
            let row = self.seen(id, |t| &t.methods);
            self.forget(|b| _ = b.keys.insert(id, row.map(|row| row.key)));
        }
        Ok(())
    }

    /// Takes subscriptions in their order; gives their methods.
    async fn lock_subscriptions(&mut self, ids: &[i64]) -> R<Vec<i64>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.turn("lock subscription").await?;
        let mut methods = Vec::new();
        for &id in ids {
            let row = self
                .take(Kind::Subscription, id, |t| &mut t.subscriptions)
                .await?
                .map(|row| row.subscription);
            methods.extend(row.as_ref().and_then(|row| row.method_id).map(|id| id.0));
            self.forget(|b| _ = b.subscriptions.insert(id, row));
        }
        Ok(methods)
    }

    /// Takes invoices in their order, and reads whose they are and the terms they were made under.
    async fn lock_invoices(&mut self, ids: &[i64]) -> R<()> {
        self.turn("lock invoice").await?;
        for &id in ids {
            let row = self.take(Kind::Invoice, id, |t| &mut t.invoices).await?;
            self.forget(|b| _ = b.invoices.insert(id, row));
        }
        self.turn("subscription of invoice").await?;
        let mut made_under = BTreeSet::new();
        for &id in ids {
            let row = self.seen(id, |t| &t.invoices);
            made_under.extend(row.iter().filter_map(|row| {
                let owner = row.subscription_id?;
                Some((owner.0, row.term_no))
            }));
            self.forget(|b| _ = b.owners.insert(id, row.map(|row| row.subscription_id)));
        }
        self.read_terms(|term| made_under.contains(&(term.subscription_id.0, term.term_no)))
            .await
    }

    async fn read_charges(&mut self, invoices: &[i64]) -> R<()> {
        self.turn("charges of").await?;
        for &id in invoices {
            let charges: Vec<Attempt> = {
                let db = self.db();
                let rows = db.tables.attempts.rows_of(self.no);
                rows.map(|(_, row)| &row.attempt)
                    .filter(|a| a.kind == AttemptKind::Charge && a.invoice_id.0 == id)
                    .cloned()
                    .collect()
            };
            self.forget(|b| _ = b.charges.insert(id, charges));
        }
        Ok(())
    }
}

/// A row that is not there, where it has to be.
pub(super) fn must_be<T>(row: Option<T>, noun: Noun) -> R<T> {
    row.ok_or(StoreError::NotFound { noun })
}

/// Rules of one row alone.
pub(super) fn if_broken(is_broken: bool) -> Vec<Constraint> {
    if is_broken {
        vec![Constraint::Other]
    } else {
        Vec::new()
    }
}
