//! Cells as bytes, as few as a terminal needs.
//!
//! ratatui's own writer moves the cursor anew after every wide character and sets each colour apart, which makes a
//! Korean row a third larger. Here a wide character whose width no terminal doubts is followed by its neighbour, one
//! sequence sets a whole look, and the sixteen colours use their short codes. Invariant: the frame ends in the
//! terminal's own look.

use std::io::{self, Write};

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What the terminal was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    ink: Color,
    paper: Color,
    modifier: Modifier,
}

const PLAIN: Look = Look {
    ink: Color::Reset,
    paper: Color::Reset,
    modifier: Modifier::empty(),
};

/// How sure we are of the column the cursor is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Every terminal agrees.
    Full,
    /// A character that some terminals draw two columns wide stood in this line.
    Doubtful,
}

/// Writes the cells that changed, in the order in which they come.
pub fn paint<'a>(
    out: &mut impl Write,
    cells: impl Iterator<Item = (u16, u16, &'a Cell)>,
) -> io::Result<()> {
    let mut look = PLAIN;
    let mut at: Option<(u16, u16)> = None;
    let mut trust = Trust::Full;
    for (x, y, cell) in cells {
        match at {
            Some(place) if place == (x, y) => {}
            Some((from, line)) if line == y && from < x && trust == Trust::Full => {
                skip(out, x - from)?;
            }
            _ => {
                write!(out, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1)?;
                trust = Trust::Full;
            }
        }
        let wanted = Look {
            ink: cell.fg,
            paper: cell.bg,
            modifier: cell.modifier,
        };
        if wanted != look {
            set(out, wanted)?;
            look = wanted;
        }
        let symbol = cell.symbol();
        out.write_all(symbol.as_bytes())?;
        let columns = u16::try_from(symbol.width()).unwrap_or(1).max(1);
        if symbol.width() != symbol.width_cjk() {
            trust = Trust::Doubtful;
        }
        // Joined characters are as wide as each terminal's font likes: the next one gets a place of its own.
        at = (columns == 1 || is_one_wide_character(symbol)).then(|| (x + columns, y));
    }
    if look != PLAIN {
        out.write_all(b"\x1b[0m")?;
    }
    Ok(())
}

fn is_one_wide_character(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => {
            let is_syllable = matches!(only, '가'..='힣' | '一'..='鿿' | 'ぁ'..='ヿ');
            is_syllable && only.width() == Some(2)
        }
        _ => false,
    }
}

fn skip(out: &mut impl Write, columns: u16) -> io::Result<()> {
    match columns {
        1 => out.write_all(b"\x1b[C"),
        more => write!(out, "\x1b[{more}C"),
    }
}

/// Sets everything at once; what is not named is the terminal's own.
fn set(out: &mut impl Write, look: Look) -> io::Result<()> {
    const CODES: [(Modifier, &str); 8] = [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::ITALIC, ";3"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::SLOW_BLINK, ";5"),
        (Modifier::REVERSED, ";7"),
        (Modifier::HIDDEN, ";8"),
        (Modifier::CROSSED_OUT, ";9"),
    ];
    out.write_all(b"\x1b[0")?;
    for (modifier, code) in CODES {
        if look.modifier.contains(modifier) {
            out.write_all(code.as_bytes())?;
        }
    }
    color(out, look.ink, 30)?;
    color(out, look.paper, 40)?;
    out.write_all(b"m")
}

