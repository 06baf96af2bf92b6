//! Arguments of the verbs that set up, check and run.

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where configuration, database and simulator are put; by default a new one that goes when the console ends.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// How many customers; by default 3,000, or as many as the payments need.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub customers: Option<u64>,
    /// How many payments; by default what the customers would have made in 24 months.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub payments: Option<u64>,
    /// The same seed makes the same data.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Write the files, print one JSON object with their paths, and exit.
    #[arg(long)]
    pub prepare_only: bool,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where the files are put; by default where they are looked for (see `paths`).
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// sim, test or live.
    #[arg(long, default_value = "sim", value_name = "MODE", value_parser = ["sim", "test", "live"])]
    pub mode: String,
    /// `sqlite:PATH` or a PostgreSQL URL without a password.
    #[arg(long, default_value = "sqlite:paydeck.db", value_name = "URL")]
    pub database: String,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(subcommand)]
    pub command: Option<DoctorCommand>,
}

#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// One line for each item that must hold before live.
    GoLive,
}

#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where its file and its lock are; in memory when left out.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// A loopback address; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Answer every call this late.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub latency_ms: u64,
    /// The same seed makes the same identifiers.
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum BillCommand {
    /// Bill what is due.
    Run(BillRunArgs),
}

#[derive(Debug, Args)]
pub struct BillRunArgs {
    /// Everything due up to here; by default now.
    #[arg(long, value_name = "RFC3339", value_parser = super::instant)]
    pub until: Option<DateTime<Utc>>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with its value; secrets as three stars.
    Print,
}

#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Make a new key file, readable by its owner alone.
    NewKey(NewKeyArgs),
    /// Seal every billing key under the current key file; the previous ones must still be listed.
    Rotate,
}

#[derive(Debug, Args)]
pub struct NewKeyArgs {
    /// A file that does not exist yet.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}
