//! The detail of a row that is told by the row itself: what is unknown, plans, days, runs, events, activity. For the
//! others it stands in until their card has come.

use super::super::super::model::Row;
use super::super::super::theme::Role;
use super::super::columns;
use super::super::ink::{Ink, span};
use super::super::pages::Pages;
use super::super::words;
use super::{LABEL, wish};
use crate::domain::attempt::AttemptKind;
use crate::engine::queries::{ActivityRow, EventRow, FailedRow, PlanRow, RunRow, UnknownRow};
use crate::text::Shown;

pub fn lines(ink: &Ink<'_>, row: &Row, room: usize) -> Pages {
    let mut pages = Pages::default();
    match row {
        Row::Unknown(row) => unknown(&mut pages, ink, row, room),
        Row::Wish(row) => wish::lines(&mut pages, ink, row, room),
        Row::Plan(row) => plan(&mut pages, ink, row, room),
        Row::Run(row) => run(&mut pages, ink, row, room),
        Row::Activity(row) => activity(&mut pages, ink, row, room),
        Row::Failed(row) => failed(&mut pages, ink, row, room),
        Row::Day(day) => {
            pages.head(ink.model.renewal_day(&day.day));
            let count = ink.model.count(day.count);
            let text = format!("{count}  {}", ink.model.moneys(&day.amounts));
            let label = ink.t("console.column.count");
            pages.field(&label, LABEL, &text, Role::Text, room);
            for (flag, count) in day.flags.iter().filter(|(_, count)| *count > 0) {
                let (text, role) = columns::people_flag(ink, *flag);
                pages.line(vec![
                    span(format!("{text}  "), role),
                    span(ink.model.count(*count), Role::Text),
                ]);
            }
        }
        Row::Event(row) => event(&mut pages, ink, row, room),
        Row::Customer(_)
        | Row::Decline(_)
        | Row::Subscription(_)
        | Row::Payment(_)
        | Row::RunItem(_)
        | Row::Hit(_) => {
            let target = row.target();
            pages.head(ink.model.full_name(&target.name));
        }
    }
    pages
}

/// What came in, about what, and what a person may do about it.
fn event(pages: &mut Pages, ink: &Ink<'_>, row: &EventRow, room: usize) {
    let (model, locale) = (ink.model, ink.locale());
    pages.head(Shown::detail(&row.kind).into_string());
    let mut field = |id: &str, text: &str, role: Role| {
        let label = ink.t(&format!("console.event.{id}"));
        pages.field(&label, LABEL, text, role, room);
    };
    field("from", &model.provider(row.provider), Role::Text);
    if let Some(about) = &row.about {
        let about = Shown::line(about).into_string();
        let ours = row.subscription.as_ref().map(words::id);
        let text = ours.map_or_else(|| about.clone(), |ours| format!("{ours}  {about}"));
        field("about", &text, Role::Text);
    }
    if let Some(at) = row.happened_at {
        field("happened", &model.date_time(at), Role::Text);
    }
    field("came", &model.date_time(row.received_at), Role::Text);
    let role = match row.standing() {
        "failed" | "quarantined" => Role::NeedsPerson,
        "received" | "unread" => Role::Waits,
        _ => Role::Dim,
    };
    field("state", locale.label("state.event", &row.state), role);
    if let Some(error) = &row.error {
        field("error", Shown::line(error).as_str(), Role::NeedsPerson);
    }
    field("do", locale.label("event_advice", row.standing()), role);
}

fn failed(pages: &mut Pages, ink: &Ink<'_>, row: &FailedRow, room: usize) {
    pages.line(vec![
        span(ink.model.full_name(&row.customer.name), Role::Title),
        span(format!("  {}", ink.model.money(row.amount)), Role::Title),
        span(format!("  {}", Shown::line(&row.what)), Role::Dim),
    ]);
    let class = row.class.map_or("unclassified", |class| class.as_str());
    let text = ink
        .locale()
        .failure(row.code.as_deref().unwrap_or(""), class);
    let label = ink.t("console.card.why");
    pages.field(&label, LABEL, text.meaning, Role::Text, room);
}