/// `base` is 30 for ink and 40 for paper.
fn color(out: &mut impl Write, color: Color, base: u8) -> io::Result<()> {
    let bright = base + 60;
    let code = match color {
        Color::Reset => return Ok(()),
        Color::Indexed(index) => return write!(out, ";{};5;{index}", base + 8),
        Color::Rgb(r, g, b) => return write!(out, ";{};2;{r};{g};{b}", base + 8),
        Color::Black => base,
        Color::Red => base + 1,
        Color::Green => base + 2,
        Color::Yellow => base + 3,
        Color::Blue => base + 4,
        Color::Magenta => base + 5,
        Color::Cyan => base + 6,
        Color::Gray => base + 7,
        Color::DarkGray => bright,
        Color::LightRed => bright + 1,
        Color::LightGreen => bright + 2,
        Color::LightYellow => bright + 3,
        Color::LightBlue => bright + 4,
        Color::LightMagenta => bright + 5,
        Color::LightCyan => bright + 6,
        Color::White => bright + 7,
    };
    write!(out, ";{code}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;
    use crate::console::overlay;

    fn painted(cells: &[(u16, u16, Cell)]) -> String {
        let mut out = Vec::new();
        paint(&mut out, cells.iter().map(|(x, y, cell)| (*x, *y, cell))).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn cell(symbol: &'static str, style: Style) -> Cell {
        let mut cell = Cell::new(symbol);
        cell.set_style(style);
        cell
    }

    #[test]
    fn neighbours_of_hangul_need_no_place_of_their_own() {
        let plain = Style::new();
        let cells = [
            (0, 0, cell("김", plain)),
            (2, 0, cell("서", plain)),
            (4, 0, cell("x", plain)),
        ];
        assert_eq!(painted(&cells), "\x1b[1;1H김서x");
    }

    #[test]
    fn a_gap_is_skipped_and_after_a_doubtful_character_it_is_placed() {
        let plain = Style::new();
        let cells = [
            (0, 0, cell("a", plain)),
            (3, 0, cell("─", plain)),
            (4, 0, cell("b", plain)),
            (6, 0, cell("c", plain)),
        ];
        assert_eq!(painted(&cells), "\x1b[1;1Ha\x1b[2C─b\x1b[1;7Hc");
    }

    #[test]
    fn a_look_is_set_at_once_and_taken_back_at_the_end() {
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED);
        let cells = [(0, 0, cell("a", red)), (1, 0, cell("b", red))];
        assert_eq!(painted(&cells), "\x1b[1;1H\x1b[0;7;31mab\x1b[0m");
    }

    fn shown(bytes: &[u8]) -> Vec<(String, vt100::Color, vt100::Color, bool, bool)> {
        let rows = std::num::NonZeroU16::new(6).unwrap();
        let columns = std::num::NonZeroU16::new(24).unwrap();
        let mut parser = vt100::Parser::new(rows, columns, 0);
        parser.process(bytes);
        let screen = parser.screen();
        (0..6)
            .flat_map(|y| (0..24).map(move |x| (x, y)))
            .filter_map(|(x, y)| screen.cell(y, x))
            .map(|cell| {
                let text = match cell.contents() {
                    "" => " ",
                    text => text,
                };
                (
                    text.to_owned(),
                    cell.fgcolor(),
                    cell.bgcolor(),
                    cell.inverse(),
                    cell.bold(),
                )
            })
            .collect()
    }

    proptest! {
        /// A terminal that was painted shows what the buffer holds, whatever it showed before.
        #[test]
        fn what_is_painted_is_what_a_terminal_shows(
            frames in prop::collection::vec(
                prop::collection::vec(
                    (0_u16..24, 0_u16..6, prop::sample::select(vec!["김서현", "ab", "─x", "₩9,900", " "]), 0_usize..5),
                    1..12,
                ),
                1..4,
            ),
        ) {
            let area = Rect::new(0, 0, 24, 6);
            let looks = [
                Style::new(),
                Style::new().fg(Color::Red),
                Style::new().add_modifier(Modifier::REVERSED),
                Style::new().fg(Color::Indexed(245)).add_modifier(Modifier::BOLD),
                Style::new().bg(Color::LightBlue),
            ];
            let mut before = Buffer::empty(area);
            let mut sent = Vec::new();
            for frame in frames {
                let mut after = Buffer::empty(area);
                for (x, y, text, look) in frame {
                    // As dialogs do; half a character is nothing that a terminal could show.
                    let width = u16::try_from(text.width()).unwrap();
                    overlay::clear(Rect::new(x, y, width, 1), &mut after);
                    after.set_stringn(x, y, text, 24, looks[look]);
                }
                paint(&mut sent, before.diff(&after).into_iter()).unwrap();
                before = after;
            }
            let mut afresh = Vec::new();
            paint(&mut afresh, Buffer::empty(area).diff(&before).into_iter()).unwrap();
            let mut crossterm = Vec::new();
            let mut backend = ratatui::backend::CrosstermBackend::new(&mut crossterm);
            ratatui::backend::Backend::draw(
                &mut backend,
                Buffer::empty(area).diff(&before).into_iter(),
            ).unwrap();
            prop_assert_eq!(shown(&afresh), shown(&crossterm));
            let texts = |cells: Vec<(String, vt100::Color, vt100::Color, bool, bool)>| -> Vec<String> {
                cells.into_iter().map(|cell| cell.0).collect()
            };
            prop_assert_eq!(texts(shown(&sent)), texts(shown(&crossterm)));
        }
    }
}
