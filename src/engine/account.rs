//! Whose books at a provider this installation is about: the account of the first charge that was seen, kept with the
//! database for ever. Another account's key finds nothing of ours, and its silence must not pass for absence.

use std::sync::atomic::Ordering;

use super::Engine;
use super::ports::{Store, StoreError, Tx};
use super::settle::Rows;

impl<S: Store> Engine<S> {
    /// Writes down whose books a charge was seen in, once; calls a person where it is not the account written down.
    pub(super) async fn pin_account<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
    ) -> Result<(), StoreError> {
        let provider = self.provider(rows.attempt.provider).ok();
        let Some((name, account)) = provider.and_then(|p| Some((p.name(), p.account()?))) else {
            return Ok(());
        };
        if self.is_account_pinned.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        if tx.pin_account(name, &account).await? != account {
            self.is_account_pinned.store(false, Ordering::SeqCst);
            self.page(tx, rows, "other_account").await?;
        }
        Ok(())
    }
}
