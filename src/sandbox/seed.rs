//! Fills a new simulator's file with history in bulk: cards with their billing keys, payments, cancels.
//!
//! It checks only what would make the books impossible. Indexes come last; nothing is readable before `finish`.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, QueryBuilder, Sqlite, SqliteConnection};

use super::error::SandboxError;
use super::ledger::{Behaviour, Status};
use super::persist::{FILE_NAME, INDEXES, TABLES, create_private, mark, put_setting};

/// A card of the seed, to be named by its payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardId(i64);

#[derive(Debug, Clone)]
pub struct SeedCard {
    pub billing_key: String,
    pub customer_key: String,
    /// Masked, such as `43301234****123*`.
    pub number: String,
    pub issuer_code: String,
    /// `YYMM`; none: never expires.
    pub expiry: Option<String>,
    pub behaviour: Behaviour,
    pub authenticated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub struct SeedPayment {
    pub payment_key: String,
    pub order_id: String,
    pub order_name: String,
    pub card: CardId,
    pub amount: i64,
    /// Over how many months it is paid off; zero is all at once.
    pub installment_months: u32,
    pub requested_at: DateTime<Utc>,
    pub outcome: SeedOutcome,
    /// In order of time; only an approved payment may have any.
    pub cancels: Vec<SeedCancel>,
}

#[derive(Debug, Clone)]
pub enum SeedOutcome {
    Approved {
        at: DateTime<Utc>,
        transaction_key: String,
    },
    Declined {
        code: String,
    },
}

#[derive(Debug, Clone)]
pub struct SeedCancel {
    pub transaction_key: String,
    pub amount: i64,
    pub reason: String,
    pub canceled_at: DateTime<Utc>,
}

/// What was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded {
    pub path: PathBuf,
    pub cards: i64,
    pub payments: i64,
}

/// One open, unfinished file.
#[derive(Debug)]
pub struct Seeder {
    connection: SqliteConnection,
    path: PathBuf,
    last_card: i64,
    last_payment: i64,
}

/// Rows of one statement; SQLite takes 32,766 parameters.
const ROWS: usize = 1_000;

impl Seeder {
    /// Makes `DIR/sandbox.sqlite`; there must be none yet.
    pub async fn create(dir: &Path) -> Result<Self, SandboxError> {
        let path = dir.join(FILE_NAME);
        if path.exists() {
            return Err(SandboxError::Exists { path });
        }
        let failed = |source| SandboxError::Files {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(failed)?;
        create_private(&path).map_err(failed)?;
        // An unfinished file is worthless anyway, so nothing protects it.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", "-16384")
            .pragma("locking_mode", "exclusive");
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql(TABLES).execute(&mut connection).await?;
        sqlx::raw_sql("begin").execute(&mut connection).await?;
        Ok(Self {
            connection,
            path,
            last_card: 0,
            last_payment: 0,
        })
    }

    /// Adds cards and gives their numbers in the same order.
    pub async fn add_cards(&mut self, cards: &[SeedCard]) -> Result<Vec<CardId>, SandboxError> {
        const INTO: &str = "insert into card (card_id, billing_key, customer_key, number, issuer_code, acquirer_code, \
            card_type, owner_type, expiry, behaviour, declined, authenticated_at, deleted_at) ";
        let mut ids = Vec::with_capacity(cards.len());
        for some in cards.chunks(ROWS) {
            let mut query = QueryBuilder::<Sqlite>::new(INTO);
            let mut id = self.last_card;
            query.push_values(some, |mut row, card| {
                id += 1;
                row.push_bind(id)
                    .push_bind(&card.billing_key)
                    .push_bind(&card.customer_key)
                    .push_bind(&card.number)
                    .push_bind(&card.issuer_code)
                    .push_bind("31")
                    .push_bind("신용")
                    .push_bind("개인")
                    .push_bind(&card.expiry)
                    .push_bind(card.behaviour.to_string())
                    .push_bind(0_i64)
                    .push_bind(card.authenticated_at.timestamp_micros())
                    .push_bind(card.deleted_at.map(|at| at.timestamp_micros()));
            });
            query.build().execute(&mut self.connection).await?;
            ids.extend((self.last_card + 1..=id).map(CardId));
            self.last_card = id;
        }
        Ok(ids)
    }

    /// Says what became of a card since: how it behaves from now on, and when its key was deleted.
    pub async fn change_card(
        &mut self,
        card: CardId,
        behaviour: &Behaviour,
        deleted_at: Option<DateTime<Utc>>,
    ) -> Result<(), SandboxError> {
        const CHANGE: &str = "update card set behaviour = ?, deleted_at = ? where card_id = ?";
        sqlx::query(CHANGE)
            .bind(behaviour.to_string())
            .bind(deleted_at.map(|at| at.timestamp_micros()))
            .bind(card.0)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Adds payments; give them in order of time and some thousand at once.
    pub async fn add_payments(&mut self, payments: &[SeedPayment]) -> Result<(), SandboxError> {
        for some in payments.chunks(ROWS) {
            let rows: Vec<Row<'_>> = some
                .iter()
                .map(|payment| self.row(payment))
                .collect::<Result<_, _>>()?;
            self.insert_payments(&rows).await?;
            let cancels: Vec<CancelRow<'_>> = rows.iter().flat_map(cancel_rows).collect();
            for some in cancels.chunks(ROWS) {
                self.insert_cancels(some).await?;
            }
        }
        Ok(())
    }

    /// Makes the simulator's clock differ from the machine's by so much from its first start on.
    pub async fn set_clock_offset(&mut self, offset: TimeDelta) -> Result<(), SandboxError> {
        let offset_us = offset.num_microseconds().unwrap_or(0);
        put_setting(
            &mut self.connection,
            "clock_offset_us",
            offset_us.to_string(),
        )
        .await
    }

    /// Builds the indexes and closes the file; a simulator may then start on the directory.
    pub async fn finish(mut self) -> Result<Seeded, SandboxError> {
        sqlx::raw_sql("commit")
            .execute(&mut self.connection)
            .await?;
        sqlx::raw_sql(INDEXES).execute(&mut self.connection).await?;
        mark(&mut self.connection).await?;
        self.connection.close().await?;
        Ok(Seeded {
            path: self.path,
            cards: self.last_card,
            payments: self.last_payment,
        })
    }

    fn row<'a>(&mut self, payment: &'a SeedPayment) -> Result<Row<'a>, SandboxError> {
        let canceled: i64 = payment.cancels.iter().map(|cancel| cancel.amount).sum();
        let is_sound = payment.amount > 0
            && canceled <= payment.amount
            && payment.cancels.iter().all(|cancel| cancel.amount > 0)
            && (1..=self.last_card).contains(&payment.card.0);
        let is_declined = matches!(payment.outcome, SeedOutcome::Declined { .. });
        if !is_sound || (is_declined && canceled > 0) {
            return Err(SandboxError::ImpossiblePayment {
                order_id: payment.order_id.clone(),
            });
        }
        self.last_payment += 1;
        let (status, balance) = match (&payment.outcome, payment.cancels.as_slice()) {
            (SeedOutcome::Declined { .. }, _) => (Status::Aborted, 0),
            (SeedOutcome::Approved { .. }, []) => (Status::Done, payment.amount),
            (SeedOutcome::Approved { .. }, [one]) if one.amount == payment.amount => {
                (Status::Canceled, 0)
            }
            (SeedOutcome::Approved { .. }, _) => {
                (Status::PartialCanceled, payment.amount - canceled)
            }
        };
        Ok(Row {
            id: self.last_payment,
            payment,
            status,
            balance,
        })
    }

