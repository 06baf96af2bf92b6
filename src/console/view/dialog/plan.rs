//! A plan in words: who, what, how much, what is sent, what follows, what does not happen, what to think of.

use super::super::super::theme::Role;
use super::super::ink::Ink;
use super::super::pages::Pages;
use super::super::words;
use crate::domain::mirror::WishVerb;
use crate::engine::{ActionPlan, Effect, NotHappening, PlannedCall, Warning};
use crate::text::{Align, Shown, fit};

/// Labels are padded to this width.
pub const LABEL: usize = 12;

pub fn lines(ink: &Ink<'_>, plan: &ActionPlan, room: usize) -> Pages {
    let mut pages = Pages::default();
    let label = |id: &str| ink.t(&format!("dialog.{id}"));
    if let Some(customer) = &plan.customer {
        // Who it is about is never masked here: one must be able to check it.
        let name = Shown::detail(&customer.name).into_string();
        let text = format!("{name}  {}", words::id(&customer.public_id));
        pages.field(&label("customer"), LABEL, &text, Role::Title, room);
    }
    let mut what = Shown::detail(&plan.what).into_string();
    let other = plan
        .subscription
        .as_ref()
        .filter(|id| Some(*id) != plan.subject.as_ref());
    for id in plan.subject.iter().chain(other) {
        what = format!("{what}  {}", words::id(id));
    }
    if !what.trim().is_empty() {
        pages.field(&label("subject"), LABEL, what.trim(), Role::Text, room);
    }
    if let Some(card) = &plan.card {
        let text = ink.model.card(card);
        pages.field(&label("method"), LABEL, &text, Role::Text, room);
    }
    if let Some(money) = plan.amount {
        let text = ink.model.money(money);
        pages.field(&label("amount"), LABEL, &text, Role::Title, room);
    }
    if let Some(asked) = &plan.asked {
        let who = Shown::detail(&asked.person).into_string();
        pages.field(&label("asked"), LABEL, &who, Role::Title, room);
        if let Some(until) = asked.until {
            let text = ink.model.db_coming(until);
            pages.field(&label("asked_until"), LABEL, &text, Role::Waits, room);
        }
        for (id, text) in [("reason", &asked.reason), ("evidence", &asked.evidence)] {
            if !text.is_empty() {
                let text = Shown::detail(text).into_string();
                pages.field(&label(id), LABEL, &text, Role::Text, room);
            }
        }
    }
    call(&mut pages, ink, plan, room);
    let effects: Vec<String> = plan
        .effects
        .iter()
        .map(|effect| effect_text(ink, effect))
        .collect();
    listed(&mut pages, &label("then"), &effects, Role::Text, room);
    let nots: Vec<String> = plan
        .not_happening
        .iter()
        .map(|not| ink.t(&format!("dialog.not.{}", not_id(*not))))
        .collect();
    listed(&mut pages, &label("not_head"), &nots, Role::Text, room);
    for warning in &plan.warnings {
        let text = ink.t(&format!("dialog.warning.{}", warning_id(*warning)));
        let mark = ink.glyphs().needs_person;
        pages.paragraph(0, &format!("{mark} {text}"), Role::NeedsPerson, room);
    }
    pages
}

fn listed(pages: &mut Pages, label: &str, texts: &[String], role: Role, room: usize) {
    for (at, text) in texts.iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        let label = fit(label, LABEL, Align::Left);
        pages.field(&label, LABEL, text, role, room);
    }
}

fn call(pages: &mut Pages, ink: &Ink<'_>, plan: &ActionPlan, room: usize) {
    one_call(pages, ink, plan, plan.call.as_ref(), "sent", room);
    if plan.if_not_seen.is_some() {
        one_call(
            pages,
            ink,
            plan,
            plan.if_not_seen.as_ref(),
            "if_not_seen",
            room,
        );
    }
}

