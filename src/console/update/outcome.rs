//! What a plan or a result does to the screen.
//!
//! A plan goes only to the dialog that asked for it. A result belongs to no dialog: it is told even when nobody waits
//! for it any more.

use crate::console::effect::Effect;
use crate::console::fault::Fault;
use crate::console::model::{
    Job, Message, Modal, Model, Phase, Planned, Progress, Ready, Ticket, Told, Tone,
};
use crate::domain::attempt::AttemptKind;
use crate::domain::mode::ProviderName;
use crate::domain::operator::Verb;
use crate::domain::run::Decision;
use crate::domain::states::AttemptState;
use crate::engine::queries::{Away, AwayRow, WaitingRow};
use crate::engine::{OpenLink, Outcome, Receipt, RunSummary};
use crate::text::{mask, short_id};

use super::{approve, load};

pub fn planned(
    model: &mut Model,
    ticket: Ticket,
    answer: Result<Box<Planned>, Fault>,
) -> Vec<Effect> {
    let at = model.modals.iter().position(|modal| {
        matches!(modal, Modal::Confirm(confirm)
            if matches!(confirm.phase, Phase::Planning { ticket: asked, .. } if asked == ticket))
    });
    let Some(at) = at else {
        return Vec::new();
    };
    match answer {
        Ok(planned) => {
            let mode = model.mode;
            if let Some(Modal::Confirm(confirm)) = model.modals.get_mut(at) {
                confirm.phase = Phase::Ready(Box::new(Ready::new(*planned, mode)));
            }
        }
        Err(fault) => {
            if matches!(fault.kind, "needs_approval" | "needs_approval_today") {
                let (ticket, now_ms) = (model.ticket(), model.now.ms);
                if let Some(Modal::Confirm(confirm)) = model.modals.get_mut(at)
                    && let Some(effect) = approve::instead(confirm, ticket, now_ms)
                {
                    return vec![effect];
                }
            }
            let (verb, called) = match model.modals.remove(at) {
                Modal::Confirm(confirm) => (Some(confirm.asked.verb()), confirm.asked.called()),
                _ => (None, ""),
            };
            model.modals.push(Modal::Message(Box::new(Message {
                verb,
                called,
                what: Told::Fault(fault),
            })));
        }
    }
    Vec::new()
}

pub fn applied(
    model: &mut Model,
    ticket: Ticket,
    answer: Result<Box<Outcome>, Fault>,
) -> Vec<Effect> {
    let Some(at) = model.jobs.iter().position(|job| job.ticket == ticket) else {
        return Vec::new();
    };
    let job = model.jobs.remove(at);
    let was_watched = close_sending(model, ticket);
    let message = match answer {
        Ok(outcome) => tell(model, &job, *outcome),
        Err(fault) => {
            let text = news(model, "failed", &job, None);
            model.tell(Tone::Bad, text);
            Some(Message {
                verb: Some(job.verb),
                called: job.called,
                what: Told::Fault(fault),
            })
        }
    };
    if let Some(message) = message {
        // Whoever is in the middle of something else is not interrupted: the news line and the log say it.
        if was_watched || model.modals.is_empty() {
            model.modals.push(Modal::Message(Box::new(message)));
        }
    }
    let mut effects = load::reload(model);
    effects.push(Effect::CountUnknown);
    effects
}

pub fn progress(model: &mut Model, ticket: Ticket, progress: Progress) {
    if let Some(job) = model.jobs.iter_mut().find(|job| job.ticket == ticket) {
        job.progress = Some(progress);
    }
}

/// What was settled while nobody looked is told once, in a line each, and to be read where nobody is in the middle of
/// something.
pub fn away(model: &mut Model, away: Away) -> Vec<Effect> {
    model.away_open = away.open;
    if away.finished.is_empty() && away.lapsed.is_empty() {
        return Vec::new();
    }
    for row in &away.finished {
        let tone = match row.state {
            AttemptState::Succeeded => Tone::Waits,
            _ => Tone::Bad,
        };
        let what = away_text(model, row);
        let text = model
            .locale()
            .t_args("console.news.away", &[("what", &what)]);
        model.tell(tone, text);
    }
    for row in &away.lapsed {
        let what = lapsed_text(model, row);
        let text = model
            .locale()
            .t_args("console.news.lapsed", &[("what", &what)]);
        model.tell(Tone::Waits, text);
    }
    let finished = away.finished.iter().map(|row| row.public_id.to_string());
    let lapsed = away.lapsed.iter().map(|row| row.public_id.to_string());
    let effect = Effect::RecordGreeted(finished.chain(lapsed).collect());
    if model.modals.is_empty() {
        model.modals.push(Modal::Message(Box::new(Message {
            verb: None,
            called: "",
            what: Told::Away {
                finished: away.finished,
                lapsed: away.lapsed,
            },
        })));
    }
    vec![effect]
}

