//! One invoice in time order: every attempt with its source and number, every answer with its code, every refund,
//! every press of a key.

use super::super::super::theme::Role;
use super::super::advice::{Planned, next_try};
use super::super::ink::{Ink, Span, span};
use super::super::pages::Pages;
use super::super::words::{self, attempt_role, invoice_role};
use super::LABEL;
use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::failure::FailureClass;
use crate::domain::payment::{CardUse, Payment};
use crate::domain::states::{AttemptState, InvoiceState};
use crate::engine::queries::{
    Call, DoneBy, FeesOfPayment, ReversedRefund, Timeline, TimelineEntry, TimelineEvent,
};
use crate::text::{Align, Shown, fit};

/// Date and clock take this many columns.
const WHEN: usize = 12;

pub fn lines(ink: &Ink<'_>, timeline: &Timeline, room: usize) -> Pages {
    let mut pages = Pages::default();
    let invoice = &timeline.invoice;
    let model = ink.model;
    let state = ink.locale().label("state.invoice", invoice.state.as_str());
    pages.line(vec![
        span(model.full_name(&timeline.customer.name), Role::Title),
        span(format!("  {}", words::id(&invoice.public_id)), Role::Dim),
        span(format!("  {}", model.money(invoice.amount)), Role::Title),
        span(format!("  {state}"), invoice_role(invoice.state)),
    ]);
    let what = format!(
        "{}  {} - {}",
        Shown::line(&invoice.description),
        model.day_text(invoice.period_from),
        model.day_text(invoice.period_to)
    );
    let label = |id: &str| ink.t(&format!("console.card.{id}"));
    pages.field(&label("what"), LABEL, &what, Role::Text, room);
    for (at, payment) in timeline.payments.iter().enumerate() {
        let back =
            crate::domain::money::Money::new(payment.refunded_minor, payment.captured.currency());
        let text = format!(
            "{}  {}  {}  {} {}  {}",
            model.provider(payment.provider),
            model.money(payment.captured),
            model.date_time(payment.captured_at),
            label("refunded"),
            model.money(back),
            words::id(&payment.public_id)
        );
        let role = if payment.is_duplicate {
            Role::NeedsPerson
        } else {
            Role::Text
        };
        pages.field(&label("payments"), LABEL, &text, role, room);
        let used = card_use(ink, payment.card_use);
        pages.field(&label("card_use"), LABEL, &used, Role::Dim, room);
        let kept = fees(ink, timeline.fees.get(at).copied().flatten());
        pages.field(&label("fee"), LABEL, &kept, Role::Dim, room);
        for reversal in &timeline.reversals {
            if reversal.payment_id == payment.id {
                failed_refund(&mut pages, ink, payment, reversal, room);
            }
        }
    }
    advice(&mut pages, ink, timeline, room);
    pages.blank();
    append(ink, timeline, room, &mut pages);
    pages
}

/// What the provider kept of it, and what is left. Where it did not tell, that is not zero.
fn fees(ink: &Ink<'_>, fees: Option<FeesOfPayment>) -> String {
    fees.map_or_else(
        || ink.t("console.card.fee_not_known"),
        |fees| {
            let (fee, net) = (ink.model.money(fees.fee), ink.model.money(fees.net));
            let said = [("fee", fee.as_str()), ("net", net.as_str())];
            ink.locale().t_args("console.card.fee_known", &said)
        },
    )
}

/// Over how many months it is paid off, and whether the customer's bank asked: what the provider said of it.
fn card_use(ink: &Ink<'_>, used: CardUse) -> String {
    let locale = ink.locale();
    let t = |id: &str| ink.t(&format!("console.card.{id}"));
    if used == CardUse::default() {
        return t("card_use_not_known");
    }
    let months = match used.installment_months {
        None => t("installments_not_known"),
        Some(0 | 1) => t("at_once"),
        Some(n) => locale.t_args("console.card.installments", &[("n", &n.to_string())]),
    };
    let asked = used.three_d_secure.map_or_else(
        || t("three_d_secure_not_known"),
        |one| locale.label("three_d_secure", one.as_str()).to_owned(),
    );
    let asked = locale.t_args("console.card.three_d_secure", &[("what", &asked)]);
    format!("{months}  {asked}")
}

