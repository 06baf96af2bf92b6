//! Plan, confirm, apply: the one way of every verb that changes something.
//!
//! Nothing is applied that was not shown or named by its fingerprint, except verbs that move no money
//! and end nothing. Without a terminal and without `--yes --plan` the plan is printed and that is all.

use std::io::{BufRead as _, IsTerminal as _};

use crate::cli::args::Global;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{Format, Output};
use crate::cli::permit::Permit;
use crate::cli::plan_text;
use crate::cli::records;
use crate::cli::wiring::LiveEngine;
use crate::domain::attempt::AttemptKind;
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Verb};
use crate::engine::{ActionPlan, Confirmation, Effect, Outcome, Request};

/// Does one request, as the global options say.
pub async fn act(
    out: &mut Output,
    engine: &LiveEngine,
    operator: &Operator,
    permit: Option<&Permit>,
    global: &Global,
    request: &Request,
) -> Result<Exit, CliError> {
    let Some(permit) = permit else {
        let plan = engine.plan(operator, request).await?;
        show_plan(out, &plan)?;
        return Ok(Exit::Done);
    };
    if let (true, Some(fingerprint)) = (global.yes, &global.fingerprint) {
        return apply(out, engine, operator, permit, request, fingerprint).await;
    }
    if !global.yes && global.fingerprint.is_some() {
        return Err(CliError::PlanWithoutYes);
    }
    let plan = engine.plan(operator, request).await?;
    if !needs_confirmation(&plan) {
        return apply(out, engine, operator, permit, request, &plan.fingerprint).await;
    }
    show_plan(out, &plan)?;
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !may_ask || global.yes {
        return Err(CliError::NeedsPlan);
    }
    if !is_confirmed(out, &plan)? {
        return Err(CliError::NotConfirmed);
    }
    apply(out, engine, operator, permit, request, &plan.fingerprint).await
}

fn show_plan(out: &mut Output, plan: &ActionPlan) -> Result<(), CliError> {
    match out.format {
        Format::Json => out.json(&records::action_plan(plan))?,
        Format::Human => {
            let text = plan_text::lines(plan, &out.view);
            out.print(&text)?;
        }
    }
    Ok(out.flush()?)
}

/// Whether money moves or something ends. Writing a note or creating a customer is done when asked.
fn needs_confirmation(plan: &ActionPlan) -> bool {
    match plan.verb {
        Verb::ResolveUnknown => plan.if_not_seen.is_some(),
        Verb::CreateCustomer
        | Verb::EditCustomer
        | Verb::CreatePlan
        | Verb::EditPlan
        | Verb::DeactivatePlan
        | Verb::Note => false,
        Verb::SwapCard => plan
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::ChargesOwed { .. })),
        _ => true,
    }
}

/// Asks on the terminal exactly what the plan demands.
fn is_confirmed(out: &mut Output, plan: &ActionPlan) -> Result<bool, CliError> {
    match &plan.confirm {
        Confirmation::Key => {
            let answer = asked(out, "cli.ask.key", &[])?;
            Ok(answer.eq_ignore_ascii_case("y"))
        }
        Confirmation::Amount(amount) => asked_amount(out, *amount),
        Confirmation::Ending(ending) => asked_ending(out, ending),
        Confirmation::AmountAndEnding(amount, ending) => {
            Ok(asked_amount(out, *amount)? && asked_ending(out, ending)?)
        }
    }
}

fn asked_amount(out: &mut Output, amount: Money) -> Result<bool, CliError> {
    let shown = out.view.money(amount);
    let answer = asked(out, "cli.ask.amount", &[("amount", &shown)])?;
    Ok(Money::parse(&answer, amount.currency()) == Ok(amount))
}

fn asked_ending(out: &mut Output, ending: &str) -> Result<bool, CliError> {
    let answer = asked(out, "cli.ask.ending", &[])?;
    Ok(!answer.is_empty() && answer.eq_ignore_ascii_case(ending))
}

fn asked(out: &mut Output, key: &str, args: &[(&str, &str)]) -> Result<String, CliError> {
    let question = out.view.locale.t_args(key, args);
    out.ask(&question)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

async fn apply(
    out: &mut Output,
    engine: &LiveEngine,
    operator: &Operator,
    _permit: &Permit,
    request: &Request,
    fingerprint: &str,
) -> Result<Exit, CliError> {
    let outcome = engine.apply(operator, request, fingerprint).await?;
    out.record(&records::outcome(request.verb().as_str(), &outcome))?;
    out.flush()?;
    tell(out, &outcome)?;
    Ok(Exit::of(&outcome))
}

/// What an outcome other than "done" means and what comes next, beside the object.
fn tell(out: &mut Output, outcome: &Outcome) -> Result<(), CliError> {
    let locale = out.view.locale;
    match outcome {
        Outcome::Done(receipt) | Outcome::AlreadyDone(receipt) => {
            let (Some(kind), Some(amount)) = (receipt.kind, receipt.amount) else {
                return Ok(());
            };
            let key = match kind {
                AttemptKind::Charge => "cli.told.charged",
                AttemptKind::Refund => "cli.told.refunded",
            };
            let amount = out.view.money(amount);
            Ok(out.say(&locale.t_args(key, &[("amount", &amount)]))?)
        }
        Outcome::Declined { refusal, .. } => {
            let text = locale.failure(&refusal.code, refusal.class.as_str());
            out.say(text.meaning)?;
            Ok(out.say(text.next)?)
        }
        Outcome::Unknown(receipt) => {
            let attempt = receipt
                .attempt
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let text = locale.t_args("cli.told.unknown", &[("attempt", &attempt)]);
            Ok(out.say(&text)?)
        }
        Outcome::Asked(receipt) => {
            let approval = receipt
                .public_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let text = locale.t_args("cli.told.asked", &[("approval", &approval)]);
            Ok(out.say(&text)?)
        }
        Outcome::NotSent(_) => {
            let text = out.view.t("cli.told.not_sent");
            Ok(out.say(&text)?)
        }
        Outcome::GoesOut(_) => {
            let text = out.view.t("cli.told.goes_out");
            Ok(out.say(&text)?)
        }
        Outcome::NotSeen(_) => {
            let text = out.view.t("cli.told.not_seen");
            Ok(out.say(&text)?)
        }
    }
}
