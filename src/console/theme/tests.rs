use std::collections::HashSet;

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::console::term::{Charset, ColorChoice};

const LEVELS: [ColorLevel; 4] = [
    ColorLevel::Mono,
    ColorLevel::Ansi16,
    ColorLevel::Ansi256,
    ColorLevel::TrueColor,
];
const PALETTES: [Palette; 5] = [
    Palette::Terminal,
    Palette::Dark,
    Palette::Light,
    Palette::Deuteranopia,
    Palette::Mono,
];

fn theme(palette: Palette, level: ColorLevel) -> Theme {
    let caps = Caps {
        color: level,
        charset: Charset::Unicode,
        ..Caps::detect(ColorChoice::Auto)
    };
    Theme::new(palette, &caps)
}

fn every_theme() -> impl Iterator<Item = Theme> {
    PALETTES
        .into_iter()
        .flat_map(|palette| LEVELS.map(|level| theme(palette, level)))
}

#[test]
fn selection_is_reversed_in_every_palette_and_level() {
    for theme in every_theme() {
        let style = theme.style(Role::Selection);
        assert!(style.add_modifier.contains(Modifier::REVERSED), "{theme:?}");
    }
}

#[test]
fn without_colours_no_role_has_one() {
    for theme in every_theme().filter(|theme| theme.level() == ColorLevel::Mono) {
        for role in Role::ALL {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }
}

#[test]
fn red_amber_and_green_differ_wherever_there_are_colours() {
    for theme in every_theme().filter(|theme| theme.level() != ColorLevel::Mono) {
        let colours: HashSet<_> = [Role::NeedsPerson, Role::Waits, Role::Settled, Role::Text]
            .map(|role| theme.style(role).fg)
            .into();
        assert_eq!(colours.len(), 4, "{theme:?}");
    }
}

#[test]
fn the_modes_differ_from_each_other_where_there_are_colours() {
    for theme in every_theme().filter(|theme| theme.level() != ColorLevel::Mono) {
        let papers: HashSet<_> = [Role::ModeLive, Role::ModeTest, Role::ModeSim]
            .map(|role| theme.style(role).bg)
            .into();
        assert_eq!(papers.len(), 3, "{theme:?}");
    }
}

#[test]
fn a_level_never_uses_more_colours_than_it_has() {
    for theme in every_theme() {
        for role in Role::ALL {
            let style = theme.style(role);
            for colour in [style.fg, style.bg].into_iter().flatten() {
                let fits = match theme.level() {
                    ColorLevel::Mono => false,
                    ColorLevel::Ansi16 => !matches!(colour, Color::Rgb(..) | Color::Indexed(_)),
                    ColorLevel::Ansi256 => !matches!(colour, Color::Rgb(..)),
                    ColorLevel::TrueColor => true,
                };
                assert!(fits, "{theme:?} {role:?} {colour:?}");
            }
        }
    }
}

#[test]
fn the_default_palette_keeps_the_terminals_background_and_its_own_colours() {
    for level in LEVELS {
        let theme = theme(Palette::Terminal, level);
        for role in [Role::Text, Role::Dim, Role::Selection, Role::Border] {
            assert_eq!(theme.style(role).bg, None);
            assert_eq!(theme.style(role).fg, None);
        }
    }
}

#[test]
fn an_override_wins_except_where_colours_are_off() {
    let colour = Color::Indexed(99);
    let wins = theme(Palette::Dark, ColorLevel::Ansi256).with(Role::Accent, colour);
    assert_eq!(wins.style(Role::Accent).fg, Some(colour));
    let off = theme(Palette::Dark, ColorLevel::Mono).with(Role::Accent, colour);
    assert_eq!(off.style(Role::Accent).fg, None);
}

#[test]
fn names_of_roles_lead_back_to_them() {
    for role in Role::ALL {
        assert_eq!(role.name().parse(), Ok(role));
    }
    assert_eq!("loud".parse::<Role>(), Err(UnknownRole));
    assert_eq!("loud".parse::<Palette>(), Err(UnknownPalette));
}

#[test]
fn no_mark_is_wider_on_a_korean_terminal() {
    for charset in [Charset::Unicode, Charset::Ascii] {
        for mark in Glyphs::of(charset).marks() {
            assert_eq!(mark.width(), mark.width_cjk(), "{mark}");
        }
    }
}

#[test]
fn every_line_is_one_column_and_the_ascii_set_is_ascii() {
    for charset in [Charset::Unicode, Charset::Ascii] {
        for line in Glyphs::of(charset).lines() {
            assert_eq!(line.width(), 1, "{line}");
        }
    }
    let ascii = Glyphs::of(Charset::Ascii);
    assert!(ascii.lines().iter().all(|line| line.is_ascii()));
    assert!(ascii.marks().iter().all(|mark| mark.is_ascii()));
}
