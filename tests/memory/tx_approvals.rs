//! Requests for approval, in memory.

use chrono::{DateTime, Duration, Utc};

use paydeck::domain::approval::{APPROVAL_MINUTES, Approval, Asked, is_same_person};
use paydeck::domain::ids::{ApprovalId, Noun, PublicId};
use paydeck::domain::states::ApprovalState;
use paydeck::engine::ports::{Approvals, Constraint, Decided, NewApproval, StoreError};

use super::db::Kind;
use super::flaw::Flaw;
use super::store::{MemTx, R, Rules};

/// Which rules of a row alone a new request breaks.
fn broken_by(new: &NewApproval<'_>) -> Vec<Constraint> {
    let mut broken = Vec::new();
    let is_unsaid = new.reason.trim().is_empty()
        || (matches!(new.asked, Asked::NotExecuted(_)) && new.evidence.trim().is_empty());
    if new.amount.minor() <= 0 || is_unsaid {
        broken.push(Constraint::Other);
    }
    let lasts = new.expires_at - new.at;
    if lasts <= Duration::zero() || lasts > Duration::minutes(APPROVAL_MINUTES) {
        broken.push(Constraint::Approval);
    }
    broken
}

/// Which rules a decision breaks.
fn broken_in(old: &Approval, decided: &Decided<'_>, four_eyes: bool) -> Vec<Constraint> {
    let mut broken = Vec::new();
    if decided.state == ApprovalState::Waiting {
        broken.push(Constraint::Other);
    }
    if decided.state == ApprovalState::Granted {
        if four_eyes && is_same_person(decided.by, &old.requester) {
            broken.push(Constraint::FourEyes);
        }
        if decided.at < old.requested_at || decided.at >= old.expires_at {
            broken.push(Constraint::Approval);
        }
    }
    broken
}

impl Approvals for MemTx<'_> {
    async fn insert_approval(&mut self, new: &NewApproval<'_>) -> R<ApprovalId> {
        self.step("insert approval").await?;
        let broken = broken_by(new);
        if !broken.is_empty() {
            return self.refuse(broken);
        }
        let row = Approval {
            id: ApprovalId(self.db().tables.approvals.next_id()),
            public_id: new.public_id.clone(),
            asked: new.asked,
            target: new.target.clone(),
            customer_id: new.customer_id,
            amount: new.amount,
            also_cancel: new.also_cancel,
            reason: new.reason.to_owned(),
            evidence: new.evidence.to_owned(),
            fingerprint: new.fingerprint.to_owned(),
            mode: new.mode,
            requester: new.requester.to_owned(),
            claims: new.claims.to_owned(),
            requested_at: new.at,
            expires_at: new.expires_at,
            state: ApprovalState::Waiting,
            decided_by: None,
            decided_at: None,
        };
        let rules: Rules<'_, Approval> = &[
            (Constraint::OpenApproval, &|other| {
                other.target == *new.target && other.state == ApprovalState::Waiting
            }),
            (Constraint::Other, &|other| {
                other.public_id == *new.public_id
            }),
        ];
        self.add(Kind::Approval, row, rules, |t| &mut t.approvals)
            .await
            .map(ApprovalId)
    }

    async fn approval(&mut self, id: ApprovalId) -> R<Approval> {
        self.step("approval").await?;
        let db = self.db();
        let row = db.tables.approvals.get(id.0, self.no);
        let mut row = row
            .map(|row| Approval::clone(row))
            .ok_or(StoreError::NotFound {
                noun: Noun::Approval,
            })?;
        if db.flaws.has(Flaw::FourEyes) {
            "somebody".clone_into(&mut row.requester);
        }
        if db.flaws.has(Flaw::ApprovedOnce) && row.state == ApprovalState::Granted {
            row.state = ApprovalState::Waiting;
        }
        Ok(row)
    }

    async fn waiting_approval_of(&mut self, target: &PublicId) -> R<Option<Approval>> {
        self.step("waiting approval").await?;
        let db = self.db();
        let mut rows = db.tables.approvals.rows_of(self.no);
        let row = rows
            .find(|(_, row)| row.target == *target && row.state == ApprovalState::Waiting)
            .map(|(_, row)| Approval::clone(row));
        Ok(row)
    }

    async fn lapsed_approvals(&mut self, now: DateTime<Utc>, limit: u32) -> R<Vec<Approval>> {
        self.step("lapsed approvals").await?;
        let db = self.db();
        let mut rows: Vec<Approval> = db
            .tables
            .approvals
            .rows_of(self.no)
            .map(|(_, row)| Approval::clone(row))
            .filter(|row| row.state == ApprovalState::Waiting && row.expires_at <= now)
            .collect();
        rows.sort_by_key(|row| (row.expires_at, row.id.0));
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(rows)
    }

    async fn decide_approval(&mut self, id: ApprovalId, decided: &Decided<'_>) -> R<()> {
        self.step("decide approval").await?;
        let mut broken = Vec::new();
        let (four_eyes, once) = (!self.has(Flaw::FourEyes), !self.has(Flaw::ApprovedOnce));
        let saved = self
            .put(
                Kind::Approval,
                id.0,
                |t| &mut t.approvals,
                |old| {
                    let is_usable = old.state == ApprovalState::Granted && !once;
                    if old.state != ApprovalState::Waiting && !is_usable {
                        return None;
                    }
                    broken = broken_in(old, decided, four_eyes);
                    broken.is_empty().then(|| Approval {
                        state: decided.state,
                        decided_by: Some(decided.by.to_owned()),
                        decided_at: Some(decided.at),
                        ..old.clone()
                    })
                },
            )
            .await?;
        self.grants |= saved && decided.state == ApprovalState::Granted;
        match (saved, broken.is_empty()) {
            (true, _) => Ok(()),
            (false, false) => self.refuse(broken),
            (false, true) => self.stale(Noun::Approval),
        }
    }
}
