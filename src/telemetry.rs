//! Tracing to a file of our own, one JSON object per line: the terminal belongs to the console.
//!
//! Only `cli` starts it. It is for finding faults; the audit trail lives in the database. No body, no
//! key and no personal data is logged on purpose, and [`line`] takes out what got in by accident.
//! Work on a run or an attempt happens in a span with the field `run` or `attempt`.

mod line;

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use rustix::fs::Mode;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogLevel};

/// Split by what is to be mended; a program may also go on without a log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log directory {} cannot be made", dir.display())]
    Directory {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("log file in {} cannot be opened", dir.display())]
    File {
        dir: PathBuf,
        #[source]
        source: InitError,
    },
    #[error("telemetry is already started")]
    AlreadyStarted(#[source] TryInitError),
}

/// Lines that wait to be written. The queue is made at once and whole, so its size is felt at every start.
const QUEUED_LINES: usize = 4_096;

/// Writes what is still queued when dropped: `main` keeps it until the end.
#[derive(Debug)]
#[must_use = "what is queued is lost without it"]
pub struct Telemetry {
    _worker: WorkerGuard,
}

/// Starts logging to `paydeck.DATE.log`, a new file each day, as many as the settings keep.
///
/// From here on every file that this process creates is its owner's alone (umask 077), because the
/// day's file is created whenever the day begins.
pub fn start(log: &Log) -> Result<Telemetry, TelemetryError> {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let dir = || log.dir.clone();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&log.dir)
        .map_err(|source| TelemetryError::Directory { dir: dir(), source })?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("paydeck")
        .filename_suffix("log")
        .max_log_files(log.keep_days)
        .build(&log.dir)
        .map_err(|source| TelemetryError::File { dir: dir(), source })?;

    let (queue, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .finish(Guarded { file });
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(directives(log.level)))
        .with_writer(queue)
        .finish()
        .try_init()
        .map_err(TelemetryError::AlreadyStarted)?;
    Ok(Telemetry { _worker: worker })
}

/// Libraries speak only when something is wrong.
fn directives(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "warn,paydeck=info",
        LogLevel::Debug => "warn,paydeck=debug",
        LogLevel::Trace => "warn,paydeck=trace",
    }
}

/// The subscriber hands over one event per call.
struct Guarded<W> {
    file: W,
}

impl<W: Write> Write for Guarded<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.file.write_all(line::guarded(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
