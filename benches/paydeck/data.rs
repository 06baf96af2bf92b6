//! The data set that the console, the reads and the export are measured on: the demo, at any size.

use std::path::{Path, PathBuf};
use std::process::Command;

use color_eyre::Result;
use color_eyre::eyre::OptionExt as _;
use tempfile::TempDir;

use crate::figures::{Budget, Figure, Report};
use crate::options::Options;
use crate::process::{PAYDECK, run};

/// A data set on disk.
pub struct Data {
    pub config: PathBuf,
    pub database: PathBuf,
    pub directory: PathBuf,
    pub payments: u32,
    _removed_when_dropped: Option<TempDir>,
}

/// Makes the data set, or takes the one that is there.
pub fn make(options: &Options, report: &mut Report) -> Result<Data> {
    let (directory, kept) = match &options.data {
        Some(directory) => (directory.clone(), None),
        None => {
            let made = TempDir::with_prefix("paydeck-bench-")?;
            (made.path().join("data"), Some(made))
        }
    };
    let data = Data {
        config: directory.join("config.toml"),
        database: directory.join("paydeck.db"),
        directory,
        payments: options.payments,
        _removed_when_dropped: kept,
    };
    if data.config.is_file() {
        report.remark("the data set was there already")?;
        return Ok(data);
    }
    prepare(&data.directory, options.payments, report)?;
    Ok(data)
}

fn prepare(directory: &Path, payments: u32, report: &mut Report) -> Result<()> {
    let ended = run(Command::new(PAYDECK)
        .args(["demo", "--prepare-only", "--seed", "1", "--payments"])
        .arg(payments.to_string())
        .arg("--dir")
        .arg(directory))?;
    let made: serde_json::Value = serde_json::from_str(&ended.said)?;
    let payments = made["payments"]
        .as_u64()
        .ok_or_eyre("no number of payments")?;
    let seconds = ended.elapsed.as_secs_f64();
    report.add(
        &Figure::new("data: making it", "s", seconds)
            .within(Budget::AtMost(120.0))
            .note(format!("{payments} payments")),
    )?;
    report.add(
        &Figure::new("data: memory while making it", "MiB", ended.peak_mib)
            .within(Budget::AtMost(300.0)),
    )
}
