//! `--dry-run` and `--read-only` over every command there is: database, files and provider stay as they are.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use crate::shop::{Shop, Simulator, paydeck, run, text};

/// Everything that must stay: each row of each table, each file, each request that was no question.
#[derive(Debug, PartialEq)]
struct World {
    rows: BTreeMap<String, Vec<String>>,
    files: BTreeMap<String, Vec<u8>>,
    sent: usize,
}

fn world(shop: &Shop) -> World {
    let mut files = BTreeMap::new();
    collect(&shop.path(""), &mut files);
    World {
        rows: rows(shop),
        files,
        sent: shop.simulator.sent(),
    }
}

/// Files of the installation but those that reading itself touches: logs and SQLite's own.
fn collect(dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        let name = path.display().to_string();
        let is_own = ["logs", "log", "sandbox"]
            .iter()
            .any(|own| path.ends_with(own));
        if path.is_dir() && !is_own {
            collect(&path, files);
        } else if path.is_file() && !name.contains("paydeck.db") {
            files.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
}

fn rows(shop: &Shop) -> BTreeMap<String, Vec<String>> {
    let url = format!("sqlite:{}", shop.path("paydeck.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.expect("open");
        let mut all = BTreeMap::new();
        let tables = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and sql not like '%virtual%'";
        for table in sqlx::query(tables).fetch_all(&mut connection).await.expect("tables") {
            let table: String = table.get(0);
            let columns = format!("select group_concat('quote(\"' || name || '\")', ' || '','' || ') from pragma_table_info('{table}')");
            let columns: String = sqlx::query(AssertSqlSafe(columns))
                .fetch_one(&mut connection)
                .await
                .expect("columns")
                .get(0);
            let select = format!("select {columns} from \"{table}\" order by 1");
            let rows = sqlx::query(AssertSqlSafe(select))
                .fetch_all(&mut connection)
                .await
                .expect("rows")
                .iter()
                .map(|row| row.get::<String, _>(0))
                .collect();
            all.insert(table, rows);
        }
        connection.close().await.expect("close");
        all
    })
}

/// Every command without commands below it, as its own help names them.
pub fn leaves(home: &Path, at: &[String], found: &mut Vec<String>) {
    let help = run(paydeck(home).args(at).arg("--help")).expect(0).out;
    let below: Vec<String> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| *word != "help")
        .map(str::to_owned)
        .collect();
    for word in &below {
        leaves(home, &[at, std::slice::from_ref(word)].concat(), found);
    }
    if below.is_empty() {
        found.push(at.join(" "));
    }
}

