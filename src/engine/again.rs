//! Sending again what was sent and not seen: the stored bytes, under the same id and key.
//!
//! It goes out only while the obligation still stands. What nobody wants any more is ended where its provider can do that;
//! otherwise it stays as it is and a person is called.

use crate::domain::attempt::Attempt;
use crate::domain::evidence::EvidenceSource;
use crate::domain::states::AttemptState;

use super::Engine;
use super::audit::Actor;
use super::ports::{Desk, Store, Tx};
use super::refusal::VerbError;
use super::send::{Outgoing, Owed};
use super::set_aside::Held;
use super::settle::{Rows, Settled, fence_of};

/// What becomes of an attempt that was not seen.
enum Again {
    /// The same request goes out again.
    Goes(Box<Outgoing>),
    /// Nobody wants it, and the provider can end it.
    Ends(Box<Attempt>),
    /// Nothing now.
    Stays,
}

impl<S: Store> Engine<S> {
    /// Sends the stored bytes again under the same id and key, while the obligation still stands.
    /// None when it is not wanted any more: then only looking remains, and a person is called.
    pub(super) async fn resend(
        &self,
        attempt: &Attempt,
        held: &mut Held,
        actor: Actor<'_>,
    ) -> Result<Option<Settled>, VerbError> {
        let outgoing = match self.mark_resent(attempt, actor).await? {
            Again::Goes(outgoing) => *outgoing,
            Again::Ends(attempt) => return self.fence(*attempt, actor).await.map(Some),
            Again::Stays => return Ok(None),
        };
        held.taken_anew(&outgoing.attempt);
        let returned = self.call(outgoing).await;
        self.settle_until_written(&returned, EvidenceSource::Answer, actor)
            .await
            .map(Some)
    }

    async fn mark_resent(&self, attempt: &Attempt, actor: Actor<'_>) -> Result<Again, VerbError> {
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let rows = self.lock_rows(&mut tx, attempt).await?;
        let is_ours = rows.attempt.lease_epoch == attempt.lease_epoch
            && rows.attempt.state == AttemptState::Unknown;
        let is_wanted = rows.is_wanted();
        if !is_ours {
            return Ok(Again::Stays);
        }
        if !is_wanted && rows.attempt.provider.charges_in_two_steps() {
            return Ok(Again::Ends(Box::new(rows.attempt)));
        }
        if !is_wanted {
            self.leave_open(&mut tx, rows, actor).await?;
            tx.commit().await?;
            return Ok(Again::Stays);
        }
        let sent = (rows.now, Owed::of(&rows.attempt, &rows.invoice));
        let outgoing = self
            .mark_sent(&mut tx, rows.attempt, AttemptState::Unknown, sent)
            .await?;
        tx.commit().await?;
        Ok(Again::Goes(Box::new(outgoing)))
    }

    /// Nothing proves that it was not executed, and nobody wants it any more: it is neither sent nor
    /// given up by itself. A person is called, once.
    async fn leave_open<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        actor: Actor<'_>,
    ) -> Result<(), VerbError> {
        if rows.attempt.needs_human {
            return Ok(());
        }
        let fence = fence_of(&rows.attempt);
        rows.attempt.needs_human = true;
        tx.save_attempt(&rows.attempt, fence).await?;
        self.page(tx, &rows, "not_wanted").await?;
        self.audit_settle(tx, &rows, actor, "not_wanted", "")
            .await?;
        Ok(())
    }
}
