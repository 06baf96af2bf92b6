//! The colours of each role, one value per level.
//!
//! Levels are not converted into each other: an automatic downgrade turns red into yellow. The default palette uses
//! the terminal's own sixteen colours on its own background at every level, so it is right on light and dark ones.
//! Invariant: selection is reversed in every palette and level.

use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};

use super::role::Role;
use crate::console::term::ColorLevel;

/// A set of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// The terminal's own colours.
    #[default]
    Terminal,
    Dark,
    Light,
    /// Blue and orange where others use green and red.
    Deuteranopia,
    Mono,
}

/// The configuration names a palette that does not exist.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown theme, expected terminal, dark, light, deuteranopia or mono")]
pub struct UnknownPalette;

impl FromStr for Palette {
    type Err = UnknownPalette;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "terminal" => Self::Terminal,
            "dark" => Self::Dark,
            "light" => Self::Light,
            "deuteranopia" => Self::Deuteranopia,
            "mono" => Self::Mono,
            _ => return Err(UnknownPalette),
        })
    }
}

/// One colour in the three levels that have any.
#[derive(Debug, Clone, Copy)]
struct Shade {
    rgb: u32,
    indexed: u8,
    ansi: Color,
}

const fn shade(rgb: u32, indexed: u8, ansi: Color) -> Shade {
    Shade { rgb, indexed, ansi }
}

impl Shade {
    fn at(self, level: ColorLevel) -> Color {
        match level {
            ColorLevel::Mono => Color::Reset,
            ColorLevel::Ansi16 => self.ansi,
            ColorLevel::Ansi256 => Color::Indexed(self.indexed),
            ColorLevel::TrueColor => Color::from_u32(self.rgb),
        }
    }
}

impl Palette {
    pub(super) fn style(self, role: Role, level: ColorLevel) -> Style {
        if level == ColorLevel::Mono || self == Self::Mono {
            return super::mono(role);
        }
        let level = match self {
            Self::Terminal => ColorLevel::Ansi16,
            _ => level,
        };
        let colors = match self {
            Self::Terminal | Self::Mono => terminal(role),
            Self::Dark => dark(role),
            Self::Light => light(role),
            Self::Deuteranopia => deuteranopia(role),
        };
        let mut style = Style::new().add_modifier(weight(role));
        if let Some(ink) = colors.ink {
            style = style.fg(ink.at(level));
        }
        if let Some(paper) = colors.paper {
            style = style.bg(paper.at(level));
        }
        // Where no ink is named for context, faintness tells it from text on any background.
        if role == Role::Dim && colors.ink.is_none() {
            style = style.add_modifier(Modifier::DIM);
        }
        style
    }
}

const fn weight(role: Role) -> Modifier {
    match role {
        Role::Selection => Modifier::REVERSED,
        Role::Title
        | Role::Key
        | Role::TabActive
        | Role::NeedsPerson
        | Role::ModeLive
        | Role::ModeTest
        | Role::ModeSim => Modifier::BOLD,
        Role::Caret => Modifier::UNDERLINED,
        _ => Modifier::empty(),
    }
}

/// Ink and paper; what is not named stays the terminal's own.
#[derive(Debug, Clone, Copy)]
struct Colors {
    ink: Option<Shade>,
    paper: Option<Shade>,
}

const OWN: Colors = Colors {
    ink: None,
    paper: None,
};

const fn ink(ink: Shade) -> Colors {
    Colors {
        ink: Some(ink),
        paper: None,
    }
}

const fn banner(ink: Shade, paper: Shade) -> Colors {
    Colors {
        ink: Some(ink),
        paper: Some(paper),
    }
}

const BLACK: Shade = shade(0x00_00_00, 16, Color::Black);
const WHITE: Shade = shade(0xff_ff_ff, 231, Color::White);

