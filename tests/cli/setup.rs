//! `init`, `migrate`, `doctor`, `paths`, `config print`, `states`, `completions`, `man`: with and without an installation.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::shop::{Shop, paydeck, run, text};

/// Runs statements on the shop's own file of SQLite, past the program.
pub fn sql(shop: &Shop, statements: &str) {
    let url = format!("sqlite:{}", shop.path("paydeck.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url)
            .await
            .expect("open the file");
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .expect("run it");
        connection.close().await.expect("close it");
    });
}

fn mode_of(path: &Path) -> u32 {
    path.metadata().expect("a file").permissions().mode() & 0o777
}

#[test]
fn init_makes_private_files_and_overwrites_nothing() {
    let shop = Shop::open();
    for name in ["config.toml", "toss.key", "paydeck.db"] {
        assert_eq!(mode_of(&shop.path(name)), 0o600, "{name}");
    }
    assert_eq!(mode_of(&shop.path("vault.key")), 0o400);
    let before = std::fs::read(shop.config()).expect("configuration");
    let dir = shop.path("");
    let again = run(paydeck(&dir).args(["init", "--json", "--dir"]).arg(&dir)).expect(6);
    assert_eq!(again.error()["code"], "exists");
    assert_eq!(std::fs::read(shop.config()).expect("configuration"), before);
}

#[test]
fn l03_doctor_makes_at_least_fifteen_checks_and_ends_by_the_worst() {
    let shop = Shop::open();
    let checks = shop.json(&["doctor"]).expect(0).lines();
    assert!(checks.len() >= 15, "{} checks", checks.len());
    assert!(
        checks
            .iter()
            .all(|check| check["object"] == "check" && check["status"] != "fail"),
        "{checks:#?}"
    );
    std::fs::set_permissions(
        shop.path("paydeck.db"),
        std::fs::Permissions::from_mode(0o644),
    )
    .expect("chmod");
    let open = shop.json(&["doctor"]).expect(78).lines();
    let file = open
        .iter()
        .find(|check| check["name"] == "database_file")
        .expect("the check");
    assert_eq!(file["status"], "fail");
    assert!(text(file, "detail").contains("chmod 600"));
}

#[test]
fn doctor_says_what_this_host_keeps_and_cannot_read() {
    let shop = Shop::open();
    let spool = |expected| {
        let checks = shop.json(&["doctor"]).expect(expected).lines();
        let check = checks.iter().find(|check| check["name"] == "spool");
        let check = check.expect("the check");
        (text(check, "status"), text(check, "detail"))
    };
    assert_eq!(spool(0).0, "ok");
    let dir = shop.path("spool");
    std::fs::create_dir(&dir).expect("a directory");
    let access = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&dir, mode).expect("chmod");
    };
    access(0o700);
    std::fs::write(dir.join("broken.json"), "{").expect("a file");
    let (status, detail) = spool(0);
    assert!(status == "warn" && detail.contains("broken"), "{detail}");
    access(0o755);
    let (status, detail) = spool(78);
    assert!(status == "fail" && detail.contains("0700"), "{detail}");
}

