//! I02 and I05 on the command line: five roles by every verb that is built, held to the table written by hand; each
//! refusal and each deed leaves its row.

use std::collections::BTreeMap;
use std::path::PathBuf;

use paydeck::domain::operator::{Role, Verb};
use serde_json::json;

use crate::roles::{TABLE, is_built, may};
use crate::shop::{Ran, Shop, paydeck, run, text};

/// Each verb in words; some have several.
fn words(shop: &Shop) -> Vec<(Verb, Vec<String>)> {
    let subscriber = shop.subscriber();
    let (customer, subscription) = (&subscriber.customer, &subscriber.subscription);
    let (invoice, payment) = (&subscriber.invoice, &subscriber.payment);
    let lines = [
        (Verb::Charge, format!("charge {invoice}")),
        (Verb::Retry, format!("retry {invoice}")),
        (Verb::Refund, format!("refund {payment} --full --reason x")),
        (Verb::CancelNow, format!("cancel {subscription} --now")),
        (Verb::CancelAtEnd, format!("cancel {subscription} --at-end")),
        (Verb::UndoCancel, format!("cancel {subscription} --undo")),
        (Verb::Pause, format!("mirror pause {subscription}")),
        (Verb::Resume, format!("mirror resume {subscription}")),
        (Verb::CancelNow, format!("mirror void {invoice} --reason x")),
        (
            Verb::CancelNow,
            format!("mirror give-up {invoice} --reason x"),
        ),
        (Verb::Subscribe, format!("subscribe {customer} basic-month")),
        (
            Verb::OneTime,
            format!("one-time {customer} 5000 --description x"),
        ),
        (
            Verb::OneTime,
            format!("checkout open {customer} 5000 --description x"),
        ),
        (
            Verb::OneTime,
            "checkout confirm --payment-key tviva0000 --order-id pd-none-1 --amount 5000"
                .to_owned(),
        ),
        (Verb::CreateCustomer, "customer create --name x".to_owned()),
        (
            Verb::SwapCard,
            format!("method add --customer {customer} --auth-key x"),
        ),
        (
            Verb::SwapCard,
            format!("method swap --customer {customer} --auth-key x"),
        ),
        (
            Verb::CreatePlan,
            "plan create other --name x --price 100".to_owned(),
        ),
        (Verb::EditPlan, "plan edit basic-month --name x".to_owned()),
        (
            Verb::DeactivatePlan,
            "plan deactivate basic-month".to_owned(),
        ),
        (Verb::Note, format!("note {customer} x")),
        (Verb::ResolveUnknown, "unknown resolve ZZZZZZ".to_owned()),
        (Verb::ResolveUnknown, "unknown send-again ZZZZZZ".to_owned()),
        (Verb::Charge, "unknown link ZZZZZZ".to_owned()),
        (Verb::ResolveUnknown, "reconcile".to_owned()),
        (
            Verb::ForceState,
            "unknown not-executed ZZZZZZ --reason x --evidence x".to_owned(),
        ),
        (Verb::Approve, "approve grant ZZZZZZ".to_owned()),
        (Verb::Approve, "approve reject ZZZZZZ --reason x".to_owned()),
        (Verb::BillRun, "bill run".to_owned()),
    ];
    let split = |line: &String| line.split_whitespace().map(str::to_owned).collect();
    lines
        .iter()
        .map(|(verb, line)| (*verb, split(line)))
        .collect()
}

/// A configuration in which whoever runs this has one role.
fn configuration(shop: &Shop, role: Role) -> PathBuf {
    let name = role.as_str();
    let uid = rustix::process::getuid().as_raw();
    let settings = std::fs::read_to_string(shop.config()).expect("configuration");
    let path = shop.path(&format!("{name}.toml"));
    std::fs::copy(shop.config(), &path).expect("a private copy");
    std::fs::write(
        &path,
        format!("{settings}\n[people.{name}]\nuid = {uid}\nroles = [\"{name}\"]\n"),
    )
    .expect("configuration");
    path
}

fn tried(shop: &Shop, config: &PathBuf, words: &[String], more: &[&str]) -> Ran {
    let mut command = paydeck(&shop.path(""));
    command.arg("--config").arg(config).args(words).args(more);
    run(command.arg("--json"))
}

