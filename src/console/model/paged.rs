//! A window of rows over a list of any length.
//!
//! It holds at most [`WINDOW`] rows, wherever in the list they are; more are asked for when the selection comes near
//! an end. Invariant: `selected` and `top` are rows of the window, or 0 while it is empty.

use crate::engine::queries::{Cursor, Page};

/// Rows asked for at once.
pub const PAGE: u32 = 100;
/// Rows kept at most.
pub const WINDOW: usize = 300;
/// So near an end, the next page is asked for.
const NEAR: usize = 25;

/// How an answer joins the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Joining {
    /// It takes their place; the selection stays on its row where that is still there.
    Replace,
    /// The same, from the middle of the list on.
    Refresh,
    /// It takes their place, and the last row is selected.
    ReplaceAtEnd,
    /// It follows them.
    Append,
    /// It precedes them.
    Prepend,
}

/// The rows around the selection.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    pub rows: Vec<T>,
    pub cursors: Vec<Cursor>,
    pub selected: usize,
    /// The first row on the screen.
    pub top: usize,
    pub more_later: bool,
    pub more_earlier: bool,
    /// How many rows the filter keeps, where counting is cheap.
    pub total: Option<u64>,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            cursors: Vec::new(),
            selected: 0,
            top: 0,
            more_later: false,
            more_earlier: false,
            total: None,
        }
    }
}

