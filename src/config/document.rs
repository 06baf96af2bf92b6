//! One configuration file: where each key stands, and whether it is a known key of the right kind.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place, Problem};
use super::schema::{Kind, is_section, kind_of, suggestion};

/// The lines of a file's keys.
pub(super) struct Document {
    pub(super) path: PathBuf,
    lines: BTreeMap<String, usize>,
}

impl Document {
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            place: place(path, text, error.span().unwrap_or_default()),
            // Without the line itself, which may hold a secret.
            message: error.message().to_owned(),
        })?;
        let mut reading = Reading {
            path,
            text,
            lines: BTreeMap::new(),
        };
        reading.table(None, table.get_ref())?;
        Ok(Self {
            path: path.to_owned(),
            lines: reading.lines,
        })
    }

    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        let line = *self.lines.get(key)?;
        Some(Place::File {
            path: self.path.clone(),
            line,
        })
    }
}

fn place(path: &Path, text: &str, span: Range<usize>) -> Place {
    let before = &text.as_bytes()[..span.start.min(text.len())];
    let line = before.split(|byte| *byte == b'\n').count();
    Place::File {
        path: path.to_owned(),
        line,
    }
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    lines: BTreeMap<String, usize>,
}

impl Reading<'_> {
    fn table(&mut self, section: Option<&str>, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = match section {
                Some(section) => format!("{section}.{}", name.get_ref()),
                None => name.get_ref().to_string(),
            };
            // In quotes, `"dunning.hour"` is a name of its own and would set nothing.
            if name.get_ref().contains('.') {
                let suggestion = suggestion(&key);
                return Err(ConfigError::UnknownKey {
                    place: place(self.path, self.text, name.span()),
                    key: format!("\"{}\"", name.get_ref()),
                    suggestion,
                });
            }
            self.entry(key, name.span(), value)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        key: String,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let place = place(self.path, self.text, span);
        if is_section(&key) {
            let DeValue::Table(inner) = value.get_ref() else {
                return Err(invalid(place, key, Problem::Expected("a section")));
            };
            self.table(Some(&key), inner)?;
            self.keep(key, &place);
            return Ok(());
        }
        let Some(kind) = kind_of(&key) else {
            let suggestion = suggestion(&key);
            return Err(ConfigError::UnknownKey {
                place,
                key,
                suggestion,
            });
        };
        if !is_of_kind(kind, value.get_ref()) {
            return Err(invalid(place, key, Problem::Expected(kind.expected())));
        }
        self.keep(key, &place);
        Ok(())
    }

    fn keep(&mut self, key: String, place: &Place) {
        if let Place::File { line, .. } = place {
            self.lines.insert(key, *line);
        }
    }
}

fn invalid(place: Place, key: String, problem: Problem) -> ConfigError {
    ConfigError::Invalid {
        place,
        key,
        problem,
    }
}

fn is_of_kind(kind: Kind, value: &DeValue<'_>) -> bool {
    match (kind, value) {
        (Kind::Text, DeValue::String(_)) | (Kind::Flag, DeValue::Boolean(_)) => true,
        (Kind::Whole, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix()).is_ok()
        }
        (Kind::Wholes, DeValue::Array(items)) => items
            .iter()
            .all(|item| is_of_kind(Kind::Whole, item.get_ref())),
        (Kind::Texts, DeValue::Array(items)) => items
            .iter()
            .all(|item| is_of_kind(Kind::Text, item.get_ref())),
        _ => false,
    }
}