/// The money is there again, and the customer waits for it: until somebody gives it back otherwise.
fn failed_refund(
    pages: &mut Pages,
    ink: &Ink<'_>,
    payment: &Payment,
    reversal: &ReversedRefund,
    room: usize,
) {
    let (locale, model) = (ink.locale(), ink.model);
    let (id, role) = if reversal.is_made_up_for {
        ("console.card.refund_made_up_for", Role::Dim)
    } else {
        ("console.card.refund_failed_since", Role::NeedsPerson)
    };
    let text = locale.t_args(
        id,
        &[
            ("money", &model.money(reversal.amount)),
            (
                "provider",
                locale.label("provider", payment.provider.as_str()),
            ),
            ("at", &model.date_time(reversal.at)),
        ],
    );
    pages.field(
        &ink.t("console.card.refund_failed"),
        LABEL,
        &text,
        role,
        room,
    );
}

/// Where a charge waits for its customer: since when that is known, and what can be done. Whether there is one.
fn waits_for_customer(pages: &mut Pages, ink: &Ink<'_>, timeline: &Timeline, room: usize) -> bool {
    let waiting = timeline.attempts.iter().find_map(|attempt| {
        let until = attempt.link_until()?;
        Some((attempt, until))
    });
    let Some((attempt, until)) = waiting else {
        return false;
    };
    let until = ink.model.db_coming(until);
    let at = timeline.waited_at(attempt);
    let at = at.map_or_else(String::new, |at| ink.model.db_time(at));
    let said = |key: &str, args: &[(&str, &str)]| ink.locale().t_args(key, args);
    let what = said("dialog.asks_customer.as_of", &[("at", &at)]);
    let can = said("console.unknown.can_link", &[("until", &until)]);
    for (id, text) in [("why", what), ("do", can)] {
        let label = ink.t(&format!("console.card.{id}"));
        pages.field(&label, LABEL, &text, Role::Waits, room);
    }
    true
}

/// What the last refusal means and what to say, while it is not paid.
fn advice(pages: &mut Pages, ink: &Ink<'_>, timeline: &Timeline, room: usize) {
    let invoice = &timeline.invoice;
    let is_open = matches!(
        invoice.state,
        InvoiceState::Open | InvoiceState::Uncollectible
    );
    if !is_open {
        return;
    }
    let is_unknown = timeline
        .attempts
        .iter()
        .any(|attempt| attempt.state.is_open());
    let calling = timeline.attempts.iter().find_map(|attempt| {
        let call = Call {
            by: attempt.operator.clone(),
            since: attempt.last_sent_at?,
            until: attempt.lease_until?,
        };
        let is_sent = attempt.state == AttemptState::Sent;
        ink.model.in_progress(Some(&call).filter(|_| is_sent))
    });
    if let Some(text) = calling {
        let label = ink.t("console.card.why");
        pages.field(&label, LABEL, &text, Role::Waits, room);
        return;
    }
    if waits_for_customer(pages, ink, timeline, room) {
        return;
    }
    let (code, class) = if is_unknown {
        ("", "unknown")
    } else {
        match (&invoice.last_code, invoice.last_class) {
            (Some(code), class) => (
                code.as_str(),
                class.map_or("unclassified", FailureClass::as_str),
            ),
            (None, _) => return,
        }
    };
    let text = ink.locale().failure(code, class);
    let label = |id: &str| ink.t(&format!("console.card.{id}"));
    pages.field(&label("why"), LABEL, text.meaning, Role::Text, room);
    let (mut next, mut say) = (text.next.to_owned(), text.say.to_owned());
    if !is_unknown {
        let now = ink.model.now.at;
        let planned = Planned::of(
            timeline.scheduler,
            invoice.state,
            invoice.dunning,
            invoice.next_attempt_at,
            now,
        );
        if let Planned::At(at) | Planned::Overdue(at) = planned {
            let (text, role) = next_try(ink.model, at);
            pages.field(&label("next_try"), LABEL, &text, role, room);
        }
        next = format!("{} {next}", planned.what_follows(ink.model));
        say = format!("{say} {}", planned.say(ink.model));
    }
    pages.field(&label("do"), LABEL, &next, Role::Text, room);
    let say = format!("\"{say}\"");
    pages.field(&label("say"), LABEL, &say, Role::Dim, room);
}

