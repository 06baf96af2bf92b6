//! Whether an action is possible here, and how a verb begins.
//!
//! The engine checks capabilities itself; here an impossible action only says why before anything is asked. A verb
//! begins with a form or with a question for its plan, never with an effect that changes anything.

use crate::console::action::{Action, Danger};
use crate::console::effect::Effect;
use crate::console::model::{Asked, Confirm, Ending, Form, FormKind, Modal, Model, Phase, Target};
use crate::console::term::Switch;
use crate::domain::ids::AttemptId;
use crate::domain::mirror::{Collection, Scheduler};
use crate::domain::operator::{Access, Denied};
use crate::domain::states::{InvoiceState, SubscriptionState};
use crate::engine::Request;

use super::{approve, go};

/// Why an action is not possible here: the text is `console.why.…`.
pub type Why = &'static str;

/// The name of an action in the person's language.
pub fn name(model: &Model, action: Action) -> &'static str {
    let key = action
        .spec()
        .map(|spec| format!("console.action.{}.name", spec.id));
    key.and_then(|key| model.locale().find(&key)).unwrap_or("")
}

pub fn why(model: &Model, why: Why) -> &'static str {
    model
        .locale()
        .find(&format!("console.why.{why}"))
        .unwrap_or(why)
}

/// Whether an action is possible, and if not, why.
pub fn availability(model: &Model, action: Action) -> Result<(), Why> {
    may(model, action)?;
    let visit = model.visit();
    let list = visit.list();
    let needs = |there: bool, why: Why| if there { Ok(()) } else { Err(why) };
    match action {
        Action::Filter | Action::Views | Action::SaveView | Action::Sort | Action::Reverse => {
            needs(
                list.is_some_and(|list| list.kind.can_filter()),
                "needs_list",
            )
        }
        Action::Mark | Action::MarkAll | Action::Detail => needs(list.is_some(), "needs_list"),
        Action::Copy if model.clipboard == Switch::Off => Err("no_clipboard"),
        Action::Copy => needs(
            visit.target().public_id.is_some() || list.is_some_and(|list| !list.marks.is_empty()),
            "nothing_selected",
        ),
        Action::Open => needs(go::can_open(model), "nothing_to_open"),
        Action::Customer => needs(visit.target().customer.is_some(), "nothing_selected"),
        Action::Approve => Ok(()),
        _ if action.danger() != Danger::None => {
            let has_marks = list.is_some_and(|list| !list.marks.is_empty());
            needs(!has_marks, "one_at_a_time")?;
            fits(action, &visit.target())
        }
        _ => Ok(()),
    }
}

fn may(model: &Model, action: Action) -> Result<(), Why> {
    let Some(spec) = action.spec().filter(|spec| !spec.verbs.is_empty()) else {
        return Ok(());
    };
    if model.operator.access == Access::ReadOnly {
        return Err("read_only");
    }
    let may = spec
        .verbs
        .iter()
        .any(|verb| match model.operator.check(*verb) {
            Ok(()) => true,
            Err(Denied::ReadOnly { .. } | Denied::Role { .. }) => false,
        });
    if may { Ok(()) } else { Err("role") }
}

fn fits(action: Action, target: &Target) -> Result<(), Why> {
    let ok = match action {
        Action::Charge | Action::Retry => {
            return if target.invoice.is_some() || target.subscription.is_some() {
                Ok(())
            } else {
                Err("needs_invoice")
            };
        }
        Action::Refund => {
            return match (target.payment, target.refundable) {
                (Some(_), Some(money)) if money.is_positive() => Ok(()),
                (Some(_), Some(_)) => Err("nothing_to_refund"),
                _ => Err("needs_payment"),
            };
        }
        Action::Cancel => {
            return match (target.subscription, target.subscription_state) {
                (None, _) => Err("needs_subscription"),
                (Some(_), Some(state)) if state.is_ended() => Err("ended"),
                (Some(_), _) => Ok(()),
            };
        }
        Action::UndoCancel => {
            return match (target.subscription, target.ends) {
                (None, _) => Err("needs_subscription"),
                (Some(_), Some(Ending::Open)) => Err("nothing_scheduled"),
                (Some(_), _) => Ok(()),
            };
        }
        Action::Pause | Action::Resume => return collects(action, target),
        Action::VoidInvoice | Action::GiveUpInvoice => return withdraws(action, target),
        Action::ResolveUnknown | Action::SendAgain | Action::Link | Action::NotExecuted => {
            (target.attempt.is_some(), "needs_unknown")
        }
        Action::SwapCard | Action::Subscribe | Action::OneTime => {
            (target.customer.is_some(), "needs_customer")
        }
        Action::UseCard | Action::ForgetCard => (target.method.is_some(), "needs_card"),
        Action::EditPlan => (target.plan.is_some(), "needs_plan"),
        Action::DeactivatePlan => (
            target.plan.as_ref().is_some_and(|plan| plan.active),
            "needs_active_plan",
        ),
        Action::Note => (target.noted.is_some(), "nothing_selected"),
        _ => (true, ""),
    };
    if ok.0 { Ok(()) } else { Err(ok.1) }
}

