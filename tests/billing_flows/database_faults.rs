//! The database fails at any statement: money moves once or not at all, the books say which, and nothing stays open.
//!
//! PostgreSQL: the wire is cut at every message, before it arrives or before it is answered. SQLite: every page written is
//! the last that fits, by a limit of the system on the length of files (an I/O error) or by a disk that is full; the
//! operation goes on when there is room again. Of the messages that arrive and are not answered it takes every fourth, of the
//! pages every second, of those of a full disk every sixth, unless `DATABASE_FAULTS=all`.

use std::ffi::OsStr;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use sqlx::Connection as _;
use tempfile::TempDir;

use paydeck::engine::{Engine, Request};
use paydeck::store::{DatabaseUrl, SqlStore};

use crate::crash_points::{Bench, Operation, bench};
use crate::support::pg_proxy::{Cut, Proxy};
use crate::world::{Base, admin};

/// No operation says more.
const MOST_MESSAGES: usize = 400;
const MOST_PAGES: u64 = 400;
/// What one more page takes of the write-ahead log.
const FRAME: u64 = 4_096 + 24;
/// Says to this test's own child that it may be limited.
const LIMITED: &str = "PAYDECK_TEST_LIMITED";
/// Names the file that holds the limit, where there is no space left beyond it.
const FULL: &str = "PAYDECK_TEST_FULL";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Do(Operation),
    /// A charge whose answer was lost is looked up.
    Settle,
}

pub const TASKS: [Task; 4] = [
    Task::Do(Operation::Charge),
    Task::Do(Operation::Refund),
    Task::Do(Operation::RunRow),
    Task::Settle,
];

impl Task {
    pub const fn operation(self) -> Operation {
        match self {
            Self::Do(operation) => operation,
            Self::Settle => Operation::Charge,
        }
    }

    pub async fn prepare(self, bench: &Bench) {
        if self.operation() == Operation::RunRow {
            bench.one_is_due().await;
        }
        if self == Self::Settle {
            let w = &bench.world;
            w.fault("charge", json!("lost_after_commit"), 1).await;
            let charge = bench.asked(Operation::Charge).await;
            bench.tries(&w.engine, charge.as_ref()).await;
            assert_eq!(w.open_attempts().await, 1);
            w.expire_leases().await;
        }
    }

    pub async fn asked(self, bench: &Bench) -> Option<Request> {
        match self {
            Self::Do(operation) => bench.asked(operation).await,
            Self::Settle => None,
        }
    }

    pub async fn tries(
        self,
        bench: &Bench,
        process: &Engine<SqlStore>,
        asked: Option<&Request>,
    ) -> bool {
        match self {
            Self::Do(_) => bench.tries(process, asked).await,
            Self::Settle => {
                let looked = process.reconcile_once(&admin()).await;
                looked.is_ok_and(|looked| looked.settled == 1)
            }
        }
    }

    /// After a fault: everything is settled, and at most one charge or cancel was executed.
    pub async fn settles(self, bench: &Bench, moved_before: i64, was_struck: bool, at: &str) {
        let w = &bench.world;
        w.settle_everything().await;
        if self.operation() == Operation::RunRow {
            // What was not claimed is still due.
            w.run().await;
            w.settle_everything().await;
        }
        let moved = bench.moved().await - moved_before;
        let is_sure = !was_struck
            || self != Self::Do(self.operation())
            || self.operation() == Operation::RunRow;
        let least = i64::from(is_sure);
        assert!((least..=1).contains(&moved), "{at}: executed {moved} times");
    }
}

pub fn is_whole() -> bool {
    std::env::var("DATABASE_FAULTS").is_ok_and(|word| word == "all")
}

pub fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("a line");
}

#[tokio::test]
async fn a_postgres_that_goes_away_at_any_message_never_charges_twice() {
    let mut points = 0;
    for task in TASKS {
        let Some(bench) = bench(Base::Postgres, task.operation()).await else {
            return;
        };
        let proxy = Proxy::before(&bench.world.address()).await;
        let process = bench.world.engine_at(&proxy.url, "behind the wire").await;
        for cut in [Cut::Before, Cut::After] {
            let step = if cut == Cut::After && !is_whole() {
                4
            } else {
                1
            };
            for nth in (0..MOST_MESSAGES).step_by(step) {
                let at = format!("{task:?}, {cut:?} message {nth}");
                let before = bench.moved().await;
                task.prepare(&bench).await;
                let asked = task.asked(&bench).await;
                let cuts = proxy.cuts();
                proxy.cut_at_any(cut, nth);
                task.tries(&bench, &process, asked.as_ref()).await;
                let was_cut = proxy.cuts() > cuts;
                proxy.mend();
                task.settles(&bench, before, was_cut, &at).await;
                if !was_cut {
                    break;
                }
                points += 1;
            }
        }
        bench.check(task.operation(), &format!("{task:?}")).await;
        bench.world.audit_is_intact().await;
    }
    tell(&format!("messages at which PostgreSQL went away: {points}"));
    assert!(points >= 200, "{points}");
}

