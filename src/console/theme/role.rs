//! What the screens can tell apart.

use std::str::FromStr;

/// A meaning that has a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Text,
    /// Context that may be skipped.
    Dim,
    /// Where the focus is.
    Accent,
    Title,
    /// The line above everything: mode, database, person, time.
    Header,
    TabActive,
    /// A key one can press, in hints.
    Key,
    /// Red: somebody must act.
    NeedsPerson,
    /// Amber: it will go on by itself.
    Waits,
    /// Green: it just came to a good end.
    Settled,
    ModeLive,
    ModeTest,
    ModeSim,
    /// The chosen row; always reversed.
    Selection,
    /// The text under the caret of a field.
    Caret,
    Border,
    BorderFocused,
    Axis,
    Bar,
    /// Bars of the period compared with.
    BarPast,
}

/// The theme's configuration names a role that does not exist.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown role in the theme")]
pub struct UnknownRole;

impl Role {
    pub const ALL: [Self; 20] = [
        Self::Text,
        Self::Dim,
        Self::Accent,
        Self::Title,
        Self::Header,
        Self::TabActive,
        Self::Key,
        Self::NeedsPerson,
        Self::Waits,
        Self::Settled,
        Self::ModeLive,
        Self::ModeTest,
        Self::ModeSim,
        Self::Selection,
        Self::Caret,
        Self::Border,
        Self::BorderFocused,
        Self::Axis,
        Self::Bar,
        Self::BarPast,
    ];

    /// As the configuration writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Dim => "dim",
            Self::Accent => "accent",
            Self::Title => "title",
            Self::Header => "header",
            Self::TabActive => "tab-active",
            Self::Key => "key",
            Self::NeedsPerson => "needs-person",
            Self::Waits => "waits",
            Self::Settled => "settled",
            Self::ModeLive => "mode-live",
            Self::ModeTest => "mode-test",
            Self::ModeSim => "mode-sim",
            Self::Selection => "selection",
            Self::Caret => "caret",
            Self::Border => "border",
            Self::BorderFocused => "border-focused",
            Self::Axis => "axis",
            Self::Bar => "bar",
            Self::BarPast => "bar-past",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or(UnknownRole)
    }
}
