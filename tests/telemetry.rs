//! What lands in the log file of a real process. One test: a process starts telemetry once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use paydeck::config::{Log, LogLevel};
use paydeck::telemetry;

#[test]
fn s30_the_log_is_private_has_one_line_per_event_and_keeps_to_its_level() {
    let directory = tempfile::tempdir().expect("make a directory");
    let dir = directory.path().join("state").join("log");
    let log = Log {
        dir: dir.clone(),
        level: LogLevel::Info,
        keep_days: 3,
    };

    let running = telemetry::start(&log).expect("start");
    assert!(telemetry::start(&log).is_err());
    tracing::info!(target: "paydeck::test", customer = "line\nbreak\u{1b}]0;title\u{7}", "first live_sk_canary");
    tracing::debug!(target: "paydeck::test", "too fine");
    tracing::info!(target: "library", "not ours");
    tracing::warn!(target: "library", "worth knowing");
    drop(running);

    let files: Vec<_> = fs::read_dir(&dir)
        .expect("list")
        .map(|entry| entry.expect("list").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = |path| fs::metadata(path).expect("look").permissions().mode() & 0o777;
    assert_eq!(mode(files[0].as_path()), 0o600);
    assert_eq!(mode(dir.as_path()), 0o700);

    let text = fs::read_to_string(&files[0]).expect("read");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object per line"))
        .collect();
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["fields"]["message"].as_str())
        .collect();
    assert_eq!(messages, [Some("first live_sk_***"), Some("worth knowing")]);
    assert_eq!(
        lines[0]["fields"]["customer"],
        "line\nbreak\u{1b}]0;title\u{7}"
    );
    assert!(!text.contains('\u{1b}') && !text.contains("canary"));
}
