//! A PostgreSQL database of a test's own, on a private server that all test processes share.
//!
//! The first process that asks starts the server (`watch_postgres.sh`); later ones, of this run or of
//! another, find it through a state file in the build's temporary directory. Each process keeps
//! touching the lease file; a server whose lease has gone stale removes itself, so nothing is
//! orphaned even when every test process was killed.
//!
//! `PAYDECK_TEST_POSTGRES_URL` names a server to use instead. Without either, [`database`] answers
//! `None` and says so past the test harness's capture; `PAYDECK_REQUIRE_POSTGRES=1` makes that a failure.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use ulid::Ulid;

const WATCHER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/support/watch_postgres.sh"
);
const SHARED: &str = env!("CARGO_TARGET_TMPDIR");
/// Well below the minute after which the watcher takes a lease for abandoned.
const LEASE_TOUCHED_EVERY: Duration = Duration::from_secs(10);

/// An empty database in UTF-8 under the locale C.UTF-8; it is dropped with this value.
pub struct TestDb {
    pub url: String,
    name: String,
}

/// A fresh database, or `None` when there is no server to be had and none is required.
///
/// It may be called from a plain test and from inside an asynchronous one.
pub fn database() -> Option<TestDb> {
    let Some(server) = server() else {
        leave_out();
        return None;
    };
    let name = format!(
        "paydeck_test_{}",
        Ulid::generate().to_string().to_lowercase()
    );
    run_apart(
        server,
        &format!("create database {name} template template0"),
    )
    .expect("create a test database");
    Some(TestDb {
        url: with_database(server, &name),
        name,
    })
}

/// The same, as a copy of a database that `make` fills once on each server: every later copy takes no work but the
/// server's. The name says what is in it; databases of the same name are the same.
pub async fn database_like(model: &str, make: impl AsyncFnOnce(String)) -> Option<TestDb> {
    let Some(server) = server() else {
        leave_out();
        return None;
    };
    let lock = File::create(Path::new(SHARED).join("postgres_model.lock")).expect("a lock file");
    lock.lock().expect("lock against other test processes");
    let fails_without_it = format!("alter database {model} connection limit -1");
    if execute(server, &fails_without_it).await.is_err() {
        let half = format!("{model}_half");
        for statement in [
            format!("drop database if exists {half} with (force)"),
            format!("create database {half} template template0"),
        ] {
            execute(server, &statement).await.expect("begin a model");
        }
        make(with_database(server, &half)).await;
        execute(server, &format!("alter database {half} rename to {model}"))
            .await
            .expect("keep a model");
    }
    drop(lock);
    Some(copy(server, model).await)
}

async fn copy(server: &str, of: &str) -> TestDb {
    let name = format!(
        "paydeck_test_{}",
        Ulid::generate().to_string().to_lowercase()
    );
    execute(server, &format!("create database {name} template {of}"))
        .await
        .expect("copy a database");
    TestDb {
        url: with_database(server, &name),
        name,
    }
}

impl TestDb {
    /// Another database with what this one holds now. Nobody may be connected to this one meanwhile.
    pub async fn snapshot(&self) -> TestDb {
        copy(server().expect("the server of this one"), &self.name).await
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Some(server) = server() else { return };
        let statement = format!("drop database if exists {} with (force)", self.name);
        if let Err(error) = run_apart(server, &statement) {
            say(&format!(
                "test database {} stays behind: {error}",
                self.name
            ));
        }
    }
}

/// A server of one test's own, which may be killed. What it has confirmed it keeps over that.
pub struct OwnServer {
    bin: PathBuf,
    directory: PathBuf,
}

impl OwnServer {
    /// None where there are no programs to start one with, and none is required.
    pub fn start() -> Option<Self> {
        let Some(bin) = installed_binaries() else {
            leave_out();
            return None;
        };
        fs::create_dir_all(SHARED).expect("make the build's temporary directory");
        let directory = start_server(&bin, &Path::new(SHARED).join("postgres.own"));
        keep_lease(directory.join("lease"));
        Some(Self { bin, directory })
    }

    /// An empty database; it ends with the server.
    pub async fn database(&self, name: &str) -> String {
        let server = url_of(&self.directory);
        for statement in [
            format!("create database {name} template template0"),
            // The shared server forgets the last commits when it is killed; this one must not.
            format!("alter database {name} set synchronous_commit = on"),
        ] {
            execute(&server, &statement)
                .await
                .expect("create a database");
        }
        with_database(&server, name)
    }

    /// Every process of it is killed, and it comes back.
    pub fn restarts(&self) {
        let marker = self.directory.join("restarting");
        File::create(&marker).expect("tell the watcher");
        let control = self.bin.join("pg_ctl");
        // The server refuses to run as root.
        let mut command = if rustix::process::getuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(control);
            command
        } else {
            Command::new(control)
        };
        let restarted = command
            .args(["restart", "--mode=immediate", "--wait", "--pgdata"])
            .arg(self.directory.join("data"))
            .arg("--log")
            .arg(self.directory.join("data/server.log"))
            .current_dir(&self.directory)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(restarted.expect("run pg_ctl").success(), "it stays away");
        fs::remove_file(marker).expect("tell the watcher");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // The watcher sees that nobody needs it.
        let _gone = fs::remove_file(self.directory.join("lease"));
    }
}

