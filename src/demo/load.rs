//! Two loaders at work while the story is told: one fills the database, one the simulator's file.
//!
//! The teller hands over full batches and waits when a loader is behind, so memory stays bounded.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::options::DemoError;
use super::rows::Row;
use crate::sandbox::Behaviour;
use crate::sandbox::seed::{
    CardId, SeedCancel, SeedCard, SeedOutcome, SeedPayment, Seeded, Seeder,
};
use crate::store::bulk::{BulkWriter, Table};

/// Rows of a batch.
const ROWS: usize = 1_000;
/// Batches on their way.
const UNDER_WAY: usize = 6;

/// Rows of one table.
pub(super) type Batch = (Table, Vec<Row>);

/// What the simulator is to keep.
#[derive(Debug)]
pub(super) enum Kept {
    /// A card; cards are numbered from 0 in the order in which they are given.
    Card(Box<SeedCard>),
    /// What became of a card by now.
    Fate {
        card: u32,
        behaviour: Behaviour,
        deleted_at: Option<DateTime<Utc>>,
    },
    Payment(Box<KeptPayment>),
}

/// A charge as the simulator knows it.
#[derive(Debug, Clone)]
pub(super) struct KeptPayment {
    pub(super) card: u32,
    pub(super) payment_key: String,
    pub(super) order_id: String,
    pub(super) order_name: String,
    pub(super) amount: i64,
    pub(super) installment_months: u32,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) outcome: SeedOutcome,
    pub(super) cancels: Vec<SeedCancel>,
}

/// Where the teller puts rows.
#[derive(Debug)]
pub(super) struct Outlet {
    store: mpsc::Sender<Batch>,
    sandbox: mpsc::Sender<Vec<Kept>>,
    rows: Vec<Vec<Row>>,
    kept: Vec<Kept>,
}

/// Where the loaders take them.
#[derive(Debug)]
pub(super) struct Inlet {
    pub(super) store: mpsc::Receiver<Batch>,
    pub(super) sandbox: mpsc::Receiver<Vec<Kept>>,
}

/// A loader has stopped; it says why itself.
#[derive(Debug)]
pub(super) struct Stopped;

pub(super) fn channel() -> (Outlet, Inlet) {
    let (store, store_end) = mpsc::channel(UNDER_WAY);
    let (sandbox, sandbox_end) = mpsc::channel(UNDER_WAY);
    let outlet = Outlet {
        store,
        sandbox,
        rows: Table::ALL.iter().map(|_| Vec::new()).collect(),
        kept: Vec::new(),
    };
    let inlet = Inlet {
        store: store_end,
        sandbox: sandbox_end,
    };
    (outlet, inlet)
}

impl Outlet {
    pub(super) fn row(&mut self, table: Table, row: Row) -> Result<(), Stopped> {
        let rows = &mut self.rows[table as usize];
        rows.push(row);
        if rows.len() < ROWS {
            return Ok(());
        }
        let full = std::mem::replace(rows, Vec::with_capacity(ROWS));
        self.store.blocking_send((table, full)).map_err(|_| Stopped)
    }

    pub(super) fn keep(&mut self, kept: Kept) -> Result<(), Stopped> {
        self.kept.push(kept);
        if self.kept.len() < ROWS {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.kept, Vec::with_capacity(ROWS));
        self.sandbox.blocking_send(full).map_err(|_| Stopped)
    }

    /// Hands over what is left.
    pub(super) fn finish(mut self) -> Result<(), Stopped> {
        for (table, rows) in Table::ALL.iter().zip(self.rows) {
            if !rows.is_empty() {
                let last = (*table, rows);
                self.store.blocking_send(last).map_err(|_| Stopped)?;
            }
        }
        let last = std::mem::take(&mut self.kept);
        self.sandbox.blocking_send(last).map_err(|_| Stopped)
    }
}

/// Writes rows until there are no more, then indexes.
pub(super) async fn fill_store(
    mut writer: BulkWriter,
    mut batches: mpsc::Receiver<Batch>,
) -> Result<(), DemoError> {
    while let Some((table, rows)) = batches.recv().await {
        writer.insert_many(table, rows).await?;
    }
    Ok(writer.finish().await?)
}

/// Writes cards and payments until there are no more, then indexes.
pub(super) async fn fill_sandbox(
    dir: &Path,
    clock_offset: TimeDelta,
    mut batches: mpsc::Receiver<Vec<Kept>>,
) -> Result<Seeded, DemoError> {
    let mut seeder = Seeder::create(dir).await?;
    let mut cards: Vec<CardId> = Vec::new();
    while let Some(batch) = batches.recv().await {
        keep_batch(&mut seeder, &mut cards, batch).await?;
    }
    if !clock_offset.is_zero() {
        seeder.set_clock_offset(clock_offset).await?;
    }
    Ok(seeder.finish().await?)
}

/// A payment's card may stand in the same batch: cards first.
async fn keep_batch(
    seeder: &mut Seeder,
    cards: &mut Vec<CardId>,
    batch: Vec<Kept>,
) -> Result<(), DemoError> {
    let mut new_cards = Vec::new();
    let mut payments = Vec::new();
    let mut fates = Vec::new();
    for kept in batch {
        match kept {
            Kept::Card(card) => new_cards.push(*card),
            Kept::Payment(payment) => payments.push(*payment),
            Kept::Fate {
                card,
                behaviour,
                deleted_at,
            } => fates.push((card, behaviour, deleted_at)),
        }
    }
    cards.extend(seeder.add_cards(&new_cards).await?);
    let payments: Vec<SeedPayment> = payments
        .into_iter()
        .map(|kept| {
            let card = number_of(cards, kept.card)?;
            Ok(kept.seed(card))
        })
        .collect::<Result<_, DemoError>>()?;
    seeder.add_payments(&payments).await?;
    for (card, behaviour, deleted_at) in fates {
        let card = number_of(cards, card)?;
        seeder.change_card(card, &behaviour, deleted_at).await?;
    }
    Ok(())
}

fn number_of(cards: &[CardId], card: u32) -> Result<CardId, DemoError> {
    let at = usize::try_from(card).unwrap_or(usize::MAX);
    let unknown = || DemoError::Story(format!("card {card} was never registered"));
    cards.get(at).copied().ok_or_else(unknown)
}

impl KeptPayment {
    fn seed(self, card: CardId) -> SeedPayment {
        SeedPayment {
            payment_key: self.payment_key,
            order_id: self.order_id,
            order_name: self.order_name,
            card,
            amount: self.amount,
            installment_months: self.installment_months,
            requested_at: self.requested_at,
            outcome: self.outcome,
            cancels: self.cancels,
        }
    }
}
