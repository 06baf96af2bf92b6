//! Writing every payment to a file of comma-separated values.

use color_eyre::Result;
use tempfile::TempDir;

use crate::data::Data;
use crate::figures::{Budget, Figure, Report};
use crate::process::{paydeck, run};

pub fn measure(data: &Data, report: &mut Report) -> Result<()> {
    let place = TempDir::with_prefix("paydeck-bench-")?;
    let file = place.path().join("payments.csv");
    let mut command = paydeck(&data.config);
    command
        .args(["--json", "export", "payments", "--csv", "--out"])
        .arg(&file);
    let ended = run(&mut command)?;
    let said: serde_json::Value = serde_json::from_str(&ended.said)?;
    let megabytes = std::fs::metadata(&file)?.len() / 1_000_000;
    report.add(
        &Figure::new("export: payments as CSV", "s", ended.elapsed.as_secs_f64())
            .within(Budget::AtMost(60.0))
            .note(format!("{} rows, {megabytes} MB", said["rows"])),
    )?;
    report.add(&Figure::new("export: memory", "MiB", ended.peak_mib).within(Budget::AtMost(300.0)))
}
