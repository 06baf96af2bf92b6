//! Whether the person who pressed a key was there when the answer came: written down, so that he can be told later.

use crate::domain::operator::Operator;

use super::Engine;
use super::audit::Press;
use super::ports::{Attempts, Desk, Store, Tx};
use super::refusal::VerbError;

impl<S: Store> Engine<S> {
    /// The terminal is gone while calls are out: nobody sees what comes of them.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub async fn record_left(&self, operator: &Operator, calls: usize) -> Result<(), VerbError> {
        let after = format!("{calls} in flight");
        self.record_presence(operator, "left", &after).await
    }

    /// The person was told what became of these attempts; he is not told again.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub async fn record_greeted(
        &self,
        operator: &Operator,
        attempts: &[String],
    ) -> Result<(), VerbError> {
        self.record_presence(operator, "greeted", &attempts.join(" "))
            .await
    }

    async fn record_presence(
        &self,
        operator: &Operator,
        verb: &str,
        after: &str,
    ) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        let press = Press {
            verb,
            target: "console",
            after,
            result: "done",
            ..Press::default()
        };
        self.audit_in(&mut tx, operator.into(), press, at).await?;
        Ok(tx.commit().await?)
    }
}
