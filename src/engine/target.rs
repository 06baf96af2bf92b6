//! What a refused press was about, for its row of the trail: the one thing an auditor looks for.

use crate::domain::ids::PublicId;

use super::Engine;
use super::ports::{Desk, Store, StoreError, Tx};
use super::request::Request;

impl<S: Store> Engine<S> {
    /// The public id of what a request names; empty where it names nothing that exists, or it cannot be read now.
    pub(super) async fn target_of(&self, request: &Request) -> String {
        let mut desk = Desk::new();
        let Ok(mut tx) = self.begin(&mut desk).await else {
            return String::new();
        };
        let named = named(&mut tx, request).await;
        named.map_or_else(
            |_unreadable| String::new(),
            |id| id.map_or_else(String::new, |id| id.to_string()),
        )
    }
}

async fn named<T: Tx>(tx: &mut T, request: &Request) -> Result<Option<PublicId>, StoreError> {
    Ok(Some(match request {
        Request::Grant { approval } | Request::Reject { approval, .. } => {
            tx.approval(*approval).await?.public_id
        }
        Request::ResolveUnknown { attempt }
        | Request::SendAgain { attempt }
        | Request::AskNotExecuted { attempt, .. }
        | Request::AskReturn { attempt }
        | Request::ApproveReturn { attempt }
        | Request::DeclineReturn { attempt, .. } => tx.lock_attempt(*attempt).await?.public_id,
        Request::Refund { payment, .. } | Request::AskRefund { payment, .. } => {
            tx.lock_payment(*payment).await?.public_id
        }
        Request::Charge { invoice }
        | Request::Retry { invoice }
        | Request::VoidInvoice { invoice, .. }
        | Request::GiveUpInvoice { invoice, .. } => tx.lock_invoice(*invoice).await?.public_id,
        Request::CancelNow { subscription, .. }
        | Request::CancelAtEnd { subscription, .. }
        | Request::UndoCancel { subscription }
        | Request::Pause { subscription }
        | Request::Resume { subscription } => tx.lock_subscription(*subscription).await?.public_id,
        Request::OneTime { customer, .. }
        | Request::Checkout { customer, .. }
        | Request::Subscribe { customer, .. }
        | Request::AddMethod { customer, .. } => tx.customer(*customer).await?.public_id,
        Request::UseMethod { method } | Request::DeleteMethod { method } => {
            tx.method(*method).await?.public_id
        }
        Request::EditPlan { plan, .. } | Request::DeactivatePlan { plan } => {
            tx.plan(*plan).await?.public_id
        }
        Request::Note { target, .. } => target.clone(),
        Request::ConfirmCheckout { .. }
        | Request::CreateCustomer { .. }
        | Request::CreatePlan(_) => return Ok(None),
    }))
}
