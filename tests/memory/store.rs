//! The store and its transaction: begin, lock, write, commit.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use paydeck::domain::ids::{AttemptId, EvidenceId, Noun};
use paydeck::engine::ports::{Constraint, Desk, Foreseen, Store, StoreError, Tx};

use super::batch::Batch;
use super::db::{Db, Kind, Lazy, Personality, Tables};
use super::flaw::Flaw;
use super::stage::{Granted, Reason, Stage};
use super::table::{Clash, Kept, Table, TxNo};

pub type R<T> = Result<T, StoreError>;

/// PostgreSQL gives a lock up after this, SQLite the whole database a little later.
const LOCK_TIMEOUT_US: i64 = 3_000_000;
const BUSY_TIMEOUT_US: i64 = 5_000_000;

/// One database, whoever is connected.
#[derive(Debug)]
pub struct Shared {
    pub stage: Arc<Stage>,
    db: Mutex<Db>,
}

impl Shared {
    pub fn new(stage: Arc<Stage>, personality: Personality, tables: Tables) -> Arc<Self> {
        Arc::new(Self {
            stage,
            db: Mutex::new(Db::new(personality, tables)),
        })
    }

    pub fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process is gone: what it was told is committed and is not yet, never will be.
    pub fn process_died(&self, process: u64) {
        let mut db = self.db();
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut db.lazy)
            .into_iter()
            .partition(|lazy| lazy.process == process);
        db.lazy = kept;
        for lazy in gone {
            db.end(lazy.tx, 0, &lazy.touched, Kept::No);
        }
        drop(db);
        self.stage.lock().releases += 1;
    }

    fn flush(&self, process: Option<u64>) {
        let mut db = self.db();
        if db.lazy.is_empty() {
            return;
        }
        let actor = self.stage.lock().actor;
        let (due, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut db.lazy)
            .into_iter()
            .partition(|lazy| process.is_none_or(|process| lazy.process == process));
        db.lazy = kept;
        for lazy in due {
            db.end(lazy.tx, actor, &lazy.touched, Kept::Yes);
        }
        drop(db);
        self.stage.lock().releases += 1;
    }
}

/// One process's connections to it.
#[derive(Debug, Clone)]
pub struct MemStore {
    pub shared: Arc<Shared>,
    process: u64,
    chain: Arc<str>,
    chains: Arc<Mutex<Chains>>,
}

#[derive(Debug, Default)]
struct Chains {
    idle: Vec<(Arc<str>, i64)>,
    made: u32,
}

impl MemStore {
    pub fn new(shared: &Arc<Shared>, process: u64) -> Self {
        Self {
            shared: Arc::clone(shared),
            process,
            chain: format!("p{process}").into(),
            chains: Arc::default(),
        }
    }
}

/// A transaction in memory.
pub struct MemTx<'d> {
    store: MemStore,
    pub(super) no: TxNo,
    touched: Vec<(Kind, i64)>,
    pub(super) evidence: Vec<(AttemptId, EvidenceId)>,
    /// It approves something.
    pub(super) grants: bool,
    /// Every rule that the last refused statement would have broken.
    pub refused_by: Vec<Constraint>,
    chain: Option<(Arc<str>, i64)>,
    pub(super) is_broken: bool,
    is_over: bool,
    /// Where it is about many rows.
    pub(super) batch: Option<Box<Batch>>,
    desk: PhantomData<&'d mut Desk>,
}

impl Store for MemStore {
    type Tx<'d> = MemTx<'d>;

    async fn begin<'d>(&'d self, _desk: &'d mut Desk) -> R<MemTx<'d>> {
        self.shared.flush(Some(self.process));
        self.shared.stage.wait(Reason::Turn("begin")).await;
        self.trouble("begin")?;
        let personality = self.shared.db().personality;
        let no = match personality {
            Personality::ReadCommitted => {
                let actor = self.shared.stage.lock().actor;
                self.shared.db().next_tx(actor)
            }
            Personality::Serial => self.only_writer().await?,
        };
        Ok(MemTx {
            store: self.clone(),
            no,
            touched: Vec::new(),
            evidence: Vec::new(),
            grants: false,
            refused_by: Vec::new(),
            chain: None,
            is_broken: false,
            is_over: false,
            batch: None,
            desk: PhantomData,
        })
    }

