//! The program under test as a process of its own, and what the system knows of it.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use color_eyre::Result;
use color_eyre::eyre::{OptionExt as _, bail};

use crate::watch::{now, pause};

/// The real binary, as built for this run.
pub const PAYDECK: &str = env!("CARGO_BIN_EXE_paydeck");

/// What a process that has ended has used.
pub struct Ended {
    pub elapsed: Duration,
    /// The most memory it ever had, in MiB.
    pub peak_mib: f64,
    pub said: String,
}

/// Runs a command to its end. Anything but exit code 0 is an error, with what it said.
pub fn run(command: &mut Command) -> Result<Ended> {
    let began = now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut peak_mib = 0.0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // A process that has just ended has no record any more.
        if let Ok(peak) = status_mib(child.id(), "VmHWM") {
            peak_mib = peak;
        }
        pause(Duration::from_millis(2));
    };
    let elapsed = began.elapsed();
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said)?;
    }
    if !status.success() {
        let mut complaint = String::new();
        if let Some(mut error) = child.stderr.take() {
            error.read_to_string(&mut complaint)?;
        }
        bail!("{command:?} ended with {status}: {complaint}{said}");
    }
    Ok(Ended {
        elapsed,
        peak_mib,
        said,
    })
}

/// The binary with a configuration.
pub fn paydeck(config: &Path) -> Command {
    let mut command = Command::new(PAYDECK);
    command.arg("--config").arg(config);
    command
}

/// A line of the process's status that is in kB, as MiB.
pub fn status_mib(pid: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: f64 = field(&status, name)?.trim_end_matches(" kB").parse()?;
    Ok(kib / 1_024.0)
}

fn field<'s>(status: &'s str, name: &str) -> Result<&'s str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
        .ok_or_eyre("no such line in the process's status")
}

/// What the threads of a process have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu_ns: u64,
    pub wake_ups: u64,
}

pub fn usage(pid: u32) -> Result<Usage> {
    let mut usage = Usage::default();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path();
        let status = fs::read_to_string(path.join("status"))?;
        usage.wake_ups += field(&status, "voluntary_ctxt_switches")?.parse::<u64>()?;
        let times = fs::read_to_string(path.join("schedstat"))?;
        let on_processor = times
            .split_whitespace()
            .next()
            .ok_or_eyre("an empty record")?;
        usage.cpu_ns += on_processor.parse::<u64>()?;
    }
    Ok(usage)
}
