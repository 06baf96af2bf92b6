//! Faults: what can be made to go wrong with one call, and what that means for its execution and its answer.
//!
//! Pure. A fault is turned into a [`Plan`]; the server follows the plan without knowing the fault.

use serde::{Deserialize, Serialize};

use super::ledger::Refusal;

/// When something happens, seen from the execution of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Commit {
    /// Nothing is executed.
    #[default]
    Before,
    /// The request is executed, then the fault strikes.
    After,
}

/// What a server error carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    #[default]
    Json,
    None,
    Html,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection is cut and nothing was executed.
    LostBeforeCommit,
    /// Executed; the connection is cut without a byte.
    LostAfterCommit,
    /// Executed at once, answered late.
    Slow {
        #[serde(default = "eight_seconds")]
        ms: u64,
    },
    /// Executed late, then answered.
    SlowBeforeCommit {
        #[serde(default = "eight_seconds")]
        ms: u64,
    },
    /// The connection is cut at once; the request is executed when it "arrives" so much later.
    Late {
        #[serde(default = "eight_seconds")]
        ms: u64,
    },
    HttpError {
        #[serde(default = "internal_error")]
        status: u16,
        #[serde(default)]
        commit: Commit,
        #[serde(default)]
        body: ErrorBody,
        #[serde(default = "internal_code")]
        code: String,
    },
    RateLimited {
        #[serde(default)]
        retry_after_seconds: Option<u32>,
    },
    /// A coded refusal where the card would be asked; status and text come from the table of codes.
    Decline {
        #[serde(default = "card_refused")]
        code: String,
    },
    /// A refusal with a code that no table has.
    UnknownCode {
        #[serde(default = "bad_request")]
        status: u16,
        #[serde(default = "unheard_of")]
        code: String,
    },
    /// Executed; the answer breaks off in its body and the connection is reset.
    ResetMidBody,
    /// Executed; the body is complete for HTTP and half of its JSON.
    TruncatedJson,
    /// A page instead of JSON, with status 200.
    HtmlBody {
        #[serde(default = "after")]
        commit: Commit,
    },
    /// Executed; the answer shows another order.
    WrongOrder,
    /// Executed; the answer shows another amount.
    WrongAmount {
        #[serde(default)]
        amount: Option<i64>,
    },
    /// Executed; the answer has fields and values that nobody has documented.
    UnknownFields,
    /// Look-ups only: "no such payment" although there may be one.
    NotFound,
    /// The answer shows a payment that is still `IN_PROGRESS`.
    InProgress,
}

/// Long enough to be seen, well within the client's timeout.
fn eight_seconds() -> u64 {
    8_000
}

fn card_refused() -> String {
    "REJECT_CARD_PAYMENT".to_owned()
}

fn internal_error() -> u16 {
    500
}

fn internal_code() -> String {
    "FAILED_INTERNAL_SYSTEM_PROCESSING".to_owned()
}

fn bad_request() -> u16 {
    400
}

fn unheard_of() -> String {
    "SOMETHING_NEW".to_owned()
}

fn after() -> Commit {
    Commit::After
}

/// What happens to the execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Execution {
    Normal,
    /// Refused where the card would be asked.
    Refused(Refusal),
    /// Not executed; the shape says what is answered.
    Skipped,
}

/// What happens to the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    AsIs,
    /// The connection is reset without a byte.
    Cut,
    CutInBody,
    HalfTheJson,
    Html(u16),
    Empty(u16),
    Coded {
        status: u16,
        code: String,
    },
    TooMany {
        retry_after_seconds: Option<u32>,
    },
    OtherOrder,
    OtherAmount(Option<i64>),
    MoreFields,
    StillInProgress,
}

/// A fault, spelled out for the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The connection is cut first and the rest happens after so many milliseconds, unseen.
    pub late_ms: Option<u64>,
    pub wait_before_ms: u64,
    pub execution: Execution,
    pub wait_after_ms: u64,
    pub shape: Shape,
}

impl Plan {
    pub(super) fn undisturbed() -> Self {
        Self {
            late_ms: None,
            wait_before_ms: 0,
            execution: Execution::Normal,
            wait_after_ms: 0,
            shape: Shape::AsIs,
        }
    }

    /// One request too many: answered without a code, not executed.
    pub(super) fn too_many() -> Self {
        let retry_after_seconds = None;
        Self::at(
            Commit::Before,
            Shape::TooMany {
                retry_after_seconds,
            },
        )
    }

