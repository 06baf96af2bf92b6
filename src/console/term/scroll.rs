//! Lines that only moved are moved by the terminal instead of being written again.
//!
//! A list that scrolls by one line changes almost every cell of it; a scrolling region and an inserted or deleted line
//! say the same in a few bytes, and every terminal since the VT102 knows them. What is shown is remembered here as far
//! as it was painted. Invariant: what a terminal shows afterwards is what the cells alone would have made.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::ops::Range;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Rect, Size};
use unicode_width::UnicodeWidthStr;

/// Fewer changed lines than this are not worth looking through.
const WORTH_LOOKING: usize = 6;
/// So many lines more must come out right than wrong.
const WORTH_MOVING: usize = 4;

/// What the terminal shows, as far as it was told.
#[derive(Debug, Default)]
pub struct Shadow(Option<Buffer>);

/// Lines that move together; `by` is how far up, or down when negative.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shift {
    lines: Range<u16>,
    by: i32,
}

impl Shadow {
    /// The terminal is empty and of this size.
    pub fn clear(&mut self, size: Size) {
        self.0 = Some(Buffer::empty(Rect::new(0, 0, size.width, size.height)));
    }

    /// Nothing is known of what the terminal shows.
    pub fn forget(&mut self) {
        self.0 = None;
    }

    /// Takes in cells that are to be painted. Where moving lines first leaves fewer, writes that movement and gives what
    /// is left; none means that the cells are to be painted as they are.
    pub fn take_in(
        &mut self,
        out: &mut impl Write,
        cells: &[(u16, u16, &Cell)],
    ) -> io::Result<Option<Vec<(u16, u16, Cell)>>> {
        let Some(shown) = &mut self.0 else {
            return Ok(None);
        };
        let mut changed: Vec<u16> = cells.iter().map(|(_, y, _)| *y).collect();
        changed.dedup();
        if changed.len() < WORTH_LOOKING {
            if !write_into(shown, cells) {
                self.0 = None;
            }
            return Ok(None);
        }
        let mut wanted = shown.clone();
        if !write_into(&mut wanted, cells) {
            self.0 = None;
            return Ok(None);
        }
        let Some(shift) = best_shift(shown, &wanted) else {
            *shown = wanted;
            return Ok(None);
        };
        shift.write(out)?;
        shift.apply(shown);
        let left = shown.diff(&wanted);
        let left = left
            .into_iter()
            .map(|(x, y, cell)| (x, y, cell.clone()))
            .collect();
        *shown = wanted;
        Ok(Some(left))
    }
}

/// False when a cell lies outside: then the size is not what it was thought to be.
fn write_into(buffer: &mut Buffer, cells: &[(u16, u16, &Cell)]) -> bool {
    for (x, y, cell) in cells {
        let Some(place) = buffer.cell_mut((*x, *y)) else {
            return false;
        };
        *place = (*cell).clone();
        // The second column of a wide character is never painted: it looks like the first.
        if cell.symbol().width() == 2
            && let Some(second) = buffer.cell_mut((*x + 1, *y))
        {
            *second = (*cell).clone();
            second.set_symbol(" ");
        }
    }
    true
}

fn digests(buffer: &Buffer) -> Vec<u64> {
    let width = usize::from(buffer.area.width).max(1);
    let lines = buffer.content.chunks(width);
    lines
        .map(|line| {
            let mut hasher = DefaultHasher::new();
            line.hash(&mut hasher);
            hasher.finish()
        })
        .collect()
}

fn best_shift(shown: &Buffer, wanted: &Buffer) -> Option<Shift> {
    let (before, after) = (digests(shown), digests(wanted));
    let height = i32::try_from(before.len()).ok()?;
    let mut best: Option<(usize, Shift)> = None;
    for distance in 1..=height / 2 {
        for by in [distance, -distance] {
            let Some((score, shift)) = judge(&before, &after, by) else {
                continue;
            };
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, shift));
            }
        }
    }
    best.map(|(_, shift)| shift)
}

/// How many lines more come out right than wrong when they move by so much.
fn judge(before: &[u64], after: &[u64], by: i32) -> Option<(usize, Shift)> {
    let source = |line: usize| {
        let from = i32::try_from(line).ok()? + by;
        before.get(usize::try_from(from).ok()?)
    };
    let is_won = |line: usize| before[line] != after[line] && source(line) == Some(&after[line]);
    let first = (0..after.len()).find(|line| is_won(*line))?;
    let bottom = (0..after.len()).rev().find(|line| is_won(*line))?;
    let away = usize::try_from(by.unsigned_abs()).ok()?;
    let lines = if by > 0 {
        first..bottom + 1 + away
    } else {
        first.checked_sub(away)?..bottom + 1
    };
    let won = lines.clone().filter(|line| is_won(*line)).count();
    let is_lost =
        |line: &usize| before[*line] == after[*line] && source(*line) != Some(&after[*line]);
    let lost = lines.clone().filter(is_lost).count();
    let score = won.checked_sub(lost)?;
    if score < WORTH_MOVING {
        return None;
    }
    let lines = u16::try_from(lines.start).ok()?..u16::try_from(lines.end).ok()?;
    Some((score, Shift { lines, by }))
}

