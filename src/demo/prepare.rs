//! Makes a demo: its directory, its key, the database and the simulator's file side by side.
//!
//! Everything is made in a directory beside its place and moved there when it is whole; the
//! configuration comes last, so a demo that has one is complete.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::chance::Chance;
use super::config_file::{CONFIG, DATABASE, SANDBOX, VAULT_KEY, private_dir, write};
use super::load::{self, Inlet};
use super::options::{DemoError, DemoOptions, Prepared};
use super::people::People;
use super::story::{Halt, Means, Story, Sums};
use crate::domain::billing::Install;
use crate::domain::mode::Mode;
use crate::store::bulk::BulkWriter;
use crate::store::{DatabaseUrl, NewDatabase};
use crate::vault::{Vault, create_key_file};

const ZONE: Tz = chrono_tz::Asia::Seoul;
const UNFINISHED: &str = ".unfinished";
/// A story that ends within so long of the machine's clock ends now.
const SAME_TIME: TimeDelta = TimeDelta::minutes(10);

/// Makes a demo in its directory. Nothing is there, or all of it.
pub async fn prepare(options: DemoOptions) -> Result<Prepared, DemoError> {
    if prepared(&options.dir).is_some() {
        return Err(DemoError::Exists { dir: options.dir });
    }
    private_dir(&options.dir)?;
    let place = options.dir.join(UNFINISHED);
    remove(&place)?;
    private_dir(&place)?;
    let made = make(&options, &place).await;
    let sums = match made {
        Ok(sums) => sums,
        Err(error) => {
            // What could not be finished is of no use; why it could not matters more.
            let _left = remove(&place);
            return Err(error);
        }
    };
    write(&place, &options)?;
    move_all(&place, &options.dir)?;
    Ok(summary(&options.dir, &sums))
}

/// The configuration of the demo in a directory, if there is a whole one.
pub fn prepared(dir: &Path) -> Option<PathBuf> {
    let config = dir.join(CONFIG);
    config.is_file().then_some(config)
}

async fn make(options: &DemoOptions, place: &Path) -> Result<Sums, DemoError> {
    let key_file = place.join(VAULT_KEY);
    create_key_file(&key_file)?;
    let vault = Vault::load(&key_file)?;
    let mut chance = Chance::new(options.seed);
    let (install_id, install_secret) = (chance.install_id(), chance.digest());
    let new = NewDatabase {
        mode: Mode::Sim,
        zone: ZONE,
        key_id: &vault.key_id().to_string(),
        install_id: &install_id,
        install_secret: &install_secret,
        at: options.now,
    };
    let url = DatabaseUrl::Sqlite(place.join(DATABASE));
    let writer = BulkWriter::create(&url, &new).await?;
    let (out, inlet) = load::channel();
    let means = Means {
        chance,
        people: People::load()?,
        install: Install {
            id8: install_id.clone(),
            secret: install_secret.clone().into_bytes(),
        },
        vault,
        zone: ZONE,
        out,
    };
    let asked = options.clone();
    let teller = tokio::task::spawn_blocking(move || Story::new(&asked, means)?.tell());
    let Inlet { store, sandbox } = inlet;
    let offset = clock_offset(options.now);
    let (told, filled, kept) = tokio::join!(
        teller,
        load::fill_store(writer, store),
        load::fill_sandbox(place, offset, sandbox),
    );
    // A loader that failed says why; the teller then only knows that it stopped.
    filled?;
    kept?;
    match told {
        Ok(Ok(sums)) => Ok(sums),
        Ok(Err(Halt::Story(why))) => Err(DemoError::Story(why)),
        Ok(Err(Halt::Stopped)) => Err(DemoError::Story("a loader stopped".to_owned())),
        Err(error) => Err(DemoError::Story(error.to_string())),
    }
}

/// How far the simulator's clock is from the machine's, so that it goes on where the story ends.
fn clock_offset(now: DateTime<Utc>) -> TimeDelta {
    let offset = now - super::clock::machine_now();
    if offset.abs() < SAME_TIME {
        TimeDelta::zero()
    } else {
        offset
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> DemoError {
    let path = path.to_owned();
    move |source| DemoError::Files { path, source }
}

fn remove(place: &Path) -> Result<(), DemoError> {
    match std::fs::remove_dir_all(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(place)(error)),
        _ => Ok(()),
    }
}

/// Every file to its place; the configuration last.
fn move_all(from: &Path, to: &Path) -> Result<(), DemoError> {
    let mut names: Vec<_> = std::fs::read_dir(from)
        .and_then(|found| {
            found
                .map(|entry| Ok(entry?.file_name()))
                .collect::<std::io::Result<_>>()
        })
        .map_err(failed(from))?;
    names.sort_by_key(|name| name == CONFIG);
    for name in names {
        let target = to.join(&name);
        if target.exists() {
            let source = std::io::ErrorKind::AlreadyExists.into();
            return Err(failed(&target)(source));
        }
        std::fs::rename(from.join(&name), &target).map_err(failed(&target))?;
    }
    remove(from)
}

fn summary(dir: &Path, sums: &Sums) -> Prepared {
    let count = |of: i64| u64::try_from(of).unwrap_or(0);
    Prepared {
        config: dir.join(CONFIG),
        database: dir.join(DATABASE),
        sandbox_file: dir.join(SANDBOX),
        sandbox_dir: dir.to_owned(),
        key_file: dir.join(VAULT_KEY),
        customers: sums.customers as u64,
        subscriptions: sums.subscriptions as u64,
        attempts: count(sums.counts.attempts),
        payments: count(sums.counts.payments),
        refunds: count(sums.counts.refunds),
        unknowns: count(sums.counts.unknowns),
    }
}
