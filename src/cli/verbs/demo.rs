//! `demo`: makes the data, starts the simulator beside it, and hands over to the console.
//!
//! A demo without `--dir` lives in a directory of its own that goes when the console ends; one with
//! `--dir` stays, and is opened again the next time.

use std::path::{Path, PathBuf};

use crate::cli::args::{DemoArgs, Global};
use crate::cli::clock::machine_now;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::permit::Permit;
use crate::cli::verbs::{console, demo_abroad};
use crate::demo::{self, DemoOptions, Prepared};
use crate::locale::Lang;
use crate::sandbox::{self, Running, SandboxError, SandboxOptions};

/// A demo that is ready to be looked at. The simulator runs as long as this lives.
pub struct Stage {
    pub config: PathBuf,
    simulator: Option<Running>,
    passing: Option<PathBuf>,
}

impl Stage {
    /// Stops the simulator, unless another process runs it, and clears a passing demo away.
    pub async fn end(self) {
        if let Some(simulator) = self.simulator {
            simulator.shutdown().await;
        }
        if let Some(dir) = self.passing {
            // What cannot be removed stays in the system's temporary directory, which is cleared.
            let _left = std::fs::remove_dir_all(dir);
        }
    }
}

/// Makes the data where there is none. With `--prepare-only` it prints what was made, and that is all.
pub async fn run(
    out: &mut Output,
    permit: &Permit,
    args: &DemoArgs,
    global: &Global,
) -> Result<Option<Stage>, CliError> {
    if args.prepare_only {
        let dir = args.dir.clone().unwrap_or_else(passing_directory);
        let made = make(args, global, dir).await?;
        let json = serde_json::to_string(&made)
            .map_err(|_| CliError::Internal("a demo that cannot be described".to_owned()))?;
        out.print(&json)?;
        out.print("\n")?;
        return Ok(None);
    }
    console::expect_terminal()?;
    let dir = args.dir.clone().unwrap_or_else(passing_directory);
    let known = demo::prepared(&dir);
    let is_new = known.is_none();
    let config = match known {
        Some(config) => config,
        None => make(args, global, dir.clone()).await?.config,
    };
    let simulator = simulator_over(&dir).await?;
    if is_new && let Err(error) = demo_abroad::tell(permit, global, &config).await {
        tracing::warn!(%error, "the demo has no customers abroad");
    }
    let passing = args.dir.is_none().then_some(dir);
    Ok(Some(Stage {
        config,
        simulator,
        passing,
    }))
}

async fn make(args: &DemoArgs, global: &Global, dir: PathBuf) -> Result<Prepared, CliError> {
    let few = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let made = demo::prepare(DemoOptions {
        dir,
        customers: args.customers.map(few),
        payments: args.payments.map(few),
        seed: args.seed,
        now: global.now.unwrap_or_else(machine_now),
        // The shop is Korean whatever the terminal's language, unless another is asked for.
        lang: global.lang.map_or(Lang::Ko, Lang::from),
    });
    Ok(made.await?)
}

fn passing_directory() -> PathBuf {
    clear_killed();
    std::env::temp_dir().join(format!("{PASSING}{}", std::process::id()))
}

const PASSING: &str = "paydeck-demo-";

/// A demo that was killed could not clear up behind itself.
fn clear_killed() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PASSING));
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let Some(process) = process.filter(is_number) else {
            continue;
        };
        // Somebody else's cannot be removed by us, and a link is not followed.
        if Path::new("/proc/self").exists() && !Path::new("/proc").join(process).exists() {
            let _left = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// One simulator per directory: another process's is used as it is.
async fn simulator_over(dir: &Path) -> Result<Option<Running>, CliError> {
    let started = sandbox::start(SandboxOptions {
        dir: Some(dir.to_owned()),
        ..SandboxOptions::default()
    });
    match started.await {
        Ok(running) => Ok(Some(running)),
        Err(SandboxError::AlreadyRunning { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}
