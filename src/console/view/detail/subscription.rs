//! One subscription: its state, what comes next, its invoices and its history.

use super::super::super::theme::Role;
use super::super::columns::people_flag;
use super::super::ink::{Ink, span};
use super::super::pages::Pages;
use super::super::words::{self, invoice_role, subscription_role};
use super::customer::days;
use super::{LABEL, wish};
use crate::domain::mirror::Collection;
use crate::engine::queries::{MirrorCard, SubscriptionCard};
use crate::text::{Align, Shown, fit, pad_left};

pub fn lines(ink: &Ink<'_>, card: &SubscriptionCard, room: usize) -> Pages {
    let mut pages = Pages::default();
    let model = ink.model;
    let row = &card.row;
    let state = ink.locale().label("state.subscription", row.state.as_str());
    pages.line(vec![
        span(model.full_name(&row.customer.name), Role::Title),
        span(format!("  {}", words::id(&row.public_id)), Role::Dim),
        span(format!("  {state}"), subscription_role(row.state)),
    ]);
    let label = |id: &str| ink.t(&format!("console.card.{id}"));
    let plan = format!(
        "{}  {} x {}  {}",
        Shown::line(&card.plan.name),
        model.money(card.term.price),
        card.subscription.quantity,
        model.interval(card.term.anchor.interval)
    );
    pages.field(&label("plan"), LABEL, &plan, Role::Text, room);
    let is_ours = card.subscription.scheduler.is_ours();
    if !is_ours {
        let text = ink.t("console.card.scheduled_by_stripe");
        pages.field(&label("schedule"), LABEL, &text, Role::Text, room);
    }
    if let Some(mirror) = &card.mirror {
        mirrored(&mut pages, ink, mirror, room);
    }
    let next = match (row.cancel_at, row.next_due_at) {
        _ if row.state.is_ended() => label("no_charge"),
        (Some(at), _) => {
            let text = model
                .locale()
                .t_args("console.card.ends_at", &[("at", &model.date(at))]);
            format!("{text}  {}", days(ink, at))
        }
        (None, Some(at)) => format!(
            "{}  {}  {}",
            model.date(at),
            days(ink, at),
            model.money(row.amount)
        ),
        (None, None) => label("no_charge"),
    };
    pages.field(&label("next"), LABEL, &next, Role::Text, room);
    if let Some(at) = row.paid_until {
        pages.field(
            &label("paid_until"),
            LABEL,
            &model.date(at),
            Role::Text,
            room,
        );
    }
    let (text, role) = match &row.card {
        _ if !is_ours => (ink.t("console.card.card_at_stripe"), Role::Dim),
        Some(card) => (model.card(card), Role::Text),
        None => (ink.t("console.flag.no_method"), Role::NeedsPerson),
    };
    pages.field(&label("card"), LABEL, &text, role, room);
    flags(&mut pages, ink, card);
    invoices(&mut pages, ink, card);
    history(&mut pages, ink, card);
    pages
}

fn flags(pages: &mut Pages, ink: &Ink<'_>, card: &SubscriptionCard) {
    if card.row.flags.is_empty() {
        return;
    }
    let label = fit(ink.t("console.card.flags"), LABEL, Align::Left);
    let mut spans = vec![span(format!("{label}  "), Role::Dim)];
    for flag in &card.row.flags {
        let (text, role) = people_flag(ink, *flag);
        spans.push(span(format!("{text}  "), role));
    }
    pages.line(spans);
}

/// Whether its provider collects, and what was asked of it that is not known to be done.
fn mirrored(pages: &mut Pages, ink: &Ink<'_>, mirror: &MirrorCard, room: usize) {
    let label = |id: &str| ink.t(&format!("console.card.{id}"));
    if mirror.collection != Collection::On {
        let mut text = ink
            .locale()
            .label("collection", mirror.collection.as_str())
            .to_owned();
        if let Some(at) = mirror.resumes_at {
            let args = [("at", &*ink.model.date(at))];
            text.push_str("  ");
            text.push_str(&ink.locale().t_args("console.card.resumes_at", &args));
        }
        pages.field(&label("collection"), LABEL, &text, Role::Waits, room);
    }
    if let Some(row) = &mirror.wish {
        let (text, role) = wish::line(ink, row);
        pages.field(&label("asked"), LABEL, &text, role, room);
    }
}

fn invoices(pages: &mut Pages, ink: &Ink<'_>, card: &SubscriptionCard) {
    let model = ink.model;
    pages.blank();
    pages.head(ink.t("console.card.invoices"));
    if card.invoices.is_empty() {
        pages.line(vec![span(ink.t("console.card.none"), Role::Dim)]);
    }
    for invoice in &card.invoices {
        let state = ink.locale().label("state.invoice", invoice.state.as_str());
        let kind = ink.locale().label("invoice_kind", invoice.kind.as_str());
        pages.choice(vec![
            span(
                format!("{}  ", fit(model.date(invoice.due_at), 11, Align::Left)),
                Role::Text,
            ),
            span(
                format!("{}  ", pad_left(model.money(invoice.amount), 11)),
                Role::Text,
            ),
            span(
                format!("{}  ", fit(state, 10, Align::Left)),
                invoice_role(invoice.state),
            ),
            span(
                format!(
                    "{kind}  {} - {}",
                    model.day_text(invoice.period_from),
                    model.day_text(invoice.period_to)
                ),
                Role::Dim,
            ),
        ]);
    }
}

fn history(pages: &mut Pages, ink: &Ink<'_>, card: &SubscriptionCard) {
    pages.blank();
    pages.head(ink.t("console.card.history"));
    for change in &card.changes {
        let cause = ink.locale().label("cause", change.cause.as_str());
        let to = ink.locale().label("state.subscription", change.to.as_str());
        pages.line(vec![
            span(
                format!("{}  ", fit(ink.model.date_time(change.at), 17, Align::Left)),
                Role::Dim,
            ),
            span(format!("{to}  "), subscription_role(change.to)),
            span(format!("{cause}  "), Role::Text),
            span(requested_by(ink, card, &change.requested_by), Role::Dim),
        ]);
    }
}

/// What was read at a provider names nobody: its own schedule did it, or somebody at its desk.
fn requested_by(ink: &Ink<'_>, card: &SubscriptionCard, person: &str) -> String {
    if card.mirror.is_some() && person == "stripe" {
        return ink.t("console.card.seen_at_stripe");
    }
    Shown::line(person).into_string()
}
