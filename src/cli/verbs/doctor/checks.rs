//! The checks in their order: settings, database, keys, provider, people, and what needs a person.

use super::deep;
use super::host;
use super::{Finding, worst};
use crate::cli::args::Global;
use crate::cli::error::{self, CliError};
use crate::cli::exit::Exit;
use crate::cli::open::{self, Opened};
use crate::cli::output::Output;
use crate::cli::record::Record;
use crate::cli::said;
use crate::cli::table::Table;
use crate::cli::wiring;
use crate::config::{Settings, Warning};
use crate::domain::mode::Mode;
use crate::domain::operator::Access;
use crate::engine::ports::{Clock as _, Desk, ProviderError};
use crate::store::account_key;

pub const COLUMNS: &[&str] = &["status", "name", "detail"];

/// Every check that can be made; what depends on a failed one is left out.
pub async fn run(out: &mut Output, global: &Global) -> Result<Exit, CliError> {
    let mut findings = Vec::new();
    look(out, global, &mut findings).await;
    let records: Vec<Record> = findings.iter().map(Finding::record).collect();
    out.rows(&mut Table::new(COLUMNS), &records)?;
    Ok(worst(&findings))
}

async fn look(out: &mut Output, global: &Global, findings: &mut Vec<Finding>) {
    findings.push(host::core_dumps());
    let settings = match open::settings(global) {
        Ok(settings) => settings,
        Err(error) => return findings.push(failed("configuration", &error, out)),
    };
    let file = settings
        .file
        .as_ref()
        .map_or_else(|| "-".to_owned(), |file| file.display().to_string());
    findings.push(Finding::ok(
        "configuration",
        format!("{file}, mode {}", settings.mode),
    ));
    findings.extend(of_settings(&settings));
    findings.extend(host::files(&settings));
    match open::open(settings, global).await {
        Ok(mut opened) => {
            findings.push(Finding::ok(
                "database",
                open::database_url(&opened.settings).to_string(),
            ));
            of_database(out, &mut opened, findings).await;
            opened.store.close().await;
        }
        Err(error) => findings.push(failed("database", &error, out)),
    }
}

fn failed(name: &'static str, error: &CliError, out: &Output) -> Finding {
    let said = said::said(error, &out.view);
    Finding::fail(
        name,
        error::exit_code(error),
        format!("{} {}", said.what(&out.view), said.next(&out.view)),
    )
}

fn of_settings(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let secret_in_environment = settings.warnings.contains(&Warning::SecretInEnvironment);
    findings.push(if secret_in_environment {
        Finding::warn(
            "secret_place",
            "the secret key is in the environment; a private file is better",
        )
    } else {
        Finding::ok("secret_place", "no secret in the environment")
    });
    findings.push(match settings.toss_secret_key() {
        Ok(_) if settings.warnings.contains(&Warning::LegacyTestKey) => {
            Finding::warn("secret_key", "it has the form used until 2022")
        }
        Ok(_) => Finding::ok("secret_key", format!("of mode {}", settings.mode)),
        Err(_) if settings.stripe_with_key().is_some() => Finding::ok("secret_key", "Stripe alone"),
        Err(error) => Finding::fail("secret_key", Exit::Configuration, error.to_string()),
    });
    if let Some(account) = &settings.stripe {
        findings.push(match &account.secret_key {
            Some(_) => Finding::ok("stripe_key", format!("of mode {}", settings.mode)),
            None => Finding::fail(
                "stripe_key",
                Exit::Configuration,
                "provider.stripe.secret_key_file is not set",
            ),
        });
    }
    findings.push(routing(settings));
    findings.push(
        if settings.people.is_empty() && settings.mode != Mode::Sim {
            Finding::fail(
                "people",
                Exit::Configuration,
                "nobody is listed: everybody only looks",
            )
        } else {
            Finding::ok("people", format!("{} listed", settings.people.len()))
        },
    );
    findings
}

/// The order in which providers are asked, and who of them cannot be.
fn routing(settings: &Settings) -> Finding {
    let without = settings
        .warnings
        .iter()
        .filter_map(|warning| match warning {
            Warning::RuleWithoutKey(provider) => Some(provider.to_string()),
            Warning::SecretInEnvironment | Warning::LegacyTestKey => None,
        });
    let without: Vec<String> = without.collect();
    let rules: Vec<String> = settings.routing.rules().collect();
    let rules = rules.join("; ");
    if without.is_empty() {
        return Finding::ok("routing", rules);
    }
    let names = without.join(", ");
    Finding::warn(
        "routing",
        format!("{rules}: {names} is named and its key is not set, so its rows are held back"),
    )
}

async fn of_database(out: &Output, opened: &mut Opened, findings: &mut Vec<Finding>) {
    findings.push(Finding::ok(
        "schema",
        format!("version {}", crate::store::SCHEMA_VERSION),
    ));
    findings.push(Finding::ok(
        "database_mode",
        opened.store.mode().to_string(),
    ));
    findings.push(Finding::ok("zone", opened.store.zone().to_string()));
    findings.push(match wiring::vault(opened).await {
        Ok(vault) => Finding::ok("vault", format!("key {}", vault.key_id())),
        Err(error) => failed("vault", &error, out),
    });
    findings.push(operator(opened));
    findings.extend(deep::of_rows(out, opened).await);
    findings.push(clock(opened));
    findings.extend(providers(out, opened).await);
}

fn operator(opened: &Opened) -> Finding {
    let operator = &opened.operator;
    let roles: Vec<&str> = operator.roles.iter().map(|role| role.as_str()).collect();
    let detail = format!("{} ({})", operator.person, roles.join(", "));
    match operator.access {
        Access::ReadWrite => Finding::ok("operator", detail),
        Access::ReadOnly => Finding::warn("operator", format!("{detail}, read-only")),
    }
}

fn clock(opened: &Opened) -> Finding {
    let offset_s = opened.clock.offset_us() / 1_000_000;
    let now = crate::cli::record::rfc3339(opened.clock.now());
    if offset_s == 0 {
        Finding::ok("clock", now)
    } else {
        Finding::ok("clock", format!("{now}, {offset_s} s from the machine's"))
    }
}

/// A look-up that each provider must know, or say that it does not.
async fn providers(out: &Output, opened: &mut Opened) -> Vec<Finding> {
    let providers = match wiring::providers(opened).await {
        Ok(providers) => providers,
        Err(error) => return vec![failed("provider", &error, out)],
    };
    let mut findings = Vec::with_capacity(providers.len());
    for provider in providers {
        let name = provider.name();
        findings.push(match provider.self_test(&mut Desk::new()).await {
            Ok(()) => Finding::ok(
                "provider",
                match provider.account() {
                    Some(account) => format!("{name}, account {account}"),
                    None => name.to_string(),
                },
            ),
            Err(error @ ProviderError::OtherAccount { .. }) => {
                let pinned = opened.store.meta(account_key(name)).await;
                let pinned = pinned.ok().flatten().unwrap_or_default();
                let of = provider.account().unwrap_or_default();
                Finding::fail(
                    "provider",
                    Exit::Configuration,
                    format!("{name}: {error}: the key is of {of:?}, the books are of {pinned:?}"),
                )
            }
            Err(error) => Finding::fail("provider", Exit::Unreachable, format!("{name}: {error}")),
        });
    }
    findings
}
