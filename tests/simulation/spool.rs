//! The disk of the host that all processes of a play share: what the database did not take.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use paydeck::engine::ports::{Kept, Spool, SpoolError};

use crate::memory::stage::Stage;

/// A writer that lives is left alone for so long.
const LEFT_ALONE_US: i64 = 120_000_000;

#[derive(Debug)]
struct Entry {
    name: String,
    by: u64,
    at: i64,
    kept: Kept,
}

#[derive(Debug, Default)]
struct Disk {
    entries: Vec<Entry>,
    alive: BTreeSet<u64>,
    forgets: bool,
}

/// The host.
#[derive(Debug, Default)]
pub struct Host(Mutex<Disk>);

impl Host {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begins(&self, process: u64) {
        self.disk().alive.insert(process);
    }

    pub fn died(&self, process: u64) {
        self.disk().alive.remove(&process);
    }

    /// A mistake: what is kept is not there afterwards.
    pub fn forgets_everything(&self) {
        self.disk().forgets = true;
    }

    /// Whether a key with this hash is kept here.
    pub fn keeps_key(&self, hash: &str) -> bool {
        let disk = self.disk();
        disk.entries
            .iter()
            .any(|entry| matches!(&entry.kept, Kept::Key(key) if key.key.hash == hash))
    }

    pub fn names(&self) -> Vec<String> {
        let disk = self.disk();
        disk.entries
            .iter()
            .map(|entry| entry.name.clone())
            .collect()
    }
}

/// One process's sight of it.
pub struct HostSpool {
    pub host: Arc<Host>,
    pub stage: Arc<Stage>,
    pub process: u64,
}

impl Spool for HostSpool {
    fn keep(&self, name: &str, entry: &Kept) -> Result<(), SpoolError> {
        let at = self.stage.lock().now;
        let mut disk = self.host.disk();
        if !disk.forgets {
            disk.entries.retain(|other| other.name != name);
            disk.entries.push(Entry {
                name: name.to_owned(),
                by: self.process,
                at,
                kept: entry.clone(),
            });
        }
        Ok(())
    }

    fn kept(&self) -> Result<Vec<(String, Kept)>, SpoolError> {
        let now = self.stage.lock().now;
        let disk = self.host.disk();
        let left = disk
            .entries
            .iter()
            .filter(|entry| !disk.alive.contains(&entry.by) || now - entry.at >= LEFT_ALONE_US);
        Ok(left
            .map(|entry| (entry.name.clone(), entry.kept.clone()))
            .collect())
    }

    fn remove(&self, name: &str) -> Result<(), SpoolError> {
        self.host.disk().entries.retain(|entry| entry.name != name);
        Ok(())
    }
}
