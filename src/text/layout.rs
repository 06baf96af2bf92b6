//! Layout by terminal cells: fit, pad and wrap on grapheme boundaries.
//!
//! It does not sanitise; give it a `Shown` or a text of our own. Invariants: a result of [`fit`] is
//! exactly as wide as asked, no line of [`wrap`] is wider, and no grapheme is ever split. Cuts are
//! marked with ASCII dots, because the real ellipsis is one or two cells wide by terminal.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// On which side the text stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
    Centre,
}

const CUT: &str = "..";

/// Cells a text takes in a terminal buffer, which is filled grapheme by grapheme.
pub fn width(text: impl AsRef<str>) -> usize {
    text.as_ref()
        .graphemes(true)
        .map(unicode_width::UnicodeWidthStr::width)
        .sum()
}

/// Makes a text exactly `cells` wide: cut with `..` when it is wider, padded when narrower.
pub fn fit(text: impl AsRef<str>, cells: usize, align: Align) -> String {
    let text = text.as_ref();
    if width(text) <= cells {
        return pad(text.to_owned(), cells, align);
    }
    let dots = CUT.len().min(cells);
    let mut cut = take(text, cells - dots).to_owned();
    cut.push_str(&CUT[..dots]);
    pad(cut, cells, align)
}

/// Pads on the left only; a wider text stays whole.
pub fn pad_left(text: impl AsRef<str>, cells: usize) -> String {
    pad(text.as_ref().to_owned(), cells, Align::Right)
}

/// Pads on the right only; a wider text stays whole.
pub fn pad_right(text: impl AsRef<str>, cells: usize) -> String {
    pad(text.as_ref().to_owned(), cells, Align::Left)
}

/// The short form of a public id: its prefix and its last `ending` characters (`att_..7QK2`).
pub fn short_id(id: &str, ending: usize) -> String {
    let prefix = id.find('_').map_or("", |at| &id[..=at]);
    let rest: Vec<char> = id[prefix.len()..].chars().collect();
    if rest.len() <= ending + CUT.len() {
        return id.to_owned();
    }
    let end: String = rest[rest.len() - ending..].iter().collect();
    format!("{prefix}{CUT}{end}")
}

/// Breaks a text into lines of at most `cells`. Words stay whole where they fit; Hangul and other
/// wide scripts break between any two syllables, but never before closing punctuation.
pub fn wrap(text: impl AsRef<str>, cells: usize) -> Vec<String> {
    if cells == 0 {
        return Vec::new();
    }
    text.as_ref()
        .lines()
        .flat_map(|line| wrap_line(line, cells))
        .collect()
}

