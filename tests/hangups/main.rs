//! The real console in a real terminal, over the demo's data and the simulator as a process of its own, while its
//! terminal is closed, signals come, or its window changes size forty times, at random moments of a person's way to
//! money. Each time: it ends in time, leaves nothing running, gives the terminal back where there is one, settles the
//! call that was out, and sends nothing that was not confirmed.
//!
//! `HANGUPS=2000 cargo test --release --test hangups -- --nocapture` does it more often; `HANGUPS_SEED` chooses other
//! moments. It ends with one line of JSON.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed; real processes take real time"
)]

#[expect(dead_code, reason = "the kills pick from lists as well")]
#[path = "../kills/dice.rs"]
mod dice;
#[expect(dead_code, reason = "the kills hold writers as well")]
#[path = "../kills/eyes.rs"]
mod eyes;
mod flow;
#[expect(dead_code, reason = "the tests of the command line use the rest")]
#[path = "../cli/shop.rs"]
mod shop;
mod terminal;

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dice::Dice;
use eyes::Eyes;
use flow::{Flow, Step};
use rustix::process::Signal;
use serde_json::json;
use shop::Shop;
use terminal::{Gone, Parent, Terminal};

/// What befalls the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Hangup,
    HangupIgnored,
    Terminate,
    Interrupt,
    StopAndGoOn,
    SuspendAndComeBack,
    StormThenTerminate,
    StormThenHangup,
}

const BLOWS: [Blow; 8] = [
    Blow::Hangup,
    Blow::HangupIgnored,
    Blow::Terminate,
    Blow::Interrupt,
    Blow::StopAndGoOn,
    Blow::SuspendAndComeBack,
    Blow::StormThenTerminate,
    Blow::StormThenHangup,
];

/// How long the simulator takes for an answer: time to strike while the call is out.
const LATENCY_MS: u64 = 700;
/// An idle console is gone within a second on a machine that has time for it.
const IDLE: Duration = Duration::from_secs(1);
/// On one that has not, it may take this long. Above it something waits that must not.
const IDLE_ON_A_BUSY_MACHINE: Duration = Duration::from_secs(5);
/// The call's own time, and what is left to do.
const IN_FLIGHT: Duration = Duration::from_secs(10);
/// What may be used of the processor after the end has begun: its last writes, and no loop.
const WORK: Duration = Duration::from_millis(400);

const LAST: &str = "select coalesce(max(id), 0) from attempt where id > $1";
const OPEN: &str =
    "select count(*) from attempt where id > $1 and state in ('ready', 'sent', 'unknown')";
const SUCCEEDED: &str = "select count(*) from attempt where id > $1 and state = 'succeeded'";
/// The demo's own unknown attempts are nobody's business here.
const NEVER_LOOKED_UP: &str = "update attempt set next_check_at = 9000000000000000 \
    where id > $1 and state in ('ready', 'sent', 'unknown')";

/// One shop in which one case comes after the other.
struct Lane {
    shop: Shop,
    eyes: Eyes,
    dice: Dice,
    told: Told,
}

/// What there is to tell of all cases.
#[derive(Default)]
struct Told {
    blows: BTreeMap<String, u64>,
    steps: BTreeMap<String, u64>,
    idle_ms: Vec<u128>,
    in_flight_ms: Vec<u128>,
    worked_ms: Vec<u128>,
    confirmed: u64,
    sent: u64,
}

impl Lane {
    fn open(seed: u64) -> Self {
        let shop = Shop::demo(200, 800);
        let mut eyes = Eyes::on_file(&shop.path("paydeck.db"));
        eyes.change(NEVER_LOOKED_UP, 0);
        shop.simulator.post("latency", &json!({ "ms": LATENCY_MS }));
        Self {
            shop,
            eyes,
            dice: Dice::new(seed),
            told: Told::default(),
        }
    }