#[test]
fn i02_each_role_may_do_what_the_table_says_and_every_refusal_leaves_a_row() {
    let shop = Shop::open();
    let words = words(&shop);
    for (verb, ..) in TABLE {
        let is_tried = words.iter().any(|(of, _)| *of == verb);
        assert_eq!(is_tried, is_built(verb), "{verb}: words for what is built");
    }
    for role in Role::ALL {
        let config = configuration(&shop, role);
        let mut refused: BTreeMap<String, usize> = BTreeMap::new();
        for (verb, words) in &words {
            let ran = tried(&shop, &config, words, &[]);
            let is_denied = ran.code == 6 && ran.error()["code"] == "denied";
            assert_eq!(is_denied, !may(role, *verb), "{role:?} {verb}: {ran:?}");
            if is_denied {
                let message = text(&ran.error(), "message");
                assert!(message.contains(role.as_str()), "{message}");
                assert!(ran.out.is_empty(), "{ran:?}");
                *refused.entry(verb.to_string()).or_default() += 1;
            }
        }
        let by = format!("by:{}", role.as_str());
        let rows = shop.json(&["list", "activity", "--filter", &by, "--all"]);
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows.expect(0).lines() {
            if row["result"] == "refused" {
                *told.entry(text(&row, "verb")).or_default() += 1;
            }
        }
        // A verb that is allowed may be refused by its rows; only what the role refused is counted.
        told.retain(|verb, _| Verb::parse(verb).is_some_and(|verb| !may(role, verb)));
        assert_eq!(told, refused, "{role:?}");
    }
    let moved = shop.simulator.executed("charge") + shop.simulator.executed("cancel");
    assert_eq!(moved, 1, "only the first charge of the subscription");
}

#[test]
fn i07_a_read_only_session_refuses_every_verb_to_every_role() {
    let shop = Shop::open();
    let words = words(&shop);
    // An admin may do all of them, so only the session can be the reason.
    for role in [Role::Admin, Role::Viewer] {
        let config = configuration(&shop, role);
        for (verb, words) in &words {
            let ran = tried(&shop, &config, words, &["--read-only"]).expect(6);
            assert_eq!(ran.error()["code"], "read_only", "{role:?} {verb}");
        }
    }
    let moved = shop.simulator.executed("charge") + shop.simulator.executed("cancel");
    assert_eq!(moved, 1);
}

#[test]
fn i05_every_verb_that_is_done_leaves_its_row() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let (customer, subscription) = (subscriber.customer, subscriber.subscription);
    let decline = json!({ "match": { "endpoint": "charge" }, "fault": "decline" });
    let lose = json!({ "match": { "endpoint": "charge" }, "fault": "lost_after_commit" });
    let once = ["one-time", &customer, "5000", "--description", "x"];
    shop.apply(&once).expect(0);
    let refund = [
        "refund",
        &subscriber.payment,
        "--amount",
        "100",
        "--reason",
        "x",
    ];
    shop.apply(&refund).expect(0);
    for when in ["--at-end", "--undo", "--now"] {
        shop.apply(&["cancel", &subscription, when]).expect(0);
    }
    let (other, key) = shop.customer("이도윤");
    for then in [["retry"], ["charge"]] {
        shop.fault(&decline);
        let declined = shop.apply(&["one-time", &other, "5000", "--description", "x"]);
        let invoice = text(&declined.expect(3).object(), "invoice_id");
        shop.apply(&[then[0], &invoice]).expect(0);
    }
    shop.fault(&lose);
    let unknown = shop.apply(&once).expect(4).object();
    let attempt = text(&unknown, "attempt_id");
    shop.json(&["unknown", "resolve", &attempt]).expect(0);
    shop.json(&["note", &other, "x"]).expect(0);
    let auth_key = shop.auth_key(&key, &json!({}));
    let swap = [
        "method",
        "swap",
        "--customer",
        &other,
        "--auth-key",
        &auth_key,
    ];
    shop.json(&swap).expect(0);
    shop.json(&["plan", "edit", "basic-month", "--name", "x"])
        .expect(0);
    shop.json(&["plan", "deactivate", "basic-month"]).expect(0);
    shop.json(&["bill", "run"]).expect(0);

    let rows = shop.json(&["list", "activity", "--all"]).expect(0).lines();
    // Some take two people (`approvals`, and `four_eyes` of the billing flows), some a subscription that Stripe schedules
    // (`mirrored`).
    let elsewhere = [Verb::ForceState, Verb::Approve, Verb::Pause, Verb::Resume];
    let built = TABLE.into_iter().filter(|(verb, ..)| is_built(*verb));
    for (verb, ..) in built.filter(|(verb, ..)| !elsewhere.contains(verb)) {
        let row = rows
            .iter()
            .find(|row| row["verb"] == verb.as_str() && row["result"] != "refused");
        let row = row.unwrap_or_else(|| panic!("{verb} left no row"));
        assert!(!text(row, "person").is_empty(), "{row}");
        assert_eq!(row["mode"], "sim", "{row}");
    }
    shop.json(&["audit", "verify"]).expect(0);
}
