//! The face of the command line in the reader's language: help texts and usage errors.
//!
//! English is what the argument types say of themselves; Korean is laid over the same tree, so that both
//! read the same words. It knows no verb. What it cannot translate stays as it is.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};

use super::args::Cli;
use super::places::usual_files;
use crate::locale::Lang;

const KOREAN: &str = include_str!("../../assets/locale/ko/help.toml");

fn texts() -> &'static toml::Table {
    static TEXTS: OnceLock<toml::Table> = OnceLock::new();
    // A test reads the file: at run time a broken one would leave English.
    TEXTS.get_or_init(|| toml::from_str(KOREAN).unwrap_or_default())
}

fn text(table: &str, key: &str) -> Option<&'static str> {
    texts().get(table)?.get(key)?.as_str()
}

fn word(key: &str) -> &'static str {
    text("error", key).unwrap_or_default()
}

/// The language before anything is read: `--lang`, then the settings' variable, then the settings' file, then the
/// environment's.
pub fn language(words: &[OsString], environment: impl FnOnce() -> Lang) -> Lang {
    let all = words;
    let mut words = words.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let given = match word.strip_prefix("--lang") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some(given) = given {
            return Lang::parse(given);
        }
    }
    match std::env::var("PAYDECK__UI__LANG") {
        Ok(given) if ["ko", "en"].contains(&given.as_str()) => Lang::parse(&given),
        Ok(given) if given == "auto" => environment(),
        _ => configured(all).unwrap_or_else(environment),
    }
}

/// What the file in force says: the one `--config` or `PAYDECK_CONFIG` names, else the first usual one. Whether the file is right is not asked here: a help
/// text must show in any case.
fn configured(words: &[OsString]) -> Option<Lang> {
    /// No configuration is longer.
    const LONGEST: u64 = 256 * 1024;
    let mut words = words.iter();
    let named = std::env::var_os("PAYDECK_CONFIG").filter(|name| !name.is_empty());
    let mut path = named.map(PathBuf::from);
    while let Some(word) = words.next() {
        let Some(word) = word.to_str() else { continue };
        if word == "--config" {
            path = words.next().map(PathBuf::from);
        } else if let Some(given) = word.strip_prefix("--config=") {
            path = Some(PathBuf::from(given));
        }
    }
    let mut text = String::new();
    let usual = || usual_files().into_iter().find(|path| path.exists());
    let file = std::fs::File::open(path.or_else(usual)?).ok()?;
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    let table: toml::Table = toml::from_str(&text).ok()?;
    match table.get("ui")?.get("lang")?.as_str()? {
        given @ ("ko" | "en") => Some(Lang::parse(given)),
        _ => None,
    }
}

/// The command tree with its texts in this language.
pub fn command(lang: Lang) -> Command {
    match lang {
        Lang::En => Cli::command(),
        Lang::Ko => korean(Cli::command(), ""),
    }
}

fn korean(command: Command, path: &str) -> Command {
    let table = if path.is_empty() { "paydeck" } else { path };
    let said = |id: &str| text(table, id).or_else(|| text("*", id));
    let command = command.mut_args(|arg| {
        let id = arg.get_id().as_str().to_owned();
        // Values that explain themselves do so in English: the Korean text names them instead.
        let arg = arg.hide_possible_values(["color", "also_cancel"].contains(&id.as_str()));
        let arg = if arg.get_help_heading() == Some("Global") {
            arg.help_heading(word("global"))
        } else {
            arg
        };
        match said(&id) {
            Some(help) => arg.help(help).long_help(help),
            None => arg,
        }
    });
    let command = match text(table, "about") {
        Some(about) => command.about(about).long_about(about),
        None => command,
    };
    let path = path.to_owned();
    command.mut_subcommands(move |below| {
        let name = below.get_name().to_owned();
        let at = format!("{path} {name}").trim().to_owned();
        korean(below, &at)
    })
}

/// What clap itself says in a rendered help, in Korean.
fn fixed(rendered: &str) -> String {
    [
        ("Usage:", format!("{}:", word("usage"))),
        ("Arguments:", format!("{}:", word("arguments"))),
        ("Commands:", format!("{}:", word("commands"))),
        ("Options:", format!("{}:", word("options"))),
        ("[default:", format!("[{}:", word("default"))),
        ("[possible values:", format!("[{}:", word("possible"))),
        ("Possible values:", format!("{}:", word("possible"))),
        (
            "Print this message or the help of the given subcommand(s)",
            word("print_of").to_owned(),
        ),
        (
            "Print help (see more with '--help')",
            word("print_help_more").to_owned(),
        ),
        (
            "Print help (see a summary with '-h')",
            word("print_help_less").to_owned(),
        ),
        ("Print help", word("print_help").to_owned()),
        ("Print version", word("print_version").to_owned()),
    ]
    .iter()
    .fold(rendered.to_owned(), |text, (english, korean)| {
        text.replace(english, korean)
    })
}