/// Words for every command, with the exit code of its dry run: 2 where there is none.
fn cases(shop: &Shop) -> Vec<(&'static str, Vec<String>, i32)> {
    let subscriber = shop.subscriber();
    let (other, key) = shop.customer("박하준");
    let (newcomer, _) = shop.customer("정시우");
    let auth_key = shop.auth_key(&key, &json!({}));
    let opened = shop
        .json(&["checkout", "open", &other, "5000", "--description", "x"])
        .expect(6);
    let checkout = shop
        .apply_plan(
            &["checkout", "open", &other, "5000", "--description", "x"],
            &text(&opened.object(), "fingerprint"),
        )
        .expect(0)
        .object();
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": { "kind": "decline", "code": "REJECT_CARD_PAYMENT" } }));
    let declined = shop
        .apply(&["subscribe", &other, "basic-month"])
        .expect(3)
        .object();
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": "lost_before_commit" }));
    let one_time = [
        "one-time",
        &subscriber.customer,
        "5000",
        "--description",
        "x",
    ];
    let unknown = shop.apply(&one_time).expect(4).object();
    let attempt = text(&unknown, "attempt_id");
    // A card by which a charge is open is not forgotten.
    let card = shop.json(&["show", &other]).expect(0).object();
    let method = text(&card["methods"][0], "id");
    let payment_key = "tviva00000000000000000000000000";
    let out = shop.path("out.csv").display().to_string();
    let key_out = shop.path("new.key").display().to_string();
    let elsewhere = shop.path("elsewhere").display().to_string();
    let words = |line: &str, more: &[&str]| -> Vec<String> {
        line.split_whitespace()
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect()
    };
    vec![
        ("console", words("console", &[]), 2),
        (
            "demo",
            words("demo --prepare-only --customers 5 --dir", &[&elsewhere]),
            2,
        ),
        ("sandbox", words("sandbox --dir", &[&elsewhere]), 2),
        (
            "vault new-key",
            words("vault new-key --out", &[&key_out]),
            2,
        ),
        ("init", words("init --dir", &[&elsewhere]), 0),
        ("migrate", words("migrate", &[]), 0),
        ("export", words("export customers --csv --out", &[&out]), 0),
        ("reconcile", words("reconcile", &[]), 0),
        (
            "bill run",
            words("bill run", &["--until", "2030-01-01T00:00:00Z"]),
            0,
        ),
        ("vault rotate", words("vault rotate", &[]), 0),
        ("customer create", words("customer create --name x", &[]), 0),
        (
            "method add",
            words("method add --auth-key", &[&auth_key, "--customer", &other]),
            0,
        ),
        (
            "method swap",
            words("method swap --auth-key", &[&auth_key, "--customer", &other]),
            0,
        ),
        (
            "subscribe",
            words("subscribe", &[&newcomer, "basic-month"]),
            0,
        ),
        (
            "one-time",
            words("one-time", &[&other, "5000", "--description", "x"]),
            0,
        ),
        (
            "checkout open",
            words("checkout open", &[&other, "5000", "--description", "x"]),
            0,
        ),
        (
            "checkout confirm",
            words(
                "checkout confirm --amount 5000",
                &[
                    "--payment-key",
                    payment_key,
                    "--order-id",
                    &text(&checkout, "order_id"),
                ],
            ),
            0,
        ),
        ("method use", words("method use", &[&method]), 0),
        ("method delete", words("method delete", &[&method]), 0),
        (
            "plan create",
            words("plan create other --name x --price 5000", &[]),
            0,
        ),
        (
            "plan edit",
            words("plan edit basic-month --price 5000", &[]),
            0,
        ),
        (
            "plan deactivate",
            words("plan deactivate basic-month", &[]),
            0,
        ),
        (
            "charge",
            words("charge", &[&text(&declined, "invoice_id")]),
            0,
        ),
        (
            "retry",
            words("retry", &[&text(&declined, "invoice_id")]),
            0,
        ),
        (
            "refund",
            words("refund --full --reason x", &[&subscriber.payment]),
            0,
        ),
        (
            "cancel",
            words("cancel --at-end", &[&subscriber.subscription]),
            0,
        ),
        ("note", words("note", &[&subscriber.customer, "x"]), 0),
        ("mirror add", words("mirror add sub_1", &[]), 2),
        ("mirror pull", words("mirror pull", &[]), 2),
        (
            "mirror pause",
            words("mirror pause", &[&subscriber.subscription]),
            6,
        ),
        (
            "mirror resume",
            words("mirror resume", &[&subscriber.subscription]),
            6,
        ),
        (
            "mirror void",
            words("mirror void --reason x", &[&subscriber.invoice]),
            6,
        ),
        (
            "mirror give-up",
            words("mirror give-up --reason x", &[&subscriber.invoice]),
            6,
        ),
        ("unknown resolve", words("unknown resolve", &[&attempt]), 0),
        (
            "unknown send-again",
            words("unknown send-again", &[&attempt]),
            0,
        ),
        ("unknown link", words("unknown link", &[&attempt]), 2),
        (
            "unknown not-executed",
            words("unknown not-executed --reason x --evidence x", &[&attempt]),
            6,
        ),
        ("approve list", words("approve list", &[]), 0),
        ("approve show", words("approve show ZZZZZZ", &[]), 8),
        ("approve grant", words("approve grant ZZZZZZ", &[]), 8),
        (
            "approve reject",
            words("approve reject ZZZZZZ --reason x", &[]),
            8,
        ),
        ("unknown list", words("unknown list", &[]), 0),
        ("doctor", words("doctor", &[]), 0),
        ("find", words("find x", &[]), 8),
        ("list", words("list plans", &[]), 0),
        ("show", words("show", &[&subscriber.customer]), 0),
        ("states", words("states", &[]), 0),
        ("report revenue", words("report revenue", &[]), 0),
        ("report fees", words("report fees", &[]), 0),
        ("report mrr", words("report mrr", &[]), 0),
        ("audit verify", words("audit verify", &[]), 0),
        ("paths", words("paths", &[]), 0),
        ("keys", words("keys", &[]), 0),
        ("completions", words("completions bash", &[]), 0),
        ("man", words("man", &[]), 0),
        ("config print", words("config print", &[]), 0),
    ]
}

