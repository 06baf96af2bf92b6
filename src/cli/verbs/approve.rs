//! `approve`: what waits for a second person, and what is decided about it.

use crate::cli::args::{ApproveCommand, GrantArgs, RejectArgs, TargetArgs};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::records::{self, columns};
use crate::cli::resolve::{self, noun_of_prefix};
use crate::cli::table::Table;
use crate::domain::ids::{ApprovalId, AttemptId, Noun};
use crate::engine::Request;
use crate::engine::queries::{Reads as _, WaitingFor, WaitingRow};
use crate::store::SqlStore;

/// A request by its id, or a prepared return by its attempt's.
enum Named {
    Request(ApprovalId),
    Return(AttemptId),
}

async fn named(store: &SqlStore, typed: &str) -> Result<Named, CliError> {
    let attempt = async || {
        let id = resolve::id(store, Noun::Attempt, typed).await?;
        Ok(Named::Return(AttemptId(id)))
    };
    match noun_of_prefix(typed) {
        Some(Noun::Attempt) => attempt().await,
        Some(_) => request(store, typed).await,
        None => match request(store, typed).await {
            Err(CliError::NotFound { .. }) => attempt().await,
            found => found,
        },
    }
}

async fn request(store: &SqlStore, typed: &str) -> Result<Named, CliError> {
    let id = resolve::id(store, Noun::Approval, typed).await?;
    Ok(Named::Request(ApprovalId(id)))
}

/// What waits, in a table or as one object per line.
pub async fn list(out: &mut Output, store: &SqlStore) -> Result<(), CliError> {
    let rows = store.waiting().await?;
    let records: Vec<_> = rows.iter().map(records::waiting_row).collect();
    out.rows(&mut Table::new(columns::WAITING), &records)?;
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let text = out.view.locale.counted("common.counted.row", count);
    if matches!(out.format, crate::cli::output::Format::Human) {
        out.say(&text)?;
    }
    Ok(())
}

pub async fn show(out: &mut Output, store: &SqlStore, args: &TargetArgs) -> Result<(), CliError> {
    let row = match named(store, &args.target).await? {
        Named::Request(id) => store.waiting_request(id).await?,
        Named::Return(id) => prepared(store, id, &args.target).await?,
    };
    Ok(out.record(&records::waiting_row(&row))?)
}

async fn prepared(store: &SqlStore, id: AttemptId, typed: &str) -> Result<WaitingRow, CliError> {
    let rows = store.waiting().await?;
    let row = rows
        .into_iter()
        .find(|row| row.what == WaitingFor::Return(id));
    row.ok_or_else(|| CliError::NotFound {
        what: "approval",
        typed: typed.to_owned(),
    })
}

/// What a decision asks of the engine.
pub async fn decision(store: &SqlStore, command: &ApproveCommand) -> Result<Request, CliError> {
    match command {
        ApproveCommand::Reject(RejectArgs { target, reason }) => {
            Ok(match named(store, target).await? {
                Named::Request(approval) => Request::Reject {
                    approval,
                    reason: reason.clone(),
                },
                Named::Return(attempt) => Request::DeclineReturn {
                    attempt,
                    reason: reason.clone(),
                },
            })
        }
        ApproveCommand::Grant(GrantArgs {
            target,
            ask_approval,
        }) => Ok(match named(store, target).await? {
            Named::Request(approval) => Request::Grant { approval },
            Named::Return(attempt) if *ask_approval => Request::AskReturn { attempt },
            Named::Return(attempt) => Request::ApproveReturn { attempt },
        }),
        ApproveCommand::List | ApproveCommand::Show(_) => {
            Err(CliError::Internal("nothing is decided by it".to_owned()))
        }
    }
}