/// What happened, what is certain, what it means, what one can do.
fn unknown(pages: &mut Pages, ink: &Ink<'_>, row: &UnknownRow, room: usize) {
    let model = ink.model;
    let locale = ink.locale();
    if let Some(text) = model.in_progress(row.call.as_ref()) {
        let label = ink.t("console.unknown.happened_head");
        pages.field(&label, LABEL + 6, &text, Role::Waits, room);
        return;
    }
    let money = model.money(row.amount);
    let sent = row
        .last_sent_at
        .or(row.first_sent_at)
        .map_or_else(|| "-".to_owned(), |at| model.date_time(at));
    let order = Shown::line(&row.order_id).into_string();
    let times = locale.counted("console.unknown.times", i64::from(row.send_count));
    let person = Shown::line(&row.operator).into_string();
    let label = |id: &str| ink.t(&format!("console.unknown.{id}"));
    let happened = locale.t_args(
        "console.unknown.happened",
        &[
            ("kind", locale.label("attempt_kind", row.kind.as_str())),
            ("money", &money),
            ("at", &sent),
            ("who", &person),
        ],
    );
    pages.field(
        &label("happened_head"),
        LABEL + 6,
        &happened,
        Role::Text,
        room,
    );
    let certain = locale.t_args(
        "console.unknown.certain",
        &[("times", &times), ("order", &order)],
    );
    pages.field(
        &label("certain_head"),
        LABEL + 6,
        &certain,
        Role::Text,
        room,
    );
    let tried = tried(ink, row);
    pages.field(&label("tried_head"), LABEL + 6, &tried, Role::Text, room);
    let closes = row.link_until().map(|until| model.db_coming(until));
    let means = what_it_means(ink, row);
    pages.field(&label("means_head"), LABEL + 6, &means, Role::Text, room);
    let next = row
        .next_check_at
        .map_or_else(|| "-".to_owned(), |at| model.db_look(at));
    let can = if row.needs_human {
        label("can_person")
    } else if let Some(until) = &closes {
        locale.t_args("console.unknown.can_link", &[("until", until)])
    } else {
        locale.t_args("console.unknown.can", &[("next", &next)])
    };
    let role = if row.needs_human {
        Role::NeedsPerson
    } else {
        Role::Text
    };
    pages.field(&label("can_head"), LABEL + 6, &can, role, room);
}

/// What is known of the money.
fn what_it_means(ink: &Ink<'_>, row: &UnknownRow) -> String {
    match row.kind {
        AttemptKind::Charge if row.link_until().is_some() => {
            let at = row.waited_at();
            let at = at.map_or_else(String::new, |at| ink.model.db_time(at));
            ink.locale()
                .t_args("dialog.asks_customer.as_of", &[("at", &at)])
        }
        AttemptKind::Charge => ink.t("console.unknown.means"),
        AttemptKind::Refund => ink.t("console.unknown.means_refund"),
    }
}

/// For how long it has been open, how often it was asked about, and what the last answer said.
fn tried(ink: &Ink<'_>, row: &UnknownRow) -> String {
    let (model, locale) = (ink.model, ink.locale());
    let age = row
        .first_sent_at
        .map_or_else(|| "-".to_owned(), |at| model.db_age(at));
    let looks = model.count(u64::from(row.checks));
    let not_seen = model.count(u64::from(row.not_seen));
    let last = match (&row.last_outcome, row.last_evidence_at) {
        (Some(outcome), Some(at)) => {
            let said = locale
                .find(&format!("console.evidence.{outcome}"))
                .unwrap_or(outcome);
            format!("{} ({})", Shown::line(said), model.db_age(at))
        }
        _ => "-".to_owned(),
    };
    locale.t_args(
        "console.unknown.tried",
        &[
            ("age", &age),
            ("looks", &looks),
            ("not_seen", &not_seen),
            ("last", &last),
        ],
    )
}

