//! M03: four hundred days in a few seconds. The simulator's clock is set day by day, and the command line bills,
//! reconciles, refunds and cancels; two walks from the same seed tell the same story to the letter.
//!
//! Compared are the JSON of every day's run and of every list at the end. Ids are random, so they are replaced by the
//! order in which they appear; instants are kept to the hour, because the machine's own seconds run on within a day.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::setup::sql;
use crate::shop::{Shop, text};

const DAYS: i64 = 400;
/// As if a minute had passed since a call was lost.
const MINUTE: &str = "update attempt set next_check_at = 0, lease_until = 0 where state = 'unknown' and next_check_at < 9000000000000000";
const BEGIN: &str = "2026-03-02T00:30:00Z";

/// Names for ids by the order in which they come.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn of(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for random in [
                    "payment_key",
                    "order_id",
                    "fingerprint",
                    "host",
                    "hash",
                    "chain",
                ] {
                    fields.remove(random);
                }
                fields.values_mut().for_each(|value| self.of(value));
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.of(value)),
            Value::String(text) => {
                if let Ok(at) = DateTime::parse_from_rfc3339(text) {
                    *text = at.format("%Y-%m-%dT%H").to_string();
                } else if is_id(text) {
                    let next = format!("{}#{}", &text[..3], self.0.len());
                    *text = self.0.entry(text.clone()).or_insert(next).clone();
                }
            }
            _ => {}
        }
    }
}

/// `sub_` and a ULID.
fn is_id(text: &str) -> bool {
    let mut parts = text.splitn(2, '_');
    let (prefix, ulid) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    prefix.len() == 3 && ulid.len() == 26 && ulid.chars().all(|c| c.is_ascii_alphanumeric())
}

/// What goes wrong on a day.
fn trouble(shop: &Shop, day: i64) {
    let strike = |fault: &str, skip: i64| {
        shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": fault, "skip": skip }));
    };
    match day % 30 {
        4 => strike("decline", 1),
        9 => strike("lost_after_commit", 0),
        14 => strike("lost_before_commit", 1),
        19 => strike("rate_limited", 0),
        24 => strike("http_error", 0),
        _ => {}
    }
}

/// What a person does on a day.
fn act(shop: &Shop, day: i64) -> Option<Value> {
    let words = match day % 100 {
        40 => {
            let rows = shop
                .json(&["list", "payments", "--limit", "1"])
                .expect(0)
                .lines();
            let payment = text(&rows[0], "id");
            vec![
                "refund".to_owned(),
                payment,
                "--amount=1000".to_owned(),
                "--reason=asked".to_owned(),
            ]
        }
        70 => {
            let list = ["list", "subscriptions", "--filter", "status:active"];
            let rows = shop.json(&list).expect(0).lines();
            let row = rows.iter().find(|row| row["cancel_at"].is_null())?;
            vec!["cancel".to_owned(), text(row, "id"), "--at-end".to_owned()]
        }
        _ => return None,
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Some(shop.apply(&words).expect(0).object())
}

/// What the simulator took and gave back, less what we say about it.
fn difference(shop: &Shop) -> (i64, i64) {
    let mut sums = (0, 0);
    for entry in shop.simulator.ledger() {
        let amount = entry["amount"].as_i64().expect("an amount");
        match entry["kind"].as_str() {
            Some("charge") => sums.0 += amount,
            _ => sums.1 += amount,
        }
    }
    for row in shop.json(&["list", "payments", "--all"]).expect(0).lines() {
        let minor = |key: &str| row[key]["minor"].as_i64().expect("an amount");
        sums.0 -= minor("captured");
        sums.1 -= minor("refunded");
    }
    sums
}

struct Walked {
    story: String,
    took: Duration,
    charges: usize,
}

fn walked() -> Walked {
    let started = Instant::now();
    let shop = Shop::demo_at(60, 300, BEGIN);
    shop.replace_line("[billing]", "[billing]\nconcurrency = 1");
    // The demo's own unknown attempts are looked up by the machine's time, which no walk repeats.
    let rest = "update attempt set next_check_at = 9000000000000000 where state in ('ready', 'sent', 'unknown')";
    sql(&shop, rest);
    let different = difference(&shop);
    let begin: DateTime<Utc> = BEGIN.parse().expect("an instant");
    let mut story = Vec::new();
    let before = shop.simulator.executed("charge");
    for day in 1..=DAYS {
        let now = (begin + TimeDelta::days(day)).to_rfc3339();
        shop.simulator.post("clock", &json!({ "set": now }));
        trouble(&shop, day);
        let run = shop.json(&["bill", "run"]);
        assert!([0, 4].contains(&run.code), "day {day}: {run:?}");
        let run = run.object();
        let is_unknown = run["unknown"] != json!(0);
        story.push(run);
        shop.simulator.no_faults();
        if is_unknown {
            sql(&shop, MINUTE);
            story.push(shop.json(&["reconcile"]).expect(0).object());
        }
        story.extend(act(&shop, day));
    }
    for list in [
        &["list", "subscriptions", "--all"][..],
        &["list", "payments", "--all"],
        &["list", "failed", "--all"],
        &["list", "runs", "--all"],
        &["report", "mrr"],
        &["report", "revenue"],
    ] {
        story.extend(shop.json(list).expect(0).lines());
    }
    let open = shop
        .json(&["unknown", "list", "--limit", "1000"])
        .expect(0)
        .lines();
    let is_ours = |row: &&Value| text(row, "next_check_at").as_str() < "2200";
    let stuck = open.iter().filter(is_ours).count();
    assert_eq!(stuck, 0, "stuck");
    assert_eq!(difference(&shop), different, "the books are not equal");
    assert_eq!(
        shop.json(&["audit", "verify"]).expect(0).object()["intact"],
        true
    );
    let mut names = Names::default();
    story.iter_mut().for_each(|value| names.of(value));
    let story: Vec<String> = story.iter().map(Value::to_string).collect();
    Walked {
        story: story.join("\n"),
        took: started.elapsed(),
        charges: shop.simulator.executed("charge") - before,
    }
}

#[test]
fn m03_two_walks_of_four_hundred_days_tell_the_same_story() {
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(walked);
        (walked(), other.join().expect("a walk"))
    });
    let differs = one
        .story
        .lines()
        .zip(other.story.lines())
        .find(|(a, b)| a != b);
    assert_eq!(differs, None);
    assert_eq!(one.story.lines().count(), other.story.lines().count());
    assert!(one.charges > 200, "{} charges", one.charges);
    let line = json!({
        "days": DAYS,
        "charges": one.charges,
        "lines_compared": one.story.lines().count(),
        "seconds": [one.took.as_secs(), other.took.as_secs()],
    });
    println!("{line}");
}
