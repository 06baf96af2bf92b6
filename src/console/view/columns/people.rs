//! Columns of customers, subscriptions, renewals and search results.

use super::super::super::model::Row;
use super::super::super::theme::Role;
use super::super::ink::Ink;
use super::super::table::{LEFT, RIGHT};
use super::super::words::{self, flag_id, flag_role, subscription_role};
use super::{Cell, Column, column};
use crate::domain::states::MethodState;
use crate::engine::queries::{CustomerBrief, RenewalDay, RenewalFlag, SubscriptionRow};
use crate::text::Shown;

pub const CUSTOMERS: &[Column] = &[
    column("customer", 10, 2, 0, LEFT, name),
    column("email", 18, 3, 60, LEFT, email),
    column("phone", 13, 0, 68, LEFT, phone),
    column("subscriptions", 4, 0, 0, RIGHT, subscriptions),
    column("since", 10, 0, 0, RIGHT, since),
    column("id", 12, 0, 92, LEFT, id),
];

pub const SUBSCRIPTIONS: &[Column] = &[
    column("customer", 8, 2, 0, LEFT, name),
    column("plan", 8, 3, 56, LEFT, plan),
    column("state", 10, 0, 0, LEFT, state),
    column("provider", 6, 0, 78, LEFT, provider),
    column("amount", 11, 0, 0, RIGHT, amount),
    column("next", 10, 0, 68, RIGHT, next),
    column("card", 10, 1, 92, LEFT, card),
    column("flags", 10, 1, 76, LEFT, flags),
];

pub const RENEWALS: &[Column] = &[
    column("due", 7, 0, 0, LEFT, due_clock),
    column("customer", 8, 2, 0, LEFT, name),
    column("plan", 8, 2, 56, LEFT, plan),
    column("provider", 6, 0, 78, LEFT, provider),
    column("amount", 11, 0, 0, RIGHT, amount),
    column("card", 10, 1, 68, LEFT, card),
    column("flags", 12, 2, 60, LEFT, flags),
];

pub const RENEWAL_DAYS: &[Column] = &[
    column("date", 11, 0, 0, LEFT, date),
    column("count", 6, 0, 0, RIGHT, count),
    column("amount", 16, 0, 0, RIGHT, amounts),
    column("flags", 20, 1, 62, LEFT, day_flags),
];

/// What the sums of a day have room for.
const AMOUNTS: usize = 16;

pub const HITS: &[Column] = &[
    column("what", 9, 0, 0, LEFT, what),
    column("customer", 8, 2, 0, LEFT, name),
    column("label", 8, 2, 56, LEFT, label),
    column("amount", 11, 0, 0, RIGHT, amount),
    column("matched", 8, 1, 68, LEFT, matched),
    column("id", 12, 0, 68, LEFT, id),
];

fn brief(row: &Row) -> Option<&CustomerBrief> {
    match row {
        Row::Customer(row) => Some(&row.customer),
        Row::Subscription(row) => Some(&row.customer),
        Row::Failed(row) => Some(&row.customer),
        Row::Decline(row) => Some(&row.customer),
        Row::Payment(row) => Some(&row.customer),
        Row::Unknown(row) => Some(&row.customer),
        Row::Wish(row) => Some(&row.customer),
        Row::RunItem(row) => Some(&row.customer),
        Row::Hit(row) => Some(&row.customer),
        Row::Day(_) | Row::Plan(_) | Row::Run(_) | Row::Event(_) | Row::Activity(_) => None,
    }
}

pub fn name(row: &Row, ink: &Ink<'_>) -> Cell {
    brief(row).map_or_else(Cell::none, |customer| {
        Cell::text(ink.model.name(&customer.name))
    })
}

pub fn amount(row: &Row, ink: &Ink<'_>) -> Cell {
    row.amount()
        .map_or_else(Cell::none, |money| Cell::text(ink.model.money(money)))
}

pub fn id(row: &Row, _: &Ink<'_>) -> Cell {
    row.target()
        .public_id
        .map_or_else(Cell::none, |id| Cell::dim(words::id(&id)))
}

fn subscription(row: &Row) -> Option<&SubscriptionRow> {
    match row {
        Row::Subscription(row) => Some(row),
        _ => None,
    }
}

/// Where it is charged, or would be.
pub fn provider(row: &Row, ink: &Ink<'_>) -> Cell {
    let at = match row {
        Row::Subscription(row) => row.card.as_ref().map(|card| card.provider),
        Row::Failed(row) => row.provider,
        Row::Decline(row) => Some(row.provider),
        Row::Payment(row) => Some(row.provider),
        Row::Unknown(row) => Some(row.provider),
        _ => None,
    };
    at.map_or_else(Cell::none, |provider| {
        Cell::dim(ink.model.provider(provider))
    })
}

fn email(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Customer(row) => Cell::dim(ink.model.email(&row.email)),
        _ => Cell::none(),
    }
}

fn phone(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Customer(row) => Cell::dim(ink.model.phone(&row.phone)),
        _ => Cell::none(),
    }
}

fn subscriptions(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Customer(row) => Cell::text(ink.model.count(u64::from(row.subscriptions))),
        _ => Cell::none(),
    }
}

