//! The texts of one language: look-up by key, and filling of `{name}` placeholders.
//!
//! It never fails at run time: an embedded file that could not be read would leave its keys showing
//! themselves, and a test reads every file.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Lang;
use crate::text::{Shown, group_thousands};

/// The files of each language, in the order in which keys are listed.
pub const AREAS: [&str; 6] = ["common", "console", "dialog", "failure", "error", "cli"];

const KO: [&str; AREAS.len()] = [
    include_str!("../../assets/locale/ko/common.toml"),
    include_str!("../../assets/locale/ko/console.toml"),
    include_str!("../../assets/locale/ko/dialog.toml"),
    include_str!("../../assets/locale/ko/failure.toml"),
    include_str!("../../assets/locale/ko/error.toml"),
    include_str!("../../assets/locale/ko/cli.toml"),
];
const EN: [&str; AREAS.len()] = [
    include_str!("../../assets/locale/en/common.toml"),
    include_str!("../../assets/locale/en/console.toml"),
    include_str!("../../assets/locale/en/dialog.toml"),
    include_str!("../../assets/locale/en/failure.toml"),
    include_str!("../../assets/locale/en/error.toml"),
    include_str!("../../assets/locale/en/cli.toml"),
];

/// One language with all its texts. Each file is read when a text of it is first asked for: most
/// commands need a few of them.
#[derive(Debug)]
pub struct Locale {
    lang: Lang,
    files: [&'static str; AREAS.len()],
    areas: [OnceLock<HashMap<String, String>>; AREAS.len()],
}

impl Locale {
    pub fn get(lang: Lang) -> &'static Self {
        static KOREAN: Locale = Locale::of(Lang::Ko, KO);
        static ENGLISH: Locale = Locale::of(Lang::En, EN);
        match lang {
            Lang::Ko => &KOREAN,
            Lang::En => &ENGLISH,
        }
    }

    const fn of(lang: Lang, files: [&'static str; AREAS.len()]) -> Self {
        Self {
            lang,
            files,
            areas: [const { OnceLock::new() }; AREAS.len()],
        }
    }

    fn area(&self, at: usize) -> &HashMap<String, String> {
        self.areas[at].get_or_init(|| {
            let table: toml::Table = toml::from_str(self.files[at]).unwrap_or_default();
            let mut texts = HashMap::new();
            flatten(AREAS[at], &table, &mut texts);
            texts
        })
    }

    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// The text of a key; the key itself when there is none.
    pub fn t<'a>(&'static self, key: &'a str) -> &'a str {
        self.find(key).unwrap_or(key)
    }

    pub fn find(&self, key: &str) -> Option<&str> {
        let (area, _) = key.split_once('.')?;
        let at = AREAS.iter().position(|name| *name == area)?;
        self.area(at).get(key).map(String::as_str)
    }

    /// The text of a key with `{name}` placeholders filled. Values are sanitised on the way in, and
    /// braces inside a value stay as they are. An unknown placeholder stays visible.
    pub fn t_args(&'static self, key: &str, args: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        let mut rest = self.t(key);
        while let Some((before, name, after)) = next_placeholder(rest) {
            filled.push_str(before);
            match args.iter().find(|(given, _)| *given == name) {
                Some((_, value)) => filled.push_str(Shown::line(value).as_str()),
                None => filled.push_str(&rest[before.len()..rest.len() - after.len()]),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// The word for a code of the domain: `label("state.invoice", "OPEN")` reads
    /// `common.state.invoice.open`. Case and `-` or `_` do not matter; an unlisted code shows itself.
    pub fn label<'a>(&'static self, group: &str, code: &'a str) -> &'a str {
        let code_key = code.to_lowercase().replace(['-', ' '], "_");
        self.find(&format!("common.{group}.{code_key}"))
            .unwrap_or(code)
    }

    /// A number with its counted noun: reads `KEY.one` or `KEY.other` and fills `{n}`.
    pub fn counted(&'static self, key: &str, number: i64) -> String {
        let form = if number == 1 { "one" } else { "other" };
        self.t_args(&format!("{key}.{form}"), &[("n", &group_thousands(number))])
    }

    /// All keys, sorted; for tests and documentation.
    pub fn keys(&self) -> Vec<&str> {
        let areas = (0..AREAS.len()).flat_map(|at| self.area(at).keys());
        let mut keys: Vec<&str> = areas.map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }
}

/// Splits off the first `{name}`: what stands before it, the name, and what follows.
pub(super) fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, tail) = text.split_once('{')?;
    let (name, after) = tail.split_once('}')?;
    Some((before, name, after))
}

fn flatten(path: &str, table: &toml::Table, texts: &mut HashMap<String, String>) {
    for (name, value) in table {
        let key = format!("{path}.{name}");
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, texts),
            toml::Value::String(text) => drop(texts.insert(key, text.clone())),
            other => drop(texts.insert(key, other.to_string())),
        }
    }
}

#[cfg(test)]
pub(super) fn files(lang: Lang) -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = match lang {
        Lang::Ko => KO,
        Lang::En => EN,
    };
    AREAS.into_iter().zip(files)
}