    fn case(&mut self, blow: Blow) {
        let flow = match self.dice.below(2) {
            0 => Flow::Retry,
            _ => Flow::Refund,
        };
        let steps = u64::try_from(Step::ALL.len()).expect("a count");
        let at = usize::try_from(self.dice.below(steps)).expect("an index");
        let step = Step::ALL[at];
        let what = format!("{blow:?} of a {flow:?} when {step:?}");
        let (mark, sent) = (self.eyes.number(LAST, 0), self.shop.simulator.sent());

        let mut terminal = Terminal::open(&self.shop.config(), parent(blow));
        flow.walk(&mut terminal, step);
        sleep(Duration::from_millis(self.dice.below(120)));
        let gone = self.strike(&mut terminal, blow, step);
        drop(terminal);

        let sent = self.shop.simulator.sent() - sent;
        let was_confirmed = step >= Step::Confirmed;
        assert!(
            sent <= usize::from(was_confirmed),
            "{what}: {sent} requests"
        );
        assert_eq!(self.eyes.number(OPEN, mark), 0, "{what}: left open");
        assert!(gone.worked <= WORK, "{what}: {gone:?}");
        let may_be_out = was_confirmed && step < Step::Told;
        let (times, limit) = if may_be_out {
            (&mut self.told.in_flight_ms, IN_FLIGHT)
        } else {
            (&mut self.told.idle_ms, IDLE_ON_A_BUSY_MACHINE)
        };
        assert!(gone.after <= limit, "{what}: {gone:?}");
        times.push(gone.after.as_millis());
        self.told.worked_ms.push(gone.worked.as_millis());
        self.told.confirmed += u64::from(was_confirmed);
        self.told.sent += u64::try_from(sent).expect("a count");
        *self.told.blows.entry(format!("{blow:?}")).or_default() += 1;
        *self.told.steps.entry(format!("{step:?}")).or_default() += 1;
    }

    fn strike(&mut self, terminal: &mut Terminal, blow: Blow, step: Step) -> Gone {
        match blow {
            Blow::Hangup | Blow::HangupIgnored => hang_up(terminal),
            Blow::Terminate => end(terminal, Signal::TERM),
            Blow::Interrupt => end(terminal, Signal::INT),
            Blow::StopAndGoOn => {
                terminal.sends(Signal::STOP);
                while !terminal.is_stopped() {
                    sleep(Duration::from_millis(1));
                }
                terminal.sends(Signal::CONT);
                sleep(Duration::from_millis(self.dice.below(60)));
                end(terminal, Signal::TERM)
            }
            Blow::SuspendAndComeBack => {
                if step > Step::Started {
                    suspend(terminal);
                }
                end(terminal, Signal::TERM)
            }
            Blow::StormThenTerminate => {
                self.storm(terminal);
                end(terminal, Signal::TERM)
            }
            Blow::StormThenHangup => {
                self.storm(terminal);
                hang_up(terminal)
            }
        }
    }

    fn storm(&mut self, terminal: &mut Terminal) {
        for _ in 0..40 {
            let size = |sides: u64| u16::try_from(sides).expect("a size");
            let (cols, rows) = (self.dice.below(220) + 1, self.dice.below(70) + 1);
            terminal.resizes(size(cols), size(rows));
            sleep(Duration::from_millis(self.dice.below(3)));
        }
        terminal.resizes(80, 24);
        assert!(terminal.is_there(), "a resize ended it");
    }

    /// What was told to the person, the simulator and the books is the same in the end.
    fn books_are_straight(&mut self, before: i64, moved: usize) {
        let executed =
            self.shop.simulator.executed("charge") + self.shop.simulator.executed("cancel");
        let succeeded = self.eyes.number(SUCCEEDED, before);
        let executed = i64::try_from(executed - moved).expect("a count");
        assert_eq!(succeeded, executed, "succeeded here, executed there");
        let audit = self.shop.json(&["audit", "verify"]).expect(0).object();
        assert_eq!(audit["intact"], true, "{audit}");
    }
}

