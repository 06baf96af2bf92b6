//! Subscriptions that Stripe schedules: taken in, and followed by its events.

use crate::cli::args::{MirrorAddArgs, MirrorCommand};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open::Opened;
use crate::cli::output::Output;
use crate::cli::permit::Permit;
use crate::cli::record::Record;
use crate::cli::resolve;
use crate::cli::wiring::LiveEngine;
use crate::domain::ids::{CustomerId, Noun, PublicId};
use crate::engine::ports::{ProviderError, StoreError};
use crate::engine::{Adopted, Pulled, VerbError};

/// What of these commands is no request of its own.
pub async fn carry_out(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
    permit: Option<&Permit>,
    command: &MirrorCommand,
) -> Result<Exit, CliError> {
    let permit =
        permit.ok_or_else(|| CliError::Internal("a verb that writes has no permit".to_owned()))?;
    match command {
        MirrorCommand::Add(args) => add(out, engine, opened, permit, args).await,
        _ => pull(out, engine, opened, permit).await,
    }
}

/// Takes in one subscription, or all that run there; says of each where it stands.
async fn add(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
    _permit: &Permit,
    args: &MirrorAddArgs,
) -> Result<Exit, CliError> {
    let operator = &opened.operator;
    if let Some(name) = &args.subscription {
        let customer = match &args.customer {
            Some(typed) => {
                let id = resolve::id(&opened.store, Noun::Customer, typed).await?;
                Some(CustomerId(id))
            }
            None => None,
        };
        let taken = engine.mirror_add(operator, name, customer).await?;
        out.record(&adopted(&taken))?;
        return Ok(Exit::Done);
    }
    let mut ended = Exit::Done;
    for name in engine.mirrorable(operator).await? {
        match engine.mirror_add(operator, &name, None).await {
            Ok(taken) => out.record(&adopted(&taken))?,
            // What is in the way of one alone does not hold up the others.
            Err(error) if is_its_own(&error) => {
                ended = Exit::Refused;
                let reason = match error {
                    VerbError::Input { reason, .. } => reason,
                    other => other.to_string(),
                };
                out.record(
                    &Record::of("not_mirrored")
                        .text("provider_ref", &name)
                        .text("reason", &reason),
                )?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ended)
}

/// Whether it is about this one subscription: the next may go well.
fn is_its_own(error: &VerbError) -> bool {
    matches!(
        error,
        VerbError::Input { .. }
            | VerbError::Range(_)
            | VerbError::Stale
            | VerbError::Store(StoreError::Refused(_) | StoreError::Stale { .. })
            | VerbError::Provider(ProviderError::Refused { .. } | ProviderError::Unanswered { .. })
    )
}

fn adopted(taken: &Adopted) -> Record {
    Record::of("mirrored")
        .id("subscription_id", &taken.subscription)
        .text("provider_ref", &taken.provider_ref)
        .word("state", "state.subscription", taken.state.as_str())
        .number("was_known", i64::from(taken.was_known))
        .text("charged_here_too", &charged_here_too(taken))
}

/// The customer's subscriptions that we charge ourselves, while Stripe charges this one.
fn charged_here_too(taken: &Adopted) -> String {
    let ids: Vec<&str> = taken.beside.iter().map(PublicId::as_str).collect();
    ids.join(" ")
}

/// Follows Stripe's events once.
async fn pull(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
    _permit: &Permit,
) -> Result<Exit, CliError> {
    let mut pulled = Pulled::default();
    let followed = engine.mirror_pull_into(&opened.operator, &mut pulled).await;
    if let Err(error @ VerbError::Denied(_)) = followed {
        return Err(error.into());
    }
    out.record(&record(&pulled))?;
    followed?;
    Ok(if pulled.left > 0 {
        Exit::Unreachable
    } else {
        Exit::Done
    })
}

fn record(pulled: &Pulled) -> Record {
    Record::of("pulled")
        .number("events", pulled.taken_in)
        .number("subscriptions_read", pulled.read)
        .number("ignored", pulled.ignored)
        .number("failed", pulled.failed)
        .number("left", pulled.left)
        .number("settled", pulled.settled)
        .number("read_anew", i64::from(pulled.anew))
}