#[test]
fn o02_go_live_lists_every_item_and_does_not_pass_in_the_simulator() {
    let shop = Shop::open();
    let items = shop.json(&["doctor", "go-live"]).expect(9).lines();
    let names: Vec<String> = items.iter().map(|item| text(item, "name")).collect();
    for name in [
        "contract",
        "live_keys",
        "webhook",
        "secret_set",
        "firewall",
        "amount_check",
        "monitoring",
        "backup",
        "zone",
        "cron",
        "policy",
        "terms",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn a_command_without_a_configuration_says_where_to_begin() {
    let home = TempDir::new().expect("a directory");
    let lost = run(paydeck(home.path()).args(["list", "plans", "--json"])).expect(78);
    assert_eq!(lost.error()["code"], "no_configuration");
    let paths = run(paydeck(home.path()).args(["paths", "--json"]))
        .expect(0)
        .object();
    assert!(text(&paths, "looked_for").contains("paydeck/config.toml"));
}

#[test]
fn verbs_that_need_no_installation_work_without_one() {
    let home = TempDir::new().expect("a directory");
    let run = |words: &[&str]| run(paydeck(home.path()).args(words)).expect(0);
    let states = run(&["states", "--json"]).lines();
    let unknown = states
        .iter()
        .find(|row| row["noun"] == "attempt" && row["state"] == "unknown")
        .expect("a row");
    assert_eq!(
        unknown["moves"],
        json!(["succeeded", "declined", "not_executed", "duplicate"])
    );
    let sources: std::collections::BTreeSet<&str> = states
        .iter()
        .filter_map(|row| row["source"].as_str())
        .collect();
    assert_eq!(sources.len(), 5, "every import source has its words");
    assert!(run(&["completions", "bash"]).out.contains("paydeck"));
    assert!(run(&["man"]).out.contains(".TH"));
    assert!(
        run(&["keys", "--json"])
            .lines()
            .iter()
            .any(|key| key["twin"] == "refund")
    );
    assert!(run(&["--help"]).out.contains("refund"));
    assert!(run(&["--version"]).out.starts_with("paydeck "));
}

#[test]
fn the_settings_are_printed_without_their_secret_and_the_environment_overrides_them() {
    let shop = Shop::open();
    let mut command = shop.command(&["config", "print", "--json"]);
    let printed = run(command.env("PAYDECK__BILLING__HOUR", "7")).expect(0);
    let settings = printed.object();
    assert_eq!(
        (&settings["billing_hour"], &settings["secret_key"]),
        (&json!(7), &json!("***"))
    );
    assert!(!printed.out.contains("test_sk_"), "{printed:?}");
}

#[test]
fn migrate_is_done_once_and_again_changes_nothing() {
    let shop = Shop::open();
    let migrated = shop.json(&["migrate"]).expect(0).object();
    assert_eq!(migrated["from"], migrated["to"]);
}

#[test]
fn money_moves_over_postgresql_as_over_sqlite() {
    let Some(database) = crate::postgres::database() else {
        return;
    };
    let shop = Shop::over(Some(&database.url));
    let subscriber = shop.subscriber();
    shop.apply(&[
        "refund",
        &subscriber.payment,
        "--full",
        "--reason",
        "고객 요청",
    ])
    .expect(0);
    let payment: Value =
        shop.json(&["show", &subscriber.payment]).expect(0).object()["payments"][0].clone();
    assert_eq!(
        payment["refunded"],
        json!({ "minor": 9900, "currency": "KRW" })
    );
    assert_eq!(
        shop.simulator.executed("charge") + shop.simulator.executed("cancel"),
        2
    );
    shop.json(&["audit", "verify"]).expect(0);
    let password_free = shop.json(&["config", "print"]).expect(0);
    assert!(!password_free.out.contains('@'), "{password_free:?}");
}

#[test]
fn m01_the_demo_is_made_in_one_command_and_the_simulators_ledger_matches_it() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("demo");
    let make = || {
        let mut command = paydeck(home.path());
        command
            .args([
                "demo",
                "--customers",
                "40",
                "--seed",
                "7",
                "--prepare-only",
                "--dir",
            ])
            .arg(&dir);
        run(&mut command)
    };
    let demo = make().expect(0).object();
    let config = text(&demo, "config");
    for key in ["config", "database", "sandbox_file"] {
        assert!(Path::new(&text(&demo, key)).is_file(), "{key}");
    }
    let simulator = crate::shop::Simulator::start(&dir);
    let in_it = |words: &[&str]| {
        run(paydeck(home.path())
            .args(["--json", "--config", &config])
            .args(words))
    };
    let payments = in_it(&["list", "payments", "--all"])
        .expect(0)
        .lines()
        .len();
    assert_eq!(demo["payments"], json!(payments));
    assert!(
        simulator.executed("charge") >= payments,
        "what we know of, the provider has executed"
    );
    in_it(&["audit", "verify"]).expect(0);
    let again = make().expect(6);
    assert!(again.err.contains("demo"), "{again:?}");
}

#[test]
fn j01_the_key_is_rotated_and_the_old_one_is_needed_no_more() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let new = shop.path("new.key");
    shop.json(&["vault", "new-key", "--out", new.to_str().expect("UTF-8")])
        .expect(0);
    shop.replace_line("#key_file = \"vault.key\"", "key_file = \"new.key\"");
    let wrong = shop
        .json(&[
            "one-time",
            &subscriber.customer,
            "5000",
            "--description",
            "x",
            "--dry-run",
        ])
        .expect(78);
    assert_eq!(wrong.error()["code"], "other_key");
    shop.replace_line(
        "#previous_key_files = []",
        "previous_key_files = [\"vault.key\"]",
    );
    assert_eq!(
        shop.json(&["vault", "rotate"]).expect(0).object()["resealed"],
        json!(1)
    );
    shop.replace_line(
        "previous_key_files = [\"vault.key\"]",
        "#previous_key_files = []",
    );
    std::fs::remove_file(shop.path("vault.key")).expect("remove the old key");
    shop.apply(&[
        "one-time",
        &subscriber.customer,
        "5000",
        "--description",
        "추가",
    ])
    .expect(0);
    assert_eq!(shop.simulator.executed("charge"), 2);
}

