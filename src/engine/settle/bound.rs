//! Two questions about answers: when one was asked for, and whether it is what the provider keeps under the key for good.

use chrono::{DateTime, Duration, Utc};

use crate::domain::attempt::{Attempt, SAME_AFTER_RESENDS, is_the_same_for_long};
use crate::domain::evidence::EvidenceSource;

use super::super::Engine;
use super::super::ports::{Store, StoreError, Tx};
use super::Returned;

impl<S: Store> Engine<S> {
    /// When an answer was asked for, in database time: it may be written much later, and says nothing of what happened in
    /// between. Two clocks differ by a little; nothing is asked before what it is about was sent.
    pub(super) fn asked_at(
        &self,
        returned: &Returned,
        source: EvidenceSource,
        now: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let uptime = self.parts.clock.uptime();
        let ago = returned.asked.and_then(|asked| uptime.checked_sub(asked));
        let ago = ago.and_then(|ago| Duration::from_std(ago).ok());
        let sent = match source {
            EvidenceSource::Answer => returned.attempt.last_sent_at,
            _ => returned.attempt.first_sent_at,
        };
        let asked = now - ago.unwrap_or_default();
        sent.map_or(asked, |sent| asked.max(sent.min(now)))
    }

    /// Whether a server error or a 429 came back to one send after the other for so long that waiting for another answer
    /// is no longer enough. Asked once: where a person is called already there is nothing to find out.
    pub(super) async fn is_bound<T: Tx>(
        &self,
        tx: &mut T,
        attempt: &Attempt,
        source: EvidenceSource,
    ) -> Result<bool, StoreError> {
        let is_worth_asking = source == EvidenceSource::Answer
            && !attempt.needs_human
            && attempt.send_count > SAME_AFTER_RESENDS;
        if !is_worth_asking {
            return Ok(false);
        }
        Ok(is_the_same_for_long(&tx.answers_of(attempt.id).await?))
    }
}
