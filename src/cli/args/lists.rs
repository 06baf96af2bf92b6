//! Arguments of the verbs that read.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Subcommand, ValueEnum};

use crate::domain::ids::Noun;
use crate::domain::mode::ProviderName;

#[derive(Debug, Args)]
pub struct FindArgs {
    /// A name (also its initial consonants), e-mail, phone, id, order id, payment key, card's last
    /// digits, or an amount.
    #[arg(value_name = "TEXT", required = true, num_args = 1.., allow_hyphen_values = true)]
    pub words: Vec<String>,
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListKind {
    Customers,
    Subscriptions,
    Renewals,
    Failed,
    Payments,
    Plans,
    Unknown,
    /// What was asked of Stripe about subscriptions that it schedules, and is not known to be done.
    Wishes,
    Runs,
    Events,
    Activity,
}

impl ListKind {
    /// The name scripts use; also of the locale's columns and of an export's audit row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Subscriptions => "subscriptions",
            Self::Renewals => "renewals",
            Self::Failed => "failed",
            Self::Payments => "payments",
            Self::Plans => "plans",
            Self::Unknown => "unknown",
            Self::Wishes => "wishes",
            Self::Runs => "runs",
            Self::Events => "events",
            Self::Activity => "activity",
        }
    }
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[arg(value_enum, value_name = "LIST")]
    pub list: ListKind,
    #[command(flatten)]
    pub page: PageArgs,
}

/// Which rows of a list.
#[derive(Debug, Clone, Args)]
pub struct PageArgs {
    /// Words and `field:value` terms, such as `status:past_due plan:pro amount>9900`.
    #[arg(
        long,
        default_value = "",
        value_name = "FILTER",
        allow_hyphen_values = true
    )]
    pub filter: String,
    /// Only what is, or would be, charged at this provider.
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub provider: Option<ProviderArg>,
    /// Rows at most; see --all.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Every row, page by page.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    #[arg(long, value_enum, value_name = "COLUMN")]
    pub sort: Option<SortArg>,
    /// Largest first.
    #[arg(long, requires = "sort")]
    pub desc: bool,
    /// Only rows from this local day on, or from this instant.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub from: Option<Moment>,
    /// Only rows before this local day, or before this instant.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub to: Option<Moment>,
    /// Only rows of this customer.
    #[arg(long, value_name = "ID")]
    pub customer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProviderArg {
    Toss,
    Stripe,
}

impl ProviderArg {
    /// A filter that also keeps the rows of this provider.
    pub fn and(provider: Option<Self>, filter: &str) -> String {
        match provider.map(Self::name) {
            None => filter.to_owned(),
            Some(name) => format!("provider:{name} {filter}").trim_end().to_owned(),
        }
    }

    /// Which one is meant.
    pub const fn name(self) -> ProviderName {
        match self {
            Self::Toss => ProviderName::Toss,
            Self::Stripe => ProviderName::Stripe,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortArg {
    Time,
    Amount,
    Name,
    State,
}

/// A local day or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Day(NaiveDate),
    At(DateTime<Utc>),
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(Moment::Day(day));
    }
    super::instant(text)
        .map(Moment::At)
        .map_err(|_| "neither a day such as 2026-03-01 nor an RFC 3339 instant".to_owned())
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// What it is; may be left out when the id has its prefix.
    #[arg(value_name = "NOUN] [ID", required = true, num_args = 1..=2)]
    pub words: Vec<String>,
}

/// The nouns `show` knows, by the word on the command line.
pub fn shown_noun(word: &str) -> Option<Noun> {
    Some(match word {
        "customer" => Noun::Customer,
        "subscription" => Noun::Subscription,
        "invoice" => Noun::Invoice,
        "payment" => Noun::Payment,
        "attempt" => Noun::Attempt,
        "run" => Noun::Run,
        "plan" => Noun::Plan,
        _ => return None,
    })
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[arg(value_enum, value_name = "LIST")]
    pub list: ListKind,
    /// Comma-separated values, safe to open in a spreadsheet; otherwise --json, one object per line.
    #[arg(long)]
    pub csv: bool,
    /// Begin with a byte order mark, for spreadsheets that guess encodings.
    #[arg(long, requires = "csv")]
    pub bom: bool,
    /// A file that does not exist yet, made readable by its owner alone; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[arg(
        long,
        default_value = "",
        value_name = "FILTER",
        allow_hyphen_values = true
    )]
    pub filter: String,
    /// Only what is, or would be, charged at this provider.
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub provider: Option<ProviderArg>,
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub from: Option<Moment>,
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub to: Option<Moment>,
}

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Captured and refunded, by day, month, plan or provider.
    Revenue(RevenueArgs),
    /// Monthly recurring revenue of one month, with its movements.
    Mrr(MrrArgs),
    /// What providers kept for themselves, by provider and currency.
    Fees(FeesArgs),
}

#[derive(Debug, Args)]
pub struct RevenueArgs {
    /// First local day; by default thirty days in all, or twelve months by month.
    #[arg(long, value_name = "DAY")]
    pub from: Option<NaiveDate>,
    /// Last local day; by default today.
    #[arg(long, value_name = "DAY")]
    pub to: Option<NaiveDate>,
    #[arg(long, value_enum, default_value_t = RevenueBy::Day)]
    pub by: RevenueBy,
    /// Only what came in through this provider.
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub provider: Option<ProviderArg>,
}

#[derive(Debug, Args)]
pub struct FeesArgs {
    /// First local day; by default thirty days in all.
    #[arg(long, value_name = "DAY")]
    pub from: Option<NaiveDate>,
    /// Last local day; by default today.
    #[arg(long, value_name = "DAY")]
    pub to: Option<NaiveDate>,
    /// Only what this provider kept.
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub provider: Option<ProviderArg>,
    /// The rows of the balance that the figures are made of.
    #[arg(long)]
    pub entries: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RevenueBy {
    Day,
    Month,
    Plan,
    Provider,
}

#[derive(Debug, Args)]
pub struct MrrArgs {
    /// The month, such as 2026-03; by default the running one.
    #[arg(value_name = "MONTH", value_parser = month)]
    pub month: Option<NaiveDate>,
    /// Refused: a subscription is no provider's.
    #[arg(long, value_enum, value_name = "PROVIDER")]
    pub provider: Option<ProviderArg>,
}

fn month(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
        .map_err(|_| "not a month such as 2026-03".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every chain of the audit trail, row by row.
    Verify,
}
