//! From what is written to what fits together: each value with its range, the mode with key and address.

mod people;
mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Document;
use super::error::{ConfigError, Place, Problem};
use super::raw::Raw;
use super::settings::{Database, Settings, Toss, Warning};
use super::toss::{self, KeyKind};
use crate::domain::mode::Mode;
use crate::secret::Secret;

const MODES: &[(&str, Mode)] = &[
    ("live", Mode::Live),
    ("test", Mode::Test),
    ("sim", Mode::Sim),
];

/// What the secret key's file holds; read by `load`, which alone reads files.
pub(super) type SecretFile = Option<Secret>;

pub(super) struct Check<'a> {
    pub(super) document: Option<&'a Document>,
    /// Keys that the environment set, and by which variable.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// Relative paths start here.
    pub(super) base: &'a Path,
}

impl Check<'_> {
    pub(super) fn settings(
        &self,
        raw: Raw,
        secret_file: SecretFile,
    ) -> Result<Settings, ConfigError> {
        let mode = self.choice("mode", &self.present("mode", raw.mode)?, MODES)?;
        let billing = self.billing(&raw.billing)?;
        let (toss, warnings) = self.toss(
            &raw.provider.toss.base_url,
            raw.provider.toss.secret_key,
            secret_file,
            mode,
        )?;
        Ok(Settings {
            file: self.document.map(|document| document.path.clone()),
            mode,
            database: self.database(raw.database.url)?,
            toss,
            dunning: self.dunning(&raw.dunning, &billing)?,
            billing,
            limits: self.limits(&raw.limits)?,
            people: self.people(raw.people)?,
            vault: self.vault(&raw.vault)?,
            ui: self.ui(raw.ui)?,
            log: self.log(&raw.log)?,
            timeouts: self.timeouts(&raw.timeouts)?,
            leases: self.leases(raw.leases)?,
            warnings,
        })
    }

    /// Where the secret key's file is, if one is named.
    pub(super) fn secret_key_file(&self, raw: &Raw) -> Result<Option<PathBuf>, ConfigError> {
        const KEY: &str = "provider.toss.secret_key_file";
        let toss = &raw.provider.toss;
        match (&toss.secret_key_file, &toss.secret_key) {
            (None, _) => Ok(None),
            // A variable overrides a file that the file names.
            (Some(_), Some(_)) if self.variables.contains_key("provider.toss.secret_key") => {
                Ok(None)
            }
            (Some(_), Some(_)) => Err(self.invalid(
                KEY,
                Problem::Both {
                    other: "provider.toss.secret_key",
                },
            )),
            (Some(path), None) => self.path(KEY, path).map(Some),
        }
    }

    fn place(&self, key: &str) -> Place {
        if let Some(variable) = self.variables.get(key) {
            return Place::Variable(variable.clone());
        }
        self.document
            .and_then(|document| document.place_of(key))
            .unwrap_or_else(|| Place::Default {
                path: self.document.map(|document| document.path.clone()),
            })
    }

    fn invalid(&self, key: &str, problem: Problem) -> ConfigError {
        ConfigError::Invalid {
            place: self.place(key),
            key: key.to_owned(),
            problem,
        }
    }

    fn present<T>(&self, key: &str, value: Option<T>) -> Result<T, ConfigError> {
        value.ok_or_else(|| self.invalid(key, Problem::Missing))
    }

    fn choice<T: Copy>(
        &self,
        key: &str,
        value: &str,
        allowed: &[(&'static str, T)],
    ) -> Result<T, ConfigError> {
        allowed
            .iter()
            .find(|(name, _)| *name == value)
            .map(|(_, chosen)| *chosen)
            .ok_or_else(|| {
                let allowed = allowed.iter().map(|(name, _)| *name).collect();
                self.invalid(
                    key,
                    Problem::NotOneOf {
                        value: value.to_owned(),
                        allowed,
                    },
                )
            })
    }

    /// A number between two bounds that both fit the type that is asked for.
    fn whole<T: TryFrom<i64>>(
        &self,
        key: &str,
        value: i64,
        (least, most): (i64, i64),
    ) -> Result<T, ConfigError> {
        let fits = (least..=most)
            .contains(&value)
            .then(|| T::try_from(value).ok())
            .flatten();
        fits.ok_or_else(|| self.invalid(key, Problem::OutOfRange { value, least, most }))
    }

    fn path(&self, key: &str, value: &str) -> Result<PathBuf, ConfigError> {
        if value.is_empty() {
            Err(self.invalid(key, Problem::Empty))
        } else {
            Ok(self.base.join(value))
        }
    }

    fn seconds(&self, key: &str, value: i64, range: (i64, i64)) -> Result<Duration, ConfigError> {
        self.whole(key, value, range).map(Duration::from_secs)
    }

    fn database(&self, url: Option<Secret>) -> Result<Database, ConfigError> {
        const KEY: &str = "database.url";
        let url = self.present(KEY, url)?;
        if let Some(path) = url.expose().strip_prefix("sqlite:") {
            // `sqlite:///srv/paydeck.db` as well as `sqlite:/srv/paydeck.db`.
            let path = self.path(KEY, path.strip_prefix("//").unwrap_or(path))?;
            return Ok(Database::Sqlite { path });
        }
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .filter_map(|scheme| url.expose().strip_prefix(scheme))
            .any(|rest| !rest.is_empty());
        if is_postgres {
            Ok(Database::Postgres { url })
        } else {
            Err(self.invalid(KEY, Problem::NotADatabase))
        }
    }

    fn toss(
        &self,
        base_url: &str,
        inline: Option<Secret>,
        from_file: SecretFile,
        mode: Mode,
    ) -> Result<(Toss, Vec<Warning>), ConfigError> {
        const INLINE: &str = "provider.toss.secret_key";
        let address = toss::address(base_url, mode, self.base)
            .map_err(|problem| self.invalid("provider.toss.base_url", problem))?;
        let (key, written) = match (from_file, inline) {
            (Some(text), _) => ("provider.toss.secret_key_file", Some(text)),
            (None, inline) => (INLINE, inline),
        };
        let checked = written
            .map(|text| toss::secret_key(text.expose(), mode))
            .transpose()
            .map_err(|problem| self.invalid(key, problem))?;

        let mut warnings = Vec::new();
        if key == INLINE && self.variables.contains_key(INLINE) {
            warnings.push(Warning::SecretInEnvironment);
        }
        if checked
            .as_ref()
            .is_some_and(|(_, kind)| *kind == KeyKind::LegacySecret)
        {
            warnings.push(Warning::LegacyTestKey);
        }
        let secret_key = checked.map(|(secret, _)| secret);
        Ok((
            Toss {
                address,
                secret_key,
            },
            warnings,
        ))
    }
}
