//! Four eyes on the command line: one person asks, another approves, with exit codes for scripts.

use crate::shop::{Shop, Subscriber, text};

/// A shop whose person is `kim` of support, who may refund up to 5,000 won alone.
fn shop_with_a_limit() -> (Shop, Subscriber) {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let uid = rustix::process::getuid().as_raw();
    shop.add_lines(&format!("[people.kim]\nroles = [\"support\"]\nuid = {uid}"));
    shop.add_lines("[limits.refund]\nsupport = [\"5000 KRW\"]");
    shop.replace_line("[limits.refund]\n# The largest", "# The largest");
    (shop, subscriber)
}

fn asked(shop: &Shop, subscriber: &Subscriber) -> String {
    let ask = [
        "refund",
        &subscriber.payment,
        "--amount",
        "6000",
        "--reason",
        "moved away",
        "--ask-approval",
    ];
    let outcome = shop.apply(&ask).expect(0).object();
    assert_eq!(outcome["outcome"], "asked");
    text(&outcome, "id")
}

#[test]
fn i04_a_refund_above_the_limit_is_asked_for_and_approved_by_somebody_else() {
    let (shop, subscriber) = shop_with_a_limit();
    let alone = [
        "refund",
        &subscriber.payment,
        "--amount",
        "6000",
        "--reason",
        "x",
    ];
    assert_eq!(
        shop.json(&alone).expect(6).error()["code"],
        "needs_approval"
    );
    let request = asked(&shop, &subscriber);
    assert_eq!(shop.simulator.executed("cancel"), 0);

    let waiting = shop.json(&["approve", "list"]).expect(0).object();
    assert_eq!(
        (&waiting["id"], &waiting["requester"]),
        (&request.as_str().into(), &"kim".into())
    );
    let grant = ["approve", "grant", &request];
    let role = shop.json(&grant).expect(6);
    assert_eq!(role.error()["code"], "denied");
    // The same person, with the right role: still the same person.
    shop.replace_line(
        "[people.kim]\nroles = [\"support\"]\nuid",
        "[people.kim]\nroles = [\"finance\"]\nuid",
    );
    assert_eq!(shop.json(&grant).expect(6).error()["code"], "own_request");
    assert_eq!(shop.simulator.executed("cancel"), 0);

    shop.replace_line("[people.kim]\nroles", "[people.lee]\nroles");
    let plan = shop
        .json(&["approve", "grant", &request, "--dry-run"])
        .expect(0)
        .object();
    assert_eq!(plan["asked"]["requester"], "kim");
    assert_eq!(plan["amount"]["minor"], 6_000);
    shop.json(&["approve", "grant", &request, "--yes", "--plan", "0000"])
        .expect(5);
    assert_eq!(shop.simulator.executed("cancel"), 0);
    let done = shop.apply(&grant).expect(0).object();
    assert_eq!(
        (&done["outcome"], &done["money"]),
        (&"done".into(), &"given_back".into())
    );
    assert_eq!(shop.simulator.executed("cancel"), 1);
    let again = shop.json(&grant).expect(6);
    assert_eq!(again.error()["code"], "approval_decided");
    let shown = shop.json(&["approve", "show", &request]).expect(0).object();
    assert_eq!(
        (&shown["state"], &shown["decided_by"]),
        (&"granted".into(), &"lee".into())
    );
    let rows = shop.json(&["list", "activity", "--all"]).expect(0).lines();
    let approved = rows
        .iter()
        .find(|row| row["verb"] == "approve" && row["result"] == "done");
    assert_eq!(approved.expect("a row")["person"], "lee");
    let nothing = shop.json(&["approve", "list"]).expect(0);
    assert!(nothing.out.is_empty(), "{nothing:?}");
    assert_eq!(shop.simulator.executed("cancel"), 1);
}

#[test]
fn a_request_that_is_turned_down_is_over_and_says_so_in_both_languages() {
    let (shop, subscriber) = shop_with_a_limit();
    let request = asked(&shop, &subscriber);
    shop.replace_line(
        "[people.kim]\nroles = [\"support\"]\nuid",
        "[people.lee]\nroles = [\"finance\"]\nuid",
    );
    for (lang, word) in [("en", "moved away"), ("ko", "요청한 사람")] {
        let shown = shop
            .human(&["approve", "show", &request, "--lang", lang])
            .expect(0);
        assert!(shown.out.contains(word), "{shown:?}");
    }
    let reject = ["approve", "reject", &request, "--reason", "no"];
    shop.apply(&reject).expect(0);
    let late = shop.json(&["approve", "grant", &request]).expect(6);
    assert_eq!(late.error()["code"], "approval_decided");
    shop.json(&["approve", "show", "apr_01J9ZX5V3M8Q7K2N4T6W8Y0B2D"])
        .expect(8);
    assert_eq!(shop.simulator.executed("cancel"), 0);
}

#[test]
fn g05_what_is_settled_cannot_be_called_not_executed() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let shown = shop.json(&["show", &subscriber.invoice]).expect(0).object();
    let attempt = text(&shown["attempt_list"][0], "id");
    let force = ["unknown", "not-executed", &attempt, "--reason", "x"];
    shop.json(&force).expect(2);
    let force = [&force[..], &["--evidence", "letter"]].concat();
    assert_eq!(shop.json(&force).expect(6).error()["code"], "settled");
    shop.json(&[&force[..], &["--read-only"]].concat())
        .expect(6);
    assert_eq!(shop.simulator.executed("charge"), 1);
}
