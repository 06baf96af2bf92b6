//! What a transaction that works on many rows has read ahead, and what it has yet to write.
//!
//! A read of a row that was read ahead costs nothing; a write of it forgets it. Writes are kept until
//! something is read that was not foreseen or the commit comes, and go out as one statement for each
//! kind. Who asks the repositories notices neither, except that a refusal may come later: such a
//! transaction is done again row by row.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::sql::{Row, Stmt, Value, args};
use super::tx::SqlTx;
use crate::domain::ids::Noun;
use crate::engine::ports::{Foreseen, StoreError};

type R<T> = Result<T, StoreError>;

/// Kinds of writes that can wait, in the order in which they may follow each other: a payment is of
/// an attempt that was there before, and a refund's attempt may be of a payment of this transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Written {
    Invoices,
    Lines,
    Evidence,
    AttemptMoves,
    Payments,
    Attempts,
    Postings,
    InvoiceMoves,
    SubscriptionMoves,
    Changes,
    RunItems,
    Decisions,
    Notices,
    Days,
    Audit,
}

/// Writes of one kind.
#[derive(Debug)]
struct Waiting {
    stmt: &'static Stmt,
    /// Each row must change exactly one stored row, or it is not what the caller read.
    must_change: Option<Noun>,
    rows: Vec<Vec<Value>>,
    /// Which rows are meant: one statement cannot change a row twice.
    keys: HashSet<i64>,
}

fn distinct(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let ids: BTreeSet<i64> = ids.collect();
    ids.into_iter().collect()
}

