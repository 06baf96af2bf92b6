//! What a run measures, from the command line and the environment.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::bare_loop::Job;
use crate::figures::Shape;

/// A part of the benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Making the data set.
    Data,
    /// The console in a pseudo-terminal of 80x24.
    Console,
    /// Reads, in process.
    Reads,
    /// The billing run against the simulator, on both databases.
    Billing,
    /// Writing a list to a file.
    Export,
}

/// Figures of paydeck beside their floors.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --")]
pub struct Options {
    /// Which parts; by default all.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// How many payments the data set has.
    #[arg(long, env = "PAYDECK_BENCH_PAYMENTS", default_value_t = 1_000_000)]
    pub payments: u32,
    /// A data set to use: made there when the directory holds none, and kept. Without it, one is made and removed.
    #[arg(long, env = "PAYDECK_BENCH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A larger data set that is there: the reads are made over it too, and growth is printed.
    #[arg(long, env = "PAYDECK_BENCH_LARGER", value_name = "DIR")]
    pub larger: Option<PathBuf>,
    /// Due subscriptions of each billing run; there are three runs on each database.
    #[arg(long, env = "PAYDECK_BENCH_DUE", default_value_t = 1_000)]
    pub due: u32,
    /// One JSON object per figure instead of a table.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    /// This process makes a data set.
    #[arg(long, hide = true)]
    make_data: Option<PathBuf>,
    /// This process is the bare table over a database.
    #[arg(long, hide = true)]
    floor_table: Option<PathBuf>,
    /// This process is the bare loop of a job.
    #[arg(long, hide = true)]
    bare_loop: Option<String>,
}

/// What this process is.
pub enum Run {
    Measure(Options),
    MakeData(PathBuf, u32),
    FloorTable(PathBuf),
    BareLoop(Job),
}

impl Options {
    pub fn read() -> Run {
        let mut options = Self::parse();
        if let Some(directory) = options.make_data.take() {
            return Run::MakeData(directory, options.payments);
        }
        if let Some(database) = options.floor_table.take() {
            return Run::FloorTable(database);
        }
        match options.bare_loop.take().map(|job| job.parse()) {
            Some(Ok(job)) => Run::BareLoop(job),
            Some(Err(_)) | None => Run::Measure(options),
        }
    }

    pub fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    pub fn shape(&self) -> Shape {
        if self.json {
            Shape::JsonLines
        } else {
            Shape::Table
        }
    }
}