const fn parent(blow: Blow) -> Parent {
    match blow {
        Blow::HangupIgnored | Blow::StormThenHangup => Parent::IgnoresHangup,
        Blow::SuspendAndComeBack => Parent::Shell,
        _ => Parent::Terminal,
    }
}

fn hang_up(terminal: &mut Terminal) -> Gone {
    terminal.hangs_up();
    let gone = terminal.gone(IN_FLIGHT);
    terminal.is_ended_by(Signal::HUP);
    gone
}

fn end(terminal: &mut Terminal, signal: Signal) -> Gone {
    terminal.sends(signal);
    let gone = terminal.gone(IN_FLIGHT);
    terminal.is_ended_by(signal);
    terminal.is_given_back();
    gone
}

/// Refused while a call is out, because that would be stopped as well.
fn suspend(terminal: &mut Terminal) {
    terminal.sends(Signal::TSTP);
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_secs(2) {
        if terminal.is_stopped() {
            return terminal.comes_back();
        }
        if terminal.shows("a call is in flight") {
            return;
        }
        sleep(Duration::from_millis(2));
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Processes of this installation other than its simulator.
fn left_behind(shop: &Shop) -> usize {
    let config = shop.config().display().to_string();
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&config))
        .count()
}

fn lane(number: u64, cases: u64, seed: u64) -> Told {
    let mut lane = Lane::open(seed.wrapping_mul(number + 1));
    let before = lane.eyes.number(LAST, 0);
    let moved = lane.shop.simulator.executed("charge") + lane.shop.simulator.executed("cancel");
    for case in 0..cases {
        let blows = u64::try_from(BLOWS.len()).expect("a count");
        let at = usize::try_from((case + number) % blows).expect("an index");
        lane.case(BLOWS[at]);
    }
    assert_eq!(left_behind(&lane.shop), 0, "orphans");
    lane.books_are_straight(before, moved);
    lane.told
}

fn middle(sorted: &[u128]) -> u128 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

#[test]
fn a_hundred_hangups_signals_and_storms_leave_nothing_and_send_nothing_unconfirmed() {
    let (cases, lanes) = (number("HANGUPS", 100), number("HANGUPS_LANES", 4));
    let seed = number("HANGUPS_SEED", 20_261_121) | 1;
    let started = Instant::now();
    let mut all = Told::default();
    let told: Vec<Told> = std::thread::scope(|scope| {
        let of_lane = |number| cases / lanes + u64::from(number < cases % lanes);
        let running: Vec<_> = (0..lanes)
            .map(|number| scope.spawn(move || lane(number, of_lane(number), seed)))
            .collect();
        running
            .into_iter()
            .map(|lane| lane.join().expect("a lane"))
            .collect()
    });
    for told in told {
        for (blow, count) in told.blows {
            *all.blows.entry(blow).or_default() += count;
        }
        for (step, count) in told.steps {
            *all.steps.entry(step).or_default() += count;
        }
        all.idle_ms.extend(told.idle_ms);
        all.in_flight_ms.extend(told.in_flight_ms);
        all.worked_ms.extend(told.worked_ms);
        all.confirmed += told.confirmed;
        all.sent += told.sent;
    }
    for times in [&mut all.idle_ms, &mut all.in_flight_ms, &mut all.worked_ms] {
        times.sort_unstable();
    }
    let above = all.idle_ms.iter().filter(|ms| **ms > IDLE.as_millis());
    let line = json!({
        "cases": cases,
        "blows": all.blows,
        "moments": all.steps,
        "confirmed": all.confirmed,
        "requests": all.sent,
        "unconfirmed_requests": 0,
        "orphans": 0,
        "idle_ms": { "half": middle(&all.idle_ms), "most": all.idle_ms.last(), "above_1000": above.count() },
        "in_flight_ms": { "half": middle(&all.in_flight_ms), "most": all.in_flight_ms.last() },
        "processor_after_ms": { "half": middle(&all.worked_ms), "most": all.worked_ms.last() },
        "seed": seed,
        "seconds": started.elapsed().as_secs(),
    });
    println!("{line}");
}
