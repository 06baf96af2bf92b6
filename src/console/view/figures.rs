//! The six figures of the overview: what each says, over which period, and what stands below it.

use super::super::model::Figure;
use super::super::theme::Role;
use super::ink::{Ink, Span, span};
use crate::domain::money::Money;
use crate::engine::queries::Overview;
use crate::text::width;

/// A figure as it is drawn.
pub struct Shape {
    pub title: String,
    pub value: String,
    pub below: Vec<Span>,
    /// Values of the last days, oldest first; empty where there is no such row.
    pub days: Vec<i64>,
    /// A second line instead of the days.
    pub more: Vec<Span>,
}

/// A share in basis points; nothing of nothing is nothing.
fn share(part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    i64::try_from(i128::from(part) * 10_000 / i128::from(whole)).unwrap_or(0)
}

fn first(moneys: &[Money]) -> i64 {
    moneys.first().map_or(0, |money| money.minor())
}

fn small(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What a figure says in so many columns. Amounts are never cut (`Model::moneys_in`).
pub fn shape(ink: &Ink<'_>, overview: &Overview, figure: Figure, room: usize) -> Shape {
    let model = ink.model;
    let title = ink.t(&format!("console.figure.{}", figure_id(figure)));
    let label = |id: &str, value: &str| {
        ink.locale()
            .t_args(&format!("console.figure.{id}"), &[("n", value)])
    };
    // A label and as many whole figures as it leaves room for.
    let sums = |id: &str, moneys: &[Money]| {
        let room = room.saturating_sub(width(label(id, "")));
        label(id, &model.moneys_in(moneys, room))
    };
    let days = |value: fn(&crate::engine::queries::DayFigure) -> i64| {
        overview.days.iter().map(value).collect::<Vec<i64>>()
    };
    let plain = |text: String| vec![span(text, Role::Dim)];
    match figure {
        Figure::Active => Shape {
            title,
            value: model.count(overview.active),
            below: vec![span(
                label("past_due", &model.count(overview.past_due)),
                warn(overview.past_due),
            )],
            days: Vec::new(),
            more: plain(label("trialing", &model.count(overview.trialing))),
        },
        Figure::Mrr => Shape {
            title,
            value: model.moneys_in(&overview.mrr, room),
            below: plain(label("per_active", &per_active(ink, overview))),
            days: Vec::new(),
            more: plain(ink.t("console.figure.vat")),
        },
        Figure::Revenue => Shape {
            title,
            value: model.moneys_in(&overview.gross, room),
            below: plain(sums("net", &overview.net)),
            days: days(|day| day.captured.minor()),
            more: plain(sums("refunds", &refunds(overview))),
        },
        Figure::New => Shape {
            title,
            value: model.count(overview.new),
            below: plain(label("ended", &model.count(overview.ended))),
            days: days(|day| small(day.new)),
            more: Vec::new(),
        },
        Figure::Failed => Shape {
            title,
            value: format!(
                "{} {}",
                model.count(overview.failed_attempts),
                label("invoices", &model.count(overview.failed_invoices))
            ),
            below: plain(label("recovered", &recovered(ink, overview))),
            days: days(|day| small(day.declined)),
            more: Vec::new(),
        },
        Figure::AtRisk => Shape {
            title,
            value: model.moneys_in(&overview.at_risk, room),
            below: plain(label(
                "of_mrr",
                &model
                    .locale()
                    .percent(share(first(&overview.at_risk), first(&overview.mrr))),
            )),
            days: Vec::new(),
            more: plain(label("past_due", &model.count(overview.past_due))),
        },
    }
}

fn recovered(ink: &Ink<'_>, overview: &Overview) -> String {
    let share = share(
        small(overview.recovered_invoices),
        small(overview.failed_invoices),
    );
    ink.locale().percent(share)
}

const fn warn(count: u64) -> Role {
    if count > 0 {
        Role::NeedsPerson
    } else {
        Role::Dim
    }
}

/// What went back, as what is missing from revenue.
pub fn refunds(overview: &Overview) -> Vec<Money> {
    let back = overview.refunds.iter();
    back.map(|money| Money::new(-money.minor(), money.currency()))
        .collect()
}

fn per_active(ink: &Ink<'_>, overview: &Overview) -> String {
    match overview.mrr.first() {
        Some(mrr) if overview.active > 0 => {
            let each = mrr.minor() / small(overview.active).max(1);
            ink.model.money(Money::new(each, mrr.currency()))
        }
        _ => "-".to_owned(),
    }
}

pub const fn figure_id(figure: Figure) -> &'static str {
    match figure {
        Figure::Active => "active",
        Figure::Mrr => "mrr",
        Figure::Revenue => "revenue",
        Figure::New => "new",
        Figure::Failed => "failed",
        Figure::AtRisk => "at_risk",
    }
}
