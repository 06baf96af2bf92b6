//! What a person may ask for, in the words of the verbs.

use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{
    ApprovalId, AttemptId, CustomerId, InvoiceId, MethodId, PaymentId, PlanId, PublicId,
    SubscriptionId,
};
use crate::domain::mirror::WishVerb;
use crate::domain::mode::ProviderName;
use crate::domain::money::Money;
use crate::domain::operator::Verb;
use crate::domain::payment::RefundAmount;
use crate::domain::period::Interval;
use crate::secret::Secret;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// Charge an open or draft invoice.
    Charge {
        /// Which.
        invoice: InvoiceId,
    },
    /// Charge again after a decline: a new attempt under a new key.
    Retry {
        /// Which.
        invoice: InvoiceId,
    },
    /// Give money back.
    Refund {
        /// Out of which payment.
        payment: PaymentId,
        /// How much.
        amount: RefundAmount,
        /// Why; stored and sent.
        reason: String,
        /// What else happens to the subscription.
        also_cancel: AlsoCancel,
    },
    /// End a subscription at once.
    CancelNow {
        /// Which.
        subscription: SubscriptionId,
        /// Why.
        reason: String,
    },
    /// End it when the paid period ends.
    CancelAtEnd {
        /// Which.
        subscription: SubscriptionId,
        /// Why.
        reason: String,
    },
    /// Take a scheduled end back.
    UndoCancel {
        /// Which.
        subscription: SubscriptionId,
    },
    /// Have invoices of a subscription that its provider schedules made and not collected.
    Pause {
        /// Which.
        subscription: SubscriptionId,
    },
    /// Have them collected again.
    Resume {
        /// Which.
        subscription: SubscriptionId,
    },
    /// Withdraw an invoice that its provider collects.
    VoidInvoice {
        /// Which.
        invoice: InvoiceId,
        /// Why.
        reason: String,
    },
    /// Give up an invoice that its provider collects; it may still be paid.
    GiveUpInvoice {
        /// Which.
        invoice: InvoiceId,
        /// Why.
        reason: String,
    },
    /// Charge once.
    OneTime {
        /// Whom.
        customer: CustomerId,
        /// How much.
        amount: Money,
        /// For what.
        description: String,
    },
    /// Open a checkout: an invoice whose order id goes to the payment window in the browser.
    Checkout {
        /// Who pays.
        customer: CustomerId,
        /// How much.
        amount: Money,
        /// For what.
        description: String,
    },
    /// Confirm what the customer authenticated in the browser.
    ConfirmCheckout {
        /// The provider's name for the payment, from the browser.
        payment_key: String,
        /// Our name for it, from the browser.
        order_id: String,
        /// The amount the browser brought; compared with ours.
        amount: Money,
    },
    /// Start a subscription with its first charge, or with its trial.
    Subscribe {
        /// Who.
        customer: CustomerId,
        /// On which plan.
        plan: PlanId,
        /// How many units.
        quantity: u32,
    },
    /// Register a card from an auth key, and charge what is owed with it.
    AddMethod {
        /// Whose.
        customer: CustomerId,
        /// From the provider's window; single use.
        auth_key: Secret,
        /// Where; told from what the window brought when nobody says.
        provider: Option<ProviderName>,
    },
    /// Charge running subscriptions by this card from now on, as far as the rules let it.
    UseMethod {
        /// Which card.
        method: MethodId,
    },
    /// Let a card go: it is not charged any more, and its provider forgets it.
    DeleteMethod {
        /// Which card.
        method: MethodId,
    },
    /// Create a customer.
    CreateCustomer {
        /// What the provider will know it by; made at random when none.
        customer_key: Option<String>,
        /// Full name.
        name: String,
        /// E-mail address.
        email: String,
        /// Phone number.
        phone: String,
    },
    /// Create a plan, and its product when the code is new.
    CreatePlan(PlanInput),
    /// Change a plan; running terms keep their price.
    EditPlan {
        /// Which.
        plan: PlanId,
        /// What it becomes.
        change: PlanChange,
    },
    /// Close a plan to new subscriptions.
    DeactivatePlan {
        /// Which.
        plan: PlanId,
    },
    /// Write a note.
    Note {
        /// On which customer, payment or subscription.
        target: PublicId,
        /// What.
        text: String,
    },
    /// Ask the provider about an unknown attempt now. Nothing is sent again by this.
    ResolveUnknown {
        /// Which.
        attempt: AttemptId,
    },
    /// Ask, and if the provider has not seen it send the same request again: same bytes, same order
    /// id, same key.
    SendAgain {
        /// Which.
        attempt: AttemptId,
    },
    /// Ask a second person for a refund above one's own limit. Nothing is reserved or sent by this.
    AskRefund {
        /// Out of which payment.
        payment: PaymentId,
        /// How much.
        amount: RefundAmount,
        /// Why; stored and sent.
        reason: String,
        /// What else happens to the subscription.
        also_cancel: AlsoCancel,
    },
    /// Ask a second person to agree that an unknown charge was never executed.
    AskNotExecuted {
        /// Which.
        attempt: AttemptId,
        /// Why.
        reason: String,
        /// What supports it.
        evidence: String,
    },
    /// Ask a second person to send a prepared return that is above one's own limit.
    AskReturn {
        /// The refund attempt that waits.
        attempt: AttemptId,
    },
    /// Approve what another person asked for: it happens at once.
    Grant {
        /// Which request.
        approval: ApprovalId,
    },
    /// Turn down what was asked for.
    Reject {
        /// Which request.
        approval: ApprovalId,
        /// Why.
        reason: String,
    },
    /// Send the return that was prepared for money nobody wanted.
    ApproveReturn {
        /// The refund attempt that waits.
        attempt: AttemptId,
    },
    /// Give such a return up and let go of what it reserved.
    DeclineReturn {
        /// The refund attempt that waits.
        attempt: AttemptId,
        /// Why.
        reason: String,
    },
}