    fn writers(&self) -> usize {
        match self.shared.db().personality {
            Personality::Serial => 1,
            Personality::ReadCommitted => 2,
        }
    }
}

impl MemStore {
    async fn only_writer(&self) -> R<TxNo> {
        let in_vain_at = self.shared.stage.lock().now + BUSY_TIMEOUT_US;
        loop {
            {
                let actor = self.shared.stage.lock().actor;
                let mut db = self.shared.db();
                if db.writer.is_none() {
                    let no = db.next_tx(actor);
                    db.writer = Some(no);
                    return Ok(no);
                }
            }
            self.in_line(in_vain_at).await?;
        }
    }

    /// Waits until a transaction has ended, or gives up.
    async fn in_line(&self, in_vain_at: i64) -> R<()> {
        assert!(
            !self.shared.stage.is_calm(),
            "nobody else works here, and still a row is held"
        );
        let since = self.shared.stage.lock().releases;
        let reason = Reason::Lock { since, in_vain_at };
        match self.shared.stage.wait(reason).await {
            Granted::Go => Ok(()),
            Granted::InVain => Err(StoreError::Busy("waited too long".into())),
        }
    }

    fn trouble(&self, point: &str) -> R<()> {
        let mut db = self.shared.db();
        if db.trouble.left == 0 {
            return Ok(());
        }
        let mut state = self.shared.stage.lock();
        if !state.chance.per_mille(db.trouble.per_mille) {
            return Ok(());
        }
        db.trouble.left -= 1;
        db.trouble.happened += 1;
        if state.chance.per_mille(500) {
            Err(StoreError::Busy(
                format!("made to be busy at {point}").into(),
            ))
        } else {
            Err(StoreError::Unreachable(
                format!("made to be gone at {point}").into(),
            ))
        }
    }

    fn take_chain(&self) -> (Arc<str>, i64) {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.idle.pop().unwrap_or_else(|| {
            chains.made += 1;
            (format!("{}.{}", self.chain, chains.made).into(), 0)
        })
    }

    fn give_chain(&self, chain: (Arc<str>, i64)) {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        chains.idle.push(chain);
    }
}

/// How one try at a statement went.
pub(super) enum Try<T> {
    Done(T),
    /// A row or a unique value is held by this other transaction.
    Wait(TxNo),
}

