//! The confirming dialog: who, what, how much, what is sent, what follows, what does not happen, what to think of,
//! and what to do to confirm.

use ratatui::layout::Rect;

use super::super::super::model::{Confirm, Gate, Phase, Planned, Ready, Wanted};
use super::super::super::theme::Role;
use super::super::footer::spinner;
use super::super::ink::{Focus, Ink, span};
use super::super::pages::Pages;
use super::super::words;
use super::{mode_span, run};
use crate::engine::{ActionPlan, Confirmation, Effect, NotHappening, PlannedCall, Warning};
use crate::text::{Align, Shown, fit, width};

/// Labels are padded to this width.
const LABEL: usize = 12;

pub fn draw(ink: &mut Ink<'_>, confirm: &Confirm) {
    let verb = confirm.asked.verb();
    let name = ink.locale().label("verb", verb.as_str());
    let title = [span(format!("{name}  "), Role::Title), mode_span(ink)];
    let wide = ink.buffer.area.width.saturating_sub(2).min(78);
    let role = match ink.model.mode {
        crate::domain::mode::Mode::Live => Role::NeedsPerson,
        _ => Role::BorderFocused,
    };
    match &confirm.phase {
        Phase::Ready(ready) => plan(ink, ready, wide, &title, role),
        Phase::Planning { since_ms, .. } => {
            let inner = ink.dialog(wide, 5, &title, role);
            let mark = spinner(ink, *since_ms).unwrap_or(" ");
            let text = ink.t("dialog.planning");
            ink.spans(
                inner,
                inner.y,
                &[span(format!("{mark} {text}"), Role::Waits)],
            );
            let keys = ink.t("dialog.keys.cancel");
            ink.spans(inner, inner.y + 2, &[span(keys, Role::Dim)]);
        }
        Phase::Sending { since_ms, .. } => {
            let inner = ink.dialog(wide, 6, &title, role);
            let mark = spinner(ink, *since_ms).unwrap_or(" ");
            let text = ink.t("dialog.sending");
            ink.spans(
                inner,
                inner.y,
                &[span(format!("{mark} {text}"), Role::Waits)],
            );
            let text = ink.t("dialog.sending_on");
            ink.spans(inner, inner.y + 1, &[span(text, Role::Dim)]);
            let keys = ink.t("dialog.keys.close");
            ink.spans(inner, inner.y + 3, &[span(keys, Role::Dim)]);
        }
        Phase::Expired => {
            let inner = ink.dialog(wide, 6, &title, Role::Waits);
            let text = ink.t("dialog.expired");
            ink.spans(inner, inner.y, &[span(text, Role::Waits)]);
            let keys = ink.t("dialog.keys.expired");
            ink.spans(inner, inner.y + 2, &[span(keys, Role::Dim)]);
        }
    }
}

fn plan(
    ink: &mut Ink<'_>,
    ready: &Ready,
    wide: u16,
    title: &[super::super::ink::Span],
    role: Role,
) {
    let room = usize::from(wide.saturating_sub(4)).max(8);
    let gate = &ready.gate;
    let lines = match &ready.planned {
        Planned::Verb { plan, .. } => lines(ink, plan, room),
        Planned::Run { until, preview } => run::lines(ink, *until, preview, room),
    };
    let fields = u16::try_from(gate.typed.len()).unwrap_or(0);
    let foot = fields + 3;
    let body = u16::try_from(lines.height()).unwrap_or(u16::MAX);
    let high = body.saturating_add(foot + 2).min(ink.buffer.area.height);
    let inner = ink.dialog(wide, high, title, role);
    if inner.height <= foot {
        return;
    }
    let body = Rect::new(inner.x, inner.y, inner.width, inner.height - foot);
    let most = lines.height().saturating_sub(usize::from(body.height));
    lines.draw_from(ink, body, gate.scroll.min(most), None);
    let mut y = body.bottom();
    ink.rule(Rect::new(inner.x, y, inner.width, 1), Role::Border);
    y += 1;
    for (at, typed) in gate.typed.iter().enumerate() {
        let line = Rect::new(inner.x, y, inner.width, 1);
        let label = type_label(ink, &typed.wanted, &ready.planned);
        let is_met = typed.wanted.is_met_by(typed.input.value());
        let mark = if is_met { ink.glyphs().settled } else { " " };
        let label_role = if is_met { Role::Settled } else { Role::Text };
        let took = ink.spans(line, y, &[span(format!("{mark} {label}: "), label_role)]);
        let field = Rect::new(line.x + took, y, line.width.saturating_sub(took).min(16), 1);
        ink.field(field, &typed.input, Focus::when(at == gate.focus));
        y += 1;
    }
    buttons(ink, Rect::new(inner.x, y, inner.width, 1), ready);
    let left = gate.seconds_left(ink.model.now.ms).to_string();
    let closes = ink.locale().t_args("dialog.closes_in", &[("n", &left)]);
    ink.spans_right(inner, y + 1, &[span(closes, Role::Dim)]);
    let keys = if most > 0 {
        ink.t("dialog.keys.scroll")
    } else {
        ink.t("dialog.keys.cancel")
    };
    ink.spans(inner, y + 1, &[span(keys, Role::Dim)]);
}

