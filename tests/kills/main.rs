//! The real binary, killed with -9 while it bills, retries, refunds and reconciles, over a file of SQLite and over
//! PostgreSQL, against the simulator as a process of its own. Half of the kills strike at named points (`points`),
//! which a door between the two and a look into the database hold still; the others at any moment. Afterwards its
//! ledger and our payments must agree to the won. `run` kills one billing run of five hundred rows until it is through.
//!
//! `KILLS=5000 cargo test --release --test kills -- --nocapture` kills more often; `KILLS_SEED` chooses
//! other moments. Each test ends with one line of JSON.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that cannot be set up has failed; real processes take real time; the line of figures is for whoever asked for it"
)]

mod dice;
mod door;
mod eyes;
mod killing;
mod points;
#[expect(dead_code, reason = "the stories of the engine use the rest")]
#[path = "../support/postgres.rs"]
mod postgres;
mod run;
#[expect(dead_code, reason = "the tests of the command line use the rest")]
#[path = "../cli/shop.rs"]
mod shop;

use std::time::Instant;

use eyes::Eyes;
use killing::Killing;
use points::Side;
use serde_json::json;
use shop::{Shop, text};

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

fn seed() -> u64 {
    number("KILLS_SEED", 20_261_121)
}

fn killed_and_compared(name: &str, side: Side, shop: Shop, eyes: Eyes, kills: u64) {
    let started = Instant::now();
    let mut killing = Killing::of(side, shop, eyes, seed());
    killing.until_killed(kills);
    killing.settle();
    let compared = killing.compare();
    let at_points: u64 = killing.at_points.values().sum();
    assert_eq!(
        killing.at_points.len(),
        side.points().len(),
        "a point was left out"
    );
    let line = json!({
        "database": name,
        "provider": format!("{side:?}").to_lowercase(),
        "kills": killing.killed,
        "at_named_points": at_points,
        "points": killing.at_points.len(),
        "ended_before": killing.ended,
        "ledger": compared,
        "stuck": 0,
        "audit_records": killing.audited(),
        "seed": seed(),
        "seconds": started.elapsed().as_secs(),
    });
    println!("{line}");
}

/// A plan in dollars, which the rules send to the second provider.
fn plan_abroad(shop: &Shop) {
    let plan = ["plan", "create", "global-month", "--name", "Global monthly"];
    let price = ["--price", "49.00", "--currency", "USD"];
    shop.json(&[&plan[..], &price[..]].concat()).expect(0);
}

/// A customer with a card at the second provider.
fn customer_abroad(shop: &Shop, name: &str) -> String {
    let made = shop.json(&["customer", "create", "--name", name]);
    let id = text(&made.expect(0).object(), "id");
    let add = ["method", "add", "--customer", &id];
    let card = ["--auth-key", "pm_card_visa"];
    shop.json(&[&add[..], &card[..]].concat()).expect(0);
    id
}

/// A dozen subscribers of this provider.
fn subscribers(shop: &Shop, side: Side) {
    match side {
        Side::Toss => shop.plan(),
        Side::Stripe => {
            shop.add_lines("[provider.stripe]\nsecret_key = \"sk_test_paydeck_sim\"");
            plan_abroad(shop);
        }
    }
    for _ in 0..12 {
        let customer = match side {
            Side::Toss => shop.customer("김서현").0,
            Side::Stripe => customer_abroad(shop, "Amelia Hart"),
        };
        let plan = match side {
            Side::Toss => "basic-month",
            Side::Stripe => "global-month",
        };
        shop.apply(&["subscribe", &customer, plan]).expect(0);
    }
}

fn on_postgres(side: Side) {
    let Some(database) = postgres::database() else {
        return;
    };
    let shop = Shop::over(Some(&database.url));
    subscribers(&shop, side);
    let eyes = Eyes::on_server(&database.url);
    killed_and_compared("postgres", side, shop, eyes, number("KILLS", 100));
}

#[test]
fn a_hundred_kills_over_sqlite_charge_nobody_twice_and_lose_nothing() {
    let shop = Shop::demo(150, 600);
    let eyes = Eyes::on_file(&shop.path("paydeck.db"));
    killed_and_compared("sqlite", Side::Toss, shop, eyes, number("KILLS", 100));
}

#[test]
fn a_hundred_kills_over_postgres_charge_nobody_twice_and_lose_nothing() {
    on_postgres(Side::Toss);
}

#[test]
fn a_hundred_kills_between_two_steps_over_sqlite_charge_nobody_twice() {
    let shop = Shop::over(None);
    subscribers(&shop, Side::Stripe);
    let eyes = Eyes::on_file(&shop.path("paydeck.db"));
    killed_and_compared("sqlite", Side::Stripe, shop, eyes, number("KILLS", 100));
}

#[test]
fn a_hundred_kills_between_two_steps_over_postgres_charge_nobody_twice() {
    on_postgres(Side::Stripe);
}
