//! Making, opening, refusing and migrating; what the schema offers beside the port.

use paydeck::domain::mode::Mode;
use paydeck::domain::states::AttemptState;
use paydeck::engine::ports::{Attempts, Desk, Store, StoreError, Tx};
use paydeck::store::{self, DatabaseUrl, Migrated, OpenOptions, SCHEMA_VERSION, SqlStore};

use crate::bed::{Bed, begin, new_database};
use crate::on_both;
use crate::world::{Draft, move_to, paid, world};

on_both!(
    an_opened_database_knows_itself,
    a_database_is_made_once,
    an_older_newer_or_foreign_database_is_refused,
    reading_only_never_writes,
    migrating_a_current_database_changes_nothing,
    nothing_is_migrated_while_a_charge_is_out,
);

fn said(outcome: Result<impl Sized, StoreError>) -> String {
    match outcome {
        Err(StoreError::WrongDatabase(text)) => text,
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("it was accepted"),
    }
}

async fn try_open(bed: &Bed) -> Result<SqlStore, StoreError> {
    SqlStore::open(&bed.url, OpenOptions::read_write("tester", "c")).await
}

async fn an_opened_database_knows_itself(bed: Bed) {
    let store = bed.open().await;
    assert_eq!(
        (store.mode(), store.zone()),
        (Mode::Sim, chrono_tz::Asia::Seoul)
    );
    assert_eq!(
        store.meta("install_id").await.expect("meta").as_deref(),
        Some("ABCDEFGH")
    );
    assert_eq!(
        store.meta("key_id").await.expect("meta").as_deref(),
        Some("k1")
    );
    assert_eq!(store.meta("nothing").await.expect("meta"), None);
    store.set_meta("clean", "no").await.expect("set");
    store.set_meta("clean", "yes").await.expect("set again");
    assert_eq!(
        store.meta("clean").await.expect("meta").as_deref(),
        Some("yes")
    );
    assert!(store.quick_check().await.expect("check").is_empty());
}

async fn a_database_is_made_once(bed: Bed) {
    let again = store::create(&bed.url, &new_database()).await;
    let text = said(again);
    assert!(
        text.contains("exists already") || text.contains("in use already"),
        "{text}"
    );
    try_open(&bed).await.expect("the first one is whole");
}

async fn an_older_newer_or_foreign_database_is_refused(bed: Bed) {
    let mut raw = bed.raw().await;
    raw.must("update meta set value = '1' where key = 'schema_version'")
        .await;
    let text = said(try_open(&bed).await);
    assert!(text.contains("paydeck migrate"), "{text}");
    raw.must("update meta set value = '99' where key = 'schema_version'")
        .await;
    let text = said(try_open(&bed).await);
    assert!(text.contains("newer paydeck"), "{text}");
    assert!(said(store::migrate(&bed.url).await).contains("newer paydeck"));
    raw.must("update meta set value = 'ledgerly' where key = 'application_id'")
        .await;
    let text = said(try_open(&bed).await);
    assert!(text.contains("another program"), "{text}");
    assert!(said(store::migrate(&bed.url).await).contains("another program"));
    if bed.is_postgres() {
        raw.must("drop table meta").await;
        let text = said(try_open(&bed).await);
        assert!(text.contains("not a database of paydeck"), "{text}");
        assert!(said(store::migrate(&bed.url).await).contains("not a database of paydeck"));
    }
}

async fn reading_only_never_writes(bed: Bed) {
    let first = bed.open().await;
    let store = SqlStore::open(&bed.url, OpenOptions::read_only("viewer"))
        .await
        .expect("open");
    assert_eq!(
        store.meta("mode").await.expect("meta").as_deref(),
        Some("sim")
    );
    let mut desk = Desk::new();
    let text = said(store.begin(&mut desk).await.map(|_tx| ()));
    assert!(text.contains("read only"), "{text}");
    if !bed.is_postgres() {
        assert!(said(store.set_meta("a", "b").await).contains("read only"));
    }
    first.close().await;
}

async fn migrating_a_current_database_changes_nothing(bed: Bed) {
    let done = store::migrate(&bed.url).await.expect("migrate");
    assert_eq!(
        done,
        Migrated {
            from: SCHEMA_VERSION,
            to: SCHEMA_VERSION
        }
    );
}