/// Only what Stripe schedules can be paused there, and only where it is not so already. What the row does not tell, the
/// plan does.
fn collects(action: Action, target: &Target) -> Result<(), Why> {
    if target.subscription.is_none() {
        return Err("needs_subscription");
    }
    if target.scheduler == Some(Scheduler::Paydeck) {
        return Err("needs_mirrored");
    }
    if target
        .subscription_state
        .is_some_and(SubscriptionState::is_ended)
    {
        return Err("ended");
    }
    match (action, target.collection) {
        (Action::Pause, Some(Collection::On)) | (_, None) => Ok(()),
        (Action::Pause, Some(_)) => Err("already_paused"),
        (_, Some(Collection::On)) => Err("not_paused"),
        (_, Some(_)) => Ok(()),
    }
}

/// Only an unpaid invoice that Stripe collects can be withdrawn or given up there.
fn withdraws(action: Action, target: &Target) -> Result<(), Why> {
    if target.scheduler == Some(Scheduler::Paydeck) {
        return Err("needs_mirrored");
    }
    match (action, target.invoice, target.invoice_state) {
        (_, None, _) => Err("needs_unpaid_invoice"),
        (_, Some(_), None | Some(InvoiceState::Open))
        | (Action::VoidInvoice, Some(_), Some(InvoiceState::Uncollectible)) => Ok(()),
        (_, Some(_), Some(InvoiceState::Uncollectible)) => Err("given_up_already"),
        (_, Some(_), Some(InvoiceState::Paid)) => Err("paid_already"),
        (_, Some(_), Some(_)) => Err("nothing_to_withdraw"),
    }
}

/// Begins a verb on what is selected now. The target is bound here; later changes of the selection do not move it.
pub fn begin(model: &mut Model, action: Action) -> Vec<Effect> {
    let target = model.visit().target();
    let name = target.name.clone();
    match action {
        Action::Charge | Action::Retry => match owed(action, &target) {
            Some(asked) => plan(model, asked, name),
            None => Vec::new(),
        },
        Action::Refund => refund(model, &target),
        Action::Cancel => with(model, target.subscription, |model, subscription| {
            form(model, FormKind::Cancel { subscription }, name)
        }),
        Action::UndoCancel => with(model, target.subscription, |model, subscription| {
            let asked = Asked::Request(Request::UndoCancel { subscription });
            plan(model, asked, name)
        }),
        Action::Pause => with(model, target.subscription, |model, subscription| {
            plan(model, Asked::Request(Request::Pause { subscription }), name)
        }),
        Action::Resume => with(model, target.subscription, |model, subscription| {
            let asked = Asked::Request(Request::Resume { subscription });
            plan(model, asked, name)
        }),
        Action::VoidInvoice => with(model, target.invoice, |model, invoice| {
            form(model, FormKind::VoidInvoice { invoice }, name)
        }),
        Action::GiveUpInvoice => with(model, target.invoice, |model, invoice| {
            form(model, FormKind::GiveUpInvoice { invoice }, name)
        }),
        Action::ResolveUnknown | Action::SendAgain | Action::Link | Action::NotExecuted => {
            with(model, target.attempt, |model, attempt| {
                about_attempt(model, action, attempt, name)
            })
        }
        Action::Approve => approve::begin(model),
        Action::SwapCard => with(model, target.customer, |model, customer| {
            form(model, FormKind::SwapCard { customer }, name)
        }),
        Action::UseCard => with(model, target.method, |model, method| {
            plan(model, Asked::Request(Request::UseMethod { method }), name)
        }),
        Action::ForgetCard => with(model, target.method, |model, method| {
            let asked = Asked::Request(Request::DeleteMethod { method });
            plan(model, asked, name)
        }),
        Action::Subscribe => with(model, target.customer, |model, customer| {
            form(model, FormKind::Subscribe { customer }, name);
            go::ask_plans(model)
        }),
        Action::OneTime => with(model, target.customer, |model, customer| {
            form(model, FormKind::OneTime { customer }, name)
        }),
        Action::CreateCustomer => form(model, FormKind::CreateCustomer, String::new()),
        Action::CreatePlan => form(model, FormKind::CreatePlan, String::new()),
        Action::EditPlan => with(model, target.plan, |model, chosen| {
            form(model, FormKind::EditPlan { plan: chosen }, name)
        }),
        Action::DeactivatePlan => with(model, target.plan, |model, chosen| {
            let asked = Asked::Request(Request::DeactivatePlan { plan: chosen.id });
            plan(model, asked, name)
        }),
        Action::BillRun => plan(model, Asked::Run, String::new()),
        Action::Note => with(model, target.noted, |model, target| {
            form(model, FormKind::Note { target }, name)
        }),
        _ => Vec::new(),
    }
}