fn plan(pages: &mut Pages, ink: &Ink<'_>, row: &PlanRow, room: usize) {
    let model = ink.model;
    let plan = &row.plan;
    pages.line(vec![
        span(Shown::detail(&plan.name).into_string(), Role::Title),
        span(format!("  {}", words::id(&plan.public_id)), Role::Dim),
    ]);
    let field = |pages: &mut Pages, id: &str, text: String| {
        let label = ink.t(&format!("console.plan.{id}"));
        pages.field(&label, LABEL, &text, Role::Text, room);
    };
    field(
        pages,
        "product",
        Shown::line(&row.product_name).into_string(),
    );
    field(
        pages,
        "price",
        format!(
            "{}  {}",
            model.money(plan.price),
            model.interval(plan.interval)
        ),
    );
    field(
        pages,
        "subscriptions",
        format!(
            "{}  {} {}",
            model.count(row.active),
            ink.locale().label("state.subscription", "trialing"),
            model.count(row.trialing)
        ),
    );
    field(pages, "mrr", model.money(row.mrr));
    field(pages, "tier", Shown::line(&plan.tier).into_string());
    field(pages, "trial", model.count(u64::from(plan.trial_days)));
    let features: Vec<String> = plan
        .features
        .iter()
        .map(|feature| Shown::line(feature).into_string())
        .collect();
    field(pages, "features", features.join(", "));
    let state = if plan.active { "open" } else { "closed" };
    field(pages, "state", ink.t(&format!("console.plan.{state}")));
}

fn run(pages: &mut Pages, ink: &Ink<'_>, row: &RunRow, room: usize) {
    let model = ink.model;
    let state = words::run_state(ink.locale(), &row.run);
    pages.line(vec![
        span(words::id(&row.run.public_id), Role::Title),
        span(format!("  {state}"), words::run_role(row.run.state)),
    ]);
    let field = |pages: &mut Pages, id: &str, text: String| {
        let label = ink.t(&format!("console.run.{id}"));
        pages.field(&label, LABEL, &text, Role::Text, room);
    };
    field(pages, "started", model.date_time(row.run.started_at));
    if let Some(at) = row.run.finished_at {
        field(pages, "finished", model.date_time(at));
    }
    field(pages, "until", model.date_time(row.run.until));
    let by = format!(
        "{}  {}",
        Shown::line(&row.run.operator),
        Shown::line(&row.run.host)
    );
    field(pages, "by", by);
    if row.run.is_interrupted() {
        field(
            pages,
            "stopped",
            words::run_state(ink.locale(), &row.run).to_owned(),
        );
    } else if let Some(reason) = &row.run.stop_reason {
        field(pages, "stopped", Shown::line(reason).into_string());
    }
    pages.blank();
    for (decision, count) in &row.totals {
        let (text, role) = match decision {
            Some(decision) => (
                ink.locale().label("decision", decision.as_str()).to_owned(),
                columns::decision_role(*decision),
            ),
            None => (ink.t("console.run.under_way"), Role::Waits),
        };
        pages.line(vec![
            span(format!("{:>8}  ", model.count(*count)), Role::Text),
            span(text, role),
        ]);
    }
}

fn activity(pages: &mut Pages, ink: &Ink<'_>, row: &ActivityRow, room: usize) {
    let entry = &row.record.entry;
    pages.line(vec![
        span(Shown::detail(&entry.person).into_string(), Role::Title),
        span(format!("  {}", ink.model.date_time(entry.at)), Role::Dim),
    ]);
    let parts = [
        ("verb", &entry.verb),
        ("target", &entry.target),
        ("before", &entry.before),
        ("after", &entry.after),
        ("reason", &entry.reason),
        ("result", &entry.result),
        ("provider_ref", &entry.provider_ref),
        ("approver", &entry.approver),
        ("claims", &entry.claims),
    ];
    for (id, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        let label = ink.t(&format!("console.activity.{id}"));
        let text = Shown::detail(text).into_string();
        pages.field(&label, LABEL, &text, Role::Text, room);
    }
    let chain = format!("{} {}", Shown::line(&row.record.chain), row.record.seq);
    let label = ink.t("console.activity.chain");
    pages.field(&label, LABEL, &chain, Role::Dim, room);
}
