//! One row of any list, and what the verbs can do with it.

use super::form::Paid;
use crate::domain::ids::{
    AttemptId, CustomerId, InvoiceId, MethodId, PaymentId, PlanId, PublicId, RunId, SubscriptionId,
};
use crate::domain::mirror::{Collection, Scheduler};
use crate::domain::money::Money;
use crate::domain::plan::Plan;
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::engine::queries::{
    ActivityRow, CustomerRow, DeclineRow, EventRow, FailedRow, Hit, HitTarget, LocalDay,
    PaymentRow, PlanRow, RenewalDay, RunItemRow, RunRow, SubscriptionRow, UnknownRow, WishRow,
};

/// A row of a list.
#[derive(Debug, Clone)]
pub enum Row {
    Customer(Box<CustomerRow>),
    Subscription(Box<SubscriptionRow>),
    Day(Box<RenewalDay>),
    Failed(Box<FailedRow>),
    Decline(Box<DeclineRow>),
    Payment(Box<PaymentRow>),
    Plan(Box<PlanRow>),
    Unknown(Box<UnknownRow>),
    Wish(Box<WishRow>),
    Run(Box<RunRow>),
    RunItem(Box<RunItemRow>),
    Event(Box<EventRow>),
    Activity(Box<ActivityRow>),
    Hit(Box<Hit>),
}

/// What makes two rows the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    Number(i64),
    Text(String),
}

/// What a key acts on, taken from the selected row. It is bound when the key is pressed.
#[derive(Debug, Clone, Default)]
pub struct Target {
    pub customer: Option<CustomerId>,
    pub subscription: Option<SubscriptionId>,
    /// Its state, where the row tells.
    pub subscription_state: Option<SubscriptionState>,
    /// Who schedules it, where the row tells.
    pub scheduler: Option<Scheduler>,
    /// Whether its provider collects, where the row tells.
    pub collection: Option<Collection>,
    /// Whether an end is scheduled, where the row tells.
    pub ends: Option<Ending>,
    pub invoice: Option<InvoiceId>,
    /// Where it stands, where the row tells.
    pub invoice_state: Option<InvoiceState>,
    pub payment: Option<PaymentId>,
    /// What can still be given back.
    pub refundable: Option<Money>,
    /// What that payment was.
    pub paid: Option<Box<Paid>>,
    pub attempt: Option<AttemptId>,
    /// A saved card.
    pub method: Option<MethodId>,
    pub run: Option<(RunId, PublicId)>,
    pub day: Option<LocalDay>,
    pub plan: Option<Box<Plan>>,
    pub plan_id: Option<PlanId>,
    /// What `y` copies.
    pub public_id: Option<PublicId>,
    /// What a note is written on.
    pub noted: Option<PublicId>,
    /// Raw name, for the line that says what is being done.
    pub name: String,
}

/// Whether a subscription has an end scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Scheduled,
    Open,
}

impl Row {
    pub fn key(&self) -> RowKey {
        match self {
            Self::Customer(row) => RowKey::Number(row.customer.id.0),
            Self::Subscription(row) => RowKey::Number(row.id.0),
            Self::Day(row) => RowKey::Text(row.day.date.to_string()),
            Self::Failed(row) => RowKey::Number(row.invoice_id.0),
            Self::Decline(row) => RowKey::Number(row.id.0),
            Self::Payment(row) => RowKey::Number(row.id.0),
            Self::Plan(row) => RowKey::Number(row.plan.id.0),
            Self::Unknown(row) => RowKey::Number(row.id.0),
            Self::Wish(row) => RowKey::Number(row.wish.id.0),
            Self::Run(row) => RowKey::Number(row.run.id.0),
            Self::RunItem(row) => RowKey::Number(row.id),
            Self::Event(row) => RowKey::Number(row.id),
            Self::Activity(row) => RowKey::Text(format!("{} {}", row.record.chain, row.record.seq)),
            Self::Hit(row) => RowKey::Text(row.public_id.to_string()),
        }
    }

    /// What the row stands for in money, for the sum of marked rows.
    pub fn amount(&self) -> Option<Money> {
        match self {
            Self::Subscription(row) => Some(row.amount),
            Self::Failed(row) => Some(row.amount),
            Self::Decline(row) => Some(row.amount),
            Self::Payment(row) => Some(row.captured),
            Self::Unknown(row) => Some(row.amount),
            Self::Wish(row) => row.invoice.as_ref().map(|(_, amount)| *amount),
            Self::RunItem(row) => row.amount,
            Self::Hit(row) => row.amount,
            Self::Plan(row) => Some(row.mrr),
            Self::Customer(_)
            | Self::Day(_)
            | Self::Run(_)
            | Self::Event(_)
            | Self::Activity(_) => None,
        }
    }