fn since(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Customer(row) => Cell::dim(ink.model.when(row.created_at)),
        _ => Cell::none(),
    }
}

fn plan(row: &Row, _: &Ink<'_>) -> Cell {
    subscription(row).map_or_else(Cell::none, |row| {
        Cell::text(Shown::line(&row.plan_name).into_string())
    })
}

fn state(row: &Row, ink: &Ink<'_>) -> Cell {
    subscription(row).map_or_else(Cell::none, |row| {
        let text = ink.locale().label("state.subscription", row.state.as_str());
        Cell::of(text, subscription_role(row.state))
    })
}

fn next(row: &Row, ink: &Ink<'_>) -> Cell {
    match subscription(row) {
        Some(row) if row.state.is_ended() => Cell::none(),
        Some(row) => row
            .next_due_at
            .map_or_else(Cell::none, |at| Cell::text(ink.model.date(at))),
        None => Cell::none(),
    }
}

fn due_clock(row: &Row, ink: &Ink<'_>) -> Cell {
    match subscription(row).and_then(|row| row.next_due_at) {
        Some(at) => Cell::dim(ink.model.clock(at)),
        None => Cell::none(),
    }
}

fn card(row: &Row, ink: &Ink<'_>) -> Cell {
    match subscription(row).and_then(|row| row.card.as_ref()) {
        Some(card) if card.state == MethodState::Active => Cell::dim(ink.model.card_short(card)),
        Some(card) => Cell::of(
            ink.locale()
                .label("state.method", card.state.as_str())
                .to_owned(),
            Role::NeedsPerson,
        ),
        None => Cell::of(ink.t("console.flag.no_method"), Role::NeedsPerson),
    }
}

/// The gravest flag gives the look; all are said.
fn flags(row: &Row, ink: &Ink<'_>) -> Cell {
    let Some(row) = subscription(row) else {
        return Cell::none();
    };
    let texts: Vec<String> = row.flags.iter().map(|flag| flag_text(ink, *flag)).collect();
    let role = row
        .flags
        .iter()
        .map(|flag| flag_role(*flag))
        .min_by_key(|role| match role {
            Role::NeedsPerson => 0,
            Role::Waits => 1,
            _ => 2,
        })
        .unwrap_or(Role::Dim);
    Cell::of(texts.join(" "), role)
}

pub fn flag_text(ink: &Ink<'_>, flag: RenewalFlag) -> String {
    ink.locale()
        .find(&format!("console.flag.{}", flag_id(flag)))
        .unwrap_or("")
        .to_owned()
}

/// What fell due and nobody billed needs a person.
pub fn day_role(day: &RenewalDay) -> Role {
    if day.day.is_overdue() {
        Role::NeedsPerson
    } else {
        Role::Text
    }
}

fn date(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Day(row) => Cell::of(ink.model.renewal_day(&row.day), day_role(row)),
        _ => Cell::none(),
    }
}

fn count(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Day(row) if row.count == 0 => Cell::none(),
        Row::Day(row) => Cell::of(ink.model.count(row.count), day_role(row)),
        _ => Cell::none(),
    }
}

fn amounts(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Day(row) if row.count == 0 => Cell::none(),
        Row::Day(row) => Cell::of(ink.model.moneys_in(&row.amounts, AMOUNTS), day_role(row)),
        _ => Cell::none(),
    }
}

pub fn day_flags(row: &Row, ink: &Ink<'_>) -> Cell {
    let Row::Day(row) = row else {
        return Cell::none();
    };
    let mut texts = Vec::new();
    let mut role = Role::Dim;
    for (flag, count) in row.flags.iter().filter(|(_, count)| *count > 0) {
        texts.push(format!(
            "{} {}",
            flag_text(ink, *flag),
            ink.model.count(*count)
        ));
        role = match (role, flag_role(*flag)) {
            (Role::NeedsPerson, _) | (_, Role::NeedsPerson) => Role::NeedsPerson,
            (Role::Waits, _) | (_, Role::Waits) => Role::Waits,
            (other, _) => other,
        };
    }
    Cell::of(texts.join("  "), role)
}

fn what(row: &Row, ink: &Ink<'_>) -> Cell {
    use crate::engine::queries::HitTarget;
    let Row::Hit(hit) = row else {
        return Cell::none();
    };
    let noun = match hit.target {
        HitTarget::Customer(_) => "customer",
        HitTarget::Subscription(_) => "subscription",
        HitTarget::Payment(_) => "payment",
        HitTarget::Invoice(_) => "invoice",
        HitTarget::Attempt(_) => "attempt",
        HitTarget::Plan(_) => "plan",
    };
    Cell::text(ink.locale().label("noun", noun))
}

fn label(row: &Row, _: &Ink<'_>) -> Cell {
    match row {
        Row::Hit(hit) => Cell::dim(Shown::line(&hit.label).into_string()),
        _ => Cell::none(),
    }
}

fn matched(row: &Row, ink: &Ink<'_>) -> Cell {
    match row {
        Row::Hit(hit) => {
            let key = format!("console.matched.{}", hit.matched);
            Cell::dim(ink.locale().find(&key).unwrap_or(hit.matched))
        }
        _ => Cell::none(),
    }
}
