//! Arguments of the verbs about subscriptions that Stripe schedules.

use clap::{ArgGroup, Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum MirrorCommand {
    /// Take in a subscription that Stripe schedules, with everything that was paid so far.
    Add(MirrorAddArgs),
    /// Follow Stripe's events since the last time, and read what they are about.
    Pull,
    /// Have Stripe make its invoices and not collect them.
    Pause(MirroredArgs),
    /// Have Stripe collect them again.
    Resume(MirroredArgs),
    /// Have Stripe withdraw an unpaid invoice.
    Void(MirroredInvoiceArgs),
    /// Have Stripe give an unpaid invoice up; it may still be paid.
    GiveUp(MirroredInvoiceArgs),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["subscription", "all"])))]
pub struct MirrorAddArgs {
    /// Stripe's name for it, such as `sub_1Abc`.
    #[arg(value_name = "SUBSCRIPTION")]
    pub subscription: Option<String>,
    /// Everything that runs there.
    #[arg(long, conflicts_with = "customer")]
    pub all: bool,
    /// Whose it is here; otherwise whoever Stripe says, made when unknown.
    #[arg(long, value_name = "CUSTOMER")]
    pub customer: Option<String>,
}

#[derive(Debug, Args)]
pub struct MirroredArgs {
    /// A subscription that Stripe schedules.
    #[arg(value_name = "SUBSCRIPTION")]
    pub subscription: String,
}

#[derive(Debug, Args)]
pub struct MirroredInvoiceArgs {
    /// An invoice; or a subscription, meaning its unpaid invoice.
    #[arg(value_name = "ID")]
    pub target: String,
    /// Why; it is stored.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
