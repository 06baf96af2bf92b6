//! How things look, by role.
//!
//! `role` names what can be told apart, `palette` gives each role a colour of its own per level, `glyphs` holds the
//! marks. No screen names a colour. Invariant: colour never carries meaning alone; without colours, reverse and bold
//! and the marks say the same.

mod glyphs;
mod palette;
mod role;

pub use glyphs::Glyphs;
pub use palette::{Palette, UnknownPalette};
pub use role::{Role, UnknownRole};

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

use super::term::{Caps, ColorLevel};

/// The look of one console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    level: ColorLevel,
    palette: Palette,
    overridden: BTreeMap<Role, Color>,
    glyphs: Glyphs,
}

impl Theme {
    pub fn new(palette: Palette, caps: &Caps) -> Self {
        Self {
            level: match palette {
                Palette::Mono => ColorLevel::Mono,
                _ => caps.color,
            },
            palette,
            overridden: BTreeMap::new(),
            glyphs: Glyphs::of(caps.charset),
        }
    }

    /// Replaces one role's colour; without colours it changes nothing.
    #[must_use]
    pub fn with(mut self, role: Role, color: Color) -> Self {
        self.overridden.insert(role, color);
        self
    }

    pub fn style(&self, role: Role) -> Style {
        let style = self.palette.style(role, self.level);
        match self.overridden.get(&role) {
            Some(&color) if self.level != ColorLevel::Mono => style.fg(color),
            _ => style,
        }
    }

    pub const fn glyphs(&self) -> &Glyphs {
        &self.glyphs
    }

    pub const fn level(&self) -> ColorLevel {
        self.level
    }
}

/// A look without any colour, in which each role still differs by what it must differ by.
pub(super) fn mono(role: Role) -> Style {
    let modifiers = match role {
        Role::Text | Role::Border | Role::Dim | Role::Axis | Role::BarPast | Role::Bar => {
            Modifier::empty()
        }
        Role::Settled | Role::Waits => Modifier::empty(),
        Role::Accent
        | Role::Title
        | Role::NeedsPerson
        | Role::Key
        | Role::BorderFocused
        | Role::Header => Modifier::BOLD,
        Role::Caret => Modifier::UNDERLINED,
        Role::Selection | Role::ModeTest | Role::ModeSim | Role::TabActive => Modifier::REVERSED,
        Role::ModeLive => Modifier::REVERSED.union(Modifier::BOLD),
    };
    Style::new().add_modifier(modifiers)
}

#[cfg(test)]
mod tests;