/// The maintenance database's URL, found or started once per process.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    SERVER
        .get_or_init(|| match std::env::var("PAYDECK_TEST_POSTGRES_URL") {
            Ok(url) if !url.is_empty() => Some(url),
            _ => installed_binaries().map(|bin| share_server(&bin)),
        })
        .as_deref()
}

fn leave_out() {
    let required = std::env::var("PAYDECK_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(
        !required,
        "PAYDECK_REQUIRE_POSTGRES=1, and no PostgreSQL server is installed; install one or set PAYDECK_TEST_POSTGRES_URL"
    );
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    say(&format!(
        "LEFT OUT: {test} did not run on PostgreSQL (no server installed, PAYDECK_TEST_POSTGRES_URL not set)"
    ));
}

/// The harness captures `eprintln!` of tests that pass, and this must be seen.
fn say(line: &str) {
    let _unseen_is_no_failure = writeln!(std::io::stderr(), "{line}");
}

fn installed_binaries() -> Option<PathBuf> {
    let mut candidates: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    candidates.sort();
    let newest_first = candidates.into_iter().rev().map(|(_, bin)| bin);

    let named_by_pg_config = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();

    newest_first
        .chain(named_by_pg_config)
        .chain(on_path)
        .find(|bin| {
            ["initdb", "pg_ctl", "postgres"]
                .iter()
                .all(|tool| bin.join(tool).is_file())
        })
}

/// Joins the server that another process left a state file of, or starts one.
fn share_server(bin: &Path) -> String {
    fs::create_dir_all(SHARED).expect("make the build's temporary directory");
    let shared = Path::new(SHARED);
    let lock = File::create(shared.join("postgres.lock")).expect("create the lock file");
    lock.lock().expect("lock against other test processes");

    let state = shared.join("postgres.state");
    if let Some(url) = join_server(&state) {
        return url;
    }
    let directory = start_server(bin, &state);
    keep_lease(directory.join("lease"));
    fs::write(&state, directory.as_os_str().as_encoded_bytes()).expect("write the state file");
    url_of(&directory)
}

fn join_server(state: &Path) -> Option<String> {
    let directory = PathBuf::from(fs::read_to_string(state).ok()?);
    let lease = directory.join("lease");
    // The lease first: from here on the watcher does not give up.
    touch(&lease).ok()?;
    let url = url_of(&directory);
    run_apart(&url, "select 1").ok()?;
    keep_lease(lease);
    Some(url)
}

#[expect(
    clippy::zombie_processes,
    reason = "the watcher outlives this process on purpose"
)]
fn start_server(bin: &Path, state: &Path) -> PathBuf {
    // Under the system's temporary directory, because a socket's path must be short and the user
    // that runs the server must be able to reach it.
    let directory = tempfile::Builder::new()
        .prefix("paydeck-pg-")
        .tempdir()
        .expect("make the server's directory")
        .keep();
    File::create(directory.join("lease")).expect("create the lease file");

    let mut watcher = Command::new("sh")
        .args([
            OsStr::new(WATCHER),
            bin.as_os_str(),
            directory.as_os_str(),
            state.as_os_str(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("start the server's watcher");
    let mut said = String::new();
    watcher
        .stdout
        .take()
        .expect("the watcher's output is a pipe")
        .read_to_string(&mut said)
        .expect("read what the watcher says");
    assert!(said.trim() == "ready", "PostgreSQL did not start:\n{said}");
    directory
}

fn url_of(directory: &Path) -> String {
    format!(
        "postgres://postgres@localhost/postgres?host={}",
        directory.display()
    )
}

/// Lasts as long as the process does: that is what the lease means.
fn keep_lease(lease: PathBuf) {
    std::thread::spawn(move || {
        while touch(&lease).is_ok() {
            std::thread::sleep(LEASE_TOUCHED_EVERY);
        }
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "the watcher compares the file's time with the system's"
)]
fn touch(lease: &Path) -> std::io::Result<()> {
    File::options()
        .write(true)
        .open(lease)?
        .set_modified(SystemTime::now())
}

/// Replaces the database in a URL; parameters stay.
fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = match url.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..]
        .find('/')
        .map_or(address.len(), |at| authority + at);
    format!("{}/{name}{parameters}", &address[..end])
}

/// Executes one statement on a thread and a connection of its own, so that callers may be
/// synchronous, inside a runtime, or being dropped.
fn run_apart(url: &str, statement: &str) -> Result<(), sqlx::Error> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(sqlx::Error::Io)?
                .block_on(execute(url, statement))
        });
        worker
            .join()
            .unwrap_or_else(|_| panic!("the thread for {statement:?} panicked"))
    })
}

async fn execute(url: &str, statement: &str) -> Result<(), sqlx::Error> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    let mut connection: PgConnection = options.disable_statement_logging().connect().await?;
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await?;
    connection.close().await
}