impl<T> Paged<T> {
    pub fn current(&self) -> Option<&T> {
        self.rows.get(self.selected)
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Moves the selection by rows; what lies beyond the window is reached when its page has come.
    pub fn step(&mut self, by: isize, height: usize) {
        let last = self.rows.len().saturating_sub(1);
        self.select(self.selected.saturating_add_signed(by).min(last), height);
    }

    /// The same, scrolling by no more than it takes: where a line that only moves costs next to nothing.
    pub fn step_by_line(&mut self, by: isize, height: usize) {
        let last = self.rows.len().saturating_sub(1);
        let row = self.selected.saturating_add_signed(by).min(last);
        let lowest = row.saturating_sub(height.max(1) - 1);
        self.top = self.top.clamp(lowest, row);
        self.select(row, height);
    }

    /// Selects a row and scrolls by most of a screen when it lies outside, so that a held key repaints seldom.
    pub fn select(&mut self, row: usize, height: usize) {
        let last = self.rows.len().saturating_sub(1);
        self.selected = row.min(last);
        let height = height.max(1);
        let kept = height / 4;
        if self.selected < self.top {
            self.top = (self.selected + 1 + kept).saturating_sub(height);
        } else if self.selected >= self.top + height {
            self.top = self.selected.saturating_sub(kept);
        }
        self.top = self.top.min((last + 1).saturating_sub(height));
        // A window that shrank may have left the selection outside.
        self.top = self.top.min(self.selected);
        if self.selected >= self.top + height {
            self.top = self.selected + 1 - height;
        }
    }

    /// Where the next page begins, when the selection is near the end and there is one.
    pub fn wants_later(&self) -> Option<Cursor> {
        let near = self.selected + NEAR >= self.rows.len();
        self.cursors
            .last()
            .filter(|_| near && self.more_later)
            .cloned()
    }

    /// Where the page before begins, when the selection is near the beginning and there is one.
    pub fn wants_earlier(&self) -> Option<Cursor> {
        self.cursors
            .first()
            .filter(|_| self.selected < NEAR && self.more_earlier)
            .cloned()
    }

    /// From where to read again, so that the selection is among what comes; none: from the beginning.
    pub fn refresh_from(&self) -> Option<Cursor> {
        const AROUND: usize = 50;
        let before = self.selected.checked_sub(AROUND);
        match before {
            Some(row) => self.cursors.get(row).cloned(),
            None if self.more_earlier => self.cursors.first().cloned(),
            None => None,
        }
    }

    /// Takes an answer in. `same` tells whether two rows are the same thing.
    pub fn join(
        &mut self,
        page: Page<T>,
        joining: Joining,
        height: usize,
        same: impl Fn(&T, &T) -> bool,
    ) {
        match joining {
            Joining::Replace | Joining::Refresh => {
                let kept = self
                    .current()
                    .and_then(|old| page.rows.iter().position(|new| same(old, new)));
                let row = kept.unwrap_or_else(|| self.selected.min(page.rows.len()));
                self.replace(page);
                self.more_earlier = joining == Joining::Refresh;
                self.select(row, height);
            }
            Joining::ReplaceAtEnd => {
                let before = page.has_more;
                self.replace(page);
                self.more_earlier = before;
                self.more_later = false;
                self.select(usize::MAX, height);
            }
            Joining::Append => {
                self.rows.extend(page.rows);
                self.cursors.extend(page.cursors);
                self.more_later = page.has_more;
                let excess = self.rows.len().saturating_sub(WINDOW);
                if excess > 0 {
                    self.rows.drain(..excess);
                    self.cursors.drain(..excess.min(self.cursors.len()));
                    self.more_earlier = true;
                    self.shift_back(excess);
                }
            }
            Joining::Prepend => {
                let added = page.rows.len();
                self.rows.splice(..0, page.rows);
                self.cursors.splice(..0, page.cursors);
                self.more_earlier = page.has_more;
                self.selected += added;
                self.top += added;
                if self.rows.len() > WINDOW {
                    self.rows.truncate(WINDOW);
                    self.cursors.truncate(WINDOW);
                    self.more_later = true;
                }
                self.select(self.selected, height);
            }
        }
    }

    fn replace(&mut self, page: Page<T>) {
        self.rows = page.rows;
        self.cursors = page.cursors;
        self.more_later = page.has_more;
        // Only a first page is counted; the others leave the count to whoever has it.
        self.total = page.total.or(self.total);
    }

    fn shift_back(&mut self, rows: usize) {
        self.selected = self.selected.saturating_sub(rows);
        self.top = self.top.saturating_sub(rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(numbers: std::ops::Range<i64>, has_more: bool) -> Page<i64> {
        Page {
            rows: numbers.clone().collect(),
            cursors: numbers
                .map(|id| Cursor {
                    number: id,
                    text: String::new(),
                    id,
                })
                .collect(),
            has_more,
            total: None,
        }
    }

    fn joined(pages: &[(Page<i64>, Joining)]) -> Paged<i64> {
        let mut window = Paged::default();
        for (page, joining) in pages {
            window.join(page.clone(), *joining, 10, |a, b| a == b);
        }
        window
    }

    #[test]
    fn the_window_never_grows_beyond_its_limit_and_the_selection_keeps_its_row() {
        let mut paged = joined(&[(page(0..100, true), Joining::Replace)]);
        for start in [100, 200, 300, 400] {
            paged.select(usize::MAX, 10);
            let chosen = *paged.current().unwrap();
            paged.join(
                page(start..start + 100, true),
                Joining::Append,
                10,
                |a, b| a == b,
            );
            assert_eq!(paged.current(), Some(&chosen));
        }
        assert_eq!(paged.rows.len(), WINDOW);
        assert!(paged.more_earlier);
        let chosen = *paged.current().unwrap();
        paged.join(page(100..200, false), Joining::Prepend, 10, |a, b| a == b);
        assert_eq!(paged.rows.len(), WINDOW);
        assert_eq!(paged.current(), Some(&chosen));
        assert!(paged.more_later);
    }

    #[test]
    fn a_reload_keeps_the_row_not_the_position() {
        let mut paged = joined(&[(page(0..20, false), Joining::Replace)]);
        paged.select(5, 10);
        paged.join(page(-3..20, false), Joining::Replace, 10, |a, b| a == b);
        assert_eq!(paged.current(), Some(&5));
    }

    #[test]
    fn a_step_at_the_edge_scrolls_by_most_of_a_screen() {
        let mut paged = joined(&[(page(0..100, false), Joining::Replace)]);
        paged.select(9, 10);
        assert_eq!(paged.top, 0);
        paged.step(1, 10);
        assert_eq!((paged.selected, paged.top), (10, 8));
        paged.step(-3, 10);
        assert_eq!((paged.selected, paged.top), (7, 0));
    }

    #[test]
    fn a_step_by_line_scrolls_by_that_line() {
        let mut paged = joined(&[(page(0..100, false), Joining::Replace)]);
        paged.select(9, 10);
        paged.step_by_line(1, 10);
        assert_eq!((paged.selected, paged.top), (10, 1));
        paged.step_by_line(-9, 10);
        assert_eq!((paged.selected, paged.top), (1, 1));
        paged.step_by_line(-1, 10);
        assert_eq!((paged.selected, paged.top), (0, 0));
    }

    #[test]
    fn no_step_leaves_the_rows() {
        let mut paged: Paged<i64> = Paged::default();
        paged.step(5, 0);
        assert_eq!((paged.selected, paged.top), (0, 0));
        let mut paged = joined(&[(page(0..3, false), Joining::Replace)]);
        for (by, height) in [(9, 1), (-9, 1), (isize::MAX, 7), (isize::MIN, 2)] {
            paged.step(by, height);
            assert!(paged.selected < 3 && paged.top <= paged.selected);
            paged.step_by_line(by, height);
            assert!(paged.selected < 3 && paged.top <= paged.selected);
        }
    }
}
