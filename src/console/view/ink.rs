//! The pen: writes text by role into a region and never beyond it.
//!
//! Everything on the screen goes through it. It takes texts that are ours or passed `text::Shown`; what it cannot
//! place it leaves out. Invariant: no write outside the buffer, at any size.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};

use super::super::model::Model;
use super::super::overlay;
use super::super::theme::{Glyphs, Role, Theme};
use crate::locale::Locale;
use crate::text::{Align, fit, width};

/// A piece of text with its look.
pub type Span = (String, Role);

/// A line of pieces.
pub type Spans = Vec<Span>;

pub fn span(text: impl Into<String>, role: Role) -> Span {
    (text.into(), role)
}

/// Where the next character goes, and how things look.
pub struct Ink<'a> {
    pub model: &'a Model,
    pub theme: &'a Theme,
    pub buffer: &'a mut Buffer,
    /// Where the hardware cursor belongs; input methods draw there.
    pub caret: Option<Position>,
}

impl Ink<'_> {
    pub fn locale(&self) -> &'static Locale {
        self.model.locale()
    }

    pub const fn glyphs(&self) -> &Glyphs {
        self.theme.glyphs()
    }

    /// The text of a key.
    pub fn t(&self, key: &str) -> String {
        self.locale().t(key).to_owned()
    }

    /// Writes at most `room` columns and says how many it took.
    pub fn put(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if room == 0 || y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right()
        {
            return 0;
        }
        let room = room.min(area.right() - x);
        let (end, _) = self
            .buffer
            .set_stringn(x, y, text, usize::from(room), style);
        end.saturating_sub(x)
    }

    pub fn word(&mut self, x: u16, y: u16, room: u16, text: &str, role: Role) -> u16 {
        self.put(x, y, room, text, self.theme.style(role))
    }

    /// Writes pieces one after the other; the last one that does not fit is cut with a mark.
    pub fn spans(&mut self, area: Rect, y: u16, spans: &[Span]) -> u16 {
        let mut x = area.x;
        for (text, role) in spans {
            let room = area.right().saturating_sub(x);
            if room == 0 {
                break;
            }
            let wide = width(text);
            let took = if wide > usize::from(room) {
                let cut = fit(text, usize::from(room), Align::Left);
                self.word(x, y, room, &cut, *role)
            } else {
                self.word(x, y, room, text, *role)
            };
            x += took;
        }
        x - area.x
    }

    /// The same, ending at the right edge.
    pub fn spans_right(&mut self, area: Rect, y: u16, spans: &[Span]) -> u16 {
        let wide = u16::try_from(spans_width(spans)).unwrap_or(u16::MAX);
        let wide = wide.min(area.width);
        let x = area.right().saturating_sub(wide);
        self.spans(Rect::new(x, y, wide, 1), y, spans)
    }

    pub fn rule(&mut self, area: Rect, role: Role) {
        let line = self.glyphs().rule;
        let style = self.theme.style(role);
        for x in area.left()..area.right() {
            self.put(x, area.y, 1, line, style);
        }
    }

    pub fn rule_down(&mut self, area: Rect) {
        let rule = self.glyphs().rule_vertical;
        let style = self.theme.style(Role::Border);
        for y in area.top()..area.bottom() {
            self.put(area.x, y, 1, rule, style);
        }
    }

    /// Makes a whole line the selected one: one look for all of it.
    pub fn select(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        let plain = Style::reset().patch(self.theme.style(Role::Selection));
        self.buffer.set_style(area, plain);
    }

    /// A frame with a title; gives what is inside.
    pub fn frame(&mut self, area: Rect, title: &[Span], role: Role) -> Rect {
        let area = area.intersection(self.buffer.area);
        if area.width < 2 || area.height < 2 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        let set = self.glyphs().border;
        let style = self.theme.style(role);
        for x in area.left() + 1..area.right() - 1 {
            self.put(x, area.top(), 1, set.horizontal_top, style);
            self.put(x, area.bottom() - 1, 1, set.horizontal_bottom, style);
        }
        for y in area.top() + 1..area.bottom() - 1 {
            self.put(area.left(), y, 1, set.vertical_left, style);
            self.put(area.right() - 1, y, 1, set.vertical_right, style);
        }
        self.put(area.left(), area.top(), 1, set.top_left, style);
        self.put(area.right() - 1, area.top(), 1, set.top_right, style);
        self.put(area.left(), area.bottom() - 1, 1, set.bottom_left, style);
        self.put(
            area.right() - 1,
            area.bottom() - 1,
            1,
            set.bottom_right,
            style,
        );
        if !title.is_empty() && area.width > 6 {
            let room = Rect::new(area.x + 2, area.y, area.width - 4, 1);
            let mut padded = vec![span(" ", role)];
            padded.extend_from_slice(title);
            padded.push(span(" ", role));
            self.spans(room, area.y, &padded);
        }
        Rect::new(
            area.x + 2,
            area.y + 1,
            area.width.saturating_sub(4),
            area.height - 2,
        )
    }

    /// A dialog in the middle: clears the ground and draws a frame.
    pub fn dialog(&mut self, wide: u16, high: u16, title: &[Span], role: Role) -> Rect {
        let screen = self.buffer.area;
        let (wide, high) = (wide.min(screen.width), high.min(screen.height));
        let area = Rect::new(
            screen.x + (screen.width - wide) / 2,
            screen.y + (screen.height - high) / 2,
            wide,
            high,
        );
        self.dialog_at(area, title, role)
    }

    pub fn dialog_at(&mut self, area: Rect, title: &[Span], role: Role) -> Rect {
        overlay::clear(area, self.buffer);
        self.frame(area, title, role)
    }

    /// A text field, with the caret when it has the focus.
    pub fn field(&mut self, area: Rect, input: &tui_input::Input, focused: Focus) {
        let room = usize::from(area.width.saturating_sub(1)).max(1);
        let scroll = input.visual_scroll(room);
        let text = crate::text::Shown::line(input.value());
        let shown = skip_columns(text.as_str(), scroll);
        let role = match focused {
            Focus::Here => Role::Text,
            Focus::Elsewhere => Role::Dim,
        };
        let style = self.theme.style(role);
        let style = match focused {
            Focus::Here => style.add_modifier(Modifier::UNDERLINED),
            Focus::Elsewhere => style,
        };
        let padded = fit(&shown, usize::from(area.width), Align::Left);
        let text = if width(&shown) > usize::from(area.width) {
            shown
        } else {
            padded
        };
        self.put(area.x, area.y, area.width, &text, style);
        if focused == Focus::Here {
            let column = input.visual_cursor().saturating_sub(scroll);
            let x = area.x
                + u16::try_from(column)
                    .unwrap_or(0)
                    .min(area.width.saturating_sub(1));
            self.caret = Some(Position::new(x, area.y));
        }
    }
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    Here,
    Elsewhere,
}

impl Focus {
    pub const fn when(here: bool) -> Self {
        if here { Self::Here } else { Self::Elsewhere }
    }
}

pub fn spans_width(spans: &[Span]) -> usize {
    spans.iter().map(|(text, _)| width(text)).sum()
}

fn skip_columns(text: &str, columns: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation as _;
    let mut skipped = 0;
    text.graphemes(true)
        .skip_while(|grapheme| {
            let hidden = skipped < columns;
            skipped += width(grapheme);
            hidden
        })
        .collect()
}
