//! A reader of SQLite that has just been used, kept for whoever reads next.
//!
//! The pool takes a connection back on a task of its own, so that whoever reads twice in a row would
//! open a second one, and read the whole schema again. What comes back here was used to its end; one
//! whose statement failed or was given up goes to the pool, which looks whether it is whole.

use std::sync::{Mutex, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};

use super::error::failed;
use crate::engine::ports::StoreError;

type Reader = PoolConnection<Sqlite>;

#[derive(Debug, Default)]
pub(super) struct AtHand(Mutex<Option<Reader>>);

impl AtHand {
    pub(super) fn with(reader: Option<Reader>) -> Self {
        Self(Mutex::new(reader))
    }

    /// The one at hand, or another one.
    pub(super) async fn reader(&self, readers: &SqlitePool) -> Result<Reader, StoreError> {
        match self.take() {
            Some(reader) => Ok(reader),
            None => readers.acquire().await.map_err(failed),
        }
    }

    /// Nothing is kept of a pool that is closed: it waits for all of its connections.
    pub(super) fn keep(&self, reader: Reader, readers: &SqlitePool) {
        let mut at_hand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !readers.is_closed() {
            at_hand.get_or_insert(reader);
        }
    }

    pub(super) async fn close(&self, readers: &SqlitePool) {
        let closing = readers.close();
        drop(self.take());
        closing.await;
    }

    fn take(&self) -> Option<Reader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
