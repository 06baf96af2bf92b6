//! `DIR/sandbox.lock`: one simulator per directory, and where it can be reached.
//!
//! The lock is the operating system's, so a simulator that died, however, holds nothing; the file's text only informs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SandboxError;

const FILE_NAME: &str = "sandbox.lock";

#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    base_url: String,
}

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock, or says who holds it.
    pub(super) async fn take(dir: &Path) -> Result<Self, SandboxError> {
        let path = dir.join(FILE_NAME);
        let failed = |source| SandboxError::Files {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        // Whoever only asks for the address holds the lock for an instant.
        for _ in 0..20 {
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0).map_err(failed)?;
                    return Ok(Self { file, path });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) => {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let holder = serde_json::from_str::<Holder>(&text).map_or_else(
            |_| "still starting".to_owned(),
            |holder| format!("process {}, {}", holder.pid, holder.base_url),
        );
        Err(SandboxError::AlreadyRunning {
            dir: dir.to_owned(),
            holder,
        })
    }

    /// Writes down where this process listens.
    pub(super) fn announce(&mut self, base_url: &str) -> Result<(), SandboxError> {
        let failed = |source| SandboxError::Files {
            path: self.path.clone(),
            source,
        };
        let holder = Holder {
            pid: std::process::id(),
            base_url: base_url.to_owned(),
        };
        let text = serde_json::to_vec(&holder).unwrap_or_default();
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.file.write_all(&text).map_err(failed)?;
        self.file
            .set_len(u64::try_from(text.len()).unwrap_or(0))
            .map_err(failed)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What a stopped simulator leaves behind says nothing; the lock itself goes with the file handle.
        drop(self.file.set_len(0));
    }
}

/// Base URL of the simulator that runs on this directory.
pub fn resolve(dir: &Path) -> Result<String, SandboxError> {
    let path = dir.join(FILE_NAME);
    let not_running = || SandboxError::NotRunning {
        dir: dir.to_owned(),
    };
    let failed = |source| SandboxError::Files {
        path: path.clone(),
        source,
    };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(not_running()),
        Err(source) => return Err(failed(source)),
    };
    match file.try_lock_shared() {
        Ok(()) => return Err(not_running()),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    serde_json::from_str::<Holder>(&text)
        .map(|holder| holder.base_url)
        .map_err(|_| SandboxError::Starting {
            dir: dir.to_owned(),
        })
}
