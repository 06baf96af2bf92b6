//! The real binary, killed with -9 at random moments while it bills, retries, refunds and reconciles,
//! over a file of SQLite and over PostgreSQL, against the simulator as a process of its own. Afterwards
//! its ledger and our payments must agree to the won.
//!
//! `KILLS=5000 cargo test --release --test kills -- --nocapture` kills more often; `KILLS_SEED` chooses
//! other moments. Each database ends with one line of JSON.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that cannot be set up has failed; real processes take real time; the line of figures is for whoever asked for it"
)]

#[path = "../support/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "the tests of the command line use the rest")]
#[path = "../cli/shop.rs"]
mod shop;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shop::{Shop, text};

/// Moments and choices that a seed repeats; how far a process got by then, it does not.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides.max(1)
    }

    fn pick<'a>(&mut self, from: &'a [String]) -> Option<&'a str> {
        let length = u64::try_from(from.len()).expect("a length");
        let at = usize::try_from(self.below(length)).expect("an index");
        from.get(at).map(String::as_str)
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The longest a process lives before it is killed: time for several commits.
const LONGEST_MS: u64 = 400;
const LATENCY_MS: u64 = 15;

struct Killing {
    shop: Shop,
    dice: Dice,
    /// Attempts that nobody can settle: the demo shows some.
    open_before: BTreeSet<String>,
    /// Payments of such attempts, on which the two sides differ until somebody looks.
    different_before: BTreeSet<String>,
    killed: u64,
    ended: u64,
}

impl Killing {
    fn of(shop: Shop, seed: u64) -> Self {
        let latency = json!({ "ms": LATENCY_MS });
        shop.simulator.post("latency", &latency);
        let mut killing = Self {
            dice: Dice(seed | 1),
            open_before: open_orders(&shop),
            different_before: BTreeSet::new(),
            shop,
            killed: 0,
            ended: 0,
        };
        killing.different_before = killing.compared().1;
        killing
    }

    /// Starts a command and kills it at a random moment, unless it has ended by then.
    fn kill(&mut self, words: &[&str]) {
        let mut child = self
            .shop
            .command(words)
            .arg("--json")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start");
        sleep(Duration::from_millis(self.dice.below(LONGEST_MS)));
        let has_ended = child.try_wait().expect("wait").is_some();
        child.kill().expect("kill -9");
        child.wait().expect("wait");
        self.killed += u64::from(!has_ended);
        self.ended += u64::from(has_ended);
    }

    fn ids(&self, words: &[&str], key: &str) -> Vec<String> {
        let rows = self.shop.json(words).expect(0).lines();
        rows.iter().map(|row| text(row, key)).collect()
    }

    /// Plans, and is killed while it applies.
    fn kill_apply(&mut self, words: &[&str]) {
        let plan = self.shop.json(&[words, &["--dry-run"]].concat());
        if plan.code == 0 {
            let fingerprint = text(&plan.object(), "fingerprint");
            self.kill(&[words, &["--yes", "--plan", &fingerprint]].concat());
        }
    }

    fn advance(&self, days: u64) {
        let clock = json!({ "advance_seconds": days * 86_400 });
        self.shop.simulator.post("clock", &clock);
    }

    fn until_killed(&mut self, kills: u64) {
        while self.killed < kills {
            match self.dice.below(8) {
                0 => self.advance(3),
                1 => {
                    let failed = self.ids(&["list", "failed"], "invoice_id");
                    if let Some(invoice) = self.dice.pick(&failed).map(str::to_owned) {
                        self.kill_apply(&["retry", &invoice]);
                    }
                }
                2 => {
                    let payments = self.ids(&["list", "payments"], "id");
                    if let Some(payment) = self.dice.pick(&payments).map(str::to_owned) {
                        let words = ["refund", &payment, "--amount", "100", "--reason", "kill"];
                        self.kill_apply(&words);
                    }
                }
                3 => self.kill(&["reconcile"]),
                _ => self.kill(&["bill", "run"]),
            }
        }
    }

    /// Bills and reconciles in peace until nothing is open that was not open before.
    fn settle(&self) {
        self.shop.simulator.post("latency", &json!({ "ms": 0 }));
        let started = Instant::now();
        loop {
            self.shop.json(&["bill", "run"]).expect(0);
            self.shop.json(&["reconcile"]).expect(0);
            let open: Vec<String> = open_orders(&self.shop)
                .difference(&self.open_before)
                .cloned()
                .collect();
            if open.is_empty() {
                return;
            }
            assert!(
                started.elapsed() < Duration::from_mins(3),
                "stuck: {open:?}"
            );
            sleep(Duration::from_millis(500));
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
    fn compare(&self) -> Value {
        let (per_invoice, different) = self.compared();
        let double = per_invoice.values().filter(|charges| **charges > 1).count();
        let different: Vec<&String> = different.difference(&self.different_before).collect();
        assert_eq!(double, 0, "{per_invoice:?}");
        assert!(different.is_empty(), "{different:?}");
        json!({ "charges": per_invoice.len(), "double": double, "mismatch": different.len() })
    }
}

/// Order ids and refund tags of attempts that are not settled.
fn open_orders(shop: &Shop) -> BTreeSet<String> {
    let open = shop.json(&["unknown", "list", "--limit", "1000"]).expect(0);
    open.lines()
        .iter()
        .map(|row| text(row, "order_id"))
        .collect()
}

fn killed_and_compared(name: &str, shop: Shop, kills: u64) {
    let seed = number("KILLS_SEED", 20_261_121);
    let started = Instant::now();
    let mut killing = Killing::of(shop, seed);
    killing.until_killed(kills);
    killing.settle();
    let compared = killing.compare();
    let audit = killing.shop.json(&["audit", "verify"]).expect(0).object();
    assert_eq!(audit["intact"], true, "{audit}");
    let line = json!({
        "database": name,
        "kills": killing.killed,
        "ended_before": killing.ended,
        "ledger": compared,
        "stuck": 0,
        "audit_records": audit["records"],
        "seed": seed,
        "seconds": started.elapsed().as_secs(),
    });
    println!("{line}");
}

#[test]
fn a_hundred_kills_over_sqlite_charge_nobody_twice_and_lose_nothing() {
    let shop = Shop::demo(600, 3_000);
    killed_and_compared("sqlite", shop, number("KILLS", 100));
}

#[test]
fn a_hundred_kills_over_postgres_charge_nobody_twice_and_lose_nothing() {
    let Some(database) = postgres::database() else {
        return;
    };
    let shop = Shop::over(Some(&database.url));
    shop.plan();
    for _ in 0..12 {
        let (customer, _) = shop.customer("김서현");
        shop.apply(&["subscribe", &customer, "basic-month"])
            .expect(0);
    }
    killed_and_compared("postgres", shop, number("KILLS", 100));
}
