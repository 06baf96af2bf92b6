//! The database is held by somebody else, killed and started again, or has no connection left, in the middle of a charge,
//! a refund, a run and a look-up: what had not left does not leave, what was answered is written down, nothing moves twice.
//!
//! The stories of a held database run side by side, because each waits longer than the database does.
//! `DATABASE_FAULTS=all` takes more moments of each.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;

use paydeck::engine::Engine;
use paydeck::engine::ports::{Desk, Store as _};
use paydeck::store::{DatabaseUrl, SqlStore};

use crate::crash_points::{Bench, Operation, bench_in, settings};
use crate::database_faults::{TASKS, Task, is_whole, tell};
use crate::fleet::until_waited;
use crate::line::sqlite_connection;
use crate::support::postgres::OwnServer;
use crate::world::{Base, World, admin};

/// Longer than a writer waits for SQLite.
const HELD: Duration = Duration::from_millis(5_600);
/// Longer than anybody waits for a connection to PostgreSQL, and shorter than it lets a transaction idle.
const TAKEN: Duration = Duration::from_millis(10_600);
/// How long the provider's answer takes in the middle of which something happens.
const SLOW_MS: u64 = 900;

/// When it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    /// After so many waits.
    Waits(u32),
    /// The provider has done it and has not answered.
    Executed,
}

/// What the trouble and whoever meets it tell each other.
#[derive(Default)]
struct Signs {
    is_there: Notify,
    was_tried: Notify,
}

/// The story of one trouble: an operation, and what is in its way from a moment on for a while.
struct Story {
    bench: Bench,
    task: Task,
    moment: Moment,
    process: Arc<Engine<SqlStore>>,
}

impl Story {
    async fn new(base: Base, task: Task, moment: Moment) -> Option<Self> {
        let world = World::open(base, settings).await?;
        let bench = bench_in(world, task.operation(), 3).await;
        let process = bench.world.another_engine("troubled").await;
        Some(Self {
            bench,
            task,
            moment,
            process,
        })
    }

    /// Until whoever met it from the beginning has given up; otherwise for so long.
    async fn lasts(&self, signs: &Signs, at_least: Duration) {
        if self.moment == Moment::Before {
            signs.was_tried.notified().await;
        } else {
            tokio::time::sleep(at_least).await;
        }
    }

    /// `trouble` says when it is there, and lasts as [`Story::lasts`] says.
    async fn told(self, trouble: impl AsyncFn(&Self, &Signs)) {
        let at = format!("{:?} at {:?}", self.task, self.moment);
        let before = self.bench.moved().await;
        self.task.prepare(&self.bench).await;
        let asked = self.task.asked(&self.bench).await;
        let moved = self.bench.moved().await;
        let signs = Signs::default();
        let tries = self.task.tries(&self.bench, &self.process, asked.as_ref());
        match self.moment {
            Moment::Before => {
                let mut tries = pin!(tries);
                let later = async {
                    signs.is_there.notified().await;
                    let is_well = tries.as_mut().await;
                    signs.was_tried.notify_one();
                    is_well
                };
                let ((), is_well) = tokio::join!(trouble(&self, &signs), later);
                assert!(!is_well, "{at}: it had no database");
                assert_eq!(self.bench.moved().await, moved, "{at}: nothing had left");
            }
            Moment::Waits(waits) => {
                let mut tries = pin!(tries);
                if until_waited(tries.as_mut(), waits).await.is_none() {
                    tokio::join!(tries, trouble(&self, &signs));
                }
            }
            Moment::Executed => {
                let slow = json!({ "kind": "slow", "ms": SLOW_MS });
                let endpoint = match self.task.operation() {
                    Operation::Refund => "cancel",
                    _ => "charge",
                };
                self.bench.world.fault(endpoint, slow, 1).await;
                let later = async {
                    while self.bench.moved().await == moved {}
                    trouble(&self, &signs).await;
                };
                let (is_well, ()) = tokio::join!(tries, later);
                assert!(is_well, "{at}: the answer was there all the time");
            }
        }
        let is_struck = self.moment != Moment::Executed;
        self.task.settles(&self.bench, before, is_struck, &at).await;
        self.bench.check(self.task.operation(), &at).await;
        self.bench.world.audit_is_intact().await;
    }
}

