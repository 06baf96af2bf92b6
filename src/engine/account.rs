//! Whose books at a provider this installation is about: the account of the first charge that was seen, kept with the
//! database for ever. Another account's key finds nothing of ours, and its silence must not pass for absence.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::evidence::{Evidence, SeenStatus};
use crate::domain::mode::ProviderName;

use super::Engine;
use super::ports::{Store, StoreError, Tx};
use super::send::Returned;
use super::settle::Rows;

/// What this process knows of one provider's account.
#[derive(Debug, Default)]
pub(super) struct Pin {
    /// It is the one written down, or was written just now, in a transaction that may not have been committed.
    fits: AtomicBool,
    /// The same, committed: it need not be asked again.
    is_kept: AtomicBool,
}

impl<S: Store> Engine<S> {
    const fn pin(&self, provider: ProviderName) -> &Pin {
        let [toss, stripe] = &self.pins;
        match provider {
            ProviderName::Toss => toss,
            ProviderName::Stripe => stripe,
        }
    }

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
        let pin = self.pin(name);
        if pin.is_kept.load(Ordering::SeqCst) {
            return Ok(());
        }
        let fits = tx.pin_account(name, &account).await? == account;
        pin.fits.store(fits, Ordering::SeqCst);
        if !fits {
            self.page(tx, rows, "other_account").await?;
        }
        Ok(())
    }

    /// What was settled is committed: the account that it was seen in need not be written down again.
    pub(super) fn account_is_kept(&self, returned: &Returned) {
        let is_captured = matches!(
            &returned.report.evidence,
            Evidence::Seen(seen) if seen.status == SeenStatus::Captured
        );
        let pin = self.pin(returned.attempt.provider);
        if is_captured && pin.fits.load(Ordering::SeqCst) {
            pin.is_kept.store(true, Ordering::SeqCst);
        }
    }
}
