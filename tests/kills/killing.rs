//! One shop whose processes are killed, at named points and at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::door::{Call, Door, Hold};
use crate::eyes::Eyes;
use crate::points::{Moment, Point, Side, Work};
use crate::shop::{Shop, text};

const LATENCY_MS: u64 = 15;
const MONTH_DAYS: u64 = 31;
/// So often a named point may be missed because the process was faster.
const MOST_MISSES: u32 = 40;
/// A call that has not come to its point by then never will.
const PATIENCE: Duration = Duration::from_mins(5);

pub const LAST: &str = "select coalesce(max(id), 0) from attempt where id > $1";
pub const OPEN: &str =
    "select count(*) from attempt where id > $1 and state in ('ready', 'sent', 'unknown')";
const READY: &str = "select count(*) from attempt where id > $1 and state = 'ready'";
const SETTLED: &str = "select count(*) from attempt where id > $1 and settled_at is not null";
const DUE: &str = "select count(*) from subscription where next_due_at <= $1";
const DECLINED: &str = "select i.public_id from invoice i join subscription s on s.id = i.subscription_id \
    where i.id > $1 and i.state = 'open' and s.state in ('active', 'past_due') \
    and exists (select 1 from attempt a where a.invoice_id = i.id and a.kind = 'charge' and a.state = 'declined') \
    and not exists (select 1 from attempt a where a.invoice_id = i.id \
    and a.state in ('waiting_approval', 'ready', 'sent', 'unknown', 'succeeded'))";
const LAST_ASKED: &str = "select coalesce(max(id), 0) from approval where id > $1";
const ANY_ASKED: &str = "select count(*) from approval where id > $1";
const WAITING: &str = "select public_id from approval where state = 'waiting' and id > $1";
const REFUNDABLE: &str = "select public_id from payment \
    where id > $1 and captured_minor - refunded_minor - reserved_minor >= 1000 and is_duplicate = 0";
/// As if time had passed since the process died.
pub const TIME_PASSES: &str = "update attempt set lease_until = 0, next_check_at = 0, created_at = 0 \
    where id > $1 and state in ('ready', 'sent', 'unknown')";

/// From here on the shop reaches the simulator through the door.
pub fn go_by(shop: &Shop, door: &Door) {
    let config = std::fs::read_to_string(shop.config()).expect("configuration");
    let line = config
        .lines()
        .find(|line| line.starts_with("base_url = "))
        .expect("an address");
    shop.replace_line(line, &format!("base_url = \"{}\"", door.url()));
}

pub fn start(shop: &Shop, words: &[&str]) -> Child {
    shop.command(words)
        .arg("--json")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("start")
}

/// Kills it with -9; false when it had ended by itself.
pub fn kill(mut child: Child) -> bool {
    let has_ended = child.try_wait().expect("wait").is_some();
    child.kill().expect("kill -9");
    child.wait().expect("wait");
    !has_ended
}

pub struct Killing {
    pub shop: Shop,
    side: Side,
    pub door: Door,
    pub dice: Dice,
    eyes: Eyes,
    /// Attempts up to this one are the demo's: nobody can settle some of them.
    demo: i64,
    /// Payments of such attempts, on which the two sides differ until somebody looks.
    different_before: BTreeSet<String>,
    /// The longest a process lives before it is killed at no named point: about as long as it takes.
    longest_ms: u64,
    pub killed: u64,
    pub ended: u64,
    pub at_points: BTreeMap<&'static str, u64>,
}

impl Killing {
    pub fn of(side: Side, shop: Shop, mut eyes: Eyes, seed: u64) -> Self {
        let door = Door::before(&shop.simulator.url);
        go_by(&shop, &door);
        shop.simulator.post("latency", &json!({ "ms": LATENCY_MS }));
        let mut killing = Self {
            side,
            door,
            dice: Dice::new(seed),
            demo: eyes.number(LAST, 0),
            eyes,
            different_before: BTreeSet::new(),
            longest_ms: 200,
            shop,
            killed: 0,
            ended: 0,
            at_points: BTreeMap::new(),
        };
        killing.different_before = killing.compared().1;
        killing
    }

    fn kill(&mut self, child: Child) -> bool {
        let was_killed = kill(child);
        self.killed += u64::from(was_killed);
        self.ended += u64::from(!was_killed);
        was_killed
    }

