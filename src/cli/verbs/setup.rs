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
use crate::cli::permit::Permit;
use crate::cli::places;
use crate::cli::record::Record;
use crate::config::{self, Settings};
use crate::domain::mode::Mode;
use crate::engine::ports::Ids as _;
use crate::sandbox;
use crate::store::{self, DatabaseUrl, Migrated, NewDatabase};
use crate::vault::{Vault, create_key_file};

const EXAMPLE: &str = include_str!("../../../config.toml.example");

/// Writes configuration and key files, then makes the database they name; a dry run tries the
/// database and writes nothing. When something fails, nothing that was written stays.
pub async fn init(
    out: &mut Output,
    permit: Option<&Permit>,
    args: &InitArgs,
) -> Result<(), CliError> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => places::own_directory()?,
    };
    let files = Files::of(&dir, args);
    files.refuse_existing()?;
    check_server(args).await?;
    let Some(_permit) = permit else {
        return rehearse(out, &files, args);
    };
    let settings = match make_all(&files, args).await {
        Ok(settings) => settings,
        Err(failure) => {
            files.remove();
            return Err(failure);
        }
    };
    let next = match settings.mode {
        Mode::Sim => "cli.init.next_sim",
        Mode::Test | Mode::Live => "cli.init.next_key",
    };
    out.record(
        &Record::of("init")
            .text("config", &files.config.display().to_string())
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

/// The files of a new installation.
struct Files {
    dir: PathBuf,
    dir_is_new: bool,
    config: PathBuf,
    vault_key: PathBuf,
    /// The simulator's key; those of a test or live installation are put there by hand.
    toss_key: Option<PathBuf>,
}

impl Files {
    fn of(dir: &Path, args: &InitArgs) -> Self {
        Self {
            dir: dir.to_owned(),
            dir_is_new: !dir.exists(),
            config: dir.join("config.toml"),
            vault_key: dir.join("vault.key"),
            toss_key: (args.mode == Mode::Sim.as_str()).then(|| dir.join("toss.key")),
        }
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.config, &self.vault_key]
            .into_iter()
            .chain(&self.toss_key)
    }

    fn refuse_existing(&self) -> Result<(), CliError> {
        match self.all().find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(CliError::Exists { path: path.clone() }),
            None => Ok(()),
        }
    }

    fn write(&self, args: &InitArgs) -> Result<(), CliError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|source| file_error(&self.dir, source))?;
        write_new(&self.config, &configuration(args))?;
        create_key_file(&self.vault_key)?;
        match &self.toss_key {
            Some(path) => write_new(path, &format!("{}\n", sandbox::SECRET_KEY)),
            None => Ok(()),
        }
    }

    /// None of them was there before: each was made a moment ago.
    fn remove(&self) {
        for path in self.all() {
            // What cannot be removed is named by the next `init`.
            let _gone = std::fs::remove_file(path);
        }
        if self.dir_is_new {
            let _gone = std::fs::remove_dir(&self.dir);
        }
    }
}

async fn make_all(files: &Files, args: &InitArgs) -> Result<Settings, CliError> {
    files.write(args)?;
    let settings = settings_of(&files.config, args)?;
    make_database(&settings).await?;
    Ok(settings)
}

/// Before any file is written: the server is there, its database is empty and can hold ours.
async fn check_server(args: &InitArgs) -> Result<(), CliError> {
    let url = config::process_environment()
        .remove("PAYDECK__DATABASE__URL")
        .unwrap_or_else(|| args.database.clone());
    if !url.starts_with("postgres") {
        return Ok(());
    }
    let new = NewDatabase {
        mode: Mode::Sim,
        zone: chrono_tz::Asia::Seoul,
        key_id: "",
        install_id: "",
        install_secret: "",
        at: machine_now(),
    };
    Ok(store::rehearse_create(&DatabaseUrl::Postgres(url), &new).await?)
}

fn rehearse(out: &mut Output, files: &Files, args: &InitArgs) -> Result<(), CliError> {
    let toss_key = files
        .toss_key
        .as_ref()
        .map(|path| path.display().to_string());
    let url = match args.database.strip_prefix("sqlite:") {
        Some(path) => DatabaseUrl::Sqlite(files.dir.join(path)),
        None => DatabaseUrl::Postgres(args.database.clone()),
    };
    Ok(out.record(
        &Record::of("init_preview")
            .text("config", &files.config.display().to_string())
            .text("vault_key", &files.vault_key.display().to_string())
            .text_if("toss_key", toss_key.as_deref())
            .text("database", &url.to_string())
            .word("mode", "", &args.mode),
    )?)
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
async fn make_database(settings: &Settings) -> Result<(), CliError> {
    let new = Identity::of(settings)?;
    Ok(store::create(&open::database_url(settings), &new.database(settings)).await?)
}

/// What makes a new database this installation's own.
struct Identity {
    key_id: String,
    install_id: String,
    install_secret: String,
}

impl Identity {
    fn of(settings: &Settings) -> Result<Self, CliError> {
        let vault = Vault::load(&settings.vault.key_file)?;
        Ok(Self {
            key_id: vault.key_id().to_string(),
            install_id: random_word(8),
            install_secret: format!(
                "{}{}",
                crate::cli::ids::UlidIds::default().random_text(),
                random_word(16)
            ),
        })
    }

    fn database(&self, settings: &Settings) -> NewDatabase<'_> {
        NewDatabase {
            mode: settings.mode,
            zone: settings.billing.zone,
            key_id: &self.key_id,
            install_id: &self.install_id,
            install_secret: &self.install_secret,
            at: machine_now(),
        }
    }
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

/// Brings the schema up, or makes it in an empty database of PostgreSQL; says what it was and what it
/// is. A dry run takes every step and takes it back.
pub async fn migrate(
    out: &mut Output,
    permit: Option<&Permit>,
    settings: &Settings,
) -> Result<(), CliError> {
    let url = open::database_url(settings);
    let (object, migrated) = match (permit, store::is_empty(&url).await?) {
        (Some(_), true) => {
            make_database(settings).await?;
            ("migrated", MADE)
        }
        (None, true) => {
            let new = Identity::of(settings)?;
            store::rehearse_create(&url, &new.database(settings)).await?;
            ("migration_preview", MADE)
        }
        (Some(_), false) => ("migrated", store::migrate(&url).await?),
        (None, false) => ("migration_preview", store::rehearse_migrate(&url).await?),
    };
    Ok(out.record(
        &Record::of(object)
            .text("database", &url.to_string())
            .number("from", migrated.from)
            .number("to", migrated.to),
    )?)
}

/// An empty database has no schema.
const MADE: Migrated = Migrated {
    from: 0,
    to: store::SCHEMA_VERSION,
};