fn one_call(
    pages: &mut Pages,
    ink: &Ink<'_>,
    plan: &ActionPlan,
    call: Option<&PlannedCall>,
    label: &str,
    room: usize,
) {
    let label = ink.t(&format!("dialog.{label}"));
    let Some(PlannedCall {
        provider,
        operation,
        order_id,
        idem_key,
        expected_balance_minor,
    }) = call
    else {
        let text = ink.t("dialog.no_call");
        pages.field(&label, LABEL, &text, Role::Dim, room);
        return;
    };
    let provider = ink.locale().label("provider", provider.as_str());
    // A question has no key and moves nothing.
    let question = match *operation {
        "look up" => Some("dialog.look_up"),
        "end" => Some("dialog.end"),
        "list transactions" => Some("dialog.list"),
        _ => None,
    };
    let asks = question.is_some();
    // What is asked of who schedules it has a word of its own, and is about the provider's name for it.
    let wish = WishVerb::parse(operation).filter(|_| !order_id.is_empty());
    let operation = match (question, wish) {
        (Some(key), _) => ink.t(key),
        (None, Some(wish)) => ink.locale().label("verb", wish.as_str()).to_owned(),
        (None, None) => (*operation).to_owned(),
    };
    let mut text = format!("{provider} {operation}");
    if let Some(money) = plan.amount.filter(|_| !asks) {
        text = format!("{text}  {}", ink.model.money(money));
    }
    if let (Some(minor), Some(money), false) = (expected_balance_minor, plan.amount, asks) {
        let balance = crate::domain::money::Money::new(*minor, money.currency());
        let balance = ink.model.money(balance);
        let balance = ink
            .locale()
            .t_args("dialog.balance", &[("money", &balance)]);
        text = format!("{text}  {balance}");
    }
    pages.field(&label, LABEL, &text, Role::Text, room);
    if !order_id.is_empty() {
        let order = Shown::line(order_id).into_string();
        let label = ink.t(if wish.is_some() {
            "dialog.at_stripe"
        } else {
            "dialog.order"
        });
        pages.field(&label, LABEL, &order, Role::Dim, room);
    }
    if !idem_key.is_empty() {
        let key = Shown::line(idem_key).into_string();
        let label = ink.t("dialog.idem_key");
        pages.field(&label, LABEL, &key, Role::Dim, room);
    }
}

fn effect_text(ink: &Ink<'_>, effect: &Effect) -> String {
    let model = ink.model;
    let locale = ink.locale();
    let say = |id: &str, args: &[(&str, &str)]| locale.t_args(&format!("dialog.effect.{id}"), args);
    let at = |at: &Option<chrono::DateTime<chrono::Utc>>| {
        at.map_or_else(
            || locale.t("common.time.never").to_owned(),
            |at| model.date(at),
        )
    };
    match effect {
        Effect::State { from, to } => say(
            "state",
            &[
                ("from", locale.label("state.subscription", from.as_str())),
                ("to", locale.label("state.subscription", to.as_str())),
            ],
        ),
        Effect::NextCharge { from, to } if from == to => {
            say("next_charge_same", &[("at", &at(to))])
        }
        Effect::NextCharge { from, to } => {
            say("next_charge", &[("from", &at(from)), ("to", &at(to))])
        }
        Effect::AccessUntil(until) => say("access_until", &[("at", &model.date(*until))]),
        Effect::AccessStaysOver(until) => say("access_stays_over", &[("at", &model.date(*until))]),
        Effect::PeriodsNotBilled { .. }
        | Effect::PeriodsWrittenDown { .. }
        | Effect::ChargedByNextRun { .. } => periods_text(ink, effect),
        Effect::EndsAt(until) => say("ends_at", &[("at", &model.date_time(*until))]),
        Effect::Mrr(money) => {
            let currency = money.currency();
            let text = locale.signed_money(money.minor(), currency.exponent(), currency.code());
            if money.minor() == 0 {
                say("mrr_same", &[])
            } else {
                say("mrr", &[("money", &text)])
            }
        }
        Effect::Credits(count) => say("credits", &[("n", &locale.signed_count(*count))]),
        Effect::RefundableAfter(money) => {
            say("refundable_after", &[("money", &model.money(*money))])
        }
        Effect::InvoicesVoided(count) => say("invoices_voided", &[("n", &model.count(*count))]),
        Effect::InvoiceGivenUp(invoice) => {
            say("invoice_given_up", &[("invoice", &words::id(invoice))])
        }
        Effect::CollectionStops => say("collection_stops", &[]),
        Effect::CollectionGoesOn => say("collection_goes_on", &[]),
        Effect::ChargesOwed { .. }
        | Effect::AskedNext { .. }
        | Effect::ChargedByCard(_)
        | Effect::LeftWithoutCard(_) => cards_text(ink, effect),
        Effect::SubscriptionsKept(count) => {
            say("subscriptions_kept", &[("n", &model.count(*count))])
        }
        Effect::TrialUntil(until) => say("trial_until", &[("at", &model.date(*until))]),
        Effect::InvoicePaid(invoice) => say("invoice_paid", &[("invoice", &words::id(invoice))]),
        Effect::RequestReplaced(request) => {
            say("request_replaced", &[("request", &words::id(request))])
        }
        Effect::SecondPerson { minutes } => say("second_person", &[("n", &locale.count(*minutes))]),
        Effect::Attempt { from, to } => say(
            "attempt",
            &[
                ("from", locale.label("state.attempt", from.as_str())),
                ("to", locale.label("state.attempt", to.as_str())),
            ],
        ),
    }
}