/// A plan as a person gives it.
#[derive(Debug, Clone)]
pub struct PlanInput {
    /// Product code.
    pub product: String,
    /// Product name, when the product is new.
    pub product_name: String,
    /// Plan code.
    pub code: String,
    /// Plan name.
    pub name: String,
    /// Price per interval and unit.
    pub price: Money,
    /// How often.
    pub interval: Interval,
    /// Entitlement level.
    pub tier: String,
    /// Free days first.
    pub trial_days: u32,
    /// What it includes.
    pub features: Vec<String>,
}

/// What changes on a plan; none leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct PlanChange {
    /// Name.
    pub name: Option<String>,
    /// Price of new terms.
    pub price: Option<Money>,
    /// Entitlement level.
    pub tier: Option<String>,
    /// Free days first.
    pub trial_days: Option<u32>,
    /// What it includes.
    pub features: Option<Vec<String>>,
    /// Open to new subscriptions again.
    pub activate: bool,
}

impl Request {
    /// What people call it; see [`super::ActionPlan::called`].
    pub const fn called(&self) -> &'static str {
        match self {
            Self::VoidInvoice { .. } => WishVerb::Void.as_str(),
            Self::GiveUpInvoice { .. } => WishVerb::GiveUp.as_str(),
            _ => self.verb().as_str(),
        }
    }

    /// The verb whose capability is needed.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Charge { .. } => Verb::Charge,
            Self::Retry { .. } => Verb::Retry,
            Self::Refund { .. } | Self::AskRefund { .. } => Verb::Refund,
            // What is withdrawn is owed no longer, as when a subscription ends at once.
            Self::CancelNow { .. } | Self::VoidInvoice { .. } | Self::GiveUpInvoice { .. } => {
                Verb::CancelNow
            }
            Self::Pause { .. } => Verb::Pause,
            Self::Resume { .. } => Verb::Resume,
            Self::CancelAtEnd { .. } => Verb::CancelAtEnd,
            Self::UndoCancel { .. } => Verb::UndoCancel,
            Self::OneTime { .. } | Self::Checkout { .. } | Self::ConfirmCheckout { .. } => {
                Verb::OneTime
            }
            Self::Subscribe { .. } => Verb::Subscribe,
            Self::AddMethod { .. } | Self::UseMethod { .. } | Self::DeleteMethod { .. } => {
                Verb::SwapCard
            }
            Self::CreateCustomer { .. } => Verb::CreateCustomer,
            Self::CreatePlan(_) => Verb::CreatePlan,
            Self::EditPlan { .. } => Verb::EditPlan,
            Self::DeactivatePlan { .. } => Verb::DeactivatePlan,
            Self::Note { .. } => Verb::Note,
            Self::ResolveUnknown { .. } | Self::SendAgain { .. } => Verb::ResolveUnknown,
            Self::AskNotExecuted { .. } => Verb::ForceState,
            Self::Grant { .. }
            | Self::Reject { .. }
            | Self::AskReturn { .. }
            | Self::ApproveReturn { .. }
            | Self::DeclineReturn { .. } => Verb::Approve,
        }
    }
}