impl MemTx<'_> {
    pub(super) fn db(&self) -> MutexGuard<'_, Db> {
        self.store.shared.db()
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.store.shared.stage
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.db().flaws.has(flaw)
    }

    pub(super) fn touch(&mut self, kind: Kind, id: i64) {
        if !self.touched.contains(&(kind, id)) {
            self.touched.push((kind, id));
        }
    }

    /// Before each statement that is not answered from what was read ahead.
    pub(super) async fn step(&mut self, what: &'static str) -> R<()> {
        self.flush().await?;
        self.turn(what).await
    }

    /// Before each statement.
    pub(super) async fn turn(&mut self, what: &'static str) -> R<()> {
        if self.is_broken {
            return Err(StoreError::Other(
                "the transaction has failed before".into(),
            ));
        }
        self.refused_by.clear();
        let personality = self.db().personality;
        if personality == Personality::ReadCommitted {
            self.store.shared.stage.wait(Reason::Turn(what)).await;
        }
        if let Some(doings) = &mut self.db().doings {
            doings.statements.push(what);
        }
        let outcome = self.store.trouble(what);
        self.note(outcome)
    }

    pub(super) fn note<T>(&mut self, outcome: R<T>) -> R<T> {
        self.is_broken |= outcome.is_err();
        outcome
    }

    pub(super) fn refuse<T>(&mut self, rules: Vec<Constraint>) -> R<T> {
        let first = rules.first().copied().unwrap_or(Constraint::Other);
        self.db().last_refused.clone_from(&rules);
        self.refused_by = rules;
        self.is_broken = true;
        Err(StoreError::Refused(first))
    }

    pub(super) fn stale<T>(&mut self, noun: Noun) -> R<T> {
        self.is_broken = true;
        Err(StoreError::Stale { noun })
    }

    /// Tries until nobody stands in the way.
    pub(super) async fn until_free<T>(&mut self, mut one: impl FnMut(&mut Self) -> Try<T>) -> R<T> {
        let in_vain_at = self.stage().lock().now + LOCK_TIMEOUT_US;
        loop {
            match one(self) {
                Try::Done(done) => return Ok(done),
                Try::Wait(holder) => {
                    let waited = self.wait_for(holder, in_vain_at).await;
                    self.note(waited)?;
                }
            }
        }
    }

    /// Waits for another transaction. Where that one waits for this one in the end, as PostgreSQL finds out, one of the two
    /// is refused.
    async fn wait_for(&mut self, holder: TxNo, in_vain_at: i64) -> R<()> {
        let me = self.no;
        {
            let mut db = self.db();
            let ring = db.waits_for(me, holder);
            let mut stage = self.stage().lock();
            if let Some(other) = ring {
                if stage.chance.per_mille(500) {
                    return Err(StoreError::Busy("deadlock detected".into()));
                }
                db.gives_up(other, me, holder);
                stage.releases += 1;
            }
        }
        let waited = self.store.in_line(in_vain_at).await;
        if self.db().waits_no_longer(me) {
            return Err(StoreError::Busy("deadlock detected".into()));
        }
        waited
    }

    /// Takes a row that is there, waiting for whoever holds it. None when it is not.
    pub(super) async fn take<T: Clone>(
        &mut self,
        kind: Kind,
        id: i64,
        table: impl Fn(&mut Tables) -> &mut Table<T>,
    ) -> R<Option<T>> {
        let holds = !self.has(Flaw::RowLocks);
        self.until_free(|tx| tx.try_take(kind, id, &table, holds))
            .await
    }

    fn try_take<T: Clone>(
        &mut self,
        kind: Kind,
        id: i64,
        table: &impl Fn(&mut Tables) -> &mut Table<T>,
        holds: bool,
    ) -> Try<Option<T>> {
        let no = self.no;
        let mut db = self.db();
        let Some(slot) = table(&mut db.tables).slot_mut(id) else {
            return Try::Done(None);
        };
        if let Some(holder) = slot.held_from(no) {
            if slot.committed.is_none() {
                return Try::Done(None);
            }
            if holds {
                return Try::Wait(holder);
            }
        }
        let Some(row) = slot.seen_by(no).map(|row| T::clone(row)) else {
            return Try::Done(None);
        };
        if holds {
            slot.locked_by = Some(no);
            drop(db);
            self.touch(kind, id);
        }
        Try::Done(Some(row))
    }

    /// Writes a row that this transaction may write; waits for whoever holds it.
    pub(super) async fn put<T>(
        &mut self,
        kind: Kind,
        id: i64,
        table: impl Fn(&mut Tables) -> &mut Table<T>,
        mut change: impl FnMut(&T) -> Option<T>,
    ) -> R<bool> {
        self.until_free(|tx| {
            let no = tx.no;
            let mut db = tx.db();
            let Some(slot) = table(&mut db.tables).slot_mut(id) else {
                return Try::Done(false);
            };
            if let Some(holder) = slot.held_from(no) {
                return if slot.committed.is_some() {
                    Try::Wait(holder)
                } else {
                    Try::Done(false)
                };
            }
            let Some(changed) = slot.seen_by(no).and_then(|row| change(row)) else {
                return Try::Done(false);
            };
            slot.locked_by = Some(no);
            slot.dirty = Some(Arc::new(changed));
            drop(db);
            tx.touch(kind, id);
            Try::Done(true)
        })
        .await
    }

    /// Puts a row in, where nothing that must be unique stands in the way.
    pub(super) async fn add<T: Clone>(
        &mut self,
        kind: Kind,
        row: T,
        rules: Rules<'_, T>,
        table: impl Fn(&mut Tables) -> &mut Table<T>,
    ) -> R<i64> {
        let broken = self
            .until_free(|tx| tx.broken_rules(None, rules, &table))
            .await?;
        if !broken.is_empty() {
            return self.refuse(broken);
        }
        let id = {
            let no = self.no;
            let mut db = self.db();
            table(&mut db.tables).insert(row, no)
        };
        self.touch(kind, id);
        Ok(id)
    }

    pub(super) fn broken_rules<T>(
        &mut self,
        except: Option<i64>,
        rules: Rules<'_, T>,
        table: &impl Fn(&mut Tables) -> &mut Table<T>,
    ) -> Try<Vec<Constraint>> {
        let no = self.no;
        let mut db = self.db();
        let table = table(&mut db.tables);
        let mut broken = Vec::new();
        for (constraint, has_it) in rules {
            match table.clash(no, except, has_it) {
                Clash::Nothing => {}
                Clash::Refused => broken.push(*constraint),
                Clash::Wait(holder) => return Try::Wait(holder),
            }
        }
        Try::Done(broken)
    }

    /// The next place in this transaction's audit chain, whose end has to be looked up where no commit told it.
    pub(super) async fn next_place(&mut self) -> R<(Arc<str>, i64)> {
        let (name, seq) = match self.chain.take() {
            Some(chain) => chain,
            None => {
                let (name, seq) = self.store.take_chain();
                if seq == 0 {
                    self.step("chain end").await?;
                }
                (name, seq)
            }
        };
        let place = (name, seq + 1);
        self.chain = Some(place.clone());
        Ok(place)
    }

    fn end(&mut self, kept: Kept) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let touched = std::mem::take(&mut self.touched);
        let actor = self.stage().lock().actor;
        let process = self.store.process;
        let mut db = self.db();
        if kept == Kept::Yes && db.flaws.has(Flaw::LazyCommit) {
            if db.writer == Some(self.no) {
                db.writer = None;
            }
            let tx = self.no;
            db.lazy.push(Lazy {
                process,
                tx,
                touched,
            });
        } else {
            db.end(self.no, actor, &touched, kept);
        }
        drop(db);
        self.stage().lock().releases += 1;
    }
}

