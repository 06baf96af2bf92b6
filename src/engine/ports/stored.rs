//! What a row that was just made looks like, so that nobody has to read it back. A test of the store
//! compares each with what the databases hold.

use crate::domain::attempt::Attempt;
use crate::domain::dunning::DunningState;
use crate::domain::ids::{AttemptId, InvoiceId, PaymentId};
use crate::domain::invoice::Invoice;
use crate::domain::payment::Payment;
use crate::domain::states::AttemptState;

use super::{NewAttempt, NewInvoice, NewPayment};

impl NewInvoice<'_> {
    /// The row, once it has an id.
    pub fn stored(&self, id: InvoiceId) -> Invoice {
        Invoice {
            id,
            public_id: self.public_id.clone(),
            customer_id: self.customer_id,
            subscription_id: self.subscription_id,
            term_no: self.term_no,
            period_index: self.period_index,
            kind: self.kind,
            state: self.state,
            amount: self.amount,
            description: self.description.to_owned(),
            due_at: self.due_at,
            period_from: self.period_from,
            period_to: self.period_to,
            attempts: 0,
            dunning_used: 0,
            dunning: DunningState::Idle,
            next_attempt_at: None,
            first_failed_at: None,
            last_code: None,
            last_class: None,
            paid_at: None,
            created_at: self.at,
            version: 1,
        }
    }
}

impl NewAttempt<'_> {
    /// The row, once it has an id.
    pub fn stored(&self, id: AttemptId) -> Attempt {
        let sent_at = (self.state == AttemptState::Sent).then_some(self.at);
        Attempt {
            id,
            public_id: self.public_id.clone(),
            kind: self.kind,
            invoice_id: self.invoice_id,
            payment_id: self.payment_id,
            customer_id: self.customer_id,
            subscription_id: self.subscription_id,
            attempt_no: self.attempt_no,
            source: self.source,
            provider: self.provider,
            mode: self.mode,
            method_id: self.method_id,
            order_id: self.order_id.to_owned(),
            idem_key: self.idem_key.to_owned(),
            provider_ref: self.provider_ref.map(str::to_owned),
            body: self.body.to_vec(),
            amount: self.amount,
            expected_balance_minor: self.expected_balance_minor,
            also_cancel: self.also_cancel,
            state: self.state,
            needs_human: false,
            lease_owner: self.lease.map(|lease| lease.owner.to_owned()),
            lease_epoch: i64::from(self.lease.is_some()),
            lease_until: self.lease.map(|lease| lease.until),
            send_after: self.send_after,
            first_sent_at: sent_at,
            last_sent_at: sent_at,
            send_count: u32::from(sent_at.is_some()),
            next_check_at: None,
            checks: 0,
            not_seen: 0,
            refusal: None,
            replayed_at: None,
            trace_id: None,
            operator: self.operator.to_owned(),
            reason: self.reason.to_owned(),
            created_at: self.at,
            settled_at: None,
        }
    }
}

impl NewPayment<'_> {
    /// The row, once it has an id.
    pub fn stored(&self, id: PaymentId) -> Payment {
        Payment {
            id,
            public_id: self.public_id.clone(),
            invoice_id: self.invoice_id,
            attempt_id: self.attempt_id,
            customer_id: self.customer_id,
            subscription_id: self.subscription_id,
            provider: self.provider,
            mode: self.mode,
            provider_ref: self.provider_ref.to_owned(),
            order_id: self.order_id.to_owned(),
            captured: self.captured,
            refunded_minor: 0,
            reserved_minor: 0,
            captured_at: self.captured_at,
            is_duplicate: self.is_duplicate,
            card_use: self.card_use,
            version: 1,
        }
    }
}
