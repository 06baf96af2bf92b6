//! What the terminal can do, from the environment and the kernel alone.
//!
//! Nothing is asked of the terminal: answers over a slow link arrive as keys. A person's word (`--color`) stands over
//! `NO_COLOR`, and that over everything guessed. Invariant: detection has no side effects.

use std::io::IsTerminal;
use std::str::FromStr;

use ratatui::layout::Size;

/// How many colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColorLevel {
    /// None: reverse, bold and marks carry all meaning.
    Mono,
    Ansi16,
    Ansi256,
    TrueColor,
}

/// What the person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    #[default]
    Auto,
    Exactly(ColorLevel),
}

/// `--color` was given a word it does not know.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown colour choice, expected auto, never, 16, 256 or truecolor")]
pub struct UnknownColorChoice;

impl FromStr for ColorChoice {
    type Err = UnknownColorChoice;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "auto" => Self::Auto,
            "never" => Self::Exactly(ColorLevel::Mono),
            "16" => Self::Exactly(ColorLevel::Ansi16),
            "256" => Self::Exactly(ColorLevel::Ansi256),
            "truecolor" => Self::Exactly(ColorLevel::TrueColor),
            _ => return Err(UnknownColorChoice),
        })
    }
}

/// How the terminal is connected; it decides how patient and how sparing we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Local,
    Ssh,
}

/// How much of the console fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Nothing can be read, so nothing may be acted on: only quitting works.
    TooSmall,
    /// One list or one detail.
    OnePane,
    Full,
}

impl Fit {
    pub const SMALLEST: Size = Size::new(40, 12);
    pub const FULL: Size = Size::new(80, 24);

    pub const fn of(size: Size) -> Self {
        if !holds(size, Self::SMALLEST) {
            Self::TooSmall
        } else if !holds(size, Self::FULL) {
            Self::OnePane
        } else {
            Self::Full
        }
    }
}

/// Why the console cannot run here; `--plain` and the command line can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("standard input is not a terminal")]
    InputNotATerminal,
    #[error("standard output is not a terminal")]
    OutputNotATerminal,
    #[error("the terminal cannot move its cursor (TERM is dumb or not set)")]
    Dumb,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    pub color: ColorLevel,
    pub link: Link,
    pub multiplexer: Multiplexer,
    /// Whether the locale can show more than ASCII.
    pub charset: Charset,
    pub refusal: Option<Refusal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplexer {
    None,
    Tmux,
    Screen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Ascii,
    Unicode,
}

const fn holds(size: Size, least: Size) -> bool {
    size.width >= least.width && size.height >= least.height
}

impl Caps {
    /// Looks at this process's environment and descriptors.
    pub fn detect(choice: ColorChoice) -> Self {
        let environment = |name: &str| std::env::var(name).ok();
        let refusal = if !std::io::stdin().is_terminal() {
            Some(Refusal::InputNotATerminal)
        } else if !std::io::stdout().is_terminal() {
            Some(Refusal::OutputNotATerminal)
        } else {
            None
        };
        Self::from_environment(choice, environment, refusal)
    }

    fn from_environment(
        choice: ColorChoice,
        environment: impl Fn(&str) -> Option<String>,
        refusal: Option<Refusal>,
    ) -> Self {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let multiplexer = if set("TMUX").is_some() || term.starts_with("tmux") {
            Multiplexer::Tmux
        } else if term.starts_with("screen") {
            Multiplexer::Screen
        } else {
            Multiplexer::None
        };
        let dumb = term.is_empty() || term == "dumb";
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        Self {
            color: match choice {
                ColorChoice::Exactly(level) => level,
                ColorChoice::Auto if set("NO_COLOR").is_some() => ColorLevel::Mono,
                ColorChoice::Auto => guess(&term, set("COLORTERM").as_deref(), multiplexer),
            },
            link: match ["SSH_CONNECTION", "SSH_TTY"].into_iter().find_map(set) {
                Some(_) => Link::Ssh,
                None => Link::Local,
            },
            multiplexer,
            charset: charset(locale.as_deref()),
            refusal: refusal.or(dumb.then_some(Refusal::Dumb)),
        }
    }
}

