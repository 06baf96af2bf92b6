//! The way of a person to money, step by step: what is typed, and what must be seen before the next step.

use std::thread::sleep;
use std::time::Duration;

use crate::terminal::Terminal;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Retry,
    Refund,
}

/// How far somebody has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Started,
    Painted,
    Listed,
    Planning,
    Ready,
    Confirmed,
    Sent,
    Told,
}

impl Step {
    pub const ALL: [Self; 8] = [
        Self::Started,
        Self::Painted,
        Self::Listed,
        Self::Planning,
        Self::Ready,
        Self::Confirmed,
        Self::Sent,
        Self::Told,
    ];
}

/// A message that has to be closed.
const CLOSES: &str = "Enter close";
const WAITS: &str = "sent, waiting";
/// A dialog takes no key before it has been on the screen for 300 ms.
const ARMED: Duration = Duration::from_millis(350);

impl Flow {
    /// Walks up to a step.
    pub fn walk(self, terminal: &mut Terminal, until: Step) {
        for step in Step::ALL.into_iter().filter(|step| *step <= until) {
            match step {
                Step::Started => {}
                Step::Painted => terminal.sees_it_painted(),
                Step::Listed => self.list(terminal),
                Step::Planning => self.begin(terminal),
                Step::Ready => self.waits_for_the_plan(terminal),
                Step::Confirmed => self.confirms(terminal),
                Step::Sent => until_sent(terminal),
                Step::Told => {
                    terminal.sees("what came of it", |text| !text.contains(WAITS));
                }
            }
        }
    }

    fn list(self, terminal: &mut Terminal) {
        let (key, title) = match self {
            Self::Retry => ("5", "Failed payments  "),
            Self::Refund => ("6", "Payments  "),
        };
        until_seen(terminal, key, title, |text| {
            text.contains(title) && text.contains("\n > ")
        });
    }

    fn begin(self, terminal: &mut Terminal) {
        match self {
            Self::Retry => terminal.types("r"),
            Self::Refund => {
                until_seen(terminal, "f", "the form", |text| text.contains("> Amount"));
                terminal.types("\x15");
                terminal.sees("an empty field", |text| !has_amount(text));
                terminal.types("100");
                terminal.sees("an amount", has_amount);
                for _ in 0..4 {
                    terminal.types("\r");
                    sleep(Duration::from_millis(15));
                }
            }
        }
    }

    /// A row that cannot be retried says so; the next one may.
    fn waits_for_the_plan(self, terminal: &mut Terminal) {
        loop {
            terminal.sees("a plan or a refusal", |text| {
                is_ready(text) || text.contains(CLOSES)
            });
            if !terminal.shows(CLOSES) {
                break;
            }
            terminal.types("\r");
            terminal.sees("the list", |text| text.contains("? help"));
            terminal.types("j");
            sleep(Duration::from_millis(60));
            terminal.types("r");
        }
        sleep(ARMED);
    }

    fn confirms(self, terminal: &mut Terminal) {
        if self == Self::Refund {
            terminal.types("100");
            terminal.sees("that y does it", |text| text.contains("press y"));
        }
        terminal.types("y");
    }
}

/// Types a key until what it opens is there: a console greets with what a call came to after the last one was gone, and
/// that has to be closed first.
fn until_seen(terminal: &mut Terminal, key: &str, what: &str, met: impl Fn(&str) -> bool) {
    loop {
        terminal.types(key);
        terminal.sees(what, |text| met(text) || text.contains(CLOSES));
        if !terminal.shows(CLOSES) {
            return;
        }
        terminal.types("\r");
        terminal.sees("the screen below", |text| !text.contains(CLOSES));
    }
}

/// A key that came before the dialog took any is pressed again.
fn until_sent(terminal: &mut Terminal) {
    let was_sent = |text: &str| text.contains(WAITS) || !is_ready(text);
    while !terminal.sees_within(ARMED * 6, was_sent) {
        terminal.types("y");
    }
}

/// The plan is on the screen.
fn is_ready(text: &str) -> bool {
    text.contains("press y to do it") || text.contains("type the above first")
}

/// The form's amount is what was typed.
fn has_amount(text: &str) -> bool {
    text.lines()
        .any(|line| line.contains("> Amount") && line.contains("100"))
}
