//! What the rows say: damage, unknown outcomes, missing runs, leases of the dead, the audit trail.

use chrono::Duration;

use super::Finding;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open::Opened;
use crate::cli::output::Output;
use crate::cli::process;
use crate::cli::said::said;
use crate::cli::verbs::audit;
use crate::cli::wiring;
use crate::domain::mode::ProviderName;
use crate::domain::operator::Access;
use crate::engine::ports::{Attempts as _, Clock as _, Desk, Store as _};
use crate::engine::queries::{ListQuery, Reads as _};

/// A run is missing when none began within this.
const RUN_EVERY_H: i64 = 25;

/// Each check by itself: one that cannot be made does not hide the others.
pub async fn of_rows(out: &Output, opened: &Opened) -> Vec<Finding> {
    vec![
        told(out, "integrity", integrity(opened).await),
        told(out, "unknown", unknown(opened).await),
        told(out, "runs", runs(opened).await),
        told(out, "leases", leases(opened).await),
        told(out, "audit", trail(opened).await),
        told(out, "plans", plans(opened).await),
        told(out, "cards", cards(opened).await),
        told(out, "tallies", tallies(opened).await),
        told(out, "spool", spool(opened).await),
    ]
}

fn told(out: &Output, name: &'static str, found: Result<Finding, CliError>) -> Finding {
    found.unwrap_or_else(|error| {
        Finding::fail(
            name,
            crate::cli::error::exit_code(&error),
            said(&error, &out.view).what(&out.view),
        )
    })
}

async fn integrity(opened: &Opened) -> Result<Finding, CliError> {
    let lines = opened.store.quick_check().await?;
    Ok(match lines.first() {
        None => Finding::ok("integrity", "no damage found"),
        Some(first) => Finding::fail(
            "integrity",
            Exit::Differences,
            format!("{} lines, first: {first}", lines.len()),
        ),
    })
}

async fn unknown(opened: &Opened) -> Result<Finding, CliError> {
    Ok(match opened.store.count_unknown().await? {
        0 => Finding::ok("unknown", "no outcome is unknown"),
        count => Finding::warn(
            "unknown",
            format!("{count} outcomes are unknown: see `paydeck unknown list`"),
        ),
    })
}

async fn runs(opened: &Opened) -> Result<Finding, CliError> {
    let page = opened.store.runs(&ListQuery::first(1)).await?;
    let now = opened.clock.now();
    Ok(match page.rows.first() {
        None => Finding::warn("runs", "there was no billing run yet"),
        Some(row) if now - row.run.started_at > Duration::hours(RUN_EVERY_H) => {
            let hours = (now - row.run.started_at).num_hours();
            Finding::warn("runs", format!("the last billing run began {hours} h ago"))
        }
        Some(row) => Finding::ok(
            "runs",
            format!(
                "the last began {}",
                crate::cli::record::rfc3339(row.run.started_at)
            ),
        ),
    })
}

/// A session that may not write cannot ask: the question locks nothing but takes the writer's place.
async fn leases(opened: &Opened) -> Result<Finding, CliError> {
    if opened.operator.access == Access::ReadOnly {
        return Ok(Finding::ok(
            "leases",
            "not looked at in a session that changes nothing",
        ));
    }
    let mut desk = Desk::new();
    let owners = opened.store.begin(&mut desk).await?.lease_owners().await?;
    let gone = owners
        .iter()
        .filter(|owner| process::is_gone(owner))
        .count();
    Ok(if gone == 0 {
        Finding::ok("leases", format!("{} held", owners.len()))
    } else {
        Finding::warn(
            "leases",
            format!("{gone} held by processes that are gone: run `paydeck reconcile`"),
        )
    })
}

async fn trail(opened: &Opened) -> Result<Finding, CliError> {
    let verified = audit::walk(&opened.store).await?;
    Ok(match verified.broken.first() {
        None => Finding::ok(
            "audit",
            format!("{} records in {} chains", verified.records, verified.chains),
        ),
        Some((chain, seq)) => Finding::fail(
            "audit",
            Exit::Differences,
            format!("record {seq} of chain {chain} does not fit"),
        ),
    })
}

async fn plans(opened: &Opened) -> Result<Finding, CliError> {
    let page = opened.store.plans(&ListQuery::first(1)).await?;
    Ok(if page.rows.is_empty() {
        Finding::warn("plans", "there is no plan yet: see `paydeck plan create`")
    } else {
        Finding::ok("plans", "there are plans")
    })
}

/// Cards that a run would charge where nothing can be sent: their rows are held back.
async fn cards(opened: &Opened) -> Result<Finding, CliError> {
    let mut held_back = Vec::new();
    for provider in ProviderName::ALL {
        let cards = opened.store.count_active_cards(provider).await?;
        if cards > 0 && !opened.settings.has_key_of(provider) {
            held_back.push(format!("{cards} active cards at {provider}"));
        }
    }
    Ok(if held_back.is_empty() {
        Finding::ok(
            "cards",
            "every active card is at a provider whose key is set",
        )
    } else {
        Finding::warn(
            "cards",
            format!("{}, whose key is not set", held_back.join(", ")),
        )
    })
}

async fn tallies(opened: &Opened) -> Result<Finding, CliError> {
    let differing = opened.store.differing_tallies().await?;
    Ok(if differing.is_empty() {
        Finding::ok("tallies", "the first screen says what the rows say")
    } else {
        Finding::fail(
            "tallies",
            Exit::Differences,
            format!("not what the rows come to: {}", differing.join(", ")),
        )
    })
}

/// What this host keeps for the database, and what lies there that nobody can read.
async fn spool(opened: &Opened) -> Result<Finding, CliError> {
    let install = opened.store.meta("install_id").await?.unwrap_or_default();
    let lying = match wiring::spool(opened, &install).look() {
        Ok(lying) => lying,
        Err(error) => {
            let why = std::error::Error::source(&error).map_or(String::new(), ToString::to_string);
            return Ok(Finding::fail(
                "spool",
                Exit::Configuration,
                format!("{error}: {why}"),
            ));
        }
    };
    let waiting = lying.waiting;
    Ok(if !lying.not_understood.is_empty() {
        let names = lying.not_understood.join(", ");
        Finding::warn(
            "spool",
            format!("{waiting} entries wait; not understood: {names}"),
        )
    } else if waiting > 0 {
        Finding::warn(
            "spool",
            format!("{waiting} entries wait for the database: run `paydeck reconcile`"),
        )
    } else {
        Finding::ok("spool", "nothing waits on this host")
    })
}
