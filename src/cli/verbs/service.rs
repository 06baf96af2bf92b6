//! Verbs that need no database: states, paths, completions, the manual page, the settings, the simulator.

use std::io::Write as _;
use std::time::Duration;

use clap::CommandFactory as _;

use crate::cli::args::{Cli, CompletionsArgs, SandboxArgs};
use crate::cli::error::CliError;
use crate::cli::help;
use crate::cli::output::{Format, Output};
use crate::cli::permit::Permit;
use crate::cli::record::Record;
use crate::cli::table::Table;
use crate::cli::{open, places};
use crate::config::{Account, Database, ProviderAddress, Settings};
use crate::console::action::ACTIONS;
use crate::domain::mode::ProviderName;
use crate::domain::states::{
    ApprovalState, AttemptState, InboxState, InvoiceState, MethodState, OutboxState, RunState,
    STATUS_VOCABULARY, SubscriptionState,
};
use crate::sandbox::{self, SandboxOptions};

const STATE_COLUMNS: &[&str] = &["noun", "state", "moves"];

macro_rules! state_rows {
    ($rows:ident, $noun:literal, $group:literal, $states:ty) => {
        for state in <$states>::ALL {
            let moves = state
                .moves()
                .iter()
                .map(|to| to.as_str().to_owned())
                .collect();
            $rows.push(
                Record::of("state")
                    .word("noun", "noun", $noun)
                    .word("state", "", state.as_str())
                    .words("moves", "", moves),
            );
        }
    };
}

/// Every state with its allowed moves, then how other systems' words read here.
pub fn states(out: &mut Output) -> Result<(), CliError> {
    let mut rows = Vec::new();
    state_rows!(
        rows,
        "subscription",
        "state.subscription",
        SubscriptionState
    );
    state_rows!(rows, "invoice", "state.invoice", InvoiceState);
    state_rows!(rows, "attempt", "state.attempt", AttemptState);
    state_rows!(rows, "approval", "state.approval", ApprovalState);
    state_rows!(rows, "run", "state.run", RunState);
    state_rows!(rows, "payment_method", "state.method", MethodState);
    state_rows!(rows, "event", "state.event", InboxState);
    state_rows!(rows, "message", "state.message", OutboxState);
    out.rows(&mut Table::new(STATE_COLUMNS), &rows)?;
    let words: Vec<Record> = STATUS_VOCABULARY
        .iter()
        .map(|(source, status, state)| {
            Record::of("status")
                .text("source", source)
                .text("status", status)
                .word("state", "", state.as_str())
        })
        .collect();
    if out.format == Format::Human {
        out.print("\n")?;
    }
    Ok(out.rows(&mut Table::new(&["source", "status", "state"]), &words)?)
}

/// The console's keys, each with the verb that does the same here.
pub fn keys(out: &mut Output) -> Result<(), CliError> {
    let locale = out.view.locale;
    let rows: Vec<Record> = ACTIONS
        .iter()
        .map(|spec| {
            Record::of("key")
                .text("keys", &spec.keys.join(" "))
                .word("action", "", spec.id)
                .text(
                    "name",
                    locale.t(&format!("console.action.{}.name", spec.id)),
                )
                .text_if("twin", spec.twin)
                .words(
                    "verbs",
                    "",
                    spec.verbs
                        .iter()
                        .map(|verb| verb.as_str().to_owned())
                        .collect(),
                )
        })
        .collect();
    Ok(out.rows(&mut Table::new(&["keys", "name", "twin", "verbs"]), &rows)?)
}

/// Where things are, with or without a configuration.
pub fn paths(out: &mut Output, settings: Option<&Settings>) -> Result<(), CliError> {
    let usual: Vec<String> = places::usual_files()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut record = Record::of("paths").text("looked_for", &usual.join(", "));
    let file = settings
        .and_then(|settings| settings.file.as_ref())
        .map(|path| path.display().to_string());
    record = record.text_if("config", file.as_deref());
    if let Some(settings) = settings {
        record = record
            .text("database", &open::database_url(settings).to_string())
            .text("vault_key", &settings.vault.key_file.display().to_string())
            .text("log", &settings.log.dir.display().to_string());
        if let ProviderAddress::Sandbox { dir } = &settings.toss.address {
            record = record.text("sandbox", &dir.display().to_string());
        }
    }
    Ok(out.record(&record)?)
}

pub fn completions(out: &mut Output, args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "paydeck", &mut script);
    Ok(out.print(&String::from_utf8_lossy(&script))?)
}

pub fn man(out: &mut Output) -> Result<(), CliError> {
    let mut page = Vec::new();
    let tree = help::command(out.view.locale.lang());
    clap_mangen::Man::new(tree.clone()).render(&mut page)?;
    for verb in tree.get_subcommands() {
        let name = format!("paydeck-{}", verb.get_name());
        clap_mangen::Man::new(verb.clone())
            .title(name)
            .render(&mut page)?;
    }
    page.write_all(keys_of_the_console(out).as_bytes())?;
    page.flush()?;
    Ok(out.print(&String::from_utf8_lossy(&page))?)
}