/// Side by side, each woken for itself: a wait of one is no wait of another. Gives how many there were.
async fn side_by_side(stories: Vec<impl Future<Output = ()> + 'static>) -> usize {
    let count = stories.len();
    let beside = tokio::task::LocalSet::new();
    let told: Vec<_> = stories
        .into_iter()
        .map(|story| beside.spawn_local(story))
        .collect();
    beside
        .run_until(async {
            for one in told {
                one.await.expect("a story that ends well");
            }
        })
        .await;
    count
}

fn moments(task: Task) -> Vec<Moment> {
    let waits = if is_whole() { 24 } else { 3 };
    let mut moments = vec![Moment::Before];
    moments.extend((1..=waits).map(|nth| Moment::Waits(nth * 72 / waits)));
    if task != Task::Settle {
        moments.push(Moment::Executed);
    }
    moments
}

/// Another program has SQLite's write lock for longer than anybody waits for it.
#[tokio::test]
async fn a_second_writer_that_holds_sqlite_too_long_never_makes_it_charge_twice() {
    let mut stories = Vec::new();
    for task in TASKS {
        for moment in moments(task) {
            let story = Story::new(Base::Sqlite, task, moment)
                .await
                .expect("SQLite");
            stories.push(story.told(async |story, signs| {
                let DatabaseUrl::Sqlite(path) = &story.bench.world.url else {
                    return;
                };
                let mut second = sqlite_connection(path).await;
                let begin = sqlx::query("begin immediate");
                begin.execute(&mut second).await.expect("its turn comes");
                signs.is_there.notify_one();
                story.lasts(signs, HELD).await;
                let rollback = sqlx::query("rollback");
                rollback.execute(&mut second).await.expect("let go");
            }));
        }
    }
    let count = side_by_side(stories).await;
    tell(&format!("moments at which SQLite was held: {count}"));
}

/// Every connection that this process may have is in use, for longer than anybody waits for one.
#[tokio::test]
async fn a_postgres_without_a_connection_left_never_makes_it_charge_twice() {
    let mut stories = Vec::new();
    for task in TASKS {
        for moment in [Moment::Before, Moment::Executed] {
            if (task, moment) == (Task::Settle, Moment::Executed) {
                continue;
            }
            let Some(story) = Story::new(Base::Postgres, task, moment).await else {
                return;
            };
            stories.push(story.told(async |story, signs| {
                let mut desks = [const { Desk::new() }; 4];
                let mut taken = Vec::new();
                for desk in &mut desks {
                    taken.push(story.process.store().begin(desk).await.expect("one"));
                }
                signs.is_there.notify_one();
                story.lasts(signs, TAKEN).await;
            }));
        }
    }
    let count = side_by_side(stories).await;
    tell(&format!("moments without a connection: {count}"));
}

/// All of PostgreSQL's processes are killed, and it starts again from what it had written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_and_started_again_never_charges_twice() {
    let Some(server) = OwnServer::start().map(Arc::new) else {
        return;
    };
    let count = if is_whole() { 40 } else { 4 };
    let mut restarts = 0;
    for (number, task) in TASKS.into_iter().enumerate() {
        let address = server.database(&format!("world_{number}")).await;
        let world = World::in_database(&address, settings).await;
        let bench = bench_in(world, task.operation(), count + 2).await;
        for nth in 0..count {
            let waits = u32::try_from(nth * 80 / count + number).expect("small");
            let at = format!("{task:?}, restarted after {waits} waits");
            let before = bench.moved().await;
            task.prepare(&bench).await;
            let process = bench.world.another_engine(&format!("killed-{nth}")).await;
            let asked = task.asked(&bench).await;
            let mut tries = pin!(task.tries(&bench, &process, asked.as_ref()));
            if until_waited(tries.as_mut(), waits).await.is_none() {
                let server = Arc::clone(&server);
                let restart = tokio::task::spawn_blocking(move || server.restarts());
                let (_, restarted) = tokio::join!(tries, restart);
                restarted.expect("restarted");
                restarts += 1;
            }
            // Connections of before are found broken, each once, and replaced.
            bench.world.hang_up().await;
            let mut answers = 0;
            for _ in 0..12 {
                answers += u32::from(bench.world.engine.reconcile_once(&admin()).await.is_ok());
            }
            assert!(answers >= 4, "{at}: it finds its database again");
            task.settles(&bench, before, true, &at).await;
        }
        bench.check(task.operation(), &format!("{task:?}")).await;
        bench.world.audit_is_intact().await;
    }
    tell(&format!("restarts of PostgreSQL in the middle: {restarts}"));
    assert!(restarts >= 12, "{restarts}");
}
