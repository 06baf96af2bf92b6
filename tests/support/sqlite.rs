//! A place for one SQLite database of a test's own; it creates no file and knows no schema.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory that is removed with this value, and the database's path in it.
pub struct SqliteFile {
    directory: TempDir,
    path: PathBuf,
}

impl SqliteFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// The file itself does not exist yet.
pub fn file() -> SqliteFile {
    let directory = TempDir::with_prefix("paydeck-test-").expect("make a temporary directory");
    let path = directory.path().join("paydeck.db");
    SqliteFile { directory, path }
}

/// Writes a new file that only its owner may open.
pub fn write_private(path: &Path, bytes: &[u8]) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.as_mut().map(|file| file.write_all(bytes));
    written.expect("make a file").expect("write it");
}