async fn nothing_is_migrated_while_a_charge_is_out(bed: Bed) {
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    let attempt = Draft::charge(made.invoice, 1).must(&mut tx, &made).await;
    let mut row = tx.lock_attempt(attempt).await.expect("read");
    row.last_sent_at = Some(tx.db_now().await.expect("a clock"));
    move_to(&mut tx, &mut row, AttemptState::Sent)
        .await
        .expect("sent");
    tx.commit().await.expect("commit");
    store.close().await;
    let mut raw = bed.raw().await;
    raw.must("update meta set value = '8' where key = 'schema_version'")
        .await;
    let text = said(store::migrate(&bed.url).await);
    assert!(text.contains("1 charges or refunds were sent"), "{text}");
    raw.must("update attempt set last_sent_at = last_sent_at - 120000000")
        .await;
    // It goes on: to what stands there already, in this case.
    let text = format!("{:?}", store::migrate(&bed.url).await);
    assert!(!text.contains("were sent"), "{text}");
}

/// A database as the first schema version left it.
async fn first_version(bed: &Bed, tables: &str) {
    let mut raw = bed.raw().await;
    raw.must(tables).await;
    for (key, value) in [
        ("application_id", "paydeck"),
        ("schema_version", "1"),
        ("mode", "sim"),
        ("zone", "Asia/Seoul"),
    ] {
        raw.must(&format!(
            "insert into meta (key, value) values ('{key}', '{value}')"
        ))
        .await;
    }
}

async fn migrated_from_the_first_version(bed: Bed, tables: &str) {
    first_version(&bed, tables).await;
    let mut raw = bed.raw().await;
    // A payment of that time, with all that it hangs on.
    let empty = if bed.is_postgres() { "''" } else { "x''" };
    raw.must(&format!(
        "insert into customer (id, public_id, tail, customer_key, name, email, phone, name_jamo, name_initials, email_lower, phone_digits, created_at)
        values (900, 'cus_OLD', 'DLO', 'key-old', 'n', 'e', 'p', 'n', 'n', 'e', '1', 1);
        insert into invoice (id, public_id, tail, customer_id, term_no, period_index, kind, state, amount_minor, currency, description,
            due_at, period_from, period_to, paid_at, created_at)
        values (900, 'inv_OLD', 'DLO', 900, 0, 0, 'one_time', 'paid', 9900, 'KRW', 'd', 1, '1970-01-01', '1970-01-02', 1, 1);
        insert into attempt (id, public_id, tail, kind, invoice_id, customer_id, attempt_no, source, provider, mode, order_id, idem_key,
            provider_ref, body, amount_minor, currency, also_cancel, state, operator, reason, created_at, settled_at, settled_on)
        values (900, 'att_OLD', 'DLO', 'charge', 900, 900, 1, 'manual', 'toss', 'sim', 'order', 'key', 'ref', {empty}, 9900, 'KRW', 'no',
            'succeeded', 'kim', '', 1, 1, '1970-01-01');
        insert into payment (id, public_id, tail, invoice_id, attempt_id, customer_id, provider, mode, provider_ref, order_id,
            captured_minor, currency, captured_at, captured_on)
        values (900, 'pay_OLD', 'DLO', 900, 900, 900, 'toss', 'sim', 'ref', 'order', 9900, 'KRW', 1, '1970-01-01')"
    ))
    .await;
    drop(raw);
    let done = store::migrate(&bed.url).await.expect("migrate");
    assert_eq!(
        done,
        Migrated {
            from: 1,
            to: SCHEMA_VERSION
        }
    );
    // What nobody asked about at the time is not known, and is not "no".
    let known = "select count(*) from payment where installment_months is not null or three_d_secure is not null";
    let mut raw = bed.raw().await;
    assert_eq!(raw.number("select count(*) from payment").await, 1);
    assert_eq!(raw.number(known).await, 0);
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    paid(&mut tx, &made, made.invoice).await;
    tx.commit().await.expect("commit");
}

