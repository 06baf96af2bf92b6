//! The customer card: who, what they pay for, what is next, with which card, what failed, what was paid, what was
//! noted. All of it shows at 80 columns and 24 lines.

use super::super::super::theme::Role;
use super::super::columns::people_flag;
use super::super::ink::{Ink, Spans, span};
use super::super::pages::Pages;
use super::super::words::{self, expiry, subscription_role};
use super::LABEL;
use crate::console::model::cards_to_choose;
use crate::domain::customer::PaymentMethod;
use crate::domain::states::MethodState;
use crate::engine::queries::{CustomerCard, FailedRow, PaymentRow, SubscriptionRow, UnknownRow};
use crate::text::{Align, Shown, fit, mask, pad_left};

/// Notes that show without being asked for.
const NOTES: usize = 2;

pub fn lines(ink: &Ink<'_>, card: &CustomerCard, room: usize) -> Pages {
    let mut pages = Pages::default();
    let model = ink.model;
    let customer = &card.customer;
    pages.line(vec![
        span(model.full_name(&customer.name), Role::Title),
        span(format!("  {}", words::id(&customer.public_id)), Role::Dim),
        span(format!("  {}", model.email(&customer.email)), Role::Text),
        span(format!("  {}", model.phone(&customer.phone)), Role::Text),
    ]);
    let altered = Shown::detail(&customer.name);
    if altered.is_altered() || altered.mixes_look_alikes() {
        pages.line(vec![span(
            format!("{} {altered}", ink.glyphs().needs_person),
            Role::NeedsPerson,
        )]);
    }
    if card.subscriptions.is_empty() {
        field(
            &mut pages,
            ink,
            "subscription",
            &ink.t("console.card.none"),
            room,
        );
    }
    for row in &card.subscriptions {
        subscription(&mut pages, ink, row, room);
    }
    method(&mut pages, ink, card, room);
    let money = format!(
        "{}    {} {}",
        model.locale().count(card.credits),
        ink.t("console.card.lifetime"),
        model.moneys(&card.lifetime)
    );
    field(&mut pages, ink, "credits", &money, room);
    failures(&mut pages, ink, &card.failures, room);
    for row in &card.unknowns {
        pages.choice(unknown(ink, row));
    }
    notes(&mut pages, ink, card, room);
    payments(&mut pages, ink, &card.payments, room);
    pages
}

fn field(pages: &mut Pages, ink: &Ink<'_>, label: &str, text: &str, room: usize) {
    let label = ink.t(&format!("console.card.{label}"));
    pages.field(&label, LABEL, text, Role::Text, room);
}

fn head(ink: &Ink<'_>, label: &str) -> (String, Role) {
    let label = ink.t(&format!("console.card.{label}"));
    span(format!("{}  ", fit(label, LABEL, Align::Left)), Role::Dim)
}

/// Two lines: what it is, and what comes next.
fn subscription(pages: &mut Pages, ink: &Ink<'_>, row: &SubscriptionRow, room: usize) {
    let model = ink.model;
    let state = ink.locale().label("state.subscription", row.state.as_str());
    let amount = pad_left(model.money(row.amount), 11);
    let plan_room = room.saturating_sub(LABEL + 2 + 11 + 2 + 10).clamp(8, 28);
    let plan = fit(Shown::line(&row.plan_name), plan_room, Align::Left);
    pages.choice(vec![
        head(ink, "subscription"),
        span(format!("{plan} "), Role::Text),
        span(format!("{amount}  "), Role::Text),
        span(state.to_owned(), subscription_role(row.state)),
        span(format!("  {}", words::id(&row.public_id)), Role::Dim),
    ]);
    let mut next: Spans = vec![head(ink, "next")];
    match (row.cancel_at, row.next_due_at) {
        _ if row.state.is_ended() => next.push(span(ink.t("console.card.no_charge"), Role::Dim)),
        (Some(at), _) => {
            let text = model
                .locale()
                .t_args("console.card.ends_at", &[("at", &model.date(at))]);
            next.push(span(format!("{text}  {}", days(ink, at)), Role::Waits));
        }
        (None, Some(at)) => next.push(span(
            format!("{}  {}", model.date(at), days(ink, at)),
            Role::Text,
        )),
        (None, None) => next.push(span(ink.t("console.card.no_charge"), Role::Dim)),
    }
    for flag in &row.flags {
        let (text, role) = people_flag(ink, *flag);
        next.push(span(format!("  {text}"), role));
    }
    pages.line(next);
}

/// Days until then, as people say it.
pub fn days(ink: &Ink<'_>, at: chrono::DateTime<chrono::Utc>) -> String {
    let days = ink.model.days_left(at);
    let locale = ink.locale();
    match days {
        0 => locale.t("common.time.today").to_owned(),
        1.. => locale.t_args("console.card.days_left", &[("n", &days.to_string())]),
        _ => locale.t_args("console.card.days_over", &[("n", &(-days).to_string())]),
    }
}

