//! The named points at which a process is killed, and what has to be given before it.

use crate::door::Call::{self, Cancel, Charge, LookUp, Prepare};
use crate::door::Hold::{self, Answer, HalfAnswer, Request};

/// Whose charges and refunds the processes die over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Toss,
    /// Charges in two steps.
    Stripe,
}

impl Side {
    pub fn points(self) -> Vec<&'static Point> {
        let two_steps: &[Point] = match self {
            Self::Toss => &[],
            Self::Stripe => &TWO_STEPS,
        };
        POINTS.iter().chain(two_steps).collect()
    }
}

/// What the process does when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Retry,
    Refund,
    BillRun,
    /// Asks another person for a refund.
    Ask,
    /// Grants what somebody asked for.
    Grant,
    /// Looks up a charge, or a refund, whose answer was lost.
    AskAbout(Call),
    /// Sends a charge, or a refund, again that never arrived.
    SendAgain(Call),
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It waits for another person, and nobody was told.
    Asked,
    /// The attempt is written as ready and not yet as sent.
    Written,
    /// A call is held at the door.
    Held(Call, Hold),
    /// The answer was read to its end and the row is as it was.
    Unsettled(Call),
    /// The row is settled and nobody was told.
    Settled,
}

pub struct Point {
    pub name: &'static str,
    pub work: Work,
    pub moment: Moment,
}

const fn point(name: &'static str, work: Work, moment: Moment) -> Point {
    Point { name, work, moment }
}

use Moment::{Asked, Held, Settled, Unsettled, Written};
use Work::{Ask, AskAbout, BillRun, Grant, Refund, Retry, SendAgain};

const POINTS: [Point; 31] = [
    point("retry: written", Retry, Written),
    point("retry: sent, not asked", Retry, Held(Charge, Request)),
    point("retry: charged, not told", Retry, Held(Charge, Answer)),
    point("retry: half told", Retry, Held(Charge, HalfAnswer)),
    point("retry: told, not settled", Retry, Unsettled(Charge)),
    point("retry: settled, not said", Retry, Settled),
    point("refund: written", Refund, Written),
    point("refund: sent, not asked", Refund, Held(Cancel, Request)),
    point("refund: returned, not told", Refund, Held(Cancel, Answer)),
    point("refund: half told", Refund, Held(Cancel, HalfAnswer)),
    point("refund: told, not settled", Refund, Unsettled(Cancel)),
    point("refund: settled, not said", Refund, Settled),
    point("run: sent, not asked", BillRun, Held(Charge, Request)),
    point("run: charged, not told", BillRun, Held(Charge, Answer)),
    point("run: half told", BillRun, Held(Charge, HalfAnswer)),
    point("run: told, not settled", BillRun, Unsettled(Charge)),
    point("run: settled, going on", BillRun, Settled),
    point(
        "look-up: about to ask",
        AskAbout(Charge),
        Held(LookUp, Request),
    ),
    point("look-up: not told", AskAbout(Charge), Held(LookUp, Answer)),
    point(
        "look-up: half told",
        AskAbout(Cancel),
        Held(LookUp, HalfAnswer),
    ),
    point("look-up: settled", AskAbout(Charge), Settled),
    point("again: not asked", SendAgain(Charge), Held(Charge, Request)),
    point("again: not told", SendAgain(Charge), Held(Charge, Answer)),
    point("again: not settled", SendAgain(Charge), Unsettled(Charge)),
    point(
        "again: refund not told",
        SendAgain(Cancel),
        Held(Cancel, Answer),
    ),
    point("ask: waiting, not said", Ask, Asked),
    point("grant: sent, not asked", Grant, Held(Cancel, Request)),
    point("grant: returned, not told", Grant, Held(Cancel, Answer)),
    point("grant: half told", Grant, Held(Cancel, HalfAnswer)),
    point("grant: told, not settled", Grant, Unsettled(Cancel)),
    point("grant: settled, not said", Grant, Settled),
];

/// Between the two steps, where there are two.
const TWO_STEPS: [Point; 7] = [
    point("retry: not prepared", Retry, Held(Prepare, Request)),
    point("retry: prepared, not told", Retry, Held(Prepare, Answer)),
    point("retry: half told of it", Retry, Held(Prepare, HalfAnswer)),
    point("retry: told, no name kept", Retry, Unsettled(Prepare)),
    point("run: not prepared", BillRun, Held(Prepare, Request)),
    point("run: prepared, not told", BillRun, Held(Prepare, Answer)),
    point("run: told, no name kept", BillRun, Unsettled(Prepare)),
];
