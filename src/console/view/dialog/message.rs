//! Something that must be read: what failed, what it means, what happened to the money, what to do.

use super::super::super::model::{Message, Told};
use super::super::super::theme::Role;
use super::super::ink::{Ink, Span, span};
use super::super::pages::Pages;
use super::super::words;
use super::mode_span;
use crate::console::update::{asks_about_money, away_text, lapsed_text};
use crate::domain::evidence::Refusal;
use crate::domain::operator::Verb;
use crate::engine::queries::{AwayRow, WaitingRow};
use crate::engine::{OpenLink, Outcome, Receipt};
use crate::text::Shown;

pub fn draw(ink: &mut Ink<'_>, message: &Message) {
    let wide = ink.buffer.area.width.saturating_sub(4).min(74);
    let room = usize::from(wide.saturating_sub(4)).max(8);
    let verb = if message.called.is_empty() {
        String::new()
    } else {
        ink.locale().label("verb", message.called).to_owned()
    };
    let (title, role, lines) = match &message.what {
        Told::Fault(fault) => {
            let (what, next) = ink.model.fault(fault);
            let mut pages = Pages::default();
            pages.paragraph(0, &what, Role::Text, room);
            pages.blank();
            let label = ink.t("dialog.next");
            pages.field(&label, 10, &next, Role::Text, room);
            (ink.t("dialog.title.not_done"), Role::NeedsPerson, pages)
        }
        Told::Outcome(outcome) => told(ink, outcome, message.verb, room),
        Told::Away { finished, lapsed } => away(ink, finished, lapsed, room),
        Told::Link(open) => linked(ink, open, room),
        Told::CallInFlight => {
            let mut pages = Pages::default();
            pages.paragraph(0, &ink.t("dialog.in_flight.what"), Role::Text, room);
            pages.blank();
            pages.paragraph(0, &ink.t("dialog.in_flight.next"), Role::Text, room);
            (ink.t("dialog.title.in_flight"), Role::Waits, pages)
        }
    };
    let heading: Vec<Span> = vec![span(format!("{title} {verb}  "), role), mode_span(ink)];
    let high = u16::try_from(lines.height()).unwrap_or(4) + 4;
    let inner = ink.dialog(wide, high, &heading, role);
    let body = ratatui::layout::Rect::new(
        inner.x,
        inner.y,
        inner.width,
        inner.height.saturating_sub(1),
    );
    lines.draw_from(ink, body, 0, None);
    let keys = match &message.what {
        Told::CallInFlight => ink.t("dialog.keys.in_flight"),
        Told::Link(_) => ink.t("dialog.keys.link"),
        Told::Outcome(Outcome::AsksCustomer(_)) => ink.t("dialog.keys.asks_customer"),
        Told::Outcome(_) => ink.t("dialog.keys.outcome"),
        Told::Fault(_) | Told::Away { .. } => ink.t("dialog.keys.close"),
    };
    let y = inner.bottom().saturating_sub(1);
    ink.spans(inner, y, &[span(keys, Role::Dim)]);
}

/// Where the customer answers, and until when.
fn linked(ink: &Ink<'_>, open: &OpenLink, room: usize) -> (String, Role, Pages) {
    let mut pages = Pages::default();
    let of = ink.model.name(&open.customer.name);
    let amount = ink.model.money(open.amount);
    let whose = format!("{of}  {amount}  {}", words::id(&open.attempt));
    pages.paragraph(0, &whose, Role::Text, room);
    pages.blank();
    pages.paragraph(0, &ink.t("dialog.link.what"), Role::Text, room);
    pages.blank();
    let url = Shown::line(open.url.expose()).to_string();
    pages.paragraph(0, &url, Role::Text, room);
    pages.blank();
    let until = ink.model.date_time(open.until);
    let args = [("until", until.as_str())];
    let until = ink.locale().t_args("dialog.link.until", &args);
    pages.paragraph(0, &until, Role::Dim, room);
    (ink.t("dialog.title.link"), Role::Waits, pages)
}

fn away(
    ink: &Ink<'_>,
    finished: &[AwayRow],
    lapsed: &[WaitingRow],
    room: usize,
) -> (String, Role, Pages) {
    let mut pages = Pages::default();
    for row in finished {
        let role = words::attempt_role(row.state);
        pages.paragraph(0, &away_text(ink.model, row), role, room);
        let at = row
            .settled_at
            .map_or_else(String::new, |at| ink.model.date_time(at));
        let below = format!("{}  {at}", words::id(&row.public_id));
        pages.paragraph(2, &below, Role::Dim, room);
    }
    if !finished.is_empty() {
        pages.blank();
        pages.paragraph(0, &ink.t("dialog.away"), Role::Dim, room);
    }
    for row in lapsed {
        pages.paragraph(0, &lapsed_text(ink.model, row), Role::Waits, room);
    }
    if !lapsed.is_empty() {
        pages.blank();
        pages.paragraph(0, &ink.t("dialog.lapsed"), Role::Dim, room);
    }
    let title = if finished.is_empty() {
        "lapsed"
    } else {
        "away"
    };
    (ink.t(&format!("dialog.title.{title}")), Role::Waits, pages)
}

