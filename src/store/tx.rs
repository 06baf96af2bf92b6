//! One transaction. A failed statement ends it: PostgreSQL does that by itself, SQLite would go on,
//! and a COMMIT after a failure must not look like a success on either.

use std::marker::PhantomData;

use sqlx::{Postgres, Sqlite, Transaction};

use super::batch::Batch;
use super::books::HeldChain;
use super::connection::Connection;
use super::error::{commit_failed, failed};
use super::open::{Access, Pools, SqlStore, read_only};
use super::sql::{Row, Stmt, Value};
use crate::domain::ids::{AttemptId, EvidenceId, Noun};
use crate::engine::ports::{Desk, Foreseen, Store, StoreError, Tx};

type R<T> = Result<T, StoreError>;

enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// The repositories of one transaction.
pub struct SqlTx<'d> {
    open: Open,
    pub(super) store: SqlStore,
    is_broken: bool,
    /// Where this transaction's audit records go, once it has written one.
    pub(super) chain: Option<HeldChain>,
    /// The evidence taken in by this transaction: it is what lets a settled attempt move.
    pub(super) evidence: Vec<(AttemptId, EvidenceId)>,
    /// Where it works on many rows.
    pub(super) batch: Option<Batch>,
    desk: PhantomData<&'d mut Desk>,
}

impl std::fmt::Debug for SqlTx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlTx").finish_non_exhaustive()
    }
}

impl Store for SqlStore {
    type Tx<'d> = SqlTx<'d>;

    async fn begin<'d>(&'d self, _desk: &'d mut Desk) -> R<SqlTx<'d>> {
        self.begin_unlent().await
    }

    fn writers(&self) -> usize {
        match &self.shared.pools {
            Pools::Sqlite { .. } => 1,
            // Half of the pool at most, so that whoever reads meanwhile finds a connection.
            Pools::Postgres { pool, .. } => {
                let half = pool.options().get_max_connections() / 2;
                usize::try_from(half).unwrap_or(1).clamp(1, 4)
            }
        }
    }
}

impl SqlStore {
    /// A transaction of the store's own, such as computing daily figures: nobody's desk is lent.
    pub(super) async fn begin_unlent<'d>(&self) -> R<SqlTx<'d>> {
        let open = match &self.shared.pools {
            Pools::Sqlite { writer, .. } => {
                let writer = writer.as_ref().ok_or_else(read_only)?;
                Open::Sqlite(writer.begin_with("begin immediate").await.map_err(failed)?)
            }
            Pools::Postgres {
                access: Access::ReadOnly,
                ..
            } => return Err(read_only()),
            Pools::Postgres { pool, .. } => Open::Postgres(pool.begin().await.map_err(failed)?),
        };
        Ok(SqlTx {
            open,
            store: self.clone(),
            is_broken: false,
            chain: None,
            evidence: Vec::new(),
            batch: None,
            desk: PhantomData,
        })
    }
}

impl SqlTx<'_> {
    fn connection(&mut self) -> R<Connection<'_>> {
        if self.is_broken {
            return Err(StoreError::Other(
                "the transaction has failed before".into(),
            ));
        }
        Ok(match &mut self.open {
            Open::Sqlite(open) => Connection::Sqlite(open),
            Open::Postgres(open) => Connection::Postgres(open),
        })
    }

    fn note<T>(&mut self, outcome: R<T>) -> R<T> {
        self.is_broken |= outcome.is_err();
        outcome
    }

    /// The transaction has failed.
    pub(super) fn give_up<T>(&mut self, error: StoreError) -> R<T> {
        self.note(Err(error))
    }

    /// The rows of a query: as they were read ahead, or after everything that waits is written.
    pub(super) async fn rows(&mut self, stmt: &Stmt, args: Vec<Value>) -> R<Vec<Row>> {
        let known = self.batch.as_ref().and_then(|b| b.known(stmt, &args));
        if let Some(rows) = known {
            return Ok(rows);
        }
        self.flush().await?;
        self.at_once(stmt, args).await
    }

    /// The rows of a query that does not look at what waits.
    pub(super) async fn at_once(&mut self, stmt: &Stmt, args: Vec<Value>) -> R<Vec<Row>> {
        let outcome = self.connection()?.rows(stmt, args).await;
        self.note(outcome)
    }

    /// The first row of a query, if there is one.
    pub(super) async fn maybe(&mut self, stmt: &Stmt, args: Vec<Value>) -> R<Option<Row>> {
        Ok(self.rows(stmt, args).await?.into_iter().next())
    }

    /// The one row with an id.
    pub(super) async fn one(&mut self, stmt: &Stmt, args: Vec<Value>, noun: Noun) -> R<Row> {
        self.maybe(stmt, args)
            .await?
            .ok_or(StoreError::NotFound { noun })
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&mut self, stmt: &Stmt, args: Vec<Value>) -> R<u64> {
        self.flush().await?;
        let outcome = self.connection()?.execute(stmt, args).await;
        self.note(outcome)
    }

    /// How many rows a statement changed that takes many.
    pub(super) async fn execute_all(&mut self, stmt: &Stmt, rows: Vec<Vec<Value>>) -> R<u64> {
        let outcome = self.connection()?.execute_all(stmt, rows).await;
        self.note(outcome)
    }

    /// A statement that must change a row, or the row is not what the caller read.
    pub(super) async fn change(&mut self, stmt: &Stmt, args: Vec<Value>, noun: Noun) -> R<()> {
        let outcome = match self.execute(stmt, args).await? {
            0 => Err(StoreError::Stale { noun }),
            _ => Ok(()),
        };
        self.note(outcome)
    }

    /// An insert with `returning id`.
    pub(super) async fn insert(&mut self, stmt: &Stmt, args: Vec<Value>) -> R<i64> {
        let row = self.maybe(stmt, args).await?;
        let outcome = match row {
            Some(row) => row.counts("new row").i64("id"),
            None => Err(StoreError::Other("an insert gave no id".into())),
        };
        self.note(outcome)
    }

    /// The number in the column `n` of a count.
    pub(super) async fn count(&mut self, stmt: &Stmt, args: Vec<Value>) -> R<u64> {
        match self.maybe(stmt, args).await? {
            Some(row) => row.counts("count").count("n"),
            None => Ok(0),
        }
    }
}

impl Tx for SqlTx<'_> {
    async fn foresee(&mut self, rows: Foreseen<'_>) -> R<()> {
        self.foresee_rows(rows).await
    }

    async fn commit(mut self) -> R<()> {
        // A transaction that failed before is refused here, and rolled back on drop.
        self.connection()?;
        self.flush().await?;
        let mut chain = self.chain.take();
        if let Some(chain) = &mut chain {
            chain.doubt();
        }
        let outcome = match self.open {
            Open::Sqlite(open) => open.commit().await,
            Open::Postgres(open) => open.commit().await,
        };
        let outcome = outcome.map_err(commit_failed);
        match (chain, &outcome) {
            (Some(chain), Ok(())) => chain.keep(),
            (Some(_) | None, Err(StoreError::CommitUnknown(_))) | (None, _) => {}
            (Some(chain), Err(_)) => chain.withdraw(),
        }
        outcome
    }
}