fn type_label(ink: &Ink<'_>, wanted: &Wanted, planned: &Planned) -> String {
    match wanted {
        Wanted::Amount(money) => ink
            .locale()
            .t_args("dialog.type_amount", &[("money", &ink.model.money(*money))]),
        Wanted::Count(count) => ink
            .locale()
            .t_args("dialog.type_count", &[("n", &ink.model.count(*count))]),
        Wanted::Ending(_) => {
            let takes_customer = matches!(planned, Planned::Verb { plan, .. }
                if matches!(plan.confirm, Confirmation::AmountAndEnding(..)));
            ink.t(if takes_customer {
                "dialog.type_ending_customer"
            } else {
                "dialog.type_ending_subscription"
            })
        }
    }
}

/// What would move, for the button that says so.
fn moving(ink: &Ink<'_>, planned: &Planned) -> (&'static str, Option<String>) {
    match planned {
        Planned::Verb { plan, .. } => (
            plan.verb.as_str(),
            plan.amount.map(|money| ink.model.money(money)),
        ),
        Planned::Run { preview, .. } => ("bill_run", Some(ink.model.moneys(&preview.totals))),
    }
}

/// Cancel has the focus. What confirms is a key of its own, and shows only once it would.
fn buttons(ink: &mut Ink<'_>, line: Rect, ready: &Ready) {
    let cancel = format!("[ {} ]", ink.locale().label("answer", "cancel"));
    let took = ink.spans(line, line.y, &[span(cancel.clone(), Role::Title)]);
    let gate: &Gate = &ready.gate;
    if gate.typed.is_empty() {
        ink.select(Rect::new(
            line.x,
            line.y,
            u16::try_from(width(&cancel)).unwrap_or(0),
            1,
        ));
    }
    let (verb, moves) = moving(ink, &ready.planned);
    let verb = ink.locale().label("verb", verb);
    let (text, role) = if gate.is_typed() {
        let mut text = ink.locale().t_args("dialog.press_y", &[("verb", verb)]);
        if let Some(money) = moves {
            text = format!("{text} {money}");
        }
        (text, Role::Key)
    } else {
        (ink.t("dialog.type_first"), Role::Dim)
    };
    let rest = Rect::new(
        line.x + took + 3,
        line.y,
        line.width.saturating_sub(took + 3),
        1,
    );
    ink.spans(rest, line.y, &[span(text, role)]);
}

fn lines(ink: &Ink<'_>, plan: &ActionPlan, room: usize) -> Pages {
    let mut pages = Pages::default();
    let label = |id: &str| ink.t(&format!("dialog.{id}"));
    if let Some(customer) = &plan.customer {
        // Who it is about is never masked here: one must be able to check it.
        let name = Shown::detail(&customer.name).into_string();
        let text = format!("{name}  {}", words::id(&customer.public_id));
        pages.field(&label("customer"), LABEL, &text, Role::Title, room);
    }
    let mut what = Shown::detail(&plan.what).into_string();
    for id in [&plan.subject, &plan.subscription].into_iter().flatten() {
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
    let label = ink.t("dialog.sent");
    let Some(PlannedCall {
        operation,
        order_id,
        idem_key,
        expected_balance_minor,
    }) = &plan.call
    else {
        let text = ink.t("dialog.no_call");
        pages.field(&label, LABEL, &text, Role::Dim, room);
        return;
    };
    let provider = ink.locale().label("provider", "toss");
    let mut text = format!("{provider} {operation}");
    if let Some(money) = plan.amount {
        text = format!("{text}  {}", ink.model.money(money));
    }
    if let (Some(minor), Some(money)) = (expected_balance_minor, plan.amount) {
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
        let label = ink.t("dialog.order");
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
        Effect::NextCharge { from, to } => {
            say("next_charge", &[("from", &at(from)), ("to", &at(to))])
        }
        Effect::AccessUntil(until) => say("access_until", &[("at", &model.date(*until))]),
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
        Effect::ChargesOwed { invoice, amount } => say(
            "charges_owed",
            &[
                ("invoice", &words::id(invoice)),
                ("money", &model.money(*amount)),
            ],
        ),
        Effect::SubscriptionsKept(count) => {
            say("subscriptions_kept", &[("n", &model.count(*count))])
        }
        Effect::TrialUntil(until) => say("trial_until", &[("at", &model.date(*until))]),
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
