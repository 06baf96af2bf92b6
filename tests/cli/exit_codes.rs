//! Each documented exit code once, and the shape of what stands beside it.

use serde_json::json;

use crate::shop::{Shop, text};

#[test]
fn done_is_0_and_the_outcome_is_one_object() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let done = shop
        .apply(&[
            "refund",
            &subscriber.payment,
            "--amount",
            "3000",
            "--reason",
            "고객 요청",
        ])
        .expect(0)
        .object();
    assert_eq!(done["object"], "outcome");
    assert_eq!(done["outcome"], "done");
    assert_eq!(done["verb"], "refund");
    assert_eq!(done["amount"], json!({ "minor": 3000, "currency": "KRW" }));
    assert_eq!(shop.simulator.executed("cancel"), 1);
}

#[test]
fn usage_is_2() {
    let shop = Shop::open();
    shop.json(&["refund"]).expect(2);
    shop.json(&["no-such-verb"]).expect(2);
    shop.json(&["list", "payments", "--filter", "colour:red"])
        .expect(2);
    shop.json(&["show", "pay_short"]).expect(2);
}

#[test]
fn declined_is_3_with_code_and_class_and_no_money_moves() {
    let shop = Shop::open();
    shop.plan();
    let (customer, _) = shop.customer("이도윤");
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "decline", "code": "REJECT_CARD_PAYMENT" } }));
    let declined = shop
        .apply(&["subscribe", &customer, "basic-month"])
        .expect(3);
    let object = declined.object();
    assert_eq!(object["outcome"], "declined");
    assert_eq!(object["code"], "REJECT_CARD_PAYMENT");
    assert_eq!(object["subscription_state"], "incomplete");
    assert!(object["class"].is_string());
    assert_eq!(shop.simulator.executed("charge"), 0);
}

#[test]
fn unknown_is_4_then_locked_and_resolving_settles_it() {
    let shop = Shop::open();
    shop.plan();
    let (customer, _) = shop.customer("박하준");
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": "lost_after_commit" }));
    let unknown = shop
        .apply(&["subscribe", &customer, "basic-month"])
        .expect(4)
        .object();
    let (attempt, invoice) = (text(&unknown, "attempt_id"), text(&unknown, "invoice_id"));

    let inbox = shop.json(&["unknown", "list"]).expect(0).object();
    assert_eq!(text(&inbox, "id"), attempt);
    let locked = shop.json(&["charge", &invoice, "--dry-run"]).expect(6);
    assert_eq!(locked.error()["code"], "in_progress");

    let resolved = shop
        .json(&["unknown", "resolve", &attempt])
        .expect(0)
        .object();
    assert_eq!(resolved["outcome"], "done");
    assert!(shop.json(&["unknown", "list"]).expect(0).lines().is_empty());
    assert_eq!(shop.simulator.executed("charge"), 1);
}

#[test]
fn looking_never_sends_and_sending_again_says_so_first() {
    let shop = Shop::open();
    shop.plan();
    let (customer, _) = shop.customer("박하준");
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": "lost_before_commit" }));
    let unknown = shop
        .apply(&["subscribe", &customer, "basic-month"])
        .expect(4)
        .object();
    let attempt = text(&unknown, "attempt_id");
    let sent = shop.simulator.sent();
    let looked = shop
        .json(&["unknown", "resolve", &attempt])
        .expect(4)
        .object();
    assert_eq!(
        (&looked["outcome"], &looked["money"]),
        (&json!("unknown"), &json!("unknown"))
    );
    assert_eq!(shop.simulator.sent(), sent, "a question was all");

    let again = ["unknown", "send-again", &attempt];
    let plan = shop.json(&again).expect(6);
    assert_eq!(plan.error()["code"], "needs_plan");
    let plan = plan.object();
    assert_eq!(plan["call"]["operation"], "look up");
    assert_eq!(plan["if_not_seen"]["operation"], "charge");
    assert_eq!(plan["if_not_seen"]["order_id"], plan["call"]["order_id"]);
    let effects = plan["effects"].as_array().expect("effects");
    for effect in ["invoice_paid", "state"] {
        assert!(effects.iter().any(|e| e["effect"] == effect), "{effects:?}");
    }
    let done = shop
        .apply_plan(&again, &text(&plan, "fingerprint"))
        .expect(0);
    assert_eq!(done.object()["money"], "taken");
    assert!(done.err.contains("taken"), "{done:?}");
    assert_eq!(shop.simulator.executed("charge"), 1);
}

