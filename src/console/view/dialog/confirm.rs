//! The confirming dialog: who, what, how much, what is sent, what follows, what does not happen, what to think of,
//! and what to do to confirm.

use ratatui::layout::Rect;

use super::super::super::model::{Confirm, FormKind, Gate, Modal, Phase, Planned, Ready, Wanted};
use super::super::super::theme::Role;
use super::super::footer::spinner;
use super::super::ink::{Focus, Ink, span};
use super::super::pages::Pages;
use super::{mode_span, plan, run};
use crate::engine::{Confirmation, Request};
use crate::text::{Shown, width};

pub fn draw(ink: &mut Ink<'_>, confirm: &Confirm) {
    let name = ink.locale().label("verb", confirm.asked.called());
    let title = [span(format!("{name}  "), Role::Title), mode_span(ink)];
    let wide = ink.buffer.area.width.saturating_sub(2).min(78);
    let role = match ink.model.mode {
        crate::domain::mode::Mode::Live => Role::NeedsPerson,
        _ => Role::BorderFocused,
    };
    match &confirm.phase {
        Phase::Ready(ready) => shown(ink, ready, wide, &title, role),
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

fn shown(
    ink: &mut Ink<'_>,
    ready: &Ready,
    wide: u16,
    title: &[super::super::ink::Span],
    role: Role,
) {
    let room = usize::from(wide.saturating_sub(4)).max(8);
    let gate = &ready.gate;
    let lines = match &ready.planned {
        Planned::Verb { request, plan } => {
            let mut lines = plan::lines(ink, plan, room);
            refunded(ink, request, &mut lines, room);
            lines
        }
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

/// What a plan of a refund does not know: the payment as a person recognises it, and why.
fn refunded(ink: &Ink<'_>, request: &Request, lines: &mut Pages, room: usize) {
    let Request::Refund { reason, .. } = request else {
        return;
    };
    let paid = ink.model.modals.iter().find_map(|modal| match modal {
        Modal::Form(form) => match &form.kind {
            FormKind::Refund { paid, .. } => paid.as_deref(),
            _ => None,
        },
        _ => None,
    });
    if let Some(paid) = paid {
        let text = super::form::paid_text(ink, paid);
        let label = ink.locale().label("noun", "payment").to_owned();
        lines.field(&label, plan::LABEL, &text, Role::Text, room);
    }
    let label = ink.t("dialog.field.reason");
    let reason = Shown::detail(reason).into_string();
    lines.field(&label, plan::LABEL, &reason, Role::Text, room);
}

fn type_label(ink: &Ink<'_>, wanted: &Wanted, planned: &Planned) -> String {
    match wanted {
        Wanted::Amount(money) => ink
            .locale()
            .t_args("dialog.type_amount", &[("money", &ink.model.money(*money))]),
        Wanted::Count(count) => ink
            .locale()
            .t_args("dialog.type_count", &[("n", &ink.model.count(*count))]),
        Wanted::Ending(_) => ink.t(match planned {
            Planned::Verb { plan, .. }
                if matches!(plan.confirm, Confirmation::AmountAndEnding(..)) =>
            {
                "dialog.type_ending_customer"
            }
            Planned::Verb { plan, .. } if matches!(plan.called(), "void" | "give_up") => {
                "dialog.type_ending_invoice"
            }
            _ => "dialog.type_ending_subscription",
        }),
    }
}

/// What a field must hold, said to somebody who typed something else. An ending is on the screen already.
fn expected(ink: &Ink<'_>, wanted: &Wanted) -> String {
    let (id, what) = match wanted {
        Wanted::Amount(money) => ("expected", ink.model.money(*money)),
        Wanted::Count(count) => ("expected", ink.model.count(*count)),
        Wanted::Ending(_) => ("expected_ending", String::new()),
    };
    ink.locale()
        .t_args(&format!("dialog.{id}"), &[("what", &what)])
}

/// What would move, for the button that says so.
fn moving(ink: &Ink<'_>, planned: &Planned) -> (&'static str, Option<String>) {
    match planned {
        Planned::Verb { plan, .. } => (
            plan.called(),
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
    } else if let Some(wanted) = gate.typed.get(gate.focus).filter(|_| gate.missed) {
        (expected(ink, &wanted.wanted), Role::NeedsPerson)
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
