//! `doctor go-live`: one line for each item that must hold before real money moves.
//!
//! What this program cannot know is not passed: it stays open until somebody confirms it elsewhere.

use super::{Finding, worst};
use crate::cli::args::Global;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open;
use crate::cli::output::Output;
use crate::cli::record::Record;
use crate::cli::table::Table;
use crate::config::{ProviderAddress, Settings};
use crate::domain::mode::Mode;

/// What only people can confirm.
const BY_HAND: [(&str, &str); 7] = [
    (
        "contract",
        "the provider's contract for recurring payments: confirm it with the provider",
    ),
    (
        "webhook",
        "a webhook address reachable over https: register it at the provider",
    ),
    (
        "firewall",
        "the provider's addresses are let through and nobody else's",
    ),
    ("monitoring", "somebody is told when `paydeck doctor` fails"),
    (
        "backup",
        "a backup younger than 24 hours that was restored once",
    ),
    ("policy", "a refund and failure policy that support knows"),
    (
        "terms",
        "the terms that customers agreed to are linked where they subscribe",
    ),
];

pub async fn go_live(out: &mut Output, global: &Global) -> Result<Exit, CliError> {
    let settings = open::settings(global)?;
    let mut findings = of_settings(&settings);
    findings.push(cron(settings, global).await);
    findings.extend(
        BY_HAND
            .iter()
            .map(|(name, detail)| Finding::fail(name, Exit::Differences, *detail)),
    );
    let records: Vec<Record> = findings.iter().map(Finding::record).collect();
    out.rows(&mut Table::new(super::checks::COLUMNS), &records)?;
    Ok(worst(&findings))
}

fn passed(name: &'static str, holds: bool, detail: impl Into<String>) -> Finding {
    if holds {
        Finding::ok(name, detail)
    } else {
        Finding::fail(name, Exit::Differences, detail)
    }
}

fn of_settings(settings: &Settings) -> Vec<Finding> {
    vec![
        passed(
            "live_keys",
            settings.mode == Mode::Live,
            format!("mode is {}", settings.mode),
        ),
        passed(
            "secret_set",
            settings.toss_secret_key().is_ok() || settings.stripe_with_key().is_some(),
            "the secret key of a provider",
        ),
        passed(
            "address",
            settings.toss.address == ProviderAddress::Official
                && settings
                    .stripe
                    .as_ref()
                    .is_none_or(|account| account.address == ProviderAddress::Official),
            "the providers' own addresses",
        ),
        passed(
            "people",
            !settings.people.is_empty(),
            format!("{} people listed", settings.people.len()),
        ),
        // An invoice's amount is compared with its term before every charge; there is no switch to turn it off.
        Finding::ok("amount_check", "always on"),
        Finding::ok("zone", settings.billing.zone.to_string()),
    ]
}

async fn cron(settings: Settings, global: &Global) -> Finding {
    use crate::engine::queries::{ListQuery, Reads as _};
    let opened = match open::open(settings, global).await {
        Ok(opened) => opened,
        Err(error) => {
            return Finding::fail(
                "cron",
                crate::cli::error::exit_code(&error),
                error.to_string(),
            );
        }
    };
    let seen = opened
        .store
        .runs(&ListQuery::first(1))
        .await
        .is_ok_and(|page| !page.rows.is_empty());
    opened.store.close().await;
    passed(
        "cron",
        seen,
        if seen {
            "a billing run was seen"
        } else {
            "no billing run was seen yet"
        },
    )
}