#[test]
fn stale_is_5_and_nothing_is_sent() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let refund = [
        "refund",
        &subscriber.payment,
        "--amount",
        "4000",
        "--reason",
        "x",
    ];
    let plan = shop
        .json(&[&refund[..], &["--dry-run"]].concat())
        .expect(0)
        .object();
    shop.apply(&[
        "refund",
        &subscriber.payment,
        "--amount",
        "1000",
        "--reason",
        "y",
    ])
    .expect(0);
    let stale = shop
        .apply_plan(&refund, &text(&plan, "fingerprint"))
        .expect(5);
    assert_eq!(stale.error()["code"], "stale");
    assert!(stale.out.is_empty(), "{stale:?}");
    assert_eq!(shop.simulator.executed("cancel"), 1);
}

#[test]
fn refused_is_6_and_without_a_terminal_only_the_plan_is_printed() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    for words in [
        &["refund", &subscriber.payment, "--full", "--reason", "x"][..],
        &[
            "refund",
            &subscriber.payment,
            "--full",
            "--reason",
            "x",
            "--yes",
        ],
        &["cancel", &subscriber.subscription, "--now"],
        &["cancel", &subscriber.subscription, "--at-end"],
    ] {
        let plan = shop.json(words).expect(6);
        assert_eq!(plan.object()["object"], "action_plan", "{words:?}");
        assert_eq!(plan.error()["code"], "needs_plan");
        assert_eq!(plan.error()["exit"], 6);
    }
    assert_eq!(shop.simulator.executed("cancel"), 0);
    let card = shop
        .json(&["show", &subscriber.subscription])
        .expect(0)
        .object();
    assert_eq!(
        (&card["state"], &card["cancel_at"]),
        (&json!("active"), &json!(null))
    );
}

#[test]
fn unreachable_is_7_and_nothing_is_sent() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let Shop { .. } = &shop;
    shop.replace_line(
        "base_url = \"sandbox:sandbox\"",
        "base_url = \"sandbox:elsewhere\"",
    );
    let nobody = shop
        .json(&["charge", &subscriber.invoice, "--dry-run"])
        .expect(7);
    assert_eq!(nobody.error()["code"], "sandbox_not_running");
    // Reading goes on.
    shop.json(&["show", &subscriber.invoice]).expect(0);
}

#[test]
fn not_found_and_ambiguous_are_8() {
    let shop = Shop::open();
    shop.plan();
    let missing = shop
        .json(&["show", "pay_01J9ZX5V3M8Q7K2N4T6W8Y0B2D"])
        .expect(8);
    assert_eq!(missing.error()["code"], "not_found");
    shop.json(&["show", "customer", "ZZZZZZ"]).expect(8);
    shop.json(&["find", "nobody of that name"]).expect(8);
    shop.json(&["plan", "deactivate", "no-such-plan"]).expect(8);
}

#[test]
fn differences_are_9() {
    let shop = Shop::open();
    shop.plan();
    shop.json(&["audit", "verify"]).expect(0);
    crate::setup::sql(
        &shop,
        "drop trigger audit_update; update audit set reason = 'forged' where rowid = (select min(rowid) from audit)",
    );
    let broken = shop.json(&["audit", "verify"]).expect(9).object();
    assert_eq!(broken["intact"], json!(false));
    assert_eq!(broken["broken"][0]["seq"], json!(1));
}

#[test]
fn configuration_is_78() {
    let shop = Shop::open();
    shop.add_lines("nonsense = true");
    let refused = shop.json(&["list", "plans"]).expect(78);
    assert!(
        text(&refused.error(), "message").contains("config.toml"),
        "{refused:?}"
    );
}
