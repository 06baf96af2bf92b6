//! The checked settings. Their fields are plain values: whoever holds one need not check it again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use super::error::{ConfigError, Place, Problem};
use crate::domain::dunning::DunningPolicy;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::money::Money;
use crate::domain::operator::Role;
use crate::domain::routing::Routing;
use crate::secret::Secret;

#[derive(Debug, Clone)]
pub struct Settings {
    /// The file they came from; none when the environment said everything.
    pub file: Option<PathBuf>,
    pub mode: Mode,
    pub database: Database,
    pub toss: Account,
    /// None where nothing of Stripe is set.
    pub stripe: Option<Account>,
    /// Which provider is asked for which currency.
    pub routing: Routing,
    pub billing: Billing,
    pub dunning: DunningPolicy,
    pub limits: Limits,
    pub people: Vec<Person>,
    pub vault: VaultFiles,
    pub ui: Ui,
    pub log: Log,
    pub timeouts: Timeouts,
    pub leases: Leases,
    /// Allowed, and not as it should be: said once at start and by doctor.
    pub warnings: Vec<Warning>,
}

impl Settings {
    /// Stripe's account, where its key is set.
    pub fn stripe_with_key(&self) -> Option<(&Account, &Secret)> {
        let account = self.stripe.as_ref()?;
        Some((account, account.secret_key.as_ref()?))
    }

    /// Whether the provider's key is set: without one nothing is sent there.
    pub fn has_key_of(&self, provider: ProviderName) -> bool {
        match provider {
            ProviderName::Toss => self.toss.secret_key.is_some(),
            ProviderName::Stripe => self.stripe_with_key().is_some(),
        }
    }

    /// The provider's secret key, where a command needs one.
    pub fn toss_secret_key(&self) -> Result<&Secret, ConfigError> {
        self.toss
            .secret_key
            .as_ref()
            .ok_or_else(|| ConfigError::Invalid {
                place: Place::Default {
                    path: self.file.clone(),
                },
                key: "provider.toss.secret_key_file".to_owned(),
                problem: Problem::Missing,
            })
    }
}

#[derive(Debug, Clone)]
pub enum Database {
    Sqlite {
        path: PathBuf,
    },
    /// Secret because of the password in it.
    Postgres {
        url: Secret,
    },
}

/// Our account at one provider.
#[derive(Debug, Clone)]
pub struct Account {
    pub address: ProviderAddress,
    pub secret_key: Option<Secret>,
    /// Where a customer comes back to who was asked by their bank.
    pub return_url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderAddress {
    /// The provider itself, in modes live and test.
    Official,
    /// The simulator that runs over this directory; it says there where it listens.
    Sandbox { dir: PathBuf },
    /// A simulator at a loopback address, without a slash at the end.
    Loopback { url: String },
}

impl ProviderAddress {
    /// The base URL where it is known without asking the simulator.
    pub fn url_of(&self, provider: ProviderName) -> Option<&str> {
        match self {
            Self::Official => Some(super::address::official(provider)),
            Self::Loopback { url } => Some(url),
            Self::Sandbox { .. } => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Billing {
    /// Local dates are dates here.
    pub zone: Tz,
    pub hour: u32,
    /// Provider calls in flight.
    pub concurrency: usize,
    /// After an outage: so many missed periods per subscription are billed without a person.
    pub catch_up_periods: u32,
    pub send_contact: bool,
}

#[derive(Debug, Clone)]
pub struct Limits {
    pub refund: BTreeMap<Role, Vec<Money>>,
    pub refunds_per_day: u32,
    /// A person's sum per day is this many times the single limit.
    pub daily_multiple: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// In composed form, so that one name has one writing.
    pub name: String,
    /// Of every account that is this person's.
    pub uids: Vec<u32>,
    /// Fingerprints of SSH keys: `SHA256:…`.
    pub keys: Vec<String>,
    pub roles: Vec<Role>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultFiles {
    pub key_file: PathBuf,
    /// Still readable while a rotation re-wraps.
    pub previous_key_files: Vec<PathBuf>,
    /// Where sealed keys and answers wait while the database is away.
    pub spool_dir: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// The shop's name in the header; may be empty.
    pub name: String,
    pub language: Language,
    pub color: Color,
    pub mouse: Mouse,
    pub clipboard: Clipboard,
    pub title: WindowTitle,
    pub personal: Personal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// As the locale's variables say.
    Auto,
    Korean,
    English,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// As the terminal says.
    Auto,
    True,
    Indexed256,
    Basic16,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mouse {
    /// The terminal keeps its own selection.
    Off,
    On,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clipboard {
    /// In tmux and over SSH.
    Auto,
    Off,
    /// Through the terminal, also over SSH.
    Osc52,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowTitle {
    Untouched,
    Set,
}

/// Names, e-mail addresses and phone numbers on lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    Masked,
    Shown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub dir: PathBuf,
    pub level: LogLevel,
    pub keep_days: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// One provider call, answer included.
    pub total: Duration,
    /// One database statement.
    pub database: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leases {
    pub attempt_s: i64,
    pub run_s: i64,
    /// A person's confirmed attempt that nobody sent within this is abandoned.
    pub manual_ready_s: i64,
    /// Waits between look-ups of an unknown attempt.
    pub look_ups_s: Vec<i64>,
    /// The wait after the last of those; there is no last look-up.
    pub look_ups_then_s: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// Others on the host may see a process's environment; a private file is better.
    SecretInEnvironment,
    /// A secret key of the form used until 2022.
    LegacyTestKey,
    /// A routing rule names a provider whose key is not set: what it would charge is held back.
    RuleWithoutKey(ProviderName),
}
