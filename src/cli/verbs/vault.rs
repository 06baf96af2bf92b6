//! `vault`: a new key-encryption key, and every billing key sealed again under it while charges go on.
//!
//! The order is: make a key file, name it in `vault.key_file` and the old one in
//! `vault.previous_key_files`, rotate, then take the old one out.

use crate::cli::args::NewKeyArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open::Opened;
use crate::cli::output::Output;
use crate::cli::permit::Permit;
use crate::cli::record::Record;
use crate::cli::wiring::LiveEngine;
use crate::vault::create_key_file;

pub fn new_key(out: &mut Output, _permit: &Permit, args: &NewKeyArgs) -> Result<(), CliError> {
    if args.out.symlink_metadata().is_ok() {
        return Err(CliError::Exists {
            path: args.out.clone(),
        });
    }
    let key_id = create_key_file(&args.out)?;
    let record = Record::of("key")
        .text("file", &args.out.display().to_string())
        .text("key_id", &key_id.to_string());
    Ok(out.record(&record)?)
}

pub async fn rotate(
    out: &mut Output,
    engine: &LiveEngine,
    opened: &Opened,
    permit: Option<&Permit>,
) -> Result<Exit, CliError> {
    if permit.is_none() {
        let keys = engine.keys_to_rotate(&opened.operator).await?;
        out.record(
            &Record::of("rotation_preview")
                .number("to_reseal", keys)
                .text("key_id", &engine.key_id()),
        )?;
        return Ok(Exit::Done);
    }
    let resealed = engine.rotate_keys(&opened.operator).await?;
    let key_id = engine.key_id();
    opened.store.set_meta("key_id", &key_id).await?;
    let record = Record::of("rotated")
        .number("resealed", resealed)
        .text("key_id", &key_id);
    out.record(&record)?;
    Ok(Exit::Done)
}