/// What, whom, how much, and what came of it.
pub fn away_text(model: &Model, row: &AwayRow) -> String {
    let locale = model.locale();
    let currency = row.amount.currency();
    let money = locale.money(row.amount.minor(), currency.exponent(), currency.code());
    let state = match (row.kind, row.state) {
        (AttemptKind::Refund, AttemptState::Succeeded) => locale.t("console.evidence.refunded"),
        (_, state) => locale.label("state.attempt", state.as_str()),
    };
    let kind = locale.label("attempt_kind", row.kind.as_str());
    format!(
        "{kind}  {}  {money}  {state}",
        model.name(&row.customer.name)
    )
}

/// What was asked for, about whom and how much.
pub fn lapsed_text(model: &Model, row: &WaitingRow) -> String {
    let locale = model.locale();
    let what = locale
        .find(&format!("console.waiting.{}", row.what.as_str()))
        .unwrap_or("");
    let currency = row.amount.currency();
    let money = locale.money(row.amount.minor(), currency.exponent(), currency.code());
    let about = short_id(row.target.as_str(), 4);
    format!(
        "{what}  {}  {money}  {about}",
        model.name(&row.customer.name)
    )
}

/// A run is over: what it did stands in one line, its rows on the screen of runs.
pub fn run_ended(
    model: &mut Model,
    ticket: Ticket,
    answer: Result<Box<RunSummary>, Fault>,
) -> Vec<Effect> {
    let Some(at) = model.jobs.iter().position(|job| job.ticket == ticket) else {
        return Vec::new();
    };
    let job = model.jobs.remove(at);
    let was_watched = close_sending(model, ticket);
    match answer {
        Ok(summary) => {
            let (tone, text) = run_news(model, &summary);
            model.tell(tone, text);
        }
        Err(fault) => {
            let text = news(model, "failed", &job, None);
            model.tell(Tone::Bad, text);
            if was_watched || model.modals.is_empty() {
                model.modals.push(Modal::Message(Box::new(Message {
                    verb: Some(job.verb),
                    called: job.called,
                    what: Told::Fault(fault),
                })));
            }
        }
    }
    let mut effects = load::reload(model);
    effects.push(Effect::CountUnknown);
    effects
}

fn run_news(model: &Model, summary: &RunSummary) -> (Tone, String) {
    let locale = model.locale();
    let mut parts: Vec<String> = summary
        .totals
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(decision, count)| {
            let count = locale.count(i64::try_from(*count).unwrap_or(i64::MAX));
            format!("{} {count}", locale.label("decision", decision.as_str()))
        })
        .collect();
    for money in &summary.charged {
        let currency = money.currency();
        parts.push(locale.money(money.minor(), currency.exponent(), currency.code()));
    }
    let is_clean = summary.totals.iter().all(|(decision, count)| {
        *count == 0
            || matches!(
                decision,
                Decision::Done | Decision::ZeroAmount | Decision::Canceled
            )
    });
    let tone = if is_clean { Tone::Good } else { Tone::Waits };
    let text = locale.t_args("console.news.run_done", &[("what", &parts.join("  "))]);
    (tone, text)
}

fn close_sending(model: &mut Model, ticket: Ticket) -> bool {
    if model.jobs.is_empty() {
        // Nothing is out any more: the question whether to leave a call is answered.
        model.modals.retain(|modal| {
            !matches!(modal, Modal::Message(message) if matches!(message.what, Told::CallInFlight))
        });
    }
    let before = model.modals.len();
    model.modals.retain(|modal| {
        !matches!(modal, Modal::Confirm(confirm)
            if matches!(confirm.phase, Phase::Sending { ticket: sent, .. } if sent == ticket))
    });
    // The form that led here has done its work.
    if model.modals.len() < before
        && let Some(Modal::Form(_)) = model.modals.last()
    {
        model.modals.pop();
    }
    model.modals.len() < before
}

