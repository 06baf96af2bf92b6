//! A PostgreSQL server of this run's own, with the server's own durable settings, gone with this value.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use color_eyre::Result;
use color_eyre::eyre::bail;
use tempfile::TempDir;

pub struct Server {
    binaries: PathBuf,
    directory: TempDir,
}

impl Server {
    /// Starts one; none where no server is installed.
    pub fn start() -> Result<Option<Self>> {
        let Some(binaries) = binaries() else {
            return Ok(None);
        };
        let directory = TempDir::with_prefix("paydeck-bench-pg-")?;
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(directory.path()))?;
        }
        let server = Self {
            binaries,
            directory,
        };
        run(server
            .tool("initdb")
            .args([
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--auth=trust",
                "--username=postgres",
                "--pgdata",
            ])
            .arg(server.data()))?;
        let settings = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c timezone=UTC",
            server.directory.path().display()
        );
        run(server
            .tool("pg_ctl")
            .args(["start", "--wait", "--options", &settings, "--log"])
            .arg(server.directory.path().join("server.log"))
            .arg("--pgdata")
            .arg(server.data()))?;
        Ok(Some(server))
    }

    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@localhost/postgres?host={}",
            self.directory.path().display()
        )
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The server refuses to run as root.
    fn tool(&self, name: &str) -> Command {
        let path = self.binaries.join(name);
        if !is_root() {
            return Command::new(path);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.tool("pg_ctl");
        stop.args(["stop", "-m", "immediate", "--pgdata"])
            .arg(self.data());
        // One that does not stop is looked at by hand; there is nobody to tell.
        let _ = run(&mut stop);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(command: &mut Command) -> Result<()> {
    let command = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = command.stderr(Stdio::null()).status()?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

/// The newest installed version, where Debian puts it, or what the path has.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let is_whole = |bin: &Path| {
        ["initdb", "pg_ctl", "postgres"]
            .iter()
            .all(|tool| bin.join(tool).is_file())
    };
    found
        .into_iter()
        .rev()
        .map(|(_, bin)| bin)
        .chain(on_path)
        .find(|bin| is_whole(bin))
}
