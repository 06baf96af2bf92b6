//! `PAYDECK__SECTION__KEY`: the environment's word over any key.

use std::collections::BTreeMap;

use config::{Value, ValueKind};

use super::error::{ConfigError, Place, Problem};
use super::schema::{Kind, kind_of, suggestion};

/// Names and values of environment variables.
pub type Environment = BTreeMap<String, String>;

pub(super) const FILE_VARIABLE: &str = "PAYDECK_CONFIG";
const PREFIX: &str = "PAYDECK__";
/// The shorter name of the one secret that is commonly given this way.
const SHORT_SECRET: &str = "PAYDECK__PROVIDER__SECRET_KEY";
const SECRET: &str = "provider.toss.secret_key";

/// This process's variables that concern paydeck; values that are not UTF-8 are left out.
pub fn process_environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("PAYDECK_"))
        .collect()
}

pub(super) struct Override {
    pub(super) key: String,
    pub(super) variable: String,
    pub(super) value: Value,
}

pub(super) fn overrides(environment: &Environment) -> Result<Vec<Override>, ConfigError> {
    environment
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, text)| read(name, text))
        .collect()
}

fn read(name: &str, text: &str) -> Result<Override, ConfigError> {
    let key = if name == SHORT_SECRET {
        SECRET.to_owned()
    } else {
        name[PREFIX.len()..].replace("__", ".").to_lowercase()
    };
    let place = || Place::Variable(name.to_owned());
    let Some(kind) = kind_of(&key) else {
        return Err(ConfigError::UnknownKey {
            place: place(),
            suggestion: suggestion(&key),
            key,
        });
    };
    match value_of(kind, text) {
        Some(value) => Ok(Override {
            key,
            variable: name.to_owned(),
            value: Value::new(None, value),
        }),
        None => Err(ConfigError::Invalid {
            place: place(),
            key,
            problem: Problem::Expected(kind.expected()),
        }),
    }
}

fn value_of(kind: Kind, text: &str) -> Option<ValueKind> {
    match kind {
        Kind::Text => Some(ValueKind::String(text.to_owned())),
        Kind::Whole => text.trim().parse().ok().map(ValueKind::I64),
        Kind::Flag => text.trim().parse().ok().map(ValueKind::Boolean),
        Kind::Wholes => list(Kind::Whole, text),
        Kind::Texts => list(Kind::Text, text),
    }
}

/// `1,3,5` or, as in the file, `[1, 3, 5]`.
fn list(kind: Kind, text: &str) -> Option<ValueKind> {
    let text = text.trim();
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let items: Option<Vec<Value>> = inner
        .split(',')
        .map(|item| item.trim().trim_matches('"'))
        .filter(|item| !item.is_empty())
        .map(|item| value_of(kind, item).map(|value| Value::new(None, value)))
        .collect();
    items.map(ValueKind::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, text: &str) -> String {
        read(name, text).err().unwrap().to_string()
    }

    #[test]
    fn a_variable_of_the_wrong_kind_or_name_is_named() {
        assert_eq!(
            error("PAYDECK__DUNNING__HOUR", "ten"),
            "PAYDECK__DUNNING__HOUR: dunning.hour must be a whole number"
        );
        assert_eq!(
            error("PAYDECK__DUNNING__HUOR", "10"),
            "PAYDECK__DUNNING__HUOR: unknown key dunning.huor; did you mean dunning.hour?"
        );
    }

    #[test]
    fn a_list_is_written_with_commas() {
        for text in ["1,3,5", "[1, 3, 5]", " 1 , 3,5,"] {
            let value = read("PAYDECK__DUNNING__DAYS", text).unwrap().value;
            let days: Vec<i64> = value
                .into_array()
                .unwrap()
                .into_iter()
                .map(|day| day.into_int().unwrap())
                .collect();
            assert_eq!(days, [1, 3, 5], "{text}");
        }
    }

    #[test]
    fn the_secret_key_has_a_short_name() {
        assert_eq!(
            read("PAYDECK__PROVIDER__SECRET_KEY", "x").unwrap().key,
            "provider.toss.secret_key"
        );
        assert_eq!(
            read("PAYDECK__PROVIDER__TOSS__SECRET_KEY", "x")
                .unwrap()
                .key,
            "provider.toss.secret_key"
        );
    }
}
