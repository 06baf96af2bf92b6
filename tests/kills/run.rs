//! D07: one billing run of five hundred rows, killed fifty times until it is through.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::door::Door;
use crate::eyes::Eyes;
use crate::killing::{LAST, OPEN, TIME_PASSES, go_by, kill, start};
use crate::shop::{Shop, text};
use crate::{number, seed};

const ROWS: u64 = 500;

const LAST_ITEM: &str = "select coalesce(max(id), 0) from run_item where id > $1";
/// Older periods of a weekly plan are written down for a person beside the one that is billed.
const DECIDED: &str = "select s.public_id || ' ' || coalesce(v.public_id, '') from run_item i \
    join subscription s on s.id = i.subscription_id left join invoice v on v.id = i.invoice_id \
    where i.id > $1 and i.decision <> 'skipped_catch_up'";
const UNDECIDED: &str = "select count(*) from run_item where id > $1 and decision is null";
const ATTEMPTED: &str = "select p.public_id from attempt a join subscription p on p.id = a.subscription_id \
    where a.id > $1 and a.kind = 'charge' order by 1";
const CHARGED: &str = "select order_id from attempt where id > $1 and kind = 'charge' and state = 'succeeded' order by 1";
const INTERRUPTED: &str = "select count(*) from run where id > $1 and finished_at is not null";

/// Everything that is due: the subscriptions that renew or end, the invoices that are tried again.
fn due(shop: &Shop) -> BTreeSet<String> {
    let rows = shop.json(&["bill", "run", "--dry-run"]).expect(0).lines();
    let named = |row: &Value| match row["invoice_id"].as_str() {
        Some(invoice) => invoice.to_owned(),
        None => text(row, "subscription_id"),
    };
    let rows = rows.iter().filter(|row| row["object"] == "due");
    rows.map(named).collect()
}

fn charged_there(shop: &Shop) -> BTreeMap<String, u64> {
    let mut orders = BTreeMap::new();
    for entry in shop.simulator.ledger() {
        if entry["kind"] == "charge" {
            *orders.entry(text(&entry, "orderId")).or_default() += 1;
        }
    }
    orders
}

#[test]
fn d07_a_run_of_five_hundred_rows_killed_fifty_times_bills_each_row_once() {
    let started = Instant::now();
    let kills = number("RUN_KILLS", 50);
    let shop = Shop::demo(2_600, 7_800);
    let month = json!({ "advance_seconds": 31 * 86_400 });
    shop.simulator.post("clock", &month);
    let door = Door::before(&shop.simulator.url);
    go_by(&shop, &door);
    shop.replace_line("[billing]", "[billing]\nconcurrency = 2");
    shop.simulator.post("latency", &json!({ "ms": 10 }));
    let mut eyes = Eyes::on_file(&shop.path("paydeck.db"));
    let mut dice = Dice::new(seed());
    let (last_attempt, last_item) = (eyes.number(LAST, 0), eyes.number(LAST_ITEM, 0));
    let last_run = eyes.number("select coalesce(max(id), 0) from run where id > $1", 0);
    let before = charged_there(&shop);
    let due = due(&shop);
    let rows = u64::try_from(due.len()).expect("a count");
    assert!(rows >= ROWS, "only {rows} rows are due");

    // No process gets so far that fifty of them would finish; what it has claimed and not sent counts as well.
    let claimed_ahead = 4;
    let at_first = door.charges();
    for killed in 0..kills {
        let used = door.charges() - at_first + claimed_ahead * killed;
        let share = rows.saturating_sub(used) / (kills - killed);
        let goal = door.charges() + dice.below((share * 2).saturating_sub(claimed_ahead * 2));
        let mut child = start(&shop, &["bill", "run"]);
        while door.charges() < goal {
            let has_ended = child.try_wait().expect("wait").is_some();
            assert!(!has_ended, "through after {killed} kills");
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(dice.below(10)));
        assert!(kill(child), "through after {killed} kills");
    }
    let left = u64::try_from(crate::run::due(&shop).len()).expect("a count");
    assert!(left > 0, "through before the last process");

    shop.json(&["bill", "run"]).expect(0);
    for _ in 0..5 {
        eyes.change(TIME_PASSES, last_attempt);
        shop.json(&["reconcile"]).expect(0);
    }
    assert_eq!(eyes.number(OPEN, last_attempt), 0, "stuck");
    assert_eq!(
        eyes.number(UNDECIDED, last_item),
        0,
        "rows without an outcome"
    );
    let mut decided: Vec<String> = eyes
        .texts(DECIDED, last_item)
        .iter()
        .map(|both| both.split_once(' ').expect("two ids"))
        .map(|(subscription, invoice)| match due.contains(invoice) {
            true => invoice.to_owned(),
            false => subscription.to_owned(),
        })
        .collect();
    decided.sort();
    let due: Vec<String> = due.into_iter().collect();
    assert!(decided == due, "{} outcomes for {rows} rows", decided.len());
    let attempted = eyes.texts(ATTEMPTED, last_attempt);
    let once: BTreeSet<&String> = attempted.iter().collect();
    assert_eq!(
        attempted.len(),
        once.len(),
        "one attempt for each subscription"
    );
    let now = charged_there(&shop);
    assert!(
        now.values().all(|charges| *charges == 1),
        "an order was charged twice"
    );
    let new: Vec<String> = now
        .into_keys()
        .filter(|order| !before.contains_key(order))
        .collect();
    assert!(
        eyes.texts(CHARGED, last_attempt) == new,
        "charged there and paid here"
    );
    let line = json!({
        "run_rows": rows,
        "kills": kills,
        "left_for_the_last_process": left,
        "outcomes": decided.len(),
        "charged": new.len(),
        "duplicates": 0,
        "runs_closed": eyes.number(INTERRUPTED, last_run),
        "seed": seed(),
        "seconds": started.elapsed().as_secs(),
    });
    println!("{line}");
}