#[test]
fn init_over_postgresql_asks_the_server_first_and_leaves_nothing_when_it_fails() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("shop");
    let init = |url: &str| {
        run(paydeck(home.path())
            .args(["init", "--json", "--database", url, "--dir"])
            .arg(&dir))
    };
    init("postgres://me@127.0.0.1:1/paydeck").expect(7);
    assert!(!dir.exists(), "nothing is left");
    let Some(database) = crate::postgres::database() else {
        return;
    };
    let missing = database.url.replace("paydeck_test_", "no_such_");
    let ran = init(&missing).expect(78);
    assert!(
        text(&ran.error(), "message").contains("createdb"),
        "{ran:?}"
    );
    assert!(!dir.exists(), "nothing is left");
    init(&database.url).expect(0);
    let config = dir.join("config.toml");
    run(paydeck(home.path())
        .args(["list", "plans", "--config"])
        .arg(&config))
    .expect(0);
    let used = home.path().join("second");
    let again = run(paydeck(home.path())
        .args(["init", "--json", "--database", &database.url, "--dir"])
        .arg(&used))
    .expect(78);
    assert!(
        text(&again.error(), "message").contains("in use"),
        "{again:?}"
    );
    assert!(!used.exists(), "nothing is left");
}

#[test]
fn migrate_makes_the_schema_in_an_empty_database_of_postgresql() {
    let Some(database) = crate::postgres::database() else {
        return;
    };
    let shop = Shop::open();
    shop.replace_line(
        "url = \"sqlite:paydeck.db\"",
        &format!("url = {:?}", database.url),
    );
    let rehearsed = shop.json(&["migrate", "--dry-run"]).expect(0).object();
    assert_eq!(rehearsed["object"], "migration_preview");
    shop.json(&["list", "plans"]).expect(78);
    let made = shop.json(&["migrate"]).expect(0).object();
    assert_eq!(
        (&made["from"], &made["to"]),
        (&rehearsed["from"], &rehearsed["to"])
    );
    assert_eq!(made["from"], json!(0));
    shop.plan();
    let again = shop.json(&["migrate"]).expect(0).object();
    assert_eq!(again["from"], again["to"]);
}

#[test]
fn an_empty_file_is_told_from_another_programs() {
    let shop = Shop::open();
    std::fs::write(shop.path("paydeck.db"), "").expect("empty it");
    let ran = shop.json(&["migrate"]).expect(78);
    assert!(text(&ran.error(), "message").contains("empty"), "{ran:?}");
}