/// Says in one line what came of it; gives a message when somebody has to read more than that.
fn tell(model: &mut Model, job: &Job, outcome: Outcome) -> Option<Message> {
    let (tone, kind) = match &outcome {
        Outcome::Done(_) => (Tone::Good, "done"),
        Outcome::AlreadyDone(_) => (Tone::Good, "already_done"),
        Outcome::Declined { .. } => (Tone::Bad, "declined"),
        Outcome::Unknown(_) => (Tone::Waits, "unknown"),
        Outcome::AsksCustomer(_) => (Tone::Waits, "asks_customer"),
        Outcome::NotSent(_) => (Tone::Bad, "not_sent"),
        Outcome::GoesOut(_) => (Tone::Waits, "goes_out"),
        Outcome::Ended(_) => (Tone::Good, "ended"),
        Outcome::NotSeen(_) => (Tone::Waits, "not_seen"),
        Outcome::Asked(_) => (Tone::Waits, "asked"),
    };
    // A look-up that settled must say whether money moved: "done" would not.
    let (tone, kind) = match (&outcome, job.verb, receipt(&outcome).kind) {
        (Outcome::Done(_), Verb::ResolveUnknown, Some(AttemptKind::Charge)) => (tone, "was_taken"),
        (Outcome::Done(_), Verb::ResolveUnknown, Some(AttemptKind::Refund)) => {
            (tone, "was_given_back")
        }
        // It was to be ended, and had taken the money.
        (Outcome::Done(_), Verb::ForceState, Some(AttemptKind::Charge)) => {
            (Tone::Waits, "was_taken")
        }
        (Outcome::Done(_), _, _) if receipt(&outcome).instead_of.is_some() => {
            (Tone::Waits, "done_instead")
        }
        _ => (tone, kind),
    };
    let text = news(model, kind, job, Some(receipt(&outcome)));
    model.tell(tone, text);
    match outcome {
        // Whoever resolves asks whether money moved: that is read, not glanced at.
        Outcome::Done(_) | Outcome::AlreadyDone(_) if !asks_about_money(job.verb) => None,
        Outcome::Asked(_) => None,
        outcome => Some(Message {
            verb: Some(job.verb),
            called: job.called,
            what: Told::Outcome(outcome),
        }),
    }
}

/// Where a customer answers, or why nobody is asked. Whoever is in the middle of something else is not interrupted, and only
/// what was asked last is shown.
pub fn linked(model: &mut Model, ticket: Ticket, answer: Result<Box<OpenLink>, Fault>) {
    if model.link != Some(ticket) {
        return;
    }
    model.link = None;
    if !model.modals.is_empty() {
        let (tone, key) = match answer {
            Ok(_) => (Tone::Waits, "console.news.link"),
            Err(_) => (Tone::Bad, "console.news.no_link"),
        };
        let text = model.locale().t(key).to_owned();
        model.tell(tone, text);
        return;
    }
    let what = match answer {
        Ok(link) => Told::Link(link),
        Err(fault) => Told::Fault(fault),
    };
    model.modals.push(Modal::Message(Box::new(Message {
        verb: None,
        called: "",
        what,
    })));
}

/// Whether somebody who pressed this wants to know whether money moved.
pub const fn asks_about_money(verb: Verb) -> bool {
    matches!(verb, Verb::ResolveUnknown | Verb::ForceState)
}

fn receipt(outcome: &Outcome) -> &Receipt {
    match outcome {
        Outcome::Done(receipt)
        | Outcome::AlreadyDone(receipt)
        | Outcome::Declined { receipt, .. }
        | Outcome::Unknown(receipt)
        | Outcome::AsksCustomer(receipt)
        | Outcome::NotSent(receipt)
        | Outcome::GoesOut(receipt)
        | Outcome::Ended(receipt)
        | Outcome::NotSeen(receipt)
        | Outcome::Asked(receipt) => receipt,
    }
}

fn news(model: &Model, kind: &str, job: &Job, receipt: Option<&Receipt>) -> String {
    let locale = model.locale();
    let money = receipt.and_then(|receipt| receipt.amount).map(|amount| {
        let currency = amount.currency();
        locale.money(amount.minor(), currency.exponent(), currency.code())
    });
    let id = receipt.and_then(|receipt| {
        let id = receipt.attempt.as_ref().or(receipt.public_id.as_ref())?;
        Some(short_id(id.as_str(), 4))
    });
    let name = match (job.verb, model.privacy) {
        // A plan's name is nobody's secret.
        (Verb::CreatePlan | Verb::EditPlan | Verb::DeactivatePlan, _)
        | (_, crate::console::model::Privacy::Revealed { .. }) => job.name.clone(),
        _ => mask::name(&job.name).into_string(),
    };
    let what: Vec<String> = [Some(name), money, id]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    let provider = |name: Option<ProviderName>| {
        name.map_or("", |name| locale.label("provider", name.as_str()))
    };
    locale.t_args(
        &format!("console.news.{kind}"),
        &[
            ("verb", locale.label("verb", job.called)),
            ("what", &what.join(" ")),
            ("provider", provider(receipt.and_then(|r| r.provider))),
            ("first", provider(receipt.and_then(|r| r.instead_of))),
        ],
    )
}
