//! Writes what happened: rows with their ids, both ledgers, the audit chain, the daily figures.
//!
//! It decides nothing. Movements have two entries that sum to zero; each audit record holds the hash
//! of the one before; figures are summed from the same values that become rows.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::figures::{self, Figure};
use super::load::{Kept, KeptPayment, Outlet, Stopped};
use super::rows::{self, Brought, Row};
use super::world::Return;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{AuditEntry, AuditRecord, GENESIS, chain_hash};
use crate::domain::ids::{AttemptId, EvidenceId, InvoiceId, PaymentId, RunId};
use crate::domain::invoice::Invoice;
use crate::domain::mode::Mode;
use crate::domain::payment::Payment;
use crate::domain::run::{Run, RunItem};
use crate::domain::subscription::{Change, Term};
use crate::engine::ports::Account;
use crate::store::bulk::Table;

/// The chain of the process that all of this might have been written by.
const CHAIN: &str = "demo";
/// Notices older than this are no longer kept.
const NOTICES_KEPT_DAYS: i64 = 14;
/// Runs and their items are kept for so long.
const RUNS_KEPT_DAYS: i64 = 92;
/// Payments younger than this may still change before the story ends.
const HELD_DAYS: i64 = 3;

/// What a line of the audit trail is about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Press<'a> {
    pub(super) person: &'a str,
    pub(super) verb: &'a str,
    pub(super) target: &'a str,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    pub(super) reason: &'a str,
    pub(super) result: &'a str,
    pub(super) provider_ref: &'a str,
}

/// The last id given, by table.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) invoices: i64,
    pub(super) attempts: i64,
    pub(super) payments: i64,
    pub(super) refunds: i64,
    pub(super) unknowns: i64,
    evidence: i64,
    ledger: i64,
    terms: i64,
    changes: i64,
    notices: i64,
    events: i64,
    runs: i64,
    items: i64,
    notes: i64,
    seq: i64,
}

/// A payment that may still change.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) payment: Payment,
    pub(super) kept: KeptPayment,
    pub(super) plan: Option<i64>,
    pub(super) method: i64,
    pub(super) life: Option<u32>,
    pub(super) account: u32,
}

/// The pen in the teller's hand.
#[derive(Debug)]
pub(super) struct Books {
    out: Outlet,
    zone: Tz,
    now: DateTime<Utc>,
    pub(super) counts: Counts,
    prev: String,
    figures: BTreeMap<(NaiveDate, i64), Figure>,
    pub(super) held: Vec<Held>,
}

type Done = Result<(), Stopped>;

fn next(counter: &mut i64) -> i64 {
    *counter += 1;
    *counter
}

