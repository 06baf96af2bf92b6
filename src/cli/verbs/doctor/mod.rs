//! `doctor`: what is wrong, what should be looked at, and the list that must be true before live.
//!
//! Checks only look; none mends anything. The exit code is that of the worst finding.

mod checks;
mod deep;
mod go_live;
mod host;

pub use checks::run;
pub use go_live::go_live;

use super::super::exit::Exit;
use super::super::record::Record;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    Fail,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check with its finding.
#[derive(Debug, Clone)]
pub struct Finding {
    name: &'static str,
    status: Status,
    detail: String,
    exit: Exit,
}

impl Finding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            exit: Exit::Done,
        }
    }

    fn warn(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Warn,
            detail: detail.into(),
            exit: Exit::Done,
        }
    }

    fn fail(name: &'static str, exit: Exit, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Fail,
            detail: detail.into(),
            exit,
        }
    }

    fn record(&self) -> Record {
        Record::of("check")
            .word("status", "check_status", self.status.as_str())
            .word("name", "check", self.name)
            .text("detail", &self.detail)
    }
}

/// A wrong configuration is worse than an unreachable database, and that is worse than a difference.
fn worst(findings: &[Finding]) -> Exit {
    findings
        .iter()
        .map(|finding| finding.exit)
        .max_by_key(|exit| exit.code())
        .unwrap_or(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_worst() {
        let findings = [
            Finding::warn("a", ""),
            Finding::fail("b", Exit::Unreachable, ""),
            Finding::fail("c", Exit::Configuration, ""),
        ];
        assert_eq!(worst(&findings), Exit::Configuration);
        assert_eq!(worst(&findings[..1]), Exit::Done);
    }
}
