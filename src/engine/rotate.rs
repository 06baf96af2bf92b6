//! Rotating the key-encryption key: every billing key is opened and sealed again under the current
//! one, in small commits, while charges go on. Both keys must be loaded until it is done.

use crate::domain::customer::PaymentMethod;
use crate::domain::ids::MethodId;
use crate::domain::operator::{Operator, Verb};

use super::Engine;
use super::audit::Press;
use super::ports::{Attempts, Customers, Desk, SealedFor, Store, Tx};
use super::refusal::VerbError;

/// How many keys are sealed again in one commit.
const BATCH: u32 = 100;

impl<S: Store> Engine<S> {
    /// Seals every billing key under the current key; gives how many were changed.
    ///
    /// # Errors
    /// When the person is not an admin, or a key is sealed under one that is not loaded. What was
    /// changed until then stays: call it again.
    pub async fn rotate_keys(&self, operator: &Operator) -> Result<u64, VerbError> {
        // Keys are an admin's matter, as plans are; there is no verb of its own for it.
        operator.check(Verb::EditPlan)?;
        let mut changed = 0;
        let mut after = MethodId(0);
        loop {
            let mut desk = Desk::new();
            let mut tx = self.begin(&mut desk).await?;
            let methods = tx
                .methods_sealed_otherwise(&self.parts.vault.key_id(), after, BATCH)
                .await?;
            let Some(last) = methods.last() else { break };
            after = last.id;
            for method in &methods {
                self.reseal(&mut tx, method).await?;
                changed += 1;
            }
            tx.commit().await?;
        }
        self.audit_rotation(operator, changed).await?;
        Ok(changed)
    }

    /// How many billing keys [`Engine::rotate_keys`] would seal again; opens none.
    ///
    /// # Errors
    /// When the person is not an admin, or the database cannot be read.
    pub async fn keys_to_rotate(&self, operator: &Operator) -> Result<u64, VerbError> {
        operator.check(Verb::EditPlan)?;
        let mut count = 0;
        let mut after = MethodId(0);
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        loop {
            let methods = tx
                .methods_sealed_otherwise(&self.parts.vault.key_id(), after, BATCH)
                .await?;
            let Some(last) = methods.last() else { break };
            after = last.id;
            count += u64::try_from(methods.len()).unwrap_or(u64::MAX);
        }
        Ok(count)
    }

    /// Which key-encryption key seals now.
    pub fn key_id(&self) -> String {
        self.parts.vault.key_id()
    }

    async fn reseal<T: Tx>(&self, tx: &mut T, method: &PaymentMethod) -> Result<(), VerbError> {
        let row = SealedFor {
            method: &method.public_id,
            provider: method.provider,
            mode: method.mode,
        };
        let old = tx.sealed_key(method.id).await?;
        let key = self.parts.vault.open(row, &old)?;
        let new = self.parts.vault.seal(row, &key)?;
        Ok(tx.save_sealed_key(method.id, &new).await?)
    }

    async fn audit_rotation(&self, operator: &Operator, changed: u64) -> Result<(), VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let at = tx.db_now().await?;
        let after = format!("{changed} keys under {}", self.parts.vault.key_id());
        let press = Press {
            verb: "rotate-key",
            after: &after,
            result: "done",
            ..Press::default()
        };
        self.audit_in(&mut tx, operator.into(), press, at).await?;
        Ok(tx.commit().await?)
    }
}