#[tokio::test]
async fn sqlite_goes_from_the_first_version_to_the_last() {
    let bed = Bed::sqlite_empty();
    let DatabaseUrl::Sqlite(path) = &bed.url else {
        panic!("a file")
    };
    std::fs::write(path, b"").expect("an empty file");
    bed.raw()
        .await
        .must("pragma application_id = 1887003755")
        .await;
    let tables = include_str!("../../assets/migrations/sqlite/0001_tables.sql");
    migrated_from_the_first_version(bed, tables).await;
}

#[tokio::test]
async fn postgres_goes_from_the_first_version_to_the_last() {
    let Some(bed) = Bed::postgres_empty() else {
        return;
    };
    let tables = include_str!("../../assets/migrations/postgres/0001_tables.sql");
    migrated_from_the_first_version(bed, tables).await;
}

#[tokio::test]
async fn what_a_server_of_postgresql_lets_a_statement_take_does_not_end_a_migration() {
    let Some(bed) = Bed::postgres_empty() else {
        return;
    };
    let tables = include_str!("../../assets/migrations/postgres/0001_tables.sql");
    first_version(&bed, tables).await;
    let bound = "do $$ begin execute format('alter database %I set statement_timeout = 1', current_database()); end $$";
    bed.raw().await.must(bound).await;
    let done = store::migrate(&bed.url).await.expect("migrate");
    assert_eq!(done.to, SCHEMA_VERSION);
}

