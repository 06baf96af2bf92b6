//! The marks and lines, in Unicode and in ASCII.
//!
//! Characters that a Korean terminal may draw one or two columns wide are not used as marks. Lines and bars are the
//! exception that every terminal draws one column wide; where one does not, the ASCII set is the way out. Invariant:
//! every mark is exactly one column wide and there is one for everything a colour says.

use ratatui::symbols::border::{self, Set};

use crate::console::term::Charset;

/// One set of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// The row that has the focus.
    pub focus: &'static str,
    /// A row that is marked for a bulk verb.
    pub marked: &'static str,
    pub needs_person: &'static str,
    pub waits: &'static str,
    pub settled: &'static str,
    /// We do not know what happened.
    pub unknown: &'static str,
    pub ascending: &'static str,
    pub descending: &'static str,
    pub rule: &'static str,
    pub rule_vertical: &'static str,
    /// The corner and the tick of a chart's axes.
    pub axis_corner: &'static str,
    pub axis_tick: &'static str,
    /// A full bar of the period compared with.
    pub bar_past: &'static str,
    /// Eighths of a bar that grows upwards, from empty to full.
    pub rising: [&'static str; 9],
    /// Eighths of a bar that grows to the right, from empty to full.
    pub growing: [&'static str; 9],
    /// A wait that is shown, frame by frame.
    pub spinner: [&'static str; 4],
    pub enter: &'static str,
    pub up_down: &'static str,
    pub ellipsis: &'static str,
    pub border: Set<'static>,
}

const UNICODE: Glyphs = Glyphs {
    focus: ">",
    marked: "*",
    needs_person: "!",
    waits: "~",
    settled: "✓",
    unknown: "?",
    ascending: "^",
    descending: "v",
    rule: "─",
    rule_vertical: "│",
    axis_corner: "┼",
    axis_tick: "┤",
    bar_past: "░",
    rising: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    growing: [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    spinner: ["|", "/", "-", "\\"],
    enter: "↵",
    up_down: "jk",
    ellipsis: "...",
    border: border::PLAIN,
};

const ASCII: Glyphs = Glyphs {
    focus: ">",
    marked: "*",
    needs_person: "!",
    waits: "~",
    settled: "+",
    unknown: "?",
    ascending: "^",
    descending: "v",
    rule: "-",
    rule_vertical: "|",
    axis_corner: "+",
    axis_tick: "+",
    bar_past: ".",
    rising: [" ", "_", "_", ".", ".", ":", ":", "#", "#"],
    growing: [" ", " ", " ", " ", "=", "=", "=", "#", "#"],
    spinner: ["|", "/", "-", "\\"],
    enter: "Enter",
    up_down: "jk",
    ellipsis: "...",
    border: Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl Glyphs {
    pub const fn of(charset: Charset) -> Self {
        match charset {
            Charset::Unicode => UNICODE,
            Charset::Ascii => ASCII,
        }
    }

    /// The marks alone: what must not be one or two columns wide depending on the terminal.
    pub const fn marks(&self) -> [&'static str; 11] {
        [
            self.focus,
            self.marked,
            self.needs_person,
            self.waits,
            self.settled,
            self.unknown,
            self.ascending,
            self.descending,
            self.spinner[0],
            self.enter,
            self.ellipsis,
        ]
    }

    /// Lines and bars.
    pub fn lines(&self) -> Vec<&'static str> {
        let border = &self.border;
        let mut lines = vec![
            self.rule,
            self.rule_vertical,
            self.axis_corner,
            self.axis_tick,
            self.bar_past,
            border.top_left,
            border.top_right,
            border.bottom_left,
            border.bottom_right,
            border.vertical_left,
            border.vertical_right,
            border.horizontal_top,
            border.horizontal_bottom,
        ];
        lines.extend(self.rising);
        lines.extend(self.growing);
        lines
    }
}
