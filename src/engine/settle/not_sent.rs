//! What certainly took nothing and may be sent: nothing left, or the first of two steps came to nothing.
//!
//! The row is ready again, under the same id and key. Where bytes left, its sends stay counted: the wait grows with them,
//! and a person is called when it has gone on for long. A later success or refusal settles it as ever.

use chrono::{DateTime, Duration, Utc};

use crate::domain::attempt::{Attempt, CALLS_AFTER_MIN, first_step_delay_s};
use crate::domain::dunning::DunningState;
use crate::domain::evidence::Evidence;
use crate::domain::mode::ProviderName;
use crate::domain::run::Decision;
use crate::domain::states::AttemptState;

use super::super::Engine;
use super::super::audit::Actor;
use super::super::ports::{Store, Tx};
use super::super::refusal::VerbError;
use super::{Rows, Settled, fence_of, settled};

impl<S: Store> Engine<S> {
    pub(super) async fn write_not_sent<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        evidence: &Evidence,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        let now = rows.now;
        let attempt = &mut rows.attempt;
        attempt.state = AttemptState::Ready;
        attempt.lease_until = Some(now);
        let retry_after_s = match evidence {
            Evidence::Throttled { retry_after_s } => *retry_after_s,
            _ => None,
        };
        let waits_for = match evidence {
            Evidence::Withheld(other) => Some(*other),
            _ => None,
        };
        let delay_s = match waits_for {
            Some(_) => withheld_delay_s(now - attempt.created_at),
            None => first_step_delay_s(attempt.send_count, retry_after_s),
        };
        attempt.next_check_at = Some(now + Duration::seconds(delay_s));
        let waits_for = waits_for.filter(|_| now - attempt.created_at >= withheld_calls_after());
        let calls = !attempt.needs_human && goes_on_for_long(attempt, now);
        attempt.needs_human |= calls;
        if matches!(evidence, Evidence::NotSent | Evidence::Withheld(_)) && attempt.send_count <= 1
        {
            attempt.send_count = 0;
            attempt.first_sent_at = None;
            attempt.last_sent_at = None;
        }
        tx.save_attempt(attempt, fence).await?;
        tx.decide_run_items(rows.attempt.id, Decision::NotSent, self.now())
            .await?;
        if calls {
            self.page(tx, &rows, "first_step").await?;
        }
        if let Some(other) = waits_for {
            self.page_withheld(tx, &rows, other).await?;
        }
        self.audit_settle(tx, &rows, actor, "not_sent", "").await?;
        Ok(settled(&rows, None))
    }

    /// One call a day for all that waits for the same provider's word; it names the first of them.
    async fn page_withheld<T: Tx>(
        &self,
        tx: &mut T,
        rows: &Rows,
        other: ProviderName,
    ) -> Result<(), VerbError> {
        let key = format!("{other}:no_word:{}", self.local_date(rows.now));
        let id = &rows.attempt.public_id;
        let payload =
            format!("{{\"attempt\":\"{id}\",\"provider\":\"{other}\",\"what\":\"no_word\"}}");
        Ok(tx.queue_notice("page", &key, &payload, self.now()).await?)
    }

    /// Money for its invoice stands elsewhere, and nothing of this attempt has left: it is given up, so that it holds no
    /// place, and a person is called. Nothing charges the invoice by itself until they have seen to it; what they press
    /// looks first, as this one did.
    pub(super) async fn write_given_up<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Rows,
        evidence: &Evidence,
        actor: Actor<'_>,
    ) -> Result<Settled, VerbError> {
        let fence = fence_of(&rows.attempt);
        let attempt = &mut rows.attempt;
        attempt.state = AttemptState::Ready;
        attempt.lease_until = Some(rows.now);
        // Nothing of it has left: it was never sent.
        attempt.send_count = 0;
        attempt.first_sent_at = None;
        attempt.last_sent_at = None;
        tx.save_attempt(attempt, fence).await?;
        let fence = fence_of(attempt);
        attempt.state = AttemptState::Abandoned;
        attempt.settled_at = Some(self.now());
        attempt.next_check_at = None;
        attempt.needs_human = false;
        tx.save_attempt(attempt, fence).await?;
        if rows.invoice.dunning != DunningState::Idle || rows.invoice.next_attempt_at.is_some() {
            rows.invoice.dunning = DunningState::Idle;
            rows.invoice.next_attempt_at = None;
            tx.save_invoice(&rows.invoice).await?;
            rows.invoice.version += 1;
        }
        tx.decide_run_items(rows.attempt.id, Decision::NotSent, self.now())
            .await?;
        self.page(tx, &rows, evidence.name()).await?;
        self.audit_settle(tx, &rows, actor, "abandoned", "").await?;
        Ok(settled(&rows, None))
    }
}

/// A charge that waits so long for another provider's word calls a person.
const fn withheld_calls_after() -> Duration {
    Duration::hours(1)
}

/// Half as long again as it has waited, up to a quarter of an hour: rows that wait do not ask all the time.
fn withheld_delay_s(waited: Duration) -> i64 {
    (waited.num_seconds() / 2).clamp(30, 900)
}

fn goes_on_for_long(attempt: &Attempt, now: DateTime<Utc>) -> bool {
    let since = attempt.first_sent_at;
    since.is_some_and(|at| now - at >= Duration::minutes(CALLS_AFTER_MIN))
}
