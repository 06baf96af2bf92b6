//! Who may do what, as the command line sees it: roles, read-only sessions, and secrets that stay out of sight.

use std::process::Stdio;

use serde_json::json;

use crate::shop::{Shop, Subscriber, text};

fn become_role(shop: &Shop, role: &str) {
    let uid = rustix::process::getuid().as_raw();
    shop.add_lines(&format!(
        "[people.tester]\nuid = {uid}\nroles = [\"{role}\"]"
    ));
}

/// Every verb that changes something, in words.
fn changes(subscriber: &Subscriber) -> Vec<Vec<&str>> {
    let Subscriber {
        customer,
        subscription,
        invoice,
        payment,
        ..
    } = subscriber;
    vec![
        vec!["charge", invoice],
        vec!["retry", invoice],
        vec!["refund", payment, "--full", "--reason", "x"],
        vec!["cancel", subscription, "--now"],
        vec!["cancel", subscription, "--at-end"],
        vec!["cancel", subscription, "--undo"],
        vec!["subscribe", customer, "basic-month"],
        vec!["one-time", customer, "5000", "--description", "x"],
        vec!["customer", "create", "--name", "x"],
        vec!["method", "add", "--customer", customer, "--auth-key", "x"],
        vec!["plan", "create", "other", "--name", "x", "--price", "100"],
        vec!["plan", "edit", "basic-month", "--name", "x"],
        vec!["plan", "deactivate", "basic-month"],
        vec!["note", customer, "x"],
        vec!["unknown", "resolve", "ZZZZZZ"],
        vec![
            "unknown",
            "not-executed",
            "ZZZZZZ",
            "--reason",
            "x",
            "--evidence",
            "x",
        ],
        vec!["approve", "grant", "ZZZZZZ"],
        vec!["approve", "reject", "ZZZZZZ", "--reason", "x"],
        vec!["bill", "run"],
        vec!["reconcile"],
    ]
}

#[test]
fn i02_a_viewer_is_refused_by_every_verb_and_the_refusal_leaves_a_row() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    become_role(&shop, "viewer");
    let verbs = changes(&subscriber);
    for words in &verbs {
        let denied = shop.json(words).expect(6);
        assert_eq!(denied.error()["code"], "denied", "{words:?}");
        assert!(denied.out.is_empty(), "{denied:?}");
    }
    let rows = shop
        .json(&["list", "activity", "--filter", "by:tester", "--all"])
        .expect(0)
        .lines();
    assert_eq!(
        rows.iter().filter(|row| row["result"] == "refused").count(),
        verbs.len()
    );
    assert_eq!(
        shop.simulator.executed("charge") + shop.simulator.executed("cancel"),
        1
    );
    shop.json(&["show", &subscriber.customer]).expect(0);
}

#[test]
fn i07_a_read_only_session_changes_nothing_and_still_reads() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    for words in changes(&subscriber) {
        let refused = shop
            .json(&[&words[..], &["--read-only"]].concat())
            .expect(6);
        assert_eq!(refused.error()["code"], "read_only", "{words:?}");
    }
    let export = shop.path("out.csv");
    let export = export.to_str().expect("UTF-8");
    shop.json(&[
        "export",
        "payments",
        "--csv",
        "--out",
        export,
        "--read-only",
    ])
    .expect(6);
    let shown = shop
        .json(&["show", &subscriber.payment, "--read-only"])
        .expect(0)
        .object();
    assert_eq!(shown["state"], "paid");
    shop.json(&["report", "revenue", "--read-only"]).expect(0);
    assert_eq!(shop.simulator.executed("charge"), 1);
}

#[test]
fn somebody_who_is_not_listed_only_looks() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    shop.add_lines("[people.other]\nuid = 4000000\nroles = [\"admin\"]");
    let refused = shop
        .json(&["refund", &subscriber.payment, "--full", "--reason", "x"])
        .expect(6);
    assert_eq!(refused.error()["code"], "read_only");
    shop.json(&["list", "payments"]).expect(0);
}

#[test]
fn s1_forged_names_in_the_environment_are_claims_and_nothing_more() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    become_role(&shop, "support");
    let mut command = shop.command(&["note", &subscriber.customer, "hello", "--json"]);
    command
        .env("USER", "root")
        .env("LOGNAME", "admin")
        .env("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22");
    crate::shop::run(&mut command).expect(0);
    let rows = shop.json(&["list", "activity", "--all"]).expect(0).lines();
    let note = rows
        .iter()
        .find(|row| row["verb"] == "note")
        .expect("a row");
    assert_eq!(note["person"], "tester");
}

#[test]
fn i03_above_a_limit_a_refund_needs_approval() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    become_role(&shop, "support");
    shop.add_lines("[limits.refund]\nsupport = [\"5000 KRW\"]");
    shop.replace_line("[limits.refund]\n# The largest", "# The largest");
    let over = [
        "refund",
        &subscriber.payment,
        "--amount",
        "5001",
        "--reason",
        "x",
        "--dry-run",
    ];
    assert_eq!(shop.json(&over).expect(6).error()["code"], "needs_approval");
    let within = [
        "refund",
        &subscriber.payment,
        "--amount",
        "5000",
        "--reason",
        "x",
    ];
    shop.apply(&within).expect(0);
    assert_eq!(shop.simulator.executed("cancel"), 1);
}

#[test]
fn j03_no_secret_stands_in_the_arguments_or_in_any_output() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let secret = std::fs::read_to_string(shop.path("toss.key")).expect("a key");
    let secret = secret.trim();
    // The simulator holds the same key and runs now: its arguments are as visible as anybody's.
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&line).contains(secret),
            "{}",
            entry.path().display()
        );
    }
    for words in [
        &["show", &subscriber.customer][..],
        &["config", "print"],
        &["doctor"],
        &["list", "activity", "--all"],
    ] {
        let ran = shop.json(words);
        assert!(
            !ran.out.contains(secret) && !ran.err.contains(secret),
            "{words:?}"
        );
    }
    for entry in std::fs::read_dir(shop.path("log"))
        .expect("the log")
        .flatten()
    {
        let log = std::fs::read_to_string(entry.path()).expect("UTF-8");
        assert!(!log.contains(secret));
    }
}

#[test]
fn an_auth_key_may_come_over_standard_input() {
    use std::io::Write as _;
    let shop = Shop::open();
    let (customer, key) = shop.customer("정시우");
    let auth_key = shop.auth_key(&key, &json!({}));
    let mut command = shop.command(&[
        "method",
        "swap",
        "--customer",
        &customer,
        "--auth-key",
        "-",
        "--json",
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(auth_key.as_bytes())
        .expect("write");
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.status.code(), Some(0));
    let card = shop.json(&["show", &customer]).expect(0).object();
    let states: Vec<String> = card["methods"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|method| text(method, "state"))
        .collect();
    assert_eq!(states, ["active", "replaced"]);
}
