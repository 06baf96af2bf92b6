//! What bad input gets: a message that names the thing, the reason and the next step; nothing sent, nothing lost.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::setup::sql;
use crate::shop::{Ran, Shop, text};

/// The code of the failure, after checking that it says what and what next.
fn refused(ran: Ran, exit: i32) -> String {
    let ran = ran.expect(exit);
    let error = ran.error();
    assert_eq!(error["exit"], json!(exit), "{ran:?}");
    assert!(
        !text(&error, "message").is_empty() && !text(&error, "next").is_empty(),
        "{error}"
    );
    text(&error, "code")
}

#[test]
fn wrong_amounts_are_refused_before_anything_is_sent() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let refund = |amount: &str| {
        shop.json(&[
            "refund",
            &subscriber.payment,
            "--amount",
            amount,
            "--reason",
            "x",
            "--dry-run",
        ])
    };
    for (amount, exit, code) in [
        ("0", 6, "refund_not_positive"),
        ("-1", 6, "refund_not_positive"),
        ("9901", 6, "refund_too_much"),
        ("9900.5", 2, "amount_decimals"),
        ("99999999999999999999", 2, "amount_overflow"),
        ("ten", 2, "amount"),
        ("9,90", 2, "amount"),
    ] {
        assert_eq!(refused(refund(amount), exit), code, "{amount}");
    }
    let once = |amount: &str, currency: &str| {
        shop.json(&[
            "one-time",
            &subscriber.customer,
            amount,
            "--currency",
            currency,
            "--description",
            "x",
            "--dry-run",
        ])
    };
    assert_eq!(refused(once("1.005", "USD"), 2), "amount_decimals");
    assert_eq!(refused(once("1", "XYZ"), 2), "currency");
    // No card of this customer is where the rules send dollars.
    assert_eq!(refused(once("10.00", "USD"), 6), "no_method");
    once("0", "KRW").expect(6);
    once("-5000", "KRW").expect(6);
    assert_eq!(
        shop.simulator.executed("charge") + shop.simulator.executed("cancel"),
        1
    );
}

#[test]
fn an_id_of_another_noun_a_short_and_an_ambiguous_one_are_told_apart() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    assert_eq!(
        refused(
            shop.json(&["refund", &subscriber.customer, "--full", "--reason", "x"]),
            2
        ),
        "id_other_noun"
    );
    assert_eq!(
        refused(shop.json(&["show", "customer", "AB"]), 2),
        "id_too_short"
    );
    assert_eq!(
        refused(shop.json(&["show", "customer", "김서현"]), 2),
        "not_an_id"
    );
    // Two customers with the same ending: the reversed id decides.
    let (other, _) = shop.customer("최서연");
    let ending = &subscriber.customer[subscriber.customer.len() - 6..];
    let forged = format!("{}{ending}", &other[..other.len() - 6]);
    let tail: String = forged.trim_start_matches("cus_").chars().rev().collect();
    sql(
        &shop,
        &format!(
            "update customer set public_id = '{forged}', tail = '{tail}' where public_id = '{other}'"
        ),
    );
    assert_eq!(
        refused(shop.json(&["show", "customer", ending]), 8),
        "ambiguous"
    );
    let lower = subscriber.customer.to_lowercase();
    assert_eq!(
        text(&shop.json(&["show", &lower]).expect(0).object(), "id"),
        subscriber.customer
    );
}