const fn terminal(role: Role) -> Colors {
    let red = shade(0, 1, Color::Red);
    let yellow = shade(0, 3, Color::Yellow);
    let green = shade(0, 2, Color::Green);
    let cyan = shade(0, 6, Color::Cyan);
    let blue = shade(0, 4, Color::Blue);
    match role {
        Role::NeedsPerson => ink(red),
        Role::Waits => ink(yellow),
        Role::Settled => ink(green),
        Role::Accent | Role::BorderFocused | Role::TabActive | Role::Key => ink(cyan),
        Role::Bar => ink(blue),
        Role::ModeLive => banner(WHITE, red),
        Role::ModeTest => banner(BLACK, yellow),
        Role::ModeSim => banner(BLACK, cyan),
        Role::Text
        | Role::Title
        | Role::Header
        | Role::Selection
        | Role::Caret
        | Role::Border
        | Role::Dim
        | Role::Axis
        | Role::BarPast => OWN,
    }
}

const fn dark(role: Role) -> Colors {
    let accent = shade(0x7d_cf_ff, 117, Color::LightCyan);
    let dim = shade(0x8a_8f_98, 245, Color::Gray);
    let line = shade(0x5c_62_6e, 241, Color::DarkGray);
    match role {
        Role::NeedsPerson => ink(shade(0xff_6b_6b, 203, Color::LightRed)),
        Role::Waits => ink(shade(0xf2_b6_4a, 215, Color::LightYellow)),
        Role::Settled => ink(shade(0x8f_d1_7f, 114, Color::LightGreen)),
        Role::Accent | Role::BorderFocused | Role::TabActive | Role::Key => ink(accent),
        Role::Bar => ink(shade(0x6f_a8_e8, 74, Color::LightBlue)),
        Role::BarPast | Role::Border | Role::Axis => ink(line),
        Role::Dim => ink(dim),
        Role::ModeLive => banner(WHITE, shade(0xc0_1c_28, 160, Color::Red)),
        Role::ModeTest => banner(BLACK, shade(0xf2_b6_4a, 215, Color::Yellow)),
        Role::ModeSim => banner(BLACK, shade(0x7d_cf_ff, 117, Color::Cyan)),
        Role::Text | Role::Title | Role::Header | Role::Selection | Role::Caret => OWN,
    }
}

const fn light(role: Role) -> Colors {
    let accent = shade(0x00_5f_87, 24, Color::Blue);
    let dim = shade(0x5f_5f_5f, 59, Color::DarkGray);
    let line = shade(0x9e_9e_9e, 247, Color::Gray);
    match role {
        Role::NeedsPerson => ink(shade(0xb0_10_20, 124, Color::Red)),
        Role::Waits => ink(shade(0x8a_5a_00, 94, Color::Magenta)),
        Role::Settled => ink(shade(0x1d_6f_2a, 28, Color::Green)),
        Role::Accent | Role::BorderFocused | Role::TabActive | Role::Key => ink(accent),
        Role::Bar => ink(shade(0x2a_6a_b0, 25, Color::Blue)),
        Role::BarPast | Role::Border | Role::Axis => ink(line),
        Role::Dim => ink(dim),
        Role::ModeLive => banner(WHITE, shade(0xb0_10_20, 124, Color::Red)),
        Role::ModeTest => banner(BLACK, shade(0xf0_c0_50, 221, Color::Yellow)),
        Role::ModeSim => banner(WHITE, shade(0x00_5f_87, 24, Color::Blue)),
        Role::Text | Role::Title | Role::Header | Role::Selection | Role::Caret => OWN,
    }
}

const fn deuteranopia(role: Role) -> Colors {
    let orange = shade(0xd5_5e_00, 166, Color::LightRed);
    let yellow = shade(0xf0_e4_42, 227, Color::LightYellow);
    let blue = shade(0x56_b4_e9, 74, Color::LightBlue);
    match role {
        Role::NeedsPerson => ink(orange),
        Role::Waits => ink(yellow),
        Role::Settled | Role::Bar => ink(blue),
        Role::ModeLive => banner(BLACK, orange),
        Role::ModeTest => banner(BLACK, yellow),
        Role::ModeSim => banner(BLACK, blue),
        _ => dark(role),
    }
}
