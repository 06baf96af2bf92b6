//! The command line as a tree of types. It reads words and nothing else: no file, no database.
//!
//! The names here are an interface that others script; they are documented in the README and change
//! only with a new major version.

mod actions;
mod lists;
mod mirror;
mod service;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};

pub use actions::*;
pub use lists::*;
pub use mirror::*;
pub use service::*;

use crate::locale::Lang;

/// Operations console for subscription billing, in a terminal.
#[derive(Debug, Parser)]
#[command(
    name = "paydeck",
    version,
    about,
    max_term_width = 100,
    propagate_version = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// Without a verb the console opens.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every verb takes.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line are yes or no"
)]
pub struct Global {
    /// The configuration file; otherwise `PAYDECK_CONFIG`, then the usual places (see `paths`).
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub config: Option<PathBuf>,
    /// One JSON object, or one per line, on standard output; messages go to standard error.
    #[arg(long, global = true, action = ArgAction::SetTrue, help_heading = "Global")]
    pub json: bool,
    /// Business time for this command, such as 2026-03-01T09:00:00+09:00; refused in mode live.
    #[arg(long, global = true, value_name = "RFC3339", value_parser = instant, help_heading = "Global")]
    pub now: Option<DateTime<Utc>>,
    /// Change nothing, whatever the roles allow; the database is opened read-only.
    #[arg(long, global = true, action = ArgAction::SetTrue, help_heading = "Global")]
    pub read_only: bool,
    /// Language of messages.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "LANG",
        help_heading = "Global"
    )]
    pub lang: Option<LangArg>,
    /// Colour on standard output and standard error.
    #[arg(long, global = true, value_enum, default_value_t = ColorArg::Auto, value_name = "WHEN", help_heading = "Global")]
    pub color: ColorArg,
    /// Print what would happen, with its fingerprint, and do nothing.
    #[arg(long, global = true, action = ArgAction::SetTrue, help_heading = "Global")]
    pub dry_run: bool,
    /// Do not ask; only together with --plan.
    #[arg(long, global = true, action = ArgAction::SetTrue, help_heading = "Global")]
    pub yes: bool,
    /// Apply exactly the plan with this fingerprint, or nothing.
    #[arg(
        long = "plan",
        global = true,
        value_name = "FINGERPRINT",
        help_heading = "Global"
    )]
    pub fingerprint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LangArg {
    Ko,
    En,
}

impl From<LangArg> for Lang {
    fn from(arg: LangArg) -> Self {
        match arg {
            LangArg::Ko => Self::Ko,
            LangArg::En => Self::En,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make believable data, start the simulator and open the console.
    Demo(DemoArgs),
    /// Open the console (the default).
    Console,
    /// Write a commented configuration, a key file and a database.
    Init(InitArgs),
    /// Bring the database's schema up to this version.
    Migrate,
    /// Check configuration, database, keys, provider and clock.
    Doctor(DoctorArgs),
    /// Run the simulator of Toss Payments and Stripe until a signal comes.
    Sandbox(SandboxArgs),
    /// Search customers, subscriptions, payments, orders, cards and amounts.
    Find(FindArgs),
    /// List rows.
    List(ListArgs),
    /// Show one thing, by its id or the id's last six or more characters.
    Show(ShowArgs),
    /// Customers.
    #[command(subcommand)]
    Customer(CustomerCommand),
    /// Payment methods.
    #[command(subcommand)]
    Method(MethodCommand),
    /// Start a subscription with its first charge, or with its trial.
    Subscribe(SubscribeArgs),
    /// Charge once, not tied to a renewal.
    OneTime(OneTimeArgs),
    /// Checkout payments that the customer makes in the browser.
    #[command(subcommand)]
    Checkout(CheckoutCommand),
    /// Plans.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Charge an open invoice.
    Charge(TargetArgs),
    /// Charge again after a decline, as a new attempt under a new key.
    Retry(TargetArgs),
    /// Give money back, all of it or a part.
    Refund(RefundArgs),
    /// End a subscription, now or at the end of the paid period, or take that back.
    Cancel(CancelArgs),
    /// Write a note on a customer, payment or subscription.
    Note(NoteArgs),
    /// Billing runs.
    #[command(subcommand)]
    Bill(BillCommand),
    /// Ask the provider about what is unknown, settle it, and send again what was lost.
    Reconcile,
    /// Subscriptions that Stripe schedules itself.
    #[command(subcommand)]
    Mirror(MirrorCommand),
    /// The states of every noun with their allowed moves.
    States,
    /// Write a whole list to a file, page by page.
    Export(ExportArgs),
    /// The inbox of unknown outcomes.
    #[command(subcommand)]
    Unknown(UnknownCommand),
    /// What one person asks for and another approves.
    #[command(subcommand)]
    Approve(ApproveCommand),
    /// Revenue and recurring revenue.
    #[command(subcommand)]
    Report(ReportCommand),
    /// The audit trail.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The key that seals billing keys.
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Where configuration, database, keys and logs are.
    Paths,
    /// The keys of the console with the verb each stands for.
    Keys,
    /// A completion script for a shell.
    Completions(CompletionsArgs),
    /// The manual page, in roff.
    Man,
    /// The settings in force.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Reads an instant as RFC 3339.
pub fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.with_timezone(&Utc))
        .map_err(|_| "not an RFC 3339 instant such as 2026-03-01T09:00:00+09:00".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_verb() {
        for words in [
            ["paydeck", "--json", "list", "plans"],
            ["paydeck", "list", "plans", "--json"],
        ] {
            assert!(Cli::try_parse_from(words).unwrap().global.json);
        }
    }

    #[test]
    fn the_fingerprint_and_the_noun_plan_do_not_meet() {
        let words = [
            "paydeck",
            "plan",
            "deactivate",
            "pro-month",
            "--yes",
            "--plan",
            "aa",
        ];
        let cli = Cli::try_parse_from(words).unwrap();
        assert_eq!(cli.global.fingerprint.as_deref(), Some("aa"));
    }
}