/// Every card that can be chosen, a line each, and how many there are besides.
fn method(pages: &mut Pages, ink: &Ink<'_>, card: &CustomerCard, room: usize) {
    let methods = &card.methods;
    let Some(newest) = methods.first() else {
        let label = ink.t("console.card.card");
        // What Stripe schedules is paid with a card that Stripe keeps.
        let is_theirs = |row: &SubscriptionRow| !row.scheduler.is_ours() && !row.state.is_ended();
        let (text, role) = if card.subscriptions.iter().any(is_theirs) {
            ("console.card.card_at_stripe", Role::Dim)
        } else {
            ("console.flag.no_method", Role::NeedsPerson)
        };
        pages.field(&label, LABEL, &ink.t(text), role, room);
        return;
    };
    let chosen = cards_to_choose(methods);
    let shown: Vec<&PaymentMethod> = match chosen {
        0 => vec![newest],
        chosen => methods.iter().take(chosen).collect(),
    };
    for (at, method) in shown.iter().enumerate() {
        let label = match at {
            0 => head(ink, "card"),
            _ => span(" ".repeat(LABEL + 2), Role::Dim),
        };
        let mut spans = vec![label];
        spans.extend(one_method(ink, method));
        let rest = methods.len() - shown.len();
        if rest > 0 && at + 1 == shown.len() {
            let more = ink.model.count(u64::try_from(rest).unwrap_or(0));
            let text = ink.locale().t_args("console.card.more", &[("n", &more)]);
            spans.push(span(format!("  {text}"), Role::Dim));
        }
        if at < chosen {
            pages.choice(spans);
        } else {
            pages.line(spans);
        }
    }
}

fn one_method(ink: &Ink<'_>, method: &PaymentMethod) -> Vec<(String, Role)> {
    let state = ink.locale().label("state.method", method.state.as_str());
    let role = match method.state {
        MethodState::Active => Role::Text,
        MethodState::Replaced | MethodState::Deleted => Role::NeedsPerson,
    };
    let text = format!(
        "{}  {} {}  {}  ",
        ink.model.provider(method.provider),
        ink.model.issuer(&method.card.issuer),
        mask::card(&method.card.number),
        expiry(method.card.expiry)
    );
    vec![span(text, Role::Text), span(state.to_owned(), role)]
}

fn failures(pages: &mut Pages, ink: &Ink<'_>, failures: &[FailedRow], room: usize) {
    if failures.is_empty() {
        field(pages, ink, "failures", &ink.t("console.card.none"), room);
    }
    for row in failures {
        let (next, next_role) = super::super::columns::next_try_text(ink, row);
        let class = row.class.map_or("", |class| class.as_str());
        let class = ink.locale().label("class", class).to_owned();
        let code = row.code.as_deref().unwrap_or("");
        pages.choice(vec![
            head(ink, "failures"),
            span(
                format!("{}  ", pad_left(ink.model.money(row.amount), 11)),
                Role::Text,
            ),
            span(
                format!("{} {class}  ", ink.glyphs().needs_person),
                Role::NeedsPerson,
            ),
            span(format!("{}  ", Shown::line(code)), Role::Text),
            span(
                format!("{}  ", super::super::columns::tries_text(ink, row)),
                Role::Dim,
            ),
            span(next, next_role),
        ]);
    }
}

fn unknown(ink: &Ink<'_>, row: &UnknownRow) -> Spans {
    let age = row
        .first_sent_at
        .map_or_else(String::new, |at| ink.model.age(at));
    vec![
        head(ink, "unknown"),
        span(
            format!("{}  ", pad_left(ink.model.money(row.amount), 11)),
            Role::Text,
        ),
        span(
            format!(
                "{} {}  {age}",
                ink.glyphs().unknown,
                ink.locale().label("attempt_kind", row.kind.as_str())
            ),
            Role::NeedsPerson,
        ),
    ]
}

fn notes(pages: &mut Pages, ink: &Ink<'_>, card: &CustomerCard, room: usize) {
    if card.notes.is_empty() {
        field(pages, ink, "notes", &ink.t("console.card.none"), room);
    }
    for note in card.notes.iter().take(NOTES) {
        pages.line(vec![
            head(ink, "notes"),
            span(
                format!(
                    "{} {}  ",
                    ink.model.when(note.at),
                    Shown::line(&note.author)
                ),
                Role::Dim,
            ),
            span(Shown::detail(&note.text).into_string(), Role::Text),
        ]);
    }
}

fn payments(pages: &mut Pages, ink: &Ink<'_>, payments: &[PaymentRow], room: usize) {
    if payments.is_empty() {
        field(pages, ink, "payments", &ink.t("console.card.none"), room);
    }
    for (at, row) in payments.iter().enumerate() {
        let (state, role) = super::super::columns::payment_state_of(row);
        let group = if row.is_duplicate {
            "state.attempt"
        } else {
            "state.payment"
        };
        let label = if at == 0 {
            head(ink, "payments")
        } else {
            span(" ".repeat(LABEL + 2), Role::Dim)
        };
        let mut spans = vec![
            label,
            span(
                format!("{}  ", pad_left(ink.model.money(row.captured), 11)),
                Role::Text,
            ),
            span(
                format!(
                    "{}  ",
                    fit(ink.model.date(row.captured_at), 11, Align::Left)
                ),
                Role::Text,
            ),
            span(ink.locale().label(group, state).to_owned(), role),
        ];
        if row.refunded_minor > 0 {
            let currency = row.captured.currency();
            let back =
                ink.locale()
                    .money(-row.refunded_minor, currency.exponent(), currency.code());
            spans.push(span(format!(" {back}"), Role::Dim));
        }
        let at = ink.model.provider(row.provider);
        let what = format!("  {at}  {}", Shown::line(&row.what));
        spans.push(span(what, Role::Dim));
        pages.choice(spans);
    }
}
