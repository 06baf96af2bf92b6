//! What can end a command, and its exit code. The texts about it are in `said`.

use std::io;
use std::path::PathBuf;

use super::exit::Exit;
use crate::config::ConfigError;
use crate::console::ConsoleError;
use crate::demo::DemoError;
use crate::domain::ids::IdError;
use crate::domain::mode::Mode;
use crate::domain::money::MoneyError;
use crate::engine::VerbError;
use crate::engine::ports::StoreError;
use crate::engine::queries::{FilterError, ReportError};
use crate::provider::stripe::StripeSetupError;
use crate::provider::toss::TossSetupError;
use crate::sandbox::SandboxError;
use crate::telemetry::TelemetryError;
use crate::vault::VaultError;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Provider(#[from] TossSetupError),
    #[error(transparent)]
    Stripe(#[from] StripeSetupError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Verb(#[from] VerbError),
    /// What was typed cannot be an id of that noun.
    #[error(transparent)]
    Id(#[from] IdError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Report(#[from] ReportError),
    /// An amount, interval or other word of the command line.
    #[error("{what} {typed:?}: {reason}")]
    Input {
        what: &'static str,
        typed: String,
        reason: String,
    },
    #[error("amount {typed:?}: {source}")]
    Amount { typed: String, source: MoneyError },
    /// A noun without its own id here, such as a code.
    #[error("no {what} {typed:?}")]
    NotFound { what: &'static str, typed: String },
    #[error("more than one {what} {typed:?}")]
    Ambiguous { what: &'static str, typed: String },
    #[error("the database is of mode {database} and the configuration of mode {configured}")]
    OtherMode { database: Mode, configured: Mode },
    #[error("the database's billing zone is {database} and the configuration's {configured}")]
    OtherZone {
        database: String,
        configured: String,
    },
    #[error("billing keys are sealed under key {database}, and the key file holds {loaded}")]
    OtherKey { database: String, loaded: String },
    #[error("{command} has no dry run")]
    NoDryRun { command: &'static str },
    #[error("{command}: this session changes nothing")]
    ReadOnlySession { command: &'static str },
    /// A matter of administrators that is no verb of the engine's table.
    #[error("{command}: {person} may not do this")]
    NotAdmin {
        command: &'static str,
        person: String,
    },
    #[error("an export leaves an audit row, and this session changes nothing")]
    NoAudit,
    #[error("no configuration")]
    NoConfiguration,
    #[error("--now is refused in mode live")]
    NowInLive,
    #[error("a confirmation is needed, and there is no terminal")]
    NeedsPlan,
    #[error("not confirmed")]
    NotConfirmed,
    #[error("--plan given without --yes")]
    PlanWithoutYes,
    #[error("not a terminal")]
    NotATerminal,
    #[error(transparent)]
    Console(#[from] ConsoleError),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: exists already", path.display())]
    Exists { path: PathBuf },
    #[error("output: {0}")]
    Output(#[from] io::Error),
    #[error("the simulator's clock cannot be read: {0}")]
    SimClock(String),
    #[error("{0}")]
    Internal(String),
}

/// The one place where an error becomes an exit code.
pub fn exit_code(error: &CliError) -> Exit {
    match error {
        CliError::Config(_)
        | CliError::Vault(_)
        | CliError::Telemetry(_)
        | CliError::Provider(_)
        | CliError::Stripe(_)
        | CliError::NoConfiguration
        | CliError::OtherMode { .. }
        | CliError::OtherZone { .. }
        | CliError::OtherKey { .. } => Exit::Configuration,
        CliError::Sandbox(error) => of_sandbox(error),
        CliError::Store(error) | CliError::Report(ReportError::Store(error)) => of_store(error),
        CliError::Verb(error) => of_verb(error),
        CliError::Report(ReportError::Month)
        | CliError::Id(_)
        | CliError::Filter(_)
        | CliError::Input { .. }
        | CliError::Amount { .. }
        | CliError::NoDryRun { .. }
        | CliError::PlanWithoutYes => Exit::Usage,
        CliError::NotFound { .. } | CliError::Ambiguous { .. } => Exit::NotFound,
        CliError::NowInLive
        | CliError::NoAudit
        | CliError::ReadOnlySession { .. }
        | CliError::NotAdmin { .. }
        | CliError::NeedsPlan
        | CliError::NotConfirmed
        | CliError::NotATerminal
        | CliError::Console(ConsoleError::Enter(_))
        | CliError::Exists { .. }
        | CliError::File { .. } => Exit::Refused,
        CliError::SimClock(_) => Exit::Unreachable,
        CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        CliError::Report(ReportError::Movements(_))
        | CliError::Console(ConsoleError::Input(_) | ConsoleError::Draw(_))
        | CliError::Output(_)
        | CliError::Internal(_) => Exit::Internal,
    }
}

impl From<DemoError> for CliError {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Exists { dir } => Self::Exists { path: dir },
            DemoError::Files { path, source } => Self::File { path, source },
            DemoError::Store(error) => Self::Store(error),
            DemoError::Sandbox(error) => Self::Sandbox(error),
            DemoError::Vault(error) => Self::Vault(error),
            other @ (DemoError::Asset { .. } | DemoError::Story(_)) => {
                Self::Internal(other.to_string())
            }
        }
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Busy(_) | StoreError::Unreachable(_) => Exit::Unreachable,
        // It may have been written: nobody knows before it is read again.
        StoreError::CommitUnknown(_) => Exit::Unknown,
        StoreError::Refused(_) => Exit::Refused,
        StoreError::Unsupported { .. } => Exit::Usage,
        StoreError::Stale { .. } => Exit::Stale,
        StoreError::NotFound { .. } => Exit::NotFound,
        StoreError::WrongDatabase(_) => Exit::Configuration,
        StoreError::BadRow { .. } | StoreError::Other(_) => Exit::Internal,
    }
}

fn of_verb(error: &VerbError) -> Exit {
    match error {
        VerbError::Denied(_)
        | VerbError::Refused(_)
        | VerbError::Amount(_)
        | VerbError::Input { .. }
        | VerbError::Range(_) => Exit::Refused,
        VerbError::Stale => Exit::Stale,
        VerbError::Store(error) => of_store(error),
        VerbError::Provider(_) => Exit::Unreachable,
        VerbError::Vault(_) => Exit::Configuration,
    }
}

fn of_sandbox(error: &SandboxError) -> Exit {
    match error {
        SandboxError::NotRunning { .. } | SandboxError::Starting { .. } => Exit::Unreachable,
        SandboxError::AlreadyRunning { .. } => Exit::Refused,
        SandboxError::NotLoopback { .. } => Exit::Usage,
        _ => Exit::Configuration,
    }
}
