//! The table of arrows and the few rules of the house that a compiler does not know.

use std::collections::BTreeSet;
use std::fmt;

use crate::paths::{Reach, reaches};
use crate::source::{Source, Token};

pub const LONGEST_FILE: usize = 500;

pub struct Finding {
    file: String,
    line: usize,
    problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

struct Room {
    name: &'static str,
    /// Paths below the crate's root, by their beginning; its own room always counts.
    may_use: Inside,
    crates: Outside,
}

enum Inside {
    Only(&'static [&'static str]),
    Everything,
}

enum Outside {
    Only(&'static [&'static str]),
    Except(&'static [&'static [&'static str]]),
}

const SCREEN: &[&str] = &["ratatui", "crossterm", "tui_input"];
const DATABASE: &[&str] = &["sqlx", "libsqlite3_sys"];
const NETWORK: &[&str] = &["reqwest", "rustls", "axum"];
const COMMAND_LINE: &[&str] = &[
    "clap",
    "clap_complete",
    "clap_mangen",
    "color_eyre",
    "config",
    "etcetera",
];
const CHANCE_AND_WAITING: &[&str] = &["rand", "tokio"];
const TELEMETRY: &[&str] = &["tracing_appender", "tracing_subscriber"];
const SEALING: &[&str] = &["chacha20poly1305"];

/// Leaves: anyone may use them, and they use nobody.
const LEAVES: &[&str] = &["text", "locale", "secret"];

/// No row, no room: a new module of the crate's root comes with its arrows.
const ROOMS: &[Room] = &[
    Room {
        name: "domain",
        may_use: Inside::Only(&[]),
        crates: Outside::Only(&["chrono", "chrono_tz", "sha2", "hmac", "thiserror", "serde"]),
    },
    Room {
        name: "engine",
        may_use: Inside::Only(&["domain"]),
        crates: Outside::Except(&[
            SCREEN,
            DATABASE,
            NETWORK,
            COMMAND_LINE,
            CHANCE_AND_WAITING,
            TELEMETRY,
            SEALING,
        ]),
    },
    Room {
        name: "store",
        may_use: Inside::Only(&["domain", "engine::ports", "engine::queries"]),
        crates: Outside::Except(&[SCREEN, NETWORK, COMMAND_LINE, TELEMETRY, SEALING]),
    },
    Room {
        name: "provider",
        may_use: Inside::Only(&["domain", "engine::ports"]),
        crates: Outside::Except(&[SCREEN, DATABASE, COMMAND_LINE, TELEMETRY, SEALING]),
    },
    Room {
        name: "vault",
        may_use: Inside::Only(&["domain", "engine::ports"]),
        crates: Outside::Except(&[SCREEN, DATABASE, NETWORK, COMMAND_LINE, TELEMETRY]),
    },
    Room {
        name: "spool",
        may_use: Inside::Only(&["domain", "engine::ports"]),
        crates: Outside::Except(&[
            SCREEN,
            DATABASE,
            NETWORK,
            COMMAND_LINE,
            CHANCE_AND_WAITING,
            TELEMETRY,
            SEALING,
        ]),
    },
    Room {
        name: "webhook",
        may_use: Inside::Only(&["domain", "engine"]),
        crates: Outside::Except(&[
            SCREEN,
            DATABASE,
            &["reqwest"],
            COMMAND_LINE,
            TELEMETRY,
            SEALING,
        ]),
    },
    Room {
        name: "worker",
        may_use: Inside::Only(&["domain", "engine"]),
        crates: Outside::Except(&[SCREEN, DATABASE, NETWORK, COMMAND_LINE, TELEMETRY, SEALING]),
    },
    Room {
        name: "notify",
        may_use: Inside::Only(&["domain", "engine"]),
        crates: Outside::Except(&[SCREEN, DATABASE, COMMAND_LINE, TELEMETRY, SEALING]),
    },
    Room {
        name: "console",
        may_use: Inside::Only(&["domain", "engine"]),
        crates: Outside::Except(&[DATABASE, NETWORK, COMMAND_LINE, TELEMETRY, SEALING]),
    },
    Room {
        name: "sandbox",
        may_use: Inside::Only(&["domain"]),
        crates: Outside::Except(&[SCREEN, COMMAND_LINE, TELEMETRY, SEALING]),
    },
    Room {
        name: "demo",
        may_use: Inside::Only(&["domain", "engine", "store", "sandbox", "vault", "config"]),
        crates: Outside::Except(&[SCREEN, NETWORK, COMMAND_LINE, TELEMETRY, SEALING]),
    },
    Room {
        name: "text",
        may_use: Inside::Only(&[]),
        crates: Outside::Only(&[
            "unicode_normalization",
            "unicode_segmentation",
            "unicode_width",
        ]),
    },
    Room {
        name: "locale",
        may_use: Inside::Only(&[]),
        crates: Outside::Only(&[
            "toml",
            "unicode_normalization",
            "unicode_segmentation",
            "unicode_width",
        ]),
    },
    Room {
        name: "secret",
        may_use: Inside::Only(&[]),
        crates: Outside::Only(&["zeroize"]),
    },
    Room {
        name: "config",
        may_use: Inside::Only(&["domain", "vault::private_file"]),
        crates: Outside::Only(&[
            "serde",
            "thiserror",
            "toml",
            "config",
            "chrono_tz",
            "rustix",
        ]),
    },
    Room {
        name: "telemetry",
        may_use: Inside::Only(&["config"]),
        crates: Outside::Only(&[
            "tracing",
            "tracing_appender",
            "tracing_subscriber",
            "thiserror",
            "rustix",
        ]),
    },
    Room {
        name: "cli",
        may_use: Inside::Everything,
        crates: Outside::Except(&[]),
    },
    Room {
        name: "main",
        may_use: Inside::Only(&["cli"]),
        crates: Outside::Only(&["color_eyre"]),
    },
    // The crate's root declares the modules and uses none of them.
    Room {
        name: "lib",
        may_use: Inside::Only(&[]),
        crates: Outside::Only(&[]),
    },
];

/// Rooms that hold rules: no file, socket, process, thread or environment of their own.
const PURE: &[&str] = &["domain", "engine", "text", "locale", "secret"];
const IMPURE_STD: &[&str] = &["env", "fs", "net", "process", "thread"];
const MONEY: &[&str] = &["domain", "engine", "store"];

pub fn check(source: &Source, dependencies: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = arrows(source, dependencies);
    findings.extend(floats(source));
    findings.extend(clocks(source));
    findings.extend(composed_queries(source));
    if source.product_lines > LONGEST_FILE {
        findings.push(finding(
            source,
            1,
            format!(
                "{} product lines, more than {LONGEST_FILE}: split it by responsibility",
                source.product_lines
            ),
        ));
    }
    findings
}

fn finding(source: &Source, line: usize, problem: String) -> Finding {
    Finding {
        file: source.file.clone(),
        line,
        problem,
    }
}

fn arrows(source: &Source, dependencies: &BTreeSet<String>) -> Vec<Finding> {
    let Some(room) = ROOMS.iter().find(|room| room.name == source.room()) else {
        return vec![finding(
            source,
            1,
            format!("`{}` has no row in the table of arrows", source.room()),
        )];
    };
    reaches(source, dependencies)
        .iter()
        .filter_map(|reach| match reach {
            Reach::Inside { segments, line } => (!may_reach(room, segments)).then(|| {
                finding(
                    source,
                    *line,
                    format!(
                        "`{}` must not use `crate::{}`",
                        room.name,
                        segments.join("::")
                    ),
                )
            }),
            Reach::Outside { segments, line } => (!may_depend(room, segments)).then(|| {
                finding(
                    source,
                    *line,
                    format!("`{}` must not use `{}`", room.name, segments.join("::")),
                )
            }),
        })
        .collect()
}

fn may_reach(room: &Room, segments: &[String]) -> bool {
    let is_open_to_all = segments
        .first()
        .is_some_and(|first| first == room.name || LEAVES.contains(&first.as_str()));
    is_open_to_all
        || match room.may_use {
            Inside::Everything => true,
            Inside::Only(allowed) => allowed.iter().any(|path| {
                path.split("::")
                    .zip(segments)
                    .filter(|(a, b)| a == b)
                    .count()
                    == path.split("::").count()
            }),
        }
}

fn may_depend(room: &Room, segments: &[String]) -> bool {
    let first = segments[0].as_str();
    if ["std", "core", "alloc"].contains(&first) {
        let impure = segments
            .get(1)
            .is_some_and(|second| IMPURE_STD.contains(&second.as_str()));
        return !(impure && PURE.contains(&room.name));
    }
    match room.crates {
        Outside::Only(allowed) => allowed.contains(&first),
        Outside::Except(groups) => !groups.iter().any(|group| group.contains(&first)),
    }
}

fn floats(source: &Source) -> Vec<Finding> {
    if !MONEY.contains(&source.room()) {
        return Vec::new();
    }
    let is_float = |token: &&Token| token.is_word("f32") || token.is_word("f64");
    let report = |token: &Token| {
        finding(
            source,
            token.line,
            "floating point where money is".to_owned(),
        )
    };
    source.tokens.iter().filter(is_float).map(report).collect()
}

/// The wall clock has one home per program face: a file named `clock.rs` outside the rooms of rules.
fn clocks(source: &Source) -> Vec<Finding> {
    let is_home = source.file.ends_with("/clock.rs") && !MONEY.contains(&source.room());
    if is_home {
        return Vec::new();
    }
    let wall = |name: &str| ["Utc", "Local", "SystemTime"].contains(&name);
    let measured = |name: &str| name == "Instant" && MONEY.contains(&source.room());
    source
        .tokens
        .windows(3)
        .filter(|three| {
            three[2].is_word("now")
                && three[1].is_separator()
                && three[0]
                    .word()
                    .is_some_and(|name| wall(name) || measured(name))
        })
        .map(|three| {
            let name = three[0].word().unwrap_or_default();
            finding(
                source,
                three[0].line,
                format!("`{name}::now` outside the clock's home: time comes in as a parameter"),
            )
        })
        .collect()
}

/// SQL is a constant. Only the driver's own escape hatch lets a composed text through.
fn composed_queries(source: &Source) -> Vec<Finding> {
    if source.room() != "store" {
        return Vec::new();
    }
    let tokens = &source.tokens;
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = token.word() else { continue };
        let takes_sql = name.starts_with("query") || name == "raw_sql" || name == "AssertSqlSafe";
        let opens = tokens
            .get(at + 1)
            .is_some_and(|next| next.is_mark('(') || next.is_separator());
        if takes_sql && opens && argument_is_composed(&tokens[at + 1..]) {
            findings.push(finding(
                source,
                token.line,
                format!("`format!` inside `{name}(…)`: bind parameters instead"),
            ));
        }
    }
    findings
}

fn argument_is_composed(behind: &[Token]) -> bool {
    // A turbofish may stand before the bracket; `(` inside of it does not.
    let Some(open) = behind.iter().position(|token| token.is_mark('(')) else {
        return false;
    };
    if behind[..open]
        .iter()
        .any(|token| token.is_mark(';') || token.is_mark('{'))
    {
        return false;
    }
    let mut depth = 0_usize;
    for pair in behind[open..].windows(2) {
        if pair[0].is_mark('(') {
            depth += 1;
        } else if pair[0].is_mark(')') {
            depth -= 1;
            if depth == 0 {
                return false;
            }
        } else if pair[0].is_word("format") && pair[1].is_mark('!') {
            return true;
        }
    }
    false
}
