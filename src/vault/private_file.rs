//! Reading a file that nobody else may read or replace.
//!
//! What is checked is the opened file itself, not its name, so that it cannot be exchanged in between.
//! Every refusal names the command that mends it. Nothing is ever changed here.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// More than any key or configuration needs.
const LONGEST: u64 = 256 * 1024;
const ACCESS_OF_OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const ROOT: u32 = 0;

/// Why a file is not taken. All of these are for a person to mend; trying again changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    #[error("{}: no such file", path.display())]
    Missing { path: PathBuf },
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: is a symbolic link; name the file itself", path.display())]
    Symlink { path: PathBuf },
    #[error("{}: is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{}: mode {mode:04o} lets others at it; run: chmod 600 {}", path.display(), shell(path))]
    OpenToOthers { path: PathBuf, mode: u32 },
    #[error("{}: belongs to uid {owner}, not to uid {me} or root; run: chown {me} {}", path.display(), shell(path))]
    ForeignOwner { path: PathBuf, owner: u32, me: u32 },
    #[error("{}: mode {mode:04o} lets others replace files in it; run: chmod go-w {}", path.display(), shell(path))]
    DirectoryOpenToOthers { path: PathBuf, mode: u32 },
    #[error("{}: belongs to uid {owner}, not to uid {me} or root; run: chown {me} {}", path.display(), shell(path))]
    ForeignDirectory { path: PathBuf, owner: u32, me: u32 },
    #[error("{}: is longer than {LONGEST} bytes", path.display())]
    TooLong { path: PathBuf },
    #[error("{}: is not UTF-8 text", path.display())]
    NotText { path: PathBuf },
}

/// A path as it can be pasted behind a shell's prompt.
fn shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The whole text of a private file.
pub fn read(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    let me = rustix::process::geteuid().as_raw();
    let file = open(path)?;
    let unreadable = |source| PrivateFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    judge_file(path, &Facts::of(&file.metadata().map_err(unreadable)?), me)?;

    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    judge_directory(
        directory,
        &Facts::of(&directory.metadata().map_err(unreadable)?),
        me,
    )?;

    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(PrivateFileError::TooLong {
            path: path.to_owned(),
        });
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(PrivateFileError::NotText {
            path: path.to_owned(),
        }),
    }
}

fn open(path: &Path) -> Result<File, PrivateFileError> {
    // NONBLOCK: a pipe under this name must be refused, not waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)
        .map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::NotFound => PrivateFileError::Missing { path },
                _ if path.is_symlink() => PrivateFileError::Symlink { path },
                _ => PrivateFileError::Unreadable { path, source },
            }
        })
}

struct Facts {
    is_file: bool,
    mode: u32,
    owner: u32,
}

impl Facts {
    fn of(metadata: &Metadata) -> Self {
        Self {
            is_file: metadata.is_file(),
            mode: metadata.mode() & 0o7777,
            owner: metadata.uid(),
        }
    }
}

fn judge_file(path: &Path, facts: &Facts, me: u32) -> Result<(), PrivateFileError> {
    let Facts {
        is_file,
        mode,
        owner,
    } = *facts;
    let path = path.to_owned();
    if !is_file {
        Err(PrivateFileError::NotAFile { path })
    } else if owner != me && owner != ROOT {
        Err(PrivateFileError::ForeignOwner { path, owner, me })
    } else if mode & ACCESS_OF_OTHERS != 0 {
        Err(PrivateFileError::OpenToOthers { path, mode })
    } else {
        Ok(())
    }
}

fn judge_directory(path: &Path, facts: &Facts, me: u32) -> Result<(), PrivateFileError> {
    let Facts { mode, owner, .. } = *facts;
    let path = path.to_owned();
    if owner != me && owner != ROOT {
        Err(PrivateFileError::ForeignDirectory { path, owner, me })
    } else if mode & WRITABLE_BY_OTHERS != 0 {
        Err(PrivateFileError::DirectoryOpenToOthers { path, mode })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn private_file(name: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, "content").unwrap();
        set_mode(&path, 0o600);
        (directory, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn s18_a_file_of_ones_own_is_read() {
        let (_directory, path) = private_file("key");
        assert_eq!(read(&path).unwrap().as_str(), "content");
        set_mode(&path, 0o400);
        assert_eq!(read(&path).unwrap().as_str(), "content");
    }

    #[test]
    fn s18_any_access_of_others_is_refused_with_the_command_that_mends_it() {
        let (_directory, path) = private_file("my key");
        for mode in [
            0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o644, 0o660, 0o666,
        ] {
            set_mode(&path, mode);
            let refusal = read(&path).unwrap_err().to_string();
            let mend = format!(
                "mode {mode:04o} lets others at it; run: chmod 600 '{}'",
                path.display()
            );
            assert!(refusal.ends_with(&mend), "{refusal}");
        }
    }

    #[test]
    fn s18_a_link_is_refused_even_to_a_private_file() {
        let (directory, path) = private_file("key");
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(PrivateFileError::Symlink { .. })));
    }

    #[test]
    fn s18_a_directory_that_others_may_write_is_refused() {
        let (directory, path) = private_file("key");
        for mode in [0o777, 0o770, 0o1777, 0o722] {
            set_mode(directory.path(), mode);
            let refusal = read(&path).unwrap_err();
            assert!(
                matches!(refusal, PrivateFileError::DirectoryOpenToOthers { .. }),
                "{refusal}"
            );
            assert!(
                refusal.to_string().contains("run: chmod go-w "),
                "{refusal}"
            );
        }
        set_mode(directory.path(), 0o755);
        read(&path).unwrap();
    }

    #[test]
    fn s18_a_file_or_directory_of_someone_else_is_refused_and_one_of_root_is_not() {
        let path = Path::new("key");
        let owned_by = |owner| Facts {
            is_file: true,
            mode: 0o600,
            owner,
        };
        assert!(judge_file(path, &owned_by(1001), 1001).is_ok());
        assert!(judge_file(path, &owned_by(ROOT), 1001).is_ok());
        let refusal = judge_file(path, &owned_by(1002), 1001).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "key: belongs to uid 1002, not to uid 1001 or root; run: chown 1001 key"
        );
        assert!(judge_directory(path, &owned_by(1002), 1001).is_err());
        assert!(judge_file(path, &owned_by(1001), ROOT).is_err());
    }

    #[test]
    fn what_is_no_text_file_is_refused() {
        let (directory, path) = private_file("key");
        assert!(matches!(
            read(&directory.path().join("none")),
            Err(PrivateFileError::Missing { .. })
        ));
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        assert!(matches!(
            read(&inner),
            Err(PrivateFileError::NotAFile { .. })
        ));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path), Err(PrivateFileError::NotText { .. })));
        let long = "a".repeat(usize::try_from(LONGEST).unwrap() + 1);
        fs::write(&path, long).unwrap();
        assert!(matches!(read(&path), Err(PrivateFileError::TooLong { .. })));
    }
}