impl Books {
    pub(super) fn new(out: Outlet, zone: Tz, now: DateTime<Utc>) -> Self {
        Self {
            out,
            zone,
            now,
            counts: Counts::default(),
            prev: GENESIS.to_owned(),
            figures: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, table: Table, row: Row) -> Done {
        self.out.row(table, row)
    }

    pub(super) fn keep(&mut self, kept: Kept) -> Done {
        self.out.keep(kept)
    }

    pub(super) fn next_invoice(&mut self) -> InvoiceId {
        InvoiceId(next(&mut self.counts.invoices))
    }

    pub(super) fn next_attempt(&mut self) -> AttemptId {
        AttemptId(next(&mut self.counts.attempts))
    }

    pub(super) fn next_payment(&mut self) -> PaymentId {
        PaymentId(next(&mut self.counts.payments))
    }

    pub(super) fn next_run(&mut self) -> RunId {
        RunId(next(&mut self.counts.runs))
    }

    fn on(&self, at: DateTime<Utc>) -> NaiveDate {
        crate::domain::period::local_date(at, self.zone)
    }

    fn figure(&mut self, on: NaiveDate, plan: i64) -> &mut Figure {
        self.figures.entry((on, plan)).or_default()
    }

    /// Appends to the chain.
    pub(super) fn audit(&mut self, at: DateTime<Utc>, press: Press<'_>) -> Done {
        let entry = AuditEntry {
            at,
            person: press.person.to_owned(),
            claims: "{}".to_owned(),
            mode: Mode::Sim,
            verb: press.verb.to_owned(),
            target: press.target.to_owned(),
            before: press.before.to_owned(),
            after: press.after.to_owned(),
            reason: press.reason.to_owned(),
            result: press.result.to_owned(),
            provider_ref: press.provider_ref.to_owned(),
            approver: String::new(),
        };
        let seq = next(&mut self.counts.seq);
        let hash = chain_hash(CHAIN, seq, &self.prev, &entry);
        let record = AuditRecord {
            chain: CHAIN.to_owned(),
            seq,
            prev: std::mem::replace(&mut self.prev, hash.clone()),
            hash,
            entry,
        };
        self.row(Table::Audit, rows::audit(record))
    }

    /// A row of history.
    pub(super) fn change(&mut self, change: &Change) -> Done {
        let id = next(&mut self.counts.changes);
        self.row(Table::SubscriptionChange, rows::change(id, change))
    }

    pub(super) fn term(&mut self, term: &Term) -> Done {
        let id = next(&mut self.counts.terms);
        self.row(Table::SubscriptionTerm, rows::term(id, term))
    }

    /// An invoice that will not change any more.
    pub(super) fn invoice(&mut self, invoice: &Invoice) -> Done {
        self.row(Table::Invoice, rows::invoice(invoice))?;
        self.row(Table::InvoiceLine, rows::line(invoice))
    }

    /// What a call brought about an attempt.
    pub(super) fn evidence(
        &mut self,
        attempt: AttemptId,
        brought: Brought<'_>,
    ) -> Result<EvidenceId, Stopped> {
        let id = next(&mut self.counts.evidence);
        self.row(Table::Evidence, rows::evidence(id, attempt.0, brought))?;
        Ok(EvidenceId(id))
    }

    pub(super) fn attempt(&mut self, attempt: Attempt, evidence: Option<EvidenceId>) -> Done {
        self.row(Table::Attempt, rows::attempt(attempt, evidence, self.zone))
    }

    /// Money was taken: the payment on both sides, and the two entries.
    pub(super) fn captured(&mut self, held: Held) -> Done {
        let payment = &held.payment;
        let (at, amount) = (payment.captured_at, payment.captured.minor());
        let ids = (payment.id.0, payment.attempt_id.0);
        let on = self.on(at);
        let figure = self.figure(on, held.plan.unwrap_or(0));
        figure.captured.0 += amount;
        figure.captured.1 += 1;
        self.post(ids, [Account::Provider, Account::Revenue], amount, at)?;
        self.notice_of_payment(payment, at)?;
        if at > self.now - TimeDelta::days(HELD_DAYS) {
            self.held.push(held);
            return Ok(());
        }
        self.write_payment(held)
    }

    fn notice_of_payment(&mut self, payment: &Payment, at: DateTime<Utc>) -> Done {
        if !self.is_noticed(at) {
            return Ok(());
        }
        let payload = format!("{{\"payment\":\"{}\"}}", payment.public_id);
        self.notice("payment_succeeded", payment.public_id.as_str(), payload, at)
    }

    fn write_payment(&mut self, held: Held) -> Done {
        let on = self.on(held.payment.captured_at);
        let row = rows::payment(&held.payment, held.plan, held.method, on);
        self.row(Table::Payment, row)?;
        self.keep(Kept::Payment(Box::new(held.kept)))
    }

    /// Money went back: the refund and its two entries.
    pub(super) fn refunded(
        &mut self,
        back: &Return,
        attempt: AttemptId,
        at: DateTime<Utc>,
    ) -> Done {
        let on = self.on(at);
        let figure = self.figure(on, back.plan_id);
        figure.refunded.0 += back.amount;
        figure.refunded.1 += 1;
        let id = next(&mut self.counts.refunds);
        self.row(Table::Refund, rows::refund(id, back, attempt.0, (at, on)))?;
        let ids = (back.payment.0, attempt.0);
        self.post(ids, [Account::Refunds, Account::Provider], back.amount, at)
    }

    /// Two entries: into the first account, out of the second.
    fn post(
        &mut self,
        ids: (i64, i64),
        accounts: [Account; 2],
        amount: i64,
        at: DateTime<Utc>,
    ) -> Done {
        for (account, amount) in accounts.into_iter().zip([amount, -amount]) {
            let id = next(&mut self.counts.ledger);
            let row = rows::ledger(id, ids, account.as_str(), amount, at);
            self.row(Table::Ledger, row)?;
        }
        Ok(())
    }

    fn is_noticed(&self, at: DateTime<Utc>) -> bool {
        at > self.now - TimeDelta::days(NOTICES_KEPT_DAYS)
    }

    /// A notice of the last days, delivered.
    pub(super) fn notice(
        &mut self,
        kind: &str,
        key: &str,
        payload: String,
        at: DateTime<Utc>,
    ) -> Done {
        if !self.is_noticed(at) {
            return Ok(());
        }
        let id = next(&mut self.counts.notices);
        let sent_at = at + TimeDelta::milliseconds(1_300);
        let row = rows::notice(id, kind, key, payload, [at, sent_at]);
        self.row(Table::Outbox, row)
    }

    pub(super) fn key_deleted(
        &mut self,
        key_hash: String,
        digest: &str,
        at: DateTime<Utc>,
    ) -> Done {
        let id = next(&mut self.counts.events);
        self.row(Table::Inbox, rows::key_deleted(id, key_hash, digest, at))
    }

    /// Whether runs of that time are still kept.
    pub(super) fn keeps_runs(&self, at: DateTime<Utc>) -> bool {
        at > self.now - TimeDelta::days(RUNS_KEPT_DAYS)
    }

    pub(super) fn run(&mut self, run: &Run) -> Done {
        self.row(Table::Run, rows::run(run))
    }

    pub(super) fn run_item(&mut self, item: &RunItem) -> Done {
        let id = next(&mut self.counts.items);
        self.row(Table::RunItem, rows::run_item(id, item))
    }

    pub(super) fn note(
        &mut self,
        target: &str,
        author: &str,
        body: &str,
        at: DateTime<Utc>,
    ) -> Done {
        let id = next(&mut self.counts.notes);
        self.row(Table::Note, rows::note(id, target, author, body, at))
    }

    /// Writes what was held back, the figures, and hands everything over.
    pub(super) fn close(mut self) -> Result<Counts, Stopped> {
        for held in std::mem::take(&mut self.held) {
            self.write_payment(held)?;
        }
        for ((day, plan), figure) in std::mem::take(&mut self.figures) {
            self.row(Table::DailyFigure, figures::figure(day, plan, &figure))?;
        }
        self.out.finish()?;
        Ok(self.counts)
    }
}
