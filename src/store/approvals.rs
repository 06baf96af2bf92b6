//! Requests for approval. Who may decide, until when and how often is in the schema itself.

use chrono::{DateTime, Utc};

use super::sql::{Row, Stmt, args, claimed};
use super::tx::SqlTx;
use crate::domain::approval::{Approval, Asked};
use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{ApprovalId, AttemptId, CustomerId, Noun, PaymentId, PublicId};
use crate::domain::operator::Verb;
use crate::domain::states::ApprovalState;
use crate::engine::ports::{Approvals, Decided, NewApproval, StoreError};

type R<T> = Result<T, StoreError>;

macro_rules! columns {
    () => {
        "id, public_id, verb, attempt_id, payment_id, target, customer_id, amount_minor, currency, also_cancel, reason, evidence, fingerprint, mode, requester, claims, requested_at, expires_at, state, decided_by, decided_at"
    };
}

const INSERT: Stmt = Stmt::both(
    "insert into approval (public_id, tail, verb, target, attempt_id, payment_id, customer_id, amount_minor, currency, also_cancel, reason, evidence, fingerprint, mode, requester, claims, requested_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) returning id",
);
const ONE: Stmt = Stmt::both(concat!(
    "select ",
    columns!(),
    " from approval where id = $1"
));
const WAITING_OF: Stmt = Stmt::both(concat!(
    "select ",
    columns!(),
    " from approval where target = $1 and state = 'waiting'"
));
const LAPSED: Stmt = claimed!(
    "select ",
    columns!(),
    " from approval where state = 'waiting' and expires_at <= $1 order by expires_at, id limit $2"
);
const DECIDE: Stmt = Stmt::both(
    "update approval set state = $2, decided_by = $3, note = $4, decided_at = $5 where id = $1 and state = 'waiting'",
);

fn read(row: &Row) -> R<Approval> {
    let cells = row.cells("approval")?;
    let verb = cells.word("verb", Verb::parse)?;
    let about = (cells.opt_i64("payment_id")?, cells.opt_i64("attempt_id")?);
    let asked = match (verb, about) {
        (Verb::Refund, (Some(id), None)) => Asked::Refund(PaymentId(id)),
        (Verb::Refund, (None, Some(id))) => Asked::Return(AttemptId(id)),
        (Verb::ForceState, (None, Some(id))) => Asked::NotExecuted(AttemptId(id)),
        _ => return Err(cells.bad("it is about neither a payment nor an attempt".to_owned())),
    };
    Ok(Approval {
        id: ApprovalId(cells.i64("id")?),
        public_id: cells.public_id()?,
        asked,
        target: PublicId::from_stored(cells.text("target")?),
        customer_id: CustomerId(cells.i64("customer_id")?),
        amount: cells.money("amount_minor")?,
        also_cancel: cells.word("also_cancel", AlsoCancel::parse)?,
        reason: cells.text("reason")?,
        evidence: cells.text("evidence")?,
        fingerprint: cells.text("fingerprint")?,
        mode: cells.mode()?,
        requester: cells.text("requester")?,
        claims: cells.text("claims")?,
        requested_at: cells.at("requested_at")?,
        expires_at: cells.at("expires_at")?,
        state: cells.word("state", ApprovalState::parse)?,
        decided_by: cells.opt_text("decided_by")?,
        decided_at: cells.opt_at("decided_at")?,
    })
}

impl Approvals for SqlTx<'_> {
    async fn insert_approval(&mut self, new: &NewApproval<'_>) -> R<ApprovalId> {
        let (attempt, payment) = match new.asked {
            Asked::Refund(id) => (None, Some(id)),
            Asked::NotExecuted(id) | Asked::Return(id) => (Some(id), None),
        };
        let values = args![
            new.public_id.as_str(),
            new.public_id.tail(),
            new.asked.verb().as_str(),
            new.target.as_str(),
            attempt,
            payment,
            new.customer_id,
            new.amount.minor(),
            new.amount.currency().code(),
            new.also_cancel.as_str(),
            new.reason,
            new.evidence,
            new.fingerprint,
            new.mode.as_str(),
            new.requester,
            new.claims,
            new.at,
            new.expires_at
        ];
        self.insert(&INSERT, values).await.map(ApprovalId)
    }

    async fn approval(&mut self, id: ApprovalId) -> R<Approval> {
        read(&self.one(&ONE, args![id], Noun::Approval).await?)
    }

    async fn waiting_approval_of(&mut self, target: &PublicId) -> R<Option<Approval>> {
        let row = self.maybe(&WAITING_OF, args![target.as_str()]).await?;
        row.as_ref().map(read).transpose()
    }

    async fn lapsed_approvals(&mut self, now: DateTime<Utc>, limit: u32) -> R<Vec<Approval>> {
        let rows = self.rows(&LAPSED, args![now, limit]).await?;
        rows.iter().map(read).collect()
    }

    async fn decide_approval(&mut self, id: ApprovalId, decided: &Decided<'_>) -> R<()> {
        let values = args![
            id,
            decided.state.as_str(),
            decided.by,
            decided.note,
            decided.at
        ];
        self.change(&DECIDE, values, Noun::Approval).await
    }
}
