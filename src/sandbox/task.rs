//! What can be asked of the clerk, what each task needs to have loaded, and which rule it is.

use axum::body::Bytes;
use serde_json::json;
use tokio::sync::oneshot;

use super::idempotency::Scope;
use super::ledger::{
    self, Book, CancelRequest, CardDraft, ChargeRequest, ConfirmRequest, Context, IssueRequest,
    Refusal,
};
use super::persist::Wanted;
use super::wire::Answer;

/// What a request wants done. A body that could not be read is carried on, because a replay comes first.
#[derive(Debug)]
pub(super) enum Task {
    Issue(Result<IssueRequest, Refusal>),
    IssueDirectly(Result<(Option<String>, CardDraft), Refusal>),
    Charge {
        billing_key: String,
        request: Result<ChargeRequest, Refusal>,
    },
    DeleteKey {
        billing_key: String,
        reason: &'static str,
    },
    Confirm(Result<ConfirmRequest, Refusal>),
    Cancel {
        payment_key: String,
        request: Result<CancelRequest, Refusal>,
    },
    /// Always the same refusal, bound to its key like any other.
    Refuse(Refusal),
    Register {
        customer_key: String,
        card: CardDraft,
    },
    OpenCheckout {
        order_id: String,
        amount: i64,
        installment_months: Option<i64>,
        customer_key: Option<String>,
        card: CardDraft,
    },
}

/// What a fault or a test code does to the execution.
#[derive(Debug)]
pub(super) enum Forced {
    No,
    /// Refused at the stage where the card would be asked.
    Refuse(Refusal),
    /// Not executed at all; this is answered.
    Instead(Answer),
}

#[derive(Debug)]
pub(super) struct Job {
    pub task: Task,
    pub scope: Option<Scope>,
    pub trace: String,
    pub forced: Forced,
    /// What is bound to the key instead of the answer, where a fault spoils the answer inside the provider.
    pub bind_instead: Option<(u16, Bytes)>,
    pub reply: oneshot::Sender<Answer>,
}

/// What the rules answered with.
pub(super) enum Done {
    Payment(i64),
    Card(i64),
    Nothing,
    Json(serde_json::Value),
}

pub(super) fn perform(
    book: &mut Book,
    task: Task,
    context: &mut Context<'_>,
) -> Result<Done, Refusal> {
    match task {
        Task::Issue(request) => ledger::issue(book, &request?, context).map(Done::Card),
        Task::IssueDirectly(request) => {
            let (customer_key, card) = request?;
            ledger::issue_directly(book, customer_key.as_deref(), card, context).map(Done::Card)
        }
        Task::Charge {
            billing_key,
            request,
        } => ledger::charge(book, &billing_key, &request?, context).map(Done::Payment),
        Task::DeleteKey {
            billing_key,
            reason,
        } => ledger::delete_key(book, &billing_key, reason, context).map(|()| Done::Nothing),
        Task::Confirm(request) => ledger::confirm(book, &request?, context).map(Done::Payment),
        Task::Cancel {
            payment_key,
            request,
        } => ledger::cancel(book, &payment_key, &request?, context).map(Done::Payment),
        Task::Refuse(refusal) => Err(refusal),
        Task::Register { customer_key, card } => {
            let auth_key = ledger::register(book, &customer_key, card, context)?;
            Ok(Done::Json(
                json!({ "authKey": auth_key, "customerKey": customer_key }),
            ))
        }
        Task::OpenCheckout {
            order_id,
            amount,
            installment_months,
            customer_key,
            card,
        } => {
            let asked = (amount, installment_months);
            let id = ledger::open_checkout(book, &order_id, asked, customer_key, card, context)?;
            let payment_key = book.payment(id).map(|payment| payment.key.clone());
            Ok(Done::Json(
                json!({ "paymentKey": payment_key, "orderId": order_id, "amount": amount }),
            ))
        }
    }
}

/// Adds what a task names to what must be loaded for it.
pub(super) fn want(task: &Task, wanted: &mut Wanted) {
    match task {
        Task::Issue(Ok(request)) => wanted.auth_keys.extend(request.auth_key.clone()),
        Task::Charge {
            billing_key,
            request,
        } => {
            wanted.billing_keys.push(billing_key.clone());
            wanted.order_ids.extend(
                request
                    .as_ref()
                    .ok()
                    .and_then(|request| request.order_id.clone()),
            );
        }
        Task::DeleteKey { billing_key, .. } => wanted.billing_keys.push(billing_key.clone()),
        Task::Confirm(Ok(request)) => {
            wanted.payment_keys.extend(request.payment_key.clone());
            wanted.order_ids.extend(request.order_id.clone());
        }
        Task::Cancel { payment_key, .. } => wanted.payment_keys.push(payment_key.clone()),
        Task::Issue(Err(_))
        | Task::Confirm(Err(_))
        | Task::IssueDirectly(_)
        | Task::Refuse(_)
        | Task::Register { .. }
        | Task::OpenCheckout { .. } => {}
    }
}