pub fn append(ink: &Ink<'_>, timeline: &Timeline, room: usize, pages: &mut Pages) {
    for entry in &timeline.entries {
        one(ink, timeline, entry, room, pages);
    }
}

fn when(ink: &Ink<'_>, entry: &TimelineEntry) -> Span {
    let date = ink.model.local(entry.at).date_naive();
    let text = format!(
        "{} {}",
        ink.locale().short_date(words::day(date)),
        ink.model.clock(entry.at)
    );
    let text = fit(text, WHEN, Align::Left);
    span(format!("{text} "), Role::Dim)
}

fn one(ink: &Ink<'_>, timeline: &Timeline, entry: &TimelineEntry, room: usize, pages: &mut Pages) {
    let mut spans = vec![when(ink, entry)];
    let mut below: Vec<(String, Role)> = Vec::new();
    let locale = ink.locale();
    match &entry.what {
        TimelineEvent::InvoiceMade => {
            let kind = locale.label("invoice_kind", timeline.invoice.kind.as_str());
            spans.push(span(
                locale.t_args("console.timeline.made", &[("kind", kind)]),
                Role::Text,
            ));
        }
        TimelineEvent::Started(at) => match timeline.attempts.get(*at) {
            Some(attempt) => spans.extend(started(ink, timeline, attempt)),
            None => return,
        },
        TimelineEvent::Settled(at) => match timeline.attempts.get(*at) {
            Some(attempt) => settled(ink, attempt, &mut spans, &mut below),
            None => return,
        },
        TimelineEvent::Evidence { .. } => spans.extend(evidence(ink, timeline, entry)),
        TimelineEvent::Refunded {
            amount,
            reason,
            operator,
        } => {
            let money = ink.model.money(*amount);
            spans.push(span(
                locale.t_args("console.timeline.refunded", &[("money", &money)]),
                Role::Settled,
            ));
            spans.push(span(
                format!("  {}  {}", Shown::line(reason), refunded_by(ink, operator)),
                Role::Dim,
            ));
        }
        TimelineEvent::Audit {
            person,
            verb,
            result,
            reason,
        } => {
            let verb = Shown::line(locale.label("verb", verb)).into_string();
            let result_text = locale
                .find(&format!("console.result.{result}"))
                .unwrap_or(result);
            spans.push(span(
                format!(
                    "{}  {verb}  {}  {}",
                    Shown::line(person),
                    Shown::line(result_text),
                    words::short_ids(reason)
                ),
                Role::Dim,
            ));
        }
    }
    pages.choice(spans);
    for (text, role) in below {
        pages.paragraph(WHEN + 3, &text, role, room);
    }
}

/// Who gave it back; what no press of ours did was done at the provider's own desk.
fn refunded_by(ink: &Ink<'_>, operator: &str) -> String {
    match operator {
        "provider" => ink.t("console.timeline.at_the_provider"),
        person => Shown::line(person).into_string(),
    }
}

