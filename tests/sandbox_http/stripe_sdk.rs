//! Stripe's official SDK drives the simulator: `tests/stripe_sdk/drive.py`.
//!
//! The SDK is Python's and comes from outside. `.ci/run` installs it and requires it; elsewhere this says that it was
//! left out. `PAYDECK_STRIPE_SDK_PYTHON` names an interpreter that has it; without it, `target/stripe-sdk` is looked at.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use paydeck::sandbox::stripe::SECRET_KEY;

use super::support::Bench;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// An interpreter that can import the SDK.
fn interpreter() -> Option<PathBuf> {
    let named = std::env::var_os("PAYDECK_STRIPE_SDK_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| PathBuf::from(ROOT).join("target/stripe-sdk/bin/python"));
    let has_it = std::process::Command::new(&python)
        .args(["-c", "import stripe"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    has_it.then_some(python)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_sdk_meets_no_surprise() {
    let Some(python) = interpreter() else {
        assert!(
            std::env::var_os("PAYDECK_REQUIRE_STRIPE_SDK").is_none(),
            "the SDK is required here and cannot be imported"
        );
        // The harness captures `eprintln!` of tests that pass, and this must be seen.
        let line =
            "LEFT OUT: the official SDK is not installed (see tests/stripe_sdk/requirements.txt)";
        let _unseen_is_no_failure = writeln!(std::io::stderr(), "{line}");
        return;
    };
    let bench = Bench::new().await;
    let base = bench.running.base_url();
    let run = tokio::task::spawn_blocking(move || {
        std::process::Command::new(python)
            .arg(PathBuf::from(ROOT).join("tests/stripe_sdk/drive.py"))
            .args([&base, SECRET_KEY])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
    })
    .await
    .expect("a thread")
    .expect("an interpreter");
    assert!(
        run.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
}
