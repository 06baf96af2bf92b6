//! Lists and exports: the same field names everywhere, nothing that a terminal or a spreadsheet could run.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::shop::{Shop, text};

#[test]
fn h08_an_export_is_private_complete_recorded_and_free_of_formulas() {
    let shop = Shop::open();
    for name in ["=cmd|' /C calc'!A0", "+1", "김서현, \"SH\""] {
        shop.json(&["customer", "create", "--name", name]).expect(0);
    }
    let path = shop.path("out.csv");
    let out = path.to_str().expect("UTF-8");
    let done = shop
        .json(&["export", "customers", "--csv", "--bom", "--out", out])
        .expect(0)
        .object();
    assert_eq!(done["rows"], json!(3));
    let csv = std::fs::read_to_string(&path).expect("the file");
    assert!(
        csv.starts_with("\u{feff}object,mode,id,name,email,phone,subscriptions,created_at\r\n"),
        "{csv}"
    );
    assert!(
        csv.contains("\"'=cmd|' /C calc'!A0\"")
            && csv.contains("\"'+1\"")
            && csv.contains("\"김서현, \"\"SH\"\"\""),
        "{csv}"
    );
    assert_eq!(
        path.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );

    let rows = shop.json(&["list", "activity", "--all"]).expect(0).lines();
    let results: Vec<String> = rows
        .iter()
        .filter(|row| row["verb"] == "export")
        .map(|row| text(row, "result"))
        .collect();
    assert_eq!(results, ["done", "intent"], "newest first");

    let again = shop
        .json(&["export", "customers", "--csv", "--out", out])
        .expect(6);
    assert_eq!(again.error()["code"], "exists");
    let link = shop.path("link.csv");
    std::os::unix::fs::symlink(shop.path("elsewhere.csv"), &link).expect("a link");
    shop.json(&[
        "export",
        "customers",
        "--csv",
        "--out",
        link.to_str().expect("UTF-8"),
    ])
    .expect(6);
    assert!(!shop.path("elsewhere.csv").exists());
}

#[test]
fn an_export_as_json_has_the_lines_that_the_list_prints() {
    let shop = Shop::open();
    shop.subscriber();
    let path = shop.path("out.jsonl");
    shop.json(&["export", "payments", "--out", path.to_str().expect("UTF-8")])
        .expect(0);
    let listed = shop.json(&["list", "payments", "--all"]).expect(0).out;
    assert_eq!(std::fs::read_to_string(path).expect("the file"), listed);
}

#[test]
fn i01_every_row_of_every_export_says_its_mode() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let (other, _) = shop.customer("박하준");
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": "lost_before_commit" }));
    shop.apply(&["one-time", &other, "5000", "--description", "x"])
        .expect(4);
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "decline", "code": "REJECT_CARD_PAYMENT" } }));
    shop.apply(&[
        "one-time",
        &subscriber.customer,
        "5000",
        "--description",
        "x",
    ])
    .expect(3);
    shop.json(&["bill", "run"]).expect(0);
    for list in [
        "customers",
        "subscriptions",
        "renewals",
        "failed",
        "payments",
        "plans",
        "unknown",
        "runs",
        "activity",
    ] {
        for (shape, name) in [("--csv", "csv"), ("--json", "jsonl")] {
            let path = shop.path(&format!("{list}.{name}"));
            let out = path.to_str().expect("UTF-8");
            let mut words = vec!["export", list, "--out", out];
            if shape == "--csv" {
                words.push(shape);
            }
            shop.json(&words).expect(0);
            let text = std::fs::read_to_string(&path).expect("the file");
            let mut rows = text.lines();
            if shape == "--csv" {
                let header = rows.next().expect("a header");
                let at = header.split(',').position(|column| column == "mode");
                let at = at.unwrap_or_else(|| panic!("{list}: {header}"));
                assert!(rows.clone().count() > 0, "{list} has rows");
                // No column before the mode holds a comma.
                assert!(
                    rows.all(|row| row.split(',').nth(at) == Some("sim")),
                    "{list}: {text}"
                );
            } else {
                assert!(rows.clone().count() > 0, "{list} has rows");
                assert!(rows.all(|row| row.contains("\"mode\":\"sim\"")), "{list}");
            }
        }
    }
}

#[test]
fn every_list_prints_objects_with_its_name_or_nothing() {
    let shop = Shop::open();
    shop.subscriber();
    for (list, object) in [
        ("customers", "customer"),
        ("subscriptions", "subscription"),
        ("renewals", "subscription"),
        ("payments", "payment"),
        ("plans", "plan"),
        ("activity", "activity"),
    ] {
        let lines = shop.json(&["list", list]).expect(0).lines();
        assert!(
            !lines.is_empty() && lines.iter().all(|line| line["object"] == object),
            "{list}: {lines:?}"
        );
    }
    for list in ["failed", "unknown", "runs", "events"] {
        assert!(
            shop.json(&["list", list]).expect(0).lines().is_empty(),
            "{list}"
        );
    }
}

#[test]
fn s20_names_of_customers_reach_no_terminal_raw() {
    let shop = Shop::open();
    let name = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}won 0 :KO\u{9b}31m";
    let made = shop
        .json(&["customer", "create", "--name", name])
        .expect(0)
        .object();
    let id = text(&made, "id");
    for words in [
        &["list", "customers"][..],
        &["show", &id],
        &["find", "owned"],
        &["list", "customers", "--color", "always"],
    ] {
        for ran in [shop.human(words), shop.json(words)] {
            let bad =
                |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!ran.out.contains(bad) && !ran.err.contains(bad), "{ran:?}");
        }
    }
}

#[test]
fn i09_personal_data_is_masked_unless_the_settings_say_otherwise() {
    let shop = Shop::open();
    let create = [
        "customer",
        "create",
        "--name",
        "김서현",
        "--email",
        "kim@example.com",
        "--phone",
        "010-1234-5678",
    ];
    shop.json(&create).expect(0);
    let masked = shop.json(&["list", "customers"]).expect(0);
    assert!(
        masked.out.contains("k*@example.com") && !masked.out.contains("1234-5678"),
        "{masked:?}"
    );
    let mut open = shop.command(&["list", "customers", "--json"]);
    let open = crate::shop::run(open.env("PAYDECK__UI__MASK_PERSONAL", "false"))
        .expect(0)
        .object();
    assert_eq!(
        (&open["email"], &open["phone"]),
        (&json!("kim@example.com"), &json!("010-1234-5678"))
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let shop = Shop::open();
    shop.subscriber();
    let mut child = shop
        .command(&["list", "activity", "--all", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("wait").code(), Some(0));
}
