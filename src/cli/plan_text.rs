//! A plan as people read it: what is sent, what follows, and what does not happen.

use std::fmt::Write as _;

use super::record::{Field, Record};
use super::records;
use super::view::View;
use crate::domain::mirror::WishVerb;
use crate::engine::queries::CardBrief;
use crate::engine::{ActionPlan, AskedBy, PlannedCall};
use crate::text::{Shown, mask, pad_right, width};

/// The plan as lines, its fingerprint last.
pub fn lines(plan: &ActionPlan, view: &View) -> String {
    let record = records::action_plan(plan);
    let mut rows = vec![(
        view.t("cli.plan.verb"),
        format!(
            "{}  [{}]",
            view.locale.label("verb", plan.called()),
            plan.mode.banner()
        ),
    )];
    let mut push = |key: &str, text: String| {
        if !text.is_empty() {
            rows.push((view.t(key), text));
        }
    };
    if let Some(customer) = &plan.customer {
        push(
            "cli.plan.customer",
            format!("{}  {}", Shown::line(&customer.name), customer.public_id),
        );
    }
    if let Some(subject) = &plan.subject {
        push(
            "cli.plan.subject",
            format!("{subject}  {}", Shown::line(&plan.what)),
        );
    }
    if let Some(subscription) = &plan.subscription
        && plan.subject.as_ref() != Some(subscription)
    {
        push("cli.plan.subscription", subscription.to_string());
    }
    if let Some(card) = &plan.card {
        push("cli.plan.card", card_text(card, view));
    }
    if let Some(amount) = plan.amount {
        push("cli.plan.amount", view.money(amount));
    }
    for (key, text) in plan.asked.iter().flat_map(|asked| asked_by(asked, view)) {
        push(key, text);
    }
    push("cli.plan.sends", sends(plan.call.as_ref(), view));
    if let Some(call) = &plan.if_not_seen {
        push("cli.plan.if_not_seen", sends(Some(call), view));
    }
    for effect in inner(&record, "effects") {
        push("cli.plan.then", effect_text(effect, view));
    }
    for name in ["not_happening", "warnings"] {
        let key = if name == "warnings" {
            "cli.plan.careful"
        } else {
            "cli.plan.not"
        };
        push(
            key,
            record
                .get(name)
                .map_or_else(String::new, |field| view.whole(field)),
        );
    }
    push("cli.plan.fingerprint", plan.fingerprint.clone());
    let cells = rows
        .iter()
        .map(|(title, _)| width(title))
        .max()
        .unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (title, value)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {value}", pad_right(title, cells));
        text
    })
}

/// Where it is kept, and its number as far as it may be shown.
fn card_text(card: &CardBrief, view: &View) -> String {
    let provider = view.locale.label("provider", card.provider.as_str());
    format!("{provider}  {}", mask::card(&card.number).into_string())
}

/// Who asked for it, until when it can be approved, why, and what supports it.
fn asked_by(asked: &AskedBy, view: &View) -> [(&'static str, String); 3] {
    let until = asked
        .until
        .map_or_else(String::new, |until| format!("  {}", view.at(until)));
    let who = format!("{}{until}", Shown::line(&asked.person));
    let said = |text: &str| Shown::line(text).into_string();
    [
        ("cli.plan.asked", who),
        ("cli.plan.reason", said(&asked.reason)),
        ("cli.plan.evidence", said(&asked.evidence)),
    ]
}

fn sends(call: Option<&PlannedCall>, view: &View) -> String {
    match call {
        None => view.t("cli.plan.nothing"),
        Some(call) if call.idem_key.is_empty() && !call.order_id.is_empty() => view.locale.t_args(
            "cli.plan.question",
            &[
                ("operation", &operation(call, view)),
                ("order", &call.order_id),
            ],
        ),
        // A card is registered under no name of ours.
        Some(call) if call.order_id.is_empty() => operation(call, view),
        Some(call) => view.locale.t_args(
            "cli.plan.call",
            &[
                ("operation", &operation(call, view)),
                ("order", &call.order_id),
                ("key", &call.idem_key),
            ],
        ),
    }
}

/// Whom, and what. The provider's own words stay; ours are in the reader's language.
fn operation(call: &PlannedCall, view: &View) -> String {
    let provider = view.locale.label("provider", call.provider.as_str());
    let what = match call.operation {
        "look up" => view.t("cli.plan.look_up"),
        "end" => view.t("cli.plan.end_call"),
        "list transactions" => view.t("cli.plan.list"),
        other => match WishVerb::parse(other) {
            Some(wish) => view.locale.label("verb", wish.as_str()).to_owned(),
            None => other.to_owned(),
        },
    };
    format!("{provider}: {what}")
}

fn inner<'r>(record: &'r Record, name: &str) -> &'r [Record] {
    match record.get(name) {
        Some(Field::Records(inner)) => inner,
        _ => &[],
    }
}

/// `subscription: active -> canceled`, from whatever fields an effect has.
fn effect_text(effect: &Record, view: &View) -> String {
    let mut fields = effect.fields().iter().filter(|(name, _)| *name != "object");
    let title = fields
        .next()
        .map_or_else(String::new, |(_, field)| view.whole(field));
    let (mut moves, mut others) = (Vec::new(), Vec::new());
    for (name, field) in fields {
        let text = view.whole(field);
        let text = if text.is_empty() {
            view.t("cli.plan.none")
        } else {
            text
        };
        match *name {
            "from" | "to" => moves.push(text),
            _ => others.push(text),
        }
    }
    // What stays as it is needs no arrow.
    moves.dedup();
    let moves = Some(moves.join(" -> ")).filter(|moves| !moves.is_empty());
    let values: Vec<String> = moves.into_iter().chain(others).collect();
    if values.is_empty() {
        return title;
    }
    format!("{title}: {}", values.join("  "))
}
