//! What is asked for, what was made, and why it could not be.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::engine::ports::StoreError;
use crate::locale::Lang;
use crate::sandbox::SandboxError;
use crate::vault::VaultError;

/// How many customers there are when nobody says.
pub(super) const DEFAULT_CUSTOMERS: u32 = 3_000;

/// What a demo is made of. The same options make the same data.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Where everything goes; made when missing. It must not hold a demo yet.
    pub dir: PathBuf,
    /// How many customers; none: as many as the payments need, or 3,000.
    pub customers: Option<u32>,
    /// How many payments in all; none: as many as come about.
    pub payments: Option<u32>,
    /// Another seed tells another story.
    pub seed: u64,
    /// The end of the story; everything is relative to it.
    pub now: DateTime<Utc>,
    /// The language of names, plans and notes.
    pub lang: Lang,
}

/// What was made, and where. Paths are as they were given, below the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prepared {
    /// The configuration that opens all of it.
    pub config: PathBuf,
    /// The database.
    pub database: PathBuf,
    /// The simulator's own file.
    pub sandbox_file: PathBuf,
    /// The directory the simulator runs over.
    pub sandbox_dir: PathBuf,
    /// The key that opens the billing keys.
    pub key_file: PathBuf,
    /// How many customers.
    pub customers: u64,
    /// How many subscriptions.
    pub subscriptions: u64,
    /// How many attempts to move money.
    pub attempts: u64,
    /// How many payments.
    pub payments: u64,
    /// How many refunds.
    pub refunds: u64,
    /// How many attempts nobody knows the outcome of.
    pub unknowns: u64,
}

/// Why there is no demo. Nothing that was there before was touched.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A demo is there already: open it, or choose another directory.
    #[error("{}: a demo is there already", dir.display())]
    Exists {
        /// Which directory.
        dir: PathBuf,
    },
    /// A file or directory cannot be made.
    #[error("{}: cannot be written", path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The database could not be filled.
    #[error("demo database")]
    Store(#[from] StoreError),
    /// The simulator's file could not be filled.
    #[error("simulator's file")]
    Sandbox(#[from] SandboxError),
    /// A billing key could not be sealed.
    #[error("key file")]
    Vault(#[from] VaultError),
    /// A built-in table cannot be read.
    #[error("{name}: cannot be read")]
    Asset {
        /// Which.
        name: &'static str,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The options lead somewhere the calendar or the rules do not.
    #[error("the story cannot be told: {0}")]
    Story(String),
}
