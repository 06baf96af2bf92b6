//! The billing run beside a bare loop of the same calls against the same simulator, in turns.
//!
//! All three are processes of their own: the binary's `bill run`, the loop, the simulator. The time is that of the
//! whole process, start and end included.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use color_eyre::Result;
use color_eyre::eyre::OptionExt as _;
use paydeck::store::DatabaseUrl;
use reqwest::{Client, Method};
use serde_json::Value;
use tempfile::TempDir;

use crate::bare_loop::Job;
use crate::figures::{Budget, Figure, Report};
use crate::options::Options;
use crate::postgres::Server;
use crate::process::{Ended, paydeck, run};
use crate::shop::{Shop, bare_keys};
use crate::simulator::{Simulator, client};
use crate::watch::{Readings, number};

/// Provider calls in flight at once.
pub const CONCURRENCY: usize = 32;
const LATENCY: Duration = Duration::from_millis(50);
const ROUNDS: u32 = 3;
/// Cards of the bare loop: more than it ever has in flight.
const BARE_CARDS: u32 = 64;

pub fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let place = TempDir::with_prefix("paydeck-bench-")?;
    let directory = place.path().join("sqlite");
    let url = DatabaseUrl::Sqlite(directory.join("paydeck.db"));
    let on_sqlite = Base {
        name: "SQLite",
        least: 0.90,
        directory,
        url,
    };
    runtime.block_on(on_sqlite.measure(options.due, report))?;
    let Some(server) = Server::start()? else {
        return report.remark("left out: the billing run on PostgreSQL, no server is installed");
    };
    let directory = place.path().join("postgres");
    let url = DatabaseUrl::Postgres(server.url());
    let on_postgres = Base {
        name: "PostgreSQL",
        least: 0.95,
        directory,
        url,
    };
    runtime.block_on(on_postgres.measure(options.due, report))
}

struct Base {
    name: &'static str,
    /// The share of the bare loop that has to be reached.
    least: f64,
    directory: std::path::PathBuf,
    url: DatabaseUrl,
}

impl Base {
    async fn measure(&self, due: u32, report: &mut Report) -> Result<()> {
        let client = client()?;
        let simulator = Simulator::over(&self.directory.join("sandbox"))?;
        let shop = Shop::open(
            &self.directory,
            &self.url,
            &simulator,
            &client,
            (ROUNDS, due),
        )
        .await?;
        let keys = bare_keys(&self.directory, &simulator, &client, BARE_CARDS).await?;
        simulator.set_latency(&client, LATENCY).await?;
        let (mut ours, mut bare, mut memory) = <(Readings, Readings, Readings)>::default();
        let per_second = |ended: &Ended| f64::from(due) / ended.elapsed.as_secs_f64();
        let mut done = 0;
        for round in 0..ROUNDS {
            bare.push(per_second(&self.bare_loop(&simulator, &keys, due, round)?));
            simulator.set_time(&client, shop.due_at(round)).await?;
            let ended = run(paydeck(&shop.config).args(["--json", "bill", "run"]))?;
            let said: Value = serde_json::from_str(&ended.said)?;
            done += said["done"].as_u64().ok_or_eyre("no number of charges")?;
            ours.push(per_second(&ended));
            memory.push(ended.peak_mib);
        }
        bare.push(per_second(&self.bare_loop(&simulator, &keys, due, ROUNDS)?));
        let name = format!("billing run, {}", self.name);
        let figure = Figure::new(&name, "/s", ours.median()).over_value(bare.median());
        let spread = format!(
            "{done} charged; loops {}; runs {}",
            bare.list(),
            ours.list()
        );
        report.add(&figure.within(Budget::ShareOfFloor(self.least)).note(spread))?;
        report.add(&Figure::new(
            &format!("{name}: memory"),
            "MiB",
            memory.largest(),
        ))?;
        self.double_charges(&simulator, &client, due, report).await
    }

    fn bare_loop(
        &self,
        simulator: &Simulator,
        keys: &Path,
        calls: u32,
        round: u32,
    ) -> Result<Ended> {
        let job = Job {
            base_url: simulator.base_url.clone(),
            keys: keys.to_owned(),
            calls: calls as usize,
            concurrency: CONCURRENCY,
            word: round.to_string(),
        };
        run(Command::new(std::env::current_exe()?)
            .arg("--bare-loop")
            .arg(job.text()))
    }

    /// Charges in the simulator's ledger beyond one for each due subscription and each call of the loop.
    async fn double_charges(
        &self,
        simulator: &Simulator,
        client: &Client,
        due: u32,
        report: &mut Report,
    ) -> Result<()> {
        let ledger = simulator
            .control(client, Method::GET, "ledger/summary", Value::Null)
            .await?;
        let charges = ledger["charges"]
            .as_u64()
            .ok_or_eyre("no number of charges")?;
        let expected = u64::from(due) * u64::from(2 * ROUNDS + 1);
        let beyond = number(charges.saturating_sub(expected));
        let missing = expected.saturating_sub(charges);
        let figure = Figure::new(
            &format!("billing run, {}: double charges", self.name),
            "",
            beyond,
        );
        let note = format!("{charges} in the ledger, {missing} missing");
        report.add(&figure.within(Budget::AtMost(0.0)).note(note))
    }
}