/// No file may grow beyond this.
fn limit_files(to: Option<u64>) {
    if let Some(control) = std::env::var_os(FULL) {
        let limit = to.map_or(-1, |to| i64::try_from(to).expect("small"));
        std::fs::write(control, limit.to_ne_bytes()).expect("a limit");
        return;
    }
    let now = getrlimit(Resource::Fsize);
    let limit = Rlimit {
        current: to,
        maximum: now.maximum,
    };
    setrlimit(Resource::Fsize, limit).expect("a limit");
}

fn length_of_log(bench: &Bench) -> u64 {
    let DatabaseUrl::Sqlite(path) = &bench.world.url else {
        return 0;
    };
    let log = format!("{}-wal", path.display());
    std::fs::metadata(log).map_or(0, |found| found.len())
}

/// This test's own child, in which files may be limited. What such a limit sends is ignored by a child of a shell that
/// ignores it; this process would die of it.
fn limited_child(environment: &[(&str, &OsStr)]) {
    let ended = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "database_faults::a_child_that_may_be_limited",
            "--nocapture",
        ])
        .env(LIMITED, "1")
        .envs(environment.iter().copied())
        // By pipes: a file that it wrote to would be limited too.
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    tell(said.trim_end());
}

#[test]
fn a_sqlite_that_cannot_write_at_any_page_never_charges_twice() {
    limited_child(&[]);
}

/// The system says that there is no space left, to every write that would make a file longer: by a few lines of C that are
/// loaded before the system's library.
#[cfg(target_os = "linux")]
#[test]
fn a_sqlite_whose_disk_is_full_at_any_page_never_charges_twice() {
    let place = TempDir::with_prefix("paydeck-full-").expect("a directory");
    let library = place.path().join("full_disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/full_disk.c");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .args([source, "-ldl"])
        .status();
    assert!(made.expect("the compiler that SQLite needs too").success());
    let control = place.path().join("limit");
    std::fs::write(&control, (-1_i64).to_ne_bytes()).expect("a limit");
    limited_child(&[
        ("LD_PRELOAD", library.as_os_str()),
        (FULL, control.as_os_str()),
    ]);
}

/// What SQLite calls it.
async fn is_said_to_be_full() {
    const CODE: &str = "13";
    let place = TempDir::with_prefix("paydeck-full-").expect("a directory");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(place.path().join("any.db"))
        .create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options)
        .await
        .expect("a connection");
    limit_files(Some(0));
    let refused = sqlx::query("create table any (one integer)")
        .execute(&mut connection)
        .await;
    limit_files(None);
    let Err(sqlx::Error::Database(said)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(said.code().as_deref(), Some(CODE), "{said}");
}

#[tokio::test]
async fn a_child_that_may_be_limited() {
    if std::env::var_os(LIMITED).is_none() {
        return;
    }
    let is_full = std::env::var_os(FULL).is_some();
    if is_full {
        is_said_to_be_full().await;
    }
    let step = match (is_whole(), is_full) {
        (true, _) => 1,
        (false, false) => 2,
        (false, true) => 6,
    };
    let mut points = 0;
    for task in TASKS {
        let bench = bench(Base::Sqlite, task.operation()).await.expect("SQLite");
        let process = bench.world.another_engine("limited").await;
        for pages in (0..MOST_PAGES).step_by(step) {
            let at = format!("{task:?}, {pages} pages fit");
            let before = bench.moved().await;
            task.prepare(&bench).await;
            let asked = task.asked(&bench).await;
            // An empty log: each page that is written makes it longer.
            bench.world.change("pragma wal_checkpoint(truncate)").await;
            limit_files(Some(pages * FRAME));
            let is_well = {
                let tries = task.tries(&bench, &process, asked.as_ref());
                tokio::pin!(tries);
                // What cannot be written is tried again: then there is room.
                loop {
                    let soon = tokio::time::timeout(Duration::from_millis(30), &mut tries);
                    if let Ok(is_well) = soon.await {
                        break is_well;
                    }
                    if length_of_log(&bench) + FRAME > pages * FRAME {
                        limit_files(None);
                        tries.await;
                        break false;
                    }
                }
            };
            limit_files(None);
            task.settles(&bench, before, !is_well, &at).await;
            if is_well {
                break;
            }
            points += 1;
        }
        bench.check(task.operation(), &format!("{task:?}")).await;
        bench.world.audit_is_intact().await;
    }
    let what = if is_full { "a full disk" } else { "a limit" };
    tell(&format!(
        "pages that SQLite could not write for {what}: {points}"
    ));
    assert!(points * step >= 80, "{points}");
}