fn declined(
    pages: &mut Pages,
    ink: &Ink<'_>,
    (receipt, refusal): (&Receipt, &Refusal),
    room: usize,
) {
    let class = refusal.class.as_str();
    let text = ink.locale().failure(&refusal.code, class);
    let code = format!(
        "{}  {}",
        Shown::line(&refusal.code),
        ink.locale().label("class", class)
    );
    field(pages, ink, "code", &code, room);
    field(pages, ink, "meaning", text.meaning, room);
    let money = ink.t("dialog.money.none_moved");
    field(pages, ink, "money_head", &money, room);
    field(pages, ink, "next", text.next, room);
    field(pages, ink, "say", &format!("\"{}\"", text.say), room);
    ids(pages, ink, receipt, room);
}

fn told(
    ink: &Ink<'_>,
    outcome: &Outcome,
    verb: Option<Verb>,
    room: usize,
) -> (String, Role, Pages) {
    let mut pages = Pages::default();
    match outcome {
        Outcome::Declined { receipt, refusal } => {
            declined(&mut pages, ink, (receipt, refusal), room);
            (ink.t("dialog.title.declined"), Role::NeedsPerson, pages)
        }
        Outcome::Unknown(receipt) if receipt.attempt.is_none() => {
            // A card that was being issued, or a wish about what its provider schedules.
            let (what, next) = if verb == Some(Verb::SwapCard) {
                ("dialog.card_unknown.what", "dialog.card_unknown.next")
            } else {
                ("dialog.wish_unknown.what", "dialog.wish_unknown.next")
            };
            field(&mut pages, ink, "meaning", &ink.t(what), room);
            let next = ink.t(next);
            field(&mut pages, ink, "next", &next, room);
            ids(&mut pages, ink, receipt, room);
            (ink.t("dialog.title.unknown"), Role::NeedsPerson, pages)
        }
        Outcome::Unknown(receipt) => {
            let text = ink.locale().failure("", "unknown");
            field(&mut pages, ink, "meaning", text.meaning, room);
            let money = ink.t("dialog.money.unknown");
            field(&mut pages, ink, "money_head", &money, room);
            field(&mut pages, ink, "next", text.next, room);
            field(&mut pages, ink, "say", &format!("\"{}\"", text.say), room);
            ids(&mut pages, ink, receipt, room);
            (ink.t("dialog.title.unknown"), Role::NeedsPerson, pages)
        }
        Outcome::AsksCustomer(receipt) => {
            let kind = ("asks_customer", "waits");
            let title = waits(&mut pages, ink, receipt, kind, room);
            (title, Role::Waits, pages)
        }
        Outcome::NotSent(receipt) => {
            let title = waits(&mut pages, ink, receipt, ("not_sent", "none_moved"), room);
            (title, Role::Waits, pages)
        }
        Outcome::GoesOut(receipt) => {
            let title = waits(&mut pages, ink, receipt, ("goes_out", "not_yet"), room);
            (title, Role::Waits, pages)
        }
        Outcome::Ended(receipt) => {
            let title = waits(&mut pages, ink, receipt, ("ended", "none_moved"), room);
            (title, Role::Settled, pages)
        }
        Outcome::NotSeen(receipt) => {
            let title = waits(&mut pages, ink, receipt, ("not_seen", "none_seen"), room);
            (title, Role::Waits, pages)
        }
        Outcome::Done(receipt) | Outcome::AlreadyDone(receipt) | Outcome::Asked(receipt) => {
            if verb.is_some_and(asks_about_money) {
                let amount = receipt.amount.map(|money| ink.model.money(money));
                let money = ink.locale().t_args(
                    "dialog.money.moved",
                    &[("money", amount.as_deref().unwrap_or(""))],
                );
                field(&mut pages, ink, "money_head", &money, room);
            }
            ids(&mut pages, ink, receipt, room);
            (ink.t("dialog.title.done"), Role::Settled, pages)
        }
    }
}

/// What it is, what that says of the money, and what follows; gives the title.
fn waits(
    pages: &mut Pages,
    ink: &Ink<'_>,
    receipt: &Receipt,
    (kind, money): (&str, &str),
    room: usize,
) -> String {
    let what = ink.t(&format!("dialog.{kind}.what"));
    field(pages, ink, "meaning", &what, room);
    let money = ink.t(&format!("dialog.money.{money}"));
    field(pages, ink, "money_head", &money, room);
    let next = ink.t(&format!("dialog.{kind}.next"));
    field(pages, ink, "next", &next, room);
    ids(pages, ink, receipt, room);
    ink.t(&format!("dialog.title.{kind}"))
}

fn field(pages: &mut Pages, ink: &Ink<'_>, id: &str, text: &str, room: usize) {
    let label = ink.t(&format!("dialog.{id}"));
    pages.field(&label, 10, text, Role::Text, room);
}

fn ids(pages: &mut Pages, ink: &Ink<'_>, receipt: &Receipt, room: usize) {
    let ids: Vec<String> = [&receipt.attempt, &receipt.invoice, &receipt.payment]
        .into_iter()
        .flatten()
        .map(words::id)
        .collect();
    if !ids.is_empty() {
        let label = ink.t("dialog.ids");
        pages.field(&label, 10, &ids.join("  "), Role::Dim, room);
    }
}
