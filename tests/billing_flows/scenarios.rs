//! One file per fault in `assets/scenarios`: what is given, what goes wrong, what must come of it.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;

use paydeck::domain::attempt::AlsoCancel;
use paydeck::domain::payment::RefundAmount;
use paydeck::engine::Request;

use crate::world::{PATIENT, World, on_each, won};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub title: String,
    given: Given,
    #[serde(rename = "do")]
    pub action: Action,
    #[serde(default)]
    clock: Skew,
    #[serde(default)]
    pub fault: Vec<Struck>,
    pub expect: Expected,
}

/// How far our clock is from the provider's. Leases and look-ups go by the database's time, which stays.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Skew {
    /// During the action.
    minutes: i64,
    /// While what became of it is looked up.
    later_minutes: i64,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Given {
    /// A subscription whose renewal is due.
    Due,
    /// A paid one that is not due.
    Paid,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Run,
    Refund,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Struck {
    pub endpoint: String,
    pub fault: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The attempt, right after the action.
    first: String,
    /// The attempt, when everything that can be learnt was learnt.
    pub attempt: String,
    invoice: String,
    subscription: String,
    dunning: Option<String>,
    /// Executed by the provider during the scenario.
    pub charges: i64,
    pub cancels: i64,
    /// People called.
    pages: i64,
}

const ATTEMPT: &str = "select state from attempt order by id desc limit 1";
const INVOICE: &str = "select state from invoice order by id desc limit 1";
const DUNNING: &str = "select dunning from invoice order by id desc limit 1";
const SUBSCRIPTION: &str = "select state from subscription order by id desc limit 1";
const PAGES: &str = "select count(*) from outbox where kind = 'page'";

async fn act(w: &World, action: Action) {
    match action {
        Action::Run => drop(w.run().await),
        Action::Refund => {
            let refund = Request::Refund {
                payment: w.last_payment().await,
                amount: RefundAmount::Partial(won(3_000)),
                reason: "asked".into(),
                also_cancel: AlsoCancel::No,
            };
            w.act(refund).await.expect("an outcome");
        }
    }
}

async fn play(w: &World, name: &str, scenario: &Scenario) {
    let title = &scenario.title;
    w.subscriber(name).await;
    if scenario.given == Given::Due {
        w.advance_days(31).await;
    }
    let (charges, cancels) = w.executed().await;
    let pages = w.number(PAGES).await;
    for struck in &scenario.fault {
        w.fault(&struck.endpoint, struck.fault.clone(), 1).await;
    }
    let agreed = w.clock_now();
    w.clock
        .set(agreed + TimeDelta::minutes(scenario.clock.minutes));
    act(w, scenario.action).await;
    let expect = &scenario.expect;
    assert_eq!(w.text(ATTEMPT).await, expect.first, "{title}: at first");
    w.clock
        .set(agreed + TimeDelta::minutes(scenario.clock.later_minutes));
    for _ in 0..4 {
        w.expire_leases().await;
        w.reconcile().await;
    }
    w.clock.set(agreed);
    w.no_faults().await;
    assert_eq!(
        w.text(ATTEMPT).await,
        expect.attempt,
        "{title}: the attempt"
    );
    assert_eq!(
        w.text(INVOICE).await,
        expect.invoice,
        "{title}: the invoice"
    );
    assert_eq!(w.text(SUBSCRIPTION).await, expect.subscription, "{title}");
    if let Some(dunning) = &expect.dunning {
        assert_eq!(w.text(DUNNING).await, *dunning, "{title}: dunning");
    }
    let (charges_then, cancels_then) = w.executed().await;
    let moved = (charges_then - charges, cancels_then - cancels);
    assert_eq!(
        moved,
        (expect.charges, expect.cancels),
        "{title}: the provider's ledger"
    );
    assert_eq!(
        w.number(PAGES).await - pages,
        expect.pages,
        "{title}: people called"
    );
    w.books_are_straight().await;
    // Nothing of it is due or open in the next scenario.
    w.change(
        "update attempt set state = 'not_executed', next_check_at = null where state = 'unknown'",
    )
    .await;
    w.change("update subscription set next_due_at = null").await;
    w.change("update invoice set dunning = 'idle', next_attempt_at = null")
        .await;
}

impl Scenario {
    /// How long somebody waits for an answer in it: not long where none comes in time.
    pub fn patience(&self) -> Duration {
        if self.fault.iter().any(Struck::outlasts_patience) {
            Duration::from_secs(2)
        } else {
            PATIENT
        }
    }
}

impl Struck {
    pub fn outlasts_patience(&self) -> bool {
        self.fault["ms"].as_i64().is_some_and(|ms| ms >= 60_000)
    }
}

pub fn every_scenario() -> Vec<(String, Scenario)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios");
    let mut scenarios: Vec<(String, Scenario)> = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a file");
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let scenario = toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, scenario)
        })
        .collect();
    scenarios.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(scenarios.len() >= 15, "{} scenarios", scenarios.len());
    scenarios
}

#[tokio::test]
async fn every_scenario_ends_as_its_file_says() {
    let scenarios = every_scenario();
    on_each(async |mut w| {
        w.without_rules_of_declaring().await;
        for (name, scenario) in &scenarios {
            w.is_in_a_hurry(scenario.patience()).await;
            play(&w, name, scenario).await;
        }
        w.audit_is_intact().await;
    })
    .await;
}
