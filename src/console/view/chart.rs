//! Bars over time, in eighths of a line, with an axis whose figures are round.
//!
//! Integers only. Where there is room, the same day a year before stands beside its day; where there is not, what it
//! lies above shows over it.

use ratatui::layout::Rect;

use super::super::theme::Role;
use super::ink::Ink;
use crate::domain::money::Money;
use crate::text::{pad_left, width};

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    pub value: Money,
    /// The same a year before.
    pub past: Option<Money>,
    /// Below the axis, where it fits.
    pub label: String,
    pub chosen: Chosen,
}

/// Whether a bar is the selected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    Yes,
    No,
}

/// The next figure that reads well: one digit, an even one above 6, or 12, 15 and 25, and zeros.
fn round_up(value: i64) -> i64 {
    let mut step: i64 = 1;
    while step < value {
        for tenths in [12, 15, 20, 25, 30, 40, 50, 60, 80, 100] {
            let next = step.saturating_mul(tenths) / 10;
            let is_whole = step >= 10 || tenths % 10 == 0;
            if is_whole && next >= value {
                return next;
            }
        }
        step = step.saturating_mul(10);
    }
    step
}

pub fn draw(ink: &mut Ink<'_>, area: Rect, bars: &[Bar]) {
    let Some(first) = bars.first() else { return };
    if area.height < 3 || area.width < 12 {
        return;
    }
    let currency = first.value.currency();
    let most = bars
        .iter()
        .flat_map(|bar| [Some(bar.value), bar.past])
        .flatten()
        .map(Money::minor)
        .max()
        .unwrap_or(0);
    let half = round_up((most + 1) / 2).max(1);
    let top = half.saturating_mul(2);
    let ticks: Vec<String> = [top, half, 0]
        .into_iter()
        .map(|minor| ink.model.compact(Money::new(minor, currency)))
        .collect();
    let axis = u16::try_from(ticks.iter().map(width).max().unwrap_or(0)).unwrap_or(0) + 1;
    let plot = Rect::new(
        area.x + axis + 1,
        area.y,
        area.width.saturating_sub(axis + 1),
        area.height - 2,
    );
    draw_axis(ink, area, axis, plot, &ticks);
    let count = u16::try_from(bars.len()).unwrap_or(1).max(1);
    let pitch = (plot.width / count).clamp(1, 8);
    // Of a long period, the latest part shows where not all of it fits.
    let fits = usize::from(plot.width / pitch);
    let skipped = bars.len().saturating_sub(fits);
    let mut x = plot.x;
    let mut label_from = plot.x;
    for bar in &bars[skipped..] {
        one(ink, Rect::new(x, plot.y, pitch, plot.height), bar, top);
        let label = u16::try_from(width(&bar.label)).unwrap_or(0);
        if label > 0 && x >= label_from && x + label <= area.right() {
            ink.word(x, plot.bottom() + 1, label, &bar.label, Role::Dim);
            label_from = x + label + 1;
        }
        x += pitch;
    }
}

fn draw_axis(ink: &mut Ink<'_>, area: Rect, axis: u16, plot: Rect, ticks: &[String]) {
    let style = ink.theme.style(Role::Axis);
    let glyphs = *ink.glyphs();
    for y in plot.top()..plot.bottom() {
        ink.put(area.x + axis, y, 1, glyphs.rule_vertical, style);
    }
    let base = plot.bottom();
    for x in area.x + axis..area.right() {
        ink.put(x, base, 1, glyphs.rule, style);
    }
    ink.put(area.x + axis, base, 1, glyphs.axis_corner, style);
    let rows = [plot.top(), plot.top() + plot.height / 2, base];
    for (y, tick) in rows.into_iter().zip(ticks) {
        let text = pad_left(tick, usize::from(axis.saturating_sub(1)));
        ink.word(area.x, y, axis, &text, Role::Dim);
        if y != base {
            ink.put(area.x + axis, y, 1, glyphs.axis_tick, style);
        }
    }
}

fn one(ink: &mut Ink<'_>, area: Rect, bar: &Bar, top: i64) {
    let columns = match area.width {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    let past = bar.past.map_or(0, Money::minor);
    let role = match bar.chosen {
        Chosen::Yes => Role::Accent,
        Chosen::No => Role::Bar,
    };
    if area.width >= 2 && past > 0 && columns == 1 {
        column(ink, area.x, area, bar.value.minor(), top, role);
        shade(ink, area.x + 1, area, past, 0, top);
        return;
    }
    for offset in 0..columns {
        if past > bar.value.minor() {
            shade(ink, area.x + offset, area, past, bar.value.minor(), top);
        }
        column(ink, area.x + offset, area, bar.value.minor(), top, role);
    }
}

/// Height in eighths of a line. What is above zero shows at least a little.
fn eighths(value: i64, top: i64, height: u16) -> usize {
    if value <= 0 || top <= 0 {
        return 0;
    }
    let all = i128::from(height) * 8;
    let eighths = i128::from(value) * all / i128::from(top);
    usize::try_from(eighths.clamp(1, all)).unwrap_or(0)
}

fn column(ink: &mut Ink<'_>, x: u16, area: Rect, value: i64, top: i64, role: Role) {
    let rising = ink.glyphs().rising;
    let mut left = eighths(value, top, area.height);
    let mut y = area.bottom();
    while left > 0 && y > area.top() {
        y -= 1;
        let part = left.min(8);
        ink.word(x, y, 1, rising[part], role);
        left -= part;
    }
}

/// The period before, from where the bar of today ends.
fn shade(ink: &mut Ink<'_>, x: u16, area: Rect, past: i64, from: i64, top: i64) {
    let glyph = ink.glyphs().bar_past;
    let first = eighths(from, top, area.height) / 8;
    let last = eighths(past, top, area.height).div_ceil(8);
    for line in first..last {
        let line = u16::try_from(line).unwrap_or(0) + 1;
        if line <= area.height {
            ink.word(x, area.bottom() - line, 1, glyph, Role::BarPast);
        }
    }
}

/// A small line of bars without an axis.
pub fn spark(ink: &Ink<'_>, values: &[i64], columns: usize) -> String {
    let rising = ink.glyphs().rising;
    let skipped = values.len().saturating_sub(columns);
    let values = &values[skipped..];
    let most = values.iter().copied().max().unwrap_or(0);
    values
        .iter()
        .map(|value| rising[eighths(*value, most, 1).min(8)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_figure_not_below_the_highest_bar() {
        for (value, expected) in [
            (1, 1),
            (3, 3),
            (7, 8),
            (12, 12),
            (950_001, 1_000_000),
            (0, 1),
        ] {
            assert_eq!(round_up(value), expected, "{value}");
        }
        assert!(round_up(i64::MAX) > 0);
    }

    #[test]
    fn what_is_there_shows_and_nothing_shows_for_nothing() {
        assert_eq!(eighths(0, 100, 5), 0);
        assert_eq!(eighths(1, 1_000_000, 5), 1);
        assert_eq!(eighths(100, 100, 5), 40);
    }
}