#[test]
fn j03_a_configuration_or_key_that_others_can_read_is_refused_with_the_cure() {
    let shop = Shop::open();
    for name in ["config.toml", "toss.key"] {
        let path = shop.path(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        let open = shop.json(&["list", "plans"]);
        assert!(
            text(&open.error(), "message").contains("chmod 600"),
            "{open:?}"
        );
        assert_eq!(refused(open, 78), "config");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    }
    shop.json(&["list", "plans"]).expect(0);
}

#[test]
fn malformed_configuration_names_file_line_and_key() {
    let shop = Shop::open();
    shop.replace_line("mode = \"sim\"", "mode = \"simulator\"");
    let wrong = shop.json(&["list", "plans"]);
    let message = text(&wrong.error(), "message");
    assert!(
        message.contains("config.toml:") && message.contains("mode"),
        "{message}"
    );
    assert_eq!(refused(wrong, 78), "config");
}

#[test]
fn f35_keys_and_databases_of_another_mode_are_refused_at_start() {
    let shop = Shop::open();
    sql(&shop, "update meta set value = 'test' where key = 'mode'");
    assert_eq!(refused(shop.json(&["list", "plans"]), 78), "other_mode");
    sql(&shop, "update meta set value = 'sim' where key = 'mode'");

    let canary = "live_sk_canary0000000000000000000";
    std::fs::write(shop.path("toss.key"), canary).expect("a key");
    let live = shop.json(&["list", "plans"]);
    assert!(!live.err.contains("canary"), "{live:?}");
    assert_eq!(refused(live, 78), "config");
    std::fs::write(shop.path("toss.key"), "test_gsk_canary00000000000000000").expect("a key");
    let widget = shop.json(&["list", "plans"]);
    assert!(!widget.err.contains("canary"), "{widget:?}");
    assert_eq!(refused(widget, 78), "config");
}

#[test]
fn f35_a_live_key_never_meets_a_test_database() {
    let shop = Shop::open();
    sql(&shop, "update meta set value = 'test' where key = 'mode'");
    shop.replace_line("mode = \"sim\"", "mode = \"live\"");
    shop.replace_line(
        "base_url = \"sandbox:sandbox\"",
        "base_url = \"https://api.tosspayments.com\"",
    );
    std::fs::write(shop.path("toss.key"), "live_sk_canary0000000000000000000").expect("a key");
    let refusal = shop.json(&["list", "plans"]);
    assert!(!refusal.err.contains("canary"), "{refusal:?}");
    assert_eq!(refused(refusal, 78), "other_mode");
    let with_time = shop.json(&["list", "plans", "--now", "2026-03-01T00:00:00Z"]);
    assert_eq!(refused(with_time, 6), "now_in_live");
}

#[test]
fn a_missing_foreign_older_or_newer_database_is_told_apart() {
    let shop = Shop::open();
    for (version, word) in [("1", "migrate"), ("99", "newer")] {
        sql(
            &shop,
            &format!("update meta set value = '{version}' where key = 'schema_version'"),
        );
        let ran = shop.json(&["list", "plans"]);
        assert!(text(&ran.error(), "message").contains(word), "{ran:?}");
        assert_eq!(refused(ran, 78), "wrong_database");
    }
    std::fs::remove_file(shop.path("paydeck.db")).expect("remove");
    assert_eq!(refused(shop.json(&["list", "plans"]), 78), "wrong_database");
    std::fs::write(
        shop.path("paydeck.db"),
        "this is no database at all, only text",
    )
    .expect("write");
    shop.json(&["list", "plans"]).expect(78);
}

#[test]
fn a_locked_database_is_busy_and_nothing_is_written() {
    let shop = Shop::open();
    let subscriber = shop.subscriber();
    let url = format!("sqlite:{}", shop.path("paydeck.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut holder = runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.expect("open");
        sqlx::raw_sql(AssertSqlSafe("begin immediate".to_owned()))
            .execute(&mut connection)
            .await
            .expect("lock");
        connection
    });
    assert_eq!(
        refused(shop.json(&["note", &subscriber.customer, "hello"]), 7),
        "store_busy"
    );
    // Reading does not wait for a writer.
    shop.json(&["show", &subscriber.customer]).expect(0);
    runtime.block_on(async {
        sqlx::raw_sql(AssertSqlSafe("rollback".to_owned()))
            .execute(&mut holder)
            .await
            .expect("unlock");
    });
    let card = shop
        .json(&["show", &subscriber.customer])
        .expect(0)
        .object();
    assert_eq!(card["notes"], json!([]));
}

#[test]
fn an_unreachable_server_is_7() {
    let shop = Shop::open();
    shop.replace_line(
        "url = \"sqlite:paydeck.db\"",
        "url = \"postgres://me:canary@127.0.0.1:1/paydeck\"",
    );
    let away = shop.json(&["list", "plans"]);
    assert!(!away.err.contains("canary"), "{away:?}");
    assert_eq!(refused(away, 7), "store_unreachable");
}

#[test]
fn j05_a_customer_key_that_can_be_guessed_or_is_taken_is_refused() {
    let shop = Shop::open();
    shop.json(&[
        "customer",
        "create",
        "--name",
        "a",
        "--customer-key",
        "kim@example.com",
    ])
    .expect(6);
    let key = "0b9a4c1e-5f7e-4d52-9d3f-6d2c7f1f1a11";
    shop.json(&["customer", "create", "--name", "a", "--customer-key", key])
        .expect(0);
    shop.json(&["customer", "create", "--name", "b", "--customer-key", key])
        .expect(6);
}

#[test]
fn the_console_needs_a_terminal() {
    let shop = Shop::open();
    assert_eq!(refused(shop.json(&["console"]), 6), "not_a_terminal");
    assert_eq!(refused(shop.json(&[]), 6), "not_a_terminal");
}
