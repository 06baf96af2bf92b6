//! The one place where configuration is read from files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat};

use super::check::{Check, KeyFiles};
use super::document::Document;
use super::environment::{Environment, FILE_VARIABLE, Override, overrides};
use super::error::{ConfigError, Place};
use super::raw::Raw;
use super::settings::Settings;
use crate::secret::Secret;
use crate::vault::private_file;

/// Reads the file (this one, else the one that `PAYDECK_CONFIG` names, else none), lays the environment
/// over it and checks the result. Relative paths in it start at the file's directory.
pub fn load(path: Option<&Path>, environment: &Environment) -> Result<Settings, ConfigError> {
    let named = environment
        .get(FILE_VARIABLE)
        .filter(|name| !name.is_empty());
    let path = path
        .map(Path::to_owned)
        .or_else(|| named.map(PathBuf::from));
    let overrides = overrides(environment)?;

    let text = path.as_deref().map(private_file::read).transpose()?;
    let document = match (&path, &text) {
        (Some(path), Some(text)) => Some(Document::parse(path, text)?),
        _ => None,
    };
    let raw = layer(text.as_ref().map(|text| text.as_str()), &overrides).map_err(|()| {
        ConfigError::Syntax {
            place: Place::Default { path: path.clone() },
            message: "file and environment do not fit together".to_owned(),
        }
    })?;

    let variables: BTreeMap<String, String> = overrides
        .into_iter()
        .map(|given| (given.key, given.variable))
        .collect();
    let base = path
        .as_deref()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""));
    let check = Check {
        document: document.as_ref(),
        variables: &variables,
        base,
    };
    let read = |path: Option<PathBuf>| -> Result<Option<Secret>, ConfigError> {
        match path {
            Some(path) => Ok(Some(Secret::new(private_file::read(&path)?.as_str()))),
            None => Ok(None),
        }
    };
    let keys = KeyFiles {
        toss: read(check.toss_key_file(&raw)?)?,
        stripe: read(check.stripe_key_file(&raw)?)?,
    };
    check.settings(raw, keys)
}

/// Kinds were checked before, one source at a time; the layering's own error could show a value.
fn layer(text: Option<&str>, overrides: &[Override]) -> Result<Raw, ()> {
    let mut builder = Config::builder();
    if let Some(text) = text {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    for given in overrides {
        builder = builder
            .set_override(&given.key, given.value.clone())
            .map_err(drop)?;
    }
    builder
        .build()
        .and_then(Config::try_deserialize)
        .map_err(drop)
}

#[cfg(test)]
mod tests;