/// What becomes of what is owed, and by which card.
fn cards_text(ink: &Ink<'_>, effect: &Effect) -> String {
    let model = ink.model;
    let locale = ink.locale();
    let say = |id: &str, args: &[(&str, &str)]| locale.t_args(&format!("dialog.effect.{id}"), args);
    match effect {
        Effect::ChargesOwed { invoice, amount } => say(
            "charges_owed",
            &[
                ("invoice", &words::id(invoice)),
                ("money", &model.money(*amount)),
            ],
        ),
        Effect::AskedNext { call, card } => say(
            "asked_next",
            &[
                ("provider", locale.label("provider", call.provider.as_str())),
                ("card", &model.card(card)),
                ("order", &Shown::line(&call.order_id).into_string()),
            ],
        ),
        Effect::ChargedByCard(count) => say("charged_by_card", &[("n", &model.count(*count))]),
        Effect::LeftWithoutCard(count) => say("left_without_card", &[("n", &model.count(*count))]),
        _ => String::new(),
    }
}

/// What becomes of periods that nobody was billed for.
fn periods_text(ink: &Ink<'_>, effect: &Effect) -> String {
    let model = ink.model;
    let say =
        |id: &str, args: &[(&str, &str)]| ink.locale().t_args(&format!("dialog.effect.{id}"), args);
    match effect {
        Effect::PeriodsNotBilled { count, from, to } => say(
            "periods_not_billed",
            &[
                ("n", &model.count(*count)),
                ("from", &model.day_text(*from)),
                ("to", &model.day_text(*to)),
            ],
        ),
        Effect::PeriodsWrittenDown {
            count,
            from,
            to,
            each,
        } => say(
            "periods_written_down",
            &[
                ("n", &model.count(*count)),
                ("from", &model.day_text(*from)),
                ("to", &model.day_text(*to)),
                ("money", &model.money(*each)),
            ],
        ),
        Effect::ChargedByNextRun { due_at, amount } => say(
            "charged_by_next_run",
            &[
                ("at", &model.date(*due_at)),
                ("money", &model.money(*amount)),
            ],
        ),
        _ => String::new(),
    }
}

const fn not_id(not: NotHappening) -> &'static str {
    match not {
        NotHappening::Cancel => "cancel",
        NotHappening::Refund => "refund",
        NotHappening::RefundOfRest => "refund_of_rest",
        NotHappening::ProviderCall => "provider_call",
        NotHappening::ScheduleMove => "schedule_move",
        NotHappening::DunningMove => "dunning_move",
        NotHappening::SendAgain => "send_again",
        NotHappening::SecondExecution => "second_execution",
        NotHappening::BeforeApproval => "before_approval",
    }
}

const fn warning_id(warning: Warning) -> &'static str {
    match warning {
        Warning::CardExpired => "card_expired",
        Warning::KeysAreForRecurring => "keys_are_for_recurring",
        Warning::SuspiciousName => "suspicious_name",
        Warning::HardDecline => "hard_decline",
        Warning::CancelScheduled => "cancel_scheduled",
    }
}