    /// Starts a command and kills it at a random moment.
    fn kill_somewhere(&mut self, words: &[&str]) {
        let child = start(&self.shop, words);
        sleep(Duration::from_millis(self.dice.below(self.longest_ms)));
        let was_killed = self.kill(child);
        self.longest_ms = match was_killed {
            true => (self.longest_ms + 10).min(400),
            false => (self.longest_ms * 9 / 10).max(40),
        };
    }

    fn now(&self) -> i64 {
        let clock = json!({ "advance_seconds": 0 });
        let clock = self.shop.simulator.post("clock", &clock);
        clock["now_us"].as_i64().expect("a time")
    }

    fn advance(&self, days: u64) {
        let clock = json!({ "advance_seconds": days * 86_400 });
        self.shop.simulator.post("clock", &clock);
    }

    fn fault(&self, call: Call, fault: &Value, times: u32) {
        let endpoint = match (self.side, call) {
            (Side::Toss, Call::Charge | Call::Prepare) => "charge",
            (Side::Toss, Call::Cancel) => "cancel",
            (Side::Toss, Call::LookUp) => "order",
            (Side::Stripe, Call::Prepare) => "stripe_intent_create",
            (Side::Stripe, Call::Charge) => "stripe_intent_confirm",
            (Side::Stripe, Call::Cancel) => "stripe_refund",
            (Side::Stripe, Call::LookUp) => "stripe_intent",
        };
        self.shop
            .fault(&json!({ "match": { "endpoint": endpoint }, "fault": fault, "times": times }));
    }

    /// Invoices whose last charge was declined; where there is none, a month in which a few cards decline.
    fn declined(&mut self) -> Vec<String> {
        let declined = self.eyes.texts(DECLINED, 0);
        if !declined.is_empty() {
            return declined;
        }
        self.advance(MONTH_DAYS);
        let decline = match self.side {
            Side::Toss => json!("decline"),
            Side::Stripe => json!({ "kind": "decline", "code": "insufficient_funds" }),
        };
        self.fault(Call::Charge, &decline, 4);
        self.shop.json(&["bill", "run"]).expect(0);
        self.shop.simulator.no_faults();
        let declined = self.eyes.texts(DECLINED, 0);
        assert!(!declined.is_empty(), "a month without a declined charge");
        declined
    }

