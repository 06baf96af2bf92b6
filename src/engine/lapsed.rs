//! Requests for approval that end without a decision: replaced by their author, or decided by nobody in time.
//!
//! Nothing was reserved for them and nothing is sent. Each leaves its row of the trail.

use chrono::{DateTime, Utc};

use crate::domain::approval::Approval;
use crate::domain::operator::{Operator, Verb};
use crate::domain::states::ApprovalState;

use super::Engine;
use super::approval::as_stale;
use super::audit::{Actor, Press};
use super::ports::{Approvals, Attempts, Books, Decided, Desk, Store, Tx};
use super::refusal::VerbError;

/// Requests that one round ends.
const MOST_LAPSED: u32 = 100;

impl<S: Store> Engine<S> {
    /// Ends the requests that nobody decided in time: each leaves its row of the trail, and word goes to who asked. Nothing
    /// was reserved for them and nothing is sent. Gives how many.
    ///
    /// # Errors
    /// When the person may not resolve what is unknown, or the database is away.
    pub async fn end_lapsed_requests(&self, operator: &Operator) -> Result<u32, VerbError> {
        self.allow(operator, Verb::ResolveUnknown).await?;
        let mut desk = Desk::new();
        let mut tx = self.begin(&mut desk).await?;
        let now = tx.db_now().await?;
        let lapsed = tx.lapsed_approvals(now, MOST_LAPSED).await?;
        for old in &lapsed {
            self.end_replaced(&mut tx, operator, old, now).await?;
            let id = &old.public_id;
            let payload = format!("{{\"approval\":\"{id}\",\"what\":\"approval_expired\"}}");
            tx.queue_notice("approval_expired", id.as_str(), &payload, self.now())
                .await?;
        }
        if !lapsed.is_empty() {
            tx.commit().await?;
        }
        Ok(u32::try_from(lapsed.len()).unwrap_or(u32::MAX))
    }

    /// A request that another one of its author takes the place of, or that nobody decided in time. Both leave a row: in
    /// the first case it is the author's word, in the second nobody's.
    pub(super) async fn end_replaced<T: Tx>(
        &self,
        tx: &mut T,
        operator: &Operator,
        old: &Approval,
        at: DateTime<Utc>,
    ) -> Result<(), VerbError> {
        let (state, actor) = if old.waits_at(at) {
            (ApprovalState::Void, Actor::from(operator))
        } else {
            let nobody = Actor {
                person: "system",
                claims: &[],
            };
            (ApprovalState::Expired, nobody)
        };
        let decided = Decided {
            state,
            by: actor.person,
            note: "",
            at,
        };
        tx.decide_approval(old.id, &decided)
            .await
            .map_err(as_stale)?;
        let press = Press {
            verb: old.asked.verb().as_str(),
            target: old.public_id.as_str(),
            before: old.state.as_str(),
            after: state.as_str(),
            reason: &old.reason,
            result: "done",
            ..Press::default()
        };
        Ok(self.audit_in(tx, actor, press, at).await?)
    }
}