/// What must be unique, and which row has it already.
pub(super) type Rules<'r, T> = &'r [(Constraint, &'r (dyn Fn(&T) -> bool + Sync))];

impl Tx for MemTx<'_> {
    async fn foresee(&mut self, rows: Foreseen<'_>) -> R<()> {
        self.foresee_rows(rows).await
    }

    async fn commit(mut self) -> R<()> {
        if self.is_broken {
            return Err(StoreError::Other(
                "the transaction has failed before".into(),
            ));
        }
        self.flush().await?;
        self.store.shared.stage.wait(Reason::Turn("commit")).await;
        match self.store.trouble("commit") {
            Ok(()) => {}
            Err(busy @ StoreError::Busy(_)) => return Err(busy),
            Err(_) => {
                let is_written = self.stage().lock().chance.per_mille(500);
                self.chain = None;
                self.end(if is_written { Kept::Yes } else { Kept::No });
                return Err(StoreError::CommitUnknown("made to be silent".into()));
            }
        }
        self.end(Kept::Yes);
        if let Some(chain) = self.chain.take() {
            self.store.give_chain(chain);
        }
        self.store
            .shared
            .stage
            .wait(Reason::Turn("committed"))
            .await;
        Ok(())
    }
}

impl Drop for MemTx<'_> {
    fn drop(&mut self) {
        let kept = if self.has(Flaw::DropCommits) {
            Kept::Yes
        } else {
            Kept::No
        };
        self.end(kept);
    }
}
