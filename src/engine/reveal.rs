//! Showing personal data that is masked: it changes nothing, and it is written down before it is shown.

use crate::domain::operator::Operator;

use super::Engine;
use super::audit::Press;
use super::ports::{Attempts as _, Desk, Store, Tx as _};
use super::refusal::VerbError;

impl<S: Store> Engine<S> {
    /// Writes down that a person is about to see the personal data of a place.
    ///
    /// # Errors
    /// When it cannot be written down; then nothing may be shown.
    pub async fn record_reveal(&self, operator: &Operator, place: &str) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        let press = Press {
            verb: "reveal",
            target: place,
            result: "done",
            ..Press::default()
        };
        self.audit_in(&mut tx, operator.into(), press, at).await?;
        Ok(tx.commit().await?)
    }
}
