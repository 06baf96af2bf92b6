//! The database fails at any statement: money moves once or not at all, the books say which, and nothing stays open.
//!
//! PostgreSQL: the wire is cut at every message, before it arrives or before it is answered. SQLite: every page written is
//! the last that fits, by a limit of the system on the length of files; the operation goes on when there is room again.
//! Of the messages that arrive and are not answered it takes every fourth, of the pages every second, unless
//! `DATABASE_FAULTS=all`.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use paydeck::engine::Engine;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Do(Operation),
    /// A charge whose answer was lost is looked up.
    Settle,
}

const TASKS: [Task; 4] = [
    Task::Do(Operation::Charge),
    Task::Do(Operation::Refund),
    Task::Do(Operation::RunRow),
    Task::Settle,
];

impl Task {
    const fn operation(self) -> Operation {
        match self {
            Self::Do(operation) => operation,
            Self::Settle => Operation::Charge,
        }
    }

    async fn prepare(self, bench: &Bench) {
        if self.operation() == Operation::RunRow {
            bench.one_is_due().await;
        }
        if self == Self::Settle {
            let w = &bench.world;
            w.fault("charge", json!("lost_after_commit"), 1).await;
            bench.tries(&w.engine, Operation::Charge).await;
            assert_eq!(w.open_attempts().await, 1);
            w.expire_leases().await;
        }
    }

    async fn tries(self, bench: &Bench, process: &Engine<SqlStore>) -> bool {
        match self {
            Self::Do(operation) => bench.tries(process, operation).await,
            Self::Settle => {
                let looked = process.reconcile_once(&admin()).await;
                looked.is_ok_and(|looked| looked.settled == 1)
            }
        }
    }

    /// After a fault: everything is settled, and at most one charge or cancel was executed.
    async fn settles(self, bench: &Bench, moved_before: i64, was_struck: bool, at: &str) {
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

fn is_whole() -> bool {
    std::env::var("DATABASE_FAULTS").is_ok_and(|word| word == "all")
}

fn tell(line: &str) {
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
                let cuts = proxy.cuts();
                proxy.cut_at_any(cut, nth);
                task.tries(&bench, &process).await;
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

/// What the limit sends is ignored by a child of a shell that ignores it; this process would die of it.
#[test]
fn a_sqlite_that_cannot_write_at_any_page_never_charges_twice() {
    let ended = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "database_faults::a_child_that_may_be_limited",
            "--nocapture",
        ])
        .env(LIMITED, "1")
        // By pipes: a file that it wrote to would be limited too.
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    tell(said.trim_end());
}

#[tokio::test]
async fn a_child_that_may_be_limited() {
    if std::env::var_os(LIMITED).is_none() {
        return;
    }
    let mut points = 0;
    for task in TASKS {
        let bench = bench(Base::Sqlite, task.operation()).await.expect("SQLite");
        let process = bench.world.another_engine("limited").await;
        let step = if is_whole() { 1 } else { 2 };
        for pages in (0..MOST_PAGES).step_by(step) {
            let at = format!("{task:?}, {pages} pages fit");
            let before = bench.moved().await;
            task.prepare(&bench).await;
            // An empty log: each page that is written makes it longer.
            bench.world.change("pragma wal_checkpoint(truncate)").await;
            limit_files(Some(pages * FRAME));
            let is_well = {
                let tries = task.tries(&bench, &process);
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
    tell(&format!("pages that SQLite could not write: {points}"));
    assert!(points >= 40, "{points}");
}
