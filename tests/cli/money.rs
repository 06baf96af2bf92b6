//! Money over the command line, counted in the simulator's ledger.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::shop::{Shop, Subscriber, text};

/// An invoice that is open after a declined first charge.
fn declined(shop: &Shop) -> (String, String) {
    shop.plan();
    let (customer, _) = shop.customer("강지호");
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "decline", "code": "REJECT_CARD_PAYMENT" } }));
    let object = shop
        .apply(&["subscribe", &customer, "basic-month"])
        .expect(3)
        .object();
    (customer, text(&object, "invoice_id"))
}

#[test]
fn b02_retry_pressed_five_times_with_a_kill_between_charges_once() {
    let shop = Shop::open();
    let (_, invoice) = declined(&shop);
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "slow", "ms": 60000 }, "times": "always" }));
    let plan = shop
        .json(&["retry", &invoice, "--dry-run"])
        .expect(0)
        .object();
    let fingerprint = text(&plan, "fingerprint");
    for press in 0..5 {
        let mut command =
            shop.command(&["retry", &invoice, "--yes", "--plan", &fingerprint, "--json"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start");
        // Until the provider has executed it, or the program refused by itself.
        let code = loop {
            if let Some(ended) = child.try_wait().expect("wait") {
                break ended.code();
            }
            if press == 0 && shop.simulator.executed("charge") == 1 {
                child.kill().expect("kill -9");
                break child.wait().expect("wait").code();
            }
        };
        let expected: &[Option<i32>] = if press == 0 {
            &[None]
        } else {
            &[Some(5), Some(6)]
        };
        assert!(expected.contains(&code), "press {press}: {code:?}");
    }
    let open = shop.json(&["unknown", "list"]).expect(0).object();
    assert_eq!(open["state"], "sent");
    let released = shop.json(&["reconcile"]).expect(0).object();
    assert_eq!(
        released["released"],
        json!(1),
        "the dead process's lease is given up"
    );
    if !shop.json(&["unknown", "list"]).expect(0).lines().is_empty() {
        shop.json(&["unknown", "resolve", &text(&open, "id")])
            .expect(0);
    }
    let card = shop.json(&["show", &invoice]).expect(0).object();
    assert_eq!(card["state"], "paid");
    assert_eq!(shop.simulator.executed("charge"), 1);
}

#[test]
fn d03_two_processes_at_once_bill_a_thousand_subscriptions_once_each() {
    let shop = Shop::demo(4_400, 17_600);
    let before = shop.simulator.executed("charge");
    let month = json!({ "advance_seconds": 31 * 86_400 });
    shop.simulator.post("clock", &month);
    let mut runs: Vec<_> = (0..2)
        .map(|_| {
            shop.command(&["bill", "run", "--json"])
                .stdout(Stdio::null())
                .spawn()
                .expect("start")
        })
        .collect();
    for run in &mut runs {
        assert_eq!(run.wait().expect("wait").code(), Some(0));
    }
    let ledger = shop.simulator.ledger();
    let mut invoices: Vec<String> = ledger
        .iter()
        .filter(|entry| entry["kind"] == "charge")
        .map(|entry| text(entry, "orderId"))
        .map(|order| order.rsplit_once('-').expect("a number").0.to_owned())
        .collect();
    let charged = invoices.len() - before;
    assert!(charged >= 1_000, "{charged}");
    invoices.sort();
    let all = invoices.len();
    invoices.dedup();
    assert_eq!(all, invoices.len(), "an invoice was charged twice");
}

#[test]
fn b05_refunds_add_up_to_the_payment_and_no_further() {
    let shop = Shop::open();
    let Subscriber { payment, .. } = shop.subscriber();
    for reason in ["first", "second"] {
        shop.apply(&["refund", &payment, "--amount", "3000", "--reason", reason])
            .expect(0);
    }
    let third = shop
        .json(&[
            "refund",
            &payment,
            "--amount",
            "4000",
            "--reason",
            "third",
            "--dry-run",
        ])
        .expect(6);
    assert_eq!(third.error()["code"], "refund_too_much");
    shop.apply(&["refund", &payment, "--full", "--reason", "the rest"])
        .expect(0);
    let shown: Value = shop.json(&["show", &payment]).expect(0).object()["payments"][0].clone();
    assert_eq!(
        (text(&shown, "state"), &shown["refundable"]["minor"]),
        ("refunded".to_owned(), &json!(0))
    );
    assert_eq!(shop.simulator.executed("cancel"), 3);
}

#[test]
fn b01_a_plan_shows_the_call_and_sends_nothing() {
    let shop = Shop::open();
    let (_, invoice) = declined(&shop);
    let plan = shop
        .json(&["retry", &invoice, "--dry-run"])
        .expect(0)
        .object();
    assert_eq!(
        (&plan["object"], &plan["verb"], &plan["mode"]),
        (&json!("action_plan"), &json!("retry"), &json!("sim"))
    );
    assert_eq!(plan["amount"], json!({ "minor": 9900, "currency": "KRW" }));
    for key in ["operation", "order_id", "idempotency_key"] {
        assert!(!text(&plan["call"], key).is_empty(), "{key}");
    }
    assert_eq!(text(&plan, "fingerprint").len(), 16);
    assert_eq!(shop.simulator.executed("charge"), 0);
    let human = shop.human(&["retry", &invoice, "--dry-run"]).expect(0);
    assert!(
        human.out.contains("[SIM]") && human.out.contains("9,900"),
        "{human:?}"
    );
    shop.apply_plan(&["retry", &invoice], &text(&plan, "fingerprint"))
        .expect(0);
    assert_eq!(shop.simulator.executed("charge"), 1);
}

#[test]
fn c02_cancel_at_the_end_can_be_taken_back_and_cancel_now_cannot() {
    let shop = Shop::open();
    let Subscriber { subscription, .. } = shop.subscriber();
    let before = shop.json(&["show", &subscription]).expect(0).object();
    shop.apply(&["cancel", &subscription, "--at-end", "--reason", "asked"])
        .expect(0);
    assert!(shop.json(&["show", &subscription]).expect(0).object()["cancel_at"].is_string());
    shop.apply(&["cancel", &subscription, "--undo"]).expect(0);
    let after = shop.json(&["show", &subscription]).expect(0).object();
    assert_eq!(
        (&after["cancel_at"], &after["next_due_at"]),
        (&json!(null), &before["next_due_at"])
    );
    shop.apply(&["cancel", &subscription, "--now"]).expect(0);
    assert_eq!(
        shop.json(&["show", &subscription]).expect(0).object()["state"],
        "canceled"
    );
    shop.json(&["cancel", &subscription, "--undo", "--dry-run"])
        .expect(6);
}

#[test]
fn a07_a_closed_plan_takes_no_new_subscription_and_keeps_the_old() {
    let shop = Shop::open();
    let Subscriber { subscription, .. } = shop.subscriber();
    shop.json(&["plan", "deactivate", "basic-month"]).expect(0);
    let (other, _) = shop.customer("최서연");
    let refused = shop
        .json(&["subscribe", &other, "basic-month", "--dry-run"])
        .expect(6);
    assert_eq!(refused.error()["code"], "plan_inactive");
    assert_eq!(
        shop.json(&["show", &subscription]).expect(0).object()["state"],
        "active"
    );
}

#[test]
fn d01_a_dry_run_lists_what_the_run_then_bills_and_time_comes_from_the_simulator() {
    let shop = Shop::open();
    let Subscriber { subscription, .. } = shop.subscriber();
    assert_eq!(
        shop.json(&["bill", "run"]).expect(0).object()["due"],
        json!(0)
    );
    shop.simulator
        .post("clock", &json!({ "advance_seconds": 32 * 86_400 }));
    let preview = shop.json(&["bill", "run", "--dry-run"]).expect(0).lines();
    assert_eq!(text(&preview[0], "subscription_id"), subscription);
    assert_eq!(
        preview[1]["totals"],
        json!([{ "minor": 9900, "currency": "KRW" }])
    );
    assert_eq!(shop.simulator.executed("charge"), 1);
    let other = shop
        .json(&["bill", "run", "--plan", "0000000000000000"])
        .expect(5);
    assert_eq!(other.error()["code"], "stale");
    let run = shop
        .json(&["bill", "run", "--plan", &text(&preview[1], "fingerprint")])
        .expect(0)
        .object();
    assert_eq!(
        (&run["due"], &run["done"], &run["charged"][0]["minor"]),
        (&json!(1), &json!(1), &json!(9900))
    );
    assert_eq!(shop.simulator.executed("charge"), 2);

    let shown = shop
        .json(&["show", "run", &text(&run, "id")])
        .expect(0)
        .lines();
    let sum: i64 = shown[0]["decisions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| d["count"].as_i64().expect("a count"))
        .sum();
    assert_eq!(
        (Some(sum), shown.len()),
        (shown[0]["due"].as_i64(), 2),
        "d05: the decisions add up to due"
    );
}

#[test]
fn h02_the_report_of_the_month_holds_the_new_subscription() {
    let shop = Shop::open();
    shop.subscriber();
    let report = shop.json(&["report", "mrr"]).expect(0).object();
    assert_eq!(
        (&report["new"]["minor"], &report["end"]["minor"]),
        (&json!(9900), &json!(9900))
    );
    let today: i64 = shop
        .json(&["report", "revenue"])
        .expect(0)
        .lines()
        .iter()
        .map(|day| day["captured"]["minor"].as_i64().expect("a number"))
        .sum();
    assert_eq!(today, 9_900);
}

#[test]
fn n03_reports_are_of_one_provider_where_that_means_something_and_refused_where_it_does_not() {
    let shop = Shop::open();
    shop.subscriber();
    for by in ["day", "month", "plan", "provider"] {
        let words = ["report", "revenue", "--by", by];
        let whole = shop.json(&words).expect(0).lines();
        let of = |provider| {
            let mut words = words.to_vec();
            words.extend(["--provider", provider]);
            shop.json(&words).expect(0).lines()
        };
        let toss = of("toss");
        assert_eq!(toss.len(), whole.len(), "{by}");
        assert!(toss.iter().all(|row| row["provider"] == json!("toss")));
        let (one, all) = (&toss[0], &whole[0]);
        let gross = if by == "day" { "captured" } else { "gross" };
        assert_eq!(one[gross]["minor"], json!(9900), "{by}");
        assert_eq!(one[gross], all[gross], "{by}");
        assert_eq!(one.get("new"), None, "nobody is new at a provider");
        assert!(of("stripe").is_empty(), "{by}");
    }
    let refused = shop.json(&["report", "mrr", "--provider", "toss"]);
    let refused = refused.expect(2);
    assert!(refused.err.contains("cannot be split"), "{}", refused.err);
}

#[test]
fn fees_that_nobody_told_are_not_known_and_never_zero() {
    let shop = Shop::open();
    shop.subscriber();
    let fees = shop.json(&["report", "fees"]).expect(0).object();
    assert_eq!(fees["fees"], json!(null), "{fees}");
    assert_eq!(fees["fee_unknown"], json!(1), "{fees}");
    let said = shop.human(&["report", "fees"]).expect(0);
    assert!(said.out.contains("not zero") || said.err.contains("not zero"));
    let none = shop.json(&["report", "fees", "--provider", "stripe"]);
    assert!(none.expect(0).lines().is_empty());
    assert!(
        shop.json(&["report", "fees", "--entries"])
            .expect(0)
            .lines()
            .is_empty()
    );
    let done = shop.json(&["reconcile"]).expect(0).object();
    assert_eq!(done["fees_taken_in"], json!(0), "{done}");
}