type Reading = (&'static str, Vec<Value>);

/// Of a transaction that works on many rows.
#[derive(Debug, Default)]
pub(super) struct Batch {
    size: i64,
    read: HashMap<Reading, Vec<Row>>,
    waiting: BTreeMap<Written, Waiting>,
    ids: HashMap<&'static str, VecDeque<i64>>,
}

impl Batch {
    fn of(size: usize) -> Self {
        Self {
            size: i64::try_from(size).unwrap_or(i64::MAX).max(1),
            ..Self::default()
        }
    }

    /// What was read ahead for exactly this question.
    pub(super) fn known(&self, stmt: &Stmt, args: &[Value]) -> Option<Vec<Row>> {
        if self.read.is_empty() {
            return None;
        }
        self.read.get(&(stmt.sqlite, args.to_vec())).cloned()
    }

    fn keep(&mut self, stmt: &Stmt, args: Vec<Value>, rows: Vec<Row>) {
        self.read.insert((stmt.sqlite, args), rows);
    }
}

impl SqlTx<'_> {
    /// Rows that were read ahead for one id are no longer what is stored.
    pub(super) fn forget(&mut self, stmt: &Stmt, args: Vec<Value>) {
        if let Some(batch) = &mut self.batch {
            batch.read.remove(&(stmt.sqlite, args));
        }
    }

    /// From here on the transaction works on many rows; what is asked for first is read at once.
    pub(super) async fn foresee_rows(&mut self, foreseen: Foreseen<'_>) -> R<()> {
        if foreseen.len() < 2 || self.batch.is_some() {
            return Ok(());
        }
        self.batch = Some(Batch::of(foreseen.len()));
        match foreseen {
            Foreseen::Billing(due) => {
                let ids: Vec<i64> = due.iter().map(|s| s.id.0).collect();
                self.foresee_terms(&ids).await?;
                self.foresee_plans(&distinct(due.iter().map(|s| s.plan_id.0)))
                    .await?;
                let customers = distinct(due.iter().map(|s| s.customer_id.0));
                let methods = distinct(due.iter().filter_map(|s| s.method_id).map(|id| id.0));
                self.foresee_payers(&customers, &methods).await?;
            }
            Foreseen::Dunning(due) => {
                let owners = distinct(due.iter().filter_map(|i| i.subscription_id).map(|id| id.0));
                let ids: Vec<i64> = due.iter().map(|i| i.id.0).collect();
                let methods = self.foresee_subscriptions(&owners).await?;
                self.foresee_invoices(&ids).await?;
                self.foresee_terms_of_invoices(&ids).await?;
                self.foresee_charges(&ids).await?;
                let customers = distinct(due.iter().map(|i| i.customer_id.0));
                self.foresee_payers(&customers, &distinct(methods.into_iter()))
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
                let ids: Vec<i64> = attempts.iter().map(|a| a.id.0).collect();
                self.foresee_subscriptions(&owners).await?;
                self.foresee_invoices(&invoices).await?;
                self.foresee_terms_of_invoices(&invoices).await?;
                self.foresee_payments(&payments).await?;
                self.foresee_attempts(&ids, &invoices).await?;
            }
        }
        self.foresee_time().await
    }

    /// Reads ahead what `one` gives for each of the ids. Rows of `all` name theirs in `keys`, in the
    /// order of the values of `one`.
    pub(super) async fn read_each(
        &mut self,
        one: &'static Stmt,
        all: &Stmt,
        ids: &[i64],
        keys: &[&str],
    ) -> R<Vec<Row>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.rows(all, vec![Value::Ids(ids.to_vec())]).await?;
        let mut found: HashMap<Vec<Value>, Vec<Row>> = HashMap::new();
        if let [_] = keys {
            found.extend(ids.iter().map(|id| (args![*id], Vec::new())));
        }
        for row in &rows {
            let cells = row.counts("row read ahead");
            let key: R<Vec<Value>> = keys
                .iter()
                .map(|name| cells.opt_i64(name).map(Value::I64))
                .collect();
            found.entry(key?).or_default().push(row.clone());
        }
        if let Some(batch) = &mut self.batch {
            for (args, rows) in found {
                batch.keep(one, args, rows);
            }
        }
        Ok(rows)
    }

    /// Reads ahead what is asked for without values.
    pub(super) async fn read_once(&mut self, stmt: &'static Stmt) -> R<()> {
        let rows = self.rows(stmt, args![]).await?;
        if let Some(batch) = &mut self.batch {
            batch.keep(stmt, args![], rows);
        }
        Ok(())
    }

    /// Writes a row now or with others of its kind; `key` says which row is meant.
    async fn write_keyed(
        &mut self,
        kind: Written,
        stmt: &'static Stmt,
        values: Vec<Value>,
        must_change: Option<Noun>,
        key: Option<i64>,
    ) -> R<()> {
        if self.batch.is_none() {
            return match must_change {
                Some(noun) => self.change(stmt, values, noun).await,
                None => self.execute(stmt, values).await.map(|_rows| ()),
            };
        }
        super::sql::check_binds(stmt, &values)?;
        let is_second = self.batch.as_ref().is_some_and(|batch| {
            let waiting = batch.waiting.get(&kind);
            waiting.is_some_and(|waiting| key.is_some_and(|key| waiting.keys.contains(&key)))
        });
        if is_second {
            self.flush().await?;
        }
        if let Some(batch) = &mut self.batch {
            let waiting = batch.waiting.entry(kind).or_insert_with(|| Waiting {
                stmt,
                must_change,
                rows: Vec::new(),
                keys: HashSet::new(),
            });
            waiting.rows.push(values);
            waiting.keys.extend(key);
        }
        Ok(())
    }

    /// Appends a row.
    pub(super) async fn append(
        &mut self,
        kind: Written,
        stmt: &'static Stmt,
        values: Vec<Value>,
    ) -> R<()> {
        self.write_keyed(kind, stmt, values, None, None).await
    }

    /// Writes a row that may be there already, or may not.
    pub(super) async fn put(
        &mut self,
        kind: Written,
        stmt: &'static Stmt,
        values: Vec<Value>,
        key: i64,
    ) -> R<()> {
        self.write_keyed(kind, stmt, values, None, Some(key)).await
    }

    /// Changes a row that must be as the caller read it.
    pub(super) async fn move_row(
        &mut self,
        kind: Written,
        stmt: &'static Stmt,
        values: Vec<Value>,
        (noun, id): (Noun, i64),
    ) -> R<()> {
        self.write_keyed(kind, stmt, values, Some(noun), Some(id))
            .await
    }

    /// Makes a row and gives its id, which is the first value of `stmt`: null lets the database
    /// choose, `ids` gives some in advance.
    pub(super) async fn make(
        &mut self,
        kind: Written,
        stmt: &'static Stmt,
        ids: &'static Stmt,
        mut values: Vec<Value>,
    ) -> R<i64> {
        if self.batch.is_none() {
            values.insert(0, Value::I64(None));
            return self.insert(stmt, values).await;
        }
        let id = self.next_id(ids).await?;
        values.insert(0, Value::from(id));
        self.append(kind, stmt, values).await?;
        Ok(id)
    }

    /// Ids are taken while the rows they are about are locked, so that of two rows about one
    /// attempt the later has the larger id.
    async fn next_id(&mut self, ids: &'static Stmt) -> R<i64> {
        let (kept, size) = match &mut self.batch {
            Some(batch) => {
                let kept = batch.ids.entry(ids.postgres).or_default();
                (kept.pop_front(), batch.size)
            }
            None => (None, 1),
        };
        if let Some(id) = kept {
            return Ok(id);
        }
        // SQLite counts from the largest stored id, so what was given before has to be stored.
        let rows = self.rows(ids, args![size]).await?;
        let mut fresh = VecDeque::with_capacity(rows.len());
        for row in &rows {
            fresh.push_back(row.counts("sequence").i64("id")?);
        }
        let id = fresh.pop_front();
        if let Some(batch) = &mut self.batch {
            batch.ids.insert(ids.postgres, fresh);
        }
        id.ok_or_else(|| StoreError::Other("a sequence gave no number".into()))
    }

    /// Writes what waits.
    pub(super) async fn flush(&mut self) -> R<()> {
        let Some(batch) = &mut self.batch else {
            return Ok(());
        };
        for (_, waiting) in std::mem::take(&mut batch.waiting) {
            let wanted = u64::try_from(waiting.rows.len()).unwrap_or(u64::MAX);
            let changed = self.execute_all(waiting.stmt, waiting.rows).await?;
            if let Some(noun) = waiting.must_change
                && changed != wanted
            {
                return self.give_up(StoreError::Stale { noun });
            }
        }
        Ok(())
    }
}