fn wrap_line(text: &str, cells: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    let mut gap = 0;
    for unit in units(text) {
        if unit == " " {
            gap += 1;
            continue;
        }
        let unit_width = width(unit);
        let spaces = if line.is_empty() { 0 } else { gap };
        gap = 0;
        if used + spaces + unit_width <= cells {
            line.extend(std::iter::repeat_n(' ', spaces));
            line.push_str(unit);
            used += spaces + unit_width;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        line = break_hard(unit, cells, &mut lines);
        used = width(&line);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Splits a unit that is wider than a whole line; full lines go to `lines`, the rest comes back.
fn break_hard(unit: &str, cells: usize, lines: &mut Vec<String>) -> String {
    let mut line = String::new();
    let mut used = 0;
    for grapheme in unit.graphemes(true) {
        // A grapheme that no line can hold is shown as a dot rather than spilling over the edge.
        let grapheme = if grapheme.width() > cells {
            "."
        } else {
            grapheme
        };
        if used + grapheme.width() > cells {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        line.push_str(grapheme);
        used += grapheme.width();
    }
    line
}

/// Cuts a line into what must stay together: single spaces, words, and wide graphemes one by one.
fn units(text: &str) -> Vec<&str> {
    let mut units = Vec::new();
    let mut start = 0;
    let mut previous = "";
    for (at, grapheme) in text.grapheme_indices(true) {
        if at > start && may_break(previous, grapheme) {
            units.push(&text[start..at]);
            start = at;
        }
        previous = grapheme;
    }
    if start < text.len() {
        units.push(&text[start..]);
    }
    units
}

fn may_break(before: &str, after: &str) -> bool {
    if before == " " || after == " " {
        return true;
    }
    let is_closing = after
        .chars()
        .all(|ch| ".,!?:;)]}\"'%”’」』。、".contains(ch));
    let is_opening = before.chars().all(|ch| "([{\"'“‘「『".contains(ch));
    !is_closing && !is_opening && (before.width() > 1 || after.width() > 1)
}

fn take(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += grapheme.width();
        if used > cells {
            return &text[..at];
        }
    }
    text
}

fn pad(mut text: String, cells: usize, align: Align) -> String {
    let missing = cells.saturating_sub(width(&text));
    let before = match align {
        Align::Left => 0,
        Align::Right => missing,
        Align::Centre => missing / 2,
    };
    text.insert_str(0, &" ".repeat(before));
    text.push_str(&" ".repeat(missing - before));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::Shown;

    proptest! {
        #[test]
        fn fit_is_exactly_as_wide_as_asked_and_splits_no_grapheme(
            raw in "[ -~가-힣ㄱ-ㅎé👩🏽🇰🇷]{0,20}|\\PC{0,20}", cells in 0_usize..30,
        ) {
            let shown = Shown::line(&raw);
            for align in [Align::Left, Align::Right, Align::Centre] {
                let fitted = fit(&shown, cells, align);
                prop_assert_eq!(width(&fitted), cells);
                let text = fitted.trim().trim_end_matches('.').trim_end();
                let kept: Vec<&str> = shown.as_str().trim().graphemes(true).collect();
                let start: Vec<&str> = text.graphemes(true).collect();
                prop_assert!(kept.starts_with(&start), "{:?} is no start of {:?}", start, kept);
            }
        }

        #[test]
        fn no_wrapped_line_is_too_wide_and_no_word_is_lost(
            raw in "[a-z가-힣., ]{0,60}", cells in 2_usize..20,
        ) {
            let lines = wrap(&raw, cells);
            for line in &lines {
                prop_assert!(width(line) <= cells, "{:?}", line);
            }
            let without_spaces = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without_spaces(&lines.concat()), without_spaces(&raw));
        }
    }

    #[test]
    fn a_korean_name_is_cut_between_syllables() {
        assert_eq!(fit("김서현", 6, Align::Left), "김서현");
        assert_eq!(fit("김서현", 5, Align::Left), "김.. ");
        assert_eq!(fit("김서현", 5, Align::Right), " 김..");
        assert_eq!(fit("김서현", 1, Align::Left), ".");
        assert_eq!(fit("김서현", 0, Align::Left), "");
    }

    #[test]
    fn padding_never_cuts() {
        assert_eq!(pad_left("₩9,900", 8), "  ₩9,900");
        assert_eq!(pad_right("김", 4), "김  ");
        assert_eq!(pad_left("12345", 3), "12345");
        assert_eq!(fit("ab", 5, Align::Centre), " ab  ");
    }

    #[test]
    fn wrapping_keeps_words_and_breaks_hangul_anywhere() {
        assert_eq!(wrap("retry the charge", 9), ["retry the", "charge"]);
        assert_eq!(wrap("다시 청구합니다.", 8), ["다시 청", "구합니", "다."]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\nb", 3), ["a", "b"]);
        assert_eq!(wrap("김", 1), ["."]);
        assert!(wrap("x", 0).is_empty());
    }

    #[test]
    fn a_short_id_keeps_prefix_and_ending() {
        assert_eq!(short_id("att_01JD0000000000000000007QK2", 4), "att_..7QK2");
        assert_eq!(short_id("att_7QK2", 4), "att_7QK2");
        assert_eq!(
            short_id("nothing", 4),
            "nothing".to_owned().replace("not", "..")
        );
    }
}
