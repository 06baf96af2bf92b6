//! What can be wrong with the settings. Every variant is for a person to mend; the CLI's exit code is 78.

use std::fmt;
use std::path::PathBuf;

use super::toss::KeyKind;
use crate::domain::mode::Mode;
use crate::domain::routing::RuleProblem;
use crate::vault::private_file::PrivateFileError;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself, or one that it names, is missing or open to others.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{place}: not TOML: {message}")]
    Syntax { place: Place, message: String },
    #[error("{place}: unknown key {key}{}", suggested(suggestion.as_deref()))]
    UnknownKey {
        place: Place,
        key: String,
        suggestion: Option<&'static str>,
    },
    #[error("{place}: {key} {problem}")]
    Invalid {
        place: Place,
        key: String,
        problem: Problem,
    },
}

fn suggested(key: Option<&str>) -> String {
    key.map(|key| format!("; did you mean {key}?"))
        .unwrap_or_default()
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    File {
        path: PathBuf,
        line: usize,
    },
    Variable(String),
    /// Nowhere: the default stands. The file is where it could be written.
    Default {
        path: Option<PathBuf>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Default { path: Some(path) } => write!(f, "{}", path.display()),
            Self::Default { path: None } => f.write_str("environment"),
        }
    }
}

/// What is wrong with one value; reads on from the key's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("is not set")]
    Missing,
    #[error("is empty")]
    Empty,
    #[error("must be {0}")]
    Expected(&'static str),
    #[error("is {value}, which is not between {least} and {most}")]
    OutOfRange { value: i64, least: i64, most: i64 },
    #[error("is {value:?}, which is none of {}", allowed.join(", "))]
    NotOneOf {
        value: String,
        allowed: Vec<&'static str>,
    },
    #[error("is {value:?}, which is no time zone's name such as Asia/Seoul")]
    NotAZone { value: String },
    #[error("holds {value:?}, which is no amount with its currency such as \"500000 KRW\"")]
    NotAnAmount { value: String },
    #[error("names {currency} twice")]
    CurrencyTwice { currency: String },
    #[error("must grow from day to day")]
    NotIncreasing,
    /// Not shown: it may hold a password.
    #[error("is neither sqlite:PATH nor postgres://…")]
    NotADatabase,
    #[error("is none of {official}, sandbox:DIR and http://127.0.0.1:PORT")]
    NotAnAddress { official: &'static str },
    #[error(
        "leads out of this machine, which mode sim never does; set sandbox:DIR or http://127.0.0.1:PORT"
    )]
    NotTheSimulator,
    #[error("is another simulator than provider.toss.base_url: one of them stands in for both")]
    OtherSimulator,
    #[error("is not {official}, the only address that mode {mode} speaks to")]
    NotTheProvider { mode: Mode, official: &'static str },
    #[error("is a {found} of mode {key_mode}, and the configuration's mode is {mode}")]
    KeyOfOtherMode {
        found: KeyKind,
        key_mode: &'static str,
        mode: Mode,
    },
    #[error("is a {found}; the API's secret key is needed (test_sk_… or live_sk_…)")]
    KeyOfOtherKind { found: KeyKind },
    #[error("is not a secret key of Toss Payments (test_sk_… or live_sk_…)")]
    NotAKey,
    #[error("is a {found} of Stripe; its secret or restricted key is needed (sk_… or rk_…)")]
    StripeKeyOfOtherKind { found: &'static str },
    #[error("is a key of Stripe of mode {key_mode}, and the configuration's mode is {mode}")]
    StripeKeyOfOtherMode { key_mode: &'static str, mode: Mode },
    #[error(
        "is for modes test and sim: paydeck does not charge at Stripe in mode live yet (SAFETY.md says what is missing)"
    )]
    StripeIsNotLive,
    #[error("is not an https:// address that a browser can be sent to")]
    NotAPage,
    #[error("is not a secret key of Stripe (sk_test_…, sk_live_…, rk_test_… or rk_live_…)")]
    NotAStripeKey,
    #[error("holds {value:?}: {problem}")]
    NotARule { value: String, problem: RuleProblem },
    #[error("is set, and so is {other}; keep one")]
    Both { other: &'static str },
    #[error("is the same person as {other}: one person has one entry, with all uids and keys")]
    SamePerson { other: String },
    #[error("names nobody who could be recognised: set uid, uids or keys")]
    NobodyRecognised,
    #[error("belongs to {other} as well")]
    SharedIdentity { other: String },
    #[error("holds {value:?}, which is no key fingerprint such as SHA256:… (see ssh-keygen -lf)")]
    NotAFingerprint { value: String },
}
