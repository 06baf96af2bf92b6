//! What has been made so far, by its order: ids differ between databases, orders do not.

use paydeck::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, MethodId, PaymentId, PlanId, ProductId, RunId,
    SubscriptionId,
};

use paydeck::domain::mirror::WishId;

#[derive(Debug, Clone, Default)]
pub struct World {
    pub customers: Vec<CustomerId>,
    pub methods: Vec<MethodId>,
    pub products: Vec<ProductId>,
    pub plans: Vec<PlanId>,
    pub subscriptions: Vec<SubscriptionId>,
    pub invoices: Vec<InvoiceId>,
    pub attempts: Vec<AttemptId>,
    pub payments: Vec<PaymentId>,
    pub runs: Vec<RunId>,
    pub approvals: Vec<ApprovalId>,
    pub wishes: Vec<WishId>,
    /// The transaction is about many rows: what was written is not read again at once.
    pub is_batched: bool,
}

/// The one at a place, counted from the newest; an id that no row has when there is none.
pub fn pick<T: Copy>(list: &[T], at: usize, none: T) -> T {
    if list.is_empty() {
        none
    } else {
        list[list.len() - 1 - at % list.len()]
    }
}

/// The place of an id in the order of making.
pub fn place<T: PartialEq>(list: &[T], id: &T) -> Option<usize> {
    list.iter().rposition(|other| other == id)
}

impl World {
    pub fn sizes(&self) -> [usize; 11] {
        [
            self.customers.len(),
            self.methods.len(),
            self.products.len(),
            self.plans.len(),
            self.subscriptions.len(),
            self.invoices.len(),
            self.attempts.len(),
            self.payments.len(),
            self.runs.len(),
            self.approvals.len(),
            self.wishes.len(),
        ]
    }
}