impl Shift {
    /// Region, first line of it, delete or insert lines there, whole screen again.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (top, bottom) = (self.lines.start + 1, self.lines.end);
        let (count, verb) = (self.by.unsigned_abs(), if self.by > 0 { 'M' } else { 'L' });
        write!(
            out,
            "\x1b[{top};{bottom}r\x1b[{top};1H\x1b[{count}{verb}\x1b[r"
        )
    }

    fn apply(&self, shown: &mut Buffer) {
        let width = usize::from(shown.area.width);
        let cells = usize::from(self.lines.start) * width..usize::from(self.lines.end) * width;
        let moved = usize::try_from(self.by.unsigned_abs()).unwrap_or(0) * width;
        let Some(region) = shown.content.get_mut(cells) else {
            return;
        };
        let kept = region.len().saturating_sub(moved);
        let emptied = if self.by > 0 {
            region.rotate_left(moved);
            kept..region.len()
        } else {
            region.rotate_right(moved);
            0..moved
        };
        for cell in &mut region[emptied] {
            cell.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Modifier, Style};

    use super::super::paint::paint;
    use super::*;

    const WIDTH: u16 = 20;
    const HEIGHT: u16 = 16;

    fn screen(lines: &[&str], selected: usize) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, WIDTH, HEIGHT));
        for (y, line) in (0..HEIGHT).zip(lines) {
            buffer.set_stringn(0, y, line, usize::from(WIDTH), Style::new());
            if usize::from(y) == selected {
                buffer.set_style(
                    Rect::new(0, y, WIDTH, 1),
                    Style::new().add_modifier(Modifier::REVERSED),
                );
            }
        }
        buffer
    }

    /// What a terminal shows after these screens, and the bytes of the last.
    fn painted(screens: &[Buffer]) -> (Vec<(String, bool)>, usize) {
        let mut shadow = Shadow::default();
        shadow.clear(Size::new(WIDTH, HEIGHT));
        let mut before = Buffer::empty(Rect::new(0, 0, WIDTH, HEIGHT));
        let (mut sent, mut last) = (Vec::new(), 0);
        for screen in screens {
            let cells = before.diff(screen);
            let start = sent.len();
            match shadow.take_in(&mut sent, &cells).unwrap() {
                Some(left) => {
                    paint(&mut sent, left.iter().map(|(x, y, cell)| (*x, *y, cell))).unwrap();
                }
                None => paint(&mut sent, cells.into_iter()).unwrap(),
            }
            last = sent.len() - start;
            before = screen.clone();
        }
        let size = |of: u16| std::num::NonZeroU16::new(of).unwrap();
        let mut parser = vt100::Parser::new(size(HEIGHT), size(WIDTH), 0);
        parser.process(&sent);
        let shown = (0..HEIGHT)
            .flat_map(|y| (0..WIDTH).map(move |x| (y, x)))
            .filter_map(|(y, x)| parser.screen().cell(y, x))
            // A cell that was never written looks like a space.
            .map(|cell| (cell.contents().replace(' ', ""), cell.inverse()))
            .collect();
        (shown, last)
    }

    fn list(top: usize) -> Vec<String> {
        let mut lines = vec!["the head".to_owned()];
        lines.extend((top..top + 14).map(|row| format!("row {row} 김서현 {}", row * 977)));
        lines.push("the foot".to_owned());
        lines
    }

    #[test]
    fn a_list_that_scrolls_by_a_line_costs_little_more_than_that_line() {
        for (from, to) in [(3, 4), (4, 3)] {
            let (one, two) = (list(from), list(to));
            let one = screen(&one.iter().map(String::as_str).collect::<Vec<_>>(), 14);
            let two = screen(&two.iter().map(String::as_str).collect::<Vec<_>>(), 14);
            let (shown, bytes) = painted(&[one, two.clone()]);
            assert_eq!(shown, painted(&[two]).0);
            assert!(bytes < 200, "{bytes}");
        }
    }

    #[test]
    fn another_size_than_was_thought_is_painted_as_it_is() {
        let mut shadow = Shadow::default();
        shadow.clear(Size::new(4, 2));
        let cell = Cell::new("x");
        let mut out = Vec::new();
        assert_eq!(shadow.take_in(&mut out, &[(9, 9, &cell)]).unwrap(), None);
        assert!(out.is_empty());
    }

    proptest! {
        /// Whatever moved, a terminal shows what the cells alone would have made.
        #[test]
        fn what_is_shown_is_what_the_last_screen_holds(
            screens in prop::collection::vec((0_usize..9, 0_usize..16, 0_usize..16, 0_usize..16), 1..6),
        ) {
            let made: Vec<Buffer> = screens
                .iter()
                .map(|(top, selected, odd, empty)| {
                    let mut lines = list(*top);
                    lines[*odd] = "─another김".to_owned();
                    lines[*empty] = String::new();
                    screen(&lines.iter().map(String::as_str).collect::<Vec<_>>(), *selected)
                })
                .collect();
            prop_assert_eq!(painted(&made).0, painted(&made[made.len() - 1..]).0);
        }
    }
}
