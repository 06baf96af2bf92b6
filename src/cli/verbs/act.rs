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
use crate::cli::view::View;
use crate::cli::wiring::LiveEngine;
use crate::domain::attempt::AttemptKind;
use crate::domain::ids::PublicId;
use crate::domain::money::Money;
use crate::domain::operator::{Operator, Verb};
use crate::engine::{ActionPlan, Confirmation, Effect, OpenLink, Outcome, Receipt, Request};
use crate::text::mask;

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
    let link = link_of(engine, operator, &outcome).await;
    out.record(&records::outcome(
        request.verb().as_str(),
        &outcome,
        link.as_ref(),
    ))?;
    out.flush()?;
    tell(out, request.verb(), &outcome)?;
    Ok(Exit::of(&outcome))
}

/// Where the customer answers, if the charge waits for them. What came of it stands without it as well.
async fn link_of(engine: &LiveEngine, operator: &Operator, outcome: &Outcome) -> Option<OpenLink> {
    let Outcome::AsksCustomer(receipt) = outcome else {
        return None;
    };
    engine
        .customer_link(operator, receipt.attempt_id?)
        .await
        .ok()
}

/// What an outcome other than "done" means and what comes next, beside the object.
fn tell(out: &mut Output, verb: Verb, outcome: &Outcome) -> Result<(), CliError> {
    for line in told(&out.view, verb, outcome) {
        out.say(&line)?;
    }
    Ok(())
}

/// What was taken, and where it is known by whom and with which card; and in whose place.
fn charged(view: &View, receipt: &Receipt, amount: Money) -> String {
    let locale = view.locale;
    let amount = view.money(amount);
    let (Some(provider), Some(card)) = (receipt.provider, &receipt.card) else {
        return locale.t_args("cli.told.charged", &[("amount", &amount)]);
    };
    let card = mask::card(&card.number).into_string();
    let mut said = vec![
        ("amount", amount.as_str()),
        ("provider", locale.label("provider", provider.as_str())),
        ("card", card.as_str()),
    ];
    let Some(first) = receipt.instead_of else {
        return locale.t_args("cli.told.charged_by", &said);
    };
    said.push(("first", locale.label("provider", first.as_str())));
    locale.t_args("cli.told.charged_instead", &said)
}

fn told(view: &View, verb: Verb, outcome: &Outcome) -> Vec<String> {
    let locale = view.locale;
    let id = |id: Option<&PublicId>| id.map(ToString::to_string).unwrap_or_default();
    let line = match outcome {
        Outcome::Done(receipt) | Outcome::AlreadyDone(receipt) => {
            let (Some(kind), Some(amount)) = (receipt.kind, receipt.amount) else {
                return Vec::new();
            };
            match kind {
                AttemptKind::Charge => charged(view, receipt, amount),
                AttemptKind::Refund => {
                    locale.t_args("cli.told.refunded", &[("amount", &view.money(amount))])
                }
            }
        }
        Outcome::Declined { refusal, .. } => {
            let text = locale.failure(&refusal.code, refusal.class.as_str());
            return vec![text.meaning.to_owned(), text.next.to_owned()];
        }
        // A card that was being issued, or a wish about what its provider schedules, has no attempt of ours.
        Outcome::Unknown(receipt) if receipt.attempt.is_none() => {
            if verb == Verb::SwapCard {
                view.t("cli.told.card_unknown")
            } else {
                view.t("cli.told.wish_unknown")
            }
        }
        Outcome::Unknown(receipt) => {
            let attempt = id(receipt.attempt.as_ref());
            locale.t_args("cli.told.unknown", &[("attempt", &attempt)])
        }
        Outcome::AsksCustomer(receipt) => {
            let attempt = id(receipt.attempt.as_ref());
            let until = receipt.link_until.map(|at| view.at(at)).unwrap_or_default();
            let args = [("attempt", &*attempt), ("until", &*until)];
            locale.t_args("cli.told.asks_customer", &args)
        }
        Outcome::Asked(receipt) => {
            let approval = id(receipt.public_id.as_ref());
            locale.t_args("cli.told.asked", &[("approval", &approval)])
        }
        Outcome::NotSent(_) => view.t("cli.told.not_sent"),
        Outcome::GoesOut(_) => view.t("cli.told.goes_out"),
        Outcome::Ended(_) => view.t("cli.told.ended"),
        Outcome::NotSeen(_) => view.t("cli.told.not_seen"),
    };
    vec![line]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::record::Field;
    use crate::config::Personal;
    use crate::domain::evidence::{Proves, Refusal};
    use crate::domain::failure::FailureClass;
    use crate::domain::money::Currency;
    use crate::locale::{Lang, Locale};

    fn charge() -> Receipt {
        Receipt {
            kind: Some(AttemptKind::Charge),
            amount: Some(Money::new(9_900, Currency::KRW)),
            ..Receipt::default()
        }
    }

    fn said(lang: Lang, verb: Verb, outcome: &Outcome) -> String {
        let view = View {
            locale: Locale::get(lang),
            zone: chrono_tz::Asia::Seoul,
            personal: Personal::Masked,
        };
        told(&view, verb, outcome).join(" ")
    }

    #[test]
    fn ending_a_charge_says_whether_its_money_moved() {
        let refusal = Refusal {
            code: "card_declined".into(),
            class: FailureClass::Soft,
            proves: Proves::NotExecuted,
            http_status: 402,
        };
        let declined = Outcome::Declined {
            receipt: charge(),
            refusal,
        };
        let cases = [
            (
                Outcome::Ended(charge()),
                "none",
                0,
                "no money moved",
                "돈은 움직이지 않았고",
            ),
            (
                Outcome::Done(charge()),
                "taken",
                0,
                "The money was taken: ₩9,900",
                "₩9,900",
            ),
            (declined, "none", 3, "", ""),
            (
                Outcome::Unknown(charge()),
                "unknown",
                4,
                "Nobody knows yet",
                "아직",
            ),
        ];
        for (outcome, money, exit, english, korean) in cases {
            let record = records::outcome("force-state", &outcome, None);
            let word = record.fields().iter().find(|(name, _)| *name == "money");
            assert!(
                matches!(word, Some((_, Field::Word(_, Some(word)))) if word == money),
                "{outcome:?}"
            );
            assert_eq!(Exit::of(&outcome).code(), exit, "{outcome:?}");
            let said = |lang| said(lang, Verb::ForceState, &outcome);
            let (en, ko) = (said(Lang::En), said(Lang::Ko));
            assert!(en.contains(english), "{en}");
            assert!(ko.contains(korean), "{ko}");
            assert_eq!(en.contains("money was taken"), money == "taken", "{en}");
        }
    }

    #[test]
    fn a_card_that_nobody_answered_for_is_no_request_to_stripe() {
        let nothing = Outcome::Unknown(Receipt::default());
        for lang in [Lang::En, Lang::Ko] {
            let card = said(lang, Verb::SwapCard, &nothing);
            assert!(!card.contains("Stripe"), "{card}");
            let wish = said(lang, Verb::CancelNow, &nothing);
            assert!(wish.contains("Stripe"), "{wish}");
        }
    }
}