/// tmux and screen hand `COLORTERM` of the outer terminal through without being able to show it.
fn guess(term: &str, colorterm: Option<&str>, multiplexer: Multiplexer) -> ColorLevel {
    const TRUE_COLOR: [&str; 7] = [
        "direct",
        "truecolor",
        "kitty",
        "alacritty",
        "wezterm",
        "ghostty",
        "foot",
    ];
    const MONO: [&str; 4] = ["vt100", "vt102", "vt52", "-m"];
    let says_so = multiplexer == Multiplexer::None
        && colorterm.is_some_and(|value| matches!(value, "truecolor" | "24bit"));
    if term.is_empty() || term == "dumb" || MONO.iter().any(|mono| term.ends_with(mono)) {
        ColorLevel::Mono
    } else if says_so || TRUE_COLOR.iter().any(|name| term.contains(name)) {
        ColorLevel::TrueColor
    } else if term.contains("256") || multiplexer == Multiplexer::Tmux {
        ColorLevel::Ansi256
    } else {
        ColorLevel::Ansi16
    }
}

fn charset(locale: Option<&str>) -> Charset {
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    if utf8 {
        Charset::Unicode
    } else {
        Charset::Ascii
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(choice: ColorChoice, environment: &[(&str, &str)]) -> Caps {
        let look = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Caps::from_environment(choice, look, None)
    }

    #[test]
    fn colours_are_guessed_from_the_environment() {
        let cases: [(&[(&str, &str)], ColorLevel); 9] = [
            (&[("TERM", "xterm-256color")], ColorLevel::Ansi256),
            (
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
                ColorLevel::TrueColor,
            ),
            (
                &[
                    ("TERM", "tmux-256color"),
                    ("TMUX", "x"),
                    ("COLORTERM", "truecolor"),
                ],
                ColorLevel::Ansi256,
            ),
            (&[("TERM", "xterm-kitty")], ColorLevel::TrueColor),
            (&[("TERM", "linux")], ColorLevel::Ansi16),
            (&[("TERM", "vt220")], ColorLevel::Ansi16),
            (&[("TERM", "vt100")], ColorLevel::Mono),
            (&[("TERM", "dumb")], ColorLevel::Mono),
            (&[], ColorLevel::Mono),
        ];
        for (environment, level) in cases {
            assert_eq!(
                caps(ColorChoice::Auto, environment).color,
                level,
                "{environment:?}"
            );
        }
    }

    #[test]
    fn no_color_stands_over_the_guess_and_a_choice_over_no_color() {
        let environment = [("TERM", "xterm-kitty"), ("NO_COLOR", "1")];
        assert_eq!(
            caps(ColorChoice::Auto, &environment).color,
            ColorLevel::Mono
        );
        let chosen = "256".parse().expect("a choice");
        assert_eq!(caps(chosen, &environment).color, ColorLevel::Ansi256);
        assert_eq!("maybe".parse::<ColorChoice>(), Err(UnknownColorChoice));
    }

    #[test]
    fn an_empty_no_color_is_no_wish() {
        let environment = [("TERM", "xterm"), ("NO_COLOR", "")];
        assert_eq!(
            caps(ColorChoice::Auto, &environment).color,
            ColorLevel::Ansi16
        );
    }

    #[test]
    fn links_multiplexers_and_charsets_are_seen() {
        let found = caps(
            ColorChoice::Auto,
            &[
                ("TERM", "screen-256color"),
                ("TMUX", "/tmp/tmux"),
                ("SSH_CONNECTION", "1 2 3 4"),
                ("LC_ALL", "ko_KR.UTF-8"),
            ],
        );
        assert_eq!(found.link, Link::Ssh);
        assert_eq!(found.multiplexer, Multiplexer::Tmux);
        assert_eq!(found.charset, Charset::Unicode);
        let bare = caps(ColorChoice::Auto, &[("TERM", "linux"), ("LANG", "C")]);
        assert_eq!((bare.link, bare.charset), (Link::Local, Charset::Ascii));
    }

    #[test]
    fn a_terminal_that_cannot_move_its_cursor_is_refused() {
        assert_eq!(
            caps(ColorChoice::Auto, &[("TERM", "dumb")]).refusal,
            Some(Refusal::Dumb)
        );
        assert_eq!(caps(ColorChoice::Auto, &[("TERM", "xterm")]).refusal, None);
    }

    #[test]
    fn below_forty_by_twelve_nothing_fits() {
        assert_eq!(Fit::of(Size::new(39, 50)), Fit::TooSmall);
        assert_eq!(Fit::of(Size::new(200, 11)), Fit::TooSmall);
        assert_eq!(Fit::of(Size::new(40, 12)), Fit::OnePane);
        assert_eq!(Fit::of(Size::new(80, 23)), Fit::OnePane);
        assert_eq!(Fit::of(Size::new(80, 24)), Fit::Full);
    }
}
