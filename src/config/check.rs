//! From what is written to what fits together: each value with its range, the mode with key and address.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Document;
use super::error::{ConfigError, Place, Problem};
use super::raw::{
    Raw, RawBilling, RawDunning, RawLeases, RawLimits, RawLog, RawPerson, RawTimeouts, RawUi,
    RawVault,
};
use super::settings::{
    Billing, Clipboard, Color, Database, Language, Leases, Limits, Log, LogLevel, Mouse, Person,
    Personal, Settings, Timeouts, Toss, Ui, VaultFiles, Warning, WindowTitle,
};
use super::toss::{self, KeyKind};
use crate::domain::dunning::{DunningPolicy, EndAction};
use crate::domain::mode::Mode;
use crate::domain::money::{Currency, Money};
use crate::domain::operator::Role;
use crate::secret::Secret;

const A_DAY_S: i64 = 24 * 3_600;
const MODES: &[(&str, Mode)] = &[
    ("live", Mode::Live),
    ("test", Mode::Test),
    ("sim", Mode::Sim),
];
const END_ACTIONS: &[(&str, EndAction)] = &[
    ("unpaid", EndAction::Unpaid),
    ("cancel", EndAction::Cancel),
    ("pause", EndAction::Pause),
];
const LANGUAGES: &[(&str, Language)] = &[
    ("auto", Language::Auto),
    ("ko", Language::Korean),
    ("en", Language::English),
];
const COLORS: &[(&str, Color)] = &[
    ("auto", Color::Auto),
    ("true", Color::True),
    ("256", Color::Indexed256),
    ("16", Color::Basic16),
    ("off", Color::Off),
];
const CLIPBOARDS: &[(&str, Clipboard)] = &[("off", Clipboard::Off), ("osc52", Clipboard::Osc52)];
const LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
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

    fn present(&self, key: &str, value: Option<String>) -> Result<String, ConfigError> {
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

    fn database(&self, url: Option<String>) -> Result<Database, ConfigError> {
        const KEY: &str = "database.url";
        let url = self.present(KEY, url)?;
        if let Some(path) = url.strip_prefix("sqlite:") {
            // `sqlite:///srv/paydeck.db` as well as `sqlite:/srv/paydeck.db`.
            let path = self.path(KEY, path.strip_prefix("//").unwrap_or(path))?;
            return Ok(Database::Sqlite { path });
        }
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Database::Postgres {
                url: Secret::new(url),
            }),
            _ => Err(self.invalid(KEY, Problem::NotADatabase)),
        }
    }

    fn toss(
        &self,
        base_url: &str,
        inline: Option<String>,
        from_file: SecretFile,
        mode: Mode,
    ) -> Result<(Toss, Vec<Warning>), ConfigError> {
        const INLINE: &str = "provider.toss.secret_key";
        let address = toss::address(base_url, mode, self.base)
            .map_err(|problem| self.invalid("provider.toss.base_url", problem))?;
        let (key, written) = match (from_file, inline) {
            (Some(text), _) => ("provider.toss.secret_key_file", Some(text)),
            (None, inline) => (INLINE, inline.map(Secret::new)),
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

    fn billing(&self, raw: &RawBilling) -> Result<Billing, ConfigError> {
        let not_a_zone = || Problem::NotAZone {
            value: raw.zone.clone(),
        };
        Ok(Billing {
            zone: raw
                .zone
                .parse()
                .map_err(|_| self.invalid("billing.zone", not_a_zone()))?,
            hour: self.whole("billing.hour", raw.hour, (0, 23))?,
            concurrency: self.whole("billing.concurrency", raw.concurrency, (1, 256))?,
            catch_up_periods: self.whole(
                "billing.catch_up_periods",
                raw.catch_up_periods,
                (0, 12),
            )?,
            send_contact: raw.send_contact,
        })
    }

    fn dunning(&self, raw: &RawDunning, billing: &Billing) -> Result<DunningPolicy, ConfigError> {
        const DAYS: &str = "dunning.days";
        let days: Vec<u32> = raw
            .days
            .iter()
            .map(|day| self.whole(DAYS, *day, (1, 365)))
            .collect::<Result<_, _>>()?;
        if !days.is_sorted_by(|earlier, later| earlier < later) {
            return Err(self.invalid(DAYS, Problem::NotIncreasing));
        }
        Ok(DunningPolicy {
            days,
            hour: self.whole("dunning.hour", raw.hour, (0, 23))?,
            zone: billing.zone,
            needs_customer_days: self.whole(
                "dunning.needs_customer_days",
                raw.needs_customer_days,
                (1, 90),
            )?,
            end_action: self.choice("dunning.end_action", &raw.end_action, END_ACTIONS)?,
        })
    }

    fn limits(&self, raw: &RawLimits) -> Result<Limits, ConfigError> {
        let per_role = [
            (Role::Support, "limits.refund.support", &raw.refund.support),
            (Role::Oncall, "limits.refund.oncall", &raw.refund.oncall),
            (Role::Finance, "limits.refund.finance", &raw.refund.finance),
            (Role::Admin, "limits.refund.admin", &raw.refund.admin),
        ];
        let refund = per_role
            .into_iter()
            .map(|(role, key, amounts)| Ok((role, self.amounts(key, amounts)?)))
            .collect::<Result<_, ConfigError>>()?;
        Ok(Limits {
            refund,
            refunds_per_day: self.whole(
                "limits.refunds_per_day",
                raw.refunds_per_day,
                (0, 100_000),
            )?,
            daily_multiple: self.whole("limits.daily_multiple", raw.daily_multiple, (1, 1_000))?,
        })
    }

    fn amounts(&self, key: &str, written: &[String]) -> Result<Vec<Money>, ConfigError> {
        let mut amounts: Vec<Money> = Vec::with_capacity(written.len());
        for text in written {
            let not_an_amount = || {
                self.invalid(
                    key,
                    Problem::NotAnAmount {
                        value: text.clone(),
                    },
                )
            };
            let amount = amount(text).ok_or_else(not_an_amount)?;
            if amounts
                .iter()
                .any(|other| other.currency() == amount.currency())
            {
                let currency = amount.currency().code().to_owned();
                return Err(self.invalid(key, Problem::CurrencyTwice { currency }));
            }
            amounts.push(amount);
        }
        Ok(amounts)
    }

    fn people(&self, raw: BTreeMap<String, RawPerson>) -> Result<Vec<Person>, ConfigError> {
        let mut people: Vec<Person> = Vec::with_capacity(raw.len());
        for (name, raw) in raw {
            let person = self.person(name, raw)?;
            if let Some((key, other)) = shared_identity(&person, &people) {
                return Err(self.invalid(&key, Problem::SharedIdentity { other }));
            }
            people.push(person);
        }
        Ok(people)
    }

    fn person(&self, name: String, raw: RawPerson) -> Result<Person, ConfigError> {
        let key = |of: &str| format!("people.{name}.{of}");
        let uid = raw
            .uid
            .map(|uid| self.whole(&key("uid"), uid, (0, i64::from(u32::MAX))))
            .transpose()?;
        if let Some(value) = raw.keys.iter().find(|text| !is_fingerprint(text)) {
            return Err(self.invalid(
                &key("keys"),
                Problem::NotAFingerprint {
                    value: value.clone(),
                },
            ));
        }
        if uid.is_none() && raw.keys.is_empty() {
            return Err(self.invalid(&format!("people.{name}"), Problem::NobodyRecognised));
        }
        if raw.roles.is_empty() {
            return Err(self.invalid(&key("roles"), Problem::Missing));
        }
        let allowed = Role::ALL.map(|role| (role.as_str(), role));
        let roles = raw
            .roles
            .iter()
            .map(|role| self.choice(&key("roles"), role, &allowed))
            .collect::<Result<_, _>>()?;
        Ok(Person {
            name,
            uid,
            keys: raw.keys,
            roles,
        })
    }

    fn vault(&self, raw: &RawVault) -> Result<VaultFiles, ConfigError> {
        let previous = |path: &String| self.path("vault.previous_key_files", path);
        Ok(VaultFiles {
            key_file: self.path("vault.key_file", &raw.key_file)?,
            previous_key_files: raw
                .previous_key_files
                .iter()
                .map(previous)
                .collect::<Result<_, _>>()?,
        })
    }

    fn ui(&self, raw: RawUi) -> Result<Ui, ConfigError> {
        Ok(Ui {
            language: self.choice("ui.lang", &raw.lang, LANGUAGES)?,
            color: self.choice("ui.color", &raw.color, COLORS)?,
            mouse: if raw.mouse { Mouse::On } else { Mouse::Off },
            clipboard: self.choice("ui.clipboard", &raw.clipboard, CLIPBOARDS)?,
            title: if raw.title {
                WindowTitle::Set
            } else {
                WindowTitle::Untouched
            },
            personal: if raw.mask_personal {
                Personal::Masked
            } else {
                Personal::Shown
            },
            name: raw.name,
        })
    }

    fn log(&self, raw: &RawLog) -> Result<Log, ConfigError> {
        Ok(Log {
            dir: self.path("log.dir", &raw.dir)?,
            level: self.choice("log.level", &raw.level, LEVELS)?,
            keep_days: self.whole("log.keep_days", raw.keep_days, (1, 3_650))?,
        })
    }

    fn timeouts(&self, raw: &RawTimeouts) -> Result<Timeouts, ConfigError> {
        Ok(Timeouts {
            connect: self.seconds("timeouts.connect_s", raw.connect_s, (1, 60))?,
            total: self.seconds("timeouts.total_s", raw.total_s, (1, 600))?,
            database: self.seconds("timeouts.database_s", raw.database_s, (1, 600))?,
        })
    }

    fn leases(&self, raw: RawLeases) -> Result<Leases, ConfigError> {
        const LOOK_UPS: &str = "leases.look_ups_s";
        if raw.look_ups_s.is_empty() {
            return Err(self.invalid(LOOK_UPS, Problem::Empty));
        }
        for wait in &raw.look_ups_s {
            self.whole::<i64>(LOOK_UPS, *wait, (1, A_DAY_S))?;
        }
        Ok(Leases {
            attempt_s: self.whole("leases.attempt_s", raw.attempt_s, (1, 3_600))?,
            run_s: self.whole("leases.run_s", raw.run_s, (1, 3_600))?,
            manual_ready_s: self.whole("leases.manual_ready_s", raw.manual_ready_s, (1, 3_600))?,
            look_ups_s: raw.look_ups_s,
            look_ups_then_s: self.whole(
                "leases.look_ups_then_s",
                raw.look_ups_then_s,
                (1, A_DAY_S),
            )?,
        })
    }
}

/// `500000 KRW`
fn amount(text: &str) -> Option<Money> {
    let (number, code) = text.trim().split_once(' ')?;
    let amount = Money::parse(number, Currency::parse(code.trim()).ok()?).ok()?;
    (amount.minor() >= 0).then_some(amount)
}

/// As `ssh-keygen -lf` prints it: SHA-256 in base64 without padding.
fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix("SHA256:").is_some_and(|digest| {
        digest.len() == 43
            && digest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/')
    })
}

/// One uid or key, one person: otherwise the audit trail would name the wrong one.
fn shared_identity(person: &Person, others: &[Person]) -> Option<(String, String)> {
    let shares_uid = |other: &&Person| person.uid.is_some() && other.uid == person.uid;
    let shares_key = |other: &&Person| other.keys.iter().any(|key| person.keys.contains(key));
    let named =
        |of: &str, other: &Person| (format!("people.{}.{of}", person.name), other.name.clone());
    let by_uid = others
        .iter()
        .find(shares_uid)
        .map(|other| named("uid", other));
    by_uid.or_else(|| {
        others
            .iter()
            .find(shares_key)
            .map(|other| named("keys", other))
    })
}
