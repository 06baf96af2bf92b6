//! From what is written to what fits together: each value with its range, the mode with key and address.

mod accounts;
mod people;
mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Document;
use super::error::{ConfigError, Place, Problem};
use super::raw::Raw;
use super::settings::{Database, Settings};
use crate::domain::mode::Mode;
use crate::secret::Secret;

const MODES: &[(&str, Mode)] = &[
    ("live", Mode::Live),
    ("test", Mode::Test),
    ("sim", Mode::Sim),
];

/// What the secret keys' files hold; read by `load`, which alone reads files.
pub(super) struct KeyFiles {
    pub(super) toss: Option<Secret>,
    pub(super) stripe: Option<Secret>,
}

pub(super) struct Check<'a> {
    pub(super) document: Option<&'a Document>,
    /// Keys that the environment set, and by which variable.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// Relative paths start here.
    pub(super) base: &'a Path,
}

impl Check<'_> {
    pub(super) fn settings(&self, raw: Raw, keys: KeyFiles) -> Result<Settings, ConfigError> {
        let mode = self.choice("mode", &self.present("mode", raw.mode)?, MODES)?;
        let billing = self.billing(&raw.billing)?;
        let (toss, warnings) = self.toss(
            &raw.provider.toss.base_url,
            raw.provider.toss.secret_key,
            keys.toss,
            mode,
        )?;
        let stripe = self.stripe(raw.provider.stripe, keys.stripe, mode, &toss.address)?;
        let mut settings = Settings {
            file: self.document.map(|document| document.path.clone()),
            mode,
            database: self.database(raw.database.url)?,
            toss,
            stripe,
            routing: self.routing(&raw.routing.rules)?,
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
        };
        let held_back = self.rules_without_key(&settings);
        settings.warnings.extend(held_back);
        Ok(settings)
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
}
