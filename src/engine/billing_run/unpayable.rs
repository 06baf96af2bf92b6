//! A due invoice that asks for something else than its term gives. Nothing is sent for it: dunning
//! lets go of it, and a person is called.

use crate::domain::dunning::DunningState;
use crate::domain::invoice::Invoice;
use crate::domain::run::Decision;

use super::super::Engine;
use super::super::ports::{Store, Tx};
use super::super::refusal::{Refused, VerbError};
use super::bill::{Line, Step};

impl<S: Store> Engine<S> {
    pub(super) async fn leave_to_a_person<T: Tx>(
        &self,
        tx: &mut T,
        line: Line<'_>,
        mut invoice: Invoice,
        reason: &Refused,
    ) -> Result<Step, VerbError> {
        invoice.dunning = DunningState::Idle;
        invoice.next_attempt_at = None;
        tx.save_invoice(&invoice).await?;
        let id = &invoice.public_id;
        let key = format!("{id}:amount");
        let payload = format!("{{\"invoice\":\"{id}\",\"what\":\"amount_mismatch\"}}");
        tx.queue_notice("page", &key, &payload, self.now()).await?;
        let reason = reason.to_string();
        self.decided(tx, line, Decision::SkippedConfig, &reason)
            .await
    }
}