/// What an answer, a look-up or an event said.
fn evidence(ink: &Ink<'_>, timeline: &Timeline, entry: &TimelineEntry) -> Vec<Span> {
    let TimelineEvent::Evidence {
        attempt,
        source,
        outcome,
        code,
        http_status,
        trace_id,
    } = &entry.what
    else {
        return Vec::new();
    };
    let locale = ink.locale();
    let source = Shown::line(locale.label("evidence", source)).into_string();
    let outcome = seen_of_refund(timeline, *attempt, entry, outcome);
    let outcome_text = locale
        .find(&format!("console.evidence.{outcome}"))
        .unwrap_or(outcome);
    let mut spans = vec![span(
        format!("  {source}: {}", Shown::line(outcome_text)),
        Role::Text,
    )];
    if let Some(code) = code {
        spans.push(span(format!("  {}", Shown::line(code)), Role::Text));
    }
    let status = http_status.map(|status| format!("HTTP {status}"));
    let trace = trace_id.as_ref().map(|id| Shown::line(id).into_string());
    for part in [status, trace].into_iter().flatten() {
        spans.push(span(format!("  {part}"), Role::Dim));
    }
    spans
}

/// A refund is read off the payment, which was captured before: what matters is whether the refund was seen on it.
fn seen_of_refund<'o>(
    timeline: &Timeline,
    at: usize,
    entry: &TimelineEntry,
    outcome: &'o str,
) -> &'o str {
    let Some(attempt) = timeline.attempts.get(at) else {
        return outcome;
    };
    if attempt.kind != AttemptKind::Refund || outcome != "captured" {
        return outcome;
    }
    let is_last = !timeline.entries.iter().any(|other| {
        other.at > entry.at
            && matches!(other.what, TimelineEvent::Evidence { attempt, .. } if attempt == at)
    });
    if attempt.state == AttemptState::Succeeded && is_last {
        "refunded"
    } else {
        "not_refunded"
    }
}

/// Which try it is, where it came from, who pressed the key.
fn started(ink: &Ink<'_>, timeline: &Timeline, attempt: &Attempt) -> Vec<Span> {
    let locale = ink.locale();
    let of_kind = timeline
        .attempts
        .iter()
        .filter(|other| other.kind == attempt.kind)
        .count();
    let kind = locale.label("attempt_kind", attempt.kind.as_str());
    let (source, who) = match timeline.done_by(attempt) {
        DoneBy::Us(operator) => (
            locale.label("source", attempt.source.as_str()).to_owned(),
            Shown::line(operator).into_string(),
        ),
        DoneBy::Schedule => (ink.t("console.timeline.by_stripe"), String::new()),
        DoneBy::Asked(person) => {
            let args = [("who", &*Shown::line(person).into_string())];
            let text = locale.t_args("console.timeline.asked_of_stripe", &args);
            (text, String::new())
        }
    };
    let number = match attempt.kind {
        AttemptKind::Charge => format!("{}/{of_kind}", attempt.attempt_no),
        AttemptKind::Refund => format!("{}", attempt.attempt_no),
    };
    vec![
        span(format!("{kind} {number}  "), Role::Text),
        span(format!("{source}  "), Role::Accent),
        span(
            format!("{}  ", ink.model.provider(attempt.provider)),
            Role::Text,
        ),
        span(ink.model.money(attempt.amount), Role::Text),
        span(
            format!("  {}  {who}", words::id(&attempt.public_id)),
            Role::Dim,
        ),
    ]
}

fn settled(
    ink: &Ink<'_>,
    attempt: &Attempt,
    spans: &mut Vec<Span>,
    below: &mut Vec<(String, Role)>,
) {
    let locale = ink.locale();
    let state = locale.label("state.attempt", attempt.state.as_str());
    let kind = locale.label("attempt_kind", attempt.kind.as_str());
    spans.push(span(format!("{kind} {}  ", attempt.attempt_no), Role::Text));
    spans.push(span(state.to_owned(), attempt_role(attempt.state)));
    if let Some(refusal) = &attempt.refusal {
        let class = locale.label("class", refusal.class.as_str());
        spans.push(span(format!("  {class}"), Role::Text));
        let text = locale.failure(&refusal.code, refusal.class.as_str());
        below.push((text.meaning.to_owned(), Role::Dim));
    }
}
