//! From the words of a verb to a request: ids become rows, texts become amounts.

use std::io::Read as _;

use super::args::{
    AlsoCancelArg, CancelArgs, CardArgs, ConfirmArgs, CustomerCreateArgs, MethodArgs,
    MirrorCommand, MirroredArgs, MirroredInvoiceArgs, NotExecutedArgs, NoteArgs, OneTimeArgs,
    PlanCreateArgs, PlanEditArgs, PlanTargetArgs, RefundArgs, ResolveArgs, SubscribeArgs,
    TargetArgs,
};
use super::error::CliError;
use super::resolve::{self, noun_of_prefix};
use super::said::noun_name;
use super::verbs::show;
use crate::domain::attempt::AlsoCancel;
use crate::domain::ids::{
    AttemptId, CustomerId, InvoiceId, MethodId, Noun, PaymentId, PublicId, SubscriptionId,
};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{Payment, RefundAmount};
use crate::domain::period::Interval;
use crate::domain::states::InvoiceState;
use crate::engine::queries::Reads as _;
use crate::engine::{PlanChange, PlanInput, Request};
use crate::secret::Secret;
use crate::store::SqlStore;

/// Reads an amount in a currency.
fn amount(typed: &str, currency: Currency) -> Result<Money, CliError> {
    Money::parse(typed, currency).map_err(|source| CliError::Amount {
        typed: typed.to_owned(),
        source,
    })
}

fn currency(typed: &str) -> Result<Currency, CliError> {
    Currency::parse(typed).map_err(|source| CliError::Amount {
        typed: typed.to_owned(),
        source,
    })
}

/// The invoice that is meant: itself, an attempt's, or the oldest unpaid one of a subscription.
async fn invoice(store: &SqlStore, args: &TargetArgs) -> Result<InvoiceId, CliError> {
    let typed = args.target.as_str();
    match noun_of_prefix(typed) {
        Some(Noun::Attempt) => {
            let id = AttemptId(resolve::id(store, Noun::Attempt, typed).await?);
            Ok(store.invoice_of_attempt(id).await?)
        }
        Some(Noun::Subscription) => {
            let id = SubscriptionId(resolve::id(store, Noun::Subscription, typed).await?);
            let card = store.subscription_card(id).await?;
            let is_owed = |state| {
                matches!(
                    state,
                    InvoiceState::Draft | InvoiceState::Open | InvoiceState::Uncollectible
                )
            };
            let oldest = card
                .invoices
                .iter()
                .filter(|invoice| is_owed(invoice.state))
                .min_by_key(|invoice| invoice.due_at);
            oldest
                .map(|invoice| invoice.id)
                .ok_or_else(|| CliError::NotFound {
                    what: noun_name(Noun::Invoice),
                    typed: typed.to_owned(),
                })
        }
        _ => resolve::id(store, Noun::Invoice, typed)
            .await
            .map(InvoiceId),
    }
}

pub async fn charge(store: &SqlStore, args: &TargetArgs) -> Result<Request, CliError> {
    Ok(Request::Charge {
        invoice: invoice(store, args).await?,
    })
}

pub async fn retry(store: &SqlStore, args: &TargetArgs) -> Result<Request, CliError> {
    Ok(Request::Retry {
        invoice: invoice(store, args).await?,
    })
}

/// The payment that is meant: itself, or the one that paid an invoice.
async fn payment(store: &SqlStore, typed: &str) -> Result<Payment, CliError> {
    let missing = || CliError::NotFound {
        what: noun_name(Noun::Payment),
        typed: typed.to_owned(),
    };
    if noun_of_prefix(typed) == Some(Noun::Invoice) {
        let id = InvoiceId(resolve::id(store, Noun::Invoice, typed).await?);
        let paid = store.timeline(id).await?.payments;
        return paid
            .into_iter()
            .find(|payment| !payment.is_duplicate)
            .ok_or_else(missing);
    }
    let id = PaymentId(resolve::id(store, Noun::Payment, typed).await?);
    let invoice = store.invoice_of_payment(id).await?;
    store
        .timeline(invoice)
        .await?
        .payments
        .into_iter()
        .find(|payment| payment.id == id)
        .ok_or_else(missing)
}

