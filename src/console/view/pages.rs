//! Lines of text in a region: wrapped, scrolled so that the chosen line shows, with the states every panel has.

use ratatui::layout::Rect;

use super::super::fault::Fault;
use super::super::model::Loading;
use super::super::overlay;
use super::super::theme::Role;
use super::footer::spinner;
use super::ink::{Ink, Spans, span};
use crate::text::{width, wrap};

/// A text to be shown in a region.
#[derive(Debug, Default)]
pub struct Pages {
    lines: Vec<Spans>,
    /// Where each line that can be chosen begins, in order.
    choices: Vec<usize>,
}

impl Pages {
    pub fn line(&mut self, spans: Spans) {
        self.lines.push(spans);
    }

    /// A line that can be chosen.
    pub fn choice(&mut self, spans: Spans) {
        self.choices.push(self.lines.len());
        self.lines.push(spans);
    }

    pub fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    pub fn head(&mut self, text: impl Into<String>) {
        self.lines.push(vec![span(text, Role::Title)]);
    }

    /// A label and what it says, which may take several lines.
    pub fn field(&mut self, label: &str, label_width: usize, text: &str, role: Role, room: usize) {
        let wide = label_width.min(room / 2);
        let mut head = crate::text::fit(label, wide, crate::text::Align::Left);
        head.push_str("  ");
        let rest = room.saturating_sub(wide + 2).max(4);
        for (at, part) in wrap(text, rest).into_iter().enumerate() {
            let before = if at == 0 {
                head.clone()
            } else {
                " ".repeat(wide + 2)
            };
            self.lines
                .push(vec![span(before, Role::Dim), span(part, role)]);
        }
    }

    /// A text over several lines.
    pub fn paragraph(&mut self, indent: usize, text: &str, role: Role, room: usize) {
        for part in wrap(text, room.saturating_sub(indent).max(4)) {
            self.lines
                .push(vec![span(" ".repeat(indent), role), span(part, role)]);
        }
    }

    pub fn height(&self) -> usize {
        self.lines.len()
    }

    /// Draws from the top; scrolls just far enough that the chosen line shows.
    pub fn draw(&self, ink: &mut Ink<'_>, area: Rect, chosen: Option<usize>) {
        let height = usize::from(area.height);
        let line = chosen.and_then(|chosen| self.choices.get(chosen)).copied();
        let end = chosen
            .and_then(|chosen| self.choices.get(chosen + 1))
            .map_or(self.lines.len(), |next| *next);
        let top = line.map_or(0, |line| {
            let bottom = end.min(line + height.max(1));
            bottom.saturating_sub(height).min(line)
        });
        self.draw_from(ink, area, top, line);
    }

    pub fn draw_from(&self, ink: &mut Ink<'_>, area: Rect, top: usize, chosen: Option<usize>) {
        let height = usize::from(area.height);
        for (row, (at, line)) in self
            .lines
            .iter()
            .enumerate()
            .skip(top)
            .take(height)
            .enumerate()
        {
            let y = area.y + u16::try_from(row).unwrap_or(0);
            ink.spans(area, y, line);
            if chosen == Some(at) {
                ink.select(Rect::new(area.x, y, area.width, 1));
            }
        }
        if top + height < self.lines.len() && area.height > 0 {
            let more = format!(" {}", ink.t("console.more"));
            let wide = u16::try_from(width(&more)).unwrap_or(0);
            if wide < area.width {
                let corner = Rect::new(area.right() - wide, area.bottom() - 1, wide, 1);
                overlay::clear(corner.intersection(ink.buffer.area), ink.buffer);
                ink.word(corner.x, corner.y, wide, &more, Role::Dim);
            }
        }
    }
}

/// Says why a panel is empty: it is being read, it could not be read, or there is nothing.
pub fn empty(ink: &mut Ink<'_>, area: Rect, loading: &Loading, nothing: &str) {
    if area.height == 0 || area.width < 4 {
        return;
    }
    let mut lines: Vec<(String, Role)> = Vec::new();
    match (&loading.asked, &loading.fault) {
        (Some((_, since)), _) => {
            if let Some(mark) = spinner(ink, *since) {
                let text = ink.t("console.state.loading");
                lines.push((format!("{mark} {text}"), Role::Waits));
            }
        }
        (None, Some(fault)) => {
            let (what, next) = ink.model.fault(fault);
            let mark = ink.glyphs().needs_person;
            lines.push((format!("{mark} {what}"), Role::NeedsPerson));
            lines.push((next, Role::Dim));
            lines.push((ink.t("console.state.again"), Role::Dim));
        }
        (None, None) if loading.loaded_at.is_some() => {
            lines.push((nothing.to_owned(), Role::Dim));
        }
        (None, None) => {}
    }
    let room = usize::from(area.width.saturating_sub(4)).max(4);
    let wrapped: Vec<(String, Role)> = lines
        .into_iter()
        .flat_map(|(text, role)| wrap(&text, room).into_iter().map(move |line| (line, role)))
        .collect();
    let top = area
        .height
        .saturating_sub(u16::try_from(wrapped.len()).unwrap_or(0))
        / 3;
    for (row, (text, role)) in wrapped.iter().enumerate() {
        let y = area.y + top + u16::try_from(row).unwrap_or(0);
        if y >= area.bottom() {
            break;
        }
        let wide = u16::try_from(width(text)).unwrap_or(0);
        let x = area.x + area.width.saturating_sub(wide) / 2;
        ink.word(x, y, area.right().saturating_sub(x), text, *role);
    }
}

/// What stands beside a title: a wait that is long enough to be mentioned, or that what is shown is old.
pub fn state(ink: &Ink<'_>, loading: &Loading) -> Spans {
    if let Some((_, since)) = loading.asked
        && let Some(mark) = spinner(ink, since)
    {
        return vec![span(format!(" {mark}"), Role::Waits)];
    }
    let lost = ink.model.is_lost.then(|| Fault::new("unreachable"));
    match (loading.fault.as_ref().or(lost.as_ref()), loading.loaded_at) {
        (Some(fault), Some(at)) => {
            let clock = format!("{} ({})", ink.model.clock(at), ink.model.age(at));
            let (what, _) = ink.model.fault(fault);
            let text = ink
                .locale()
                .t_args("console.state.stale", &[("at", &clock), ("why", &what)]);
            vec![span(
                format!(" {} {text}", ink.glyphs().needs_person),
                Role::NeedsPerson,
            )]
        }
        _ => Vec::new(),
    }
}
