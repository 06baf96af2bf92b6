//! A form: labels, fields, what is wrong.

use ratatui::layout::Rect;

use super::super::super::model::{Choice, Covered, Field, Form, FormKind, Label, Paid, Value};
use super::super::super::theme::Role;
use super::super::ink::{Focus, Ink, span};
use super::super::words;
use super::mode_span;
use crate::text::{Align, Shown, fit, width, wrap};

pub fn draw(ink: &mut Ink<'_>, form: &Form) {
    let verb = ink.t(&format!("dialog.form.{}", form.title()));
    let title = [span(format!("{verb}  "), Role::Title), mode_span(ink)];
    let wide = ink.buffer.area.width.saturating_sub(4).min(74);
    let lines = u16::try_from(form.fields.len()).unwrap_or(0);
    let hint = ink.t(&format!("dialog.form_hint.{}", form.title()));
    let mut hints = wrap(&hint, usize::from(wide.saturating_sub(4)).max(4));
    if let FormKind::Refund {
        paid: Some(paid), ..
    } = &form.kind
    {
        hints.insert(0, paid_text(ink, paid));
    }
    let hint_lines = u16::try_from(hints.len()).unwrap_or(1);
    let inner = ink.dialog(wide, lines + hint_lines + 7, &title, Role::BorderFocused);
    let mut y = inner.y;
    if let Some(about) = about(ink, form) {
        ink.spans(inner, y, &[span(about, Role::Title)]);
    }
    y += 1;
    for line in hints {
        if y < inner.bottom() {
            ink.spans(inner, y, &[span(line, Role::Dim)]);
        }
        y += 1;
    }
    y += 1;
    let label_room = form
        .fields
        .iter()
        .map(|field| width(ink.t(&format!("dialog.field.{}", field.id))))
        .max()
        .unwrap_or(8)
        .min(24);
    // A form that is taller than the screen shows the part around the field that has the keys.
    let room = usize::from(inner.bottom().saturating_sub(y + 2)).max(1);
    let top = (form.focus + 1).saturating_sub(room);
    for (at, field) in form.fields.iter().enumerate().skip(top).take(room) {
        if y >= inner.bottom() {
            break;
        }
        let line = Rect::new(inner.x, y, inner.width, 1);
        one(
            ink,
            line,
            form,
            field,
            Focus::when(at == form.focus),
            label_room,
        );
        y += 1;
    }
    if let Some(problem) = &form.problem {
        let text = ink.t(&format!("dialog.problem.{}", problem.text));
        let mark = ink.glyphs().needs_person;
        let y = inner.bottom().saturating_sub(2);
        ink.spans(
            inner,
            y,
            &[span(format!("{mark} {text}"), Role::NeedsPerson)],
        );
    }
    let keys = ink.t("dialog.form_keys");
    let y = inner.bottom().saturating_sub(1);
    ink.spans(inner, y, &[span(keys, Role::Dim)]);
}

/// A payment as a person recognises it: which, when, how much, with which card.
pub fn paid_text(ink: &Ink<'_>, paid: &Paid) -> String {
    let card = paid.card.as_ref().map(|card| {
        let at = ink.model.provider(card.provider);
        format!("{at} {}", ink.model.card_short(card))
    });
    let parts = [
        Some(words::id(&paid.public_id)),
        Some(ink.model.date_time(paid.captured_at)),
        Some(ink.model.money(paid.captured)),
        card,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

/// Whom or what it is about.
fn about(ink: &Ink<'_>, form: &Form) -> Option<String> {
    let name = Shown::detail(&form.name).into_string();
    match &form.kind {
        FormKind::Refund { refundable, .. } => Some(format!(
            "{name}   {} {}",
            ink.t("dialog.refundable"),
            ink.model.money(*refundable)
        )),
        _ if name.is_empty() => None,
        _ => Some(name),
    }
}

fn one(ink: &mut Ink<'_>, line: Rect, form: &Form, field: &Field, focus: Focus, label_room: usize) {
    let label = ink.t(&format!("dialog.field.{}", field.id));
    let is_wrong = form
        .problem
        .as_ref()
        .is_some_and(|problem| problem.field == field.id);
    let role = match (is_wrong, focus) {
        (true, _) => Role::NeedsPerson,
        (false, Focus::Here) => Role::Accent,
        (false, Focus::Elsewhere) => Role::Dim,
    };
    let mark = match focus {
        Focus::Here => ink.glyphs().focus,
        Focus::Elsewhere => " ",
    };
    let head = format!("{mark} {}  ", fit(label, label_room, Align::Left));
    let took = ink.spans(line, line.y, &[span(head, role)]);
    let rest = Rect::new(line.x + took, line.y, line.width.saturating_sub(took), 1);
    match &field.value {
        Value::Text(input) => ink.field(rest, input, focus),
        Value::Hidden(Covered(input)) => {
            let stars = "*".repeat(input.value().chars().count().min(24));
            ink.spans(rest, rest.y, &[span(stars, Role::Text)]);
            if focus == Focus::Here {
                let column = u16::try_from(input.value().chars().count().min(24)).unwrap_or(0);
                ink.caret = Some(ratatui::layout::Position::new(rest.x + column, rest.y));
            }
        }
        Value::Choice { options, at } => choice(ink, rest, options, *at, focus),
    }
}

fn choice(ink: &mut Ink<'_>, area: Rect, options: &[Choice], at: usize, focus: Focus) {
    let text = match options.get(at).map(|choice| &choice.label) {
        Some(Label::Key(key)) => ink.t(key),
        Some(Label::Raw(raw)) => Shown::line(raw).into_string(),
        None => ink.t("console.state.loading"),
    };
    let count = options.len();
    let role = match focus {
        Focus::Here => Role::Text,
        Focus::Elsewhere => Role::Dim,
    };
    let mut spans = vec![span(format!("< {text} >"), role)];
    if count > 1 {
        spans.push(span(format!("  {}/{count}", at + 1), Role::Dim));
    }
    ink.spans(area, area.y, &spans);
}
