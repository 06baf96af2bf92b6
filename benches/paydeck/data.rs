//! The data set that the console, the reads and the export are measured on: the demo, at any size.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use color_eyre::Result;
use color_eyre::eyre::OptionExt as _;
use paydeck::demo::{self, DemoOptions};
use paydeck::locale::Lang;
use tempfile::TempDir;

use crate::figures::{Budget, Figure, Report};
use crate::options::Options;
use crate::process::run;

/// A data set on disk.
pub struct Data {
    pub config: PathBuf,
    pub database: PathBuf,
    pub directory: PathBuf,
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
        _removed_when_dropped: kept,
    };
    if data.config.is_file() {
        report.remark("the data set was there already")?;
        return Ok(data);
    }
    prepare(&data.directory, options.payments, report)?;
    Ok(data)
}

/// In a process of its own, whose memory is then that of this work alone.
fn prepare(directory: &Path, payments: u32, report: &mut Report) -> Result<()> {
    let ended = run(Command::new(std::env::current_exe()?)
        .arg("--make-data")
        .arg(directory)
        .arg("--payments")
        .arg(payments.to_string()))?;
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

/// What the process of its own does: a demo up to now, as `paydeck demo` would make it.
pub fn make_here(directory: &Path, payments: u32) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    #[expect(clippy::disallowed_methods, reason = "the story ends when it is told")]
    let now = chrono::Utc::now();
    let options = DemoOptions {
        dir: directory.to_owned(),
        customers: None,
        payments: Some(payments),
        seed: 1,
        now,
        lang: Lang::Ko,
    };
    let prepared = runtime.block_on(demo::prepare(options))?;
    let text = serde_json::to_string(&prepared)?;
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