fn refund(model: &mut Model, target: &Target) -> Vec<Effect> {
    let (Some(payment), Some(refundable)) = (target.payment, target.refundable) else {
        return Vec::new();
    };
    let kind = FormKind::Refund {
        payment,
        refundable,
        paid: target.paid.clone(),
    };
    form(model, kind, target.name.clone())
}

fn about_attempt(
    model: &mut Model,
    action: Action,
    attempt: AttemptId,
    name: String,
) -> Vec<Effect> {
    match action {
        Action::SendAgain => plan(model, Asked::Request(Request::SendAgain { attempt }), name),
        Action::Link => ask_link(model, attempt),
        Action::NotExecuted => form(model, FormKind::NotExecuted { attempt }, name),
        _ => {
            let asked = Asked::Request(Request::ResolveUnknown { attempt });
            plan(model, asked, name)
        }
    }
}

/// Asks where the customer answers: whatever was asked before is not waited for any more.
pub fn ask_link(model: &mut Model, attempt: AttemptId) -> Vec<Effect> {
    let ticket = model.ticket();
    model.link = Some(ticket);
    vec![Effect::AskLink { ticket, attempt }]
}

fn with<T>(
    model: &mut Model,
    target: Option<T>,
    then: impl FnOnce(&mut Model, T) -> Vec<Effect>,
) -> Vec<Effect> {
    match target {
        Some(target) => then(model, target),
        None => Vec::new(),
    }
}

fn owed(action: Action, target: &Target) -> Option<Asked> {
    match (action, target.invoice, target.subscription) {
        (Action::Charge, Some(invoice), _) => Some(Asked::Request(Request::Charge { invoice })),
        (Action::Charge, None, Some(subscription)) => Some(Asked::ChargeOf(subscription)),
        (_, Some(invoice), _) => Some(Asked::Request(Request::Retry { invoice })),
        (_, None, Some(subscription)) => Some(Asked::RetryOf(subscription)),
        (_, None, None) => None,
    }
}

pub fn form(model: &mut Model, kind: FormKind, name: String) -> Vec<Effect> {
    let form = Form::new(kind, name, model.lang);
    model.modals.push(Modal::Form(Box::new(form)));
    Vec::new()
}

/// Opens the confirming dialog and asks what would happen.
pub fn plan(model: &mut Model, asked: Asked, name: String) -> Vec<Effect> {
    let ticket = model.ticket();
    model.modals.push(Modal::Confirm(Box::new(Confirm {
        asked: asked.clone(),
        name,
        phase: Phase::Planning {
            ticket,
            since_ms: model.now.ms,
        },
    })));
    vec![Effect::Plan { ticket, asked }]
}