pub async fn refund(store: &SqlStore, args: &RefundArgs) -> Result<Request, CliError> {
    let payment = payment(store, &args.payment).await?;
    let wanted = match &args.amount {
        Some(typed) => RefundAmount::Partial(amount(typed, payment.captured.currency())?),
        None => RefundAmount::Full,
    };
    let (payment, reason) = (payment.id, args.reason.clone());
    let also_cancel = match args.also_cancel {
        AlsoCancelArg::No => AlsoCancel::No,
        AlsoCancelArg::Now => AlsoCancel::Now,
        AlsoCancelArg::AtEnd => AlsoCancel::AtPeriodEnd,
    };
    Ok(if args.ask_approval {
        Request::AskRefund {
            payment,
            amount: wanted,
            reason,
            also_cancel,
        }
    } else {
        Request::Refund {
            payment,
            amount: wanted,
            reason,
            also_cancel,
        }
    })
}

pub async fn cancel(store: &SqlStore, args: &CancelArgs) -> Result<Request, CliError> {
    let subscription =
        SubscriptionId(resolve::id(store, Noun::Subscription, &args.subscription).await?);
    let reason = args.reason.clone();
    Ok(if args.undo {
        Request::UndoCancel { subscription }
    } else if args.at_end {
        Request::CancelAtEnd {
            subscription,
            reason,
        }
    } else {
        Request::CancelNow {
            subscription,
            reason,
        }
    })
}

/// What is asked of Stripe about what it schedules; none where nothing is asked for by itself.
pub async fn mirrored(
    store: &SqlStore,
    command: &MirrorCommand,
) -> Result<Option<Request>, CliError> {
    let of = async |args: &MirroredArgs| {
        resolve::id(store, Noun::Subscription, &args.subscription)
            .await
            .map(SubscriptionId)
    };
    let about = async |args: &MirroredInvoiceArgs| {
        let target = TargetArgs {
            target: args.target.clone(),
        };
        invoice(store, &target).await
    };
    Ok(match command {
        MirrorCommand::Add(_) | MirrorCommand::Pull => None,
        MirrorCommand::Pause(args) => Some(Request::Pause {
            subscription: of(args).await?,
        }),
        MirrorCommand::Resume(args) => Some(Request::Resume {
            subscription: of(args).await?,
        }),
        MirrorCommand::Void(args) => Some(Request::VoidInvoice {
            invoice: about(args).await?,
            reason: args.reason.clone(),
        }),
        MirrorCommand::GiveUp(args) => Some(Request::GiveUpInvoice {
            invoice: about(args).await?,
            reason: args.reason.clone(),
        }),
    })
}

pub async fn subscribe(store: &SqlStore, args: &SubscribeArgs) -> Result<Request, CliError> {
    Ok(Request::Subscribe {
        customer: CustomerId(resolve::id(store, Noun::Customer, &args.customer).await?),
        plan: show::plan(store, &args.plan).await?.plan.id,
        quantity: args.quantity,
    })
}

pub async fn one_time(store: &SqlStore, args: &OneTimeArgs) -> Result<Request, CliError> {
    let amount = amount(&args.amount, currency(&args.currency)?)?;
    Ok(Request::OneTime {
        customer: CustomerId(resolve::id(store, Noun::Customer, &args.customer).await?),
        amount,
        description: args.description.clone(),
    })
}

pub async fn checkout(store: &SqlStore, args: &OneTimeArgs) -> Result<Request, CliError> {
    let amount = amount(&args.amount, currency(&args.currency)?)?;
    Ok(Request::Checkout {
        customer: CustomerId(resolve::id(store, Noun::Customer, &args.customer).await?),
        amount,
        description: args.description.clone(),
    })
}

pub fn confirm(args: &ConfirmArgs) -> Result<Request, CliError> {
    Ok(Request::ConfirmCheckout {
        payment_key: args.payment_key.clone(),
        order_id: args.order_id.clone(),
        amount: amount(&args.amount, currency(&args.currency)?)?,
    })
}

pub fn create_customer(args: &CustomerCreateArgs) -> Request {
    Request::CreateCustomer {
        customer_key: args.customer_key.clone(),
        name: args.name.clone(),
        email: args.email.clone(),
        phone: args.phone.clone(),
    }
}