    /// What a "too many" asks to wait.
    pub(super) fn retry_after_seconds(&self) -> Option<u32> {
        match self.shape {
            Shape::TooMany {
                retry_after_seconds,
            } => retry_after_seconds,
            _ => None,
        }
    }

    fn shaped(shape: Shape) -> Self {
        Self {
            shape,
            ..Self::undisturbed()
        }
    }

    fn at(commit: Commit, shape: Shape) -> Self {
        let execution = match commit {
            Commit::Before => Execution::Skipped,
            Commit::After => Execution::Normal,
        };
        Self {
            execution,
            ..Self::shaped(shape)
        }
    }

    fn refused(refusal: Refusal) -> Self {
        Self {
            execution: Execution::Refused(refusal),
            ..Self::undisturbed()
        }
    }
}

impl Fault {
    pub(super) fn plan(&self) -> Plan {
        match self {
            Self::LostBeforeCommit => Plan::at(Commit::Before, Shape::Cut),
            Self::LostAfterCommit => Plan::at(Commit::After, Shape::Cut),
            Self::Slow { ms } => Plan {
                wait_after_ms: *ms,
                ..Plan::undisturbed()
            },
            Self::SlowBeforeCommit { ms } => Plan {
                wait_before_ms: *ms,
                ..Plan::undisturbed()
            },
            Self::Late { ms } => Plan {
                late_ms: Some(*ms),
                ..Plan::shaped(Shape::Cut)
            },
            Self::HttpError {
                status,
                commit,
                body,
                code,
            } => Plan::at(
                *commit,
                match body {
                    ErrorBody::Json => Shape::Coded {
                        status: *status,
                        code: code.clone(),
                    },
                    ErrorBody::None => Shape::Empty(*status),
                    ErrorBody::Html => Shape::Html(*status),
                },
            ),
            Self::RateLimited {
                retry_after_seconds,
            } => Plan::at(
                Commit::Before,
                Shape::TooMany {
                    retry_after_seconds: *retry_after_seconds,
                },
            ),
            Self::Decline { code } => Plan::refused(Refusal::code(code.clone())),
            Self::UnknownCode { status, code } => Plan::refused(Refusal {
                status: Some(*status),
                ..Refusal::code(code.clone())
            }),
            Self::ResetMidBody => Plan::shaped(Shape::CutInBody),
            Self::TruncatedJson => Plan::shaped(Shape::HalfTheJson),
            Self::HtmlBody { commit } => Plan::at(*commit, Shape::Html(200)),
            Self::WrongOrder => Plan::shaped(Shape::OtherOrder),
            Self::WrongAmount { amount } => Plan::shaped(Shape::OtherAmount(*amount)),
            Self::UnknownFields => Plan::shaped(Shape::MoreFields),
            Self::NotFound => Plan::refused(Refusal::code("NOT_FOUND_PAYMENT")),
            Self::InProgress => Plan::shaped(Shape::StillInProgress),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).expect("a fault")
    }

    #[test]
    fn an_answer_lost_after_commit_is_executed_and_one_lost_before_is_not() {
        let after = fault(r#"{"kind":"lost_after_commit"}"#).plan();
        assert_eq!(
            (after.execution, after.shape),
            (Execution::Normal, Shape::Cut)
        );
        let before = fault(r#"{"kind":"lost_before_commit"}"#).plan();
        assert_eq!(
            (before.execution, before.shape),
            (Execution::Skipped, Shape::Cut)
        );
    }

    #[test]
    fn every_fault_of_the_readme_works_by_its_bare_name() {
        let readme = include_str!("../../README.md");
        let list = readme
            .split("\nFaults: ")
            .nth(1)
            .and_then(|rest| rest.split(".\n").next())
            .expect("the list of faults");
        let names: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
        assert_eq!(names.len(), 17);
        for name in names {
            let script: crate::sandbox::scripts::Script =
                serde_json::from_str(&format!("{{\"fault\":{name:?}}}")).expect(name);
            assert_eq!(script.fault, fault(&format!("{{\"kind\":{name:?}}}")));
        }
    }

    #[test]
    fn a_bare_server_error_is_a_coded_500_before_commit() {
        let plan = fault(r#"{"kind":"http_error"}"#).plan();
        assert_eq!(plan.execution, Execution::Skipped);
        assert!(matches!(plan.shape, Shape::Coded { status: 500, .. }));
    }

    #[test]
    fn a_fault_with_a_misspelt_field_is_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"slow","millis":5}"#).is_err());
    }
}
