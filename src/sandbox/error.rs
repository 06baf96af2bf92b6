//! What can go wrong in starting, finding or filling a simulator.
//!
//! Refusals that the simulated provider answers with are no errors: see `ledger::Refusal`.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Split by what the caller may do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// One simulator per directory: use the one that runs, or another directory.
    #[error("a simulator already runs on {} ({holder})", dir.display())]
    AlreadyRunning { dir: PathBuf, holder: String },
    /// Start one with `paydeck sandbox --dir DIR`, or the demo.
    #[error("no simulator is running on {}: start one with `paydeck sandbox --dir {}`", dir.display(), dir.display())]
    NotRunning { dir: PathBuf },
    /// It holds its lock and does not listen yet: ask again in a moment.
    #[error("the simulator on {} is still starting", dir.display())]
    Starting { dir: PathBuf },
    /// The simulator speaks only on loopback; it has a control interface without a password.
    #[error("{listen} is not a loopback address")]
    NotLoopback { listen: SocketAddr },
    #[error("cannot listen on {listen}")]
    Listen {
        listen: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot use {}", path.display())]
    Files {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A seeder only makes new files.
    #[error("{} exists already", path.display())]
    Exists { path: PathBuf },
    /// The file was not written by this simulator, or by a newer one.
    #[error("{} is not a file of this simulator (application {application}, version {version})", path.display())]
    ForeignFile {
        path: PathBuf,
        application: i64,
        version: i64,
    },
    #[error("the simulator's database failed")]
    Database(#[from] sqlx::Error),
    #[error("the built-in table of codes cannot be read")]
    Codes(#[from] toml::de::Error),
    /// A stored value that this simulator never writes.
    #[error("the simulator's file holds {what} that it never wrote")]
    Corrupt { what: &'static str },
    /// Seed data whose cancels exceed the payment, or that name no card.
    #[error("the payment of order {order_id} cannot be")]
    ImpossiblePayment { order_id: String },
    /// A card behaviour or code in seed or control data that does not exist.
    #[error("no such card behaviour: {0:?}")]
    Behaviour(String),
}
