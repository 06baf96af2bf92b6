//! What a billing run would do: how many, how much, and the first rows of it.

use chrono::{DateTime, Utc};

use super::super::super::theme::Role;
use super::super::ink::{Ink, span};
use super::super::pages::Pages;
use crate::engine::RunPreview;
use crate::text::{Align, Shown, fit, pad_left};

/// Labels are padded to this width.
const LABEL: usize = 12;
/// Rows that show of a long run.
const ROWS: usize = 8;

pub fn lines(ink: &Ink<'_>, until: DateTime<Utc>, preview: &RunPreview, room: usize) -> Pages {
    let mut pages = Pages::default();
    let model = ink.model;
    let label = |id: &str| ink.t(&format!("dialog.run.{id}"));
    pages.field(
        &label("until"),
        LABEL,
        &model.date_time(until),
        Role::Text,
        room,
    );
    let count = u64::try_from(preview.rows.len()).unwrap_or(u64::MAX);
    pages.field(&label("due"), LABEL, &model.count(count), Role::Title, room);
    if preview.rows.is_empty() {
        pages.paragraph(0, &label("nothing"), Role::Dim, room);
        return pages;
    }
    let totals = model.moneys(&preview.totals);
    pages.field(&label("total"), LABEL, &totals, Role::Title, room);
    pages.blank();
    for row in preview.rows.iter().take(ROWS) {
        let kind = match row.kind {
            "renewal" => label("kind_renewal"),
            "trial end" => label("kind_trial"),
            "ends" => label("kind_ends"),
            "dunning" => label("kind_dunning"),
            "no card" => label("kind_no_card"),
            "locked" => label("kind_locked"),
            "not taken" => label("kind_not_taken"),
            "no provider" => label("kind_no_provider"),
            other => other.to_owned(),
        };
        let provider = row
            .provider
            .map_or_else(String::new, |provider| model.provider(provider));
        pages.line(vec![
            span(
                format!("{} ", fit(model.name(&row.customer.name), 12, Align::Left)),
                Role::Text,
            ),
            span(
                format!("{}  ", pad_left(model.money(row.amount), 12)),
                Role::Text,
            ),
            span(format!("{}  ", fit(kind, 11, Align::Left)), Role::Dim),
            span(format!("{}  ", fit(provider, 6, Align::Left)), Role::Dim),
            span(Shown::line(&row.what).into_string(), Role::Dim),
        ]);
    }
    let rest = preview.rows.len().saturating_sub(ROWS);
    if rest > 0 {
        let rest = model.count(u64::try_from(rest).unwrap_or(0));
        let text = ink.locale().t_args("console.card.more", &[("n", &rest)]);
        pages.line(vec![span(text, Role::Dim)]);
    }
    pages
}