#[test]
fn a_dry_run_of_any_command_changes_nothing() {
    let shop = Shop::open();
    let cases = cases(&shop);
    let mut known = Vec::new();
    leaves(&shop.path(""), &[], &mut known);
    known.retain(|leaf| !["help", "doctor go-live"].contains(&leaf.as_str()));
    for leaf in &known {
        assert!(
            cases
                .iter()
                .any(|(name, ..)| name == leaf || leaf.starts_with(&format!("{name} "))),
            "no dry run of {leaf:?} is tried here"
        );
    }
    let before = world(&shop);
    for (name, words, exit) in &cases {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = shop.json(&[&words[..], &["--dry-run"]].concat());
        assert_eq!(ran.code, *exit, "{name}: {ran:?}");
        if *exit == 2 {
            assert_eq!(ran.error()["code"], "no_dry_run", "{name}");
        }
        assert_eq!(world(&shop), before, "{name}");
    }
}

#[test]
fn a_session_that_changes_nothing_changes_nothing_by_any_command() {
    let shop = Shop::open();
    let cases = cases(&shop);
    let before = world(&shop);
    for (name, words, _) in &cases {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = shop.json(&[&words[..], &["--read-only"]].concat());
        assert!([0, 6, 8].contains(&ran.code), "{name}: {ran:?}");
        assert_eq!(world(&shop), before, "{name}");
    }
}

#[test]
fn a_dry_run_of_reconcile_names_what_it_would_look_up_and_sends_nothing() {
    let shop = Shop::open();
    shop.plan();
    let (customer, _) = shop.customer("박하준");
    shop.fault(&json!({ "match": { "endpoint": "charge" }, "fault": "lost_before_commit" }));
    let unknown = shop
        .apply(&["subscribe", &customer, "basic-month"])
        .expect(4)
        .object();
    crate::setup::sql(
        &shop,
        "update attempt set next_check_at = 0, lease_until = 0 where state = 'unknown'",
    );
    let sent = shop.simulator.sent();
    let rows = shop.json(&["reconcile", "--dry-run"]).expect(0).lines();
    assert_eq!(rows[0]["attempt_id"], unknown["attempt_id"], "{rows:?}");
    assert_eq!(rows[0]["would"], "look_up_then_send_again");
    assert_eq!(rows[1], json!({ "object": "reconcile_preview", "due": 1 }));
    assert_eq!(
        (shop.simulator.sent(), shop.simulator.executed("charge")),
        (sent, 0)
    );
}

#[test]
fn a_simulator_is_not_started_by_a_dry_run() {
    let home = tempfile::TempDir::new().expect("a directory");
    run(paydeck(home.path()).args(["sandbox", "--dry-run"])).expect(2);
    let _real = Simulator::start(home.path());
}