/// Prints help, version or a usage error; a closed stream is no failure.
pub fn print(error: &clap::Error, lang: Lang) {
    use std::io::Write as _;
    if lang == Lang::En {
        let _said = error.print();
        return;
    }
    let text = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => fixed(&error.render().to_string()),
        _ => usage_error(error),
    };
    let _said = if error.use_stderr() {
        std::io::stderr().write_all(text.as_bytes())
    } else {
        std::io::stdout().write_all(text.as_bytes())
    };
}

fn usage_error(error: &clap::Error) -> String {
    let told = |kind| error.get(kind).map(shown).unwrap_or_default();
    let argument = told(ContextKind::InvalidArg);
    let (key, what, value) = match error.kind() {
        ErrorKind::MissingRequiredArgument => ("missing", argument, String::new()),
        ErrorKind::UnknownArgument => ("unknown_argument", argument, String::new()),
        ErrorKind::InvalidSubcommand => (
            "unknown_command",
            told(ContextKind::InvalidSubcommand),
            String::new(),
        ),
        ErrorKind::ArgumentConflict => ("conflict", argument, told(ContextKind::PriorArg)),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = told(ContextKind::InvalidValue);
            let key = if value.is_empty() {
                "no_value"
            } else {
                "invalid"
            };
            (key, argument, value)
        }
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            ("too_many", argument, String::new())
        }
        _ => ("other", String::new(), String::new()),
    };
    let mut lines = vec![format!(
        "{}: {}",
        word("error"),
        word(key)
            .replace("{what}", &what)
            .replace("{value}", &value)
    )];
    let valid = told(ContextKind::ValidValue);
    if !valid.is_empty() {
        lines.push(format!("  [{}: {valid}]", word("possible")));
    }
    for kind in [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
    ] {
        let similar = told(kind);
        if !similar.is_empty() {
            lines.push(format!("  {}", word("similar").replace("{what}", &similar)));
        }
    }
    if let Some(source) = std::error::Error::source(error) {
        lines.push(format!("  {source}"));
    }
    if let Some(usage) = error.get(ContextKind::Usage) {
        lines.push(String::new());
        lines.push(fixed(&shown(usage)));
    }
    lines.push(String::new());
    lines.push(format!("{}\n", word("more")));
    lines.join("\n")
}

fn shown(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::StyledStrs(texts) => {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            texts.join(", ")
        }
        ContextValue::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_korean(text: &str) -> bool {
        text.chars().any(|c| ('가'..='힣').contains(&c))
    }

    fn check(command: &Command, path: &str) {
        let about = command.get_about().map(ToString::to_string);
        assert!(
            about.as_deref().is_some_and(is_korean),
            "{path:?}: {about:?}"
        );
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string);
            let id = arg.get_id().as_str();
            assert!(
                help.as_deref().is_some_and(is_korean),
                "{path:?} {id}: {help:?}"
            );
        }
        for below in command.get_subcommands() {
            check(below, &format!("{path} {}", below.get_name()));
        }
    }

    #[test]
    fn every_command_and_argument_has_its_korean_text() {
        assert!(toml::from_str::<toml::Table>(KOREAN).is_ok());
        command(Lang::Ko).debug_assert();
        check(&command(Lang::Ko), "");
    }

    #[test]
    fn help_and_usage_errors_are_korean_but_for_names() {
        let said = |words: &[&str]| {
            let error = command(Lang::Ko).try_get_matches_from(words).unwrap_err();
            match error.kind() {
                ErrorKind::DisplayHelp => fixed(&error.render().to_string()),
                _ => usage_error(&error),
            }
        };
        let help = said(&["paydeck", "refund", "--help"]);
        assert!(help.contains("사용법: paydeck refund"), "{help}");
        for english in [
            "Usage",
            "Options",
            "Print",
            "Global",
            "Everything",
            "default:",
        ] {
            assert!(!help.contains(english), "{english} in {help}");
        }
        for (words, expected) in [
            (&["paydeck", "refund"][..], "필요한 인자"),
            (&["paydeck", "refnd"], "refund"),
            (&["paydeck", "list", "plans", "--sort", "colour"], "amount"),
            (&["paydeck", "list", "plans", "--colour"], "모르는 인자"),
        ] {
            let text = said(words);
            assert!(
                text.starts_with("오류: ") && text.contains(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn the_language_of_the_words_is_known_before_they_are_read() {
        for words in [
            &["paydeck", "--lang", "ko"][..],
            &["paydeck", "--lang=ko", "x"],
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(language(&words, || Lang::En), Lang::Ko);
        }
    }
}
