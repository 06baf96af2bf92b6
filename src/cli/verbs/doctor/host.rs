//! What the machine says: files and their modes, the log's directory, core dumps.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::cli::exit::Exit;
use crate::config::{Database, Settings};

const ACCESS_OF_OTHERS: u32 = 0o077;

/// S19: a core file would hold keys.
pub fn core_dumps() -> Finding {
    match getrlimit(Resource::Core).current {
        Some(0) => Finding::ok("core_dumps", "off"),
        _ => Finding::warn("core_dumps", "on: memory may be written to disk"),
    }
}

pub fn files(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Database::Sqlite { path } = &settings.database {
        findings.push(private("database_file", path));
    }
    findings.push(private("vault_file", &settings.vault.key_file));
    findings.push(log(&settings.log.dir));
    findings
}

fn private(name: &'static str, path: &Path) -> Finding {
    match path.metadata() {
        Ok(found) if found.mode() & ACCESS_OF_OTHERS == 0 => {
            Finding::ok(name, path.display().to_string())
        }
        Ok(found) => Finding::fail(
            name,
            Exit::Configuration,
            format!(
                "{}: mode {:04o} lets others at it; run: chmod 600",
                path.display(),
                found.mode() & 0o7777
            ),
        ),
        Err(error) => Finding::fail(
            name,
            Exit::Configuration,
            format!("{}: {error}", path.display()),
        ),
    }
}

fn log(dir: &Path) -> Finding {
    match dir.metadata() {
        Ok(found) if found.is_dir() => Finding::ok("log", dir.display().to_string()),
        Ok(_) => Finding::fail(
            "log",
            Exit::Configuration,
            format!("{} is no directory", dir.display()),
        ),
        // It is made at the first start.
        Err(_) => Finding::ok("log", format!("{} does not exist yet", dir.display())),
    }
}
