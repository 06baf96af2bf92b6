//! Clearing the ground for something drawn over something else.
//!
//! A dialog whose left edge cuts a wide character in half would lose its border: the terminal draws the character over
//! two columns, the dialog's first among them. Invariant: after [`clear`], no wide character reaches into the area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};
use unicode_width::UnicodeWidthStr;

/// Empties `area`, and blanks the wide characters that its left edge would cut in half.
pub fn clear(area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    if let Some(left) = area.x.checked_sub(1).filter(|&x| x >= buffer.area.x) {
        for y in area.top()..area.bottom() {
            if let Some(cell) = buffer.cell_mut((left, y))
                && cell.symbol().width() > 1
            {
                cell.set_symbol(" ");
            }
        }
    }
    Clear.render(area, buffer);
}

#[cfg(test)]
mod tests {
    use ratatui::widgets::{Block, Paragraph};

    use super::*;

    fn line(buffer: &Buffer, y: u16) -> String {
        let cells = buffer.area.left()..buffer.area.right();
        cells.map(|x| buffer[(x, y)].symbol()).collect()
    }

    fn with_dialog_at(x: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 3));
        Paragraph::new("김서현이도윤\n김서현이도윤\n김서현이도윤").render(buffer.area, &mut buffer);
        let dialog = Rect::new(x, 0, 4, 3);
        clear(dialog, &mut buffer);
        Block::bordered().render(dialog, &mut buffer);
        buffer
    }

    #[test]
    fn an_edge_in_the_middle_of_a_syllable_keeps_its_border() {
        let buffer = with_dialog_at(3);
        assert_eq!(buffer[(2, 1)].symbol(), " ");
        assert_eq!(buffer[(3, 1)].symbol(), "│");
        assert!(line(&buffer, 1).starts_with('김'));
    }

    #[test]
    fn an_edge_between_syllables_keeps_the_left_one() {
        let buffer = with_dialog_at(4);
        assert_eq!(buffer[(2, 1)].symbol(), "서");
        assert_eq!(buffer[(4, 1)].symbol(), "│");
    }

    #[test]
    fn an_area_at_or_beyond_the_edge_is_harmless() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 2));
        clear(Rect::new(0, 0, 6, 2), &mut buffer);
        clear(Rect::new(5, 1, 40, 40), &mut buffer);
        clear(Rect::new(50, 50, 4, 4), &mut buffer);
    }
}
