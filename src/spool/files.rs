//! The directory: made on first use, never shared with other users, written so that a crash leaves whole entries.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::entry::Entry;
use crate::engine::ports::{Kept, Spool, SpoolError};

const ENDING: &str = "json";
const ACCESS_OF_OTHERS: u32 = 0o077;
/// More than any entry needs.
const LONGEST: u64 = 256 * 1024;
/// What is being written, without its last name.
const HALF: &str = "half";
/// Whoever keeps an entry tries for less long than this to write it himself: forty times, each of which waits up to ten
/// seconds for a connection and two before the next.
const LEFT_ALONE: Duration = Duration::from_mins(10);

/// Entries of one installation in one directory.
#[derive(Debug, Clone)]
pub struct FileSpool {
    dir: PathBuf,
    install: String,
    process: String,
    is_gone: fn(&str) -> bool,
}

/// What lies in the directory, for whoever looks after the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lying {
    /// Entries that the database has yet to take.
    pub waiting: usize,
    /// Files that are no entries of this installation, by name.
    pub not_understood: Vec<String>,
}

/// A file that may be an entry.
struct Found {
    name: String,
    path: PathBuf,
    modified: Option<SystemTime>,
}

impl FileSpool {
    /// `install` is what makes this installation's entries its own, `process` who writes them, and `is_gone` says
    /// whether a process of this host has ended.
    pub fn new(dir: PathBuf, install: String, process: String, is_gone: fn(&str) -> bool) -> Self {
        Self {
            dir,
            install,
            process,
            is_gone,
        }
    }

    /// What lies there. Nothing is changed.
    pub fn look(&self) -> Result<Lying, SpoolError> {
        let mut lying = Lying::default();
        for file in self.files(ENDING).map_err(failed)? {
            match self.read(&file.path) {
                Ok(Some(_)) => lying.waiting += 1,
                // Another process took it in meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(None) | Err(_) => lying.not_understood.push(file.name),
            }
        }
        Ok(lying)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{ENDING}"))
    }

    /// Makes the directory, or refuses one that others can get at.
    fn open_dir(&self) -> io::Result<()> {
        let is_new = !self.dir.exists();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        self.expect_private()?;
        match self.dir.parent() {
            // Its own name has to outlast a crash as well.
            Some(parent) if is_new && !parent.as_os_str().is_empty() => sync(parent),
            _ => Ok(()),
        }
    }

    fn expect_private(&self) -> io::Result<()> {
        let found = fs::symlink_metadata(&self.dir)?;
        let is_mine = found.uid() == rustix::process::geteuid().as_raw();
        if found.is_dir() && is_mine && found.mode() & ACCESS_OF_OTHERS == 0 {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{} must be a directory of this user's with mode 0700",
                self.dir.display()
            ),
        ))
    }

    fn write(&self, name: &str, text: &[u8]) -> io::Result<()> {
        self.open_dir()?;
        let half = self
            .dir
            .join(format!("{name}.{}.{HALF}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&half)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&half, self.path(name))?;
        sync(&self.dir)
    }

    fn read(&self, path: &Path) -> io::Result<Option<(String, Kept)>> {
        if fs::symlink_metadata(path)?.len() > LONGEST {
            return Ok(None);
        }
        let entry: Option<Entry> = serde_json::from_slice(&fs::read(path)?).ok();
        Ok(entry.and_then(|entry| entry.into_kept(&self.install)))
    }

    /// Files with this ending, oldest first. None where there is no directory.
    fn files(&self, ending: &str) -> io::Result<Vec<Found>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        self.expect_private()?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|_| path.extension().is_some_and(|e| e == ending)) {
                files.push(Found {
                    name: name.to_owned(),
                    modified: fs::metadata(&path).and_then(|m| m.modified()).ok(),
                    path,
                });
            }
        }
        files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        Ok(files)
    }

    /// Entries whose writer has ended or given up: what somebody is just about to write is left to him.
    fn list(&self) -> io::Result<Vec<(String, Kept)>> {
        for half in self.files(HALF)?.iter().filter(|half| half.is_left()) {
            // Of a process that died while it wrote; the next look removes what stays.
            let _stays = fs::remove_file(&half.path);
        }
        let mut kept = Vec::new();
        for file in self.files(ENDING)? {
            // Another process may have taken it in meanwhile.
            if let Ok(Some((by, entry))) = self.read(&file.path)
                && (file.is_left() || (self.is_gone)(&by))
            {
                kept.push((file.name, entry));
            }
        }
        Ok(kept)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Ok(()) => sync(&self.dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Found {
    /// Whether nobody writes it any more. A time to come is as good as one long past: the clock was moved.
    fn is_left(&self) -> bool {
        let age = self.modified.map(|at| at.elapsed());
        age.is_some_and(|age| age.unwrap_or_else(|e| e.duration()) >= LEFT_ALONE)
    }
}

/// Makes names in a directory durable.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn failed(error: io::Error) -> SpoolError {
    SpoolError(error.into())
}

impl Spool for FileSpool {
    fn keep(&self, name: &str, entry: &Kept) -> Result<(), SpoolError> {
        let text = serde_json::to_vec(&Entry::of(&self.install, &self.process, entry))
            .map_err(|error| SpoolError(error.into()))?;
        self.write(name, &text).map_err(failed)
    }

    fn kept(&self) -> Result<Vec<(String, Kept)>, SpoolError> {
        self.list().map_err(failed)
    }

    fn remove(&self, name: &str) -> Result<(), SpoolError> {
        self.unlink(name).map_err(failed)
    }
}

#[cfg(test)]
mod tests;
