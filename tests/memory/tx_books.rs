//! Ledger, audit, notices and runs of a transaction in memory.

use chrono::{DateTime, NaiveDate, Utc};

use paydeck::domain::audit::AuditEntry;
use paydeck::domain::ids::{AttemptId, Noun, RunId};
use paydeck::domain::run::{Decision, Run, RunItem};
use paydeck::engine::ports::{Books, Constraint, Posting, Runs, StoreError};

use super::batch::Write;
use super::db::{AuditRow, Kind, LedgerRow, NoticeRow};
use super::flaw::Flaw;
use super::store::{MemTx, R, Rules, Try};
use super::table::Clash;

impl MemTx<'_> {
    pub(super) async fn write_posting(&mut self, posting: &Posting) -> R<()> {
        let entry = |account, amount_minor| LedgerRow {
            payment_id: posting.payment_id,
            account,
            amount_minor,
        };
        let amount = posting.amount.minor();
        let debit = entry(posting.debit, amount);
        self.add(Kind::Ledger, debit, &[], |t| &mut t.ledger)
            .await?;
        if !self.has(Flaw::DoubleEntry) {
            let credit = entry(posting.credit, -amount);
            self.add(Kind::Ledger, credit, &[], |t| &mut t.ledger)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn write_notice(&mut self, row: NoticeRow) -> R<()> {
        let no = self.no;
        let is_known = self
            .until_free(|tx| {
                let db = tx.db();
                let same = |other: &NoticeRow| other.kind == row.kind && other.key == row.key;
                match db.tables.notices.clash(no, None, same) {
                    Clash::Wait(holder) => Try::Wait(holder),
                    clash => Try::Done(clash == Clash::Refused),
                }
            })
            .await?;
        if !is_known {
            self.add(Kind::Notice, row, &[], |t| &mut t.notices).await?;
        }
        Ok(())
    }

    pub(super) async fn write_day(&mut self, day: NaiveDate) -> R<()> {
        let no = self.no;
        let is_marked = self.db().tables.days.rows_of(no).any(|(_, d)| **d == day);
        if !is_marked {
            self.add(Kind::Day, day, &[], |t| &mut t.days).await?;
        }
        Ok(())
    }

    pub(super) async fn write_run_item(&mut self, item: &RunItem) -> R<()> {
        let no = self.no;
        let is_same = |other: &RunItem| {
            other.run_id == item.run_id
                && other.subscription_id == item.subscription_id
                && other.invoice_id == item.invoice_id
        };
        let clash = self
            .until_free(|tx| match tx.db().tables.items.clash(no, None, is_same) {
                Clash::Wait(holder) => Try::Wait(holder),
                clash => Try::Done(clash),
            })
            .await?;
        if clash == Clash::Nothing {
            self.add(Kind::Item, item.clone(), &[], |t| &mut t.items)
                .await?;
            return Ok(());
        }
        let row = {
            let db = self.db();
            let mut rows = db.tables.items.rows_of(no);
            rows.find(|(_, row)| is_same(row)).map(|(id, _)| id)
        };
        if let Some(id) = row {
            self.put(Kind::Item, id, |t| &mut t.items, |_| Some(item.clone()))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn write_decision(
        &mut self,
        attempt: AttemptId,
        decision: Decision,
        at: DateTime<Utc>,
    ) -> R<()> {
        let is_open = |row: &RunItem| {
            row.attempt_id == Some(attempt)
                && matches!(
                    row.decision,
                    None | Some(Decision::Unknown | Decision::NotSent | Decision::NotExecuted)
                )
        };
        let ids: Vec<i64> = {
            let db = self.db();
            let rows = db.tables.items.rows_of(self.no);
            rows.filter(|(_, row)| is_open(row))
                .map(|(id, _)| id)
                .collect()
        };
        for id in ids {
            self.put(
                Kind::Item,
                id,
                |t| &mut t.items,
                |old| {
                    is_open(old).then(|| RunItem {
                        decision: Some(decision),
                        at,
                        ..old.clone()
                    })
                },
            )
            .await?;
        }
        Ok(())
    }
}

impl Books for MemTx<'_> {
    async fn post(&mut self, posting: &Posting) -> R<()> {
        self.write(Write::Posting(*posting)).await
    }

    async fn audit(&mut self, entry: &AuditEntry) -> R<()> {
        if self.has(Flaw::Audit) {
            return self.step("audit").await;
        }
        let (chain, seq) = self.next_place().await?;
        let row = AuditRow {
            chain,
            seq,
            entry: entry.clone(),
        };
        self.write(Write::Audit(Box::new(row))).await
    }

    async fn queue_notice(
        &mut self,
        kind: &str,
        key: &str,
        payload: &str,
        _at: DateTime<Utc>,
    ) -> R<()> {
        let row = NoticeRow {
            kind: kind.to_owned(),
            key: key.to_owned(),
            payload: payload.to_owned(),
        };
        self.write(Write::Notice(Box::new(row))).await
    }

    async fn mark_day(&mut self, day: NaiveDate) -> R<()> {
        self.write(Write::Day(day)).await
    }
}

impl Runs for MemTx<'_> {
    async fn insert_run(&mut self, run: &Run) -> R<RunId> {
        self.step("insert run").await?;
        let row = Run {
            id: RunId(self.db().tables.runs.next_id()),
            ..run.clone()
        };
        let rules: Rules<'_, Run> =
            &[(Constraint::Other, &|other| other.public_id == run.public_id)];
        self.add(Kind::Run, row, rules, |t| &mut t.runs)
            .await
            .map(RunId)
    }

    async fn lock_run(&mut self, id: RunId) -> R<Run> {
        self.step("lock run").await?;
        let row = self.take(Kind::Run, id.0, |t| &mut t.runs).await?;
        row.ok_or(StoreError::NotFound { noun: Noun::Run })
    }

    async fn save_run(&mut self, run: &Run) -> R<()> {
        self.step("save run").await?;
        let saved = self
            .put(
                Kind::Run,
                run.id.0,
                |t| &mut t.runs,
                |old| {
                    Some(Run {
                        state: run.state,
                        finished_at: run.finished_at,
                        stop_reason: run.stop_reason.clone(),
                        ..old.clone()
                    })
                },
            )
            .await?;
        if saved { Ok(()) } else { self.stale(Noun::Run) }
    }

    async fn save_run_item(&mut self, item: &RunItem) -> R<()> {
        self.write(Write::RunItem(Box::new(item.clone()))).await
    }

    async fn decide_run_items(
        &mut self,
        attempt: AttemptId,
        decision: Decision,
        at: DateTime<Utc>,
    ) -> R<()> {
        self.write(Write::Decision(attempt, decision, at)).await
    }

    async fn run_totals(&mut self, id: RunId) -> R<Vec<(Option<Decision>, u64)>> {
        self.step("run totals").await?;
        let db = self.db();
        let mut totals: Vec<(Option<Decision>, u64)> = Vec::new();
        for (_, row) in db.tables.items.rows_of(self.no) {
            if row.run_id != id {
                continue;
            }
            match totals.iter_mut().find(|(d, _)| *d == row.decision) {
                Some((_, n)) => *n += 1,
                None => totals.push((row.decision, 1)),
            }
        }
        Ok(totals)
    }
}
