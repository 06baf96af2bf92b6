//! The database in memory is a database: random transactions give the same results and the same
//! refusals on it, on SQLite and on PostgreSQL.
//!
//! `SCRIPTS=100000 cargo test --test conformance` runs more of them.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod approvals;
#[path = "../memory/mod.rs"]
mod memory;
mod mirrors;
mod script;
#[path = "../support/mod.rs"]
mod support;
mod verbs;
mod world;

use chrono::{DateTime, Utc};
use chrono_tz::Asia::Seoul;

use paydeck::domain::mode::Mode;
use paydeck::engine::ports::{Desk, Store, Tx};
use paydeck::store::{self, DatabaseUrl, NewDatabase, OpenOptions, SqlStore};

use memory::db::{Personality, Tables};
use memory::flaw::{Flaw, Flaws};
use memory::stage::{Chance, Stage};
use memory::store::{MemStore, Shared};
use script::{End, Op, Script, Told};
use world::World;

/// Scripts that share a database: rows of earlier ones are in the way of later ones.
const SCRIPTS_PER_DATABASE: usize = 100;

fn base() -> DateTime<Utc> {
    "2026-03-10T00:00:00Z".parse().expect("an instant")
}

fn scripts() -> usize {
    std::env::var("SCRIPTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2_000)
}

async fn sql_store(address: &str) -> SqlStore {
    let url = DatabaseUrl::parse(address).expect("an address");
    let new = NewDatabase {
        mode: Mode::Sim,
        zone: Seoul,
        key_id: "k1",
        install_id: "ABCDEFGH",
        install_secret: "not a secret",
        at: base(),
    };
    store::create(&url, &new).await.expect("a database");
    // One connection: the next transaction begins when the one before has let go of its rows, also
    // where it was dropped.
    let options = OpenOptions {
        connections: 1,
        ..OpenOptions::read_write("tester", "test-1")
    };
    SqlStore::open(&url, options)
        .await
        .expect("open the database")
}

/// Plays one transaction. What each statement told comes back, and the world if it was committed.
async fn play<S: Store>(store: &S, ops: &[Op], end: End, world: &mut World) -> Vec<Told>
where
    for<'d> S::Tx<'d>: script::Refusing,
{
    let mut desk = Desk::new();
    let mut tx = store.begin(&mut desk).await.expect("begin");
    world.is_batched = false;
    let before = world.clone();
    let mut told = Vec::with_capacity(ops.len() + 1);
    for op in ops {
        told.push(verbs::perform(&mut tx, op, world).await);
    }
    let is_kept = match end {
        End::Drop => false,
        End::Commit => {
            let committed = tx.commit().await;
            let is_kept = committed.is_ok();
            told.push(Told::from(committed.map(|()| String::from("committed"))));
            is_kept
        }
    };
    if !is_kept {
        *world = before;
    }
    told
}

/// Plays one database full of scripts on both; says where they differ.
async fn compare(
    database: &SqlStore,
    seed: u64,
    personality: Personality,
    flaws: Flaws,
) -> Result<(), String> {
    let shared = Shared::new(Stage::calm(base()), personality, Tables::default());
    shared.db().flaws = flaws;
    let memory = MemStore::new(&shared, 1);
    let (mut ours, mut theirs) = (World::default(), World::default());
    let mut chance = Chance::new(seed);
    let mut trace = Vec::new();
    let setup = script::setup();
    for number in 0..=SCRIPTS_PER_DATABASE {
        let script = if number == 0 {
            setup.clone()
        } else {
            Script::random(&mut chance, seed, number)
        };
        for (ops, end) in &script.transactions {
            let mut here = play(&memory, ops, *end, &mut ours).await;
            if let Some(Told::Refused(rules)) = here.last_mut() {
                rules.clone_from(&shared.db().last_refused);
            }
            let there = play(database, ops, *end, &mut theirs).await;
            for (at, (a, b)) in here.iter().zip(&there).enumerate() {
                trace.push(format!("{:?}\n    {b}", ops.get(at)));
                if !a.agrees_with(b) {
                    let before = trace[trace.len().saturating_sub(12)..].join("\n");
                    return Err(format!(
                        "seed {seed}, script {number}: they differ\n{before}\nmemory   {a}\ndatabase {b}"
                    ));
                }
            }
            assert_eq!(ours.sizes(), theirs.sizes());
        }
    }
    Ok(())
}

async fn on_sqlite(seed: usize, flaws: Flaws) -> Result<(), String> {
    let file = support::sqlite::file();
    let store = sql_store(&format!("sqlite:{}", file.path().display())).await;
    let seed = u64::try_from(seed).expect("a seed");
    let outcome = compare(&store, seed, Personality::Serial, flaws).await;
    store.close().await;
    outcome
}

#[tokio::test]
async fn memory_and_sqlite_give_the_same_results_and_refusals() {
    for batch in 0..scripts().div_ceil(SCRIPTS_PER_DATABASE) {
        let outcome = on_sqlite(batch, Flaws::default()).await;
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

#[tokio::test]
async fn memory_and_postgresql_give_the_same_results_and_refusals() {
    for batch in 0..scripts().div_ceil(SCRIPTS_PER_DATABASE) {
        let Some(database) = support::postgres::database() else {
            return;
        };
        let store = sql_store(&database.url).await;
        let seed = u64::try_from(batch).expect("a seed");
        let outcome = compare(&store, seed, Personality::ReadCommitted, Flaws::default()).await;
        store.close().await;
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

/// A comparison that would not see a missing rule would prove nothing.
#[tokio::test]
async fn a_rule_that_is_left_out_is_noticed() {
    for flaw in [
        Flaw::OpenChargeIndex,
        Flaw::OpenRefundIndex,
        Flaw::AttemptNames,
        Flaw::Balance,
        Flaw::Fence,
        Flaw::Versions,
        Flaw::SettledState,
        Flaw::InvoicePeriod,
        Flaw::Leases,
        Flaw::Epochs,
        Flaw::Reservation,
        Flaw::RefundTwice,
        Flaw::DropCommits,
    ] {
        let mut noticed = false;
        for seed in 0..12 {
            noticed |= on_sqlite(seed, Flaws::default().with(flaw)).await.is_err();
            if noticed {
                break;
            }
        }
        assert!(noticed, "{flaw:?} makes no difference");
    }
}
