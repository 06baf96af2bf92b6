//! The directory: made on first use, never shared with other users, written so that a crash leaves whole entries.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::entry::Entry;
use crate::engine::ports::{Kept, Spool, SpoolError};

const ENDING: &str = "json";
const ACCESS_OF_OTHERS: u32 = 0o077;
/// More than any entry needs.
const LONGEST: u64 = 256 * 1024;

/// Entries of one installation in one directory.
#[derive(Debug, Clone)]
pub struct FileSpool {
    dir: PathBuf,
    install: String,
}

impl FileSpool {
    /// `install` is what makes this installation's entries its own.
    pub fn new(dir: PathBuf, install: String) -> Self {
        Self { dir, install }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.{ENDING}"))
    }

    /// Makes the directory, or refuses one that others can get at.
    fn open_dir(&self) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        self.expect_private()
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
        let half = self.dir.join(format!("{name}.{}.half", std::process::id()));
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

    fn read(&self, path: &Path) -> io::Result<Option<Kept>> {
        if fs::symlink_metadata(path)?.len() > LONGEST {
            return Ok(None);
        }
        let entry: Option<Entry> = serde_json::from_slice(&fs::read(path)?).ok();
        Ok(entry.and_then(|entry| entry.into_kept(&self.install)))
    }

    fn list(&self) -> io::Result<Vec<(String, Kept)>> {
        let found = match fs::read_dir(&self.dir) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        self.expect_private()?;
        let mut paths = Vec::new();
        for file in found {
            let path = file?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                paths.push(path);
            }
        }
        paths.sort_by_key(|path| {
            (
                fs::metadata(path).and_then(|m| m.modified()).ok(),
                path.clone(),
            )
        });
        let mut kept = Vec::new();
        for path in paths {
            let name = path.file_stem().and_then(|name| name.to_str());
            // Another process may have taken it in meanwhile.
            if let (Some(name), Ok(Some(entry))) = (name, self.read(&path)) {
                kept.push((name.to_owned(), entry));
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

/// Makes names in a directory durable.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn failed(error: io::Error) -> SpoolError {
    SpoolError(error.into())
}

impl Spool for FileSpool {
    fn keep(&self, name: &str, entry: &Kept) -> Result<(), SpoolError> {
        let text = serde_json::to_vec(&Entry::of(&self.install, entry))
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