pub async fn method(store: &SqlStore, args: &MethodArgs) -> Result<Request, CliError> {
    let customer = CustomerId(resolve::id(store, Noun::Customer, &args.customer).await?);
    let auth_key = if args.auth_key == "-" {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .take(4_096)
            .read_to_string(&mut text)?;
        Secret::new(text.trim())
    } else {
        Secret::new(args.auth_key.as_str())
    };
    Ok(Request::AddMethod {
        customer,
        auth_key,
        provider: None,
    })
}

/// A saved card.
pub async fn card(store: &SqlStore, args: &CardArgs) -> Result<MethodId, CliError> {
    let id = resolve::id(store, Noun::Method, &args.method).await?;
    Ok(MethodId(id))
}

/// A note is kept under the whole id of its target.
pub async fn note(store: &SqlStore, args: &NoteArgs) -> Result<Request, CliError> {
    let typed = args.target.as_str();
    let target: PublicId = match noun_of_prefix(typed) {
        Some(Noun::Payment) => payment(store, typed).await?.public_id,
        Some(Noun::Subscription) => {
            let id = SubscriptionId(resolve::id(store, Noun::Subscription, typed).await?);
            store.subscription_card(id).await?.subscription.public_id
        }
        _ => {
            let id = CustomerId(resolve::id(store, Noun::Customer, typed).await?);
            store.customer_card(id).await?.customer.public_id
        }
    };
    Ok(Request::Note {
        target,
        text: args.text.clone(),
    })
}

pub fn create_plan(args: &PlanCreateArgs) -> Result<Request, CliError> {
    let interval = Interval::parse(&args.interval).ok_or_else(|| CliError::Input {
        what: "interval",
        typed: args.interval.clone(),
        reason: "give day, week, month, quarter or year, with a count of 1 to 120 before it where it is not one: 2-week"
            .to_owned(),
    })?;
    let product = args.product.clone().unwrap_or_else(|| args.code.clone());
    Ok(Request::CreatePlan(PlanInput {
        product_name: args
            .product_name
            .clone()
            .unwrap_or_else(|| args.name.clone()),
        product,
        code: args.code.clone(),
        name: args.name.clone(),
        price: amount(&args.price, currency(&args.currency)?)?,
        interval,
        tier: args.tier.clone(),
        trial_days: args.trial_days,
        features: args.features.clone(),
    }))
}

pub async fn edit_plan(store: &SqlStore, args: &PlanEditArgs) -> Result<Request, CliError> {
    let plan = show::plan(store, &args.plan).await?.plan;
    let price = match &args.price {
        Some(typed) => Some(amount(typed, plan.price.currency())?),
        None => None,
    };
    Ok(Request::EditPlan {
        plan: plan.id,
        change: PlanChange {
            name: args.name.clone(),
            price,
            tier: args.tier.clone(),
            trial_days: args.trial_days,
            features: (!args.features.is_empty()).then(|| args.features.clone()),
            activate: args.activate,
        },
    })
}

pub async fn deactivate_plan(store: &SqlStore, args: &PlanTargetArgs) -> Result<Request, CliError> {
    Ok(Request::DeactivatePlan {
        plan: show::plan(store, &args.plan).await?.plan.id,
    })
}

pub async fn resolve_unknown(store: &SqlStore, args: &ResolveArgs) -> Result<Request, CliError> {
    let attempt = AttemptId(resolve::id(store, Noun::Attempt, &args.attempt).await?);
    Ok(Request::ResolveUnknown { attempt })
}

pub async fn send_again(store: &SqlStore, args: &ResolveArgs) -> Result<Request, CliError> {
    let attempt = AttemptId(resolve::id(store, Noun::Attempt, &args.attempt).await?);
    Ok(Request::SendAgain { attempt })
}

pub async fn not_executed(store: &SqlStore, args: &NotExecutedArgs) -> Result<Request, CliError> {
    let attempt = AttemptId(resolve::id(store, Noun::Attempt, &args.attempt).await?);
    Ok(Request::AskNotExecuted {
        attempt,
        reason: args.reason.clone(),
        evidence: args.evidence.clone(),
    })
}
