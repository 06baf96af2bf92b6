//! What newcomers stumbled over at the command line, and does not happen again.

use serde_json::json;

use crate::shop::{Shop, paydeck, run, text};

#[test]
fn a_bare_ending_of_an_id_shows_what_it_belongs_to() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    for (id, object) in [
        (&subscriber.subscription, "subscription"),
        (&subscriber.customer, "customer"),
        (&subscriber.payment, "timeline"),
    ] {
        let ending = &id[id.len() - 8..];
        for typed in [ending.to_owned(), ending.to_lowercase()] {
            let shown = shop.json(&["show", &typed]).expect(0).object();
            let same = shop.json(&["show", id]).expect(0).object();
            assert_eq!(shown, same, "{object} {typed}");
        }
    }
    let nothing = shop.json(&["show", "ZZZZZZZZ"]).expect(8);
    assert_eq!(nothing.error()["code"], "not_found");
}

#[test]
fn help_is_in_the_language_of_the_settings_file() {
    let shop = Shop::open();
    let helped = || {
        let mut command = paydeck(&shop.path(""));
        command.args(["--config"]).arg(shop.config()).arg("--help");
        command.env("LANG", "C.UTF-8").env_remove("LC_ALL");
        run(&mut command).expect(0)
    };
    let english = helped();
    assert!(english.out.contains("Usage:"), "{}", english.out);
    shop.replace_line("#lang = \"auto\"", "lang = \"ko\"");
    let korean = helped();
    assert!(!korean.out.contains("Usage:"), "{}", korean.out);
}

#[test]
fn a_plan_of_a_first_charge_names_its_order_and_a_second_subscription_has_no_plan() {
    let shop = Shop::open();
    shop.plan();
    let (customer, _) = shop.customer("김서현");
    let subscribe = ["subscribe", &customer, "basic-month"];
    let mut rehearsal = subscribe.to_vec();
    rehearsal.push("--dry-run");
    let plan = shop.json(&rehearsal).expect(0).object();
    let order = text(&plan["call"], "order_id");
    assert!(order.starts_with("pd") && order.ends_with("-1"), "{order}");
    assert_eq!(text(&plan["call"], "idempotency_key").len(), 64);
    shop.apply(&subscribe).expect(0);
    let charges = shop.simulator.ledger();
    assert!(
        charges.iter().any(|row| row.to_string().contains(&order)),
        "{charges:?}"
    );
    let second = shop.json(&rehearsal).expect(6);
    assert_eq!(second.error()["code"], "one_subscription");
}

#[test]
fn rows_of_a_run_come_to_what_was_due() {
    let shop = Shop::demo(40, 200);
    let ran = shop.apply(&["bill", "run"]).expect(0);
    let runs = ran.lines();
    let run = runs
        .iter()
        .find(|row| row["object"] == "run")
        .expect("the run");
    let number = |name: &str| run[name].as_u64().unwrap_or_default();
    let decided: u64 = run["decisions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| row["decision"] != json!("skipped_catch_up"))
        .filter_map(|row| row["count"].as_u64())
        .sum();
    assert_eq!(
        decided + number("under_way") + number("not_taken"),
        number("due")
    );
}

#[test]
fn an_export_of_nothing_has_the_head_that_one_with_rows_has() {
    let (empty, full) = (Shop::open(), Shop::demo(60, 600));
    for list in [
        "customers",
        "subscriptions",
        "renewals",
        "failed",
        "payments",
        "plans",
        "unknown",
        "runs",
        "events",
        "activity",
    ] {
        let head = |shop: &Shop| {
            let words = ["export", list, "--csv", "--out", "-"];
            let csv = shop.human(&words).expect(0).out;
            let lines = csv.split_inclusive('\n').count();
            let head = csv.split_inclusive('\n').next().unwrap_or_default();
            (head.to_owned(), lines)
        };
        let ((bare, lines), (with_rows, _)) = (head(&empty), head(&full));
        assert_eq!(bare, with_rows, "{list}");
        assert!(bare.starts_with("object,"), "{list}: {bare:?}");
        assert!(lines == 1 || list == "activity", "{list}: {lines}");
    }
}

/// One subscription that Stripe schedules.
fn mirrored(shop: &Shop) {
    let (at, key) = (&shop.simulator.url, "sk_test_paydeck_sim");
    shop.add_lines(&format!(
        "[provider.stripe]\nbase_url = \"{at}\"\nsecret_key = \"{key}\""
    ));
    let stripe = |path: &str, form: &str| shop.simulator.at_stripe(path, form);
    let customer = stripe("customers", "name=Hana");
    let of = format!("customer={customer}");
    let card = stripe("payment_methods/pm_card_visa/attach", &of);
    let chosen = format!("invoice_settings[default_payment_method]={card}");
    stripe(&format!("customers/{customer}"), &chosen);
    let product = stripe("products", "name=Gold");
    let price = format!("product={product}&currency=usd&unit_amount=900&recurring[interval]=month");
    let price = stripe("prices", &price);
    let subscription = stripe("subscriptions", &format!("{of}&items[0][price]={price}"));
    shop.json(&["mirror", "add", &subscription]).expect(0);
}

#[test]
fn what_was_reconciled_is_told_also_where_the_mirror_could_not_be_followed() {
    let shop = Shop::open();
    mirrored(&shop);
    let silent = json!({ "kind": "rate_limited" });
    shop.fault(
        &json!({ "match": { "endpoint": "stripe_events" }, "fault": silent, "times": "always" }),
    );
    let ran = shop.json(&["reconcile"]).expect(7);
    assert_eq!(ran.error()["code"], "not_answered");
    let told = ran.object();
    assert_eq!(
        (&told["object"], &told["mirror"]),
        (&json!("reconciled"), &json!("failed"))
    );
    let pulled = shop.json(&["mirror", "pull"]).expect(7);
    assert_eq!(pulled.error()["code"], "not_answered");
    assert_eq!(pulled.object()["object"], "pulled");
    shop.simulator.no_faults();
    let told = shop.json(&["reconcile"]).expect(0).object();
    assert_eq!(told["mirror"], "followed");
}