    async fn insert_payments(&mut self, rows: &[Row<'_>]) -> Result<(), SandboxError> {
        const INTO: &str = "insert into payment (payment_id, payment_key, order_id, order_name, kind, status, card_id, \
            amount, balance, tax_free, tax_exemption, installment_months, requested_at, approved_at, transaction_key, \
            failure) ";
        let mut query = QueryBuilder::<Sqlite>::new(INTO);
        query.push_values(rows, |mut values, row| {
            let payment = row.payment;
            let (approved_at, transaction_key, failure) = match &payment.outcome {
                SeedOutcome::Approved {
                    at,
                    transaction_key,
                } => (
                    Some(at.timestamp_micros()),
                    Some(transaction_key.as_str()),
                    None,
                ),
                SeedOutcome::Declined { code } => (None, None, Some(code.as_str())),
            };
            values
                .push_bind(row.id)
                .push_bind(payment.payment_key.as_str())
                .push_bind(payment.order_id.as_str())
                .push_bind(payment.order_name.as_str())
                .push("'BILLING'")
                .push_bind(row.status.wire())
                .push_bind(payment.card.0)
                .push_bind(payment.amount)
                .push_bind(row.balance)
                .push("0, 0")
                .push_bind(i64::from(payment.installment_months))
                .push_bind(payment.requested_at.timestamp_micros())
                .push_bind(approved_at)
                .push_bind(transaction_key)
                .push_bind(failure);
        });
        query.build().execute(&mut self.connection).await?;
        Ok(())
    }

    async fn insert_cancels(&mut self, rows: &[CancelRow<'_>]) -> Result<(), SandboxError> {
        const INTO: &str = "insert into cancel (payment_id, position, transaction_key, amount, reason, tax_free, \
            tax_exemption, refundable_after, canceled_at) ";
        let mut query = QueryBuilder::<Sqlite>::new(INTO);
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.payment_id)
                .push_bind(row.position)
                .push_bind(row.cancel.transaction_key.as_str())
                .push_bind(row.cancel.amount)
                .push_bind(row.cancel.reason.as_str())
                .push("0, 0")
                .push_bind(row.refundable_after)
                .push_bind(row.cancel.canceled_at.timestamp_micros());
        });
        query.build().execute(&mut self.connection).await?;
        Ok(())
    }
}

struct Row<'a> {
    id: i64,
    payment: &'a SeedPayment,
    status: Status,
    balance: i64,
}

struct CancelRow<'a> {
    payment_id: i64,
    position: i64,
    cancel: &'a SeedCancel,
    refundable_after: i64,
}

fn cancel_rows<'a>(row: &Row<'a>) -> Vec<CancelRow<'a>> {
    let mut left = row.payment.amount;
    (0..)
        .zip(&row.payment.cancels)
        .map(|(position, cancel)| {
            left -= cancel.amount;
            CancelRow {
                payment_id: row.id,
                position,
                cancel,
                refundable_after: left,
            }
        })
        .collect()
}
