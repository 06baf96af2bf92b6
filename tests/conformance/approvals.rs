//! Requests for approval, on any database, told in words that are the same on all.

use chrono::Duration;

use paydeck::domain::approval::Asked;
use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::ids::{ApprovalId, AttemptId, Noun, PaymentId, PublicId};
use paydeck::domain::mode::Mode;
use paydeck::domain::money::{Currency, Money};
use paydeck::engine::ports::{Decided, NewApproval, StoreError, Tx};

use crate::base;
use crate::script::Op;
use crate::world::{World, pick, place};

const NOBODY: i64 = 999_999;

fn id(noun: Noun, name: u32) -> PublicId {
    PublicId::new(noun, &format!("{name:026}"))
}

pub async fn perform<T: Tx>(tx: &mut T, op: &Op, w: &mut World) -> Result<String, StoreError> {
    match *op {
        Op::Ask {
            name,
            payment,
            target,
            silent,
            minutes,
        } => {
            // Whose money it is has to exist; the databases look, and memory leaves references out.
            let (Some(customer), false) = (w.customers.first().copied(), w.payments.is_empty())
            else {
                return Ok("nobody to ask about".to_owned());
            };
            let new = NewApproval {
                public_id: &id(Noun::Approval, name),
                asked: Asked::Refund(pick(&w.payments, payment, PaymentId(NOBODY))),
                target: &id(Noun::Payment, target),
                customer_id: customer,
                amount: Money::new(9_900, Currency::KRW),
                also_cancel: AlsoCancel::No,
                reason: if silent == 1 { " " } else { "asked" },
                evidence: "",
                fingerprint: "f",
                mode: Mode::Sim,
                requester: "kim",
                claims: "{}",
                at: base(),
                expires_at: base() + Duration::minutes(minutes),
            };
            let made = tx.insert_approval(&new).await?;
            w.approvals.push(made);
            Ok("asked".to_owned())
        }
        Op::Decision {
            at,
            state,
            own,
            minutes,
        } => {
            let id = pick(&w.approvals, at, ApprovalId(NOBODY));
            let decided = Decided {
                state,
                by: if own == 1 { "Kim" } else { "lee" },
                note: "",
                at: base() + Duration::minutes(minutes),
            };
            tx.decide_approval(id, &decided).await?;
            let row = tx.approval(id).await?;
            Ok(format!("{} {:?}", row.state, row.decided_by))
        }
        Op::WaitingOf { target } => {
            let row = tx.waiting_approval_of(&id(Noun::Payment, target)).await?;
            let at = row.and_then(|row| place(&w.approvals, &row.id));
            Ok(format!("{at:?}"))
        }
        Op::LookUps { at } => {
            let rows = tx
                .look_ups_of(pick(&w.attempts, at, AttemptId(NOBODY)))
                .await?;
            Ok(format!("{rows:?}"))
        }
        _ => Ok(String::new()),
    }
}
