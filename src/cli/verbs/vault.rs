//! `vault rotate`: every billing key is sealed again under the current key, while charges go on.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open::Opened;
use crate::cli::output::Output;
use crate::cli::record::Record;
use crate::cli::wiring::LiveEngine;

pub async fn rotate(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
) -> Result<Exit, CliError> {
    let resealed = engine.rotate_keys(&opened.operator).await?;
    let key_id = engine.key_id();
    opened.store.set_meta("key_id", &key_id).await?;
    let record = Record::of("rotated")
        .number("resealed", resealed)
        .text("key_id", &key_id);
    out.record(&record)?;
    Ok(Exit::Done)
}
