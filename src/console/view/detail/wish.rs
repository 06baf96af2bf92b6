//! What was asked of a provider about a subscription that it schedules: what happened, what is certain, what it means,
//! what one can do. Nothing here says that it failed.

use super::super::super::theme::Role;
use super::super::columns::wish_state;
use super::super::ink::{Ink, span};
use super::super::pages::Pages;
use super::super::words;
use super::LABEL;
use crate::engine::queries::{WishCan, WishRow};
use crate::text::Shown;

pub fn lines(pages: &mut Pages, ink: &Ink<'_>, row: &WishRow, room: usize) {
    let (model, locale) = (ink.model, ink.locale());
    let asked = locale.label("verb", row.wish.verb.as_str());
    let mut head = vec![
        span(asked, Role::Title),
        span(
            format!("  {}", model.full_name(&row.customer.name)),
            Role::Title,
        ),
        span(format!("  {}", words::id(&row.subscription)), Role::Dim),
    ];
    if let Some((id, amount)) = &row.invoice {
        let text = format!("  {}  {}", words::id(id), model.money(*amount));
        head.push(span(text, Role::Text));
    }
    pages.line(head);
    let mut field = |id: &str, text: &str, role: Role| {
        let label = ink.t(&format!("console.unknown.{id}_head"));
        pages.field(&label, LABEL + 6, text, role, room);
    };
    if let Some(text) = model.in_progress(row.call().as_ref()) {
        field("happened", &text, Role::Waits);
        return;
    }
    let who = Shown::line(&row.wish.operator).into_string();
    let at = model.date_time(row.wish.first_sent_at + model.db_behind);
    let happened = locale.t_args("console.wish.happened", &[("who", &who), ("at", &at)]);
    let reason = Shown::line(&row.wish.reason).into_string();
    let happened = if reason.is_empty() {
        happened
    } else {
        format!("{happened} ({reason})")
    };
    field("happened", &happened, Role::Text);
    let times = locale.counted("console.unknown.times", i64::from(row.wish.send_count));
    let certain = match &row.wish.refusal {
        None => locale.t_args("console.wish.certain", &[("times", &times)]),
        Some(refusal) => locale.t_args(
            "console.wish.certain_refused",
            &[
                ("times", &times),
                ("code", &Shown::line(&refusal.code).into_string()),
            ],
        ),
    };
    field("certain", &certain, Role::Text);
    field("means", &ink.t("console.wish.means"), Role::Text);
    let (can, role) = can(ink, row);
    field("can", &can, role);
}

/// What a person may do, by its age.
fn can(ink: &Ink<'_>, row: &WishRow) -> (String, Role) {
    let (model, locale) = (ink.model, ink.locale());
    let next = row
        .wish
        .next_check_at
        .map_or_else(|| "-".to_owned(), |at| model.db_look(at));
    let again = model.date_time(row.over_at() + model.db_behind);
    let args = [("next", next.as_str()), ("again", again.as_str())];
    let text = locale.t_args(&format!("console.wish.can_{}", row.can.as_str()), &args);
    let role = match row.can {
        WishCan::Wait => Role::Text,
        WishCan::LookThere | WishCan::AskAgain => Role::NeedsPerson,
    };
    (text, role)
}

/// The same in one line, on the card of its subscription.
pub fn line(ink: &Ink<'_>, row: &WishRow) -> (String, Role) {
    let (state, role) = wish_state(ink, row);
    let asked = ink.locale().label("verb", row.wish.verb.as_str());
    let age = ink.model.db_age(row.wish.first_sent_at);
    let who = Shown::line(&row.wish.operator);
    (format!("{asked}  {who}  {age}  {state}"), role)
}