    pub fn target(&self) -> Target {
        match self {
            Self::Customer(row) => Target {
                customer: Some(row.customer.id),
                public_id: Some(row.customer.public_id.clone()),
                noted: Some(row.customer.public_id.clone()),
                name: row.customer.name.clone(),
                ..Target::default()
            },
            Self::Subscription(row) => of_subscription(row),
            Self::Day(row) => Target {
                day: Some(row.day),
                ..Target::default()
            },
            Self::Failed(row) => of_failure(row),
            Self::Decline(row) => of_decline(row),
            Self::Payment(row) => of_payment(row),
            Self::Plan(row) => Target {
                plan_id: Some(row.plan.id),
                public_id: Some(row.plan.public_id.clone()),
                name: row.plan.name.clone(),
                plan: Some(Box::new(row.plan.clone())),
                ..Target::default()
            },
            Self::Unknown(row) => of_unknown(row),
            Self::Wish(row) => of_wish(row),
            Self::Run(row) => Target {
                run: Some((row.run.id, row.run.public_id.clone())),
                public_id: Some(row.run.public_id.clone()),
                ..Target::default()
            },
            Self::RunItem(row) => Target {
                customer: Some(row.customer.id),
                subscription: Some(row.subscription_id),
                invoice: row.invoice_id,
                public_id: Some(row.subscription_public_id.clone()),
                noted: Some(row.subscription_public_id.clone()),
                name: row.customer.name.clone(),
                ..Target::default()
            },
            Self::Activity(row) => Target {
                public_id: Some(PublicId::from_stored(row.record.entry.target.clone()))
                    .filter(|id| !id.as_str().is_empty()),
                ..Target::default()
            },
            Self::Hit(row) => of_hit(row),
            Self::Event(_) => Target::default(),
        }
    }
}

/// What the verbs can do with a subscription.
pub fn of_subscription(row: &SubscriptionRow) -> Target {
    Target {
        customer: Some(row.customer.id),
        subscription: Some(row.id),
        subscription_state: Some(row.state),
        scheduler: Some(row.scheduler),
        ends: Some(match row.cancel_at {
            Some(_) => Ending::Scheduled,
            None => Ending::Open,
        }),
        public_id: Some(row.public_id.clone()),
        noted: Some(row.public_id.clone()),
        name: row.customer.name.clone(),
        ..Target::default()
    }
}

/// What the verbs can do with an unpaid invoice.
pub fn of_failure(row: &FailedRow) -> Target {
    Target {
        customer: Some(row.customer.id),
        subscription: row.subscription_id,
        subscription_state: row.subscription_state,
        scheduler: Some(row.scheduler),
        invoice: Some(row.invoice_id),
        invoice_state: Some(row.invoice_state),
        public_id: Some(row.invoice_public_id.clone()),
        noted: Some(row.customer.public_id.clone()),
        name: row.customer.name.clone(),
        ..Target::default()
    }
}

/// What the verbs can do with the invoice of a declined charge; a paid one is beyond them.
fn of_decline(row: &DeclineRow) -> Target {
    let is_owed = matches!(
        row.invoice_state,
        InvoiceState::Open | InvoiceState::Uncollectible
    );
    Target {
        customer: Some(row.customer.id),
        subscription: row.subscription_id,
        invoice: is_owed.then_some(row.invoice_id),
        public_id: Some(row.public_id.clone()),
        noted: Some(row.customer.public_id.clone()),
        name: row.customer.name.clone(),
        ..Target::default()
    }
}

/// What the verbs can do with a payment.
pub fn of_payment(row: &PaymentRow) -> Target {
    let back = row.refunded_minor.saturating_add(row.reserved_minor);
    let left = row.captured.minor().saturating_sub(back);
    Target {
        customer: Some(row.customer.id),
        subscription: row.subscription_id,
        invoice: Some(row.invoice_id),
        invoice_state: Some(InvoiceState::Paid),
        payment: Some(row.id),
        refundable: Some(Money::new(left, row.captured.currency())),
        paid: Some(Box::new(Paid {
            public_id: row.public_id.clone(),
            captured: row.captured,
            captured_at: row.captured_at,
            card: row.card.clone(),
        })),
        public_id: Some(row.public_id.clone()),
        noted: Some(row.public_id.clone()),
        name: row.customer.name.clone(),
        ..Target::default()
    }
}

/// What the verbs can do with what a wish is about.
fn of_wish(row: &WishRow) -> Target {
    Target {
        customer: Some(row.customer.id),
        subscription: Some(row.wish.subscription_id),
        scheduler: Some(Scheduler::Stripe),
        invoice: row.wish.invoice_id,
        public_id: Some(row.subscription.clone()),
        noted: Some(row.subscription.clone()),
        name: row.customer.name.clone(),
        ..Target::default()
    }
}

/// What the verbs can do with an attempt that is not settled.
pub fn of_unknown(row: &UnknownRow) -> Target {
    Target {
        customer: Some(row.customer.id),
        invoice: Some(row.invoice_id),
        attempt: Some(row.id),
        public_id: Some(row.public_id.clone()),
        noted: Some(row.customer.public_id.clone()),
        name: row.customer.name.clone(),
        ..Target::default()
    }
}

fn of_hit(hit: &Hit) -> Target {
    let mut target = Target {
        customer: Some(hit.customer.id),
        public_id: Some(hit.public_id.clone()),
        noted: Some(hit.customer.public_id.clone()),
        name: hit.customer.name.clone(),
        ..Target::default()
    };
    match hit.target {
        HitTarget::Customer(id) => target.customer = Some(id),
        HitTarget::Subscription(id) => target.subscription = Some(id),
        HitTarget::Payment(id) => target.payment = Some(id),
        HitTarget::Invoice(id) => target.invoice = Some(id),
        HitTarget::Attempt(id) => target.attempt = Some(id),
        HitTarget::Plan(id) => target.plan_id = Some(id),
    }
    target
}