    /// Words that do one piece of work, planned where it needs a plan; none when the rows do not allow it.
    fn words(&mut self, work: Work) -> Option<Vec<String>> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let words: Vec<String> = match work {
            Work::BillRun => return Some(owned(&["bill", "run"])),
            Work::AskAbout(_) | Work::SendAgain(_) => return Some(owned(&["reconcile"])),
            Work::Retry => {
                let declined = self.declined();
                owned(&["retry", &self.dice.pick(&declined)?])
            }
            Work::Refund => self.refund(&["refund"])?,
            Work::Ask => [
                owned(&["--config", &self.asker()]),
                self.refund(&["refund", "--ask-approval"])?,
            ]
            .concat(),
            Work::Grant => owned(&["approve", "grant", &self.asked()?]),
        };
        let slices: Vec<&str> = words.iter().map(String::as_str).collect();
        let plan = self.shop.json(&[&slices[..], &["--dry-run"]].concat());
        if plan.code != 0 {
            return None;
        }
        let fingerprint = text(&plan.object(), "fingerprint");
        Some([words, owned(&["--yes", "--plan", &fingerprint])].concat())
    }

    fn refund(&mut self, words: &[&str]) -> Option<Vec<String>> {
        let amount = match self.side {
            Side::Toss => "100",
            Side::Stripe => "1.00",
        };
        let payments = self.eyes.texts(REFUNDABLE, 0);
        let payment = self.dice.pick(&payments)?;
        let words = [words, &[&payment, "--amount", amount, "--reason", "kill"]].concat();
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// The configuration of a person who has to ask before anything is given back.
    fn asker(&self) -> String {
        let path = self.shop.path("asker.toml");
        if !path.exists() {
            let uid = rustix::process::getuid().as_raw();
            // A copy is as private as what it was made from.
            std::fs::copy(self.shop.config(), &path).expect("a copy");
            let config = std::fs::read_to_string(self.shop.config()).expect("configuration");
            // Without the shop's own people and limits.
            let mut is_kept = true;
            let kept: Vec<&str> = config
                .lines()
                .filter(|line| {
                    if line.starts_with('[') {
                        is_kept = !line.starts_with("[people") && !line.starts_with("[limits");
                    }
                    is_kept
                })
                .collect();
            let person = format!(
                "[limits.refund]\nsupport = [\"1 KRW\", \"0.01 USD\"]\n\
                 [people.asker]\nroles = [\"support\"]\nuid = {uid}"
            );
            let config = format!("{}\n{person}\n", kept.join("\n"));
            std::fs::write(&path, config).expect("configuration");
        }
        path.to_str().expect("UTF-8").to_owned()
    }

    /// A request that waits for somebody else.
    fn asked(&mut self) -> Option<String> {
        if self.eyes.texts(WAITING, 0).is_empty() {
            let words = self.words(Work::Ask)?;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            self.shop.json(&words).expect(0);
        }
        let asked = self.eyes.texts(WAITING, 0);
        self.dice.pick(&asked)
    }

    /// What a point needs: rows that are due, or a call of which nobody knows what became.
    fn prepare(&mut self, work: Work) {
        match work {
            Work::Retry | Work::Refund | Work::Ask | Work::Grant => {}
            Work::BillRun => {
                let now = self.now();
                if self.eyes.number(DUE, now) < 4 {
                    self.advance(MONTH_DAYS);
                }
            }
            Work::AskAbout(call) => self.lose(call, "lost_after_commit"),
            Work::SendAgain(call) => self.lose(call, "lost_before_commit"),
        }
    }

    fn lose(&mut self, call: Call, fault: &str) {
        let work = match call {
            Call::Cancel => Work::Refund,
            Call::Prepare | Call::Charge | Call::LookUp => Work::Retry,
        };
        for _ in 0..MOST_MISSES {
            if let Some(words) = self.words(work) {
                self.fault(call, &json!(fault), 1);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.shop.json(&words).expect(4);
                return;
            }
        }
        panic!("nothing to lose an answer of");
    }

    /// Kills a process at this point; the next one has to make everything good.
    pub fn kill_at(&mut self, point: &Point) {
        for _ in 0..MOST_MISSES {
            let mark = self.eyes.number(LAST, 0);
            self.prepare(point.work);
            let Some(words) = self.words(point.work) else {
                continue;
            };
            self.eyes.change(TIME_PASSES, mark);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let was_killed = self.kill_when(&words, point.moment, mark);
            self.make_good(mark, point.name);
            if was_killed {
                *self.at_points.entry(point.name).or_default() += 1;
                return;
            }
        }
        panic!("{}: never reached", point.name);
    }

    fn kill_when(&mut self, words: &[&str], moment: Moment, mark: i64) -> bool {
        match moment {
            Moment::Written => self.kill_when_written(words, mark),
            Moment::Asked => {
                let asked = self.eyes.number(LAST_ASKED, 0);
                self.kill_once(words, ANY_ASKED, asked)
            }
            Moment::Settled => self.kill_once(words, SETTLED, mark),
            Moment::Held(call, hold) => {
                let child = self.start_until_held(words, call, hold);
                let was_killed = self.kill(child);
                self.door.throws_away();
                was_killed
            }
            Moment::Unsettled(call) => {
                let child = self.start_until_held(words, call, Hold::Answer);
                self.eyes.hold_writers();
                self.door.lets_through();
                let was_read = self.door.was_read(Duration::from_secs(30));
                let open = self.eyes.number(OPEN, mark);
                let was_killed = self.kill(child);
                self.eyes.let_writers_go();
                self.door.throws_away();
                // A process that had ended never came to the point.
                assert!(!was_killed || was_read, "the answer was not read");
                assert!(!was_killed || open > 0, "it was settled already");
                was_killed
            }
        }
    }

    /// Up to the moment a call is held, or the process has ended without one.
    fn start_until_held(&mut self, words: &[&str], call: Call, hold: Hold) -> Child {
        let spare = match words {
            ["bill", ..] => self.dice.below(3),
            _ => 0,
        };
        self.door.hold(call, hold, spare);
        let mut child = start(&self.shop, words);
        let started = Instant::now();
        while !self.door.holds(Duration::from_millis(2)) {
            if child.try_wait().expect("wait").is_some() {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{words:?} never got there");
        }
        child
    }

    /// Stops it while it may be there, looks again, and kills it only if it is.
    fn kill_when_written(&mut self, words: &[&str], mark: i64) -> bool {
        let mut child = start(&self.shop, words);
        let pid = i32::try_from(child.id()).expect("a number");
        let pid = Pid::from_raw(pid).expect("a process");
        while child.try_wait().expect("wait").is_none() {
            if self.eyes.number(READY, mark) == 0 {
                continue;
            }
            kill_process(pid, Signal::STOP).expect("stop");
            if self.eyes.number(READY, mark) > 0 {
                return self.kill(child);
            }
            kill_process(pid, Signal::CONT).expect("go on");
        }
        self.ended += 1;
        false
    }

    /// As soon as a row is there of which it has told nobody.
    fn kill_once(&mut self, words: &[&str], there: &'static str, mark: i64) -> bool {
        let mut child = start(&self.shop, words);
        while child.try_wait().expect("wait").is_none() {
            if self.eyes.number(there, mark) > 0 {
                return self.kill(child);
            }
        }
        self.ended += 1;
        false
    }

    /// Time passes, and the next process settles what the dead one left.
    fn make_good(&mut self, mark: i64, name: &str) {
        for _ in 0..5 {
            self.eyes.change(TIME_PASSES, mark);
            self.shop.json(&["reconcile"]).expect(0);
            if self.eyes.number(OPEN, mark) == 0 {
                return;
            }
        }
        panic!("{name}: left open by five processes");
    }

    /// Kills whatever somebody might be doing, at no particular moment.
    pub fn kill_anything(&mut self) {
        let work = match self.dice.below(10) {
            0 => {
                self.advance(3);
                return self.make_good(self.demo, "three days");
            }
            1 => Work::Retry,
            2 => Work::Refund,
            3 => Work::AskAbout(Call::Charge),
            4 => Work::Ask,
            5 => Work::Grant,
            _ => {
                self.prepare(Work::BillRun);
                Work::BillRun
            }
        };
        if let Some(words) = self.words(work) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            self.kill_somewhere(&words);
        }
    }

    pub fn until_killed(&mut self, kills: u64) {
        let points = self.side.points();
        let count = u64::try_from(points.len()).expect("a count");
        let rounds = (kills / 2 / count).max(1);
        for _ in 0..rounds {
            for point in &points {
                self.kill_at(point);
            }
        }
        while self.killed < kills {
            self.kill_anything();
        }
    }

    /// Bills and reconciles in peace until nothing is open that was not open before.
    pub fn settle(&mut self) {
        self.shop.simulator.post("latency", &json!({ "ms": 0 }));
        let started = Instant::now();
        loop {
            self.eyes.change(TIME_PASSES, self.demo);
            self.shop.json(&["bill", "run"]).expect(0);
            self.shop.json(&["reconcile"]).expect(0);
            let open = self.eyes.number(OPEN, self.demo);
            if open == 0 {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{open} stuck");
        }
    }

    /// Invoices with their charges at the simulator, and the payments on which it and we differ.
    fn compared(&self) -> (BTreeMap<String, u64>, BTreeSet<String>) {
        let mut theirs: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let mut per_invoice: BTreeMap<String, u64> = BTreeMap::new();
        for entry in self.shop.simulator.ledger() {
            let order = text(&entry, "orderId");
            let amount = entry["amount"].as_i64().expect("an amount");
            let sums = theirs.entry(text(&entry, "paymentKey")).or_default();
            if entry["kind"] == "charge" {
                sums.0 += amount;
                let invoice = order.rsplit_once('-').map_or("", |(invoice, _)| invoice);
                *per_invoice.entry(invoice.to_owned()).or_default() += 1;
            } else {
                sums.1 += amount;
            }
        }
        let listed = self.shop.json(&["list", "payments", "--all"]).expect(0);
        let mut ours: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for row in listed.lines() {
            let minor = |key: &str| row[key]["minor"].as_i64().expect("an amount");
            let sums = (minor("captured"), minor("refunded"));
            ours.insert(text(&row, "payment_key"), sums);
        }
        let keys = theirs.keys().chain(ours.keys());
        let different = keys.filter(|key| theirs.get(*key) != ours.get(*key));
        let different = different.cloned().collect();
        (per_invoice, different)
    }

    /// Every charge and cancel of the simulator beside every payment of ours.
    pub fn compare(&self) -> Value {
        let (per_invoice, different) = self.compared();
        let double = per_invoice.values().filter(|charges| **charges > 1).count();
        let different: Vec<&String> = different.difference(&self.different_before).collect();
        assert_eq!(double, 0, "invoices were charged twice");
        assert!(different.is_empty(), "{different:?}");
        json!({ "charges": per_invoice.len(), "double": double, "mismatch": different.len() })
    }

    /// How many records the trail has, after every chain was followed to its end.
    pub fn audited(&self) -> Value {
        let audit = self.shop.json(&["audit", "verify"]).expect(0).object();
        assert_eq!(audit["intact"], true, "{audit}");
        audit["records"].clone()
    }
}