/// The console's keys as a section of the manual.
fn keys_of_the_console(out: &Output) -> String {
    use std::fmt::Write as _;
    let locale = out.view.locale;
    let mut section = String::from(".SH KEYS\n");
    for spec in ACTIONS {
        let keys = spec.keys.join(", ").replace('\\', "\\\\");
        let key = format!("console.action.{}.help", spec.id);
        let help = locale.t(&key);
        // Writing to a String cannot fail.
        let _ = write!(section, ".TP\n\\&{keys}\n\\&{help}\n");
    }
    section
}

/// Every setting in force; a secret is three stars.
pub fn config(out: &mut Output, settings: &Settings) -> Result<(), CliError> {
    let file = settings
        .file
        .as_ref()
        .map(|path| path.display().to_string());
    let roles = |roles: &[crate::domain::operator::Role]| -> Vec<String> {
        roles.iter().map(|role| role.as_str().to_owned()).collect()
    };
    let people = settings
        .people
        .iter()
        .map(|person| {
            let uids: Vec<String> = person.uids.iter().map(ToString::to_string).collect();
            Record::of("person")
                .text("name", &person.name)
                .text("uids", &uids.join(", "))
                .text("keys", &person.keys.join(", "))
                .words("roles", "role", roles(&person.roles))
        })
        .collect();
    let database = match &settings.database {
        Database::Sqlite { .. } => "sqlite",
        Database::Postgres { .. } => "postgres",
    };
    let address = |account: &Account, of: ProviderName| match &account.address {
        ProviderAddress::Sandbox { dir } => format!("sandbox:{}", dir.display()),
        other => other.url_of(of).unwrap_or_default().to_owned(),
    };
    let stripe = settings.stripe.as_ref();
    let routing: Vec<String> = settings.routing.rules().collect();
    let record = Record::of("config")
        .text_if("file", file.as_deref())
        .word("mode", "", settings.mode.as_str())
        .word("database_kind", "", database)
        .text("database", &open::database_url(settings).to_string())
        .text("provider", &address(&settings.toss, ProviderName::Toss))
        .text(
            "secret_key",
            if settings.toss.secret_key.is_some() {
                "***"
            } else {
                ""
            },
        )
        .text(
            "stripe_key",
            if settings.stripe_with_key().is_some() {
                "***"
            } else {
                ""
            },
        )
        .text_if(
            "stripe_address",
            stripe
                .map(|account| address(account, ProviderName::Stripe))
                .as_deref(),
        )
        .text("routing", &routing.join("; "))
        .text("zone", &settings.billing.zone.to_string())
        .number("billing_hour", settings.billing.hour)
        .number("concurrency", settings.billing.concurrency)
        .number("catch_up_periods", settings.billing.catch_up_periods)
        .text("vault_key", &settings.vault.key_file.display().to_string())
        .text("log", &settings.log.dir.display().to_string())
        .number("refunds_per_day", settings.limits.refunds_per_day)
        .number("connect_timeout_ms", settings.timeouts.connect.as_millis())
        .number("total_timeout_ms", settings.timeouts.total.as_millis())
        .number("lease_s", settings.leases.attempt_s)
        .records("people", people);
    Ok(out.record(&record)?)
}

/// Runs the simulator until a signal comes; the first line on standard output says where it is.
pub async fn sandbox(
    out: &mut Output,
    _permit: &Permit,
    args: &SandboxArgs,
) -> Result<(), CliError> {
    let running = sandbox::start(SandboxOptions {
        dir: args.dir.clone(),
        listen: args.listen,
        latency: Duration::from_millis(args.latency_ms),
        seed: args.seed,
        ..SandboxOptions::default()
    })
    .await?;
    out.print(&sandbox::ready_line(&running))?;
    out.print("\n")?;
    out.flush()?;
    stopped().await?;
    running.shutdown().await;
    Ok(())
}

/// Completes at an interrupt, a termination or a hangup.
pub async fn stopped() -> Result<(), CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o07_every_verb_of_the_console_has_a_command() {
        let root = Cli::command();
        for spec in ACTIONS.iter().filter(|spec| !spec.verbs.is_empty()) {
            let twin = spec
                .twin
                .unwrap_or_else(|| panic!("{} has no twin", spec.id));
            let mut at = &root;
            for word in twin
                .split_whitespace()
                .take_while(|word| !word.starts_with('-'))
            {
                at = at
                    .find_subcommand(word)
                    .unwrap_or_else(|| panic!("{}: no command {twin:?}", spec.id));
            }
        }
    }
}
