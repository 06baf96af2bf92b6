//! `init` and `migrate`: a new installation, and an older database brought up to date.
//!
//! Nothing that exists is overwritten; files with secrets are made readable by their owner alone.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::cli::args::InitArgs;
use crate::cli::clock::machine_now;
use crate::cli::error::CliError;
use crate::cli::ids::random_word;
use crate::cli::open;
use crate::cli::output::Output;
use crate::cli::places;
use crate::cli::record::Record;
use crate::config::{self, Settings};
use crate::domain::mode::Mode;
use crate::engine::ports::Ids as _;
use crate::sandbox;
use crate::store::{self, NewDatabase};
use crate::vault::{Vault, create_key_file};

const EXAMPLE: &str = include_str!("../../../config.toml.example");

/// Writes configuration and key files, then makes the database they name.
pub async fn init(out: &mut Output, args: &InitArgs) -> Result<(), CliError> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => places::own_directory()?,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|source| file_error(&dir, source))?;
    let config_path = dir.join("config.toml");
    write_new(&config_path, &configuration(args))?;
    create_key_file(&dir.join("vault.key"))?;
    if args.mode == Mode::Sim.as_str() {
        write_new(&dir.join("toss.key"), &format!("{}\n", sandbox::SECRET_KEY))?;
    }
    let settings = settings_of(&config_path, args)?;
    make_database(&settings).await?;
    let next = match settings.mode {
        Mode::Sim => "cli.init.next_sim",
        Mode::Test | Mode::Live => "cli.init.next_key",
    };
    out.record(
        &Record::of("init")
            .text("config", &config_path.display().to_string())
            .text("vault_key", &settings.vault.key_file.display().to_string())
            .text("database", &open::database_url(&settings).to_string())
            .word("mode", "", settings.mode.as_str()),
    )?;
    let key_file = dir.join("toss.key").display().to_string();
    let text = out.view.locale.t_args(
        next,
        &[("dir", &dir.display().to_string()), ("file", &key_file)],
    );
    Ok(out.say(&text)?)
}

/// The commented example with this mode and this database.
fn configuration(args: &InitArgs) -> String {
    let text = EXAMPLE
        .replacen("mode = \"sim\"", &format!("mode = \"{}\"", args.mode), 1)
        .replacen(
            "url = \"sqlite:paydeck.db\"",
            &format!("url = {:?}", args.database),
            1,
        );
    if args.mode == Mode::Sim.as_str() {
        return text;
    }
    // The provider itself is the default address; the key file is put there by hand.
    text.replacen(
        "base_url = \"sandbox:sandbox\"",
        "#base_url = \"https://api.tosspayments.com\"",
        1,
    )
}

/// The key file of a live or test installation does not exist yet, and a database needs none.
fn settings_of(config_path: &Path, args: &InitArgs) -> Result<Settings, CliError> {
    let mut environment = config::process_environment();
    let has_key = config_path.with_file_name("toss.key").exists();
    if has_key {
        return Ok(config::load(Some(config_path), &environment)?);
    }
    let placeholder = format!("{}_sk_placeholder", args.mode);
    environment
        .entry("PAYDECK__PROVIDER__SECRET_KEY".to_owned())
        .or_insert(placeholder);
    Ok(config::load(Some(config_path), &environment)?)
}

/// A new, empty database for these settings.
pub async fn make_database(settings: &Settings) -> Result<(), CliError> {
    let vault = Vault::load(&settings.vault.key_file)?;
    let key_id = vault.key_id().to_string();
    let secret = format!(
        "{}{}",
        crate::cli::ids::UlidIds::default().random_text(),
        random_word(16)
    );
    let new = NewDatabase {
        mode: settings.mode,
        zone: settings.billing.zone,
        key_id: &key_id,
        install_id: &random_word(8),
        install_secret: &secret,
        at: machine_now(),
    };
    Ok(store::create(&open::database_url(settings), &new).await?)
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => CliError::Exists {
                path: path.to_owned(),
            },
            _ => file_error(path, source),
        })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: io::Error) -> CliError {
    CliError::File {
        path: PathBuf::from(path),
        source,
    }
}

/// Brings the schema up; says what it was and what it is.
pub async fn migrate(out: &mut Output, settings: &Settings) -> Result<(), CliError> {
    let url = open::database_url(settings);
    let migrated = store::migrate(&url).await?;
    Ok(out.record(
        &Record::of("migrated")
            .text("database", &url.to_string())
            .number("from", migrated.from)
            .number("to", migrated.to),
    )?)
}