#[tokio::test]
async fn a_file_that_is_missing_foreign_or_no_database_is_refused() {
    let bed = Bed::sqlite_empty();
    assert!(said(try_open(&bed).await).contains("paydeck init"));
    assert!(said(store::migrate(&bed.url).await).contains("paydeck init"));
    let DatabaseUrl::Sqlite(path) = &bed.url else {
        panic!("a file")
    };
    std::fs::write(path, vec![b'x'; 4096]).expect("write");
    assert!(said(try_open(&bed).await).contains("not a database"));
    std::fs::remove_file(path).expect("remove");
    std::fs::write(path, b"").expect("write");
    bed.raw()
        .await
        .must("create table meta (key text, value text)")
        .await;
    assert!(said(try_open(&bed).await).contains("another program"));
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone_and_durable() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::sqlite_empty().with_schema().await;
    let DatabaseUrl::Sqlite(path) = &bed.url else {
        panic!("a file")
    };
    let mode = std::fs::metadata(path)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(bed.raw().await.texts("pragma journal_mode").await, ["wal"]);

    let deep = path.with_file_name("a").join("b.db");
    let url = DatabaseUrl::Sqlite(deep.clone());
    store::create(&url, &new_database()).await.expect("create");
    let directory = std::fs::metadata(deep.parent().expect("a parent")).expect("made");
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_live_database_on_a_forgetful_server_is_refused() {
    let Some(bed) = Bed::postgres_empty() else {
        return;
    };
    let live = store::NewDatabase {
        mode: Mode::Live,
        ..new_database()
    };
    store::create(&bed.url, &live).await.expect("create");
    let mut raw = bed.raw().await;
    let off = "select count(*) from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'";
    if raw.number(off).await == 0 {
        return;
    }
    let text = said(try_open(&bed).await);
    assert!(text.contains("must be on in live mode"), "{text}");
}

#[tokio::test]
async fn people_with_psql_read_decimals_and_times() {
    let Some(bed) = Bed::postgres_empty() else {
        return;
    };
    let bed = bed.with_schema().await;
    let store = bed.open().await;
    let mut desk = Desk::new();
    let mut tx = begin(&store, &mut desk).await;
    let made = world(&mut tx).await;
    paid(&mut tx, &made, made.invoice).await;
    tx.commit().await.expect("commit");
    let mut raw = bed.raw().await;
    let cell = "select captured::text || ' ' || to_char(captured_at at time zone 'utc', 'YYYY-MM-DD HH24:MI') from v_payment";
    assert_eq!(raw.texts(cell).await, ["9900 2026-03-02 00:00"]);
    raw.must("insert into approval (public_id, tail, verb, target, attempt_id, customer_id, amount_minor, currency, also_cancel, reason, evidence, fingerprint, mode, requester, claims, requested_at, expires_at)
        select 'apr_X', 'X', 'refund', public_id, id, customer_id, amount_minor, currency, 'no', 'asked', '', 'f', mode, 'kim', '{}', 1772409600000000, 1772409601000000 from attempt").await;
    let asked = "select verb || ' ' || (target = attempt)::text || ' ' || mode || ' ' || amount::text || ' ' || to_char(requested_at at time zone 'utc', 'YYYY-MM-DD') from v_approval";
    assert_eq!(raw.texts(asked).await, ["refund true sim 9900 2026-03-02"]);
    for view in ["v_subscription", "v_invoice", "v_attempt"] {
        assert_eq!(
            raw.number(&format!("select count(*) from {view}")).await,
            1,
            "{view}"
        );
    }
    let decimals = "select paydeck_decimal(1234, 'USD')::text || ' ' || paydeck_decimal(1234, 'KWD')::text || ' ' || paydeck_decimal(1234, 'KRW')::text";
    assert_eq!(raw.texts(decimals).await, ["12.34 1.234 1234"]);
}

/// What the lists and look-ups ask for is found by an index alone, in order.
#[tokio::test]
async fn lists_walk_an_index_and_sort_nothing() {
    let bed = Bed::sqlite_empty().with_schema().await;
    let mut raw = bed.raw().await;
    let walks = [
        (
            "select id from payment where (captured_at, id) < (5, 5) order by captured_at desc, id desc limit 50",
            "payment_newest",
        ),
        (
            "select id from payment where customer_id = 1 order by captured_at desc, id desc limit 50",
            "payment_of_customer",
        ),
        (
            "select id from payment where subscription_id = 1 order by captured_at desc, id desc limit 50",
            "payment_of_subscription",
        ),
        (
            "select id from payment where refunded_minor > 0 order by captured_at desc, id desc limit 50",
            "payment_refunded",
        ),
        (
            "select id from payment where captured_minor = 9900 and captured_at > 1 order by captured_at, id limit 50",
            "payment_by_amount",
        ),
        (
            "select id from payment where order_id = 'x'",
            "payment_by_order",
        ),
        (
            "select id from payment where provider_ref = 'x'",
            "payment_provider_ref",
        ),
        (
            "select captured_on, sum(captured_minor) from payment where captured_on >= '2026-01-01' group by captured_on",
            "payment_by_day",
        ),
        (
            "select id from attempt where state = 'declined' order by settled_at desc, id desc limit 50",
            "attempt_declined",
        ),
        (
            "select id from attempt where state in ('sent', 'unknown') order by created_at, id limit 50",
            "attempt_unknown",
        ),
        (
            "select id from attempt where order_id = 'x'",
            "attempt_order_id",
        ),
        (
            "select id from subscription where state = 'active' order by created_at desc, id desc limit 50",
            "subscription_by_state",
        ),
        (
            "select id from subscription where renews_at is not null order by renews_at, id limit 50",
            "subscription_renewal",
        ),
        (
            "select id from subscription where run_at <= 5 order by run_at, id limit 50",
            "subscription_run_due",
        ),
        (
            "select id from invoice where state = 'open' and dunning = 'scheduled' and next_attempt_at <= 5 order by next_attempt_at, id limit 50",
            "invoice_dunning_due",
        ),
        (
            "select id from customer where email_lower = 'x'",
            "customer_by_email",
        ),
        (
            "select id from customer where phone_digits >= '010' and phone_digits < '011' order by phone_digits, id limit 20",
            "customer_by_phone",
        ),
        (
            "select id from payment_method where last4 = '1234' order by id",
            "payment_method_by_last4",
        ),
        (
            "select id from payment where tail >= 'A' and tail < 'B' limit 2",
            "payment_tail",
        ),
        (
            "select id from attempt where state in ('not_executed', 'succeeded') and next_check_at is not null and next_check_at <= 5 order by next_check_at, id limit 2",
            "attempt_looked_for",
        ),
    ];
    for (query, index) in walks {
        let plan = raw.plan(query).await;
        assert!(plan.contains(&format!("INDEX {index}")), "{query}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{query}\n{plan}");
    }
}
